//! What a capture holds, the same for every form of file.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_core::wire::header::MAX_EXTENDED_LEN;
use bgp_core::wire::{AttributeBlock, MessageType, PathAttribute, code};
use bgp_core::{Asn, Family, PathId, RouterId};

use crate::octets::Octets;

/// One thing that a capture holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which record of the file it comes from, counted from 1: the MRT record, the packet that completed the message,
    /// the message itself in plain octets. Several may come from one.
    pub number: u64,
    /// Where it begins, in octets from the start of the input, unzipped: the message itself, or for a pcap the packet
    /// that completed it.
    pub offset: u64,
    /// When it was recorded, since 1970; for an entry of a table, since when the route is there.
    pub time: Option<Duration>,
    /// Who sent it.
    pub from: Endpoint,
    /// Who received it.
    pub to: Endpoint,
    /// What it is.
    pub content: Content,
}

/// One end of a session, as far as the capture names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: Option<IpAddr>,
    /// The TCP port.
    pub port: Option<u16>,
    /// The AS number.
    pub asn: Option<Asn>,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { address: Some(address.ip()), port: Some(address.port()), asn: None }
    }
}

/// `10.0.0.1`, `10.0.0.1:179` or `[fd00::1]:179`; nothing if there is no address.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (Some(address), Some(port)) => SocketAddr::new(address, port).fmt(f),
            (Some(address), None) => address.fmt(f),
            (None, _) => Ok(()),
        }
    }
}

/// What the capture itself tells of the session, for whoever decodes the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Whether AS numbers have four octets (RFC 6396 sections 4.4.2 and 4.4.3).
    pub four_octet_as: Option<bool>,
    /// Whether destinations have path identifiers (RFC 8050 section 3).
    pub add_path: Option<bool>,
}

/// What a [`Record`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A message: from a stream always a whole one, from MRT what the record holds.
    Message {
        /// Header and body.
        octets: Vec<u8>,
        /// What the capture tells of the session.
        hints: Hints,
    },
    /// Octets of a stream that are no message: missing from the capture, skipped up to the next marker, or cut off at
    /// the end.
    Lost {
        /// How many.
        octets: u64,
        /// The first of them that were there, at most a header's 19.
        head: Vec<u8>,
    },
    /// The session changed its state (RFC 6396 section 4.4.1): 1 Idle, 2 Connect, 3 Active, 4 OpenSent, 5 OpenConfirm,
    /// 6 Established.
    StateChange {
        /// The state before.
        old: u16,
        /// The state after.
        new: u16,
    },
    /// The peers of a table that follows (RFC 6396 section 4.3.1).
    PeerIndex(PeerIndex),
    /// A route in a table (RFC 6396 section 4.3.2).
    RibEntry(RibEntry),
    /// An MRT record of a type that is not read.
    Other {
        /// Its type.
        kind: u16,
        /// Its subtype.
        subtype: u16,
    },
}

/// The peers of a table (RFC 6396 section 4.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIndex {
    /// The collector's BGP Identifier.
    pub collector: RouterId,
    /// The view's name, often empty; whatever is not UTF-8 replaced.
    pub view: String,
    /// The peers; entries of the table name them by their place.
    pub peers: Vec<IndexedPeer>,
}

/// A peer in a [`PeerIndex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedPeer {
    /// Its BGP Identifier.
    pub router_id: RouterId,
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub asn: Asn,
}

impl From<IndexedPeer> for Endpoint {
    fn from(peer: IndexedPeer) -> Endpoint {
        Endpoint { address: Some(peer.address), port: None, asn: Some(peer.asn) }
    }
}

/// A route of one peer in a table (RFC 6396 section 4.3.4). Its AS numbers have four octets whatever the session had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RibEntry {
    /// The record's sequence number.
    pub sequence: u32,
    /// The destination's family.
    pub family: Family,
    /// The path identifier, in tables of RFC 8050.
    pub path_id: Option<PathId>,
    /// The destination as on the wire, without a path identifier.
    pub nlri: Vec<u8>,
    /// The path attributes as recorded; an MP_REACH_NLRI among them holds the next hop only.
    pub attributes: Vec<u8>,
}

impl RibEntry {
    /// The UPDATE that announces this route; `None` if it were longer than a message can be.
    ///
    /// MP_REACH_NLRI gets back what the table leaves out; one that was recorded whole, as some programs do, stays. A
    /// family other than IPv4 unicast without it gets one without a next hop, so that a decoder tells what is wrong.
    #[must_use]
    pub fn to_update(&self) -> Option<Vec<u8>> {
        let id = self.path_id.map(|PathId(id)| id.to_be_bytes());
        let nlri: Vec<u8> = id.into_iter().flatten().chain(self.nlri.iter().copied()).collect();
        let (attributes, in_attributes) = self.with_whole_mp_reach(&nlri);
        let announced = if in_attributes { &[][..] } else { &nlri };
        let len = 19 + 4 + attributes.len() + announced.len();
        let attributes_len = u16::try_from(attributes.len()).ok().filter(|_| len <= MAX_EXTENDED_LEN)?;
        let mut out = Vec::with_capacity(len);
        bgp_core::wire::header::write_message(&mut out, MessageType::Update, |out| {
            out.extend([0, 0]);
            out.extend(attributes_len.to_be_bytes());
            out.extend(attributes);
            out.extend_from_slice(announced);
        });
        Some(out)
    }

    /// The attributes as in an UPDATE, and whether the destination is among them.
    fn with_whole_mp_reach(&self, nlri: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(self.attributes.len() + nlri.len() + 8);
        let (mut read, mut found) = (0, false);
        for (_, attribute) in AttributeBlock::new(&self.attributes).iter() {
            read += attribute.whole.len();
            match next_hop(attribute.value).filter(|_| attribute.code == code::MP_REACH_NLRI) {
                Some(next_hop) => self.push_mp_reach(&mut out, next_hop, nlri),
                None => out.extend_from_slice(attribute.whole),
            }
            found |= attribute.code == code::MP_REACH_NLRI;
        }
        out.extend_from_slice(self.attributes.get(read..).unwrap_or_default());
        if !found && self.family != Family::IPV4_UNICAST {
            self.push_mp_reach(&mut out, &[], nlri);
            found = true;
        }
        (out, found)
    }

    fn push_mp_reach(&self, out: &mut Vec<u8>, next_hop: &[u8], nlri: &[u8]) {
        let (family, next_hop, nlri) = (self.family, next_hop.to_vec(), nlri.to_vec());
        PathAttribute::MpReach { family, next_hop, nlri }.encode(out);
    }
}

/// The next hop in an MP_REACH_NLRI that holds nothing else.
fn next_hop(value: &[u8]) -> Option<&[u8]> {
    let mut octets = Octets(value);
    let len = octets.u8()?;
    let next_hop = octets.take(len.into())?;
    octets.0.is_empty().then_some(next_hop)
}
