//! Peers, routes and reload of a reflector and its clients.

use std::fs;

use crate::setup::Place;

#[test]
fn a_peer_that_is_down_is_listed_with_its_reason_until_it_is_up() {
    let place = Place::new();
    let speaker = place.speaker("node", &place.client(2, "10.0.0.2"));
    let mut events = speaker.watch("peers");
    events.until("connect -> active");
    let refused = "refuses the connection: is BGP running there, and on this port?";
    let down = speaker.ok("peers --down --no-header");
    assert!(down.contains(" rr ") && down.contains(refused), "{down}");
    assert_eq!(speaker.bgp("wait --established rr --timeout 100ms").code, 5);
    assert!(speaker.ok("status").contains("ready         no\n"));

    let reflector = place.reflector();
    let up = speaker.ok("wait --established rr --timeout 60s");
    assert!(up.contains("established"), "{up}");
    assert_eq!(speaker.json("peers --down")["peers"], serde_json::json!([]));
    reflector.ok(&format!("wait --established {} --timeout 60s", place.address(2)));
}

#[test]
fn prefixes_come_and_go_by_command_and_by_reload() {
    let place = Place::new();
    let reflector = place.reflector();
    let text = place.client(2, "10.0.0.2");
    let speaker = place.speaker("node", &text);
    speaker.ok("wait --all --timeout 60s");
    let mut routes = reflector.watch("routes");

    assert_eq!(speaker.ok("announce 10.244.1.0/26 10.244.2.0/26"), "2 of 2 prefixes announced\n");
    assert_eq!(speaker.ok("announce 10.244.1.0/26"), "0 of 1 prefixes announced\n");
    let from = place.address(2);
    assert_eq!(routes.until("10.244.1.0/26"), format!("route 10.244.1.0/26 via {from} from {from} path -"));
    assert_eq!(reflector.json("routes 10.244.1.0/26")["routes"][0]["from"], from.as_str());
    assert_eq!(speaker.ok("withdraw 10.244.1.0/26"), "1 of 1 prefixes withdrawn\n");
    assert_eq!(routes.until("10.244.1.0/26"), "withdraw 10.244.1.0/26");
    assert_eq!(reflector.bgp("routes 10.244.1.0/26").code, 1);

    place.configure("node", &format!("{text}[announce]\nprefixes = [\"10.244.3.0/26\"]\n"));
    assert_eq!(speaker.ok("reload"), "announce + 10.244.3.0/26 (live)\n");
    routes.until("route 10.244.3.0/26");
    assert_eq!(speaker.ok("reload"), "nothing changed\n");
    let configured = speaker.bgp("withdraw 10.244.3.0/26");
    assert_eq!(configured.code, 4);
    assert!(configured.err.contains("`announce.prefixes` of the configuration"), "{}", configured.err);

    let file = place.configure("node", &format!("{text}[announce]\nprefixs = []\n"));
    let refused = speaker.bgp("reload");
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("did you mean `prefixes`?"), "{}", refused.err);
    assert!(refused.err.ends_with("hint: the running configuration stays in force\n"), "{}", refused.err);
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("64512", "64513")).unwrap();
    assert_eq!(speaker.bgp("reload").code, 2);
    reflector.ok("routes 10.244.3.0/26");
}

#[test]
fn a_route_is_explained_and_a_daemon_drained_by_command() {
    let place = Place::new();
    let reflector = place.reflector();
    let [first, second] = [2, 3].map(|host| {
        let text = place.client(host, &format!("10.0.0.{host}"));
        place.speaker(&format!("node-{host}"), &text)
    });
    let mut routes = second.watch("routes");
    first.ok("wait --all --timeout 60s");
    second.ok("wait --all --timeout 60s");
    first.ok("announce 10.244.1.0/26");
    routes.until("route 10.244.1.0/26");
    let [from, to] = [2, 3].map(|host| place.address(host));
    let sent = reflector.ok(&format!("explain 10.244.1.0/26 --to {to}"));
    assert!(
        sent.contains(&format!("to {to} the route is sent (export accept)\nfrom {from}: goes out\n")),
        "{sent}"
    );
    let back = reflector.bgp(&format!("explain 10.244.1.0/26 --to {from}"));
    assert!(back.out.contains("stopped at: not from this peer\n"), "{}", back.out);
    assert_eq!((back.code, reflector.bgp("explain 10.9.9.0/24").code), (1, 1));
    assert_eq!(reflector.bgp("routes rejected").code, 4, "no peer's routes are kept");

    let drained = first.ok("drain --reason maintenance --wait 1ms");
    assert_eq!(drained, "draining: routes go out with GRACEFUL_SHUTDOWN, to 1 established peers\n");
    routes.until("route 10.244.1.0/26");
    let row = second.json("routes 10.244.1.0/26")["routes"][0].clone();
    assert_eq!((&row["communities"][0], &row["local_pref"]), (&"graceful-shutdown".into(), &0.into()));
    assert!(first.ok("status").contains(": maintenance\n"));
    assert!(first.ok("drain --undo").starts_with("not draining"));
}

#[test]
fn a_peer_is_taken_down_and_up_reset_and_refreshed() {
    let place = Place::new();
    let reflector = place.reflector();
    let speaker = place.speaker("node", &place.client(2, "10.0.0.2"));
    speaker.ok("wait --all --timeout 60s");
    let client = place.address(2);
    let mut at_reflector = reflector.watch("peers");
    let mut at_speaker = speaker.watch("peers");

    assert_eq!(speaker.ok("peer rr refresh"), "rr refresh\n");
    assert_eq!(speaker.ok("peer rr down --reason maintenance"), "rr down\n");
    let lost = at_reflector.until("established -> ");
    // Both would keep routes over a plain Cease (RFC 8538), so that the end is told in a Hard Reset.
    let told = "peer sent Cease: Hard Reset (Cease: Administrative Shutdown \"maintenance\")";
    assert!(lost.ends_with(told), "{lost}");
    at_speaker.until("established -> idle");
    let row = speaker.json("peers")["peers"][0].clone();
    assert_eq!((&row["state"], &row["reason"]), (&"idle".into(), &"shut down".into()));
    assert_eq!(speaker.bgp("peer rr refresh").code, 4, "there is no session");

    assert_eq!(speaker.ok("peer rr up"), "rr up\n");
    speaker.ok("wait --established rr --timeout 60s");
    reflector.ok(&format!("wait --established {client} --timeout 60s"));
    let refused = reflector.bgp(&format!("peer {client} down"));
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("would be let in again\nhint: "), "{}", refused.err);
    reflector.ok(&format!("peer {client} reset --reason upgrade"));
    let lost = at_speaker.until("established -> active");
    assert!(lost.ends_with("peer sent Cease: Administrative Reset \"upgrade\""), "{lost}");
    speaker.ok("wait --established rr --timeout 60s");
    assert!(speaker.ok("peer rr --history").contains("Administrative Reset \"upgrade\""));
    assert_eq!(speaker.bgp("peer nobody reset").code, 1);
}

#[test]
fn two_clients_with_one_router_id_raise_an_alarm_while_both_are_up() {
    let place = Place::new();
    let reflector = place.reflector();
    let mut events = reflector.watch("peers");
    let first = place.speaker("first", &place.client(2, "10.0.0.7"));
    first.ok("wait --all --timeout 60s");
    let second = place.speaker("second", &place.client(3, "10.0.0.7"));
    second.ok("wait --all --timeout 60s");
    let alarm = events.until("alarm: ");
    assert!(alarm.contains("both have the router id 10.0.0.7"), "{alarm}");
    let alarms = reflector.json("status")["alarms"].clone();
    let alarm = alarms[0].as_str().unwrap();
    assert!(alarm.contains(&place.address(2)) && alarm.contains(&place.address(3)), "{alarms}");

    second.ok("peer rr down");
    events.until(&format!("{} removed", place.address(3)));
    assert_eq!(reflector.json("status")["alarms"], serde_json::json!([]));
}

#[test]
fn what_passes_through_the_reflector_is_measured() {
    let place = Place::new();
    let reflector = place.reflector();
    let first = place.speaker("first", &place.client(2, "10.0.0.2"));
    let second = place.speaker("second", &place.client(3, "10.0.0.3"));
    first.ok("wait --all --timeout 60s");
    second.ok("wait --all --timeout 60s");
    let count = || reflector.metric("bgp_propagation_seconds_count").unwrap();
    let mut routes = second.watch("routes");
    let mut announced = 0;
    // Samples are some time apart, and the session's first routes may be in one.
    while count() < 2.0 {
        let prefix = format!("10.244.{announced}.0/26");
        first.ok(&format!("announce {prefix}"));
        routes.until(&prefix);
        announced += 1;
    }
    let sum = reflector.metric("bgp_propagation_seconds_sum").unwrap();
    assert!(sum > 0.0 && sum < 60.0, "{sum}");
    first.ok("peer rr down");
    let series = format!(
        "bgp_peer_notifications_total{{peer=\"{}\",direction=\"sent\",code=\"cease\"}}",
        place.address(1)
    );
    assert_eq!(first.metric(&series), Some(1.0));
}
