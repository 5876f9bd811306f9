//! One thread, one poll, no routes.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};

use bgp_core::RouterId;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::handshake::{hello, is_established};
use crate::options::Options;
use crate::stream;

const LISTENER: Token = Token(usize::MAX);
const READ: usize = 256 * 1024;

struct Client {
    socket: TcpStream,
    is_sender: bool,
    /// What has been read of its OPEN and KEEPALIVE; `None` once the session is up.
    greeting: Option<Vec<u8>>,
    /// Octets of the stream that are written.
    written: usize,
}

/// The clients, and what they are to be sent.
pub(crate) struct Server {
    options: Options,
    poll: Poll,
    listener: TcpListener,
    /// By token; `None` where one has left.
    clients: Vec<Option<Client>>,
    hello: Vec<u8>,
    /// What the sender has sent, as long as the stream is still to be made of it.
    recorded: Option<Vec<u8>>,
    stream: Vec<u8>,
    /// The sender has begun, or, where the stream is being made, ended.
    started: bool,
}

impl Server {
    /// Listens.
    pub(crate) fn new(options: Options) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(options.listen)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let hello = hello(&options.identity, RouterId(options.identity.router_id.0));
        let (recorded, stream) = match std::fs::read(&options.stream) {
            Ok(stream) => (None, stream),
            Err(error) if error.kind() == ErrorKind::NotFound => (Some(Vec::new()), Vec::new()),
            Err(error) => return Err(error),
        };
        Ok(Server { options, poll, listener, clients: Vec::new(), hello, recorded, stream, started: false })
    }

    /// Serves until it is killed.
    pub(crate) fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let index = event.token().0;
                if event.is_readable() && !self.read(index, &mut buffer)? {
                    self.clients[index] = None;
                } else if event.is_writable() {
                    self.write(index);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let (mut socket, from) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let token = Token(self.clients.len());
            self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
            // An empty socket takes the first few octets whole.
            socket.write_all(&self.hello)?;
            let is_sender = from.ip() == self.options.sender;
            self.clients.push(Some(Client { socket, is_sender, greeting: Some(Vec::new()), written: 0 }));
        }
    }

    /// Reads all that is there; whether the client is still.
    fn read(&mut self, index: usize, buffer: &mut [u8]) -> Result<bool, Box<dyn Error>> {
        loop {
            let Some(client) = &mut self.clients[index] else { return Ok(true) };
            let octets = match client.socket.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(octets) => &buffer[..octets],
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(_) => return Ok(false),
            };
            let is_sender = client.is_sender;
            if let Some(greeting) = &mut client.greeting {
                greeting.extend_from_slice(octets);
                if is_established(greeting) {
                    let rest = std::mem::take(greeting);
                    client.greeting = None;
                    self.sent(is_sender, &rest)?;
                }
            } else {
                // Nothing but UPDATEs comes from the sender before its table is through.
                self.sent(is_sender, &buffer[..octets.len()])?;
            }
        }
    }

    /// The sender has sent `octets`.
    fn sent(&mut self, by_sender: bool, octets: &[u8]) -> Result<(), Box<dyn Error>> {
        if self.started || !by_sender || octets.is_empty() {
            return Ok(());
        }
        if let Some(recorded) = &mut self.recorded {
            recorded.extend_from_slice(octets);
            if !stream::is_complete(recorded) {
                return Ok(());
            }
            let (identity, sender) = (&self.options.identity, self.options.sender);
            self.stream =
                stream::make(identity, sender, recorded).ok_or("the router refuses what the sender sent")?;
            self.recorded = None;
            std::fs::write(&self.options.stream, &self.stream)?;
        }
        self.started = true;
        for index in 0..self.clients.len() {
            self.write(index);
        }
        Ok(())
    }

    /// Writes as much of the stream as the client's socket takes. One that fails is noticed when it is read.
    fn write(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else { return };
        if !self.started || client.is_sender {
            return;
        }
        while let Some(rest) = self.stream.get(client.written..).filter(|rest| !rest.is_empty()) {
            let piece = &rest[..rest.len().min(self.options.write)];
            match client.socket.write(piece) {
                Ok(octets) => client.written += octets,
                Err(_) => return,
            }
        }
    }
}
