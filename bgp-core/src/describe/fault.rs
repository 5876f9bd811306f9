//! What is wrong with a message, whatever its type.

use super::Value;
use crate::wire::capability::Offered;
use crate::wire::header::HEADER_LEN;
use crate::wire::notification::{header_error, open_error};
use crate::wire::{Fault, FaultKind, Notification, Open, Treatment};
use crate::{Asn, RouterId};

/// Where an OPEN's optional parameters begin, with their length.
const PARAMETERS: usize = HEADER_LEN + 9;

/// Something wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedFault {
    /// The type code of the path attribute at fault, if it is one.
    pub attribute: Option<u8>,
    /// Where what is wrong begins, in octets from the start of the message; `None` if it is nowhere, as what is missing.
    /// Its body begins at 19.
    pub offset: Option<usize>,
    /// What it does: of several the strongest.
    pub treatment: Treatment,
    /// Where the RFCs say so.
    pub section: &'static str,
    /// What is wrong, in words.
    pub text: String,
}

impl DescribedFault {
    /// One that ends the session.
    fn reset(offset: usize, section: &'static str, notification: &Notification) -> DescribedFault {
        let text = Notification::new(notification.code, notification.subcode).to_string();
        DescribedFault {
            attribute: None,
            offset: Some(offset),
            treatment: Treatment::ResetSession,
            section,
            text,
        }
    }

    /// A header that [`frame`](crate::wire::frame) refuses (RFC 4271 section 6.1).
    pub(super) fn in_header(header: &[u8], notification: &Notification) -> DescribedFault {
        const LENGTH: usize = 16;
        const TYPE: usize = 18;
        let offset = match notification.subcode {
            header_error::NOT_SYNCHRONIZED => {
                header.iter().position(|octet| *octet != 0xff).unwrap_or_default()
            }
            header_error::BAD_TYPE => TYPE,
            _ => LENGTH,
        };
        DescribedFault::reset(offset, "RFC 4271 section 6.1", notification)
    }

    /// An OPEN that [`Open::parse`] refuses (RFC 4271 section 6.2): its version, or something in its optional
    /// parameters, which begin with their length.
    pub(super) fn in_open(notification: &Notification) -> DescribedFault {
        const VERSION: usize = HEADER_LEN;
        let is_version = notification.subcode == open_error::UNSUPPORTED_VERSION;
        let offset = if is_version { VERSION } else { PARAMETERS };
        DescribedFault::reset(offset, "RFC 4271 section 6.2", notification)
    }

    /// What an OPEN says that no session can do with.
    pub(super) fn of_open(open: &Open) -> Vec<(DescribedFault, Notification)> {
        let several_roles = Offered(&open.capabilities).role().is_err();
        let faults = [
            (open.asn == Asn(0), open_error::BAD_PEER_AS, 20, "RFC 7607 section 2"),
            (open.asn == Asn::TRANS, open_error::BAD_PEER_AS, 20, "RFC 6793"),
            (matches!(open.hold_time, 1 | 2), open_error::UNACCEPTABLE_HOLD_TIME, 22, "RFC 4271 section 6.2"),
            (open.router_id == RouterId(0), open_error::BAD_IDENTIFIER, 24, "RFC 6286 section 2.2"),
            (several_roles, open_error::ROLE_MISMATCH, PARAMETERS, "RFC 9234 section 4.2"),
        ];
        let told = faults.into_iter().filter(|(is_wrong, ..)| *is_wrong);
        told.map(|(_, subcode, offset, section)| {
            let notification = Notification::new(Notification::OPEN, subcode);
            (DescribedFault::reset(offset, section, &notification), notification)
        })
        .collect()
    }

    /// A ROUTE-REFRESH whose length does not suit it.
    pub(super) fn in_refresh(notification: &Notification) -> DescribedFault {
        DescribedFault::reset(16, "RFC 7313 section 5", notification)
    }

    /// Outbound route filters that are cut off, or reach over the end.
    pub(super) fn in_filters(notification: &Notification) -> DescribedFault {
        DescribedFault::reset(HEADER_LEN + 4, "RFC 5291 section 5", notification)
    }

    pub(super) fn to_value(&self) -> Value {
        let number = |number: Option<usize>| number.map_or(Value::Null, Value::from);
        Value::Map(vec![
            ("attribute", self.attribute.map_or(Value::Null, Value::from)),
            ("offset", number(self.offset)),
            ("body_offset", number(self.offset.and_then(|offset| offset.checked_sub(HEADER_LEN)))),
            ("treatment", Value::text(self.treatment)),
            ("section", Value::text(self.section)),
            ("fault", Value::text(&self.text)),
        ])
    }
}

impl From<&Fault> for DescribedFault {
    fn from(fault: &Fault) -> DescribedFault {
        let is_nowhere = fault.kind == FaultKind::Missing;
        DescribedFault {
            attribute: Some(fault.code).filter(|code| *code != 0),
            offset: Some(HEADER_LEN + fault.offset).filter(|_| !is_nowhere),
            treatment: fault.treatment,
            section: fault.kind.section(fault.code),
            text: fault.kind.to_string(),
        }
    }
}
