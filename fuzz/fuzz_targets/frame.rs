//! A stream of octets: whatever it is, it can be cut up and described.
#![no_main]

use bgp_core::describe::{DescribeContext, describe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let described = describe(input, &DescribeContext::default());
    let covered: usize = described.iter().map(|message| message.length).sum();
    assert_eq!(covered, input.len());
    for message in described {
        let _ = (message.to_string(), message.to_json());
    }
});
