//! What can be wrong beyond flags, length, sender and repetition, which [`Rule`](super::Rule) covers for every
//! attribute alike.

use super::Treatment::{self, Accept, DisableFamily, DiscardAttribute, ResetSession, TreatAsWithdraw};
use crate::wire::code;

/// One fault of one attribute's value, or of the UPDATE itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// The attribute's type code; 0 for the UPDATE itself.
    pub code: u8,
    /// What is wrong.
    pub fault: &'static str,
    /// What it does to the UPDATE.
    pub treatment: Treatment,
    /// Where that is written.
    pub section: &'static str,
}

/// All faults of values and of the UPDATE itself: the latter first, then by type code.
pub fn fault_rules() -> impl Iterator<Item = FaultRule> {
    FAULTS.iter().map(|&(code, fault, treatment, section)| FaultRule { code, fault, treatment, section })
}

const UPDATE: u8 = 0;
const TRAFFIC_ENGINEERING: u8 = 24;
const ATTR_SET: u8 = 128;

#[rustfmt::skip]
const FAULTS: &[(u8, &str, Treatment, &str)] = &[
    (UPDATE, "a length field is missing or claims more than there is",      ResetSession,     "RFC 4271 section 6.3"),
    (UPDATE, "an unknown attribute is marked well-known",                   TreatAsWithdraw,  "RFC 4271 section 6.3"),
    (UPDATE, "an unknown attribute comes twice",                            DiscardAttribute, "RFC 7606 section 3 g"),
    (UPDATE, "of several faults the strongest treatment decides",           TreatAsWithdraw,  "RFC 7606 section 3 h"),
    (UPDATE, "an attribute reaches past the end, destinations are known",   TreatAsWithdraw,  "RFC 7606 section 4"),
    (UPDATE, "an attribute's header is cut off, destinations are known",    TreatAsWithdraw,  "RFC 7606 section 4"),
    (UPDATE, "the MP attributes are not the first",                         Accept,           "RFC 7606 section 5.1"),
    (UPDATE, "all four ways to list destinations are used at once",         Accept,           "RFC 7606 section 5.1"),
    (UPDATE, "an attribute reaches past the end, nothing is announced",     ResetSession,     "RFC 7606 section 5.2"),
    (UPDATE, "treat as withdraw, but nothing is announced",                 ResetSession,     "RFC 7606 section 5.2"),
    (UPDATE, "attribute discard, and nothing is announced",                 DiscardAttribute, "RFC 7606 section 5.2"),
    (UPDATE, "Withdrawn Routes can't be read",                              ResetSession,     "RFC 7606 section 5.3"),
    (UPDATE, "Network Layer Reachability Information can't be read",        ResetSession,     "RFC 7606 section 5.3"),
    (code::ORIGIN, "is missing",                                            TreatAsWithdraw,  "RFC 7606 section 3 d"),
    (code::ORIGIN, "is none of 0, 1, 2",                                    TreatAsWithdraw,  "RFC 7606 section 7.1"),
    (code::AS_PATH, "is missing",                                           TreatAsWithdraw,  "RFC 7606 section 3 d"),
    (code::AS_PATH, "a segment's type is undefined",                        TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::AS_PATH, "a segment is empty",                                   TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::AS_PATH, "a segment is cut off",                                 TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::AS_PATH, "a single octet is left after the last segment",        TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::AS_PATH, "is empty, from an external peer",                      TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::AS_PATH, "has but a confederation's segments, from an external peer", TreatAsWithdraw, "RFC 5065 section 5"),
    (code::AS_PATH, "has a confederation's segment among others, from an external peer", TreatAsWithdraw, "RFC 5065 section 5"),
    (code::AS_PATH, "holds AS number 0",                                    TreatAsWithdraw,  "RFC 7607 section 2"),
    (code::AS_PATH, "is too long with four-octet AS numbers",               TreatAsWithdraw,  "RFC 7606 section 7.2"),
    (code::NEXT_HOP, "is missing, for IPv4 destinations",                   TreatAsWithdraw,  "RFC 7606 section 3 d"),
    (code::NEXT_HOP, "is missing or malformed, beside MP_REACH_NLRI",       Accept,           "RFC 7606 section 3 d"),
    (code::NEXT_HOP, "is no address of a host",                             TreatAsWithdraw,  "RFC 4271 section 6.3"),
    (code::ATOMIC_AGGREGATE, "has wrong flags",                             TreatAsWithdraw,  "RFC 7606 section 3 c"),
    (code::AGGREGATOR, "has wrong flags",                                   TreatAsWithdraw,  "RFC 7606 section 3 c"),
    (code::AGGREGATOR, "holds AS number 0",                                 DiscardAttribute, "RFC 7607 section 2"),
    (code::MP_REACH_NLRI, "the next hop's length is not one of the family", DisableFamily,    "RFC 7606 section 7.11"),
    (code::MP_REACH_NLRI, "the next hop reaches past the end",              DisableFamily,    "RFC 7606 section 7.11"),
    (code::MP_REACH_NLRI, "the next hop is no address of a host",           TreatAsWithdraw,  "RFC 4271 section 6.3"),
    (code::MP_REACH_NLRI, "destinations can't be read",                     DisableFamily,    "RFC 7606 section 5.3"),
    (code::MP_REACH_NLRI, "the family was not negotiated",                  DiscardAttribute, "RFC 4760 section 8"),
    (code::MP_UNREACH_NLRI, "destinations can't be read",                   DisableFamily,    "RFC 7606 section 5.3"),
    (code::MP_UNREACH_NLRI, "the family was not negotiated",                DiscardAttribute, "RFC 4760 section 8"),
    (code::AS4_PATH, "a segment's type is undefined",                       DiscardAttribute, "RFC 6793 section 6"),
    (code::AS4_PATH, "a segment is empty",                                  DiscardAttribute, "RFC 6793 section 6"),
    (code::AS4_PATH, "a segment is cut off",                                DiscardAttribute, "RFC 6793 section 6"),
    (code::AS4_PATH, "holds AS number 0",                                   DiscardAttribute, "RFC 7607 section 2"),
    (code::AS4_PATH, "has a confederation's segment, which is ignored",     Accept,           "RFC 6793 section 6"),
    (code::AS4_AGGREGATOR, "holds AS number 0",                             DiscardAttribute, "RFC 7607 section 2"),
    (code::PMSI_TUNNEL, "the identifier's length is not one of the tunnel type", TreatAsWithdraw, "RFC 6514 section 5"),
    (code::PMSI_TUNNEL, "the tunnel type is unknown here",                  Accept,           "RFC 7385 section 2"),
    (code::TUNNEL_ENCAPSULATION, "a tunnel reaches past the end",           TreatAsWithdraw,  "RFC 9012 sections 11 and 13"),
    (code::TUNNEL_ENCAPSULATION, "a sub-TLV reaches past the end of its tunnel", TreatAsWithdraw, "RFC 9012 sections 11 and 13"),
    (code::TUNNEL_ENCAPSULATION, "a sub-TLV's own value is malformed",      Accept,           "RFC 9012 section 13"),
    (code::TUNNEL_ENCAPSULATION, "a tunnel's type is unknown here",         Accept,           "RFC 9012 section 13"),
    (TRAFFIC_ENGINEERING, "any value: not known here, so dropped",          Accept,           "RFC 7606 section 7.13"),
    (code::AIGP, "a TLV reaches past the end",                              DiscardAttribute, "RFC 7311 sections 3.2 and 3.3"),
    (code::AIGP, "a TLV's length does not count its own header",            DiscardAttribute, "RFC 7311 sections 3.2 and 3.3"),
    (code::AIGP, "the metric does not have 8 octets",                       DiscardAttribute, "RFC 7311 sections 3.2 and 3.3"),
    (code::AIGP, "comes with unknown TLVs, or with several metrics",        Accept,           "RFC 7311 section 3"),
    (code::PREFIX_SID, "a TLV reaches past the end",                        DiscardAttribute, "RFC 8669 sections 4 and 6"),
    (code::PREFIX_SID, "Label-Index does not have 7 octets",                DiscardAttribute, "RFC 8669 sections 4 and 6"),
    (code::PREFIX_SID, "Originator SRGB is not made of whole ranges",       DiscardAttribute, "RFC 8669 sections 4 and 6"),
    (code::PREFIX_SID, "a sub-TLV reaches past the end of its SRv6 service", DiscardAttribute, "RFC 8669 sections 4 and 6"),
    (code::PREFIX_SID, "comes with unknown TLVs",                           Accept,           "RFC 8669 section 3"),
    (ATTR_SET, "any value: not known here, so passed on as it is",          Accept,           "RFC 7606 section 7.16"),
];
