//! The supervisor's answers to the control API.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::SystemTime;

use bgp_core::fsm::State;
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{Family, Prefix};
use bgp_rib::table::DestId;
use bgp_rib::{PeerCounts, PeerId, Rib};
use bgp_router::{Core, Peer, Refusal};
use tokio::sync::oneshot;
use tracing::info;

use super::announce::Source;
use super::clock::Clock;
use super::core_thread::CoreRequest;
use super::peer_task::PeerCommand;
use super::rows;
use super::status::PeerStatus;
use super::supervisor::Supervisor;
use crate::api::schema::{
    Announced, DrainRequest, Drained, Draining, EffectiveConfig, LastReload, PeerDetail, PeerRef, PeerRow,
    RefreshDirection, RouteCollector, RouteQuery, RouteTarget, Routes, Scope, Status, TableSize, Timestamp,
};
use crate::api::{Command, ControlError, PeerAction};
use crate::config::{Doubt, PeerConfig};
use crate::monitor::{Ask, Numbers};
use crate::net::shown;

const FAMILIES: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

/// A reply that nobody waits for any more is dropped without harm.
macro_rules! answer {
    ($reply:expr, $value:expr) => {
        drop($reply.send($value))
    };
}

impl Supervisor {
    pub(super) async fn command(&mut self, command: Command) {
        match command {
            Command::Status(reply) => answer!(reply, self.status().await.map(Box::new)),
            Command::Peers(reply) => answer!(reply, self.peer_rows().await),
            Command::Peer { peer, reply } => answer!(reply, self.peer_detail(&peer).await.map(Box::new)),
            Command::PeerAction { peer, action, reply } => {
                answer!(reply, self.peer_action(&peer, action).await)
            }
            Command::Routes { query, reply } => answer!(reply, self.routes(*query).await),
            Command::Explain { query, reply } => answer!(reply, self.explain(query).await.map(Box::new)),
            Command::Drain { request, reply } => answer!(reply, self.drain(request).await),
            Command::Reload(reply) => answer!(reply, self.reload().await),
            Command::Announce { prefixes, reply } => {
                answer!(reply, self.announce_by_command(&prefixes).await)
            }
            Command::Withdraw { prefixes, reply } => {
                answer!(reply, self.withdraw_by_command(&prefixes).await)
            }
            Command::Dump(reply) => answer!(reply, Ok(self.monitoring.dump())),
            Command::Bfd(reply) => answer!(reply, Ok(self.bfd().await)),
            Command::Config(reply) => answer!(reply, Ok(self.effective())),
            Command::Metrics(reply) => answer!(reply, self.metrics().await.map(Box::new)),
            Command::Ready(reply) => answer!(reply, self.readiness().await),
        }
    }

    /// Asks the core something and waits for the answer.
    pub(super) async fn ask_core<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Core, Clock) -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        let (sender, answer) = oneshot::channel();
        let request = CoreRequest::With(Box::new(move |core, clock| drop(sender.send(ask(core, clock)))));
        let gone = ControlError::Unavailable("the RIB is stopping");
        self.core.send(request).await.map_err(|_| gone.clone())?;
        answer.await.map_err(|_| gone)
    }

    /// Answers a station.
    pub(super) async fn answer(&self, ask: Ask) {
        match ask {
            Ask::Peers(reply) => answer!(reply, self.peers.commands()),
            Ask::Numbers(reply) => {
                let peers = self.peer_states().await.unwrap_or_default();
                let peers = peers.iter().map(|(_, status, counts)| (status.id, numbers(status, counts)));
                let sizes = FAMILIES.map(|family| {
                    self.ask_core(move |core, _| (family, core.rib().route_count(family) as u64))
                });
                let sizes = futures::future::join_all(sizes).await;
                answer!(reply, (peers.collect(), sizes.into_iter().flatten().collect()));
            }
        }
    }

    /// How much the RIB holds.
    pub(super) async fn table_sizes(&self) -> Result<Sizes, ControlError> {
        self.ask_core(|core, _| {
            let rib = core.rib();
            let size = |family: Family| TableSize {
                family: family.to_string(),
                prefixes: rib.route_count(family) as u64,
                paths: rib.path_count(family) as u64,
            };
            let memory = rib.memory();
            Sizes {
                tables: FAMILIES.into_iter().map(size).collect(),
                groups: rib.groups().count() as u64,
                memory: (memory.tables + memory.queued) as u64,
            }
        })
        .await
    }

    async fn status(&self) -> Result<Status, ControlError> {
        let statuses = self.peers.statuses().await;
        let sizes = self.table_sizes().await?;
        let started = self.clock.started();
        let duplicates = self.ask_core(|core, _| core.duplicate_router_ids()).await?;
        let alarms = duplicates.into_iter().map(|(id, peers)| rows::duplicate_router_id(id, peers));
        let alarms = alarms.chain(self.clusters.alarms().map(str::to_owned));
        let readiness = self.readiness().await?;
        Ok(Status {
            daemon: self.config.daemon.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            asn: self.config.asn.0,
            router_id: self.router_id.to_string(),
            cluster_id: self.identity.cluster_id.map(|id| id.to_string()),
            listen: self.config.listen.clone(),
            started: Timestamp::from(started),
            uptime_seconds: SystemTime::now().duration_since(started).map_or(0, |d| d.as_secs()),
            peers: (statuses.len() + self.sought().count()) as u64,
            peers_established: statuses.iter().filter(|(_, s)| s.state == State::Established).count() as u64,
            tables: sizes.tables,
            attribute_sets: self.store.len() as u64,
            update_groups: sizes.groups,
            rib_memory_bytes: sizes.memory + self.store.bytes() as u64,
            config_file: self.config_path.as_ref().map(|p| p.display().to_string()),
            last_reload: self.last_reload.clone(),
            draining: self.draining.clone(),
            ready: readiness.ready,
            collectors: self.monitoring.collectors().map(rows::collector).collect(),
            update_log: self.monitoring.archive().map(rows::update_log),
            alarms: alarms.collect(),
        })
    }

    /// The counts of each of these sessions, in their order.
    async fn counts(&self, ids: Vec<PeerId>) -> Result<Vec<Vec<(Family, PeerCounts)>>, ControlError> {
        self.ask_core(move |core, _| {
            let rib = core.rib();
            let of = |id: PeerId| {
                let families = rib.peers().source(id).map(|info| info.families).unwrap_or_default();
                families.iter().filter_map(|f| Some((f, rib.peer_counts(id, f)?))).collect()
            };
            ids.into_iter().map(of).collect()
        })
        .await
    }

    /// Every peer with its configuration, its state and its counts.
    pub(super) async fn peer_states(&self) -> Result<Vec<PeerState>, ControlError> {
        let statuses = self.peers.statuses().await;
        let counts = self.counts(statuses.iter().map(|(_, status)| status.id).collect()).await?;
        Ok(statuses
            .into_iter()
            .zip(counts)
            .map(|((config, status), counts)| (config, status, counts))
            .collect())
    }

    async fn peer_rows(&self) -> Result<Vec<PeerRow>, ControlError> {
        let states = self.peer_states().await?;
        let found = states.iter().map(|(config, status, counts)| rows::peer_row(config, status, counts));
        Ok(found.chain(self.sought().map(|sought| sought.row())).collect())
    }

    /// The address that a reference means.
    pub(super) fn resolve(&self, peer: &PeerRef) -> Result<IpAddr, ControlError> {
        self.peers.find(peer).ok_or_else(|| match self.find_sought(peer) {
            Some(sought) => ControlError::Refused {
                message: format!("peer {peer}: {}", sought.reason().unwrap_or_default()),
                hint: Some("there is no session yet that this could be about".to_owned()),
            },
            None => ControlError::NotFound(format!("no peer {peer}; `bgp peers` lists them")),
        })
    }

    async fn peer_detail(&self, peer: &PeerRef) -> Result<PeerDetail, ControlError> {
        if let Some(sought) = self.find_sought(peer) {
            return Ok(sought.detail());
        }
        let address = self.resolve(peer)?;
        let gone = || ControlError::NotFound(format!("peer {peer} has just gone"));
        let (config, status) = self.peers.status(address).await.ok_or_else(gone)?;
        let counts = self.counts(vec![status.id]).await?.pop().unwrap_or_default();
        let row = rows::peer_row(&config, &status, &counts);
        Ok(rows::peer_detail(row, &config, &status))
    }

    async fn peer_action(&mut self, peer: &PeerRef, action: PeerAction) -> Result<(), ControlError> {
        let address = self.resolve(peer)?;
        let text = |reason: Option<String>| reason.unwrap_or_default();
        if let (PeerAction::Down { .. }, Some(range)) = (&action, self.peers.range_of(address)) {
            return Err(ControlError::Refused {
                message: format!("peer {peer} comes from the range {range} and would be let in again"),
                hint: Some(format!(
                    "`bgp peer {peer} reset` ends its session; to keep it out, configure its address with `enabled = false`"
                )),
            });
        }
        info!(peer = shown(address), action = action.name(), "asked by the operator");
        match action {
            PeerAction::Up => self.tell(address, PeerCommand::Start).await,
            PeerAction::Down { reason } => {
                let cease = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, &text(reason));
                self.tell(address, PeerCommand::Stop(cease)).await
            }
            PeerAction::Reset { reason } => {
                let cease = Notification::cease(cease::ADMINISTRATIVE_RESET, &text(reason));
                self.tell(address, PeerCommand::Reset(cease)).await
            }
            PeerAction::Refresh(direction) => self.refresh(address, direction).await,
        }
    }

    async fn tell(&self, address: IpAddr, command: PeerCommand) -> Result<(), ControlError> {
        let told = self.peers.command(address, command).await;
        told.then_some(()).ok_or_else(|| gone(address))
    }

    async fn refresh(&self, address: IpAddr, direction: RefreshDirection) -> Result<(), ControlError> {
        let (gone, peer) = (|| gone(address), shown(address));
        if direction != RefreshDirection::Out {
            let request = |peer: &mut Peer, clock: Clock| {
                let families = peer.settings().families;
                peer.request_refresh(clock.now(), families)
            };
            if !self.peers.ask(address, request).await.ok_or_else(gone)? {
                return Err(ControlError::Refused {
                    message: format!("peer {peer} is not established or does not do route refresh"),
                    hint: Some(format!("`bgp peer {peer} reset` begins the session anew")),
                });
            }
        }
        if direction != RefreshDirection::In {
            let (_, status) = self.peers.status(address).await.ok_or_else(gone)?;
            self.ask_core(move |core, _| core.refresh_out(status.id)).await?;
        }
        Ok(())
    }

    async fn routes(&self, query: RouteQuery) -> Result<Routes, ControlError> {
        let peer = match query.scope() {
            Scope::Rejected(peer) => {
                let only = peer.map(|peer| self.resolve(&peer)).transpose()?;
                return self.rejected(query, only).await;
            }
            Scope::In(peer) | Scope::Out(peer) => {
                let address = self.resolve(&peer)?;
                self.peers.status(address).await.map(|(_, status)| status.id)
            }
            Scope::Best | Scope::All => None,
        };
        self.ask_core(move |core, clock| collect(core.rib(), &query, peer, &clock)).await
    }

    /// Has all peers prefer others before we go (RFC 8326 section 3), or takes that back.
    async fn drain(&mut self, request: DrainRequest) -> Result<Drained, ControlError> {
        let DrainRequest { undo, reason } = request;
        if undo && reason.is_some() {
            return Err(ControlError::Invalid("who stays after all needs no reason".to_owned()));
        }
        info!(undo, reason, "draining, as asked by the operator");
        let since = self.draining.as_ref().map_or_else(|| SystemTime::now().into(), |before| before.since);
        self.draining = (!undo).then_some(Draining { since, reason });
        let peers = self.peers.drain(!undo).await;
        Ok(Drained { draining: self.draining.clone(), peers: peers as u64 })
    }

    async fn announce_by_command(&mut self, prefixes: &[Prefix]) -> Result<Announced, ControlError> {
        if let Some(network) = &self.config.network {
            let doubts = prefixes.iter().filter_map(|prefix| Some((prefix, network.doubt(prefix)?)));
            let mut barred = doubts.filter(|(_, doubt)| matches!(doubt, Doubt::OtherNodes(_)));
            if let Some((prefix, doubt)) = barred.next() {
                return Err(ControlError::Refused {
                    message: format!("{prefix} cannot be announced: {doubt}"),
                    hint: Some("[node] `labels` are what it goes by; nothing was announced".to_owned()),
                });
            }
        }
        self.warn_of(prefixes);
        let delta = self.announce(Source::Api, |set| set.extend(prefixes)).await;
        Ok(Announced { changed: delta.announce.len() as u64 })
    }

    async fn withdraw_by_command(&mut self, prefixes: &[Prefix]) -> Result<Announced, ControlError> {
        let elsewhere = prefixes.iter().find_map(|prefix| {
            let source = self.announcements.wanted_by(prefix).find(|source| *source != Source::Api)?;
            Some((prefix, source))
        });
        if let Some((prefix, source)) = elsewhere {
            let place = if source == Source::Config { "announce.prefixes" } else { "announce.file" };
            return Err(ControlError::Refused {
                message: format!("{prefix} is announced by `{place}` of the configuration"),
                hint: Some("take it out there; nothing was withdrawn".to_owned()),
            });
        }
        let gone: BTreeSet<Prefix> = prefixes.iter().copied().collect();
        let delta = self.announce(Source::Api, |set| set.retain(|p| !gone.contains(p))).await;
        Ok(Announced { changed: delta.withdraw.len() as u64 })
    }

    fn effective(&self) -> EffectiveConfig {
        EffectiveConfig {
            file: self.config_path.as_ref().map(|p| p.display().to_string()),
            effective: self.config.effective(),
        }
    }

    pub(super) fn note_reload(&mut self, error: Option<String>) {
        let time = Timestamp::from(SystemTime::now());
        self.last_reload = Some(LastReload { time, success: error.is_none(), error });
    }
}

fn gone(address: IpAddr) -> ControlError {
    ControlError::NotFound(format!("peer {} has just gone", shown(address)))
}

/// A peer's counts for statistics.
fn numbers(status: &PeerStatus, counts: &[(Family, PeerCounts)]) -> Numbers {
    let refused = |refusal: Refusal| status.import.refused.get(refusal as usize).copied().unwrap_or_default();
    let [_, treated_as_withdraw, ..] = status.import.malformed;
    let routes = |(family, counts): &(Family, PeerCounts)| {
        let received = rows::received(status, *family, counts);
        (*family, [received, counts.accepted as u64, counts.advertised as u64])
    };
    Numbers {
        rejected: refused(Refusal::Policy),
        as_loops: refused(Refusal::AsLoop),
        originator_loops: refused(Refusal::Originator),
        cluster_loops: refused(Refusal::Cluster),
        treated_as_withdraw,
        routes: counts.iter().map(routes).collect(),
    }
}

/// How much the RIB holds.
pub(super) struct Sizes {
    pub(super) tables: Vec<TableSize>,
    pub(super) groups: u64,
    /// In octets, without the attribute sets.
    pub(super) memory: u64,
}

/// A peer's configuration, state and counts.
pub(super) type PeerState = (PeerConfig, PeerStatus, Vec<(Family, PeerCounts)>);

/// The routes that a query asks for; `peer` is the one its scope names.
fn collect(rib: &Rib, query: &RouteQuery, peer: Option<PeerId>, clock: &Clock) -> Routes {
    let mut collector = RouteCollector::new(query.clone());
    let now = clock.now();
    let mut take = |route: bgp_rib::RouteView<'_>| {
        if !collector.wants(&route.prefix) {
            return;
        }
        for path in route.candidates() {
            let wanted = match query.scope() {
                Scope::Best => path.best,
                Scope::All => true,
                Scope::Rejected(_) => false,
                Scope::In(_) => Some(path.path.source()) == peer,
                Scope::Out(_) => path.best && peer.is_some_and(|p| rib.advertises(p, &route)),
            };
            if wanted {
                collector.push(rows::route_row(&route, &path, clock, now));
            }
        }
    };
    match query.target {
        Some(RouteTarget::Exact(prefix)) => rib.route(prefix).into_iter().for_each(&mut take),
        Some(RouteTarget::Address(address)) => rib.longest_match(address).into_iter().for_each(&mut take),
        Some(RouteTarget::Shorter(prefix)) => rib.covering(prefix).for_each(&mut take),
        Some(RouteTarget::Longer(_)) | None => {
            for family in FAMILIES {
                let mut from = DestId::from_index(0);
                while let Some(route) = rib.next_route(family, from) {
                    from = route.cursor();
                    take(route);
                }
            }
        }
    }
    collector.finish()
}
