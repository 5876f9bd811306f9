//! «Did you mean»: the known word that is closest to a wrong one.

/// The candidate nearest to `word`, if it is near enough to be a slip of the hand: at most a third of the
/// letters differ, counting a swap of neighbours as one.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut two_ago: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, a) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut last_b = None;
        for (column, &b) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&previous, column) + usize::from(a != b))
                .min(at(&previous, column + 1) + 1)
                .min(at(&current, column) + 1);
            if Some(a) == last_b && Some(b) == last_a && column > 0 {
                cost = cost.min(at(&two_ago, column - 1) + 1);
            }
            current.push(cost);
            last_b = Some(b);
        }
        two_ago = std::mem::replace(&mut previous, current);
        last_a = Some(a);
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_understood() {
        let keys = ["asn", "router-id", "cluster-id", "hold-time"];
        assert_eq!(nearest("cluser-id", keys), Some("cluster-id"));
        assert_eq!(nearest("ans", keys), Some("asn"));
        assert_eq!(nearest("router_id", keys), Some("router-id"));
        assert_eq!(nearest("neighbor", keys), None);
    }
}
