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

/// Stamps of another zone: every one is ahead of the wall clock, and time stands still.
#[test]
fn messages_that_never_end_in_another_zone() {
    feed(200_000, |number| {
        format!(
            "2026-12-24T10:00:00Z mx1 postfix/smtpd[1]: {number:010X}: client=localhost[127.0.0.1]\n\
             2026-12-24T10:00:00Z mx1 postfix/qmgr[1]: {number:010X}: from=<a@example.com>, size=1, nrcpt=2 (queue active)\n"
        )
    });
}

/// A count that nobody's mail has: it must cost neither memory nor time.
#[test]
fn an_expired_mail_with_four_billion_recipients() {
    let mut engine = Engine::new(EngineConfig::default());
    let input = engine.input(NOW_MS);
    let before = held_bytes();
    let log = "\
2026-11-24T10:00:00Z mx1 postfix/qmgr[1]: 4AAA01: from=<a@example.com>, size=1, nrcpt=4294967295 (queue active)
2026-11-24T10:00:01Z mx1 postfix/qmgr[1]: 4AAA01: from=<a@example.com>, status=expired, returned to sender
";
    engine.feed(input, log.as_bytes(), NOW_MS);
    assert!(held_bytes() - before < 8 << 20);
    engine.finish();
    let expired: f64 = engine
        .freeze(NOW_MS)
        .iter()
        .filter(|sample| sample.name == "mail_deliveries_total")
        .filter(|sample| sample.labels.iter().any(|(_, value)| value == "expired"))
        .map(|sample| sample.value)
        .sum();
    assert!((1.0..=10_000.0).contains(&expired), "{expired}");
}

/// Queue ids that come back without an end, and hops without an end: no line costs more than the
/// one before.
#[test]
fn ids_that_come_back_and_chains_that_grow() {
    let mut engine = Engine::new(EngineConfig::default());
    let input = engine.input(NOW_MS);
    let mut log = String::new();
    for number in 0..50_000 {
        let _ = writeln!(
            log,
            "2026-11-24T10:00:{:02}Z mx1 postfix/smtpd[1]: 4AAA01: client=unknown[192.0.2.1]",
            number / 1_000
        );
    }
    for number in (0..50_000).rev() {
        let _ = writeln!(
            log,
            "2026-11-24T10:01:00Z mx1 postfix/smtpd[1]: {:010X}: client=localhost[127.0.0.1]\n\
             2026-11-24T10:01:00Z mx1 postfix/smtp[2]: {number:010X}: to=<a@example.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {:010X})",
            number + 1,
            number + 1
        );
    }
    engine.feed(input, log.as_bytes(), NOW_MS);
    engine.finish();
    assert_eq!(engine.tracked_messages(), 0);
}
