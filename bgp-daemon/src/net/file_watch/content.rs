//! What an announce file says: one prefix a line.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bgp_core::Prefix;
use bgp_core::prefix::ParsePrefixError;

/// The largest announce file in octets: some 800,000 prefixes. It bounds what a wrong path (a log, say) can cost.
pub(super) const MAX_LEN: u64 = 16 << 20;

/// Why an announce file gives no prefixes. What was announced before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceFileError {
    /// There is no such file (now).
    #[error("{}: no such file; it is read as soon as it is there", path.display())]
    Missing {
        /// The path, as configured.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{}: cannot read it: {reason}", path.display())]
    Unreadable {
        /// The path, as configured.
        path: PathBuf,
        /// The kernel's answer.
        reason: String,
    },
    /// It is over 16 MiB.
    #[error("{}: over {} MiB: is it a list of prefixes?", path.display(), MAX_LEN >> 20)]
    TooLong {
        /// The path, as configured.
        path: PathBuf,
    },
    /// A line is not a prefix.
    #[error("{}:{line}: `{text}`: {problem}", path.display())]
    Line {
        /// The path, as configured.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What it says, up to 64 characters.
        text: String,
        /// What is wrong with it.
        problem: ParsePrefixError,
    },
    /// Changes of the file cannot be noticed.
    #[error("{}: cannot watch {}: {reason}", path.display(), at.display())]
    Watch {
        /// The path, as configured.
        path: PathBuf,
        /// The directory or file on the way to it that cannot be watched.
        at: PathBuf,
        /// The kernel's answer, with the remedy.
        reason: String,
    },
}

/// Reads the prefixes in the file at `path`.
pub(super) fn read(path: &Path) -> Result<BTreeSet<Prefix>, AnnounceFileError> {
    let octets = octets(path).map_err(|error| failed(path, &error))?;
    if octets.len() as u64 > MAX_LEN {
        return Err(AnnounceFileError::TooLong { path: path.into() });
    }
    parse(path, &String::from_utf8_lossy(&octets))
}

/// The file's content, of which no more than one octet over the limit.
fn octets(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would else wait for a writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut octets = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The error for a file that could not be read.
pub(super) fn failed(path: &Path, error: &io::Error) -> AnnounceFileError {
    let path = path.into();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => AnnounceFileError::Missing { path },
        _ => AnnounceFileError::Unreadable { path, reason: error.to_string() },
    }
}

/// Reads lines: `#` starts a comment, blanks and empty lines count for nothing, a prefix may occur twice.
fn parse(path: &Path, content: &str) -> Result<BTreeSet<Prefix>, AnnounceFileError> {
    let mut prefixes = BTreeSet::new();
    for (index, line) in content.lines().enumerate() {
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let prefix = text.parse().map_err(|problem| AnnounceFileError::Line {
            path: path.into(),
            line: index + 1,
            text: shown(text),
            problem: short(problem),
        })?;
        prefixes.insert(prefix);
    }
    Ok(prefixes)
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The same problem, with no more of the line in it than is shown.
fn short(problem: ParsePrefixError) -> ParsePrefixError {
    match problem {
        ParsePrefixError::Address(text) => ParsePrefixError::Address(shown(&text)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::test_support::Folder;

    fn parsed(content: &str) -> Result<Vec<String>, String> {
        match parse(Path::new("/run/bgp/prefixes"), content) {
            Ok(prefixes) => Ok(prefixes.iter().map(ToString::to_string).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn comments_blanks_and_line_ends_do_not_matter() {
        let content = "# pods\n10.244.7.0/26 # node 7\r\n\n  fd00:7::/122\t\n10.244.7.0/26";
        assert_eq!(parsed(content).unwrap(), ["10.244.7.0/26", "fd00:7::/122"]);
        assert!(parsed("").unwrap().is_empty());
    }

    #[test]
    fn an_error_has_the_line_and_what_was_meant() {
        assert_eq!(
            parsed("10.0.0.0/8\n\n10.244.7.1/26\n").unwrap_err(),
            "/run/bgp/prefixes:3: `10.244.7.1/26`: host bits are set: did you mean 10.244.7.0/26?"
        );
        assert!(parsed("10.0.0.0/33").unwrap_err().ends_with(":1: `10.0.0.0/33`: length 33 is over 32"));
    }

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let folder = Folder::new();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("cannot read it: not a regular file"), "{error}");
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(MAX_LEN + 1).unwrap();
        assert_eq!(read(&large), Err(AnnounceFileError::TooLong { path: large }));
        assert!(read(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        assert!(parsed(&"x".repeat(1 << 20)).unwrap_err().len() < 200);
        assert!(parsed(&("x".repeat(1 << 20) + "/8")).unwrap_err().len() < 300);
    }
}
