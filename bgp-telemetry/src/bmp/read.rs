//! The headers of messages, read: for collectors, and to see that what is written can be read.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bgp_core::{Asn, RouterId};

use super::{
    FLAG_IPV6, FLAG_OUT, FLAG_POST, FLAG_TWO_OCTET, HEADER_LEN, Kind, LOC_RIB_PEER, PeerHeader, VERSION, View,
};
use crate::octets::Reader;

/// The longest message that is read: a peer's header, addresses, two OPENs or an UPDATE of 65,535 octets.
const MAX_LEN: usize = 1 << 18;

/// Octets that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Another version than 3.
    Version(u8),
    /// No known type.
    Kind(u8),
    /// A length that no message has.
    Length(u32),
    /// A header of a peer that is cut off or of no known type.
    Peer,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Version(version) => write!(f, "version {version} instead of {VERSION}"),
            Malformed::Kind(kind) => write!(f, "a message of type {kind}"),
            Malformed::Length(len) => write!(f, "a message of {len} octets"),
            Malformed::Peer => f.write_str("a per-peer header that is cut off or of no known type"),
        }
    }
}

impl std::error::Error for Malformed {}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// Who it is about.
    pub peer: Option<PeerHeader>,
    /// What follows the headers.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message at the front of `input` and how many octets it has; `None` if it is not there as a whole.
    ///
    /// # Errors
    /// If what is there is no message.
    pub fn parse(input: &'a [u8]) -> Result<Option<(Message<'a>, usize)>, Malformed> {
        let mut header = Reader(input);
        match header.u8() {
            None => return Ok(None),
            Some(VERSION) => {}
            Some(other) => return Err(Malformed::Version(other)),
        }
        let (Some(length), Some(kind)) = (header.u32(), header.u8()) else { return Ok(None) };
        let kind = Kind::ALL.get(usize::from(kind)).copied().ok_or(Malformed::Kind(kind))?;
        let len = usize::try_from(length).ok().filter(|len| (HEADER_LEN..=MAX_LEN).contains(len));
        let len = len.ok_or(Malformed::Length(length))?;
        let Some(body) = input.get(HEADER_LEN..len) else { return Ok(None) };
        let mut body = Reader(body);
        let peer = if kind.is_of_peer() { Some(peer(&mut body).ok_or(Malformed::Peer)?) } else { None };
        Ok(Some((Message { kind, peer, body: body.0 }, len)))
    }
}

fn peer(octets: &mut Reader<'_>) -> Option<PeerHeader> {
    let (kind, flags) = (octets.u8()?, octets.u8()?);
    let _distinguisher = octets.u64()?;
    let wide: [u8; 16] = octets.array()?;
    let view = match (kind, flags & (FLAG_OUT | FLAG_POST)) {
        (LOC_RIB_PEER, _) => View::LocRib,
        (0..LOC_RIB_PEER, 0) => View::AdjRibInPre,
        (0..LOC_RIB_PEER, FLAG_POST) => View::AdjRibInPost,
        (0..LOC_RIB_PEER, _) => View::AdjRibOut,
        _ => return None,
    };
    let [.., a, b, c, d] = wide;
    let address =
        if flags & FLAG_IPV6 == 0 { IpAddr::from([a, b, c, d]) } else { Ipv6Addr::from(wide).into() };
    let (asn, router_id) = (Asn(octets.u32()?), RouterId(octets.u32()?));
    let (seconds, micros) = (octets.u32()?, octets.u32()?);
    let at = Duration::from_secs(seconds.into()) + Duration::from_micros(micros.into());
    let two_octet_as = kind != LOC_RIB_PEER && flags & FLAG_TWO_OCTET != 0;
    Some(PeerHeader { view, address, asn, router_id, two_octet_as, at })
}
