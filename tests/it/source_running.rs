//! Real writers, real time, real sizes.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use maillog_exporter::source::{BLOCK_BYTES, BlockReader, LINE_BYTES_MAX, Watcher};

use crate::source_allocations::allocated_bytes;
use crate::source_fixture::{Fixture, append, writer};

/// A thread writes, rotates and goes on writing to the old file for a while, as a daemon does that
/// is told to reopen; another follows.
#[test]
fn no_line_lost_and_none_twice_while_a_thread_writes_and_rotates() {
    const LINES: u64 = 200_000;
    const ROTATIONS: u64 = 8;
    let mut log = Fixture::with("");
    let path = log.path.clone();
    let directory = log.dir.path().to_owned();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = writer(&path);
            for line in 0..LINES {
                // In pieces, now and then, so that reads meet half a line.
                let text = format!("{line} says the line of that number\n");
                let half = if line % 7 == 0 { text.len() / 2 } else { 0 };
                file.write_all(&text.as_bytes()[..half]).unwrap();
                file.write_all(&text.as_bytes()[half..]).unwrap();
                let part = LINES / ROTATIONS;
                if line % part == part / 2 {
                    let name = format!("mail.log.{}", ROTATIONS - line / part);
                    fs::rename(&path, directory.join(name)).unwrap();
                    append(&path, "");
                }
                if line % part == part / 2 + 100 {
                    file = writer(&path);
                }
            }
            done.store(true, Ordering::Release);
        });
        let mut next = 0;
        let deadline = Instant::now() + Duration::from_secs(120);
        while next < LINES {
            assert!(Instant::now() < deadline, "line {next} never came");
            let Some(block) = log.follower().next_block(Instant::now()) else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            for line in block.lines.split_terminator() {
                assert!(
                    line.starts_with(format!("{next} says").as_bytes()),
                    "line {next} expected, got {:?}",
                    String::from_utf8_lossy(line)
                );
                next += 1;
            }
        }
    });
    assert!(done.load(Ordering::Acquire));
    assert_eq!(log.stats().rotations, ROTATIONS);
    assert_eq!((log.stats().errors, log.stats().truncations), (0, 0));
    assert!(log.follower().next_block(Instant::now()).is_none());
}

#[test]
fn a_line_of_50_mb_needs_no_memory() {
    let log = Fixture::empty();
    let mut file = fs::File::create(&log.path).unwrap();
    let piece = vec![b'x'; 1_000_000];
    for _ in 0..50 {
        file.write_all(&piece).unwrap();
    }
    file.write_all(b"\nnext\n").unwrap();

    let mut log = log;
    log.follow();
    let now = log.now;
    let before = allocated_bytes();
    let mut lines = Vec::with_capacity(4);
    while let Some(block) = log.follower().next_block(now) {
        lines.extend(block.lines.split_terminator().map(<[u8]>::len));
    }
    assert_eq!(lines, [LINE_BYTES_MAX, 4]);
    let followed = allocated_bytes() - before;
    assert!(followed < 64 * 1024, "{followed} bytes to follow it");

    let before = allocated_bytes();
    let mut reader = BlockReader::new(fs::File::open(&log.path).unwrap());
    lines.clear();
    while let Some(block) = reader.next_block().unwrap() {
        lines.extend(block.split_terminator().map(<[u8]>::len));
    }
    assert_eq!(lines, [LINE_BYTES_MAX, 4]);
    let read = allocated_bytes() - before;
    assert!(read < 2 * BLOCK_BYTES as u64, "{read} bytes to read it");
}

#[test]
fn a_block_allocates_nothing() {
    let mut log = Fixture::with(&"a line of some length\n".repeat(200_000));
    let now = log.now;
    assert!(log.follower().next_block(now).is_some());
    let before = allocated_bytes();
    let mut blocks = 0;
    while log.follower().next_block(now).is_some() {
        blocks += 1;
    }
    // The path of the last look is made into a C string, on the stack if it is short.
    assert!(blocks > 10);
    assert!(allocated_bytes() - before < 1024, "{blocks} blocks");
}

/// The hint comes at once, also after the file was rotated and another moved over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_wakes_who_waits() {
    let log = Fixture::empty();
    let other = log.beside("later/mail.log");
    let mut watcher = Watcher::new([&log.path]);
    log.append("1\n");
    is_woken_by(&mut watcher, || log.append("2\n")).await;
    log.rename("mail.log", "mail.log.1");
    is_woken_by(&mut watcher, || log.append("3\n")).await;
    // Who follows holds the old file open: it is not deleted.
    let _held = fs::File::open(&log.path).unwrap();
    append(&log.beside("new"), "4\n");
    log.rename("new", "mail.log");
    is_woken_by(&mut watcher, || log.append("5\n")).await;
    // Its directory is missing too: it is watched when that appears.
    watcher.add(&other);
    fs::create_dir(log.beside("later")).unwrap();
    is_woken_by(&mut watcher, || append(&other, "6\n")).await;
}

/// At least one of several changes must wake us before the slow timer does.
async fn is_woken_by(watcher: &mut Watcher, change: impl Fn()) {
    for _ in 0..20 {
        // Until what happened before is over.
        let quiet = Instant::now();
        watcher.changed().await;
        if quiet.elapsed() < Duration::from_millis(900) {
            continue;
        }
        change();
        let asked = Instant::now();
        watcher.changed().await;
        if asked.elapsed() < Duration::from_millis(500) {
            return;
        }
    }
    panic!("only the timer woke us");
}

trait Lines {
    fn split_terminator(&self) -> impl Iterator<Item = &[u8]>;
}

impl Lines for [u8] {
    fn split_terminator(&self) -> impl Iterator<Item = &[u8]> {
        self.split_inclusive(|&byte| byte == b'\n')
            .map(|line| &line[..line.len() - 1])
    }
}
