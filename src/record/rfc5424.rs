//! `<22>1 2026-11-24T00:16:31Z mx1 postfix/smtpd 4242 - - text`.
//! In: a line behind its `<PRI>`, beginning with the version. Out: stamp and [`Tagged`].
//! Never: what the structured data says.

use super::rfc3339;
use super::tag::{Tagged, cut, field_end, nil_to_empty, number};
use super::time::Clock;

/// RFC 5424 allows less for each field; a longer one is text.
const FIELD_MAX: usize = 256;

/// Source: RFC 5424 6; rsyslog's RSYSLOG_SyslogProtocol23Format, which leaves the message the
/// blank that stood behind its tag; syslog-ng's `syslog()` driver. All but the version may be `-`.
/// Some senders cut APP-NAME at its first `/`.
pub(super) fn read<'a>(
    line: &'a [u8],
    stamps: &mut rfc3339::Stamps,
    clock: &mut Clock,
) -> Option<(Option<i64>, Tagged<'a>)> {
    let line = line.strip_prefix(b"1 ")?;
    let (time_ms, rest) = match line.strip_prefix(b"- ") {
        Some(rest) => (None, rest),
        None => {
            let (time_ms, rest) = stamps.parse(line, clock)?;
            (Some(time_ms), rest)
        }
    };
    let (host, rest) = field(rest)?;
    let (program, rest) = field(rest)?;
    let (pid, rest) = field(rest)?;
    let (_message_id, rest) = field(rest)?;
    let rest = structured_data(rest)?;
    // Only now: a line that is none of ours leaves no trace.
    if let Some(time_ms) = time_ms {
        clock.saw(time_ms);
    }
    let message = rest.strip_prefix(b" ").unwrap_or(rest);
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    Some((
        time_ms,
        Tagged {
            host: nil_to_empty(host),
            program: nil_to_empty(program),
            // PROCID may be any text.
            pid: number(pid),
            message,
        },
    ))
}

/// One field and the rest behind its blank.
#[inline]
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    match field_end(text)? {
        (end @ 1..=FIELD_MAX, b' ') => cut(text, end),
        _ => None,
    }
}

/// Skips `-` or `[id name="value"]...`, and the blank behind it where a message follows.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    let rest = match text {
        [b'-', rest @ ..] => rest,
        [b'[', ..] => {
            let mut rest = text;
            while let Some(element) = rest.strip_prefix(b"[") {
                rest = behind_element(element)?;
            }
            rest
        }
        _ => return None,
    };
    match rest {
        [] => Some(rest),
        [b' ', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Behind the `]` that ends an element: not one in a quoted value, where `\` takes the meaning of
/// the byte behind it (RFC 5424 6.3.3).
fn behind_element(text: &[u8]) -> Option<&[u8]> {
    let mut bytes = text.iter();
    let mut is_quoted = false;
    loop {
        match (bytes.next()?, is_quoted) {
            (b'\\', true) => {
                bytes.next()?;
            }
            (b'"', _) => is_quoted = !is_quoted,
            (b']', false) => return Some(bytes.as_slice()),
            _ => {}
        }
    }
}
