//! Keeps IPIP and VXLAN devices, the entries for the nodes behind them, and a packet filter as desired. Knows
//! nothing of pods or routes: those are put upon the devices by others, as `BLOCK via NODE dev tunl0 onlink`
//! for IPIP and `BLOCK via GATEWAY dev vxlan.bgp onlink` for VXLAN, of which [`vxlan_gateway`] tells the gateway.
//!
//! ```text
//!     set: devices, pools       add_host, remove_host
//!               │                        │
//! ┌─ Tunnels ───▼────────────────────────▼──────────────────────────────┐
//! │                    sync: the first thing that differs               │    next
//! │   ┌───────────────────┬─────────┴──────┬──────────────────┐         ├──► events
//! │ uplink: address,    slot: device,    neighbours:       firewall:    │
//! │ MTU; who carries    the next step    address → MAC     script of    │
//! │ the node's address  towards it       → node, static    one table    │
//! │   └────────┬──────────┴────────┬───────┘                  │ ▲       │
//! │       netlink: requests      watch: what others change    │ │       │
//! └────────────┼───────────────────▲──────────────────────────┼─┼───────┘
//!              ▼ rtnetlink         │ rtnetlink multicast  nft ▼ │ nfnetlink multicast
//!  ───────────────────────────── the kernel ────────────────────────────
//! ```
//!
//! - The kernel is looked at before each message, and the message puts right the first thing that differs. So
//!   a stop between any two messages costs nothing: the next start goes on from there.
//! - Devices of ours carry the alias `bgp-tunnel`. A device of the same name without it is someone else's: an
//!   error, and nothing is touched. The exception is `tunl0`, the kernel's own.
//! - Nodes need not tell each other anything: the MAC of a VXLAN device is computed from the node's address
//!   ([`vtep_mac`]). Nothing is learned from packets, nothing is flooded.
//! - Others' changes arrive as kernel events and are undone. Nothing is polled. When the kernel drops events,
//!   all is read again.
//! - The filter is in force before the first device is made. It is one nftables table, replaced by one
//!   transaction; hosts that come and go are added and removed in one transaction.
//! - Where the default route or the node's address vanishes, tunnels stay as they are until there is another.
//!
//! Memory: an address for each host, and again for each device that it is behind. The time of the kernel: two
//! messages for each host of a VXLAN device.
//!
//! ```no_run
//! use tunnel::{Desired, Device, Event, Family, Kind, Tunnels};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut tunnels = Tunnels::open()?;
//! tunnels.set(Desired {
//!     devices: vec![Device {
//!         name: "vxlan.bgp".into(),
//!         kind: Kind::Vxlan { vni: 4096, port: 4789 },
//!         family: Family::V4,
//!         address: None,
//!         mtu: None,
//!         checksum_offload: true,
//!     }],
//!     hosts: ["192.0.2.7".parse()?, "192.0.2.8".parse()?].into(),
//!     filter_sources: true,
//!     ..Desired::default()
//! });
//! loop {
//!     // Cancel safe: belongs into a `select!` beside the source of hosts.
//!     match tunnels.next().await? {
//!         Event::InSync => tunnels.add_host("192.0.2.9".parse()?),
//!         Event::Ready { part } => println!("{part} is ready"),
//!         Event::Failed { part, error } => eprintln!("{part}: {error}"),
//!         Event::Repaired { part, what } => eprintln!("someone changed {part}: {what}"),
//!         Event::Removed { part } => println!("{part} is gone"),
//!         Event::Uplink(uplink) => println!("{} over {}", uplink.address, uplink.interface),
//!         Event::NoUplink(family) => eprintln!("no way out for {family}"),
//!     }
//! }
//! # }
//! ```

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
