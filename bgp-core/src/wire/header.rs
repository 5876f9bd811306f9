//! The message header and the cutting of a byte stream into messages (RFC 4271 sections 4.1 and 6.1).

use std::fmt;

use super::notification::{Notification, header_error};

/// Octets in the header: marker, length, type.
pub const HEADER_LEN: usize = 19;
/// The longest message without the extended message capability (RFC 4271 section 4.1).
pub const MAX_LEN: usize = 4096;
/// The longest message with it (RFC 8654 section 4).
pub const MAX_EXTENDED_LEN: usize = 65535;

const MARKER: [u8; 16] = [0xff; 16];

/// What a message is (RFC 4271 section 4.1, RFC 2918 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// Opens the session.
    Open = 1,
    /// Carries routes.
    Update = 2,
    /// Says why the session ends.
    Notification = 3,
    /// Keeps the session alive.
    Keepalive = 4,
    /// Asks for all routes again.
    RouteRefresh = 5,
}

impl MessageType {
    /// All types, in the order of their numbers.
    pub const ALL: [MessageType; 5] = [
        MessageType::Open,
        MessageType::Update,
        MessageType::Notification,
        MessageType::Keepalive,
        MessageType::RouteRefresh,
    ];

    /// The type numbered `code`, if it is one of ours.
    #[must_use]
    pub fn from_code(code: u8) -> Option<MessageType> {
        MessageType::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The lengths a message of this type may have, header included.
    fn lengths(self, max_len: usize) -> std::ops::RangeInclusive<usize> {
        match self {
            MessageType::Open => 29..=max_len.min(MAX_LEN),
            MessageType::Update | MessageType::RouteRefresh => 23..=max_len,
            MessageType::Notification => 21..=max_len,
            MessageType::Keepalive => HEADER_LEN..=HEADER_LEN,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            MessageType::Open => "OPEN",
            MessageType::Update => "UPDATE",
            MessageType::Notification => "NOTIFICATION",
            MessageType::Keepalive => "KEEPALIVE",
            MessageType::RouteRefresh => "ROUTE-REFRESH",
        })
    }
}

/// One whole message at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: MessageType,
    /// What follows the header.
    pub body: &'a [u8],
    /// Octets of the whole message, header included.
    pub len: usize,
}

/// The message at the front of `input`; `Ok(None)` if more octets are needed to tell.
///
/// `max_len` is [`MAX_LEN`], or [`MAX_EXTENDED_LEN`] where RFC 8654 was negotiated; an OPEN never exceeds the former.
/// Faults are found as soon as the octets that show them are there: a stream that isn't BGP fails at its first octet.
///
/// # Errors
/// The NOTIFICATION to answer with: 1/1 for a wrong marker, 1/2 for a length outside the type's limits, 1/3 for an
/// unknown type (RFC 4271 section 6.1).
pub fn frame(input: &[u8], max_len: usize) -> Result<Option<Frame<'_>>, Notification> {
    if input.iter().zip(MARKER).any(|(have, want)| *have != want) {
        return Err(Notification::new(Notification::HEADER, header_error::NOT_SYNCHRONIZED));
    }
    let Some((header, _)) = input.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
    let [.., high, low, code] = *header;
    let len = usize::from(u16::from_be_bytes([high, low]));
    let bad_length =
        || Notification::with_data(Notification::HEADER, header_error::BAD_LENGTH, vec![high, low]);
    if !(HEADER_LEN..=max_len).contains(&len) {
        return Err(bad_length());
    }
    let kind = MessageType::from_code(code)
        .ok_or_else(|| Notification::with_data(Notification::HEADER, header_error::BAD_TYPE, vec![code]))?;
    if !kind.lengths(max_len).contains(&len) {
        return Err(bad_length());
    }
    Ok(input.get(HEADER_LEN..len).map(|body| Frame { kind, body, len }))
}

/// Appends a whole message: the header, then what `body` appends. `body` must keep within the session's limit.
pub fn write_message(out: &mut Vec<u8>, kind: MessageType, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0, 0, kind as u8]);
    body(out);
    let len = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start + 16..start + 18) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

/// Appends a KEEPALIVE (RFC 4271 section 4.4).
pub fn write_keepalive(out: &mut Vec<u8>) {
    write_message(out, MessageType::Keepalive, |_| ());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(len: u16, code: u8) -> Vec<u8> {
        let mut bytes = vec![0xff; 16];
        bytes.extend(len.to_be_bytes());
        bytes.push(code);
        bytes
    }

    fn refused(input: &[u8], max_len: usize) -> (u8, u8, Vec<u8>) {
        let n = frame(input, max_len).unwrap_err();
        (n.code, n.subcode, n.data)
    }

    #[test]
    fn every_cut_of_a_message_is_incomplete_and_the_whole_is_not() {
        let mut bytes = Vec::new();
        write_message(&mut bytes, MessageType::Update, |out| out.extend([0, 0, 0, 0]));
        for cut in 0..bytes.len() {
            assert_eq!(frame(&bytes[..cut], MAX_LEN), Ok(None));
        }
        let whole = frame(&bytes, MAX_LEN).unwrap().unwrap();
        assert_eq!((whole.kind, whole.body, whole.len), (MessageType::Update, &[0, 0, 0, 0][..], 23));
    }

    #[test]
    fn a_wrong_marker_is_refused_at_its_first_wrong_octet() {
        assert_eq!(refused(b"GET / HTTP/1.1", MAX_LEN), (1, 1, vec![]));
        assert_eq!(refused(&[0xff, 0xff, 0xfe], MAX_LEN), (1, 1, vec![]));
    }

    #[test]
    fn lengths_outside_the_limits_of_the_type_are_refused_with_the_length() {
        let cases = [
            (18, 4, MAX_LEN),
            (20, 4, MAX_LEN),
            (28, 1, MAX_LEN),
            (22, 2, MAX_LEN),
            (20, 3, MAX_LEN),
            (22, 5, MAX_LEN),
            (4097, 2, MAX_LEN),
            (4097, 1, MAX_EXTENDED_LEN),
            (0, 2, MAX_EXTENDED_LEN),
        ];
        for (len, code, max_len) in cases {
            let expected = (1, 2, u16::to_be_bytes(len).to_vec());
            assert_eq!(refused(&header(len, code), max_len), expected, "length {len} type {code}");
        }
    }

    #[test]
    fn an_extended_message_passes_where_it_was_negotiated() {
        assert_eq!(frame(&header(65535, 2), MAX_EXTENDED_LEN), Ok(None));
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_type() {
        for code in [0, 6, 128, 255] {
            assert_eq!(refused(&header(19, code), MAX_LEN), (1, 3, vec![code]));
        }
    }

    // CVE-2022-37032: the CAPABILITY message (type 6) was parsed past its end. It is not offered here, so not known.
    #[test]
    fn the_dynamic_capability_message_is_an_unknown_type() {
        assert_eq!(refused(&header(22, 6), MAX_LEN), (1, 3, vec![6]));
    }
}
