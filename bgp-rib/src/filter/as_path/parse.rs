//! The text of a pattern as a tree.

use nom::Parser;
use nom::branch::alt;
use nom::character::complete::{char, digit1, multispace0};
use nom::combinator::opt;

use crate::filter::error::{Parsed, expected};

/// Groups inside each other, at most.
const MAX_DEPTH: u8 = 16;

/// What may stand where a step begins.
pub(super) const STEP: &str = "an AS number, a range `1-3`, `.`, `(`, or `$` at the end";

/// A part of a pattern.
#[derive(Debug)]
pub(super) enum Node {
    /// One AS of these ranges.
    Asns(Vec<(u32, u32)>),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeated(Box<Node>, Count),
}

/// How often a part may come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    NoneOrMore,
    OneOrMore,
    NoneOrOne,
}

/// A whole pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) at_start: bool,
    pub(super) node: Node,
    pub(super) at_end: bool,
}

/// `^`, steps, `$`.
pub(super) fn pattern(input: &str) -> Parsed<'_, Pattern> {
    let (input, _) = multispace0(input)?;
    let (input, start) = opt(char('^')).parse(input)?;
    let (input, steps) = sequence(input, 0)?;
    let (input, end) = opt(char('$')).parse(input)?;
    let (input, _) = multispace0(input)?;
    if start.is_none() && end.is_none() && steps.is_empty() {
        return expected(input, STEP);
    }
    Ok((input, Pattern { at_start: start.is_some(), node: Node::Sequence(steps), at_end: end.is_some() }))
}

/// Steps up to something else, and the space behind them.
fn sequence(mut input: &str, depth: u8) -> Parsed<'_, Vec<Node>> {
    let mut steps = Vec::new();
    loop {
        (input, _) = multispace0(input)?;
        match step(input, depth) {
            Ok((rest, node)) => {
                steps.push(node);
                input = rest;
            }
            Err(nom::Err::Error(_)) => return Ok((input, steps)),
            Err(other) => return Err(other),
        }
    }
}

fn step(input: &str, depth: u8) -> Parsed<'_, Node> {
    let any = char('.').map(|_| Node::Asns(vec![(0, u32::MAX)]));
    let (rest, node) = alt((any, asns, |input| group(input, depth))).parse(input)?;
    let count = alt((
        char('*').map(|_| Count::NoneOrMore),
        char('+').map(|_| Count::OneOrMore),
        char('?').map(|_| Count::NoneOrOne),
    ));
    let (rest, count) = opt(count).parse(rest)?;
    Ok((
        rest,
        match count {
            Some(count) => Node::Repeated(Box::new(node), count),
            None => node,
        },
    ))
}

/// `64512` or `64512-64520`.
fn asns(input: &str) -> Parsed<'_, Node> {
    let (rest, low) = number(input)?;
    let (after, dash) = opt(char('-')).parse(rest)?;
    if dash.is_none() {
        return Ok((rest, Node::Asns(vec![(low, low)])));
    }
    match number(after) {
        Ok((rest, high)) if low <= high => Ok((rest, Node::Asns(vec![(low, high)]))),
        Ok(_) => expected(after, "an AS number that is not below the first"),
        Err(nom::Err::Failure(error)) => Err(nom::Err::Failure(error)),
        Err(_) => expected(after, "the last AS number of the range"),
    }
}

fn number(input: &str) -> Parsed<'_, u32> {
    let (rest, digits): (&str, &str) = digit1(input)?;
    match digits.parse() {
        Ok(number) => Ok((rest, number)),
        Err(_) => expected(input, "an AS number up to 4294967295"),
    }
}

/// Sequences between `(` and `)`, with `|` between them.
fn group(input: &str, depth: u8) -> Parsed<'_, Node> {
    let (mut input, _) = char('(')(input)?;
    if depth >= MAX_DEPTH {
        return expected(input, "at most 16 groups inside each other");
    }
    let mut branches = Vec::new();
    loop {
        let (rest, steps) = sequence(input, depth + 1)?;
        if steps.is_empty() {
            return expected(rest, "an AS number, a range `1-3`, `.` or `(`");
        }
        branches.push(steps);
        let (rest, end) = match opt(alt((char('|'), char(')')))).parse(rest)? {
            (rest, Some(end)) => (rest, end),
            (rest, None) => return expected(rest, "an AS number, a range `1-3`, `.`, `(`, `|` or `)`"),
        };
        input = rest;
        if end == ')' {
            return Ok((input, either(branches)));
        }
    }
}

/// Branches that are all one AS are one step.
fn either(branches: Vec<Vec<Node>>) -> Node {
    let single = |branch: &Vec<Node>| matches!(branch.as_slice(), [Node::Asns(_)]);
    if branches.iter().all(single) {
        let asns = branches.into_iter().flatten().filter_map(|node| match node {
            Node::Asns(asns) => Some(asns),
            _ => None,
        });
        return Node::Asns(asns.flatten().collect());
    }
    Node::Either(branches.into_iter().map(Node::Sequence).collect())
}
