//! `bgp wait`: looks at the peers, then again after each event, until the condition holds or time is up.

use std::time::Duration;

use bgp_daemon::api::schema::{EventKind, PeerRef, PeerRow, Peers, SessionState, Topic};

use crate::args::WaitArgs;
use crate::client::Client;
use crate::error::CliError;

/// How soon a daemon that is not there yet is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Ends with the peers once the condition holds.
pub(crate) async fn wait(client: &Client, args: &WaitArgs) -> Result<Vec<PeerRow>, CliError> {
    let mut last = None;
    let result = tokio::time::timeout(args.timeout, until(client, args, &mut last)).await;
    match (result, last) {
        (Ok(result), _) => result,
        (Err(_), Some(unreachable)) => Err(unreachable),
        (Err(_), None) => Err(CliError::Timeout(format!("{:?}", args.timeout))),
    }
}

/// A daemon that cannot be reached may just be starting, so that is no reason to give up.
async fn until(
    client: &Client,
    args: &WaitArgs,
    last: &mut Option<CliError>,
) -> Result<Vec<PeerRow>, CliError> {
    loop {
        match watch(client, args, last).await {
            Ok(Some(peers)) => return Ok(peers),
            Ok(None) => {}
            Err(error @ (CliError::Unreachable { .. } | CliError::Broken(_))) => *last = Some(error),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// `None` if the stream of events ends first.
async fn watch(
    client: &Client,
    args: &WaitArgs,
    last: &mut Option<CliError>,
) -> Result<Option<Vec<PeerRow>>, CliError> {
    let mut events = client.events(Topic::Peers).await?;
    *last = None;
    loop {
        let peers = client.get::<Peers>("/v1/peers").await?.body.peers;
        if holds(args, &peers) {
            return Ok(Some(peers));
        }
        loop {
            match events.next().await?.map(|event| event.kind) {
                None => return Ok(None),
                Some(EventKind::Peer { .. } | EventKind::PeerRemoved { .. } | EventKind::Lagged { .. }) => {
                    break;
                }
                Some(_) => {}
            }
        }
    }
}

fn holds(args: &WaitArgs, peers: &[PeerRow]) -> bool {
    let is_up = |peer: &PeerRow| peer.state == SessionState::Established;
    let up = peers.iter().filter(|peer| is_up(peer)).count();
    let named = |name: &String| {
        let wanted = PeerRef::from(name.as_str());
        peers.iter().any(|peer| wanted.is(&peer.address, peer.name.as_deref()) && is_up(peer))
    };
    let all_up = peers.iter().filter(|peer| peer.enabled).all(is_up) && up > 0;
    args.established.iter().all(named) && (!args.all || all_up) && args.count.is_none_or(|count| up >= count)
}
