//! Where VXLAN packets go: for each known host a permanent neighbour (the gateway of routes to it, to its
//! device's MAC) and a static entry of the device's FDB (that MAC to its address). Nothing is learned, nothing is
//! flooded.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::{KernelError, TunnelError};
use crate::netlink::{Attributes, Kernel, u16_at, u32_at};
use crate::spec::Family;
use crate::uplink::address_family;
use crate::vtep::{link_local, vtep_mac, vxlan_gateway};

/// `struct ndmsg`.
const HEADER: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_PORT: u16 = 6;
const NDA_VNI: u16 = 7;
/// Hosts done at once, so that many leave room for other work.
const BATCH: usize = 128;

/// A neighbour or, with `fdb`, an entry of a device's FDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) index: u32,
    fdb: bool,
    address: Option<IpAddr>,
    mac: Vec<u8>,
    permanent: bool,
    /// An entry of the FDB that leaves the device's own port or network.
    elsewhere: bool,
}

impl Entry {
    /// Reads the body of RTM_NEWNEIGH or RTM_DELNEIGH.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let attributes = Attributes::after(HEADER, body);
        Some(Self {
            index: u32_at(body, 4)?,
            fdb: body.first() == Some(&(libc::AF_BRIDGE as u8)),
            address: attributes.address(NDA_DST),
            mac: attributes.find(NDA_LLADDR).unwrap_or_default().to_vec(),
            permanent: u16_at(body, 8)? & libc::NUD_PERMANENT != 0,
            elsewhere: attributes.find(NDA_PORT).or_else(|| attributes.find(NDA_VNI)).is_some(),
        })
    }

    /// Whether it is as ours to its address would be.
    fn is_right(&self) -> bool {
        let belongs = |address| match address {
            IpAddr::V6(gateway) if !self.fdb => {
                self.mac.first_chunk().copied().map(link_local) == Some(gateway)
            }
            host => vtep_mac(host) == *self.mac,
        };
        self.permanent && !self.elsewhere && self.address.is_some_and(belongs)
    }
}

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Add(IpAddr),
    Remove(IpAddr),
    RemoveNeighbour(IpAddr),
    RemoveForwarding(Vec<u8>, Option<IpAddr>),
}

/// The hosts behind one device.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    /// Both entries of these are right, as far as events tell.
    right: BTreeSet<IpAddr>,
    /// Their gateways.
    gateways: BTreeSet<IpAddr>,
    work: VecDeque<Change>,
    /// What the kernel has is not known.
    unread: bool,
}

impl Neighbours {
    /// Has all read and compared again.
    pub(crate) fn read_again(&mut self) {
        self.unread = true;
    }

    pub(crate) fn add(&mut self, host: IpAddr) {
        self.work.push_back(Change::Add(host));
    }

    pub(crate) fn remove(&mut self, host: IpAddr) {
        self.work.push_back(Change::Remove(host));
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    pub(crate) fn is_done(&self) -> bool {
        !self.unread && self.work.is_empty()
    }

    /// Learns of an event; `true` if it was someone's interference.
    pub(crate) fn happened(&mut self, entry: &Entry, exists: bool) -> bool {
        let ours = if entry.fdb { &self.right } else { &self.gateways };
        let known = entry.address.is_some_and(|address| ours.contains(&address));
        let harmless = match exists {
            true if known => entry.is_right(),
            // The kernel's own attempts to resolve an address.
            true => !entry.permanent && !entry.fdb,
            // An FDB entry of another MAC with the same destination may go.
            false => !known || !entry.is_right(),
        };
        self.unread |= !harmless;
        !harmless
    }

    /// Does a part of what is to be done. `Ok(Ok(true))`: something was wrong without anyone having asked.
    pub(crate) fn work(
        &mut self,
        kernel: &mut Kernel,
        device: &Place,
        hosts: &BTreeSet<IpAddr>,
    ) -> Result<Result<bool, KernelError>, TunnelError> {
        let mut found_wrong = false;
        if std::mem::take(&mut self.unread) {
            let entries = device.entries(kernel)?;
            found_wrong = self.compare(&entries, &device.wanted(hosts));
        }
        for _ in 0..BATCH {
            let Some(change) = self.work.pop_front() else { break };
            if let Err(error) = self.carry_out(kernel, device, change)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(found_wrong))
    }

    fn compare(&mut self, entries: &[Entry], wanted: &BTreeSet<IpAddr>) -> bool {
        let gateways: BTreeSet<IpAddr> = wanted.iter().copied().map(vxlan_gateway).collect();
        let (mut resolved, mut forwarded) = (BTreeSet::new(), BTreeSet::new());
        self.work.clear();
        for entry in entries {
            let wrong = match entry.address {
                Some(host) if entry.fdb && wanted.contains(&host) && vtep_mac(host) == *entry.mac => {
                    forwarded.extend(entry.is_right().then_some(host));
                    // What is found by its MAC is replaced by what is right.
                    None
                }
                host if entry.fdb => Some(Change::RemoveForwarding(entry.mac.clone(), host)),
                Some(gateway) if gateways.contains(&gateway) => {
                    resolved.extend(entry.is_right().then_some(gateway));
                    None
                }
                gateway => gateway.filter(|_| entry.permanent).map(Change::RemoveNeighbour),
            };
            self.work.extend(wrong);
        }
        let is_right = |host: &&IpAddr| forwarded.contains(host) && resolved.contains(&vxlan_gateway(**host));
        self.right = wanted.iter().filter(is_right).copied().collect();
        self.gateways = self.right.iter().copied().map(vxlan_gateway).collect();
        self.work.extend(wanted.difference(&self.right).map(|host| Change::Add(*host)));
        !self.work.is_empty()
    }

    fn carry_out(
        &mut self,
        kernel: &mut Kernel,
        device: &Place,
        change: Change,
    ) -> Result<Result<(), KernelError>, TunnelError> {
        let gone = |answer: Result<(), KernelError>| match answer {
            Err(error) if error.errno == libc::ENOENT => Ok(()),
            other => other,
        };
        let set = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let new = RouteNetlinkMessage::NewNeighbour;
        let delete = RouteNetlinkMessage::DelNeighbour;
        Ok(match change {
            Change::Add(host) => {
                let mac = vtep_mac(host);
                match kernel.change(new(device.forwarding(&mac, Some(host))), set)? {
                    Ok(()) => {
                        let gateway = vxlan_gateway(host);
                        let answer = kernel.change(new(device.neighbour(gateway, Some(mac))), set)?;
                        if answer.is_ok() {
                            self.right.insert(host);
                            self.gateways.insert(gateway);
                        }
                        answer
                    }
                    error => error,
                }
            }
            Change::Remove(host) => {
                let gateway = vxlan_gateway(host);
                self.right.remove(&host);
                self.gateways.remove(&gateway);
                let neighbour = gone(kernel.change(delete(device.neighbour(gateway, None)), 0)?);
                let forwarding =
                    gone(kernel.change(delete(device.forwarding(&vtep_mac(host), Some(host))), 0)?);
                neighbour.and(forwarding)
            }
            Change::RemoveNeighbour(address) => {
                gone(kernel.change(delete(device.neighbour(address, None)), 0)?)
            }
            Change::RemoveForwarding(mac, host) => {
                gone(kernel.change(delete(device.forwarding(&mac, host)), 0)?)
            }
        })
    }
}

/// The device whose neighbours these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: u32,
    pub(crate) family: Family,
    pub(crate) local: IpAddr,
}

impl Place {
    /// Whether a host is at the other end of this device.
    pub(crate) fn serves(&self, host: IpAddr) -> bool {
        Family::of(host) == self.family && host != self.local
    }

    fn wanted(&self, hosts: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
        hosts.iter().copied().filter(|host| self.serves(*host)).collect()
    }

    fn message(&self, family: AddressFamily) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = family;
        message.header.ifindex = self.index;
        message
    }

    fn neighbour(&self, address: IpAddr, mac: Option<[u8; 6]>) -> NeighbourMessage {
        let mut message = self.message(address_family(self.family));
        message.header.state = NeighbourState::Permanent;
        message.attributes.push(NeighbourAttribute::Destination(destination(address)));
        message.attributes.extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.to_vec())));
        message
    }

    fn forwarding(&self, mac: &[u8], host: Option<IpAddr>) -> NeighbourMessage {
        let mut message = self.message(AddressFamily::Bridge);
        message.header.state = NeighbourState::Permanent;
        message.header.flags = NeighbourFlags::Own;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        message.attributes.extend(host.map(|host| NeighbourAttribute::Destination(destination(host))));
        message
    }

    /// What the kernel has.
    fn entries(&self, kernel: &mut Kernel) -> Result<Vec<Entry>, TunnelError> {
        let mut neighbours = self.message(address_family(self.family));
        // The index of a dump is an attribute, but the FDB's is in the header.
        neighbours.header.ifindex = 0;
        neighbours.attributes.push(NeighbourAttribute::IfIndex(self.index));
        let forwardings = self.message(AddressFamily::Bridge);
        let mut all = Vec::new();
        for message in [neighbours, forwardings] {
            let listed = kernel.dump("neighbours", &RouteNetlinkMessage::GetNeighbour(message), |body| {
                Entry::parse(body).filter(|entry| entry.index == self.index)
            });
            all.extend(listed?);
        }
        Ok(all)
    }
}

fn destination(host: IpAddr) -> NeighbourAddress {
    match host {
        IpAddr::V4(host) => NeighbourAddress::Inet(host),
        IpAddr::V6(host) => NeighbourAddress::Inet6(host),
    }
}
