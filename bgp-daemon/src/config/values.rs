//! From TOML values to the types of the model, one function a type.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bgp_core::prefix::ParsePrefixError;
use bgp_core::wire::capability::Role;
use bgp_core::{Asn, ClusterId, Family, FamilySet, Prefix, RouterId};
use bgp_rib::filter::Action;
use bgp_rib::{Advertise, NextHopRule};
use ipnetwork::IpNetwork;
use toml::de::DeValue;

use super::diagnostic::{Code, Report};
use super::interface::Interface;
use super::model::{LogFormat, NextHops, PerPeer, Selector, Sources};
use super::nearest::nearest;
use super::options::{AddPath, MaxPrefixAction};
use super::section::{Node, Parser, article};

pub(super) fn wrong_type(node: &Node<'_>, report: &mut Report<'_>, wanted: &str) {
    let message = format!("expected {wanted}, found {}", article(node.get_ref().type_str()));
    report.error(Code::Type, node.span(), message, "");
}

pub(super) fn text<'n>(node: &'n Node<'_>, report: &mut Report<'_>, wanted: &str) -> Option<&'n str> {
    if node.get_ref().as_str().is_none() {
        wrong_type(node, report, wanted);
    }
    node.get_ref().as_str()
}

/// Any text.
pub(super) fn string(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    text(node, report, "a string").map(str::to_owned)
}

/// A name for people, which commands and other keys can use.
pub(super) fn name(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    let name = string(node, report)?;
    let shown = !name.is_empty() && name.len() <= 64 && name.chars().all(|c| !c.is_control() && c != ' ');
    if !shown {
        let message = "a name is 1 to 64 characters without spaces";
        report.error(Code::Value, node.span(), message, "");
    }
    shown.then_some(name)
}

/// A file's path, not empty.
pub(super) fn path(node: &Node<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    let path = text(node, report, "a path, as in \"/run/bgp/prefixes\"")?;
    if path.is_empty() {
        report.error(Code::Value, node.span(), "the path is empty", "leave the key out, or name a file");
        return None;
    }
    Some(PathBuf::from(path))
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node<'_>, report: &mut Report<'_>) -> Option<bool> {
    if node.get_ref().as_bool().is_none() {
        wrong_type(node, report, "true or false");
    }
    node.get_ref().as_bool()
}

pub(super) fn integer(node: &Node<'_>, report: &mut Report<'_>, allowed: RangeInclusive<u32>) -> Option<u32> {
    let allowed = i64::from(*allowed.start())..=i64::from(*allowed.end());
    whole(node, report, allowed).and_then(|value| u32::try_from(value).ok())
}

pub(super) fn whole(node: &Node<'_>, report: &mut Report<'_>, allowed: RangeInclusive<i64>) -> Option<i64> {
    let DeValue::Integer(number) = node.get_ref() else {
        wrong_type(node, report, "an integer");
        return None;
    };
    let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
    let value = value.filter(|value| allowed.contains(value));
    if value.is_none() {
        let remedy = format!("from {} to {}", allowed.start(), allowed.end());
        report.error(Code::Value, node.span(), format!("{number} is out of range"), remedy);
    }
    value
}

/// An AS number that may be used: not 0 (RFC 7607), not AS_TRANS, not the last ones (RFC 7300).
pub(super) fn asn(node: &Node<'_>, report: &mut Report<'_>) -> Option<Asn> {
    let number = integer(node, report, 1..=u32::MAX)?;
    let reserved = match number {
        23456 => "AS 23456 stands for four-octet numbers (RFC 6793)",
        65535 | u32::MAX => "the last AS number is reserved (RFC 7300)",
        _ => return Some(Asn(number)),
    };
    report.error(Code::Value, node.span(), reserved, "private numbers are 64512 to 65534");
    None
}

/// Who connects is decided by the order of the addresses.
pub(super) const BY_ADDRESS: &str = "by-address";

/// Who connects to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passive {
    /// The peer only, or both.
    Is(bool),
    /// The one whose own address comes later as a text.
    ByAddress,
}

/// `true`, `false` or "by-address".
pub(super) fn passive(node: &Node<'_>, report: &mut Report<'_>) -> Option<Passive> {
    match node.get_ref().as_str() {
        Some(BY_ADDRESS) => Some(Passive::ByAddress),
        Some(other) => {
            let message = format!("`{other}` does not say who connects");
            report.error(Code::Value, node.span(), message, "true, false or \"by-address\"");
            None
        }
        None => boolean(node, report).map(Passive::Is),
    }
}

/// A TCP port.
pub(super) fn port(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 1..=65535).and_then(|v| u16::try_from(v).ok())
}

/// A hold time: 0, or at least 3 seconds (RFC 4271 section 4.2).
pub(super) fn hold_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    let seconds = integer(node, report, 0..=65535)?;
    if seconds == 1 || seconds == 2 {
        let message = format!("a hold time of {seconds} s is not allowed (RFC 4271 section 4.2)");
        report.error(Code::Value, node.span(), message, "0 (none), or 3 to 65535 seconds");
        return None;
    }
    u16::try_from(seconds).ok()
}

/// A time between KEEPALIVEs in seconds.
pub(super) fn keepalive_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 1..=21845).and_then(|v| u16::try_from(v).ok())
}

/// A send hold time in seconds (RFC 9687); 0: never.
pub(super) fn send_hold_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 0..=65535).and_then(|v| u16::try_from(v).ok())
}

/// A time in whole seconds, from 1 to 65535.
pub(super) fn seconds(node: &Node<'_>, report: &mut Report<'_>) -> Option<Duration> {
    integer(node, report, 1..=65535).map(|v| Duration::from_secs(v.into()))
}

/// The name of a network interface.
pub(super) fn interface(node: &Node<'_>, report: &mut Report<'_>) -> Option<Interface> {
    let name = text(node, report, "the name of an interface, as in \"tunl0\"")?;
    let interface = Interface::new(name);
    if interface.is_none() {
        let message = format!("`{name}` cannot be the name of an interface");
        report.error(Code::Value, node.span(), message, "1 to 15 octets without spaces and / : %");
    }
    interface
}

/// The name of a device that we may make.
pub(super) fn device(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    interface(node, report).map(|interface| interface.to_string())
}

/// A neighbour: its address, if that is link-local with `%` and the name of the interface.
pub(super) fn neighbor(node: &Node<'_>, report: &mut Report<'_>) -> Option<Selector> {
    let written = node.get_ref().as_str().unwrap_or_default();
    if written.parse().is_ok_and(|host: Ipv6Addr| host.is_unicast_link_local()) {
        let message = format!("`{written}` is link-local: no interface tells which link is meant");
        report.error(Code::Address, node.span(), message, "write it as in \"fe80::1%eth0\"");
        return None;
    }
    let Some((host, link)) = written.split_once('%') else {
        return address(node, report).map(Selector::Address);
    };
    let host = host.parse().ok().filter(Ipv6Addr::is_unicast_link_local);
    let selector = host.zip(Interface::new(link)).map(|(host, link)| Selector::OnLink(host, link));
    if selector.is_none() {
        let message = "before `%` is a link-local address, behind it the name of an interface";
        report.error(Code::Address, node.span(), message, "as in \"fe80::1%eth0\"");
    }
    selector
}

/// A VXLAN network identifier: 24 bits (RFC 7348 section 5).
pub(super) fn vni(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=0xff_ffff)
}

/// From `offset` octets into a text value to its end, as bytes of the file. A text with escapes other than `\"` and `\\` is
/// pointed at as a whole.
pub(super) fn inside(node: &Node<'_>, file: &str, offset: usize) -> Range<usize> {
    let whole = node.span();
    let value = node.get_ref().as_str().unwrap_or_default();
    let written = file.get(whole.clone()).unwrap_or_default();
    let quotes = if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
    let quoted = written.get(quotes..written.len().saturating_sub(quotes)).unwrap_or_default();
    // The line break behind three quotes is not part of the text.
    let dropped = quoted.len() - quoted.trim_start_matches(['\r', '\n']).len();
    let body = if quotes == 3 { quoted.get(dropped..).unwrap_or_default() } else { quoted };
    let start = whole.start + quotes + if quotes == 3 { dropped } else { 0 };
    let (before, after) = value.split_at_checked(offset).unwrap_or((value, ""));
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").len();
    match body.len() {
        length if length == value.len() => {
            start + before.len()..(start + length).max(start + before.len() + 1)
        }
        length if length == escaped(value) => {
            let from = start + escaped(before);
            from..from + escaped(after).max(1)
        }
        _ => whole,
    }
}

/// The addresses that our routes prefer as their source: one, or one of each family.
pub(super) fn sources(node: &Node<'_>, report: &mut Report<'_>) -> Option<Sources> {
    let (v4, v6) = one_of_each(node, report, "an address, or one address of each family")?;
    Some(Sources { v4, v6 })
}

/// Hops for GTSM.
pub(super) fn hops(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    integer(node, report, 1..=254).and_then(|v| u8::try_from(v).ok())
}

/// A limit of which 0 means «none».
pub(super) fn limit(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    integer(node, report, 0..=u32::MAX).map(|v| Some(v).filter(|v| *v > 0))
}

/// As [`limit`], of octets.
pub(super) fn octets(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u64>> {
    let value = whole(node, report, 0..=i64::MAX)?;
    Some(u64::try_from(value).ok().filter(|octets| *octets > 0))
}

/// How many paths to a destination; 0 means «any number».
pub(super) fn max_paths(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u16>> {
    integer(node, report, 0..=65535).map(|v| u16::try_from(v).ok().filter(|v| *v > 0))
}

/// A restart time: twelve bits (RFC 4724 section 3), and 0 would be no time to restart in.
pub(super) fn restart_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 1..=4095).and_then(|v| u16::try_from(v).ok())
}

/// A long-lived stale time: 24 bits (RFC 9494 section 3); 0 means «off».
pub(super) fn long_lived_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    integer(node, report, 0..=0xff_ffff).map(|v| Some(v).filter(|v| *v > 0))
}

/// How many of a hundred; 0 means «off».
pub(super) fn percent(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    integer(node, report, 0..=100).map(|v| Some(v).filter(|v| *v > 0))
}

/// A time to stay away, in whole seconds up to a day; 0 means «none of its own».
pub(super) fn pause(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<Duration>> {
    integer(node, report, 0..=86400).map(|v| Some(Duration::from_secs(v.into())).filter(|v| !v.is_zero()))
}

/// A count of at least 1.
pub(super) fn count(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=u32::MAX)
}

/// How many equal paths a route may use.
pub(super) fn multipath(node: &Node<'_>, report: &mut Report<'_>) -> Option<usize> {
    integer(node, report, 1..=256).and_then(|v| usize::try_from(v).ok())
}

/// A routing table of the kernel; 0 is none.
pub(super) fn routing_table(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=u32::MAX)
}

/// A route's metric; 0 is what the kernel takes for «unset» and IPv6 turns into 1024.
pub(super) fn metric(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=u32::MAX)
}

/// An `rtproto`; up to 4 are the kernel's own (`linux/rtnetlink.h`).
pub(super) fn route_protocol(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    integer(node, report, 5..=255).and_then(|v| u8::try_from(v).ok())
}

fn parsed<T: FromStr>(node: &Node<'_>, report: &mut Report<'_>, wanted: &str, example: &str) -> Option<T> {
    let text = text(node, report, &format!("{wanted}, as in \"{example}\""))?;
    let value = text.parse().ok();
    if value.is_none() {
        let message = format!("`{text}` is not {wanted}");
        report.error(Code::Address, node.span(), message, format!("as in \"{example}\""));
    }
    value
}

/// A neighbour's address: one that a host can have, without a zone, IPv4 written as IPv4.
pub(super) fn address(node: &Node<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    let address: IpAddr = parsed(node, report, "an IP address", "10.0.0.2")?;
    let (wrong, remedy) = match address {
        _ if address.is_unspecified() => ("stands for «any address»", "name one neighbour"),
        _ if address.is_multicast() => ("is a multicast address", "name one neighbour"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => ("is the broadcast address", "name one neighbour"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            ("is an IPv4 address written as IPv6", "write it as IPv4")
        }
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            ("is link-local: no interface tells which link is meant", "use a global or unique local address")
        }
        _ => return Some(address),
    };
    report.error(Code::Address, node.span(), format!("`{address}` {wrong}"), remedy);
    None
}

/// An IPv4 address.
pub(super) fn ipv4(node: &Node<'_>, report: &mut Report<'_>) -> Option<Ipv4Addr> {
    parsed(node, report, "an IPv4 address", "10.0.0.1")
}

/// An IPv6 address.
pub(super) fn ipv6(node: &Node<'_>, report: &mut Report<'_>) -> Option<Ipv6Addr> {
    parsed(node, report, "an IPv6 address", "fd00::1")
}

/// An address and port to listen on.
pub(super) fn endpoint(node: &Node<'_>, report: &mut Report<'_>) -> Option<SocketAddr> {
    parsed(node, report, "ADDRESS:PORT", "0.0.0.0:179")
}

/// As [`endpoint`], or the empty text for none.
pub(super) fn endpoint_or_off(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<SocketAddr>> {
    if node.get_ref().as_str() == Some("") { Some(None) } else { endpoint(node, report).map(Some) }
}

fn quad(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    let id: RouterId = parsed(node, report, "an identifier", "10.0.0.1")?;
    if id.0 == 0 {
        report.error(Code::Value, node.span(), "the identifier must not be 0.0.0.0 (RFC 6286)", "");
        return None;
    }
    Some(id.0)
}

/// A BGP Identifier.
pub(super) fn router_id(node: &Node<'_>, report: &mut Report<'_>) -> Option<RouterId> {
    quad(node, report).map(RouterId)
}

/// A cluster id.
pub(super) fn cluster_id(node: &Node<'_>, report: &mut Report<'_>) -> Option<ClusterId> {
    quad(node, report).map(ClusterId)
}

/// A prefix without host bits.
pub(super) fn prefix(node: &Node<'_>, report: &mut Report<'_>) -> Option<Prefix> {
    let text = text(node, report, "a prefix, as in \"10.244.0.0/26\"")?;
    let wrong = match text.parse() {
        Ok(prefix) => return Some(prefix),
        Err(wrong) => wrong,
    };
    let (reason, remedy) = match wrong {
        ParsePrefixError::HostBits(meant) => {
            ("has bits set behind its length".to_owned(), format!("did you mean \"{meant}\"?"))
        }
        ParsePrefixError::Form => ("is not a prefix".to_owned(), "as in \"10.244.0.0/26\"".to_owned()),
        other => (format!("is not a prefix: {other}"), "as in \"10.244.0.0/26\"".to_owned()),
    };
    report.error(Code::Address, node.span(), format!("`{text}` {reason}"), remedy);
    None
}

/// A network that peers connect from.
pub(super) fn network(node: &Node<'_>, report: &mut Report<'_>) -> Option<IpNetwork> {
    let prefix = prefix(node, report)?;
    IpNetwork::new(prefix.address(), prefix.len()).ok()
}

/// What its own type says of a wrong text is all there is to say.
pub(super) fn explained<T: FromStr<Err: Display>>(
    node: &Node<'_>,
    report: &mut Report<'_>,
    wanted: &str,
) -> Option<T> {
    let text = text(node, report, wanted)?;
    text.parse().map_err(|error: T::Err| report.error(Code::Value, node.span(), error.to_string(), "")).ok()
}

/// A list that is not empty.
pub(super) fn several<T>(node: &Node<'_>, report: &mut Report<'_>, element: Parser<T>) -> Option<Vec<T>> {
    array(node, report, "a list")?;
    list(node, report, "a list", element)
}

/// A list of texts, to be shown.
pub(super) fn strings<T: Display>(values: impl IntoIterator<Item = T>) -> toml::Value {
    toml::Value::Array(values.into_iter().map(|value| toml::Value::String(value.to_string())).collect())
}

/// The nodes of a list that has any.
pub(super) fn array<'n, 't>(
    node: &'n Node<'t>,
    report: &mut Report<'_>,
    wanted: &str,
) -> Option<&'n [Node<'t>]> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type(node, report, wanted);
        return None;
    };
    if array.is_empty() {
        report.error(Code::Value, node.span(), "an empty list matches nothing", "take it out, or fill it");
    }
    Some(array.as_ref())
}

/// Each element by `element`; elements that are wrong are reported and left out.
pub(super) fn list<T>(
    node: &Node<'_>,
    report: &mut Report<'_>,
    wanted: &str,
    element: Parser<T>,
) -> Option<Vec<T>> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type(node, report, wanted);
        return None;
    };
    Some(array.iter().filter_map(|node| element(node, report)).collect())
}

/// Endpoints to listen on.
pub(super) fn endpoints(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<SocketAddr>> {
    let found = list(node, report, "a list of \"ADDRESS:PORT\"", |node, report| {
        endpoint(node, report).map(|endpoint| (endpoint, node.span()))
    })?;
    Some(without_repeats(report, found))
}

/// Prefixes, each once.
pub(super) fn prefixes(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<Prefix>> {
    let found = list(node, report, "a list of prefixes", |node, report| {
        prefix(node, report).map(|prefix| (prefix, node.span()))
    })?;
    Some(without_repeats(report, found))
}

pub(super) fn without_repeats<T: PartialEq + Display>(
    report: &mut Report<'_>,
    found: Vec<(T, Range<usize>)>,
) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for (value, span) in found {
        if kept.contains(&value) {
            report.error(Code::Duplicate, span, format!("{value} is in the list twice"), "take one out");
        } else {
            kept.push(value);
        }
    }
    kept
}

/// The families of a session, at least one.
pub(super) fn families(node: &Node<'_>, report: &mut Report<'_>) -> Option<FamilySet> {
    let families: FamilySet =
        list(node, report, "a list of families", |node, report| choice(node, report, FAMILIES))?
            .into_iter()
            .collect();
    let given = node.get_ref().as_array().is_some_and(|array| !array.is_empty());
    if !given {
        report.error(Code::Value, node.span(), "a session needs a family", "\"ipv4\", \"ipv6\" or both");
    }
    Some(families).filter(|families| !families.is_empty())
}

/// The words of a choice and what they mean.
pub(super) type Choices<T> = &'static [(&'static str, T)];

pub(super) const FAMILIES: Choices<Family> =
    &[("ipv4", Family::IPV4_UNICAST), ("ipv6", Family::IPV6_UNICAST)];
pub(super) const ACTIONS: Choices<Action> = &[("accept", Action::Accept), ("reject", Action::Reject)];
pub(super) const TERM_ACTIONS: Choices<Option<Action>> =
    &[("accept", Some(Action::Accept)), ("reject", Some(Action::Reject)), ("next", None)];
pub(super) const ADD_PATH: Choices<AddPath> =
    &[("off", AddPath::Off), ("receive", AddPath::Receive), ("send", AddPath::Send), ("both", AddPath::Both)];
pub(super) const MAX_PREFIX_ACTIONS: Choices<MaxPrefixAction> =
    &[("reset", MaxPrefixAction::Reset), ("warn", MaxPrefixAction::Warn)];
pub(super) const ADVERTISE: Choices<Advertise> = &[
    ("best", Advertise::Best),
    ("best-external", Advertise::BestExternal),
    ("ecmp", Advertise::Ecmp),
    ("all", Advertise::All),
];
pub(super) const NEXT_HOP_RULES: Choices<NextHopRule> = &[
    ("auto", NextHopRule::Auto),
    ("self", NextHopRule::Own),
    ("self-for-external", NextHopRule::OwnForExternal),
    ("unchanged", NextHopRule::Unchanged),
];
/// What we are to a peer, by the words of RFC 9234 section 4.
pub(super) const ROLES: Choices<Role> = &[
    ("provider", Role::Provider),
    ("customer", Role::Customer),
    ("peer", Role::Peer),
    ("rs", Role::RouteServer),
    ("rs-client", Role::RouteServerClient),
];
pub(super) const LOG_FORMATS: Choices<LogFormat> = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
pub(super) const PER_PEER: Choices<PerPeer> =
    &[("auto", PerPeer::Auto), ("full", PerPeer::Full), ("basic", PerPeer::Basic)];
pub(super) const NEXT_HOPS: Choices<NextHops> = &[("kernel", NextHops::Kernel), ("assume", NextHops::Assume)];

/// The word for a value of a choice.
pub(super) fn word<T: PartialEq>(choices: Choices<T>, value: &T) -> &'static str {
    choices.iter().find(|(_, v)| v == value).map_or("", |(word, _)| *word)
}

pub(super) fn choice<T: Clone>(node: &Node<'_>, report: &mut Report<'_>, choices: Choices<T>) -> Option<T> {
    let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let words = format!("one of {}", words.join(", "));
    let text = text(node, report, &words)?;
    let value = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
    if value.is_none() {
        let remedy = match nearest(text, choices.iter().map(|(word, _)| *word)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => words,
        };
        report.error(Code::Value, node.span(), format!("`{text}` is not a choice here"), remedy);
    }
    value
}

/// What becomes of a route in the end.
pub(super) fn action(node: &Node<'_>, report: &mut Report<'_>) -> Option<Action> {
    choice(node, report, ACTIONS)
}

/// Which way several paths are offered.
pub(super) fn add_path(node: &Node<'_>, report: &mut Report<'_>) -> Option<AddPath> {
    choice(node, report, ADD_PATH)
}

/// What happens at a limit of prefixes.
pub(super) fn max_prefix_action(node: &Node<'_>, report: &mut Report<'_>) -> Option<MaxPrefixAction> {
    choice(node, report, MAX_PREFIX_ACTIONS)
}

/// Which paths go out: a word, or how many.
pub(super) fn advertise(node: &Node<'_>, report: &mut Report<'_>) -> Option<Advertise> {
    if !matches!(node.get_ref(), DeValue::Integer(_)) {
        return choice(node, report, ADVERTISE);
    }
    let count = integer(node, report, 1..=65535)?;
    u16::try_from(count).ok().and_then(NonZeroU16::new).map(Advertise::Count)
}

/// A rule for next hops: a word, an address, or one address of each family.
pub(super) fn next_hop(node: &Node<'_>, report: &mut Report<'_>) -> Option<NextHopRule> {
    if let Some(text) = node.get_ref().as_str()
        && text.parse::<IpAddr>().is_err()
    {
        return choice(node, report, NEXT_HOP_RULES);
    }
    let (v4, v6) = one_of_each(node, report, "a rule, an address, or one address of each family")?;
    if v4.is_none() && v6.is_none() {
        report.error(Code::Value, node.span(), "no address is given", "\"auto\" is the default");
    }
    (v4.is_some() || v6.is_some()).then_some(NextHopRule::Set { v4, v6 })
}

/// An address, or a list with at most one of each family.
fn one_of_each(
    node: &Node<'_>,
    report: &mut Report<'_>,
    wanted: &str,
) -> Option<(Option<Ipv4Addr>, Option<Ipv6Addr>)> {
    let with_place = |node: &Node<'_>, report: &mut Report<'_>| Some((address(node, report)?, node.span()));
    let addresses = match node.get_ref().as_str() {
        Some(_) => vec![with_place(node, report)?],
        None => list(node, report, wanted, with_place)?,
    };
    let (mut v4, mut v6) = (None, None);
    for (address, at) in addresses {
        let before = match address {
            IpAddr::V4(address) => v4.replace(address).is_some(),
            IpAddr::V6(address) => v6.replace(address).is_some(),
        };
        if before {
            report.error(Code::Duplicate, at, "a second address of this family", "keep one of each");
        }
    }
    Some((v4, v6))
}

/// What we are to a peer.
pub(super) fn role(node: &Node<'_>, report: &mut Report<'_>) -> Option<Role> {
    choice(node, report, ROLES)
}

/// `text` or `json`.
pub(super) fn log_format(node: &Node<'_>, report: &mut Report<'_>) -> Option<LogFormat> {
    choice(node, report, LOG_FORMATS)
}

/// `auto`, `full` or `basic`.
pub(super) fn per_peer(node: &Node<'_>, report: &mut Report<'_>) -> Option<PerPeer> {
    choice(node, report, PER_PEER)
}

/// `kernel` or `assume`.
pub(super) fn next_hops(node: &Node<'_>, report: &mut Report<'_>) -> Option<NextHops> {
    choice(node, report, NEXT_HOPS)
}

/// What the log takes as its filter.
pub(super) fn log_level(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    let level = text(node, report, "a level, as in \"info\"")?;
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let plain = level.chars().all(|c| c.is_ascii_alphanumeric());
    let right = if plain { levels.contains(&level) } else { crate::log::filter(level).is_ok() };
    if !right {
        let remedy = match nearest(level, levels) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "error, warn, info, debug or trace; or \"info,bgp_daemon=debug\"".to_owned(),
        };
        report.error(Code::Value, node.span(), format!("`{level}` is not a log level"), remedy);
    }
    right.then(|| level.to_owned())
}
