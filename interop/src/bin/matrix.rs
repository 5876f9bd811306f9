//! The table of features and routers in `docs/interop.md`, from the tests and their results.

use clap::Parser;
use interop::matrix::Matrix;
use interop::{Error, Result, ensure};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- The table of features: made by interop/matrix. -->\n";
const END: &str = "<!-- End of the table of features. -->\n";

/// Prints the table of features and routers
#[derive(Parser)]
struct Arguments {
    /// What the tests wrote to $INTEROP_MATRIX: every cell with a test has to be there
    #[arg(long)]
    results: Option<PathBuf>,
    /// Puts the table into this page, between its two marks
    #[arg(long)]
    page: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let matrix = Matrix::read(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    if let Some(results) = &arguments.results {
        let missing = matrix.missing_from(results)?;
        ensure(missing.is_empty(), || {
            format!("these have not run, or have failed:\n{}", missing.join("\n"))
        })?;
    }
    let table = matrix.to_markdown();
    match &arguments.page {
        Some(page) => write(page, &table),
        None => {
            print!("{table}");
            Ok(())
        }
    }
}

fn write(page: &Path, table: &str) -> Result<()> {
    let failed = |what: &str| format!("cannot {what} {}", page.display());
    let text = std::fs::read_to_string(page).map_err(|source| Error::Io { what: failed("read"), source })?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| Error::NotSo(failed("find the marks in")))?;
    let text = format!("{before}{BEGIN}{table}{END}{after}");
    std::fs::write(page, text).map_err(|source| Error::Io { what: failed("write"), source })
}
