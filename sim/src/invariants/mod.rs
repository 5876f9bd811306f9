//! What must hold at every moment of a run, however bad the moment is.
//!
//! | check | says |
//! |---|---|
//! | `loop` | no table has a route with the router's own ORIGINATOR_ID or cluster in it, or with its AS more often than is ever allowed |
//! | `unannounced` | a path that is not stale was announced in the session that is up |
//! | `dead` | a path of a session that is down is one that is kept for a restart, and not for longer than was agreed |
//! | `stale` | a path that was not announced again goes at End-of-RIB |
//! | `lost` | a session that ends as by a restart takes no route with it that both sides agreed to keep |
//! | `hold` | no hold timer expires while messages come in |
//! | `early end` | who has restarted holds its End-of-RIB back while others may still have to speak |
//! | `long-lived` | who does not know of long-lived stale routes is sent none |
//! | `end of rib` | every session is told the end of the other's routes |
//! | `agreement` | what a router counts as sent is what the other end was sent, once nothing is under way |
//! | `kernel` | at the end a kernel has the routes that its router wants, as far as next hops can be reached, and no old ones |
//! | `memory` | what groups keep for slow peers stays within its bounds |

mod book;
mod kernel;
mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_core::fsm::DownReason;
use bgp_core::{Instant, Prefix};

use crate::network::Network;
use crate::observe::{Failure, Observer, Read, Verdict};
use crate::oracle::{LLGR_STALE, Message, Tap};
use crate::spec::Event;

use book::{End, Lost};

/// Who has restarted waits so long after a session has come up before it sends End-of-RIB.
const QUIET: Duration = Duration::from_secs(10);

/// Room for what is decided at the same instant in another order.
const SLACK: Duration = Duration::from_secs(1);

/// Watches a run from its start.
#[derive(Debug, Default)]
pub struct Invariants {
    tap: Tap,
    /// What was read in this step: session, reading end, connection.
    news: Vec<(usize, usize, u64, Vec<Message>)>,
    /// By session and end.
    ends: BTreeMap<(usize, usize), End>,
    /// Of each router its life's number, and when it began.
    lives: BTreeMap<usize, (u32, Instant)>,
}

fn failure(check: &'static str, what: String) -> Failure {
    Failure { check, what }
}

impl Observer for Invariants {
    fn read(&mut self, read: &Read) {
        let messages = self.tap.read(read.connection, read.from, &read.octets);
        if !messages.is_empty() {
            self.news.push((read.session, 1 - read.from.min(1), read.connection, messages));
        }
    }

    fn step(&mut self, network: &Network, now: Instant) -> Verdict {
        let news = std::mem::take(&mut self.news);
        for (session, end, connection, messages) in &news {
            let end = self.ends.entry((*session, *end)).or_default();
            end.last_message.insert(*connection, now);
            messages.iter().for_each(|message| end.note(message));
        }
        for number in network.touched() {
            self.look_at(network, now, *number)?;
        }
        for (session, end, connection, messages) in &news {
            for message in messages {
                match message {
                    Message::EndOfRib(_) => self.check_end(network, now, *session, *end, *connection)?,
                    Message::Update(announced, _) => {
                        self.check_long_lived(*session, *end, *connection, announced)?
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, network: &Network, _spec: &crate::spec::Spec) -> Verdict {
        (0..network.spec().sessions.len()).try_for_each(|session| {
            self.check_complete(network, session)?;
            self.check_agreement(network, session)
        })?;
        kernel::check(network)
    }
}

impl Invariants {
    /// Everything about one router.
    fn look_at(&mut self, network: &Network, now: Instant, number: usize) -> Verdict {
        let sessions: Vec<(usize, usize)> = sessions_of(network, number);
        let life = network.lives(number);
        if self.lives.get(&number).is_none_or(|(number, _)| *number != life) {
            // The first life begins with the run, before anything can be seen of it.
            let born = if life == 1 { Instant::ZERO } else { now };
            self.lives.insert(number, (life, born));
        }
        if network.router(number).is_none() {
            for at in sessions {
                self.ends.remove(&at);
            }
            return Ok(());
        }
        for (session, end) in &sessions {
            self.follow(network, now, *session, *end)?;
        }
        let froze = froze_lately(network, now, number);
        tables::check(network, &self.tap, &self.ends, now, number, froze)?;
        for (session, end) in &sessions {
            self.check_lost(network, number, *session, *end)?;
        }
        self.remember(network, number);
        check_memory(network, number)
    }

    /// Notes whether a session has come up or gone down at one end.
    fn follow(&mut self, network: &Network, now: Instant, session: usize, end: usize) -> Verdict {
        let Some(peer) = network.peer(session, end) else { return Ok(()) };
        let agreed = peer.session().negotiated();
        let connection = agreed.map(|agreed| agreed.connection.0);
        let book = self.ends.entry((session, end)).or_default();
        let ups = usize::try_from(peer.session().counters().established).unwrap_or(usize::MAX);
        // Sessions may come and go within one step, if all octets of some seconds are read at once.
        let unseen = ups > book.ups + usize::from(connection.is_some() && book.connection != connection);
        if book.connection == connection {
            if unseen {
                book.ups = ups;
                book.lost = Some(Lost::unseen(now));
            }
            return Ok(());
        }
        if let Some(old) = book.connection {
            let reason = peer.session().last_error().cloned();
            let heard = book.last_message.get(&old).copied().unwrap_or_default();
            let silent = now.saturating_since(heard);
            if reason == Some(DownReason::HoldTimerExpired) && connection.is_none() && silent < book.hold_time
            {
                let what = format!("session {session}, end {end}: expired after {silent:?} of silence");
                return Err(failure("hold", what));
            }
            let asked = connection.is_none().then_some(reason).flatten();
            // Whoever spoke in a router's place was not listened to.
            book.lost = Some(match self.tap.open(old, 1 - end.min(1)) {
                Some(open) if self.tap.agreed(old).is_some() => Lost::new(now, old, &open, book, asked),
                _ => Lost::unseen(now),
            });
        }
        if unseen {
            book.lost = Some(Lost::unseen(now));
        }
        book.ups = ups;
        book.connection = connection;
        book.refreshing.clear();
        if let Some(agreed) = agreed {
            // As its OPEN said; it may be configured otherwise by now.
            let own = self.tap.open(agreed.connection.0, end).unwrap_or_default();
            book.up_at = now;
            book.notified = false;
            book.hold_time = Duration::from_secs(agreed.hold_time.into());
            // Without families it only says that End-of-RIB will come (RFC 4724 section 3).
            book.restarts = own.restarts.contains(&true);
            book.long_lived = own.long_lived;
        }
        Ok(())
    }

    /// Right after a session was lost as by a restart: all that may be kept is kept.
    fn check_lost(&mut self, network: &Network, number: usize, session: usize, end: usize) -> Verdict {
        let Some(book) = self.ends.get_mut(&(session, end)) else { return Ok(()) };
        let Some(lost) = &mut book.lost else { return Ok(()) };
        if !std::mem::replace(&mut lost.is_new, false) || !lost.as_by_restart {
            return Ok(());
        }
        let announced = self.tap.received(lost.connection, 1 - end.min(1));
        let held = tables::keys(network, number, session, end);
        for key in &book.held {
            let (prefix, _) = key;
            let kept = lost.until.get(usize::from(prefix.address().is_ipv6())).copied().flatten();
            let still_announced = announced.is_some_and(|received| received.routes.contains_key(key));
            if kept.is_some() && still_announced && !held.contains(key) {
                let what = format!("router {number}, session {session}: {key:?} went with it");
                return Err(failure("lost", what));
            }
        }
        Ok(())
    }

    /// What each session of a router has brought, for the moment at which it is lost.
    fn remember(&mut self, network: &Network, number: usize) {
        for (session, end) in sessions_of(network, number) {
            if let Some(book) = self.ends.get_mut(&(session, end)).filter(|book| book.connection.is_some()) {
                book.held = tables::keys(network, number, session, end);
            }
        }
    }

    /// The end of a restarted router's routes has come: had it waited?
    fn check_end(&self, network: &Network, now: Instant, session: usize, end: usize, at: u64) -> Verdict {
        let other = 1 - end.min(1);
        let restarted = self.tap.open(at, other).is_some_and(|open| open.restarted);
        let Some(book) = self.ends.get(&(session, other)).filter(|book| book.connection == Some(at)) else {
            return Ok(());
        };
        let waited = now.saturating_since(book.up_at);
        let number = network.spec().sessions.get(session).and_then(|s| s.ends.get(other)).copied();
        let alive = number.map_or(0, |number| self.sessions_before(network, number, book.up_at));
        let over = number.is_none_or(|number| network.deferred_until(number) <= now);
        if restarted && alive == 0 && waited < QUIET && !over {
            let what = format!("session {session}, end {other}: End-of-RIB {waited:?} after it came up");
            return Err(failure("early end", what));
        }
        Ok(())
    }

    /// Who does not know of long-lived stale routes is sent none (RFC 9494 section 4.3).
    fn check_long_lived(&self, session: usize, end: usize, at: u64, announced: &[(Prefix, u32)]) -> Verdict {
        let from = 1 - end.min(1);
        let (Some(received), Some(agreed)) = (self.tap.received(at, from), self.tap.agreed(at)) else {
            return Ok(());
        };
        for key in announced {
            let family = usize::from(key.0.address().is_ipv6());
            let knows = agreed.get(from).and_then(|agreed| agreed.long_lived.get(family)) == Some(&true);
            let is_stale = received.routes.get(key).is_some_and(|route| route.has(LLGR_STALE));
            if is_stale && !knows {
                return Err(failure("long-lived", format!("session {session}, from end {from}: {key:?}")));
            }
        }
        Ok(())
    }

    /// Every session has told the end of its routes.
    fn check_complete(&self, network: &Network, session: usize) -> Verdict {
        let Some(connection) = network.connection(session) else { return Ok(()) };
        for end in 0..2 {
            let ended = self.tap.received(connection.id, end).map(|received| &received.end_of_rib);
            if ended.is_some_and(|ended| ended.len() < tables::FAMILIES.len()) {
                let what = format!("session {session}, end {end}: only {ended:?}");
                return Err(failure("end of rib", what));
            }
        }
        Ok(())
    }

    /// How many sessions a router had before this one in its present life: after those its restart may be over.
    fn sessions_before(&self, network: &Network, number: usize, at: Instant) -> usize {
        let books = sessions_of(network, number).into_iter().filter_map(|key| self.ends.get(&key));
        books.filter(|book| book.ups > 1 || (book.ups == 1 && book.up_at < at)).count()
    }

    /// Once nothing is under way, both ends count the same routes.
    fn check_agreement(&self, network: &Network, session: usize) -> Verdict {
        let Some(connection) = network.connection(session) else { return Ok(()) };
        for end in 0..2 {
            let Some(peer) = network.peer(session, end).map(bgp_router::Peer::id) else { continue };
            let number = network.spec().sessions.get(session).and_then(|s| s.ends.get(end)).copied();
            let Some(router) = number.and_then(|number| network.router(number)) else { continue };
            let Some(received) = self.tap.received(connection.id, end) else { continue };
            for (place, family) in tables::FAMILIES.into_iter().enumerate() {
                let held = received.routes.keys().filter(|(prefix, _)| prefix.family() == family).count();
                let counted = router.core().rib().peer_counts(peer, family).map_or(0, |c| c.advertised);
                if held != counted {
                    let what = format!(
                        "session {session}, end {end}, family {place}: {counted} counted as sent, {held} arrived"
                    );
                    return Err(failure("agreement", what));
                }
            }
        }
        Ok(())
    }
}

/// The sessions of a router, and which end of them it is.
fn sessions_of(network: &Network, number: usize) -> Vec<(usize, usize)> {
    let sessions = network.spec().sessions.iter().enumerate();
    sessions
        .flat_map(|(session, line)| (0..2).map(move |end| (session, end, line.ends.get(end).copied())))
        .filter(|(_, _, router)| *router == Some(number))
        .map(|(session, end, _)| (session, end))
        .collect()
}

/// Whether the router's clock stood still, or has just begun to run again: what was due in between comes late.
fn froze_lately(network: &Network, now: Instant, number: usize) -> bool {
    network.spec().events.iter().any(|(at, event)| match event {
        Event::Freeze(node, time) if *node == number => {
            let start = Instant::ZERO + *at;
            start <= now && now <= start + *time + SLACK
        }
        _ => false,
    })
}

fn check_memory(network: &Network, number: usize) -> Verdict {
    let Some(router) = network.router(number) else { return Ok(()) };
    let limits = network.limits(number);
    for group in router.core().rib().groups() {
        let room = limits.journal + group.peers().count().saturating_mul(limits.journal + 256 * 1024);
        if group.queued_bytes() > room {
            let what = format!("router {number}: {} bytes queued, {room} at most", group.queued_bytes());
            return Err(failure("memory", what));
        }
    }
    Ok(())
}
