//! What holds for every attribute alike, made from its row in the table: wrong flags, every forbidden length, no
//! value, cut off, twice, from the wrong sender, without destinations.

use super::*;
use crate::wire::rules::{Rule, Sender, attribute_rules, rule};

/// An attribute with the length in two octets, which any may have.
fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[flags | flag::EXTENDED_LENGTH, code, high, low], value].concat()
}

/// The sessions in which the rule lets the attribute in.
fn admitted(rule: &Rule) -> Vec<DecodeContext> {
    match rule.from {
        Sender::Anyone => vec![context(Internal), context(External)],
        Sender::InternalPeers => vec![context(Internal)],
        Sender::TwoOctetSessions => vec![two_octet(Internal), two_octet(External)],
    }
}

/// An UPDATE that is fine but for these attributes, which take the place of those with the same code.
fn update(ctx: &DecodeContext, attributes: &[&[u8]]) -> Vec<u8> {
    let path = if ctx.four_octet_as { AS_PATH } else { NARROW_PATH };
    let mandatory = [ORIGIN, path, NEXT_HOP].into_iter().filter(|known| known[1] != attributes[0][1]);
    body(&[], &mandatory.chain(attributes.iter().copied()).collect::<Vec<_>>(), NLRI)
}

/// The one fault that `attribute` has in an UPDATE that is fine otherwise.
fn sole_fault(rule: &Rule, ctx: &DecodeContext, attribute: &[u8]) -> Fault {
    let Rule { name, section, .. } = rule;
    let outcome = receive(&update(ctx, &[attribute]), ctx);
    assert_eq!(outcome.faults.len(), 1, "{name}, {section}: {}", outcome.text());
    assert_eq!(outcome.treatment, outcome.faults[0].treatment, "{name}, {section}");
    let kept = Attributes::new(&outcome.block).get(rule.code);
    assert!(kept.is_none(), "{name}, {section}: a faulty attribute was kept");
    outcome.faults[0].clone()
}

fn assert_fault(rule: &Rule, fault: &Fault, treatment: Treatment, expected: fn(&FaultKind) -> bool) {
    let Rule { name, section, .. } = rule;
    assert!(fault.treatment == treatment && expected(&fault.kind), "{name}, {section}: {fault}");
}

fn wrong_flags(rule: &Rule, value: &[u8]) {
    for ctx in admitted(rule) {
        for flags in [0, flag::TRANSITIVE, flag::OPTIONAL, flag::OPTIONAL | flag::TRANSITIVE] {
            if flags != rule.class.flags() {
                let fault = sole_fault(rule, &ctx, &attribute(flags, rule.code, value));
                assert_fault(rule, &fault, rule.misflagged(), |kind| matches!(kind, FaultKind::Flags { .. }));
            }
        }
    }
}

fn every_length(rule: &Rule, _: &[u8]) {
    for ctx in admitted(rule) {
        for len in 0..=64 {
            let attribute = attribute(rule.class.flags(), rule.code, &vec![0; len]);
            let forbidden = |kind: &FaultKind| matches!(kind, FaultKind::Length { .. });
            if rule.length.allows(len, &ctx) {
                let outcome = receive(&update(&ctx, &[&attribute]), &ctx);
                let refused = outcome.faults.iter().any(|fault| forbidden(&fault.kind));
                assert!(!refused, "{} {len}: {}", rule.name, outcome.text());
            } else {
                assert_fault(rule, &sole_fault(rule, &ctx, &attribute), rule.malformed, forbidden);
            }
        }
    }
}

/// RFC 7606 section 4: no value is malformed but where it is allowed.
fn no_value(rule: &Rule, _: &[u8]) {
    let allowed = matches!(rule.code, code::AS_PATH | code::ATOMIC_AGGREGATE);
    assert!(admitted(rule).iter().all(|ctx| rule.length.allows(0, ctx) == allowed), "{}", rule.name);
}

fn cut_off(rule: &Rule, value: &[u8]) {
    for ctx in admitted(rule) {
        let mut octets = attribute(rule.class.flags(), rule.code, value);
        octets[3] += 1;
        let outcome = receive(&update(&ctx, &[&octets]), &ctx);
        assert_eq!(outcome.treatment, TreatAsWithdraw, "{}: {}", rule.name, outcome.text());
        assert!(outcome.text().contains("RFC 7606 section 4"), "{}: {}", rule.name, outcome.text());
    }
}

/// RFC 7606 section 3 g.
fn twice(rule: &Rule, value: &[u8]) {
    let mp = matches!(rule.code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI);
    for ctx in admitted(rule) {
        let octets = attribute(rule.class.flags(), rule.code, value);
        let outcome = receive(&update(&ctx, &[&octets, &octets]), &ctx);
        let expected = if mp { ResetSession } else { DiscardAttribute };
        assert_eq!(outcome.treatment, expected, "{}: {}", rule.name, outcome.text());
        assert_eq!(outcome.faults[0].kind, FaultKind::Duplicate, "{}", rule.name);
        let kept = Attributes::new(&outcome.block).iter().filter(|kept| kept.code == rule.code).count();
        assert!(kept <= 1, "{}: kept {kept} times", rule.name);
    }
}

/// Discarded unread: whatever else is wrong with it does not count.
fn wrong_sender(rule: &Rule, value: &[u8]) {
    let ctx = match rule.from {
        Sender::Anyone => return,
        Sender::InternalPeers => context(External),
        Sender::TwoOctetSessions => context(Internal),
    };
    for (flags, value) in [(rule.class.flags(), value), (0x40, value), (0x80, &[]), (0xc0, &[0xff; 3])] {
        let fault = sole_fault(rule, &ctx, &attribute(flags, rule.code, value));
        assert_fault(rule, &fault, DiscardAttribute, |kind| {
            matches!(kind, FaultKind::NotFromExternal | FaultKind::NotFromFourOctet)
        });
    }
}

/// RFC 7606 section 5.2.
fn without_destinations(rule: &Rule, value: &[u8]) {
    let ctx = admitted(rule)[0];
    let wrong = attribute(rule.class.flags() ^ flag::TRANSITIVE, rule.code, value);
    let outcome = receive(&body(NLRI, &[&wrong], &[]), &ctx);
    let expected = if rule.misflagged() == DiscardAttribute { DiscardAttribute } else { ResetSession };
    assert_eq!(outcome.treatment, expected, "{}: {}", rule.name, outcome.text());
}

/// A sound one is taken, and comes back as it was from its typed form.
fn sound(rule: &Rule, value: &[u8]) {
    for ctx in admitted(rule) {
        let octets = attribute(rule.class.flags(), rule.code, value);
        let outcome = receive(&update(&ctx, &[&octets]), &ctx);
        assert_eq!(outcome.treatment, Accept, "{}: {}", rule.name, outcome.text());
        let raw = Attributes::new(&octets).get(rule.code).unwrap();
        let typed = PathAttribute::from_raw(&raw, AsWidth::Four);
        assert!(!matches!(typed, PathAttribute::Unknown { .. }), "{} is not typed", rule.name);
        let mut again = Vec::new();
        typed.encode(&mut again);
        let again = Attributes::new(&again).get(rule.code).unwrap();
        assert_eq!((again.flags, again.value), (rule.class.flags(), value), "{}", rule.name);
    }
}

macro_rules! attributes {
    ($($name:ident: $code:ident $value:expr;)*) => {
        $(mod $name {
            use super::*;

            fn row() -> (&'static Rule, &'static [u8]) {
                (rule(code::$code).unwrap(), &$value)
            }

            attributes!(@tests wrong_flags, every_length, no_value, cut_off, twice, wrong_sender,
                without_destinations, sound);
        })*

        /// All rows that are tested here.
        const TESTED: &[u8] = &[$(code::$code),*];
    };
    (@tests $($test:ident),*) => {
        $(#[test]
        fn $test() {
            let (rule, value) = row();
            super::$test(rule, value);
        })*
    };
}

// A sound value of each; with four-octet AS numbers unless the attribute belongs to the other sessions.
attributes! {
    origin: ORIGIN [0];
    as_path: AS_PATH [2, 1, 0, 0, 0xfc, 0];
    next_hop: NEXT_HOP [10, 0, 0, 1];
    multi_exit_disc: MULTI_EXIT_DISC [0, 0, 0, 1];
    local_pref: LOCAL_PREF [0, 0, 0, 100];
    atomic_aggregate: ATOMIC_AGGREGATE [];
    aggregator: AGGREGATOR [0, 0, 0xfc, 0, 10, 0, 0, 1];
    communities: COMMUNITIES [0xfc, 0, 0, 1, 0xff, 0xff, 0xff, 1];
    originator_id: ORIGINATOR_ID [10, 0, 0, 1];
    cluster_list: CLUSTER_LIST [10, 0, 0, 1, 10, 0, 0, 2];
    mp_reach_nlri: MP_REACH_NLRI MP_REACH[3..];
    mp_unreach_nlri: MP_UNREACH_NLRI MP_UNREACH[3..];
    extended_communities: EXTENDED_COMMUNITIES [0, 2, 0xfc, 0, 0, 0, 0, 1];
    as4_path: AS4_PATH [2, 1, 0, 1, 0x11, 0x70];
    as4_aggregator: AS4_AGGREGATOR [0, 1, 0x11, 0x70, 10, 0, 0, 1];
    pmsi_tunnel: PMSI_TUNNEL [0, 6, 0, 1, 0, 10, 0, 0, 1];
    tunnel_encapsulation: TUNNEL_ENCAPSULATION [0, 8, 0, 12, 6, 10, 0, 0, 0, 0, 0, 1, 10, 0, 0, 1];
    ipv6_extended_communities: IPV6_EXTENDED_COMMUNITIES [0, 2, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    aigp: AIGP [1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9];
    large_community: LARGE_COMMUNITY [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    only_to_customer: ONLY_TO_CUSTOMER [0, 0, 0xfc, 0];
    prefix_sid: PREFIX_SID [1, 0, 7, 0, 0, 0, 0, 0, 0, 1];
}

#[test]
fn every_row_of_the_table_is_tested() {
    let rows: Vec<u8> = attribute_rules().map(|rule| rule.code).collect();
    assert_eq!(rows, TESTED);
}

#[test]
fn an_aggregator_is_as_long_as_the_sessions_as_numbers_say() {
    let rule = rule(code::AGGREGATOR).unwrap();
    for (ctx, wrong) in [(context(External), 6), (two_octet(External), 8)] {
        let octets = attribute(0xc0, code::AGGREGATOR, &vec![1; wrong]);
        let fault = sole_fault(rule, &ctx, &octets);
        assert_fault(rule, &fault, DiscardAttribute, |kind| matches!(kind, FaultKind::Length { .. }));
    }
}
