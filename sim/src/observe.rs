//! Who watches a run: invariants after every step, the comparison with the model at the end.

use std::fmt;

use bgp_core::Instant;

use crate::network::Network;
use crate::spec::Spec;

/// What a run was found to do wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which check found it. A run that is shrunk still fails the same one.
    pub check: &'static str,
    /// What was expected, and what was found.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

/// What an observer says.
pub type Verdict = Result<(), Failure>;

/// Octets that a router has read, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The session.
    pub session: usize,
    /// The end that sent them. The other one read them.
    pub from: usize,
    /// The connection; a number is never used again.
    pub connection: u64,
    /// The octets: messages begin and end anywhere in them.
    pub octets: Vec<u8>,
}

/// Watches a run.
pub trait Observer {
    /// A router has read octets. Told before [`Observer::step`] of the step in which it did.
    fn read(&mut self, read: &Read) {
        let _ = read;
    }

    /// Something has happened in the network, and every router that it concerned has done what it could at once:
    /// [`Network::touched`].
    ///
    /// # Errors
    /// What is wrong.
    fn step(&mut self, network: &Network, now: Instant) -> Verdict {
        let _ = (network, now);
        Ok(())
    }

    /// The network does not come to rest. Whether that is as it must be: some configurations have no stable routes
    /// (RFC 3345), or several.
    fn excuses(&mut self, network: &Network) -> bool {
        let _ = network;
        false
    }

    /// Nothing happens any more, and all sessions are up. What every router was last configured to do, the network
    /// tells: [`Network::originates`], [`Network::side`] and so on.
    ///
    /// # Errors
    /// What is wrong.
    fn end(&mut self, network: &Network, spec: &Spec) -> Verdict {
        let _ = (network, spec);
        Ok(())
    }
}
