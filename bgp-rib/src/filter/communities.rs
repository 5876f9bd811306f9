//! Patterns that communities match.

use std::fmt;
use std::str::FromStr;

use bgp_core::wire::community::{Administrator, CommunityError, Extended};
use bgp_core::wire::{Community, ExtendedCommunity, LargeCommunity};

use super::error::ParseError;

/// Communities of RFC 1997 that have some bits in common.
///
/// As text: a community, or one with `*` for a number: `64512:*`, `*:100`, `no-export`.
///
/// ```
/// use bgp_rib::filter::CommunityPattern;
///
/// let pattern: CommunityPattern = "64512:*".parse()?;
/// assert!(pattern.matches("64512:7".parse()?) && !pattern.matches("64513:7".parse()?));
/// assert_eq!(pattern.to_string(), "64512:*");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommunityPattern {
    mask: u32,
    value: u32,
}

impl CommunityPattern {
    /// Whether `community` is one of them.
    #[must_use]
    pub fn matches(self, community: Community) -> bool {
        community.0 & self.mask == self.value
    }
}

impl From<Community> for CommunityPattern {
    fn from(community: Community) -> CommunityPattern {
        CommunityPattern { mask: u32::MAX, value: community.0 }
    }
}

impl FromStr for CommunityPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<CommunityPattern, ParseError> {
        // A number in the place of each `*` makes a community, whose faults are told as such.
        let community: Community =
            text.replace('*', "0").parse().map_err(|error| of::<Community>(text, error))?;
        let mask = match wildcards(text)?.as_slice() {
            [high, low] => half(*high) << 16 | half(*low),
            _ => u32::MAX,
        };
        Ok(CommunityPattern { mask, value: community.0 & mask })
    }
}

fn half(wildcard: bool) -> u32 {
    if wildcard { 0 } else { 0xffff }
}

/// Which of the parts between colons are `*`. One with a `*` among other characters is none of either.
fn wildcards(text: &str) -> Result<Vec<bool>, ParseError> {
    let mut at = 1;
    let mut found = Vec::new();
    for part in text.split(':') {
        if part != "*" && part.contains('*') {
            let (text, kind) = (text.to_owned(), "pattern of communities");
            return Err(ParseError::Syntax { text, kind, at, expected: "a number, or `*` for any" });
        }
        found.push(part == "*");
        at += part.chars().count() + 1;
    }
    Ok(found)
}

/// The fault of a pattern: that of the text itself, not of the community that was made of it.
fn of<T: FromStr<Err = CommunityError>>(text: &str, instead: CommunityError) -> CommunityError {
    text.parse::<T>().err().unwrap_or(instead)
}

impl fmt::Display for CommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.value >> 16, self.value & 0xffff);
        match self.mask {
            0 => f.write_str("*:*"),
            0xffff => write!(f, "*:{low}"),
            0xffff_0000 => write!(f, "{high}:*"),
            _ => Community(self.value).fmt(f),
        }
    }
}

/// Large communities: `*` stands for any number, as in `64512:*:*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeCommunityPattern {
    numbers: [Option<u32>; 3],
}

impl LargeCommunityPattern {
    /// Whether `community` is one of them.
    #[must_use]
    pub fn matches(self, community: LargeCommunity) -> bool {
        let LargeCommunity { global, local1, local2 } = community;
        let pairs = self.numbers.into_iter().zip([global, local1, local2]);
        pairs.into_iter().all(|(wanted, number)| wanted.is_none_or(|wanted| wanted == number))
    }
}

impl From<LargeCommunity> for LargeCommunityPattern {
    fn from(community: LargeCommunity) -> LargeCommunityPattern {
        let LargeCommunity { global, local1, local2 } = community;
        LargeCommunityPattern { numbers: [global, local1, local2].map(Some) }
    }
}

impl FromStr for LargeCommunityPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<LargeCommunityPattern, ParseError> {
        let wildcards = wildcards(text)?;
        let community: LargeCommunity =
            text.replace('*', "0").parse().map_err(|error| of::<LargeCommunity>(text, error))?;
        let mut pattern = LargeCommunityPattern::from(community);
        for (number, wildcard) in pattern.numbers.iter_mut().zip(wildcards) {
            *number = number.filter(|_| !wildcard);
        }
        Ok(pattern)
    }
}

impl fmt::Display for LargeCommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.numbers.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ":" })?;
            match number {
                Some(number) => write!(f, "{number}")?,
                None => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

/// Extended communities: one, or a route target or route origin with `*` for the number, as in `rt:64512:*`.
///
/// As in a community itself, `64512`, `64512L` and `70000` are different kinds of AS numbers (RFC 5668).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedCommunityPattern {
    community: ExtendedCommunity,
    any_number: bool,
}

impl ExtendedCommunityPattern {
    /// Whether `community` is one of them.
    #[must_use]
    pub fn matches(self, community: ExtendedCommunity) -> bool {
        let number = if self.any_number { number_octets(self.community) } else { 0 };
        let kept = 8 - number;
        self.community.0.iter().zip(community.0).take(kept).all(|(wanted, octet)| *wanted == octet)
    }
}

/// How many octets at the end of a route target or origin are the number.
fn number_octets(community: ExtendedCommunity) -> usize {
    match community.meaning() {
        Extended::RouteTarget(by) | Extended::RouteOrigin(by) => match by {
            Administrator::TwoOctetAs(..) => 4,
            Administrator::Ipv4(..) | Administrator::FourOctetAs(..) => 2,
        },
        _ => 0,
    }
}

impl From<ExtendedCommunity> for ExtendedCommunityPattern {
    fn from(community: ExtendedCommunity) -> ExtendedCommunityPattern {
        ExtendedCommunityPattern { community, any_number: false }
    }
}

impl FromStr for ExtendedCommunityPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<ExtendedCommunityPattern, ParseError> {
        let any = text.strip_suffix(":*");
        let community = match any {
            Some(by) => format!("{by}:0").parse().map_err(|error| of::<ExtendedCommunity>(text, error))?,
            None => text.parse::<ExtendedCommunity>()?,
        };
        Ok(ExtendedCommunityPattern { community, any_number: any.is_some() })
    }
}

impl fmt::Display for ExtendedCommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.community.to_string();
        match shown.rsplit_once(':').filter(|_| self.any_number) {
            Some((by, _)) => write!(f, "{by}:*"),
            None => f.write_str(&shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn community(pattern: &str) -> [bool; 3] {
        let pattern: CommunityPattern = pattern.parse().unwrap();
        [Community(0xfc00_0064), Community(0xfc00_0065), Community::NO_EXPORT].map(|c| pattern.matches(c))
    }

    #[test]
    fn a_star_stands_for_any_number_of_a_community() {
        assert_eq!(community("64512:100"), [true, false, false]);
        assert_eq!(community("64512:*"), [true, true, false]);
        assert_eq!(community("*:100"), [true, false, false]);
        assert_eq!(community("*:*"), [true; 3]);
        assert_eq!(community("no-export"), [false, false, true]);
    }

    #[test]
    fn a_star_stands_for_any_number_of_a_large_community() {
        let matches = |pattern: &str| {
            let pattern: LargeCommunityPattern = pattern.parse().unwrap();
            ["64512:1:2", "64512:3:2", "70000:1:2"].map(|c| pattern.matches(c.parse().unwrap()))
        };
        assert_eq!(matches("64512:1:2"), [true, false, false]);
        assert_eq!(matches("64512:*:*"), [true, true, false]);
        assert_eq!(matches("*:1:2"), [true, false, true]);
    }

    #[test]
    fn a_star_stands_for_the_number_of_a_route_target() {
        let matches = |pattern: &str| {
            let pattern: ExtendedCommunityPattern = pattern.parse().unwrap();
            let all =
                ["rt:64512:1", "rt:64512:70000", "ro:64512:1", "rt:64512L:1", "rt:70000:1", "rt:10.0.0.1:1"];
            all.map(|c| pattern.matches(c.parse().unwrap()))
        };
        assert_eq!(matches("rt:64512:1"), [true, false, false, false, false, false]);
        assert_eq!(matches("rt:64512:*"), [true, true, false, false, false, false]);
        assert_eq!(matches("ro:64512:*"), [false, false, true, false, false, false]);
        assert_eq!(matches("rt:64512L:*"), [false, false, false, true, false, false]);
        assert_eq!(matches("rt:70000:*"), [false, false, false, false, true, false]);
        assert_eq!(matches("rt:10.0.0.1:*"), [false, false, false, false, false, true]);
    }

    #[test]
    fn patterns_are_read_back_from_their_text() {
        for text in ["64512:100", "64512:*", "*:100", "*:*", "no-export"] {
            assert_eq!(text.parse::<CommunityPattern>().unwrap().to_string(), text);
        }
        for text in ["1:2:3", "1:*:*", "*:2:*", "*:*:*"] {
            assert_eq!(text.parse::<LargeCommunityPattern>().unwrap().to_string(), text);
        }
        for text in ["rt:64512:1", "rt:64512:*", "ro:70000:*", "rt:64512L:*", "rt:10.0.0.1:*"] {
            assert_eq!(text.parse::<ExtendedCommunityPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_answered_with_what_was_meant() {
        fn why<T: FromStr<Err = ParseError> + fmt::Debug>(text: &str) -> String {
            text.parse::<T>().unwrap_err().to_string()
        }
        for (error, part) in [
            (why::<CommunityPattern>("64512:1*"), "at character 7 expected a number, or `*`"),
            (why::<CommunityPattern>("70000:*"), "\"70000:*\" is no community"),
            (why::<CommunityPattern>("*:*:*"), "\"*:*:*\" is no community"),
            (why::<CommunityPattern>("1:2:3"), "three numbers make a large community"),
            (why::<CommunityPattern>("*"), "expected AS:number"),
            (why::<LargeCommunityPattern>("64512:*"), "\"64512:*\" is no large community"),
            (why::<LargeCommunityPattern>("*"), "expected AS:number:number"),
            (why::<ExtendedCommunityPattern>("rt:*"), "after rt: or ro: comes"),
            (why::<ExtendedCommunityPattern>("color:*"), "expected rt:AS:number"),
            (why::<ExtendedCommunityPattern>("rt:*:1"), "after rt: or ro: comes"),
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_as_a_pattern_is_read_back_from_its_text(text in "(rt:|ro:)?[0-9*L.]{1,6}(:[0-9*]{1,3}){0,3}") {
            if let Ok(pattern) = text.parse::<CommunityPattern>() {
                prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
            }
            if let Ok(pattern) = text.parse::<LargeCommunityPattern>() {
                prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
            }
            if let Ok(pattern) = text.parse::<ExtendedCommunityPattern>() {
                prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
            }
        }
    }
}
