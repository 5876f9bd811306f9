//! Which routes a request asks for: from and to a query string, and applied to routes.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use bgp_core::{Asn, Prefix};
use serde::{Deserialize, Serialize};

use super::{PeerAddress, RouteRow, Routes};

/// A peer by address or by its configured name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerRef {
    /// By address.
    Address(IpAddr),
    /// By name.
    Name(String),
}

impl PeerRef {
    /// Whether a peer of this address and name is meant. A link-local address is `fe80::1%eth0`.
    #[must_use]
    pub fn is(&self, address: &PeerAddress, name: Option<&str>) -> bool {
        match self {
            PeerRef::Address(a) => address == a,
            PeerRef::Name(n) => {
                Some(n.as_str()) == name || address.interface().is_some() && address.to_string() == *n
            }
        }
    }
}

impl From<&str> for PeerRef {
    fn from(text: &str) -> PeerRef {
        text.parse().map_or_else(|_| PeerRef::Name(text.to_owned()), PeerRef::Address)
    }
}

impl fmt::Display for PeerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerRef::Address(address) => address.fmt(f),
            PeerRef::Name(name) => name.fmt(f),
        }
    }
}

/// Which way routes are asked for again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshDirection {
    /// The peer's routes, by a ROUTE-REFRESH of ours.
    In,
    /// Our routes are sent again.
    Out,
    /// Both.
    #[default]
    Both,
}

/// Whose view of the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The best path of each prefix.
    Best,
    /// Every path.
    All,
    /// What a peer has sent.
    In(PeerRef),
    /// What a peer was sent.
    Out(PeerRef),
    /// What was refused of a peer's routes, or of those of all peers, where they are kept as they came.
    Rejected(Option<PeerRef>),
}

/// Which prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// This one.
    Exact(Prefix),
    /// This one and what is within it.
    Longer(Prefix),
    /// This one and what covers it.
    Shorter(Prefix),
    /// The longest one that covers this address.
    Address(IpAddr),
}

impl RouteTarget {
    /// Whether `prefix` may be meant; of those that cover an address only the longest is.
    fn covers(&self, prefix: &Prefix) -> bool {
        match self {
            RouteTarget::Exact(p) => p == prefix,
            RouteTarget::Longer(p) => p.covers(prefix),
            RouteTarget::Shorter(p) => prefix.covers(p),
            RouteTarget::Address(a) => {
                Prefix::new(*a, if a.is_ipv4() { 32 } else { 128 }).is_some_and(|host| prefix.covers(&host))
            }
        }
    }
}

/// A request for routes. The default is every best path, 1000 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteQuery {
    /// Which prefixes; `None`: all.
    pub target: Option<RouteTarget>,
    /// Whose view; `None`: all paths of a given target, else the best ones.
    pub scope: Option<Scope>,
    /// Only with this community, standard or large, as in `64512:100`.
    pub community: Option<String>,
    /// Only with this AS in the path.
    pub asn: Option<Asn>,
    /// Only if this AS is the last of the path.
    pub origin_asn: Option<Asn>,
    /// Only with this next hop.
    pub next_hop: Option<IpAddr>,
    /// Only with this ORIGINATOR_ID.
    pub originator: Option<String>,
    /// Only the number of routes.
    pub count: bool,
    /// At most so many routes are answered; all are counted.
    pub limit: usize,
}

impl Default for RouteQuery {
    fn default() -> RouteQuery {
        RouteQuery {
            target: None,
            scope: None,
            community: None,
            asn: None,
            origin_asn: None,
            next_hop: None,
            originator: None,
            count: false,
            limit: 1000,
        }
    }
}

/// Why a query is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parameter that does not exist.
    #[error("unknown parameter `{0}`")]
    Unknown(String),
    /// A parameter that has to be there.
    #[error("the parameter `{0}` is missing")]
    Missing(&'static str),
    /// A parameter's value.
    #[error("`{value}` is no value for `{parameter}`: {reason}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

pub(super) fn value<T: FromStr<Err: fmt::Display>>(
    parameter: &'static str,
    text: &str,
) -> Result<T, QueryError> {
    let wrong = |e: T::Err| QueryError::Value { parameter, value: text.to_owned(), reason: e.to_string() };
    text.parse().map_err(wrong)
}

/// A choice of words.
fn choice<T: Clone>(parameter: &'static str, text: &str, choices: &[(&str, T)]) -> Result<T, QueryError> {
    let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
    found.ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let reason = format!("expected one of {}", words.join(", "));
        QueryError::Value { parameter, value: text.to_owned(), reason }
    })
}

impl RouteQuery {
    /// The effective scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let default = if self.target.is_some() { Scope::All } else { Scope::Best };
        self.scope.clone().unwrap_or(default)
    }

    /// The one prefix that is asked for, so that a table need not be walked.
    #[must_use]
    pub fn exact(&self) -> Option<Prefix> {
        match self.target {
            Some(RouteTarget::Exact(prefix)) => Some(prefix),
            _ => None,
        }
    }

    /// From the parameters of `GET /v1/routes`: `prefix`, `match`, `address`, `scope`, `in`, `out`, `community`, `as`,
    /// `origin_as`, `next_hop`, `originator`, `count`, `limit`.
    ///
    /// # Errors
    /// The first parameter that is unknown or has no right value.
    pub fn from_parameters<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<RouteQuery, QueryError> {
        type Wrap = fn(Prefix) -> RouteTarget;
        let mut query = RouteQuery::default();
        let mut prefix: Option<Prefix> = None;
        let mut wrap: Wrap = RouteTarget::Exact;
        for (name, text) in parameters {
            match name {
                "prefix" => prefix = Some(value("prefix", text)?),
                "match" => {
                    let choices: [(&str, Wrap); 3] = [
                        ("exact", RouteTarget::Exact),
                        ("longer", RouteTarget::Longer),
                        ("shorter", RouteTarget::Shorter),
                    ];
                    wrap = choice("match", text, &choices)?;
                }
                "address" => query.target = Some(RouteTarget::Address(value("address", text)?)),
                "scope" => {
                    let scopes =
                        [("best", Scope::Best), ("all", Scope::All), ("rejected", Scope::Rejected(None))];
                    let chosen = choice("scope", text, &scopes)?;
                    query.scope = Some(match (chosen, query.scope) {
                        (Scope::Rejected(None), Some(Scope::In(peer))) => Scope::Rejected(Some(peer)),
                        (chosen, _) => chosen,
                    });
                }
                "in" if matches!(query.scope, Some(Scope::Rejected(_))) => {
                    query.scope = Some(Scope::Rejected(Some(PeerRef::from(text))));
                }
                "in" => query.scope = Some(Scope::In(PeerRef::from(text))),
                "out" => query.scope = Some(Scope::Out(PeerRef::from(text))),
                "community" => query.community = Some(text.to_owned()),
                "as" => query.asn = Some(value("as", text)?),
                "origin_as" => query.origin_asn = Some(value("origin_as", text)?),
                "next_hop" => query.next_hop = Some(value("next_hop", text)?),
                "originator" => query.originator = Some(text.to_owned()),
                "count" => query.count = value("count", text)?,
                "limit" => query.limit = value("limit", text)?,
                _ => return Err(QueryError::Unknown(name.to_owned())),
            }
        }
        query.target = prefix.map(wrap).or(query.target);
        Ok(query)
    }

    /// The parameters of `GET /v1/routes`, each value percent-encoded; the inverse of
    /// [`RouteQuery::from_parameters`].
    #[must_use]
    pub fn to_query_string(&self) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        let mut with_prefix = |prefix: &Prefix, word: &str| {
            pairs.push(("prefix", prefix.to_string()));
            pairs.push(("match", word.to_owned()));
        };
        match &self.target {
            Some(RouteTarget::Exact(p)) => with_prefix(p, "exact"),
            Some(RouteTarget::Longer(p)) => with_prefix(p, "longer"),
            Some(RouteTarget::Shorter(p)) => with_prefix(p, "shorter"),
            Some(RouteTarget::Address(a)) => pairs.push(("address", a.to_string())),
            None => {}
        }
        match &self.scope {
            Some(Scope::Best) => pairs.push(("scope", "best".to_owned())),
            Some(Scope::All) => pairs.push(("scope", "all".to_owned())),
            Some(Scope::In(peer)) => pairs.push(("in", peer.to_string())),
            Some(Scope::Out(peer)) => pairs.push(("out", peer.to_string())),
            Some(Scope::Rejected(peer)) => {
                pairs.push(("scope", "rejected".to_owned()));
                pairs.extend(peer.as_ref().map(|peer| ("in", peer.to_string())));
            }
            None => {}
        }
        let filters = [
            ("community", self.community.clone()),
            ("as", self.asn.map(|v| v.to_string())),
            ("origin_as", self.origin_asn.map(|v| v.to_string())),
            ("next_hop", self.next_hop.map(|v| v.to_string())),
            ("originator", self.originator.clone()),
            ("count", self.count.then(|| "true".to_owned())),
            ("limit", Some(self.limit.to_string())),
        ];
        pairs.extend(filters.into_iter().filter_map(|(name, value)| value.map(|v| (name, v))));
        let pairs: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{name}={}", percent_encode(&value))).collect();
        pairs.join("&")
    }

    /// Whether a route's attributes are as asked.
    fn matches(&self, route: &RouteRow) -> bool {
        let path = || route.as_path.split([' ', ',', '{', '}', '(', ')', '[', ']']).filter(|w| !w.is_empty());
        let is_as = |word: &str, asn: Asn| word.parse() == Ok(asn);
        let communities = [&route.communities, &route.large_communities, &route.ext_communities];
        self.community.as_ref().is_none_or(|c| communities.iter().any(|list| list.contains(c)))
            && self.asn.is_none_or(|asn| path().any(|word| is_as(word, asn)))
            && self.origin_asn.is_none_or(|asn| path().next_back().is_some_and(|word| is_as(word, asn)))
            && self.next_hop.is_none_or(|next_hop| route.next_hop == next_hop)
            && self.originator.as_ref().is_none_or(|o| route.originator_id.as_ref() == Some(o))
    }
}

/// A text as a part of a path or a query's value (RFC 3986): every octet is escaped but the unreserved characters
/// and the `:` of addresses.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Gathers the answer to a query while a table is walked.
#[derive(Clone, Debug)]
pub struct RouteCollector {
    query: RouteQuery,
    longest: u8,
    found: Routes,
}

impl RouteCollector {
    /// An empty answer to `query`.
    #[must_use]
    pub fn new(query: RouteQuery) -> RouteCollector {
        RouteCollector { query, longest: 0, found: Routes::default() }
    }

    /// Whether routes to `prefix` are asked for; ask before building their rows.
    #[must_use]
    pub fn wants(&self, prefix: &Prefix) -> bool {
        match &self.query.target {
            None => true,
            Some(target @ RouteTarget::Address(_)) => prefix.len() >= self.longest && target.covers(prefix),
            Some(target) => target.covers(prefix),
        }
    }

    /// Takes a route if it is as asked.
    pub fn push(&mut self, route: RouteRow) {
        if !self.wants(&route.prefix) || !self.query.matches(&route) {
            return;
        }
        if matches!(self.query.target, Some(RouteTarget::Address(_))) && route.prefix.len() > self.longest {
            self.longest = route.prefix.len();
            self.found = Routes::default();
        }
        self.found.total += 1;
        if !self.query.count && self.found.routes.len() < self.query.limit {
            self.found.routes.push(route);
        }
    }

    /// The answer.
    #[must_use]
    pub fn finish(self) -> Routes {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_from_its_parameters() {
        let peer = || PeerRef::from("10.0.0.2");
        let scopes = [
            Scope::Best,
            Scope::All,
            Scope::In(peer()),
            Scope::Out(peer()),
            Scope::Rejected(None),
            Scope::Rejected(Some(peer())),
        ];
        for scope in scopes {
            let query = RouteQuery { scope: Some(scope), ..RouteQuery::default() };
            let text = query.to_query_string();
            let pairs: Vec<(&str, &str)> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
            assert_eq!(RouteQuery::from_parameters(pairs.iter().copied()).as_ref(), Ok(&query), "{text}");
            let reversed = RouteQuery::from_parameters(pairs.into_iter().rev());
            assert_eq!(reversed, Ok(query), "{text} in any order");
        }
    }
}
