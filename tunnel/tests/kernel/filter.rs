//! The nftables table.

use serde_json::Value;
use tunnel::{Desired, DeviceError, Event, Part, Pool, Tunnels};

use crate::namespace::{
    converged, desired, in_sync, json, link, on_a_node, repaired, run, try_run, until, vxlan, vxlan6,
};

const HOSTS: [&str; 3] = ["192.0.2.2", "192.0.2.3", "fd00:1::2"];

fn filtered(hosts: &[&str]) -> Desired {
    let pool = |cidr: &str, nat_outgoing| Pool { cidr: cidr.parse().unwrap(), nat_outgoing };
    Desired {
        filter_sources: true,
        pools: vec![pool("10.244.0.0/16", true), pool("10.99.0.0/16", false), pool("fd00:244::/56", true)],
        ..desired(&[vxlan(), vxlan6()], hosts)
    }
}

/// The elements of a set of ours, sorted.
fn set(name: &str) -> Vec<String> {
    let shown = json("nft", &format!("-j list set inet bgp-tunnel {name}"));
    let objects = shown["nftables"].as_array().unwrap();
    let set = objects.iter().find_map(|object| object.get("set")).unwrap();
    let element = |element: &Value| match element.get("prefix") {
        Some(prefix) => format!("{}/{}", prefix["addr"].as_str().unwrap(), prefix["len"]),
        None => element.as_str().unwrap().to_owned(),
    };
    let mut all: Vec<String> =
        set["elem"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(element).collect();
    all.sort_unstable();
    all
}

fn rules() -> Vec<String> {
    let text = run("nft", "-s list table inet bgp-tunnel");
    text.lines().map(str::trim).filter(|line| line.contains("counter")).map(str::to_owned).collect()
}

fn table_exists() -> bool {
    try_run("nft", "list table inet bgp-tunnel").status.success()
}

const RULES: [&str; 4] = [
    "udp dport 4789 @th,96,24 0x1000 ip saddr != @hosts4 counter drop",
    "udp dport 4789 @th,96,24 0x1000 ip6 saddr != @hosts6 counter drop",
    "ip saddr @nat4 ip daddr != @pools4 counter masquerade",
    "ip6 saddr @nat6 ip6 daddr != @pools6 counter masquerade",
];

fn is_whole(hosts4: &[&str]) {
    assert_eq!(rules(), RULES);
    assert_eq!(
        (set("hosts4"), set("hosts6")),
        (hosts4.iter().map(|h| (*h).to_owned()).collect(), vec!["fd00:1::2".to_owned()])
    );
    assert_eq!(set("nat4"), ["10.244.0.0/16"]);
    assert_eq!(set("pools4"), ["10.244.0.0/16", "10.99.0.0/16"]);
    assert_eq!(
        (set("nat6"), set("pools6")),
        (vec!["fd00:244::/56".to_owned()], vec!["fd00:244::/56".to_owned()])
    );
}

#[test]
fn the_table_is_there_before_the_devices() {
    on_a_node(|| async {
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(filtered(&HOSTS));
        until(&mut tunnels, |event| *event == Event::Ready { part: Part::Filter }).await;
        assert!(link("vxlan.bgp").is_null());
        is_whole(&HOSTS[..2]);
        in_sync(&mut tunnels).await;
        assert!(!link("vxlan.bgp").is_null());
    });
}

#[test]
fn hosts_are_added_and_removed_without_touching_the_rest() {
    on_a_node(|| async {
        let mut tunnels = converged(filtered(&HOSTS)).await;
        let handle =
            || json("nft", "-a -j list table inet bgp-tunnel")["nftables"][1]["table"]["handle"].clone();
        let before = handle();
        tunnels.add_host("192.0.2.4".parse().unwrap());
        tunnels.remove_host("192.0.2.2".parse().unwrap());
        assert_eq!(in_sync(&mut tunnels).await, [Event::InSync]);
        is_whole(&["192.0.2.3", "192.0.2.4"]);
        assert_eq!(handle(), before);
        // A changed pool is a new table, in one transaction.
        tunnels.set(Desired { pools: Vec::new(), ..filtered(&["192.0.2.3", "fd00:1::2"]) });
        in_sync(&mut tunnels).await;
        assert_eq!(rules(), RULES[..2]);
    });
}

#[test]
fn what_others_do_to_the_table_is_undone() {
    on_a_node(|| async {
        let mut tunnels = converged(filtered(&HOSTS)).await;
        let commands = [
            "flush ruleset",
            "delete table inet bgp-tunnel",
            "flush table inet bgp-tunnel",
            "flush set inet bgp-tunnel hosts4",
            "add element inet bgp-tunnel hosts4 { 203.0.113.66 }",
            "delete element inet bgp-tunnel hosts4 { 192.0.2.2 }",
            "add rule inet bgp-tunnel input counter accept",
        ];
        for command in commands {
            run("nft", command);
            assert_eq!(repaired(&mut tunnels, &Part::Filter).await, "rules", "{command}");
            is_whole(&HOSTS[..2]);
        }
    });
}

#[test]
fn tables_of_others_are_not_touched_and_cause_nothing() {
    on_a_node(|| async {
        run("nft", "add table inet other");
        run("nft", "add chain inet other input { type filter hook input priority 0; }");
        let mut tunnels = converged(filtered(&HOSTS)).await;
        let table = || run("nft", "-a list table inet bgp-tunnel").lines().next().unwrap().to_owned();
        let before = table();
        run("nft", "add rule inet other input counter accept");
        run("nft", "add table ip bgp-tunnel");
        tunnels.add_host("192.0.2.4".parse().unwrap());
        assert_eq!(in_sync(&mut tunnels).await, [Event::InSync]);
        assert_eq!(table(), before);
        assert!(run("nft", "list table inet other").contains("accept"));
    });
}

#[test]
fn a_table_that_is_not_needed_goes() {
    on_a_node(|| async {
        let mut tunnels = converged(filtered(&HOSTS)).await;
        tunnels.set(desired(&[vxlan()], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        assert!(events.contains(&Event::Removed { part: Part::Filter }), "{events:?}");
        assert!(!table_exists());
        // Of an earlier run, too.
        tunnels.set(filtered(&HOSTS));
        in_sync(&mut tunnels).await;
        drop(tunnels);
        let _tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        assert!(!table_exists());
    });
}

/// Set for the run of the tests that has no `nft`.
const ALONE: &str = "TUNNEL_TEST_WITHOUT_NFT";

#[test]
fn without_nft_devices_are_not_made_and_the_error_names_the_package() {
    if std::env::var_os(ALONE).is_some() {
        return on_a_node(without_nft);
    }
    // The search path belongs to the process: this test again in another one, whose path has `ip` alone.
    let path = std::env::temp_dir().join(format!("tunnel-without-nft-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join("ip"))
        .find(|ip| ip.exists());
    std::os::unix::fs::symlink(found.expect("iproute2"), path.join("ip")).unwrap();
    let name = "filter::without_nft_devices_are_not_made_and_the_error_names_the_package";
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("PATH", &path)
        .env(ALONE, "1")
        .output()
        .unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

async fn without_nft() {
    let mut tunnels = Tunnels::open().unwrap();
    tunnels.set(filtered(&HOSTS));
    let events = in_sync(&mut tunnels).await;
    let said = format!("{events:?}");
    assert!(said.contains("NoNft") && said.contains("Unfiltered"), "{said}");
    assert!(DeviceError::NoNft.to_string().contains("apt-get install nftables"));
    assert!(link("vxlan.bgp").is_null());
    // Without a filter desired it is not missed.
    tunnels.set(desired(&[vxlan()], &HOSTS));
    in_sync(&mut tunnels).await;
    assert_eq!(link("vxlan.bgp")["ifalias"], "bgp-tunnel");
}
