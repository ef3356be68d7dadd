//! From a record to a typed, borrowed [`Event`].
//!
//! In: a [`Record`](crate::record::Record). Out: what it says.
//! Never: state, I/O, the clock, allocation. One file per daemon; what several daemons print stands
//! in a file named after its printer.

mod event;

pub use event::*;
