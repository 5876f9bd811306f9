//! Any message as readable text and as JSON, with all that is wrong with it.
//!
//! ```
//! use bgp_core::describe::{DescribeContext, describe};
//!
//! let mut keepalive = vec![0xff; 16];
//! keepalive.extend([0, 19, 4]);
//! let messages = describe(&keepalive, &DescribeContext::default());
//! assert_eq!(messages[0].to_string(), "KEEPALIVE, 19 octets\n");
//! assert_eq!(messages[0].to_json(), r#"{"type":"KEEPALIVE","offset":0,"length":19}"#);
//! ```

mod update;
mod value;

use std::fmt;

pub use value::Value;

use crate::wire::capability::AddPathMode;
use crate::wire::header::{MAX_EXTENDED_LEN, MAX_LEN};
use crate::wire::{Capability, DecodeContext, Frame, MessageType, Notification, Open, RouteRefresh, frame};
use crate::{Family, FamilySet, PeerKind};

/// What is to be known of the session that the messages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribeContext {
    /// How UPDATEs are read.
    pub decode: DecodeContext,
    /// The longest message, 4096 or 65535.
    pub max_len: usize,
}

/// An internal session of today: all families, four-octet AS numbers, extended messages, no path identifiers.
impl Default for DescribeContext {
    fn default() -> DescribeContext {
        let decode = DecodeContext::new(PeerKind::Internal, FamilySet::ALL);
        DescribeContext { decode, max_len: MAX_EXTENDED_LEN }
    }
}

impl DescribeContext {
    /// The session that the sender of `open` gets from a peer that answers with the same capabilities.
    #[must_use]
    pub fn with_open(mut self, open: &Open) -> DescribeContext {
        let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
        self.decode.four_octet_as = has(|capability| matches!(capability, Capability::FourOctetAs(_)));
        self.max_len = if has(|capability| *capability == Capability::ExtendedMessage) {
            MAX_EXTENDED_LEN
        } else {
            MAX_LEN
        };
        let (mut families, mut add_path) = (FamilySet::EMPTY, FamilySet::EMPTY);
        for capability in &open.capabilities {
            match capability {
                Capability::Multiprotocol(family) => families = families.with(*family),
                Capability::AddPath(entries) => {
                    let sent = entries.iter().filter(|(_, mode)| *mode != AddPathMode::Receive);
                    add_path = sent.fold(add_path, |set, (family, _)| set.with(*family));
                }
                _ => {}
            }
        }
        // RFC 4760 section 8: without the capability it is a session for IPv4.
        let multiprotocol = has(|capability| matches!(capability, Capability::Multiprotocol(_)));
        self.decode.families = if multiprotocol { families } else { families.with(Family::IPV4_UNICAST) };
        self.decode.add_path = add_path;
        self
    }
}

/// One message, or the octets that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What it is; `None` if it is no message, or not a whole one.
    pub kind: Option<MessageType>,
    /// Where it begins in the input, in octets.
    pub offset: usize,
    /// How many octets it has.
    pub length: usize,
    /// Its fields, the last of them what is wrong.
    pub fields: Vec<(&'static str, Value)>,
}

impl Described {
    /// One JSON object: type, offset, length, then the fields.
    #[must_use]
    pub fn to_json(&self) -> String {
        let kind = self.kind.map_or(Value::Null, Value::text);
        let head = [("type", kind), ("offset", self.offset.into()), ("length", self.length.into())];
        Value::Map(head.into_iter().chain(self.fields.clone()).collect()).to_json()
    }
}

/// A line for the message, then its fields indented below; those that are empty are left out.
impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => writeln!(f, "{kind}, {} octets", self.length)?,
            None => writeln!(f, "no message, {} octets", self.length)?,
        }
        self.fields.iter().try_for_each(|(name, value)| value.write_field(f, name, 1))
    }
}

/// Describes the messages in `bytes`, which follow each other. What can't be read as a message ends the list.
#[must_use]
pub fn describe(bytes: &[u8], ctx: &DescribeContext) -> Vec<Described> {
    let mut described = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        match frame(rest, ctx.max_len) {
            Ok(Some(message)) => {
                let fields = fields(&message, ctx);
                described.push(Described { kind: Some(message.kind), offset, length: message.len, fields });
                rest = rest.get(message.len..).unwrap_or_default();
            }
            Ok(None) => {
                described.push(no_message(offset, rest.len(), Value::text("the message is cut off")));
                break;
            }
            Err(notification) => {
                described.push(no_message(offset, rest.len(), Value::text(notification)));
                break;
            }
        }
    }
    described
}

fn no_message(offset: usize, length: usize, error: Value) -> Described {
    Described { kind: None, offset, length, fields: vec![("error", error)] }
}

fn fields(message: &Frame<'_>, ctx: &DescribeContext) -> Vec<(&'static str, Value)> {
    match message.kind {
        MessageType::Open => or_error(Open::parse(message.body), open),
        MessageType::Update => update::fields(message.body, &ctx.decode),
        MessageType::Notification => Notification::parse(message.body).map(notification).unwrap_or_default(),
        MessageType::Keepalive => Vec::new(),
        MessageType::RouteRefresh => or_error(RouteRefresh::parse(message.body), refresh),
    }
}

fn or_error<T>(
    parsed: Result<T, Notification>,
    fields: impl FnOnce(T) -> Vec<(&'static str, Value)>,
) -> Vec<(&'static str, Value)> {
    parsed.map_or_else(|notification| vec![("error", Value::text(notification))], fields)
}

fn open(open: Open) -> Vec<(&'static str, Value)> {
    let capability = |capability: &Capability| {
        Value::Map(vec![("code", capability.code().into()), ("capability", Value::text(capability))])
    };
    vec![
        ("asn", open.asn.0.into()),
        ("hold_time", open.hold_time.into()),
        ("router_id", Value::text(open.router_id)),
        ("capabilities", Value::List(open.capabilities.iter().map(capability).collect())),
    ]
}

fn notification(notification: Notification) -> Vec<(&'static str, Value)> {
    vec![
        ("code", notification.code.into()),
        ("subcode", notification.subcode.into()),
        ("meaning", Value::text(&notification)),
        ("text", notification.shutdown_text().map_or(Value::Null, |text| Value::text(text.escape_debug()))),
        ("data", Value::hex(&notification.data)),
    ]
}

fn refresh(refresh: RouteRefresh) -> Vec<(&'static str, Value)> {
    let subtype = match refresh.subtype {
        RouteRefresh::REQUEST => Value::text("request"),
        RouteRefresh::BEGIN => Value::text("begin"),
        RouteRefresh::END => Value::text("end"),
        other => other.into(),
    };
    vec![("family", Value::text(refresh.family)), ("subtype", subtype)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header::{write_keepalive, write_message};
    use crate::{Asn, RouterId};
    use proptest::prelude::*;

    fn update(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_message(&mut out, MessageType::Update, |out| out.extend_from_slice(body));
        out
    }

    const ANNOUNCE: &[u8] = &[
        0, 0, 0, 27, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0, 0x40, 3, 4, 10, 0, 0, 1, 0xc0, 8, 4,
        0xfc, 0, 0, 100, 16, 10, 1,
    ];

    #[test]
    fn an_update_is_told_as_text() {
        let text = describe(&update(ANNOUNCE), &DescribeContext::default())[0].to_string();
        let expected = "\
UPDATE, 53 octets
  announced:
    prefix 10.1.0.0/16, next_hop 10.0.0.1
  attributes:
    code 1, name ORIGIN, flags 0x40, value igp
    code 2, name AS_PATH, flags 0x40, value 64512
    code 3, name NEXT_HOP, flags 0x40, value 10.0.0.1
    code 8, name COMMUNITIES, flags 0xc0, value 64512:100
  treatment: accept
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_treatment() {
        let mut body = ANNOUNCE.to_vec();
        body[7] = 9;
        let described = &describe(&update(&body), &DescribeContext::default())[0];
        assert!(described.to_string().contains("treatment: treat as withdraw"), "{described}");
        let json = described.to_json();
        let fault = r#""faults":[{"attribute":1,"offset":23,"treatment":"treat as withdraw","section":"RFC 7606 section 7.1","fault":"value 9 is undefined"}]"#;
        assert!(json.contains(fault), "{json}");
    }

    #[test]
    fn an_update_that_resets_shows_the_notification_and_its_octets() {
        let text = describe(&update(&[0, 9, 0, 0]), &DescribeContext::default())[0].to_string();
        assert!(text.contains("UPDATE Message Error: Malformed Attribute List"), "{text}");
        assert!(text.contains("body: 00090000"), "{text}");
    }

    #[test]
    fn an_open_sets_how_updates_are_read() {
        let capabilities = vec![
            Capability::Multiprotocol(Family::IPV6_UNICAST),
            Capability::AddPath(vec![(Family::IPV6_UNICAST, AddPathMode::Both)]),
        ];
        let open = Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(1), capabilities };
        let ctx = DescribeContext::default().with_open(&open);
        assert!(!ctx.decode.four_octet_as && !ctx.decode.families.contains(Family::IPV4_UNICAST));
        assert!(ctx.decode.add_path.contains(Family::IPV6_UNICAST));
        assert_eq!(ctx.max_len, MAX_LEN);
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        let text = describe(&bytes, &ctx)[0].to_string();
        assert!(text.contains("code 1, capability multiprotocol ipv6"), "{text}");
    }

    #[test]
    fn messages_follow_each_other_until_one_is_cut_off() {
        let mut bytes = Vec::new();
        write_keepalive(&mut bytes);
        Notification::cease(2, "disk \"swap\"").encode(&mut bytes);
        RouteRefresh { family: Family::IPV4_UNICAST, subtype: 0 }.encode(&mut bytes);
        bytes.extend([0xff; 5]);
        let described = describe(&bytes, &DescribeContext::default());
        let kinds: Vec<_> = described.iter().map(|message| message.kind).collect();
        let expected =
            [Some(MessageType::Keepalive), Some(MessageType::Notification), Some(MessageType::RouteRefresh)];
        assert_eq!((&kinds[..3], kinds[3]), (&expected[..], None));
        assert_eq!(described.iter().map(|message| message.length).sum::<usize>(), bytes.len());
        assert!(described[1].to_json().contains(r#""code":6,"subcode":2"#));
    }

    proptest! {
        #[test]
        fn any_octets_can_be_described(body in proptest::collection::vec(any::<u8>(), 4..200), kind in 1..6u8) {
            let mut bytes = Vec::new();
            write_message(&mut bytes, MessageType::from_code(kind).unwrap(), |out| out.extend_from_slice(&body));
            for message in describe(&bytes, &DescribeContext::default()).iter().chain(&describe(&body, &DescribeContext::default())) {
                prop_assert!(!message.to_string().is_empty());
                prop_assert!(message.to_json().len() > 2);
            }
        }
    }
}
