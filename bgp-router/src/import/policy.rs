//! What the import policy makes of routes.

use bgp_core::{Asn, PeerKind, Prefix};
use bgp_rib::filter::{Direction, Edit, FilterRun, Route};
use bgp_rib::{Attrs, Policy, SourceKind};

use crate::config::{Identity, PeerSettings};

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

/// The import policy of one session, in front of it the AS that the peer knows us by (RFC 7705 section 3.3), and behind
/// it what RFC 8326 asks for: a route of an eBGP peer that still carries GRACEFUL_SHUTDOWN then is the last choice,
/// whatever preference the policy gave it. A policy that takes the community off decides by itself.
pub(super) struct ImportPolicy {
    policy: Policy,
    source: SourceKind,
    looks_at_prefix: bool,
    prepend: Option<(Edit, FilterRun)>,
    run: FilterRun,
    last_choice: FilterRun,
    /// Marks routes as only for customers (RFC 9234 section 5).
    mark: Option<(Edit, FilterRun)>,
}

impl ImportPolicy {
    pub(super) fn new(settings: &PeerSettings, kind: PeerKind, identity: &Identity) -> ImportPolicy {
        let policy = settings.import.clone();
        let run = || FilterRun::new(Direction::Import, settings.session_as(identity));
        let prepend = |asn| (Edit::Prepend { asn: Some(asn), times: 1 }, run());
        ImportPolicy {
            looks_at_prefix: policy.looks_at_prefix(),
            source: settings.source_kind(kind),
            prepend: settings.prepended(kind).map(prepend),
            run: run(),
            last_choice: run(),
            policy,
            mark: None,
        }
    }

    /// The same, and what passes without ONLY_TO_CUSTOMER gets it with this AS.
    pub(super) fn marking(self, asn: Option<Asn>) -> ImportPolicy {
        let mark = |asn| (Edit::OnlyToCustomer(asn), FilterRun::new(Direction::Import, asn));
        ImportPolicy { mark: asn.map(mark), ..self }
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
        match &mut self.prepend {
            Some((edit, run)) => {
                let attrs = run.edited_with(edit, attrs)?;
                self.judge(prefix, &attrs)
            }
            None => self.judge(prefix, attrs),
        }
    }

    fn judge(&mut self, prefix: Prefix, attrs: &Attrs) -> Option<Attrs> {
        let verdict = self.policy.evaluate(&Route { prefix, attrs, source: self.source });
        if !verdict.accept {
            return None;
        }
        let passed = match self.policy.filter() {
            Some(filter) => self.run.edited(filter, verdict, attrs)?,
            None => attrs.clone(),
        };
        let passed = match self.source == SourceKind::External && passed.summary().graceful_shutdown {
            true => self.last_choice.edited_with(&LAST_CHOICE, &passed)?,
            false => passed,
        };
        match &mut self.mark {
            Some((mark, run)) => run.edited_with(mark, &passed),
            None => Some(passed),
        }
    }

    /// Lets go of the sets that were made for a batch.
    pub(super) fn clear(&mut self) {
        if let Some((_, run)) = &mut self.prepend {
            run.clear();
        }
        self.run.clear();
        self.last_choice.clear();
        self.mark.iter_mut().for_each(|(_, run)| run.clear());
    }
}
