//! The way in: from the octets of an UPDATE to a batch of routes.
//!
//! ```text
//!  UPDATE ─► RFC 7606 ─► interned ─► Judge: ours? policy? ─► AdjRibIn, if it is kept ─► Batch
//! ```

mod changes;
mod counters;
mod importer;
mod judge;
mod policy;
mod refusal;

pub(crate) use changes::{Changes, Unicast};
pub(crate) use judge::{Judge, judge_alike};

pub use counters::ImportCounters;
pub use importer::{Fatal, Importer, Judging, Outcome};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
