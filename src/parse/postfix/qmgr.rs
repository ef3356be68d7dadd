//! qmgr(8), the queue manager, and its older name oqmgr(8).
//!
//! The most frequent lines of all. Addresses are the envelope's and hostile, but nothing hostile
//! follows them, so these lines are read from their end.

use super::{delivery, process, queue_id};
use crate::parse::cursor::rsplit_number;
use crate::parse::event::{Event, Kind, RemovedBy};

#[inline]
pub(super) fn parse(message: &[u8]) -> Event<'_> {
    let Some((queue_id, rest)) = queue_id::split(message) else {
        return process::parse(message);
    };
    match rest.first() {
        Some(b'f') => from(queue_id, rest),
        // Source: qmgr/qmgr_active.c; `removed` of postsuper has another tag.
        Some(b'r') if rest == b"removed" => Event::Removed {
            queue_id,
            by: RemovedBy::Qmgr,
        },
        // A destination that is not tried now, an unknown transport. Source: global/log_adhoc.c.
        Some(b't') => delivery::parse(Kind::Qmgr, queue_id, rest),
        _ => known(queue_id, rest),
    }
}

/// `from=<a>, size=N, nrcpt=N (queue active)`: at every attempt. Source: global/opened.c.
/// `from=<a>, status=expired, returned to sender`: source qmgr/qmgr_active.c; `force-expired`
/// since 3.5.
#[inline]
fn from<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    match queued(rest) {
        Some((sender, size_bytes, recipients)) => Event::Queued {
            queue_id,
            sender,
            size_bytes,
            recipients: u32::try_from(recipients).unwrap_or(u32::MAX),
        },
        None => match expired(rest) {
            Some((sender, forced)) => Event::Expired {
                queue_id,
                sender,
                forced,
            },
            None => Event::Unparsed,
        },
    }
}

/// Sender, size, recipients.
#[inline]
fn queued(rest: &[u8]) -> Option<(&[u8], u64, u64)> {
    let rest = rest.strip_prefix(b"from=<")?;
    let rest = rest.strip_suffix(b" (queue active)")?;
    let (rest, recipients) = rsplit_number(rest)?;
    let rest = rest.strip_suffix(b", nrcpt=")?;
    let (rest, size_bytes) = rsplit_number(rest)?;
    let sender = rest.strip_suffix(b">, size=")?;
    Some((sender, size_bytes, recipients))
}

/// Sender, and whether an admin has forced it.
fn expired(rest: &[u8]) -> Option<(&[u8], bool)> {
    let rest = rest.strip_prefix(b"from=<")?;
    let rest = rest.strip_suffix(b", returned to sender")?;
    match rest.strip_suffix(b">, status=expired") {
        Some(sender) => Some((sender, false)),
        None => Some((rest.strip_suffix(b">, status=force-expired")?, true)),
    }
}

/// Source: qmgr/qmgr_message.c; global/bounce.c, global/abounce.c (a notice that could not be made).
pub(super) fn known<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    if rest == b"skipped, still being delivered"
        || rest.starts_with(b"status=deferred (") && rest.ends_with(b" failed)")
    {
        process::other_of(queue_id, rest)
    } else {
        Event::Unparsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8] = b"4C9E41A0B2";

    #[test]
    fn lines() {
        for (line, event) in [
            (
                "4C9E41A0B2: from=<bob@example.com>, size=1234, nrcpt=17 (queue active)",
                Event::Queued {
                    queue_id: ID,
                    sender: b"bob@example.com",
                    size_bytes: 1234,
                    recipients: 17,
                },
            ),
            (
                "4C9E41A0B2: from=<>, size=0, nrcpt=1 (queue active)",
                Event::Queued {
                    queue_id: ID,
                    sender: b"",
                    size_bytes: 0,
                    recipients: 1,
                },
            ),
            (
                "4C9E41A0B2: removed",
                Event::Removed {
                    queue_id: ID,
                    by: RemovedBy::Qmgr,
                },
            ),
            (
                "4C9E41A0B2: from=<bob@example.com>, status=expired, returned to sender",
                Event::Expired {
                    queue_id: ID,
                    sender: b"bob@example.com",
                    forced: false,
                },
            ),
            (
                "4C9E41A0B2: from=<bob@example.com>, status=force-expired, returned to sender",
                Event::Expired {
                    queue_id: ID,
                    sender: b"bob@example.com",
                    forced: true,
                },
            ),
            (
                "4C9E41A0B2: skipped, still being delivered",
                Event::Other {
                    queue_id: Some(ID),
                    text: b"skipped, still being delivered",
                },
            ),
            (
                "4C9E41A0B2: status=deferred (bounce failed)",
                Event::Other {
                    queue_id: Some(ID),
                    text: b"status=deferred (bounce failed)",
                },
            ),
            ("4C9E41A0B2: removed twice", Event::Unparsed),
            (
                "4C9E41A0B2: from=<bob@example.com>, size=1234",
                Event::Unparsed,
            ),
            ("4C9E41A0B2: ", Event::Unparsed),
        ] {
            assert_eq!(parse(line.as_bytes()), event, "{line}");
        }
        assert!(matches!(
            parse(b"4C9E41A0B2: to=<a@b>, relay=none, delay=1, delays=1/0/0/0, dsn=4.7.0, status=deferred (delivery temporarily suspended: connect to mx[192.0.2.1]:25: Connection timed out)"),
            Event::Delivery(_)
        ));
        assert!(matches!(
            parse(b"warning: connect to transport private/x: Connection refused"),
            Event::Other { .. }
        ));
    }

    #[test]
    fn hostile_sender() {
        let line = b"4C9E41A0B2: from=<\"x>, size=9, nrcpt=999 (queue active)\"@example.com>, size=1234, nrcpt=1 (queue active)";
        assert_eq!(
            parse(line),
            Event::Queued {
                queue_id: ID,
                sender: b"\"x>, size=9, nrcpt=999 (queue active)\"@example.com",
                size_bytes: 1234,
                recipients: 1,
            }
        );
        let line = b"4C9E41A0B2: from=<x>, status=expired, returned to sender@example.com>, size=1, nrcpt=1 (queue active)";
        assert!(matches!(parse(line), Event::Queued { .. }));
    }
}
