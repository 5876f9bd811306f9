//! AS_PATH: segments of AS numbers (RFC 4271 section 5.1.2, RFC 5065 section 3).
//!
//! The ASes that a route has passed. Each puts its own number in front; who finds its own on a path drops the route, and
//! of two routes the shorter path is preferred.
//!
//! ```text
//!  octets  1      1       number × 4, or × 2 in a session without four-octet AS numbers
//!          │ type │ number │ AS │ AS │ AS …     and the next segment
//! ```

use std::fmt;

use super::cursor::Cursor;
use crate::Asn;

/// How wide AS numbers are in a session (RFC 6793 sections 4.1 and 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsWidth {
    /// Both sides have the four-octet capability.
    Four,
    /// One side has not.
    Two,
}

impl AsWidth {
    /// The width in octets.
    #[must_use]
    pub fn octets(self) -> usize {
        match self {
            AsWidth::Four => 4,
            AsWidth::Two => 2,
        }
    }
}

/// What a segment means (RFC 4271 section 4.3, RFC 5065 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SegmentKind {
    /// AS_SET: unordered.
    Set = 1,
    /// AS_SEQUENCE: the last one passed is the first.
    Sequence = 2,
    /// AS_CONFED_SEQUENCE: within a confederation.
    ConfedSequence = 3,
    /// AS_CONFED_SET: within a confederation.
    ConfedSet = 4,
}

impl SegmentKind {
    /// The kind numbered `code`.
    #[must_use]
    pub fn from_code(code: u8) -> Option<SegmentKind> {
        Some(match code {
            1 => SegmentKind::Set,
            2 => SegmentKind::Sequence,
            3 => SegmentKind::ConfedSequence,
            4 => SegmentKind::ConfedSet,
            _ => return None,
        })
    }

    /// Whether it belongs to a confederation and so does not count.
    #[must_use]
    pub fn is_confederation(self) -> bool {
        matches!(self, SegmentKind::ConfedSequence | SegmentKind::ConfedSet)
    }

    /// The marks around it in text.
    fn brackets(self) -> (&'static str, &'static str) {
        match self {
            SegmentKind::Sequence => ("", ""),
            SegmentKind::Set => ("{", "}"),
            SegmentKind::ConfedSequence => ("(", ")"),
            SegmentKind::ConfedSet => ("[", "]"),
        }
    }
}

/// Why an AS path can't be read (RFC 7606 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AsPathError {
    /// A segment of a kind that does not exist.
    #[error("segment type {0} is undefined")]
    SegmentType(u8),
    /// A segment without AS numbers.
    #[error("a segment is empty")]
    EmptySegment,
    /// A segment claims more AS numbers than there are, or a lone octet is left.
    #[error("the last segment is cut off")]
    CutOff,
    /// A confederation's segment from outside of it (RFC 5065 section 5).
    #[error("a confederation segment came from outside the confederation")]
    Confederation,
    /// An external peer that did not put its AS number on the path (RFC 4271 section 5.1.2).
    #[error("the path of an external peer is empty")]
    Empty,
    /// With four-octet AS numbers it is longer than an attribute can be.
    #[error("is too long for an attribute with four-octet AS numbers")]
    TooLong,
}

/// One segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// What it means.
    pub kind: SegmentKind,
    asns: &'a [u8],
    width: AsWidth,
}

impl<'a> Segment<'a> {
    /// Its AS numbers.
    pub fn asns(&self) -> impl Iterator<Item = Asn> + Clone + use<'a> {
        let (asns, width) = (self.asns, self.width);
        asns.chunks_exact(width.octets())
            .map(|asn| Asn(asn.iter().fold(0, |n, octet| n << 8 | u32::from(*octet))))
    }

    /// How many AS numbers it holds, 1 to 255.
    #[must_use]
    pub fn count(&self) -> usize {
        self.asns.len() / self.width.octets()
    }

    /// Whether one of them is 0, which stands for no AS (RFC 7607).
    #[must_use]
    pub fn has_zero(&self) -> bool {
        match self.width {
            AsWidth::Four => self.asns.as_chunks().0.contains(&[0; 4]),
            AsWidth::Two => self.asns.as_chunks().0.contains(&[0; 2]),
        }
    }

    /// What it adds to the length of the path: a set is one hop, a confederation's segment none
    /// (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3).
    #[must_use]
    pub fn hops(&self) -> usize {
        match self.kind {
            SegmentKind::Sequence => self.count(),
            SegmentKind::Set => 1,
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
        }
    }
}

/// The value of an AS_PATH attribute that was checked before: reading can't fail.
///
/// Shown as text, a set stands in `{}`, a confederation's sequence in `()` and set in `[]`.
///
/// ```
/// use bgp_core::Asn;
/// use bgp_core::wire::{AsPath, AsWidth};
///
/// // AS_SEQUENCE 64512 64513, then AS_SET 64514 64515, with two-octet AS numbers.
/// let value = [2, 2, 0xfc, 0, 0xfc, 1, 1, 2, 0xfc, 2, 0xfc, 3];
/// let path = AsPath::parse(&value, AsWidth::Two)?;
/// assert_eq!(path.to_string(), "64512 64513 {64514 64515}");
/// assert_eq!(path.hops(), 3, "a set counts as one");
/// assert_eq!((path.neighbor(), path.origin()), (Some(Asn(64512)), None));
/// assert!(path.contains(Asn(64515)));
/// assert_eq!(AsPath::parse(&value[..5], AsWidth::Two).unwrap_err().to_string(), "the last segment is cut off");
/// # Ok::<(), bgp_core::wire::as_path::AsPathError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AsPath<'a> {
    value: &'a [u8],
    width: AsWidth,
}

impl<'a> AsPath<'a> {
    /// The path with this `value`. Segments from the first malformed one on are left out.
    #[must_use]
    pub fn new(value: &'a [u8], width: AsWidth) -> AsPath<'a> {
        AsPath { value, width }
    }

    /// Reads the path whole.
    ///
    /// # Errors
    /// The first thing wrong, RFC 7606 section 7.2.
    pub fn parse(value: &'a [u8], width: AsWidth) -> Result<AsPath<'a>, AsPathError> {
        let path = AsPath { value, width };
        path.checked_segments().try_for_each(|segment| segment.map(drop))?;
        Ok(path)
    }

    /// Its segments, the nearest first.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + Clone + use<'a> {
        self.checked_segments().map_while(Result::ok)
    }

    /// The segments of a value that was not checked; nothing is to be read after an error.
    pub(crate) fn checked_segments(
        &self,
    ) -> impl Iterator<Item = Result<Segment<'a>, AsPathError>> + Clone + use<'a> {
        let (mut cursor, width) = (Cursor::new(self.value), self.width);
        std::iter::from_fn(move || (!cursor.is_empty()).then(|| segment(&mut cursor, width)))
    }

    /// All AS numbers, those of sets and confederations included.
    pub fn asns(&self) -> impl Iterator<Item = Asn> + use<'a> {
        self.segments().flat_map(|segment| segment.asns())
    }

    /// Whether `asn` is on it: a loop if it is ours (RFC 4271 section 9.1.2).
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|on_path| on_path == asn)
    }

    /// Its length for the decision process: see [`Segment::hops`].
    #[must_use]
    pub fn hops(&self) -> usize {
        self.hops_and_neighbor().0
    }

    /// The AS that the route came from: the first one, if the path begins with a sequence. Confederation segments
    /// are passed over. It is what MEDs are compared within (RFC 4271 section 9.1.2.2 c).
    #[must_use]
    pub fn neighbor(&self) -> Option<Asn> {
        self.hops_and_neighbor().1
    }

    /// Both at once, for every route passes here.
    pub(crate) fn hops_and_neighbor(&self) -> (usize, Option<Asn>) {
        let mut counted = self.segments().filter(|segment| !segment.kind.is_confederation());
        let Some(first) = counted.next() else { return (0, None) };
        let sequence = first.kind == SegmentKind::Sequence;
        let hops = first.hops() + counted.map(|segment| segment.hops()).sum::<usize>();
        (hops, first.asns().next().filter(|_| sequence))
    }

    /// The AS that the route began in: the last one, if the path ends with a sequence.
    #[must_use]
    pub fn origin(&self) -> Option<Asn> {
        let last = self.segments().last().filter(|segment| segment.kind == SegmentKind::Sequence)?;
        last.asns().last()
    }
}

impl fmt::Display for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments().enumerate() {
            let (open, close) = segment.kind.brackets();
            f.write_str(if at == 0 { open } else { " " })?;
            f.write_str(if at == 0 { "" } else { open })?;
            for (at, asn) in segment.asns().enumerate() {
                write!(f, "{}{asn}", if at == 0 { "" } else { " " })?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

/// The segment at the front.
fn segment<'a>(cursor: &mut Cursor<'a>, width: AsWidth) -> Result<Segment<'a>, AsPathError> {
    let code = cursor.u8().ok_or(AsPathError::CutOff)?;
    let kind = SegmentKind::from_code(code).ok_or(AsPathError::SegmentType(code))?;
    let count = cursor.u8().ok_or(AsPathError::CutOff)?;
    if count == 0 {
        return Err(AsPathError::EmptySegment);
    }
    let asns = cursor.take(usize::from(count) * width.octets()).ok_or(AsPathError::CutOff)?;
    Ok(Segment { kind, asns, width })
}

/// Appends a segment with four-octet AS numbers, split so that none holds more than 255.
pub(crate) fn push_segment(out: &mut Vec<u8>, kind: SegmentKind, asns: &[Asn]) {
    for asns in asns.chunks(usize::from(u8::MAX)) {
        out.push(kind as u8);
        out.extend(u8::try_from(asns.len()));
        asns.iter().for_each(|asn| out.extend_from_slice(&asn.0.to_be_bytes()));
    }
}

/// Appends the value of the AS_PATH that a two-octet peer's AS_PATH and AS4_PATH stand for together, with four-octet
/// AS numbers (RFC 6793 section 4.2.3).
///
/// AS4_PATH gives the far end of the path. It is ignored if it is the longer one; its confederation segments always
/// are (section 6).
pub(crate) fn widen(out: &mut Vec<u8>, path: AsPath<'_>, as4_path: Option<AsPath<'_>>) {
    let far = as4_path.filter(|far| far.hops() <= path.hops());
    let mut near_hops = far.map_or(usize::MAX, |far| path.hops() - far.hops());
    let mut segments: Vec<(SegmentKind, Vec<Asn>)> = Vec::new();
    for segment in path.segments() {
        if near_hops == 0 && !segment.kind.is_confederation() {
            break;
        }
        let taken = if segment.kind == SegmentKind::Sequence { near_hops } else { usize::MAX };
        segments.push((segment.kind, segment.asns().take(taken).collect()));
        near_hops = near_hops.saturating_sub(segment.hops());
    }
    for segment in far.iter().flat_map(AsPath::segments).filter(|segment| !segment.kind.is_confederation()) {
        match segments.last_mut() {
            Some((SegmentKind::Sequence, near)) if segment.kind == SegmentKind::Sequence => {
                near.extend(segment.asns());
            }
            _ => segments.push((segment.kind, segment.asns().collect())),
        }
    }
    for (kind, asns) in segments {
        push_segment(out, kind, &asns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SegmentKind::{ConfedSequence, Sequence, Set};

    fn path(width: AsWidth, segments: &[(SegmentKind, &[u32])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, asns) in segments {
            out.extend([*kind as u8, u8::try_from(asns.len()).unwrap()]);
            for asn in *asns {
                out.extend(&asn.to_be_bytes()[4 - width.octets()..]);
            }
        }
        out
    }

    fn widened(near: &[(SegmentKind, &[u32])], far: &[(SegmentKind, &[u32])]) -> String {
        let (near, far) = (path(AsWidth::Two, near), path(AsWidth::Four, far));
        let mut out = Vec::new();
        widen(&mut out, AsPath::new(&near, AsWidth::Two), Some(AsPath::new(&far, AsWidth::Four)));
        AsPath::parse(&out, AsWidth::Four).unwrap().to_string()
    }

    #[test]
    fn a_path_is_shown_and_counted() {
        let value =
            path(AsWidth::Four, &[(ConfedSequence, &[65001]), (Sequence, &[64512, 70000]), (Set, &[1, 2])]);
        let path = AsPath::parse(&value, AsWidth::Four).unwrap();
        assert_eq!(path.to_string(), "(65001) 64512 70000 {1 2}");
        assert_eq!(path.hops(), 3);
        assert_eq!(path.neighbor(), Some(Asn(64512)));
        assert_eq!(path.origin(), None);
        assert!(path.contains(Asn(2)) && path.contains(Asn(65001)) && !path.contains(Asn(3)));
    }

    #[test]
    fn malformed_segments_are_named() {
        let error = |value: &[u8]| AsPath::parse(value, AsWidth::Four).unwrap_err();
        assert_eq!(error(&[5, 1, 0, 0, 0, 1]), AsPathError::SegmentType(5));
        assert_eq!(error(&[2, 0]), AsPathError::EmptySegment);
        assert_eq!(error(&[2, 2, 0, 0, 0, 1]), AsPathError::CutOff);
        assert_eq!(error(&[2, 1, 0, 0, 0, 1, 2]), AsPathError::CutOff);
    }

    #[test]
    fn as4_path_replaces_the_far_end() {
        let near = [(Sequence, &[64512, 23456, 23456][..])];
        assert_eq!(widened(&near, &[(Sequence, &[70000, 80000])]), "64512 70000 80000");
        assert_eq!(widened(&near, &[(Sequence, &[64512, 70000, 80000])]), "64512 70000 80000");
    }

    #[test]
    fn an_as4_path_longer_than_the_path_is_ignored() {
        assert_eq!(widened(&[(Sequence, &[23456])], &[(Sequence, &[70000, 80000])]), "23456");
    }

    #[test]
    fn sets_count_one_and_confederation_segments_nothing_in_the_merge() {
        let near = [(ConfedSequence, &[65001][..]), (Sequence, &[64512]), (Set, &[23456, 3])];
        assert_eq!(widened(&near, &[(Set, &[70000, 3])]), "(65001) 64512 {70000 3}");
        assert_eq!(widened(&near, &[(ConfedSequence, &[9]), (Set, &[70000])]), "(65001) 64512 {70000}");
    }

    #[test]
    fn a_long_sequence_is_split_at_255() {
        let mut out = Vec::new();
        push_segment(&mut out, Sequence, &(0..300).map(Asn).collect::<Vec<_>>());
        let path = AsPath::parse(&out, AsWidth::Four).unwrap();
        assert_eq!(path.segments().map(|s| s.count()).collect::<Vec<_>>(), [255, 45]);
        assert_eq!(path.hops(), 300);
    }
}
