//! A tag that is only `postfix`: told by the text which daemon wrote it.
//!
//! Senders of RFC 5424 cut APP-NAME at the slash, so every daemon's lines come under one name.
//! Postfix's own words stand at the start of each, before anything hostile.

use super::{bounce, cleanup, delivery, pickup, postsuper, process, qmgr, queue_id, smtp, smtpd};
use crate::parse::event::{Delivery, Event, Kind, Relay};

pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) => of_message(message, queue_id, rest),
        None if smtpd::is_own(message) => smtpd::parse(message),
        None => match postsuper::totals(message) {
            Event::Unparsed => smtp::parse(Kind::Smtp, message),
            event => event,
        },
    }
}

fn of_message<'a>(message: &'a [u8], queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    let starts = |word: &[u8]| rest.starts_with(word);
    if starts(b"from=<") || rest == b"removed" {
        // postsuper says `removed` too; the mails that an admin deletes are few.
        qmgr::parse(message)
    } else if starts(b"to=<") {
        // Which agent, as far as its relay tells; only local(8) forwards.
        match delivery::parse(Kind::Local, queue_id, rest) {
            Event::Delivery(delivery) if delivery.relay != Relay::Name(b"local") => {
                Event::Delivery(Delivery {
                    forwarded_as: None,
                    ..delivery
                })
            }
            event => event,
        }
    } else if starts(b"client=") {
        smtpd::parse(message)
    } else if starts(b"message-id=")
        || starts(b"resent-message-id=")
        || starts(b"removed (")
        || cleanup::is_own(rest)
    {
        cleanup::of_message(queue_id, rest)
    } else if starts(b"uid=") {
        pickup::picked_up(queue_id, rest).unwrap_or(Event::Unparsed)
    } else {
        [
            |id, rest| smtpd::of_session(Some(id), rest),
            |id, rest| bounce::notice(id, rest),
            |id, rest| postsuper::done(id, rest),
            |id, rest| smtp::of_message(id, rest),
            |id, rest| qmgr::known(id, rest),
            |id, rest| cleanup::known(id, rest),
        ]
        .iter()
        .map(|rule: &fn(&'a [u8], &'a [u8]) -> Event<'a>| rule(queue_id, rest))
        .find(|event| *event != Event::Unparsed)
        .unwrap_or_else(|| process::parse(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_by_the_text() {
        let name = |line: &'static str| match parse(line.as_bytes()) {
            Event::Connect { .. } => "connect",
            Event::Disconnect { .. } => "disconnect",
            Event::LostConnection { .. } => "lost_connection",
            Event::AuthFailure(_) => "auth",
            Event::ClientAccepted(_) => "accepted",
            Event::PickedUp(_) => "picked_up",
            Event::ProxyAccepted { .. } => "proxy_accepted",
            Event::MessageId { .. } => "message_id",
            Event::Acted(_) => "acted",
            Event::Queued { .. } => "queued",
            Event::Delivery(delivery) if delivery.forwarded_as.is_some() => "forwarded",
            Event::Delivery(_) => "delivery",
            Event::BounceNotice { .. } => "bounce_notice",
            Event::Expired { .. } => "expired",
            Event::Removed { .. } => "removed",
            Event::Held { .. } => "held",
            Event::Released { .. } => "released",
            Event::Requeued { .. } => "requeued",
            Event::ExpiryForced { .. } => "expiry_forced",
            Event::Other { .. } => "other",
            Event::Unparsed => "unparsed",
        };
        for (line, event) in [
            ("connect from mail.example.com[192.0.2.7]", "connect"),
            (
                "disconnect from mail.example.com[192.0.2.7] quit=1 commands=1",
                "disconnect",
            ),
            (
                "lost connection after EHLO from mail.example.com[192.0.2.7]",
                "lost_connection",
            ),
            (
                "NOQUEUE: timeout after EHLO from mail.example.com[192.0.2.7]",
                "lost_connection",
            ),
            (
                "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
                "auth",
            ),
            ("4C9E41A0B2: client=mail.example.com[192.0.2.7]", "accepted"),
            ("4C9E41A0B2: uid=33 from=<www-data>", "picked_up"),
            (
                "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 9F3B1C02D7; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                "proxy_accepted",
            ),
            ("4C9E41A0B2: message-id=<x@y>", "message_id"),
            (
                "4C9E41A0B2: reject: header Subject: x from unknown[192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>: no",
                "acted",
            ),
            (
                "4C9E41A0B2: milter-reject: END-OF-MESSAGE from unknown[192.0.2.7]: 5.7.1 no; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                "acted",
            ),
            (
                "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 <c@d>: Relay access denied; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                "acted",
            ),
            (
                "4C9E41A0B2: from=<a@b>, size=1, nrcpt=1 (queue active)",
                "queued",
            ),
            (
                "4C9E41A0B2: to=<c@d>, relay=mx[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 ok)",
                "delivery",
            ),
            (
                "4C9E41A0B2: to=<c@d>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (forwarded as 9F3B1C02D7)",
                "forwarded",
            ),
            (
                "4C9E41A0B2: to=<c@d>, relay=mx[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (forwarded as 9F3B1C02D7)",
                "delivery",
            ),
            (
                "4C9E41A0B2: sender non-delivery notification: 9F3B1C02D7",
                "bounce_notice",
            ),
            (
                "4C9E41A0B2: from=<a@b>, status=expired, returned to sender",
                "expired",
            ),
            ("4C9E41A0B2: removed", "removed"),
            ("4C9E41A0B2: removed (canceled)", "removed"),
            ("4C9E41A0B2: placed on hold", "held"),
            ("4C9E41A0B2: released from hold", "released"),
            ("4C9E41A0B2: requeued", "requeued"),
            ("4C9E41A0B2: expired", "expiry_forced"),
            (
                "4C9E41A0B2: host mx[192.0.2.1] said: 450 no (in reply to RCPT TO command)",
                "other",
            ),
            ("connect to mx[192.0.2.1]:25: Connection refused", "other"),
            ("4C9E41A0B2: skipped, still being delivered", "other"),
            ("Deleted: 1 message", "other"),
            ("warning: dict_nis_init: NIS domain name not set", "other"),
            (
                "daemon started -- version 3.7.11, configuration /etc/postfix",
                "unparsed",
            ),
            ("4C9E41A0B2: never heard of", "unparsed"),
        ] {
            assert_eq!(name(line), event, "{line}");
        }
    }
}
