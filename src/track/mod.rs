//! Follows messages through their queue ids, sessions through their lines, and remembers accounts.
//!
//! In: events, in any order between processes. Out: [`Fact`]s, each once.
//! Never: labels, the clock, anything without a bound.
//! Start reading at [`Tracker::apply`].

mod account;
mod attempt;
mod config;
mod fact;
mod message;
mod networks;
mod queue;
mod recipient_list;
mod recipients;
mod session;
mod tracker;

pub use config::{MESSAGES_MAX, TrackConfig};
pub use fact::*;
pub use tracker::{Line, Sink, Tracker};
