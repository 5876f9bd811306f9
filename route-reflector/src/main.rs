//! The dedicated BGP route reflector (RFC 4456).
//!
//! ```text
//!  configuration ─► process::prepare ─► Daemon ─► until SIGTERM ─► peers keep its routes for the next start
//! ```
//! Without a configuration it runs a trial on loopback: `cargo run --release -p route-reflector`.

use std::process::ExitCode;

use bgp_daemon::config::{Config, DaemonKind};
use bgp_daemon::process::{self, Arguments, Prepared};
use bgp_daemon::runtime::{Daemon, Options};
use clap::Parser;

/// Reflects routes between its clients, so that they need no full mesh (RFC 4456).
#[derive(Parser)]
#[command(name = "route-reflector", version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let prepared = match process::prepare(DaemonKind::Reflector, &Cli::parse().arguments) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    process::run(run(prepared))
}

async fn run(prepared: Prepared) -> Result<(), Box<dyn std::error::Error>> {
    let Prepared { config, config_path, log } = prepared;
    let trial = config_path.is_none().then(|| how_to_connect(&config));
    let options = Options { config_path, log: Some(log), ..Options::default() };
    let mut daemon = Daemon::start(config, options).await?;
    if let Some(text) = trial {
        println!("{text}");
    }
    let signal = process::until_stopped(&mut daemon).await?;
    daemon.stop(&format!("route-reflector stopped by {signal}")).await;
    Ok(())
}

/// Two lines for whoever started a trial.
fn how_to_connect(config: &Config) -> String {
    let listen: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
    format!(
        "route-reflector listens on {} as AS {}; any iBGP peer from 127.0.0.0/8 is a client\n\
         ask it with: bgp --socket {} peers",
        listen.join(", "),
        config.asn,
        config.api.socket.display(),
    )
}
