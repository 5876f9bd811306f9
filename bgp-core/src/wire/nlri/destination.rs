//! A destination of any family, for those who show or relay it. What is routed is kept in the family's own type.

use std::fmt;

use super::entry::Entry;
use super::evpn::EvpnRoute;
use super::flowspec::FlowSpec;
use super::{
    LabeledPrefix, NlriError, NlriForm, RouteTargetMembership, VpnPrefix, encode_nlri, encode_path_id,
};
use crate::wire::cursor::Cursor;
use crate::{Family, PathId, Prefix, V4, V6};

/// One destination, of any of [`Family::KNOWN`]; borrows what it is made of.
///
/// ```
/// use bgp_core::wire::{Destination, Destinations, LabelForm, NlriForm};
/// use bgp_core::{Family, PathId};
///
/// // 10.1.0.0/16 behind label 100, as the VPN with the route distinguisher 64512:7 has it.
/// let octets = [104, 0, 6, 0x41, 0, 0, 0xfc, 0, 0, 0, 0, 7, 10, 1];
/// let form = NlriForm { family: Family::IPV4_VPN, add_path: false, labels: LabelForm::One };
/// for (PathId(id), destination) in Destinations::new(&octets, form)? {
///     assert_eq!((id, destination.to_string().as_str()), (0, "64512:7:10.1.0.0/16 label 100"));
///     let Destination::Vpn(vpn) = destination else { continue };
///     assert_eq!(vpn.distinguisher(), "64512:7".parse()?);
///     let mut out = Vec::new();
///     destination.encode(&mut out, None);
///     assert_eq!(out, octets);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination<'a> {
    /// A prefix of IPv4 or IPv6 unicast.
    Prefix(Prefix),
    /// A prefix with MPLS labels (RFC 8277).
    Labeled(LabeledPrefix<'a>),
    /// A prefix of a VPN (RFC 4364, RFC 4659).
    Vpn(VpnPrefix<'a>),
    /// Route targets that a speaker wants to see (RFC 4684).
    RouteTarget(RouteTargetMembership),
    /// Which packets an action is meant for (RFC 8955, RFC 8956).
    FlowSpec(FlowSpec<'a>),
    /// A route of an Ethernet VPN (RFC 7432, RFC 9136).
    Evpn(EvpnRoute<'a>),
}

impl<'a> Destination<'a> {
    /// Takes the destination at the front, what follows the path identifier; allocates nothing.
    fn read(cursor: &mut Cursor<'a>, form: NlriForm) -> Result<Destination<'a>, NlriError> {
        let labels = form.labels;
        Ok(match form.family {
            Family::IPV4_UNICAST => Destination::Prefix(Entry::read(cursor)?.prefix::<V4>()?),
            Family::IPV6_UNICAST => Destination::Prefix(Entry::read(cursor)?.prefix::<V6>()?),
            Family::IPV4_LABELED => Destination::Labeled(LabeledPrefix::read::<V4>(cursor, labels)?),
            Family::IPV6_LABELED => Destination::Labeled(LabeledPrefix::read::<V6>(cursor, labels)?),
            Family::IPV4_VPN => Destination::Vpn(VpnPrefix::read::<V4>(cursor, labels)?),
            Family::IPV6_VPN => Destination::Vpn(VpnPrefix::read::<V6>(cursor, labels)?),
            Family::ROUTE_TARGET => Destination::RouteTarget(RouteTargetMembership::read(cursor)?),
            Family::IPV4_FLOWSPEC
            | Family::IPV6_FLOWSPEC
            | Family::IPV4_VPN_FLOWSPEC
            | Family::IPV6_VPN_FLOWSPEC => Destination::FlowSpec(FlowSpec::read(cursor, form.family)?),
            Family::EVPN => Destination::Evpn(EvpnRoute::read(cursor)?),
            unknown => return Err(NlriError::Family(unknown)),
        })
    }

    /// Appends the destination, its path identifier before it if there is one. Bits past a prefix are zero; a prefix
    /// whose labels are none is written as a withdrawn one, which can't be announced.
    pub fn encode(&self, out: &mut Vec<u8>, path_id: Option<PathId>) {
        encode_path_id(out, path_id);
        match self {
            Destination::Prefix(Prefix::V4(prefix)) => encode_nlri::<V4>(out, None, prefix),
            Destination::Prefix(Prefix::V6(prefix)) => encode_nlri::<V6>(out, None, prefix),
            Destination::Labeled(labeled) => labeled.encode(out),
            Destination::Vpn(vpn) => vpn.encode(out),
            Destination::RouteTarget(membership) => membership.encode(out),
            Destination::FlowSpec(flow) => flow.encode(out),
            Destination::Evpn(route) => route.encode(out),
        }
    }

    /// The destination as it is withdrawn: without labels (RFC 8277 section 2.4).
    #[must_use]
    pub fn withdrawn(self) -> Destination<'a> {
        match self {
            Destination::Labeled(labeled) => Destination::Labeled(labeled.withdrawn()),
            Destination::Vpn(vpn) => Destination::Vpn(vpn.withdrawn()),
            other => other,
        }
    }

    /// Whether it is one of `family`.
    #[must_use]
    pub fn is_of(&self, family: Family) -> bool {
        match self {
            Destination::Prefix(prefix) => family == prefix.family(),
            Destination::Labeled(labeled) => {
                family == either(labeled.prefix(), Family::IPV4_LABELED, Family::IPV6_LABELED)
            }
            Destination::Vpn(vpn) => family == either(vpn.prefix(), Family::IPV4_VPN, Family::IPV6_VPN),
            Destination::RouteTarget(_) => family == Family::ROUTE_TARGET,
            Destination::FlowSpec(flow) => family == flow.family(),
            Destination::Evpn(_) => family == Family::EVPN,
        }
    }

    /// Whether it has the labels that its family asks for: without them it can't be announced.
    pub(crate) fn has_labels(&self) -> bool {
        match self {
            Destination::Labeled(labeled) => !labeled.labels().is_empty(),
            Destination::Vpn(vpn) => !vpn.labels().is_empty(),
            _ => true,
        }
    }
}

fn either(prefix: Prefix, v4: Family, v6: Family) -> Family {
    match prefix {
        Prefix::V4(_) => v4,
        Prefix::V6(_) => v6,
    }
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Prefix(prefix) => prefix.fmt(f),
            Destination::Labeled(labeled) => labeled.fmt(f),
            Destination::Vpn(vpn) => vpn.fmt(f),
            Destination::RouteTarget(membership) => membership.fmt(f),
            Destination::FlowSpec(flow) => flow.fmt(f),
            Destination::Evpn(route) => route.fmt(f),
        }
    }
}

/// The destinations of one field, already known to be readable: iterating can't fail.
#[derive(Clone, Debug)]
pub struct Destinations<'a> {
    cursor: Cursor<'a>,
    form: NlriForm,
}

impl<'a> Destinations<'a> {
    /// The destinations in `octets`.
    ///
    /// # Errors
    /// The first thing that can't be read: then none of them is to be used (RFC 7606 section 5.3).
    pub fn new(octets: &'a [u8], form: NlriForm) -> Result<Destinations<'a>, NlriError> {
        let mut cursor = Cursor::new(octets);
        while !cursor.is_empty() {
            Self::read(&mut cursor, form)?;
        }
        Ok(Destinations::checked(octets, form))
    }

    /// For octets that [`check`](super::check) has passed.
    pub(crate) fn checked(octets: &'a [u8], form: NlriForm) -> Destinations<'a> {
        Destinations { cursor: Cursor::new(octets), form }
    }

    fn read(cursor: &mut Cursor<'a>, form: NlriForm) -> Result<(PathId, Destination<'a>), NlriError> {
        let path_id = if form.add_path { cursor.u32().ok_or(NlriError::CutOff)? } else { 0 };
        Ok((PathId(path_id), Destination::read(cursor, form)?))
    }
}

impl<'a> Iterator for Destinations<'a> {
    type Item = (PathId, Destination<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() { None } else { Self::read(&mut self.cursor, self.form).ok() }
    }
}
