//! `bgp decode`: recorded messages explained, from the command line or a file. Needs no daemon.
//!
//! ```text
//!  words or file ─► bgp_capture: records ─► context: how to read each ─► row: described ─► text, JSON, NDJSON
//!                                               ▲ options, OPENs            └─► summary, exit code
//! ```
//! A file of any size takes no more memory than its largest record and what [`bgp_capture`] may keep.

mod args;
mod context;
mod row;
mod summary;

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Write};

use bgp_capture::{Format, HexReader, Input, Records};

pub(crate) use args::DecodeArgs;
use context::Sessions;
use row::{Row, rows};
use summary::Summary;

use crate::error::{CliError, Exit};
use crate::options::{Format as Form, Output};

/// Prints every message; a false outcome says that something is wrong with one, or that there is none.
pub(crate) fn decode(output: &Output, args: &DecodeArgs) -> Result<Exit, CliError> {
    let mut sessions = Sessions::new(args)?;
    let words = octets(&args.hex.concat())?;
    let records = records(args, &words)?;
    match print(output.format(), args.faults, records, &mut sessions, io::stdout().lock()) {
        Ok(summary) if summary.is_sound() => Ok(Exit::Fine),
        Ok(_) => Ok(Exit::False),
        // Whoever read it has seen enough, as `head` has.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Fine),
        Err(error) => Err(error.into()),
    }
}

fn records<'a>(args: &DecodeArgs, words: &'a [u8]) -> Result<Records<'a>, CliError> {
    let Some(file) = &args.file else {
        return Ok(Input::new(words)?.records(Format::Binary, args.port));
    };
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let reader: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(named)?)
    };
    let input = Input::new(reader).map_err(named)?;
    let format = args.file_format.chosen().unwrap_or_else(|| input.detect());
    Ok(input.records(format, args.port))
}

/// Prints the records as they are read, then what there was in all: into the document, else to standard error.
fn print(
    form: Form,
    faults_only: bool,
    records: Records<'_>,
    sessions: &mut Sessions,
    out: impl Write,
) -> io::Result<Summary> {
    let mut out = Printer { out: BufWriter::new(out), form, number: 0, printed: 0 };
    let mut summary = Summary::default();
    out.begin()?;
    for record in records {
        let rows = match record {
            Ok(record) => {
                let context = sessions.context(&record);
                rows(record, &context)
            }
            Err(error) => vec![Row::from(error)],
        };
        for row in rows {
            summary.count(&row);
            out.row(&row, faults_only)?;
        }
    }
    out.end(&summary)?;
    Ok(summary)
}

struct Printer<W: Write> {
    out: BufWriter<W>,
    form: Form,
    number: u64,
    printed: u64,
}

impl<W: Write> Printer<W> {
    fn begin(&mut self) -> io::Result<()> {
        match self.form {
            Form::Json => write!(self.out, r#"{{"schema":"bgp.decoded/v1","messages":["#),
            _ => Ok(()),
        }
    }

    /// Numbers the row, and prints it if it is wanted.
    fn row(&mut self, row: &Row, faults_only: bool) -> io::Result<()> {
        self.number += 1;
        if faults_only && row.is_sound() {
            return Ok(());
        }
        self.printed += 1;
        match self.form {
            Form::Json => {
                let comma = if self.printed == 1 { "" } else { "," };
                write!(self.out, "{comma}{}", row.to_json(self.number))
            }
            Form::Ndjson => writeln!(self.out, "{}", row.to_json(self.number)),
            Form::Table | Form::Wide => self.out.write_all(row.to_text(self.number).as_bytes()),
        }
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        if self.form == Form::Json {
            writeln!(self.out, r#"],"summary":{}}}"#, summary.to_json())?;
        }
        self.out.flush()?;
        if self.form != Form::Json {
            eprintln!("{summary}");
        }
        Ok(())
    }
}

/// The octets of an argument.
fn octets(hex: &str) -> Result<Vec<u8>, CliError> {
    let mut octets = Vec::new();
    match HexReader::new(hex.as_bytes()).read_to_end(&mut octets) {
        Ok(_) => Ok(octets),
        Err(wrong) => Err(CliError::Usage(wrong.to_string())),
    }
}
