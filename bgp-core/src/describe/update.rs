//! UPDATE: destinations, attributes, faults.

use std::fmt::Display;

use super::Value;
use crate::wire::header::HEADER_LEN;
use crate::wire::{
    AsPath, AsWidth, AttributeBlock, BlockUse, DecodeContext, Fault, Malformed, NlriForm, PathAttribute,
    RawAttribute, Treatment, UpdateView, attribute_name, flag,
};
use crate::{Family, PathId};

type Fields = Vec<(&'static str, Value)>;

pub(super) fn fields(body: &[u8], ctx: &DecodeContext) -> Fields {
    match UpdateView::parse(body, ctx) {
        Ok(view) => readable(body, &view, ctx),
        Err(malformed) => refused(body, &malformed),
    }
}

fn refused(body: &[u8], malformed: &Malformed) -> Fields {
    vec![
        ("body", Value::hex(body)),
        ("treatment", Value::text(malformed.fault.treatment)),
        ("faults", Value::List(vec![fault(&malformed.fault)])),
        ("notification", Value::text(&malformed.notification)),
    ]
}

fn readable(body: &[u8], view: &UpdateView<'_>, ctx: &DecodeContext) -> Fields {
    let faults = all_faults(view, ctx);
    let treatment = faults.iter().map(|fault| fault.treatment).max().unwrap_or_default();
    let reset = faults.iter().find(|fault| fault.treatment == Treatment::ResetSession);
    vec![
        ("end_of_rib", view.end_of_rib().map_or(Value::Null, Value::text)),
        ("withdrawn", Value::List(withdrawn(view, ctx))),
        ("announced", Value::List(announced(view, ctx))),
        ("attributes", Value::List(view.attributes().iter().map(|(_, raw)| attribute(&raw, ctx)).collect())),
        ("treatment", Value::text(treatment)),
        ("faults", Value::List(faults.iter().map(fault).collect())),
        ("notification", reset.map_or(Value::Null, |fault| Value::text(fault.notification(body)))),
    ]
}

/// What both steps find, the second for each use that the UPDATE makes of its attributes; every fault once.
fn all_faults(view: &UpdateView<'_>, ctx: &DecodeContext) -> Vec<Fault> {
    let mut uses = Vec::new();
    if !view.announced().is_empty() {
        uses.push(BlockUse::Announce);
    }
    if view.mp_reach().is_some_and(|reach| !reach.nlri.is_empty()) {
        uses.push(BlockUse::MpReach);
    }
    if !view.announces() {
        uses.push(BlockUse::None);
    }
    let block: AttributeBlock<'_> = view.attributes();
    let mut faults = view.faults().to_vec();
    for found in uses.into_iter().flat_map(|usage| block.check(ctx, usage, &mut Vec::new()).faults) {
        if !faults.contains(&found) {
            faults.push(found);
        }
    }
    faults
}

fn withdrawn(view: &UpdateView<'_>, ctx: &DecodeContext) -> Vec<Value> {
    let form = ctx.withdrawn(Family::IPV4_UNICAST);
    let mut list: Vec<Value> = routes(view.withdrawn(), &Value::Null, form).collect();
    if let Some(unreach) = view.mp_unreach() {
        list.extend(routes(unreach.destinations(), &Value::Null, ctx.withdrawn(unreach.family)));
    }
    list
}

fn announced(view: &UpdateView<'_>, ctx: &DecodeContext) -> Vec<Value> {
    let next_hop = view.next_hop().map_or(Value::Null, Value::text);
    let form = ctx.announced(Family::IPV4_UNICAST);
    let mut list: Vec<Value> = routes(view.announced(), &next_hop, form).collect();
    if let Some(reach) = view.mp_reach() {
        let next_hop = Value::text(reach.next_hop);
        list.extend(routes(reach.destinations(), &next_hop, ctx.announced(reach.family)));
    }
    list
}

fn routes(
    destinations: impl Iterator<Item = (PathId, impl Display)>,
    next_hop: &Value,
    form: NlriForm,
) -> impl Iterator<Item = Value> {
    destinations.map(move |(PathId(id), prefix)| {
        Value::Map(vec![
            ("prefix", Value::text(prefix)),
            ("path_id", if form.add_path { id.into() } else { Value::Null }),
            ("next_hop", next_hop.clone()),
        ])
    })
}

fn attribute(raw: &RawAttribute<'_>, ctx: &DecodeContext) -> Value {
    Value::Map(vec![
        ("code", raw.code.into()),
        ("name", attribute_name(raw.code).map_or(Value::Null, Value::text)),
        ("flags", Value::text(format_args!("{:#04x}", raw.flags & !flag::EXTENDED_LENGTH))),
        ("value", attribute_value(raw, ctx)),
    ])
}

fn attribute_value(raw: &RawAttribute<'_>, ctx: &DecodeContext) -> Value {
    match PathAttribute::from_raw(raw, ctx.as_width()) {
        PathAttribute::Origin(origin) => Value::text(origin),
        PathAttribute::AsPath(_) => Value::text(AsPath::new(raw.value, ctx.as_width())),
        PathAttribute::As4Path(_) => Value::text(AsPath::new(raw.value, AsWidth::Four)),
        PathAttribute::NextHop(address) => Value::text(address),
        PathAttribute::MultiExitDisc(number) | PathAttribute::LocalPref(number) => number.into(),
        PathAttribute::AtomicAggregate => Value::Null,
        PathAttribute::Aggregator { asn, router } | PathAttribute::As4Aggregator { asn, router } => {
            Value::text(format_args!("{asn} {router}"))
        }
        PathAttribute::OriginatorId(router) => Value::text(router),
        PathAttribute::ClusterList(list) => Value::texts(list),
        PathAttribute::Communities(list) => Value::texts(list),
        PathAttribute::ExtendedCommunities(list) => Value::texts(list),
        PathAttribute::LargeCommunities(list) => Value::texts(list),
        PathAttribute::PmsiTunnel(tunnel) => Value::text(tunnel),
        PathAttribute::TunnelEncapsulation(tunnels) => Value::texts(tunnels),
        PathAttribute::Ipv6ExtendedCommunities(list) => Value::texts(list),
        PathAttribute::Aigp(tlvs) => Value::texts(tlvs),
        PathAttribute::OnlyToCustomer(asn) => asn.0.into(),
        PathAttribute::PrefixSid(tlvs) => Value::texts(tlvs),
        PathAttribute::MpReach { .. } | PathAttribute::MpUnreach { .. } | PathAttribute::Unknown { .. } => {
            Value::hex(raw.value)
        }
    }
}

/// A fault, its offset counted from the start of the message.
fn fault(fault: &Fault) -> Value {
    let attribute = if fault.code == 0 { Value::Null } else { fault.code.into() };
    Value::Map(vec![
        ("attribute", attribute),
        ("offset", (HEADER_LEN + fault.offset).into()),
        ("treatment", Value::text(fault.treatment)),
        ("section", Value::text(fault.kind.section(fault.code))),
        ("fault", Value::text(&fault.kind)),
    ])
}
