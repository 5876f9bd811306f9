//! The result as text and JSON, and the ratios that the project wants to reach.

use crate::decode::{COLD, FREED, FULL, OURS, VIEW, WARM};
use crate::encode;
use crate::measure::Measured;
use crate::paths::Tally;

/// What a row of ours is compared with: the fastest of the others that do this work.
struct Bar {
    workload: &'static str,
    ours: &'static str,
    theirs: &'static str,
    at_most: f64,
}

#[rustfmt::skip]
const BARS: [Bar; 12] = [
    Bar { workload: "A", ours: WARM,            theirs: FULL,          at_most: 1.0 / 3.0 },
    Bar { workload: "B", ours: WARM,            theirs: FULL,          at_most: 0.4 },
    Bar { workload: "R", ours: COLD,            theirs: FULL,          at_most: 0.8 },
    Bar { workload: "R", ours: FREED,           theirs: FULL,          at_most: 0.8 },
    Bar { workload: "A", ours: VIEW,            theirs: VIEW,          at_most: 0.5 },
    Bar { workload: "B", ours: VIEW,            theirs: VIEW,          at_most: 0.5 },
    Bar { workload: "A", ours: encode::STORED,  theirs: encode::TYPED, at_most: 0.25 },
    Bar { workload: "B", ours: encode::STORED,  theirs: encode::TYPED, at_most: 0.25 },
    Bar { workload: "R", ours: encode::STORED,  theirs: encode::TYPED, at_most: 0.25 },
    Bar { workload: "A", ours: encode::TYPED,   theirs: encode::TYPED, at_most: 1.0 },
    Bar { workload: "B", ours: encode::TYPED,   theirs: encode::TYPED, at_most: 1.0 },
    Bar { workload: "R", ours: encode::TYPED,   theirs: encode::TYPED, at_most: 1.0 },
];

/// All that was measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

struct Row {
    workload: &'static str,
    name: &'static str,
    work: &'static str,
    /// Nanoseconds per UPDATE.
    least: f64,
    median: f64,
    /// Allocations per UPDATE.
    allocations: f64,
}

impl Report {
    /// Takes what was measured over a workload of so many UPDATEs, and prints it.
    pub fn add(&mut self, workload: &'static str, updates: usize, measured: Vec<Measured>) {
        println!("{:<18} {:<22} {:>9} {:>9} {:>8}", "", "", "ns/UPDATE", "median", "allocs");
        let expected = measured.iter().find_map(|row| row.tally);
        for row in measured {
            let per_update = |total: u64| total as f64 / updates as f64;
            let Measured { name, work, tally, .. } = row;
            let (least, median) = (per_update(row.least), per_update(row.median));
            let allocations = per_update(row.allocations);
            let note =
                tally.zip(expected).map(|(got, expected)| difference(got, expected)).unwrap_or_default();
            let line = format!("{name:<18} {work:<22} {least:>9.1} {median:>9.1} {allocations:>8.2}  {note}");
            println!("{}", line.trim_end());
            self.rows.push(Row { workload, name, work, least, median, allocations });
        }
    }

    /// The least time of our row and of the fastest row of the others, and whose that is.
    fn compare(&self, bar: &Bar) -> Option<(f64, f64, &'static str)> {
        let rows = || self.rows.iter().filter(|row| row.workload == bar.workload);
        let ours = rows().find(|row| row.name == OURS && row.work == bar.ours)?;
        let others = rows().filter(|row| row.name != OURS && row.work == bar.theirs);
        let fastest = others.min_by(|a, b| a.least.total_cmp(&b.least))?;
        Some((ours.least, fastest.least, fastest.name))
    }

    /// Prints the ratios that matter.
    pub fn bars(&self) {
        println!("\nOurs by the fastest other");
        for bar in &BARS {
            let Some((ours, theirs, name)) = self.compare(bar) else { continue };
            let (ratio, met) = (ours / theirs, if ours <= bar.at_most * theirs { "met" } else { "missed" });
            println!(
                "{} {:<22} {ours:>7.1} / {theirs:>7.1} = {ratio:.2}  at most {:.2}: {met:<6} ({name})",
                bar.workload, bar.ours, bar.at_most
            );
        }
    }

    /// The rows and the ratios.
    pub fn json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let Row { workload, name, work, least, median, allocations } = row;
            format!(
                r#"{{"workload": "{workload}", "name": "{name}", "work": "{work}", "ns": {least:.2}, "median_ns": {median:.2}, "allocations": {allocations:.3}}}"#
            )
        });
        let bars = BARS.iter().filter_map(|bar| {
            let (ours, theirs, name) = self.compare(bar)?;
            let Bar { workload, ours: work, at_most, .. } = bar;
            let (ratio, met) = (ours / theirs, ours <= at_most * theirs);
            Some(format!(
                r#"{{"workload": "{workload}", "work": "{work}", "against": "{name}", "ratio": {ratio:.3}, "at_most": {at_most:.3}, "met": {met}}}"#
            ))
        });
        let lines = |items: Vec<String>| items.join(",\n    ");
        format!(
            "{{\n  \"rows\": [\n    {}\n  ],\n  \"bars\": [\n    {}\n  ]\n}}\n",
            lines(rows.collect()),
            lines(bars.collect())
        )
    }
}

/// How what a row read or wrote differs from what the first one did; empty if it does not.
fn difference(got: Tally, expected: Tally) -> String {
    let percent = |got: u64, expected: u64| (got as f64 / expected as f64 - 1.0) * 100.0;
    if got == expected {
        return String::new();
    }
    let (prefixes, sum) = (percent(got.prefixes, expected.prefixes), percent(got.sum, expected.sum));
    format!("differs: count {prefixes:+.2} %, sum {sum:+.2} %")
}
