//! What is to be known of a session to read its messages.

use crate::wire::capability::{ExtendedNextHop, Offered, SendReceive};
use crate::wire::header::{MAX_EXTENDED_LEN, MAX_LEN};
use crate::wire::{Capability, DecodeContext, Open};
use crate::{Family, FamilySet, PeerKind};

/// What is to be known of the session that the messages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribeContext {
    /// How UPDATEs are read.
    pub decode: DecodeContext,
    /// The longest message, 4096 or 65535.
    pub max_len: usize,
}

/// An internal session of today: all families, four-octet AS numbers, extended messages, no path identifiers.
impl Default for DescribeContext {
    fn default() -> DescribeContext {
        let decode = DecodeContext::new(PeerKind::Internal, FamilySet::ALL);
        DescribeContext { decode, max_len: MAX_EXTENDED_LEN }
    }
}

impl DescribeContext {
    /// The session that the sender of `open` gets from a peer that answers with the same capabilities. The kind of the
    /// session stays.
    #[must_use]
    pub fn with_open(self, open: &Open) -> DescribeContext {
        let sender = Offer::of(open);
        let receiver = Offer { receives_paths: FamilySet::ALL, ..sender };
        self.agreed(&sender, &receiver)
    }

    /// What `sender` sends in the session that follows from these two OPENs: what both offer, path identifiers where
    /// the one sends and the other receives them (RFC 7911 section 4), extended messages if the receiver takes them
    /// (RFC 8654 section 4). Internal if both are of the same AS.
    ///
    /// ```
    /// use bgp_core::describe::DescribeContext;
    /// use bgp_core::wire::{Capability, Open};
    /// use bgp_core::{Asn, PeerKind, RouterId};
    ///
    /// let open = |asn, capabilities| Open { asn: Asn(asn), hold_time: 90, router_id: RouterId(asn), capabilities };
    /// let new = open(64512, vec![Capability::FourOctetAs(Asn(64512))]);
    /// let old = open(64513, vec![]);
    /// let context = DescribeContext::between(&new, &old);
    /// assert!(!context.decode.four_octet_as && context.decode.kind == PeerKind::External);
    /// ```
    #[must_use]
    pub fn between(sender: &Open, receiver: &Open) -> DescribeContext {
        let mut context = DescribeContext::default();
        if sender.asn != receiver.asn {
            context.decode.kind = PeerKind::External;
        }
        context.agreed(&Offer::of(sender), &Offer::of(receiver))
    }

    fn agreed(self, sender: &Offer, receiver: &Offer) -> DescribeContext {
        let decode = DecodeContext {
            four_octet_as: sender.four_octet_as && receiver.four_octet_as,
            families: sender.families.intersection(receiver.families),
            add_path: sender.sends_paths.intersection(receiver.receives_paths),
            extended_next_hop: sender.ipv6_next_hops.intersection(receiver.ipv6_next_hops),
            multiple_labels: sender.several_labels.intersection(receiver.several_labels),
            ..self.decode
        };
        DescribeContext {
            decode,
            max_len: if receiver.extended_message { MAX_EXTENDED_LEN } else { MAX_LEN },
        }
    }
}

/// What an OPEN offers that matters for reading messages.
#[derive(Clone, Copy, Debug)]
struct Offer {
    four_octet_as: bool,
    extended_message: bool,
    families: FamilySet,
    sends_paths: FamilySet,
    receives_paths: FamilySet,
    ipv6_next_hops: FamilySet,
    several_labels: FamilySet,
}

impl Offer {
    fn of(open: &Open) -> Offer {
        let offered = Offered(&open.capabilities);
        let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
        let families =
            |wanted: &dyn Fn(Family) -> bool| FamilySet::ALL.iter().filter(|f| wanted(*f)).collect();
        let paths = |wanted: fn(SendReceive) -> bool| {
            families(&|family| offered.add_path(family).is_some_and(wanted))
        };
        // RFC 4760 section 8: without the capability it is a session for IPv4.
        let ipv4_only = !has(|capability| matches!(capability, Capability::Multiprotocol(_)));
        Offer {
            four_octet_as: offered.four_octet_as().is_some(),
            extended_message: has(|capability| *capability == Capability::ExtendedMessage),
            families: families(&|family| match ipv4_only {
                true => family == Family::IPV4_UNICAST,
                false => open.capabilities.contains(&Capability::Multiprotocol(family)),
            }),
            sends_paths: paths(SendReceive::sends),
            receives_paths: paths(SendReceive::receives),
            ipv6_next_hops: families(&|family| has_ipv6_next_hop(open, family)),
            several_labels: families(&|family| offered.labels(family) > 1),
        }
    }
}

fn has_ipv6_next_hop(open: &Open, family: Family) -> bool {
    let wanted = ExtendedNextHop { family, next_hop_afi: Family::IPV6_UNICAST.afi };
    open.capabilities.iter().any(|capability| match capability {
        Capability::ExtendedNextHop(entries) => entries.contains(&wanted),
        _ => false,
    })
}
