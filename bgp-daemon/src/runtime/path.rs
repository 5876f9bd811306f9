//! The path to one peer, watched by BFD. A session does not wait for it, but ends with it.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bfd::driver::{Handle, LastFailure, Status, Wanted, Watch};
use bfd::{Hops, Peer, Timers};
use bgp_core::link_local;
use tracing::info;

use crate::config::BfdHops;
use crate::net::{HostAddresses, shown};

/// How a path is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathSettings {
    /// How soon a failure shall be found out.
    pub(crate) timers: Timers,
    /// How far the peer is thought to be.
    pub(crate) hops: BfdHops,
    /// Our address, if it is configured.
    pub(crate) source: Option<IpAddr>,
    /// How many hops away the peer may be.
    pub(crate) ttl_security: Option<u8>,
}

/// Packets of a process that has ended may be looked at so much later than the end of its connection.
const BELATED: Duration = Duration::from_secs(1);

/// A path that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The peer's BFD does not end with its BGP: so packets do not get through.
    pub(crate) independent: bool,
    /// The peer's BFD was up before the end of the last session and not heard any more after it, so it has ended with
    /// that one.
    pub(crate) belated: bool,
}

impl Failure {
    fn of(last: LastFailure, session_ended: Option<Instant>) -> Failure {
        let LastFailure { up_since, heard_up, independent } = last;
        let is_silent = |ended| heard_up.is_some_and(|heard| heard < ended + BELATED);
        let belated = session_ended.is_some_and(|ended| up_since < ended && is_silent(ended));
        Failure { independent, belated }
    }
}

/// The watch on the path to a peer, if there is to be one. It lasts over sessions, so that it can tell of a path that
/// comes back, too. Dropping it tells the peer that no failure is meant.
pub(crate) struct PathWatch {
    handle: Handle,
    peer: IpAddr,
    settings: Option<PathSettings>,
    /// Our end of the latest connection.
    local: Option<IpAddr>,
    enabled: bool,
    watch: Option<Watch>,
    /// Failures that were told.
    failures: u64,
    /// When the last session ended.
    session_ended: Option<Instant>,
}

impl PathWatch {
    /// `local` is our end of a connection, where there is one already.
    pub(crate) fn new(
        handle: Handle,
        peer: IpAddr,
        settings: Option<PathSettings>,
        local: Option<IpAddr>,
    ) -> PathWatch {
        PathWatch {
            handle,
            peer,
            settings,
            local,
            enabled: false,
            watch: None,
            failures: 0,
            session_ended: None,
        }
    }

    /// Watches otherwise from now on.
    pub(crate) fn configure(&mut self, settings: Option<PathSettings>) {
        self.settings = settings;
        self.follow();
    }

    /// Watches only while the peer may have a session.
    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
        self.follow();
    }

    /// A session is up, and `local` our end of it: the peer expects BFD from there.
    pub(crate) fn established(&mut self, local: IpAddr) {
        self.local = Some(local);
        self.follow();
        if self.watch.as_ref().is_some_and(|watch| !watch.status().up) {
            info!(peer = shown(self.peer), "BFD is not up yet; the session does not wait for it");
        }
    }

    /// The session has ended, or its connection has, so that it is about to.
    pub(crate) fn session_ended(&mut self) {
        self.session_ended = Some(Instant::now());
    }

    fn follow(&mut self) {
        let Some(settings) = self.settings else {
            self.watch = None;
            self.failures = 0;
            return;
        };
        let (address, link) = link_local::split(self.peer);
        let wanted = Wanted {
            peer: Peer { address, interface: link.map_or(0, NonZeroU32::get), hops: self.hops(settings) },
            local: settings.source.or(self.local).map(link_local::bare),
            timers: settings.timers,
            enabled: self.enabled,
        };
        match &mut self.watch {
            Some(watch) => watch.want(wanted),
            None if self.enabled => self.watch = Some(self.handle.watch(wanted)),
            None => (),
        }
    }

    /// One hop if the peer is in a subnet of ours. Without the list of our addresses nobody can tell, and then it stays.
    fn hops(&self, settings: PathSettings) -> Hops {
        let known = self.watch.as_ref().map(|watch| watch.wanted().peer.hops);
        let multi = Hops::Multi { min_ttl: settings.ttl_security.map_or(1, |hops| 255 - (hops - 1)) };
        match (settings.hops, HostAddresses::read(), known) {
            (BfdHops::Single, ..) => Hops::Single,
            (BfdHops::Multi, ..) => multi,
            (BfdHops::Auto, Ok(host), _) if host.is_on_link(self.peer) => Hops::Single,
            (BfdHops::Auto, Err(_), Some(known)) => known,
            _ => multi,
        }
    }

    /// Waits for the next failure of the path. Nothing is lost if the wait is given up.
    pub(crate) async fn failed(&mut self) -> LastFailure {
        let Some(watch) = &mut self.watch else { return std::future::pending().await };
        loop {
            let Status { failures, last_failure, .. } = watch.status();
            if let Some(last) = last_failure.filter(|_| failures > self.failures) {
                self.failures = failures;
                return last;
            }
            watch.changed().await;
        }
    }

    /// What to make of a failure, once it is known whether the session has ended.
    pub(crate) fn judge(&self, failure: LastFailure) -> Failure {
        Failure::of(failure, self.session_ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a failure is belated, by the milliseconds at which the path came up and the peer was last heard. The last
    /// session ended at 10,000.
    fn belated(up_since: u64, heard_up: u64) -> bool {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let last = LastFailure { up_since: at(up_since), heard_up: Some(at(heard_up)), independent: false };
        assert!(!Failure::of(last, None).belated, "no session has ended");
        Failure::of(last, Some(at(10_000))).belated
    }

    #[test]
    fn a_failure_is_belated_if_nothing_was_heard_of_the_peer_since_its_session_ended() {
        assert!(belated(1000, 9000) && belated(1000, 10_005));
        assert!(!belated(1000, 19_000), "the path lived on");
    }

    #[test]
    fn a_failure_of_a_path_that_came_up_after_the_last_session_is_not_belated() {
        assert!(belated(1000, 10_900));
        assert!(!belated(10_500, 10_900));
    }
}
