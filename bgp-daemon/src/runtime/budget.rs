//! How much input may be on its way from the sockets to the RIB.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets taken from a socket at a time: enough to amortise the call, small enough that the RIB's work on the routes in
/// them, some 4,000 of one peer, does not hold up the others.
pub(super) const READ: usize = 16 * 1024;

/// Octets of input, of all peers, whose routes may wait for the core. A route takes a few octets on the wire and 20 (IPv4)
/// or 40 (IPv6) in a batch: of a full table 2 to 3 MB, of the shortest prefixes that there are 20 MB.
const IN_FLIGHT: usize = 32 * READ;

/// Octets of input of one peer whose routes may wait for the core: while it works on one read, the next is decoded. More
/// would bring nothing, and all others would queue behind it.
const OF_ONE_PEER: usize = 2 * READ;

/// Permission to read so many octets. It goes along with the routes that were in them, and ends with these.
#[derive(Debug)]
pub(crate) struct Charge {
    own: OwnedSemaphorePermit,
    shared: OwnedSemaphorePermit,
}

impl Charge {
    /// Gives back what was not read.
    pub(super) fn reduce_to(&mut self, octets: usize) {
        for permit in [&mut self.own, &mut self.shared] {
            drop(permit.split(permit.num_permits().saturating_sub(octets)));
        }
    }
}

/// What one peer, and all of them together, may read before the core has caught up. Who waits is served in turn: a peer
/// that floods has one read, then every other that waits has one.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    shared: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { shared: Arc::new(Semaphore::new(IN_FLIGHT)), own: Arc::new(Semaphore::new(OF_ONE_PEER)) }
    }

    /// The budget of another peer, with the same share in what all may have.
    pub(super) fn of_another(&self) -> Budget {
        Budget { shared: Arc::clone(&self.shared), own: Arc::new(Semaphore::new(OF_ONE_PEER)) }
    }

    /// Permission for one read, if nobody has to wait.
    pub(super) fn try_charge(&self) -> Option<Charge> {
        let own = Arc::clone(&self.own).try_acquire_many_owned(READ as u32).ok()?;
        let shared = Arc::clone(&self.shared).try_acquire_many_owned(READ as u32).ok()?;
        Some(Charge { own, shared })
    }

    /// Permission for one read, when it is this peer's turn. `None` cannot be: the budget is never closed.
    pub(super) async fn charge(self) -> Option<Charge> {
        let own = self.own.acquire_many_owned(READ as u32).await.ok()?;
        let shared = self.shared.acquire_many_owned(READ as u32).await.ok()?;
        Some(Charge { own, shared })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    /// What peers hold that took all there is.
    fn all_taken(budget: &Budget) -> Vec<Charge> {
        let peers = std::iter::repeat_with(|| budget.of_another());
        let most = IN_FLIGHT.div_ceil(OF_ONE_PEER);
        let held: Vec<Charge> =
            peers.take(most).flat_map(|peer| std::iter::from_fn(move || peer.try_charge())).collect();
        assert_eq!(held.len(), IN_FLIGHT / READ);
        held
    }

    #[tokio::test]
    async fn a_read_is_charged_for_what_it_brought() {
        let budget = Budget::new();
        let mut held = all_taken(&budget);
        held[0].reduce_to(19);
        assert!(budget.try_charge().is_none());
        held[1].reduce_to(READ - 19);
        assert!(budget.try_charge().is_some());
    }

    #[tokio::test]
    async fn one_peer_has_two_full_reads_in_flight_and_leaves_the_rest_to_others() {
        let flooding = Budget::new();
        let good = flooding.of_another();
        let mut held: Vec<Charge> = std::iter::from_fn(|| flooding.try_charge()).collect();
        assert_eq!(held.len(), 2);
        let mut next = pin!(flooding.clone().charge());
        poll_fn(|cx| {
            assert!(next.as_mut().poll(cx).is_pending());
            assert!(good.try_charge().is_some());
            held.pop();
            next.as_mut().poll(cx)
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn who_waits_is_served_in_turn_and_nobody_comes_in_between() {
        let budget = Budget::new();
        let mut held = all_taken(&budget);
        let mut first = pin!(budget.of_another().charge());
        let mut second = pin!(budget.of_another().charge());
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
