//! The prefixes of a flow specification: those of RFC 4271, and for IPv6 also a part from the middle of an address
//! (RFC 8956 section 3.1).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::FlowSpecError;
use crate::wire::cursor::Cursor;
use crate::{AddressFamily, Prefix, V4, V6};

/// Bits that an address must have: those from `offset` to `len`, counted from the first. All others are clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowPrefix {
    address: IpAddr,
    offset: u8,
    len: u8,
}

impl FlowPrefix {
    /// The bits `offset` to `len` of `address`, or no bits if both are 0; `None` unless `offset` is below `len` and
    /// `len` at most 128.
    #[must_use]
    pub fn with_offset(address: Ipv6Addr, offset: u8, len: u8) -> Option<FlowPrefix> {
        let pattern = u128::from(address).checked_shl(offset.into())?;
        FlowPrefix::from_pattern(pattern.to_be_bytes().as_slice(), offset, len)
    }

    /// The address that holds the bits, at their places.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits are skipped; 0 but for IPv6.
    #[must_use]
    pub fn offset(&self) -> u8 {
        self.offset
    }

    /// Where matching stops: as many bits are skipped or matched, 0 to 32 or 128.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a length in bits, not of a container")]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// As a prefix, if no bits are skipped.
    #[must_use]
    pub fn prefix(&self) -> Option<Prefix> {
        if self.offset == 0 { Prefix::new(self.address, self.len) } else { None }
    }

    /// What `pattern` begins with are the bits `offset` to `len` of an IPv6 address.
    fn from_pattern(pattern: &[u8], offset: u8, len: u8) -> Option<FlowPrefix> {
        let everything = (offset, len) == (0, 0);
        if len > V6::MAX_LEN || offset >= len && !everything {
            return None;
        }
        let bits = u128::from(V6::from_wire(len - offset, pattern)?.address());
        Some(FlowPrefix { address: Ipv6Addr::from(bits >> offset).into(), offset, len })
    }

    /// Takes a prefix of IPv4: length, then as many octets as that needs.
    pub(super) fn read_v4(cursor: &mut Cursor<'_>, code: u8) -> Result<FlowPrefix, FlowSpecError> {
        let cut_off = FlowSpecError::CutOff { component: code };
        let len = cursor.u8().ok_or(cut_off)?;
        if len > V4::MAX_LEN {
            return Err(FlowSpecError::PrefixLength { component: code, offset: 0, len });
        }
        let octets = cursor.take(usize::from(len.div_ceil(8))).ok_or(cut_off)?;
        V4::from_wire(len, octets).map(|prefix| Prefix::V4(prefix).into()).ok_or(cut_off)
    }

    /// Takes a prefix of IPv6: length, offset, then as many octets as their difference needs.
    pub(super) fn read_v6(cursor: &mut Cursor<'_>, code: u8) -> Result<FlowPrefix, FlowSpecError> {
        let cut_off = FlowSpecError::CutOff { component: code };
        let (len, offset) = (cursor.u8().ok_or(cut_off)?, cursor.u8().ok_or(cut_off)?);
        let impossible = FlowSpecError::PrefixLength { component: code, offset, len };
        let octets = usize::from(len.checked_sub(offset).ok_or(impossible)?.div_ceil(8));
        let pattern = cursor.take(octets).ok_or(cut_off)?;
        FlowPrefix::from_pattern(pattern, offset, len).ok_or(impossible)
    }

    /// Appends the prefix in the form of its address.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let octets = usize::from(self.len.saturating_sub(self.offset).div_ceil(8));
        match self.address {
            IpAddr::V4(address) => {
                out.push(self.len);
                out.extend(address.octets().into_iter().take(octets));
            }
            IpAddr::V6(address) => {
                let pattern = u128::from(address).checked_shl(self.offset.into()).unwrap_or_default();
                out.extend([self.len, self.offset]);
                out.extend(pattern.to_be_bytes().into_iter().take(octets));
            }
        }
    }
}

impl From<Prefix> for FlowPrefix {
    fn from(prefix: Prefix) -> FlowPrefix {
        FlowPrefix { address: prefix.address(), offset: 0, len: prefix.len() }
    }
}

/// `address/length`, or `address/offset-length` (RFC 8956 section 3.1).
impl fmt::Display for FlowPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            0 => write!(f, "{}/{}", self.address, self.len),
            offset => write!(f, "{}/{offset}-{}", self.address, self.len),
        }
    }
}
