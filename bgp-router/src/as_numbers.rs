//! AS numbers where they are not simply ours and the peer's: racks that share one, ASes that are merged, confederations.

use bgp_core::fsm::Negotiated;
use bgp_core::wire::notification::open_error;
use bgp_core::wire::{AsPath, Notification, SegmentKind};
use bgp_core::{Asn, PeerKind};
use bgp_rib::fault::{Fault, planted};
use bgp_rib::{AsRules, PrivateAs};

use crate::config::{Identity, PeerSettings};

/// What is done with AS numbers towards one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsNumbers {
    /// How often our own AS may be on the path of a route that is taken; 0: such a route is a loop.
    pub allow_own: u8,
    /// On paths that the peer is sent, ours stands for the peer's own AS; eBGP only.
    pub overrides: bool,
    /// What becomes of private AS numbers on paths that the peer is sent; eBGP only.
    pub private: PrivateNumbers,
    /// The AS that the peer knows us by, if it is another than our own (RFC 7705).
    pub local: Option<LocalAs>,
}

/// What becomes of private AS numbers (RFC 6996) on the way out. The peer's own stays: by it the peer sees a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateNumbers {
    /// They go out as they are.
    #[default]
    Keep,
    /// They are taken off.
    Remove,
    /// Ours stands for each.
    Replace,
}

/// Another AS of ours that a peer knows us by, as that of a network which became a part of ours (RFC 7705).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAs {
    /// Its number.
    pub asn: Asn,
    /// It is put in front of the path of what the peer sends too, as if that had passed through it.
    pub prepends_received: bool,
    /// It is told instead of our own AS, not in front of it.
    pub replaces: bool,
    /// The peer may know us by our own AS as well: that is tried where it refuses this one.
    pub dual: bool,
}

impl PeerSettings {
    /// The AS that the peer knows us by.
    #[must_use]
    pub fn session_as(&self, identity: &Identity) -> Asn {
        let inside = self.confederation || self.peer_as == Some(identity.local_as);
        let public = identity.confederation.filter(|_| !inside).unwrap_or(identity.local_as);
        self.as_numbers.local.map_or(public, |local| local.asn)
    }

    /// How the AS path changes towards the peer of a session that negotiated this.
    pub(crate) fn as_rules(&self, identity: &Identity, negotiated: &Negotiated) -> AsRules {
        if negotiated.kind == PeerKind::Internal {
            return AsRules::default();
        }
        let AsNumbers { overrides, private, local, .. } = self.as_numbers;
        let spared = negotiated.peer_as;
        // A member AS is nothing to the world.
        let public = identity.confederation.unwrap_or(identity.local_as);
        AsRules {
            session_as: Some(self.session_as(identity)).filter(|asn| *asn != identity.local_as),
            shown: local.filter(|local| !local.replaces).map(|_| public),
            overridden: overrides.then_some(spared),
            private: (private != PrivateNumbers::Keep)
                .then_some(PrivateAs { replace: private == PrivateNumbers::Replace, spared }),
        }
    }

    /// Whether a path of the peer's has been here before (RFC 4271 section 9.1.2, RFC 5065 section 4).
    pub(crate) fn is_loop(&self, identity: &Identity, path: AsPath<'_>) -> bool {
        let local = self.as_numbers.local.map(|local| local.asn);
        let ours = [Some(identity.local_as), identity.confederation, local];
        // Every route passes here, and hardly any has one of ours.
        if !ours.into_iter().flatten().any(|asn| path.contains(asn)) {
            return false;
        }
        let times = path.asns().filter(|asn| ours.contains(&Some(*asn))).count();
        let allowed = usize::from(self.as_numbers.allow_own);
        times > if planted(Fault::OwnAsAllowedOnceMore) { allowed + 1 } else { allowed }
    }

    /// Whether a path may come from the peer: one from another member AS begins with a sequence of those (RFC 5065
    /// section 4).
    pub(crate) fn is_begun_well(&self, path: AsPath<'_>) -> bool {
        let first = || path.segments().next().map(|segment| segment.kind);
        !self.confederation || first() == Some(SegmentKind::ConfedSequence)
    }

    /// The AS that goes in front of the paths of routes that the peer sends.
    pub(crate) fn prepended(&self, kind: PeerKind) -> Option<Asn> {
        let local = self.as_numbers.local.filter(|local| local.prepends_received)?;
        let is_external = kind == PeerKind::External && !planted(Fault::FormerAsNotPrepended);
        is_external.then_some(local.asn)
    }
}

/// Which of two ASes a peer is told that may know us by either.
///
/// The peer's OPEN does not say which it expects; its refusal of ours does. So each refusal is the turn of the other.
#[derive(Debug, Default)]
pub(crate) struct Dual {
    /// The one that is put aside while our own is told.
    aside: Option<LocalAs>,
}

impl Dual {
    /// The peer refused a session like this; returns whether another AS is to be told now.
    pub(crate) fn refused(&mut self, settings: &mut PeerSettings, reason: &Notification) -> bool {
        let local = &mut settings.as_numbers.local;
        let unknown = (reason.code, reason.subcode) == (Notification::OPEN, open_error::BAD_PEER_AS);
        let is_dual = local.or(self.aside).is_some_and(|local| local.dual);
        if unknown && is_dual {
            std::mem::swap(local, &mut self.aside);
        }
        unknown && is_dual
    }

    /// Other settings: the AS that was found to suit stays, if it is still one of two.
    pub(crate) fn carry_over(&mut self, settings: &mut PeerSettings) {
        if self.aside.is_some() && self.aside == settings.as_numbers.local {
            settings.as_numbers.local = None;
        } else {
            self.aside = None;
        }
    }
}
