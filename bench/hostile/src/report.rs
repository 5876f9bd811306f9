//! The result, as text and as JSON.

use std::fmt::Write;

/// One number of a run; NaN where there is none.
#[derive(Clone)]
pub struct Figure {
    /// What it is, with its unit.
    pub name: &'static str,
    pub value: f64,
}

/// What came out of one run.
#[derive(Clone, Default)]
pub struct Outcome {
    pub figures: Vec<Figure>,
    /// What was wrong. None: the run was right.
    pub faults: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Outcome {
    pub fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.push(Figure { name, value });
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

/// The runs of one daemon in one scenario, one for each column.
pub struct Entry {
    pub daemon: &'static str,
    pub outcomes: Vec<Outcome>,
}

/// All runs of one scenario.
pub struct Section {
    pub scenario: &'static str,
    pub what: &'static str,
    pub columns: &'static [&'static str],
    pub entries: Vec<Entry>,
}

const NAME: usize = 34;
const NUMBER: usize = 10;

impl Section {
    /// Names of figures, in the order in which they came.
    fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let outcomes = self.entries.iter().flat_map(|entry| &entry.outcomes);
        for figure in outcomes.flat_map(|outcome| &outcome.figures) {
            if !names.contains(&figure.name) {
                names.push(figure.name);
            }
        }
        names
    }

    fn has_ratio(&self) -> bool {
        self.columns.len() == 2
    }

    /// The table, then what was wrong.
    pub fn text(&self) -> String {
        let mut text = format!("\n{}: {}\n{:NAME$}", self.scenario, self.what, "");
        let columns = self.columns.len() + usize::from(self.has_ratio());
        for entry in &self.entries {
            let _ = write!(text, "  {:^1$}", entry.daemon, columns * NUMBER);
        }
        let _ = write!(text, "\n{:NAME$}", "");
        for _ in &self.entries {
            text.push_str("  ");
            for column in self.columns.iter().chain(self.has_ratio().then_some(&"ratio")) {
                let _ = write!(text, "{column:>NUMBER$}");
            }
        }
        for name in self.names() {
            let _ = write!(text, "\n{name:NAME$}");
            for entry in &self.entries {
                text.push_str("  ");
                let values = self.values(entry, name);
                for value in &values {
                    let _ = write!(text, "{:>NUMBER$}", number(*value));
                }
                if self.has_ratio() {
                    let _ = write!(text, "{:>NUMBER$}", number(values[1] / values[0]));
                }
            }
        }
        text.push('\n');
        for (what, daemon, column, line) in self.remarks() {
            let _ = writeln!(text, "{what}: {daemon}, {column}: {line}");
        }
        text
    }

    fn values(&self, entry: &Entry, name: &str) -> Vec<f64> {
        let value = |index| entry.outcomes.get(index).and_then(|outcome: &Outcome| outcome.value(name));
        (0..self.columns.len()).map(|index| value(index).unwrap_or(f64::NAN)).collect()
    }

    fn remarks(&self) -> Vec<(&'static str, &'static str, &'static str, &String)> {
        let mut all = Vec::new();
        for entry in &self.entries {
            for (outcome, column) in entry.outcomes.iter().zip(self.columns) {
                all.extend(outcome.faults.iter().map(|line| ("FAULT", entry.daemon, *column, line)));
                all.extend(outcome.notes.iter().map(|line| ("note", entry.daemon, *column, line)));
            }
        }
        all
    }

    /// Runs that were wrong.
    pub fn faults(&self) -> usize {
        self.remarks().iter().filter(|(what, ..)| *what == "FAULT").count()
    }

    fn json(&self) -> String {
        let runs = self.entries.iter().flat_map(|entry| {
            entry.outcomes.iter().zip(self.columns).map(|(outcome, column)| {
                let figures: Vec<String> = outcome
                    .figures
                    .iter()
                    .map(|Figure { name, value }| format!("{}: {}", quoted(name), json_number(*value)))
                    .collect();
                let lines = |lines: &[String]| lines.iter().map(|l| quoted(l)).collect::<Vec<_>>().join(", ");
                format!(
                    r#"    {{"scenario": {}, "daemon": {}, "run": {}, "figures": {{{}}}, "faults": [{}], "notes": [{}]}}"#,
                    quoted(self.scenario),
                    quoted(entry.daemon),
                    quoted(column),
                    figures.join(", "),
                    lines(&outcome.faults),
                    lines(&outcome.notes)
                )
            })
        });
        runs.collect::<Vec<_>>().join(",\n")
    }
}

/// All sections as one object.
pub fn json(sections: &[Section]) -> String {
    let runs: Vec<String> = sections.iter().map(Section::json).collect();
    format!("{{\n  \"runs\": [\n{}\n  ]\n}}\n", runs.join(",\n"))
}

fn number(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => "-".into(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn json_number(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "null".into() }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        let run = |value| Outcome {
            figures: vec![Figure { name: "p50 ms", value }],
            faults: if value.is_nan() { vec!["a \"bad\" end".into()] } else { Vec::new() },
            notes: Vec::new(),
        };
        let entry = |daemon, values: [f64; 2]| Entry { daemon, outcomes: values.map(run).to_vec() };
        let entries = vec![entry("ours", [2.0, 3.0]), entry("theirs", [100.0, f64::NAN])];
        Section { scenario: "slow", what: "w", columns: &["alone", "with"], entries }
    }

    #[test]
    fn the_table_has_ratios_and_names_what_was_wrong() {
        let text = section().text();
        let row = text.lines().find(|line| line.starts_with("p50 ms")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["p50", "ms", "2.00", "3.00", "1.50", "100", "-", "-"]
        );
        assert!(text.ends_with("FAULT: theirs, with: a \"bad\" end\n"));
        assert_eq!(section().faults(), 1);
    }

    #[test]
    fn json_has_null_for_what_was_not_measured() {
        let text = json(&[section()]);
        assert!(text.contains(r#""p50 ms": null"#) && text.contains(r#""p50 ms": 3.0000"#));
        assert!(text.contains(r#"a \"bad\" end"#));
    }
}
