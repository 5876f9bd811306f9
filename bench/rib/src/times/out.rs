//! The way out: changes become messages, and peers read them.

use bgp_core::V4;
use bgp_rib::{AttributeStore, Attrs};

use crate::measure::Bench;
use crate::routes::{self, Route, Sharing};
use crate::world::World;

/// Changes of one flush: what comes in within its tick when a million a second do, a few times over. The messages stay
/// under the bound of the journal.
const CHANGES: usize = 20_000;

/// What a sealed chunk of the journal holds.
const CHUNK: usize = 64 * 1024;

/// A group with one source of routes, and with two sets of attributes for each of them.
struct Group {
    world: World,
    routes: Vec<Route<<V4 as bgp_core::AddressFamily>::Prefix>>,
    sets: [Vec<Attrs>; 2],
    turn: usize,
}

impl Group {
    fn new(peers: u32, changes: usize, sharing: Sharing) -> Group {
        let routes = routes::routes::<V4>(changes, sharing);
        let store = AttributeStore::new(1);
        let sets = [1, 2].map(|source| {
            let sets = routes::sets::<V4>(routes::set_count(&routes), source, 100..=100);
            sets.iter().map(|set| set.insert(&store)).collect()
        });
        // The source is one of the group, as a client is.
        let mut group = Group { world: World::with_clients(peers + 1), routes, sets, turn: 0 };
        group.change();
        group.world.run();
        group
    }

    /// All routes get other attributes.
    fn change(&mut self) {
        self.turn = 1 - self.turn;
        self.world.announce::<V4>(1, &self.routes, &self.sets[self.turn]);
    }
}

/// A flush, for routes that a receiver has with other attributes.
pub fn pack(bench: &mut Bench) {
    let changes = bench.size(CHANGES);
    let sets = [5, 1, 200].map(|count| (Sharing::Always(count), format!("sets of {count}")));
    for (sharing, work) in sets.into_iter().chain([(Sharing::HeavyTailed, String::from("as in a table"))]) {
        let mut group = Group::new(1, changes, sharing);
        bench.row("pack", work, (changes, "route"), |stopwatch| {
            group.change();
            stopwatch.time(|| group.world.flush());
            group.world.run();
        });
    }
    let mut group = Group::new(1, changes, Sharing::Always(5));
    bench.row("pack", "withdrawals", (changes, "route"), |stopwatch| {
        group.change();
        group.world.run();
        group.world.withdraw::<V4>(1, &group.routes);
        stopwatch.time(|| group.world.flush());
        group.world.run();
    });
}

/// Reading: for each peer and each chunk of the journal. The last reader trims it.
pub fn journal(bench: &mut Bench) {
    let changes = bench.size(CHANGES);
    for peers in [1, 200] {
        let mut group = Group::new(peers, changes, Sharing::Always(5));
        // The source has nothing to read.
        group.change();
        let octets = group.world.run() / peers as usize;
        let operations = octets.div_ceil(CHUNK) * peers as usize;
        bench.row("journal", format!("read by {peers}"), (operations, "chunk"), |stopwatch| {
            group.change();
            group.world.flush();
            stopwatch.time(|| group.world.transmit());
            group.world.run();
        });
    }
}
