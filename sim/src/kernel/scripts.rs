//! Steps with their outcome that a kernel and the synchroniser in it have to go through alike, real or not.
//!
//! Every script starts on a host with the links `a` (10.0.1.1/24, fd00:1::1/64) and `b` (10.0.2.1/24, fd00:2::1/64),
//! whose far ends `a2` and `b2` are up.

/// One step.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Somebody runs `ip` with these arguments.
    Ip(&'static str),
    /// A route through these next hops is wanted.
    Set(&'static str, &'static [&'static str]),
    /// A route that drops packets is wanted.
    Blackhole(&'static str),
    /// No route is wanted.
    Remove(&'static str),
    /// All that is wanted has been said.
    FinishAdoption,
    /// The synchroniser ends and starts again.
    Restart,
    /// Our routes become these.
    Ours(&'static [&'static str]),
    /// An address becomes reachable at this metric over this link by this gateway, or not at all.
    Reach(&'static str, Option<(u32, &'static str, &'static str)>),
}

/// A script.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// What it shows, a sentence.
    pub name: &'static str,
    /// The steps.
    pub steps: &'static [Step],
}

use Step::{Blackhole, FinishAdoption, Ip, Ours, Reach, Remove, Restart, Set};

/// The host's links as `ip` makes them.
pub const HOST: [&str; 6] = [
    "link add name a type veth peer name a2",
    "link add name b type veth peer name b2",
    "addr add 10.0.1.1/24 dev a",
    "addr add 10.0.2.1/24 dev b",
    "-6 addr add fd00:1::1/64 dev a nodad",
    "-6 addr add fd00:2::1/64 dev b nodad",
];

const SHARED_V4: &str = "10.1.0.0/16 10.0.1.2@a 10.0.2.2@b";
const SHARED_V6: &str = "fd01::/64 fd00:1::2@a fd00:2::2@b";
const SET_SHARED_V4: Step = Set("10.1.0.0/16", &["10.0.1.2", "10.0.2.2"]);
const SET_SHARED_V6: Step = Set("fd01::/64", &["fd00:1::2", "fd00:2::2"]);

/// All of them.
pub const SCRIPTS: &[Script] = &[
    Script {
        name: "routes of both families come, change and go",
        steps: &[
            Set("10.1.0.0/16", &["10.0.1.2"]),
            Set("fd01::/64", &["fd00:1::2"]),
            Ours(&["10.1.0.0/16 10.0.1.2@a", "fd01::/64 fd00:1::2@a"]),
            SET_SHARED_V4,
            SET_SHARED_V6,
            Ours(&[SHARED_V4, SHARED_V6]),
            Blackhole("10.1.0.0/16"),
            Remove("fd01::/64"),
            Ours(&["10.1.0.0/16 blackhole"]),
            Set("10.1.0.0/16", &["10.0.2.2"]),
            Ours(&["10.1.0.0/16 10.0.2.2@b"]),
            Remove("10.1.0.0/16"),
            Ours(&[]),
        ],
    },
    Script {
        name: "what an earlier run left stays until adoption is finished",
        steps: &[
            SET_SHARED_V4,
            Set("10.2.0.0/16", &["10.0.1.2"]),
            Set("10.3.0.0/16", &["10.0.1.2"]),
            Set("fd03::/64", &["fd00:1::2"]),
            Blackhole("10.4.0.0/26"),
            Ours(&[
                SHARED_V4,
                "10.2.0.0/16 10.0.1.2@a",
                "10.3.0.0/16 10.0.1.2@a",
                "10.4.0.0/26 blackhole",
                "fd03::/64 fd00:1::2@a",
            ]),
            Restart,
            SET_SHARED_V4,
            Set("10.2.0.0/16", &["10.0.2.2"]),
            Remove("10.3.0.0/16"),
            Ours(&[
                SHARED_V4,
                "10.2.0.0/16 10.0.2.2@b",
                "10.3.0.0/16 10.0.1.2@a",
                "10.4.0.0/26 blackhole",
                "fd03::/64 fd00:1::2@a",
            ]),
            FinishAdoption,
            Ours(&[SHARED_V4, "10.2.0.0/16 10.0.2.2@b"]),
        ],
    },
    Script {
        name: "a route withdrawn during adoption goes at once",
        steps: &[
            Set("10.1.0.0/16", &["10.0.1.2"]),
            Ours(&["10.1.0.0/16 10.0.1.2@a"]),
            Restart,
            Set("10.1.0.0/16", &["10.0.1.2"]),
            Remove("10.1.0.0/16"),
            Ours(&[]),
        ],
    },
    Script {
        name: "what others do to our routes is undone",
        steps: &[
            SET_SHARED_V4,
            SET_SHARED_V6,
            FinishAdoption,
            Ours(&[SHARED_V4, SHARED_V6]),
            Ip("route del 10.1.0.0/16 proto 186"),
            Ip("-6 route flush proto 186"),
            Ours(&[SHARED_V4, SHARED_V6]),
            Ip("route replace 10.1.0.0/16 via 10.0.1.9 proto 186 metric 1024"),
            Ip("-6 route replace blackhole fd01::/64 proto 186 metric 1024"),
            Ours(&[SHARED_V4, SHARED_V6]),
            Ip("route add 10.9.0.0/16 via 10.0.1.9 proto 186 metric 1024"),
            Ours(&[SHARED_V4, SHARED_V6]),
        ],
    },
    Script {
        name: "a foreign route of our metric is left alone and outlived",
        steps: &[
            Ip("route add 10.1.0.0/16 via 10.0.2.9 proto static metric 1024"),
            FinishAdoption,
            Set("10.1.0.0/16", &["10.0.1.2"]),
            Set("10.2.0.0/16", &["10.0.1.2"]),
            Ours(&["10.2.0.0/16 10.0.1.2@a"]),
            Ip("route del 10.1.0.0/16 via 10.0.2.9 proto static metric 1024"),
            Ours(&["10.1.0.0/16 10.0.1.2@a", "10.2.0.0/16 10.0.1.2@a"]),
            Remove("10.1.0.0/16"),
            Remove("10.2.0.0/16"),
            Ours(&[]),
        ],
    },
    Script {
        name: "an address is followed through connected, specific and default routes",
        steps: &[
            Reach("10.0.1.7", Some((0, "a", "10.0.1.7"))),
            Reach("10.0.1.1", None),
            Reach("192.0.2.1", None),
            Ip("route add default via 10.0.1.254 metric 50"),
            Reach("192.0.2.1", Some((50, "a", "10.0.1.254"))),
            Ip("route add 192.0.2.0/24 via 10.0.2.254 metric 60"),
            Reach("192.0.2.1", Some((60, "b", "10.0.2.254"))),
            Ip("route replace 192.0.2.0/24 via 10.0.1.254 metric 60"),
            Reach("192.0.2.1", Some((60, "a", "10.0.1.254"))),
            Ip("route replace unreachable 192.0.2.0/24 metric 10"),
            Reach("192.0.2.1", None),
            Ip("route del unreachable 192.0.2.0/24 metric 10"),
            Ip("route del 192.0.2.0/24 via 10.0.1.254 metric 60"),
            Reach("192.0.2.1", Some((50, "a", "10.0.1.254"))),
            Ip("route del default metric 50"),
            Reach("192.0.2.1", None),
            Ip("-6 route add 2001:db8::/64 via fd00:2::fe metric 60"),
            Reach("2001:db8::1", Some((60, "b", "fd00:2::fe"))),
        ],
    },
    Script {
        name: "our own routes resolve nothing",
        steps: &[
            Set("192.0.2.0/24", &["10.0.1.2"]),
            Set("10.1.0.0/16", &["192.0.2.1"]),
            Ours(&["192.0.2.0/24 10.0.1.2@a"]),
            Reach("192.0.2.1", None),
        ],
    },
    Script {
        name: "a route follows its next hop",
        steps: &[
            Set("10.1.0.0/16", &["192.0.2.1"]),
            Set("10.2.0.0/16", &["192.0.2.1", "10.0.2.2"]),
            Ours(&["10.2.0.0/16 10.0.2.2@b"]),
            Ip("route add 192.0.2.0/24 via 10.0.1.254"),
            Ours(&["10.1.0.0/16 10.0.1.254@a", "10.2.0.0/16 10.0.1.254@a 10.0.2.2@b"]),
            Ip("route add 192.0.2.1/32 via 10.0.2.254"),
            Ours(&["10.1.0.0/16 10.0.2.254@b", "10.2.0.0/16 10.0.2.254@b 10.0.2.2@b"]),
            Ip("route del 192.0.2.1/32 via 10.0.2.254"),
            Ip("route del 192.0.2.0/24 via 10.0.1.254"),
            Ours(&["10.2.0.0/16 10.0.2.2@b"]),
        ],
    },
    Script {
        name: "next hops behind one gateway are one",
        steps: &[
            Ip("route add 192.0.2.0/24 via 10.0.1.254"),
            Set("10.1.0.0/16", &["192.0.2.1", "192.0.2.2"]),
            Ours(&["10.1.0.0/16 10.0.1.254@a"]),
        ],
    },
    Script {
        name: "a lost carrier moves traffic to the other next hop",
        steps: &[
            SET_SHARED_V4,
            Ours(&[SHARED_V4]),
            Ip("link set dev a2 down"),
            Ours(&["10.1.0.0/16 10.0.2.2@b"]),
            Reach("10.0.1.2", None),
            Ip("link set dev a2 up"),
            Ours(&[SHARED_V4]),
        ],
    },
    Script {
        name: "a link that goes down and comes back has its routes again",
        steps: &[
            SET_SHARED_V4,
            SET_SHARED_V6,
            Set("10.2.0.0/16", &["10.0.1.2"]),
            Ours(&[SHARED_V4, "10.2.0.0/16 10.0.1.2@a", SHARED_V6]),
            Ip("link set dev a down"),
            Ours(&["10.1.0.0/16 10.0.2.2@b", "fd01::/64 fd00:2::2@b"]),
            Ip("link set dev a up"),
            Ip("-6 addr replace fd00:1::1/64 dev a nodad"),
            Ours(&[SHARED_V4, "10.2.0.0/16 10.0.1.2@a", SHARED_V6]),
        ],
    },
];
