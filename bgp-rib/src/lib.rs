//! bgp-rib

pub mod attributes;
pub mod decision;
mod dirty;
mod hash;
pub mod next_hop;
mod path;
mod peer;
mod summary;
pub mod table;
#[cfg(test)]
mod testing;

pub use attributes::{AttributeSet, AttributeStore, Attrs};
pub use decision::{Decision, DecisionConfig, Rule};
pub use dirty::DirtySet;
pub use next_hop::{NextHopId, NextHopSource, NextHopState, NextHops, Watch};
pub use path::Path;
pub use peer::{PeerId, PeerInfo, Peers, SourceKind};
pub use summary::{Origin, Summary};
pub use table::{Change, DestId, Outcome, Table};
