//! The attributes of an UPDATE, second step: every value checked, and written in the one form that is kept.

use std::net::Ipv4Addr;

use super::as_path::{AsPath, AsPathError, AsWidth, widen};
use super::attribute::{self, Attributes, RawAttribute, flag, push};
use super::code;
use super::community::Community;
use super::cursor::Cursor;
use super::fault::{Fault, FaultKind, Treatment};
use super::plain;
use super::rules::{self, Rule};
use super::typed::Origin;
use super::update::DecodeContext;
use crate::{Asn, RouterId};

/// All path attributes but MP_REACH_NLRI and MP_UNREACH_NLRI: the up to three slices of the message that these two
/// leave over.
///
/// What [`check`](AttributeBlock::check) makes of them is the form to keep: equal attributes have equal octets, however
/// wide the session's AS numbers are.
///
/// ```
/// use bgp_core::wire::{AttributeBlock, Attributes, BlockUse, DecodeContext, Treatment};
/// use bgp_core::{FamilySet, PeerKind};
///
/// let mut ctx = DecodeContext::new(PeerKind::Internal, FamilySet::UNICAST);
/// ctx.four_octet_as = false;
/// // ORIGIN; AS_PATH of AS_TRANS 64512; AS4_PATH of 70000 64512; attribute 99 that nobody knows, not transitive.
/// let received = [
///     0x40, 1, 1, 0, 0x40, 2, 6, 2, 2, 0x5b, 0xa0, 0xfc, 0, 0xc0, 17, 10, 2, 2, 0, 1, 0x11, 0x70, 0, 0, 0xfc, 0,
///     0x80, 99, 0,
/// ];
/// let mut block = Vec::new();
/// let checked = AttributeBlock::new(&received).check(&ctx, BlockUse::MpReach, &mut block);
/// assert_eq!((checked.treatment, checked.summary.as_path_len), (Treatment::Accept, 2));
/// assert_eq!(Attributes::new(&block).as_path().to_string(), "70000 64512");
/// assert_eq!(block.len(), 4 + 3 + 10, "ORIGIN and AS_PATH are left");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributeBlock<'a> {
    parts: [&'a [u8]; 3],
    offsets: [usize; 3],
    used: usize,
}

/// What the attributes are needed for: it decides which of them are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockUse {
    /// For IPv4 destinations in the UPDATE's own field: NEXT_HOP must be there.
    Announce,
    /// For the destinations of MP_REACH_NLRI, which has the next hop: NEXT_HOP is ignored and dropped (RFC 4760
    /// section 3).
    MpReach,
    /// For nothing: the UPDATE only withdraws. No attribute must be there, but since it may have been meant to
    /// announce something, a fault that is not discarded resets the session (RFC 7606 section 5.2).
    None,
}

/// What [`AttributeBlock::check`] found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The strongest treatment of all faults.
    pub treatment: Treatment,
    /// What is wrong; does not allocate if nothing is.
    pub faults: Vec<Fault>,
    /// What the decision process reads.
    pub summary: Summary,
}

impl Checked {
    /// The fault that decided the treatment.
    #[must_use]
    pub fn worst(&self) -> Option<&Fault> {
        self.faults.iter().max_by_key(|fault| fault.treatment)
    }
}

/// What the decision process and the export rules read of a set of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Summary {
    /// ORIGIN.
    pub origin: Origin,
    /// Hops in AS_PATH: a set counts as one, a confederation's segment as none.
    pub as_path_len: u16,
    /// The AS that MEDs are compared within: see [`AsPath::neighbor`].
    pub neighbor_as: Option<Asn>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// ORIGINATOR_ID.
    pub originator_id: Option<RouterId>,
    /// Clusters in CLUSTER_LIST.
    pub cluster_list_len: u16,
    /// NEXT_HOP.
    pub next_hop: Option<Ipv4Addr>,
    /// Whether the communities hold NO_ADVERTISE.
    pub no_advertise: bool,
    /// Whether they hold NO_EXPORT or NO_EXPORT_SUBCONFED: outside of a confederation the same.
    pub no_export: bool,
    /// Whether they hold GRACEFUL_SHUTDOWN (RFC 8326).
    pub graceful_shutdown: bool,
    /// Whether they hold LLGR_STALE (RFC 9494 section 3.2).
    pub llgr_stale: bool,
    /// Whether they hold NO_LLGR (RFC 9494 section 3.3).
    pub no_llgr: bool,
}

impl Summary {
    /// Takes note of an attribute in its canonical form.
    #[inline]
    pub(super) fn note(&mut self, code: u8, value: &[u8]) {
        let number = || Cursor::new(value).u32();
        match code {
            code::ORIGIN => {
                self.origin = value.first().copied().and_then(Origin::from_code).unwrap_or_default();
            }
            code::AS_PATH => {
                let (hops, neighbor) = AsPath::new(value, AsWidth::Four).hops_and_neighbor();
                self.as_path_len = u16::try_from(hops).unwrap_or(u16::MAX);
                self.neighbor_as = neighbor;
            }
            code::NEXT_HOP => self.next_hop = number().map(Ipv4Addr::from),
            code::MULTI_EXIT_DISC => self.med = number(),
            code::LOCAL_PREF => self.local_pref = number(),
            code::ORIGINATOR_ID => self.originator_id = number().map(RouterId),
            code::CLUSTER_LIST => self.cluster_list_len = u16::try_from(value.len() / 4).unwrap_or(u16::MAX),
            code::COMMUNITIES => {
                // All that are looked for are of the reserved ones (RFC 1997).
                for octets in value.as_chunks::<4>().0.iter().filter(|octets| octets.starts_with(&[0xff; 2]))
                {
                    self.note_reserved(Community(u32::from_be_bytes(*octets)));
                }
            }
            _ => {}
        }
    }

    /// Rarely called: out of the way of the hot path.
    #[cold]
    #[inline(never)]
    fn note_reserved(&mut self, community: Community) {
        let mark = match community {
            Community::NO_ADVERTISE => &mut self.no_advertise,
            Community::NO_EXPORT | Community::NO_EXPORT_SUBCONFED => &mut self.no_export,
            Community::GRACEFUL_SHUTDOWN => &mut self.graceful_shutdown,
            Community::LLGR_STALE => &mut self.llgr_stale,
            Community::NO_LLGR => &mut self.no_llgr,
            _ => return,
        };
        *mark = true;
    }

    /// The summary of a block that was checked.
    #[must_use]
    pub fn of(attributes: Attributes<'_>) -> Summary {
        let mut summary = Summary::default();
        attributes.iter().for_each(|attribute| summary.note(attribute.code, attribute.value));
        summary
    }
}

impl<'a> AttributeBlock<'a> {
    /// A block of attributes from elsewhere than a message. What follows the last whole one is ignored.
    #[must_use]
    pub fn new(attributes: &'a [u8]) -> AttributeBlock<'a> {
        let mut block = AttributeBlock::default();
        block.push_part(0, attributes);
        block
    }

    /// Adds a slice that lies at `offset` in the body; at most three are ever added.
    pub(crate) fn push_part(&mut self, offset: usize, part: &'a [u8]) {
        let slots = self.parts.get_mut(self.used).zip(self.offsets.get_mut(self.used));
        if let (Some((slot, at)), false) = (slots, part.is_empty()) {
            (*slot, *at) = (part, offset);
            self.used += 1;
        }
    }

    /// The slices, in order; those not needed are empty.
    #[must_use]
    pub fn parts(&self) -> [&'a [u8]; 3] {
        self.parts
    }

    /// Whether there is no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// All attributes with their offsets in the body.
    pub fn iter(&self) -> impl Iterator<Item = (usize, RawAttribute<'a>)> + use<'a> {
        self.parts.into_iter().zip(self.offsets).flat_map(|(part, base)| {
            let mut rest = part;
            std::iter::from_fn(move || {
                let at = base + part.len() - rest.len();
                if rest.is_empty() { None } else { Some((at, attribute::next(&mut rest).ok()?)) }
            })
        })
    }

    /// The summary of a block that is faultless and in canonical form as it came, as nearly all are: what
    /// [`AttributeBlock::check`] would find and append, without a copy. Any other block gives `None`, and so may one with
    /// rare attributes.
    #[must_use]
    #[inline]
    pub fn canonical(&self, ctx: &DecodeContext, usage: BlockUse) -> Option<Summary> {
        plain::summary(self, ctx, usage)
    }

    /// Checks every attribute by RFC 7606 and appends the block in its canonical form to `out`: AS numbers of four
    /// octets with AS4_PATH and AS4_AGGREGATOR merged in, what is discarded or not to be passed on left out, Partial
    /// set on what is not known here; otherwise as it came, in the same order.
    ///
    /// If the routes are not accepted ([`Treatment::TreatAsWithdraw`] and stronger), or `usage` is
    /// [`BlockUse::None`], nothing is appended. Allocates for `out` and for faults only, with two-octet AS numbers
    /// also for the merged path.
    ///
    /// A canonical block checked again with four-octet AS numbers and for a peer of the same kind gives itself. So
    /// in such a session a block equal to one already checked need not be checked; with two-octet AS numbers it must.
    pub fn check(&self, ctx: &DecodeContext, usage: BlockUse, out: &mut Vec<u8>) -> Checked {
        if let Some(summary) = self.canonical(ctx, usage) {
            self.parts.iter().for_each(|part| out.extend_from_slice(part));
            return Checked { treatment: Treatment::Accept, faults: Vec::new(), summary };
        }
        self.check_by_table(ctx, usage, out)
    }

    /// [`AttributeBlock::check`] for any block, not only those that are in canonical form.
    pub(super) fn check_by_table(&self, ctx: &DecodeContext, usage: BlockUse, out: &mut Vec<u8>) -> Checked {
        let start = out.len();
        let as4 = if ctx.four_octet_as { As4::default() } else { As4::find(self, ctx) };
        let mut checker = Checker {
            ctx,
            usage,
            as4,
            seen: CodeSet::default(),
            repeated: CodeSet::default(),
            checked: Checked {
                treatment: Treatment::Accept,
                faults: Vec::new(),
                summary: Summary::default(),
            },
            out,
        };
        for (offset, attribute) in self.iter() {
            checker.attribute(offset, &attribute);
        }
        checker.require_mandatory();
        let mut checked = checker.checked;
        if usage == BlockUse::None {
            checked.lose_nothing();
        }
        if checked.treatment > Treatment::DiscardAttribute || usage == BlockUse::None {
            out.truncate(start);
        }
        checked
    }
}

impl Checked {
    fn fault(&mut self, fault: Fault) {
        self.treatment = self.treatment.max(fault.treatment);
        self.faults.push(fault);
    }

    /// RFC 7606 section 5.2: what could only be treated as a withdrawal resets the session if there is nothing
    /// announced to withdraw.
    fn lose_nothing(&mut self) {
        for fault in &mut self.faults {
            if fault.treatment > Treatment::DiscardAttribute {
                fault.treatment = Treatment::ResetSession;
                self.treatment = Treatment::ResetSession;
            }
        }
    }
}

/// A set of type codes.
#[derive(Default)]
struct CodeSet([u64; 4]);

impl CodeSet {
    /// Adds `code`; false if it was there already.
    fn insert(&mut self, code: u8) -> bool {
        let bit = 1 << (code & 63);
        let Some(word) = self.0.get_mut(usize::from(code >> 6)) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn contains(&self, code: u8) -> bool {
        self.0.get(usize::from(code >> 6)).is_some_and(|word| word & 1 << (code & 63) != 0)
    }
}

/// What a two-octet peer says about four-octet AS numbers (RFC 6793 section 4.2.3).
#[derive(Default)]
struct As4<'a> {
    path: Option<AsPath<'a>>,
    aggregator: Option<&'a [u8]>,
}

impl<'a> As4<'a> {
    /// The first AS4_PATH and AS4_AGGREGATOR, if well-formed. Both are ignored if there is an AGGREGATOR that
    /// AS4_AGGREGATOR does not stand behind.
    fn find(block: &AttributeBlock<'a>, ctx: &DecodeContext) -> As4<'a> {
        let value = |code| {
            let (_, attribute) = block.iter().find(|(_, attribute)| attribute.code == code)?;
            rules::rule(code)?.check(&attribute, ctx).ok()?;
            Some(attribute.value)
        };
        let path = value(code::AS4_PATH).map(|path| AsPath::new(path, AsWidth::Four));
        let aggregator = value(code::AS4_AGGREGATOR);
        let aggregating_as = value(code::AGGREGATOR).and_then(|value| Cursor::new(value).u16());
        match (aggregator, aggregating_as) {
            (Some(_), Some(asn)) if u32::from(asn) != Asn::TRANS.0 => As4::default(),
            _ => As4 { path, aggregator },
        }
    }
}

struct Checker<'a, 'c> {
    ctx: &'c DecodeContext,
    usage: BlockUse,
    as4: As4<'a>,
    seen: CodeSet,
    repeated: CodeSet,
    checked: Checked,
    out: &'c mut Vec<u8>,
}

impl Checker<'_, '_> {
    fn fault(&mut self, code: u8, offset: usize, kind: FaultKind, treatment: Treatment) {
        self.checked.fault(Fault { code, kind, offset, treatment });
    }

    fn attribute(&mut self, offset: usize, raw: &RawAttribute<'_>) {
        if self.usage == BlockUse::MpReach && raw.code == code::NEXT_HOP {
            return;
        }
        if !self.seen.insert(raw.code) {
            return self.duplicate(offset, raw.code);
        }
        match rules::rule(raw.code) {
            None => self.unknown(offset, raw),
            Some(rule) => match rule.check(raw, self.ctx) {
                Ok(()) => self.known(offset, raw, rule),
                Err((kind, treatment)) => self.fault(raw.code, offset, kind, treatment),
            },
        }
    }

    /// RFC 7606 section 3 g. Told once of each type: else a message could have as many faults as it has attributes.
    #[cold]
    fn duplicate(&mut self, offset: usize, code: u8) {
        if self.repeated.insert(code) {
            self.fault(code, offset, FaultKind::Duplicate, Treatment::DiscardAttribute);
        }
    }

    /// RFC 4271 sections 5 and 9: passed on as it is and marked so if transitive, else quietly dropped.
    fn unknown(&mut self, offset: usize, raw: &RawAttribute<'_>) {
        if raw.flags & flag::OPTIONAL == 0 {
            self.fault(raw.code, offset, FaultKind::UnknownWellKnown, Treatment::TreatAsWithdraw);
        } else if raw.flags & flag::TRANSITIVE != 0 {
            let kept = flag::OPTIONAL | flag::TRANSITIVE | flag::EXTENDED_LENGTH;
            self.copy(raw, raw.flags & kept | flag::PARTIAL);
        }
    }

    fn known(&mut self, offset: usize, raw: &RawAttribute<'_>, rule: &Rule) {
        let flags = raw.flags & rule.class.kept();
        match raw.code {
            code::AS_PATH if !self.ctx.four_octet_as => self.widen_path(offset, raw, flags),
            code::AGGREGATOR if !self.ctx.four_octet_as => self.widen_aggregator(raw, flags),
            code::AS4_PATH | code::AS4_AGGREGATOR => {}
            _ => {
                self.checked.summary.note(raw.code, raw.value);
                self.copy(raw, flags);
            }
        }
    }

    /// Appends the attribute, octet for octet but for its flags.
    fn copy(&mut self, raw: &RawAttribute<'_>, flags: u8) {
        let at = self.out.len();
        self.out.extend_from_slice(raw.whole);
        if let Some(octet) = self.out.get_mut(at) {
            *octet = flags;
        }
    }

    fn widen_path(&mut self, offset: usize, raw: &RawAttribute<'_>, flags: u8) {
        let mut path = Vec::with_capacity(raw.value.len() * 2);
        widen(&mut path, AsPath::new(raw.value, AsWidth::Two), self.as4.path);
        if path.len() > usize::from(u16::MAX) {
            let kind = FaultKind::AsPath(AsPathError::TooLong);
            return self.fault(raw.code, offset, kind, Treatment::TreatAsWithdraw);
        }
        self.checked.summary.note(raw.code, &path);
        push(self.out, flags, raw.code, &path);
    }

    fn widen_aggregator(&mut self, raw: &RawAttribute<'_>, flags: u8) {
        match (self.as4.aggregator, raw.value) {
            (Some(four_octets), _) => push(self.out, flags, raw.code, four_octets),
            (None, [high, low, router @ ..]) => {
                let mut value = vec![0, 0, *high, *low];
                value.extend_from_slice(router);
                push(self.out, flags, raw.code, &value);
            }
            (None, _) => {}
        }
    }

    /// RFC 7606 section 3 d. An attribute that is there but malformed has its own fault.
    fn require_mandatory(&mut self) {
        let mandatory: &[u8] = match self.usage {
            BlockUse::Announce => &[code::ORIGIN, code::AS_PATH, code::NEXT_HOP],
            BlockUse::MpReach => &[code::ORIGIN, code::AS_PATH],
            BlockUse::None => &[],
        };
        for &code in mandatory {
            if !self.seen.contains(code) {
                self.fault(code, 0, FaultKind::Missing, Treatment::TreatAsWithdraw);
            }
        }
    }
}
