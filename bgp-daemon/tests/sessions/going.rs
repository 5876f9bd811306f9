//! How a daemon goes: drained, or to be started again.

use bgp_core::wire::capability::{GracefulRestart, RestartFamily};
use bgp_core::wire::{Community, MessageType};
use bgp_core::{Family, wire::Notification};
use bgp_daemon::api::Command;
use bgp_daemon::api::schema::DrainRequest;

use super::support::{Place, Raw, soon};

const RANGE: &str = "[[clients]]\nrange = \"NET.0/24\"\n";

fn keeps_routes() -> GracefulRestart {
    let family = RestartFamily { family: Family::IPV4_UNICAST, forwarding: true };
    GracefulRestart { restarted: false, notification: true, restart_time: 120, families: vec![family] }
}

fn is_shutting_down(update: &[u8]) -> bool {
    let community = Community::GRACEFUL_SHUTDOWN.0.to_be_bytes();
    update.windows(4).any(|octets| octets == community)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_daemon_marks_its_routes_and_says_why_it_goes() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let (mut source, mut other) = (Raw::up(&place, 2).await, Raw::connect(&place, 3).await);
    other.establish_with(3, Some(keeps_routes())).await;
    source.announce(1).await;
    assert!(!is_shutting_down(&other.hears_update().await.0));

    let control = reflector.daemon.control();
    let drain =
        async |request: DrainRequest| control.ask(|reply| Command::Drain { request, reply }).await.unwrap();
    let reason = Some("new memory".to_owned());
    let drained = drain(DrainRequest { undo: false, reason: reason.clone() }).await;
    assert_eq!((drained.peers, drained.draining.unwrap().reason), (2, reason.clone()));
    assert!(is_shutting_down(&other.hears_update().await.0));
    let status = control.ask(Command::Status).await.unwrap();
    assert_eq!((status.draining.unwrap().reason, status.ready), (reason.clone(), false));

    assert_eq!(drain(DrainRequest { undo: true, reason: None }).await.draining, None);
    assert!(!is_shutting_down(&other.hears_update().await.0));

    drain(DrainRequest { undo: false, reason }).await;
    let ((), notification) = tokio::join!(reflector.daemon.stop("stopped"), other.notification());
    let told = notification.hard_reset_reason().unwrap_or(notification);
    assert_eq!((told.code, told.shutdown_text()), (Notification::CEASE, Some("new memory")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_keeps_routes_is_not_told_of_a_restart() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let mut peer = Raw::connect(&place, 2).await;
    peer.establish_with(2, Some(keeps_routes())).await;
    let end = async {
        while let Some((kind, _)) = peer.message().await {
            assert_ne!(kind, MessageType::Notification);
        }
    };
    tokio::join!(reflector.daemon.stop("back soon"), end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_routes_of_a_peer_that_restarts_wait_for_it() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let (mut lost, mut other) = (Raw::connect(&place, 2).await, Raw::up(&place, 3).await);
    lost.establish_with(2, Some(keeps_routes())).await;
    lost.announce(2).await;
    other.hears(2).await;
    drop(lost);
    // The member of a range stays for as long as its routes do.
    let stale = async || {
        let row = reflector.row(place.address(2)).await.unwrap();
        row.families.first().map(|family| (family.accepted, family.stale))
    };
    soon("stale routes", async { while stale().await != Some((2, 2)) {} }).await;
    let mut back = Raw::connect(&place, 2).await;
    back.establish_with(2, Some(GracefulRestart { restarted: true, ..keeps_routes() })).await;
    back.announce(2).await;
    soon("fresh routes", async { while stale().await != Some((2, 0)) {} }).await;
}
