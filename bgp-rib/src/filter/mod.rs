//! Route filters: ordered terms that accept, reject and change routes, on the way in and on the way out.
//!
//! ```text
//!  route ─► term 1: matches? ─► its edits ─► accept │ reject │ go on ─► term 2 … ─► otherwise
//! ```

use std::fmt;
use std::sync::Arc;

use bgp_core::wire::{Community, ExtendedCommunity, LargeCommunity, Origin};
use bgp_core::{FamilySet, Prefix};

use crate::peer::SourceKind;

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

/// Ordered terms. Two are equal if their content is, whatever made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its name in the configuration.
    pub name: String,
    /// The terms, in the order in which they are asked.
    pub terms: Vec<Term>,
    /// What becomes of a route that no term decided on.
    pub otherwise: Action,
}

/// One step of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its name in the configuration, or its place.
    pub name: String,
    /// All have to match; none matches every route.
    pub matches: Vec<Match>,
    /// What is changed of a route that matches.
    pub edits: Vec<Edit>,
    /// What becomes of a route that matches; `None`: the next term is asked.
    pub action: Option<Action>,
}

/// Prefixes inside `prefix` whose length is in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixRange {
    /// What they are inside of.
    pub prefix: Prefix,
    /// The least length.
    pub ge: u8,
    /// The greatest length.
    pub le: u8,
}

/// A condition on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// The destination is one of these.
    Prefix(Vec<PrefixRange>),
    /// It is of one of these families.
    Family(FamilySet),
    /// It carries one of these communities (RFC 1997).
    Community(Vec<Community>),
    /// It carries one of these extended communities (RFC 4360).
    ExtendedCommunity(Vec<ExtendedCommunity>),
    /// It carries one of these large communities (RFC 8092).
    LargeCommunity(Vec<LargeCommunity>),
    /// Its next hop is inside one of these.
    NextHop(Vec<Prefix>),
    /// Its ORIGIN is one of these.
    Origin(Vec<Origin>),
    /// What it came from is one of these.
    Source(Vec<SourceKind>),
}

/// A change of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// LOCAL_PREF is this.
    LocalPref(u32),
    /// MULTI_EXIT_DISC is this; `None`: there is none.
    Med(Option<u32>),
    /// These communities are added.
    AddCommunities(Vec<Community>),
    /// These are taken out.
    RemoveCommunities(Vec<Community>),
}
