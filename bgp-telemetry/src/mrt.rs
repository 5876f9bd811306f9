//! MRT records (RFC 6396, RFC 8050): a session's messages and states, and whole tables.
//!
//! ```text
//!  octet  0          4      6         8        12
//!         │ seconds  │ type │ subtype │ length │ body …
//! ```
//! Messages and states are of type BGP4MP_ET, whose body begins with microseconds.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::{code, flag};
use bgp_core::{Asn, Family, PathId, Prefix, RouterId};

use crate::octets::{address, counted, set_u32, u16, u32};
use crate::update::{raw, with_next_hop};

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP_ET: u16 = 17;

/// Both ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The peer's AS.
    pub peer_as: Asn,
    /// Our AS.
    pub local_as: Asn,
    /// The peer's address.
    pub peer: IpAddr,
    /// Our address; of the other version of IP, or not known, it is told as zeros.
    pub local: Option<IpAddr>,
}

impl Ends {
    fn write(&self, out: &mut Vec<u8>) {
        const INTERFACE: u16 = 0;
        u32(out, self.peer_as.0);
        u32(out, self.local_as.0);
        u16(out, INTERFACE);
        u16(out, if self.peer.is_ipv4() { Family::IPV4_UNICAST.afi } else { Family::IPV6_UNICAST.afi });
        address(out, self.peer);
        let zeros = if self.peer.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0u8; 16]) };
        address(out, self.local.filter(|local| local.is_ipv4() == self.peer.is_ipv4()).unwrap_or(zeros));
    }
}

/// How the octets of a message are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// AS numbers have four octets.
    pub four_octet_as: bool,
    /// Destinations have path identifiers.
    pub add_path: bool,
}

fn record(out: &mut Vec<u8>, at: Duration, kind: u16, subtype: u16, body: impl FnOnce(&mut Vec<u8>)) {
    u32(out, u32::try_from(at.as_secs()).unwrap_or(u32::MAX));
    u16(out, kind);
    u16(out, subtype);
    let start = out.len();
    u32(out, 0);
    body(out);
    let len = out.len() - start - 4;
    set_u32(out, start, len);
}

/// Appends a message of the peer (RFC 6396 section 4.4.3, RFC 8050 section 3): header and body. The two AS numbers of
/// the record have four octets only where those of the message have: so the subtype demands it.
pub fn message(out: &mut Vec<u8>, at: Duration, ends: &Ends, form: Form, octets: &[&[u8]]) {
    let subtype = match (form.four_octet_as, form.add_path) {
        (false, false) => 1,
        (true, false) => 4,
        (false, true) => 8,
        (true, true) => 9,
    };
    record(out, at, BGP4MP_ET, subtype, |out| {
        u32(out, at.subsec_micros());
        if form.four_octet_as {
            ends.write(out);
        } else {
            let mut wide = Vec::new();
            ends.write(&mut wide);
            u16(out, ends.peer_as.to_two_octets());
            u16(out, ends.local_as.to_two_octets());
            out.extend_from_slice(wide.get(8..).unwrap_or_default());
        }
        octets.iter().for_each(|part| out.extend_from_slice(part));
    });
}

/// Appends a change of state (RFC 6396 section 4.4.4); states are numbered from 1, Idle, to 6, Established.
pub fn state_change(out: &mut Vec<u8>, at: Duration, ends: &Ends, from: u16, to: u16) {
    const STATE_CHANGE_AS4: u16 = 5;
    record(out, at, BGP4MP_ET, STATE_CHANGE_AS4, |out| {
        u32(out, at.subsec_micros());
        ends.write(out);
        u16(out, from);
        u16(out, to);
    });
}

/// A peer that routes of a table came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePeer {
    /// Its BGP Identifier.
    pub router_id: RouterId,
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: Asn,
}

/// Appends the peers that the routes of the table behind it name by their place, 65,535 at most (RFC 6396 section
/// 4.3.1).
pub fn peer_index(out: &mut Vec<u8>, at: Duration, collector: RouterId, view: &str, peers: &[TablePeer]) {
    const PEER_INDEX_TABLE: u16 = 1;
    const IPV6: u8 = 1;
    const FOUR_OCTET_AS: u8 = 2;
    record(out, at, TABLE_DUMP_V2, PEER_INDEX_TABLE, |out| {
        u32(out, collector.0);
        counted(out, |out| out.extend_from_slice(view.as_bytes()));
        let count = u16::try_from(peers.len()).unwrap_or(u16::MAX);
        u16(out, count);
        for peer in peers.iter().take(usize::from(count)) {
            out.push(FOUR_OCTET_AS | if peer.address.is_ipv6() { IPV6 } else { 0 });
            u32(out, peer.router_id.0);
            address(out, peer.address);
            u32(out, peer.asn.0);
        }
    });
}

/// One path to a destination of a table.
#[derive(Clone, Copy, Debug)]
pub struct TablePath<'a> {
    /// The place of its peer in the index.
    pub peer: u16,
    /// When it came, since 1970.
    pub received: Duration,
    /// Its attributes in canonical form.
    pub block: &'a [u8],
    /// Its next hop.
    pub next_hop: IpAddr,
    /// The identifier that it came with.
    pub path_id: PathId,
}

/// Appends a destination with the paths to it, those without path identifier and those with one apart (RFC 6396 section
/// 4.3.2, RFC 8050 section 4). `number` counts the records and grows by each.
pub fn table_entry(
    out: &mut Vec<u8>,
    at: Duration,
    number: &mut u32,
    prefix: Prefix,
    paths: &[TablePath<'_>],
) {
    for add_path in [false, true] {
        let of_kind: Vec<_> = paths.iter().filter(|path| (path.path_id != PathId(0)) == add_path).collect();
        if of_kind.is_empty() {
            continue;
        }
        let subtype = match (prefix, add_path) {
            (Prefix::V4(_), false) => 2,
            (Prefix::V6(_), false) => 4,
            (Prefix::V4(_), true) => 8,
            (Prefix::V6(_), true) => 10,
        };
        record(out, at, TABLE_DUMP_V2, subtype, |out| {
            u32(out, *number);
            match prefix {
                Prefix::V4(prefix) => bgp_core::wire::encode_nlri::<bgp_core::V4>(out, None, &prefix),
                Prefix::V6(prefix) => bgp_core::wire::encode_nlri::<bgp_core::V6>(out, None, &prefix),
            }
            u16(out, u16::try_from(of_kind.len()).unwrap_or(u16::MAX));
            for path in of_kind {
                u16(out, path.peer);
                u32(out, u32::try_from(path.received.as_secs()).unwrap_or(u32::MAX));
                if add_path {
                    u32(out, path.path_id.0);
                }
                counted(out, |out| attributes(out, path));
            }
        });
        *number = number.wrapping_add(1);
    }
}

/// An IPv6 next hop stands alone in MP_REACH_NLRI (RFC 6396 section 4.3.4).
fn attributes(out: &mut Vec<u8>, path: &TablePath<'_>) {
    with_next_hop(out, path.block, Some(path.next_hop));
    if path.next_hop.is_ipv6() {
        let mut value = vec![16];
        address(&mut value, path.next_hop);
        raw(out, flag::OPTIONAL, code::MP_REACH_NLRI, &value);
    }
}

#[cfg(test)]
mod tests {
    use bgp_capture::{Content, Format, Input, Record};

    use super::*;

    const AT: Duration = Duration::new(1_700_000_000, 250_000_000);

    fn ends(four: bool) -> Ends {
        let (peer, local) = if four { ("192.0.2.1", "192.0.2.2") } else { ("2001:db8::1", "2001:db8::2") };
        Ends {
            peer_as: Asn(4_200_000_000),
            local_as: Asn(64512),
            peer: peer.parse().unwrap(),
            local: local.parse().ok(),
        }
    }

    fn read(octets: &[u8]) -> Vec<Record> {
        let input = Input::new(octets).unwrap();
        assert_eq!(input.detect(), Format::Mrt);
        input.records(Format::Mrt, 179).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_message_reads_back_with_its_form_and_ends() {
        let mut keepalive = Vec::new();
        bgp_core::wire::header::write_keepalive(&mut keepalive);
        for four_octet_as in [false, true] {
            for add_path in [false, true] {
                for four in [true, false] {
                    let (mut out, form) = (Vec::new(), Form { four_octet_as, add_path });
                    let (header, body) = keepalive.split_at(7);
                    message(&mut out, AT, &ends(four), form, &[header, body]);
                    let [record] = &read(&out)[..] else { panic!("one record") };
                    assert_eq!(record.time, Some(AT));
                    assert_eq!(record.from.address, Some(ends(four).peer));
                    let asn = if four_octet_as { Asn(4_200_000_000) } else { Asn::TRANS };
                    assert_eq!(record.from.asn, Some(asn));
                    let Content::Message { octets, hints } = &record.content else { panic!("a message") };
                    assert_eq!((octets, hints.add_path), (&keepalive, Some(add_path)));
                }
            }
        }
    }

    #[test]
    fn a_change_of_state_reads_back() {
        let mut out = Vec::new();
        state_change(&mut out, AT, &Ends { local: None, ..ends(true) }, 5, 6);
        let records = read(&out);
        assert!(matches!(records[0].content, Content::StateChange { old: 5, new: 6 }), "{records:?}");
        assert_eq!(records[0].to.address, Some([0, 0, 0, 0].into()));
    }

    #[test]
    fn a_table_reads_back_with_its_peers_and_next_hops() {
        let peers = ["192.0.2.1", "2001:db8::1"].map(|address| TablePeer {
            router_id: RouterId(3),
            address: address.parse().unwrap(),
            asn: Asn(4_200_000_000),
        });
        let block = [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 9, 9, 9, 9, 0x40, 5, 4, 0, 0, 0, 100];
        let path = |peer: u16, path_id, next_hop: &str| TablePath {
            peer,
            received: AT,
            block: &block,
            next_hop: next_hop.parse().unwrap(),
            path_id: PathId(path_id),
        };
        let (mut out, mut number) = (Vec::new(), 0);
        peer_index(&mut out, AT, RouterId(1), "main", &peers);
        let v4 = [path(0, 0, "192.0.2.9"), path(1, 7, "192.0.2.9"), path(1, 8, "2001:db8::9")];
        table_entry(&mut out, AT, &mut number, "10.0.0.0/9".parse().unwrap(), &v4);
        let v6 = [path(1, 0, "2001:db8::9")];
        table_entry(&mut out, AT, &mut number, "2001:db8::/32".parse().unwrap(), &v6);
        assert_eq!(number, 3);
        let entries: Vec<_> = read(&out)
            .into_iter()
            .filter_map(|record| match record.content {
                Content::RibEntry(entry) => Some((record.from.address.unwrap(), entry)),
                _ => None,
            })
            .collect();
        let told: Vec<_> =
            entries.iter().map(|(from, e)| (*from, e.sequence, e.path_id, e.nlri.len())).collect();
        let [a, b] = peers.map(|peer| peer.address);
        let id = |id| Some(PathId(id));
        assert_eq!(told, [(a, 0, None, 3), (b, 1, id(7), 3), (b, 1, id(8), 3), (b, 2, None, 5)]);
        let v4 = [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 192, 0, 2, 9, 0x40, 5, 4, 0, 0, 0, 100];
        assert_eq!(entries[0].1.attributes, v4);
        let [before @ .., _] = &entries[3].1.attributes[..] else { panic!("attributes") };
        assert_eq!(before[..14], [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100]);
        assert_eq!(before[14..18], [0x80, 14, 17, 16]);
    }
}
