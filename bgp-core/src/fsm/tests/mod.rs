//! Sessions against each other and against hostile input, on a virtual clock.

mod collisions;
mod faults;
mod hold;
mod lifecycle;
mod negotiation;
mod pair;
mod random;
mod rejections;
mod restart;
mod solo;
mod table;
