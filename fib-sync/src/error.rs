//! What can go wrong, said so that the reader knows what to do.

use std::fmt;
use std::io;

/// Errors that end the synchronisation. A single route that the kernel refuses is an
/// [`Event::Refused`](crate::Event::Refused) instead.
#[derive(Debug, thiserror::Error)]
pub enum FibError {
    /// The process may not change routes.
    #[error(
        "no permission to change the kernel's routes: run as root, or give the program CAP_NET_ADMIN \
         (systemd: AmbientCapabilities=CAP_NET_ADMIN; a container: securityContext.capabilities.add: [NET_ADMIN])"
    )]
    Permission,
    /// The configured protocol number belongs to the kernel or to the administrator.
    #[error("route protocol {0} is reserved for the kernel and the administrator: choose 5 to 255")]
    Protocol(u8),
    /// The configured metric cannot mark routes as ours.
    #[error("route metric 0 cannot mark routes as ours (IPv6 turns it into 1024): choose 1 or more")]
    Metric,
    /// Table 0 is not a table.
    #[error("routing table 0 does not exist: the main table is 254")]
    Table,
    /// A netlink call failed.
    #[error("netlink: {call}: {source}")]
    Netlink {
        /// What was attempted.
        call: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The kernel refused to list something.
    #[error("the kernel did not list its {what}: {error}")]
    Dump {
        /// What was asked for: routes, links.
        what: &'static str,
        /// The kernel's answer.
        error: KernelError,
    },
}

impl FibError {
    pub(crate) fn netlink(call: &'static str) -> impl FnOnce(io::Error) -> FibError {
        move |source| FibError::Netlink { call, source }
    }
}

/// The kernel's answer to one message: an error number and, where it gave one, its extended
/// acknowledgement text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    /// A positive error number (errno).
    pub errno: i32,
    /// The kernel's own explanation.
    pub text: Option<String>,
}

impl std::error::Error for KernelError {}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = io::Error::from_raw_os_error(self.errno);
        match &self.text {
            Some(text) => write!(f, "{text} ({error})"),
            None => write!(f, "{error}"),
        }
    }
}
