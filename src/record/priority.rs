//! `<PRI>`, facility and severity in one number, as it stands on the wire before any form.
//! In: a line. Out: the severity, and the line behind it. Never: the facility, nobody asks for it.
//!
//! Source: RFC 5424 6.2.1, RFC 3164 4.1.1, glibc misc/syslog.c; sd-daemon(3) prints it alone.

/// 23 facilities of 8 severities; a larger number is text that happens to stand in `<>`.
const PRIORITY_MAX: u16 = 191;

/// The severity and the rest; the line as it was where no `<PRI>` stands before it.
#[inline(always)]
pub(super) fn cut(line: &[u8]) -> (Option<u8>, &[u8]) {
    match line {
        [b'<', rest @ ..] => match number(rest) {
            Some((priority, rest)) => (Some((priority & 7) as u8), rest),
            None => (None, line),
        },
        _ => (None, line),
    }
}

/// `22>`: one to three digits.
#[inline(never)]
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let digit = |byte: &u8| u16::from(byte.wrapping_sub(b'0'));
    let (priority, rest) = match text {
        [a @ b'0'..=b'9', b'>', rest @ ..] => (digit(a), rest),
        [a @ b'0'..=b'9', b @ b'0'..=b'9', b'>', rest @ ..] => (digit(a) * 10 + digit(b), rest),
        [
            a @ b'0'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            b'>',
            rest @ ..,
        ] => (digit(a) * 100 + digit(b) * 10 + digit(c), rest),
        _ => return None,
    };
    (priority <= PRIORITY_MAX).then_some((priority, rest))
}
