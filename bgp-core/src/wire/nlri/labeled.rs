//! Prefixes with MPLS labels (RFC 8277 section 2).

use std::fmt;

use super::entry::{Entry, push_prefix};
use super::label::Labels;
use super::{LabelForm, NlriError};
use crate::wire::cursor::Cursor;
use crate::{AddressFamily, Prefix};

/// A prefix and the labels bound to it: a packet for the prefix is sent with these labels on it.
///
/// ```text
///  octets  1        3 for each label   as the bits need
///          │ length │ label …          │ prefix
///            in bits, labels included
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabeledPrefix<'a> {
    labels: Labels<'a>,
    prefix: Prefix,
}

impl<'a> LabeledPrefix<'a> {
    /// `prefix` behind `labels`, or withdrawn if there are none; `None` if labels and prefix have over 255 bits: the
    /// length octet could not count them.
    #[must_use]
    pub fn new(labels: Labels<'a>, prefix: Prefix) -> Option<LabeledPrefix<'a>> {
        bits(labels, &[], &prefix).map(|_| LabeledPrefix { labels, prefix })
    }

    /// The labels; none if the prefix is withdrawn.
    #[must_use]
    pub fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The same prefix, withdrawn.
    pub(super) fn withdrawn(self) -> LabeledPrefix<'a> {
        LabeledPrefix { labels: Labels::default(), ..self }
    }

    pub(super) fn read<F: AddressFamily>(
        cursor: &mut Cursor<'a>,
        form: LabelForm,
    ) -> Result<LabeledPrefix<'a>, NlriError> {
        let mut entry = Entry::read(cursor)?;
        Ok(LabeledPrefix { labels: Labels::read(&mut entry, form)?, prefix: entry.prefix::<F>()? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode(out, self.labels, &[], &self.prefix);
    }
}

/// `10.1.0.0/16 label 100/200`.
impl fmt::Display for LabeledPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        show_labels(f, self.labels)
    }
}

/// ` label 100/200`, nothing if there is none.
pub(super) fn show_labels(f: &mut fmt::Formatter<'_>, labels: Labels<'_>) -> fmt::Result {
    if labels.is_empty() { Ok(()) } else { write!(f, " label {labels}") }
}

/// What the length octet says of labels, route distinguisher and prefix; `None` if they are too long for it.
pub(super) fn bits(labels: Labels<'_>, distinguisher: &[u8], prefix: &Prefix) -> Option<u8> {
    u8::try_from(labels.bits() + 8 * distinguisher.len() + usize::from(prefix.len())).ok()
}

/// Appends length, labels, route distinguisher if there is one, and prefix.
pub(super) fn encode(out: &mut Vec<u8>, labels: Labels<'_>, distinguisher: &[u8], prefix: &Prefix) {
    // Neither a constructor nor the wire yields what is longer.
    out.push(bits(labels, distinguisher, prefix).unwrap_or(u8::MAX));
    labels.encode(out);
    out.extend_from_slice(distinguisher);
    push_prefix(out, prefix);
}
