//! What the import policy makes of routes.

use bgp_core::{Asn, Prefix};
use bgp_rib::filter::{Direction, Edit, FilterRun, Route};
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

/// What a route over eBGP gets whose sender is about to go (RFC 8326 section 4).
const LAST_CHOICE: Edit = Edit::LocalPref(0);

/// The import policy of one session, and behind it what RFC 8326 asks for: a route of an eBGP peer that still carries
/// GRACEFUL_SHUTDOWN then is the last choice, whatever preference the policy gave it. A policy that takes the community
/// off decides by itself.
pub(super) struct ImportPolicy {
    policy: Policy,
    source: SourceKind,
    looks_at_prefix: bool,
    run: FilterRun,
    last_choice: FilterRun,
}

impl ImportPolicy {
    pub(super) fn new(policy: Policy, source: SourceKind, local_as: Asn) -> ImportPolicy {
        let looks_at_prefix = policy.looks_at_prefix();
        let run = || FilterRun::new(Direction::Import, local_as);
        ImportPolicy { policy, source, looks_at_prefix, run: run(), last_choice: run() }
    }

    /// What it says of all routes that have the family of `prefix` and these attributes.
    pub(super) fn common(&mut self, prefix: Prefix, attrs: &Attrs) -> Passes {
        match self.looks_at_prefix {
            true => Passes::ByPrefix,
            false => self.one(prefix, attrs).map_or(Passes::No, Passes::Yes),
        }
    }

    /// With which attributes a route passes, if it does.
    pub(super) fn one(&mut self, prefix: Prefix, attrs: &Attrs) -> Option<Attrs> {
        let verdict = self.policy.evaluate(&Route { prefix, attrs, source: self.source });
        if !verdict.accept {
            return None;
        }
        let passed = match self.policy.filter() {
            Some(filter) => self.run.edited(filter, verdict, attrs)?,
            None => attrs.clone(),
        };
        match self.source == SourceKind::External && passed.summary().graceful_shutdown {
            true => self.last_choice.edited_with(&LAST_CHOICE, &passed),
            false => Some(passed),
        }
    }

    /// Lets go of the sets that were made for a batch.
    pub(super) fn clear(&mut self) {
        self.run.clear();
        self.last_choice.clear();
    }
}
