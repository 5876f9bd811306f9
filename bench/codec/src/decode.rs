//! Everyone who decodes, each the way its documentation shows. Names say whose it is, `work` what is done.

use std::hint::black_box;

use bgp_rib::Attrs;
use bgpkit_parser::models::{AsnLength, BgpMessage as BgpkitMessage};
use bytes::Bytes;
use netgauze_bgp_pkt::BgpMessage as NetgauzeMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use routecore::bgp::message::{SessionConfig, UpdateMessage};
use routecore::bgp::nlri::afisafi::{IsPrefix, Nlri};
use rustbgpd_wire::{Message as RustbgpdMessage, decode_message};
use zettabgp::prelude::{BgpAddrs, BgpMessage as _, BgpSessionParams, BgpTransportMode, BgpUpdateMessage};

use crate::intern::Decoder;
use crate::measure::Contestant;
use crate::paths::{self, Tally};
use crate::workload;

pub const OURS: &str = "bgp-core";
pub const VIEW: &str = "validated view";
pub const READ: &str = "validated view, read";
pub const WARM: &str = "full, sets known";
pub const COLD: &str = "full, sets new";
pub const FREED: &str = "full, sets new, freed";
pub const TYPED: &str = "owned values";
/// The work of the crates that hand out owned values, which is all of a decoder's.
pub const FULL: &str = "full";

/// All of them, over `messages`.
pub fn contestants(messages: &[Bytes]) -> Vec<Contestant<'_>> {
    let mut all = ours(messages);
    let lazy = Contestant::new("routecore", VIEW, move |_| routecore_view(messages));
    all.push(Contestant { reads_all: false, ..lazy });
    all.push(Contestant::new("routecore", FULL, move |_| routecore(messages)));
    all.push(Contestant::new("zettabgp", FULL, move |_| zettabgp(messages)));
    all.push(Contestant::new("netgauze-bgp-pkt", FULL, move |_| netgauze(messages)));
    all.push(Contestant::new("rustbgpd-wire", FULL, move |_| rustbgpd(messages)));
    all.push(Contestant::new("bgpkit-parser", FULL, move |_| bgpkit(messages)));
    all
}

fn ours(messages: &[Bytes]) -> Vec<Contestant<'_>> {
    let context = workload::context();
    let mut scratch = Vec::with_capacity(4096);
    let view = Contestant::new(OURS, VIEW, move |_| {
        for message in messages {
            black_box(paths::validate(message, &context, &mut scratch));
        }
        Tally::default()
    });
    let view = Contestant { reads_all: false, ..view };
    let mut scratch = Vec::with_capacity(4096);
    let read = Contestant::new(OURS, READ, move |_| {
        let mut tally = Tally::default();
        messages.iter().for_each(|message| paths::view(message, &context, &mut scratch, &mut tally));
        tally
    });

    let mut decoder = Decoder::new(context);
    let held = decode_all(&mut decoder, messages).0;
    let warm = Contestant::new(OURS, WARM, move |_| {
        let mut tally = Tally::default();
        for message in messages {
            black_box(decoder.decode(message, &mut tally));
        }
        black_box(&held);
        tally
    });
    let cold = Contestant::new(OURS, COLD, move |freed_later| {
        let (held, tally) = decode_all(&mut Decoder::new(context), messages);
        *freed_later = held;
        tally
    });
    let freed = Contestant::new(OURS, FREED, move |_| decode_all(&mut Decoder::new(context), messages).1);

    let mut scratch = Vec::with_capacity(4096);
    let typed = Contestant::new(OURS, TYPED, move |_| {
        let mut tally = Tally::default();
        for message in messages {
            let update = black_box(paths::typed(message, &context, &mut scratch));
            for prefix in update.withdrawn.iter().chain(&update.announced) {
                tally.prefix(u32::from(prefix.address()), prefix.len());
            }
        }
        tally
    });
    vec![view, read, warm, cold, freed, typed]
}

fn decode_all(decoder: &mut Decoder, messages: &[Bytes]) -> (Vec<Attrs>, Tally) {
    let mut tally = Tally::default();
    let held = messages.iter().filter_map(|message| decoder.decode(message, &mut tally)).collect();
    (held, tally)
}

fn routecore_view(messages: &[Bytes]) -> Tally {
    let config = SessionConfig::modern();
    for message in messages {
        black_box(UpdateMessage::from_octets(&message[..], &config).expect("an UPDATE"));
    }
    Tally::default()
}

fn routecore(messages: &[Bytes]) -> Tally {
    let config = SessionConfig::modern();
    let mut tally = Tally::default();
    for message in messages {
        let update = UpdateMessage::from_octets(&message[..], &config).expect("an UPDATE");
        let attributes = update.path_attributes().expect("attributes");
        let attributes: Vec<_> = attributes.map(|a| a.expect("an attribute").to_owned()).collect();
        let (withdrawn, announced) = (update.withdrawals_vec(), update.announcements_vec());
        for nlri in withdrawn.iter().chain(&announced).flatten() {
            if let Nlri::Ipv4Unicast(unicast) = nlri {
                let prefix = unicast.prefix();
                if let std::net::IpAddr::V4(address) = prefix.addr() {
                    tally.prefix(u32::from(address), prefix.len());
                }
            }
        }
        let _ = black_box((attributes, withdrawn, announced));
    }
    tally
}

/// Without guessing at path identifiers, which it does unless told otherwise.
pub fn zettabgp_session() -> BgpSessionParams {
    let router = std::net::Ipv4Addr::new(10, 0, 0, 1);
    let session = BgpSessionParams::new(64512, 180, BgpTransportMode::IPv4, router, Vec::new());
    BgpSessionParams { fuzzy_pathid: false, ..session }
}

pub fn zettabgp_update(session: &BgpSessionParams, message: &[u8]) -> BgpUpdateMessage {
    let (_, len) = session.decode_message_head(message).expect("a header");
    let mut update = BgpUpdateMessage::new();
    update.decode_from(session, &message[19..19 + len]).expect("an UPDATE");
    update
}

fn zettabgp(messages: &[Bytes]) -> Tally {
    let session = zettabgp_session();
    let mut tally = Tally::default();
    for message in messages {
        let update = black_box(zettabgp_update(&session, message));
        for list in [&update.withdraws, &update.updates] {
            if let BgpAddrs::IPV4U(prefixes) = list {
                prefixes.iter().for_each(|p| tally.prefix(u32::from(p.addr), p.prefixlen));
            }
        }
    }
    tally
}

pub fn netgauze_message(context: &mut BgpParsingContext, message: &[u8]) -> NetgauzeMessage {
    NetgauzeMessage::parse(&mut SliceReader::new(message), context).expect("an UPDATE")
}

fn netgauze(messages: &[Bytes]) -> Tally {
    let mut context = BgpParsingContext::default();
    let mut tally = Tally::default();
    for message in messages {
        let message = black_box(netgauze_message(&mut context, message));
        if let NetgauzeMessage::Update(update) = message {
            for address in update.withdraw_routes().iter().chain(update.nlri()) {
                let net = address.network().address();
                tally.prefix(u32::from(net.addr()), net.prefix_len());
            }
        }
    }
    tally
}

fn rustbgpd(messages: &[Bytes]) -> Tally {
    let mut tally = Tally::default();
    for message in messages {
        let decoded = decode_message(&mut message.clone(), rustbgpd_wire::MAX_MESSAGE_LEN);
        if let Ok(RustbgpdMessage::Update(update)) = decoded {
            let parsed = update.parse_revised(true, true, false, &[]).expect("an UPDATE");
            let parsed = black_box(parsed).update;
            for entry in parsed.withdrawn.iter().chain(&parsed.announced) {
                tally.prefix(u32::from(entry.prefix.addr), entry.prefix.len);
            }
        }
    }
    tally
}

pub fn bgpkit_message(message: &Bytes) -> BgpkitMessage {
    let parsed =
        bgpkit_parser::parser::bgp::parse_bgp_message(&mut message.clone(), false, &AsnLength::Bits32);
    parsed.expect("an UPDATE")
}

fn bgpkit(messages: &[Bytes]) -> Tally {
    let mut tally = Tally::default();
    for message in messages {
        if let BgpkitMessage::Update(update) = black_box(bgpkit_message(message)) {
            for network in update.withdrawn_prefixes.iter().chain(&update.announced_prefixes) {
                if let std::net::IpAddr::V4(address) = network.prefix.addr() {
                    tally.prefix(u32::from(address), network.prefix.prefix_len());
                }
            }
        }
    }
    tally
}
