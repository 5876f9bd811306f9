//! Stopped anywhere, interfered with while at work, overrun by events: in the end all is as desired.

use std::task::Poll;

use futures::poll;
use tunnel::{Desired, Device, Event, Part, Tunnels};

use crate::namespace::{
    BOTH, addresses, converged, desired, in_sync, ip, link, mac, on_a_node, part, run, script, until, vxlan,
    vxlan6,
};

const HOSTS: [&str; 3] = ["192.0.2.2", "192.0.2.3", "fd00:1::2"];

fn wanted() -> Desired {
    let device = Device { address: Some("10.244.0.1/32".parse().unwrap()), ..vxlan() };
    Desired { filter_sources: true, ..desired(&[device, vxlan6()], &HOSTS) }
}

fn is_as_wanted() {
    let link = link("vxlan.bgp");
    assert_eq!((&link["mtu"], &link["address"]), (&1450.into(), &mac("192.0.2.1").into()));
    assert_eq!((&link["ifalias"], &link["flags"][2]), (&"bgp-tunnel".into(), &"UP".into()));
    assert_eq!(addresses("vxlan.bgp"), ["10.244.0.1/32"]);
    for (shown, right) in BOTH {
        assert_eq!(shown("vxlan.bgp"), right(&HOSTS[..2]));
        assert_eq!(shown("vxlan6.bgp"), right(&HOSTS[2..]));
    }
    assert!(run("nft", "list table inet bgp-tunnel").contains("192.0.2.2, 192.0.2.3"));
}

/// Lets it work until it yields for the `steps`th time, of which there is one after each message to the
/// kernel. `true` if all was done by then.
pub(crate) async fn stopped_after(steps: usize, desired: Desired) -> bool {
    let mut tunnels = Tunnels::open().unwrap();
    tunnels.set(desired);
    let mut taken = 0;
    loop {
        let mut next = Box::pin(tunnels.next());
        loop {
            match poll!(&mut next) {
                Poll::Ready(event) => match event.unwrap() {
                    Event::InSync => return true,
                    _ => break,
                },
                Poll::Pending => taken += 1,
            }
            if taken >= steps {
                return false;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn stopped_after_any_step_the_next_start_ends_in_what_is_desired() {
    on_a_node(|| async {
        let mut unfiltered = wanted();
        unfiltered.filter_sources = false;
        let mut steps = 1;
        // Made from nothing.
        while !stopped_after(steps, unfiltered.clone()).await {
            drop(converged(wanted()).await);
            is_as_wanted();
            drop(converged(Desired::default()).await);
            assert!(link("vxlan.bgp").is_null() && link("vxlan6.bgp").is_null());
            steps += 1;
        }
        // Two devices in seven steps or so each, and their hosts.
        assert!(steps > 12, "{steps}");
        // Changed into something else, and removed.
        let other = Device { kind: tunnel::Kind::Vxlan { vni: 7, port: 8472 }, mtu: Some(1300), ..vxlan() };
        for target in [desired(&[other], &["192.0.2.8"]), Desired::default()] {
            let mut steps = 1;
            loop {
                drop(converged(wanted()).await);
                let done = stopped_after(steps, target.clone()).await;
                drop(converged(wanted()).await);
                is_as_wanted();
                if done {
                    break;
                }
                steps += 1;
            }
        }
    });
}

#[test]
fn a_caller_that_drops_every_future_gets_there_too() {
    on_a_node(|| async {
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(wanted());
        loop {
            tokio::select! {
                biased;
                event = tunnels.next() => if event.unwrap() == Event::InSync { break },
                () = tokio::task::yield_now() => {}
            }
        }
        is_as_wanted();
    });
}

#[test]
fn interference_at_every_moment_ends_in_what_is_desired() {
    on_a_node(|| async {
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(wanted());
        let round = "link del vxlan.bgp\nlink set vxlan.bgp down\nlink set vxlan.bgp mtu 1234\n\
                     neigh flush dev vxlan.bgp nud permanent\naddr flush dev vxlan.bgp\n\
                     link set eth0 mtu 1400\nlink set eth0 mtu 1500\nlink set vxlan6.bgp down\n";
        let mut child = script(&round.repeat(50));
        while child.try_wait().unwrap().is_none() {
            let _ = tokio::time::timeout(std::time::Duration::from_millis(1), tunnels.next()).await;
        }
        // Whatever was told meanwhile: another word is awaited.
        tunnels.add_host("192.0.2.4".parse().unwrap());
        tunnels.remove_host("192.0.2.4".parse().unwrap());
        in_sync(&mut tunnels).await;
        is_as_wanted();
    });
}

#[test]
fn events_that_the_kernel_dropped_are_made_up_for() {
    on_a_node(|| async {
        let mut tunnels = converged(wanted()).await;
        // More events than fit, of which the last are about our device.
        let mut commands = String::new();
        for i in 0..20_000 {
            commands += &format!("link set eth0 alias {}\n", "x".repeat(200 + i % 2));
        }
        commands += "link set vxlan.bgp mtu 1234\nneigh flush dev vxlan.bgp nud permanent\n";
        let status = script(&commands).wait().unwrap();
        assert!(status.success());
        until(
            &mut tunnels,
            |event| matches!(event, Event::Repaired { part: of, .. } if *of == part("vxlan.bgp")),
        )
        .await;
        in_sync(&mut tunnels).await;
        is_as_wanted();
    });
}

#[test]
fn a_flush_of_everything_is_undone() {
    on_a_node(|| async {
        let mut tunnels = converged(wanted()).await;
        ip("link del vxlan.bgp");
        ip("link del vxlan6.bgp");
        run("nft", "flush ruleset");
        let mut left = vec![part("vxlan.bgp"), part("vxlan6.bgp"), Part::Filter];
        until(&mut tunnels, |event| {
            left.retain(|part| !matches!(event, Event::Repaired { part: of, .. } if of == part));
            left.is_empty()
        })
        .await;
        is_as_wanted();
    });
}

#[test]
fn nothing_happens_while_nothing_changes() {
    on_a_node(|| async {
        let mut tunnels = converged(wanted()).await;
        let before = cpu_ticks();
        let idle = tokio::time::timeout(std::time::Duration::from_secs(2), tunnels.next()).await;
        assert!(idle.is_err(), "{idle:?}");
        assert!(cpu_ticks() - before <= 1);
    });
}

/// User and system time of this thread, in ticks of 10 ms.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
