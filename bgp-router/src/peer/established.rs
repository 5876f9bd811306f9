//! A session that is up: what was agreed, how it begins and what it leaves.

use bgp_core::fsm::{ConnectionId, DownReason, Negotiated, PeerRestart};
use bgp_core::{Family, FamilySet, Instant};
use bgp_rib::{GroupKey, PeerId, PeerInfo, PeerUp, SourceKind};

use super::{Connection, Peer, PeerEvent, PeerOutput};
use crate::config::{LocalAddresses, PeerSettings};
use crate::import::Importer;
use crate::message::{Retention, SessionUp, ToCore};
use crate::write_queue::Written;

pub(super) struct Established {
    pub(super) id: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) importer: Importer,
    /// Our end of the connection.
    pub(super) local: LocalAddresses,
    /// The settings that it was agreed with.
    pub(super) agreed: PeerSettings,
    /// The update group, and what the peer is to us, as told to the core.
    pub(super) group: (GroupKey, SourceKind),
    /// The families whose End-of-RIB has come.
    pub(super) complete: FamilySet,
    /// The families that the peer sends again, and until when it may take.
    pub(super) answers: Vec<(Family, Instant)>,
    /// Written but not yet told to the core.
    pub(super) written: Written,
    /// What the peer said of its restart.
    pub(super) restart: Option<PeerRestart>,
}

impl Peer {
    pub(super) fn come_up(&mut self, negotiated: Box<Negotiated>) {
        let connection = negotiated.connection;
        let Some(Connection { local, settings, .. }) = self.connections.iter().find(|c| c.id == connection)
        else {
            return;
        };
        let (local, agreed) = (*local, settings.clone());
        self.id = self.id.next_session();
        let info = PeerInfo {
            id: self.id,
            kind: self.settings.source_kind(negotiated.kind),
            address: self.settings.address,
            router_id: negotiated.peer_router_id,
            asn: negotiated.peer_as,
            families: negotiated.families,
        };
        let group = self.settings.group_key(&self.identity, &negotiated, &local, self.draining);
        let theirs = negotiated.restart.as_ref();
        let up = SessionUp {
            limits: self.settings.limits,
            restart: agreed.restart.zip(theirs).map(|(ours, theirs)| ours.session_restart(theirs)),
            sends_end_of_rib: negotiated.peer_sends_end_of_rib(),
            restarted: theirs.is_some_and(|restart| restart.restarted),
            enhanced_refresh: negotiated.enhanced_refresh,
            ..SessionUp::new(PeerUp { info, group: group.clone() })
        };
        let context = negotiated.decode_context();
        let importer = Importer::new(
            self.identity,
            self.settings.clone(),
            context,
            (local, negotiated.peer_as),
            self.store.clone(),
        );
        self.established = Some(Established {
            id: self.id,
            connection,
            importer,
            local,
            agreed,
            group: (group, self.settings.source_kind(negotiated.kind)),
            complete: FamilySet::EMPTY,
            answers: Vec::new(),
            written: Written::default(),
            restart: negotiated.restart.clone(),
        });
        // Whoever watches knows of the session before anything else of it happens.
        self.outputs.push_back(PeerOutput::Event(PeerEvent::Established(negotiated)));
        self.outputs.push_back(PeerOutput::Core(ToCore::Up(Box::new(up))));
    }

    pub(super) fn go_down(&mut self, now: Instant, reason: &DownReason) {
        let Some(established) = self.established.take() else { return };
        self.counters.add(&established.importer.counters);
        let restart = established.restart.filter(|restart| restart.retains(reason));
        let retention = established.agreed.restart.zip(restart).map(|(ours, theirs)| ours.retention(&theirs));
        // What the session before it left may be kept for longer.
        let longest = |kept: &Retention| self.kept_until.max(Some(now + kept.longest()));
        self.kept_until = retention.as_ref().and_then(longest);
        self.outputs.push_back(PeerOutput::Core(ToCore::Down(established.id, retention)));
    }
}
