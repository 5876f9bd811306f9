//! Random events in every state: nothing panics, and what always holds is checked after each.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::pair::{shutdown, speaker};
use super::solo::{keepalive, open_message, open_of};
use crate::wire::capability::{ExtendedNextHop, GracefulRestart, LongLived, RestartFamily, SendReceive};
use crate::wire::header::write_message;
use crate::wire::{Capability, MessageType};
use crate::{Asn, Family, FamilySet};

/// More than any one call may add.
const MOST_OUTPUTS: usize = 12;

#[derive(Clone, Debug)]
enum Event {
    Start,
    Stop,
    StopSilently,
    Configure(Box<SessionConfig>),
    Connected(u64, bool),
    ConnectFailed,
    Disconnected(u64),
    Hear(u64, Vec<Message>),
    Reset,
    Sent(bool),
    UpdateWritten,
    Wait(u64, bool),
    Timeout(bool),
}

#[derive(Clone, Debug)]
enum Message {
    Open(u32),
    OpenWithoutRestart(u32),
    /// With these capabilities too, from this AS.
    OpenWith(u32, u32, Vec<Capability>),
    Keepalive,
    Update,
    Refresh(u8),
    Cease,
    Fault,
    Octets(Vec<u8>),
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Message::Open(id) => return open_of(&speaker(*id)),
            Message::OpenWithoutRestart(id) => {
                return open_of(&SessionConfig { graceful_restart: None, ..speaker(*id) });
            }
            Message::OpenWith(id, asn, capabilities) => {
                let mut open = negotiate::our_open(&speaker(*id));
                open.asn = Asn(*asn);
                open.capabilities.retain(|capability| !matches!(capability, Capability::FourOctetAs(_)));
                open.capabilities.extend(capabilities.iter().cloned());
                return open_message(&open);
            }
            Message::Keepalive => return keepalive(),
            Message::Octets(octets) => return octets.clone(),
            Message::Update => write_message(&mut bytes, MessageType::Update, |out| out.extend([0; 4])),
            Message::Refresh(subtype) => {
                write_message(&mut bytes, MessageType::RouteRefresh, |out| out.extend([0, 1, *subtype, 1]))
            }
            Message::Cease => Notification::new(6, 2).encode(&mut bytes),
            Message::Fault => Notification::new(2, 2).encode(&mut bytes),
        }
        bytes
    }
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::IPV4_UNICAST), Just(Family::IPV6_UNICAST), Just(Family { afi: 25, safi: 70 })]
}

fn restart() -> impl Strategy<Value = GracefulRestart> {
    let families = proptest::collection::vec((family(), any::<bool>()), 0..3);
    (any::<bool>(), any::<bool>(), 0u16..4096, families).prop_map(
        |(restarted, notification, restart_time, families)| GracefulRestart {
            restarted,
            notification,
            restart_time,
            families: families
                .into_iter()
                .map(|(family, forwarding)| RestartFamily { family, forwarding })
                .collect(),
        },
    )
}

fn long_lived() -> impl Strategy<Value = Vec<LongLived>> {
    let entry = (family(), any::<bool>(), 0u32..1 << 24);
    proptest::collection::vec(
        entry.prop_map(|(family, forwarding, stale_time)| LongLived { family, forwarding, stale_time }),
        0..3,
    )
}

fn capability() -> impl Strategy<Value = Capability> {
    let mode = prop_oneof![Just(SendReceive::Receive), Just(SendReceive::Send), Just(SendReceive::Both)];
    let next_hop =
        (family(), 1u16..3).prop_map(|(family, next_hop_afi)| vec![ExtendedNextHop { family, next_hop_afi }]);
    prop_oneof![
        (0u8..6).prop_map(|code| Capability::Role(crate::wire::capability::Role::from_code(code))),
        restart().prop_map(Capability::GracefulRestart),
        long_lived().prop_map(Capability::LongLivedGracefulRestart),
        proptest::collection::vec((family(), mode), 0..4).prop_map(Capability::AddPath),
        next_hop.prop_map(Capability::ExtendedNextHop),
        Just(Capability::EnhancedRouteRefresh),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        4 => (0u32..12).prop_map(Message::Open),
        2 => (0u32..12).prop_map(Message::OpenWithoutRestart),
        4 => (
            0u32..12,
            prop_oneof![3 => Just(64512), 2 => Just(64513), 1 => Just(23456)],
            proptest::collection::vec(capability(), 0..5),
        ).prop_map(|(id, asn, capabilities)| Message::OpenWith(id, asn, capabilities)),
        6 => Just(Message::Keepalive),
        2 => Just(Message::Update),
        2 => (0u8..4).prop_map(Message::Refresh),
        1 => Just(Message::Cease),
        1 => Just(Message::Fault),
        1 => proptest::collection::vec(any::<u8>(), 0..30).prop_map(Message::Octets),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let id = 0u64..6;
    prop_oneof![
        2 => Just(Event::Start),
        1 => Just(Event::Stop),
        1 => Just(Event::StopSilently),
        1 => config().prop_map(|config| Event::Configure(Box::new(config))),
        8 => (id.clone(), any::<bool>()).prop_map(|(id, outgoing)| Event::Connected(id, outgoing)),
        2 => Just(Event::ConnectFailed),
        2 => id.clone().prop_map(Event::Disconnected),
        12 => (id, proptest::collection::vec(message(), 1..4)).prop_map(|(id, m)| Event::Hear(id, m)),
        1 => Just(Event::Reset),
        2 => any::<bool>().prop_map(Event::Sent),
        1 => Just(Event::UpdateWritten),
        3 => (0u64..100_000, any::<bool>()).prop_map(|(millis, unread)| Event::Wait(millis, unread)),
        3 => any::<bool>().prop_map(Event::Timeout),
    ]
}

fn role() -> impl Strategy<Value = Option<Role>> {
    prop_oneof![Just(None), Just(Some(Role::Provider)), Just(Some(Role::Peer))]
}

fn families() -> impl Strategy<Value = FamilySet> {
    proptest::collection::vec(family(), 0..3).prop_map(FamilySet::from_iter)
}

/// What is said in the OPEN.
fn offers() -> impl Strategy<Value = SessionConfig> {
    (
        proptest::option::of(restart()),
        proptest::option::of(long_lived()),
        [families(), families(), families()],
        role(),
        any::<[bool; 3]>(),
        prop_oneof![Just(0u16), Just(3), Just(90)],
        any::<bool>(),
    )
        .prop_map(|(graceful_restart, long_lived, families, role, flags, hold_time, dynamic)| {
            let [add_path_receive, add_path_send, extended_next_hop] = families;
            let [extended_message, enhanced_refresh, strict_role] = flags;
            let base = speaker(6);
            SessionConfig {
                graceful_restart,
                long_lived,
                add_path_receive,
                add_path_send,
                extended_next_hop,
                extended_message,
                enhanced_refresh,
                role,
                strict_role,
                hold_time,
                peer_as: base.peer_as.filter(|_| !dynamic),
                ..base
            }
        })
}

fn config() -> impl Strategy<Value = SessionConfig> {
    let delay_open = proptest::option::of((0..30u64).prop_map(Duration::from_secs));
    let connect_retry = prop_oneof![Just(5u64), 0u64..200];
    (offers(), any::<bool>(), connect_retry, delay_open, 0u16..2).prop_map(
        |(offers, passive, connect_retry, delay_open, send_hold)| SessionConfig {
            passive,
            connect_retry: Duration::from_secs(connect_retry),
            delay_open,
            send_hold_time: Some(send_hold * 10).filter(|time| *time > 0),
            ..offers
        },
    )
}

/// A session and what its outputs so far have promised.
struct Watched {
    session: Session,
    now: Instant,
    /// Connections that were given to the session and not closed by it or the peer.
    open: BTreeSet<ConnectionId>,
    /// Numbers are used once: this is the next one of each slot.
    generations: [u64; 6],
    established: bool,
    state: State,
}

impl Watched {
    fn id(&self, slot: u64) -> ConnectionId {
        ConnectionId(self.generations[slot as usize] * 6 + slot)
    }

    fn apply(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Start => self.session.start(now),
            Event::Stop => self.session.stop(now, shutdown()),
            Event::StopSilently => self.session.stop_silently(now),
            Event::Configure(config) => self.session.set_config(now, (**config).clone()),
            Event::Connected(slot, outgoing) => {
                if self.open.contains(&self.id(*slot)) {
                    return;
                }
                self.generations[*slot as usize] += 1;
                let id = self.id(*slot);
                self.open.insert(id);
                let direction = if *outgoing { Direction::Outgoing } else { Direction::Incoming };
                self.session.connected(now, id, direction);
            }
            Event::ConnectFailed => self.session.connect_failed(now),
            Event::Disconnected(slot) => {
                self.open.remove(&self.id(*slot));
                self.session.disconnected(now, self.id(*slot));
            }
            Event::Hear(slot, messages) => self.hear(*slot, messages),
            Event::Reset => self.session.reset(now, Notification::new(3, 1)),
            Event::Sent(pending) => self.session.sent(now, *pending),
            Event::UpdateWritten => self.session.update_written(now),
            Event::Wait(millis, unread) => {
                self.now += Duration::from_millis(*millis);
                self.timeout(*unread);
            }
            Event::Timeout(unread) => {
                self.now = self.session.next_timeout().map_or(now, |next| next.max(now));
                self.timeout(*unread);
            }
        }
    }

    fn hear(&mut self, slot: u64, messages: &[Message]) {
        let bytes: Vec<u8> = messages.iter().flat_map(Message::bytes).collect();
        let mut input = &bytes[..];
        while let Some(received) = self.session.receive(self.now, self.id(slot), &mut input) {
            assert_eq!(self.session.state(), State::Established, "routes come while established only");
            let agreed = self.session.negotiated().unwrap();
            assert_eq!(agreed.connection, self.id(slot));
            if let Received::RouteRefresh(refresh) = received {
                assert!(refresh.subtype == 0 || (agreed.enhanced_refresh && refresh.subtype < 3));
            }
        }
    }

    fn timeout(&mut self, unread: bool) {
        self.session.handle_timeout(self.now, unread);
        let next = self.session.next_timeout();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is not after {}", self.now);
    }

    fn check(&mut self) {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.session.poll_output()).collect();
        assert!(outputs.len() <= MOST_OUTPUTS, "{outputs:?}");
        for output in outputs {
            self.note(output);
        }
        assert_eq!(self.state, self.session.state(), "every change of state is told");
        assert_eq!(self.established, self.session.negotiated().is_some());
        let held: BTreeSet<ConnectionId> = self.session.connections.iter().map(|c| c.id).collect();
        assert_eq!(held, self.open, "every connection is held or closed");
        assert!(held.len() <= 2, "no more than two connections");
        let established = self.session.connections.iter().filter(|c| c.is_established()).count();
        assert!(established <= 1, "no more than one is established");
    }

    fn note(&mut self, output: Output) {
        match output {
            Output::Connect => assert!(!self.session.config.passive && self.session.enabled),
            Output::Send(id, bytes) => {
                assert!(self.open.contains(&id), "nothing is sent on a closed connection");
                assert!((19..=4096).contains(&bytes.len()));
            }
            Output::Close(id) => assert!(self.open.remove(&id), "a connection is closed once"),
            Output::Established(agreed) => {
                assert!(!std::mem::replace(&mut self.established, true));
                check_agreed(&agreed);
            }
            Output::Down(_) => assert!(std::mem::replace(&mut self.established, false)),
            Output::Failed(reason) => {
                assert!(!self.established);
                assert!(!reason.to_string().is_empty() && !reason.label().is_empty());
            }
            Output::StateChanged { from, to } => {
                assert_eq!(std::mem::replace(&mut self.state, to), from);
                assert_ne!(from, to);
            }
        }
    }
}

/// Nothing is agreed on for a family that the session does not have.
fn check_agreed(agreed: &Negotiated) {
    let within = |families: FamilySet| families.intersection(agreed.families) == families;
    assert!(!agreed.families.is_empty());
    assert!(within(agreed.add_path_receive) && within(agreed.add_path_send));
    assert!(within(agreed.extended_next_hop));
    assert!(!agreed.retains(&DownReason::AdminDown));
    if let Some(restart) = &agreed.restart {
        assert!(within(restart.families) && within(restart.long_lived.iter().map(|e| e.family).collect()));
        assert_eq!(restart.forwarding.intersection(restart.families), restart.forwarding);
        assert!(restart.restart_time <= Duration::from_secs(4095));
    }
    assert!(agreed.peer_role.is_none() || agreed.kind == crate::PeerKind::External);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_state_the_promises_hold(
        config in config(),
        seed in any::<u64>(),
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut watched = Watched {
            session: Session::new(config, seed),
            now: Instant::ZERO,
            open: BTreeSet::new(),
            generations: [0; 6],
            established: false,
            state: State::Idle,
        };
        watched.session.start(Instant::ZERO);
        watched.check();
        for event in &events {
            watched.apply(event);
            watched.check();
        }
    }
}
