//! Policy routing: which packets look into which table.
//!
//! Rules of our own protocol (`FRA_PROTOCOL`) are kept equal to the desired ones; those of others are never
//! touched. There are few of them: after every event about one of ours all are read again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use rtnetlink::packet_core::{NetlinkMessage, NlasIterator};
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::io::unix::AsyncFd;
use tracing::warn;

use crate::error::{FibError, KernelError};
use crate::interface::InterfaceName;
use crate::message::{self, AF_INET, AF_INET6, Message, Messages};
use crate::route::canonical;
use crate::socket::{Netlink, Received};

/// `struct fib_rule_hdr`.
const HEADER: usize = 12;
/// Of `linux/fib_rules.h`.
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_PROTOCOL: u16 = 21;
const FR_ACT_TO_TBL: u8 = 1;
/// Flags that say something about the moment: the interface is not there, the target is not.
const PASSING_FLAGS: u32 = 0x4 | 0x8;

const GROUPS: [u32; 2] = [libc::RTNLGRP_IPV4_RULE, libc::RTNLGRP_IPV6_RULE];
/// Bytes of kernel memory that unread events may take. When they do not suffice, all is read again.
const BUFFER: usize = 1 << 20;
/// How often a listing is repeated that others disturbed.
const TRIES: usize = 4;

/// The IP version of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Packets that match look into a table. What is `None` matches every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `FRA_PRIORITY`: lower is asked first. The kernel's own are 0, 32766 and 32767.
    pub priority: u32,
    /// The IP version of the packets.
    pub family: RuleFamily,
    /// Where packets come from.
    pub from: Option<IpNetwork>,
    /// Where packets go.
    pub to: Option<IpNetwork>,
    /// The interface they arrived at; it need not exist.
    pub input: Option<InterfaceName>,
    /// The packets' mark and which of its bits count.
    pub mark: Option<(u32, u32)>,
    /// The table, 1 or more.
    pub table: u32,
}

impl Rule {
    /// All packets of an IP version look into a table.
    pub fn new(family: RuleFamily, priority: u32, table: u32) -> Self {
        Self { priority, family, from: None, to: None, input: None, mark: None, table }
    }

    /// As the kernel shows it.
    fn canonical(mut self) -> Self {
        let significant = |network: &IpNetwork| network.prefix() > 0;
        self.from = self.from.map(canonical).filter(significant);
        self.to = self.to.map(canonical).filter(significant);
        self.mark = self.mark.map(|(value, mask)| (value & mask, mask)).filter(|(_, mask)| *mask != 0);
        self
    }

    /// What the kernel would take for something else.
    fn check(&self) -> Result<(), KernelError> {
        let wrong = |errno, text: &str| Err(KernelError { errno, text: Some(text.to_owned()) });
        let mut networks = self.from.iter().chain(&self.to);
        if networks.any(|network| network.is_ipv4() != (self.family == RuleFamily::V4)) {
            return wrong(libc::EAFNOSUPPORT, "from and to must be of the rule's IP version");
        }
        if self.table == 0 {
            return wrong(libc::EINVAL, "routing table 0 does not exist: the main table is 254");
        }
        Ok(())
    }

    fn message(&self, protocol: u8) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = match self.family {
            RuleFamily::V4 => AddressFamily::Inet,
            RuleFamily::V6 => AddressFamily::Inet6,
        };
        message.header.action = RuleAction::ToTable;
        message.header.src_len = self.from.map_or(0, |network| network.prefix());
        message.header.dst_len = self.to.map_or(0, |network| network.prefix());
        message.attributes = vec![
            RuleAttribute::Priority(self.priority),
            RuleAttribute::Table(self.table),
            RuleAttribute::Protocol(RouteProtocol::from(protocol)),
        ];
        message.attributes.extend(self.from.map(|network| RuleAttribute::Source(network.ip())));
        message.attributes.extend(self.to.map(|network| RuleAttribute::Destination(network.ip())));
        message.attributes.extend(self.input.map(|name| RuleAttribute::Iifname(name.to_string())));
        if let Some((value, mask)) = self.mark {
            message.attributes.extend([RuleAttribute::FwMark(value), RuleAttribute::FwMask(mask)]);
        }
        message
    }
}

/// A rule of our protocol as the kernel has it.
struct KernelRule {
    /// `None` if it has something that ours never have.
    rule: Option<Rule>,
    /// The message, to be sent back for its removal.
    body: Vec<u8>,
}

/// The protocol of a rule and the rule itself.
fn parse(body: &[u8]) -> Option<(u8, Option<Rule>)> {
    let [family, to_bits, from_bits, tos, table, _, _, action] = *body.first_chunk()?;
    let flags = u32::from_ne_bytes(*body.get(8..)?.first_chunk()?);
    let family = match family {
        AF_INET => RuleFamily::V4,
        AF_INET6 => RuleFamily::V6,
        _ => return None,
    };
    let mut rule = Rule::new(family, 0, table.into());
    let (mut protocol, mut plain) = (0, tos == 0 && action == FR_ACT_TO_TBL && flags & !PASSING_FLAGS == 0);
    for attribute in NlasIterator::new(body.get(HEADER..)?).map_while(Result::ok) {
        let value = attribute.value();
        let number = value.first_chunk().copied().map(u32::from_ne_bytes);
        match (attribute.kind(), number) {
            (FRA_PROTOCOL, _) => protocol = value.first().copied().unwrap_or_default(),
            (FRA_PRIORITY, Some(number)) => rule.priority = number,
            (FRA_TABLE, Some(number)) => rule.table = number,
            (FRA_FWMARK, Some(number)) => rule.mark.get_or_insert((0, u32::MAX)).0 = number,
            (FRA_FWMASK, Some(number)) => rule.mark.get_or_insert((0, u32::MAX)).1 = number,
            // Always there; all ones if not asked for.
            (FRA_SUPPRESS_IFGROUP | FRA_SUPPRESS_PREFIXLEN, Some(u32::MAX)) => {}
            (FRA_SRC, _) => rule.from = network(value, from_bits),
            (FRA_DST, _) => rule.to = network(value, to_bits),
            (FRA_IIFNAME, _) => {
                let name = std::str::from_utf8(value).ok().map(|name| name.trim_end_matches('\0'));
                rule.input = name.and_then(|name| name.parse().ok());
                plain &= rule.input.is_some();
            }
            _ => plain = false,
        }
    }
    Some((protocol, plain.then_some(rule)))
}

fn network(value: &[u8], bits: u8) -> Option<IpNetwork> {
    let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()?;
    IpNetwork::new(address, bits).ok()
}

/// What a [`RuleSync`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleEvent {
    /// The desired rules are in the kernel, or were reported as refused.
    InSync,
    /// The kernel does not take a rule. It is tried again with the next change.
    Refused {
        /// What was desired.
        rule: Rule,
        /// Why not.
        error: KernelError,
    },
    /// Someone else had changed rules of ours, which are right again.
    Repaired {
        /// How many.
        rules: usize,
    },
}

/// Keeps the kernel's policy-routing rules of one protocol equal to the desired ones, for IPv4 and IPv6.
///
/// Owns its sockets and starts no task; nothing is polled. Must live in a tokio runtime with I/O enabled.
/// Dropping it leaves the rules in the kernel, for the next one to adopt.
///
/// ```no_run
/// use fib_sync::{Rule, RuleEvent, RuleFamily, RuleSync};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut rules = RuleSync::open(186)?;
/// let marked = Rule { mark: Some((0x100, 0xff00)), ..Rule::new(RuleFamily::V4, 100, 1000) };
/// rules.set([marked]);
/// while rules.next().await? != RuleEvent::InSync {}
/// # Ok(())
/// # }
/// ```
pub struct RuleSync {
    protocol: u8,
    desired: BTreeSet<Rule>,
    requests: Netlink,
    seq: u32,
    space: Vec<u8>,
    watch: AsyncFd<Netlink>,
    /// The kernel's rules are to be compared; `None` before anything is desired.
    unread: Option<bool>,
    /// What is desired has changed since they were.
    changed: bool,
    refused: BTreeMap<Rule, KernelError>,
    events: VecDeque<RuleEvent>,
}

impl RuleSync {
    /// Opens the sockets and subscribes to the kernel's events. Changes nothing until [`set`](Self::set).
    /// `protocol`: 5 to 255; what marks rules as ours.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as tokio's own sockets do.
    pub fn open(protocol: u8) -> Result<Self, FibError> {
        if protocol <= libc::RTPROT_STATIC {
            return Err(FibError::Protocol(protocol));
        }
        let requests = Netlink::open(BUFFER)?;
        requests
            .socket
            .set_ext_ack(true)
            .and_then(|()| requests.socket.set_cap_ack(true))
            .map_err(FibError::netlink("cannot ask for extended acknowledgements"))?;
        let watch = Netlink::open(BUFFER)?;
        watch.ignore_sender(requests.port).map_err(FibError::netlink("cannot filter the kernel's events"))?;
        for group in GROUPS {
            let joined = watch.socket.add_membership(group);
            joined.map_err(FibError::netlink("cannot subscribe to the kernel's events"))?;
        }
        let watch = watch.register().map_err(FibError::netlink("cannot wait for events"))?;
        Ok(Self {
            protocol,
            desired: BTreeSet::new(),
            requests,
            seq: 0,
            space: Vec::new(),
            watch,
            unread: None,
            changed: false,
            refused: BTreeMap::new(),
            events: VecDeque::new(),
        })
    }

    /// Desires these rules and no others.
    pub fn set(&mut self, rules: impl IntoIterator<Item = Rule>) {
        self.desired = rules.into_iter().map(Rule::canonical).collect();
        self.refused.clear();
        self.unread = Some(true);
        self.changed = true;
    }

    /// Carries out what is desired, follows the kernel's events, and returns what is worth telling.
    ///
    /// Cancel safe: nothing is lost when the future is dropped. An error means that the sockets no longer
    /// work or that there is no permission; the rules stay.
    pub async fn next(&mut self) -> Result<RuleEvent, FibError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.follow()?;
            if self.unread == Some(true) {
                self.unread = Some(false);
                self.compare()?;
                tokio::task::yield_now().await;
            } else {
                self.wait().await?;
            }
        }
    }

    async fn wait(&mut self) -> Result<(), FibError> {
        let mut guard = self.watch.readable().await.map_err(FibError::netlink("cannot wait for events"))?;
        // Reading, which follows, tells whether there is something.
        guard.clear_ready();
        self.follow()
    }

    /// Reads events. Those of our protocol are others' doing.
    fn follow(&mut self) -> Result<(), FibError> {
        loop {
            let received = self.watch.get_ref().receive(&mut self.space);
            match received.map_err(FibError::netlink("cannot read events"))? {
                Received::Empty => return Ok(()),
                Received::Lost => self.unread = self.unread.map(|_| true),
                Received::Datagram(bytes) => {
                    let ours = |message: Message<'_>| {
                        parse(message.body).is_some_and(|(protocol, _)| protocol == self.protocol)
                    };
                    if Messages(bytes).any(ours) {
                        self.unread = self.unread.map(|_| true);
                    }
                }
            }
        }
    }

    /// Reads the kernel's rules and puts right what differs.
    fn compare(&mut self) -> Result<(), FibError> {
        let (mut missing, mut repaired) = (self.desired.clone(), 0);
        for KernelRule { rule, body } in self.list()? {
            // The same rule twice is once too often.
            if rule.is_none_or(|rule| !missing.remove(&rule)) {
                repaired += 1;
                let gone = self.change(libc::RTM_DELRULE, 0, &body)?;
                if let Err(error) = gone.or_else(|error| accept(error, libc::ENOENT)) {
                    warn!(%error, "the kernel did not remove a rule");
                }
            }
        }
        for rule in missing {
            let result = match rule.check() {
                Ok(()) => self.add(&rule)?,
                wrong => wrong,
            };
            match result {
                Ok(()) => {
                    self.refused.remove(&rule);
                    repaired += 1;
                }
                Err(error) if self.refused.get(&rule) == Some(&error) => {}
                Err(error) => {
                    warn!(?rule, %error, "the kernel refused a rule");
                    self.refused.insert(rule, error.clone());
                    self.events.push_back(RuleEvent::Refused { rule, error });
                }
            }
        }
        if std::mem::take(&mut self.changed) {
            self.events.push_back(RuleEvent::InSync);
        } else if repaired > 0 {
            self.events.push_back(RuleEvent::Repaired { rules: repaired });
        }
        Ok(())
    }

    fn add(&mut self, rule: &Rule) -> Result<Result<(), KernelError>, FibError> {
        let body = body(RouteNetlinkMessage::NewRule(rule.message(self.protocol)));
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let added = self.change(libc::RTM_NEWRULE, flags, &body)?;
        Ok(added.or_else(|error| accept(error, libc::EEXIST)))
    }

    /// Rules of our protocol.
    fn list(&mut self) -> Result<Vec<KernelRule>, FibError> {
        let mut attempt = 1;
        loop {
            let (mut all, mut disturbed) = (Vec::new(), false);
            for family in [AF_INET, AF_INET6] {
                let mut header = [0; HEADER];
                header[0] = family;
                let protocol = self.protocol;
                let answer = self.exchange(libc::RTM_GETRULE, libc::NLM_F_DUMP, &header, |message| {
                    disturbed |= message.flags & libc::NLM_F_DUMP_INTR as u16 != 0;
                    if let Some((of, rule)) = parse(message.body)
                        && of == protocol
                    {
                        all.push(KernelRule { rule, body: message.body.to_vec() });
                    }
                })?;
                match answer {
                    Ok(()) => {}
                    Err(KernelError { errno: libc::ENOBUFS, .. }) => disturbed = true,
                    // A kernel without this IP version, or without policy routing.
                    Err(KernelError { errno: libc::EAFNOSUPPORT | libc::EOPNOTSUPP, .. }) => {}
                    Err(error) => return Err(FibError::Dump { what: "rules", error }),
                }
            }
            if !disturbed || attempt >= TRIES {
                return Ok(all);
            }
            attempt += 1;
        }
    }

    fn change(&mut self, kind: u16, flags: i32, body: &[u8]) -> Result<Result<(), KernelError>, FibError> {
        match self.exchange(kind, libc::NLM_F_ACK | flags, body, |_| {})? {
            Err(error) if error.errno == libc::EPERM => Err(FibError::Permission),
            answer => Ok(answer),
        }
    }

    /// The kernel answers within `send` or `recv`: nothing is waited for.
    fn exchange(
        &mut self,
        kind: u16,
        flags: i32,
        body: &[u8],
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<Result<(), KernelError>, FibError> {
        self.seq = self.seq.wrapping_add(1);
        let mut request = Vec::new();
        let start = message::begin(&mut request, kind, (libc::NLM_F_REQUEST | flags) as u16, self.seq);
        request.extend_from_slice(body);
        message::finish(&mut request, start);
        self.requests.socket.send(&request, 0).map_err(FibError::netlink("cannot send a request"))?;
        loop {
            let received = self.requests.receive(&mut self.space).map_err(FibError::netlink("no answer"))?;
            let Received::Datagram(bytes) = received else {
                let lost = io::Error::from_raw_os_error(libc::ENOBUFS).to_string();
                return Ok(Err(KernelError { errno: libc::ENOBUFS, text: Some(lost) }));
            };
            for message in Messages(bytes).filter(|message| message.seq == self.seq) {
                match i32::from(message.kind) {
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                        return Ok(message::parse_answer(&message).map_or(Ok(()), Err));
                    }
                    _ => each(&message),
                }
            }
        }
    }
}

/// The bytes behind the header of a message.
fn body(message: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = NetlinkMessage::from(message);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes.split_off(size_of::<libc::nlmsghdr>())
}

/// Someone else has done it already.
fn accept(error: KernelError, harmless: i32) -> Result<(), KernelError> {
    if error.errno == harmless { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule {
            from: Some("10.1.2.3/16".parse().unwrap()),
            to: Some("10.2.0.0/16".parse().unwrap()),
            input: Some("eth0".parse().unwrap()),
            mark: Some((0x1ff, 0xff)),
            ..Rule::new(RuleFamily::V4, 100, 1000)
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let six = Rule { from: Some("fd00::/64".parse().unwrap()), ..Rule::new(RuleFamily::V6, 5, 7) };
        for rule in [rule().canonical(), six, Rule::new(RuleFamily::V4, 1, 254)] {
            let body = body(RouteNetlinkMessage::NewRule(rule.message(186)));
            assert_eq!(parse(&body), Some((186, Some(rule))));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        let body = body(RouteNetlinkMessage::NewRule(rule().canonical().message(186)));
        for at in 0..body.len() {
            let _ = parse(&body[..at]);
            for value in [0, 1, 3, 7, 0x7f, 0xff] {
                let mut changed = body.clone();
                changed[at] = value;
                let _ = parse(&changed);
            }
        }
    }
}
