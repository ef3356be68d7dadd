//! Reads one open file, block by block, from where we stand in it.
//! In: an open file. Out: ranges of a shared buffer that hold whole lines.
//! Never: memory of bytes that were not handed out. What follows the last newline is read again when
//! there is more, so that the offset alone says where we stand.
//! Start reading at [`FileReader::read`].

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::block::{BLOCK_BYTES, Cut, LINE_BYTES_MAX, cut, leading_nuls};
use super::Position;
use super::identity::{FileId, Fingerprint, Head, HeadCheck, read_at};

/// Room for a block and the newline of a last line that has none.
pub(super) const BUFFER_BYTES: usize = BLOCK_BYTES + 1;

/// One open file and where we stand in it.
#[derive(Debug)]
pub(super) struct FileReader {
    file: File,
    id: FileId,
    head: Head,
    /// All bytes before it were handed out.
    offset: u64,
    /// As many bytes from `offset` on are known to hold no newline: only ever set beyond a whole
    /// block, by a line that is too long.
    searched: u64,
    size: u64,
    grown_at: Instant,
    /// The last read found nothing to hand out.
    drained: bool,
    unlinked: bool,
}

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Whole lines, in this range of the buffer. `cut`: it is one line, and it was too long.
    Lines { range: Range<usize>, cut: bool },
    /// Went on, without a line.
    Searched,
    /// Nothing to hand out now.
    Nothing,
    /// The file was emptied or shortened.
    Truncated(Truncated),
}

/// What a truncation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truncated {
    /// So much of what we knew to be there was not read.
    pub(super) lost_bytes: u64,
    /// The file's first bytes before, which a copy of it still has.
    pub(super) was: Fingerprint,
}

impl FileReader {
    /// Opens `path`, which must be a regular file; it may have turned into something else since it
    /// was looked at, so that opening must not wait for the other end of a FIFO.
    pub(super) fn open(path: &Path, now: Instant) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("no longer a regular file"));
        }
        let mut head = Head::new();
        head.check(&file)?;
        Ok(Self {
            id: FileId::of(&metadata),
            file,
            head,
            offset: 0,
            searched: 0,
            size: metadata.size(),
            grown_at: now,
            drained: false,
            unlinked: false,
        })
    }

    /// Goes on at an offset that was handed out before.
    pub(super) fn resume(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Skips what is there, up to the last line's beginning.
    pub(super) fn skip_to_end(&mut self) -> io::Result<()> {
        let from = self.size.saturating_sub(LINE_BYTES_MAX as u64);
        let mut tail = vec![0; LINE_BYTES_MAX];
        let read = read_at(&self.file, &mut tail, from)?;
        self.offset = match memchr::memrchr(b'\n', &tail[..read]) {
            Some(at) => from + at as u64 + 1,
            None if from == 0 => 0,
            None => from + read as u64,
        };
        Ok(())
    }

    /// Reads the next lines into `buffer`, of [`BUFFER_BYTES`].
    ///
    /// The file is looked at after its bytes were read: if it is still as long and begins as it did,
    /// they were its bytes.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> io::Result<Step> {
        let block = &mut buffer[..BLOCK_BYTES];
        let read = read_at(&self.file, block, self.offset + self.searched)?;
        if let Some(truncated) = self.check(self.offset + self.searched + read as u64, now)? {
            return Ok(Step::Truncated(truncated));
        }
        let step = if self.searched > 0 {
            self.end_long_line(buffer, read)?
        } else {
            self.take(buffer, read)
        };
        self.drained = step == Step::Nothing;
        Ok(step)
    }

    /// Hands out what follows the last newline, as a line: for when a read came to nothing and the
    /// file will not grow again.
    pub(super) fn read_fragment(&mut self, buffer: &mut [u8], now: Instant) -> io::Result<Step> {
        let known = self.size;
        let read = read_at(&self.file, &mut buffer[..BLOCK_BYTES], self.offset)?;
        if let Some(truncated) = self.check(self.offset + read as u64, now)? {
            return Ok(Step::Truncated(truncated));
        }
        if self.size > known {
            return Ok(Step::Searched);
        }
        let nuls = leading_nuls(&buffer[..read]);
        let kept = (read - nuls).min(LINE_BYTES_MAX);
        let cut = self.searched > 0 || nuls + kept < read;
        self.offset = self.size;
        self.searched = 0;
        if kept == 0 {
            return Ok(Step::Nothing);
        }
        buffer[nuls + kept] = b'\n';
        Ok(Step::Lines {
            range: nuls..nuls + kept + 1,
            cut,
        })
    }

    /// Looks at the file without reading on. Returns what was lost where it was emptied.
    pub(super) fn refresh(&mut self, now: Instant) -> io::Result<Option<Truncated>> {
        self.check(self.offset, now)
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that are there and were not handed out.
    pub(super) fn lag_bytes(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }

    /// Whether there is nothing to hand out, as far as we have looked.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }

    /// Whether no directory leads to the file any more.
    pub(super) fn is_unlinked(&self) -> bool {
        self.unlinked
    }

    /// How long no growth was seen.
    pub(super) fn rested(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.grown_at)
    }

    pub(super) fn position(&self) -> Position {
        Position {
            device: self.id.device,
            inode: self.id.inode,
            offset: self.offset,
            fingerprint: self.head.fingerprint(),
        }
    }

    /// Is it still the file that we were reading, and as long as it was, and as `read_to`? Returns
    /// what was lost if not. If what was handed out is gone too, we stand at its start again.
    fn check(&mut self, read_to: u64, now: Instant) -> io::Result<Option<Truncated>> {
        let metadata = self.file.metadata()?;
        let was = self.head.fingerprint();
        let head = self.head.check(&self.file)?;
        let size = metadata.size();
        self.unlinked = metadata.nlink() == 0;
        let known = self.size.max(read_to);
        let shrunk = size < known;
        let emptied = head == HeadCheck::Other || size < self.offset;
        if size > self.size || shrunk || emptied {
            self.grown_at = now;
            self.drained = false;
        }
        self.size = size;
        if emptied {
            let lost_bytes = known.saturating_sub(self.offset);
            self.offset = 0;
            self.searched = 0;
            Ok(Some(Truncated { lost_bytes, was }))
        } else if shrunk {
            // A writer took back a line that he could not finish (a full disk): there is nothing to
            // read again.
            self.searched = 0;
            let lost_bytes = known - size;
            Ok(Some(Truncated { lost_bytes, was }))
        } else {
            Ok(None)
        }
    }

    /// Takes whole lines from the `read` bytes that stand at the offset.
    fn take(&mut self, buffer: &mut [u8], read: usize) -> Step {
        let nuls = leading_nuls(&buffer[..read]);
        if nuls == read {
            // A hole is skipped in whole blocks; what is left of it waits for the byte behind it.
            if read < BLOCK_BYTES {
                return Step::Nothing;
            }
            self.offset += read as u64;
            return Step::Searched;
        }
        self.offset += nuls as u64;
        match cut(&buffer[nuls..read]) {
            Cut::Lines(bytes) => {
                self.offset += bytes as u64;
                Step::Lines {
                    range: nuls..nuls + bytes,
                    cut: false,
                }
            }
            Cut::LongLine => match memchr::memchr(b'\n', &buffer[nuls..read]) {
                Some(at) => {
                    self.offset += at as u64 + 1;
                    long_line(buffer, nuls)
                }
                None if nuls > 0 => Step::Searched,
                None if read < BLOCK_BYTES => Step::Nothing,
                None => {
                    self.searched = read as u64;
                    Step::Searched
                }
            },
            Cut::Fragment if nuls > 0 && read == BLOCK_BYTES => Step::Searched,
            Cut::Fragment => Step::Nothing,
        }
    }

    /// Looks on for the newline of a line that began `searched` bytes before the buffer's.
    fn end_long_line(&mut self, buffer: &mut [u8], read: usize) -> io::Result<Step> {
        let Some(at) = memchr::memchr(b'\n', &buffer[..read]) else {
            self.searched += read as u64;
            return Ok(if read == 0 {
                Step::Nothing
            } else {
                Step::Searched
            });
        };
        // Its beginning was overwritten meanwhile. If the file was emptied since it was looked at,
        // there is none, and the next look says so.
        if read_at(&self.file, &mut buffer[..LINE_BYTES_MAX], self.offset)? < LINE_BYTES_MAX {
            return Ok(Step::Searched);
        }
        self.offset += self.searched + at as u64 + 1;
        self.searched = 0;
        Ok(long_line(buffer, 0))
    }
}

/// The line that begins at `start` and is too long.
fn long_line(buffer: &mut [u8], start: usize) -> Step {
    buffer[start + LINE_BYTES_MAX] = b'\n';
    Step::Lines {
        range: start..start + LINE_BYTES_MAX + 1,
        cut: true,
    }
}
