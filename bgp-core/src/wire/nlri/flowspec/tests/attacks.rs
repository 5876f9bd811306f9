//! Flow specifications that broke other implementations, and what RFC 8955 section 4 calls malformed.

use super::*;

#[test]
fn cve_2023_38406_a_length_of_zero_is_refused() {
    for family in FAMILIES {
        assert_eq!(refusal(family, &[]), FlowSpecError::Empty);
        assert_eq!(read(family, &[0xf0, 0]), Err(FlowSpecError::Empty.into()));
    }
    for len in 1..=8 {
        assert_eq!(refusal(Family::IPV4_VPN_FLOWSPEC, &vec![0; len]), FlowSpecError::Empty);
    }
}

#[test]
fn cve_2026_37457_an_operator_list_past_the_end_is_refused() {
    let cut_off = FlowSpecError::CutOff { component: 4 };
    for value in [&[4][..], &[4, 0x81], &[4, 0x91, 1], &[4, 0x01, 80], &[4, 0xb1, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(refusal(V4, value), cut_off, "{value:?}");
    }
    // What follows the length does not belong to the list.
    assert_eq!(read(V4, &[3, 4, 0x01, 80, 3, 4, 0x81, 80]), Err(cut_off.into()));
}

#[test]
fn bird_3_3_2_the_longest_operator_list_takes_no_room_on_the_stack() {
    let value = [&[4][..], &[0x01, 80].repeat(2047)].concat();
    assert_eq!(FlowSpec::new(V4, &value), Err(FlowSpecError::CutOff { component: 4 }));
    let mut whole = value;
    whole[4093] |= 0x80;
    let flow = FlowSpec::new(V4, &whole).unwrap();
    assert_eq!(flow.to_string(), format!("port {}=80", "=80,".repeat(2046)));
    whole.push(5);
    assert_eq!(FlowSpec::new(V4, &whole), Err(FlowSpecError::TooLong(4096)));
}

#[test]
fn cve_2025_43972_a_value_shorter_than_its_operators_say_is_refused_at_every_length() {
    let value = [1, 24, 192, 0, 2, 3, 0x81, 6, 4, 0x03, 137, 0x45, 139, 0x91, 0x1f, 0x90, 12, 0x80, 5];
    let ends = [5, 8, 16, 19];
    for len in 0..=value.len() {
        assert_eq!(FlowSpec::new(V4, &value[..len]).is_ok(), ends.contains(&len), "{len}");
    }
}

#[test]
fn a_length_over_the_end_is_refused() {
    for nlri in [&[4, 4, 0x81, 80][..], &[0xf0], &[0xff, 0xff, 4, 0x81, 80], &[239]] {
        assert_eq!(read(V4, nlri), Err(NlriError::CutOff));
    }
}

#[test]
fn components_out_of_order_or_twice_are_refused() {
    let order = |component, before| FlowSpecError::Order { component, before };
    assert_eq!(refusal(V4, &[4, 0x81, 80, 3, 0x81, 6]), order(3, 4));
    assert_eq!(refusal(V4, &[3, 0x81, 6, 3, 0x81, 17]), order(3, 3));
    assert_eq!(refusal(V4, &[2, 0, 1, 0]), order(1, 2));
}

#[test]
fn a_component_of_unknown_type_is_refused() {
    for code in [0, 14, 255] {
        assert_eq!(refusal(V6, &[code, 0x81, 1]), FlowSpecError::UnknownComponent(code));
        assert_eq!(refusal(V4, &[3, 0x81, 6, code, 0x81, 1]), FlowSpecError::UnknownComponent(code));
    }
}

#[test]
fn a_prefix_that_no_address_has_is_refused() {
    let bits = |offset, len| FlowSpecError::PrefixLength { component: 1, offset, len };
    assert_eq!(refusal(V4, &[1, 33, 1, 2, 3, 4, 5]), bits(0, 33));
    assert_eq!(refusal(V4, &[1, 24, 1, 2]), FlowSpecError::CutOff { component: 1 });
    let zeros = |len, offset| [&[1, len, offset][..], &[0; 32]].concat();
    assert_eq!(refusal(V6, &zeros(129, 0)), bits(0, 129));
    assert_eq!(refusal(V6, &zeros(255, 250)), bits(250, 255));
    assert_eq!(refusal(V6, &zeros(64, 64)), bits(64, 64));
    assert_eq!(refusal(V6, &zeros(64, 65)), bits(65, 64));
    assert_eq!(refusal(V6, &[1, 128, 0, 0xfd]), FlowSpecError::CutOff { component: 1 });
    assert_eq!(refusal(V6, &[1, 128]), FlowSpecError::CutOff { component: 1 });
}

#[test]
fn values_longer_than_the_rfcs_demand_are_refused() {
    for (component, longest) in [(9, 2), (11, 1), (12, 1)] {
        for (code, len) in [(0, 1), (1, 2), (2, 4), (3, 8)] {
            let value = [&[component, 0x80 | code << 4][..], &vec![0; len]].concat();
            let expected = FlowSpecError::ValueLength { component, len, longest };
            let refused = FlowSpec::new(V4, &value).err();
            assert_eq!(refused, (len > longest).then_some(expected));
        }
    }
}
