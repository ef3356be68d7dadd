//! bounce(8), under its names bounce, defer and trace: who was told of a failure.

use super::{process, queue_id};
use crate::parse::cursor::split_once;
use crate::parse::event::{Event, NoticeKind};

pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) => notice(queue_id, rest),
        None => process::parse(message),
    }
}

/// `KIND notification: QID`. Since 3.11 before the notice's own first line, earlier after it.
/// Source: bounce/bounce_{notify,warn,trace}_service.c.
pub(super) fn notice<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    if rest.starts_with(b"not sending trace/success notification for ") {
        return process::other_of(queue_id, rest);
    }
    let Some((what, notice_queue_id)) = split_once(rest, b" notification: ") else {
        return Event::Unparsed;
    };
    let kind = match what {
        b"sender non-delivery" => NoticeKind::SenderNonDelivery,
        b"sender delay" => NoticeKind::SenderDelay,
        b"sender delivery status" => NoticeKind::SenderStatus,
        b"postmaster non-delivery" => NoticeKind::PostmasterNonDelivery,
        b"postmaster delay" => NoticeKind::PostmasterDelay,
        _ => return Event::Unparsed,
    };
    if !queue_id::is_queue_id(notice_queue_id) {
        return Event::Unparsed;
    }
    Event::BounceNotice {
        queue_id,
        kind,
        notice_queue_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (what, kind) in [
            ("sender non-delivery", NoticeKind::SenderNonDelivery),
            ("sender delay", NoticeKind::SenderDelay),
            ("sender delivery status", NoticeKind::SenderStatus),
            ("postmaster non-delivery", NoticeKind::PostmasterNonDelivery),
            ("postmaster delay", NoticeKind::PostmasterDelay),
        ] {
            let line = format!("4C9E41A0B2: {what} notification: 3mPVKl0Mhjz7sXv");
            assert_eq!(
                parse(line.as_bytes()),
                Event::BounceNotice {
                    queue_id: b"4C9E41A0B2",
                    kind,
                    notice_queue_id: b"3mPVKl0Mhjz7sXv",
                }
            );
        }
        assert_eq!(
            parse(b"4C9E41A0B2: sender non-delivery notification: x"),
            Event::Unparsed
        );
        assert!(matches!(
            parse(b"4C9E41A0B2: not sending trace/success notification for double-bounce message"),
            Event::Other {
                queue_id: Some(b"4C9E41A0B2"),
                ..
            }
        ));
        assert!(matches!(
            parse(b"warning: 4C9E41A0B2: sender notification failed to bob@example.com"),
            Event::Other { .. }
        ));
    }
}
