//! A core with peers, and the far ends of their connections played by hand: all in one thread, time as told.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction, Session, SessionConfig, State};
use bgp_core::wire::capability::{GracefulRestart, LongLived};
use bgp_core::wire::header::write_keepalive;
use bgp_core::wire::{
    AsSegment, Capability, DecodeContext, MessageType, Notification, Origin, PathAttribute, RouteRefresh,
    SegmentKind, UpdateView, encode, frame,
};
use bgp_core::{
    AddressFamily, Asn, ClusterId, Family, FamilySet, Instant, PeerKind, Prefix, RouterId, V4, V6,
};
use bgp_rib::{AttributeStore, PeerId, RibConfig};

use crate::{
    Core, CoreOutput, Identity, LocalAddresses, Peer, PeerEvent, PeerOutput, PeerSettings, ToCore, ToPeer,
};

pub(crate) const OUR_AS: Asn = Asn(64512);
pub(crate) const OUR_ID: RouterId = RouterId(0x0a00_00fe);
pub(crate) const OUR_ADDRESS: [u8; 4] = [10, 0, 0, 254];

pub(crate) fn both() -> FamilySet {
    FamilySet::from_iter([Family::IPV4_UNICAST, Family::IPV6_UNICAST])
}

pub(crate) fn identity() -> Identity {
    Identity {
        local_as: OUR_AS,
        router_id: OUR_ID,
        cluster_id: Some(ClusterId(OUR_ID.0)),
        confederation: None,
    }
}

pub(crate) fn rib_config() -> RibConfig {
    RibConfig::new(identity().export_context(), 1)
}

/// A client of ours at 10.0.0.`number`.
pub(crate) fn client(number: u8) -> PeerSettings {
    PeerSettings {
        peer_as: Some(OUR_AS),
        client: true,
        families: both(),
        passive: true,
        extended_message: false,
        ..PeerSettings::new([10, 0, 0, number].into())
    }
}

/// An eBGP peer in AS 65000 + `number`.
pub(crate) fn external(number: u8) -> PeerSettings {
    PeerSettings { peer_as: Some(Asn(65000 + u32::from(number))), client: false, ..client(number) }
}

/// Everything on the way between a peer and the core, and the far end.
pub(crate) struct Side {
    pub(crate) peer: Peer,
    pub(crate) connection: ConnectionId,
    pub(crate) router_id: RouterId,
    /// Our end of its connections.
    pub(crate) local: LocalAddresses,
    /// What the far end's OPEN has besides, and
    pub(crate) offers: Vec<Capability>,
    /// what it lacks.
    pub(crate) forgets: Option<Capability>,
    /// What the far end says of its restart in its next OPEN.
    pub(crate) restart: Option<GracefulRestart>,
    pub(crate) long_lived: Option<Vec<LongLived>>,
    /// The far end reads nothing.
    pub(crate) stuck: bool,
    /// What the far end has read.
    pub(crate) read: Vec<u8>,
    pub(crate) events: Vec<PeerEvent>,
    /// The UPDATEs that were told, and what was done about their faults.
    pub(crate) mirrored: Vec<(bytes::Bytes, bgp_core::wire::Treatment)>,
    pub(crate) closed: bool,
    /// While set, messages of the core stay in `inbox`.
    pub(crate) held: bool,
    pub(crate) inbox: Vec<ToPeer>,
    /// Every message to the core.
    pub(crate) said: Vec<String>,
}

pub(crate) struct Rig {
    pub(crate) now: Instant,
    pub(crate) core: Core,
    pub(crate) sides: Vec<Side>,
    pub(crate) outputs: Vec<CoreOutput>,
    store: AttributeStore,
    identity: Identity,
    connections: u64,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig::with(rib_config())
    }

    /// A router that is another.
    pub(crate) fn of(identity: Identity) -> Rig {
        Rig { identity, ..Rig::with(RibConfig { export: identity.export_context(), ..rib_config() }) }
    }

    pub(crate) fn with(config: RibConfig) -> Rig {
        let store = AttributeStore::new(config.seed);
        Rig {
            now: Instant::ZERO,
            core: Core::new(config, store.clone()),
            sides: Vec::new(),
            outputs: Vec::new(),
            store,
            identity: identity(),
            connections: 0,
        }
    }

    /// Adds a peer that waits for its connection; returns its index. Its slot is one more.
    pub(crate) fn add(&mut self, settings: PeerSettings) -> usize {
        let index = self.sides.len();
        let id = PeerId { slot: index as u32 + 1, generation: 0 };
        let router_id = match settings.address {
            IpAddr::V4(address) => RouterId::from(address),
            IpAddr::V6(_) => RouterId(99),
        };
        let mut peer = Peer::new(id, self.identity, settings, self.store.clone(), 7 + index as u64);
        peer.start(self.now);
        self.sides.push(Side {
            peer,
            connection: ConnectionId(0),
            router_id,
            local: LocalAddresses::new(OUR_ADDRESS.into(), Some("fd00::fe".parse().unwrap())),
            offers: Vec::new(),
            forgets: None,
            restart: Some(GracefulRestart::default()),
            long_lived: None,
            stuck: false,
            read: Vec::new(),
            events: Vec::new(),
            mirrored: Vec::new(),
            closed: false,
            held: false,
            inbox: Vec::new(),
            said: Vec::new(),
        });
        index
    }

    /// Adds a peer and brings its session up.
    pub(crate) fn up(&mut self, settings: PeerSettings) -> usize {
        let index = self.add(settings);
        self.establish(index);
        index
    }

    /// A new connection and what it takes to establish it.
    pub(crate) fn establish(&mut self, index: usize) {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let (now, side) = (self.now, &mut self.sides[index]);
        let settings = side.peer.settings().clone();
        let config = SessionConfig {
            families: settings.families,
            extended_message: settings.extended_message,
            graceful_restart: side.restart.clone(),
            long_lived: side.long_lived.clone(),
            ..SessionConfig::new(settings.peer_as.unwrap(), side.router_id, Some(OUR_AS))
        };
        let mut hello = Vec::new();
        let mut open = Session::new(config, 0).our_open();
        open.capabilities.extend(side.offers.clone());
        open.capabilities.retain(|capability| Some(capability) != side.forgets.as_ref());
        open.encode(&mut hello);
        write_keepalive(&mut hello);
        let local = side.local;
        side.connection = id;
        side.read.clear();
        side.closed = false;
        side.peer.connected(now, id, Direction::Incoming, local);
        assert_eq!(side.peer.read(now, id, &hello), hello.len());
        assert_eq!(side.peer.session().state(), State::Established);
        self.settle();
    }

    /// The far end of `index` sends octets; all that follows happens.
    pub(crate) fn hear(&mut self, index: usize, octets: &[u8]) {
        let (now, side) = (self.now, &mut self.sides[index]);
        side.peer.read(now, side.connection, octets);
        self.settle();
    }

    /// The connection of `index` breaks.
    pub(crate) fn cut(&mut self, index: usize) {
        let (now, side) = (self.now, &mut self.sides[index]);
        side.peer.disconnected(now, side.connection);
        self.settle();
    }

    /// Carries all messages, lets the groups flush, writes what the far ends take.
    pub(crate) fn settle(&mut self) {
        loop {
            while self.carry() {}
            let flush = self.core.next_timeout().filter(|at| *at <= self.now + Duration::from_millis(5));
            let Some(flush) = flush else { return };
            self.now = self.now.max(flush);
            self.core.handle_timeout(self.now);
        }
    }

    /// Time passes, all timers run.
    pub(crate) fn later(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        for side in &mut self.sides {
            if side.peer.next_timeout().is_some_and(|at| at <= now) {
                side.peer.handle_timeout(now, false);
            }
        }
        if self.core.next_timeout().is_some_and(|at| at <= now) {
            self.core.handle_timeout(now);
        }
        self.settle();
    }

    /// One round; whether anything moved.
    fn carry(&mut self) -> bool {
        let mut moved = false;
        while let Some(output) = self.core.poll() {
            moved = true;
            match output {
                CoreOutput::Peer(message) => {
                    let slot = message.peer().slot as usize;
                    self.sides[slot - 1].inbox.push(message);
                }
                other => self.outputs.push(other),
            }
        }
        let now = self.now;
        for side in &mut self.sides {
            if !side.held {
                for message in std::mem::take(&mut side.inbox) {
                    moved = true;
                    side.peer.deliver(now, message);
                }
            }
            moved |= side.write(now);
            while let Some(output) = side.peer.poll() {
                moved = true;
                match output {
                    PeerOutput::Connect => {}
                    PeerOutput::Close(id) => {
                        side.closed |= id == side.connection;
                    }
                    PeerOutput::Core(message) => {
                        side.said.push(format!("{message:?}"));
                        self.core.handle(now, message);
                    }
                    PeerOutput::Event(event) => side.events.push(event),
                    PeerOutput::Received { body, treatment, .. } => side.mirrored.push((body, treatment)),
                }
            }
        }
        moved
    }

    /// What a message of an earlier session would do that arrives late.
    pub(crate) fn late(&mut self, message: ToCore) {
        self.core.handle(self.now, message);
        self.settle();
    }

    pub(crate) fn id(&self, index: usize) -> PeerId {
        self.sides[index].peer.id()
    }

    pub(crate) fn accepted(&self, index: usize) -> usize {
        let counts = |family| self.core.rib().peer_counts(self.id(index), family);
        both().iter().filter_map(counts).map(|c| c.accepted).sum()
    }
}

impl Side {
    fn write(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while !self.stuck {
            let Some(queue) = self.peer.queue(self.connection) else { break };
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = queue.gather(&mut slices);
            let octets: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
            if octets.is_empty() {
                break;
            }
            moved = true;
            self.read.extend_from_slice(&octets);
            self.peer.wrote(now, self.connection, octets.len());
        }
        moved
    }

    pub(crate) fn messages(&self) -> Vec<(MessageType, Vec<u8>)> {
        let mut rest = &self.read[..];
        let mut messages = Vec::new();
        while let Some(message) = frame(rest, 65535).unwrap() {
            messages.push((message.kind, message.body.to_vec()));
            rest = &rest[message.len..];
        }
        assert!(rest.is_empty(), "only whole messages are written");
        messages
    }

    fn context(&self) -> DecodeContext {
        let settings = self.peer.settings();
        let external = settings.peer_as != Some(OUR_AS) && !settings.confederation;
        let kind = if external { PeerKind::External } else { PeerKind::Internal };
        DecodeContext::new(kind, both())
    }

    /// The routes that the far end holds now.
    pub(crate) fn routes(&self) -> BTreeSet<Prefix> {
        let (context, mut routes) = (self.context(), BTreeSet::new());
        for (kind, body) in self.messages() {
            if kind == MessageType::Update {
                let view = UpdateView::parse(&body, &context).unwrap();
                let v6 = view.mp_unreach().into_iter().flat_map(|u| u.nlri_of::<V6>());
                let gone = view.withdrawn().map(|(_, p)| p.into()).chain(v6.map(|(_, p)| p.into()));
                let gone: BTreeSet<Prefix> = gone.collect();
                routes.retain(|prefix| !gone.contains(prefix));
                let v6 = view.mp_reach().into_iter().flat_map(|r| r.nlri_of::<V6>());
                routes.extend(view.announced().map(|(_, p)| Prefix::from(p)));
                routes.extend(v6.map(|(_, p)| Prefix::from(p)));
            }
        }
        routes
    }

    /// The AS paths of the IPv4 routes that were sent last, by prefix.
    pub(crate) fn paths(&self) -> BTreeMap<Prefix, String> {
        let (context, mut paths) = (self.context(), BTreeMap::new());
        for (kind, body) in self.messages() {
            if kind == MessageType::Update {
                let view = UpdateView::parse(&body, &context).unwrap();
                let block = view.attributes().parts().concat();
                let path = bgp_core::wire::Attributes::new(&block).as_path().to_string();
                paths.extend(view.announced().map(|(_, prefix)| (Prefix::from(prefix), path.clone())));
            }
        }
        paths
    }

    /// The End-of-RIB markers, and the place of each among the messages.
    pub(crate) fn ends_of_rib(&self) -> BTreeMap<Family, usize> {
        let (context, mut markers) = (self.context(), BTreeMap::new());
        for (at, (kind, body)) in self.messages().into_iter().enumerate() {
            if kind == MessageType::Update
                && let Some(family) = UpdateView::parse(&body, &context).unwrap().end_of_rib()
            {
                assert!(markers.insert(family, at).is_none(), "one marker a family");
            }
        }
        markers
    }

    /// The families that the far end was asked for again.
    pub(crate) fn asked_again(&self) -> Vec<Family> {
        let requests = self.messages().into_iter().filter(|(kind, _)| *kind == MessageType::RouteRefresh);
        requests.map(|(_, body)| RouteRefresh::parse(&body).unwrap().family).collect()
    }

    pub(crate) fn notification(&self) -> Option<Notification> {
        let messages = self.messages();
        let (_, body) = messages.iter().find(|(kind, _)| *kind == MessageType::Notification)?;
        Notification::parse(body)
    }
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// ORIGIN, AS_PATH with these AS numbers, LOCAL_PREF, and what is added, without NEXT_HOP.
pub(crate) fn attributes(path: &[u32], more: &[PathAttribute]) -> Vec<u8> {
    let segments = match path {
        [] => Vec::new(),
        path => {
            let asns = path.iter().map(|asn| Asn(*asn)).collect();
            vec![AsSegment { kind: SegmentKind::Sequence, asns }]
        }
    };
    let mut block = Vec::new();
    PathAttribute::Origin(Origin::Igp).encode(&mut block);
    PathAttribute::AsPath(segments).encode(&mut block);
    more.iter().for_each(|attribute| attribute.encode(&mut block));
    block
}

/// The UPDATE that announces one prefix through `next_hop`.
pub(crate) fn announce(text: &str, next_hop: IpAddr, block: &[u8]) -> Vec<u8> {
    let (mut out, mut block) = (Vec::new(), block.to_vec());
    match prefix(text) {
        Prefix::V4(p) => {
            if let IpAddr::V4(address) = next_hop {
                PathAttribute::NextHop(address).encode(&mut block);
            }
            encode::announce::<V4>(&mut out, 4096, &block, next_hop, [(None, p)]).unwrap();
        }
        Prefix::V6(p) => {
            encode::announce::<V6>(&mut out, 4096, &block, next_hop, [(None, p)]).unwrap();
        }
    }
    out
}

/// As a client would announce it: its own address is the next hop.
pub(crate) fn from_client(number: u8, text: &str) -> Vec<u8> {
    announce(text, [10, 0, 0, number].into(), &attributes(&[], &[PathAttribute::LocalPref(100)]))
}

/// As an eBGP peer of AS 65000 + `number` would.
pub(crate) fn from_external(number: u8, text: &str) -> Vec<u8> {
    announce(text, [10, 0, 0, number].into(), &attributes(&[65000 + u32::from(number)], &[]))
}

pub(crate) fn withdraw(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match prefix(text) {
        Prefix::V4(p) => encode::withdraw::<V4>(&mut out, 4096, [(None, p)]),
        Prefix::V6(p) => encode::withdraw::<V6>(&mut out, 4096, [(None, p)]),
    };
    out
}

/// Markers for both families.
pub(crate) fn ends_of_rib() -> Vec<u8> {
    let mut out = Vec::new();
    both().iter().for_each(|family| encode::end_of_rib(&mut out, family));
    out
}

/// Many prefixes of one length, as few messages as can be.
pub(crate) fn many(number: u8, count: u32) -> Vec<u8> {
    let mut block = attributes(&[], &[PathAttribute::LocalPref(100)]);
    PathAttribute::NextHop([10, 0, 0, number].into()).encode(&mut block);
    let prefixes = (0..count).filter_map(|i| V4::from_wire(32, &(0x1400_0000 + i).to_be_bytes()));
    let mut out = Vec::new();
    encode::announce::<V4>(&mut out, 4096, &block, [10, 0, 0, number].into(), prefixes.map(|p| (None, p)))
        .unwrap();
    out
}
