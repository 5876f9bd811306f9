//! Peers that come, go, say nonsense, or nothing at all.

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_daemon::api::schema::SessionState;
use tokio::io::AsyncWriteExt;

use super::support::{Place, Raw};

const RANGE: &str = "[[clients]]\nrange = \"NET.0/28\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_pass_between_clients_and_go_with_their_session() {
    let place = Place::new();
    let mut reflector = place.start_reflector(&format!("{RANGE}graceful-restart = false\n")).await;
    let announce = "[announce]\nprefixes = [\"10.2.0.0/24\", \"10.2.1.0/24\"]\n";
    let first = place.start_client(2, announce).await;
    let mut second = place.start_client(3, "").await;
    second.holds(&["10.2.0.0/24", "10.2.1.0/24"]).await;
    first.daemon.stop("over").await;
    second.holds(&[]).await;
    reflector.holds(&[]).await;
    assert_eq!(reflector.row(place.address(2)).await, None, "a member ends with its session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_takes_no_more_than_its_sessions() {
    let place = Place::new();
    let mut reflector = place.start_reflector(&format!("{RANGE}max-sessions = 2\n")).await;
    let (first, _second) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    assert_eq!(Raw::connect(&place, 4).await.message().await, None);
    drop(first);
    reflector.sees_removed(place.address(2)).await;
    Raw::up(&place, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_stops_says_why() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let mut raw = Raw::up(&place, 2).await;
    let ((), notification) = tokio::join!(reflector.daemon.stop("see you tomorrow"), raw.notification());
    let told = (notification.code, notification.subcode, notification.shutdown_text());
    assert_eq!(told, (Notification::CEASE, cease::ADMINISTRATIVE_SHUTDOWN, Some("see you tomorrow")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_delays_nobody() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let mut stuck = Raw::with_buffer(&place, 2, Some(4096)).await;
    stuck.establish(2).await;
    let (mut source, mut quick) = (Raw::up(&place, 3).await, Raw::up(&place, 4).await);
    let count = 300_000;
    let (_, ()) = tokio::join!(quick.hears(count), source.announce(count as u32));
    let row = reflector.row(place.address(2)).await.unwrap();
    assert_eq!((row.state, row.flaps), (SessionState::Established, 0));
    stuck.hears(count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_answered_before_the_connection_is_closed() {
    let place = Place::new();
    let _reflector = place.start_reflector(RANGE).await;
    // Little, and far more than is read at a time: input that nobody wants must not turn the answer into a reset.
    for (host, octets) in [(2, 40), (3, 1 << 20)] {
        let mut raw = Raw::connect(&place, host).await;
        let nonsense = vec![b'x'; octets];
        raw.stream.write_all(&nonsense).await.unwrap();
        let notification = raw.notification().await;
        assert_eq!((notification.code, notification.subcode), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_turned_away_and_disturb_nobody() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let (mut source, mut client) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    let mut strangers = Vec::new();
    for host in 0..200 {
        strangers.push(Raw::connect(&place, 50 + host % 200).await);
    }
    source.announce(1000).await;
    client.hears(1000).await;
    for stranger in &mut strangers {
        assert_eq!(stranger.message().await, None);
    }
    assert_eq!(reflector.row(place.address(3)).await.unwrap().flaps, 0);
    assert_eq!(reflector.daemon.control().ask(bgp_daemon::api::Command::Peers).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_one_node_over_ipv4_and_ipv6_do_not_collide() {
    let place = Place::with_v6();
    let reflector = place.start_reflector(&format!("{RANGE}[[clients]]\nrange = \"::1/128\"\n")).await;
    let (mut v4, mut v6) = (Raw::connect(&place, 2).await, Raw::connect_v6(&place).await);
    v4.establish(2).await;
    v6.establish(2).await;
    for address in [place.address(2), std::net::Ipv6Addr::LOCALHOST.into()] {
        let row = reflector.row(address).await.unwrap();
        assert_eq!((row.state, row.flaps), (SessionState::Established, 0), "{address}");
    }
}
