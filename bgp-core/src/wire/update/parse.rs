//! The first step itself. What every UPDATE passes through stands in line; what is wrong with one stands apart, so that
//! it costs nothing until it happens.

use super::{DecodeContext, Mp, Span, UpdateView};
use crate::Family;
use crate::wire::attribute::{self, Overrun, RawAttribute};
use crate::wire::code;
use crate::wire::cursor::Cursor;
use crate::wire::fault::{Fault, FaultKind, Malformed, Treatment};
use crate::wire::header::{HEADER_LEN, MAX_EXTENDED_LEN};
use crate::wire::next_hop::NextHop;
use crate::wire::nlri;
use crate::wire::rules;

type Reset = Box<Malformed>;

/// Octets of a body that holds its two length fields only.
const EMPTY: usize = 4;

#[inline]
pub(super) fn update<'a>(body: &'a [u8], ctx: &DecodeContext) -> Result<UpdateView<'a>, Reset> {
    let mut cursor = Cursor::new(body);
    let withdrawn = field(body, &mut cursor, "Withdrawn Routes Length")?;
    let attributes = field(body, &mut cursor, "Total Path Attribute Length")?;
    let announced = cursor.rest();
    let announced_at = body.len() - announced.len();
    let base = announced_at - attributes.len();

    let form = ctx.announced(Family::IPV4_UNICAST);
    if !withdrawn.is_empty() {
        nlri::check(withdrawn, form).map_err(|e| reset(body, 0, 2, FaultKind::Nlri(e)))?;
    }
    nlri::check(announced, form).map_err(|e| reset(body, 0, announced_at, FaultKind::Nlri(e)))?;

    let found = walk(attributes);
    let span = |start, end| span(start, end).ok_or_else(|| too_long(body));
    let mut view = UpdateView {
        body,
        withdrawn: span(2, 2 + withdrawn.len())?,
        attributes: span(base, base + found.end)?,
        announced: span(announced_at, body.len())?,
        add_path_v4: form.add_path,
        next_hop: found.next_hop,
        mp_reach: None,
        mp_unreach: None,
        announces: !announced.is_empty(),
        end_of_rib: (body.len() == EMPTY).then_some(Family::IPV4_UNICAST),
        faults: Vec::new(),
    };
    let plain = !found.has_mp && found.end == attributes.len();
    if !plain || !ctx.families.contains(Family::IPV4_UNICAST) {
        Parser { body, ctx, view: &mut view }.rest(attributes, base)?;
    }
    Ok(view)
}

/// The field at the front of what is left, after the two octets of its length.
#[inline]
fn field<'a>(body: &'a [u8], cursor: &mut Cursor<'a>, field: &'static str) -> Result<&'a [u8], Reset> {
    let offset = body.len() - cursor.len();
    let too_long = |claimed, room| reset(body, 0, offset, FaultKind::FieldLength { field, claimed, room });
    let Some(claimed) = cursor.u16() else { return Err(too_long(2, cursor.len())) };
    let room = cursor.len();
    cursor.take(usize::from(claimed)).ok_or_else(|| too_long(usize::from(claimed), room))
}

#[inline]
fn span(start: usize, end: usize) -> Option<Span> {
    Some(Span { start: u16::try_from(start).ok()?, end: u16::try_from(end).ok()? })
}

#[cold]
fn reset(body: &[u8], code: u8, offset: usize, kind: FaultKind) -> Reset {
    let fault = Fault { code, kind, offset, treatment: Treatment::ResetSession };
    Box::new(Malformed::new(fault, body))
}

/// No message has such a body.
#[cold]
fn too_long(body: &[u8]) -> Reset {
    let room = MAX_EXTENDED_LEN - HEADER_LEN;
    reset(body, 0, 0, FaultKind::FieldLength { field: "body", claimed: body.len(), room })
}

/// What a walk over the attributes' headers found.
struct Found {
    next_hop: Option<[u8; 4]>,
    /// Whether there is an MP attribute.
    has_mp: bool,
    /// Octets up to the first attribute that overruns.
    end: usize,
}

#[inline]
fn walk(attributes: &[u8]) -> Found {
    let mut found = Found { next_hop: None, has_mp: false, end: 0 };
    let mut rest = attributes;
    while let Some((code, whole, after)) = attribute::split(rest) {
        rest = after;
        match code {
            code::NEXT_HOP if found.next_hop.is_none() => {
                let next_hop = attribute::next(&mut { whole }).ok();
                found.next_hop = next_hop.and_then(|raw| raw.value.try_into().ok());
            }
            code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => found.has_mp = true,
            _ => {}
        }
    }
    found.end = attributes.len() - rest.len();
    found
}

/// MP_REACH_NLRI, cut into its parts (RFC 4760 section 3).
pub(super) struct ReachParts<'a> {
    pub(super) next_hop: &'a [u8],
    pub(super) nlri: &'a [u8],
}

/// Octets of the AFI and SAFI that an MP attribute begins with.
const FAMILY_LEN: usize = 3;

/// The parts of MP_REACH_NLRI, if it has all of them.
pub(super) fn reach_parts(value: &[u8]) -> Option<ReachParts<'_>> {
    let mut cursor = Cursor::new(value);
    cursor.take(FAMILY_LEN)?;
    let len = cursor.u8()?;
    let next_hop = cursor.take(len.into())?;
    let _reserved = cursor.u8()?;
    Some(ReachParts { next_hop, nlri: cursor.rest() })
}

/// The destinations in MP_UNREACH_NLRI (RFC 4760 section 4).
pub(super) fn unreach_nlri(value: &[u8]) -> Option<&[u8]> {
    value.get(FAMILY_LEN..)
}

/// What not every UPDATE has: MP attributes, attributes that overrun, another session than one for IPv4.
struct Parser<'a, 'c> {
    body: &'a [u8],
    ctx: &'c DecodeContext,
    view: &'c mut UpdateView<'a>,
}

impl<'a> Parser<'a, '_> {
    /// Reads what is left, and judges the UPDATE as a whole.
    fn rest(&mut self, attributes: &'a [u8], base: usize) -> Result<(), Reset> {
        self.mp_attributes(attributes, base)?;
        self.require_announced()?;
        self.view.end_of_rib = self.end_of_rib().filter(|family| self.ctx.families.contains(*family));
        if !self.ctx.families.contains(Family::IPV4_UNICAST) {
            self.drop_ipv4();
        }
        Ok(())
    }

    /// Finds the MP attributes and how the last attribute overruns.
    fn mp_attributes(&mut self, attributes: &'a [u8], base: usize) -> Result<(), Reset> {
        let mut rest = attributes;
        while !rest.is_empty() {
            let at = base + attributes.len() - rest.len();
            match attribute::next(&mut rest) {
                Ok(raw) if raw.code == code::MP_REACH_NLRI => self.mp_reach(at, &raw)?,
                Ok(raw) if raw.code == code::MP_UNREACH_NLRI => self.mp_unreach(at, &raw)?,
                Ok(_) => {}
                Err(Overrun { code, claimed, room }) => {
                    let kind = FaultKind::Overrun { claimed, room };
                    self.fault(code, at, kind, Treatment::TreatAsWithdraw);
                    break;
                }
            }
        }
        Ok(())
    }

    fn end_of_rib(&self) -> Option<Family> {
        let view = &self.view;
        let empty = !view.announces && view.withdrawn.of(view.body).is_empty() && view.faults.is_empty();
        if !empty || view.mp_reach.is_some() || !view.attributes().is_empty() {
            return None;
        }
        match view.mp_unreach() {
            Some(gone) => gone.nlri.is_empty().then_some(gone.family),
            None => view.end_of_rib,
        }
    }

    /// The session does not carry IPv4: what stands in the UPDATE's own fields is not for it.
    fn drop_ipv4(&mut self) {
        let (withdrawn, announced) = (self.view.withdrawn, self.view.announced);
        (self.view.withdrawn, self.view.announced) = (Span::default(), Span::default());
        if !(withdrawn.of(self.body).is_empty() && announced.of(self.body).is_empty()) {
            self.ignore_family(0, 0, Family::IPV4_UNICAST);
        }
    }

    /// RFC 7606 section 5.2: with a fault, and nothing announced that could be withdrawn instead, nobody knows what
    /// the UPDATE was about.
    fn require_announced(&mut self) -> Result<(), Reset> {
        let lost = |fault: &&Fault| !self.view.announces && fault.treatment == Treatment::TreatAsWithdraw;
        match self.view.faults.iter().find(lost) {
            Some(fault) => Err(Box::new(Malformed::new(fault.clone(), self.body))),
            None => Ok(()),
        }
    }

    /// Flags and length of an MP attribute that was not there yet, then its family; `None` if the session does not
    /// carry it.
    fn mp_family(&mut self, at: usize, raw: &RawAttribute<'a>, again: bool) -> Result<Option<Family>, Reset> {
        if again {
            return Err(reset(self.body, raw.code, at, FaultKind::Duplicate));
        }
        if let Some(rule) = rules::rule(raw.code) {
            rule.check(raw, self.ctx).map_err(|(kind, _)| reset(self.body, raw.code, at, kind))?;
        }
        let mut cursor = Cursor::new(raw.value);
        let (Some(afi), Some(safi)) = (cursor.u16(), cursor.u8()) else { return Ok(None) };
        let family = Family { afi, safi };
        if self.ctx.families.contains(family) {
            return Ok(Some(family));
        }
        self.ignore_family(raw.code, at, family);
        Ok(None)
    }

    fn mp_reach(&mut self, at: usize, raw: &RawAttribute<'a>) -> Result<(), Reset> {
        let family = self.mp_family(at, raw, self.view.mp_reach.is_some())?;
        let parts = family.and_then(|family| self.reach_parts(at, raw, family));
        // One that can't be read, or is of a family not ours, may announce something.
        self.view.announces |= parts.as_ref().is_none_or(|parts| !parts.nlri.is_empty());
        let form = family.filter(|_| parts.is_some()).map(|family| self.ctx.announced(family));
        self.view.mp_reach = span(at, at + raw.whole.len()).map(|span| Mp { span, form });
        Ok(())
    }

    /// The parts of MP_REACH_NLRI if they can be read.
    fn reach_parts(&mut self, at: usize, raw: &RawAttribute<'a>, family: Family) -> Option<ReachParts<'a>> {
        let parts = reach_parts(raw.value);
        let extended = self.ctx.extended_next_hop.contains(family);
        let next_hop = parts.as_ref().and_then(|parts| NextHop::read(family, extended, parts.next_hop));
        let (Some(parts), Some(next_hop)) = (parts, next_hop) else {
            let len = raw.value.get(FAMILY_LEN).copied().unwrap_or_default();
            self.disable(raw.code, at, FaultKind::NextHopLength { family, len });
            return None;
        };
        if let Err(error) = nlri::check(parts.nlri, self.ctx.announced(family)) {
            self.disable(raw.code, at, FaultKind::Nlri(error));
            return None;
        }
        if let Some(address) = next_hop.address().filter(|address| !rules::is_host(*address)) {
            self.fault(raw.code, at, FaultKind::NextHop(address), Treatment::TreatAsWithdraw);
        }
        Some(parts)
    }

    fn mp_unreach(&mut self, at: usize, raw: &RawAttribute<'a>) -> Result<(), Reset> {
        let family = self.mp_family(at, raw, self.view.mp_unreach.is_some())?;
        let mut form = family.map(|family| self.ctx.withdrawn(family));
        if let Some(Err(error)) =
            form.zip(unreach_nlri(raw.value)).map(|(form, nlri)| nlri::check(nlri, form))
        {
            self.disable(raw.code, at, FaultKind::Nlri(error));
            form = None;
        }
        self.view.mp_unreach = span(at, at + raw.whole.len()).map(|span| Mp { span, form });
        Ok(())
    }

    /// RFC 7606 sections 5.3 and 7.11: what the attribute says of its family can't be read, all else can.
    fn disable(&mut self, code: u8, offset: usize, kind: FaultKind) {
        self.fault(code, offset, kind, Treatment::DisableFamily);
    }

    fn ignore_family(&mut self, code: u8, offset: usize, family: Family) {
        self.fault(code, offset, FaultKind::FamilyNotNegotiated(family), Treatment::DiscardAttribute);
    }

    #[cold]
    fn fault(&mut self, code: u8, offset: usize, kind: FaultKind, treatment: Treatment) {
        self.view.faults.push(Fault { code, kind, offset, treatment });
    }
}
