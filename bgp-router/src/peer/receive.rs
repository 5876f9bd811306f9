//! From octets of a connection to routes for the core.

use bgp_core::Instant;
use bgp_core::fsm::{ConnectionId, Received};
use bgp_core::wire::{Fault, Treatment};
use bytes::Bytes;

use super::{Peer, PeerEvent, PeerOutput};
use crate::import::Fatal;
use crate::message::{Batch, ToCore};

impl Peer {
    /// Takes the complete messages at the front of `input`, which came from connection `id`; returns how many
    /// octets were used. The rest is the start of a message: give it again with more behind it.
    pub fn read(&mut self, now: Instant, id: ConnectionId, input: &[u8]) -> usize {
        self.read_with(now, id, input, &mut Batch::default())
    }

    /// [`Peer::read`] with a batch that is empty before and after: one that is used again has grown to the size of a read,
    /// and what goes to the core is allocated once.
    pub fn read_with(&mut self, now: Instant, id: ConnectionId, input: &[u8], batch: &mut Batch) -> usize {
        let mut rest = input;
        batch.received = Some(now);
        while let Some(received) = self.session.receive(now, id, &mut rest) {
            match received {
                Received::Update(body) => self.update(now, body, batch),
                Received::RouteRefresh(refresh) => self.refresh(now, refresh, batch),
            }
            // A session that comes up or goes down inside the loop must reach the core in order.
            self.drain(now);
        }
        self.flush_batch(batch);
        // What a session left that ended on the way.
        batch.clear();
        self.drain(now);
        input.len() - rest.len()
    }

    fn update(&mut self, now: Instant, body: &[u8], batch: &mut Batch) {
        self.drain(now);
        let Some(established) = &mut self.established else { return };
        let id = established.id;
        let outcome = established.importer.update(body, batch);
        if self.mirrored {
            let faults = match &outcome {
                Ok(outcome) => &outcome.faults,
                Err(fatal) => &fatal.faults,
            };
            let treatment = faults.iter().map(|fault| fault.treatment).max().unwrap_or(Treatment::Accept);
            let body = Bytes::copy_from_slice(body);
            self.outputs.push_back(PeerOutput::Received { peer: id, body, treatment });
        }
        match outcome {
            Ok(outcome) => {
                if let Some(family) = outcome.end_of_rib {
                    established.complete = established.complete.with(family);
                    self.flush_batch(batch);
                    self.outputs.push_back(PeerOutput::Core(ToCore::EndOfRib(id, family)));
                }
                if !outcome.faults.is_empty() {
                    self.report(outcome.faults, body);
                }
                self.check_kept(now);
            }
            Err(Fatal { notification, faults }) => {
                self.flush_batch(batch);
                self.report(faults, body);
                self.session.reset(now, notification);
            }
        }
    }

    fn report(&mut self, faults: Vec<Fault>, body: &[u8]) {
        let event = PeerEvent::Malformed { faults, body: body.to_vec() };
        self.outputs.push_back(PeerOutput::Event(event));
    }

    pub(super) fn flush_batch(&mut self, batch: &mut Batch) {
        if let (Some(established), false) = (&self.established, batch.is_empty()) {
            let message = ToCore::Routes(established.id, batch.take());
            self.outputs.push_back(PeerOutput::Core(message));
        }
    }
}
