//! How stations and archive are, for whoever asks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The last thing that went wrong.
#[derive(Debug, Default)]
pub(super) struct LastError(Mutex<Option<String>>);

impl LastError {
    /// Takes note of it; whether it is another one than before.
    pub(super) fn set(&self, error: Option<String>) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *last != error;
        *last = error;
        differs
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How the station of one collector is.
#[derive(Clone, Debug)]
pub struct CollectorStatus {
    address: SocketAddr,
    pub(super) inner: Arc<CollectorCounts>,
}

#[derive(Debug, Default)]
pub(super) struct CollectorCounts {
    pub(super) up: AtomicBool,
    pub(super) connects: Count,
    pub(super) overflows: Count,
    pub(super) messages: Count,
    pub(super) octets: Count,
    pub(super) error: LastError,
}

impl CollectorStatus {
    pub(super) fn new(address: SocketAddr) -> CollectorStatus {
        CollectorStatus { address, inner: Arc::default() }
    }

    /// The collector.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is connected.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.inner.up.load(Ordering::Relaxed)
    }

    /// How often it was connected.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.inner.connects.get()
    }

    /// How often it was too slow.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.inner.overflows.get()
    }

    /// Messages sent to it.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.inner.messages.get()
    }

    /// Octets sent to it.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.inner.octets.get()
    }

    /// Why it was not connected the last time.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.inner.error.get()
    }
}

/// How the log of updates is.
#[derive(Clone, Debug, Default)]
pub struct ArchiveStatus {
    pub(super) inner: Arc<ArchiveCounts>,
}

#[derive(Debug, Default)]
pub(super) struct ArchiveCounts {
    pub(super) records: Count,
    pub(super) lost: Count,
    pub(super) tables: Count,
    pub(super) error: LastError,
}

impl ArchiveStatus {
    /// Records written.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.inner.records.get()
    }

    /// Records that could not be written: the disk was full or too slow.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.inner.lost.get()
    }

    /// Tables written.
    #[must_use]
    pub fn tables(&self) -> u64 {
        self.inner.tables.get()
    }

    /// What is wrong now.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.inner.error.get()
    }
}
