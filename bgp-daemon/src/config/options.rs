//! How routes are exchanged with a peer: keys that stand at the top of the file for all peers, and in an entry for
//! its own.

use std::num::NonZeroU16;
use std::time::Duration;

use bgp_core::{Family, FamilySet};
use bgp_rib::{Advertise, NextHopRule};

use super::diagnostic::{Code, Report};
use super::entries::{Entry, Shown, boolean, list, number, seconds, text};
use super::section::Section;
use super::values::{self, ADD_PATH, ADVERTISE, MAX_PREFIX_ACTIONS, NEXT_HOP_RULES, word};

/// Which way several paths to a destination are offered (RFC 7911).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddPath {
    /// Neither.
    #[default]
    Off,
    /// We take them.
    Receive,
    /// We send them.
    Send,
    /// Both.
    Both,
}

/// What happens to a peer with more prefixes than it may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxPrefixAction {
    /// Its session ends.
    #[default]
    Reset,
    /// The operator is told.
    Warn,
}

impl AddPath {
    /// Whether we take several paths.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, AddPath::Receive | AddPath::Both)
    }

    /// Whether we send several paths.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, AddPath::Send | AddPath::Both)
    }
}

/// How routes are exchanged with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerOptions {
    /// Which way several paths to a destination are offered.
    pub add_path: AddPath,
    /// Which paths to a destination are sent.
    pub advertise: Advertise,
    /// The most paths to one destination that are taken; `None`: any number.
    pub max_paths: Option<u16>,
    /// Whether routes outlive a restart of either side (RFC 4724, RFC 8538).
    pub graceful_restart: bool,
    /// How long the peer is to wait for us to come back, in seconds, at most 4095.
    pub restart_time: u16,
    /// Once a peer is back, the longest that its old routes wait for its End-of-RIB.
    pub stale_time: Duration,
    /// How long routes are kept after the restart time as the last choice, in seconds (RFC 9494); `None`: not at all.
    pub long_lived_time: Option<u32>,
    /// The next hop that goes out with routes.
    pub next_hop: NextHopRule,
    /// How many prefixes a family may hold before the session is closed; `None`: any number.
    pub max_prefix: Option<u32>,
    /// What happens then.
    pub max_prefix_action: MaxPrefixAction,
    /// At how many of a hundred of them the operator is told; `None`: not before.
    pub max_prefix_warning: Option<u32>,
    /// How long a peer with more of them stays down; `None`: for the usual back-off.
    pub max_prefix_restart: Option<Duration>,
    /// How many octets of attributes its routes may have before the session is closed; `None`: any number.
    pub max_bytes: Option<u64>,
    /// Whether its routes are kept as they came, refused ones too.
    pub keep_received: bool,
}

impl Default for PeerOptions {
    fn default() -> PeerOptions {
        PeerOptions {
            add_path: AddPath::Off,
            advertise: Advertise::Best,
            max_paths: None,
            graceful_restart: true,
            restart_time: 120,
            stale_time: Duration::from_secs(360),
            long_lived_time: None,
            next_hop: NextHopRule::Auto,
            max_prefix: None,
            max_prefix_action: MaxPrefixAction::Reset,
            max_prefix_warning: None,
            max_prefix_restart: None,
            max_bytes: None,
            keep_received: false,
        }
    }
}

impl PeerOptions {
    /// The keys of `section`, each with the value of `inherited` if it is not there.
    pub(super) fn read(
        section: &mut Section<'_>,
        report: &mut Report<'_>,
        inherited: PeerOptions,
    ) -> PeerOptions {
        PeerOptions {
            add_path: section.get(report, "add-path", values::add_path).unwrap_or(inherited.add_path),
            advertise: section.get(report, "advertise", values::advertise).unwrap_or(inherited.advertise),
            max_paths: section.get(report, "max-paths", values::max_paths).unwrap_or(inherited.max_paths),
            graceful_restart: section
                .get(report, "graceful-restart", values::boolean)
                .unwrap_or(inherited.graceful_restart),
            restart_time: section
                .get(report, "restart-time", values::restart_time)
                .unwrap_or(inherited.restart_time),
            stale_time: section.get(report, "stale-time", values::seconds).unwrap_or(inherited.stale_time),
            long_lived_time: section
                .get(report, "long-lived-time", values::long_lived_time)
                .unwrap_or(inherited.long_lived_time),
            next_hop: next_hop(section, report).unwrap_or(inherited.next_hop),
            max_prefix: section.get(report, "max-prefix", values::limit).unwrap_or(inherited.max_prefix),
            max_prefix_action: section
                .get(report, "max-prefix-action", values::max_prefix_action)
                .unwrap_or(inherited.max_prefix_action),
            max_prefix_warning: section
                .get(report, "max-prefix-warning", values::percent)
                .unwrap_or(inherited.max_prefix_warning),
            max_prefix_restart: section
                .get(report, "max-prefix-restart", values::pause)
                .unwrap_or(inherited.max_prefix_restart),
            max_bytes: section.get(report, "max-bytes", values::octets).unwrap_or(inherited.max_bytes),
            keep_received: section
                .get(report, "keep-received", values::boolean)
                .unwrap_or(inherited.keep_received),
        }
    }

    /// Keys of `section` that cannot stand beside the others, or do nothing beside them, for any of the `users` that
    /// have their values from it.
    pub(super) fn contradictions(section: &Section<'_>, report: &mut Report<'_>, users: &[PeerOptions]) {
        let unused = |used: fn(&PeerOptions) -> bool| !users.iter().any(used);
        for key in ["restart-time", "stale-time", "long-lived-time"] {
            if let (true, Some(at)) = (unused(|user| user.graceful_restart), section.key_span(key)) {
                let message = format!("`{key}` means nothing with `graceful-restart = false`");
                report.error(Code::Conflict, at, message, "take one of them out");
            }
        }
        for key in ["max-prefix-action", "max-prefix-warning", "max-prefix-restart"] {
            if let (true, Some(at)) = (unused(|user| user.max_prefix.is_some()), section.key_span(key)) {
                let message = format!("`{key}` says what to do at a limit, and there is none");
                report.warning(Code::Suspicious, at, message, "add `max-prefix`");
            }
        }
        let idle = unused(|user| user.add_path.receives() || user.max_paths.is_none());
        if let (true, Some(at)) = (idle, section.key_span("max-paths")) {
            let message = "`max-paths` limits what is received, and a single path is";
            report.error(Code::Conflict, at, message, "add `add-path = \"receive\"` or \"both\"");
        }
        let idle = unused(|user| user.add_path.sends() || !user.advertises_several());
        if let (true, Some(at)) = (idle, section.key_span("advertise")) {
            let message = "several paths are sent with ADD-PATH only: without it the peer gets the best one";
            report.warning(Code::Suspicious, at, message, "add `add-path = \"send\"` or \"both\"");
        }
        let idle = unused(|user| user.advertises_several() || !user.add_path.sends());
        if let (true, Some(at)) = (idle, section.key_span("add-path")) {
            let message = "ADD-PATH is offered for sending, and a single path is sent";
            let remedy = "add `advertise = \"all\"`, \"ecmp\" or a number";
            report.warning(Code::Suspicious, at, message, remedy);
        }
    }

    fn advertises_several(&self) -> bool {
        matches!(self.advertise, Advertise::Ecmp | Advertise::Count(_) | Advertise::All)
    }

    /// The number of prefixes in a family at which the session ends, and that at which the operator is told.
    #[must_use]
    pub fn prefix_limits(&self) -> (Option<u32>, Option<u32>) {
        let part = |max: u32, percent: u32| u64::from(max) * u64::from(percent) / 100;
        let early = self.max_prefix.zip(self.max_prefix_warning).map(|(max, percent)| part(max, percent));
        let early = early.and_then(|count| u32::try_from(count).ok()).map(|count| count.max(1));
        match self.max_prefix_action {
            MaxPrefixAction::Reset => (self.max_prefix, early),
            MaxPrefixAction::Warn => (None, early.or(self.max_prefix.map(|max| max.saturating_add(1)))),
        }
    }

    /// The keys with their values.
    pub(super) fn entries(&self) -> Vec<Entry> {
        vec![
            ("add-path", text(word(ADD_PATH, &self.add_path))),
            ("advertise", advertise(self.advertise)),
            ("max-paths", number(self.max_paths.unwrap_or(0))),
            ("graceful-restart", boolean(self.graceful_restart)),
            ("restart-time", of_restart(self, number(self.restart_time))),
            ("stale-time", of_restart(self, seconds(self.stale_time))),
            ("long-lived-time", of_restart(self, number(self.long_lived_time.unwrap_or(0)))),
            ("next-hop", shown_next_hop(self.next_hop)),
            ("max-prefix", number(self.max_prefix.unwrap_or(0))),
            ("max-prefix-action", text(word(MAX_PREFIX_ACTIONS, &self.max_prefix_action))),
            ("max-prefix-warning", number(self.max_prefix_warning.unwrap_or(0))),
            ("max-prefix-restart", self.max_prefix_restart.map_or_else(|| number(0), seconds)),
            ("max-bytes", number(i64::try_from(self.max_bytes.unwrap_or(0)).unwrap_or(i64::MAX))),
            ("keep-received", boolean(self.keep_received)),
        ]
    }

    /// Whether a next hop that is set is of a family without a session.
    pub(super) fn next_hop_is_idle(&self, families: FamilySet) -> bool {
        let NextHopRule::Set { v4, v6 } = self.next_hop else { return false };
        v4.is_some() && !families.contains(Family::IPV4_UNICAST)
            || v6.is_some() && !families.contains(Family::IPV6_UNICAST)
    }
}

/// `next-hop`, or `next-hop-self`, which is one of its values.
fn next_hop(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<NextHopRule> {
    section.settle(&["next-hop", "next-hop-self"]);
    let rule = section.get(report, "next-hop", values::next_hop);
    let own = section.get(report, "next-hop-self", values::boolean);
    if let (Some(_), Some(at)) = (section.key_span("next-hop"), section.key_span("next-hop-self")) {
        let message = "`next-hop-self = true` is `next-hop = \"self-for-external\"`, and both keys are set";
        report.error(Code::Conflict, at, message, "take it out");
    }
    rule.or(own.map(|own| if own { NextHopRule::OwnForExternal } else { NextHopRule::Auto }))
}

fn of_restart(options: &PeerOptions, shown: Shown) -> Shown {
    if options.graceful_restart { shown } else { Shown::Unset("without graceful restart") }
}

fn advertise(advertise: Advertise) -> Shown {
    match advertise {
        Advertise::Count(count) => number(NonZeroU16::get(count)),
        other => text(word(ADVERTISE, &other)),
    }
}

fn shown_next_hop(rule: NextHopRule) -> Shown {
    match rule {
        NextHopRule::Set { v4: Some(v4), v6: None } => text(v4),
        NextHopRule::Set { v4: None, v6: Some(v6) } => text(v6),
        NextHopRule::Set { v4, v6 } => {
            list(v4.map(|a| a.to_string()).into_iter().chain(v6.map(|a| a.to_string())))
        }
        other => text(word(NEXT_HOP_RULES, &other)),
    }
}
