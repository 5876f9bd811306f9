//! Who wants to know what, and where it waits for them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::item::Item;

/// What can be wanted, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topic(u8);

impl Topic {
    /// Sessions that come and go.
    pub(crate) const SESSIONS: Topic = Topic(1);
    /// UPDATEs as they came.
    pub(crate) const RECEIVED: Topic = Topic(2);
    /// Routes that import took.
    pub(crate) const TAKEN: Topic = Topic(4);
    /// Routes that were chosen.
    pub(crate) const CHOSEN: Topic = Topic(8);
    /// UPDATEs that go out.
    pub(crate) const SENT: Topic = Topic(16);

    pub(crate) fn with(self, other: Topic) -> Topic {
        Topic(self.0 | other.0)
    }

    pub(crate) fn contains(self, other: Topic) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Where the daemon publishes; one load of an atomic while nobody listens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The topics of all queues together.
    wanted: AtomicU8,
    queues: Mutex<Vec<Arc<Queue>>>,
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Vec<Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, queues: &[Arc<Queue>]) {
        let wanted = queues.iter().fold(Topic::default(), |sum, queue| sum.with(queue.topics));
        self.wanted.store(wanted.0, Ordering::Release);
    }
}

impl Feed {
    /// Whether anybody listens to this.
    #[inline]
    pub(crate) fn wants(&self, topic: Topic) -> bool {
        self.shared.wanted.load(Ordering::Relaxed) & topic.0 != 0
    }

    /// Tells all who listen to this.
    pub(crate) fn publish(&self, topic: Topic, item: Item) {
        let queues = self.shared.queues();
        let mut listeners = queues.iter().filter(|queue| queue.topics.contains(topic));
        if let Some(first) = listeners.next() {
            listeners.for_each(|queue| queue.push(item.clone()));
            first.push(item);
        }
    }

    /// Listens from now on; what waits has up to `room` octets.
    pub(crate) fn tap(&self, topics: Topic, room: usize) -> Tap {
        let queue = Arc::new(Queue { topics, room, state: Mutex::default(), changed: Notify::new() });
        let mut queues = self.shared.queues();
        queues.push(Arc::clone(&queue));
        self.shared.count(&queues);
        Tap { feed: self.clone(), queue }
    }
}

/// What waits for one listener.
#[derive(Debug)]
pub(crate) struct Queue {
    topics: Topic,
    room: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    octets: usize,
    /// Items that found no room, and those that were thrown away with them.
    lost: u64,
}

/// More came than there was room for; all that waited is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow {
    /// Items lost.
    pub(crate) items: u64,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one behind the others. Once there was no room, all is dropped until the listener has been told.
    pub(crate) fn push(&self, item: Item) {
        let mut state = self.state();
        let octets = item.octets();
        if state.lost > 0 || state.octets + octets > self.room {
            state.lost += 1 + state.items.len() as u64;
            (state.items, state.octets) = (VecDeque::new(), 0);
        } else {
            state.octets += octets;
            state.items.push_back(item);
        }
        drop(state);
        self.changed.notify_one();
    }

    fn take(&self) -> Result<VecDeque<Item>, Overflow> {
        let mut state = self.state();
        state.octets = 0;
        match std::mem::take(&mut state.lost) {
            0 => Ok(std::mem::take(&mut state.items)),
            items => Err(Overflow { items }),
        }
    }
}

/// A listener's end of its queue. Dropped, nothing is kept for it any more.
#[derive(Debug)]
pub(crate) struct Tap {
    feed: Feed,
    queue: Arc<Queue>,
}

impl Tap {
    /// The queue, for whoever tells this listener alone.
    pub(crate) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// All that waits, perhaps nothing.
    ///
    /// # Errors
    /// There was more than there is room for since the last call.
    pub(crate) fn take(&self) -> Result<VecDeque<Item>, Overflow> {
        self.queue.take()
    }

    /// Waits until there is something, and takes all of it. Nothing is lost if the wait is given up.
    ///
    /// # Errors
    /// As [`Tap::take`].
    pub(crate) async fn next(&self) -> Result<VecDeque<Item>, Overflow> {
        loop {
            let items = self.take()?;
            if !items.is_empty() {
                return Ok(items);
            }
            self.queue.changed.notified().await;
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut queues = self.feed.shared.queues();
        queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.feed.shared.count(&queues);
    }
}

#[cfg(test)]
mod tests {
    use bgp_rib::PeerId;
    use bytes::Bytes;

    use super::*;

    fn sent(len: usize) -> Item {
        Item::Sent { peer: PeerId::LOCAL, octets: Bytes::from(vec![0; len]) }
    }

    #[test]
    fn a_topic_is_wanted_as_long_as_somebody_listens_to_it() {
        let feed = Feed::default();
        assert!(!feed.wants(Topic::SENT));
        let a = feed.tap(Topic::SENT.with(Topic::SESSIONS), 1000);
        let b = feed.tap(Topic::SENT, 1000);
        assert!(feed.wants(Topic::SENT) && feed.wants(Topic::SESSIONS) && !feed.wants(Topic::CHOSEN));
        feed.publish(Topic::SENT, sent(1));
        feed.publish(Topic::CHOSEN, sent(1));
        assert_eq!([&a, &b].map(|tap| tap.take().map(|items| items.len())), [Ok(1), Ok(1)]);
        drop(a);
        assert!(feed.wants(Topic::SENT) && !feed.wants(Topic::SESSIONS));
        drop(b);
        assert!(!feed.wants(Topic::SENT));
    }

    #[test]
    fn a_full_queue_keeps_nothing_and_tells_how_much_is_lost() {
        let feed = Feed::default();
        let tap = feed.tap(Topic::SENT, 2 * sent(100).octets());
        (0..5).for_each(|_| feed.publish(Topic::SENT, sent(100)));
        assert_eq!(tap.take().map(|items| items.len()), Err(Overflow { items: 5 }));
        feed.publish(Topic::SENT, sent(100));
        assert_eq!(tap.take().map(|items| items.len()), Ok(1));
    }
}
