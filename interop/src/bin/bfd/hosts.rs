//! Many hosts in one namespace, each with BFD on an address of its own: the other ends of the sessions under test.

use bfd::{Event, Packet, Session, Timers};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the hosts have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) up: AtomicU64,
    /// Sessions that fell.
    pub(crate) downs: AtomicU64,
    /// The longest pause between two packets of a session that was up, in microseconds, since it was last set to 0.
    pub(crate) longest: AtomicU64,
    pub(crate) stop: AtomicBool,
}

struct Host {
    session: Session,
    receives: UdpSocket,
    sends: UdpSocket,
    heard: Option<Duration>,
}

/// Runs hosts at these addresses until told to stop.
pub(crate) fn run(addresses: &[IpAddr], to: IpAddr, timers: Timers, seen: &Seen) -> std::io::Result<()> {
    let origin = Instant::now();
    let mut hosts = Vec::new();
    for (number, address) in (1u32..).zip(addresses) {
        let receives = UdpSocket::bind(SocketAddr::new(*address, 3784))?;
        receives.set_nonblocking(true)?;
        let sends = UdpSocket::bind(SocketAddr::new(*address, 49152))?;
        sends.set_ttl(255)?;
        let discriminator = number.try_into().map_err(std::io::Error::other)?;
        let session = Session::new(Duration::ZERO, discriminator, timers, number.into());
        hosts.push(Host { session, receives, sends, heard: None });
    }
    while !seen.stop.load(Ordering::Relaxed) {
        let now = origin.elapsed();
        let to = SocketAddr::new(to, 3784);
        hosts.iter_mut().try_for_each(|host| host.turn(now, origin, to, seen))?;
        let next = hosts.iter().filter_map(|host| host.session.next_timeout()).min().unwrap_or_default();
        let wait = next.saturating_sub(origin.elapsed()).min(Duration::from_millis(100));
        let mut fds: Vec<PollFd<'_>> =
            hosts.iter().map(|host| PollFd::new(host.receives.as_fd(), PollFlags::POLLIN)).collect();
        let millis = u16::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(100);
        let _ = poll(&mut fds, PollTimeout::from(millis));
    }
    Ok(())
}

impl Host {
    fn turn(&mut self, now: Duration, origin: Instant, to: SocketAddr, seen: &Seen) -> std::io::Result<()> {
        let mut buffer = [0; 64];
        while let Ok(octets) = self.receives.recv(&mut buffer) {
            let Ok(packet) = Packet::parse(buffer.get(..octets).unwrap_or_default()) else { continue };
            let at = origin.elapsed();
            self.session.receive(at, &packet);
            if let Some(heard) = self.heard.replace(at).filter(|_| self.session.state() == bfd::State::Up) {
                let pause = u64::try_from((at - heard).as_micros()).unwrap_or(u64::MAX);
                seen.longest.fetch_max(pause, Ordering::Relaxed);
            }
        }
        self.session.handle_timeout(now.max(self.heard.unwrap_or_default()));
        while let Some(packet) = self.session.transmit(now) {
            self.sends.send_to(&packet.encode(), to)?;
        }
        while let Some(event) = self.session.event() {
            match event {
                Event::Up => seen.up.fetch_add(1, Ordering::Relaxed),
                Event::Down(_) | Event::PeerStopped => seen.downs.fetch_add(1, Ordering::Relaxed),
            };
        }
        Ok(())
    }
}
