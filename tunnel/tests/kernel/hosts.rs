//! Neighbours and FDB entries of the known hosts, and of nobody else.

use tunnel::Event;

use crate::namespace::{
    BOTH, converged, desired, entries, forwardings, in_sync, ip, mac, neighbours, on_a_node, part, repaired,
    resolved, run, vxlan, vxlan6,
};

const HOSTS: [&str; 3] = ["192.0.2.2", "192.0.2.3", "fd00:1::2"];

#[test]
fn hosts_come_and_go() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan(), vxlan6()], &HOSTS)).await;
        tunnels.add_host("192.0.2.4".parse().unwrap());
        tunnels.add_host("fd00:1::4".parse().unwrap());
        tunnels.remove_host("192.0.2.2".parse().unwrap());
        // Neither known nor desired: nothing happens.
        tunnels.remove_host("192.0.2.200".parse().unwrap());
        let events = in_sync(&mut tunnels).await;
        assert_eq!(events, [Event::InSync]);
        for (shown, right) in BOTH {
            assert_eq!(shown("vxlan.bgp"), right(&["192.0.2.3", "192.0.2.4"]));
            assert_eq!(shown("vxlan6.bgp"), right(&["fd00:1::2", "fd00:1::4"]));
        }
        tunnels.set(desired(&[vxlan(), vxlan6()], &["192.0.2.7"]));
        in_sync(&mut tunnels).await;
        for (shown, right) in BOTH {
            assert_eq!(shown("vxlan.bgp"), right(&["192.0.2.7"]));
            assert_eq!(shown("vxlan6.bgp"), right(&[]));
        }
    });
}

#[test]
fn what_others_do_to_entries_is_undone() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan(), vxlan6()], &HOSTS)).await;
        let (right, right6) = (mac("192.0.2.2"), mac("fd00:1::2"));
        let gateway6 = tunnel::vxlan_gateway("fd00:1::2".parse().unwrap());
        let changes = [
            ("ip", "neigh del 192.0.2.2 dev vxlan.bgp".to_owned()),
            ("ip", "neigh flush dev vxlan.bgp nud permanent".to_owned()),
            ("ip", "neigh replace 192.0.2.2 lladdr 02:00:00:00:00:01 dev vxlan.bgp nud permanent".to_owned()),
            ("ip", format!("neigh replace 192.0.2.2 lladdr {right} dev vxlan.bgp nud reachable")),
            ("ip", "neigh add 192.0.2.99 lladdr 02:00:00:00:00:01 dev vxlan.bgp nud permanent".to_owned()),
            ("bridge", format!("fdb del {right} dev vxlan.bgp dst 192.0.2.2")),
            ("bridge", format!("fdb replace {right} dev vxlan.bgp dst 192.0.2.66")),
            ("bridge", format!("fdb replace {right} dev vxlan.bgp dst 192.0.2.2 port 8472")),
            ("bridge", "fdb add 02:00:00:00:00:01 dev vxlan.bgp dst 192.0.2.2".to_owned()),
            // Flooding.
            ("bridge", "fdb append 00:00:00:00:00:00 dev vxlan.bgp dst 192.0.2.2".to_owned()),
            ("bridge", "fdb append 00:00:00:00:00:00 dev vxlan.bgp dst 192.0.2.66".to_owned()),
            ("ip", format!("neigh del {gateway6} dev vxlan6.bgp")),
            ("bridge", format!("fdb del {right6} dev vxlan6.bgp dst fd00:1::2")),
        ];
        for (program, arguments) in changes {
            let device = if arguments.contains("vxlan6") { "vxlan6.bgp" } else { "vxlan.bgp" };
            run(program, &arguments);
            assert_eq!(repaired(&mut tunnels, &part(device)).await, "neighbours", "{arguments}");
            in_sync(&mut tunnels).await;
            for (shown, right) in BOTH {
                assert_eq!(shown("vxlan.bgp"), right(&HOSTS[..2]), "{arguments}");
                assert_eq!(shown("vxlan6.bgp"), right(&HOSTS[2..]), "{arguments}");
            }
        }
    });
}

#[test]
fn neighbours_of_other_devices_are_not_ours() {
    on_a_node(|| async {
        let _tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        let mut tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        ip("neigh add 192.0.2.99 lladdr 02:00:00:00:00:01 dev eth0 nud permanent");
        ip("neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent");
        tunnels.add_host("192.0.2.4".parse().unwrap());
        assert_eq!(in_sync(&mut tunnels).await, [Event::InSync]);
        assert_eq!(neighbours("eth0").len(), 2);
    });
}

#[test]
fn thousands_of_hosts_are_no_burden() {
    on_a_node(|| async {
        let hosts: Vec<String> = (0..3000).map(|i| format!("198.18.{}.{}", i / 250, i % 250 + 1)).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let mut tunnels = converged(desired(&[vxlan()], &hosts)).await;
        assert_eq!(neighbours("vxlan.bgp"), resolved(&hosts));
        run("ip", "link set vxlan.bgp down");
        while neighbours("vxlan.bgp").len() < hosts.len() {
            in_sync(&mut tunnels).await;
        }
        assert_eq!(forwardings("vxlan.bgp"), entries(&hosts));
    });
}
