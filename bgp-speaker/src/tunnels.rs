//! The tunnels' devices as the pools need them, and when routes change their way.
//!
//! ```text
//!  reload ──► devices of the old and the new modes ──► switch-delay over, devices up ──► routes move ──► 60 s ──► the
//!             (at once)                                                                                old device goes
//! ```
//! Devices come before the routes into them and go after them, so that no packet is lost on the way, and those that other
//! nodes still send are received.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::Prefix;
use bgp_daemon::api::schema::{self, PoolRow, TunnelRow, TunnelState};
use bgp_daemon::config::{Config, Network, Selector};
use fib_sync::IpNetwork;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};
use tunnel::{Desired, Device, DeviceError, DeviceState, Event, Family, Kind, Part, TunnelError, Tunnels};

use crate::pools::{Carrier, Names, Steering, Subnets, Ways};
use crate::speaker::SpeakerError;

/// How long a device that no route goes through any more receives what others still send.
const LINGER: Duration = Duration::from_secs(60);

/// What tunnels are missing when their netlink sockets have failed.
const NOT_KEPT: &str = "the tunnels are no longer kept; the log says why";

/// The other modes that routes will follow.
#[derive(Debug)]
struct Switch {
    ways: Ways,
    at: Instant,
}

/// The tunnels of the node.
pub(crate) struct Overlay {
    tunnels: Tunnels,
    network: Network,
    /// What routes follow now.
    steering: Steering,
    /// What they will follow, if that is something else.
    switch: Option<Switch>,
    /// Devices that only receive, and until when.
    lingering: BTreeMap<Carrier, Instant>,
    /// Peers by address, and the next hops of routes.
    peers: BTreeSet<IpAddr>,
    next_hops: BTreeSet<IpAddr>,
    problems: BTreeMap<Part, DeviceError>,
    /// Whether the tunnels have had their first turn: the node's subnets are known as far as they can be.
    settled: bool,
    /// Whether the sockets still work.
    works: bool,
}

/// What happened to the tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Routes have another way now: [`Overlay::steering`].
    Ways,
    /// Something that routes do not depend on.
    Other,
}

impl Overlay {
    /// Opens the sockets, and desires what the configuration says. Needs a tokio runtime.
    ///
    /// # Errors
    /// No permission, no netlink.
    pub(crate) fn open(config: &Config) -> Result<Overlay, SpeakerError> {
        let network = config.network.clone().unwrap_or_default();
        let ways = Ways::new(&network);
        let names = Names::new(&network.tunnels)?;
        let mut overlay = Overlay {
            tunnels: Tunnels::open()?,
            steering: Steering {
                ways,
                subnets: Subnets::default(),
                names,
                usable: BTreeSet::new(),
                nodes: BTreeMap::new(),
            },
            network,
            switch: None,
            lingering: BTreeMap::new(),
            peers: peers(config),
            next_hops: BTreeSet::new(),
            problems: BTreeMap::new(),
            settled: false,
            works: true,
        };
        overlay.desire();
        Ok(overlay)
    }

    /// How routes are steered.
    pub(crate) fn steering(&self) -> &Steering {
        &self.steering
    }

    /// Whether routes can be steered: where they need tunnels, the devices and the node's subnets have been looked at. Until
    /// then those of an earlier run stay as they are.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled || !self.works || self.steering.ways.carriers().next().is_none()
    }

    /// The configuration has changed: devices follow at once, routes once `switch-delay` is over.
    pub(crate) fn reload(&mut self, config: &Config) {
        self.network = config.network.clone().unwrap_or_default();
        self.peers = peers(config);
        let ways = Ways::new(&self.network);
        if ways == self.steering.ways {
            self.switch = None;
        } else if self.switch.as_ref().is_none_or(|switch| switch.ways != ways) {
            let delay = self.network.tunnels.switch_delay;
            info!(?delay, "pools have other modes: devices follow now, routes after the delay");
            self.switch = Some(Switch { ways, at: Instant::now() + delay });
        }
        self.desire();
    }

    /// Routes lead to this next hop, which is another node's.
    pub(crate) fn watch(&mut self, address: IpAddr) {
        if address.is_ipv6() {
            self.steering.nodes.insert(tunnel::vxlan_gateway(address), address);
        }
        if self.next_hops.insert(address) && !self.peers.contains(&address) && !self.is_own(address) {
            self.tunnels.add_host(address);
        }
    }

    /// No route does any more.
    pub(crate) fn unwatch(&mut self, address: IpAddr) {
        self.steering.nodes.remove(&tunnel::vxlan_gateway(address));
        if self.next_hops.remove(&address) && !self.peers.contains(&address) {
            self.tunnels.remove_host(address);
        }
    }

    /// Works on the devices, follows the kernel and the clock. Cancel safe.
    pub(crate) async fn next(&mut self) -> Change {
        if self.switch_is_due() {
            return self.carry_out_switch();
        }
        let deadline = self.deadline();
        let clock = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let event =
            async { if self.works { self.tunnels.next().await } else { std::future::pending().await } };
        tokio::select! {
            event = event => self.event(event),
            () = clock => {
                let now = Instant::now();
                let before = self.lingering.len();
                self.lingering.retain(|_, until| *until > now);
                if self.lingering.len() < before {
                    self.desire();
                }
                Change::Other
            }
        }
    }

    /// When the clock alone changes something.
    fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        // One that is due waits for its devices, not for the clock.
        let switch = self.switch.as_ref().map(|switch| switch.at).filter(|at| *at > now);
        self.lingering.values().copied().chain(switch).min()
    }

    fn switch_is_due(&self) -> bool {
        let Some(Switch { ways, at }) = &self.switch else { return false };
        if *at > Instant::now() {
            return false;
        }
        let devices = self.tunnels.devices();
        let is_decided = |carrier: Carrier| {
            let name = self.steering.names.of(carrier);
            let of_name = devices.iter().find(|status| status.device.name == name.as_str());
            of_name.is_some_and(|status| status.state != DeviceState::Pending)
        };
        !self.works || ways.carriers().all(is_decided)
    }

    fn carry_out_switch(&mut self) -> Change {
        if let Some(Switch { ways, .. }) = self.switch.take() {
            let before: BTreeSet<Carrier> = self.steering.ways.carriers().collect();
            self.steering.ways = ways;
            let until = Instant::now() + LINGER;
            self.lingering.extend(before.into_iter().map(|carrier| (carrier, until)));
            let in_use: BTreeSet<Carrier> = self.steering.ways.carriers().collect();
            self.lingering.retain(|carrier, _| !in_use.contains(carrier));
            info!("routes follow the pools' other modes");
            self.desire();
        }
        Change::Ways
    }

    fn event(&mut self, event: Result<Event, TunnelError>) -> Change {
        match event {
            Ok(Event::InSync) => self.settled = true,
            Ok(Event::Ready { part }) => {
                info!("{part} is as configured");
                self.problems.remove(&part);
                return self.note_usable(&part, true);
            }
            Ok(Event::Failed { part, error }) => {
                error!("{part} cannot be as configured: {error}");
                let change = self.note_usable(&part, false);
                self.problems.insert(part, error);
                return change;
            }
            Ok(Event::Removed { part }) => {
                info!("{part} is removed");
                self.problems.remove(&part);
                return self.note_usable(&part, false);
            }
            Ok(Event::Repaired { part, what }) => {
                warn!("{part} had been changed by somebody else ({what}) and is put right");
            }
            Ok(Event::Uplink(uplink)) => {
                info!(interface = uplink.interface, address = %uplink.address, mtu = uplink.mtu, "uplink");
                let moved = self.steering.subnets.set(uplink.address);
                self.desire();
                if moved && self.steering.ways.need_subnets() {
                    return Change::Ways;
                }
            }
            Ok(Event::NoUplink(family)) => {
                warn!("the node has no {family} uplink: tunnels stay as they are");
                self.settled = true;
            }
            Err(failure) => {
                error!("the tunnels can no longer be kept: {failure}");
                self.works = false;
            }
        }
        Change::Other
    }

    /// Whether routes may go through a device, which changes the way of those that would.
    fn note_usable(&mut self, part: &Part, usable: bool) -> Change {
        let Part::Device(name) = part else { return Change::Other };
        let names = self.steering.names;
        let Some(carrier) = Carrier::ALL.into_iter().find(|carrier| names.of(*carrier).as_str() == name)
        else {
            return Change::Other;
        };
        let known = &mut self.steering.usable;
        let changed = if usable { known.insert(carrier) } else { known.remove(&carrier) };
        if changed { Change::Ways } else { Change::Other }
    }

    // ---- what is desired ----

    fn desire(&mut self) {
        let Network { node, pools, tunnels, .. } = &self.network;
        let carriers: BTreeSet<Carrier> = self.carriers().collect();
        let devices: Vec<Device> = carriers.iter().map(|carrier| self.device(*carrier)).collect();
        let pool = |pool: &bgp_daemon::config::Pool| {
            Some(tunnel::Pool { cidr: network(&pool.cidr)?, nat_outgoing: pool.nat_outgoing })
        };
        let desired = Desired {
            node: tunnel::Node { v4: node.address, v6: node.address6 },
            // Without devices there is nothing to filter.
            filter_sources: tunnels.filter_sources && !devices.is_empty(),
            devices,
            hosts: self.peers.union(&self.next_hops).copied().filter(|host| !self.is_own(*host)).collect(),
            pools: pools.iter().filter_map(pool).collect(),
        };
        self.tunnels.set(desired);
    }

    /// The devices of the modes now, of those to come, and those that linger.
    fn carriers(&self) -> impl Iterator<Item = Carrier> {
        let to_come = self.switch.iter().flat_map(|switch| switch.ways.carriers());
        self.steering.ways.carriers().chain(to_come).chain(self.lingering.keys().copied())
    }

    fn device(&self, carrier: Carrier) -> Device {
        let tunnels = &self.network.tunnels;
        let vxlan = Kind::Vxlan { vni: tunnels.vxlan_vni, port: tunnels.vxlan_port };
        let (kind, address) = match carrier {
            Carrier::Ipip => (Kind::Ipip, tunnels.ipip_address.map(IpAddr::V4)),
            Carrier::Vxlan4 => (vxlan, tunnels.vxlan_address.map(IpAddr::V4)),
            Carrier::Vxlan6 => (vxlan, tunnels.vxlan6_address.map(IpAddr::V6)),
        };
        Device {
            name: self.steering.names.of(carrier).to_string(),
            kind,
            family: if carrier.is_ipv6() { Family::V6 } else { Family::V4 },
            address: address.map(IpNetwork::from),
            mtu: tunnels.mtu.map(std::num::NonZeroU32::get),
            checksum_offload: tunnels.checksum_offload,
        }
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.steering.subnets.of(address.is_ipv6()).is_some_and(|own| own.ip() == address)
    }

    // ---- what is shown ----

    /// A sentence for each thing that is not as configured.
    pub(crate) fn missing(&self) -> Vec<String> {
        let problems = self.problems.iter().map(|(part, error)| format!("{part}: {error}"));
        problems.chain((!self.works).then(|| NOT_KEPT.to_owned())).collect()
    }

    /// As the control API tells it.
    pub(crate) fn status(&self) -> schema::Tunnels {
        let in_use: BTreeSet<Carrier> = self.steering.ways.carriers().collect();
        let states = self.tunnels.devices();
        let row = |carrier: Carrier| {
            let device = self.device(carrier);
            let state = states.iter().find(|status| status.device.name == device.name);
            let state = state.map_or(&DeviceState::Pending, |status| &status.state);
            let ipv6 = carrier.is_ipv6();
            TunnelRow {
                kind: if device.kind == Kind::Ipip { "ipip" } else { "vxlan" }.to_owned(),
                family: if ipv6 { "ipv6" } else { "ipv4" }.to_owned(),
                local: self.steering.subnets.of(ipv6).map(|own| own.ip()),
                mtu: match state {
                    DeviceState::Ready { mtu, .. } => Some(*mtu),
                    _ => device.mtu,
                },
                state: match state {
                    DeviceState::Pending => TunnelState::Pending,
                    DeviceState::Ready { .. } => TunnelState::Up,
                    DeviceState::Failed(_) => TunnelState::Failed,
                },
                hosts: self.hosts(ipv6),
                problem: match state {
                    DeviceState::Failed(error) => Some(error.to_string()),
                    _ => None,
                },
                in_use: in_use.contains(&carrier),
                device: device.name,
            }
        };
        let carriers: BTreeSet<Carrier> = self.carriers().collect();
        schema::Tunnels {
            tunnels: carriers.into_iter().map(row).collect(),
            pools: self.network.pools.iter().filter_map(|pool| self.pool_row(pool)).collect(),
            hosts: self.hosts(false) + self.hosts(true),
            filter_problem: self.problems.get(&Part::Filter).map(ToString::to_string),
        }
    }

    fn pool_row(&self, pool: &bgp_daemon::config::Pool) -> Option<PoolRow> {
        let cidr = network(&pool.cidr)?;
        let mode = |ways: &Ways| ways.of(cidr).map_or_else(|| "never".to_owned(), ToString::to_string);
        let now = mode(&self.steering.ways);
        let next = self.switch.as_ref().map(|switch| mode(&switch.ways));
        Some(PoolRow {
            cidr: pool.cidr,
            block_size: pool.block_size,
            next_mode: next.filter(|next| *next != now),
            mode: now,
            nat_outgoing: pool.nat_outgoing,
            selected: self.network.is_for_us(pool),
        })
    }

    fn hosts(&self, ipv6: bool) -> u64 {
        let hosts = self.peers.union(&self.next_hops);
        hosts.filter(|host| host.is_ipv6() == ipv6 && !self.is_own(**host)).count() as u64
    }
}

/// The peers that are configured by address.
fn peers(config: &Config) -> BTreeSet<IpAddr> {
    let address = |selector: &Selector| match selector {
        Selector::Address(address) => Some(*address),
        Selector::OnLink(..) | Selector::Interface(_) | Selector::Range(_) => None,
    };
    config.peers.iter().filter_map(|peer| address(&peer.selector)).collect()
}

/// The same in the type of the kernel's side.
pub(crate) fn network(prefix: &Prefix) -> Option<IpNetwork> {
    IpNetwork::new(prefix.address(), prefix.len()).ok()
}
