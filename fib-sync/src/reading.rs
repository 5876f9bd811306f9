//! Reading the kernel's whole state, in slices between which others may run.

use std::collections::HashMap;

use ipnetwork::IpNetwork;
use tracing::debug;

use crate::config::FibConfig;
use crate::desired::DesiredRoutes;
use crate::error::FibError;
use crate::event::Event;
use crate::follow::{Owner, classify, mirrored, own_forwarding};
use crate::intern::Id;
use crate::kernel::Dumped;
use crate::message::{self, AF_INET, AF_INET6, CutRoute};
use crate::resolve::Resolver;
use crate::sync::FibSync;
use crate::table::Table;

/// How often a dump is repeated that others disturbed. What the last one missed arrives as events.
pub(crate) const DUMP_TRIES: usize = 4;

/// How far the reading is.
pub(crate) struct Reading {
    cause: &'static str,
    attempt: usize,
    dumped: Dumped,
    /// Families and tables not asked for yet, the next one last.
    tables: Vec<(u8, u32)>,
    /// All was read: numbers from this one on may have routes that are not there.
    settle: Option<u32>,
    known: Known,
    found: Found,
}

/// Known routes of ours that were found and not looked up yet: many look-ups in a row wait for memory together.
#[derive(Default)]
struct Found {
    routes: Vec<(IpNetwork, Id)>,
    numbers: Vec<Option<u32>>,
}

/// Routes that are looked up together.
const TOGETHER: usize = 256;

impl Found {
    fn push<D: DesiredRoutes>(&mut self, prefix: IpNetwork, id: Id, table: &mut Table<D>) {
        self.routes.push((prefix, id));
        if self.routes.len() >= TOGETHER {
            self.settle(table);
        }
    }

    fn settle<D: DesiredRoutes>(&mut self, table: &mut Table<D>) {
        self.numbers.clear();
        let (mut last, mut in_order) = (0, true);
        for (prefix, _) in &self.routes {
            // Routes that came in the order of addresses have numbers in the order of the dump.
            let next = last + 1;
            let is_next = in_order && table.routes.prefix(next).is_some_and(|there| there == *prefix);
            let number = if is_next { Some(next) } else { table.routes.number(*prefix) };
            if let Some(number) = number {
                in_order = number == next;
                last = number;
            }
            self.numbers.push(number);
        }
        for ((prefix, id), number) in self.routes.drain(..).zip(&self.numbers) {
            table.resync_ours(prefix, *number, id);
        }
    }
}

/// Routes of ours as they look without their destination, and what they are: most look like one before.
#[derive(Default)]
struct Known {
    forwardings: HashMap<Box<[u8]>, Id>,
    look: Vec<u8>,
    last: (Vec<u8>, Option<Id>),
}

/// More different routes than these are looked at anew.
const MAX_KNOWN: usize = 4096;

impl Known {
    fn find(&mut self, cut: &CutRoute<'_>) -> Option<Id> {
        self.look.clear();
        cut.parts.iter().for_each(|part| self.look.extend_from_slice(part));
        if self.last.1.is_none() || self.look != self.last.0 {
            self.last.1 = self.forwardings.get(self.look.as_slice()).copied();
            self.last.0.clone_from(&self.look);
        }
        self.last.1
    }

    /// What the route looked for last is. Returns whether it is kept, with the user that it has.
    fn keep(&mut self, id: Id) -> bool {
        let room = self.forwardings.len() < MAX_KNOWN;
        room && self.forwardings.insert(self.look.as_slice().into(), id).is_none()
    }
}

/// Takes one message of a dump.
fn take<D: DesiredRoutes>(
    body: &[u8],
    asked: u32,
    config: &FibConfig,
    (known, found): (&mut Known, &mut Found),
    table: &mut Table<D>,
    resolver: &mut Resolver,
) {
    let cut = message::cut_route(body);
    if let Some((cut, id)) = cut.and_then(|cut| Some((cut, known.find(&cut)?))) {
        return found.push(cut.prefix, id, table);
    }
    // Strict checking needs Linux 4.20; an older kernel lists every table.
    let Some(route) = message::parse_route(body).filter(|route| route.table == asked) else { return };
    match classify(config, &route) {
        Owner::Ours => {
            let prefix = route.prefix;
            let Some((id, _)) = table.targets.forwardings.acquire(own_forwarding(route)) else { return };
            table.resync_ours(prefix, None, id);
            if cut.is_none() || !known.keep(id) {
                table.targets.forwardings.release(id);
            }
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
    }
}

impl<D: DesiredRoutes> FibSync<D> {
    /// Starts to read links, nexthop objects and routes. Nothing that is right will be touched.
    pub(crate) fn begin_reading(&mut self, cause: &'static str) -> Result<(), FibError> {
        self.stats.resyncs += 1;
        self.begin_attempt(cause, 1)
    }

    fn begin_attempt(&mut self, cause: &'static str, attempt: usize) -> Result<(), FibError> {
        self.resolver.begin_reading();
        self.table.begin_resync();
        let mut numbers = vec![libc::RT_TABLE_MAIN.into(), libc::RT_TABLE_LOCAL.into(), self.config.table];
        numbers.sort_unstable();
        numbers.dedup();
        let tables = [AF_INET6, AF_INET].into_iter().flat_map(|f| numbers.iter().rev().map(move |t| (f, *t)));
        let tables = tables.collect();
        let resolver = &mut self.resolver;
        let dumped = self.links.list(|link| {
            resolver.link_changed(link);
        })?;
        let dumped = dumped.and(self.read_objects()?);
        let (known, found) = (Known::default(), Found::default());
        self.reading = Some(Reading { cause, attempt, dumped, tables, settle: None, known, found });
        self.ask_next()
    }

    /// Reads all nexthop objects.
    pub(crate) fn read_objects(&mut self) -> Result<Dumped, FibError> {
        for _ in 1..DUMP_TRIES {
            match self.kernel.nexthops()? {
                None => {
                    self.table.targets.objects.give_up();
                    return Ok(Dumped::Whole);
                }
                Some((_, Dumped::Disturbed)) => {}
                Some((objects, Dumped::Whole)) => {
                    self.table.targets.objects.read(&objects);
                    self.resolver.objects_read(objects);
                    return Ok(Dumped::Whole);
                }
            }
        }
        Ok(Dumped::Disturbed)
    }

    fn ask_next(&mut self) -> Result<(), FibError> {
        match self.reading.as_ref().and_then(|reading| reading.tables.last()) {
            Some((family, number)) => self.kernel.ask_routes(*family, *number),
            None => Ok(()),
        }
    }

    /// Reads on.
    pub(crate) fn read_on(&mut self) -> Result<(), FibError> {
        let Self { config, kernel, table, resolver, reading, .. } = self;
        let Some(reading) = reading else { return Ok(()) };
        if let Some(from) = reading.settle {
            reading.settle = table.settle_resync(from);
            return if reading.settle.is_none() { self.end_reading() } else { Ok(()) };
        }
        let Some((_, number)) = reading.tables.last().copied() else { return self.end_dumps() };
        let Reading { known, found, .. } = reading;
        let part = kernel.some_routes(|body| take(body, number, config, (known, found), table, resolver))?;
        found.settle(table);
        let Some(dumped) = part else { return Ok(()) };
        reading.dumped = reading.dumped.and(dumped);
        reading.tables.pop();
        self.ask_next()
    }

    fn end_dumps(&mut self) -> Result<(), FibError> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        for (_, id) in reading.known.forwardings.drain() {
            self.table.targets.forwardings.release(id);
        }
        let (cause, attempt) = (reading.cause, reading.attempt);
        if reading.dumped == Dumped::Disturbed && attempt < DUMP_TRIES {
            return self.begin_attempt(cause, attempt + 1);
        }
        reading.settle = Some(0);
        Ok(())
    }

    fn end_reading(&mut self) -> Result<(), FibError> {
        let cause = self.reading.take().map_or("", |reading| reading.cause);
        self.resolver.end_reading();
        for (prefix, error) in self.table.end_resync() {
            self.events.push_back(Event::Refused { prefix, error });
        }
        let (routes, pending) = (self.table.present(), self.table.pending());
        debug!(cause, routes, pending, "kernel state read");
        Ok(())
    }
}
