//! A speaker made of `bgp_core`'s session and a TCP socket in a node's namespace, for one connection with one peer.

use crate::exact::{self, Seen};
use bgp_core::fsm::{ConnectionId, Direction, Negotiated, Output, Received, Session, SessionConfig};
use bgp_core::wire::capability::{Capability, Offered};
use bgp_core::{Asn, Family, FamilySet, Instant, RouterId};
use interop::{Error, Net, Node, Result, ensure};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// The AS that all speakers and routers are in, unless a test says otherwise.
pub(crate) const AS: u32 = 64512;
/// How long a look for octets waits.
const PATIENCE: Duration = Duration::from_millis(10);

pub(crate) struct Speaker {
    session: Session,
    way: Way,
    connection: Option<(ConnectionId, TcpStream)>,
    since: std::time::Instant,
    /// The last message that is not whole yet.
    unread: Vec<u8>,
    negotiated: Option<Box<Negotiated>>,
    /// What was announced to us and not withdrawn.
    routes: Vec<Seen>,
    /// The families whose routes have all been sent.
    complete: BTreeSet<Family>,
    /// Where the peer's octets are not the only ones that say the same.
    forms: BTreeSet<String>,
    /// What went wrong first.
    failure: Option<String>,
}

/// How the connection comes about.
enum Way {
    /// The peer connects.
    Listen(TcpListener),
    /// We connect, which is quicker where the peer takes its time.
    Connect(Node, SocketAddr),
}

/// A session within [`AS`] that offers all families.
pub(crate) fn config(node: &Node) -> SessionConfig {
    let id = match node.v4() {
        IpAddr::V4(address) => RouterId::from(address),
        IpAddr::V6(_) => RouterId(0),
    };
    SessionConfig { families: FamilySet::ALL, ..SessionConfig::new(Asn(AS), id, Some(Asn(AS))) }
}

impl Speaker {
    /// Waits for the peer to connect.
    pub(crate) fn listen(node: &Node, config: SessionConfig) -> Result<Speaker> {
        let listener = node.inside(|| TcpListener::bind("[::]:179"))?;
        listener.set_nonblocking(true).map_err(io("listening"))?;
        Ok(Speaker::new(SessionConfig { passive: true, ..config }, Way::Listen(listener)))
    }

    /// Connects to the peer.
    pub(crate) fn connect(node: &Node, to: IpAddr, config: SessionConfig) -> Speaker {
        Speaker::new(config, Way::Connect(node.clone(), SocketAddr::new(to, 179)))
    }

    fn new(config: SessionConfig, way: Way) -> Speaker {
        let mut session = Session::new(config, 1);
        session.start(Instant::ZERO);
        Speaker {
            session,
            way,
            connection: None,
            since: std::time::Instant::now(),
            unread: Vec::new(),
            negotiated: None,
            routes: Vec::new(),
            complete: BTreeSet::new(),
            forms: BTreeSet::new(),
            failure: None,
        }
    }

    /// What the first session with the peer agreed on. All that it offers is known here and says again what was read.
    pub(crate) fn established(&mut self, net: &Net) -> Result<Negotiated> {
        let negotiated = net.eventually("the session is up", || {
            self.turn()?;
            self.negotiated.clone().ok_or_else(|| Error::NotSo("not established".to_owned()))
        })?;
        for capability in &negotiated.peer_capabilities {
            let unknown = matches!(capability, Capability::Unknown { .. });
            ensure(!unknown || capability.name().is_none(), || format!("not understood: {capability}"))?;
            let mut octets = Vec::new();
            capability.encode(&mut octets);
            let [code, _, value @ ..] = octets.as_slice() else { continue };
            ensure(Capability::parse(*code, value) == *capability, || format!("differs: {capability}"))?;
        }
        Ok(*negotiated)
    }

    /// Waits for routes of just these lines, in any order.
    pub(crate) fn expect(&mut self, net: &Net, expected: &[&str]) -> Result<()> {
        net.eventually("the speaker has the routes", || {
            self.turn()?;
            let lines: Vec<&str> = self.routes.iter().map(|route| route.line.as_str()).collect();
            let missing: Vec<_> = expected.iter().filter(|line| !lines.contains(line)).collect();
            let others: Vec<_> = lines.iter().filter(|line| !expected.contains(line)).collect();
            ensure(missing.is_empty() && others.is_empty(), || {
                format!("missing: {missing:#?}\nnot expected: {others:#?}")
            })
        })
    }

    /// Waits until `enough` says so of the routes.
    pub(crate) fn routes(&mut self, net: &Net, enough: impl Fn(&[Seen]) -> bool) -> Result<Vec<Seen>> {
        net.eventually("the speaker has enough routes", || {
            self.turn()?;
            let lines = || self.routes.iter().map(|route| route.line.as_str()).collect::<Vec<_>>().join("\n");
            ensure(enough(&self.routes), || format!("has only:\n{}", lines()))?;
            Ok(self.routes.clone())
        })
    }

    /// Waits for the end of the routes of each of `families` (RFC 4724 section 2).
    pub(crate) fn end_of_rib(&mut self, net: &Net, families: &[Family]) -> Result<()> {
        net.eventually("all routes were sent", || {
            self.turn()?;
            let left: Vec<_> = families.iter().filter(|family| !self.complete.contains(family)).collect();
            ensure(left.is_empty(), || format!("no End-of-RIB yet: {left:?}"))
        })
    }

    /// Where what came so far was written otherwise than `bgp_core` writes it.
    pub(crate) fn forms(&self) -> Vec<&str> {
        self.forms.iter().map(String::as_str).collect()
    }

    /// Sends whole messages.
    pub(crate) fn send(&mut self, messages: &[u8]) -> Result<()> {
        let (_, stream) = self.connection.as_mut().ok_or_else(|| Error::NotSo("no connection".to_owned()))?;
        stream.write_all(messages).map_err(io("sending"))?;
        let now = self.now();
        self.session.update_written(now);
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.since.elapsed()
    }

    /// Takes what there is to take, and answers it. What fails once is up fails every turn from then on.
    fn turn(&mut self) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(Error::NotSo(failure.clone()));
        }
        let now = self.now();
        if self.connection.is_none() {
            self.begin(now)?;
        }
        self.serve(now).inspect_err(|error| self.failure = Some(error.to_string()))
    }

    fn serve(&mut self, now: Instant) -> Result<()> {
        self.read(now)?;
        self.session.handle_timeout(now, false);
        self.answer(now)
    }

    fn begin(&mut self, now: Instant) -> Result<()> {
        let (made, direction) = match &self.way {
            Way::Listen(listener) => (listener.accept().map(|(stream, _)| stream), Direction::Incoming),
            Way::Connect(node, to) => (Ok(node.inside(|| TcpStream::connect(to))?), Direction::Outgoing),
        };
        match made {
            Ok(stream) => {
                stream.set_nonblocking(false).map_err(io("connecting"))?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(io("connecting"))?;
                let id = ConnectionId(1);
                self.connection = Some((id, stream));
                self.session.connected(now, id, direction);
                self.answer(now)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(io("connecting")(error)),
        }
    }

    fn read(&mut self, now: Instant) -> Result<()> {
        let Some((id, stream)) = &mut self.connection else { return Ok(()) };
        let id = *id;
        let mut buffer = [0; 1 << 16];
        let len = match stream.read(&mut buffer) {
            Ok(0) => return Err(Error::NotSo(format!("the peer closed: {:?}", self.session.last_error()))),
            Ok(len) => len,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(error) => return Err(io("receiving")(error)),
        };
        let mut unread = std::mem::take(&mut self.unread);
        unread.extend(buffer.iter().take(len));
        let mut rest = unread.as_slice();
        while let Some(received) = self.session.receive(now, id, &mut rest) {
            if let Received::Update(body) = received {
                self.answer(now)?;
                self.update(body)?;
            }
        }
        self.unread = rest.to_vec();
        Ok(())
    }

    fn answer(&mut self, now: Instant) -> Result<()> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(_, octets) => {
                    if let Some((_, stream)) = &mut self.connection {
                        stream.write_all(&octets).map_err(io("sending"))?;
                    }
                    self.session.sent(now, false);
                }
                Output::Established(negotiated) => self.negotiated = Some(negotiated),
                Output::Down(reason) | Output::Failed(reason) => {
                    return Err(Error::NotSo(format!("the session ended: {reason}")));
                }
                Output::Connect | Output::Close(_) | Output::StateChanged { .. } => {}
            }
        }
        Ok(())
    }

    fn update(&mut self, body: &[u8]) -> Result<()> {
        let Some(negotiated) = &self.negotiated else {
            return Err(Error::NotSo("an UPDATE before the session was up".to_owned()));
        };
        let update = exact::read(body, &negotiated.decode_context())?;
        self.complete.extend(update.end_of_rib);
        self.forms.extend(update.forms);
        let gone = |route: &Seen| {
            let of = |other: &Seen| {
                (other.family, other.path_id, other.key()) == (route.family, route.path_id, route.key())
            };
            update.withdrawn.iter().chain(&update.announced).any(of)
        };
        self.routes.retain(|route| !gone(route));
        self.routes.extend(update.announced);
        Ok(())
    }
}

/// What the peer of `negotiated` offers.
pub(crate) fn offered(negotiated: &Negotiated) -> Offered<'_> {
    Offered(&negotiated.peer_capabilities)
}

fn io(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { what: what.to_owned(), source }
}
