//! NOTIFICATIONs for people.

use std::fmt;

use super::{Notification, cease, header_error, open_error, update_error};
use crate::Family;
use crate::wire::attribute::{self, RawAttribute};
use crate::wire::capability::Capability;
use crate::wire::cursor::Cursor;
use crate::wire::header::MessageType;
use crate::wire::hex::Hex;
use crate::wire::rules;

/// How many octets of data are shown.
const SHOWN: usize = 32;

/// How many capabilities are shown.
const SHOWN_CAPABILITIES: usize = 16;

/// The subcodes of an UPDATE message error whose data is the attribute.
const ATTRIBUTE_AT_FAULT: [u8; 6] = [
    update_error::UNRECOGNIZED_WELL_KNOWN,
    update_error::ATTRIBUTE_FLAGS,
    update_error::ATTRIBUTE_LENGTH,
    update_error::INVALID_ORIGIN,
    update_error::INVALID_NEXT_HOP,
    update_error::OPTIONAL_ATTRIBUTE,
];

/// What the data says.
enum Detail<'a> {
    /// Nothing is there.
    None,
    /// The text of a shutdown or reset (RFC 9003).
    Text(&'a str),
    /// The length field at fault (RFC 4271 section 6.1).
    Length(u16),
    /// The message type at fault (RFC 4271 section 6.1, RFC 6608 section 4).
    Type(u8),
    /// The version that the sender speaks (RFC 4271 section 6.2).
    Version(u16),
    /// The capabilities that the sender misses (RFC 5492 section 5).
    Capabilities(Vec<Capability>),
    /// The attribute at fault (RFC 4271 section 6.3).
    Attribute(RawAttribute<'a>),
    /// The type code of the attribute that is missing (RFC 4271 section 6.3).
    Missing(u8),
    /// The family that has too many prefixes, and how many it may have (RFC 4486 section 4).
    Prefixes(Family, u32),
    /// What a Hard Reset wraps (RFC 8538 section 3.1).
    Wrapped(Notification),
    /// Octets without a form, or not in the one that they should have.
    Octets(&'a [u8]),
}

impl<'a> Detail<'a> {
    fn of(notification: &'a Notification) -> Detail<'a> {
        let data = notification.data.as_slice();
        if data.is_empty() {
            Detail::None
        } else {
            Self::formed(notification).unwrap_or(Detail::Octets(data))
        }
    }

    /// The data in the form that code and subcode give it, if it has that.
    fn formed(notification: &'a Notification) -> Option<Detail<'a>> {
        let mut cursor = Cursor::new(&notification.data);
        let detail = match (notification.code, notification.subcode) {
            (Notification::HEADER, header_error::BAD_LENGTH) => Detail::Length(cursor.u16()?),
            (Notification::HEADER, header_error::BAD_TYPE) | (Notification::FSM, _) => {
                Detail::Type(cursor.u8()?)
            }
            (Notification::OPEN, open_error::UNSUPPORTED_VERSION) => Detail::Version(cursor.u16()?),
            (Notification::OPEN, open_error::UNSUPPORTED_CAPABILITY) => {
                return Capability::parse_all(&notification.data).map(Detail::Capabilities);
            }
            (Notification::UPDATE, update_error::MISSING_WELL_KNOWN) => Detail::Missing(cursor.u8()?),
            (Notification::UPDATE, subcode) if ATTRIBUTE_AT_FAULT.contains(&subcode) => {
                let mut rest = cursor.rest();
                let attribute = attribute::next(&mut rest).ok()?;
                return rest.is_empty().then_some(Detail::Attribute(attribute));
            }
            (Notification::CEASE, cease::MAX_PREFIXES) => {
                let family = Family { afi: cursor.u16()?, safi: cursor.u8()? };
                Detail::Prefixes(family, cursor.u32()?)
            }
            (Notification::CEASE, cease::HARD_RESET) => {
                return notification.hard_reset_reason().map(Detail::Wrapped);
            }
            _ => return notification.shutdown_text().map(Detail::Text),
        };
        cursor.is_empty().then_some(detail)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detail::None => Ok(()),
            Detail::Text(text) => write!(f, " \"{}\"", text.escape_debug()),
            Detail::Length(len) => write!(f, " (length {len})"),
            Detail::Type(code) => match MessageType::from_code(*code) {
                Some(kind) => write!(f, " ({kind})"),
                None => write!(f, " (type {code})"),
            },
            Detail::Version(version) => write!(f, " (version {version})"),
            Detail::Capabilities(capabilities) => {
                let mut before = " (";
                for capability in capabilities.iter().take(SHOWN_CAPABILITIES) {
                    write!(f, "{before}{capability}")?;
                    before = ", ";
                }
                f.write_str(if capabilities.len() > SHOWN_CAPABILITIES { ", …)" } else { ")" })
            }
            Detail::Attribute(raw) => {
                f.write_str(" (")?;
                write_attribute_name(raw.code, f)?;
                write!(f, ", flags {:#04x}, value ", raw.flags)?;
                write_octets(raw.value, f)?;
                f.write_str(")")
            }
            Detail::Missing(code) => {
                f.write_str(" (")?;
                write_attribute_name(*code, f)?;
                f.write_str(")")
            }
            Detail::Prefixes(family, limit) => write!(f, " ({family}, at most {limit})"),
            Detail::Wrapped(inner) => {
                f.write_str(" (")?;
                inner.write_name(f)?;
                inner.without_wrapping().write(f)?;
                f.write_str(")")
            }
            Detail::Octets(octets) => {
                f.write_str(" (data ")?;
                write_octets(octets, f)?;
                f.write_str(")")
            }
        }
    }
}

impl Notification {
    /// A Hard Reset within a Hard Reset is shown as octets, so that nothing nests without bound.
    fn without_wrapping(&self) -> Detail<'_> {
        match Detail::of(self) {
            Detail::Wrapped(_) => Detail::Octets(&self.data),
            detail => detail,
        }
    }

    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code_name() {
            Some(name) => f.write_str(name)?,
            None => write!(f, "Error {}", self.code)?,
        }
        match (self.subcode, self.subcode_name()) {
            (_, Some(name)) => write!(f, ": {name}"),
            (0, None) => Ok(()),
            (subcode, None) => write!(f, ": subcode {subcode}"),
        }
    }
}

fn write_attribute_name(code: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match rules::name(code) {
        Some(name) => f.write_str(name),
        None => write!(f, "attribute {code}"),
    }
}

fn write_octets(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match octets.split_at_checked(SHOWN) {
        Some((shown, [_, ..])) => write!(f, "{}…", Hex(shown)),
        _ => write!(f, "{}", Hex(octets)),
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_name(f)?;
        Detail::of(self).write(f)
    }
}

impl std::error::Error for Notification {}
