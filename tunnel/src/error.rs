//! What can go wrong, said so that the reader knows what to do.

use std::fmt;
use std::io;

use crate::spec::Family;

/// Errors that end the synchronisation. One device that cannot be is an
/// [`Event::Failed`](crate::Event::Failed) instead.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The process may not change devices.
    #[error(
        "no permission to change network devices: run as root, or give the program CAP_NET_ADMIN \
         (systemd: AmbientCapabilities=CAP_NET_ADMIN; a container: securityContext.capabilities.add: [NET_ADMIN])"
    )]
    Permission,
    /// A netlink call failed.
    #[error("netlink: {call}: {source}")]
    Netlink {
        /// What was attempted.
        call: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The kernel refused to list something.
    #[error("the kernel did not list its {what}: {error}")]
    Dump {
        /// What was asked for: links, addresses, neighbours.
        what: &'static str,
        /// The kernel's answer.
        error: KernelError,
    },
}

impl TunnelError {
    pub(crate) fn netlink(call: &'static str) -> impl FnOnce(io::Error) -> TunnelError {
        move |source| TunnelError::Netlink { call, source }
    }
}

/// Why one part is not as desired. It is tried again when something changes that may matter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The kernel would not take the name.
    #[error("{0:?} cannot be the name of an interface: 1 to 15 octets, no space, '/' or ':'")]
    Name(String),
    /// There is no such thing.
    #[error("IPIP has IPv4 only: use VXLAN for IPv6")]
    IpipOverIpv6,
    /// It does not fit the header.
    #[error("VXLAN network identifier {0}: choose 1 to 16777215")]
    Vni(u32),
    /// It would be the kernel's historic default.
    #[error("VXLAN port 0: choose 1 to 65535 (4789 is VXLAN's)")]
    Port,
    /// An address of the other family, or none at all.
    #[error("{0} is desired twice: give every tunnel device a name of its own")]
    Twice(String),
    /// The kernel lacks the kind of device.
    #[error(
        "this kernel has no {module} devices: load the module (modprobe {module}; built with CONFIG_{config}), \
         or choose another encapsulation"
    )]
    NoModule {
        /// `ipip`, `vxlan`.
        module: &'static str,
        /// The kernel's option without `CONFIG_`.
        config: &'static str,
    },
    /// The name belongs to someone else's device.
    #[error("{name} is not ours ({what}): delete it (ip link delete {name}), or choose another name")]
    Foreign {
        /// The name of both.
        name: String,
        /// How it differs.
        what: String,
    },
    /// Another VXLAN device receives the same packets.
    #[error(
        "{holder} has VXLAN network {vni} on port {port} already: delete it (ip link delete {holder}), or choose \
         another vni or port"
    )]
    VniTaken {
        /// The other device.
        holder: String,
        /// VXLAN network identifier of both.
        vni: u32,
        /// UDP port of both.
        port: u16,
    },
    /// The node's own address is not known, or on no interface.
    #[error(
        "the node's {0} address is not known: there is no default route, or the configured address is on no \
         interface"
    )]
    NoUplink(Family),
    /// The uplink leaves no room.
    #[error("the uplink's MTU of {uplink} leaves no room for tunnel headers of {overhead} octets")]
    Mtu {
        /// Octets.
        uplink: u32,
        /// Octets.
        overhead: u32,
    },
    /// The kernel refused a change.
    #[error("cannot {what}: {error}")]
    Kernel {
        /// What was attempted.
        what: String,
        /// The kernel's answer.
        error: KernelError,
    },
    /// The kernel takes a change and then shows something else.
    #[error("{0} was asked for again and again, but does not stay: does another program manage the device?")]
    Unsettled(String),
    /// The kernel's reverse path filter is on for all devices. Told in the log only.
    #[error(
        "net.ipv4.conf.all.rp_filter has packets dropped that come out of {0} and are answered another way, since \
         it has no IPv4 address: give it one, or set net.ipv4.conf.all.rp_filter to 0"
    )]
    ReversePath(String),
    /// The packet filter is not in force, without which tunnels would accept packets from anyone.
    #[error("waits for the packet filter: {0}")]
    Unfiltered(String),
    /// `nft` is missing.
    #[error(
        "the program nft is missing: install it (apt-get install nftables), or set filter-sources and every \
         nat-outgoing to false"
    )]
    NoNft,
    /// `nft` failed.
    #[error("nft: {0}")]
    Nft(String),
}

/// The kernel's answer to one message: an error number and, where it gave one, its extended
/// acknowledgement text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    /// A positive error number (errno).
    pub errno: i32,
    /// The kernel's own explanation.
    pub text: Option<String>,
}

impl std::error::Error for KernelError {}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = io::Error::from_raw_os_error(self.errno);
        match &self.text {
            Some(text) => write!(f, "{text} ({error})"),
            None => write!(f, "{error}"),
        }
    }
}
