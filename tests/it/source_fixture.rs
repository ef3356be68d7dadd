//! A directory with a log in it, a follower of it, and a clock that the test turns.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use maillog_exporter::source::{FileFollower, From, SourceStats};
use tempfile::TempDir;

/// Long enough for a rotated file to have rested.
pub const REST: Duration = Duration::from_millis(1500);

pub struct Fixture {
    pub dir: TempDir,
    pub path: PathBuf,
    pub now: Instant,
    follower: Option<FileFollower>,
}

impl Fixture {
    /// A directory with nothing in it.
    pub fn empty() -> Self {
        let dir = TempDir::new().unwrap();
        Self {
            path: dir.path().join("mail.log"),
            dir,
            now: Instant::now(),
            follower: None,
        }
    }

    /// A followed log with `text` in it, nothing read yet.
    pub fn with(text: &str) -> Self {
        let mut log = Self::empty();
        log.append(text);
        log.follow();
        log
    }

    pub fn follow(&mut self) {
        self.follow_from(From::Start);
    }

    pub fn follow_from(&mut self, from: From) {
        let spec = self.path.to_str().unwrap().parse().unwrap();
        self.follower = Some(FileFollower::open(spec, from, self.now).unwrap());
    }

    pub fn follow_pattern(&mut self, pattern: &str) {
        let spec = format!("file:{}", self.beside(pattern).display());
        let spec = spec.parse().unwrap();
        self.follower = Some(FileFollower::open(spec, From::Start, self.now).unwrap());
    }

    pub fn follower(&mut self) -> &mut FileFollower {
        self.follower.as_mut().unwrap()
    }

    pub fn stats(&self) -> &SourceStats {
        self.follower.as_ref().unwrap().stats()
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn append(&self, text: &str) {
        append(&self.path, text);
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.beside(from), self.beside(to)).unwrap();
    }

    pub fn truncate(&self) {
        OpenOptions::new()
            .write(true)
            .open(&self.path)
            .unwrap()
            .set_len(0)
            .unwrap();
    }

    pub fn rest(&mut self) {
        self.now += REST;
    }

    /// All that can be read now.
    pub fn read(&mut self) -> String {
        let now = self.now;
        let mut text = Vec::new();
        while let Some(block) = self.follower().next_block(now) {
            assert!(block.lines.is_empty() || block.lines.ends_with(b"\n"));
            text.extend_from_slice(block.lines);
        }
        String::from_utf8(text).unwrap()
    }

    /// All that can be read after a rest: what a rotated file's successor holds too.
    pub fn read_on(&mut self) -> String {
        let mut text = self.read();
        self.rest();
        text += &self.read();
        text
    }
}

pub fn append(path: &Path, text: &str) {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// A writer that keeps its file open.
pub fn writer(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
}

/// Runs `work` and returns what it said on our own log, a line each.
pub fn said(work: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().unwrap();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
