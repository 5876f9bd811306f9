//! The real daemon on loopback: sessions, reload, and peers that misbehave.

#![cfg(test)]

mod filters;
mod going;
mod peers;
mod reload;
mod strangers;
mod support;
