//! The commands of `ip` that the scripts use.

use std::net::IpAddr;

use bgp_core::Prefix;

use super::table::{Forwarding, Hop, KernelRoute, KernelTable};

/// A command that is not known here, or that the kernel refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError(pub String);

/// What `ip route` says of a route.
#[derive(Default)]
struct Words {
    kind: Option<Forwarding>,
    prefix: Option<Prefix>,
    gateways: Vec<IpAddr>,
    metric: Option<u32>,
    protocol: Option<u8>,
}

pub(super) fn run(table: &mut KernelTable, arguments: &str) -> Result<(), CommandError> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let (v6, words) = match words.as_slice() {
        ["-6", rest @ ..] => (true, rest),
        ["-4", rest @ ..] | rest => (false, rest),
    };
    let done = match words {
        ["route", action, rest @ ..] => route(table, action, rest, v6),
        ["link", "add", "name", name, ..] => {
            table.add_link(name);
            Some(())
        }
        ["link", "set", "dev", name, state @ ("up" | "down")] => link(table, name, *state == "up"),
        ["addr", "add" | "replace", address, "dev", link, ..] => add_address(table, address, link),
        _ => None,
    };
    done.ok_or_else(|| CommandError(format!("ip {arguments}")))
}

/// The far end of link `a` is called `a2`.
fn link(table: &mut KernelTable, name: &str, up: bool) -> Option<()> {
    match name.strip_suffix('2') {
        Some(near) => table.set_carrier(near, up),
        None => table.set_up(name, up),
    }
    .then_some(())
}

fn add_address(table: &mut KernelTable, text: &str, link: &str) -> Option<()> {
    let (address, len) = text.split_once('/')?;
    let address = address.parse().ok()?;
    let network = Prefix::new(address, len.parse().ok()?)?;
    table.add_address(link, address, network).then_some(())
}

fn route(table: &mut KernelTable, action: &str, words: &[&str], v6: bool) -> Option<()> {
    let words = Words::read(words, v6)?;
    match action {
        "flush" => {
            let protocol = words.protocol?;
            table.retain(|route| route.protocol != protocol || route.prefix.address().is_ipv6() != v6);
            Some(())
        }
        "del" => {
            let prefix = words.prefix?;
            let place = table.routes().iter().position(|route| words.names(route, prefix));
            let gone = table.routes().get(place?)?.clone();
            table.retain(|route| *route != gone);
            Some(())
        }
        "add" | "replace" | "change" | "append" => {
            let route = words.route(table)?;
            match action {
                "add" if table.at(route.prefix, route.metric).is_some() => return None,
                "append" => table.append(route),
                _ => table.replace(route),
            }
            Some(())
        }
        _ => None,
    }
}

impl Words {
    fn read(mut words: &[&str], v6: bool) -> Option<Words> {
        let mut read = Words::default();
        loop {
            words = match words {
                [] => return Some(read),
                ["blackhole", rest @ ..] => {
                    read.kind = Some(Forwarding::Blackhole);
                    rest
                }
                ["unreachable", rest @ ..] => {
                    read.kind = Some(Forwarding::Unreachable);
                    rest
                }
                ["via", gateway, rest @ ..] => {
                    read.gateways.push(gateway.parse().ok()?);
                    rest
                }
                ["metric", metric, rest @ ..] => {
                    read.metric = metric.parse().ok();
                    rest
                }
                ["proto", protocol, rest @ ..] => {
                    read.protocol = Some(if *protocol == "static" { 4 } else { protocol.parse().ok()? });
                    rest
                }
                ["default", rest @ ..] => {
                    read.prefix = Some(if v6 { "::/0" } else { "0.0.0.0/0" }.parse().ok()?);
                    rest
                }
                [prefix, rest @ ..] => {
                    read.prefix = Some(prefix.parse().ok()?);
                    rest
                }
            };
        }
    }

    /// Whether `ip route del` with these words means this route.
    fn names(&self, route: &KernelRoute, prefix: Prefix) -> bool {
        let via = |gateway: &IpAddr| match &route.forwarding {
            Forwarding::Via(hops) => hops.iter().any(|hop| hop.gateway == Some(*gateway)),
            Forwarding::Blackhole | Forwarding::Unreachable => false,
        };
        route.prefix == prefix
            && self.metric.is_none_or(|metric| metric == route.metric)
            && self.protocol.is_none_or(|protocol| protocol == route.protocol)
            && self.kind.as_ref().is_none_or(|kind| *kind == route.forwarding)
            && self.gateways.iter().all(via)
    }

    /// A gateway has to be on a connected network.
    fn route(self, table: &KernelTable) -> Option<KernelRoute> {
        let hops = self.gateways.iter().map(|gateway| {
            let (_, hop) = table.lookup(*gateway, |_| false)?;
            Some(Hop { gateway: Some(*gateway), link: hop.link })
        });
        let forwarding = match self.kind {
            Some(kind) => kind,
            None => Forwarding::via(hops.collect::<Option<Vec<Hop>>>()?)?,
        };
        let prefix = self.prefix?;
        // What an IPv6 route has that is added without one.
        let metric = self.metric.unwrap_or(if prefix.address().is_ipv6() { 1024 } else { 0 });
        Some(KernelRoute { prefix, metric, protocol: self.protocol.unwrap_or(3), forwarding })
    }
}
