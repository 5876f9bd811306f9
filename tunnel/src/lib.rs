//! Keeps IPIP and VXLAN devices, their neighbours and their packet filter as desired.

mod device;
mod error;
mod event;
mod firewall;
mod link;
mod neighbours;
mod netlink;
mod offload;
mod reverse_path;
mod slot;
mod spec;
mod sync;
mod uplink;
mod vtep;
mod watch;

pub use error::{DeviceError, KernelError, TunnelError};
pub use event::{DeviceState, DeviceStatus, Event, Part};
pub use ipnetwork::IpNetwork;
pub use spec::{Desired, Device, FALLBACK_IPIP, Family, Kind, Node, Pool, Uplink};
pub use sync::Tunnels;
pub use vtep::{vtep_mac, vxlan_gateway};
