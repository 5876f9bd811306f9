//! What the supervisor tells a peer.

use std::net::SocketAddr;
use std::sync::Arc;

use bgp_core::fsm::Direction;
use bgp_core::wire::Notification;
use bgp_core::{PathId, Prefix};
use bgp_router::{Peer, PeerSettings};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::PeerTask;
use crate::monitor::{self, Item, Queue};
use crate::net::{Authentication, ConnectOptions, shown};
use crate::runtime::clock::Clock;
use crate::runtime::path::PathSettings;
use crate::runtime::status::PeerStatus;

/// Something to do with a peer. It holds up the peer's own work, so it is short.
pub(crate) type Act = Box<dyn FnOnce(&mut Peer, Clock) + Send>;

/// Where a peer is told. Boxed, since a channel has room for 32 from the start, and few are ever sent.
pub(crate) type Commands = mpsc::Sender<Box<PeerCommand>>;

/// What the supervisor tells a peer.
pub(crate) enum PeerCommand {
    /// A connection came in from the peer.
    Incoming(TcpStream, SocketAddr, SocketAddr),
    /// Bring the session up.
    Start,
    /// End the session and stay down.
    Stop(Notification),
    /// End the session; it comes back.
    Reset(Notification),
    /// Look at the peer or change it.
    With(Act),
    /// Answer with how it is.
    Status(oneshot::Sender<PeerStatus>),
    /// Tell a listener that has just come of the session and its routes.
    Tell(Box<TellReceived>),
    /// Treat the peer like this from now on. What the session agreed on stays until it ends.
    Reconfigure(Box<Reconfigure>),
    /// End the session and the task.
    Remove(Farewell),
}

/// What a listener asks of a peer.
#[derive(Debug)]
pub(crate) struct TellReceived {
    /// Where it waits.
    pub(crate) queue: Arc<Queue>,
    /// The routes as they came too.
    pub(crate) routes: bool,
    /// The routes behind this one; `None`: the session, and the routes from the first one on.
    pub(crate) after: Option<(Prefix, PathId)>,
    /// Answered with where to go on; `None`: that was all.
    pub(crate) reply: oneshot::Sender<Option<(Prefix, PathId)>>,
}

/// What a peer is told at the end.
#[derive(Clone, Debug)]
pub(crate) enum Farewell {
    /// That it is over.
    Cease(Notification),
    /// Nothing if it knows graceful restart, so that it keeps our routes until the next run of this daemon; else this.
    Restart(Notification),
}

/// The settings of a peer that change without ending its session.
#[derive(Debug)]
pub(crate) struct Reconfigure {
    pub(crate) settings: PeerSettings,
    pub(crate) connect: ConnectOptions,
    pub(crate) name: Option<String>,
    pub(crate) path: Option<PathSettings>,
}

impl PeerTask {
    pub(super) fn command(&mut self, command: PeerCommand) {
        let now = self.clock.now();
        match command {
            PeerCommand::Incoming(stream, local, remote) => {
                self.used = true;
                self.adopt(stream, local, remote, Direction::Incoming);
            }
            PeerCommand::Start => {
                self.path.set_enabled(true);
                self.peer.start(now);
            }
            PeerCommand::Stop(cease) => {
                self.path.set_enabled(false);
                self.peer.stop(now, cease);
            }
            PeerCommand::Reset(cease) => self.peer.reset(now, cease),
            PeerCommand::Status(answer) => {
                let status = PeerStatus::of(&self.peer, &self.history, self.connection(), self.octets, now);
                let _ = answer.send(status);
            }
            PeerCommand::Tell(ask) => self.tell(*ask),
            PeerCommand::With(act) => act(&mut self.peer, self.clock),
            PeerCommand::Reconfigure(change) => self.reconfigure(*change),
            PeerCommand::Remove(farewell) => {
                // Who waits for us hears of the end of BFD when the connection is closed, with the task's end: FRR takes
                // AdminDown on a session for a failure, and its routes go.
                if let Farewell::Cease(_) = farewell {
                    self.path.set_enabled(false);
                }
                self.leave(farewell);
            }
        }
    }

    fn leave(&mut self, farewell: Farewell) {
        let now = self.clock.now();
        let waits = self.peer.session().negotiated().is_some_and(|session| session.restart.is_some());
        match farewell {
            Farewell::Restart(_) if waits => self.peer.stop_for_restart(now),
            Farewell::Restart(cease) | Farewell::Cease(cease) => self.peer.stop(now, cease),
        }
        self.connecting = None;
        self.removed = true;
    }

    fn reconfigure(&mut self, change: Reconfigure) {
        let Reconfigure { settings, connect, name, path } = change;
        self.path.configure(path);
        let was = std::mem::replace(&mut self.connect, connect);
        if was.authentication != self.connect.authentication {
            self.change_key();
        }
        self.history.rename(name);
        let applied = self.peer.reconfigure(self.clock.now(), settings);
        debug!(peer = shown(self.peer.settings().address), ?applied, "other settings");
    }

    /// Signs with another key from now on, and takes only what is signed with it. The session goes on if the peer does
    /// the same before the hold time is over: until then TCP repeats what was not taken. (Keys of TCP-AO change with the
    /// session.)
    fn change_key(&mut self) {
        let Some(Authentication::Md5(key)) = &self.connect.authentication else { return };
        for connection in &self.connections {
            if let Err(error) = connection.set_key(key) {
                warn!(peer = shown(self.peer.settings().address), "the session keeps its key: {error}");
            }
        }
    }

    fn tell(&mut self, ask: TellReceived) {
        let TellReceived { queue, routes, after, reply } = ask;
        let next = self.session.as_ref().and_then(|session| {
            if after.is_none() {
                queue.push(Item::Up(Arc::clone(session)));
            }
            if routes { monitor::received(&self.peer, session.id, after, &queue) } else { None }
        });
        // Who does not wait for the answer has gone.
        let _ = reply.send(next);
    }
}
