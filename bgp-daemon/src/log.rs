//! `tracing` as `[log]` says. Nobody who logs waits for standard error: a thread writes to it.

mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{error, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};
use queue::{Lines, Queue};

/// What this process says on standard error.
static LINES: Queue = Queue::new();

/// Whether somebody writes these lines.
static IS_WRITTEN: AtomicBool = AtomicBool::new(false);

/// The last lines have so long to be taken; whoever takes none in that time hangs.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Neither a level nor levels of modules; a checked configuration has none of these.
    #[error("`{0}` is not a log level")]
    Level(String),
    /// A subscriber is there already, set by whoever embeds us.
    #[error("logging is set up already: {0}")]
    Installed(#[from] TryInitError),
    /// The subscriber is gone.
    #[error("log level: {0}")]
    Gone(#[from] reload::Error),
    /// There is no thread for it.
    #[error("no thread to write the log: {0}")]
    Thread(#[from] io::Error),
}

/// Lets a reload change the level.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<Targets, Registry>);

impl LogHandle {
    /// Logs at another level from now on.
    ///
    /// # Errors
    /// [`LogError::Level`] for a text that is no filter.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let filter = filter(level).ok_or_else(|| LogError::Level(level.to_owned()))?;
        Ok(self.0.reload(filter)?)
    }
}

/// The levels, from the one that says least.
pub(crate) const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// A filter from a level, or levels of modules, or both: `warn,bgp_rib=debug`. Modules that are not named log from `info`
/// on if there is no level for all.
pub(crate) fn filter(text: &str) -> Option<Targets> {
    let level = |name: &str| LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level);
    let is_module =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    let all = Targets::new().with_default(LevelFilter::INFO);
    text.split(',').try_fold(all, |filter, part| match part.split_once('=') {
        None => Some(filter.with_default(level(part)?)),
        Some((module, of)) => is_module(module).then_some(filter.with_target(module, level(of)?)),
    })
}

/// Sends every event of the process to standard error, in the form and from the level that `log` names. They wait until
/// [`write`] has begun.
///
/// # Errors
/// If a subscriber is installed already, or the level is no filter.
pub fn init(log: &Log) -> Result<LogHandle, LogError> {
    let filter = filter(&log.level).ok_or_else(|| LogError::Level(log.level.clone()))?;
    let (filter, handle) = reload::Layer::new(filter);
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_writer(|| Lines(&LINES)).with_target(false).with_ansi(colour);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LogHandle(handle))
}

/// Begins to write what is logged, on a thread that is confined as the caller is. Panics are logged from now on too.
///
/// # Errors
/// [`LogError::Thread`].
pub(crate) fn write() -> Result<(), LogError> {
    let tell = |lines, total| {
        warn!(lines, total, "lines of the log were lost: standard error did not take them in time");
    };
    let written = move || LINES.write_to(&mut io::stderr(), tell);
    thread::Builder::new().name("log".to_owned()).spawn(written)?;
    IS_WRITTEN.store(true, Ordering::Relaxed);
    std::panic::set_hook(Box::new(panicked));
    Ok(())
}

/// What is always said by a thread that panics would wait for standard error.
fn panicked(panic: &PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    let trace = matches!(trace.status(), BacktraceStatus::Captured).then(|| trace.to_string());
    error!(backtrace = trace, "thread '{}' {panic}", thread::current().name().unwrap_or("unnamed"));
    flush();
}

/// Says this on standard error, as it is.
pub(crate) fn say(text: &str) {
    let line = format!("{text}\n");
    match IS_WRITTEN.load(Ordering::Relaxed) {
        true => LINES.push(line.as_bytes()),
        // Nobody can be told that standard error is full.
        false => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// Waits until what was said is written, at most a second.
pub(crate) fn flush() {
    if IS_WRITTEN.load(Ordering::Relaxed) {
        LINES.flush(LAST_LINES);
    }
}

/// Lines that were lost since the start because standard error did not take them.
pub(crate) fn lost() -> u64 {
    LINES.lost()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_filters() {
        let shown = |text| filter(text).map(|filter| filter.to_string());
        assert_eq!(shown("debug").unwrap(), "debug");
        assert_eq!(shown("warn,bgp_daemon::net=trace").unwrap(), "bgp_daemon::net=trace,warn");
        assert_eq!(shown("bgp_rib=off").unwrap(), "bgp_rib=off,info");
        for wrong in ["", "info,", "info,=", "=debug", "bgp_rib=", "bgp_rib", "bgp_rib=loud", "[peer]=debug"]
        {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
