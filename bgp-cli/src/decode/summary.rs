//! What there was in all.

use std::collections::BTreeMap;
use std::fmt;

use bgp_core::describe::Value;
use bgp_core::wire::Treatment;

use super::row::{Row, What};

/// How much of what was read, whether shown or not.
#[derive(Debug, Default)]
pub(super) struct Summary {
    rows: BTreeMap<&'static str, u64>,
    faults: BTreeMap<Treatment, u64>,
    lost: u64,
    unsound: u64,
}

impl Summary {
    pub(super) fn count(&mut self, row: &Row) {
        *self.rows.entry(row.kind).or_default() += 1;
        self.unsound += u64::from(!row.is_sound());
        match &row.what {
            What::Described(message) => {
                message.faults.iter().for_each(|fault| *self.faults.entry(fault.treatment).or_default() += 1);
            }
            What::Lost(octets, _) => self.lost += octets,
            What::Error(_) | What::Else(_) => {}
        }
    }

    /// Whether there was something, and nothing wrong.
    pub(super) fn is_sound(&self) -> bool {
        self.unsound == 0 && !self.rows.is_empty()
    }

    pub(super) fn to_json(&self) -> String {
        let counted = |name, of: String, count: &u64| {
            Value::Map(vec![(name, Value::Text(of)), ("count", (*count).into())])
        };
        let rows = self.rows.iter().map(|(kind, count)| counted("type", (*kind).to_owned(), count));
        let faults =
            self.faults.iter().map(|(treatment, count)| counted("treatment", treatment.to_string(), count));
        Value::Map(vec![
            ("types", Value::List(rows.collect())),
            ("faults", Value::List(faults.collect())),
            ("lost_octets", self.lost.into()),
            ("unsound", self.unsound.into()),
        ])
        .to_json()
    }
}

/// One line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |counts: Vec<String>| if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        let rows = self.rows.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let faults = self.faults.iter().map(|(treatment, count)| format!("{count} {treatment}")).collect();
        write!(f, "read: {}; faults: {}", list(rows), list(faults))?;
        if self.lost != 0 {
            write!(f, "; octets lost: {}", self.lost)?;
        }
        Ok(())
    }
}
