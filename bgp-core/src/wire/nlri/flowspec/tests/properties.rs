//! What holds for any flow specification and any octets.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const NUMERIC: [NumericField; 9] = [
    NumericField::Protocol,
    NumericField::Port,
    NumericField::DestinationPort,
    NumericField::SourcePort,
    NumericField::IcmpType,
    NumericField::IcmpCode,
    NumericField::PacketLength,
    NumericField::Dscp,
    NumericField::FlowLabel,
];

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![0..0x100u64, 0..0x1_0000u64, any::<u32>().prop_map(u64::from), any::<u64>()]
}

fn numeric() -> impl Strategy<Value = Vec<Term<Comparison>>> {
    let term = (any::<bool>(), any::<u8>(), value()).prop_map(|(and, bits, value)| Term {
        and,
        operator: Comparison::from_bits(bits),
        value,
    });
    proptest::collection::vec(term, 1..6)
}

fn bitmask() -> impl Strategy<Value = Vec<Term<BitMatch>>> {
    let term = (any::<bool>(), any::<u8>(), any::<u8>()).prop_map(|(and, bits, value)| Term {
        and,
        operator: BitMatch::from_bits(bits),
        value: value.into(),
    });
    proptest::collection::vec(term, 1..6)
}

/// A component as a value, so that what was built and what is read can be compared.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Destination(FlowPrefix),
    Source(FlowPrefix),
    Numeric(NumericField, Vec<Term<Comparison>>),
    Bitmask(BitmaskField, Vec<Term<BitMatch>>),
}

impl Owned {
    fn read(component: Component<'_>) -> Owned {
        match component {
            Component::Destination(prefix) => Owned::Destination(prefix),
            Component::Source(prefix) => Owned::Source(prefix),
            Component::Numeric(field, terms) => Owned::Numeric(field, terms.collect()),
            Component::Bitmask(field, terms) => Owned::Bitmask(field, terms.collect()),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Owned::Destination(_) => 1,
            Owned::Source(_) => 2,
            Owned::Numeric(field, _) => *field as u8,
            Owned::Bitmask(field, _) => *field as u8,
        }
    }

    fn add(self, builder: FlowSpecBuilder) -> FlowSpecBuilder {
        match self {
            Owned::Destination(prefix) => builder.destination(prefix),
            Owned::Source(prefix) => builder.source(prefix),
            Owned::Numeric(field, terms) => builder.numeric(field, &terms),
            Owned::Bitmask(field, terms) => builder.bitmask(field, &terms),
        }
    }

    /// What reading must give: nothing is joined with what is not there.
    fn expected(mut self) -> Owned {
        match &mut self {
            Owned::Numeric(_, terms) => terms[0].and = false,
            Owned::Bitmask(_, terms) => terms[0].and = false,
            _ => {}
        }
        self
    }
}

fn v4_prefix() -> impl Strategy<Value = FlowPrefix> {
    (any::<u32>(), 0..=32u8)
        .prop_map(|(bits, len)| Prefix::new(Ipv4Addr::from(bits).into(), len).unwrap().into())
}

fn v6_prefix() -> impl Strategy<Value = FlowPrefix> {
    (any::<u128>(), 0..128u8, 0..=128u8).prop_filter_map("no bits between", |(bits, offset, len)| {
        FlowPrefix::with_offset(Ipv6Addr::from(bits), offset, len)
    })
}

/// Components of one family in any order, each type at most once.
fn components(v6: bool) -> impl Strategy<Value = Vec<Owned>> {
    let prefix = move || if v6 { v6_prefix().boxed() } else { v4_prefix().boxed() };
    let fields = if v6 { &NUMERIC[..] } else { &NUMERIC[..8] };
    let numeric = (proptest::sample::select(fields), numeric()).prop_map(|(field, mut terms)| {
        if field == NumericField::Dscp {
            terms.iter_mut().for_each(|term| term.value &= 0x3f);
        }
        Owned::Numeric(field, terms)
    });
    let bitmask =
        (proptest::sample::select(&[BitmaskField::TcpFlags, BitmaskField::Fragment][..]), bitmask());
    let component = prop_oneof![
        1 => prefix().prop_map(Owned::Destination),
        1 => prefix().prop_map(Owned::Source),
        4 => numeric,
        1 => bitmask.prop_map(|(field, terms)| Owned::Bitmask(field, terms)),
    ];
    proptest::collection::vec(component, 1..10).prop_map(|mut components| {
        let mut seen = Vec::new();
        components.retain(|component| {
            let new = !seen.contains(&component.code());
            seen.push(component.code());
            new
        });
        components
    })
}

fn family_and_components() -> impl Strategy<Value = (Family, Vec<Owned>)> {
    proptest::sample::select(&FAMILIES[..])
        .prop_flat_map(|family| components(family.afi == 2).prop_map(move |components| (family, components)))
}

fn build(family: Family, components: &[Owned]) -> Vec<u8> {
    let builder = FlowSpecBuilder::new(family).distinguisher(RouteDistinguisher([0, 1, 10, 0, 0, 1, 0, 7]));
    components.iter().cloned().fold(builder, |builder, component| component.add(builder)).build().unwrap()
}

/// Octets that look enough like components for some of them to be read.
fn nearly_components() -> impl Strategy<Value = Vec<u8>> {
    let list = (3..14u8, proptest::collection::vec((0..0x80u8, any::<u8>()), 0..3), any::<u8>()).prop_map(
        |(code, terms, last)| {
            let terms = terms.into_iter().flat_map(|(operator, value)| [operator & 0x4f, value]);
            [code].into_iter().chain(terms).chain([0x80 | last & 0x0f, last]).collect::<Vec<u8>>()
        },
    );
    let junk = proptest::collection::vec(any::<u8>(), 0..6);
    (proptest::collection::vec(list, 1..4), junk, any::<bool>()).prop_map(|(mut lists, junk, clean)| {
        lists.sort();
        let end = if clean { Vec::new() } else { junk };
        lists.concat().into_iter().chain(end).collect()
    })
}

proptest! {
    #[test]
    fn what_was_built_is_read_and_written_again((family, mut components) in family_and_components()) {
        let value = build(family, &components);
        let flow = FlowSpec::new(family, &value).unwrap();
        let mut nlri = Vec::new();
        flow.encode(&mut nlri);
        prop_assert_eq!(flow.family(), family);
        let (shown, written) = read(family, &nlri).unwrap();
        prop_assert_eq!((&shown[..], &written), (&[flow.to_string()][..], &nlri));
        components.sort_by_key(Owned::code);
        let expected: Vec<Owned> = components.into_iter().map(Owned::expected).collect();
        prop_assert_eq!(flow.components().map(Owned::read).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_truncation_is_refused_or_ends_between_components((family, components) in family_and_components()) {
        let value = build(family, &components);
        let mut nlri = Vec::new();
        FlowSpec::new(family, &value).unwrap().encode(&mut nlri);
        for len in 1..nlri.len() {
            prop_assert_eq!(read(family, &nlri[..len]), Err(NlriError::CutOff));
        }
        let readable = (0..=value.len()).filter(|len| FlowSpec::new(family, &value[..*len]).is_ok()).count();
        prop_assert_eq!(readable, components.len());
    }

    #[test]
    fn any_octets_are_refused_or_written_again_as_they_were(
        family in proptest::sample::select(&FAMILIES[..]),
        value in prop_oneof![nearly_components(), proptest::collection::vec(any::<u8>(), 0..300)],
    ) {
        if let Ok(flow) = FlowSpec::new(family, &value) {
            let mut nlri = Vec::new();
            flow.encode(&mut nlri);
            prop_assert!(nlri.ends_with(&value) && nlri.len() <= value.len() + 2);
            prop_assert!(flow.to_string().len() <= 40 + 40 * value.len());
            prop_assert_eq!(read(family, &nlri).unwrap().1, nlri);
        }
        if let Ok((_, written)) = read(family, &value) {
            prop_assert!(written.len() <= value.len());
            prop_assert_eq!(read(family, &written).unwrap().1, written);
        }
    }
}
