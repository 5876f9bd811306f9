//! What `/metrics` shows of the kernel's routes and tunnels. Only the thread that keeps them writes here.

use std::time::Duration;

use bgp_daemon::api::schema::{TunnelState, Tunnels};
use fib_sync::Stats;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Upper bounds of `bgp_fib_sync_seconds`: from one route to a full table.
const SYNC_SECONDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The metrics of the kernel's side.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Of its routes.
    pub(crate) fib: FibMetrics,
    /// Of its tunnels.
    pub(crate) tunnels: TunnelMetrics,
}

impl Metrics {
    /// Makes the metrics and gives them to `registry`.
    ///
    /// # Errors
    /// If the registry has one of the names already.
    pub(crate) fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        Ok(Metrics { fib: FibMetrics::register(registry)?, tunnels: TunnelMetrics::register(registry)? })
    }
}

/// The metrics of the tunnels.
#[derive(Debug)]
pub(crate) struct TunnelMetrics {
    up: IntGaugeVec,
    hosts: IntGauge,
}

impl TunnelMetrics {
    fn register(registry: &Registry) -> Result<TunnelMetrics, prometheus::Error> {
        let up = Opts::new("bgp_tunnel_up", "Whether a tunnel device is as configured");
        let up = IntGaugeVec::new(up, &["device"])?;
        let hosts = IntGauge::new("bgp_tunnel_hosts", "Nodes that tunnels may lead to")?;
        registry.register(Box::new(up.clone()))?;
        registry.register(Box::new(hosts.clone()))?;
        Ok(TunnelMetrics { up, hosts })
    }

    /// Shows the devices as they are; those that are gone have no series.
    pub(crate) fn update(&self, status: &Tunnels) {
        self.up.reset();
        for tunnel in &status.tunnels {
            let is_up = tunnel.state == TunnelState::Up;
            self.up.with_label_values(&[&tunnel.device]).set(is_up.into());
        }
        self.hosts.set(i64::try_from(status.hosts).unwrap_or(i64::MAX));
    }
}

/// The metrics of the kernel's routes.
#[derive(Debug)]
pub(crate) struct FibMetrics {
    routes: IntGauge,
    operations: IntCounterVec,
    repairs: IntCounter,
    sync: Histogram,
}

impl FibMetrics {
    fn register(registry: &Registry) -> Result<FibMetrics, prometheus::Error> {
        let routes = IntGauge::new("bgp_fib_routes", "Our routes in the kernel")?;
        let operations = Opts::new("bgp_fib_operations_total", "Changes of single routes in the kernel");
        let operations = IntCounterVec::new(operations, &["op", "result"])?;
        let help = "Routes that somebody else had changed and that were put right";
        let repairs = IntCounter::new("bgp_fib_repairs_total", help)?;
        let help = "From the first change of a burst until the kernel has the last";
        let sync = HistogramOpts::new("bgp_fib_sync_seconds", help).buckets(SYNC_SECONDS.to_vec());
        let sync = Histogram::with_opts(sync)?;
        registry.register(Box::new(routes.clone()))?;
        registry.register(Box::new(operations.clone()))?;
        registry.register(Box::new(repairs.clone()))?;
        registry.register(Box::new(sync.clone()))?;
        Ok(FibMetrics { routes, operations, repairs, sync })
    }

    /// Shows what was done so far.
    pub(crate) fn update(&self, stats: &Stats) {
        self.routes.set(i64::try_from(stats.routes).unwrap_or(i64::MAX));
        let raise = |counter: &IntCounter, to: u64| counter.inc_by(to.saturating_sub(counter.get()));
        for (op, result, count) in stats.operations() {
            raise(&self.operations.with_label_values(&[op, result]), count);
        }
        raise(&self.repairs, stats.repairs);
    }

    /// A burst of changes is in the kernel.
    pub(crate) fn synced(&self, took: Duration) {
        self.sync.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use bgp_daemon::api::schema::TunnelRow;
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn what_was_done_shows_in_the_metrics() {
        let registry = Registry::new();
        let metrics = FibMetrics::register(&registry).unwrap();
        let mut stats = Stats { routes: 5, repairs: 1, ..Stats::default() };
        stats.add.ok = 7;
        metrics.update(&stats);
        stats.add.ok = 9;
        metrics.update(&stats);
        metrics.synced(Duration::from_millis(3));
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "bgp_fib_routes 5",
            "bgp_fib_operations_total{op=\"add\",result=\"ok\"} 9",
            "bgp_fib_operations_total{op=\"delete\",result=\"refused\"} 0",
            "bgp_fib_repairs_total 1",
            "bgp_fib_sync_seconds_bucket{le=\"0.002\"} 0",
            "bgp_fib_sync_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_devices_series_goes_with_it() {
        let registry = Registry::new();
        let metrics = TunnelMetrics::register(&registry).unwrap();
        let row = |device: &str, state| TunnelRow {
            device: device.to_owned(),
            kind: "vxlan".to_owned(),
            family: "ipv4".to_owned(),
            local: None,
            mtu: None,
            state,
            hosts: 2,
            problem: None,
            in_use: true,
        };
        let tunnels = vec![row("tunl0", TunnelState::Failed), row("vxlan.bgp", TunnelState::Up)];
        metrics.update(&Tunnels { tunnels, hosts: 3, ..Tunnels::default() });
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let shown = text();
        for line in [
            "bgp_tunnel_up{device=\"tunl0\"} 0",
            "bgp_tunnel_up{device=\"vxlan.bgp\"} 1",
            "bgp_tunnel_hosts 3",
        ] {
            assert!(shown.lines().any(|other| other == line), "{line}\n{shown}");
        }
        metrics.update(&Tunnels { tunnels: vec![row("vxlan.bgp", TunnelState::Up)], ..Tunnels::default() });
        assert!(!text().contains("tunl0"));
    }
}
