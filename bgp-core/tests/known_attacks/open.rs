//! OPEN and its capabilities.

use bgp_core::wire::{Capability, MessageType, Open};

use crate::rig::{Peer, ends_with, goes_on, message, open_body};

/// What a session answers to an OPEN with these octets from the optional parameters' length on.
fn answer(parameters: &[u8]) -> (Vec<crate::rig::Answer>, bool) {
    Peer::open_sent().hears(&message(MessageType::Open, &open_body(parameters)))
}

/// An OPEN whose only parameter holds `capabilities`.
fn with_capabilities(capabilities: &[u8]) -> Vec<u8> {
    let len = u8::try_from(capabilities.len()).unwrap();
    [&[len + 2, 2, len][..], capabilities].concat()
}

#[test]
fn cve_2022_40302_frr_extended_parameters_three_octets_short_are_an_open_error() {
    for parameters in [&[255][..], &[255, 255], &[255, 255, 0]] {
        assert_eq!(answer(parameters), ends_with(2, 0, &[]), "{parameters:?}");
    }
}

#[test]
fn cve_2022_40318_frr_extended_parameters_cut_off_anywhere_are_an_open_error() {
    let whole = [255, 255, 0, 9, 2, 0, 6, 65, 4, 0, 0, 0xfc, 0];
    assert_eq!(answer(&whole), goes_on());
    for cut in 1..whole.len() {
        assert_eq!(answer(&whole[..cut]), ends_with(2, 0, &[]), "{cut}");
    }
}

#[test]
fn cve_2022_43681_frr_an_open_that_ends_at_its_parameters_length_is_an_open_error() {
    for len in 1..=255 {
        assert_eq!(answer(&[len]), ends_with(2, 0, &[]), "{len}");
    }
    assert_eq!(answer(&[0]), goes_on());
}

#[test]
fn cve_2022_36440_frr_a_four_octet_as_capability_cut_off_is_an_open_error() {
    let whole = with_capabilities(&[65, 4, 0, 0, 0xfc, 0]);
    assert_eq!(answer(&whole), goes_on());
    for cut in 1..whole.len() {
        assert_eq!(answer(&whole[..cut]), ends_with(2, 0, &[]), "{cut}");
    }
    // The capability claims more than its parameter has.
    assert_eq!(answer(&[8, 2, 6, 65, 200, 0, 0, 0xfc, 0]), ends_with(2, 0, &[]));
}

#[test]
fn cve_2023_31489_frr_a_short_long_lived_restart_capability_is_ignored() {
    for len in [1, 2, 3, 6, 8, 13] {
        let capability = [&[71, len][..], &vec![0; usize::from(len)]].concat();
        assert_eq!(answer(&with_capabilities(&capability)), goes_on(), "{len}");
    }
}

#[test]
fn cve_2023_41361_frr_a_software_version_longer_than_its_capability_is_ignored() {
    assert_eq!(answer(&with_capabilities(&[75, 3, 200, b'x', b'y'])), goes_on());
}

#[test]
fn cve_2025_43971_gobgp_a_software_version_of_length_zero_is_ignored() {
    assert_eq!(answer(&with_capabilities(&[75, 0])), goes_on());
    assert_eq!(answer(&with_capabilities(&[75, 1, 0])), goes_on());
}

#[test]
fn cve_2024_31949_frr_a_capability_with_an_entry_of_odd_length_does_not_stop_the_loop() {
    for (code, lens) in [(64, [3, 4, 5, 7]), (1, [1, 2, 3, 5]), (69, [1, 3, 5, 7])] {
        for len in lens {
            let capability = [&[code, len][..], &vec![0; usize::from(len)]].concat();
            assert_eq!(answer(&with_capabilities(&capability)), goes_on(), "{code} {len}");
        }
    }
}

#[test]
fn cve_2018_5381_quagga_a_multiprotocol_capability_for_an_unknown_family_is_passed_over() {
    let unknown = [1, 4, 0x40, 4, 0, 71];
    let ipv4 = [1, 4, 0, 1, 0, 1];
    assert_eq!(answer(&with_capabilities(&[unknown, ipv4].concat())), goes_on());
}

#[test]
fn cve_2026_49837_gobgp_a_short_capability_does_not_reach_into_the_next() {
    let open = Open::parse(&open_body(&with_capabilities(&[1, 2, 0, 1, 2, 0]))).unwrap();
    let short = Capability::Unknown { code: 1, value: vec![0, 1] };
    assert_eq!(open.capabilities, [short, Capability::RouteRefresh]);
}
