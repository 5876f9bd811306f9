//! An UPDATE read a second time, in the plainest way: owned octets, no views, no table of rules.
//! [`PathAttribute::from_raw`] gives the attributes their types.

use std::net::IpAddr;

use bgp_core::wire::{
    AsPath, AsSegment, AsWidth, Attributes, Community, Destination, LabelForm, NlriForm, PathAttribute,
    SegmentKind, Summary,
};
use bgp_core::{Asn, Family, PathId};

const LABELED: u8 = 4;
const EVPN: u8 = 70;
const VPN: u8 = 128;
const FLOW: u8 = 133;
const VPN_FLOW: u8 = 134;

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

/// Destinations: each with its path identifier as the octets that it is best written with. Of a route of an Ethernet
/// VPN only the type, of a flow specification nothing. `None` if they can't be cut apart.
#[must_use]
pub fn destinations(mut octets: &[u8], form: NlriForm) -> Option<Vec<(PathId, Vec<u8>)>> {
    let mut list = Vec::new();
    while !octets.is_empty() {
        let mut id = PathId(0);
        if form.add_path {
            let (first, rest) = octets.split_first_chunk()?;
            (id, octets) = (PathId(u32::from_be_bytes(*first)), rest);
        }
        let (destination, rest) = match form.family {
            Family { safi: EVPN, .. } => evpn(octets)?,
            Family { safi: FLOW | VPN_FLOW, .. } => flow(octets)?,
            _ => counted_in_bits(octets, form)?,
        };
        list.push((id, destination));
        octets = rest;
    }
    Some(list)
}

/// What [`destinations`] says of a destination that was read otherwise.
#[must_use]
pub fn best_written(destination: &Destination<'_>) -> Vec<u8> {
    match destination {
        Destination::Evpn(route) => vec![route.kind()],
        Destination::FlowSpec(_) => Vec::new(),
        other => {
            let mut out = Vec::new();
            other.encode(&mut out, None);
            out
        }
    }
}

fn evpn(octets: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let [kind, len, rest @ ..] = octets else { return None };
    Some((vec![*kind], rest.get(usize::from(*len)..)?))
}

/// The length takes two octets where the first four bits are set (RFC 8955 section 4.1).
fn flow(octets: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (len, rest) = match octets {
        [high @ 0xf0..=0xff, low, rest @ ..] => (usize::from(high & 0x0f) << 8 | usize::from(*low), rest),
        [len, rest @ ..] => (usize::from(*len), rest),
        _ => return None,
    };
    Some((Vec::new(), rest.get(len..)?))
}

/// A length in bits, labels, a route distinguisher, and what is left is a prefix or a route target.
fn counted_in_bits(octets: &[u8], form: NlriForm) -> Option<(Vec<u8>, &[u8])> {
    let (&len, rest) = octets.split_first()?;
    let (value, rest) = rest.split_at_checked(usize::from(len).div_ceil(8))?;
    let mut before = Vec::new();
    if matches!(form.family.safi, LABELED | VPN) {
        before = labels(value, form.labels)?;
    }
    let distinguisher = if form.family.safi == VPN { 8 } else { 0 };
    before.extend(value.get(before.len()..before.len() + distinguisher)?);
    let bits = usize::from(len).checked_sub(8 * before.len())?;
    let allowed = match form.family {
        Family::ROUTE_TARGET => bits == 0 || (32..=96).contains(&bits),
        family => bits <= if family.afi == 1 { 32 } else { 128 },
    };
    let mut host = value[before.len()..].to_vec();
    if let (Some(last), used @ 1..) = (host.last_mut(), bits % 8) {
        *last &= 0xff << (8 - used);
    }
    allowed.then(|| ([&[len][..], &before, &host].concat(), rest))
}

/// The labels, their bottom marked.
fn labels(value: &[u8], form: LabelForm) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    for label in value.chunks_exact(3) {
        labels.extend_from_slice(label);
        match form {
            LabelForm::Withdrawn => return Some(vec![0x80, 0, 0]),
            LabelForm::Stack if label[2] & 1 == 0 => continue,
            LabelForm::Stack | LabelForm::One => {
                *labels.last_mut()? |= 1;
                return Some(labels);
            }
        }
    }
    None
}

/// The addresses of a next hop: each behind a route distinguisher in a VPN, none for flow specifications. The link-local
/// one twice if the global one is `::`.
#[must_use]
pub fn next_hop(family: Family, octets: &[u8]) -> Vec<IpAddr> {
    let before = match family.safi {
        FLOW | VPN_FLOW => return Vec::new(),
        VPN => 8,
        _ => 0,
    };
    if let Some(v4) = octets[before..].as_array::<4>() {
        return vec![(*v4).into()];
    }
    let address = |octets: &[u8]| octets[before..].first_chunk::<16>().map(|v6| (*v6).into());
    let mut addresses: Vec<IpAddr> = octets.chunks(before + 16).filter_map(address).collect();
    if let [first, link_local] = &mut addresses[..]
        && first.is_unspecified()
    {
        *first = *link_local;
    }
    addresses
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
                summary.graceful_shutdown = has(Community::GRACEFUL_SHUTDOWN);
                summary.llgr_stale = has(Community::LLGR_STALE);
                summary.no_llgr = has(Community::NO_LLGR);
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
