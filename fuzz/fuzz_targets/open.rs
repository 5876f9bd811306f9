//! The body of an OPEN: what was read, written and read again is the same.
#![no_main]

use bgp_core::wire::header::{HEADER_LEN, MAX_LEN};
use bgp_core::wire::{Notification, Open};
use fuzz::only_message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    // A message never brings more.
    if body.len() > MAX_LEN - HEADER_LEN {
        return;
    }
    match Open::parse(body) {
        Ok(open) => {
            let mut bytes = Vec::new();
            open.encode(&mut bytes);
            assert_eq!(Open::parse(only_message(&bytes, MAX_LEN).body), Ok(open));
        }
        Err(notification) => assert_eq!(notification.code, Notification::OPEN),
    }
});
