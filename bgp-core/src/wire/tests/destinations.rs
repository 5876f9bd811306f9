//! Destinations of labels, VPNs and route targets: from octets and back.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::{Asn, PathId, Prefix};
use LabelForm::{One, Stack, Withdrawn};

pub(super) const FAMILIES: [Family; 7] = [
    Family::IPV4_UNICAST,
    Family::IPV6_UNICAST,
    Family::IPV4_LABELED,
    Family::IPV6_LABELED,
    Family::IPV4_VPN,
    Family::IPV6_VPN,
    Family::ROUTE_TARGET,
];
const FORMS: [LabelForm; 3] = [One, Stack, Withdrawn];

fn form(family: Family, labels: LabelForm) -> NlriForm {
    NlriForm { family, add_path: false, labels }
}

/// The only destination in `octets`: as text, and as it is written again.
fn read(family: Family, labels: LabelForm, octets: &[u8]) -> (String, Vec<u8>) {
    let mut all = Destinations::new(octets, form(family, labels)).unwrap();
    let (PathId(id), destination) = all.next().unwrap();
    assert_eq!((id, all.next(), destination.is_of(family)), (0, None, true));
    let mut out = Vec::new();
    destination.encode(&mut out, None);
    (destination.to_string(), out)
}

#[track_caller]
fn assert_exact(family: Family, labels: LabelForm, octets: &[u8], text: &str) {
    assert_eq!(read(family, labels, octets), (text.to_owned(), octets.to_vec()));
}

/// A destination of each family behind one label, octets and text.
const EXAMPLES: [(Family, &[u8], &str); 7] = [
    (Family::IPV4_UNICAST, &[16, 10, 1], "10.1.0.0/16"),
    (Family::IPV6_UNICAST, &[32, 0x20, 0x01, 0x0d, 0xb8], "2001:db8::/32"),
    (Family::IPV4_LABELED, &[40, 0, 6, 0x41, 10, 1], "10.1.0.0/16 label 100"),
    (Family::IPV6_LABELED, &[56, 0, 0, 0x21, 0x20, 0x01, 0x0d, 0xb8], "2001:db8::/32 label 2"),
    (Family::IPV4_VPN, &[104, 0, 6, 0x41, 0, 0, 0xfc, 0, 0, 0, 0, 7, 10, 1], "64512:7:10.1.0.0/16 label 100"),
    (
        Family::IPV6_VPN,
        &[120, 0xff, 0xff, 0xf1, 0, 1, 10, 0, 0, 1, 0, 7, 0x20, 0x01, 0x0d, 0xb8],
        "10.0.0.1:7:2001:db8::/32 label 1048575",
    ),
    (Family::ROUTE_TARGET, &[96, 0, 0, 0xfc, 0, 0, 2, 0xfc, 0, 0, 0, 0, 100], "64512:rt:64512:100/96"),
];

#[test]
fn rfc8277_s2_2_one_label_is_read_and_written_octet_for_octet() {
    for (family, octets, text) in EXAMPLES {
        assert_exact(family, One, octets, text);
        assert_exact(family, Stack, octets, text);
    }
}

#[test]
fn rfc8277_s2_2_the_bottom_of_stack_bit_of_a_single_label_is_ignored() {
    let (text, out) = read(Family::IPV4_LABELED, One, &[40, 0, 6, 0x40, 10, 1]);
    assert_eq!((text.as_str(), out), ("10.1.0.0/16 label 100", vec![40, 0, 6, 0x41, 10, 1]));
}

#[test]
fn rfc8277_s2_3_labels_go_on_to_the_bottom_of_the_stack() {
    let two = [64, 0, 6, 0x40, 0, 12, 0x81, 10, 1];
    assert_exact(Family::IPV4_LABELED, Stack, &two, "10.1.0.0/16 label 100/200");
    let three = [152, 0, 6, 0x40, 0, 12, 0x80, 0, 0, 0x31, 0, 2, 0, 1, 0x11, 0x70, 0, 1, 10, 1];
    assert_exact(Family::IPV4_VPN, Stack, &three, "70000:1:10.1.0.0/16 label 100/200/3");
}

#[test]
fn rfc8277_s2_3_a_stack_without_bottom_is_refused() {
    for family in &FAMILIES[2..6] {
        for len in 0..=u8::MAX {
            let octets = [&[len][..], &[0; 32]].concat();
            let error = Destinations::new(&octets, form(*family, Stack)).unwrap_err();
            assert_eq!(error, NlriError::NoBottomOfStack, "{family} {len}");
        }
    }
}

#[test]
fn rfc8277_s2_4_a_withdrawn_prefix_has_no_label_whatever_stands_in_its_place() {
    for label in [[0x80, 0, 0], [0, 0, 0], [0, 6, 0x41], [0xff; 3]] {
        let octets = [&[40][..], &label, &[10, 1]].concat();
        let (text, out) = read(Family::IPV4_LABELED, Withdrawn, &octets);
        assert_eq!((text.as_str(), out), ("10.1.0.0/16", vec![40, 0x80, 0, 0, 10, 1]));
    }
    let vpn = [104, 0x80, 0, 0, 0, 0, 0xfc, 0, 0, 0, 0, 7, 10, 1];
    assert_exact(Family::IPV4_VPN, Withdrawn, &vpn, "64512:7:10.1.0.0/16");
}

#[test]
fn bits_past_a_prefix_are_cleared() {
    let (text, out) = read(Family::IPV4_LABELED, One, &[33, 0, 6, 0x41, 10, 0xff]);
    assert_eq!((text.as_str(), out), ("10.128.0.0/9 label 100", vec![33, 0, 6, 0x41, 10, 0x80]));
}

#[test]
fn every_length_octet_is_read_or_refused_as_its_family_says() {
    for (family, min, max) in [
        (Family::IPV4_UNICAST, 0, 32),
        (Family::IPV6_UNICAST, 0, 128),
        (Family::IPV4_LABELED, 24, 32),
        (Family::IPV6_LABELED, 24, 128),
        (Family::IPV4_VPN, 88, 32),
        (Family::IPV6_VPN, 88, 128),
    ] {
        for (labels, len) in FORMS.into_iter().flat_map(|labels| (0..=u8::MAX).map(move |len| (labels, len)))
        {
            let octets = [&[len][..], &vec![1; usize::from(len.div_ceil(8))]].concat();
            let result = Destinations::new(&octets, form(family, labels)).map(Iterator::count);
            let bits = len.checked_sub(min);
            match result {
                Ok(count) => assert!(count == 1 && bits.unwrap() <= max),
                Err(NlriError::PrefixLength { len, .. }) => assert!(Some(len) == bits && len > max),
                Err(NlriError::TooShort { len: said, min }) => {
                    assert!(bits.is_none() && said == len && min <= 88)
                }
                Err(error) => assert!(error == NlriError::NoBottomOfStack && labels == Stack && len < 17),
            }
        }
    }
}

#[test]
fn every_cut_of_a_destination_is_refused() {
    for (family, octets, _) in EXAMPLES {
        for (labels, add_path) in FORMS.into_iter().flat_map(|labels| [(labels, false), (labels, true)]) {
            let form = NlriForm { family, add_path, labels };
            let whole = if add_path { [&[0, 0, 0, 9], octets].concat() } else { octets.to_vec() };
            assert!(Destinations::new(&whole, form).is_ok());
            for len in 1..whole.len() {
                assert_eq!(Destinations::new(&whole[..len], form).unwrap_err(), NlriError::CutOff);
            }
        }
    }
}

#[test]
fn more_labels_than_the_length_octet_can_count_are_refused() {
    let stack = [[0, 0, 0x10]; 10];
    let most = |allowed: &dyn Fn(Labels<'_>) -> bool| {
        (0..=10).rev().find(|count| allowed(Labels::new(&stack[..*count]))).unwrap()
    };
    let (v4, v6): (Prefix, Prefix) = ("10.0.0.1/32".parse().unwrap(), "fd00::1/128".parse().unwrap());
    let distinguisher = RouteDistinguisher::ipv4([10, 0, 0, 1].into(), 1);
    assert_eq!(most(&|labels| LabeledPrefix::new(labels, v4).is_some()), 9);
    assert_eq!(most(&|labels| LabeledPrefix::new(labels, v6).is_some()), 5);
    assert_eq!(most(&|labels| VpnPrefix::new(distinguisher, labels, v4).is_some()), 6);
    assert_eq!(most(&|labels| VpnPrefix::new(distinguisher, labels, v6).is_some()), 2);
}

/// What destinations are built from.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    family: Family,
    stack: Vec<[u8; 3]>,
    distinguisher: RouteDistinguisher,
    prefix: Prefix,
    membership: RouteTargetMembership,
}

impl Parts {
    pub(super) fn build(&self) -> Destination<'_> {
        let labels = Labels::new(&self.stack);
        match self.family {
            Family::IPV4_LABELED | Family::IPV6_LABELED => {
                Destination::Labeled(LabeledPrefix::new(labels, self.prefix).unwrap())
            }
            Family::IPV4_VPN | Family::IPV6_VPN => {
                Destination::Vpn(VpnPrefix::new(self.distinguisher, labels, self.prefix).unwrap())
            }
            Family::ROUTE_TARGET => Destination::RouteTarget(self.membership),
            _ => Destination::Prefix(self.prefix),
        }
    }
}

fn membership() -> impl Strategy<Value = RouteTargetMembership> {
    let some = (any::<u32>(), any::<[u8; 8]>(), 32..=96u8).prop_map(|(origin, target, len)| {
        RouteTargetMembership::new(Asn(origin), ExtendedCommunity(target), len).unwrap()
    });
    prop_oneof![1 => Just(RouteTargetMembership::DEFAULT), 9 => some]
}

pub(super) fn parts(family: Family) -> impl Strategy<Value = Parts> {
    let v4 = (any::<u32>(), 0..=32u8).prop_map(|(bits, len)| Prefix::new(bits.to_be_bytes().into(), len));
    let v6 = (any::<u128>(), 0..=128u8).prop_map(|(bits, len)| Prefix::new(bits.to_be_bytes().into(), len));
    let prefix = if family.afi == 1 { v4.boxed() } else { v6.boxed() };
    let label = (0..1u32 << 20).prop_map(|value| Label::new(value).unwrap().to_octets());
    (vec(label, 1..3), any::<[u8; 8]>(), prefix, membership()).prop_map(
        move |(stack, distinguisher, prefix, membership)| Parts {
            family,
            stack,
            distinguisher: RouteDistinguisher(distinguisher),
            prefix: prefix.unwrap(),
            membership,
        },
    )
}

pub(super) fn family() -> impl Strategy<Value = Family> {
    (0..FAMILIES.len()).prop_map(|at| FAMILIES[at])
}

/// Octets that are often destinations.
fn rough(add_path: bool) -> impl Strategy<Value = Vec<u8>> {
    let one = (any::<[u8; 4]>(), any::<u8>(), vec(any::<u8>(), 32)).prop_map(move |(id, len, octets)| {
        let id = if add_path { &id[..] } else { &[] };
        [id, &[len], &octets[..usize::from(len.div_ceil(8))]].concat()
    });
    prop_oneof![vec(any::<u8>(), 0..80), vec(one, 1..3).prop_map(|all| all.concat())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_built_from_types_comes_back(
        all in family().prop_flat_map(|family| vec((any::<u32>(), parts(family)), 1..5)), add_path: bool,
    ) {
        let family = all[0].1.family;
        let built: Vec<_> = all.iter().map(|(id, parts)| (PathId(*id), parts.build())).collect();
        for labels in [Stack, Withdrawn] {
            let expected: Vec<_> = built.iter().map(|(id, destination)| {
                let id = if add_path { *id } else { PathId(0) };
                (id, if labels == Withdrawn { destination.withdrawn() } else { *destination })
            }).collect();
            let mut out = Vec::new();
            expected.iter().for_each(|(id, destination)| destination.encode(&mut out, add_path.then_some(*id)));
            let form = NlriForm { family, add_path, labels };
            prop_assert_eq!(Destinations::new(&out, form).unwrap().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn any_octets_are_refused_or_come_back_after_writing_them_again(
        (add_path, octets) in any::<bool>().prop_flat_map(|add_path| (Just(add_path), rough(add_path))),
    ) {
        for (family, labels) in FAMILIES.into_iter().flat_map(|family| FORMS.map(|labels| (family, labels))) {
            let form = NlriForm { family, add_path, labels };
            let Ok(read) = Destinations::new(&octets, form) else { continue };
            let mut out = Vec::new();
            read.clone().for_each(|(id, destination)| destination.encode(&mut out, add_path.then_some(id)));
            prop_assert_eq!(out.len(), octets.len());
            let again = Destinations::new(&out, form).unwrap();
            prop_assert!(again.clone().eq(read));
            let mut twice = Vec::new();
            again.for_each(|(id, destination)| destination.encode(&mut twice, add_path.then_some(id)));
            prop_assert_eq!(twice, out);
        }
    }
}
