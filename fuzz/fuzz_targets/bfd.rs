//! Datagrams from anywhere, time and commands: whatever they are, a table of sessions keeps its promises.
#![no_main]

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use bfd::{Event, Hops, Origin, Packet, Peer, SessionId, Sessions, Timers};
use libfuzzer_sys::fuzz_target;

/// As long as a packet, so that a mutation of one stays one.
const DATAGRAM: usize = 24;

fn timers(octet: u8) -> Timers {
    let multiplier = NonZeroU8::new(octet % 4 + 1).expect("not 0");
    Timers { interval: Duration::from_millis(u64::from(octet) * 10 + 10), multiplier }
}

fn peer(last: u8) -> Peer {
    let hops = if last & 1 == 0 { Hops::Single } else { Hops::Multi { min_ttl: 250 } };
    Peer { address: IpAddr::from([10, 0, 0, last & 3]), interface: 0, hops }
}

struct Watched {
    table: Sessions,
    now: Duration,
    ids: Vec<SessionId>,
    up: Vec<SessionId>,
}

impl Watched {
    fn settle(&mut self) {
        self.table.advance(self.now, |_, _, packet| {
            let read = Packet::parse(&packet).expect("ours is good");
            assert!(!(read.poll && read.finish));
            assert_eq!(read.encode(), packet);
        });
        assert!(self.table.next_timeout().is_none_or(|at| at > self.now));
        while let Some((id, event)) = self.table.event() {
            let was_up = self.up.contains(&id);
            match event {
                Event::Up => self.up.push(id),
                Event::Down(_) | Event::PeerStopped => self.up.retain(|up| *up != id),
            }
            assert_eq!(was_up, event != Event::Up, "{event:?}");
        }
    }

    fn datagram(&mut self, from: u8, ttl: u8, octets: &[u8]) {
        let peer = peer(from);
        let origin = Origin { address: peer.address, interface: 0, port: peer.hops.port(), ttl };
        let mut octets = octets.to_vec();
        // Numbers of ours can't be guessed.
        if let (Some(id), Some(slot)) = (self.ids.get(usize::from(from) % 2), octets.get_mut(8..12)) {
            if slot[0] & 1 == 1 {
                slot.copy_from_slice(&id.get().to_be_bytes());
            }
        }
        if let Ok(packet) = Packet::parse(&octets) {
            assert_eq!(Packet::parse(&packet.encode()), Ok(packet));
        }
        let before = self.table.discarded();
        let taken = self.table.receive(self.now, origin, &octets);
        assert_eq!(self.table.discarded() - before, u64::from(taken.is_err()));
    }
}

fuzz_target!(|input: &[u8]| {
    let mut watched =
        Watched { table: Sessions::new(7), now: Duration::from_secs(1), ids: Vec::new(), up: Vec::new() };
    for n in 0..2 {
        let id = watched.table.add(watched.now, peer(n), timers(n));
        watched.ids.push(id);
    }
    let mut rest = input;
    while let [command, argument, after @ ..] = rest {
        rest = after;
        let id = watched.ids[usize::from(*command >> 7)];
        match command & 7 {
            0..=3 => {
                let (octets, after) = rest.split_at(rest.len().min(DATAGRAM));
                rest = after;
                let ttl = if argument & 0x80 == 0 { 255 } else { *argument };
                watched.datagram(*argument, ttl, octets);
            }
            4 => watched.now += Duration::from_millis(u64::from(*argument) * 10),
            5 => watched.table.with(id, |session| session.set_timers(timers(*argument))),
            6 => {
                let now = watched.now;
                watched.up.retain(|up| *up != id);
                watched.table.with(id, |session| session.stop(now));
                while watched.table.event().is_some() {}
            }
            _ => {
                let now = watched.now;
                watched.table.with(id, |session| session.start(now));
            }
        }
        watched.settle();
    }
    watched.ids.iter().for_each(|id| watched.table.remove(watched.now, *id));
    watched.up.clear();
    watched.settle();
    watched.now += Duration::from_secs(3600);
    watched.settle();
    assert!(watched.table.is_empty());
});
