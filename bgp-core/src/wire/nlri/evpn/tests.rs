use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::wire::{Destinations, LabelForm, NlriForm};
use crate::{Family, PathId};

const RD: [u8; 8] = [0, 1, 10, 0, 0, 1, 0, 7];
const SEGMENT: [u8; 10] = [3, 0, 0, 0x5e, 0, 0x53, 1, 0, 0, 9];
const NO_SEGMENT: [u8; 10] = [0; 10];
const MAC: [u8; 6] = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
const V4: [u8; 4] = [10, 0, 0, 1];
const V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const TAG: [u8; 4] = [0, 0, 0, 5];
const LABEL: [u8; 3] = [0, 0, 100];

/// A route of these fields, type and length in front.
fn route(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields = fields.concat();
    [&[kind, u8::try_from(fields.len()).unwrap()], &fields[..]].concat()
}

/// The routes of a field, as text and, written again, as octets.
fn read(nlri: &[u8], labels: LabelForm) -> Result<(String, Vec<u8>), NlriError> {
    let (mut text, mut out) = (String::new(), Vec::new());
    for (_, destination) in
        Destinations::new(nlri, NlriForm { family: Family::EVPN, add_path: false, labels })?
    {
        write!(text, "{destination}").unwrap();
        destination.encode(&mut out, None);
    }
    Ok((text, out))
}

#[track_caller]
fn assert_shown(nlri: &[u8], expected: &str) {
    for form in [LabelForm::One, LabelForm::Withdrawn] {
        assert_eq!(read(nlri, form), Ok((expected.to_owned(), nlri.to_vec())));
    }
}

#[track_caller]
fn assert_refused(nlri: &[u8], error: EvpnError) {
    assert_eq!(read(nlri, LabelForm::One), Err(NlriError::Evpn(error)));
}

/// A route of each type, in each of its forms.
fn samples() -> Vec<(Vec<u8>, &'static str)> {
    let head: &[u8] = &[&RD[..], &SEGMENT, &TAG].concat();
    let plain: &[u8] = &[&RD[..], &NO_SEGMENT, &[0; 4]].concat();
    vec![
        (route(1, &[head, &LABEL]), "[1]:[5]:[mac/00:00:5e:00:53:01/9] rd 10.0.0.1:7 vni 100"),
        (
            route(2, &[plain, &[48], &MAC, &[0], &LABEL]),
            "[2]:[0]:[48]:[aa:bb:cc:dd:ee:ff] rd 10.0.0.1:7 vni 100",
        ),
        (
            route(2, &[plain, &[48], &MAC, &[32], &V4, &LABEL]),
            "[2]:[0]:[48]:[aa:bb:cc:dd:ee:ff]:[32]:[10.0.0.1] rd 10.0.0.1:7 vni 100",
        ),
        (
            route(2, &[head, &[48], &MAC, &[128], &V6, &LABEL, &[0, 1, 0]]),
            "[2]:[5]:[48]:[aa:bb:cc:dd:ee:ff]:[128]:[fd00::1] rd 10.0.0.1:7 vni 100/256 \
             segment mac/00:00:5e:00:53:01/9",
        ),
        (route(3, &[&RD, &[0; 4], &[32], &V4]), "[3]:[0]:[32]:[10.0.0.1] rd 10.0.0.1:7"),
        (route(3, &[&RD, &TAG, &[128], &V6]), "[3]:[5]:[128]:[fd00::1] rd 10.0.0.1:7"),
        (
            route(4, &[&RD, &SEGMENT, &[32], &V4]),
            "[4]:[mac/00:00:5e:00:53:01/9]:[32]:[10.0.0.1] rd 10.0.0.1:7",
        ),
        (
            route(4, &[&RD, &SEGMENT, &[128], &V6]),
            "[4]:[mac/00:00:5e:00:53:01/9]:[128]:[fd00::1] rd 10.0.0.1:7",
        ),
        (
            route(5, &[plain, &[24, 10, 0, 1, 0], &[0; 4], &LABEL]),
            "[5]:[0]:[24]:[10.0.1.0] rd 10.0.0.1:7 vni 100",
        ),
        (
            route(5, &[plain, &[128], &V6, &V6, &LABEL]),
            "[5]:[0]:[128]:[fd00::1] rd 10.0.0.1:7 vni 100 gateway fd00::1",
        ),
    ]
}

#[test]
fn routes_of_every_type_are_read_shown_and_written() {
    for (nlri, expected) in samples() {
        assert_shown(&nlri, expected);
    }
}

#[test]
fn lengths_are_those_of_rfc_7432_and_rfc_9136() {
    let lengths: Vec<(u8, u8)> = samples().iter().map(|(nlri, _)| (nlri[0], nlri[1])).collect();
    let expected = [(1, 25), (2, 33), (2, 37), (2, 52), (3, 17), (3, 29), (4, 23), (4, 35), (5, 34), (5, 58)];
    assert_eq!(lengths, expected);
}

#[test]
fn routes_follow_each_other_with_and_without_path_identifiers() {
    let all: Vec<u8> = samples().into_iter().flat_map(|(nlri, _)| nlri).collect();
    assert_eq!(read(&all, LabelForm::One).unwrap().1, all);
    let with_ids: Vec<u8> =
        (7u32..).zip(samples()).flat_map(|(id, (nlri, _))| [&id.to_be_bytes()[..], &nlri].concat()).collect();
    let form = NlriForm { family: Family::EVPN, add_path: true, labels: LabelForm::One };
    let mut out = Vec::new();
    for (PathId(id), destination) in Destinations::new(&with_ids, form).unwrap() {
        destination.encode(&mut out, Some(PathId(id)));
    }
    assert_eq!(out, with_ids);
}

#[test]
fn rfc_7606_s5_4_a_route_of_unknown_type_is_no_fault_and_kept() {
    assert_shown(&[11, 3, 1, 2, 3], "[11]:[010203]");
    assert_shown(&[0, 0], "[0]:[]");
    let known = route(3, &[&RD, &TAG, &[32], &V4]);
    let both = [&[255, 2, 9, 9], &known[..]].concat();
    assert_eq!(read(&both, LabelForm::One).unwrap().1, both);
    assert_eq!(EvpnRoute::new(9, &[0; 256]), Err(EvpnError::Length { kind: 9, len: 256 }));
}

#[test]
fn a_known_type_with_another_length_is_refused() {
    for (nlri, _) in samples() {
        let (kind, fields) = (nlri[0], &nlri[2..]);
        let another_form = |len: &usize| matches!((kind, *len), (2, 49) | (5, 34));
        for len in (0..fields.len()).filter(|len| !another_form(len)) {
            let error = EvpnRoute::new(kind, &fields[..len]).unwrap_err();
            assert_eq!(error, EvpnError::Length { kind, len });
        }
        for more in [1, 2, 4] {
            let longer = [fields, &vec![0; more]].concat();
            assert_refused(&route(kind, &[&longer]), EvpnError::Length { kind, len: longer.len() });
        }
    }
}

#[test]
fn lengths_inside_that_contradict_the_whole_are_refused() {
    let head: &[u8] = &[&RD[..], &NO_SEGMENT, &[0; 4]].concat();
    assert_refused(&route(2, &[head, &[47], &MAC, &[0], &LABEL]), EvpnError::Mac(47));
    assert_refused(&route(2, &[head, &[48], &MAC, &[24], &V4, &LABEL]), EvpnError::Address(24));
    let short = EvpnError::Length { kind: 2, len: 37 };
    assert_refused(&route(2, &[head, &[48], &MAC, &[128], &V4, &LABEL]), short);
    assert_refused(&route(3, &[&RD, &TAG, &[0]]), EvpnError::Address(0));
    assert_refused(&route(3, &[&RD, &TAG, &[128], &V4]), EvpnError::Length { kind: 3, len: 17 });
    assert_refused(&route(4, &[&RD, &SEGMENT, &[33], &V4]), EvpnError::Address(33));
    assert_refused(&route(5, &[head, &[33], &V4, &V4, &LABEL]), EvpnError::Prefix(33));
    assert_refused(&route(5, &[head, &[129], &V6, &V6, &LABEL]), EvpnError::Prefix(129));
}

#[test]
fn a_route_that_runs_over_the_end_is_refused() {
    for (nlri, _) in samples() {
        for len in 1..nlri.len() {
            assert_eq!(read(&nlri[..len], LabelForm::One), Err(NlriError::CutOff));
        }
    }
}

#[test]
fn host_bits_of_a_prefix_are_cleared() {
    let head: &[u8] = &[&RD[..], &NO_SEGMENT, &[0; 4]].concat();
    let (shown, written) = read(&route(5, &[head, &[24, 10, 0, 1, 9], &V4, &LABEL]), LabelForm::One).unwrap();
    assert_eq!(shown, "[5]:[0]:[24]:[10.0.1.0] rd 10.0.0.1:7 vni 100 gateway 10.0.0.1");
    assert_eq!(written, route(5, &[head, &[24, 10, 0, 1, 0], &V4, &LABEL]));
}

#[test]
fn a_route_made_by_hand_of_more_octets_than_fit_is_cut() {
    let mut out = Vec::new();
    EvpnRoute::Other { kind: 9, octets: &[7; 300] }.encode(&mut out);
    assert_eq!((&out[..2], out.len()), (&[9, 255][..], 257));
}

/// Octets of a length that a type has, the lengths inside sound more often than not.
fn nearly_route() -> impl Strategy<Value = Vec<u8>> {
    let bits = prop_oneof![Just(0u8), Just(32), Just(128), any::<u8>()];
    const LENGTHS: [usize; 13] = [25, 33, 36, 37, 40, 49, 52, 17, 29, 23, 35, 34, 58];
    (0..7u8, proptest::sample::select(&LENGTHS[..]), proptest::collection::vec(any::<u8>(), 58), bits)
        .prop_map(|(kind, len, octets, bits)| {
            let mut fields = octets[..len].to_vec();
            let places = [(2, 29), (3, 12), (4, 18), (5, 22)];
            if let Some((_, place)) = places.into_iter().find(|(of, place)| *of == kind && *place < len) {
                fields[place] = bits;
            }
            if kind == 2 && len > 22 {
                fields[22] = MAC_BITS;
            }
            route(kind, &[&fields])
        })
}

proptest! {
    #[test]
    fn any_route_is_refused_or_written_again_as_it_was(nlri in nearly_route()) {
        if let Ok(route) = EvpnRoute::new(nlri[0], &nlri[2..]) {
            let mut out = Vec::new();
            route.encode(&mut out);
            if let EvpnRoute::IpPrefix { .. } = route {
                prop_assert_eq!((EvpnRoute::new(out[0], &out[2..]), out.len()), (Ok(route), nlri.len()));
            } else {
                prop_assert_eq!(&out, &nlri);
            }
            prop_assert!(route.to_string().len() < 250);
        }
    }

    #[test]
    fn any_octets_are_refused_or_read_again_the_same(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((text, written)) = read(&octets, LabelForm::One) {
            prop_assert_eq!(written.len(), octets.len());
            prop_assert!(text.len() <= 20 * octets.len());
            prop_assert_eq!(read(&written, LabelForm::One).unwrap(), (text, written));
        }
    }
}
