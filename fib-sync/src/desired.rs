//! Where desired routes are read from.

use ipnetwork::IpNetwork;

use crate::intern::Id;

/// Names a target and the options of its routes, as [`FibSync::acquire_target`](crate::FibSync::acquire_target)
/// gave it out. Fits into 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub(crate) Id);

impl TargetId {
    /// Its number, 2 to 2²⁴ - 1.
    pub fn number(self) -> u32 {
        self.0.number()
    }

    /// The name with this number, if there can be one.
    pub fn from_number(number: u32) -> Option<TargetId> {
        Id::from_number(number).map(TargetId)
    }
}

/// Routes by number: what is desired, read where it is stored, so that a synchroniser need not copy it.
/// [`RouteTable`](crate::RouteTable) is one to start with.
///
/// A number belongs to one prefix, from when the store first gives it out until
/// [`release`](Self::release), also while nobody desires the prefix: the kernel may still have a route.
/// Numbers should be small: a synchroniser keeps 4 octets for each up to the highest. After a target changed,
/// tell it by [`FibSync::changed`](crate::FibSync::changed).
pub trait DesiredRoutes {
    /// The prefix of a number in use, without host bits.
    fn prefix(&self, number: u32) -> Option<IpNetwork>;

    /// What is desired at a number; `None`: nothing.
    fn target(&self, number: u32) -> Option<TargetId>;

    /// The number of a prefix.
    fn number(&self, prefix: IpNetwork) -> Option<u32>;

    /// The number of a prefix, given out now if it has none: the kernel has a route there.
    fn hold(&mut self, prefix: IpNetwork) -> u32;

    /// The kernel has no route there any more and nothing is desired: the number may be given out again.
    fn release(&mut self, number: u32);

    /// One more than the highest number in use.
    fn end(&self) -> u32;
}
