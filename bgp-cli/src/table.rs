//! Tables as `ps` prints them: no boxes, two spaces between columns, never wrapped.

/// How a column's cells stand; its header always begins where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// The colours, as ANSI escape sequences.
pub(crate) const GREEN: &str = "\x1b[32m";
pub(crate) const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// A cell's text and, on a terminal, its colour.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    colour: Option<&'static str>,
}

impl Cell {
    pub(crate) fn coloured(self, colour: &'static str) -> Cell {
        Cell { colour: Some(colour), ..self }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.to_string(), colour: None }
    }
}

/// The value, or `-`.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> Cell {
    value.map_or_else(|| "-".into(), |value| value.into())
}

/// Rows under headers.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The text, each line ended.
    pub(crate) fn render(&self, header: bool, colour: bool) -> String {
        let titles: Vec<Cell> = self.columns.iter().map(|(title, _)| (*title).into()).collect();
        let lines: Vec<&Vec<Cell>> = header.then_some(&titles).into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.text.chars().count()).max()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut out = String::new();
        for (number, line) in lines.iter().enumerate() {
            let is_header = header && number == 0;
            let mut text = String::new();
            for ((cell, width), (_, align)) in line.iter().zip(&widths).zip(&self.columns) {
                let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
                let shown = match cell.colour.filter(|_| colour) {
                    Some(colour) => format!("{colour}{}{PLAIN}", cell.text),
                    None => cell.text.clone(),
                };
                match align {
                    Align::Right if !is_header => text.extend([&padding, &shown, "  "]),
                    _ => text.extend([&shown, padding.as_str(), "  "]),
                }
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

/// A duration in at most two units: `41s`, `12m5s`, `3h12m`, `5d3h`.
pub(crate) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |a: u64, a_unit: char, b: u64, b_unit: char| match b {
        0 => format!("{a}{a_unit}"),
        _ => format!("{a}{a_unit}{b}{b_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => two(minutes, 'm', seconds % 60, 's'),
        (0, hours, minutes) => two(hours, 'h', minutes, 'm'),
        (days, hours, _) => two(days, 'd', hours, 'h'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let shown = [0, 41, 60, 725, 10_800, 11_520, 86_400, 442_800].map(duration);
        assert_eq!(shown, ["0s", "41s", "1m", "12m5s", "3h", "3h12m", "1d", "5d3h"]);
    }

    #[test]
    fn colour_does_not_shift_columns() {
        let mut table = Table::new([("A", Align::Left), ("B", Align::Right)]);
        table.row([Cell::from("up").coloured(GREEN), 7.into()]);
        table.row(["longer".into(), 12.into()]);
        assert_eq!(table.render(true, false), "A       B\nup       7\nlonger  12\n");
        assert_eq!(table.render(false, true), "\x1b[32mup\x1b[0m       7\nlonger  12\n");
    }
}
