//! Names of network interfaces.

use std::fmt;
use std::str::FromStr;

/// Octets of a name in the kernel with the zero at its end (`IFNAMSIZ`).
const SPACE: usize = libc::IFNAMSIZ;

/// The name of a network interface, which outlives its index: a device that is removed and made again keeps
/// the name and gets another index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName([u8; SPACE]);

/// Why a text cannot be the name of an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceNameError {
    /// Too long, or nothing at all.
    #[error("interface name {0:?} has {len} octets: choose 1 to 15", len = .0.len())]
    Length(String),
    /// A character that the kernel does not take, or a name that means a directory.
    #[error("interface name {0:?} must not be \".\" or \"..\", nor contain \"/\", \":\", spaces or zeros")]
    Character(String),
}

impl InterfaceName {
    /// The name as text; names are octets to the kernel, and those that are no text are shown with U+FFFD.
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|octet| *octet == 0).unwrap_or(SPACE);
        self.0.get(..len).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut name = [0; SPACE];
        match name.get_mut(..text.len()) {
            Some(space) if (1..SPACE).contains(&text.len()) => space.copy_from_slice(text.as_bytes()),
            _ => return Err(InterfaceNameError::Length(text.to_owned())),
        }
        let bad = |octet: u8| octet == b'/' || octet == b':' || octet == 0 || octet.is_ascii_whitespace();
        if text == "." || text == ".." || text.bytes().any(bad) {
            return Err(InterfaceNameError::Character(text.to_owned()));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_it_was_given() {
        for name in ["lo", "tunl0", "vxlan6.bgp", "cali0123456789a"] {
            assert_eq!(name.parse::<InterfaceName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_the_kernel_would_not_take_is_refused_with_the_reason() {
        for (name, reason) in
            [("", "1 to 15"), ("cali0123456789ab", "16 octets"), ("a b", "spaces"), ("..", "..")]
        {
            let error = name.parse::<InterfaceName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
