//! The body of an OPEN: what was read, written and read again is the same.
#![no_main]

use bgp_core::wire::header::MAX_LEN;
use bgp_core::wire::{Open, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    // A message never brings more; and the writer may need a little more than the reader was given.
    if body.len() > MAX_LEN - 64 {
        return;
    }
    let Ok(open) = Open::parse(body) else { return };
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    let message = frame(&bytes, MAX_LEN).expect("our own header").expect("a whole message");
    let again = Open::parse(message.body).expect("our own OPEN");
    assert_eq!((again.hold_time, again.router_id), (open.hold_time, open.router_id));
});
