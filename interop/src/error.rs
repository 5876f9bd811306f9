use std::fmt;
use std::path::PathBuf;

/// What kept a test from running, or what it found wrong.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program the test drives is not installed.
    #[error("`{program}` is missing: apt-get install {package} (or `make setup`, which installs all peers)")]
    MissingProgram {
        /// The program's name.
        program: String,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// One of the project's own daemons has not been built.
    #[error("{0} is missing: build the daemons with the same profile first (`make binaries`)")]
    MissingDaemon(PathBuf),
    /// A command failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it printed, both streams.
        output: String,
    },
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A peer or a file said something that is not understood.
    #[error("{what}: not understood: {text}")]
    Parse {
        /// Who said it.
        what: &'static str,
        /// The text, or the part of it in question.
        text: String,
    },
    /// The condition does not hold, or does not hold yet.
    #[error("{0}")]
    NotSo(String),
    /// A condition did not come to hold in time.
    #[error("not within {seconds} s: {what}\nlast seen: {last}\n{logs}")]
    Timeout {
        /// The condition.
        what: String,
        /// The limit.
        seconds: u64,
        /// Why it did not hold when last looked at.
        last: String,
        /// The last lines of every party's log.
        logs: String,
    },
}

/// A test prints its error with `Debug`: it shall read like the message.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The result of every step of a test.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err`: an I/O error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// Something `what` said that cannot be parsed.
    pub(crate) fn parse(what: &'static str, text: impl Into<String>) -> Error {
        let mut text: String = text.into();
        if let Some((end, _)) = text.char_indices().nth(400) {
            text.truncate(end);
        }
        Error::Parse { what, text }
    }
}
