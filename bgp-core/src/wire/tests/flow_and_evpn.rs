//! UPDATEs with flow specifications and routes of an Ethernet VPN.

use super::*;
use PeerKind::Internal;
use Treatment::{Accept, DisableFamily, TreatAsWithdraw};

/// dst 10.1.0.0/16 proto =6
const FLOW: &[u8] = &[7, 1, 16, 10, 1, 3, 0x81, 6];
/// MP_REACH_NLRI with [`FLOW`] and no next hop
const FLOW_REACH: &[u8] = &[0x80, 14, 13, 0, 1, 133, 0, 0, 7, 1, 16, 10, 1, 3, 0x81, 6];
/// MP_UNREACH_NLRI with [`FLOW`]
const FLOW_UNREACH: &[u8] = &[0x80, 15, 11, 0, 1, 133, 7, 1, 16, 10, 1, 3, 0x81, 6];
/// An inclusive multicast route of 10.0.0.1
const EVPN: &[u8] = &[3, 17, 0, 1, 10, 0, 0, 1, 0, 7, 0, 0, 0, 0, 32, 10, 0, 0, 1];

fn all_families() -> DecodeContext {
    DecodeContext::new(Internal, FamilySet::ALL)
}

fn attribute(code: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    [&[0x80, code, u8::try_from(value.len()).unwrap()], &value[..]].concat()
}

/// What the MP attributes announce and withdraw.
fn shown(update: &[u8]) -> (Vec<String>, Vec<String>) {
    let view = UpdateView::parse(update, &all_families()).unwrap();
    let announced = view.mp_reach().map(|reach| reach.destinations().map(|(_, d)| d.to_string()).collect());
    let withdrawn = view.mp_unreach().map(|gone| gone.destinations().map(|(_, d)| d.to_string()).collect());
    (announced.unwrap_or_default(), withdrawn.unwrap_or_default())
}

#[test]
fn a_flow_specification_is_announced_without_a_next_hop() {
    let update = body(&[], &[FLOW_REACH, ORIGIN, AS_PATH], &[]);
    let outcome = receive(&update, &all_families());
    assert_eq!((outcome.treatment, outcome.block), (Accept, [ORIGIN, AS_PATH].concat()));
    assert_eq!(shown(&update), (vec!["dst 10.1.0.0/16 proto =6".into()], vec![]));
    let view = UpdateView::parse(&update, &all_families()).unwrap();
    assert_eq!(view.mp_reach().unwrap().next_hop.address(), None);
}

#[test]
fn a_next_hop_of_a_flow_specification_is_ignored() {
    let reach = attribute(14, &[&[0, 1, 133, 4, 224, 0, 0, 1, 0], FLOW]);
    let update = body(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    assert_eq!(receive(&update, &all_families()).treatment, Accept);
    assert_eq!(shown(&update).0, ["dst 10.1.0.0/16 proto =6"]);
}

#[test]
fn a_flow_specification_is_withdrawn() {
    let update = body(&[], &[FLOW_UNREACH], &[]);
    assert_eq!(receive(&update, &all_families()).treatment, Accept);
    assert_eq!(shown(&update), (vec![], vec!["dst 10.1.0.0/16 proto =6".into()]));
}

#[test]
fn cve_2023_41909_a_flow_specification_without_attributes_is_treated_as_withdraw() {
    for attributes in [&[FLOW_REACH][..], &[FLOW_REACH, ORIGIN], &[FLOW_UNREACH, FLOW_REACH]] {
        let outcome = receive(&body(&[], attributes, &[]), &all_families());
        assert_eq!(outcome.treatment, TreatAsWithdraw);
        assert!(outcome.faults.iter().all(|fault| fault.kind == FaultKind::Missing), "{}", outcome.text());
    }
}

#[test]
fn a_malformed_flow_specification_disables_its_family_alone() {
    let nlri =
        [&[0][..], &[0xf0, 0], &[2, 4, 0x81], &[4, 4, 0x01, 80, 5], &[3, 14, 0x81, 1], &[9, 4, 0x81, 80]];
    for bad in nlri {
        let field = [FLOW, bad].concat();
        let reach = attribute(14, &[&[0, 1, 133, 0, 0], &field]);
        let unreach = attribute(15, &[&[0, 1, 133], &field]);
        for mp in [reach, unreach] {
            let update = body(&[], &[&mp, ORIGIN, AS_PATH, NEXT_HOP], NLRI);
            let view = UpdateView::parse(&update, &all_families()).unwrap();
            assert_eq!((view.treatment(), view.faults().len()), (DisableFamily, 1), "{bad:?}");
            assert_eq!((shown(&update), view.announced().count()), ((vec![], vec![]), 1));
        }
    }
}

#[test]
fn routes_of_an_ethernet_vpn_are_announced_and_withdrawn() {
    let reach = attribute(14, &[&[0, 25, 70, 4, 10, 0, 0, 1, 0], EVPN]);
    let update = body(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    assert_eq!(receive(&update, &all_families()).treatment, Accept);
    assert_eq!(shown(&update).0, ["[3]:[0]:[32]:[10.0.0.1] rd 10.0.0.1:7"]);
    let update = body(&[], &[&attribute(15, &[&[0, 25, 70], EVPN])], &[]);
    assert_eq!(receive(&update, &all_families()).treatment, Accept);
    assert_eq!(shown(&update).1, ["[3]:[0]:[32]:[10.0.0.1] rd 10.0.0.1:7"]);
}

#[test]
fn rfc_7606_s5_4_an_ethernet_vpn_route_of_unknown_type_harms_no_other() {
    let reach = attribute(14, &[&[0, 25, 70, 4, 10, 0, 0, 1, 0, 77, 1, 9], EVPN]);
    let update = body(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    assert_eq!(receive(&update, &all_families()).treatment, Accept);
    assert_eq!(shown(&update).0, ["[77]:[09]", "[3]:[0]:[32]:[10.0.0.1] rd 10.0.0.1:7"]);
}

#[test]
fn an_ethernet_vpn_route_of_wrong_length_disables_its_family_alone() {
    let reach = attribute(14, &[&[0, 25, 70, 4, 10, 0, 0, 1, 0], EVPN, &[1, 3, 0, 0, 0]]);
    let update = body(&[], &[&reach, ORIGIN, AS_PATH, NEXT_HOP], NLRI);
    let view = UpdateView::parse(&update, &all_families()).unwrap();
    assert_eq!((view.treatment(), view.mp_reach(), view.announced().count()), (DisableFamily, None, 1));
    let text = view.faults()[0].to_string();
    assert!(text.contains("EVPN route of type 1 with 3 octets"), "{text}");
}
