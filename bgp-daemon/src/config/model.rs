//! The configuration as typed, resolved values: every default filled in, nothing left to interpret.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bgp_core::wire::capability::Role;
use bgp_core::{Asn, ClusterId, FamilySet, PeerKind, Prefix, RouterId};
use bgp_rib::Filter;
use bgp_router::AsNumbers;
use ipnetwork::IpNetwork;

use super::bfd::{Bfd, PeerBfd};
use super::diagnostic::Diagnostic;
use super::interface::Interface;
use super::network::Network;
use super::options::PeerOptions;
use super::secret::Secret;
use super::tcp_ao::TcpAoKey;
use super::telemetry::{Bmp, Mrt};

/// Which daemon a configuration is for: sections and defaults differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonKind {
    /// `bgp-speaker`, which has a `[fib]`.
    Speaker,
    /// `route-reflector`, which has `[[clients]]` and a `cluster-id`.
    Reflector,
}

impl DaemonKind {
    /// The daemon's name, as in its command and socket.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DaemonKind::Speaker => "bgp-speaker",
            DaemonKind::Reflector => "route-reflector",
        }
    }
}

/// A daemon's whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which daemon it is for.
    pub daemon: DaemonKind,
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP Identifier; `None` if the file leaves it to the addresses of the host, which the daemon looks
    /// up at start.
    pub router_id: Option<RouterId>,
    /// Our cluster (RFC 4456); `None`: the router id. Always `None` in a speaker.
    pub cluster_id: Option<ClusterId>,
    /// The confederation that we are in (RFC 5065); `asn` is our member AS then.
    pub confederation: Option<Confederation>,
    /// Where sessions are accepted; empty: nowhere.
    pub listen: Vec<SocketAddr>,
    /// The next hop sent for IPv4 where it is «self»; `None`: the session's own address.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// The next hop sent for IPv6 where it is «self»; `None`: the session's own address.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// The default hold time of peers, in seconds; 0: none.
    pub hold_time: u16,
    /// The default connect retry time of peers.
    pub connect_retry: Duration,
    /// The default families of peers.
    pub families: FamilySet,
    /// How routes are exchanged with peers that do not say otherwise.
    pub options: PeerOptions,
    /// The filters that `import` and `export` of peers may name, in the order of the file.
    pub filters: Vec<Arc<Filter>>,
    /// The groups that peers have keys from, in the order of the file.
    pub groups: Vec<Group>,
    /// Peers and clients, in the order of the file.
    pub peers: Vec<PeerConfig>,
    /// How soon dead paths are found out.
    pub bfd: Bfd,
    /// What we announce ourselves.
    pub announce: Announce,
    /// What we announce in the place of, or beside, what is inside it.
    pub aggregates: Vec<Aggregate>,
    /// The decision process.
    pub decision: Decision,
    /// The control API.
    pub api: Api,
    /// What the daemon gives up at its start.
    pub sandbox: Sandbox,
    /// Logging.
    pub log: Log,
    /// Metrics.
    pub metrics: Metrics,
    /// Collectors that are told what happens.
    pub bmp: Vec<Bmp>,
    /// Files of what happens.
    pub mrt: Option<Mrt>,
    /// The kernel's routes; `Some` exactly in a speaker.
    pub fib: Option<Fib>,
    /// How packets for pods get to other nodes; `Some` exactly in a speaker.
    pub network: Option<Network>,
    /// What is taken but should be told to the operator.
    pub warnings: Vec<Diagnostic>,
    /// Which keys the file sets, and where.
    pub(super) origins: Origins,
}

/// `confederation-id` and `confederation-members` (RFC 5065).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confederation {
    /// The AS that the world sees.
    pub id: Asn,
    /// The ASes that it is made of; ours may be among them or not.
    pub members: Vec<Asn>,
}

/// Which line sets a key; keys that are not here have their default. The first part names the section: empty
/// for the top, `peers 10.0.0.2` for a peer.
pub(super) type Origins = BTreeMap<(String, &'static str), usize>;

/// Which sessions an entry is for. Ordered: addresses first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// One neighbour.
    Address(IpAddr),
    /// One neighbour on a link, by its link-local address.
    OnLink(Ipv6Addr, Interface),
    /// Whoever is the neighbour on this link: it sends router advertisements, or connects from a link-local address.
    Interface(Interface),
    /// Whoever connects from this network; the longest match counts.
    Range(IpNetwork),
}

impl Selector {
    /// The key in the configuration.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Selector::Address(_) | Selector::OnLink(..) => "address",
            Selector::Interface(_) => "interface",
            Selector::Range(_) => "range",
        }
    }

    /// The addresses of its neighbours; `None` if they are not known beforehand.
    #[must_use]
    pub fn prefix(&self) -> Option<Prefix> {
        match self {
            Selector::Address(address @ IpAddr::V4(_)) => Prefix::new(*address, 32),
            Selector::Address(address) => Prefix::new(*address, 128),
            Selector::OnLink(address, _) => Prefix::new((*address).into(), 128),
            Selector::Interface(_) => None,
            Selector::Range(network) => Prefix::new(network.network(), network.prefix()),
        }
    }

    /// Whether it is for one neighbour, not for many.
    #[must_use]
    pub fn is_one(&self) -> bool {
        !matches!(self, Selector::Range(_))
    }

    /// The link that its neighbour is on, if that is known by the link only.
    #[must_use]
    pub fn interface(&self) -> Option<Interface> {
        match self {
            Selector::OnLink(_, interface) | Selector::Interface(interface) => Some(*interface),
            Selector::Address(_) | Selector::Range(_) => None,
        }
    }

    /// Whether it is for the neighbour `address` on the link `interface`.
    #[must_use]
    pub fn takes(&self, address: Ipv6Addr, interface: Interface) -> bool {
        match self {
            Selector::OnLink(neighbor, link) => (*neighbor, *link) == (address, interface),
            Selector::Interface(link) => *link == interface,
            Selector::Address(_) | Selector::Range(_) => false,
        }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Selector::Address(address) => address.fmt(f),
            Selector::OnLink(address, interface) => write!(f, "{address}%{interface}"),
            Selector::Interface(interface) => interface.fmt(f),
            Selector::Range(network) => network.fmt(f),
        }
    }
}

pub use bgp_router::Policy;

/// One of `[[groups]]`. Its other keys are with those who have them from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What peers call it.
    pub name: String,
    /// The group that it has keys from itself.
    pub group: Option<String>,
}

/// One `[[peers]]` or `[[clients]]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// Which sessions it is for.
    pub selector: Selector,
    /// Whether we reflect to it (RFC 4456).
    pub client: bool,
    /// A name for people.
    pub name: Option<String>,
    /// The group that it has keys from.
    pub group: Option<String>,
    /// Its AS number.
    pub asn: Asn,
    /// Internal if `asn` is the one that it knows us by, or in our confederation.
    pub kind: PeerKind,
    /// Whether it is in another member AS of our confederation (RFC 5065).
    pub confederation: bool,
    /// What is done with AS numbers on paths, and the one that it knows us by.
    pub as_numbers: AsNumbers,
    /// The TCP port we connect to.
    pub port: u16,
    /// Never connect, only accept. Always so for a range.
    pub passive: bool,
    /// That is so, or not, by the order of the two addresses as texts.
    pub passive_by_address: bool,
    /// Whether it may have a session at all.
    pub enabled: bool,
    /// The families we offer.
    pub families: FamilySet,
    /// The hold time we offer, in seconds; 0: none.
    pub hold_time: u16,
    /// Seconds between two KEEPALIVEs; `None`: a third of the hold time.
    pub keepalive_time: Option<u16>,
    /// The first pause between two attempts to connect.
    pub connect_retry: Duration,
    /// How long to wait for the peer's OPEN before sending ours (RFC 4271 section 8.1.1); `None`: not at all.
    pub delay_open: Option<Duration>,
    /// After how many seconds a peer that takes nothing is dropped (RFC 9687), 0 for never; `None`: eight minutes or twice
    /// the hold time, whichever is longer.
    pub send_hold_time: Option<u16>,
    /// Our address on the session; `None`: as the kernel chooses.
    pub source_address: Option<IpAddr>,
    /// The TCP MD5 password (RFC 2385), from the file or from `password_file`.
    pub password: Option<Secret>,
    /// Where the password was read from.
    pub password_file: Option<PathBuf>,
    /// The keys of TCP-AO (RFC 5925), the one that we connect with first; none: no TCP-AO. Not with a password.
    pub tcp_ao: Vec<TcpAoKey>,
    /// How many hops away the peer may be (RFC 5082); `None`: any.
    pub ttl_security: Option<u8>,
    /// What we are to it (RFC 9234), if it is external.
    pub role: Option<Role>,
    /// Whether it has to tell its role.
    pub strict_role: bool,
    /// Whether AS_PATHs of an external peer have to begin with its AS.
    pub enforce_first_as: bool,
    /// What passes from it.
    pub import: Policy,
    /// What passes to it.
    pub export: Policy,
    /// How routes are exchanged with it.
    pub options: PeerOptions,
    /// How the path to it is watched (RFC 5880); `None`: not at all.
    pub bfd: Option<PeerBfd>,
    /// Whether messages over 4096 octets are offered (RFC 8654).
    pub extended_message: bool,
    /// Whether IPv6 next hops are offered for IPv4 routes (RFC 8950).
    pub extended_next_hop: bool,
    /// For a range: how many sessions it may have at once.
    pub max_sessions: u32,
    /// For a range: how many connections of its members are taken in a second; `None`: any number.
    pub max_connects: Option<u32>,
    /// If not empty: only routes within one of these are taken from it.
    pub allowed_prefixes: Vec<Prefix>,
}

/// `[announce]`: the routes we originate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announce {
    /// Announced from the start.
    pub prefixes: Vec<Prefix>,
    /// A watched file with one prefix a line.
    pub file: Option<PathBuf>,
}

/// One of `[[aggregates]]`: announced while there is a route inside it (RFC 4271 section 9.2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The prefix.
    pub prefix: Prefix,
    /// Whether what is inside it is not announced.
    pub summary_only: bool,
}

impl std::fmt::Display for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.prefix, if self.summary_only { " summary-only" } else { "" })
    }
}

/// `[decision]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Compare MED between routes of different neighbouring ASes.
    pub always_compare_med: bool,
    /// Compare MED in groups, so that the result does not hang on the order of arrival.
    pub deterministic_med: bool,
    /// How many equal routes are used at once, at least 1.
    pub multipath: usize,
    /// Whether routes of different neighbouring ASes may be equal.
    pub multipath_relax: bool,
}

/// `[api]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The Unix socket, which may do everything.
    pub socket: PathBuf,
    /// The group, by name or number, that may use the socket beside its owner; `None`: that of the process.
    pub group: Option<String>,
    /// A TCP endpoint that may only read; `None`: none.
    pub listen: Option<SocketAddr>,
}

/// `[sandbox]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Whether a daemon gives up at its start what it does not need.
    pub enabled: bool,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or directives such as `info,bgp_daemon=debug`.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// How many series each peer has in `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerPeer {
    /// `Full` up to 500 peers, `Basic` above.
    Auto,
    /// All.
    Full,
    /// Identity, state and the two counts that matter.
    Basic,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// How many series each peer has.
    pub per_peer: PerPeer,
}

/// Who decides whether a next hop can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHops {
    /// The kernel's routing table.
    Kernel,
    /// All can be reached, at the same cost.
    Assume,
}

/// `[fib]`: the kernel's routes (`bgp-speaker` only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fib {
    /// Whether learned routes are installed.
    pub enabled: bool,
    /// The routing table.
    pub table: u32,
    /// The `rtproto` by which our routes are known as ours.
    pub protocol: u8,
    /// The metric of our routes.
    pub metric: u32,
    /// Whether what we announce is also a blackhole in the kernel.
    pub blackhole: bool,
    /// How next hops are judged.
    pub next_hops: NextHops,
    /// What packets of the node's own that take our routes come from.
    pub source: Sources,
}

/// Preferred source addresses (`RTA_PREFSRC`); `None`: as the kernel chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// For IPv4.
    pub v4: Option<Ipv4Addr>,
    /// For IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl Config {
    /// Our cluster (RFC 4456 section 7): the configured one, else the router id.
    #[must_use]
    pub fn cluster_id(&self, router_id: RouterId) -> ClusterId {
        self.cluster_id.unwrap_or(ClusterId(router_id.0))
    }

    /// The entry for the neighbour `address` on the link `interface`: the one that names it, else that of the link.
    #[must_use]
    pub fn neighbor(&self, address: Ipv6Addr, interface: Interface) -> Option<&PeerConfig> {
        let of_link = self.peers.iter().filter(|peer| peer.selector.takes(address, interface));
        of_link.min_by_key(|peer| matches!(peer.selector, Selector::Interface(_)))
    }

    /// The entry that a connection from `address` belongs to: its own, else that of the longest range.
    #[must_use]
    pub fn peer_for(&self, address: IpAddr) -> Option<&PeerConfig> {
        let exact = self.peers.iter().find(|p| p.selector == Selector::Address(address));
        exact.or_else(|| {
            let matching = self.peers.iter().filter_map(|peer| match peer.selector {
                Selector::Range(network) if network.contains(address) => Some((network.prefix(), peer)),
                _ => None,
            });
            matching.max_by_key(|(len, _)| *len).map(|(_, peer)| peer)
        })
    }
}
