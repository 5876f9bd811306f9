//! Whether a route is taken, and with which attributes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use bgp_core::wire::Attributes;
use bgp_core::{Asn, PeerKind, Prefix, RouterId};
use bgp_rib::fault::{Fault, planted};
use bgp_rib::{Attrs, Policy, roles};

use super::policy::{ImportPolicy, Passes};
use super::refusal::Refusal;
use crate::config::{Identity, LocalAddresses, PeerSettings};

/// The attributes that a route is taken with, or why it is not.
pub(crate) type Verdict<'a> = Result<Cow<'a, Attrs>, Refusal>;

/// What is known of all routes of a family with the same attributes.
pub(crate) enum Common {
    /// None is taken.
    Refused(Refusal),
    /// Those that are allowed are taken, with these attributes.
    Taken(Attrs),
    /// The policy asks for the prefix.
    ByPrefix,
}

/// Whether every route is judged in the same way by both settings, but for how many paths to a destination are taken.
pub(crate) fn judge_alike(a: &PeerSettings, b: &PeerSettings) -> bool {
    let sees_source = matches!(b.import, Policy::Filter(_));
    a.import == b.import
        && (a.client == b.client || !sees_source)
        && a.allowed_prefixes == b.allowed_prefixes
        && (a.role, a.enforce_first_as) == (b.role, b.enforce_first_as)
        && (a.local_v4, a.local_v6) == (b.local_v4, b.local_v6)
        && a.as_numbers.allow_own == b.as_numbers.allow_own
}

/// Of so many originators we tell that their routes came back to our cluster.
const MAX_LOOPED: usize = 64;

fn policy(identity: &Identity, (kind, peer_as): (PeerKind, Asn), settings: &PeerSettings) -> ImportPolicy {
    let marked = kind == PeerKind::External && roles::marks_coming(settings.role);
    let policy = ImportPolicy::new(settings, kind, identity);
    policy.marking(marked.then_some(peer_as))
}

/// The judge of one session.
pub(crate) struct Judge {
    identity: Identity,
    kind: PeerKind,
    peer_as: Asn,
    /// Our addresses on the session's link.
    local: LocalAddresses,
    settings: PeerSettings,
    policy: ImportPolicy,
    looped: BTreeSet<RouterId>,
}

impl Judge {
    pub(super) fn new(
        identity: Identity,
        (kind, peer_as): (PeerKind, Asn),
        local: LocalAddresses,
        settings: PeerSettings,
    ) -> Judge {
        let policy = policy(&identity, (kind, peer_as), &settings);
        Judge { identity, kind, peer_as, local, settings, policy, looped: BTreeSet::new() }
    }

    /// Judges by other settings from now on.
    pub(super) fn set_settings(&mut self, settings: PeerSettings) {
        self.policy = policy(&self.identity, (self.kind, self.peer_as), &settings);
        self.settings = settings;
    }

    /// Judges one route.
    pub(crate) fn judge(&mut self, prefix: Prefix, attrs: &Attrs) -> Result<Attrs, Refusal> {
        let common = self.common(prefix, attrs);
        self.one(&common, prefix, attrs).map(Cow::into_owned)
    }

    /// Judges what the prefix has no part in, but for its family.
    pub(crate) fn common(&mut self, prefix: Prefix, attrs: &Attrs) -> Common {
        if let Some(refusal) = self.refusal(attrs) {
            if refusal == Refusal::Cluster && self.looped.len() < MAX_LOOPED {
                self.looped.extend(attrs.summary().originator_id);
            }
            return Common::Refused(refusal);
        }
        match self.policy.common(prefix, attrs) {
            Passes::Yes(attrs) => Common::Taken(attrs),
            Passes::No => Common::Refused(Refusal::Policy),
            Passes::ByPrefix => Common::ByPrefix,
        }
    }

    /// Judges one route of which the rest is known.
    pub(crate) fn one<'a>(&mut self, common: &'a Common, prefix: Prefix, attrs: &Attrs) -> Verdict<'a> {
        match common {
            Common::Refused(refusal) => Err(*refusal),
            _ if !self.allowed(prefix) => Err(Refusal::Policy),
            Common::Taken(attrs) => Ok(Cow::Borrowed(attrs)),
            Common::ByPrefix => self.policy.one(prefix, attrs).map(Cow::Owned).ok_or(Refusal::Policy),
        }
    }

    /// Whose routes have been refused because our cluster has reflected them, the first of them.
    pub(super) fn looped(&self) -> &BTreeSet<RouterId> {
        &self.looped
    }

    /// The link that the session runs over, if it is one of link-local addresses.
    pub(super) fn link(&self) -> Option<NonZeroU32> {
        self.local.link()
    }

    pub(super) fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    /// Lets go of the sets that were made for a batch.
    pub(super) fn clear(&mut self) {
        self.policy.clear();
    }

    fn allowed(&self, prefix: Prefix) -> bool {
        let allowed = &self.settings.allowed_prefixes;
        allowed.is_empty() || allowed.iter().any(|a| a.covers(&prefix))
    }

    fn refusal(&self, attrs: &Attrs) -> Option<Refusal> {
        if self.settings.import == Policy::Reject {
            return Some(Refusal::Policy);
        }
        if self.is_ours(attrs.next_hop()) && !planted(Fault::OwnNextHopTaken) {
            return Some(Refusal::NextHop);
        }
        let block = Attributes::new(attrs.block());
        if self.settings.is_loop(&self.identity, block.as_path()) && !planted(Fault::OwnAsNotChecked) {
            return Some(Refusal::AsLoop);
        }
        if !self.settings.is_begun_well(block.as_path()) {
            return Some(Refusal::Confederation);
        }
        if self.kind == PeerKind::External {
            return self.refusal_of_external(attrs);
        }
        if attrs.summary().originator_id == Some(self.identity.router_id)
            && !planted(Fault::OwnOriginatorNotChecked)
        {
            return Some(Refusal::Originator);
        }
        let looped = self.identity.cluster_id.is_some_and(|own| block.cluster_list().any(|c| c == own));
        (looped && !planted(Fault::OwnClusterNotChecked)).then_some(Refusal::Cluster)
    }

    fn refusal_of_external(&self, attrs: &Attrs) -> Option<Refusal> {
        let PeerSettings { role, enforce_first_as, .. } = self.settings;
        if enforce_first_as && attrs.summary().neighbor_as != Some(self.peer_as) {
            return Some(Refusal::FirstAs);
        }
        roles::is_leak(role, self.peer_as, attrs.block()).then_some(Refusal::RouteLeak)
    }

    /// Whether we send, or would send, routes with this next hop ourselves.
    fn is_ours(&self, next_hop: IpAddr) -> bool {
        let ours = match next_hop {
            IpAddr::V4(_) => [self.local.v4, self.settings.local_v4].map(|a| a.map(IpAddr::V4)),
            IpAddr::V6(_) => [self.local.v6, self.settings.local_v6].map(|a| a.map(IpAddr::V6)),
        };
        // From elsewhere a loopback address is the peer's own, and to us it would be ours.
        let elsewhere = next_hop.is_loopback() && !self.local.session.is_loopback();
        elsewhere || next_hop == self.local.session || ours.contains(&Some(next_hop))
    }
}
