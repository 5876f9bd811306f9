//! Plays a recorded table through the route reflector and compares what arrives in BIRD and in a kernel's FIB.

use clap::{Parser, Subcommand};
use interop::{Cast, Recording, Software, play, replay};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Set up namespaces, play the file, compare, print the counts; exit status 1 on any difference.
    Compare {
        /// MRT file with BGP4MP or BGP4MP_ET records, gzipped or not.
        file: PathBuf,
        /// Let BIRD stand in for both daemons: shows that the comparison itself is right.
        #[arg(long)]
        bird: bool,
    },
    /// Only send the file's UPDATEs to a router, from where this process runs.
    Play {
        /// MRT file.
        file: PathBuf,
        /// The router's address.
        #[arg(long)]
        to: IpAddr,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().action) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> interop::Result<ExitCode> {
    match action {
        Action::Compare { file, bird } => {
            let cast = match bird {
                true => Cast { reflector: Software::Bird, speaker: Software::Bird },
                false => Cast { reflector: Software::RouteReflector, speaker: Software::Speaker },
            };
            let report = replay(&file, cast)?;
            print!("{report}");
            Ok(if report.is_equal() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::Play { file, to } => {
            let recording = Recording::read(&file)?;
            play(&recording, to, recording.address)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
