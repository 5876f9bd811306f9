//! Destinations of other families than unicast.

use Treatment::{DisableFamily, TreatAsWithdraw};
use bgp_core::Family;
use bgp_core::wire::Treatment;

use crate::rig::{AS_PATH, ORIGIN, Outcome, body, from_inside, from_outside, mp};

/// An UPDATE that announces `nlri`, which is fine but for them.
fn announce(family: Family, next_hop: &[u8], nlri: &[u8]) -> Outcome {
    let [high, low] = family.afi.to_be_bytes();
    let len = u8::try_from(next_hop.len()).unwrap();
    let reach = mp(14, &[&[high, low, family.safi, len], next_hop, &[0], nlri]);
    from_inside(&body(&[&reach, ORIGIN, AS_PATH], &[]))
}

fn flow(nlri: &[u8]) -> Outcome {
    announce(Family::IPV4_FLOWSPEC, &[], nlri)
}

/// Destination prefix 10.0.0.0/8.
const FLOW: &[u8] = &[3, 1, 8, 10];

#[test]
fn cve_2023_38406_frr_a_flow_specification_of_length_zero_is_refused() {
    assert_eq!(flow(FLOW).treatment, Treatment::Accept);
    for nlri in [&[0][..], &[0, 0], &[0xf0, 0], &[3, 1, 8, 10, 0]] {
        assert_eq!(flow(nlri).treatment, DisableFamily, "{nlri:?}");
    }
}

#[test]
fn cve_2023_38407_frr_a_labeled_prefix_past_the_end_is_refused() {
    let whole = [44, 0, 0x06, 0x41, 10, 1, 0x10]; // label 100, 10.1.16.0/20
    assert_eq!(announce(Family::IPV4_LABELED, &[10, 0, 0, 1], &whole).treatment, Treatment::Accept);
    for cut in 1..whole.len() {
        let outcome = announce(Family::IPV4_LABELED, &[10, 0, 0, 1], &whole[..cut]);
        assert_eq!(outcome.treatment, DisableFamily, "{cut}");
    }
    for bits in (0..24).chain(57..=255) {
        let mut wrong = [whole.as_slice(), &[0; 40]].concat();
        wrong[0] = bits;
        assert_eq!(announce(Family::IPV4_LABELED, &[10, 0, 0, 1], &wrong).treatment, DisableFamily, "{bits}");
    }
}

#[test]
fn cve_2023_41909_frr_a_flow_specification_without_attributes_is_treated_as_withdraw() {
    let reach = mp(14, &[&[0, 1, 133, 0, 0], FLOW]);
    let outcome = from_outside(&body(&[&reach], &[]));
    assert_eq!((outcome.treatment, outcome.faults.len()), (TreatAsWithdraw, 2));
}

#[test]
fn cve_2026_37457_frr_a_list_of_operators_that_does_not_end_is_refused() {
    for operators in 1..=120 {
        let component = [&[3][..], &[0x01, 6].repeat(operators)].concat();
        let nlri = [&[u8::try_from(component.len()).unwrap()][..], &component].concat();
        assert_eq!(flow(&nlri).treatment, DisableFamily, "{operators}");
    }
}

#[test]
fn bird_3_3_2_a_flow_specification_of_the_greatest_length_is_read() {
    let mut component = [&[3][..], &[0x01, 6].repeat(2046)].concat();
    let last = component.len() - 2;
    component[last] = 0x81;
    let len = 0xf000 | u16::try_from(component.len()).unwrap();
    let nlri = [&len.to_be_bytes()[..], &component].concat();
    assert_eq!(flow(&nlri).treatment, Treatment::Accept);
}

#[test]
fn cve_2025_43972_gobgp_a_flow_specification_cut_off_anywhere_is_refused() {
    let whole = [14, 1, 24, 192, 0, 2, 3, 0x81, 6, 4, 0x03, 25, 0x91, 0x1f, 0x90];
    assert_eq!(flow(&whole).treatment, Treatment::Accept);
    for cut in 1..whole.len() {
        assert_eq!(flow(&whole[..cut]).treatment, DisableFamily, "{cut}");
        let mut inner = whole[..cut].to_vec();
        inner[0] = u8::try_from(cut - 1).unwrap();
        let boundary = matches!(cut, 6 | 9);
        let expected = if boundary { Treatment::Accept } else { DisableFamily };
        assert_eq!(flow(&inner).treatment, expected, "{cut}");
    }
}
