//! One device on its way to what is desired, and what is told of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use tracing::{debug, warn};

use crate::device::{self, Plan, Step};
use crate::error::{DeviceError, KernelError, TunnelError};
use crate::event::{DeviceState, DeviceStatus, Event, Part};
use crate::neighbours::{Neighbours, Place};
use crate::netlink::Kernel;
use crate::spec::{Device, Kind};

/// Steps after which a device that still differs is given up until something changes. A new one takes eight.
const MAX_STEPS: usize = 32;

/// A desired device.
pub(crate) struct Slot {
    pub(crate) device: Device,
    pub(crate) state: DeviceState,
    /// `false`: as it should be as far as events tell, or failed and nothing has changed since.
    dirty: bool,
    /// What is desired has changed, or it was not there yet: its steps are no repairs.
    changed: bool,
    repairs: BTreeSet<String>,
    steps: usize,
    /// Optional steps that failed.
    skip: Vec<Step>,
    /// Optional steps that were done: once is enough.
    tried: Vec<Step>,
    plan: Option<Plan>,
    /// Set while the device is there: where its neighbours are.
    place: Option<Place>,
    neighbours: Neighbours,
}

impl Slot {
    pub(crate) fn new(device: Device) -> Self {
        Self {
            device,
            state: DeviceState::Pending,
            dirty: true,
            changed: true,
            repairs: BTreeSet::new(),
            steps: 0,
            skip: Vec::new(),
            tried: Vec::new(),
            plan: None,
            place: None,
            neighbours: Neighbours::default(),
        }
    }

    /// Desires it in this way.
    pub(crate) fn set(&mut self, device: Device) {
        if self.device != device {
            self.device = device;
            self.change();
        } else if self.is_failed() {
            self.look_again();
        }
    }

    /// What it depends on is different.
    pub(crate) fn change(&mut self) {
        self.changed = true;
        self.skip.clear();
        self.look_again();
    }

    /// Something happened that may matter.
    pub(crate) fn look_again(&mut self) {
        self.dirty = true;
        self.steps = 0;
        self.tried.clear();
    }

    pub(crate) fn read_all(&mut self) {
        self.look_again();
        self.neighbours.read_again();
    }

    pub(crate) fn is_done(&self) -> bool {
        !self.dirty && (self.neighbours.is_done() || self.place.is_none())
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.state, DeviceState::Failed(_))
    }

    /// Failed for a reason that another device's change may end.
    pub(crate) fn awaits_devices(&self) -> bool {
        use DeviceError::{Foreign, Kernel, Unsettled, VniTaken};
        matches!(
            self.state,
            DeviceState::Failed(Foreign { .. } | VniTaken { .. } | Kernel { .. } | Unsettled(_))
        )
    }

    pub(crate) fn index(&self) -> Option<u32> {
        self.place.map(|place| place.index)
    }

    /// The neighbours of these devices are told.
    pub(crate) fn told_index(&self) -> Option<u32> {
        self.index().filter(|_| matches!(self.device.kind, Kind::Vxlan { .. }))
    }

    pub(crate) fn status(&self) -> DeviceStatus {
        DeviceStatus { device: self.device.clone(), state: self.state.clone() }
    }

    pub(crate) fn neighbours(&mut self) -> &mut Neighbours {
        &mut self.neighbours
    }

    /// A host has come or gone.
    pub(crate) fn host(&mut self, host: IpAddr, known: bool) {
        let told = self.told_index().is_some();
        if self.place.is_some_and(|place| told && place.serves(host)) {
            if known {
                self.neighbours.add(host);
            } else {
                self.neighbours.remove(host);
            }
        }
    }

    /// Does one step towards the plan. `true` if something was wrong.
    pub(crate) fn step(
        &mut self,
        kernel: &mut Kernel,
        plan: Result<Plan, DeviceError>,
        hosts: &BTreeSet<IpAddr>,
        events: &mut impl Extend<Event>,
    ) -> Result<bool, TunnelError> {
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => {
                self.failed(error, events);
                return Ok(true);
            }
        };
        if self.plan.as_ref() != Some(&plan) {
            self.plan = Some(plan.clone());
            self.changed = true;
        }
        if self.dirty {
            self.device_step(kernel, &plan, events)
        } else {
            self.neighbour_step(kernel, hosts, events)
        }
    }

    fn device_step(
        &mut self,
        kernel: &mut Kernel,
        plan: &Plan,
        events: &mut impl Extend<Event>,
    ) -> Result<bool, TunnelError> {
        let name = &plan.device.name;
        let found = device::look(kernel, name)?;
        let index = found.as_ref().map(|found| found.link.index);
        self.settle(index, plan);
        let skip: Vec<Step> = self.skip.iter().chain(&self.tried).cloned().collect();
        let step = match device::next_step(plan, found.as_ref(), &skip) {
            Ok(Some(step)) => step,
            Ok(None) => {
                self.dirty = false;
                // Others are read once their events are told, which the caller sees to.
                if self.neighbours.is_done() {
                    self.ready(events);
                }
                return Ok(false);
            }
            Err(error) => {
                self.failed(error, events);
                return Ok(true);
            }
        };
        self.steps += 1;
        if self.steps > MAX_STEPS {
            self.failed(DeviceError::Unsettled(format!("the {step} of {name}")), events);
            return Ok(true);
        }
        debug!(device = %name, ?step, "tunnel device");
        match device::carry_out(kernel, &step, Some(plan), index.unwrap_or_default(), name)? {
            Ok(()) => {
                self.repairs.insert(step.to_string());
                if step.is_optional() {
                    self.tried.push(step);
                }
            }
            Err(error) if step.is_optional() => {
                warn!(device = %name, %error, "a tunnel device is not quite as desired");
                self.skip.push(step);
            }
            Err(error) => self.failed(error, events),
        }
        Ok(true)
    }

    /// Notices that the device is another than before.
    fn settle(&mut self, index: Option<u32>, plan: &Plan) {
        let place = index.map(|index| Place { index, family: plan.device.family, local: plan.local });
        if place != self.place {
            self.place = place;
            self.neighbours.read_again();
        }
    }

    fn neighbour_step(
        &mut self,
        kernel: &mut Kernel,
        hosts: &BTreeSet<IpAddr>,
        events: &mut impl Extend<Event>,
    ) -> Result<bool, TunnelError> {
        let Some(place) = self.place else { return Ok(false) };
        let (worked, mut wrong) = (self.neighbours.has_work(), false);
        if self.told_index().is_some() {
            match self.neighbours.work(kernel, &place, hosts)? {
                Ok(true) => {
                    wrong = true;
                    self.repairs.insert("neighbours".to_owned());
                }
                Ok(false) => {}
                Err(error) => {
                    self.neighbours.read_again();
                    self.refused(error, events);
                    return Ok(true);
                }
            }
        } else {
            self.neighbours = Neighbours::default();
        }
        if self.neighbours.is_done() {
            self.ready(events);
        }
        Ok(worked || wrong)
    }

    fn refused(&mut self, error: KernelError, events: &mut impl Extend<Event>) {
        match error.errno {
            // The device is gone, of which an event tells as well.
            libc::ENODEV => self.look_again(),
            _ => {
                let what = format!("set the neighbours of {}", self.device.name);
                self.failed(DeviceError::Kernel { what, error }, events);
                // Tried again with the next change, not before.
                self.place = None;
            }
        }
    }

    /// As desired: tells if that is news.
    fn ready(&mut self, events: &mut impl Extend<Event>) {
        let (Some(place), Some(plan)) = (self.place, &self.plan) else { return };
        let part = Part::Device(self.device.name.clone());
        let was_ready = matches!(self.state, DeviceState::Ready { .. });
        self.state = DeviceState::Ready { index: place.index, mtu: plan.mtu };
        let repairs = std::mem::take(&mut self.repairs);
        self.steps = 0;
        let changed = std::mem::take(&mut self.changed);
        if !was_ready || changed {
            events.extend([Event::Ready { part }]);
        } else if !repairs.is_empty() {
            let what = repairs.into_iter().collect::<Vec<_>>().join(", ");
            events.extend([Event::Repaired { part, what }]);
        }
    }

    fn failed(&mut self, error: DeviceError, events: &mut impl Extend<Event>) {
        self.dirty = false;
        self.steps = 0;
        self.repairs.clear();
        let state = DeviceState::Failed(error.clone());
        if self.state != state {
            self.state = state;
            events.extend([Event::Failed { part: Part::Device(self.device.name.clone()), error }]);
        }
        // Nothing more is done until something changes.
        if !self.neighbours.is_done() {
            self.place = None;
        }
    }
}
