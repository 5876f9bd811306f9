//! What a term changes of a route.

use std::fmt;
use std::net::IpAddr;

use bgp_core::Asn;
use bgp_core::wire::{Community, ExtendedCommunity, LargeCommunity};

use super::communities::{CommunityPattern, ExtendedCommunityPattern, LargeCommunityPattern};
use super::matching::show;

/// A change of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// LOCAL_PREF is this.
    LocalPref(u32),
    /// MULTI_EXIT_DISC is this; `None`: there is none. On the way out it goes to eBGP peers too.
    Med(Option<u32>),
    /// MULTI_EXIT_DISC is so much more, or less; one that is not there counts as 0, and it stays within its bounds. On
    /// the way out it goes to eBGP peers too.
    AddToMed(i32),
    /// The next hop is this.
    NextHop(NextHopEdit),
    /// The AS is put in front of the path so many times; `None` is our own.
    Prepend {
        /// Which AS.
        asn: Option<Asn>,
        /// How many times.
        times: u8,
    },
    /// A Link Bandwidth community says so many bits per second, in place of any other; `None`: there is none.
    LinkBandwidth(Option<u64>),
    /// The communities (RFC 1997) change.
    Communities(Change<Community, CommunityPattern>),
    /// The extended communities (RFC 4360) change.
    ExtendedCommunities(Change<ExtendedCommunity, ExtendedCommunityPattern>),
    /// The large communities (RFC 8092) change.
    LargeCommunities(Change<LargeCommunity, LargeCommunityPattern>),
    /// ONLY_TO_CUSTOMER is this, if it is not there (RFC 9234 section 5).
    OnlyToCustomer(Asn),
}

/// Another next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopEdit {
    /// This address. A route whose next hop is of the other version of IP keeps its own.
    Address(IpAddr),
    /// Our own address; on the way out only.
    Own,
    /// As received, to eBGP peers too; on the way out only. Our own routes still go out with our own address.
    Unchanged,
}

/// What happens to communities of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<C, P> {
    /// These are added, if they are not there.
    Add(Vec<C>),
    /// Those that match are taken out.
    Remove(Vec<P>),
    /// These take the place of all.
    Replace(Vec<C>),
}

impl Edit {
    /// Whether it only means something on the way out.
    #[must_use]
    pub fn is_for_export(&self) -> bool {
        matches!(self, Edit::NextHop(NextHopEdit::Own | NextHopEdit::Unchanged))
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::LocalPref(value) => write!(f, "set local preference {value}"),
            Edit::Med(Some(value)) => write!(f, "set MED {value}"),
            Edit::Med(None) => f.write_str("remove MED"),
            Edit::AddToMed(value) => write!(f, "add {value} to MED"),
            Edit::NextHop(NextHopEdit::Address(address)) => write!(f, "set next hop {address}"),
            Edit::NextHop(NextHopEdit::Own) => f.write_str("set next hop self"),
            Edit::NextHop(NextHopEdit::Unchanged) => f.write_str("leave next hop unchanged"),
            Edit::Prepend { asn: Some(asn), times } => write!(f, "prepend {asn} {times} times"),
            Edit::Prepend { asn: None, times } => write!(f, "prepend our AS {times} times"),
            Edit::LinkBandwidth(Some(bits)) => write!(f, "set link bandwidth {bits} bit/s"),
            Edit::LinkBandwidth(None) => f.write_str("remove link bandwidth"),
            Edit::Communities(change) => change.show(f, ["community", "communities"]),
            Edit::ExtendedCommunities(change) => {
                change.show(f, ["extended community", "extended communities"])
            }
            Edit::LargeCommunities(change) => change.show(f, ["large community", "large communities"]),
            Edit::OnlyToCustomer(asn) => write!(f, "only to customers of {asn}"),
        }
    }
}

impl<C: fmt::Display, P: fmt::Display> Change<C, P> {
    fn show(&self, f: &mut fmt::Formatter<'_>, [one, all]: [&str; 2]) -> fmt::Result {
        match self {
            Change::Add(list) => show(f, &format!("add {one}"), list),
            Change::Remove(list) => show(f, &format!("remove {one}"), list),
            Change::Replace(list) if list.is_empty() => write!(f, "remove all {all}"),
            Change::Replace(list) => show(f, &format!("set {all}"), list),
        }
    }
}
