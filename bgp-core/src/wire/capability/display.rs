//! Capabilities for people.

use std::fmt;

use super::{AddPathMode, Capability, GracefulRestart};

impl fmt::Display for AddPathMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddPathMode::Receive => "receive",
            AddPathMode::Send => "send",
            AddPathMode::Both => "both",
        })
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
            Capability::RouteRefresh | Capability::ExtendedMessage | Capability::EnhancedRouteRefresh => {
                Ok(())
            }
            Capability::Multiprotocol(family) => write!(f, " {family}"),
            Capability::ExtendedNextHop(entries) => entries
                .iter()
                .try_for_each(|entry| write!(f, " {}/next-hop-afi{}", entry.family, entry.next_hop_afi)),
            Capability::Role(role) => {
                match ["provider", "route-server", "route-server-client", "customer", "peer"]
                    .get(usize::from(*role))
                {
                    Some(name) => write!(f, " {name}"),
                    None => write!(f, " {role}"),
                }
            }
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
            Capability::Unknown { value, .. } => {
                f.write_str(" 0x")?;
                value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
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
