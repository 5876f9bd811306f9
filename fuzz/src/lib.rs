//! What the targets share: how an input becomes a script, a session's context and messages, and a session that is
//! watched.

pub mod network;
pub mod pattern;
pub mod reference;
mod script;
mod watched;

pub use script::Script;
pub use watched::Watched;

use bgp_core::wire::{Frame, frame};

/// The one message that `bytes` are.
///
/// # Panics
/// If they are none, or more than one.
#[must_use]
pub fn only_message(bytes: &[u8], max_len: usize) -> Frame<'_> {
    let message = frame(bytes, max_len).expect("a sound header").expect("a whole message");
    assert_eq!(message.len, bytes.len(), "one message and nothing behind it");
    message
}
