//! Between who logs and what takes it: lines wait here, so that a full disk or a reader that hangs delays nobody.
//!
//! ```text
//!  any thread ── push ──► lines that wait (at most ROOM octets) ── the thread `log` ──► standard error
//!                          └─ no room: lost, and counted           └─ refused: again in a moment, from where it stopped
//! ```
//! What already waits stays and what comes is lost, so that the log ends where it was full, goes on with a word of how many
//! lines are missing, and is in order.

use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Octets that may wait.
const ROOM: usize = 1 << 20;

/// Between two attempts to write what was refused.
const AGAIN: Duration = Duration::from_millis(100);

/// Lines on their way.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Lines have come.
    filled: Condvar,
    /// All of them are written.
    emptied: Condvar,
}

#[derive(Debug)]
struct State {
    /// Not taken by the thread yet.
    lines: Vec<u8>,
    /// Octets of these, and of those that the thread has in its hands.
    waiting: usize,
    /// Lines that found no place.
    lost: u64,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        let state = State { lines: Vec::new(), waiting: 0, lost: 0 };
        Queue { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    /// No code that can panic runs while this is held.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, or counts it as lost; never waits for what it is written to.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting + line.len() > ROOM {
            state.lost += 1;
            return;
        }
        state.waiting += line.len();
        state.lines.extend_from_slice(line);
        drop(state);
        self.filled.notify_one();
    }

    /// Lines that were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Returns when everything is written, at the latest after `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.state();
        while state.waiting > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.emptied.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes what comes, for ever. `tell` logs how many lines were lost since it did so last, and since the start.
    pub(super) fn write_to(&self, out: &mut impl Write, tell: impl Fn(u64, u64)) {
        let mut told = 0;
        loop {
            self.write_once(out);
            let lost = self.lost();
            if lost > told {
                tell(lost - told, lost);
                told = lost;
            }
        }
    }

    /// Waits for lines, and writes all that are there.
    fn write_once(&self, out: &mut impl Write) {
        let lines = {
            let waited = self.filled.wait_while(self.state(), |state| state.lines.is_empty());
            std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).lines)
        };
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            match out.write(rest) {
                Ok(written @ 1..) => {
                    rest = rest.get(written..).unwrap_or_default();
                    self.written(written);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A full disk, a reader that is gone or slow: there may be room again, or another reader.
                Ok(_) | Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    fn written(&self, octets: usize) {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(octets);
        if state.waiting == 0 {
            self.emptied.notify_all();
        }
    }
}

/// Where the lines of [`tracing`] go: a whole one with each write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines(pub(super) &'static Queue);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses as a full disk does, then takes a few octets at a time.
    struct Disk {
        refuses: u32,
        held: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            if self.refuses > 0 {
                self.refuses -= 1;
                return Err(ErrorKind::StorageFull.into());
            }
            let taken = &octets[..octets.len().min(3)];
            self.held.extend(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_refuses_is_written_when_there_is_room() {
        let queue = Queue::new();
        let mut disk = Disk { refuses: 2, held: Vec::new() };
        queue.push(b"first\n");
        queue.push(b"second\n");
        queue.write_once(&mut disk);
        assert_eq!(disk.held, b"first\nsecond\n");
        assert_eq!(queue.lost(), 0);
        queue.flush(Duration::ZERO);
    }

    #[test]
    fn lines_that_find_no_place_are_counted_and_those_that_wait_stay() {
        let queue = Queue::new();
        let mut disk = Disk { refuses: 0, held: Vec::new() };
        queue.push(b"first\n");
        queue.push(&[b'x'; ROOM]);
        queue.push(b"last\n");
        assert_eq!(queue.lost(), 1);
        queue.write_once(&mut disk);
        assert_eq!(disk.held, b"first\nlast\n");
        assert_eq!(queue.state().waiting, 0);
    }

    #[test]
    fn nobody_waits_longer_than_asked_for_a_reader_that_hangs() {
        let queue = Queue::new();
        queue.push(b"line\n");
        queue.flush(Duration::from_millis(1));
        assert_eq!(queue.state().waiting, 5);
    }
}
