use crate::{Net, Peer, Result, SeenRoute, ensure};
use std::collections::BTreeSet;

/// Waits until `peer` holds exactly the `expected` routes from its neighbours, every attribute equal.
///
/// # Errors
/// [`crate::Error::Timeout`] with what is missing and what is too much.
pub fn expect_routes(net: &Net, peer: &mut dyn Peer, expected: &[SeenRoute]) -> Result<()> {
    let expected: BTreeSet<SeenRoute> = expected.iter().cloned().collect();
    let what = format!("{} has exactly {} routes", peer.name(), expected.len());
    net.eventually(&what, || {
        let seen: BTreeSet<SeenRoute> = peer.routes()?.into_iter().collect();
        ensure(seen == expected, || difference(&expected, &seen))
    })
}

fn difference(expected: &BTreeSet<SeenRoute>, seen: &BTreeSet<SeenRoute>) -> String {
    let missing = expected.difference(seen).map(|route| format!("  missing    {route}\n"));
    let extra = seen.difference(expected).map(|route| format!("  unexpected {route}\n"));
    missing.chain(extra).collect::<String>()
}
