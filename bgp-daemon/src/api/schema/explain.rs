//! Why a route is what it is: what import made of it, which path was chosen, and what a peer is sent.

use std::net::IpAddr;

use bgp_core::Prefix;
use serde::{Deserialize, Serialize};

use super::{Body, PeerRef, QueryError, RouteRow, percent_encode, text};

/// What `GET /v1/explain` is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The destination.
    pub prefix: Prefix,
    /// Whose view; `None`: only ours.
    pub to: Option<PeerRef>,
}

impl ExplainQuery {
    /// From the parameters `prefix` and `to`.
    ///
    /// # Errors
    /// A parameter that is unknown or has no right value; `prefix` is mandatory.
    pub fn from_parameters<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<ExplainQuery, QueryError> {
        let (mut prefix, mut to) = (Err(QueryError::Missing("prefix")), None);
        for (name, text) in parameters {
            match name {
                "prefix" => prefix = Ok(super::query::value("prefix", text)?),
                "to" => to = Some(PeerRef::from(text)),
                _ => return Err(QueryError::Unknown(name.to_owned())),
            }
        }
        Ok(ExplainQuery { prefix: prefix?, to })
    }

    /// The parameters, percent-encoded.
    #[must_use]
    pub fn to_query_string(&self) -> String {
        let to = self.to.as_ref().map(|peer| format!("&to={}", percent_encode(&peer.to_string())));
        format!("prefix={}{}", percent_encode(&self.prefix.to_string()), to.unwrap_or_default())
    }
}

/// What one term of a filter made of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermRow {
    /// Its name, or its place in the filter.
    pub name: String,
    /// The first condition that the route did not fulfil; `null`: it matched.
    pub failed: Option<String>,
    /// What was changed, a few words each.
    pub edits: Vec<String>,
    /// `accept` or `reject`; `null`: the next term was asked.
    pub action: Option<String>,
}

/// What import made of a route, where routes are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The peer that sent it.
    pub from: IpAddr,
    /// The path identifier, 0 without ADD-PATH.
    pub path_id: u32,
    /// `accept`, `reject`, or the filter's name.
    pub policy: String,
    /// The terms that were asked, in order. If none decided, the filter's `otherwise` did.
    pub terms: Vec<TermRow>,
    /// The route as it came; its `rejected` says why it was not taken.
    pub route: RouteRow,
}

/// One thing that a path has to pass on its way to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    /// What is asked, in a few words.
    pub check: String,
    /// Whether the path passed.
    pub passed: bool,
}

/// How one path fares on its way to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPathRow {
    /// The peer it came from; `null`: announced by this daemon.
    pub from: Option<IpAddr>,
    /// The path identifier that it came with.
    pub path_id: u32,
    /// The checks in their order, up to the first that it does not pass.
    pub checks: Vec<CheckRow>,
    /// The check that it does not pass; `null`: it goes out.
    pub blocked_by: Option<String>,
    /// The terms of the export filter that were asked.
    pub terms: Vec<TermRow>,
    /// The route as it goes out.
    pub sent: Option<RouteRow>,
}

/// How a route fares on its way to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRow {
    /// The peer.
    pub to: IpAddr,
    /// `accept`, `reject`, or the filter's name.
    pub policy: String,
    /// Whether the peer holds the route, or is about to be sent it.
    pub advertised: bool,
    /// The paths that may be chosen, best first.
    pub paths: Vec<ExportPathRow>,
}

/// How the kernel's route stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelState {
    /// It is there as it should be.
    Installed,
    /// It should be there, and is not.
    Missing,
    /// It is there and forwards otherwise.
    Different,
    /// No next hop can be reached, so it is not there.
    Unresolved,
    /// Another program's route with the same metric is in the way.
    Conflict,
    /// The kernel refused it.
    Refused,
    /// It is there and should not be.
    Extra,
    /// It is not there and should not be.
    Absent,
}

/// What the kernel has, read from it when asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRow {
    /// How it stands.
    pub state: KernelState,
    /// What it should be, as `ip route` shows it.
    pub wanted: Option<String>,
    /// What it is instead.
    pub found: Option<String>,
    /// Why it is not installed.
    pub why: Option<String>,
}

/// `bgp.explain/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explain {
    /// The destination.
    #[serde(with = "text")]
    pub prefix: Prefix,
    /// The paths to it, best first, each with the rule by which it lost.
    pub candidates: Vec<RouteRow>,
    /// What import made of what peers sent, where that is kept.
    pub import: Vec<ImportRow>,
    /// The next hops that the kernel's route should have; `null`: this daemon keeps no routes in the kernel.
    pub fib: Option<Vec<IpAddr>>,
    /// The kernel's route as it is; `null`: this daemon keeps none, or cannot tell.
    #[serde(default)]
    pub kernel: Option<KernelRow>,
    /// The way out to the peer that was asked for.
    pub export: Option<ExportRow>,
}

impl Body for Explain {
    const SCHEMA: &'static str = "bgp.explain/v1";
}
