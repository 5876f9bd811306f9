//! The body of an UPDATE, after one octet whose bits say how it is read.
#![no_main]

use bgp_core::wire::{AttributeBlock, BlockUse, DecodeContext, Treatment, UpdateView};
use bgp_core::{Family, FamilySet, PeerKind, V4, V6};
use libfuzzer_sys::fuzz_target;

fn context(bits: u8) -> DecodeContext {
    let set = |first: u8| {
        let families = [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().zip(first..);
        families.filter(|(_, bit)| bits >> bit & 1 == 1).map(|(family, _)| family).collect::<FamilySet>()
    };
    let kind = if bits & 1 == 1 { PeerKind::External } else { PeerKind::Internal };
    DecodeContext { four_octet_as: bits & 2 == 2, add_path: set(4), ..DecodeContext::new(kind, set(2)) }
}

/// A canonical block is its own canonical form.
fn check_block(block: AttributeBlock<'_>, ctx: &DecodeContext, usage: BlockUse) {
    let mut canonical = Vec::new();
    let checked = block.check(ctx, usage, &mut canonical);
    if checked.treatment > Treatment::DiscardAttribute || usage == BlockUse::None {
        assert!(canonical.is_empty());
        return;
    }
    let mut again = Vec::new();
    let wide = DecodeContext { four_octet_as: true, ..*ctx };
    let rechecked = AttributeBlock::new(&canonical).check(&wide, usage, &mut again);
    assert!(rechecked.faults.is_empty());
    assert_eq!((rechecked.summary, again), (checked.summary, canonical));
}

fuzz_target!(|input: &[u8]| {
    let Some((bits, body)) = input.split_first() else { return };
    let ctx = context(*bits);
    match UpdateView::parse(body, &ctx) {
        Ok(view) => {
            let _ = (view.withdrawn().count(), view.announced().count());
            if let Some(reach) = view.mp_reach() {
                let _ = (reach.nlri_of::<V4>().count(), reach.nlri_of::<V6>().count());
            }
            for usage in [BlockUse::Announce, BlockUse::MpReach, BlockUse::None] {
                check_block(view.attributes(), &ctx, usage);
            }
        }
        Err(malformed) => assert!(malformed.notification.data.len() <= body.len()),
    }
});
