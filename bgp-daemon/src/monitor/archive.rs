//! UPDATEs as they came, and changes of state, in MRT files that are rotated; and a dump of the table now and then.
//!
//! ```text
//!  DIRECTORY/updates.20261122T054100.mrt    a file for each interval, or each so many octets
//!            rib.20261122T060000.mrt        whole, or not there: written under another name first
//! ```
//! All files of ours together take no more than so many octets: the oldest go first. What cannot be written is counted as
//! lost, and sessions never notice.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgp_core::fsm::State;
use bgp_core::wire::{MessageType, UpdateView, header};
use bgp_core::{Asn, Family};
use bgp_rib::PeerId;
use bgp_telemetry::mrt::{self, Ends, Form};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::World;
use super::feed::{Overflow, Topic};
use super::item::{Item, Session};
use super::status::ArchiveStatus;
use super::table::TableDump;
use super::told::since_1970;
use crate::api::schema::Timestamp;
use crate::config::Mrt;

/// Octets that may wait for the disk.
const ROOM: usize = 32 << 20;

/// After a write that failed, the next attempt comes so much later.
const PAUSE: Duration = Duration::from_secs(5);

/// The log and the dumps of one configuration.
pub(super) struct Archive {
    config: Mrt,
    world: World,
    status: ArchiveStatus,
}

impl Archive {
    pub(super) fn new(config: Mrt, world: World, status: ArchiveStatus) -> Archive {
        Archive { config, world, status }
    }

    /// Runs until it is told to stop; what waits then is written still.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let wanted = Topic::SESSIONS.with(Topic::RECEIVED);
        let tap = self.world.feed.tap(if self.config.updates { wanted } else { Topic::default() }, ROOM);
        let mut log = Log::new(&self.config);
        let mut sessions = Sessions { asn: self.world.asn, known: HashMap::new() };
        let tables = self.config.tables;
        let mut table_due = tables.map(|every| tokio::time::interval_at(Instant::now() + every, every));
        loop {
            let table = async {
                match &mut table_due {
                    Some(due) => due.tick().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                items = tap.next() => log = self.write(items, &mut sessions, log).await,
                _ = table => self.dump().await,
            }
        }
        self.write(tap.take(), &mut sessions, log).await;
    }

    async fn write(
        &self,
        items: Result<VecDeque<Item>, Overflow>,
        sessions: &mut Sessions,
        mut log: Log,
    ) -> Log {
        let mut records = Records::default();
        match items {
            Ok(items) => items.into_iter().for_each(|item| sessions.write(item, &mut records)),
            Err(Overflow { items }) => {
                self.status.inner.lost.add(items);
                self.complain(format!("the disk is too slow: {items} records of the update log are lost"));
            }
        }
        let Records { octets, count } = records;
        let write = move || {
            let result = if octets.is_empty() { Ok(()) } else { log.append(&octets) };
            (log, result)
        };
        let Ok((log, result)) = tokio::task::spawn_blocking(write).await else {
            return Log::new(&self.config);
        };
        match result {
            Ok(()) => {
                self.status.inner.records.add(count);
                if count > 0 && self.status.inner.error.set(None) {
                    info!("the update log is written again");
                }
            }
            Err(error) => {
                self.status.inner.lost.add(count);
                self.complain(format!("the update log cannot be written: {error}"));
            }
        }
        log
    }

    fn complain(&self, error: String) {
        if self.status.inner.error.set(Some(error.clone())) {
            warn!("{error}");
        }
    }

    /// Writes the whole table. Under another name first, so that a file with the right one is whole.
    async fn dump(&self) {
        match self.try_dump().await {
            Ok(path) => {
                self.status.inner.tables.add(1);
                info!(file = %path.display(), "table dumped");
            }
            Err(error) => self.complain(format!("the table cannot be dumped: {error}")),
        }
    }

    async fn try_dump(&self) -> io::Result<PathBuf> {
        let directory = self.config.directory.clone();
        let unfinished = directory.join("rib.unfinished");
        let mut dump = TableDump::new(&self.world);
        let mut file = {
            let (directory, unfinished) = (directory.clone(), unfinished.clone());
            tokio::task::spawn_blocking(move || {
                fs::create_dir_all(directory)?;
                File::create(unfinished)
            })
            .await
            .map_err(io::Error::other)??
        };
        while let Some(octets) = dump.next().await {
            let octets = octets?;
            let written = tokio::task::spawn_blocking(move || file.write_all(&octets).map(|()| file)).await;
            file = match written.map_err(io::Error::other)? {
                Ok(file) => file,
                Err(error) => {
                    let _ = fs::remove_file(&unfinished);
                    return Err(error);
                }
            };
        }
        let path = directory.join(format!("rib.{}.mrt", stamp()));
        fs::rename(&unfinished, &path)?;
        prune(&directory, self.config.max_total)?;
        Ok(path)
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Now, as in `20261122T054100`.
fn stamp() -> String {
    let text = Timestamp::now().to_string();
    text.chars().filter(|c| !matches!(c, '-' | ':')).take_while(|c| *c != '.').collect()
}

/// Records that are to be written.
#[derive(Debug, Default)]
struct Records {
    octets: Vec<u8>,
    count: u64,
}

/// The sessions that messages may come from.
struct Sessions {
    asn: Asn,
    known: HashMap<PeerId, Arc<Session>>,
}

impl Sessions {
    fn write(&mut self, item: Item, out: &mut Records) {
        match item {
            Item::Up(session) => {
                self.known.insert(session.id, session);
                return;
            }
            Item::Down(peer, _) => {
                self.known.remove(&peer);
                return;
            }
            Item::State { peer, peer_as, local, from, to, at } => {
                let ends = Ends { peer_as, local_as: self.asn, peer, local };
                let [from, to] = [from, to].map(number);
                mrt::state_change(&mut out.octets, since_1970(at), &ends, from, to);
            }
            Item::Received { peer, body, at, .. } => {
                let Some(session) = self.known.get(&peer) else { return };
                let [peer, local] = [session.remote, session.local].map(|end| end.ip().to_canonical());
                let ends = Ends { peer_as: session.peer_as, local_as: self.asn, peer, local: Some(local) };
                let four_octet_as = session.context.four_octet_as;
                let add_path = session.add_path.contains(family(session, &body));
                let mut message = Vec::with_capacity(header::HEADER_LEN + body.len());
                header::write_message(&mut message, MessageType::Update, |out| out.extend_from_slice(&body));
                let form = Form { four_octet_as, add_path };
                mrt::message(&mut out.octets, since_1970(at), &ends, form, &[&message]);
            }
            Item::Sent { .. } | Item::Changes { .. } | Item::End { .. } => return,
        }
        out.count += 1;
    }
}

/// The family that an UPDATE is about.
fn family(session: &Session, body: &[u8]) -> Family {
    if session.add_path.is_empty() {
        return Family::IPV4_UNICAST;
    }
    let Ok(view) = UpdateView::parse(body, &session.context) else { return Family::IPV4_UNICAST };
    let reach = view.mp_reach().map(|reach| reach.family);
    reach.or_else(|| view.mp_unreach().map(|unreach| unreach.family)).unwrap_or(Family::IPV4_UNICAST)
}

/// RFC 6396 section 4.4.1.
fn number(state: State) -> u16 {
    match state {
        State::Idle => 1,
        State::Connect => 2,
        State::Active => 3,
        State::OpenSent => 4,
        State::OpenConfirm => 5,
        State::Established => 6,
    }
}

/// The files of the log.
#[derive(Debug)]
struct Log {
    directory: PathBuf,
    rotate_interval: Duration,
    rotate_size: u64,
    max_total: u64,
    open: Option<Open>,
    /// Nothing is tried before.
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    file: File,
    begun: Instant,
    /// Octets of whole records.
    len: u64,
}

impl Log {
    fn new(config: &Mrt) -> Log {
        let Mrt { directory, rotate_interval, rotate_size, max_total, .. } = config.clone();
        Log { directory, rotate_interval, rotate_size, max_total, open: None, not_before: None }
    }

    /// Writes whole records.
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(io::Error::other("it failed a few seconds ago"));
        }
        self.not_before = None;
        let result = self.try_append(octets);
        if result.is_err() {
            self.not_before = Some(Instant::now() + PAUSE);
            // A record that was cut off would end the file for its readers.
            if let Some(open) = self.open.take() {
                let _ = open.file.set_len(open.len);
            }
            let _ = prune(&self.directory, self.max_total);
        }
        result
    }

    fn try_append(&mut self, octets: &[u8]) -> io::Result<()> {
        let is_over = |open: &Open| {
            open.begun.elapsed() >= self.rotate_interval || open.len + octets.len() as u64 > self.rotate_size
        };
        if self.open.as_ref().is_none_or(is_over) {
            self.open = None;
            let file = create(&self.directory)?;
            prune(&self.directory, self.max_total)?;
            self.open = Some(Open { file, begun: Instant::now(), len: 0 });
        }
        if let Some(open) = &mut self.open {
            open.file.write_all(octets)?;
            open.len += octets.len() as u64;
        }
        Ok(())
    }
}

/// A new file of the log. A second one in one second gets a number.
fn create(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    let stamp = stamp();
    for number in 0..1000 {
        let suffix = if number == 0 { String::new() } else { format!(".{number:03}") };
        let path = directory.join(format!("updates.{stamp}{suffix}.mrt"));
        match OpenOptions::new().create_new(true).append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
    }
    Err(io::Error::other("a thousand files begin in this second"))
}

/// Removes the oldest files of ours until all together take at most `max` octets. The newest one stays.
fn prune(directory: &Path, max: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = (name.starts_with("updates.") || name.starts_with("rib.")) && name.ends_with(".mrt");
        if let (true, Ok(metadata)) = (ours, entry.metadata()) {
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((modified, entry.path(), metadata.len()));
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, _, len)| len).sum();
    files.pop();
    for (_, path, len) in files {
        if total <= max {
            break;
        }
        fs::remove_file(path)?;
        total -= len;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::net::test_support::Folder;

    use super::*;

    fn config(directory: &Path) -> Mrt {
        Mrt {
            directory: directory.to_owned(),
            updates: true,
            rotate_interval: Duration::from_secs(900),
            rotate_size: 100,
            max_total: 250,
            tables: None,
        }
    }

    fn sizes(directory: &Path) -> Vec<u64> {
        let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()).collect();
        files.sort_by_key(|entry| entry.file_name());
        files.iter().map(|entry| entry.metadata().unwrap().len()).collect()
    }

    #[test]
    fn files_are_rotated_by_size_and_the_oldest_go() {
        let folder = Folder::new();
        let mut log = Log::new(&config(folder.path()));
        for _ in 0..3 {
            log.append(&[0; 60]).unwrap();
        }
        assert_eq!(sizes(folder.path()), [60, 60, 60]);
        for _ in 0..5 {
            log.append(&[0; 60]).unwrap();
        }
        let sizes = sizes(folder.path());
        assert!(sizes.iter().sum::<u64>() <= 250 + 100, "{sizes:?}");
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error_and_not_tried_again_at_once() {
        let folder = Folder::new();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut log = Log::new(&config(&file));
        assert!(log.append(&[0; 60]).is_err());
        let second = log.append(&[0; 60]).unwrap_err();
        assert_eq!(second.to_string(), "it failed a few seconds ago");
    }

    #[test]
    fn a_second_is_named_without_what_files_names_should_not_have() {
        let stamp = stamp();
        assert!(stamp.len() == 15 && stamp.chars().all(|c| c.is_ascii_digit() || c == 'T'), "{stamp}");
    }
}
