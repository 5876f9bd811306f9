//! What a list of capabilities comes to.

use super::{Capability, GracefulRestart, LabelCount, LongLived, Role, SendReceive};
use crate::wire::notification::{Notification, open_error};
use crate::{Asn, Family};

/// What a speaker offers, each capability taken once.
///
/// RFC 5492 section 4 has a capability that is repeated with the same value count once, and leaves it to each
/// capability what several values mean:
///
/// | capability | what counts |
/// |---|---|
/// | those without a value | that it is there |
/// | Multiprotocol | each adds a family (RFC 4760 section 8) |
/// | Role | must all be the same, else the OPEN is refused (RFC 9234 section 4.2) |
/// | Graceful Restart | the last (RFC 4724 section 3) |
/// | Long-Lived Graceful Restart | the last, and only beside Graceful Restart (RFC 9494 section 4.1) |
/// | Multiple Labels | the first, in it the first entry of a family, if its count is over 1 (RFC 8277 section 2.1) |
/// | Four-octet AS number | the first; no RFC says |
/// | ADD-PATH | the last entry of a family; RFC 7911 section 4 allows one capability only |
///
/// ```
/// use bgp_core::wire::Capability;
/// use bgp_core::wire::capability::{Offered, Role};
///
/// let open = [Capability::Role(Role::Customer), Capability::Role(Role::Customer)];
/// assert_eq!(Offered(&open).role(), Ok(Some(Role::Customer)));
/// let open = [Capability::Role(Role::Customer), Capability::Role(Role::Peer)];
/// assert_eq!(Offered(&open).role().unwrap_err().to_string(), "OPEN Message Error: Role Mismatch");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a>(pub &'a [Capability]);

impl<'a> Offered<'a> {
    /// The role; `None` if none is offered.
    ///
    /// # Errors
    /// NOTIFICATION 2/11 if several roles are offered that are not all the same (RFC 9234 section 4.2).
    pub fn role(self) -> Result<Option<Role>, Notification> {
        let mut roles = self.all(|capability| match capability {
            Capability::Role(role) => Some(*role),
            _ => None,
        });
        let first = roles.next();
        if roles.all(|role| Some(role) == first) {
            Ok(first)
        } else {
            Err(Notification::new(Notification::OPEN, open_error::ROLE_MISMATCH))
        }
    }

    /// Graceful restart (RFC 4724 section 3); `None` if it is not offered.
    #[must_use]
    pub fn graceful_restart(self) -> Option<&'a GracefulRestart> {
        let restart = |capability: &'a Capability| match capability {
            Capability::GracefulRestart(restart) => Some(restart),
            _ => None,
        };
        self.all(restart).last()
    }

    /// The families of long-lived graceful restart; none without graceful restart (RFC 9494 section 4.1).
    #[must_use]
    pub fn long_lived(self) -> &'a [LongLived] {
        let families = |capability: &'a Capability| match capability {
            Capability::LongLivedGracefulRestart(families) => Some(families.as_slice()),
            _ => None,
        };
        self.graceful_restart().and(self.all(families).last()).unwrap_or_default()
    }

    /// The four-octet AS number (RFC 6793 section 3); `None` if the capability is not offered.
    #[must_use]
    pub fn four_octet_as(self) -> Option<Asn> {
        self.all(|capability| match capability {
            Capability::FourOctetAs(asn) => Some(*asn),
            _ => None,
        })
        .next()
    }

    /// What the speaker does with path identifiers in `family` (RFC 7911 section 4); `None` if nothing.
    #[must_use]
    pub fn add_path(self, family: Family) -> Option<SendReceive> {
        let entries = |capability: &'a Capability| match capability {
            Capability::AddPath(entries) => Some(entries),
            _ => None,
        };
        let of_family = self.all(entries).flatten().filter(|(listed, _)| *listed == family);
        of_family.last().map(|(_, mode)| *mode)
    }

    /// How many labels the speaker takes for one prefix of `family`: 1, or 2 to 255 with 255 for any number.
    #[must_use]
    pub fn labels(self, family: Family) -> u8 {
        let entries = |capability: &'a Capability| match capability {
            Capability::MultipleLabels(entries) => Some(entries),
            _ => None,
        };
        let first = self.all(entries).next().into_iter().flatten();
        first.copied().find(|entry: &LabelCount| entry.family == family).map_or(1, |entry| entry.count.max(1))
    }

    fn all<T>(self, of: impl Fn(&'a Capability) -> Option<T>) -> impl Iterator<Item = T> {
        self.0.iter().filter_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::RestartFamily;
    use super::*;

    const V4: Family = Family::IPV4_UNICAST;
    const V6: Family = Family::IPV6_UNICAST;

    fn restart(restart_time: u16) -> Capability {
        let families = vec![RestartFamily { family: V4, forwarding: true }];
        Capability::GracefulRestart(GracefulRestart { restart_time, families, ..Default::default() })
    }

    fn long_lived(stale_time: u32) -> Capability {
        Capability::LongLivedGracefulRestart(vec![LongLived { family: V4, forwarding: true, stale_time }])
    }

    #[test]
    fn equal_roles_are_one_and_different_ones_refuse_the_open() {
        let role = |codes: &[u8]| {
            let roles: Vec<_> = codes.iter().map(|code| Capability::Role(Role::from_code(*code))).collect();
            Offered(&roles).role().map_err(|n| (n.code, n.subcode))
        };
        assert_eq!(role(&[]), Ok(None));
        assert_eq!(role(&[0, 0, 0]), Ok(Some(Role::Provider)));
        assert_eq!(role(&[77, 77]), Ok(Some(Role::Other(77))));
        assert_eq!(role(&[3, 3, 4]), Err((2, 11)));
        assert_eq!(role(&[77, 78]), Err((2, 11)));
    }

    #[test]
    fn a_role_of_the_wrong_length_is_no_role() {
        let list = [Capability::parse(9, &[]), Capability::parse(9, &[0, 0]), Capability::parse(9, &[4])];
        assert_eq!(Offered(&list).role(), Ok(Some(Role::Peer)));
    }

    #[test]
    fn of_several_graceful_restarts_the_last_counts() {
        let list = [restart(90), Capability::RouteRefresh, restart(300)];
        assert_eq!(Offered(&list).graceful_restart().map(|restart| restart.restart_time), Some(300));
        assert_eq!(Offered(&[]).graceful_restart(), None);
    }

    #[test]
    fn long_lived_graceful_restart_counts_beside_graceful_restart_only() {
        let stale_time = |list: &[Capability]| Offered(list).long_lived().first().map(|e| e.stale_time);
        assert_eq!(stale_time(&[long_lived(7)]), None);
        assert_eq!(stale_time(&[long_lived(7), long_lived(8), restart(0)]), Some(8));
        assert_eq!(stale_time(&[restart(0)]), None);
    }

    #[test]
    fn of_several_as_numbers_the_first_counts() {
        let list = [4_200_000_000, 64512].map(|asn| Capability::FourOctetAs(Asn(asn)));
        assert_eq!(Offered(&list).four_octet_as(), Some(Asn(4_200_000_000)));
    }

    #[test]
    fn add_path_is_the_last_word_on_a_family() {
        let list = [
            Capability::AddPath(vec![(V4, SendReceive::Both), (V6, SendReceive::Send)]),
            Capability::AddPath(vec![(V4, SendReceive::Receive)]),
        ];
        assert_eq!(Offered(&list).add_path(V4), Some(SendReceive::Receive));
        assert_eq!(Offered(&list).add_path(V6), Some(SendReceive::Send));
        assert_eq!(Offered(&[]).add_path(V4), None);
    }

    // RFC 8277 section 2.1.
    #[test]
    fn the_first_label_count_of_a_family_counts_and_under_two_means_one() {
        let labels = |entries: &[(Family, u8)]| {
            let entry = |&(family, count): &(Family, u8)| LabelCount { family, count };
            Capability::MultipleLabels(entries.iter().map(entry).collect())
        };
        let list = [labels(&[(V4, 3), (V4, 9), (V6, 0), (V6, 9)]), labels(&[(V4, 5)])];
        assert_eq!((Offered(&list).labels(V4), Offered(&list).labels(V6)), (3, 1));
        assert_eq!(Offered(&[]).labels(V4), 1);
    }
}
