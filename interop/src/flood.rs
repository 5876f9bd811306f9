use crate::{Error, Node, Result, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Between two pings, at least: a machine with much to do sends fewer.
const INTERVAL: Duration = Duration::from_millis(2);

/// Pings, up to one every 2 ms, until it is dropped.
#[derive(Debug)]
pub struct Flood {
    child: Child,
    log: PathBuf,
}

/// What became of the pings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Up to the last one that was answered.
    pub sent: u64,
    /// Of these, without an answer.
    pub lost: u64,
    /// From an answer to the next one, where something between them was lost: the longest.
    pub longest: Duration,
}

impl Flood {
    /// From a namespace; the log goes to the node's directory.
    ///
    /// # Errors
    /// If `ping` does not start.
    pub fn start(node: &Node, namespace: &str, to: &str) -> Result<Flood> {
        let what = || format!("cannot run `ping` in {namespace}");
        let log = node.dir().join(format!("ping-{to}.txt"));
        let out = File::create(&log).map_err(Error::io(what()))?;
        let interval = format!("{:.3}", INTERVAL.as_secs_f64());
        let child = Command::new("ip")
            .args(["netns", "exec", namespace, "ping", "-n", "-D", "-i", &interval, to])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io(what()))?;
        Ok(Flood { child, log })
    }

    /// How many lines of answers are in the log from octet `from` on; moves `from` behind them. A log of an hour is not
    /// read again each time.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn answers(&self, from: &mut u64) -> Result<usize> {
        let cannot = || Error::io("cannot read the log of pings");
        let mut file = File::open(&self.log).map_err(cannot())?;
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(*from)).and_then(|_| file.read_to_end(&mut text)).map_err(cannot())?;
        *from += text.len() as u64;
        Ok(text.into_iter().filter(|octet| *octet == b'\n').count())
    }

    /// So far. What was sent after the last answer is not known yet.
    ///
    /// # Errors
    /// If nothing has been answered.
    pub fn traffic(&self) -> Result<Traffic> {
        let text = std::fs::read_to_string(&self.log).map_err(Error::io("cannot read the log of pings"))?;
        let traffic = count(&text);
        ensure(traffic.sent > 0, || "no ping has been answered")?;
        Ok(traffic)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// From lines like `[1795326406.74] 64 bytes from 10.42.2.2: icmp_seq=3 ttl=62 time=0.05 ms`; the sequence wraps after 65,535.
fn count(text: &str) -> Traffic {
    let mut round = 0;
    let mut last = 0;
    let mut answered = BTreeMap::new();
    for (number, at) in text.lines().filter_map(answer) {
        if number + 32_768 < last {
            round += 65_536;
        }
        last = number;
        answered.insert(round + number, at);
    }
    let pairs = || answered.iter().zip(answered.iter().skip(1));
    let gaps = pairs().filter(|((before, _), (after, _))| *after - *before > 1);
    let longest = gaps.map(|((_, before), (_, after))| after.saturating_sub(*before)).max();
    let first = answered.keys().next().copied().unwrap_or_default();
    let sent = answered.keys().next_back().map_or(0, |last| last + 1 - first);
    Traffic { sent, lost: sent - answered.len() as u64, longest: longest.unwrap_or_default() }
}

/// The sequence number, and when the answer came.
fn answer(line: &str) -> Option<(u64, Duration)> {
    let (at, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (_, rest) = rest.split_once("icmp_seq=")?;
    let at = Duration::try_from_secs_f64(at.parse().ok()?).ok()?;
    Some((rest.split(' ').next()?.parse().ok()?, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_answer_is_counted_also_over_the_end_of_the_sequence() {
        let line = |(n, at): (u64, f64)| {
            format!("[{at}] 64 bytes from 10.42.2.2: icmp_seq={n} ttl=62 time=0.05 ms\n")
        };
        let text: String = [(65_533, 0.5), (65_535, 0.75), (0, 1.0), (1, 1.25), (5, 2.25)].map(line).concat();
        let traffic = count(&text);
        assert_eq!((traffic.sent, traffic.lost), (9, 4));
        assert_eq!(traffic.longest, Duration::from_secs(1));
        assert_eq!(count("PING 10.42.2.2\n"), Traffic::default());
    }
}
