//! AS_PATH values as they are changed on the way out. In: canonical values, whose AS numbers have four octets.

use bgp_core::Asn;

use super::export::AsRules;
use crate::fault::{Fault, planted};

const AS_SET: u8 = 1;
const AS_SEQUENCE: u8 = 2;
const CONFED_SEQUENCE: u8 = 3;

/// The segments of a canonical AS_PATH value: type and numbers.
fn segments(mut value: &[u8]) -> impl Iterator<Item = (u8, &[[u8; 4]])> {
    std::iter::from_fn(move || {
        let ([kind, count], rest) = value.split_first_chunk::<2>()?;
        let (numbers, rest) = rest.split_at_checked(usize::from(*count) * 4)?;
        value = rest;
        Some((*kind, numbers.as_chunks::<4>().0))
    })
}

/// `value` with `asn` in front, as it leaves the AS: in the first segment if that is a sequence with room, else in one
/// of its own (RFC 4271 section 5.1.2). A confederation's segments stay behind, since other ASes take them for
/// malformed (RFC 5065 section 4.1).
pub(crate) fn prepend(value: &[u8], asn: Asn, out: &mut Vec<u8>) {
    put_in_front(public_segments(value), AS_SEQUENCE, asn, out);
}

/// `value` with `asn` in front, as it goes on to another member AS of the confederation (RFC 5065 section 4.1).
pub(crate) fn prepend_member(value: &[u8], asn: Asn, out: &mut Vec<u8>) {
    put_in_front(segments(value), CONFED_SEQUENCE, asn, out);
}

/// These segments with `asn` in front, in a segment of this `kind`.
fn put_in_front<'a>(
    segments: impl Iterator<Item = (u8, &'a [[u8; 4]])>,
    kind: u8,
    asn: Asn,
    out: &mut Vec<u8>,
) {
    let mut segments = segments.peekable();
    let has_room = |(first, numbers): &(u8, &[[u8; 4]])| *first == kind && numbers.len() < 255;
    let (_, first) = segments.next_if(has_room).unwrap_or((kind, &[]));
    out.extend_from_slice(&[kind, count(first).saturating_add(1)]);
    out.extend_from_slice(&asn.0.to_be_bytes());
    out.extend_from_slice(first.as_flattened());
    segments.for_each(|(kind, numbers)| put_segment(kind, numbers, out));
}

/// The path as it leaves the AS by `rules`, with us in front; `own` is our AS. `scratch` is for what is between.
pub(crate) fn leave(value: &[u8], own: Asn, rules: &AsRules, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    let us = rules.session_as.unwrap_or(own);
    let shown = rules.shown.filter(|shown| *shown != us);
    if shown.is_none() && rules.overridden.is_none() && rules.private.is_none() {
        return prepend(value, us, out);
    }
    scratch.clear();
    for (kind, numbers) in public_segments(value) {
        let numbers: Vec<[u8; 4]> =
            numbers.iter().filter_map(|number| outgoing(*number, us, rules)).collect();
        if !numbers.is_empty() {
            put_segment(kind, &numbers, scratch);
        }
    }
    if let Some(shown) = shown {
        prepend(scratch, shown, out);
        std::mem::swap(scratch, out);
        out.clear();
    }
    prepend(scratch, us, out);
}

/// What stands for a number of the path; `None`: nothing.
fn outgoing(number: [u8; 4], us: Asn, rules: &AsRules) -> Option<[u8; 4]> {
    let asn = Asn(u32::from_be_bytes(number));
    let ours = us.0.to_be_bytes();
    if rules.overridden == Some(asn) && !planted(Fault::PeersAsNotOverridden) {
        return Some(ours);
    }
    match rules.private {
        Some(private)
            if is_private(asn) && asn != private.spared && !planted(Fault::PrivateAsToldOutside) =>
        {
            private.replace.then_some(ours)
        }
        _ => Some(number),
    }
}

/// RFC 6996 section 5.
fn is_private(Asn(number): Asn) -> bool {
    matches!(number, 64_512..=65_534 | 4_200_000_000..=4_294_967_294)
}

/// How many numbers a segment holds: they were counted in an octet.
fn count(numbers: &[[u8; 4]]) -> u8 {
    u8::try_from(numbers.len()).unwrap_or(u8::MAX)
}

fn put_segment(kind: u8, numbers: &[[u8; 4]], out: &mut Vec<u8>) {
    out.extend_from_slice(&[kind, count(numbers)]);
    out.extend_from_slice(numbers.as_flattened());
}

/// `value` with two-octet numbers, AS_TRANS for those that need four (RFC 6793 section 4.2.2).
pub(crate) fn narrow(value: &[u8], out: &mut Vec<u8>) {
    for (kind, numbers) in segments(value) {
        out.extend_from_slice(&[kind, count(numbers)]);
        for number in numbers {
            out.extend_from_slice(&narrow_number(*number));
        }
    }
}

/// The two-octet form of one number.
pub(crate) fn narrow_number(number: [u8; 4]) -> [u8; 2] {
    Asn(u32::from_be_bytes(number)).to_two_octets().to_be_bytes()
}

/// Whether a number of the path needs four octets, so that AS4_PATH has to carry it.
pub(crate) fn is_wide(value: &[u8]) -> bool {
    public_segments(value)
        .any(|(_, numbers)| numbers.iter().any(|n| matches!(n, [a, b, ..] if (*a, *b) != (0, 0))))
}

/// The AS4_PATH value: the path without confederation segments (RFC 6793 section 3).
pub(crate) fn as4_path(value: &[u8], out: &mut Vec<u8>) {
    public_segments(value).for_each(|(kind, numbers)| put_segment(kind, numbers, out));
}

/// The segments that are not a confederation's.
fn public_segments(value: &[u8]) -> impl Iterator<Item = (u8, &[[u8; 4]])> {
    let all = planted(Fault::MembersToldOutside);
    segments(value).filter(move |(kind, _)| all || matches!(*kind, AS_SET | AS_SEQUENCE))
}

#[cfg(test)]
mod tests {
    use super::super::export::PrivateAs;
    use super::*;

    fn path(segments: &[(u8, &[u32])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, numbers) in segments {
            out.extend_from_slice(&[*kind, numbers.len() as u8]);
            out.extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
        }
        out
    }

    fn made(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        make(&mut out);
        out
    }

    #[test]
    fn our_as_joins_a_leading_sequence() {
        let before = path(&[(AS_SEQUENCE, &[2, 3]), (AS_SET, &[4])]);
        let after = path(&[(AS_SEQUENCE, &[1, 2, 3]), (AS_SET, &[4])]);
        assert_eq!(made(|out| prepend(&before, Asn(1), out)), after);
    }

    #[test]
    fn our_as_gets_a_segment_of_its_own_before_a_set_and_in_an_empty_path() {
        let before = path(&[(AS_SET, &[4])]);
        assert_eq!(made(|out| prepend(&before, Asn(1), out)), path(&[(AS_SEQUENCE, &[1]), (AS_SET, &[4])]));
        assert_eq!(made(|out| prepend(&[], Asn(1), out)), path(&[(AS_SEQUENCE, &[1])]));
    }

    #[test]
    fn a_full_segment_of_255_is_not_overflowed() {
        let full: Vec<u32> = (1000..1255).collect();
        let before = path(&[(AS_SEQUENCE, &full)]);
        let after = made(|out| prepend(&before, Asn(1), out));
        assert_eq!(after, path(&[(AS_SEQUENCE, &[1]), (AS_SEQUENCE, &full)]));
        let room = path(&[(AS_SEQUENCE, &full[1..])]);
        assert_eq!(made(|out| prepend(&room, Asn(1), out))[..2], [AS_SEQUENCE, 255]);
    }

    #[test]
    fn what_is_a_confederations_own_does_not_go_out() {
        const CONFED_SET: u8 = 4;
        let before =
            path(&[(CONFED_SEQUENCE, &[9]), (CONFED_SET, &[8]), (AS_SEQUENCE, &[2]), (AS_SET, &[4])]);
        let after = path(&[(AS_SEQUENCE, &[1, 2]), (AS_SET, &[4])]);
        assert_eq!(made(|out| prepend(&before, Asn(1), out)), after);
        let inside = path(&[(AS_SEQUENCE, &[2]), (CONFED_SEQUENCE, &[9]), (AS_SET, &[4])]);
        assert_eq!(made(|out| prepend(&inside, Asn(1), out)), after);
        let own = path(&[(CONFED_SEQUENCE, &[9])]);
        assert_eq!(made(|out| prepend(&own, Asn(1), out)), path(&[(AS_SEQUENCE, &[1])]));
    }

    #[test]
    fn between_member_ases_ours_joins_the_confederations_sequence_and_all_stays() {
        let before = path(&[(CONFED_SEQUENCE, &[9]), (AS_SEQUENCE, &[2])]);
        let after = path(&[(CONFED_SEQUENCE, &[1, 9]), (AS_SEQUENCE, &[2])]);
        assert_eq!(made(|out| prepend_member(&before, Asn(1), out)), after);
        let external = path(&[(AS_SEQUENCE, &[2])]);
        let after = path(&[(CONFED_SEQUENCE, &[1]), (AS_SEQUENCE, &[2])]);
        assert_eq!(made(|out| prepend_member(&external, Asn(1), out)), after);
        assert_eq!(made(|out| prepend_member(&[], Asn(1), out)), path(&[(CONFED_SEQUENCE, &[1])]));
    }

    /// A path as it leaves AS 1.
    fn left(before: &[(u8, &[u32])], rules: AsRules) -> Vec<u8> {
        made(|out| leave(&path(before), Asn(1), &rules, &mut Vec::new(), out))
    }

    #[test]
    fn the_peers_own_as_is_overridden_wherever_it_is() {
        let rules = AsRules { overridden: Some(Asn(7)), ..AsRules::default() };
        let after = path(&[(AS_SEQUENCE, &[1, 2, 1, 1]), (AS_SET, &[1, 3])]);
        assert_eq!(left(&[(AS_SEQUENCE, &[2, 7, 7]), (AS_SET, &[7, 3])], rules), after);
    }

    #[test]
    fn private_numbers_go_or_are_replaced_and_the_peers_own_stays() {
        let before: &[(u8, &[u32])] = &[
            (AS_SEQUENCE, &[64_512, 2, 64_513]),
            (AS_SET, &[65_534]),
            (AS_SEQUENCE, &[4_200_000_000, 65_535]),
        ];
        let private = |replace| PrivateAs { replace, spared: Asn(64_513) };
        let rules = |replace| AsRules { private: Some(private(replace)), ..AsRules::default() };
        let removed = path(&[(AS_SEQUENCE, &[1, 2, 64_513]), (AS_SEQUENCE, &[65_535])]);
        assert_eq!(left(before, rules(false)), removed);
        let replaced =
            path(&[(AS_SEQUENCE, &[1, 1, 2, 64_513]), (AS_SET, &[1]), (AS_SEQUENCE, &[1, 65_535])]);
        assert_eq!(left(before, rules(true)), replaced);
    }

    #[test]
    fn a_former_as_stands_in_front_of_ours_or_in_its_place() {
        let rules = AsRules { session_as: Some(Asn(9)), ..AsRules::default() };
        assert_eq!(left(&[(AS_SEQUENCE, &[2])], rules), path(&[(AS_SEQUENCE, &[9, 2])]));
        let both = AsRules { shown: Some(Asn(1)), ..rules };
        assert_eq!(left(&[(AS_SEQUENCE, &[2])], both), path(&[(AS_SEQUENCE, &[9, 1, 2])]));
        assert_eq!(left(&[], both), path(&[(AS_SEQUENCE, &[9, 1])]));
        let same = AsRules { session_as: Some(Asn(1)), ..both };
        assert_eq!(left(&[], same), path(&[(AS_SEQUENCE, &[1])]), "ours is not told twice");
    }

    #[test]
    fn a_narrow_path_has_as_trans_where_four_octets_are_needed() {
        let wide = path(&[(CONFED_SEQUENCE, &[70_000]), (AS_SEQUENCE, &[65_535, 65_536])]);
        let narrowed = made(|out| narrow(&wide, out));
        assert_eq!(narrowed, [CONFED_SEQUENCE, 1, 0x5b, 0xa0, AS_SEQUENCE, 2, 0xff, 0xff, 0x5b, 0xa0]);
        assert!(is_wide(&wide));
        assert_eq!(made(|out| as4_path(&wide, out)), path(&[(AS_SEQUENCE, &[65_535, 65_536])]));
        assert!(!is_wide(&path(&[(AS_SEQUENCE, &[65_535])])));
    }
}
