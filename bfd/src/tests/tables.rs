use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::pair::timers;
use crate::packet::LENGTH;
use crate::session::{Event, Failure};
use crate::state::{Diagnostic, State};
use crate::table::{Discarded, Hops, Origin, Peer, SessionId, Sessions};

const NOW: Duration = Duration::from_secs(100);

fn peer(address: &str, hops: Hops) -> Peer {
    Peer { address: address.parse().unwrap(), interface: 0, hops }
}

fn origin(address: &str, port: u16, ttl: u8) -> Origin {
    Origin { address: address.parse().unwrap(), interface: 0, port, ttl }
}

fn sent(table: &mut Sessions, now: Duration) -> Vec<(SessionId, Peer, [u8; LENGTH])> {
    let mut packets = Vec::new();
    table.advance(now, |id, peer, packet| packets.push((id, *peer, packet)));
    packets
}

/// Two hosts with one session that is up.
fn hosts() -> (Sessions, SessionId, Sessions, SessionId) {
    let (mut a, mut b) = (Sessions::new(1), Sessions::new(2));
    let of_a = a.add(NOW, peer("10.0.0.2", Hops::Single), timers(100, 3));
    let of_b = b.add(NOW, peer("10.0.0.1", Hops::Single), timers(100, 3));
    for _ in 0..3 {
        exchange(&mut a, &mut b, NOW);
    }
    assert_eq!((a.event(), b.event()), (Some((of_a, Event::Up)), Some((of_b, Event::Up))));
    (a, of_a, b, of_b)
}

fn exchange(a: &mut Sessions, b: &mut Sessions, now: Duration) {
    for (_, _, packet) in sent(a, now) {
        b.receive(now, origin("10.0.0.1", 3784, 255), &packet).unwrap();
    }
    for (_, _, packet) in sent(b, now) {
        a.receive(now, origin("10.0.0.2", 3784, 255), &packet).unwrap();
    }
}

#[test]
fn packets_find_their_session_by_address_first_and_by_number_then() {
    let (a, of_a, ..) = hosts();
    assert_eq!(a.get(of_a).unwrap().session.state(), State::Up);
    assert_eq!(a.discarded(), 0);
}

#[test]
fn on_a_link_the_hop_limit_is_255() {
    let (mut a, _, mut b, _) = hosts();
    let later = NOW + Duration::from_millis(100);
    let (.., packet) = sent(&mut b, later)[0];
    assert_eq!(a.receive(later, origin("10.0.0.2", 3784, 254), &packet), Err(Discarded::Ttl));
    assert_eq!(a.discarded(), 1);
}

#[test]
fn a_peer_behind_routers_may_be_so_far_and_no_further() {
    let (mut a, mut b) = (Sessions::new(1), Sessions::new(2));
    let of_a = a.add(NOW, peer("10.0.0.2", Hops::Multi { min_ttl: 253 }), timers(100, 3));
    b.add(NOW, peer("10.0.0.1", Hops::Multi { min_ttl: 1 }), timers(100, 3));
    let (.., packet) = sent(&mut b, NOW)[0];
    assert_eq!(a.receive(NOW, origin("10.0.0.2", 4784, 252), &packet), Err(Discarded::Ttl));
    assert_eq!(a.receive(NOW, origin("10.0.0.2", 4784, 253), &packet), Ok(of_a));
    assert_eq!(a.receive(NOW, origin("10.0.0.2", 3784, 255), &packet), Err(Discarded::Unknown));
}

#[test]
fn a_number_does_not_help_a_stranger() {
    let (mut a, _, mut b, _) = hosts();
    let later = NOW + Duration::from_millis(100);
    let (.., packet) = sent(&mut b, later)[0];
    assert_eq!(a.receive(later, origin("10.0.0.9", 3784, 255), &packet), Err(Discarded::Unknown));
}

#[test]
fn link_local_peers_are_told_apart_by_interface() {
    let mut table = Sessions::new(1);
    let on = |interface| Peer { interface, ..peer("fe80::1", Hops::Single) };
    let first = table.add(NOW, on(2), timers(100, 3));
    let second = table.add(NOW, on(3), timers(100, 3));
    let (.., packet) = sent(&mut Sessions::new(2).also(NOW), NOW)[0];
    let from = |interface| Origin { interface, ..origin("fe80::1", 3784, 255) };
    assert_eq!(table.receive(NOW, from(2), &packet), Ok(first));
    assert_eq!(table.receive(NOW, from(3), &packet), Ok(second));
    assert_eq!(table.receive(NOW, from(4), &packet), Err(Discarded::Unknown));
}

impl Sessions {
    /// With some session.
    fn also(mut self, now: Duration) -> Sessions {
        self.add(now, peer("fe80::2", Hops::Single), timers(100, 3));
        self
    }
}

#[test]
fn an_ended_session_is_forgotten_once_the_peer_knows() {
    let (mut a, of_a, mut b, of_b) = hosts();
    a.remove(NOW, of_a);
    exchange(&mut a, &mut b, NOW);
    assert_eq!(b.event(), Some((of_b, Event::PeerStopped)));
    exchange(&mut b, &mut a, NOW);
    let next = a.next_timeout().unwrap();
    sent(&mut a, next);
    assert!(a.is_empty());
    assert_eq!(a.next_timeout(), None);
}

#[test]
fn an_ended_session_is_forgotten_after_the_detection_time_at_the_latest() {
    let (mut a, of_a, ..) = hosts();
    a.remove(NOW, of_a);
    assert_eq!(sent(&mut a, NOW).len(), 1);
    let mut now = NOW;
    while let Some(next) = a.next_timeout() {
        now = next;
        sent(&mut a, now);
    }
    assert!(a.is_empty());
    assert_eq!(now, NOW + Duration::from_millis(300));
}

#[test]
fn one_of_many_that_falls_silent_is_the_only_one_to_fall() {
    let mut table = Sessions::new(3);
    let mut others = Sessions::new(4);
    let address = |n: usize| IpAddr::from([10, 0, 1, n as u8]);
    let hops = Hops::Single;
    let ids: Vec<SessionId> = (0..100)
        .map(|n| table.add(NOW, Peer { address: address(n), interface: 0, hops }, timers(100, 3)))
        .collect();
    let theirs: Vec<SessionId> = (0..100)
        .map(|n| {
            others.add(NOW, Peer { address: [10, 9, 0, n as u8].into(), interface: 0, hops }, timers(100, 3))
        })
        .collect();
    let mut now = NOW;
    let silent_from = NOW + Duration::from_secs(5);
    let mut events = Vec::new();
    while now < NOW + Duration::from_secs(8) {
        for (id, _, packet) in sent(&mut table, now) {
            let n = ids.iter().position(|other| *other == id).unwrap();
            let from = Origin { address: [10, 9, 0, n as u8].into(), interface: 0, port: 3784, ttl: 255 };
            others.receive(now, from, &packet).unwrap();
        }
        for (id, _, packet) in sent(&mut others, now) {
            let n = theirs.iter().position(|other| *other == id).unwrap();
            if n != 42 || now < silent_from {
                let from = Origin { address: address(n), interface: 0, port: 3784, ttl: 255 };
                table.receive(now, from, &packet).unwrap();
            }
        }
        while let Some((id, event)) = table.event() {
            if event != Event::Up {
                events.push((ids.iter().position(|other| *other == id).unwrap(), event));
            }
        }
        let next = [table.next_timeout(), others.next_timeout()].into_iter().flatten().min().unwrap();
        now = now.max(next);
    }
    assert!(
        matches!(events[..], [(42, Event::Down(Failure { reason: Diagnostic::TIME_EXPIRED, .. }))]),
        "{events:?}"
    );
}

proptest! {
    #[test]
    fn no_octets_from_anywhere_break_it(
        datagrams in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..40), 0u8..4, 250u8.., 0u64..400, any::<bool>()), 0..60),
    ) {
        let (mut a, of_a, mut b, _) = hosts();
        let mut now = NOW;
        for (octets, host, ttl, wait, genuine) in datagrams {
            now += Duration::from_millis(wait);
            let mut octets = octets;
            if genuine {
                // Past the first checks: a good packet with some octets of the bad one.
                let mut good = sent(&mut b, now).first().map_or([0; LENGTH], |(.., packet)| *packet);
                good.iter_mut().zip(&octets).step_by(7).for_each(|(to, from)| *to ^= from & 0xc1);
                octets = good.to_vec();
            }
            let address = IpAddr::from([10, 0, 0, host]);
            let _ = a.receive(now, Origin { address, interface: 0, port: 3784, ttl }, &octets);
            sent(&mut a, now);
            prop_assert!(a.next_timeout().is_some_and(|at| at > now));
            prop_assert!(a.get(of_a).is_some());
            while a.event().is_some() {}
        }
    }
}
