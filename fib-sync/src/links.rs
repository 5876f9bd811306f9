//! The kernel's links, listed through rtnetlink.
//!
//! The crate's connection is a future for a task of its own. Here it is driven by hand, over a socket
//! that never waits: the kernel works through a request within `send`, and prepares the next part of a
//! dump within `recv`. So links are listed in one piece that nothing can interrupt, and routes right
//! after them.

use std::io;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkMessage};
use rtnetlink::proto::Connection;
use rtnetlink::sys::{AsyncSocket, Socket, SocketAddr};

use crate::error::{FibError, KernelError};
use crate::kernel::Dumped;

/// A link as RTM_NEWLINK and RTM_DELLINK tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelLink {
    pub(crate) index: u32,
    /// Empty if unknown.
    pub(crate) name: String,
    /// `IFF_UP`: an administrator wants it up.
    pub(crate) up: bool,
    /// `IFF_RUNNING`: it can carry packets.
    pub(crate) running: bool,
}

impl KernelLink {
    /// `None` for bridges' messages about their ports, which come as AF_BRIDGE.
    fn new(header: &LinkHeader, name: String) -> Option<Self> {
        (header.interface_family == AddressFamily::Unspec).then(|| Self {
            index: header.index,
            name,
            up: header.flags.contains(LinkFlags::Up),
            running: header.flags.contains(LinkFlags::Running),
        })
    }

    fn listed(message: LinkMessage) -> Option<Self> {
        let name = message.attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        });
        Self::new(&message.header, name.unwrap_or_default())
    }

    /// Reads the body of an RTM_NEWLINK or RTM_DELLINK event. Only the name is read of the attributes: a
    /// [`LinkMessage`] would be refused as a whole for any other that its parser does not know so.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let header = LinkHeader::parse(body).ok()?;
        let name = NlasIterator::new(body.get(size_of::<libc::ifinfomsg>()..)?)
            .map_while(Result::ok)
            .find(|attribute| attribute.kind() == libc::IFLA_IFNAME)
            .map(|name| String::from_utf8_lossy(name.value()).trim_end_matches('\0').to_owned());
        Self::new(&header, name.unwrap_or_default())
    }
}

/// The connection for listing links.
pub(crate) struct Links {
    connection: Connection<RouteNetlinkMessage, Unwaiting>,
    handle: rtnetlink::Handle,
    /// What answers no request: the connection's word that answers were lost.
    stray: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
}

impl Links {
    pub(crate) fn open() -> Result<Self, FibError> {
        let opened = rtnetlink::new_connection_with_socket();
        let (mut connection, handle, stray) = opened.map_err(FibError::netlink("cannot open a socket"))?;
        connection.set_forward_done(true);
        Ok(Self { connection, handle, stray })
    }

    /// Calls `each` for every network interface that rtnetlink can decode.
    pub(crate) fn list(&mut self, mut each: impl FnMut(KernelLink)) -> Result<Dumped, FibError> {
        let answers = self.request()?;
        let (lost, answers) = (self.stray.try_recv().is_ok(), answers.collect::<Vec<_>>().now_or_never());
        let Some(answers) = answers else {
            // The end was lost. The rest of these answers must not meet the next request.
            *self = Self::open()?;
            return Ok(Dumped::Disturbed);
        };
        let mut dumped = if lost { Dumped::Disturbed } else { Dumped::Whole };
        for answer in answers {
            if answer.header.flags & NLM_F_DUMP_INTR != 0 {
                dumped = Dumped::Disturbed;
            }
            match answer.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    KernelLink::listed(link).into_iter().for_each(&mut each);
                }
                NetlinkPayload::Done(done) => check(done.code)?,
                NetlinkPayload::Error(error) => check(error.raw_code())?,
                _ => {}
            }
        }
        Ok(dumped)
    }

    /// Asks for all links without their statistics, and has the answers collected.
    fn request(
        &mut self,
    ) -> Result<impl StreamExt<Item = NetlinkMessage<RouteNetlinkMessage>> + use<>, FibError> {
        let mut links = LinkMessage::default();
        links.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(links));
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let answers = self.handle.request(request).map_err(|_| closed())?;
        let mut nobody = Context::from_waker(Waker::noop());
        self.connection.poll_requests(&mut nobody);
        self.connection.poll_send_messages(&mut nobody);
        self.connection.poll_read_messages(&mut nobody);
        self.connection.forward_unsolicited_messages();
        self.connection.forward_responses();
        if self.connection.should_shut_down() { Err(closed()) } else { Ok(answers) }
    }
}

/// The connection logs why.
fn closed() -> FibError {
    FibError::netlink("cannot list links")(io::ErrorKind::NotConnected.into())
}

fn check(code: i32) -> Result<(), FibError> {
    match code {
        0 => Ok(()),
        code => {
            let error = KernelError { errno: code.saturating_neg(), text: None };
            Err(FibError::Dump { what: "links", error })
        }
    }
}

/// A socket whose operations happen at once or are said to be pending, without ever waking anybody.
struct Unwaiting(Socket);

fn at_once<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl AsyncSocket for Unwaiting {
    fn socket_ref(&self) -> &Socket {
        &self.0
    }

    fn socket_mut(&mut self) -> &mut Socket {
        &mut self.0
    }

    fn new(protocol: isize) -> io::Result<Self> {
        let socket = Socket::new(protocol)?;
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    fn poll_send(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        at_once(self.0.send(bytes, 0))
    }

    fn poll_send_to(&self, _: &mut Context<'_>, bytes: &[u8], to: &SocketAddr) -> Poll<io::Result<usize>> {
        at_once(self.0.send_to(bytes, to, 0))
    }

    fn poll_recv<B: BufMut>(&self, _: &mut Context<'_>, space: &mut B) -> Poll<io::Result<()>> {
        at_once(self.0.recv(space, 0).map(drop))
    }

    fn poll_recv_from<B: BufMut>(&self, _: &mut Context<'_>, space: &mut B) -> Poll<io::Result<SocketAddr>> {
        at_once(self.0.recv_from(space, 0).map(|(_, from)| from))
    }

    fn poll_recv_from_full(&self, _: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        at_once(self.0.recv_from_full())
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::{Emitable, Parseable};

    use super::*;

    fn body() -> Vec<u8> {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.header.flags = LinkFlags::Up;
        message.attributes = vec![LinkAttribute::Mtu(1500), LinkAttribute::IfName("eth7".to_owned())];
        let mut body = vec![0; message.buffer_len()];
        message.emit(&mut body);
        body
    }

    #[test]
    fn an_event_is_read_in_spite_of_an_attribute_in_another_form() {
        let mut body = body();
        let link = KernelLink { index: 7, name: "eth7".to_owned(), up: true, running: false };
        assert_eq!(KernelLink::listed(LinkMessage::parse(&body).unwrap()), Some(link.clone()));
        // IFLA_MTU of 1 byte instead of 4.
        body[16] = 5;
        assert!(LinkMessage::parse(&body).is_err());
        assert_eq!(KernelLink::parse(&body), Some(link));
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        let body = body();
        for at in 0..body.len() {
            let _ = KernelLink::parse(&body[..at]);
            for value in [0, 1, 3, 7, 0x7f, 0xff] {
                let mut changed = body.clone();
                changed[at] = value;
                let _ = KernelLink::parse(&changed);
            }
        }
    }
}
