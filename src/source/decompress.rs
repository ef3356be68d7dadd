//! Opens an input that is read once: a file, plain or compressed, or standard input.
//! In: a path or `-`. Out: a `Read` of its plain bytes.
//! Never: trust in the file's name, its first bytes decide; more memory than a decoder's window,
//! which is limited.
//! Start reading at [`open`].

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// As much memory as an xz stream may ask for; `xz -9` asks for 65 MiB.
const XZ_MEMORY_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// As many first bytes as the longest of the magic numbers needs.
const MAGIC_BYTES: usize = 10;

/// Opens `path`, or standard input for `-`, and unpacks gzip, xz, bzip2 and Zstandard, also several
/// streams one behind the other.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return unpack(io::stdin());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    unpack(file)
}

/// Looks at the first bytes and puts the decoder that they ask for before them.
fn unpack(mut input: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(MAGIC_BYTES);
    input
        .by_ref()
        .take(MAGIC_BYTES as u64)
        .read_to_end(&mut head)?;
    let packing = Packing::of(&head);
    let input = Cursor::new(head).chain(input);
    Ok(match packing {
        Packing::Plain => Box::new(input),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
        Packing::Xz => Box::new(liblzma::read::XzDecoder::new_stream(
            input,
            liblzma::stream::Stream::new_stream_decoder(
                XZ_MEMORY_BYTES_MAX,
                liblzma::stream::CONCATENATED,
            )?,
        )),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(input)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(input)?),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Xz,
    Bzip2,
    Zstd,
}

impl Packing {
    fn of(head: &[u8]) -> Self {
        // RFC 1952 2.3.1; xz-file-format 2.1.1.1; RFC 8878 3.1.1. bzip2 has no specification: a
        // level, then pi for a block or its square root for the end of an empty stream. "BZh1"
        // alone could be text.
        let pi = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
        let root_of_pi = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] if block == pi || block == root_of_pi => {
                Self::Bzip2
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}
