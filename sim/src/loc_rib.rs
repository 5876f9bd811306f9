//! A router's Loc-RIB in the model's terms.

use std::collections::BTreeMap;

use bgp_core::wire::Attributes;
use bgp_core::{Family, Prefix};
use bgp_rib::table::DestId;
use bgp_rib::{PeerId, RouteView, SourceKind};
use bgp_router::Router;

use crate::oracle::{ModelRoute, ModelRouter};

/// The best route of every prefix.
#[must_use]
pub fn loc_rib(router: &Router, routers: &[ModelRouter]) -> BTreeMap<Prefix, ModelRoute> {
    let rib = router.core().rib();
    let mut best = BTreeMap::new();
    for family in [Family::IPV4_UNICAST] {
        let mut from = DestId::from_index(0);
        while let Some(route) = rib.next_route(family, from) {
            from = route.cursor();
            if let Some(chosen) = model_route(&route, routers) {
                best.insert(route.prefix, chosen);
            }
        }
    }
    best
}

fn model_route(route: &RouteView<'_>, routers: &[ModelRouter]) -> Option<ModelRoute> {
    let best = route.candidates().find(|candidate| candidate.best)?;
    let attributes = Attributes::new(best.path.attrs.block());
    let local = best.path.source == PeerId::LOCAL;
    let address = best.source.address;
    Some(ModelRoute {
        from: if local { None } else { routers.iter().position(|r| r.address == address) },
        external: best.source.kind == SourceKind::External,
        as_path: attributes.as_path().asns().collect(),
        next_hop: (!local).then(|| best.path.attrs.next_hop()),
        originator: best.path.attrs.summary().originator_id,
        clusters: attributes.cluster_list().collect(),
    })
}
