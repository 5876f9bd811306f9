//! What the daemons' `main` share: the command line, the configuration, signals, exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::api;
use crate::config::{Config, DaemonKind, Diagnostic};
use crate::confine::confine;
use crate::log::{self, LogHandle};
use crate::runtime::{Daemon, check_kernel};

/// Exit code of a wrong command line or configuration.
const USAGE: u8 = 2;

/// Exit code of a daemon that could not start or failed.
const FAILED: u8 = 4;

/// The command line of a daemon.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration and exit: 0 if it is good, 2 with every error if not.
    #[arg(long, requires = "config")]
    pub check: bool,
}

/// A daemon that knows what to do and logs.
#[derive(Debug)]
pub struct Prepared {
    /// The checked configuration.
    pub config: Config,
    /// Where it came from; `None` in a trial.
    pub config_path: Option<PathBuf>,
    /// Lets a reload change the log level.
    pub log: LogHandle,
}

/// Reads the configuration, starts to log, and gives up what the daemon does not need ([`confine`]). To be called before
/// there are other threads.
///
/// # Errors
/// The exit code, when there is nothing more to do: after `--check`, or with everything said on standard error.
pub fn prepare(kind: DaemonKind, arguments: &Arguments) -> Result<Prepared, ExitCode> {
    let loaded = match (&arguments.config, kind) {
        (Some(path), _) => Config::load(path, kind),
        (None, DaemonKind::Reflector) => Config::trial(),
        (None, DaemonKind::Speaker) => {
            log::say("error: a speaker needs a configuration: bgp-speaker --config FILE");
            return Err(ExitCode::from(USAGE));
        }
    };
    let config = loaded.map_err(|errors| {
        tell(&errors);
        ExitCode::from(USAGE)
    })?;
    tell(&config.warnings);
    if arguments.check {
        // The file may be for another machine.
        if let Err(error) = check_kernel(&config) {
            log::say(&format!("warning: {error}\n"));
        }
        return Err(ExitCode::SUCCESS);
    }
    let log = log::init(&config.log).map_err(|e| failed(&e))?;
    api::join_group(&config.api);
    confine(&config, arguments.config.as_deref());
    log::write().map_err(|e| failed(&e))?;
    Ok(Prepared { config, config_path: arguments.config.clone(), log })
}

fn tell(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        log::say(&format!("{diagnostic}\n"));
    }
}

/// Says on standard error why the daemon ends; the exit code to end with.
fn failed(error: &dyn std::error::Error) -> ExitCode {
    log::say(&format!("error: {error}"));
    ExitCode::from(FAILED)
}

/// Runs a daemon's future on a runtime of all cores; its end is the exit code. The last lines of its log are written then.
pub fn run(main: impl Future<Output = Result<(), Box<dyn std::error::Error>>>) -> ExitCode {
    let code = run_to_end(main);
    log::flush();
    code
}

fn run_to_end(main: impl Future<Output = Result<(), Box<dyn std::error::Error>>>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Err(error) => failed(&error),
        Ok(runtime) => match runtime.block_on(main) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(error.as_ref()),
        },
    }
}

/// Returns when the process is asked to end (SIGTERM, SIGINT), with the signal's name; SIGHUP reloads.
///
/// # Errors
/// If the daemon failed first, or signals cannot be caught.
pub async fn until_stopped(daemon: &mut Daemon) -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let control = daemon.control().clone();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            () = daemon.failed() => return Err(std::io::Error::other("the daemon ended by itself")),
            // The daemon logs how that went.
            _ = hangup.recv() => drop(control.reload().await),
        }
    }
}
