//! ROUTE-REFRESH (RFC 2918, RFC 7313).

use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

use super::header::{MessageType, write_message};
use super::notification::{Notification, refresh_error};
use crate::Family;

/// A request for all routes of a family again, or one of the markers around the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// Which routes.
    pub family: Family,
    /// [`RouteRefresh::REQUEST`], [`RouteRefresh::BEGIN`], [`RouteRefresh::END`] or a number unknown to us.
    pub subtype: u8,
}

impl RouteRefresh {
    /// Asks for the routes (RFC 2918).
    pub const REQUEST: u8 = 0;
    /// The answer begins (RFC 7313 section 3.2).
    pub const BEGIN: u8 = 1;
    /// The answer ends (RFC 7313 section 3.2).
    pub const END: u8 = 2;

    /// Reads a message body. Outbound route filters behind a request (RFC 5291) are skipped unread: they are never
    /// offered, and answering with all routes is what a peer that filters for itself expects.
    ///
    /// # Errors
    /// NOTIFICATION 7/1 with the whole message for a marker whose length is not 4 (RFC 7313 section 5), and for
    /// a request shorter than that.
    pub fn parse(body: &[u8]) -> Result<RouteRefresh, Notification> {
        let invalid_length = || {
            let mut whole = Vec::new();
            write_message(&mut whole, MessageType::RouteRefresh, |out| out.extend_from_slice(body));
            Notification::with_data(Notification::ROUTE_REFRESH, refresh_error::INVALID_LENGTH, whole)
        };
        let fields: IResult<&[u8], (u16, u8, u8)> = (be_u16, be_u8, be_u8).parse(body);
        let (rest, (afi, subtype, safi)) = fields.map_err(|_| invalid_length())?;
        if matches!(subtype, RouteRefresh::BEGIN | RouteRefresh::END) && !rest.is_empty() {
            return Err(invalid_length());
        }
        Ok(RouteRefresh { family: Family { afi, safi }, subtype })
    }

    /// Appends the whole message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let [high, low] = self.family.afi.to_be_bytes();
        write_message(out, MessageType::RouteRefresh, |out| {
            out.extend_from_slice(&[high, low, self.subtype, self.family.safi]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header::{MAX_LEN, frame};

    #[test]
    fn a_request_reads_back_what_was_written() {
        let refresh = RouteRefresh { family: Family::IPV6_UNICAST, subtype: RouteRefresh::REQUEST };
        let mut bytes = Vec::new();
        refresh.encode(&mut bytes);
        let message = frame(&bytes, MAX_LEN).unwrap().unwrap();
        assert_eq!(RouteRefresh::parse(message.body), Ok(refresh));
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
    fn a_marker_of_the_wrong_length_is_answered_with_the_message() {
        let error = RouteRefresh::parse(&[0, 1, 1, 1, 9]).unwrap_err();
        assert_eq!((error.code, error.subcode, error.data.len()), (7, 1, 24));
        assert!(RouteRefresh::parse(&[0, 1]).is_err());
    }
}
