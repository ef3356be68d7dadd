//! Where a line ends: cuts bytes into blocks of whole lines.
//! In: any `Read`. Out: borrowed blocks, each line of them ended by `\n`.
//! Never: a copy of a line; more memory than one block and one line, whatever the input.
//! Start reading at [`BlockReader::next_block`].

use std::io::{self, Read};

/// What one read asks for, and the most that a block holds.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The longest line that is handed out, its newline not counted; the rest of a longer one is dropped.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads an input once, from its start to its end, in blocks of whole lines.
///
/// A last line without a newline is a line. NUL bytes before a line are skipped (the hole that a
/// writer leaves who keeps his offset in a truncated file), all other bytes pass as they are.
///
/// ```
/// let mut reader = maillog_exporter::source::BlockReader::new(&b"one\ntwo"[..]);
/// assert_eq!(reader.next_block()?, Some(&b"one\n"[..]));
/// assert_eq!(reader.next_block()?, Some(&b"two\n"[..]));
/// assert_eq!(reader.next_block()?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct BlockReader<R> {
    input: R,
    /// Holds a fragment and a block behind it.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The head of a long line was handed out: what comes up to its newline is dropped.
    dropping: bool,
    bytes_read: u64,
    long_lines_cut: u64,
}

impl<R: Read> BlockReader<R> {
    /// Reads `input`, which needs no buffer of its own.
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; LINE_BYTES_MAX + BLOCK_BYTES + 1].into_boxed_slice(),
            start: 0,
            end: 0,
            dropping: false,
            bytes_read: 0,
            long_lines_cut: 0,
        }
    }

    /// The next whole lines, each ended by `\n`; `None` at the end of the input.
    pub fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if self.dropping {
                match memchr::memchr(b'\n', &self.buffer[self.start..self.end]) {
                    Some(at) => {
                        self.start += at + 1;
                        self.dropping = false;
                    }
                    None => self.start = self.end,
                }
            }
            if !self.dropping {
                self.start += leading_nuls(&self.buffer[self.start..self.end]);
                let start = self.start;
                match cut(&self.buffer[start..self.end]) {
                    Cut::Lines(bytes) => {
                        self.start += bytes;
                        return Ok(Some(&self.buffer[start..start + bytes]));
                    }
                    Cut::LongLine => {
                        let newline = start + LINE_BYTES_MAX;
                        self.buffer[newline] = b'\n';
                        self.start = newline + 1;
                        self.dropping = true;
                        self.long_lines_cut += 1;
                        // What is written over is not the line's own newline: such a line is whole.
                        return Ok(Some(&self.buffer[start..=newline]));
                    }
                    Cut::Fragment => {}
                }
            }
            if self.fill()? == 0 {
                let (start, end) = (self.start, self.end);
                if start == end {
                    return Ok(None);
                }
                // A fragment is at most LINE_BYTES_MAX long and now at the buffer's start.
                self.buffer[end] = b'\n';
                self.start = end;
                return Ok(Some(&self.buffer[start..=end]));
            }
        }
    }

    /// Bytes taken from the input so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Lines longer than [`LINE_BYTES_MAX`] so far.
    pub fn long_lines_cut(&self) -> u64 {
        self.long_lines_cut
    }

    /// Moves the fragment to the buffer's start and reads behind it.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self
                .input
                .read(&mut self.buffer[self.end..self.end + BLOCK_BYTES])
            {
                Ok(bytes) => {
                    self.end += bytes;
                    self.bytes_read += bytes as u64;
                    return Ok(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// So many bytes are whole lines; none is too long, none but the first begins with a NUL.
    Lines(usize),
    /// More than [`LINE_BYTES_MAX`] bytes without a newline.
    LongLine,
    /// The beginning of a line, or nothing.
    Fragment,
}

/// Finds the whole lines at the start of `bytes`, touching few of them: a newline in each window of
/// one greatest line is proof enough that no line is longer.
pub(super) fn cut(bytes: &[u8]) -> Cut {
    let mut end = 0;
    loop {
        let window = &bytes[end..bytes.len().min(end + LINE_BYTES_MAX + 1)];
        match memchr::memrchr(b'\n', window) {
            Some(at) => end += at + 1,
            None if end > 0 => break,
            None if window.len() > LINE_BYTES_MAX => return Cut::LongLine,
            None => return Cut::Fragment,
        }
    }
    Cut::Lines(before_hole(&bytes[..end]))
}

/// How many NUL bytes `bytes` begins with. A hole may be as long as the log once was: it is gone
/// through in strides.
pub(super) fn leading_nuls(bytes: &[u8]) -> usize {
    const STRIDE: [u8; 4096] = [0; 4096];
    let strides = bytes
        .chunks_exact(STRIDE.len())
        .take_while(|stride| **stride == STRIDE)
        .count();
    let from = strides * STRIDE.len();
    bytes[from..]
        .iter()
        .position(|&byte| byte != 0)
        .map_or(bytes.len(), |at| from + at)
}

/// The length of `lines` up to the first line, but the first, that begins with a NUL.
fn before_hole(lines: &[u8]) -> usize {
    let mut from = 1;
    while let Some(at) = lines
        .get(from..)
        .and_then(|rest| memchr::memchr(0, rest))
        .map(|at| from + at)
    {
        if lines[at - 1] == b'\n' {
            return at;
        }
        from = at + 1;
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_greatest_length_is_whole() {
        let mut line = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(cut(&line), Cut::Fragment);
        line.push(b'\n');
        assert_eq!(cut(&line), Cut::Lines(LINE_BYTES_MAX + 1));
        line.insert(0, b'x');
        assert_eq!(cut(&line), Cut::LongLine);
    }

    #[test]
    fn lines_end_before_a_hole() {
        assert_eq!(cut(b"a\0b\n\0\0c\nd\n"), Cut::Lines(4));
        assert_eq!(cut(b"a\n\n\n"), Cut::Lines(4));
        assert_eq!(cut(b""), Cut::Fragment);
    }
}
