//! next_hop
