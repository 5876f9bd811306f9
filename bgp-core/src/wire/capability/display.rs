//! Capabilities for people.

use std::fmt;

use super::{Capability, GracefulRestart, OrfFamily, Role, SendReceive};
use crate::wire::hex::Hex;
use crate::wire::orf;

impl fmt::Display for SendReceive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendReceive::Receive => f.write_str("receive"),
            SendReceive::Send => f.write_str("send"),
            SendReceive::Both => f.write_str("both"),
            SendReceive::Other(code) => write!(f, "mode-{code}"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Provider => f.write_str("provider"),
            Role::RouteServer => f.write_str("route-server"),
            Role::RouteServerClient => f.write_str("route-server-client"),
            Role::Customer => f.write_str("customer"),
            Role::Peer => f.write_str("peer"),
            Role::Other(code) => write!(f, "{code}"),
        }
    }
}

/// The name, then the value. What a peer wrote is escaped.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name)?,
            None => write!(f, "capability-{}", self.code())?,
        }
        match self {
            Capability::RouteRefresh
            | Capability::ExtendedMessage
            | Capability::EnhancedRouteRefresh
            | Capability::RouteRefreshCisco => Ok(()),
            Capability::Multiprotocol(family) => write!(f, " {family}"),
            Capability::ExtendedNextHop(entries) => entries
                .iter()
                .try_for_each(|entry| write!(f, " {}/next-hop-afi{}", entry.family, entry.next_hop_afi)),
            Capability::OutboundRouteFilter(entries) | Capability::OutboundRouteFilterCisco(entries) => {
                entries.iter().try_for_each(|entry| write_orf_text(entry, f))
            }
            Capability::MultipleLabels(entries) => {
                entries.iter().try_for_each(|entry| write!(f, " {}/{}", entry.family, entry.count))
            }
            Capability::Role(role) => write!(f, " {role}"),
            Capability::GracefulRestart(restart) => write_restart_text(restart, f),
            Capability::FourOctetAs(asn) => write!(f, " {asn}"),
            Capability::AddPath(entries) => {
                entries.iter().try_for_each(|(family, mode)| write!(f, " {family}/{mode}"))
            }
            Capability::LongLivedGracefulRestart(entries) => entries.iter().try_for_each(|e| {
                write!(f, " {}/{}s{}", e.family, e.stale_time, forwarding_text(e.forwarding))
            }),
            Capability::Fqdn { hostname, domain } if domain.is_empty() => {
                write!(f, " {}", hostname.escape_debug())
            }
            Capability::Fqdn { hostname, domain } => {
                write!(f, " {}.{}", hostname.escape_debug(), domain.escape_debug())
            }
            Capability::SoftwareVersion(version) => write!(f, " \"{}\"", version.escape_debug()),
            Capability::Unknown { value, .. } if value.is_empty() => Ok(()),
            Capability::Unknown { value, .. } => write!(f, " 0x{}", Hex(value)),
        }
    }
}

fn forwarding_text(forwarding: bool) -> &'static str {
    if forwarding { "/forwarding" } else { "" }
}

fn write_restart_text(restart: &GracefulRestart, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, " {}s", restart.restart_time)?;
    f.write_str(if restart.restarted { " restarted" } else { "" })?;
    f.write_str(if restart.notification { " notification" } else { "" })?;
    restart.families.iter().try_for_each(|e| write!(f, " {}{}", e.family, forwarding_text(e.forwarding)))
}

fn write_orf_text(entry: &OrfFamily, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, " {}", entry.family)?;
    entry.types.iter().try_for_each(|(code, mode)| write!(f, "/{}:{mode}", orf::TypeName(*code)))
}
