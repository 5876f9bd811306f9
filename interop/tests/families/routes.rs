//! Routes of every family, made from types, and what becomes of them at a reflector.

use crate::exact::{LABELED, Seen};
use crate::speaker::{Speaker, config};
use bgp_core::fsm::SessionConfig;
use bgp_core::wire::community::{Administrator, Color, Extended, Rate};
use bgp_core::wire::header::MAX_LEN;
use bgp_core::wire::nlri::evpn::{EthernetSegment, EvpnLabel, EvpnRoute, PrefixVia};
use bgp_core::wire::nlri::flowspec::{
    BitMatch, BitmaskField, Comparison, FlowPrefix, FlowSpec, FlowSpecBuilder, NumericField, Term,
};
use bgp_core::wire::{
    AsSegment, Community, Destination, Destinations, ExtendedCommunity, Label, LabelForm, LabeledPrefix,
    Labels, LargeCommunity, MacAddress, NextHop, NlriForm, Origin, PathAttribute, PmsiTunnel, PmsiTunnelType,
    RouteDistinguisher, RouteTargetMembership, SegmentKind, TunnelType, VpnPrefix, encode,
};
use bgp_core::{Asn, Family, FamilySet, Ipv4Prefix, Ipv6Prefix, Prefix, V4};
use interop::{Error, Net, Node, Peer, Result, ensure};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One route to announce.
pub(crate) struct Route {
    family: Family,
    next_hop: NextHop,
    attributes: Vec<PathAttribute>,
    /// The destination on the wire.
    octets: Vec<u8>,
}

const RD: RouteDistinguisher = RouteDistinguisher([0, 1, 10, 0, 0, 1, 0, 7]);
const MAC: MacAddress = MacAddress([0, 0, 0x5e, 0, 0x53, 1]);

/// What all routes have.
fn common() -> Vec<PathAttribute> {
    vec![
        PathAttribute::Origin(Origin::Igp),
        PathAttribute::AsPath(vec![AsSegment {
            kind: SegmentKind::Sequence,
            asns: vec![Asn(65001), Asn(4_200_000_001)],
        }]),
        PathAttribute::MultiExitDisc(5),
        PathAttribute::LocalPref(200),
        PathAttribute::Communities(vec![Community(64512 << 16 | 9)]),
        PathAttribute::LargeCommunities(vec![LargeCommunity { global: 64512, local1: 1, local2: 2 }]),
    ]
}

/// The same with these extended communities, in the order of their octets: BIRD and FRR sort them.
fn with(communities: &[Extended]) -> Vec<PathAttribute> {
    let mut list: Vec<_> = communities.iter().copied().map(ExtendedCommunity::from).collect();
    list.sort();
    [common(), vec![PathAttribute::ExtendedCommunities(list)]].concat()
}

const TARGETS: [Extended; 2] = [
    Extended::RouteTarget(Administrator::TwoOctetAs(64512, 7)),
    Extended::RouteTarget(Administrator::FourOctetAs(70000, 7)),
];
const VXLAN: Extended = Extended::Encapsulation(TunnelType::VXLAN);
const ACTIONS: [Extended; 4] = [
    Extended::TrafficRateBytes(64512, Rate(0x447a_0000)),
    Extended::TrafficAction { sample: true, terminal: false },
    Extended::Redirect(Administrator::TwoOctetAs(64512, 7)),
    Extended::TrafficMarking(46),
];

/// Routes so far, and the addresses of the node that announces them.
struct Build {
    v4: IpAddr,
    v6: IpAddr,
    routes: Vec<Route>,
}

#[allow(clippy::unwrap_used, reason = "all values are constants")]
impl Build {
    fn add(
        &mut self,
        family: Family,
        next_hop: IpAddr,
        attributes: Vec<PathAttribute>,
        destination: Destination<'_>,
    ) {
        let mut octets = Vec::new();
        destination.encode(&mut octets, None);
        self.routes.push(Route { family, next_hop: next_hop.into(), attributes, octets });
    }

    fn unicast(&mut self) {
        let color = [Extended::Color(Color { flags: 0, color: 5 }), TARGETS[0]];
        self.add(
            Family::IPV4_UNICAST,
            self.v4,
            with(&color),
            Destination::Prefix("10.1.0.0/16".parse().unwrap()),
        );
        self.add(
            Family::IPV6_UNICAST,
            self.v6,
            with(&color),
            Destination::Prefix("fd00:1::/48".parse().unwrap()),
        );
    }

    fn labeled(&mut self) {
        let stack = [Label::new(100).unwrap().to_octets()];
        for (family, next_hop, prefix) in
            [(Family::IPV4_LABELED, self.v4, "10.2.0.0/17"), (Family::IPV6_LABELED, self.v6, "fd00:2::/47")]
        {
            let labeled = LabeledPrefix::new(Labels::new(&stack), prefix.parse().unwrap()).unwrap();
            self.add(family, next_hop, common(), Destination::Labeled(labeled));
        }
    }

    fn vpn(&mut self) {
        let stack = [Label::new(0xf_fffe).unwrap().to_octets()];
        for (family, next_hop, prefix) in
            [(Family::IPV4_VPN, self.v4, "10.3.0.0/18"), (Family::IPV6_VPN, self.v6, "fd00:3::/46")]
        {
            let vpn = VpnPrefix::new(RD, Labels::new(&stack), prefix.parse().unwrap()).unwrap();
            self.add(family, next_hop, with(&TARGETS), Destination::Vpn(vpn));
        }
    }

    fn route_target(&mut self) {
        let target = RouteTargetMembership::new(Asn(64512), TARGETS[0].into(), 96).unwrap();
        self.add(Family::ROUTE_TARGET, self.v4, common(), Destination::RouteTarget(target));
    }

    fn flowspec(&mut self, families: [Family; 2]) {
        let [v4, v6] = families;
        let ports = [
            Term::new(Comparison::GreaterOrEqual, 80),
            Term::and(Comparison::LessOrEqual, 90),
            Term::new(Comparison::Equal, 8080),
        ];
        let flags = [Term::new(BitMatch::All, 0x02), Term::and(BitMatch::NotAny, 0x10)];
        let rule = |family| {
            FlowSpecBuilder::new(family)
                .distinguisher(RD)
                .numeric(NumericField::Protocol, &[Term::new(Comparison::Equal, 6)])
                .numeric(NumericField::DestinationPort, &ports)
                .bitmask(BitmaskField::TcpFlags, &flags)
        };
        let middle = FlowPrefix::with_offset(Ipv6Addr::new(0, 0, 0, 4, 5, 0, 0, 0), 48, 80).unwrap();
        let value4 = rule(v4).destination("10.4.0.0/16".parse::<Prefix>().unwrap()).build().unwrap();
        let value6 = rule(v6).destination("fd00:4::/32".parse::<Prefix>().unwrap()).build().unwrap();
        let within = rule(v6).destination(middle).build().unwrap();
        for (family, value) in [(v4, value4), (v6, value6), (v6, within)] {
            let flow = Destination::FlowSpec(FlowSpec::new(family, &value).unwrap());
            self.add(family, self.v4, with(&[&ACTIONS[..], &TARGETS[..1]].concat()), flow);
        }
        self.routes
            .iter_mut()
            .filter(|route| families.contains(&route.family))
            .for_each(|r| r.next_hop = NextHop::NONE);
    }

    fn evpn(&mut self) {
        let segment = EthernetSegment([3, 0, 0, 0x5e, 0, 0x53, 1, 0, 0, 10]);
        let (distinguisher, tag, label) = (RD, 0, EvpnLabel([0, 0, 100]));
        let none = EthernetSegment::default();
        let bridged = with(&[&TARGETS[..], &[VXLAN]].concat());
        let routed = with(&[&TARGETS[..], &[VXLAN, Extended::RouterMac(MAC)]].concat());
        let moved =
            with(&[&TARGETS[..], &[VXLAN, Extended::MacMobility { sticky: true, sequence: 3 }]].concat());
        let per_segment =
            with(&[&TARGETS[..], &[Extended::EsiLabel { single_active: true, label: 1600 }]].concat());
        let election = with(&[Extended::EsImport(MAC)]);
        // FRR puts the next hop there, whatever it was.
        let pmsi = PathAttribute::PmsiTunnel(PmsiTunnel {
            flags: 0,
            kind: PmsiTunnelType::INGRESS_REPLICATION,
            label: 100,
            identifier: match self.v4 {
                IpAddr::V4(address) => address.octets().to_vec().into(),
                IpAddr::V6(address) => address.octets().to_vec().into(),
            },
        });
        let originator = IpAddr::from([10, 0, 0, 1]);
        let v4 = PrefixVia::V4(Ipv4Prefix::new([10, 5, 0, 0].into(), 16).unwrap(), Ipv4Addr::UNSPECIFIED);
        let v6 = PrefixVia::V6(
            Ipv6Prefix::new(Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 0), 48).unwrap(),
            Ipv6Addr::UNSPECIFIED,
        );
        let mac = |address| EvpnRoute::MacIp {
            distinguisher,
            segment: none,
            tag,
            mac: MAC,
            address,
            label,
            second_label: None,
        };
        for (attributes, route) in [
            (
                per_segment,
                EvpnRoute::AutoDiscovery {
                    distinguisher,
                    segment,
                    tag: u32::MAX,
                    label: EvpnLabel::default(),
                },
            ),
            (moved, mac(None)),
            (bridged.clone(), mac(Some(originator))),
            (bridged.clone(), mac(Some("fd00::9".parse().unwrap()))),
            ([bridged, vec![pmsi]].concat(), EvpnRoute::Multicast { distinguisher, tag, originator }),
            (election, EvpnRoute::Segment { distinguisher, segment, originator }),
            (routed.clone(), EvpnRoute::IpPrefix { distinguisher, segment: none, tag, prefix: v4, label }),
            (routed, EvpnRoute::IpPrefix { distinguisher, segment: none, tag, prefix: v6, label }),
        ] {
            self.add(Family::EVPN, self.v4, attributes, Destination::Evpn(route));
        }
    }
}

/// Routes of these families, some of each, by way of the node.
pub(crate) fn of(families: FamilySet, node: &Node) -> Vec<Route> {
    let mut build = Build { v4: node.v4(), v6: node.v6(), routes: Vec::new() };
    build.unicast();
    build.labeled();
    build.vpn();
    build.route_target();
    build.flowspec([Family::IPV4_FLOWSPEC, Family::IPV6_FLOWSPEC]);
    build.flowspec([Family::IPV4_VPN_FLOWSPEC, Family::IPV6_VPN_FLOWSPEC]);
    build.evpn();
    build.routes.retain(|route| families.contains(route.family));
    build.routes
}

impl Route {
    fn destinations(&self) -> Result<Destinations<'_>> {
        let form = NlriForm { family: self.family, add_path: false, labels: LabelForm::One };
        Destinations::new(&self.octets, form).map_err(|error| Error::NotSo(error.to_string()))
    }

    fn text(&self) -> Result<String> {
        Ok(self.destinations()?.map(|(_, destination)| destination.to_string()).collect())
    }

    /// The UPDATE that announces it. FRR loses the next hop of IPv4 unicast in MP_REACH_NLRI, so that has its own fields.
    fn announce(&self) -> Result<Vec<u8>> {
        let mut attributes = Vec::new();
        self.attributes.iter().for_each(|attribute| attribute.encode(&mut attributes));
        let routes = self.destinations()?.map(|(_, destination)| (None, destination));
        let mut out = Vec::new();
        match (self.family, self.next_hop.address()) {
            (Family::IPV4_UNICAST, Some(IpAddr::V4(address))) => {
                PathAttribute::NextHop(address).encode(&mut attributes);
                let prefixes = routes.filter_map(|(id, destination)| match destination {
                    Destination::Prefix(Prefix::V4(prefix)) => Some((id, prefix)),
                    _ => None,
                });
                encode::announce::<V4>(&mut out, MAX_LEN, &attributes, address.into(), prefixes)
            }
            _ => encode::announce_destinations(
                &mut out,
                MAX_LEN,
                self.family,
                &attributes,
                self.next_hop,
                routes,
            ),
        }
        .map_err(|error| Error::NotSo(error.to_string()))?;
        Ok(out)
    }

    /// The UPDATE that withdraws it.
    fn withdraw(&self) -> Result<Vec<u8>> {
        let routes = self.destinations()?.map(|(_, destination)| (None, destination));
        let mut out = Vec::new();
        encode::withdraw_destinations(&mut out, MAX_LEN, self.family, routes)
            .map_err(|error| Error::NotSo(error.to_string()))?;
        Ok(out)
    }

    /// Whether this is what `seen` became of on its way through a reflector, which adds just its own two attributes.
    fn is(&self, seen: &Seen) -> bool {
        let added =
            |a: &&PathAttribute| matches!(a, PathAttribute::OriginatorId(_) | PathAttribute::ClusterList(_));
        let kept: Vec<_> = seen.attributes.iter().filter(|attribute| !added(attribute)).collect();
        let added = seen.attributes.len() - kept.len();
        let attributes =
            kept.len() == self.attributes.len() && kept.iter().all(|a| self.attributes.contains(a));
        // RFC 4684 section 3.2: a reflector puts itself there, since it is the one that wants the targets.
        let own_next_hop = self.family == Family::ROUTE_TARGET;
        let same = seen.family == self.family && (own_next_hop || seen.next_hop == self.next_hop);
        same && attributes
            && added == 2
            && without_reserved(&self.octets, self.family) == without_reserved(&seen.octets, seen.family)
    }
}

/// The destination, the reserved bits of its label clear: they mean nothing (RFC 8277 section 2.2).
fn without_reserved(octets: &[u8], family: Family) -> Vec<u8> {
    let mut octets = octets.to_vec();
    if let (true, Some(last)) = (LABELED.contains(&family), octets.get_mut(3)) {
        *last &= 0xf1;
    }
    octets
}

/// BIRD and GoBGP withdraw labeled routes with a label, which RFC 8277 section 2.4 has ignored.
pub(crate) const LABELS_WITHDRAWN: [&str; 4] = [
    "ipv4-labeled withdrawn: with a label",
    "ipv4-vpn withdrawn: with a label",
    "ipv6-labeled withdrawn: with a label",
    "ipv6-vpn withdrawn: with a label",
];

/// Takes routes of `families` through a reflector, which is started with the nodes of two speakers of ours: one of them
/// announces and withdraws, the other must see just the same. `shown` are commands for the reflector and what must be
/// in their output, `unknown` parts of destinations that it does not take. Returns how the octets of the reflector
/// differ from those that we write.
pub(crate) fn reflected(
    families: FamilySet,
    start: impl FnOnce(&Node, [&Node; 2]) -> Result<Box<dyn Peer>>,
    shown: &[(&str, &[&str])],
    unknown: &[&str],
) -> Result<Vec<String>> {
    let net = Net::new()?;
    let (middle, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let mut reflector = start(&middle, [&a, &b])?;
    let session =
        |node: &Node| Speaker::connect(node, middle.v4(), SessionConfig { families, ..config(node) });
    let (mut from, mut to) = (session(&a), session(&b));
    assert_eq!(from.established(&net)?.families, families);
    to.established(&net)?;
    let mut routes = of(families, &a);
    routes.retain(|route| !unknown.iter().any(|text| route.text().is_ok_and(|own| own.contains(text))));
    for route in &routes {
        from.send(&route.announce()?)?;
    }
    for (command, texts) in shown {
        let words: Vec<&str> = command.split(' ').collect();
        net.eventually(command, || {
            let output = reflector.command(&words)?;
            let missing: Vec<_> = texts.iter().filter(|text| !output.contains(**text)).collect();
            ensure(missing.is_empty(), || format!("missing: {missing:?} in\n{output}"))
        })?;
    }
    let seen = to.routes(&net, |seen| seen.len() == routes.len())?;
    for route in &routes {
        let lines: Vec<_> = seen.iter().filter(|seen| seen.family == route.family).map(|s| &s.line).collect();
        let (text, attributes) = (route.text()?, &route.attributes);
        assert!(seen.iter().any(|seen| route.is(seen)), "{text} with {attributes:?} is none of {lines:#?}");
    }
    for route in &routes {
        from.send(&route.withdraw()?)?;
    }
    to.routes(&net, <[Seen]>::is_empty)?;
    let mut forms: Vec<String> = to.forms().into_iter().map(str::to_owned).collect();
    if seen.iter().any(|seen| without_reserved(&seen.octets, seen.family) != seen.octets) {
        forms.push("a label: reserved bits set".to_owned());
    }
    Ok(forms)
}
