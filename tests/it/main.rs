//! All fast tests, one binary.

mod metrics;
mod record;
mod source_allocations;
mod source_blocks;
mod source_fixture;
mod source_model;
mod source_rotation;
mod source_running;
