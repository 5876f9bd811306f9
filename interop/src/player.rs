//! A minimal BGP speaker that sends recorded UPDATEs: four-octet AS numbers, IPv4 unicast, no timers of its own but KEEPALIVE.

use crate::recording::Recording;
use crate::{Error, Result};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where routers listen.
pub(crate) const PORT: u16 = 179;
const HOLD_TIME: u16 = 240;
/// A third of the shortest hold time there is (RFC 4271 section 4.2).
const KEEPALIVE_TIME: Duration = Duration::from_secs(1);
pub(crate) const KEEPALIVE: [u8; 19] =
    *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x13\x04";
/// An UPDATE with nothing in it: the end of the IPv4 table (RFC 4724 section 2).
const END_OF_RIB: [u8; 23] =
    *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x17\x02\x00\x00\x00\x00";

/// A session with a router, from the place of a recorded one. Dropping it ends the connection.
#[derive(Debug)]
pub(crate) struct Player {
    router: IpAddr,
    stream: TcpStream,
    /// The router may send while it is sent to: what it says is read beside the writing.
    reader: Option<JoinHandle<Result<()>>>,
}

impl Player {
    /// Opens the session with the router at `to`.
    pub(crate) fn connect(recording: &Recording, to: IpAddr, router_id: Ipv4Addr) -> Result<Player> {
        let stream = greet(recording.asn, to, router_id)?;
        let reader = stream.try_clone().map_err(Error::io(format!("the session with {to}")))?;
        Ok(Player { router: to, stream, reader: Some(std::thread::spawn(move || drain(reader))) })
    }

    /// Sends whole messages.
    pub(crate) fn send(&mut self, messages: &[Vec<u8>]) -> Result<()> {
        self.write(&messages.concat())
    }

    /// Says that the table is complete.
    pub(crate) fn end_of_rib(&mut self) -> Result<()> {
        self.write(&END_OF_RIB)
    }

    /// To be called each second while nothing is sent.
    pub(crate) fn keep_alive(&mut self) -> Result<()> {
        self.write(&KEEPALIVE)
    }

    /// Keeps the session until the router ends it.
    fn stay(mut self) -> Result<()> {
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            std::thread::park_timeout(KEEPALIVE_TIME);
            self.keep_alive()?;
        }
        self.end()
    }

    /// What the router said at last.
    fn end(&mut self) -> Result<()> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        reader.join().unwrap_or_else(|_| Err(Error::NotSo("the reader stopped".to_owned())))
    }

    fn write(&mut self, octets: &[u8]) -> Result<()> {
        let what = || format!("the session with {}", self.router);
        self.stream.write_all(octets).map_err(|source| Error::Io { what: what(), source })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // Both fail only if the router was faster.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        let _ = self.end();
    }
}

/// Sends the recording to the router at `to` and then keeps the session until the router ends it.
///
/// # Errors
/// If the connection or the OPEN fails, or the router sends a NOTIFICATION.
pub fn play(recording: &Recording, to: IpAddr, router_id: Ipv4Addr) -> Result<()> {
    let mut player = Player::connect(recording, to, router_id)?;
    for messages in recording.messages.chunks(64) {
        player.send(messages)?;
    }
    player.end_of_rib()?;
    println!("sent {} UPDATEs", recording.messages.len());
    player.stay()
}

/// Opens a session with the router at `to`.
pub(crate) fn greet(asn: u32, to: IpAddr, router_id: Ipv4Addr) -> Result<TcpStream> {
    let what = || format!("the session with {to}");
    let mut stream = TcpStream::connect(SocketAddr::new(to, PORT)).map_err(Error::io(what()))?;
    stream.write_all(&open(asn, router_id)).map_err(Error::io(what()))?;
    expect(&mut stream, 1)?;
    stream.write_all(&KEEPALIVE).map_err(Error::io(what()))?;
    expect(&mut stream, 4)?;
    Ok(stream)
}

/// The OPEN of such a speaker.
pub(crate) fn open(asn: u32, router_id: Ipv4Addr) -> Vec<u8> {
    let mut capabilities = b"\x01\x04\0\x01\0\x01\x41\x04".to_vec(); // IPv4 unicast; four-octet AS number
    capabilities.extend(asn.to_be_bytes());
    let mut body = vec![4];
    body.extend(u16::try_from(asn).unwrap_or(23456).to_be_bytes());
    body.extend(HOLD_TIME.to_be_bytes());
    body.extend(router_id.octets());
    body.extend([capabilities.len() as u8 + 2, 2, capabilities.len() as u8]);
    body.extend(capabilities);
    let mut message = vec![0xff; 16];
    message.extend((19 + body.len() as u16).to_be_bytes());
    message.push(1);
    message.extend(body);
    message
}

/// Reads one message, which must be of this type.
fn expect(stream: &mut TcpStream, wanted: u8) -> Result<()> {
    match read_message(stream)? {
        Some((kind, _)) if kind == wanted => Ok(()),
        Some((kind, body)) => {
            Err(Error::NotSo(format!("expected message type {wanted}, got {kind}: {body:02x?}")))
        }
        None => Err(Error::NotSo("the router closed the connection".to_owned())),
    }
}

/// Reads until the router closes. A NOTIFICATION is an error.
fn drain(mut stream: TcpStream) -> Result<()> {
    while let Some((kind, body)) = read_message(&mut stream)? {
        if kind == 3 {
            return Err(Error::NotSo(format!("NOTIFICATION {body:02x?}")));
        }
    }
    Ok(())
}

fn read_message(stream: &mut TcpStream) -> Result<Option<(u8, Vec<u8>)>> {
    let mut header = [0; 19];
    match stream.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        result => result.map_err(Error::io("cannot read from the router"))?,
    }
    let [.., high, low, kind] = header;
    let len = usize::from(u16::from_be_bytes([high, low])).saturating_sub(header.len());
    let mut body = vec![0; len];
    stream.read_exact(&mut body).map_err(Error::io("cannot read from the router"))?;
    Ok(Some((kind, body)))
}
