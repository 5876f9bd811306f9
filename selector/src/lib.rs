//! Selector expressions in Calico's grammar: which nodes, pods or endpoints are meant, by their labels.
//!
//! ```text
//!  "role == 'db' && !has(drained)" ─ parse ─► Selector ─ matches(&labels) ─► true or false
//!                  │                             └───── Display ─► the same, spelled one way
//!                  └─► SelectorError: the offset, what was expected there, what stands there
//! ```
//!
//! | expression | matches when |
//! |---|---|
//! | `all()`, `global()`, nothing at all | always |
//! | `has(l)` | the label is there |
//! | `l == 'v'` | the label is there and has this value |
//! | `l != 'v'` | the label is absent or has another value |
//! | `l in {'v', 'w'}` | the label has one of the values |
//! | `l not in {'v', 'w'}` | the label is absent or has none of the values |
//! | `l contains 'v'`, `l starts with 'v'`, `l ends with 'v'` | the label is there, and its value does |
//! | `!e`, `e && f`, `e \|\| f`, `(e)` | not; both; one; `&&` binds tighter than `\|\|` |
//!
//! Labels are 1 to 512 of `A-Z a-z 0-9 _ . / -`. Values stand between `'` or `"` without escapes, so no value has both.
//! `(` may stand in `(` up to 64 deep; a selector takes memory in proportion to its text. No I/O, no panic on any input.
//!
//! ```
//! use std::collections::BTreeMap;
//! use selector::Selector;
//!
//! let selector: Selector = "rack in {'a', 'b'} && !has(drained)".parse()?;
//! let mut labels = BTreeMap::from([("rack".to_owned(), "a".to_owned())]);
//! assert!(selector.matches(&labels));
//! labels.insert("drained".to_owned(), "true".to_owned());
//! assert!(!selector.matches(&labels));
//!
//! let error = "rack = 'a'".parse::<Selector>().unwrap_err();
//! assert_eq!(error.offset, 5);
//! # Ok::<(), selector::SelectorError>(())
//! ```

mod parse;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// A parsed selector. Equal selectors ask the same in the same order, however they are spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector(Node);

impl Selector {
    /// The selector that matches everything, `all()`.
    #[must_use]
    pub fn all() -> Selector {
        Selector(Node::All)
    }

    /// Whether something with these labels is meant.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.matches(labels)
    }
}

impl Default for Selector {
    fn default() -> Selector {
        Selector::all()
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Selector, SelectorError> {
        parse::selector(text).map(Selector)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether `name` may be the name of a label.
#[must_use]
pub fn is_label(name: &str) -> bool {
    (1..=parse::MAX_LABEL).contains(&name.len()) && name.chars().all(parse::is_label_char)
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct SelectorError {
    /// Where it goes wrong, in octets from the start of the text, on a character's first one. The text's length: at its
    /// end.
    pub offset: usize,
    /// What would have been right there.
    pub expected: &'static str,
    /// The first characters of what stands there.
    pub found: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    All,
    Global,
    Label(String, Test),
    Not(Box<Node>),
    /// At least two.
    And(Vec<Node>),
    /// At least two.
    Or(Vec<Node>),
}

/// What is asked of a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Test {
    Exists,
    Is(String),
    IsNot(String),
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
}

impl Node {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Node::All | Node::Global => true,
            Node::Label(label, test) => test.passes(labels.get(label).map(String::as_str)),
            Node::Not(node) => !node.matches(labels),
            Node::And(nodes) => nodes.iter().all(|node| node.matches(labels)),
            Node::Or(nodes) => nodes.iter().any(|node| node.matches(labels)),
        }
    }
}

impl Test {
    /// `value` is the label's, if it is there.
    fn passes(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return matches!(self, Test::IsNot(_) | Test::NotIn(_)) };
        match self {
            Test::Exists => true,
            Test::Is(wanted) => value == wanted,
            Test::IsNot(other) => value != other,
            Test::In(wanted) => wanted.contains(value),
            Test::NotIn(others) => !others.contains(value),
            Test::Contains(part) => value.contains(part.as_str()),
            Test::StartsWith(part) => value.starts_with(part.as_str()),
            Test::EndsWith(part) => value.ends_with(part.as_str()),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::All => f.write_str("all()"),
            Node::Global => f.write_str("global()"),
            Node::Label(label, Test::Exists) => write!(f, "has({label})"),
            Node::Label(label, test) => write!(f, "{label} {test}"),
            Node::Not(node) => {
                f.write_str("!")?;
                node.fmt_in(f, matches!(**node, Node::And(_) | Node::Or(_)))
            }
            Node::And(nodes) => join(f, nodes, " && ", |node| matches!(node, Node::And(_) | Node::Or(_))),
            Node::Or(nodes) => join(f, nodes, " || ", |node| matches!(node, Node::Or(_))),
        }
    }
}

impl Node {
    fn fmt_in(&self, f: &mut fmt::Formatter<'_>, parentheses: bool) -> fmt::Result {
        if parentheses { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

/// The nodes with `between` between them, those that would else be read otherwise in parentheses.
fn join(
    f: &mut fmt::Formatter<'_>,
    nodes: &[Node],
    between: &str,
    in_parentheses: fn(&Node) -> bool,
) -> fmt::Result {
    for (place, node) in nodes.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        node.fmt_in(f, in_parentheses(node))?;
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Exists => f.write_str("exists"),
            Test::Is(value) => write!(f, "== {}", Quoted(value)),
            Test::IsNot(value) => write!(f, "!= {}", Quoted(value)),
            Test::In(values) => write!(f, "in {}", Set(values)),
            Test::NotIn(values) => write!(f, "not in {}", Set(values)),
            Test::Contains(part) => write!(f, "contains {}", Quoted(part)),
            Test::StartsWith(part) => write!(f, "starts with {}", Quoted(part)),
            Test::EndsWith(part) => write!(f, "ends with {}", Quoted(part)),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('\'') { '"' } else { '\'' };
        write!(f, "{quote}{}{quote}", self.0)
    }
}

struct Set<'a>(&'a BTreeSet<String>);

impl fmt::Display for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.0.iter().map(|value| Quoted(value).to_string()).collect();
        write!(f, "{{{}}}", values.join(", "))
    }
}
