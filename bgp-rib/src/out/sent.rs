//! What a peer has been sent, written again for somebody who only looks.

use super::export::ExportContext;
use super::exporter::Exporter;
use super::group::Group;
use super::records::Slot;
use super::slots::Outbound;
use crate::attributes::Attrs;
use crate::family::RibFamily;
use crate::peer::PeerId;
use crate::table::{DestId, Table};

impl Group {
    /// Appends the UPDATEs for the routes that a peer holds, or is about to be sent, to up to `max` destinations from
    /// `from` on; returns where to go on, `None` at the end or if the peer is none of the group's.
    pub(crate) fn write_sent<F: RibFamily>(
        &self,
        (table, context): (&Table<F>, ExportContext),
        peer: PeerId,
        from: DestId,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Option<DestId> {
        if !self.members.contains_key(&peer) {
            return None;
        }
        let mut exporter = Exporter::new(self.key.clone(), context);
        let mut run: Option<(&Attrs, PeerId)> = None;
        let mut paths: Vec<Outbound> = Vec::new();
        let mut write = |(attrs, source): (&Attrs, PeerId), paths: &mut Vec<Outbound>| {
            let written = self.written(F::FAMILY, source);
            if written.is_some_and(|source| exporter.prepare::<F>(attrs, source)) {
                out.extend_from_slice(exporter.announce(table, paths).bytes);
            }
            paths.clear();
        };
        let mut next = table.next_dest(from);
        for _ in 0..max {
            let Some(dest) = next else { break };
            for (outbound, slot) in self.slots(F::FAMILY, dest).into_iter().flatten() {
                let Slot::Sent(record) = slot else { continue };
                if record.source.slot == peer.slot {
                    continue;
                }
                let of = (record.attrs, record.source);
                if let Some(before) = run.replace(of).filter(|before| *before != of) {
                    write(before, &mut paths);
                }
                paths.push(outbound);
            }
            next = table.next_dest(dest.next());
        }
        if let Some(last) = run {
            write(last, &mut paths);
        }
        next
    }
}
