//! Policy-routing rules of our protocol.

use fib_sync::{Rule, RuleEvent, RuleFamily, RuleSync};

use crate::namespace::{become_nobody, in_namespace, ip};

fn rules() -> Vec<Rule> {
    vec![
        Rule { from: Some("10.1.0.0/16".parse().unwrap()), ..Rule::new(RuleFamily::V4, 100, 1000) },
        Rule {
            to: Some("10.2.0.0/16".parse().unwrap()),
            input: Some("a".parse().unwrap()),
            ..Rule::new(RuleFamily::V4, 101, 254)
        },
        Rule { mark: Some((0x100, 0xff00)), ..Rule::new(RuleFamily::V6, 102, 77) },
        Rule {
            from: Some("fd01::/64".parse().unwrap()),
            input: Some("not-there-yet".parse().unwrap()),
            ..Rule::new(RuleFamily::V6, 103, 254)
        },
    ]
}

const SHOWN: [&str; 4] = [
    "100: from 10.1.0.0/16 lookup 1000 proto bgp",
    "101: from all to 10.2.0.0/16 iif a lookup main proto bgp",
    "102: from all fwmark 0x100/0xff00 lookup 77 proto bgp",
    "103: from fd01::/64 iif not-there-yet [detached] lookup main proto bgp",
];

/// All rules but the kernel's own.
fn shown() -> Vec<String> {
    let all = format!("{}{}", ip("-4 rule show"), ip("-6 rule show"));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    all.lines().map(words).filter(|line| !line.contains("proto kernel")).filter(|line| own(line)).collect()
}

fn own(line: &str) -> bool {
    let kernels = ["0:", "32766:", "32767:"];
    !kernels.iter().any(|priority| line.starts_with(priority))
}

async fn until(sync: &mut RuleSync, fits: impl Fn(&RuleEvent) -> bool) -> RuleEvent {
    loop {
        let event = sync.next().await.unwrap();
        if fits(&event) {
            return event;
        }
    }
}

async fn with(rules: Vec<Rule>) -> RuleSync {
    let mut sync = RuleSync::open(186).unwrap();
    sync.set(rules);
    until(&mut sync, |event| *event == RuleEvent::InSync).await;
    sync
}

#[test]
fn desired_rules_are_in_the_kernel_and_no_others_of_ours() {
    in_namespace(|| async {
        // One of an earlier run, and one of someone else's.
        ip("rule add from 10.9.0.0/16 lookup 9 priority 99 protocol 186");
        ip("rule add from 10.8.0.0/16 lookup 8 priority 98 protocol static");
        let mut sync = with(rules()).await;
        let foreign = "98: from 10.8.0.0/16 lookup 8 proto static";
        assert_eq!(shown(), [&[foreign][..], &SHOWN].concat());
        sync.set(rules().into_iter().skip(1));
        until(&mut sync, |event| *event == RuleEvent::InSync).await;
        assert_eq!(shown(), [&[foreign][..], &SHOWN[1..]].concat());
        // Stopping leaves them, the next one takes them over.
        drop(sync);
        let mut sync = with(rules()).await;
        assert_eq!(shown(), [&[foreign][..], &SHOWN].concat());
        sync.set([]);
        until(&mut sync, |event| *event == RuleEvent::InSync).await;
        assert_eq!(shown(), [foreign]);
    });
}

#[test]
fn what_others_do_to_our_rules_is_undone() {
    in_namespace(|| async {
        let mut sync = with(rules()).await;
        let commands = [
            ("rule del priority 100", 1),
            ("rule flush protocol bgp", 2),
            ("-6 rule flush protocol bgp", 2),
            ("rule add from 10.7.0.0/16 lookup 7 priority 97 protocol bgp", 1),
            ("rule add not from 10.1.0.0/16 lookup 1000 priority 105 protocol bgp", 1),
            ("-6 rule add fwmark 0x100/0xff00 ipproto tcp lookup 77 priority 106 protocol bgp", 1),
        ];
        for (command, rules) in commands {
            ip(command);
            let mut repaired = 0;
            // A flush is one message for each rule, between which they may come back.
            while repaired < rules {
                match until(&mut sync, |event| matches!(event, RuleEvent::Repaired { .. })).await {
                    RuleEvent::Repaired { rules } => repaired += rules,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(shown(), SHOWN, "{command}");
        }
    });
}

#[test]
fn foreign_rules_are_followed_by_nothing() {
    in_namespace(|| async {
        let mut sync = with(rules()).await;
        ip("rule add from 10.8.0.0/16 lookup 8 priority 98 protocol static");
        ip("rule del priority 98");
        ip("rule del priority 100");
        assert_eq!(sync.next().await.unwrap(), RuleEvent::Repaired { rules: 1 });
    });
}

#[test]
fn lost_events_are_made_up_for() {
    in_namespace(|| async {
        let mut sync = with(rules()).await;
        let churn: String = (0..4000)
            .map(|i| {
                format!(
                    "rule add priority {i} lookup 9 protocol 4\nrule del priority {i} protocol 4\n",
                    i = 1000 + i
                )
            })
            .collect();
        let mut child = crate::namespace::ip_script(&(churn + "rule del priority 100\n"));
        assert!(child.wait().unwrap().success());
        until(&mut sync, |event| matches!(event, RuleEvent::Repaired { .. })).await;
        assert_eq!(shown(), SHOWN);
    });
}

#[test]
fn a_rule_that_cannot_be_is_told_once() {
    in_namespace(|| async {
        let mixed = Rule { from: Some("fd00::/64".parse().unwrap()), ..rules()[0] };
        let mut sync = RuleSync::open(186).unwrap();
        sync.set([mixed, rules()[1]]);
        let event = sync.next().await.unwrap();
        let RuleEvent::Refused { rule, error } = &event else { panic!("{event:?}") };
        assert_eq!((*rule, error.errno), (mixed, libc::EAFNOSUPPORT));
        assert_eq!(sync.next().await.unwrap(), RuleEvent::InSync);
        assert_eq!(shown(), SHOWN[1..2]);
        ip("rule del priority 101");
        assert_eq!(sync.next().await.unwrap(), RuleEvent::Repaired { rules: 1 });
    });
}

#[test]
fn bad_protocols_and_missing_permission_are_said() {
    in_namespace(|| async {
        assert!(RuleSync::open(4).err().unwrap().to_string().contains("choose 5 to 255"));
        become_nobody();
        let mut sync = RuleSync::open(186).unwrap();
        sync.set(rules());
        assert!(sync.next().await.unwrap_err().to_string().contains("CAP_NET_ADMIN"));
    });
}
