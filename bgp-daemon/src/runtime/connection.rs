//! The TCP side of one connection of a peer.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bgp_core::Instant;
use bgp_core::fsm::ConnectionId;
use bgp_router::Peer;
use tokio::net::TcpStream;

use super::clock::Clock;

/// Octets taken from a socket at a time: enough to amortise the call, small enough that no peer holds up the
/// others.
const READ: usize = 128 * 1024;

/// Slices handed to one vectored write.
const SLICES: usize = 64;

thread_local! {
    /// Where a worker reads; between reads only an incomplete message is kept per peer.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
            socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)?;
        }
        Ok(())
    }

    /// Whether only the peer's end is still awaited.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
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
        SCRATCH.with_borrow_mut(|scratch| {
            let kept = self.tail.len();
            scratch.resize(scratch.len().max(kept + READ), 0);
            let (head, space) = scratch.split_at_mut(kept);
            head.copy_from_slice(&self.tail);
            let count = match self.stream.try_read(space) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(e) => return Err(e),
            };
            let input = scratch.get(..kept + count).unwrap_or_default();
            let used = peer.read(now, self.id, input);
            self.tail.clear();
            self.tail.extend_from_slice(input.get(used..).unwrap_or_default());
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
            match self.stream.try_write_vectored(slices) {
                Ok(count) => {
                    total += count;
                    peer.wrote(clock.now(), self.id, count);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(total),
                Err(e) => return Err(e),
            }
        }
    }
}
