//! Restarts of peers, and our own: each rule of RFC 4724, RFC 8538 and RFC 9494 that we are bound by.

mod helper;
mod ours;
mod refresh;

use std::time::Duration;

use bgp_core::wire::capability::{GracefulRestart, LongLived, RestartFamily};
use bgp_core::wire::{Notification, PathAttribute};
use bgp_core::{Family, FamilySet};

use super::rig::*;
use crate::{PeerSettings, RestartSettings};

/// What the far ends ask for.
const RESTART_TIME: Duration = Duration::from_secs(100);
const STALE_TIME: Duration = Duration::from_secs(360);
const LONG: Duration = Duration::from_secs(5000);
const SECOND: Duration = Duration::from_secs(1);

/// A client with graceful restart and no hold time.
fn restarting(number: u8) -> PeerSettings {
    PeerSettings { hold_time: 0, restart: Some(RestartSettings::default()), ..client(number) }
}

/// The same, with routes that may live long.
fn lasting(number: u8) -> PeerSettings {
    let restart = RestartSettings { long_lived: Some(86_400), ..RestartSettings::default() };
    PeerSettings { restart: Some(restart), ..restarting(number) }
}

fn capability(notification: bool, forwarding: FamilySet) -> GracefulRestart {
    let entry = |family| RestartFamily { family, forwarding: forwarding.contains(family) };
    GracefulRestart {
        restarted: false,
        notification,
        restart_time: RESTART_TIME.as_secs() as u16,
        families: both().iter().map(entry).collect(),
    }
}

fn long_lived() -> Vec<LongLived> {
    let stale_time = LONG.as_secs() as u32;
    both().iter().map(|family| LongLived { family, forwarding: true, stale_time }).collect()
}

/// We, a peer at 0 that may restart, and a client at 1 that looks on.
struct Restart {
    rig: Rig,
}

impl Restart {
    fn of(settings: PeerSettings) -> Restart {
        Restart::with(settings, |side| side.restart = Some(capability(false, both())))
    }

    fn with(settings: PeerSettings, far: impl FnOnce(&mut Side)) -> Restart {
        let mut rig = Rig::new();
        let source = rig.add(settings);
        far(&mut rig.sides[source]);
        rig.establish(source);
        rig.up(PeerSettings { hold_time: 0, ..client(2) });
        Restart { rig }
    }

    fn new() -> Restart {
        Restart::of(restarting(1))
    }

    fn long_lived() -> Restart {
        Restart::with(lasting(1), |side| {
            side.restart = Some(capability(false, both()));
            side.long_lived = Some(long_lived());
        })
    }

    /// The peer announces some routes.
    fn announce(&mut self, routes: &[&str]) {
        for text in routes {
            let v6 = attributes(&[], &[PathAttribute::LocalPref(100)]);
            let update = match text.contains(':') {
                true => announce(text, "fd00::1".parse().unwrap(), &v6),
                false => from_client(1, text),
            };
            self.rig.hear(0, &update);
        }
    }

    fn end_of_rib(&mut self) {
        self.rig.hear(0, &ends_of_rib());
    }

    fn cut(&mut self) {
        self.rig.cut(0);
    }

    /// The peer is back.
    fn back(&mut self) {
        self.rig.establish(0);
    }

    fn later(&mut self, time: Duration) {
        self.rig.later(time);
    }

    fn notify(&mut self, notification: &Notification) {
        let mut octets = Vec::new();
        notification.encode(&mut octets);
        self.rig.hear(0, &octets);
    }

    /// What the client that looks on holds.
    fn seen(&self) -> Vec<String> {
        self.rig.sides[1].routes().iter().map(ToString::to_string).collect()
    }

    fn stale(&self) -> usize {
        let families = self.rig.core.rib().stale_families(1);
        let counts = |family| self.rig.core.rib().peer_counts(self.rig.id(0), family);
        families.iter().filter_map(counts).map(|counts| counts.stale).sum()
    }

    fn is_long_lived(&self, text: &str) -> bool {
        let route = self.rig.core.rib().route(prefix(text)).unwrap();
        route.paths.iter().find(|path| path.slot() == 1).unwrap().is_long_lived()
    }
}
