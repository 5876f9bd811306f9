//! How much input may be on its way from the sockets to the RIB.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets taken from a socket at a time: enough to amortise the call, small enough that no peer holds up the
/// others.
pub(super) const READ: usize = 64 * 1024;

/// Octets of input, of all peers, whose routes may wait for the core. A route takes a few octets on the wire and 20 (IPv4)
/// or 40 (IPv6) in a batch: of a full table 2 to 3 MB, of the shortest prefixes that there are 20 MB.
const IN_FLIGHT: usize = 8 * READ;

/// Permission to read so many octets. It goes along with the routes that were in them, and ends with these.
#[derive(Debug)]
pub(crate) struct Charge(OwnedSemaphorePermit);

impl Charge {
    /// Gives back what was not read.
    pub(super) fn reduce_to(&mut self, octets: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(octets)));
    }
}

/// What all peers may read before the core has caught up. Who waits is served in turn: a peer that floods has one read,
/// then every other that waits has one.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(super) fn new() -> Budget {
        Budget(Arc::new(Semaphore::new(IN_FLIGHT)))
    }

    /// Permission for one read, if nobody has to wait.
    pub(super) fn try_charge(&self) -> Option<Charge> {
        Arc::clone(&self.0).try_acquire_many_owned(READ as u32).ok().map(Charge)
    }

    /// Permission for one read, when it is this peer's turn. `None` cannot be: the budget is never closed.
    pub(super) async fn charge(self) -> Option<Charge> {
        self.0.acquire_many_owned(READ as u32).await.ok().map(Charge)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_read_is_charged_for_what_it_brought() {
        let budget = Budget::new();
        let mut held = Vec::new();
        while let Some(charge) = budget.try_charge() {
            held.push(charge);
        }
        assert_eq!(held.len(), IN_FLIGHT / READ);
        held[0].reduce_to(19);
        assert!(budget.try_charge().is_none());
        held[1].reduce_to(READ - 19);
        assert!(budget.try_charge().is_some());
    }

    #[tokio::test]
    async fn who_waits_is_served_in_turn_and_nobody_comes_in_between() {
        let budget = Budget::new();
        let mut held: Vec<Charge> = std::iter::from_fn(|| budget.try_charge()).collect();
        let mut first = pin!(budget.clone().charge());
        let mut second = pin!(budget.clone().charge());
        let charge = poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            assert!(second.as_mut().poll(cx).is_pending());
            held.pop();
            assert!(budget.try_charge().is_none(), "it is promised to the first");
            assert!(second.as_mut().poll(cx).is_pending());
            first.as_mut().poll(cx)
        });
        let charge = charge.await;
        assert!(charge.is_some());
        drop(charge);
        assert!(poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx))).await.is_ready());
    }
}
