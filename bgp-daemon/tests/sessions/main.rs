//! The real daemon on loopback: sessions, reload, and peers that misbehave.

#![cfg(test)]

mod peers;
mod reload;
mod support;
