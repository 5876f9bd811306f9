//! What a session counts.

use crate::wire::MessageType;

/// Messages of one direction by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounters([u64; MessageType::ALL.len()]);

impl MessageCounters {
    /// How many of `kind`.
    #[must_use]
    pub fn get(&self, kind: MessageType) -> u64 {
        self.0.get(kind as usize - 1).copied().unwrap_or_default()
    }

    /// How many of all types.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn count(&mut self, kind: MessageType) {
        if let Some(counter) = self.0.get_mut(kind as usize - 1) {
            *counter += 1;
        }
    }
}

/// Counts since the session was made; they survive its ups and downs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Whole messages that came, on all connections.
    pub received: MessageCounters,
    /// Messages that the session sent. UPDATEs and ROUTE-REFRESHes are its user's to write, and to count.
    pub sent: MessageCounters,
    /// How often a connection was asked for.
    pub connects: u64,
    /// How often the session became Established.
    pub established: u64,
}
