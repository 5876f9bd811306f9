//! How the load of a route is shared between its next hops: by the bandwidth of the links to them, where every path
//! says so in a Link Bandwidth community (draft-ietf-idr-link-bandwidth), else evenly.

use std::num::NonZeroU8;

use bgp_core::wire::Attributes;
use bgp_core::wire::community::Extended;

use crate::attributes::Attrs;
use crate::fault::{Fault, planted};
use crate::fib::FibNextHop;

/// Gives `next_hops` their weights. `shares` are the paths that they are of: where each leads, and its attributes.
pub(crate) fn weigh<'a>(next_hops: &mut [FibNextHop], shares: impl Iterator<Item = (FibNextHop, &'a Attrs)>) {
    if planted(Fault::BandwidthForgotten) {
        return;
    }
    let mut bandwidths = vec![0_u64; next_hops.len()];
    for (to, attrs) in shares {
        let Some(bandwidth) = link_bandwidth(attrs) else { return };
        let place = next_hops.iter().position(|hop| (hop.gateway, hop.link) == (to.gateway, to.link));
        if let Some(sum) = place.and_then(|place| bandwidths.get_mut(place)) {
            *sum = sum.saturating_add(bandwidth);
        }
    }
    for (hop, weight) in next_hops.iter_mut().zip(weights(&bandwidths)) {
        hop.weight = weight;
    }
}

/// Octets per second, if the route says so.
fn link_bandwidth(attrs: &Attrs) -> Option<u64> {
    let rate = Attributes::new(attrs.block()).extended_communities().find_map(|c| match c.meaning() {
        Extended::LinkBandwidth { rate, .. } => Some(f32::from_bits(rate.0)),
        _ => None,
    })?;
    // A cast keeps within what the number can hold.
    (rate >= 1.0).then_some(rate as u64)
}

/// Small numbers in the same proportion: exactly, where that is possible, as 10 and 1 for links of 10 and 1 Gbit/s.
fn weights(bandwidths: &[u64]) -> Vec<NonZeroU8> {
    const MOST: u64 = u8::MAX as u64;
    let common = bandwidths.iter().copied().fold(0, greatest_common_divisor).max(1);
    let largest = bandwidths.iter().copied().max().unwrap_or(1).max(1);
    let scaled = |bandwidth: &u64| match largest / common {
        0..=MOST => bandwidth / common,
        _ => (u128::from(*bandwidth) * u128::from(MOST) / u128::from(largest)) as u64,
    };
    let weight = |bandwidth| u8::try_from(scaled(bandwidth)).ok().and_then(NonZeroU8::new);
    bandwidths.iter().map(|bandwidth| weight(bandwidth).unwrap_or(NonZeroU8::MIN)).collect()
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(bandwidths: &[u64]) -> Vec<u8> {
        weights(bandwidths).into_iter().map(NonZeroU8::get).collect()
    }

    #[test]
    fn weights_are_in_the_proportion_of_the_bandwidths() {
        assert_eq!(weighed(&[1_250_000_000, 125_000_000]), [10, 1]);
        assert_eq!(weighed(&[7, 7, 7]), [1, 1, 1]);
        assert_eq!(weighed(&[300, 200]), [3, 2]);
    }

    #[test]
    fn what_has_no_small_proportion_comes_close_and_nobody_gets_nothing() {
        assert_eq!(weighed(&[1_000_003, 500_000]), [255, 127]);
        assert_eq!(weighed(&[u64::MAX, 1]), [255, 1]);
        assert_eq!(weighed(&[]), [0_u8; 0]);
    }
}
