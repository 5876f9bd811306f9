//! Reads an UPDATE with every check there is: no fault, every attribute typed, and the same octets when written again.

use bgp_core::describe::{DescribeContext, Value, describe};
use bgp_core::wire::header::{MAX_EXTENDED_LEN, write_message};
use bgp_core::wire::nlri::evpn::{EthernetSegment, EvpnLabel, EvpnRoute, PrefixVia};
use bgp_core::wire::{
    AsWidth, AttributeBlock, Attributes, BlockUse, DecodeContext, Destination, Destinations, MessageType,
    MpReach, NextHop, NlriForm, PathAttribute, RawAttribute, Treatment, UpdateView, attribute_name, code,
    encode, flag,
};
use bgp_core::{AddressFamily, Family, PathId, V4};
use interop::{Error, Result, ensure};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// One route, as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) family: Family,
    pub(crate) path_id: PathId,
    /// The destination on the wire.
    pub(crate) octets: Vec<u8>,
    pub(crate) next_hop: NextHop,
    /// All but MP_REACH_NLRI and NEXT_HOP.
    pub(crate) attributes: Vec<PathAttribute>,
    /// All of it as `bgp_core` tells it: `family destination via next hop: NAME value, ...`.
    pub(crate) line: String,
}

/// What an UPDATE says.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) announced: Vec<Seen>,
    pub(crate) withdrawn: Vec<Seen>,
    pub(crate) end_of_rib: Option<Family>,
    /// Where the octets are others than `bgp_core` writes for the same.
    pub(crate) forms: BTreeSet<String>,
}

impl Seen {
    /// What makes it another route: neither labels nor what else an Ethernet VPN says of it (RFC 7432 section 7, RFC
    /// 9136 section 3.1).
    pub(crate) fn key(&self) -> Vec<u8> {
        let form = NlriForm { add_path: false, ..announced_form(self.family) };
        let mut out = Vec::new();
        let destination = Destinations::new(&self.octets, form).ok().and_then(|mut all| all.next());
        match destination.map(|(_, destination)| destination) {
            Some(Destination::Evpn(route)) => evpn_key(route).encode(&mut out),
            other => other.into_iter().for_each(|destination| destination.withdrawn().encode(&mut out, None)),
        }
        out
    }
}

fn evpn_key(route: EvpnRoute<'_>) -> EvpnRoute<'_> {
    let (segment, label) = (EthernetSegment::default(), EvpnLabel::default());
    match route {
        EvpnRoute::AutoDiscovery { distinguisher, segment, tag, .. } => {
            EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label }
        }
        EvpnRoute::MacIp { distinguisher, tag, mac, address, .. } => {
            EvpnRoute::MacIp { distinguisher, segment, tag, mac, address, label, second_label: None }
        }
        EvpnRoute::IpPrefix { distinguisher, tag, prefix, .. } => {
            let prefix = match prefix {
                PrefixVia::V4(prefix, _) => PrefixVia::V4(prefix, Ipv4Addr::UNSPECIFIED),
                PrefixVia::V6(prefix, _) => PrefixVia::V6(prefix, Ipv6Addr::UNSPECIFIED),
            };
            EvpnRoute::IpPrefix { distinguisher, segment, tag, prefix, label }
        }
        other => other,
    }
}

fn announced_form(family: Family) -> NlriForm {
    DecodeContext::new(bgp_core::PeerKind::Internal, bgp_core::FamilySet::ALL).announced(family)
}

fn broken(body: &[u8], why: &str) -> Error {
    Error::NotSo(format!("{why}, in {}", Value::hex(body)))
}

/// Reads the body of an UPDATE.
pub(crate) fn read(body: &[u8], ctx: &DecodeContext) -> Result<Update> {
    let view = UpdateView::parse(body, ctx).map_err(|malformed| broken(body, &format!("{malformed:?}")))?;
    let check = |holds: bool, why: &str| ensure(holds, || broken(body, why).to_string());
    check(view.faults().is_empty(), &format!("faults: {:?}", view.faults()))?;
    let mut update = Update { end_of_rib: view.end_of_rib(), ..parts(body, &view, ctx)? };
    if update.end_of_rib.is_some() {
        return Ok(update);
    }
    let announces = !update.announced.is_empty();
    if announces {
        let canonical = canonical(&view, ctx).map_err(|why| broken(body, &why))?;
        check(canonical == kept(&view), "the block that is kept is not what came")?;
    }
    for raw in attributes(body) {
        update.forms.extend(attribute_form(&raw, ctx).map_err(|why| broken(body, &why))?);
    }
    update.forms.extend(destination_forms(body, &view, ctx));
    for route in &update.withdrawn {
        let form = NlriForm { add_path: false, ..ctx.withdrawn(route.family) };
        let mut again = Vec::new();
        let read =
            Destinations::new(&route.octets, form).map_err(|error| broken(body, &error.to_string()))?;
        read.for_each(|(_, destination)| destination.encode(&mut again, None));
        check(again == route.octets, "withdrawn again it is another route")?;
    }
    if announces {
        let again = rewritten(&view, ctx).map_err(|why| broken(body, &why))?;
        let view =
            UpdateView::parse(&again, ctx).map_err(|malformed| broken(&again, &format!("{malformed:?}")))?;
        check(
            parts(&again, &view, ctx)?.announced == update.announced,
            "written again it says another thing",
        )?;
    }
    Ok(update)
}

/// All attributes of an UPDATE's body.
fn attributes(body: &[u8]) -> Vec<RawAttribute<'_>> {
    let length = |octets: &[u8]| octets.first_chunk().map_or(0, |two| usize::from(u16::from_be_bytes(*two)));
    let after = body.get(2 + length(body)..).unwrap_or_default();
    let block = after.get(2..2 + length(after)).unwrap_or_default();
    Attributes::new(block).iter().collect()
}

fn usage(view: &UpdateView<'_>) -> BlockUse {
    if view.announced().is_empty() { BlockUse::MpReach } else { BlockUse::Announce }
}

/// The attributes as they would be kept and passed on.
fn canonical(view: &UpdateView<'_>, ctx: &DecodeContext) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let checked = view.attributes().check(ctx, usage(view), &mut out);
    match (checked.treatment, checked.faults.is_empty()) {
        (Treatment::Accept, true) => Ok(out),
        (treatment, _) => Err(format!("{treatment}: {:?}", checked.faults)),
    }
}

/// The attributes that came but for the next hop, which MP_REACH_NLRI has.
fn kept(view: &UpdateView<'_>) -> Vec<u8> {
    let block: AttributeBlock<'_> = view.attributes();
    let dropped = |raw: &RawAttribute<'_>| usage(view) == BlockUse::MpReach && raw.code == code::NEXT_HOP;
    let all = block.iter().map(|(_, raw)| raw).filter(|raw| !dropped(raw));
    all.flat_map(|raw| raw.whole.iter().copied()).collect()
}

/// Whether an attribute is typed and comes back from its type; how its octets differ, if they do.
fn attribute_form(raw: &RawAttribute<'_>, ctx: &DecodeContext) -> Result<Option<String>, String> {
    let name = attribute_name(raw.code).unwrap_or("unknown");
    let typed = PathAttribute::from_raw(raw, ctx.as_width());
    let unknown = matches!(typed, PathAttribute::Unknown { .. });
    if unknown && attribute_name(raw.code).is_some() {
        return Err(format!("{name} is not typed"));
    }
    let mut octets = Vec::new();
    typed.encode(&mut octets);
    let again = Attributes::new(&octets).iter().next().ok_or("nothing was written")?;
    if PathAttribute::from_raw(&again, ctx.as_width()) != typed {
        return Err(format!("{name} does not come back"));
    }
    let plain = |flags: u8| flags & !flag::EXTENDED_LENGTH;
    Ok(if again.whole == raw.whole {
        None
    } else if again.value == raw.value && plain(again.flags) == plain(raw.flags) {
        Some(format!("{name}: a short length in two octets"))
    } else if again.value == raw.value {
        Some(format!("{name}: flags {:#04x}, not {:#04x}", plain(raw.flags), plain(again.flags)))
    } else {
        Some(format!("{name}: {}, not {}", Value::hex(raw.value), Value::hex(again.value)))
    })
}

/// The families of RFC 8277, which withdraws them with a value that is no label.
pub(crate) const LABELED: [Family; 4] =
    [Family::IPV4_LABELED, Family::IPV6_LABELED, Family::IPV4_VPN, Family::IPV6_VPN];

/// Where destinations or the next hop are written otherwise.
fn destination_forms(body: &[u8], view: &UpdateView<'_>, ctx: &DecodeContext) -> Vec<String> {
    let mut forms = Vec::new();
    let same = |family: Family, what: &str, came: &[u8], again: &[u8]| {
        let differs = format!("{family} {what}: {}, not {}", Value::hex(came), Value::hex(again));
        (came != again).then_some(differs)
    };
    let write = |destinations: Destinations<'_>, add_path: bool| {
        let mut out = Vec::new();
        destinations.for_each(|(id, destination)| destination.encode(&mut out, add_path.then_some(id)));
        out
    };
    if let Some(reach) = view.mp_reach() {
        let form = ctx.announced(reach.family);
        forms.extend(same(reach.family, "next hop", &next_hop(body), &written_next_hop(&reach)));
        let again = write(reach.destinations(), form.add_path);
        forms.extend(same(reach.family, "announced", reach.nlri, &again));
    }
    if let Some(unreach) = view.mp_unreach() {
        let form = ctx.withdrawn(unreach.family);
        let again = write(unreach.destinations(), form.add_path);
        if LABELED.contains(&unreach.family) && again != unreach.nlri {
            forms.push(format!("{} withdrawn: with a label", unreach.family));
        } else {
            forms.extend(same(unreach.family, "withdrawn", unreach.nlri, &again));
        }
    }
    forms
}

/// The octets of the next hop in MP_REACH_NLRI.
fn next_hop(body: &[u8]) -> Vec<u8> {
    let typed = attributes(body).into_iter().map(|raw| PathAttribute::from_raw(&raw, AsWidth::Four));
    let octets = |attribute| match attribute {
        PathAttribute::MpReach { next_hop, .. } => Some(next_hop),
        _ => None,
    };
    typed.filter_map(octets).next().unwrap_or_default()
}

fn written_next_hop(reach: &MpReach<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    // Without an address, for a family that needs one, it differs from what came.
    let _ = reach.next_hop.encode(&mut octets, reach.family);
    octets
}

/// The body of an UPDATE with the same routes, made from the types that were read.
fn rewritten(view: &UpdateView<'_>, ctx: &DecodeContext) -> Result<Vec<u8>, String> {
    let mut attributes = Vec::new();
    let typed = view.attributes().iter().map(|(_, raw)| raw);
    let typed = typed.filter(|raw| usage(view) == BlockUse::Announce || raw.code != code::NEXT_HOP);
    typed.for_each(|raw| PathAttribute::from_raw(&raw, ctx.as_width()).encode(&mut attributes));
    let mut message = Vec::new();
    let written = match (view.mp_reach(), view.next_hop()) {
        (Some(reach), _) => {
            let add_path = ctx.announced(reach.family).add_path;
            let routes = reach.destinations().map(|(id, destination)| (add_path.then_some(id), destination));
            encode::announce_destinations(
                &mut message,
                MAX_EXTENDED_LEN,
                reach.family,
                &attributes,
                reach.next_hop,
                routes,
            )
        }
        (None, Some(next_hop)) => {
            let add_path = ctx.announced(V4::FAMILY).add_path;
            let routes = view.announced().map(|(id, prefix)| (add_path.then_some(id), prefix));
            encode::announce::<V4>(&mut message, MAX_EXTENDED_LEN, &attributes, next_hop.into(), routes)
        }
        (None, None) => return Err("no next hop".to_owned()),
    };
    match written {
        Ok(1) => Ok(message.split_off(19)),
        other => Err(format!("written again: {other:?}")),
    }
}

/// The routes that an UPDATE announces and withdraws.
fn parts(body: &[u8], view: &UpdateView<'_>, ctx: &DecodeContext) -> Result<Update> {
    let told = told(body, ctx);
    let attributes: Vec<PathAttribute> = view
        .attributes()
        .iter()
        .map(|(_, raw)| PathAttribute::from_raw(&raw, ctx.as_width()))
        .filter(|attribute| !matches!(attribute, PathAttribute::NextHop(_)))
        .collect();
    let seen = |family: Family, next_hop: NextHop, (path_id, destination): (PathId, Destination<'_>)| {
        let mut octets = Vec::new();
        destination.encode(&mut octets, None);
        let id = if ctx.announced(family).add_path { format!(" path {}", path_id.0) } else { String::new() };
        let line = format!("{family} {destination}{id} via {next_hop}: {told}");
        Seen { family, path_id, octets, next_hop, attributes: attributes.clone(), line }
    };
    let mut update = Update::default();
    let plain = |(id, prefix)| (id, Destination::Prefix(bgp_core::Prefix::V4(prefix)));
    let next_hop =
        view.next_hop().map_or(NextHop::NONE, |address| NextHop::from(std::net::IpAddr::V4(address)));
    update.announced.extend(view.announced().map(|route| seen(V4::FAMILY, next_hop, plain(route))));
    update.withdrawn.extend(view.withdrawn().map(|route| seen(V4::FAMILY, NextHop::NONE, plain(route))));
    if let Some(reach) = view.mp_reach() {
        update.announced.extend(reach.destinations().map(|route| seen(reach.family, reach.next_hop, route)));
    }
    if let Some(unreach) = view.mp_unreach() {
        update
            .withdrawn
            .extend(unreach.destinations().map(|route| seen(unreach.family, NextHop::NONE, route)));
    }
    Ok(update)
}

/// The attributes as `bgp_core` describes them, but for those whose destinations and next hop are told beside them.
fn told(body: &[u8], ctx: &DecodeContext) -> String {
    let mut message = Vec::new();
    write_message(&mut message, MessageType::Update, |out| out.extend_from_slice(body));
    let described = describe(&message, &DescribeContext { decode: *ctx, max_len: MAX_EXTENDED_LEN });
    let fields = described.into_iter().flat_map(|message| message.fields);
    let list = fields.filter_map(|(name, value)| match value {
        Value::List(list) if name == "attributes" => Some(list),
        _ => None,
    });
    let one = |attribute: Value| {
        let Value::Map(fields) = attribute else { return String::new() };
        let field =
            |name| fields.iter().find(|(other, _)| *other == name).map_or(&Value::Null, |(_, value)| value);
        let name = if *field("name") == Value::Null { field("code") } else { field("name") };
        format!("{name} {}", field("value")).trim_end().to_owned()
    };
    const BESIDE: [&str; 3] = ["NEXT_HOP", "MP_REACH_NLRI", "MP_UNREACH_NLRI"];
    let beside = |text: &String| BESIDE.iter().any(|name| text.starts_with(name));
    let attributes: Vec<String> = list.flatten().map(one).filter(|text| !beside(text)).collect();
    attributes.join(", ")
}
