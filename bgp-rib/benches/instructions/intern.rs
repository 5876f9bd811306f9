//! Decoding with interning, as a router imports an UPDATE.

use std::net::IpAddr;

use bgp_core::wire::{BlockUse, DecodeContext, UpdateView};
use bgp_rib::{AttributeStore, Attrs};

use crate::paths::{self, Tally};

/// Decodes UPDATEs into destinations and shared attribute sets.
pub struct Decoder {
    pub context: DecodeContext,
    pub store: AttributeStore,
    scratch: Vec<u8>,
}

impl Decoder {
    pub fn new(context: DecodeContext) -> Decoder {
        Decoder { context, store: AttributeStore::new(1), scratch: Vec::new() }
    }

    /// The destinations into `tally`; the attribute set if something is announced.
    #[inline]
    pub fn decode(&mut self, message: &[u8], tally: &mut Tally) -> Option<Attrs> {
        let view = paths::parse(message, &self.context);
        let usage = paths::usage(&view);
        let attrs = match usage {
            BlockUse::None => {
                paths::check(view.attributes(), usage, &self.context, &mut self.scratch);
                None
            }
            usage => Some(self.intern(&view, usage)),
        };
        tally.nlri(view.withdrawn());
        tally.nlri(view.announced());
        attrs
    }

    /// Octets that were checked before are found as they came; others are checked first.
    fn intern(&mut self, view: &UpdateView<'_>, usage: BlockUse) -> Attrs {
        let next_hop = IpAddr::V4(view.next_hop().expect("a NEXT_HOP"));
        let (kind, block) = (self.context.kind, view.attributes());
        let parts = block.parts();
        let missing = match self.store.look_up(kind, next_hop, &parts) {
            Ok(known) => return known,
            Err(missing) => missing,
        };
        if let Some(summary) = block.canonical(&self.context, usage) {
            return missing.insert(summary);
        }
        let summary = paths::check(block, usage, &self.context, &mut self.scratch);
        self.store.insert(kind, next_hop, &[&self.scratch], summary)
    }
}
