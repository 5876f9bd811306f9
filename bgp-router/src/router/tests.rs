use std::time::Duration;

use bgp_core::RouterId;
use bgp_core::fsm::{Session, SessionConfig, State};
use bgp_core::wire::Capability;
use bgp_core::wire::capability::{GracefulRestart, RestartFamily};
use bgp_core::wire::header::write_keepalive;

use super::*;
use crate::RestartSettings;
use crate::tests::rig::{OUR_AS, both, client, ends_of_rib, from_client, identity, rib_config};

const LINK: ConnectionId = ConnectionId(1);

fn local() -> LocalAddresses {
    LocalAddresses::new([10, 0, 0, 254].into(), None)
}

/// What a client says that restarts gracefully, up to Established.
fn hello(number: u8) -> Vec<u8> {
    let family = |family| RestartFamily { family, forwarding: true };
    let families = both().iter().map(family).collect();
    let restart = GracefulRestart { restart_time: 100, families, ..GracefulRestart::default() };
    let config = SessionConfig {
        families: both(),
        graceful_restart: Some(restart),
        ..SessionConfig::new(OUR_AS, RouterId(number.into()), None)
    };
    let mut octets = Vec::new();
    Session::new(config, 0).our_open().encode(&mut octets);
    write_keepalive(&mut octets);
    octets
}

#[test]
fn a_member_of_a_range_that_is_gone_makes_room_for_another() {
    let mut router = Router::new(identity(), rib_config());
    let range = "10.0.0.0/24".parse().unwrap();
    router.add_range(RangeSettings { range, max_sessions: 1, template: client(0) });
    let local = LocalAddresses::new([10, 0, 0, 254].into(), None);
    let now = Instant::ZERO;
    let accept =
        |router: &mut Router, id, host| router.accept(now, ConnectionId(id), [10, 0, 0, host].into(), local);
    let slot = accept(&mut router, 1, 1).unwrap();
    router.run(now);
    assert!(router.peer(slot).is_some(), "it has a connection");
    assert_eq!(accept(&mut router, 2, 2), Err(Stranger::RangeFull(range, 1)));
    router.with_peer(slot, |peer| peer.disconnected(now, ConnectionId(1)));
    router.run(now);
    assert!(router.peer(slot).is_none());
    assert_eq!(accept(&mut router, 3, 2), Ok(slot));
}

#[test]
fn the_slot_of_a_member_of_a_range_is_not_used_again_while_its_routes_are_kept() {
    let mut router = Router::new(identity(), rib_config());
    let range = "10.0.0.0/24".parse().unwrap();
    let template = PeerSettings { restart: Some(RestartSettings::default()), hold_time: 0, ..client(0) };
    router.add_range(RangeSettings { range, max_sessions: 2, template });
    let mut now = Instant::ZERO;
    let slot = router.accept(now, LINK, [10, 0, 0, 1].into(), local()).unwrap();
    let octets = [hello(1), from_client(1, "10.1.0.0/16")].concat();
    router.with_peer(slot, |peer| peer.read(now, LINK, &octets));
    router.run(now);
    router.with_peer(slot, |peer| peer.disconnected(now, LINK));
    router.run(now);
    assert!(router.core().rib().route("10.1.0.0/16".parse().unwrap()).is_some());
    let other = router.accept(now, ConnectionId(2), [10, 0, 0, 2].into(), local()).unwrap();
    assert_ne!(other, slot);
    router.with_peer(other, |peer| peer.disconnected(now, ConnectionId(2)));
    now += Duration::from_secs(100);
    router.handle_timeout(now);
    router.run(now);
    assert!(router.core().rib().route("10.1.0.0/16".parse().unwrap()).is_none());
    assert_eq!(router.slots().count(), 0);
}

#[test]
fn after_a_restart_our_opens_say_so_until_it_is_over() {
    let said = |router: &Router, slot| {
        let open = router.peer(slot).unwrap().session().our_open();
        open.capabilities.into_iter().find_map(|capability| match capability {
            Capability::GracefulRestart(restart) => Some(restart.restarted),
            _ => None,
        })
    };
    let mut router = Router::new(identity(), rib_config());
    let now = Instant::ZERO;
    let settings = |n| PeerSettings { restart: Some(RestartSettings::default()), ..client(n) };
    let before = router.add_peer(now, settings(1)).unwrap();
    assert_eq!(said(&router, before), Some(false));
    router.begin_restart(now, now + Duration::from_secs(60));
    let after = router.add_peer(now, settings(2)).unwrap();
    assert_eq!([before, after].map(|slot| said(&router, slot)), [Some(true); 2]);
    router.with_peer(before, |peer| peer.connected(now, LINK, Direction::Incoming, local()));
    let octets = [hello(1), ends_of_rib()].concat();
    router.with_peer(before, |peer| peer.read(now, LINK, &octets));
    router.run(now);
    assert_eq!(router.peer(before).unwrap().session().state(), State::Established);
    let later = now + Duration::from_secs(10);
    router.handle_timeout(later);
    router.run(later);
    assert_eq!([before, after].map(|slot| said(&router, slot)), [Some(false); 2]);
    let told = std::iter::from_fn(|| router.poll()).filter(|o| matches!(o, RouterOutput::Restarted));
    assert_eq!(told.count(), 1);
}
