//! Reads what a mail system says about itself and turns it into Prometheus metrics.
//!
//! The rooms, in a line's order. Each knows only those before it.
//!
//! | room | makes | of |
//! | --- | --- | --- |
//! | [`cli`] | typed flags | arguments and the environment |
//! | [`source`] | blocks of lines with a position | files |
//! | [`record`] | a [`record::Record`]: the line without its header | a line |
//! | [`parse`] | a typed, borrowed event | a record |
//! | [`track`] | facts about messages, accounts and relays | events |
//! | [`metrics`] | series | facts |
//! | [`engine`] | one loop through all of the above | blocks |
//! | [`settings`] | what the engine is told | flags |
//! | [`showq`] | the length of Postfix's queue | its socket |
//! | [`web`], [`report`] | what a person or Prometheus sees | series |
//! | [`serve`] | the daemon: follows, counts, answers | sources, the engine, the web |
//! | [`simulate`] | logs and their truth, for the demo, the tests and the benchmarks | a seed |
//! | [`demo`] | a log that is written while it is served | the simulation |

pub mod cli;
pub mod demo;
pub mod engine;
pub mod metrics;
pub mod parse;
pub mod record;
pub mod report;
pub mod serve;
pub mod settings;
pub mod showq;
pub mod simulate;
pub mod source;
pub mod track;
pub mod web;
