//! Any message as readable text and as JSON, with all that is wrong with it.
//!
//! ```
//! use bgp_core::describe::{DescribeContext, describe};
//!
//! let mut keepalive = vec![0xff; 16];
//! keepalive.extend([0, 19, 4]);
//! let messages = describe(&keepalive, &DescribeContext::default());
//! assert_eq!(messages[0].to_string(), "KEEPALIVE, 19 octets\n");
//! assert!(messages[0].to_json().starts_with(r#"{"type":"KEEPALIVE","offset":0,"length":19,"#));
//! ```

mod context;
mod fault;
#[cfg(test)]
mod tests;
mod update;
mod value;

use std::fmt;

pub use context::DescribeContext;
pub use fault::DescribedFault;
pub use value::Value;

use crate::Family;
use crate::wire::orf::{Orf, OrfGroup};
use crate::wire::{Capability, Frame, MessageType, Notification, Open, RouteRefresh, Treatment, frame};

/// Named values in their order.
type Fields = Vec<(&'static str, Value)>;

/// One message, or the octets that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What it is; `None` if it is no message, or not a whole one.
    pub kind: Option<MessageType>,
    /// Where it begins in the input, in octets.
    pub offset: usize,
    /// How many octets it has.
    pub length: usize,
    /// What it says.
    pub fields: Fields,
    /// What is wrong with it.
    pub faults: Vec<DescribedFault>,
    /// What its sender is told if the session ends over it.
    pub notification: Option<Notification>,
}

impl Described {
    /// What happens to it: the strongest treatment of all faults.
    #[must_use]
    pub fn treatment(&self) -> Treatment {
        self.faults.iter().map(|fault| fault.treatment).max().unwrap_or_default()
    }

    /// Whether it is a whole message without fault.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.kind.is_some() && self.faults.is_empty()
    }

    /// All of it as named values: type, offset, length, the fields, treatment, faults, notification.
    #[must_use]
    pub fn to_fields(&self) -> Fields {
        let kind = self.kind.map_or(Value::Null, Value::text);
        let mut fields = vec![("type", kind), ("offset", self.offset.into()), ("length", self.length.into())];
        fields.extend(self.fields.iter().cloned());
        fields.push(("treatment", Value::text(self.treatment())));
        fields.extend(self.what_is_wrong());
        fields
    }

    /// One JSON object of [`Described::to_fields`].
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Map(self.to_fields()).to_json()
    }

    fn what_is_wrong(&self) -> [(&'static str, Value); 2] {
        let faults = self.faults.iter().map(DescribedFault::to_value).collect();
        let notification = self.notification.as_ref().map_or(Value::Null, Value::text);
        [("faults", Value::List(faults)), ("notification", notification)]
    }
}

/// A line for the message, then its fields indented below; those that are empty are left out, and so is the treatment
/// of a message without fault.
impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => writeln!(f, "{kind}, {} octets", self.length)?,
            None => writeln!(f, "no message, {} octets", self.length)?,
        }
        f.write_str(&Value::lines(&self.fields))?;
        if !self.faults.is_empty() {
            f.write_str(&Value::lines(&[("treatment", Value::text(self.treatment()))]))?;
        }
        f.write_str(&Value::lines(&self.what_is_wrong()))
    }
}

/// Describes the messages in `bytes`, which follow each other. What can't be read as a message ends the list.
#[must_use]
pub fn describe(bytes: &[u8], ctx: &DescribeContext) -> Vec<Described> {
    let mut described = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let none = Described {
            kind: None,
            offset,
            length: rest.len(),
            fields: Vec::new(),
            faults: Vec::new(),
            notification: None,
        };
        match frame(rest, ctx.max_len) {
            Ok(Some(message)) => {
                let (kind, length) = (Some(message.kind), message.len);
                let Parts { fields, faults, notification } = Parts::of(&message, ctx);
                described.push(Described { kind, offset, length, fields, faults, notification });
                rest = rest.get(message.len..).unwrap_or_default();
            }
            Ok(None) => {
                let fields = vec![("error", Value::text("the message is cut off"))];
                described.push(Described { fields, ..none });
                break;
            }
            Err(notification) => {
                let faults = vec![DescribedFault::in_header(rest, &notification)];
                described.push(Described { faults, notification: Some(notification), ..none });
                break;
            }
        }
    }
    described
}

/// What there is to say of a message's body.
#[derive(Default)]
struct Parts {
    fields: Fields,
    faults: Vec<DescribedFault>,
    notification: Option<Notification>,
}

impl Parts {
    fn of(message: &Frame<'_>, ctx: &DescribeContext) -> Parts {
        match message.kind {
            MessageType::Open => open(message.body),
            MessageType::Update => update::parts(message.body, &ctx.decode),
            MessageType::Notification => {
                Parts::sound(Notification::parse(message.body).map(notification).unwrap_or_default())
            }
            MessageType::Keepalive => Parts::default(),
            MessageType::RouteRefresh => refresh(message.body),
        }
    }

    fn sound(fields: Fields) -> Parts {
        Parts { fields, ..Parts::default() }
    }

    /// A body that can't be read.
    fn refused(body: &[u8], fault: DescribedFault, notification: Notification) -> Parts {
        let fields = vec![("body", Value::hex(body))];
        Parts { fields, faults: vec![fault], notification: Some(notification) }
    }
}

fn open(body: &[u8]) -> Parts {
    let open = match Open::parse(body) {
        Ok(open) => open,
        Err(wrong) => return Parts::refused(body, DescribedFault::in_open(&wrong), wrong),
    };
    let capability = |capability: &Capability| {
        Value::Map(vec![("code", capability.code().into()), ("capability", Value::text(capability))])
    };
    let fields = vec![
        ("asn", open.asn.0.into()),
        ("hold_time", open.hold_time.into()),
        ("router_id", Value::text(open.router_id)),
        ("capabilities", Value::List(open.capabilities.iter().map(capability).collect())),
    ];
    let (faults, notifications): (Vec<_>, Vec<_>) = DescribedFault::of_open(&open).into_iter().unzip();
    Parts { fields, faults, notification: notifications.into_iter().next() }
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

fn refresh(body: &[u8]) -> Parts {
    let refresh = match RouteRefresh::parse(body) {
        Ok(refresh) => refresh,
        Err(wrong) => return Parts::refused(body, DescribedFault::in_refresh(&wrong), wrong),
    };
    let orf = match RouteRefresh::orf(body) {
        Ok(orf) => orf,
        Err(wrong) => return Parts::refused(body, DescribedFault::in_filters(&wrong), wrong),
    };
    let subtype = match refresh.subtype {
        RouteRefresh::REQUEST => Value::text("request"),
        RouteRefresh::BEGIN => Value::text("begin"),
        RouteRefresh::END => Value::text("end"),
        other => other.into(),
    };
    let filters = |orf: &Orf<'_>| orf.groups().map(|group| filters(&group, refresh.family)).collect();
    Parts::sound(vec![
        ("family", Value::text(refresh.family)),
        ("subtype", subtype),
        ("when", orf.map_or(Value::Null, |orf| Value::text(orf.when))),
        ("filters", Value::List(orf.as_ref().map(filters).unwrap_or_default())),
    ])
}

/// Outbound route filters of one type; in hexadecimal if they can't be read.
fn filters(group: &OrfGroup<'_>, family: Family) -> Value {
    let (entries, unread, error) = match group.prefixes(family) {
        Ok(entries) => (Value::texts(entries), Value::Null, Value::Null),
        Err(error) => (Value::List(Vec::new()), Value::hex(group.entries), Value::text(error)),
    };
    Value::Map(vec![
        ("orf_type", group.orf_type.into()),
        ("entries", entries),
        ("unread", unread),
        ("error", error),
    ])
}
