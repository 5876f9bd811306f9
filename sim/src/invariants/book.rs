//! What is known of one end of a session.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bgp_core::fsm::DownReason;
use bgp_core::{Instant, Prefix};

use crate::oracle::{Message, Open};

/// One end of a session, since its router started.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The connection on which it is established.
    pub(super) connection: Option<u64>,
    pub(super) up_at: Instant,
    /// How often it came up.
    pub(super) ups: usize,
    pub(super) hold_time: Duration,
    /// This end offered graceful restart, and by family to keep routes for so many seconds more.
    pub(super) restarts: bool,
    pub(super) long_lived: [Option<u32>; 2],
    /// When the last message came on each connection.
    pub(super) last_message: BTreeMap<u64, Instant>,
    /// The other end has said why it ends the session.
    pub(super) notified: bool,
    /// The families that the other end is sending again, between its markers.
    pub(super) refreshing: BTreeSet<usize>,
    /// The paths that the session has brought, after the last step; without those that it has brought again since.
    pub(super) held: BTreeSet<(Prefix, u32)>,
    /// The session before, if there was one.
    pub(super) lost: Option<Lost>,
}

impl End {
    /// What the other end says: where a refresh begins and ends (RFC 7313), other paths, the end.
    pub(super) fn note(&mut self, message: &Message) {
        match message {
            Message::Refresh(family, 1) => {
                self.refreshing.insert(*family);
            }
            Message::Refresh(family, 2) => {
                self.refreshing.remove(family);
            }
            Message::Notification(..) => self.notified = true,
            // What came last may be refused, and the session be lost in the same step.
            Message::Update(announced, _) => {
                announced.iter().for_each(|path| _ = self.held.remove(path));
            }
            _ => {}
        }
    }
}

/// A session that has ended.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) connection: u64,
    /// Until when its routes may be kept, by family; `None`: they may not.
    pub(super) until: [Option<Instant>; 2],
    /// Until when as long-lived stale ones.
    pub(super) long_until: [Option<Instant>; 2],
    /// It ended without a word, and has not come back: its routes have to be kept.
    pub(super) as_by_restart: bool,
    pub(super) is_new: bool,
}

/// The longest that a restart can be asked for (RFC 4724 section 3), and long-lived stale routes be kept (RFC 9494
/// section 3.1).
const LONGEST: Duration = Duration::from_secs(4095 + (1 << 24));

impl Lost {
    /// A session of which nothing was seen: whatever may have been agreed.
    pub(super) fn unseen(now: Instant) -> Lost {
        let ever = [Some(now + LONGEST); 2];
        Lost { connection: 0, until: ever, long_until: ever, as_by_restart: false, is_new: true }
    }

    /// `open` is the other end's, `book` this end's.
    pub(super) fn new(
        now: Instant,
        connection: u64,
        open: &Open,
        book: &End,
        reason: Option<DownReason>,
    ) -> Lost {
        let restart = Duration::from_secs(open.restart_time.unwrap_or(0).into());
        // A family that is only kept for long is so from the start (RFC 9494 section 4.2).
        let offered = open.restart_time.is_some() && book.restarts;
        let [restarts_v4, restarts_v6] = open.restarts;
        let [theirs_v4, theirs_v6] = open.long_lived;
        let [own_v4, own_v6] = book.long_lived;
        let [long_v4, long_v6] = [theirs_v4.zip(own_v4), theirs_v6.zip(own_v6)];
        let until = [(restarts_v4, long_v4), (restarts_v6, long_v6)].map(|kept| match kept {
            (true, _) if offered => Some(now + restart),
            (false, Some(_)) if offered => Some(now),
            _ => None,
        });
        let long = |until: Option<Instant>, times: Option<(u32, u32)>| {
            let (theirs, own) = times?;
            Some(until? + Duration::from_secs(theirs.min(own).into()))
        };
        let [until_v4, until_v6] = until;
        let without_a_word = matches!(reason, Some(DownReason::TcpFailed)) && !book.notified;
        let as_by_restart = without_a_word && !restart.is_zero();
        Lost {
            connection,
            until,
            long_until: [long(until_v4, long_v4), long(until_v6, long_v6)],
            as_by_restart,
            is_new: true,
        }
    }
}
