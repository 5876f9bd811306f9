//! The routers: one interface, one module for each.

mod bird;
mod daemon;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;

use crate::process::Process;
use crate::{Node, Result, SeenRoute, Setup, ensure};
use std::net::IpAddr;
use std::time::Duration;

pub(crate) use bird::{imported, read_routes};

/// A running router.
pub trait Peer {
    /// The router's name in messages.
    fn name(&self) -> &str;
    /// The best routes it learned from its neighbours, both families, asked through its own command line.
    ///
    /// # Errors
    /// If it has ended, does not answer, or says something unexpected.
    fn routes(&mut self) -> Result<Vec<SeenRoute>>;
    /// The next hops of all paths it learned to a prefix, sorted; with ADD-PATH there may be several from one neighbour.
    ///
    /// # Errors
    /// As for [`Peer::routes`].
    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>>;
    /// Asks a neighbour for all its routes again (RFC 2918).
    ///
    /// # Errors
    /// As for [`Peer::command`].
    fn refresh(&mut self, neighbor: IpAddr) -> Result<()>;
    /// Whether the session with `neighbor` is Established, by the router's own word.
    ///
    /// # Errors
    /// As for [`Peer::routes`].
    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool>;
    /// The process that has the sessions.
    fn process(&self) -> &Process;
    /// The same, to act on it.
    fn process_mut(&mut self) -> &mut Process;
    /// Everything it has logged.
    fn log(&self) -> String {
        self.process().log()
    }
    /// Dies at once, with no word to its neighbours.
    fn kill(&mut self) {
        self.process_mut().kill();
    }
    /// Stands still from now on (SIGSTOP): its kernel takes what is sent to it, but nothing is read or answered.
    ///
    /// # Errors
    /// If it has ended.
    fn freeze(&mut self) -> Result<()> {
        self.process_mut().signal("STOP")
    }
    /// Goes on after [`Peer::freeze`].
    ///
    /// # Errors
    /// If it has ended.
    fn thaw(&mut self) -> Result<()> {
        self.process_mut().signal("CONT")
    }
    /// Is asked to stop (SIGTERM) and does so within `limit`.
    ///
    /// # Errors
    /// If it does not, or ends with a failure.
    fn stop(&mut self, limit: Duration) -> Result<()> {
        let status = self.process_mut().terminate(limit)?;
        ensure(status.success(), || format!("{} ended with {status}", self.name()))
    }
    /// Runs the router's command line; what it prints.
    ///
    /// # Errors
    /// If the command fails.
    fn command(&mut self, args: &[&str]) -> Result<String>;
}

/// The routers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Software {
    /// BIRD 2.
    Bird,
    /// FRR: zebra and bgpd.
    Frr,
    /// GoBGP, which has no FIB.
    GoBgp,
    /// OpenBGPD, here without a FIB.
    OpenBgpd,
    /// ExaBGP, which has sessions but no table: it shows what it was sent.
    ExaBgp,
    /// This project's `route-reflector`.
    RouteReflector,
    /// This project's `bgp-speaker`.
    Speaker,
}

impl Software {
    /// Starts the router in the node's namespace and waits until its command line answers.
    ///
    /// # Errors
    /// If a program is missing or ends early.
    pub fn start(self, node: &Node, setup: &Setup) -> Result<Box<dyn Peer>> {
        Ok(match self {
            Software::Bird => Box::new(bird::Bird::start(node, setup)?),
            Software::Frr => Box::new(frr::Frr::start(node, setup)?),
            Software::GoBgp => Box::new(gobgp::GoBgp::start(node, setup)?),
            Software::OpenBgpd => Box::new(openbgpd::OpenBgpd::start(node, setup)?),
            Software::ExaBgp => Box::new(exabgp::ExaBgp::start(node, setup)?),
            Software::RouteReflector | Software::Speaker => {
                Box::new(daemon::Daemon::start(self, node, setup)?)
            }
        })
    }

    /// Starts another router with a configuration in its own language: for what [`Setup`] has no words for. OpenBGPD is
    /// told its socket besides; in ExaBGP's neighbours the word `API` stands for what lets their routes be seen.
    ///
    /// # Errors
    /// As for [`Software::start`], and for this project's daemons.
    pub fn start_with(self, node: &Node, config: &str) -> Result<Box<dyn Peer>> {
        Ok(match self {
            Software::Bird => Box::new(bird::Bird::start_with(node, config)?),
            Software::Frr => Box::new(frr::Frr::start_with(node, config)?),
            Software::GoBgp => Box::new(gobgp::GoBgp::start_with(node, config)?),
            Software::OpenBgpd => Box::new(openbgpd::OpenBgpd::start_with(node, config)?),
            Software::ExaBgp => Box::new(exabgp::ExaBgp::start_with(node, config)?),
            Software::RouteReflector | Software::Speaker => {
                return Err(crate::Error::NotSo("a daemon of this project is told by its setup".to_owned()));
            }
        })
    }

    /// By the name in `network.toml`: that of the program or the package.
    pub(crate) fn named(name: &str) -> Option<Software> {
        Some(match name {
            "bird" => Software::Bird,
            "frr" => Software::Frr,
            "gobgp" => Software::GoBgp,
            "openbgpd" => Software::OpenBgpd,
            "exabgp" => Software::ExaBgp,
            "route-reflector" => Software::RouteReflector,
            "bgp-speaker" => Software::Speaker,
            _ => return None,
        })
    }

    /// Starts the router with a whole configuration of its own, as an example holds it: [`Software::start_with`], but FRR's is
    /// that of all its daemons, and this project's daemons get a control socket besides.
    ///
    /// # Errors
    /// As for [`Software::start`].
    pub fn start_from(self, node: &Node, config: &str) -> Result<Box<dyn Peer>> {
        match self {
            Software::Frr => Ok(Box::new(frr::Frr::start_integrated(node, config)?)),
            Software::RouteReflector | Software::Speaker => {
                Ok(Box::new(daemon::Daemon::start_with(self, node, config)?))
            }
            _ => self.start_with(node, config),
        }
    }

    /// The command that asks the router on a node, for people.
    pub(crate) fn console(self, node: &Node) -> String {
        let (dir, namespace) = (node.dir().display(), node.namespace());
        match self {
            Software::Bird => format!("birdc -s {dir}/bird.ctl show route"),
            Software::Frr => format!("vtysh --vty_socket {dir} -c 'show bgp summary'"),
            Software::GoBgp => format!("ip netns exec {namespace} gobgp neighbor"),
            Software::OpenBgpd => format!("bgpctl -s {dir}/bgpd.sock show"),
            Software::ExaBgp => format!("tail -f {dir}/received.json"),
            Software::RouteReflector | Software::Speaker => format!("bgp --socket {dir}/api.sock peers"),
        }
    }
}
