//! What others are told of sessions and tables as they change: collectors over BMP, and a log of UPDATEs and dumps of the
//! table on disk.
//!
//! ```text
//!  peer tasks ── sessions, UPDATEs as they came ─┐                   ┌─ tap ─► station ── BMP ──► a collector
//!  core ── routes taken, chosen, sent ───────────┴─► Feed (wanted?) ─┼─ tap ─► station ── BMP ──► another one
//!                                                                    └─ tap ─► archive ── MRT ──► files
//!  station, dump ── «the next routes from here on» ──► core, peer tasks
//! ```
//!
//! Publishing never waits. Nobody asks for a topic: then `Feed::wants` is one load of an atomic, and nothing else
//! happens. A tap holds so many octets and no more. A station that finds its tap overflowed says so to the
//! collector, closes, connects anew and tells everything again; the archive counts what is missing.
//!
//! A collector that connects is told the tables in steps, each put into its tap by the one who owns the table: so what is
//! told of a destination is in the order of its changes, and a step waits until the one before is written.

mod archive;
mod asked;
mod feed;
mod item;
mod station;
mod status;
mod steps;
mod table;
mod told;

use std::collections::BTreeMap;

use bgp_core::{Asn, RouterId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::{Bmp, Mrt};
use crate::runtime::CoreRequest;

pub(crate) use asked::{Ask, Numbers};
pub(crate) use feed::{Feed, Queue, Topic};
pub(crate) use item::{Item, Session, down};
pub use status::{ArchiveStatus, CollectorStatus};
pub(crate) use steps::{chosen, publish_chosen, publish_sent, publish_taken, received};
pub use table::TableDump;

/// Questions to the supervisor that may wait.
const ASKS: usize = 16;

/// What stations and archive know of the daemon.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) asn: Asn,
    pub(crate) router_id: RouterId,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) feed: Feed,
    pub(crate) core: mpsc::Sender<CoreRequest>,
}

struct Running<S> {
    status: S,
    stop: watch::Sender<bool>,
}

/// The stations and the archive that run.
pub(crate) struct Monitoring {
    world: World,
    asks: mpsc::Sender<Ask>,
    stations: Vec<(Bmp, Running<CollectorStatus>)>,
    archive: Option<(Mrt, Running<ArchiveStatus>)>,
    tasks: JoinSet<()>,
}

impl Monitoring {
    /// None yet; the receiver is for the supervisor, which answers.
    pub(crate) fn new(world: World) -> (Monitoring, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ASKS);
        let stations = Vec::new();
        (Monitoring { world, asks, stations, archive: None, tasks: JoinSet::new() }, asked)
    }

    /// Has what is configured run, and nothing else. What is as before goes on undisturbed.
    pub(crate) fn apply(&mut self, bmp: &[Bmp], mrt: Option<&Mrt>) {
        while self.tasks.try_join_next().is_some() {}
        let stop = |stop: &watch::Sender<bool>| stop.send_replace(true);
        self.stations.retain(|(config, running)| {
            let stays = bmp.contains(config);
            if !stays {
                stop(&running.stop);
            }
            stays
        });
        for config in bmp {
            if !self.stations.iter().any(|(running, _)| running == config) {
                let (status, (stop, stopped)) = (CollectorStatus::new(config.address), watch::channel(false));
                let station = station::Station::new(
                    config.clone(),
                    self.world.clone(),
                    self.asks.clone(),
                    status.clone(),
                );
                self.tasks.spawn(station.run(stopped));
                self.stations.push((config.clone(), Running { status, stop }));
            }
        }
        if self.archive.as_ref().map(|(config, _)| config) != mrt {
            if let Some((_, running)) = self.archive.take() {
                stop(&running.stop);
            }
            if let Some(config) = mrt {
                let (status, (stop, stopped)) = (ArchiveStatus::default(), watch::channel(false));
                let archive = archive::Archive::new(config.clone(), self.world.clone(), status.clone());
                self.tasks.spawn(archive.run(stopped));
                self.archive = Some((config.clone(), Running { status, stop }));
            }
        }
    }

    /// How the stations are, in the order of the configuration.
    pub(crate) fn collectors(&self) -> impl Iterator<Item = &CollectorStatus> {
        self.stations.iter().map(|(_, running)| &running.status)
    }

    /// How the archive is, if there is one.
    pub(crate) fn archive(&self) -> Option<&ArchiveStatus> {
        self.archive.as_ref().map(|(_, running)| &running.status)
    }

    /// A dump of the table, as it is from now on.
    pub(crate) fn dump(&self) -> TableDump {
        TableDump::new(&self.world)
    }

    /// Ends all of it, with a word to each collector.
    pub(crate) async fn stop(mut self) {
        self.apply(&[], None);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Slots of peers to their places in something.
type Places = BTreeMap<u32, u16>;
