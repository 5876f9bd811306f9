//! What the import policy makes of routes.

use bgp_core::Prefix;
use bgp_rib::filter::Filter;
use bgp_rib::{Attrs, Policy, SourceKind};

/// What the policy says of all routes of a family with the same attributes.
pub(super) enum Passes {
    /// They pass, with these attributes.
    Yes(Attrs),
    /// None passes.
    No,
    /// That depends on the prefix.
    ByPrefix,
}

/// The import policy of one session.
pub(super) struct ImportPolicy {
    policy: Policy,
    source: SourceKind,
}

impl ImportPolicy {
    pub(super) fn new(policy: Policy, source: SourceKind) -> ImportPolicy {
        ImportPolicy { policy, source }
    }

    /// What it says whatever the prefix is.
    pub(super) fn common(&self, attrs: &Attrs) -> Passes {
        match &self.policy {
            Policy::Accept => Passes::Yes(attrs.clone()),
            Policy::Reject => Passes::No,
            Policy::Filter(_) => Passes::ByPrefix,
        }
    }

    /// With which attributes a route passes, if it does.
    pub(super) fn one(&self, prefix: Prefix, attrs: &Attrs) -> Option<Attrs> {
        match &self.policy {
            Policy::Accept => Some(attrs.clone()),
            Policy::Reject => None,
            Policy::Filter(filter) => evaluate(filter, prefix, attrs, self.source),
        }
    }
}

/// No filter is evaluated yet: nothing passes one.
fn evaluate(_: &Filter, _: Prefix, _: &Attrs, _: SourceKind) -> Option<Attrs> {
    None
}
