//! Every key of a configuration as one flat list: what `effective` prints and `diff` compares, so that neither
//! can forget a key. And what a change of each key costs.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use bgp_core::PeerKind;
use toml::Value;

use super::as_numbers;
use super::bfd;
use super::model::{Aggregate, Config, Group, PeerConfig, Policy, Selector, Sources};
use super::network::{Network, Pool};
use super::pools::TUNNEL_MODES;
use super::secret::Secret;
use super::tcp_ao::TcpAoKey;
use super::values::{BY_ADDRESS, LOG_FORMATS, NEXT_HOPS, PER_PEER, ROLES, word};

/// What it takes to bring a changed key into effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// Nothing: it counts from now on.
    Live,
    /// The routes of the peer are asked for or sent again; its session stays.
    Refresh,
    /// The session ends and begins anew.
    SessionReset,
    /// The daemon must be restarted; a reload refuses the change.
    Restart,
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Impact::Live => "live",
            Impact::Refresh => "refresh",
            Impact::SessionReset => "session-reset",
            Impact::Restart => "restart",
        })
    }
}

/// The one classifier: section, key, impact. `peers` stands for clients too.
const IMPACTS: &[(&str, &str, Impact)] = &[
    ("", "asn", Impact::Restart),
    ("", "router-id", Impact::Restart),
    ("", "cluster-id", Impact::Restart),
    ("", "confederation-id", Impact::Restart),
    ("", "confederation-members", Impact::Restart),
    ("", "listen", Impact::Restart),
    ("", "next-hop-v4", Impact::Restart),
    ("", "next-hop-v6", Impact::Restart),
    ("", "hold-time", Impact::Live),
    ("", "connect-retry", Impact::Live),
    ("", "families", Impact::Live),
    ("", "add-path", Impact::Live),
    ("", "advertise", Impact::Live),
    ("", "max-paths", Impact::Live),
    ("", "graceful-restart", Impact::Live),
    ("", "restart-time", Impact::Live),
    ("", "stale-time", Impact::Live),
    ("", "long-lived-time", Impact::Live),
    ("", "next-hop", Impact::Live),
    ("", "max-prefix", Impact::Live),
    ("", "max-prefix-action", Impact::Live),
    ("", "max-prefix-warning", Impact::Live),
    ("", "max-prefix-restart", Impact::Live),
    ("", "max-bytes", Impact::Live),
    ("", "keep-received", Impact::Live),
    ("peers", "client", Impact::SessionReset),
    ("peers", "name", Impact::Live),
    ("peers", "group", Impact::Live),
    ("peers", "asn", Impact::SessionReset),
    ("peers", "allow-own-as", Impact::Refresh),
    ("peers", "as-override", Impact::Refresh),
    ("peers", "remove-private-as", Impact::Refresh),
    ("peers", "local-as", Impact::SessionReset),
    ("peers", "local-as-options", Impact::SessionReset),
    ("peers", "port", Impact::Live),
    ("peers", "passive", Impact::Live),
    ("peers", "enabled", Impact::Live),
    ("peers", "families", Impact::SessionReset),
    ("peers", "hold-time", Impact::SessionReset),
    ("peers", "keepalive-time", Impact::Live),
    ("peers", "connect-retry", Impact::Live),
    ("peers", "delay-open", Impact::Live),
    ("peers", "send-hold-time", Impact::Live),
    ("peers", "source-address", Impact::SessionReset),
    ("peers", "password", Impact::SessionReset),
    ("peers", "password-file", Impact::Live),
    ("peers", "tcp-ao", Impact::SessionReset),
    ("peers", "ttl-security", Impact::SessionReset),
    ("peers", "role", Impact::SessionReset),
    ("peers", "strict-role", Impact::SessionReset),
    ("peers", "enforce-first-as", Impact::Refresh),
    ("peers", "import", Impact::Refresh),
    ("peers", "export", Impact::Refresh),
    ("peers", "add-path", Impact::SessionReset),
    ("peers", "advertise", Impact::Refresh),
    ("peers", "max-paths", Impact::Live),
    ("peers", "graceful-restart", Impact::SessionReset),
    ("peers", "restart-time", Impact::SessionReset),
    ("peers", "stale-time", Impact::Live),
    ("peers", "long-lived-time", Impact::SessionReset),
    ("peers", "next-hop", Impact::Refresh),
    ("peers", "max-prefix", Impact::Live),
    ("peers", "max-prefix-action", Impact::Live),
    ("peers", "max-prefix-warning", Impact::Live),
    ("peers", "max-prefix-restart", Impact::Live),
    ("peers", "max-bytes", Impact::Live),
    ("peers", "keep-received", Impact::Refresh),
    ("peers", "bfd", Impact::Live),
    ("peers", "extended-message", Impact::SessionReset),
    ("peers", "extended-next-hop", Impact::SessionReset),
    ("peers", "max-sessions", Impact::Live),
    ("peers", "max-connects", Impact::Live),
    ("peers", "allowed-prefixes", Impact::Refresh),
    ("bfd", "interval", Impact::Live),
    ("bfd", "multiplier", Impact::Live),
    ("bfd", "hops", Impact::Live),
    ("bfd", "profiles", Impact::Live),
    ("aggregates", "prefix", Impact::Live),
    ("aggregates", "summary-only", Impact::Live),
    ("announce", "prefixes", Impact::Live),
    ("announce", "file", Impact::Live),
    ("decision", "always-compare-med", Impact::Restart),
    ("decision", "deterministic-med", Impact::Restart),
    ("decision", "multipath", Impact::Restart),
    ("decision", "multipath-relax", Impact::Restart),
    ("api", "socket", Impact::Restart),
    ("api", "group", Impact::Restart),
    ("api", "listen", Impact::Restart),
    ("sandbox", "enabled", Impact::Restart),
    ("log", "level", Impact::Live),
    ("log", "format", Impact::Restart),
    ("metrics", "per-peer", Impact::Live),
    ("bmp", "address", Impact::Live),
    ("bmp", "monitor", Impact::Live),
    ("bmp", "statistics-interval", Impact::Live),
    ("mrt", "directory", Impact::Live),
    ("mrt", "updates", Impact::Live),
    ("mrt", "rotate-interval", Impact::Live),
    ("mrt", "rotate-size", Impact::Live),
    ("mrt", "max-total", Impact::Live),
    ("mrt", "table-interval", Impact::Live),
    ("fib", "enabled", Impact::Restart),
    ("fib", "table", Impact::Restart),
    ("fib", "protocol", Impact::Restart),
    ("fib", "metric", Impact::Restart),
    ("fib", "blackhole", Impact::Restart),
    ("fib", "next-hops", Impact::Restart),
    ("fib", "source", Impact::Restart),
    ("node", "address", Impact::Live),
    ("node", "address6", Impact::Live),
    ("node", "labels", Impact::Live),
    ("pools", "cidr", Impact::Live),
    ("pools", "block-size", Impact::Live),
    ("pools", "ipip-mode", Impact::Live),
    ("pools", "vxlan-mode", Impact::Live),
    ("pools", "nat-outgoing", Impact::Live),
    ("pools", "node-selector", Impact::Live),
    ("tunnels", "ipip-device", Impact::Restart),
    ("tunnels", "vxlan-device", Impact::Restart),
    ("tunnels", "vxlan6-device", Impact::Restart),
    ("tunnels", "vxlan-vni", Impact::Restart),
    ("tunnels", "vxlan-port", Impact::Restart),
    ("tunnels", "ipip-address", Impact::Live),
    ("tunnels", "vxlan-address", Impact::Live),
    ("tunnels", "vxlan6-address", Impact::Live),
    ("tunnels", "mtu", Impact::Live),
    ("tunnels", "checksum-offload", Impact::Live),
    ("tunnels", "filter-sources", Impact::Live),
    ("tunnels", "switch-delay", Impact::Live),
];

/// Every key with its section and what a change of it costs, for the documentation.
#[must_use]
pub fn reload_table() -> &'static [(&'static str, &'static str, Impact)] {
    IMPACTS
}

/// What a change of `key` costs; a key without a row counts as the worst.
pub(super) fn impact(section: &str, key: &str) -> Impact {
    let row = IMPACTS.iter().find(|(s, k, _)| *s == section && *k == key);
    row.map_or(Impact::Restart, |(_, _, impact)| *impact)
}

/// A key's value, ready to compare and to print.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    /// As TOML.
    Value(Value),
    /// No value; the text says what happens then.
    Unset(&'static str),
    /// What passes; filters of one name may have other terms.
    Policy(Policy),
    /// A value that is not printed.
    Hidden(Secret),
    /// Keys, of which the secrets are not printed.
    Keys(Vec<TcpAoKey>),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Value(value) => value.fmt(f),
            Shown::Unset(meaning) => write!(f, "({meaning})"),
            Shown::Policy(policy) => Value::String(policy.to_string()).fmt(f),
            Shown::Hidden(_) => f.write_str("(hidden)"),
            Shown::Keys(keys) => {
                let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(", "))
            }
        }
    }
}

/// One key with its value.
pub(super) type Entry = (&'static str, Shown);

pub(super) fn text(value: impl fmt::Display) -> Shown {
    Shown::Value(Value::String(value.to_string()))
}

pub(super) fn number(value: impl Into<i64>) -> Shown {
    Shown::Value(Value::Integer(value.into()))
}

pub(super) fn boolean(value: bool) -> Shown {
    Shown::Value(Value::Boolean(value))
}

pub(super) fn list<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> Shown {
    Shown::Value(Value::Array(values.into_iter().map(|v| Value::String(v.to_string())).collect()))
}

pub(super) fn path(path: &Path) -> Shown {
    text(path.display())
}

fn or_unset<T>(value: Option<T>, meaning: &'static str, show: impl Fn(T) -> Shown) -> Shown {
    value.map_or(Shown::Unset(meaning), show)
}

pub(super) fn seconds(time: std::time::Duration) -> Shown {
    number(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

fn sources(sources: &Sources) -> Shown {
    let addresses = [sources.v4.map(IpAddr::V4), sources.v6.map(IpAddr::V6)];
    match addresses {
        [None, None] => Shown::Unset("as the kernel chooses"),
        some => list(some.into_iter().flatten()),
    }
}

/// The keys above all sections.
pub(super) fn of_top(config: &Config) -> Vec<Entry> {
    let mut entries = vec![
        ("asn", number(config.asn.0)),
        ("router-id", or_unset(config.router_id, "the lowest global IPv4 address of the host", text)),
    ];
    if config.fib.is_none() {
        entries.push(("cluster-id", or_unset(config.cluster_id, "the router id", text)));
    }
    entries.extend(as_numbers::of_confederation(config.confederation.as_ref()));
    entries.extend([
        ("listen", list(&config.listen)),
        ("next-hop-v4", or_unset(config.next_hop_v4, "the session's own address", text)),
        ("next-hop-v6", or_unset(config.next_hop_v6, "the session's own address", text)),
        ("hold-time", number(config.hold_time)),
        ("connect-retry", seconds(config.connect_retry)),
        ("families", list(config.families.iter())),
    ]);
    entries.extend(config.options.entries());
    entries
}

/// The keys of a group that its peers do not have.
pub(super) fn of_group(group: &Group) -> Vec<Entry> {
    vec![("name", text(&group.name)), ("group", or_unset(group.group.as_ref(), "none", text))]
}

/// The keys of a peer apart from the one that selects it.
pub(super) fn of_peer(peer: &PeerConfig) -> Vec<Entry> {
    let range = matches!(peer.selector, Selector::Range(_));
    let (password, keys) = (peer.password.clone(), peer.tcp_ao.clone());
    let mut entries = vec![
        ("name", or_unset(peer.name.as_ref(), "none", text)),
        ("group", or_unset(peer.group.as_ref(), "none", text)),
        ("asn", number(peer.asn.0)),
        ("passive", if peer.passive_by_address { text(BY_ADDRESS) } else { boolean(peer.passive) }),
        ("enabled", boolean(peer.enabled)),
        ("families", list(peer.families.iter())),
        ("hold-time", number(peer.hold_time)),
        ("keepalive-time", or_unset(peer.keepalive_time, "a third of the hold time", number)),
        ("connect-retry", seconds(peer.connect_retry)),
        ("delay-open", or_unset(peer.delay_open, "our OPEN goes at once", seconds)),
        ("send-hold-time", or_unset(peer.send_hold_time, "480, or twice the hold time", number)),
        ("password", or_unset(password, "no TCP MD5", Shown::Hidden)),
        ("password-file", or_unset(peer.password_file.as_deref(), "none", path)),
        ("tcp-ao", if keys.is_empty() { Shown::Unset("no TCP-AO") } else { Shown::Keys(keys) }),
        ("ttl-security", or_unset(peer.ttl_security, "off", number)),
        ("import", Shown::Policy(peer.import.clone())),
        ("export", Shown::Policy(peer.export.clone())),
        ("bfd", bfd::shown(peer.bfd.as_ref())),
        ("extended-message", boolean(peer.extended_message)),
        ("extended-next-hop", boolean(peer.extended_next_hop)),
        ("allowed-prefixes", list(&peer.allowed_prefixes)),
    ];
    entries.extend(as_numbers::entries(&peer.as_numbers));
    entries.extend(peer.options.entries());
    if peer.kind == PeerKind::External {
        entries.extend([
            ("role", or_unset(peer.role, "none", |role| text(word(ROLES, &role)))),
            ("strict-role", boolean(peer.strict_role)),
            ("enforce-first-as", boolean(peer.enforce_first_as)),
        ]);
    }
    if range {
        entries.push(("max-sessions", number(peer.max_sessions)));
        entries.push(("max-connects", number(peer.max_connects.unwrap_or(0))));
    } else {
        entries.push(("port", number(peer.port)));
        entries.push(("source-address", or_unset(peer.source_address, "as the kernel chooses", text)));
    }
    entries
}

/// The keys of an aggregate.
pub(super) fn of_aggregate(aggregate: &Aggregate) -> Vec<Entry> {
    vec![("prefix", text(aggregate.prefix)), ("summary-only", boolean(aggregate.summary_only))]
}

/// The keys of a pool.
pub(super) fn of_pool(pool: &Pool) -> Vec<Entry> {
    let mode = |mode| text(word(TUNNEL_MODES, &mode));
    vec![
        ("cidr", text(pool.cidr)),
        ("block-size", number(pool.block_size)),
        ("ipip-mode", mode(pool.ipip_mode)),
        ("vxlan-mode", mode(pool.vxlan_mode)),
        ("nat-outgoing", boolean(pool.nat_outgoing)),
        ("node-selector", text(&pool.node_selector)),
    ]
}

/// `[node]` and `[tunnels]`.
fn of_network(network: &Network) -> [(&'static str, Vec<Entry>); 2] {
    let Network { node, tunnels, .. } = network;
    let own = "of the interface that the default route leaves by";
    let nodes = "packets come from the node's own";
    let labels = node.labels.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
    let node = vec![
        ("address", or_unset(node.address, own, text)),
        ("address6", or_unset(node.address6, own, text)),
        ("labels", Shown::Value(Value::Table(labels.collect()))),
    ];
    let tunnels = vec![
        ("ipip-device", text(&tunnels.ipip_device)),
        ("vxlan-device", text(&tunnels.vxlan_device)),
        ("vxlan6-device", text(&tunnels.vxlan6_device)),
        ("vxlan-vni", number(tunnels.vxlan_vni)),
        ("vxlan-port", number(tunnels.vxlan_port)),
        ("ipip-address", or_unset(tunnels.ipip_address, nodes, text)),
        ("vxlan-address", or_unset(tunnels.vxlan_address, nodes, text)),
        ("vxlan6-address", or_unset(tunnels.vxlan6_address, nodes, text)),
        ("mtu", or_unset(tunnels.mtu, "the uplink's less 20, 50 or 70", |mtu| number(mtu.get()))),
        ("checksum-offload", boolean(tunnels.checksum_offload)),
        ("filter-sources", boolean(tunnels.filter_sources)),
        ("switch-delay", seconds(tunnels.switch_delay)),
    ];
    [("node", node), ("tunnels", tunnels)]
}

/// The sections that exist once, with their keys.
pub(super) fn of_sections(config: &Config) -> Vec<(&'static str, Vec<Entry>)> {
    let Config { announce, decision, api, log, metrics, .. } = config;
    let listen = api.listen.map_or_else(|| text(""), text);
    let multipath = i64::try_from(decision.multipath).unwrap_or(i64::MAX);
    let mut sections = vec![
        (
            "announce",
            vec![
                ("prefixes", list(&announce.prefixes)),
                ("file", or_unset(announce.file.as_deref(), "none", path)),
            ],
        ),
        (
            "decision",
            vec![
                ("always-compare-med", boolean(decision.always_compare_med)),
                ("deterministic-med", boolean(decision.deterministic_med)),
                ("multipath", number(multipath)),
                ("multipath-relax", boolean(decision.multipath_relax)),
            ],
        ),
        (
            "api",
            vec![
                ("socket", path(&api.socket)),
                ("group", or_unset(api.group.as_ref(), "that of the process", text)),
                ("listen", listen),
            ],
        ),
        ("sandbox", vec![("enabled", boolean(config.sandbox.enabled))]),
        ("log", vec![("level", text(&log.level)), ("format", text(word(LOG_FORMATS, &log.format)))]),
        ("bfd", bfd::of_settings(config.bfd.settings)),
        ("metrics", vec![("per-peer", text(word(PER_PEER, &metrics.per_peer)))]),
    ];
    sections.extend(config.mrt.iter().map(|mrt| ("mrt", mrt.entries())));
    if let Some(fib) = &config.fib {
        let entries = vec![
            ("enabled", boolean(fib.enabled)),
            ("table", number(fib.table)),
            ("protocol", number(fib.protocol)),
            ("metric", number(fib.metric)),
            ("blackhole", boolean(fib.blackhole)),
            ("next-hops", text(word(NEXT_HOPS, &fib.next_hops))),
            ("source", sources(&fib.source)),
        ];
        sections.push(("fib", entries));
    }
    sections.extend(config.network.iter().flat_map(of_network));
    sections
}
