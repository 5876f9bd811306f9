//! Reload: the new configuration is checked whole, compared by value, and only what differs is touched.

use std::collections::BTreeSet;

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use tracing::{info, warn};

use super::announce::Source;
use super::supervisor::Supervisor;
use crate::api::ControlError;
use crate::api::schema::{Event, EventKind, ReloadReport};
use crate::config::{Changes, Config, Impact, PeerChange, Selector, diff};
use crate::confine;
use crate::net::{FileWatch, KeyError};

impl Supervisor {
    /// Reads the configuration again. On any error the running one stays as it is.
    pub(super) async fn reload(&mut self) -> Result<ReloadReport, ControlError> {
        let result = self.try_reload().await;
        let error = result.as_ref().err().map(ToString::to_string);
        match &error {
            None => info!("configuration reloaded"),
            Some(error) => warn!("configuration not reloaded, the running one stays: {error}"),
        }
        let kind = EventKind::Reload { success: error.is_none(), error: error.clone() };
        self.control.events().publish(Event::now(kind));
        self.note_reload(error);
        result
    }

    async fn try_reload(&mut self) -> Result<ReloadReport, ControlError> {
        let Some(path) = &self.config_path else {
            return Err(ControlError::Refused {
                message: "this daemon was started without a configuration file".to_owned(),
                hint: Some("start it with --config FILE".to_owned()),
            });
        };
        let new = Config::load(path, self.config.daemon).map_err(|diagnostics| {
            let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
            ControlError::InvalidConfig(texts.join("\n\n"))
        })?;
        let changes = diff(&self.config, &new);
        let restart: Vec<String> = changes.need_restart().map(ToString::to_string).collect();
        if !restart.is_empty() {
            return Err(ControlError::Refused {
                message: format!("these changes need a restart: {}", restart.join("; ")),
                hint: Some("nothing was changed; restart the daemon to bring them into effect".to_owned()),
            });
        }
        let given_up = confine::given_up(&new, Some(path));
        if !given_up.is_empty() {
            return Err(ControlError::Refused {
                message: format!("the daemon gave up at its start: {}", given_up.join("; ")),
                hint: Some(
                    "nothing was changed; restart the daemon, which then keeps what it needs".to_owned(),
                ),
            });
        }
        let file = self.new_file_watch(&new)?;
        let mut report = ReloadReport::from(&changes);
        report.warnings = new.warnings.iter().map(ToString::to_string).collect();
        self.apply(new, &changes, file).await?;
        Ok(report)
    }

    /// The watch on the announce file, if another one is to be watched.
    fn new_file_watch(&self, new: &Config) -> Result<Option<Option<FileWatch>>, ControlError> {
        if new.announce.file == self.config.announce.file {
            return Ok(None);
        }
        let watch = new.announce.file.as_ref().map(FileWatch::new).transpose();
        watch.map(Some).map_err(|error| ControlError::Refused { message: error.to_string(), hint: None })
    }

    async fn apply(
        &mut self,
        new: Config,
        changes: &Changes,
        file: Option<Option<FileWatch>>,
    ) -> Result<(), ControlError> {
        let refused = |error: String| ControlError::Refused { message: error, hint: None };
        if let Err(error) = self.set_keys(&new) {
            if let Err(error) = self.set_keys(&self.config) {
                warn!("not all keys are as before: {error}");
            }
            return Err(refused(error.to_string()));
        }
        if new.log.level != self.config.log.level
            && let Some(log) = &self.log
            && let Err(error) = log.set_level(&new.log.level)
        {
            warn!("{error}");
        }
        let regrouped = new.network != self.config.network;
        self.config = new;
        let config = self.config.clone();
        if let Some(reloaded) = &self.reloaded {
            reloaded.send_replace(config.clone());
        }
        if regrouped {
            self.bar_pools().await;
            for source in [Source::File, Source::Api] {
                self.warn_of(&self.announcements.of(source));
            }
        }
        let deconfigured = Notification::cease(cease::PEER_DECONFIGURED, "removed from the configuration");
        self.peers.remove(&changes.peers_removed, &deconfigured).await;
        let changed = Notification::cease(cease::CONFIGURATION_CHANGE, "configuration changed");
        let resets = |change: &&PeerChange| change.impact() >= Impact::SessionReset;
        let reset: Vec<Selector> =
            changes.peers_changed.iter().filter(resets).map(|change| change.peer.selector).collect();
        self.peers.remove(&reset, &changed).await;
        self.peers.remove_misplaced(&config, &changed).await;
        for change in &changes.peers_changed {
            self.change_peer(&config, change).await.map_err(|error| refused(error.to_string()))?;
        }
        for entry in &changes.peers_added {
            self.peers.add(&config, entry).await.map_err(|error| refused(error.to_string()))?;
        }
        self.monitoring.apply(&self.config.bmp, self.config.mrt.as_ref());
        self.neighbors.follow(&config.peers).map_err(|error| refused(error.to_string()))?;
        self.set_aggregates().await;
        let prefixes: BTreeSet<_> = self.config.announce.prefixes.iter().copied().collect();
        self.announce(Source::Config, |set| *set = prefixes).await;
        if let Some(file) = file {
            self.file = file;
            if self.file.is_none() {
                self.announce(Source::File, BTreeSet::clear).await;
            }
        }
        Ok(())
    }

    async fn change_peer(&mut self, config: &Config, change: &PeerChange) -> Result<(), KeyError> {
        match change.impact() {
            // Its peers were ended.
            impact if impact >= Impact::SessionReset => self.peers.add(config, &change.peer).await,
            _ => self.peers.reconfigure(config, &change.peer).await,
        }
    }
}
