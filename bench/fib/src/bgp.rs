//! The neighbour's BGP: a session that sends what was encoded before, as fast as it is read.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_core::wire::{
    AsSegment, Capability, MessageType, Open, Origin, PathAttribute, SegmentKind, encode, frame, header,
};
use bgp_core::{Asn, Family, Ipv4Prefix, RouterId, V4};
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::{HERE, NEIGHBOR, Neighbor};
use crate::raw::{LEN, network};

pub const ASN: u32 = 64512;
pub const PORT: u16 = 179;
/// Longer than any run, so that the neighbour owes no KEEPALIVE.
pub const HOLD_TIME: u16 = 3600;
/// A daemon may refuse the first connections while it starts.
const START: Duration = Duration::from_secs(20);

/// UPDATEs that announce the routes 0 to `count`, as full as they can be, all with the same attributes.
pub fn announcements(count: u32) -> Vec<u8> {
    let path = (1..=3).map(|hop| Asn(65_000 + hop)).collect();
    let attributes = [
        PathAttribute::Origin(Origin::Igp),
        PathAttribute::AsPath(vec![AsSegment { kind: SegmentKind::Sequence, asns: path }]),
        PathAttribute::NextHop(NEIGHBOR),
        PathAttribute::LocalPref(100),
    ];
    let mut block = Vec::new();
    attributes.iter().for_each(|attribute| attribute.encode(&mut block));
    let prefixes = (0..count).filter_map(|number| Ipv4Prefix::new(network(number), LEN));
    let mut octets = Vec::new();
    let packed = encode::announce::<V4>(
        &mut octets,
        header::MAX_LEN,
        &block,
        NEIGHBOR.into(),
        prefixes.map(|prefix| (None, prefix)),
    );
    packed.expect("the attributes leave room for prefixes");
    octets
}

/// An established session.
pub struct Session {
    stream: TcpStream,
    /// When it was established.
    pub since: Instant,
}

impl Session {
    /// Connects from the neighbour's namespace, again and again until the session is established.
    pub fn open(neighbor: &Neighbor) -> io::Result<Session> {
        let end = Instant::now() + START;
        loop {
            match neighbor.inside(connect).and_then(greet) {
                Ok(stream) => return Ok(Session { stream, since: Instant::now() }),
                Err(error) if Instant::now() > end => {
                    return Err(io::Error::other(format!("no session: {error}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Sends all of it on a thread of its own.
    pub fn send(&self, octets: Vec<u8>) -> io::Result<()> {
        let mut stream = self.stream.try_clone()?;
        std::thread::spawn(move || {
            if let Err(error) = stream.write_all(&octets) {
                eprintln!("the daemon does not take the routes: {error}");
            }
        });
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The daemon may have closed it before.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn connect() -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((NEIGHBOR, 0)).into())?;
    socket.connect_timeout(&SocketAddr::from((HERE, PORT)).into(), Duration::from_secs(1))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// OPEN and KEEPALIVE, both ways.
fn greet(mut stream: TcpStream) -> io::Result<TcpStream> {
    let open = Open {
        asn: Asn(ASN),
        hold_time: HOLD_TIME,
        router_id: RouterId(NEIGHBOR.into()),
        capabilities: vec![
            Capability::Multiprotocol(Family::IPV4_UNICAST),
            Capability::RouteRefresh,
            Capability::FourOctetAs(Asn(ASN)),
        ],
    };
    let mut hello = Vec::new();
    open.encode(&mut hello);
    header::write_keepalive(&mut hello);
    stream.write_all(&hello)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut inbox, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            octets => inbox.extend_from_slice(&buffer[..octets]),
        }
        while let Some(message) =
            frame(&inbox, header::MAX_LEN).map_err(|fault| io::Error::other(fault.to_string()))?
        {
            let (kind, octets) = (message.kind, message.len);
            inbox.drain(..octets);
            match kind {
                MessageType::Keepalive => return Ok(stream),
                MessageType::Notification => return Err(io::Error::other("the daemon says NOTIFICATION")),
                _ => {}
            }
        }
    }
}
