//! Lists of anything.

use std::fmt::Display;
use std::ops::Range;

use super::super::diagnostic::{Code, Report};
use super::super::section::{Node, Parser};
use super::wrong_type;

/// A list that is not empty.
pub(in crate::config) fn several<T>(
    node: &Node<'_>,
    report: &mut Report<'_>,
    element: Parser<T>,
) -> Option<Vec<T>> {
    array(node, report, "a list")?;
    list(node, report, "a list", element)
}

/// The nodes of a list that has any.
pub(in crate::config) fn array<'n, 't>(
    node: &'n Node<'t>,
    report: &mut Report<'_>,
    wanted: &str,
) -> Option<&'n [Node<'t>]> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type(node, report, wanted);
        return None;
    };
    if array.is_empty() {
        report.error(Code::Value, node.span(), "an empty list matches nothing", "take it out, or fill it");
    }
    Some(array.as_ref())
}

/// Each element by `element`; elements that are wrong are reported and left out.
pub(in crate::config) fn list<T>(
    node: &Node<'_>,
    report: &mut Report<'_>,
    wanted: &str,
    element: Parser<T>,
) -> Option<Vec<T>> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type(node, report, wanted);
        return None;
    };
    Some(array.iter().filter_map(|node| element(node, report)).collect())
}

pub(in crate::config) fn without_repeats<T: PartialEq + Display>(
    report: &mut Report<'_>,
    found: Vec<(T, Range<usize>)>,
) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for (value, span) in found {
        if kept.contains(&value) {
            report.error(Code::Duplicate, span, format!("{value} is in the list twice"), "take one out");
        } else {
            kept.push(value);
        }
    }
    kept
}

/// A list of texts, to be shown.
pub(in crate::config) fn strings<T: Display>(values: impl IntoIterator<Item = T>) -> toml::Value {
    toml::Value::Array(values.into_iter().map(|value| toml::Value::String(value.to_string())).collect())
}
