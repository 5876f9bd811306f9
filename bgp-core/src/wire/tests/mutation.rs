//! Every small change to a valid message: what a peer with one fault, or bad intent, sends.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::wire::capability::Offered;
use crate::wire::capability::{
    ExtendedNextHop, GracefulRestart, LabelCount, LongLived, OrfFamily, RestartFamily, Role, SendReceive,
};
use crate::wire::header::{HEADER_LEN, MAX_EXTENDED_LEN, MAX_LEN, write_keepalive, write_message};
use crate::wire::notification::cease;
use crate::wire::orf::{ADDRESS_PREFIX, AddressPrefix, MatchKind, PrefixEntry, WhenToRefresh};
use crate::{Asn, RouterId, V4, V6};

/// Where the length stands in the header.
const LENGTH: std::ops::Range<usize> = 16..18;

/// Every message that comes of one small change to `message`: each octet set to the values at which fields turn over
/// and moved up and down, each pair of octets the same as if it were a length, each octet gone and doubled, and the
/// message cut off anywhere; where the size changes, with the header's length made right and left as it was.
pub(in crate::wire) fn mutants(message: &[u8]) -> Vec<Vec<u8>> {
    let mut mutants = Vec::new();
    for at in 0..message.len() {
        mutants.extend(octets(message[at]).into_iter().map(|octet| spliced(message, at, 1, &[octet])));
        if let [high, low, ..] = message[at..] {
            let pairs = pairs(u16::from_be_bytes([high, low]));
            mutants.extend(pairs.into_iter().map(|pair| spliced(message, at, 2, &pair.to_be_bytes())));
        }
        let resized =
            [spliced(message, at, 1, &[]), spliced(message, at, 0, &[message[at]]), message[..at].to_vec()];
        for mutant in resized {
            mutants.push(with_right_length(mutant.clone()));
            mutants.push(mutant);
        }
    }
    mutants
}

fn octets(octet: u8) -> BTreeSet<u8> {
    let edges = [0, 1, 0x7f, 0x80, 0xff];
    let moved = [1, 2, 4, 8, 16].into_iter().flat_map(|by| [octet.wrapping_add(by), octet.wrapping_sub(by)]);
    edges.into_iter().chain(moved).filter(|other| *other != octet).collect()
}

fn pairs(pair: u16) -> BTreeSet<u16> {
    let edges = [0, 0x7fff, 0x8000, 0xffff];
    let moved = [1, 256].into_iter().flat_map(|by| [pair.wrapping_add(by), pair.wrapping_sub(by)]);
    edges.into_iter().chain(moved).filter(|other| *other != pair).collect()
}

/// `message` with the `len` octets at `at` replaced.
fn spliced(message: &[u8], at: usize, len: usize, octets: &[u8]) -> Vec<u8> {
    [&message[..at], octets, &message[at + len..]].concat()
}

fn with_right_length(mut message: Vec<u8>) -> Vec<u8> {
    if let (Ok(len), Some(field)) = (u16::try_from(message.len()), message.get_mut(LENGTH)) {
        field.copy_from_slice(&len.to_be_bytes());
    }
    message
}

/// Valid messages of all types with all that they may carry, for sessions as [`contexts`] has them.
pub(in crate::wire) fn samples() -> Vec<Vec<u8>> {
    let mut samples = opens();
    samples.extend(updates());
    samples.extend(notifications());
    samples.extend(refreshes());
    samples.push(written(write_keepalive));
    samples
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = Vec::new();
    write(&mut message);
    message
}

fn opens() -> Vec<Vec<u8>> {
    let family = Family::IPV4_UNICAST;
    let orf = vec![OrfFamily { family, types: vec![(64, SendReceive::Both), (128, SendReceive::Send)] }];
    let restart = GracefulRestart {
        restarted: true,
        notification: true,
        restart_time: 120,
        families: BOTH.map(|family| RestartFamily { family, forwarding: true }).to_vec(),
    };
    let long_lived = BOTH.map(|family| LongLived { family, forwarding: true, stale_time: 86_400 }).to_vec();
    let mut capabilities = vec![
        Capability::Multiprotocol(family),
        Capability::RouteRefresh,
        Capability::OutboundRouteFilter(orf),
        Capability::ExtendedNextHop(vec![ExtendedNextHop { family, next_hop_afi: 2 }]),
        Capability::ExtendedMessage,
        Capability::MultipleLabels(vec![LabelCount { family, count: 3 }]),
        Capability::Role(Role::Customer),
        Capability::Role(Role::Customer),
        Capability::GracefulRestart(restart),
        Capability::FourOctetAs(Asn(4_200_000_000)),
        Capability::AddPath(BOTH.map(|family| (family, SendReceive::Both)).to_vec()),
        Capability::EnhancedRouteRefresh,
        Capability::LongLivedGracefulRestart(long_lived),
        Capability::Fqdn { hostname: "node-7".into(), domain: "example".into() },
        Capability::SoftwareVersion("router/1.0".into()),
        Capability::Unknown { code: 222, value: vec![1, 2] },
    ];
    let open = |capabilities: &[Capability]| {
        let router_id = RouterId(0x0a00_0001);
        let open =
            Open { asn: Asn(4_200_000_000), hold_time: 90, router_id, capabilities: capabilities.to_vec() };
        written(|out| open.encode(out))
    };
    let plain = open(&capabilities);
    capabilities.push(Capability::Unknown { code: 223, value: vec![7; 120] });
    let extended = open(&capabilities);
    let mut several = plain[..HEADER_LEN + 9].to_vec();
    several.extend([12, 2, 2, 2, 0, 2, 6, 1, 4, 0, 1, 0, 1]);
    vec![plain, extended, with_right_length(several)]
}

fn updates() -> Vec<Vec<u8>> {
    let communities: &[u8] = &[0xc0, 8, 8, 0xfc, 0, 0, 1, 0xff, 0xff, 0xff, 1];
    let aggregator: &[u8] = &[0xc0, 7, 8, 0, 0, 0xfc, 0, 10, 0, 0, 1];
    let reflected: &[u8] = &[0x80, 9, 4, 10, 0, 0, 2, 0x80, 10, 8, 1, 1, 1, 1, 2, 2, 2, 2];
    let large: &[u8] = &[0xd0, 32, 0, 12, 0, 0, 0xfc, 0, 0, 0, 0, 1, 0, 0, 0, 2];
    let med: &[u8] = &[0x80, 4, 4, 0, 0, 0, 9, 0x40, 5, 4, 0, 0, 0, 100, 0x40, 6, 0];
    let extended: &[u8] = &[0xc0, 16, 8, 0, 2, 0xfc, 0, 0, 0, 0, 1];
    let unknown: &[u8] = &[0xe0, 99, 3, 1, 2, 3];
    let all = [ORIGIN, AS_PATH, NEXT_HOP, med, aggregator, communities, reflected, extended, large, unknown];
    let nlri: &[u8] = &[16, 10, 1, 24, 192, 0, 2, 0, 32, 203, 0, 113, 1];
    let bodies = [
        body(&[16, 10, 2, 8, 11], &all, nlri),
        body(&[], &[MP_REACH, ORIGIN, AS_PATH, communities, MP_UNREACH], &[]),
        body(&[24, 192, 0, 2], &[], &[]),
        body(&[], &[MP_UNREACH], &[]),
        body(&[], &[], &[]),
        body(&[], &[&[0x80, 15, 3, 0, 2, 1]], &[]),
        body(
            &[0, 0, 0, 7, 8, 11],
            &[ORIGIN, AS_PATH, NEXT_HOP],
            &[0, 0, 0, 1, 16, 10, 1, 0, 0, 0, 2, 16, 10, 1],
        ),
    ];
    bodies.map(|body| written(|out| write_message(out, MessageType::Update, |out| out.extend(body)))).to_vec()
}

fn notifications() -> Vec<Vec<u8>> {
    let shutdown = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "back at 14:00");
    let all = [
        Notification::with_data(6, 9, [&[6, 2], &shutdown.data[..]].concat()),
        shutdown,
        Notification::with_data(1, 2, vec![0, 18]),
        Notification::with_data(2, 7, vec![1, 4, 0, 1, 0, 1, 65, 4, 0, 1, 0, 0]),
        Notification::with_data(3, 5, vec![0x50, 3, 0, 1, 10]),
        Notification::with_data(6, 1, vec![0, 1, 1, 0, 0, 1, 0]),
        Notification::new(4, 0),
    ];
    all.map(|notification| written(|out| notification.encode(out))).to_vec()
}

fn refreshes() -> Vec<Vec<u8>> {
    let refresh = |family, subtype| RouteRefresh { family, subtype };
    let entries = |prefix: &str| {
        let prefix = prefix.parse().unwrap();
        let filter = AddressPrefix { kind: MatchKind::Deny, sequence: 5, min_len: 24, max_len: 32, prefix };
        [PrefixEntry::RemoveAll, PrefixEntry::Add(filter), PrefixEntry::Remove(filter)]
    };
    let with_filters = |family, prefix| {
        let (when, entries) = (WhenToRefresh::Immediate, entries(prefix));
        written(|out| {
            refresh(family, RouteRefresh::REQUEST).encode_orf(out, MAX_LEN, when, ADDRESS_PREFIX, entries);
        })
    };
    let mut all: Vec<_> =
        (0..4).map(|subtype| written(|out| refresh(Family::IPV6_UNICAST, subtype).encode(out))).collect();
    all.extend([
        with_filters(Family::IPV4_UNICAST, "10.1.0.0/16"),
        with_filters(Family::IPV6_UNICAST, "2001::/20"),
    ]);
    all
}

/// The sessions in which UPDATEs are read.
fn contexts() -> Vec<DecodeContext> {
    let with_ids = |ctx| DecodeContext { add_path: BOTH.into_iter().collect(), ..ctx };
    vec![context(PeerKind::Internal), two_octet(PeerKind::External), with_ids(context(PeerKind::Internal))]
}

/// Whether `data` is somewhere in `input`.
fn within(data: &[u8], input: &[u8]) -> bool {
    data.is_empty() || input.windows(data.len()).any(|window| window == data)
}

/// Reads `input` as a session does, all of it, and asserts what holds for any input: it is read, waited for, or
/// answered with one NOTIFICATION that has a name and tells nothing but what is in the input. Returns whether it was
/// read, an UPDATE by any of the sessions.
pub(in crate::wire) fn read(input: &[u8]) -> bool {
    let framed = [MAX_LEN, MAX_EXTENDED_LEN].map(|max_len| {
        frame(input, max_len).inspect_err(|refused| {
            assert!(refused.code == Notification::HEADER && refused.subcode > 0, "{refused}");
            assert!(within(&refused.data, input), "{refused}");
        })
    });
    let [_, Ok(Some(message))] = framed else { return false };
    read_body(&message)
}

fn read_body(message: &Frame<'_>) -> bool {
    let body = message.body;
    match message.kind {
        MessageType::Open => read_open(body),
        MessageType::Update => contexts().iter().fold(false, |read, ctx| read | read_update(body, ctx)),
        MessageType::Keepalive => body.is_empty(),
        MessageType::Notification => {
            let read = Notification::parse(body).unwrap();
            assert!(within(&read.data, body) && !read.to_string().is_empty());
            true
        }
        MessageType::RouteRefresh => read_refresh(body),
    }
}

fn read_open(body: &[u8]) -> bool {
    match Open::parse(body) {
        Ok(open) => {
            let offered = Offered(&open.capabilities);
            let _ = (offered.role(), offered.graceful_restart(), offered.long_lived());
            assert!(open.capabilities.iter().all(|capability| !capability.to_string().is_empty()));
            let again = written(|out| open.encode(out));
            let again = frame(&again, MAX_LEN).unwrap().unwrap();
            assert_eq!(Open::parse(again.body), Ok(open));
            true
        }
        Err(refused) => {
            let expected: [(u8, u8, &[u8]); 3] = [(2, 0, &[]), (2, 1, &[0, 4]), (2, 4, &[])];
            assert!(expected.contains(&(refused.code, refused.subcode, &refused.data)), "{refused}");
            false
        }
    }
}

fn read_update(body: &[u8], ctx: &DecodeContext) -> bool {
    let outcome = receive(body, ctx);
    let reset = outcome.treatment == Treatment::ResetSession;
    assert_eq!(outcome.notification.is_some(), reset, "{}", outcome.text());
    assert!(outcome.treatment == Treatment::Accept || !outcome.text().is_empty());
    assert!(outcome.faults.iter().all(|fault| fault.offset <= body.len()));
    if let Some((code, subcode, data)) = outcome.notification {
        assert!(code == Notification::UPDATE && (1..=11).contains(&subcode), "{subcode}");
        // The type code of a missing attribute is the one thing that is not in the message.
        assert!(subcode == 3 && data.len() == 1 || within(&data, body), "{}", outcome.faults[0]);
    }
    if let Ok(view) = UpdateView::parse(body, ctx) {
        assert!(view.withdrawn().count() + view.announced().count() <= body.len());
        let reach = view.mp_reach().map_or(0, |mp| mp.nlri_of::<V4>().count() + mp.nlri_of::<V6>().count());
        let unreach =
            view.mp_unreach().map_or(0, |mp| mp.nlri_of::<V4>().count() + mp.nlri_of::<V6>().count());
        assert!(reach + unreach <= body.len());
    }
    !reset
}

fn read_refresh(body: &[u8]) -> bool {
    let whole = written(|out| write_message(out, MessageType::RouteRefresh, |out| out.extend(body)));
    let refused = |refused: Notification| {
        assert_eq!((refused.code, refused.subcode, refused.data), (7, 1, whole.clone()));
        false
    };
    let refresh = match RouteRefresh::parse(body) {
        Ok(refresh) => refresh,
        Err(notification) => return refused(notification),
    };
    assert!(!refresh.to_string().is_empty());
    match RouteRefresh::orf(body) {
        Ok(None) => true,
        Ok(Some(orf)) => orf.groups().all(|group| match group.prefixes(refresh.family) {
            Ok(entries) => {
                let octets: usize = entries.map(|entry| written(|out| entry.encode(out)).len()).sum();
                octets == group.entries.len()
            }
            Err(error) => error.to_string().is_empty(),
        }),
        Err(notification) => refused(notification),
    }
}

#[test]
fn every_sample_is_read_and_all_types_are_among_them() {
    let mut kinds = BTreeSet::new();
    for sample in samples() {
        assert!(read(&sample), "{sample:02x?}");
        let message = frame(&sample, MAX_LEN).unwrap().unwrap();
        kinds.insert(message.kind);
        let accepted = |ctx: &DecodeContext| receive(message.body, ctx).treatment == Treatment::Accept;
        assert!(message.kind != MessageType::Update || contexts().iter().any(accepted), "{sample:02x?}");
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), MessageType::ALL);
}

#[test]
fn every_mutant_of_every_message_is_read_or_answered_once() {
    for sample in samples() {
        let mutants = mutants(&sample);
        assert!(mutants.len() >= sample.len() * 10);
        let read = mutants.iter().filter(|mutant| read(mutant)).count();
        assert!(read < mutants.len());
    }
}

#[test]
fn a_mutant_differs_in_one_place() {
    let message = written(write_keepalive);
    let mutants = mutants(&message);
    assert!(mutants.iter().all(|mutant| *mutant != message));
    for wanted in [&message[..18], &[&message[..], &[4]].concat(), &spliced(&message, 17, 1, &[20])] {
        assert!(mutants.iter().any(|mutant| mutant == wanted), "{wanted:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_message_changed_in_several_places_is_read_or_answered_once(
        sample: prop::sample::Index, changes in prop::collection::vec(any::<prop::sample::Index>(), 2..5),
    ) {
        let samples = samples();
        let mut message = samples[sample.index(samples.len())].clone();
        for change in changes {
            let mut mutants = mutants(&message);
            if mutants.is_empty() {
                break;
            }
            message = mutants.swap_remove(change.index(mutants.len()));
            read(&message);
        }
    }
}
