//! `<PRI>`, facility and severity in one number, as it stands on the wire before any form.
//! In: a line. Out: the severity, and the line behind it. Never: the facility, nobody asks for it.
//!
//! Source: RFC 5424 6.2.1, RFC 3164 4.1.1, glibc misc/syslog.c; sd-daemon(3) prints it alone.

/// 23 facilities of 8 severities; a larger number is text that happens to stand in `<>`.
const PRIORITY_MAX: u16 = 191;

/// The severity and the rest; the line as it was where no `<PRI>` stands before it.
#[inline]
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
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let digits = text
        .iter()
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = text.split_at_checked(digits)?;
    let rest = rest.strip_prefix(b">")?;
    if !(1..=3).contains(&digits) {
        return None;
    }
    let priority = number
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (priority <= PRIORITY_MAX).then_some((priority, rest))
}
