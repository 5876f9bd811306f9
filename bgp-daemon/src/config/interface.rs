//! The name of a network interface.

use std::fmt;

/// The most octets of a name (`IFNAMSIZ` less the end mark).
const MAX: usize = 15;

/// The name of a network interface: what the kernel takes, and no pattern of it. Ordered as its text is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface {
    /// Filled up with zeros, which no name contains.
    octets: [u8; MAX],
}

impl Interface {
    /// `None`: no interface can have that name.
    #[must_use]
    pub fn new(name: &str) -> Option<Interface> {
        let wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
        let possible = !name.is_empty() && !name.contains(wrong) && name != "." && name != "..";
        let mut octets = [0; MAX];
        octets.get_mut(..name.len()).filter(|_| possible)?.copy_from_slice(name.as_bytes());
        Some(Interface { octets })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = self.octets.split(|octet| *octet == 0).next().unwrap_or_default();
        str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_kernel_takes() {
        for name in ["eth0", "a", "fifteen-octets1", "ä"] {
            assert_eq!(Interface::new(name).unwrap().to_string(), name);
        }
        for name in ["", "sixteen-octets-1", "eth 0", "eth%d", "a/b", "a:1", ".", "..", "a\0"] {
            assert_eq!(Interface::new(name), None, "{name:?}");
        }
    }
}
