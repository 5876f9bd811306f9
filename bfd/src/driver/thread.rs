//! The thread: wishes, datagrams, time; then sleep until the next of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::sockets::{Place, Receiver, Sender, buffer, shown};
use super::{Inbox, LastFailure, Row, Shared, Snapshot, Status, Stop, Wanted, WatchId};
use crate::session::Event;
use crate::table::{Peer, SessionId, Sessions};

/// Datagrams read from a socket in a row: more than its buffer holds, so that what had arrived is read before sessions are
/// judged, and a flood does not put that off for ever.
const READ_AT_ONCE: usize = 8192;

/// How long a port that could not be had is left alone.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Thread {
    shared: Arc<Shared>,
    origin: Instant,
    sessions: Sessions,
    owned: BTreeMap<WatchId, Owned>,
    owners: BTreeMap<SessionId, WatchId>,
    receivers: BTreeMap<Place, Result<Receiver, (String, Duration)>>,
    senders: BTreeMap<SessionId, Outlet>,
    next_port: u16,
    stopping: bool,
}

/// A session that somebody wants.
struct Owned {
    wanted: Wanted,
    session: SessionId,
    status: watch::Sender<Status>,
    ups: u64,
}

/// Where the packets of a session leave.
struct Outlet {
    local: Option<IpAddr>,
    sender: Option<Sender>,
    problem: Option<String>,
}

impl Thread {
    pub(super) fn new(shared: Arc<Shared>, seed: u64) -> Thread {
        Thread {
            shared,
            origin: Instant::now(),
            sessions: Sessions::new(seed),
            owned: BTreeMap::new(),
            owners: BTreeMap::new(),
            receivers: BTreeMap::new(),
            senders: BTreeMap::new(),
            next_port: 0,
            stopping: false,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let _ = self.shared.wake.read();
            let inbox = self.take_inbox();
            if inbox.stop == Some(Stop::AtOnce) {
                return;
            }
            let changed = !inbox.wishes.is_empty() || self.senders.len() != self.sessions.len();
            self.follow(inbox.wishes, inbox.statuses);
            if inbox.stop.is_some() {
                self.leave();
            }
            if changed || self.retry_at().is_some_and(|at| at <= self.now()) {
                self.listen();
            }
            self.read();
            self.send();
            self.tell();
            if !inbox.questions.is_empty() {
                let snapshot = self.snapshot();
                inbox.questions.into_iter().for_each(|question| drop(question.send(snapshot.clone())));
            }
            if self.stopping && self.sessions.is_empty() {
                return;
            }
            self.sleep();
        }
    }

    fn take_inbox(&self) -> Inbox {
        let mut inbox = self.shared.inbox();
        let next_watch = inbox.next_watch;
        std::mem::replace(&mut *inbox, Inbox { next_watch, ..Inbox::default() })
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn follow(
        &mut self,
        wishes: BTreeMap<WatchId, Option<Wanted>>,
        mut statuses: BTreeMap<WatchId, watch::Sender<Status>>,
    ) {
        for (watch, wish) in wishes {
            let known = self.owned.remove(&watch);
            if let Some(known) = &known {
                self.owners.remove(&known.session);
            }
            match (known, wish.filter(|_| !self.stopping)) {
                (Some(known), None) => self.sessions.remove(self.now(), known.session),
                (Some(known), Some(wanted)) => self.adjust(watch, known, wanted),
                (None, Some(wanted)) => {
                    if let Some(status) = statuses.remove(&watch) {
                        self.begin(watch, wanted, status);
                    }
                }
                (None, None) => (),
            }
        }
    }

    fn begin(&mut self, watch: WatchId, wanted: Wanted, status: watch::Sender<Status>) {
        let now = self.now();
        let session = self.sessions.add(now, wanted.peer, wanted.timers);
        status.send_modify(|status| status.up = false);
        if !wanted.enabled {
            self.sessions.with(session, |session| session.stop(now));
        }
        self.own(watch, Owned { wanted, session, status, ups: 0 });
    }

    fn own(&mut self, watch: WatchId, owned: Owned) {
        let outlet = Outlet { local: owned.wanted.local, sender: None, problem: None };
        let same = |old: &Outlet| old.local == outlet.local;
        if !self.senders.get(&owned.session).is_some_and(same) {
            self.senders.insert(owned.session, outlet);
        }
        self.owners.insert(owned.session, watch);
        self.owned.insert(watch, owned);
    }

    /// Another wish for a session that there is.
    fn adjust(&mut self, watch: WatchId, mut known: Owned, wanted: Wanted) {
        let now = self.now();
        if wanted.peer != known.wanted.peer {
            self.sessions.remove(now, known.session);
            return self.begin(watch, wanted, known.status);
        }
        self.sessions.with(known.session, |session| {
            session.set_timers(wanted.timers);
            match (known.wanted.enabled, wanted.enabled) {
                (true, false) => {
                    session.stop(now);
                    known.status.send_modify(|status| status.up = false);
                }
                (false, true) => session.start(now),
                _ => (),
            }
        });
        known.wanted = wanted;
        self.own(watch, known);
    }

    /// Ends all sessions, and the thread once the peers have heard of it.
    fn leave(&mut self) {
        self.stopping = true;
        self.owners.clear();
        for owned in std::mem::take(&mut self.owned).into_values() {
            self.sessions.remove(self.now(), owned.session);
        }
    }

    /// Listens where sessions are, and nowhere else.
    fn listen(&mut self) {
        let peers = |id: &SessionId| self.sessions.get(*id).map(|view| view.peer);
        self.senders.retain(|id, _| self.sessions.get(*id).is_some());
        let places: Vec<Place> = self.senders.keys().filter_map(peers).map(|peer| Place::of(&peer)).collect();
        self.receivers.retain(|place, _| places.contains(place));
        let now = self.now();
        for place in places {
            let again = match self.receivers.get(&place) {
                None => true,
                Some(Ok(_)) => false,
                Some(Err((_, at))) => *at <= now,
            };
            if again {
                let receiver = Receiver::bind(place).map_err(|error| {
                    let problem = format!("cannot listen on UDP port {}: {error}", place.port());
                    warn!("BFD {problem}; another BFD daemon may have it");
                    (problem, now + RETRY)
                });
                self.receivers.insert(place, receiver);
            }
        }
    }

    /// When a port that could not be had is tried again.
    fn retry_at(&self) -> Option<Duration> {
        self.receivers.values().filter_map(|receiver| receiver.as_ref().err().map(|(_, at)| *at)).min()
    }

    fn read(&mut self) {
        let mut buffer = buffer();
        for receiver in self.receivers.values().flatten() {
            for _ in 0..READ_AT_ONCE {
                match receiver.receive(&mut buffer) {
                    Ok(Some((from, octets))) => {
                        let now = self.origin.elapsed();
                        if let Err(reason) = self.sessions.receive(now, from, octets) {
                            debug!(from = %from.address, "BFD packet discarded: {reason}");
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        debug!("BFD cannot receive: {error}");
                        break;
                    }
                }
            }
        }
    }

    fn send(&mut self) {
        let now = self.now();
        let Thread { sessions, senders, next_port, .. } = self;
        sessions.advance(now, |id, peer, packet| {
            if let Some(outlet) = senders.get_mut(&id) {
                outlet.send(peer, &packet, next_port);
            }
        });
    }

    /// Tells owners what happened to their sessions.
    fn tell(&mut self) {
        while let Some((session, event)) = self.sessions.event() {
            let Some(owned) = self.owners.get(&session).and_then(|owner| self.owned.get_mut(owner)) else {
                continue;
            };
            let peer = shown(&owned.wanted.peer);
            match event {
                Event::Up => {
                    owned.ups += 1;
                    info!(peer, "BFD session up");
                }
                Event::Down(failure) => info!(peer, reason = %failure.reason, "BFD session down"),
                Event::PeerStopped => info!(peer, "BFD session ended by the peer's operator"),
            }
            let origin = self.origin;
            owned.status.send_modify(|status| {
                status.up = event == Event::Up;
                if let Event::Down(failure) = event {
                    status.failures += 1;
                    status.last_failure = Some(LastFailure {
                        up_since: origin + failure.up_since,
                        heard_up: failure.heard_up.map(|at| origin + at),
                        independent: failure.independent,
                    });
                }
            });
        }
    }

    fn sleep(&self) {
        let mut fds = vec![PollFd::new(self.shared.wake.as_fd(), PollFlags::POLLIN)];
        let receivers = self.receivers.values().flatten();
        fds.extend(receivers.map(|receiver| PollFd::new(receiver.as_fd(), PollFlags::POLLIN)));
        let wait = self.sessions.next_timeout().into_iter().chain(self.retry_at()).min();
        let wait = wait.map(|at| at.saturating_sub(self.now()));
        // Up to the next millisecond: one that is cut off would only spin.
        let millis = wait.map(|wait| i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
        let timeout =
            millis.map_or(PollTimeout::NONE, |ms| PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX));
        // Interrupted or not, the loop looks at everything.
        let _ = poll(&mut fds, timeout);
    }

    fn snapshot(&self) -> Snapshot {
        let mut sessions: Vec<Row> = self.owned.values().filter_map(|owned| self.row(owned)).collect();
        sessions.sort_by_key(|row| (row.peer.address, row.peer.interface));
        Snapshot { sessions, discarded: self.sessions.discarded() }
    }

    fn row(&self, owned: &Owned) -> Option<Row> {
        let view = self.sessions.get(owned.session)?;
        let listening = self.receivers.get(&Place::of(&view.peer));
        let deaf = listening.and_then(|receiver| receiver.as_ref().err()).map(|(problem, _)| problem.clone());
        let mute = self.senders.get(&owned.session).and_then(|outlet| outlet.problem.clone());
        let session = view.session;
        Some(Row {
            peer: view.peer,
            local: owned.wanted.local,
            state: session.state(),
            since: SystemTime::now() - self.now().saturating_sub(session.since()),
            diagnostic: session.diagnostic(),
            discriminator: session.discriminator().get(),
            remote: *session.remote(),
            independent: session.is_independent(),
            timers: session.timers(),
            transmit_interval: session.transmit_interval(),
            detection_time: session.detection_time(),
            received: view.received,
            sent: view.sent,
            ups: owned.ups,
            failures: owned.status.borrow().failures,
            problem: deaf.or(mute),
        })
    }
}

impl Outlet {
    fn send(&mut self, peer: &Peer, packet: &[u8; crate::packet::LENGTH], next_port: &mut u16) {
        if self.sender.is_none() {
            *next_port = next_port.wrapping_add(1);
            match Sender::bind(peer, self.local, *next_port) {
                Ok(sender) => self.sender = Some(sender),
                Err(error) => return self.fail(peer, format!("no socket to send from: {error}")),
            }
        }
        match self.sender.as_ref().map_or(Ok(()), |sender| sender.send(packet)) {
            Ok(()) => self.problem = None,
            Err(error) => self.fail(peer, format!("packets cannot leave: {error}")),
        }
    }

    fn fail(&mut self, peer: &Peer, problem: String) {
        if self.problem.as_ref() != Some(&problem) {
            debug!(peer = shown(peer), "BFD: {problem}");
        }
        self.problem = Some(problem);
    }
}
