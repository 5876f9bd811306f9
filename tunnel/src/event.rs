//! What is told to the caller.

use std::fmt;

use crate::error::DeviceError;
use crate::spec::{Device, Family, Uplink};

/// A part that is kept as desired.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The tunnel device of this name, with its addresses and neighbours.
    Device(String),
    /// The nftables table.
    Filter,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => f.write_str(name),
            Self::Filter => f.write_str("the packet filter"),
        }
    }
}

/// Something the caller may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Everything that was asked for so far is in the kernel, or was reported as failed.
    InSync,
    /// A part is as desired: for the first time, after a change of what is desired, or after it failed.
    Ready {
        /// Which one.
        part: Part,
    },
    /// A part cannot be as desired. It is tried again when something changes that may matter, and by
    /// [`Tunnels::set`](crate::Tunnels::set).
    Failed {
        /// Which one.
        part: Part,
        /// Why.
        error: DeviceError,
    },
    /// A part that is no longer desired is gone.
    Removed {
        /// Which one.
        part: Part,
    },
    /// Someone else had changed a part, which is as desired again.
    Repaired {
        /// Which one.
        part: Part,
        /// What was wrong, as words: `mtu`, `neighbours`.
        what: String,
    },
    /// The node's connection is known, for the first time or differently.
    Uplink(Uplink),
    /// The node's connection was lost. Tunnels stay as they are.
    NoUplink(Family),
}

/// A device and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStatus {
    /// What is desired.
    pub device: Device,
    /// How it is.
    pub state: DeviceState,
}

/// How a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceState {
    /// Work is under way.
    Pending,
    /// As desired, with this interface index and MTU (octets).
    Ready {
        /// `ifi_index`.
        index: u32,
        /// Octets of the largest inner packet.
        mtu: u32,
    },
    /// Not as desired.
    Failed(DeviceError),
}
