//! Recorded attributes as BIRD shows them.

use crate::SeenRoute;
use crate::recording::Attribute;
use bgp_capture::Octets;
use std::net::Ipv4Addr;

const NO_ADVERTISE: &str = "65535:65282";

/// What becomes of a route on its way through a reflector.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It arrives so.
    Arrives(Expected),
    /// It arrives, but the reflector discards its AGGREGATOR of AS 0 (RFC 7607).
    LosesAggregator(Expected),
    /// NO_ADVERTISE (RFC 1997): it stays at the reflector.
    NotAdvertised,
    /// AS 0 in its AS_PATH: the reflector treats it as withdrawn (RFC 7607).
    TreatedAsWithdrawn,
}

impl Fate {
    /// What the receivers hold, if they get it.
    pub(crate) fn expected(&self) -> Option<&Expected> {
        match self {
            Fate::Arrives(expected) | Fate::LosesAggregator(expected) => Some(expected),
            Fate::NotAdvertised | Fate::TreatedAsWithdrawn => None,
        }
    }
}

/// What a receiver must hold for one attribute list; the prefix is left empty.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) route: SeenRoute,
    /// Attributes that [`SeenRoute`] has no place for, as BIRD names and writes them, sorted.
    pub(crate) others: Vec<(String, String)>,
}

impl Expected {
    /// `None` if a value is malformed.
    pub(crate) fn new(attributes: &[Attribute]) -> Option<Expected> {
        let mut expected = Expected { route: SeenRoute::default(), others: Vec::new() };
        for attribute in attributes {
            expected.take(attribute)?;
        }
        expected.others.sort();
        expected.route = expected.route.sorted();
        Some(expected)
    }

    /// What becomes of it at a reflector of this cluster, which follows RFC 7607 or not.
    pub(crate) fn reflected(
        mut self,
        originator: Ipv4Addr,
        cluster: Ipv4Addr,
        refuses_as_zero: bool,
    ) -> Fate {
        if self.route.communities.iter().any(|community| community == NO_ADVERTISE) {
            return Fate::NotAdvertised;
        }
        if refuses_as_zero && self.route.as_path.split([' ', '{', '}']).any(|asn| asn == "0") {
            return Fate::TreatedAsWithdrawn;
        }
        self.route.local_pref.get_or_insert(100);
        self.route = self.route.reflected(originator, cluster);
        let before = self.others.len();
        self.others
            .retain(|(name, value)| !(refuses_as_zero && name == "aggregator" && value.ends_with(" AS0")));
        if self.others.len() == before { Fate::Arrives(self) } else { Fate::LosesAggregator(self) }
    }

    fn take(&mut self, attribute: &Attribute) -> Option<()> {
        let mut value = Octets(&attribute.value);
        let route = &mut self.route;
        match attribute.code {
            1 => route.origin = ["igp", "egp", "incomplete"].get(usize::from(value.u8()?))?.to_string(),
            2 => route.as_path = as_path(value)?,
            3 => route.next_hop = Ipv4Addr::from(value.u32()?).to_string(),
            4 => route.med = Some(value.u32()?),
            5 => route.local_pref = Some(value.u32()?),
            6 => self.others.push(("atomic_aggr".to_owned(), String::new())),
            7 => {
                let (asn, address) = (value.u32()?, Ipv4Addr::from(value.u32()?));
                self.others.push(("aggregator".to_owned(), format!("{address} AS{asn}")));
            }
            8 => {
                route.communities =
                    words(&attribute.value).map(|word| format!("{}:{}", word >> 16, word & 0xffff)).collect()
            }
            9 => route.originator = Some(Ipv4Addr::from(value.u32()?).to_string()),
            10 => {
                route.cluster_list =
                    words(&attribute.value).map(|word| Ipv4Addr::from(word).to_string()).collect()
            }
            16 => self.others.push(("ext_community".to_owned(), extended_communities(&attribute.value))),
            32 => {
                let words: Vec<u32> = words(&attribute.value).collect();
                let text = words.chunks_exact(3).map(|triple| crate::setup::join(triple, ":"));
                route.large = text.collect();
            }
            code => {
                let hex: Vec<String> = attribute.value.iter().map(|octet| format!("{octet:02x}")).collect();
                self.others.push((format!("{code:02x} [t]"), hex.join(" ")));
            }
        }
        Some(())
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).filter_map(|word| word.try_into().ok().map(u32::from_be_bytes))
}

fn as_path(mut value: Octets<'_>) -> Option<String> {
    let mut segments = Vec::new();
    while !value.0.is_empty() {
        let (kind, count) = (value.u8()?, value.u8()?);
        let numbers: Vec<u32> = words(value.take(4 * usize::from(count))?).collect();
        let text = crate::setup::join(&numbers, " ");
        segments.push(if kind == 1 { format!("{{{text}}}") } else { text });
    }
    Some(segments.join(" "))
}

/// As BIRD writes them: by name if it has one, then administrator and number as the first octet divides them (RFC 4360).
fn extended_communities(bytes: &[u8]) -> String {
    let text = bytes.chunks_exact(8).filter_map(|octets| <[u8; 8]>::try_from(octets).ok()).map(|octets| {
        let [kind, subtype, a, b, c, d, e, f] = octets;
        let name = match u16::from_be_bytes([kind & 0xf0, subtype]) {
            2 => "rt".to_owned(),
            3 => "ro".to_owned(),
            _ => format!("unknown 0x{:x}", u16::from_be_bytes([kind, subtype])),
        };
        match kind {
            0x00 | 0x40 => {
                format!("({name}, {}, {})", u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
            }
            0x01 | 0x41 => format!("({name}, {}, {})", Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, f])),
            0x02 | 0x42 => {
                format!("({name}, {}, {})", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]))
            }
            _ => {
                let (high, low) =
                    (u32::from_be_bytes([kind, subtype, a, b]), u32::from_be_bytes([c, d, e, f]));
                format!("(generic, 0x{high:x}, 0x{low:x})")
            }
        }
    });
    text.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_as_bird_writes_them() {
        let attribute = |code, value: &[u8]| Attribute { flags: 0xc0, code, value: value.to_vec() };
        let expected = Expected::new(&[
            attribute(2, b"\x02\x02\0\0\0\x01\0\x01\0\0\x01\x01\0\0\0\x07"),
            attribute(7, b"\0\0\0\x05\x0a\0\0\x01"),
            attribute(16, b"\0\x02\0\x01\0\0\0\x02\x43\0\0\0\0\0\0\x09"),
            attribute(20, b"\x0a\x0b"),
        ])
        .unwrap();
        assert_eq!(expected.route.as_path, "1 65536 {7}");
        let text = |name: &str| &expected.others.iter().find(|(other, _)| other == name).unwrap().1;
        assert_eq!(text("aggregator"), "10.0.0.1 AS5");
        assert_eq!(text("ext_community"), "(rt, 1, 2) (generic, 0x43000000, 0x9)");
        assert_eq!(text("14 [t]"), "0a 0b");
    }

    fn fate(code: u8, value: &[u8], refuses_as_zero: bool) -> Fate {
        let attribute = Attribute { flags: 0xc0, code, value: value.to_vec() };
        let expected = Expected::new(&[attribute]).unwrap();
        expected.reflected(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, refuses_as_zero)
    }

    #[test]
    fn a_route_not_to_be_advertised_stops_at_the_reflector() {
        assert!(matches!(fate(8, b"\xff\xff\xff\x02", false), Fate::NotAdvertised));
        assert!(matches!(fate(8, b"\xff\xff\xff\x01", false), Fate::Arrives(_)));
    }

    #[test]
    fn as_zero_is_refused_by_who_follows_rfc_7607() {
        let (path, aggregator) = (b"\x02\x01\0\0\0\0", b"\0\0\0\0\x0a\0\0\x01");
        assert!(matches!(fate(2, path, true), Fate::TreatedAsWithdrawn));
        assert!(matches!(fate(2, path, false), Fate::Arrives(_)));
        assert!(matches!(fate(7, aggregator, true), Fate::LosesAggregator(e) if e.others.is_empty()));
        assert!(matches!(fate(7, aggregator, false), Fate::Arrives(_)));
    }
}
