//! The synchroniser: desired routes and the kernel's events in, messages to the kernel out.

use std::collections::VecDeque;
use std::time::Instant;

use ipnetwork::IpNetwork;
use tracing::{info, warn};

use crate::config::FibConfig;
use crate::desired::{DesiredRoutes, TargetId};
use crate::diff::{Comparison, Desired, Difference};
use crate::error::{FibError, KernelError};
use crate::event::Event;
use crate::follow::{Doubts, Follower};
use crate::kernel::{BATCH_MESSAGES, Batch, Dumped, Kernel, Outcome};
use crate::links::Links;
use crate::message::RouteKey;
use crate::objects::Request;
use crate::reading::{DUMP_TRIES, Reading};
use crate::resolve::Resolver;
use crate::route::{Gateway, Route, RouteOptions, Target};
use crate::route_table::RouteTable;
use crate::stats::{Results, Stats};
use crate::table::{Action, Change, Ended, Finding, Table};
use crate::watch::{Drained, Watch};

/// Conflicts that are told before the caller is asked to take them.
const MAX_CONFLICTS: usize = 1024;

/// Keeps the kernel's routes of one (table, protocol, metric) equal to the desired ones.
///
/// Owns its sockets and starts no task: work is done inside [`next`](Self::next), in batches of at most
/// 2048 messages between which it yields. Must live in a tokio runtime with I/O enabled. Dropping it
/// leaves the routes in the kernel, for the next one to adopt.
///
/// `D` is where the desired routes are: a [`RouteTable`] of its own, or the caller's.
pub struct FibSync<D = RouteTable> {
    pub(crate) config: FibConfig,
    pub(crate) kernel: Kernel,
    pub(crate) links: Links,
    watch: Watch,
    pub(crate) table: Table<D>,
    pub(crate) resolver: Resolver,
    pub(crate) events: VecDeque<Event>,
    pub(crate) stats: Stats,
    pub(crate) reading: Option<Reading>,
    doubts: Doubts,
    batch: Batch,
    actions: Vec<Action>,
    batch_messages: usize,
    busy_since: Option<Instant>,
}

impl FibSync {
    /// Opens the sockets, subscribes to the kernel's events and reads its routes and links. Routes of an
    /// earlier run are kept until [`finish_adoption`](Self::finish_adoption).
    ///
    /// # Errors
    /// No permission, a table, protocol or metric that cannot be, or netlink fails.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as tokio's own sockets do.
    pub fn open(config: FibConfig) -> Result<Self, FibError> {
        Self::open_with(config, RouteTable::default())
    }

    /// Desires a route, in place of what was desired for its prefix. Carried out by
    /// [`next`](Self::next) or [`flush`](Self::flush).
    pub fn set(&mut self, route: Route) {
        let Route { prefix, target, options } = route;
        let Some(target) = self.acquire_target(target, options) else {
            let text = Some("there are 16 million different targets already".to_owned());
            let error = KernelError { errno: libc::ENOSPC, text };
            return self.events.push_back(Event::Refused { prefix, error });
        };
        let (number, before) = self.table.routes.set(prefix, target);
        if before != Some(target) {
            self.table.changed(number);
        }
        if let Some(before) = before {
            self.release_target(before);
        }
    }

    /// Desires no route for a prefix any more.
    pub fn remove(&mut self, prefix: IpNetwork) {
        if let Some((number, target)) = self.table.routes.remove(prefix) {
            self.table.changed(number);
            self.release_target(target);
        }
    }

    /// Asks `choose` for another target of every desired route, in one walk: for a decision that many routes
    /// follow. `None` leaves a route as it is; the options stay.
    pub fn retarget(&mut self, mut choose: impl FnMut(IpNetwork, &Target) -> Option<Target>) {
        for number in 0..self.table.routes.end() {
            let Some(prefix) = self.table.routes.prefix(number) else { continue };
            let target = self.table.routes.target(number).and_then(|id| self.table.targets.get(id.0));
            let chosen = target.and_then(|(target, options)| {
                Some((choose(prefix, target).filter(|chosen| chosen != target)?, *options))
            });
            if let Some((target, options)) = chosen {
                self.set(Route { prefix, target, options });
            }
        }
    }
}

impl<D: DesiredRoutes> FibSync<D> {
    /// Like [`FibSync::open`], with desired routes that are stored elsewhere; those that are there already must
    /// be told by [`changed`](Self::changed).
    ///
    /// # Errors
    /// No permission, a table, protocol or metric that cannot be, or netlink fails.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as tokio's own sockets do.
    pub fn open_with(config: FibConfig, routes: D) -> Result<Self, FibError> {
        config.check()?;
        let mut kernel = Kernel::open()?;
        kernel.check_permission()?;
        let watch = Watch::open(config.receive_buffer, kernel.port())?;
        let mut sync = Self {
            config,
            kernel,
            links: Links::open()?,
            watch,
            table: Table::new(&config, routes),
            resolver: Resolver::default(),
            events: VecDeque::new(),
            stats: Stats::default(),
            reading: None,
            doubts: Doubts::default(),
            batch: Batch::default(),
            actions: Vec::new(),
            batch_messages: BATCH_MESSAGES,
            busy_since: None,
        };
        sync.begin_reading("start")?;
        while sync.reading.is_some() {
            sync.read_on()?;
        }
        info!(
            table = config.table,
            protocol = config.protocol,
            metric = config.metric,
            adopted = sync.table.present(),
            "kernel routes read"
        );
        Ok(sync)
    }

    /// The desired routes.
    pub fn routes(&self) -> &D {
        &self.table.routes
    }

    /// The desired routes, to change them: tell by [`changed`](Self::changed) which.
    pub fn routes_mut(&mut self) -> &mut D {
        &mut self.table.routes
    }

    /// Names a target for a desired route, and counts one route more to it. `None`: there are 16 million
    /// different ones.
    pub fn acquire_target(&mut self, target: Target, options: RouteOptions) -> Option<TargetId> {
        self.table.targets.acquire(target, options, &mut self.resolver).map(TargetId)
    }

    /// Counts one route less to a target. The last one frees its name.
    pub fn release_target(&mut self, target: TargetId) {
        self.table.targets.release(target.0, &mut self.resolver);
    }

    /// Another target is desired at a number, or none any more.
    pub fn changed(&mut self, number: u32) {
        self.table.changed(number);
    }

    /// For tests that stop between any two messages.
    #[doc(hidden)]
    pub fn limit_batch(&mut self, messages: usize) {
        self.batch_messages = messages.max(1);
    }

    /// Ends the adoption: routes that an earlier run left and that were not set since are removed.
    pub fn finish_adoption(&mut self) {
        self.table.finish_adoption(&self.resolver);
    }

    /// Reports how the kernel reaches an address, now and whenever that changes, as [`Event::NextHop`].
    /// Routes of our own protocol do not count.
    pub fn watch(&mut self, gateway: impl Into<Gateway>) {
        let gateway = gateway.into();
        let resolution = self.resolver.watch(gateway);
        self.events.push_back(Event::NextHop { gateway, resolution });
    }

    /// Ends [`watch`](Self::watch).
    pub fn unwatch(&mut self, gateway: impl Into<Gateway>) {
        self.resolver.unwatch(gateway.into());
    }

    /// Carries out pending changes, follows the kernel's events, and returns what is worth telling.
    ///
    /// Cancel safe: nothing is lost when the future is dropped. An error means that the sockets no longer
    /// work; the routes stay.
    pub async fn next(&mut self) -> Result<Event, FibError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match self.step()? {
                Step::Worked => tokio::task::yield_now().await,
                Step::Idle if self.events.is_empty() => self.watch.wait().await?,
                Step::Idle => {}
            }
        }
    }

    /// Carries out all pending changes, and returns what is worth telling.
    ///
    /// Cancel safe, like [`next`](Self::next), which returns what a dropped future would have returned.
    pub async fn flush(&mut self) -> Result<Vec<Event>, FibError> {
        while self.step()? == Step::Worked {
            tokio::task::yield_now().await;
        }
        Ok(self.events.drain(..).collect())
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        let groups = self.table.targets.objects.groups();
        Stats { routes: self.table.present(), pending: self.table.pending(), groups, ..self.stats }
    }

    /// Name of an interface, for showing a [`Hop`](crate::Hop).
    pub fn interface_name(&self, index: u32) -> Option<&str> {
        self.resolver.interface_name(index)
    }

    /// What is desired at a prefix; `None`: nothing.
    pub fn desired(&self, prefix: IpNetwork) -> Option<Desired> {
        let number = self.table.routes.number(prefix)?;
        self.table.routes.target(number)?;
        Some(Desired { forwarding: self.table.shown(number), refused: self.table.is_refused(number) })
    }

    /// Reads the kernel's routes and compares them with the desired ones, without changing anything.
    /// Changes that are still pending are differences too. In the order of prefixes.
    ///
    /// # Errors
    /// Netlink fails.
    pub fn diff(&self) -> Result<Vec<Difference>, FibError> {
        // A socket of its own: the other one may be in the middle of a dump.
        let mut kernel = Kernel::open()?;
        let (mut differences, mut dumped) = Comparison::run(&mut kernel, &self.config, &self.table)?;
        for _ in 1..DUMP_TRIES {
            if dumped == Dumped::Whole {
                break;
            }
            (differences, dumped) = Comparison::run(&mut kernel, &self.config, &self.table)?;
        }
        Ok(differences)
    }

    // ---- one step: a part of a resync; or events, next hops, one batch ----

    fn step(&mut self) -> Result<Step, FibError> {
        if self.reading.is_some() {
            self.read_on()?;
            return Ok(Step::Worked);
        }
        if self.drain()? == Drained::Some {
            return Ok(Step::Worked);
        }
        self.table.events_read();
        if let Some(cause) = self.doubts.all.take() {
            self.doubts = Doubts::default();
            self.begin_reading(cause)?;
            return Ok(Step::Worked);
        }
        if std::mem::take(&mut self.doubts.objects) {
            self.read_objects()?;
        }
        self.follow_next_hops();
        self.table.counts_changed(&self.resolver);
        let walked = self.table.walk_on();
        let requests = self.table.targets.objects.requests();
        if walked || !requests.is_empty() || self.table.pending() > 0 {
            self.busy_since.get_or_insert_with(Instant::now);
            let well = self.apply_objects(requests)?;
            if well && self.table.pending() > 0 {
                self.table.targets.objects.routes_changed();
                self.apply_batch()?;
            }
            return Ok(Step::Worked);
        }
        let garbage = self.table.targets.garbage();
        self.apply_objects(garbage)?;
        if let Some(since) = self.busy_since.take() {
            self.stats.last_sync = since.elapsed();
            self.events.push_back(Event::InSync { took: self.stats.last_sync });
        }
        Ok(if self.doubts.all.is_some() { Step::Worked } else { Step::Idle })
    }

    fn drain(&mut self) -> Result<Drained, FibError> {
        let Self { config, watch, table, resolver, doubts, .. } = self;
        let mut follower = Follower { config, table, resolver, doubts };
        let drained = watch.drain(|message| follower.follow(message))?;
        if drained == Drained::Overrun {
            self.doubts.all("events were lost");
        }
        Ok(drained)
    }

    fn follow_next_hops(&mut self) {
        let changes = self.resolver.take_changes();
        if changes.is_empty() {
            return;
        }
        self.table.next_hops_changed(&changes, &self.resolver);
        let reported = changes.addresses.into_iter().filter(|change| change.reported);
        self.events.extend(
            reported.map(|change| Event::NextHop { gateway: change.gateway, resolution: change.resolution }),
        );
    }

    /// Sends changes of nexthop objects. Returns whether routes may follow.
    fn apply_objects(&mut self, requests: Vec<Request>) -> Result<bool, FibError> {
        let protocol = self.table.targets.objects.protocol();
        for requests in requests.chunks(self.batch_messages) {
            self.kernel.begin(&mut self.batch);
            requests.iter().for_each(|request| self.batch.nexthop(protocol, request));
            match self.kernel.apply(&mut self.batch)? {
                Outcome::Unknown => {
                    self.doubts.all("answers were lost");
                    return Ok(false);
                }
                Outcome::Done(errors) => {
                    if !self.conclude_objects(requests, errors)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn conclude_objects(
        &mut self,
        requests: &[Request],
        errors: Vec<(usize, KernelError)>,
    ) -> Result<bool, FibError> {
        let mut errors = errors.into_iter().peekable();
        let mut well = true;
        for (index, request) in requests.iter().enumerate() {
            match (request, errors.next_if(|(at, _)| *at == index)) {
                (_, None) => self.table.targets.objects.done(request.clone()),
                (_, Some((_, error))) if error.errno == libc::EPERM => return Err(FibError::Permission),
                (Request::Delete(_), Some((_, error))) if error.errno == libc::ENOENT => {
                    self.table.targets.objects.done(request.clone());
                }
                (_, Some((_, error))) => {
                    warn!(?request, %error, "the kernel refused a nexthop object");
                    well = false;
                }
            }
        }
        if !well {
            self.doubts.all("the kernel refused a nexthop object");
            if self.table.targets.objects.strike() {
                warn!("nexthop objects are given up: routes name their hops themselves");
                self.table.look_again(&self.resolver);
            }
        }
        Ok(well)
    }

    fn apply_batch(&mut self) -> Result<(), FibError> {
        let mut actions = std::mem::take(&mut self.actions);
        actions.clear();
        self.kernel.begin(&mut self.batch);
        let mut conflicts = 0;
        while !self.batch.is_full(self.batch_messages) && conflicts < MAX_CONFLICTS {
            match self.table.next_finding() {
                None => break,
                Some(Finding::Conflict(prefix, protocol)) => {
                    conflicts += 1;
                    self.stats.add.conflict += 1;
                    let metric = self.config.metric;
                    warn!(%prefix, metric, protocol, "a foreign route of the same metric is in the way");
                    self.events.push_back(Event::Conflict { prefix, metric, protocol });
                }
                Some(Finding::Act(action)) => {
                    let Some(prefix) = self.table.routes.prefix(action.number) else { continue };
                    let forwardings = &self.table.targets.forwardings;
                    let to = || match action.change {
                        Change::Add(id) | Change::Replace(id) => forwardings.get(id),
                        Change::Delete => None,
                    };
                    let key = key(&self.config, prefix);
                    if self.batch.route(&key, action.change, to) {
                        actions.push(action);
                    }
                }
            }
        }
        match self.kernel.apply(&mut self.batch)? {
            Outcome::Unknown => {
                actions.iter().for_each(|action| self.table.unknown(action.number));
                self.doubts.all("answers were lost");
            }
            Outcome::Done(errors) => self.conclude(&actions, errors)?,
        }
        self.actions = actions;
        Ok(())
    }

    fn conclude(&mut self, actions: &[Action], errors: Vec<(usize, KernelError)>) -> Result<(), FibError> {
        let mut errors = errors.into_iter().peekable();
        let mut repaired = 0;
        for (index, action) in actions.iter().enumerate() {
            let error = errors.next_if(|(at, _)| *at == index).map(|(_, error)| error);
            let ended = match &error {
                None => self.table.ended_well(*action),
                Some(error) if error.errno == libc::EPERM => return Err(FibError::Permission),
                Some(error) => self.table.ended_badly(*action, error.clone()),
            };
            let results = self.results(action.change);
            match ended {
                Ended::Well { repair } => {
                    results.ok += 1;
                    repaired += usize::from(repair);
                }
                Ended::Contested => {
                    results.conflict += 1;
                    self.doubts.all("the kernel's state was not as expected");
                }
                Ended::Refused => {
                    results.refused += 1;
                    self.refused(*action, error);
                }
            }
        }
        if repaired > 0 {
            self.stats.repairs += repaired as u64;
            self.events.push_back(Event::Repaired { routes: repaired });
        }
        Ok(())
    }

    fn refused(&mut self, action: Action, error: Option<KernelError>) {
        if let (Some(error), Some(prefix)) = (error, self.table.routes.prefix(action.number)) {
            warn!(%prefix, %error, "the kernel refused a route");
            self.events.push_back(Event::Refused { prefix, error });
        }
    }

    fn results(&mut self, change: Change) -> &mut Results {
        match change {
            Change::Add(_) => &mut self.stats.add,
            Change::Replace(_) => &mut self.stats.replace,
            Change::Delete => &mut self.stats.delete,
        }
    }
}

fn key(config: &FibConfig, prefix: IpNetwork) -> RouteKey {
    RouteKey { prefix, table: config.table, protocol: config.protocol, metric: config.metric }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Worked,
    Idle,
}
