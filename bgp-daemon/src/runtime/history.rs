//! What happened to one peer: logged once, kept for `bgp peer X --history`, told to watchers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::SystemTime;

use bgp_core::fsm::{DownReason, State};
use bgp_core::wire::Fault;
use bgp_router::PeerEvent;
use tracing::{debug, info, warn};

use super::rows::session_state;
use crate::api::EventBus;
use crate::api::schema::{Event, EventKind, Timestamp};
use crate::net::shown;

/// Transitions kept per peer.
const KEPT: usize = 64;

/// Octets of a malformed UPDATE that are logged.
const LOGGED: usize = 256;

/// Malformed UPDATEs of a peer that watchers are told in a second.
const MALFORMED_TOLD: u32 = 5;

/// One change of a session's state.
#[derive(Clone, Debug)]
pub struct Transition {
    /// When.
    pub at: SystemTime,
    /// From which state.
    pub from: State,
    /// To which state.
    pub to: State,
    /// Why, where the session knew.
    pub reason: Option<String>,
}

/// The events of one peer.
#[derive(Debug)]
pub(crate) struct History {
    peer: IpAddr,
    name: Option<String>,
    watchers: EventBus,
    transitions: VecDeque<Transition>,
    /// Since when the state is what it is.
    pub(crate) since: SystemTime,
    /// Why the last session ended or did not come up.
    pub(crate) last_error: Option<String>,
    /// How often an established session was lost.
    pub(crate) flaps: u64,
    /// How often sessions ended, by reason.
    pub(crate) downs: BTreeMap<&'static str, u64>,
    /// Faults of UPDATEs by the type of the attribute, 0 for the UPDATE itself (RFC 7606).
    pub(crate) faults: BTreeMap<u8, u64>,
    /// A second, and how many malformed UPDATEs were told in it.
    malformed_told: (u64, u32),
    /// The attribute types whose fault has been logged in this session: each is logged once.
    logged: Vec<u8>,
}

impl History {
    /// An empty history.
    #[must_use]
    pub(crate) fn new(peer: IpAddr, name: Option<String>, watchers: EventBus) -> History {
        History {
            peer,
            name,
            watchers,
            transitions: VecDeque::new(),
            since: SystemTime::now(),
            last_error: None,
            flaps: 0,
            downs: BTreeMap::new(),
            faults: BTreeMap::new(),
            malformed_told: (0, 0),
            logged: Vec::new(),
        }
    }

    /// Gives the peer another name.
    pub(crate) fn rename(&mut self, name: Option<String>) {
        self.name = name;
    }

    /// The latest transitions, oldest first.
    pub(crate) fn transitions(&self) -> impl Iterator<Item = &Transition> {
        self.transitions.iter()
    }

    /// A TCP connection could not be opened.
    pub(crate) fn connect_failed(&mut self, text: String) {
        if self.last_error.as_deref() != Some(&text) {
            info!(peer = shown(self.peer), "{text}");
        }
        self.last_error = Some(text);
    }

    /// Takes note of an event.
    pub(crate) fn record(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::State { from, to } => self.transition(from, to),
            PeerEvent::Established(negotiated) => {
                self.last_error = None;
                self.logged.clear();
                let families: Vec<String> = negotiated.families.iter().map(|f| f.to_string()).collect();
                info!(peer = shown(self.peer), asn = %negotiated.peer_as, router_id = %negotiated.peer_router_id,
                    hold_time = negotiated.hold_time, families = families.join(","), "session established");
            }
            PeerEvent::Down(reason) | PeerEvent::Failed(reason) => self.down(&reason),
            PeerEvent::Many(family, count) => {
                warn!(peer = shown(self.peer), %family, count, "many prefixes: see its max-prefix");
            }
            PeerEvent::Malformed { faults, body } => self.malformed(&faults, &body),
        }
    }

    /// A flood of them must not push other events out of the stream.
    fn tell_malformed(&mut self, faults: &[Fault]) {
        let second = Timestamp::now().0 / 1000;
        if self.malformed_told.0 != second {
            self.malformed_told = (second, 0);
        }
        self.malformed_told.1 += 1;
        if self.malformed_told.1 <= MALFORMED_TOLD {
            let faults = faults.iter().map(ToString::to_string).collect();
            self.watchers.publish(Event::now(EventKind::Malformed { address: self.peer.into(), faults }));
        }
    }

    fn transition(&mut self, from: State, to: State) {
        debug!(peer = shown(self.peer), %from, %to, "state");
        self.since = SystemTime::now();
        if from == State::Established {
            self.flaps += 1;
        }
        let fell = session_state(to) < session_state(from);
        let reason = if fell { self.last_error.clone() } else { None };
        let transition = Transition { at: self.since, from, to, reason };
        if self.transitions.len() == KEPT {
            self.transitions.pop_front();
        }
        self.watchers.publish(Event::now(EventKind::Peer {
            address: self.peer.into(),
            name: self.name.clone(),
            from: session_state(from),
            to: session_state(to),
            reason: transition.reason.clone(),
        }));
        self.transitions.push_back(transition);
    }

    fn down(&mut self, reason: &DownReason) {
        *self.downs.entry(reason.label()).or_default() += 1;
        let text = reason.to_string();
        // A peer that cannot be reached fails alike again and again.
        if self.last_error.as_deref() != Some(&text) {
            info!(peer = shown(self.peer), reason = %text, "session down");
        }
        self.last_error = Some(text);
    }

    fn malformed(&mut self, faults: &[Fault], body: &[u8]) {
        self.tell_malformed(faults);
        for fault in faults {
            *self.faults.entry(fault.code).or_default() += 1;
            if self.logged.contains(&fault.code) {
                continue;
            }
            self.logged.push(fault.code);
            let mut hex = String::with_capacity(2 * LOGGED);
            for octet in body.iter().take(LOGGED) {
                let _ = write!(hex, "{octet:02x}");
            }
            warn!(peer = shown(self.peer), fault = %fault, update = hex, octets = body.len(), "malformed UPDATE");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::schema::Topic;

    use super::*;

    #[tokio::test]
    async fn a_lost_session_is_told_with_its_reason() {
        let watchers = EventBus::default();
        let mut watcher = watchers.watch(Topic::Peers);
        let mut history = History::new([10, 0, 0, 1].into(), None, watchers);
        history.record(PeerEvent::State { from: State::OpenConfirm, to: State::Established });
        history.record(PeerEvent::Down(DownReason::HoldTimerExpired));
        history.record(PeerEvent::State { from: State::Established, to: State::Active });
        let reasons: Vec<Option<&str>> = history.transitions().map(|t| t.reason.as_deref()).collect();
        assert_eq!(reasons, [None, Some("hold timer expired")]);
        assert_eq!((history.flaps, history.downs.len()), (1, 1));
        let first = watcher.next().await.unwrap();
        assert!(matches!(&first.kind, EventKind::Peer { reason: None, .. }));
        let second = watcher.next().await.unwrap();
        assert!(
            matches!(&second.kind, EventKind::Peer { reason: Some(why), .. } if why == "hold timer expired")
        );
    }
}
