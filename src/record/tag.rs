//! `mx1 postfix/smtpd[4242]: text`: host, tag and pid, as they stand behind a stamp.
//! In: the line behind the stamp and its blank. Out: [`Tagged`]. Never: the stamp.
//! Start reading at [`split`].

/// RFC 3164 says 32 bytes, Postfix's `syslog_name` says nothing. What is longer is text.
const TAG_MAX: usize = 256;
/// Between the brackets: a number as a rule, but a tag's owner may write what he likes.
const PID_MAX: usize = 32;
/// The longest name that DNS has.
const HOST_MAX: usize = 255;

/// A line behind its stamp.
#[derive(Clone, Copy)]
pub(super) struct Tagged<'a> {
    pub host: &'a [u8],
    pub program: &'a [u8],
    pub pid: Option<u32>,
    pub message: &'a [u8],
}

/// Hosts and tags of the lines before: a log has few, and need not look through them again.
///
/// Kept is what is whole, `mx1 postfix/smtpd[4242]: `: no byte behind it had a say in how it was split.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Each where a hash of some of its bytes says.
    kept: [Kept; Seen::COUNT],
    /// Where the tag began in the last line whose host is long.
    tag_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    text: [u8; Seen::LENGTH_MAX],
    /// 0 where none is kept.
    length: u8,
    host_end: u8,
    program_from: u8,
    program_end: u8,
    pid: u32,
}

impl Default for Seen {
    fn default() -> Self {
        let none = Kept {
            text: [0; Seen::LENGTH_MAX],
            length: 0,
            host_end: 0,
            program_from: 0,
            program_end: 0,
            pid: 0,
        };
        Seen {
            kept: [none; Seen::COUNT],
            tag_at: 0,
        }
    }
}

impl Seen {
    const COUNT: usize = 64;
    const LENGTH_MAX: usize = 96;

    /// Where `postfix/` stands behind the host, a daemon and its pid are hashed. Only a guess: what
    /// is kept there is compared.
    #[inline(always)]
    fn slot(&self, text: &[u8]) -> Option<usize> {
        let blank = equal(u64::from_le_bytes(*text.first_chunk::<8>()?), b' ') & HIGHS;
        let tag_at = match blank {
            0 => self.tag_at,
            _ => (blank.trailing_zeros() / 8) as usize + 1,
        };
        let tag = text.get(tag_at..)?.first_chunk::<21>()?;
        let daemon = u64::from_le_bytes(*tag.get(8..)?.first_chunk::<8>()?);
        let pid = u64::from_le_bytes(*tag.last_chunk::<8>()?);
        let hash = (daemon ^ pid.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some((hash >> 58) as usize)
    }

    #[inline(always)]
    fn cut<'a>(&self, text: &'a [u8], slot: usize) -> Option<Tagged<'a>> {
        let kept = self.kept.get(slot)?;
        let (seen, message) = text.split_at_checked(usize::from(kept.length))?;
        if seen.is_empty() || seen != kept.text.get(..seen.len())? {
            return None;
        }
        Some(Tagged {
            host: seen.get(..usize::from(kept.host_end))?,
            program: seen.get(usize::from(kept.program_from)..usize::from(kept.program_end))?,
            pid: Some(kept.pid),
            message,
        })
    }

    #[inline(never)]
    fn split_new<'a>(&mut self, text: &'a [u8]) -> Tagged<'a> {
        let tagged = split_anew(text);
        // Both are counted from the end, as a host of `-` is none.
        let length = text.len() - tagged.message.len();
        if let Some(pid) = tagged.pid
            && let Some(seen @ [.., b']', b':', b' ']) = text.get(..length)
            && length <= Seen::LENGTH_MAX
            && let Some(program_end) = memchr::memrchr(b'[', seen)
            && let Some(program_from) = program_end.checked_sub(tagged.program.len())
        {
            if program_from > 8 {
                self.tag_at = program_from;
            }
            if let Some(slot) = self.slot(text)
                && let Some(kept) = self.kept.get_mut(slot)
                && let Some(bytes) = kept.text.get_mut(..length)
            {
                bytes.copy_from_slice(seen);
                kept.length = length as u8;
                kept.host_end = tagged.host.len() as u8;
                kept.program_from = program_from as u8;
                kept.program_end = program_end as u8;
                kept.pid = pid;
            }
        }
        tagged
    }
}

/// Splits what stands behind a stamp.
#[inline(always)]
pub(super) fn split<'a>(text: &'a [u8], seen: &mut Seen) -> Tagged<'a> {
    match seen.slot(text).and_then(|slot| seen.cut(text, slot)) {
        Some(tagged) => tagged,
        None => seen.split_new(text),
    }
}

/// The host may be missing: glibc's syslog(3) writes none to `/dev/log`, a daemon's own file has
/// none. It is told by its end: a tag's first word ends in `:` or has `]:` in it, a host's never
/// does, though both may have colons and brackets (`2001:db8::25`, `[192.0.2.1]`).
/// Where no tag follows, the program is empty and the message is all that stands there.
fn split_anew(text: &[u8]) -> Tagged<'_> {
    let (host, rest) = match word_end(text) {
        Some((at, b' ')) if at <= HOST_MAX => match cut(text, at) {
            // Postfix's own file where myhostname has no first label: two blanks, no host.
            Some((host, rest)) => (nil_to_empty(host), rest),
            None => (&b""[..], text),
        },
        Some((_, b':' | b'[')) => return split_rare(text),
        _ => (&b""[..], text),
    };
    with_tag(host, rest)
}

/// No host; or one with a colon or a bracket in it.
fn split_rare(text: &[u8]) -> Tagged<'_> {
    if tag(text).is_some() {
        return with_tag(b"", text);
    }
    match odd_host(text) {
        Some((host, rest)) => with_tag(host, rest),
        None => plain(b"", text),
    }
}

/// An address, in brackets or not: up to the blank, and nothing that a tag could be.
fn odd_host(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text
        .iter()
        .take(HOST_MAX + 1)
        .position(|&byte| is_blank_or_control(byte))?;
    let (host, rest) = cut(text, end)?;
    let is_host = text.get(end) == Some(&b' ')
        && memchr::memmem::find(host, b"]:").is_none()
        && (!host.ends_with(b":") || host.ends_with(b"::"));
    is_host.then_some((host, rest))
}

fn with_tag<'a>(host: &'a [u8], text: &'a [u8]) -> Tagged<'a> {
    match tag(text) {
        Some((program, pid, message)) => Tagged {
            host,
            program,
            pid,
            message,
        },
        None => plain(host, text),
    }
}

fn plain<'a>(host: &'a [u8], message: &'a [u8]) -> Tagged<'a> {
    Tagged {
        host,
        program: b"",
        pid: None,
        message,
    }
}

/// `tag[pid]:` or `tag: `, and the message behind it without its first blank.
///
/// Behind a pid the blank may be missing; behind a bare tag it may not, or `http://` were a tag.
#[inline]
fn tag(text: &[u8]) -> Option<(&[u8], Option<u32>, &[u8])> {
    let mut from = 0;
    loop {
        let (at, byte) = word_end(text.get(from..)?)?;
        let at = from + at;
        if at > TAG_MAX {
            return None;
        }
        let (program, rest) = cut(text, at)?;
        match byte {
            b'[' if at > 0 => {
                let (pid, rest) = pid(rest)?;
                return Some((program, pid, rest.strip_prefix(b" ").unwrap_or(rest)));
            }
            b':' => {
                // `fe80:: ` is a host.
                if at > 0 && !program.ends_with(b":") {
                    match rest.split_first() {
                        None => return Some((program, None, rest)),
                        Some((b' ', message)) => return Some((program, None, message)),
                        Some(_) => {}
                    }
                }
            }
            _ => return None,
        }
        from = at + 1;
    }
}

/// `4242]:` with what follows. What is no number or too large for one is no pid, yet ends the tag.
#[inline]
fn pid(text: &[u8]) -> Option<(Option<u32>, &[u8])> {
    match short_pid(text) {
        Some((pid, rest)) => Some((Some(pid), rest)),
        None => odd_pid(text),
    }
}

/// One to seven digits and `]:`, as Linux has pids, eight bytes at once.
#[inline]
fn short_pid(text: &[u8]) -> Option<(u32, &[u8])> {
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?);
    let end = equal(word, b']') & HIGHS;
    let length = (end.trailing_zeros() / 8) as usize;
    if !(1..=7).contains(&length) {
        return None;
    }
    // Zeros go in before the digits and all behind them falls out.
    let digits = (word ^ (ONES * 0x30)) << (64 - 8 * length);
    if (digits | digits.wrapping_add(ONES * 6)) & (ONES * 0xf0) != 0 {
        return None;
    }
    // Neighbours join: digits to pairs, pairs to fours, fours to the number.
    let pairs = digits * 10 + (digits >> 8);
    let low = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    let number = (low.wrapping_add(high) >> 32) as u32;
    let rest = text.get(length + 1..)?.strip_prefix(b":")?;
    Some((number, rest))
}

#[cold]
fn odd_pid(text: &[u8]) -> Option<(Option<u32>, &[u8])> {
    let end = text
        .iter()
        .take(PID_MAX + 1)
        .position(|&byte| byte == b']')?;
    let (pid, rest) = cut(text, end)?;
    if pid
        .iter()
        .any(|&byte| byte == b'[' || is_blank_or_control(byte))
    {
        return None;
    }
    Some((number(pid), rest.strip_prefix(b":")?))
}

/// A number that is all digits and fits.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
        _ => None,
    })
}

/// RFC 5424's word for "nothing", which rsyslog writes in the other forms too.
#[inline]
pub(super) fn nil_to_empty(field: &[u8]) -> &[u8] {
    if field == b"-" { b"" } else { field }
}

/// What stands before and behind the byte at `at`.
#[inline]
pub(super) fn cut(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[inline]
pub(super) fn is_blank_or_control(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

/// Where a field ends: at a blank or a control character.
#[inline]
pub(super) fn field_end(text: &[u8]) -> Option<(usize, u8)> {
    first(text, blank_or_control, is_blank_or_control)
}

/// Where a word of a host or a tag may end: there, and at `:` or `[`.
#[inline]
fn word_end(text: &[u8]) -> Option<(usize, u8)> {
    first(
        text,
        |word| blank_or_control(word) | equal(word, b':') | equal(word, b'['),
        |byte| is_blank_or_control(byte) || matches!(byte, b':' | b'['),
    )
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// The first byte that is meant, and where it stands.
///
/// Eight at a time: `marks` answers with the high bit of each byte that is meant. A borrow may set
/// one above the first that is meant, never below, and the other bits mean nothing.
#[inline(always)]
fn first(
    text: &[u8],
    marks: impl Fn(u64) -> u64,
    is_meant: impl Fn(u8) -> bool,
) -> Option<(usize, u8)> {
    let mut at = 0;
    let mut rest = text;
    while let Some((bytes, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*bytes);
        let marks = marks(word) & HIGHS;
        if marks != 0 {
            let bit = marks.trailing_zeros();
            // The mark is the high bit of its byte.
            return Some((at + (bit / 8) as usize, (word >> (bit - 7)) as u8));
        }
        at += 8;
        rest = tail;
    }
    let within = rest.iter().position(|&byte| is_meant(byte))?;
    Some((at + within, *rest.get(within)?))
}

#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero
}

#[inline(always)]
fn blank_or_control(word: u64) -> u64 {
    (word.wrapping_sub(ONES * 0x21) & !word) | equal(word, 0x7f)
}
