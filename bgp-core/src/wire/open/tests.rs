//! OPEN: both forms of the optional parameters, and what other speakers read past.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Family;
use crate::wire::capability::tests::any_capability;
use crate::wire::header::frame;

/// The fixed fields of a sound OPEN, up to the length of the optional parameters.
const FIXED: [u8; 9] = [4, 0xfc, 0x00, 0, 90, 10, 0, 0, 1];

fn parse(parameters: &[u8]) -> Result<Open, (u8, u8)> {
    Open::parse(&[&FIXED[..], parameters].concat()).map_err(|n| (n.code, n.subcode))
}

fn open(capabilities: Vec<Capability>) -> Open {
    Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(0x0a00_0001), capabilities }
}

fn through_the_wire(open: &Open) -> (Vec<u8>, Open) {
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    let read = Open::parse(frame(&bytes, MAX_LEN).unwrap().unwrap().body).unwrap();
    (bytes, read)
}

#[test]
fn an_open_without_capabilities_reads_back() {
    let open = open(vec![]);
    let (bytes, read) = through_the_wire(&open);
    assert_eq!((bytes.len(), read), (29, open));
}

#[test]
fn a_four_octet_number_goes_into_the_capability_and_as_trans_into_the_field() {
    let mut sent = open(vec![Capability::FourOctetAs(Asn(4_200_000_000))]);
    sent.asn = Asn(4_200_000_000);
    let (bytes, read) = through_the_wire(&sent);
    assert_eq!(&bytes[20..22], &23456u16.to_be_bytes());
    assert_eq!(read, sent);
}

#[test]
fn capabilities_over_255_octets_go_out_in_the_extended_form_and_read_back() {
    for octets in [240, 250, 251, 252, 253, 254, 255, 300, 3000] {
        let capabilities = (0..octets / 10)
            .map(|_| Capability::Unknown { code: 200, value: vec![7; 8] })
            .chain([Capability::Unknown { code: 201, value: vec![8; octets % 10] }])
            .collect();
        let open = open(capabilities);
        assert_eq!(through_the_wire(&open).1, open, "{octets} octets");
    }
}

#[test]
fn an_open_never_exceeds_4096_octets() {
    let open = open(vec![Capability::Unknown { code: 200, value: vec![7; 255] }; 30]);
    let (bytes, read) = through_the_wire(&open);
    assert!(bytes.len() <= MAX_LEN);
    assert_eq!(read.capabilities.len(), 15);
}

#[test]
fn another_version_is_answered_with_ours() {
    let mut body = [&FIXED[..], &[0]].concat();
    body[0] = 3;
    assert_eq!(Open::parse(&body), Err(Notification::with_data(2, 1, vec![0, 4])));
}

#[test]
fn a_parameter_other_than_capabilities_is_refused() {
    assert_eq!(parse(&[3, 1, 1, 0]), Err((2, 4)));
}

#[test]
fn several_parameters_with_capabilities_are_joined() {
    let open = parse(&[8, 2, 2, 2, 0, 2, 2, 70, 0]).unwrap();
    assert_eq!(open.capabilities, [Capability::RouteRefresh, Capability::EnhancedRouteRefresh]);
}

#[test]
fn parameters_that_do_not_fill_their_length_are_refused() {
    for parameters in [&[1][..], &[2, 2], &[5, 2, 2, 2, 0], &[3, 2, 2, 2, 0], &[4, 2, 3, 2, 0], &[0, 1]] {
        assert_eq!(parse(parameters), Err((2, 0)), "{parameters:?}");
    }
}

// CVE-2022-40302 and CVE-2022-40318: the extended form with its length cut off was read past the end. There is one
// parser here, so one rule.
#[test]
fn an_extended_parameter_length_that_is_cut_off_is_refused() {
    for parameters in [&[255, 255][..], &[255, 255, 0], &[255, 255, 0, 3], &[255, 255, 0, 3, 2, 0]] {
        assert_eq!(parse(parameters), Err((2, 0)), "{parameters:?}");
    }
    assert_eq!(parse(&[255, 255, 0, 0]).map(|open| open.capabilities), Ok(vec![]));
}

// CVE-2022-43681: the OPEN ends at the length of its optional parameters.
#[test]
fn an_open_that_ends_at_the_parameters_length_is_refused() {
    assert_eq!(parse(&[255]), Err((2, 0)));
    assert_eq!(parse(&[]), Err((2, 0)));
}

// CVE-2022-36440: looking ahead for the four-octet AS number ran into an assertion.
#[test]
fn a_four_octet_as_capability_that_is_cut_off_is_refused_or_skipped() {
    assert_eq!(parse(&[6, 2, 4, 65, 4, 0, 1]), Err((2, 0)));
    let short = parse(&[6, 2, 4, 65, 2, 0, 1]).unwrap();
    assert_eq!(short.asn, Asn(64512));
    assert_eq!(short.capabilities, [Capability::Unknown { code: 65, value: vec![0, 1] }]);
}

// CVE-2018-5381: a Multiprotocol capability with an unknown family looped for ever.
#[test]
fn an_unknown_family_is_kept_and_passed_over() {
    let open = parse(&[14, 2, 12, 1, 4, 0x40, 4, 0, 0x47, 1, 4, 0, 1, 0, 1]).unwrap();
    let unknown = Family { afi: 0x4004, safi: 0x47 };
    let expected = [unknown, Family::IPV4_UNICAST].map(Capability::Multiprotocol);
    assert_eq!(open.capabilities, expected);
}

#[test]
fn an_as_number_of_zero_in_the_field_is_not_hidden_by_the_capability() {
    let mut body = [&FIXED[..], &[8, 2, 6, 65, 4, 0, 0, 0xfc, 0]].concat();
    body[1] = 0;
    body[2] = 0;
    assert_eq!(Open::parse(&body).unwrap().asn, Asn(0));
}

// RFC 9072 section 2.
#[test]
fn the_extended_form_is_written_for_more_than_255_octets_only() {
    for (octets, extended) in [(0, false), (250, false), (253, false), (254, true), (255, true)] {
        let mut value = vec![7; octets.max(4) - 4];
        let rest = value.split_off(value.len().min(200));
        let capabilities = [value, rest]
            .map(|value| Capability::Unknown { code: 200, value })
            .into_iter()
            .take(octets)
            .collect();
        let open = open(capabilities);
        let (bytes, read) = through_the_wire(&open);
        let form = (bytes[28], bytes.get(29));
        let expected = if extended { (255, Some(&255)) } else { (bytes[28], Some(&2)) };
        assert!(form == expected || (octets, form) == (0, (0, None)), "{octets}: {form:?}");
        assert_eq!(read, open);
    }
}

// RFC 9072 section 2: it is the type of the first parameter that marks the form.
#[test]
fn the_extended_form_is_read_for_short_parameters_and_with_any_length_before_it() {
    for len in 1..=255 {
        let open = parse(&[len, 255, 0, 5, 2, 0, 2, 2, 0]).unwrap();
        assert_eq!(open.capabilities, [Capability::RouteRefresh], "{len}");
    }
    assert_eq!(parse(&[0, 255, 0, 5, 2, 0, 2, 2, 0]), Err((2, 0)));
}

#[test]
fn several_extended_parameters_are_joined() {
    let open = parse(&[255, 255, 0, 13, 2, 0, 2, 2, 0, 2, 0, 0, 2, 0, 2, 70, 0]).unwrap();
    assert_eq!(open.capabilities, [Capability::RouteRefresh, Capability::EnhancedRouteRefresh]);
}

#[test]
fn only_the_first_parameter_can_mark_the_extended_form() {
    for parameters in [
        &[7, 2, 2, 2, 0, 255, 1, 0][..],
        &[255, 255, 0, 4, 255, 0, 1, 0],
        &[255, 255, 0, 8, 2, 0, 2, 2, 0, 255, 0, 0],
    ] {
        assert_eq!(parse(parameters), Err((2, 4)), "{parameters:?}");
    }
}

#[test]
fn an_unknown_parameter_is_refused_in_either_form_unless_it_is_cut_off() {
    for kind in (0..255).filter(|kind| *kind != CAPABILITIES) {
        assert_eq!(parse(&[2, kind, 0]), Err((2, 4)));
        assert_eq!(parse(&[255, 255, 0, 3, kind, 0, 0]), Err((2, 4)));
        assert_eq!(parse(&[3, kind, 2, 0]), Err((2, 0)));
        assert_eq!(parse(&[255, 255, 0, 4, kind, 0, 2, 0]), Err((2, 0)));
    }
}

#[test]
fn every_truncation_is_refused() {
    let capabilities = vec![Capability::Unknown { code: 200, value: vec![7; 100] }; 3];
    for open in [open(capabilities.clone()), open(capabilities[..1].to_vec())] {
        let (bytes, _) = through_the_wire(&open);
        for cut in HEADER_LEN..bytes.len() {
            let refused = Open::parse(&bytes[HEADER_LEN..cut]).unwrap_err();
            assert_eq!(refused, Notification::new(2, 0), "{cut}");
        }
        let longer = [&bytes[HEADER_LEN..], &[0]].concat();
        assert_eq!(Open::parse(&longer), Err(Notification::new(2, 0)));
    }
}

// RFC 5492 section 4: the same capability again changes nothing, and is kept as it came.
#[test]
fn a_repeated_capability_is_kept_and_the_first_as_number_counts() {
    let four = |asn| Capability::FourOctetAs(Asn(asn));
    let sent = Open { asn: Asn(70_000), ..open(vec![four(70_000), four(70_000), four(80_000)]) };
    let (_, read) = through_the_wire(&sent);
    assert_eq!(read, sent);
}

/// An OPEN whose AS number is the one that a reader will make of it.
fn any_open() -> impl Strategy<Value = Open> {
    (any::<u16>(), any::<u16>(), any::<u32>(), vec(any_capability(), 0..6)).prop_map(
        |(asn, hold_time, router_id, capabilities)| {
            let four_octets = Offered(&capabilities).four_octet_as();
            let asn = four_octets.filter(|asn| *asn != Asn(0)).unwrap_or(Asn(u32::from(asn)));
            Open { asn, hold_time, router_id: RouterId(router_id), capabilities }
        },
    )
}

/// The parameters in the form and the pieces asked for: what other speakers may send.
fn spread(capabilities: &[Capability], pieces: usize, extended: bool) -> Vec<u8> {
    let mut parameters = Vec::new();
    for some in capabilities.chunks(pieces) {
        let mut value = Vec::new();
        some.iter().for_each(|capability| capability.encode(&mut value));
        parameters.push(CAPABILITIES);
        if extended {
            parameters.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        } else {
            parameters.push(u8::try_from(value.len()).unwrap());
        }
        parameters.extend(value);
    }
    if extended {
        let len = u16::try_from(parameters.len()).unwrap().to_be_bytes();
        [&[1, EXTENDED][..], &len, &parameters].concat()
    } else {
        [&[u8::try_from(parameters.len()).unwrap()][..], &parameters].concat()
    }
}

proptest! {
    #[test]
    fn a_typed_open_comes_back_as_it_was_encoded(sent in any_open()) {
        prop_assert_eq!(through_the_wire(&sent).1, sent);
    }

    #[test]
    fn the_form_of_the_parameters_makes_no_difference(
        capabilities in vec(any_capability(), 1..6), pieces in 1..4usize,
    ) {
        let read = parse(&spread(&capabilities, pieces, true)).unwrap();
        prop_assert_eq!(&read.capabilities, &capabilities);
        let small: Vec<_> = capabilities.into_iter().filter(|c| {
            let mut bytes = Vec::new();
            c.encode(&mut bytes);
            bytes.len() < 30
        }).collect();
        prop_assert_eq!(parse(&spread(&small, pieces, false)).unwrap().capabilities, small);
    }

    #[test]
    fn any_octets_are_read_or_refused_with_an_open_error(
        version in prop_oneof![4 => Just(VERSION), 1 => any::<u8>()],
        fixed in vec(any::<u8>(), 0..10),
        rest in vec(prop_oneof![0..4u8, Just(EXTENDED), any::<u8>()], 0..80),
    ) {
        let body = [&[version][..], &fixed, &rest].concat();
        if let Err(refused) = Open::parse(&body) {
            let expected: &[(u8, &[u8])] = &[(0, &[]), (1, &[0, VERSION]), (4, &[])];
            prop_assert_eq!(refused.code, 2);
            prop_assert!(expected.contains(&(refused.subcode, &refused.data)));
        }
    }
}
