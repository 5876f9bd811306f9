//! The reconciler: what is desired against what the kernel has.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::net::IpAddr;
use std::task::Poll;

use tracing::{debug, info};

use crate::device::{self, Plan};
use crate::error::{DeviceError, TunnelError};
use crate::event::{DeviceStatus, Event, Part};
use crate::firewall::{Firewall, State};
use crate::link;
use crate::netlink::Kernel;
use crate::slot::Slot;
use crate::spec::{Desired, Family, Uplink};
use crate::uplink::{self, Found};
use crate::watch::{Happening, Watch};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Keeps tunnel devices, their neighbours and their packet filter as desired.
///
/// Owns its sockets and starts no task: work is done inside [`next`](Self::next), one message to the kernel
/// at a time, between which it yields. Must live in a tokio runtime with I/O and time enabled. Dropping it
/// leaves everything in the kernel, for the next one to adopt.
pub struct Tunnels {
    kernel: Kernel,
    watch: Watch,
    firewall: Firewall,
    desired: Desired,
    slots: Vec<Slot>,
    /// Names of devices that are no longer desired.
    leaving: Vec<String>,
    uplinks: BTreeMap<Family, Seen>,
    uplinks_unread: bool,
    /// Nothing is done before something is desired.
    started: bool,
    /// Devices of earlier runs are to be looked for.
    leftovers_unread: bool,
    events: VecDeque<Event>,
    busy: bool,
}

/// How the node is connected, and was.
#[derive(Debug, Default)]
struct Seen {
    /// What tunnels are built upon: stays while there is none.
    last: Option<Found>,
    lost: bool,
}

impl Tunnels {
    /// Opens the sockets and subscribes to the kernel's events. Changes nothing until [`set`](Self::set).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as tokio's own sockets do.
    pub fn open() -> Result<Self, TunnelError> {
        let kernel = Kernel::open()?;
        let watch = Watch::open(kernel.port)?;
        Ok(Self {
            kernel,
            watch,
            firewall: Firewall::new(),
            desired: Desired::default(),
            slots: Vec::new(),
            leaving: Vec::new(),
            uplinks: BTreeMap::new(),
            uplinks_unread: true,
            started: false,
            leftovers_unread: true,
            events: VecDeque::new(),
            busy: false,
        })
    }

    /// Desires this and nothing else. Cheap if nothing changed; what failed is tried again.
    pub fn set(&mut self, desired: Desired) {
        let hosts = desired.hosts != self.desired.hosts;
        self.firewall.set(&desired);
        self.uplinks_unread |= desired.node != self.desired.node;
        self.started = true;
        self.busy = true;
        let mut before: BTreeMap<String, Slot> =
            self.slots.drain(..).map(|slot| (slot.device.name.clone(), slot)).collect();
        for device in &desired.devices {
            let slot = match before.remove(&device.name) {
                Some(mut slot) => {
                    slot.set(device.clone());
                    if hosts {
                        slot.neighbours().read_again();
                    }
                    slot
                }
                None => Slot::new(device.clone()),
            };
            self.slots.push(slot);
        }
        self.leaving.extend(before.into_keys());
        self.leaving.retain(|name| desired.devices.iter().all(|device| device.name != *name));
        self.desired = desired;
    }

    /// Another node.
    pub fn add_host(&mut self, host: IpAddr) {
        if self.desired.hosts.insert(host) {
            self.firewall.add_host(host);
            self.host_changed(host, true);
        }
    }

    /// A node that is no more.
    pub fn remove_host(&mut self, host: IpAddr) {
        if self.desired.hosts.remove(&host) {
            self.firewall.remove_host(host);
            self.host_changed(host, false);
        }
    }

    fn host_changed(&mut self, host: IpAddr, known: bool) {
        self.busy = true;
        self.slots.iter_mut().for_each(|slot| slot.host(host, known));
    }

    /// Carries out what is desired, follows the kernel's events, and returns what is worth telling.
    ///
    /// Cancel safe: nothing is lost when the future is dropped. An error means that the sockets no longer
    /// work or that there is no permission; devices stay.
    pub async fn next(&mut self) -> Result<Event, TunnelError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match self.step()? {
                Step::Worked => tokio::task::yield_now().await,
                Step::Idle if self.events.is_empty() => self.wait().await?,
                Step::Idle => {}
            }
        }
    }

    /// The desired devices and how they are.
    pub fn devices(&self) -> Vec<DeviceStatus> {
        self.slots.iter().map(Slot::status).collect()
    }

    /// The node's connections, one for each IP version, as last seen.
    pub fn uplinks(&self) -> Vec<Uplink> {
        self.uplinks
            .values()
            .filter_map(|seen| seen.last.as_ref())
            .map(|found| found.uplink.clone())
            .collect()
    }

    async fn wait(&mut self) -> Result<(), TunnelError> {
        poll_fn(|context| match self.watch.events.poll(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.firewall.poll(context),
        })
        .await
    }

    // ---- one step: events, then the first thing that is to be done ----

    fn step(&mut self) -> Result<Step, TunnelError> {
        if self.follow()? {
            return Ok(Step::Worked);
        }
        if !self.started {
            return Ok(Step::Idle);
        }
        if std::mem::take(&mut self.uplinks_unread) {
            self.read_uplinks()?;
        }
        self.firewall_step()?;
        if !self.events.is_empty() {
            return Ok(Step::Worked);
        }
        if std::mem::take(&mut self.leftovers_unread) {
            self.find_leftovers()?;
        }
        if let Some(name) = self.leaving.first().cloned() {
            self.remove(&name)?;
            return Ok(Step::Worked);
        }
        if self.device_step()? {
            return Ok(Step::Worked);
        }
        if self.busy && self.firewall.is_done() {
            self.busy = false;
            self.events.push_back(Event::InSync);
        }
        Ok(Step::Idle)
    }

    fn firewall_step(&mut self) -> Result<(), TunnelError> {
        let before = self.firewall.state().clone();
        self.firewall.step(&mut self.events)?;
        if before != State::InForce && *self.firewall.state() == State::InForce {
            // Those that waited for it.
            self.slots.iter_mut().filter(|slot| slot.is_failed()).for_each(Slot::look_again);
        }
        Ok(())
    }

    /// Does something for the first device that needs it.
    fn device_step(&mut self) -> Result<bool, TunnelError> {
        let filtered =
            if self.desired.filter_sources { self.firewall.state().clone() } else { State::InForce };
        if filtered == State::Unknown {
            return Ok(false);
        }
        self.watch.neighbours_of(self.slots.iter().filter_map(Slot::told_index).collect())?;
        let Some(at) = self.slots.iter().position(|slot| !slot.is_done()) else { return Ok(false) };
        let plan = self.plan(at, &filtered);
        let Some(slot) = self.slots.get_mut(at) else { return Ok(false) };
        self.busy |= slot.step(&mut self.kernel, plan, &self.desired.hosts, &mut self.events)?;
        Ok(true)
    }

    fn plan(&self, at: usize, filtered: &State) -> Result<Plan, DeviceError> {
        let (before, rest) = self.slots.split_at(at);
        let Some(Slot { device, .. }) = rest.first() else { return Err(DeviceError::Port) };
        device.check()?;
        if before.iter().any(|slot| slot.device.name == device.name) {
            return Err(DeviceError::Twice(device.name.clone()));
        }
        if let State::Failed(error) = filtered {
            return Err(DeviceError::Unfiltered(error.to_string()));
        }
        let given = self.desired.node.given(device.family);
        let seen = self.uplinks.get(&device.family).and_then(|seen| seen.last.as_ref());
        let found = seen.filter(|found| given.is_none_or(|given| given == found.uplink.address.ip()));
        let Some(Found { uplink, .. }) = found else { return Err(DeviceError::NoUplink(device.family)) };
        let overhead = device.overhead();
        let room = uplink.mtu.checked_sub(overhead).filter(|room| *room >= MIN_MTU);
        let mtu = device.mtu.or(room).ok_or(DeviceError::Mtu { uplink: uplink.mtu, overhead })?;
        Ok(Plan { device: device.clone(), local: uplink.address.ip(), mtu })
    }

    fn remove(&mut self, name: &str) -> Result<(), TunnelError> {
        let found = device::look(&mut self.kernel, name)?;
        let result = match (device::next_removal(found.as_ref()), &found) {
            (Some(step), Some(found)) => {
                debug!(device = %name, ?step, "tunnel device");
                device::carry_out(&mut self.kernel, &step, None, found.link.index, name)?
            }
            _ => {
                self.leaving.retain(|leaving| leaving != name);
                self.events.push_back(Event::Removed { part: Part::Device(name.to_owned()) });
                Ok(())
            }
        };
        if let Err(error) = result {
            self.leaving.retain(|leaving| leaving != name);
            self.events.push_back(Event::Failed { part: Part::Device(name.to_owned()), error });
        }
        self.busy = true;
        Ok(())
    }

    /// Finds our devices of an earlier run that are not desired.
    fn find_leftovers(&mut self) -> Result<(), TunnelError> {
        for link in link::all(&mut self.kernel)? {
            let desired = self.desired.devices.iter().any(|device| device.name == link.name);
            if (link.is_ours() || link.is_half_made()) && !desired && !self.leaving.contains(&link.name) {
                info!(device = %link.name, "a tunnel device is left from an earlier run");
                self.leaving.push(link.name);
            }
        }
        Ok(())
    }

    // ---- events ----

    /// Reads events. `true` if there may be more.
    fn follow(&mut self) -> Result<bool, TunnelError> {
        let Self { watch, slots, uplinks, uplinks_unread, desired, .. } = self;
        let uplink =
            |index| uplinks.values().any(|seen| seen.last.as_ref().is_some_and(|at| at.index == index));
        let drained = watch.drain(|happening| match happening {
            Happening::Link { index, name } => {
                *uplinks_unread |= uplink(index);
                let concerned = |slot: &&mut Slot| {
                    slot.device.name == name || slot.index() == Some(index) || slot.awaits_devices()
                };
                slots.iter_mut().filter(concerned).for_each(Slot::look_again);
            }
            Happening::Address { index } => {
                *uplinks_unread = true;
                slots.iter_mut().filter(|slot| slot.index() == Some(index)).for_each(Slot::look_again);
            }
            Happening::DefaultRoute => *uplinks_unread = true,
            Happening::Sysctl => slots.iter_mut().for_each(Slot::look_again),
            Happening::Neighbour(entry, exists) => {
                let slot = slots.iter_mut().find(|slot| slot.index() == Some(entry.index));
                if slot.is_some_and(|slot| slot.neighbours().happened(&entry, exists)) {
                    debug!(?entry, exists, hosts = desired.hosts.len(), "someone changed neighbours");
                }
            }
        })?;
        if drained.overrun {
            self.uplinks_unread = true;
            self.leftovers_unread = true;
            self.slots.iter_mut().for_each(Slot::read_all);
        }
        Ok(drained.more)
    }

    fn read_uplinks(&mut self) -> Result<(), TunnelError> {
        for family in FAMILIES {
            let found = uplink::find(&mut self.kernel, family, self.desired.node.given(family))?;
            let seen = self.uplinks.entry(family).or_default();
            match found {
                Some(found) if seen.last.as_ref() == Some(&found) && !seen.lost => continue,
                Some(found) => {
                    self.events.push_back(Event::Uplink(found.uplink.clone()));
                    *seen = Seen { last: Some(found), lost: false };
                }
                None if seen.last.is_some() && !seen.lost => {
                    seen.lost = true;
                    self.events.push_back(Event::NoUplink(family));
                }
                None => continue,
            }
            self.busy = true;
            self.slots.iter_mut().filter(|slot| slot.device.family == family).for_each(Slot::change);
        }
        Ok(())
    }
}

/// The smallest that IPv4 knows.
const MIN_MTU: u32 = 68;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Worked,
    Idle,
}
