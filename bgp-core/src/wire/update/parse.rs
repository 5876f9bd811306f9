//! The first step itself. What every UPDATE passes through stands in line; what is wrong with one stands apart, so that
//! it costs nothing until it happens.

use super::{DecodeContext, MpReach, MpUnreach, UpdateView};
use crate::Family;
use crate::wire::attribute::{self, Overrun, RawAttribute};
use crate::wire::code;
use crate::wire::cursor::Cursor;
use crate::wire::fault::{Fault, FaultKind, Malformed, Treatment};
use crate::wire::next_hop::NextHop;
use crate::wire::nlri;
use crate::wire::rules;

type Reset = Box<Malformed>;

pub(super) fn update<'a>(body: &'a [u8], ctx: &DecodeContext) -> Result<UpdateView<'a>, Reset> {
    let mut cursor = Cursor::new(body);
    let withdrawn = field(body, &mut cursor, "Withdrawn Routes Length")?;
    let attributes = field(body, &mut cursor, "Total Path Attribute Length")?;
    let announced = cursor.rest();
    let announced_at = body.len() - announced.len();

    let form = ctx.announced(Family::IPV4_UNICAST);
    nlri::check(withdrawn, form).map_err(|e| reset(body, 0, 2, FaultKind::Nlri(e)))?;
    nlri::check(announced, form).map_err(|e| reset(body, 0, announced_at, FaultKind::Nlri(e)))?;

    let view = UpdateView { withdrawn, announced, add_path_v4: form.add_path, ..UpdateView::default() };
    let mut parser = Parser { body, ctx, view, mp_reach: None, mp_unreach: None };
    parser.walk(attributes, announced_at - attributes.len())?;
    parser.finish()?;
    Ok(parser.view)
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

#[cold]
fn reset(body: &[u8], code: u8, offset: usize, kind: FaultKind) -> Reset {
    let fault = Fault { code, kind, offset, treatment: Treatment::ResetSession };
    Box::new(Malformed::new(fault, body))
}

struct Parser<'a, 'c> {
    body: &'a [u8],
    ctx: &'c DecodeContext,
    view: UpdateView<'a>,
    /// The MP attributes and where they begin.
    mp_reach: Option<(usize, RawAttribute<'a>)>,
    mp_unreach: Option<(usize, RawAttribute<'a>)>,
}

impl<'a> Parser<'a, '_> {
    /// One pass over the attributes' headers: the MP attributes are taken out of the block.
    #[inline]
    fn walk(&mut self, attributes: &'a [u8], base: usize) -> Result<(), Reset> {
        let mut rest = attributes;
        let mut part_at = 0;
        while !rest.is_empty() {
            let at = attributes.len() - rest.len();
            let raw = match attribute::next(&mut rest) {
                Ok(raw) => raw,
                Err(overrun) => {
                    self.push_part(attributes, base, part_at, at);
                    self.overrun(base + at, overrun);
                    return Ok(());
                }
            };
            match raw.code {
                code::NEXT_HOP if self.view.next_hop.is_none() => {
                    self.view.next_hop = raw.value.try_into().ok()
                }
                code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => {
                    self.push_part(attributes, base, part_at, at);
                    part_at = at + raw.whole.len();
                    self.keep_mp(base + at, raw)?;
                }
                _ => {}
            }
        }
        self.push_part(attributes, base, part_at, attributes.len());
        Ok(())
    }

    fn push_part(&mut self, attributes: &'a [u8], base: usize, from: usize, to: usize) {
        self.view.block.push_part(base + from, attributes.get(from..to).unwrap_or_default());
    }

    fn keep_mp(&mut self, at: usize, raw: RawAttribute<'a>) -> Result<(), Reset> {
        let slot = if raw.code == code::MP_REACH_NLRI { &mut self.mp_reach } else { &mut self.mp_unreach };
        match slot.replace((at, raw)) {
            Some(_) => Err(reset(self.body, raw.code, at, FaultKind::Duplicate)),
            None => Ok(()),
        }
    }

    #[cold]
    fn overrun(&mut self, offset: usize, Overrun { code, claimed, room }: Overrun) {
        self.fault(code, offset, FaultKind::Overrun { claimed, room }, Treatment::TreatAsWithdraw);
    }

    /// Reads the MP attributes, then judges the UPDATE as a whole.
    #[inline]
    fn finish(&mut self) -> Result<(), Reset> {
        let mut reachable = !self.view.announced.is_empty();
        if let Some((at, raw)) = self.mp_reach {
            self.view.mp_reach = self.read_reach(at, raw)?;
            // One that can't be read, or is of a family not ours, may announce something.
            reachable |= self.view.mp_reach.is_none_or(|reach| !reach.nlri.is_empty());
        }
        if let Some((at, raw)) = self.mp_unreach {
            self.view.mp_unreach = self.read_unreach(at, raw)?;
        }
        if !self.view.faults.is_empty() {
            self.require_reachable(reachable)?;
        }
        self.view.announces = reachable;
        self.view.end_of_rib = self.end_of_rib(reachable);
        if !self.ctx.families.contains(Family::IPV4_UNICAST) {
            self.drop_ipv4();
        }
        Ok(())
    }

    fn end_of_rib(&self, reachable: bool) -> Option<Family> {
        let view = &self.view;
        let empty = !reachable && view.withdrawn.is_empty() && view.block.is_empty();
        if !empty || self.mp_reach.is_some() || !view.faults.is_empty() {
            return None;
        }
        let family = match view.mp_unreach {
            Some(gone) if gone.nlri.is_empty() => gone.family,
            None if self.mp_unreach.is_none() => Family::IPV4_UNICAST,
            _ => return None,
        };
        self.ctx.families.contains(family).then_some(family)
    }

    /// The UPDATE's own fields are for a family that the session does not carry.
    fn drop_ipv4(&mut self) {
        if !(self.view.withdrawn.is_empty() && self.view.announced.is_empty()) {
            (self.view.withdrawn, self.view.announced) = (&[], &[]);
            self.ignore_family(0, 0, Family::IPV4_UNICAST);
        }
    }

    /// RFC 7606 section 5.2: with a fault, and nothing announced that could be withdrawn instead, nobody knows what
    /// the UPDATE was about.
    #[cold]
    fn require_reachable(&mut self, reachable: bool) -> Result<(), Reset> {
        let lost = |fault: &Fault| !reachable && fault.treatment == Treatment::TreatAsWithdraw;
        match self.view.faults.iter().find(|fault| lost(fault)) {
            Some(fault) => Err(Box::new(Malformed::new(fault.clone(), self.body))),
            None => Ok(()),
        }
    }

    /// Flags and length of an MP attribute, then its family; `None` if the session does not carry it.
    fn mp_family(
        &mut self,
        at: usize,
        raw: RawAttribute<'a>,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<Family>, Reset> {
        if let Some(rule) = rules::rule(raw.code) {
            rule.check(&raw, self.ctx).map_err(|(kind, _)| reset(self.body, raw.code, at, kind))?;
        }
        let (Some(afi), Some(safi)) = (cursor.u16(), cursor.u8()) else { return Ok(None) };
        let family = Family { afi, safi };
        if self.ctx.families.contains(family) {
            return Ok(Some(family));
        }
        self.ignore_family(raw.code, at, family);
        Ok(None)
    }

    fn read_reach(&mut self, at: usize, raw: RawAttribute<'a>) -> Result<Option<MpReach<'a>>, Reset> {
        let mut cursor = Cursor::new(raw.value);
        let Some(family) = self.mp_family(at, raw, &mut cursor)? else { return Ok(None) };
        let len = cursor.u8().unwrap_or_default();
        let extended = self.ctx.extended_next_hop.contains(family);
        let next_hop = cursor.take(usize::from(len)).and_then(|o| NextHop::read(family, extended, o));
        let (Some(next_hop), Some(_reserved)) = (next_hop, cursor.u8()) else {
            self.disable(raw.code, at, FaultKind::NextHopLength { family, len });
            return Ok(None);
        };
        let (nlri, form) = (cursor.rest(), self.ctx.announced(family));
        if let Err(error) = nlri::check(nlri, form) {
            self.disable(raw.code, at, FaultKind::Nlri(error));
            return Ok(None);
        }
        if let Some(address) = next_hop.address().filter(|address| !rules::is_host(*address)) {
            self.fault(raw.code, at, FaultKind::NextHop(address), Treatment::TreatAsWithdraw);
        }
        Ok(Some(MpReach { family, next_hop, nlri, form }))
    }

    fn read_unreach(&mut self, at: usize, raw: RawAttribute<'a>) -> Result<Option<MpUnreach<'a>>, Reset> {
        let mut cursor = Cursor::new(raw.value);
        let Some(family) = self.mp_family(at, raw, &mut cursor)? else { return Ok(None) };
        let (nlri, form) = (cursor.rest(), self.ctx.withdrawn(family));
        if let Err(error) = nlri::check(nlri, form) {
            self.disable(raw.code, at, FaultKind::Nlri(error));
            return Ok(None);
        }
        Ok(Some(MpUnreach { family, nlri, form }))
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
