//! What the hot paths of decoding allocate: nothing.
#![allow(unsafe_code, reason = "an allocator that counts can't be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::IpAddr;

use bgp_core::wire::{BlockUse, DecodeContext, Treatment, UpdateView, flag};
use bgp_core::{FamilySet, PeerKind};
use bgp_rib::filter::{Action, Edit, Filter, Match, PrefixRange, Route, Term};
use bgp_rib::{AttributeStore, SourceKind};

thread_local! {
    /// Allocations of this thread.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `f` allocates, and what it gives.
fn allocations<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = f();
    (ALLOCATIONS.get() - before, result)
}

fn context() -> DecodeContext {
    DecodeContext::new(PeerKind::Internal, FamilySet::UNICAST)
}

/// The body of an UPDATE: all attributes that iBGP routes usually have, and two prefixes.
fn body() -> Vec<u8> {
    const WELL_KNOWN: u8 = flag::TRANSITIVE;
    const OPTIONAL: u8 = flag::OPTIONAL;
    const BOTH: u8 = flag::OPTIONAL | flag::TRANSITIVE;
    #[rustfmt::skip]
    let attributes = [
        &[WELL_KNOWN, 1, 1, 0][..],
        &[WELL_KNOWN, 2, 10, 2, 2, 0, 0, 0xfc, 0, 0, 1, 0x11, 0x70],
        &[WELL_KNOWN, 3, 4, 10, 0, 0, 1],
        &[OPTIONAL, 4, 4, 0, 0, 0, 5],
        &[WELL_KNOWN, 5, 4, 0, 0, 0, 100],
        &[BOTH, 8, 8, 0xfc, 0, 0, 1, 0xfc, 0, 0, 2],
        &[OPTIONAL, 9, 4, 10, 0, 0, 2],
        &[OPTIONAL, 10, 4, 0, 0, 0, 1],
        &[BOTH, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
        &[BOTH, 99, 2, 1, 2],
    ]
    .concat();
    let mut body = vec![0, 0, 0, attributes.len() as u8];
    body.extend(&attributes);
    body.extend([24, 10, 1, 2, 9, 10, 128]);
    body
}

#[test]
fn both_steps_of_decoding_allocate_nothing() {
    let (body, context) = (body(), context());
    let mut canonical = Vec::with_capacity(4096);
    let (count, (treatment, prefixes)) = allocations(|| {
        let view = UpdateView::parse(&body, &context).unwrap();
        let checked = view.attributes().check(&context, BlockUse::Announce, &mut canonical);
        (checked.treatment, view.announced().count())
    });
    assert_eq!((treatment, prefixes), (Treatment::Accept, 2));
    assert_eq!(count, 0);
}

#[test]
fn a_known_attribute_set_is_found_without_allocating() {
    let (body, context) = (body(), context());
    let store = AttributeStore::new(1);
    let mut canonical = Vec::new();
    let view = UpdateView::parse(&body, &context).unwrap();
    let next_hop = IpAddr::V4(view.next_hop().unwrap());
    let checked = view.attributes().check(&context, BlockUse::Announce, &mut canonical);
    // As a first receiver would send it on: Partial is set on the attribute that is not known here.
    let held = store.insert(context.kind, next_hop, &[&canonical], checked.summary);

    let sent = [&body[..4], &canonical, &body[4 + canonical.len()..]].concat();
    let (count, found) = allocations(|| {
        let view = UpdateView::parse(&sent, &context).unwrap();
        let next_hop = IpAddr::V4(view.next_hop().unwrap());
        store.get(context.kind, next_hop, &view.attributes().parts())
    });
    assert_eq!(found, Some(held));
    assert_eq!(count, 0);
}

#[test]
fn a_filter_judges_a_route_without_allocating() {
    let (body, context) = (body(), context());
    let store = AttributeStore::new(1);
    let mut canonical = Vec::new();
    let view = UpdateView::parse(&body, &context).unwrap();
    let checked = view.attributes().check(&context, BlockUse::Announce, &mut canonical);
    let attrs = store.insert(context.kind, [10, 0, 0, 1].into(), &[&canonical], checked.summary);

    let ranges = (0..200).map(|n| format!("10.{n}.0.0/16 le 24").parse::<PrefixRange>().unwrap());
    let conditions = [
        Match::Prefix(ranges.collect()),
        Match::Family(FamilySet::UNICAST),
        Match::Community(vec!["64512:*".parse().unwrap()]),
        Match::LargeCommunity(vec!["1:*:3".parse().unwrap()]),
        Match::AsPath(vec!["^64512+ (.* 3|70000?)$".parse().unwrap()]),
        Match::AsPathLength(1..=9),
        Match::NextHop(vec!["10.0.0.0/8".parse().unwrap()]),
        Match::LocalPref(100..=100),
        Match::Med(5..=5),
        Match::Source(vec![SourceKind::Internal]),
        Match::ExtendedCommunity(vec!["rt:64512:*".parse().unwrap()]),
    ];
    let terms = conditions.into_iter().map(|condition| Term {
        name: condition.to_string(),
        matches: vec![condition],
        edits: vec![Edit::AddToMed(1)],
        action: None,
    });
    let filter = Filter::new("all conditions", terms.collect(), Action::Accept).unwrap();
    let route = Route { prefix: "10.7.1.0/24".parse().unwrap(), attrs: &attrs, source: SourceKind::Internal };
    let (count, verdict) = allocations(|| filter.evaluate(&route));
    assert_eq!((verdict.accept, verdict.edits), (true, (1 << 10) - 1), "all but the last condition match");
    assert_eq!(count, 0);
}
