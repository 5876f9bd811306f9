//! The message header and the cutting of a byte stream into messages (RFC 4271 sections 4.1 and 6.1).
//!
//! BGP runs over TCP, which keeps no boundaries: each message says how long it is, and a marker of ones shows whether
//! both sides still agree on where a message begins.
//!
//! ```text
//!  octet  0                16         18     19
//!         │ marker         │ length   │ type │ body …
//!         │ 16 times 0xff  │ 2 octets │ 1    │ length - 19 octets
//! ```
//!
//! The length counts the header. Which lengths a type can have:
//!
//! | type | | octets, header included |
//! |---|---|---|
//! | 1 | OPEN | 29 to 4096 |
//! | 2 | UPDATE | 23 to the session's limit |
//! | 3 | NOTIFICATION | 21 to the session's limit |
//! | 4 | KEEPALIVE | 19 |
//! | 5 | ROUTE-REFRESH | 23 to the session's limit |
//!
//! The limit is 4096, or 65535 where RFC 8654 was negotiated.

use std::fmt;

use super::notification::{Notification, header_error};

/// Octets in the header: marker, length, type.
pub const HEADER_LEN: usize = 19;
/// The longest message without the extended message capability (RFC 4271 section 4.1).
pub const MAX_LEN: usize = 4096;
/// The longest message with it (RFC 8654 section 2).
pub const MAX_EXTENDED_LEN: usize = 65535;

const MARKER: [u8; 16] = [0xff; 16];

/// What a message is (RFC 4271 section 4.1, RFC 2918 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// Opens the session (RFC 4271 section 4.2).
    Open = 1,
    /// Carries routes (RFC 4271 section 4.3).
    Update = 2,
    /// Says why the session ends (RFC 4271 section 4.5).
    Notification = 3,
    /// Keeps the session alive (RFC 4271 section 4.4).
    Keepalive = 4,
    /// Asks for all routes again (RFC 2918).
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
        match code {
            1 => Some(MessageType::Open),
            2 => Some(MessageType::Update),
            3 => Some(MessageType::Notification),
            4 => Some(MessageType::Keepalive),
            5 => Some(MessageType::RouteRefresh),
            _ => None,
        }
    }

    /// The lengths a message of this type may have, header included (RFC 4271 section 6.1). RFC 8654 section 4 leaves
    /// OPEN and KEEPALIVE as they were.
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
/// However the stream is cut into reads, the same messages come out.
///
/// ```
/// use bgp_core::wire::header::{MAX_LEN, write_keepalive};
/// use bgp_core::wire::{MessageType, frame};
///
/// let mut stream = Vec::new();
/// write_keepalive(&mut stream);
/// write_keepalive(&mut stream);
/// stream.truncate(30); // the second is not all there yet
///
/// let message = frame(&stream, MAX_LEN)?.expect("a whole message");
/// assert_eq!((message.kind, message.len), (MessageType::Keepalive, 19));
/// assert_eq!(frame(&stream[message.len..], MAX_LEN)?, None);
///
/// let refused = frame(b"GET / HTTP/1.1", MAX_LEN).unwrap_err();
/// assert_eq!(refused.to_string(), "Message Header Error: Connection Not Synchronized");
/// # Ok::<(), bgp_core::Notification>(())
/// ```
///
/// # Errors
/// The NOTIFICATION to answer with: 1/1 for a wrong marker, 1/2 with the length field for a length outside the type's
/// limits, 1/3 with the type for an unknown one (RFC 4271 section 6.1).
pub fn frame(input: &[u8], max_len: usize) -> Result<Option<Frame<'_>>, Notification> {
    let Some((header, _)) = input.split_first_chunk::<HEADER_LEN>() else {
        return if starts_marker(input) { Ok(None) } else { Err(not_synchronized()) };
    };
    // Every message takes this way: the marker is compared as a whole, not octet by octet.
    if header.first_chunk() != Some(&MARKER) {
        return Err(not_synchronized());
    }
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

/// Whether `part`, shorter than a header, may become one.
fn starts_marker(part: &[u8]) -> bool {
    part.iter().zip(MARKER).all(|(have, want)| *have == want)
}

fn not_synchronized() -> Notification {
    Notification::new(Notification::HEADER, header_error::NOT_SYNCHRONIZED)
}

/// Appends a whole message: the header (RFC 4271 section 4.1), then what `body` appends. `body` must keep within the
/// session's limit: the length field of a message over 65535 octets would be wrong.
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
    use proptest::collection::vec;

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
    #[test]
    fn a_wrong_octet_anywhere_in_the_marker_is_refused_as_soon_as_it_is_there() {
        let mut bytes = header(19, 4);
        for at in 0..16 {
            bytes[at] = 0xfe;
            for cut in 0..=bytes.len() {
                let expected = if cut > at { Err((1, 1)) } else { Ok(()) };
                let framed = frame(&bytes[..cut], MAX_LEN).map(|_| ()).map_err(|n| (n.code, n.subcode));
                assert_eq!(framed, expected, "octet {at}, {cut} octets");
            }
            bytes[at] = 0xff;
        }
    }

    // RFC 8654 section 4: the extension is for UPDATE, NOTIFICATION and ROUTE-REFRESH.
    #[test]
    fn open_and_keepalive_are_never_extended() {
        for (code, longest) in [(1, 4096), (2, 65535), (3, 65535), (4, 19), (5, 65535)] {
            assert_eq!(frame(&header(longest, code), MAX_EXTENDED_LEN).map(|_| ()), Ok(()), "type {code}");
            if let Some(longer) = longest.checked_add(1) {
                assert_eq!(refused(&header(longer, code), MAX_EXTENDED_LEN).1, 2, "type {code}");
            }
        }
    }

    #[test]
    fn every_type_has_its_number() {
        for code in 0..=u8::MAX {
            let kind = MessageType::ALL.into_iter().find(|kind| *kind as u8 == code);
            assert_eq!(MessageType::from_code(code), kind);
        }
    }

    /// Reads all of `stream` as it comes in pieces that end at `cuts`.
    fn messages(stream: &[u8], cuts: &[usize]) -> (Vec<(MessageType, Vec<u8>)>, Option<Notification>) {
        let (mut read, mut buffer) = (Vec::new(), Vec::new());
        let ends = cuts.iter().copied().chain([stream.len()]);
        let mut start = 0;
        for end in ends {
            buffer.extend_from_slice(&stream[start..end]);
            start = end;
            loop {
                match frame(&buffer, MAX_LEN) {
                    Ok(None) => break,
                    Ok(Some(message)) => {
                        assert_eq!(message.len, HEADER_LEN + message.body.len());
                        read.push((message.kind, message.body.to_vec()));
                        let len = message.len;
                        buffer.drain(..len);
                    }
                    Err(notification) => return (read, Some(notification)),
                }
            }
        }
        (read, None)
    }

    proptest::proptest! {
        #[test]
        fn a_stream_cut_anywhere_gives_the_same_messages(
            parts in vec((1..7u8, vec(proptest::num::u8::ANY, 0..60), proptest::bool::weighted(0.02)), 0..8),
            mut cuts in vec(proptest::num::u16::ANY, 0..12),
        ) {
            let mut stream = Vec::new();
            for (code, body, spoilt) in parts {
                let mut message = header(u16::try_from(HEADER_LEN + body.len()).unwrap(), code);
                message[usize::from(code)] ^= u8::from(spoilt);
                stream.extend(message);
                stream.extend(body);
            }
            cuts.sort_unstable();
            let cuts: Vec<usize> = cuts.into_iter().map(|cut| usize::from(cut) * stream.len() / 65536).collect();
            let every: Vec<usize> = (0..stream.len()).collect();
            let whole = messages(&stream, &[]);
            proptest::prop_assert_eq!(&messages(&stream, &cuts), &whole);
            proptest::prop_assert_eq!(&messages(&stream, &every), &whole);
        }

        #[test]
        fn no_more_is_claimed_than_is_there(
            head in vec(proptest::num::u8::ANY, 0..4), rest in vec(proptest::num::u8::ANY, 0..100), long: bool,
        ) {
            let input = [&[0xff; 16][..], &head, &rest].concat();
            let max_len = if long { MAX_EXTENDED_LEN } else { MAX_LEN };
            match frame(&input, max_len) {
                Ok(Some(message)) => {
                    proptest::prop_assert!(message.len <= input.len() && message.len <= max_len);
                    proptest::prop_assert_eq!(message.body, &input[HEADER_LEN..message.len]);
                }
                Ok(None) => proptest::prop_assert!(input.len() < max_len),
                Err(notification) => {
                    proptest::prop_assert_eq!(notification.code, Notification::HEADER);
                    let data = &notification.data;
                    proptest::prop_assert!(data.as_slice() == &input[16..18] || data.as_slice() == &input[18..19]);
                }
            }
        }
    }
}
