//! What a set holds, packed.
//!
//! What the decision process reads of a set are mostly numbers that its block has anyway, four octets each. So what is
//! kept of such a number is one octet: where it lies. A number that the block does not have, or too far behind, is
//! put in front of the block; so is a next hop of IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::{Origin, Summary, code, flag};
use bgp_core::{Asn, PeerKind, RouterId};

use super::interned::AttributeSet;
use super::marks::Marks;

/// What a set is known by.
pub(super) struct Key<'a> {
    pub(super) kind: PeerKind,
    pub(super) marks: Marks,
    pub(super) next_hop: IpAddr,
    /// The canonical block, cut anywhere.
    pub(super) parts: &'a [&'a [u8]],
}

impl Key<'_> {
    /// What goes into the hash beside the next hop and the bytes.
    #[inline]
    pub(super) fn tag(&self) -> u8 {
        self.marks.bits() << 1 | self.kind as u8
    }
}

/// The numbers of four octets that have a place: see [`Contents::at`].
const NEIGHBOR_AS: usize = 0;
const LOCAL_PREF: usize = 1;
const MED: usize = 2;
const ORIGINATOR_ID: usize = 3;
/// NEXT_HOP, as the summary has it.
const NEXT_HOP: usize = 4;
/// The next hop of the set if that is of IPv4, as it nearly always is NEXT_HOP.
const OWN_NEXT_HOP: usize = 5;
const PLACES: usize = 6;

/// The place of what is not there.
const ABSENT: u8 = u8::MAX;

/// The place of a next hop of IPv6: the first 16 octets.
const V6: u8 = u8::MAX - 1;

/// Numbers further behind in the block are repeated in front of it: places fit into an octet then.
const REACH: usize = 125;

/// Tells places in front of the block from those in it, while it is not known how much is in front.
const FRONT: u8 = 1 << 7;

/// The octets that may stand in front of the block: all that have a place, and a next hop of IPv6 in place of one.
const MAX_FRONT: usize = 4 * (PLACES - 1) + 16;

const _: () =
    assert!(REACH + 2 < FRONT as usize && REACH + 2 + MAX_FRONT < V6 as usize && MAX_FRONT / 4 < 16);

/// What is kept of a set in a fixed size; the rest is in its octets.
pub(super) struct Contents {
    as_path_len: u16,
    cluster_list_len: u16,
    /// ORIGIN, the kind of session, and the marks that are made of communities.
    bits: u8,
    /// The [`Marks`], and above them how many times four octets stand in front of the block.
    marks_and_front: u8,
    /// Where in the octets each number lies.
    at: [u8; PLACES],
}

const ORIGIN: u8 = 0b11;
const EXTERNAL: u8 = 1 << 2;
const NO_ADVERTISE: u8 = 1 << 3;
const NO_EXPORT: u8 = 1 << 4;
const GRACEFUL_SHUTDOWN: u8 = 1 << 5;
const LLGR_STALE: u8 = 1 << 6;
const NO_LLGR: u8 = 1 << 7;

/// What stands in front of a block.
pub(super) struct Front {
    octets: [u8; MAX_FRONT],
    len: usize,
}

impl Front {
    const EMPTY: Front = Front { octets: [0; MAX_FRONT], len: 0 };

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    /// Adds some, and says where they lie. There is room for all that [`Contents::new`] may add.
    fn push(&mut self, octets: &[u8]) -> u8 {
        let at = self.len;
        if let Some(room) = self.octets.get_mut(at..at + octets.len()) {
            room.copy_from_slice(octets);
            self.len += octets.len();
        }
        at as u8
    }
}

impl Contents {
    /// What is kept of a set, and what is to stand in front of its block.
    #[inline]
    pub(super) fn new(key: &Key<'_>, summary: &Summary) -> (Contents, Front) {
        let mut front = Front::EMPTY;
        let (own, own_v6) = match key.next_hop {
            IpAddr::V4(address) => (Some(u32::from(address)), None),
            IpAddr::V6(address) => (None, Some(address)),
        };
        if let Some(address) = own_v6 {
            front.push(&address.octets());
        }
        // Nearly always the attributes are in one part, or what is read of them in the first.
        let block = key.parts.first().copied().unwrap_or_default();
        let values = Values::of(block);
        let mut place = |number: Option<u32>, value: u8| match number {
            None => ABSENT,
            Some(number) if read(block, value) == Some(number) => value,
            Some(number) => front.push(&number.to_be_bytes()) | FRONT,
        };
        let next_hop = values.at(code::NEXT_HOP);
        let mut at = [ABSENT; PLACES];
        // In an AS_PATH the first number is behind type and length of the first segment.
        at[NEIGHBOR_AS] = place(summary.neighbor_as.map(|asn| asn.0), values.at(code::AS_PATH) + 2);
        at[LOCAL_PREF] = place(summary.local_pref, values.at(code::LOCAL_PREF));
        at[MED] = place(summary.med, values.at(code::MULTI_EXIT_DISC));
        at[ORIGINATOR_ID] = place(summary.originator_id.map(|id| id.0), values.at(code::ORIGINATOR_ID));
        at[NEXT_HOP] = place(summary.next_hop.map(u32::from), next_hop);
        at[OWN_NEXT_HOP] = if own_v6.is_some() { V6 } else { place(own, next_hop) };
        if front.len > 0 {
            for at in at.iter_mut().filter(|at| **at < V6) {
                *at = if *at < FRONT { *at + front.len as u8 } else { *at - FRONT };
            }
        }
        let marks_and_front = key.marks.bits() | ((front.len / 4) as u8) << 4;
        let Summary { as_path_len, cluster_list_len, .. } = *summary;
        (
            Contents { as_path_len, cluster_list_len, bits: bits(key.kind, summary), marks_and_front, at },
            front,
        )
    }
}

/// Where in a block the values of the attributes lie whose codes are below 16; 0 for those not seen.
struct Values([u8; 16]);

impl Values {
    #[inline]
    fn of(block: &[u8]) -> Values {
        let (mut values, mut offset) = (Values([0; 16]), 0);
        while let Some([flags, code, len, rest @ ..]) = block.get(offset..) {
            let (value, len) = match rest {
                [low, ..] if flags & flag::EXTENDED_LENGTH != 0 => {
                    (offset + 4, usize::from(*len) << 8 | usize::from(*low))
                }
                _ => (offset + 3, usize::from(*len)),
            };
            if value > REACH {
                break;
            }
            if let Some(at) = values.0.get_mut(usize::from(*code)) {
                *at = value as u8;
            }
            offset = value + len;
        }
        values
    }

    #[inline]
    fn at(&self, code: u8) -> u8 {
        self.0.get(usize::from(code)).copied().unwrap_or_default()
    }
}

/// The number at an offset.
#[inline]
fn read(octets: &[u8], at: u8) -> Option<u32> {
    let (number, _) = octets.get(usize::from(at)..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*number))
}

fn bits(kind: PeerKind, summary: &Summary) -> u8 {
    let marks = [
        (kind == PeerKind::External, EXTERNAL),
        (summary.no_advertise, NO_ADVERTISE),
        (summary.no_export, NO_EXPORT),
        (summary.graceful_shutdown, GRACEFUL_SHUTDOWN),
        (summary.llgr_stale, LLGR_STALE),
        (summary.no_llgr, NO_LLGR),
    ];
    marks.iter().fold(summary.origin as u8, |bits, (is_set, bit)| if *is_set { bits | bit } else { bits })
}

impl AttributeSet {
    /// The canonical block: all attributes but MP_REACH_NLRI and MP_UNREACH_NLRI.
    #[must_use]
    #[inline]
    pub fn block(&self) -> &[u8] {
        let front = usize::from(self.contents().marks_and_front >> 4) * 4;
        self.octets().get(front..).unwrap_or_default()
    }

    /// The next hop, whether it came in NEXT_HOP or in MP_REACH_NLRI.
    #[must_use]
    #[inline]
    pub fn next_hop(&self) -> IpAddr {
        match self.contents().at[OWN_NEXT_HOP] {
            V6 => Ipv6Addr::from(self.octets().first_chunk::<16>().copied().unwrap_or_default()).into(),
            at => Ipv4Addr::from(self.number(at).unwrap_or_default()).into(),
        }
    }

    /// The kind of session it came from.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> PeerKind {
        if self.has(EXTERNAL) { PeerKind::External } else { PeerKind::Internal }
    }

    /// What filters made of it.
    #[must_use]
    #[inline]
    pub fn marks(&self) -> Marks {
        Marks::from_bits(self.contents().marks_and_front)
    }

    /// What the decision process reads.
    #[must_use]
    #[inline]
    pub fn summary(&self) -> Summary {
        Summary {
            origin: self.origin(),
            as_path_len: self.as_path_len(),
            neighbor_as: self.neighbor_as(),
            local_pref: self.local_pref(),
            med: self.med(),
            originator_id: self.originator_id(),
            cluster_list_len: self.cluster_list_len(),
            next_hop: self.number(self.contents().at[NEXT_HOP]).map(Ipv4Addr::from),
            no_advertise: self.has(NO_ADVERTISE),
            no_export: self.has(NO_EXPORT),
            graceful_shutdown: self.has(GRACEFUL_SHUTDOWN),
            llgr_stale: self.is_llgr_stale(),
            no_llgr: self.has(NO_LLGR),
        }
    }

    /// [`Summary::origin`]; this and the following are for who needs no more of the summary.
    #[must_use]
    #[inline]
    pub(crate) fn origin(&self) -> Origin {
        Origin::from_code(self.contents().bits & ORIGIN).unwrap_or_default()
    }

    /// [`Summary::as_path_len`].
    #[must_use]
    #[inline]
    pub(crate) fn as_path_len(&self) -> u16 {
        self.contents().as_path_len
    }

    /// [`Summary::neighbor_as`].
    #[must_use]
    #[inline]
    pub(crate) fn neighbor_as(&self) -> Option<Asn> {
        self.number(self.contents().at[NEIGHBOR_AS]).map(Asn)
    }

    /// [`Summary::local_pref`].
    #[must_use]
    #[inline]
    pub(crate) fn local_pref(&self) -> Option<u32> {
        self.number(self.contents().at[LOCAL_PREF])
    }

    /// [`Summary::med`].
    #[must_use]
    #[inline]
    pub(crate) fn med(&self) -> Option<u32> {
        self.number(self.contents().at[MED])
    }

    /// [`Summary::originator_id`].
    #[must_use]
    #[inline]
    pub(crate) fn originator_id(&self) -> Option<RouterId> {
        self.number(self.contents().at[ORIGINATOR_ID]).map(RouterId)
    }

    /// [`Summary::cluster_list_len`].
    #[must_use]
    #[inline]
    pub(crate) fn cluster_list_len(&self) -> u16 {
        self.contents().cluster_list_len
    }

    /// [`Summary::llgr_stale`].
    #[must_use]
    #[inline]
    pub(crate) fn is_llgr_stale(&self) -> bool {
        self.has(LLGR_STALE)
    }

    #[inline]
    fn has(&self, bit: u8) -> bool {
        self.contents().bits & bit != 0
    }

    /// The number that lies there.
    #[inline]
    fn number(&self, at: u8) -> Option<u32> {
        if at == ABSENT { None } else { read(self.octets(), at) }
    }

    /// Whether this is the set with that key.
    #[inline]
    pub(super) fn is(&self, key: &Key<'_>) -> bool {
        let is_next_hop = match (key.next_hop, self.contents().at[OWN_NEXT_HOP]) {
            (IpAddr::V4(address), at) => at != V6 && read(self.octets(), at) == Some(address.into()),
            (IpAddr::V6(address), V6) => self.octets().starts_with(&address.octets()),
            (IpAddr::V6(_), _) => false,
        };
        is_next_hop
            && self.kind() == key.kind
            && self.marks() == key.marks
            && match key.parts {
                [whole] | [whole, [], []] => self.block() == *whole,
                parts => is_concatenation(self.block(), parts),
            }
    }
}

#[inline(never)]
fn is_concatenation(mut block: &[u8], parts: &[&[u8]]) -> bool {
    let mut starts_with = |part: &&[u8]| block.strip_prefix(*part).map(|rest| block = rest).is_some();
    parts.iter().all(&mut starts_with) && block.is_empty()
}

impl fmt::Debug for AttributeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeSet")
            .field("next_hop", &self.next_hop())
            .field("kind", &self.kind())
            .field("marks", &self.marks())
            .field("summary", &self.summary())
            .field("block", &self.block())
            .finish_non_exhaustive()
    }
}
