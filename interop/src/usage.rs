//! What a running program takes, from `/proc`.

use crate::command::run;
use crate::{Error, Node, Result};
use std::path::Path;

/// What a process has taken so far, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory, in kB.
    pub rss_kb: u64,
    /// CPU time of all its threads, in milliseconds; the kernel counts it in steps of ten.
    pub cpu_ms: u64,
    /// Open file descriptors.
    pub fds: u64,
}

/// The kernel's `USER_HZ` is 100 on every platform that Linux has kept.
const MILLISECONDS_A_TICK: u64 = 10;

impl Node {
    /// What the one process of this name takes that runs in the node's namespace.
    ///
    /// # Errors
    /// If there is none.
    pub fn usage(&self, program: &str) -> Result<Usage> {
        usage(Path::new("/proc").join(self.pid(program)?).as_path())
    }

    /// The id of the one process of this name that runs in the node's namespace.
    pub(crate) fn pid(&self, program: &str) -> Result<String> {
        // The kernel keeps fifteen characters of a name.
        let name: String = program.chars().take(15).collect();
        let pids = run("ip", &["netns", "pids", self.namespace()])?;
        let named = |pid: &&str| {
            let comm = std::fs::read_to_string(Path::new("/proc").join(pid).join("comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        };
        let pid = pids.split_whitespace().find(named);
        pid.map(str::to_owned)
            .ok_or_else(|| Error::NotSo(format!("no {program} runs in {}", self.namespace())))
    }
}

fn usage(process: &Path) -> Result<Usage> {
    let read = |name: &str| {
        let path = process.join(name);
        std::fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))
    };
    let status = read("status")?;
    let rss =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    let stat = read("stat")?;
    let fds =
        std::fs::read_dir(process.join("fd")).map_err(Error::io("cannot read the descriptors"))?.count();
    Ok(Usage {
        rss_kb: rss.ok_or_else(|| Error::parse("/proc/PID/status", status))?,
        cpu_ms: ticks(&stat).ok_or_else(|| Error::parse("/proc/PID/stat", stat))? * MILLISECONDS_A_TICK,
        fds: fds as u64,
    })
}

/// `utime` and `stime`, the fourteenth and fifteenth field; the second is a name in parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_takes() {
        let own = usage(Path::new("/proc/self")).unwrap();
        assert!(own.rss_kb > 100 && own.fds > 2, "{own:?}");
    }

    #[test]
    fn a_name_with_a_parenthesis_does_not_shift_the_fields() {
        assert_eq!(ticks("7 (a) b) S 1 7 7 0 -1 4194560 113 0 0 0 21 4 0 0 20"), Some(25));
    }
}
