//! Edits as they are done to an attribute set.

use std::net::IpAddr;

use bgp_core::Asn;
use bgp_core::wire::community::{Extended, Rate};
use bgp_core::wire::{
    Attributes, Community, ExtendedCommunity, LargeCommunity, SegmentKind, Summary, code, flag,
};

use super::communities::{CommunityPattern, ExtendedCommunityPattern, LargeCommunityPattern};
use super::edit::{Change, Edit, NextHopEdit};
use crate::attributes::{AttributeSet, Attrs, Marks, NextHopMark};
use crate::block::{OPTIONAL, OPTIONAL_TRANSITIVE, WELL_KNOWN, put};

/// Which way the routes go that are edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// In: what is changed here is not marked, the way out treats it as if it had come so.
    Import,
    /// Out: what is set goes out as it was set.
    Export,
}

/// A value that no attribute can hold (RFC 4271 section 4.3).
#[derive(Debug)]
pub(super) struct TooLong;

/// A set while it is edited.
pub(super) struct Draft {
    block: Vec<u8>,
    next_hop: IpAddr,
    marks: Marks,
    direction: Direction,
    local_as: Asn,
}

impl Draft {
    pub(super) fn new(attrs: &AttributeSet, direction: Direction, local_as: Asn) -> Draft {
        let (next_hop, marks) = (attrs.next_hop(), attrs.marks());
        Draft { block: attrs.block().to_vec(), next_hop, marks, direction, local_as }
    }

    /// The edited set, in the store of the one it was made from.
    pub(super) fn finish(self, from: &Attrs) -> Attrs {
        let summary = Summary::of(Attributes::new(&self.block));
        from.edited(self.marks, self.next_hop, &self.block, summary)
    }

    pub(super) fn apply(&mut self, edit: &Edit) -> Result<(), TooLong> {
        match edit {
            Edit::LocalPref(value) => self.put(WELL_KNOWN, code::LOCAL_PREF, &value.to_be_bytes()),
            Edit::Med(None) => {
                self.remove(code::MULTI_EXIT_DISC);
                Ok(())
            }
            Edit::Med(Some(value)) => self.set_med(*value),
            Edit::AddToMed(more) => {
                let med = Attributes::new(&self.block).med().unwrap_or(0);
                self.set_med(med.saturating_add_signed(*more))
            }
            Edit::NextHop(next_hop) => self.set_next_hop(*next_hop),
            Edit::Prepend { asn, times } => self.prepend(asn.unwrap_or(self.local_as), *times),
            Edit::LinkBandwidth(bits) => self.set_link_bandwidth(*bits),
            Edit::Communities(change) => self.change(change),
            Edit::ExtendedCommunities(change) => self.change(change),
            Edit::LargeCommunities(change) => self.change(change),
            Edit::OnlyToCustomer(_) if Attributes::new(&self.block).only_to_customer().is_some() => Ok(()),
            Edit::OnlyToCustomer(asn) => {
                self.put(OPTIONAL_TRANSITIVE, code::ONLY_TO_CUSTOMER, &asn.0.to_be_bytes())
            }
        }
    }

    fn set_med(&mut self, value: u32) -> Result<(), TooLong> {
        if self.direction == Direction::Export {
            self.marks = self.marks.with_med();
        }
        self.put(OPTIONAL, code::MULTI_EXIT_DISC, &value.to_be_bytes())
    }

    fn set_next_hop(&mut self, next_hop: NextHopEdit) -> Result<(), TooLong> {
        let mark = match next_hop {
            NextHopEdit::Address(address) if address.is_ipv4() != self.next_hop.is_ipv4() => return Ok(()),
            NextHopEdit::Address(_) => NextHopMark::Set,
            NextHopEdit::Own => NextHopMark::Own,
            NextHopEdit::Unchanged => NextHopMark::Unchanged,
        };
        if self.direction == Direction::Export {
            self.marks = self.marks.with_next_hop(mark);
        }
        let NextHopEdit::Address(address) = next_hop else { return Ok(()) };
        self.next_hop = address;
        match address {
            IpAddr::V4(v4) if Attributes::new(&self.block).next_hop().is_some() => {
                self.put(WELL_KNOWN, code::NEXT_HOP, &v4.octets())
            }
            _ => Ok(()),
        }
    }

    /// Puts `asn` in front: into the first segment if that is a sequence with room (RFC 4271 section 5.1.2).
    fn prepend(&mut self, asn: Asn, times: u8) -> Result<(), TooLong> {
        const SEQUENCE: u8 = SegmentKind::Sequence as u8;
        let path = Attributes::new(&self.block).get(code::AS_PATH).map_or(&[][..], |path| path.value);
        let new = asn.0.to_be_bytes().repeat(times.into());
        let value = match (path, times) {
            (_, 0) => return Ok(()),
            ([SEQUENCE, count, rest @ ..], _) if count.checked_add(times).is_some() => {
                [&[SEQUENCE, count.saturating_add(times)], new.as_slice(), rest].concat()
            }
            _ => [&[SEQUENCE, times], new.as_slice(), path].concat(),
        };
        self.put(WELL_KNOWN, code::AS_PATH, &value)
    }

    /// Octets per second are what the community has. It is of the kind that other ASes see: who sets it on the way out to
    /// one means that.
    fn set_link_bandwidth(&mut self, bits: Option<u64>) -> Result<(), TooLong> {
        let mut communities: Vec<ExtendedCommunity> =
            Attributes::new(&self.block).extended_communities().collect();
        communities.retain(|community| !matches!(community.meaning(), Extended::LinkBandwidth { .. }));
        communities.extend(bits.map(|bits| {
            let rate = Rate((bits as f32 / 8.0).to_bits());
            let asn = self.local_as.to_two_octets();
            ExtendedCommunity::from(Extended::LinkBandwidth { transitive: true, asn, rate })
        }));
        self.change::<ExtendedCommunity, ExtendedCommunityPattern>(&Change::Replace(communities))
    }

    fn change<C: Kind<P>, P: Copy>(&mut self, change: &Change<C, P>) -> Result<(), TooLong> {
        let mut communities = C::all(Attributes::new(&self.block));
        match change {
            Change::Add(more) => add(&mut communities, more),
            Change::Remove(patterns) => {
                communities.retain(|community| !patterns.iter().any(|pattern| community.is_one_of(*pattern)));
            }
            Change::Replace(others) => {
                communities.clear();
                add(&mut communities, others);
            }
        }
        if communities.is_empty() {
            self.remove(C::CODE);
            return Ok(());
        }
        let mut value = Vec::new();
        communities.iter().for_each(|community| community.write(&mut value));
        self.put(OPTIONAL_TRANSITIVE, C::CODE, &value)
    }

    /// Gives an attribute this value, in the place where it is or else by its code. If it is there and somebody on the
    /// way did not know it, that is still said.
    fn put(&mut self, flags: u8, attribute: u8, value: &[u8]) -> Result<(), TooLong> {
        if value.len() > usize::from(u16::MAX) {
            return Err(TooLong);
        }
        let mut at = 0;
        let (mut start, mut end, mut partial) = (None, 0, 0);
        for raw in Attributes::new(&self.block).iter() {
            let whole = at..at + raw.whole.len();
            at = whole.end;
            if raw.code == attribute {
                (start, end, partial) = (Some(whole.start), whole.end, raw.flags & flag::PARTIAL);
                break;
            }
            if raw.code > attribute && start.is_none() {
                (start, end) = (Some(whole.start), whole.start);
            }
        }
        let start = start.unwrap_or(at);
        let mut whole = Vec::with_capacity(value.len() + 4);
        put(&mut whole, flags | partial, attribute, value);
        self.block.splice(start..end.max(start), whole);
        Ok(())
    }

    fn remove(&mut self, attribute: u8) {
        let mut at = 0;
        let found = Attributes::new(&self.block).iter().find_map(|raw| {
            let whole = at..at + raw.whole.len();
            at = whole.end;
            (raw.code == attribute).then_some(whole)
        });
        if let Some(whole) = found {
            self.block.drain(whole);
        }
    }
}

/// Adds those that are not there.
fn add<C: Copy + PartialEq>(communities: &mut Vec<C>, more: &[C]) {
    for community in more {
        if !communities.contains(community) {
            communities.push(*community);
        }
    }
}

/// A kind of communities with its patterns.
trait Kind<P>: Copy + PartialEq {
    const CODE: u8;
    fn all(block: Attributes<'_>) -> Vec<Self>;
    fn is_one_of(self, pattern: P) -> bool;
    fn write(self, out: &mut Vec<u8>);
}

impl Kind<CommunityPattern> for Community {
    const CODE: u8 = code::COMMUNITIES;

    fn all(block: Attributes<'_>) -> Vec<Community> {
        block.communities().collect()
    }

    fn is_one_of(self, pattern: CommunityPattern) -> bool {
        pattern.matches(self)
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.0.to_be_bytes());
    }
}

impl Kind<ExtendedCommunityPattern> for ExtendedCommunity {
    const CODE: u8 = code::EXTENDED_COMMUNITIES;

    fn all(block: Attributes<'_>) -> Vec<ExtendedCommunity> {
        block.extended_communities().collect()
    }

    fn is_one_of(self, pattern: ExtendedCommunityPattern) -> bool {
        pattern.matches(self)
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }
}

impl Kind<LargeCommunityPattern> for LargeCommunity {
    const CODE: u8 = code::LARGE_COMMUNITY;

    fn all(block: Attributes<'_>) -> Vec<LargeCommunity> {
        block.large_communities().collect()
    }

    fn is_one_of(self, pattern: LargeCommunityPattern) -> bool {
        pattern.matches(self)
    }

    fn write(self, out: &mut Vec<u8>) {
        [self.global, self.local1, self.local2].iter().for_each(|number| out.extend(number.to_be_bytes()));
    }
}
