//! Capabilities to octets.

use super::{
    Capability, FORWARDING, GracefulRestart, MAX_VALUE, NOTIFICATION, OrfFamily, RESTART_TIME, RESTARTED,
    STALE_TIME,
};
use crate::Family;

impl Capability {
    /// Appends code, length and value. A value over 255 octets, which the length octet can't count, is not written at
    /// all.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        self.write_value(&mut value);
        if let Ok(len) = u8::try_from(value.len()) {
            out.extend_from_slice(&[self.code(), len]);
            out.extend_from_slice(&value);
        }
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        match self {
            Capability::RouteRefresh
            | Capability::ExtendedMessage
            | Capability::EnhancedRouteRefresh
            | Capability::RouteRefreshCisco => (),
            Capability::Multiprotocol(family) => write_wide_family(*family, out),
            Capability::OutboundRouteFilter(entries) | Capability::OutboundRouteFilterCisco(entries) => {
                entries.iter().for_each(|entry| write_orf(entry, out));
            }
            Capability::ExtendedNextHop(entries) => {
                for entry in entries {
                    write_wide_family(entry.family, out);
                    out.extend_from_slice(&entry.next_hop_afi.to_be_bytes());
                }
            }
            Capability::MultipleLabels(entries) => {
                for entry in entries {
                    write_family(entry.family, out);
                    out.push(entry.count);
                }
            }
            Capability::Role(role) => out.push(role.code()),
            Capability::GracefulRestart(restart) => write_restart(restart, out),
            Capability::FourOctetAs(asn) => out.extend_from_slice(&asn.0.to_be_bytes()),
            Capability::AddPath(entries) => {
                for (family, mode) in entries {
                    write_family(*family, out);
                    out.push(mode.code());
                }
            }
            Capability::LongLivedGracefulRestart(entries) => {
                for entry in entries {
                    let [_, high, middle, low] = entry.stale_time.min(STALE_TIME).to_be_bytes();
                    write_family(entry.family, out);
                    out.extend_from_slice(&[forwarding(entry.forwarding), high, middle, low]);
                }
            }
            Capability::Fqdn { hostname, domain } => {
                write_text(hostname, out);
                write_text(domain, out);
            }
            Capability::SoftwareVersion(version) => write_text(version, out),
            Capability::Unknown { value, .. } => out.extend_from_slice(value),
        }
    }
}

fn write_restart(restart: &GracefulRestart, out: &mut Vec<u8>) {
    let flag = |set: bool, bit: u16| if set { bit } else { 0 };
    let time = restart.restart_time.min(RESTART_TIME);
    let head = flag(restart.restarted, RESTARTED) | flag(restart.notification, NOTIFICATION) | time;
    out.extend_from_slice(&head.to_be_bytes());
    for entry in &restart.families {
        write_family(entry.family, out);
        out.push(forwarding(entry.forwarding));
    }
}

/// A family with more types than its octet can count makes the value too long, so that it isn't written.
fn write_orf(entry: &OrfFamily, out: &mut Vec<u8>) {
    write_wide_family(entry.family, out);
    out.push(u8::try_from(entry.types.len()).unwrap_or(u8::MAX));
    for (orf_type, mode) in &entry.types {
        out.extend_from_slice(&[*orf_type, mode.code()]);
    }
}

fn forwarding(set: bool) -> u8 {
    if set { FORWARDING } else { 0 }
}

fn write_family(family: Family, out: &mut Vec<u8>) {
    out.extend_from_slice(&family.afi.to_be_bytes());
    out.push(family.safi);
}

/// With the reserved octet before the SAFI.
fn write_wide_family(family: Family, out: &mut Vec<u8>) {
    out.extend_from_slice(&family.afi.to_be_bytes());
    out.extend_from_slice(&[0, family.safi]);
}

/// Appends a text behind its length; one that is too long makes the value too long, so that it isn't written.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes().get(..MAX_VALUE + 1).unwrap_or(text.as_bytes()));
}
