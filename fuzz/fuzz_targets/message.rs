//! One octet for the type, then the body of a message behind a sound header: it is framed if its length is allowed,
//! and what was read of a NOTIFICATION or ROUTE-REFRESH, written and read again, is the same.
#![no_main]

use bgp_core::describe::{DescribeContext, describe};
use bgp_core::wire::header::{HEADER_LEN, MAX_LEN, write_message};
use bgp_core::wire::notification::header_error;
use bgp_core::wire::{MessageType, Notification, RouteRefresh, frame};
use fuzz::{Script, only_message};
use libfuzzer_sys::fuzz_target;

fn notification(body: &[u8]) {
    let read = Notification::parse(body).expect("code and subcode");
    let _ = (read.to_string(), read.shutdown_text());
    let mut bytes = Vec::new();
    read.encode(&mut bytes);
    assert_eq!(Notification::parse(only_message(&bytes, MAX_LEN).body), Some(read));
}

fn route_refresh(body: &[u8]) {
    match RouteRefresh::parse(body) {
        Ok(refresh) => {
            let mut bytes = Vec::new();
            refresh.encode(&mut bytes);
            assert_eq!(RouteRefresh::parse(only_message(&bytes, MAX_LEN).body), Ok(refresh));
        }
        Err(notification) => assert_eq!(notification.code, Notification::ROUTE_REFRESH),
    }
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let kind = script.pick(&MessageType::ALL);
    let body = script.take(MAX_LEN - HEADER_LEN);
    let mut bytes = Vec::new();
    write_message(&mut bytes, kind, |out| out.extend_from_slice(body));
    match frame(&bytes, MAX_LEN) {
        Ok(message) => {
            let message = message.expect("a whole message");
            assert_eq!((message.kind, message.body, message.len), (kind, body, bytes.len()));
            match kind {
                MessageType::Notification => notification(body),
                MessageType::RouteRefresh => route_refresh(body),
                MessageType::Open | MessageType::Update | MessageType::Keepalive => {}
            }
        }
        Err(refused) => {
            assert_eq!((refused.code, refused.subcode), (Notification::HEADER, header_error::BAD_LENGTH));
        }
    }
    let described = describe(&bytes, &DescribeContext::default());
    assert_eq!(described.len(), 1);
    assert!(described[0].to_json().starts_with('{') && !described[0].to_string().is_empty());
});
