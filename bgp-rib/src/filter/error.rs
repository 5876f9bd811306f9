//! What is wrong with a filter, or with the text of a part of one.

use bgp_core::prefix::ParsePrefixError;
use bgp_core::wire::community::CommunityError;

/// Why a text is no part of a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Something else was expected somewhere in it.
    #[error("\"{text}\" is no {kind}: at character {at} expected {expected}")]
    Syntax {
        /// The text.
        text: String,
        /// What it was to be.
        kind: &'static str,
        /// Where it goes wrong, from 1.
        at: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// It is no prefix.
    #[error("\"{text}\": {error}")]
    Prefix {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: ParsePrefixError,
    },
    /// It is no community.
    #[error(transparent)]
    Community(#[from] CommunityError),
}

/// Why terms make no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// More terms change routes than a verdict can name.
    #[error("filter `{name}` changes routes in {terms} terms; at most 64 may")]
    TooManyEdits {
        /// The filter's name.
        name: String,
        /// How many of its terms have edits.
        terms: usize,
    },
    /// More terms than a verdict can number.
    #[error("filter `{name}` has {terms} terms; at most 65535 may be")]
    TooManyTerms {
        /// The filter's name.
        name: String,
        /// How many terms it has.
        terms: usize,
    },
}

/// What was expected, and what stands there instead.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) rest: &'a str,
    pub(super) what: &'static str,
}

impl<'a> nom::error::ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(rest: &'a str, _: nom::error::ErrorKind) -> Expected<'a> {
        Expected { rest, what: "something else" }
    }

    fn append(_: &'a str, _: nom::error::ErrorKind, other: Expected<'a>) -> Expected<'a> {
        other
    }
}

/// What a parser of this module gives.
pub(super) type Parsed<'a, T> = nom::IResult<&'a str, T, Expected<'a>>;

/// No other way is tried: `what` must stand at `rest`.
pub(super) fn expected<'a, T>(rest: &'a str, what: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Expected { rest, what }))
}

/// The result of a parser that has to take all of `text`.
pub(super) fn whole<'a, T>(
    text: &'a str,
    kind: &'static str,
    at_end: &'static str,
    parsed: Parsed<'a, T>,
) -> Result<T, ParseError> {
    let (rest, expected) = match parsed {
        Ok(("", value)) => return Ok(value),
        Ok((rest, _)) => (rest, at_end),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => (e.rest, e.what),
        Err(nom::Err::Incomplete(_)) => ("", at_end),
    };
    let before = text.get(..text.len().saturating_sub(rest.len())).unwrap_or(text);
    Err(ParseError::Syntax { text: text.to_owned(), kind, at: before.chars().count() + 1, expected })
}
