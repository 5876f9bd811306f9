//! What was measured: on the terminal as it comes, and as JSON.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// A figure of one subject in one work, over all repetitions.
pub struct Figure {
    pub work: &'static str,
    /// Routes.
    pub routes: u32,
    pub who: &'static str,
    /// With its unit: `time, s`.
    pub what: &'static str,
    pub values: Vec<f64>,
}

/// What is asked of us.
pub struct Bar {
    pub what: String,
    pub value: f64,
    pub most: f64,
}

/// Everything of one run.
#[derive(Default)]
pub struct Results {
    pub figures: Vec<Figure>,
    pub bars: Vec<Bar>,
    /// What did not work.
    pub faults: Vec<String>,
}

impl Figure {
    pub fn median(&self) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => f64::NAN,
            count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
        }
    }
}

impl Bar {
    pub fn is_met(&self) -> bool {
        self.value <= self.most
    }
}

impl Results {
    /// One more repetition.
    pub fn add(
        &mut self,
        work: &'static str,
        routes: u32,
        who: &'static str,
        what: &'static str,
        value: f64,
    ) {
        eprintln!("{work}, {routes} routes, {who}: {what} {value:.3}");
        let same = |figure: &&mut Figure| {
            (figure.work, figure.routes, figure.who, figure.what) == (work, routes, who, what)
        };
        match self.figures.iter_mut().find(same) {
            Some(figure) => figure.values.push(value),
            None => self.figures.push(Figure { work, routes, who, what, values: vec![value] }),
        }
    }

    /// Something did not work: whatever was to be measured is missing.
    pub fn fault(&mut self, what: &str, error: &std::io::Error) {
        eprintln!("FAULT: {what}: {error}");
        self.faults.push(format!("{what}: {error}"));
    }

    /// A median, if it was measured.
    pub fn median(&self, work: &str, routes: u32, who: &str, what: &str) -> Option<f64> {
        let is_it = |figure: &&Figure| {
            (figure.work, figure.routes, figure.who, figure.what) == (work, routes, who, what)
        };
        self.figures.iter().find(is_it).map(Figure::median)
    }

    /// Holds one figure against another, if both were measured.
    pub fn ratio(&mut self, what: String, ours: Option<f64>, other: Option<f64>, most: f64) {
        if let (Some(ours), Some(other)) = (ours, other) {
            self.bars.push(Bar { what, value: ours / other, most });
        }
    }

    /// Holds a figure against a number, if it was measured.
    pub fn at_most(&mut self, what: String, ours: Option<f64>, most: f64) {
        self.bars.extend(ours.map(|value| Bar { what, value, most }));
    }

    /// The medians, then the bars, then what did not work.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for figure in &self.figures {
            let Figure { work, routes, who, what, .. } = figure;
            text += &format!("{work:<18}{routes:>9}  {who:<32}{what:<27}{:>10.3}\n", figure.median());
        }
        text.push('\n');
        for bar in &self.bars {
            let verdict = if bar.is_met() { "met" } else { "MISSED" };
            text += &format!("{:<72}{:>8.2}  <= {:<6}{verdict}\n", bar.what, bar.value, bar.most);
        }
        self.faults.iter().for_each(|fault| text += &format!("FAULT: {fault}\n"));
        text
    }

    /// All of it, with where and when it was measured.
    pub fn json(&self, quick: bool, started: &str) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(figure_json).collect();
        let bars: Vec<Value> = self
            .bars
            .iter()
            .map(|bar| json!({"what": bar.what, "value": rounded(bar.value), "most": bar.most, "met": bar.is_met()}))
            .collect();
        json!({
            "command": "make bench-fib",
            "machine": machine(),
            "started": started,
            "commit": said("git", &["rev-parse", "--short", "HEAD"]),
            "quick": quick,
            "figures": figures,
            "bars": bars,
            "faults": self.faults,
        })
    }
}

fn figure_json(figure: &Figure) -> Value {
    let values: Vec<f64> = figure.values.iter().copied().map(rounded).collect();
    json!({
        "work": figure.work, "routes": figure.routes, "who": figure.who, "what": figure.what,
        "median": rounded(figure.median()), "values": values,
    })
}

/// Four digits after the point.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "kernel": read("/proc/sys/kernel/osrelease"),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": model.map_or("", |(_, name)| name),
        "congestion": read("/proc/sys/net/ipv4/tcp_congestion_control"),
    })
}

/// The first line that a command prints.
pub fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_and_a_bar_is_held_against_it() {
        let mut results = Results::default();
        for value in [3.0, 1.0, 2.0] {
            results.add("install", 5, "ours", "time, s", value);
        }
        for value in [1.0, 2.0] {
            results.add("install", 5, "theirs", "time, s", value);
        }
        let [ours, theirs] = ["ours", "theirs"].map(|who| results.median("install", 5, who, "time, s"));
        assert_eq!((ours, theirs), (Some(2.0), Some(1.5)));
        results.ratio("met".into(), ours, theirs, 1.4);
        results.ratio("missed".into(), ours, theirs, 1.3);
        results.ratio("nothing".into(), ours, None, 1.3);
        assert_eq!(results.bars.iter().map(Bar::is_met).collect::<Vec<_>>(), [true, false]);
        assert!(results.text().contains("MISSED"));
    }
}
