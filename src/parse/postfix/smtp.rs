//! smtp(8) and lmtp(8), one program: delivery to other hosts and to LMTP sockets.

use super::{delivery, process, queue_id, tls};
use crate::parse::client::client;
use crate::parse::cursor::Cursor;
use crate::parse::event::{Event, Kind};

pub(super) fn parse(kind: Kind, message: &[u8]) -> Event<'_> {
    match queue_id::split(message) {
        Some((queue_id, rest)) if rest.starts_with(b"to=<") => {
            delivery::parse(kind, queue_id, rest)
        }
        Some((queue_id, rest)) => of_message(queue_id, rest),
        None => alone(message),
    }
}

/// A server that did not take the message, while another is still to be tried; and how the message
/// had to be changed. Nothing to count: the result line follows.
/// Source: smtp/smtp_trouble.c, smtp/smtp_proto.c, smtp/smtp_chat.c.
pub(super) fn of_message<'a>(queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    const STARTS: &[&[u8]] = &[
        b"host ",
        b"connect to ",
        b"lost connection with ",
        b"conversation with ",
        b"local data error while talking to ",
        b"Host or domain name not found.",
        b"mail for ",
        b"message size ",
        b"network address conversion failed: ",
        b"enabling PIX workarounds: ",
        b"breaking line > ",
        b"replacing server reply ",
        b"Cannot start TLS: ",
        b"TLS is required",
        b"Server certificate ",
        b"SASL authentication failed",
        b"Sender requested REQUIRETLS",
        b"SMTPUTF8 is required",
        b"unable to ",
        b"non DNSSEC destination",
        b"TLSA lookup error",
        b"no TLSA records found",
        b"passing <",
        b"server ",
        b"protocol error ",
        b"all network protocols are disabled",
        b"status=deferred (",
    ];
    if STARTS.iter().any(|start| rest.starts_with(start)) || is_check(rest) {
        process::other_of(queue_id, rest)
    } else {
        Event::Unparsed
    }
}

/// smtp_header_checks and smtp_body_checks. Source: smtp/smtp_proto.c smtp_hbc_logger.
fn is_check(rest: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"warning: ",
        b"info: ",
        b"replace: ",
        b"prepend: ",
        b"ignore: ",
        b"strip: ",
        b"filter: ",
    ];
    WORDS.iter().any(|word| {
        rest.strip_prefix(*word)
            .is_some_and(|rest| rest.starts_with(b"header ") || rest.starts_with(b"body "))
    })
}

/// `connect to mx.example.com[192.0.2.1]:25: Connection timed out`, before the next server is tried.
/// Source: smtp/smtp_connect.c.
fn alone(message: &[u8]) -> Event<'_> {
    let mut cursor = Cursor::new(message);
    if cursor.eat(b"connect to ") && client(&mut cursor).is_some() && cursor.eat(b": ")
        || tls::is_tls(message)
        || message.starts_with(b"SMTPS wrappermode (TCP port 465) requires ")
        || message.starts_with(b"host ") && message.ends_with(b"but not 8BITMIME")
        || message.starts_with(b"skipping SRV lookup for ")
        || message.starts_with(b"skipping address family ")
    {
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
        let recognised = |line: &'static str| match parse(Kind::Smtp, line.as_bytes()) {
            Event::Other { queue_id, .. } => Some(queue_id.is_some()),
            _ => None,
        };
        for line in [
            "4C9E41A0B2: host mx.example.com[192.0.2.1] said: 450 4.2.0 Greylisted (in reply to RCPT TO command)",
            "4C9E41A0B2: lost connection with mx.example.com[192.0.2.1] while performing the EHLO handshake",
            "4C9E41A0B2: conversation with mx.example.com[192.0.2.1] timed out while sending message body",
            "4C9E41A0B2: enabling PIX workarounds: disable_esmtp delay_dotcrlf for mx.example.com[192.0.2.1]:25",
            "4C9E41A0B2: breaking line > 998 bytes with <CR><LF>SPACE",
            "4C9E41A0B2: Cannot start TLS: handshake failure",
            "4C9E41A0B2: replace: header Received: by x: X-Received: by x",
        ] {
            assert_eq!(recognised(line), Some(true), "{line}");
        }
        for line in [
            "connect to mx.example.com[192.0.2.1]:25: Connection timed out",
            "connect to mx.example.com[2001:db8::1]:25: Network is unreachable",
            "connect to mx.example.com[private/lmtp]: No such file or directory",
            "Untrusted TLS connection established to mx.example.com[192.0.2.1]:25: TLSv1.3 with cipher x",
            "warning: no MX host for example.com has a valid address record",
        ] {
            assert_eq!(recognised(line), Some(false), "{line}");
        }
        assert_eq!(recognised("4C9E41A0B2: never heard of"), None);
        assert_eq!(recognised("connect to nowhere"), None);
        assert!(matches!(
            parse(Kind::Lmtp, b"4C9E41A0B2: to=<a@b>, relay=mx[private/lmtp], delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 <a@b> Saved)"),
            Event::Delivery(_)
        ));
    }
}
