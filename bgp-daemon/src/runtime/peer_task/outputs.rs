//! What a peer asks for: connections, messages to the core, events for those who watch.

use std::sync::Arc;
use std::time::SystemTime;

use bgp_core::link_local;
use bgp_router::{PeerEvent, PeerOutput, ToCore};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{LINGER, PeerTask};
use crate::monitor::{self, Item, Session, Topic};
use crate::net::connect;
use crate::runtime::core_thread::CoreRequest;

impl PeerTask {
    pub(super) fn poll_peer(&mut self) {
        while let Some(output) = self.peer.poll_session() {
            self.output(output);
        }
    }

    pub(super) fn output(&mut self, output: PeerOutput) {
        match output {
            PeerOutput::Connect => {
                let options = self.connect.clone();
                self.connecting = Some(Box::pin(async move { connect(&options).await }));
            }
            PeerOutput::Close(id) => {
                if !self.closing.iter().any(|(closing, _)| *closing == id) {
                    self.closing.push((id, tokio::time::Instant::now() + LINGER));
                }
            }
            PeerOutput::Core(message) => {
                let has_routes = matches!(message, ToCore::Routes(..));
                let charge = if has_routes { self.charge.take() } else { None };
                self.send_to_core(CoreRequest::Peer(message, charge));
            }
            PeerOutput::Event(event) => {
                self.publish(&event);
                let is_up = matches!(event, PeerEvent::Established(_));
                if let PeerEvent::Down(_) = event {
                    self.path.session_ended();
                }
                self.history.record(event);
                if is_up {
                    self.clusters.note();
                }
                if let (true, Some(connection)) = (is_up, self.connection()) {
                    let local = connection.local.ip().to_canonical();
                    self.path.established(local);
                }
            }
            PeerOutput::Received { peer, body, treatment } => {
                let at = SystemTime::now();
                self.feed.publish(Topic::RECEIVED, Item::Received { peer, body, treatment, at });
            }
        }
    }

    /// Tells listeners what they want to know of an event.
    fn publish(&mut self, event: &PeerEvent) {
        let wanted = self.feed.wants(Topic::SESSIONS);
        let item = match event {
            PeerEvent::Established(negotiated) => {
                let connection = self.connections.iter().find(|c| c.id == negotiated.connection);
                let Some(ends) = connection.map(|c| [c.local, c.remote]) else { return };
                let open = self.peer.session().our_open();
                let session = Arc::new(Session::new(self.peer.id(), ends, &open, negotiated));
                self.session = Some(Arc::clone(&session));
                Item::Up(session)
            }
            PeerEvent::Down(reason) => match self.session.take() {
                Some(session) if wanted => Item::Down(session.id, monitor::down(reason)),
                _ => return,
            },
            PeerEvent::State { from, to } if wanted => Item::State {
                peer: link_local::bare(self.peer.settings().address),
                peer_as: self.peer.settings().peer_as.unwrap_or_default(),
                local: self.connection().map(|connection| connection.local.ip().to_canonical()),
                from: *from,
                to: *to,
                at: SystemTime::now(),
            },
            _ => return,
        };
        if wanted {
            self.feed.publish(Topic::SESSIONS, item);
        }
    }

    fn send_to_core(&mut self, request: CoreRequest) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(request);
            return;
        }
        match self.core.try_send(request) {
            Ok(()) => {}
            Err(TrySendError::Full(request)) => self.backlog.push_back(request),
            Err(TrySendError::Closed(_)) => self.abandon(),
        }
    }

    pub(super) fn send_backlog(&mut self, permit: Option<mpsc::OwnedPermit<CoreRequest>>) {
        self.reserving = None;
        let Some(permit) = permit else {
            self.backlog.clear();
            return self.abandon();
        };
        if let Some(request) = self.backlog.pop_front() {
            permit.send(request);
        }
    }
}
