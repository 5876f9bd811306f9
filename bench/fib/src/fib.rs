//! fib-sync as a program would use it, in this thread.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fib_sync::{Event, FibConfig, FibSync, IpNetwork, Route, Stats};
use tokio::runtime::{Builder, Runtime};

use crate::raw::{LEN, network};

/// No event for so long: there is nothing to do.
const QUIET: Duration = Duration::from_millis(500);

/// A [`FibSync`] with a runtime of one thread.
pub struct Fib {
    runtime: Runtime,
    sync: FibSync,
}

/// How routes are put into the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As the library does by itself.
    Objects,
    /// Every route with its own next hops.
    Plain,
}

impl Fib {
    /// Nothing is left of others' routes.
    pub fn open(style: Style) -> io::Result<Fib> {
        Fib::open_with(config(style))
    }

    pub fn open_with(config: FibConfig) -> io::Result<Fib> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sync = runtime.block_on(async { FibSync::open(config) }).map_err(io::Error::other)?;
        let mut fib = Fib { runtime, sync };
        fib.sync.finish_adoption();
        fib.flush()?;
        Ok(fib)
    }

    /// Desires the routes 0 to `count`.
    pub fn set(&mut self, count: u32, next_hops: &[Ipv4Addr]) {
        for number in 0..count {
            self.sync.set(Route::via(prefix(number), next_hops.iter().copied().map(IpAddr::from)));
        }
    }

    /// Desires none of them.
    pub fn remove(&mut self, count: u32) {
        (0..count).for_each(|number| self.sync.remove(prefix(number)));
    }

    /// Carries out what is desired. What the kernel refuses is an error.
    pub fn flush(&mut self) -> io::Result<()> {
        let events = self.runtime.block_on(self.sync.flush()).map_err(io::Error::other)?;
        events.iter().try_for_each(check)
    }

    /// Follows the kernel until nothing more happens.
    pub fn follow(&mut self) -> io::Result<()> {
        let Fib { runtime, sync } = self;
        runtime.block_on(async {
            loop {
                // Much work may come without an event.
                match tokio::time::timeout(QUIET, sync.next()).await {
                    Ok(event) => check(&event.map_err(io::Error::other)?)?,
                    Err(_) if sync.stats().pending == 0 => return Ok(()),
                    Err(_) => {}
                }
            }
        })
    }

    pub fn stats(&self) -> Stats {
        self.sync.stats()
    }
}

pub fn config(style: Style) -> FibConfig {
    match style {
        Style::Objects => FibConfig::default(),
        Style::Plain => FibConfig { nexthop_objects: None, ..FibConfig::default() },
    }
}

/// Routes that the library has told the kernel to make, change or remove.
pub fn operations(stats: &Stats) -> u64 {
    stats.operations().iter().map(|(_, _, count)| count).sum()
}

fn prefix(number: u32) -> IpNetwork {
    IpNetwork::new(network(number).into(), LEN).expect("24 bits are not too many")
}

fn check(event: &Event) -> io::Result<()> {
    match event {
        Event::Refused { prefix, error } => Err(io::Error::other(format!("{prefix} is refused: {error}"))),
        Event::Conflict { prefix, .. } => Err(io::Error::other(format!("{prefix} is taken"))),
        _ => Ok(()),
    }
}
