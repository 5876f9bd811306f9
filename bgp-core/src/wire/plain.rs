//! The check of a block as nearly all come: attributes that are known, faultless and kept octet for octet.
//!
//! It says what the check by the table says, in a fraction of the time: here each rule is a constant, so that only its
//! comparisons are left, and nothing but the verdict has to be kept at hand. Whatever else a block holds is left to
//! the table.

use super::as_path::SegmentKind;
use super::attribute::{self, RawAttribute, flag};
use super::block::{AttributeBlock, BlockUse, Summary};
use super::code;
use super::rules;
use super::update::DecodeContext;
use crate::Asn;

/// The summary of a block that is already in its canonical form. `None` does not mean that it is not.
#[inline]
pub(super) fn summary(block: &AttributeBlock<'_>, ctx: &DecodeContext, usage: BlockUse) -> Option<Summary> {
    let mandatory = match usage {
        BlockUse::Announce => bit(code::ORIGIN) | bit(code::AS_PATH) | bit(code::NEXT_HOP),
        BlockUse::MpReach => bit(code::ORIGIN) | bit(code::AS_PATH),
        BlockUse::None => return None,
    };
    if !ctx.four_octet_as {
        return None;
    }
    // Beside MP_REACH_NLRI, NEXT_HOP is dropped: its bit stands for one too many from the start.
    let mut seen = if usage == BlockUse::MpReach { bit(code::NEXT_HOP) } else { 0 };
    let mut summary = Summary::default();
    for mut rest in block.parts() {
        while !rest.is_empty() {
            let attribute = attribute::next(&mut rest).ok()?;
            let bit = bit(attribute.code);
            if seen & bit != 0 || !is_plain(&attribute, ctx, &mut summary) {
                return None;
            }
            seen |= bit;
        }
    }
    (seen & mandatory == mandatory).then_some(summary)
}

/// The bit of a type code below 64.
const fn bit(code: u8) -> u64 {
    1 << (code & 63)
}

/// Whether the attribute is one of those written out here, faultless and kept as it is; then it is noted.
#[inline(always)]
fn is_plain(attribute: &RawAttribute<'_>, ctx: &DecodeContext, summary: &mut Summary) -> bool {
    macro_rules! written_out {
        ($($code:ident),*) => {
            match attribute.code {
                $(code::$code => {
                    let rule = const { &rules::row(code::$code) };
                    if code::$code == code::AS_PATH && note_sequence(attribute, summary) {
                        return true;
                    }
                    summary.note(code::$code, attribute.value);
                    attribute.flags & !rule.class.kept() == 0 && rule.check(attribute, ctx).is_ok()
                })*
                _ => false,
            }
        };
    }
    written_out!(
        ORIGIN,
        AS_PATH,
        NEXT_HOP,
        MULTI_EXIT_DISC,
        LOCAL_PREF,
        ATOMIC_AGGREGATE,
        AGGREGATOR,
        COMMUNITIES,
        ORIGINATOR_ID,
        CLUSTER_LIST,
        EXTENDED_COMMUNITIES,
        LARGE_COMMUNITY
    )
}

/// Notes an AS_PATH of one sequence, the usual one, in a single walk; false if it is another, or has a fault.
#[inline(always)]
fn note_sequence(attribute: &RawAttribute<'_>, summary: &mut Summary) -> bool {
    const SEQUENCE: u8 = SegmentKind::Sequence as u8;
    let [SEQUENCE, count, asns @ ..] = attribute.value else { return false };
    let (asns, []) = asns.as_chunks::<4>() else { return false };
    let Some(first) = asns.first() else { return false };
    let flags = attribute.flags & !flag::EXTENDED_LENGTH;
    let sound = flags == flag::TRANSITIVE && asns.len() == usize::from(*count);
    if !sound || asns.contains(&[0; 4]) {
        return false;
    }
    summary.as_path_len = u16::from(*count);
    summary.neighbor_as = Some(Asn(u32::from_be_bytes(*first)));
    true
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Treatment;
    use crate::{FamilySet, PeerKind};

    /// Attributes that are faultless more often than not: a type code with the flags and a length that go with it.
    fn attribute() -> impl Strategy<Value = Vec<u8>> {
        const WELL_KNOWN: u8 = flag::TRANSITIVE;
        const OPTIONAL: u8 = flag::OPTIONAL;
        const BOTH: u8 = flag::OPTIONAL | flag::TRANSITIVE;
        #[rustfmt::skip]
        let kinds = [
            (code::ORIGIN, WELL_KNOWN, 1), (code::AS_PATH, WELL_KNOWN, 10), (code::NEXT_HOP, WELL_KNOWN, 4),
            (code::MULTI_EXIT_DISC, OPTIONAL, 4), (code::LOCAL_PREF, WELL_KNOWN, 4),
            (code::ATOMIC_AGGREGATE, WELL_KNOWN, 0), (code::AGGREGATOR, BOTH, 8), (code::COMMUNITIES, BOTH, 12),
            (code::ORIGINATOR_ID, OPTIONAL, 4), (code::CLUSTER_LIST, OPTIONAL, 8),
            (code::EXTENDED_COMMUNITIES, BOTH, 16), (code::LARGE_COMMUNITY, BOTH, 24),
            (code::AS4_PATH, BOTH, 10), (99, BOTH, 5),
        ];
        let kind = proptest::sample::select(kinds.to_vec());
        let mostly_none = |most: usize| prop_oneof![20 => Just(0), 1 => 0..=most];
        (kind, mostly_none(255), mostly_none(3), vec(prop_oneof![any::<u8>(), Just(0xff)], 32)).prop_map(
            |((code, flags, len), flipped, longer, mut value)| {
                match code {
                    code::ORIGIN => value[0] %= 4,
                    code::AS_PATH | code::AS4_PATH => value[..2].copy_from_slice(&[2, 2]),
                    _ => {}
                }
                let len = len + longer;
                let flags = flags ^ flipped as u8;
                let high: &[u8] = if flags & flag::EXTENDED_LENGTH == 0 { &[] } else { &[0] };
                [&[flags, code], high, &[len as u8], &value[..len]].concat()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_plain_is_accepted_as_it_is_by_the_table(
            attributes in vec(attribute(), 0..8), external: bool, four_octet_as: bool, mp_reach: bool,
        ) {
            let start: &[&[u8]] = &[&[0x40, 1, 1, 0], &[0x40, 2, 6, 2, 1, 0, 0, 0, 1], &[0x40, 3, 4, 10, 0, 0, 1]];
            let mandatory = if mp_reach { &start[..2] } else { start };
            let block = [mandatory.concat(), attributes.concat()].concat();
            let kind = if external { PeerKind::External } else { PeerKind::Internal };
            let ctx = DecodeContext { four_octet_as, ..DecodeContext::new(kind, FamilySet::UNICAST) };
            let usage = if mp_reach { BlockUse::MpReach } else { BlockUse::Announce };
            let mut canonical = Vec::new();
            let checked = AttributeBlock::new(&block).check_by_table(&ctx, usage, &mut canonical);
            let unchanged = checked.treatment == Treatment::Accept && canonical == block && four_octet_as;
            match summary(&AttributeBlock::new(&block), &ctx, usage) {
                Some(summary) => {
                    prop_assert!(unchanged);
                    prop_assert_eq!(summary, checked.summary);
                }
                None => prop_assert!(!unchanged || attributes.iter().any(|attribute| attribute[1] == 99)),
            }
        }
    }
}
