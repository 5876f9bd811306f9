//! Every kind of configuration error, word for word: `tests/config/NAME.toml` gives `NAME.txt`.
//! `BLESS=1 cargo test` writes the expected files anew.

#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bgp_daemon::config::{Config, DaemonKind, Diagnostic};

fn shown(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let daemon =
        if text.starts_with("# for bgp-speaker") { DaemonKind::Speaker } else { DaemonKind::Reflector };
    let file = path.file_name().unwrap().to_str().unwrap();
    let found: Vec<Diagnostic> = match Config::parse(&text, file, daemon) {
        Ok(config) => config.warnings,
        Err(errors) => errors,
    };
    found.iter().fold(String::new(), |mut out, diagnostic| {
        writeln!(out, "{diagnostic}").unwrap();
        out
    })
}

#[test]
fn every_error_is_told_with_its_place_and_remedy() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut seen = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let (actual, golden) = (shown(&path), path.with_extension("txt"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &actual).unwrap();
        }
        assert_eq!(actual, fs::read_to_string(&golden).unwrap_or_default(), "{}", path.display());
        assert!(!actual.is_empty(), "{} is accepted without a word", path.display());
        seen += 1;
    }
    assert!(seen >= 9);
}
