//! Every input on record that broke another BGP daemon, as a test named by the record: it builds that input and asserts
//! what is right instead.
//!
//! Of the records, four concern nothing that lies in this crate: CVE-2024-55553 (RPKI, not built), CVE-2025-43970 (MRT,
//! see `bgp-capture`), CVE-2025-43973 (RPKI-RTR, not built) and CVE-2021-26928 (no authentication in use: TCP MD5 and
//! GTSM are `bgp-daemon`'s).

#![cfg(test)]

mod attributes;
mod destinations;
mod open;
mod rig;
mod session;
mod update;
