//! Whose routes outlive a session: graceful restart (RFC 4724), with NOTIFICATIONs (RFC 8538), and long-lived
//! (RFC 9494). The table is at [`PeerRestart::retains`].
//!
//! RFC 4724 section 4.2 keeps routes when TCP ends and no NOTIFICATION was exchanged; RFC 8538 section 4 adds those and
//! the hold timer. RFC 9687 does not speak of restarts: its expiry sends a NOTIFICATION as the hold timer's does, and so
//! counts as that.

use std::time::Duration;

use super::config::SessionConfig;
use super::output::DownReason;
use crate::FamilySet;
use crate::wire::capability::{LongLived, Offered};
use crate::wire::notification::cease;
use crate::wire::{Capability, Notification};

/// What a peer said of its restart, where both sides offered graceful restart (RFC 4724 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRestart {
    /// The R bit: the peer has restarted. It waits for our routes and our End-of-RIB, so we must not wait for its own
    /// before we send them.
    pub restarted: bool,
    /// The N bit of both sides: the routes outlive NOTIFICATIONs and the hold timer too (RFC 8538).
    pub notification: bool,
    /// How long its routes should be kept for it to come back, at most 4095 s.
    pub restart_time: Duration,
    /// The families of the session that it restarts gracefully.
    pub families: FamilySet,
    /// Those of them whose F bit is set: it kept forwarding. In a session after a restart, routes of all other
    /// families have to go at once (RFC 4724 section 4.2).
    pub forwarding: FamilySet,
    /// Families of the session whose routes may be kept after `restart_time` too (RFC 9494
    /// section 3.1), if both sides offered that.
    pub long_lived: Vec<LongLived>,
}

impl PeerRestart {
    /// What follows for a session of `families`; `None` unless both sides offer graceful restart.
    pub(super) fn negotiate(
        config: &SessionConfig,
        families: FamilySet,
        offered: Offered<'_>,
    ) -> Option<PeerRestart> {
        let ours = config.graceful_restart.as_ref()?;
        let theirs = offered.graceful_restart()?;
        let listed = |wanted: fn(bool) -> bool| -> FamilySet {
            let entries = theirs.families.iter().filter(|entry| wanted(entry.forwarding));
            entries.map(|entry| entry.family).collect::<FamilySet>().intersection(families)
        };
        Some(PeerRestart {
            restarted: theirs.restarted,
            notification: ours.notification && theirs.notification,
            restart_time: Duration::from_secs(theirs.restart_time.into()),
            families: listed(|_| true),
            forwarding: listed(|forwarding| forwarding),
            long_lived: long_lived(config, families, offered),
        })
    }

    /// Whether routes of the peer may outlive a session that ended for `reason` (RFC 4724 section 4.2, RFC 8538
    /// section 4).
    ///
    /// | the session ended by | both offered graceful restart | and both set the N bit |
    /// |---|---|---|
    /// | TCP failure | kept | kept |
    /// | a new connection of the restarted peer | kept | kept |
    /// | hold timer, send hold timer | | kept |
    /// | a NOTIFICATION, sent or received | | kept |
    /// | a Hard Reset, sent or received | | |
    /// | our own stop | | |
    #[must_use]
    pub fn retains(&self, reason: &DownReason) -> bool {
        let keeps_any = !self.families.is_empty() || !self.long_lived.is_empty();
        keeps_any
            && match reason {
                DownReason::TcpFailed | DownReason::PeerRestarted => true,
                DownReason::HoldTimerExpired | DownReason::SendHoldTimerExpired => self.notification,
                DownReason::NotificationReceived(n)
                | DownReason::NotificationSent(n)
                | DownReason::Reset(n) => self.notification && !is_hard_reset(n),
                DownReason::AdminDown | DownReason::ConnectFailed => false,
            }
    }
}

/// The peer's families, as far as they are the session's.
fn long_lived(config: &SessionConfig, families: FamilySet, offered: Offered<'_>) -> Vec<LongLived> {
    let theirs = config.long_lived.as_ref().map_or(&[][..], |_| offered.long_lived());
    theirs.iter().copied().filter(|entry| families.contains(entry.family)).collect()
}

/// What we say of our own restart.
pub(super) fn our_restart(config: &SessionConfig) -> impl Iterator<Item = Capability> {
    let restart = config.graceful_restart.clone();
    let long_lived = config.long_lived.clone().filter(|_| restart.is_some());
    restart
        .map(Capability::GracefulRestart)
        .into_iter()
        .chain(long_lived.map(Capability::LongLivedGracefulRestart))
}

fn is_hard_reset(notification: &Notification) -> bool {
    notification.code == Notification::CEASE && notification.subcode == cease::HARD_RESET
}

/// Why a session is ended, which decides whether a peer that would keep our routes is told not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// For good: our routes must go whatever the NOTIFICATION says.
    ForGood,
    /// It comes back. The Ceases that stand for a long time, or for a dead path, make the routes go (RFC 8538 section 5.1).
    ForNow,
}

/// The NOTIFICATION to send in place of `notification`: wrapped into a Hard Reset where the routes must go and the N bit
/// would keep them (RFC 8538 sections 3.1 and 5.1). An Administrative Reset is left to the user, who may give a Hard
/// Reset of its own.
pub(super) fn farewell(
    notification: &Notification,
    restart: Option<&PeerRestart>,
    why: Farewell,
) -> Notification {
    let lasting = matches!(
        notification.subcode,
        cease::MAX_PREFIXES
            | cease::ADMINISTRATIVE_SHUTDOWN
            | cease::PEER_DECONFIGURED
            // Nobody forwards what is meant for a dead path, so no routes wait for it.
            | cease::BFD_DOWN
    );
    let ends = notification.code == Notification::CEASE && (lasting || why == Farewell::ForGood);
    if !ends || is_hard_reset(notification) || !restart.is_some_and(|restart| restart.notification) {
        return notification.clone();
    }
    let mut wrapped = vec![notification.code, notification.subcode];
    wrapped.extend_from_slice(&notification.data);
    Notification::with_data(Notification::CEASE, cease::HARD_RESET, wrapped)
}
