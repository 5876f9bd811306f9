//! Many routes at once.

use fib_sync::{FibConfig, IpNetwork};

use crate::namespace::{RouteCounts, RouteEvents, in_namespace, in_sync, ip, open, open_with, ours};

fn prefixes(count: u32) -> Vec<IpNetwork> {
    let v4 =
        (0..count / 2).map(|i| IpNetwork::new((0x1400_0000 + (i << 8)).to_be_bytes().into(), 24).unwrap());
    let v6 = (0..count / 2).map(|i| {
        let [a, b, c, d] = i.to_be_bytes();
        IpNetwork::new([0xfd, 1, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into(), 64).unwrap()
    });
    v4.chain(v6).collect()
}

fn route(prefix: IpNetwork, last: u16) -> fib_sync::Route {
    let gateway = if prefix.is_ipv4() { format!("10.0.1.{last}") } else { format!("fd00:1::{last}") };
    fib_sync::Route::via(prefix, [gateway.parse().unwrap()])
}

#[test]
fn ten_thousand_routes_come_change_are_flushed_repaired_adopted_and_go() {
    in_namespace(|| async {
        let prefixes = prefixes(10_000);
        // Plain routes: `ip route flush` is refused where routes name nexthop objects.
        let plain = FibConfig { nexthop_objects: None, ..FibConfig::default() };
        let mut fib = open_with(plain).await;
        for last in [2, 3] {
            prefixes.iter().for_each(|prefix| fib.set(route(*prefix, last)));
            assert_eq!(fib.stats().pending, 10_000);
            in_sync(&mut fib).await;
        }
        assert_eq!(ours().len(), 10_000);
        assert_eq!((fib.stats().add.ok, fib.stats().replace.ok), (10_000, 10_000));

        ip("route flush proto 186");
        while fib.stats().repairs < 5_000 {
            in_sync(&mut fib).await;
        }
        assert_eq!(fib.diff().unwrap(), []);

        drop(fib);
        let observer = RouteEvents::subscribe();
        let mut fib = open_with(plain).await;
        assert_eq!(fib.stats().routes, 10_000);
        prefixes.iter().for_each(|prefix| fib.set(route(*prefix, 3)));
        fib.finish_adoption();
        in_sync(&mut fib).await;
        assert_eq!(observer.count(), RouteCounts::default());

        prefixes.iter().for_each(|prefix| fib.remove(*prefix));
        in_sync(&mut fib).await;
        assert_eq!((ours().len(), fib.stats().routes, fib.stats().delete.ok), (0, 0, 10_000));
    });
}

#[test]
fn a_burst_of_changes_to_one_prefix_is_one_message() {
    in_namespace(|| async {
        let mut fib = open().await;
        let prefix = prefixes(2)[0];
        let observer = RouteEvents::subscribe();
        for last in 2..200 {
            fib.set(route(prefix, last));
        }
        assert_eq!(fib.stats().pending, 1);
        in_sync(&mut fib).await;
        assert_eq!(observer.count(), RouteCounts { new: 1, deleted: 0 });
        fib.remove(prefix);
        fib.set(route(prefix, 199));
        in_sync(&mut fib).await;
        assert_eq!(observer.count(), RouteCounts::default());
    });
}
