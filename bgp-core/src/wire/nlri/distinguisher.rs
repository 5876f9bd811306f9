//! Route distinguishers: what keeps the same prefix of two VPNs apart (RFC 4364 section 4.2).

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::Asn;

const TWO_OCTET_AS: u16 = 0;
const IPV4: u16 = 1;
const FOUR_OCTET_AS: u16 = 2;

/// A route distinguisher, as its eight octets: two of a type, six of a value whose form the type says. Other types
/// than 0, 1 and 2 are kept as they are.
///
/// ```text
///  octets  2        6
///          │ type 0 │ AS 2, number 4
///          │ type 1 │ IPv4 address 4, number 2
///          │ type 2 │ AS 4, number 2
/// ```
///
/// ```
/// use bgp_core::wire::RouteDistinguisher;
///
/// let distinguisher: RouteDistinguisher = "10.0.0.1:7".parse()?;
/// assert_eq!(distinguisher, RouteDistinguisher([0, 1, 10, 0, 0, 1, 0, 7]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteDistinguisher(pub [u8; 8]);

impl RouteDistinguisher {
    /// Type 0: an AS number of two octets, and a number that the AS assigns.
    #[must_use]
    pub fn two_octet_as(asn: u16, number: u32) -> RouteDistinguisher {
        RouteDistinguisher::new(TWO_OCTET_AS, u64::from(asn) << 32 | u64::from(number))
    }

    /// Type 1: an IPv4 address, and a number that its owner assigns.
    #[must_use]
    pub fn ipv4(address: Ipv4Addr, number: u16) -> RouteDistinguisher {
        RouteDistinguisher::new(IPV4, u64::from(u32::from(address)) << 16 | u64::from(number))
    }

    /// Type 2: an AS number of four octets, and a number that the AS assigns.
    #[must_use]
    pub fn four_octet_as(Asn(asn): Asn, number: u16) -> RouteDistinguisher {
        RouteDistinguisher::new(FOUR_OCTET_AS, u64::from(asn) << 16 | u64::from(number))
    }

    fn new(kind: u16, value: u64) -> RouteDistinguisher {
        RouteDistinguisher((u64::from(kind) << 48 | value).to_be_bytes())
    }
}

/// `64512:100`, `10.0.0.1:7`, `70000:1`; hexadecimal for the types that have no other form. An AS number that fits
/// into two octets but is written with four has an `L` behind it, as in `64512L:1`, so that it reads back as such.
impl fmt::Display for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind_high, kind_low, a, b, c, d, e, g] = self.0;
        let (short, long) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([a, b, c, d]));
        let number = u16::from_be_bytes([e, g]);
        match u16::from_be_bytes([kind_high, kind_low]) {
            TWO_OCTET_AS => write!(f, "{short}:{}", u32::from_be_bytes([c, d, e, g])),
            IPV4 => write!(f, "{}:{number}", Ipv4Addr::from(long)),
            FOUR_OCTET_AS if u16::try_from(long).is_ok() => write!(f, "{long}L:{number}"),
            FOUR_OCTET_AS => write!(f, "{long}:{number}"),
            _ => write!(f, "{:#018x}", u64::from_be_bytes(self.0)),
        }
    }
}

/// Why a text is no route distinguisher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no route distinguisher, as are 64512:100, 10.0.0.1:7 and 70000:1")]
pub struct ParseRouteDistinguisherError(pub String);

impl FromStr for RouteDistinguisher {
    type Err = ParseRouteDistinguisherError;
    fn from_str(text: &str) -> Result<RouteDistinguisher, ParseRouteDistinguisherError> {
        parse(text).ok_or_else(|| ParseRouteDistinguisherError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<RouteDistinguisher> {
    if let Some(digits) = text.strip_prefix("0x") {
        let whole = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| whole)
            .map(|octets| RouteDistinguisher(octets.to_be_bytes()));
    }
    let (administrator, number) = text.split_once(':')?;
    if let Ok(address) = administrator.parse() {
        return Some(RouteDistinguisher::ipv4(address, number.parse().ok()?));
    }
    if let Some(asn) = administrator.strip_suffix('L') {
        return Some(RouteDistinguisher::four_octet_as(asn.parse().ok()?, number.parse().ok()?));
    }
    match administrator.parse() {
        Ok(asn) => Some(RouteDistinguisher::two_octet_as(asn, number.parse().ok()?)),
        Err(_) => Some(RouteDistinguisher::four_octet_as(administrator.parse().ok()?, number.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_type_is_written_as_operators_write_it() {
        let shown = [
            ([0, 0, 0xfc, 0, 0, 0, 0, 100], "64512:100"),
            ([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "0:4294967295"),
            ([0, 1, 10, 0, 0, 1, 0, 7], "10.0.0.1:7"),
            ([0, 2, 0, 1, 0x11, 0x70, 0, 1], "70000:1"),
            ([0, 2, 0, 0, 0xfc, 0, 0, 1], "64512L:1"),
            ([0, 3, 0, 0, 0, 0, 0, 8], "0x0003000000000008"),
        ];
        for (octets, text) in shown {
            assert_eq!(RouteDistinguisher(octets).to_string(), text);
            assert_eq!(text.parse(), Ok(RouteDistinguisher(octets)));
        }
    }

    #[test]
    fn a_number_out_of_range_or_another_form_is_refused() {
        let bad = [
            "",
            "64512",
            "64512:",
            ":1",
            "64512:4294967296",
            "70000:65536",
            "10.0.0.1:65536",
            "4294967296:1",
            "10.0.0:1",
            "1:2:3",
            "fd00::1:1",
            "0x00",
            "0x+003000000000008",
            "64512L:65536",
        ];
        for text in bad {
            assert_eq!(
                text.parse::<RouteDistinguisher>(),
                Err(ParseRouteDistinguisherError(text.to_owned()))
            );
        }
    }

    proptest! {
        #[test]
        fn any_distinguisher_reads_back_what_it_shows(kind in 0..5u8, value: [u8; 6]) {
            let [a, b, c, d, e, g] = value;
            let distinguisher = RouteDistinguisher([0, kind, a, b, c, d, e, g]);
            prop_assert_eq!(distinguisher.to_string().parse(), Ok(distinguisher));
        }
    }
}
