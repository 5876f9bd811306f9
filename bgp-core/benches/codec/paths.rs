//! The ways through the codec that are measured, each as its users go it.

use std::hint::black_box;

use bgp_core::wire::{
    AsWidth, AttributeBlock, BlockUse, DecodeContext, Nlri, PathAttribute, Summary, Treatment, UpdateView,
    encode, frame, header,
};
use bgp_core::{Ipv4Prefix, V4};

/// What was read, so that it is seen to be the same whatever read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Prefixes announced and withdrawn.
    pub prefixes: u64,
    /// Their addresses and lengths, added up.
    pub sum: u64,
}

impl Tally {
    /// Counts a prefix.
    #[inline]
    pub fn prefix(&mut self, address: u32, len: u8) {
        self.prefixes += 1;
        self.sum = self.sum.wrapping_add(u64::from(address) + u64::from(len));
    }

    #[inline]
    pub fn nlri(&mut self, nlri: Nlri<'_, V4>) {
        for (_, prefix) in nlri {
            self.prefix(u32::from(prefix.address()), prefix.len());
        }
    }
}

/// Header and first step: where everything is.
#[inline]
pub fn parse<'a>(message: &'a [u8], context: &DecodeContext) -> UpdateView<'a> {
    let frame = frame(message, header::MAX_LEN).expect("a header").expect("a whole message");
    UpdateView::parse(frame.body, context).expect("a well-formed UPDATE")
}

/// What the attributes of an UPDATE are for.
#[inline]
pub fn usage(view: &UpdateView<'_>) -> BlockUse {
    if view.announced().is_empty() { BlockUse::None } else { BlockUse::Announce }
}

/// The second step: every attribute by RFC 7606, the canonical block into `scratch`.
#[inline]
pub fn check(
    block: AttributeBlock<'_>,
    usage: BlockUse,
    context: &DecodeContext,
    scratch: &mut Vec<u8>,
) -> Summary {
    scratch.clear();
    let checked = block.check(context, usage, scratch);
    assert_eq!(checked.treatment, Treatment::Accept);
    checked.summary
}

/// The validated view: both steps, nothing read yet.
#[inline]
pub fn validate<'a>(message: &'a [u8], context: &DecodeContext, scratch: &mut Vec<u8>) -> UpdateView<'a> {
    let view = parse(message, context);
    let (block, usage) = (view.attributes(), usage(&view));
    let canonical = block.canonical(context, usage);
    black_box(canonical.unwrap_or_else(|| check(block, usage, context, scratch)));
    view
}

/// The same, and all destinations read; nothing kept.
#[inline]
pub fn view(message: &[u8], context: &DecodeContext, scratch: &mut Vec<u8>, tally: &mut Tally) {
    let view = validate(message, context, scratch);
    tally.nlri(view.withdrawn());
    tally.nlri(view.announced());
}

/// An UPDATE as owned values.
pub struct Typed {
    pub attributes: Vec<PathAttribute>,
    pub withdrawn: Vec<Ipv4Prefix>,
    pub announced: Vec<Ipv4Prefix>,
}

/// Both steps, then every attribute and every destination as a value of its own.
#[inline]
pub fn typed(message: &[u8], context: &DecodeContext, scratch: &mut Vec<u8>) -> Typed {
    let view = parse(message, context);
    check(view.attributes(), usage(&view), context, scratch);
    let attribute = |(_, raw)| PathAttribute::from_raw(&raw, AsWidth::Four);
    Typed {
        attributes: view.attributes().iter().map(attribute).collect(),
        withdrawn: view.withdrawn().map(|(_, prefix)| prefix).collect(),
        announced: view.announced().map(|(_, prefix)| prefix).collect(),
    }
}

/// What a RIB keeps of an UPDATE: the canonical block and the prefixes.
pub struct Stored {
    pub block: Vec<u8>,
    pub announced: Vec<Ipv4Prefix>,
}

/// See [`Stored`].
pub fn stored(message: &[u8], context: &DecodeContext) -> Stored {
    let view = parse(message, context);
    let mut block = Vec::new();
    check(view.attributes(), usage(&view), context, &mut block);
    Stored { block, announced: view.announced().map(|(_, prefix)| prefix).collect() }
}

/// The message that announces `prefixes`, into `out`.
#[inline]
pub fn encode(block: &[u8], prefixes: &[Ipv4Prefix], out: &mut Vec<u8>) {
    out.clear();
    let unused = std::net::Ipv4Addr::UNSPECIFIED.into();
    let prefixes = prefixes.iter().map(|prefix| (None, *prefix));
    encode::announce::<V4>(out, header::MAX_LEN, block, unused, prefixes).expect("room for one prefix");
}

/// The same from owned values; `block` is a buffer.
#[inline]
pub fn encode_typed(update: &Typed, block: &mut Vec<u8>, out: &mut Vec<u8>) {
    block.clear();
    update.attributes.iter().for_each(|attribute| attribute.encode(block));
    encode(block, &update.announced, out);
}
