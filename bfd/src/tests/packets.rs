use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use proptest::prelude::*;

use crate::packet::{LENGTH, Malformed, Packet};
use crate::state::{Diagnostic, State};

/// An Up packet with P, as BIRD sends it: 300 ms, multiplier 5.
const OCTETS: [u8; LENGTH] =
    [0x20, 0xe0, 5, 24, 0, 0, 0, 7, 0, 0, 0, 9, 0, 4, 0x93, 0xe0, 0, 4, 0x93, 0xe0, 0, 0, 0, 0];

fn changed(at: usize, octet: u8) -> Result<Packet, Malformed> {
    let mut octets = OCTETS;
    octets[at] = octet;
    Packet::parse(&octets)
}

#[test]
fn a_packet_is_read_and_written() {
    let packet = Packet::parse(&OCTETS).unwrap();
    assert_eq!((packet.state, packet.poll, packet.finish), (State::Up, true, false));
    assert_eq!((packet.my_discriminator.get(), packet.your_discriminator), (7, NonZeroU32::new(9)));
    assert_eq!(packet.desired_min_tx, Duration::from_millis(300));
    assert_eq!(packet.required_min_echo_rx, Duration::ZERO);
    assert_eq!(packet.encode(), OCTETS);
}

#[test]
fn what_must_be_discarded_is() {
    assert_eq!(Packet::parse(&OCTETS[..23]), Err(Malformed::Short));
    assert_eq!(changed(0, 0x40), Err(Malformed::Version));
    assert_eq!(changed(3, 23), Err(Malformed::Length));
    assert_eq!(changed(3, 25), Err(Malformed::Length));
    assert_eq!(changed(2, 0), Err(Malformed::Multiplier));
    assert_eq!(changed(1, 0xc1), Err(Malformed::Multipoint));
    assert_eq!(changed(7, 0), Err(Malformed::MyDiscriminator));
    assert_eq!(changed(11, 0), Err(Malformed::YourDiscriminator));
    assert_eq!(changed(1, 0xc4), Err(Malformed::Length), "with A the shortest has 26 octets");
    let mut authenticated = [&OCTETS[..], &[1, 2]].concat();
    (authenticated[1], authenticated[3]) = (0xc4, 26);
    assert_eq!(Packet::parse(&authenticated), Err(Malformed::Authenticated));
}

#[test]
fn what_is_behind_the_length_is_ignored() {
    let longer = [&OCTETS[..], &[0xff; 20]].concat();
    assert_eq!(Packet::parse(&longer), Packet::parse(&OCTETS));
}

#[test]
fn a_first_packet_names_no_session() {
    let mut octets = OCTETS;
    (octets[1], octets[11]) = (0x40, 0);
    let packet = Packet::parse(&octets).unwrap();
    assert_eq!((packet.state, packet.your_discriminator), (State::Down, None));
}

proptest! {
    #[test]
    fn no_octets_break_it_and_what_is_read_is_written_alike(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(packet) = Packet::parse(&octets) {
            prop_assert_eq!(Packet::parse(&packet.encode()), Ok(packet));
        }
    }

    #[test]
    fn every_packet_reads_back(
        (diagnostic, state, flags) in (0u8..32, 0u8..4, 0u8..16),
        (multiplier, my, your) in (1u8.., 1u32.., 1u32..),
        intervals in any::<[u32; 3]>(),
    ) {
        let bit = |bit: u8| flags & bit != 0;
        let micros = |n: u32| Duration::from_micros(n.into());
        let packet = Packet {
            diagnostic: Diagnostic(diagnostic),
            state: State::of_bits(state),
            poll: bit(1),
            finish: bit(2),
            control_plane_independent: bit(4),
            demand: bit(8),
            multiplier: NonZeroU8::new(multiplier).unwrap(),
            my_discriminator: NonZeroU32::new(my).unwrap(),
            your_discriminator: NonZeroU32::new(your),
            desired_min_tx: micros(intervals[0]),
            required_min_rx: micros(intervals[1]),
            required_min_echo_rx: micros(intervals[2]),
        };
        prop_assert_eq!(Packet::parse(&packet.encode()), Ok(packet));
    }
}
