//! Writes logs as mail systems write them, and the truth about them, for the demo, the tests and the
//! benchmarks.
//! In: a seed. Out: bytes, the same for the same seed, and a [`Truth`] counted from what the
//! simulator decided (this mail went to that host and was accepted).
//! Never: anything of the other rooms, a parser above all; the clock of this machine.
//!
//! | generator | writes |
//! | --- | --- |
//! | [`story()`] | the log of the story: one host, a spam run that sits in the queue |
//! | [`mix()`] | a busy, healthy mix of four hosts |
//! | [`World`] | a small mail system that lives through its days until an account is hijacked |
//!
//! Start reading at `message.rs` and `delivery.rs`, the way of one message.

mod agenda;
mod cast;
mod delivery;
mod filter;
mod host;
mod housekeeping;
mod line;
mod log;
mod message;
mod mix;
mod queue_id;
mod random;
mod reply;
mod scene;
mod session;
mod story;
mod strangers;
mod truth;
mod world;

pub use mix::{MIX_DEFAULT_DOMAIN, mix};
pub use story::story;
pub use truth::Truth;
pub use world::{HijackInfo, World, WorldOptions};
