//! The configuration file: read, checked whole, resolved, compared, shown.
//!
//! ```text
//!  TOML text ─ parse ─► Config (typed, defaults filled in) ─┬─ effective() ─► TOML with origins
//!       │                                                   │
//!       └─► Vec<Diagnostic> (all of them, with places)      └─ diff(old, new) ─► Changes (what a reload does)
//! ```
//! The text is walked by hand rather than deserialised, because serde stops at the first error and an operator
//! wants to see all of them.
//!
//! ```
//! use bgp_daemon::config::{Config, DaemonKind};
//! let text = "asn = 64512\ncluser-id = \"10.0.0.1\"\n";
//! let errors = Config::parse(text, "rr.toml", DaemonKind::Reflector).unwrap_err();
//! assert!(errors[0].to_string().ends_with("did you mean `cluster-id`?"));
//! ```

mod as_numbers;
mod bfd;
mod diagnostic;
mod diff;
mod effective;
mod entries;
mod filters;
mod groups;
mod interface;
mod model;
mod nearest;
mod network;
mod options;
mod parse;
mod peers;
mod pools;
mod secret;
mod section;
mod tcp_ao;
mod telemetry;
mod values;

use std::path::{Path, PathBuf};

pub use self::bfd::{Bfd, BfdHops, BfdProfile, BfdSettings, PeerBfd};
pub use diagnostic::{Code, Diagnostic, Location, Severity};
pub use diff::{Change, Changes, PeerChange, diff};
pub use entries::{Impact, reload_table};
pub use interface::Interface;
pub use model::{
    Aggregate, Announce, Api, Confederation, Config, DaemonKind, Decision, Fib, Group, Log, LogFormat,
    Metrics, NextHops, PeerConfig, PerPeer, Policy, Sandbox, Selector, Sources,
};
pub use nearest::nearest;
pub use network::{Doubt, Network, Node, Pool, TunnelKind, TunnelMode, Tunnels};
pub use options::{AddPath, MaxPrefixAction, PeerOptions};
pub use secret::Secret;
pub use tcp_ao::TcpAoKey;
pub use telemetry::{Bmp, BmpView, Mrt};

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn load(path: &Path, daemon: DaemonKind) -> Result<Config, Vec<Diagnostic>> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => parse::parse(&text, &file, daemon),
            Err(error) => Err(vec![Diagnostic {
                severity: Severity::Error,
                code: Code::Unreadable,
                message: format!("the configuration cannot be read: {error}"),
                file,
                location: None,
                remedy: String::new(),
            }]),
        }
    }

    /// Checks a text; `file` is its name in messages, and the place that relative paths in it start from.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str, file: &str, daemon: DaemonKind) -> Result<Config, Vec<Diagnostic>> {
        parse::parse(text, file, daemon)
    }

    /// The configuration of a reflector that was started without one: on loopback only, for a first look.
    ///
    /// # Errors
    /// None in practice: the text is ours, apart from the runtime directory's name in it.
    pub fn trial() -> Result<Config, Vec<Diagnostic>> {
        let socket = toml::Value::from(trial_socket().display().to_string());
        let text = format!(
            "asn = 64512\nlisten = [\"127.0.0.1:1179\"]\n\
             [[clients]]\nrange = \"127.0.0.0/8\"\n\
             [api]\nsocket = {socket}\nlisten = \"127.0.0.1:9179\"\n"
        );
        parse::parse(&text, "(trial)", DaemonKind::Reflector)
    }
}

/// Where the trial reflector has its socket: in `$XDG_RUNTIME_DIR`, else in `/tmp`.
#[must_use]
pub fn trial_socket() -> PathBuf {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    directory.join("route-reflector.sock")
}
