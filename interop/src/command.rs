use crate::{Error, Result};
use std::process::{Command, Output, Stdio};

/// Runs a command to its end; its standard output if it succeeded.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = output(program, args)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Command {
        command: format!("{program} {}", args.join(" ")),
        status: output.status.to_string(),
        output: format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    })
}

/// Runs a command to its end, whatever its exit status.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<Output> {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("cannot run `{program} {}`", args.join(" "))))
}

/// Runs a command to its end with `input` on its standard input.
pub(crate) fn run_with_input(program: &str, args: &[&str], input: &str) -> Result<()> {
    let what = || format!("cannot run `{program} {}`", args.join(" "));
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(Error::io(what()))?;
    if let Some(mut stdin) = child.stdin.take() {
        std::io::Write::write_all(&mut stdin, input.as_bytes()).map_err(Error::io(what()))?;
    }
    let status = child.wait().map_err(Error::io(what()))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::Command { command: what(), status: status.to_string(), output: String::new() }),
    }
}
