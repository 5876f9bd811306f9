//! A daemon gives up what it does not need, before it has a thread or a socket: who takes it over gets little.
//!
//! ```text
//!            ┌► capabilities   those of its work stay, the others go for good
//!  Config ─► Needs ► files     Landlock: where it may read, write, run a program, listen
//!            └► calls          seccomp: system calls that no router makes are refused
//! ```
//! All of it is inherited by every thread, and by `nft`, the one program that a speaker runs. What the kernel cannot do
//! is said in the log, and the daemon goes on with the rest. It cannot be undone: a reload that would need more is refused.

mod calls;
mod capabilities;
mod files;
mod needs;

use std::path::Path;
use std::sync::OnceLock;

use tracing::{info, warn};

use crate::config::Config;

pub use needs::{Capability, Needs};

/// What this process may do since it gave up the rest.
static IN_FORCE: OnceLock<Needs> = OnceLock::new();

/// Confines the calling thread, and all threads and programs that it starts from now on, to what `config` needs. Must be
/// called before there are other threads. What is in force, and what the kernel refused, is in the log.
pub fn confine(config: &Config, config_path: Option<&Path>) {
    if !config.sandbox.enabled {
        info!("not confined: `sandbox.enabled` is false");
        return;
    }
    let needs = Needs::of(config, config_path);
    needs.make_directories();
    let files = files::restrict(&needs);
    let capabilities = capabilities::keep(&needs.capabilities);
    let calls = calls::refuse(needs.forwards);
    for refused in [&files, &capabilities, &calls].into_iter().filter_map(|done| done.as_ref().err()) {
        warn!("not wholly confined: {refused}");
    }
    let [files, capabilities, calls] =
        [files, capabilities, calls].map(|done| done.unwrap_or_else(|_| "no".to_owned()));
    info!(capabilities, landlock = files, seccomp = calls, "confined");
    // Nobody confines a process twice.
    let _ = IN_FORCE.set(needs);
}

/// What `config` would need that this process gave up at its start: a phrase for each thing. Empty if it is not confined.
#[must_use]
pub fn given_up(config: &Config, config_path: Option<&Path>) -> Vec<String> {
    IN_FORCE.get().map(|kept| Needs::of(config, config_path).beyond(kept)).unwrap_or_default()
}

/// Whether a confined daemon may not read this file, whatever its permissions say.
#[must_use]
pub fn hides(path: &Path) -> bool {
    IN_FORCE.get().is_some_and(|kept| !kept.may_read(path))
}
