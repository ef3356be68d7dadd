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

/// Splits what stands behind a stamp.
///
/// The host may be missing: glibc's syslog(3) writes none to `/dev/log`, a daemon's own file has
/// none. It is told by its end: a tag's first word ends in `:` or has `]:` in it, a host's never
/// does, though both may have colons and brackets (`2001:db8::25`, `[192.0.2.1]`).
/// Where no tag follows, the program is empty and the message is all that stands there.
#[inline]
pub(super) fn split(text: &[u8]) -> Tagged<'_> {
    let (host, rest) = match special(text) {
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

#[inline]
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
        let (at, byte) = special(text.get(from..)?)?;
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
    let mut number: u64 = 0;
    let mut is_number = true;
    for (length, &byte) in text.iter().enumerate().take(PID_MAX + 1) {
        match byte {
            b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            b']' => {
                let rest = text.get(length + 1..)?.strip_prefix(b":")?;
                // Ten digits cannot have wrapped.
                let pid = match length {
                    1..=10 if is_number => u32::try_from(number).ok(),
                    _ => None,
                };
                return Some((pid, rest));
            }
            b'[' => return None,
            _ if is_blank_or_control(byte) => return None,
            _ => is_number = false,
        }
    }
    None
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

/// The first byte that ends a word of a header (a blank, a control character, `:` or `[`),
/// and where it stands.
///
/// Eight bytes at a time: a borrow may mark bytes above the first that is meant, never below.
#[inline]
fn special(text: &[u8]) -> Option<(usize, u8)> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let mut at = 0;
    let mut rest = text;
    while let Some((bytes, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*bytes);
        let equal = |byte: u8| {
            let zero = word ^ (ONES * u64::from(byte));
            zero.wrapping_sub(ONES) & !zero
        };
        let low = word.wrapping_sub(ONES * 0x21) & !word;
        let marks = (low | equal(b':') | equal(b'[') | equal(0x7f)) & HIGHS;
        if marks != 0 {
            let at = at + (marks.trailing_zeros() / 8) as usize;
            return text.get(at).map(|&byte| (at, byte));
        }
        at += 8;
        rest = tail;
    }
    let at = at
        + rest
            .iter()
            .position(|&byte| is_blank_or_control(byte) || matches!(byte, b':' | b'['))?;
    text.get(at).map(|&byte| (at, byte))
}
