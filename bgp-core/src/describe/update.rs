//! UPDATE: destinations, attributes, faults.

use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};

use super::{DescribedFault, Fields, Parts, Value};
use crate::wire::cursor::Cursor;
use crate::wire::header::HEADER_LEN;
use crate::wire::{
    AsPath, AsWidth, AttributeBlock, BlockUse, DecodeContext, Fault, Malformed, NlriForm, PathAttribute,
    RawAttribute, Treatment, UpdateView, attribute_name, code, flag,
};
use crate::{Family, PathId};

pub(super) fn parts(body: &[u8], ctx: &DecodeContext) -> Parts {
    match UpdateView::parse(body, ctx) {
        Ok(view) => readable(body, &view, ctx),
        Err(malformed) => refused(body, *malformed, ctx),
    }
}

fn refused(body: &[u8], malformed: Malformed, ctx: &DecodeContext) -> Parts {
    let mut fields = vec![("body", Value::hex(body))];
    fields.extend(attributes(body, None, ctx));
    Parts { fields, faults: vec![(&malformed.fault).into()], notification: Some(malformed.notification) }
}

fn readable(body: &[u8], view: &UpdateView<'_>, ctx: &DecodeContext) -> Parts {
    let faults = all_faults(view, ctx);
    let reset = faults.iter().find(|fault| fault.treatment == Treatment::ResetSession);
    let mut fields = vec![
        ("end_of_rib", view.end_of_rib().map_or(Value::Null, Value::text)),
        ("withdrawn", Value::List(withdrawn(view, ctx))),
        ("announced", Value::List(announced(view, ctx))),
    ];
    fields.extend(attributes(body, Some(view), ctx));
    let notification = reset.map(|fault| fault.notification(body));
    Parts { fields, faults: faults.iter().map(DescribedFault::from).collect(), notification }
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
    let mut list: Vec<Value> = routes(view.withdrawn(), form, &[]).collect();
    if let Some(unreach) = view.mp_unreach() {
        list.extend(routes(unreach.destinations(), ctx.withdrawn(unreach.family), &[]));
    }
    list
}

fn announced(view: &UpdateView<'_>, ctx: &DecodeContext) -> Vec<Value> {
    let next_hop = |address: Option<IpAddr>, link_local: Option<Ipv6Addr>| {
        [
            ("next_hop", address.map_or(Value::Null, Value::text)),
            ("link_local", link_local.map_or(Value::Null, Value::text)),
        ]
    };
    let form = ctx.announced(Family::IPV4_UNICAST);
    let v4 = next_hop(view.next_hop().map(IpAddr::V4), None);
    let mut list: Vec<Value> = routes(view.announced(), form, &v4).collect();
    if let Some(reach) = view.mp_reach() {
        let mp = next_hop(reach.next_hop.address(), reach.next_hop.link_local());
        list.extend(routes(reach.destinations(), ctx.announced(reach.family), &mp));
    }
    list
}

fn routes(
    destinations: impl Iterator<Item = (PathId, impl Display)>,
    form: NlriForm,
    next_hop: &[(&'static str, Value)],
) -> impl Iterator<Item = Value> {
    destinations.map(move |(PathId(id), destination)| {
        let fields = [
            ("family", Value::text(form.family)),
            ("nlri", Value::text(destination)),
            ("path_id", if form.add_path { id.into() } else { Value::Null }),
        ];
        Value::Map(fields.into_iter().chain(next_hop.iter().cloned()).collect())
    })
}

/// All attributes in the order of the message, also where the rest of it can't be read, and what is left behind the
/// last one that is whole. `view` is `None` if the UPDATE was refused.
fn attributes(body: &[u8], view: Option<&UpdateView<'_>>, ctx: &DecodeContext) -> Fields {
    let Some((base, octets)) = attributes_field(body) else { return Vec::new() };
    let (mut list, mut read) = (Vec::new(), 0);
    for (at, raw) in AttributeBlock::new(octets).iter() {
        read = at + raw.whole.len();
        list.push(attribute(HEADER_LEN + base + at, &raw, view, ctx));
    }
    let unread = octets.get(read..).filter(|unread| !unread.is_empty());
    vec![("attributes", Value::List(list)), ("unread", unread.map_or(Value::Null, Value::hex))]
}

/// The Path Attributes field and where in the body it begins (RFC 4271 section 4.3).
fn attributes_field(body: &[u8]) -> Option<(usize, &[u8])> {
    let mut cursor = Cursor::new(body);
    let withdrawn = usize::from(cursor.u16()?);
    cursor.take(withdrawn)?;
    let len = usize::from(cursor.u16()?);
    Some((4 + withdrawn, cursor.take(len)?))
}

fn attribute(at: usize, raw: &RawAttribute<'_>, view: Option<&UpdateView<'_>>, ctx: &DecodeContext) -> Value {
    Value::Map(vec![
        ("offset", at.into()),
        ("code", raw.code.into()),
        ("name", attribute_name(raw.code).map_or(Value::Null, Value::text)),
        ("flags", Value::text(format_args!("{:#04x}", raw.flags & !flag::EXTENDED_LENGTH))),
        ("value", mp_value(raw, view).unwrap_or_else(|| attribute_value(raw, ctx))),
    ])
}

/// MP_REACH_NLRI and MP_UNREACH_NLRI whose destinations are listed with the message's.
fn mp_value(raw: &RawAttribute<'_>, view: Option<&UpdateView<'_>>) -> Option<Value> {
    let view = view?;
    match raw.code {
        code::MP_REACH_NLRI => view.mp_reach().map(|reach| {
            let (family, next_hop) = (Value::text(reach.family), Value::text(reach.next_hop));
            Value::Map(vec![("family", family), ("next_hop", next_hop)])
        }),
        code::MP_UNREACH_NLRI => {
            view.mp_unreach().map(|unreach| Value::Map(vec![("family", Value::text(unreach.family))]))
        }
        _ => None,
    }
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
        PathAttribute::MpReach { family, next_hop, nlri } => Value::Map(vec![
            ("family", Value::text(family)),
            ("next_hop", Value::hex(&next_hop)),
            ("nlri", Value::hex(&nlri)),
        ]),
        PathAttribute::MpUnreach { family, nlri } => {
            Value::Map(vec![("family", Value::text(family)), ("nlri", Value::hex(&nlri))])
        }
        PathAttribute::Unknown { .. } => Value::hex(raw.value),
    }
}
