//! Routes that come many at a time.

use super::*;
use crate::RouteChange;

type Routes = Vec<(Prefix, Vec<(PeerId, PathId, Option<u32>)>)>;

/// All destinations in the order of their numbers, with their paths in order.
fn routes(w: &World) -> Routes {
    let table = &w.rib.families.v4.table;
    let next = |dest: &DestId| table.next_dest(dest.next());
    let shown = |path: &crate::Path| (path.source(), path.path_id, path.attrs.summary().local_pref);
    std::iter::successors(table.next_dest(DestId::FIRST), next)
        .map(|dest| (table.prefix(dest).unwrap().into(), table.paths(dest).iter().map(shown).collect()))
        .collect()
}

fn prefix_of(number: u16) -> bgp_core::Ipv4Prefix {
    let [high, low] = number.to_be_bytes();
    V4::from_wire(32, &[10, 0, high, low]).unwrap()
}

proptest! {
    /// The same destinations come again and again within one batch, added, replaced and removed; batches are longer than
    /// what is looked up at a time.
    #[test]
    fn a_batch_does_what_its_routes_do_one_by_one(
        batches in proptest::collection::vec(
            (0..2_usize, proptest::collection::vec((0..400_u16, 0..2_u32, proptest::option::of(0..3_u32)), 0..700), any::<bool>()),
            1..6,
        ),
    ) {
        let [mut whole, mut single] = [World::reflector(), World::reflector()];
        let peers = [5, 6].map(|slot| {
            single.up(slot);
            whole.up(slot)
        });
        let sets = |w: &World| [50, 100, 150].map(|pref| w.attrs(address("10.0.0.1"), pref)).to_vec();
        let (sets_whole, sets_single) = (sets(&whole), sets(&single));
        for (peer, list, settles) in batches {
            let changes: Vec<_> = list
                .into_iter()
                .map(|(n, id, attributes)| RouteChange { prefix: prefix_of(n), path_id: PathId(id), attributes })
                .collect();
            whole.rib.apply::<V4>(whole.now, peers[peer], &changes, &sets_whole);
            for change in &changes {
                single.rib.apply::<V4>(single.now, peers[peer], std::slice::from_ref(change), &sets_single);
            }
            prop_assert_eq!(routes(&whole), routes(&single));
            prop_assert_eq!(whole.rib.next_timeout(), single.rib.next_timeout());
            if settles {
                whole.settle();
                single.settle();
                prop_assert_eq!(routes(&whole), routes(&single));
                prop_assert_eq!(&whole.believed, &single.believed);
            }
        }
    }
}

#[test]
fn a_batch_of_a_session_that_is_gone_is_ignored() {
    let mut w = World::reflector();
    let peer = w.up(5);
    let attrs = [w.attrs(address("10.0.0.1"), 100)];
    let change = RouteChange { prefix: prefix_of(1), path_id: PathId(0), attributes: Some(0) };
    w.down(peer);
    w.rib.apply::<V4>(w.now, peer, &[change], &attrs);
    w.up(5);
    w.rib.apply::<V4>(w.now, peer, &[change], &attrs);
    assert_eq!(routes(&w), []);
}
