//! NOTIFICATION (RFC 4271 section 4.5) and the names of its codes.

use std::fmt;

use nom::combinator::rest;
use nom::multi::length_data;
use nom::number::complete::be_u8;
use nom::{IResult, Parser};

use super::header::{HEADER_LEN, MAX_LEN, MessageType, write_message};

/// Subcodes of the message header error, code 1 (RFC 4271 section 6.1).
pub mod header_error {
    /// The marker is not all ones.
    pub const NOT_SYNCHRONIZED: u8 = 1;
    /// The length is outside the type's limits.
    pub const BAD_LENGTH: u8 = 2;
    /// The type is unknown.
    pub const BAD_TYPE: u8 = 3;
}

/// Subcodes of the OPEN message error, code 2 (RFC 4271 section 6.2, RFC 5492).
pub mod open_error {
    /// The OPEN does not hold together.
    pub const UNSPECIFIC: u8 = 0;
    /// Another version than 4; the data is the version we speak.
    pub const UNSUPPORTED_VERSION: u8 = 1;
    /// Not the AS we expect.
    pub const BAD_PEER_AS: u8 = 2;
    /// An identifier of zero, or our own (RFC 6286).
    pub const BAD_IDENTIFIER: u8 = 3;
    /// An optional parameter other than capabilities.
    pub const UNSUPPORTED_PARAMETER: u8 = 4;
    /// A hold time of one or two seconds.
    pub const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    /// A capability that we need is missing; the data lists what we need.
    pub const UNSUPPORTED_CAPABILITY: u8 = 7;
    /// The roles of the two sides do not fit together (RFC 9234).
    pub const ROLE_MISMATCH: u8 = 11;
}

/// Subcodes of the finite state machine error, code 5 (RFC 6608).
pub mod fsm_error {
    /// A message that has no place in OpenSent.
    pub const IN_OPEN_SENT: u8 = 1;
    /// A message that has no place in OpenConfirm.
    pub const IN_OPEN_CONFIRM: u8 = 2;
    /// A message that has no place in Established.
    pub const IN_ESTABLISHED: u8 = 3;
}

/// Subcodes of Cease, code 6 (RFC 4486, RFC 8538, RFC 9384).
pub mod cease {
    /// More prefixes than allowed.
    pub const MAX_PREFIXES: u8 = 1;
    /// The operator shut the session down; may carry a text (RFC 9003).
    pub const ADMINISTRATIVE_SHUTDOWN: u8 = 2;
    /// The peer was taken out of the configuration.
    pub const PEER_DECONFIGURED: u8 = 3;
    /// The operator restarts the session; may carry a text (RFC 9003).
    pub const ADMINISTRATIVE_RESET: u8 = 4;
    /// The connection was not wanted.
    pub const CONNECTION_REJECTED: u8 = 5;
    /// Another configuration change needs a restart of the session.
    pub const CONFIGURATION_CHANGE: u8 = 6;
    /// Of two connections this is not the one to keep (RFC 4271 section 6.8).
    pub const COLLISION: u8 = 7;
    /// Memory or the like ran short.
    pub const OUT_OF_RESOURCES: u8 = 8;
    /// Ends the session in spite of graceful restart (RFC 8538).
    pub const HARD_RESET: u8 = 9;
    /// BFD says that the path is down (RFC 9384).
    pub const BFD_DOWN: u8 = 10;
}

/// Subcodes of the ROUTE-REFRESH message error, code 7 (RFC 7313 section 5).
pub mod refresh_error {
    /// A marker whose length is not 4.
    pub const INVALID_LENGTH: u8 = 1;
}

/// The names of the subcodes of one error code.
type Subcodes = &'static [(u8, &'static str)];

const NAMES: &[(u8, &str, Subcodes)] = &[
    (
        1,
        "Message Header Error",
        &[(1, "Connection Not Synchronized"), (2, "Bad Message Length"), (3, "Bad Message Type")],
    ),
    (
        2,
        "OPEN Message Error",
        &[
            (1, "Unsupported Version Number"),
            (2, "Bad Peer AS"),
            (3, "Bad BGP Identifier"),
            (4, "Unsupported Optional Parameter"),
            (5, "Authentication Failure"),
            (6, "Unacceptable Hold Time"),
            (7, "Unsupported Capability"),
            (11, "Role Mismatch"),
        ],
    ),
    (
        3,
        "UPDATE Message Error",
        &[
            (1, "Malformed Attribute List"),
            (2, "Unrecognized Well-known Attribute"),
            (3, "Missing Well-known Attribute"),
            (4, "Attribute Flags Error"),
            (5, "Attribute Length Error"),
            (6, "Invalid ORIGIN Attribute"),
            (7, "AS Routing Loop"),
            (8, "Invalid NEXT_HOP Attribute"),
            (9, "Optional Attribute Error"),
            (10, "Invalid Network Field"),
            (11, "Malformed AS_PATH"),
        ],
    ),
    (4, "Hold Timer Expired", &[]),
    (
        5,
        "Finite State Machine Error",
        &[
            (1, "Unexpected Message in OpenSent"),
            (2, "Unexpected Message in OpenConfirm"),
            (3, "Unexpected Message in Established"),
        ],
    ),
    (
        6,
        "Cease",
        &[
            (1, "Maximum Number of Prefixes Reached"),
            (2, "Administrative Shutdown"),
            (3, "Peer De-configured"),
            (4, "Administrative Reset"),
            (5, "Connection Rejected"),
            (6, "Other Configuration Change"),
            (7, "Connection Collision Resolution"),
            (8, "Out of Resources"),
            (9, "Hard Reset"),
            (10, "BFD Down"),
        ],
    ),
    (7, "ROUTE-REFRESH Message Error", &[(1, "Invalid Message Length")]),
    (8, "Send Hold Timer Expired", &[]),
];

/// Why a session ends. Also what a decoder answers with when it cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The error code: one of the constants of this type, or another that a peer sent.
    pub code: u8,
    /// The subcode; 0 where the code has none.
    pub subcode: u8,
    /// What the code says about the fault, at most 4075 octets when sent.
    pub data: Vec<u8>,
}

impl Notification {
    /// The message header is wrong; subcodes in [`header_error`].
    pub const HEADER: u8 = 1;
    /// The OPEN is wrong; subcodes in [`open_error`].
    pub const OPEN: u8 = 2;
    /// An UPDATE is wrong (RFC 4271 section 6.3).
    pub const UPDATE: u8 = 3;
    /// Nothing came for the hold time.
    pub const HOLD_TIMER_EXPIRED: u8 = 4;
    /// A message came that has no place in the state; subcodes in [`fsm_error`].
    pub const FSM: u8 = 5;
    /// The session ends without a fault; subcodes in [`cease`].
    pub const CEASE: u8 = 6;
    /// A ROUTE-REFRESH is wrong; subcodes in [`refresh_error`].
    pub const ROUTE_REFRESH: u8 = 7;
    /// The peer took nothing for the send hold time (RFC 9687).
    pub const SEND_HOLD_TIMER_EXPIRED: u8 = 8;

    /// The longest text of a shutdown, in octets (RFC 9003 section 2).
    pub const MAX_TEXT: usize = 255;

    /// A NOTIFICATION without data.
    #[must_use]
    pub fn new(code: u8, subcode: u8) -> Notification {
        Notification { code, subcode, data: Vec::new() }
    }

    /// A NOTIFICATION with data.
    #[must_use]
    pub fn with_data(code: u8, subcode: u8, data: Vec<u8>) -> Notification {
        Notification { code, subcode, data }
    }

    /// A Cease. `text` goes along where RFC 9003 has a place for it (shutdown and reset), cut to
    /// [`Notification::MAX_TEXT`] octets at a character boundary; an empty one sends none.
    #[must_use]
    pub fn cease(subcode: u8, text: &str) -> Notification {
        let text = text.get(..text.floor_char_boundary(Self::MAX_TEXT)).unwrap_or_default();
        let mut notification = Notification::new(Notification::CEASE, subcode);
        if notification.has_text() && !text.is_empty() {
            notification.data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            notification.data.extend_from_slice(text.as_bytes());
        }
        notification
    }

    /// Reads a message body; `None` if it is shorter than code and subcode, which [`frame`](super::frame) never
    /// lets through.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Notification> {
        let fields: IResult<&[u8], (u8, u8, &[u8])> = (be_u8, be_u8, rest).parse(body);
        let (_, (code, subcode, data)) = fields.ok()?;
        Some(Notification { code, subcode, data: data.to_vec() })
    }

    /// Appends the whole message, its data cut to what fits into one of 4096 octets.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_message(out, MessageType::Notification, |out| {
            out.extend_from_slice(&[self.code, self.subcode]);
            out.extend(self.data.iter().take(MAX_LEN - HEADER_LEN - 2));
        });
    }

    /// The name of the error code.
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        self.names().map(|(name, _)| name)
    }

    /// The name of the subcode.
    #[must_use]
    pub fn subcode_name(&self) -> Option<&'static str> {
        let (_, subcodes) = self.names()?;
        subcodes.iter().find(|(subcode, _)| *subcode == self.subcode).map(|(_, name)| *name)
    }

    fn names(&self) -> Option<(&'static str, Subcodes)> {
        NAMES.iter().find(|(code, ..)| *code == self.code).map(|(_, name, subcodes)| (*name, *subcodes))
    }

    fn has_text(&self) -> bool {
        self.code == Notification::CEASE
            && matches!(self.subcode, cease::ADMINISTRATIVE_SHUTDOWN | cease::ADMINISTRATIVE_RESET)
    }

    /// The text of a shutdown or reset (RFC 9003). `None` if there is none, its length octet is wrong, or it is not
    /// UTF-8. It is the peer's: escape it before it is shown, as `Display` does.
    #[must_use]
    pub fn shutdown_text(&self) -> Option<&str> {
        let text: IResult<&[u8], &[u8]> = length_data(be_u8).parse(self.data.as_slice());
        match text {
            Ok(([], text)) if self.has_text() && !text.is_empty() => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// What a Hard Reset wraps (RFC 8538 section 3.1).
    #[must_use]
    pub fn hard_reset_reason(&self) -> Option<Notification> {
        let hard = self.code == Notification::CEASE && self.subcode == cease::HARD_RESET;
        if hard { Notification::parse(&self.data) } else { None }
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

    fn write_data(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        if let Some(text) = self.shutdown_text() {
            return write!(f, " \"{}\"", text.escape_debug());
        }
        if self.data.is_empty() {
            return Ok(());
        }
        f.write_str(" (data ")?;
        self.data.iter().take(SHOWN).try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(if self.data.len() > SHOWN { "…)" } else { ")" })
    }
}

/// The names of code and subcode, then the text or the first 32 octets of the data.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_name(f)?;
        let Some(inner) = self.hard_reset_reason() else { return self.write_data(f) };
        f.write_str(" (")?;
        inner.write_name(f)?;
        inner.write_data(f)?;
        f.write_str(")")
    }
}

impl std::error::Error for Notification {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header::frame;

    fn through_the_wire(notification: &Notification) -> Notification {
        let mut bytes = Vec::new();
        notification.encode(&mut bytes);
        Notification::parse(frame(&bytes, MAX_LEN).unwrap().unwrap().body).unwrap()
    }

    #[test]
    fn a_shutdown_text_arrives_and_is_shown() {
        let cease = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "disk swap, back at 14:00");
        let read = through_the_wire(&cease);
        assert_eq!(read.shutdown_text(), Some("disk swap, back at 14:00"));
        assert_eq!(read.to_string(), "Cease: Administrative Shutdown \"disk swap, back at 14:00\"");
    }

    #[test]
    fn a_cease_without_a_place_for_text_carries_none() {
        assert_eq!(Notification::cease(cease::COLLISION, "text"), Notification::new(6, 7));
        assert_eq!(Notification::cease(cease::ADMINISTRATIVE_RESET, "").data, []);
    }

    // CVE-2019-16159: a shutdown text longer than its buffer.
    #[test]
    fn a_long_shutdown_text_is_cut_at_a_character_boundary() {
        let cease = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, &"é".repeat(400));
        assert_eq!(cease.data.len(), 255);
        assert_eq!(cease.shutdown_text().map(|text| text.chars().count()), Some(127));
    }

    #[test]
    fn a_shutdown_text_with_a_wrong_length_or_encoding_is_shown_as_octets() {
        for data in [vec![255, b'a'], vec![1, b'a', b'b'], vec![2, 0xc3, 0x28], vec![0]] {
            let cease = Notification::with_data(6, 2, data.clone());
            assert_eq!(cease.shutdown_text(), None, "{data:?}");
            assert!(cease.to_string().contains("(data "), "{cease}");
        }
    }

    #[test]
    fn control_characters_of_a_peer_are_escaped() {
        let cease = Notification::cease(cease::ADMINISTRATIVE_RESET, "\u{1b}[2J");
        assert_eq!(cease.to_string(), "Cease: Administrative Reset \"\\u{1b}[2J\"");
    }

    #[test]
    fn a_hard_reset_shows_what_it_wraps_one_level_deep() {
        let hard = Notification::with_data(6, 9, vec![6, 9, 6, 9, 6, 9]);
        assert_eq!(hard.to_string(), "Cease: Hard Reset (Cease: Hard Reset (data 06090609))");
        let bare = Notification::new(6, 9);
        assert_eq!(bare.to_string(), "Cease: Hard Reset");
    }

    #[test]
    fn every_code_and_subcode_can_be_shown() {
        for (code, subcode) in (0..=255).flat_map(|c| (0..=255).map(move |s| (c, s))) {
            assert!(!Notification::new(code, subcode).to_string().is_empty());
        }
        assert_eq!(Notification::new(4, 0).to_string(), "Hold Timer Expired");
        assert_eq!(Notification::new(99, 7).to_string(), "Error 99: subcode 7");
    }

    #[test]
    fn data_never_makes_a_message_too_long() {
        let mut bytes = Vec::new();
        Notification::with_data(1, 2, vec![0; 70_000]).encode(&mut bytes);
        assert_eq!(bytes.len(), MAX_LEN);
    }
}
