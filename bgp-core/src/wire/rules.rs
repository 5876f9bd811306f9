//! RFC 7606 as one table: per attribute its flags, its length, who may send it, what its value must be, and what
//! happens to the UPDATE if it is wrong. [`attribute_rules`] lists it; [`fault_rules`] adds what else can be wrong
//! with one attribute's value, or with the UPDATE itself. Tests are made from each row of both.
#![cfg_attr(doc, doc = "")]
#![cfg_attr(doc, doc = include_str!("../../../docs/rfc7606.md"))]

mod faults;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::aigp::Aigp;
use super::as_path::{AsPath, AsPathError, AsWidth};
use super::attribute::{RawAttribute, flag};
use super::code;
use super::cursor::Cursor;
use super::fault::{FaultKind, Treatment};
use super::pmsi::PmsiTunnel;
use super::prefix_sid::PrefixSid;
use super::tunnel::TunnelEncapsulation;
use super::typed::Origin;
use super::update::DecodeContext;
use crate::PeerKind;

pub use faults::{FaultRule, fault_rules};

/// An attribute's Optional and Transitive flags (RFC 4271 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Every speaker knows it.
    WellKnown,
    /// Those who don't know it pass it on.
    OptionalTransitive,
    /// Those who don't know it drop it.
    OptionalNonTransitive,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::WellKnown => "well-known",
            Class::OptionalTransitive => "optional transitive",
            Class::OptionalNonTransitive => "optional non-transitive",
        })
    }
}

impl Class {
    /// Optional and Transitive as they must be.
    pub(crate) const fn flags(self) -> u8 {
        match self {
            Class::WellKnown => flag::TRANSITIVE,
            Class::OptionalTransitive => flag::OPTIONAL | flag::TRANSITIVE,
            Class::OptionalNonTransitive => flag::OPTIONAL,
        }
    }

    /// The flags that may be set when the attribute is sent on: Partial means nothing where it is not passed on
    /// unrecognized, the four low bits mean nothing at all.
    pub(crate) const fn kept(self) -> u8 {
        let partial = if matches!(self, Class::OptionalTransitive) { flag::PARTIAL } else { 0 };
        self.flags() | partial | flag::EXTENDED_LENGTH
    }
}

/// The lengths that an attribute's value can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Length {
    /// Any, zero included.
    Any,
    /// Just this.
    Exactly(usize),
    /// At least this.
    AtLeast(usize),
    /// A multiple of this, but not zero.
    MultipleOf(usize),
    /// The first with two-octet AS numbers, the second with four.
    PerAsWidth(usize, usize),
}

impl Length {
    pub(crate) fn allows(self, len: usize, ctx: &DecodeContext) -> bool {
        match self {
            Length::Any => true,
            Length::Exactly(expected) => len == expected,
            Length::AtLeast(least) => len >= least,
            Length::MultipleOf(unit) => len != 0 && len.is_multiple_of(unit),
            Length::PerAsWidth(two, four) => len == if ctx.four_octet_as { four } else { two },
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Any => f.write_str("any"),
            Length::Exactly(expected) => write!(f, "{expected}"),
            Length::AtLeast(least) => write!(f, "at least {least}"),
            Length::MultipleOf(unit) => write!(f, "a multiple of {unit}"),
            Length::PerAsWidth(two, four) => {
                write!(f, "{four} (or {two} in a session with two-octet AS numbers)")
            }
        }
    }
}

/// Whose attribute it is; from others it is discarded unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Any peer's.
    Anyone,
    /// Only those of peers in our AS.
    InternalPeers,
    /// Only those of sessions with two-octet AS numbers.
    TwoOctetSessions,
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Sender::Anyone => "anyone",
            Sender::InternalPeers => "internal peers",
            Sender::TwoOctetSessions => "sessions with two-octet AS numbers",
        })
    }
}

/// One row: what is asked of an attribute.
#[derive(Debug)]
pub struct Rule {
    /// The type code.
    pub code: u8,
    /// The name, as its RFC writes it.
    pub name: &'static str,
    /// Its Optional and Transitive flags.
    pub class: Class,
    /// Who may send it; from others it is discarded.
    pub from: Sender,
    /// The length of its value.
    pub length: Length,
    /// What else the value must be.
    value: ValueCheck,
    /// What a fault of this attribute does.
    pub malformed: Treatment,
    /// Where that is written.
    pub section: &'static str,
}

use Class::{OptionalNonTransitive, OptionalTransitive, WellKnown};
use Length::{Any, AtLeast, Exactly, MultipleOf, PerAsWidth};
use Sender::{Anyone, InternalPeers, TwoOctetSessions};
use Treatment::{DiscardAttribute, ResetSession, TreatAsWithdraw};

/// What a value must be beyond its length.
type ValueCheck = fn(&[u8], &DecodeContext) -> Result<(), FaultKind>;

/// A type code and the fields of its [`Rule`].
type Row = (u8, &'static str, Class, Sender, Length, ValueCheck, Treatment, &'static str);

#[rustfmt::skip]
const ROWS: [Row; 22] = [
    (code::ORIGIN,                    "ORIGIN",                    WellKnown,             Anyone,           Exactly(1),       origin,         TreatAsWithdraw,  "RFC 7606 section 7.1"),
    (code::AS_PATH,                   "AS_PATH",                   WellKnown,             Anyone,           Any,              as_path,        TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::NEXT_HOP,                  "NEXT_HOP",                  WellKnown,             Anyone,           Exactly(4),       next_hop,       TreatAsWithdraw,  "RFC 7606 section 7.3"),
    (code::MULTI_EXIT_DISC,           "MULTI_EXIT_DISC",           OptionalNonTransitive, Anyone,           Exactly(4),       anything,       TreatAsWithdraw,  "RFC 7606 section 7.4"),
    (code::LOCAL_PREF,                "LOCAL_PREF",                WellKnown,             InternalPeers,    Exactly(4),       anything,       TreatAsWithdraw,  "RFC 7606 section 7.5"),
    (code::ATOMIC_AGGREGATE,          "ATOMIC_AGGREGATE",          WellKnown,             Anyone,           Exactly(0),       anything,       DiscardAttribute, "RFC 7606 section 7.6"),
    (code::AGGREGATOR,                "AGGREGATOR",                OptionalTransitive,    Anyone,           PerAsWidth(6, 8), aggregator,     DiscardAttribute, "RFC 7606 section 7.7"),
    (code::COMMUNITIES,               "COMMUNITIES",               OptionalTransitive,    Anyone,           MultipleOf(4),    anything,       TreatAsWithdraw,  "RFC 7606 section 7.8"),
    (code::ORIGINATOR_ID,             "ORIGINATOR_ID",             OptionalNonTransitive, InternalPeers,    Exactly(4),       anything,       TreatAsWithdraw,  "RFC 7606 section 7.9"),
    (code::CLUSTER_LIST,              "CLUSTER_LIST",              OptionalNonTransitive, InternalPeers,    MultipleOf(4),    anything,       TreatAsWithdraw,  "RFC 7606 section 7.10"),
    (code::MP_REACH_NLRI,             "MP_REACH_NLRI",             OptionalNonTransitive, Anyone,           AtLeast(5),       anything,       ResetSession,     "RFC 7606 section 7.11"),
    (code::MP_UNREACH_NLRI,           "MP_UNREACH_NLRI",           OptionalNonTransitive, Anyone,           AtLeast(3),       anything,       ResetSession,     "RFC 7606 section 7.12"),
    (code::EXTENDED_COMMUNITIES,      "EXTENDED_COMMUNITIES",      OptionalTransitive,    Anyone,           MultipleOf(8),    anything,       TreatAsWithdraw,  "RFC 7606 section 7.14"),
    (code::AS4_PATH,                  "AS4_PATH",                  OptionalTransitive,    TwoOctetSessions, AtLeast(6),       as4_path,       DiscardAttribute, "RFC 6793 section 6"),
    (code::AS4_AGGREGATOR,            "AS4_AGGREGATOR",            OptionalTransitive,    TwoOctetSessions, Exactly(8),       as4_aggregator, DiscardAttribute, "RFC 6793 section 6"),
    (code::PMSI_TUNNEL,               "PMSI_TUNNEL",               OptionalTransitive,    Anyone,           AtLeast(5),       pmsi_tunnel,    TreatAsWithdraw,  "RFC 6514 section 5"),
    (code::TUNNEL_ENCAPSULATION,      "TUNNEL_ENCAPSULATION",      OptionalTransitive,    InternalPeers,    AtLeast(4),       tunnels,        TreatAsWithdraw,  "RFC 9012 sections 11 and 13"),
    (code::IPV6_EXTENDED_COMMUNITIES, "IPV6_EXTENDED_COMMUNITIES", OptionalTransitive,    Anyone,           MultipleOf(20),   anything,       TreatAsWithdraw,  "RFC 7606 section 7.15"),
    (code::AIGP,                      "AIGP",                      OptionalNonTransitive, InternalPeers,    AtLeast(3),       aigp,           DiscardAttribute, "RFC 7311 sections 3.2 and 3.3"),
    (code::LARGE_COMMUNITY,           "LARGE_COMMUNITY",           OptionalTransitive,    Anyone,           MultipleOf(12),   anything,       TreatAsWithdraw,  "RFC 8092 section 6"),
    (code::ONLY_TO_CUSTOMER,          "ONLY_TO_CUSTOMER",          OptionalTransitive,    Anyone,           Exactly(4),       anything,       TreatAsWithdraw,  "RFC 9234 section 5"),
    (code::PREFIX_SID,                "PREFIX_SID",                OptionalTransitive,    InternalPeers,    AtLeast(3),       prefix_sid,     DiscardAttribute, "RFC 8669 sections 4 and 6"),
];

fn anything(_: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    Ok(())
}

fn origin(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    match value {
        [code] if Origin::from_code(*code).is_none() => Err(FaultKind::Origin(*code)),
        _ => Ok(()),
    }
}

fn as_path(value: &[u8], ctx: &DecodeContext) -> Result<(), FaultKind> {
    let outside = ctx.kind == PeerKind::External;
    if outside && value.is_empty() {
        return Err(FaultKind::AsPath(AsPathError::Empty));
    }
    for segment in AsPath::new(value, ctx.as_width()).checked_segments() {
        let segment = segment.map_err(FaultKind::AsPath)?;
        if outside && segment.kind.is_confederation() {
            return Err(FaultKind::AsPath(AsPathError::Confederation));
        }
        if segment.has_zero() {
            return Err(FaultKind::AsZero);
        }
    }
    Ok(())
}

fn as4_path(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    let path = AsPath::parse(value, AsWidth::Four).map_err(FaultKind::AsPath)?;
    if path.asns().any(|asn| asn.0 == 0) { Err(FaultKind::AsZero) } else { Ok(()) }
}

fn next_hop(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    match Cursor::new(value).u32().map(Ipv4Addr::from) {
        Some(address) if !is_host(address.into()) => Err(FaultKind::NextHop(address.into())),
        _ => Ok(()),
    }
}

fn aggregator(value: &[u8], ctx: &DecodeContext) -> Result<(), FaultKind> {
    let zero = value.iter().take(ctx.as_width().octets()).all(|octet| *octet == 0);
    if zero { Err(FaultKind::AsZero) } else { Ok(()) }
}

fn as4_aggregator(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    if value.starts_with(&[0; 4]) { Err(FaultKind::AsZero) } else { Ok(()) }
}

fn pmsi_tunnel(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    PmsiTunnel::check(value).map_err(FaultKind::Tlv)
}

fn tunnels(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    TunnelEncapsulation::check(value).map_err(FaultKind::Tlv)
}

fn aigp(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    Aigp::check(value).map_err(FaultKind::Tlv)
}

fn prefix_sid(value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    PrefixSid::check(value).map_err(FaultKind::Tlv)
}

/// Whether a packet can be sent to `address`. Loopback counts: on one host it serves.
pub(crate) fn is_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || broadcast)
}

/// The table by type code.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which would reject an index out of bounds"
)]
static RULES: [Option<Rule>; 256] = {
    let mut rules = [const { None }; 256];
    let mut at = 0;
    while at < ROWS.len() {
        let code = ROWS[at].0;
        rules[code as usize] = Some(row(code));
        at += 1;
    }
    rules
};

/// The rule for attribute `code`, for the compiler, to which it is an error if there is none.
#[allow(clippy::indexing_slicing, reason = "that is how the compiler finds out")]
pub(crate) const fn row(code: u8) -> Rule {
    let mut at = 0;
    while ROWS[at].0 != code {
        at += 1;
    }
    let (code, name, class, from, length, value, malformed, section) = ROWS[at];
    Rule { code, name, class, from, length, value, malformed, section }
}

/// The rule for attribute `code`, if it is known.
#[inline]
pub(crate) fn rule(code: u8) -> Option<&'static Rule> {
    RULES.get(usize::from(code))?.as_ref()
}

/// The rules of all attributes that are known here, by type code.
pub fn attribute_rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flatten()
}

/// The name of attribute `code`, if it is known.
#[must_use]
pub fn name(code: u8) -> Option<&'static str> {
    rule(code).map(|rule| rule.name)
}

impl Rule {
    /// What wrong flags do: RFC 7606 section 3 c treats them as a withdrawal, unless the attribute's own RFC says
    /// otherwise. Those of AS4_PATH, AS4_AGGREGATOR, AIGP and PREFIX_SID discard whatever is malformed; sections 7.6 and
    /// 7.7 speak of lengths only.
    #[cold]
    pub(crate) fn misflagged(&self) -> Treatment {
        match self.code {
            code::ATOMIC_AGGREGATE | code::AGGREGATOR => TreatAsWithdraw,
            _ => self.malformed,
        }
    }

    /// Whether the attribute is as this rule says; else what is wrong, and what that does to the UPDATE. Where the rule
    /// is a constant, little of this is left.
    #[inline(always)]
    pub(crate) fn check(
        &self,
        attribute: &RawAttribute<'_>,
        ctx: &DecodeContext,
    ) -> Result<(), (FaultKind, Treatment)> {
        match self.from {
            InternalPeers if ctx.kind == PeerKind::External => {
                return Err((FaultKind::NotFromExternal, DiscardAttribute));
            }
            TwoOctetSessions if ctx.four_octet_as => {
                return Err((FaultKind::NotFromFourOctet, DiscardAttribute));
            }
            _ => {}
        }
        let (got, expected) = (attribute.flags & (flag::OPTIONAL | flag::TRANSITIVE), self.class.flags());
        if got != expected {
            return Err((FaultKind::Flags { got, expected }, self.misflagged()));
        }
        if !self.length.allows(attribute.value.len(), ctx) {
            let kind = FaultKind::Length { got: attribute.value.len(), expected: self.length };
            return Err((kind, self.malformed));
        }
        (self.value)(attribute.value, ctx).map_err(|kind| (kind, self.malformed))
    }
}
