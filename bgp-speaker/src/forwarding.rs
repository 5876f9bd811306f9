//! Carries the chosen routes into the kernel, and the kernel's word on next hops back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp_core::Prefix;
use bgp_daemon::config::Fib;

use bgp_daemon::runtime::{ForwardingChange, ForwardingCore, NextHopWatch};
use bgp_rib::{FibChange, NextHopState};
use fib_sync::{Difference, Event, FibConfig, FibError, FibSync, IpNetwork, Resolution, Route, Stats};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, error, info, warn};

use crate::metrics::FibMetrics;

/// Batches of routes, next hops and questions that may wait on either side.
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
    Diff(oneshot::Sender<Result<Vec<Difference>, FibError>>),
    /// What was done so far?
    Stats(oneshot::Sender<Stats>),
}

/// The task's ends of its channels.
#[derive(Debug)]
struct Channels {
    routes: mpsc::Receiver<ForwardingChange>,
    watches: mpsc::Receiver<NextHopWatch>,
    next_hops: mpsc::Sender<(IpAddr, NextHopState)>,
    announced: watch::Receiver<BTreeSet<Prefix>>,
    questions: mpsc::Receiver<Question>,
}

/// Everybody else's ends.
#[derive(Debug)]
pub(crate) struct Ends {
    /// For the daemon's core.
    pub(crate) core: ForwardingCore,
    /// For the daemon's supervisor.
    pub(crate) announced: watch::Sender<BTreeSet<Prefix>>,
    /// For the control API.
    pub(crate) questions: mpsc::Sender<Question>,
    /// For readiness: what is missing, if anything.
    pub(crate) missing: watch::Receiver<Vec<String>>,
    /// Whether routes of an earlier run are in the kernel: packets went on while there was no daemon.
    pub(crate) adopted: bool,
}

/// Keeps the kernel's routes as the RIB wants them.
pub(crate) struct Forwarding {
    fib: FibSync,
    channels: Channels,
    /// Whether what we announce is also a blackhole: what no pod's own route takes must not loop back to us.
    blackhole: bool,
    /// Our own prefixes as they are in the kernel.
    own: BTreeSet<Prefix>,
    metrics: FibMetrics,
    missing: watch::Sender<Vec<String>>,
    /// All routes of the peers have been told; they are in the kernel once it is in sync.
    complete: bool,
}

enum Wake {
    Stop,
    Change(Option<ForwardingChange>),
    Announced(bool),
    Watch(Option<NextHopWatch>),
    Question(Option<Question>),
    Kernel(Result<Event, FibError>),
}

impl Forwarding {
    /// Opens the kernel's tables.
    ///
    /// # Errors
    /// No permission, or a table, protocol or metric that cannot be.
    pub(crate) fn open(config: &Fib, metrics: FibMetrics) -> Result<(Forwarding, Ends), FibError> {
        let settings = FibConfig {
            table: config.table,
            protocol: config.protocol,
            metric: config.metric,
            ..FibConfig::default()
        };
        let fib = FibSync::open(settings)?;
        let adopted = fib.stats().routes > 0;
        let (route_sender, routes) = mpsc::channel(QUEUE);
        let (watch_sender, watches) = mpsc::channel(NEXT_HOPS);
        let (next_hops, next_hop_receiver) = mpsc::channel(NEXT_HOPS);
        let (announced_sender, announced) = watch::channel(BTreeSet::new());
        let (question_sender, questions) = mpsc::channel(QUEUE);
        let channels = Channels { routes, watches, next_hops, announced, questions };
        let core =
            ForwardingCore { routes: route_sender, watches: watch_sender, next_hops: next_hop_receiver };
        let (missing, missing_receiver) = watch::channel(vec![NOT_COMPLETE.to_owned()]);
        let ends = Ends {
            core,
            announced: announced_sender,
            questions: question_sender,
            missing: missing_receiver,
            adopted,
        };
        let blackhole = config.blackhole;
        let own = BTreeSet::new();
        Ok((Forwarding { fib, channels, blackhole, own, metrics, missing, complete: false }, ends))
    }

    /// Runs until it is told to stop or the daemon is gone. The routes stay in the kernel, for the next run to adopt.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            self.tell_progress();
            let wake = tokio::select! {
                _ = &mut stopped => Wake::Stop,
                change = self.channels.routes.recv() => Wake::Change(change),
                changed = self.channels.announced.changed() => Wake::Announced(changed.is_ok()),
                watch = self.channels.watches.recv() => Wake::Watch(watch),
                question = self.channels.questions.recv() => Wake::Question(question),
                event = self.fib.next() => Wake::Kernel(event),
            };
            match wake {
                Wake::Change(Some(change)) => self.change(change),
                Wake::Announced(true) => self.own_prefixes(),
                Wake::Watch(Some(NextHopWatch::Start(address))) => self.fib.watch(address),
                Wake::Watch(Some(NextHopWatch::Stop(address))) => self.fib.unwatch(address),
                Wake::Question(Some(question)) => self.answer(question),
                Wake::Kernel(Ok(event)) => self.event(event).await,
                Wake::Kernel(Err(failure)) => {
                    error!("the kernel's routes can no longer be kept: {failure}");
                    self.missing.send_replace(vec![NOT_KEPT.to_owned()]);
                    return;
                }
                Wake::Stop
                | Wake::Change(None)
                | Wake::Announced(false)
                | Wake::Watch(None)
                | Wake::Question(None) => {
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

    fn tell_progress(&mut self) {
        let stats = self.fib.stats();
        self.metrics.update(&stats);
        if self.complete && stats.pending == 0 && !self.missing.borrow().is_empty() {
            self.missing.send_replace(Vec::new());
        }
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
            self.fib.set(Route::via(prefix, change.next_hops));
        }
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
            Event::NextHop { address, resolution } => {
                let state = match resolution {
                    Resolution::Unreachable => NextHopState::Unreachable,
                    Resolution::Reachable { metric, .. } => NextHopState::Reachable { metric },
                };
                debug!(%address, ?state, "next hop");
                // The core takes these without waiting for us.
                let _ = self.channels.next_hops.send((address, state)).await;
            }
            Event::InSync { took } => {
                debug!(?took, "kernel routes in sync");
                self.metrics.synced(took);
            }
            // The library has logged these.
            Event::Repaired { routes } => warn!(routes, "routes that somebody else changed are put right"),
            // The library has logged these.
            Event::Refused { .. } | Event::Conflict { .. } => {}
        }
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have gone.
        match question {
            Question::Diff(answer) => drop(answer.send(self.fib.diff())),
            Question::Stats(answer) => drop(answer.send(self.fib.stats())),
        }
    }
}

fn network(prefix: &Prefix) -> Option<IpNetwork> {
    IpNetwork::new(prefix.address(), prefix.len()).ok()
}
