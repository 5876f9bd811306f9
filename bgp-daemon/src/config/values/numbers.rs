//! Whole numbers: times, counts, AS numbers, each within what it may be.

use std::ops::RangeInclusive;
use std::time::Duration;

use bgp_core::Asn;
use toml::de::DeValue;

use super::super::diagnostic::{Code, Report};
use super::super::section::Node;
use super::wrong_type;

pub(in crate::config) fn integer(
    node: &Node<'_>,
    report: &mut Report<'_>,
    allowed: RangeInclusive<u32>,
) -> Option<u32> {
    let allowed = i64::from(*allowed.start())..=i64::from(*allowed.end());
    whole(node, report, allowed).and_then(|value| u32::try_from(value).ok())
}

pub(in crate::config) fn whole(
    node: &Node<'_>,
    report: &mut Report<'_>,
    allowed: RangeInclusive<i64>,
) -> Option<i64> {
    let DeValue::Integer(number) = node.get_ref() else {
        wrong_type(node, report, "an integer");
        return None;
    };
    let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
    let value = value.filter(|value| allowed.contains(value));
    if value.is_none() {
        let remedy = format!("from {} to {}", allowed.start(), allowed.end());
        report.error(Code::Value, node.span(), format!("{number} is out of range"), remedy);
    }
    value
}

/// An AS number that may be used: not 0 (RFC 7607), not AS_TRANS, not the last ones (RFC 7300).
pub(in crate::config) fn asn(node: &Node<'_>, report: &mut Report<'_>) -> Option<Asn> {
    let number = integer(node, report, 1..=u32::MAX)?;
    let reserved = match number {
        23456 => "AS 23456 stands for four-octet numbers (RFC 6793)",
        65535 | u32::MAX => "the last AS number is reserved (RFC 7300)",
        _ => return Some(Asn(number)),
    };
    report.error(Code::Value, node.span(), reserved, "private numbers are 64512 to 65534");
    None
}

/// A TCP port.
pub(in crate::config) fn port(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 1..=65535).and_then(|v| u16::try_from(v).ok())
}

/// A hold time: 0, or at least 3 seconds (RFC 4271 section 4.2).
pub(in crate::config) fn hold_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    let seconds = integer(node, report, 0..=65535)?;
    if seconds == 1 || seconds == 2 {
        let message = format!("a hold time of {seconds} s is not allowed (RFC 4271 section 4.2)");
        report.error(Code::Value, node.span(), message, "0 (none), or 3 to 65535 seconds");
        return None;
    }
    u16::try_from(seconds).ok()
}

/// A time between KEEPALIVEs in seconds.
pub(in crate::config) fn keepalive_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 1..=21845).and_then(|v| u16::try_from(v).ok())
}

/// A send hold time in seconds (RFC 9687); 0: never.
pub(in crate::config) fn send_hold_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 0..=65535).and_then(|v| u16::try_from(v).ok())
}

/// A time in whole seconds, from 1 to 65535.
pub(in crate::config) fn seconds(node: &Node<'_>, report: &mut Report<'_>) -> Option<Duration> {
    integer(node, report, 1..=65535).map(|v| Duration::from_secs(v.into()))
}

/// A VXLAN network identifier: 24 bits (RFC 7348 section 5).
pub(in crate::config) fn vni(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=0xff_ffff)
}

/// Hops for GTSM.
pub(in crate::config) fn hops(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    integer(node, report, 1..=254).and_then(|v| u8::try_from(v).ok())
}

/// A limit of which 0 means «none».
pub(in crate::config) fn limit(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    integer(node, report, 0..=u32::MAX).map(|v| Some(v).filter(|v| *v > 0))
}

/// As [`limit`], of octets.
pub(in crate::config) fn octets(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u64>> {
    let value = whole(node, report, 0..=i64::MAX)?;
    Some(u64::try_from(value).ok().filter(|octets| *octets > 0))
}

/// How many paths to a destination; 0 means «any number».
pub(in crate::config) fn max_paths(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u16>> {
    integer(node, report, 0..=65535).map(|v| u16::try_from(v).ok().filter(|v| *v > 0))
}

/// A restart time: twelve bits (RFC 4724 section 3), and 0 would be no time to restart in.
pub(in crate::config) fn restart_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<u16> {
    integer(node, report, 1..=4095).and_then(|v| u16::try_from(v).ok())
}

/// A long-lived stale time: 24 bits (RFC 9494 section 3); 0 means «off».
pub(in crate::config) fn long_lived_time(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    integer(node, report, 0..=0xff_ffff).map(|v| Some(v).filter(|v| *v > 0))
}

/// How many of a hundred; 0 means «off».
pub(in crate::config) fn percent(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    integer(node, report, 0..=100).map(|v| Some(v).filter(|v| *v > 0))
}

/// A time to stay away, in whole seconds up to a day; 0 means «none of its own».
pub(in crate::config) fn pause(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<Duration>> {
    integer(node, report, 0..=86400).map(|v| Some(Duration::from_secs(v.into())).filter(|v| !v.is_zero()))
}

/// A count of at least 1.
pub(in crate::config) fn count(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=u32::MAX)
}

/// How many equal paths a route may use.
pub(in crate::config) fn multipath(node: &Node<'_>, report: &mut Report<'_>) -> Option<usize> {
    integer(node, report, 1..=256).and_then(|v| usize::try_from(v).ok())
}

/// A routing table of the kernel; 0 is none.
pub(in crate::config) fn routing_table(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=u32::MAX)
}

/// A route's metric; 0 is what the kernel takes for «unset» and IPv6 turns into 1024.
pub(in crate::config) fn metric(node: &Node<'_>, report: &mut Report<'_>) -> Option<u32> {
    integer(node, report, 1..=u32::MAX)
}

/// An `rtproto`; up to 4 are the kernel's own (`linux/rtnetlink.h`).
pub(in crate::config) fn route_protocol(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    integer(node, report, 5..=255).and_then(|v| u8::try_from(v).ok())
}
