//! Daemons on loopback, and peers played by hand over real sockets.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bgp_core::fsm::{Session, SessionConfig};
use bgp_core::wire::capability::GracefulRestart;
use bgp_core::wire::header::write_keepalive;
use bgp_core::wire::{
    AsSegment, DecodeContext, MessageType, Notification, Origin, PathAttribute, UpdateView,
};
use bgp_core::wire::{encode, frame};
use bgp_core::{AddressFamily, Asn, FamilySet, PeerKind, Prefix, RouterId, V4, V6};
use bgp_daemon::api::schema::{EventKind, PeerRow, SessionState, Topic};
use bgp_daemon::api::{Command, Watcher};
use bgp_daemon::config::{Config, DaemonKind};
use bgp_daemon::runtime::{Daemon, ForwardingChange, ForwardingCore, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

/// What waits for an event that never comes fails after this.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// A part of 127.0.0.0/8 and a folder for one test.
pub(crate) struct Place {
    net: u8,
    port: u16,
    /// The reflector's port on ::1, if it listens there too.
    port_v6: Option<u16>,
    folder: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Place {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let net = 100 + NEXT.fetch_add(1, Ordering::Relaxed);
        let free = TcpListener::bind((IpAddr::from([127, 0, net, 1]), 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("bgp-sessions-{}-{net}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Place { net, port, port_v6: None, folder }
    }

    /// With a reflector that listens on ::1 too.
    pub(crate) fn with_v6() -> Place {
        let free = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let mut place = Place::new();
        place.port_v6 = Some(free.local_addr().unwrap().port());
        place
    }

    pub(crate) fn address(&self, host: u8) -> IpAddr {
        [127, 0, self.net, host].into()
    }

    /// Where the reflector, host 1, listens.
    pub(crate) fn reflector(&self) -> SocketAddr {
        SocketAddr::new(self.address(1), self.port)
    }

    pub(crate) fn file(&self, host: u8) -> PathBuf {
        self.folder.join(format!("{host}.toml"))
    }

    /// Writes a daemon's configuration: `text` with `NET` for the first octets of all addresses, behind its identity.
    pub(crate) fn configure(&self, host: u8, listens: bool, text: &str) {
        let v6 = self.port_v6.map(|port| SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
        let listen = [self.reflector()].into_iter().chain(v6).filter(|_| listens);
        let listen: Vec<String> = listen.map(|address| format!("\"{address}\"")).collect();
        let listen = listen.join(", ");
        let socket = self.folder.join(format!("{host}.sock"));
        let head = format!(
            "asn = 64512\nrouter-id = \"10.0.0.{host}\"\nlisten = [{listen}]\nnext-hop-v4 = \"10.9.9.{host}\"\n"
        );
        let tail = format!("[api]\nsocket = \"{}\"\nlisten = \"\"\n", socket.display());
        let text = text.replace("NET", &format!("127.0.{}", self.net));
        std::fs::write(self.file(host), head + &text + &tail).unwrap();
    }

    /// Starts the reflector, host 1.
    pub(crate) async fn start_reflector(&self, text: &str) -> Node {
        self.configure(1, true, text);
        self.start(1, DaemonKind::Reflector).await
    }

    /// Starts a daemon that connects to the reflector from its own address.
    pub(crate) async fn start_client(&self, host: u8, text: &str) -> Node {
        self.configure_client(host, text);
        self.start(host, DaemonKind::Reflector).await
    }

    /// The same, a speaker.
    pub(crate) async fn start_speaker(&self, host: u8, text: &str) -> Node {
        self.configure_client(host, text);
        self.start(host, DaemonKind::Speaker).await
    }

    pub(crate) fn configure_client(&self, host: u8, text: &str) {
        let peer = format!(
            "[[peers]]\naddress = \"NET.1\"\nport = {}\nsource-address = \"NET.{host}\"\nconnect-retry = 1\n",
            self.port
        );
        self.configure(host, false, &(peer + text));
    }

    async fn start(&self, host: u8, kind: DaemonKind) -> Node {
        let config = Config::load(&self.file(host), kind).unwrap_or_else(|errors| panic!("{}", errors[0]));
        let (reloaded, reload) = watch::channel(config.clone());
        let (routes, changes) = mpsc::channel(64);
        let (watches, _) = mpsc::channel(64);
        let (next_hops, reported) = mpsc::channel(1);
        let forwarding = ForwardingCore { routes, watches, next_hops: reported };
        let options = Options {
            config_path: Some(self.file(host)),
            forwarding: Some(forwarding),
            reloaded: Some(reloaded),
            seed: Some(7),
            ..Options::default()
        };
        let daemon = Daemon::start(config, options).await.unwrap();
        let events = daemon.control().events().watch(Topic::Peers);
        Node { daemon, events, changes, routes: BTreeSet::new(), reload, _next_hops: next_hops }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A daemon and what it tells.
pub(crate) struct Node {
    pub(crate) daemon: Daemon,
    events: Watcher,
    changes: mpsc::Receiver<ForwardingChange>,
    /// What its FIB would hold.
    routes: BTreeSet<Prefix>,
    /// What an embedder is told of reloads.
    pub(crate) reload: watch::Receiver<Config>,
    _next_hops: mpsc::Sender<(IpAddr, bgp_rib::NextHopState)>,
}

impl Node {
    /// Waits until the FIB holds just these.
    pub(crate) async fn holds(&mut self, prefixes: &[&str]) {
        let wanted: BTreeSet<Prefix> = prefixes.iter().map(|p| p.parse().unwrap()).collect();
        soon(&format!("{prefixes:?}"), async {
            while self.routes != wanted {
                if let Some(ForwardingChange::Routes(changes)) = self.changes.recv().await {
                    for change in changes {
                        match change.next_hops.is_empty() {
                            true => self.routes.remove(&change.prefix),
                            false => self.routes.insert(change.prefix),
                        };
                    }
                }
            }
        })
        .await;
    }

    async fn event(&mut self, what: &str, wanted: impl Fn(&EventKind) -> bool) {
        let next = async {
            loop {
                let event = self.events.next().await.expect("the daemon runs");
                if wanted(&event.kind) {
                    return;
                }
            }
        };
        soon(what, next).await;
    }

    /// Waits for the session, which may be up already.
    pub(crate) async fn sees_up(&mut self, peer: IpAddr) {
        if self.row(peer).await.is_some_and(|row| row.state == SessionState::Established) {
            return;
        }
        let up = |kind: &EventKind| matches!(kind, EventKind::Peer { address, to: SessionState::Established, .. } if *address == peer);
        self.event("a session that comes up", up).await;
    }

    pub(crate) async fn sees_removed(&mut self, peer: IpAddr) {
        let gone = |kind: &EventKind| matches!(kind, EventKind::PeerRemoved { address } if *address == peer);
        self.event("a peer that is removed", gone).await;
    }

    pub(crate) async fn row(&self, peer: IpAddr) -> Option<PeerRow> {
        let rows = self.daemon.control().ask(Command::Peers).await.unwrap();
        rows.into_iter().find(|row| row.address == peer)
    }
}

/// A peer played by hand.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(place: &Place, host: u8) -> Raw {
        Raw::with_buffer(place, host, None).await
    }

    /// Over ::1.
    pub(crate) async fn connect_v6(place: &Place) -> Raw {
        let reflector = (Ipv6Addr::LOCALHOST, place.port_v6.unwrap());
        let stream = soon("a TCP connection", TcpStream::connect(reflector)).await.unwrap();
        Raw { stream, input: Vec::new() }
    }

    /// With a receive buffer of so many octets.
    pub(crate) async fn with_buffer(place: &Place, host: u8, buffer: Option<u32>) -> Raw {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(octets) = buffer {
            socket.set_recv_buffer_size(octets).unwrap();
        }
        socket.bind(SocketAddr::new(place.address(host), 0)).unwrap();
        let stream = soon("a TCP connection", socket.connect(place.reflector())).await.unwrap();
        Raw { stream, input: Vec::new() }
    }

    /// Sends an OPEN and a KEEPALIVE, and reads those of the daemon.
    pub(crate) async fn establish(&mut self, id: u8) {
        self.establish_with(id, None).await;
    }

    /// The same with an offer to keep the daemon's routes over its restart.
    pub(crate) async fn establish_with(&mut self, id: u8, graceful_restart: Option<GracefulRestart>) {
        let config = SessionConfig::new(Asn(64512), RouterId(0x0a00_0000 + u32::from(id)), None);
        let config = SessionConfig { graceful_restart, ..config };
        let mut hello = Vec::new();
        Session::new(config, 0).our_open().encode(&mut hello);
        write_keepalive(&mut hello);
        self.stream.write_all(&hello).await.unwrap();
        for wanted in [MessageType::Open, MessageType::Keepalive] {
            let (kind, _) = self.message().await.expect("the daemon goes on");
            assert_eq!(kind, wanted);
        }
    }

    pub(crate) async fn up(place: &Place, host: u8) -> Raw {
        let mut raw = Raw::connect(place, host).await;
        raw.establish(host).await;
        raw
    }

    /// The next message; `None` once the daemon has closed. A reset is no way to close.
    pub(crate) async fn message(&mut self) -> Option<(MessageType, Vec<u8>)> {
        loop {
            if let Some(message) = frame(&self.input, 65535).unwrap() {
                let (kind, body, len) = (message.kind, message.body.to_vec(), message.len);
                self.input.drain(..len);
                return Some((kind, body));
            }
            let read = soon("a message", self.stream.read_buf(&mut self.input)).await.unwrap();
            if read == 0 {
                assert!(self.input.is_empty());
                return None;
            }
        }
    }

    /// Reads to the end; the NOTIFICATION that is the last word.
    pub(crate) async fn notification(&mut self) -> Notification {
        let mut last = None;
        while let Some((kind, body)) = self.message().await {
            assert!(last.is_none(), "nothing follows a NOTIFICATION");
            last = (kind == MessageType::Notification).then(|| Notification::parse(&body).unwrap());
        }
        last.expect("a NOTIFICATION before the end")
    }

    /// Announces /32s from 20.0.0.0 on.
    pub(crate) async fn announce(&mut self, count: u32) {
        let mut block = Vec::new();
        PathAttribute::Origin(Origin::Igp).encode(&mut block);
        PathAttribute::AsPath(Vec::<AsSegment>::new()).encode(&mut block);
        PathAttribute::NextHop([10, 9, 9, 9].into()).encode(&mut block);
        PathAttribute::LocalPref(100).encode(&mut block);
        let prefixes = (0..count).filter_map(|i| V4::from_wire(32, &(0x1400_0000 + i).to_be_bytes()));
        let mut out = Vec::new();
        let next_hop = [10, 9, 9, 9].into();
        encode::announce::<V4>(&mut out, 4096, &block, next_hop, prefixes.map(|p| (None, p))).unwrap();
        soon("room for the routes", self.stream.write_all(&out)).await.unwrap();
    }

    /// The path attributes of the next UPDATE that announces IPv4 prefixes, and these.
    pub(crate) async fn hears_update(&mut self) -> (Vec<u8>, Vec<Prefix>) {
        let context = DecodeContext::new(PeerKind::Internal, FamilySet::EMPTY.with(V4::FAMILY));
        loop {
            let (kind, body) = self.message().await.expect("the session goes on");
            if kind != MessageType::Update {
                continue;
            }
            let update = UpdateView::parse(&body, &context).unwrap();
            let prefixes: Vec<Prefix> = update.announced().map(|(_, prefix)| prefix.into()).collect();
            if !prefixes.is_empty() {
                return (body.clone(), prefixes);
            }
        }
    }

    /// Reads until so many prefixes were announced.
    pub(crate) async fn hears(&mut self, count: usize) {
        let families = FamilySet::EMPTY.with(V4::FAMILY).with(V6::FAMILY);
        let context = DecodeContext::new(PeerKind::Internal, families);
        let mut heard = 0;
        while heard < count {
            let (kind, body) = self.message().await.expect("the session goes on");
            if kind == MessageType::Update {
                heard += UpdateView::parse(&body, &context).unwrap().announced().count();
            }
        }
    }
}
