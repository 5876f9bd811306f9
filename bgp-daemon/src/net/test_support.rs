//! Network namespaces and folders for tests.
#![allow(unsafe_code, reason = "unshare(2) has no safe cover among our crates")]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Runs the test that `future` makes in a network namespace of its own, whose only interface is `lo`, up.
///
/// A namespace belongs to a thread: this starts one, which leaves the process's namespace and drives a runtime on
/// itself alone, so that every socket the test opens is of the new namespace. When the thread ends and the sockets are
/// closed, the kernel removes it. Needs root (CAP_SYS_ADMIN) and fails, rather than skips, without it.
pub(super) fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: unshare takes flags and no pointers; it concerns this thread alone.
        let rc = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        let error = std::io::Error::last_os_error();
        assert_eq!(rc, 0, "this test makes a network namespace and must run as root: {error}");
        ip("link set lo up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let in_time = async { tokio::time::timeout(Duration::from_secs(60), test()).await };
        runtime.block_on(in_time).expect("the test ends within a minute");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with these arguments in the calling thread's namespace.
pub(super) fn ip(arguments: &str) {
    let status =
        Command::new("ip").args(arguments.split_whitespace()).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments}");
}

/// The namespace's counter of this name in the `TcpExt` lines of netstat, as in `TCPMD5Failure`.
pub(super) fn tcp_counter(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let index = names.split(' ').position(|n| n == name).unwrap();
    values.split(' ').nth(index).unwrap().parse().unwrap()
}

/// A folder of the test's own, removed with this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("bgp-daemon-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Without links on the way, so that tests can name what they expect.
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
