//! Are the counts those that the writer of a log knows to be true?
//!
//! The simulator counts what it decided, never what it wrote; the kept log of real daemons has what
//! its own clients counted. A series of the truth names some labels and is the sum over the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

use flate2::read::GzDecoder;
use maillog_exporter::cli::{self, Command};
use maillog_exporter::engine::{Engine, EngineConfig};
use maillog_exporter::metrics::CATALOGUE;
use maillog_exporter::parse::Software;
use maillog_exporter::settings;
use maillog_exporter::simulate::{MIX_DEFAULT_DOMAIN, Truth, World, WorldOptions, mix, story};

use crate::series::{Samples, Selector, samples};

/// Later than all logs of these tests.
pub const NOW_MS: i64 = 1_800_000_000_000;
const START_MS: u64 = 1_795_424_400_000;

/// What the flags of a report make of an engine; nothing is hidden in `_other`.
pub fn config(flags: &[String]) -> EngineConfig {
    let mut arguments = vec!["maillog_exporter".to_owned(), "report".to_owned()];
    for limit in ["users", "relays", "domains", "programs"] {
        arguments.push(format!("--limit.{limit}=1000000"));
    }
    arguments.extend(flags.iter().cloned());
    arguments.push("-".to_owned());
    let cli = cli::parse_from(arguments).expect("flags");
    let Command::Report(flags) = cli.command else {
        unreachable!("report was asked for");
    };
    let mut config = settings::engine_config(&flags.understand, None).expect("flags");
    config.metrics.birth_hold_ms = 0;
    config
}

/// The log of some hours in the life of a small mail system, hijacked in the middle.
pub fn world(seed: u64, seconds: u64) -> (Vec<u8>, Truth) {
    let options = WorldOptions {
        hijack_after: std::time::Duration::from_secs(1_800),
        ..WorldOptions::default()
    };
    let mut world = World::new(seed, START_MS, options);
    let mut log = Vec::new();
    world
        .step(START_MS + seconds * 1_000, &mut log)
        .expect("a Vec takes all");
    (log, world.truth())
}

pub fn real_log(form: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/logs/postfix-3.7/{form}.log.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut log = Vec::new();
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    GzDecoder::new(file).read_to_end(&mut log).expect("gzip");
    log
}

fn counted(log: &[u8], config: EngineConfig) -> Samples {
    let mut engine = Engine::new(config);
    let input = engine.input(NOW_MS);
    engine.feed(input, log, NOW_MS);
    engine.finish();
    samples(&engine.freeze(NOW_MS))
}

fn sum(samples: &Samples, selector: &Selector) -> f64 {
    samples
        .iter()
        .filter(|((name, labels), _)| selector.takes(name, labels))
        .map(|(_, value)| value)
        .sum()
}

/// Whether we can know of the series: its metric exists, its software is one that we read.
fn is_ours(selector: &Selector) -> bool {
    let software = selector.label("software");
    CATALOGUE
        .iter()
        .any(|metric| selector.name.starts_with(metric.name))
        && software.is_none_or(|s| Software::ALL.iter().any(|known| known.as_str() == s))
        // Other programs' logins are of the same accounts.
        && selector.name != "mail_user_auth_total"
}

fn hold_against(log: &[u8], truth: &Truth, config: EngineConfig) {
    let samples = counted(log, config);
    let mut faults = String::new();
    let mut compared = 0;
    let mut families: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (series, &expected) in truth {
        let selector = Selector::read(series);
        if !is_ours(&selector) {
            continue;
        }
        compared += 1;
        let got = sum(&samples, &selector);
        let family = families.entry(selector.name.clone()).or_default();
        family.0 += expected as f64;
        if got != expected as f64 {
            let _ = writeln!(faults, "  {series}  expected {expected}, got {got}");
        }
    }
    // No series of these families but those that the truth names.
    for ((name, labels), value) in &samples {
        let of_postfix = labels
            .iter()
            .all(|(label, value)| label != "software" || value == "postfix");
        if of_postfix && let Some(family) = families.get_mut(name) {
            family.1 += value;
        }
    }
    for (name, (expected, got)) in families {
        if expected != got {
            let _ = writeln!(
                faults,
                "  {name} of all labels  expected {expected}, got {got}"
            );
        }
    }
    assert!(compared > 50, "only {compared} series compared");
    assert!(faults.is_empty(), "{compared} series compared\n{faults}");
}

#[test]
fn a_story() {
    let mut log = Vec::new();
    let truth = story(&mut log, 40_000, 3).expect("a Vec takes all");
    hold_against(&log, &truth, config(&[]));
}

#[test]
fn a_mix_of_four_hosts() {
    let mut log = Vec::new();
    let truth = mix(&mut log, 40_000, 5).expect("a Vec takes all");
    let flags = [format!("--users.default-domain={MIX_DEFAULT_DOMAIN}")];
    hold_against(&log, &truth, config(&flags));
}

#[test]
fn a_hijacked_world() {
    let (log, truth) = world(7, 5_400);
    hold_against(&log, &truth, config(&[]));
}

#[test]
fn real_daemons_in_three_header_forms() {
    let path = |name: &str| {
        format!(
            "{}/tests/logs/postfix-3.7/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        )
    };
    let read = |name| {
        let text = std::fs::read_to_string(path(name)).expect("the truth of the kept log");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let expected = read("expected");
    let more = read("expected-more");
    let mut flags = vec!["--source.timezone=UTC".to_owned()];
    for (flag, value) in more["flags"].as_object().expect("flags") {
        let value = match value {
            serde_json::Value::Array(values) => {
                let values: Vec<_> = values.iter().filter_map(|v| v.as_str()).collect();
                values.join(",")
            }
            value => value.as_str().expect("text").to_owned(),
        };
        flags.push(format!("{flag}={value}"));
    }
    for form in ["traditional", "rfc3339", "rfc5424"] {
        let samples = counted(&real_log(form), config(&flags));
        let mut faults = String::new();
        let mut compared = 0;
        let sums = more["sums"].as_object().expect("sums");
        for (series, expected) in expected.as_object().expect("series").iter().chain(sums) {
            let selector = Selector::read(series);
            if !is_ours(&selector) {
                continue;
            }
            compared += 1;
            let got = sum(&samples, &selector);
            let expected = expected.as_f64().expect("a number");
            if got != expected {
                let _ = writeln!(faults, "  {series}  expected {expected}, got {got}");
            }
        }
        for (series, expected) in more["nearly"].as_object().expect("nearly") {
            let got = sum(&samples, &Selector::read(series));
            let expected = expected.as_f64().expect("a number");
            if got > expected || got < expected * 0.97 - 1.0 {
                let _ = writeln!(faults, "  {series}  expected about {expected}, got {got}");
            }
        }
        assert!(compared > 100, "only {compared} series compared");
        assert!(
            faults.is_empty(),
            "{form}, {compared} series compared\n{faults}"
        );
    }
}
