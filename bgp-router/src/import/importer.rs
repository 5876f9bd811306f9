//! From the octets of an UPDATE to a batch of routes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp_core::wire::{
    AttributeBlock, BlockUse, DecodeContext, Fault, Malformed, Nlri, Notification, Treatment, UpdateView,
};
use bgp_core::{Asn, Family, FamilySet, RouterId, V4, V6};
use bgp_rib::fault::{Fault as Planted, planted};
use bgp_rib::{AttributeStore, Attrs};

use super::changes::{Changes, Unicast};
use super::counters::ImportCounters;
use super::judge::{Judge, judge_alike};
use crate::adj_rib_in::AdjRibIn;
use crate::config::{Identity, LocalAddresses, PeerSettings};
use crate::message::Batch;

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

/// What other settings ask for before all routes of the peer are judged by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judging {
    /// Routes may now be judged in another way: those that are kept are judged again, the others have to come again.
    pub differs: bool,
    /// The families of which routes have to come again.
    pub missing: FamilySet,
}

/// Turns the UPDATEs of one session into batches.
pub struct Importer {
    context: DecodeContext,
    store: AttributeStore,
    judge: Judge,
    adj_rib_in: Option<AdjRibIn>,
    /// Where a block is made canonical; kept for its capacity.
    scratch: Vec<u8>,
    /// Counts since the session came up.
    pub counters: ImportCounters,
}

fn strongest(faults: &[Fault]) -> Option<&Fault> {
    faults.iter().max_by_key(|fault| fault.treatment)
}

/// The most paths to a destination that a session takes; `None` if it has no more than one anyway, or no limit.
fn max_paths(settings: &PeerSettings, context: &DecodeContext) -> Option<u16> {
    settings.add_path.max_paths.filter(|_| !context.add_path.is_empty())
}

impl Importer {
    /// An importer for one session, with our end of it and the peer's AS.
    #[must_use]
    pub fn new(
        identity: Identity,
        settings: PeerSettings,
        context: DecodeContext,
        (local, peer_as): (LocalAddresses, Asn),
        store: AttributeStore,
    ) -> Importer {
        let max_paths = max_paths(&settings, &context);
        let keeps = settings.keep_received || max_paths.is_some();
        Importer {
            judge: Judge::new(identity, (context.kind, peer_as), local, settings),
            adj_rib_in: keeps.then(|| AdjRibIn::new(max_paths, FamilySet::EMPTY)),
            context,
            store,
            scratch: Vec::new(),
            counters: ImportCounters::default(),
        }
    }

    /// The originators of routes that were refused because our cluster is in their CLUSTER_LIST, the first 64.
    #[must_use]
    pub fn looped_originators(&self) -> &BTreeSet<RouterId> {
        self.judge.looped()
    }

    /// The routes as they came, if they are kept.
    #[must_use]
    pub fn adj_rib_in(&self) -> Option<&AdjRibIn> {
        self.adj_rib_in.as_ref()
    }

    /// Takes and refuses routes by other settings from now on. Routes that are kept are judged again by
    /// [`Importer::judge_again`].
    pub fn set_settings(&mut self, settings: PeerSettings) -> Judging {
        let max_paths = max_paths(&settings, &self.context);
        let keeps = settings.keep_received || max_paths.is_some();
        let mut differs = !judge_alike(self.judge.settings(), &settings);
        self.judge.set_settings(settings);
        let mut begins = false;
        match &mut self.adj_rib_in {
            Some(kept) if keeps => differs |= kept.set_max_paths(max_paths),
            Some(_) => self.adj_rib_in = None,
            None if keeps => {
                self.adj_rib_in = Some(AdjRibIn::new(max_paths, self.context.families));
                begins = true;
            }
            None => {}
        }
        let again = differs && !planted(Planted::KeptRoutesNotFilteredAgain);
        if let Some(kept) = self.adj_rib_in.as_mut().filter(|_| again) {
            kept.judge_again();
        }
        let missing = match &self.adj_rib_in {
            _ if !differs && !begins => FamilySet::EMPTY,
            Some(kept) => kept.missing(),
            None => self.context.families,
        };
        Judging { differs, missing }
    }

    /// Whether [`Importer::judge_again`] has something to do.
    #[must_use]
    pub fn is_judging(&self) -> bool {
        self.adj_rib_in.as_ref().is_some_and(|kept| kept.is_judging::<V4>() || kept.is_judging::<V6>())
    }

    /// Judges the next of the kept routes again, if their turn has come; `None` when there are none. The batch may be
    /// empty.
    pub fn judge_again(&mut self) -> Option<Batch> {
        let kept = self.adj_rib_in.as_mut()?;
        let (judge, mut batch) = (&mut self.judge, Batch::default());
        if kept.is_judging::<V4>() {
            kept.judge_next::<V4>(judge, &mut Changes::new(&mut batch, &mut self.counters));
        } else if kept.is_judging::<V6>() {
            kept.judge_next::<V6>(judge, &mut Changes::new(&mut batch, &mut self.counters));
        } else {
            return None;
        }
        judge.clear();
        Some(batch)
    }

    /// The answer to a ROUTE-REFRESH begins (RFC 7313 section 4).
    pub fn refresh_begins(&mut self, family: Family) {
        match (&mut self.adj_rib_in, family) {
            (Some(kept), Family::IPV4_UNICAST) => kept.refresh_begins::<V4>(),
            (Some(kept), Family::IPV6_UNICAST) => kept.refresh_begins::<V6>(),
            _ => {}
        }
    }

    /// The peer says that it has sent the whole answer.
    pub fn answer_is_complete(&mut self, family: Family) {
        if let Some(kept) = &mut self.adj_rib_in {
            kept.is_complete(family);
        }
    }

    /// The answer has ended, or takes too long: what has not come again is withdrawn.
    pub fn refresh_ends(&mut self, family: Family, batch: &mut Batch) {
        let (judge, counters) = (&mut self.judge, &mut self.counters);
        match (&mut self.adj_rib_in, family) {
            (Some(kept), Family::IPV4_UNICAST) => {
                kept.refresh_ends::<V4>(judge, &mut Changes::new(batch, counters));
            }
            (Some(kept), Family::IPV6_UNICAST) => {
                kept.refresh_ends::<V6>(judge, &mut Changes::new(batch, counters));
            }
            _ => {}
        }
        judge.clear();
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
        self.judge.clear();
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

        self.withdraw::<V4>(view.withdrawn(), batch);
        if let Some(unreach) = view.mp_unreach() {
            match unreach.family {
                Family::IPV4_UNICAST => self.withdraw::<V4>(unreach.nlri_of(), batch),
                Family::IPV6_UNICAST => self.withdraw::<V6>(unreach.nlri_of(), batch),
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
            let attrs = self.attributes(&view, BlockUse::Announce, next_hop, &mut outcome);
            self.announce::<V4>(attrs.as_ref(), view.announced(), batch);
        }
        if let Some(reach) = view.mp_reach().filter(|reach| !reach.nlri.is_empty()) {
            let gateway = reach.next_hop.gateway(self.judge.link());
            let attrs = self.attributes(&view, BlockUse::MpReach, gateway, &mut outcome);
            match reach.family {
                Family::IPV4_UNICAST => self.announce::<V4>(attrs.as_ref(), reach.nlri_of(), batch),
                Family::IPV6_UNICAST => self.announce::<V6>(attrs.as_ref(), reach.nlri_of(), batch),
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

    /// The interned set for the block; `None` if its routes are to be treated as withdrawn.
    fn attributes(
        &mut self,
        view: &UpdateView<'_>,
        usage: BlockUse,
        next_hop: Option<IpAddr>,
        outcome: &mut Outcome,
    ) -> Option<Attrs> {
        if view.treatment() >= Treatment::TreatAsWithdraw {
            return None;
        }
        self.intern(view.attributes(), usage, next_hop, outcome)
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
        let parts = block.parts();
        let four_octet = next_hop.filter(|_| self.context.four_octet_as);
        let missing = match four_octet.map(|next_hop| self.store.look_up(kind, next_hop, &parts)) {
            Some(Ok(known)) => return Some(known),
            Some(Err(missing)) => Some(missing),
            None => None,
        };
        // Only blocks of four-octet AS numbers are in canonical form as they came.
        if let Some(summary) = block.canonical(&self.context, usage) {
            return missing.map(|missing| missing.insert(summary));
        }
        self.scratch.clear();
        let checked = block.check(&self.context, usage, &mut self.scratch);
        outcome.faults.extend(checked.faults);
        if checked.treatment >= Treatment::TreatAsWithdraw {
            return None;
        }
        next_hop.map(|n| self.store.insert(kind, n, &[&self.scratch], checked.summary))
    }

    fn announce<F: Unicast>(&mut self, attrs: Option<&Attrs>, nlri: Nlri<'_, F>, batch: &mut Batch) {
        let Importer { judge, adj_rib_in, counters, .. } = self;
        counters.count_announced(F::INDEX, nlri.clone().count());
        let Some(attrs) = attrs else { return self.remove(nlri, batch) };
        let Some((_, first)) = nlri.clone().next() else { return };
        let common = judge.common(first.into(), attrs);
        let mut out = Changes::<F>::new(batch, counters);
        for (path_id, prefix) in nlri {
            let verdict = judge.one(&common, prefix.into(), attrs);
            match adj_rib_in {
                Some(kept) => {
                    kept.announce((prefix, path_id), attrs, verdict.map(Cow::into_owned), judge, &mut out);
                }
                None => out.put(prefix, path_id, verdict.as_deref().map_err(|refusal| *refusal)),
            }
        }
    }

    fn withdraw<F: Unicast>(&mut self, nlri: Nlri<'_, F>, batch: &mut Batch) {
        self.counters.count_withdrawn(F::INDEX, nlri.clone().count());
        self.remove(nlri, batch);
    }

    fn remove<F: Unicast>(&mut self, nlri: Nlri<'_, F>, batch: &mut Batch) {
        let Importer { judge, adj_rib_in, counters, .. } = self;
        let mut out = Changes::<F>::new(batch, counters);
        for (path_id, prefix) in nlri {
            match adj_rib_in {
                Some(kept) => kept.withdraw((prefix, path_id), judge, &mut out),
                None => out.withdraw(prefix, path_id),
            }
        }
    }
}
