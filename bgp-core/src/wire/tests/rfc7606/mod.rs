//! RFC 7606: `attributes` and `table` are made from the table, a test for each of its rows; here is what a row does
//! not say, by section.

mod attributes;
mod page;
mod table;

use super::*;
use PeerKind::{External, Internal};
use Treatment::{Accept, DisableFamily, DiscardAttribute, ResetSession, TreatAsWithdraw};

/// AS_PATH of a session with two-octet AS numbers.
const NARROW_PATH: &[u8] = &[0x40, 2, 4, 2, 1, 0xfc, 0];

/// An UPDATE that is fine but for `attribute`.
fn with(attribute: &[u8]) -> Vec<u8> {
    let mandatory = [ORIGIN, AS_PATH, NEXT_HOP].into_iter().filter(|known| known[1] != attribute[1]);
    let attributes: Vec<&[u8]> = mandatory.chain([attribute]).collect();
    body(&[], &attributes, NLRI)
}

/// The only fault of an UPDATE that is fine but for `attribute`: treatment and text.
fn fault_of(attribute: &[u8], ctx: &DecodeContext) -> (Treatment, String) {
    let outcome = receive(&with(attribute), ctx);
    assert_eq!(outcome.faults.len(), 1, "{}", outcome.text());
    assert_eq!(outcome.faults[0].treatment, outcome.treatment);
    let kept = Attributes::new(&outcome.block).get(attribute[1]);
    assert!(kept.is_none(), "a faulty attribute was kept");
    assert_eq!(outcome.block.is_empty(), outcome.treatment > DiscardAttribute);
    (outcome.treatment, outcome.faults[0].kind.to_string())
}

#[track_caller]
fn assert_fault(kind: PeerKind, attribute: &[u8], treatment: Treatment, text: &str) {
    let (got, why) = fault_of(attribute, &context(kind));
    assert!(got == treatment && why.contains(text), "{got}: {why}");
}

#[track_caller]
fn assert_clean(kind: PeerKind, attribute: &[u8]) {
    let outcome = receive(&with(attribute), &context(kind));
    assert_eq!(outcome.treatment, Accept, "{}", outcome.text());
    assert!(Attributes::new(&outcome.block).get(attribute[1]).is_some());
}

#[test]
fn a_sound_update_is_accepted_octet_for_octet() {
    let outcome = receive(&body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], NLRI), &context(External));
    assert_eq!((outcome.treatment, outcome.block), (Accept, [ORIGIN, AS_PATH, NEXT_HOP].concat()));
}

#[test]
fn what_looks_odd_but_is_allowed_is_kept() {
    assert_clean(Internal, &[0x40, 2, 0]);
    assert_clean(Internal, &[0x40, 2, 6, 3, 1, 0, 0, 0, 1]);
    assert_clean(Internal, &[0x40, 3, 4, 127, 0, 0, 1]);
}

#[test]
fn s3c_wrong_flags_are_treated_as_withdraw() {
    assert_fault(Internal, &[0x80, 1, 1, 0], TreatAsWithdraw, "flags are 0x80, expected 0x40");
    assert_fault(Internal, &[0xc0, 2, 6, 2, 1, 0, 0, 0xfc, 0], TreatAsWithdraw, "flags");
    assert_fault(Internal, &[0xc0, 4, 4, 0, 0, 0, 1], TreatAsWithdraw, "flags");
    assert_fault(Internal, &[0x40, 8, 4, 0, 1, 0, 1], TreatAsWithdraw, "flags");
    assert_fault(Internal, &[0x80, 32, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], TreatAsWithdraw, "flags");
}

#[test]
fn s3c_partial_and_unused_flags_are_no_fault_and_are_cleared() {
    let outcome = receive(&with(&[0x6f, 1, 1, 0]), &context(Internal));
    assert_eq!(outcome.treatment, Accept);
    assert_eq!(Attributes::new(&outcome.block).get(1).unwrap().flags, 0x40);
}

#[test]
fn s3d_next_hop_is_not_mandatory_with_mp_reach_and_then_ignored() {
    let outcome = receive(&body(&[], &[MP_REACH, ORIGIN, AS_PATH], &[]), &context(Internal));
    assert_eq!(outcome.treatment, Accept, "{}", outcome.text());
    let bad_next_hop = [0x40, 3, 1, 0];
    let outcome = receive(&body(&[], &[ORIGIN, MP_REACH, &bad_next_hop, AS_PATH], &[]), &context(Internal));
    assert_eq!((outcome.treatment, outcome.block), (Accept, [ORIGIN, AS_PATH].concat()));
}

#[test]
fn s3g_of_other_attributes_that_come_twice_the_first_is_kept() {
    let unknown = |value| [0xe0, 99, 1, value];
    let other_path = [0x40, 2, 6, 2, 1, 0, 0, 0, 9];
    let attributes = [ORIGIN, AS_PATH, NEXT_HOP, &other_path, &unknown(1), &unknown(2)];
    let outcome = receive(&body(&[], &attributes, NLRI), &context(External));
    assert_eq!((outcome.treatment, outcome.faults.len()), (DiscardAttribute, 2));
    assert_eq!(outcome.block, [ORIGIN, AS_PATH, NEXT_HOP, &unknown(1)].concat());
}

#[test]
fn s3g_an_attribute_that_comes_a_thousand_times_is_one_fault() {
    let many = [0xc0, 99, 0].repeat(1000);
    let outcome = receive(&body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &many], NLRI), &context(External));
    assert_eq!((outcome.treatment, outcome.faults.len()), (DiscardAttribute, 1));
}

#[test]
fn s5_2_a_fault_without_reachable_destinations_resets() {
    let bad_origin = [0x40, 1, 1, 9];
    let outcome = receive(&body(NLRI, &[&bad_origin], &[]), &context(Internal));
    assert_eq!(outcome.notification, Some((3, 6, bad_origin.to_vec())));
    let outcome = receive(&body(&[], &[ORIGIN, MP_UNREACH, &[0x40, 2, 9]], &[]), &context(Internal));
    assert_eq!(outcome.treatment, ResetSession);
}

#[test]
fn s5_3_destinations_that_cannot_be_read_reset_or_disable_their_family() {
    let mandatory = [ORIGIN, AS_PATH, NEXT_HOP];
    for nlri in [&[33, 1, 2, 3, 4, 5][..], &[24, 1, 2], &[16, 10, 1, 8]] {
        let outcome = receive(&body(&[], &mandatory, nlri), &context(Internal));
        assert_eq!(outcome.notification, Some((3, 10, vec![])), "{nlri:?}");
    }
    let reach = |nlri: &[u8]| {
        let mut attribute = MP_REACH[..24].to_vec();
        attribute.extend(nlri);
        attribute[2] = u8::try_from(attribute.len() - 3).unwrap();
        attribute
    };
    for attribute in [reach(&[129, 0]), reach(&[64, 0x20]), vec![0x80, 15, 5, 0, 2, 1, 129, 0]] {
        let update = body(&[], &[&attribute, ORIGIN, AS_PATH], &[]);
        let outcome = receive(&update, &context(Internal));
        assert_eq!(outcome.treatment, DisableFamily);
        let notification = outcome.faults[0].notification(&update);
        assert_eq!(notification, Notification::with_data(3, 9, attribute), "if it is reset nevertheless");
    }
}

#[test]
fn s5_3_mp_attributes_too_short_or_with_wrong_flags_reset() {
    for (attribute, subcode) in [
        (&[0x80, 14, 4, 0, 2, 1, 0][..], 5),
        (&[0x80, 15, 2, 0, 2], 5),
        (&[0xc0, 15, 3, 0, 2, 1], 4),
        (&[0x40, 14, 5, 0, 2, 1, 0, 0], 4),
    ] {
        let outcome = receive(&body(&[], &[ORIGIN, attribute], &[]), &context(Internal));
        assert_eq!(outcome.notification, Some((3, subcode, attribute.to_vec())));
    }
}

#[test]
fn rfc_6793_as4_attributes_are_discarded_where_they_are_malformed_or_have_no_place() {
    assert_fault(Internal, &[0xc0, 17, 6, 2, 1, 0, 1, 0, 0], DiscardAttribute, "four-octet AS numbers");
    let narrow_path: &[u8] = &[0x40, 2, 4, 2, 1, 0xfc, 0];
    for attribute in [
        &[0xc0, 17, 5, 2, 1, 0, 1, 0][..],
        &[0xc0, 17, 6, 2, 2, 0, 1, 0, 0],
        &[0xc0, 17, 6, 9, 1, 0, 1, 0, 0],
        &[0xc0, 17, 6, 2, 1, 0, 0, 0, 0],
        &[0xc0, 18, 6, 0, 1, 10, 0, 0, 1],
        &[0xc0, 18, 8, 0, 0, 0, 0, 10, 0, 0, 1],
    ] {
        let update = body(&[], &[ORIGIN, narrow_path, NEXT_HOP, attribute], NLRI);
        let outcome = receive(&update, &two_octet(External));
        assert_eq!((outcome.treatment, outcome.faults.len()), (DiscardAttribute, 1), "{attribute:?}");
        assert_eq!(outcome.block, [ORIGIN, AS_PATH, NEXT_HOP].concat());
    }
}

#[test]
fn rfc_6793_a_two_octet_session_gives_four_octet_attributes() {
    let path = [0x40, 2, 6, 2, 2, 0xfc, 0, 0x5b, 0xa0]; // 64512 AS_TRANS
    let aggregator = [0xc0, 7, 6, 0x5b, 0xa0, 10, 0, 0, 1];
    let as4_path = [0xc0, 17, 6, 2, 1, 0, 1, 0x11, 0x70]; // 70000
    let as4_aggregator = [0xc0, 18, 8, 0, 1, 0x11, 0x70, 10, 0, 0, 1];
    let attributes = [&as4_path, ORIGIN, &path, NEXT_HOP, &aggregator, &as4_aggregator];
    let outcome = receive(&body(&[], &attributes, NLRI), &two_octet(External));
    let wide = Attributes::new(&outcome.block);
    assert_eq!((outcome.treatment, wide.as_path().to_string()), (Accept, "64512 70000".into()));
    assert_eq!(wide.aggregator().unwrap().0.0, 70000);
    assert_eq!(wide.iter().map(|a| a.code).collect::<Vec<_>>(), [1, 2, 3, 7]);
    assert_eq!((outcome.summary.as_path_len, outcome.summary.neighbor_as.unwrap().0), (2, 64512));
}

#[test]
fn rfc_6793_an_aggregator_that_is_not_as_trans_overrules_the_as4_attributes() {
    let path = [0x40, 2, 6, 2, 2, 0xfc, 0, 0x5b, 0xa0];
    let aggregator = [0xc0, 7, 6, 0, 9, 10, 0, 0, 1];
    let as4_path = [0xc0, 17, 6, 2, 1, 0, 1, 0x11, 0x70];
    let as4_aggregator = [0xc0, 18, 8, 0, 1, 0x11, 0x70, 10, 0, 0, 1];
    let attributes = [ORIGIN, &path, NEXT_HOP, &aggregator, &as4_path, &as4_aggregator];
    let outcome = receive(&body(&[], &attributes, NLRI), &two_octet(External));
    let wide = Attributes::new(&outcome.block);
    assert_eq!(wide.as_path().to_string(), "64512 23456");
    assert_eq!(wide.aggregator().unwrap().0.0, 9);
}

#[test]
fn an_unknown_transitive_attribute_is_kept_and_marked_partial() {
    let outcome = receive(&with(&[0xd0, 99, 0, 3, 1, 2, 3]), &context(External));
    assert_eq!(outcome.treatment, Accept);
    let kept = Attributes::new(&outcome.block).get(99).unwrap();
    assert_eq!(kept.whole, [0xf0, 99, 0, 3, 1, 2, 3]);
}

#[test]
fn an_unknown_attribute_that_is_not_transitive_is_dropped_quietly() {
    let outcome = receive(&with(&[0x80, 99, 3, 1, 0, 11]), &context(External));
    assert_eq!((outcome.treatment, outcome.block), (Accept, [ORIGIN, AS_PATH, NEXT_HOP].concat()));
}

#[test]
fn a_family_that_was_not_negotiated_is_ignored() {
    let v4_only = DecodeContext { families: [BOTH[0]].into_iter().collect(), ..context(Internal) };
    let update = body(&[], &[MP_REACH, ORIGIN, AS_PATH, NEXT_HOP], NLRI);
    let view = UpdateView::parse(&update, &v4_only).unwrap();
    assert_eq!((view.treatment(), view.mp_reach()), (DiscardAttribute, None));
    assert_eq!(view.announced().count(), 1);
    let v6_only = DecodeContext { families: [BOTH[1]].into_iter().collect(), ..context(Internal) };
    let view = UpdateView::parse(&update, &v6_only).unwrap();
    assert_eq!((view.treatment(), view.announced().count()), (DiscardAttribute, 0));
    assert!(view.mp_reach().is_some());
}

#[test]
fn s5_2_destinations_that_are_ignored_or_unreadable_are_reachable_all_the_same() {
    let v4_only = DecodeContext { families: [BOTH[0]].into_iter().collect(), ..context(Internal) };
    let v6_only = DecodeContext { families: [BOTH[1]].into_iter().collect(), ..context(Internal) };
    let unreadable = [&[0x80, 14, 22][..], &MP_REACH[3..24], &[129]].concat();
    let announces = |ctx: &DecodeContext, attributes: &[&[u8]], nlri: &[u8]| {
        let update = body(&[], attributes, nlri);
        UpdateView::parse(&update, ctx).unwrap().announces()
    };
    assert!(announces(&v4_only, &[MP_REACH], &[]) && announces(&v6_only, &[], NLRI));
    assert!(announces(&context(Internal), &[&unreadable], &[]));
    let nothing = [&[0x80, 14, 21][..], &MP_REACH[3..24]].concat();
    for attributes in [&[][..], &[ORIGIN], &[MP_UNREACH], &[&nothing]] {
        assert!(!announces(&context(Internal), attributes, &[]), "{attributes:?}");
    }
}

#[test]
fn an_mp_next_hop_that_is_no_host_is_treated_as_withdraw() {
    let mut multicast = MP_REACH.to_vec();
    multicast[7] = 0xff;
    let update = body(&[], &[&multicast, ORIGIN, AS_PATH], &[]);
    let view = UpdateView::parse(&update, &context(Internal)).unwrap();
    assert_eq!(view.treatment(), TreatAsWithdraw);
    assert_eq!(view.mp_reach().unwrap().nlri_of::<crate::V6>().count(), 1);
}

#[test]
fn the_end_of_rib_of_each_family_is_known() {
    let of = |body: &[u8]| UpdateView::parse(body, &context(Internal)).unwrap().end_of_rib();
    assert_eq!(of(&[0, 0, 0, 0]), Some(BOTH[0]));
    assert_eq!(of(&body(&[], &[&[0x80, 15, 3, 0, 2, 1]], &[])), Some(BOTH[1]));
    assert_eq!(of(&body(&[], &[&[0x90, 15, 0, 3, 0, 2, 1]], &[])), Some(BOTH[1]));
    assert_eq!(of(&body(NLRI, &[], &[])), None);
    assert_eq!(of(&body(&[], &[MP_UNREACH], &[])), None);
    assert_eq!(of(&body(&[], &[&[0x80, 15, 3, 0, 2, 1], ORIGIN], &[])), None);
    assert_eq!(of(&body(NLRI, &[&[0x80, 15, 3, 0, 2, 1]], &[])), None);
}
