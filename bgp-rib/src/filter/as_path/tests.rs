use super::*;
use bgp_core::wire::AsWidth;
use proptest::prelude::*;

fn value(segments: &[(SegmentKind, &[u32])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, asns) in segments {
        out.extend([*kind as u8, u8::try_from(asns.len()).unwrap()]);
        out.extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
    }
    out
}

fn pattern(text: &str) -> AsPathPattern {
    text.parse().unwrap()
}

fn matches(text: &str, asns: &[u32]) -> bool {
    let value = if asns.is_empty() { Vec::new() } else { value(&[(SegmentKind::Sequence, asns)]) };
    pattern(text).matches(AsPath::new(&value, AsWidth::Four))
}

#[test]
fn ases_may_stand_anywhere_without_anchors() {
    assert!(matches("2 3", &[1, 2, 3, 4]));
    assert!(!matches("2 4", &[1, 2, 3, 4]));
    assert!(!matches("2", &[]));
}

#[test]
fn anchors_tie_a_pattern_to_the_ends() {
    for (text, expected) in
        [("^1", true), ("^2", false), ("3$", true), ("2$", false), ("^1 2 3$", true), ("^1 2$", false)]
    {
        assert_eq!(matches(text, &[1, 2, 3]), expected, "{text}");
    }
    assert!(matches("^$", &[]) && !matches("^$", &[1]) && matches("^", &[1]) && matches("$", &[1]));
}

#[test]
fn counts_say_how_often() {
    for (text, path, expected) in [
        ("^1* 2$", &[2][..], true),
        ("^1* 2$", &[1, 1, 2], true),
        ("^1+ 2$", &[2], false),
        ("^1+ 2$", &[1, 1, 2], true),
        ("^1? 2$", &[1, 1, 2], false),
        ("^1? 2$", &[1, 2], true),
        ("^.* 9$", &[9], true),
        ("^.+ 9$", &[9], false),
        ("^. . .$", &[1, 2, 3], true),
        ("^. . .$", &[1, 2, 3, 4], false),
        ("^(1 2)+$", &[1, 2, 1, 2], true),
        ("^(1 2)+$", &[1, 2, 1], false),
        ("^1*$", &[], true),
    ] {
        assert_eq!(matches(text, path), expected, "{text} with {path:?}");
    }
}

#[test]
fn ranges_and_alternatives_are_one_step_of_many_ases() {
    for (asn, expected) in [(64511, false), (64512, true), (64520, true), (64521, false)] {
        assert_eq!(matches("^64512-64520$", &[asn]), expected);
        assert_eq!(matches("^(64518-64520|64512-64519|1)$", &[asn]), expected);
    }
    let hundred = (0..100).map(|n| (n * 10).to_string()).collect::<Vec<_>>().join("|");
    assert!(matches(&format!("^({hundred})$"), &[990]) && !matches(&format!("^({hundred})$"), &[991]));
    assert!(matches("^(1 2|3)$", &[1, 2]) && matches("^(1 2|3)$", &[3]) && !matches("^(1 2|3)$", &[1, 3]));
    assert!(matches("^((1|2) 3|4)? 5$", &[2, 3, 5]) && matches("^((1|2) 3|4)? 5$", &[5]));
}

#[test]
fn a_set_is_one_step_and_a_confederation_none() {
    use SegmentKind::{ConfedSequence, Sequence, Set};
    let value = value(&[(ConfedSequence, &[65001]), (Sequence, &[1]), (Set, &[2, 3])]);
    let path = AsPath::new(&value, AsWidth::Four);
    for (text, expected) in
        [("^1 2$", true), ("^1 3$", true), ("^1 2 3$", false), ("65001", false), ("^1 4$", false)]
    {
        assert_eq!(pattern(text).matches(path), expected, "{text}");
    }
}

#[test]
fn what_is_no_pattern_is_answered_with_what_was_expected_and_where() {
    for (text, part) in [
        ("", "at character 1 expected an AS number"),
        ("1 x", "at character 3 expected an AS number"),
        ("1 | 2", "at character 3 expected an AS number"),
        ("1-", "at character 3 expected the last AS number of the range"),
        ("5-3", "at character 3 expected an AS number that is not below"),
        ("4294967296", "at character 1 expected an AS number up to 4294967295"),
        ("(1|2", "at character 5 expected an AS number, a range `1-3`, `.`, `(`, `|` or `)`"),
        ("(1|)", "at character 4 expected an AS number"),
        ("1**", "at character 3 expected an AS number"),
        ("* 1", "at character 1 expected an AS number"),
        ("1 $ 2", "at character 5 expected"),
        ("_1_", "at character 1 expected an AS number"),
        (&"(".repeat(20), "at most 16 groups"),
        (&"1 ".repeat(65), "at most 64 steps"),
    ] {
        let error = text.parse::<AsPathPattern>().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!("1 ".repeat(64).parse::<AsPathPattern>().is_ok());
}

#[test]
fn a_pattern_that_is_hard_for_others_takes_as_many_steps_as_the_path_is_long() {
    let text = format!("^{}{}$", "(.*.*)* ".repeat(16), "1 ".repeat(16));
    let ases: Vec<u32> = vec![1; 255];
    let long = value(&[(SegmentKind::Sequence, &ases[..]); 60]);
    let pattern = pattern(&text);
    assert!(pattern.matches(AsPath::new(&long, AsWidth::Four)));
    let ends_otherwise = [long, value(&[(SegmentKind::Sequence, &[2])])].concat();
    assert!(!pattern.matches(AsPath::new(&ends_otherwise, AsWidth::Four)));
}

/// What a pattern means, by trying everything: the rests of `path` after a match of `node` at its front.
fn rests<'a>(node: &Node, path: &'a [u32]) -> Vec<&'a [u32]> {
    match node {
        Node::Asns(asns) => match path.split_first() {
            Some((asn, rest)) if asns.iter().any(|(low, high)| (low..=high).contains(&asn)) => vec![rest],
            _ => Vec::new(),
        },
        Node::Sequence(nodes) => nodes.iter().fold(vec![path], |starts, node| {
            starts.into_iter().flat_map(|start| rests(node, start)).collect()
        }),
        Node::Either(nodes) => nodes.iter().flat_map(|node| rests(node, path)).collect(),
        Node::Repeated(node, count) => {
            let mut found = if matches!(count, Count::OneOrMore) { Vec::new() } else { vec![path] };
            let mut starts = vec![path];
            let times = if matches!(count, Count::NoneOrOne) { 1 } else { path.len() + 1 };
            for _ in 0..times {
                starts = starts.into_iter().flat_map(|start| rests(node, start)).collect();
                starts.sort_by_key(|rest| rest.len());
                starts.dedup_by_key(|rest| rest.len());
                found.extend(&starts);
            }
            found
        }
    }
}

fn by_trying(text: &str, path: &[u32]) -> bool {
    let (_, parsed) = parse::pattern(text).unwrap();
    let starts = if parsed.at_start { 0..=0 } else { 0..=path.len() };
    let mut found = starts.flat_map(|at| rests(&parsed.node, &path[at..]));
    found.any(|rest| !parsed.at_end || rest.is_empty())
}

fn any_text() -> impl Strategy<Value = String> {
    let step =
        prop_oneof![Just("1".to_owned()), Just("2".to_owned()), Just("2-3".to_owned()), Just(".".to_owned())];
    let count = || proptest::sample::select(vec!["", "", "*", "+", "?"]);
    let node = step.prop_recursive(3, 12, 3, move |inner| {
        let sequence = proptest::collection::vec((inner, count()), 1..3)
            .prop_map(|steps| steps.into_iter().map(|(s, c)| s + c).collect::<Vec<_>>().join(" "));
        proptest::collection::vec(sequence, 1..3).prop_map(|branches| format!("({})", branches.join("|")))
    });
    let ends = (any::<bool>(), proptest::collection::vec((node, count()), 1..4), any::<bool>());
    ends.prop_map(|(start, steps, end)| {
        let steps: Vec<_> = steps.into_iter().map(|(s, c)| s + c).collect();
        format!("{}{}{}", if start { "^" } else { "" }, steps.join(" "), if end { "$" } else { "" })
    })
}

proptest! {
    #[test]
    fn a_pattern_matches_what_trying_everything_matches(
        text in any_text(), path in proptest::collection::vec(1..4u32, 0..6),
    ) {
        prop_assert_eq!(matches(&text, &path), by_trying(&text, &path));
    }

    #[test]
    fn a_pattern_is_read_back_from_its_text(text in any_text()) {
        prop_assert_eq!(pattern(&pattern(&text).to_string()), pattern(&text));
    }

    #[test]
    fn no_text_panics(text in "[0-9 ()|.*+?^$é-]{0,24}") {
        let _ = text.parse::<AsPathPattern>();
    }
}
