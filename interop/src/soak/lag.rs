//! Who holds the table when: asked of each by itself, so that nobody waits for another's answer.

use crate::rig::{PODS, Rig};
use crate::{Error, Result, ensure};
use std::time::{Duration, Instant};

/// Who is asked: the reflector what it has sent to BIRD, BIRD and the speakers what they hold, and the speakers what is in
/// their kernels.
pub(super) const MEMBERS: [&str; 6] =
    ["route-reflector", "BIRD", "bgp-speaker n1", "kernel n1", "bgp-speaker n2", "kernel n2"];

/// How long each took to hold the table, in milliseconds.
pub type Lags = [u64; MEMBERS.len()];

/// Between two looks at who is behind. A look takes some tens of milliseconds.
const POLL: Duration = Duration::from_millis(20);

/// Waits until everybody holds so many routes of the feed's, by their own counters: a dump of half a million routes takes
/// seconds, and those who are dumped are slowed down by it.
pub(super) fn wait(rig: &mut Rig, routes: usize, since: Instant, limit: Duration) -> Result<Lags> {
    let mut lags = [None; MEMBERS.len()];
    loop {
        let mut behind = Vec::new();
        for ((member, lag), name) in lags.iter_mut().enumerate().zip(MEMBERS) {
            if lag.is_some() {
                continue;
            }
            let held = rig.counted(member)?;
            // The pods, besides: a speaker's kernel holds its own as a blackhole.
            if held == routes + PODS.len() {
                *lag = Some(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
            } else {
                behind.push(format!("{name} holds {held} routes"));
            }
        }
        if behind.is_empty() {
            return Ok(lags.map(Option::unwrap_or_default));
        }
        ensure(since.elapsed() < limit, || {
            format!("after {} s, of {routes} routes: {}", limit.as_secs(), behind.join(", "))
        })?;
        std::thread::park_timeout(POLL);
    }
}

impl Rig {
    /// How many routes one of [`MEMBERS`] has, pods' too.
    fn counted(&mut self, member: usize) -> Result<usize> {
        let [first, second] = &mut self.speakers;
        match member {
            0 => crate::told::advertised(self.reflector.peer()?, self.bird.node.v4()),
            1 => crate::peer::imported(self.bird.peer()?, self.reflector.node.v4()),
            2 => crate::told::prefixes(first.peer()?),
            3 => crate::told::in_kernel(first.peer()?),
            4 => crate::told::prefixes(second.peer()?),
            5 => crate::told::in_kernel(second.peer()?),
            _ => Err(Error::NotSo(format!("there is no member {member}"))),
        }
    }
}
