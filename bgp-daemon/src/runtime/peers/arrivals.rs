//! Who comes: connections from outside, and neighbors on links.

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use bgp_core::fsm::State;
use bgp_core::link_local;
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_router::{Admission, Stranger};
use tracing::{debug, info};

use super::PeerSet;
use crate::config::{Config, PeerConfig, Selector};
use crate::net::{Authentication, Inbound, KeyError, Limiter, address_of, link_name, shown};
use crate::runtime::peer_task::PeerCommand;
use crate::runtime::settings;

/// Connections of one address that are taken at once, and the time after which one more is: each is work for all.
const ATTEMPT_BURST: u32 = 20;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(500);

/// What counts the connections of each peer.
pub(super) fn attempts() -> Limiter {
    Limiter::of_hosts(ATTEMPT_BURST, ATTEMPT_INTERVAL)
}

/// Why a connection was refused.
#[derive(Debug, thiserror::Error)]
pub(in crate::runtime) enum Refused {
    #[error(transparent)]
    Stranger(#[from] Stranger),
    #[error("the peer is disabled in the configuration")]
    Disabled,
    #[error("the connection is not signed with TCP-AO: it came before the peer's keys did")]
    Unsigned,
    #[error(transparent)]
    Ttl(#[from] crate::net::TtlSecurityError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Option(#[from] crate::net::OptionError),
    #[error("it connects more often than twice a second")]
    Eager,
    #[error("the range {0} has more connections a second than the {1} of `max-connects`")]
    TooOften(Selector, u32),
    #[error("its task does not take it")]
    Busy,
}

impl PeerSet {
    /// Makes the neighbour on a link the peer of its entry. Another one that was there before stays while it has a
    /// session: two routers on one link do not take turns.
    pub(in crate::runtime) async fn meet(
        &mut self,
        config: &Config,
        entry: &PeerConfig,
        address: IpAddr,
    ) -> Result<(), KeyError> {
        let before = self.running.iter().find(|(_, running)| running.config.selector == entry.selector);
        match before.map(|(address, _)| *address) {
            Some(known) if known == address => return Ok(()),
            Some(other) => {
                let state = self.status(other).await.map(|(_, status)| status.state);
                if state == Some(State::Established) {
                    debug!(peer = shown(other), "keeps its session though {} is on the link", shown(address));
                    return Ok(());
                }
                let gone = Notification::cease(cease::PEER_DECONFIGURED, "another neighbor is on the link");
                self.end(vec![other], &gone).await;
            }
            None => {}
        }
        info!(peer = shown(address), "the neighbor on {}", entry.selector);
        self.add_one(config, entry, address).await
    }

    /// Ends the peers on a link that carries no packets any more.
    pub(in crate::runtime) async fn lose(&mut self, link: NonZeroU32) {
        let gone = Notification::cease(cease::PEER_DECONFIGURED, "the link is down");
        let lost = self.running.keys().filter(|address| link_local::link(**address) == Some(link));
        self.end(lost.copied().collect(), &gone).await;
    }

    /// Gives an incoming connection to its peer, which a range may make on the spot.
    pub(in crate::runtime) async fn incoming(
        &mut self,
        config: &Config,
        inbound: Inbound,
    ) -> Result<(), Refused> {
        let address = address_of(inbound.peer);
        let entry = entry_of(config, address).ok_or(Stranger::Unknown)?;
        if !entry.enabled {
            return Err(Refused::Disabled);
        }
        if !self.attempts.allow(self.shared.clock.now(), address) {
            return Err(Refused::Eager);
        }
        self.count_connect(entry)?;
        match settings::authentication(entry)? {
            Some(Authentication::Md5(key)) => inbound.require_key(&key)?,
            Some(Authentication::Ao(_)) if !inbound.is_signed_with_ao()? => return Err(Refused::Unsigned),
            Some(Authentication::Ao(_)) | None => {}
        }
        if let Some(hops) = entry.ttl_security.and_then(NonZeroU8::new) {
            inbound.require_ttl(hops)?;
        }
        if matches!(entry.selector, Selector::Interface(_)) {
            self.meet(config, entry, address).await?;
        }
        if let Admission::New { id, .. } = self.table.admit(address)? {
            self.spawn(config, entry, address, id, Some(&inbound)).await?;
            self.command(address, PeerCommand::Start).await;
        }
        let Inbound { stream, local, peer } = inbound;
        let command = PeerCommand::Incoming(stream, local, peer);
        let running = self.running.get(&address).ok_or(Refused::Busy)?;
        running.commands.try_send(Box::new(command)).map_err(|_| Refused::Busy)
    }

    /// Counts a connection from a range, if so many are allowed now: a whole rack that starts at once, or a member that
    /// cannot get its session up, must not keep the others waiting.
    fn count_connect(&mut self, entry: &PeerConfig) -> Result<(), Refused> {
        let Some(most) = entry.max_connects.filter(|_| matches!(entry.selector, Selector::Range(_))) else {
            return Ok(());
        };
        let rate = self.connects.entry(entry.selector).or_default();
        match rate.allow(self.shared.clock.now(), most) {
            true => Ok(()),
            false => Err(Refused::TooOften(entry.selector, most)),
        }
    }
}

/// The entry that a peer with this address belongs to.
fn entry_of(config: &Config, address: IpAddr) -> Option<&PeerConfig> {
    let on_link = match link_local::split(address) {
        (IpAddr::V6(bare), Some(link)) => link_name(link).and_then(|name| config.neighbor(bare, name)),
        _ => None,
    };
    on_link.or_else(|| config.peer_for(address))
}
