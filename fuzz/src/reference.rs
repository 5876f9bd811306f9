//! An UPDATE read a second time, in the plainest way: owned values, no views, no table of rules.
//! [`PathAttribute::from_raw`] gives the attributes their types.

use std::net::IpAddr;

use bgp_core::wire::{
    AsPath, AsSegment, AsWidth, Attributes, Community, PathAttribute, SegmentKind, Summary,
};
use bgp_core::{Asn, Family, PathId, Prefix};

/// The three fields of an UPDATE.
pub struct Fields<'a> {
    /// Withdrawn Routes.
    pub withdrawn: &'a [u8],
    /// Path Attributes, those for other families included.
    pub attributes: Attributes<'a>,
    /// Whether the attributes fill their field.
    pub whole: bool,
    /// Network Layer Reachability Information.
    pub announced: &'a [u8],
}

impl Fields<'_> {
    /// Cuts a body up, if its lengths allow.
    #[must_use]
    pub fn of(body: &[u8]) -> Option<Fields<'_>> {
        let (withdrawn, rest) = counted(body)?;
        let (attributes, announced) = counted(rest)?;
        let block = Attributes::new(attributes);
        let taken: usize = block.iter().map(|attribute| attribute.whole.len()).sum();
        Some(Fields { withdrawn, attributes: block, whole: taken == attributes.len(), announced })
    }

    /// How many attributes have this code.
    #[must_use]
    pub fn count(&self, code: u8) -> usize {
        self.attributes.iter().filter(|attribute| attribute.code == code).count()
    }
}

/// What two octets of length count, and what follows.
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

/// Unicast destinations, if they can be read.
#[must_use]
pub fn prefixes(mut octets: &[u8], family: Family, add_path: bool) -> Option<Vec<(PathId, Prefix)>> {
    let mut list = Vec::new();
    while !octets.is_empty() {
        let mut id = PathId(0);
        if add_path {
            id = PathId(u32::from_be_bytes(*octets.first_chunk()?));
            octets = &octets[4..];
        }
        let len = octets[..].first().copied()?;
        let (host, rest) = octets[1..].split_at_checked(usize::from(len).div_ceil(8))?;
        list.push((id, Prefix::new(address(host, family)?, len)?));
        octets = rest;
    }
    Some(list)
}

/// The address that begins with these octets.
fn address(octets: &[u8], family: Family) -> Option<IpAddr> {
    let mut whole = [0; 16];
    whole.get_mut(..octets.len())?.copy_from_slice(octets);
    let [a, b, c, d, ..] = whole;
    if family == Family::IPV4_UNICAST { Some([a, b, c, d].into()) } else { Some(whole.into()) }
}

/// The summary of typed attributes, each of them there once at most.
#[must_use]
pub fn summary(attributes: &[PathAttribute]) -> Summary {
    let mut summary = Summary::default();
    for attribute in attributes {
        match attribute {
            PathAttribute::Origin(origin) => summary.origin = *origin,
            PathAttribute::AsPath(segments) => {
                summary.as_path_len = u16::try_from(hops(segments)).unwrap_or(u16::MAX);
                summary.neighbor_as = neighbor(segments);
            }
            PathAttribute::NextHop(address) => summary.next_hop = Some(*address),
            PathAttribute::MultiExitDisc(med) => summary.med = Some(*med),
            PathAttribute::LocalPref(preference) => summary.local_pref = Some(*preference),
            PathAttribute::OriginatorId(id) => summary.originator_id = Some(*id),
            PathAttribute::ClusterList(clusters) => {
                summary.cluster_list_len = u16::try_from(clusters.len()).unwrap_or(u16::MAX);
            }
            PathAttribute::Communities(list) => {
                let has = |community| list.contains(&community);
                summary.no_advertise = has(Community::NO_ADVERTISE);
                summary.no_export = has(Community::NO_EXPORT) || has(Community::NO_EXPORT_SUBCONFED);
            }
            _ => {}
        }
    }
    summary
}

/// The length of a path: RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3.
#[must_use]
pub fn hops(segments: &[AsSegment]) -> usize {
    units(segments).iter().filter(|unit| unit.counts()).count()
}

fn neighbor(segments: &[AsSegment]) -> Option<Asn> {
    match units(segments).into_iter().find(Unit::counts)? {
        Unit::Hop(asn) => Some(asn),
        Unit::Group(..) => None,
    }
}

/// A path without the borders of its sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// An AS of a sequence.
    Hop(Asn),
    /// A set, or a segment of a confederation.
    Group(SegmentKind, Vec<Asn>),
}

impl Unit {
    /// Whether it makes the path longer.
    fn counts(&self) -> bool {
        !matches!(self, Unit::Group(SegmentKind::ConfedSequence | SegmentKind::ConfedSet, _))
    }
}

/// The units of a path.
#[must_use]
pub fn units(segments: &[AsSegment]) -> Vec<Unit> {
    let of = |segment: &AsSegment| match segment.kind {
        SegmentKind::Sequence => segment.asns.iter().map(|asn| Unit::Hop(*asn)).collect(),
        kind => vec![Unit::Group(kind, segment.asns.clone())],
    };
    segments.iter().flat_map(of).collect()
}

/// AS_PATH and AS4_PATH of a two-octet peer put together (RFC 6793 section 4.2.3). A confederation's segment is kept
/// at the front, and next to a segment of which something is kept.
#[must_use]
pub fn merged(near: &[AsSegment], far: Option<&[AsSegment]>) -> Vec<Unit> {
    let Some(far) = far.filter(|far| hops(far) <= hops(near)) else { return units(near) };
    let mut ours = hops(near) - hops(far);
    let mut path = Vec::new();
    for segment in near {
        let mut units = units(std::slice::from_ref(segment));
        if units.iter().any(Unit::counts) {
            if ours == 0 {
                break;
            }
            units.truncate(ours);
            ours -= units.len();
        }
        path.extend(units);
    }
    path.extend(units(far).into_iter().filter(Unit::counts));
    path
}

/// The segments of a path with four-octet AS numbers.
#[must_use]
pub fn segments(path: AsPath<'_>) -> Vec<AsSegment> {
    path.segments().map(|s| AsSegment { kind: s.kind, asns: s.asns().collect() }).collect()
}

/// All attributes of a checked block.
#[must_use]
pub fn typed(block: &[u8]) -> Vec<PathAttribute> {
    Attributes::new(block).iter().map(|raw| PathAttribute::from_raw(&raw, AsWidth::Four)).collect()
}
