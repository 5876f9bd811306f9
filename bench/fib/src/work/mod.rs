//! What is measured.

pub mod memory;
pub mod nexthop;
pub mod resync;
pub mod session;

use std::io;
use std::path::PathBuf;

use crate::daemon::Kind;
use crate::net::{self, Neighbor};
use crate::raw::{Order, Raw, Via};
use crate::result::Results;
use crate::watch::Watcher;

/// The raw program's name in the results.
pub const RAW: &str = "raw netlink";
/// The same, with the routes in another order.
pub const ROUNDS: &str = "raw netlink in rounds";
/// The limits, and the order in which each sends routes.
pub const LIMITS: [(&str, Order); 2] = [(RAW, Order::Numbers), (ROUNDS, Order::Rounds)];
/// The library's.
pub const FIB_SYNC: &str = "fib-sync";
/// All times are these.
pub const TIME: &str = "time, s";

/// Where everything happens.
pub struct Stage {
    pub neighbor: Neighbor,
    pub watcher: Watcher,
    pub raw: Raw,
    /// The way of the raw program's routes.
    pub via: Via,
    /// The daemons that are asked for and installed, with their programs.
    pub daemons: Vec<(Kind, Vec<PathBuf>)>,
    /// Routes of the main table that are not of the bench.
    pub others: usize,
    pub quick: bool,
    pub repetitions: usize,
    pub results: Results,
}

impl Stage {
    /// How many routes the table has with `count` of the bench.
    pub fn with(&self, count: u32) -> usize {
        self.others + count as usize
    }

    /// An error if the table does not have `count` routes of the bench.
    pub fn expect(&self, count: u32) -> io::Result<()> {
        match net::routes()? - self.others {
            routes if routes == count as usize => Ok(()),
            routes => Err(io::Error::other(format!("{routes} routes in place of {count}"))),
        }
    }

    /// Removes what a run that failed has left.
    pub fn clean(&self) {
        for protocol in ["bgp", "bird", "zebra"] {
            net::ip_or_not(&format!("route flush table main proto {protocol}"));
        }
        net::ip_or_not("nexthop flush");
    }
}
