//! The body of an UPDATE behind the context that it is read in: both steps of decoding, and what holds of their
//! results.
#![no_main]

use bgp_core::wire::{
    AttributeBlock, Attributes, BlockUse, DecodeContext, Destination, Fault, Malformed, Notification,
    Summary, Treatment, UpdateView,
};
use bgp_core::{Family, V4, V6};
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fn check_fault(fault: &Fault, body: &[u8]) {
    assert!(fault.offset <= body.len(), "{fault}");
    assert!(fault.treatment > Treatment::Accept && !fault.to_string().is_empty());
    let notification = fault.notification(body);
    assert_eq!(notification.code, Notification::UPDATE);
    assert!(notification.data.len() <= body.len().max(1), "the data is a part of the UPDATE, or one code");
}

fn check_malformed(malformed: &Malformed, body: &[u8]) {
    check_fault(&malformed.fault, body);
    assert_eq!(malformed.fault.treatment, Treatment::ResetSession);
    assert_eq!(malformed.notification, malformed.fault.notification(body));
}

fn check_destination(destination: &Destination<'_>, family: Family) {
    assert!(destination.is_of(family) && !destination.to_string().is_empty());
}

fn check_view(view: &UpdateView<'_>, body: &[u8]) {
    let strongest = view.faults().iter().map(|fault| fault.treatment).max().unwrap_or_default();
    assert_eq!(view.treatment(), strongest);
    assert!(strongest < Treatment::ResetSession);
    view.faults().iter().for_each(|fault| check_fault(fault, body));
    if view.end_of_rib().is_some() {
        let destinations = view.withdrawn().count() + view.announced().count();
        assert!(destinations == 0 && view.attributes().is_empty() && view.mp_reach().is_none());
    }
    if let Some(reach) = view.mp_reach() {
        let _ = (reach.nlri_of::<V4>().count(), reach.nlri_of::<V6>().count());
        reach.destinations().for_each(|(_, destination)| check_destination(&destination, reach.family));
    }
    if let Some(unreach) = view.mp_unreach() {
        let _ = (unreach.nlri_of::<V4>().count(), unreach.nlri_of::<V6>().count());
        unreach.destinations().for_each(|(_, destination)| check_destination(&destination, unreach.family));
    }
}

/// A canonical block is its own canonical form.
fn check_block(block: AttributeBlock<'_>, ctx: &DecodeContext, usage: BlockUse, body: &[u8]) {
    let mut canonical = vec![7];
    let checked = block.check(ctx, usage, &mut canonical);
    assert_eq!(canonical.remove(0), 7, "what was there stays");
    assert_eq!(checked.treatment, checked.worst().map_or(Treatment::Accept, |fault| fault.treatment));
    checked.faults.iter().for_each(|fault| check_fault(fault, body));
    if checked.treatment > Treatment::DiscardAttribute || usage == BlockUse::None {
        assert!(canonical.is_empty());
        return;
    }
    let mut again = Vec::new();
    let wide = DecodeContext { four_octet_as: true, ..*ctx };
    let rechecked = AttributeBlock::new(&canonical).check(&wide, usage, &mut again);
    assert!(rechecked.faults.is_empty());
    assert_eq!((rechecked.summary, &again), (checked.summary, &canonical));
    assert_eq!(Summary::of(Attributes::new(&canonical)), checked.summary);
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let ctx = script.context();
    let body = script.rest();
    match UpdateView::parse(body, &ctx) {
        Ok(view) => {
            check_view(&view, body);
            for usage in [BlockUse::Announce, BlockUse::MpReach, BlockUse::None] {
                check_block(view.attributes(), &ctx, usage, body);
            }
        }
        Err(malformed) => check_malformed(&malformed, body),
    }
});
