//! Requests to the kernel about routes: batches of changes, dumps.
//!
//! The kernel works through a request within the `send` call, and prepares the next part of a dump
//! within `recv`: an answer is there as soon as it is looked for. So nothing here waits, and the
//! socket needs no runtime.

use crate::error::{FibError, KernelError};
use crate::forwarding::Forwarding;
use crate::message::{self, AF_INET, Message, Messages, Nexthops, RouteKey};
use crate::objects::Request;
use crate::socket::{Netlink, Received};
use crate::table::Change;

/// Bytes of one batch beyond which no message is added: routes with many hops.
const BATCH_BYTES: usize = 512 * 1024;
/// Messages of one batch: a few milliseconds of the kernel's time, and hardly slower than longer ones.
pub(crate) const BATCH_MESSAGES: usize = 2048;
/// Room for an error message for each message of a batch, each of about 1 KiB in the kernel's accounts.
const BUFFER: usize = 8 << 20;
/// Datagrams of a dump that are read at once: about two megabytes of routes.
const DUMP_READS: usize = 64;

/// The socket for requests.
pub(crate) struct Kernel {
    netlink: Netlink,
    seq: u32,
    space: Vec<u8>,
    dumped: Dumped,
}

/// Messages that go to the kernel in one call. The memory is used again and again.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    first: u32,
    count: usize,
    last: usize,
    /// The place of a message that others are made from, and for what it is.
    template: Option<(usize, Change, bool)>,
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

    /// Whether this many messages are in it, or as many bytes as should go at once.
    pub(crate) fn is_full(&self, messages: usize) -> bool {
        self.count >= messages || self.bytes.len() >= BATCH_BYTES
    }

    /// A change of one route. Add: where no other of the same prefix and metric is. Replace: another forwarding
    /// for the route of the same prefix and metric, in one step. `to` is asked for what the last message did not
    /// do already. Returns whether it went in.
    pub(crate) fn route<'a>(
        &mut self,
        key: &RouteKey,
        change: Change,
        to: impl FnOnce() -> Option<&'a Forwarding>,
    ) -> bool {
        let (seq, v6) = (self.next_seq(), key.prefix.is_ipv6());
        self.last = self.bytes.len();
        match self.template {
            Some((place, of, family)) if (of, family) == (change, v6) => {
                self.bytes.extend_from_within(place..place + self.length(place));
                message::patch_route(&mut self.bytes, self.last, seq, key.prefix);
            }
            _ => {
                let flags = match change {
                    Change::Add(_) => libc::NLM_F_CREATE | libc::NLM_F_EXCL,
                    Change::Replace(_) => libc::NLM_F_REPLACE,
                    Change::Delete => 0,
                };
                match (change, to()) {
                    (Change::Delete, _) => message::delete_route(&mut self.bytes, seq, key),
                    (Change::Add(_) | Change::Replace(_), Some(to)) => {
                        message::new_route(&mut self.bytes, seq, flags as u16, key, to)
                    }
                    (Change::Add(_) | Change::Replace(_), None) => return false,
                };
                self.template = Some((self.last, change, v6));
            }
        }
        self.count += 1;
        true
    }

    fn length(&self, place: usize) -> usize {
        let length = self.bytes.get(place..).and_then(|message| message.first_chunk());
        length.map_or(0, |length| u32::from_ne_bytes(*length) as usize)
    }

    /// A change of a nexthop object.
    pub(crate) fn nexthop(&mut self, protocol: u8, request: &Request) {
        let (seq, create) = (self.next_seq(), libc::NLM_F_CREATE);
        self.last = match request {
            Request::New { id, nexthop } => {
                let flags = (create | libc::NLM_F_EXCL) as u16;
                message::new_nexthop(&mut self.bytes, seq, flags, protocol, *id, nexthop)
            }
            Request::Replace { id, nexthop } => {
                let flags = (create | libc::NLM_F_REPLACE) as u16;
                message::new_nexthop(&mut self.bytes, seq, flags, protocol, *id, nexthop)
            }
            Request::Delete(id) => message::delete_nexthop(&mut self.bytes, seq, *id),
        };
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
        Ok(Self { netlink, seq: 0, space: Vec::new(), dumped: Dumped::Whole })
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

    /// Empties a batch, for messages of this socket.
    pub(crate) fn begin(&self, batch: &mut Batch) {
        batch.bytes.clear();
        (batch.first, batch.count, batch.template) = (self.seq.wrapping_add(1), 0, None);
    }

    /// Carries out a batch.
    pub(crate) fn apply(&mut self, batch: &mut Batch) -> Result<Outcome, FibError> {
        if batch.count == 0 {
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

    /// Asks for the routes of one family in one table.
    pub(crate) fn ask_routes(&mut self, family: u8, table: u32) -> Result<(), FibError> {
        self.seq = self.seq.wrapping_add(1);
        let mut request = Vec::new();
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
        let start = message::begin(&mut request, libc::RTM_GETROUTE, flags, self.seq);
        message::route_dump(&mut request, family, table);
        message::finish(&mut request, start);
        self.dumped = Dumped::Whole;
        self.send(&request)
    }

    /// Calls `each` for a part of what was asked for; `None`: there is more. A table that does not exist has none.
    pub(crate) fn some_routes(&mut self, mut each: impl FnMut(&[u8])) -> Result<Option<Dumped>, FibError> {
        match self.read_dump("routes", DUMP_READS, |message| each(message.body)) {
            Err(FibError::Dump { error, .. }) if error.errno == libc::ENOENT => Ok(Some(Dumped::Whole)),
            other => other,
        }
    }

    /// Everybody's nexthop objects; `None`: this kernel has no such thing.
    pub(crate) fn nexthops(&mut self) -> Result<Option<(Nexthops, Dumped)>, FibError> {
        self.seq = self.seq.wrapping_add(1);
        let mut request = Vec::new();
        message::nexthop_dump(&mut request, self.seq);
        self.dumped = Dumped::Whole;
        self.send(&request)?;
        let mut objects = Nexthops::new();
        let mut each = |message: &Message<'_>| {
            let object = message::parse_nexthop(message.body);
            objects.extend(object.map(|object| (object.id, object)));
        };
        loop {
            match self.read_dump("nexthop objects", DUMP_READS, &mut each) {
                Ok(None) => {}
                Ok(Some(dumped)) => return Ok(Some((objects, dumped))),
                Err(FibError::Dump { error, .. }) if error.errno == libc::EOPNOTSUPP => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn read_dump(
        &mut self,
        what: &'static str,
        reads: usize,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<Option<Dumped>, FibError> {
        for _ in 0..reads {
            match self.netlink.receive(&mut self.space).map_err(FibError::netlink("no answer"))? {
                Received::Datagram(bytes) => {
                    for message in Messages(bytes).filter(|message| message.seq == self.seq) {
                        if message.flags & libc::NLM_F_DUMP_INTR as u16 != 0 {
                            self.dumped = Dumped::Disturbed;
                        }
                        match i32::from(message.kind) {
                            libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                                let error = message::parse_answer(&message);
                                return error.map_or(Ok(Some(self.dumped)), |error| {
                                    Err(FibError::Dump { what, error })
                                });
                            }
                            _ => each(&message),
                        }
                    }
                }
                Received::Empty => return Ok(Some(Dumped::Disturbed)),
                Received::Lost => self.dumped = Dumped::Disturbed,
            }
        }
        Ok(None)
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
