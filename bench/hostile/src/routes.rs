//! The routes: numbered prefixes, and the UPDATEs that announce and withdraw them.
//!
//! A prefix is known by its number, and an announcement by its version, which goes out as MED. So what a receiver holds is
//! a version for each number, and whether it is the right one is a comparison of two integers.

use std::net::Ipv4Addr;
use std::ops::Range;

use bgp_core::wire::{
    AsSegment, Community, Origin, PathAttribute, SegmentKind, UpdateView, code, encode, header,
};
use bgp_core::{Asn, Ipv4Prefix, V4};

/// What a prefix was announced with. 0: it is not announced.
pub type Version = u16;

/// Not announced.
pub const WITHDRAWN: Version = 0;

/// The first prefix, a /24 as are all.
const FIRST: u32 = 0x1400_0000;
const LEN: u8 = 24;
/// Neighbouring numbers with the same attributes, about as many as in a full table.
const SET: u32 = 5;

/// The prefix with this number.
pub fn prefix(number: u32) -> Ipv4Prefix {
    let address = Ipv4Addr::from(FIRST.wrapping_add(number << (32 - LEN)));
    Ipv4Prefix::new(address, LEN).expect("a length of at most 32")
}

/// The number of a prefix, if it is one of ours.
pub fn number(prefix: Ipv4Prefix) -> Option<u32> {
    let offset = u32::from(prefix.address()).checked_sub(FIRST)?;
    (prefix.len() == LEN).then_some(offset >> (32 - LEN))
}

/// What a sender announces with, apart from the prefixes.
#[derive(Clone, Copy)]
pub struct Mark {
    /// The sender's address.
    pub next_hop: Ipv4Addr,
    pub version: Version,
    pub local_pref: u32,
    /// Another number makes other attributes.
    pub salt: u32,
}

/// The attributes of the set of prefixes with this number.
fn attributes(set: u32, mark: Mark) -> Vec<u8> {
    // Some of the hops are those of few big networks, the last one is anyone's.
    let asns = [1000 + set % 24, 2000 + set % 2999, 6000 + set % 50_000].map(Asn).to_vec();
    let communities = vec![Community(0x03e8_0000 | (set % 4000)), Community(mark.salt)];
    let attributes = [
        PathAttribute::Origin(Origin::Igp),
        PathAttribute::AsPath(vec![AsSegment { kind: SegmentKind::Sequence, asns }]),
        PathAttribute::NextHop(mark.next_hop),
        PathAttribute::MultiExitDisc(mark.version.into()),
        PathAttribute::LocalPref(mark.local_pref),
        PathAttribute::Communities(communities),
    ];
    let mut octets = Vec::with_capacity(64);
    attributes.iter().for_each(|attribute| attribute.encode(&mut octets));
    octets
}

/// Appends UPDATEs that announce `numbers`, a message for each set.
pub fn announce(out: &mut Vec<u8>, mut numbers: Range<u32>, mark: Mark) {
    while !numbers.is_empty() {
        let set = numbers.start / SET;
        let end = numbers.end.min((set + 1) * SET);
        let prefixes = (numbers.start..end).map(|number| (None, prefix(number)));
        let block = attributes(set, mark);
        let sent = encode::announce::<V4>(out, header::MAX_LEN, &block, mark.next_hop.into(), prefixes);
        sent.expect("a handful of prefixes fit");
        numbers.start = end;
    }
}

/// Appends UPDATEs that withdraw `numbers`.
pub fn withdraw(out: &mut Vec<u8>, numbers: Range<u32>) {
    encode::withdraw::<V4>(out, header::MAX_LEN, numbers.map(|number| (None, prefix(number))));
}

/// What the announcements of an UPDATE say by MED; 1 if there is none, so that it is an announcement at least.
pub fn version(update: &UpdateView<'_>) -> Version {
    let mut attributes = update.attributes().iter().map(|(_, attribute)| attribute);
    let med = attributes.find(|attribute| attribute.code == code::MULTI_EXIT_DISC);
    let value = med.and_then(|attribute| attribute.value.try_into().ok()).map_or(1, u32::from_be_bytes);
    Version::try_from(value).unwrap_or(Version::MAX)
}

#[cfg(test)]
mod tests {
    use bgp_core::wire::{DecodeContext, frame};
    use bgp_core::{Family, FamilySet, PeerKind};

    use super::*;

    const MARK: Mark = Mark { next_hop: Ipv4Addr::new(10, 1, 0, 1), version: 7, local_pref: 100, salt: 9 };

    /// Announced numbers with their version, withdrawn ones with 0, in the order of the messages.
    fn read(mut octets: &[u8]) -> Vec<(u32, Version)> {
        let context = DecodeContext::new(PeerKind::Internal, FamilySet::EMPTY.with(Family::IPV4_UNICAST));
        let mut all = Vec::new();
        while let Some(message) = frame(octets, header::MAX_LEN).unwrap() {
            let update = UpdateView::parse(message.body, &context).unwrap();
            let known = |prefix| number(prefix).unwrap();
            all.extend(update.withdrawn().map(|(_, prefix)| (known(prefix), WITHDRAWN)));
            all.extend(update.announced().map(|(_, prefix)| (known(prefix), version(&update))));
            octets = &octets[message.len..];
        }
        assert!(octets.is_empty());
        all
    }

    #[test]
    fn a_prefix_has_the_number_it_was_made_from() {
        for n in [0, 1, 255, 200_000, 3_000_000] {
            assert_eq!(number(prefix(n)), Some(n));
        }
        assert_eq!(number("10.0.0.0/24".parse().unwrap()), None);
        assert_eq!(number("20.0.0.0/23".parse().unwrap()), None);
    }

    #[test]
    fn what_is_announced_and_withdrawn_is_read_again() {
        let mut out = Vec::new();
        announce(&mut out, 3..12, MARK);
        withdraw(&mut out, 4..6);
        let mut expected: Vec<_> = (3..12).map(|number| (number, 7)).collect();
        expected.extend([(4, WITHDRAWN), (5, WITHDRAWN)]);
        assert_eq!(read(&out), expected);
    }

    #[test]
    fn another_salt_makes_other_attributes() {
        assert_ne!(attributes(1, MARK), attributes(1, Mark { salt: 10, ..MARK }));
        assert_ne!(attributes(1, MARK), attributes(2, MARK));
    }
}
