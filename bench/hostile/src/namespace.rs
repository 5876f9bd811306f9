//! A network of our own: no packet leaves, and everyone's addresses are free.

use std::io;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Least, default and most octets of a send buffer. Few, so that what a peer does not read is in the daemon and not in the
/// kernel.
const SEND_BUFFER: &str = "4096 65536 262144";

/// Goes into a new network namespace in which all of 10.0.0.0/8 is local. Without root, into a user namespace first. Has
/// to be called while there is one thread.
pub fn enter() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        unshare(CloneFlags::CLONE_NEWNET)?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    ip(&["link", "set", "lo", "up"])?;
    ip(&["address", "add", "10.0.0.0/8", "dev", "lo"])?;
    if let Err(error) = std::fs::write("/proc/sys/net/ipv4/tcp_wmem", SEND_BUFFER) {
        eprintln!("the kernel's send buffers stay as they are: {error}");
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    match Command::new("ip").args(arguments).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("ip {} failed", arguments.join(" ")))),
    }
}
