//! UPDATEs that broke other implementations, each named by the record of it.

use super::*;
use PeerKind::{External, Internal};
use Treatment::{Accept, DisableFamily, DiscardAttribute, ResetSession, TreatAsWithdraw};

fn announcing(extra: &[&[u8]]) -> Vec<u8> {
    body(&[], &[&[ORIGIN, AS_PATH, NEXT_HOP], extra].concat(), NLRI)
}

#[test]
fn cve_2019_5892_and_2023_38802_an_unknown_attribute_however_odd_passes_through() {
    for code in [11, 13, 23, 40, 128, 255] {
        let odd = [0xe0, code, 4, 0xff, 0xff, 0, 1];
        let outcome = receive(&announcing(&[&odd]), &context(External));
        assert_eq!(outcome.treatment, Accept);
        assert_eq!(Attributes::new(&outcome.block).get(code).unwrap().whole, odd);
    }
}

#[test]
fn cve_2023_31490_and_2024_31948_a_prefix_sid_is_not_interpreted() {
    let prefix_sid = [0xe0, 40, 3, 1, 0xff, 0xff];
    let outcome = receive(&announcing(&[&prefix_sid]), &context(Internal));
    assert_eq!((outcome.treatment, outcome.block.ends_with(&prefix_sid)), (Accept, true));
}

#[test]
fn cve_2023_41358_destinations_without_attributes_are_treated_as_withdraw() {
    let outcome = receive(&body(&[], &[], NLRI), &context(Internal));
    assert_eq!((outcome.treatment, outcome.faults.len()), (TreatAsWithdraw, 3));
}

#[test]
fn cve_2023_41359_a_short_aigp_is_dropped() {
    let outcome = receive(&announcing(&[&[0x80, 26, 1, 1]]), &context(Internal));
    assert_eq!((outcome.treatment, outcome.block), (Accept, [ORIGIN, AS_PATH, NEXT_HOP].concat()));
}

#[test]
fn cve_2023_46752_and_2026_37458_a_bad_mp_reach_disables_or_resets() {
    for len in 0..26 {
        let mut cut = MP_REACH[..3 + len].to_vec();
        cut[2] = u8::try_from(len).unwrap();
        let outcome = receive(&body(&[], &[&cut, ORIGIN, AS_PATH], &[]), &context(Internal));
        let expected = match len {
            0..5 => ResetSession,
            21 => Accept, // nothing announced
            _ => DisableFamily,
        };
        assert_eq!(outcome.treatment, expected, "{len}: {}", outcome.text());
    }
}

#[test]
fn cve_2023_46753_only_an_unknown_transitive_attribute_is_treated_as_withdraw() {
    let outcome = receive(&body(&[], &[&[0xc0, 99, 0]], NLRI), &context(Internal));
    assert_eq!(outcome.treatment, TreatAsWithdraw);
}

#[test]
fn cve_2023_47234_mp_unreach_beside_destinations_without_attributes_is_treated_as_withdraw() {
    let update = body(&[], &[MP_UNREACH], NLRI);
    assert_eq!(receive(&update, &context(Internal)).treatment, TreatAsWithdraw);
    let view = UpdateView::parse(&update, &context(Internal)).unwrap();
    assert_eq!(view.mp_unreach().unwrap().nlri_of::<crate::V6>().count(), 1);
}

#[test]
fn cve_2023_47235_a_malformed_update_is_no_end_of_rib() {
    let empty_mp_unreach = [0x80, 15, 3, 0, 2, 1];
    let update = body(&[], &[&empty_mp_unreach, &[0x40]], &[]);
    assert_eq!(receive(&update, &context(Internal)).treatment, ResetSession);
    let update = body(&[], &[&empty_mp_unreach], NLRI);
    let view = UpdateView::parse(&update, &context(Internal)).unwrap();
    assert_eq!(view.end_of_rib(), None);
}

#[test]
fn cve_2017_15865_a_notification_holds_nothing_but_the_message() {
    let overrun = [0x40, 5, 255, 1];
    let outcome = receive(&body(&[], &[&overrun], &[]), &context(Internal));
    assert_eq!(outcome.notification, Some((3, 1, overrun.to_vec())));
}

#[test]
fn cve_2018_5379_repeated_cluster_lists_and_unknown_attributes_are_kept_once() {
    let (cluster, unknown) = ([0x80, 10, 4, 1, 1, 1, 1], [0xe0, 99, 1, 0]);
    let twice: [&[u8]; 4] = [&cluster, &unknown, &cluster, &unknown];
    let outcome = receive(&announcing(&twice), &context(Internal));
    assert_eq!((outcome.treatment, outcome.summary.cluster_list_len), (DiscardAttribute, 1));
    assert_eq!(Attributes::new(&outcome.block).iter().count(), 5);
}

#[test]
fn cve_2026_49943_a_path_of_many_thousand_hops_is_read() {
    let value = [&[2, 255][..], &[1; 1020]].concat().repeat(60);
    let mut path = vec![0x50, 2];
    path.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    path.extend(value);
    let outcome = receive(&body(&[], &[ORIGIN, &path, NEXT_HOP], NLRI), &context(External));
    assert_eq!((outcome.treatment, outcome.summary.as_path_len), (Accept, 60 * 255));
}

#[test]
fn bird_only_to_customer_a_forwarded_attribute_keeps_its_length() {
    let otc = [0xe0, 35, 4, 0, 0, 0xfc, 0];
    let outcome = receive(&announcing(&[&otc]), &context(External));
    assert!(outcome.block.ends_with(&otc));
}

#[test]
fn cve_2023_38283_a_bad_length_consumes_the_whole_attribute() {
    let communities = [0xc0, 8, 3, 1, 2, 3];
    let outcome = receive(&announcing(&[&communities, &[0xe0, 99, 1, 7]]), &context(External));
    assert_eq!((outcome.treatment, outcome.faults.len()), (TreatAsWithdraw, 1));
}

#[test]
fn openbgpd_2009_a_path_beyond_255_is_split_into_segments() {
    let asns = (1..=256).map(crate::Asn).collect();
    let mut out = Vec::new();
    PathAttribute::AsPath(vec![AsSegment { kind: SegmentKind::Sequence, asns }]).encode(&mut out);
    let path = Attributes::new(&out).as_path();
    assert_eq!((path.hops(), path.segments().count()), (256, 2));
}

#[test]
fn cve_2026_30405_a_short_next_hop_is_treated_as_withdraw() {
    for len in 0..4 {
        let next_hop = [&[0x40, 3, len][..], &vec![10; usize::from(len)]].concat();
        let outcome = receive(&body(&[], &[ORIGIN, AS_PATH, &next_hop], NLRI), &context(External));
        assert_eq!(outcome.treatment, TreatAsWithdraw);
    }
}

#[test]
fn cve_2026_41643_an_as4_path_before_as_path_and_malformed_is_discarded() {
    let path = [0x40, 2, 4, 2, 1, 0xfc, 0];
    let update = body(&[], &[&[0xc0, 17, 6, 2, 9, 0, 0, 0, 1], ORIGIN, &path, NEXT_HOP], NLRI);
    let outcome = receive(&update, &two_octet(External));
    assert_eq!((outcome.treatment, outcome.block), (DiscardAttribute, [ORIGIN, AS_PATH, NEXT_HOP].concat()));
}

#[test]
fn cve_2026_41642_an_unknown_well_known_attribute_is_treated_as_withdraw() {
    for code in (11..=255).filter(|code| attribute_name(*code).is_none()) {
        let outcome = receive(&announcing(&[&[0x40, code, 0]]), &context(External));
        assert_eq!(outcome.treatment, TreatAsWithdraw);
    }
}

#[test]
fn cve_2026_42285_what_is_treated_as_withdraw_still_lists_its_destinations() {
    let update = body(&[], &[MP_REACH, &[0x40, 1, 9]], NLRI);
    let view = UpdateView::parse(&update, &context(Internal)).unwrap();
    assert_eq!(view.treatment(), TreatAsWithdraw);
    assert_eq!((view.announced().count(), view.mp_reach().unwrap().nlri_of::<crate::V6>().count()), (1, 1));
}

#[test]
fn cve_2026_37461_a_short_ipv6_extended_community_is_treated_as_withdraw() {
    let outcome = receive(&announcing(&[&[0xc0, 25, 4, 0, 2, 0, 1]]), &context(External));
    assert_eq!(outcome.treatment, TreatAsWithdraw);
}

#[test]
fn cve_2026_37462_length_fields_cannot_underflow() {
    for lengths in 0..=u16::MAX {
        let [withdrawn, attributes] = lengths.to_be_bytes();
        let outcome = receive(&[0, withdrawn, 0, attributes, 0], &context(Internal));
        let expected = match (withdrawn, attributes) {
            (0, 0) => TreatAsWithdraw, // announces 0.0.0.0/0 without attributes
            (1, 0) => Accept,          // withdraws it
            _ => ResetSession,
        };
        assert_eq!(outcome.treatment, expected, "{withdrawn} {attributes}");
    }
}

#[test]
fn cve_2026_49838_an_empty_path_of_an_external_peer_is_malformed() {
    for path in [&[0x40, 2, 0][..], &[0x40, 2, 6, 3, 1, 0, 0, 0xfc, 0]] {
        let outcome = receive(&body(&[], &[ORIGIN, path, NEXT_HOP], NLRI), &context(External));
        assert_eq!(outcome.treatment, TreatAsWithdraw);
    }
}

#[test]
fn frr_22563_a_framing_fault_without_reachable_destinations_resets() {
    let outcome = receive(&body(&[], &[ORIGIN, AS_PATH, &[0x40, 3, 200]], &[]), &context(External));
    assert_eq!(outcome.treatment, ResetSession);
}
