//! pickup(8): mail from sendmail(1) on the host, and what `postsuper -r` puts back.

use super::{process, queue_id};
use crate::parse::cursor::{Cursor, rsplit_once};
use crate::parse::event::{Event, PickedUp};

pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) => picked_up(queue_id, rest).unwrap_or(Event::Unparsed),
        None => process::parse(message),
    }
}

/// `uid=33 from=<www-data>[ orig_id=Q]`. Source: pickup/pickup.c.
/// Hostile: the sender. An `orig_id` of its own cannot be mistaken: such a line ends in `>`.
pub(super) fn picked_up<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Option<Event<'a>> {
    let mut cursor = Cursor::new(rest);
    if !cursor.eat(b"uid=") {
        return None;
    }
    let uid = cursor.number_u32()?;
    if !cursor.eat(b" from=<") {
        return None;
    }
    let (sender, orig_queue_id) = match cursor.rest().strip_suffix(b">") {
        Some(sender) => (sender, None),
        None => {
            let (sender, id) = rsplit_once(cursor.rest(), b"> orig_id=")?;
            if !queue_id::is_queue_id(id) {
                return None;
            }
            (sender, Some(id))
        }
    };
    Some(Event::PickedUp(PickedUp {
        queue_id,
        uid,
        sender,
        orig_queue_id,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let of = |line: &'static str, sender: &'static str, orig: Option<&'static str>| {
            assert_eq!(
                parse(line.as_bytes()),
                Event::PickedUp(PickedUp {
                    queue_id: b"4C9E41A0B2",
                    uid: 33,
                    sender: sender.as_bytes(),
                    orig_queue_id: orig.map(str::as_bytes),
                }),
                "{line}"
            );
        };
        of("4C9E41A0B2: uid=33 from=<www-data>", "www-data", None);
        of(
            "4C9E41A0B2: uid=33 from=<a@b> orig_id=9F3B1C02D7",
            "a@b",
            Some("9F3B1C02D7"),
        );
        of(
            "4C9E41A0B2: uid=33 from=<x> orig_id=9F3B1C02D7>",
            "x> orig_id=9F3B1C02D7",
            None,
        );
        of(
            "4C9E41A0B2: uid=33 from=<x> orig_id=AAAAAA> orig_id=9F3B1C02D7",
            "x> orig_id=AAAAAA",
            Some("9F3B1C02D7"),
        );
        assert_eq!(parse(b"4C9E41A0B2: uid=x from=<a>"), Event::Unparsed);
        assert!(matches!(
            parse(b"warning: 4C9E41A0B2: message dated 99 seconds into the future"),
            Event::Other { .. }
        ));
    }
}
