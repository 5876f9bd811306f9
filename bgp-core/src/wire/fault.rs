//! What can be wrong with an UPDATE, and what then happens to it (RFC 7606).

use std::fmt;
use std::net::IpAddr;

use super::Notification;
use super::as_path::AsPathError;
use super::nlri::NlriError;
use super::rules;
use super::tlv::TlvError;
use crate::Family;

/// How an UPDATE is treated, from the mildest to the strongest (RFC 7606 section 2).
///
/// An UPDATE with several faults gets the strongest of their treatments (section 3 h), which is `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Treatment {
    /// Nothing is wrong.
    #[default]
    Accept,
    /// The attribute is dropped, the routes stay.
    DiscardAttribute,
    /// All routes that the UPDATE announces count as withdrawn.
    TreatAsWithdraw,
    /// All routes of one family are forgotten, and ignored until the session ends ("AFI/SAFI disable").
    DisableFamily,
    /// A NOTIFICATION is sent and the session ends.
    ResetSession,
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Treatment::Accept => "accept",
            Treatment::DiscardAttribute => "attribute discard",
            Treatment::TreatAsWithdraw => "treat as withdraw",
            Treatment::DisableFamily => "AFI/SAFI disable",
            Treatment::ResetSession => "session reset",
        })
    }
}

/// One thing that is wrong with an UPDATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The attribute's type code; 0 if it is the UPDATE itself.
    pub code: u8,
    /// What is wrong.
    pub kind: FaultKind,
    /// Where it begins, in octets from the start of the UPDATE's body.
    pub offset: usize,
    /// What it does to the UPDATE.
    pub treatment: Treatment,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// The body is too short for its own length fields, or they claim more than there is (RFC 4271 section 6.3).
    #[error("{field} claims {claimed} octets of {room}")]
    FieldLength {
        /// The length field's name.
        field: &'static str,
        /// Its value; 2, its own size, if it is missing itself.
        claimed: usize,
        /// How many octets are left for what it counts.
        room: usize,
    },
    /// Prefixes that can't be read (RFC 7606 section 5.3).
    #[error("{0}")]
    Nlri(NlriError),
    /// An attribute's header or value runs over the end of the attributes (RFC 7606 section 4).
    #[error("needs {claimed} octets of {room}")]
    Overrun {
        /// How many octets header and value take.
        claimed: usize,
        /// How many are left.
        room: usize,
    },
    /// Optional and Transitive are not as specified for this attribute (RFC 7606 section 3 c).
    #[error("flags are {got:#04x}, expected {expected:#04x}")]
    Flags {
        /// The flags' high two bits as received.
        got: u8,
        /// As they should be.
        expected: u8,
    },
    /// The value's length is none that this attribute can have.
    #[error("length is {got}, expected {expected}")]
    Length {
        /// The length as received.
        got: usize,
        /// What the attribute's rule asks for.
        expected: rules::Length,
    },
    /// The attribute was there already (RFC 7606 section 3 g).
    #[error("appears again")]
    Duplicate,
    /// A mandatory attribute is not there (RFC 7606 section 3 d).
    #[error("is missing")]
    Missing,
    /// Not known here, yet marked as one that every speaker knows (RFC 4271 section 6.3).
    #[error("is unknown but marked well-known")]
    UnknownWellKnown,
    /// Only internal peers may send it (RFC 7606 sections 7.5, 7.9, 7.10; RFC 7311, RFC 8669, RFC 9012).
    #[error("came from an external peer")]
    NotFromExternal,
    /// Four-octet sessions have no use for it (RFC 6793 section 4.1).
    #[error("came in a session with four-octet AS numbers")]
    NotFromFourOctet,
    /// ORIGIN is none of 0, 1, 2 (RFC 7606 section 7.1).
    #[error("value {0} is undefined")]
    Origin(u8),
    /// AS_PATH or AS4_PATH can't be read (RFC 7606 section 7.2).
    #[error("{0}")]
    AsPath(AsPathError),
    /// The elements that the value is made of can't be read.
    #[error("{0}")]
    Tlv(TlvError),
    /// AS number 0 (RFC 7607).
    #[error("holds AS number 0")]
    AsZero,
    /// The next hop is no address of a host (RFC 4271 section 6.3).
    #[error("{0} is no address of a host")]
    NextHop(IpAddr),
    /// A length of the next hop that the family does not have (RFC 7606 section 7.11).
    #[error("next hop of {len} octets for {family}")]
    NextHopLength {
        /// The attribute's family.
        family: Family,
        /// The next hop's length.
        len: u8,
    },
    /// The session does not carry this family (RFC 4760 section 8).
    #[error("family {0} was not negotiated")]
    FamilyNotNegotiated(Family),
}

impl FaultKind {
    /// Where the RFCs speak of it, for a fault of the attribute `code`.
    #[must_use]
    pub fn section(&self, code: u8) -> &'static str {
        match self {
            FaultKind::FieldLength { .. } | FaultKind::UnknownWellKnown | FaultKind::NextHop(_) => {
                "RFC 4271 section 6.3"
            }
            FaultKind::Nlri(_) => "RFC 7606 section 5.3",
            FaultKind::Overrun { .. } => "RFC 7606 section 4",
            FaultKind::Flags { .. } => "RFC 7606 section 3 c",
            FaultKind::Missing => "RFC 7606 section 3 d",
            FaultKind::Duplicate => "RFC 7606 section 3 g",
            FaultKind::NotFromFourOctet => "RFC 6793 section 4.1",
            FaultKind::AsZero => "RFC 7607 section 2",
            FaultKind::AsPath(AsPathError::Confederation) => "RFC 5065 section 5",
            FaultKind::FamilyNotNegotiated(_) => "RFC 4760 section 8",
            FaultKind::Length { .. }
            | FaultKind::NotFromExternal
            | FaultKind::Origin(_)
            | FaultKind::AsPath(_)
            | FaultKind::Tlv(_)
            | FaultKind::NextHopLength { .. } => rules::rule(code).map_or("RFC 4271", |rule| rule.section),
        }
    }

    /// The subcode of an UPDATE Message Error that names it (RFC 4271 section 6.3).
    fn subcode(&self, code: u8) -> u8 {
        use super::notification::update_error::*;
        match self {
            FaultKind::UnknownWellKnown => UNRECOGNIZED_WELL_KNOWN,
            FaultKind::Missing => MISSING_WELL_KNOWN,
            FaultKind::Flags { .. } => ATTRIBUTE_FLAGS,
            FaultKind::Length { .. } => ATTRIBUTE_LENGTH,
            FaultKind::Origin(_) => INVALID_ORIGIN,
            FaultKind::NextHop(_) => INVALID_NEXT_HOP,
            FaultKind::Nlri(_) if code == 0 => INVALID_NETWORK_FIELD,
            FaultKind::Nlri(_) | FaultKind::NextHopLength { .. } | FaultKind::Tlv(_) => OPTIONAL_ATTRIBUTE,
            FaultKind::AsPath(_) | FaultKind::AsZero => MALFORMED_AS_PATH,
            _ => MALFORMED_ATTRIBUTE_LIST,
        }
    }
}

impl Fault {
    /// The NOTIFICATION that answers it if the session is reset: UPDATE Message Error, with the attribute at
    /// fault as data where RFC 4271 section 6.3 asks for it; `body` is the body of the UPDATE.
    #[must_use]
    pub fn notification(&self, body: &[u8]) -> Notification {
        const UPDATE_MESSAGE_ERROR: u8 = 3;
        let subcode = self.kind.subcode(self.code);
        let data = match self.kind {
            FaultKind::Missing => vec![self.code],
            FaultKind::FieldLength { .. } | FaultKind::Duplicate | FaultKind::AsPath(_) => Vec::new(),
            _ if self.code == 0 => Vec::new(),
            _ => super::attribute::at(body, self.offset).map_or_else(Vec::new, <[u8]>::to_vec),
        };
        Notification { code: UPDATE_MESSAGE_ERROR, subcode, data }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, rules::name(self.code)) {
            (0, _) => {}
            (_, Some(name)) => write!(f, "{name} ")?,
            (code, None) => write!(f, "attribute {code} ")?,
        }
        let section = self.kind.section(self.code);
        write!(f, "{} (at octet {}): {}, {section}", self.kind, self.offset, self.treatment)
    }
}

/// An UPDATE that ends the session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Malformed {
    /// What is wrong; its treatment is [`Treatment::ResetSession`].
    pub fault: Fault,
    /// What the peer is told.
    pub notification: Notification,
}

impl Malformed {
    /// The end of the session over `fault` in an UPDATE with this `body`.
    #[must_use]
    pub fn new(mut fault: Fault, body: &[u8]) -> Malformed {
        fault.treatment = Treatment::ResetSession;
        Malformed { notification: fault.notification(body), fault }
    }
}
