//! What the program is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bgp_core::{Asn, ClusterId, RouterId};
use bgp_router::Identity;

pub(crate) const USAGE: &str = "\
usage: limit --listen ADDRESS:PORT --as ASN --router-id ID --cluster-id ID --sender ADDRESS --stream FILE [--write OCTETS]

    --sender ADDRESS  the one client that has routes; all others are receivers
    --stream FILE     what a receiver is sent; made from what the sender sends if it is missing
    --write OCTETS    the most that one write may hold (65536)
";

/// What the program is told.
pub(crate) struct Options {
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// Whom the clients take us for.
    pub(crate) identity: Identity,
    /// The client with the routes.
    pub(crate) sender: IpAddr,
    /// What a receiver is sent.
    pub(crate) stream: PathBuf,
    /// The most octets in one write.
    pub(crate) write: usize,
}

/// Reads the command line; `None` if it makes no sense.
pub(crate) fn parse() -> Option<Options> {
    let (mut listen, mut asn, mut router_id, mut cluster_id) = (None, None, None, None);
    let (mut sender, mut stream, mut write) = (None, None, 65536);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match &*name {
            "--listen" => listen = Some(value.parse().ok()?),
            "--as" => asn = Some(Asn(value.parse().ok()?)),
            "--router-id" => router_id = Some(RouterId::from(value.parse::<Ipv4Addr>().ok()?)),
            "--cluster-id" => cluster_id = Some(ClusterId(value.parse::<Ipv4Addr>().ok()?.into())),
            "--sender" => sender = Some(value.parse().ok()?),
            "--stream" => stream = Some(value.into()),
            "--write" => write = value.parse().ok().filter(|octets| *octets > 0)?,
            _ => return None,
        }
    }
    let identity = Identity {
        local_as: asn?,
        router_id: router_id?,
        cluster_id: Some(cluster_id?),
        confederation: None,
    };
    Some(Options { listen: listen?, identity, sender: sender?, stream: stream?, write })
}
