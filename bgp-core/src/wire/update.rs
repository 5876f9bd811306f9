//! UPDATE, first step: where everything is, and whether the destinations can be read (RFC 4271 section 4.3,
//! RFC 4760). Attribute values are looked at in the second step, [`AttributeBlock::check`].

use super::as_path::AsWidth;
use super::attribute::{self, Overrun, RawAttribute};
use super::block::AttributeBlock;
use super::code;
use super::cursor::Cursor;
use super::fault::{Fault, FaultKind, Malformed, Treatment};
use super::next_hop::NextHop;
use super::nlri::{self, Destinations, LabelForm, Nlri, NlriForm};
use super::rules;
use crate::{AddressFamily, Family, FamilySet, PeerKind, V4};

/// What the session says about how an UPDATE is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeContext {
    /// Whether the sender is in our AS.
    pub kind: PeerKind,
    /// Whether both sides have the four-octet AS capability (RFC 6793).
    pub four_octet_as: bool,
    /// The families negotiated; destinations of others are ignored.
    pub families: FamilySet,
    /// The families in which the sender puts path identifiers before its prefixes (RFC 7911).
    pub add_path: FamilySet,
    /// The families of IPv4 whose next hop may be one of IPv6 (RFC 8950).
    pub extended_next_hop: FamilySet,
    /// The families in which the sender may put several labels before a prefix (RFC 8277).
    pub multiple_labels: FamilySet,
}

impl DecodeContext {
    /// A session for `families` with four-octet AS numbers and none of the other options.
    #[must_use]
    pub fn new(kind: PeerKind, families: FamilySet) -> DecodeContext {
        DecodeContext {
            kind,
            four_octet_as: true,
            families,
            add_path: FamilySet::EMPTY,
            extended_next_hop: FamilySet::EMPTY,
            multiple_labels: FamilySet::EMPTY,
        }
    }

    /// How wide AS numbers are.
    #[must_use]
    pub fn as_width(&self) -> AsWidth {
        if self.four_octet_as { AsWidth::Four } else { AsWidth::Two }
    }

    /// How announced destinations of `family` are written.
    #[must_use]
    pub fn announced(&self, family: Family) -> NlriForm {
        let stack = self.multiple_labels.contains(family);
        let labels = if stack { LabelForm::Stack } else { LabelForm::One };
        NlriForm { family, add_path: self.add_path.contains(family), labels }
    }

    /// How withdrawn destinations of `family` are written.
    #[must_use]
    pub fn withdrawn(&self, family: Family) -> NlriForm {
        NlriForm { labels: LabelForm::Withdrawn, ..self.announced(family) }
    }
}

/// MP_REACH_NLRI of a negotiated family: destinations that can be reached (RFC 4760 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpReach<'a> {
    /// The family of the destinations.
    pub family: Family,
    /// Where to send packets for them.
    pub next_hop: NextHop<'a>,
    /// The destinations as on the wire.
    pub nlri: &'a [u8],
    form: NlriForm,
}

/// MP_UNREACH_NLRI of a negotiated family: destinations withdrawn (RFC 4760 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpUnreach<'a> {
    /// The family of the destinations.
    pub family: Family,
    /// The destinations as on the wire.
    pub nlri: &'a [u8],
    form: NlriForm,
}

macro_rules! destinations_of {
    ($($field:ident),*) => {$(
        impl<'a> $field<'a> {
            /// The destinations, if they are of the unicast family `F`; else none.
            #[must_use]
            pub fn nlri_of<F: AddressFamily>(&self) -> Nlri<'a, F> {
                Nlri::checked(if F::FAMILY == self.family { self.nlri } else { &[] }, self.form.add_path)
            }

            /// The destinations, of whatever family.
            #[must_use]
            pub fn destinations(&self) -> Destinations<'a> {
                Destinations::checked(self.nlri, self.form)
            }
        }
    )*};
}
destinations_of!(MpReach, MpUnreach);

/// An UPDATE whose parts were found and whose destinations can be read; borrows the message, owns nothing.
///
/// ```
/// use bgp_core::wire::{DecodeContext, UpdateView};
/// use bgp_core::{Family, FamilySet, PeerKind, V4};
///
/// let families = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
/// let ctx = DecodeContext::new(PeerKind::Internal, families);
/// let body = [0, 3, 16, 10, 1, 0, 0]; // withdraws 10.1.0.0/16
/// let update = UpdateView::parse(&body, &ctx)?;
/// let withdrawn: Vec<String> = update.withdrawn().map(|(_, prefix)| prefix.to_string()).collect();
/// assert_eq!(withdrawn, ["10.1.0.0/16"]);
/// # Ok::<(), Box<bgp_core::wire::Malformed>>(())
/// ```
#[derive(Clone, Debug)]
pub struct UpdateView<'a> {
    withdrawn: &'a [u8],
    announced: &'a [u8],
    add_path_v4: bool,
    block: AttributeBlock<'a>,
    next_hop: Option<[u8; 4]>,
    mp_reach: Option<MpReach<'a>>,
    mp_unreach: Option<MpUnreach<'a>>,
    end_of_rib: Option<Family>,
    faults: Vec<Fault>,
}

impl<'a> UpdateView<'a> {
    /// Reads the `body` of an UPDATE, what follows the 19 octets of its header. Allocates only if there are faults.
    ///
    /// # Errors
    /// If the session must be reset: the fields' lengths contradict each other, the destinations in its own fields
    /// can't be read, an MP attribute comes twice or with wrong flags, or an attribute overruns and no destinations
    /// are left that could be treated as withdrawn (RFC 7606 sections 3, 4, 5.2, 5.3).
    pub fn parse(body: &'a [u8], ctx: &DecodeContext) -> Result<UpdateView<'a>, Box<Malformed>> {
        Parser { body, ctx, faults: Vec::new() }
            .update()
            .map_err(|fault| Box::new(Malformed::new(fault, body)))
    }

    /// The Withdrawn Routes field.
    #[must_use]
    pub fn withdrawn(&self) -> Nlri<'a, V4> {
        Nlri::checked(self.withdrawn, self.add_path_v4)
    }

    /// The Network Layer Reachability Information field.
    #[must_use]
    pub fn announced(&self) -> Nlri<'a, V4> {
        Nlri::checked(self.announced, self.add_path_v4)
    }

    /// MP_REACH_NLRI; `None` also if its family was not negotiated or is to be disabled.
    #[must_use]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        self.mp_reach
    }

    /// MP_UNREACH_NLRI; `None` also if its family was not negotiated.
    #[must_use]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        self.mp_unreach
    }

    /// All other attributes, as they came.
    #[must_use]
    pub fn attributes(&self) -> AttributeBlock<'a> {
        self.block
    }

    /// What NEXT_HOP says, if it is there with its four octets; for a look-up before the second step.
    #[must_use]
    pub fn next_hop(&self) -> Option<std::net::Ipv4Addr> {
        self.next_hop.map(std::net::Ipv4Addr::from)
    }

    /// The family whose routes have all been sent, if this is the marker for that (RFC 4724 section 2).
    #[must_use]
    pub fn end_of_rib(&self) -> Option<Family> {
        self.end_of_rib
    }

    /// What is wrong without resetting the session.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The strongest treatment among [`UpdateView::faults`].
    #[must_use]
    pub fn treatment(&self) -> Treatment {
        self.faults.iter().map(|fault| fault.treatment).max().unwrap_or_default()
    }
}

/// What a walk over the attributes found.
struct Found<'a> {
    block: AttributeBlock<'a>,
    next_hop: Option<[u8; 4]>,
    mp_reach: Option<(usize, RawAttribute<'a>)>,
    mp_unreach: Option<(usize, RawAttribute<'a>)>,
}

struct Parser<'a, 'c> {
    body: &'a [u8],
    ctx: &'c DecodeContext,
    faults: Vec<Fault>,
}

impl<'a> Parser<'a, '_> {
    fn update(mut self) -> Result<UpdateView<'a>, Fault> {
        let mut cursor = Cursor::new(self.body);
        let withdrawn = self.field(&mut cursor, "Withdrawn Routes Length")?;
        let attributes = self.field(&mut cursor, "Total Path Attribute Length")?;
        let announced = cursor.rest();
        let attributes_at = self.body.len() - announced.len() - attributes.len();

        let form = self.ctx.announced(Family::IPV4_UNICAST);
        nlri::check(withdrawn, form).map_err(|e| reset(0, 2, FaultKind::Nlri(e)))?;
        let announced_at = attributes_at + attributes.len();
        nlri::check(announced, form).map_err(|e| reset(0, announced_at, FaultKind::Nlri(e)))?;

        let found = self.walk(attributes, attributes_at)?;
        let mp_reach = found.mp_reach.map(|(at, raw)| self.mp_reach(at, raw)).transpose()?;
        let mp_unreach = found.mp_unreach.map(|(at, raw)| self.mp_unreach(at, raw)).transpose()?;
        let reachable = !announced.is_empty() || mp_reach.as_ref().is_some_and(MpField::is_reachable);
        self.require_reachable(reachable)?;

        let end_of_rib = match (self.body, &mp_unreach) {
            ([0, 0, 0, 0], _) => Some(Family::IPV4_UNICAST),
            (_, Some(MpField::Read(gone)))
                if gone.nlri.is_empty()
                    && withdrawn.is_empty()
                    && !reachable
                    && found.block.is_empty()
                    && found.mp_reach.is_none()
                    && self.faults.is_empty() =>
            {
                Some(gone.family)
            }
            _ => None,
        };
        let v4 = self.ctx.families.contains(Family::IPV4_UNICAST);
        let silent = withdrawn.is_empty() && announced.is_empty();
        if !(v4 || silent) {
            self.ignore_family(0, 0, Family::IPV4_UNICAST);
        }
        Ok(UpdateView {
            withdrawn: if v4 { withdrawn } else { &[] },
            announced: if v4 { announced } else { &[] },
            add_path_v4: form.add_path,
            block: found.block,
            next_hop: found.next_hop,
            mp_reach: mp_reach.and_then(MpField::read),
            mp_unreach: mp_unreach.and_then(MpField::read),
            end_of_rib: end_of_rib.filter(|family| self.ctx.families.contains(*family)),
            faults: self.faults,
        })
    }

    /// The field at the front, after the two octets of its length.
    fn field(&self, cursor: &mut Cursor<'a>, field: &'static str) -> Result<&'a [u8], Fault> {
        let offset = self.body.len() - cursor.len();
        let missing = FaultKind::FieldLength { field, claimed: 2, room: cursor.len() };
        let claimed = usize::from(cursor.u16().ok_or(reset(0, offset, missing))?);
        let room = cursor.len();
        cursor.take(claimed).ok_or_else(|| reset(0, offset, FaultKind::FieldLength { field, claimed, room }))
    }

    /// One pass over the attributes' headers: the MP attributes are taken out of the block.
    fn walk(&mut self, attributes: &'a [u8], base: usize) -> Result<Found<'a>, Fault> {
        let mut found =
            Found { block: AttributeBlock::default(), next_hop: None, mp_reach: None, mp_unreach: None };
        let mut rest = attributes;
        let mut part_at = 0;
        while !rest.is_empty() {
            let at = attributes.len() - rest.len();
            let raw = match attribute::next(&mut rest) {
                Ok(raw) => raw,
                Err(overrun) => {
                    found.block.push_part(base + part_at, attributes.get(part_at..at).unwrap_or_default());
                    self.overrun(base + at, overrun);
                    return Ok(found);
                }
            };
            let slot = match raw.code {
                code::NEXT_HOP if found.next_hop.is_none() => {
                    found.next_hop = raw.value.try_into().ok();
                    continue;
                }
                code::MP_REACH_NLRI => &mut found.mp_reach,
                code::MP_UNREACH_NLRI => &mut found.mp_unreach,
                _ => continue,
            };
            if slot.replace((base + at, raw)).is_some() {
                return Err(reset(raw.code, base + at, FaultKind::Duplicate));
            }
            found.block.push_part(base + part_at, attributes.get(part_at..at).unwrap_or_default());
            part_at = at + raw.whole.len();
        }
        found.block.push_part(base + part_at, attributes.get(part_at..).unwrap_or_default());
        Ok(found)
    }

    fn overrun(&mut self, offset: usize, Overrun { code, claimed, room }: Overrun) {
        let kind = FaultKind::Overrun { claimed, room };
        self.faults.push(Fault { code, kind, offset, treatment: Treatment::TreatAsWithdraw });
    }

    fn ignore_family(&mut self, code: u8, offset: usize, family: Family) {
        let kind = FaultKind::FamilyNotNegotiated(family);
        self.faults.push(Fault { code, kind, offset, treatment: Treatment::DiscardAttribute });
    }

    /// RFC 7606 section 5.2: with a fault, and nothing announced that could be withdrawn instead, nobody knows what
    /// the UPDATE was about.
    fn require_reachable(&mut self, reachable: bool) -> Result<(), Fault> {
        let lost = |fault: &Fault| !reachable && fault.treatment == Treatment::TreatAsWithdraw;
        match self.faults.iter().position(lost) {
            Some(at) => Err(self.faults.swap_remove(at)),
            None => Ok(()),
        }
    }

    /// Flags and length of an MP attribute, then its family; `None` if the session does not carry it.
    fn mp_family(
        &mut self,
        at: usize,
        raw: RawAttribute<'a>,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<Family>, Fault> {
        if let Some(rule) = rules::rule(raw.code) {
            rule.check(&raw, self.ctx).map_err(|(kind, _)| reset(raw.code, at, kind))?;
        }
        let (Some(afi), Some(safi)) = (cursor.u16(), cursor.u8()) else { return Ok(None) };
        let family = Family { afi, safi };
        if self.ctx.families.contains(family) {
            return Ok(Some(family));
        }
        self.ignore_family(raw.code, at, family);
        Ok(None)
    }

    fn mp_reach(&mut self, at: usize, raw: RawAttribute<'a>) -> Result<MpField<MpReach<'a>>, Fault> {
        const UNREADABLE: MpField<MpReach<'_>> = MpField::Ignored { reachable: true };
        let mut cursor = Cursor::new(raw.value);
        let Some(family) = self.mp_family(at, raw, &mut cursor)? else { return Ok(UNREADABLE) };
        let len = cursor.u8().unwrap_or_default();
        let extended = self.ctx.extended_next_hop.contains(family);
        let next_hop = cursor.take(usize::from(len)).and_then(|o| NextHop::new(family, extended, o));
        let (Some(next_hop), Some(_reserved)) = (next_hop, cursor.u8()) else {
            self.disable(raw.code, at, FaultKind::NextHopLength { family, len });
            return Ok(UNREADABLE);
        };
        let (nlri, form) = (cursor.rest(), self.ctx.announced(family));
        if let Err(error) = nlri::check(nlri, form) {
            self.disable(raw.code, at, FaultKind::Nlri(error));
            return Ok(UNREADABLE);
        }
        if let Some(address) = next_hop.address().filter(|address| !rules::is_host(*address)) {
            let kind = FaultKind::NextHop(address);
            self.faults.push(Fault {
                code: raw.code,
                kind,
                offset: at,
                treatment: Treatment::TreatAsWithdraw,
            });
        }
        Ok(MpField::Read(MpReach { family, next_hop, nlri, form }))
    }

    fn mp_unreach(&mut self, at: usize, raw: RawAttribute<'a>) -> Result<MpField<MpUnreach<'a>>, Fault> {
        const UNREADABLE: MpField<MpUnreach<'_>> = MpField::Ignored { reachable: false };
        let mut cursor = Cursor::new(raw.value);
        let Some(family) = self.mp_family(at, raw, &mut cursor)? else { return Ok(UNREADABLE) };
        let (nlri, form) = (cursor.rest(), self.ctx.withdrawn(family));
        if let Err(error) = nlri::check(nlri, form) {
            self.disable(raw.code, at, FaultKind::Nlri(error));
            return Ok(UNREADABLE);
        }
        Ok(MpField::Read(MpUnreach { family, nlri, form }))
    }

    /// RFC 7606 section 5.3 and 7.11: what the attribute says of its family can't be read, all else can.
    fn disable(&mut self, code: u8, offset: usize, kind: FaultKind) {
        self.faults.push(Fault { code, kind, offset, treatment: Treatment::DisableFamily });
    }
}

/// An MP attribute that was read, or that is not for us.
enum MpField<T> {
    Read(T),
    Ignored { reachable: bool },
}

impl<T> MpField<T> {
    fn read(self) -> Option<T> {
        match self {
            MpField::Read(field) => Some(field),
            MpField::Ignored { .. } => None,
        }
    }
}

impl MpField<MpReach<'_>> {
    /// Whether it announces something, ours or not.
    fn is_reachable(&self) -> bool {
        match self {
            MpField::Read(reach) => !reach.nlri.is_empty(),
            MpField::Ignored { reachable } => *reachable,
        }
    }
}

fn reset(code: u8, offset: usize, kind: FaultKind) -> Fault {
    Fault { code, kind, offset, treatment: Treatment::ResetSession }
}
