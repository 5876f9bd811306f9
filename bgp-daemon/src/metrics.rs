//! `/metrics`: a snapshot of the daemon as Prometheus text. Series exist only for what the snapshot holds, so they
//! vanish with their peer.

mod family;
mod process;
mod snapshot;

use prometheus::{Encoder, Registry, TextEncoder};

pub use snapshot::{FamilyMetrics, MetricsSnapshot, PeerMetrics, ReloadMetrics};

/// The text of a scrape: the snapshot, this process, and what `extra` gathers.
///
/// # Errors
/// If a family of `extra` cannot be written.
pub fn encode(snapshot: &MetricsSnapshot, extra: &Registry) -> Result<String, prometheus::Error> {
    let mut families = family::families(snapshot);
    families.extend(process::families());
    families.extend(extra.gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}
