//! Sees when the kernel's table comes to rest, without being in its way: of the kernel's messages about routes, one in
//! 256, which a filter in the kernel picks at random; of those about nexthop objects, all.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{SockFilter, SockRef};

use crate::net;
use crate::raw::{Message, messages};

/// One in so many messages about routes is seen.
pub const SAMPLE: u32 = 256;
/// No message for so long: perhaps nothing more comes.
const QUIET: Duration = Duration::from_millis(300);
const BUFFER: usize = 64 << 20;
/// A filter's load of a random number: `SKF_AD_OFF + SKF_AD_RANDOM`.
const RANDOM: u32 = (-0x1000 + 56) as u32;

/// What was seen.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    /// When the last message came.
    pub last: Option<Instant>,
    /// Messages about nexthop objects, and how many of these are about groups.
    pub nexthops: usize,
    pub groups: usize,
    /// Messages about routes, of which [`SAMPLE`] times as many were sent.
    pub routes: usize,
}

/// Threads that look at the kernel's messages.
pub struct Watcher {
    seen: Arc<Mutex<Seen>>,
}

impl Watcher {
    /// Looks at the namespace in which this is called, as long as the program runs.
    pub fn start() -> io::Result<Watcher> {
        let watcher = Watcher { seen: Arc::default() };
        let routes = listen(libc::RTNLGRP_IPV4_ROUTE)?;
        let random = [
            instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, RANDOM),
            instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SAMPLE - 1),
            instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, 0),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        ];
        SockRef::from(&routes).attach_filter(&random)?;
        watcher.follow(routes, |seen, _| seen.routes += 1);
        watcher.follow(listen(libc::RTNLGRP_NEXTHOP)?, |seen, message| {
            seen.nexthops += 1;
            seen.groups += usize::from(message.is_group());
        });
        Ok(watcher)
    }

    fn follow(&self, socket: Socket, count: impl Fn(&mut Seen, &Message<'_>) + Send + 'static) {
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || {
            let mut space = Vec::with_capacity(1 << 16);
            loop {
                space.clear();
                // Where messages were lost, some were sent, too.
                let received = socket.recv(&mut space, 0);
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.last = Some(Instant::now());
                if received.is_ok() {
                    messages(&space).for_each(|message| count(&mut seen, &message));
                }
            }
        });
    }

    /// What was seen since [`Watcher::forget`].
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew.
    pub fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }

    fn is_quiet(&self) -> bool {
        self.seen().last.is_none_or(|last| last.elapsed() > QUIET)
    }

    /// Waits until the main table has `count` routes and nothing changes it any more; when that began.
    pub fn until(&self, count: usize, limit: Duration) -> io::Result<Instant> {
        let begin = Instant::now();
        loop {
            let quiet = self.is_quiet();
            if let (true, Some(last)) = (quiet, self.seen().last)
                && net::routes()? == count
            {
                return Ok(last);
            }
            if begin.elapsed() > limit {
                let routes = net::routes()?;
                return Err(io::Error::other(format!("{routes} routes in place of {count} after {limit:?}")));
            }
            std::thread::sleep(if quiet { QUIET } else { QUIET / 10 });
        }
    }
}

fn listen(group: libc::c_uint) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
    socket.add_membership(group)?;
    Ok(socket)
}

fn instruction(code: u32, yes: u8, no: u8, k: u32) -> SockFilter {
    SockFilter::new(code as u16, yes, no, k)
}
