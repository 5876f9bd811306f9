//! The messages of BGP-4: bytes to types and back.
//!
//! ```text
//!  bytes ─► header::frame ─► kind + body ─┬─► Open          (with its Capabilities)
//!                                         ├─► Notification
//!                                         ├─► RouteRefresh
//!                                         └─► KEEPALIVE has no body
//! ```
//!
//! Every length is checked before what it covers is read, and each nested element is parsed from a slice of its
//! own, so that a wrong length can neither reach past its element nor stop a loop from advancing. What cannot be
//! parsed comes back as the [`Notification`] to answer with.

pub mod capability;
pub mod header;
pub mod notification;
pub mod open;
pub mod refresh;

pub use capability::Capability;
pub use header::{Frame, MessageType, frame};
pub use notification::Notification;
pub use open::Open;
pub use refresh::RouteRefresh;
