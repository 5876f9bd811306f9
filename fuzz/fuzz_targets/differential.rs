//! The body of an UPDATE behind the context that it is read in: the borrowed views and the checked block say what a
//! plain second reading says.
#![no_main]

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp_core::wire::{
    AsSegment, Attributes, BlockUse, Checked, DecodeContext, Destination, Fault, FaultKind, Malformed,
    NlriError, NlriForm, PathAttribute, Treatment, UpdateView, attribute_name, code, flag,
};
use bgp_core::{Asn, Family, PathId, Prefix, V4, V6};
use fuzz::Script;
use fuzz::reference::{self, Fields, Unit};
use libfuzzer_sys::fuzz_target;

type Routes = Vec<(PathId, Vec<u8>)>;

/// What is refused is refused for a reason that shows.
fn compare_refusal(malformed: &Malformed, body: &[u8], ctx: &DecodeContext) {
    let code = malformed.fault.code;
    let readable = |octets| reference::destinations(octets, ctx.announced(Family::IPV4_UNICAST)).is_some();
    match (&malformed.fault.kind, Fields::of(body)) {
        (FaultKind::FieldLength { .. }, fields) => assert!(fields.is_none()),
        (FaultKind::Nlri(_), Some(fields)) => {
            assert!(!readable(fields.withdrawn) || !readable(fields.announced));
        }
        (FaultKind::Duplicate, Some(fields)) => assert!(fields.count(code) > 1),
        (FaultKind::Overrun { .. }, Some(fields)) => assert!(!fields.whole && fields.announced.is_empty()),
        (_, Some(fields)) => {
            assert!(code == code::MP_REACH_NLRI || code == code::MP_UNREACH_NLRI);
            assert!(fields.count(code) > 0);
        }
        (kind, None) => panic!("{kind} in a body whose fields do not fit"),
    }
}

/// Destinations of `octets`, none if the session does not carry the family.
fn routes(octets: &[u8], form: NlriForm, ctx: &DecodeContext) -> Routes {
    if !ctx.families.contains(form.family) {
        return Vec::new();
    }
    reference::destinations(octets, form).expect("readable, as the view says")
}

fn listed<'a>(routes: impl Iterator<Item = (PathId, Destination<'a>)>) -> Routes {
    routes.map(|(id, destination)| (id, reference::best_written(&destination))).collect()
}

fn unicast<P: Into<Prefix>>(routes: impl Iterator<Item = (PathId, P)>) -> Routes {
    listed(routes.map(|(id, prefix)| (id, Destination::Prefix(prefix.into()))))
}

fn compare_destinations(view: &UpdateView<'_>, fields: &Fields<'_>, ctx: &DecodeContext) {
    let v4 = ctx.announced(Family::IPV4_UNICAST);
    assert_eq!(unicast(view.withdrawn()), routes(fields.withdrawn, v4, ctx));
    assert_eq!(unicast(view.announced()), routes(fields.announced, v4, ctx));
    let typed = |code| Some(PathAttribute::from_raw(&fields.attributes.get(code)?, ctx.as_width()));
    let has_fault = |code| view.faults().iter().any(|fault| fault.code == code);
    match (typed(code::MP_REACH_NLRI), view.mp_reach()) {
        (Some(PathAttribute::MpReach { family, next_hop, nlri }), Some(reach)) => {
            assert_eq!((reach.family, reach.nlri), (family, &nlri[..]));
            let addresses =
                reach.next_hop.address().into_iter().chain(reach.next_hop.link_local().map(IpAddr::V6));
            assert_eq!(addresses.collect::<Vec<_>>(), reference::next_hop(family, &next_hop));
            let expected = routes(&nlri, ctx.announced(family), ctx);
            assert_eq!(listed(reach.destinations()), expected);
            if family.safi == Family::IPV4_UNICAST.safi {
                assert_eq!(
                    [unicast(reach.nlri_of::<V4>()), unicast(reach.nlri_of::<V6>())].concat(),
                    expected
                );
            }
        }
        (None, None) => {}
        (Some(_), None) => assert!(has_fault(code::MP_REACH_NLRI)),
        (typed, Some(_)) => panic!("MP_REACH_NLRI seen in {typed:?}"),
    }
    match (typed(code::MP_UNREACH_NLRI), view.mp_unreach()) {
        (Some(PathAttribute::MpUnreach { family, nlri }), Some(unreach)) => {
            assert_eq!((unreach.family, unreach.nlri), (family, &nlri[..]));
            let expected = routes(&nlri, ctx.withdrawn(family), ctx);
            assert_eq!(listed(unreach.destinations()), expected);
            if family.safi == Family::IPV4_UNICAST.safi {
                assert_eq!(
                    [unicast(unreach.nlri_of::<V4>()), unicast(unreach.nlri_of::<V6>())].concat(),
                    expected
                );
            }
        }
        (None, None) => {}
        (Some(_), None) => assert!(has_fault(code::MP_UNREACH_NLRI)),
        (typed, Some(_)) => panic!("MP_UNREACH_NLRI seen in {typed:?}"),
    }
}

/// A family is given up for its destinations only if the second reading can't make sense of them either, as far as it
/// goes.
fn compare_disabled(view: &UpdateView<'_>, fields: &Fields<'_>, ctx: &DecodeContext) {
    for fault in view.faults() {
        let FaultKind::Nlri(error) = &fault.kind else { continue };
        let raw = fields.attributes.get(fault.code).expect("the attribute at fault");
        let read = match PathAttribute::from_raw(&raw, ctx.as_width()) {
            PathAttribute::MpReach { family, nlri, .. } => {
                reference::destinations(&nlri, ctx.announced(family))
            }
            PathAttribute::MpUnreach { family, nlri } => {
                reference::destinations(&nlri, ctx.withdrawn(family))
            }
            other => panic!("no destinations in {other:?}"),
        };
        let deep = matches!(error, NlriError::Evpn(_) | NlriError::FlowSpec(_));
        assert!(deep || read.is_none(), "{fault}");
    }
}

/// The view leaves out the MP attributes, nothing else.
fn compare_attributes(view: &UpdateView<'_>, fields: &Fields<'_>) {
    let is_mp = |code| code == code::MP_REACH_NLRI || code == code::MP_UNREACH_NLRI;
    let rest = fields.attributes.iter().filter(|attribute| !is_mp(attribute.code));
    assert!(view.attributes().iter().map(|(_, attribute)| attribute).eq(rest));
    assert_eq!(
        fields.whole,
        !view.faults().iter().any(|fault| matches!(fault.kind, FaultKind::Overrun { .. }))
    );
}

/// What of the attributes is to be kept, with the type that each has as received.
fn kept(view: &UpdateView<'_>, faults: &[Fault], usage: BlockUse, ctx: &DecodeContext) -> Vec<PathAttribute> {
    let mut kept = Vec::new();
    let mut seen = BTreeSet::new();
    for (offset, raw) in view.attributes().iter() {
        let typed = PathAttribute::from_raw(&raw, ctx.as_width());
        if usage == BlockUse::MpReach && raw.code == code::NEXT_HOP {
            continue;
        }
        if !seen.insert(raw.code) {
            let told = |fault: &Fault| fault.code == raw.code && fault.kind == FaultKind::Duplicate;
            assert_eq!(faults.iter().filter(|fault| told(fault)).count(), 1);
            continue;
        }
        if faults.iter().any(|fault| fault.offset == offset && fault.code == raw.code) {
            continue;
        }
        match typed {
            PathAttribute::Unknown { code, .. } if attribute_name(code).is_some() => {
                panic!("attribute {code} has neither type nor fault");
            }
            PathAttribute::Unknown { flags, .. } if flags & flag::TRANSITIVE == 0 => {}
            PathAttribute::Unknown { flags, code, value } => {
                kept.push(PathAttribute::Unknown { flags: flags & 0xe0 | flag::PARTIAL, code, value });
            }
            known => kept.push(known),
        }
    }
    kept
}

/// RFC 6793 section 4.2.3 on the attributes of a two-octet peer; the path is returned in units.
fn widened(kept: Vec<PathAttribute>) -> (Vec<PathAttribute>, Vec<Unit>) {
    let mut four_octet_path: Option<Vec<AsSegment>> = None;
    let mut four_octet_aggregator = None;
    let mut trans = true;
    for attribute in &kept {
        match attribute {
            PathAttribute::As4Path(segments) => four_octet_path = Some(segments.clone()),
            PathAttribute::As4Aggregator { asn, router } => four_octet_aggregator = Some((*asn, *router)),
            PathAttribute::Aggregator { asn, .. } => trans = *asn == Asn::TRANS,
            _ => {}
        }
    }
    if four_octet_aggregator.is_some() && !trans {
        (four_octet_path, four_octet_aggregator) = (None, None);
    }
    let mut path = Vec::new();
    let widen = |attribute| match attribute {
        PathAttribute::As4Path(_) | PathAttribute::As4Aggregator { .. } => None,
        PathAttribute::AsPath(near) => {
            path = reference::merged(&near, four_octet_path.as_deref());
            Some(PathAttribute::AsPath(Vec::new()))
        }
        PathAttribute::Aggregator { asn, router } => {
            let (asn, router) = four_octet_aggregator.unwrap_or((asn, router));
            Some(PathAttribute::Aggregator { asn, router })
        }
        other => Some(other),
    };
    let widened = kept.into_iter().filter_map(widen).collect();
    (widened, path)
}

/// The path taken out, in units.
fn without_path(mut attributes: Vec<PathAttribute>) -> (Vec<PathAttribute>, Vec<Unit>) {
    let mut path = Vec::new();
    for attribute in &mut attributes {
        if let PathAttribute::AsPath(segments) = attribute {
            path = reference::units(&std::mem::take(segments));
        }
    }
    (attributes, path)
}

fn compare_block(view: &UpdateView<'_>, usage: BlockUse, ctx: &DecodeContext) {
    let mut block = Vec::new();
    let Checked { treatment, faults, summary } = view.attributes().check(ctx, usage, &mut block);
    let kept = kept(view, &faults, usage, ctx);
    if treatment > Treatment::DiscardAttribute {
        return;
    }
    let typed = reference::typed(&block);
    assert_eq!(summary, reference::summary(&typed));
    compare_looks(Attributes::new(&block), &typed);
    let expected = if ctx.four_octet_as { without_path(kept) } else { widened(kept) };
    assert_eq!(without_path(typed), expected);
}

/// Typed looks at a block against its types.
fn compare_looks(block: Attributes<'_>, typed: &[PathAttribute]) {
    for attribute in typed {
        match attribute {
            PathAttribute::Origin(origin) => assert_eq!(block.origin(), Some(*origin)),
            PathAttribute::AsPath(segments) => {
                assert_eq!(reference::segments(block.as_path()), *segments);
                assert_eq!(block.as_path().hops(), reference::hops(segments));
            }
            PathAttribute::NextHop(address) => assert_eq!(block.next_hop(), Some(*address)),
            PathAttribute::MultiExitDisc(med) => assert_eq!(block.med(), Some(*med)),
            PathAttribute::LocalPref(preference) => assert_eq!(block.local_pref(), Some(*preference)),
            PathAttribute::AtomicAggregate => assert!(block.atomic_aggregate()),
            PathAttribute::Aggregator { asn, router } => {
                assert_eq!(block.aggregator(), Some((*asn, *router)))
            }
            PathAttribute::OriginatorId(id) => assert_eq!(block.originator_id(), Some(*id)),
            PathAttribute::Communities(list) => assert!(block.communities().eq(list.iter().copied())),
            PathAttribute::ClusterList(list) => assert!(block.cluster_list().eq(list.iter().copied())),
            PathAttribute::ExtendedCommunities(list) => {
                assert!(block.extended_communities().eq(list.iter().copied()));
            }
            PathAttribute::LargeCommunities(list) => {
                assert!(block.large_communities().eq(list.iter().copied()))
            }
            PathAttribute::Unknown { code, value, .. } => {
                assert_eq!(block.get(*code).map(|raw| raw.value), Some(&value[..]));
            }
            PathAttribute::MpReach { .. }
            | PathAttribute::MpUnreach { .. }
            | PathAttribute::As4Path(_)
            | PathAttribute::As4Aggregator { .. } => panic!("no part of a checked block: {attribute:?}"),
            other => assert!(block.get(other.code()).is_some()),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let ctx = script.context();
    let body = script.rest();
    match UpdateView::parse(body, &ctx) {
        Ok(view) => {
            let fields = Fields::of(body).expect("fields that fit");
            compare_attributes(&view, &fields);
            compare_destinations(&view, &fields, &ctx);
            compare_disabled(&view, &fields, &ctx);
            for usage in [BlockUse::Announce, BlockUse::MpReach] {
                compare_block(&view, usage, &ctx);
            }
        }
        Err(malformed) => compare_refusal(&malformed, body, &ctx),
    }
});
