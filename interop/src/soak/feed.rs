//! Plays a recording, and withdraws it all, once each time that it is asked to.

use crate::player::Player;
use crate::{Recording, Result};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Pieces in a second.
const PIECES: u32 = 20;

/// What the feed is told, and what it tells.
#[derive(Debug)]
pub(crate) struct Feed {
    rate: u32,
    asked: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
    over: AtomicBool,
}

impl Feed {
    /// So many UPDATEs in a second.
    pub(crate) fn new(rate: u32) -> Feed {
        Feed {
            rate,
            asked: AtomicU64::new(0),
            done: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// Odd parts are the recording, even ones withdraw it.
    pub(crate) fn ask_for(&self, part: u64) {
        self.asked.store(part, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the session ended although nobody said so.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whoever asked for parts wants them once more, from another session.
    pub(crate) fn again(&self) {
        self.done.store(0, Ordering::Relaxed);
        self.over.store(false, Ordering::Relaxed);
    }

    /// Until it is told to stop.
    pub(crate) fn run(&self, recording: &Recording, to: IpAddr) -> Result<()> {
        let ended = self.play(recording, to);
        self.over.store(true, Ordering::Relaxed);
        ended
    }

    fn play(&self, recording: &Recording, to: IpAddr) -> Result<()> {
        let withdrawals = recording.withdrawals()?;
        let mut player = Player::connect(recording, to, recording.address)?;
        player.end_of_rib()?;
        let mut said = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            if self.asked.load(Ordering::Relaxed) > self.done() {
                let is_recording = self.done().is_multiple_of(2);
                self.send(&mut player, if is_recording { &recording.messages } else { &withdrawals })?;
                self.done.fetch_add(1, Ordering::Relaxed);
                said = Instant::now();
            }
            if said.elapsed() >= Duration::from_secs(1) {
                player.keep_alive()?;
                said = Instant::now();
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }

    fn send(&self, player: &mut Player, messages: &[Vec<u8>]) -> Result<()> {
        let piece = (self.rate / PIECES).max(1) as usize;
        let mut due = Instant::now();
        for messages in messages.chunks(piece) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            player.send(messages)?;
            due += Duration::from_secs(1) / PIECES;
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}
