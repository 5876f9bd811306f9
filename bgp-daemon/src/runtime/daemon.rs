//! A running daemon, as an embedder holds it.

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::supervisor::{Options, StartError, Supervisor};
use crate::api::{self, ControlHandle};
use crate::config::Config;

/// Commands that may wait for the supervisor.
const COMMANDS: usize = 64;

/// A running daemon: sessions, RIB, control API. Stop it with [`Daemon::stop`]; dropping it ends its tasks
/// without a word to the peers.
#[derive(Debug)]
pub struct Daemon {
    control: ControlHandle,
    stop: watch::Sender<Option<String>>,
    tasks: JoinSet<()>,
}

impl Daemon {
    /// Starts a daemon. Must run in a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// What keeps it from starting, with the remedy. Nothing is left running then.
    pub async fn start(config: Config, mut options: Options) -> Result<Daemon, StartError> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let control = ControlHandle::new(commands);
        let (stop, stopped) = watch::channel(None);
        let routes = options.routes.take().unwrap_or_default();
        let servers = api::Servers::bind(&config.api, control.clone(), routes)?;
        let supervisor = Supervisor::start(config, options, inbox).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(supervisor.run(stopped.clone()));
        tasks.spawn(servers.serve(async move {
            let mut stopped = stopped;
            let _ = stopped.wait_for(Option::is_some).await;
        }));
        Ok(Daemon { control, stop, tasks })
    }

    /// The daemon's controls, the same that the API serves.
    #[must_use]
    pub fn control(&self) -> &ControlHandle {
        &self.control
    }

    /// Ends every session with a Cease that carries `text` (RFC 9003), and waits for the end of all tasks.
    pub async fn stop(mut self, text: &str) {
        self.stop.send_replace(Some(text.to_owned()));
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

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a task of the daemon failed: {error}");
    }
}
