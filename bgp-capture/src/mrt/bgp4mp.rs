//! BGP4MP and BGP4MP_ET: messages and changes of state (RFC 6396 sections 4.4 and 4.5, RFC 8050 section 3).

use std::time::Duration;

use bgp_core::Asn;

use super::{BGP4MP, Parsed, address};
use crate::ErrorKind;
use crate::octets::Octets;
use crate::record::{Content, Endpoint, Hints};

/// What a subtype says.
struct Subtype {
    is_message: bool,
    four_octet_as: bool,
    /// The collector has sent it, not the peer.
    is_local: bool,
    add_path: bool,
}

impl Subtype {
    /// By the registry: those from 6 on are the earlier ones sent by the collector, with path identifiers, or both.
    fn from_code(code: u16) -> Option<Subtype> {
        let (is_message, four_octet_as, is_local, add_path) = match code {
            0 => (false, false, false, false),
            5 => (false, true, false, false),
            1 => (true, false, false, false),
            4 => (true, true, false, false),
            6 => (true, false, true, false),
            7 => (true, true, true, false),
            8 => (true, false, false, true),
            9 => (true, true, false, true),
            10 => (true, false, true, true),
            11 => (true, true, true, true),
            _ => return None,
        };
        Some(Subtype { is_message, four_octet_as, is_local, add_path })
    }
}

/// Reads a record's body from octet `start` on.
pub(super) fn parse(code: u16, time: Duration, body: &[u8], start: usize) -> Result<Parsed, ErrorKind> {
    let Some(subtype) = Subtype::from_code(code) else { return Ok(Parsed::other(BGP4MP, code, time)) };
    let fields = body.get(start..).and_then(|rest| fields(&subtype, Octets(rest)));
    let (peer, local, content, left) = fields.ok_or(ErrorKind::Malformed("BGP4MP record"))?;
    let (from, to) = if subtype.is_local { (local, peer) } else { (peer, local) };
    Ok(Parsed { time, from, to, content, at: body.len() - left })
}

/// The peer, the collector, the content and how many octets it has.
fn fields(subtype: &Subtype, mut octets: Octets<'_>) -> Option<(Endpoint, Endpoint, Content, usize)> {
    let asn = |octets: &mut Octets<'_>| {
        if subtype.four_octet_as { octets.u32() } else { octets.u16().map(u32::from) }.map(Asn)
    };
    let (peer_as, local_as) = (asn(&mut octets)?, asn(&mut octets)?);
    let _interface = octets.u16()?;
    let afi = octets.u16()?;
    let (peer, local) = (address(&mut octets, afi)?, address(&mut octets, afi)?);
    let end = |address, asn| Endpoint { address: Some(address), port: None, asn: Some(asn) };
    let left = octets.0.len();
    let content = if subtype.is_message {
        let hints = Hints { four_octet_as: Some(subtype.four_octet_as), add_path: Some(subtype.add_path) };
        Content::Message { octets: octets.0.to_vec(), hints }
    } else {
        Content::StateChange { old: octets.u16()?, new: octets.u16()? }
    };
    Some((end(peer, peer_as), end(local, local_as), content, left))
}
