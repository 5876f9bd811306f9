//! How long routes take from the read of an UPDATE to the end of the write of what follows from it, now and then.
//!
//! ```text
//!  batch read ──► routes marked ──► flush ──► sends of a peer … the last ──► written
//!  └ sample: none was marked before   └ a probe for each peer that has something to take  └ probe ends
//! ```
//! A sample begins with a batch that comes while no group has changes to flush, so all groups that it concerns flush at
//! once. Each peer that then has something to take is measured, slow ones too: until it has been sent all that its
//! group had, and the last of that is written. What came within the same tick as the sample, and what the peer has
//! still to take from before, counts in: the time is never too short.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_core::Instant;
use bgp_rib::PeerId;

/// Between the beginnings of two samples.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Probe {
    received: Instant,
    /// Sends still to be written, once the last one is on its way.
    sends: Option<usize>,
}

/// The samples that are under way: at most one before its flush, and a probe for each peer after it.
#[derive(Debug)]
pub(crate) struct Propagation {
    sample: Option<Instant>,
    next: Instant,
    probes: BTreeMap<PeerId, Probe>,
}

impl Propagation {
    pub(crate) fn new() -> Propagation {
        Propagation { sample: None, next: Instant::ZERO, probes: BTreeMap::new() }
    }

    /// Routes read at `received` are the first that wait for a flush.
    pub(crate) fn begin(&mut self, now: Instant, received: Instant) {
        if self.sample.is_none() && self.next <= now {
            self.sample = Some(received);
            self.next = now + PAUSE;
        }
    }

    /// The flush is done; when the routes of the sample were read, if there is one.
    pub(crate) fn take_sample(&mut self) -> Option<Instant> {
        self.sample.take()
    }

    /// A peer has something to take that may follow from routes read at `received`. One that is still measured goes on
    /// with the earlier ones.
    pub(crate) fn probe(&mut self, peer: PeerId, received: Instant) {
        self.probes.entry(peer).or_insert(Probe { received, sends: None });
    }

    /// A peer has been sent all that its group had; so many of its sends are still to be written.
    pub(crate) fn sent(&mut self, peer: PeerId, sends: usize) {
        if sends == 0 {
            // Nothing was for this peer.
            self.probes.remove(&peer);
        } else if let Some(probe) = self.probes.get_mut(&peer) {
            probe.sends.get_or_insert(sends);
        }
    }

    /// A peer's sends were written; how long it took, if that was all of them.
    pub(crate) fn written(&mut self, peer: PeerId, sends: usize, at: Instant) -> Option<Duration> {
        let probe = self.probes.get_mut(&peer)?;
        let left = probe.sends.as_mut()?;
        *left = left.saturating_sub(sends);
        if *left > 0 {
            return None;
        }
        let took = at.saturating_since(probe.received);
        self.probes.remove(&peer);
        Some(took)
    }

    /// How long ago the sampled routes were read that a peer has still to be sent or to take.
    pub(crate) fn lag(&self, peer: PeerId, now: Instant) -> Duration {
        self.probes.get(&peer).map_or(Duration::ZERO, |probe| now.saturating_since(probe.received))
    }

    /// The peer's session ended.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.probes.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: PeerId = PeerId { slot: 1, generation: 1 };
    const SLOW: PeerId = PeerId { slot: 2, generation: 1 };
    const SOURCE: PeerId = PeerId { slot: 3, generation: 1 };

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn a_peer_is_measured_until_its_last_send_is_written() {
        let mut propagation = Propagation::new();
        propagation.begin(at(11), at(10));
        propagation.begin(at(12), at(12));
        let received = propagation.take_sample().unwrap();
        assert_eq!(received, at(10));
        for peer in [FAST, SLOW, SOURCE] {
            propagation.probe(peer, received);
        }
        propagation.sent(SOURCE, 0);
        propagation.sent(FAST, 1);
        assert_eq!(propagation.written(FAST, 1, at(17)), Some(Duration::from_millis(7)));
        assert_eq!(propagation.written(SLOW, 1, at(18)), None, "it has not been sent all yet");
        propagation.sent(SLOW, 3);
        propagation.sent(SLOW, 4);
        assert_eq!(propagation.written(SLOW, 2, at(30)), None);
        assert_eq!(propagation.written(SLOW, 1, at(45)), Some(Duration::from_millis(35)));
        assert_eq!(propagation.written(SOURCE, 1, at(50)), None);
    }

    #[test]
    fn samples_are_rare_and_a_slow_peer_keeps_the_earlier_one() {
        let mut propagation = Propagation::new();
        propagation.begin(at(1), at(1));
        propagation.probe(SLOW, propagation.sample.unwrap());
        propagation.take_sample();
        propagation.begin(at(100), at(100));
        assert_eq!(propagation.take_sample(), None);
        propagation.begin(at(101), at(101));
        propagation.probe(SLOW, at(101));
        propagation.sent(SLOW, 1);
        assert_eq!(propagation.lag(SLOW, at(151)), Duration::from_millis(150));
        assert_eq!(propagation.written(SLOW, 1, at(201)), Some(Duration::from_millis(200)));
        assert_eq!(propagation.lag(SLOW, at(300)), Duration::ZERO);
    }
}
