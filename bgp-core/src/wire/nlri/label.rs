//! MPLS labels before a prefix (RFC 8277 section 2, RFC 3032 section 2.1).

use std::fmt;

use super::entry::Entry;
use super::{LabelForm, NlriError};

/// Octets of a label with its traffic class and bottom-of-stack bit.
const LABEL: usize = 3;
/// The bottom-of-stack bit, in the last of these octets.
const BOTTOM: u8 = 1;

/// An MPLS label: 20 bits, and the three bits of a traffic class behind them (RFC 5462). Whether it is at the bottom
/// of a stack is not its own matter: the last of [`Labels`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label([u8; LABEL]);

impl Label {
    /// The label `value` with traffic class 0, as RFC 8277 section 2.2 wants it sent; `None` if it has over 20 bits.
    #[must_use]
    pub fn new(value: u32) -> Option<Label> {
        let [rest, a, b, c] = value.checked_mul(1 << 4)?.to_be_bytes();
        (rest == 0).then_some(Label([a, b, c]))
    }

    /// From three octets of a stack; the bottom-of-stack bit is left out.
    #[must_use]
    pub fn from_octets([a, b, c]: [u8; LABEL]) -> Label {
        Label([a, b, c & !BOTTOM])
    }

    /// As in a stack, the bottom-of-stack bit clear.
    #[must_use]
    pub fn to_octets(self) -> [u8; LABEL] {
        self.0
    }

    /// The label's 20 bits.
    #[must_use]
    pub fn value(self) -> u32 {
        let Label([a, b, c]) = self;
        u32::from_be_bytes([0, a, b, c]) >> 4
    }

    /// The traffic class, 0 to 7; RFC 8277 section 2.2 has no use for it.
    #[must_use]
    pub fn traffic_class(self) -> u8 {
        let Label([_, _, c]) = self;
        c >> 1 & 7
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// The labels of a prefix, the top of the stack first; none if the prefix is withdrawn.
///
/// ```text
///  three octets each   label 20 bits │ traffic class 3 │ bottom of stack 1
/// ```
///
/// ```
/// use bgp_core::wire::{Label, Labels};
///
/// let stack = [100, 200].map(|value| Label::new(value).map_or([0; 3], Label::to_octets));
/// assert_eq!(Labels::new(&stack).to_string(), "100/200");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a>(&'a [[u8; LABEL]]);

impl<'a> Labels<'a> {
    /// The labels of these octets, each as of [`Label::to_octets`]. Their bottom-of-stack bits don't matter: where the
    /// stack ends is known, and it is sent accordingly.
    #[must_use]
    pub fn new(stack: &'a [[u8; LABEL]]) -> Labels<'a> {
        Labels(stack)
    }

    /// Takes them from the front of a destination.
    pub(super) fn read(entry: &mut Entry<'a>, form: LabelForm) -> Result<Labels<'a>, NlriError> {
        let count = match form {
            LabelForm::One | LabelForm::Withdrawn => 1,
            LabelForm::Stack => 1 + bottom(entry.rest()).ok_or(NlriError::NoBottomOfStack)?,
        };
        let (stack, _) = entry.take(count * LABEL)?.as_chunks();
        Ok(if form == LabelForm::Withdrawn { Labels::default() } else { Labels(stack) })
    }

    /// Appends them, or what stands for none of them (RFC 8277 section 2.4).
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        const WITHDRAWN: [u8; LABEL] = [0x80, 0, 0];
        let Some(([a, b, c], above)) = self.0.split_last() else { return out.extend(WITHDRAWN) };
        above.iter().for_each(|entry| out.extend(Label::from_octets(*entry).to_octets()));
        out.extend([*a, *b, *c | BOTTOM]);
    }

    /// How many bits [`encode`](Labels::encode) appends.
    pub(super) fn bits(self) -> usize {
        self.0.len().max(1) * LABEL * 8
    }

    /// The labels, the top of the stack first.
    pub fn iter(self) -> impl Iterator<Item = Label> + 'a {
        self.0.iter().copied().map(Label::from_octets)
    }

    /// Whether there is none: the prefix is withdrawn.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// The place of the first label that is at the bottom of its stack.
fn bottom(octets: &[u8]) -> Option<usize> {
    octets.as_chunks::<LABEL>().0.iter().position(|[_, _, last]| last & BOTTOM != 0)
}

/// Two stacks are the same if their labels are: the three bits behind each mean nothing when received (RFC 8277
/// section 2.2), and a reflector may set one.
impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Labels<'_>) -> bool {
        self.iter().map(Label::value).eq(other.iter().map(Label::value))
    }
}

impl Eq for Labels<'_> {}

/// `100`, `100/200`.
impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(at, label)| {
            let slash = if at == 0 { "" } else { "/" };
            write!(f, "{slash}{label}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_equal_whatever_the_bits_behind_them() {
        let (plain, marked) = ([[0, 0x06, 0x41]], [[0, 0x06, 0x4f]]);
        assert_eq!(Labels::new(&plain), Labels::new(&marked));
        assert_ne!(Labels::new(&plain), Labels::new(&[[0, 0x06, 0x51]]));
    }

    #[test]
    fn a_label_has_twenty_bits_and_a_traffic_class() {
        let label = Label::from_octets([0x00, 0x06, 0x4b]);
        assert_eq!((label.value(), label.traffic_class(), label.to_octets()), (100, 5, [0x00, 0x06, 0x4a]));
        assert_eq!(Label::new(0xf_ffff).map(Label::to_octets), Some([0xff, 0xff, 0xf0]));
        assert_eq!(Label::new(100).map(Label::value), Some(100));
        assert_eq!((Label::new(0x10_0000), Label::new(u32::MAX)), (None, None));
    }

    #[test]
    fn the_last_label_is_sent_as_the_bottom_of_the_stack_and_no_other() {
        let mut out = Vec::new();
        Labels::new(&[[0, 6, 0x41], [0, 12, 0x80]]).encode(&mut out);
        assert_eq!(out, [0, 6, 0x40, 0, 12, 0x81]);
        out.clear();
        Labels::default().encode(&mut out);
        assert_eq!(out, [0x80, 0, 0]);
    }

    #[test]
    fn labels_are_equal_whatever_their_bottom_of_stack_bits() {
        assert_eq!(Labels::new(&[[0, 6, 0x41]]), Labels::new(&[[0, 6, 0x40]]));
        assert_ne!(Labels::new(&[[0, 6, 0x41]]), Labels::new(&[[0, 6, 0x41], [0, 6, 0x41]]));
    }
}
