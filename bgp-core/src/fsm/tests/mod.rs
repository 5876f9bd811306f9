//! Sessions against each other and against hostile input, on a virtual clock.

mod collisions;
mod faults;
mod lifecycle;
mod negotiation;
mod pair;
mod random;
mod solo;
