//! A session whose promises are checked after every call.

use std::collections::BTreeSet;
use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction, Output, Received, State};
use bgp_core::wire::header::{MAX_EXTENDED_LEN, MAX_LEN};
use bgp_core::wire::{MessageType, Notification, Open, frame};
use bgp_core::{Instant, Session, SessionConfig};

use crate::only_message;

/// More outputs than any one call may add.
const MOST_OUTPUTS: usize = 12;

/// A session and what its outputs so far have promised.
pub struct Watched {
    session: Session,
    /// Connections given to the session and closed neither by it nor by the peer.
    open: BTreeSet<ConnectionId>,
    established: bool,
    ups: u64,
    state: State,
}

impl Watched {
    /// A stopped session.
    #[must_use]
    pub fn new(config: SessionConfig, seed: u64) -> Watched {
        let session = Session::new(config, seed);
        Watched { session, open: BTreeSet::new(), established: false, ups: 0, state: State::Idle }
    }

    /// The session, to be looked at.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the session holds this connection.
    #[must_use]
    pub fn holds(&self, id: ConnectionId) -> bool {
        self.open.contains(&id)
    }

    /// Calls the session; returns what it asks for.
    pub fn call(&mut self, call: impl FnOnce(&mut Session)) -> Vec<Output> {
        call(&mut self.session);
        let outputs: Vec<Output> = std::iter::from_fn(|| self.session.poll_output()).collect();
        assert!(outputs.len() <= MOST_OUTPUTS, "a handful of outputs: {outputs:?}");
        outputs.iter().for_each(|output| self.note(output));
        assert_eq!(self.state, self.session.state(), "every change of state is told");
        assert_eq!(self.established, self.session.negotiated().is_some(), "as Established and Down say");
        assert_eq!(self.ups, self.session.counters().established);
        assert!(self.open.len() <= 2, "no more than two connections are held");
        outputs
    }

    /// A new connection.
    pub fn connected(&mut self, now: Instant, id: ConnectionId, direction: Direction) -> Vec<Output> {
        self.open.insert(id);
        self.call(|session| session.connected(now, id, direction))
    }

    /// The end of a connection.
    pub fn disconnected(&mut self, now: Instant, id: ConnectionId) -> Vec<Output> {
        self.open.remove(&id);
        self.call(|session| session.disconnected(now, id))
    }

    /// Ends the session; nothing may be left to do.
    pub fn stop(&mut self, now: Instant, cease: Notification) -> Vec<Output> {
        let outputs = self.call(|session| session.stop(now, cease));
        assert!(self.open.is_empty() && self.session.next_timeout().is_none());
        assert_eq!(self.session.state(), State::Idle);
        outputs
    }

    /// Handles the timers.
    pub fn timeout(&mut self, now: Instant, unread: bool) -> Vec<Output> {
        let outputs = self.call(|session| session.handle_timeout(now, unread));
        let next = self.session.next_timeout();
        assert!(next.is_none_or(|next| next > now), "what was due is done: {next:?} at {now}");
        outputs
    }

    /// Reads what came on a connection; what is left in `unread` is to be handed in again, with more behind it.
    pub fn receive(&mut self, now: Instant, id: ConnectionId, unread: &mut Vec<u8>) -> Vec<Output> {
        let octets = std::mem::take(unread);
        let mut input = &octets[..];
        let mut outputs = Vec::new();
        loop {
            let mut received = None;
            let told = self.call(|session| received = session.receive(now, id, &mut input));
            outputs.extend(told);
            let Some(received) = received else { break };
            let negotiated = self.session.negotiated().expect("routes come while established only");
            assert_eq!(negotiated.connection, id, "and on that connection only");
            if let Received::RouteRefresh(refresh) = received {
                assert!(negotiated.families.contains(refresh.family));
            }
        }
        let incomplete = [MAX_LEN, MAX_EXTENDED_LEN].iter().any(|max| frame(input, *max) == Ok(None));
        assert!(incomplete, "only an incomplete message is left: {input:?}");
        assert!(input.is_empty() || self.holds(id), "nothing is left of a closed connection");
        *unread = input.to_vec();
        outputs
    }

    fn note(&mut self, output: &Output) {
        match output {
            Output::Connect => assert!(!self.session.config().passive),
            Output::Send(id, octets) => {
                assert!(self.open.contains(id), "nothing is sent on a closed connection");
                check_sent(octets);
            }
            Output::Close(id) => assert!(self.open.remove(id), "a connection is closed once"),
            Output::Established(agreed) => {
                assert!(!std::mem::replace(&mut self.established, true), "Established and Down alternate");
                assert!(self.open.contains(&agreed.connection) && !agreed.families.is_empty());
                assert!(agreed.hold_time == 0 || agreed.hold_time >= 3);
                assert!(agreed.keepalive <= Duration::from_secs(u64::from(agreed.hold_time)) / 3);
                self.ups += 1;
            }
            Output::Down(reason) => {
                assert!(std::mem::replace(&mut self.established, false), "Established and Down alternate");
                assert!(!reason.to_string().is_empty());
            }
            Output::Failed(reason) => assert!(!self.established && !reason.to_string().is_empty()),
            Output::StateChanged { from, to } => {
                assert_ne!(from, to);
                assert_eq!(std::mem::replace(&mut self.state, *to), *from);
            }
        }
    }
}

/// What a session writes can be read.
fn check_sent(octets: &[u8]) {
    let message = only_message(octets, MAX_LEN);
    match message.kind {
        MessageType::Open => assert!(Open::parse(message.body).is_ok()),
        MessageType::Notification => assert!(Notification::parse(message.body).is_some()),
        MessageType::Keepalive => {}
        MessageType::Update | MessageType::RouteRefresh => panic!("a session writes no {}", message.kind),
    }
}
