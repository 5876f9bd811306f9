//! A new configuration touches only what it changes.

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_daemon::api::schema::SessionState;
use bgp_daemon::api::{Command, ControlError};
use bgp_daemon::config::{Config, DaemonKind};
use bgp_daemon::net::kernel_has_tcp_ao;
use bgp_daemon::runtime::{Daemon, Options};

use super::support::{Place, Raw, soon};

const RANGE: &str = "[[clients]]\nrange = \"NET.0/24\"\n";

fn is_cease(notification: &Notification, subcode: u8) -> bool {
    (notification.code, notification.subcode) == (Notification::CEASE, subcode)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefixes_change_and_sessions_stay() {
    let place = Place::new();
    let mut reflector = place.start_reflector(RANGE).await;
    let announce = |prefix: &str| format!("[announce]\nprefixes = [\"{prefix}\"]\n");
    let mut node = place.start_client(2, &announce("10.2.0.0/24")).await;
    let mut other = place.start_client(3, "").await;
    reflector.holds(&["10.2.0.0/24"]).await;
    other.holds(&["10.2.0.0/24"]).await;
    node.sees_up(place.address(1)).await;
    let before = node.row(place.address(1)).await.unwrap();

    let peer = std::fs::read_to_string(place.file(2)).unwrap();
    std::fs::write(place.file(2), peer.replace("10.2.0.0/24", "10.2.1.0/24")).unwrap();
    node.daemon.control().reload().await.unwrap();
    other.holds(&["10.2.1.0/24"]).await;
    reflector.holds(&["10.2.1.0/24"]).await;
    let after = node.row(place.address(1)).await.unwrap();
    assert_eq!((after.since, after.flaps, after.state), (before.since, 0, SessionState::Established));
    assert_eq!(reflector.row(place.address(3)).await.unwrap().flaps, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_leaves_the_running_one() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let mut raw = Raw::up(&place, 2).await;
    place.configure(1, true, "[[clients]]\nrange = \"NET.0/33\"\nno-such-key = 1\n");
    let error = reflector.daemon.control().reload().await.unwrap_err();
    assert!(matches!(&error, ControlError::InvalidConfig(text) if text.contains("no-such-key")), "{error}");
    assert_eq!(reflector.row(place.address(2)).await.unwrap().flaps, 0);
    let mut source = Raw::up(&place, 3).await;
    source.announce(5).await;
    raw.hears(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_lowered_counts_for_the_running_session() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let mut raw = Raw::up(&place, 2).await;
    place.configure(1, true, &format!("{RANGE}max-prefix = 4\n"));
    reflector.daemon.control().reload().await.unwrap();
    raw.announce(4).await;
    assert_eq!(reflector.row(place.address(2)).await.unwrap().flaps, 0);
    raw.announce(5).await;
    assert!(is_cease(&raw.notification().await, cease::MAX_PREFIXES));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_entry_resets_its_peers_and_no_others() {
    let place = Place::new();
    let entry = |number, hold| format!("[[clients]]\naddress = \"NET.{number}\"\npassive = true\n{hold}\n");
    let reflector = place.start_reflector(&(entry(2, "") + &entry(3, ""))).await;
    let (mut changed, mut same) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    place.configure(1, true, &(entry(2, "families = [\"ipv4\"]") + &entry(3, "")));
    let (reload, notification) = tokio::join!(reflector.daemon.control().reload(), changed.notification());
    reload.unwrap();
    assert!(is_cease(&notification, cease::CONFIGURATION_CHANGE), "{notification}");
    drop(changed);
    let mut source = Raw::up(&place, 2).await;
    source.announce(3).await;
    same.hears(3).await;
    assert_eq!(reflector.row(place.address(3)).await.unwrap().flaps, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_range_ends_its_members() {
    let place = Place::new();
    let mut reflector = place.start_reflector(RANGE).await;
    let mut raw = Raw::up(&place, 2).await;
    place.configure(1, true, "");
    let (reload, notification) = tokio::join!(reflector.daemon.control().reload(), raw.notification());
    reload.unwrap();
    assert!(is_cease(&notification, cease::PEER_DECONFIGURED), "{notification}");
    reflector.sees_removed(place.address(2)).await;
    assert!(soon("the end", Raw::connect(&place, 2).await.message()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_a_range_that_gets_its_own_entry_is_moved_to_it() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let (mut moved, mut same) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    let own = "[[clients]]\naddress = \"NET.2\"\nname = \"own\"\npassive = true\n";
    place.configure(1, true, &format!("{RANGE}{own}"));
    let (reload, notification) = tokio::join!(reflector.daemon.control().reload(), moved.notification());
    reload.unwrap();
    assert!(is_cease(&notification, cease::CONFIGURATION_CHANGE), "{notification}");
    let row = reflector.row(place.address(2)).await.unwrap();
    assert_eq!((row.name.as_deref(), row.range), (Some("own"), None));
    let mut source = Raw::up(&place, 2).await;
    source.announce(3).await;
    same.hears(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_counts_on_the_live_session() {
    let place = Place::new();
    let key = |key: &str| format!("password = \"{key}\"\n");
    let mut reflector = place.start_reflector(&format!("{RANGE}{}", key("one"))).await;
    let node = place.start_client(2, &key("one")).await;
    reflector.sees_up(place.address(2)).await;
    place.configure(1, true, &format!("{RANGE}{}", key("two")));
    reflector.daemon.control().reload().await.unwrap();
    let text = std::fs::read_to_string(place.file(2)).unwrap();
    let announced = "[announce]\nprefixes = [\"10.2.0.0/24\"]\n";
    std::fs::write(place.file(2), text.replace("\"one\"", "\"two\"") + announced).unwrap();
    node.daemon.control().reload().await.unwrap();
    reflector.holds(&["10.2.0.0/24"]).await;
    let row = reflector.row(place.address(2)).await.unwrap();
    assert_eq!((row.state, row.flaps), (SessionState::Established, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_without_tcp_ao_is_told_by_start_and_reload_and_nothing_goes_unsigned() {
    let place = Place::new();
    let mut reflector = place.start_reflector(RANGE).await;
    let _raw = Raw::up(&place, 2).await;
    let keys = "tcp-ao = [{ id = 1, algorithm = \"hmac-sha-1-96\", key = \"s3cret\" }]\n";
    place.configure(1, true, &format!("{RANGE}{keys}"));
    let reloaded = reflector.daemon.control().reload().await;
    place.configure_client(3, keys);
    let config = Config::load(&place.file(3), DaemonKind::Reflector).unwrap();
    let started = Daemon::start(config, Options::default()).await;
    if kernel_has_tcp_ao() {
        let _ = (reloaded.unwrap(), started.unwrap());
        return reflector.sees_removed(place.address(2)).await;
    }
    let text = |peer: &str| {
        format!(
            "peer {peer}: this kernel has no TCP-AO (it takes Linux 6.7 or later with CONFIG_TCP_AO): use `password` \
             (TCP MD5), or another kernel"
        )
    };
    let range = place.address(0);
    let error = reloaded.unwrap_err();
    assert!(
        matches!(&error, ControlError::Refused { message, .. } if *message == text(&format!("{range}/24"))),
        "{error}"
    );
    assert_eq!(started.unwrap_err().to_string(), text(&place.address(1).to_string()));
    assert_eq!(reflector.row(place.address(2)).await.unwrap().flaps, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_other_nodes_is_not_announced_until_labels_say_so() {
    let place = Place::new();
    let mut reflector = place.start_reflector(RANGE).await;
    let with = |labels: &str| {
        format!(
            "[node]\nlabels = {{ {labels} }}\n[[pools]]\ncidr = \"10.2.0.0/16\"\nnode-selector = \"rack == 'a'\"\n\
             [announce]\nprefixes = [\"10.2.0.0/26\", \"10.3.0.0/24\"]\n"
        )
    };
    let mut node = place.start_speaker(2, &with("")).await;
    reflector.holds(&["10.3.0.0/24"]).await;
    let control = node.daemon.control().clone();
    let announce = async |prefix: &str| {
        let prefixes = vec![prefix.parse().unwrap()];
        control.ask(|reply| Command::Announce { prefixes, reply }).await
    };
    let refused = announce("10.2.0.64/26").await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "10.2.0.64/26 cannot be announced: it is of the pool 10.2.0.0/16, whose node-selector `rack == 'a'` does not \
         match the labels of this node"
    );
    announce("10.4.0.0/24").await.unwrap();
    reflector.holds(&["10.3.0.0/24", "10.4.0.0/24"]).await;

    assert!(!node.reload.has_changed().unwrap());
    place.configure_client(2, &with("rack = \"a\""));
    node.daemon.control().reload().await.unwrap();
    reflector.holds(&["10.2.0.0/26", "10.3.0.0/24", "10.4.0.0/24"]).await;
    assert!(node.reload.has_changed().unwrap());
    let network = node.reload.borrow_and_update().network.clone().unwrap();
    assert_eq!(network.node.labels["rack"], "a");

    place.configure_client(2, &with("rack = \"b\""));
    node.daemon.control().reload().await.unwrap();
    reflector.holds(&["10.3.0.0/24", "10.4.0.0/24"]).await;
}
