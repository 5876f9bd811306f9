//! The peer's connections: how they come, what is read and written, how they go.

use std::net::SocketAddr;

use bgp_core::fsm::{ConnectionId, Direction};
use bgp_router::LocalAddresses;
use tokio::net::TcpStream;

use super::PeerTask;
use crate::monitor::Topic;
use crate::net::{ConnectError, HostAddresses, address_of};
use crate::runtime::budget::Charge;
use crate::runtime::connection::Connection;

impl PeerTask {
    /// The connection to show: the established one, or the latest that is not about to be closed.
    pub(super) fn connection(&self) -> Option<&Connection> {
        let established = self.peer.session().negotiated().map(|negotiated| negotiated.connection);
        let stays = |c: &&Connection| !self.closing.iter().any(|(closing, _)| *closing == c.id);
        match established {
            Some(id) => self.connections.iter().find(|c| c.id == id),
            None => self.connections.iter().rfind(stays),
        }
    }

    pub(super) fn connected(&mut self, result: Result<TcpStream, ConnectError>) {
        let remote = self.connect.remote;
        let opened = result.map_err(|error| error.to_string()).and_then(|stream| {
            let local = stream
                .local_addr()
                .map_err(|error| format!("the connection to {remote} is gone: {error}"))?;
            Ok((local, stream))
        });
        match opened {
            Ok((local, stream)) => self.adopt(stream, local, remote, Direction::Outgoing),
            Err(error) => {
                self.history.connect_failed(error);
                self.peer.connect_failed(self.clock.now());
            }
        }
    }

    pub(super) fn adopt(
        &mut self,
        stream: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        direction: Direction,
    ) {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        // Seldom is there a second one.
        self.connections.reserve_exact(1);
        self.connections.push(Connection::new(id, local, remote, stream));
        let session = address_of(local);
        // Without the list of our addresses the other family just has no next hop of ours.
        let other = HostAddresses::read().ok().and_then(|host| host.other_family(session));
        let local = LocalAddresses::new(session, other);
        self.peer.connected(self.clock.now(), id, direction, local);
    }

    /// Reads once. What came takes `charge` along to the core, if it is routes.
    pub(super) fn read(&mut self, id: ConnectionId, charge: Option<Charge>) {
        let Some(connection) = self.connections.iter_mut().find(|c| c.id == id) else { return };
        self.peer.mirror(self.feed.wants(Topic::RECEIVED));
        match connection.read(self.clock.now(), &mut self.peer) {
            Ok(octets) => {
                self.octets.read += octets as u64;
                self.charge = charge;
                self.charge.iter_mut().for_each(|charge| charge.reduce_to(octets));
                self.poll_peer();
                self.charge = None;
            }
            Err(_) => self.drop_connection(id),
        }
    }

    pub(super) fn write(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.iter_mut().find(|c| c.id == id) else { return };
        match connection.write(self.clock, &mut self.peer) {
            Ok(octets) => self.octets.written += octets as u64,
            Err(_) => {
                // The peer's last word, a NOTIFICATION perhaps, may still be there to read. It waits for nothing.
                self.read(id, None);
                self.drop_connection(id);
            }
        }
    }

    /// Whether something is left to read after having tried: the hold timer is judged only if not.
    pub(super) fn has_unread(&mut self) -> bool {
        let may_read = self.backlog.is_empty() && !self.peer.is_judging();
        for id in self.connection_ids().into_iter().filter(|_| may_read) {
            if let Some(charge) = self.budget.try_charge() {
                self.read(id, Some(charge));
            }
        }
        self.connections.iter().any(Connection::has_unread)
    }

    pub(super) fn connection_ids(&self) -> Vec<ConnectionId> {
        self.connections.iter().map(|c| c.id).collect()
    }

    pub(super) fn drop_connection(&mut self, id: ConnectionId) {
        self.connections.retain(|c| c.id != id);
        self.closing.retain(|(closing, _)| *closing != id);
        self.peer.disconnected(self.clock.now(), id);
    }
}
