//! `tracing` as `[log]` says.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no filter; a checked configuration has none of these.
    #[error("log level: {0}")]
    Level(#[from] ParseError),
    /// A subscriber is there already, set by whoever embeds us.
    #[error("logging is set up already: {0}")]
    Installed(#[from] TryInitError),
    /// The subscriber is gone.
    #[error("log level: {0}")]
    Gone(#[from] reload::Error),
}

/// Lets a reload change the level.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Logs at another level from now on.
    ///
    /// # Errors
    /// [`LogError::Level`] for a text that is no filter.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

/// A filter from a level or directives.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(level)
}

/// Sends every event of the process to standard error, in the form and from the level that `log` names.
///
/// # Errors
/// If a subscriber is installed already, or the level is no filter.
pub fn init(log: &Log) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(colour);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LogHandle(handle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_filters() {
        assert_eq!(filter("debug").unwrap().to_string(), "debug");
        assert_eq!(filter("warn,bgp_daemon=trace").unwrap().to_string(), "bgp_daemon=trace,warn");
        assert!(filter("info,=").is_err());
    }
}
