//! Single path attributes.

use Treatment::{Accept, DiscardAttribute, TreatAsWithdraw};
use bgp_core::wire::{AsSegment, Attributes, DecodeContext, PathAttribute, SegmentKind, Treatment};
use bgp_core::{Asn, PeerKind};

use crate::rig::{
    AS_PATH, NEXT_HOP, NLRI, ORIGIN, announcing, body, context, from_inside, from_outside, receive,
};

/// What is kept of an announcement with a further attribute.
fn kept(code: u8, block: &[u8]) -> Option<Vec<u8>> {
    Attributes::new(block).get(code).map(|attribute| attribute.whole.to_vec())
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[flags | 0x10, code][..], &len, value].concat()
}

#[test]
fn cve_2023_31490_frr_a_prefix_sid_that_is_too_short_is_discarded() {
    for value in [&[1][..], &[1, 0], &[1, 0, 7], &[1, 0, 7, 0, 0, 0, 0, 0, 0]] {
        let outcome = from_inside(&announcing(&[&attribute(0xc0, 40, value)]));
        assert_eq!((outcome.treatment, kept(40, &outcome.block)), (DiscardAttribute, None), "{value:?}");
    }
}

#[test]
fn cve_2024_31948_frr_a_prefix_sid_with_a_wrong_inner_length_is_discarded() {
    for len in (0..=255).filter(|len| *len != 7) {
        let label_index = [1, 0, len, 0, 0, 0, 0, 0, 0, 1];
        let outcome = from_inside(&announcing(&[&attribute(0xc0, 40, &label_index)]));
        assert_eq!((outcome.treatment, kept(40, &outcome.block)), (DiscardAttribute, None), "{len}");
    }
}

#[test]
fn cve_2023_38802_frr_a_corrupt_tunnel_encapsulation_is_treated_as_withdraw() {
    for value in [&[0][..], &[0, 8], &[0, 8, 0], &[0, 8, 0, 4, 6], &[0xff; 20]] {
        let outcome = from_inside(&announcing(&[&attribute(0xc0, 23, value)]));
        assert_eq!(outcome.treatment, TreatAsWithdraw, "{value:?}");
    }
}

#[test]
fn cve_2024_44070_frr_a_tunnel_longer_than_its_attribute_is_treated_as_withdraw() {
    let value = [&[0, 8, 0xff, 0xff][..], &[0; 40]].concat();
    let update = announcing(&[&attribute(0xc0, 23, &value)]);
    assert_eq!(from_inside(&update).treatment, TreatAsWithdraw);
    // From outside it has no business here, whatever is in it (RFC 9012 section 11).
    assert_eq!(from_outside(&update).treatment, DiscardAttribute);
}

#[test]
fn cve_2023_41359_frr_a_short_aigp_is_discarded() {
    for value in [&[][..], &[1], &[1, 0], &[1, 0, 11], &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0], &[1, 0, 2]] {
        let outcome = from_inside(&announcing(&[&attribute(0x80, 26, value)]));
        assert_eq!((outcome.treatment, kept(26, &outcome.block)), (DiscardAttribute, None), "{value:?}");
    }
}

#[test]
fn cve_2019_5892_frr_an_unknown_transitive_attribute_is_passed_on_and_marked() {
    for code in [11, 28, 128, 254, 255] {
        let outcome = from_outside(&announcing(&[&[0xc0, code, 4, 0xff, 0xff, 0, 1]]));
        assert_eq!(outcome.treatment, Accept);
        assert_eq!(kept(code, &outcome.block), Some(vec![0xe0, code, 4, 0xff, 0xff, 0, 1]));
    }
}

#[test]
fn cve_2026_37459_frr_a_next_hop_characteristic_is_not_interpreted() {
    // Attribute 39 with a TLV that claims fewer octets than its own header has.
    let odd = [0xe0, 39, 8, 0, 1, 1, 4, 0, 3, 0, 0];
    let outcome = from_outside(&announcing(&[&odd]));
    assert_eq!((outcome.treatment, kept(39, &outcome.block)), (Accept, Some(odd.to_vec())));
}

#[test]
fn cve_2026_37460_frr_attribute_255_is_not_interpreted() {
    for len in 0..=32 {
        let odd = [&[0xe0, 255, len][..], &vec![0xff; usize::from(len)]].concat();
        let outcome = from_outside(&announcing(&[&odd]));
        assert_eq!((outcome.treatment, kept(255, &outcome.block)), (Accept, Some(odd)));
    }
}

#[test]
fn cve_2026_49943_bird_a_path_of_many_thousand_hops_is_read() {
    let value = [&[2, 255][..], &[1; 1020]].concat().repeat(60);
    let path = attribute(0x40, 2, &value);
    let outcome = from_outside(&body(&[ORIGIN, &path, NEXT_HOP], NLRI));
    assert_eq!((outcome.treatment, outcome.summary.as_path_len), (Accept, 60 * 255));
    assert_eq!(Attributes::new(&outcome.block).as_path().to_string().split(' ').count(), 60 * 255);
}

#[test]
fn bird_2_0_8_only_to_customer_keeps_its_length() {
    for flags in [0xc0, 0xe0] {
        let otc = [flags, 35, 4, 0, 0, 0xfc, 0];
        let outcome = from_outside(&announcing(&[&otc]));
        assert_eq!((outcome.treatment, kept(35, &outcome.block)), (Accept, Some(otc.to_vec())));
    }
    let wrong = [0xc0, 35, 8, 0, 0, 0xfc, 0, 0, 0, 0, 0];
    assert_eq!(from_outside(&announcing(&[&wrong])).treatment, TreatAsWithdraw);
}

#[test]
fn openbgpd_2009_a_path_beyond_255_is_split_into_segments() {
    let asns = (1..=256).map(Asn).collect();
    let mut out = Vec::new();
    PathAttribute::AsPath(vec![AsSegment { kind: SegmentKind::Sequence, asns }]).encode(&mut out);
    let path = Attributes::new(&out).as_path();
    assert_eq!((path.hops(), path.segments().count()), (256, 2));
}

#[test]
fn cve_2026_41643_gobgp_a_malformed_as4_path_before_as_path_is_discarded() {
    let two_octet = DecodeContext { four_octet_as: false, ..context(PeerKind::External) };
    let path = [0x40, 2, 4, 2, 1, 0xfc, 0];
    let update = body(&[&[0xc0, 17, 6, 2, 9, 0, 0, 0, 1], ORIGIN, &path, NEXT_HOP], NLRI);
    let outcome = receive(&update, &two_octet);
    assert_eq!((outcome.treatment, outcome.block), (DiscardAttribute, [ORIGIN, AS_PATH, NEXT_HOP].concat()));
}

#[test]
fn cve_2026_37461_gobgp_a_short_ipv6_extended_community_is_treated_as_withdraw() {
    for len in (0..60).filter(|len| *len == 0 || len % 20 != 0) {
        let outcome = from_outside(&announcing(&[&attribute(0xc0, 25, &vec![0; len])]));
        assert_eq!(outcome.treatment, TreatAsWithdraw, "{len}");
    }
}

#[test]
fn cve_2026_49838_gobgp_an_empty_path_of_an_external_peer_is_malformed() {
    for path in [&[0x40, 2, 0][..], &[0x40, 2, 6, 3, 1, 0, 0, 0xfc, 0]] {
        assert_eq!(from_outside(&body(&[ORIGIN, path, NEXT_HOP], NLRI)).treatment, TreatAsWithdraw);
    }
}
