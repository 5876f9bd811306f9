//! The nft scripts. Each is one transaction: it happens as a whole or not at all.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::spec::{Desired, Family, Kind};

/// Our table, of the family inet.
pub(crate) const TABLE: &str = "bgp-tunnel";

/// What the table is to hold, apart from the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Empty if sources are not filtered.
    tunnels: Vec<(Kind, Family)>,
    pools: BTreeSet<IpNetwork>,
    masqueraded: BTreeSet<IpNetwork>,
}

impl Rules {
    /// `None` if no table is needed.
    pub(crate) fn of(desired: &Desired) -> Option<Self> {
        let devices =
            desired.devices.iter().filter(|device| desired.filter_sources && device.check().is_ok());
        let natted = desired.pools.iter().filter(|pool| pool.nat_outgoing);
        let rules = Self {
            tunnels: devices.map(|device| (device.kind, device.family)).collect(),
            pools: desired.pools.iter().map(|pool| pool.cidr).collect(),
            masqueraded: natted.map(|pool| pool.cidr).collect(),
        };
        (!rules.tunnels.is_empty() || !rules.masqueraded.is_empty()).then_some(rules)
    }

    pub(crate) fn has_hosts(&self) -> bool {
        !self.tunnels.is_empty()
    }

    /// The whole table, in place of whatever there is.
    pub(crate) fn whole(&self, hosts: &BTreeSet<IpAddr>) -> String {
        let mut script = removal();
        script += &format!("table inet {TABLE} {{\n");
        if self.has_hosts() {
            for family in FAMILIES {
                let of_family = hosts.iter().filter(|host| Family::of(**host) == family.family);
                set(&mut script, family, "hosts", "", &list(of_family));
            }
            script += "\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n";
            for (kind, family) in &self.tunnels {
                script += &format!("\t\t{}\n", drop_rule(*kind, *family));
            }
            script += "\t}\n";
        }
        if !self.masqueraded.is_empty() {
            for family in FAMILIES {
                for (name, pools) in [("pools", &self.pools), ("nat", &self.masqueraded)] {
                    let of_family = pools.iter().filter(|pool| Family::of(pool.ip()) == family.family);
                    set(&mut script, family, name, " flags interval; auto-merge;", &list(of_family));
                }
            }
            script +=
                "\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n";
            for Names { ip, digit, .. } in FAMILIES {
                script +=
                    &format!("\t\t{ip} saddr @nat{digit} {ip} daddr != @pools{digit} counter masquerade\n");
            }
            script += "\t}\n";
        }
        script += "}\n";
        script
    }
}

/// How nft names what belongs to a family.
#[derive(Clone, Copy)]
struct Names {
    family: Family,
    ip: &'static str,
    digit: char,
    kind: &'static str,
}

const FAMILIES: [Names; 2] = [
    Names { family: Family::V4, ip: "ip", digit: '4', kind: "ipv4_addr" },
    Names { family: Family::V6, ip: "ip6", digit: '6', kind: "ipv6_addr" },
];

fn list<T: std::fmt::Display>(elements: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for element in elements {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{element}");
    }
    text
}

fn set(script: &mut String, family: Names, name: &str, flags: &str, elements: &str) {
    let Names { digit, kind, .. } = family;
    let elements = if elements.is_empty() { String::new() } else { format!(" elements = {{ {elements} }}") };
    *script += &format!("\tset {name}{digit} {{ type {kind};{flags}{elements} }}\n");
}

/// Drops what comes from elsewhere, before it is unwrapped. Of VXLAN only our network is meant: its
/// identifier is behind the headers of UDP (64 bits) and of VXLAN (flags, 32 bits).
fn drop_rule(kind: Kind, family: Family) -> String {
    let (ip, digit, next) = match family {
        Family::V4 => ("ip", '4', "ip protocol"),
        Family::V6 => ("ip6", '6', "ip6 nexthdr"),
    };
    let matched = match kind {
        // By number: the name is in a file of another package.
        Kind::Ipip => format!("{next} 4"),
        Kind::Vxlan { vni, port } => format!("udp dport {port} @th,96,24 {vni}"),
    };
    format!("{matched} {ip} saddr != @hosts{digit} counter drop")
}

/// Hosts that come and go.
pub(crate) fn difference(added: &BTreeSet<IpAddr>, removed: &BTreeSet<IpAddr>) -> String {
    let mut script = String::new();
    for (verb, hosts) in [("add", added), ("delete", removed)] {
        for Names { family, digit, .. } in FAMILIES {
            let elements = list(hosts.iter().filter(|host| Family::of(**host) == family));
            if !elements.is_empty() {
                script += &format!("{verb} element inet {TABLE} hosts{digit} {{ {elements} }}\n");
            }
        }
    }
    script
}

/// No table, whether there is one or not.
pub(crate) fn removal() -> String {
    format!("add table inet {TABLE}\ndelete table inet {TABLE}\n")
}
