//! Which file is it: device, inode and the first bytes.
//! In: an open file. Out: whether it is the one we know.
//! Never: a file's name, which a rotation changes, or its times, which are coarse.
//! Start reading at [`Head::check`].

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// As many first bytes tell a file from the one that had its inode before.
pub(super) const HEAD_BYTES_MAX: usize = 1024;

/// A file's place on disk. While we hold it open, no other file can have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// A short stand-in for a file's first bytes that can be kept on disk: two files with the same inode
/// number, one after the other, differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many first bytes it covers: at most 1024, fewer in a young file.
    pub bytes: u16,
    /// The beginning of their SHA-256.
    pub hash: u64,
}

impl Fingerprint {
    /// The fingerprint of a file that begins with `head`.
    fn of(head: &[u8]) -> Self {
        let digest = Sha256::digest(head);
        let mut hash = [0; 8];
        hash.copy_from_slice(&digest[..8]);
        Self {
            bytes: u16::try_from(head.len()).unwrap_or(u16::MAX),
            hash: u64::from_be_bytes(hash),
        }
    }
}

/// A file's first bytes, as far as it had any when we last looked.
#[derive(Debug)]
pub(super) struct Head {
    bytes: Vec<u8>,
    fingerprint: Fingerprint,
}

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadCheck {
    /// It begins as it did.
    Same,
    /// It was emptied, and something else written.
    Other,
}

impl Head {
    /// A head not yet seen.
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            fingerprint: Fingerprint::of(&[]),
        }
    }

    /// Reads the first bytes of `file` again and remembers them, whatever they are.
    pub(super) fn check(&mut self, file: &File) -> io::Result<HeadCheck> {
        let mut now = [0; HEAD_BYTES_MAX];
        let read = read_at(file, &mut now, 0)?;
        let now = &now[..read];
        let common = read.min(self.bytes.len());
        let check = if self.bytes[..common] == now[..common] {
            HeadCheck::Same
        } else {
            HeadCheck::Other
        };
        if self.bytes != now {
            self.bytes.clear();
            self.bytes.extend_from_slice(now);
            self.fingerprint = Fingerprint::of(now);
        }
        Ok(check)
    }

    /// Whether a file with this head is the one that once had `fingerprint`. An empty file never is.
    pub(super) fn continues(&self, fingerprint: Fingerprint) -> bool {
        fingerprint.bytes > 0
            && self
                .bytes
                .get(..usize::from(fingerprint.bytes))
                .is_some_and(|head| Fingerprint::of(head) == fingerprint)
    }

    /// Whether one of the two files begins with all of the other's head: one is a copy.
    pub(super) fn is_copy_of(&self, other: &Head) -> bool {
        let common = self.bytes.len().min(other.bytes.len());
        common > 0 && self.bytes[..common] == other.bytes[..common]
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// Fills `buffer` from `offset` on, up to the file's end. Interrupted reads are tried again.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
