//! What keeps a daemon from starting is told in one sentence with the remedy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::setup::{Place, Ran, program, run};

fn start(daemon: &str, config: &Path) -> Ran {
    run(Command::new(program(daemon)).arg("--config").arg(config))
}

/// What is told behind the log's line of what the daemon has given up.
fn told(err: &str) -> &str {
    match err.split_once('\n') {
        Some((log, rest)) if log.contains(" INFO confined ") => rest,
        _ => err,
    }
}

/// The same as `nobody` in a network namespace, who may neither bind low ports there nor change routes. The program
/// is copied to where nobody may read it; by another process, since a file that this one writes to may not be run
/// while a test beside this one starts something.
fn start_as_nobody(place: &Place, daemon: &str, config: &Path) -> Ran {
    assert_eq!(run(Command::new("cp").arg(program(daemon)).arg(&place.directory)).code, 0);
    let copy = place.directory.join(daemon);
    for path in [place.directory.as_path(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let script = "ip link set lo up && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    run(Command::new("unshare")
        .args(["--net", "sh", "-c", script, "sh"])
        .arg(copy)
        .arg("--config")
        .arg(config))
}

#[test]
fn what_is_in_use_is_named() {
    let place = Place::new();
    let _running = place.reflector();
    let address = place.address(1);
    let second = place.configure("second", &format!("listen = [\"{address}:1179\"]\n"));
    let Ran { err, code, .. } = start("route-reflector", &second);
    let expected = format!(
        "error: cannot listen on {address}:1179: the port is in use; stop the other BGP daemon \
         (`ss -ltnp 'sport = :1179'` shows it) or change `listen`\n"
    );
    assert_eq!((told(&err), code), (expected.as_str(), 4));

    let socket = place.socket("reflector");
    let third = place.directory.join("third.toml");
    let api = format!("[api]\nsocket = \"{}\"\nlisten = \"\"\n", socket.display());
    fs::write(&third, format!("asn = 64512\nlisten = [\"{}:1179\"]\n{api}", place.address(3))).unwrap();
    let Ran { err, code, .. } = start("route-reflector", &third);
    let expected = format!(
        "error: another daemon answers on {}: stop it, or give this one another `api.socket`\n",
        socket.display()
    );
    assert_eq!((told(&err), code), (expected.as_str(), 4));
}

#[test]
fn an_address_that_the_host_does_not_have_is_named() {
    let place = Place::new();
    let config = place.configure("elsewhere", "listen = [\"203.0.113.5:1179\"]\n");
    let Ran { err, code, .. } = start("route-reflector", &config);
    let expected = "error: cannot listen on 203.0.113.5:1179: this host does not have that address (`ip address` \
                    shows those it has); change `listen`\n";
    assert_eq!((told(&err), code), (expected, 4));
}

#[test]
fn missing_permissions_are_told_with_the_capability() {
    let place = Place::new();
    let low = place.configure("low", &format!("listen = [\"{}:179\"]\n", place.address(1)));
    let Ran { err, code, .. } = start_as_nobody(&place, "route-reflector", &low);
    assert!(err.contains("no permission for ports under 1024; grant CAP_NET_BIND_SERVICE"), "{err}");
    assert_eq!(code, 4);
    let speaker = place.configure("speaker", "router-id = \"10.0.0.1\"\nlisten = []\n");
    let Ran { err, code, .. } = start_as_nobody(&place, "bgp-speaker", &speaker);
    assert!(
        err.contains(
            "no permission to change the kernel's routes: run as root, or give the program CAP_NET_ADMIN"
        ),
        "{err}"
    );
    assert_eq!((told(&err).lines().count(), code), (1, 4));
}

#[test]
fn a_wrong_configuration_ends_with_code_2_and_its_place() {
    let place = Place::new();
    let config = place.configure("wrong", "ruter-id = \"10.0.0.1\"\n");
    for daemon in ["route-reflector", "bgp-speaker"] {
        let Ran { err, code, .. } = start(daemon, &config);
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines[0], "error[C012]: unknown key `ruter-id`");
        assert_eq!(lines[1], format!(" --> {}:2:1", config.display()));
        assert_eq!((lines[3], code), ("  | ^^^^^^^^ did you mean `router-id`?", 2));
    }
    let Ran { err, code, .. } = start("route-reflector", &place.directory.join("none.toml"));
    assert!(err.starts_with("error[C001]: the configuration cannot be read: No such file"), "{err}");
    assert_eq!(code, 2);
    let Ran { err, code, .. } = run(&mut Command::new(program("bgp-speaker")));
    assert_eq!(
        (err.as_str(), code),
        ("error: a speaker needs a configuration: bgp-speaker --config FILE\n", 2)
    );
}
