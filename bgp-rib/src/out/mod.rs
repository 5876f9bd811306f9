//! The way out: update groups, their journals, and what peers are sent that cannot read along.
//!
//! ```text
//!            dirty destinations
//!                   ▼
//!  table ──► Exporter: may it go? ──► Batch: by attributes ──► Journal: chunks, read by cursor ──► peers
//!                   ▼                        ▲                                                      ▲
//!               Records: what was sent last ─┴─► Walk: records again, for one that cannot read along ┘
//! ```
//!
//! Peers that would be sent the same bytes share a [`Group`]. It writes each change once; a peer costs a cursor, and
//! bytes go out as shared slices. A peer whose settings change goes to another group, with what it holds, and a walk of
//! that one tells it the difference.

mod as_path;
mod choice;
mod explain;
mod export;
mod exporter;
mod flush;
mod group;
mod held;
mod journal;
mod moving;
mod pack;
mod records;
mod resync;
mod rewrite;
mod sent;
mod slots;
mod sources;
#[cfg(test)]
mod tests;
mod transmit;
mod views;

use bgp_core::{V4, V6};

use crate::peer::Peers;
use crate::rib::Aggregates;
use crate::table::Table;

pub use explain::{ExportCheck, ExportView, PathExport, SentRoute};
pub use export::{
    Advertise, AsRules, ExportContext, GroupKey, LoadSharing, NextHopRule, PrivateAs, TargetKind,
    communities_allow, exportable,
};
pub use exporter::ExportCounters;
pub use group::{Group, GroupLimits};
pub use journal::{Audience, Sequence};
pub use transmit::Transmit;
pub use views::{Lag, SentPath};

/// What a group reads when a peer is sent something.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// The IPv4 routes.
    pub v4: &'a Table<V4>,
    /// The IPv6 routes.
    pub v6: &'a Table<V6>,
}

/// What a group needs for a flush: it holds the destinations that it has records of.
pub struct TablesMut<'a> {
    /// The IPv4 routes.
    pub v4: &'a mut Table<V4>,
    /// The IPv6 routes.
    pub v6: &'a mut Table<V6>,
    /// The sources of the routes.
    pub peers: &'a Peers,
    /// What stands for the routes inside it.
    pub(crate) aggregates: Option<&'a Aggregates>,
}
