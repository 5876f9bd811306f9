//! Tests that take the whole way of an UPDATE: both steps, all parts.

mod destinations;
mod families;
mod flow_and_evpn;
mod mutation;
mod properties;
mod rfc7606;
mod values;

use super::*;
use crate::{Family, FamilySet, PeerKind};

pub(super) const BOTH: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

pub(super) const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
pub(super) const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0];
pub(super) const NEXT_HOP: &[u8] = &[0x40, 3, 4, 10, 0, 0, 1];
/// 10.1.0.0/16
pub(super) const NLRI: &[u8] = &[16, 10, 1];
/// 2001:db8::/32 by way of fd00::1
pub(super) const MP_REACH: &[u8] = &[
    0x80, 14, 26, 0, 2, 1, 16, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32, 0x20, 0x01, 0x0d,
    0xb8,
];
/// 2001:db8::/32
pub(super) const MP_UNREACH: &[u8] = &[0x80, 15, 8, 0, 2, 1, 32, 0x20, 0x01, 0x0d, 0xb8];

pub(super) fn context(kind: PeerKind) -> DecodeContext {
    DecodeContext::new(kind, FamilySet::UNICAST)
}

pub(super) fn two_octet(kind: PeerKind) -> DecodeContext {
    DecodeContext { four_octet_as: false, ..context(kind) }
}

/// The body of an UPDATE.
pub(super) fn body(withdrawn: &[u8], attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let mut out = u16::try_from(withdrawn.len()).unwrap().to_be_bytes().to_vec();
    out.extend(withdrawn);
    out.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    out.extend(attributes);
    out.extend(nlri);
    out
}

/// What becomes of an UPDATE.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) treatment: Treatment,
    pub(super) faults: Vec<Fault>,
    pub(super) block: Vec<u8>,
    pub(super) summary: Summary,
    pub(super) notification: Option<(u8, u8, Vec<u8>)>,
}

impl Outcome {
    pub(super) fn text(&self) -> String {
        self.faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// Both steps, as a router takes them.
pub(super) fn receive(body: &[u8], ctx: &DecodeContext) -> Outcome {
    let view = match UpdateView::parse(body, ctx) {
        Ok(view) => view,
        Err(malformed) => {
            let n = malformed.notification;
            return Outcome {
                treatment: malformed.fault.treatment,
                faults: vec![malformed.fault],
                block: Vec::new(),
                summary: Summary::default(),
                notification: Some((n.code, n.subcode, n.data)),
            };
        }
    };
    let usage = match view.mp_reach() {
        _ if !view.announced().is_empty() => BlockUse::Announce,
        Some(reach) if !reach.nlri.is_empty() => BlockUse::MpReach,
        _ => BlockUse::None,
    };
    let mut block = Vec::new();
    let checked = view.attributes().check(ctx, usage, &mut block);
    let reset = checked.worst().filter(|fault| fault.treatment == Treatment::ResetSession);
    let notification = reset.map(|fault| fault.notification(body)).map(|n| (n.code, n.subcode, n.data));
    Outcome {
        treatment: view.treatment().max(checked.treatment),
        faults: view.faults().iter().chain(&checked.faults).cloned().collect(),
        block,
        summary: checked.summary,
        notification,
    }
}
