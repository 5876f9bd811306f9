//! Capabilities: what is read, written and shown.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn samples() -> Vec<Capability> {
    vec![
        Capability::Multiprotocol(Family::IPV6_UNICAST),
        Capability::RouteRefresh,
        Capability::OutboundRouteFilter(vec![
            OrfFamily {
                family: Family::IPV4_UNICAST,
                types: vec![(64, SendReceive::Both), (128, SendReceive::Send), (9, SendReceive::Other(7))],
            },
            OrfFamily { family: Family::IPV6_UNICAST, types: vec![] },
        ]),
        Capability::ExtendedNextHop(vec![ExtendedNextHop { family: Family::IPV4_UNICAST, next_hop_afi: 2 }]),
        Capability::ExtendedMessage,
        Capability::MultipleLabels(vec![LabelCount { family: Family::IPV4_UNICAST, count: 255 }]),
        Capability::Role(Role::Customer),
        Capability::GracefulRestart(GracefulRestart {
            restarted: true,
            notification: true,
            restart_time: 120,
            families: vec![RestartFamily { family: Family::IPV4_UNICAST, forwarding: true }],
        }),
        Capability::FourOctetAs(Asn(4_200_000_000)),
        Capability::AddPath(vec![(Family::IPV4_UNICAST, SendReceive::Both)]),
        Capability::EnhancedRouteRefresh,
        Capability::LongLivedGracefulRestart(vec![LongLived {
            family: Family::IPV6_UNICAST,
            forwarding: false,
            stale_time: 86_400,
        }]),
        Capability::Fqdn { hostname: "node-7".into(), domain: "example".into() },
        Capability::SoftwareVersion("router/1.0".into()),
        Capability::RouteRefreshCisco,
        Capability::OutboundRouteFilterCisco(vec![OrfFamily {
            family: Family::IPV6_UNICAST,
            types: vec![(128, SendReceive::Receive)],
        }]),
        Capability::Unknown { code: 222, value: vec![1, 2] },
    ]
}

#[test]
fn every_capability_reads_back_what_was_written() {
    let mut bytes = Vec::new();
    samples().iter().for_each(|capability| capability.encode(&mut bytes));
    assert_eq!(Capability::parse_all(&bytes), Some(samples()));
}

#[test]
fn every_capability_shows_its_name_and_value() {
    let shown: Vec<String> = samples().iter().map(Capability::to_string).collect();
    assert_eq!(
        shown,
        [
            "multiprotocol ipv6",
            "route-refresh",
            "outbound-route-filtering ipv4/address-prefix:both/address-prefix-cisco:send/orf-type-9:mode-7 ipv6",
            "extended-next-hop ipv4/next-hop-afi2",
            "extended-message",
            "multiple-labels ipv4/255",
            "role customer",
            "graceful-restart 120s restarted notification ipv4/forwarding",
            "four-octet-as 4200000000",
            "add-path ipv4/both",
            "enhanced-route-refresh",
            "long-lived-graceful-restart ipv6/86400s",
            "fqdn node-7.example",
            "software-version \"router/1.0\"",
            "route-refresh-cisco",
            "outbound-route-filtering-cisco ipv6/address-prefix-cisco:receive",
            "capability-222 0x0102",
        ]
    );
}

#[test]
fn a_value_cut_off_anywhere_is_kept_as_unknown_or_is_a_shorter_list() {
    for capability in samples() {
        let mut bytes = Vec::new();
        capability.encode(&mut bytes);
        for cut in 2..bytes.len() {
            let parsed = Capability::parse(bytes[0], &bytes[2..cut]);
            assert_ne!(parsed, capability);
        }
    }
}

// CVE-2023-31489: a short long-lived graceful restart capability.
#[test]
fn a_short_long_lived_entry_makes_the_capability_unknown() {
    for len in [1, 3, 6, 8, 13] {
        let value = vec![0; len];
        assert_eq!(Capability::parse(71, &value), Capability::Unknown { code: 71, value });
    }
}

// CVE-2023-41361 and CVE-2025-43971: the length of the version is too big, or zero.
#[test]
fn a_software_version_with_a_wrong_length_is_unknown() {
    for value in [vec![], vec![0], vec![200, b'x'], vec![1, b'x', b'y'], vec![1, 0xff]] {
        assert_eq!(Capability::parse(75, &value), Capability::Unknown { code: 75, value });
    }
}

// CVE-2024-31949: an entry of unexpected length must not stop the loop from advancing.
#[test]
fn graceful_restart_with_a_partial_family_is_unknown() {
    for extra in [1, 2, 3, 5] {
        let value = vec![0; 2 + extra];
        assert_eq!(Capability::parse(64, &value), Capability::Unknown { code: 64, value });
    }
}

// CVE-2026-49837: a capability was read past its own length into the next one.
#[test]
fn a_short_capability_does_not_reach_into_the_next() {
    let parsed = Capability::parse_all(&[1, 2, 0, 1, 2, 0]);
    let short = Capability::Unknown { code: 1, value: vec![0, 1] };
    assert_eq!(parsed, Some(vec![short, Capability::RouteRefresh]));
}

#[test]
fn a_capability_longer_than_its_parameter_is_an_error_of_the_open() {
    assert_eq!(Capability::parse_all(&[65, 4, 0, 0]), None);
    assert_eq!(Capability::parse_all(&[65]), None);
    assert_eq!(Capability::parse_all(&[]), Some(vec![]));
}

#[test]
fn a_value_too_long_for_its_length_octet_is_left_out() {
    let mut bytes = Vec::new();
    Capability::SoftwareVersion("x".repeat(300)).encode(&mut bytes);
    Capability::Unknown { code: 200, value: vec![0; 256] }.encode(&mut bytes);
    assert_eq!(bytes, []);
}

#[test]
fn control_characters_of_a_peer_are_escaped() {
    let shown = Capability::SoftwareVersion("\u{1b}[31m".into()).to_string();
    assert_eq!(shown, "software-version \"\\u{1b}[31m\"");
}

#[test]
fn the_longest_value_is_written_and_one_octet_more_is_not() {
    for (len, written) in [(254, 257), (255, 0)] {
        let mut bytes = Vec::new();
        Capability::SoftwareVersion("x".repeat(len)).encode(&mut bytes);
        assert_eq!(bytes.len(), written);
    }
    let mut bytes = Vec::new();
    let types = vec![(64, SendReceive::Both); 300];
    Capability::OutboundRouteFilter(vec![OrfFamily { family: Family::IPV4_UNICAST, types }])
        .encode(&mut bytes);
    assert_eq!(bytes, []);
}

#[test]
fn times_that_do_not_fit_are_written_as_the_longest() {
    let mut bytes = Vec::new();
    let entry = LongLived { family: Family::IPV4_UNICAST, forwarding: false, stale_time: 1 << 24 };
    Capability::LongLivedGracefulRestart(vec![entry]).encode(&mut bytes);
    assert_eq!(bytes, [71, 7, 0, 1, 1, 0, 0xff, 0xff, 0xff]);
    bytes.clear();
    let restart = GracefulRestart { restart_time: u16::MAX, ..Default::default() };
    Capability::GracefulRestart(restart).encode(&mut bytes);
    assert_eq!(bytes, [64, 2, 0x0f, 0xff]);
}

// RFC 7911 section 4.
#[test]
fn add_path_with_an_undefined_mode_is_unknown_as_a_whole() {
    for mode in [0, 4, 255] {
        let value = vec![0, 1, 1, 3, 0, 2, 1, mode];
        assert_eq!(Capability::parse(69, &value), Capability::Unknown { code: 69, value });
    }
}

// RFC 5291 section 4 has no word on an undefined mode, so it takes nothing from the types beside it.
#[test]
fn a_route_filter_with_an_undefined_mode_leaves_the_others() {
    let Capability::OutboundRouteFilter(entries) = Capability::parse(3, &[0, 1, 0, 1, 2, 64, 3, 65, 9])
    else {
        panic!("not typed")
    };
    let modes: Vec<_> = entries[0].types.iter().map(|(_, mode)| (mode.sends(), mode.receives())).collect();
    assert_eq!(modes, [(true, true), (false, false)]);
}

#[test]
fn a_route_filter_that_counts_more_types_than_there_are_is_unknown() {
    for value in
        [vec![0, 1, 0, 1], vec![0, 1, 0, 1, 2, 64, 3], vec![0, 1, 0, 1, 1, 64], vec![0, 1, 0, 1, 0, 0]]
    {
        assert_eq!(Capability::parse(3, &value), Capability::Unknown { code: 3, value });
    }
}

#[test]
fn a_family_or_next_hop_nobody_knows_keeps_its_place_in_the_list() {
    let value = [0x40, 4, 0, 71, 0, 9, 0, 1, 0, 1, 0, 2];
    let Capability::ExtendedNextHop(entries) = Capability::parse(5, &value) else { panic!("not typed") };
    assert_eq!((entries.len(), entries[0].next_hop_afi, entries[1].next_hop_afi), (2, 9, 2));
}

#[test]
fn numbers_and_names_of_roles_and_modes_go_together() {
    for code in 0..=u8::MAX {
        assert_eq!(Role::from_code(code).code(), code);
        assert_eq!(SendReceive::from_code(code).code(), code);
    }
    assert_eq!(Capability::parse(9, &[5]).to_string(), "role 5");
}

// RFC 9234 section 4.2, table 2.
#[test]
fn roles_have_their_counterparts() {
    let pairs = Role::ALL.map(|role| (role.code(), role.counterpart().unwrap().code()));
    assert_eq!(pairs, [(0, 3), (1, 2), (2, 1), (3, 0), (4, 4)]);
    assert_eq!(Role::Other(5).counterpart(), None);
}

/// Which bits of octet `at` of the value of capability `code` are not reserved.
fn used_bits(code: u8, at: usize) -> u8 {
    match (code, at) {
        (1, 2) => 0,
        (5, at) if at % 6 == 2 => 0,
        (64, 0) => 0xcf,
        (64, at) if at >= 2 && at % 4 == 1 => 0x80,
        (71, at) if at % 7 == 3 => 0x80,
        _ => 0xff,
    }
}

#[test]
fn reserved_bits_are_read_as_if_they_were_clear() {
    for (code, len) in [(1, 4), (5, 12), (64, 10), (71, 14)] {
        let set = vec![0xff; len];
        let clear: Vec<u8> = (0..len).map(|at| used_bits(code, at)).collect();
        assert_eq!(Capability::parse(code, &set), Capability::parse(code, &clear));
        assert!(!matches!(Capability::parse(code, &set), Capability::Unknown { .. }));
    }
    assert_eq!(Capability::parse(3, &[0, 1, 9, 1, 0]), Capability::parse(3, &[0, 1, 0, 1, 0]));
}

fn family() -> impl Strategy<Value = Family> {
    let any = (any::<u16>(), any::<u8>()).prop_map(|(afi, safi)| Family { afi, safi });
    prop_oneof![Just(Family::IPV4_UNICAST), Just(Family::IPV6_UNICAST), any]
}

fn orf_families() -> impl Strategy<Value = Vec<OrfFamily>> {
    let types = vec((any::<u8>(), any::<u8>().prop_map(SendReceive::from_code)), 0..10);
    vec((family(), types).prop_map(|(family, types)| OrfFamily { family, types }), 0..10)
}

fn graceful_restart() -> impl Strategy<Value = GracefulRestart> {
    let entry =
        (family(), any::<bool>()).prop_map(|(family, forwarding)| RestartFamily { family, forwarding });
    (any::<bool>(), any::<bool>(), 0..=4095u16, vec(entry, 0..60)).prop_map(
        |(restarted, notification, restart_time, families)| GracefulRestart {
            restarted,
            notification,
            restart_time,
            families,
        },
    )
}

/// Any typed capability that fits into its length octet.
pub(in crate::wire) fn any_capability() -> impl Strategy<Value = Capability> {
    let mode = (1..=3u8).prop_map(SendReceive::from_code);
    let next_hop =
        (family(), any::<u16>()).prop_map(|(family, next_hop_afi)| ExtendedNextHop { family, next_hop_afi });
    let labels = (family(), any::<u8>()).prop_map(|(family, count)| LabelCount { family, count });
    let long_lived = (family(), any::<bool>(), 0..1u32 << 24)
        .prop_map(|(family, forwarding, stale_time)| LongLived { family, forwarding, stale_time });
    prop_oneof![
        family().prop_map(Capability::Multiprotocol),
        Just(Capability::RouteRefresh),
        orf_families().prop_map(Capability::OutboundRouteFilter),
        vec(next_hop, 0..40).prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        vec(labels, 0..60).prop_map(Capability::MultipleLabels),
        any::<u8>().prop_map(|code| Capability::Role(Role::from_code(code))),
        graceful_restart().prop_map(Capability::GracefulRestart),
        any::<u32>().prop_map(|asn| Capability::FourOctetAs(Asn(asn))),
        vec((family(), mode), 0..60).prop_map(Capability::AddPath),
        Just(Capability::EnhancedRouteRefresh),
        vec(long_lived, 0..30).prop_map(Capability::LongLivedGracefulRestart),
        (".{0,30}", ".{0,30}").prop_map(|(hostname, domain)| Capability::Fqdn { hostname, domain }),
        ".{1,60}".prop_map(Capability::SoftwareVersion),
        Just(Capability::RouteRefreshCisco),
        orf_families().prop_map(Capability::OutboundRouteFilterCisco),
        (200..=255u8, vec(any::<u8>(), 0..=255))
            .prop_map(|(code, value)| Capability::Unknown { code, value }),
    ]
}

proptest! {
    #[test]
    fn a_typed_capability_comes_back_as_it_was_encoded(capability in any_capability()) {
        let mut bytes = Vec::new();
        capability.encode(&mut bytes);
        prop_assert_eq!(bytes.len(), 2 + usize::from(bytes[1]));
        prop_assert_eq!(Capability::parse(bytes[0], &bytes[2..]), capability);
    }

    #[test]
    fn any_value_is_read_shown_and_written_again_but_for_reserved_bits(
        code in prop_oneof![0..10u8, 64..77u8, 127..132u8, any::<u8>()],
        value in vec(any::<u8>(), 0..=255),
        few in vec(0..4u8, 0..30),
    ) {
        for value in [value, few] {
            let capability = Capability::parse(code, &value);
            prop_assert!(!capability.to_string().is_empty());
            let mut bytes = Vec::new();
            capability.encode(&mut bytes);
            prop_assert_eq!(&Capability::parse(bytes[0], &bytes[2..]), &capability);
            let typed = !matches!(capability, Capability::Unknown { .. });
            let orf = matches!(code, 3 | 130); // its reserved octet has no fixed place
            let used = |at| if typed { used_bits(code, at) } else { 0xff };
            let expected: Vec<u8> = value.iter().enumerate().map(|(at, octet)| octet & used(at)).collect();
            prop_assert_eq!(bytes.len() - 2, value.len());
            prop_assert!(&bytes[2..] == expected.as_slice() || typed && orf);
        }
    }
}
