//! The one place where octets are read: every read is checked against what is left.

/// A position in a message; reading moves it forward or, if too little is left, fails without moving.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the front of `octets`.
    pub(crate) fn new(octets: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: octets }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many octets were not read yet.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether all was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next octet.
    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&octet, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(octet)
    }

    /// The next `N` octets as an array.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*octets)
    }

    /// The next two octets, in network order.
    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four octets, in network order.
    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `count` octets.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_past_the_end_fails_and_does_not_move() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        assert_eq!(cursor.u32(), None);
        assert_eq!(cursor.u16(), Some(0x0102));
        assert_eq!(cursor.take(2), None);
        assert_eq!(cursor.u8(), Some(3));
        assert!(cursor.is_empty());
    }
}
