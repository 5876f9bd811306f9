//! The synchroniser: desired routes and the kernel's events in, messages to the kernel out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnetwork::IpNetwork;
use tracing::{debug, info, warn};

use crate::config::FibConfig;
use crate::diff::{Difference, KernelSide};
use crate::error::{FibError, KernelError};
use crate::kernel::{Dumped, Kernel, Outcome};
use crate::message::{self, AF_INET, AF_INET6, KernelRoute, Message, RouteKey};
use crate::resolve::{LinkChange, Mirror, Resolution, Resolver};
use crate::route::{Forwarding, Route, canonical};
use crate::stats::{Results, Stats};
use crate::table::{Action, Change, Ended, Finding, Table};
use crate::watch::{Drained, Watch};

/// How often a dump is repeated that others disturbed. What the last one missed arrives as events.
const DUMP_TRIES: usize = 4;

/// Conflicts that are told before the caller is asked to take them.
const MAX_CONFLICTS: usize = 1024;

/// Something the caller may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Every change asked for so far is in the kernel, or was reported as refused or in conflict, or
    /// waits for a next hop to become reachable.
    InSync {
        /// Since the first of the changes.
        took: Duration,
    },
    /// A watched address resolves, first or differently.
    NextHop {
        /// The address given to [`FibSync::watch`].
        address: IpAddr,
        /// How the kernel reaches it.
        resolution: Resolution,
    },
    /// The kernel does not take a route. It is tried again when links or addresses change.
    Refused {
        /// Its destination.
        prefix: IpNetwork,
        /// Why.
        error: KernelError,
    },
    /// A foreign route with our table and metric is in the way. Ours is installed once it is gone.
    Conflict {
        /// The destination of both.
        prefix: IpNetwork,
        /// The metric of both.
        metric: u32,
        /// `rtm_protocol` of the foreign route.
        protocol: u8,
    },
    /// Someone else had changed or deleted routes of ours, which are right again.
    Repaired {
        /// How many.
        routes: usize,
    },
}

/// Keeps the kernel's routes of one (table, protocol, metric) equal to the desired ones.
///
/// Owns its sockets and starts no task: work is done inside [`next`](Self::next), in batches of at most
/// 1024 messages between which it yields. Must live in a tokio runtime with I/O enabled. Dropping it
/// leaves the routes in the kernel, for the next one to adopt.
pub struct FibSync {
    config: FibConfig,
    kernel: Kernel,
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
        self.table.set(canonical(route.prefix), &route.target, &mut self.resolver);
    }

    /// Desires no route for a prefix any more.
    pub fn remove(&mut self, prefix: IpNetwork) {
        self.table.remove(canonical(prefix), &mut self.resolver);
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
        let Self { config, kernel, table, resolver, .. } = self;
        resolver.clear();
        table.begin_resync();
        let mut dumped = kernel.links(&mut |link| {
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
                        table.foreign_added(route.prefix, route.protocol, false);
                    }
                    mirror(config, resolver, route, |resolver, route| {
                        // All is being read already.
                        let _ = resolver.route_added(route, false);
                    });
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
        let addresses: Vec<IpAddr> = changes.iter().map(|change| change.address).collect();
        self.table.next_hops_changed(&addresses, &self.resolver);
        let reported = changes.into_iter().filter(|change| change.reported);
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

/// Whose a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Ours,
    /// Another's, with our table and metric: nothing can be put beside it.
    InTheWay,
    Foreign,
}

fn classify(config: &FibConfig, route: &KernelRoute) -> Owner {
    let same_place = (route.table, route.metric, route.tos) == (config.table, config.metric, 0);
    match (same_place, route.protocol == config.protocol) {
        (true, true) => Owner::Ours,
        (true, false) => Owner::InTheWay,
        (false, _) => Owner::Foreign,
    }
}

/// How a route of ours is forwarded; one with attributes that we never set is not right.
fn own_forwarding(route: KernelRoute) -> Forwarding {
    if route.embellished { Forwarding::Other } else { route.forwarding }
}

/// Routes of our protocol, of whatever metric, do not resolve next hops.
fn mirror<T>(
    config: &FibConfig,
    resolver: &mut Resolver,
    route: KernelRoute,
    then: impl FnOnce(&mut Resolver, KernelRoute) -> T,
) -> Option<T> {
    (route.protocol != config.protocol && route.tos == 0).then(|| then(resolver, route))
}

/// Brings the model up to date with one event.
struct Follower<'a> {
    config: &'a FibConfig,
    table: &'a mut Table,
    resolver: &'a mut Resolver,
    resync: &'a mut Option<&'static str>,
}

impl Follower<'_> {
    fn follow(&mut self, message: Message<'_>) {
        match message.kind {
            libc::RTM_NEWROUTE => self.route_added(message),
            libc::RTM_DELROUTE => self.route_removed(message),
            libc::RTM_NEWLINK | libc::RTM_DELLINK => self.link(message),
            libc::RTM_NEWADDR => self.table.retry_refused(),
            // IPv4 routes with this source address are gone, without a message.
            libc::RTM_DELADDR if message.body.first() == Some(&AF_INET) => {
                self.read_again("an address was removed")
            }
            _ => {}
        }
    }

    fn read_again(&mut self, cause: &'static str) {
        self.resync.get_or_insert(cause);
    }

    fn route_added(&mut self, message: Message<'_>) {
        let Some(route) = message::parse_route(message.body) else { return };
        let replaces = message.flags & libc::NLM_F_REPLACE as u16 != 0;
        let prefix = route.prefix;
        match classify(self.config, &route) {
            Owner::Ours => {
                // An IPv6 event tells all hops of the route as they are now.
                let appended = prefix.is_ipv4() && !replaces;
                self.table.ours_changed(prefix, &own_forwarding(route), appended);
                return;
            }
            Owner::InTheWay => self.table.foreign_added(prefix, route.protocol, replaces),
            Owner::Foreign => {}
        }
        let exact = mirror(self.config, self.resolver, route, |resolver, route| {
            resolver.route_added(route, replaces)
        });
        self.check(exact);
        self.table.retry_refused();
    }

    fn route_removed(&mut self, message: Message<'_>) {
        let Some(route) = message::parse_route(message.body) else { return };
        match classify(self.config, &route) {
            Owner::Ours => {
                self.table.ours_deleted(route.prefix);
                return;
            }
            Owner::InTheWay => self.table.foreign_removed(route.prefix),
            Owner::Foreign => {}
        }
        let exact =
            mirror(self.config, self.resolver, route, |resolver, route| resolver.route_removed(&route));
        self.check(exact);
    }

    fn check(&mut self, mirror: Option<Mirror>) {
        if mirror == Some(Mirror::Doubtful) {
            self.read_again("another program changed a route in a way that events do not tell");
        }
    }

    fn link(&mut self, message: Message<'_>) {
        let Some(link) = message::parse_link(message.body) else { return };
        let index = link.index;
        let change = match message.kind {
            libc::RTM_NEWLINK => self.resolver.link_changed(link),
            _ => self.resolver.link_removed(index),
        };
        match change {
            LinkChange::None => return,
            LinkChange::Down if self.table.uses(index) => self.read_again("a link went down"),
            LinkChange::Revived => self.read_again("a link came back"),
            LinkChange::Down | LinkChange::Other => {}
        }
        self.table.retry_refused();
    }
}
