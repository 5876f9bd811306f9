//! Text that must not appear in logs, errors or answers.

use std::fmt;
use std::path::Path;

use super::diagnostic::{Code, Report};
use super::section::Section;
use super::values;
use crate::confine;

/// Linux takes no longer key (`TCP_MD5SIG_MAXKEYLEN`, `TCP_AO_MAXKEYLEN`).
const MAX_LEN: usize = 80;

/// A password. Neither `Debug` nor anything else prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that hands it to the kernel.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret that stands under `key`, or in `file`, which `key_of_file` names. Errors never show it.
    pub(super) fn read(
        section: &mut Section<'_>,
        report: &mut Report<'_>,
        [protocol, key, key_of_file]: [&'static str; 3],
        file: Option<&Path>,
    ) -> Option<Secret> {
        let inline = section.get(report, key, values::string);
        let at = section.span_of(key_of_file);
        let (text, at) = match (inline, file) {
            (Some(_), Some(_)) => {
                let message = format!("`{key}` and `{key_of_file}` are both set");
                report.error(Code::Conflict, at, message, "keep the file");
                return None;
            }
            (Some(text), None) => (text, section.span_of(key)),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => (text.trim_end_matches(['\r', '\n']).to_owned(), at),
                Err(error) => {
                    let message = format!("the {key} file {} cannot be read: {error}", path.display());
                    let remedy = match confine::hides(path) {
                        true => "the daemon gave up reading there when it started: restart it",
                        false => "it must be readable by the daemon's user",
                    };
                    report.error(Code::File, at, message, remedy);
                    return None;
                }
            },
            (None, None) => return None,
        };
        if text.is_empty() || text.len() > MAX_LEN {
            let message = format!("a {protocol} {key} has 1 to {MAX_LEN} octets, this one {}", text.len());
            report.error(Code::Value, at, message, "");
            return None;
        }
        Some(Secret::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}
