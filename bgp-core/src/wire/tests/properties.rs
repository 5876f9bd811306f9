//! What holds for any input.

mod faults;
mod messages;

use std::net::Ipv6Addr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::{AddressFamily, Asn, ClusterId, PathId, RouterId, V4, V6};

fn any_context() -> impl Strategy<Value = DecodeContext> {
    (any::<bool>(), any::<bool>(), 0..4usize, 0..4usize).prop_map(
        |(external, four_octet_as, families, add_path)| {
            let set = |bits: usize| {
                BOTH.into_iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, f)| f).collect()
            };
            let kind = if external { PeerKind::External } else { PeerKind::Internal };
            DecodeContext {
                four_octet_as,
                add_path: set(add_path),
                ..DecodeContext::new(kind, set(families))
            }
        },
    )
}

/// Attributes that look like ones, with lengths that are often right.
fn rough_attribute() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![Just(0x40u8), Just(0x80), Just(0xc0), Just(0xe0), Just(0xd0), any::<u8>()];
    let value = prop_oneof![vec(any::<u8>(), 0..40), vec(0..4u8, 0..40), Just(MP_REACH[3..].to_vec())];
    let code = prop_oneof![0..41u8, any::<u8>()];
    let off_by_one = prop_oneof![3 => Just(0u16), 1 => Just(1)];
    (flags, code, value, off_by_one).prop_map(|(flags, code, value, off)| {
        let len = u16::try_from(value.len()).unwrap() + off;
        let mut out = vec![flags, code];
        if flags & flag::EXTENDED_LENGTH == 0 {
            out.push(u8::try_from(len).unwrap());
        } else {
            out.extend(len.to_be_bytes());
        }
        out.extend(value);
        out
    })
}

fn rough_body() -> impl Strategy<Value = Vec<u8>> {
    let structured = (vec(0..34u8, 0..20), vec(rough_attribute(), 0..8), vec(0..34u8, 0..20)).prop_map(
        |(withdrawn, attributes, nlri)| {
            let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
            body(&withdrawn, &attributes, &nlri)
        },
    );
    prop_oneof![vec(any::<u8>(), 0..200), structured]
}

fn v4() -> impl Strategy<Value = <V4 as AddressFamily>::Prefix> {
    (any::<u32>(), 0..=32u8).prop_map(|(bits, len)| crate::Ipv4Prefix::new(bits.into(), len).unwrap())
}

fn v6() -> impl Strategy<Value = <V6 as AddressFamily>::Prefix> {
    (any::<u128>(), 0..=128u8).prop_map(|(bits, len)| crate::Ipv6Prefix::new(bits.into(), len).unwrap())
}

fn segments() -> impl Strategy<Value = Vec<AsSegment>> {
    let kind = (1..=4u8).prop_map(|code| SegmentKind::from_code(code).unwrap());
    let segment =
        (kind, vec(any::<u32>().prop_map(Asn), 1..=255)).prop_map(|(kind, asns)| AsSegment { kind, asns });
    vec(segment, 0..4)
}

fn attribute() -> impl Strategy<Value = PathAttribute> {
    let router = any::<u32>().prop_map(RouterId);
    let asn = any::<u32>().prop_map(Asn);
    let octets = vec(any::<u8>(), 0..300);
    prop_oneof![
        (0..3u8).prop_map(|code| PathAttribute::Origin(Origin::from_code(code).unwrap())),
        segments().prop_map(PathAttribute::AsPath),
        segments().prop_map(PathAttribute::As4Path),
        any::<u32>().prop_map(|bits| PathAttribute::NextHop(bits.into())),
        any::<u32>().prop_map(PathAttribute::MultiExitDisc),
        any::<u32>().prop_map(PathAttribute::LocalPref),
        Just(PathAttribute::AtomicAggregate),
        (asn.clone(), router.clone()).prop_map(|(asn, router)| PathAttribute::Aggregator { asn, router }),
        (asn, router.clone()).prop_map(|(asn, router)| PathAttribute::As4Aggregator { asn, router }),
        router.prop_map(PathAttribute::OriginatorId),
        vec(any::<u32>().prop_map(Community), 0..100).prop_map(PathAttribute::Communities),
        vec(any::<u32>().prop_map(ClusterId), 0..100).prop_map(PathAttribute::ClusterList),
        vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..50).prop_map(PathAttribute::ExtendedCommunities),
        vec(any::<[u8; 12]>().prop_map(LargeCommunity::from_octets), 0..50)
            .prop_map(PathAttribute::LargeCommunities),
        (vec(any::<u8>(), 0..48), octets.clone()).prop_map(|(next_hop, nlri)| PathAttribute::MpReach {
            family: BOTH[1],
            next_hop,
            nlri
        }),
        octets.clone().prop_map(|nlri| PathAttribute::MpUnreach { family: BOTH[1], nlri }),
        values::compound(),
        (any::<u8>(), 41..=255u8, octets).prop_map(|(flags, code, value)| PathAttribute::Unknown {
            flags: flags & 0xef,
            code,
            value
        }),
    ]
}

fn reach<F: AddressFamily>(view: &UpdateView<'_>) -> Vec<(PathId, F::Prefix)> {
    view.mp_reach().into_iter().flat_map(|reach| reach.nlri_of::<F>()).collect()
}

/// Each message's UPDATE body.
pub(super) fn bodies(mut bytes: &[u8], max_len: usize) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while let Some(message) = frame(bytes, max_len).unwrap() {
        bodies.push(message.body);
        bytes = &bytes[message.len..];
    }
    assert!(bytes.is_empty());
    bodies
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_input_panics_and_a_canonical_block_is_a_fixed_point(bytes in rough_body(), ctx in any_context()) {
        let outcome = receive(&bytes, &ctx);
        prop_assert!(outcome.treatment != Treatment::Accept || outcome.faults.is_empty());
        let _ = outcome.text();
        if let Ok(view) = UpdateView::parse(&bytes, &ctx) {
            let _ = (view.withdrawn().count(), view.announced().count(), reach::<V4>(&view), reach::<V6>(&view));
        }
        let usage = if Attributes::new(&outcome.block).next_hop().is_some() { BlockUse::Announce } else { BlockUse::MpReach };
        if !outcome.block.is_empty() {
            let mut again = Vec::new();
            let four = DecodeContext { four_octet_as: true, ..ctx };
            let checked = AttributeBlock::new(&outcome.block).check(&four, usage, &mut again);
            prop_assert_eq!(checked.treatment, Treatment::Accept);
            prop_assert_eq!(&again, &outcome.block);
            prop_assert_eq!(checked.summary, outcome.summary);
            prop_assert_eq!(Summary::of(Attributes::new(&again)), outcome.summary);
        }
    }

    #[test]
    fn destinations_are_listed_whenever_the_update_is_not_refused(bytes in rough_body(), ctx in any_context()) {
        if let Ok(view) = UpdateView::parse(&bytes, &ctx) {
            let field = |octets: &[u8], add_path| Nlri::<V4>::new(octets, add_path).map(Iterator::count);
            if let Some(reach) = view.mp_reach().filter(|reach| reach.family == BOTH[0]) {
                let count = field(reach.nlri, ctx.add_path.contains(BOTH[0]));
                prop_assert_eq!(count, Ok(reach.nlri_of::<V4>().count()));
            }
        }
    }

    #[test]
    fn a_typed_attribute_comes_back_as_it_was_encoded(attribute in attribute()) {
        let mut out = Vec::new();
        attribute.encode(&mut out);
        let raw = Attributes::new(&out).iter().next().unwrap();
        prop_assert_eq!(raw.whole.len(), out.len());
        prop_assert_eq!(PathAttribute::from_raw(&raw, AsWidth::Four), attribute);
    }

    #[test]
    fn any_value_of_any_attribute_has_a_typed_form(code: u8, value in vec(any::<u8>(), 0..60), four: bool) {
        let raw = RawAttribute { flags: 0xc0, code, value: &value, whole: &[] };
        let width = if four { AsWidth::Four } else { AsWidth::Two };
        prop_assert!(PathAttribute::from_raw(&raw, width).code() == code);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ipv4_routes_come_back_and_messages_are_full(
        prefixes in vec(v4(), 0..3000), ids: bool, padding in 0..3000u16, extended: bool,
    ) {
        let max_len = if extended { header::MAX_EXTENDED_LEN } else { header::MAX_LEN };
        let mut attributes = [ORIGIN, AS_PATH, NEXT_HOP, &[0xf0, 99]].concat();
        attributes.extend(padding.to_be_bytes());
        attributes.resize(attributes.len() + usize::from(padding), 7);
        let routes: Vec<_> = (1..).map(|id| ids.then_some(PathId(id))).zip(prefixes).collect();
        let mut out = Vec::new();
        let messages =
            encode::announce::<V4>(&mut out, max_len, &attributes, [10, 0, 0, 1].into(), routes.clone()).unwrap();
        let mut ctx = context(PeerKind::External);
        ctx.add_path = if ids { BOTH.into_iter().collect() } else { FamilySet::EMPTY };
        let bodies = bodies(&out, max_len);
        prop_assert_eq!(bodies.len(), messages);
        let mut read = Vec::new();
        for (at, body) in bodies.iter().enumerate() {
            let view = UpdateView::parse(body, &ctx).unwrap();
            prop_assert_eq!(view.attributes().parts().concat(), attributes.clone());
            read.extend(view.announced());
            let next = routes.get(read.len()).map_or(0, |(id, prefix)| {
                let mut one = Vec::new();
                encode_nlri::<V4>(&mut one, *id, prefix);
                one.len()
            });
            prop_assert!(at + 1 == bodies.len() || header::HEADER_LEN + body.len() + next > max_len);
        }
        let sent: Vec<_> = routes.into_iter().map(|(id, prefix)| (id.unwrap_or_default(), prefix)).collect();
        prop_assert_eq!(read, sent);
    }

    #[test]
    fn ipv6_routes_and_withdrawals_come_back(prefixes in vec(v6(), 1..1000), v4s in vec(v4(), 1..1000)) {
        let ctx = context(PeerKind::External);
        let next_hop: Ipv6Addr = "fd00::1".parse().unwrap();
        let attributes = [ORIGIN, AS_PATH].concat();
        let mut out = Vec::new();
        let with_id = || prefixes.iter().map(|prefix| (None, *prefix));
        encode::announce::<V6>(&mut out, 4096, &attributes, next_hop.into(), with_id()).unwrap();
        let mut read = Vec::new();
        for body in bodies(&out, 4096) {
            let view = UpdateView::parse(body, &ctx).unwrap();
            prop_assert_eq!(view.mp_reach().unwrap().next_hop.address(), Some(next_hop.into()));
            prop_assert_eq!(view.attributes().parts().concat(), attributes.clone());
            read.extend(reach::<V6>(&view).into_iter().map(|(_, prefix)| prefix));
        }
        prop_assert_eq!(&read, &prefixes);

        out.clear();
        let count = encode::withdraw::<V6>(&mut out, 4096, with_id());
        prop_assert_eq!(count, bodies(&out, 4096).len());
        read.clear();
        for body in bodies(&out, 4096) {
            let view = UpdateView::parse(body, &ctx).unwrap();
            read.extend(view.mp_unreach().unwrap().nlri_of::<V6>().map(|(_, prefix)| prefix));
        }
        prop_assert_eq!(&read, &prefixes);

        out.clear();
        encode::withdraw::<V4>(&mut out, 4096, v4s.iter().map(|prefix| (None, *prefix)));
        let views = bodies(&out, 4096).into_iter().map(|body| UpdateView::parse(body, &ctx).unwrap());
        let gone: Vec<_> = views.flat_map(|view| view.withdrawn().collect::<Vec<_>>()).collect();
        prop_assert_eq!(gone.into_iter().map(|(_, prefix)| prefix).collect::<Vec<_>>(), v4s);
    }
}

#[test]
fn end_of_rib_markers_come_back() {
    for family in BOTH {
        let mut out = Vec::new();
        encode::end_of_rib(&mut out, family);
        let body = frame(&out, 4096).unwrap().unwrap().body;
        assert_eq!(UpdateView::parse(body, &context(PeerKind::Internal)).unwrap().end_of_rib(), Some(family));
    }
}

#[test]
fn attributes_that_leave_no_room_are_refused_and_nothing_is_written() {
    let mut attributes = vec![0xf0, 99];
    attributes.extend(4066u16.to_be_bytes());
    attributes.resize(4070, 0);
    let prefix = |len| (None, crate::Ipv4Prefix::new([10, 1, 2, 3].into(), len).unwrap());
    let mut out = vec![1];
    let mut announce = |prefixes: &[_]| {
        let done =
            encode::announce::<V4>(&mut out, 4096, &attributes, [1; 4].into(), prefixes.iter().copied());
        (done, out.len())
    };
    assert_eq!(announce(&[prefix(16), prefix(15)]), (Ok(2), 1 + 2 * 4096));
    let error = EncodeError::AttributesTooLong { needed: 4097, max_len: 4096 };
    assert_eq!(announce(&[prefix(16), prefix(24)]), (Err(error), 1 + 2 * 4096));
}
