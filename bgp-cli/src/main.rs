//! `bgp`: asks and steers the daemons through their control API.
//!
//! ```text
//!  args (clap) ─► commands ─► client ─ HTTP over the Unix socket ─► daemon
//!                    │           │
//!                    │           └─ documents: the structs of bgp_daemon::api::schema
//!                    └─► show: one struct gives the table and the JSON
//! ```
//! Exit codes: 0 fine; 1 condition false or nothing found; 2 usage or invalid configuration; 3 daemon unreachable;
//! 4 refused or failed; 5 timeout.

mod args;
mod client;
mod commands;
mod decode;
mod error;
mod options;
mod show;
mod socket;
mod table;
mod wait;

use std::process::ExitCode;

use clap::Parser;

use args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.output.is_json();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(args)),
        Err(error) => Err(error::CliError::Io(error)),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            error.report(json);
            error.exit_code().into()
        }
    }
}
