//! Any value of the attributes that are made of elements, and what holds for the octets of any attribute.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::Asn;
use crate::wire::community::Color;

fn octets(len: usize) -> impl Strategy<Value = Cow<'static, [u8]>> {
    vec(any::<u8>(), 0..len).prop_map(Cow::Owned)
}

fn sub_tlv(tunnel: TunnelType) -> BoxedStrategy<TunnelSubTlv<'static>> {
    let color = any::<(u16, u32)>().prop_map(|(flags, color)| TunnelSubTlv::Color(Color { flags, color }));
    let vni = (option::of(0..1u32 << 24), option::of(any::<[u8; 6]>().prop_map(MacAddress)))
        .prop_map(|(vni, mac)| TunnelSubTlv::Vxlan { vni, mac });
    let other = (prop_oneof![9..127u8, 128..=255u8], octets(40))
        .prop_map(|(kind, value)| TunnelSubTlv::Other { kind, value });
    let common = prop_oneof![
        color,
        option::of(any::<std::net::IpAddr>()).prop_map(TunnelSubTlv::EgressEndpoint),
        any::<u16>().prop_map(TunnelSubTlv::UdpDestinationPort),
        other,
    ];
    match tunnel {
        TunnelType::VXLAN | TunnelType::NVGRE => prop_oneof![vni, common].boxed(),
        TunnelType::GRE => prop_oneof![any::<u32>().prop_map(TunnelSubTlv::GreKey), common].boxed(),
        _ => common.boxed(),
    }
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    (0..20u16)
        .prop_map(TunnelType)
        .prop_flat_map(|kind| vec(sub_tlv(kind), 0..5).prop_map(move |sub_tlvs| Tunnel { kind, sub_tlvs }))
}

fn aigp() -> impl Strategy<Value = AigpTlv<'static>> {
    let other = (2..=255u8, octets(20)).prop_map(|(kind, value)| AigpTlv::Other { kind, value });
    prop_oneof![any::<u64>().prop_map(AigpTlv::Metric), other]
}

fn prefix_sid() -> impl Strategy<Value = PrefixSidTlv<'static>> {
    let ranges = vec(any::<[u8; 6]>(), 1..4).prop_map(Cow::Owned);
    // The reserved octet, then one sub-TLV.
    let service = vec(any::<u8>(), 0..20)
        .prop_map(|value| Cow::Owned([&[0, 1, 0, u8::try_from(value.len()).unwrap()], &value[..]].concat()));
    prop_oneof![
        any::<(u16, u32)>().prop_map(|(flags, index)| PrefixSidTlv::LabelIndex { flags, index }),
        (any::<u16>(), ranges).prop_map(|(flags, ranges)| PrefixSidTlv::OriginatorSrgb { flags, ranges }),
        service.clone().prop_map(PrefixSidTlv::Srv6L3Service),
        service.prop_map(PrefixSidTlv::Srv6L2Service),
        (7..=255u8, octets(20)).prop_map(|(kind, value)| PrefixSidTlv::Other { kind, value }),
    ]
}

fn pmsi_tunnel() -> impl Strategy<Value = PmsiTunnel<'static>> {
    (any::<u8>(), 0..12u8, 0..1u32 << 24, octets(40)).prop_map(|(flags, kind, label, identifier)| {
        PmsiTunnel { flags, kind: PmsiTunnelType(kind), label, identifier }
    })
}

/// Attributes that are made of elements, and the others that came after RFC 8092.
pub(super) fn compound() -> impl Strategy<Value = PathAttribute> {
    prop_oneof![
        vec(tunnel(), 0..4).prop_map(PathAttribute::TunnelEncapsulation),
        vec(aigp(), 0..4).prop_map(PathAttribute::Aigp),
        vec(prefix_sid(), 0..4).prop_map(PathAttribute::PrefixSid),
        pmsi_tunnel().prop_map(PathAttribute::PmsiTunnel),
        any::<u32>().prop_map(|asn| PathAttribute::OnlyToCustomer(Asn(asn))),
        vec(any::<[u8; 20]>().prop_map(Ipv6ExtendedCommunity), 0..9)
            .prop_map(PathAttribute::Ipv6ExtendedCommunities),
    ]
}

/// Everything that is shown of an attribute.
fn shown(attribute: &PathAttribute) -> String {
    fn all<T: ToString>(list: &[T]) -> String {
        list.iter().map(T::to_string).collect()
    }
    match attribute {
        PathAttribute::TunnelEncapsulation(tunnels) => all(tunnels),
        PathAttribute::Aigp(tlvs) => all(tlvs),
        PathAttribute::PrefixSid(tlvs) => all(tlvs),
        PathAttribute::PmsiTunnel(tunnel) => tunnel.to_string(),
        PathAttribute::Communities(list) => all(list),
        PathAttribute::ExtendedCommunities(list) => all(list),
        PathAttribute::Ipv6ExtendedCommunities(list) => all(list),
        PathAttribute::LargeCommunities(list) => all(list),
        _ => String::new(),
    }
}

/// Codes that are known, with values that often are made of short elements.
fn rough_value() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let codes: Vec<u8> = attribute_rules().map(|rule| rule.code).collect();
    let compound = compound().prop_map(|attribute| {
        let mut out = Vec::new();
        attribute.encode(&mut out);
        Attributes::new(&out).iter().next().unwrap().value.to_vec()
    });
    let changed = (compound, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut value, at, octet)| {
        if !value.is_empty() {
            let at = at.index(value.len());
            value[at] = octet;
        }
        value
    });
    let value = prop_oneof![vec(any::<u8>(), 0..60), vec(0..12u8, 0..60), changed];
    (prop::sample::select(codes), value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_octets_of_a_typed_value_come_back_as_they_were((code, mut value) in rough_value()) {
        if let (code::MP_REACH_NLRI, Some(reserved)) = (code, value.get(3).map(|len| 4 + usize::from(*len))) {
            value.get_mut(reserved).into_iter().for_each(|octet| *octet = 0);
        }
        let raw = RawAttribute { flags: 0xc0, code, value: &value, whole: &[] };
        let typed = PathAttribute::from_raw(&raw, AsWidth::Four);
        let _ = shown(&typed);
        let mut again = Vec::new();
        typed.encode(&mut again);
        prop_assert_eq!(Attributes::new(&again).get(code).unwrap().value, &value[..]);
    }

    #[test]
    fn a_view_of_unchecked_octets_ends((_, value) in rough_value()) {
        for code in [code::TUNNEL_ENCAPSULATION, code::AIGP, code::PREFIX_SID, code::PMSI_TUNNEL, code::IPV6_EXTENDED_COMMUNITIES] {
            let mut block = vec![0xd0, code];
            block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            block.extend(&value);
            let attributes = Attributes::new(&block);
            let tunnels = attributes.tunnel_encapsulation().into_iter().flat_map(|view| view.tunnels().collect::<Vec<_>>());
            let sub_tlvs: usize = tunnels.map(|tunnel| tunnel.sub_tlvs().count()).sum();
            let tlvs = attributes.aigp().map_or(0, |view| view.tlvs().count());
            let sids = attributes.prefix_sid().map_or(0, |view| view.tlvs().count());
            prop_assert!(sub_tlvs.max(tlvs).max(sids) <= value.len());
            let _ = (attributes.aigp().and_then(|view| view.metric()), attributes.pmsi_tunnel(), attributes.ipv6_extended_communities().count());
        }
    }

    #[test]
    fn a_well_formed_compound_attribute_is_accepted(attribute in compound()) {
        let mut octets = Vec::new();
        attribute.encode(&mut octets);
        let raw = Attributes::new(&octets).iter().next().unwrap();
        // No value is malformed (RFC 7606 section 4), and so are most lengths of a tunnel identifier.
        if !raw.value.is_empty() && raw.code != code::PMSI_TUNNEL {
            let update = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &octets], NLRI);
            let outcome = receive(&update, &context(PeerKind::Internal));
            prop_assert_eq!(outcome.treatment, Treatment::Accept, "{}", outcome.text());
        }
    }
}
