//! The peers that run: their tasks, and how to reach them.

mod arrivals;
mod changes;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use bgp_core::fsm::State;
use bgp_core::wire::Notification;
use bgp_rib::{AttributeStore, PeerId};
use bgp_router::{Identity, Peer, PeerTable};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info};

use super::budget::Budget;
use super::clock::Clock;
use super::clusters::Changed;
use super::core_thread::CoreRequest;
use super::history::History;
use super::path::PathWatch;
use super::peer_task::{Commands, Farewell, PeerCommand, PeerTask, PeerTaskConfig};
use super::settings;
use super::status::PeerStatus;
use crate::api::EventBus;
use crate::api::schema::{Event, EventKind, PeerRef};
use crate::config::{Config, PeerConfig, Selector};
use crate::monitor::Feed;
use crate::net::{Inbound, KeyError, Limiter, Rate, shown};

/// Commands that may wait for a peer.
const COMMANDS: usize = 16;

/// What every peer is given.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) identity: Identity,
    pub(super) store: AttributeStore,
    pub(super) clock: Clock,
    pub(super) core: mpsc::Sender<CoreRequest>,
    /// What they may have on the way to the core.
    pub(super) budget: Budget,
    pub(super) watchers: EventBus,
    pub(super) feed: Feed,
    /// Watches the paths to them.
    pub(super) bfd: bfd::driver::Handle,
    /// Noted by them where other reflectors' mistakes may have come or gone.
    pub(super) clusters: Changed,
    /// Seeds jitter; each peer draws its own from it.
    pub(super) seed: u64,
}

struct Running {
    config: Box<PeerConfig>,
    commands: Commands,
}

/// All peers, configured and dynamic.
pub(super) struct PeerSet {
    shared: Shared,
    table: PeerTable,
    running: BTreeMap<IpAddr, Running>,
    tasks: JoinSet<u32>,
    /// Connections from ranges with `max-connects`.
    connects: BTreeMap<Selector, Rate>,
    /// Connections of each peer.
    attempts: Limiter,
    /// Whose task each is.
    addresses: HashMap<Id, IpAddr>,
    /// We are about to go: every peer is told, also those that come meanwhile.
    draining: bool,
    /// Our own restart is not over: OPENs say so (the R bit of RFC 4724).
    restarting: bool,
    /// The first sessions say that forwarding went on while we restarted (the F bit).
    forwarding: bool,
}

/// A peer's task that ended, with the generation of its latest session if it could tell.
pub(super) struct Ended {
    task: Id,
    generation: Result<u32, JoinError>,
}

impl PeerSet {
    /// No peers yet. `forwarding`: we went on forwarding while we restarted.
    pub(super) fn new(shared: Shared, forwarding: bool) -> PeerSet {
        let table = PeerTable::new(shared.seed);
        PeerSet {
            shared,
            table,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            connects: BTreeMap::new(),
            attempts: arrivals::attempts(),
            addresses: HashMap::new(),
            draining: false,
            restarting: true,
            forwarding,
        }
    }

    /// Adds one entry of the configuration.
    pub(super) async fn add(&mut self, config: &Config, entry: &PeerConfig) -> Result<(), KeyError> {
        match entry.selector {
            Selector::Range(_) => {
                if let Some(range) = settings::range(config, entry) {
                    self.table.set_range(range);
                }
            }
            Selector::Address(address) => self.add_one(config, entry, address).await?,
            // They come with their link.
            Selector::OnLink(..) | Selector::Interface(_) => {}
        }
        Ok(())
    }

    async fn add_one(
        &mut self,
        config: &Config,
        entry: &PeerConfig,
        address: IpAddr,
    ) -> Result<(), KeyError> {
        if let Some(id) = self.table.add(address) {
            self.spawn(config, entry, address, id, None).await?;
            if entry.enabled {
                self.command(address, PeerCommand::Start).await;
            }
        }
        Ok(())
    }

    async fn spawn(
        &mut self,
        config: &Config,
        entry: &PeerConfig,
        address: IpAddr,
        id: PeerId,
        of_range: Option<&Inbound>,
    ) -> Result<(), KeyError> {
        let shared = &self.shared;
        let local = of_range.map(|inbound| inbound.local.ip().to_canonical());
        let seed = shared.seed ^ (u64::from(id.slot) << 32 | u64::from(id.generation));
        let settings = settings::peer(config, entry, address, self.forwarding);
        let mut peer = Peer::new(id, shared.identity, settings, shared.store.clone(), seed);
        peer.set_draining(shared.clock.now(), self.draining);
        peer.set_restarting(shared.clock.now(), self.restarting);
        let task = PeerTaskConfig {
            peer,
            connect: settings::connect(entry, address)?,
            dynamic: of_range.is_some(),
            history: History::new(address, entry.name.clone(), shared.watchers.clone()),
            feed: shared.feed.clone(),
            path: PathWatch::new(shared.bfd.clone(), address, settings::path(entry), local),
            clusters: shared.clusters.clone(),
            clock: shared.clock,
        };
        let (commands, command_inbox) = mpsc::channel(COMMANDS);
        let (inbox_sender, inbox) = mpsc::channel(bgp_router::core::CHANNEL);
        // The core must know where to send before the peer can say that it is up.
        let _ = shared.core.send(CoreRequest::Attach(id.slot, inbox_sender)).await;
        let task = PeerTask::new(task, command_inbox, inbox, shared.core.clone(), shared.budget.of_another());
        let task = self.tasks.spawn(Box::new(task).run());
        self.addresses.insert(task.id(), address);
        self.running.insert(address, Running { config: Box::new(entry.clone()), commands });
        Ok(())
    }

    /// Waits for the next peer task that ends; pending while none runs. Nothing is lost if the wait is given up.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.tasks.join_next_with_id().await {
            Some(Ok((task, generation))) => Ended { task, generation: Ok(generation) },
            Some(Err(error)) => Ended { task: error.id(), generation: Err(error) },
            None => std::future::pending().await,
        }
    }

    /// Forgets a peer whose task has ended.
    pub(super) async fn forget(&mut self, ended: Ended) {
        let Some(address) = self.addresses.remove(&ended.task) else { return };
        let generation = ended.generation.unwrap_or_else(|failure| {
            error!(peer = shown(address), "the peer's task failed: {failure}");
            // Which sessions there were it took along; none had a number so high.
            u32::MAX / 2
        });
        self.running.remove(&address);
        self.shared.clusters.note();
        self.shared.watchers.publish(Event::now(EventKind::PeerRemoved { address: address.into() }));
        if let Some(slot) = self.table.remove(address, generation) {
            let _ = self.shared.core.send(CoreRequest::Detach(slot)).await;
        }
    }

    /// Has routes sent with GRACEFUL_SHUTDOWN from now on, or without (RFC 8326); how many peers have a session.
    pub(super) async fn drain(&mut self, draining: bool) -> usize {
        self.draining = draining;
        let mut established = 0;
        for address in self.addresses() {
            let tell = move |peer: &mut Peer, clock: Clock| {
                peer.set_draining(clock.now(), draining);
                peer.session().state() == State::Established
            };
            established += usize::from(self.ask(address, tell).await == Some(true));
        }
        established
    }

    /// Whether there is something to see for who looks at clusters.
    pub(super) fn clusters_changed(&self) -> &Changed {
        &self.shared.clusters
    }

    /// Whether our own restart is not over yet.
    pub(super) fn is_restarting(&self) -> bool {
        self.restarting
    }

    /// Our restart is over: later sessions do not speak of it, and we forward.
    pub(super) async fn restarted(&mut self) {
        info!("our own restart is over: End-of-RIB goes out from now on");
        self.restarting = false;
        let was_lost = !std::mem::replace(&mut self.forwarding, true);
        for running in self.running.values() {
            let act = move |peer: &mut Peer, clock: Clock| {
                peer.set_restarting(clock.now(), false);
                if was_lost {
                    let mut settings = peer.settings().clone();
                    settings.restart.iter_mut().for_each(|restart| restart.forwarding = true);
                    peer.reconfigure(clock.now(), settings);
                }
            };
            let _ = running.commands.send(Box::new(PeerCommand::With(Box::new(act)))).await;
        }
    }

    /// How to reach each peer.
    pub(super) fn commands(&self) -> Vec<Commands> {
        self.running.values().map(|running| running.commands.clone()).collect()
    }

    /// Asks a peer something; `None` if there is none with this address.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        address: IpAddr,
        ask: impl FnOnce(&mut Peer, Clock) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        let act = move |peer: &mut Peer, clock: Clock| drop(sender.send(ask(peer, clock)));
        self.command(address, PeerCommand::With(Box::new(act))).await.then_some(())?;
        answer.await.ok()
    }

    /// The addresses of all peers, in order.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.running.keys().copied().collect()
    }

    /// Whether there is a peer with this address.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.running.contains_key(&address)
    }

    /// Whether there is a peer of this entry.
    pub(super) fn has_one_of(&self, selector: Selector) -> bool {
        self.running.values().any(|running| running.config.selector == selector)
    }

    /// Tells a peer; `false` if there is none with this address.
    pub(super) async fn command(&self, address: IpAddr, command: PeerCommand) -> bool {
        match self.running.get(&address) {
            Some(running) => running.commands.send(Box::new(command)).await.is_ok(),
            None => false,
        }
    }

    /// The address of the peer that is meant.
    pub(super) fn find(&self, peer: &PeerRef) -> Option<IpAddr> {
        let by_interface = |running: &Running| match (peer, running.config.selector) {
            (PeerRef::Name(name), Selector::Interface(interface)) => interface.as_str() == name,
            _ => false,
        };
        let meant = self.running.iter().find(|(address, running)| {
            peer.is(&(**address).into(), running.config.name.as_deref()) || by_interface(running)
        });
        meant.map(|(address, _)| *address)
    }

    /// The name of a peer, if it has one.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<String> {
        self.running.get(&address)?.config.name.clone()
    }

    /// The range that this dynamic peer came from.
    pub(super) fn range_of(&self, address: IpAddr) -> Option<Selector> {
        let selector = self.running.get(&address)?.config.selector;
        matches!(selector, Selector::Range(_)).then_some(selector)
    }

    /// The slots of the peers that are configured by address and enabled.
    pub(super) fn configured_slots(&self) -> Vec<u32> {
        let configured = |(address, running): (&IpAddr, &Running)| {
            let wanted = running.config.enabled && running.config.selector.is_one();
            wanted.then(|| self.table.slot(*address)).flatten()
        };
        self.running.iter().filter_map(configured).collect()
    }

    /// All at once, so that one that lingers costs its time only once.
    async fn end(&mut self, addresses: Vec<IpAddr>, notification: &Notification) {
        for address in &addresses {
            info!(peer = shown(*address), "removed");
            self.command(*address, PeerCommand::Remove(Farewell::Cease(notification.clone()))).await;
        }
        while addresses.iter().any(|a| self.running.contains_key(a)) {
            let ended = self.ended().await;
            self.forget(ended).await;
        }
    }

    /// Ends all peers and waits for them.
    pub(super) async fn shutdown(&mut self, farewell: Farewell) {
        for running in self.running.values() {
            let _ = running.commands.send(Box::new(PeerCommand::Remove(farewell.clone()))).await;
        }
        while !self.tasks.is_empty() {
            let ended = self.ended().await;
            self.forget(ended).await;
        }
    }

    /// How all peers are, in the order of their addresses.
    pub(super) async fn statuses(&self) -> Vec<(PeerConfig, PeerStatus)> {
        let mut waiting = Vec::with_capacity(self.running.len());
        for running in self.running.values() {
            waiting.push((PeerConfig::clone(&running.config), ask(&running.commands).await));
        }
        let mut statuses = Vec::with_capacity(waiting.len());
        for (config, answer) in waiting {
            if let Ok(status) = answer.await {
                statuses.push((config, status));
            }
        }
        statuses
    }

    /// How one peer is.
    pub(super) async fn status(&self, address: IpAddr) -> Option<(PeerConfig, PeerStatus)> {
        let running = self.running.get(&address)?;
        let status = ask(&running.commands).await.await.ok()?;
        Some((PeerConfig::clone(&running.config), status))
    }
}

async fn ask(commands: &Commands) -> oneshot::Receiver<PeerStatus> {
    let (answer, status) = oneshot::channel();
    let _ = commands.send(Box::new(PeerCommand::Status(answer))).await;
    status
}
