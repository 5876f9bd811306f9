//! Messages built from types, on their way through a stream.

use std::collections::BTreeMap;

use super::*;
use crate::Family;

/// A message by its meaning.
#[derive(Clone, Debug, PartialEq)]
enum Message {
    Open(Open),
    Withdrawal(Vec<(PathId, <V4 as AddressFamily>::Prefix)>),
    Notification(Notification),
    Keepalive,
    RouteRefresh(RouteRefresh),
}

impl Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Open(open) => open.encode(out),
            Message::Withdrawal(routes) => {
                let routes = routes.iter().map(|(_, prefix)| (None, *prefix));
                assert_eq!(encode::withdraw::<V4>(out, header::MAX_LEN, routes), 1);
            }
            Message::Notification(notification) => notification.encode(out),
            Message::Keepalive => header::write_keepalive(out),
            Message::RouteRefresh(refresh) => refresh.encode(out),
        }
    }

    fn read(message: &Frame<'_>) -> Message {
        match message.kind {
            MessageType::Open => Message::Open(Open::parse(message.body).unwrap()),
            MessageType::Update => {
                let view = UpdateView::parse(message.body, &context(PeerKind::Internal)).unwrap();
                Message::Withdrawal(view.withdrawn().collect())
            }
            MessageType::Notification => Message::Notification(Notification::parse(message.body).unwrap()),
            MessageType::Keepalive => Message::Keepalive,
            MessageType::RouteRefresh => Message::RouteRefresh(RouteRefresh::parse(message.body).unwrap()),
        }
    }
}

fn message() -> impl Strategy<Value = Message> {
    let capability = prop_oneof![
        prop::sample::select(BOTH.to_vec()).prop_map(Capability::Multiprotocol),
        Just(Capability::RouteRefresh),
        (200..=255u8, vec(any::<u8>(), 0..=255))
            .prop_map(|(code, value)| Capability::Unknown { code, value }),
    ];
    let open = (any::<u16>(), any::<u16>(), any::<u32>(), vec(capability, 0..12)).prop_map(
        |(asn, hold_time, id, capabilities)| Open {
            asn: Asn(asn.into()),
            hold_time,
            router_id: RouterId(id),
            capabilities,
        },
    );
    let notification = (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..100))
        .prop_map(|(code, subcode, data)| Notification { code, subcode, data });
    let refresh = (any::<u16>(), any::<u8>(), any::<u8>())
        .prop_map(|(afi, safi, subtype)| RouteRefresh { family: Family { afi, safi }, subtype });
    prop_oneof![
        open.prop_map(Message::Open),
        vec(v4().prop_map(|prefix| (PathId(0), prefix)), 1..100).prop_map(Message::Withdrawal),
        notification.prop_map(Message::Notification),
        Just(Message::Keepalive),
        refresh.prop_map(Message::RouteRefresh),
    ]
}

/// Attributes of different types, but for those of MP_REACH_NLRI and MP_UNREACH_NLRI.
fn attributes() -> impl Strategy<Value = Vec<PathAttribute>> {
    vec(attribute(), 0..10).prop_map(|attributes| {
        let by_code: BTreeMap<u8, _> = attributes.into_iter().map(|a| (a.code(), a)).collect();
        let mp = [code::MP_REACH_NLRI, code::MP_UNREACH_NLRI];
        by_code.into_values().filter(|attribute| !mp.contains(&attribute.code())).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn messages_come_back_from_a_stream_however_it_is_cut(
        messages in vec(message(), 0..8), cuts in vec(1..200usize, 1..20),
    ) {
        let mut stream = Vec::new();
        messages.iter().for_each(|message| message.encode(&mut stream));
        let (mut unread, mut read) = (Vec::new(), Vec::new());
        let mut cuts = cuts.into_iter().cycle();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (arrived, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            unread.extend_from_slice(arrived);
            while let Some(message) = frame(&unread, header::MAX_LEN).unwrap() {
                read.push(Message::read(&message));
                let len = message.len;
                unread.drain(..len);
            }
            rest = later;
        }
        prop_assert!(unread.is_empty());
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn an_update_built_from_types_comes_back(attributes in attributes(), prefixes in vec(v6(), 1..50)) {
        let mut block = Vec::new();
        attributes.iter().for_each(|attribute| attribute.encode(&mut block));
        let mut out = Vec::new();
        let next_hop: Ipv6Addr = "fd00::1".parse().unwrap();
        let routes: Vec<_> = prefixes.into_iter().map(|prefix| (PathId(0), prefix)).collect();
        let sent = routes.iter().map(|(_, prefix)| (None, *prefix));
        encode::announce::<V6>(&mut out, header::MAX_EXTENDED_LEN, &block, next_hop.into(), sent).unwrap();
        let mut came = Vec::new();
        for body in bodies(&out, header::MAX_EXTENDED_LEN) {
            let view = UpdateView::parse(body, &context(PeerKind::Internal)).unwrap();
            let typed = |(_, raw)| PathAttribute::from_raw(&raw, AsWidth::Four);
            prop_assert_eq!(&view.attributes().iter().map(typed).collect::<Vec<_>>(), &attributes);
            came.extend(reach::<V6>(&view));
        }
        prop_assert_eq!(came, routes);
    }
}
