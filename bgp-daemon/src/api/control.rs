//! How the API reaches the daemon: commands with a place for the answer, over a bounded channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bgp_core::Prefix;
use tokio::sync::{mpsc, oneshot};

use super::events::EventBus;
use super::schema::{
    Announced, Bfd, DrainRequest, Drained, EffectiveConfig, Explain, ExplainQuery, PeerDetail, PeerRef,
    PeerRow, Readiness, RefreshDirection, ReloadReport, RouteQuery, Routes, Status,
};
use crate::metrics::MetricsSnapshot;
use crate::monitor::TableDump;

/// How many commands may wait for the daemon; further requests wait in the server.
const PENDING: usize = 64;

/// How long the daemon may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// How old the daemon's last sign of life may be while it counts as alive.
const ALIVE: Duration = Duration::from_secs(10);

/// Why a command has no result. The server turns it into a status and an error body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such peer, prefix or file.
    #[error("{0}")]
    NotFound(String),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The new configuration is wrong; the running one stays. The text is all diagnostics.
    #[error("{0}")]
    InvalidConfig(String),
    /// Understood, and not done.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What to do instead.
        hint: Option<String>,
    },
    /// Changes are not taken here.
    #[error("this endpoint only reads")]
    ReadOnly,
    /// The daemon does not answer, or is stopping.
    #[error("{0}")]
    Unavailable(&'static str),
}

/// Where the answer to a command goes.
pub type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// What an operator may do to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerAction {
    /// Let it have a session again.
    Up,
    /// End the session with Cease/Administrative Shutdown and keep it down (RFC 4486, the text as in RFC 9003).
    Down {
        /// Told to the peer.
        reason: Option<String>,
    },
    /// Ask for its routes again, send ours again, or both.
    Refresh(RefreshDirection),
    /// End the session with Cease/Administrative Reset; it begins anew.
    Reset {
        /// Told to the peer.
        reason: Option<String>,
    },
}

impl PeerAction {
    /// The action's word in paths and answers.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            PeerAction::Up => "up",
            PeerAction::Down { .. } => "down",
            PeerAction::Refresh(_) => "refresh",
            PeerAction::Reset { .. } => "reset",
        }
    }
}

/// What the API asks of the daemon. A reply that nobody waits for any more is dropped without harm.
#[derive(Debug)]
pub enum Command {
    /// The daemon as a whole.
    Status(Reply<Box<Status>>),
    /// All peers, by address; dynamic ones while they exist.
    Peers(Reply<Vec<PeerRow>>),
    /// One peer.
    Peer {
        /// Which; [`ControlError::NotFound`] if there is none.
        peer: PeerRef,
        /// The answer.
        reply: Reply<Box<PeerDetail>>,
    },
    /// Does something with a peer.
    PeerAction {
        /// Which; [`ControlError::NotFound`] if there is none.
        peer: PeerRef,
        /// What.
        action: PeerAction,
        /// Answered once it is begun.
        reply: Reply<()>,
    },
    /// Routes, gathered through a [`super::schema::RouteCollector`].
    Routes {
        /// Which.
        query: Box<RouteQuery>,
        /// The answer.
        reply: Reply<Routes>,
    },
    /// Why a route is what it is.
    Explain {
        /// Which, and whose view.
        query: ExplainQuery,
        /// [`ControlError::NotFound`] if there is none.
        reply: Reply<Box<Explain>>,
    },
    /// Makes peers prefer others before the daemon goes (RFC 8326), or takes that back.
    Drain {
        /// Which of both, and why.
        request: DrainRequest,
        /// Answered once every peer is told; their routes are then on their way.
        reply: Reply<Drained>,
    },
    /// Reads the configuration file again.
    Reload(Reply<ReloadReport>),
    /// Announces prefixes until they are withdrawn or the daemon stops.
    Announce {
        /// Which.
        prefixes: Vec<Prefix>,
        /// How many were not announced before.
        reply: Reply<Announced>,
    },
    /// Withdraws prefixes that were announced by command.
    Withdraw {
        /// Which.
        prefixes: Vec<Prefix>,
        /// How many were announced before.
        reply: Reply<Announced>,
    },
    /// The configuration in force.
    Config(Reply<EffectiveConfig>),
    /// The whole table, to be asked for a part at a time.
    Dump(Reply<TableDump>),
    /// Whether the paths to peers are alive.
    Bfd(Reply<Bfd>),
    /// What `/metrics` shows.
    Metrics(Reply<Box<MetricsSnapshot>>),
    /// Whether the daemon does its whole job.
    Ready(Reply<Readiness>),
}

/// The server's end: sends commands, hears events, sees whether the daemon lives.
#[derive(Clone, Debug)]
pub struct ControlHandle {
    node: Arc<str>,
    commands: mpsc::Sender<Command>,
    events: EventBus,
    heartbeat: Heartbeat,
}

impl ControlHandle {
    /// A handle, and the receiver that the daemon answers commands from. `node` is the host's name in answers.
    #[must_use]
    pub fn new(node: &str) -> (ControlHandle, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(PENDING);
        let handle = ControlHandle {
            node: node.into(),
            commands,
            events: EventBus::default(),
            heartbeat: Heartbeat::default(),
        };
        (handle, receiver)
    }

    /// The host's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Where the daemon publishes what happens.
    #[must_use]
    pub fn events(&self) -> &EventBus {
        &self.events
    }

    /// What the daemon's loop beats at least once a second.
    #[must_use]
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// Asks the daemon to read its configuration again, as on SIGHUP.
    ///
    /// # Errors
    /// As [`ControlHandle::ask`].
    pub async fn reload(&self) -> Result<ReloadReport, ControlError> {
        self.ask(Command::Reload).await
    }

    /// Sends the command that `command` makes and waits for its answer.
    ///
    /// # Errors
    /// The daemon's own, or [`ControlError::Unavailable`] if it stops or takes more than 30 seconds.
    pub async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            let stopping = ControlError::Unavailable("the daemon is stopping");
            self.commands.send(command(reply)).await.map_err(|_| stopping.clone())?;
            answer.await.map_err(|_| stopping)?
        };
        let late = Err(ControlError::Unavailable("the daemon did not answer within 30 seconds"));
        tokio::time::timeout(ANSWER_TIME, exchange).await.unwrap_or(late)
    }
}

/// Shows that the daemon's loop turns, without asking it.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    origin: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    fn default() -> Heartbeat {
        Heartbeat { origin: Instant::now(), last_ms: Arc::default() }
    }
}

impl Heartbeat {
    /// A sign of life.
    pub fn beat(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Whether the last sign of life is at most 10 seconds old.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let age = self.now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed));
        Duration::from_millis(age) <= ALIVE
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
