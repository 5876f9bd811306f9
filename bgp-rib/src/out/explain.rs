//! Why a path goes out to a peer, or does not.

use std::fmt;
use std::net::IpAddr;

use bgp_core::{AddressFamily, PathId, Prefix, V4, V6};

use super::export::{ExportContext, GroupKey};
use super::exporter::Exporter;
use crate::filter::{Route, TermOutcome};
use crate::path::Path;
use crate::peer::{PeerId, Peers};

/// What a path has to pass on its way out to a peer, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportCheck {
    /// The family was negotiated.
    Family,
    /// The peer did not announce the path itself.
    SplitHorizon,
    /// Who announced it is still there.
    Source,
    /// It is not from an iBGP peer to another one, or we reflect it (RFC 4456 section 6).
    Reflection,
    /// NO_ADVERTISE, NO_EXPORT and NO_EXPORT_SUBCONFED allow it (RFC 1997).
    Communities,
    /// It is not long-lived stale, or the peer knows what that is (RFC 9494 section 4.3).
    LongLived,
    /// The export policy accepts it.
    Policy,
    /// The next hop that it would go out with is known.
    NextHop,
    /// Its attributes fit into a message.
    Length,
}

impl ExportCheck {
    /// All, in order.
    pub const ALL: [ExportCheck; 9] = [
        ExportCheck::Family,
        ExportCheck::SplitHorizon,
        ExportCheck::Source,
        ExportCheck::Reflection,
        ExportCheck::Communities,
        ExportCheck::LongLived,
        ExportCheck::Policy,
        ExportCheck::NextHop,
        ExportCheck::Length,
    ];

    /// Its name in a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExportCheck::Family => "family negotiated",
            ExportCheck::SplitHorizon => "not from this peer",
            ExportCheck::Source => "source present",
            ExportCheck::Reflection => "may pass between these kinds of peers",
            ExportCheck::Communities => "well-known communities",
            ExportCheck::LongLived => "long-lived stale",
            ExportCheck::Policy => "export policy",
            ExportCheck::NextHop => "next hop known",
            ExportCheck::Length => "fits into a message",
        }
    }
}

impl fmt::Display for ExportCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a peer is sent of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRoute {
    /// The attributes as they go out, but for MP_REACH_NLRI. AS numbers are as wide as in the peer's session.
    pub block: Vec<u8>,
    /// The next hop.
    pub next_hop: IpAddr,
}

/// How one path fares on its way to one peer.
#[derive(Clone, Debug)]
pub struct PathExport {
    /// Who announced it.
    pub source: PeerId,
    /// The identifier that the source gave it.
    pub path_id: PathId,
    /// The first check that it fails; the later ones were not asked.
    pub blocker: Option<ExportCheck>,
    /// What the terms of the export filter made of it, if there is one and it was asked.
    pub terms: Vec<TermOutcome>,
    /// What goes out, if nothing is in the way.
    pub sent: Option<SentRoute>,
}

impl PathExport {
    /// The checks that were asked, in order, and whether the path passed.
    pub fn checks(&self) -> impl Iterator<Item = (ExportCheck, bool)> {
        let asked = |check: &ExportCheck| self.blocker.is_none_or(|blocker| *check <= blocker);
        ExportCheck::ALL.into_iter().filter(asked).map(|check| (check, self.blocker != Some(check)))
    }
}

/// How `path` fares on its way to the peer `to` of a group with this key.
#[must_use]
pub fn explain_export(
    key: &GroupKey,
    context: ExportContext,
    peers: &Peers,
    to: PeerId,
    path: &Path,
    prefix: Prefix,
) -> PathExport {
    match prefix {
        Prefix::V4(prefix) => explain::<V4>(key, context, peers, to, path, prefix),
        Prefix::V6(prefix) => explain::<V6>(key, context, peers, to, path, prefix),
    }
}

fn explain<F: AddressFamily>(
    key: &GroupKey,
    context: ExportContext,
    peers: &Peers,
    to: PeerId,
    path: &Path,
    prefix: F::Prefix,
) -> PathExport {
    let mut exporter = Exporter::new(key.clone(), context);
    let decided = if !key.families.contains(F::FAMILY) {
        Err(ExportCheck::Family)
    } else if path.source.slot == to.slot {
        Err(ExportCheck::SplitHorizon)
    } else {
        exporter.decide::<F>(peers, prefix, path, None)
    };
    let blocker = decided.as_ref().err().copied();
    let asked = blocker.is_none_or(|blocker| blocker >= ExportCheck::Policy);
    let terms = match (key.export.filter(), peers.get(path.source)) {
        (Some(filter), Some(source)) if asked => {
            filter.explain(&Route { prefix: prefix.into(), attrs: &path.attrs, source: source.kind })
        }
        _ => Vec::new(),
    };
    let prepared = decided.is_ok_and(|attrs| exporter.prepare::<F>(peers, &attrs, path.source));
    let sent = prepared.then(|| {
        let (block, next_hop) = exporter.prepared();
        SentRoute { block: block.to_vec(), next_hop }
    });
    PathExport { source: path.source, path_id: path.path_id, blocker, terms, sent }
}
