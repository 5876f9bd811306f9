//! How the node is connected: the interface that carries its address, or that the default route leaves by.

use std::net::IpAddr;

use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::TunnelError;
use crate::link::{self, Address};
use crate::netlink::{Attributes, Kernel, u32_at};
use crate::spec::{Family, Uplink};

/// `struct rtmsg`.
const ROUTE_HEADER: usize = 12;
/// Answer with the route itself rather than with what would become of a packet.
const RTM_F_FIB_MATCH: u32 = 0x2000;
/// Ethernet's.
const USUAL_MTU: u32 = 1500;
/// Where `struct rtnexthop` has its interface.
const HOP_INTERFACE: usize = 4;

/// An uplink and the index of its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) index: u32,
    pub(crate) uplink: Uplink,
}

/// The uplink of a family; `given`: the configured address of the node.
pub(crate) fn find(
    kernel: &mut Kernel,
    family: Family,
    given: Option<IpAddr>,
) -> Result<Option<Found>, TunnelError> {
    let addresses = match given {
        Some(given) => {
            let mut all = link::addresses(kernel, address_family(family), None)?;
            all.retain(|address| address.address.ip() == given);
            all
        }
        None => {
            let Some(index) = default_interface(kernel, family)? else { return Ok(None) };
            let mut all = link::addresses(kernel, address_family(family), Some(index))?;
            all.retain(|address| address.global && !address.passing);
            all
        }
    };
    let Some(Address { index, address, .. }) = addresses.into_iter().next() else { return Ok(None) };
    let Some(mut link) = link::at(kernel, index)? else { return Ok(None) };
    if link.loopback {
        // The node's address is its own whatever it is connected by: packets leave elsewhere.
        link.mtu = link.mtu.min(USUAL_MTU);
        if let Some(index) = default_interface(kernel, family)? {
            link = link::at(kernel, index)?.unwrap_or(link);
        }
    }
    let uplink = Uplink { interface: link.name, address, mtu: link.mtu };
    Ok(Some(Found { index: link.index, uplink }))
}

pub(crate) fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

/// Asks for the route to an address that only the default route should match. With hundreds of thousands of
/// routes that is much quicker than to list them, which is needed only if someone announces that address.
fn default_interface(kernel: &mut Kernel, family: Family) -> Result<Option<u32>, TunnelError> {
    // The first is reserved for documentation, the second for packets to be discarded.
    let (probe, bits) = match family {
        Family::V4 => (RouteAddress::Inet([203, 0, 113, 255].into()), 32),
        Family::V6 => (RouteAddress::Inet6([0x100, 0, 0, 0, 0xffff, 0, 0, 1].into()), 128),
    };
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.header.destination_prefix_length = bits;
    message.header.flags = RouteFlags::from_bits_retain(RTM_F_FIB_MATCH);
    message.attributes.push(RouteAttribute::Destination(probe));
    match kernel.get(RouteNetlinkMessage::GetRoute(message), Route::parse)? {
        Some(route) if route.bits == 0 => Ok(route.interface),
        Some(_) => listed_default(kernel, family),
        None => Ok(None),
    }
}

fn listed_default(kernel: &mut Kernel, family: Family) -> Result<Option<u32>, TunnelError> {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    let routes = kernel.dump("routes", &RouteNetlinkMessage::GetRoute(message), |body| {
        Route::parse(body).filter(|route| route.bits == 0 && route.table == libc::RT_TABLE_MAIN.into())
    })?;
    let usable = routes.into_iter().filter(|route| route.interface.is_some());
    Ok(usable.min_by_key(|route| route.metric).and_then(|route| route.interface))
}

struct Route {
    bits: u8,
    table: u32,
    metric: u32,
    /// The first, if there are several. `None` for those that forward nothing.
    interface: Option<u32>,
}

impl Route {
    fn parse(body: &[u8]) -> Option<Self> {
        let [_, bits, _, _, table, _, _, kind] = *body.first_chunk()?;
        let attributes = Attributes::after(ROUTE_HEADER, body);
        let interface = attributes
            .u32(libc::RTA_OIF)
            .or_else(|| u32_at(attributes.find(libc::RTA_MULTIPATH)?, HOP_INTERFACE));
        Some(Self {
            bits,
            table: attributes.u32(libc::RTA_TABLE).unwrap_or(table.into()),
            metric: attributes.u32(libc::RTA_PRIORITY).unwrap_or_default(),
            interface: interface.filter(|_| kind == libc::RTN_UNICAST),
        })
    }
}
