//! The result as text and JSON.

use serde_json::{Value, json};

use crate::measure::Row;

pub fn print_head() {
    println!("{:<9} {:<42} {:>9} {:>9}  {:<6} {:>8}", "", "", "ns", "median", "per", "M/s");
}

pub fn print_row(row: &Row) {
    let Row { group, work, unit, least, median, .. } = row;
    println!("{group:<9} {work:<42} {least:>9.1} {median:>9.1}  {unit:<6} {:>8.2}", 1e3 / least);
}

pub fn rows(rows: &[Row]) -> Value {
    rows.iter()
        .map(|row| {
            json!({
                "group": row.group, "work": row.work, "operations": row.operations, "unit": row.unit,
                "ns": row.least, "median_ns": row.median,
            })
        })
        .collect()
}
