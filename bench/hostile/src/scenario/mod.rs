//! What is run: a table of scenarios, and what they have in common.

mod changes;
mod flood;
mod idle;
mod memory;
mod pressure;
mod reconnect;
mod stage;

pub use stage::Stage;

use crate::report::Outcome;

/// One row of the result.
pub struct Scenario {
    pub name: &'static str,
    pub what: &'static str,
    /// What its runs are called.
    pub columns: &'static [&'static str],
    /// One run; the number is that of the column.
    pub run: fn(&Stage<'_>, usize) -> Result<Outcome, String>,
}

/// Without and with the bad peer.
const COMPARED: &[&str] = &["alone", "with"];
/// The second column of [`COMPARED`].
const WITH: usize = 1;

#[rustfmt::skip]
pub const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "slow",         what: "a table and churn beside peers that read 10 KB/s",              columns: COMPARED, run: pressure::slow },
    Scenario { name: "stuck",        what: "the same beside peers that read nothing any more",              columns: COMPARED, run: pressure::stuck },
    Scenario { name: "flood",        what: "small changes beside a peer that changes 10k prefixes without end", columns: COMPARED, run: flood::changes },
    Scenario { name: "flood-3s",     what: "the same at a hold time of 3 s",                                columns: COMPARED, run: flood::changes_at_3s },
    Scenario { name: "flood-new",    what: "small changes beside a peer that announces up to its limit, again and again", columns: COMPARED, run: flood::new_prefixes },
    Scenario { name: "reconnect",    what: "small changes while all other clients drop and come back at once", columns: COMPARED, run: reconnect::run },
    Scenario { name: "idle",         what: "sessions without routes",                                       columns: &["hold 90", "hold 240"], run: idle::run },
    Scenario { name: "memory",       what: "ten senders of the same table go away",                         columns: &["run"], run: memory::run },
    Scenario { name: "memory-other", what: "ten senders of a table each go away",                           columns: &["run"], run: memory::run_other },
];
