use super::*;
use crate::wire::{Destination, Destinations, LabelForm, NlriForm};
use crate::{PathId, Prefix};

mod attacks;
mod properties;

const V4: Family = Family::IPV4_FLOWSPEC;
const V6: Family = Family::IPV6_FLOWSPEC;
const FAMILIES: [Family; 4] = [V4, V6, Family::IPV4_VPN_FLOWSPEC, Family::IPV6_VPN_FLOWSPEC];

/// The destinations of a field, as text and, written again, as octets.
fn read(family: Family, nlri: &[u8]) -> Result<(Vec<String>, Vec<u8>), NlriError> {
    let form = NlriForm { family, add_path: false, labels: LabelForm::One };
    let mut out = Vec::new();
    let shown = Destinations::new(nlri, form)?.map(|(_, destination)| {
        destination.encode(&mut out, None);
        destination.to_string()
    });
    Ok((shown.collect(), out))
}

#[track_caller]
fn assert_shown(family: Family, nlri: &[u8], expected: &str) {
    assert_eq!(read(family, nlri), Ok((vec![expected.to_owned()], nlri.to_vec())));
}

/// Why this value, put behind its length, is refused.
#[track_caller]
fn refusal(family: Family, value: &[u8]) -> FlowSpecError {
    let nlri = [&[u8::try_from(value.len()).unwrap()], value].concat();
    match read(family, &nlri) {
        Err(NlriError::FlowSpec(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_examples_of_rfc_8955_section_4_3_are_read() {
    let tcp_25 = [0x0b, 1, 0x18, 0xc0, 0, 2, 3, 0x81, 6, 4, 0x81, 0x19];
    assert_shown(V4, &tcp_25, "dst 192.0.2.0/24 proto =6 port =25");
    let range = [0x12, 1, 0x18, 0xc0, 0, 2, 2, 0x18, 0xcb, 0, 0x71, 4, 3, 0x89, 0x45, 0x8b, 0x91, 0x1f, 0x90];
    assert_shown(V4, &range, "dst 192.0.2.0/24 src 203.0.113.0/24 port >=137&<=139,=8080");
    let fragments = [9, 1, 0x20, 0xc0, 0, 2, 1, 0x0c, 0x80, 5];
    assert_shown(V4, &fragments, "dst 192.0.2.1/32 fragment any(df,ff)");
}

#[test]
fn the_examples_of_rfc_8956_section_3_8_are_read() {
    let whole_octets =
        [0x12, 1, 0x20, 0, 0x20, 1, 0x0d, 0xb8, 2, 0x68, 0x40, 0x12, 0x34, 0x56, 0x78, 0x9a, 3, 0x81, 6];
    assert_shown(V6, &whole_octets, "dst 2001:db8::/32 src ::1234:5678:9a00:0/64-104 proto =6");
    let shifted = [0x0f, 1, 0x20, 0, 0x20, 1, 0x0d, 0xb8, 2, 0x68, 0x41, 0x24, 0x68, 0xac, 0xf1, 0x34];
    assert_shown(V6, &shifted, "dst 2001:db8::/32 src ::1234:5678:9a00:0/65-104");
}

#[test]
fn a_vpn_has_its_route_distinguisher_first() {
    let nlri = [14, 0, 1, 10, 0, 0, 1, 0, 7, 1, 8, 10, 3, 0x81, 17];
    assert_shown(Family::IPV4_VPN_FLOWSPEC, &nlri, "dst 10.0.0.0/8 proto =17 rd 10.0.0.1:7");
    let nlri = [12, 0, 0, 0xfc, 0, 0, 0, 0, 7, 1, 8, 0, 0xfd];
    assert_shown(Family::IPV6_VPN_FLOWSPEC, &nlri, "dst fd00::/8 rd 64512:7");
}

#[test]
fn every_operator_has_its_sign_and_reserved_bits_do_not_count() {
    let terms: Vec<u8> = (0..8).flat_map(|bits| [bits | 8, 5]).chain([0x81, 5]).collect();
    let nlri = [&[19, 4], &terms[..]].concat();
    assert_shown(V4, &nlri, "port false,=5,>5,>=5,<5,<=5,!=5,true,=5");
    let nlri = [11, 9, 0x00, 2, 0x4d, 0x10, 0x12, 1, 4, 0x93, 0, 0];
    assert_shown(V4, &nlri, "tcp-flags any(syn)&all(ack),!any(rst,0x100),!all()");
}

#[test]
fn values_of_all_lengths_are_read() {
    let nlri = [20, 10, 1, 7, 0x11, 1, 0, 0x21, 0, 1, 0, 0, 0xb1, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_shown(V4, &nlri, "length =7,=256,=65536,=4294967296");
}

#[test]
fn the_and_bit_of_the_first_term_does_not_count() {
    let value = [5, 0xc1, 22];
    let flow = FlowSpec::new(V4, &value).unwrap();
    let Some(Component::Numeric(NumericField::DestinationPort, mut terms)) = flow.components().next() else {
        panic!("{flow}");
    };
    assert_eq!(terms.next(), Some(Term::new(Comparison::Equal, 22)));
    assert_eq!(terms.next(), None);
}

#[test]
fn flow_labels_and_offsets_are_for_ipv6_only() {
    assert_shown(V6, &[6, 13, 0xa1, 0, 0x0f, 0xff, 0xff], "flow-label =1048575");
    assert_eq!(refusal(V4, &[13, 0xa1, 0, 0, 0, 1]), FlowSpecError::UnknownComponent(13));
    assert_shown(V6, &[3, 1, 0, 0], "dst ::/0");
    let host = [&[19, 1, 128, 0, 0xfd][..], &[0; 14], &[1]].concat();
    assert_shown(V6, &host, "dst fd00::1/128");
}

#[test]
fn bits_past_a_prefix_mean_nothing_but_are_passed_on() {
    assert_shown(V4, &[4, 1, 9, 10, 0xff], "dst 10.128.0.0/9");
    assert_shown(V6, &[8, 2, 9, 0, 0xfd, 0xff, 3, 0x81, 6], "src fd80::/9 proto =6");
    assert_shown(V6, &[4, 2, 12, 8, 0xff], "src f0::/8-12");
}

#[test]
fn a_length_in_two_octets_that_fits_into_one_is_written_in_one() {
    let (shown, written) = read(V4, &[0xf0, 3, 4, 0x81, 25]).unwrap();
    assert_eq!((shown[0].as_str(), written), ("port =25", vec![3, 4, 0x81, 25]));
}

#[test]
fn lengths_from_240_on_take_two_octets() {
    for (terms, length) in [(119, vec![239]), (120, vec![0xf0, 241]), (2047, vec![0xff, 0xff])] {
        let list: Vec<_> = (0..terms).map(|_| Term::new(Comparison::Equal, 80)).collect();
        let value = FlowSpecBuilder::new(V4).numeric(NumericField::Port, &list).build().unwrap();
        let mut out = Vec::new();
        FlowSpec::new(V4, &value).unwrap().encode(&mut out);
        assert_eq!((&out[..length.len()], &out[length.len()..]), (&length[..], &value[..]));
        assert_eq!(read(V4, &out).unwrap().1, out);
    }
}

#[test]
fn path_identifiers_are_kept() {
    let nlri = [0, 0, 0, 9, 3, 4, 0x81, 25, 0, 0, 0, 10, 3, 4, 0x81, 26];
    let form = NlriForm { family: V4, add_path: true, labels: LabelForm::One };
    let mut out = Vec::new();
    for (path_id, destination) in Destinations::new(&nlri, form).unwrap() {
        assert!(matches!(destination, Destination::FlowSpec(_)));
        destination.encode(&mut out, Some(path_id));
    }
    assert_eq!(out, nlri);
    assert_eq!(Destinations::new(&nlri, form).unwrap().last().unwrap().0, PathId(10));
}

#[test]
fn the_builder_sorts_and_takes_the_last_of_a_type() {
    let equal = |value| [Term::new(Comparison::Equal, value)];
    let value = FlowSpecBuilder::new(Family::IPV6_VPN_FLOWSPEC)
        .bitmask(BitmaskField::TcpFlags, &[Term::and(BitMatch::All, 0x12), Term::new(BitMatch::NotAny, 4)])
        .numeric(NumericField::Protocol, &equal(17))
        .numeric(NumericField::Protocol, &equal(6))
        .source(FlowPrefix::with_offset("::1:0:0:2".parse().unwrap(), 64, 128).unwrap())
        .destination("fd00::/8".parse::<Prefix>().unwrap())
        .distinguisher(RouteDistinguisher([0, 0, 0xfc, 0, 0, 0, 0, 7]))
        .build()
        .unwrap();
    let shown = FlowSpec::new(Family::IPV6_VPN_FLOWSPEC, &value).unwrap().to_string();
    let expected = "dst fd00::/8 src ::1:0:0:2/64-128 proto =6 tcp-flags all(syn,ack),!any(rst) rd 64512:7";
    assert_eq!(shown, expected);
}

#[test]
fn the_builder_refuses_what_could_not_be_read() {
    let new = FlowSpecBuilder::new;
    let equal = |value| [Term::new(Comparison::Equal, value)];
    let v6: Prefix = "fd00::/8".parse().unwrap();
    let many = vec![Term::new(Comparison::Equal, 1); 2048];
    let refused = [
        (new(V4), FlowSpecError::Empty),
        (new(Family::IPV4_VPN_FLOWSPEC), FlowSpecError::Empty),
        (new(Family::EVPN).numeric(NumericField::Port, &equal(1)), FlowSpecError::Family(Family::EVPN)),
        (new(V4).destination(v6), FlowSpecError::Family(V4)),
        (new(V4).numeric(NumericField::FlowLabel, &equal(1)), FlowSpecError::UnknownComponent(13)),
        (new(V4).numeric(NumericField::Port, &[]), FlowSpecError::CutOff { component: 4 }),
        (
            new(V4).numeric(NumericField::Dscp, &equal(256)),
            FlowSpecError::ValueLength { component: 11, len: 2, longest: 1 },
        ),
        (new(V4).numeric(NumericField::Port, &many), FlowSpecError::TooLong(4097)),
    ];
    for (builder, error) in refused {
        assert_eq!(builder.build(), Err(error));
    }
}

#[test]
fn a_prefix_with_an_offset_keeps_only_the_bits_between() {
    let all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap();
    let between = |offset, len| FlowPrefix::with_offset(all, offset, len).map(|prefix| prefix.to_string());
    assert_eq!(between(60, 68).as_deref(), Some("::f:f000:0:0:0/60-68"));
    assert_eq!(between(127, 128).as_deref(), Some("::1/127-128"));
    assert_eq!(between(0, 0).as_deref(), Some("::/0"));
    assert_eq!((between(8, 8), between(9, 8), between(0, 129), between(128, 128)), (None, None, None, None));
}
