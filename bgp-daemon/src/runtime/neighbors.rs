//! Neighbours that are known by the link that they are on: which of these links are there, and who is on them.
//!
//! ```text
//!  LinkWatch ──► Up, Down ──┐
//!                           ├──► the supervisor, which makes and ends their peers
//!  Discovery ──► Met ───────┘
//!      ▲
//!      └── ours: at once when a link comes, a few times while nobody answers, then every ten seconds
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use bgp_core::link_local;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::config::{Interface, PeerConfig, Selector};
use crate::net::{Discovery, DiscoveryError, Heard, LinkWatch, running_links};

/// Between two advertisements.
const INTERVAL: Duration = Duration::from_secs(10);

/// Between those with which we begin while nobody has answered, and how many these are.
const EAGER_INTERVAL: Duration = Duration::from_secs(1);
const EAGER: u32 = 10;

/// Between two answers to solicitations, so that nobody has us flood a link.
const ANSWERS: Duration = Duration::from_secs(1);

/// What happens on the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A link can carry packets.
    Up(Interface, NonZeroU32),
    /// It no longer can, or has another number now.
    Down(NonZeroU32),
    /// A router was heard there: its link-local address, with the link.
    Met(Interface, IpAddr),
}

/// The links that entries of the configuration name.
#[derive(Default)]
pub(super) struct Neighbors {
    watch: Option<LinkWatch>,
    discovery: Option<Discovery>,
    /// Each with whether we look for the neighbour there.
    wanted: BTreeMap<Interface, bool>,
    links: BTreeMap<Interface, Link>,
    events: VecDeque<Event>,
}

/// A link that can carry packets.
struct Link {
    index: NonZeroU32,
    seeks: bool,
    /// Advertisements so far, up to [`EAGER`].
    sent: u32,
    last: Option<Instant>,
    next: Instant,
    router: Option<Ipv6Addr>,
}

impl Link {
    fn new(index: NonZeroU32, seeks: bool) -> Link {
        Link { index, seeks, sent: 0, last: None, next: Instant::now(), router: None }
    }
}

impl Neighbors {
    /// Follows the links of these entries from now on, and tells all again that is known of them.
    ///
    /// # Errors
    /// Neither links nor router advertisements can be seen.
    pub(super) fn follow(&mut self, entries: &[PeerConfig]) -> Result<(), DiscoveryError> {
        self.wanted.clear();
        for entry in entries {
            let seeks = matches!(entry.selector, Selector::Interface(_));
            if let Some(interface) = entry.selector.interface() {
                *self.wanted.entry(interface).or_default() |= seeks;
            }
        }
        self.watch = match self.watch.take() {
            _ if self.wanted.is_empty() => None,
            None => Some(LinkWatch::new()?),
            some => some,
        };
        self.discovery = match self.discovery.take() {
            _ if !self.wanted.values().any(|seeks| *seeks) => None,
            None => Some(Discovery::open()?),
            some => some,
        };
        self.links.retain(|interface, link| self.wanted.get(interface) == Some(&link.seeks));
        for (interface, link) in &self.links {
            self.events.push_back(Event::Up(*interface, link.index));
            self.events.extend(link.router.map(|router| met(*interface, link.index, router)));
        }
        self.read_links();
        Ok(())
    }

    /// What has happened already.
    pub(super) fn take(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether there are links on which nobody was heard yet.
    pub(super) fn are_sought(&self) -> bool {
        self.links.values().any(|link| link.seeks && link.router.is_none())
    }

    /// Why an entry for this link has no peer.
    pub(super) fn absence(&self, interface: Interface) -> String {
        match self.links.get(&interface) {
            None => format!("no neighbor: {interface} is not there, or cannot carry packets"),
            Some(link) if link.seeks && link.router.is_none() => {
                format!("no neighbor: no router advertisement came on {interface}, and nobody connected")
            }
            Some(_) => format!("no neighbor: the one on {interface} is about to become a peer"),
        }
    }

    /// Waits for the next event, and sends advertisements meanwhile. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let due = self.links.values().filter(|link| link.seeks).map(|link| link.next).min();
            tokio::select! {
                () = changed(&mut self.watch) => self.read_links(),
                (link, heard) = heard(self.discovery.as_ref()) => self.heard(link, heard),
                () = until(due) => self.advertise(),
            }
        }
    }

    /// Compares the links that are there with those that were.
    fn read_links(&mut self) {
        if self.wanted.is_empty() {
            return;
        }
        let running = match running_links() {
            Ok(running) => running,
            Err(error) => return warn!("the links of this host cannot be read: {error}"),
        };
        let events = &mut self.events;
        self.links.retain(|interface, link| {
            let stays = running.get(interface) == Some(&link.index);
            if !stays {
                events.push_back(Event::Down(link.index));
            }
            stays
        });
        for (interface, seeks) in &self.wanted {
            if let Some(index) = running.get(interface).filter(|_| !self.links.contains_key(interface)) {
                self.links.insert(*interface, Link::new(*index, *seeks));
                self.events.push_back(Event::Up(*interface, *index));
                if let Some(discovery) = self.discovery.as_ref().filter(|_| *seeks) {
                    discovery.join(*index);
                }
            }
        }
        // An address may have come that was missing before.
        let now = Instant::now();
        self.links.values_mut().filter(|link| link.last.is_none()).for_each(|link| link.next = now);
    }

    fn heard(&mut self, index: NonZeroU32, heard: Heard) {
        let now = Instant::now();
        let found = self.links.iter_mut().find(|(_, link)| link.index == index && link.seeks);
        let Some((interface, link)) = found else { return };
        match heard {
            Heard::Question => link.next = link.last.map_or(now, |last| (last + ANSWERS).min(link.next)),
            Heard::Router(router) => {
                if link.router != Some(router) {
                    debug!(%interface, %router, "a router is on the link");
                    // It shall know of us as soon.
                    link.next = now;
                }
                link.router = Some(router);
                self.events.push_back(met(*interface, index, router));
            }
        }
    }

    /// Sends the advertisements that are due.
    fn advertise(&mut self) {
        let Some(discovery) = &self.discovery else { return };
        let now = Instant::now();
        for (interface, link) in self.links.iter_mut().filter(|(_, link)| link.seeks && link.next <= now) {
            let is_eager = link.router.is_none() && link.sent < EAGER;
            link.next = now + if is_eager { EAGER_INTERVAL } else { INTERVAL };
            let asked = if is_eager { discovery.solicit(link.index) } else { Ok(()) };
            match asked.and_then(|()| discovery.advertise(link.index)) {
                Ok(()) => (link.sent, link.last) = (link.sent.saturating_add(1), Some(now)),
                // A link-local address comes a moment after the link: then the links are read again.
                Err(error) => debug!(%interface, "no router advertisement sent: {error}"),
            }
        }
    }
}

fn met(interface: Interface, index: NonZeroU32, router: Ipv6Addr) -> Event {
    Event::Met(interface, link_local::on(router, Some(index)).into())
}

async fn changed(watch: &mut Option<LinkWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}

async fn heard(discovery: Option<&Discovery>) -> (NonZeroU32, Heard) {
    match discovery {
        Some(discovery) => discovery.next().await,
        None => pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
