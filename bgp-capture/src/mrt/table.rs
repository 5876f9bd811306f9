//! TABLE_DUMP_V2: a whole table (RFC 6396 section 4.3, RFC 8050 section 4).

use std::time::Duration;

use bgp_core::{Asn, Family, PathId, RouterId};

use super::{AFI_IPV4, AFI_IPV6, Parsed, TABLE_DUMP_V2, address};
use crate::ErrorKind;
use crate::octets::Octets;
use crate::record::{Content, Endpoint, IndexedPeer, PeerIndex, RibEntry};

const PEER_INDEX_TABLE: u16 = 1;
const RIB_GENERIC: u16 = 6;
const RIB_GENERIC_ADDPATH: u16 = 12;

/// The family in the subtype, and whether entries have path identifiers.
fn family(subtype: u16) -> Option<(Family, bool)> {
    let (afi, safi, add_path) = match subtype {
        2 => (1, 1, false),
        3 => (1, 2, false),
        4 => (2, 1, false),
        5 => (2, 2, false),
        8 => (1, 1, true),
        9 => (1, 2, true),
        10 => (2, 1, true),
        11 => (2, 2, true),
        _ => return None,
    };
    Some((Family { afi, safi }, add_path))
}

/// Reads a record's body. A peer index is kept in `index` for the routes that follow.
pub(super) fn parse(
    subtype: u16,
    time: Duration,
    body: &[u8],
    index: &mut PeerIndex,
) -> Result<Vec<Parsed>, ErrorKind> {
    let octets = Octets(body);
    if subtype == PEER_INDEX_TABLE {
        *index = peer_index(octets).ok_or(ErrorKind::Malformed("PEER_INDEX_TABLE"))?;
        let (from, to) = (Endpoint::default(), Endpoint::default());
        return Ok(vec![Parsed { time, from, to, content: Content::PeerIndex(index.clone()), at: 0 }]);
    }
    let route = match (subtype, family(subtype)) {
        (_, Some((family, add_path))) => specific(octets, family, add_path),
        (RIB_GENERIC, _) => generic(octets, false),
        (RIB_GENERIC_ADDPATH, _) => generic(octets, true),
        _ => return Ok(vec![Parsed::other(TABLE_DUMP_V2, subtype, time)]),
    };
    let (route, entries) = route.ok_or(ErrorKind::Malformed("RIB record"))?;
    entries.iter().map(|entry| route.parsed(entry, body.len(), index)).collect()
}

fn peer_index(mut octets: Octets<'_>) -> Option<PeerIndex> {
    const IPV6: u8 = 1;
    const FOUR_OCTET_AS: u8 = 2;
    let collector = RouterId(octets.u32()?);
    let view = String::from_utf8_lossy(octets.length_prefixed()?).into_owned();
    let count = octets.u16()?;
    let mut peer = || {
        let kind = octets.u8()?;
        let router_id = RouterId(octets.u32()?);
        let address = address(&mut octets, if kind & IPV6 == 0 { AFI_IPV4 } else { AFI_IPV6 })?;
        let asn = if kind & FOUR_OCTET_AS == 0 { octets.u16()?.into() } else { octets.u32()? };
        Some(IndexedPeer { router_id, address, asn: Asn(asn) })
    };
    let peers = (0..count).map(|_| peer()).collect::<Option<_>>()?;
    Some(PeerIndex { collector, view, peers })
}

/// What the entries of a record share.
struct Route<'a> {
    sequence: u32,
    family: Family,
    path_id: Option<PathId>,
    nlri: &'a [u8],
}

/// What one peer says of the route.
struct Entry<'a> {
    peer: u16,
    originated: u32,
    path_id: Option<PathId>,
    attributes: &'a [u8],
    /// How many octets of the record are left from its beginning on.
    left: usize,
}

impl Route<'_> {
    fn parsed(&self, entry: &Entry<'_>, body_len: usize, index: &PeerIndex) -> Result<Parsed, ErrorKind> {
        let peer = index.peers.get(usize::from(entry.peer));
        let peer = peer.ok_or(ErrorKind::Malformed("RIB record: a peer that the index does not have"))?;
        let content = Content::RibEntry(RibEntry {
            sequence: self.sequence,
            family: self.family,
            path_id: self.path_id.or(entry.path_id),
            nlri: self.nlri.to_vec(),
            attributes: entry.attributes.to_vec(),
        });
        let time = Duration::from_secs(entry.originated.into());
        let (from, to) = ((*peer).into(), Endpoint::default());
        Ok(Parsed { time, from, to, content, at: body_len - entry.left })
    }
}

/// A record whose subtype says the family.
fn specific(mut octets: Octets<'_>, family: Family, add_path: bool) -> Option<(Route<'_>, Vec<Entry<'_>>)> {
    let sequence = octets.u32()?;
    let nlri = nlri(&mut octets, family)?;
    let entries = entries(octets, add_path)?;
    Some((Route { sequence, family, path_id: None, nlri }, entries))
}

/// A record that names its family. With `add_path` the identifier stands before the destination, as RFC 8050 section
/// 4.2 has it, or in each entry, as GoBGP and OpenBGPD write it: whichever fills the record.
fn generic(mut octets: Octets<'_>, add_path: bool) -> Option<(Route<'_>, Vec<Entry<'_>>)> {
    let sequence = octets.u32()?;
    let family = Family { afi: octets.u16()?, safi: octets.u8()? };
    if add_path {
        let mut octets = octets;
        let path_id = octets.u32().map(PathId);
        if let Some((nlri, entries)) =
            nlri(&mut octets, family).and_then(|nlri| Some((nlri, entries(octets, false)?)))
        {
            return Some((Route { sequence, family, path_id, nlri }, entries));
        }
    }
    let nlri = nlri(&mut octets, family)?;
    Some((Route { sequence, family, path_id: None, nlri }, entries(octets, add_path)?))
}

/// One destination, whose length its family tells: in bits, but in octets for FlowSpec (RFC 8955 section 4.1), EVPN
/// (RFC 7432 section 7) and the other forms of L2VPN (RFC 4761 section 3.2.2).
fn nlri<'a>(octets: &mut Octets<'a>, family: Family) -> Option<&'a [u8]> {
    const L2VPN: u16 = 25;
    let len = match (family.afi, family.safi, octets.0) {
        (_, 133 | 134, [high @ 0xf0..=0xff, low, ..]) => {
            2 + usize::from(u16::from_be_bytes([high & 0x0f, *low]))
        }
        (_, 133 | 134, [len, ..]) => 1 + usize::from(*len),
        (L2VPN, 70, [_, len, ..]) => 2 + usize::from(*len),
        (L2VPN, _, [high, low, ..]) => 2 + usize::from(u16::from_be_bytes([*high, *low])),
        (_, _, [bits, ..]) => 1 + usize::from(bits.div_ceil(8)),
        _ => return None,
    };
    octets.take(len)
}

/// The entries, which must fill the record.
fn entries(mut octets: Octets<'_>, add_path: bool) -> Option<Vec<Entry<'_>>> {
    let count = octets.u16()?;
    let mut list = Vec::new();
    for _ in 0..count {
        let left = octets.0.len();
        let (peer, originated) = (octets.u16()?, octets.u32()?);
        let path_id = if add_path { Some(PathId(octets.u32()?)) } else { None };
        list.push(Entry { peer, originated, path_id, attributes: octets.length_prefixed()?, left });
    }
    octets.0.is_empty().then_some(list)
}
