//! Follows files that are written to, through their rotations.
//! In: a path or a pattern, and the time. Out: blocks of whole lines, each with a [`Position`].
//! Never: waiting, a clock of its own; a line twice. At most [`MEMBERS_MAX`] files match a pattern.
//! Start reading at [`FileFollower::next_block`].

mod identity;
mod reader;
mod rotation;
mod watch;

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use identity::FileId;
pub use identity::Fingerprint;
use reader::{BUFFER_BYTES, FileReader};
use rotation::{NotAFile, PathFollower};
pub use watch::Watcher;

use super::spec::SourceSpec;

/// As many files one pattern may match.
const MEMBERS_MAX: usize = 1024;

/// As many files that were left are remembered, in case a path leads to them again.
const REMEMBERED_MAX: usize = 1024;

/// A pattern is matched anew so often.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Where reading begins in a file that is there when its source is opened. What appears later is
/// always read from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum From {
    /// At its first line.
    #[default]
    Start,
    /// Behind its last whole line.
    End,
}

/// Where reading stands in one file: all before was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The device that the file lies on.
    pub device: u64,
    /// Its inode number, which another file gets when it is deleted.
    pub inode: u64,
    /// As many bytes were handed out.
    pub offset: u64,
    /// Its first bytes, which tell it from that other file.
    pub fingerprint: Fingerprint,
}

/// Whole lines of one file, each ended by `\n`.
#[derive(Debug)]
pub struct Block<'a> {
    /// The lines. Empty where only dropped bytes were gone through (a line or a hole of many
    /// megabytes): there is more to read.
    pub lines: &'a [u8],
    /// Where reading stands behind them.
    pub position: Position,
    /// The path that was followed to the file.
    pub path: &'a Path,
}

/// What became of a source so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceStats {
    /// Bytes that were handed out, or dropped as the rest of a long line.
    pub bytes_read: u64,
    /// Bytes that are there and not yet read, as far as we have looked.
    pub lag_bytes: u64,
    /// How often a path led to another file.
    pub rotations: u64,
    /// How often a file was emptied, or shortened.
    pub truncations: u64,
    /// Bytes that were gone before they were read.
    pub lost_bytes: u64,
    /// How often reading began to be impossible, each cause once.
    pub errors: u64,
    /// Lines longer than [`super::LINE_BYTES_MAX`].
    pub long_lines_cut: u64,
    /// Whether there is a file and it can be read; of a pattern, at least one and all of them.
    pub up: bool,
}

/// How far reading has come in the files that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes before where we stand.
    pub read_bytes: u64,
    /// Bytes that are there.
    pub total_bytes: u64,
}

/// Why a source cannot be followed whatever happens later.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A named pipe.
    #[error("{} is a FIFO: let `--source stdin` read it", path.display())]
    Fifo {
        /// What was named.
        path: PathBuf,
    },
    /// A directory, a device, a socket.
    #[error("{} is {what}, not a file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Symbolic links that lead nowhere but to each other.
    #[error("{} is a loop of symbolic links", path.display())]
    SymlinkLoop {
        /// What was named.
        path: PathBuf,
    },
}

/// Follows the file, or the files, of one `--source`.
#[derive(Debug)]
pub struct FileFollower {
    spec: SourceSpec,
    is_pattern: bool,
    members: Vec<PathFollower>,
    /// Whose turn it is.
    next: usize,
    scanned_at: Option<Instant>,
    /// No file matches, or too many: said once.
    nothing_matches: bool,
    too_many_match: bool,
    shared: Shared,
}

/// What all files of a source have in common.
#[derive(Debug)]
struct Shared {
    buffer: Box<[u8]>,
    stats: SourceStats,
    /// All files that are open, so that each is read by one path.
    held: HashSet<FileId>,
    memory: Memory,
}

impl FileFollower {
    /// Opens what `spec` names. A missing file, or one that we may not read, is no error: it is
    /// looked for again whenever the next block is asked for.
    pub fn open(spec: SourceSpec, from: From, now: Instant) -> Result<Self, SourceError> {
        let path = spec.path().to_owned();
        let metadata = fs::metadata(&path);
        // A file whose own name has a bracket in it is that file.
        let is_pattern = spec.is_pattern() && metadata.is_err();
        match metadata.map(|metadata| NotAFile::of(metadata.file_type())) {
            Ok(None) => {}
            Ok(Some(NotAFile::Fifo)) => return Err(SourceError::Fifo { path }),
            Ok(Some(what)) => {
                let what = what.as_str();
                return Err(SourceError::NotAFile { path, what });
            }
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(SourceError::SymlinkLoop { path });
            }
            Err(_) => {}
        }
        let mut follower = Self {
            spec,
            is_pattern,
            members: Vec::new(),
            next: 0,
            scanned_at: None,
            nothing_matches: false,
            too_many_match: false,
            shared: Shared {
                buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
                stats: SourceStats::default(),
                held: HashSet::new(),
                memory: Memory::default(),
            },
        };
        if is_pattern {
            follower.scan(from, now);
        } else {
            let mut member = PathFollower::new(path, false, from);
            member.look(&mut follower.shared, now);
            follower.members.push(member);
        }
        follower.update_stats();
        Ok(follower)
    }

    /// Reads the next block, from each file in turn, and looks what became of the files. `None`:
    /// nothing to read now. Does not wait. `now` must not go back.
    pub fn next_block(&mut self, now: Instant) -> Option<Block<'_>> {
        let due = self
            .scanned_at
            .is_none_or(|at| now.saturating_duration_since(at) >= SCAN_INTERVAL);
        if self.is_pattern && due {
            self.scan(From::Start, now);
        }
        let found = self.find_block(now);
        self.update_stats();
        let (at, range) = found?;
        let member = &self.members[at];
        Some(Block {
            lines: &self.shared.buffer[range],
            position: member.front()?.position(),
            path: member.path(),
        })
    }

    /// What became of the source so far.
    pub fn stats(&self) -> &SourceStats {
        &self.shared.stats
    }

    /// The source as the user named it.
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// Where reading stands in each file that is read.
    pub fn positions(&self) -> impl Iterator<Item = (&Path, Position)> {
        self.members
            .iter()
            .filter_map(|member| Some((member.path(), member.front()?.position())))
    }

    /// The paths to watch for changes: of a pattern, those of the files that match now.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.members.iter().map(PathFollower::path)
    }

    /// Whether the last block that was asked for was all that there is. A line without its newline
    /// is not waited for.
    pub fn is_caught_up(&self) -> bool {
        self.members.iter().all(PathFollower::is_caught_up)
    }

    /// How far reading has come.
    pub fn progress(&self) -> Progress {
        self.files()
            .fold(Progress::default(), |sum, file| Progress {
                read_bytes: sum.read_bytes + file.offset(),
                total_bytes: sum.total_bytes + file.size().max(file.offset()),
            })
    }

    fn files(&self) -> impl Iterator<Item = &FileReader> {
        self.members.iter().flat_map(PathFollower::files)
    }

    fn find_block(&mut self, now: Instant) -> Option<(usize, std::ops::Range<usize>)> {
        for _ in 0..self.members.len() {
            let at = self.next % self.members.len();
            self.next = at + 1;
            if let Some(range) = self.members[at].step(&mut self.shared, now) {
                return Some((at, range));
            }
        }
        None
    }

    /// Matches the pattern and begins to follow what is new, the oldest first.
    fn scan(&mut self, from: From, now: Instant) {
        self.scanned_at = Some(now);
        self.members.retain(|member| !member.is_over());
        let mut found: Vec<_> = self
            .matches()
            .filter(|path| !self.members.iter().any(|member| member.path() == path))
            .filter_map(|path| {
                let metadata = fs::metadata(&path).ok()?;
                let held = self.shared.held.contains(&FileId::of(&metadata));
                let modified = (metadata.mtime(), metadata.mtime_nsec());
                (metadata.is_file() && !held).then_some((modified, path))
            })
            .collect();
        found.sort();
        for (_, path) in found {
            if self.members.len() >= MEMBERS_MAX {
                if !std::mem::replace(&mut self.too_many_match, true) {
                    self.shared.stats.errors += 1;
                    tracing::error!(
                        pattern = %self.spec.path().display(),
                        limit = MEMBERS_MAX,
                        "too many files match, the rest is not read"
                    );
                }
                break;
            }
            let mut member = PathFollower::new(path, true, from);
            member.look(&mut self.shared, now);
            self.members.push(member);
        }
        let nothing_matches = self.members.is_empty();
        if nothing_matches && !self.nothing_matches {
            self.shared.stats.errors += 1;
            tracing::warn!(
                pattern = %self.spec.path().display(),
                "no file matches, looking again every second"
            );
        }
        self.nothing_matches = nothing_matches;
    }

    /// The paths that match the pattern, without those of compressed files.
    fn matches(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        // The pattern was parsed when the flag was; a directory that cannot be listed has no match.
        let pattern = self.spec.path().to_string_lossy();
        glob::glob_with(&pattern, options)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|path| {
                let extension = path.extension().unwrap_or_default();
                !["gz", "xz", "bz2", "zst"]
                    .iter()
                    .any(|packed| extension == *packed)
            })
    }

    fn update_stats(&mut self) {
        self.shared.stats.lag_bytes = self.files().map(FileReader::lag_bytes).sum();
        self.shared.stats.up = self.members.iter().any(PathFollower::is_up)
            && !self.members.iter().any(PathFollower::is_in_trouble);
    }
}

/// Where we stood in files that were left: one that is moved back, or found under another name, is
/// not read twice.
#[derive(Debug, Default)]
struct Memory {
    positions: VecDeque<Position>,
}

impl Memory {
    fn remember(&mut self, position: Position) {
        let same =
            |known: &Position| (known.device, known.inode) == (position.device, position.inode);
        self.positions.retain(|known| !same(known));
        if self.positions.len() >= REMEMBERED_MAX {
            self.positions.pop_front();
        }
        self.positions.push_back(position);
    }

    /// Where we stood in `file`, if it is one of them and not another with its inode number.
    fn recall(&self, file: &FileReader) -> Option<Position> {
        self.positions
            .iter()
            .find(|known| {
                (known.device, known.inode) == (file.id().device, file.id().inode)
                    && known.offset <= file.size()
                    && file.head().continues(known.fingerprint)
            })
            .copied()
    }
}
