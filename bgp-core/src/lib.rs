//! BGP-4 codec and session state machine, without I/O, clock or runtime.
//!
//! ```text
//!                 ┌───────────────────────────── bgp-core ─────────────────────────────┐
//!  octets ───────►│ fsm                                wire                            │
//!  TCP up, down ─►│  Session, its states as a table ◄─► header, open, capability,      │──► what to send
//!  now ──────────►│  timers, back-off, collisions       notification, refresh, orf     │──► Established, Down
//!                 │  what was negotiated                   UpdateView ► AttributeBlock │──► UPDATEs for the RIB
//!                 │  graceful restart, roles               rules: RFC 7606 as a table  │──► when to call again
//!                 │                                        nlri: 12 families           │
//!                 │ describe                               community, as_path, tunnels │
//!                 │  any message as text and JSON       encode ◄ destinations          │
//!                 │                                                                    │
//!                 │ Asn RouterId ClusterId Family FamilySet Prefix PathId Instant      │
//!                 └────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The three parts can be used apart: [`wire`] needs no session and holds no state, [`fsm`] passes the bodies of
//! UPDATEs on unread, and [`describe`] takes octets from wherever they are.
//!
//! | to | begin at |
//! |---|---|
//! | read messages | [`wire::frame`], then [`wire::UpdateView`] |
//! | write UPDATEs | [`wire::encode`] |
//! | hold a session | [`Session`], below |
//! | show what was captured | [`describe::describe`] |
//!
//! Its user owns the sockets and the clock: it hands in what was read and what time it is, does what
//! [`poll_output`](fsm::Session::poll_output) asks for, and comes back at
//! [`next_timeout`](fsm::Session::next_timeout). So the same code runs under any runtime, and in a simulation where a
//! seed replays every timer.
//!
//! Two sessions that talk in memory:
//!
//! ```
//! use bgp_core::fsm::{ConnectionId, Direction, Output, Session, SessionConfig, State};
//! use bgp_core::{Asn, Instant, RouterId};
//!
//! let speaker = |id| SessionConfig::new(Asn(64512), RouterId(id), Some(Asn(64512)));
//! let mut client = Session::new(speaker(1), /* seed */ 1);
//! let mut server = Session::new(SessionConfig { passive: true, ..speaker(2) }, 2);
//!
//! let now = Instant::ZERO;
//! client.start(now);
//! server.start(now);
//! assert_eq!(client.poll_output(), Some(Output::Connect));
//! let connection = ConnectionId(1);
//! client.connected(now, connection, Direction::Outgoing);
//! server.connected(now, connection, Direction::Incoming);
//!
//! /// Carries what one side sends to the other; returns whether there was anything.
//! fn deliver(now: Instant, from: &mut Session, to: &mut Session) -> bool {
//!     let mut sent = false;
//!     while let Some(output) = from.poll_output() {
//!         match output {
//!             Output::Send(connection, octets) => {
//!                 sent = true;
//!                 from.sent(now, false);
//!                 let mut input = &octets[..];
//!                 while let Some(routes) = to.receive(now, connection, &mut input) {
//!                     println!("for the RIB: {routes:?}");
//!                 }
//!             }
//!             Output::Established(agreed) => println!("up for {} s of silence", agreed.hold_time),
//!             other => println!("{other:?}"),
//!         }
//!     }
//!     sent
//! }
//! while deliver(now, &mut client, &mut server) | deliver(now, &mut server, &mut client) {}
//!
//! assert_eq!(client.state(), State::Established);
//! assert_eq!(server.state(), State::Established);
//! assert!(client.next_timeout().is_some(), "the next KEEPALIVE");
//! ```
//!
//! Nothing that a peer sends can make this crate panic: see [below](#what-broke-others-and-how-it-is-avoided-here).
//!
//! # Where to find what
//!
//! | RFC | what | where |
//! |---|---|---|
//! | 1997 | communities | [`Community`](wire::Community) |
//! | 2918 | ROUTE-REFRESH | [`RouteRefresh`](wire::RouteRefresh), [`Received::RouteRefresh`](fsm::Received::RouteRefresh) |
//! | 4271 | messages, their header | [`frame`](wire::frame), [`wire::header`] |
//! | 4271 | OPEN, UPDATE, NOTIFICATION | [`Open`](wire::Open), [`UpdateView`](wire::UpdateView), [`Notification`] |
//! | 4271 | path attributes | [`AttributeBlock`](wire::AttributeBlock), [`Attributes`](wire::Attributes), [`PathAttribute`](wire::PathAttribute) |
//! | 4271 | the state machine, as a table | [`Session`], [`fsm::table`] |
//! | 4360, 5668 | extended communities | [`ExtendedCommunity`](wire::ExtendedCommunity), [`Administrator`](wire::community::Administrator) |
//! | 4364, 4659 | prefixes of VPNs | [`VpnPrefix`](wire::VpnPrefix), [`RouteDistinguisher`](wire::RouteDistinguisher) |
//! | 4456 | ORIGINATOR_ID, CLUSTER_LIST | [`PathAttribute`](wire::PathAttribute), [`ClusterId`] |
//! | 4486, 9384 | subcodes of Cease | [`notification::cease`](wire::notification::cease) |
//! | 4684 | route target membership | [`RouteTargetMembership`](wire::RouteTargetMembership) |
//! | 4724, 8538 | graceful restart | [`GracefulRestart`](wire::capability::GracefulRestart), [`PeerRestart`](fsm::PeerRestart), [`end_of_rib`](wire::encode::end_of_rib) |
//! | 4760 | families, MP_REACH_NLRI, MP_UNREACH_NLRI | [`Family`], [`MpReach`](wire::MpReach), [`MpUnreach`](wire::MpUnreach), [`NextHop`](wire::NextHop) |
//! | 5065 | segments of a confederation | [`SegmentKind`](wire::SegmentKind) |
//! | 5291, 5292 | outbound route filters | [`Orf`](wire::Orf), [`AddressPrefix`](wire::orf::AddressPrefix) |
//! | 5492, 9072 | capabilities, extended parameters | [`Capability`](wire::Capability), [`Offered`](wire::capability::Offered), [`Open::parse`](wire::Open::parse) |
//! | 5701 | IPv6 extended communities | [`Ipv6ExtendedCommunity`](wire::Ipv6ExtendedCommunity) |
//! | 6286 | the BGP Identifier | [`RouterId`], [`wire::notification::open_error::BAD_IDENTIFIER`] |
//! | 6514 | PMSI Tunnel | [`PmsiTunnel`](wire::PmsiTunnel) |
//! | 6608 | subcodes of the state machine's errors | [`notification::fsm_error`](wire::notification::fsm_error) |
//! | 6793 | four-octet AS numbers | [`Asn`], [`AsWidth`](wire::AsWidth), [`AttributeBlock::check`](wire::AttributeBlock::check) |
//! | 7311 | AIGP | [`Aigp`](wire::Aigp) |
//! | 7313 | enhanced ROUTE-REFRESH | [`RouteRefresh::BEGIN`](wire::RouteRefresh::BEGIN), [`SessionConfig::enhanced_refresh`] |
//! | 7432, 9136 | routes of an Ethernet VPN | [`EvpnRoute`](wire::nlri::evpn::EvpnRoute) |
//! | 7606 | what a malformed UPDATE leads to | [`Treatment`](wire::Treatment), [`Fault`](wire::Fault), [`wire::rules`] |
//! | 7607 | AS number 0 | [`FaultKind::AsZero`](wire::FaultKind::AsZero) |
//! | 7911 | several paths to a destination | [`PathId`], [`SessionConfig::add_path_receive`] |
//! | 7999, 8326 | BLACKHOLE, GRACEFUL_SHUTDOWN | [`Community`](wire::Community) |
//! | 8092 | large communities | [`LargeCommunity`](wire::LargeCommunity) |
//! | 8277 | prefixes with labels | [`LabeledPrefix`](wire::LabeledPrefix), [`LabelForm`](wire::LabelForm) |
//! | 8654 | long messages | [`MAX_EXTENDED_LEN`](wire::header::MAX_EXTENDED_LEN), [`Negotiated::max_message_len`](fsm::Negotiated::max_message_len) |
//! | 8669 | BGP Prefix-SID | [`PrefixSid`](wire::PrefixSid) |
//! | 8950 | IPv6 next hops for IPv4 | [`NextHop`](wire::NextHop), [`SessionConfig::extended_next_hop`] |
//! | 8955, 8956 | flow specifications and their actions | [`FlowSpec`](wire::nlri::flowspec::FlowSpec), [`Extended`](wire::community::Extended) |
//! | 9003 | the text of a shutdown | [`Notification::cease`], [`Notification::shutdown_text`] |
//! | 9012, before it 5512 | Tunnel Encapsulation, Color | [`TunnelEncapsulation`](wire::TunnelEncapsulation), [`Color`](wire::community::Color) |
//! | 9234 | roles, Only to Customer | [`Role`](fsm::Role), [`SessionConfig::role`], [`PathAttribute::OnlyToCustomer`](wire::PathAttribute::OnlyToCustomer) |
//! | 9494 | long-lived graceful restart | [`LongLived`](wire::capability::LongLived), [`PeerRestart::long_lived`](fsm::PeerRestart::long_lived) |
//! | 9687 | the send hold timer | [`Session::queued`], [`Session::sent`] |
//!
//! # What is left to the user
//!
//! This crate reads, checks and writes, and keeps sessions. What to do with a route it does not say:
//!
//! - *Policy and decision.* No table of routes, no best path, no reflection: `bgp-rib` has these. Hence also no loop
//!   check, no Only to Customer procedures (RFC 9234 section 5), no AIGP in the decision, no validation of flow
//!   specifications (RFC 8955 section 6), and no filtering by route targets (RFC 4684) or by outbound route filters.
//! - *Restart timers.* The session says [whether routes may be kept](fsm::Negotiated::retains) and for how long;
//!   keeping and flushing them is the user's. So is closing what a treatment asks for: the session is told by
//!   [`Session::reset`].
//! - *Never offered by a [`Session`]*, though read and written: outbound route filters (RFC 5291), several labels
//!   before a prefix (RFC 8277 section 2.1), host name and software version.
//! - *Confederations.* Their segments are read and counted as RFC 5065 has it, but a session is internal or external: a
//!   confederation's segment from an external peer is a fault.
//! - *Below BGP.* TCP, its MD5 and GTSM, listening and BFD.
//! - *Families and attributes that are not in the lists*: a family that is none of [`Family::KNOWN`] is ignored, an
//!   attribute without a [rule](wire::attribute_rules) is passed on if it is transitive, else dropped.
//!
//! # What broke others, and how it is avoided here
//!
//! Almost every crash on record of a BGP speaker is one of a few kinds. Each has a rule here that holds everywhere:
//!
//! | what broke | the rule |
//! |---|---|
//! | a length that reaches past what holds it | One cursor does all reading, and each nested element is read from a slice of its own. Slices are never indexed: a lint denies it. |
//! | a loop that a length of zero keeps in place | Each turn takes at least one octet or ends. |
//! | a length field that underflows | Subtractions are checked; tests run with overflow checks. |
//! | nesting without bound | Nothing recurses. A Hard Reset within a Hard Reset is shown as octets. |
//! | two parsers that disagree | There is one: decoding, checking, showing and sending on use the same readers. |
//! | memory echoed to the peer | What a NOTIFICATION says of an attribute is a slice of what was received. |
//! | a text from the peer taken as it is | Lengths are bounded, and `Display` escapes. |
//! | an UPDATE with a fault taken for another (End-of-RIB, a withdrawal) | A fault is judged before the UPDATE's meaning is. |
//! | an error path that nobody had ever run | Every row of the [RFC 7606 tables](wire::rules) is a test, and every message is cut and changed at every octet. |
//!
//! Each input on record is kept as a test in `tests/known_attacks`, named by its CVE or issue; what is right
//! instead is asserted there. The fuzz targets (`fuzz/`) assert the same rules for inputs that nobody has sent yet.

pub mod describe;
pub mod family;
pub mod fsm;
mod instant;
pub mod link_local;
pub mod prefix;
mod types;
pub mod wire;

pub use family::{AddressFamily, Family, FamilySet, V4, V6};
pub use fsm::{Session, SessionConfig};
pub use instant::Instant;
pub use prefix::{Ipv4Prefix, Ipv6Prefix, Prefix};
pub use types::{Asn, ClusterId, PathId, PeerKind, RouterId};
pub use wire::Notification;
