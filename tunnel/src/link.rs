//! Network devices as the kernel shows them, and the messages that change them.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoIpTunnel, InfoKind, InfoVxlan, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::TunnelError;
use crate::netlink::{Attributes, Kernel, u16_at, u32_at};
use crate::spec::{Device, Kind};
use crate::vtep::vtep_mac;

/// Says that a device is ours (`ip link` shows it as `alias`).
pub(crate) const ALIAS: &str = "bgp-tunnel";

/// `struct ifinfomsg`, `struct ifaddrmsg`.
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_GROUP: u16 = 2;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_LEARNING: u16 = 7;
const IFLA_VXLAN_PORT: u16 = 15;
const IFLA_VXLAN_GROUP6: u16 = 16;
const IFLA_VXLAN_LOCAL6: u16 = 17;
const IFLA_VXLAN_COLLECT_METADATA: u16 = 25;
const IFLA_IPTUN_LOCAL: u16 = 2;
const IFLA_IPTUN_REMOTE: u16 = 3;

/// What a device is, with what cannot be changed while it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nature {
    Vxlan {
        vni: u32,
        port: u16,
        local: Option<IpAddr>,
        /// Sends unknown destinations somewhere, learns from packets, or leaves all to others.
        floods: bool,
    },
    Ipip {
        local: Option<IpAddr>,
        remote: Option<IpAddr>,
    },
    /// Empty for what is not virtual.
    Other(String),
}

/// A device of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) alias: Option<String>,
    pub(crate) up: bool,
    pub(crate) loopback: bool,
    pub(crate) mtu: u32,
    pub(crate) mac: Vec<u8>,
    pub(crate) nature: Nature,
}

impl Link {
    /// Reads the body of RTM_NEWLINK or RTM_DELLINK. `None` for bridges' messages about their ports.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let index = u32_at(body, 4)?;
        let flags = LinkFlags::from_bits_retain(u32_at(body, 8)?);
        let attributes = Attributes::after(LINK_HEADER, body);
        let info = attributes.within(libc::IFLA_LINKINFO);
        (body.first() == Some(&(libc::AF_UNSPEC as u8))).then(|| Self {
            index,
            name: attributes.text(libc::IFLA_IFNAME).unwrap_or_default(),
            alias: attributes.text(libc::IFLA_IFALIAS).filter(|alias| !alias.is_empty()),
            up: flags.contains(LinkFlags::Up),
            loopback: flags.contains(LinkFlags::Loopback),
            mtu: attributes.u32(libc::IFLA_MTU).unwrap_or_default(),
            mac: attributes.find(libc::IFLA_ADDRESS).unwrap_or_default().to_vec(),
            nature: nature(&info.text(IFLA_INFO_KIND).unwrap_or_default(), info.within(IFLA_INFO_DATA)),
        })
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.alias.as_deref() == Some(ALIAS)
    }

    /// Made by us, and not yet marked when an earlier run was stopped: a VXLAN device is known by its MAC.
    pub(crate) fn is_half_made(&self) -> bool {
        let fresh = self.alias.is_none() && !self.up;
        match self.nature {
            Nature::Vxlan { local: Some(local), floods: false, .. } => fresh && self.mac == vtep_mac(local),
            _ => false,
        }
    }

    pub(crate) fn kind(&self) -> &str {
        match &self.nature {
            Nature::Vxlan { .. } => "vxlan",
            Nature::Ipip { .. } => "ipip",
            Nature::Other(kind) => kind,
        }
    }
}

fn nature(kind: &str, data: Attributes<'_>) -> Nature {
    let set = |kind| data.address(kind).filter(|address| !address.is_unspecified());
    let on = |kind| data.find(kind).is_some_and(|value| value.first() != Some(&0));
    match kind {
        "vxlan" => Nature::Vxlan {
            vni: data.u32(IFLA_VXLAN_ID).unwrap_or_default(),
            port: data.find(IFLA_VXLAN_PORT).and_then(|port| u16_at(port, 0)).map_or(0, u16::from_be),
            local: set(IFLA_VXLAN_LOCAL).or_else(|| set(IFLA_VXLAN_LOCAL6)),
            floods: on(IFLA_VXLAN_LEARNING)
                || on(IFLA_VXLAN_COLLECT_METADATA)
                || set(IFLA_VXLAN_GROUP).or_else(|| set(IFLA_VXLAN_GROUP6)).is_some(),
        },
        "ipip" => Nature::Ipip { local: set(IFLA_IPTUN_LOCAL), remote: set(IFLA_IPTUN_REMOTE) },
        other => Nature::Other(other.to_owned()),
    }
}

/// What a device should be.
pub(crate) fn nature_of(device: &Device, local: IpAddr) -> Nature {
    match device.kind {
        Kind::Vxlan { vni, port } => Nature::Vxlan { vni, port, local: Some(local), floods: false },
        // Takes what no other device takes, whatever address it was sent to.
        Kind::Ipip if device.is_fallback() => Nature::Ipip { local: None, remote: None },
        Kind::Ipip => Nature::Ipip { local: Some(local), remote: None },
    }
}

/// An address on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) index: u32,
    pub(crate) address: IpNetwork,
    /// Valid beyond the link.
    pub(crate) global: bool,
    /// The kernel prefers others as source.
    pub(crate) passing: bool,
}

impl Address {
    /// Reads the body of RTM_NEWADDR.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let attributes = Attributes::after(ADDRESS_HEADER, body);
        let [_, prefix, flags, scope] = *body.first_chunk()?;
        let flags = attributes.u32(libc::IFA_FLAGS).unwrap_or(flags.into());
        // IFA_ADDRESS is the other end's of a point-to-point device.
        let own = attributes.address(libc::IFA_LOCAL).or_else(|| attributes.address(libc::IFA_ADDRESS))?;
        Some(Self {
            index: u32_at(body, 4)?,
            address: IpNetwork::new(own, prefix).ok()?,
            global: scope == libc::RT_SCOPE_UNIVERSE,
            // For IPv4 IFA_F_SECONDARY, which is the same bit.
            passing: flags & (libc::IFA_F_TEMPORARY | libc::IFA_F_DEPRECATED) != 0,
        })
    }
}

/// The device of this name.
pub(crate) fn find(kernel: &mut Kernel, name: &str) -> Result<Option<Link>, TunnelError> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    kernel.get(RouteNetlinkMessage::GetLink(message), Link::parse)
}

/// The device of this index.
pub(crate) fn at(kernel: &mut Kernel, index: u32) -> Result<Option<Link>, TunnelError> {
    kernel.get(RouteNetlinkMessage::GetLink(about(index)), Link::parse)
}

/// All devices.
pub(crate) fn all(kernel: &mut Kernel) -> Result<Vec<Link>, TunnelError> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    kernel.dump("links", &RouteNetlinkMessage::GetLink(message), Link::parse)
}

/// Addresses of all devices, or of one.
pub(crate) fn addresses(
    kernel: &mut Kernel,
    family: AddressFamily,
    index: Option<u32>,
) -> Result<Vec<Address>, TunnelError> {
    let mut message = AddressMessage::default();
    message.header.family = family;
    message.header.index = index.unwrap_or_default();
    kernel.dump("addresses", &RouteNetlinkMessage::GetAddress(message), |body| {
        Address::parse(body).filter(|address| index.is_none_or(|index| index == address.index))
    })
}

/// The message that creates a device: down, without alias.
pub(crate) fn create(device: &Device, local: IpAddr, mtu: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::IfName(device.name.clone()), LinkAttribute::Mtu(mtu)];
    let info = match device.kind {
        Kind::Vxlan { vni, port } => {
            message.attributes.push(LinkAttribute::Address(vtep_mac(local).to_vec()));
            let local = match local {
                IpAddr::V4(local) => InfoVxlan::Local(local),
                IpAddr::V6(local) => InfoVxlan::Local6(local),
            };
            let data = vec![InfoVxlan::Id(vni), InfoVxlan::Port(port), local, InfoVxlan::Learning(false)];
            vec![LinkInfo::Kind(InfoKind::Vxlan), LinkInfo::Data(InfoData::Vxlan(data))]
        }
        Kind::Ipip => {
            let mut data = vec![InfoIpTunnel::PMtuDisc(true)];
            if !device.is_fallback() {
                data.push(InfoIpTunnel::Local(local));
            }
            vec![LinkInfo::Kind(InfoKind::IpIp), LinkInfo::Data(InfoData::IpTunnel(data))]
        }
    };
    message.attributes.push(LinkAttribute::LinkInfo(info));
    RouteNetlinkMessage::NewLink(message)
}

fn about(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// The message that changes one attribute.
pub(crate) fn set(index: u32, attribute: LinkAttribute) -> RouteNetlinkMessage {
    let mut message = about(index);
    message.attributes.push(attribute);
    RouteNetlinkMessage::SetLink(message)
}

/// The message that sets a device up or down.
pub(crate) fn set_up(index: u32, up: bool) -> RouteNetlinkMessage {
    let mut message = about(index);
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

pub(crate) fn delete(index: u32) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelLink(about(index))
}

/// The message about an address on a device, for RTM_NEWADDR and RTM_DELADDR.
pub(crate) fn address(index: u32, address: IpNetwork) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix();
    message.attributes = vec![AddressAttribute::Local(address.ip()), AddressAttribute::Address(address.ip())];
    message.header.family = match address {
        IpNetwork::V4(_) => AddressFamily::Inet,
        IpNetwork::V6(_) => {
            // There is nobody to ask whether it is taken.
            message.header.flags = AddressHeaderFlags::Nodad;
            AddressFamily::Inet6
        }
    };
    message
}
