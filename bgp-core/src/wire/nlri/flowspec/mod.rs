//! Flow specifications: which packets an action is meant for (RFC 8955, for IPv6 RFC 8956). The action itself is an
//! [extended community](crate::wire::community::Extended) of the route.
//!
//! ```text
//!  length      1 octet, or 2 as 0xfnnn from 240 on: octets of what follows, at most 4095
//!  value       route distinguisher 8, of VPNs only
//!              component …       in ascending order of types, each at most once; a packet must match all
//!
//!  component   type 1 destination, 2 source
//!                IPv4            length 1, prefix                        bits: length
//!                IPv6            length 1, offset 1, pattern             bits: length - offset
//!              type 3 to 13      operator 1, value 1, 2, 4 or 8, operator, value …
//!
//!  operator    bit 7 E last of the list │ 6 A joined by AND │ 5 4 length of the value, 1 << these two
//!              numbers                  │ 2 less, 1 greater, 0 equal     types 3 to 8, 10, 11, 13
//!              bits                     │ 1 not, 0 match all             types 9 and 12
//! ```
//!
//! RFC 8955 section 4.2 calls all else malformed, a component of unknown type too: nobody could say where the next
//! one begins. RFC 7606 section 5.3 then applies: nothing of the field is used.

mod builder;
mod component;
mod prefix;
mod term;
#[cfg(test)]
mod tests;

use std::fmt;

pub use builder::FlowSpecBuilder;
pub use component::{BitmaskField, Component, NumericField};
pub use prefix::FlowPrefix;
pub use term::{BitMatch, Comparison, Operator, Term, Terms};

use super::{NlriError, RouteDistinguisher};
use crate::Family;
use crate::wire::cursor::Cursor;

/// The longest value: what fits into the twelve bits of its length.
const MAX_LEN: usize = 0xfff;

/// Lengths from here on take two octets.
const LONG: usize = 0xf0;

/// Why octets are no flow specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlowSpecError {
    /// The family has none, or not what was put into one.
    #[error("no flow specification of {0}")]
    Family(Family),
    /// It has no component.
    #[error("a flow specification without components")]
    Empty,
    /// It is longer than its length field can say.
    #[error("a flow specification of {0} octets, at most 4095 are possible")]
    TooLong(usize),
    /// A type that is not defined for the family.
    #[error("flow specification component {0} is unknown")]
    UnknownComponent(u8),
    /// Types are not in ascending order, or one comes twice.
    #[error("flow specification component {component} after {before}")]
    Order {
        /// The type at the wrong place.
        component: u8,
        /// The type before it.
        before: u8,
    },
    /// The component runs over the end.
    #[error("flow specification component {component} is cut off")]
    CutOff {
        /// Its type.
        component: u8,
    },
    /// A prefix that no address can have, or that ends before its offset.
    #[error("flow specification component {component}: bits {offset} to {len} of an address")]
    PrefixLength {
        /// The component's type.
        component: u8,
        /// Bits that are skipped.
        offset: u8,
        /// Where the prefix ends.
        len: u8,
    },
    /// A value has more octets than the component allows.
    #[error(
        "flow specification component {component}: a value of {len} octets, at most {longest} are possible"
    )]
    ValueLength {
        /// The component's type.
        component: u8,
        /// The length as received.
        len: usize,
        /// The limit.
        longest: usize,
    },
}

impl From<FlowSpecError> for NlriError {
    fn from(error: FlowSpecError) -> NlriError {
        NlriError::FlowSpec(error)
    }
}

/// Which version of IP the packets are of: it decides the types and the form of prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IpVersion {
    V4,
    V6,
}

/// The version of IP and whether a route distinguisher comes first, if `family` has flow specifications.
fn form(family: Family) -> Option<(IpVersion, bool)> {
    match family {
        Family::IPV4_FLOWSPEC => Some((IpVersion::V4, false)),
        Family::IPV6_FLOWSPEC => Some((IpVersion::V6, false)),
        Family::IPV4_VPN_FLOWSPEC => Some((IpVersion::V4, true)),
        Family::IPV6_VPN_FLOWSPEC => Some((IpVersion::V6, true)),
        _ => None,
    }
}

/// One flow specification, already known to be readable; borrows its octets. [`FlowSpecBuilder`] makes such octets.
///
/// Two are equal if their octets are, which is how BGP compares them too (RFC 8955 section 3). Only the length in
/// front does not count: one below 240 that is written in two octets is read, and written in one.
///
/// ```
/// use bgp_core::Family;
/// use bgp_core::wire::nlri::flowspec::{Component, FlowSpec};
///
/// // RFC 8955 section 4.3.2, without the length in front
/// let value = [
///     1, 24, 192, 0, 2, 2, 24, 203, 0, 113, 4, 0x03, 137, 0x45, 139, 0x91, 0x1f, 0x90,
/// ];
/// let flow = FlowSpec::new(Family::IPV4_FLOWSPEC, &value)?;
/// assert_eq!(flow.to_string(), "dst 192.0.2.0/24 src 203.0.113.0/24 port >=137&<=139,=8080");
/// let Some(Component::Numeric(field, mut terms)) = flow.components().last() else { panic!() };
/// assert_eq!((field as u8, terms.next().map(|term| term.value)), (4, Some(137)));
/// # Ok::<(), bgp_core::wire::nlri::flowspec::FlowSpecError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSpec<'a> {
    version: IpVersion,
    distinguisher: Option<RouteDistinguisher>,
    components: &'a [u8],
}

impl<'a> FlowSpec<'a> {
    /// The flow specification of `family` in `value`, which is what follows the length on the wire.
    ///
    /// # Errors
    /// The first thing that RFC 8955 section 4 or RFC 8956 section 3 does not allow.
    pub fn new(family: Family, value: &'a [u8]) -> Result<FlowSpec<'a>, FlowSpecError> {
        let (version, vpn) = form(family).ok_or(FlowSpecError::Family(family))?;
        if value.len() > MAX_LEN {
            return Err(FlowSpecError::TooLong(value.len()));
        }
        let mut cursor = Cursor::new(value);
        let distinguisher =
            if vpn { Some(RouteDistinguisher(cursor.array().ok_or(FlowSpecError::Empty)?)) } else { None };
        let components = cursor.rest();
        let mut before = 0;
        while before == 0 || !cursor.is_empty() {
            let component = Component::read(&mut cursor, version)?.code();
            if component <= before {
                return Err(FlowSpecError::Order { component, before });
            }
            before = component;
        }
        Ok(FlowSpec { version, distinguisher, components })
    }

    /// Takes the length at the front and the flow specification that it covers.
    pub(super) fn read(cursor: &mut Cursor<'a>, family: Family) -> Result<FlowSpec<'a>, NlriError> {
        let first = usize::from(cursor.u8().ok_or(NlriError::CutOff)?);
        let len = match first.checked_sub(LONG) {
            None => first,
            Some(high) => high << 8 | usize::from(cursor.u8().ok_or(NlriError::CutOff)?),
        };
        let value = cursor.take(len).ok_or(NlriError::CutOff)?;
        Ok(FlowSpec::new(family, value)?)
    }

    /// Its family.
    #[must_use]
    pub fn family(&self) -> Family {
        match (self.version, self.distinguisher) {
            (IpVersion::V4, None) => Family::IPV4_FLOWSPEC,
            (IpVersion::V6, None) => Family::IPV6_FLOWSPEC,
            (IpVersion::V4, Some(_)) => Family::IPV4_VPN_FLOWSPEC,
            (IpVersion::V6, Some(_)) => Family::IPV6_VPN_FLOWSPEC,
        }
    }

    /// The VPN it is for; `None` in the families that have no VPNs.
    #[must_use]
    pub fn distinguisher(&self) -> Option<RouteDistinguisher> {
        self.distinguisher
    }

    /// The components in the order of their types, at least one.
    pub fn components(&self) -> impl Iterator<Item = Component<'a>> + use<'a> {
        let (mut cursor, version) = (Cursor::new(self.components), self.version);
        std::iter::from_fn(move || Component::read(&mut cursor, version).ok())
    }

    /// Appends it as on the wire, the length in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let distinguisher = self.distinguisher.map(|distinguisher| distinguisher.0);
        let distinguisher = distinguisher.as_ref().map_or(&[][..], |octets| octets);
        let len = distinguisher.len() + self.components.len();
        let [high, low] = u16::try_from(len).unwrap_or_default().to_be_bytes();
        if len >= LONG {
            out.push(0xf0 | high);
        }
        out.push(low);
        out.extend_from_slice(distinguisher);
        out.extend_from_slice(self.components);
    }
}

/// The components, then the route distinguisher: `dst 10.0.0.0/8 proto =6 rd 64512:7`.
impl fmt::Display for FlowSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, component) in self.components().enumerate() {
            write!(f, "{}{component}", if at == 0 { "" } else { " " })?;
        }
        match self.distinguisher {
            Some(distinguisher) => write!(f, " rd {distinguisher}"),
            None => Ok(()),
        }
    }
}
