//! A stream to a collector: it is cut into messages without gap or overlap, and what is about a peer says which.
#![no_main]

use bgp_telemetry::bmp::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    while let Ok(Some((message, len))) = Message::parse(rest) {
        let (whole, behind) = rest.split_at(len);
        assert_eq!(Message::parse(whole), Ok(Some((message, len))), "without what is behind it");
        assert!(whole.ends_with(message.body));
        assert_eq!(message.peer.is_some(), message.kind.is_of_peer());
        // Cut off anywhere it is not there yet, or wrong already.
        for end in [0, 1, 5, len / 2, len - 1] {
            assert!(!matches!(Message::parse(&whole[..end]), Ok(Some(_))));
        }
        rest = behind;
    }
});
