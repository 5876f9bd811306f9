//! Addresses, identifiers, prefixes and interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use bgp_core::prefix::ParsePrefixError;
use bgp_core::{ClusterId, Prefix, RouterId};
use ipnetwork::IpNetwork;

use super::super::diagnostic::{Code, Report};
use super::super::interface::Interface;
use super::super::model::{Selector, Sources};
use super::super::section::Node;
use super::lists::{list, without_repeats};
use super::text;

/// The name of a network interface.
pub(in crate::config) fn interface(node: &Node<'_>, report: &mut Report<'_>) -> Option<Interface> {
    let name = text(node, report, "the name of an interface, as in \"tunl0\"")?;
    let interface = Interface::new(name);
    if interface.is_none() {
        let message = format!("`{name}` cannot be the name of an interface");
        report.error(Code::Value, node.span(), message, "1 to 15 octets without spaces and / : %");
    }
    interface
}

/// The name of a device that we may make.
pub(in crate::config) fn device(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    interface(node, report).map(|interface| interface.to_string())
}

/// A neighbour: its address, if that is link-local with `%` and the name of the interface.
pub(in crate::config) fn neighbor(node: &Node<'_>, report: &mut Report<'_>) -> Option<Selector> {
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
pub(in crate::config) fn address(node: &Node<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
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
pub(in crate::config) fn ipv4(node: &Node<'_>, report: &mut Report<'_>) -> Option<Ipv4Addr> {
    parsed(node, report, "an IPv4 address", "10.0.0.1")
}

/// An IPv6 address.
pub(in crate::config) fn ipv6(node: &Node<'_>, report: &mut Report<'_>) -> Option<Ipv6Addr> {
    parsed(node, report, "an IPv6 address", "fd00::1")
}

/// An address and port to listen on.
pub(in crate::config) fn endpoint(node: &Node<'_>, report: &mut Report<'_>) -> Option<SocketAddr> {
    parsed(node, report, "ADDRESS:PORT", "0.0.0.0:179")
}

/// As [`endpoint`], or the empty text for none.
pub(in crate::config) fn endpoint_or_off(
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<Option<SocketAddr>> {
    if node.get_ref().as_str() == Some("") { Some(None) } else { endpoint(node, report).map(Some) }
}

/// Endpoints to listen on.
pub(in crate::config) fn endpoints(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<SocketAddr>> {
    let found = list(node, report, "a list of \"ADDRESS:PORT\"", |node, report| {
        endpoint(node, report).map(|endpoint| (endpoint, node.span()))
    })?;
    Some(without_repeats(report, found))
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
pub(in crate::config) fn router_id(node: &Node<'_>, report: &mut Report<'_>) -> Option<RouterId> {
    quad(node, report).map(RouterId)
}

/// A cluster id.
pub(in crate::config) fn cluster_id(node: &Node<'_>, report: &mut Report<'_>) -> Option<ClusterId> {
    quad(node, report).map(ClusterId)
}

/// A prefix without host bits.
pub(in crate::config) fn prefix(node: &Node<'_>, report: &mut Report<'_>) -> Option<Prefix> {
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

/// Prefixes, each once.
pub(in crate::config) fn prefixes(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<Prefix>> {
    let found = list(node, report, "a list of prefixes", |node, report| {
        prefix(node, report).map(|prefix| (prefix, node.span()))
    })?;
    Some(without_repeats(report, found))
}

/// A network that peers connect from.
pub(in crate::config) fn network(node: &Node<'_>, report: &mut Report<'_>) -> Option<IpNetwork> {
    let prefix = prefix(node, report)?;
    IpNetwork::new(prefix.address(), prefix.len()).ok()
}

/// The addresses that our routes prefer as their source: one, or one of each family.
pub(in crate::config) fn sources(node: &Node<'_>, report: &mut Report<'_>) -> Option<Sources> {
    let (v4, v6) = one_of_each(node, report, "an address, or one address of each family")?;
    Some(Sources { v4, v6 })
}

/// An address, or a list with at most one of each family.
pub(super) fn one_of_each(
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
