//! Outbound route filters: what is read, written and refused.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::wire::header::MAX_LEN;
use crate::wire::{RouteRefresh, frame};
use crate::{Family, Ipv4Prefix, Ipv6Prefix, Prefix};

const V4: Family = Family::IPV4_UNICAST;
const V6: Family = Family::IPV6_UNICAST;

fn group(orf_type: u8, entries: &[u8]) -> OrfGroup<'_> {
    OrfGroup { orf_type, entries }
}

fn read(entries: &[u8]) -> Result<Vec<String>, OrfError> {
    group(ADDRESS_PREFIX, entries).prefixes(V4).map(|all| all.map(|entry| entry.to_string()).collect())
}

#[test]
fn entries_are_read_and_shown() {
    let entries = [
        &[0x80][..],
        &[0x00, 0, 0, 0, 5, 16, 24, 8, 10],
        &[0x20, 0, 0, 1, 0, 0, 0, 0],
        &[0x60, 0, 0, 0, 7, 0, 32, 12, 172, 16],
        &[0x00, 0, 0, 0, 8, 25, 0, 24, 192, 0, 2],
    ];
    let expected = [
        "remove-all",
        "add 5 permit 10.0.0.0/8 min 16 max 24",
        "add 256 deny 0.0.0.0/0",
        "remove 7 deny 172.16.0.0/12 max 32",
        "add 8 permit 192.0.2.0/24 min 25",
    ];
    assert_eq!(read(&entries.concat()).unwrap(), expected);
}

#[test]
fn reserved_bits_and_host_bits_are_not_kept() {
    assert_eq!(read(&[0x1f, 0, 0, 0, 1, 0, 0, 9, 10, 255]).unwrap(), ["add 1 permit 10.128.0.0/9"]);
    assert_eq!(read(&[0xbf]).unwrap(), ["remove-all"]);
}

#[test]
fn cisco_s_type_has_the_same_entries_and_others_are_not_read() {
    let entries = [0, 0, 0, 0, 1, 0, 0, 0];
    assert_eq!(group(ADDRESS_PREFIX_CISCO, &entries).prefixes(V4).unwrap().count(), 1);
    for orf_type in [0, 1, 63, 65, 127, 255] {
        assert_eq!(group(orf_type, &entries).prefixes(V4).unwrap_err(), OrfError::Type(orf_type));
    }
}

#[test]
fn a_group_with_one_bad_entry_is_refused_as_a_whole() {
    let good = [0, 0, 0, 0, 1, 0, 0, 8, 10];
    for cut in 1..good.len() {
        assert_eq!(read(&[&good[..], &good[..cut]].concat()), Err(OrfError::CutOff), "{cut}");
    }
    assert_eq!(read(&[&good[..], &[0xc0]].concat()), Err(OrfError::Action(3)));
    let vpn = Family { afi: 1, safi: 128 };
    assert_eq!(group(ADDRESS_PREFIX, &good).prefixes(vpn).unwrap_err(), OrfError::Family(vpn));
    assert_eq!(group(ADDRESS_PREFIX, &[0x80]).prefixes(vpn).unwrap().count(), 1);
}

// RFC 5292.
#[test]
fn lengths_out_of_order_are_refused() {
    let cases =
        [(33, 0, 0), (8, 8, 0), (8, 7, 24), (8, 0, 8), (8, 24, 16), (8, 33, 0), (8, 0, 33), (255, 255, 255)];
    for (len, min, max) in cases {
        let entry = [&[0, 0, 0, 0, 1, min, max, len][..], &[10; 32]].concat();
        assert_eq!(read(&entry), Err(OrfError::Lengths { len, min, max, limit: 32 }));
    }
    for (len, min, max) in [(32, 0, 0), (8, 9, 9), (31, 32, 32), (0, 1, 32), (0, 0, 1)] {
        let entry = [&[0, 0, 0, 0, 1, min, max, len][..], &vec![0; usize::from(len).div_ceil(8)]].concat();
        assert!(read(&entry).is_ok(), "{len} {min} {max}");
    }
}

#[test]
fn groups_follow_each_other_and_unknown_types_are_kept() {
    let octets = [2, 64, 0, 1, 0x80, 99, 0, 2, 7, 7, 128, 0, 0];
    let orf = Orf::parse(&octets).unwrap();
    let shown =
        "defer, address-prefix of 1 octets, orf-type-99 of 2 octets, address-prefix-cisco of 0 octets";
    assert_eq!(orf.to_string(), shown);
    let groups: Vec<_> = orf.groups().collect();
    assert_eq!(groups, [group(64, &[0x80]), group(99, &[7, 7]), group(128, &[])]);
    for cut in (0..octets.len()).filter(|cut| ![1, 5, 10].contains(cut)) {
        assert!(Orf::parse(&octets[..cut]).is_none(), "{cut}");
    }
}

#[test]
fn filters_that_fill_several_messages_ask_for_the_routes_once() {
    let request = RouteRefresh { family: V6, subtype: RouteRefresh::REQUEST };
    let filter = |sequence| {
        PrefixEntry::Add(AddressPrefix {
            kind: MatchKind::Deny,
            sequence,
            min_len: 0,
            max_len: 0,
            prefix: "2001:db8::1/128".parse().unwrap(),
        })
    };
    let mut bytes = Vec::new();
    let count = request.encode_orf(&mut bytes, MAX_LEN, WhenToRefresh::Immediate, 64, (0..500).map(filter));
    let (mut rest, mut whens, mut entries) = (&bytes[..], Vec::new(), Vec::new());
    while let Some(message) = frame(rest, MAX_LEN).unwrap() {
        let orf = RouteRefresh::orf(message.body).unwrap().unwrap();
        whens.push(orf.when);
        entries.extend(orf.groups().flat_map(|group| group.prefixes(V6).unwrap()));
        rest = &rest[message.len..];
    }
    assert_eq!(count, 3);
    assert_eq!(whens, [WhenToRefresh::Defer, WhenToRefresh::Defer, WhenToRefresh::Immediate]);
    assert_eq!(entries, (0..500).map(filter).collect::<Vec<_>>());
    bytes.clear();
    assert_eq!(request.encode_orf(&mut bytes, MAX_LEN, WhenToRefresh::Immediate, 64, []), 0);
    assert_eq!(bytes, []);
}

#[test]
fn every_time_to_refresh_has_its_number_and_name() {
    for code in 0..=u8::MAX {
        assert_eq!(WhenToRefresh::from_code(code).code(), code);
    }
    let names: Vec<String> = (0..3).map(|code| WhenToRefresh::from_code(code).to_string()).collect();
    assert_eq!(names, ["when-0", "immediate", "defer"]);
}

fn prefix(family: Family) -> BoxedStrategy<Prefix> {
    let v4 = |(bits, len): (u32, u8)| Prefix::V4(Ipv4Prefix::new(bits.into(), len).unwrap());
    let v6 = |(bits, len): (u128, u8)| Prefix::V6(Ipv6Prefix::new(bits.into(), len).unwrap());
    match family {
        V4 => (any::<u32>(), 0..=32u8).prop_map(v4).boxed(),
        _ => (any::<u128>(), 0..=128u8).prop_map(v6).boxed(),
    }
}

fn entry(family: Family) -> impl Strategy<Value = PrefixEntry> {
    let limit = if family == V4 { 32 } else { 128 };
    let filter = (any::<bool>(), any::<u32>(), any::<(u8, u8)>(), prefix(family)).prop_map(
        move |(permit, sequence, (min, max), prefix)| {
            let room = limit - prefix.len();
            let min_len = if room == 0 || min & 1 == 0 { 0 } else { prefix.len() + 1 + min % room };
            let above = if min_len == 0 { prefix.len() + 1 } else { min_len };
            let max_len = if room == 0 || max & 1 == 0 { 0 } else { above + max % (limit - above + 1) };
            let kind = if permit { MatchKind::Permit } else { MatchKind::Deny };
            AddressPrefix { kind, sequence, min_len, max_len, prefix }
        },
    );
    let removed = filter.clone().prop_map(PrefixEntry::Remove);
    prop_oneof![4 => filter.prop_map(PrefixEntry::Add), 1 => removed, 1 => Just(PrefixEntry::RemoveAll)]
}

proptest! {
    #[test]
    fn groups_of_filters_come_back_as_they_were_encoded(
        v4 in vec(vec(entry(V4), 0..20), 0..5), v6 in vec(vec(entry(V6), 0..20), 0..5), when: u8,
    ) {
        for (family, groups) in [(V4, v4), (V6, v6)] {
            let mut octets = vec![when];
            for entries in &groups {
                write_group(&mut octets, ADDRESS_PREFIX, |out| entries.iter().for_each(|entry| entry.encode(out)));
            }
            let orf = Orf::parse(&octets).unwrap();
            prop_assert_eq!(orf.when.code(), when);
            let read: Vec<Vec<PrefixEntry>> =
                orf.groups().map(|group| group.prefixes(family).unwrap().collect()).collect();
            prop_assert_eq!(read, groups);
        }
    }

    #[test]
    fn any_octets_are_entries_or_refused(octets in vec(prop_oneof![0..4u8, any::<u8>()], 0..80), v6: bool) {
        let family = if v6 { V6 } else { V4 };
        if let Ok(entries) = group(ADDRESS_PREFIX, &octets).prefixes(family) {
            let mut again = Vec::new();
            let read: Vec<_> = entries.collect();
            read.iter().for_each(|entry| entry.encode(&mut again));
            prop_assert_eq!(again.len(), octets.len());
            prop_assert_eq!(group(ADDRESS_PREFIX, &again).prefixes(family).unwrap().collect::<Vec<_>>(), read);
        }
        if let Some(orf) = Orf::parse(&octets) {
            let len: usize = orf.groups().map(|group| 3 + group.entries.len()).sum();
            prop_assert_eq!(1 + len, octets.len());
        }
    }
}
