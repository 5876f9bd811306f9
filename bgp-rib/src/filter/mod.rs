//! Route filters: ordered terms that accept, reject and change routes, on the way in and on the way out.
//!
//! ```text
//!  route ─► term 1: matches? ─► its edits ─► accept │ reject │ go on ─► term 2 … ─► otherwise
//! ```
//!
//! A filter is asked for each route, so [`Filter::evaluate`] only gives a small [`Verdict`]: whether the route passes,
//! and which terms change it. What they make of an attribute set is made once for all routes that carry it
//! ([`FilterRun`]), and is a set of its own in the same store. All terms see the route as it came.
//!
//! ```
//! use bgp_core::wire::{Attributes, Summary, code};
//! use bgp_core::{Asn, PeerKind};
//! use bgp_rib::filter::*;
//! use bgp_rib::{AttributeStore, SourceKind};
//!
//! let term = |name: &str, matches, edits, action| Term { name: name.to_owned(), matches, edits, action };
//! let own: PrefixList = vec!["10.0.0.0/8 ge 16 le 24".parse()?].into();
//! let filter = Filter::new("from-upstream", vec![
//!     term("own", vec![Match::Prefix(own)], vec![], Some(Action::Reject)),
//!     term("backup", vec![Match::AsPath(vec!["^64513 .* 64999$".parse()?])], vec![Edit::LocalPref(50)], None),
//! ], Action::Accept)?;
//!
//! let block = [0x40, code::ORIGIN, 1, 0, 0x40, code::AS_PATH, 10, 2, 2, 0, 0, 0xfc, 1, 0, 0, 0xfd, 0xe7];
//! let summary = Summary::of(Attributes::new(&block));
//! let store = AttributeStore::new(7);
//! let attrs = store.insert(PeerKind::External, [192, 0, 2, 1].into(), &[&block], summary);
//! let route = |prefix| Route { prefix, attrs: &attrs, source: SourceKind::External };
//!
//! assert!(!filter.evaluate(&route("10.1.0.0/16".parse()?)).accept);
//! let verdict = filter.evaluate(&route("203.0.113.0/24".parse()?));
//! let mut run = FilterRun::new(Direction::Import, Asn(64512));
//! let edited = run.edited(&filter, verdict, &attrs).ok_or("it fits")?;
//! assert_eq!((verdict.accept, edited.summary().local_pref), (true, Some(50)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod as_path;
mod communities;
mod edit;
mod error;
mod explain;
mod matching;
mod prefixes;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use apply::Direction;
pub use as_path::AsPathPattern;
pub use communities::{CommunityPattern, ExtendedCommunityPattern, LargeCommunityPattern};
pub use edit::{Change, Edit, NextHopEdit};
pub use error::{FilterError, ParseError};
pub use explain::TermOutcome;
pub use matching::{Match, Route};
pub use prefixes::{PrefixList, PrefixRange};
pub(crate) use run::Edits;
pub use run::FilterRun;

/// Which routes pass in one direction (RFC 8212: over eBGP nothing passes that is not asked for).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every route passes.
    Accept,
    /// No route passes.
    Reject,
    /// A filter decides, and may change routes.
    Filter(Arc<Filter>),
}

impl Policy {
    /// Its verdict on a route.
    #[must_use]
    pub fn evaluate(&self, route: &Route<'_>) -> Verdict {
        let without_filter = |accept| Verdict { accept, edits: 0, term: None };
        match self {
            Policy::Accept => without_filter(true),
            Policy::Reject => without_filter(false),
            Policy::Filter(filter) => filter.evaluate(route),
        }
    }

    /// Whether its verdict may depend on the destination, and not only on the attributes, the family and the source.
    #[must_use]
    pub fn looks_at_prefix(&self) -> bool {
        self.filter().is_some_and(Filter::looks_at_prefix)
    }

    /// The filter, if it is one.
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        match self {
            Policy::Filter(filter) => Some(filter),
            Policy::Accept | Policy::Reject => None,
        }
    }
}

impl fmt::Display for Policy {
    /// `accept`, `reject`, or the filter's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::Accept => f.write_str("accept"),
            Policy::Reject => f.write_str("reject"),
            Policy::Filter(filter) => f.write_str(&filter.name),
        }
    }
}

/// What becomes of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It passes.
    Accept,
    /// It does not pass.
    Reject,
}

/// Terms with edits that a filter may have: each is a bit of a [`Verdict`].
const MAX_EDITING_TERMS: usize = 64;

/// Ordered terms. Two are equal if their content is, whatever made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    name: String,
    terms: Vec<Term>,
    otherwise: Action,
}

/// One step of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its name in the configuration, or its place.
    pub name: String,
    /// All have to match; none matches every route.
    pub matches: Vec<Match>,
    /// What is changed of a route that matches, in this order.
    pub edits: Vec<Edit>,
    /// What becomes of a route that matches; `None`: the next term is asked.
    pub action: Option<Action>,
}

impl Term {
    fn matches(&self, route: &Route<'_>) -> bool {
        self.matches.iter().all(|condition| condition.matches(route))
    }
}

/// What a filter says of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it passes.
    pub accept: bool,
    /// The terms that change it, a bit for each: the lowest is the first term that has edits. None of a route that does
    /// not pass.
    pub edits: u64,
    /// The place of the term that decided; `None`: none did.
    pub term: Option<u16>,
}

impl Filter {
    /// A filter with this name in the configuration. `otherwise` is what becomes of a route that no term decided on.
    ///
    /// # Errors
    /// More than 64 terms have edits, or there are more than 65535 terms.
    pub fn new(name: impl Into<String>, terms: Vec<Term>, otherwise: Action) -> Result<Filter, FilterError> {
        let name = name.into();
        let editing = terms.iter().filter(|term| !term.edits.is_empty()).count();
        if editing > MAX_EDITING_TERMS {
            return Err(FilterError::TooManyEdits { name, terms: editing });
        }
        if terms.len() > usize::from(u16::MAX) {
            return Err(FilterError::TooManyTerms { name, terms: terms.len() });
        }
        Ok(Filter { name, terms, otherwise })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The terms, in the order in which they are asked.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What becomes of a route that no term decided on.
    #[must_use]
    pub fn otherwise(&self) -> Action {
        self.otherwise
    }

    /// Whether a term asks for the destination. If none does, all routes of a family with the same attributes from the
    /// same source get the same verdict.
    #[must_use]
    pub fn looks_at_prefix(&self) -> bool {
        self.terms
            .iter()
            .flat_map(|term| &term.matches)
            .any(|condition| matches!(condition, Match::Prefix(_)))
    }

    /// Whether a route passes, and which terms change it. Allocates nothing.
    #[must_use]
    pub fn evaluate(&self, route: &Route<'_>) -> Verdict {
        let (mut edits, mut bit) = (0, 1_u64);
        for (place, term) in self.terms.iter().enumerate() {
            let own_bit = if term.edits.is_empty() { 0 } else { bit };
            bit = bit.wrapping_shl(u32::from(own_bit != 0));
            if !term.matches(route) {
                continue;
            }
            edits |= own_bit;
            if let Some(action) = term.action {
                return Verdict::new(action, edits, u16::try_from(place).ok());
            }
        }
        Verdict::new(self.otherwise, edits, None)
    }

    /// The edits that a verdict stands for, in order.
    fn edits(&self, verdict: Verdict) -> impl Iterator<Item = &Edit> {
        self.edits_of(verdict.edits)
    }

    /// The edits of the terms with these bits.
    pub(crate) fn edits_of(&self, bits: u64) -> impl Iterator<Item = &Edit> {
        let editing = self.terms.iter().filter(|term| !term.edits.is_empty());
        editing.enumerate().filter(move |(place, _)| bits >> place & 1 != 0).flat_map(|(_, term)| &term.edits)
    }
}

impl Verdict {
    fn new(action: Action, edits: u64, term: Option<u16>) -> Verdict {
        let accept = action == Action::Accept;
        Verdict { accept, edits: if accept { edits } else { 0 }, term }
    }
}
