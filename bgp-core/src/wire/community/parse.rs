//! Communities from text, as configuration and commands give them.

use std::net::Ipv4Addr;
use std::str::FromStr;

use super::{Administrator, Community, Extended, ExtendedCommunity, LargeCommunity};

/// Why a text is no community: what it is, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no {kind}: {expected}")]
pub struct CommunityError {
    text: String,
    kind: &'static str,
    expected: &'static str,
}

fn names() -> &'static str {
    "expected AS:number or one of graceful-shutdown, accept-own, llgr-stale, no-llgr, blackhole, no-export, \
     no-advertise, no-export-subconfed"
}

impl FromStr for Community {
    type Err = CommunityError;

    /// A name as in [`Community::name`], or `64512:100`.
    fn from_str(text: &str) -> Result<Community, CommunityError> {
        let error = |expected| CommunityError { text: text.to_owned(), kind: "community", expected };
        if let Some((community, _)) = Community::NAMED.iter().find(|(_, name)| *name == text) {
            return Ok(*community);
        }
        match numbers(text).as_deref() {
            Some([high, low]) => match (u16::try_from(*high), u16::try_from(*low)) {
                (Ok(high), Ok(low)) => Ok(Community(u32::from(high) << 16 | u32::from(low))),
                _ => Err(error("each number is at most 65535; larger ones need a large community, a:b:c")),
            },
            Some([_, _, _]) => Err(error("three numbers make a large community")),
            _ => Err(error(names())),
        }
    }
}

impl FromStr for LargeCommunity {
    type Err = CommunityError;

    /// `64512:1:2`.
    fn from_str(text: &str) -> Result<LargeCommunity, CommunityError> {
        let error = |expected| CommunityError { text: text.to_owned(), kind: "large community", expected };
        let parsed = numbers(text);
        match parsed.as_deref().map(|numbers| numbers.iter().map(|n| u32::try_from(*n)).collect::<Vec<_>>()) {
            Some(numbers) => match numbers[..] {
                [Ok(global), Ok(local1), Ok(local2)] => Ok(LargeCommunity { global, local1, local2 }),
                [_, _, _] => Err(error("each number is at most 4294967295")),
                [_, _] => Err(error("two numbers make a community; expected AS:number:number")),
                _ => Err(error("expected AS:number:number")),
            },
            None => Err(error("expected AS:number:number")),
        }
    }
}

/// The decimal numbers between colons; `None` if one of the parts is none.
fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split(':').map(number).collect()
}

/// Digits only: no sign, which `parse` would take.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl FromStr for ExtendedCommunity {
    type Err = CommunityError;

    /// `rt:` or `ro:` with `64512:100`, `10.0.0.1:100`, `70000:100` or `64512L:100` after it (the `L` asks for the
    /// form with a four-octet AS number), or any by its octets: `0x` and 16 digits.
    fn from_str(text: &str) -> Result<ExtendedCommunity, CommunityError> {
        let error = |expected| CommunityError { text: text.to_owned(), kind: "extended community", expected };
        if let Some(digits) = text.strip_prefix("0x") {
            return hexadecimal(digits).ok_or_else(|| error("after 0x come 16 hexadecimal digits"));
        }
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let meaning = match name {
            "rt" => Extended::RouteTarget,
            "ro" => Extended::RouteOrigin,
            _ => {
                return Err(error(
                    "expected rt:AS:number, rt:address:number, the same with ro, or 0x and 16 digits",
                ));
            }
        };
        administrator(rest).map(|by| meaning(by).into()).map_err(error)
    }
}

fn hexadecimal(digits: &str) -> Option<ExtendedCommunity> {
    let sound = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = sound.then(|| u64::from_str_radix(digits, 16).ok()).flatten()?;
    Some(ExtendedCommunity(number.to_be_bytes()))
}

fn administrator(text: &str) -> Result<Administrator, &'static str> {
    let malformed = "after rt: or ro: comes AS:number or IPv4-address:number";
    let small = "after an IPv4 address or an AS number over 65535 the number is at most 65535";
    let (by, assigned) = text.rsplit_once(':').ok_or(malformed)?;
    let assigned = number(assigned).ok_or(malformed)?;
    if let Ok(address) = by.parse::<Ipv4Addr>() {
        return Ok(Administrator::Ipv4(address, u16::try_from(assigned).map_err(|_| small)?));
    }
    let (asn, long) = by.strip_suffix('L').map_or((by, false), |asn| (asn, true));
    let asn = number(asn).ok_or(malformed)?;
    if let (Ok(asn), false) = (u16::try_from(asn), long) {
        let number = u32::try_from(assigned).map_err(|_| "the number is at most 4294967295")?;
        return Ok(Administrator::TwoOctetAs(asn, number));
    }
    let asn = u32::try_from(asn).map_err(|_| "an AS number is at most 4294967295")?;
    Ok(Administrator::FourOctetAs(asn, u16::try_from(assigned).map_err(|_| small)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn why<T: FromStr<Err = CommunityError> + std::fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_community_is_answered_with_what_was_meant() {
        for (text, part) in [
            ("64512:70000", "at most 65535; larger ones need a large community"),
            ("1:2:3", "three numbers make a large community"),
            ("no-exports", "no-export,"),
            ("", "expected AS:number"),
            ("1:+2", "expected AS:number"),
            (":", "expected AS:number"),
        ] {
            assert!(why::<Community>(text).contains(part), "{}", why::<Community>(text));
        }
        for (text, part) in [
            ("1:2", "two numbers make a community"),
            ("1:2:4294967296", "at most 4294967295"),
            ("1:2:x", "expected AS:number:number"),
        ] {
            assert!(why::<LargeCommunity>(text).contains(part), "{}", why::<LargeCommunity>(text));
        }
        for (text, part) in [
            ("64512:100", "expected rt:AS:number"),
            ("rt:64512", "after rt: or ro: comes"),
            ("rt:70000:65536", "at most 65535"),
            ("rt:10.0.0.1:65536", "at most 65535"),
            ("rt:1:4294967296", "at most 4294967295"),
            ("rt:4294967296:1", "an AS number is at most"),
            ("0x12", "16 hexadecimal digits"),
            ("0x+123456789abcdef", "16 hexadecimal digits"),
        ] {
            assert!(why::<ExtendedCommunity>(text).contains(part), "{}", why::<ExtendedCommunity>(text));
        }
    }

    #[test]
    fn every_name_is_read_back_and_stands_in_the_error() {
        for (community, name) in Community::NAMED {
            assert_eq!(name.parse(), Ok(community));
            assert!(names().contains(name));
        }
    }

    proptest! {
        #[test]
        fn a_community_is_read_back_from_its_text(bits: u32, global: u32, local1: u32, local2: u32) {
            prop_assert_eq!(Community(bits).to_string().parse(), Ok(Community(bits)));
            let large = LargeCommunity { global, local1, local2 };
            prop_assert_eq!(large.to_string().parse(), Ok(large));
        }

        #[test]
        fn route_targets_and_origins_are_read_back_from_their_text(kind in 0..3u8, subtype in 2..4u8, value: [u8; 6]) {
            let [a, b, c, d, e, f] = value;
            let community = ExtendedCommunity([kind, subtype, a, b, c, d, e, f]);
            prop_assert_eq!(community.to_string().parse(), Ok(community));
        }

        #[test]
        fn no_text_panics(text in "[rtoL0-9a-fx:.+-]{0,24}") {
            let _ = (text.parse::<Community>(), text.parse::<LargeCommunity>(), text.parse::<ExtendedCommunity>());
        }
    }
}
