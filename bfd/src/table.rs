//! All sessions of a host: which one a datagram is for (RFC 5880 section 6.3), and whose turn it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::packet::{LENGTH, Malformed, Packet};
use crate::random::Random;
use crate::session::{Event, Session, Timers};
use crate::state::State;

/// A session's number, which is also its discriminator.
pub type SessionId = NonZeroU32;

/// A peer that asks for slow packets does not hold up our end for minutes.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// How far the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hops {
    /// On a link of ours (RFC 5881): its packets arrive with a hop limit of 255.
    Single,
    /// Behind routers (RFC 5883).
    Multi {
        /// The hop limit that its packets still have, at least.
        min_ttl: u8,
    },
}

impl Hops {
    /// The UDP port that packets go to.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Hops::Single => 3784,
            Hops::Multi { .. } => 4784,
        }
    }

    fn min_ttl(self) -> u8 {
        match self {
            Hops::Single => 255,
            Hops::Multi { min_ttl } => min_ttl,
        }
    }
}

/// Whom a session is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The interface it is on, where its address is link-local; else 0.
    pub interface: u32,
    /// How far it is.
    pub hops: Hops,
}

impl Peer {
    fn key(&self) -> Key {
        (self.address, self.interface, self.hops.port())
    }
}

/// There is one session with an address at a port, on an interface if the address is link-local.
type Key = (IpAddr, u32, u16);

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The sender's address.
    pub address: IpAddr,
    /// The interface, where the address is link-local; else 0.
    pub interface: u32,
    /// Our port.
    pub port: u16,
    /// The hop limit that it arrived with.
    pub ttl: u8,
}

/// Why a datagram was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Discarded {
    /// No packet that a session may take.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It came from further than it may (RFC 5881 section 5).
    #[error("it has passed too many routers")]
    Ttl,
    /// There is no such session.
    #[error("there is no session for it")]
    Unknown,
}

struct Entry {
    peer: Peer,
    session: Session,
    /// As it stands in the order of deadlines.
    due: Option<Duration>,
    received: u64,
    sent: u64,
    /// When to forget it, if it is about to go.
    leaves: Option<Duration>,
}

/// All sessions. Times are since an origin of the caller's choosing.
pub struct Sessions {
    entries: BTreeMap<SessionId, Entry>,
    keys: BTreeMap<Key, SessionId>,
    due: BTreeSet<(Duration, SessionId)>,
    events: VecDeque<(SessionId, Event)>,
    discarded: u64,
    random: Random,
}

/// A session with its counts.
pub struct View<'a> {
    /// Whom it is with.
    pub peer: Peer,
    /// The session.
    pub session: &'a Session,
    /// Packets taken.
    pub received: u64,
    /// Packets made.
    pub sent: u64,
}

impl Sessions {
    /// No sessions yet. Discriminators and jitter follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Sessions {
        Sessions {
            entries: BTreeMap::new(),
            keys: BTreeMap::new(),
            due: BTreeSet::new(),
            events: VecDeque::new(),
            discarded: 0,
            random: Random::new(seed),
        }
    }

    /// Begins a session; one with the same peer is forgotten.
    pub fn add(&mut self, now: Duration, peer: Peer, timers: Timers) -> SessionId {
        if let Some(old) = self.keys.get(&peer.key()).copied() {
            self.forget(old);
        }
        let id = self.unused_id();
        let session = Session::new(now, id, timers, self.random.next());
        self.keys.insert(peer.key(), id);
        self.entries.insert(id, Entry { peer, session, due: None, received: 0, sent: 0, leaves: None });
        self.settle(id);
        id
    }

    fn unused_id(&mut self) -> SessionId {
        loop {
            let id = NonZeroU32::new(self.random.next() as u32);
            if let Some(id) = id.filter(|id| !self.entries.contains_key(id)) {
                return id;
            }
        }
    }

    /// Ends a session: the peer is told, and it is forgotten once the peer knows or its detection time is over.
    pub fn remove(&mut self, now: Duration, id: SessionId) {
        self.change(id, |entry| {
            let waits = entry.session.state() == State::Up;
            let limit = entry.session.transmit_interval() * entry.session.timers().multiplier.get().into();
            entry.session.stop(now);
            entry.leaves = Some(if waits { now + limit.min(LONGEST_FAREWELL) } else { now });
        });
    }

    /// Forgets a session without a word.
    fn forget(&mut self, id: SessionId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        if let Some(due) = entry.due {
            self.due.remove(&(due, id));
        }
        if self.keys.get(&entry.peer.key()) == Some(&id) {
            self.keys.remove(&entry.peer.key());
        }
    }

    /// Does something with a session, if there is one of this number.
    pub fn with(&mut self, id: SessionId, act: impl FnOnce(&mut Session)) {
        self.change(id, |entry| act(&mut entry.session));
    }

    fn change(&mut self, id: SessionId, act: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            act(entry);
            self.settle(id);
        }
    }

    /// Puts a session where it belongs in the order of deadlines, and takes what it has to tell.
    fn settle(&mut self, id: SessionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let due = entry.session.next_timeout().into_iter().chain(entry.leaves).min();
        if due != entry.due {
            if let Some(old) = std::mem::replace(&mut entry.due, due) {
                self.due.remove(&(old, id));
            }
            self.due.extend(due.map(|due| (due, id)));
        }
        while let Some(event) = entry.session.event() {
            self.events.push_back((id, event));
        }
    }

    /// Takes a datagram; the session that it was for.
    ///
    /// # Errors
    /// Why it was discarded. It is counted.
    pub fn receive(&mut self, now: Duration, from: Origin, octets: &[u8]) -> Result<SessionId, Discarded> {
        let taken = self.take(now, from, octets);
        self.discarded += u64::from(taken.is_err());
        taken
    }

    fn take(&mut self, now: Duration, from: Origin, octets: &[u8]) -> Result<SessionId, Discarded> {
        // Section 5 of RFC 5881: before anything else is looked at.
        if from.port == Hops::Single.port() && from.ttl != 255 {
            return Err(Discarded::Ttl);
        }
        let packet = Packet::parse(octets)?;
        let key = (from.address, from.interface, from.port);
        let id = packet.your_discriminator.or_else(|| self.keys.get(&key).copied());
        let id = id.ok_or(Discarded::Unknown)?;
        let entry = self.entries.get_mut(&id).filter(|e| e.peer.key() == key).ok_or(Discarded::Unknown)?;
        if from.ttl < entry.peer.hops.min_ttl() {
            return Err(Discarded::Ttl);
        }
        entry.received += 1;
        entry.session.receive(now, &packet);
        self.settle(id);
        Ok(id)
    }

    /// When [`Sessions::advance`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Does what is due by `now`, and gives the packets to `send`. Only after all datagrams that have arrived were given to
    /// [`Sessions::receive`]: else our own delay would count as the peers' silence.
    pub fn advance(&mut self, now: Duration, mut send: impl FnMut(SessionId, &Peer, [u8; LENGTH])) {
        let due = self.due.iter().take_while(|(due, _)| *due <= now);
        let due: Vec<SessionId> = due.map(|(_, id)| *id).collect();
        for id in due {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.session.handle_timeout(now);
            while let Some(packet) = entry.session.transmit(now) {
                entry.sent += 1;
                send(id, &entry.peer, packet.encode());
            }
            if entry.leaves.is_some_and(|at| at <= now || entry.session.is_over()) {
                self.forget(id);
            } else {
                self.settle(id);
            }
        }
    }

    /// The next thing to know.
    pub fn event(&mut self) -> Option<(SessionId, Event)> {
        self.events.pop_front()
    }

    /// A session with its counts.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<View<'_>> {
        let Entry { peer, session, received, sent, .. } = self.entries.get(&id)?;
        Some(View { peer: *peer, session, received: *received, sent: *sent })
    }

    /// How many there are, with those about to go.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Datagrams that were for no session or wrong.
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.discarded
    }
}
