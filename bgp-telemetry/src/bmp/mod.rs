//! The BGP Monitoring Protocol (RFC 7854), with Adj-RIB-Out (RFC 8671) and Loc-RIB (RFC 9069).
//!
//! ```text
//!  octet  0        1                 5      6                    48
//!         │ 3      │ length          │ type │ per-peer header    │ what the type says …
//!         │ version│ of all, 4 octets│      │ 42 octets, if any  │
//!
//!  per-peer: type, flags, distinguisher (8), address (16), AS (4), BGP Identifier (4), seconds (4), microseconds (4)
//! ```
//!
//! A session to a collector: [`initiation`], then for every peer [`peer_up`] before anything else of it, any number of
//! [`route_monitoring`] and [`statistics`], [`peer_down`] at last; [`termination`] before the connection is closed.

mod read;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_core::{Asn, Family, RouterId};

use crate::octets::{address, counted, set_u32, u16, u32, u64};

pub use read::{Malformed, Message};

/// The version of the protocol.
pub const VERSION: u8 = 3;

/// Octets of the header that every message begins with.
pub const HEADER_LEN: usize = 6;

/// Octets of the header of messages about a peer.
pub const PEER_HEADER_LEN: usize = 42;

/// What a message is (RFC 7854 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Routes.
    RouteMonitoring = 0,
    /// Counts.
    Statistics = 1,
    /// A session has ended.
    PeerDown = 2,
    /// A session is up.
    PeerUp = 3,
    /// Who speaks.
    Initiation = 4,
    /// Why nothing more comes.
    Termination = 5,
    /// Messages as they came.
    RouteMirroring = 6,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Kind; 7] = [
        Kind::RouteMonitoring,
        Kind::Statistics,
        Kind::PeerDown,
        Kind::PeerUp,
        Kind::Initiation,
        Kind::Termination,
        Kind::RouteMirroring,
    ];

    /// Whether a per-peer header follows.
    #[must_use]
    pub fn is_of_peer(self) -> bool {
        !matches!(self, Kind::Initiation | Kind::Termination)
    }
}

/// Which routes a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Those of a peer as they came.
    AdjRibInPre,
    /// Those of a peer that import took, as it changed them.
    AdjRibInPost,
    /// Those that a peer is sent, as it is sent them (RFC 8671).
    AdjRibOut,
    /// Those that were chosen (RFC 9069).
    LocRib,
}

const LOC_RIB_PEER: u8 = 3;
const FLAG_IPV6: u8 = 0x80;
const FLAG_POST: u8 = 0x40;
const FLAG_TWO_OCTET: u8 = 0x20;
const FLAG_OUT: u8 = 0x10;

/// Who a message is about, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerHeader {
    /// Which routes.
    pub view: View,
    /// The peer's address; not told with [`View::LocRib`].
    pub address: IpAddr,
    /// The peer's AS; with [`View::LocRib`] our own.
    pub asn: Asn,
    /// The peer's BGP Identifier; with [`View::LocRib`] our own.
    pub router_id: RouterId,
    /// AS numbers in the UPDATEs that follow have two octets. Never with [`View::LocRib`].
    pub two_octet_as: bool,
    /// When, since 1970.
    pub at: Duration,
}

impl PeerHeader {
    fn write(&self, out: &mut Vec<u8>) {
        let loc_rib = self.view == View::LocRib;
        let view = match self.view {
            View::AdjRibInPre | View::LocRib => 0,
            View::AdjRibInPost => FLAG_POST,
            View::AdjRibOut => FLAG_OUT | FLAG_POST,
        };
        let version = if self.address.is_ipv6() && !loc_rib { FLAG_IPV6 } else { 0 };
        let width = if self.two_octet_as && !loc_rib { FLAG_TWO_OCTET } else { 0 };
        out.extend_from_slice(&[if loc_rib { LOC_RIB_PEER } else { 0 }, view | version | width]);
        u64(out, 0);
        wide_address(out, if loc_rib { Ipv4Addr::UNSPECIFIED.into() } else { self.address });
        u32(out, self.asn.0);
        u32(out, self.router_id.0);
        u32(out, u32::try_from(self.at.as_secs()).unwrap_or(u32::MAX));
        u32(out, self.at.subsec_micros());
    }
}

/// An IPv4 address stands in the last four of sixteen octets.
fn wide_address(out: &mut Vec<u8>, of: IpAddr) {
    if of.is_ipv4() {
        out.extend_from_slice(&[0; 12]);
    }
    address(out, of);
}

fn message(out: &mut Vec<u8>, kind: Kind, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[VERSION, 0, 0, 0, 0, kind as u8]);
    body(out);
    let len = out.len() - start;
    set_u32(out, start + 1, len);
}

fn text(out: &mut Vec<u8>, kind: u16, text: &str) {
    u16(out, kind);
    counted(out, |out| out.extend_from_slice(text.as_bytes()));
}

const INFO_DESCRIPTION: u16 = 1;
const INFO_NAME: u16 = 2;
const INFO_TABLE: u16 = 3;

/// Appends who speaks (RFC 7854 section 4.3).
pub fn initiation(out: &mut Vec<u8>, name: &str, description: &str) {
    message(out, Kind::Initiation, |out| {
        text(out, INFO_NAME, name);
        text(out, INFO_DESCRIPTION, description);
    });
}

/// Why a connection to a collector is closed (RFC 7854 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Ending {
    /// The operator wanted it.
    Administrative = 0,
    /// Nothing in particular.
    Unspecified = 1,
    /// The collector does not take as much as there is.
    OutOfResources = 2,
}

/// Appends why nothing more comes.
pub fn termination(out: &mut Vec<u8>, why: Ending, sentence: &str) {
    const STRING: u16 = 0;
    const REASON: u16 = 1;
    message(out, Kind::Termination, |out| {
        text(out, STRING, sentence);
        u16(out, REASON);
        counted(out, |out| u16(out, why as u16));
    });
}

/// What is told of a session that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Up<'a> {
    /// Our address on the session.
    pub local: IpAddr,
    /// Our port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// Our OPEN, with its header.
    pub sent_open: &'a [u8],
    /// The peer's OPEN, with its header.
    pub received_open: &'a [u8],
    /// The name of the table, which goes with [`View::LocRib`] (RFC 9069 section 4.4).
    pub table: Option<&'a str>,
}

/// Appends that a session is up (RFC 7854 section 4.10).
pub fn peer_up(out: &mut Vec<u8>, peer: &PeerHeader, up: &Up<'_>) {
    message(out, Kind::PeerUp, |out| {
        peer.write(out);
        wide_address(out, up.local);
        u16(out, up.local_port);
        u16(out, up.remote_port);
        out.extend_from_slice(up.sent_open);
        out.extend_from_slice(up.received_open);
        up.table.iter().for_each(|table| text(out, INFO_TABLE, table));
    });
}

/// Why a session has ended (RFC 7854 section 4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// We ended it with this NOTIFICATION, header included.
    Sent(Vec<u8>),
    /// We ended it without one: the event of RFC 4271 section 8.1 by its number, 0 if none fits.
    Local(u16),
    /// The peer ended it with this NOTIFICATION, header included.
    Received(Vec<u8>),
    /// The connection was lost.
    Lost,
    /// The peer was taken out of the configuration.
    Deconfigured,
    /// The table is watched no more (RFC 9069 section 5.3).
    Table(String),
}

/// Appends that a session has ended.
pub fn peer_down(out: &mut Vec<u8>, peer: &PeerHeader, why: &Down) {
    message(out, Kind::PeerDown, |out| {
        peer.write(out);
        match why {
            Down::Sent(notification) => {
                out.push(1);
                out.extend_from_slice(notification);
            }
            Down::Local(event) => {
                out.push(2);
                u16(out, *event);
            }
            Down::Received(notification) => {
                out.push(3);
                out.extend_from_slice(notification);
            }
            Down::Lost => out.push(4),
            Down::Deconfigured => out.push(5),
            Down::Table(table) => {
                out.push(6);
                text(out, INFO_TABLE, table);
            }
        }
    });
}

/// Appends a message for each of the whole BGP messages in `updates` that is an UPDATE (RFC 7854 section 4.6).
pub fn route_monitoring(out: &mut Vec<u8>, peer: &PeerHeader, updates: &[u8]) {
    const UPDATE: u8 = 2;
    let mut rest = updates;
    while let Some([high, low, kind]) = rest.get(16..19).and_then(|header| header.first_chunk::<3>()) {
        let len = usize::from(u16::from_be_bytes([*high, *low])).max(bgp_core::wire::header::HEADER_LEN);
        let Some((update, after)) = rest.split_at_checked(len) else { return };
        if *kind == UPDATE {
            message(out, Kind::RouteMonitoring, |out| {
                peer.write(out);
                out.extend_from_slice(update);
            });
        }
        rest = after;
    }
}

/// A count (RFC 7854 section 4.8, RFC 8671 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stat {
    /// Routes that import has refused by policy.
    RejectedByPolicy(u32),
    /// Routes refused for a loop in CLUSTER_LIST.
    ClusterLoops(u32),
    /// Routes refused for a loop in AS_PATH.
    AsPathLoops(u32),
    /// Routes refused since we are their ORIGINATOR_ID.
    OriginatorLoops(u32),
    /// Routes in Adj-RIB-In.
    AdjRibIn(u64),
    /// Routes in Loc-RIB.
    LocRib(u64),
    /// Routes of a family in Adj-RIB-In.
    AdjRibInOf(Family, u64),
    /// Routes of a family in Loc-RIB.
    LocRibOf(Family, u64),
    /// UPDATEs whose routes were treated as withdrawn (RFC 7606).
    TreatedAsWithdraw(u32),
    /// Routes in Adj-RIB-Out behind the export policy.
    AdjRibOut(u64),
    /// Routes of a family in Adj-RIB-Out behind the export policy.
    AdjRibOutOf(Family, u64),
}

impl Stat {
    fn write(self, out: &mut Vec<u8>) {
        let mut tlv = |kind: u16, write: &dyn Fn(&mut Vec<u8>)| {
            u16(out, kind);
            counted(out, write);
        };
        let family = |family: Family, count: u64| {
            move |out: &mut Vec<u8>| {
                u16(out, family.afi);
                out.push(family.safi);
                u64(out, count);
            }
        };
        match self {
            Stat::RejectedByPolicy(count) => tlv(0, &|out| u32(out, count)),
            Stat::ClusterLoops(count) => tlv(3, &|out| u32(out, count)),
            Stat::AsPathLoops(count) => tlv(4, &|out| u32(out, count)),
            Stat::OriginatorLoops(count) => tlv(5, &|out| u32(out, count)),
            Stat::AdjRibIn(count) => tlv(7, &|out| u64(out, count)),
            Stat::LocRib(count) => tlv(8, &|out| u64(out, count)),
            Stat::AdjRibInOf(of, count) => tlv(9, &family(of, count)),
            Stat::LocRibOf(of, count) => tlv(10, &family(of, count)),
            Stat::TreatedAsWithdraw(count) => tlv(11, &|out| u32(out, count)),
            Stat::AdjRibOut(count) => tlv(15, &|out| u64(out, count)),
            Stat::AdjRibOutOf(of, count) => tlv(17, &family(of, count)),
        }
    }
}

/// Appends counts.
pub fn statistics(out: &mut Vec<u8>, peer: &PeerHeader, stats: &[Stat]) {
    message(out, Kind::Statistics, |out| {
        peer.write(out);
        u32(out, u32::try_from(stats.len()).unwrap_or(u32::MAX));
        stats.iter().for_each(|stat| stat.write(out));
    });
}
