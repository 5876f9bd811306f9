//! `bgp explain`: import, choice and export of one destination, gathered from where each is known.

use std::net::IpAddr;

use bgp_core::wire::{Attributes, Summary};
use bgp_core::{Prefix, link_local};
use bgp_rib::filter::{Action, Route, TermOutcome};
use bgp_rib::out::{PathExport, SentRoute};
use bgp_rib::{ExportExplanation, Policy, Rib, SourceKind};
use bgp_router::{Core, Peer, ReceivedRoute};
use tokio::sync::oneshot;

use super::clock::Clock;
use super::rows;
use super::supervisor::{KernelQuestion, Supervisor};
use crate::api::ControlError;
use crate::api::schema::{
    CheckRow, Explain, ExplainQuery, ExportPathRow, ExportRow, ImportRow, KernelRow, RouteRow, TermRow,
};
use crate::net::shown;

impl Supervisor {
    pub(super) async fn explain(&self, query: ExplainQuery) -> Result<Explain, ControlError> {
        let ExplainQuery { prefix, to } = query;
        let mut import = Vec::new();
        for address in self.peers.addresses() {
            let ask = move |peer: &mut Peer, _: Clock| import_rows(peer, prefix);
            import.extend(self.peers.ask(address, ask).await.unwrap_or_default());
        }
        let peer = match &to {
            None => None,
            Some(peer) => {
                let address = self.resolve(peer)?;
                let (_, status) = self.peers.status(address).await.ok_or_else(|| gone(address))?;
                Some((address, status.id))
            }
        };
        let keeps_fib = self.config.fib.is_some_and(|fib| fib.enabled);
        let ask = move |core: &mut Core, clock: Clock| {
            let rib = core.rib();
            let candidates = candidates(rib, prefix, clock);
            let fib = keeps_fib.then(|| in_use(rib, prefix));
            let export = peer.map(|(address, id)| (address, rib.explain_export(id, prefix)));
            let export = export.map(|(to, explained)| explained.map(|e| export_row(rib, to, &e)));
            (candidates, fib, export)
        };
        let (candidates, fib, export) = self.ask_core(ask).await?;
        let kernel = self.kernel_route(prefix).await;
        if candidates.is_empty() && import.is_empty() {
            return Err(ControlError::NotFound(format!("no route to {prefix} is known")));
        }
        // A destination without paths needs no explanation of its way out; a peer that is down does.
        if let (Some(None), Some((address, _)), false) = (&export, peer, candidates.is_empty()) {
            let peer = shown(address);
            return Err(ControlError::Refused {
                message: format!("peer {peer} is not established, so it is sent nothing"),
                hint: Some(format!("`bgp peer {peer}` says why")),
            });
        }
        Ok(Explain { prefix, candidates, import, fib, kernel, export: export.flatten() })
    }

    /// How the kernel's route is, asked of whoever keeps it.
    async fn kernel_route(&self, prefix: Prefix) -> Option<KernelRow> {
        let (answer, told) = oneshot::channel();
        self.kernel.as_ref()?.send(KernelQuestion { prefix, answer }).await.ok()?;
        told.await.ok()
    }
}

fn gone(address: IpAddr) -> ControlError {
    ControlError::NotFound(format!("peer {} has just gone", shown(address)))
}

fn candidates(rib: &Rib, prefix: Prefix, clock: Clock) -> Vec<RouteRow> {
    let now = clock.now();
    let Some(route) = rib.route(prefix) else { return Vec::new() };
    route.candidates().map(|path| rows::route_row(&route, &path, &clock, now)).collect()
}

/// The next hops of the paths that share the load.
fn in_use(rib: &Rib, prefix: Prefix) -> Vec<IpAddr> {
    let Some(route) = rib.route(prefix) else { return Vec::new() };
    let learned = route.candidates().filter(|path| path.in_use && path.source.kind != SourceKind::Local);
    learned.map(|path| link_local::bare(path.path.attrs.next_hop())).collect()
}

/// What import made of the paths to a destination that a peer sent; none if they are not kept.
fn import_rows(peer: &Peer, prefix: Prefix) -> Vec<ImportRow> {
    let (Some(kept), Some(negotiated)) = (peer.adj_rib_in(), peer.session().negotiated()) else {
        return Vec::new();
    };
    let settings = peer.settings();
    let source = settings.source_kind(negotiated.kind);
    let row = |route: ReceivedRoute<'_>| ImportRow {
        from: link_local::bare(settings.address),
        path_id: route.path_id.0,
        policy: settings.import.to_string(),
        terms: terms(&settings.import, &Route { prefix, attrs: route.received, source }),
        route: rows::received_row(settings.address, &route),
    };
    kept.paths(prefix).map(row).collect()
}

fn terms(policy: &Policy, route: &Route<'_>) -> Vec<TermRow> {
    policy.filter().map_or_else(Vec::new, |filter| filter.explain(route).into_iter().map(term_row).collect())
}

fn term_row(outcome: TermOutcome) -> TermRow {
    let TermOutcome { name, failed, edits, action } = outcome;
    let action = action.map(|action| match action {
        Action::Accept => "accept".to_owned(),
        Action::Reject => "reject".to_owned(),
    });
    TermRow { name, failed, edits, action }
}

fn export_row(rib: &Rib, to: IpAddr, explained: &ExportExplanation) -> ExportRow {
    ExportRow {
        to: link_local::bare(to),
        policy: explained.policy.clone(),
        advertised: explained.advertised,
        paths: explained.paths.iter().map(|path| export_path_row(rib, explained.prefix, path)).collect(),
    }
}

fn export_path_row(rib: &Rib, prefix: Prefix, path: &PathExport) -> ExportPathRow {
    let source = rib.peers().source(path.source).filter(|source| source.kind != SourceKind::Local);
    let check =
        |(check, passed): (bgp_rib::out::ExportCheck, bool)| CheckRow { check: check.to_string(), passed };
    ExportPathRow {
        from: source.map(|source| link_local::bare(source.address)),
        path_id: path.path_id.0,
        checks: path.checks().map(check).collect(),
        blocked_by: path.blocker.map(|check| check.to_string()),
        terms: path.terms.iter().cloned().map(term_row).collect(),
        sent: path.sent.as_ref().map(|sent| sent_row(prefix, sent)),
    }
}

fn sent_row(prefix: Prefix, sent: &SentRoute) -> RouteRow {
    let block = Attributes::new(&sent.block);
    rows::attributes_row(prefix, sent.next_hop, block, &Summary::of(block))
}
