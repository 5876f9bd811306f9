//! How results are printed.

use std::io::{self, IsTerminal, Write};

use bgp_daemon::api::schema::Document;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::error::CliError;
use crate::table::Table;

/// The forms of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// A table with more columns.
    Wide,
    /// One JSON document.
    Json,
    /// One JSON object a row.
    Ndjson,
}

/// The options of every command that print.
#[derive(Args, Clone, Debug)]
pub(crate) struct Output {
    /// How to print
    #[arg(short = 'o', long = "output", global = true, value_enum, default_value = "table")]
    format: Format,
    /// The same as -o json
    #[arg(long, global = true)]
    json: bool,
    /// Leave the line of column titles out
    #[arg(long, global = true)]
    no_header: bool,
}

impl Output {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    pub(crate) fn is_json(&self) -> bool {
        matches!(self.format(), Format::Json | Format::Ndjson)
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.format() == Format::Wide
    }

    /// Prints a document with rows: `rows` gives them for NDJSON, `table` for people.
    pub(crate) fn rows<T: Serialize, R: Serialize>(
        &self,
        document: &Document<T>,
        rows: impl Fn(&T) -> &[R],
        table: impl Fn(&T) -> Table,
    ) -> Result<(), CliError> {
        match self.format() {
            Format::Json => line(&serde_json::to_string(document)?),
            Format::Ndjson => {
                rows(&document.body).iter().try_for_each(|row| line(&serde_json::to_string(row)?))
            }
            _ => self.table(&table(&document.body)),
        }
    }

    /// Prints a document without rows: `text` is for people.
    pub(crate) fn whole<T: Serialize>(
        &self,
        document: &Document<T>,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        if self.is_json() { line(&serde_json::to_string(document)?) } else { print(&text(&document.body)) }
    }

    /// Prints a table.
    pub(crate) fn table(&self, table: &Table) -> Result<(), CliError> {
        print(&table.render(!self.no_header, colour()))
    }
}

/// Colour is for terminals, unless `NO_COLOR` is set to something (no-color.org).
fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a line at once, so that a pipe sees it.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    print(&format!("{text}\n"))
}

/// Prints; a reader that has gone, as `head` does, is no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}
