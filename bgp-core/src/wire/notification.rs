//! NOTIFICATION (RFC 4271 section 4.5) and the names of its codes.
//!
//! The last message of a session: who sends it closes the connection. Code and subcode say what is wrong, the data
//! shows it.
//!
//! ```text
//!  octets  1            1
//!          │ error code │ subcode │ data …
//!
//!  data, where an RFC gives it a form
//!    1/2  the length field, 2                        1/3  the type, 1
//!    2/1  the version that is spoken, 2              2/7  the capabilities that are missed
//!    3/3  the type code of what is missing, 1        3/2, 3/4 to 3/6, 3/8, 3/9  the attribute
//!    5/*  the type of the message, 1                 7/1  the whole message
//!    6/1  AFI 2, SAFI 1, upper bound 4               6/2, 6/4  length 1, text
//!    6/9  code and subcode of the NOTIFICATION within, its data
//! ```

mod display;
mod names;
#[cfg(test)]
mod tests;

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

/// Subcodes of the OPEN message error, code 2 (RFC 4271 section 6.2, RFC 5492 section 5, RFC 9234 section 4.2).
pub mod open_error {
    /// The OPEN does not hold together.
    pub const UNSPECIFIC: u8 = 0;
    /// Another version than 4; the data is the version we speak.
    pub const UNSUPPORTED_VERSION: u8 = 1;
    /// Not the AS we expect.
    pub const BAD_PEER_AS: u8 = 2;
    /// An identifier of zero, or our own within our AS (RFC 6286 section 2.2).
    pub const BAD_IDENTIFIER: u8 = 3;
    /// An optional parameter other than capabilities.
    pub const UNSUPPORTED_PARAMETER: u8 = 4;
    /// A hold time of one or two seconds.
    pub const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    /// A capability that we need is missing; the data lists what we need (RFC 5492 section 5).
    pub const UNSUPPORTED_CAPABILITY: u8 = 7;
    /// The two roles don't suit each other, or the peer sent several (RFC 9234 section 4.2).
    pub const ROLE_MISMATCH: u8 = 11;
}

/// Subcodes of the UPDATE message error, code 3 (RFC 4271 section 6.3).
pub mod update_error {
    /// The attributes don't hold together.
    pub const MALFORMED_ATTRIBUTE_LIST: u8 = 1;
    /// An attribute is marked well-known but not known; the data is the attribute.
    pub const UNRECOGNIZED_WELL_KNOWN: u8 = 2;
    /// A mandatory attribute is missing; the data is its type code.
    pub const MISSING_WELL_KNOWN: u8 = 3;
    /// An attribute's flags are not as specified; the data is the attribute.
    pub const ATTRIBUTE_FLAGS: u8 = 4;
    /// An attribute's length is not one that it can have; the data is the attribute.
    pub const ATTRIBUTE_LENGTH: u8 = 5;
    /// ORIGIN has an undefined value; the data is the attribute.
    pub const INVALID_ORIGIN: u8 = 6;
    /// NEXT_HOP is no address of a host; the data is the attribute.
    pub const INVALID_NEXT_HOP: u8 = 8;
    /// Another attribute is wrong; the data is the attribute.
    pub const OPTIONAL_ATTRIBUTE: u8 = 9;
    /// The destinations can't be read.
    pub const INVALID_NETWORK_FIELD: u8 = 10;
    /// AS_PATH can't be read.
    pub const MALFORMED_AS_PATH: u8 = 11;
}

/// Subcodes of the finite state machine error, code 5 (RFC 6608 section 3). The data is the type of the message
/// (section 4).
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
    /// More prefixes than allowed; the data may say of which family and how many it may have (RFC 4486 section 4).
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
    /// Ends the session in spite of graceful restart (RFC 8538 section 3).
    pub const HARD_RESET: u8 = 9;
    /// BFD says that the path is down (RFC 9384).
    pub const BFD_DOWN: u8 = 10;
}

/// Subcodes of the ROUTE-REFRESH message error, code 7 (RFC 7313 section 5).
pub mod refresh_error {
    /// A marker whose length is not 4.
    pub const INVALID_LENGTH: u8 = 1;
}

/// Why a session ends (RFC 4271 section 4.5). Also what a decoder answers with when it cannot go on.
///
/// `Display` shows the names of code and subcode, then the data: as what it is where the RFCs give it a form, else its
/// first 32 octets; of capabilities the first 16. What a peer wrote is escaped.
///
/// ```
/// use bgp_core::Notification;
/// use bgp_core::wire::frame;
/// use bgp_core::wire::header::MAX_LEN;
/// use bgp_core::wire::notification::cease;
///
/// let mut bytes = Vec::new();
/// Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "back at 14:00").encode(&mut bytes);
///
/// let message = frame(&bytes, MAX_LEN)?.expect("a whole message");
/// let read = Notification::parse(message.body).expect("code and subcode");
/// assert_eq!((read.code, read.subcode), (Notification::CEASE, cease::ADMINISTRATIVE_SHUTDOWN));
/// assert_eq!(read.shutdown_text(), Some("back at 14:00"));
/// assert_eq!(read.to_string(), "Cease: Administrative Shutdown \"back at 14:00\"");
/// # Ok::<(), Notification>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The error code: one of the constants of this type, or another that a peer sent.
    pub code: u8,
    /// The subcode; 0 where the code has none.
    pub subcode: u8,
    /// What the code says about the fault; no more than 4075 octets of it are sent.
    pub data: Vec<u8>,
}

impl Notification {
    /// The message header is wrong; subcodes in [`header_error`].
    pub const HEADER: u8 = 1;
    /// The OPEN is wrong; subcodes in [`open_error`].
    pub const OPEN: u8 = 2;
    /// An UPDATE is wrong; subcodes in [`update_error`].
    pub const UPDATE: u8 = 3;
    /// Nothing came for the hold time (RFC 4271 section 6.5).
    pub const HOLD_TIMER_EXPIRED: u8 = 4;
    /// A message came that has no place in the state (RFC 4271 section 6.6); subcodes in [`fsm_error`].
    pub const FSM: u8 = 5;
    /// The session ends without a fault (RFC 4271 section 6.7); subcodes in [`cease`].
    pub const CEASE: u8 = 6;
    /// A ROUTE-REFRESH is wrong (RFC 7313 section 5); subcodes in [`refresh_error`].
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

    fn has_text(&self) -> bool {
        self.code == Notification::CEASE
            && matches!(self.subcode, cease::ADMINISTRATIVE_SHUTDOWN | cease::ADMINISTRATIVE_RESET)
    }

    /// The text of a shutdown or reset, UTF-8 of 1 to 255 octets (RFC 9003 section 2). `None` if there is none, its length octet is wrong, or it is not
    /// UTF-8. It is the peer's: escape it before it is shown, as `Display` does.
    #[must_use]
    pub fn shutdown_text(&self) -> Option<&str> {
        let text: IResult<&[u8], &[u8]> = length_data(be_u8).parse(self.data.as_slice());
        match text {
            Ok(([], text)) if self.has_text() && !text.is_empty() => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// What a Hard Reset wraps (RFC 8538 section 3.1); `None` for any other, or if it wraps less than code and subcode.
    #[must_use]
    pub fn hard_reset_reason(&self) -> Option<Notification> {
        let hard = self.code == Notification::CEASE && self.subcode == cease::HARD_RESET;
        if hard { Notification::parse(&self.data) } else { None }
    }
}
