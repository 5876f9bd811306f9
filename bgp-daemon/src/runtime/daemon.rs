//! A running daemon, as an embedder holds it.

use std::pin::Pin;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::supervisor::{Options, StartError, Supervisor};
use crate::api::{ApiServer, ControlHandle};
use crate::config::Config;

/// A running daemon: sessions, RIB, control API. Stop it with [`Daemon::stop`]; dropping it ends its tasks
/// without a word to the peers.
#[derive(Debug)]
pub struct Daemon {
    control: ControlHandle,
    stop: watch::Sender<Option<String>>,
    stop_api: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Daemon {
    /// Starts a daemon. Must run in a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// What keeps it from starting, with the remedy. Nothing is left running then.
    // Boxed: else all that it runs would be compiled again with each program that starts one.
    #[inline(never)]
    pub fn start(
        config: Config,
        options: Options,
    ) -> Pin<Box<dyn Future<Output = Result<Daemon, StartError>> + Send>> {
        Box::pin(Daemon::begin(config, options))
    }

    async fn begin(config: Config, mut options: Options) -> Result<Daemon, StartError> {
        let (control, inbox) = ControlHandle::new(&host_name());
        let (stop, stopped) = watch::channel(None);
        let (stop_api, api_stopped) = watch::channel(false);
        let routes = options.routes.take().unwrap_or_default();
        let metrics = options.metrics.get_or_insert_default().clone();
        let server = ApiServer::bind(&config.api).await?;
        let supervisor = Supervisor::start(config, options, control.clone(), inbox).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(supervisor.run(stopped));
        let serving = server.serve(control.clone(), routes, metrics, api_stopped);
        tasks.spawn(serving);
        Ok(Daemon { control, stop, stop_api, tasks })
    }

    /// The daemon's controls, the same that the API serves.
    #[must_use]
    pub fn control(&self) -> &ControlHandle {
        &self.control
    }

    /// Ends every session and waits for the end of all tasks. A peer that knows graceful restart is told nothing, so that
    /// it keeps our routes for the next run (RFC 4724 section 4.2); others get a Cease that carries `text` (RFC 9003).
    /// After `bgp drain` all get one, with the reason given there.
    pub async fn stop(mut self, text: &str) {
        self.stop.send_replace(Some(text.to_owned()));
        self.stop_api.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            report(ended);
        }
    }

    /// Waits until a task of the daemon ends by itself, which none should.
    pub async fn failed(&mut self) {
        if let Some(ended) = self.tasks.join_next().await {
            report(ended);
        }
    }
}

/// This host's name, as the kernel has it.
#[must_use]
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a task of the daemon failed: {error}");
    }
}
