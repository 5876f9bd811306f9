//! No planned restart and no single failure of a daemon loses a packet that could have been forwarded.

#![cfg(test)]

use interop::failures::Failure;
use interop::{Result, ensure};

fn loses_nothing(name: &str) -> Result<()> {
    let seen = Failure::named(name)?.run()?;
    ensure(seen.traffic.lost == 0 && seen.withdrawn.is_empty(), || format!("{seen:?}"))
}

#[test]
fn a_speaker_that_dies_and_comes_back_loses_nothing() -> Result<()> {
    loses_nothing("speaker_killed")
}

#[test]
fn a_reflector_that_dies_and_comes_back_loses_nothing() -> Result<()> {
    loses_nothing("reflector_away")
}

#[test]
fn two_reflectors_upgraded_one_after_the_other_withdraw_nothing() -> Result<()> {
    loses_nothing("reflector_pair")
}

#[test]
fn a_top_of_rack_router_that_restarts_gracefully_loses_nothing() -> Result<()> {
    loses_nothing("tor")
}

#[test]
fn a_node_that_is_drained_loses_nothing() -> Result<()> {
    loses_nothing("drain")
}
