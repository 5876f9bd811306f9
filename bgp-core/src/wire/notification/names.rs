//! What the codes and subcodes of a NOTIFICATION are called.

use super::Notification;

/// The names of the subcodes of one error code.
type Subcodes = &'static [(u8, &'static str)];

/// Error codes with their subcodes: RFC 4271 section 4.5, for OPEN also RFC 5492 and RFC 9234, for the state machine
/// RFC 6608, for Cease RFC 4486, RFC 8538 and RFC 9384, then RFC 7313 and RFC 9687.
const NAMES: &[(u8, &str, Subcodes)] = &[
    (
        1,
        "Message Header Error",
        &[
            (0, "Unspecific"),
            (1, "Connection Not Synchronized"),
            (2, "Bad Message Length"),
            (3, "Bad Message Type"),
        ],
    ),
    (
        2,
        "OPEN Message Error",
        &[
            (0, "Unspecific"),
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
            (0, "Unspecific"),
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
            (0, "Unspecified Error"),
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

impl Notification {
    /// The name of the error code, as its RFC writes it; `None` for one that is not defined.
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        self.names().map(|(name, _)| name)
    }

    /// The name of the subcode; `None` for one that is not defined, or where the code has none.
    #[must_use]
    pub fn subcode_name(&self) -> Option<&'static str> {
        let (_, subcodes) = self.names()?;
        subcodes.iter().find(|(subcode, _)| *subcode == self.subcode).map(|(_, name)| *name)
    }

    fn names(&self) -> Option<(&'static str, Subcodes)> {
        NAMES.iter().find(|(code, ..)| *code == self.code).map(|(_, name, subcodes)| (*name, *subcodes))
    }
}
