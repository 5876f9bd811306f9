//! The speaker's routes in a kernel of its own: a network namespace. Needs root.

use std::process::Command;

use crate::setup::{Daemon, Place, program, run};

#[test]
fn the_kernels_routes_are_counted_and_compared() {
    let place = Place::new();
    let text = "router-id = \"10.0.0.2\"\nlisten = []\n[announce]\nprefixes = [\"10.244.1.0/26\"]\n";
    let config = place.configure("node", text);
    let mut command = Command::new("unshare");
    let speaker =
        Daemon::start(command.arg("--net").arg(program("bgp-speaker")), &config, place.socket("node"));
    let in_namespace = |words: &str| {
        let pid = speaker.child.id().to_string();
        let ran = run(Command::new("nsenter").args(["--net", "--target", &pid]).args(words.split(' ')));
        assert_eq!(ran.code, 0, "{words}\n{}", ran.err);
        ran.out
    };
    let added = |count: u64| {
        let fib = speaker.json("fib");
        let done = fib["operations"][0].clone();
        assert_eq!((&done["op"], &done["result"]), (&"add".into(), &"ok".into()));
        (done["count"] == count).then_some(fib)
    };
    // Every question to the speaker is a turn of its loop.
    let until_added = |count| std::iter::repeat_with(|| added(count)).flatten().next().unwrap();

    assert_eq!(until_added(1)["routes"], 1);
    assert_eq!(speaker.ok("fib diff"), "no difference: 1 routes agree\n");
    assert_eq!(speaker.ok("tunnels"), "no tunnels: there are no [[pools]]\n");
    assert!(speaker.ok("status").contains("ready         yes\n"));
    speaker.ok("announce 10.244.2.0/26");
    assert_eq!(until_added(2)["repairs"], 0);
    assert!(
        speaker
            .ok("fib")
            .starts_with("routes        2\npending       0\nadd           2 ok, 0 refused, 0 conflict\n")
    );
    in_namespace("ip route delete blackhole 10.244.1.0/26 proto 186 metric 1024");
    assert_eq!(until_added(3)["repairs"], 1);
    assert!(in_namespace("ip route show 10.244.1.0/26").starts_with("blackhole 10.244.1.0/26"));
}

#[test]
fn tunnels_and_pools_are_shown_with_what_is_wrong() {
    let place = Place::new();
    let text = "router-id = \"10.0.0.2\"\nlisten = []\n[[pools]]\ncidr = \"10.244.0.0/16\"\nvxlan-mode = \"always\"\n\
                nat-outgoing = true\n[[pools]]\ncidr = \"fd00:244::/48\"\nnode-selector = \"has(rack)\"\n";
    let config = place.configure("node", text);
    let mut command = Command::new("unshare");
    let speaker =
        Daemon::start(command.arg("--net").arg(program("bgp-speaker")), &config, place.socket("node"));
    // Without an interface the node has no address, so that there is nothing for a tunnel to begin at.
    let failed = || Some(speaker.bgp("tunnels")).filter(|ran| ran.out.contains("failed"));
    let ran = std::iter::repeat_with(failed).flatten().next().unwrap();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..8], ["vxlan.bgp", "vxlan", "ipv4", "-", "-", "failed", "0", "the"]);
    assert_eq!(lines[4], ["10.244.0.0/16", "/26", "vxlan", "always", "-", "yes", "yes"]);
    assert_eq!(lines[5], ["fd00:244::/48", "/122", "never", "-", "no", "no"]);
    let unready = speaker.bgp("status").out;
    assert!(unready.contains("ready         no\n"), "{unready}");
    speaker.ok("announce 10.244.1.0/26");
    let refused = speaker.bgp("announce fd00:244::/122");
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("whose node-selector `has(rack)` does not match"), "{}", refused.err);
}
