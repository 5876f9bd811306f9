//! A peer that sends UPDATEs without end.

use std::net::Ipv4Addr;
use std::ops::Range;

use crate::routes::{self, Mark};

/// What it sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Announces the same prefixes again and again, each time with attributes that nobody saw before, and withdraws them
    /// every fourth time.
    Changes,
    /// Announces prefix after prefix, until it is stopped or has no more.
    NewPrefixes,
}

/// The stream of its UPDATEs.
pub struct Flood {
    kind: Kind,
    numbers: Range<u32>,
    address: Ipv4Addr,
    next: u32,
    round: u32,
    /// Prefixes announced and withdrawn so far.
    pub sent: u64,
}

/// Prefixes that are made ready at a time.
const STEP: u32 = 500;

impl Flood {
    pub fn new(kind: Kind, numbers: Range<u32>, address: Ipv4Addr) -> Flood {
        Flood { kind, next: numbers.start, numbers, address, round: 1, sent: 0 }
    }

    /// Nothing more comes.
    pub fn is_over(&self) -> bool {
        self.kind == Kind::NewPrefixes && self.next == self.numbers.end
    }

    /// Begins again, as on a new session.
    pub fn restart(&mut self) {
        (self.next, self.round) = (self.numbers.start, self.round + 1);
    }

    /// Appends the next UPDATEs; none if it is over.
    pub fn fill(&mut self, out: &mut Vec<u8>) {
        if self.is_over() {
            return;
        }
        let end = self.numbers.end.min(self.next + STEP);
        let numbers = self.next..end;
        self.sent += u64::from(end - self.next);
        if self.kind == Kind::Changes && self.round.is_multiple_of(4) {
            routes::withdraw(out, numbers);
        } else {
            let version = (self.round % 60_000 + 1) as routes::Version;
            let mark = Mark { next_hop: self.address, version, local_pref: 100, salt: self.round };
            routes::announce(out, numbers, mark);
        }
        self.next = end;
        if self.kind == Kind::Changes && end == self.numbers.end {
            self.restart();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

    #[test]
    fn changes_have_no_end_and_never_repeat_themselves() {
        let mut flood = Flood::new(Kind::Changes, 0..STEP, ADDRESS);
        let mut seen = std::collections::HashSet::new();
        for round in 1..40 {
            let mut out = Vec::new();
            flood.fill(&mut out);
            assert!(!out.is_empty());
            assert!(seen.insert(out) || round % 4 == 0, "only withdrawals are alike");
        }
    }

    #[test]
    fn new_prefixes_end_with_the_last_one() {
        let mut flood = Flood::new(Kind::NewPrefixes, 10..10 + 2 * STEP + 1, ADDRESS);
        let mut out = Vec::new();
        for _ in 0..3 {
            assert!(!flood.is_over());
            flood.fill(&mut out);
        }
        assert!(flood.is_over());
        assert_eq!(flood.sent, u64::from(2 * STEP + 1));
        flood.restart();
        assert!(!flood.is_over(), "a new session begins with the first");
    }
}
