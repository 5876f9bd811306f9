//! What a session counts.

use crate::wire::{MessageType, Notification};

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

/// NOTIFICATIONs of one direction by error code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotificationCounters([u64; Notification::SEND_HOLD_TIMER_EXPIRED as usize + 1]);

impl NotificationCounters {
    /// Error codes and how many NOTIFICATIONs had them, by code; 0 stands for those that nobody has defined.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64)> {
        (0..=Notification::SEND_HOLD_TIMER_EXPIRED).zip(self.0)
    }

    pub(super) fn count(&mut self, notification: &Notification) {
        let code = usize::from(notification.code);
        let place = if code < self.0.len() { code } else { 0 };
        if let Some(counter) = self.0.get_mut(place) {
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
    /// NOTIFICATIONs that came, by code.
    pub notifications_received: NotificationCounters,
    /// NOTIFICATIONs that the session sent, by code.
    pub notifications_sent: NotificationCounters,
    /// How often a connection was asked for.
    pub connects: u64,
    /// How often the session became Established.
    pub established: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_are_counted_by_code() {
        let mut counters = NotificationCounters::default();
        for code in [6, 4, 6, 8, 9, 255] {
            counters.count(&Notification::new(code, 0));
        }
        let counted: Vec<(u8, u64)> = counters.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0, 2), (4, 1), (6, 2), (8, 1)]);
    }
}
