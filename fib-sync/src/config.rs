//! What marks routes as ours, and how much memory the sockets may take.

use crate::error::FibError;

/// Which routes of the kernel belong to one [`FibSync`](crate::FibSync): those of this table, protocol
/// and metric. All others are foreign and never touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FibConfig {
    /// Routing table; 254 is `main`.
    pub table: u32,
    /// `rtm_protocol`, 5 to 255. The default 186 is the kernel's number for BGP (`proto bgp` in `ip
    /// route`); FRR's bgpd uses it too, so choose another where both write to one table with one metric.
    pub protocol: u8,
    /// `RTA_PRIORITY`, 1 or more: lower wins. An own metric keeps others' routes to the same prefix apart
    /// from ours, in particular in IPv4, where a replacement does not look at the protocol. Routes left
    /// under another metric by an earlier configuration are foreign: `ip route flush proto N metric M`.
    pub metric: u32,
    /// Bytes of kernel memory that unread events may take. When they do not suffice, events are lost,
    /// and everything is read again. Beyond `net.core.rmem_max` only with CAP_NET_ADMIN.
    pub receive_buffer: usize,
    /// More routes than this of one target name a nexthop group (`nhid`) instead of their hops: then a change of a
    /// next hop is one message for all of them. With fewer than half they name their hops again. `None`: never.
    /// Without `net.ipv4.nexthop_compat_mode` the kernel is quicker still, and shows routes with the object alone.
    pub nexthop_objects: Option<u32>,
}

impl Default for FibConfig {
    fn default() -> Self {
        Self {
            table: 254,
            protocol: 186,
            metric: 1024,
            receive_buffer: 16 << 20,
            nexthop_objects: Some(1000),
        }
    }
}

/// Up to RTPROTO_STATIC the numbers mean: unknown, redirect, the kernel, boot scripts, the administrator.
const LAST_RESERVED_PROTOCOL: u8 = libc::RTPROT_STATIC;

impl FibConfig {
    pub(crate) fn check(&self) -> Result<(), FibError> {
        match self {
            Self { protocol: ..=LAST_RESERVED_PROTOCOL, .. } => Err(FibError::Protocol(self.protocol)),
            Self { metric: 0, .. } => Err(FibError::Metric),
            Self { table: 0, .. } => Err(FibError::Table),
            _ => Ok(()),
        }
    }
}
