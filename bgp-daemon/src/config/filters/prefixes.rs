//! Prefixes with a range of lengths: `10.0.0.0/8 ge 16 le 24`.

use bgp_core::Prefix;
use bgp_rib::filter::PrefixRange;

use super::super::diagnostic::{Code, Report};
use super::super::nearest::nearest;
use super::super::section::Node;
use super::super::values;
use super::{Named, Names};

const EXAMPLE: &str = "\"10.0.0.0/8 ge 16 le 24\"";

impl Names {
    /// The `prefixes` of a term: ranges, and names of prefix lists.
    pub(super) fn prefixes(&mut self, node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<PrefixRange>> {
        let array = values::array(node, report, "a list of prefixes and names of prefix lists")?;
        let mut ranges = Vec::new();
        for node in array {
            match node.get_ref().as_str() {
                Some(name) if !name.contains('/') => {
                    ranges.extend_from_slice(named(&mut self.lists, name, node, report));
                }
                _ => ranges.extend(range(node, report)),
            }
        }
        Some(ranges)
    }
}

fn named<'l>(
    lists: &'l mut [Named<Vec<PrefixRange>>],
    name: &str,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> &'l [PrefixRange] {
    let near = nearest(name, lists.iter().map(|list| list.name.as_str())).map(str::to_owned);
    if let Some(list) = lists.iter_mut().find(|list| list.name == name) {
        list.used = true;
        return &list.value;
    }
    let remedy = match near {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("a prefix, as in {EXAMPLE}, or the `name` of one of [[prefix-lists]]"),
    };
    report.error(Code::UnknownName, node.span(), format!("no prefix list is called `{name}`"), remedy);
    &[]
}

/// The `prefixes` of a prefix list.
pub(super) fn ranges(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<PrefixRange>> {
    let array = values::array(node, report, "a list of prefixes")?;
    Some(array.iter().filter_map(|node| range(node, report)).collect())
}

/// One prefix, alone or with `ge` and `le`.
fn range(node: &Node<'_>, report: &mut Report<'_>) -> Option<PrefixRange> {
    let text = values::text(node, report, &format!("a prefix, as in {EXAMPLE}"))?;
    let mut words = text.split_whitespace();
    let prefix = values::prefix_of(words.next().unwrap_or_default(), node, report)?;
    match bounds(prefix, &words.collect::<Vec<_>>()) {
        Ok((ge, le)) => Some(PrefixRange { prefix, ge, le }),
        Err(wrong) => {
            let message = format!("`{text}`: {wrong}");
            report.error(Code::Value, node.span(), message, format!("as in {EXAMPLE}"));
            None
        }
    }
}

/// The length of a host's prefix in the family.
fn longest_of(prefix: Prefix) -> u8 {
    if prefix.address().is_ipv4() { 32 } else { 128 }
}

/// The least and the greatest length that `words` behind `prefix` say.
fn bounds(prefix: Prefix, words: &[&str]) -> Result<(u8, u8), String> {
    let (len, longest) = (prefix.len(), longest_of(prefix));
    let number = |text: &str| text.parse::<u8>().map_err(|_| format!("`{text}` is not a length"));
    let (ge, le) = match *words {
        [] => (len, len),
        ["ge", ge] => (number(ge)?, longest),
        ["le", le] => (len, number(le)?),
        ["ge", ge, "le", le] | ["le", le, "ge", ge] => (number(ge)?, number(le)?),
        _ => return Err("behind the prefix come `ge LENGTH`, `le LENGTH` or both".to_owned()),
    };
    match () {
        () if ge < len => {
            Err(format!("no prefix within it is shorter than /{len}, so `ge` is at least {len}"))
        }
        () if le > longest => Err(format!("a prefix of its family has at most {longest} bits")),
        () if ge > le => Err("`ge` is over `le`, so that no prefix matches".to_owned()),
        () => Ok((ge, le)),
    }
}

/// A range as [`range`] reads it.
pub(super) fn shown(range: &PrefixRange) -> String {
    let PrefixRange { prefix, ge, le } = *range;
    let longest = longest_of(prefix);
    match (ge == prefix.len(), le) {
        (true, le) if le == prefix.len() => prefix.to_string(),
        (true, le) => format!("{prefix} le {le}"),
        (false, le) if le == longest => format!("{prefix} ge {ge}"),
        (false, le) => format!("{prefix} ge {ge} le {le}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bounded_by_the_prefix_and_its_family() {
        let prefix: Prefix = "10.0.0.0/8".parse().unwrap();
        let bounds = |words: &str| bounds(prefix, &words.split_whitespace().collect::<Vec<_>>());
        assert_eq!(bounds(""), Ok((8, 8)));
        assert_eq!(bounds("ge 16"), Ok((16, 32)));
        assert_eq!(bounds("le 24"), Ok((8, 24)));
        assert_eq!(bounds("le 24 ge 16"), Ok((16, 24)));
        for wrong in ["ge 7", "le 33", "ge 25 le 24", "ge", "ge x", "eq 9", "ge 9 ge 10"] {
            assert!(bounds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_shown_as_it_is_written() {
        for text in ["10.0.0.0/8", "10.0.0.0/8 ge 16", "10.0.0.0/8 le 32", "fd00::/8 ge 48 le 64"] {
            let mut words = text.split_whitespace();
            let prefix: Prefix = words.next().unwrap().parse().unwrap();
            let (ge, le) = bounds(prefix, &words.collect::<Vec<_>>()).unwrap();
            assert_eq!(shown(&PrefixRange { prefix, ge, le }), text);
        }
    }
}
