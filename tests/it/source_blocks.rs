//! Inputs that are read once: blocks of lines, however the bytes arrive; compressed or not.

use std::io::{self, Read, Write};
use std::path::Path;

use maillog_exporter::source::{BLOCK_BYTES, BlockReader, LINE_BYTES_MAX, open_input};
use proptest::prelude::*;

/// Hands out at most `most` bytes a read, and is interrupted before each.
struct Slow<'a> {
    bytes: &'a [u8],
    most: usize,
    interrupted: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.most.min(buffer.len());
        self.bytes.read(&mut buffer[..most])
    }
}

fn read_all(bytes: &[u8], most: usize) -> (Vec<u8>, u64) {
    let mut reader = BlockReader::new(Slow {
        bytes,
        most,
        interrupted: false,
    });
    let mut all = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        assert!(block.ends_with(b"\n") && block.len() <= BLOCK_BYTES + LINE_BYTES_MAX);
        all.extend_from_slice(block);
    }
    assert_eq!(reader.bytes_read(), bytes.len() as u64);
    (all, reader.long_lines_cut())
}

/// What lines are, said as simply as can be.
fn lines_of(bytes: &[u8]) -> (Vec<u8>, u64) {
    let (mut all, mut cut) = (Vec::new(), 0);
    let mut pieces: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
    let last = pieces.pop().unwrap();
    if last.iter().any(|&byte| byte != 0) {
        pieces.push(last);
    }
    for line in pieces {
        let text = line.iter().position(|&byte| byte != 0);
        let line = text.map_or(&[][..], |at| &line[at..]);
        cut += u64::from(line.len() > LINE_BYTES_MAX);
        all.extend_from_slice(&line[..line.len().min(LINE_BYTES_MAX)]);
        all.push(b'\n');
    }
    (all, cut)
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..40),
        2 => Just(b"\n".to_vec()),
        1 => (1usize..600_000).prop_map(|bytes| vec![0; bytes]),
        1 => (1usize..600_000).prop_map(|bytes| vec![b'x'; bytes]),
        1 => (LINE_BYTES_MAX - 2..LINE_BYTES_MAX + 3).prop_map(|bytes| vec![b'y'; bytes]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn lines_do_not_depend_on_the_reads(
        pieces in prop::collection::vec(piece(), 0..20),
        most in prop_oneof![500usize..5000, Just(usize::MAX), Just(LINE_BYTES_MAX)],
    ) {
        let bytes = pieces.concat();
        prop_assert!(read_all(&bytes, most) == lines_of(&bytes));
    }

    /// A file that is followed while it grows piece by piece gives the lines of one that is read
    /// at once.
    #[test]
    fn followed_lines_are_those_of_one_reading(
        pieces in prop::collection::vec(piece(), 0..20),
    ) {
        let mut bytes = pieces.concat();
        bytes.push(b'\n');
        let mut log = crate::source_fixture::Fixture::empty();
        log.follow();
        let mut all = Vec::new();
        let mut file = crate::source_fixture::writer(&log.path);
        for piece in pieces.iter().map(Vec::as_slice).chain([&b"\n"[..]]) {
            file.write_all(piece).unwrap();
            let now = log.now;
            while let Some(block) = log.follower().next_block(now) {
                all.extend_from_slice(block.lines);
            }
        }
        prop_assert!((all, log.stats().long_lines_cut) == lines_of(&bytes));
        prop_assert_eq!(log.stats().bytes_read, bytes.len() as u64);
    }
}

#[test]
fn packed_by_any_of_four_in_several_streams() {
    let text = "a line\nanother\n".repeat(10_000);
    let (one, two) = text.as_bytes().split_at(70_001);
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let xz = |bytes: &[u8]| {
        let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let bzip2 = |bytes: &[u8]| {
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("mail.log.1");
    for packed in [
        text.as_bytes().to_vec(),
        [gzip(one), gzip(two)].concat(),
        [xz(one), xz(two)].concat(),
        [bzip2(one), bzip2(two)].concat(),
        [zstd(one), zstd(two)].concat(),
    ] {
        std::fs::write(&path, &packed).unwrap();
        let mut plain = String::new();
        open_input(&path)
            .unwrap()
            .read_to_string(&mut plain)
            .unwrap();
        assert!(plain == text);
    }
    // An empty stream of each, a text that only begins like one, and an empty file.
    for (packed, text) in [
        (gzip(b""), ""),
        (xz(b""), ""),
        (bzip2(b""), ""),
        (zstd(b""), ""),
        (b"BZh9 is a word\n".to_vec(), "BZh9 is a word\n"),
        (Vec::new(), ""),
    ] {
        std::fs::write(&path, &packed).unwrap();
        let mut plain = String::new();
        open_input(&path)
            .unwrap()
            .read_to_string(&mut plain)
            .unwrap();
        assert_eq!(plain, text);
    }
    // Cut off: an error, after what could be read.
    let half = gzip(text.as_bytes());
    std::fs::write(&path, &half[..half.len() / 2]).unwrap();
    let mut plain = Vec::new();
    assert!(open_input(&path).unwrap().read_to_end(&mut plain).is_err());
    assert!(open_input(dir.path()).is_err());
    assert!(open_input(Path::new("/nowhere")).is_err());
}
