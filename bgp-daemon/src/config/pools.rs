//! Reads `[node]`, `[[pools]]` and `[tunnels]`, and holds what is announced against them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use bgp_core::Prefix;
use toml::de::DeValue;

use super::diagnostic::{Code, Report};
use super::model::{DaemonKind, Fib, NextHops, Origins};
use super::network::{Doubt, Network, Node, Pool, TunnelMode, Tunnels};
use super::section::{self, Section};
use super::values::{self, Choices};

pub(super) const TUNNEL_MODES: Choices<TunnelMode> = &[
    ("never", TunnelMode::Never),
    ("always", TunnelMode::Always),
    ("cross-subnet", TunnelMode::CrossSubnet),
];

/// The least that every IPv6 link carries (RFC 8200 section 5).
const IPV6_MTU: u32 = 1280;

/// A pool with the lines and places that other checks name.
struct Found {
    pool: Pool,
    line: usize,
}

/// All three sections; `None` in a reflector, which has none of them.
pub(super) fn read(
    top: &mut Section<'_>,
    report: &mut Report<'_>,
    origins: &mut Origins,
    daemon: DaemonKind,
) -> Option<Network> {
    if daemon == DaemonKind::Reflector {
        for (key, title) in [("node", "[node]"), ("pools", "[[pools]]"), ("tunnels", "[tunnels]")] {
            if top.node(key).is_some() {
                let message = format!("{title} is for bgp-speaker; a route-reflector installs no routes");
                report.error(Code::NotHere, top.span_of(key), message, "take it out, or run bgp-speaker");
            }
        }
        return None;
    }
    let node = node(top, report, origins);
    let pools = pools(top, report, origins);
    let tunnels = tunnels(top, report, origins, &pools);
    Some(Network { node, pools, tunnels })
}

fn node(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Node {
    let Some(mut section) = top.section(report, "node", "[node]") else { return Node::default() };
    let node = Node {
        address: section.get(report, "address", host_v4),
        address6: section.get(report, "address6", host_v6),
        labels: section.get(report, "labels", labels).unwrap_or_default(),
    };
    section.finish(report, "node", origins);
    node
}

/// An IPv4 address that a host can have.
fn host_v4(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<Ipv4Addr> {
    match values::address(node, report)? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => {
            report.error(Code::Address, node.span(), format!("`{address}` is not an IPv4 address"), "");
            None
        }
    }
}

/// An IPv6 address that a host can have.
fn host_v6(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<Ipv6Addr> {
    match values::address(node, report)? {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(address) => {
            report.error(Code::Address, node.span(), format!("`{address}` is not an IPv6 address"), "");
            None
        }
    }
}

fn labels(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<BTreeMap<String, String>> {
    let DeValue::Table(table) = node.get_ref() else {
        values::wrong_type(node, report, "labels, as in { rack = \"a\" }");
        return None;
    };
    let mut labels = BTreeMap::new();
    for (name, value) in table {
        if !selector::is_label(name.get_ref()) {
            let message = format!("`{}` is not the name of a label", name.get_ref());
            let remedy = "1 to 512 of A-Z a-z 0-9 _ . / -";
            report.error(Code::Value, name.span(), message, remedy);
        }
        let value = values::string(value, report);
        labels.extend(value.map(|value| (name.get_ref().to_string(), value)));
    }
    Some(labels)
}

fn pools(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Vec<Pool> {
    let mut found: Vec<Found> = Vec::new();
    for section in top.sections(report, "pools", "[[pools]]") {
        let Some((pool, at)) = pool(section, report, origins) else { continue };
        let overlaps =
            |other: &&Found| other.pool.cidr.covers(&pool.cidr) || pool.cidr.covers(&other.pool.cidr);
        match found.iter().find(overlaps) {
            Some(other) => {
                let message = format!("the pools {} and {} overlap", other.pool.cidr, pool.cidr);
                report.error(
                    Code::Duplicate,
                    at,
                    message,
                    format!("the other one is in line {}", other.line),
                );
            }
            None => found.push(Found { line: report.source.line(at.start), pool }),
        }
    }
    found.into_iter().map(|found| found.pool).collect()
}

/// One pool, and where its `cidr` stands.
fn pool(
    mut section: Section<'_>,
    report: &mut Report<'_>,
    origins: &mut Origins,
) -> Option<(Pool, Range<usize>)> {
    let cidr = section.get(report, "cidr", values::prefix);
    let at = section.span_of("cidr");
    if section.key_span("cidr").is_none() {
        let message = "an entry of [[pools]] needs a `cidr`";
        report.error(Code::Missing, at.clone(), message, "add `cidr = \"10.244.0.0/16\"`");
    }
    let block_size = section.get(report, "block-size", block_size);
    let ipip_mode = section.get(report, "ipip-mode", tunnel_mode).unwrap_or(TunnelMode::Never);
    let vxlan_mode = section.get(report, "vxlan-mode", tunnel_mode).unwrap_or(TunnelMode::Never);
    let nat_outgoing = section.get(report, "nat-outgoing", values::boolean).unwrap_or(false);
    let node_selector = section.get(report, "node-selector", node_selector).unwrap_or_default();
    let pool = cidr.map(|cidr| {
        let block_size = block_size.unwrap_or(if cidr.address().is_ipv6() { 122 } else { 26 });
        Pool { cidr, block_size, ipip_mode, vxlan_mode, nat_outgoing, node_selector }
    });
    let owner = pool.as_ref().map(|pool| format!("pools {}", pool.cidr)).unwrap_or_default();
    if let Some(pool) = &pool {
        contradictions(&section, report, pool);
    }
    section.finish(report, &owner, origins);
    pool.map(|pool| (pool, at))
}

fn tunnel_mode(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<TunnelMode> {
    values::choice(node, report, TUNNEL_MODES)
}

/// The length of a block of either family; which one it is shows with the `cidr`.
fn block_size(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    values::integer(node, report, 20..=128).and_then(|size| u8::try_from(size).ok())
}

fn node_selector(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<selector::Selector> {
    let text = values::text(node, report, "a selector, as in \"rack == 'a'\"")?;
    let error = match text.parse() {
        Ok(selector) => return Some(selector),
        Err(error) => error,
    };
    let selector::SelectorError { offset, expected, found } = error;
    let at = values::inside(node, report.source.text, offset);
    report.error(Code::Value, at, format!("not a selector: found {found}"), format!("expected {expected}"));
    None
}

/// Keys of one pool that cannot stand together.
fn contradictions(section: &Section<'_>, report: &mut Report<'_>, pool: &Pool) {
    let cidr = pool.cidr;
    let is_ipv6 = cidr.address().is_ipv6();
    let mut refuse = |key: &str, wrong: bool, code: Code, message: String, remedy: &str| {
        if wrong {
            report.error(code, section.span_of(key), message, remedy);
        }
        !wrong
    };
    let (family, from, to) = if is_ipv6 { ("IPv6", 116, 128) } else { ("IPv4", 20, 32) };
    let size = pool.block_size;
    let message = format!("a block of an {family} pool is a /{from} to a /{to}, not a /{size}");
    let possible = refuse("block-size", !(from..=to).contains(&size), Code::Value, message, "");
    let message = format!("a block of /{size} is larger than the pool, which is a /{}", cidr.len());
    let key = if section.key_span("block-size").is_some() { "block-size" } else { "cidr" };
    refuse(key, possible && size < cidr.len(), Code::Conflict, message, "a longer block, or a wider pool");
    let ipip = pool.ipip_mode != TunnelMode::Never;
    let message = "IPIP carries IPv4 only".to_owned();
    let possible = refuse("ipip-mode", ipip && is_ipv6, Code::Conflict, message, "use `vxlan-mode`");
    let both = ipip && pool.vxlan_mode != TunnelMode::Never;
    let message = "a pool has one tunnel: either `ipip-mode` or `vxlan-mode`".to_owned();
    refuse("vxlan-mode", possible && both, Code::Conflict, message, "make one of them \"never\"");
    let link_local = if is_ipv6 { LINK_LOCAL_V6 } else { LINK_LOCAL_V4 };
    let overlaps = Prefix::new(link_local.0, link_local.1)
        .is_some_and(|link_local| link_local.covers(&cidr) || cidr.covers(&link_local));
    let message = format!("the pool {cidr} overlaps with the link-local addresses, which are not routed");
    refuse("cidr", overlaps, Code::Conflict, message, "take addresses that are routed");
}

const LINK_LOCAL_V4: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16);
const LINK_LOCAL_V6: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);

fn tunnels(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins, pools: &[Pool]) -> Tunnels {
    let default = Tunnels::default();
    let Some(mut section) = top.section(report, "tunnels", "[tunnels]") else { return default };
    let boolean = values::boolean;
    let device = values::device;
    let tunnels = Tunnels {
        ipip_device: section.get(report, "ipip-device", device).unwrap_or(default.ipip_device),
        vxlan_device: section.get(report, "vxlan-device", device).unwrap_or(default.vxlan_device),
        vxlan6_device: section.get(report, "vxlan6-device", device).unwrap_or(default.vxlan6_device),
        vxlan_vni: section.get(report, "vxlan-vni", values::vni).unwrap_or(default.vxlan_vni),
        vxlan_port: section.get(report, "vxlan-port", values::port).unwrap_or(default.vxlan_port),
        ipip_address: section.get(report, "ipip-address", host_v4),
        vxlan_address: section.get(report, "vxlan-address", host_v4),
        vxlan6_address: section.get(report, "vxlan6-address", host_v6),
        mtu: section.get(report, "mtu", mtu),
        checksum_offload: section.get(report, "checksum-offload", boolean).unwrap_or(true),
        filter_sources: section.get(report, "filter-sources", boolean).unwrap_or(true),
        switch_delay: section.get(report, "switch-delay", switch_delay).unwrap_or(default.switch_delay),
    };
    names_differ(&section, report, &tunnels);
    let carries_ipv6 = |pool: &Pool| pool.cidr.address().is_ipv6() && pool.tunnel().is_some();
    if tunnels.mtu.is_some_and(|mtu| mtu.get() < IPV6_MTU) && pools.iter().any(carries_ipv6) {
        let message = format!("a tunnel that carries IPv6 has an MTU of at least {IPV6_MTU} (RFC 8200)");
        report.error(Code::Conflict, section.span_of("mtu"), message, "leave it out: the uplink tells");
    }
    section.finish(report, "tunnels", origins);
    tunnels
}

/// Each tunnel has a device of its own.
fn names_differ(section: &Section<'_>, report: &mut Report<'_>, tunnels: &Tunnels) {
    let names = [
        ("ipip-device", &tunnels.ipip_device),
        ("vxlan-device", &tunnels.vxlan_device),
        ("vxlan6-device", &tunnels.vxlan6_device),
    ];
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, name) in names {
        if let Some(other) = seen.insert(name, key) {
            let at = section.key_span(key).unwrap_or_else(|| section.span_of(other));
            let message = format!("`{other}` and `{key}` are both \"{name}\"");
            report.error(Code::Duplicate, at, message, "each tunnel has a device of its own");
        }
    }
}

/// The size of a packet: IPv4 reassembles 576 octets everywhere (RFC 791).
fn mtu(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<NonZeroU32> {
    values::integer(node, report, 576..=65535).and_then(NonZeroU32::new)
}

fn switch_delay(node: &section::Node<'_>, report: &mut Report<'_>) -> Option<Duration> {
    values::integer(node, report, 0..=3600).map(|seconds| Duration::from_secs(seconds.into()))
}

/// Tunnels lead to the nodes that next hops name, which are known only where next hops are followed.
pub(super) fn need_next_hops(report: &mut Report<'_>, network: &Network, fib: &Fib, at: Range<usize>) {
    let has_tunnel = network.pools.iter().any(|pool| pool.tunnel().is_some());
    if has_tunnel && fib.next_hops == NextHops::Assume {
        let message = "with `next-hops = \"assume\"` nobody knows the nodes that tunnels lead to";
        report.error(Code::Conflict, at, message, "tunnels need \"kernel\"");
    }
}

/// Warns of what is wrong with each of the `announced` prefixes.
pub(super) fn judge_announced(report: &mut Report<'_>, network: &Network, announced: &section::Node<'_>) {
    for node in announced.get_ref().as_array().into_iter().flatten() {
        let Some(prefix) = node.get_ref().as_str().and_then(|text| text.parse::<Prefix>().ok()) else {
            continue;
        };
        let (message, remedy) = match network.doubt(&prefix) {
            None => continue,
            Some(doubt @ Doubt::OtherNodes(_)) => {
                (format!("{prefix} will not be announced: {doubt}"), "[node] `labels` are what it goes by")
            }
            Some(doubt @ Doubt::NoBlock(_)) => {
                (format!("{prefix} is announced, although {doubt}"), "announce whole blocks")
            }
        };
        report.warning(Code::Suspicious, node.span(), message, remedy);
    }
}
