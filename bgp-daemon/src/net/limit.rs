//! A bound on how often each source may try to connect, in bounded memory.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::Instant;

const SETS: usize = 1024;
const WAYS: usize = 4;

/// Token buckets for the sources of inbound connections: each may try `burst` times at once and then once per
/// `interval`.
///
/// Memory is bounded, 136 KiB for 4096 sources: the table is hashed with a random key into sets of four, and
/// the source that was quiet for longest gives its place to a new one. A flood from more sources than that is not held
/// back source by source; what bounds it is that only configured peers and ranges get past this point. An IPv6 source
/// is its /64, since one host can use all of it; a link-local one is itself. With [`Limiter::of_hosts`] each address is one.
#[derive(Debug)]
pub struct Limiter {
    hasher: RandomState,
    source_of: fn(IpAddr) -> IpAddr,
    interval: Duration,
    tolerance: Duration,
    /// Those that a source fell into.
    sets: Box<[Option<Box<[Bucket; WAYS]>>]>,
}

/// A bucket, as the time when it will be full again (GCRA): at or before now, nothing is missing from it.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    source: Option<IpAddr>,
    full_at: Instant,
}

impl Limiter {
    /// Buckets of `burst` attempts (at least one), refilled by one per `interval`.
    #[must_use]
    pub fn new(burst: u32, interval: Duration) -> Limiter {
        Limiter {
            hasher: RandomState::new(),
            source_of: network_of,
            interval,
            tolerance: interval.saturating_mul(burst.saturating_sub(1)),
            sets: vec![None; SETS].into_boxed_slice(),
        }
    }

    /// The same for those who are known by their addresses, of which a network has many.
    #[must_use]
    pub fn of_hosts(burst: u32, interval: Duration) -> Limiter {
        Limiter { source_of: |address| address, ..Limiter::new(burst, interval) }
    }

    /// Whether `source` may try now; if so, the attempt is counted.
    pub fn allow(&mut self, now: Instant, source: IpAddr) -> bool {
        let source = (self.source_of)(source);
        let (interval, tolerance) = (self.interval, self.tolerance);
        let Some(bucket) = self.bucket(source) else { return true };
        if bucket.source != Some(source) {
            *bucket = Bucket { source: Some(source), full_at: now };
        }
        let allowed = bucket.full_at.saturating_since(now) <= tolerance;
        if allowed {
            bucket.full_at = bucket.full_at.max(now) + interval;
        }
        allowed
    }

    /// The bucket of `source`, or the one of its set that it takes over.
    fn bucket(&mut self, source: IpAddr) -> Option<&mut Bucket> {
        let set = (self.hasher.hash_one(source) % SETS as u64) as usize;
        let rank = |b: &Bucket| (b.source != Some(source), b.source.is_some(), b.full_at);
        self.sets.get_mut(set)?.get_or_insert_default().iter_mut().min_by_key(|b| rank(b))
    }
}

/// One bucket for all who come, so many at once and then one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    full_at: Instant,
}

impl Rate {
    /// Whether one more may come now, if `most` may in a second (at least one); if so, it is counted.
    pub fn allow(&mut self, now: Instant, most: u32) -> bool {
        let second = Duration::from_secs(1);
        let interval = second / most.max(1);
        let allowed = self.full_at.saturating_since(now) <= second.saturating_sub(interval);
        if allowed {
            self.full_at = self.full_at.max(now) + interval;
        }
        allowed
    }
}

/// What is told apart: an IPv4 address, an IPv6 /64, or a neighbour on the link.
fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(a) if !a.is_unicast_link_local() => IpAddr::V6((u128::from(a) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn hosts_of_one_network_are_told_apart_if_they_are_to_be() {
        let (one, other): (IpAddr, IpAddr) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let tries = |mut limiter: Limiter| [one, other, other].map(|host| limiter.allow(at(0), host));
        assert_eq!(tries(Limiter::of_hosts(1, SECOND)), [true, true, false]);
        assert_eq!(tries(Limiter::new(1, SECOND)), [true, false, false]);
    }

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let mut limiter = Limiter::new(3, SECOND);
        let source = Ipv4Addr::new(10, 0, 0, 1).into();
        let allowed = |l: &mut Limiter, ms| l.allow(at(ms), source);
        assert_eq!([0, 0, 0, 0].map(|ms| allowed(&mut limiter, ms)), [true, true, true, false]);
        assert_eq!([999, 1000, 1001].map(|ms| allowed(&mut limiter, ms)), [false, true, false]);
        assert_eq!([9000, 9000, 9000, 9000].map(|ms| allowed(&mut limiter, ms)), [true, true, true, false]);
    }

    #[test]
    fn a_rate_is_for_all_together_and_fills_again_within_a_second() {
        let mut rate = Rate::default();
        let mut allowed = |ms| rate.allow(at(ms), 4);
        assert_eq!([0, 0, 0, 0, 0].map(&mut allowed), [true, true, true, true, false]);
        assert_eq!([249, 250, 251].map(&mut allowed), [false, true, false]);
        assert_eq!([5000, 5000, 5000, 5000, 5000].map(&mut allowed), [true, true, true, true, false]);
    }

    #[test]
    fn sources_do_not_share_a_bucket() {
        let mut limiter = Limiter::new(1, SECOND);
        assert!(limiter.allow(at(0), Ipv4Addr::new(10, 0, 0, 1).into()));
        assert!(!limiter.allow(at(0), Ipv4Addr::new(10, 0, 0, 1).into()));
        assert!(limiter.allow(at(0), Ipv4Addr::new(10, 0, 0, 2).into()));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_a_bucket_but_not_the_neighbours_on_a_link() {
        let mut limiter = Limiter::new(1, SECOND);
        let address = |host| IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, host));
        assert!(limiter.allow(at(0), address(1)));
        assert!(!limiter.allow(at(0), address(2)));
        let neighbour = |host| IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host));
        assert!(limiter.allow(at(0), neighbour(1)));
        assert!(limiter.allow(at(0), neighbour(2)));
    }

    #[test]
    fn a_flood_from_many_sources_keeps_the_table_as_it_is_and_new_sources_get_through() {
        let mut limiter = Limiter::new(1, SECOND);
        for host in 0..100_000u32 {
            assert!(limiter.allow(at(0), Ipv4Addr::from(0x0a00_0000 + host).into()));
        }
        let set = |set: &Option<Box<[Bucket; WAYS]>>| set.as_deref().map_or(0, size_of_val);
        let buckets: usize = limiter.sets.iter().map(set).sum();
        assert_eq!(size_of_val(&*limiter.sets) + buckets, 136 * 1024);
        assert!(limiter.allow(at(0), Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
