//! One peer as a task: its sockets, its timer, its messages to and from the core.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bgp_core::fsm::{ConnectionId, Direction, State};
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{PathId, Prefix};
use bgp_router::{LocalAddresses, Peer, PeerEvent, PeerOutput, PeerSettings, ToCore, ToPeer};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep_until};
use tracing::{debug, warn};

use super::budget::{Budget, Charge};
use super::clock::Clock;
use super::connection::{Connection, Ready};
use super::core_thread::CoreRequest;
use super::history::History;
use super::path::{PathSettings, PathWatch};
use super::status::{Octets, PeerStatus};
use crate::monitor::{self, Feed, Item, Queue, Session, Topic};
use crate::net::{Authentication, ConnectError, ConnectOptions, HostAddresses, address_of, connect};

/// How long a NOTIFICATION may take to leave, and the peer to close its end, before the connection is closed all the
/// same.
const LINGER: Duration = Duration::from_secs(2);

/// Connections that may be on their way out at a time; of more the oldest is cut off.
const CLOSING: usize = 4;

/// Something to do with a peer. It holds up the peer's own work, so it is short.
pub(crate) type Act = Box<dyn FnOnce(&mut Peer, Clock) + Send>;

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
    clock: Clock,
    commands: mpsc::Receiver<PeerCommand>,
    inbox: mpsc::Receiver<ToPeer>,
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
    octets: Octets,
    removed: bool,
    /// The supervisor or the core is gone, so nobody is listened to any more.
    abandoned: bool,
    /// A session has been up or tried: a dynamic peer without one has served its purpose.
    used: bool,
}

enum Wake {
    Command(Option<PeerCommand>),
    Inbox(Option<ToPeer>),
    Connected(Result<TcpStream, ConnectError>),
    Core(Option<mpsc::OwnedPermit<CoreRequest>>),
    Charged(RoutesFrom, Option<Charge>),
    Socket(ConnectionId, Ready),
    /// BFD: the path is dead.
    PathDown,
    Timer,
}

impl PeerTask {
    pub(crate) fn new(
        config: PeerTaskConfig,
        commands: mpsc::Receiver<PeerCommand>,
        inbox: mpsc::Receiver<ToPeer>,
        core: mpsc::Sender<CoreRequest>,
        budget: Budget,
    ) -> PeerTask {
        let PeerTaskConfig { peer, connect, dynamic, history, feed, path, clock } = config;
        PeerTask {
            peer,
            connect,
            dynamic,
            history,
            feed,
            session: None,
            path,
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
            octets: Octets::default(),
            removed: false,
            abandoned: false,
            used: false,
        }
    }

    /// Runs the peer until it is removed; returns the generation of its latest session.
    pub(crate) async fn run(mut self) -> u32 {
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
            _ = self.path.failed() => Wake::PathDown,
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
        let session = self.peer.next_timeout().map(|t| self.clock.deadline(t));
        let closing = self.closing.iter().map(|(_, at)| *at);
        let far = || tokio::time::Instant::now() + Duration::from_secs(3600);
        let next = session.into_iter().chain(closing).min().unwrap_or_else(far);
        if self.timer.is_elapsed() || next < self.timer.deadline() {
            self.timer.as_mut().reset(next);
        }
    }

    fn act(&mut self, wake: Wake) {
        let now = self.clock.now();
        match wake {
            Wake::Command(Some(command)) => self.command(command),
            // The supervisor or the core is gone, and with it the daemon.
            Wake::Command(None) | Wake::Inbox(None) => self.abandon(),
            Wake::Inbox(Some(message)) => {
                self.peer.deliver(now, message);
                // Take what else is there, then write once.
                while let Ok(message) = self.inbox.try_recv() {
                    self.peer.deliver(now, message);
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
            // Ends what there is of a session. Whoever waits for the peer's restart goes on: BFD may have died with the
            // process that restarts (RFC 5882 section 4.3.2).
            Wake::PathDown => self.peer.reset(now, Notification::cease(cease::BFD_DOWN, "")),
            Wake::Timer => self.timeout(),
        }
    }

    fn command(&mut self, command: PeerCommand) {
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
                let status = PeerStatus::of(&self.peer, &self.history, self.connection(), self.octets);
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

    /// The connection to show: the established one, or the latest that is not about to be closed.
    fn connection(&self) -> Option<&Connection> {
        let established = self.peer.session().negotiated().map(|negotiated| negotiated.connection);
        let stays = |c: &&Connection| !self.closing.iter().any(|(closing, _)| *closing == c.id);
        match established {
            Some(id) => self.connections.iter().find(|c| c.id == id),
            None => self.connections.iter().rfind(stays),
        }
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

    fn reconfigure(&mut self, change: Reconfigure) {
        let Reconfigure { settings, connect, name, path } = change;
        self.path.configure(path);
        let was = std::mem::replace(&mut self.connect, connect);
        if was.authentication != self.connect.authentication {
            self.change_key();
        }
        self.history.rename(name);
        let applied = self.peer.reconfigure(self.clock.now(), settings);
        debug!(peer = %self.peer.settings().address, ?applied, "other settings");
    }

    /// Signs with another key from now on, and takes only what is signed with it. The session goes on if the peer does
    /// the same before the hold time is over: until then TCP repeats what was not taken. (Keys of TCP-AO change with the
    /// session.)
    fn change_key(&mut self) {
        let Some(Authentication::Md5(key)) = &self.connect.authentication else { return };
        for connection in &self.connections {
            if let Err(error) = connection.set_key(key) {
                warn!(peer = %self.peer.settings().address, "the session keeps its key: {error}");
            }
        }
    }

    fn connected(&mut self, result: Result<TcpStream, ConnectError>) {
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

    fn adopt(&mut self, stream: TcpStream, local: SocketAddr, remote: SocketAddr, direction: Direction) {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.connections.push(Connection::new(id, local, remote, stream));
        let session = address_of(local);
        // Without the list of our addresses the other family just has no next hop of ours.
        let other = HostAddresses::read().ok().and_then(|host| host.other_family(session));
        let local = LocalAddresses::new(session, other);
        self.peer.connected(self.clock.now(), id, direction, local);
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

    /// Reads once. What came takes `charge` along to the core, if it is routes.
    fn read(&mut self, id: ConnectionId, charge: Option<Charge>) {
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

    fn write(&mut self, id: ConnectionId) {
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
    fn has_unread(&mut self) -> bool {
        let may_read = self.backlog.is_empty() && !self.peer.is_judging();
        for id in self.connection_ids().into_iter().filter(|_| may_read) {
            if let Some(charge) = self.budget.try_charge() {
                self.read(id, Some(charge));
            }
        }
        self.connections.iter().any(Connection::has_unread)
    }

    fn connection_ids(&self) -> Vec<ConnectionId> {
        self.connections.iter().map(|c| c.id).collect()
    }

    fn drop_connection(&mut self, id: ConnectionId) {
        self.connections.retain(|c| c.id != id);
        self.closing.retain(|(closing, _)| *closing != id);
        self.peer.disconnected(self.clock.now(), id);
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
    }

    fn poll_peer(&mut self) {
        while let Some(output) = self.peer.poll_session() {
            self.output(output);
        }
    }

    fn output(&mut self, output: PeerOutput) {
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
                self.history.record(event);
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
                peer: self.peer.settings().address,
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

    fn send_backlog(&mut self, permit: Option<mpsc::OwnedPermit<CoreRequest>>) {
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

/// The future's output once there is a future; it is kept over calls that are given up.
async fn when<T>(slot: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    let output = match slot {
        Some(future) => future.await,
        None => std::future::pending().await,
    };
    *slot = None;
    output
}
