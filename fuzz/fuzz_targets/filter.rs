//! Texts that filters hold: patterns of AS paths and of communities, ranges of prefixes. The first line is one of them, the
//! second what it is asked about.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bgp_core::wire::{AsPath, AsWidth, Community};
use bgp_core::{Asn, Prefix};
use bgp_rib::filter::{
    AsPathPattern, CommunityPattern, ExtendedCommunityPattern, LargeCommunityPattern, PrefixRange,
};
use fuzz::pattern;
use libfuzzer_sys::fuzz_target;

/// What can be read, and is the same again when what is shown of it is read.
fn read<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            assert!(shown.parse::<T>().is_ok_and(|again| again == value), "{text} is shown as {shown}");
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// An AS_PATH of one AS for each letter.
fn path(letters: &str) -> Vec<u8> {
    let numbers: Vec<u8> = letters.bytes().map(|letter| letter % pattern::ASES).take(255).collect();
    let mut value = vec![2, numbers.len() as u8];
    value.extend(numbers.iter().flat_map(|number| u32::from(*number).to_be_bytes()));
    if numbers.is_empty() { Vec::new() } else { value }
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (text, asked) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(of_paths) = read::<AsPathPattern>(text) {
        let value = path(asked);
        let path = AsPath::new(&value, AsWidth::Four);
        let asns: Vec<Asn> = path.asns().collect();
        assert_eq!(of_paths.matches(path), pattern::matches(text, &asns), "{text} and {path}");
    }
    if let Some(range) = read::<PrefixRange>(text) {
        assert!(range.prefix.len() <= range.ge && range.ge <= range.le);
        if let Ok(prefix) = asked.parse::<Prefix>() {
            let inside = range.prefix.covers(&prefix) && (range.ge..=range.le).contains(&prefix.len());
            assert_eq!(range.contains(prefix), inside, "{range} and {prefix}");
        }
    }
    if let Some(of_communities) = read::<CommunityPattern>(text) {
        if let Ok(community) = text.parse::<Community>() {
            assert!(of_communities.matches(community), "{of_communities} is {community}");
        }
    }
    read::<LargeCommunityPattern>(text);
    read::<ExtendedCommunityPattern>(text);
});
