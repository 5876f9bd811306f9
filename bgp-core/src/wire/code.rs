//! Path attribute type codes: those with a [rule](super::rules), by number. The registry is IANA's "BGP Path
//! Attributes".

/// ORIGIN (RFC 4271 section 5.1.1).
pub const ORIGIN: u8 = 1;
/// AS_PATH (RFC 4271 section 5.1.2).
pub const AS_PATH: u8 = 2;
/// NEXT_HOP (RFC 4271 section 5.1.3).
pub const NEXT_HOP: u8 = 3;
/// MULTI_EXIT_DISC (RFC 4271 section 5.1.4).
pub const MULTI_EXIT_DISC: u8 = 4;
/// LOCAL_PREF (RFC 4271 section 5.1.5).
pub const LOCAL_PREF: u8 = 5;
/// ATOMIC_AGGREGATE (RFC 4271 section 5.1.6).
pub const ATOMIC_AGGREGATE: u8 = 6;
/// AGGREGATOR (RFC 4271 section 5.1.7).
pub const AGGREGATOR: u8 = 7;
/// COMMUNITIES (RFC 1997).
pub const COMMUNITIES: u8 = 8;
/// ORIGINATOR_ID (RFC 4456 section 8).
pub const ORIGINATOR_ID: u8 = 9;
/// CLUSTER_LIST (RFC 4456 section 8).
pub const CLUSTER_LIST: u8 = 10;
/// MP_REACH_NLRI (RFC 4760 section 3).
pub const MP_REACH_NLRI: u8 = 14;
/// MP_UNREACH_NLRI (RFC 4760 section 4).
pub const MP_UNREACH_NLRI: u8 = 15;
/// EXTENDED COMMUNITIES (RFC 4360 section 2).
pub const EXTENDED_COMMUNITIES: u8 = 16;
/// AS4_PATH (RFC 6793 section 3).
pub const AS4_PATH: u8 = 17;
/// AS4_AGGREGATOR (RFC 6793 section 3).
pub const AS4_AGGREGATOR: u8 = 18;
/// PMSI Tunnel (RFC 6514 section 5).
pub const PMSI_TUNNEL: u8 = 22;
/// Tunnel Encapsulation (RFC 9012 section 2).
pub const TUNNEL_ENCAPSULATION: u8 = 23;
/// IPv6 Address Specific Extended Community (RFC 5701 section 2).
pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
/// AIGP (RFC 7311 section 3).
pub const AIGP: u8 = 26;
/// LARGE_COMMUNITY (RFC 8092 section 3).
pub const LARGE_COMMUNITY: u8 = 32;
/// Only to Customer (RFC 9234 section 5).
pub const ONLY_TO_CUSTOMER: u8 = 35;
/// BGP Prefix-SID (RFC 8669 section 3).
pub const PREFIX_SID: u8 = 40;
