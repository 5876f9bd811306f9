//! UPDATE, first step: where everything is, and whether the destinations can be read (RFC 4271 section 4.3,
//! RFC 4760). Attribute values are looked at in the second step, [`AttributeBlock::check`].
//!
//! RFC 7606 asks for this order: an UPDATE whose destinations are known can be treated as if it withdrew them, whatever
//! its attributes say. So nothing of an attribute's value is looked at before.

mod parse;

use super::as_path::AsWidth;
use super::attribute;
use super::block::AttributeBlock;
use super::fault::{Fault, Malformed, Treatment};
use super::next_hop::NextHop;
use super::nlri::{Destinations, LabelForm, Nlri, NlriForm};
use crate::{AddressFamily, Family, FamilySet, PeerKind, V4};

/// What the session says about how an UPDATE is to be read: octets alone do not tell. A session's is
/// [`Negotiated::decode_context`](crate::fsm::Negotiated::decode_context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeContext {
    /// Whether the sender is in our AS: some attributes only internal peers may send (RFC 7606 section 7).
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
    pub next_hop: NextHop,
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
/// ```text
///  octets  2          …                  2          …            …
///          │ length W │ withdrawn routes │ length A │ attributes │ NLRI, up to the end
///            IPv4 only, W octets           A octets                IPv4 only
///
///  attributes   … │ MP_REACH_NLRI │ … │ MP_UNREACH_NLRI │ …       of any family
///                 AFI 2, SAFI 1, length 1, next hop, reserved 1, NLRI
///                                     AFI 2, SAFI 1, withdrawn NLRI
/// ```
///
/// Both steps, and what follows from them:
///
/// ```
/// use bgp_core::wire::{Attributes, BlockUse, DecodeContext, Treatment, UpdateView};
/// use bgp_core::{FamilySet, PeerKind};
///
/// let ctx = DecodeContext::new(PeerKind::External, FamilySet::UNICAST);
/// // Announces 10.1.0.0/16: ORIGIN, AS_PATH 64512, NEXT_HOP 10.0.0.1.
/// let body = [
///     0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0, 0x40, 3, 4, 10, 0, 0, 1, 16, 10, 1,
/// ];
/// let update = UpdateView::parse(&body, &ctx)?; // an error ends the session
/// let mut block = Vec::new();
/// let checked = update.attributes().check(&ctx, BlockUse::Announce, &mut block);
/// match update.treatment().max(checked.treatment) {
///     Treatment::Accept | Treatment::DiscardAttribute => {
///         let attributes = Attributes::new(&block);
///         let routes: Vec<String> = update.announced().map(|(_, prefix)| prefix.to_string()).collect();
///         assert_eq!((routes, attributes.as_path().to_string()), (vec!["10.1.0.0/16".into()], "64512".into()));
///         assert_eq!(checked.summary.next_hop, Some([10, 0, 0, 1].into()));
///     }
///     Treatment::TreatAsWithdraw => println!("all that is announced is withdrawn instead"),
///     Treatment::DisableFamily => println!("the family's routes go, and no more are taken"),
///     Treatment::ResetSession => println!("{:?}", checked.worst().map(|fault| fault.notification(&body))),
/// }
/// # Ok::<(), Box<bgp_core::wire::Malformed>>(())
/// ```
///
/// A withdrawal needs the first step only:
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
    body: &'a [u8],
    withdrawn: Span,
    /// Up to the first that overruns.
    attributes: Span,
    announced: Span,
    add_path_v4: bool,
    next_hop: Option<[u8; 4]>,
    mp_reach: Option<Mp>,
    mp_unreach: Option<Mp>,
    end_of_rib: Option<Family>,
    announces: bool,
    faults: Vec<Fault>,
}

/// A part of the body, by the octets that it begins and ends before. Slices would make a view three times as large, and
/// it is moved more often than it is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    #[inline]
    fn of(self, body: &[u8]) -> &[u8] {
        body.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}

/// Where an MP attribute is, header included.
#[derive(Clone, Copy, Debug)]
struct Mp {
    span: Span,
    /// How its destinations are written; `None` if they can't be read or are of a family not negotiated.
    form: Option<NlriForm>,
}

impl Mp {
    /// How its destinations are written, and its value.
    fn readable(self, body: &[u8]) -> Option<(NlriForm, &[u8])> {
        let raw = attribute::next(&mut self.span.of(body)).ok()?;
        Some((self.form?, raw.value))
    }
}

impl<'a> UpdateView<'a> {
    /// Reads the `body` of an UPDATE, what follows the 19 octets of its header. Allocates only if there are faults.
    ///
    /// # Errors
    /// If the session must be reset: the fields' lengths contradict each other, the destinations in its own fields
    /// can't be read, an MP attribute comes twice or with wrong flags, or an attribute overruns and no destinations
    /// are left that could be treated as withdrawn (RFC 7606 sections 3, 4, 5.2, 5.3).
    #[inline]
    pub fn parse(body: &'a [u8], ctx: &DecodeContext) -> Result<UpdateView<'a>, Box<Malformed>> {
        parse::update(body, ctx)
    }

    /// The Withdrawn Routes field (RFC 4271 section 4.3): IPv4 unicast.
    #[must_use]
    #[inline]
    pub fn withdrawn(&self) -> Nlri<'a, V4> {
        Nlri::checked(self.withdrawn.of(self.body), self.add_path_v4)
    }

    /// The Network Layer Reachability Information field (RFC 4271 section 4.3): IPv4 unicast.
    #[must_use]
    #[inline]
    pub fn announced(&self) -> Nlri<'a, V4> {
        Nlri::checked(self.announced.of(self.body), self.add_path_v4)
    }

    /// MP_REACH_NLRI; `None` also if its family was not negotiated or is to be disabled.
    #[must_use]
    #[inline]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        let (form, value) = self.mp_reach?.readable(self.body)?;
        let parts = parse::reach_parts(value)?;
        // Which lengths were agreed on was looked at before.
        let next_hop = NextHop::read(form.family, true, parts.next_hop)?;
        Some(MpReach { family: form.family, next_hop, nlri: parts.nlri, form })
    }

    /// MP_UNREACH_NLRI; `None` also if its family was not negotiated.
    #[must_use]
    #[inline]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        let (form, value) = self.mp_unreach?.readable(self.body)?;
        Some(MpUnreach { family: form.family, nlri: parse::unreach_nlri(value)?, form })
    }

    /// Whether it announces destinations, or may do so: those of a family that was not negotiated count, and those that
    /// can't be read. If not, faults of its attributes are those of [`BlockUse::None`](super::BlockUse::None).
    #[must_use]
    pub fn announces(&self) -> bool {
        self.announces
    }

    /// All other attributes, as they came.
    #[must_use]
    #[inline]
    pub fn attributes(&self) -> AttributeBlock<'a> {
        let mut block = AttributeBlock::default();
        let mut rest = self.attributes;
        let mps = match (self.mp_reach, self.mp_unreach) {
            (None, None) => [None, None],
            (Some(reach), Some(unreach)) if unreach.span.start < reach.span.start => {
                [Some(unreach.span), Some(reach.span)]
            }
            (reach, unreach) => [reach, unreach].map(|mp| mp.map(|mp| mp.span)),
        };
        for mp in mps.into_iter().flatten() {
            let before = Span { end: mp.start, ..rest };
            block.push_part(before.start.into(), before.of(self.body));
            rest.start = mp.end;
        }
        block.push_part(rest.start.into(), rest.of(self.body));
        block
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

    /// What the first step found wrong without resetting the session, by place.
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
