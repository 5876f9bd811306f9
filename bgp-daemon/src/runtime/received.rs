//! Routes as peers sent them, where that is kept: those that import refused are nowhere else.

use std::net::IpAddr;

use bgp_core::{PathId, Prefix};
use bgp_router::Peer;

use super::clock::Clock;
use super::rows;
use super::supervisor::Supervisor;
use crate::api::ControlError;
use crate::api::schema::{RouteCollector, RouteQuery, Routes};
use crate::net::shown;

/// Routes that are looked at in one go: the peer's session waits meanwhile.
const STEP: usize = 4096;

/// Where a walk over a peer's routes goes on.
type Cursor = (Prefix, PathId);

impl Supervisor {
    /// The routes that import refused: of one peer, or of all whose routes are kept.
    pub(super) async fn rejected(
        &self,
        query: RouteQuery,
        only: Option<IpAddr>,
    ) -> Result<Routes, ControlError> {
        let mut collector = RouteCollector::new(query);
        let mut is_kept = false;
        for address in only.map_or_else(|| self.peers.addresses(), |address| vec![address]) {
            let mut from = None;
            while let Some(walked) = self.rejected_from(address, from, collector.clone()).await {
                is_kept = true;
                collector = walked.collector;
                from = walked.next;
                if from.is_none() {
                    break;
                }
            }
        }
        if !is_kept {
            let whose =
                only.map_or_else(|| "no peer has".to_owned(), |peer| format!("peer {} has no", shown(peer)));
            return Err(ControlError::Refused {
                message: format!("{whose} session whose routes are kept as they came"),
                hint: Some("set `keep-received = true` for it".to_owned()),
            });
        }
        Ok(collector.finish())
    }

    /// One step of the walk over the routes of a peer; `None` if they are not kept.
    async fn rejected_from(
        &self,
        address: IpAddr,
        from: Option<Cursor>,
        mut collector: RouteCollector,
    ) -> Option<Walked> {
        let walk = move |peer: &mut Peer, _: Clock| {
            let next = step(peer, from, &mut collector)?;
            Some(Walked { collector, next })
        };
        self.peers.ask(address, walk).await?
    }
}

/// What a step found, all before it included, and where the next one begins.
struct Walked {
    collector: RouteCollector,
    next: Option<Cursor>,
}

/// Looks at the next routes of a peer; gives back where to go on, or nothing if they are not kept.
fn step(peer: &Peer, from: Option<Cursor>, collector: &mut RouteCollector) -> Option<Option<Cursor>> {
    let kept = peer.adj_rib_in()?;
    let address = peer.settings().address;
    let mut last = None;
    let mut seen = 0;
    for route in kept.iter(from).take(STEP) {
        seen += 1;
        last = Some(route.cursor());
        if route.taken.is_err() && collector.wants(&route.prefix) {
            collector.push(rows::received_row(address, &route));
        }
    }
    Some(last.filter(|_| seen == STEP))
}
