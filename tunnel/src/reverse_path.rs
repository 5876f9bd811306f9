//! The reverse path filter: the kernel drops IPv4 packets whose answers would leave by another device.
//!
//! What comes out of a tunnel need not go back into it: with the mode CrossSubnet, and while a mode changes,
//! one direction is wrapped and the other is not. So tunnel devices are made loose (2) where they would be
//! strict (1): the source must be reachable, by whatever device. On a device without an IPv4 address loose is as
//! strict as strict, and the filter is switched off (0), which works unless `conf/all` switches it on.

use std::io;
use std::path::PathBuf;

/// The settings of one device and of all. The larger counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReversePath {
    pub(crate) own: u8,
    pub(crate) all: u8,
}

/// What would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// This setting of the device.
    Set(u8),
    /// An address.
    Address,
}

const STRICT: u8 = 1;
const LOOSE: u8 = 2;

impl ReversePath {
    /// The settings that count for a device; all off if they cannot be read.
    pub(crate) fn read(device: &str) -> Self {
        let read = |device| std::fs::read_to_string(path(device)).ok()?.trim().parse().ok();
        Self { own: read(device).unwrap_or_default(), all: read("all").unwrap_or_default() }
    }

    /// `None`: packets pass.
    pub(crate) fn remedy(self, has_address: bool) -> Option<Remedy> {
        match (has_address, self.own.max(self.all)) {
            (_, 0) => None,
            (true, STRICT) => Some(Remedy::Set(LOOSE)),
            (true, _) => None,
            (false, _) if self.all == 0 => Some(Remedy::Set(0)),
            (false, _) => Some(Remedy::Address),
        }
    }
}

pub(crate) fn set(device: &str, value: u8) -> io::Result<()> {
    std::fs::write(path(device), value.to_string())
}

fn path(device: &str) -> PathBuf {
    ["/proc/sys/net/ipv4/conf", device, "rp_filter"].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_an_address_needs_more() {
        let remedies = |own, all| [true, false].map(|address| ReversePath { own, all }.remedy(address));
        let [off, loose] = [0, 2].map(|value| Some(Remedy::Set(value)));
        assert_eq!(remedies(0, 0), [None, None]);
        assert_eq!(remedies(1, 0), [loose, off]);
        assert_eq!(remedies(2, 0), [None, off]);
        assert_eq!(remedies(0, 1), [loose, Some(Remedy::Address)]);
        assert_eq!(remedies(2, 1), [None, Some(Remedy::Address)]);
    }
}
