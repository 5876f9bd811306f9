//! A tree of what a message says, for text and for JSON.

use std::fmt::{self, Display, Write};

use crate::wire::hex::Hex;

/// A value in a description. Names of fields are fixed, in snake case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing to say.
    Null,
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// Named values, in order.
    Map(Vec<(&'static str, Value)>),
}

macro_rules! from_number {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Value {
                Value::Number(number.into())
            }
        }
    )*};
}
from_number!(u8, u16, u32, u64);

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::Number(number as u64)
    }
}

impl Value {
    /// What `value` displays as.
    #[must_use]
    pub fn text(value: impl Display) -> Value {
        Value::Text(value.to_string())
    }

    /// Octets in hexadecimal, without separators.
    #[must_use]
    pub fn hex(octets: &[u8]) -> Value {
        Value::text(Hex(octets))
    }

    /// A list of what each of `values` displays as.
    pub fn texts<T: Display>(values: impl IntoIterator<Item = T>) -> Value {
        Value::List(values.into_iter().map(Value::text).collect())
    }

    /// The value as JSON, without white space.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Text(text) => write_json_text(out, text),
            Value::List(values) => separated(out, '[', ']', values, |out, value| value.write_json(out)),
            Value::Map(fields) => separated(out, '{', '}', fields, |out, (name, value)| {
                write_json_text(out, name);
                out.push(':');
                value.write_json(out);
            }),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Number(_) => false,
            Value::Text(text) => text.is_empty(),
            Value::List(values) => values.is_empty(),
            Value::Map(fields) => fields.is_empty(),
        }
    }

    /// Named values for people: `name: value` on a line of its own and indented, a list of maps as a line for each
    /// below; what is empty is left out.
    #[must_use]
    pub fn lines(fields: &[(&'static str, Value)]) -> String {
        let mut out = String::new();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = match value {
                Value::List(values) if values.iter().any(|value| matches!(value, Value::Map(_))) => {
                    out.extend(["  ", name, ":\n"]);
                    values.iter().try_for_each(|value| writeln!(out, "    {value}"))
                }
                value => writeln!(out, "  {name}: {value}"),
            };
        }
        out
    }
}

/// On one line: lists separated by spaces, by semicolons if their elements have spaces, maps as `name value` separated by commas, what is empty left out.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::List(values) => {
                let texts: Vec<String> = values.iter().map(Value::to_string).collect();
                let separator = if texts.iter().any(|text| text.contains(' ')) { "; " } else { " " };
                f.write_str(&texts.join(separator))
            }
            Value::Map(fields) => {
                let fields = fields.iter().filter(|(_, value)| !value.is_empty());
                fields.enumerate().try_for_each(|(at, (name, value))| {
                    write!(f, "{}{name} {value}", if at == 0 { "" } else { ", " })
                })
            }
        }
    }
}

fn separated<T>(out: &mut String, open: char, close: char, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        if at != 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(close);
}

/// A JSON string (RFC 8259 section 7).
fn write_json_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_escapes_what_it_must() {
        let value =
            Value::Map(vec![("a", Value::text("\"\\\n")), ("b", Value::List(vec![Value::Null, 7u8.into()]))]);
        assert_eq!(value.to_json(), r#"{"a":"\"\\\u000a","b":[null,7]}"#);
    }
}
