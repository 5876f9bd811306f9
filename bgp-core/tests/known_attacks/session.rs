//! The session: NOTIFICATION, ROUTE-REFRESH, message types, and what follows the end.

use bgp_core::Instant;
use bgp_core::wire::notification::cease;
use bgp_core::wire::{MessageType, Notification};

use crate::rig::{Answer, Peer, ends_with, message};

const SHUTDOWN: u8 = cease::ADMINISTRATIVE_SHUTDOWN;

#[test]
fn cve_2022_37032_frr_a_capability_message_is_an_unknown_type() {
    for body in [&[][..], &[0], &[0, 1], &[0, 1, 4], &[1, 1, 255]] {
        let mut capability = message(MessageType::Keepalive, body);
        capability[18] = 6;
        assert_eq!(Peer::established().hears(&capability), ends_with(1, 3, &[6]), "{body:?}");
    }
}

#[test]
fn cve_2023_41360_frr_a_refresh_with_its_filter_cut_off_reads_no_further() {
    let body = [0, 1, 0, 1, /* when */ 1, /* type */ 64, /* length */ 0xff, 0xff, 0];
    for cut in 4..=body.len() {
        let refresh = message(MessageType::RouteRefresh, &body[..cut]);
        assert_eq!(Peer::established().hears(&refresh), (vec![], false), "{cut}");
    }
}

#[test]
fn cve_2019_16159_bird_a_long_shutdown_text_is_cut_and_a_wrong_one_never_read_as_text() {
    let long = Notification::cease(SHUTDOWN, &"é".repeat(4000));
    assert_eq!((long.data.len(), long.shutdown_text().map(str::len)), (255, Some(254)));
    for text in [vec![255; 300], vec![255, b'x'], vec![1, 0xff], vec![128; 129]] {
        let body = [&[Notification::CEASE, SHUTDOWN][..], &text].concat();
        let notification = Notification::parse(&body).unwrap();
        assert_eq!(notification.shutdown_text(), None);
        assert!(notification.to_string().len() < 200);
        let (answers, closed) = Peer::established().hears(&message(MessageType::Notification, &body));
        assert_eq!((answers, closed), (vec![], true));
    }
}

#[test]
fn cve_2025_59688_bird_a_notification_while_much_is_to_be_sent_ends_the_session_once() {
    let mut peer = Peer::established();
    for _ in 0..100 {
        peer.session.queued(Instant::ZERO);
    }
    let cease = message(MessageType::Notification, &[Notification::CEASE, SHUTDOWN]);
    assert_eq!(peer.hears(&[cease.clone(), cease].concat()), (vec![], true));
    peer.session.sent(Instant::ZERO, true);
    peer.session.update_written(Instant::ZERO);
    assert_eq!(peer.hears(&message(MessageType::Keepalive, &[])), (vec![], false));
}

#[test]
fn openbgpd_7_3_errata_009_a_notification_of_ours_ends_the_session_and_drops_what_was_read() {
    let mut peer = Peer::established();
    peer.session.reset(Instant::ZERO, Notification::new(Notification::CEASE, cease::MAX_PREFIXES));
    let late = [message(MessageType::Update, &[0; 4]), vec![0; 100]].concat();
    assert_eq!(peer.hears(&late), ends_with(6, 1, &[]));
    assert_eq!(peer.hears(&late), (vec![], false));
}

#[test]
fn cve_2023_46565_gobgp_the_answer_to_any_open_is_a_notification_that_can_be_read() {
    for at in 0..29 {
        for octet in [0, 1, 0x7f, 0x80, 0xff] {
            let mut body = crate::rig::open_body(&[
                20, 2, 18, 1, 4, 0, 1, 0, 1, 65, 4, 0, 0, 0xfc, 0, 64, 2, 0, 0, 2, 0,
            ]);
            body[at] = octet;
            let (answers, closed) = Peer::open_sent().hears(&message(MessageType::Open, &body));
            match answers.as_slice() {
                [Answer::Notification(n)] => assert!(closed && n.code == Notification::OPEN, "{n}"),
                [Answer::Other(MessageType::Keepalive)] => assert!(!closed),
                other => panic!("{at} {octet}: {other:?}"),
            }
        }
    }
}
