//! Everyone who encodes, from what it keeps of a message that it decoded. The tally counts messages and octets.

use std::hint::black_box;

use bgp_core::wire::{AsPath, Attributes, SegmentKind};
use bgpkit_parser::models::{AsnLength, BgpMessage as BgpkitMessage};
use bytes::{Bytes, BytesMut};
use netgauze_bgp_pkt::BgpMessage as NetgauzeMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use rustbgpd_wire::{
    Ipv4UnicastMode, Message as RustbgpdMessage, ParsedUpdate, UpdateMessage, decode_message,
};
use zettabgp::prelude::{BgpMessage as _, BgpMessageType, BgpUpdateMessage};

use crate::decode::{OURS, bgpkit_message, netgauze_message, zettabgp_session, zettabgp_update};
use crate::measure::Contestant;
use crate::paths::{self, Stored, Tally, Typed};
use crate::workload;

pub const STORED: &str = "encode a stored block";
pub const TYPED: &str = "encode owned values";

/// Whether everyone encodes what `message` holds: something is announced, and AS_PATH has no AS_SET, which
/// rustbgpd-wire refuses (RFC 9774).
pub fn is_for_all(message: &[u8]) -> bool {
    let update = paths::stored(message, &workload::context());
    let no_set = |path: AsPath<'_>| path.segments().all(|segment| segment.kind == SegmentKind::Sequence);
    !update.announced.is_empty() && no_set(Attributes::new(&update.block).as_path())
}

/// All of them, over messages that are [for all](is_for_all).
pub fn contestants(messages: &[Bytes]) -> Vec<Contestant<'_>> {
    let mut all = ours(messages);
    all.extend([zettabgp(messages), netgauze(messages), rustbgpd(messages), bgpkit(messages)]);
    all
}

fn tally(octets: impl Iterator<Item = usize>) -> Tally {
    octets.fold(Tally::default(), |sums, octets| Tally {
        prefixes: sums.prefixes + 1,
        sum: sums.sum + octets as u64,
    })
}

fn ours(messages: &[Bytes]) -> Vec<Contestant<'_>> {
    let context = workload::context();
    let stored: Vec<Stored> = messages.iter().map(|message| paths::stored(message, &context)).collect();
    let mut out = Vec::with_capacity(4096);
    let from_stored = Contestant::new(OURS, STORED, move |_| {
        tally(stored.iter().map(|update| {
            paths::encode(&update.block, &update.announced, &mut out);
            black_box(&out).len()
        }))
    });
    let mut scratch = Vec::new();
    let typed: Vec<Typed> =
        messages.iter().map(|message| paths::typed(message, &context, &mut scratch)).collect();
    let (mut block, mut out) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    let from_typed = Contestant::new(OURS, TYPED, move |_| {
        tally(typed.iter().map(|update| {
            paths::encode_typed(update, &mut block, &mut out);
            black_box(&out).len()
        }))
    });
    vec![from_stored, from_typed]
}

fn zettabgp(messages: &[Bytes]) -> Contestant<'_> {
    const HEADER: usize = 19;
    let session = zettabgp_session();
    let updates: Vec<BgpUpdateMessage> = messages.iter().map(|m| zettabgp_update(&session, m)).collect();
    let mut out = vec![0; 8192];
    Contestant::new("zettabgp", TYPED, move |_| {
        tally(updates.iter().map(|update| {
            let len = update.encode_to(&session, &mut out[HEADER..]).expect("room");
            let len = session.prepare_message_buf(&mut out, BgpMessageType::Update, len).expect("room");
            black_box(&out);
            len
        }))
    })
}

fn netgauze(messages: &[Bytes]) -> Contestant<'_> {
    let mut context = BgpParsingContext::default();
    let updates: Vec<NetgauzeMessage> = messages.iter().map(|m| netgauze_message(&mut context, m)).collect();
    let mut out = Vec::with_capacity(4096);
    Contestant::new("netgauze-bgp-pkt", TYPED, move |_| {
        tally(updates.iter().map(|update| {
            out.clear();
            update.write(&mut out).expect("room");
            black_box(&out).len()
        }))
    })
}

fn rustbgpd(messages: &[Bytes]) -> Contestant<'_> {
    let parse = |message: &Bytes| -> ParsedUpdate {
        match decode_message(&mut message.clone(), rustbgpd_wire::MAX_MESSAGE_LEN) {
            Ok(RustbgpdMessage::Update(update)) => update.parse(true, false, &[]).expect("an UPDATE"),
            _ => panic!("an UPDATE"),
        }
    };
    let updates: Vec<ParsedUpdate> = messages.iter().map(parse).collect();
    let mut out = BytesMut::with_capacity(4096);
    Contestant::new("rustbgpd-wire", TYPED, move |_| {
        tally(updates.iter().map(|update| {
            out.clear();
            let (mode, none) = (Ipv4UnicastMode::Body, &[]);
            UpdateMessage::build(&update.announced, none, &update.attributes, true, false, mode)
                .encode(&mut out)
                .expect("room");
            black_box(&out).len()
        }))
    })
}

fn bgpkit(messages: &[Bytes]) -> Contestant<'_> {
    let updates: Vec<BgpkitMessage> = messages.iter().map(bgpkit_message).collect();
    Contestant::new("bgpkit-parser", TYPED, move |_| {
        tally(updates.iter().map(|update| black_box(update.encode(AsnLength::Bits32).expect("room")).len()))
    })
}
