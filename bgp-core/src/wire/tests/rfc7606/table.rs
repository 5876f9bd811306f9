//! An UPDATE, or several, for every row of [`fault_rules`]; each is a test with a name.

use super::*;
use crate::wire::rules::{FaultRule, fault_rules};

/// UPDATEs that all have the fault of one row.
struct Case {
    code: u8,
    fault: &'static str,
    ctx: fn() -> DecodeContext,
    updates: fn() -> Vec<Vec<u8>>,
}

impl Case {
    fn rule(&self) -> Option<FaultRule> {
        fault_rules().find(|rule| (rule.code, rule.fault) == (self.code, self.fault))
    }

    fn check(&self) {
        let rule = self.rule().expect("the table has no such row");
        for update in (self.updates)() {
            let outcome = receive(&update, &(self.ctx)());
            let told = || format!("{rule:?}: {} for {update:?}", outcome.text());
            assert_eq!(outcome.treatment, rule.treatment, "{}", told());
            let Some(worst) = outcome.faults.iter().max_by_key(|fault| fault.treatment) else {
                assert_eq!(rule.treatment, Accept, "{}", told());
                continue;
            };
            // These two speak of faults that have sections of their own.
            if !["RFC 7606 section 3 h", "RFC 7606 section 5.2"].contains(&rule.section) {
                assert_eq!(worst.kind.section(worst.code), rule.section, "{}", told());
            }
            assert!(rule.code == 0 || rule.code == worst.code, "{}", told());
        }
    }
}

/// `name: CODE "fault" session => octets of an attribute, …;` or `update` and whole bodies.
macro_rules! cases {
    ($($name:ident: $code:expr, $fault:literal, $ctx:expr => $kind:ident $([$($octets:tt)*])*;)*) => {
        $(#[test]
        fn $name() {
            CASES.iter().find(|case| (case.code, case.fault) == ($code, $fault)).unwrap().check();
        })*

        const CASES: &[Case] = &[$(Case {
            code: $code,
            fault: $fault,
            ctx: || $ctx,
            updates: || vec![$(cases!(@$kind [$($octets)*])),*],
        }),*];
    };
    (@attribute [$($octets:tt)*]) => { with(&[$($octets)*]) };
    (@narrow [$($octets:tt)*]) => { body(&[], &[ORIGIN, NARROW_PATH, NEXT_HOP, &[$($octets)*]], NLRI) };
    (@update [$($body:tt)*]) => { $($body)* };
}

const UNKNOWN: &[u8] = &[0xe0, 99, 1, 7];
const BAD_ORIGIN: &[u8] = &[0x40, 1, 1, 9];
const BAD_ATOMIC_AGGREGATE: &[u8] = &[0x40, 6, 1, 0];

fn v4_only() -> DecodeContext {
    DecodeContext { families: [BOTH[0]].into_iter().collect(), ..context(Internal) }
}

/// MP_REACH_NLRI with this octet changed.
fn mp_reach(at: usize, octet: u8) -> Vec<u8> {
    let mut attribute = MP_REACH.to_vec();
    attribute[at] = octet;
    body(&[], &[&attribute, ORIGIN, AS_PATH, NEXT_HOP], NLRI)
}

/// A path that takes more than 65535 octets once its AS numbers have four.
fn long_path() -> Vec<u8> {
    let segment: Vec<u8> = [2, 255].into_iter().chain([1; 510]).collect();
    let value = segment.repeat(70);
    let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[0x50, 2, high, low], &value[..]].concat()
}

cases! {
    update_lengths: 0, "a length field is missing or claims more than there is", context(Internal) => update
        [vec![]] [vec![0]] [vec![0, 0]] [vec![0, 0, 0]] [vec![0, 9, 0, 0]] [vec![0, 0, 0, 5, 0x40, 1, 1, 0]];
    update_unknown_well_known: 0, "an unknown attribute is marked well-known", context(External) => attribute
        [0x40, 99, 0] [0x00, 99, 1, 7];
    update_unknown_twice: 0, "an unknown attribute comes twice", context(External) => update
        [body(&[], &[ORIGIN, UNKNOWN, AS_PATH, NEXT_HOP, UNKNOWN], NLRI)];
    update_several_faults: 0, "of several faults the strongest treatment decides", context(External) => update
        [body(&[], &[BAD_ATOMIC_AGGREGATE, BAD_ORIGIN, AS_PATH, NEXT_HOP], NLRI)]
        [body(&[], &[BAD_ORIGIN, AS_PATH, NEXT_HOP, BAD_ATOMIC_AGGREGATE], NLRI)];
    update_overrun: 0, "an attribute reaches past the end, destinations are known", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x40, 5, 200, 0, 0]], NLRI)]
        [body(&[], &[ORIGIN, AS_PATH, MP_REACH, &[0xd0, 99, 0xff, 0xff]], &[])];
    update_cut_header: 0, "an attribute's header is cut off, destinations are known", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x40]], NLRI)]
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x40, 5]], NLRI)]
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x50, 5, 0]], NLRI)];
    update_mp_last: 0, "the MP attributes are not the first", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH, MP_REACH], &[])] [body(&[], &[ORIGIN, AS_PATH, MP_UNREACH], &[])];
    update_all_at_once: 0, "all four ways to list destinations are used at once", context(Internal) => update
        [body(&[16, 10, 2], &[MP_UNREACH, ORIGIN, AS_PATH, NEXT_HOP, MP_REACH], NLRI)];
    update_overrun_without_destinations: 0, "an attribute reaches past the end, nothing is announced", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH, &[0x40, 3, 200]], &[])] [body(NLRI, &[MP_UNREACH, &[0x40]], &[])];
    update_withdraw_without_destinations: 0, "treat as withdraw, but nothing is announced", context(Internal) => update
        [body(NLRI, &[BAD_ORIGIN], &[])] [body(&[], &[MP_UNREACH, &[0x80, 9, 0]], &[])];
    update_discard_without_destinations: 0, "attribute discard, and nothing is announced", context(Internal) => update
        [body(NLRI, &[BAD_ATOMIC_AGGREGATE], &[])];
    update_withdrawn: 0, "Withdrawn Routes can't be read", context(Internal) => update
        [body(&[33, 1, 2, 3, 4, 5], &[], &[])] [body(&[24, 1, 2], &[], &[])];
    update_nlri: 0, "Network Layer Reachability Information can't be read", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[33, 1, 2, 3, 4, 5])]
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[24, 1, 2])]
        [body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[16, 10, 1, 8])];

    origin_missing: code::ORIGIN, "is missing", context(Internal) => update
        [body(&[], &[AS_PATH, NEXT_HOP], NLRI)] [body(&[], &[AS_PATH, MP_REACH], &[])];
    origin_value: code::ORIGIN, "is none of 0, 1, 2", context(Internal) => attribute [0x40, 1, 1, 3] [0x40, 1, 1, 255];

    as_path_missing: code::AS_PATH, "is missing", context(Internal) => update
        [body(&[], &[ORIGIN, NEXT_HOP], NLRI)] [body(&[], &[ORIGIN, MP_REACH], &[])];
    as_path_segment_type: code::AS_PATH, "a segment's type is undefined", context(Internal) => attribute
        [0x40, 2, 6, 0, 1, 0, 0, 0, 1] [0x40, 2, 6, 5, 1, 0, 0, 0, 1] [0x40, 2, 12, 2, 1, 0, 0, 0, 1, 9, 1, 0, 0, 0, 1];
    as_path_empty_segment: code::AS_PATH, "a segment is empty", context(Internal) => attribute
        [0x40, 2, 2, 2, 0] [0x40, 2, 8, 2, 1, 0, 0, 0, 1, 1, 0];
    as_path_cut_off: code::AS_PATH, "a segment is cut off", context(Internal) => attribute
        [0x40, 2, 6, 2, 2, 0, 0, 0, 1] [0x40, 2, 5, 2, 1, 0, 0, 0];
    as_path_octet_left: code::AS_PATH, "a single octet is left after the last segment", context(Internal) => attribute
        [0x40, 2, 7, 2, 1, 0, 0, 0, 1, 2] [0x40, 2, 1, 2];
    as_path_empty: code::AS_PATH, "is empty, from an external peer", context(External) => attribute [0x40, 2, 0];
    as_path_confederation: code::AS_PATH, "has but a confederation's segments, from an external peer", context(External) => attribute
        [0x40, 2, 6, 3, 1, 0, 0, 0, 1] [0x40, 2, 6, 4, 1, 0, 0, 0, 1];
    as_path_mixed: code::AS_PATH, "has a confederation's segment among others, from an external peer", context(External) => attribute
        [0x40, 2, 12, 3, 1, 0, 0, 0, 1, 2, 1, 0, 0, 0, 1] [0x40, 2, 12, 2, 1, 0, 0, 0, 1, 4, 1, 0, 0, 0, 1];
    as_path_zero: code::AS_PATH, "holds AS number 0", context(Internal) => attribute
        [0x40, 2, 6, 2, 1, 0, 0, 0, 0] [0x40, 2, 10, 1, 2, 0, 0, 0, 1, 0, 0, 0, 0];
    as_path_too_long: code::AS_PATH, "is too long with four-octet AS numbers", two_octet(External) => update
        [body(&[], &[ORIGIN, &long_path(), NEXT_HOP], NLRI)];

    next_hop_missing: code::NEXT_HOP, "is missing, for IPv4 destinations", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH], NLRI)] [body(&[], &[ORIGIN, AS_PATH, MP_REACH], NLRI)];
    next_hop_ignored: code::NEXT_HOP, "is missing or malformed, beside MP_REACH_NLRI", context(Internal) => update
        [body(&[], &[ORIGIN, AS_PATH, MP_REACH], &[])] [body(&[], &[ORIGIN, AS_PATH, MP_REACH, &[0x40, 3, 1, 0]], &[])];
    next_hop_no_host: code::NEXT_HOP, "is no address of a host", context(Internal) => attribute
        [0x40, 3, 4, 0, 0, 0, 0] [0x40, 3, 4, 224, 0, 0, 5] [0x40, 3, 4, 255, 255, 255, 255];

    atomic_aggregate_flags: code::ATOMIC_AGGREGATE, "has wrong flags", context(External) => attribute
        [0xc0, 6, 0] [0x80, 6, 0] [0x00, 6, 0];
    aggregator_flags: code::AGGREGATOR, "has wrong flags", context(External) => attribute
        [0x40, 7, 8, 0, 0, 0, 9, 10, 0, 0, 1] [0x80, 7, 8, 0, 0, 0, 9, 10, 0, 0, 1];
    aggregator_zero: code::AGGREGATOR, "holds AS number 0", context(Internal) => attribute
        [0xc0, 7, 8, 0, 0, 0, 0, 10, 0, 0, 1];

    mp_reach_next_hop_length: code::MP_REACH_NLRI, "the next hop's length is not one of the family", context(Internal) => update
        [mp_reach(6, 4)] [mp_reach(6, 0)] [mp_reach(6, 15)];
    mp_reach_next_hop_past_the_end: code::MP_REACH_NLRI, "the next hop reaches past the end", context(Internal) => update
        [mp_reach(6, 200)] [mp_reach(6, 32)];
    mp_reach_no_host: code::MP_REACH_NLRI, "the next hop is no address of a host", context(Internal) => update
        [mp_reach(7, 0xff)];
    mp_reach_nlri: code::MP_REACH_NLRI, "destinations can't be read", context(Internal) => update
        [mp_reach(24, 129)] [mp_reach(24, 40)];
    mp_reach_family: code::MP_REACH_NLRI, "the family was not negotiated", v4_only() => update
        [body(&[], &[MP_REACH, ORIGIN, AS_PATH, NEXT_HOP], NLRI)];
    mp_unreach_nlri: code::MP_UNREACH_NLRI, "destinations can't be read", context(Internal) => update
        [body(&[], &[&[0x80, 15, 5, 0, 2, 1, 129, 0]], &[])] [body(&[], &[&[0x80, 15, 5, 0, 2, 1, 16, 0]], &[])];
    mp_unreach_family: code::MP_UNREACH_NLRI, "the family was not negotiated", v4_only() => update
        [body(&[], &[MP_UNREACH], &[])];

    as4_path_segment_type: code::AS4_PATH, "a segment's type is undefined", two_octet(External) => narrow
        [0xc0, 17, 6, 9, 1, 0, 1, 0, 0];
    as4_path_empty_segment: code::AS4_PATH, "a segment is empty", two_octet(External) => narrow
        [0xc0, 17, 8, 2, 1, 0, 1, 0, 0, 2, 0];
    as4_path_cut_off: code::AS4_PATH, "a segment is cut off", two_octet(External) => narrow
        [0xc0, 17, 6, 2, 2, 0, 1, 0, 0] [0xc0, 17, 7, 2, 1, 0, 1, 0, 0, 2];
    as4_path_zero: code::AS4_PATH, "holds AS number 0", two_octet(External) => narrow
        [0xc0, 17, 6, 2, 1, 0, 0, 0, 0];
    as4_path_confederation: code::AS4_PATH, "has a confederation's segment, which is ignored", two_octet(External) => narrow
        [0xc0, 17, 6, 3, 1, 0, 1, 0, 0];
    as4_aggregator_zero: code::AS4_AGGREGATOR, "holds AS number 0", two_octet(External) => narrow
        [0xc0, 18, 8, 0, 0, 0, 0, 10, 0, 0, 1];

    pmsi_identifier: code::PMSI_TUNNEL, "the identifier's length is not one of the tunnel type", context(External) => attribute
        [0xc0, 22, 5, 0, 6, 0, 0, 0] [0xc0, 22, 6, 0, 0, 0, 0, 0, 1] [0xc0, 22, 9, 0, 3, 0, 0, 0, 1, 2, 3, 4];
    pmsi_type: code::PMSI_TUNNEL, "the tunnel type is unknown here", context(External) => attribute
        [0xc0, 22, 6, 0, 99, 0, 0, 0, 1];

    tunnel_overrun: code::TUNNEL_ENCAPSULATION, "a tunnel reaches past the end", context(Internal) => attribute
        [0xc0, 23, 4, 0, 8, 0, 1] [0xc0, 23, 5, 0, 7, 0, 0, 0] [0xc0, 23, 4, 0xff, 0xff, 0xff, 0xff];
    tunnel_sub_tlv_overrun: code::TUNNEL_ENCAPSULATION, "a sub-TLV reaches past the end of its tunnel", context(Internal) => attribute
        [0xc0, 23, 6, 0, 8, 0, 2, 1, 200] [0xc0, 23, 5, 0, 8, 0, 1, 1] [0xc0, 23, 6, 0, 8, 0, 2, 128, 0]
        [0xc0, 23, 10, 0, 8, 0, 2, 1, 4, 0, 7, 0, 0];
    tunnel_sub_tlv_value: code::TUNNEL_ENCAPSULATION, "a sub-TLV's own value is malformed", context(Internal) => attribute
        [0xc0, 23, 7, 0, 8, 0, 3, 6, 1, 0];
    tunnel_type: code::TUNNEL_ENCAPSULATION, "a tunnel's type is unknown here", context(Internal) => attribute
        [0xc0, 23, 7, 0xff, 0, 0, 3, 6, 1, 0];

    traffic_engineering: 24, "any value: not known here, so dropped", context(External) => attribute
        [0x80, 24, 0] [0x80, 24, 3, 1, 2, 3];

    aigp_overrun: code::AIGP, "a TLV reaches past the end", context(Internal) => attribute
        [0x80, 26, 3, 1, 0, 11] [0x80, 26, 13, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9, 2, 0];
    aigp_header: code::AIGP, "a TLV's length does not count its own header", context(Internal) => attribute
        [0x80, 26, 3, 2, 0, 2] [0x80, 26, 3, 2, 0, 0];
    aigp_metric: code::AIGP, "the metric does not have 8 octets", context(Internal) => attribute
        [0x80, 26, 3, 1, 0, 3] [0x80, 26, 10, 1, 0, 10, 0, 0, 0, 0, 0, 0, 9] [0x80, 26, 12, 1, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    aigp_unknown: code::AIGP, "comes with unknown TLVs, or with several metrics", context(Internal) => attribute
        [0x80, 26, 4, 2, 0, 4, 7]
        [0x80, 26, 22, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 8];

    prefix_sid_overrun: code::PREFIX_SID, "a TLV reaches past the end", context(Internal) => attribute
        [0xc0, 40, 3, 1, 0xff, 0xff] [0xc0, 40, 4, 9, 0, 0, 1];
    prefix_sid_label_index: code::PREFIX_SID, "Label-Index does not have 7 octets", context(Internal) => attribute
        [0xc0, 40, 3, 1, 0, 0] [0xc0, 40, 9, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    prefix_sid_srgb: code::PREFIX_SID, "Originator SRGB is not made of whole ranges", context(Internal) => attribute
        [0xc0, 40, 3, 3, 0, 0] [0xc0, 40, 5, 3, 0, 2, 0, 0] [0xc0, 40, 10, 3, 0, 7, 0, 0, 1, 1, 1, 1, 1];
    prefix_sid_srv6: code::PREFIX_SID, "a sub-TLV reaches past the end of its SRv6 service", context(Internal) => attribute
        [0xc0, 40, 3, 5, 0, 0] [0xc0, 40, 7, 6, 0, 4, 0, 1, 0, 1];
    prefix_sid_unknown: code::PREFIX_SID, "comes with unknown TLVs", context(Internal) => attribute
        [0xc0, 40, 4, 9, 0, 1, 7];

    attr_set: 128, "any value: not known here, so passed on as it is", context(External) => attribute
        [0xe0, 128, 0] [0xe0, 128, 3, 1, 2, 3];
}

#[test]
fn every_row_of_the_table_has_a_case_and_every_case_a_row() {
    let rows: Vec<_> = fault_rules().map(|rule| (rule.code, rule.fault)).collect();
    let cases: Vec<_> = CASES.iter().map(|case| (case.code, case.fault)).collect();
    assert_eq!(rows, cases);
}
