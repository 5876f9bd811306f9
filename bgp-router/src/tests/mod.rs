//! Peers and the core together, with the far ends of the connections played by hand.

mod convergence;
mod policy;
mod pressure;
mod restart;
pub(crate) mod rig;
mod sessions;
