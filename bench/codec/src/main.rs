//! The codec beside the BGP crates of crates.io: decoding and encoding of UPDATEs, all in one run.

mod decode;
mod encode;
mod measure;
mod mrt;
mod report;

#[path = "../../../bgp-rib/benches/instructions/intern.rs"]
mod intern;
#[path = "../../../bgp-core/benches/codec/paths.rs"]
mod paths;
#[path = "../../../bgp-core/benches/codec/workload.rs"]
mod workload;

use std::path::{Path, PathBuf};

use bytes::Bytes;

use report::Report;
use workload::Shape;

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;

const USAGE: &str = "\
usage: codec-bench [--quick] [--rounds N] [--mrt FILE] [--json FILE]

    --quick      a tenth of the made-up UPDATEs: for a look, not for figures
    --rounds N   how often each contestant goes over each workload (15)
    --mrt FILE   gzipped MRT, instead of data/updates.mrt.gz
    --json FILE  the result as JSON too
";

/// Of how many UPDATEs the messages to encode are kept, in everyone's own form.
const ENCODED: usize = 10_000;

struct Options {
    quick: bool,
    rounds: usize,
    mrt: PathBuf,
    json: Option<PathBuf>,
}

fn options() -> Option<Options> {
    let excerpt = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/updates.mrt.gz");
    let mut options = Options { quick: false, rounds: 15, mrt: excerpt, json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--quick" => options.quick = true,
            "--rounds" => options.rounds = arguments.next()?.parse().ok().filter(|rounds| *rounds > 0)?,
            "--mrt" => options.mrt = arguments.next()?.into(),
            "--json" => options.json = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> std::io::Result<()> {
    let Some(options) = options() else {
        print!("{USAGE}");
        return Ok(());
    };
    let (sets, updates) = if options.quick { (2000, 10_000) } else { (20_000, 100_000) };
    let made_up = |shape: Shape| shape.messages().into_iter().map(Bytes::from).collect::<Vec<_>>();
    let workloads = [
        ("A", "1 to 20 prefixes in an UPDATE", made_up(Shape::table(sets, updates))),
        ("B", "one prefix in an UPDATE", made_up(Shape::single(sets, updates))),
        ("R", "a real table", mrt::updates(&options.mrt)?),
    ];
    let mut report = Report::default();
    for (name, what, messages) in &workloads {
        println!("\nDecode {name}: {what} ({} UPDATEs)", messages.len());
        report.add(name, messages.len(), measure::rounds(decode::contestants(messages), options.rounds));
    }
    for (name, what, messages) in &workloads {
        let for_all = messages.iter().filter(|message| encode::is_for_all(message));
        let messages: Vec<Bytes> = for_all.take(ENCODED).cloned().collect();
        println!("\nEncode {name}: {what} ({} UPDATEs)", messages.len());
        report.add(name, messages.len(), measure::rounds(encode::contestants(&messages), options.rounds));
    }
    report.bars();
    match options.json {
        Some(path) => std::fs::write(path, report.json()),
        None => Ok(()),
    }
}
