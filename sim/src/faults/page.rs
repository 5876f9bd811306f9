//! The table of the manual that lists the mistakes.

use bgp_rib::fault::Fault;

use super::Hunted;

/// The first line of the table.
const HEADER: &str = "| planted mistake | what it is | found by | runs |\n";

/// The table in Markdown.
#[must_use]
pub fn table(rows: &[(Fault, Hunted)]) -> String {
    let mut text = format!("{HEADER}|---|---|---|---|\n");
    for (fault, hunted) in rows {
        let (check, runs) = match hunted {
            Hunted::Found(check, runs) => (format!("`{check}`"), runs.to_string()),
            Hunted::FalseAlarm(check, runs) => (format!("`{check}`, **without it too**"), runs.to_string()),
            Hunted::Missed(None) => ("**nothing**".to_owned(), String::new()),
            Hunted::Missed(Some(check)) => (format!("**nothing** but `{check}`"), String::new()),
        };
        text.push_str(&format!("| `{fault:?}` | {} | {check} | {runs} |\n", fault.text()));
    }
    text
}

/// The page with another table in the place of its own; `None` if it has none.
#[must_use]
pub fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, old) = page.split_once(HEADER)?;
    let len: usize = old.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    Some(format!("{before}{table}{}", old.get(len..)?))
}

/// The mistakes that the page has not, or in other words, and those that it has and are none.
#[must_use]
pub fn out_of_date(page: &str) -> Vec<String> {
    let rows = page.split_once(HEADER).map_or("", |(_, rows)| rows).lines().skip(1);
    let listed: Vec<String> = rows.take_while(|line| line.starts_with('|')).map(first_cells).collect();
    let expected =
        || Fault::ALL.iter().map(|fault| first_cells(&format!("| `{fault:?}` | {} |", fault.text())));
    let missing = expected().filter(|row| !listed.contains(row));
    let excess = listed.iter().filter(|row| !expected().any(|other| other == **row)).cloned();
    missing.chain(excess).collect()
}

/// What a mistake is called, and what it is.
fn first_cells(row: &str) -> String {
    row.split('|').take(3).collect::<Vec<&str>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_the_mistakes_that_there_are() {
        let page = include_str!("../../../docs/reliability.md");
        assert_eq!(out_of_date(page), Vec::<String>::new(), "REWRITE_DOCS=1 make faults writes it anew");
    }

    #[test]
    fn another_table_takes_the_place_of_the_old_one() {
        let table = table(&[(Fault::EndOfRibLost, Hunted::Found("end of rib", 3))]);
        let page = format!("Before.\n\n{HEADER}|---|\n| old |\n\nAfter.\n");
        assert_eq!(with_table(&page, &table), Some(format!("Before.\n\n{table}\nAfter.\n")));
        assert_eq!(out_of_date(&table).len(), Fault::ALL.len() - 1);
    }
}
