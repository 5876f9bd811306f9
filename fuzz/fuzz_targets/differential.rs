//! The body of an UPDATE behind the context that it is read in: the borrowed views and the checked block say what a
//! plain second reading says.
#![no_main]

use bgp_core::wire::{
    AsSegment, Attributes, BlockUse, Checked, DecodeContext, Fault, FaultKind, Malformed, PathAttribute,
    Treatment, UpdateView, attribute_name, code, flag,
};
use bgp_core::{Asn, Family, PathId, Prefix, V4, V6};
use fuzz::Script;
use fuzz::reference::{self, Fields, Unit};
use libfuzzer_sys::fuzz_target;

/// Known by its rule, yet without a type of its own.
const UNTYPED: [u8; 1] = [code::IPV6_EXTENDED_COMMUNITIES];

type Routes = Vec<(PathId, Prefix)>;

/// What is refused is refused for a reason that shows.
fn compare_refusal(malformed: &Malformed, body: &[u8], ctx: &DecodeContext) {
    let code = malformed.fault.code;
    let add_path = ctx.add_path.contains(Family::IPV4_UNICAST);
    let readable = |octets| reference::prefixes(octets, Family::IPV4_UNICAST, add_path).is_some();
    let fields = Fields::of(body);
    match (&malformed.fault.kind, fields) {
        (FaultKind::FieldLength { .. }, fields) => assert!(fields.is_none()),
        (FaultKind::Nlri(_), Some(fields)) if code == 0 => {
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
fn routes(octets: &[u8], family: Family, ctx: &DecodeContext) -> Routes {
    if !ctx.families.contains(family) {
        return Vec::new();
    }
    reference::prefixes(octets, family, ctx.add_path.contains(family)).expect("readable, as the view says")
}

fn listed<P: Into<Prefix>>(routes: impl Iterator<Item = (PathId, P)>) -> Routes {
    routes.map(|(id, prefix)| (id, prefix.into())).collect()
}

fn compare_destinations(view: &UpdateView<'_>, fields: &Fields<'_>, ctx: &DecodeContext) {
    assert_eq!(listed(view.withdrawn()), routes(fields.withdrawn, Family::IPV4_UNICAST, ctx));
    assert_eq!(listed(view.announced()), routes(fields.announced, Family::IPV4_UNICAST, ctx));
    let typed = |code| Some(PathAttribute::from_raw(&fields.attributes.get(code)?, ctx.as_width()));
    if let Some(reach) = view.mp_reach() {
        let Some(PathAttribute::MpReach { family, next_hop, nlri }) = typed(code::MP_REACH_NLRI) else {
            panic!("MP_REACH_NLRI has a type");
        };
        assert_eq!((reach.family, reach.nlri), (family, &nlri[..]));
        let global = match reach.next_hop {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        };
        let local = reach.link_local.map_or(Vec::new(), |address| address.octets().to_vec());
        assert_eq!([global, local].concat(), next_hop);
        let both = [listed(reach.nlri_of::<V4>()), listed(reach.nlri_of::<V6>())].concat();
        assert_eq!(both, routes(&nlri, family, ctx));
    }
    if let Some(unreach) = view.mp_unreach() {
        let Some(PathAttribute::MpUnreach { family, nlri }) = typed(code::MP_UNREACH_NLRI) else {
            panic!("MP_UNREACH_NLRI has a type");
        };
        assert_eq!((unreach.family, unreach.nlri), (family, &nlri[..]));
        let both = [listed(unreach.nlri_of::<V4>()), listed(unreach.nlri_of::<V6>())].concat();
        assert_eq!(both, routes(&nlri, family, ctx));
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
    for (offset, raw) in view.attributes().iter() {
        let typed = PathAttribute::from_raw(&raw, ctx.as_width());
        if usage == BlockUse::MpReach && raw.code == code::NEXT_HOP
            || faults.iter().any(|fault| fault.offset == offset && fault.code == raw.code)
        {
            continue;
        }
        match typed {
            PathAttribute::Unknown { code, value, .. } if attribute_name(code).is_some() => {
                assert!(UNTYPED.contains(&code), "attribute {code} without a type has no fault");
                kept.push(PathAttribute::Unknown { flags: raw.flags & 0xe0, code, value });
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
            for usage in [BlockUse::Announce, BlockUse::MpReach] {
                compare_block(&view, usage, &ctx);
            }
        }
        Err(malformed) => compare_refusal(&malformed, body, &ctx),
    }
});
