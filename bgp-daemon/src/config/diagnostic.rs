//! What is wrong with a configuration, shown the way a compiler shows it.

use std::fmt;
use std::ops::Range;

use super::nearest::nearest;

/// Whether a finding stops the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is taken, and the operator is told.
    Warning,
}

/// The kinds of findings. The numbers are stable: scripts and documentation name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The file cannot be read.
    Unreadable,
    /// The file is not TOML.
    Syntax,
    /// A value has another type than its key wants.
    Type,
    /// A mandatory key is missing.
    Missing,
    /// The key does not exist.
    UnknownKey,
    /// The value is out of range or none of the choices.
    Value,
    /// A text is no address, network, prefix or endpoint.
    Address,
    /// A name that nothing has.
    UnknownName,
    /// Keys contradict each other.
    Conflict,
    /// The key or section does nothing in this daemon or place.
    NotHere,
    /// Two entries mean the same thing.
    Duplicate,
    /// A file that a key names cannot be used.
    File,
    /// Taken, but hardly what was meant.
    Suspicious,
}

impl Code {
    /// The stable number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Code::Unreadable => 1,
            Code::Syntax => 2,
            Code::Type => 10,
            Code::Missing => 11,
            Code::UnknownKey => 12,
            Code::Value => 13,
            Code::Address => 14,
            Code::UnknownName => 15,
            Code::Conflict => 20,
            Code::NotHere => 21,
            Code::Duplicate => 22,
            Code::File => 23,
            Code::Suspicious => 30,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C{:03}", self.number())
    }
}

/// A place in a configuration file, with the line's text to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters to underline, at least 1.
    pub width: usize,
    /// The line; a password in it is replaced.
    pub snippet: String,
}

/// One finding. `Display` shows it with its place, a caret and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What kind.
    pub code: Code,
    /// One sentence on what is wrong.
    pub message: String,
    /// The file's name as the operator gave it.
    pub file: String,
    /// Where in the file; `None` if it is the file as a whole.
    pub location: Option<Location>,
    /// What to do about it, shown beside the caret; may be empty.
    pub remedy: String,
}

impl std::error::Error for Diagnostic {}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}[{}]: {}", self.code, self.message)?;
        let Some(at) = &self.location else {
            write!(f, " --> {}", self.file)?;
            return if self.remedy.is_empty() { Ok(()) } else { write!(f, "\n  = {}", self.remedy) };
        };
        let gutter = at.line.to_string().len();
        writeln!(f, "{:gutter$}--> {}:{}:{}", "", self.file, at.line, at.column)?;
        writeln!(f, "{} | {}", at.line, at.snippet)?;
        let indent: String =
            at.snippet.chars().take(at.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "{:gutter$} | {indent}{}", "", "^".repeat(at.width))?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " {}", self.remedy) }
    }
}

/// A configuration file's name and text, able to say where a byte offset is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line a byte offset is in, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
    }

    fn location(&self, span: &Range<usize>) -> Location {
        let (before, rest) = self.text.split_at_checked(span.start).unwrap_or((self.text, ""));
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(line_start..).and_then(|t| t.lines().next()).unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let marked = rest.get(..span.len()).unwrap_or(rest);
        let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
        // Inside a text of several lines nothing tells whose it is.
        let is_inside = ["\"\"\"", "'''"]
            .iter()
            .any(|quotes| self.text.get(..line_start).unwrap_or_default().matches(quotes).count() % 2 == 1);
        let snippet = if is_inside { "<redacted>".to_owned() } else { redact(line) };
        let shown = snippet.chars().count();
        let column = column.min(shown + 1);
        let width = width.min((shown + 1).saturating_sub(column)).max(1);
        Location { line: self.line(span.start), column, width, snippet }
    }
}

/// The line with what follows `password =` or `key =`, or a word much like them, replaced, and control characters made
/// harmless.
fn redact(line: &str) -> String {
    let assigned = line.match_indices('=').filter_map(|(at, _)| Some((line.get(..at)?, line.get(at + 1..)?)));
    let secret = assigned.clone().find_map(|(before, after)| is_secret(before, after).then_some(before));
    let shown = secret.map_or_else(|| line.to_owned(), |before| format!("{before}= <redacted>"));
    shown.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

/// Whether `after` may be a secret, by the key that `before` ends with.
fn is_secret(before: &str, after: &str) -> bool {
    let key = before.trim_end().trim_end_matches(['"', '\'']);
    let start = key.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_')).map_or(0, |at| at + 1);
    match key.get(start..).unwrap_or_default().to_lowercase().as_str() {
        "key" | "keys" => true,
        "tcp-ao" => !after.contains(['[', '{']),
        word if word.ends_with("file") => false,
        word => {
            ["passw", "passphrase", "secret", "md5"].iter().any(|part| word.contains(part))
                || resembles_password(word)
        }
    }
}

fn resembles_password(word: &str) -> bool {
    nearest(word, ["password"]).is_some()
}

/// Collects findings while a file is read.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) source: Source<'a>,
    found: Vec<(usize, Diagnostic)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: Source<'a>) -> Report<'a> {
        Report { source, found: Vec::new() }
    }

    /// Notes an error at `span`; `remedy` is shown beside the caret.
    pub(super) fn error(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.note(Severity::Error, code, span, message.into(), remedy.into());
    }

    /// Notes something that is taken but should be told.
    pub(super) fn warning(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.note(Severity::Warning, code, span, message.into(), remedy.into());
    }

    /// Notes an error that concerns the whole file.
    pub(super) fn error_in_file(
        &mut self,
        code: Code,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let file = self.source.file.to_owned();
        let (message, remedy) = (message.into(), remedy.into());
        let diagnostic =
            Diagnostic { severity: Severity::Error, code, message, file, location: None, remedy };
        self.found.push((0, diagnostic));
    }

    fn note(&mut self, severity: Severity, code: Code, span: Range<usize>, message: String, remedy: String) {
        let location = Some(self.source.location(&span));
        let file = self.source.file.to_owned();
        let found = (span.start, Diagnostic { severity, code, message, file, location, remedy });
        // What is wrong in a group is found again with each of its peers.
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// All findings in the order of the file: the warnings if there is no error.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        self.found.sort_by_key(|(at, _)| *at);
        let refused = self.found.iter().any(|(_, d)| d.severity == Severity::Error);
        let all = self.found.into_iter().map(|(_, d)| d).collect();
        if refused { Err(all) } else { Ok(all) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(redact(r#"password = "s3cret""#), "password = <redacted>");
        assert_eq!(redact(r#"peers = [{ "password"="s3cret" }]"#), r#"peers = [{ "password"= <redacted>"#);
        assert_eq!(
            redact(r#"tcp-ao = [{ id = 1, key = "a" }, { key = "b" }]"#),
            "tcp-ao = [{ id = 1, key = <redacted>"
        );
        assert_eq!(redact(r#"tcp-ao = "a""#), "tcp-ao = <redacted>");
        assert_eq!(redact(r#"asn = 1, passwrod = "s3cret""#), "asn = 1, passwrod = <redacted>");
        assert_eq!(redact(r#"TCP_MD5 = "s3cret""#), "TCP_MD5 = <redacted>");
        assert_eq!(redact("passive = true"), "passive = true");
        assert_eq!(redact(r#"password-file = "/run/key""#), r#"password-file = "/run/key""#);
    }

    #[test]
    fn nothing_inside_a_text_of_several_lines_is_shown() {
        let text = "password = \"\"\"\ns3cret\\q\n\"\"\"\nasn = 1\n";
        let snippet = |at: usize| Source { file: "x.toml", text }.location(&(at..at + 1)).snippet;
        assert_eq!([0, 16, 28].map(snippet), ["password = <redacted>", "<redacted>", "asn = 1"]);
    }

    #[test]
    fn a_caret_stays_within_its_line() {
        let source = Source { file: "x.toml", text: "a = [\n1,\n2]\n" };
        let at = source.location(&(4..12));
        assert_eq!((at.line, at.column, at.width), (1, 5, 1));
    }
}
