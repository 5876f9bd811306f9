//! Other settings for a peer whose session may be up.

use bgp_core::wire::notification::cease;
use bgp_core::{FamilySet, Instant};
use bgp_rib::fault::{Fault, planted};

use super::{Connection, Notification, Peer, PeerOutput};
use crate::config::PeerSettings;
use crate::import::{Judging, judge_alike};
use crate::message::ToCore;

/// What other settings did to a session that is up. All is as it says when [`Peer::reconfigure`] returns, or under way;
/// nothing is left for the caller to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The routes that are kept are judged again.
    pub judged_again: bool,
    /// The peer was asked for routes again.
    pub refresh: bool,
    /// The peer moves to another update group: it is sent the difference.
    pub regroup: bool,
    /// The session was ended, with Cease "other configuration change": routes have to come again, and the peer cannot be
    /// asked for them.
    pub reset: bool,
    /// What counts from the next session on, by the keys of the configuration.
    pub needs_reset: Vec<&'static str>,
}

type Differs = fn(&PeerSettings, &PeerSettings) -> bool;

/// What both sides agree on at the start of a session.
const AGREED: [(&str, Differs); 9] = [
    ("asn", |a, b| (a.peer_as, a.confederation) != (b.peer_as, b.confederation)),
    ("local-as", |a, b| a.as_numbers.local != b.as_numbers.local),
    ("families", |a, b| a.families != b.families),
    ("hold-time", |a, b| a.hold_time != b.hold_time),
    ("role", |a, b| a.role != b.role),
    ("strict-role", |a, b| a.strict_role != b.strict_role),
    ("extended-message", |a, b| a.extended_message != b.extended_message),
    ("graceful-restart", |a, b| a.restart != b.restart),
    ("add-path", |a, b| (a.add_path.receive, a.add_path.send) != (b.add_path.receive, b.add_path.send)),
];

impl Peer {
    /// Treats the peer like this from now on. What its session agreed on stays until that ends; all else changes now,
    /// also for routes that are there: see [`Applied`].
    pub fn reconfigure(&mut self, now: Instant, mut settings: PeerSettings) -> Applied {
        self.dual.carry_over(&mut settings);
        self.session.set_config(now, self.session_config(&settings));
        let limits = settings.limits != self.settings.limits;
        let alike = judge_alike(&self.settings, &settings);
        self.settings = settings;
        let mut applied = Applied::default();
        if limits {
            self.end_pause(now);
        }
        let Some(established) = &mut self.established else {
            // Routes that wait for the peer to come back are gone with the policy that took them.
            if !alike && self.kept_until.take().is_some() {
                self.outputs.push_back(PeerOutput::Core(ToCore::Down(self.id, None)));
            }
            self.open_anew(now);
            self.drain(now);
            return applied;
        };
        let differing = AGREED.iter().filter(|(_, differs)| differs(&established.agreed, &self.settings));
        applied.needs_reset.extend(differing.map(|(key, _)| *key));
        let judging = established.importer.set_settings(self.settings.clone());
        applied.judged_again = judging.differs && established.importer.adj_rib_in().is_some();
        if limits {
            let limit = ToCore::Limit(established.id, self.settings.limits);
            self.outputs.push_back(PeerOutput::Core(limit));
        }
        applied.regroup = self.regroup();
        self.fetch(now, judging, &mut applied);
        self.check_kept(now);
        self.drain(now);
        applied
    }

    /// What has been said in an OPEN cannot be taken back: the connection begins again.
    fn open_anew(&mut self, now: Instant) {
        let outdated = |connection: &Connection| {
            let (said, wanted) = (&connection.settings, &self.settings);
            !connection.closing && AGREED.iter().any(|(_, differs)| differs(said, wanted))
        };
        if self.connections.iter().any(outdated) {
            let text = "what we offer has changed";
            self.session.reset(now, Notification::cease(cease::CONFIGURATION_CHANGE, text));
        }
    }

    /// Has the peer send the routes that are missing to judge all of them.
    fn fetch(&mut self, now: Instant, judging: Judging, applied: &mut Applied) {
        if judging.missing == FamilySet::EMPTY {
            return;
        }
        applied.refresh = self.request_refresh(now, judging.missing);
        match (applied.refresh, judging.differs) {
            (true, _) => {}
            // Routes would stay that are no longer to be taken.
            (false, true) => {
                applied.reset = true;
                let text = "another import policy, and no route refresh";
                self.reset_for_good(now, Notification::cease(cease::CONFIGURATION_CHANGE, text));
            }
            (false, false) if self.settings.keep_received => applied.needs_reset.push("keep-received"),
            (false, false) => applied.needs_reset.push("max-paths"),
        }
    }

    /// Ends the session, and with it all its routes, also where both sides know graceful restart: they are not to be here.
    pub(super) fn reset_for_good(&mut self, now: Instant, notification: Notification) {
        if let Some(established) = &mut self.established {
            established.restart = None;
        }
        self.reset_or_pause(now, notification);
    }

    /// We are about to go, or stay after all: routes are sent with GRACEFUL_SHUTDOWN, or without (RFC 8326). It holds for
    /// later sessions too.
    pub fn set_draining(&mut self, now: Instant, draining: bool) {
        self.draining = draining;
        if !planted(Fault::DrainNotTold) {
            self.regroup();
        }
        self.drain(now);
    }

    /// Whether we are about to go.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Tells the core what the peer is to be sent now, and what it is to us; returns whether that is something else.
    fn regroup(&mut self) -> bool {
        let (Some(established), Some(negotiated)) = (&mut self.established, self.session.negotiated()) else {
            return false;
        };
        let key = self.settings.group_key(&self.identity, negotiated, &established.local, self.draining);
        let group = (key, self.settings.source_kind(negotiated.kind));
        if group == established.group {
            return false;
        }
        established.group.clone_from(&group);
        self.outputs.push_back(PeerOutput::Core(ToCore::Regroup(established.id, Box::new(group))));
        true
    }
}
