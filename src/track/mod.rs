//! Follows messages through their queue ids and sessions through their lines.
//!
//! In: events, in any order between processes. Out: [`Fact`]s, each once.
//! Never: labels, the clock, anything without a bound.

mod fact;

pub use fact::*;
