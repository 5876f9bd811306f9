//! Link Bandwidth communities (draft-ietf-idr-link-bandwidth), and the shares that next hops have of the load by them.

use bgp_core::Asn;

use super::state::Held;

/// AS_TRANS, which stands for numbers of four octets.
const AS_TRANS: u16 = 23456;

/// The largest share that a next hop may have.
const LARGEST: u64 = 255;

/// The community, transitive, by which an AS says how fast its link is.
pub(super) fn link_bandwidth(own: Asn, bits: u64) -> [u8; 8] {
    let [a, b] = u16::try_from(own.0).unwrap_or(AS_TRANS).to_be_bytes();
    let [c, d, e, f] = (bits as f32 / 8.0).to_be_bytes();
    [0, 4, a, b, c, d, e, f]
}

/// Octets a second, if the community says that; transitive or not.
pub(super) fn bandwidth(community: &[u8; 8]) -> Option<f32> {
    let [kind, subtype, _, _, rate @ ..] = *community;
    (kind & 0xbf == 0 && subtype == 4).then_some(f32::from_be_bytes(rate))
}

/// The shares of these paths: even ones, unless each says how fast its link is.
pub(super) fn shares(paths: &[Held]) -> Vec<u8> {
    let speed = |path: &Held| {
        let rate = path.route.extended.iter().find_map(bandwidth)?;
        (rate >= 1.0).then_some(rate as u64)
    };
    match paths.iter().map(speed).collect::<Option<Vec<u64>>>() {
        Some(speeds) if paths.len() > 1 => in_proportion(&speeds),
        _ => vec![1; paths.len()],
    }
}

/// The smallest numbers in the same proportion; where those are too large, as near to it as can be.
fn in_proportion(speeds: &[u64]) -> Vec<u8> {
    let largest = speeds.iter().copied().max().unwrap_or(1);
    let whole = (1..=LARGEST).find(|share| {
        // With this share of the fastest, are those of all others whole?
        let exact = |speed: &u64| (u128::from(*speed) * u128::from(*share)).is_multiple_of(largest.into());
        speeds.iter().all(exact)
    });
    let share = whole.unwrap_or(LARGEST);
    let scaled = |speed: &u64| u128::from(*speed) * u128::from(share) / u128::from(largest.max(1));
    speeds.iter().map(|speed| u8::try_from(scaled(speed)).unwrap_or(u8::MAX).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_says_what_was_put_into_it() {
        let community = link_bandwidth(Asn(64512), 10_000_000_000);
        assert_eq!(bandwidth(&community), Some(1.25e9));
        assert_eq!(bandwidth(&[0x40, 4, 0, 1, 0, 0, 0, 0]), Some(0.0));
        assert_eq!(bandwidth(&[0, 2, 0, 1, 0, 0, 0, 0]), None);
        assert_eq!(link_bandwidth(Asn(70_000), 8)[2..4], [0x5b, 0xa0]);
    }

    #[test]
    fn shares_are_in_proportion_as_far_as_they_can_be() {
        assert_eq!(in_proportion(&[10, 25, 10]), [2, 5, 2]);
        assert_eq!(in_proportion(&[7, 7]), [1, 1]);
        assert_eq!(in_proportion(&[1, 1_000_000]), [1, 255]);
    }
}
