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
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    host: Host,
    tags: Tags,
}

/// The last line's, up to `length`, with its blank; 0 where none is kept.
#[derive(Debug, Clone)]
struct Host {
    text: [u8; Host::LENGTH_MAX],
    length: usize,
}

impl Default for Host {
    fn default() -> Self {
        Host {
            text: [0; Host::LENGTH_MAX],
            length: 0,
        }
    }
}

impl Host {
    /// A shorter one is found as fast as it is compared.
    const LENGTH_MIN: usize = 9;
    const LENGTH_MAX: usize = 64;

    /// The same host again, and what stands behind its blank.
    #[inline(always)]
    fn cut<'a>(&self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        if text.first_chunk::<8>()? != self.text.first_chunk::<8>()? {
            return None;
        }
        let rest = text.strip_prefix(self.text.get(..self.length)?)?;
        Some((text.get(..self.length.checked_sub(1)?)?, rest))
    }

    fn keep(&mut self, text: &[u8], length: usize) {
        if (Host::LENGTH_MIN..=Host::LENGTH_MAX).contains(&length)
            && let (Some(kept), Some(host)) = (self.text.get_mut(..length), text.get(..length))
        {
            kept.copy_from_slice(host);
            self.length = length;
        }
    }
}

/// Tags with a pid, each where a hash of some of its bytes says.
#[derive(Debug, Clone)]
struct Tags {
    kept: [KeptTag; Tags::COUNT],
}

/// `postfix/smtpd[4242]: `, up to `length`; 0 where none is kept.
#[derive(Debug, Clone, Copy)]
struct KeptTag {
    text: [u8; Tags::LENGTH_MAX],
    length: u8,
    program_length: u8,
    pid: u32,
}

impl Default for Tags {
    fn default() -> Self {
        Tags {
            kept: [KeptTag {
                text: [0; Tags::LENGTH_MAX],
                length: 0,
                program_length: 0,
                pid: 0,
            }; Tags::COUNT],
        }
    }
}

impl Tags {
    const COUNT: usize = 64;
    const LENGTH_MAX: usize = 40;

    /// Where `postfix/` is followed by a daemon and its pid, these tell them apart.
    #[inline(always)]
    fn slot(text: &[u8]) -> Option<usize> {
        let (_, daemon) = text.split_first_chunk::<8>()?;
        let (_, pid) = text.split_first_chunk::<13>()?;
        let daemon = u64::from_le_bytes(*daemon.first_chunk::<8>()?);
        let pid = u64::from_le_bytes(*pid.first_chunk::<8>()?);
        let hash = (daemon ^ pid.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some((hash >> 58) as usize)
    }

    /// A tag that was here before: program, pid and message.
    #[inline(always)]
    fn cut<'a>(&self, text: &'a [u8], slot: usize) -> Option<(&'a [u8], u32, &'a [u8])> {
        let kept = self.kept.get(slot)?;
        let message = text.strip_prefix(kept.text.get(..usize::from(kept.length))?)?;
        let program = text.get(..usize::from(kept.program_length))?;
        (kept.length != 0).then_some((program, kept.pid, message))
    }

    /// Only one that is whole, with the blank behind it: then no other byte has a say in it.
    fn keep(&mut self, text: &[u8], slot: usize, program: &[u8], pid: u32, message: &[u8]) {
        let length = text.len() - message.len();
        if let Some(kept) = self.kept.get_mut(slot)
            && let Some(tag @ [.., b':', b' ']) = text.get(..length)
            && let Some(bytes) = kept.text.get_mut(..length)
        {
            bytes.copy_from_slice(tag);
            kept.length = length as u8;
            kept.program_length = program.len() as u8;
            kept.pid = pid;
        }
    }
}

/// Splits what stands behind a stamp.
///
/// The host may be missing: glibc's syslog(3) writes none to `/dev/log`, a daemon's own file has
/// none. It is told by its end: a tag's first word ends in `:` or has `]:` in it, a host's never
/// does, though both may have colons and brackets (`2001:db8::25`, `[192.0.2.1]`).
/// Where no tag follows, the program is empty and the message is all that stands there.
#[inline(always)]
pub(super) fn split<'a>(text: &'a [u8], seen: &mut Seen) -> Tagged<'a> {
    let (host, rest) = match seen.host.cut(text) {
        Some(known) => known,
        None => match word_end(text) {
            Some((at, b' ')) if at <= HOST_MAX => match cut(text, at) {
                // Postfix's own file where myhostname has no first label: two blanks, no host.
                Some((host, rest)) => {
                    seen.host.keep(text, at + 1);
                    (nil_to_empty(host), rest)
                }
                None => (&b""[..], text),
            },
            Some((_, b':' | b'[')) => return split_rare(text),
            _ => (&b""[..], text),
        },
    };
    match Tags::slot(rest) {
        Some(slot) => match seen.tags.cut(rest, slot) {
            Some((program, pid, message)) => Tagged {
                host,
                program,
                pid: Some(pid),
                message,
            },
            None => with_new_tag(host, rest, slot, &mut seen.tags),
        },
        None => with_tag(host, rest),
    }
}

#[inline(never)]
fn with_new_tag<'a>(host: &'a [u8], text: &'a [u8], slot: usize, tags: &mut Tags) -> Tagged<'a> {
    let tagged = with_tag(host, text);
    if let Some(pid) = tagged.pid {
        tags.keep(text, slot, tagged.program, pid, tagged.message);
    }
    tagged
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
