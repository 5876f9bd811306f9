use proptest::prelude::*;

use super::*;

fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    selector.parse::<Selector>().unwrap_or_else(|error| panic!("{selector}: {error}")).matches(&labels)
}

#[test]
fn each_operator_matches_what_it_says() {
    let node = [("rack", "a-17"), ("projectcalico.org/role", "db"), ("empty", "")];
    for selector in [
        "",
        " \t",
        "all()",
        "all( )",
        "global()",
        "has(rack)",
        "has( empty )",
        "rack == 'a-17'",
        "rack==\"a-17\"",
        "rack != 'b'",
        "rack in {'b', \"a-17\"}",
        "rack in{'a-17'}",
        "rack not in {'b'}",
        "rack not  in {}",
        "rack contains '-'",
        "rack contains ''",
        "rack starts with 'a-'",
        "rack ends  with '17'",
        "projectcalico.org/role == 'db'",
        "empty == ''",
        "!has(zone)",
        "! ! has(rack)",
        "!rack == 'b'",
        "(rack == 'a-17')",
        "has(rack)&&has(empty)",
        "has(x) || has(rack)",
    ] {
        assert!(matches(selector, &node), "{selector}");
    }
    for selector in [
        "has(zone)",
        "rack == 'a'",
        "rack != 'a-17'",
        "rack in {}",
        "rack in {'a'}",
        "rack not in {'a-17'}",
        "rack contains 'b'",
        "rack starts with '17'",
        "rack ends with 'a'",
        "!all()",
        "!global()",
        "Rack == 'a-17'",
        "has(rack) && has(x)",
        "has(x) || has(y)",
        "!!has(x)",
    ] {
        assert!(!matches(selector, &node), "{selector}");
    }
}

#[test]
fn an_absent_label_differs_from_every_value_and_is_in_no_set() {
    for (selector, expected) in [
        ("x == ''", false),
        ("x != ''", true),
        ("x in {''}", false),
        ("x not in {''}", true),
        ("x contains ''", false),
        ("x starts with ''", false),
        ("x ends with ''", false),
    ] {
        assert_eq!(matches(selector, &[]), expected, "{selector}");
    }
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_both() {
    let a = [("a", "1")];
    assert!(matches("has(a) || has(b) && has(c)", &a));
    assert!(!matches("(has(a) || has(b)) && has(c)", &a));
    assert!(!matches("!has(a) || has(b)", &a));
    assert!(matches("!(has(b) || has(c))", &a));
}

#[test]
fn words_of_the_grammar_are_labels_where_a_label_stands() {
    let labels = [("all", "1"), ("has", "2"), ("in", "3"), ("not", "4"), ("global", "5"), ("contains", "in")];
    let selector = "all == '1' && has == '2' && in in {'3'} && not not in {'3'} && global != '1' && contains contains 'i'";
    assert!(matches(selector, &labels));
    assert!(matches("has(has)", &labels));
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    let told: Vec<String> = [
        "rack = 'a'",
        "rack",
        "rack == a",
        "rack == 'a",
        "rack in 'a'",
        "rack in {'a' 'b'}",
        "rack in {'a',}",
        "rack not 'a'",
        "has(",
        "has(a",
        "has('a')",
        "all(x)",
        "(all()",
        "all())",
        "all() &",
        "all() && ",
        "all() all()",
        "!",
        "&& all()",
        "räck == 'a'",
        "has(a) and has(b)",
        "'ä' == 'a'",
        "a == 'b'c",
    ]
    .into_iter()
    .map(|text| {
        let error = text.parse::<Selector>().unwrap_err();
        format!("{text}: {}: {error}", error.offset)
    })
    .collect();
    let expected = include_str!("errors.txt");
    assert_eq!(told.join("\n") + "\n", expected);
}

#[test]
fn a_label_has_at_most_512_characters() {
    let label = |length| format!("has({})", "l".repeat(length));
    assert!(label(512).parse::<Selector>().is_ok());
    let error = label(513).parse::<Selector>().unwrap_err();
    assert_eq!((error.offset, error.expected), (4, "a label of at most 512 characters"));
    assert!(is_label("a/b_c.d-9") && !is_label("") && !is_label("a b") && !is_label(&"l".repeat(513)));
}

#[test]
fn depth_has_a_bound_and_length_has_none() {
    let nested = |depth| format!("{}all(){}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(64).parse::<Selector>().is_ok());
    let error = nested(65).parse::<Selector>().unwrap_err();
    assert_eq!((error.offset, error.expected), (64, "at most 64 parentheses inside each other"));
    assert!(nested(1_000_000).parse::<Selector>().is_err());
    assert!(format!("{}all()", "!".repeat(1_000_000)).parse::<Selector>().is_ok());
    assert!(vec!["has(a)"; 100_000].join("&&").parse::<Selector>().is_ok());
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9 \"{},&|!()ä]{0,6}", "[a-z0-9 '{},&|!()ä]{0,6}"]
}

fn test() -> impl Strategy<Value = Test> {
    let set = || proptest::collection::btree_set(value(), 0..3);
    prop_oneof![
        Just(Test::Exists),
        value().prop_map(Test::Is),
        value().prop_map(Test::IsNot),
        set().prop_map(Test::In),
        set().prop_map(Test::NotIn),
        value().prop_map(Test::Contains),
        value().prop_map(Test::StartsWith),
        value().prop_map(Test::EndsWith),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let label = prop_oneof!["[a-c]", "[A-Za-z0-9_./-]{1,12}", Just("has".to_owned()), Just("all".to_owned())];
    let leaf = prop_oneof![
        Just(Node::All),
        Just(Node::Global),
        (label, test()).prop_map(|(label, test)| Node::Label(label, test)),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        // Two `!` cancel out when they are read.
        let not = inner.prop_filter("twice", |node| !matches!(node, Node::Not(_)));
        prop_oneof![
            not.prop_map(|node| Node::Not(Box::new(node))),
            several.clone().prop_map(Node::And),
            several.prop_map(Node::Or),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_as_the_same(node in node()) {
        let selector = Selector(node);
        prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = text.parse::<Selector>();
    }

    #[test]
    fn no_sequence_of_words_panics_and_every_error_is_in_the_text(words in proptest::collection::vec(
        prop_oneof![
            Just("a"), Just("has("), Just("all()"), Just("global("), Just("("), Just(")"), Just("!"), Just("=="), Just("!="),
            Just("in"), Just("not"), Just("{"), Just("}"), Just(","), Just("'v'"), Just("\"ä"), Just("&&"), Just("||"),
            Just("starts"), Just("ends with"), Just("contains"), Just(" "), Just("ö"),
        ],
        0..24,
    )) {
        let text = words.concat();
        match text.parse::<Selector>() {
            Ok(selector) => prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector)),
            Err(error) => prop_assert!(text.is_char_boundary(error.offset)),
        }
    }
}
