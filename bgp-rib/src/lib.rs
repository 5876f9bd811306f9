//! bgp-rib

pub mod attributes;
mod chunks;
pub mod decision;
mod dirty;
mod family;
mod fib;
mod hash;
pub mod next_hop;
pub mod out;
mod path;
mod peer;
mod rib;
pub mod table;
#[cfg(test)]
mod testing;

pub use bgp_core::wire::Summary;
pub use attributes::{AttributeSet, AttributeStore, Attrs};
pub use decision::{Decision, DecisionConfig, Rule};
pub use dirty::DirtySet;
pub use family::{Held, RibFamily};
pub use fib::FibChange;
pub use next_hop::{NextHopId, NextHopSource, NextHopState, NextHops, Watch};
pub use out::{ExportContext, ExportCounters, Group, GroupKey, GroupLimits, Lag, TargetKind};
pub use path::Path;
pub use peer::{PeerId, PeerInfo, Peers, SourceKind};
pub use rib::{MemoryUse, PathView, PeerCounts, PeerUp, Rib, RibConfig, RouteView};
pub use table::{Change, DestId, Outcome, Table};
