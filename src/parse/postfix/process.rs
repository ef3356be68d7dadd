//! What any Postfix daemon may print: troubles, and its own coming and going.
//!
//! Source: postfix util/msg_output.c (the severity words), master/*_server.c, global/*.

use super::queue_id;
use crate::parse::event::{Event, Severity};

/// The severity word at the start of the text.
///
/// Source: postfix util/msg_syslog.c, which puts it before everything else. So cleanup's
/// `QID: warning: header ...`, an action with the queue id before it, is none.
#[inline]
pub fn severity(message: &[u8]) -> Option<Severity> {
    let (severity, rest) = match message.first()? {
        b'w' => (Severity::Warning, message.strip_prefix(b"warning:")?),
        b'e' => (Severity::Error, message.strip_prefix(b"error:")?),
        b'f' => (Severity::Fatal, message.strip_prefix(b"fatal:")?),
        b'p' => (Severity::Panic, message.strip_prefix(b"panic:")?),
        _ => return None,
    };
    (rest.is_empty() || rest.starts_with(b" ")).then_some(severity)
}

/// A line that no rule of its own daemon has taken.
pub(super) fn parse(message: &[u8]) -> Event<'_> {
    if severity(message).is_some() {
        let text = match memchr::memchr(b' ', message) {
            Some(at) => message.get(at + 1..).unwrap_or_default(),
            None => b"",
        };
        return Event::Other {
            queue_id: queue_id::split(text).map(|(id, _)| id),
            text: message,
        };
    }
    let known = message.starts_with(b"table ") && message.ends_with(b" has changed -- restarting")
        || message.starts_with(b"using backwards-compatible default setting")
        || message.starts_with(b"using using backwards-compatible default setting")
        || message.starts_with(b"discarding EHLO keywords: ")
        || message.starts_with(b"ignoring DNS RR: ")
        || message.starts_with(b"redirecting ")
        || message.starts_with(b"running: ");
    if known {
        other(message)
    } else {
        Event::Unparsed
    }
}

pub(super) fn other(text: &[u8]) -> Event<'_> {
    Event::Other {
        queue_id: None,
        text,
    }
}

/// `rest` of a line that begins with `queue_id`.
pub(super) fn other_of<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    Event::Other {
        queue_id: Some(queue_id),
        text: rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities() {
        for (line, severity_) in [
            (
                "warning: hostname x does not resolve to address 192.0.2.7",
                Some(Severity::Warning),
            ),
            (
                "error: open database /etc/aliases.db: No such file or directory",
                Some(Severity::Error),
            ),
            (
                "fatal: no SASL authentication mechanisms",
                Some(Severity::Fatal),
            ),
            (
                "panic: myfree: corrupt or unallocated memory block",
                Some(Severity::Panic),
            ),
            (
                "4C9E41A0B2: warning: header Subject: x from local; from=<a> to=<b>",
                None,
            ),
            ("4C9E41A0B2: removed", None),
            ("warnings: x", None),
            ("warning", None),
            ("fatal:x", None),
            ("", None),
        ] {
            assert_eq!(severity(line.as_bytes()), severity_, "{line}");
        }
        assert_eq!(
            parse(b"warning: 4C9E41A0B2: queue file size limit exceeded"),
            Event::Other {
                queue_id: Some(b"4C9E41A0B2"),
                text: b"warning: 4C9E41A0B2: queue file size limit exceeded",
            }
        );
        assert_eq!(
            parse(b"table hash:/etc/aliases(0,lock|fold_fix) has changed -- restarting"),
            other(b"table hash:/etc/aliases(0,lock|fold_fix) has changed -- restarting")
        );
        assert_eq!(parse(b"something new"), Event::Unparsed);
    }
}
