//! The control API: what it says ([`schema`]), how a daemon answers it ([`ControlHandle`]), and the server.

pub mod schema;
