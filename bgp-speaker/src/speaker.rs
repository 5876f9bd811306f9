//! The daemon and the kernel's side put together.

use std::path::PathBuf;
use std::pin::Pin;
use std::thread::JoinHandle;

use bgp_daemon::config::Config;
use bgp_daemon::log::LogHandle;
use bgp_daemon::runtime::{Daemon, Options, StartError};
use fib_sync::{FibError, InterfaceNameError};
use tokio::sync::oneshot;
use tunnel::TunnelError;

use crate::api;
use crate::forwarding::{Ends, Forwarding};
use crate::metrics::Metrics;

/// Why a speaker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SpeakerError {
    /// The kernel's routes cannot be kept.
    #[error("{0}")]
    Fib(#[from] FibError),
    /// The tunnels cannot be kept.
    #[error("{0}")]
    Tunnel(#[from] TunnelError),
    /// A tunnel device cannot have its name.
    #[error(transparent)]
    Name(#[from] InterfaceNameError),
    /// No thread or runtime could be had for the kernel's side.
    #[error("cannot start the thread of the kernel's routes: {0}")]
    Thread(std::io::Error),
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

/// The thread of the kernel's side.
struct Running {
    thread: JoinHandle<()>,
    /// Told, or dropped, it ends.
    stop: oneshot::Sender<()>,
}

impl Running {
    /// Opens the kernel's side on a thread of its own, where it works until it is stopped.
    async fn start(config: &Config, metrics: Metrics) -> Result<Option<(Running, Ends)>, SpeakerError> {
        let Some(fib) = config.fib.filter(|fib| fib.enabled) else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(SpeakerError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let (opened, open) = oneshot::channel();
        let config = config.clone();
        let work = async move {
            match Forwarding::open(&config, &fib, metrics) {
                Ok((forwarding, ends)) => {
                    // If nobody waits for the answer, nobody wants the routes: then `stopped` says so too.
                    let _ = opened.send(Ok(ends));
                    forwarding.run(stopped).await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        };
        let thread = std::thread::Builder::new().name("fib".into()).spawn(move || runtime.block_on(work));
        let thread = thread.map_err(SpeakerError::Thread)?;
        let gone = || SpeakerError::Thread(std::io::Error::other("it ended at once"));
        let ends = open.await.map_err(|_| gone())??;
        Ok(Some((Running { thread, stop }, ends)))
    }

    /// Ends the work and waits for that. The routes stay.
    async fn stop(self) {
        let _ = self.stop.send(());
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the thread of the kernel's routes failed");
        }
    }
}

impl Speaker {
    /// Starts sessions, RIB, control API and, unless `fib.enabled` is false, the kernel's routes and tunnels. Must run in a
    /// multi-threaded tokio runtime. `config_path` is read again on reload.
    ///
    /// # Errors
    /// What keeps it from starting, with the remedy.
    // Boxed: else all that it runs would be compiled again with each program that starts one.
    #[inline(never)]
    pub fn start(
        config: Config,
        config_path: Option<PathBuf>,
        log: Option<LogHandle>,
    ) -> Pin<Box<dyn Future<Output = Result<Speaker, SpeakerError>> + Send>> {
        Box::pin(Speaker::begin(config, config_path, log))
    }

    async fn begin(
        config: Config,
        config_path: Option<PathBuf>,
        log: Option<LogHandle>,
    ) -> Result<Speaker, SpeakerError> {
        let mut options = Options { config_path, log, ..Options::default() };
        let registry = prometheus::Registry::new();
        let mut forwarding = None;
        if let Some((running, ends)) = Running::start(&config, Metrics::register(&registry)?).await? {
            options.metrics = Some(registry);
            options.missing = Some(ends.missing);
            options.forwarding_lost = !ends.adopted;
            options.forwarding = Some(ends.core);
            options.announced = Some(ends.announced);
            options.reloaded = Some(ends.reloaded);
            options.kernel = Some(ends.kernel);
            options.routes = Some(api::routes(ends.questions));
            forwarding = Some(running);
        }
        match Daemon::start(config, options).await {
            Ok(daemon) => Ok(Speaker { daemon, forwarding }),
            Err(error) => {
                if let Some(running) = forwarding {
                    running.stop().await;
                }
                Err(error.into())
            }
        }
    }

    /// The daemon.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Ends every session, as [`Daemon::stop`] does. Routes stay in the kernel, for the next start to adopt.
    pub async fn stop(self, text: &str) {
        // First the kernel's side: the end of the sessions must not reach it as a withdrawal of every route.
        if let Some(running) = self.forwarding {
            running.stop().await;
        }
        self.daemon.stop(text).await;
    }
}
