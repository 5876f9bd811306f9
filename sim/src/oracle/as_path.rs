//! AS_PATH, segment by segment as it stands in a message.

use bgp_core::Asn;

use super::octets::Octets;

const SET: u8 = 1;
const SEQUENCE: u8 = 2;
const CONFED_SEQUENCE: u8 = 3;

/// An AS_PATH, nearest first. The routers simulated form no sets; whoever sends what comes to its mind does.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AsPath(Vec<(u8, Vec<Asn>)>);

impl AsPath {
    /// One sequence.
    #[must_use]
    pub fn sequence(asns: &[u32]) -> AsPath {
        AsPath(vec![(SEQUENCE, asns.iter().copied().map(Asn).collect())])
    }

    /// Reads the attribute's value, which has AS numbers of four octets.
    pub(super) fn read(mut value: Octets<'_>) -> Option<AsPath> {
        let mut path = AsPath::default();
        while !value.is_empty() {
            let (kind, count) = (value.u8()?, value.u8()?);
            let asns = value.take(usize::from(count) * 4)?.all_u32()?;
            path.0.push((kind, asns.into_iter().map(Asn).collect()));
        }
        Some(path)
    }

    /// Its length (RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3).
    #[must_use]
    pub fn hops(&self) -> usize {
        let hops = |(kind, asns): &(u8, Vec<Asn>)| match *kind {
            SET => 1,
            SEQUENCE => asns.len(),
            _ => 0,
        };
        self.0.iter().map(hops).sum()
    }

    /// The AS that the route came from.
    #[must_use]
    pub fn neighbour(&self) -> Option<Asn> {
        let (kind, asns) = self.0.iter().find(|(kind, _)| [SET, SEQUENCE].contains(kind))?;
        asns.first().copied().filter(|_| *kind == SEQUENCE)
    }

    /// How often one of these ASes is on it, in whatever segment.
    #[must_use]
    pub fn count(&self, ours: &[Asn]) -> usize {
        self.0.iter().flat_map(|(_, asns)| asns).filter(|asn| ours.contains(asn)).count()
    }

    /// Whether it has come through member ASes of a confederation last.
    #[must_use]
    pub fn begins_with_members(&self) -> bool {
        self.0.first().is_some_and(|(kind, _)| *kind == CONFED_SEQUENCE)
    }

    /// Puts an AS before it: into its first segment, if that is a sequence with room (RFC 4271 section 5.1.2 b).
    pub(super) fn prepend(&mut self, asn: Asn) {
        self.put_before(SEQUENCE, asn);
    }

    /// Puts a member AS before it, on the way to another (RFC 5065 section 4.1).
    pub(super) fn prepend_member(&mut self, asn: Asn) {
        self.put_before(CONFED_SEQUENCE, asn);
    }

    fn put_before(&mut self, wanted: u8, asn: Asn) {
        match self.0.first_mut() {
            Some((kind, asns)) if *kind == wanted && asns.len() < 255 => asns.insert(0, asn),
            _ => self.0.insert(0, (wanted, vec![asn])),
        }
    }

    /// Takes the segments of the confederation off, which mean nothing outside.
    pub(super) fn drop_members(&mut self) {
        self.0.retain(|(kind, _)| [SET, SEQUENCE].contains(kind));
    }

    /// Puts others in the place of ASes, or nothing; segments that are empty then go.
    pub(super) fn replace(&mut self, other: impl Fn(Asn) -> Option<Asn>) {
        for (_, asns) in &mut self.0 {
            *asns = asns.iter().filter_map(|asn| other(*asn)).collect();
        }
        self.0.retain(|(_, asns)| !asns.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_one_hop_and_a_confederation_none() {
        let value = [1, 3, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 3, 1, 0, 0, 0, 5, 2, 1, 0, 0, 0, 6];
        let mut path = AsPath::read(Octets(&value)).unwrap();
        assert_eq!((path.hops(), path.neighbour()), (2, None));
        assert_eq!((path.count(&[Asn(9), Asn(5)]), path.count(&[Asn(10)])), (2, 0));
        path.prepend(Asn(4));
        assert_eq!((path.hops(), path.neighbour()), (3, Some(Asn(4))));
        assert_eq!(AsPath::read(Octets(&value[..9])), None);
    }

    #[test]
    fn member_ases_stay_in_the_confederation_and_empty_segments_go() {
        let mut path = AsPath::sequence(&[7]);
        path.prepend_member(Asn(5));
        path.prepend_member(Asn(4));
        assert!(path.begins_with_members());
        assert_eq!((path.hops(), path.count(&[Asn(4), Asn(5)])), (1, 2));
        path.drop_members();
        assert_eq!(path, AsPath::sequence(&[7]));
        path.replace(|asn| (asn != Asn(7)).then_some(asn));
        assert_eq!(path, AsPath::default());
    }
}
