//! The JSON of the control API, as types that both ends share. Within `/v1` there are only additions.

mod address;
mod bfd;
mod events;
mod explain;
mod peers;
mod query;
mod routes;
mod status;
pub(crate) mod text;
mod time;
mod tunnels;

use serde::{Deserialize, Serialize};

pub use address::PeerAddress;
pub use bfd::{Bfd, BfdRow};
pub use events::{EVENT_SCHEMA, Event, EventKind, Topic};
pub use explain::{
    CheckRow, Explain, ExplainQuery, ExportPathRow, ExportRow, ImportRow, KernelRow, KernelState, TermRow,
};
pub use peers::{
    Capabilities, Counter, FamilyCounts, MessageCount, Peer, PeerActionDone, PeerActionRequest, PeerDetail,
    PeerRow, PeerType, Peers, SessionState, Timers, Transition, Treated,
};
pub use query::{
    PeerRef, QueryError, RefreshDirection, RouteCollector, RouteQuery, RouteTarget, Scope, percent_encode,
};
pub use routes::{
    Announced, Fib, FibDiff, FibDiffRow, FibFault, FibOperation, PrefixesRequest, RouteRow, Routes,
};
pub use status::{
    ChangeRow, CollectorRow, DrainRequest, Drained, Draining, EffectiveConfig, ErrorBody, ErrorDetail,
    LastReload, Readiness, ReloadReport, Status, TableSize, UpdateLog,
};
pub use time::{ParseTimestampError, Timestamp};
pub use tunnels::{PoolRow, TunnelRow, TunnelState, Tunnels};

/// What an answer carries beside its envelope.
pub trait Body {
    /// The name and version of its form, as in `bgp.peers/v1`.
    const SCHEMA: &'static str;
}

/// Every successful answer: which form, from whom, when, and the body's own fields beside these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<T> {
    /// The name and version of the form.
    pub schema: String,
    /// The daemon's host.
    pub node: String,
    /// When it answered.
    pub time: Timestamp,
    /// The answer.
    #[serde(flatten)]
    pub body: T,
}

impl<T: Body> Document<T> {
    /// Wraps `body`, as of now.
    #[must_use]
    pub fn new(node: &str, body: T) -> Document<T> {
        Document { schema: T::SCHEMA.to_owned(), node: node.to_owned(), time: Timestamp::now(), body }
    }
}
