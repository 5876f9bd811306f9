//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bgp_core::{Asn, Prefix};
use bgp_daemon::api::schema::{PeerRef, RouteQuery, RouteTarget, Scope};
use clap::{Parser, Subcommand, ValueEnum};

use crate::decode::DecodeArgs;
use crate::options::Output;

/// Ask and steer bgp-speaker and route-reflector
#[derive(Parser, Debug)]
#[command(name = "bgp", version, infer_subcommands = true)]
pub(crate) struct Args {
    /// The daemon's control socket [default: the only one in /run/bgp, else that of a trial]
    #[arg(long, global = true, env = "BGP_SOCKET", value_name = "PATH")]
    pub(crate) socket: Option<OsString>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// The daemon on one screen
    Status,
    /// All peers, a line for each family
    Peers {
        /// Only those that are not established
        #[arg(long)]
        down: bool,
        /// Only those of this group
        #[arg(long, value_name = "NAME")]
        group: Option<String>,
    },
    /// One peer in detail, or do something with it
    #[command(infer_subcommands = true)]
    Peer {
        /// Its address or name
        peer: String,
        /// Its last 64 changes of state
        #[arg(long)]
        history: bool,
        #[command(subcommand)]
        action: Option<Action>,
    },
    /// Routes: the best ones, or all to a PREFIX or to an address
    Routes(RoutesArgs),
    /// Why a route is what it is: import, choice, kernel, and the way to a peer
    Explain {
        prefix: Prefix,
        /// Also why this peer, by address or name, is sent it or not
        #[arg(long, value_name = "PEER")]
        to: Option<String>,
    },
    /// Our routes in the kernel and what was done to them (bgp-speaker)
    #[command(infer_subcommands = true)]
    Fib {
        #[command(subcommand)]
        command: Option<FibCommand>,
    },
    /// Tunnel devices, and the pools whose packets they carry (bgp-speaker)
    Tunnels,
    /// The paths to peers, as BFD sees them; exit code 1 if one is down that should be up
    Bfd,
    /// Print events as they happen
    Watch {
        /// Which
        #[arg(value_enum, default_value = "peers")]
        topic: WatchTopic,
    },
    /// Write the whole table to a file as MRT (TABLE_DUMP_V2)
    Dump {
        /// The file; `-` for standard output
        file: PathBuf,
    },
    /// Wait until sessions are established
    Wait(WaitArgs),
    /// Announce prefixes until they are withdrawn or the daemon stops
    Announce {
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
    },
    /// Withdraw announced prefixes
    Withdraw {
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
    },
    /// Have peers prefer other routers before this one goes (RFC 8326)
    Drain {
        /// Stay after all
        #[arg(long, conflicts_with_all = ["reason", "wait"])]
        undo: bool,
        /// Told to the peers when the daemon stops (RFC 9003)
        #[arg(long)]
        reason: Option<String>,
        /// Come back only after this time, in which peers find other ways: 30s, 2m
        #[arg(long, value_parser = duration)]
        wait: Option<Duration>,
    },
    /// Read the configuration file again; sessions stay unless their own values changed
    Reload,
    /// Check a configuration file, or show the one in force
    #[command(subcommand, infer_subcommands = true)]
    Config(ConfigCommand),
    /// Explain recorded BGP messages: hexadecimal, MRT, pcap; needs no daemon
    Decode(DecodeArgs),
}

#[derive(Subcommand, Debug)]
pub(crate) enum Action {
    /// Let it have a session again
    Up,
    /// End its session and keep it down
    Down {
        /// Told to the peer (RFC 9003)
        #[arg(long)]
        reason: Option<String>,
    },
    /// Ask for its routes again, send ours again, or both
    Refresh {
        #[arg(value_enum)]
        direction: Option<Direction>,
    },
    /// End its session, which begins anew
    Reset {
        /// Told to the peer (RFC 9003)
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Direction {
    In,
    Out,
}

#[derive(Subcommand, Debug)]
pub(crate) enum FibCommand {
    /// What the kernel has otherwise than it should
    Diff,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Check a file; exit code 2 if it is refused
    Check {
        file: PathBuf,
        /// As bgp-speaker reads it
        #[arg(long, conflicts_with = "reflector")]
        speaker: bool,
        /// As route-reflector reads it
        #[arg(long)]
        reflector: bool,
    },
    /// The daemon's configuration, each value with its origin
    Show {
        /// With all defaults, which is the only form there is
        #[arg(long)]
        effective: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WatchTopic {
    Peers,
    Routes,
    All,
}

#[derive(clap::Args, Debug)]
#[group(id = "condition", required = true, multiple = true)]
pub(crate) struct WaitArgs {
    /// This peer, by address or name; may be repeated
    #[arg(long, value_name = "PEER", group = "condition")]
    pub(crate) established: Vec<String>,
    /// All peers, at least one
    #[arg(long, group = "condition")]
    pub(crate) all: bool,
    /// At least so many peers
    #[arg(long, value_name = "N", group = "condition")]
    pub(crate) count: Option<usize>,
    /// How long at most: 60s, 5m, 500ms
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "expected a time, as in 60s".to_owned())?;
    match text.get(digits.len()..).unwrap_or_default() {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        unit => Err(format!("unknown unit `{unit}`: ms, s, m or h")),
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct RoutesArgs {
    /// [PREFIX|ADDRESS] [exact|longer|shorter] [in PEER|out PEER|best|all|rejected]
    #[arg(value_name = "WHICH")]
    which: Vec<String>,
    /// Only with this community, as in 64512:100
    #[arg(long)]
    community: Option<String>,
    /// Only with this AS in the path
    #[arg(long = "as", value_name = "ASN")]
    asn: Option<u32>,
    /// Only from this AS
    #[arg(long, value_name = "ASN")]
    origin_as: Option<u32>,
    /// Only with this next hop
    #[arg(long, value_name = "ADDRESS")]
    next_hop: Option<IpAddr>,
    /// Only with this ORIGINATOR_ID
    #[arg(long, value_name = "ID")]
    originator: Option<String>,
    /// Print only how many there are
    #[arg(long)]
    count: bool,
    /// Print at most so many
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

impl RoutesArgs {
    /// The query they mean; an error is a sentence.
    pub(crate) fn query(&self) -> Result<RouteQuery, String> {
        let mut words = self.which.iter().map(String::as_str).peekable();
        let mut query = RouteQuery {
            community: self.community.clone(),
            asn: self.asn.map(Asn),
            origin_asn: self.origin_as.map(Asn),
            next_hop: self.next_hop,
            originator: self.originator.clone(),
            count: self.count,
            limit: self.limit,
            ..RouteQuery::default()
        };
        if let Some(word) = words.next_if(|word| word.contains(['.', ':'])) {
            query.target = Some(target(word)?);
        }
        while let Some(word) = words.next() {
            let mut peer = || words.next().map(PeerRef::from).ok_or(format!("`{word}` needs a peer"));
            match (word, query.target) {
                ("best", _) => query.scope = Some(Scope::Best),
                ("all", _) => query.scope = Some(Scope::All),
                ("rejected", _) => {
                    let of = match query.scope.take() {
                        Some(Scope::In(peer)) => Some(peer),
                        _ => None,
                    };
                    query.scope = Some(Scope::Rejected(of));
                }
                ("in", _) if matches!(query.scope, Some(Scope::Rejected(_))) => {
                    query.scope = Some(Scope::Rejected(Some(peer()?)));
                }
                ("in", _) => query.scope = Some(Scope::In(peer()?)),
                ("out", _) => query.scope = Some(Scope::Out(peer()?)),
                ("exact" | "longer" | "shorter", Some(RouteTarget::Exact(prefix))) => {
                    query.target = Some(match word {
                        "longer" => RouteTarget::Longer(prefix),
                        "shorter" => RouteTarget::Shorter(prefix),
                        _ => RouteTarget::Exact(prefix),
                    });
                }
                ("exact" | "longer" | "shorter", _) => return Err(format!("`{word}` follows a prefix")),
                _ => {
                    return Err(format!(
                        "`{word}` is not understood: exact, longer, shorter, in, out, best, all or rejected"
                    ));
                }
            }
        }
        Ok(query)
    }
}

fn target(word: &str) -> Result<RouteTarget, String> {
    if let Ok(address) = word.parse() {
        return Ok(RouteTarget::Address(address));
    }
    word.parse().map(RouteTarget::Exact).map_err(|error| format!("`{word}`: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn query(words: &str) -> Result<RouteQuery, String> {
        let args = Args::try_parse_from(format!("bgp routes {words}").split_whitespace()).unwrap();
        let Command::Routes(routes) = args.command else { panic!("routes") };
        routes.query()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn routes_are_asked_for_in_words() {
        let prefix: Prefix = "10.0.0.0/8".parse().unwrap();
        assert_eq!(query("").unwrap(), RouteQuery::default());
        assert_eq!(query("10.0.0.0/8 longer").unwrap().target, Some(RouteTarget::Longer(prefix)));
        assert_eq!(
            query("10.0.0.1").unwrap().target,
            Some(RouteTarget::Address("10.0.0.1".parse().unwrap()))
        );
        assert_eq!(query("in node-7").unwrap().scope, Some(Scope::In(PeerRef::Name("node-7".to_owned()))));
        assert_eq!(query("rejected").unwrap().scope, Some(Scope::Rejected(None)));
        let of_node = Some(Scope::Rejected(Some(PeerRef::Name("node-7".to_owned()))));
        for words in ["rejected in node-7", "in node-7 rejected"] {
            assert_eq!(query(words).unwrap().scope, of_node);
        }
        let both = query("10.0.0.0/8 out 10.0.0.2 --as 64513 --limit 5").unwrap();
        assert_eq!(
            (both.target, both.scope()),
            (Some(RouteTarget::Exact(prefix)), Scope::Out(PeerRef::Address("10.0.0.2".parse().unwrap())))
        );
        assert_eq!((both.asn, both.limit), (Some(Asn(64513)), 5));
    }

    #[test]
    fn wrong_words_are_told() {
        assert_eq!(query("longer").unwrap_err(), "`longer` follows a prefix");
        assert_eq!(query("in").unwrap_err(), "`in` needs a peer");
        assert_eq!(
            query("10.0.0.1/8").unwrap_err(),
            "`10.0.0.1/8`: host bits are set: did you mean 10.0.0.0/8?"
        );
    }

    #[test]
    fn commands_may_be_shortened() {
        let args = Args::try_parse_from(["bgp", "stat", "--json"]).unwrap();
        assert!(matches!(args.command, Command::Status) && args.output.is_json());
    }

    #[test]
    fn waiting_needs_a_condition() {
        assert!(Args::try_parse_from(["bgp", "wait"]).is_err());
        let args = Args::try_parse_from(["bgp", "wait", "--all", "--count", "3", "--timeout", "5m"]).unwrap();
        let Command::Wait(wait) = args.command else { panic!("wait") };
        assert_eq!((wait.all, wait.count, wait.timeout), (true, Some(3), Duration::from_secs(300)));
    }
}
