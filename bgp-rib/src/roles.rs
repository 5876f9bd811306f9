//! Which routes may pass between two ASes, by what these are to each other (RFC 9234 section 5): a route that came from a
//! provider, a peer or a route server goes to customers only. The attribute ONLY_TO_CUSTOMER says so.
//!
//! A role is ours: as a customer we speak to a provider.

use bgp_core::Asn;
use bgp_core::wire::Attributes;
use bgp_core::wire::capability::Role;

use crate::fault::{Fault, planted};

/// Whether a route that comes from an eBGP peer in `peer_as` has been leaked: it was only for customers of somebody.
#[must_use]
pub fn is_leak(ours: Option<Role>, peer_as: Asn, block: &[u8]) -> bool {
    if planted(Fault::LeakTaken) {
        return false;
    }
    let marked_by = || Attributes::new(block).only_to_customer();
    match ours {
        Some(Role::Provider | Role::RouteServer) => marked_by().is_some(),
        Some(Role::Peer) => marked_by().is_some_and(|asn| asn != peer_as),
        _ => false,
    }
}

/// Whether a route that comes over eBGP without the mark gets one, with the peer's AS in it.
#[must_use]
pub fn marks_coming(ours: Option<Role>) -> bool {
    let from_above = matches!(ours, Some(Role::Customer | Role::Peer | Role::RouteServerClient));
    from_above && !planted(Fault::OnlyToCustomerNotMarked)
}

/// Whether a route may go to an eBGP peer.
#[must_use]
pub fn may_leave(ours: Option<Role>, block: &[u8]) -> bool {
    let only_to_customers = matches!(ours, Some(Role::Customer | Role::Peer | Role::RouteServerClient));
    let is_free = !only_to_customers || planted(Fault::OnlyToCustomerSentUp);
    is_free || Attributes::new(block).only_to_customer().is_none()
}

/// Whether a route that goes to an eBGP peer without the mark gets one, with our AS in it.
#[must_use]
pub fn marks_leaving(ours: Option<Role>) -> bool {
    let goes_down = matches!(ours, Some(Role::Provider | Role::Peer | Role::RouteServer));
    goes_down && !planted(Fault::OnlyToCustomerNotMarked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[u8] = &[];
    /// Set by AS 7.
    const MARKED: &[u8] = &[0xc0, 35, 4, 0, 0, 0, 7];

    /// In the order of [`Role::ALL`]: provider, route server, its client, customer, peer.
    fn of_each<T>(ask: impl Fn(Option<Role>) -> T) -> [T; 5] {
        Role::ALL.map(|role| ask(Some(role)))
    }

    #[test]
    fn a_marked_route_from_a_customer_is_a_leak_and_one_from_a_peer_that_another_has_marked() {
        assert_eq!(of_each(|role| is_leak(role, Asn(7), MARKED)), [true, true, false, false, false]);
        assert_eq!(of_each(|role| is_leak(role, Asn(8), MARKED)), [true, true, false, false, true]);
        assert_eq!(of_each(|role| is_leak(role, Asn(7), NONE)), [false; 5]);
    }

    #[test]
    fn what_comes_from_above_or_beside_is_marked_and_stays_there() {
        assert_eq!(of_each(marks_coming), [false, false, true, true, true]);
        assert_eq!(of_each(|role| may_leave(role, MARKED)), [true, true, false, false, false]);
        assert_eq!(of_each(|role| may_leave(role, NONE)), [true; 5]);
        assert_eq!(of_each(marks_leaving), [true, true, false, false, true]);
    }

    #[test]
    fn without_a_role_nothing_is_asked() {
        assert!(!is_leak(None, Asn(8), MARKED) && may_leave(None, MARKED));
        assert!(!marks_coming(None) && !marks_leaving(None));
    }
}
