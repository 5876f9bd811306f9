//! `tcp-ao`: the keys of the TCP Authentication Option (RFC 5925) of a peer.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::diagnostic::{Code, Report};
use super::model::{Origins, PeerConfig, Selector};
use super::parse::beside;
use super::secret::Secret;
use super::section::{Node, Section};
use super::values::{self, Choices, choice, word};
use crate::net::AoAlgorithm;

/// A key of TCP-AO. Where it was read from makes no difference.
#[derive(Clone, Debug)]
pub struct TcpAoKey {
    /// What our segments call it (SendID).
    pub id: u8,
    /// What the peer's call it (RecvID).
    pub receive_id: u8,
    /// How it signs.
    pub algorithm: AoAlgorithm,
    /// The key itself.
    pub secret: Secret,
    /// Where it was read from, if not from the configuration itself.
    pub file: Option<PathBuf>,
}

impl PartialEq for TcpAoKey {
    fn eq(&self, other: &TcpAoKey) -> bool {
        let key = |it: &TcpAoKey| (it.id, it.receive_id, it.algorithm);
        key(self) == key(other) && self.secret == other.secret
    }
}

impl Eq for TcpAoKey {}

const ALGORITHMS: Choices<AoAlgorithm> =
    &[("hmac-sha-1-96", AoAlgorithm::HmacSha1), ("aes-128-cmac-96", AoAlgorithm::Aes128Cmac)];

impl fmt::Display for TcpAoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {} (hidden)", self.id, self.receive_id, word(ALGORITHMS, &self.algorithm))
    }
}

/// The keys of a peer or group.
pub(super) fn read(section: &mut Section<'_>, report: &mut Report<'_>) -> Vec<TcpAoKey> {
    let mut keys: Vec<TcpAoKey> = Vec::new();
    for mut section in section.sections(report, "tcp-ao", "tcp-ao = [{ … }]") {
        let key = key(&mut section, report);
        let (id, receive_id) = (section.span_of("id"), section.span_of("receive-id"));
        section.finish(report, "tcp-ao", &mut Origins::new());
        let Some(key) = key else { continue };
        let mut refuse = |at, way: &str, id: u8, taken: bool| {
            if taken {
                let message = format!("two keys of one peer have the id {id} for {way}");
                report.error(Code::Duplicate, at, message, "an id tells which key a segment is signed with");
            }
        };
        refuse(id, "sending", key.id, keys.iter().any(|other| other.id == key.id));
        refuse(
            receive_id,
            "receiving",
            key.receive_id,
            keys.iter().any(|other| other.receive_id == key.receive_id),
        );
        keys.push(key);
    }
    if let (false, Some(at)) =
        (keys.is_empty(), section.key_span("password").or(section.key_span("password-file")))
    {
        let message = "a session has either TCP MD5 (`password`) or `tcp-ao`";
        report.error(Code::Conflict, at, message, "take one of them out");
    }
    keys
}

fn key(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<TcpAoKey> {
    let id = section.get(report, "id", id);
    let receive_id = section.get(report, "receive-id", self::id);
    let algorithm = section.get(report, "algorithm", |node, report| choice(node, report, ALGORITHMS));
    let file = section.get(report, "key-file", values::path);
    let file = file.map(|path| beside(report.source.file, path));
    let secret = Secret::read(section, report, ["TCP-AO", "key", "key-file"], file.as_deref());
    let needed = [
        ("id", "id", "add `id = 1`, the same as at the peer"),
        ("algorithm", "algorithm", "add `algorithm = \"hmac-sha-1-96\"`"),
        ("key", "key-file", "add `key-file = \"/etc/bgp/key\"`, or the `key` itself"),
    ];
    for (key, or, remedy) in needed {
        if section.key_span(key).or(section.key_span(or)).is_none() {
            let message = format!("a key of TCP-AO needs {} `{key}`", if key == "key" { "a" } else { "an" });
            report.error(Code::Missing, section.span.clone(), message, remedy);
        }
    }
    let (id, algorithm, secret) = (id?, algorithm?, secret?);
    Some(TcpAoKey { id, receive_id: receive_id.unwrap_or(id), algorithm, secret, file })
}

fn id(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    values::integer(node, report, 0..=255).and_then(|id| u8::try_from(id).ok())
}

/// Keys that would hold for others too. The kernel finds a key of TCP-AO by its id and any address that it is for, not by
/// the longest prefix, and has no address with both kinds of keys.
pub(super) fn overlaps(report: &mut Report<'_>, peers: &[(PeerConfig, Range<usize>)]) {
    let many = peers.iter().filter(|(p, _)| matches!(p.selector, Selector::Range(_) | Selector::OnLink(..)));
    for (outer, _) in many {
        for (inner, at) in peers.iter().filter(|(inner, _)| inner.selector != outer.selector) {
            let (Some(range), Some(prefix)) = (outer.selector.prefix(), inner.selector.prefix()) else {
                continue;
            };
            let foreign = !outer.tcp_ao.is_empty() || (outer.password.is_some() && !inner.tcp_ao.is_empty());
            let alike = range == prefix && inner.tcp_ao == outer.tcp_ao;
            if foreign && range.covers(&prefix) && !alike {
                let remedy =
                    if range == prefix { "give both the same keys" } else { "keep it out of the range" };
                let message = match outer.tcp_ao.is_empty() {
                    false => {
                        format!("the `tcp-ao` keys of {} hold for {} too", outer.selector, inner.selector)
                    }
                    true => format!("the `password` of {} is in the way of `tcp-ao` here", outer.selector),
                };
                report.error(Code::Conflict, at.clone(), message, remedy);
            }
        }
    }
}
