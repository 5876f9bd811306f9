//! What a confined daemon still can do, and every attempt to do more. Each test confines its own thread only.

#![cfg(test)]

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use bgp_daemon::config::{Config, DaemonKind};
use bgp_daemon::confine::confine;
use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::kill;
use nix::unistd::{Pid, getppid};
use socket2::{Domain, Protocol, Socket, Type};

const MISSING: &str = "the sandbox needs Linux 6.12 with Landlock (`lsm=landlock,…`) and seccomp";

/// A directory with a configuration, a place for the socket, and one that the daemon has nothing to do with.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("confined-{}-{number}", std::process::id()));
        for part in ["etc", "run", "other"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        std::fs::write(folder.join("other/secret"), "of others").unwrap();
        Place(std::fs::canonicalize(folder).unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// Confines this thread as a daemon with this configuration.
    fn confine(&self, daemon: DaemonKind, text: &str) {
        let file = self.path("etc/daemon.toml");
        let socket = self.path("run/daemon.sock");
        let api = format!("[api]\nsocket = \"{}\"\nlisten = \"\"\n", socket.display());
        std::fs::write(&file, format!("asn = 64512\nlisten = [\"127.0.0.1:1790\"]\n{text}{api}")).unwrap();
        let config = Config::load(&file, daemon).unwrap_or_else(|errors| panic!("{}", errors[0]));
        confine(&config, Some(&file));
    }

    fn confine_reflector(&self) {
        self.confine(DaemonKind::Reflector, "");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The test's own thread may not any more.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `act` on a thread, which alone is confined by it.
fn alone(act: impl FnOnce(&Place) + Send) {
    let place = Place::new();
    std::thread::scope(|scope| scope.spawn(|| act(&place)).join()).unwrap();
}

fn refused<T>(result: io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn a_daemon_reads_beside_its_configuration_and_writes_beside_its_socket() {
    alone(|place| {
        place.confine_reflector();
        std::fs::read_to_string(place.path("etc/daemon.toml")).unwrap();
        std::fs::read_to_string("/proc/self/status").unwrap();
        UnixListener::bind(place.path("run/new.sock")).unwrap();
        std::fs::rename(place.path("run/new.sock"), place.path("run/daemon.sock")).unwrap();
        std::fs::remove_file(place.path("run/daemon.sock")).unwrap();
        TcpListener::bind("127.0.0.1:1790").unwrap();
        TcpListener::bind("127.0.0.1:0").unwrap();
        std::thread::spawn(|| ()).join().unwrap();
    });
}

#[test]
fn it_writes_nowhere_else() {
    alone(|place| {
        place.confine_reflector();
        assert!(refused(std::fs::write(place.path("other/new"), "")), "{MISSING}");
        assert!(refused(std::fs::write(place.path("etc/daemon.toml"), "")), "its own configuration");
        assert!(refused(std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")));
        assert!(refused(std::fs::remove_file(place.path("other/secret"))));
        assert!(refused(std::fs::create_dir(place.path("other/new"))));
        let link = std::os::unix::fs::symlink("/etc/passwd", place.path("run/link"));
        assert!(refused(link), "a link that leads out");
    });
}

#[test]
fn it_reads_nothing_of_others() {
    alone(|place| {
        place.confine_reflector();
        assert!(refused(std::fs::read(place.path("other/secret"))), "{MISSING}");
        assert!(refused(std::fs::read("/etc/shadow")));
        assert!(refused(std::fs::read_dir("/root")));
        assert!(refused(std::fs::read(format!("/proc/{}/environ", getppid()))), "another process's memory");
    });
}

#[test]
fn its_threads_are_confined_like_itself() {
    alone(|place| {
        place.confine_reflector();
        let path = place.path("other/secret");
        let read = std::thread::spawn(move || std::fs::read(path)).join().unwrap();
        assert!(refused(read), "{MISSING}");
    });
}

#[test]
fn a_reflector_runs_no_program() {
    alone(|place| {
        place.confine_reflector();
        for program in ["/bin/true", "/bin/sh", "/proc/self/exe"] {
            assert!(refused(Command::new(program).status()), "{program}: {MISSING}");
        }
    });
}

#[test]
fn a_speaker_runs_nft_and_nothing_else() {
    alone(|place| {
        place.confine(DaemonKind::Speaker, "");
        let nft = Command::new("nft").arg("--version").output().expect("install nftables");
        assert!(nft.status.success(), "{}", String::from_utf8_lossy(&nft.stderr));
        for program in ["/bin/true", "/bin/sh", "/proc/self/exe"] {
            assert!(refused(Command::new(program).status()), "{program}: {MISSING}");
        }
        assert!(refused(std::fs::read(place.path("other/secret"))));
    });
}

#[test]
fn only_the_privileges_of_its_work_are_left_and_no_other_comes_back() {
    alone(|place| {
        place.confine(DaemonKind::Speaker, "");
        let left = [CapSet::Effective, CapSet::Permitted, CapSet::Bounding].map(|set| caps::read(None, set));
        for set in left {
            assert_eq!(set.unwrap().into_iter().collect::<Vec<_>>(), [Capability::CAP_NET_ADMIN]);
        }
        assert!(caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).is_err());
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        assert!(status.contains("Seccomp:\t2"), "{MISSING}");
    });
}

#[test]
fn a_reflector_on_a_high_port_has_no_privilege_at_all() {
    alone(|place| {
        place.confine_reflector();
        assert!(caps::read(None, CapSet::Permitted).unwrap().is_empty());
    });
}

#[test]
fn it_listens_nowhere_else() {
    alone(|place| {
        place.confine_reflector();
        assert!(refused(TcpListener::bind("127.0.0.1:2222")), "{MISSING}");
        assert!(refused(TcpListener::bind("127.0.0.1:179")));
    });
}

#[test]
fn it_gets_no_socket_of_another_kind() {
    alone(|place| {
        place.confine_reflector();
        let kinds = [
            (Domain::PACKET, Type::DGRAM, None),
            (Domain::VSOCK, Type::STREAM, None),
            (Domain::from(libc::AF_ALG), Type::SEQPACKET, None),
            (Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)),
        ];
        for (domain, kind, protocol) in kinds {
            assert!(refused(Socket::new(domain, kind, protocol)), "{domain:?}: {MISSING}");
        }
        for domain in [Domain::UNIX, Domain::IPV4, Domain::IPV6, Domain::from(libc::AF_NETLINK)] {
            let kind = if domain == Domain::from(libc::AF_NETLINK) { Type::RAW } else { Type::STREAM };
            Socket::new(domain, kind, None).unwrap();
        }
    });
}

#[test]
fn it_gets_at_no_other_process_and_no_other_namespace() {
    alone(|place| {
        place.confine_reflector();
        assert_eq!(kill(getppid(), None), Err(Errno::EPERM), "{MISSING}");
        kill(Pid::this(), None).unwrap();
        for namespace in [CloneFlags::CLONE_NEWUSER, CloneFlags::CLONE_NEWNET, CloneFlags::CLONE_NEWNS] {
            assert_eq!(unshare(namespace), Err(Errno::EPERM));
        }
    });
}

#[test]
fn a_daemon_that_is_not_to_be_confined_is_not() {
    alone(|place| {
        place.confine(DaemonKind::Reflector, "[sandbox]\nenabled = false\n");
        std::fs::write(place.path("other/new"), "").unwrap();
        assert!(Path::new("/bin/true").exists() && Command::new("/bin/true").status().unwrap().success());
    });
}
