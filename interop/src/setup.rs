use crate::SeenRoute;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What a router does, in no router's own language. The router id is the node's IPv4 address, the cluster id too.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(crate) asn: u32,
    pub(crate) neighbors: Vec<Neighbor>,
    pub(crate) announcements: Vec<Announcement>,
    pub(crate) announce_file: Option<PathBuf>,
    pub(crate) igp: Vec<(String, String)>,
    pub(crate) after_restart: bool,
    pub(crate) port: Option<u16>,
    pub(crate) keys: String,
    pub(crate) extra: String,
    pub(crate) native: String,
}

/// A session. Over IPv4 it carries IPv4 and IPv6 routes, over IPv6 only IPv6 ones.
#[derive(Clone, Debug)]
pub struct Neighbor {
    pub(crate) who: Who,
    pub(crate) asn: u32,
    pub(crate) client: bool,
    pub(crate) password: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) max_prefix: Option<u32>,
    pub(crate) add_path: bool,
    pub(crate) restart_time: Option<u16>,
    pub(crate) long_lived_time: Option<u32>,
    pub(crate) bfd: Option<Bfd>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) extra: String,
    pub(crate) native: String,
}

/// How a path is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bfd {
    /// Milliseconds.
    pub(crate) interval: u32,
    pub(crate) multiplier: u8,
}

/// One neighbour, or all of a range (ranges only for this project's daemons).
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Address(IpAddr),
    Range(String),
}

/// Whether this project's daemons get the `import` and `export` keys on an eBGP session (RFC 8212).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Both are `"accept"`.
    Accept,
    /// Neither is there.
    Unset,
}

/// A prefix the router originates.
#[derive(Clone, Debug)]
pub struct Announcement {
    pub(crate) prefix: String,
    pub(crate) as_path: Vec<u32>,
    pub(crate) med: Option<u32>,
    pub(crate) communities: Vec<(u16, u16)>,
    pub(crate) large: Vec<(u32, u32, u32)>,
    pub(crate) bandwidth: Option<u32>,
}

impl Setup {
    /// A router without neighbours.
    pub fn new(asn: u32) -> Setup {
        Setup {
            asn,
            neighbors: Vec::new(),
            announcements: Vec::new(),
            announce_file: None,
            igp: Vec::new(),
            after_restart: false,
            port: None,
            keys: String::new(),
            extra: String::new(),
            native: String::new(),
        }
    }

    /// Adds a neighbour.
    pub fn neighbor(mut self, neighbor: Neighbor) -> Setup {
        self.neighbors.push(neighbor);
        self
    }

    /// Adds a prefix, or an [`Announcement`] with attributes.
    pub fn announce(mut self, announcement: impl Into<Announcement>) -> Setup {
        self.announcements.push(announcement.into());
        self
    }

    /// A file of prefixes that is watched (only this project's daemons).
    pub fn announce_file(mut self, file: &Path) -> Setup {
        self.announce_file = Some(file.to_owned());
        self
    }

    /// Routes, as prefix and gateway, by which next hops are resolved. Only BIRD needs to be told; the others ask the kernel.
    pub fn igp(mut self, routes: impl IntoIterator<Item = (String, String)>) -> Setup {
        self.igp.extend(routes);
        self
    }

    /// The router is started again, and is told so where it doesn't say it by itself: `bird -R`, `gobgpd -r`.
    pub fn after_restart(mut self) -> Setup {
        self.after_restart = true;
        self
    }

    /// Listens on another port than 179.
    pub fn port(mut self, port: u16) -> Setup {
        self.port = Some(port);
        self
    }

    /// Keys at the top of the configuration of one of this project's daemons.
    pub fn keys(mut self, toml: &str) -> Setup {
        self.keys.push_str(toml);
        self
    }

    /// Lines that belong to no neighbour in the other router's own language: at the top level of BIRD, GoBGP and OpenBGPD, under
    /// `router bgp` of FRR.
    pub fn native(mut self, lines: &str) -> Setup {
        self.native.push_str(lines);
        self.native.push('\n');
        self
    }

    /// Text appended to the configuration of one of this project's daemons: its tables.
    pub fn extra(mut self, toml: &str) -> Setup {
        self.extra.push_str(toml);
        self
    }
}

impl Neighbor {
    /// A neighbour at an address; iBGP if the AS number is the router's own.
    pub fn new(address: IpAddr, asn: u32) -> Neighbor {
        Neighbor {
            who: Who::Address(address),
            asn,
            client: false,
            password: None,
            policy: Policy::Accept,
            max_prefix: None,
            add_path: false,
            restart_time: None,
            long_lived_time: None,
            bfd: None,
            source: None,
            port: None,
            extra: String::new(),
            native: String::new(),
        }
    }

    /// All neighbours of an address range, like `10.9.0.0/24`: they connect to us.
    pub fn range(prefix: &str, asn: u32) -> Neighbor {
        Neighbor { who: Who::Range(prefix.to_owned()), ..Neighbor::new(IpAddr::from([0, 0, 0, 0]), asn) }
    }

    /// A client of this router, which then reflects.
    pub fn client(mut self) -> Neighbor {
        self.client = true;
        self
    }

    /// TCP MD5 (RFC 2385).
    pub fn password(mut self, password: &str) -> Neighbor {
        self.password = Some(password.to_owned());
        self
    }

    /// With or without the keys that eBGP needs.
    pub fn policy(mut self, policy: Policy) -> Neighbor {
        self.policy = policy;
        self
    }

    /// The session ends when more prefixes than this arrive.
    pub fn max_prefix(mut self, limit: u32) -> Neighbor {
        self.max_prefix = Some(limit);
        self
    }

    /// Offers to send all paths and to take several (RFC 7911).
    pub fn add_path(mut self) -> Neighbor {
        self.add_path = true;
        self
    }

    /// Graceful restart with this restart time in seconds (RFC 4724); without this call it is off.
    pub fn restart(mut self, seconds: u16) -> Neighbor {
        self.restart_time = Some(seconds);
        self
    }

    /// Long-lived graceful restart for so many seconds after that (RFC 9494).
    pub fn long_lived(mut self, seconds: u32) -> Neighbor {
        self.long_lived_time = Some(seconds);
        self
    }

    /// The path is watched by BFD (RFC 5880): a packet each so many milliseconds, and how many may be missing. Only BIRD,
    /// FRR and this project's daemons can.
    pub fn bfd(mut self, interval: u32, multiplier: u8) -> Neighbor {
        self.bfd = Some(Bfd { interval, multiplier });
        self
    }

    /// The session's own address where it is none of the link's: BIRD's BFD is multihop then.
    pub fn source(mut self, address: IpAddr) -> Neighbor {
        self.source = Some(address);
        self
    }

    /// The neighbour listens on another port than 179.
    pub fn port(mut self, port: u16) -> Neighbor {
        self.port = Some(port);
        self
    }

    /// Keys added to the neighbour's table in the configuration of one of this project's daemons.
    pub fn extra(mut self, toml: &str) -> Neighbor {
        self.extra.push_str(toml);
        self
    }

    /// Lines added to the neighbour's block in the other router's own language: inside `protocol bgp` of BIRD, `neighbor` of
    /// OpenBGPD or ExaBGP; FRR's go behind `neighbor ADDRESS`, GoBGP's under `[[neighbors]]`.
    pub fn native(mut self, lines: &str) -> Neighbor {
        self.native.push_str(lines);
        self.native.push('\n');
        self
    }

    /// The address, unless it is a range.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.who {
            Who::Address(address) => Some(address),
            Who::Range(_) => None,
        }
    }
}

impl Announcement {
    /// A prefix with origin IGP and no other attribute.
    pub fn new(prefix: &str) -> Announcement {
        let prefix = prefix.to_owned();
        Announcement {
            prefix,
            as_path: Vec::new(),
            med: None,
            communities: Vec::new(),
            large: Vec::new(),
            bandwidth: None,
        }
    }

    /// An AS path as if learned from elsewhere.
    pub fn as_path(mut self, path: &[u32]) -> Announcement {
        self.as_path = path.to_vec();
        self
    }

    /// MULTI_EXIT_DISC.
    pub fn med(mut self, med: u32) -> Announcement {
        self.med = Some(med);
        self
    }

    /// One more community.
    pub fn community(mut self, high: u16, low: u16) -> Announcement {
        self.communities.push((high, low));
        self
    }

    /// One more large community.
    pub fn large(mut self, global: u32, one: u32, two: u32) -> Announcement {
        self.large.push((global, one, two));
        self
    }

    /// The extended community Link Bandwidth, in Mbit/s. OpenBGPD cannot; GoBGP gives it to all that it announces.
    pub fn bandwidth(mut self, mbits: u32) -> Announcement {
        self.bandwidth = Some(mbits);
        self
    }

    /// The same in octets per second, as it is on the wire.
    pub(crate) fn octets_per_second(&self) -> Option<u32> {
        self.bandwidth.map(|mbits| mbits.saturating_mul(125_000))
    }

    /// What a neighbour over iBGP must see.
    pub fn seen_internally(&self, next_hop: IpAddr) -> SeenRoute {
        SeenRoute {
            as_path: join(&self.as_path, " "),
            med: self.med,
            communities: self.communities.iter().map(|(high, low)| format!("{high}:{low}")).collect(),
            large: self.large.iter().map(|(global, one, two)| format!("{global}:{one}:{two}")).collect(),
            ..SeenRoute::internal(&self.prefix, next_hop)
        }
        .sorted()
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.prefix.contains(':')
    }
}

impl From<&str> for Announcement {
    fn from(prefix: &str) -> Announcement {
        Announcement::new(prefix)
    }
}

pub(crate) fn join<T: std::fmt::Display>(items: &[T], between: &str) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(between)
}
