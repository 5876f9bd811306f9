use bgp_core::wire::{
    AsSegment, AttributeBlock, Attributes, BlockUse, Community, DecodeContext, Origin, PathAttribute,
    SegmentKind, Summary, Treatment, code,
};
use bgp_core::{Asn, Family, FamilySet, PeerKind, Prefix};
use proptest::prelude::*;

use super::*;
use crate::attributes::{Attrs, NextHopMark};
use crate::{AttributeStore, SourceKind};

const LOCAL_AS: Asn = Asn(64512);

/// A set of these attributes, from an internal peer at 10.0.0.1.
fn set(store: &AttributeStore, attributes: &[PathAttribute]) -> Attrs {
    let mut block = Vec::new();
    attributes.iter().for_each(|attribute| attribute.encode(&mut block));
    let summary = Summary::of(Attributes::new(&block));
    store.insert(PeerKind::Internal, [10, 0, 0, 1].into(), &[&block], summary)
}

fn path(asns: &[u32]) -> PathAttribute {
    let asns = asns.iter().copied().map(Asn).collect();
    PathAttribute::AsPath(vec![AsSegment { kind: SegmentKind::Sequence, asns }])
}

fn communities(list: &[&str]) -> PathAttribute {
    PathAttribute::Communities(list.iter().map(|c| c.parse().unwrap()).collect())
}

/// What the tests start from.
fn usual() -> Vec<PathAttribute> {
    vec![
        PathAttribute::Origin(Origin::Igp),
        path(&[64513, 64999]),
        PathAttribute::NextHop([10, 0, 0, 1].into()),
        PathAttribute::MultiExitDisc(7),
        PathAttribute::LocalPref(100),
        communities(&["64512:1", "no-export"]),
        PathAttribute::ExtendedCommunities(vec!["rt:64512:1".parse().unwrap()]),
        PathAttribute::LargeCommunities(vec!["64512:1:2".parse().unwrap()]),
    ]
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn matches(condition: Match) -> bool {
    let store = AttributeStore::new(1);
    let attrs = set(&store, &usual());
    condition.matches(&Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client })
}

fn term(matches: Vec<Match>, edits: Vec<Edit>, action: Option<Action>) -> Term {
    Term { name: "term".to_owned(), matches, edits, action }
}

fn filter(terms: Vec<Term>, otherwise: Action) -> Filter {
    Filter::new("test", terms, otherwise).unwrap()
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The attributes that `edits` make of `from`.
fn edited_from(
    from: &[PathAttribute],
    direction: Direction,
    edits: Vec<Edit>,
) -> (Attrs, Vec<PathAttribute>) {
    let store = AttributeStore::new(1);
    let attrs = set(&store, from);
    let filter = filter(vec![term(vec![], edits, Some(Action::Accept))], Action::Reject);
    let route = Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client };
    let mut run = FilterRun::new(direction, LOCAL_AS);
    let edited = run.edited(&filter, filter.evaluate(&route), &attrs).unwrap();
    let view = Attributes::new(edited.block());
    assert_eq!(edited.summary(), Summary::of(view));
    let attributes =
        view.iter().map(|raw| PathAttribute::from_raw(&raw, bgp_core::wire::AsWidth::Four)).collect();
    (edited, attributes)
}

fn edited(edits: Vec<Edit>) -> Vec<PathAttribute> {
    edited_from(&usual(), Direction::Import, edits).1
}

/// The usual attributes with the one at `place` changed; `None`: without it.
fn usual_but(place: usize, other: Option<PathAttribute>) -> Vec<PathAttribute> {
    let mut attributes = usual();
    attributes.splice(place..=place, other);
    attributes
}

#[test]
fn each_condition_matches_what_it_says() {
    let ranges = |texts: &[&str]| Match::Prefix(parsed::<PrefixRange>(texts).into());
    for (condition, expected) in [
        (ranges(&["10.0.0.0/8 le 16", "192.0.2.0/24"]), true),
        (ranges(&["10.0.0.0/8"]), false),
        (Match::Family(FamilySet::EMPTY.with(Family::IPV4_UNICAST)), true),
        (Match::Family(FamilySet::EMPTY.with(Family::IPV6_UNICAST)), false),
        (Match::Community(parsed(&["1:1", "64512:*"])), true),
        (Match::Community(parsed(&["64512:2"])), false),
        (Match::ExtendedCommunity(parsed(&["rt:64512:*"])), true),
        (Match::ExtendedCommunity(parsed(&["rt:64513:*"])), false),
        (Match::LargeCommunity(parsed(&["64512:*:2"])), true),
        (Match::LargeCommunity(parsed(&["64512:*:3"])), false),
        (Match::AsPath(parsed(&["^1$", "64999$"])), true),
        (Match::AsPath(parsed(&["^64999"])), false),
        (Match::AsPathLength(2..=2), true),
        (Match::AsPathLength(3..=9), false),
        (Match::NextHop(vec![prefix("10.0.0.0/30")]), true),
        (Match::NextHop(vec![prefix("10.1.0.0/16"), prefix("fd00::/8")]), false),
        (Match::Origin(vec![Origin::Igp, Origin::Egp]), true),
        (Match::Origin(vec![Origin::Incomplete]), false),
        (Match::Source(vec![SourceKind::Client]), true),
        (Match::Source(vec![SourceKind::External, SourceKind::Local]), false),
        (Match::LocalPref(100..=200), true),
        (Match::LocalPref(101..=200), false),
        (Match::Med(0..=7), true),
        (Match::Med(8..=u32::MAX), false),
        (Match::Community(vec![]), false),
    ] {
        let shown = condition.to_string();
        assert_eq!(matches(condition), expected, "{shown}");
    }
}

#[test]
fn what_a_route_does_not_have_is_in_no_range() {
    let store = AttributeStore::new(1);
    let attrs = set(&store, &[PathAttribute::Origin(Origin::Igp), path(&[1])]);
    let route = Route { prefix: prefix("fd00::/64"), attrs: &attrs, source: SourceKind::External };
    assert!(!Match::Med(0..=u32::MAX).matches(&route) && !Match::LocalPref(0..=u32::MAX).matches(&route));
}

#[test]
fn the_first_term_that_matches_and_has_an_action_decides() {
    let store = AttributeStore::new(1);
    let attrs = set(&store, &usual());
    let med = |value| vec![Edit::Med(Some(value))];
    let in_ten = || vec![Match::NextHop(vec![prefix("10.0.0.0/8")])];
    let never = || vec![Match::Origin(vec![])];
    let from_clients = vec![Match::Source(vec![SourceKind::Client])];
    let filter = filter(
        vec![
            term(in_ten(), med(1), None),
            term(never(), med(2), Some(Action::Reject)),
            term(vec![], vec![], None),
            term(in_ten(), med(3), None),
            term(from_clients, vec![], Some(Action::Accept)),
            term(vec![], med(4), None),
        ],
        Action::Reject,
    );
    let verdict = |source| filter.evaluate(&Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source });
    let accepted = Verdict { accept: true, edits: 0b101, term: Some(4) };
    assert_eq!(verdict(SourceKind::Client), accepted);
    assert_eq!(verdict(SourceKind::Local), Verdict { accept: false, edits: 0, term: None });
    let edited = FilterRun::new(Direction::Import, LOCAL_AS).edited(&filter, accepted, &attrs).unwrap();
    assert_eq!(edited.summary().med, Some(3), "the later one has the last word");
}

#[test]
fn a_term_that_goes_on_is_asked_about_the_route_as_it_came() {
    let store = AttributeStore::new(1);
    let attrs = set(&store, &usual());
    let filter = filter(
        vec![
            term(vec![], vec![Edit::Med(Some(50))], None),
            term(vec![Match::Med(50..=50)], vec![], Some(Action::Reject)),
        ],
        Action::Accept,
    );
    let route = Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client };
    assert!(filter.evaluate(&route).accept);
}

#[test]
fn sixty_four_terms_may_change_routes_and_no_more() {
    let terms = |count| vec![term(vec![], vec![Edit::AddToMed(1)], None); count];
    let error = Filter::new("long", terms(65), Action::Accept).unwrap_err();
    assert_eq!(error.to_string(), "filter `long` changes routes in 65 terms; at most 64 may");
    let filter = filter(terms(64), Action::Accept);
    let store = AttributeStore::new(1);
    let attrs = set(&store, &usual());
    let route = Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client };
    let verdict = filter.evaluate(&route);
    assert_eq!(verdict.edits, u64::MAX);
    let edited = FilterRun::new(Direction::Import, LOCAL_AS).edited(&filter, verdict, &attrs).unwrap();
    assert_eq!(edited.summary().med, Some(7 + 64));
    let conditions_only = vec![term(vec![], vec![], None); 1000];
    assert!(Filter::new("many", conditions_only, Action::Accept).is_ok());
}

#[test]
fn filters_of_the_same_content_are_equal() {
    let make = |range: &str| {
        let list: PrefixList = parsed::<PrefixRange>(&[range, "192.0.2.0/24"]).into();
        filter(vec![term(vec![Match::Prefix(list)], vec![], None)], Action::Reject)
    };
    assert_eq!(make("10.0.0.0/8 le 24"), make("10.0.0.0/8{8,24}"));
    assert_ne!(make("10.0.0.0/8 le 24"), make("10.0.0.0/8 le 25"));
    assert!(make("10.0.0.0/8").looks_at_prefix());
    assert!(!filter(vec![term(vec![Match::Med(0..=1)], vec![], None)], Action::Accept).looks_at_prefix());
}

#[test]
fn numbers_are_set_taken_out_and_added_to() {
    assert_eq!(edited(vec![Edit::LocalPref(200)]), usual_but(4, Some(PathAttribute::LocalPref(200))));
    assert_eq!(edited(vec![Edit::Med(Some(9))]), usual_but(3, Some(PathAttribute::MultiExitDisc(9))));
    assert_eq!(edited(vec![Edit::Med(None)]), usual_but(3, None));
    assert_eq!(edited(vec![Edit::AddToMed(5)]), usual_but(3, Some(PathAttribute::MultiExitDisc(12))));
    assert_eq!(edited(vec![Edit::AddToMed(-9)]), usual_but(3, Some(PathAttribute::MultiExitDisc(0))));
}

#[test]
fn what_is_not_there_is_put_in_order_of_the_codes() {
    let bare = [PathAttribute::Origin(Origin::Egp), path(&[1])];
    let edits = vec![
        Edit::Communities(Change::Add(parsed(&["1:2"]))),
        Edit::LocalPref(5),
        Edit::AddToMed(3),
        Edit::Med(None),
        Edit::AddToMed(4),
    ];
    let (_, attributes) = edited_from(&bare, Direction::Import, edits);
    let [origin, path] = bare;
    let added = [PathAttribute::MultiExitDisc(4), PathAttribute::LocalPref(5), communities(&["1:2"])];
    assert_eq!(attributes, [[origin, path].as_slice(), &added].concat());
}

#[test]
fn communities_are_added_once_removed_by_pattern_and_replaced() {
    let change = |change| edited(vec![Edit::Communities(change)]);
    let added = communities(&["64512:1", "no-export", "64512:2"]);
    assert_eq!(change(Change::Add(parsed(&["64512:2", "64512:1", "64512:2"]))), usual_but(5, Some(added)));
    let left = communities(&["no-export"]);
    assert_eq!(change(Change::Remove(parsed(&["64512:*", "*:9"]))), usual_but(5, Some(left)));
    assert_eq!(change(Change::Remove(parsed(&["*:*"]))), usual_but(5, None));
    assert_eq!(change(Change::Replace(parsed(&["1:1"]))), usual_but(5, Some(communities(&["1:1"]))));
    assert_eq!(change(Change::Replace(vec![])), usual_but(5, None));
}

#[test]
fn extended_and_large_communities_change_in_the_same_ways() {
    let extended = |list: &[&str]| Some(PathAttribute::ExtendedCommunities(parsed(list)));
    let change = |change| edited(vec![Edit::ExtendedCommunities(change)]);
    let added = extended(&["rt:64512:1", "ro:1:1"]);
    assert_eq!(change(Change::Add(parsed(&["ro:1:1"]))), usual_but(6, added));
    assert_eq!(change(Change::Remove(parsed(&["rt:64512:*"]))), usual_but(6, None));
    assert_eq!(change(Change::Replace(parsed(&["rt:1:1"]))), usual_but(6, extended(&["rt:1:1"])));
    let large = |list: &[&str]| Some(PathAttribute::LargeCommunities(parsed(list)));
    let change = |change| edited(vec![Edit::LargeCommunities(change)]);
    let added = large(&["64512:1:2", "1:2:3"]);
    assert_eq!(change(Change::Add(parsed(&["1:2:3"]))), usual_but(7, added));
    assert_eq!(change(Change::Remove(parsed(&["64512:1:*"]))), usual_but(7, None));
    assert_eq!(change(Change::Replace(parsed(&["1:2:3"]))), usual_but(7, large(&["1:2:3"])));
}

#[test]
fn the_path_grows_in_front() {
    let prepend = |asn: Option<u32>, times| Edit::Prepend { asn: asn.map(Asn), times };
    let own = usual_but(1, Some(path(&[64512, 64512, 64513, 64999])));
    assert_eq!(edited(vec![prepend(None, 2)]), own);
    assert_eq!(edited(vec![prepend(Some(70000), 1)]), usual_but(1, Some(path(&[70000, 64513, 64999]))));
    assert_eq!(edited(vec![prepend(None, 0)]), usual());
    let segments = |kinds: &[(SegmentKind, u32, usize)]| {
        let segment =
            |&(kind, asn, count): &(SegmentKind, u32, usize)| AsSegment { kind, asns: vec![Asn(asn); count] };
        PathAttribute::AsPath(kinds.iter().map(segment).collect())
    };
    use SegmentKind::{ConfedSequence, Sequence, Set};
    for (before, after) in [
        (segments(&[]), segments(&[(Sequence, 64512, 3)])),
        (segments(&[(Set, 1, 2)]), segments(&[(Sequence, 64512, 3), (Set, 1, 2)])),
        (segments(&[(ConfedSequence, 1, 2)]), segments(&[(Sequence, 64512, 3), (ConfedSequence, 1, 2)])),
        (segments(&[(Sequence, 1, 253)]), segments(&[(Sequence, 64512, 3), (Sequence, 1, 253)])),
    ] {
        let (_, attributes) = edited_from(&[before], Direction::Import, vec![prepend(None, 3)]);
        assert_eq!(attributes, [after]);
    }
}

#[test]
fn a_next_hop_is_set_in_the_set_and_in_its_block() {
    let edit = |address: &str| Edit::NextHop(NextHopEdit::Address(address.parse().unwrap()));
    let (attrs, attributes) = edited_from(&usual(), Direction::Import, vec![edit("192.0.2.7")]);
    assert_eq!(attrs.next_hop().to_string(), "192.0.2.7");
    assert_eq!(attributes, usual_but(2, Some(PathAttribute::NextHop([192, 0, 2, 7].into()))));
    let (attrs, attributes) = edited_from(&usual_but(2, None), Direction::Import, vec![edit("192.0.2.7")]);
    assert_eq!((attrs.next_hop().to_string(), attributes), ("192.0.2.7".to_owned(), usual_but(2, None)));
    let (attrs, attributes) = edited_from(&usual(), Direction::Export, vec![edit("fd00::7")]);
    assert_eq!((attrs.next_hop().to_string(), attributes), ("10.0.0.1".to_owned(), usual()));
    assert!(!attrs.marks().is_edited(), "nothing changed");
}

#[test]
fn what_the_way_out_would_decide_is_marked_on_the_way_out_only() {
    let edits = [
        (Edit::Med(Some(7)), NextHopMark::ByRule),
        (Edit::NextHop(NextHopEdit::Own), NextHopMark::Own),
        (Edit::NextHop(NextHopEdit::Unchanged), NextHopMark::Unchanged),
        (Edit::NextHop(NextHopEdit::Address([10, 0, 0, 1].into())), NextHopMark::Set),
    ];
    for (edit, next_hop) in edits {
        let (out, _) = edited_from(&usual(), Direction::Export, vec![edit.clone()]);
        let keeps_med = matches!(edit, Edit::Med(_));
        assert_eq!((out.marks().next_hop(), out.marks().keeps_med()), (next_hop, keeps_med));
        assert!(out.marks().is_edited());
        let (inward, _) = edited_from(&usual(), Direction::Import, vec![edit]);
        assert!(!inward.marks().is_edited(), "the content is as it was");
    }
}

#[test]
fn a_set_is_edited_once_for_all_routes_that_carry_it() {
    let store = AttributeStore::new(1);
    let attrs = set(&store, &usual());
    let filter = filter(vec![term(vec![], vec![Edit::LocalPref(1)], None)], Action::Accept);
    let route = Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client };
    let verdict = filter.evaluate(&route);
    let mut run = FilterRun::new(Direction::Import, LOCAL_AS);
    let first = run.edited(&filter, verdict, &attrs).unwrap();
    assert_eq!(run.edited(&filter, verdict, &attrs), Some(first.clone()));
    assert_eq!(store.len(), 2);
    let other_run = FilterRun::new(Direction::Import, LOCAL_AS).edited(&filter, verdict, &attrs);
    assert_eq!(other_run, Some(first.clone()), "equal content is one set");
    drop((attrs, first, other_run));
    assert_eq!(store.len(), 2, "the run holds them");
    run.clear();
    assert!(store.is_empty());
}

#[test]
fn a_run_remembers_a_bounded_number_of_sets() {
    let store = AttributeStore::new(1);
    let filter = filter(vec![term(vec![], vec![Edit::LocalPref(1)], None)], Action::Accept);
    let verdict = Verdict { accept: true, edits: 1, term: None };
    let mut run = FilterRun::new(Direction::Import, LOCAL_AS);
    for number in 0..5000 {
        let attrs = set(&store, &[PathAttribute::MultiExitDisc(number)]);
        assert_eq!(run.edited(&filter, verdict, &attrs).unwrap().summary().med, Some(number));
    }
    assert_eq!(store.len(), 2 * (5000 - 4096));
}

#[test]
fn an_attribute_that_would_grow_over_its_bound_lets_no_route_pass() {
    let store = AttributeStore::new(1);
    let full = PathAttribute::Communities((0..16383).map(Community).collect());
    let attrs = set(&store, &[full]);
    let filter = filter(
        vec![term(vec![], vec![Edit::Communities(Change::Add(parsed(&["no-export"])))], None)],
        Action::Accept,
    );
    let verdict = Verdict { accept: true, edits: 1, term: None };
    let mut run = FilterRun::new(Direction::Export, LOCAL_AS);
    assert_eq!(run.edited(&filter, verdict, &attrs), None);
    assert_eq!(run.edited(&filter, verdict, &attrs), None);
}

#[test]
fn partial_stays_set_on_communities_that_somebody_did_not_know() {
    let store = AttributeStore::new(1);
    let block = [0xe0, code::COMMUNITIES, 4, 0, 1, 0, 1];
    let attrs = store.insert(PeerKind::Internal, [10, 0, 0, 1].into(), &[&block], Summary::default());
    let edits = vec![Edit::Communities(Change::Add(parsed(&["1:2"])))];
    let filter = filter(vec![term(vec![], edits, None)], Action::Accept);
    let verdict = Verdict { accept: true, edits: 1, term: None };
    let edited = FilterRun::new(Direction::Import, LOCAL_AS).edited(&filter, verdict, &attrs).unwrap();
    assert_eq!(edited.block(), [0xe0, code::COMMUNITIES, 8, 0, 1, 0, 1, 0, 1, 0, 2]);
}

#[test]
fn an_explanation_names_the_condition_that_failed_and_what_was_done() {
    let store = AttributeStore::new(1);
    let attrs = set(&store, &usual());
    let named = |name: &str, term: Term| Term { name: name.to_owned(), ..term };
    let far = vec![Match::Med(0..=9), Match::AsPath(parsed(&["^1$"]))];
    let filter = filter(
        vec![
            named("far", term(far, vec![], Some(Action::Reject))),
            named("mark", term(vec![], vec![Edit::Communities(Change::Add(parsed(&["1:2"])))], None)),
            named("rest", term(vec![Match::Med(0..=9)], vec![], Some(Action::Accept))),
            named("never asked", term(vec![], vec![], None)),
        ],
        Action::Reject,
    );
    let route = Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client };
    let outcomes = filter.explain(&route);
    let shown: Vec<_> = outcomes
        .iter()
        .map(|term| (term.name.as_str(), term.failed.as_deref(), term.edits.concat(), term.action))
        .collect();
    let expected = [
        ("far", Some("AS path ^1$"), String::new(), None),
        ("mark", None, "add community 1:2".to_owned(), None),
        ("rest", None, String::new(), Some(Action::Accept)),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn long_lists_are_shown_by_their_beginning() {
    let many = Match::Community(parsed(&["1:1", "1:2", "1:3", "1:4", "1:5", "1:6"]));
    assert_eq!(many.to_string(), "community 1:1, 1:2, 1:3, 1:4 and 2 more");
    assert_eq!(Edit::Communities(Change::Replace(vec![])).to_string(), "remove all communities");
    assert_eq!(Edit::Prepend { asn: None, times: 2 }.to_string(), "prepend our AS 2 times");
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let community = || proptest::collection::vec((0..3u32).prop_map(Community), 0..3);
    let next_hop = prop_oneof![
        Just(NextHopEdit::Own),
        Just(NextHopEdit::Unchanged),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| NextHopEdit::Address([a % 223 + 1, b, c, d].into())),
    ];
    prop_oneof![
        any::<u32>().prop_map(Edit::LocalPref),
        any::<Option<u32>>().prop_map(Edit::Med),
        any::<i32>().prop_map(Edit::AddToMed),
        next_hop.prop_map(Edit::NextHop),
        (proptest::option::of(1..70_000u32), any::<u8>())
            .prop_map(|(asn, times)| Edit::Prepend { asn: asn.map(Asn), times }),
        community().prop_map(|list| Edit::Communities(Change::Add(list))),
        community().prop_map(|list| Edit::Communities(Change::Replace(list))),
        Just(Edit::Communities(Change::Remove(parsed(&["0:*"])))),
        Just(Edit::ExtendedCommunities(Change::Add(parsed(&["rt:1:1"])))),
        Just(Edit::ExtendedCommunities(Change::Remove(parsed(&["rt:64512:*"])))),
        Just(Edit::LargeCommunities(Change::Add(parsed(&["1:2:3"])))),
        Just(Edit::LargeCommunities(Change::Replace(vec![]))),
    ]
}

proptest! {
    #[test]
    fn an_edited_set_is_a_fixed_point_of_the_check(
        left_out in 0u8.., edits in proptest::collection::vec(any_edit(), 0..6), mp_reach: bool, out: bool,
    ) {
        let is_kept = |place: usize| match place {
            0 | 1 => true,
            2 => !mp_reach,
            _ => left_out >> place & 1 == 0,
        };
        let from = usual().into_iter().enumerate().filter(|(place, _)| is_kept(*place));
        let from: Vec<_> = from.map(|(_, attribute)| attribute).collect();
        let direction = if out { Direction::Export } else { Direction::Import };
        let (attrs, _) = edited_from(&from, direction, edits);
        let usage = if mp_reach { BlockUse::MpReach } else { BlockUse::Announce };
        let context = DecodeContext::new(PeerKind::Internal, FamilySet::UNICAST);
        let mut again = Vec::new();
        let checked = AttributeBlock::new(attrs.block()).check(&context, usage, &mut again);
        prop_assert_eq!(checked.treatment, Treatment::Accept);
        prop_assert_eq!(&again, attrs.block());
        prop_assert_eq!(checked.summary, attrs.summary());
    }

    #[test]
    fn the_same_route_gets_the_same_verdict_and_set_twice(
        terms in proptest::collection::vec((any::<bool>(), any_edit(), proptest::option::of(any::<bool>())), 0..6),
    ) {
        let store = AttributeStore::new(1);
        let attrs = set(&store, &usual());
        let terms = terms.into_iter().map(|(asks, edit, action)| {
            let matches = if asks { vec![Match::Community(parsed(&["0:*", "64512:*"]))] } else { vec![] };
            term(matches, vec![edit], action.map(|yes| if yes { Action::Accept } else { Action::Reject }))
        });
        let filter = filter(terms.collect(), Action::Accept);
        let route = Route { prefix: prefix("10.1.0.0/16"), attrs: &attrs, source: SourceKind::Client };
        let verdict = filter.evaluate(&route);
        prop_assert_eq!(filter.evaluate(&route), verdict);
        let decided = filter.explain(&route).iter().position(|term| term.action.is_some());
        prop_assert_eq!(decided, verdict.term.map(usize::from));
        let edit = |direction| FilterRun::new(direction, LOCAL_AS).edited(&filter, verdict, &attrs);
        prop_assert_eq!(edit(Direction::Export), edit(Direction::Export));
        prop_assert!(verdict.accept || edit(Direction::Import) == Some(attrs.clone()));
    }
}
