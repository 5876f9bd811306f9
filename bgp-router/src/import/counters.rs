//! What came in, in numbers.

use bgp_core::wire::Treatment;

use super::refusal::Refusal;

/// Counts of what came in over all sessions of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounters {
    /// Routes announced, IPv4 and IPv6.
    pub announced: [u64; 2],
    /// Routes withdrawn, IPv4 and IPv6.
    pub withdrawn: [u64; 2],
    /// Routes refused, by [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
    /// UPDATEs with a fault, by the treatment: attribute discarded, treated as withdraw, family disabled,
    /// session reset.
    pub malformed: [u64; 4],
}

impl ImportCounters {
    /// Adds the counts of another session.
    pub fn add(&mut self, other: &ImportCounters) {
        let pairs = [
            (&mut self.announced[..], &other.announced[..]),
            (&mut self.withdrawn[..], &other.withdrawn[..]),
            (&mut self.refused[..], &other.refused[..]),
            (&mut self.malformed[..], &other.malformed[..]),
        ];
        for (sums, counts) in pairs {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    pub(super) fn count_malformed(&mut self, treatment: Treatment) {
        let [discard, withdraw, disable, reset] = &mut self.malformed;
        match treatment {
            Treatment::Accept => {}
            Treatment::DiscardAttribute => *discard += 1,
            Treatment::TreatAsWithdraw => *withdraw += 1,
            Treatment::DisableFamily => *disable += 1,
            Treatment::ResetSession => *reset += 1,
        }
    }

    pub(super) fn count_announced(&mut self, family: usize, routes: usize) {
        if let Some(counter) = self.announced.get_mut(family) {
            *counter += routes as u64;
        }
    }

    pub(super) fn count_withdrawn(&mut self, family: usize, routes: usize) {
        if let Some(counter) = self.withdrawn.get_mut(family) {
            *counter += routes as u64;
        }
    }

    pub(super) fn count_refused(&mut self, refusal: Refusal) {
        if let Some(counter) = self.refused.get_mut(refusal as usize) {
            *counter += 1;
        }
    }
}
