//! Which file does a path lead to, and what happened to the one that it led to before.
//! In: a path, looked at again and again. Out: the files to read, in order, each to its end.
//! Never: trust in an event; `stat` of the path and `fstat` of what we hold open decide. At most
//! [`CHAIN_MAX`] files are held open for a path.
//! Start reading at [`PathFollower::step`].

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::identity::{FileId, Fingerprint};
use super::reader::{FileReader, Step, Truncated};
use super::{From, Shared};

/// A writer that reopens late still writes to the renamed file: it is left when it was silent for so
/// long and the next one has something in it.
const REST: Duration = Duration::from_secs(1);

/// The path is looked at so often, be the file ever so busy.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Between a rename and the creation of the new file there is no file; that is no condition yet.
const MISSING_GRACE: Duration = Duration::from_secs(2);

/// A deleted file that nobody writes to is given back to the disk.
const DELETED_REST: Duration = Duration::from_secs(600);

/// Files held open for one path. When so many are waiting, the first does not rest.
const CHAIN_MAX: usize = 16;

/// Truncated files whose copies are known.
const COPIED_MAX: usize = 16;

/// Reads in one step, so that a line without an end or a hole keeps nobody waiting.
const READS_MAX: usize = 64;

/// What is there instead of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAFile {
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A character or block device.
    Device,
    /// A unix socket.
    Socket,
}

impl NotAFile {
    /// What `kind` is, if not a regular file.
    pub(super) fn of(kind: FileType) -> Option<Self> {
        if kind.is_file() {
            None
        } else if kind.is_dir() {
            Some(Self::Directory)
        } else if kind.is_fifo() {
            Some(Self::Fifo)
        } else if kind.is_socket() {
            Some(Self::Socket)
        } else {
            Some(Self::Device)
        }
    }

    /// With its article: "a directory".
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::Fifo => "a FIFO",
            Self::Device => "a device",
            Self::Socket => "a socket",
        }
    }
}

/// How a path stands; said once when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Unknown,
    Fine,
    Missing,
    Unreadable(io::ErrorKind),
    NotAFile(NotAFile),
}

/// Follows what one path leads to.
#[derive(Debug)]
pub(super) struct PathFollower {
    path: PathBuf,
    /// Whether a pattern found it: then it may vanish without a word.
    matched: bool,
    /// Where the first file is begun.
    from: From,
    /// The first is read; the last is what the path led to when it was last looked at.
    chain: VecDeque<FileReader>,
    looked_at: Option<Instant>,
    missing_since: Option<Instant>,
    condition: Condition,
    read_failed: bool,
    /// The files beside, when the last of the chain was opened: none of them came after it.
    siblings: Vec<Sibling>,
    /// How files began that were truncated since: a file that still does is a copy.
    copied: Vec<Fingerprint>,
}

impl PathFollower {
    pub(super) fn new(path: PathBuf, matched: bool, from: From) -> Self {
        Self {
            path,
            matched,
            from,
            chain: VecDeque::new(),
            looked_at: None,
            missing_since: None,
            condition: Condition::Unknown,
            read_failed: false,
            siblings: Vec::new(),
            copied: Vec::new(),
        }
    }

    /// Reads the next lines into the shared buffer. `None`: nothing to read now.
    pub(super) fn step(&mut self, shared: &mut Shared, now: Instant) -> Option<Range<usize>> {
        let due = self
            .looked_at
            .is_none_or(|at| now.saturating_duration_since(at) >= LOOK_INTERVAL);
        let mut looked = due || self.chain.is_empty();
        if looked {
            self.look(shared, now);
        }
        for _ in 0..READS_MAX {
            match self.read(shared, now) {
                Ok(Step::Lines { range, cut }) => {
                    shared.stats.long_lines_cut += u64::from(cut);
                    return Some(range);
                }
                Ok(Step::Searched) => {}
                Ok(Step::Truncated(truncated)) => self.truncated(truncated, shared),
                Ok(Step::Nothing) if !looked => {
                    looked = true;
                    self.look(shared, now);
                    if !self.may_leave(now) {
                        return None;
                    }
                    // It is read once more, to what is its end now that the next one has begun.
                }
                Ok(Step::Nothing) => {
                    if !self.may_leave(now) {
                        return None;
                    }
                    match self.read_fragment(shared, now) {
                        Ok(Step::Lines { range, cut }) => {
                            shared.stats.long_lines_cut += u64::from(cut);
                            return Some(range);
                        }
                        Ok(Step::Nothing) => self.leave(shared),
                        Ok(Step::Searched) => {}
                        Ok(Step::Truncated(truncated)) => self.truncated(truncated, shared),
                        Err(error) => {
                            self.read_fails(&error, shared, now);
                            return None;
                        }
                    }
                }
                Err(error) => {
                    self.read_fails(&error, shared, now);
                    return None;
                }
            }
        }
        Some(0..0)
    }

    fn read(&mut self, shared: &mut Shared, now: Instant) -> io::Result<Step> {
        let Some(front) = self.chain.front_mut() else {
            return Ok(Step::Nothing);
        };
        let before = front.offset();
        let step = front.read(&mut shared.buffer, now)?;
        shared.stats.bytes_read += front.offset().saturating_sub(before);
        self.read_works();
        Ok(step)
    }

    fn read_fragment(&mut self, shared: &mut Shared, now: Instant) -> io::Result<Step> {
        let Some(front) = self.chain.front_mut() else {
            return Ok(Step::Nothing);
        };
        let before = front.offset();
        let step = front.read_fragment(&mut shared.buffer, now)?;
        shared.stats.bytes_read += front.offset().saturating_sub(before);
        Ok(step)
    }

    /// Looks where the path leads to, and at the files that wait behind the first.
    pub(super) fn look(&mut self, shared: &mut Shared, now: Instant) {
        self.looked_at = Some(now);
        match self.find(shared, now) {
            Ok(condition) => {
                self.missing_since = None;
                self.is(condition, None, shared);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => self.is_missing(shared, now),
                kind => self.is(Condition::Unreadable(kind), Some(&error), shared),
            },
        }
        for at in 1..self.chain.len() {
            // An error shows when it is its turn to be read.
            if let Ok(Some(truncated)) = self.chain[at].refresh(now) {
                self.truncated(truncated, shared);
            }
        }
    }

    /// The file that is read, and where we stand in it.
    pub(super) fn front(&self) -> Option<&FileReader> {
        self.chain.front()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All files of the path that we hold open.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileReader> {
        self.chain.iter()
    }

    pub(super) fn is_up(&self) -> bool {
        !self.read_failed && !self.chain.is_empty() && self.condition == Condition::Fine
    }

    /// Whether something is in the way of reading, other than that a pattern's file is gone.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.read_failed
            || match self.condition {
                Condition::Unreadable(_) | Condition::NotAFile(_) => true,
                Condition::Missing => !self.matched,
                Condition::Unknown | Condition::Fine => false,
            }
    }

    /// Whether a pattern found it, and it is gone, read to its end.
    pub(super) fn is_over(&self) -> bool {
        self.matched && self.chain.is_empty() && self.condition != Condition::Unknown
    }

    pub(super) fn is_caught_up(&self) -> bool {
        self.chain
            .iter()
            .all(|file| file.is_drained() || file.size() == 0)
    }

    /// Finds the file that the path leads to and adds it to the chain if it is not in it.
    fn find(&mut self, shared: &mut Shared, now: Instant) -> io::Result<Condition> {
        let metadata = fs::metadata(&self.path)?;
        if let Some(what) = NotAFile::of(metadata.file_type()) {
            return Ok(Condition::NotAFile(what));
        }
        let id = FileId::of(&metadata);
        let last = self.chain.back().map(FileReader::id);
        if last == Some(id) || self.chain.len() >= CHAIN_MAX {
            return Ok(Condition::Fine);
        }
        if let Some(at) = self.chain.iter().position(|file| file.id() == id) {
            // It was moved away and back again before it was left.
            self.chain.rotate_left(at + 1);
            self.rotated(shared);
            return Ok(Condition::Fine);
        }
        if shared.held.contains(&id) {
            // Two names of one file, or a rotated name that matches the pattern: one reads it.
            return Ok(Condition::Fine);
        }
        let mut file = FileReader::open(&self.path, now)?;
        if shared.held.contains(&file.id()) {
            return Ok(Condition::Fine);
        }
        if let Some(position) = shared.memory.recall(&file) {
            if position.offset == file.size() && !self.chain.is_empty() {
                return Ok(Condition::Fine);
            }
            file.resume(position.offset);
        } else if self.from == From::End {
            file.skip_to_end()?;
        }
        self.from = From::Start;
        if !self.chain.is_empty() {
            for missed in self.missed(&file, shared, now) {
                self.add(missed, shared);
                self.rotated(shared);
            }
            self.add(file, shared);
            self.rotated(shared);
        } else {
            self.add(file, shared);
        }
        self.know_siblings();
        Ok(Condition::Fine)
    }

    fn add(&mut self, file: FileReader, shared: &mut Shared) {
        shared.held.insert(file.id());
        self.chain.push_back(file);
    }

    /// The files that the path led to, one after the other, between two looks at it: they lie beside
    /// it under the name of a rotated file, and did not when the last one was opened.
    fn missed(&self, next: &FileReader, shared: &Shared, now: Instant) -> Vec<FileReader> {
        let mut missed = Vec::new();
        let mut found: Vec<Sibling> = siblings(&self.path)
            .into_iter()
            .filter(|sibling| {
                !self
                    .siblings
                    .iter()
                    .any(|known| known.is_untouched(sibling))
            })
            .collect();
        found.sort_by(Sibling::by_age);
        for sibling in found {
            if shared.held.contains(&sibling.id) || sibling.id == next.id() {
                continue;
            }
            // Gone again, or not ours to read: as lost as if it had not been found.
            let Ok(mut file) = FileReader::open(&sibling.path, now) else {
                continue;
            };
            match shared.memory.recall(&file) {
                Some(position) if position.offset == file.size() => continue,
                Some(position) => file.resume(position.offset),
                None => {}
            }
            let is_copy = file.head().is_copy_of(next.head())
                || self.copied.iter().any(|&was| file.head().continues(was))
                || self
                    .chain
                    .iter()
                    .any(|known| file.head().is_copy_of(known.head()));
            if file.size() > 0 && !is_copy && self.chain.len() + missed.len() + 1 < CHAIN_MAX {
                missed.push(file);
            }
        }
        missed
    }

    /// Whether the first file, read to its end, is done with.
    fn may_leave(&self, now: Instant) -> bool {
        let Some(front) = self.chain.front() else {
            return false;
        };
        let rested = front.rested(now);
        let followed = self.chain.iter().skip(1).any(|file| file.size() > 0);
        let gone = self.missing_since.is_some() && (self.matched || front.is_unlinked());
        (followed && (rested >= REST || self.chain.len() >= CHAIN_MAX))
            || (gone && self.chain.len() == 1 && rested >= DELETED_REST)
    }

    fn leave(&mut self, shared: &mut Shared) {
        if let Some(file) = self.chain.pop_front() {
            shared.held.remove(&file.id());
            shared.memory.remember(file.position());
        }
    }

    fn rotated(&self, shared: &mut Shared) {
        shared.stats.rotations += 1;
        let unread_bytes = self.chain.front().map_or(0, FileReader::lag_bytes);
        tracing::info!(
            path = %self.path.display(),
            unread_bytes,
            "file rotated, reading the old one to its end"
        );
    }

    fn truncated(&mut self, truncated: Truncated, shared: &mut Shared) {
        let Truncated { lost_bytes, was } = truncated;
        shared.stats.truncations += 1;
        shared.stats.lost_bytes += lost_bytes;
        tracing::warn!(
            path = %self.path.display(),
            lost_bytes,
            "file truncated, reading what is in it now"
        );
        // The copy that copytruncate left is none of the files that come after.
        if self.copied.len() >= COPIED_MAX {
            self.copied.remove(0);
        }
        self.copied.push(was);
        self.know_siblings();
    }

    /// Remembers the files beside as those that came before, if the path still leads to the last
    /// file that we know: otherwise there may be one among them that came after.
    fn know_siblings(&mut self) {
        let siblings = siblings(&self.path);
        let here = fs::metadata(&self.path).ok().as_ref().map(FileId::of);
        if here.is_some() && here == self.chain.back().map(FileReader::id) {
            self.siblings = siblings;
            self.copied.clear();
        }
    }

    fn is_missing(&mut self, shared: &mut Shared, now: Instant) {
        let since = *self.missing_since.get_or_insert(now);
        if self.chain.is_empty() || now.saturating_duration_since(since) >= MISSING_GRACE {
            // Whatever comes now is new.
            self.from = From::Start;
            self.is(Condition::Missing, None, shared);
        }
    }

    /// Says and counts a condition when it begins, and says when it ends.
    fn is(&mut self, condition: Condition, error: Option<&io::Error>, shared: &mut Shared) {
        let before = std::mem::replace(&mut self.condition, condition);
        if before == condition {
            return;
        }
        let path = self.path.display();
        match condition {
            Condition::Unknown => {}
            Condition::Fine => {
                if before != Condition::Unknown {
                    tracing::info!(%path, "file is there again and can be read");
                }
            }
            Condition::Missing => {
                if !self.matched {
                    shared.stats.errors += 1;
                    tracing::warn!(%path, "file is missing, looking for it every second");
                }
            }
            Condition::Unreadable(_) => {
                shared.stats.errors += 1;
                let error = error.map(tracing::field::display);
                tracing::error!(%path, error, "cannot open file, trying again every second");
            }
            Condition::NotAFile(what) => {
                shared.stats.errors += 1;
                let found = what.as_str();
                tracing::error!(%path, found, "not a file any more, looking again every second");
            }
        }
    }

    fn read_works(&mut self) {
        if std::mem::replace(&mut self.read_failed, false) {
            tracing::info!(path = %self.path.display(), "file can be read again");
        }
    }

    /// Lets go of a file that cannot be read, to open it anew (a stale handle of NFS); one that has
    /// been renamed is only found by the handle, and tried again for a while.
    fn read_fails(&mut self, error: &io::Error, shared: &mut Shared, now: Instant) {
        if !std::mem::replace(&mut self.read_failed, true) {
            shared.stats.errors += 1;
            tracing::error!(
                path = %self.path.display(),
                error = %error,
                "cannot read file, trying again every second"
            );
        }
        let rested = self
            .chain
            .front()
            .is_some_and(|file| file.rested(now) >= REST);
        if self.chain.len() == 1 && self.missing_since.is_none() {
            self.leave(shared);
        } else if self.chain.len() > 1 && rested {
            shared.stats.lost_bytes += self.chain.front().map_or(0, FileReader::lag_bytes);
            self.leave(shared);
        }
    }
}

/// A file beside a path that has the name of a rotated one.
#[derive(Debug)]
struct Sibling {
    id: FileId,
    path: PathBuf,
    /// `1` of `mail.log.1`, `20261124` of `mail.log-20261124`.
    suffix: String,
    modified: (i64, i64),
}

impl Sibling {
    /// Whether `other` is this file, not written to since; a rename changes neither.
    fn is_untouched(&self, other: &Self) -> bool {
        self.id == other.id && self.modified == other.modified
    }

    /// The oldest first. Times are coarse: in one tick, `.2` is older than `.1`, and a date speaks
    /// for itself.
    fn by_age(&self, other: &Self) -> std::cmp::Ordering {
        self.modified.cmp(&other.modified).then_with(|| {
            match (self.suffix.parse::<u16>(), other.suffix.parse::<u16>()) {
                (Ok(mine), Ok(others)) => others.cmp(&mine),
                _ => self.suffix.cmp(&other.suffix),
            }
        })
    }
}

/// The files beside `path` whose name is that of a rotated one. None where the directory cannot be
/// listed.
fn siblings(path: &Path) -> Vec<Sibling> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let (Some(name), Ok(entries)) = (path.file_name(), fs::read_dir(directory)) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let suffix = rotated_suffix(name, &entry.file_name())?;
            let metadata = entry.metadata().ok()?;
            metadata.is_file().then(|| Sibling {
                id: FileId::of(&metadata),
                path: entry.path(),
                suffix,
                modified: (metadata.mtime(), metadata.mtime_nsec()),
            })
        })
        .collect()
}

/// What a rotation put into `rotated` that is not in `name`: digits and what dates are written with,
/// at the end (`mail.log.1`, `mail.log-20261124`) or before the extension (`mail-20261124.log`).
fn rotated_suffix(name: &OsStr, rotated: &OsStr) -> Option<String> {
    let (name, rotated) = (name.as_bytes(), rotated.as_bytes());
    let inserted = rotated.strip_prefix(name).or_else(|| {
        let dot = memchr::memrchr(b'.', name)?;
        rotated
            .strip_prefix(&name[..dot])?
            .strip_suffix(&name[dot..])
    })?;
    let suffix = inserted
        .strip_prefix(b".")
        .or_else(|| inserted.strip_prefix(b"-"))?;
    let dated = suffix.first()?.is_ascii_digit()
        && suffix
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"-_.T:".contains(byte));
    (dated || suffix == b"old").then(|| String::from_utf8_lossy(suffix).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files() {
        for (name, rotated, suffix) in [
            ("mail.log", "mail.log.1", Some("1")),
            ("mail.log", "mail.log.old", Some("old")),
            ("mail.log", "mail.log-20261124", Some("20261124")),
            ("mail.log", "mail-20261124.log", Some("20261124")),
            (
                "mail.log",
                "mail.log-2026-11-24-1795478400",
                Some("2026-11-24-1795478400"),
            ),
            ("mail.log", "mail.log.2.gz", None),
            ("mail.log", "mail.log.bak", None),
            ("mail.log", "mail.log", None),
            ("mail.log", "mail.err.1", None),
            ("maillog", "maillog.1", Some("1")),
        ] {
            assert_eq!(
                rotated_suffix(OsStr::new(name), OsStr::new(rotated)).as_deref(),
                suffix,
                "{rotated}"
            );
        }
    }
}
