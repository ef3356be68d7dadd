//! discard(8): swallows mail, and says `sent`.

use super::{delivery, process, queue_id};
use crate::parse::event::{Event, Kind};

/// Its results are those of every agent: see `delivery`.
pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) => delivery::parse(Kind::Discard, queue_id, rest),
        None => process::parse(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::event::Status;

    #[test]
    fn lines() {
        for (line, status) in [(
            "4C9E41A0B2: to=<bob@example.com>, relay=none, delay=0.1, delays=0.05/0/0/0.05, dsn=2.0.0, status=sent (example.com)",
            Status::Sent,
        )] {
            match parse(line.as_bytes()) {
                Event::Delivery(delivery) => assert_eq!(delivery.status, status, "{line}"),
                event => panic!("{line}: {event:?}"),
            }
        }
        assert!(matches!(
            parse(b"warning: close active 4C9E41A0B2: x"),
            Event::Other { .. }
        ));
        assert_eq!(parse(b"4C9E41A0B2: never heard of"), Event::Unparsed);
    }
}
