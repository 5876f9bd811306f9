//! `/metrics`: a snapshot of the daemon as Prometheus text. Series exist only for what the snapshot holds, so they
//! vanish with their peer.

mod family;
mod process;
mod snapshot;

use prometheus::{Encoder, Histogram, HistogramOpts, Registry, TextEncoder};

pub use snapshot::{FamilyMetrics, MetricsSnapshot, PeerMetrics, ReloadMetrics};

/// Upper bounds of `bgp_propagation_seconds`. Changes wait up to 5 ms to go out together.
const PROPAGATION_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Adds `bgp_propagation_seconds` to `registry`.
///
/// # Errors
/// If it is there already.
pub fn propagation(registry: &Registry) -> Result<Histogram, prometheus::Error> {
    let help = "From the read of an UPDATE to the end of the write of what follows, sampled";
    let opts = HistogramOpts::new("bgp_propagation_seconds", help).buckets(PROPAGATION_SECONDS.to_vec());
    let histogram = Histogram::with_opts(opts)?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

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
