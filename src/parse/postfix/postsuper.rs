//! postsuper(1): what an admin does to the queue.

use super::{process, queue_id};
use crate::parse::event::{Event, RemovedBy};

/// Source: postsuper/postsuper.c; `expired` (`-e`) since 3.5.
pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) => match rest {
            b"removed" => Event::Removed {
                queue_id,
                by: RemovedBy::Postsuper,
            },
            _ => done(queue_id, rest),
        },
        None => totals(message),
    }
}

/// All but `removed`, which qmgr says too.
pub(super) fn done<'a>(queue_id: &'a [u8], rest: &[u8]) -> Event<'a> {
    match rest {
        b"requeued" => Event::Requeued { queue_id },
        b"placed on hold" => Event::Held { queue_id },
        b"released from hold" => Event::Released { queue_id },
        b"expired" => Event::ExpiryForced { queue_id },
        _ => Event::Unparsed,
    }
}

/// `Deleted: 2 messages`, at its end.
pub(super) fn totals(message: &[u8]) -> Event<'_> {
    const WORDS: &[&[u8]] = &[
        b"Deleted: ",
        b"Requeued: ",
        b"Placed on hold: ",
        b"Released from hold: ",
        b"Force-expired: ",
        b"Renamed to match inode number: ",
    ];
    if WORDS.iter().any(|word| message.starts_with(word)) {
        process::other(message)
    } else {
        process::parse(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let queue_id = &b"4C9E41A0B2"[..];
        for (line, event) in [
            (
                "4C9E41A0B2: removed",
                Event::Removed {
                    queue_id,
                    by: RemovedBy::Postsuper,
                },
            ),
            ("4C9E41A0B2: requeued", Event::Requeued { queue_id }),
            ("4C9E41A0B2: placed on hold", Event::Held { queue_id }),
            (
                "4C9E41A0B2: released from hold",
                Event::Released { queue_id },
            ),
            ("4C9E41A0B2: expired", Event::ExpiryForced { queue_id }),
            (
                "Deleted: 2 messages",
                process::other(b"Deleted: 2 messages"),
            ),
            (
                "Placed on hold: 1 message",
                process::other(b"Placed on hold: 1 message"),
            ),
            ("4C9E41A0B2: eaten", Event::Unparsed),
        ] {
            assert_eq!(parse(line.as_bytes()), event, "{line}");
        }
    }
}
