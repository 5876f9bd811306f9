//! From TOML values to the types of the model, one function a type.

mod addresses;
mod choices;
mod lists;
mod numbers;

use std::fmt::Display;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use super::diagnostic::{Code, Report};
use super::section::{Node, article};

pub(super) use addresses::*;
pub(super) use choices::*;
pub(super) use lists::*;
pub(super) use numbers::*;

pub(super) fn wrong_type(node: &Node<'_>, report: &mut Report<'_>, wanted: &str) {
    let message = format!("expected {wanted}, found {}", article(node.get_ref().type_str()));
    report.error(Code::Type, node.span(), message, "");
}

pub(super) fn text<'n>(node: &'n Node<'_>, report: &mut Report<'_>, wanted: &str) -> Option<&'n str> {
    if node.get_ref().as_str().is_none() {
        wrong_type(node, report, wanted);
    }
    node.get_ref().as_str()
}

/// Any text.
pub(super) fn string(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    text(node, report, "a string").map(str::to_owned)
}

/// A name for people, which commands and other keys can use.
pub(super) fn name(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    let name = string(node, report)?;
    let shown = !name.is_empty() && name.len() <= 64 && name.chars().all(|c| !c.is_control() && c != ' ');
    if !shown {
        let message = "a name is 1 to 64 characters without spaces";
        report.error(Code::Value, node.span(), message, "");
    }
    shown.then_some(name)
}

/// A file's path, not empty.
pub(super) fn path(node: &Node<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    let path = text(node, report, "a path, as in \"/run/bgp/prefixes\"")?;
    if path.is_empty() {
        report.error(Code::Value, node.span(), "the path is empty", "leave the key out, or name a file");
        return None;
    }
    Some(PathBuf::from(path))
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node<'_>, report: &mut Report<'_>) -> Option<bool> {
    if node.get_ref().as_bool().is_none() {
        wrong_type(node, report, "true or false");
    }
    node.get_ref().as_bool()
}

/// From `offset` octets into a text value to its end, as bytes of the file. A text with escapes other than `\"` and `\\` is
/// pointed at as a whole.
pub(super) fn inside(node: &Node<'_>, file: &str, offset: usize) -> Range<usize> {
    let whole = node.span();
    let value = node.get_ref().as_str().unwrap_or_default();
    let written = file.get(whole.clone()).unwrap_or_default();
    let quotes = if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
    let quoted = written.get(quotes..written.len().saturating_sub(quotes)).unwrap_or_default();
    // The line break behind three quotes is not part of the text.
    let dropped = quoted.len() - quoted.trim_start_matches(['\r', '\n']).len();
    let body = if quotes == 3 { quoted.get(dropped..).unwrap_or_default() } else { quoted };
    let start = whole.start + quotes + if quotes == 3 { dropped } else { 0 };
    let (before, after) = value.split_at_checked(offset).unwrap_or((value, ""));
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").len();
    match body.len() {
        length if length == value.len() => {
            start + before.len()..(start + length).max(start + before.len() + 1)
        }
        length if length == escaped(value) => {
            let from = start + escaped(before);
            from..from + escaped(after).max(1)
        }
        _ => whole,
    }
}

/// What its own type says of a wrong text is all there is to say.
pub(super) fn explained<T: FromStr<Err: Display>>(
    node: &Node<'_>,
    report: &mut Report<'_>,
    wanted: &str,
) -> Option<T> {
    let text = text(node, report, wanted)?;
    text.parse().map_err(|error: T::Err| report.error(Code::Value, node.span(), error.to_string(), "")).ok()
}
