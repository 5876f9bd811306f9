//! What happens to the daemon as a whole: connections, commands, reload, files, the end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bfd::driver::Driver;
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{Prefix, RouterId, link_local};
use bgp_rib::AttributeStore;
use bgp_router::{AggregateSettings, Identity};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};

use super::announce::{Announcements, Delta, Source};
use super::budget::Budget;
use super::clock::Clock;
use super::clusters::{Changed, Clusters};
use super::core_thread::{CoreRequest, CoreThread, ForwardingCore};
use super::neighbors::{Event, Neighbors};
use super::peer_task::Farewell;
use super::peers::{PeerSet, Shared};
use super::settings;
use crate::api::schema::{Draining, KernelRow, LastReload};
use crate::api::{Command, ControlHandle};
use crate::config::{Aggregate, Config, Doubt, PeerConfig, Selector};
use crate::log::LogHandle;
use crate::monitor::{Ask, Feed, Monitoring, World};
use crate::net::{
    Authentication, FileWatch, HostAddresses, Inbound, Limiter, Listener, address_of, kernel_has_tcp_ao,
    shown,
};

/// After the start, routes that an earlier run left, in the kernel and with peers, wait at most so long for peers that do
/// not come (the Selection_Deferral_Timer of RFC 4724 section 4.1).
const DEFERRAL: Duration = Duration::from_secs(90);

/// After the start, neighbours that are known by their link only are to be heard within this time, to be among those
/// whose routes are waited for. Routers hold back their answers for up to three seconds (RFC 4861 section 6.2.6).
const MEETING: Duration = Duration::from_secs(10);

/// Refusals of one source that are logged at once, and the time after which one more is.
const REFUSAL_BURST: u32 = 10;
const REFUSAL_INTERVAL: Duration = Duration::from_secs(1);

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Cannot listen.
    #[error(transparent)]
    Listen(#[from] crate::net::ListenError),
    /// A password does not fit.
    #[error("peer {0}: {1}")]
    Key(Selector, crate::net::KeyError),
    /// A peer's segments cannot be signed as it wants.
    #[error(
        "peer {0}: this kernel has no TCP-AO (it takes Linux 6.7 or later with CONFIG_TCP_AO): use `password` (TCP MD5), or another kernel"
    )]
    NoTcpAo(Selector),
    /// A socket option was refused.
    #[error(transparent)]
    Option(#[from] crate::net::OptionError),
    /// No address to derive the router id from.
    #[error("this host has no IPv4 address to use as the router id: set `router-id` in the configuration")]
    NoRouterId,
    /// The control API cannot be served.
    #[error(transparent)]
    Api(#[from] crate::api::ServeError),
    /// The neighbours on links cannot be found.
    #[error(transparent)]
    Discovery(#[from] crate::net::DiscoveryError),
    /// The announce file cannot be watched.
    #[error(transparent)]
    AnnounceFile(#[from] crate::net::AnnounceFileError),
    /// The embedder's registry has a metric of ours already.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// BFD's thread could not be had.
    #[error("cannot start the thread of BFD: {0}")]
    Bfd(std::io::Error),
    /// No thread or runtime could be had.
    #[error("cannot start the RIB's thread: {0}")]
    Thread(std::io::Error),
}

/// How is the kernel's route to this prefix?
#[derive(Debug)]
pub struct KernelQuestion {
    /// The prefix.
    pub prefix: Prefix,
    /// Where the answer goes; dropped: nobody knows.
    pub answer: oneshot::Sender<KernelRow>,
}

/// What an embedder adds to the daemon.
#[derive(Debug, Default)]
pub struct Options {
    /// Where the configuration came from, to read it again on reload.
    pub config_path: Option<PathBuf>,
    /// Who keeps the kernel's routes, if anybody does.
    pub forwarding: Option<ForwardingCore>,
    /// Told what we announce ourselves, whenever it changes.
    pub announced: Option<watch::Sender<BTreeSet<Prefix>>>,
    /// Who can tell how the kernel's route to a prefix is.
    pub kernel: Option<mpsc::Sender<KernelQuestion>>,
    /// More paths for the control API.
    pub routes: Option<axum::Router>,
    /// More metrics.
    pub metrics: Option<prometheus::Registry>,
    /// Told the new configuration by a reload, once it is checked and before anything follows from it.
    pub reloaded: Option<watch::Sender<Config>>,
    /// A sentence for each thing for which the embedder is not ready: `/readyz` says no and tells them.
    pub missing: Option<watch::Receiver<Vec<String>>>,
    /// Whether packets are not forwarded as an earlier run would have it: its routes are not in the kernel any more. A
    /// reflector off the data path has nothing to lose.
    pub forwarding_lost: bool,
    /// Lets a reload change the log level.
    pub log: Option<LogHandle>,
    /// Seeds everything that is drawn; `None` takes it from the system.
    pub seed: Option<u64>,
}

/// The daemon's state outside of its peers and its RIB.
pub(super) struct Supervisor {
    pub(super) config: Config,
    pub(super) config_path: Option<PathBuf>,
    pub(super) router_id: RouterId,
    pub(super) peers: PeerSet,
    pub(super) announcements: Announcements,
    pub(super) listener: Option<Listener>,
    pub(super) core: mpsc::Sender<CoreRequest>,
    pub(super) store: AttributeStore,
    pub(super) clock: Clock,
    pub(super) control: ControlHandle,
    pub(super) identity: Identity,
    pub(super) log: Option<LogHandle>,
    pub(super) last_reload: Option<LastReload>,
    pub(super) draining: Option<Draining>,
    pub(super) kernel: Option<mpsc::Sender<KernelQuestion>>,
    pub(super) missing: Option<watch::Receiver<Vec<String>>>,
    pub(super) reloaded: Option<watch::Sender<Config>>,
    announced: Option<watch::Sender<BTreeSet<Prefix>>>,
    pub(super) file: Option<FileWatch>,
    pub(super) neighbors: Neighbors,
    /// How long we wait for neighbours on links before we know of whom routes are to be waited for.
    meeting: Option<tokio::time::Instant>,
    /// Watches the paths to peers.
    pub(super) bfd: Driver,
    limiter: Limiter,
    pub(super) monitoring: Monitoring,
    asked: mpsc::Receiver<Ask>,
    pub(super) clusters: Clusters,
    commands: mpsc::Receiver<Command>,
    /// Told that our own restart is over.
    restarted: oneshot::Receiver<()>,
    thread: CoreThread,
}

impl Supervisor {
    pub(super) async fn start(
        config: Config,
        options: Options,
        control: ControlHandle,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Supervisor, StartError> {
        let router_id = router_id(&config)?;
        let identity = settings::identity(&config, router_id);
        let seed = options.seed.unwrap_or_else(system_seed);
        let listener = if config.listen.is_empty() { None } else { Some(Listener::bind(&config.listen)?) };
        let store = AttributeStore::new(seed);
        let clock = Clock::start();
        let rib = settings::rib(&config, &identity, options.forwarding.is_some(), seed);
        let watchers = control.events().clone();
        let feed = Feed::default();
        let propagation = crate::metrics::propagation(&options.metrics.unwrap_or_default())?;
        let (restarted_sender, restarted) = oneshot::channel();
        let (thread, core) = CoreThread::spawn(
            rib,
            store.clone(),
            clock,
            options.forwarding,
            (watchers.clone(), feed.clone()),
            propagation,
            restarted_sender,
        )
        .map_err(StartError::Thread)?;
        let bfd = Driver::start(seed).map_err(StartError::Bfd)?;
        let budget = Budget::new();
        let shared = Shared {
            identity,
            store: store.clone(),
            clock,
            core: core.clone(),
            budget,
            watchers,
            bfd: bfd.handle(),
            clusters: Changed::default(),
            feed: feed.clone(),
            seed,
        };
        let world = World {
            asn: config.asn,
            router_id,
            name: control.node().to_owned(),
            description: format!("{} {}", config.daemon.name(), env!("CARGO_PKG_VERSION")),
            feed,
            core: core.clone(),
        };
        let (monitoring, asked) = Monitoring::new(world);
        let mut supervisor = Supervisor {
            peers: PeerSet::new(shared, !options.forwarding_lost),
            announcements: Announcements::default(),
            file: config.announce.file.as_ref().map(FileWatch::new).transpose()?,
            neighbors: Neighbors::default(),
            meeting: None,
            clusters: Clusters::default(),
            limiter: Limiter::new(REFUSAL_BURST, REFUSAL_INTERVAL),
            config_path: options.config_path,
            announced: options.announced,
            kernel: options.kernel,
            missing: options.missing,
            reloaded: options.reloaded,
            log: options.log,
            last_reload: None,
            draining: None,
            router_id,
            listener,
            bfd,
            core,
            store,
            clock,
            control,
            identity,
            monitoring,
            asked,
            commands,
            restarted,
            thread,
            config,
        };
        supervisor.begin().await?;
        Ok(supervisor)
    }

    async fn begin(&mut self) -> Result<(), StartError> {
        self.set_keys(&self.config)?;
        let restart = |core: &mut bgp_router::Core, clock: Clock| {
            core.begin_restart(clock.now(), clock.now() + DEFERRAL);
        };
        let _ = self.core.send(CoreRequest::With(Box::new(restart))).await;
        self.bar_pools().await;
        self.monitoring.apply(&self.config.bmp, self.config.mrt.as_ref());
        let prefixes = self.config.announce.prefixes.iter().copied().collect();
        self.announce(Source::Config, |set| *set = prefixes).await;
        self.set_aggregates().await;
        let config = self.config.clone();
        for entry in &config.peers {
            self.peers.add(&config, entry).await.map_err(|e| StartError::Key(entry.selector, e))?;
        }
        self.neighbors.follow(&config.peers)?;
        self.meeting = Some(tokio::time::Instant::now() + MEETING);
        while let Some(event) = self.neighbors.take() {
            self.neighbor(event).await;
        }
        self.await_routes(self.neighbors.are_sought()).await;
        Ok(())
    }

    /// Has the core wait for the routes of all peers that are configured one by one. As long as some of them are `sought`
    /// nobody knows their slots: then this comes later.
    async fn await_routes(&mut self, sought: bool) {
        if self.meeting.is_none() || sought {
            return;
        }
        self.meeting = None;
        let awaited = self.peers.configured_slots();
        let wait = move |core: &mut bgp_router::Core, clock: Clock| {
            core.await_end_of_rib(clock.now(), awaited, clock.now() + DEFERRAL);
        };
        let _ = self.core.send(CoreRequest::With(Box::new(wait))).await;
    }

    /// Makes and ends peers as their links and neighbours come and go.
    pub(super) async fn neighbor(&mut self, event: Event) {
        let config = self.config.clone();
        let on_link =
            |interface| config.peers.iter().filter(move |p| p.selector.interface() == Some(interface));
        let result = match event {
            Event::Down(link) => {
                self.peers.lose(link).await;
                Ok(())
            }
            Event::Up(interface, link) => {
                let mut result = Ok(());
                for entry in on_link(interface) {
                    if let Selector::OnLink(address, _) = entry.selector {
                        let address = link_local::on(address, Some(link)).into();
                        result = result.and(self.peers.meet(&config, entry, address).await);
                    }
                }
                result
            }
            Event::Met(interface, address) => {
                let is_open = |entry: &&PeerConfig| matches!(entry.selector, Selector::Interface(_));
                match on_link(interface).find(is_open) {
                    Some(entry) if !self.peers.has(address) => self.peers.meet(&config, entry, address).await,
                    _ => Ok(()),
                }
            }
        };
        if let Err(error) = result {
            warn!("the neighbor on a link has no session: {error}");
        }
        self.await_routes(self.neighbors.are_sought()).await;
    }

    /// Tells the RIB which aggregates there are.
    pub(super) async fn set_aggregates(&self) {
        let settings = |a: &Aggregate| AggregateSettings { prefix: a.prefix, summary_only: a.summary_only };
        let aggregates: Vec<AggregateSettings> = self.config.aggregates.iter().map(settings).collect();
        let set =
            move |core: &mut bgp_router::Core, clock: Clock| core.set_aggregates(clock.now(), &aggregates);
        let _ = self.core.send(CoreRequest::With(Box::new(set))).await;
    }

    /// Gives the listener the keys of all entries of `config`.
    pub(super) fn set_keys(&self, config: &Config) -> Result<(), StartError> {
        check_kernel(config)?;
        let mut keys: BTreeMap<Prefix, Authentication> = BTreeMap::new();
        for entry in &config.peers {
            let key = settings::authentication(entry).map_err(|e| StartError::Key(entry.selector, e))?;
            if let (Some(key), Some(prefix)) = (key, entry.selector.prefix()) {
                keys.insert(prefix, key);
            }
        }
        match &self.listener {
            Some(listener) => Ok(listener.set_keys(&keys)?),
            None => Ok(()),
        }
    }

    /// Changes what one source announces, and carries the difference to the RIB.
    pub(super) async fn announce(
        &mut self,
        source: Source,
        act: impl FnOnce(&mut BTreeSet<Prefix>),
    ) -> Delta {
        let delta = self.announcements.change(source, act);
        self.carry(&delta).await;
        delta
    }

    /// Keeps back the prefixes of pools that are not for this node.
    pub(super) async fn bar_pools(&mut self) {
        let pools = self.config.network.iter().flat_map(|network| {
            network.pools.iter().filter(|pool| !network.is_for_us(pool)).map(|pool| pool.cidr)
        });
        let delta = self.announcements.bar(pools.collect());
        self.carry(&delta).await;
    }

    /// Says what is wrong with each of these that are to be announced. Those of the configuration were told with it.
    pub(super) fn warn_of<'a>(&self, prefixes: impl IntoIterator<Item = &'a Prefix>) {
        let Some(network) = &self.config.network else { return };
        for prefix in prefixes {
            match network.doubt(prefix) {
                Some(doubt @ Doubt::OtherNodes(_)) => warn!("{prefix} is not announced: {doubt}"),
                Some(doubt @ Doubt::NoBlock(_)) => warn!("{prefix} is announced, although {doubt}"),
                None => {}
            }
        }
    }

    async fn carry(&self, delta: &Delta) {
        if *delta != Delta::default() {
            if let Some(announced) = &self.announced {
                announced.send_replace(self.announcements.all());
            }
            let Delta { announce, withdraw } = delta.clone();
            let change = move |core: &mut bgp_router::Core, clock: Clock| {
                withdraw.into_iter().for_each(|prefix| core.withdraw_local(clock.now(), prefix));
                announce.into_iter().for_each(|prefix| core.announce_local(clock.now(), prefix));
            };
            let _ = self.core.send(CoreRequest::With(Box::new(change))).await;
        }
    }

    /// Runs until told to stop. Then peers that know graceful restart are told nothing, so that they keep our routes for
    /// the next run; all others, and all if we were drained, are told why.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<Option<String>>) {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        let mut rounds = tokio::time::interval(super::clusters::INTERVAL);
        loop {
            self.control.heartbeat().beat();
            tokio::select! {
                _ = beat.tick() => {}
                _ = rounds.tick(), if self.identity.cluster_id.is_some() => self.look_at_clusters().await,
                () = told_to_stop(&mut stop) => break,
                Some(command) = self.commands.recv() => self.command(command).await,
                Some(ask) = self.asked.recv() => self.answer(ask).await,
                inbound = accept(self.listener.as_ref()) => self.incoming(inbound).await,
                event = self.neighbors.next() => self.neighbor(event).await,
                () = until(self.meeting) => self.await_routes(false).await,
                ended = self.peers.ended() => self.peers.forget(ended).await,
                _ = &mut self.restarted, if self.peers.is_restarting() => self.peers.restarted().await,
                told = next_announced(&mut self.file) => match told {
                    Ok(prefixes) => {
                        self.warn_of(prefixes.difference(&self.announcements.of(Source::File)));
                        let delta = self.announce(Source::File, |set| set.clone_from(&prefixes)).await;
                        info!(announced = delta.announce.len(), withdrawn = delta.withdraw.len(), "announce file read");
                    }
                    Err(error) => warn!("{error}; the prefixes read before stay announced"),
                },
            }
        }
        let text = stop.borrow().clone();
        let text = text.unwrap_or_default();
        let cease = |text: &str| Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, text);
        let farewell = match &self.draining {
            Some(drained) => Farewell::Cease(cease(drained.reason.as_ref().unwrap_or(&text))),
            None => Farewell::Restart(cease(&text)),
        };
        let Supervisor { thread, core, mut peers, bfd, monitoring, asked, .. } = self;
        peers.shutdown(farewell).await;
        // It goes on until the peers know that no failure is meant (RFC 5882 section 4.2).
        let _ = tokio::task::spawn_blocking(move || bfd.stop()).await;
        // The core ends when nobody can reach it any more.
        drop((asked, peers));
        monitoring.stop().await;
        drop(core);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }

    async fn incoming(&mut self, inbound: Inbound) {
        let address = address_of(inbound.peer);
        let now = self.clock.now();
        let Err(refused) = self.peers.incoming(&self.config, inbound).await else { return };
        if self.limiter.allow(now, address) {
            info!(address = shown(address), "connection refused: {refused}");
        } else {
            debug!(address = shown(address), "connection refused, not for the first time: {refused}");
        }
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<Option<String>>) {
    // If nobody can tell any more, that is the end as well.
    let _ = stop.wait_for(Option::is_some).await;
}

async fn accept(listener: Option<&Listener>) -> Inbound {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn next_announced(file: &mut Option<FileWatch>) -> crate::net::Announced {
    match file {
        Some(file) => file.next().await,
        None => std::future::pending().await,
    }
}

/// Whether this kernel has what the configuration needs, as far as it can be asked beforehand.
pub(crate) fn check_kernel(config: &Config) -> Result<(), StartError> {
    match config.peers.iter().find(|entry| !entry.tcp_ao.is_empty()) {
        Some(entry) if !kernel_has_tcp_ao() => Err(StartError::NoTcpAo(entry.selector)),
        _ => Ok(()),
    }
}

/// The configured router id, else the first address we listen on that says something, else the host's lowest
/// global IPv4 address.
fn router_id(config: &Config) -> Result<RouterId, StartError> {
    let listened = config.listen.iter().find_map(|address| match address.ip() {
        IpAddr::V4(v4) if !v4.is_unspecified() => Some(v4),
        _ => None,
    });
    let host = || HostAddresses::read().ok().and_then(|host| host.lowest_global_ipv4());
    let derived = || listened.or_else(host).map(RouterId::from);
    config.router_id.or_else(derived).ok_or(StartError::NoRouterId)
}

fn system_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
