//! Two sessions and a network that loses, garbles, delays and cuts, as the input says: once it behaves again, both are
//! Established on one connection.
#![no_main]

use std::time::Duration;

use bgp_core::wire::Notification;
use bgp_core::wire::capability::GracefulRestart;
use bgp_core::{Asn, Family, FamilySet, RouterId, SessionConfig};
use fuzz::Script;
use fuzz::network::Network;
use libfuzzer_sys::fuzz_target;

/// Not both sides passive, and with a hold time: else nobody need ever notice a loss.
fn config(script: &mut Script<'_>, router_id: u32) -> SessionConfig {
    let bits = script.u8();
    let bit = |bit: u8| bits >> bit & 1 == 1;
    let local_as = Asn(64512 + u32::from(bit(5)) * router_id);
    let delay_open = bit(3).then(|| Duration::from_secs(u64::from(script.u8() % 32)));
    SessionConfig {
        passive: bit(0) && router_id == 1,
        graceful_restart: bit(1).then(GracefulRestart::default),
        extended_message: bit(2),
        hold_time: if bit(4) { 3 } else { 90 },
        families: FamilySet::EMPTY.with(Family::IPV4_UNICAST).with(Family::IPV6_UNICAST),
        delay_open,
        ..SessionConfig::new(local_as, RouterId(router_id), None)
    }
}

fn step(network: &mut Network, script: &mut Script<'_>) {
    let what = script.u8();
    let side = usize::from(what >> 7);
    match what % 16 {
        0 => network.wait(Duration::from_millis(u64::from(script.u8()))),
        1 => network.wait(Duration::from_secs(u64::from(script.u8()))),
        2 => network.flow(),
        3 => network.answer(side, true),
        4 => network.answer(side, false),
        5 => network.call(side, |session, now| session.stop(now, Notification::cease(2, "for the test"))),
        6 => network.call(side, |session, now| session.start(now)),
        7 => {
            let notification = Notification::new(script.u8(), script.u8());
            network.call(side, |session, now| session.reset(now, notification));
        }
        _ => tamper(network, script, what % 16, side),
    }
}

/// Something happens to a connection.
fn tamper(network: &mut Network, script: &mut Script<'_>, what: u8, side: usize) {
    let Some(id) = network.pick(script.u8()) else { return };
    if what < 10 {
        let count = if what == 8 { usize::MAX } else { usize::from(script.u8()) };
        return network.deliver(side, id, count);
    }
    if what == 10 {
        return network.fail(side, id);
    }
    let Some(line) = network.line(id) else { return };
    let octets = &mut line.to[side].on_the_way;
    let at = usize::from(script.u8()).min(octets.len());
    match what {
        11 => line.cut = true,
        12 => drop(octets.drain(..at)),
        13 => octets.truncate(at),
        14 => {
            let len = script.u8();
            octets.splice(at..at, script.take(usize::from(len)).iter().copied());
        }
        _ => {
            let garbled = script.u8();
            octets.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= garbled);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let (a, b) = (config(&mut script, 1), config(&mut script, 2));
    let mut network = Network::new(a, b);
    while !script.is_empty() {
        step(&mut network, &mut script);
    }
    assert!(network.recovers(), "an hour later the states are {:?}", network.states());
});
