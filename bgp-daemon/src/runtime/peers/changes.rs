//! What a reload does to peers that run.

use std::net::IpAddr;

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;

use super::{PeerSet, Running};
use crate::config::{Config, PeerConfig, Selector};
use crate::net::KeyError;
use crate::runtime::peer_task::{PeerCommand, Reconfigure};
use crate::runtime::settings;

impl PeerSet {
    /// Treats the peers of an entry differently without ending their sessions.
    pub(in crate::runtime) async fn reconfigure(
        &mut self,
        config: &Config,
        entry: &PeerConfig,
    ) -> Result<(), KeyError> {
        if let Some(range) = settings::range(config, entry) {
            self.table.set_range(range);
        }
        let members: Vec<IpAddr> = self
            .running
            .iter()
            .filter(|(_, running)| running.config.selector == entry.selector)
            .map(|(address, _)| *address)
            .collect();
        for address in members {
            let change = Reconfigure {
                settings: settings::peer(config, entry, address, self.forwarding),
                connect: settings::connect(entry, address)?,
                name: entry.name.clone(),
                path: settings::path(entry),
            };
            self.command(address, PeerCommand::Reconfigure(Box::new(change))).await;
            if let Some(running) = self.running.get_mut(&address) {
                let was = std::mem::replace(&mut *running.config, entry.clone());
                let command = match (was.enabled, entry.enabled) {
                    (false, true) => PeerCommand::Start,
                    (true, false) => {
                        PeerCommand::Stop(Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "disabled"))
                    }
                    _ => continue,
                };
                self.command(address, command).await;
            }
        }
        Ok(())
    }

    /// Ends the peers of entries that are no longer in the configuration, and waits for them.
    pub(in crate::runtime) async fn remove(&mut self, selectors: &[Selector], notification: &Notification) {
        for selector in selectors {
            if let Selector::Range(network) = selector
                && let Some(range) = bgp_core::Prefix::new(network.network(), network.prefix())
            {
                self.table.remove_range(range);
                self.connects.remove(selector);
            }
        }
        let is_of = |running: &Running| selectors.contains(&running.config.selector);
        let leaving = self.running.iter().filter(|(_, r)| is_of(r)).map(|(address, _)| *address).collect();
        self.end(leaving, notification).await;
    }

    /// Ends the members of ranges for whom `config` has another entry now, and waits for them: that entry takes them
    /// when they come back.
    pub(in crate::runtime) async fn remove_misplaced(
        &mut self,
        config: &Config,
        notification: &Notification,
    ) {
        let is_misplaced = |address: IpAddr, running: &Running| {
            let member = matches!(running.config.selector, Selector::Range(_));
            member && config.peer_for(address).is_some_and(|e| e.selector != running.config.selector)
        };
        let leaving = self.running.iter().filter(|(a, r)| is_misplaced(**a, r)).map(|(a, _)| *a).collect();
        self.end(leaving, notification).await;
    }
}
