//! What numbers mean: small logs, and the series that must come of them, written before the code ran.
//!
//! A case is a file `tests/cases/ROOM/NAME.case`:
//!
//!     What it is about.
//!     -- flags --
//!     order: any
//!     --users.default-domain=example.org
//!     -- log --
//!     2026-11-24T10:00:00Z mx1 postfix/qmgr[1]: ...
//!     -- metrics --
//!     mail_messages_total: complete
//!     mail_messages_total{origin="authenticated"} 1
//!
//! A series with fewer labels than it has is the sum over the others. `complete`: no series of the
//! family but those that a line names is above 0. `order: any`: the lines of different processes may
//! come in any order within two minutes. `now: STAMP`: the wall clock; else that of the last line.
//! `open: REASON`: known to fail, and told when it does not any more.
//!
//! Each case is read whole, byte by byte, in random pieces, live, and in other orders: all must
//! agree. `CASE=room/name` and `SEED=n` run one of them, `SEEDS=n` more orders.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use maillog_exporter::cli::{self, Command};
use maillog_exporter::engine::{Engine, EngineConfig};
use maillog_exporter::record::Headers;
use maillog_exporter::settings;
use maillog_exporter::source::BlockReader;

use jiff::tz::TimeZone;

use crate::pieces::{Pieces, Random};
use crate::series::{Samples, Selector, samples, spelled};

/// Lines of different processes are this far out of order at most.
const DISORDER_MS: i64 = 120_000;
/// After so long a silence all that waits for a line has been told.
const SILENCE_MS: i64 = 150_000;
/// Of the orders of each case, unless `SEED` names one.
const SEEDS: u64 = 8;

struct Case {
    name: String,
    flags: Vec<String>,
    any_order: bool,
    open: Option<String>,
    now_ms: Option<i64>,
    log: Vec<u8>,
    /// As written, with its value.
    expected: Vec<(Selector, String, f64)>,
    complete: Vec<String>,
}

impl Case {
    fn read(path: &Path, name: String) -> Case {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let section = |begin: &str, end: Option<&str>| {
            let mark = format!("-- {begin} --\n");
            let from = find(&bytes, mark.as_bytes()).unwrap_or_else(|| panic!("{name}: no {mark}"))
                + mark.len();
            let to = end.map_or(bytes.len(), |end| {
                let mark = format!("-- {end} --\n");
                find(&bytes, mark.as_bytes()).unwrap_or_else(|| panic!("{name}: no {mark}"))
            });
            bytes[from..to].to_vec()
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let mut case = Case {
            flags: Vec::new(),
            any_order: false,
            open: None,
            now_ms: None,
            log: section("log", Some("metrics")),
            expected: Vec::new(),
            complete: Vec::new(),
            name: name.clone(),
        };
        for line in text(section("flags", Some("log"))).lines() {
            if line == "order: any" {
                case.any_order = true;
            } else if let Some(reason) = line.strip_prefix("open: ") {
                case.open = Some(reason.to_owned());
            } else if let Some(stamp) = line.strip_prefix("now: ") {
                let stamp: jiff::Timestamp = stamp.parse().expect("now: a stamp");
                case.now_ms = Some(stamp.as_millisecond());
            } else if !line.is_empty() {
                assert!(line.starts_with("--"), "{}: {line}", case.name);
                case.flags.push(line.to_owned());
            }
        }
        for line in text(section("metrics", None)).lines() {
            if let Some(family) = line.strip_suffix(": complete") {
                case.complete.push(family.to_owned());
            } else if !line.is_empty() && !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("series and value");
                let value = value.parse().expect("a value");
                let selector = Selector::read(series);
                case.expected.push((selector, series.to_owned(), value));
            }
        }
        case
    }

    fn config(&self) -> EngineConfig {
        let mut arguments = vec![
            "maillog_exporter".to_owned(),
            "report".to_owned(),
            "--source.timezone=UTC".to_owned(),
        ];
        arguments.extend(self.flags.iter().cloned());
        arguments.push("-".to_owned());
        let cli =
            cli::parse_from(arguments).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let Command::Report(flags) = cli.command else {
            unreachable!("report was asked for");
        };
        let mut config = settings::engine_config(&flags.understand, None).expect("flags");
        config.metrics.birth_hold_ms = 0;
        config
    }

    fn lines(&self) -> Vec<Line> {
        let mut headers = Headers::new(TimeZone::UTC, 1_795_500_000_000);
        let mut last_ms = 0;
        self.log
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| {
                let record = headers.read(line.strip_suffix(b"\n").unwrap_or(line));
                last_ms = record.time_ms.unwrap_or(last_ms);
                Line {
                    text: line.to_vec(),
                    process: format!("{:?} {:?} {:?}", record.host, record.program, record.pid),
                    time_ms: last_ms,
                }
            })
            .collect()
    }

    /// Every way of reading, by name.
    fn ways(&self, seeds: &[u64]) -> Vec<(String, Samples)> {
        let lines = self.lines();
        let last_ms = lines.iter().map(|line| line.time_ms).max().unwrap_or(0);
        let now_ms = self.now_ms.unwrap_or(last_ms + 1_000);
        let whole = || {
            let mut engine = Engine::new(self.config());
            let input = engine.input(now_ms);
            engine.feed(input, &self.log, now_ms);
            engine
        };
        let finished = |mut engine: Engine| {
            engine.finish();
            samples(&engine.freeze(now_ms))
        };
        let silent = |mut engine: Engine, now_ms: i64| {
            engine.idle(now_ms + SILENCE_MS, SILENCE_MS);
            samples(&engine.freeze(now_ms + SILENCE_MS))
        };
        let mut ways = vec![
            ("whole".to_owned(), finished(whole())),
            ("whole, then silence".to_owned(), silent(whole(), now_ms)),
        ];
        let pieces = |pieces: &mut dyn FnMut() -> usize| {
            let mut engine = Engine::new(self.config());
            let input = engine.input(now_ms);
            let mut reader = BlockReader::new(Pieces {
                bytes: &self.log,
                pieces,
            });
            while let Some(block) = reader.next_block().expect("memory can be read") {
                engine.feed(input, block, now_ms);
            }
            finished(engine)
        };
        ways.push(("byte by byte".to_owned(), pieces(&mut || 1)));
        for &seed in seeds.iter().take(2) {
            let mut random = Random::new(seed);
            let split = pieces(&mut || 1 + random.below(200) as usize);
            ways.push((format!("split, seed {seed}"), split));
        }
        if self.now_ms.is_none() {
            ways.push(("live".to_owned(), self.live(&lines, &silent)));
        }
        if self.any_order {
            for &seed in seeds {
                let text = permuted(&lines, seed).concat();
                if seeds.len() == 1 {
                    eprintln!("{}", String::from_utf8_lossy(&text));
                }
                let mut engine = Engine::new(self.config());
                let input = engine.input(now_ms);
                engine.feed(input, &text, now_ms);
                let samples = if seed % 2 == 0 {
                    silent(engine, now_ms)
                } else {
                    finished(engine)
                };
                ways.push((format!("in another order, seed {seed}"), samples));
            }
        }
        ways
    }

    /// Each line at its time, the silence between them noticed.
    fn live(&self, lines: &[Line], silent: &dyn Fn(Engine, i64) -> Samples) -> Samples {
        let mut engine = Engine::new(self.config());
        let mut now_ms = lines.first().map_or(0, |line| line.time_ms);
        let input = engine.input(now_ms);
        for line in lines {
            if line.time_ms > now_ms {
                engine.idle(line.time_ms, line.time_ms - now_ms);
                now_ms = line.time_ms;
            }
            engine.feed(input, &line.text, now_ms);
            engine.idle(now_ms, 0);
        }
        silent(engine, now_ms)
    }

    /// What is wrong with these samples.
    fn faults(&self, samples: &Samples) -> String {
        let mut faults = String::new();
        for (selector, series, expected) in &self.expected {
            let got: f64 = samples
                .iter()
                .filter(|((name, labels), _)| selector.takes(name, labels))
                .map(|(_, value)| value)
                .fold(0.0, |sum, value| sum + value);
            if (got - expected).abs() > 1e-9 {
                let _ = writeln!(faults, "  {series}  expected {expected}, got {got}");
            }
        }
        for ((name, labels), value) in samples {
            if self.complete.contains(name)
                && !self
                    .expected
                    .iter()
                    .any(|(selector, _, _)| selector.takes(name, labels))
            {
                let _ = writeln!(faults, "  {}  unexpected {value}", spelled(name, labels));
            }
        }
        faults
    }

    /// Where two ways of reading do not agree. A wall clock far from the log's empties the windows
    /// of the last hour.
    fn differences(&self, first: &Samples, other: &Samples) -> String {
        const OF_THE_LAST_HOUR: [&str; 2] =
            ["mail_user_client_networks", "mail_auth_failing_networks"];
        let mut text = String::new();
        let keys: std::collections::BTreeSet<_> = first.keys().chain(other.keys()).collect();
        for key in keys {
            let value = |samples: &Samples| samples.get(key).copied().unwrap_or(0.0);
            let (one, two) = (value(first), value(other));
            if one != two && !(self.now_ms.is_some() && OF_THE_LAST_HOUR.contains(&key.0.as_str()))
            {
                let series = spelled(&key.0, &key.1);
                let _ = writeln!(text, "  {series}  whole {one}, here {two}");
            }
        }
        text
    }

    /// All that fails.
    fn run(&self, seeds: &[u64]) -> String {
        let mut report = String::new();
        let mut told = Vec::new();
        let ways = self.ways(seeds);
        let (_, first) = &ways[0];
        for (way, samples) in &ways {
            let mut faults = self.faults(samples);
            if faults.is_empty() {
                faults = self.differences(first, samples);
            }
            if !faults.is_empty() && !told.contains(&faults) {
                let seed = way.rsplit_once("seed ").map_or("1", |(_, seed)| seed);
                let _ = writeln!(
                    report,
                    "case {}, {way}\n{faults}  again: CASE={} SEED={seed} cargo test --test it cases",
                    self.name, self.name
                );
                told.push(faults);
            }
        }
        report
    }
}

#[derive(Clone)]
struct Line {
    text: Vec<u8>,
    process: String,
    time_ms: i64,
}

/// The lines in another order: each process's own is kept, and none passes one that is two minutes
/// older.
fn permuted(lines: &[Line], seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut processes: Vec<(&str, Vec<&Line>)> = Vec::new();
    for line in lines.iter().rev() {
        match processes.iter_mut().find(|(name, _)| *name == line.process) {
            Some((_, lines)) => lines.push(line),
            None => processes.push((&line.process, vec![line])),
        }
    }
    let mut order = Vec::new();
    while order.len() < lines.len() {
        let oldest_ms = processes
            .iter()
            .flat_map(|(_, lines)| lines)
            .map(|line| line.time_ms)
            .min()
            .expect("lines are left");
        let may_go: Vec<usize> = (0..processes.len())
            .filter(|&at| {
                let next = processes[at].1.last();
                next.is_some_and(|line| line.time_ms <= oldest_ms + DISORDER_MS)
            })
            .collect();
        let at = may_go[random.below(may_go.len() as u64) as usize];
        order.extend(processes[at].1.pop().map(|line| line.text.clone()));
    }
    order
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases = Vec::new();
    let mut rooms: Vec<PathBuf> = fs::read_dir(&root)
        .expect("tests/cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    rooms.sort();
    for room in rooms {
        let mut files: Vec<PathBuf> = fs::read_dir(&room)
            .expect("a room of cases")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        for file in files {
            let part = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned());
            let name = format!(
                "{}/{}",
                part(&room).expect("a name"),
                part(&file).expect("a name")
            );
            cases.push(Case::read(&file, name));
        }
    }
    cases
}

#[test]
fn cases() {
    let wanted = std::env::var("CASE").ok();
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => {
            let seeds = std::env::var("SEEDS").ok();
            (1..=seeds.map_or(SEEDS, |n| n.parse().expect("SEEDS is a number"))).collect()
        }
    };
    let mut report = String::new();
    let mut ran = 0;
    for case in all() {
        if wanted.as_ref().is_some_and(|name| *name != case.name) {
            continue;
        }
        ran += 1;
        let faults = case.run(&seeds);
        match &case.open {
            None => report.push_str(&faults),
            Some(_) if wanted.is_some() => report.push_str(&faults),
            Some(reason) if faults.is_empty() => {
                let _ = writeln!(report, "case {} passes now; was open: {reason}", case.name);
            }
            Some(_) => {}
        }
    }
    assert!(ran > 0, "no such case");
    assert!(report.is_empty(), "{ran} cases\n{report}");
}
