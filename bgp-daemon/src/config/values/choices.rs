//! One of a few words.

use std::net::IpAddr;
use std::num::NonZeroU16;

use bgp_core::wire::capability::Role;
use bgp_core::{Family, FamilySet};
use bgp_rib::filter::Action;
use bgp_rib::{Advertise, NextHopRule};
use toml::de::DeValue;

use super::super::diagnostic::{Code, Report};
use super::super::model::{LogFormat, NextHops, PerPeer};
use super::super::nearest::nearest;
use super::super::options::{AddPath, MaxPrefixAction};
use super::super::section::Node;
use super::addresses::one_of_each;
use super::lists::list;
use super::numbers::integer;
use super::{boolean, text};
use crate::log::LEVELS;

/// The words of a choice and what they mean.
pub(in crate::config) type Choices<T> = &'static [(&'static str, T)];

pub(in crate::config) const FAMILIES: Choices<Family> =
    &[("ipv4", Family::IPV4_UNICAST), ("ipv6", Family::IPV6_UNICAST)];
pub(in crate::config) const ACTIONS: Choices<Action> =
    &[("accept", Action::Accept), ("reject", Action::Reject)];

pub(in crate::config) const TERM_ACTIONS: Choices<Option<Action>> =
    &[("accept", Some(Action::Accept)), ("reject", Some(Action::Reject)), ("next", None)];
pub(in crate::config) const ADD_PATH: Choices<AddPath> =
    &[("off", AddPath::Off), ("receive", AddPath::Receive), ("send", AddPath::Send), ("both", AddPath::Both)];
pub(in crate::config) const MAX_PREFIX_ACTIONS: Choices<MaxPrefixAction> =
    &[("reset", MaxPrefixAction::Reset), ("warn", MaxPrefixAction::Warn)];
pub(in crate::config) const ADVERTISE: Choices<Advertise> = &[
    ("best", Advertise::Best),
    ("best-external", Advertise::BestExternal),
    ("ecmp", Advertise::Ecmp),
    ("all", Advertise::All),
];

pub(in crate::config) const NEXT_HOP_RULES: Choices<NextHopRule> = &[
    ("auto", NextHopRule::Auto),
    ("self", NextHopRule::Own),
    ("self-for-external", NextHopRule::OwnForExternal),
    ("unchanged", NextHopRule::Unchanged),
];

/// What we are to a peer, by the words of RFC 9234 section 4.
pub(in crate::config) const ROLES: Choices<Role> = &[
    ("provider", Role::Provider),
    ("customer", Role::Customer),
    ("peer", Role::Peer),
    ("rs", Role::RouteServer),
    ("rs-client", Role::RouteServerClient),
];

pub(in crate::config) const LOG_FORMATS: Choices<LogFormat> =
    &[("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(in crate::config) const PER_PEER: Choices<PerPeer> =
    &[("auto", PerPeer::Auto), ("full", PerPeer::Full), ("basic", PerPeer::Basic)];
pub(in crate::config) const NEXT_HOPS: Choices<NextHops> =
    &[("kernel", NextHops::Kernel), ("assume", NextHops::Assume)];

/// The word for a value of a choice.
pub(in crate::config) fn word<T: PartialEq>(choices: Choices<T>, value: &T) -> &'static str {
    choices.iter().find(|(_, v)| v == value).map_or("", |(word, _)| *word)
}

pub(in crate::config) fn choice<T: Clone>(
    node: &Node<'_>,
    report: &mut Report<'_>,
    choices: Choices<T>,
) -> Option<T> {
    let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let words = format!("one of {}", words.join(", "));
    let text = text(node, report, &words)?;
    let value = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
    if value.is_none() {
        let remedy = match nearest(text, choices.iter().map(|(word, _)| *word)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => words,
        };
        report.error(Code::Value, node.span(), format!("`{text}` is not a choice here"), remedy);
    }
    value
}

/// The families of a session, at least one.
pub(in crate::config) fn families(node: &Node<'_>, report: &mut Report<'_>) -> Option<FamilySet> {
    let families: FamilySet =
        list(node, report, "a list of families", |node, report| choice(node, report, FAMILIES))?
            .into_iter()
            .collect();
    let given = node.get_ref().as_array().is_some_and(|array| !array.is_empty());
    if !given {
        report.error(Code::Value, node.span(), "a session needs a family", "\"ipv4\", \"ipv6\" or both");
    }
    Some(families).filter(|families| !families.is_empty())
}

/// What becomes of a route in the end.
pub(in crate::config) fn action(node: &Node<'_>, report: &mut Report<'_>) -> Option<Action> {
    choice(node, report, ACTIONS)
}

/// Which way several paths are offered.
pub(in crate::config) fn add_path(node: &Node<'_>, report: &mut Report<'_>) -> Option<AddPath> {
    choice(node, report, ADD_PATH)
}

/// What happens at a limit of prefixes.
pub(in crate::config) fn max_prefix_action(
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<MaxPrefixAction> {
    choice(node, report, MAX_PREFIX_ACTIONS)
}

/// Which paths go out: a word, or how many.
pub(in crate::config) fn advertise(node: &Node<'_>, report: &mut Report<'_>) -> Option<Advertise> {
    if !matches!(node.get_ref(), DeValue::Integer(_)) {
        return choice(node, report, ADVERTISE);
    }
    let count = integer(node, report, 1..=65535)?;
    u16::try_from(count).ok().and_then(NonZeroU16::new).map(Advertise::Count)
}

/// A rule for next hops: a word, an address, or one address of each family.
pub(in crate::config) fn next_hop(node: &Node<'_>, report: &mut Report<'_>) -> Option<NextHopRule> {
    if let Some(text) = node.get_ref().as_str()
        && text.parse::<IpAddr>().is_err()
    {
        return choice(node, report, NEXT_HOP_RULES);
    }
    let (v4, v6) = one_of_each(node, report, "a rule, an address, or one address of each family")?;
    if v4.is_none() && v6.is_none() {
        report.error(Code::Value, node.span(), "no address is given", "\"auto\" is the default");
    }
    (v4.is_some() || v6.is_some()).then_some(NextHopRule::Set { v4, v6 })
}

/// What we are to a peer.
pub(in crate::config) fn role(node: &Node<'_>, report: &mut Report<'_>) -> Option<Role> {
    choice(node, report, ROLES)
}

/// `text` or `json`.
pub(in crate::config) fn log_format(node: &Node<'_>, report: &mut Report<'_>) -> Option<LogFormat> {
    choice(node, report, LOG_FORMATS)
}

/// `auto`, `full` or `basic`.
pub(in crate::config) fn per_peer(node: &Node<'_>, report: &mut Report<'_>) -> Option<PerPeer> {
    choice(node, report, PER_PEER)
}

/// `kernel` or `assume`.
pub(in crate::config) fn next_hops(node: &Node<'_>, report: &mut Report<'_>) -> Option<NextHops> {
    choice(node, report, NEXT_HOPS)
}

/// Who connects is decided by the order of the addresses.
pub(in crate::config) const BY_ADDRESS: &str = "by-address";

/// Who connects to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Passive {
    /// The peer only, or both.
    Is(bool),
    /// The one whose own address comes later as a text.
    ByAddress,
}

/// `true`, `false` or "by-address".
pub(in crate::config) fn passive(node: &Node<'_>, report: &mut Report<'_>) -> Option<Passive> {
    match node.get_ref().as_str() {
        Some(BY_ADDRESS) => Some(Passive::ByAddress),
        Some(other) => {
            let message = format!("`{other}` does not say who connects");
            report.error(Code::Value, node.span(), message, "true, false or \"by-address\"");
            None
        }
        None => boolean(node, report).map(Passive::Is),
    }
}

/// What the log takes as its filter.
pub(in crate::config) fn log_level(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    let level = text(node, report, "a level, as in \"info\"")?;
    let right = crate::log::filter(level).is_some();
    if !right {
        let remedy = match nearest(level, LEVELS.map(|(name, _)| name)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "error, warn, info, debug or trace; or \"info,bgp_daemon=debug\"".to_owned(),
        };
        report.error(Code::Value, node.span(), format!("`{level}` is not a log level"), remedy);
    }
    right.then(|| level.to_owned())
}
