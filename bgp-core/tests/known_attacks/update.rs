//! UPDATE as a whole: its lengths, its mandatory attributes, what it may be taken for.

use Treatment::{Accept, DisableFamily, ResetSession, TreatAsWithdraw};
use bgp_core::wire::{Attributes, FaultKind, Notification, Treatment, UpdateView, attribute_name};
use bgp_core::{PeerKind, V6};

use crate::rig::{AS_PATH, NLRI, ORIGIN, announcing, body, context, from_inside, from_outside, mp};

/// 2001:db8::/32
const PREFIX: &[u8] = &[32, 0x20, 0x01, 0x0d, 0xb8];
const IPV6: &[u8] = &[0, 2, 1];

/// MP_REACH_NLRI of 2001:db8::/32 by way of fd00::1.
fn mp_reach() -> Vec<u8> {
    mp(14, &[IPV6, &[16, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[0], PREFIX])
}

#[test]
fn cve_2023_41358_frr_destinations_without_attributes_are_treated_as_withdraw() {
    let outcome = from_inside(&body(&[], NLRI));
    assert_eq!((outcome.treatment, outcome.faults.len()), (TreatAsWithdraw, 3));
}

#[test]
fn cve_2023_46753_frr_only_an_unknown_transitive_attribute_is_treated_as_withdraw() {
    assert_eq!(from_inside(&body(&[&[0xc0, 99, 0]], NLRI)).treatment, TreatAsWithdraw);
}

#[test]
fn cve_2023_46752_frr_a_malformed_mp_reach_disables_its_family_or_resets() {
    let whole = mp_reach();
    for len in 0..whole.len() - 4 {
        let outcome = from_inside(&body(&[&mp(14, &[&whole[4..4 + len]]), ORIGIN, AS_PATH], &[]));
        let expected = match len {
            0..5 => ResetSession, // shorter than the attribute can be
            21 => Accept,         // nothing announced
            _ => DisableFamily,
        };
        assert_eq!(outcome.treatment, expected, "{len}");
    }
}

#[test]
fn cve_2026_37458_frr_an_mp_next_hop_of_any_length_is_no_crash() {
    for len in 0..=255u8 {
        let next_hop = vec![0xfd; usize::from(len)];
        let attribute = mp(14, &[IPV6, &[len], &next_hop, &[0], PREFIX]);
        let expected = if matches!(len, 16 | 32) { Accept } else { DisableFamily };
        assert_eq!(from_inside(&body(&[&attribute, ORIGIN, AS_PATH], &[])).treatment, expected, "{len}");
        // It claims more than there is.
        let attribute = mp(14, &[IPV6, &[len], &[0; 3]]);
        let treatment = from_inside(&body(&[&attribute, ORIGIN, AS_PATH], &[])).treatment;
        assert!(treatment == DisableFamily, "{len}: {treatment}");
    }
}

#[test]
fn cve_2023_47234_frr_mp_unreach_beside_destinations_without_attributes_is_treated_as_withdraw() {
    let update = body(&[&mp(15, &[IPV6, PREFIX])], NLRI);
    assert_eq!(from_inside(&update).treatment, TreatAsWithdraw);
    let ctx = context(PeerKind::Internal);
    let view = UpdateView::parse(&update, &ctx).unwrap();
    assert_eq!(view.mp_unreach().unwrap().nlri_of::<V6>().count(), 1);
}

#[test]
fn cve_2023_47235_frr_a_malformed_update_is_no_end_of_rib() {
    let end_of_rib = mp(15, &[IPV6]);
    assert_eq!(from_inside(&body(&[&end_of_rib, &[0x40]], &[])).treatment, ResetSession);
    let update = body(&[&end_of_rib], NLRI);
    assert_eq!(from_inside(&update).treatment, TreatAsWithdraw);
    let ctx = context(PeerKind::Internal);
    assert_eq!(UpdateView::parse(&update, &ctx).unwrap().end_of_rib(), None);
    assert!(UpdateView::parse(&body(&[&end_of_rib], &[]), &ctx).unwrap().end_of_rib().is_some());
}

#[test]
fn cve_2017_15865_frr_a_notification_holds_nothing_but_what_was_received() {
    let overrun = [0x40, 5, 255, 1];
    let notification = from_inside(&body(&[&overrun], &[])).notification;
    assert_eq!(notification, Some(Notification::with_data(3, 1, overrun.to_vec())));
}

#[test]
fn cve_2026_37462_gobgp_length_fields_cannot_underflow() {
    for lengths in 0..=u16::MAX {
        let [withdrawn, attributes] = lengths.to_be_bytes();
        let outcome = from_inside(&[0, withdrawn, 0, attributes, 0]);
        let expected = match (withdrawn, attributes) {
            (0, 0) => TreatAsWithdraw, // announces 0.0.0.0/0 without attributes
            (1, 0) => Accept,          // withdraws it
            _ => ResetSession,
        };
        assert_eq!(outcome.treatment, expected, "{withdrawn} {attributes}");
    }
}

#[test]
fn cve_2026_42285_gobgp_what_is_treated_as_withdraw_still_lists_its_destinations() {
    let update = body(&[&mp_reach(), &[0x40, 1, 9]], NLRI);
    let ctx = context(PeerKind::Internal);
    let view = UpdateView::parse(&update, &ctx).unwrap();
    assert_eq!(view.treatment(), TreatAsWithdraw);
    assert_eq!((view.announced().count(), view.mp_reach().unwrap().nlri_of::<V6>().count()), (1, 1));
}

#[test]
fn cve_2023_38283_openbgpd_a_bad_attribute_length_consumes_the_whole_attribute() {
    let communities = [0xc0, 8, 3, 1, 2, 3];
    let outcome = from_outside(&announcing(&[&communities, &[0xe0, 99, 1, 7]]));
    assert_eq!((outcome.treatment, outcome.faults.len()), (TreatAsWithdraw, 1));
}

#[test]
fn cve_2026_41642_gobgp_an_unknown_attribute_marked_well_known_is_treated_as_withdraw() {
    for code in (11..=255).filter(|code| attribute_name(*code).is_none()) {
        let outcome = from_outside(&announcing(&[&[0x40, code, 0]]));
        assert_eq!(
            (outcome.treatment, &outcome.faults[0].kind),
            (TreatAsWithdraw, &FaultKind::UnknownWellKnown)
        );
    }
}

#[test]
fn frr_22563_a_framing_fault_without_reachable_destinations_resets() {
    let cut_off = [0x40, 3, 200];
    assert_eq!(from_outside(&body(&[ORIGIN, AS_PATH, &cut_off], &[])).treatment, ResetSession);
    assert_eq!(from_outside(&body(&[ORIGIN, AS_PATH, &cut_off], NLRI)).treatment, TreatAsWithdraw);
}

#[test]
fn cve_2018_5379_quagga_repeated_cluster_lists_and_unknown_attributes_are_kept_once() {
    let (cluster, unknown) = ([0x80, 10, 4, 1, 1, 1, 1], [0xe0, 99, 1, 0]);
    let twice: [&[u8]; 4] = [&cluster, &unknown, &cluster, &unknown];
    let outcome = from_inside(&announcing(&twice));
    assert_eq!((outcome.treatment, outcome.summary.cluster_list_len), (Treatment::DiscardAttribute, 1));
    assert_eq!(Attributes::new(&outcome.block).iter().count(), 5);
}

#[test]
fn cve_2026_30405_gobgp_a_short_next_hop_is_treated_as_withdraw() {
    for len in (0..=255).filter(|len| *len != 4) {
        let next_hop = [&[0x40, 3, len][..], &vec![10; usize::from(len)]].concat();
        let outcome = from_outside(&body(&[ORIGIN, AS_PATH, &next_hop], NLRI));
        assert_eq!(outcome.treatment, TreatAsWithdraw, "{len}");
    }
}
