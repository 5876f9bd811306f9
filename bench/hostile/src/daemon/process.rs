//! A daemon that runs: its end, and what the kernel says of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that ends with this value, and its scratch directory.
pub struct Running {
    child: Child,
    scratch: PathBuf,
}

/// How long a daemon may take to end.
const END: Duration = Duration::from_secs(5);

impl Running {
    pub(super) fn start(binary: &Path, arguments: &[String], scratch: &Path) -> io::Result<Running> {
        let log = File::create(scratch.join("log"))?;
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        Ok(Running { child: command.spawn()?, scratch: scratch.to_owned() })
    }

    /// The last lines that it wrote.
    pub fn log(&self) -> String {
        let text = std::fs::read(self.scratch.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// CPU seconds of all its threads.
    pub fn cpu(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let threads = threads.into_iter().flatten().flatten();
        let nanoseconds = threads.filter_map(|thread| {
            first_number(&std::fs::read_to_string(thread.path().join("schedstat")).ok()?)
        });
        nanoseconds.sum::<f64>() / 1e9
    }

    /// Resident memory now, in MB.
    pub fn resident(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory so far, in MB.
    pub fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        kilobytes(&status, key).unwrap_or(f64::NAN) / 1024.0
    }
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn kilobytes(status: &str, key: &str) -> Option<f64> {
    first_number(status.lines().find_map(|line| line.strip_prefix(key))?)
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id() as i32);
        if self.is_alive() {
            let _ = kill(pid, Signal::SIGTERM);
        }
        let end = Instant::now() + END;
        while self.is_alive() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_line_with_its_name() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1024.0));
        assert_eq!(kilobytes(status, "VmHWM:"), Some(2048.0));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }
}
