//! Requests to the kernel, and the bytes of its answers.
//!
//! The kernel works through a request within the `send` call, and prepares the next part of a dump within
//! `recv`: an answer is there as soon as it is looked for. So nothing here waits. Messages to the kernel are
//! built by `packet_route`; of its answers only the attributes that matter are read, since `packet_route`
//! refuses a message as a whole if a newer kernel writes one attribute in another form.

use std::io;
use std::net::IpAddr;

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;

use crate::error::{KernelError, TunnelError};

/// Large enough for any datagram of the kernel: dumps come in parts of at most 32 KiB.
pub(crate) const DATAGRAM: usize = 64 * 1024;
/// How often a dump is repeated that others disturbed. What the last one missed arrives as events.
const DUMP_TRIES: usize = 4;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
const ALIGN: usize = 4;
/// `NLM_F_ACK_TLVS`: attributes follow the error.
const ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`: the error in words.
const ERROR_TEXT: u16 = 1;

/// The socket for requests.
pub(crate) struct Kernel {
    socket: Socket,
    /// The sender's port id that events caused by these requests carry.
    pub(crate) port: u32,
    seq: u32,
    space: Vec<u8>,
}

/// What the kernel says to a request: nothing if it was carried out.
pub(crate) type Answer = Result<(), KernelError>;

impl Kernel {
    pub(crate) fn open() -> Result<Self, TunnelError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(TunnelError::netlink("cannot open a socket"))?;
        let port = socket.bind_auto().map_err(TunnelError::netlink("cannot bind a socket"))?.port_number();
        let options = [
            (socket.set_non_blocking(true), "cannot set O_NONBLOCK"),
            (socket.set_ext_ack(true), "cannot ask for extended acknowledgements"),
            (socket.set_cap_ack(true), "cannot ask for short acknowledgements"),
            (socket.set_netlink_get_strict_chk(true), "cannot ask for strict dumps (Linux 4.20)"),
        ];
        for (result, call) in options {
            result.map_err(TunnelError::netlink(call))?;
        }
        let mut kernel = Self { socket, port, seq: 0, space: Vec::new() };
        // Forbidden without CAP_NET_ADMIN, and nonsense with it.
        let _ = kernel.change(RouteNetlinkMessage::DelNeighbour(NeighbourMessage::default()), 0)?;
        Ok(kernel)
    }

    /// The socket, for calls that any socket serves.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Asks for a change.
    pub(crate) fn change(&mut self, message: RouteNetlinkMessage, flags: i32) -> Result<Answer, TunnelError> {
        let answered = self.exchange(message, libc::NLM_F_ACK | flags, "changes", |_, _| {})?;
        match answered {
            Ok(_) => Ok(Ok(())),
            Err(error) if error.errno == libc::EPERM => Err(TunnelError::Permission),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Asks for one object; `None` if the kernel has none.
    pub(crate) fn get<T>(
        &mut self,
        message: RouteNetlinkMessage,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, TunnelError> {
        let mut found = None;
        let answered = self.exchange(message, libc::NLM_F_ACK, "objects", |_, body| found = parse(body))?;
        Ok(answered.ok().and(found))
    }

    /// Lists all that match.
    pub(crate) fn dump<T>(
        &mut self,
        what: &'static str,
        message: &RouteNetlinkMessage,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, TunnelError> {
        let mut attempt = 1;
        loop {
            let mut all = Vec::new();
            let answered =
                self.exchange(message.clone(), libc::NLM_F_DUMP, what, |_, body| all.extend(parse(body)))?;
            match answered {
                Ok(Heard::Whole) => return Ok(all),
                Ok(Heard::Disturbed) if attempt >= DUMP_TRIES => return Ok(all),
                Ok(Heard::Disturbed) => attempt += 1,
                // A device that is gone has nothing to list.
                Err(error) if error.errno == libc::ENODEV => return Ok(Vec::new()),
                Err(error) => return Err(TunnelError::Dump { what, error }),
            }
        }
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: i32,
        what: &'static str,
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<Result<Heard, KernelError>, TunnelError> {
        self.seq = self.seq.wrapping_add(1);
        let mut request = NetlinkMessage::from(message);
        request.header.flags = (libc::NLM_F_REQUEST | flags) as u16;
        request.header.sequence_number = self.seq;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(TunnelError::netlink("cannot send a request"))?;
        let mut heard = Heard::Whole;
        loop {
            match receive(&self.socket, &mut self.space)
                .map_err(|source| TunnelError::Netlink { call: what, source })?
            {
                Received::Datagram => {}
                Received::Lost => {
                    heard = Heard::Disturbed;
                    continue;
                }
                // The end is sent before `send` or the last `recv` returns: if it is not here, it was dropped.
                Received::Empty => {
                    let error = KernelError { errno: libc::ENOBUFS, text: Some("answers were lost".into()) };
                    return Ok(Err(error));
                }
            }
            for message in Messages(&self.space).filter(|message| message.seq == self.seq) {
                if message.flags & libc::NLM_F_DUMP_INTR as u16 != 0 {
                    heard = Heard::Disturbed;
                }
                match i32::from(message.kind) {
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => return Ok(answer(&message).map(|()| heard)),
                    _ => each(message.kind, message.body),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Whole,
    /// Something changed during the dump, or was lost.
    Disturbed,
}

/// What one read of a socket brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// One datagram, in the space given.
    Datagram,
    /// Nothing is waiting.
    Empty,
    /// The kernel dropped messages (ENOBUFS).
    Lost,
}

/// Reads one datagram into `space` without waiting.
fn receive(socket: &Socket, space: &mut Vec<u8>) -> io::Result<Received> {
    space.clear();
    space.reserve(DATAGRAM);
    received(socket.recv(space, libc::MSG_DONTWAIT).map(drop))
}

/// Sorts out what a read can end with.
pub(crate) fn received(result: io::Result<()>) -> io::Result<Received> {
    match result {
        Ok(()) => Ok(Received::Datagram),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Empty),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Received::Lost),
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(Received::Lost),
        Err(error) => Err(error),
    }
}

/// One message within a datagram.
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    flags: u16,
    seq: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram. Ends at what is no message.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let len = u32_at(self.0, 0)? as usize;
        let message = Message {
            kind: u16_at(self.0, 4)?,
            flags: u16_at(self.0, 6)?,
            seq: u32_at(self.0, 8)?,
            body: self.0.get(HEADER..len)?,
        };
        self.0 = self.0.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some(message)
    }
}

/// Reads NLMSG_ERROR or NLMSG_DONE.
fn answer(message: &Message<'_>) -> Answer {
    let code = u32_at(message.body, 0).map_or(0, |code| code as i32);
    if code == 0 {
        return Ok(());
    }
    let attributes = message.body.get(4 + HEADER..).filter(|_| message.flags & ACK_TLVS != 0);
    let text = Attributes(attributes.unwrap_or_default()).find(ERROR_TEXT).map(text);
    Err(KernelError { errno: code.saturating_neg(), text })
}

/// Attributes of a message or of another attribute, as type and value. Ends at what is none.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// Those after a header of this length.
    pub(crate) fn after(header: usize, body: &'a [u8]) -> Self {
        Self(body.get(header..).unwrap_or_default())
    }

    /// The value of the first attribute of a type.
    pub(crate) fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        Iterator::find(&mut self, |(of, _)| *of == kind).map(|(_, value)| value)
    }

    /// The attributes within an attribute.
    pub(crate) fn within(self, kind: u16) -> Attributes<'a> {
        Attributes(self.find(kind).unwrap_or_default())
    }

    pub(crate) fn u32(self, kind: u16) -> Option<u32> {
        u32_at(self.find(kind)?, 0)
    }

    pub(crate) fn text(self, kind: u16) -> Option<String> {
        self.find(kind).map(text)
    }

    pub(crate) fn address(self, kind: u16) -> Option<IpAddr> {
        address(self.find(kind)?)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        /// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` are no part of the type.
        const TYPE: u16 = 0x3fff;
        let len = usize::from(u16_at(self.0, 0)?);
        let attribute = (u16_at(self.0, 2)? & TYPE, self.0.get(4..len)?);
        self.0 = self.0.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some(attribute)
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

/// An address of 4 or 16 octets.
fn address(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_read_without_panic() {
        let mut whole = Vec::new();
        for (kind, value) in [(3_u16, &b"eth0\0"[..]), (4, &[5, 0, 0, 0]), (0x8012, &[4, 0, 1, 0])] {
            whole.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
            whole.extend_from_slice(&kind.to_ne_bytes());
            whole.extend_from_slice(value);
            whole.resize(whole.len().next_multiple_of(ALIGN), 0);
        }
        assert_eq!(Attributes(&whole).text(3).as_deref(), Some("eth0"));
        assert_eq!(Attributes(&whole).u32(4), Some(5));
        assert_eq!(Attributes(&whole).within(0x12).count(), 1);
        for at in 0..whole.len() {
            for value in [0, 1, 3, 5, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                for bytes in [&changed[..], &changed[..at]] {
                    assert!(Attributes(bytes).count() <= whole.len());
                    assert!(Messages(bytes).count() <= whole.len());
                }
            }
        }
    }
}
