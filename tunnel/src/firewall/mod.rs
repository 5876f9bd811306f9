//! The packet filter: tunnel packets are taken from known hosts only, and what leaves the pools carries the
//! node's address. Both are rules of one nftables table, set through the program `nft`.
//!
//! Each change is one transaction of one run of `nft`, which is a state of its own here, since it takes some
//! milliseconds: one at a time, never waited for. The kernel tells of every transaction, in the end with
//! NFT_MSG_NEWGEN. One that touches our table and is not ours is interference, after which the whole table is
//! set again. Ours are told apart by counting: while one run of `nft` succeeds, exactly one transaction
//! should touch the table.

mod script;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use netlink_sys::protocols::NETLINK_NETFILTER;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::{DeviceError, TunnelError};
use crate::event::{Event, Part};
use crate::netlink::{Attributes, Message};
use crate::spec::Desired;
use crate::watch::Events;
use script::{Rules, TABLE};

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;
/// `nfnetlink` messages carry their subsystem in the upper octet of the type.
const NFTABLES: u8 = 10;
const NFT_MSG_NEWGEN: u8 = 15;
/// `struct nfgenmsg`. The first attribute of every message but NFT_MSG_NEWGEN names its table.
const HEADER: usize = 4;
const TABLE_NAME: u16 = 1;
/// `NFPROTO_INET`.
const INET: u8 = 1;
/// Bytes of kernel memory that unread events may take.
const BUFFER: usize = 4 << 20;
/// After which `nft` is given up. It takes well under a second for tens of thousands of hosts.
const PATIENCE: Duration = Duration::from_secs(30);

type Run = Pin<Box<dyn Future<Output = Result<(), DeviceError>> + Send>>;

/// What a run of `nft` is to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Goal {
    Whole(Option<Rules>, BTreeSet<IpAddr>),
    /// The hosts alone.
    Hosts(BTreeSet<IpAddr>),
}

/// How the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Not set yet.
    Unknown,
    /// As desired, or as desired a moment ago.
    InForce,
    Failed(DeviceError),
}

/// The table.
pub(crate) struct Firewall {
    rules: Option<Rules>,
    hosts: BTreeSet<IpAddr>,
    /// What the kernel has, if it is known.
    there: Option<(Option<Rules>, BTreeSet<IpAddr>)>,
    state: State,
    run: Option<(Run, Goal)>,
    /// Opened when a table is needed first: a kernel may have no nftables.
    watch: Option<Events>,
    /// The present transaction touches our table.
    touched: bool,
    /// Transactions that did, since the start of the run.
    transactions: usize,
    /// Someone changed the table.
    interfered: bool,
}

impl Firewall {
    pub(crate) fn new() -> Self {
        Self {
            rules: None,
            hosts: BTreeSet::new(),
            there: None,
            state: State::Unknown,
            run: None,
            watch: None,
            touched: false,
            transactions: 0,
            interfered: false,
        }
    }

    /// What failed is tried again.
    pub(crate) fn set(&mut self, desired: &Desired) {
        self.rules = Rules::of(desired);
        self.hosts = desired.hosts.clone();
        if matches!(self.state, State::Failed(_)) {
            self.state = State::Unknown;
        }
    }

    pub(crate) fn add_host(&mut self, host: IpAddr) {
        self.hosts.insert(host);
    }

    pub(crate) fn remove_host(&mut self, host: IpAddr) {
        self.hosts.remove(&host);
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Nothing is under way and nothing is to be done.
    pub(crate) fn is_done(&self) -> bool {
        self.run.is_none() && (matches!(self.state, State::Failed(_)) || self.goal().is_none())
    }

    /// Becomes ready when there is something to do.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        if let Some((run, goal)) = &mut self.run
            && let Poll::Ready(result) = run.as_mut().poll(context)
        {
            let goal = goal.clone();
            let finished: Run = Box::pin(std::future::ready(result));
            self.run = Some((finished, goal));
            return Poll::Ready(Ok(()));
        }
        self.watch.as_mut().map_or(Poll::Pending, |watch| watch.poll(context))
    }

    /// Follows events, takes the result of a run, starts another.
    pub(crate) fn step(&mut self, events: &mut impl Extend<Event>) -> Result<(), TunnelError> {
        let ended = self.run.as_mut().and_then(|(run, _)| {
            let mut nobody = Context::from_waker(std::task::Waker::noop());
            match run.as_mut().poll(&mut nobody) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            }
        });
        // After the end of the run, so that all that it caused is read.
        let overrun = self.follow()?;
        if let Some(result) = ended
            && let Some((_, goal)) = self.run.take()
        {
            self.conclude(result, goal, events);
        } else if self.run.is_none() && (overrun || self.transactions > 0) && self.there.is_some() {
            self.there = None;
            self.interfered = true;
            if matches!(self.state, State::Failed(_)) {
                self.state = State::Unknown;
            }
        }
        if self.run.is_none() {
            self.transactions = 0;
            self.start()?;
        }
        Ok(())
    }

    /// Reads events. `true` if some were lost.
    fn follow(&mut self) -> Result<bool, TunnelError> {
        let Some(watch) = &mut self.watch else { return Ok(false) };
        let mut overrun = false;
        loop {
            let (touched, transactions) = (&mut self.touched, &mut self.transactions);
            let drained = watch.drain(|message| match touches(message) {
                Some(Touch::Table) => *touched = true,
                Some(Touch::End) => *transactions += usize::from(std::mem::take(touched)),
                None => {}
            })?;
            overrun |= drained.overrun;
            if !drained.more {
                return Ok(overrun);
            }
        }
    }

    fn goal(&self) -> Option<Goal> {
        match &self.there {
            Some((rules, _)) if *rules != self.rules => {}
            Some((Some(rules), hosts)) if rules.has_hosts() && *hosts != self.hosts => {
                return Some(Goal::Hosts(self.hosts.clone()));
            }
            Some(_) => return None,
            None => {}
        }
        Some(Goal::Whole(self.rules.clone(), self.hosts.clone()))
    }

    fn start(&mut self) -> Result<(), TunnelError> {
        if matches!(self.state, State::Failed(_)) {
            return Ok(());
        }
        let Some(goal) = self.goal() else { return Ok(()) };
        let script = match (&goal, &self.there) {
            (Goal::Whole(Some(rules), hosts), _) => rules.whole(hosts),
            (Goal::Hosts(hosts), Some((_, there))) => script::difference(&(hosts - there), &(there - hosts)),
            _ => script::removal(),
        };
        if self.watch.is_none() && self.rules.is_some() {
            self.watch = Some(Events::open(NETLINK_NETFILTER, &[GROUP], BUFFER)?);
        }
        self.run = Some((Box::pin(nft(script)), goal));
        Ok(())
    }

    fn conclude(&mut self, result: Result<(), DeviceError>, goal: Goal, events: &mut impl Extend<Event>) {
        let part = Part::Filter;
        let expected = usize::from(result.is_ok());
        let disturbed = self.watch.is_some() && self.transactions > expected;
        match (result, goal) {
            (Ok(()), Goal::Whole(rules, hosts)) => {
                let had_table = self.state == State::InForce;
                if self.interfered && rules.is_some() {
                    events.extend([Event::Repaired { part, what: "rules".into() }]);
                } else if rules.is_some() {
                    events.extend([Event::Ready { part }]);
                } else if had_table {
                    events.extend([Event::Removed { part }]);
                }
                self.state = if rules.is_some() { State::InForce } else { State::Unknown };
                self.there = Some((rules, hosts));
                self.interfered = false;
            }
            (Ok(()), Goal::Hosts(hosts)) => {
                self.there = self.there.take().map(|(rules, _)| (rules, hosts));
            }
            // A set is not as it was left: the whole table it is.
            (Err(_), Goal::Hosts(_)) => {
                self.there = None;
                self.interfered = true;
            }
            // Nothing can be there, then, and nothing is needed.
            (Err(DeviceError::NoNft | DeviceError::Nft(_)), Goal::Whole(None, hosts)) => {
                self.there = Some((None, hosts));
            }
            (Err(error), Goal::Whole(..)) => {
                self.there = None;
                events.extend([Event::Failed { part, error: error.clone() }]);
                self.state = State::Failed(error);
            }
        }
        if disturbed {
            self.there = None;
            self.interfered = true;
        }
    }
}

enum Touch {
    Table,
    End,
}

fn touches(message: &Message<'_>) -> Option<Touch> {
    let [subsystem, kind] = message.kind.to_be_bytes();
    if subsystem != NFTABLES {
        return None;
    }
    if kind == NFT_MSG_NEWGEN {
        return Some(Touch::End);
    }
    let table = Attributes::after(HEADER, message.body).text(TABLE_NAME);
    (message.body.first() == Some(&INET) && table.as_deref() == Some(TABLE)).then_some(Touch::Table)
}

/// Runs a script.
async fn nft(script: String) -> Result<(), DeviceError> {
    let run = async {
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // If it ends early, it says why.
            let _ = input.write_all(script.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(PATIENCE, run).await {
        Err(_) => Err(DeviceError::Nft(format!("no end within {} s", PATIENCE.as_secs()))),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(DeviceError::NoNft),
        Ok(Err(error)) => Err(DeviceError::Nft(error.to_string())),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            // The first line names the error; others repeat the script.
            Err(DeviceError::Nft(said.lines().next().unwrap_or("failed without a word").to_owned()))
        }
    }
}
