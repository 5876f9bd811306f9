//! One peer as a task: its sockets, its timer, its messages to and from the core.

mod commands;
mod outputs;
mod sockets;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bfd::driver::LastFailure;
use bgp_core::fsm::{ConnectionId, State};
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_router::{Peer, ToPeer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep_until};
use tracing::info;

use super::budget::{Budget, Charge};
use super::clock::Clock;
use super::clusters::Changed;
use super::connection::{Connection, Ready};
use super::core_thread::CoreRequest;
use super::history::History;
use super::path::{Failure, PathWatch};
use super::status::Octets;
use crate::monitor::{Feed, Session};
use crate::net::{ConnectError, ConnectOptions, shown};

pub(crate) use commands::{Commands, Farewell, PeerCommand, Reconfigure, TellReceived};

/// How long a NOTIFICATION may take to leave, and the peer to close its end, before the connection is closed all the
/// same.
const LINGER: Duration = Duration::from_secs(2);

/// Connections that may be on their way out at a time; of more the oldest is cut off.
const CLOSING: usize = 4;

type Connecting = Pin<Box<dyn Future<Output = Result<TcpStream, ConnectError>> + Send>>;
type Reserving = Pin<Box<dyn Future<Output = Option<mpsc::OwnedPermit<CoreRequest>>> + Send>>;
type Charging = Pin<Box<dyn Future<Output = (RoutesFrom, Option<Charge>)> + Send>>;

/// Where routes for the core come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RoutesFrom {
    Socket(ConnectionId),
    /// Kept ones, judged again.
    Kept,
}

/// How a peer task is made.
pub(crate) struct PeerTaskConfig {
    pub(crate) peer: Peer,
    /// How to connect; the remote address and port, MD5 key and the like.
    pub(crate) connect: ConnectOptions,
    /// Ends with its session: the member of a range.
    pub(crate) dynamic: bool,
    /// Its state changes.
    pub(crate) history: History,
    /// Who else is told.
    pub(crate) feed: Feed,
    /// The path to it.
    pub(crate) path: PathWatch,
    /// Noted when it becomes a client, or what is refused from it as a loop changes.
    pub(crate) clusters: Changed,
    pub(crate) clock: Clock,
}

pub(crate) struct PeerTask {
    peer: Peer,
    connect: ConnectOptions,
    dynamic: bool,
    history: History,
    feed: Feed,
    /// The session as listeners know it.
    session: Option<Arc<Session>>,
    path: PathWatch,
    clusters: Changed,
    /// Originators whose routes were refused as loops.
    looped: usize,
    clock: Clock,
    commands: mpsc::Receiver<Box<PeerCommand>>,
    inbox: mpsc::Receiver<Box<ToPeer>>,
    core: mpsc::Sender<CoreRequest>,
    /// Messages that found the core's channel full; while there are any, no socket is read.
    backlog: VecDeque<CoreRequest>,
    reserving: Option<Reserving>,
    /// What all peers may have on the way to the core.
    budget: Budget,
    /// Our turn to read, while we wait for it.
    charging: Option<Charging>,
    /// For the routes that are about to go to the core.
    charge: Option<Charge>,
    connecting: Option<Connecting>,
    connections: Vec<Connection>,
    /// Connections to close once written, and when to stop waiting for that.
    closing: Vec<(ConnectionId, tokio::time::Instant)>,
    next_connection: u64,
    timer: Pin<Box<Sleep>>,
    /// The deadline that the timer is set for; it may ring a little later.
    armed: tokio::time::Instant,
    octets: Octets,
    removed: bool,
    /// The supervisor or the core is gone, so nobody is listened to any more.
    abandoned: bool,
    /// A session has been up or tried: a dynamic peer without one has served its purpose.
    used: bool,
}

enum Wake {
    Command(Option<Box<PeerCommand>>),
    Inbox(Option<Box<ToPeer>>),
    Connected(Result<TcpStream, ConnectError>),
    Core(Option<mpsc::OwnedPermit<CoreRequest>>),
    Charged(RoutesFrom, Option<Charge>),
    Socket(ConnectionId, Ready),
    /// BFD says so.
    PathDown(LastFailure),
    Timer,
}

impl PeerTask {
    pub(crate) fn new(
        config: PeerTaskConfig,
        commands: mpsc::Receiver<Box<PeerCommand>>,
        inbox: mpsc::Receiver<Box<ToPeer>>,
        core: mpsc::Sender<CoreRequest>,
        budget: Budget,
    ) -> PeerTask {
        let PeerTaskConfig { peer, connect, dynamic, history, feed, path, clusters, clock } = config;
        PeerTask {
            peer,
            connect,
            dynamic,
            history,
            feed,
            session: None,
            path,
            clusters,
            looped: 0,
            clock,
            commands,
            inbox,
            core,
            backlog: VecDeque::new(),
            reserving: None,
            budget,
            charging: None,
            charge: None,
            connecting: None,
            connections: Vec::new(),
            closing: Vec::new(),
            next_connection: 0,
            timer: Box::pin(sleep_until(tokio::time::Instant::now())),
            armed: tokio::time::Instant::now(),
            octets: Octets::default(),
            removed: false,
            abandoned: false,
            used: false,
        }
    }

    /// Runs the peer until it is removed; returns the generation of its latest session.
    // Boxed: a future has room for what it was given and for what it makes of that.
    pub(crate) async fn run(mut self: Box<Self>) -> u32 {
        loop {
            self.settle();
            if self.is_finished() {
                return self.peer.id().generation;
            }
            let wake = self.wait().await;
            self.act(wake);
        }
    }

    fn is_finished(&self) -> bool {
        let over = self.removed
            || (self.dynamic
                && self.used
                && matches!(self.peer.session().state(), State::Idle | State::Active)
                && !self.peer.may_have_left_routes()
                && !self.peer.is_paused());
        over && self.connections.is_empty() && self.backlog.is_empty()
    }

    async fn wait(&mut self) -> Wake {
        self.arm_timer();
        if !self.backlog.is_empty() && self.reserving.is_none() {
            let core = self.core.clone();
            self.reserving = Some(Box::pin(async move { core.reserve_owned().await.ok() }));
        }
        if self.is_kept_due() {
            self.wait_for_charge(RoutesFrom::Kept);
        }
        let (reading, charging) = (self.backlog.is_empty(), self.charging.is_some());
        let (connections, peer) = (&self.connections, &self.peer);
        let sockets = poll_fn(|cx| {
            for connection in connections {
                let write = peer.queue(connection.id).is_some_and(|q| !q.is_empty());
                let read = (reading || connection.is_finished()) && !charging;
                if let Poll::Ready(ready) = connection.poll_ready(cx, read, write) {
                    return Poll::Ready((connection.id, ready));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            biased;
            command = self.commands.recv(), if !self.abandoned => Wake::Command(command),
            failure = self.path.failed() => Wake::PathDown(failure),
            () = self.timer.as_mut() => Wake::Timer,
            result = when(&mut self.connecting) => Wake::Connected(result),
            permit = when(&mut self.reserving) => Wake::Core(permit),
            (from, charge) = when(&mut self.charging) => Wake::Charged(from, charge),
            message = self.inbox.recv(), if !self.abandoned => Wake::Inbox(message),
            (id, ready) = sockets => Wake::Socket(id, ready),
        }
    }

    /// Sets the timer to the next deadline. A deadline that moved later is met by an early, harmless wake-up:
    /// every message moves the hold timer, and re-arming each time would cost more.
    fn arm_timer(&mut self) {
        let session = self.peer.next_timeout();
        let closing = self.closing.iter().map(|(_, at)| *at).min();
        let far = || tokio::time::Instant::now() + Duration::from_secs(3600);
        let exact = session.map(|at| self.clock.deadline(at));
        let next = exact.into_iter().chain(closing).min().unwrap_or_else(far);
        if self.timer.is_elapsed() || next < self.armed {
            self.armed = next;
            let shared = session.map(|at| self.clock.shared_deadline(self.clock.now(), at));
            self.timer.as_mut().reset(shared.into_iter().chain(closing).min().unwrap_or(next));
        }
    }

    fn act(&mut self, wake: Wake) {
        let now = self.clock.now();
        match wake {
            Wake::Command(Some(command)) => self.command(*command),
            // The supervisor or the core is gone, and with it the daemon.
            Wake::Command(None) | Wake::Inbox(None) => self.abandon(),
            Wake::Inbox(Some(message)) => {
                self.peer.deliver(now, *message);
                // Take what else is there, then write once.
                while let Ok(message) = self.inbox.try_recv() {
                    self.peer.deliver(now, *message);
                }
            }
            Wake::Connected(result) => {
                self.connecting = None;
                self.connected(result);
            }
            Wake::Core(permit) => self.send_backlog(permit),
            Wake::Charged(from, charge) => self.charged(from, charge),
            Wake::Socket(id, Ready::Read) => match self.budget.try_charge() {
                Some(charge) => self.read(id, Some(charge)),
                None => self.wait_for_charge(RoutesFrom::Socket(id)),
            },
            Wake::Socket(id, Ready::Write) => self.write(id),
            Wake::PathDown(failure) => self.path_failed(failure),
            Wake::Timer => self.timeout(),
        }
    }

    /// RFC 5882 section 4.3. The C bit that counts is the peer's: ours is never set, but it cannot be our own restart that
    /// we see here.
    fn path_failed(&mut self, failure: LastFailure) {
        // BFD is looked at first: the end of the peer's process may be there to see in the connection, too.
        if self.connection().is_some_and(Connection::is_closed_by_peer) {
            self.path.session_ended();
        }
        let (now, peer) = (self.clock.now(), shown(self.peer.settings().address));
        match self.path.judge(failure) {
            // Its BFD has died with the process that restarts, which may be back already: no failure of the path is known.
            Failure { independent: false, belated: true } => {
                return info!(peer, "BFD ended with the session before: that says nothing of the path");
            }
            // A restart has no part in it: packets do not get through, so what is kept for the peer to come back goes.
            Failure { independent: true, .. } if self.peer.may_have_left_routes() => {
                info!(peer, "BFD: the path is dead; routes are not kept for the peer's restart any longer");
                self.peer.drop_kept();
            }
            Failure { .. } => {}
        }
        self.peer.reset(now, Notification::cease(cease::BFD_DOWN, ""));
    }

    /// Ends the session and the task, for want of anybody to serve.
    fn abandon(&mut self) {
        self.abandoned = true;
        if !self.removed {
            self.removed = true;
            self.connecting = None;
            let cease = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "");
            self.peer.stop(self.clock.now(), cease);
        }
    }

    /// Whether kept routes wait to be judged again, and nothing is in their way.
    fn is_kept_due(&self) -> bool {
        self.peer.is_judging() && self.backlog.is_empty() && self.charging.is_none()
    }

    fn wait_for_charge(&mut self, from: RoutesFrom) {
        let budget = self.budget.clone();
        self.charging = Some(Box::pin(async move { (from, budget.charge().await) }));
    }

    fn charged(&mut self, from: RoutesFrom, charge: Option<Charge>) {
        match from {
            RoutesFrom::Socket(id) => self.read(id, charge),
            RoutesFrom::Kept => {
                self.charge = charge;
                if let Some(output) = self.peer.poll() {
                    self.output(output);
                }
                self.charge = None;
            }
        }
    }

    fn timeout(&mut self) {
        let now = self.clock.now();
        let unread = self.peer.is_hold_due(now) && self.has_unread();
        if self.peer.next_timeout().is_some_and(|deadline| deadline <= now) {
            self.peer.handle_timeout(now, unread);
        }
        let late = tokio::time::Instant::now();
        let expired: Vec<ConnectionId> =
            self.closing.iter().filter(|(_, at)| *at <= late).map(|(id, _)| *id).collect();
        expired.into_iter().for_each(|id| self.drop_connection(id));
    }

    /// Does all that the peer asks for, writes what can be written, and says that it is all where a connection is to be
    /// closed.
    fn settle(&mut self) {
        self.poll_peer();
        self.connection_ids().into_iter().for_each(|id| self.write(id));
        let excess = self.closing.len().saturating_sub(CLOSING);
        let mut gone: Vec<ConnectionId> = self.closing.iter().take(excess).map(|(id, _)| *id).collect();
        for (id, _) in &self.closing {
            let written = self.peer.queue(*id).is_none_or(bgp_router::WriteQueue::is_empty);
            let connection = self.connections.iter_mut().find(|c| c.id == *id);
            if written && connection.is_none_or(|c| c.finish().is_err()) {
                gone.push(*id);
            }
        }
        gone.into_iter().for_each(|id| self.drop_connection(id));
        self.poll_peer();
        let looped = self.peer.looped_originators().len();
        if std::mem::replace(&mut self.looped, looped) != looped {
            self.clusters.note();
        }
    }
}

/// The future's output once there is a future; it is kept over calls that are given up.
async fn when<T>(slot: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    let output = match slot {
        Some(future) => future.await,
        None => std::future::pending().await,
    };
    *slot = None;
    output
}
