//! The body of an UPDATE behind the context that it is read in: attributes and destinations, written and read again,
//! are the same.
#![no_main]

use bgp_core::wire::header::{MAX_EXTENDED_LEN, MAX_LEN, frame};
use bgp_core::wire::{
    AsWidth, Attributes, BlockUse, DecodeContext, Destination, EncodeError, MpReach, PathAttribute,
    RawAttribute, UpdateView, encode, flag,
};
use bgp_core::{AddressFamily, Family, FamilySet, PathId, V4, V6};
use fuzz::Script;
use fuzz::reference::Fields;
use libfuzzer_sys::fuzz_target;

/// An attribute that was read comes back with its type, one that could not be read as its octets.
fn attribute(raw: &RawAttribute<'_>, width: AsWidth) {
    let typed = PathAttribute::from_raw(raw, width);
    assert_eq!(typed.code(), raw.code);
    let mut bytes = Vec::new();
    typed.encode(&mut bytes);
    let written = Attributes::new(&bytes).iter().next().expect("one attribute");
    assert_eq!(written.whole.len(), bytes.len());
    match typed {
        PathAttribute::Unknown { flags, .. } => {
            assert_eq!((written.flags & !flag::EXTENDED_LENGTH, written.value), (flags, raw.value));
        }
        known => assert_eq!(PathAttribute::from_raw(&written, AsWidth::Four), known),
    }
}

/// How UPDATEs of ours are read.
fn ours(ctx: &DecodeContext) -> DecodeContext {
    DecodeContext { four_octet_as: true, families: FamilySet::ALL, extended_next_hop: FamilySet::ALL, ..*ctx }
}

/// Our messages, each read again.
fn read<'a>(mut bytes: &'a [u8], max_len: usize, ctx: &DecodeContext) -> Vec<UpdateView<'a>> {
    let mut views = Vec::new();
    while !bytes.is_empty() {
        let message = frame(bytes, max_len).expect("a sound header").expect("a whole message");
        views.push(UpdateView::parse(message.body, &ours(ctx)).expect("our own UPDATE"));
        bytes = &bytes[message.len..];
    }
    views
}

/// The path identifier is written where the session has them.
fn with_ids<T: Copy>(
    routes: &[(PathId, T)],
    family: Family,
    ctx: &DecodeContext,
) -> impl Iterator<Item = (Option<PathId>, T)> {
    let ids = ctx.add_path.contains(family);
    routes.iter().map(move |(id, destination)| (ids.then_some(*id), *destination))
}

/// The attributes as they are sent on.
fn block(view: &UpdateView<'_>, ctx: &DecodeContext, usage: BlockUse) -> Vec<u8> {
    let mut block = Vec::new();
    view.attributes().check(ctx, usage, &mut block);
    block
}

/// Routes and withdrawals of the UPDATE's own fields.
fn own_fields(view: &UpdateView<'_>, ctx: &DecodeContext, max_len: usize) {
    let (announced, withdrawn): (Vec<_>, Vec<_>) = (view.announced().collect(), view.withdrawn().collect());
    let block = block(view, ctx, BlockUse::Announce);
    let mut out = Vec::new();
    let routes = with_ids(&announced, V4::FAMILY, ctx);
    match encode::announce::<V4>(&mut out, max_len, &block, [10, 0, 0, 1].into(), routes) {
        Ok(messages) => {
            let views = read(&out, max_len, ctx);
            assert_eq!(views.len(), messages);
            assert!(views.iter().all(|view| view.attributes().parts().concat() == block));
            assert_eq!(views.iter().flat_map(UpdateView::announced).collect::<Vec<_>>(), announced);
        }
        Err(error) => assert!(out.is_empty() && matches!(error, EncodeError::AttributesTooLong { .. })),
    }
    out.clear();
    let messages = encode::withdraw::<V4>(&mut out, max_len, with_ids(&withdrawn, V4::FAMILY, ctx));
    let views = read(&out, max_len, ctx);
    assert_eq!(views.len(), messages);
    assert_eq!(views.iter().flat_map(UpdateView::withdrawn).collect::<Vec<_>>(), withdrawn);
}

/// Routes of MP_REACH_NLRI, of any family.
fn announce(view: &UpdateView<'_>, reach: &MpReach<'_>, ctx: &DecodeContext, max_len: usize) {
    let (family, next_hop) = (reach.family, reach.next_hop);
    let destinations: Vec<_> = reach.destinations().collect();
    let block = block(view, ctx, BlockUse::MpReach);
    let mut out = Vec::new();
    let routes = with_ids(&destinations, family, ctx);
    match encode::announce_destinations(&mut out, max_len, family, &block, next_hop, routes) {
        Ok(messages) => {
            let views = read(&out, max_len, ctx);
            assert_eq!(views.len(), messages);
            assert!(views.iter().all(|view| view.attributes().parts().concat() == block));
            let reaches: Vec<_> = views.iter().map(|view| view.mp_reach().expect("what was sent")).collect();
            assert!(reaches.iter().all(|reach| (reach.family, reach.next_hop) == (family, next_hop)));
            assert_eq!(reaches.iter().flat_map(MpReach::destinations).collect::<Vec<_>>(), destinations);
        }
        Err(error) => assert!(out.is_empty() && matches!(error, EncodeError::AttributesTooLong { .. })),
    }
    let withdrawn: Vec<_> = destinations.iter().map(|(id, route)| (*id, route.withdrawn())).collect();
    withdraw(family, &destinations, &withdrawn, ctx, max_len);
}

/// Destinations are withdrawn without their labels.
fn withdraw(
    family: Family,
    destinations: &[(PathId, Destination<'_>)],
    expected: &[(PathId, Destination<'_>)],
    ctx: &DecodeContext,
    max_len: usize,
) {
    let mut out = Vec::new();
    let routes = with_ids(destinations, family, ctx);
    let messages = encode::withdraw_destinations(&mut out, max_len, family, routes).expect("room for each");
    let views = read(&out, max_len, ctx);
    assert_eq!(views.len(), messages);
    let unreaches = views.iter().map(|view| view.mp_unreach().expect("what was sent"));
    assert_eq!(unreaches.flat_map(|unreach| unreach.destinations()).collect::<Vec<_>>(), expected);
}

/// IPv6 as the router sends it.
fn announce_v6(view: &UpdateView<'_>, reach: &MpReach<'_>, ctx: &DecodeContext, max_len: usize) {
    let (Some(next_hop), V6::FAMILY) = (reach.next_hop.address(), reach.family) else { return };
    let routes: Vec<_> = reach.nlri_of::<V6>().collect();
    let block = block(view, ctx, BlockUse::MpReach);
    let mut out = Vec::new();
    let sent = with_ids(&routes, V6::FAMILY, ctx);
    if encode::announce::<V6>(&mut out, max_len, &block, next_hop, sent).is_ok() {
        let views = read(&out, max_len, ctx);
        let reaches = views.iter().filter_map(UpdateView::mp_reach);
        assert_eq!(reaches.flat_map(|reach| reach.nlri_of::<V6>()).collect::<Vec<_>>(), routes);
    }
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let extended = input.first().is_some_and(|bits| bits & 0x10 != 0);
    let max_len = if extended { MAX_EXTENDED_LEN } else { MAX_LEN };
    let ctx = script.context();
    let body = script.rest();
    if let Some(fields) = Fields::of(body) {
        fields.attributes.iter().for_each(|raw| attribute(&raw, ctx.as_width()));
    }
    let Ok(view) = UpdateView::parse(body, &ctx) else { return };
    own_fields(&view, &ctx, max_len);
    if let Some(reach) = view.mp_reach() {
        announce(&view, &reach, &ctx, max_len);
        announce_v6(&view, &reach, &ctx, max_len);
    }
    if let Some(unreach) = view.mp_unreach() {
        let destinations: Vec<_> = unreach.destinations().collect();
        withdraw(unreach.family, &destinations, &destinations, &ctx, max_len);
    }
});
