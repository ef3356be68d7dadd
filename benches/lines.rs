//! What a line costs: parsed, followed, and counted, over the kept log of a real Postfix.

use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use maillog_exporter::engine::{Engine, EngineConfig};
use maillog_exporter::parse;
use maillog_exporter::record::Headers;
use maillog_exporter::track::{Line, TrackConfig, Tracker};

/// 2026-12-01, after the log.
const NOW_MS: i64 = 1_796_083_200_000;

fn kept_log(form: &str) -> Vec<u8> {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/postfix-3.7");
    let file = std::fs::File::open(logs.join(format!("{form}.log.gz"))).expect("it is in git");
    let mut log = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut log)
        .expect("it is gzip");
    log
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
}

fn record(criterion: &mut Criterion) {
    for form in ["traditional", "rfc3339", "rfc5424"] {
        let log = kept_log(form);
        let mut group = criterion.benchmark_group("record");
        group.throughput(Throughput::Elements(lines(&log).count() as u64));
        group.bench_function(form, |bencher| {
            bencher.iter(|| {
                let mut headers = Headers::new(jiff::tz::TimeZone::UTC, NOW_MS);
                for line in lines(&log) {
                    black_box(headers.read(line));
                }
            });
        });
    }
}

fn parse_and_track(criterion: &mut Criterion) {
    let log = kept_log("traditional");
    let mut headers = Headers::new(jiff::tz::TimeZone::UTC, NOW_MS);
    let records: Vec<_> = lines(&log)
        .map(|line| {
            let record = headers.read(line);
            let time_ms = record.time_ms.unwrap_or(NOW_MS);
            (parse::classify(record.program), record, time_ms)
        })
        .collect();
    let mut group = criterion.benchmark_group("line");
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            for (program, record, _) in &records {
                black_box(parse::parse(program, record));
            }
        });
    });
    group.bench_function("parse and track", |bencher| {
        bencher.iter(|| {
            let mut tracker = Tracker::new(TrackConfig::default());
            for (program, record, time_ms) in &records {
                let line = Line {
                    host: record.host,
                    program,
                    pid: record.pid,
                    time_ms: *time_ms,
                    repeated: record.repeated,
                };
                let event = parse::parse(program, record);
                tracker.apply(&line, &event, &mut |fact| {
                    black_box(fact);
                });
            }
        });
    });
    group.bench_function("all of it", |bencher| {
        bencher.iter(|| {
            let mut engine = Engine::new(EngineConfig::default());
            let input = engine.input(NOW_MS);
            engine.feed(input, &log, NOW_MS);
            black_box(engine.lines())
        });
    });
}

criterion_group!(benches, record, parse_and_track);
criterion_main!(benches);
