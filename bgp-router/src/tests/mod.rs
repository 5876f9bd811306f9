//! Peers and the core together, with the far ends of the connections played by hand.

mod as_numbers;
mod convergence;
mod import_policy;
mod link_local;
mod policy;
mod pressure;
mod refresh;
mod restart;
pub(crate) mod rig;
mod roles;
mod sessions;
