//! The core on a thread of its own: RIB work, however long, never delays a session's KEEPALIVE.

use std::collections::HashMap;
use std::net::IpAddr;
use std::thread::JoinHandle;

use bgp_rib::{AttributeStore, FibChange, NextHopState, RibConfig, Watch};
use bgp_router::{Core, CoreOutput, ToCore, ToPeer};
use prometheus::Histogram;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::budget::Charge;
use super::clock::Clock;
use super::give_back::GiveBack;
use super::rows;
use crate::api::EventBus;
use crate::api::schema::{Event, EventKind};
use crate::monitor::{self, Feed, Topic};

/// Messages that may wait for the core; a peer that finds it full stops reading its socket. What they hold of routes is
/// bounded by the [`Budget`](super::budget::Budget).
const INBOX: usize = 1024;

/// Messages taken at a time, before forwarding and watchers have their turn.
const BURST: usize = 64;

/// Routes in one batch for the FIB.
const FIB_BATCH: usize = 1024;

/// Changed routes that watchers are told before other work has its turn.
const WATCH_BATCH: usize = 256;

/// What the core is asked.
pub(crate) enum CoreRequest {
    /// A message from a peer, with what was charged for its routes.
    Peer(ToCore, Option<Charge>),
    /// Messages for this slot go there from now on.
    Attach(u32, mpsc::Sender<Box<ToPeer>>),
    /// The peer in this slot is gone.
    Detach(u32),
    /// Look at the RIB or change it.
    With(Act),
}

/// Something to do with the RIB.
pub(crate) type Act = Box<dyn FnOnce(&mut Core, Clock) + Send>;

impl std::fmt::Debug for CoreRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CoreRequest::Peer(message, _) => message.fmt(f),
            CoreRequest::Attach(slot, _) => write!(f, "Attach({slot})"),
            CoreRequest::Detach(slot) => write!(f, "Detach({slot})"),
            CoreRequest::With(_) => f.write_str("With"),
        }
    }
}

/// What the RIB wants to know of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopWatch {
    /// Report its state now and whenever it changes.
    Start(IpAddr),
    /// No route uses it any more.
    Stop(IpAddr),
}

impl From<Watch> for NextHopWatch {
    fn from(watch: Watch) -> NextHopWatch {
        match watch {
            Watch::Start(address) => NextHopWatch::Start(address),
            Watch::Stop(address) => NextHopWatch::Stop(address),
        }
    }
}

/// What whoever keeps the kernel's routes is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardingChange {
    /// Routes that changed.
    Routes(Vec<FibChange>),
    /// All routes of the peers that were waited for have been told: what is in the kernel beside them is stale.
    Converged,
}

/// The core's ends of the channels to whoever keeps the kernel's routes.
#[derive(Debug)]
pub struct ForwardingCore {
    /// What the FIB should hold. When it is full, changes coalesce in the RIB.
    pub routes: mpsc::Sender<ForwardingChange>,
    /// Next hops to watch.
    pub watches: mpsc::Sender<NextHopWatch>,
    /// Their states.
    pub next_hops: mpsc::Receiver<(IpAddr, NextHopState)>,
}

/// A running core.
#[derive(Debug)]
pub(crate) struct CoreThread {
    thread: JoinHandle<()>,
}

impl CoreThread {
    /// Starts the thread. It ends when every sender of the returned channel is gone.
    pub(crate) fn spawn(
        config: RibConfig,
        store: AttributeStore,
        clock: Clock,
        forwarding: Option<ForwardingCore>,
        (watchers, feed): (EventBus, Feed),
        propagation: Histogram,
        restarted: oneshot::Sender<()>,
    ) -> std::io::Result<(CoreThread, mpsc::Sender<CoreRequest>)> {
        let (requests, inbox) = mpsc::channel(INBOX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let run = Run {
            core: Core::new(config, store),
            clock,
            inbox,
            peers: HashMap::new(),
            forwarding,
            converged: false,
            watchers,
            feed,
            propagation,
            restarted: Some(restarted),
            give_back: GiveBack::default(),
        };
        let thread =
            std::thread::Builder::new().name("rib".into()).spawn(move || runtime.block_on(run.run()))?;
        Ok((CoreThread { thread }, requests))
    }

    /// Waits for the end. Drop every sender first.
    pub(crate) fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the RIB thread panicked");
        }
    }
}

struct Run {
    core: Core,
    clock: Clock,
    inbox: mpsc::Receiver<CoreRequest>,
    peers: HashMap<u32, mpsc::Sender<Box<ToPeer>>>,
    forwarding: Option<ForwardingCore>,
    /// [`ForwardingChange::Converged`] is to be told once no route change is left to tell.
    converged: bool,
    /// Who is told of routes and alarms.
    watchers: EventBus,
    /// Who else is told of routes.
    feed: Feed,
    /// How long routes take from the read to the end of the write.
    propagation: Histogram,
    /// Who is told, once, that our restart is over.
    restarted: Option<oneshot::Sender<()>>,
    give_back: GiveBack,
}

enum Wake {
    Requests(usize),
    NextHop(IpAddr, NextHopState),
    Routes(mpsc::OwnedPermit<ForwardingChange>),
    Watches(mpsc::OwnedPermit<NextHopWatch>),
    Timer,
    /// Watchers have not been told all yet.
    Watchers,
    ForwardingGone,
}

impl Run {
    async fn run(mut self) {
        let mut requests = Vec::with_capacity(BURST);
        loop {
            let wake = self.wait(&mut requests).await;
            self.core.follow_best(self.watchers.wants_routes() || self.feed.wants(Topic::CHOSEN));
            match wake {
                Wake::Requests(0) => return,
                // Routes take their time, and what is due meanwhile does not wait for the rest.
                Wake::Requests(_) => requests.drain(..).for_each(|request| {
                    self.handle(request);
                    self.act_if_due();
                }),
                Wake::NextHop(address, state) => {
                    self.core.next_hop_changed(self.clock.now(), address, state);
                }
                Wake::Routes(permit) => {
                    let mut changes = Vec::new();
                    self.core.take_fib_changes(FIB_BATCH, &mut changes);
                    // A prefix of our own is looked at and is no route to tell: then there is nothing to send.
                    if !changes.is_empty() {
                        permit.send(ForwardingChange::Routes(changes));
                    } else if std::mem::take(&mut self.converged) {
                        permit.send(ForwardingChange::Converged);
                    }
                }
                Wake::Watches(permit) => {
                    if let Some(watch) = self.core.poll_watch() {
                        permit.send(watch.into());
                    }
                }
                Wake::Timer | Wake::Watchers => {}
                Wake::ForwardingGone => self.forwarding = None,
            }
            self.act_if_due();
            self.deliver();
            self.tell_watchers();
            self.give_memory_back();
        }
    }

    fn give_memory_back(&mut self) {
        self.give_back.look(self.clock.now(), self.core.rib().size(), || self.core.shrink());
    }

    /// Does what is due by now, the flush of the groups above all, and sends what comes of it.
    fn act_if_due(&mut self) {
        let now = self.clock.now();
        if self.core.next_timeout().is_some_and(|deadline| deadline <= now) {
            self.core.handle_timeout(now);
            self.deliver();
        }
    }

    async fn wait(&mut self, requests: &mut Vec<CoreRequest>) -> Wake {
        let due = [self.core.next_timeout(), self.give_back.next_timeout()].into_iter().flatten().min();
        let deadline = due.map(|t| self.clock.deadline(t));
        let timer = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let has_routes = self.core.has_fib_changes() || self.converged;
        let has_watches = self.core.has_watches();
        let forwarding = self.forwarding.as_mut();
        let world = async {
            let Some(ForwardingCore { routes, watches, next_hops }) = forwarding else {
                return std::future::pending().await;
            };
            tokio::select! {
                state = next_hops.recv() => match state {
                    Some((address, state)) => Wake::NextHop(address, state),
                    None => Wake::ForwardingGone,
                },
                permit = watches.clone().reserve_owned(), if has_watches => {
                    permit.map_or(Wake::ForwardingGone, Wake::Watches)
                }
                permit = routes.clone().reserve_owned(), if has_routes => {
                    permit.map_or(Wake::ForwardingGone, Wake::Routes)
                }
            }
        };
        let more_to_tell = self.core.rib().has_best_changes();
        tokio::select! {
            count = self.inbox.recv_many(requests, BURST) => Wake::Requests(count),
            wake = world => wake,
            () = timer => Wake::Timer,
            () = std::future::ready(()), if more_to_tell => Wake::Watchers,
        }
    }

    fn handle(&mut self, request: CoreRequest) {
        match request {
            CoreRequest::Peer(message, _charge) => {
                if self.feed.wants(Topic::TAKEN) {
                    monitor::publish_taken(&self.feed, self.core.rib(), &message);
                }
                self.core.handle(self.clock.now(), message);
            }
            CoreRequest::Attach(slot, sender) => {
                self.peers.insert(slot, sender);
            }
            CoreRequest::Detach(slot) => {
                self.peers.remove(&slot);
                self.core.forget(self.clock.now(), slot);
            }
            CoreRequest::With(act) => act(&mut self.core, self.clock),
        }
    }

    fn deliver(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                CoreOutput::Peer(message) => self.send(message),
                CoreOutput::Propagated(took) => self.propagation.observe(took.as_secs_f64()),
                CoreOutput::Converged => self.converged = true,
                CoreOutput::Restarted => {
                    // Nobody to tell: the daemon is stopping.
                    let _ = self.restarted.take().map(|restarted| restarted.send(()));
                }
                CoreOutput::DuplicateRouterId { router_id, peers } => {
                    let message = rows::duplicate_router_id(router_id, peers);
                    tracing::error!("{message}");
                    self.watchers.publish(Event::now(EventKind::Alarm { message }));
                }
            }
        }
    }

    fn tell_watchers(&mut self) {
        let Run { core, watchers, feed, clock, .. } = self;
        if !core.rib().has_best_changes() {
            return;
        }
        let (watched, followed) = (watchers.wants_routes(), feed.wants(Topic::CHOSEN));
        let mut changes = Vec::new();
        core.take_best_changes(WATCH_BATCH, |change| {
            if followed {
                changes.push(monitor::chosen(&change));
            }
            if !watched {
                return;
            }
            let kind = match &change.best {
                Some((route, best)) => {
                    EventKind::Route { route: Box::new(rows::route_row(route, best, clock, clock.now())) }
                }
                None => EventKind::Withdraw { prefix: change.prefix },
            };
            watchers.publish(Event::now(kind));
        });
        if followed {
            monitor::publish_chosen(feed, changes);
        }
    }

    fn send(&mut self, message: ToPeer) {
        let slot = message.peer().slot;
        if self.feed.wants(Topic::SENT) {
            monitor::publish_sent(&self.feed, &message);
        }
        let Some(peer) = self.peers.get(&slot) else { return };
        match peer.try_send(Box::new(message)) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => {
                self.peers.remove(&slot);
            }
            // The channel is as wide as what the core may send.
            Err(TrySendError::Full(_)) => tracing::error!(slot, "a peer's channel overflowed its window"),
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, RouterId};
    use bgp_rib::ExportContext;

    use super::*;

    fn config() -> RibConfig {
        let export = ExportContext { local_as: Asn(64512), router_id: RouterId(1), cluster_id: None };
        RibConfig { fib: true, ..RibConfig::new(export, 1) }
    }

    #[tokio::test]
    async fn a_prefix_of_our_own_does_not_pass_for_convergence() {
        let (routes, mut told) = mpsc::channel(16);
        let (watches, _watches) = mpsc::channel(16);
        let (_next_hops, next_hops) = mpsc::channel(16);
        let forwarding = ForwardingCore { routes, watches, next_hops };
        let (store, clock) = (AttributeStore::new(1), Clock::start());
        let propagation = crate::metrics::propagation(&prometheus::Registry::new()).unwrap();
        let (_thread, requests) = CoreThread::spawn(
            config(),
            store,
            clock,
            Some(forwarding),
            (EventBus::default(), Feed::default()),
            propagation,
            oneshot::channel().0,
        )
        .unwrap();
        let act = async |act: Act| requests.send(CoreRequest::With(act)).await.unwrap();
        // Each is looked at before the next is sent, since the answer comes over the same inbox.
        let pending = async || {
            let (sender, answer) = tokio::sync::oneshot::channel();
            act(Box::new(move |core, _| sender.send(core.has_fib_changes()).unwrap())).await;
            answer.await.unwrap()
        };
        act(Box::new(|core, clock| core.announce_local(clock.now(), "10.0.0.0/24".parse().unwrap()))).await;
        while pending().await {}
        assert!(told.try_recv().is_err(), "nobody has said that the peers are complete");
        act(Box::new(|core, clock| core.await_end_of_rib(clock.now(), Vec::new(), clock.now()))).await;
        assert_eq!(told.recv().await, Some(ForwardingChange::Converged));
        act(Box::new(|core, clock| core.announce_local(clock.now(), "10.0.1.0/24".parse().unwrap()))).await;
        while pending().await {}
        assert!(told.try_recv().is_err(), "it is said once");
    }
}
