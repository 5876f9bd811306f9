//! Carries the chosen routes into the kernel, through tunnels where the pools say so, and the kernel's word on next hops
//! back. All of it runs on a thread of its own: a large table in netlink's hands delays no session.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp_core::{Prefix, link_local};
use bgp_daemon::api::schema::{FibDiffRow, KernelRow, Tunnels};
use bgp_daemon::config::{Config, Fib, Sources};
use bgp_daemon::runtime::{Clock, ForwardingChange, ForwardingCore, GiveBack, KernelQuestion, NextHopWatch};
use bgp_rib::{FibChange, NextHopState};
use fib_sync::{Event, FibConfig, FibError, FibSync, Gateway, Resolution, Route, RouteOptions, Stats};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, error, info, warn};

use crate::api;
use crate::metrics::Metrics;
use crate::speaker::SpeakerError;
use crate::tunnels::{Change, Overlay, network};

/// Batches of routes that may wait, and that are taken at a time. The kernel takes longer for a route than the RIB does,
/// so most of them wait in `fib_sync`, which brings them into an order that suits the kernel.
const BATCHES: usize = 16;

/// Next hops to watch and questions that may wait.
const QUEUE: usize = 16;

/// Next-hop states that may wait for the RIB: a link that comes back changes many at once.
const NEXT_HOPS: usize = 256;

/// What `/readyz` says is missing: at first, and for good when netlink has failed.
const NOT_COMPLETE: &str = "the routes of the peers are not all in the kernel yet";
const NOT_KEPT: &str = "the kernel's routes are no longer kept; the log says why";

/// What the control API asks.
#[derive(Debug)]
pub(crate) enum Question {
    /// How do kernel and RIB differ?
    Diff(oneshot::Sender<Result<Vec<FibDiffRow>, FibError>>),
    /// What was done so far?
    Stats(oneshot::Sender<Stats>),
    /// How are the tunnels?
    Tunnels(oneshot::Sender<Tunnels>),
}

/// The task's ends of its channels.
#[derive(Debug)]
struct Channels {
    routes: mpsc::Receiver<ForwardingChange>,
    watches: mpsc::Receiver<NextHopWatch>,
    next_hops: mpsc::Sender<(IpAddr, NextHopState)>,
    announced: watch::Receiver<BTreeSet<Prefix>>,
    reloaded: watch::Receiver<Config>,
    questions: mpsc::Receiver<Question>,
    kernel: mpsc::Receiver<KernelQuestion>,
}

/// Everybody else's ends.
#[derive(Debug)]
pub(crate) struct Ends {
    /// For the daemon's core.
    pub(crate) core: ForwardingCore,
    /// For the daemon's supervisor.
    pub(crate) announced: watch::Sender<BTreeSet<Prefix>>,
    /// For the daemon's supervisor: what a reload has changed.
    pub(crate) reloaded: watch::Sender<Config>,
    /// For the control API.
    pub(crate) questions: mpsc::Sender<Question>,
    /// For the daemon's explanations.
    pub(crate) kernel: mpsc::Sender<KernelQuestion>,
    /// For readiness: what is missing, if anything.
    pub(crate) missing: watch::Receiver<Vec<String>>,
    /// Whether routes of an earlier run are in the kernel: packets went on while there was no daemon.
    pub(crate) adopted: bool,
}

/// Keeps the kernel's routes as the RIB wants them.
pub(crate) struct Forwarding {
    fib: FibSync,
    overlay: Overlay,
    channels: Channels,
    /// What packets of the node's own that take routes of ours come from.
    sources: Sources,
    /// Whether what we announce is also a blackhole: what no pod's own route takes must not loop back to us.
    blackhole: bool,
    /// Our own prefixes as they are in the kernel.
    own: BTreeSet<Prefix>,
    metrics: Metrics,
    missing: watch::Sender<Vec<String>>,
    /// All routes of the peers have been told; they are in the kernel once it is in sync.
    complete: bool,
    /// They have been.
    in_sync: bool,
    clock: Clock,
    /// Routes leave the kernel later than they leave the RIB.
    give_back: GiveBack,
}

enum Wake {
    Stop,
    Change(Option<ForwardingChange>),
    Announced(bool),
    Reloaded(bool),
    Watch(Option<NextHopWatch>),
    Question(Option<Question>),
    Asked(Option<KernelQuestion>),
    Kernel(Result<Event, FibError>),
    Timer,
    Tunnels(Change),
}

impl Forwarding {
    /// Opens the kernel's tables and devices.
    ///
    /// # Errors
    /// No permission, or a table, protocol or metric that cannot be.
    pub(crate) fn open(
        config: &Config,
        fib: &Fib,
        metrics: Metrics,
    ) -> Result<(Forwarding, Ends), SpeakerError> {
        let settings = FibConfig {
            table: fib.table,
            protocol: fib.protocol,
            metric: fib.metric,
            ..FibConfig::default()
        };
        let Fib { blackhole, source: sources, .. } = *fib;
        let fib = FibSync::open(settings)?;
        let overlay = Overlay::open(config)?;
        let adopted = fib.stats().routes > 0;
        let (route_sender, routes) = mpsc::channel(BATCHES);
        let (watch_sender, watches) = mpsc::channel(NEXT_HOPS);
        let (next_hops, next_hop_receiver) = mpsc::channel(NEXT_HOPS);
        let (announced_sender, announced) = watch::channel(BTreeSet::new());
        let (question_sender, questions) = mpsc::channel(QUEUE);
        let (kernel_sender, kernel) = mpsc::channel(QUEUE);
        let (reloaded_sender, reloaded) = watch::channel(config.clone());
        let channels = Channels { routes, watches, next_hops, announced, reloaded, questions, kernel };
        let core =
            ForwardingCore { routes: route_sender, watches: watch_sender, next_hops: next_hop_receiver };
        let (missing, missing_receiver) = watch::channel(vec![NOT_COMPLETE.to_owned()]);
        let ends = Ends {
            core,
            announced: announced_sender,
            reloaded: reloaded_sender,
            questions: question_sender,
            kernel: kernel_sender,
            missing: missing_receiver,
            adopted,
        };
        let own = BTreeSet::new();
        let (complete, in_sync) = (false, false);
        let forwarding = Forwarding {
            fib,
            overlay,
            channels,
            sources,
            blackhole,
            own,
            metrics,
            missing,
            complete,
            in_sync,
            clock: Clock::start(),
            give_back: GiveBack::default(),
        };
        Ok((forwarding, ends))
    }

    /// Runs until it is told to stop or the daemon is gone. The routes stay in the kernel, for the next run to adopt.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            self.tell_progress();
            let due = self.give_back.next_timeout().map(|due| self.clock.deadline(due));
            let wake = tokio::select! {
                _ = &mut stopped => Wake::Stop,
                change = self.channels.routes.recv(), if self.overlay.is_settled() => Wake::Change(change),
                changed = self.channels.announced.changed() => Wake::Announced(changed.is_ok()),
                changed = self.channels.reloaded.changed() => Wake::Reloaded(changed.is_ok()),
                watch = self.channels.watches.recv() => Wake::Watch(watch),
                question = self.channels.questions.recv() => Wake::Question(question),
                question = self.channels.kernel.recv() => Wake::Asked(question),
                event = self.fib.next() => Wake::Kernel(event),
                change = self.overlay.next() => Wake::Tunnels(change),
                () = sleep_until(due) => Wake::Timer,
            };
            match wake {
                Wake::Change(Some(change)) => {
                    self.change(change);
                    for _ in 1..BATCHES {
                        let Ok(more) = self.channels.routes.try_recv() else { break };
                        self.change(more);
                    }
                }
                Wake::Announced(true) => self.own_prefixes(),
                Wake::Reloaded(true) => self.overlay.reload(&self.channels.reloaded.borrow_and_update()),
                Wake::Tunnels(change) => self.tunnels_changed(change),
                // What is due is done above.
                Wake::Timer => {}
                Wake::Watch(Some(watch)) => self.watch(watch),
                Wake::Question(Some(question)) => self.answer(question),
                Wake::Asked(Some(KernelQuestion { prefix, answer })) => {
                    // Whoever asked may have gone.
                    let _ = self.kernel_row(&prefix).map(|row| answer.send(row));
                }
                Wake::Kernel(Ok(event)) => self.event(event).await,
                Wake::Kernel(Err(failure)) => {
                    error!("the kernel's routes can no longer be kept: {failure}");
                    self.missing.send_replace(vec![NOT_KEPT.to_owned()]);
                    return;
                }
                Wake::Stop
                | Wake::Change(None)
                | Wake::Announced(false)
                | Wake::Reloaded(false)
                | Wake::Watch(None)
                | Wake::Question(None)
                | Wake::Asked(None) => {
                    // What was told before the end still counts.
                    match self.fib.flush().await {
                        Ok(_) => {}
                        Err(failure) => error!("the last routes did not reach the kernel: {failure}"),
                    }
                    return;
                }
            }
        }
    }

    /// A neighbour on a link is no node with the other end of a tunnel.
    fn watch(&mut self, watch: NextHopWatch) {
        match watch {
            NextHopWatch::Start(next_hop) => {
                if link_local::link(next_hop).is_none() {
                    self.overlay.watch(next_hop);
                }
                self.fib.watch(gateway(next_hop));
            }
            NextHopWatch::Stop(next_hop) => {
                if link_local::link(next_hop).is_none() {
                    self.overlay.unwatch(next_hop);
                }
                self.fib.unwatch(gateway(next_hop));
            }
        }
    }

    fn tell_progress(&mut self) {
        let stats = self.fib.stats();
        self.metrics.fib.update(&stats);
        self.give_back.look(self.clock.now(), stats.routes + stats.pending, || {});
        if self.complete && stats.pending == 0 {
            self.in_sync = true;
        }
        let waits = (!self.in_sync).then(|| NOT_COMPLETE.to_owned());
        let missing: Vec<String> = waits.into_iter().chain(self.overlay.missing()).collect();
        self.missing.send_if_modified(|told| {
            let changed = *told != missing;
            if changed {
                *told = missing;
            }
            changed
        });
    }

    fn change(&mut self, change: ForwardingChange) {
        // Our own prefixes are told before the RIB that follows from them, and must be known first.
        if self.channels.announced.has_changed().unwrap_or(false) {
            self.own_prefixes();
        }
        match change {
            ForwardingChange::Routes(changes) => changes.into_iter().for_each(|change| self.route(change)),
            ForwardingChange::Converged => {
                info!(
                    "routes of the peers are complete: removing what an earlier run left and nobody announces"
                );
                self.fib.finish_adoption();
                self.complete = true;
            }
        }
    }

    fn route(&mut self, change: FibChange) {
        // A blackhole of ours holds this place.
        if self.own.contains(&change.prefix) {
            return;
        }
        let Some(prefix) = network(&change.prefix) else { return };
        if change.next_hops.is_empty() {
            self.fib.remove(prefix);
        } else {
            let target = self.overlay.steering().target(prefix, change.next_hops);
            let source = if prefix.is_ipv6() {
                self.sources.v6.map(IpAddr::V6)
            } else {
                self.sources.v4.map(IpAddr::V4)
            };
            self.fib.set(Route::new(prefix, target).with(RouteOptions { source, mtu: None }));
        }
    }

    fn tunnels_changed(&mut self, change: Change) {
        if change == Change::Ways {
            self.retarget();
        }
        self.metrics.tunnels.update(&self.overlay.status());
    }

    /// Routes whose way has changed take it. Each changes in place.
    fn retarget(&mut self) {
        let steering = self.overlay.steering();
        self.fib.retarget(|prefix, target| steering.retarget(prefix, target));
    }

    fn own_prefixes(&mut self) {
        let wanted = self.channels.announced.borrow_and_update().clone();
        if !self.blackhole {
            return;
        }
        for prefix in self.own.difference(&wanted).filter_map(network) {
            self.fib.remove(prefix);
        }
        for prefix in wanted.difference(&self.own).filter_map(network) {
            self.fib.set(Route::blackhole(prefix));
        }
        self.own = wanted;
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::NextHop { gateway, resolution } => {
                let address = next_hop(gateway);
                let state = match resolution {
                    Resolution::Unreachable => NextHopState::Unreachable,
                    Resolution::Reachable { metric, .. } => NextHopState::Reachable { metric },
                };
                debug!(?gateway, ?state, "next hop");
                // The core takes these without waiting for us.
                let _ = self.channels.next_hops.send((address, state)).await;
            }
            Event::InSync { took } => {
                debug!(?took, "kernel routes in sync");
                self.metrics.fib.synced(took);
            }
            // The library has logged these.
            Event::Repaired { routes } => warn!(routes, "routes that somebody else changed are put right"),
            // The library has logged these.
            Event::Refused { .. } | Event::Conflict { .. } => {}
        }
    }

    /// How the kernel's route to a prefix is, read from the kernel.
    fn kernel_row(&self, prefix: &Prefix) -> Option<KernelRow> {
        let network = network(prefix)?;
        let differences = self.fib.diff().ok()?;
        let difference = differences.iter().find(|difference| difference.prefix == network);
        Some(api::kernel_row(difference, self.fib.desired(network).as_ref(), &self.fib))
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have gone.
        match question {
            Question::Diff(answer) => {
                let rows = self.fib.diff().map(|differences| {
                    differences.iter().filter_map(|difference| api::row(difference, &self.fib)).collect()
                });
                drop(answer.send(rows));
            }
            Question::Stats(answer) => drop(answer.send(self.fib.stats())),
            Question::Tunnels(answer) => drop(answer.send(self.overlay.status())),
        }
    }
}

/// `None`: never.
async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// A next hop of the RIB as the kernel knows it.
fn gateway(next_hop: IpAddr) -> Gateway {
    let (address, interface) = link_local::split(next_hop);
    Gateway { address, interface }
}

/// The next hop of the RIB that a gateway is.
fn next_hop(gateway: Gateway) -> IpAddr {
    match gateway.address {
        IpAddr::V6(address) => link_local::on(address, gateway.interface).into(),
        v4 => v4,
    }
}
