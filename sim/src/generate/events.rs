//! What happens, and when.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_core::Prefix;

use super::{Features, borders, draw_side, is_external};
use crate::random::Random;
use crate::spec::{Event, Spec};

pub(super) fn draw(
    spec: &Spec,
    features: Features,
    random: &mut Random,
    of_borders: &mut Random,
) -> Vec<(Duration, Event)> {
    let prefixes = prefixes(random);
    let span = random.time_up_to(Duration::from_secs(300)).max(Duration::from_secs(1));
    let mut events = Vec::new();
    for _ in 0..1 + random.below(60) {
        // Many things happen at the start, when sessions come up.
        let at =
            if random.one_in(4) { random.time_up_to(span) } else { random.time(&(Duration::ZERO..span)) };
        if let Some(mut event) = event(spec, features, &prefixes, random) {
            if let Event::Configure(session, end, side) = &mut event {
                borders::treat(side, (&spec.routers, &spec.sessions), (*session, *end), features, of_borders);
            }
            events.push((at, event));
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

/// Prefixes of both families; some lie inside others.
fn prefixes(random: &mut Random) -> Vec<Prefix> {
    let count = 1 + random.below(30);
    (0..count as u32)
        .filter_map(|number| match number % 4 {
            0 | 1 => Prefix::new(IpAddr::V4(Ipv4Addr::from(0x0af4_0000 + (number << 6))), 26),
            2 => {
                Prefix::new(IpAddr::V4(Ipv4Addr::from(0x0af4_0000 + (number << 8))), 22 + (number % 3) as u8)
            }
            _ => Prefix::new(IpAddr::V6(Ipv6Addr::from(0xfd44_u128 << 112 | u128::from(number) << 64)), 64),
        })
        .collect()
}

fn event(spec: &Spec, features: Features, prefixes: &[Prefix], random: &mut Random) -> Option<Event> {
    let node = random.below(spec.routers.len());
    let (session, end) = (random.below(spec.sessions.len()), random.below(2));
    let mut up_to = |seconds| random.time_up_to(Duration::from_secs(seconds));
    let (short, long) = (up_to(60), up_to(300));
    let prefix = prefixes.get(random.below(prefixes.len())).copied()?;
    let event = match random.below(32) {
        0..=10 => Event::Announce(node, prefix),
        11..=14 => Event::Withdraw(node, prefix),
        15..=16 => Event::Reset(session),
        17 => Event::Cut(session, long),
        18 => Event::HalfOpen(session, end, long),
        // One in five is longer than the send hold time.
        19 if random.one_in(5) => Event::Stall(session, end, Duration::from_secs(500) + short),
        19 => Event::Stall(session, end, short),
        20 => Event::Crash(node, short),
        21 => Event::Restart(node, short),
        22 => Event::Shutdown(session, end, short),
        23 => Event::Refresh(session, end),
        24 => Event::RefreshOut(session, end),
        25 => Event::Freeze(node, long),
        26 => Event::Garbage(session, end, random.draw()),
        27..=28 if features.configure => configure(spec, features, session, end, random)?,
        29 if features.drain => Event::Drain(node, random.one_in(2)),
        30..=31 if features.tracking => {
            let metric = (!random.one_in(2)).then(|| random.below(3) as u32);
            Event::NextHop(node, random.below(spec.routers.len()), metric)
        }
        _ => Event::Announce(node, prefix),
    };
    Some(event)
}

fn configure(
    spec: &Spec,
    features: Features,
    session: usize,
    end: usize,
    random: &mut Random,
) -> Option<Event> {
    let line = spec.sessions.get(session)?;
    let old = line.sides.get(end)?;
    let mut side = draw_side(old.client, is_external(line, &spec.routers), features, random);
    side.passive = old.passive;
    if random.one_in(2) {
        // Only what can be changed without a reset.
        side.extended_message = old.extended_message;
        side.add_path = old.add_path;
        (side.restart_time, side.long_lived) = (old.restart_time, old.long_lived);
        side.advertise = if random.one_in(2) { old.advertise } else { side.advertise };
    }
    Some(Event::Configure(session, end, Box::new(side)))
}
