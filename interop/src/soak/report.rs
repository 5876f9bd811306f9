//! What was seen, and whether it is good.

use super::Plan;
use super::lag::{Lags, MEMBERS};
use crate::rig::Rig;
use crate::usage::Usage;
use crate::{Recording, Traffic};
use std::fmt::Write;
use std::time::Instant;

/// The most that the memory of the last third may be above that of the first: one part in so many, and so much besides.
const PARTS: u64 = 50;
const SLACK_KB: u64 = 1024;
/// Descriptors come and go with questions and timers.
const SLACK_FDS: u64 = 2;
/// The slowest answer of a control socket that is good, in milliseconds.
const ANSWER_MS: u64 = 1000;

/// The columns of [`Sample::programs`].
const NAMES: [&str; 4] = ["route-reflector", "BIRD", "bgp-speaker n1", "bgp-speaker n2"];

/// What one second showed.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Since the beginning.
    pub second: f64,
    /// Rounds that were over.
    pub round: usize,
    /// Of the sessions that are watched, those that were up.
    pub sessions: usize,
    /// Sessions that have ended, in all.
    pub flaps: u64,
    /// How long the reflector took to answer.
    pub answer_ms: u64,
    /// What each takes.
    pub programs: [Usage; 4],
}

/// One time through the recording, or through its withdrawals.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// From the last UPDATE until each held just what was sent.
    pub lags: Lags,
}

impl Round {
    /// The member that was last, and how long it took, in milliseconds.
    fn last(&self) -> (&'static str, u64) {
        let lags = MEMBERS.into_iter().zip(self.lags);
        lags.max_by_key(|(_, lag)| *lag).unwrap_or(("nobody", 0))
    }
}

/// The whole soak.
#[derive(Clone, Debug)]
pub struct Report {
    /// UPDATEs of a round.
    pub updates: usize,
    /// UPDATEs in a second.
    pub rate: u32,
    /// One a second; the last one when the feed has gone.
    pub samples: Vec<Sample>,
    /// One after the other.
    pub rounds: Vec<Round>,
    /// Pings that were sent, and lost.
    pub pings: (u64, u64),
    pub(super) begun: Instant,
}

impl Report {
    pub(super) fn new(recording: &Recording, plan: Plan) -> Report {
        Report {
            updates: recording.messages.len(),
            rate: plan.rate,
            samples: Vec::new(),
            rounds: Vec::new(),
            pings: (0, 0),
            begun: Instant::now(),
        }
    }

    pub(super) fn traffic(&mut self, traffic: Traffic) {
        self.pings = (traffic.sent, traffic.lost);
    }

    /// For who waits.
    pub(super) fn line(&self) -> String {
        let last = self.samples.last().map(|sample| sample.programs).unwrap_or_default();
        let memory = NAMES.iter().zip(last).map(|(name, usage)| format!("{name} {:.1} MB", mb(usage.rss_kb)));
        let (behind, agreed) = self.rounds.last().map_or(("nobody", 0), Round::last);
        format!(
            "{:5.0} s, round {}: agreed after {agreed} ms, {behind} was last; {}",
            self.begun.elapsed().as_secs_f64(),
            self.rounds.len(),
            memory.collect::<Vec<_>>().join(", ")
        )
    }

    /// Everything that is not as it should be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut wrong = |count: usize, what: &str| {
            if count > 0 {
                faults.push(format!("{count} × {what}"));
            }
        };
        wrong(
            self.samples.iter().filter(|sample| sample.sessions < Rig::SESSIONS).count(),
            "a session was not up",
        );
        wrong(self.samples.iter().filter(|sample| sample.flaps > 0).count(), "a session had ended");
        let slow = self.samples.iter().filter(|sample| sample.answer_ms > ANSWER_MS);
        wrong(slow.count(), "an answer took over a second");
        wrong(usize::try_from(self.pings.1).unwrap_or(usize::MAX), "a ping was lost");
        for (number, name) in NAMES.iter().enumerate().filter(|(_, name)| **name != "BIRD") {
            let rss = self.thirds(number, |usage| usage.rss_kb);
            if rss.1 > rss.0 + rss.0 / PARTS + SLACK_KB {
                faults.push(format!("memory of {name} grew from {:.1} to {:.1} MB", mb(rss.0), mb(rss.1)));
            }
            let fds = self.thirds(number, |usage| usage.fds);
            if fds.1 > fds.0 + SLACK_FDS {
                faults.push(format!("{name} has {} descriptors instead of {}", fds.1, fds.0));
            }
        }
        faults
    }

    /// For a chart: a line for ten seconds, with the highest value of each column in them (the lowest of `sessions`).
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = "second,round,sessions,flaps,answer_ms".to_owned();
        for name in NAMES {
            let _ = write!(text, ",{name} rss_kb,{name} cpu_ms,{name} fds");
        }
        for name in MEMBERS {
            let _ = write!(text, ",{name} lag_ms");
        }
        for ten in self.samples.chunks(10) {
            let most = |value: fn(&Sample) -> u64| ten.iter().map(value).max().unwrap_or_default();
            let _ = write!(
                text,
                "\n{},{},{},{},{}",
                most(|sample| sample.second as u64),
                most(|sample| sample.round as u64),
                ten.iter().map(|sample| sample.sessions).min().unwrap_or_default(),
                most(|sample| sample.flaps),
                most(|sample| sample.answer_ms)
            );
            for number in 0..NAMES.len() {
                let usages = || ten.iter().filter_map(|sample| sample.programs.get(number));
                let most = |value: fn(&Usage) -> u64| usages().map(value).max().unwrap_or_default();
                let _ = write!(
                    text,
                    ",{},{},{}",
                    most(|usage| usage.rss_kb),
                    most(|usage| usage.cpu_ms),
                    most(|usage| usage.fds)
                );
            }
            // Of the last round that was over.
            let rounds = most(|sample| sample.round as u64) as usize;
            let lags = rounds.checked_sub(1).and_then(|last| self.rounds.get(last)).map(|round| round.lags);
            for lag in lags.unwrap_or_default() {
                let _ = write!(text, ",{lag}");
            }
        }
        text + "\n"
    }

    /// The most in the first third and in the last one, without the last sample.
    fn thirds(&self, program: usize, value: fn(&Usage) -> u64) -> (u64, u64) {
        let values: Vec<u64> =
            self.samples.iter().filter_map(|sample| sample.programs.get(program)).map(value).collect();
        let values = values.split_last().map(|(_, watched)| watched).unwrap_or_default();
        let most =
            |part: Option<&[u64]>| part.and_then(|part| part.iter().copied().max()).unwrap_or_default();
        let third = values.len() / 3;
        (most(values.get(..third)), most(values.get(values.len() - third..)))
    }

    /// The table of the page.
    #[must_use]
    pub fn table(&self) -> String {
        let seconds = self.samples.last().map_or(0.0, |sample| sample.second).max(1.0);
        let mut text = format!(
            "{} times {} UPDATEs or the withdrawal of all, {} in a second, {:.0} min; all tables agreed {} ms after the last \
             UPDATE at most; {} of {} pings lost; the slowest answer took {} ms\n\n\
             | | most memory, first third | last third | at the end, without the table | CPU |\n|---|---|---|---|---|\n",
            self.rounds.len(),
            self.updates,
            self.rate,
            seconds / 60.0,
            self.rounds.iter().map(|round| round.last().1).max().unwrap_or_default(),
            self.pings.1,
            self.pings.0,
            self.samples.iter().map(|sample| sample.answer_ms).max().unwrap_or_default(),
        );
        for (number, name) in NAMES.iter().enumerate() {
            let (first, last) = self.thirds(number, |usage| usage.rss_kb);
            let end = self
                .samples
                .last()
                .and_then(|sample| sample.programs.get(number))
                .copied()
                .unwrap_or_default();
            text.push_str(&format!(
                "| {name} | {:.1} MB | {:.1} MB | {:.1} MB | {:.1} % of a core |\n",
                mb(first),
                mb(last),
                mb(end.rss_kb),
                end.cpu_ms as f64 / seconds / 10.0
            ));
        }
        text + &self.lags()
    }

    /// The longest time that each took to hold the table, and to be rid of it.
    fn lags(&self) -> String {
        let mut text =
            "\n| after the last UPDATE, at most | table held | withdrawn |\n|---|---|---|\n".to_owned();
        for (number, name) in MEMBERS.iter().enumerate() {
            let most = |odd: usize| {
                let rounds = self.rounds.iter().skip(odd).step_by(2);
                rounds.filter_map(|round| round.lags.get(number)).max().copied().unwrap_or_default()
            };
            let _ = writeln!(text, "| {name} | {} ms | {} ms |", most(0), most(1));
        }
        text
    }
}

fn mb(kb: u64) -> f64 {
    kb as f64 / 1000.0
}
