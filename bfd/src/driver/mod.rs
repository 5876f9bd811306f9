//! Sessions over UDP, on a thread of their own.
//!
//! A [`Watch`] says what session its owner wants; the thread makes it so. What waits between both is the latest wish of
//! each watch, never a queue. Ports are listened on while a session needs them: a program without sessions opens none.
//!
//! - The receive buffers hold what comes in seconds, and a session is only judged when they are empty: a program or host
//!   that stood still finds no peer dead that went on sending.
//! - Stopping tells every peer AdminDown, at the pace of the session, and goes on once they have heard it.

mod sockets;
mod thread;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::{oneshot, watch};

use crate::session::{Remote, Timers};
use crate::state::{Diagnostic, State};
use crate::table::Peer;

/// What session is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// With whom.
    pub peer: Peer,
    /// From which address of ours; `None`: as the kernel chooses.
    pub local: Option<IpAddr>,
    /// How fast.
    pub timers: Timers,
    /// Whether it may come up. If not, the peer is told AdminDown.
    pub enabled: bool,
}

/// What a session's owner has to know at once. It is never older than the last event, but may skip some: counts tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether the session is up.
    pub up: bool,
    /// How often it went down by a failure of the path or the peer.
    pub failures: u64,
    /// The last of these failures. It tells of the session that failed, also when the next one is up already.
    pub last_failure: Option<LastFailure>,
}

/// A session that was up and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When it had come up.
    pub up_since: Instant,
    /// When the peer had last said that it was up; `None`: never.
    pub heard_up: Option<Instant>,
    /// Whether the peer's BFD, as it said before that, lives on when its control plane ends (the C bit).
    pub independent: bool,
}

/// A session in full.
#[derive(Clone, Debug)]
pub struct Row {
    /// With whom.
    pub peer: Peer,
    /// Our address, if it is set or a packet has gone out.
    pub local: Option<IpAddr>,
    /// Our state.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// Why it is that.
    pub diagnostic: Diagnostic,
    /// Our discriminator.
    pub discriminator: u32,
    /// What the peer last said.
    pub remote: Remote,
    /// Whether its BFD lives on when its control plane ends, as it last said (the C bit).
    pub independent: bool,
    /// The timers that are asked for.
    pub timers: Timers,
    /// The pause between our packets, before jitter.
    pub transmit_interval: Duration,
    /// How long the peer may be silent; zero: it was not heard yet.
    pub detection_time: Duration,
    /// Packets received and taken.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// How often it came up.
    pub ups: u64,
    /// How often it failed.
    pub failures: u64,
    /// Why packets cannot be sent or received.
    pub problem: Option<String>,
}

/// All sessions.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By the peer's address.
    pub sessions: Vec<Row>,
    /// Datagrams that were discarded: malformed, from too far, or for no session.
    pub discarded: u64,
}

type WatchId = u64;

/// What the thread has to look at.
#[derive(Default)]
struct Inbox {
    next_watch: WatchId,
    /// The latest wish of each watch that has one; `None`: it is gone.
    wishes: BTreeMap<WatchId, Option<Wanted>>,
    /// For watches that are new.
    statuses: BTreeMap<WatchId, watch::Sender<Status>>,
    questions: Vec<oneshot::Sender<Snapshot>>,
    stop: Option<Stop>,
}

impl Inbox {
    fn wish(&mut self, watch: WatchId, wish: Option<Wanted>) {
        self.wishes.insert(watch, wish);
    }
}

/// How the thread shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Once the peers have been told.
    Politely,
    /// Now.
    AtOnce,
}

struct Shared {
    inbox: Mutex<Inbox>,
    wake: EventFd,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.inbox());
        // It fails only if the counter is full, and then the thread is awake anyway.
        let _ = self.wake.write(1);
    }
}

/// The thread that runs sessions. Dropping it ends them without a word.
pub struct Driver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

/// Makes watches; outlives nothing.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Driver {
    /// Starts the thread, which sleeps until there is a session.
    ///
    /// # Errors
    /// If the system has no thread or descriptor left.
    pub fn start(seed: u64) -> io::Result<Driver> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared = Arc::new(Shared { inbox: Mutex::default(), wake });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("bfd".to_owned());
        let thread = thread.spawn(move || thread::Thread::new(of_thread, seed).run())?;
        Ok(Driver { shared, thread: Some(thread) })
    }

    /// What makes sessions.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Tells every peer that its session ends by intention, and ends. Takes until they have heard it, at most their
    /// detection time. Blocks.
    pub fn stop(mut self) {
        self.end(Stop::Politely);
    }

    fn end(&mut self, how: Stop) {
        self.shared.tell(|inbox| inbox.stop = Some(how));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of BFD has failed");
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Stop::AtOnce);
        }
    }
}

impl Handle {
    /// Begins a session, which ends with the watch. There is one with each peer: a second one takes its place.
    #[must_use]
    pub fn watch(&self, wanted: Wanted) -> Watch {
        let (sender, status) = watch::channel(Status::default());
        let mut id = 0;
        self.0.tell(|inbox| {
            id = inbox.next_watch;
            inbox.next_watch += 1;
            inbox.wish(id, Some(wanted));
            inbox.statuses.insert(id, sender);
        });
        Watch { id, wanted, status, shared: Arc::clone(&self.0) }
    }

    /// All sessions. Empty if the thread has ended.
    pub async fn snapshot(&self) -> Snapshot {
        let (sender, answer) = oneshot::channel();
        self.0.tell(|inbox| inbox.questions.push(sender));
        answer.await.unwrap_or_default()
    }
}

/// A session, as its owner holds it. Dropping it ends the session; the peer is told AdminDown.
pub struct Watch {
    id: WatchId,
    wanted: Wanted,
    status: watch::Receiver<Status>,
    shared: Arc<Shared>,
}

impl Watch {
    /// What is wanted.
    #[must_use]
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Wants something else. Other timers are agreed on with the peer while the session stays up.
    pub fn want(&mut self, wanted: Wanted) {
        if wanted != self.wanted {
            self.wanted = wanted;
            self.shared.tell(|inbox| inbox.wish(self.id, Some(wanted)));
        }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Waits until it is otherwise than last seen by this function. Nothing is lost if the wait is given up.
    pub async fn changed(&mut self) -> Status {
        if self.status.changed().await.is_err() {
            // The thread has ended.
            std::future::pending::<()>().await;
        }
        *self.status.borrow_and_update()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.tell(|inbox| inbox.wish(self.id, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_without_sessions_stops_at_once() {
        Driver::start(1).expect("there is a thread to be had").stop();
    }
}
