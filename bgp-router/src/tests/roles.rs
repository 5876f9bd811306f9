//! What eBGP routes have to say of themselves: who they come from, and that they are only for customers (RFC 9234).

use bgp_core::Asn;
use bgp_core::wire::capability::Role;
use bgp_core::wire::{Attributes, Capability, MessageType, PathAttribute, UpdateView};

use super::rig::*;
use crate::{PeerSettings, Refusal};

fn refused(rig: &Rig, side: usize, why: Refusal) -> u64 {
    rig.sides[side].peer.import_counters().refused[why as usize]
}

/// Peer `number` of AS 65000 + `number`, to whom we are this, and who tells that it is the other end of that.
fn related(rig: &mut Rig, number: u8, ours: Role) -> usize {
    let index = rig.add(PeerSettings { role: Some(ours), ..external(number) });
    rig.sides[index].offers = ours.counterpart().map(Capability::Role).into_iter().collect();
    rig.establish(index);
    index
}

/// 10.1.0.0/16 from peer `number`, only for the customers of `marked`.
fn route(number: u8, marked: Option<u32>) -> Vec<u8> {
    let mark: Vec<_> = marked.map(|asn| PathAttribute::OnlyToCustomer(Asn(asn))).into_iter().collect();
    let block = attributes(&[65000 + u32::from(number)], &mark);
    announce("10.1.0.0/16", [10, 0, 0, number].into(), &block)
}

/// Who marked the route that is held.
fn held(rig: &Rig) -> Option<Option<u32>> {
    let route = rig.core.rib().route(prefix("10.1.0.0/16"))?;
    let block = route.paths.first().unwrap().attrs.block().to_vec();
    Some(Attributes::new(&block).only_to_customer().map(|asn| asn.0))
}

/// Who marked the route that this peer was sent, if it was.
fn sent(rig: &Rig, side: usize) -> Option<Option<u32>> {
    let context = bgp_core::wire::DecodeContext::new(bgp_core::PeerKind::External, both());
    let messages = rig.sides[side].messages();
    let (_, body) = messages
        .iter()
        .filter(|(kind, _)| *kind == MessageType::Update)
        .rfind(|(_, body)| UpdateView::parse(body, &context).unwrap().announced().next().is_some())?;
    let view = UpdateView::parse(body, &context).unwrap();
    let mut block = Vec::new();
    let _ = view.attributes().check(&context, bgp_core::wire::BlockUse::Announce, &mut block);
    Some(Attributes::new(&block).only_to_customer().map(|asn| asn.0))
}

#[test]
fn a_path_has_to_begin_with_the_as_of_the_external_peer_if_that_is_asked_for() {
    let mut rig = Rig::new();
    let strict = rig.up(PeerSettings { enforce_first_as: true, ..external(1) });
    rig.hear(strict, &from_external(1, "10.1.0.0/16"));
    assert_eq!((rig.accepted(strict), refused(&rig, strict, Refusal::FirstAs)), (1, 0));
    let forged = announce("10.1.0.0/16", [10, 0, 0, 1].into(), &attributes(&[65002, 65001], &[]));
    rig.hear(strict, &forged);
    assert_eq!(
        (rig.accepted(strict), refused(&rig, strict, Refusal::FirstAs)),
        (0, 1),
        "it withdraws the good one"
    );

    let lax = rig.up(external(2));
    let through_a_route_server = announce("10.2.0.0/16", [10, 0, 0, 2].into(), &attributes(&[65009], &[]));
    rig.hear(lax, &through_a_route_server);
    assert_eq!(rig.accepted(lax), 1);
}

#[test]
fn what_comes_from_a_provider_is_marked_and_goes_to_customers_only() {
    let mut rig = Rig::new();
    let provider = related(&mut rig, 1, Role::Customer);
    let customer = related(&mut rig, 2, Role::Provider);
    let other_provider = related(&mut rig, 3, Role::Customer);
    let peer = related(&mut rig, 4, Role::Peer);
    let inside = rig.up(client(5));
    rig.hear(provider, &route(1, None));
    assert_eq!(held(&rig), Some(Some(65001)));
    assert_eq!(sent(&rig, customer), Some(Some(65001)), "as it was marked");
    assert_eq!((sent(&rig, other_provider), sent(&rig, peer)), (None, None));
    assert_eq!(rig.sides[inside].routes().len(), 1);
}

#[test]
fn what_we_send_to_a_customer_or_a_peer_is_marked_with_our_as() {
    let mut rig = Rig::new();
    let customers = [related(&mut rig, 1, Role::Provider), related(&mut rig, 2, Role::Provider)];
    let (peer, provider) = (related(&mut rig, 3, Role::Peer), related(&mut rig, 4, Role::Customer));
    let unrelated = rig.up(external(5));
    rig.hear(customers[0], &route(1, None));
    assert_eq!(held(&rig), Some(None));
    let ours = Some(Some(OUR_AS.0));
    assert_eq!((sent(&rig, customers[1]), sent(&rig, peer)), (ours, ours));
    assert_eq!((sent(&rig, provider), sent(&rig, unrelated)), (Some(None), Some(None)));
}

#[test]
fn a_leak_is_not_taken_and_withdraws_what_was_there() {
    let mut rig = Rig::new();
    let customer = related(&mut rig, 1, Role::Provider);
    rig.hear(customer, &route(1, None));
    assert_eq!(held(&rig), Some(None));
    rig.hear(customer, &route(1, Some(7)));
    assert_eq!((held(&rig), refused(&rig, customer, Refusal::RouteLeak)), (None, 1));

    let peer = related(&mut rig, 2, Role::Peer);
    rig.hear(peer, &route(2, Some(65002)));
    assert_eq!(held(&rig), Some(Some(65002)), "a peer may mark its own");
    rig.hear(peer, &route(2, Some(7)));
    assert_eq!((held(&rig), refused(&rig, peer, Refusal::RouteLeak)), (None, 1));
}

#[test]
fn without_a_role_the_mark_is_passed_on_and_means_nothing() {
    let mut rig = Rig::new();
    let (from, to) = (rig.up(external(1)), rig.up(external(2)));
    rig.hear(from, &route(1, Some(7)));
    assert_eq!((held(&rig), sent(&rig, to)), (Some(Some(7)), Some(Some(7))));
}
