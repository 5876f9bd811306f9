//! Real routers send and take routes of every family.

mod bird;
mod capabilities;
mod exact;
mod frr;
mod gobgp;
mod routes;
mod speaker;
