//! The answers about BFD: `bgp bfd` and its metrics.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use bfd::driver::Row;
use bfd::{Hops, State};
use bgp_core::link_local;

use super::supervisor::Supervisor;
use crate::api::schema::{Bfd, BfdRow, PeerAddress, Timestamp};

impl Supervisor {
    pub(super) async fn bfd(&self) -> Bfd {
        let snapshot = self.bfd.handle().snapshot().await;
        let row = |row: Row| {
            let inside = match row.peer.address {
                IpAddr::V6(v6) => link_local::on(v6, NonZeroU32::new(row.peer.interface)).into(),
                v4 => v4,
            };
            let name = self.peers.name_of(inside);
            bfd_row(&row, &PeerAddress::from(inside), name)
        };
        Bfd { sessions: snapshot.sessions.into_iter().map(row).collect(), discarded: snapshot.discarded }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn bfd_row(row: &Row, peer: &PeerAddress, name: Option<String>) -> BfdRow {
    let remote = &row.remote;
    BfdRow {
        peer: peer.ip(),
        interface: peer.interface().map(str::to_owned),
        name,
        local: row.local,
        hops: if row.peer.hops == Hops::Single { "single" } else { "multi" }.to_owned(),
        state: row.state.to_string(),
        since: Timestamp::from(row.since),
        since_seconds: SystemTime::now().duration_since(row.since).map_or(0, |d| d.as_secs()),
        diagnostic: row.diagnostic.to_string(),
        peer_state: remote.state.to_string(),
        peer_diagnostic: remote.diagnostic.to_string(),
        peer_independent: row.independent,
        discriminator: row.discriminator,
        peer_discriminator: remote.discriminator.map(Into::into),
        interval_ms: millis(row.timers.interval),
        multiplier: row.timers.multiplier.get(),
        transmit_ms: millis(row.transmit_interval),
        detect_ms: remote.discriminator.map(|_| millis(row.detection_time)),
        received: row.received,
        sent: row.sent,
        ups: row.ups,
        failures: row.failures,
        problem: problem(row),
    }
}

fn problem(row: &Row) -> Option<String> {
    let told = match (row.state, row.remote.discriminator) {
        (State::Up, _) => None,
        (State::AdminDown, _) => Some("the peer is switched off here"),
        (_, None) => Some("nothing comes from the peer: it may not do BFD with us"),
        (_, Some(_)) if row.remote.state == State::AdminDown => Some("the peer's operator switched it off"),
        (_, Some(_)) => Some("the peer does not hear us"),
    };
    row.problem.clone().or(told.map(str::to_owned))
}
