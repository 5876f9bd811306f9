//! UPDATEs of labels, VPNs and route targets.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::destinations::{self, FAMILIES, Parts};
use super::properties::bodies;
use super::*;
use crate::PathId;
use Treatment::{Accept, DisableFamily, TreatAsWithdraw};

/// Every family, several labels in each.
fn every_family() -> DecodeContext {
    DecodeContext {
        multiple_labels: FamilySet::ALL,
        ..DecodeContext::new(PeerKind::Internal, FamilySet::ALL)
    }
}

fn mp(code: u8, value: &[&[u8]]) -> Vec<u8> {
    let value = value.concat();
    [&[0x80, code, u8::try_from(value.len()).unwrap()], &value[..]].concat()
}

/// An MP_REACH_NLRI of VPN IPv4 with this `nlri`.
fn vpn_reach(nlri: &[u8]) -> Vec<u8> {
    let next_hop = [0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1];
    mp(14, &[&[0, 1, 128, 12], &next_hop, &[0], nlri])
}

const VPN: [u8; 14] = [104, 0, 6, 0x41, 0, 0, 0xfc, 0, 0, 0, 0, 7, 10, 1];

#[test]
fn an_update_of_a_vpn_is_read_with_its_next_hop() {
    let update = body(&[], &[&vpn_reach(&VPN), ORIGIN, AS_PATH], &[]);
    let view = UpdateView::parse(&update, &every_family()).unwrap();
    let reach = view.mp_reach().unwrap();
    assert_eq!((reach.family, reach.next_hop.to_string()), (Family::IPV4_VPN, "10.0.0.1".to_owned()));
    let shown: Vec<_> = reach.destinations().map(|(_, destination)| destination.to_string()).collect();
    assert_eq!(shown, ["64512:7:10.1.0.0/16 label 100"]);
    let outcome = receive(&update, &every_family());
    assert_eq!((outcome.treatment, outcome.block), (Accept, [ORIGIN, AS_PATH].concat()));
}

#[test]
fn how_many_labels_there_are_is_what_was_agreed() {
    let two = [64, 0, 6, 0x40, 0, 12, 0x81, 10, 1];
    let reach = mp(14, &[&[0, 1, 4, 4, 10, 0, 0, 1, 0], &two]);
    let update = body(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    let shown = |ctx: &DecodeContext| {
        let view = UpdateView::parse(&update, ctx).unwrap();
        view.mp_reach().map(|reach| reach.destinations().map(|(_, d)| d.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(shown(&every_family()), Some(vec!["10.1.0.0/16 label 100/200".to_owned()]));
    let one = DecodeContext { multiple_labels: FamilySet::EMPTY, ..every_family() };
    assert_eq!(shown(&one), None, "a prefix of 40 bits");
}

#[test]
fn a_withdrawal_is_read_without_labels() {
    let update = body(&[], &[&mp(15, &[&[0, 1, 128], &VPN])], &[]);
    let view = UpdateView::parse(&update, &every_family()).unwrap();
    let gone: Vec<_> = view.mp_unreach().unwrap().destinations().map(|(_, d)| d.to_string()).collect();
    assert_eq!(gone, ["64512:7:10.1.0.0/16"]);
}

#[test]
fn destinations_that_cannot_be_read_disable_their_family_only() {
    let too_short = NlriError::TooShort { len: 87, min: 88 };
    let too_long = NlriError::PrefixLength { len: 33, max: 32 };
    let bottomless = NlriError::NoBottomOfStack;
    let (one, none) = ([0, 6, 0x41], [0, 6, 0x40]);
    let nlri = |len: u8, label: [u8; 3]| {
        [&[len], &label[..], &[0; 32]].concat()[..1 + usize::from(len.div_ceil(8))].to_vec()
    };
    for (nlri, error) in [
        (nlri(87, one), too_short),
        (nlri(121, one), too_long),
        (nlri(104, none), bottomless),
        (VPN[..13].to_vec(), NlriError::CutOff),
    ] {
        let update = body(&[], &[ORIGIN, &vpn_reach(&nlri), AS_PATH], NLRI);
        let view = UpdateView::parse(&update, &every_family()).unwrap();
        let fault = Fault { code: 14, kind: FaultKind::Nlri(error), offset: 8, treatment: DisableFamily };
        assert_eq!((view.faults(), view.mp_reach()), (&[fault][..], None));
        assert_eq!(view.announced().count(), 1);
    }
    let unreach = mp(15, &[&[0, 1, 132], &[31, 0, 0, 0, 0]]);
    let update = body(NLRI, &[&unreach], &[]);
    let view = UpdateView::parse(&update, &every_family()).unwrap();
    let kind = FaultKind::Nlri(NlriError::TooShort { len: 31, min: 32 });
    assert_eq!(view.faults(), [Fault { code: 15, kind, offset: 7, treatment: DisableFamily }]);
}

#[test]
fn a_next_hop_that_is_none_is_treated_as_its_fault_asks_for() {
    let value = |len: u8| {
        let next_hop = vec![0; usize::from(len)];
        mp(14, &[&[0, 2, 128, len], &next_hop, &[0], &[88, 0, 6, 0x41, 0, 0, 0, 1, 0, 0, 0, 1]])
    };
    for (len, treatment) in
        [(12, DisableFamily), (16, DisableFamily), (24, TreatAsWithdraw), (48, TreatAsWithdraw)]
    {
        let outcome = receive(&body(&[], &[&value(len), ORIGIN, AS_PATH], &[]), &every_family());
        assert_eq!(outcome.treatment, treatment, "{len}");
    }
}

#[test]
fn end_of_rib_of_every_family_comes_back() {
    for (family, _) in Family::KNOWN {
        let mut out = Vec::new();
        encode::end_of_rib(&mut out, family);
        let view = UpdateView::parse(bodies(&out, 4096)[0], &every_family()).unwrap();
        assert_eq!(view.end_of_rib(), Some(family));
    }
}

fn announce(
    out: &mut Vec<u8>,
    family: Family,
    destinations: &[Destination<'_>],
) -> Result<usize, EncodeError> {
    let destinations = destinations.iter().map(|destination| (None, *destination));
    let next_hop = IpAddr::from([10, 0, 0, 1]).into();
    encode::announce_destinations(out, 4096, family, ORIGIN, next_hop, destinations)
}

#[test]
fn what_is_not_of_the_family_or_has_no_label_is_not_sent() {
    let form = NlriForm { family: Family::IPV4_VPN, add_path: false, labels: LabelForm::One };
    let vpn = Destinations::new(&VPN, form).unwrap().next().unwrap().1;
    let mut out = vec![1];
    let refused =
        |out: &mut Vec<u8>, family, destinations: &[_]| announce(out, family, destinations).unwrap_err();
    let error = refused(&mut out, Family::IPV6_VPN, &[vpn]);
    assert_eq!(error, EncodeError::WrongFamily(Family::IPV6_VPN));
    let error = refused(&mut out, Family::IPV4_VPN, &[vpn, vpn.withdrawn()]);
    assert_eq!(error, EncodeError::NoLabel(Family::IPV4_VPN));
    let error = encode::announce_destinations(&mut out, 4096, Family::IPV4_VPN, &[], NextHop::NONE, []);
    assert_eq!(error, Err(EncodeError::NoNextHop(Family::IPV4_VPN)));
    let too_long = encode::withdraw_destinations(&mut out, 40, Family::IPV4_VPN, [(None, vpn)]);
    assert_eq!(too_long, Err(EncodeError::AttributesTooLong { needed: 44, max_len: 40 }));
    let wrong = encode::withdraw_destinations(&mut out, 4096, Family::IPV4_LABELED, [(None, vpn)]);
    assert_eq!(wrong, Err(EncodeError::WrongFamily(Family::IPV4_LABELED)));
    let thousand_and_a_wrong_one = [vec![vpn; 1000], vec![vpn.withdrawn()]].concat();
    refused(&mut out, Family::IPV4_VPN, &thousand_and_a_wrong_one);
    assert_eq!(out, [1]);
    assert_eq!(announce(&mut out, Family::IPV4_VPN, &[vpn]), Ok(1));
}

fn routes() -> impl Strategy<Value = (Family, Vec<Parts>)> {
    (0..FAMILIES.len()).prop_flat_map(|at| {
        let family = FAMILIES[at];
        (Just(family), vec(destinations::parts(family), 0..600))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn routes_of_any_family_come_back_and_messages_are_full(
        (family, parts) in routes(), ids: bool, padding in 0..2000u16,
    ) {
        let ctx = DecodeContext {
            add_path: if ids { FamilySet::ALL } else { FamilySet::EMPTY },
            extended_next_hop: FamilySet::ALL,
            ..every_family()
        };
        let padding = [&[0xf0, 99][..], &padding.to_be_bytes(), &vec![7; usize::from(padding)]].concat();
        let attributes = [ORIGIN, AS_PATH, &padding].concat();
        let next_hop = NextHop::with_link_local("2001:db8::1".parse().unwrap(), "fe80::1".parse().unwrap());
        let routes: Vec<_> =
            (1..).map(|id| ids.then_some(PathId(id))).zip(parts.iter().map(Parts::build)).collect();

        let mut out = Vec::new();
        let count =
            encode::announce_destinations(&mut out, 4096, family, &attributes, next_hop, routes.clone()).unwrap();
        let messages = bodies(&out, 4096);
        prop_assert_eq!(messages.len(), count);
        let mut read = Vec::new();
        for (at, body) in messages.iter().enumerate() {
            let view = UpdateView::parse(body, &ctx).unwrap();
            prop_assert_eq!(view.treatment(), Accept);
            prop_assert_eq!(view.attributes().parts().concat(), attributes.clone());
            prop_assert_eq!(body[5], 14, "MP_REACH_NLRI comes first");
            let reach = view.mp_reach().unwrap();
            prop_assert_eq!(reach.next_hop, next_hop);
            read.extend(reach.destinations());
            let mut next = Vec::new();
            routes.get(read.len()).iter().for_each(|(id, destination)| destination.encode(&mut next, *id));
            prop_assert!(at + 1 == count || header::HEADER_LEN + body.len() + next.len() > 4096);
        }
        let expected: Vec<_> = routes.iter().map(|(id, d)| (id.unwrap_or_default(), *d)).collect();
        prop_assert_eq!(read, expected);

        out.clear();
        encode::withdraw_destinations(&mut out, 4096, family, routes.clone()).unwrap();
        let views: Vec<_> =
            bodies(&out, 4096).into_iter().map(|body| UpdateView::parse(body, &ctx).unwrap()).collect();
        let gone: Vec<_> = views.iter().flat_map(|view| view.mp_unreach().unwrap().destinations()).collect();
        let expected: Vec<_> =
            routes.iter().map(|(id, d)| (id.unwrap_or_default(), d.withdrawn())).collect();
        prop_assert_eq!(gone, expected);
    }
}
