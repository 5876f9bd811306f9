//! A program in the place of a route reflector that only writes: the limit of what a reflector can reach.
//!
//! It answers the OPENs, reads what the one sender sends without looking at it, and from the first UPDATE on writes to
//! every receiver octets that were made beforehand: what [`bgp_router`] makes of the sender's routes. These are kept in
//! a file. If that is missing, the program waits for the sender's whole table, makes them and keeps them; so its first
//! run takes longer, and the figures of that one mean nothing.

mod handshake;
mod options;
mod server;
mod stream;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let options = options::parse().unwrap_or_else(|| {
        eprint!("{}", options::USAGE);
        std::process::exit(2)
    });
    server::Server::new(options)?.run()
}
