//! `[[bmp]]` and `[mrt]`: who is told what happens, and where it is kept.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::diagnostic::{Code, Report};
use super::entries::{Entry, Shown, boolean, list, number, path, seconds, text};
use super::model::{Config, Origins};
use super::parse::beside;
use super::section::{Node, Section};
use super::values::{self, Choices, word};

/// Routes that a collector is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BmpView {
    /// Those that peers sent, as they sent them.
    PrePolicy,
    /// Those that import took.
    PostPolicy,
    /// Those that were chosen (RFC 9069).
    LocRib,
    /// Those that peers are sent (RFC 8671).
    AdjRibOut,
}

const VIEWS: Choices<BmpView> = &[
    ("pre-policy", BmpView::PrePolicy),
    ("post-policy", BmpView::PostPolicy),
    ("loc-rib", BmpView::LocRib),
    ("adj-rib-out", BmpView::AdjRibOut),
];

/// One of `[[bmp]]`: a collector (RFC 7854).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bmp {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is told besides sessions.
    pub monitor: Vec<BmpView>,
    /// How often it is told counts; `None`: never.
    pub statistics_interval: Option<Duration>,
}

/// `[mrt]`: files (RFC 6396).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mrt {
    /// Where they are.
    pub directory: PathBuf,
    /// Whether UPDATEs are kept as they come.
    pub updates: bool,
    /// How long UPDATEs go to one file.
    pub rotate_interval: Duration,
    /// How many octets go to one file.
    pub rotate_size: u64,
    /// How many octets all files take together.
    pub max_total: u64,
    /// How often the whole table is written; `None`: never.
    pub tables: Option<Duration>,
}

const DEFAULT_VIEWS: [BmpView; 1] = [BmpView::PostPolicy];
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

fn view(node: &Node<'_>, report: &mut Report<'_>) -> Option<(BmpView, std::ops::Range<usize>)> {
    values::choice(node, report, VIEWS).map(|view| (view, node.span()))
}

/// Views, each once and in their order; none: sessions only.
fn views(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<BmpView>> {
    let mut views: Vec<BmpView> = Vec::new();
    for (view, at) in values::list(node, report, "a list of views", view)? {
        if views.contains(&view) {
            let message = format!("\"{}\" is in the list twice", word(VIEWS, &view));
            report.error(Code::Duplicate, at, message, "take one out");
        } else {
            views.push(view);
        }
    }
    views.sort_unstable();
    Some(views)
}

/// Seconds, 0 for none.
fn interval(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<Duration>> {
    let seconds = values::integer(node, report, 0..=86_400)?;
    Some((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

fn rotation(node: &Node<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let seconds = values::integer(node, report, 1..=604_800)?;
    Some(Duration::from_secs(seconds.into()))
}

/// Octets: at least one record of 65,535 and its header.
fn octets(node: &Node<'_>, report: &mut Report<'_>) -> Option<u64> {
    let octets = values::whole(node, report, 1 << 17..=1 << 50)?;
    u64::try_from(octets).ok()
}

/// The collectors.
pub(super) fn bmp(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Vec<Bmp> {
    let mut found: Vec<Bmp> = Vec::new();
    for mut section in top.sections(report, "bmp", "[[bmp]]") {
        let address = section.get(report, "address", values::endpoint);
        let monitor = section.get(report, "monitor", views).unwrap_or_else(|| DEFAULT_VIEWS.to_vec());
        let every = section.get(report, "statistics-interval", interval);
        if section.key_span("address").is_none() {
            let remedy = "add `address = \"192.0.2.9:11019\"`";
            report.error(
                Code::Missing,
                section.span.clone(),
                "an entry of [[bmp]] needs an `address`",
                remedy,
            );
        }
        let at = section.span_of("address");
        let owner = address.map(|address| format!("bmp {address}")).unwrap_or_default();
        section.finish(report, &owner, origins);
        let Some(address) = address else { continue };
        if found.iter().any(|other| other.address == address) {
            report.error(Code::Duplicate, at, format!("{address} is told twice"), "take one out");
        } else {
            let statistics_interval = every.unwrap_or(Some(DEFAULT_INTERVAL));
            found.push(Bmp { address, monitor, statistics_interval });
        }
    }
    found
}

/// The files.
pub(super) fn mrt(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Option<Mrt> {
    let mut section = top.section(report, "mrt", "[mrt]")?;
    let directory = section.get(report, "directory", values::path);
    if section.key_span("directory").is_none() {
        let remedy = "add `directory = \"/var/lib/bgp/mrt\"`";
        report.error(Code::Missing, section.span.clone(), "[mrt] needs a `directory`", remedy);
    }
    let mrt = Mrt {
        directory: directory.map(|path| beside(report.source.file, path)).unwrap_or_default(),
        updates: section.get(report, "updates", values::boolean).unwrap_or(true),
        rotate_interval: section.get(report, "rotate-interval", rotation).unwrap_or(Duration::from_secs(900)),
        rotate_size: section.get(report, "rotate-size", octets).unwrap_or(64 << 20),
        max_total: section.get(report, "max-total", octets).unwrap_or(1 << 30),
        tables: section.get(report, "table-interval", interval).flatten(),
    };
    section.finish(report, "mrt", origins);
    Some(mrt)
}

/// Routes that are told as they came are kept as they came: a collector that connects later is told them too.
pub(super) fn keep_what_is_told(config: &mut Config) {
    if config.bmp.iter().any(|bmp| bmp.monitor.contains(&BmpView::PrePolicy)) {
        config.peers.iter_mut().for_each(|peer| peer.options.keep_received = true);
    }
}

fn size(octets: u64) -> Shown {
    number(i64::try_from(octets).unwrap_or(i64::MAX))
}

fn every(interval: Option<Duration>) -> Shown {
    seconds(interval.unwrap_or_default())
}

impl Bmp {
    /// Its keys.
    pub(super) fn entries(&self) -> Vec<Entry> {
        vec![
            ("address", text(self.address)),
            ("monitor", list(self.monitor.iter().map(|view| word(VIEWS, view)))),
            ("statistics-interval", every(self.statistics_interval)),
        ]
    }
}

impl Mrt {
    /// Its keys.
    pub(super) fn entries(&self) -> Vec<Entry> {
        vec![
            ("directory", path(&self.directory)),
            ("updates", boolean(self.updates)),
            ("rotate-interval", seconds(self.rotate_interval)),
            ("rotate-size", size(self.rotate_size)),
            ("max-total", size(self.max_total)),
            ("table-interval", every(self.tables)),
        ]
    }
}
