//! The daemon and the kernel's side put together.

use std::path::PathBuf;

use bgp_daemon::config::Config;
use bgp_daemon::log::LogHandle;
use bgp_daemon::runtime::{Daemon, Options, StartError};
use fib_sync::FibError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::api;
use crate::forwarding::Forwarding;
use crate::metrics::FibMetrics;

/// Why a speaker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SpeakerError {
    /// The kernel's routes cannot be kept.
    #[error("{0}")]
    Fib(#[from] FibError),
    /// The kernel's routes cannot be shown in the metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The daemon cannot start.
    #[error(transparent)]
    Daemon(#[from] StartError),
}

/// A running speaker.
pub struct Speaker {
    daemon: Daemon,
    forwarding: Option<Running>,
}

/// The task of the kernel's routes.
struct Running {
    task: JoinHandle<()>,
    /// Told, or dropped, it ends.
    stop: oneshot::Sender<()>,
}

impl Speaker {
    /// Starts sessions, RIB, control API and, unless `fib.enabled` is false, the kernel's routes. Must run in a
    /// multi-threaded tokio runtime. `config_path` is read again on reload.
    ///
    /// # Errors
    /// What keeps it from starting, with the remedy.
    pub async fn start(
        config: Config,
        config_path: Option<PathBuf>,
        log: Option<LogHandle>,
    ) -> Result<Speaker, SpeakerError> {
        let mut options = Options { config_path, log, ..Options::default() };
        let forwarding = match config.fib.filter(|fib| fib.enabled) {
            None => None,
            Some(fib) => {
                let registry = prometheus::Registry::new();
                let (forwarding, ends) = Forwarding::open(&fib, FibMetrics::register(&registry)?)?;
                options.metrics = Some(registry);
                options.missing = Some(ends.missing);
                options.forwarding_lost = !ends.adopted;
                options.forwarding = Some(ends.core);
                options.announced = Some(ends.announced);
                options.routes = Some(api::routes(ends.questions));
                Some(forwarding)
            }
        };
        let daemon = Daemon::start(config, options).await?;
        let forwarding = forwarding.map(|forwarding| {
            let (stop, stopped) = oneshot::channel();
            Running { task: tokio::spawn(forwarding.run(stopped)), stop }
        });
        Ok(Speaker { daemon, forwarding })
    }

    /// The daemon.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Ends every session, as [`Daemon::stop`] does. Routes stay in the kernel, for the next start to adopt.
    pub async fn stop(self, text: &str) {
        // First the kernel's side: the end of the sessions must not reach it as a withdrawal of every route.
        if let Some(Running { task, stop }) = self.forwarding {
            let _ = stop.send(());
            if let Err(error) = task.await {
                tracing::error!("the task of the kernel's routes failed: {error}");
            }
        }
        self.daemon.stop(text).await;
    }
}
