//! What we originate: prefixes of our own, and aggregates of what others announce.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::{AsSegment, Attributes, Origin, PathAttribute, Summary};
use bgp_core::{Instant, PeerKind, Prefix};
use bgp_rib::{Aggregate, Attrs};

use super::Core;

/// A prefix to announce while there is a route inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateSettings {
    /// The prefix.
    pub prefix: Prefix,
    /// The routes inside it are not announced meanwhile.
    pub summary_only: bool,
}

impl Core {
    /// Announces a prefix of our own.
    pub fn announce_local(&mut self, now: Instant, prefix: Prefix) {
        let attrs = self.local_attributes(prefix, &[]);
        self.rib.announce_local(now, prefix, attrs);
    }

    /// Withdraws a prefix of our own.
    pub fn withdraw_local(&mut self, now: Instant, prefix: Prefix) {
        self.rib.withdraw_local(now, prefix);
    }

    /// From now on these are the aggregates: see [`Rib::set_aggregates`](bgp_rib::Rib::set_aggregates). They carry
    /// ATOMIC_AGGREGATE, since they leave the paths of what they stand for out, and AGGREGATOR (RFC 4271 sections 5.1.6
    /// and 5.1.7).
    pub fn set_aggregates(&mut self, now: Instant, aggregates: &[AggregateSettings]) {
        let (asn, router) = self.us;
        let marks = [PathAttribute::AtomicAggregate, PathAttribute::Aggregator { asn, router }];
        let made = aggregates.iter().map(|aggregate| Aggregate {
            prefix: aggregate.prefix,
            summary_only: aggregate.summary_only,
            attrs: self.local_attributes(aggregate.prefix, &marks),
        });
        let made = made.collect();
        self.rib.set_aggregates(now, made);
    }

    /// ORIGIN IGP, an empty AS_PATH, and `more`. The next hop is ours: each group fills in its own (RFC 4271 section
    /// 5.1.3).
    fn local_attributes(&self, prefix: Prefix, more: &[PathAttribute]) -> Attrs {
        let mut block = Vec::new();
        PathAttribute::Origin(Origin::Igp).encode(&mut block);
        PathAttribute::AsPath(Vec::<AsSegment>::new()).encode(&mut block);
        more.iter().for_each(|attribute| attribute.encode(&mut block));
        let next_hop = match prefix {
            Prefix::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Prefix::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let summary = Summary::of(Attributes::new(&block));
        self.store.insert(PeerKind::Internal, next_hop, &[&block], summary)
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::wire::code;

    use crate::tests::rig::*;

    use super::*;

    #[test]
    fn an_aggregate_says_who_made_it_and_goes_with_the_last_route_inside() {
        let mut rig = Rig::new();
        let (a, b) = (rig.up(client(1)), rig.up(client(2)));
        let prefix = "10.0.0.0/8".parse().unwrap();
        rig.core.set_aggregates(rig.now, &[AggregateSettings { prefix, summary_only: true }]);
        rig.hear(a, &from_client(1, "10.1.0.0/16"));
        let routes = rig.sides[b].routes();
        assert_eq!(routes.into_iter().collect::<Vec<_>>(), [prefix], "the summary stands for it");
        let best = rig.core.rib().route(prefix).unwrap();
        let attributes = Attributes::new(best.paths[0].attrs.block());
        assert!(attributes.get(code::ATOMIC_AGGREGATE).is_some());
        assert_eq!(attributes.get(code::AGGREGATOR).unwrap().value.len(), 8);
        rig.hear(a, &withdraw("10.1.0.0/16"));
        assert!(rig.sides[b].routes().is_empty());
    }
}
