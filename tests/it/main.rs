//! All fast tests, one binary.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may use the clock, and fail where it stands"
)]

mod cases;
mod cli;
mod determinism;
mod metrics;
mod parse;
mod pieces;
mod record;
mod series;
mod serve;
mod showq;
mod simulate;
mod source_allocations;
mod source_blocks;
mod source_fixture;
mod source_model;
mod source_rotation;
mod source_running;
mod tidy;
mod tracked;
mod truth;
mod web;
