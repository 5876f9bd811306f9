//! `bgp-core` alone: reads what a peer sent, octet for octet, and prints the routes of every UPDATE in it.
//!
//! ```text
//! cargo run -p examples --example decode_update < captured.bin     # one direction of a session, without TCP
//! cargo run -p examples --example decode_update                    # an input of its own, if there is none
//! ```
//!
//! This is all that a program needs to read routes: cut the stream into messages, read the session's options from the
//! OPEN, and take the two steps of an UPDATE.

use std::io::{IsTerminal, Read};

use bgp_core::describe::DescribeContext;
use bgp_core::wire::header::MAX_EXTENDED_LEN;
use bgp_core::wire::{
    Attributes, BlockUse, Community, DecodeContext, Frame, MessageType, Open, Origin, PathAttribute,
    Treatment, UpdateView, encode, frame,
};
use bgp_core::{Family, FamilySet, Ipv4Prefix, PeerKind, V4};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let mut stream = Vec::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_end(&mut stream)?;
    }
    if stream.is_empty() {
        stream = sample()?;
    }
    // What the OPENs say is not known before one is read; until then: all families, four-octet AS numbers.
    let mut ctx = DecodeContext::new(PeerKind::Internal, FamilySet::ALL);
    let mut rest = &stream[..];
    while let Some(message) = frame(rest, MAX_EXTENDED_LEN)? {
        read(&message, &mut ctx)?;
        rest = rest.get(message.len..).unwrap_or_default();
    }
    if !rest.is_empty() {
        println!("{} octets are left of a message that is cut off", rest.len());
    }
    Ok(())
}

fn read(message: &Frame<'_>, ctx: &mut DecodeContext) -> Result<(), Error> {
    match message.kind {
        MessageType::Open => {
            let open = Open::parse(message.body)?;
            let session = DescribeContext { decode: *ctx, max_len: MAX_EXTENDED_LEN };
            *ctx = session.with_open(&open).decode;
            println!("OPEN of AS {} {}", open.asn, open.router_id);
        }
        MessageType::Update => update(message.body, ctx)?,
        other => println!("{other}"),
    }
    Ok(())
}

fn update(body: &[u8], ctx: &DecodeContext) -> Result<(), Error> {
    // Step 1: where everything is. An error would end the session.
    let update = UpdateView::parse(body, ctx)?;
    if let Some(family) = update.end_of_rib() {
        println!("all routes of {family} were sent");
    }
    for (_, prefix) in update.withdrawn() {
        println!("- {prefix}");
    }
    for (_, destination) in update.mp_unreach().into_iter().flat_map(|unreach| unreach.destinations()) {
        println!("- {destination}");
    }
    // Step 2: the attributes, once for each use that is made of them.
    let next_hop = update.next_hop().map_or_else(String::new, |address| address.to_string());
    let announced = update.announced().map(|(_, prefix)| prefix.to_string());
    routes(&update, ctx, BlockUse::Announce, &next_hop, announced);
    if let Some(reach) = update.mp_reach() {
        let destinations = reach.destinations().map(|(_, destination)| destination.to_string());
        routes(&update, ctx, BlockUse::MpReach, &reach.next_hop.to_string(), destinations);
    }
    Ok(())
}

/// Prints announced destinations, or what becomes of them if the attributes are malformed (RFC 7606).
fn routes(
    update: &UpdateView<'_>,
    ctx: &DecodeContext,
    usage: BlockUse,
    next_hop: &str,
    destinations: impl Iterator<Item = String>,
) {
    let mut destinations = destinations.peekable();
    if destinations.peek().is_none() {
        return;
    }
    let mut block = Vec::new();
    let checked = update.attributes().check(ctx, usage, &mut block);
    for fault in update.faults().iter().chain(&checked.faults) {
        println!("! {fault}");
    }
    let refused = update.treatment().max(checked.treatment) >= Treatment::TreatAsWithdraw;
    let attributes = Attributes::new(&block);
    let communities: Vec<String> = attributes.communities().map(|community| community.to_string()).collect();
    for destination in destinations {
        if refused {
            println!("- {destination}");
        } else {
            let path = attributes.as_path();
            println!("+ {destination} via {next_hop}, path [{path}], communities {communities:?}");
        }
    }
}

/// Two routes, one of them withdrawn, and the end.
fn sample() -> Result<Vec<u8>, Error> {
    let attributes = [
        PathAttribute::Origin(Origin::Igp),
        PathAttribute::AsPath(Vec::new()),
        PathAttribute::NextHop([10, 0, 0, 1].into()),
        PathAttribute::Communities(vec![Community::NO_EXPORT]),
    ];
    let mut block = Vec::new();
    attributes.iter().for_each(|attribute| attribute.encode(&mut block));
    let prefixes = || (1..=2).filter_map(|node| Ipv4Prefix::new([10, 244, node, 0].into(), 24));
    let mut stream = Vec::new();
    let next_hop = [10, 0, 0, 1].into();
    encode::announce::<V4>(&mut stream, 4096, &block, next_hop, prefixes().map(|prefix| (None, prefix)))?;
    encode::withdraw::<V4>(&mut stream, 4096, prefixes().take(1).map(|prefix| (None, prefix)));
    encode::end_of_rib(&mut stream, Family::IPV4_UNICAST);
    Ok(stream)
}
