//! Patterns that AS paths match.
//!
//! ```text
//!  text ─► tree ─► positions: the ASes of the pattern, each with those that may come next
//!
//!  ^ 64512+ (1|2) $     positions  0: 64512   1: 1 or 2      follow  0 ─► 0, 1      last  1
//! ```
//!
//! A path is walked once with the set of positions that it may be at, all at the same time. So the time is bound by the
//! length of the path times that of the pattern, whatever both are.

mod parse;

use std::fmt;
use std::str::FromStr;

use bgp_core::Asn;
use bgp_core::wire::{AsPath, SegmentKind};

use super::error::{ParseError, whole};
use parse::{Count, Node};

/// The positions that a pattern may have: they are bits of a number.
const MAX_POSITIONS: usize = 64;

/// A pattern for AS paths, over whole AS numbers.
///
/// ```text
///  64512           this AS                    *  +  ?       none or more, one or more, none or one of what stands before
///  64512-64520     one of these               ^  $          at the start: the path begins here; at the end: it ends here
///  .               any AS                     (1 2|3 4)     one of these sequences
/// ```
///
/// Without `^` and `$` the ASes may stand anywhere on the path. The neighbor's AS comes first, the one where the route
/// began last. An AS_SET is one step and matches if one of its ASes does; a confederation's segments are passed over.
/// A pattern has at most 64 steps; alternatives of one AS each, as in `(1|2|3)`, are together one.
///
/// ```
/// use bgp_core::wire::{AsPath, AsWidth};
/// use bgp_rib::filter::AsPathPattern;
///
/// let value = [2, 3, 0xfc, 0, 0xfc, 1, 0xfc, 2];
/// let path = AsPath::new(&value, AsWidth::Two);
/// assert_eq!(path.to_string(), "64512 64513 64514");
/// for (pattern, matches) in [("64513", true), ("^64513", false), ("^64512 .* 64514$", true), ("^. (1|64513)$", false)] {
///     assert_eq!(pattern.parse::<AsPathPattern>()?.matches(path), matches);
/// }
/// let wrong = "^64512 x".parse::<AsPathPattern>().unwrap_err();
/// assert!(wrong.to_string().contains("at character 8 expected an AS number"));
/// # Ok::<(), bgp_rib::filter::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsPathPattern {
    text: String,
    at_start: bool,
    at_end: bool,
    positions: Vec<Position>,
    /// Whether a part of the path without an AS will do.
    nullable: bool,
    first: u64,
    last: u64,
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// The ASes, as ranges in order that do not touch.
    asns: Vec<(u32, u32)>,
    /// The positions that may come next.
    follow: u64,
}

impl Position {
    fn takes(&self, asn: Asn) -> bool {
        let above = self.asns.partition_point(|(low, _)| *low <= asn.0);
        let range = above.checked_sub(1).and_then(|at| self.asns.get(at));
        range.is_some_and(|(_, high)| asn.0 <= *high)
    }
}

/// The places of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(bit)
    })
}

impl AsPathPattern {
    /// Whether the path matches. Allocates nothing.
    #[must_use]
    pub fn matches(&self, path: AsPath<'_>) -> bool {
        if self.nullable && !(self.at_start && self.at_end) {
            return true;
        }
        let mut walk = Walk { pattern: self, at: 0, begun: false };
        for segment in path.segments().filter(|segment| !segment.kind.is_confederation()) {
            if segment.kind == SegmentKind::Set {
                if walk.step(|position| segment.asns().any(|asn| position.takes(asn))) {
                    return true;
                }
            } else {
                for asn in segment.asns() {
                    if walk.step(|position| position.takes(asn)) {
                        return true;
                    }
                }
            }
        }
        walk.is_at_last() || !walk.begun && self.nullable
    }
}

/// A path while it is walked.
struct Walk<'a> {
    pattern: &'a AsPathPattern,
    /// The positions that the last AS can be at.
    at: u64,
    begun: bool,
}

impl Walk<'_> {
    fn is_at_last(&self) -> bool {
        self.at & self.pattern.last != 0
    }

    /// Takes one step; whether the path now matches, whatever follows.
    fn step(&mut self, takes: impl Fn(&Position) -> bool) -> bool {
        let position = |at: usize| self.pattern.positions.get(at);
        let may_begin = !(self.pattern.at_start && self.begun);
        let first = if may_begin { self.pattern.first } else { 0 };
        let next = bits(self.at).filter_map(position).fold(first, |next, at| next | at.follow);
        self.at =
            bits(next).filter(|at| position(*at).is_some_and(&takes)).fold(0, |taken, at| taken | 1 << at);
        self.begun = true;
        !self.pattern.at_end && self.is_at_last()
    }
}

impl FromStr for AsPathPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<AsPathPattern, ParseError> {
        let shown = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let parsed = whole(text, "AS path pattern", parse::STEP, parse::pattern(text))?;
        let mut pattern = AsPathPattern {
            text: shown,
            at_start: parsed.at_start,
            at_end: parsed.at_end,
            positions: Vec::new(),
            nullable: false,
            first: 0,
            last: 0,
        };
        let Some(part) = pattern.compile(&parsed.node) else {
            let expected = "at most 64 steps; `(1|2|3)` is one, and `1-3` too";
            let (text, kind) = (text.to_owned(), "AS path pattern");
            return Err(ParseError::Syntax { text, kind, at: 1, expected });
        };
        (pattern.nullable, pattern.first, pattern.last) = (part.nullable, part.first, part.last);
        Ok(pattern)
    }
}

impl fmt::Display for AsPathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a part of a pattern begins and ends with.
#[derive(Clone, Copy, Default)]
struct Part {
    nullable: bool,
    first: u64,
    last: u64,
}

impl AsPathPattern {
    /// Adds the positions of a part (Glushkov's construction); `None` if there are too many.
    fn compile(&mut self, node: &Node) -> Option<Part> {
        match node {
            Node::Asns(asns) => self.add(asns),
            Node::Sequence(nodes) => {
                let start = Part { nullable: true, ..Part::default() };
                nodes.iter().try_fold(start, |before, node| {
                    let part = self.compile(node)?;
                    self.join(before.last, part.first);
                    Some(Part {
                        nullable: before.nullable && part.nullable,
                        first: before.first | if before.nullable { part.first } else { 0 },
                        last: part.last | if part.nullable { before.last } else { 0 },
                    })
                })
            }
            Node::Either(nodes) => nodes.iter().try_fold(Part::default(), |others, node| {
                let part = self.compile(node)?;
                let nullable = others.nullable || part.nullable;
                Some(Part { nullable, first: others.first | part.first, last: others.last | part.last })
            }),
            Node::Repeated(node, count) => {
                let part = self.compile(node)?;
                if matches!(count, Count::NoneOrMore | Count::OneOrMore) {
                    self.join(part.last, part.first);
                }
                let nullable = part.nullable || !matches!(count, Count::OneOrMore);
                Some(Part { nullable, ..part })
            }
        }
    }

    fn add(&mut self, asns: &[(u32, u32)]) -> Option<Part> {
        let at = self.positions.len();
        if at >= MAX_POSITIONS {
            return None;
        }
        self.positions.push(Position { asns: merged(asns), follow: 0 });
        Some(Part { nullable: false, first: 1 << at, last: 1 << at })
    }

    /// Lets all of `next` follow each of `before`.
    fn join(&mut self, before: u64, next: u64) {
        for at in bits(before) {
            if let Some(position) = self.positions.get_mut(at) {
                position.follow |= next;
            }
        }
    }
}

/// The same ranges in order, those that touch made one.
fn merged(asns: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut sorted = asns.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (low, high) in sorted {
        match merged.last_mut() {
            Some((_, end)) if low <= end.saturating_add(1) => *end = high.max(*end),
            _ => merged.push((low, high)),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
