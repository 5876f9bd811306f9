//! From the octets of an UPDATE to a batch of routes: RFC 7606, interning, and the checks that refuse a route.

use std::net::IpAddr;

use bgp_core::wire::{
    AttributeBlock, Attributes, BlockUse, DecodeContext, Fault, Malformed, Nlri, Notification, Treatment,
    UpdateView,
};
use bgp_core::{AddressFamily, Family, PeerKind, Prefix, V4, V6};
use bgp_rib::{AttributeStore, Attrs, Policy};

use crate::config::{Identity, LocalAddresses, PeerSettings};
use crate::message::{Batch, RouteChange};

/// Why a route is not taken; a refused route withdraws the one it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The import policy, or a prefix outside the allowed ones.
    Policy,
    /// Our AS is in the AS_PATH (RFC 4271 section 9.1.2).
    AsLoop,
    /// We are the ORIGINATOR_ID (RFC 4456 section 8).
    Originator,
    /// Our cluster is in the CLUSTER_LIST (RFC 4456 section 8).
    Cluster,
    /// The next hop is our own address (RFC 4271 section 5.1.3).
    NextHop,
}

impl Refusal {
    /// All of them, in the order of their counters.
    pub const ALL: [Refusal; 5] =
        [Refusal::Policy, Refusal::AsLoop, Refusal::Originator, Refusal::Cluster, Refusal::NextHop];

    /// The name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Refusal::Policy => "policy",
            Refusal::AsLoop => "as_loop",
            Refusal::Originator => "originator",
            Refusal::Cluster => "cluster",
            Refusal::NextHop => "next_hop",
        }
    }
}

/// Counts of what came in over all sessions of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounters {
    /// Routes announced, IPv4 and IPv6.
    pub announced: [u64; 2],
    /// Routes withdrawn, IPv4 and IPv6.
    pub withdrawn: [u64; 2],
    /// Routes refused, by [`Refusal::ALL`].
    pub refused: [u64; 5],
    /// UPDATEs with a fault, by the treatment: attribute discarded, treated as withdraw, family disabled,
    /// session reset.
    pub malformed: [u64; 4],
}

impl ImportCounters {
    /// Adds the counts of another session.
    pub fn add(&mut self, other: &ImportCounters) {
        let pairs = [
            (&mut self.announced[..], &other.announced[..]),
            (&mut self.withdrawn[..], &other.withdrawn[..]),
            (&mut self.refused[..], &other.refused[..]),
            (&mut self.malformed[..], &other.malformed[..]),
        ];
        for (sums, counts) in pairs {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    fn count_malformed(&mut self, treatment: Treatment) {
        let [discard, withdraw, disable, reset] = &mut self.malformed;
        match treatment {
            Treatment::Accept => {}
            Treatment::DiscardAttribute => *discard += 1,
            Treatment::TreatAsWithdraw => *withdraw += 1,
            Treatment::DisableFamily => *disable += 1,
            Treatment::ResetSession => *reset += 1,
        }
    }

    fn count_refused(&mut self, refusal: Refusal, routes: u64) {
        if let Some(counter) = self.refused.get_mut(refusal as usize) {
            *counter += routes;
        }
    }
}

/// What an UPDATE held besides routes.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The UPDATE was an End-of-RIB marker.
    pub end_of_rib: Option<Family>,
    /// What was wrong with it; the session goes on.
    pub faults: Vec<Fault>,
}

/// An UPDATE after which the session cannot go on (RFC 7606).
#[derive(Debug)]
pub struct Fatal {
    /// What to end the session with.
    pub notification: Notification,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// Turns the UPDATEs of one session into batches.
pub struct Importer {
    identity: Identity,
    settings: PeerSettings,
    context: DecodeContext,
    /// Our addresses on the session's link.
    local: LocalAddresses,
    store: AttributeStore,
    /// Where a block is made canonical; kept for its capacity.
    scratch: Vec<u8>,
    /// Counts since the session came up.
    pub counters: ImportCounters,
}

fn strongest(faults: &[Fault]) -> Option<&Fault> {
    faults.iter().max_by_key(|fault| fault.treatment)
}

/// The attributes of an UPDATE once judged.
enum Judged {
    Take(u32),
    Withdraw,
    Refuse(Refusal),
}

impl Importer {
    /// An importer for one session.
    #[must_use]
    pub fn new(
        identity: Identity,
        settings: PeerSettings,
        context: DecodeContext,
        local: LocalAddresses,
        store: AttributeStore,
    ) -> Importer {
        let counters = ImportCounters::default();
        Importer { identity, settings, context, local, store, scratch: Vec::new(), counters }
    }

    /// Takes and refuses routes by other settings from now on.
    pub fn set_settings(&mut self, settings: PeerSettings) {
        self.settings = settings;
    }

    /// Adds the routes of one UPDATE to `batch`.
    ///
    /// # Errors
    /// Where RFC 7606 leaves no way but to end the session.
    pub fn update(&mut self, body: &[u8], batch: &mut Batch) -> Result<Outcome, Fatal> {
        let outcome = self.read(body, batch);
        let worst = match &outcome {
            Ok(outcome) => strongest(&outcome.faults).map_or(Treatment::Accept, |fault| fault.treatment),
            Err(_) => Treatment::ResetSession,
        };
        self.counters.count_malformed(worst);
        outcome
    }

    fn read(&mut self, body: &[u8], batch: &mut Batch) -> Result<Outcome, Fatal> {
        let view = UpdateView::parse(body, &self.context).map_err(|malformed| {
            let Malformed { fault, notification } = *malformed;
            Fatal { notification, faults: vec![fault] }
        })?;
        if let Some(family) = view.end_of_rib() {
            return Ok(Outcome { end_of_rib: Some(family), faults: Vec::new() });
        }
        let mut outcome = Outcome { end_of_rib: None, faults: view.faults().to_vec() };

        self.withdraw(view.withdrawn(), &mut batch.v4);
        if let Some(unreach) = view.mp_unreach() {
            match unreach.family {
                Family::IPV4_UNICAST => self.withdraw(unreach.nlri_of::<V4>(), &mut batch.v4),
                Family::IPV6_UNICAST => self.withdraw(unreach.nlri_of::<V6>(), &mut batch.v6),
                _ => {}
            }
        }
        if !view.announces() {
            // Attributes without destinations still may say that the session is broken (RFC 7606 section 5.2).
            self.scratch.clear();
            let checked = view.attributes().check(&self.context, BlockUse::None, &mut self.scratch);
            outcome.faults.extend(checked.faults);
        }
        if !view.announced().is_empty() {
            let next_hop = view.next_hop().map(IpAddr::V4);
            let judged = self.judge(&view, BlockUse::Announce, next_hop, batch, &mut outcome);
            self.announce(&judged, view.announced(), &mut batch.v4);
        }
        if let Some(reach) = view.mp_reach().filter(|reach| !reach.nlri.is_empty()) {
            let judged = self.judge(&view, BlockUse::MpReach, reach.next_hop.address(), batch, &mut outcome);
            match reach.family {
                Family::IPV4_UNICAST => self.announce(&judged, reach.nlri_of::<V4>(), &mut batch.v4),
                Family::IPV6_UNICAST => self.announce(&judged, reach.nlri_of::<V6>(), &mut batch.v6),
                _ => {}
            }
        }
        match strongest(&outcome.faults) {
            // A family alone is never disabled: the peer would not know, and its routes would linger there.
            Some(fault) if fault.treatment >= Treatment::DisableFamily => {
                Err(Fatal { notification: fault.notification(body), faults: outcome.faults })
            }
            _ => Ok(outcome),
        }
    }

    /// The interned set for the block, or why its routes are not taken.
    fn judge(
        &mut self,
        view: &UpdateView<'_>,
        usage: BlockUse,
        next_hop: Option<IpAddr>,
        batch: &mut Batch,
        outcome: &mut Outcome,
    ) -> Judged {
        if view.treatment() >= Treatment::TreatAsWithdraw {
            return Judged::Withdraw;
        }
        let Some(attrs) = self.intern(view.attributes(), usage, next_hop, outcome) else {
            return Judged::Withdraw;
        };
        if let Some(refusal) = self.refusal(&attrs) {
            return Judged::Refuse(refusal);
        }
        if batch.attributes.last() != Some(&attrs) {
            batch.attributes.push(attrs);
        }
        Judged::Take(u32::try_from(batch.attributes.len() - 1).unwrap_or(u32::MAX))
    }

    fn intern(
        &mut self,
        block: AttributeBlock<'_>,
        usage: BlockUse,
        next_hop: Option<IpAddr>,
        outcome: &mut Outcome,
    ) -> Option<Attrs> {
        let kind = self.context.kind;
        // Octets checked before need no second look; with two-octet AS numbers they would mean something else.
        if self.context.four_octet_as
            && let Some(known) = next_hop.and_then(|n| self.store.get(kind, n, &block.parts()))
        {
            return Some(known);
        }
        if let Some(summary) = block.canonical(&self.context, usage) {
            return next_hop.map(|n| self.store.insert(kind, n, &block.parts(), summary));
        }
        self.scratch.clear();
        let checked = block.check(&self.context, usage, &mut self.scratch);
        outcome.faults.extend(checked.faults);
        if checked.treatment >= Treatment::TreatAsWithdraw {
            return None;
        }
        next_hop.map(|n| self.store.insert(kind, n, &[&self.scratch], checked.summary))
    }

    fn refusal(&self, attrs: &Attrs) -> Option<Refusal> {
        if self.settings.import == Policy::Reject {
            return Some(Refusal::Policy);
        }
        if self.is_ours(attrs.next_hop()) {
            return Some(Refusal::NextHop);
        }
        let block = Attributes::new(attrs.block());
        if block.as_path().contains(self.identity.local_as) {
            return Some(Refusal::AsLoop);
        }
        if self.context.kind == PeerKind::External {
            return None;
        }
        if attrs.summary().originator_id == Some(self.identity.router_id) {
            return Some(Refusal::Originator);
        }
        let looped = self.identity.cluster_id.is_some_and(|own| block.cluster_list().any(|c| c == own));
        looped.then_some(Refusal::Cluster)
    }

    /// Whether we send, or would send, routes with this next hop ourselves.
    fn is_ours(&self, next_hop: IpAddr) -> bool {
        let ours = match next_hop {
            IpAddr::V4(_) => [self.local.v4, self.settings.local_v4].map(|a| a.map(IpAddr::V4)),
            IpAddr::V6(_) => [self.local.v6, self.settings.local_v6].map(|a| a.map(IpAddr::V6)),
        };
        next_hop == self.local.session || ours.contains(&Some(next_hop))
    }

    fn announce<F: AddressFamily>(
        &mut self,
        judged: &Judged,
        nlri: Nlri<'_, F>,
        out: &mut Vec<RouteChange<F::Prefix>>,
    ) {
        let taken = match judged {
            Judged::Take(index) => Some(*index),
            Judged::Refuse(refusal) => {
                self.counters.count_refused(*refusal, nlri.clone().count() as u64);
                None
            }
            Judged::Withdraw => None,
        };
        let mut announced = 0;
        let mut outside = 0;
        for (path_id, prefix) in nlri {
            let allowed = taken.is_none() || self.allowed(prefix.into());
            outside += u64::from(!allowed);
            announced += 1;
            out.push(RouteChange { prefix, path_id, attributes: taken.filter(|_| allowed) });
        }
        self.counters.count_refused(Refusal::Policy, outside);
        let [v4, v6] = &mut self.counters.announced;
        *(if F::FAMILY == Family::IPV4_UNICAST { v4 } else { v6 }) += announced;
    }

    fn allowed(&self, prefix: Prefix) -> bool {
        let allowed = &self.settings.allowed_prefixes;
        allowed.is_empty() || allowed.iter().any(|a| a.covers(&prefix))
    }

    fn withdraw<F: AddressFamily>(&mut self, nlri: Nlri<'_, F>, out: &mut Vec<RouteChange<F::Prefix>>) {
        let before = out.len();
        out.extend(nlri.map(|(path_id, prefix)| RouteChange { prefix, path_id, attributes: None }));
        let [v4, v6] = &mut self.counters.withdrawn;
        *(if F::FAMILY == Family::IPV4_UNICAST { v4 } else { v6 }) += (out.len() - before) as u64;
    }
}
