//! AS numbers: a peer's against our own, those of a confederation, and what is done with them on paths.

use bgp_core::{Asn, PeerKind};
use bgp_router::{AsNumbers, LocalAs, PrivateNumbers};

use super::diagnostic::{Code, Report};
use super::entries::{Entry, Shown, boolean, list, number, text};
use super::model::{Confederation, PeerConfig};
use super::section::{Node, Section};
use super::values::{self, Choices, choice, several, word};

/// Beside the number of `local-as`, by the names that other routers have for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LocalOption {
    /// It is not put in front of what the peer sends.
    NoPrepend,
    /// It stands instead of our own AS.
    ReplaceAs,
    /// The peer may know us by our own AS too.
    DualAs,
}

const LOCAL_OPTIONS: Choices<LocalOption> = &[
    ("no-prepend", LocalOption::NoPrepend),
    ("replace-as", LocalOption::ReplaceAs),
    ("dual-as", LocalOption::DualAs),
];
const PRIVATE: Choices<PrivateNumbers> =
    &[("off", PrivateNumbers::Keep), ("all", PrivateNumbers::Remove), ("replace", PrivateNumbers::Replace)];

/// `confederation-id` and `confederation-members` at the top of the file (RFC 5065).
pub(super) fn confederation(top: &mut Section<'_>, report: &mut Report<'_>) -> Option<Confederation> {
    let id = top.get(report, "confederation-id", values::asn);
    let members = top.get(report, "confederation-members", |n, r| several(n, r, values::asn));
    if let (None, Some(at)) = (top.key_span("confederation-id"), top.key_span("confederation-members")) {
        let message = "`confederation-members` says who is in a confederation, and it has no number";
        report.error(Code::Missing, at, message, "add `confederation-id`, by which the world knows it");
    }
    id.map(|id| Confederation { id, members: members.unwrap_or_default() })
}

/// What a peer is by its AS: its kind, and whether it is in another member AS of our confederation. `own` is the AS that
/// it knows us by.
pub(super) fn place(peer: Asn, own: Asn, confederation: Option<&Confederation>) -> (PeerKind, bool) {
    let is_member = confederation.is_some_and(|confederation| confederation.members.contains(&peer));
    match () {
        () if peer == own => (PeerKind::Internal, false),
        () if is_member => (PeerKind::Internal, true),
        () => (PeerKind::External, false),
    }
}

/// The keys of a peer.
pub(super) fn read(section: &mut Section<'_>, report: &mut Report<'_>) -> AsNumbers {
    let options = section.get(report, "local-as-options", |node, report| several(node, report, local_option));
    let has = |option| options.as_ref().is_some_and(|options| options.contains(&option));
    let local = section.get(report, "local-as", values::asn).map(|asn| LocalAs {
        asn,
        prepends_received: !has(LocalOption::NoPrepend),
        replaces: has(LocalOption::ReplaceAs),
        dual: has(LocalOption::DualAs),
    });
    AsNumbers {
        allow_own: section.get(report, "allow-own-as", times).unwrap_or(0),
        overrides: section.get(report, "as-override", values::boolean).unwrap_or(false),
        private: section
            .get(report, "remove-private-as", |node, report| choice(node, report, PRIVATE))
            .unwrap_or_default(),
        local,
    }
}

fn local_option(node: &Node<'_>, report: &mut Report<'_>) -> Option<LocalOption> {
    choice(node, report, LOCAL_OPTIONS)
}

fn times(node: &Node<'_>, report: &mut Report<'_>) -> Option<u8> {
    values::integer(node, report, 0..=10).and_then(|times| u8::try_from(times).ok())
}

/// Keys of one entry that cannot stand together.
pub(super) fn contradictions(section: &Section<'_>, report: &mut Report<'_>, peer: &PeerConfig, own: Asn) {
    let mut refuse = |key: &str, wrong: bool, message: String, remedy: &str| {
        if let (true, Some(at)) = (wrong, section.key_span(key)) {
            report.error(Code::Conflict, at, message, remedy);
        }
    };
    let local = peer.as_numbers.local;
    let message = "`local-as-options` says how `local-as` is used, which is not set".to_owned();
    refuse("local-as-options", section.key_span("local-as").is_none(), message, "add `local-as`");
    let message = format!("{own} is our AS anyway");
    refuse("local-as", local.is_some_and(|local| local.asn == own), message, "take `local-as` out");
    let inside = peer.kind == PeerKind::Internal && own.0 != 0;
    let AsNumbers { overrides, private, .. } = peer.as_numbers;
    let says = [("as-override", overrides), ("remove-private-as", private != PrivateNumbers::Keep)];
    for (key, is_set) in says {
        let message = format!("`{key}` changes what leaves our AS, and this peer is inside");
        refuse(key, inside && is_set, message, "take it out");
    }
}

/// The keys with their values.
pub(super) fn entries(numbers: &AsNumbers) -> Vec<Entry> {
    let AsNumbers { allow_own, overrides, private, local } = numbers;
    let mut entries = vec![
        ("allow-own-as", number(*allow_own)),
        ("as-override", boolean(*overrides)),
        ("remove-private-as", text(word(PRIVATE, private))),
        ("local-as", local.map_or(Shown::Unset("our own"), |local| number(local.asn.0))),
    ];
    if let Some(local) = local {
        let options = [
            (!local.prepends_received, LocalOption::NoPrepend),
            (local.replaces, LocalOption::ReplaceAs),
            (local.dual, LocalOption::DualAs),
        ];
        let set = options.iter().filter(|(set, _)| *set).map(|(_, option)| word(LOCAL_OPTIONS, option));
        entries.push(("local-as-options", list(set)));
    }
    entries
}

/// The confederation's keys with their values.
pub(super) fn of_confederation(confederation: Option<&Confederation>) -> Vec<Entry> {
    let Some(Confederation { id, members }) = confederation else {
        return vec![("confederation-id", Shown::Unset("in none"))];
    };
    let members = members.iter().map(|member| toml::Value::Integer(member.0.into())).collect();
    vec![
        ("confederation-id", number(id.0)),
        ("confederation-members", Shown::Value(toml::Value::Array(members))),
    ]
}
