//! Time per operation.

mod decision;
mod intern;
mod out;
mod table;
mod whole;

use crate::measure::Bench;

type Rows = fn(&mut Bench);

/// All rows.
pub fn all(bench: &mut Bench) {
    let groups: [(&str, Rows); 6] = [
        ("decision", decision::rows),
        ("intern", intern::rows),
        ("table", table::rows),
        ("pack", out::pack),
        ("journal", out::journal),
        ("whole", whole::rows),
    ];
    for (name, rows) in groups {
        if bench.wants(name) {
            rows(bench);
        }
    }
}
