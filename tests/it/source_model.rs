//! Random lists of what may happen to a log, beside a model of what can be read of it.
//!
//! The model knows each file that ever was at the path: its bytes, how many of them were handed out,
//! whether the follower has it open. It says the lines, in order, that come of each reading. What a
//! truncation destroyed unread is taken out of it, and only that.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use crate::source_fixture::{Fixture, append};

#[derive(Debug, Clone)]
enum Op {
    /// Writes whole lines to the path, then maybe the beginning of one; creates the file.
    Append {
        lines: usize,
        fragment: bool,
    },
    /// A writer that has not reopened yet writes to the file that was rotated last.
    AppendLate {
        lines: usize,
        fragment: bool,
    },
    /// `mail.log` becomes `mail.log.1`, that becomes `mail.log.2` ... Nothing is created.
    Rename,
    RenameAndCreate,
    /// Reads all, then copies and truncates.
    CopyTruncate,
    Truncate,
    Delete,
    /// Another file is renamed over the path.
    MoveIntoPlace {
        lines: usize,
    },
    /// Reads all that can be read now.
    Read,
    /// Reads after so many milliseconds.
    ReadAfter(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let lines = 0..4usize;
    prop_oneof![
        8 => (lines.clone(), any::<bool>()).prop_map(|(lines, fragment)| Op::Append { lines, fragment }),
        3 => (lines.clone(), any::<bool>()).prop_map(|(lines, fragment)| Op::AppendLate { lines, fragment }),
        2 => Just(Op::Rename),
        3 => Just(Op::RenameAndCreate),
        2 => Just(Op::CopyTruncate),
        2 => Just(Op::Truncate),
        2 => Just(Op::Delete),
        2 => lines.prop_map(|lines| Op::MoveIntoPlace { lines }),
        8 => Just(Op::Read),
        6 => prop_oneof![Just(400u64), Just(1000), Just(1500)].prop_map(Op::ReadAfter),
    ]
}

/// A file that is or was at the path.
#[derive(Debug)]
struct Generation {
    bytes: Vec<u8>,
    /// Handed out.
    offset: usize,
    /// As the follower has last seen it.
    seen: usize,
    grown_at: Duration,
    /// Whether the path leads to it.
    here: bool,
    /// Whether it lies beside the path under a rotated name, to be found.
    beside: bool,
    open: bool,
    truncations: u64,
    id: u64,
}

/// What the follower must do, said without files.
#[derive(Debug, Default)]
struct Model {
    /// All that is not yet done with, the oldest first.
    files: VecDeque<Generation>,
    now: Duration,
    next_id: u64,
    /// The file that was renamed last, for the writer who still has it open.
    late: Option<u64>,
    rotations: u64,
}

impl Model {
    fn create(&mut self) -> &mut Generation {
        self.next_id += 1;
        self.files.push_back(Generation {
            bytes: Vec::new(),
            offset: 0,
            seen: 0,
            grown_at: self.now,
            here: true,
            beside: false,
            open: false,
            truncations: 0,
            id: self.next_id,
        });
        self.files.back_mut().unwrap()
    }

    fn here(&mut self) -> Option<&mut Generation> {
        self.files.iter_mut().find(|file| file.here)
    }

    fn or_create(&mut self) -> &mut Generation {
        if self.here().is_none() {
            self.create();
        }
        self.here().unwrap()
    }

    fn rename(&mut self) {
        if let Some(file) = self.here() {
            file.here = false;
            file.beside = true;
            let id = file.id;
            self.late = Some(id);
        }
    }

    /// What is deleted before it was ever opened is gone.
    fn delete(&mut self) {
        if let Some(file) = self.here() {
            file.here = false;
            file.beside = false;
            self.late = None;
        }
        self.files
            .retain(|file| file.open || file.here || file.beside);
    }

    fn truncate(&mut self) {
        if let Some(file) = self.here() {
            file.truncations += u64::from(file.open && file.seen.max(file.offset) > 0);
            file.bytes.clear();
            file.offset = 0;
        }
    }

    /// The follower looks at the path: it opens what it leads to, and what it led to since.
    fn look(&mut self) {
        let now = self.now;
        let path_leads_somewhere = self.here().is_some_and(|file| !file.open);
        if path_leads_somewhere {
            let any_open = self.files.iter().any(|file| file.open);
            // Before the first file was opened, nobody knows what came before it.
            self.files
                .retain(|file| file.open || file.here || (any_open && !file.bytes.is_empty()));
            for file in self.files.iter_mut().filter(|file| !file.open) {
                file.open = true;
                file.grown_at = now;
                file.seen = file.bytes.len();
                self.rotations += u64::from(any_open);
            }
        }
        for file in self.files.iter_mut().filter(|file| file.open).skip(1) {
            file.see(now);
        }
    }

    fn read(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.look();
        loop {
            let now = self.now;
            let followed = self
                .files
                .iter()
                .filter(|file| file.open)
                .skip(1)
                .any(|file| !file.bytes.is_empty());
            let Some(at) = self.files.iter().position(|file| file.open) else {
                return out;
            };
            let front = &mut self.files[at];
            front.see(now);
            let unread = &front.bytes[front.offset..];
            if let Some(last) = unread.iter().rposition(|&byte| byte == b'\n') {
                out.extend_from_slice(&unread[..=last]);
                front.offset += last + 1;
            }
            if !followed || now - front.grown_at < Duration::from_secs(1) {
                return out;
            }
            let fragment = &front.bytes[front.offset..];
            if !fragment.is_empty() {
                out.extend_from_slice(fragment);
                out.push(b'\n');
            }
            if self.late == Some(front.id) {
                self.late = None;
            }
            self.files.remove(at);
        }
    }
}

impl Generation {
    fn see(&mut self, now: Duration) {
        if self.bytes.len() > self.seen || self.truncations > 0 {
            self.grown_at = now;
        }
        self.truncations = 0;
        self.seen = self.bytes.len();
    }
}

/// The real thing, and the model beside it.
struct Run {
    log: Fixture,
    model: Model,
    line: u32,
    late: Option<PathBuf>,
}

impl Run {
    fn text(&mut self, lines: usize, fragment: bool) -> String {
        let mut text = String::new();
        for _ in 0..lines {
            self.line += 1;
            text += &format!("{} is a line\n", self.line);
        }
        if fragment {
            self.line += 1;
            text += &format!("{} begins", self.line);
        }
        text
    }

    /// Renames as logrotate does, the oldest first. The late writer's file moves on with them.
    fn rename(&mut self) {
        if !self.log.path.exists() {
            return;
        }
        for at in (1..40).rev() {
            let from = self.log.beside(&format!("mail.log.{at}"));
            let _ = fs::rename(from, self.log.beside(&format!("mail.log.{}", at + 1)));
        }
        self.log.rename("mail.log", "mail.log.1");
        self.late = Some(self.log.beside("mail.log.1"));
        self.model.rename();
    }

    fn read(&mut self, after: u64) -> Result<(), TestCaseError> {
        let after = Duration::from_millis(after);
        self.log.now += after;
        self.model.now += after;
        let expected = String::from_utf8(self.model.read()).unwrap();
        prop_assert_eq!(self.log.read(), expected);
        Ok(())
    }

    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Append { lines, fragment } => {
                let text = self.text(lines, fragment);
                self.log.append(&text);
                self.model
                    .or_create()
                    .bytes
                    .extend_from_slice(text.as_bytes());
            }
            Op::AppendLate { lines, fragment } => {
                let text = self.text(lines, fragment);
                let late = self.model.late;
                if let Some(file) = self
                    .model
                    .files
                    .iter_mut()
                    .find(|file| Some(file.id) == late)
                {
                    file.bytes.extend_from_slice(text.as_bytes());
                    append(self.late.as_ref().unwrap(), &text);
                }
            }
            Op::Rename => self.rename(),
            Op::RenameAndCreate => {
                self.rename();
                self.log.append("");
                self.model.or_create();
            }
            Op::CopyTruncate => {
                if self.log.path.exists() {
                    self.read(0)?;
                    for at in (1..40).rev() {
                        let from = self.log.beside(&format!("mail.log.{at}"));
                        let _ = fs::rename(from, self.log.beside(&format!("mail.log.{}", at + 1)));
                    }
                    fs::copy(&self.log.path, self.log.beside("mail.log.1")).unwrap();
                    self.late = None;
                    self.model.late = None;
                    self.log.truncate();
                    self.model.truncate();
                }
            }
            Op::Truncate => {
                if self.log.path.exists() {
                    self.log.truncate();
                    self.model.truncate();
                }
            }
            Op::Delete => {
                let _ = fs::remove_file(&self.log.path);
                self.model.delete();
            }
            Op::MoveIntoPlace { lines } => {
                let text = self.text(lines, false);
                let new = self.log.beside("new");
                let mut file = OpenOptions::new()
                    .create_new(true)
                    .write(true)
                    .open(&new)
                    .unwrap();
                file.write_all(text.as_bytes()).unwrap();
                self.log.rename("new", "mail.log");
                self.model.delete();
                self.model.create().bytes.extend_from_slice(text.as_bytes());
            }
            Op::Read => self.read(0)?,
            Op::ReadAfter(after) => self.read(after)?,
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_the_lines_are_those_of_the_model(ops in prop::collection::vec(op(), 1..40)) {
        let mut log = Fixture::empty();
        log.follow();
        let mut run = Run { log, model: Model::default(), line: 0, late: None };
        for op in &ops {
            run.apply(op)?;
        }
        for _ in 0..20 {
            run.read(1500)?;
        }
        prop_assert_eq!(run.log.stats().rotations, run.model.rotations);
    }
}
