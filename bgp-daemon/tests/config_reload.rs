//! What a configuration resolves to, how it is shown, and what a changed one costs.

#![cfg(test)]

use std::net::IpAddr;

use bgp_core::{PeerKind, RouterId};
use bgp_daemon::config::{
    Changes, Config, DaemonKind, Impact, PeerOptions, Policy, Selector, diff, reload_table,
};
use bgp_rib::NextHopRule;

fn reflector(text: &str) -> Config {
    Config::parse(text, "rr.toml", DaemonKind::Reflector).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

fn changes(old: &str, new: &str) -> Changes {
    diff(&reflector(old), &reflector(new))
}

const SMALLEST: &str = "asn = 64512\n[[clients]]\nrange = \"10.0.0.0/24\"\n";

#[test]
fn three_lines_are_a_reflector() {
    let config = reflector(SMALLEST);
    let [client] = config.peers.as_slice() else { panic!("one client") };
    assert!(client.client && client.passive && client.enabled);
    assert_eq!(
        (client.kind, client.import.clone(), client.max_sessions),
        (PeerKind::Internal, Policy::Accept, 1024)
    );
    assert_eq!(config.api.socket.to_str(), Some("/run/bgp/route-reflector.sock"));
    assert_eq!(config.router_id, None);
    assert!(config.fib.is_none() && config.warnings.is_empty());
}

#[test]
fn an_address_that_is_listened_on_is_the_router_id() {
    let config = reflector("asn = 64512\nlisten = [\"0.0.0.0:179\", \"10.0.0.9:179\"]\n");
    assert_eq!(config.router_id, Some(RouterId(0x0a00_0009)));
    assert_eq!(config.cluster_id(RouterId(0x0a00_0009)).to_string(), "10.0.0.9");
}

#[test]
fn an_external_peer_passes_nothing_unless_told_to() {
    let config = reflector("asn = 64512\n[[peers]]\naddress = \"192.0.2.1\"\nasn = 64513\n");
    let peer = &config.peers[0];
    assert_eq!(
        (peer.kind, peer.import.clone(), peer.export.clone()),
        (PeerKind::External, Policy::Reject, Policy::Reject)
    );
    assert_eq!(config.warnings.len(), 2);
}

#[test]
fn a_connection_belongs_to_its_address_then_to_the_longest_range() {
    let config = reflector(
        "asn = 64512\n[[clients]]\nrange = \"10.0.0.0/8\"\n[[clients]]\nrange = \"10.1.0.0/16\"\n\
         [[peers]]\naddress = \"10.1.0.1\"\n",
    );
    let entry = |a: &str| config.peer_for(a.parse().unwrap()).map(|p| p.selector.to_string());
    assert_eq!(entry("10.1.0.1").as_deref(), Some("10.1.0.1"));
    assert_eq!(entry("10.1.0.2").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(entry("10.2.0.1").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(entry("11.0.0.1"), None);
}

#[test]
fn the_trial_needs_no_file() {
    let config = Config::trial().unwrap();
    assert_eq!(config.listen, ["127.0.0.1:1179".parse().unwrap()]);
    assert_eq!(config.peers[0].selector.to_string(), "127.0.0.0/8");
}

#[test]
fn the_effective_configuration_says_where_every_value_comes_from() {
    let config = reflector(
        "asn = 64512\n[[clients]]\naddress = \"10.0.0.2\"\npassword = \"s3cret\"\n[log]\nlevel = \"debug\"\n",
    );
    let shown = config.effective();
    let line = |start: &str| {
        let line = shown.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("asn"), "asn = 64512 # line 1");
    assert_eq!(line("hold-time"), "hold-time = 90 # default");
    assert_eq!(line("address"), "address = \"10.0.0.2\" # line 3");
    assert_eq!(line("# password:"), "# password: set, not shown # line 4");
    assert_eq!(line("# router-id"), "# router-id: the lowest global IPv4 address of the host # default");
    assert_eq!(line("level"), "level = \"debug\" # line 6");
    assert!(!shown.contains("s3cret") && !format!("{config:?}").contains("s3cret"));
}

#[test]
fn the_effective_configuration_is_a_configuration_of_the_same_values() {
    for daemon in [DaemonKind::Reflector, DaemonKind::Speaker] {
        let text = "asn = 64512\nrouter-id = \"10.0.0.1\"\n[[peers]]\naddress = \"10.0.0.2\"\nname = \"a\\\"b\"\n\
                    [announce]\nprefixes = [\"10.244.0.0/26\", \"fd00::/64\"]\n";
        let config = Config::parse(text, "x.toml", daemon).unwrap();
        let again = Config::parse(&config.effective(), "x.toml", daemon).unwrap();
        assert!(diff(&config, &again).is_empty(), "{:?}", diff(&config, &again));
    }
}

/// A peer whose routes pass a filter, with every key that a term may have.
const FILTERED: &str = r#"
asn = 64512
router-id = "10.0.0.1"
add-path = "both"
advertise = 4
max-bytes = 5_000_000_000

[[prefix-lists]]
name = "pods"
prefixes = ["10.244.0.0/16 ge 24 le 28", "fd00::/48"]

[[filters]]
name = "from-nodes"
otherwise = "reject"
[[filters.terms]]
name = "pods"
prefixes = ["pods", "10.96.0.0/12 le 32"]
families = ["ipv4"]
communities = ["64512:*", "no-export"]
extended-communities = ["rt:64512:7"]
large-communities = ["64512:1:2"]
next-hops = ["10.0.0.0/24", "10.0.1.1"]
as-path = ["^64513 .* 64999$"]
as-path-length = "le 5"
local-pref = "ge 50 le 200"
med = 0
origins = ["igp", "incomplete"]
sources = ["client", "external"]
set-local-pref = 200
set-med = "none"
set-link-bandwidth = "2500M"
add-to-med = -5
set-next-hop = "10.0.0.7"
prepend = { asn = 64513, times = 2 }
set-large-communities = []
remove-communities = ["64512:*"]
add-communities = ["64512:2"]
add-extended-communities = ["rt:64512:8"]
action = "accept"
[[filters.terms]]
set-med = 0
prepend = 3
set-next-hop = "10.0.0.1"

[[aggregates]]
prefix = "10.244.0.0/16"
summary-only = true

[[peers]]
address = "10.0.0.2"
import = "from-nodes"
next-hop = ["10.0.0.1", "fd00::1"]
max-paths = 8
keep-received = true
[[peers]]
address = "10.0.0.3"
graceful-restart = false
next-hop-self = true
"#;

#[test]
fn filters_and_options_come_back_from_what_is_shown() {
    let config = reflector(FILTERED);
    let again = reflector(&config.effective());
    assert!(diff(&config, &again).is_empty(), "{:?}", diff(&config, &again));
    assert_eq!(config.filters, again.filters);
    assert_eq!(config.peers, again.peers);
    let [filter] = config.filters.as_slice() else { panic!("one filter") };
    assert_eq!((filter.terms().len(), filter.terms()[1].name.as_str()), (2, "2"));
    assert_eq!(config.peers[0].import, Policy::Filter(filter.clone()));
}

#[test]
fn other_aggregates_count_at_once() {
    let aggregate = "[[aggregates]]\nprefix = \"10.244.0.0/16\"\n";
    let changes = changes(SMALLEST, &format!("{SMALLEST}{aggregate}"));
    let told: Vec<String> = changes.global.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["aggregates.prefix: [] -> [10.244.0.0/16] (live)"]);
}

#[test]
fn the_examples_of_filters_are_taken_without_a_word() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/filters.md");
    let page = std::fs::read_to_string(page).unwrap();
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let config = reflector(example);
        assert!(config.warnings.is_empty(), "{}", config.warnings[0]);
    }
}

#[test]
fn options_are_inherited_from_the_top_of_the_file() {
    let config = reflector(
        "asn = 64512\nrestart-time = 60\nmax-prefix = 9\n[[clients]]\naddress = \"10.0.0.2\"\n\
         [[clients]]\naddress = \"10.0.0.3\"\nmax-prefix = 0\nlong-lived-time = 3600\n",
    );
    let options = |peer: usize| config.peers[peer].options;
    assert_eq!(
        (options(0).restart_time, options(0).max_prefix, options(0).long_lived_time),
        (60, Some(9), None)
    );
    assert_eq!((options(1).restart_time, options(1).max_prefix), (60, None));
    assert_eq!(options(1).long_lived_time, Some(3600));
    let defaults = PeerOptions { restart_time: 60, max_prefix: Some(9), ..PeerOptions::default() };
    assert_eq!(config.options, defaults);
}

#[test]
fn a_filter_with_other_terms_is_another_filter() {
    let old = reflector(FILTERED);
    let new = reflector(&FILTERED.replace("set-local-pref = 200", "set-local-pref = 100"));
    let [change] = diff(&old, &new).peers_changed.try_into().unwrap();
    assert_eq!(change.peer.selector.to_string(), "10.0.0.2");
    let told: Vec<String> = change.changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, [r#"peers.import: "from-nodes" -> "from-nodes" with other terms (refresh)"#]);
    let renamed = reflector(&FILTERED.replace("\"pods\"", "\"pod-prefixes\""));
    assert_eq!(diff(&old, &renamed).peers_changed.len(), 1, "a term's name is told by `bgp explain`");
}

#[test]
fn spelling_out_a_default_or_reordering_changes_nothing() {
    let reordered = "families = [\"ipv6\", \"ipv4\"]\nhold-time = 90\nasn = 64_512\n\
                     clients = [{ max-sessions = 1024, range = \"10.0.0.0/24\" }]\n";
    assert!(changes(SMALLEST, reordered).is_empty());
}

#[test]
fn peers_come_and_go_without_touching_the_others() {
    let new = "asn = 64512\n[[clients]]\naddress = \"10.0.0.2\"\n";
    let changes = changes(SMALLEST, new);
    assert_eq!(changes.peers_added[0].selector, Selector::Address(IpAddr::from([10, 0, 0, 2])));
    assert_eq!(changes.peers_removed[0].to_string(), "10.0.0.0/24");
    assert!(changes.peers_changed.is_empty() && changes.global.is_empty());
}

#[test]
fn a_change_costs_what_the_table_says() {
    let with = |key: &str| format!("asn = 64512\n[[clients]]\naddress = \"10.0.0.2\"\n{key}\n");
    let cost = |key: &str| {
        let changes = changes(&with(""), &with(key));
        assert_eq!(changes.peers_changed.len(), 1, "{key}");
        changes.peers_changed[0].impact()
    };
    assert_eq!(cost("name = \"node-7\""), Impact::Live);
    assert_eq!(cost("allowed-prefixes = [\"10.244.0.0/16\"]"), Impact::Refresh);
    assert_eq!(cost("password = \"s3cret\""), Impact::SessionReset);
    let moved = changes(&with(""), "asn = 64512\n[[peers]]\naddress = \"10.0.0.2\"\n");
    assert_eq!(moved.peers_changed[0].changes[0].to_string(), "peers.client: true -> false (session-reset)");
}

#[test]
fn another_default_reaches_the_peers_that_have_none_of_their_own() {
    let changes = changes(SMALLEST, &format!("hold-time = 30\n{SMALLEST}"));
    assert_eq!(changes.global.iter().map(|c| c.impact).max(), Some(Impact::Live));
    assert_eq!(changes.peers_changed[0].changes[0].to_string(), "peers.hold-time: 90 -> 30 (session-reset)");
}

#[test]
fn a_send_hold_time_is_shown_and_changes_live() {
    let with = |line: &str| format!("asn = 64512\n[[clients]]\naddress = \"10.0.0.2\"\n{line}");
    let shown = |line: &str| {
        let shown = reflector(&with(line)).effective();
        let line = shown.lines().find(|line| line.contains("send-hold-time")).unwrap_or_default().to_owned();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(""), "# send-hold-time: 480, or twice the hold time # default");
    assert_eq!(shown("send-hold-time = 180"), "send-hold-time = 180 # line 4");
    assert_eq!(shown("send-hold-time = 0"), "send-hold-time = 0 # line 4");
    let changes = changes(&with("send-hold-time = 0"), &with("send-hold-time = 91"));
    let change = &changes.peers_changed[0].changes[0];
    assert_eq!(change.to_string(), "peers.send-hold-time: 0 -> 91 (live)");
}

#[test]
fn a_changed_password_is_noticed_and_not_shown() {
    let with = |password: &str| {
        format!("asn = 64512\n[[clients]]\naddress = \"10.0.0.2\"\npassword = \"{password}\"\n")
    };
    let changes = changes(&with("one"), &with("two"));
    let change = &changes.peers_changed[0].changes[0];
    assert_eq!(change.to_string(), "peers.password: (hidden) -> (hidden) (live)");
}

#[test]
fn keys_of_tcp_ao_are_shown_without_their_secrets_and_a_change_is_a_new_session() {
    let with = |first: &str, second: &str| {
        let key = |id, more: &str, key: &str| {
            format!("[[clients.tcp-ao]]\nid = {id}\n{more}algorithm = \"hmac-sha-1-96\"\nkey = \"{key}\"\n")
        };
        let keys = key(1, "", first) + &key(2, "receive-id = 3\n", second);
        format!("asn = 64512\n[[clients]]\nrange = \"10.0.0.0/24\"\n{keys}")
    };
    let config = reflector(&with("s3cret", "geheim"));
    let shown = config.effective();
    let line = shown.lines().find(|line| line.contains("tcp-ao")).unwrap_or_default();
    let keys = "1/1 hmac-sha-1-96 (hidden), 2/3 hmac-sha-1-96 (hidden)";
    assert_eq!(line, format!("# tcp-ao: {keys} # line 4"));
    for text in [shown, format!("{config:?}")] {
        assert!(!text.contains("s3cret") && !text.contains("geheim"), "{text}");
    }
    let changes = changes(&with("s3cret", "geheim"), &with("s3cret", "secret"));
    let change = &changes.peers_changed[0].changes[0];
    assert_eq!(change.to_string(), format!("peers.tcp-ao: {keys} -> {keys} (session-reset)"));
}

#[test]
fn the_keys_of_a_peer_win_over_the_password_of_its_group() {
    let config = reflector(
        "asn = 64512\n[[groups]]\nname = \"md5\"\npassword = \"s3cret\"\n[[clients]]\naddress = \"10.0.0.2\"\n\
         group = \"md5\"\ntcp-ao = [{ id = 1, algorithm = \"aes-128-cmac-96\", key = \"s3cret\" }]\n",
    );
    let peer = &config.peers[0];
    assert_eq!((peer.password.is_some(), peer.tcp_ao[0].receive_id), (false, 1));
}

#[test]
fn announced_prefixes_are_compared_one_by_one() {
    let with = |prefixes: &str| format!("asn = 64512\n[announce]\nprefixes = [{prefixes}]\n");
    let changes =
        changes(&with("\"10.0.0.0/26\", \"10.0.1.0/26\""), &with("\"10.0.2.0/26\", \"10.0.0.0/26\""));
    assert_eq!(
        (changes.announced[0].to_string(), changes.withdrawn[0].to_string()),
        ("10.0.2.0/26".to_owned(), "10.0.1.0/26".to_owned())
    );
    assert!(changes.global.is_empty() && changes.need_restart().next().is_none());
}

#[test]
fn what_needs_a_restart_is_named() {
    let changes = changes(SMALLEST, &SMALLEST.replace("64512", "64513"));
    let named: Vec<String> = changes.need_restart().map(ToString::to_string).collect();
    assert_eq!(named, ["asn: 64512 -> 64513 (restart)"]);
}

/// A speaker with every key about pools set.
const POOLED: &str = r#"
asn = 64512
router-id = "10.0.0.5"
[node]
address = "192.0.2.5"
address6 = "2001:db8::5"
labels = { rack = "a", "topology.kubernetes.io/zone" = "eu-1" }
[[pools]]
cidr = "10.244.0.0/16"
ipip-mode = "cross-subnet"
nat-outgoing = true
node-selector = "rack == 'a' && !has(drained)"
[[pools]]
cidr = "fd00:244::/48"
block-size = 120
vxlan-mode = "always"
[tunnels]
ipip-device = "ipip0"
vxlan-device = "vx4"
vxlan6-device = "vx6"
vxlan-vni = 1
vxlan-port = 8472
ipip-address = "10.244.1.1"
vxlan-address = "10.244.1.2"
vxlan6-address = "fd00:244::1"
mtu = 1400
checksum-offload = false
filter-sources = false
switch-delay = 0
[fib]
source = ["192.0.2.5", "2001:db8::5"]
"#;

fn speaker(text: &str) -> Config {
    Config::parse(text, "x.toml", DaemonKind::Speaker).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

#[test]
fn pools_and_tunnels_come_back_from_what_is_shown() {
    let config = speaker(POOLED);
    let shown = config.effective();
    let again = speaker(&shown);
    assert_eq!((&config.network, config.fib), (&again.network, again.fib));
    assert!(diff(&config, &again).is_empty(), "{:?}", diff(&config, &again));
    for line in [
        "labels = { rack = \"a\", \"topology.kubernetes.io/zone\" = \"eu-1\" } # line 7",
        "block-size = 26                              # default",
        "node-selector = \"rack == 'a' && !has(drained)\" # line 12",
        "# mtu: the uplink's less 20, 50 or 70        # default",
    ] {
        let shown = if line.starts_with('#') { speaker("asn = 64512\n").effective() } else { shown.clone() };
        assert!(shown.lines().any(|other| other == line), "{line}\n{shown}");
    }
}

#[test]
fn a_pools_changes_count_at_once_and_name_it() {
    let told = |old: &str, new: &str| -> Vec<String> {
        let changes = diff(&speaker(POOLED), &speaker(&POOLED.replace(old, new)));
        changes.global.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told("\"cross-subnet\"", "\"always\""),
        [r#"pools.ipip-mode: 10.244.0.0/16 "cross-subnet" -> "always" (live)"#]
    );
    assert_eq!(
        told("10.244.0.0/16", "10.96.0.0/16"),
        ["pools.cidr: (none) -> 10.96.0.0/16 (live)", "pools.cidr: 10.244.0.0/16 -> (none) (live)"]
    );
    assert_eq!(told("rack == 'a' &&", "rack==\\\"a\\\"  &&"), [""; 0], "spelled otherwise, and the same");
    assert_eq!(told("switch-delay = 0", "switch-delay = 60"), ["tunnels.switch-delay: 0 -> 60 (live)"]);
    assert_eq!(
        told("address = \"192.0.2.5\"", ""),
        [r#"node.address: "192.0.2.5" -> (of the interface that the default route leaves by) (live)"#]
    );
    assert_eq!(told("vxlan-vni = 1", "vxlan-vni = 2"), ["tunnels.vxlan-vni: 1 -> 2 (restart)"]);
}

#[test]
fn a_collector_changes_alone_and_before_the_policy_needs_routes_that_are_kept() {
    let with = |bmp: &str| reflector(&format!("asn = 1\n[[clients]]\naddress = \"10.0.0.1\"\n{bmp}"));
    let one = "[[bmp]]\naddress = \"192.0.2.9:1\"\n";
    let two = "[[bmp]]\naddress = \"192.0.2.8:1\"\nmonitor = [\"pre-policy\"]\n";
    let told = |old: &str, new: &str| -> Vec<String> {
        diff(&with(old), &with(new)).global.iter().map(ToString::to_string).collect()
    };
    let both = format!("{one}{two}");
    assert_eq!(told(one, &both), ["bmp.address: (none) -> 192.0.2.8:1 (live)"]);
    assert_eq!(told(&both, two), ["bmp.address: 192.0.2.9:1 -> (none) (live)"]);
    let other = format!("{one}statistics-interval = 9\n");
    assert_eq!(told(one, &other), ["bmp.statistics-interval: 192.0.2.9:1 300 -> 9 (live)"]);
    assert!(!with(one).peers[0].options.keep_received && with(two).peers[0].options.keep_received);
}

#[test]
fn every_key_has_a_row_in_the_reload_table() {
    for daemon in [DaemonKind::Reflector, DaemonKind::Speaker] {
        let text = "asn = 1\n[[peers]]\naddress = \"10.0.0.1\"\nasn = 2\n[[peers]]\nrange = \"10.0.0.0/8\"\n\
                    [[bmp]]\naddress = \"192.0.2.9:11019\"\n[mrt]\ndirectory = \"/mrt\"\n";
        let text = if daemon == DaemonKind::Speaker {
            format!("{text}[[pools]]\ncidr = \"10.244.0.0/16\"\n")
        } else {
            text.to_owned()
        };
        let mut section = String::new();
        for line in Config::parse(&text, "x.toml", daemon).unwrap().effective().lines() {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
                continue;
            }
            let key = line.trim_start_matches("# ").split([' ', ':']).next().unwrap_or_default();
            if key.is_empty() || key == "address" || key == "range" {
                continue;
            }
            assert!(reload_table().iter().any(|(s, k, _)| *s == section && *k == key), "{section} {key}");
        }
    }
}

#[test]
fn a_peer_has_the_keys_of_its_group_and_of_the_groups_above_but_its_own_first() {
    let config = reflector(
        "asn = 64512\nhold-time = 60\n\
         [[groups]]\nname = \"fabric\"\nhold-time = 30\nport = 1179\npassword = \"s3cret\"\nnext-hop = \"unchanged\"\n\
         [[groups]]\nname = \"tor\"\ngroup = \"fabric\"\nasn = 64513\nimport = \"accept\"\nexport = \"accept\"\nmax-sessions = 7\n\
         [[peers]]\naddress = \"10.0.0.2\"\ngroup = \"tor\"\nhold-time = 9\n\
         [[peers]]\nrange = \"10.1.0.0/24\"\nname = \"pods\"\ngroup = \"tor\"\nnext-hop-self = true\n\
         [[clients]]\naddress = \"10.0.0.3\"\n",
    );
    let [peer, range, other] = config.peers.as_slice() else { panic!("three peers") };
    assert_eq!((peer.hold_time, peer.asn.0, peer.port, peer.name.as_deref()), (9, 64513, 1179, None));
    assert_eq!((range.hold_time, range.max_sessions, range.passive), (30, 7, true));
    assert!(peer.password.is_some() && range.password.is_some());
    assert_eq!((range.name.as_deref(), range.group.as_deref()), (Some("pods"), Some("tor")));
    assert_eq!(range.options.next_hop, NextHopRule::OwnForExternal, "the peer's own form of the key wins");
    assert_eq!((other.hold_time, other.group.as_deref()), (60, None));
    assert_eq!(config.warnings.len(), 0, "{:?}", config.warnings);

    let shown = config.effective();
    let lines = shown.lines().filter(|line| line.starts_with("hold-time"));
    let origins: Vec<&str> = lines.filter_map(|line| line.split("# ").nth(1)).collect();
    assert_eq!(origins, ["line 2", "line 19", "line 5", "default"]);
}

#[test]
fn a_key_of_a_group_is_a_change_of_its_peers() {
    let text = |hold: u32| {
        format!(
            "asn = 64512\n[[groups]]\nname = \"tor\"\nhold-time = {hold}\n\
             [[clients]]\naddress = \"10.0.0.2\"\ngroup = \"tor\"\n\
             [[clients]]\naddress = \"10.0.0.3\"\ngroup = \"tor\"\nhold-time = 9\n"
        )
    };
    let found = changes(&text(30), &text(31));
    let [changed] = found.peers_changed.as_slice() else { panic!("one peer: {found:?}") };
    assert_eq!(changed.peer.selector.to_string(), "10.0.0.2");
    assert_eq!(changed.impact(), Impact::SessionReset);
    assert!(found.global.is_empty());
}

#[test]
fn a_peer_is_watched_by_the_timers_of_its_profile() {
    let text = |fast: u32, peer: &str| {
        format!(
            "asn = 64512\n[bfd]\nmultiplier = 5\n[[bfd.profiles]]\nname = \"fast\"\ninterval = {fast}\n\
             [[clients]]\naddress = \"10.0.0.2\"\nbfd = {peer}\n[[clients]]\naddress = \"10.0.0.3\"\n"
        )
    };
    let config = reflector(&text(100, "\"fast\""));
    let timers = |peer: usize| {
        let bfd = config.peers[peer].bfd.as_ref()?;
        let timers = bfd.settings.timers;
        Some((timers.interval.as_millis(), timers.multiplier.get()))
    };
    assert_eq!((timers(0), timers(1)), (Some((100, 5)), None));
    let shown = config.effective();
    assert!(shown.contains("bfd = \"fast\"") && shown.contains("bfd = false"), "{shown}");
    assert_eq!(reflector(&shown).bfd, config.bfd, "the text is itself a configuration");

    let found = changes(&text(100, "\"fast\""), &text(50, "\"fast\""));
    let [changed] = found.peers_changed.as_slice() else { panic!("one peer: {found:?}") };
    assert_eq!(changed.impact(), Impact::Live);
    let told = found.global.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told, ["bfd.profiles: [fast: 5 x 100 ms, auto] -> [fast: 5 x 50 ms, auto] (live)"]);
    let found = changes(&text(100, "\"fast\""), &text(100, "true"));
    assert_eq!(found.peers_changed[0].changes[0].to_string(), "peers.bfd: \"fast\" -> true (live)");
}
