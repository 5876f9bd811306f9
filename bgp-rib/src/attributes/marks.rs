//! What filters leave on a set besides its octets.

use std::fmt;

/// Whose next hop goes out with a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NextHopMark {
    /// As the [`NextHopRule`](crate::NextHopRule) of the peer says.
    #[default]
    ByRule,
    /// Our own address.
    Own,
    /// As received; our own with a route of our own.
    Unchanged,
    /// The set's, which was put there.
    Set,
}

/// What a filter made of a set, kept in four bits: whether it has touched it, and what it decided that the way out would
/// decide by itself else.
///
/// A set that was edited is never taken for one that was received: its bytes need not be what a check of received ones
/// gives. LOCAL_PREF may be in a set from an eBGP peer, say, although none is taken from one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Marks(u8);

impl Marks {
    /// The marks of a set as it came in.
    pub const NONE: Marks = Marks(0);

    const EDITED: u8 = 1;
    const MED: u8 = 2;
    const NEXT_HOP: u8 = 0b1100;

    /// Whether a filter has changed the set.
    #[must_use]
    pub fn is_edited(self) -> bool {
        self.0 & Marks::EDITED != 0
    }

    /// Whether MULTI_EXIT_DISC is to go out to eBGP peers too.
    #[must_use]
    pub fn keeps_med(self) -> bool {
        self.0 & Marks::MED != 0
    }

    /// Whose next hop goes out.
    #[must_use]
    pub fn next_hop(self) -> NextHopMark {
        match (self.0 & Marks::NEXT_HOP) >> 2 {
            0 => NextHopMark::ByRule,
            1 => NextHopMark::Own,
            2 => NextHopMark::Unchanged,
            _ => NextHopMark::Set,
        }
    }

    /// The same, and MULTI_EXIT_DISC goes out to eBGP peers.
    #[must_use]
    pub fn with_med(self) -> Marks {
        Marks(self.0 | Marks::MED)
    }

    /// The same with another next hop going out.
    #[must_use]
    pub fn with_next_hop(self, mark: NextHopMark) -> Marks {
        Marks(self.0 & !Marks::NEXT_HOP | (mark as u8) << 2)
    }

    /// The four bits.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// The marks with these bits; others than the lowest four are ignored.
    pub(super) fn from_bits(bits: u8) -> Marks {
        Marks(bits & 0b1111)
    }

    pub(super) fn edited(self) -> Marks {
        Marks(self.0 | Marks::EDITED)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks")
            .field("edited", &self.is_edited())
            .field("med", &self.keeps_med())
            .field("next_hop", &self.next_hop())
            .finish()
    }
}
