//! The text of a selector as a tree.

use std::collections::BTreeSet;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, multispace0, multispace1};
use nom::combinator::opt;

use super::{Node, SelectorError, Test};

/// Octets of a label's name, at most.
pub(super) const MAX_LABEL: usize = 512;

/// Parentheses inside each other, at most: what is parsed, compared, printed and freed by recursion has an end.
const MAX_DEPTH: u8 = 64;

/// How much of what stands in the wrong place is shown.
const SHOWN: usize = 16;

const EXPRESSION: &str = "a label, `has(`, `all()`, `global()`, `!` or `(`";
const OPERATOR: &str = "`==`, `!=`, `in`, `not in`, `contains`, `starts with` or `ends with`";

/// What was expected, and the text from there on.
#[derive(Debug)]
struct Expected<'a> {
    rest: &'a str,
    what: &'static str,
}

impl<'a> nom::error::ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(rest: &'a str, _: nom::error::ErrorKind) -> Expected<'a> {
        Expected { rest, what: EXPRESSION }
    }

    fn append(_: &'a str, _: nom::error::ErrorKind, other: Expected<'a>) -> Expected<'a> {
        other
    }
}

type Parsed<'a, T> = nom::IResult<&'a str, T, Expected<'a>>;

/// Nothing else can stand there: no other branch is tried.
fn expected<'a, T>(rest: &'a str, what: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Expected { rest, what }))
}

pub(super) fn selector(text: &str) -> Result<Node, SelectorError> {
    let refused = |rest: &str, expected| {
        let found = match rest.chars().take(SHOWN).collect::<String>() {
            nothing if nothing.is_empty() => "the end".to_owned(),
            found => format!("`{found}`"),
        };
        SelectorError { offset: text.len() - rest.len(), expected, found }
    };
    if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        return Ok(Node::All);
    }
    match any_of(text, 0) {
        Ok(("", node)) => Ok(node),
        Ok((rest, _)) => Err(refused(rest, "`&&`, `||` or the end")),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(refused(error.rest, error.what)),
        // Only parsers of streams ask for more.
        Err(nom::Err::Incomplete(_)) => Err(refused("", EXPRESSION)),
    }
}

/// Expressions with `||` between them.
fn any_of(input: &str, depth: u8) -> Parsed<'_, Node> {
    chain(input, "||", Node::Or, |input| all_of(input, depth))
}

/// Expressions with `&&` between them.
fn all_of(input: &str, depth: u8) -> Parsed<'_, Node> {
    chain(input, "&&", Node::And, |input| negated(input, depth))
}

/// `part`s with `between` between them, and the space behind them; a single one is itself.
fn chain<'a>(
    input: &'a str,
    between: &'static str,
    several: fn(Vec<Node>) -> Node,
    part: impl Fn(&'a str) -> Parsed<'a, Node>,
) -> Parsed<'a, Node> {
    let (mut input, first) = part(input)?;
    let mut more = Vec::new();
    loop {
        let (rest, sign) = opt(tag(between)).parse(input)?;
        if sign.is_none() {
            break;
        }
        let (rest, node) = part(rest)?;
        more.push(node);
        input = rest;
    }
    if more.is_empty() {
        return Ok((input, first));
    }
    more.insert(0, first);
    Ok((input, several(more)))
}

/// An expression behind any number of `!`, with the space around it.
fn negated(input: &str, depth: u8) -> Parsed<'_, Node> {
    let (mut input, _) = multispace0(input)?;
    let mut negative = false;
    while let Some(rest) = input.strip_prefix('!') {
        negative = !negative;
        input = multispace0(rest)?.0;
    }
    let (input, node) = primary(input, depth)?;
    let (input, _) = multispace0(input)?;
    Ok((input, if negative { Node::Not(Box::new(node)) } else { node }))
}

fn primary(input: &str, depth: u8) -> Parsed<'_, Node> {
    if let Some(inside) = input.strip_prefix('(') {
        if depth >= MAX_DEPTH {
            return expected(input, "at most 64 parentheses inside each other");
        }
        let (input, node) = any_of(inside, depth + 1)?;
        return must(input, ')', "`&&`, `||` or `)`").map(|(input, _)| (input, node));
    }
    let (after, word) = label(input)?;
    let (call, _) = multispace0(after)?;
    match (word, call.strip_prefix('(')) {
        ("has", Some(inside)) => has(inside),
        ("all", Some(inside)) => closed(inside).map(|(input, ())| (input, Node::All)),
        ("global", Some(inside)) => closed(inside).map(|(input, ())| (input, Node::Global)),
        _ => test(call).map(|(input, test)| (input, Node::Label(word.to_owned(), test))),
    }
}

/// What `has(` is followed by.
fn has(input: &str) -> Parsed<'_, Node> {
    let (input, _) = multispace0(input)?;
    let (input, name) = match label(input) {
        Err(nom::Err::Error(_)) => return expected(input, "a label"),
        found => found?,
    };
    closed(input).map(|(input, ())| (input, Node::Label(name.to_owned(), Test::Exists)))
}

/// `)`, with space before it.
fn closed(input: &str) -> Parsed<'_, ()> {
    let (input, _) = multispace0(input)?;
    must(input, ')', "`)`")
}

fn must<'a>(input: &'a str, wanted: char, what: &'static str) -> Parsed<'a, ()> {
    match input.strip_prefix(wanted) {
        Some(rest) => Ok((rest, ())),
        None => expected(input, what),
    }
}

/// Whether a label's name may have this character.
pub(super) fn is_label_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}

fn label(input: &str) -> Parsed<'_, &str> {
    let (rest, name) = take_while1(is_label_char)(input)?;
    if name.len() > MAX_LABEL {
        expected(input, "a label of at most 512 characters")
    } else {
        Ok((rest, name))
    }
}

/// An operator and what it compares with.
fn test(input: &str) -> Parsed<'_, Test> {
    let set =
        |kind: fn(BTreeSet<String>) -> Test| move |input| values(input).map(|(rest, v)| (rest, kind(v)));
    let one = |kind: fn(String) -> Test| move |input| value(input).map(|(rest, v)| (rest, kind(v)));
    let two = |first, second| (tag(first), multispace1, tag(second));
    let mut test = alt((
        tag("==").and(one(Test::Is)).map(|(_, test)| test),
        tag("!=").and(one(Test::IsNot)).map(|(_, test)| test),
        tag("in").and(set(Test::In)).map(|(_, test)| test),
        two("not", "in").and(set(Test::NotIn)).map(|(_, test)| test),
        tag("contains").and(one(Test::Contains)).map(|(_, test)| test),
        two("starts", "with").and(one(Test::StartsWith)).map(|(_, test)| test),
        two("ends", "with").and(one(Test::EndsWith)).map(|(_, test)| test),
    ));
    match test.parse(input) {
        Err(nom::Err::Error(_)) => expected(input, OPERATOR),
        parsed => parsed,
    }
}

/// A text between quotes.
fn value(input: &str) -> Parsed<'_, String> {
    let (input, _) = multispace0(input)?;
    let (inside, quote) = match alt((char('\''), char('"'))).parse(input) {
        Err(nom::Err::Error(_)) => return expected(input, "a value in quotes"),
        opened => opened?,
    };
    match inside.split_once(quote) {
        Some((value, rest)) => Ok((rest, value.to_owned())),
        None => expected("", if quote == '"' { "the closing `\"`" } else { "the closing `'`" }),
    }
}

/// Values between `{` and `}`.
fn values(input: &str) -> Parsed<'_, BTreeSet<String>> {
    let (input, _) = multispace0(input)?;
    let (input, ()) = must(input, '{', "`{`")?;
    let (mut input, _) = multispace0(input)?;
    let mut values = BTreeSet::new();
    if let Some(rest) = input.strip_prefix('}') {
        return Ok((rest, values));
    }
    loop {
        let (rest, text) = value(input)?;
        values.insert(text);
        let (rest, _) = multispace0(rest)?;
        match rest.strip_prefix(',') {
            Some(rest) => input = rest,
            None => return must(rest, '}', "`,` or `}`").map(|(rest, ())| (rest, values)),
        }
    }
}
