//! cleanup(8): every message passes it; header and body checks, milters, message ids.
//!
//! Hostile: headers, and all that is quoted of them; up to 200 bytes of a header stand *before* the
//! client in the lines of its checks.

use super::{delivery, process, queue_id, reject, whatsup};
use crate::parse::client::client;
use crate::parse::cursor::{Cursor, split_once};
use crate::parse::event::{Acted, Action, Client, Event, Kind, RemovedBy, Stage};

pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) => of_message(queue_id, rest),
        None => process::parse(message),
    }
}

/// After `QID: `.
#[inline]
pub(super) fn of_message<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    // Source: cleanup/cleanup_message.c: copied from the header, so without `<>` where it has none.
    if let Some(message_id) = rest.strip_prefix(b"message-id=") {
        return Event::MessageId {
            queue_id,
            message_id,
            resent: false,
        };
    }
    if let Some(message_id) = rest.strip_prefix(b"resent-message-id=") {
        return Event::MessageId {
            queue_id,
            message_id,
            resent: true,
        };
    }
    match rest {
        // Source: cleanup/cleanup_api.c, since 3.10: it never came as far as the queue.
        b"removed (canceled)" => Event::Removed {
            queue_id,
            by: RemovedBy::Canceled,
        },
        b"removed (discarded)" => Event::Removed {
            queue_id,
            by: RemovedBy::Discarded,
        },
        // A message that cleanup itself returns. Source: global/log_adhoc.c.
        _ if rest.starts_with(b"to=<") => delivery::parse(Kind::Cleanup, queue_id, rest),
        _ => match acted(queue_id, rest) {
            Some(acted) => Event::Acted(acted),
            None => known(queue_id, rest),
        },
    }
}

/// Source: cleanup/cleanup_message.c cleanup_act_log; cleanup/cleanup_milter.c.
fn acted<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Option<Acted<'a>> {
    let mut cursor = Cursor::new(rest);
    let word = cursor.until_byte(b':')?;
    if !cursor.eat(b" ") {
        return None;
    }
    let action = check_of_milter(word).or_else(|| whatsup::action(word))?;
    let what = cursor.rest();
    for (class, stage) in CLASSES {
        if let Some(content) = what.strip_prefix(*class) {
            return Some(check(queue_id, action, word, *stage, content));
        }
    }
    whatsup::parse(Some(queue_id), action, word, what)
}

const CLASSES: &[(&[u8], Stage)] = &[
    (b"header ", Stage::Header),
    (b"body ", Stage::Body),
    (b"content ", Stage::Body),
    (b"mime-error ", Stage::Body),
];

/// `milter-header-reject`: milter_header_checks, on headers that a milter has added.
fn check_of_milter(word: &[u8]) -> Option<Action> {
    let word = word.strip_prefix(b"milter-")?;
    let word = word
        .strip_prefix(b"header-")
        .or_else(|| word.strip_prefix(b"body-"))?;
    Some(match word {
        b"reject" => Action::MilterReject,
        b"hold" => Action::MilterHold,
        b"discard" => Action::MilterDiscard,
        _ => Action::Note,
    })
}

/// `ACTION: header CONTENT from ORIGIN; from=<a> to=<b> proto=P helo=<h>[: TEXT]`.
///
/// The content is the sender's, and so is what follows the origin. Where ` from NAME[ADDRESS];`
/// stands more than once, no rule can tell which is Postfix's: then nothing is taken from it, and
/// the client is the one of the message's own `client=` line.
fn check<'a>(
    queue_id: &'a [u8],
    action: Action,
    word: &'a [u8],
    stage: Stage,
    content: &'a [u8],
) -> Acted<'a> {
    let mut acted = whatsup::without_client(Some(queue_id), action, word, stage, content);
    let mut found: Option<(Client<'a>, whatsup::Fields<'a>)> = None;
    for at in memchr::memmem::find_iter(content, b" from ") {
        let Some(after) = content.get(at + b" from ".len()..) else {
            break;
        };
        let Some((client, rest)) = origin(after) else {
            continue;
        };
        if found.is_some() {
            return acted;
        }
        match whatsup::read_fields(rest) {
            Some(fields) => found = Some((client, fields)),
            None => return acted,
        }
    }
    if let Some((client, fields)) = found {
        acted.client = client;
        acted.sender = fields.sender;
        acted.recipient = fields.recipient;
        acted.protocol = fields.protocol;
        acted.helo = fields.helo;
        if let Some(comment) = fields.comment {
            let (code, dsn, _) = whatsup::read_codes(comment);
            acted.code = code;
            acted.dsn = dsn;
            acted.reason = reject::of_content(comment);
        }
    }
    acted
}

/// `NAME[ADDRESS]`, `local`, `unknown`; then `;`.
fn origin(text: &[u8]) -> Option<(Client<'_>, &[u8])> {
    for word in [&b"local;"[..], b"unknown;"] {
        if let Some(rest) = text.strip_prefix(word) {
            return Some((Client::default(), rest));
        }
    }
    let mut cursor = Cursor::new(text);
    let client = client(&mut cursor)?;
    cursor.eat(b";").then_some((client, cursor.rest()))
}

pub(super) fn known<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    // Source: cleanup/cleanup_masquerade.c; global/bounce.c.
    if rest.ends_with(b"map lookup problem -- message not accepted, try again later")
        || rest.starts_with(b"status=deferred (") && rest.ends_with(b" failed)")
    {
        process::other_of(queue_id, rest)
    } else {
        Event::Unparsed
    }
}

/// Whether an action is one of its checks, not smtpd's.
pub(super) fn is_own(rest: &[u8]) -> bool {
    split_once(rest, b": ").is_some_and(|(word, what)| {
        word.starts_with(b"milter-header-")
            || word.starts_with(b"milter-body-")
            || CLASSES.iter().any(|(class, _)| what.starts_with(class))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::event::{Dsn, RejectReason};

    const ID: &[u8] = b"4C9E41A0B2";

    #[test]
    fn lines() {
        for (line, event) in [
            (
                "4C9E41A0B2: message-id=<x@example.com>",
                Event::MessageId {
                    queue_id: ID,
                    message_id: b"<x@example.com>",
                    resent: false,
                },
            ),
            (
                "4C9E41A0B2: message-id=<>",
                Event::MessageId {
                    queue_id: ID,
                    message_id: b"<>",
                    resent: false,
                },
            ),
            (
                "4C9E41A0B2: message-id=no brackets: removed",
                Event::MessageId {
                    queue_id: ID,
                    message_id: b"no brackets: removed",
                    resent: false,
                },
            ),
            (
                "4C9E41A0B2: resent-message-id=<x@y>",
                Event::MessageId {
                    queue_id: ID,
                    message_id: b"<x@y>",
                    resent: true,
                },
            ),
            (
                "4C9E41A0B2: removed (canceled)",
                Event::Removed {
                    queue_id: ID,
                    by: RemovedBy::Canceled,
                },
            ),
            (
                "4C9E41A0B2: removed (discarded)",
                Event::Removed {
                    queue_id: ID,
                    by: RemovedBy::Discarded,
                },
            ),
            ("4C9E41A0B2: removed", Event::Unparsed),
            (
                "4C9E41A0B2: canonical_maps map lookup problem -- message not accepted, try again later",
                process::other_of(
                    ID,
                    b"canonical_maps map lookup problem -- message not accepted, try again later",
                ),
            ),
        ] {
            assert_eq!(parse(line.as_bytes()), event, "{line}");
        }
        assert!(matches!(parse(b"4C9E41A0B2: to=<a@b>, relay=none, delay=0, delays=0/0/0/0, dsn=5.4.6, status=bounced (hopcount exceeded)"), Event::Delivery(_)));
        assert!(matches!(
            parse(b"warning: 4C9E41A0B2: queue file size limit exceeded"),
            Event::Other {
                queue_id: Some(ID),
                ..
            }
        ));
    }

    fn acted(line: &str) -> Acted<'_> {
        match parse(line.as_bytes()) {
            Event::Acted(acted) => acted,
            event => panic!("{line}: {event:?}"),
        }
    }

    #[test]
    fn checks() {
        let a = acted(
            "4C9E41A0B2: reject: header Subject: cheap pills from mail.example.com[192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>: 5.7.1 no pills here",
        );
        assert_eq!(
            (a.action, a.stage, a.reason),
            (Action::Reject, Stage::Header, RejectReason::Content)
        );
        assert_eq!(a.client.address, "192.0.2.7".parse().ok());
        assert_eq!(
            (a.sender, a.recipient, a.helo),
            (Some(&b"a@b"[..]), Some(&b"c@d"[..]), Some(&b"x"[..]))
        );
        assert_eq!(
            a.dsn,
            Some(Dsn {
                class: 5,
                subject: 7,
                detail: 1
            })
        );
        for (line, action, stage) in [
            (
                "4C9E41A0B2: warning: header Subject: x from local; from=<a@b> to=<c@d>",
                Action::Note,
                Stage::Header,
            ),
            (
                "4C9E41A0B2: hold: header Subject: x from unknown[192.0.2.7]; from=<a@b> to=<c@d> proto=SMTP helo=<x>: look",
                Action::Hold,
                Stage::Header,
            ),
            (
                "4C9E41A0B2: discard: body bad words from unknown[192.0.2.7]; from=<a@b> to=<c@d> proto=SMTP helo=<x>",
                Action::Discard,
                Stage::Body,
            ),
            (
                "4C9E41A0B2: prepend: header Subject: x from local; from=<a@b>: X-Seen: yes",
                Action::Note,
                Stage::Header,
            ),
            (
                "4C9E41A0B2: reject: mime-error improper use of 8-bit data in message header: x from unknown[192.0.2.7]; from=<a@b> to=<c@d>",
                Action::Reject,
                Stage::Body,
            ),
            (
                "4C9E41A0B2: milter-header-hold: header X-Spam: yes from unknown[192.0.2.7]; from=<a@b> to=<c@d> proto=SMTP helo=<x>",
                Action::MilterHold,
                Stage::Header,
            ),
            (
                "4C9E41A0B2: milter-header-warning: header X-Spam: yes from unknown[192.0.2.7]; from=<a@b> to=<c@d> proto=SMTP helo=<x>",
                Action::Note,
                Stage::Header,
            ),
            (
                "4C9E41A0B2: milter-reject: END-OF-MESSAGE from unknown[192.0.2.7]: 5.7.1 Spam message rejected; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::MilterReject,
                Stage::EndOfMessage,
            ),
            (
                "4C9E41A0B2: milter-discard: END-OF-MESSAGE from unknown[192.0.2.7]: milter triggers DISCARD action; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::MilterDiscard,
                Stage::EndOfMessage,
            ),
            (
                "4C9E41A0B2: milter-hold: END-OF-MESSAGE from localhost[127.0.0.1]: milter triggers HOLD action; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::MilterHold,
                Stage::EndOfMessage,
            ),
        ] {
            let a = acted(line);
            assert_eq!((a.action, a.stage), (action, stage), "{line}");
            assert_eq!(a.sender, Some(&b"a@b"[..]), "{line}");
        }
        // Cut by the 200 bytes of the header, or by a logger.
        let a = acted("4C9E41A0B2: reject: header Subject: x");
        assert_eq!((a.client, a.text), (Client::default(), &b"Subject: x"[..]));
    }

    /// A header, a HELO that name another client: no client at all.
    #[test]
    fn hostile() {
        for line in [
            "4C9E41A0B2: reject: header Subject: x from evil[192.0.2.66]; from=<v@v> to=<w@w> proto=SMTP helo=<y> from mail.example.com[192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
            "4C9E41A0B2: reject: header Subject: x from mail.example.com[192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<x from evil[192.0.2.66]; from=<v@v>>",
            "4C9E41A0B2: reject: header Subject: from local; from evil[192.0.2.66]; x",
        ] {
            let a = acted(line);
            assert_eq!(a.client, Client::default(), "{line}");
            assert_eq!((a.sender, a.recipient), (None, None), "{line}");
            assert_eq!((a.action, a.queue_id), (Action::Reject, Some(ID)));
        }
    }
}
