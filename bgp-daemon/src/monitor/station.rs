//! The session with one collector (RFC 7854 section 3.2): connect, tell what is, then what changes.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bgp_telemetry::bmp::Ending;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::World;
use super::asked::Ask;
use super::feed::{Overflow, Tap, Topic};
use super::item::Item;
use super::status::CollectorStatus;
use super::steps::Walk;
use super::told::Told;
use crate::config::{Bmp, BmpView};
use crate::runtime::{Commands, CoreRequest, PeerCommand, TellReceived};

/// Octets that may wait for a collector.
const ROOM: usize = 64 << 20;

/// Octets that are made into messages before they are written.
const WRITE: usize = 256 << 10;

/// How long a collector may take to be connected to, and to take what is written.
const CONNECT: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(60);

/// How long the last words may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The pause before another attempt: doubled from the first to the longest, and over after a session this long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(60);

/// Why a session with a collector is over.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it cannot be reached within {} seconds", CONNECT.as_secs())]
    Unreachable,
    #[error("it closed the connection")]
    Closed,
    #[error("it takes nothing for {} seconds", STALL.as_secs())]
    Stalled,
    #[error("it is too slow: {} items found no room; it is connected to anew and told everything again", .0.items)]
    TooSlow(Overflow),
    #[error("it is no longer configured, or the daemon stops")]
    Stopped,
    #[error("the daemon is stopping")]
    Alone,
}

impl From<Overflow> for Over {
    fn from(overflow: Overflow) -> Over {
        Over::TooSlow(overflow)
    }
}

/// One collector's station.
pub(super) struct Station {
    config: Bmp,
    topics: Topic,
    world: World,
    asks: mpsc::Sender<Ask>,
    status: CollectorStatus,
    /// Octets that may wait.
    room: usize,
}

/// A connection, and what went over it.
struct Link {
    out: OwnedWriteHalf,
    told: Told,
    buffer: Vec<u8>,
}

fn topic(view: BmpView) -> Topic {
    match view {
        BmpView::PrePolicy => Topic::RECEIVED,
        BmpView::PostPolicy => Topic::TAKEN,
        BmpView::LocRib => Topic::CHOSEN,
        BmpView::AdjRibOut => Topic::SENT,
    }
}

impl Station {
    pub(super) fn new(
        config: Bmp,
        world: World,
        asks: mpsc::Sender<Ask>,
        status: CollectorStatus,
    ) -> Station {
        let topics = config.monitor.iter().fold(Topic::SESSIONS, |sum, view| sum.with(topic(*view)));
        Station { config, topics, world, asks, status, room: ROOM }
    }

    /// Runs until it is told to stop.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let collector = self.config.address;
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let over = self.session(&mut stop).await;
            let was_up = self.status.inner.up.swap(false, Ordering::Relaxed);
            let Err(over) = over else { return };
            match &over {
                Over::Stopped | Over::Alone => return,
                Over::TooSlow(_) => self.status.inner.overflows.add(1),
                _ => {}
            }
            if self.status.inner.error.set(Some(over.to_string())) || was_up {
                warn!(%collector, "no BMP session: {over}");
            }
            if begun.elapsed() >= SETTLED {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    async fn session(&self, stop: &mut watch::Receiver<bool>) -> Result<(), Over> {
        let connect = timeout(CONNECT, TcpStream::connect(self.config.address));
        let stream = tokio::select! {
            connected = connect => connected.map_err(|_| Over::Unreachable)??,
            _ = stop.wait_for(|stop| *stop) => return Err(Over::Stopped),
        };
        stream.set_nodelay(true)?;
        let (input, out) = stream.into_split();
        let mut buffer = Vec::new();
        let told = Told::begin(&self.world, self.topics.contains(Topic::CHOSEN), &mut buffer);
        let tap = self.world.feed.tap(self.topics, self.room);
        let mut link = Link { out, told, buffer };
        let counts = &self.status.inner;
        counts.connects.add(1);
        counts.up.store(true, Ordering::Relaxed);
        counts.error.set(None);
        info!(collector = %self.config.address, "BMP session");
        let over = tokio::select! {
            over = self.tell(&tap, &mut link) => over,
            closed = closed(input) => closed,
            _ = stop.wait_for(|stop| *stop) => Err(Over::Stopped),
        };
        let ending = match &over {
            Err(Over::TooSlow(_)) => Some(Ending::OutOfResources),
            Err(Over::Stopped | Over::Alone) => Some(Ending::Administrative),
            _ => None,
        };
        if let (Some(ending), Err(over)) = (ending, &over) {
            // A message that was cut off would swallow it: then there is nothing to add.
            if link.buffer.is_empty() {
                link.told.end(&self.world, ending, &over.to_string(), &mut link.buffer);
                let _ = timeout(FAREWELL, link.out.write_all(&link.buffer)).await;
            }
        }
        over
    }

    /// Tells what is, then what changes, and the counts now and then.
    async fn tell(&self, tap: &Tap, link: &mut Link) -> Result<(), Over> {
        self.flush(link).await?;
        self.tell_all(tap, link).await?;
        let every = self.config.statistics_interval;
        let mut due = every.map(|every| tokio::time::interval_at(Instant::now() + every, every));
        if every.is_some() {
            self.tell_counts(link).await?;
        }
        loop {
            let tick = async {
                match &mut due {
                    Some(due) => due.tick().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                items = tap.next() => self.write(items?, link).await?,
                _ = tick => self.tell_counts(link).await?,
            }
        }
    }

    async fn tell_all(&self, tap: &Tap, link: &mut Link) -> Result<(), Over> {
        let (reply, peers) = oneshot::channel();
        self.asks.send(Ask::Peers(reply)).await.map_err(|_| Over::Alone)?;
        for peer in peers.await.map_err(|_| Over::Alone)? {
            self.tell_received(&peer, tap, link).await?;
        }
        let mut walk = Some(Walk::START);
        while let Some(from) = walk.take() {
            let (reply, answer) = oneshot::channel();
            let (queue, topics) = (tap.queue(), self.topics);
            let step = move |core: &mut bgp_router::Core, _: crate::runtime::Clock| {
                // Whoever waits for it is gone: the walk is over.
                let _ = reply.send(from.step(core, topics, &queue));
            };
            self.world.core.send(CoreRequest::With(Box::new(step))).await.map_err(|_| Over::Alone)?;
            walk = answer.await.map_err(|_| Over::Alone)?;
            self.write(tap.take()?, link).await?;
        }
        Ok(())
    }

    /// A peer's session, and its routes as they came if they are wanted and kept.
    async fn tell_received(&self, peer: &Commands, tap: &Tap, link: &mut Link) -> Result<(), Over> {
        let routes = self.topics.contains(Topic::RECEIVED);
        let mut after = None;
        loop {
            let (reply, answer) = oneshot::channel();
            let ask = TellReceived { queue: tap.queue(), routes, after, reply };
            // A peer that is gone has nothing to tell.
            if peer.send(Box::new(PeerCommand::Tell(Box::new(ask)))).await.is_err() {
                return Ok(());
            }
            after = answer.await.unwrap_or_default();
            self.write(tap.take()?, link).await?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn tell_counts(&self, link: &mut Link) -> Result<(), Over> {
        let (reply, numbers) = oneshot::channel();
        self.asks.send(Ask::Numbers(reply)).await.map_err(|_| Over::Alone)?;
        let (peers, sizes) = numbers.await.map_err(|_| Over::Alone)?;
        link.told.statistics(&self.world, &peers, &sizes, &mut link.buffer);
        self.flush(link).await
    }

    async fn write(&self, items: VecDeque<Item>, link: &mut Link) -> Result<(), Over> {
        for item in items {
            link.told.tell(&self.world, item, &mut link.buffer);
            if link.buffer.len() >= WRITE {
                self.flush(link).await?;
            }
        }
        self.flush(link).await
    }

    async fn flush(&self, link: &mut Link) -> Result<(), Over> {
        if link.buffer.is_empty() {
            return Ok(());
        }
        timeout(STALL, link.out.write_all(&link.buffer)).await.map_err(|_| Over::Stalled)??;
        let counts = &self.status.inner;
        counts.octets.add(link.buffer.len() as u64);
        counts.messages.add(messages(&link.buffer));
        link.buffer.clear();
        link.buffer.shrink_to(WRITE);
        Ok(())
    }
}

/// How many whole messages these octets are.
fn messages(mut octets: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(length) = octets.get(1..5).and_then(|length| length.first_chunk::<4>()) {
        let len = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).max(1);
        octets = octets.get(len..).unwrap_or_default();
        count += 1;
    }
    count
}

/// A collector says nothing: what it sends is dropped until it closes.
async fn closed(input: OwnedReadHalf) -> Result<(), Over> {
    let mut scrap = [0; 256];
    loop {
        input.readable().await?;
        match input.try_read(&mut scrap) {
            Ok(0) => return Err(Over::Closed),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, RouterId};
    use bgp_rib::{AttributeStore, ExportContext, PeerId, RibConfig};
    use bgp_telemetry::bmp::{Kind, Message};
    use bytes::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::super::feed::Feed;
    use super::*;
    use crate::runtime::Clock;

    const LIMIT: Duration = Duration::from_secs(20);

    fn core() -> bgp_router::Core {
        let export = ExportContext { local_as: Asn(64512), router_id: RouterId(1), cluster_id: None };
        let config = RibConfig::new(export, 1);
        bgp_router::Core::new(config, AttributeStore::new(1))
    }

    /// The kinds of the messages that come until the connection is closed, or `until` has come.
    async fn kinds(stream: &mut TcpStream, until: Option<Kind>) -> Vec<Kind> {
        let (mut octets, mut kinds) = (Vec::new(), Vec::new());
        loop {
            while let Some((message, used)) = Message::parse(&octets).unwrap() {
                let kind = message.kind;
                kinds.push(kind);
                octets.drain(..used);
                if until == Some(kind) {
                    return kinds;
                }
            }
            if stream.read_buf(&mut octets).await.unwrap() == 0 {
                return kinds;
            }
        }
    }

    async fn a_slow_collector(feed: Feed, status: CollectorStatus, listener: TcpListener) {
        let (mut first, _) = listener.accept().await.unwrap();
        assert_eq!(kinds(&mut first, Some(Kind::PeerUp)).await, [Kind::Initiation, Kind::PeerUp]);
        // It reads no more, until more has come than the kernel and the station hold.
        let octets = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..64 {
            feed.publish(Topic::SENT, Item::Sent { peer: PeerId::LOCAL, octets: octets.clone() });
        }
        let rest = timeout(LIMIT, kinds(&mut first, None)).await.unwrap();
        assert_eq!(rest.last(), Some(&Kind::Termination), "{rest:?}");
        let (mut second, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
        assert_eq!(kinds(&mut second, Some(Kind::PeerUp)).await, [Kind::Initiation, Kind::PeerUp]);
        assert_eq!((status.connects(), status.overflows(), status.is_up()), (2, 1, true));
    }

    #[tokio::test]
    async fn a_collector_that_is_too_slow_is_told_so_and_told_everything_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (core_sender, mut inbox) = mpsc::channel(4);
        let (asks, mut asked) = mpsc::channel(4);
        let feed = Feed::default();
        let world = World {
            asn: Asn(64512),
            router_id: RouterId(1),
            name: "n1".to_owned(),
            description: "a test".to_owned(),
            feed: feed.clone(),
            core: core_sender,
        };
        let address = listener.local_addr().unwrap();
        let monitor = vec![BmpView::LocRib, BmpView::AdjRibOut];
        let config = Bmp { address, monitor, statistics_interval: None };
        let status = CollectorStatus::new(address);
        let station = Station { room: 8 << 20, ..Station::new(config, world, asks, status.clone()) };
        let (_stop, stopped) = watch::channel(false);
        let daemon = async {
            let (mut core, clock) = (core(), Clock::start());
            loop {
                tokio::select! {
                    Some(request) = inbox.recv() => if let CoreRequest::With(act) = request {
                        act(&mut core, clock);
                    },
                    Some(ask) = asked.recv() => if let Ask::Peers(reply) = ask {
                        reply.send(Vec::new()).unwrap();
                    },
                }
            }
        };
        tokio::select! {
            () = a_slow_collector(feed, status, listener) => {}
            () = station.run(stopped) => panic!("the station has ended"),
            () = daemon => {}
        }
    }
}
