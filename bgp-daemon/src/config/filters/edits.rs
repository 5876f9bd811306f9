//! The keys of a term that change a route, in the order in which it is changed.

use std::net::IpAddr;

use bgp_core::Asn;
use bgp_rib::filter::{Change, Edit, NextHopEdit};
use toml::Value;
use toml::de::DeValue;

use super::super::diagnostic::{Code, Report};
use super::super::model::Origins;
use super::super::section::{Node, Section};
use super::super::values::{self, explained, list, several, strings};
use super::term::{Key, key};

/// The word for a MED that is taken off.
const NONE: &str = "none";

const COMMUNITY: &str = "a community, as in \"64512:100\"";
const EXTENDED: &str = "an extended community, as in \"rt:64512:100\"";
const LARGE: &str = "a large community, as in \"64512:1:2\"";

pub(super) const EDITS: &[Key<Edit>] = &[
    key!("set-local-pref", |node, report| {
        values::integer(node, report, 0..=u32::MAX).map(Edit::LocalPref)
    }, Edit::LocalPref(value) => Value::from(i64::from(*value))),
    key!("set-med", |node, report| med(node, report).map(Edit::Med), Edit::Med(value) => {
        value.map_or_else(|| Value::from(NONE), |value| Value::from(i64::from(value)))
    }),
    key!("add-to-med", |node, report| {
        let value = values::whole(node, report, i32::MIN.into()..=i32::MAX.into())?;
        i32::try_from(value).ok().map(Edit::AddToMed)
    }, Edit::AddToMed(value) => Value::from(i64::from(*value))),
    key!("set-next-hop", |node, report| next_hop(node, report).map(Edit::NextHop),
        Edit::NextHop(next_hop) => shown_next_hop(*next_hop)),
    key!("prepend", prepend, Edit::Prepend { asn, times } => shown_prepend(*asn, *times)),
    key!("set-link-bandwidth", |node, report| bandwidth(node, report).map(Edit::LinkBandwidth),
        Edit::LinkBandwidth(bits) => shown_bandwidth(*bits)),
    key!("set-communities", |node, report| {
        let new = list(node, report, "a list", |n, r| explained(n, r, COMMUNITY))?;
        Some(Edit::Communities(Change::Replace(new)))
    }, Edit::Communities(Change::Replace(new)) => strings(new)),
    key!("remove-communities", |node, report| {
        let old = several(node, report, |n, r| explained(n, r, COMMUNITY))?;
        Some(Edit::Communities(Change::Remove(old)))
    }, Edit::Communities(Change::Remove(old)) => strings(old)),
    key!("add-communities", |node, report| {
        let new = several(node, report, |n, r| explained(n, r, COMMUNITY))?;
        Some(Edit::Communities(Change::Add(new)))
    }, Edit::Communities(Change::Add(new)) => strings(new)),
    key!("set-extended-communities", |node, report| {
        let new = list(node, report, "a list", |n, r| explained(n, r, EXTENDED))?;
        Some(Edit::ExtendedCommunities(Change::Replace(new)))
    }, Edit::ExtendedCommunities(Change::Replace(new)) => strings(new)),
    key!("remove-extended-communities", |node, report| {
        let old = several(node, report, |n, r| explained(n, r, EXTENDED))?;
        Some(Edit::ExtendedCommunities(Change::Remove(old)))
    }, Edit::ExtendedCommunities(Change::Remove(old)) => strings(old)),
    key!("add-extended-communities", |node, report| {
        let new = several(node, report, |n, r| explained(n, r, EXTENDED))?;
        Some(Edit::ExtendedCommunities(Change::Add(new)))
    }, Edit::ExtendedCommunities(Change::Add(new)) => strings(new)),
    key!("set-large-communities", |node, report| {
        let new = list(node, report, "a list", |n, r| explained(n, r, LARGE))?;
        Some(Edit::LargeCommunities(Change::Replace(new)))
    }, Edit::LargeCommunities(Change::Replace(new)) => strings(new)),
    key!("remove-large-communities", |node, report| {
        let old = several(node, report, |n, r| explained(n, r, LARGE))?;
        Some(Edit::LargeCommunities(Change::Remove(old)))
    }, Edit::LargeCommunities(Change::Remove(old)) => strings(old)),
    key!("add-large-communities", |node, report| {
        let new = several(node, report, |n, r| explained(n, r, LARGE))?;
        Some(Edit::LargeCommunities(Change::Add(new)))
    }, Edit::LargeCommunities(Change::Add(new)) => strings(new)),
];

fn med(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    match node.get_ref().as_str() {
        Some(NONE) => Some(None),
        _ => values::integer(node, report, 0..=u32::MAX).map(Some),
    }
}

const UNITS: [(&str, u64); 4] =
    [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

/// Bits per second, as in "10G".
fn bandwidth(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u64>> {
    const FORM: &str = "bits per second, as in \"10G\", or \"none\"";
    let text = values::text(node, report, FORM)?;
    if text == NONE {
        return Some(None);
    }
    let unit = UNITS.iter().find_map(|(unit, size)| text.strip_suffix(unit).map(|number| (number, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    let bits = number.parse().ok().and_then(|number: u64| number.checked_mul(size)).filter(|bits| *bits >= 8);
    if bits.is_none() {
        report.error(Code::Value, node.span(), format!("`{text}` is no bandwidth"), FORM);
    }
    bits.map(Some)
}

fn shown_bandwidth(bits: Option<u64>) -> Value {
    let Some(bits) = bits else { return Value::from(NONE) };
    let unit = UNITS.iter().find(|(_, size)| bits % size == 0);
    Value::from(unit.map_or_else(|| bits.to_string(), |(unit, size)| format!("{}{unit}", bits / size)))
}

fn next_hop(node: &Node<'_>, report: &mut Report<'_>) -> Option<NextHopEdit> {
    match node.get_ref().as_str() {
        Some("self") => Some(NextHopEdit::Own),
        Some("unchanged") => Some(NextHopEdit::Unchanged),
        Some(text) if text.parse::<IpAddr>().is_ok() => {
            values::address(node, report).map(NextHopEdit::Address)
        }
        _ => {
            let message = "a next hop is \"self\", \"unchanged\" or an address";
            report.error(Code::Value, node.span(), message, "as in \"10.0.0.1\"");
            None
        }
    }
}

fn shown_next_hop(edit: NextHopEdit) -> Value {
    match edit {
        NextHopEdit::Own => Value::from("self"),
        NextHopEdit::Unchanged => Value::from("unchanged"),
        NextHopEdit::Address(address) => Value::from(address.to_string()),
    }
}

/// `3`: our AS so many times; `{ asn = 64513, times = 3 }`: another one.
fn prepend(node: &Node<'_>, report: &mut Report<'_>) -> Option<Edit> {
    let DeValue::Table(table) = node.get_ref() else {
        return times(node, report).map(|times| Edit::Prepend { asn: None, times });
    };
    let mut section = Section::new("`prepend`", table, node.span());
    let asn = section.get(report, "asn", values::asn);
    let times = section.get(report, "times", times);
    if section.key_span("times").is_none() {
        let message = "`prepend` needs to know how many times";
        report.error(Code::Missing, node.span(), message, "as in `{ asn = 64513, times = 2 }`");
    }
    // Where its parts stand is told by the key itself.
    section.finish(report, "", &mut Origins::new());
    times.map(|times| Edit::Prepend { asn, times })
}

fn times(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    values::integer(node, report, 1..=255).and_then(|times| u8::try_from(times).ok())
}

fn shown_prepend(asn: Option<Asn>, times: u8) -> Value {
    let times = Value::from(i64::from(times));
    let Some(Asn(asn)) = asn else { return times };
    let parts = [("asn", Value::from(i64::from(asn))), ("times", times)];
    Value::Table(parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
