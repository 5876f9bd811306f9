//! The control packet (RFC 5880 section 4.1), without authentication.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! |  My Discriminator, Your Discriminator                         |
//! |  Desired Min TX, Required Min RX, Required Min Echo RX (µs)   |
//! ```

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use crate::state::{Diagnostic, State};

/// Octets of a packet as we send it.
pub const LENGTH: usize = 24;

const VERSION: u8 = 1;
const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// What a control packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Why the sender's session last changed its state.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// P: asks for a packet with F.
    pub poll: bool,
    /// F: answers one with P.
    pub finish: bool,
    /// C: the sender's BFD lives on when its control plane restarts.
    pub control_plane_independent: bool,
    /// D: the sender wants no periodic packets.
    pub demand: bool,
    /// After so many missing packets the sender's peer is to take it for gone.
    pub multiplier: NonZeroU8,
    /// The sender's number for the session.
    pub my_discriminator: NonZeroU32,
    /// The receiver's number for it; `None`: not known yet.
    pub your_discriminator: Option<NonZeroU32>,
    /// The shortest pause between packets that the sender wants to keep.
    pub desired_min_tx: Duration,
    /// The shortest pause between packets that the sender can take; zero: it wants none.
    pub required_min_rx: Duration,
    /// The same for echoes; zero: it answers none.
    pub required_min_echo_rx: Duration,
}

/// Why octets are no packet that a session may take (RFC 5880 section 6.8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Less than 24 octets.
    #[error("shorter than a control packet")]
    Short,
    /// Not version 1.
    #[error("not version 1")]
    Version,
    /// The length field says less than 24 or more than there is.
    #[error("its length field is wrong")]
    Length,
    /// The multiplier is 0.
    #[error("its detection multiplier is 0")]
    Multiplier,
    /// The M bit is set.
    #[error("its multipoint bit is set")]
    Multipoint,
    /// My Discriminator is 0.
    #[error("its own discriminator is 0")]
    MyDiscriminator,
    /// Your Discriminator is 0, in a state that needs one.
    #[error("it names no session, in a state that needs one")]
    YourDiscriminator,
    /// The A bit is set: no session uses authentication.
    #[error("it is authenticated, and no session here is")]
    Authenticated,
}

impl Packet {
    /// Reads a packet from the payload of a datagram. What is behind its length is ignored.
    ///
    /// # Errors
    /// What is wrong with it; it must be discarded then.
    pub fn parse(octets: &[u8]) -> Result<Packet, Malformed> {
        let Some(header) = octets.first_chunk::<LENGTH>() else { return Err(Malformed::Short) };
        let [first, flags, multiplier, length, rest @ ..] = header;
        if first >> 5 != VERSION {
            return Err(Malformed::Version);
        }
        let shortest = if flags & AUTHENTICATION == 0 { LENGTH } else { LENGTH + 2 };
        if !(shortest..=octets.len()).contains(&usize::from(*length)) {
            return Err(Malformed::Length);
        }
        let multiplier = NonZeroU8::new(*multiplier).ok_or(Malformed::Multiplier)?;
        if flags & MULTIPOINT != 0 {
            return Err(Malformed::Multipoint);
        }
        let mut words = rest.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_be_bytes));
        let mut word = || words.next().unwrap_or_default();
        let my_discriminator = NonZeroU32::new(word()).ok_or(Malformed::MyDiscriminator)?;
        let your_discriminator = NonZeroU32::new(word());
        let state = State::of_bits(flags >> 6);
        if your_discriminator.is_none() && !matches!(state, State::Down | State::AdminDown) {
            return Err(Malformed::YourDiscriminator);
        }
        if flags & AUTHENTICATION != 0 {
            return Err(Malformed::Authenticated);
        }
        let mut interval = || Duration::from_micros(word().into());
        Ok(Packet {
            diagnostic: Diagnostic(first & 0x1f),
            state,
            poll: flags & POLL != 0,
            finish: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            multiplier,
            my_discriminator,
            your_discriminator,
            desired_min_tx: interval(),
            required_min_rx: interval(),
            required_min_echo_rx: interval(),
        })
    }

    /// The packet's octets. Intervals over 71 minutes, which have no form, become the longest that has one.
    #[must_use]
    pub fn encode(&self) -> [u8; LENGTH] {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | bit(self.poll, POLL)
            | bit(self.finish, FINAL)
            | bit(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | bit(self.demand, DEMAND);
        let head = [VERSION << 5 | self.diagnostic.0 & 0x1f, flags, self.multiplier.get(), LENGTH as u8];
        let micros = |interval: Duration| u32::try_from(interval.as_micros()).unwrap_or(u32::MAX);
        let words = [
            u32::from_be_bytes(head),
            self.my_discriminator.get(),
            self.your_discriminator.map_or(0, NonZeroU32::get),
            micros(self.desired_min_tx),
            micros(self.required_min_rx),
            micros(self.required_min_echo_rx),
        ];
        let mut octets = [0; LENGTH];
        for (slot, word) in octets.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }
}
