//! A record as it is shown: one struct gives the text and the JSON.

use std::fmt;
use std::time::Duration;

use bgp_capture::{CaptureError, Content, Endpoint, PeerIndex, Record};
use bgp_core::describe::{DescribeContext, Described, Value, describe};
use bgp_core::wire::MessageType;
use bgp_daemon::api::schema::{SessionState, Timestamp};

type Fields = Vec<(&'static str, Value)>;

/// What is shown of one message, or of something else in the file.
#[derive(Debug)]
pub(super) struct Row {
    /// The record or packet in the file.
    record: u64,
    time: Option<Duration>,
    from: Endpoint,
    to: Endpoint,
    /// A message's type, or one of the names in docs/decode.md.
    pub(super) kind: &'static str,
    /// In the file.
    offset: u64,
    pub(super) what: What,
}

/// What a row tells.
#[derive(Debug)]
pub(super) enum What {
    Described(Described),
    /// Octets that are no message, the first of them described.
    Lost(u64, Option<Described>),
    /// A record that can't be read.
    Error(String),
    Else(Fields),
}

/// The rows of a record: several if more follows the message in it.
pub(super) fn rows(record: Record, context: &DescribeContext) -> Vec<Row> {
    let Record { number, offset, time, from, to, content } = record;
    let row = |kind, what| Row { record: number, time, from, to, kind, offset, what };
    match content {
        Content::Message { octets, .. } => {
            let messages = describe(&octets, context).into_iter();
            messages.map(|message| row(message_kind(&message), What::Described(message))).collect()
        }
        Content::Lost { octets, head } => {
            let described = describe(&head, context).into_iter().next();
            vec![row("LOST", What::Lost(octets, described))]
        }
        Content::RibEntry(entry) => match entry.to_update() {
            Some(update) => {
                let mut messages = describe(&update, context);
                messages
                    .iter_mut()
                    .for_each(|message| message.fields.insert(0, ("sequence", entry.sequence.into())));
                messages.into_iter().map(|message| row("RIB_ENTRY", What::Described(message))).collect()
            }
            None => {
                let error = "the route is longer than any message that could announce it";
                vec![row("ERROR", What::Error(error.to_owned()))]
            }
        },
        Content::StateChange { old, new } => {
            let fields = vec![("old", state(old)), ("new", state(new))];
            vec![row("STATE_CHANGE", What::Else(fields))]
        }
        Content::PeerIndex(index) => vec![row("PEER_INDEX_TABLE", What::Else(peer_index(&index)))],
        Content::Other { kind, subtype } => {
            let fields = vec![("mrt_type", kind.into()), ("mrt_subtype", subtype.into())];
            vec![row("OTHER", What::Else(fields))]
        }
    }
}

impl From<CaptureError> for Row {
    fn from(CaptureError { record, offset, kind }: CaptureError) -> Row {
        let (from, to, what) = (Endpoint::default(), Endpoint::default(), What::Error(kind.to_string()));
        Row { record, time: None, from, to, kind: "ERROR", offset, what }
    }
}

fn message_kind(message: &Described) -> &'static str {
    match message.kind {
        Some(MessageType::Open) => "OPEN",
        Some(MessageType::Update) => "UPDATE",
        Some(MessageType::Notification) => "NOTIFICATION",
        Some(MessageType::Keepalive) => "KEEPALIVE",
        Some(MessageType::RouteRefresh) => "ROUTE-REFRESH",
        None => "NO_MESSAGE",
    }
}

/// A state by its name, or its number if it has none (RFC 6396 section 4.4.1).
fn state(number: u16) -> Value {
    let at = usize::from(number).checked_sub(1);
    at.and_then(|at| SessionState::ALL.get(at)).map_or(number.into(), Value::text)
}

fn peer_index(index: &PeerIndex) -> Fields {
    let peer = |(at, peer): (usize, &bgp_capture::IndexedPeer)| {
        Value::Map(vec![
            ("index", at.into()),
            ("router_id", Value::text(peer.router_id)),
            ("address", Value::text(peer.address)),
            ("asn", peer.asn.0.into()),
        ])
    };
    vec![
        ("collector", Value::text(index.collector)),
        ("view", Value::text(index.view.escape_debug())),
        ("peers", Value::List(index.peers.iter().enumerate().map(peer).collect())),
    ]
}

impl Row {
    /// Whether nothing is wrong.
    pub(super) fn is_sound(&self) -> bool {
        match &self.what {
            What::Described(message) => message.is_sound(),
            What::Else(_) => true,
            What::Lost(..) | What::Error(_) => false,
        }
    }

    /// One JSON object, the row's number in it.
    pub(super) fn to_json(&self, number: u64) -> String {
        let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        let end = |end: Endpoint| {
            [
                text(end.address.map(|address| address.to_string())),
                end.port.map_or(Value::Null, Value::from),
                end.asn.map_or(Value::Null, |asn| asn.0.into()),
            ]
        };
        let [from, from_port, from_asn] = end(self.from);
        let [to, to_port, to_asn] = end(self.to);
        let mut fields = vec![
            ("number", number.into()),
            ("record", self.record.into()),
            ("time", text(self.time.and_then(rfc3339))),
            ("from", from),
            ("from_port", from_port),
            ("from_asn", from_asn),
            ("to", to),
            ("to_port", to_port),
            ("to_asn", to_asn),
            ("type", Value::text(self.kind)),
            ("offset", self.offset.into()),
        ];
        fields.extend(self.rest());
        Value::Map(fields).to_json()
    }

    /// What follows the offset: of any row at least length, treatment, faults and notification.
    fn rest(&self) -> Fields {
        // Type and offset in the record are told already.
        let described = |message: &Described| message.to_fields().into_iter().skip(2).collect();
        let wrapped = |length: Value, fields: Fields| {
            let head = [("length", length)].into_iter().chain(fields);
            let tail =
                [("treatment", Value::Null), ("faults", Value::List(vec![])), ("notification", Value::Null)];
            head.chain(tail).collect()
        };
        match &self.what {
            What::Described(message) => described(message),
            What::Lost(octets, Some(message)) => {
                let mut fields: Fields = described(message);
                fields
                    .iter_mut()
                    .filter(|(name, _)| *name == "length")
                    .for_each(|(_, value)| *value = (*octets).into());
                fields
            }
            What::Lost(octets, None) => wrapped((*octets).into(), vec![]),
            What::Error(error) => wrapped(Value::Null, vec![("error", Value::text(error))]),
            What::Else(fields) => wrapped(Value::Null, fields.clone()),
        }
    }

    /// A block of lines, the first with the row's number.
    pub(super) fn to_text(&self, number: u64) -> String {
        let head = Head(number, self);
        match &self.what {
            What::Described(message) if self.kind == "RIB_ENTRY" => format!("{head}table: {message}"),
            What::Described(message) => format!("{head}{message}"),
            What::Lost(octets, described) => {
                let wrong = described.as_ref().map(|message| {
                    let mut fields = message.to_fields();
                    fields.retain(|(name, _)| matches!(*name, "error" | "faults"));
                    Value::lines(&fields)
                });
                format!("{head}{octets} octets lost\n{}", wrong.unwrap_or_default())
            }
            What::Error(error) => format!("{head}record {} at octet {}: {error}\n", self.record, self.offset),
            What::Else(fields) => format!("{head}{}\n{}", self.kind, Value::lines(fields)),
        }
    }
}

/// The number, the time, who sent it to whom.
struct Head<'a>(u64, &'a Row);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head(number, row) = self;
        write!(f, "#{number} ")?;
        if let Some(time) = row.time.and_then(rfc3339) {
            write!(f, "{time} ")?;
        }
        for (before, end) in [("", row.from), ("-> ", row.to)] {
            if end.address.is_some() {
                write!(f, "{before}{end} ")?;
            }
            if let Some(asn) = end.asn {
                write!(f, "AS{asn} ")?;
            }
        }
        Ok(())
    }
}

/// As [`Timestamp`] shows it, but to the microsecond; `None` for a time beyond what it can hold.
fn rfc3339(time: Duration) -> Option<String> {
    let seconds = Timestamp(time.as_secs().checked_mul(1000)?).to_string();
    Some(format!("{}.{:06}Z", seconds.strip_suffix(".000Z")?, time.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use bgp_capture::{IndexedPeer, RibEntry};
    use bgp_core::{Asn, Family, RouterId};
    use serde_json::Value as Json;

    use super::*;

    /// The only row of a record that holds `content`, as text and as JSON.
    fn shown(content: Content) -> (String, Json) {
        let ends = Endpoint::default();
        let time = Some(Duration::new(1_431_358_083, 250_001_999));
        let record = Record { number: 3, offset: 40, time, from: ends, to: ends, content };
        let rows = rows(record, &DescribeContext::default());
        assert_eq!(rows.len(), 1);
        (rows[0].to_text(7), serde_json::from_str(&rows[0].to_json(7)).unwrap())
    }

    #[test]
    fn changes_of_state_have_names() {
        let (text, json) = shown(Content::StateChange { old: 5, new: 99 });
        assert_eq!(text, "#7 2015-05-11T15:28:03.250001Z STATE_CHANGE\n  old: openconfirm\n  new: 99\n");
        assert_eq!(
            (&json["old"], &json["new"], &json["faults"]),
            (&"openconfirm".into(), &99.into(), &Json::Array(vec![]))
        );
    }

    #[test]
    fn a_route_of_a_table_is_told_as_its_update() {
        let attributes = vec![0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 0, 0, 1];
        let (family, nlri) = (Family::IPV4_UNICAST, vec![16, 10, 1]);
        let (text, json) =
            shown(Content::RibEntry(RibEntry { sequence: 5, family, path_id: None, nlri, attributes }));
        let expected =
            "#7 2015-05-11T15:28:03.250001Z table: UPDATE, 40 octets\n  sequence: 5\n  announced:\n";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(
            (&json["type"], &json["announced"][0]["nlri"]),
            (&"RIB_ENTRY".into(), &"10.1.0.0/16".into())
        );
        assert_eq!((&json["offset"], &json["record"], &json["number"]), (&40.into(), &3.into(), &7.into()));
    }

    #[test]
    fn the_peers_of_a_table_are_listed() {
        let peer =
            IndexedPeer { router_id: RouterId(1), address: "fd00::1".parse().unwrap(), asn: Asn(64512) };
        let index = PeerIndex { collector: RouterId(9), view: "a\nb".to_owned(), peers: vec![peer] };
        let (text, json) = shown(Content::PeerIndex(index));
        assert!(
            text.ends_with(
                "  view: a\\nb\n  peers:\n    index 0, router_id 0.0.0.1, address fd00::1, asn 64512\n"
            ),
            "{text}"
        );
        assert_eq!(json["peers"][0]["asn"], 64512);
    }

    #[test]
    fn octets_lost_are_counted_and_the_first_of_them_explained() {
        let (text, json) = shown(Content::Lost { octets: 1000, head: b"GET /".to_vec() });
        assert!(
            text.contains("1000 octets lost\n  faults:\n    offset 0, treatment session reset"),
            "{text}"
        );
        assert_eq!(
            (&json["length"], &json["faults"][0]["section"]),
            (&1000.into(), &"RFC 4271 section 6.1".into())
        );
        let (text, json) = shown(Content::Lost { octets: 1000, head: vec![] });
        assert!(text.ends_with("Z 1000 octets lost\n") && json["length"] == 1000, "{text}");
    }

    #[test]
    fn times_are_shown_to_the_microsecond_as_far_as_they_can_be() {
        assert_eq!(rfc3339(Duration::from_nanos(1_999)).unwrap(), "1970-01-01T00:00:00.000001Z");
        assert_eq!(rfc3339(Duration::MAX), None);
    }
}
