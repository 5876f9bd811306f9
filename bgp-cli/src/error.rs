//! What can go wrong, what the user is told, and the exit code of each.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bgp_daemon::api::schema::{ErrorBody, ErrorDetail};

/// The exit codes, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// A condition is false, or nothing was found.
    False = 1,
    /// Wrong usage or an invalid configuration.
    Usage = 2,
    /// The daemon cannot be reached.
    Unreachable = 3,
    /// The daemon refused or failed.
    Refused = 4,
    /// Time ran out.
    Timeout = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error("no daemon is running here: there is no socket in /run/bgp, and no trial")]
    NoSocket,
    #[error("several daemons are running here: {}", list(.0))]
    SeveralSockets(Vec<PathBuf>),
    #[error("no daemon answers on {socket}: {error}")]
    Unreachable { socket: PathBuf, error: io::Error },
    #[error("the connection to the daemon broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the daemon's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("{}", .0.message)]
    Daemon(ErrorDetail),
    #[error("{0}")]
    InvalidConfig(String),
    #[error("not so within {0}")]
    Timeout(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl CliError {
    fn code(&self) -> &str {
        match self {
            CliError::Usage(_) => "usage",
            CliError::NoSocket | CliError::SeveralSockets(_) | CliError::Unreachable { .. } => "unreachable",
            CliError::Broken(_) => "broken",
            CliError::Answer(_) => "answer",
            CliError::Daemon(detail) => &detail.code,
            CliError::InvalidConfig(_) => "invalid_config",
            CliError::Timeout(_) => "timeout",
            CliError::Io(_) => "io",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            CliError::Daemon(detail) => detail.hint.clone(),
            CliError::NoSocket => {
                Some("start route-reflector or bgp-speaker, or name its socket with --socket".to_owned())
            }
            CliError::SeveralSockets(_) => Some("choose one with --socket or BGP_SOCKET".to_owned()),
            CliError::Unreachable { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("the socket is for its owner and group: join that group, or use sudo".to_owned())
            }
            CliError::Unreachable { .. } => {
                Some("is the daemon running? its socket is `api.socket` in its configuration".to_owned())
            }
            CliError::Answer(_) => Some("are `bgp` and the daemon of the same version?".to_owned()),
            _ => None,
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            CliError::Usage(_) | CliError::InvalidConfig(_) => Exit::Usage,
            CliError::NoSocket
            | CliError::SeveralSockets(_)
            | CliError::Unreachable { .. }
            | CliError::Broken(_) => Exit::Unreachable,
            CliError::Daemon(detail) => match detail.code.as_str() {
                "not_found" => Exit::False,
                "invalid" | "invalid_config" => Exit::Usage,
                "unavailable" => Exit::Unreachable,
                _ => Exit::Refused,
            },
            CliError::Answer(_) | CliError::Io(_) => Exit::Refused,
            CliError::Timeout(_) => Exit::Timeout,
        }
    }

    /// Tells the user on standard error, and a program on standard output.
    pub(crate) fn report(&self, json: bool) {
        let message = self.to_string();
        let hint = self.hint();
        if message.starts_with("error") {
            eprintln!("{message}");
        } else {
            eprintln!("error: {message}");
        }
        if let Some(hint) = &hint {
            eprintln!("hint: {hint}");
        }
        if json {
            let error = ErrorDetail { code: self.code().to_owned(), message, hint };
            if let Ok(text) = serde_json::to_string(&ErrorBody { error }) {
                println!("{text}");
            }
        }
    }
}
