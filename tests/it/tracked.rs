//! What is followed has a bound, whatever the log says.

use std::fmt::Write as _;

use maillog_exporter::engine::{Engine, EngineConfig};
use maillog_exporter::track::TrackConfig;

use crate::source_allocations::held_bytes;
use crate::truth::NOW_MS;

const MESSAGES_MAX: usize = 10_000;
/// Of 10,000 messages; most of it is what waits for the line that is missing.
const HELD_BYTES_MAX: i64 = 48 * 1024 * 1024;

/// Feeds messages that never end, each at a stamp that `stamp` makes of its number.
fn feed(messages: u64, lines: impl Fn(u64) -> String) -> (Engine, i64) {
    let config = EngineConfig {
        track: TrackConfig {
            messages_max: MESSAGES_MAX,
            ..TrackConfig::default()
        },
        ..EngineConfig::default()
    };
    let before = held_bytes();
    let mut engine = Engine::new(config);
    let input = engine.input(NOW_MS);
    let mut peak = 0;
    let mut block = String::new();
    for number in 0..messages {
        block.push_str(&lines(number));
        if block.len() > 200_000 || number + 1 == messages {
            engine.feed(input, block.as_bytes(), NOW_MS);
            block.clear();
            peak = peak.max(held_bytes() - before);
            assert!(engine.tracked_messages() <= MESSAGES_MAX);
        }
    }
    assert!(peak < HELD_BYTES_MAX, "{} MB were held", peak >> 20);
    let forgotten = engine
        .freeze(NOW_MS)
        .value("maillog_messages_forgotten_total", &[]);
    let followed = engine.tracked_messages() as f64;
    assert_eq!(forgotten, Some(messages as f64 - followed));
    (engine, peak)
}

/// A stamp for every millisecond.
fn stamp(number: u64) -> String {
    let (seconds, ms) = (number / 1_000, number % 1_000);
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    format!(
        "2026-11-24T{hours:02}:{:02}:{:02}.{ms:03}Z",
        minutes % 60,
        seconds % 60
    )
}

#[test]
fn messages_that_never_end() {
    feed(1_000_000, |number| {
        format!(
            "{} mx1 postfix/qmgr[1]: {number:010X}: from=<a@example.com>, size=1, nrcpt=2 (queue active)\n",
            stamp(number)
        )
    });
}

/// Time stands still, so nothing ever falls due.
#[test]
fn messages_that_never_end_in_one_moment() {
    feed(200_000, |number| {
        let mut lines = String::new();
        let id = format!("{number:010X}");
        for text in [
            format!("smtpd[2]: {id}: client=unknown[127.0.0.1]"),
            format!("cleanup[3]: {id}: message-id=<x@y>"),
            format!("qmgr[1]: {id}: from=<a@example.com>, size=1, nrcpt=3 (queue active)"),
            format!(
                "smtp[4]: {id}: to=<r{number}@example.com>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx.example.com[192.0.2.1]:25: Connection timed out)"
            ),
        ] {
            let _ = writeln!(lines, "2026-11-24T10:00:00Z mx1 postfix/{text}");
        }
        lines
    });
}
