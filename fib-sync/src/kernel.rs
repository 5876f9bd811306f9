//! Requests to the kernel about routes: batches of changes, dumps.
//!
//! The kernel works through a request within the `send` call, and prepares the next part of a dump
//! within `recv`: an answer is there as soon as it is looked for. So nothing here waits, and the
//! socket needs no runtime.

use crate::error::{FibError, KernelError};
use crate::forwarding::Forwarding;
use crate::message::{self, AF_INET, KernelRoute, Message, Messages, RouteKey};
use crate::socket::{Netlink, Received};

/// Bytes of one batch: below the send buffer of a process without rights (`net.core.wmem_default`).
const BATCH_BYTES: usize = 128 * 1024;
/// Messages of one batch: a few milliseconds of the kernel's time.
const BATCH_MESSAGES: usize = 1024;
/// Room for an error message for each message of a batch, each of about 1 KiB in the kernel's accounts.
const BUFFER: usize = 4 << 20;

/// The socket for requests.
pub(crate) struct Kernel {
    netlink: Netlink,
    seq: u32,
    space: Vec<u8>,
}

/// Messages that go to the kernel in one call.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    first: u32,
    count: usize,
    last: usize,
}

/// How one batch ended.
pub(crate) enum Outcome {
    /// All was carried out except these messages, by their index in the batch.
    Done(Vec<(usize, KernelError)>),
    /// Answers were lost: what was carried out is unknown.
    Unknown,
}

impl Batch {
    fn next_seq(&self) -> u32 {
        self.first.wrapping_add(self.count as u32)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= BATCH_MESSAGES || self.bytes.len() >= BATCH_BYTES
    }

    /// A route where no other of the same prefix and metric is.
    pub(crate) fn add(&mut self, key: &RouteKey, to: &Forwarding) {
        self.new_route(libc::NLM_F_CREATE | libc::NLM_F_EXCL, key, to);
    }

    /// Another forwarding for the route of the same prefix and metric, in one step.
    pub(crate) fn replace(&mut self, key: &RouteKey, to: &Forwarding) {
        self.new_route(libc::NLM_F_REPLACE, key, to);
    }

    pub(crate) fn delete(&mut self, key: &RouteKey) {
        let seq = self.next_seq();
        self.last = message::delete_route(&mut self.bytes, seq, key);
        self.count += 1;
    }

    fn new_route(&mut self, flags: libc::c_int, key: &RouteKey, to: &Forwarding) {
        let seq = self.next_seq();
        self.last = message::new_route(&mut self.bytes, seq, flags as u16, key, to);
        self.count += 1;
    }
}

impl Kernel {
    pub(crate) fn open() -> Result<Self, FibError> {
        let netlink = Netlink::open(BUFFER)?;
        let options = [
            (netlink.socket.set_ext_ack(true), "cannot ask for extended acknowledgements"),
            (netlink.socket.set_cap_ack(true), "cannot ask for short acknowledgements"),
            (netlink.socket.set_netlink_get_strict_chk(true), "cannot ask for strict dumps (Linux 4.20)"),
        ];
        for (result, call) in options {
            result.map_err(FibError::netlink(call))?;
        }
        Ok(Self { netlink, seq: 0, space: Vec::new() })
    }

    /// The sender's port id that events caused by these requests carry.
    pub(crate) fn port(&self) -> u32 {
        self.netlink.port
    }

    /// Asks for something that is forbidden without CAP_NET_ADMIN and nonsense with it.
    pub(crate) fn check_permission(&mut self) -> Result<(), FibError> {
        let mut bytes = Vec::new();
        self.seq = self.seq.wrapping_add(1);
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let start = message::begin(&mut bytes, libc::RTM_DELROUTE, flags, self.seq);
        bytes.extend_from_slice(&[AF_INET, 0, 0, 0]);
        message::finish(&mut bytes, start);
        self.send(&bytes)?;
        match self.answers(self.seq, 1)? {
            Outcome::Done(errors) if errors.iter().any(|(_, error)| error.errno == libc::EPERM) => {
                Err(FibError::Permission)
            }
            Outcome::Done(_) | Outcome::Unknown => Ok(()),
        }
    }

    /// An empty batch.
    pub(crate) fn batch(&self) -> Batch {
        Batch { bytes: Vec::new(), first: self.seq.wrapping_add(1), count: 0, last: 0 }
    }

    /// Carries out a batch.
    pub(crate) fn apply(&mut self, mut batch: Batch) -> Result<Outcome, FibError> {
        if batch.is_empty() {
            return Ok(Outcome::Done(Vec::new()));
        }
        self.seq = batch.next_seq().wrapping_sub(1);
        message::add_flags(&mut batch.bytes, batch.last, libc::NLM_F_ACK as u16);
        self.send(&batch.bytes)?;
        self.answers(batch.first, batch.count)
    }

    fn send(&self, bytes: &[u8]) -> Result<(), FibError> {
        let sent = self.netlink.socket.send(bytes, 0);
        sent.map(drop).map_err(FibError::netlink("cannot send a request"))
    }

    /// Collects errors until the last message of the batch is answered.
    fn answers(&mut self, first: u32, count: usize) -> Result<Outcome, FibError> {
        let mut errors = Vec::new();
        loop {
            let received = self.netlink.receive(&mut self.space).map_err(FibError::netlink("no answer"))?;
            match received {
                Received::Datagram(bytes) => {
                    for message in Messages(bytes) {
                        let index = message.seq.wrapping_sub(first) as usize;
                        if i32::from(message.kind) != libc::NLMSG_ERROR || index >= count {
                            continue;
                        }
                        errors.extend(message::parse_answer(&message).map(|error| (index, error)));
                        if index + 1 == count {
                            return Ok(Outcome::Done(errors));
                        }
                    }
                }
                // The acknowledgement is sent before `send` returns: if it is not here, it was dropped.
                Received::Empty => return Ok(Outcome::Unknown),
                // The kernel sends nothing more to a full socket until all is read.
                Received::Lost => {}
            }
        }
    }

    /// Calls `each` for every route of a table; a table that does not exist has none.
    pub(crate) fn routes(
        &mut self,
        family: u8,
        table: u32,
        each: &mut impl FnMut(KernelRoute),
    ) -> Result<Dumped, FibError> {
        let result = self.dump(family, table, |message| {
            // Strict checking needs Linux 4.20; an older kernel lists every table.
            message::parse_route(message.body)
                .filter(|route| route.table == table)
                .into_iter()
                .for_each(&mut *each);
        });
        match result {
            Err(FibError::Dump { error, .. }) if error.errno == libc::ENOENT => Ok(Dumped::Whole),
            other => other,
        }
    }

    fn dump(
        &mut self,
        family: u8,
        table: u32,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<Dumped, FibError> {
        self.seq = self.seq.wrapping_add(1);
        let mut request = Vec::new();
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
        let start = message::begin(&mut request, libc::RTM_GETROUTE, flags, self.seq);
        message::route_dump(&mut request, family, table);
        message::finish(&mut request, start);
        self.send(&request)?;
        let mut dumped = Dumped::Whole;
        loop {
            match self.netlink.receive(&mut self.space).map_err(FibError::netlink("no answer"))? {
                Received::Datagram(bytes) => {
                    for message in Messages(bytes).filter(|message| message.seq == self.seq) {
                        if message.flags & libc::NLM_F_DUMP_INTR as u16 != 0 {
                            dumped = Dumped::Disturbed;
                        }
                        match i32::from(message.kind) {
                            libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                                let error = message::parse_answer(&message);
                                return error.map_or(Ok(dumped), |error| {
                                    Err(FibError::Dump { what: "routes", error })
                                });
                            }
                            _ => each(&message),
                        }
                    }
                }
                Received::Empty => return Ok(Dumped::Disturbed),
                Received::Lost => dumped = Dumped::Disturbed,
            }
        }
    }
}

/// Whether a dump shows one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dumped {
    /// It does.
    Whole,
    /// Something changed meanwhile (NLM_F_DUMP_INTR) or was lost: entries may be missing or twice there.
    Disturbed,
}

impl Dumped {
    /// Both parts together.
    pub(crate) fn and(self, other: Dumped) -> Dumped {
        if self == Dumped::Whole { other } else { self }
    }
}
