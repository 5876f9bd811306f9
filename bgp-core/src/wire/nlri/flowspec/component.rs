//! The components of a flow specification: what of a packet is looked at (RFC 8955 section 4.2.2, RFC 8956
//! section 3).

use std::fmt;

use super::prefix::FlowPrefix;
use super::term::{BitMatch, Comparison, Operator, Term, Terms};
use super::{FlowSpecError, IpVersion};
use crate::wire::cursor::Cursor;

/// A number in a packet; its value is the component's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumericField {
    /// The IP protocol, or the upper-layer protocol of IPv6.
    Protocol = 3,
    /// Either port of TCP or UDP.
    Port = 4,
    /// The destination port of TCP or UDP.
    DestinationPort = 5,
    /// The source port of TCP or UDP.
    SourcePort = 6,
    /// The type of an ICMP message.
    IcmpType = 7,
    /// The code of an ICMP message.
    IcmpCode = 8,
    /// The length of the IP packet in octets, its header included.
    PacketLength = 10,
    /// The Diffserv code point, 0 to 63; the upper two bits of a value mean nothing.
    Dscp = 11,
    /// The flow label, of IPv6 only.
    FlowLabel = 13,
}

/// A field of bits in a packet; its value is the component's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmaskField {
    /// The flags of TCP: octet 13 of its header, in a value of two octets also octet 12.
    TcpFlags = 9,
    /// Which fragment it is: don't fragment 1, is a fragment 2, first 4, last 8; the other bits mean nothing.
    Fragment = 12,
}

/// One component: a packet must match all of a flow specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Component<'a> {
    /// Where the packet goes to.
    Destination(FlowPrefix),
    /// Where it comes from.
    Source(FlowPrefix),
    /// One of its numbers.
    Numeric(NumericField, Terms<'a, Comparison>),
    /// Some of its bits.
    Bitmask(BitmaskField, Terms<'a, BitMatch>),
}

/// Type of the destination prefix.
pub(super) const DESTINATION: u8 = 1;
/// Type of the source prefix.
pub(super) const SOURCE: u8 = 2;

/// How a component is written.
#[derive(Clone, Copy)]
enum Form {
    Destination,
    Source,
    Numeric(NumericField),
    Bitmask(BitmaskField),
}

/// The types from 1 on: short name, form, and the most octets that a value may have. A limit below 8 is one that the
/// RFCs demand; where they only recommend one, all lengths are read.
const TYPES: [(&str, Form, usize); 13] = [
    ("dst", Form::Destination, 0),
    ("src", Form::Source, 0),
    ("proto", Form::Numeric(NumericField::Protocol), 8),
    ("port", Form::Numeric(NumericField::Port), 8),
    ("dport", Form::Numeric(NumericField::DestinationPort), 8),
    ("sport", Form::Numeric(NumericField::SourcePort), 8),
    ("icmp-type", Form::Numeric(NumericField::IcmpType), 8),
    ("icmp-code", Form::Numeric(NumericField::IcmpCode), 8),
    ("tcp-flags", Form::Bitmask(BitmaskField::TcpFlags), 2),
    ("length", Form::Numeric(NumericField::PacketLength), 8),
    ("dscp", Form::Numeric(NumericField::Dscp), 1),
    ("fragment", Form::Bitmask(BitmaskField::Fragment), 1),
    ("flow-label", Form::Numeric(NumericField::FlowLabel), 8),
];

/// The row of a type that this version of IP has.
fn row(code: u8, version: IpVersion) -> Option<&'static (&'static str, Form, usize)> {
    let row = TYPES.get(usize::from(code.checked_sub(1)?))?;
    let only_v6 = matches!(row.1, Form::Numeric(NumericField::FlowLabel));
    (!only_v6 || version == IpVersion::V6).then_some(row)
}

impl<'a> Component<'a> {
    /// Takes the component at the front.
    pub(super) fn read(cursor: &mut Cursor<'a>, version: IpVersion) -> Result<Component<'a>, FlowSpecError> {
        let code = cursor.u8().ok_or(FlowSpecError::Empty)?;
        let &(_, form, longest) = row(code, version).ok_or(FlowSpecError::UnknownComponent(code))?;
        let prefix = match version {
            IpVersion::V4 => FlowPrefix::read_v4,
            IpVersion::V6 => FlowPrefix::read_v6,
        };
        Ok(match form {
            Form::Destination => Component::Destination(prefix(cursor, code)?),
            Form::Source => Component::Source(prefix(cursor, code)?),
            Form::Numeric(field) => Component::Numeric(field, Terms::read(cursor, code, longest)?),
            Form::Bitmask(field) => Component::Bitmask(field, Terms::read(cursor, code, longest)?),
        })
    }

    /// The type: 1 to 13.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Component::Destination(_) => DESTINATION,
            Component::Source(_) => SOURCE,
            Component::Numeric(field, _) => *field as u8,
            Component::Bitmask(field, _) => *field as u8,
        }
    }
}

/// As in `dst 10.0.0.0/8`, `port >=80&<=90,=8080` and `tcp-flags all(syn,ack),!any(rst)`: `&` is AND, a comma OR.
impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = row(self.code(), IpVersion::V6).map_or("", |row| row.0);
        write!(f, "{name} ")?;
        match self {
            Component::Destination(prefix) | Component::Source(prefix) => prefix.fmt(f),
            Component::Numeric(_, terms) => write_terms(f, *terms, |f, term| term.fmt(f)),
            Component::Bitmask(field, terms) => write_terms(f, *terms, |f, term| write_bits(f, *field, term)),
        }
    }
}

fn write_terms<O: Operator>(
    f: &mut fmt::Formatter<'_>,
    terms: Terms<'_, O>,
    write: impl Fn(&mut fmt::Formatter<'_>, &Term<O>) -> fmt::Result,
) -> fmt::Result {
    terms.enumerate().try_for_each(|(at, term)| {
        f.write_str(match (at, term.and) {
            (0, _) => "",
            (_, true) => "&",
            (_, false) => ",",
        })?;
        write(f, &term)
    })
}

/// The bits that have a name, from the lowest; the others as one number.
fn write_bits(f: &mut fmt::Formatter<'_>, field: BitmaskField, term: &Term<BitMatch>) -> fmt::Result {
    let names: &[&str] = match field {
        BitmaskField::TcpFlags => &["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"],
        BitmaskField::Fragment => &["df", "isf", "ff", "lf"],
    };
    f.write_str(match term.operator {
        BitMatch::Any => "any(",
        BitMatch::All => "all(",
        BitMatch::NotAny => "!any(",
        BitMatch::NotAll => "!all(",
    })?;
    let mut separator = "";
    for (_, name) in (0..).zip(names).filter(|(bit, _)| term.value >> bit & 1 != 0) {
        write!(f, "{separator}{name}")?;
        separator = ",";
    }
    match term.value >> names.len() << names.len() {
        0 => f.write_str(")"),
        unnamed => write!(f, "{separator}{unnamed:#x})"),
    }
}
