//! `[bfd]` and its profiles: how soon a dead path is found out, and which peers are watched at all.

use std::num::NonZeroU8;
use std::time::Duration;

use bfd::Timers;
use toml::de::DeValue;

use super::diagnostic::{Code, Report};
use super::entries::{Entry, Shown, boolean, number, text};
use super::model::Origins;
use super::nearest::nearest;
use super::section::{Node, Section};
use super::values::{self, Choices, choice, word};

/// How far peers are thought to be, which decides the UDP port (RFC 5881, RFC 5883).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BfdHops {
    /// On a link if they are in a subnet of ours.
    Auto,
    /// On a link.
    Single,
    /// Behind routers, or seen so by themselves.
    Multi,
}

/// How a path is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdSettings {
    /// How fast.
    pub timers: Timers,
    /// As what.
    pub hops: BfdHops,
}

/// `[bfd]`: what peers with `bfd = true` have, and what others have by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// For `bfd = true`.
    pub settings: BfdSettings,
    /// For `bfd = "NAME"`, in the order of the file.
    pub profiles: Vec<BfdProfile>,
}

/// One of `[[bfd.profiles]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdProfile {
    /// What peers call it.
    pub name: String,
    /// What it says.
    pub settings: BfdSettings,
}

/// How the path to a peer is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerBfd {
    /// The profile; `None`: `[bfd]` itself.
    pub profile: Option<String>,
    /// What follows.
    pub settings: BfdSettings,
}

/// Three packets missing at 300 ms: a path is dead after 0.9 s.
const DEFAULT: BfdSettings = BfdSettings {
    timers: Timers { interval: Duration::from_millis(300), multiplier: NonZeroU8::MIN.saturating_add(2) },
    hops: BfdHops::Auto,
};

const HOPS: Choices<BfdHops> =
    &[("auto", BfdHops::Auto), ("single", BfdHops::Single), ("multi", BfdHops::Multi)];

impl Bfd {
    pub(super) fn read(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Bfd {
        let mut bfd = Bfd { settings: DEFAULT, profiles: Vec::new() };
        let Some(mut section) = top.section(report, "bfd", "[bfd]") else { return bfd };
        bfd.settings = settings(&mut section, report, DEFAULT);
        for section in section.sections(report, "profiles", "[[bfd.profiles]]") {
            bfd.profile(section, report, origins);
        }
        section.finish(report, "bfd", origins);
        bfd
    }

    fn profile(&mut self, mut section: Section<'_>, report: &mut Report<'_>, origins: &mut Origins) {
        let name = section.get(report, "name", values::name);
        let settings = settings(&mut section, report, self.settings);
        let at = section.span_of("name");
        if section.key_span("name").is_none() {
            let message = "an entry of [[bfd.profiles]] needs a `name`";
            report.error(Code::Missing, at.clone(), message, "add `name = \"fast\"`");
        }
        section.finish(report, &origin(name.as_deref().unwrap_or_default()), origins);
        let Some(name) = name else { return };
        if self.profiles.iter().any(|other| other.name == name) {
            let message = format!("two profiles are called `{name}`");
            report.error(Code::Duplicate, at, message, "call one otherwise");
        } else {
            self.profiles.push(BfdProfile { name, settings });
        }
    }

    /// What the key `bfd` of a peer says: true, false, or the name of a profile.
    pub(super) fn of_peer(&self, section: &mut Section<'_>, report: &mut Report<'_>) -> Option<PeerBfd> {
        let node = section.node("bfd")?;
        match node.get_ref() {
            DeValue::Boolean(on) => on.then_some(PeerBfd { profile: None, settings: self.settings }),
            _ => self.named(node, report),
        }
    }

    fn named(&self, node: &Node<'_>, report: &mut Report<'_>) -> Option<PeerBfd> {
        let called = values::text(node, report, "true, false or the name of a profile")?;
        if let Some(found) = self.profiles.iter().find(|profile| profile.name == called) {
            return Some(PeerBfd { profile: Some(found.name.clone()), settings: found.settings });
        }
        let remedy = match nearest(called, self.profiles.iter().map(|profile| profile.name.as_str())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "true, or the `name` of one of [[bfd.profiles]]".to_owned(),
        };
        report.error(Code::UnknownName, node.span(), format!("no BFD profile is called `{called}`"), remedy);
        None
    }

    /// The profiles as one value: which of their keys change does not matter to anybody.
    pub(super) fn shown_profiles(&self) -> String {
        let shown = |profile: &BfdProfile| {
            let BfdSettings { timers: Timers { interval, multiplier }, hops } = profile.settings;
            let hops = word(HOPS, &hops);
            format!("{}: {multiplier} x {} ms, {hops}", profile.name, interval.as_millis())
        };
        let texts: Vec<String> = self.profiles.iter().map(shown).collect();
        format!("[{}]", texts.join(", "))
    }
}

/// The owner of a profile's keys among the origins.
pub(super) fn origin(name: &str) -> String {
    format!("bfd.profiles {name}")
}

fn settings(section: &mut Section<'_>, report: &mut Report<'_>, inherited: BfdSettings) -> BfdSettings {
    let BfdSettings { timers, hops } = inherited;
    BfdSettings {
        timers: Timers {
            interval: section.get(report, "interval", interval).unwrap_or(timers.interval),
            multiplier: section.get(report, "multiplier", multiplier).unwrap_or(timers.multiplier),
        },
        hops: section.get(report, "hops", |node, report| choice(node, report, HOPS)).unwrap_or(hops),
    }
}

/// Milliseconds. Faster than every 10 ms is for hardware.
fn interval(node: &Node<'_>, report: &mut Report<'_>) -> Option<Duration> {
    values::integer(node, report, 10..=60_000).map(|ms| Duration::from_millis(ms.into()))
}

fn multiplier(node: &Node<'_>, report: &mut Report<'_>) -> Option<NonZeroU8> {
    let count = values::integer(node, report, 1..=255)?;
    u8::try_from(count).ok().and_then(NonZeroU8::new)
}

/// The keys of `[bfd]` or of a profile apart from its name.
pub(super) fn of_settings(settings: BfdSettings) -> Vec<Entry> {
    let BfdSettings { timers, hops } = settings;
    let interval = i64::try_from(timers.interval.as_millis()).unwrap_or(i64::MAX);
    vec![
        ("interval", number(interval)),
        ("multiplier", number(timers.multiplier.get())),
        ("hops", text(word(HOPS, &hops))),
    ]
}

/// The keys of a profile.
pub(super) fn of_profile(profile: &BfdProfile) -> Vec<Entry> {
    [vec![("name", text(&profile.name))], of_settings(profile.settings)].concat()
}

/// The key `bfd` of a peer.
pub(super) fn shown(bfd: Option<&PeerBfd>) -> Shown {
    match bfd.map(|bfd| bfd.profile.as_ref()) {
        None => boolean(false),
        Some(None) => boolean(true),
        Some(Some(profile)) => text(profile),
    }
}
