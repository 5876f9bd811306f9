//! The place of a speaker between two ASes (RFC 9234 section 4).

use std::fmt;

use crate::wire::Capability;

/// What a speaker is to its eBGP peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// It gives the peer transit.
    Provider = 0,
    /// It is a route server, the peer its client.
    RouteServer = 1,
    /// It is a client of the peer, a route server.
    RouteServerClient = 2,
    /// It gets transit from the peer.
    Customer = 3,
    /// Both exchange their own and their customers' routes.
    Peer = 4,
}

impl Role {
    /// All roles, in the order of their numbers.
    pub const ALL: [Role; 5] =
        [Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer];

    /// The role numbered `code`, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Role> {
        Role::ALL.into_iter().find(|role| *role as u8 == code)
    }

    /// The role that the other side of such a speaker must have (RFC 9234 section 4.2, table 2).
    #[must_use]
    pub fn counterpart(self) -> Role {
        match self {
            Role::Provider => Role::Customer,
            Role::Customer => Role::Provider,
            Role::RouteServer => Role::RouteServerClient,
            Role::RouteServerClient => Role::RouteServer,
            Role::Peer => Role::Peer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Provider => "provider",
            Role::RouteServer => "route-server",
            Role::RouteServerClient => "route-server-client",
            Role::Customer => "customer",
            Role::Peer => "peer",
        })
    }
}

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
    let mut told = capabilities.iter().filter_map(|capability| match capability {
        Capability::Role(code) => Some(*code),
        _ => None,
    });
    let Some(code) = told.next() else {
        return if strict { Err(RoleMismatch) } else { Ok(None) };
    };
    let role = Role::from_code(code).filter(|role| *role == ours.counterpart()).ok_or(RoleMismatch)?;
    if told.all(|other| other == code) { Ok(Some(role)) } else { Err(RoleMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_shown_as_its_capability_shows_it() {
        for role in Role::ALL {
            assert_eq!(format!("role {role}"), Capability::Role(role as u8).to_string());
        }
    }

    #[test]
    fn only_counterparts_suit_each_other() {
        let pairs: Vec<(u8, u8)> = Role::ALL
            .into_iter()
            .flat_map(|ours| (0..=255).map(move |code| (ours, code)))
            .filter(|(ours, code)| peer_role(*ours, true, &[Capability::Role(*code)]).is_ok())
            .map(|(ours, code)| (ours as u8, code))
            .collect();
        assert_eq!(pairs, [(0, 3), (1, 2), (2, 1), (3, 0), (4, 4)]);
    }

    #[test]
    fn a_role_told_twice_is_one_and_two_roles_are_a_mismatch() {
        let told = |codes: &[u8]| {
            let capabilities: Vec<Capability> = codes.iter().copied().map(Capability::Role).collect();
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
