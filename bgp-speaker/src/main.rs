//! The per-node BGP daemon: see the library for what it is made of.

use std::process::ExitCode;

use bgp_daemon::config::DaemonKind;
use bgp_daemon::process::{self, Arguments, Prepared};
use bgp_speaker::Speaker;
use clap::Parser;

/// Announces this node's prefixes over BGP and installs what it learns in the kernel.
#[derive(Parser)]
#[command(name = "bgp-speaker", version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let prepared = match process::prepare(DaemonKind::Speaker, &Cli::parse().arguments) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    process::run(run(prepared))
}

async fn run(prepared: Prepared) -> Result<(), Box<dyn std::error::Error>> {
    let Prepared { config, config_path, log } = prepared;
    let mut speaker = Speaker::start(config, config_path, Some(log)).await?;
    let signal = process::until_stopped(speaker.daemon()).await?;
    speaker.stop(&format!("bgp-speaker stopped by {signal}")).await;
    Ok(())
}
