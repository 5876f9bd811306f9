//! Peers that nobody wants.

use super::ENEMY;
use super::dice::Dice;
use crate::player::{KEEPALIVE, greet};
use crate::{Recording, Result};
use std::io::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Messages in a session, if it lasts so long.
const MESSAGES: usize = 500;

/// Keeps a session and reads nothing. Whether the router ended it.
pub(super) fn deaf(recording: &Recording, to: IpAddr, stop: &AtomicBool) -> Result<bool> {
    let mut stream = greet(recording.asn, to, ENEMY)?;
    while !stop.load(Ordering::Relaxed) {
        if stream.write_all(&KEEPALIVE).is_err() {
            return Ok(true);
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
    Ok(false)
}

/// Session after session of recorded UPDATEs in which octets are wrong. How many of both.
pub(super) fn garbage(
    recording: &Recording,
    to: IpAddr,
    stop: &AtomicBool,
    mut dice: Dice,
) -> Result<(u64, u64)> {
    let (mut sessions, mut sent) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        // The router may want none for a while.
        let Ok(mut stream) = greet(recording.asn, to, ENEMY) else {
            std::thread::park_timeout(Duration::from_millis(100));
            continue;
        };
        sessions += 1;
        for _ in 0..MESSAGES {
            if stop.load(Ordering::Relaxed) || stream.write_all(&spoil(&mut dice, recording)).is_err() {
                break;
            }
            sent += 1;
        }
    }
    Ok((sessions, sent))
}

/// Announces ever more routes, until the router is gone. How many.
pub(super) fn endless(recording: &Recording, to: IpAddr, stop: &AtomicBool) -> Result<u64> {
    // ORIGIN IGP, AS_PATH empty, NEXT_HOP 10.9.0.99, LOCAL_PREF 100.
    const ATTRIBUTES: &[u8] = b"\x40\x01\x01\0\x40\x02\0\x40\x03\x04\x0a\x09\0\x63\x40\x05\x04\0\0\0\x64";
    const ROUTES: u32 = 700;
    let mut stream = greet(recording.asn, to, ENEMY)?;
    let mut next = u32::from_be_bytes([20, 0, 0, 0]);
    let first = next;
    while !stop.load(Ordering::Relaxed) {
        let mut body = vec![0, 0, 0, ATTRIBUTES.len() as u8];
        body.extend(ATTRIBUTES);
        for address in next..next + ROUTES {
            body.push(32);
            body.extend(address.to_be_bytes());
        }
        let mut message = vec![0xff; 16];
        message.extend((19 + body.len() as u16).to_be_bytes());
        message.push(2);
        message.extend(body);
        if stream.write_all(&message).is_err() {
            break;
        }
        next += ROUTES;
    }
    Ok((next - first).into())
}

/// Some message, with up to four octets changed, its header mostly left alone.
fn spoil(dice: &mut Dice, recording: &Recording) -> Vec<u8> {
    let at = dice.below(recording.messages.len());
    let mut message = recording.messages.get(at).cloned().unwrap_or_default();
    for _ in 0..dice.below(5) {
        let whole = dice.below(50) == 0;
        let first = if whole { 0 } else { 19 };
        let place = first + dice.below(message.len().saturating_sub(first));
        let value = dice.below(256) as u8;
        if let Some(octet) = message.get_mut(place) {
            *octet = value;
        }
    }
    message
}
