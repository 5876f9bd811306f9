//! Route distinguishers: what makes equal destinations of several VPNs different (RFC 4364 section 4.2).

use std::fmt;
use std::net::Ipv4Addr;

/// A route distinguisher as on the wire: two octets of type, then an administrator and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteDistinguisher(pub [u8; 8]);

/// `64512:7` for types 0 and 2, `10.0.0.1:7` for type 1, hexadecimal for others.
impl fmt::Display for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [0, 0, a, b, rest @ ..] => {
                write!(f, "{}:{}", u16::from_be_bytes([a, b]), u32::from_be_bytes(rest))
            }
            [0, 1, a, b, c, d, number @ ..] => {
                write!(f, "{}:{}", Ipv4Addr::new(a, b, c, d), u16::from_be_bytes(number))
            }
            [0, 2, a, b, c, d, number @ ..] => {
                write!(f, "{}:{}", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes(number))
            }
            octets => write!(f, "{:#018x}", u64::from_be_bytes(octets)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_shown_in_its_form() {
        let shown = |octets| RouteDistinguisher(octets).to_string();
        assert_eq!(shown([0, 0, 0xfc, 0, 0, 1, 0x11, 0x70]), "64512:70000");
        assert_eq!(shown([0, 1, 10, 0, 0, 1, 0, 7]), "10.0.0.1:7");
        assert_eq!(shown([0, 2, 0, 1, 0x11, 0x70, 0, 7]), "70000:7");
        assert_eq!(shown([0, 3, 0, 1, 0, 0, 0, 7]), "0x0003000100000007");
    }
}
