//! One BGP session as the generator has it: a socket, what is to be sent, and how fast it reads.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bgp_core::wire::header::{MAX_LEN, write_keepalive};
use bgp_core::wire::{Capability, DecodeContext, Frame, MessageType, Notification, Open, UpdateView, frame};
use bgp_core::{Asn, Family, FamilySet, PeerKind, RouterId};
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Socket, Type};

use crate::expected::{Expected, Held};
use crate::flood::Flood;
use crate::routes::{self, WITHDRAWN};

/// Everyone's AS number: all sessions are internal, all peers are reflected to.
pub const ASN: u32 = 64512;

/// How fast a peer reads once the session is established.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it can.
    Full,
    /// So many octets a second.
    Slow(u32),
    /// Nothing any more after so many octets.
    Stuck(u64),
}

/// What a session is for.
#[derive(Clone)]
pub struct Spec {
    pub address: Ipv4Addr,
    /// Another one than IPv4: it is sent nothing but KEEPALIVEs.
    pub family: Family,
    pub pace: Pace,
    /// Octets of SO_RCVBUF, if not the kernel's choice.
    pub receive_buffer: Option<usize>,
    /// Seconds that our OPEN offers.
    pub hold_time: u16,
    /// Whether what it holds is looked at.
    pub checked: bool,
    /// Whether times are taken.
    pub timed: bool,
    /// Whether its fall harms nobody that we care for.
    pub bad: bool,
    /// Whether it comes back after a fall. Others do not, so that it shows.
    pub redials: bool,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No connection, until it is dialled at this time, if ever.
    Down(Option<Instant>),
    Connecting,
    OpenSent,
    OpenConfirm,
    Established,
}

pub struct Session {
    pub spec: Spec,
    pub phase: Phase,
    pub socket: Option<Socket>,
    /// What the poller was told to look for.
    pub interest: EpollFlags,
    pub held: Held,
    pub flood: Option<Flood>,
    /// Why it fell, each time that we had not closed it.
    pub falls: Vec<(Instant, String)>,
    /// When it had all for the first time since it was dialled.
    pub complete: Option<Instant>,
    /// The longest time without a message.
    pub gap: Duration,
    pub heard: Option<Instant>,
    dialled: Instant,
    sent: Instant,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    written: usize,
    octets_read: u64,
    /// Up to when a slow one has read its share.
    read_until: Instant,
}

/// A connection without an OPEN from the other side is given up after this time.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Before a connection that failed is tried again.
const REDIAL: Duration = Duration::from_millis(500);
/// What is read and written at most in one turn, so that everyone gets one.
const TURN: usize = 1 << 18;

impl Session {
    pub fn new(spec: Spec, expected: &Expected, now: Instant) -> Session {
        let held = if spec.checked { Held::new(expected, spec.timed) } else { Held::default() };
        Session {
            spec,
            phase: Phase::Down(Some(now)),
            socket: None,
            interest: EpollFlags::empty(),
            held,
            flood: None,
            falls: Vec::new(),
            complete: None,
            gap: Duration::ZERO,
            heard: None,
            dialled: now,
            sent: now,
            inbox: Vec::new(),
            outbox: Vec::new(),
            written: 0,
            octets_read: 0,
            read_until: now,
        }
    }

    /// Begins to connect.
    pub fn dial(&mut self, to: SocketAddr, expected: &Expected, now: Instant) -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_reuse_address(true)?;
        if let Some(octets) = self.spec.receive_buffer {
            socket.set_recv_buffer_size(octets)?;
        }
        socket.bind(&SocketAddr::from((self.spec.address, 0)).into())?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        self.held.clear(expected);
        if let Some(flood) = &mut self.flood {
            flood.restart();
        }
        self.inbox.clear();
        self.outbox.clear();
        (self.written, self.octets_read, self.heard, self.complete) = (0, 0, None, None);
        (self.socket, self.phase, self.dialled) = (Some(socket), Phase::Connecting, now);
        Ok(())
    }

    /// The connection is gone, or will be.
    pub fn down(&mut self, redial: Option<Instant>) {
        (self.socket, self.phase) = (None, Phase::Down(redial));
        self.interest = EpollFlags::empty();
    }

    /// The connection fell, for this reason.
    pub fn fall(&mut self, now: Instant, why: String) {
        let established = self.phase == Phase::Established;
        if established {
            self.falls.push((now, why));
        }
        self.down((!established || self.spec.redials).then_some(now + REDIAL));
    }

    pub fn is_up(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Between the beginning of a connection and an established session.
    pub fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::OpenSent | Phase::OpenConfirm)
    }

    fn is_stuck(&self) -> bool {
        matches!(self.spec.pace, Pace::Stuck(after) if self.is_up() && self.octets_read >= after)
    }

    /// What the poller shall look for.
    pub fn wanted(&self) -> EpollFlags {
        let reads =
            !self.is_up() || matches!(self.spec.pace, Pace::Full | Pace::Stuck(_)) && !self.is_stuck();
        let writes = self.phase == Phase::Connecting || self.has_to_send() || self.floods();
        let mut wanted = EpollFlags::EPOLLRDHUP;
        wanted.set(EpollFlags::EPOLLIN, reads);
        wanted.set(EpollFlags::EPOLLOUT, writes);
        wanted
    }

    fn floods(&self) -> bool {
        self.is_up() && self.flood.as_ref().is_some_and(|flood| !flood.is_over())
    }

    /// Octets are waiting for the socket.
    pub fn has_to_send(&self) -> bool {
        self.written < self.outbox.len()
    }

    /// To be filled with whole messages.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// The connection stands, or failed: sends our OPEN.
    fn connected(&mut self, now: Instant) -> io::Result<()> {
        if let Some(error) = self.socket.as_ref().and_then(|socket| socket.take_error().transpose()) {
            return Err(error.unwrap_or_else(|error| error));
        }
        let open = Open {
            asn: Asn(ASN),
            hold_time: self.spec.hold_time,
            router_id: RouterId(self.spec.address.into()),
            capabilities: vec![
                Capability::Multiprotocol(self.spec.family),
                Capability::RouteRefresh,
                Capability::FourOctetAs(Asn(ASN)),
            ],
        };
        open.encode(&mut self.outbox);
        (self.phase, self.sent) = (Phase::OpenSent, now);
        Ok(())
    }

    /// What the poller reported.
    pub fn ready(&mut self, events: EpollFlags, expected: &mut Expected, now: Instant) -> io::Result<()> {
        if self.phase == Phase::Connecting {
            self.connected(now)?;
        }
        let lost = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR | EpollFlags::EPOLLRDHUP;
        if events.intersects(lost) && !self.wanted().contains(EpollFlags::EPOLLIN) {
            return Err(io::Error::new(ErrorKind::ConnectionReset, "closed by the daemon"));
        }
        if events.intersects(EpollFlags::EPOLLIN | lost) {
            self.read(TURN, expected, now)?;
        }
        self.flush(now)
    }

    /// What is due by the clock: KEEPALIVEs, a slow one's share of reading.
    pub fn tick(&mut self, expected: &mut Expected, now: Instant) -> io::Result<()> {
        if self.is_opening() && now.duration_since(self.dialled) > OPEN_TIMEOUT {
            return Err(io::Error::new(ErrorKind::TimedOut, "no answer to the OPEN"));
        }
        if !self.is_up() {
            return Ok(());
        }
        if let Pace::Slow(per_second) = self.spec.pace {
            let share = now.duration_since(self.read_until).as_millis() as u64 * u64::from(per_second) / 1000;
            if share > u64::from(per_second) / 20 {
                self.read_until = now;
                self.read(share as usize, expected, now)?;
            }
        }
        // A stuck one looks every second whether it was dropped: only writing shows it.
        let every = Duration::from_secs(u64::from(self.spec.hold_time.max(3)) / 3);
        let every = if self.is_stuck() { Duration::from_secs(1) } else { every };
        if now.duration_since(self.sent) >= every {
            if !self.has_to_send() {
                write_keepalive(&mut self.outbox);
            }
            self.sent = now;
        }
        self.flush(now)
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self, now: Instant) -> io::Result<()> {
        let mut left = TURN;
        while left > 0 {
            if !self.has_to_send() {
                self.outbox.clear();
                self.written = 0;
                match &mut self.flood {
                    Some(flood) if self.phase == Phase::Established => flood.fill(&mut self.outbox),
                    _ => return Ok(()),
                }
                if self.outbox.is_empty() {
                    return Ok(());
                }
            }
            let Some(mut socket) = self.socket.as_ref() else { return Ok(()) };
            match socket.write(&self.outbox[self.written..]) {
                Ok(octets) => {
                    self.written += octets;
                    self.sent = now;
                    left = left.saturating_sub(octets);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads at most `limit` octets and takes all whole messages.
    fn read(&mut self, limit: usize, expected: &mut Expected, now: Instant) -> io::Result<()> {
        let mut left = limit;
        let mut buffer = [0; 1 << 16];
        while left > 0 && !self.is_stuck() {
            let Some(mut socket) = self.socket.as_ref() else { return Ok(()) };
            let room = left.min(buffer.len());
            match socket.read(&mut buffer[..room]) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the daemon")),
                Ok(octets) => {
                    left -= octets;
                    self.octets_read += octets as u64;
                    self.inbox.extend_from_slice(&buffer[..octets]);
                    self.take_messages(expected, now)?;
                    if octets < room {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take_messages(&mut self, expected: &mut Expected, now: Instant) -> io::Result<()> {
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest = &inbox[..];
        let broken = |why: String| io::Error::new(ErrorKind::InvalidData, why);
        while let Some(message) = frame(rest, MAX_LEN).map_err(|fault| broken(fault.to_string()))? {
            if let Some(heard) = self.heard.replace(now) {
                self.gap = self.gap.max(now.duration_since(heard));
            }
            self.take(&message, expected, now).map_err(broken)?;
            rest = &rest[message.len..];
        }
        let at = inbox.len() - rest.len();
        self.inbox = inbox;
        self.inbox.drain(..at);
        Ok(())
    }

    fn take(&mut self, message: &Frame<'_>, expected: &mut Expected, now: Instant) -> Result<(), String> {
        match (message.kind, self.phase) {
            (MessageType::Open, Phase::OpenSent) => {
                Open::parse(message.body).map_err(|fault| fault.to_string())?;
                write_keepalive(&mut self.outbox);
                self.phase = Phase::OpenConfirm;
            }
            (MessageType::Keepalive, Phase::OpenConfirm) => {
                (self.phase, self.read_until) = (Phase::Established, now);
            }
            (MessageType::Update, Phase::Established) => self.take_update(message.body, expected, now)?,
            (MessageType::Keepalive | MessageType::RouteRefresh, Phase::Established) => {}
            (MessageType::Notification, _) => {
                return Err(
                    Notification::parse(message.body).map_or("NOTIFICATION".into(), |n| n.to_string())
                );
            }
            (kind, phase) => return Err(format!("{kind} in {phase:?}")),
        }
        if self.is_up() && self.complete.is_none() && self.held.is_complete() {
            self.complete = Some(now);
        }
        Ok(())
    }

    fn take_update(&mut self, body: &[u8], expected: &mut Expected, now: Instant) -> Result<(), String> {
        let context = DecodeContext::new(PeerKind::Internal, FamilySet::EMPTY.with(self.spec.family));
        let update =
            UpdateView::parse(body, &context).map_err(|fault| format!("malformed UPDATE: {fault:?}"))?;
        if !self.spec.checked {
            return Ok(());
        }
        for (_, prefix) in update.withdrawn() {
            self.held.take(routes::number(prefix), WITHDRAWN, expected, now);
        }
        if !update.announced().is_empty() {
            let version = routes::version(&update);
            for (_, prefix) in update.announced() {
                self.held.take(routes::number(prefix), version, expected, now);
            }
        }
        Ok(())
    }
}
