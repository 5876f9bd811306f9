//! ROUTE-REFRESH (RFC 2918, RFC 7313) and the filters it may carry (RFC 5291).
//!
//! Who has changed what it wants from a peer asks for its routes again, in place of resetting the session. With
//! RFC 7313 the answer stands between two markers, so that what was not in it can be forgotten.
//!
//! ```text
//!  octets  2     1         1
//!          │ AFI │ subtype │ SAFI │ filters …
//!
//!  subtype 0 asks, 1 begins the answer, 2 ends it; filters stand behind 0 only, see `orf`
//! ```

use std::fmt;

use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

use super::header::{MessageType, write_message};
use super::notification::{Notification, refresh_error};
use super::orf::{MAX_ENTRY, Orf, PrefixEntry, WhenToRefresh, write_group};
use crate::Family;

/// Octets of a body without filters.
const FIXED_LEN: usize = 4;

/// A request for all routes of a family again (RFC 2918 section 3), or one of the markers around the answer (RFC 7313
/// section 3.2).
///
/// ```
/// use bgp_core::Family;
/// use bgp_core::wire::header::MAX_LEN;
/// use bgp_core::wire::orf::{ADDRESS_PREFIX, AddressPrefix, MatchKind, PrefixEntry, WhenToRefresh};
/// use bgp_core::wire::{RouteRefresh, frame};
///
/// let request = RouteRefresh { family: Family::IPV4_UNICAST, subtype: RouteRefresh::REQUEST };
/// let filter = AddressPrefix {
///     kind: MatchKind::Permit,
///     sequence: 5,
///     min_len: 16,
///     max_len: 24,
///     prefix: "10.0.0.0/8".parse()?,
/// };
/// let mut bytes = Vec::new();
/// let entries = [PrefixEntry::RemoveAll, PrefixEntry::Add(filter)];
/// request.encode_orf(&mut bytes, MAX_LEN, WhenToRefresh::Immediate, ADDRESS_PREFIX, entries);
///
/// let message = frame(&bytes, MAX_LEN)?.expect("a whole message");
/// assert_eq!(RouteRefresh::parse(message.body)?, request);
/// // The second look, for a session that offered filters.
/// let orf = RouteRefresh::orf(message.body)?.expect("filters");
/// let group = orf.groups().next().expect("a group");
/// let entries: Vec<String> = group.prefixes(request.family)?.map(|entry| entry.to_string()).collect();
/// assert_eq!(entries, ["remove-all", "add 5 permit 10.0.0.0/8 min 16 max 24"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// Which routes.
    pub family: Family,
    /// [`RouteRefresh::REQUEST`], [`RouteRefresh::BEGIN`], [`RouteRefresh::END`] or a number that is not defined: such
    /// a message is to be ignored (RFC 7313 section 5).
    pub subtype: u8,
}

impl RouteRefresh {
    /// Asks for the routes (RFC 2918 section 3).
    pub const REQUEST: u8 = 0;
    /// The answer begins (RFC 7313 section 3.2).
    pub const BEGIN: u8 = 1;
    /// The answer ends (RFC 7313 section 3.2).
    pub const END: u8 = 2;

    /// Reads a message body. Outbound route filters behind a request are skipped unread: where they were not offered,
    /// answering with all routes is what a peer that filters for itself expects. [`RouteRefresh::orf`] reads them.
    ///
    /// # Errors
    /// NOTIFICATION 7/1 with the whole message for a marker whose length is not 4 (RFC 7313 section 5), and for
    /// a request shorter than that.
    pub fn parse(body: &[u8]) -> Result<RouteRefresh, Notification> {
        let fields: IResult<&[u8], (u16, u8, u8)> = (be_u16, be_u8, be_u8).parse(body);
        let (rest, (afi, subtype, safi)) = fields.map_err(|_| invalid_length(body))?;
        if matches!(subtype, RouteRefresh::BEGIN | RouteRefresh::END) && !rest.is_empty() {
            return Err(invalid_length(body));
        }
        Ok(RouteRefresh { family: Family { afi, safi }, subtype })
    }

    /// The outbound route filters in a message body; `None` if it is no request, or has none. For sessions that
    /// agreed on them (RFC 5291 section 5).
    ///
    /// # Errors
    /// As [`RouteRefresh::parse`], and NOTIFICATION 7/1 with the whole message for filters that are cut off or
    /// reach over its end. RFC 5291 has no code of its own for that, and a peer that is told nothing would go on as
    /// if its filters were in place.
    pub fn orf(body: &[u8]) -> Result<Option<Orf<'_>>, Notification> {
        let refresh = RouteRefresh::parse(body)?;
        match body.get(FIXED_LEN..) {
            Some(filters @ [_, ..]) if refresh.subtype == RouteRefresh::REQUEST => {
                Orf::parse(filters).map(Some).ok_or_else(|| invalid_length(body))
            }
            _ => Ok(None),
        }
    }

    /// Appends the whole message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_message(out, MessageType::RouteRefresh, |out| self.write_fields(out));
    }

    /// Appends messages of up to `max_len` octets, 4096 or 65535, with address prefix filters of this family, and
    /// returns how many: none without filters. All but the last message defer the refresh, so that the routes come once, through all
    /// of the filters.
    pub fn encode_orf(
        &self,
        out: &mut Vec<u8>,
        max_len: usize,
        when: WhenToRefresh,
        orf_type: u8,
        entries: impl IntoIterator<Item = PrefixEntry>,
    ) -> usize {
        let mut entries = entries.into_iter().peekable();
        let mut messages = 0;
        while let Some(first) = entries.next() {
            let start = out.len();
            write_message(out, MessageType::RouteRefresh, |out| {
                self.write_fields(out);
                let when_at = out.len();
                out.push(WhenToRefresh::Defer.code());
                write_group(out, orf_type, |out| {
                    first.encode(out);
                    while out.len() - start + MAX_ENTRY <= max_len {
                        let Some(entry) = entries.next() else { break };
                        entry.encode(out);
                    }
                });
                if let (None, Some(field)) = (entries.peek(), out.get_mut(when_at)) {
                    *field = when.code();
                }
            });
            messages += 1;
        }
        messages
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        let [high, low] = self.family.afi.to_be_bytes();
        out.extend_from_slice(&[high, low, self.subtype, self.family.safi]);
    }
}

/// NOTIFICATION 7/1 with the message that has this body.
fn invalid_length(body: &[u8]) -> Notification {
    let mut whole = Vec::new();
    write_message(&mut whole, MessageType::RouteRefresh, |out| out.extend_from_slice(body));
    Notification::with_data(Notification::ROUTE_REFRESH, refresh_error::INVALID_LENGTH, whole)
}

/// The subtype, then the family: `request ipv4`.
impl fmt::Display for RouteRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subtype {
            RouteRefresh::REQUEST => f.write_str("request")?,
            RouteRefresh::BEGIN => f.write_str("begin")?,
            RouteRefresh::END => f.write_str("end")?,
            other => write!(f, "subtype-{other}")?,
        }
        write!(f, " {}", self.family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header::{MAX_LEN, frame};

    #[test]
    fn every_subtype_reads_back_what_was_written_and_is_shown() {
        for (subtype, shown) in
            [(0, "request ipv6"), (1, "begin ipv6"), (2, "end ipv6"), (255, "subtype-255 ipv6")]
        {
            let refresh = RouteRefresh { family: Family::IPV6_UNICAST, subtype };
            let mut bytes = Vec::new();
            refresh.encode(&mut bytes);
            let message = frame(&bytes, MAX_LEN).unwrap().unwrap();
            assert_eq!(RouteRefresh::parse(message.body), Ok(refresh));
            assert!(RouteRefresh::orf(message.body).unwrap().is_none());
            assert_eq!(refresh.to_string(), shown);
        }
    }

    // CVE-2023-41360: the header of an outbound route filter was read past the end of the message.
    #[test]
    fn a_truncated_route_filter_is_never_read() {
        let body = [0, 1, 0, 1, /* when */ 1, /* type */ 64, /* length, cut off */ 0xff];
        for cut in 4..=body.len() {
            let refresh = RouteRefresh::parse(&body[..cut]).unwrap();
            assert_eq!(refresh, RouteRefresh { family: Family::IPV4_UNICAST, subtype: 0 });
        }
    }

    #[test]
    fn a_truncated_route_filter_that_is_asked_for_is_answered_with_the_message() {
        let body = [0, 1, 0, 1, 1, 64, 0, 3, 0x80, 0x80, 0x80];
        for cut in 0..=body.len() {
            let read = RouteRefresh::orf(&body[..cut]).map(|orf| orf.map(|orf| orf.groups().count()));
            match cut {
                4 => assert_eq!(read, Ok(None)),
                5 => assert_eq!(read, Ok(Some(0))),
                11 => assert_eq!(read, Ok(Some(1))),
                _ => {
                    let error = read.unwrap_err();
                    assert_eq!((error.code, error.subcode), (7, 1));
                    assert_eq!(&error.data[19..], &body[..cut]);
                }
            }
        }
    }

    #[test]
    fn a_marker_of_the_wrong_length_is_answered_with_the_message() {
        for subtype in [RouteRefresh::BEGIN, RouteRefresh::END] {
            let error = RouteRefresh::parse(&[0, 1, subtype, 1, 9]).unwrap_err();
            assert_eq!((error.code, error.subcode, error.data.len()), (7, 1, 24));
        }
        assert!(RouteRefresh::parse(&[0, 1]).is_err());
        // RFC 7313 section 5: another subtype is ignored, however long.
        assert!(RouteRefresh::parse(&[0, 1, 3, 1, 9]).is_ok());
        assert!(RouteRefresh::orf(&[0, 1, 3, 1, 9]).unwrap().is_none());
    }

    proptest::proptest! {
        #[test]
        fn a_typed_refresh_comes_back_as_it_was_encoded(afi: u16, safi: u8, subtype: u8) {
            let refresh = RouteRefresh { family: Family { afi, safi }, subtype };
            let mut bytes = Vec::new();
            refresh.encode(&mut bytes);
            let message = frame(&bytes, MAX_LEN).unwrap().unwrap();
            proptest::prop_assert_eq!(RouteRefresh::parse(message.body), Ok(refresh));
        }

        #[test]
        fn any_octets_are_read_or_answered_with_the_message(
            body in proptest::collection::vec(proptest::prop_oneof![0..4u8, proptest::num::u8::ANY], 0..40),
        ) {
            let parsed = RouteRefresh::parse(&body).map(|_| ());
            for refused in [parsed, RouteRefresh::orf(&body).map(|_| ())].into_iter().filter_map(Result::err) {
                proptest::prop_assert_eq!((refused.code, refused.subcode), (7, 1));
                proptest::prop_assert_eq!(&refused.data[19..], &body);
            }
        }
    }
}
