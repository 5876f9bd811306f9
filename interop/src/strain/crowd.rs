//! Many connections at once.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a crowd has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CrowdSeen {
    /// Connections that were begun.
    pub(super) attempts: u64,
    /// The most that were there at a time.
    pub(super) most: usize,
}

struct Member {
    stream: TcpStream,
    since: Instant,
    said: usize,
}

impl Member {
    /// Says what is due; whether the connection is still there.
    fn goes_on(&mut self, text: &[u8]) -> bool {
        let due = text.get(self.said..=self.since.elapsed().as_secs() as usize).unwrap_or_default();
        self.said += due.len();
        let is_said = self.stream.write_all(due).is_ok();
        is_said
            && match self.stream.read(&mut [0; 256]) {
                Ok(octets) => octets > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
    }
}

/// So many connections, each begun again when it is closed, that say this, an octet each second.
pub(super) fn crowd(to: SocketAddr, count: usize, stop: &AtomicBool, said: &[u8]) -> CrowdSeen {
    let mut seen = CrowdSeen::default();
    let mut members: Vec<Member> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        members.retain_mut(|member| member.goes_on(said));
        for _ in members.len()..count {
            seen.attempts += 1;
            let connected = TcpStream::connect_timeout(&to, Duration::from_millis(200));
            match connected.and_then(|stream| stream.set_nonblocking(true).map(|()| stream)) {
                Ok(stream) => members.push(Member { stream, since: Instant::now(), said: 0 }),
                Err(_) => break,
            }
        }
        seen.most = seen.most.max(members.len());
        std::thread::park_timeout(Duration::from_millis(100));
    }
    seen
}
