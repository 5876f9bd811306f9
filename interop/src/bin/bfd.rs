//! What BFD achieves, measured: how soon a dead node's route is gone from another node's kernel, and whether many fast
//! sessions stay up while a daemon is busy.
//!
//! ```text
//! bfd death [--runs 10]                  node death to route gone, direct and by way of a reflector
//! bfd sessions [--sessions 300] [--routes 500000] [--daemon route-reflector|bgp-speaker]
//! ```

#[path = "bfd/death.rs"]
mod death;
#[path = "bfd/hosts.rs"]
mod hosts;
#[path = "bfd/sessions.rs"]
mod sessions;

use interop::{Error, Result};
use std::process::ExitCode;

const USAGE: &str = "bfd death [--runs N]\n\
                     bfd sessions [--sessions N] [--routes N] [--daemon route-reflector|bgp-speaker]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["death", options @ ..] => death::measure(number(options, "--runs")?.unwrap_or(10)),
        ["sessions", options @ ..] => sessions::measure(
            number(options, "--sessions")?.unwrap_or(300),
            number(options, "--routes")?.unwrap_or(500_000),
            option(options, "--daemon").unwrap_or("route-reflector"),
        ),
        _ => Err(Error::NotSo(USAGE.to_owned())),
    }
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.windows(2).find(|pair| pair.first() == Some(&name)).and_then(|pair| pair.last().copied())
}

fn number(words: &[&str], name: &str) -> Result<Option<u32>> {
    let parse =
        |word: &str| word.parse().map_err(|_| Error::NotSo(format!("{name} {word}: not a number\n{USAGE}")));
    option(words, name).map(parse).transpose()
}
