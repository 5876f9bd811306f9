//! The body of an UPDATE behind the context that it is read in: attributes and destinations, written and read again,
//! are the same.
#![no_main]

use bgp_core::wire::header::{MAX_EXTENDED_LEN, MAX_LEN, frame};
use bgp_core::wire::{
    AsWidth, Attributes, BlockUse, DecodeContext, PathAttribute, RawAttribute, UpdateView, encode, flag,
};
use bgp_core::{AddressFamily, FamilySet, PathId, V4, V6};
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
    let families = [V4::FAMILY, V6::FAMILY].into_iter().collect::<FamilySet>();
    DecodeContext { four_octet_as: true, families, ..*ctx }
}

/// Each message's UPDATE body.
fn bodies(mut bytes: &[u8], max_len: usize) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while !bytes.is_empty() {
        let message = frame(bytes, max_len).expect("a sound header").expect("a whole message");
        bodies.push(message.body);
        bytes = &bytes[message.len..];
    }
    bodies
}

/// The path identifier is written where the session has them.
fn with_ids<F: AddressFamily>(
    routes: &[(PathId, F::Prefix)],
    ctx: &DecodeContext,
) -> impl Iterator<Item = (Option<PathId>, F::Prefix)> {
    let ids = ctx.add_path.contains(F::FAMILY);
    routes.iter().map(move |(id, prefix)| (ids.then_some(*id), *prefix))
}

fn announced<F: AddressFamily>(view: &UpdateView<'_>) -> Vec<(PathId, F::Prefix)> {
    let reach = view.mp_reach().into_iter().flat_map(|reach| reach.nlri_of::<F>());
    let own = view.announced().filter_map(|(id, prefix)| Some((id, F::from_prefix(prefix.into())?)));
    own.chain(reach).collect()
}

fn withdrawn<F: AddressFamily>(view: &UpdateView<'_>) -> Vec<(PathId, F::Prefix)> {
    let unreach = view.mp_unreach().into_iter().flat_map(|unreach| unreach.nlri_of::<F>());
    let own = view.withdrawn().filter_map(|(id, prefix)| Some((id, F::from_prefix(prefix.into())?)));
    own.chain(unreach).collect()
}

/// The routes of one family, with what is left of the attributes, sent on.
fn announce<F: AddressFamily>(view: &UpdateView<'_>, ctx: &DecodeContext, max_len: usize) {
    let routes = announced::<F>(view);
    let usage = if F::FAMILY == V4::FAMILY { BlockUse::Announce } else { BlockUse::MpReach };
    let mut block = Vec::new();
    view.attributes().check(ctx, usage, &mut block);
    let next_hop = view.mp_reach().map_or([10, 0, 0, 1].into(), |reach| reach.next_hop);
    let mut out = Vec::new();
    let sent = encode::announce::<F>(&mut out, max_len, &block, next_hop, with_ids::<F>(&routes, ctx));
    let Ok(messages) = sent else {
        assert!(out.is_empty());
        return;
    };
    let bodies = bodies(&out, max_len);
    assert_eq!(bodies.len(), messages);
    let mut read = Vec::new();
    for body in bodies {
        let view = UpdateView::parse(body, &ours(ctx)).expect("our own UPDATE");
        assert_eq!(view.attributes().parts().concat(), block);
        assert!(view.mp_reach().is_none_or(|reach| reach.next_hop == next_hop));
        read.extend(announced::<F>(&view));
    }
    assert_eq!(read, routes);
}

fn withdraw<F: AddressFamily>(view: &UpdateView<'_>, ctx: &DecodeContext, max_len: usize) {
    let routes = withdrawn::<F>(view);
    let mut out = Vec::new();
    let messages = encode::withdraw::<F>(&mut out, max_len, with_ids::<F>(&routes, ctx));
    let bodies = bodies(&out, max_len);
    assert_eq!(bodies.len(), messages);
    let read = bodies.into_iter().map(|body| UpdateView::parse(body, &ours(ctx)).expect("our own UPDATE"));
    assert_eq!(read.flat_map(|view| withdrawn::<F>(&view)).collect::<Vec<_>>(), routes);
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let max_len = if input.first().is_some_and(|bits| bits & 4 == 4) { MAX_EXTENDED_LEN } else { MAX_LEN };
    let ctx = script.context();
    let body = script.rest();
    if let Some(fields) = Fields::of(body) {
        fields.attributes.iter().for_each(|raw| attribute(&raw, ctx.as_width()));
    }
    if let Ok(view) = UpdateView::parse(body, &ctx) {
        announce::<V4>(&view, &ctx, max_len);
        announce::<V6>(&view, &ctx, max_len);
        withdraw::<V4>(&view, &ctx, max_len);
        withdraw::<V6>(&view, &ctx, max_len);
    }
});
