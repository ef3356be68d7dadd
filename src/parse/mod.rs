//! From a record to a typed, borrowed [`Event`].
//!
//! In: a [`Record`]. Out: what it says.
//! Never: state, I/O, the clock, allocation, a panic on any bytes. One file per daemon; what several
//! daemons print stands in a file named after its printer.
//!
//! A line's way: [`classify`] its tag (the engine keeps the answer for each tag), then [`parse`]:
//! the daemon's file splits it by hand, from the side where only the daemon's own words stand.
//! Text of the other side of a connection is only ever in the fields that say so in [`Event`].
//! [`severity`] is asked apart: it counts whatever the line is about.

#![deny(clippy::indexing_slicing)]
#![cfg_attr(not(test), deny(clippy::unwrap_used))]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, reason = "a test may fail where it stands")
)]

mod client;
mod cursor;
mod event;
mod postfix;
mod reply;
mod reply_words;
mod words;

pub use event::*;
pub use postfix::severity;

use crate::record::Record;

/// What the tag says of its writer. Pure; the engine caches it by tag.
pub fn classify(tag: &[u8]) -> Program<'_> {
    postfix::classify(tag).unwrap_or(Program {
        software: Software::Unknown,
        process: tag,
        instance: b"",
        service_name: None,
        service: Service::Other,
        kind: Kind::Unknown,
    })
}

/// What the line says. Of a program that is not ours: nothing that counts.
#[inline]
pub fn parse<'a>(program: &Program<'_>, record: &Record<'a>) -> Event<'a> {
    match program.software {
        Software::Postfix => postfix::parse(program.kind, record.message),
        Software::Unknown => Event::Other {
            queue_id: None,
            text: record.message,
        },
    }
}
