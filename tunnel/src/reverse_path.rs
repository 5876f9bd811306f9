//! The reverse path filter: the kernel drops IPv4 packets whose answers would leave by another device.
//!
//! What comes out of a tunnel need not go back into it: with the mode CrossSubnet, and while a mode changes,
//! one direction is wrapped and the other is not. So tunnel devices are made loose (2) where they would be
//! strict (1): the source must be reachable, by whatever device.

use std::io;
use std::path::PathBuf;

const STRICT: u8 = 1;
const LOOSE: u8 = 2;

fn path(device: &str) -> PathBuf {
    ["/proc/sys/net/ipv4/conf", device, "rp_filter"].iter().collect()
}

fn read(device: &str) -> Option<u8> {
    std::fs::read_to_string(path(device)).ok()?.trim().parse().ok()
}

/// Whether a device is strict: of its own setting and everyone's, the larger counts.
pub(crate) fn is_strict(device: &str) -> bool {
    read(device).is_some_and(|own| own.max(read("all").unwrap_or_default()) == STRICT)
}

pub(crate) fn loosen(device: &str) -> io::Result<()> {
    std::fs::write(path(device), LOOSE.to_string())
}
