//! Destinations on the wire: each in the form of its family, and with ADD-PATH an identifier before it (RFC 4271
//! section 4.3, RFC 4760 section 5, RFC 7911 section 3).
//!
//! The two families that are routed have an iterator of their own, [`Nlri`], that yields prefixes and knows its family
//! at compile time. [`Destinations`] reads any of [`Family::KNOWN`](crate::Family::KNOWN), for showing and for
//! relaying.
//!
//! ```text
//!  octets                          4, ADD-PATH only  then
//!  IPv4, IPv6 unicast              path id           length 1, prefix 0 to 16
//!  with labels (RFC 8277)          path id           length 1, label 3 …, prefix
//!  VPN (RFC 4364, RFC 4659)        path id           length 1, label 3 …, route distinguisher 8, prefix
//!  route targets (RFC 4684)        path id           length 1, origin AS 4, route target 0 to 8; or a length of 0
//!  flow specifications (RFC 8955)  path id           length 1 or 2, see `flowspec`
//!  Ethernet VPN (RFC 7432)         path id           type 1, length 1, see `evpn`
//! ```
//!
//! The first four count bits, and all that follows the length: a prefix of /24 behind one label says 48. They take as
//! many octets as that needs, and the bits past it mean nothing. The last two count octets.

mod destination;
mod distinguisher;
mod entry;
pub mod evpn;
pub mod flowspec;
mod label;
mod labeled;
mod route_target;
mod vpn;

use std::marker::PhantomData;

pub use destination::{Destination, Destinations};
pub use distinguisher::{ParseRouteDistinguisherError, RouteDistinguisher};
pub use label::{Label, Labels};
pub use labeled::LabeledPrefix;
pub use route_target::RouteTargetMembership;
pub use vpn::VpnPrefix;

use super::cursor::Cursor;
use crate::{AddressFamily, Family, PathId, V4, V6};

/// Why destinations can't be read (RFC 7606 section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NlriError {
    /// A prefix is longer than an address of its family.
    #[error("prefix length is {len}, at most {max} is possible")]
    PrefixLength {
        /// The length in bits as received.
        len: u8,
        /// The family's limit.
        max: u8,
    },
    /// The last prefix, or its path identifier, is cut off.
    #[error("the last prefix is cut off")]
    CutOff,
    /// The length leaves no room for what stands before the prefix: labels, a route distinguisher, the origin AS of a
    /// route target (RFC 8277 section 2, RFC 4364 section 4.3.4, RFC 4684 section 4).
    #[error("length is {len}, at least {min} is needed")]
    TooShort {
        /// The length in bits as received.
        len: u8,
        /// The bits that are needed.
        min: u16,
    },
    /// None of the labels is at the bottom of the stack (RFC 8277 section 2.3).
    #[error("the label stack has no bottom")]
    NoBottomOfStack,
    /// What its length covers is no flow specification.
    #[error("{0}")]
    FlowSpec(flowspec::FlowSpecError),
    /// What its length covers is no route of an Ethernet VPN.
    #[error("{0}")]
    Evpn(evpn::EvpnError),
    /// The family is none of [`Family::KNOWN`].
    #[error("destinations of {0} can't be read")]
    Family(Family),
}

/// How the destinations of one field are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NlriForm {
    /// Their family.
    pub family: Family,
    /// Whether each has a path identifier before it (RFC 7911).
    pub add_path: bool,
    /// How many labels stand before a labeled or VPN prefix.
    pub labels: LabelForm,
}

/// How many MPLS labels stand before a prefix (RFC 8277 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelForm {
    /// Just one, whatever its bottom-of-stack bit says: the multiple labels capability was not exchanged.
    One,
    /// As many as it takes to the bottom of the stack.
    Stack,
    /// Three octets that mean nothing: the prefix is withdrawn, with all that is bound to it (section 2.4). So it is
    /// with several labels agreed, too: a peer that withdraws with a whole stack can't be told from one that
    /// withdraws a longer prefix.
    Withdrawn,
}

/// Unicast destinations of one field, already known to be readable: iterating can't fail.
///
/// ```
/// use bgp_core::wire::{Nlri, NlriError};
/// use bgp_core::{PathId, V4};
///
/// let octets = [0, 0, 0, 7, 16, 10, 1]; // path 7 to 10.1.0.0/16
/// let routes: Vec<_> = Nlri::<V4>::new(&octets, true)?.map(|(PathId(id), prefix)| (id, prefix.to_string())).collect();
/// assert_eq!(routes, [(7, "10.1.0.0/16".to_owned())]);
/// assert_eq!(Nlri::<V4>::new(&[33, 10, 1, 0, 0, 0], false).unwrap_err(), NlriError::PrefixLength { len: 33, max: 32 });
/// # Ok::<(), NlriError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Nlri<'a, F> {
    cursor: Cursor<'a>,
    add_path: bool,
    family: PhantomData<F>,
}

impl<'a, F: AddressFamily> Nlri<'a, F> {
    /// The destinations in `octets`, each with a path identifier if `add_path`.
    ///
    /// # Errors
    /// If one is too long for the family or the last one is cut off.
    pub fn new(octets: &'a [u8], add_path: bool) -> Result<Nlri<'a, F>, NlriError> {
        check_prefixes(octets, add_path, F::MAX_LEN)?;
        Ok(Nlri::checked(octets, add_path))
    }

    /// For octets that [`check`] has passed.
    pub(crate) fn checked(octets: &'a [u8], add_path: bool) -> Nlri<'a, F> {
        Nlri { cursor: Cursor::new(octets), add_path, family: PhantomData }
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cursor.is_empty()
    }
}

impl<F: AddressFamily> Iterator for Nlri<'_, F> {
    type Item = (PathId, F::Prefix);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let path_id = if self.add_path { PathId(self.cursor.u32()?) } else { PathId(0) };
        let len = self.cursor.u8()?;
        let prefix = F::from_wire(len, self.cursor.rest())?;
        self.cursor.take(usize::from(len.div_ceil(8)))?;
        Some((path_id, prefix))
    }
}

/// Whether `octets` can be read as destinations of this form.
#[inline]
pub(crate) fn check(octets: &[u8], form: NlriForm) -> Result<(), NlriError> {
    match form.family {
        Family::IPV4_UNICAST => check_prefixes(octets, form.add_path, V4::MAX_LEN),
        Family::IPV6_UNICAST => check_prefixes(octets, form.add_path, V6::MAX_LEN),
        _ => check_others(octets, form),
    }
}

/// Apart, so that the check of prefixes is small enough to stand where it is called.
#[inline(never)]
fn check_others(octets: &[u8], form: NlriForm) -> Result<(), NlriError> {
    Destinations::new(octets, form).map(drop)
}

/// Whether `octets` can be read as prefixes of at most `max` bits.
#[inline]
fn check_prefixes(octets: &[u8], add_path: bool, max: u8) -> Result<(), NlriError> {
    let mut cursor = Cursor::new(octets);
    while !cursor.is_empty() {
        if add_path {
            cursor.u32().ok_or(NlriError::CutOff)?;
        }
        let len = cursor.u8().ok_or(NlriError::CutOff)?;
        if len > max {
            return Err(NlriError::PrefixLength { len, max });
        }
        cursor.take(usize::from(len.div_ceil(8))).ok_or(NlriError::CutOff)?;
    }
    Ok(())
}

/// Appends `prefix` to `out`, its path identifier before it if the session uses ADD-PATH.
pub fn encode_nlri<F: AddressFamily>(out: &mut Vec<u8>, path_id: Option<PathId>, prefix: &F::Prefix) {
    encode_path_id(out, path_id);
    let (len, address) = F::to_wire(prefix);
    let end = out.len() + 1 + usize::from(len.div_ceil(8));
    // All of it, and then off with what is too much: a copy of fixed size is a move, another one a call.
    let mut octets = [0; 17];
    let [first, others @ ..] = &mut octets;
    (*first, *others) = (len, address);
    out.extend_from_slice(&octets);
    out.truncate(end);
}

fn encode_path_id(out: &mut Vec<u8>, path_id: Option<PathId>) {
    if let Some(PathId(id)) = path_id {
        out.extend_from_slice(&id.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{V4, V6};

    #[test]
    fn prefixes_come_back_with_and_without_path_identifiers() {
        let v4 = [24, 10, 1, 2, 0, 9, 10, 128];
        let read: Vec<String> = Nlri::<V4>::new(&v4, false).unwrap().map(|(_, p)| p.to_string()).collect();
        assert_eq!(read, ["10.1.2.0/24", "0.0.0.0/0", "10.128.0.0/9"]);
        let mut out = Vec::new();
        let prefix = Nlri::<V6>::new(&[16, 0xfd, 0], false).unwrap().next().unwrap().1;
        encode_nlri::<V6>(&mut out, Some(PathId(7)), &prefix);
        assert_eq!(out, [0, 0, 0, 7, 16, 0xfd, 0]);
        assert_eq!(Nlri::<V6>::new(&out, true).unwrap().collect::<Vec<_>>(), [(PathId(7), prefix)]);
    }

    #[test]
    fn host_bits_are_cleared() {
        let read: Vec<_> =
            Nlri::<V4>::new(&[9, 10, 255], false).unwrap().map(|(_, p)| p.to_string()).collect();
        assert_eq!(read, ["10.128.0.0/9"]);
    }

    #[test]
    fn a_prefix_too_long_or_cut_off_is_refused() {
        let too_long = NlriError::PrefixLength { len: 33, max: 32 };
        assert_eq!(Nlri::<V4>::new(&[33, 1, 2, 3, 4, 5], false).unwrap_err(), too_long);
        assert_eq!(Nlri::<V4>::new(&[24, 1, 2], false).unwrap_err(), NlriError::CutOff);
        assert_eq!(Nlri::<V4>::new(&[0, 0, 0], true).unwrap_err(), NlriError::CutOff);
        assert_eq!(Nlri::<V6>::new(&[0, 0, 0, 1], true).unwrap_err(), NlriError::CutOff);
    }
}
