//! Whether the places of two speakers between two ASes suit each other (RFC 9234 section 4.2).

use crate::wire::Capability;
use crate::wire::capability::{Offered, Role};

/// The roles do not fit together (RFC 9234 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoleMismatch;

/// The peer's role by its capabilities, if it suits `ours`. Of a peer that tells none, `strict` makes a mismatch. The
/// same role told twice is one role; two different ones, and a number without a role, fit nothing.
pub(super) fn peer_role(
    ours: Role,
    strict: bool,
    capabilities: &[Capability],
) -> Result<Option<Role>, RoleMismatch> {
    match Offered(capabilities).role() {
        Ok(None) if !strict => Ok(None),
        Ok(Some(role)) if ours.counterpart() == Some(role) => Ok(Some(role)),
        _ => Err(RoleMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counterparts_suit_each_other() {
        let pairs: Vec<(u8, u8)> = Role::ALL
            .into_iter()
            .flat_map(|ours| (0..=255).map(move |code| (ours, code)))
            .filter(|(ours, code)| {
                peer_role(*ours, true, &[Capability::Role(Role::from_code(*code))]).is_ok()
            })
            .map(|(ours, code)| (ours.code(), code))
            .collect();
        assert_eq!(pairs, [(0, 3), (1, 2), (2, 1), (3, 0), (4, 4)]);
    }

    #[test]
    fn a_role_told_twice_is_one_and_two_roles_are_a_mismatch() {
        let told = |codes: &[u8]| {
            let capabilities: Vec<Capability> =
                codes.iter().map(|code| Capability::Role(Role::from_code(*code))).collect();
            peer_role(Role::Customer, false, &capabilities)
        };
        assert_eq!(told(&[0, 0, 0]), Ok(Some(Role::Provider)));
        assert_eq!(told(&[0, 4]), Err(RoleMismatch));
        assert_eq!(told(&[4, 0]), Err(RoleMismatch));
    }

    #[test]
    fn a_peer_without_a_role_is_refused_in_strict_mode_only() {
        let others = [Capability::RouteRefresh, Capability::Unknown { code: 9, value: vec![0, 0] }];
        assert_eq!(peer_role(Role::Peer, false, &others), Ok(None));
        assert_eq!(peer_role(Role::Peer, true, &others), Err(RoleMismatch));
    }
}
