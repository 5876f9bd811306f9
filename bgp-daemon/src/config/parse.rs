//! Reads a whole file: sections in order, then what only shows when all of it is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgp_core::{Asn, ClusterId, Family, FamilySet, RouterId};
use toml::de::DeTable;

use super::bfd::Bfd;
use super::diagnostic::{Code, Diagnostic, Report, Source};
use super::filters::Names;
use super::model::{
    Aggregate, Announce, Api, Confederation, Config, DaemonKind, Decision, Fib, Log, LogFormat, Metrics,
    NextHops, Origins, PerPeer, Sandbox, Selector, Sources,
};
use super::network::Network;
use super::options::PeerOptions;
use super::section::Section;
use super::{as_numbers, peers, pools, telemetry, values};

/// What peers inherit from the top of the file.
pub(super) struct Defaults {
    pub(super) asn: Asn,
    pub(super) confederation: Option<Confederation>,
    pub(super) hold_time: u16,
    pub(super) connect_retry: Duration,
    pub(super) families: FamilySet,
    pub(super) options: PeerOptions,
    pub(super) bfd: Bfd,
}

pub(super) fn parse(text: &str, file: &str, daemon: DaemonKind) -> Result<Config, Vec<Diagnostic>> {
    let mut report = Report::new(Source { file, text });
    let (document, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        let span = error.span().unwrap_or(0..0);
        report.error(Code::Syntax, span, format!("not TOML: {}", error.message()), "");
    }
    if !broken.is_empty() {
        return Err(report.finish().err().unwrap_or_default());
    }
    let top = Section::new("", document.get_ref(), 0..0);
    let config = read(top, &mut report, daemon);
    Ok(Config { warnings: report.finish()?, ..config })
}

fn read(mut top: Section<'_>, report: &mut Report<'_>, daemon: DaemonKind) -> Config {
    let mut origins = Origins::new();
    let asn = top.get(report, "asn", values::asn);
    if top.key_span("asn").is_none() {
        let remedy = "add `asn = 64512`, the number of the AS this daemon is in";
        report.error_in_file(Code::Missing, "the key `asn` is missing", remedy);
    }
    let router_id = top.get(report, "router-id", values::router_id);
    let listen = top.get(report, "listen", values::endpoints).unwrap_or_else(default_listen);
    let defaults = Defaults {
        asn: asn.unwrap_or_default(),
        confederation: as_numbers::confederation(&mut top, report),
        hold_time: top.get(report, "hold-time", values::hold_time).unwrap_or(90),
        connect_retry: top.get(report, "connect-retry", values::seconds).unwrap_or(Duration::from_secs(5)),
        families: top.get(report, "families", values::families).unwrap_or_else(both_families),
        options: PeerOptions::read(&mut top, report, PeerOptions::default()),
        bfd: Bfd::read(&mut top, report, &mut origins),
    };
    let network = pools::read(&mut top, report, &mut origins, daemon);
    let mut names = Names::read(&mut top, report, &mut origins);
    let (peers, groups) =
        peers::read(&mut top, report, &defaults, network.as_ref(), &mut names, daemon, &mut origins);
    let mut config = Config {
        daemon,
        asn: defaults.asn,
        router_id: router_id.or_else(|| router_id_of(&listen)),
        cluster_id: of_reflector(&mut top, report, "cluster-id", daemon)
            .then(|| top.get(report, "cluster-id", values::cluster_id))
            .flatten(),
        next_hop_v4: top.get(report, "next-hop-v4", values::ipv4),
        next_hop_v6: top.get(report, "next-hop-v6", values::ipv6),
        hold_time: defaults.hold_time,
        connect_retry: defaults.connect_retry,
        families: defaults.families,
        options: defaults.options,
        bfd: defaults.bfd,
        groups,
        peers,
        filters: names.finish(report),
        announce: announce(&mut top, report, &mut origins, network.as_ref()),
        aggregates: aggregates(&mut top, report, &mut origins),
        decision: decision(&mut top, report, &mut origins, daemon),
        api: api(&mut top, report, &mut origins, daemon),
        sandbox: sandbox(&mut top, report, &mut origins),
        log: log(&mut top, report, &mut origins),
        metrics: metrics(&mut top, report, &mut origins),
        bmp: telemetry::bmp(&mut top, report, &mut origins),
        mrt: telemetry::mrt(&mut top, report, &mut origins),
        fib: fib(&mut top, report, &mut origins, daemon, network.as_ref()),
        network,
        confederation: defaults.confederation,
        listen,
        warnings: Vec::new(),
        origins: Origins::new(),
    };
    let users: Vec<PeerOptions> =
        config.peers.iter().map(|peer| peer.options).chain([config.options]).collect();
    PeerOptions::contradictions(&top, report, &users);
    shared_cluster(&config, &top, report);
    top.finish(report, "", &mut origins);
    telemetry::keep_what_is_told(&mut config);
    Config { origins, ..config }
}

/// Reflectors with one cluster id refuse what the other reflects; sometimes that can be seen from here.
fn shared_cluster(config: &Config, top: &Section<'_>, report: &mut Report<'_>) {
    let (Some(cluster), Some(at)) = (config.cluster_id, top.key_span("cluster-id")) else { return };
    let other = config.peers.iter().find_map(|peer| match peer.selector {
        Selector::Address(IpAddr::V4(address)) if !peer.client && peer.asn == config.asn => {
            (ClusterId(address.into()) == cluster).then_some(address)
        }
        _ => None,
    });
    if let Some(address) = other {
        let message =
            format!("the peer {address} is a reflector with this cluster id, unless it says otherwise");
        let remedy = "clients that do not peer with both lose each other's routes: take it out";
        report.warning(Code::Suspicious, at, message, remedy);
    }
}

fn default_listen() -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 179)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, 179))]
}

fn both_families() -> FamilySet {
    FamilySet::EMPTY.with(Family::IPV4_UNICAST).with(Family::IPV6_UNICAST)
}

/// The first IPv4 address that is listened on by name.
fn router_id_of(listen: &[SocketAddr]) -> Option<RouterId> {
    listen.iter().find_map(|endpoint| match endpoint.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => Some(RouterId::from(address)),
        _ => None,
    })
}

/// Whether `key`, which only a reflector has, may be read; elsewhere it is reported if it is there.
pub(super) fn of_reflector(
    top: &mut Section<'_>,
    report: &mut Report<'_>,
    key: &'static str,
    daemon: DaemonKind,
) -> bool {
    if daemon == DaemonKind::Speaker && top.node(key).is_some() {
        let message = format!("`{key}` is for a route-reflector; bgp-speaker does not reflect");
        let remedy =
            if key == "clients" { "write [[peers]] instead, or run route-reflector" } else { "take it out" };
        report.error(Code::NotHere, top.span_of(key), message, remedy);
    }
    daemon == DaemonKind::Reflector
}

fn announce(
    top: &mut Section<'_>,
    report: &mut Report<'_>,
    origins: &mut Origins,
    network: Option<&Network>,
) -> Announce {
    let Some(mut section) = top.section(report, "announce", "[announce]") else { return Announce::default() };
    let prefixes = section.get(report, "prefixes", values::prefixes).unwrap_or_default();
    if let (Some(node), Some(network)) = (section.node("prefixes"), network) {
        pools::judge_announced(report, network, node);
    }
    let file = section.get(report, "file", values::path);
    let file = file.map(|path| beside(report.source.file, path));
    section.finish(report, "announce", origins);
    Announce { prefixes, file }
}

fn aggregates(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Vec<Aggregate> {
    let mut found: Vec<Aggregate> = Vec::new();
    for mut section in top.sections(report, "aggregates", "[[aggregates]]") {
        let prefix = section.get(report, "prefix", values::prefix);
        let summary_only = section.get(report, "summary-only", values::boolean).unwrap_or(false);
        if section.key_span("prefix").is_none() {
            let message = "an entry of [[aggregates]] needs a `prefix`";
            let remedy = "add `prefix = \"10.244.0.0/16\"`";
            report.error(Code::Missing, section.span.clone(), message, remedy);
        }
        let at = section.span_of("prefix");
        let owner = prefix.map(|prefix| format!("aggregates {prefix}")).unwrap_or_default();
        section.finish(report, &owner, origins);
        let Some(prefix) = prefix else { continue };
        if found.iter().any(|other| other.prefix == prefix) {
            report.error(Code::Duplicate, at, format!("{prefix} is aggregated twice"), "take one out");
        } else {
            found.push(Aggregate { prefix, summary_only });
        }
    }
    found
}

/// A path as seen from the configuration file that names it.
pub(super) fn beside(config: &str, path: PathBuf) -> PathBuf {
    Path::new(config).parent().map_or_else(|| path.clone(), |directory| directory.join(&path))
}

fn decision(
    top: &mut Section<'_>,
    report: &mut Report<'_>,
    origins: &mut Origins,
    daemon: DaemonKind,
) -> Decision {
    let multipath = if daemon == DaemonKind::Speaker { 8 } else { 1 };
    let mut decision =
        Decision { always_compare_med: false, deterministic_med: true, multipath, multipath_relax: false };
    let Some(mut section) = top.section(report, "decision", "[decision]") else { return decision };
    let boolean = values::boolean;
    decision.always_compare_med = section.get(report, "always-compare-med", boolean).unwrap_or(false);
    decision.deterministic_med = section.get(report, "deterministic-med", boolean).unwrap_or(true);
    decision.multipath = section.get(report, "multipath", values::multipath).unwrap_or(multipath);
    decision.multipath_relax = section.get(report, "multipath-relax", boolean).unwrap_or(false);
    if let (true, 1, Some(at)) =
        (decision.multipath_relax, decision.multipath, section.key_span("multipath-relax"))
    {
        let message = "`multipath-relax` is for routes that are used together, and one is used";
        report.warning(Code::Suspicious, at, message, "add `multipath = 8`");
    }
    section.finish(report, "decision", origins);
    decision
}

fn api(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins, daemon: DaemonKind) -> Api {
    let socket = PathBuf::from(format!("/run/bgp/{}.sock", daemon.name()));
    let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9179)));
    let Some(mut section) = top.section(report, "api", "[api]") else {
        return Api { socket, group: None, listen };
    };
    let socket = section.get(report, "socket", values::path).unwrap_or(socket);
    let group = section.get(report, "group", values::name);
    let listen = section.get(report, "listen", values::endpoint_or_off).unwrap_or(listen);
    section.finish(report, "api", origins);
    Api { socket, group, listen }
}

fn sandbox(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Sandbox {
    let Some(mut section) = top.section(report, "sandbox", "[sandbox]") else {
        return Sandbox { enabled: true };
    };
    let enabled = section.get(report, "enabled", values::boolean).unwrap_or(true);
    section.finish(report, "sandbox", origins);
    Sandbox { enabled }
}

fn log(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Log {
    let mut log = Log { level: "info".to_owned(), format: LogFormat::Text };
    let Some(mut section) = top.section(report, "log", "[log]") else { return log };
    log.level = section.get(report, "level", values::log_level).unwrap_or(log.level);
    log.format = section.get(report, "format", values::log_format).unwrap_or(log.format);
    section.finish(report, "log", origins);
    log
}

fn metrics(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Metrics {
    let mut metrics = Metrics { per_peer: PerPeer::Auto };
    let Some(mut section) = top.section(report, "metrics", "[metrics]") else { return metrics };
    metrics.per_peer = section.get(report, "per-peer", values::per_peer).unwrap_or(metrics.per_peer);
    section.finish(report, "metrics", origins);
    metrics
}

fn fib(
    top: &mut Section<'_>,
    report: &mut Report<'_>,
    origins: &mut Origins,
    daemon: DaemonKind,
    network: Option<&Network>,
) -> Option<Fib> {
    let mut fib = Fib {
        enabled: true,
        table: 254,
        protocol: 186,
        metric: 1024,
        blackhole: true,
        next_hops: NextHops::Kernel,
        source: Sources::default(),
    };
    if daemon == DaemonKind::Reflector {
        if top.node("fib").is_some() {
            let message = "[fib] is for bgp-speaker; a route-reflector installs no routes";
            report.error(Code::NotHere, top.span_of("fib"), message, "take it out, or run bgp-speaker");
        }
        return None;
    }
    let Some(mut section) = top.section(report, "fib", "[fib]") else { return Some(fib) };
    fib.enabled = section.get(report, "enabled", values::boolean).unwrap_or(fib.enabled);
    fib.table = section.get(report, "table", values::routing_table).unwrap_or(fib.table);
    fib.protocol = section.get(report, "protocol", values::route_protocol).unwrap_or(fib.protocol);
    fib.metric = section.get(report, "metric", values::metric).unwrap_or(fib.metric);
    fib.blackhole = section.get(report, "blackhole", values::boolean).unwrap_or(fib.blackhole);
    fib.next_hops = section.get(report, "next-hops", values::next_hops).unwrap_or(fib.next_hops);
    fib.source = section.get(report, "source", values::sources).unwrap_or(fib.source);
    if let Some(network) = network {
        pools::need_next_hops(report, network, &fib, section.span_of("next-hops"));
    }
    section.finish(report, "fib", origins);
    Some(fib)
}
