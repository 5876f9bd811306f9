//! The TCP side of one connection of a peer.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bgp_core::Instant;
use bgp_core::fsm::ConnectionId;
use bgp_router::{Batch, Peer};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::budget::READ;
use super::clock::Clock;
use crate::net::{Key, OptionError, require_md5};

/// Slices handed to one vectored write.
const SLICES: usize = 64;

/// Where a worker reads; between reads only an incomplete message is kept per peer.
#[derive(Default)]
struct Scratch {
    octets: Vec<u8>,
    routes: Batch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    stream: TcpStream,
    /// The start of a message whose end has not come.
    tail: Vec<u8>,
    /// Nothing more will be written.
    finished: bool,
}

/// What a connection is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Read,
    Write,
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        stream: TcpStream,
    ) -> Connection {
        Connection { id, local, remote, stream, tail: Vec::new(), finished: false }
    }

    /// Tells the peer that nothing more will come. A socket closed with unread input would answer with a reset, which
    /// can overtake the NOTIFICATION before it: so the peer closes first, and what it still sends is read.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)?;
        }
        Ok(())
    }

    /// Signs with this key from now on, and takes only what is signed with it.
    ///
    /// # Errors
    /// What the kernel answered.
    pub(super) fn set_key(&self, key: &Key) -> Result<(), OptionError> {
        require_md5(&self.stream, self.remote.ip(), key)
    }

    /// Whether only the peer's end is still awaited.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the peer has ended it, though that may not have been read yet.
    pub(super) fn is_closed_by_peer(&self) -> bool {
        crate::net::is_closed_by_peer(&self.stream)
    }

    /// Whether the socket holds input that has not been read.
    pub(super) fn has_unread(&self) -> bool {
        // A socket that cannot even be asked holds nothing worth waiting for.
        crate::net::unread(&self.stream).unwrap_or(false)
    }

    pub(super) fn poll_ready(&self, cx: &mut Context<'_>, read: bool, write: bool) -> Poll<Ready> {
        if write && self.stream.poll_write_ready(cx).is_ready() {
            return Poll::Ready(Ready::Write);
        }
        if read {
            // An error is found by the read that follows.
            let _ = ready!(self.stream.poll_read_ready(cx));
            return Poll::Ready(Ready::Read);
        }
        Poll::Pending
    }

    /// Reads once and gives the peer what came; returns how many octets that were, 0 if there were none.
    ///
    /// # Errors
    /// The connection failed or the peer closed it.
    pub(super) fn read(&mut self, now: Instant, peer: &mut Peer) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|Scratch { octets, routes }| {
            let kept = self.tail.len();
            octets.resize(octets.len().max(kept + READ), 0);
            let (head, space) = octets.split_at_mut(kept);
            head.copy_from_slice(&self.tail);
            let space = space.get_mut(..READ).unwrap_or_default();
            let asked = space.len();
            let count = self.transfer(Interest::READABLE, asked, |mut socket| socket.read(space))?;
            let Some(count) = count else { return Ok(0) };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let input = octets.get(..kept + count).unwrap_or_default();
            let used = peer.read_with(now, self.id, input, routes);
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() {
                // A session that is idle keeps no memory for it.
                self.tail = Vec::new();
            } else {
                self.tail.clear();
                self.tail.extend_from_slice(rest);
            }
            Ok(count)
        })
    }

    /// Writes what the peer has queued, until nothing is left or the socket is full; returns how many octets.
    ///
    /// # Errors
    /// The connection failed.
    pub(super) fn write(&mut self, clock: Clock, peer: &mut Peer) -> io::Result<usize> {
        let mut total = 0;
        loop {
            let Some(queue) = peer.queue(self.id) else { return Ok(total) };
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = queue.gather(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            if slices.is_empty() {
                return Ok(total);
            }
            let asked = slices.iter().map(|slice| slice.len()).sum();
            let count =
                self.transfer(Interest::WRITABLE, asked, |mut socket| socket.write_vectored(slices))?;
            let Some(count) = count else { return Ok(total) };
            total += count;
            peer.wrote(clock.now(), self.id, count);
            if count < asked {
                return Ok(total);
            }
        }
    }

    /// Reads or writes once; `None` if the socket is not ready. One that takes or gives less than was asked for is known
    /// to be full or empty (epoll(7), on edge-triggered readiness): then nobody asks it again before the kernel says so.
    fn transfer(
        &self,
        interest: Interest,
        asked: usize,
        act: impl FnOnce(&socket2::Socket) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        let mut short = None;
        let done = self.stream.try_io(interest, || {
            let count = act(&SockRef::from(&self.stream))?;
            if (1..asked).contains(&count) {
                short = Some(count);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        match done {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(short),
            Err(error) => Err(error),
        }
    }
}
