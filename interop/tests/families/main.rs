//! Real routers send and take routes of every family.

mod bird;
mod exact;
mod gobgp;
mod speaker;
