//! Two network namespaces of our own: this process, in which all routes are made, and a neighbour on two links.
//!
//! ```text
//!   this process, daemons        neighbour (a thread)
//!   r0 10.0.0.1/24 ───────────── p0 10.0.0.2, .3, .4
//!   r1 10.0.1.1/24 ───────────── p1 10.0.1.2
//! ```

use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

/// Our address on the first link.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The neighbour's address, from which it speaks BGP, and another one.
pub const NEIGHBOR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
/// The neighbour's address on the second link.
pub const SECOND: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
/// The first link's and the second link's end here.
pub const LINKS: [&str; 2] = ["r0", "r1"];

/// How long a link may take to come up.
const START: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// The neighbour's namespace: a thread that is in it.
pub struct Neighbor {
    jobs: mpsc::Sender<Job>,
}

/// Makes both namespaces. Has to be called while there is one thread, and needs root.
pub fn enter() -> io::Result<Neighbor> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|error| io::Error::other(format!("no network namespace: {error}")))?;
    let (jobs, inbox) = mpsc::channel::<Job>();
    let (ready, thread) = mpsc::channel();
    std::thread::spawn(move || {
        let entered = unshare(CloneFlags::CLONE_NEWNET).map(|()| gettid());
        let _ = ready.send(entered);
        inbox.into_iter().for_each(|job| job());
    });
    let thread = thread.recv().map_err(io::Error::other)??;
    let neighbor = Neighbor { jobs };
    ip("link set lo up")?;
    for (link, peer) in LINKS.into_iter().zip(["p0", "p1"]) {
        ip(&format!("link add {link} type veth peer name {peer} netns {thread}"))?;
    }
    neighbor.inside(|| {
        ip("address add 10.0.0.2/24 dev p0")?;
        ip("address add 10.0.0.3/24 dev p0")?;
        ip("address add 10.0.0.4/24 dev p0")?;
        ip("address add 10.0.1.2/24 dev p1")?;
        ip("link set p0 up")?;
        ip("link set p1 up")
    })?;
    for (number, link) in LINKS.into_iter().enumerate() {
        ip(&format!("address add 10.0.{number}.1/24 dev {link}"))?;
        up(link)?;
    }
    Ok(neighbor)
}

/// Sets one of [`LINKS`] up, and waits until packets pass.
pub fn up(link: &str) -> io::Result<()> {
    ip(&format!("link set {link} up"))?;
    let end = Instant::now() + START;
    loop {
        let shown = Command::new("ip").args(["-o", "link", "show", link]).output()?;
        if String::from_utf8_lossy(&shown.stdout).contains("state UP") {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(io::Error::other(format!("{link} does not come up")));
        }
        std::thread::sleep(START / 100);
    }
}

impl Neighbor {
    /// What `action` returns in the neighbour's namespace: a socket stays in the one it was made in.
    pub fn inside<T: Send + 'static>(
        &self,
        action: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (answer, result) = mpsc::channel();
        let job = move || drop(answer.send(action()));
        self.jobs.send(Box::new(job)).map_err(|_| io::Error::other("the neighbour is gone"))?;
        result.recv().map_err(io::Error::other)?
    }
}

/// Runs `ip` where this thread is.
pub fn ip(arguments: &str) -> io::Result<()> {
    match Command::new("ip").args(arguments.split(' ')).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("ip {arguments} failed"))),
    }
}

/// Runs `ip` where this thread is, and does not care how it ends.
pub fn ip_or_not(arguments: &str) {
    let _ = Command::new("ip").args(arguments.split(' ')).output();
}

/// Sets whether nexthop objects are made to look like plain routes to those who do not know them. The kernel's default
/// is yes.
pub fn set_compatible(compatible: bool) -> io::Result<()> {
    let value = if compatible { "1" } else { "0" };
    std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", value)
}

/// How many routes the main table has, by a walk over all of it: not to be asked often.
pub fn routes() -> io::Result<usize> {
    let text = std::fs::read_to_string("/proc/net/fib_triestat")?;
    let main = text.split("Main:").nth(1).unwrap_or_default();
    let count = main.lines().find_map(|line| line.trim().strip_prefix("Prefixes:")?.trim().parse().ok());
    count.ok_or_else(|| io::Error::other("/proc/net/fib_triestat does not say how many prefixes there are"))
}

/// The index of one of [`LINKS`].
pub fn interface(name: &str) -> io::Result<u32> {
    nix::net::if_::if_nametoindex(name).map_err(io::Error::from)
}
