//! Events from the daemon to whoever watches. Publishing never waits: a slow watcher loses events and is told so.

use std::sync::{Arc, OnceLock};

use futures::future::{self, Either};
use tokio::sync::broadcast::{self, error::RecvError};

use super::schema::{Event, EventKind, Topic};

/// How many events a watcher may be behind: of sessions, and of routes.
const SESSION_EVENTS: usize = 1024;
const ROUTE_EVENTS: usize = 8192;

/// Where the daemon publishes. Routes have a buffer of their own, so that a flood of them hides no session event.
#[derive(Clone, Debug)]
pub struct EventBus {
    sessions: broadcast::Sender<Arc<Event>>,
    /// Made for the first who watches: the buffer is large.
    routes: Arc<OnceLock<broadcast::Sender<Arc<Event>>>>,
}

impl Default for EventBus {
    fn default() -> EventBus {
        EventBus { sessions: broadcast::Sender::new(SESSION_EVENTS), routes: Arc::default() }
    }
}

impl EventBus {
    /// Whether anyone watches routes; if not, the daemon need not build their events.
    #[must_use]
    pub fn wants_routes(&self) -> bool {
        self.routes.get().is_some_and(|routes| routes.receiver_count() > 0)
    }

    fn routes(&self) -> &broadcast::Sender<Arc<Event>> {
        self.routes.get_or_init(|| broadcast::Sender::new(ROUTE_EVENTS))
    }

    /// Tells all watchers.
    pub fn publish(&self, event: Event) {
        let of_route = matches!(event.kind, EventKind::Route { .. } | EventKind::Withdraw { .. });
        if let Some(channel) = if of_route { self.routes.get() } else { Some(&self.sessions) } {
            // An error means that nobody watches.
            let _ = channel.send(Arc::new(event));
        }
    }

    /// Watches from now on.
    #[must_use]
    pub fn watch(&self, topic: Topic) -> Watcher {
        let sessions = (topic != Topic::Routes).then(|| self.sessions.subscribe());
        let routes = (topic != Topic::Peers).then(|| self.routes().subscribe());
        Watcher { sessions, routes }
    }
}

/// One watcher's place in the stream of events.
#[derive(Debug)]
pub struct Watcher {
    sessions: Option<broadcast::Receiver<Arc<Event>>>,
    routes: Option<broadcast::Receiver<Arc<Event>>>,
}

impl Watcher {
    /// The next event; a [`EventKind::Lagged`] where some were lost; `None` when the daemon has ended.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        let sessions = std::pin::pin!(receive(&mut self.sessions));
        let routes = std::pin::pin!(receive(&mut self.routes));
        let received = match future::select(sessions, routes).await {
            Either::Left((received, _)) | Either::Right((received, _)) => received,
        };
        match received {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Arc::new(Event::now(EventKind::Lagged { missed }))),
            Err(RecvError::Closed) => None,
        }
    }
}

async fn receive(from: &mut Option<broadcast::Receiver<Arc<Event>>>) -> Result<Arc<Event>, RecvError> {
    match from {
        Some(receiver) => receiver.recv().await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(number: usize) -> Event {
        Event::now(EventKind::Alarm { message: number.to_string() })
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_how_much_it_missed() {
        let bus = EventBus::default();
        let mut watcher = bus.watch(Topic::All);
        for number in 0..SESSION_EVENTS + 3 {
            bus.publish(alarm(number));
        }
        assert_eq!(watcher.next().await.unwrap().kind, EventKind::Lagged { missed: 3 });
        assert_eq!(watcher.next().await.unwrap().kind, alarm(3).kind);
    }

    #[tokio::test]
    async fn route_events_are_wanted_only_while_somebody_watches_routes() {
        let bus = EventBus::default();
        let peers = bus.watch(Topic::Peers);
        assert!(!bus.wants_routes());
        let routes = bus.watch(Topic::Routes);
        assert!(bus.wants_routes());
        drop((peers, routes));
        assert!(!bus.wants_routes());
    }
}
