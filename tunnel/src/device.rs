//! One device: what differs between what is desired and what the kernel has, and the message that puts the
//! first difference right.
//!
//! The kernel is looked at before each message. So it does not matter where an earlier run was stopped, and
//! nothing has to be remembered.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::{DeviceError, KernelError, TunnelError};
use crate::link::{self, ALIAS, Link, Nature, nature_of};
use crate::netlink::{Answer, Kernel};
use crate::offload;
use crate::reverse_path::{self, Remedy, ReversePath};
use crate::spec::{Device, FALLBACK_IPIP, Family, Kind};
use crate::vtep::vtep_mac;

/// A device with all that depends on the uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) device: Device,
    pub(crate) local: IpAddr,
    pub(crate) mtu: u32,
}

/// A device as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) link: Link,
    /// Those beyond the link.
    addresses: Vec<IpNetwork>,
    /// Transmit checksums; unknown if the device cannot say.
    offload: Option<bool>,
    reverse_path: ReversePath,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Delete,
    Mark,
    Unmark,
    Mac,
    Mtu,
    RemoveAddress(IpNetwork),
    AddAddress(IpNetwork),
    Offload(bool),
    Loosen(Remedy),
    Up,
    Down,
}

impl Step {
    /// Whether a device can do without.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(self, Self::Offload(_) | Self::Loosen(_))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create | Self::Delete => "device",
            Self::Mark | Self::Unmark => "alias",
            Self::Mac => "mac",
            Self::Mtu => "mtu",
            Self::RemoveAddress(_) | Self::AddAddress(_) => "address",
            Self::Offload(_) => "checksum offload",
            Self::Loosen(_) => "rp_filter",
            Self::Up | Self::Down => "state",
        })
    }
}

/// Looks at the device of this name.
pub(crate) fn look(kernel: &mut Kernel, name: &str) -> Result<Option<Found>, TunnelError> {
    let Some(link) = link::find(kernel, name)? else { return Ok(None) };
    let listed = link::addresses(kernel, AddressFamily::Unspec, Some(link.index))?;
    Ok(Some(Found {
        addresses: listed.into_iter().filter(|a| !is_link_local(a.address.ip())).map(|a| a.address).collect(),
        offload: offload::is_on(kernel.socket(), name).ok(),
        reverse_path: ReversePath::read(name),
        link,
    }))
}

/// The kernel gives these to every device.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The first thing to be done for a desired device.
pub(crate) fn next_step(
    plan: &Plan,
    found: Option<&Found>,
    skip: &[Step],
) -> Result<Option<Step>, DeviceError> {
    let Some(found) = found else { return Ok(Some(Step::Create)) };
    let nature = nature_of(&plan.device, plan.local);
    check_owner(plan, &found.link, &nature)?;
    if !found.link.is_ours() {
        return Ok(Some(Step::Mark));
    }
    if found.link.nature != nature {
        return Ok(Some(Step::Delete));
    }
    let wanted = plan.device.address;
    let checksums = plan.device.checksum_offload;
    let mac = !matches!(plan.device.kind, Kind::Vxlan { .. }) || found.link.mac == vtep_mac(plan.local);
    let has_ipv4 = found.addresses.iter().any(IpNetwork::is_ipv4);
    let remedy = found.reverse_path.remedy(has_ipv4).filter(|_| plan.device.family == Family::V4);
    let excess = found.addresses.iter().find(|address| Some(**address) != wanted);
    let steps = [
        (!mac).then_some(Step::Mac),
        (found.link.mtu != plan.mtu).then_some(Step::Mtu),
        excess.map(|address| Step::RemoveAddress(*address)),
        wanted.filter(|address| !found.addresses.contains(address)).map(Step::AddAddress),
        found.offload.filter(|on| *on != checksums).map(|_| Step::Offload(checksums)),
        remedy.map(Step::Loosen),
        (!found.link.up).then_some(Step::Up),
    ];
    Ok(steps.into_iter().flatten().find(|step| !skip.contains(step)))
}

/// Refuses a device that someone else made.
fn check_owner(plan: &Plan, link: &Link, nature: &Nature) -> Result<(), DeviceError> {
    let foreign = |what: String| Err(DeviceError::Foreign { name: link.name.clone(), what });
    if link.kind() != nature_kind(nature) {
        let kind = Some(link.kind()).filter(|kind| !kind.is_empty()).unwrap_or("physical");
        return foreign(format!("a {kind} device where {} is desired", nature_kind(nature)));
    }
    let fits = link.nature == *nature;
    if plan.device.is_fallback() {
        return if fits { Ok(()) } else { foreign("an ipip device with addresses of its own".into()) };
    }
    // What an earlier run made and had no time to mark: still down. An IPIP device has no mark but its name.
    let unmarked = fits && !link.up && link.alias.is_none();
    if link.is_ours() || link.is_half_made() || unmarked {
        return Ok(());
    }
    foreign(match &link.alias {
        Some(alias) => format!("its alias is {alias:?}, ours have {ALIAS:?}"),
        None => format!("it lacks the alias {ALIAS:?} of ours"),
    })
}

fn nature_kind(nature: &Nature) -> &str {
    match nature {
        Nature::Vxlan { .. } => "vxlan",
        Nature::Ipip { .. } => "ipip",
        Nature::Other(kind) => kind,
    }
}

/// The first thing to be done for a device that is no longer desired.
pub(crate) fn next_removal(found: Option<&Found>) -> Option<Step> {
    let found = found.filter(|found| found.link.is_ours() || found.link.is_half_made())?;
    if found.link.kind() != "ipip" || found.link.name != FALLBACK_IPIP {
        return Some(Step::Delete);
    }
    let address = found.addresses.first().map(|address| Step::RemoveAddress(*address));
    address.or(found.link.up.then_some(Step::Down)).or(Some(Step::Unmark))
}

/// Carries out a change. Both errors: the inner one is about this device alone.
pub(crate) fn carry_out(
    kernel: &mut Kernel,
    step: &Step,
    plan: Option<&Plan>,
    index: u32,
    name: &str,
) -> Result<Result<(), DeviceError>, TunnelError> {
    let (message, flags) = match (step, plan) {
        (Step::Create, Some(plan)) => return create(kernel, plan),
        (Step::Offload(on), _) => {
            let done = offload::switch(kernel.socket(), name, *on);
            return Ok(done.map_err(|error| failed("switch checksum offload", error)));
        }
        (Step::Loosen(Remedy::Address), _) => return Ok(Err(DeviceError::ReversePath(name.to_owned()))),
        (Step::Loosen(Remedy::Set(value)), _) => {
            let done = reverse_path::set(name, *value);
            return Ok(done.map_err(|error| failed(&format!("set rp_filter of {name} to {value}"), error)));
        }
        (Step::Mac, Some(plan)) => {
            (link::set(index, LinkAttribute::Address(vtep_mac(plan.local).to_vec())), 0)
        }
        (Step::Mtu, Some(plan)) => (link::set(index, LinkAttribute::Mtu(plan.mtu)), 0),
        (Step::Mark, _) => (link::set(index, LinkAttribute::IfAlias(ALIAS.to_owned())), 0),
        (Step::Unmark, _) => (link::set(index, LinkAttribute::IfAlias(String::new())), 0),
        (Step::AddAddress(address), _) => {
            let message = RouteNetlinkMessage::NewAddress(link::address(index, *address));
            (message, libc::NLM_F_CREATE | libc::NLM_F_REPLACE)
        }
        (Step::RemoveAddress(address), _) => {
            (RouteNetlinkMessage::DelAddress(link::address(index, *address)), 0)
        }
        (Step::Up, _) => (link::set_up(index, true), 0),
        (Step::Down, _) => (link::set_up(index, false), 0),
        // Only a desired device lacks something that a plan tells.
        (Step::Delete | Step::Create | Step::Mac | Step::Mtu, _) => (link::delete(index), 0),
    };
    let answer = kernel.change(message, flags)?;
    Ok(answer.or_else(|error| refused(step, name, error)))
}

fn failed(what: &str, error: std::io::Error) -> DeviceError {
    let error = KernelError { errno: error.raw_os_error().unwrap_or(libc::EIO), text: None };
    DeviceError::Kernel { what: what.to_owned(), error }
}

fn refused(step: &Step, name: &str, error: KernelError) -> Result<(), DeviceError> {
    match (step, error.errno) {
        // Gone in the meantime: looked at again.
        (_, libc::ENODEV) => Ok(()),
        (Step::RemoveAddress(_), libc::EADDRNOTAVAIL) => Ok(()),
        (Step::Up, libc::EADDRINUSE) => {
            let what = format!("set {name} up, since another program has its UDP port");
            Err(DeviceError::Kernel { what, error })
        }
        _ => Err(DeviceError::Kernel { what: format!("set the {step} of {name}"), error }),
    }
}

fn create(kernel: &mut Kernel, plan: &Plan) -> Result<Result<(), DeviceError>, TunnelError> {
    let message = link::create(&plan.device, plan.local, plan.mtu);
    let answer: Answer = kernel.change(message, libc::NLM_F_CREATE | libc::NLM_F_EXCL)?;
    let Err(error) = answer else { return Ok(Ok(())) };
    let name = &plan.device.name;
    Ok(match (error.errno, plan.device.kind) {
        (libc::EOPNOTSUPP, Kind::Ipip) => Err(DeviceError::NoModule { module: "ipip", config: "NET_IPIP" }),
        (libc::EOPNOTSUPP, Kind::Vxlan { .. }) => {
            Err(DeviceError::NoModule { module: "vxlan", config: "VXLAN" })
        }
        // Loading the module has made tunl0, or someone else was quicker: looked at again.
        (libc::EEXIST, _) if link::find(kernel, name)?.is_some() => Ok(()),
        (libc::EEXIST, Kind::Vxlan { vni, port }) => {
            let all = link::all(kernel)?;
            let holder = all.into_iter().find(|link| holds(&link.nature, vni, port, plan.local));
            let kernel = DeviceError::Kernel { what: format!("create {name}"), error };
            Err(holder.map_or(kernel, |link| DeviceError::VniTaken { holder: link.name, vni, port }))
        }
        _ => Err(DeviceError::Kernel { what: format!("create {name}"), error }),
    })
}

fn holds(nature: &Nature, vni: u32, port: u16, ours: IpAddr) -> bool {
    match nature {
        Nature::Vxlan { vni: its, port: at, local, .. } => {
            (*its, *at) == (vni, port) && local.is_none_or(|local| local.is_ipv4() == ours.is_ipv4())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let device = Device {
            name: "vxlan.bgp".into(),
            kind: Kind::Vxlan { vni: 4096, port: 4789 },
            family: Family::V4,
            address: Some("10.244.0.1/32".parse().unwrap()),
            mtu: None,
            checksum_offload: true,
        };
        Plan { device, local: "192.0.2.1".parse().unwrap(), mtu: 1450 }
    }

    fn right(plan: &Plan) -> Found {
        Found {
            link: Link {
                index: 7,
                name: plan.device.name.clone(),
                alias: Some(ALIAS.into()),
                up: true,
                loopback: false,
                mtu: plan.mtu,
                mac: vtep_mac(plan.local).to_vec(),
                nature: nature_of(&plan.device, plan.local),
            },
            addresses: plan.device.address.into_iter().collect(),
            offload: Some(true),
            reverse_path: ReversePath::default(),
        }
    }

    fn step(change: impl FnOnce(&mut Found)) -> Option<Step> {
        let mut found = right(&plan());
        change(&mut found);
        next_step(&plan(), Some(&found), &[]).unwrap()
    }

    #[test]
    fn each_difference_has_its_step() {
        let other: IpNetwork = "10.9.9.9/32".parse().unwrap();
        let ours = plan().device.address.unwrap();
        assert_eq!(next_step(&plan(), None, &[]), Ok(Some(Step::Create)));
        assert_eq!(step(|_| {}), None);
        assert_eq!(step(|found| found.link.up = false), Some(Step::Up));
        assert_eq!(step(|found| found.link.mtu = 1500), Some(Step::Mtu));
        assert_eq!(step(|found| found.link.mac[3] ^= 1), Some(Step::Mac));
        assert_eq!(step(|found| found.addresses.push(other)), Some(Step::RemoveAddress(other)));
        assert_eq!(step(|found| found.addresses.clear()), Some(Step::AddAddress(ours)));
        assert_eq!(step(|found| found.reverse_path.own = 1), Some(Step::Loosen(Remedy::Set(2))));
        assert_eq!(step(|found| found.offload = Some(false)), Some(Step::Offload(true)));
        let away =
            Nature::Vxlan { vni: 4096, port: 4789, local: Some("192.0.2.9".parse().unwrap()), floods: false };
        assert_eq!(step(|found| found.link.nature = away), Some(Step::Delete));
    }

    #[test]
    fn a_device_of_someone_else_is_refused() {
        let mut found = right(&plan());
        found.link.alias = Some("my own".into());
        let error = next_step(&plan(), Some(&found), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "vxlan.bgp is not ours (its alias is \"my own\", ours have \"bgp-tunnel\"): delete it (ip link delete \
             vxlan.bgp), or choose another name"
        );
        found.link.nature = Nature::Other("bridge".into());
        assert!(next_step(&plan(), Some(&found), &[]).unwrap_err().to_string().contains("a bridge device"));
        assert_eq!(next_removal(Some(&found)), None);
    }

    #[test]
    fn a_device_made_and_not_yet_marked_is_taken_over() {
        let mut found = right(&plan());
        found.link.alias = None;
        assert!(next_step(&plan(), Some(&found), &[]).is_err());
        found.link.up = false;
        assert_eq!(next_step(&plan(), Some(&found), &[]), Ok(Some(Step::Mark)));
        // Of another configuration, too.
        let local = "192.0.2.9".parse().unwrap();
        found.link.nature = Nature::Vxlan { vni: 7, port: 8472, local: Some(local), floods: false };
        assert!(next_step(&plan(), Some(&found), &[]).is_err());
        found.link.mac = vtep_mac(local).to_vec();
        assert_eq!(next_step(&plan(), Some(&found), &[]), Ok(Some(Step::Mark)));
        assert_eq!(next_removal(Some(&found)), Some(Step::Delete));
    }

    #[test]
    fn the_fallback_device_is_taken_over_as_it_is_and_never_deleted() {
        let mut plan = plan();
        plan.device = Device { name: FALLBACK_IPIP.into(), kind: Kind::Ipip, ..plan.device };
        let mut found = right(&plan);
        found.link.alias = None;
        assert_eq!(next_step(&plan, Some(&found), &[]), Ok(Some(Step::Mark)));
        found.link.alias = Some(ALIAS.into());
        assert_eq!(next_removal(Some(&found)), plan.device.address.map(Step::RemoveAddress));
        found.addresses.clear();
        assert_eq!(next_removal(Some(&found)), Some(Step::Down));
        found.link.up = false;
        assert_eq!(next_removal(Some(&found)), Some(Step::Unmark));
    }
}
