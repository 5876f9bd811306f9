//! Lists of prefixes, with ranges of lengths.

use std::fmt;
use std::str::FromStr;

use bgp_core::Prefix;
use nom::Parser;
use nom::bytes::complete::{tag, take_till};
use nom::character::complete::{char, digit1, multispace0};

use super::error::{ParseError, Parsed, expected, whole};

/// Prefixes inside `prefix` whose length is in the range.
///
/// As text: `10.0.0.0/8` is just this one, `10.0.0.0/8 ge 16 le 24` and `10.0.0.0/8{16,24}` are those inside of it with
/// lengths 16 to 24; with `ge` alone up to the longest, with `le` alone from its own length on.
///
/// ```
/// use bgp_rib::filter::PrefixRange;
///
/// let range: PrefixRange = "10.0.0.0/8{16,24}".parse()?;
/// assert_eq!(range.to_string(), "10.0.0.0/8 ge 16 le 24");
/// assert!(range.contains("10.1.0.0/16".parse()?) && !range.contains("10.0.0.0/8".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixRange {
    /// What they are inside of.
    pub prefix: Prefix,
    /// The least length.
    pub ge: u8,
    /// The greatest length.
    pub le: u8,
}

impl PrefixRange {
    /// Just this prefix.
    #[must_use]
    pub fn exactly(prefix: Prefix) -> PrefixRange {
        PrefixRange { prefix, ge: prefix.len(), le: prefix.len() }
    }

    /// The prefix and all inside of it.
    #[must_use]
    pub fn or_longer(prefix: Prefix) -> PrefixRange {
        PrefixRange { prefix, ge: prefix.len(), le: longest(prefix) }
    }

    /// Whether `prefix` is one of them.
    #[must_use]
    pub fn contains(&self, prefix: Prefix) -> bool {
        (self.ge..=self.le).contains(&prefix.len()) && self.prefix.covers(&prefix)
    }
}

/// The greatest length of a prefix of the same version.
fn longest(prefix: Prefix) -> u8 {
    match prefix {
        Prefix::V4(_) => 32,
        Prefix::V6(_) => 128,
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PrefixRange { prefix, ge, le } = *self;
        write!(f, "{prefix}")?;
        if (ge, le) == (prefix.len(), prefix.len()) {
            return Ok(());
        }
        if ge != prefix.len() {
            write!(f, " ge {ge}")?;
        }
        if le != longest(prefix) || ge == prefix.len() {
            write!(f, " le {le}")?;
        }
        Ok(())
    }
}

impl FromStr for PrefixRange {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<PrefixRange, ParseError> {
        let end = |c: char| c.is_whitespace() || c == '{';
        let at = text.find(end).unwrap_or(text.len());
        let (prefix, bounds) = text.split_at_checked(at).unwrap_or((text, ""));
        let prefix: Prefix =
            prefix.parse().map_err(|error| ParseError::Prefix { text: text.to_owned(), error })?;
        let (ge, le) = whole(text, "range of prefixes", "the end", self::bounds(bounds))?;
        let longest = longest(prefix);
        let (ge_or, le_or) = match (ge, le) {
            (None, None) => (prefix.len(), prefix.len()),
            _ => (prefix.len(), longest),
        };
        let (ge, le) = (ge.unwrap_or(ge_or), le.unwrap_or(le_or));
        if prefix.len() <= ge && ge <= le && le <= longest {
            return Ok(PrefixRange { prefix, ge, le });
        }
        let wrong =
            expected(bounds.trim_start(), "lengths in this order: the prefix's own, ge, le, the longest");
        whole(text, "range of prefixes", "the end", wrong)
    }
}

type Bounds = (Option<u8>, Option<u8>);

/// `{16,24}`, or `ge 16` and `le 24` in either order, or nothing.
fn bounds(input: &str) -> Parsed<'_, Bounds> {
    const FORM: &str = "`ge LENGTH`, `le LENGTH` or `{LENGTH,LENGTH}`";
    let (mut rest, _) = multispace0(input)?;
    if let Some(inside) = rest.strip_prefix('{') {
        let (rest, ge) = length(inside)?;
        let comma: Parsed<'_, char> = char(',')(rest);
        let Ok((rest, _)) = comma else { return expected(rest, "`,` and the greatest length") };
        let (rest, le) = length(rest)?;
        let close: Parsed<'_, char> = char('}')(rest);
        let Ok((rest, _)) = close else { return expected(rest, "`}`") };
        return multispace0(rest).map(|(rest, _)| (rest, (Some(ge), Some(le))));
    }
    let (mut ge, mut le) = (None, None);
    while !rest.is_empty() {
        let (after, word) = take_till(char::is_whitespace).parse(rest)?;
        let bound = match word {
            "ge" if ge.is_none() => &mut ge,
            "le" if le.is_none() => &mut le,
            _ => return expected(rest, FORM),
        };
        let (after, _) = multispace0(after)?;
        let (after, number) = length(after)?;
        *bound = Some(number);
        (rest, _) = multispace0(after)?;
    }
    Ok((rest, (ge, le)))
}

fn length(input: &str) -> Parsed<'_, u8> {
    const LENGTH: &str = "a length up to 32, or 128 for IPv6";
    let (input, _) = nom::combinator::opt(tag(" ")).parse(input)?;
    let digits: Parsed<'_, &str> = digit1(input);
    match digits {
        Ok((rest, digits)) => match digits.parse() {
            Ok(number) => Ok((rest, number)),
            Err(_) => expected(input, LENGTH),
        },
        Err(_) => expected(input, LENGTH),
    }
}

/// Ranges of prefixes, sorted, so that a route is looked up in a long list by halving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixList {
    ranges: Vec<PrefixRange>,
    /// The lengths of the prefixes that the ranges are inside of, each once.
    lengths: Vec<u8>,
}

impl PrefixList {
    /// The ranges, in order.
    #[must_use]
    pub fn ranges(&self) -> &[PrefixRange] {
        &self.ranges
    }

    /// Whether `prefix` is in one of the ranges. One search for each length that occurs; allocates nothing.
    #[must_use]
    pub fn contains(&self, prefix: Prefix) -> bool {
        let lengths = self.lengths.iter().take_while(|len| **len <= prefix.len());
        lengths
            .filter_map(|len| Prefix::new(prefix.address(), *len))
            .any(|outer| self.allows(outer, prefix.len()))
    }

    /// Whether a range inside of just `outer` has this length.
    fn allows(&self, outer: Prefix, len: u8) -> bool {
        let first = self.ranges.partition_point(|range| range.prefix < outer);
        let same = self.ranges.iter().skip(first).take_while(|range| range.prefix == outer);
        same.into_iter().any(|range| (range.ge..=range.le).contains(&len))
    }
}

impl FromIterator<PrefixRange> for PrefixList {
    fn from_iter<I: IntoIterator<Item = PrefixRange>>(ranges: I) -> PrefixList {
        let mut ranges: Vec<PrefixRange> = ranges.into_iter().collect();
        ranges.sort_unstable();
        ranges.dedup();
        let mut lengths: Vec<u8> = ranges.iter().map(|range| range.prefix.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        PrefixList { ranges, lengths }
    }
}

impl From<Vec<PrefixRange>> for PrefixList {
    fn from(ranges: Vec<PrefixRange>) -> PrefixList {
        ranges.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> PrefixRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_read_in_every_form() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8 ge 16 le 24", "10.0.0.0/8 ge 16 le 24"),
            ("10.0.0.0/8  le 24 ge 16 ", "10.0.0.0/8 ge 16 le 24"),
            ("10.0.0.0/8{16,24}", "10.0.0.0/8 ge 16 le 24"),
            ("10.0.0.0/8 {16, 24}", "10.0.0.0/8 ge 16 le 24"),
            ("10.0.0.0/8 ge 16", "10.0.0.0/8 ge 16"),
            ("10.0.0.0/8 le 24", "10.0.0.0/8 le 24"),
            ("10.0.0.0/8 ge 8 le 32", "10.0.0.0/8 le 32"),
            ("fd00::/16 le 64", "fd00::/16 le 64"),
            ("0.0.0.0/0 le 32", "0.0.0.0/0 le 32"),
        ] {
            assert_eq!(range(text).to_string(), shown);
            assert_eq!(range(shown), range(text));
        }
        assert_eq!(range("10.0.0.0/8 le 32"), PrefixRange::or_longer("10.0.0.0/8".parse().unwrap()));
        assert_eq!(range("10.0.0.0/8"), PrefixRange::exactly("10.0.0.0/8".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_is_answered_with_what_was_expected_and_where() {
        for (text, part) in [
            ("10.0.0.0", "expected ADDRESS/LENGTH"),
            ("10.0.0.1/8 ge 9", "did you mean 10.0.0.0/8?"),
            ("10.0.0.0/8 from 16", "at character 12 expected `ge LENGTH`"),
            ("10.0.0.0/8 ge", "at character 14 expected a length up to"),
            ("10.0.0.0/8 ge 16 ge 17", "at character 18 expected `ge LENGTH`"),
            ("10.0.0.0/8{16}", "at character 14 expected `,`"),
            ("10.0.0.0/8{16,24", "at character 17 expected `}`"),
            ("10.0.0.0/8{16,24} x", "at character 19 expected the end"),
            ("10.0.0.0/8 le 33", "at character 12 expected lengths in this order"),
            ("10.0.0.0/8 ge 4", "expected lengths in this order"),
            ("10.0.0.0/8 ge 24 le 16", "expected lengths in this order"),
            ("10.0.0.0/8 le 300", "at character 15 expected a length up to"),
        ] {
            let error = text.parse::<PrefixRange>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn ranges_of_one_prefix_stand_side_by_side() {
        let list: PrefixList =
            ["10.0.0.0/8", "10.0.0.0/8 ge 24 le 24", "fd00::/8 le 64"].map(range).into_iter().collect();
        let contains = |prefix: &str| list.contains(prefix.parse().unwrap());
        assert!(contains("10.0.0.0/8") && contains("10.1.2.0/24") && contains("fd00:1::/64"));
        assert!(!contains("10.1.0.0/16") && !contains("11.0.0.0/24") && !contains("fd00::/65"));
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        let bits = (0..4u32, 0..4u32).prop_map(|(a, b)| a << 30 | b << 22);
        (bits, 0..12u8, any::<bool>()).prop_map(|(bits, len, v6)| {
            let v6_address = std::net::Ipv6Addr::from(u128::from(bits) << 96);
            let address = if v6 { v6_address.into() } else { std::net::Ipv4Addr::from(bits).into() };
            Prefix::new(address, len).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_list_contains_what_one_of_its_ranges_does(
            ranges in proptest::collection::vec((any_prefix(), 0..12u8, 0..12u8), 0..8), prefix in any_prefix(),
        ) {
            let ranges: Vec<_> =
                ranges.into_iter().map(|(prefix, ge, le)| PrefixRange { prefix, ge, le }).collect();
            let one_by_one = ranges.iter().any(|range| range.contains(prefix));
            prop_assert_eq!(PrefixList::from(ranges).contains(prefix), one_by_one);
        }

        #[test]
        fn a_range_is_read_back_from_its_text(prefix in any_prefix(), more: u8, most: u8) {
            let room = longest(prefix) - prefix.len() + 1;
            let (a, b) = (prefix.len() + more % room, prefix.len() + most % room);
            let range = PrefixRange { prefix, ge: a.min(b), le: a.max(b) };
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f.:/{}, gel]{0,24}") {
            let _ = text.parse::<PrefixRange>();
        }
    }
}
