//! Prefixes of VPNs: labels, a route distinguisher, the prefix (RFC 4364 section 4.3.4, RFC 4659 section 3.2).

use std::fmt;

use super::distinguisher::RouteDistinguisher;
use super::entry::Entry;
use super::label::Labels;
use super::labeled::{bits, encode, show_labels};
use super::{LabelForm, NlriError};
use crate::wire::cursor::Cursor;
use crate::{AddressFamily, Prefix};

/// A prefix of a VPN and the labels bound to it. The route distinguisher makes the same prefix of two VPNs two
/// destinations.
///
/// ```text
///  octets  1        3 for each label   8                     as the bits need
///          │ length │ label …          │ route distinguisher │ prefix
///            in bits, labels and route distinguisher included
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpnPrefix<'a> {
    labels: Labels<'a>,
    distinguisher: RouteDistinguisher,
    prefix: Prefix,
}

impl<'a> VpnPrefix<'a> {
    /// `prefix` as `distinguisher` has it, behind `labels`, or withdrawn if there are none; `None` if all of them have
    /// over 255 bits: the length octet could not count them.
    #[must_use]
    pub fn new(
        distinguisher: RouteDistinguisher,
        labels: Labels<'a>,
        prefix: Prefix,
    ) -> Option<VpnPrefix<'a>> {
        bits(labels, &distinguisher.0, &prefix).map(|_| VpnPrefix { labels, distinguisher, prefix })
    }

    /// The route distinguisher.
    #[must_use]
    pub fn distinguisher(&self) -> RouteDistinguisher {
        self.distinguisher
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

    /// The same prefix of the same VPN, withdrawn.
    pub(super) fn withdrawn(self) -> VpnPrefix<'a> {
        VpnPrefix { labels: Labels::default(), ..self }
    }

    pub(super) fn read<F: AddressFamily>(
        cursor: &mut Cursor<'a>,
        form: LabelForm,
    ) -> Result<VpnPrefix<'a>, NlriError> {
        let mut entry = Entry::read(cursor)?;
        let labels = Labels::read(&mut entry, form)?;
        let distinguisher = RouteDistinguisher(entry.array()?);
        Ok(VpnPrefix { labels, distinguisher, prefix: entry.prefix::<F>()? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode(out, self.labels, &self.distinguisher.0, &self.prefix);
    }
}

/// `64512:7:10.1.0.0/16 label 100/200`.
impl fmt::Display for VpnPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.distinguisher, self.prefix)?;
        show_labels(f, self.labels)
    }
}
