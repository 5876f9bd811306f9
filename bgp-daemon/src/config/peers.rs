//! `[[peers]]`, `[[clients]]` and the `[[groups]]` they have keys from: each entry on its own, then against the others.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use bgp_core::PeerKind;
use bgp_core::wire::capability::Role;

use super::as_numbers::{self, place};
use super::diagnostic::{Code, Report};
use super::filters::Names;
use super::groups::Groups;
use super::model::{DaemonKind, Group, Origins, PeerConfig, Policy, Selector};
use super::network::Network;
use super::options::PeerOptions;
use super::parse::{Defaults, beside, of_reflector};
use super::secret::Secret;
use super::section::Section;
use super::tcp_ao;
use super::values::{self, Passive};

pub(super) fn read(
    top: &mut Section<'_>,
    report: &mut Report<'_>,
    defaults: &Defaults,
    network: Option<&Network>,
    names: &mut Names,
    daemon: DaemonKind,
    origins: &mut Origins,
) -> (Vec<PeerConfig>, Vec<Group>) {
    let groups = Groups::read(top, report);
    let mut sections = top.sections(report, "peers", "[[peers]]");
    if of_reflector(top, report, "clients", daemon) {
        sections.extend(top.sections(report, "clients", "[[clients]]"));
    }
    sections.sort_by_key(|section| section.span.start);
    let mut seen = BTreeMap::new();
    let read = |section| entry(section, report, (defaults, network), names, &groups, &mut seen, origins);
    let peers: Vec<(PeerConfig, Range<usize>)> = sections.into_iter().filter_map(read).collect();
    tcp_ao::overlaps(report, &peers);
    let peers: Vec<PeerConfig> = peers.into_iter().map(|(peer, _)| peer).collect();
    // Each group by itself too: who is in none of them would not find its mistakes.
    let (groups, sections) = groups.finish(report, &peers);
    for mut section in sections {
        let name = section.get(report, "name", values::name).unwrap_or_default();
        let _ = keys(&mut section, report, defaults, names, None);
        section.finish(report, &format!("groups {name}"), origins);
    }
    (peers, groups)
}

fn entry<'t>(
    mut section: Section<'t>,
    report: &mut Report<'_>,
    (defaults, network): (&Defaults, Option<&Network>),
    names: &mut Names,
    groups: &Groups<'t>,
    seen: &mut BTreeMap<Selector, usize>,
    origins: &mut Origins,
) -> Option<(PeerConfig, Range<usize>)> {
    let selector = selector(&mut section, report);
    section.keep_own("name");
    let name = section.get(report, "name", values::name);
    groups.behind(&mut section, report);
    let peer = keys(&mut section, report, defaults, names, selector);
    let passive = peer.passive || is_passive_by_address(&section, report, &peer, network);
    let peer = PeerConfig { client: section.title == "[[clients]]", name, passive, ..peer };
    as_numbers::contradictions(&section, report, &peer, defaults.asn);
    contradictions(&section, report, &peer, defaults);
    PeerOptions::contradictions(&section, report, &[peer.options]);
    if selector.is_some() {
        repeated(&section, report, &peer, seen);
    }
    let at = section.span_of(peer.selector.key());
    section.finish(report, &format!("peers {}", peer.selector), origins);
    selector.map(|_| (peer, at))
}

/// The keys that a group may have as well as a peer.
fn keys(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    defaults: &Defaults,
    names: &mut Names,
    selector: Option<Selector>,
) -> PeerConfig {
    section.settle(&["password", "password-file", "tcp-ao"]);
    section.keep_own("group");
    let asn = section.get(report, "asn", values::asn).unwrap_or(defaults.asn);
    let as_numbers = as_numbers::read(section, report);
    let own = as_numbers.local.map_or(defaults.asn, |local| local.asn);
    let (kind, confederation) = place(asn, own, defaults.confederation.as_ref());
    let passive = section.get(report, "passive", values::passive).unwrap_or(Passive::Is(false));
    let policy = if kind == PeerKind::Internal { Policy::Accept } else { Policy::Reject };
    let role = section.get(report, "role", values::role);
    // A route server leaves its own AS out.
    let begins_with_it = kind == PeerKind::External && role != Some(Role::RouteServerClient);
    let is_range = matches!(selector, Some(Selector::Range(_)));
    let password_file = section.get(report, "password-file", values::path);
    let password_file = password_file.map(|path| beside(report.source.file, path));
    PeerConfig {
        selector: selector.unwrap_or(Selector::Address(IpAddr::from([0; 4]))),
        client: false,
        name: None,
        group: section.get(report, "group", values::name),
        asn,
        kind,
        confederation,
        as_numbers,
        port: section.get(report, "port", values::port).unwrap_or(179),
        passive: passive == Passive::Is(true) || is_range,
        passive_by_address: passive == Passive::ByAddress && !is_range,
        enabled: section.get(report, "enabled", values::boolean).unwrap_or(true),
        families: section.get(report, "families", values::families).unwrap_or(defaults.families),
        hold_time: section.get(report, "hold-time", values::hold_time).unwrap_or(defaults.hold_time),
        keepalive_time: section.get(report, "keepalive-time", values::keepalive_time),
        connect_retry: section
            .get(report, "connect-retry", values::seconds)
            .unwrap_or(defaults.connect_retry),
        delay_open: section.get(report, "delay-open", values::seconds),
        send_hold_time: section.get(report, "send-hold-time", values::send_hold_time),
        source_address: section.get(report, "source-address", values::address),
        password: Secret::read(
            section,
            report,
            ["TCP MD5", "password", "password-file"],
            password_file.as_deref(),
        ),
        password_file,
        tcp_ao: tcp_ao::read(section, report),
        ttl_security: section.get(report, "ttl-security", values::hops),
        role,
        strict_role: section.get(report, "strict-role", values::boolean).unwrap_or(false),
        enforce_first_as: section.get(report, "enforce-first-as", values::boolean).unwrap_or(begins_with_it),
        import: policy_of(section, report, names, "import").unwrap_or_else(|| policy.clone()),
        export: policy_of(section, report, names, "export").unwrap_or(policy),
        options: PeerOptions::read(section, report, defaults.options),
        bfd: defaults.bfd.of_peer(section, report),
        extended_message: section.get(report, "extended-message", values::boolean).unwrap_or(true),
        extended_next_hop: section
            .get(report, "extended-next-hop", values::boolean)
            .unwrap_or_else(|| selector.is_some_and(is_ipv6)),
        max_sessions: section.get(report, "max-sessions", values::count).unwrap_or(1024),
        max_connects: section.get(report, "max-connects", values::limit).flatten(),
        allowed_prefixes: section.get(report, "allowed-prefixes", values::prefixes).unwrap_or_default(),
    }
}

/// Whether it is the peer that connects where the order of the addresses decides, as texts. So one side does, and not
/// both: it is how the nodes of a mesh that Calico configures find out (BIRD is told by its generator).
fn is_passive_by_address(
    section: &Section<'_>,
    report: &mut Report<'_>,
    peer: &PeerConfig,
    network: Option<&Network>,
) -> bool {
    let (true, Selector::Address(theirs)) = (peer.passive_by_address, peer.selector) else { return false };
    let node = network.map(|network| &network.node);
    let of_node = match theirs {
        IpAddr::V4(_) => node.and_then(|node| node.address).map(IpAddr::V4),
        IpAddr::V6(_) => node.and_then(|node| node.address6).map(IpAddr::V6),
    };
    let Some(ours) = peer.source_address.or(of_node) else {
        let message = "`passive = \"by-address\"` compares our address with the peer's, and ours is not said";
        let remedy = "add `source-address`, or `address` to [node]";
        report.error(Code::Missing, section.span_of("passive"), message, remedy);
        return false;
    };
    theirs.to_string() > ours.to_string()
}

/// Whether its sessions are over IPv6.
fn is_ipv6(selector: Selector) -> bool {
    match selector {
        Selector::Address(address) => address.is_ipv6(),
        Selector::Range(network) => network.is_ipv6(),
        Selector::OnLink(..) | Selector::Interface(_) => true,
    }
}

fn policy_of(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    names: &mut Names,
    key: &'static str,
) -> Option<Policy> {
    section.node(key).and_then(|node| names.policy(key, node, report))
}

fn selector(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Selector> {
    let address = section.get(report, "address", values::neighbor);
    let range = section.get(report, "range", values::network);
    let interface = section.get(report, "interface", values::interface);
    let mut keys = ["address", "range", "interface"].into_iter().filter_map(|key| section.key_span(key));
    match (keys.next(), keys.next()) {
        (Some(_), Some(at)) => {
            let message = "an entry has either `address` or `range` or `interface`";
            report.error(Code::Conflict, at, message, "make it two entries");
            None
        }
        (None, _) => {
            let message = format!("an entry of {} needs `address`, `range` or `interface`", section.title);
            report.error(Code::Missing, section.span.clone(), message, "add `address = \"10.0.0.2\"`");
            None
        }
        _ => address.or(range.map(Selector::Range)).or(interface.map(Selector::Interface)),
    }
}

/// Keys of one entry that cannot stand together.
fn contradictions(section: &Section<'_>, report: &mut Report<'_>, peer: &PeerConfig, defaults: &Defaults) {
    misplaced(section, report, peer);
    let mut refuse = |key: &str, wrong: bool, message: String, remedy: &str| {
        if let (true, Some(at)) = (wrong, section.key_span(key)) {
            report.error(Code::Conflict, at, message, remedy);
        }
    };
    if peer.client && defaults.asn.0 != 0 {
        let message = format!("a client is in our own AS {}, not in {}", defaults.asn, peer.asn);
        let outside = peer.kind == PeerKind::External || peer.confederation;
        refuse("asn", outside, message, "write [[peers]] for a peer in another AS");
    }
    let message = "`next-hop` is an address of a family that the session does not have".to_owned();
    refuse("next-hop", peer.options.next_hop_is_idle(peer.families), message, "add it to `families`");
    let is_short = peer.send_hold_time.is_some_and(|time| (1..=peer.hold_time).contains(&time));
    let message =
        format!("it has to be longer than the hold time of {} s (RFC 9687 section 4)", peer.hold_time);
    refuse("send-hold-time", is_short, message, "twice the hold time, or 0 for never");
    let too_long = |time: u16| peer.hold_time > 0 && time > peer.hold_time / 3;
    let message = format!("it is at most a third of the hold time of {} s", peer.hold_time);
    refuse("keepalive-time", peer.keepalive_time.is_some_and(too_long), message, "RFC 4271 section 4.4");
    let message = "`strict-role` asks the peer for the role that suits ours".to_owned();
    refuse("strict-role", peer.strict_role && peer.role.is_none(), message, "add `role`");
    if let (Selector::Address(address), Some(source)) = (peer.selector, peer.source_address) {
        let message = format!("{source} and {address} are of different families");
        refuse("source-address", source.is_ipv4() != address.is_ipv4(), message, "");
    }
    if peer.kind == PeerKind::External && !peer.client && defaults.asn.0 != 0 {
        for (key, policy) in [("import", &peer.import), ("export", &peer.export)] {
            if *policy == Policy::Reject
                && section.key_span(key).is_none()
                && section.key_span("asn").is_some()
            {
                let message = format!("without `{key}` no route passes this way (eBGP, RFC 8212)");
                let remedy = format!("add `{key} = \"accept\"`, or \"reject\" if that is meant");
                report.warning(Code::Suspicious, section.span_of("asn"), message, remedy);
            }
        }
    }
}

/// Keys that mean nothing to an entry of this kind. In a group, which may be of both kinds, they are passed over.
fn misplaced(section: &Section<'_>, report: &mut Report<'_>, peer: &PeerConfig) {
    let range = matches!(peer.selector, Selector::Range(_));
    let mut refuse = |key: &str, wrong: bool, message: String, remedy: &str| {
        if let (true, Some(at)) = (wrong, section.own_span(key)) {
            report.error(Code::Conflict, at, message, remedy);
        }
    };
    let active = section.table().get("passive").is_some_and(|node| node.get_ref().as_bool() == Some(false));
    let message = "a range only accepts: nothing tells which addresses to connect to";
    refuse("passive", range && active, message.to_owned(), "take `passive` out");
    for key in ["port", "source-address"] {
        refuse(key, range, format!("`{key}` is for connecting, a range only accepts"), "take it out");
    }
    let message =
        "keys of TCP MD5 and TCP-AO are for addresses, and the neighbour's is not known before it is there";
    let by_link = matches!(peer.selector, Selector::Interface(_));
    for key in ["password", "password-file", "tcp-ao"] {
        refuse(key, by_link, message.to_owned(), "`ttl-security = 1` keeps out who is not on the link");
    }
    let message = "`max-sessions` is for a range; an address has one session".to_owned();
    refuse("max-sessions", !range, message, "take it out");
    let message = "`max-connects` is for a range".to_owned();
    refuse("max-connects", !range, message, "take it out");
    for key in ["role", "strict-role", "enforce-first-as"] {
        let message = format!("`{key}` is for peers in another AS (eBGP)");
        refuse(key, peer.kind == PeerKind::Internal && peer.asn.0 != 0, message, "take it out");
    }
}

/// Two entries for the same sessions.
fn repeated(
    section: &Section<'_>,
    report: &mut Report<'_>,
    peer: &PeerConfig,
    seen: &mut BTreeMap<Selector, usize>,
) {
    let at = section.span_of(peer.selector.key());
    let line = report.source.line(at.start);
    match seen.get(&peer.selector) {
        Some(first) => {
            let message = format!("{} is configured twice", peer.selector);
            report.error(Code::Duplicate, at, message, format!("first in line {first}"));
        }
        None => {
            seen.insert(peer.selector, line);
        }
    }
}
