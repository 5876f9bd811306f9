use crate::{Error, Node, Result};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A daemon in a node's namespace, in the foreground, with its output in a log file; killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `program` inside the node's namespace. `ip netns exec` replaces itself by it, so the child is the program.
    pub(crate) fn start(node: &Node, program: &std::path::Path, args: &[&str]) -> Result<Process> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = node.dir().join(format!("{name}.log"));
        let what = || format!("cannot start {name} in {}", node.namespace());
        let out = File::options().append(true).create(true).open(&log).map_err(Error::io(what()))?;
        let err = out.try_clone().map_err(Error::io(what()))?;
        let child = Command::new("ip")
            .args(["netns", "exec", node.namespace()])
            .arg(program)
            .args(args)
            .current_dir(node.dir())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(what()))?;
        Ok(Process { child, name, log })
    }

    /// Everything it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// An error if it has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::Command {
                command: self.name.clone(),
                status: status.to_string(),
                output: self.log(),
            }),
            Err(source) => Err(Error::Io { what: format!("cannot ask for {}", self.name), source }),
        }
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal, by its name: `STOP`, `CONT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        crate::command::run("kill", &[&format!("-{name}"), &self.child.id().to_string()]).map(drop)
    }

    /// The same signal for it and the processes that it started.
    pub(crate) fn signal_with_children(&self, name: &str) -> Result<()> {
        let id = self.child.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let children = std::fs::read_to_string(&path).map_err(Error::io(format!("cannot read {path}")))?;
        let (signal, id) = (format!("-{name}"), id.to_string());
        let all: Vec<&str> =
            [signal.as_str()].into_iter().chain(children.split_whitespace()).chain([id.as_str()]).collect();
        crate::command::run("kill", &all).map(drop)
    }

    /// SIGTERM, and waits at most `limit` for the end.
    pub(crate) fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let end = Instant::now() + limit;
        loop {
            match self.child.try_wait().map_err(Error::io(format!("cannot wait for {}", self.name)))? {
                Some(status) => return Ok(status),
                None if Instant::now() >= end => {
                    return Err(Error::NotSo(format!(
                        "{} still runs {} s after SIGTERM",
                        self.name,
                        limit.as_secs()
                    )));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
