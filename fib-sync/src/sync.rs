//! The synchroniser: desired routes and the kernel's events in, messages to the kernel out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use ipnetwork::IpNetwork;
use tracing::{debug, info, warn};

use crate::config::FibConfig;
use crate::diff::{Difference, KernelSide};
use crate::error::{FibError, KernelError};
use crate::event::Event;
use crate::follow::{Follower, Owner, classify, mirrored, own_forwarding};
use crate::kernel::{Dumped, Kernel, Outcome};
use crate::links::Links;
use crate::message::{AF_INET, AF_INET6, KernelRoute, RouteKey};
use crate::resolve::Resolver;
use crate::route::{Route, Target, canonical};
use crate::stats::{Results, Stats};
use crate::table::{Action, Change, Ended, Finding, Table};
use crate::watch::{Drained, Watch};

/// How often a dump is repeated that others disturbed. What the last one missed arrives as events.
const DUMP_TRIES: usize = 4;

/// Conflicts that are told before the caller is asked to take them.
const MAX_CONFLICTS: usize = 1024;

/// Keeps the kernel's routes of one (table, protocol, metric) equal to the desired ones.
///
/// Owns its sockets and starts no task: work is done inside [`next`](Self::next), in batches of at most
/// 1024 messages between which it yields. Must live in a tokio runtime with I/O enabled. Dropping it
/// leaves the routes in the kernel, for the next one to adopt.
pub struct FibSync {
    config: FibConfig,
    kernel: Kernel,
    links: Links,
    watch: Watch,
    table: Table,
    resolver: Resolver,
    events: VecDeque<Event>,
    stats: Stats,
    resync: Option<&'static str>,
    busy_since: Option<Instant>,
}

impl FibSync {
    /// Opens the sockets, subscribes to the kernel's events and reads its routes and links. Routes of an
    /// earlier run are kept until [`finish_adoption`](Self::finish_adoption).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as tokio's own sockets do.
    pub fn open(config: FibConfig) -> Result<Self, FibError> {
        config.check()?;
        let mut kernel = Kernel::open()?;
        kernel.check_permission()?;
        let watch = Watch::open(config.receive_buffer, kernel.port())?;
        let mut sync = Self {
            config,
            kernel,
            links: Links::open()?,
            watch,
            table: Table::new(),
            resolver: Resolver::default(),
            events: VecDeque::new(),
            stats: Stats::default(),
            resync: None,
            busy_since: None,
        };
        sync.read_all("start")?;
        info!(
            table = config.table,
            protocol = config.protocol,
            metric = config.metric,
            adopted = sync.table.present(),
            "kernel routes read"
        );
        Ok(sync)
    }

    /// Desires a route, in place of what was desired for its prefix. Carried out by
    /// [`next`](Self::next) or [`flush`](Self::flush).
    pub fn set(&mut self, route: Route) {
        self.table.set(canonical(route.prefix), &route.target, route.options, &mut self.resolver);
    }

    /// Desires no route for a prefix any more.
    pub fn remove(&mut self, prefix: IpNetwork) {
        self.table.remove(canonical(prefix), &mut self.resolver);
    }

    /// Asks `choose` for another target of every desired route, in one walk: for a decision that many routes
    /// follow. `None` leaves a route as it is; the options stay.
    pub fn retarget(&mut self, choose: impl FnMut(IpNetwork, &Target) -> Option<Target>) {
        self.table.retarget(choose, &mut self.resolver);
    }

    /// Ends the adoption: routes that an earlier run left and that were not set since are removed.
    pub fn finish_adoption(&mut self) {
        self.table.finish_adoption();
    }

    /// Reports how the kernel reaches an address, now and whenever that changes, as [`Event::NextHop`].
    /// Routes of our own protocol do not count.
    pub fn watch(&mut self, address: IpAddr) {
        let resolution = self.resolver.watch(address);
        self.events.push_back(Event::NextHop { address, resolution });
    }

    /// Ends [`watch`](Self::watch).
    pub fn unwatch(&mut self, address: IpAddr) {
        self.resolver.unwatch(address);
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
        Stats { routes: self.table.present(), pending: self.table.pending(), ..self.stats }
    }

    /// Name of an interface, for showing a [`Hop`](crate::Hop).
    pub fn interface_name(&self, index: u32) -> Option<&str> {
        self.resolver.interface_name(index)
    }

    /// Reads the kernel's routes and compares them with the desired ones, without changing anything.
    /// Changes that are still pending are differences too. In the order of prefixes.
    pub fn diff(&mut self) -> Result<Vec<Difference>, FibError> {
        for _ in 1..DUMP_TRIES {
            let (side, dumped) = self.kernel_side()?;
            if dumped == Dumped::Whole {
                return Ok(side.compare(self.table.desired()));
            }
        }
        Ok(self.kernel_side()?.0.compare(self.table.desired()))
    }

    fn kernel_side(&mut self) -> Result<(KernelSide, Dumped), FibError> {
        let mut side = KernelSide::default();
        let mut dumped = Dumped::Whole;
        for family in [AF_INET, AF_INET6] {
            let config = self.config;
            let mut each = |route: KernelRoute| match classify(&config, &route) {
                Owner::Ours => side.ours(route.prefix, own_forwarding(route)),
                Owner::InTheWay => side.foreign(&route),
                Owner::Foreign => {}
            };
            dumped = dumped.and(self.kernel.routes(family, config.table, &mut each)?);
        }
        Ok((side, dumped))
    }

    // ---- one step: events, a resync if needed, next hops, one batch ----

    fn step(&mut self) -> Result<Step, FibError> {
        let drained = self.drain()?;
        if drained == Drained::Some {
            return Ok(Step::Worked);
        }
        self.table.events_read();
        if let Some(cause) = self.resync.take() {
            self.read_all(cause)?;
        }
        self.follow_next_hops();
        if self.table.pending() > 0 {
            self.busy_since.get_or_insert_with(Instant::now);
            self.apply_batch()?;
            return Ok(Step::Worked);
        }
        if let Some(since) = self.busy_since.take() {
            self.stats.last_sync = since.elapsed();
            self.events.push_back(Event::InSync { took: self.stats.last_sync });
        }
        Ok(Step::Idle)
    }

    fn drain(&mut self) -> Result<Drained, FibError> {
        let Self { config, watch, table, resolver, resync, .. } = self;
        let mut follower = Follower { config, table, resolver, resync };
        let drained = watch.drain(|message| follower.follow(message))?;
        if drained == Drained::Overrun {
            self.resync.get_or_insert("events were lost");
        }
        Ok(drained)
    }

    /// Reads links and routes. Nothing that is right is touched.
    fn read_all(&mut self, cause: &'static str) -> Result<(), FibError> {
        self.stats.resyncs += 1;
        for attempt in 1.. {
            let dumped = self.read_once()?;
            if dumped == Dumped::Whole || attempt == DUMP_TRIES {
                break;
            }
        }
        for (prefix, error) in self.table.end_resync() {
            self.events.push_back(Event::Refused { prefix, error });
        }
        debug!(cause, routes = self.table.present(), pending = self.table.pending(), "kernel state read");
        Ok(())
    }

    fn read_once(&mut self) -> Result<Dumped, FibError> {
        let Self { config, kernel, links, table, resolver, .. } = self;
        resolver.clear();
        table.begin_resync();
        let mut dumped = links.list(|link| {
            resolver.link_changed(link);
        })?;
        let mut tables = vec![libc::RT_TABLE_MAIN.into(), libc::RT_TABLE_LOCAL.into(), config.table];
        tables.sort_unstable();
        tables.dedup();
        for (family, number) in
            [AF_INET, AF_INET6].into_iter().flat_map(|f| tables.iter().map(move |t| (f, *t)))
        {
            let mut each = |route: KernelRoute| match classify(config, &route) {
                Owner::Ours => {
                    let prefix = route.prefix;
                    table.resync_ours(prefix, &own_forwarding(route));
                }
                owner => {
                    if owner == Owner::InTheWay {
                        table.resync_foreign(route.prefix, route.protocol);
                    }
                    if let Some(route) = mirrored(config, route) {
                        // All is being read already.
                        let _ = resolver.route_added(route, false);
                    }
                }
            };
            dumped = dumped.and(kernel.routes(family, number, &mut each)?);
        }
        Ok(dumped)
    }

    fn follow_next_hops(&mut self) {
        let changes = self.resolver.take_changes();
        if changes.is_empty() {
            return;
        }
        self.table.next_hops_changed(&changes, &self.resolver);
        let reported = changes.addresses.into_iter().filter(|change| change.reported);
        self.events.extend(
            reported.map(|change| Event::NextHop { address: change.address, resolution: change.resolution }),
        );
    }

    fn apply_batch(&mut self) -> Result<(), FibError> {
        let mut batch = self.kernel.batch();
        let mut actions = Vec::new();
        let mut conflicts = 0;
        while !batch.is_full() && conflicts < MAX_CONFLICTS {
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
                    let key = self.key(action.prefix);
                    match action.change {
                        Change::Delete => batch.delete(&key),
                        Change::Add(id) => {
                            self.table.forwarding(id).into_iter().for_each(|to| batch.add(&key, to))
                        }
                        Change::Replace(id) => {
                            self.table.forwarding(id).map_or((), |to| batch.replace(&key, to))
                        }
                    }
                    actions.push(action);
                }
            }
        }
        match self.kernel.apply(batch)? {
            Outcome::Unknown => self.forget_outcome(&actions),
            Outcome::Done(errors) => self.conclude(&actions, errors)?,
        }
        Ok(())
    }

    fn key(&self, prefix: IpNetwork) -> RouteKey {
        let FibConfig { table, protocol, metric, .. } = self.config;
        RouteKey { prefix, table, protocol, metric }
    }

    fn forget_outcome(&mut self, actions: &[Action]) {
        for action in actions {
            self.table.unknown(action.prefix);
        }
        self.resync = Some("answers were lost");
    }

    fn conclude(&mut self, actions: &[Action], errors: Vec<(usize, KernelError)>) -> Result<(), FibError> {
        let mut errors = errors.into_iter().peekable();
        let mut repaired = 0;
        for (index, action) in actions.iter().enumerate() {
            let error = errors.next_if(|(at, _)| *at == index).map(|(_, error)| error);
            if error.as_ref().is_some_and(|error| error.errno == libc::EPERM) {
                return Err(FibError::Permission);
            }
            let ended = self.table.ended(action, error.clone());
            let results = self.results(action.change);
            match ended {
                Ended::Well { repair } => {
                    results.ok += 1;
                    repaired += usize::from(repair);
                }
                Ended::Contested => {
                    results.conflict += 1;
                    self.resync.get_or_insert("the kernel's state was not as expected");
                }
                Ended::Refused => {
                    results.refused += 1;
                    if let Some(error) = error {
                        let prefix = action.prefix;
                        warn!(%prefix, %error, "the kernel refused a route");
                        self.events.push_back(Event::Refused { prefix, error });
                    }
                }
            }
        }
        if repaired > 0 {
            self.stats.repairs += repaired as u64;
            self.events.push_back(Event::Repaired { routes: repaired });
        }
        Ok(())
    }

    fn results(&mut self, change: Change) -> &mut Results {
        match change {
            Change::Add(_) => &mut self.stats.add,
            Change::Replace(_) => &mut self.stats.replace,
            Change::Delete => &mut self.stats.delete,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Worked,
    Idle,
}
