//! Counters are a pure function of the bytes: however they were cut, followed or hashed, the
//! exposition is the same, byte for byte.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use maillog_exporter::engine::{Engine, EngineConfig};
use maillog_exporter::metrics::Format;
use maillog_exporter::simulate::{mix, story};
use maillog_exporter::source::{BlockReader, FileFollower, From, SourceSpec};

use crate::pieces::{Pieces, Random};
use crate::truth::{NOW_MS, config, real_log, world};

const SEEDS: std::ops::Range<u64> = 1..4;

/// The random seed is another each time.
fn engine() -> Engine {
    let config = config(&["--source.timezone=UTC".to_owned()]);
    Engine::new(EngineConfig { ..config })
}

fn exposed(mut engine: Engine) -> String {
    engine.idle(NOW_MS, 0);
    engine.finish();
    let mut text = Vec::new();
    engine.freeze(NOW_MS).encode(Format::Text004, &mut text);
    String::from_utf8(text).expect("UTF-8")
}

fn whole(log: &[u8]) -> String {
    let mut engine = engine();
    let input = engine.input(NOW_MS);
    engine.feed(input, log, NOW_MS);
    exposed(engine)
}

fn in_pieces(log: &[u8], pieces: &mut dyn FnMut() -> usize) -> String {
    let mut engine = engine();
    let input = engine.input(NOW_MS);
    let mut reader = BlockReader::new(Pieces { bytes: log, pieces });
    while let Some(block) = reader.next_block().expect("memory can be read") {
        engine.feed(input, block, NOW_MS);
    }
    exposed(engine)
}

/// A thread writes in random pieces, another follows, and notices when there is nothing to read.
fn followed(log: &[u8], seed: u64) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("mail.log");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .expect("a file");
    let spec: SourceSpec = format!("file:{}", path.display()).parse().expect("a path");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(seed);
            let mut rest = log;
            while !rest.is_empty() {
                let length = (1 + random.below(60_000) as usize).min(rest.len());
                let (now, later) = rest.split_at(length);
                file.write_all(now).expect("room on the disk");
                rest = later;
                if random.below(8) == 0 {
                    std::thread::sleep(Duration::from_micros(random.below(3_000)));
                }
            }
            done.store(true, Ordering::Release);
        });
        let mut engine = engine();
        let input = engine.input(NOW_MS);
        let mut follower =
            FileFollower::open(spec, From::Start, Instant::now()).expect("it is a file");
        loop {
            let is_done = done.load(Ordering::Acquire);
            if let Some(block) = follower.next_block(Instant::now()) {
                engine.feed(input, block.lines, NOW_MS);
            } else if is_done {
                break exposed(engine);
            } else {
                let wall_ms = engine.last_ms().unwrap_or(NOW_MS);
                engine.idle(wall_ms, 5);
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    })
}

fn same(log: &[u8], name: &str) {
    let first = whole(log);
    assert!(first.contains("mail_messages_total{origin="));
    let must_be = |other: &str, way: &str| {
        let wrong = first.lines().zip(other.lines()).find(|(a, b)| a != b);
        if let Some((one, two)) = wrong {
            panic!("{name}, {way}\n  whole: {one}\n   here: {two}");
        }
        assert_eq!(first.len(), other.len(), "{name}, {way}");
    };
    must_be(&whole(log), "with another random seed");
    let head = &log[..log.len().min(400_000)];
    let head = &head[..=head.iter().rposition(|&b| b == b'\n').expect("a line")];
    assert_eq!(
        whole(head),
        in_pieces(head, &mut || 1),
        "{name}, byte by byte"
    );
    for seed in SEEDS {
        let mut random = Random::new(seed);
        let most = [300, 5_000, 300_000][seed as usize % 3];
        let split = in_pieces(log, &mut || 1 + random.below(most) as usize);
        must_be(&split, &format!("split, seed {seed}"));
    }
    must_be(&followed(log, 8), "followed live");
}

#[test]
fn real_logs() {
    for form in ["traditional", "rfc3339", "rfc5424"] {
        same(&real_log(form), form);
    }
}

#[test]
fn a_story() {
    let mut log = Vec::new();
    story(&mut log, 50_000, 11).expect("a Vec takes all");
    same(&log, "story");
}

#[test]
fn a_mix() {
    let mut log = Vec::new();
    mix(&mut log, 50_000, 12).expect("a Vec takes all");
    same(&log, "mix");
}

#[test]
fn a_world() {
    let (log, _) = world(13, 5_000);
    same(&log, "world");
}
