//! Where bytes come from, and where reading stands.
//! In: files, their rotations, compressed archives. Out: blocks of whole lines, each with a [`Position`].
//! Never: a word of mail; a copy or an allocation for a line. A block holds at most [`BLOCK_BYTES`],
//! a line at most [`LINE_BYTES_MAX`].
//! Start reading at [`FileFollower::next_block`] for files that grow, at [`BlockReader::next_block`]
//! for what is read once. `docs/following.md` names each rotation that is survived, and what can be lost.

mod block;
mod decompress;
mod file;
mod spec;

pub use block::{BLOCK_BYTES, BlockReader, LINE_BYTES_MAX};
pub use decompress::open as open_input;
pub use file::{
    Block, FileFollower, Fingerprint, From, Position, Progress, SourceError, SourceStats, Watcher,
};
pub use spec::{SourceSpec, SpecError};
