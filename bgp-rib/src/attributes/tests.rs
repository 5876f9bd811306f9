//! The store as a whole, and what threads do to it.

use std::net::Ipv4Addr;

use bgp_core::wire::{Attributes, Origin, code};
use bgp_core::{Asn, RouterId};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::block::put;

fn next_hop() -> IpAddr {
    "10.0.0.1".parse().unwrap()
}

fn insert(store: &AttributeStore, block: &[u8]) -> Attrs {
    store.insert(PeerKind::Internal, next_hop(), &[block], Summary::default())
}

#[test]
fn equal_content_is_one_pointer() {
    let store = AttributeStore::new(1);
    let first = insert(&store, b"abc");
    assert_eq!(insert(&store, b"abc"), first);
    assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"a", b"", b"bc"]), Some(first.clone()));
    assert_eq!(store.len(), 1);
}

#[test]
fn bytes_next_hop_and_kind_all_tell_sets_apart() {
    let store = AttributeStore::new(1);
    let first = insert(&store, b"abc");
    let other_hop: IpAddr = "::1".parse().unwrap();
    assert_ne!(insert(&store, b"abcd"), first);
    assert_ne!(store.insert(PeerKind::External, next_hop(), &[b"abc"], Summary::default()), first);
    assert_ne!(store.insert(PeerKind::Internal, other_hop, &[b"abc"], Summary::default()), first);
    assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abcd"]), None);
}

#[test]
fn an_edited_set_is_its_own_and_never_found_as_one_received() {
    let store = AttributeStore::new(1);
    let received = insert(&store, b"abc");
    let edited = received.edited(Marks::NONE, next_hop(), b"abcd", Summary::default());
    assert_eq!((edited.block(), edited.marks().is_edited()), (&b"abcd"[..], true));
    assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abcd"]), None);
    assert_ne!(insert(&store, b"abcd"), edited);
    assert_eq!(received.edited(Marks::NONE, next_hop(), b"abcd", Summary::default()), edited);
    assert_eq!(received.edited(Marks::NONE, next_hop(), b"abc", Summary::default()), received);
    assert_eq!(edited.edited(edited.marks(), next_hop(), b"abcd", Summary::default()), edited);
    let marks = Marks::NONE.with_med().with_next_hop(NextHopMark::Own);
    let marked = received.edited(marks, next_hop(), b"abc", Summary::default());
    assert_ne!(marked, received);
    drop((received, edited, marked));
    assert!(store.is_empty());
}

#[test]
fn marks_are_read_back() {
    use NextHopMark::{ByRule, Own, Set, Unchanged};
    for mark in [Own, Unchanged, Set, ByRule] {
        let marks = Marks::NONE.with_next_hop(Set).with_next_hop(mark);
        assert_eq!((marks.next_hop(), marks.keeps_med(), marks.is_edited()), (mark, false, false));
        assert_eq!((marks.with_med().next_hop(), marks.with_med().keeps_med()), (mark, true));
    }
}

#[test]
fn the_last_user_frees_the_entry() {
    let store = AttributeStore::new(1);
    let first = insert(&store, b"abc");
    let second = first.clone();
    assert!(store.bytes() > 3);
    drop(first);
    assert_eq!(store.len(), 1);
    drop(second);
    assert_eq!((store.len(), store.bytes()), (0, 0));
    assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abc"]), None);
}

#[test]
fn threads_that_race_for_the_same_sets_leave_nothing_behind() {
    let store = AttributeStore::new(1);
    let kept = insert(&store, &[0]);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (store, kept) = (store.clone(), kept.clone());
            scope.spawn(move || {
                let mut held = Vec::new();
                for round in 0..20_000_u32 {
                    let block = [(round.wrapping_mul(31) >> 3) as u8 % 16];
                    let set = match store.get(PeerKind::Internal, next_hop(), &[&block]) {
                        Some(set) => set,
                        None => insert(&store, &block),
                    };
                    assert_eq!(set.block(), &block);
                    assert_eq!(block == [0], set == kept);
                    held.push(set);
                    if held.len() > usize::from(thread) {
                        held.clear();
                    }
                }
            });
        }
    });
    assert_eq!(store.len(), 1);
    drop(kept);
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

#[test]
fn two_live_sets_of_equal_content_never_exist_at_once() {
    let store = AttributeStore::new(1);
    let sets: Vec<Vec<Attrs>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                scope.spawn(move || (0..200_u8).map(|n| insert(&store, &[n])).collect())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(store.len(), 200);
}

#[test]
fn a_pointer_is_one_word_and_a_set_has_a_head_of_32_octets() {
    assert_eq!((size_of::<Attrs>(), size_of::<Option<Attrs>>()), (8, 8));
    let store = AttributeStore::new(1);
    let head = size_of_val(&*insert(&store, &[]));
    assert_eq!(head, 32 + 8, "a next hop that the block does not have, in whole words");
    // ORIGIN, an empty AS_PATH, NEXT_HOP, LOCAL_PREF.
    let block = hex("40010100 400200 4003040a000001 40050400000064");
    let summary = Summary::of(Attributes::new(&block));
    let set = store.insert(PeerKind::Internal, next_hop(), &[&block], summary);
    assert_eq!(size_of_val(&*set), 32 + block.len().next_multiple_of(8), "all numbers are in the block");
    assert_eq!(store.bytes(), size_of_val(&*set) + 8);
}

#[test]
fn what_was_not_found_is_put_there_without_another_look() {
    let store = AttributeStore::new(1);
    let missing = |block| store.look_up(PeerKind::Internal, next_hop(), block).err().unwrap();
    let (first, second) = (missing(&[b"abc"]), missing(&[b"a", b"bc"]));
    let set = first.insert(Summary::default());
    assert_eq!(second.insert(Summary::default()), set, "made in between");
    assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abc"]).as_ref(), Some(&set));
    assert_eq!(store.len(), 1);
}

#[test]
fn the_last_set_may_outlive_the_store() {
    let store = AttributeStore::new(1);
    let set = insert(&store, b"abc");
    drop(store);
    let edited = set.edited(Marks::NONE, next_hop(), b"abcd", Summary::default());
    drop(set);
    assert_eq!(edited.block(), b"abcd");
}

#[test]
fn a_set_that_two_threads_let_go_of_at_once_is_freed_once_and_made_again() {
    let store = AttributeStore::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..20_000_u16 {
                    // Hardly anybody holds it for long: it is found, missed, made and freed all the time.
                    let block = (round / 1000).to_be_bytes();
                    let made = insert(&store, &block);
                    let copies = [made.clone(), made.clone()];
                    drop(made);
                    let found = store.get(PeerKind::Internal, next_hop(), &[&block[..1], &block[1..]]);
                    assert_eq!(found.as_ref(), Some(&copies[0]));
                    assert_eq!((copies[1].block(), copies[1].next_hop()), (&block[..], next_hop()));
                }
            });
        }
    });
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b' ').collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// Attributes of all codes that are read, and others; a few long ones, so that what follows is out of reach.
fn any_block() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (1_u8..12, vec(any::<u8>(), 4), prop_oneof![9 => Just(0), 1 => 0..300_usize]);
    vec(attribute, 0..8).prop_map(|attributes| {
        let mut block = Vec::new();
        for (code, mut value, longer) in attributes {
            if code == code::AS_PATH {
                value.splice(0..0, [2, 1]);
            }
            value.resize(value.len() + longer, 7);
            put(&mut block, 0x40, code, &value);
        }
        block
    })
}

fn any_summary() -> impl Strategy<Value = Summary> {
    let number = proptest::option::of(any::<u32>());
    let numbers = (number.clone(), number.clone(), number.clone(), number.clone(), number);
    (numbers, 0..3_u8, any::<(u16, u16)>(), any::<[bool; 5]>()).prop_map(
        |((neighbor, local_pref, med, originator, next_hop), origin, lens, marks)| Summary {
            origin: Origin::from_code(origin).unwrap(),
            as_path_len: lens.0,
            neighbor_as: neighbor.map(Asn),
            local_pref,
            med,
            originator_id: originator.map(RouterId),
            cluster_list_len: lens.1,
            next_hop: next_hop.map(Ipv4Addr::from),
            no_advertise: marks[0],
            no_export: marks[1],
            graceful_shutdown: marks[2],
            llgr_stale: marks[3],
            no_llgr: marks[4],
        },
    )
}

proptest! {
    #[test]
    fn what_goes_into_a_set_is_read_back(
        block in any_block(), other in any_summary(), next_hop: IpAddr, cuts: [prop::sample::Index; 2],
        external: bool, its_own: [bool; 2], med: bool,
    ) {
        let [own_summary, own_next_hop] = its_own;
        let summary = if own_summary { Summary::of(Attributes::new(&block)) } else { other };
        let next_hop = summary.next_hop.filter(|_| own_next_hop).map_or(next_hop, IpAddr::V4);
        let kind = if external { PeerKind::External } else { PeerKind::Internal };
        let mut cuts = cuts.map(|cut| cut.index(block.len() + 1));
        cuts.sort();
        let parts = [&block[..cuts[0]], &block[cuts[0]..cuts[1]], &block[cuts[1]..]];

        let store = AttributeStore::new(1);
        let set = store.insert(kind, next_hop, &parts, summary);
        prop_assert_eq!((set.kind(), set.next_hop(), set.summary()), (kind, next_hop, summary));
        prop_assert_eq!((set.block(), set.marks()), (&block[..], Marks::NONE));
        prop_assert_eq!(store.get(kind, next_hop, &[&block]), Some(set.clone()));
        let marks = if med { Marks::NONE.with_med() } else { Marks::NONE }.with_next_hop(NextHopMark::Set);
        let edited = set.edited(marks, next_hop, &block, summary);
        prop_assert_eq!((edited.marks().keeps_med(), edited.marks().next_hop()), (med, NextHopMark::Set));
        prop_assert_eq!((edited.kind(), edited.summary(), edited.block()), (kind, summary, &block[..]));
    }
}

#[test]
fn the_room_for_the_sets_of_a_table_goes_with_them() {
    let store = AttributeStore::new(1);
    let sets: Vec<Attrs> = (0..100_000_u32)
        .map(|number| {
            let next_hop = number.to_be_bytes().into();
            store.insert(PeerKind::Internal, next_hop, &[], Summary::default())
        })
        .collect();
    let (stay, go): (Vec<_>, Vec<_>) = sets.into_iter().enumerate().partition(|(place, _)| place % 100 == 0);
    assert!(store.shared.room() >= 100_000);
    drop(go);
    store.shrink();
    assert_eq!(store.len(), stay.len());
    assert!(store.shared.room() < 16 * stay.len(), "{}", store.shared.room());
    for (_, attrs) in &stay {
        assert_eq!(store.get(PeerKind::Internal, attrs.next_hop(), &[]).as_ref(), Some(attrs));
    }
}
