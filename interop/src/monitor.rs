use crate::{Error, Node, Result};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The route changes of a node's kernel, as `ip monitor` tells them, until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    child: Child,
    log: PathBuf,
}

impl Monitor {
    /// Begins to listen; changes before the first call of another command in the node may be missed.
    ///
    /// # Errors
    /// If `ip` does not start.
    pub fn start(node: &Node) -> Result<Monitor> {
        let what = || format!("cannot run `ip monitor` in {}", node.namespace());
        let log = node.dir().join("monitor.txt");
        let out = File::create(&log).map_err(Error::io(what()))?;
        let child = Command::new("ip")
            .args(["-n", node.namespace(), "-o", "monitor", "route"])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io(what()))?;
        Ok(Monitor { child, log })
    }

    /// The routes of a protocol, `bgp` or `bird`, that have gone since the start, a line each.
    #[must_use]
    pub fn deleted(&self, protocol: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let protocol = format!(" proto {protocol} ");
        let gone = |line: &&str| line.starts_with("Deleted") && line.contains(&protocol);
        text.lines().filter(gone).map(str::to_owned).collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
