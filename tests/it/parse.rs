//! No text of others changes what a line says beside it; no bytes at all make the parser panic.

use std::net::{IpAddr, Ipv4Addr};

use maillog_exporter::parse::{
    self, Action, AuthFailure, Event, Kind, Program, RejectReason, Relay, Service, Software, Stage,
    Status,
};
use maillog_exporter::record::Record;
use proptest::prelude::*;

fn read<'a>(tag: &str, message: &'a [u8]) -> Event<'a> {
    let record = Record {
        time_ms: None,
        host: b"mx1",
        program: b"",
        pid: Some(42),
        priority: None,
        message,
        repeated: 1,
    };
    parse::parse(&parse::classify(tag.as_bytes()), &record)
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Pieces of Postfix's own lines, for those who want theirs read as Postfix's.
const PIECES: &[&str] = &[
    ">",
    "<",
    ", ",
    ": ",
    "; ",
    ";",
    " ",
    "\"",
    "\\",
    "@",
    "(",
    ")",
    "x",
    " from ",
    " from evil[192.0.2.66]",
    " from evil[192.0.2.66];",
    "evil[192.0.2.66]: ",
    ">, relay=evil[192.0.2.66]:25",
    ">, orig_to=<",
    ", delay=9, delays=9/9/9/9, dsn=2.0.0",
    ", status=sent (250 2.0.0 Ok: queued as ABCDEF12)",
    ">, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (",
    ">, size=9, nrcpt=99 (queue active)",
    ">, status=expired, returned to sender",
    " queued as ABCDEF12",
    ", sasl_method=PLAIN",
    ", sasl_username=victim",
    "> sasl_method=PLAIN sasl_username=victim",
    "> sasl_username=<victim>",
    ", orig_queue_id=ABCDEF12",
    "; from=<v@v> to=<w@w> proto=SMTP helo=<y>",
    "> to=<w@w>",
    "> proto=SMTP helo=<y>",
    "> orig_id=ABCDEF12",
    "ABCDEF12: removed",
    "authentication aborted",
    " authentication failed: account disabled",
    "Relay access denied",
    ">: Recipient address rejected: User unknown",
    "blocked using zen.spamhaus.org",
    "discarded",
    "forwarded as ABCDEF12",
    "\u{e9}",
];

/// What somebody may write into one field.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::collection::vec(prop::sample::select(PIECES), 0..8).prop_map(|p| p.concat()),
        1 => "\\PC{0,60}",
    ]
}

/// A local part as Postfix writes it since 3.5: quoted, as soon as anything in it is odd.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn delivery(
        local in hostile(),
        orig in prop::option::of(hostile()),
        reply in hostile(),
    ) {
        let recipient = format!("{}@example.com", quoted(&local));
        let orig_to = orig.as_ref().map(|o| format!("{}@example.org", quoted(o)));
        let orig_field = orig_to.as_ref().map(|o| format!(", orig_to=<{o}>")).unwrap_or_default();
        let text = format!("host mx.example.com[192.0.2.25] said: 550 {reply} (in reply to RCPT TO command)");
        let line = format!("4C9E41A0B2: to=<{recipient}>{orig_field}, relay=mx.example.com[192.0.2.25]:25, conn_use=2, delay=1.5, delays=0.5/0/0/1, tls=may, dsn=5.1.1, status=bounced ({text})");
        match read("postfix/smtp", line.as_bytes()) {
            Event::Delivery(d) => {
                prop_assert_eq!(d.queue_id, b"4C9E41A0B2");
                prop_assert_eq!(d.recipient, recipient.as_bytes());
                prop_assert_eq!(d.recipient_domain(), b"example.com");
                prop_assert_eq!(d.orig_recipient, orig_to.as_ref().map(|o| o.as_bytes()));
                prop_assert_eq!(d.status, Status::Bounced);
                prop_assert_eq!(d.delay_ms, 1500);
                prop_assert_eq!(d.delay_stages_ms, Some([500, 0, 0, 1000]));
                prop_assert_eq!(d.connection_use, 2);
                prop_assert_eq!(d.tls, Some(&b"may"[..]));
                prop_assert_eq!(d.queued_as, None);
                prop_assert_eq!(d.forwarded_as, None);
                prop_assert_eq!(d.unreachable, None);
                prop_assert!(!d.swallowed());
                prop_assert_eq!(d.text, text.as_bytes());
                prop_assert_eq!(d.reply_code(), Some(550));
                let Relay::Host { name, address, port } = d.relay else {
                    return Err(TestCaseError::fail("relay"));
                };
                prop_assert_eq!((name, address, port), (&b"mx.example.com"[..], IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25)), Some(25)));
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// A recipient without anything odd: the reply alone is hostile, in any form of addresses.
    #[test]
    fn reply_of_a_delivery(reply in hostile()) {
        let line = format!("4C9E41A0B2: to=<bob@example.com>, relay=none, delay=1, status=deferred ({reply})");
        match read("postfix/smtp", line.as_bytes()) {
            Event::Delivery(d) => {
                prop_assert_eq!(d.recipient, b"bob@example.com");
                prop_assert_eq!((d.status, d.relay, d.dsn), (Status::Deferred, Relay::None, None));
                prop_assert_eq!(d.queued_as, None);
                let _ = (d.failure_reason(), d.blocklisted_by());
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// Whatever form: what follows the sender is Postfix's.
    #[test]
    fn queued(sender in hostile()) {
        let line = format!("4C9E41A0B2: from=<{sender}>, size=1234, nrcpt=7 (queue active)");
        let expected = Event::Queued {
            queue_id: b"4C9E41A0B2",
            sender: sender.as_bytes(),
            size_bytes: 1234,
            recipients: 7,
        };
        prop_assert_eq!(read("postfix/qmgr", line.as_bytes()), expected);
        prop_assert_eq!(read("postfix", line.as_bytes()), expected);
        let line = format!("4C9E41A0B2: from=<{sender}>, status=expired, returned to sender");
        let expected = Event::Expired {
            queue_id: b"4C9E41A0B2",
            sender: sender.as_bytes(),
            forced: false,
        };
        prop_assert_eq!(read("postfix/qmgr", line.as_bytes()), expected);
    }

    #[test]
    fn picked_up(sender in hostile()) {
        let line = format!("4C9E41A0B2: uid=33 from=<{sender}>");
        match read("postfix/pickup", line.as_bytes()) {
            Event::PickedUp(p) => {
                prop_assert_eq!((p.uid, p.sender, p.orig_queue_id), (33, sender.as_bytes(), None));
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    #[test]
    fn message_id(id in hostile()) {
        let line = format!("4C9E41A0B2: message-id={id}");
        let expected = Event::MessageId {
            queue_id: b"4C9E41A0B2",
            message_id: id.as_bytes(),
            resent: false,
        };
        prop_assert_eq!(read("postfix/cleanup", line.as_bytes()), expected);
        prop_assert_eq!(read("postfix", line.as_bytes()), expected);
    }

    #[test]
    fn failed_login(user in hostile()) {
        let line = format!("warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={user}");
        match read("postfix/smtpd", line.as_bytes()) {
            Event::AuthFailure(AuthFailure { client, mechanism, reason, user: read, .. }) => {
                prop_assert_eq!(client.address, Some(CLIENT));
                prop_assert_eq!(mechanism, b"LOGIN");
                prop_assert_eq!(reason, parse::AuthReason::BadCredentials);
                // A name with our words in it is its own end.
                if let Some(read) = read {
                    prop_assert!(user.as_bytes().ends_with(read));
                }
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// smtpd's rejects: the client, the action, the stage, the code; and the reason, where the text is
    /// Postfix's.
    #[test]
    fn reject(sender in hostile(), recipient in hostile(), helo in hostile()) {
        let line = format!(
            "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example.org; from=<{}@example.com> to=<{}@example.org> proto=ESMTP helo=<{helo}>",
            quoted(&sender), quoted(&recipient),
        );
        match read("postfix/smtpd", line.as_bytes()) {
            Event::Acted(a) => {
                prop_assert_eq!(a.client.address, Some(CLIENT));
                prop_assert_eq!((a.queue_id, a.action, a.stage), (None, Action::Reject, Stage::Rcpt));
                prop_assert_eq!((a.code, a.reason), (Some(554), RejectReason::Blocklist));
                prop_assert_eq!(a.user, None);
                prop_assert_eq!(a.text, b"554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example.org");
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
        let recipient = format!("{recipient}@example.org");
        let line = format!(
            "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 <{recipient}>: Relay access denied; from=<a@example.com> to=<{}@example.org> proto=ESMTP helo=<{helo}>",
            quoted(&recipient),
        );
        match read("postfix/smtpd", line.as_bytes()) {
            Event::Acted(a) => {
                prop_assert_eq!(a.client.address, Some(CLIENT));
                prop_assert_eq!((a.queue_id, a.action, a.stage), (None, Action::Reject, Stage::Rcpt));
                prop_assert_eq!(a.code, Some(554));
                prop_assert_eq!(a.user, None);
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// The user of 3.10 and later stands behind a hostile HELO.
    #[test]
    fn user_of_a_reject(helo in hostile()) {
        let line = format!("NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 <b@example.org>: Relay access denied; from=<a@example.com> to=<b@example.org> proto=ESMTP helo=<{helo}> sasl_method=PLAIN sasl_username=bob");
        match read("postfix/submission/smtpd", line.as_bytes()) {
            Event::Acted(a) => prop_assert!(a.user.is_none() || a.user == Some(b"bob"), "{:?}", a.user),
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// A header's text stands before the client: no client but the real one, or none.
    #[test]
    fn header_check(header in hostile(), sender in hostile(), helo in hostile()) {
        let line = format!(
            "4C9E41A0B2: reject: header Subject: {header} from unknown[192.0.2.7]; from=<{}@example.com> to=<c@d> proto=ESMTP helo=<{helo}>: 5.7.1 no",
            quoted(&sender),
        );
        match read("postfix/cleanup", line.as_bytes()) {
            Event::Acted(a) => {
                prop_assert!(a.client.address.is_none() || a.client.address == Some(CLIENT), "{:?}", a.client);
                prop_assert_eq!((a.action, a.stage, a.queue_id), (Action::Reject, Stage::Header, Some(&b"4C9E41A0B2"[..])));
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// `MAIL FROM:<> AUTH=...` of a client that is logged in.
    #[test]
    fn sasl_sender(sender in hostile()) {
        let line = format!("4C9E41A0B2: client=unknown[192.0.2.7], sasl_method=PLAIN, sasl_username=bob, sasl_sender={sender}");
        match read("postfix/submission/smtpd", line.as_bytes()) {
            Event::ClientAccepted(a) => {
                prop_assert_eq!(a.client.address, Some(CLIENT));
                prop_assert_eq!(a.user, Some(&b"bob"[..]));
                if sender.contains(' ') {
                    prop_assert_eq!(a.orig_queue_id, None);
                }
                prop_assert_eq!(a.orig_client, None);
            }
            event => return Err(TestCaseError::fail(format!("{event:?}"))),
        }
    }

    /// No bytes panic, in no daemon, and so for what is asked of the event.
    #[test]
    fn any_bytes(start in prop::sample::select(STARTS), bytes in prop::collection::vec(any::<u8>(), 0..200), text in hostile()) {
        for message in [&bytes[..], &[start.as_bytes(), &bytes].concat(), &[start.as_bytes(), text.as_bytes(), &bytes].concat()] {
            every_way(message);
        }
    }

    /// A line cut anywhere.
    #[test]
    fn cut_lines(line in prop::sample::select(LINES), at in 0usize..300) {
        let bytes = line.as_bytes();
        every_way(&bytes[..at.min(bytes.len())]);
    }
}

fn every_way(message: &[u8]) {
    let _ = parse::severity(message);
    let _ = parse::classify(message);
    let record = Record {
        time_ms: None,
        host: b"",
        program: b"",
        pid: None,
        priority: None,
        message,
        repeated: 1,
    };
    for kind in KINDS {
        let program = Program {
            software: Software::Postfix,
            process: b"",
            instance: b"postfix",
            service_name: None,
            service: Service::Other,
            kind: *kind,
        };
        match parse::parse(&program, &record) {
            Event::Delivery(d) => {
                let _ = (
                    d.failure_reason(),
                    d.blocklisted_by(),
                    d.swallowed(),
                    d.recipient_domain(),
                    d.reply_code(),
                );
            }
            Event::Disconnect { commands, .. } => {
                let _ = (commands.iter().count(), commands.get(b"auth"));
            }
            _ => {}
        }
    }
}

const KINDS: &[Kind] = &[
    Kind::Smtpd,
    Kind::Cleanup,
    Kind::Qmgr,
    Kind::Pickup,
    Kind::Smtp,
    Kind::Lmtp,
    Kind::Local,
    Kind::Virtual,
    Kind::Pipe,
    Kind::Error,
    Kind::Discard,
    Kind::Bounce,
    Kind::Postsuper,
    Kind::PostfixBare,
    Kind::PostfixOther,
    Kind::Unknown,
];

const STARTS: &[&str] = &[
    "4C9E41A0B2: ",
    "4C9E41A0B2: to=<",
    "4C9E41A0B2: to=<a@b>, relay=",
    "4C9E41A0B2: to=<a@b>, relay=x, delay=",
    "4C9E41A0B2: to=<a@b>, relay=x, delay=1, status=bounced (",
    "4C9E41A0B2: to=<a@b>, relay=x, delay=1, status=bounced (host x[192.0.2.1] said: 550 ",
    "4C9E41A0B2: from=<",
    "4C9E41A0B2: client=",
    "4C9E41A0B2: uid=",
    "4C9E41A0B2: reject: header ",
    "4C9E41A0B2: milter-reject: END-OF-MESSAGE from ",
    "NOQUEUE: reject: RCPT from x[192.0.2.1]: ",
    "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 <",
    "warning: x[192.0.2.1]: SASL ",
    "warning: x[192.0.2.1]: SASL PLAIN authentication failed: ",
    "connect from ",
    "disconnect from x[192.0.2.1] ",
    "lost connection after ",
    "proxy-accept: ",
    "connect to ",
];

const LINES: &[&str] = &[
    "4C9E41A0B2: to=<\"b \\\" b\"@example.com>, orig_to=<info@example.org>, relay=mx.example.com[2001:db8::1]:25, conn_use=3, delay=1.6, delays=0.02/0/0.58/1, tls=may:none, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9F3B1C02D7)",
    "4C9E41A0B2: from=<bob@example.com>, size=1234, nrcpt=17 (queue active)",
    "4C9E41A0B2: client=mail.example.com[192.0.2.7], sasl_method=PLAIN, sasl_username=bob, sasl_sender=x, orig_queue_id=9F3B1C02D7, orig_client=unknown[2001:db8::7]",
    "NOQUEUE: reject: RCPT from mail.example.com[192.0.2.7]: 554 5.7.1 <b@example.org>: Relay access denied; from=<a@example.com> to=<b@example.org> proto=ESMTP helo=<mail> sasl_method=PLAIN sasl_username=bob",
    "4C9E41A0B2: reject: header Subject: cheap pills from mail.example.com[192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>: 5.7.1 no pills here",
    "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=bob@example.com",
    "disconnect from mail.example.com[192.0.2.7] ehlo=1 auth=0/1 quit=1 commands=2/3",
];

/// A hostile line costs no more than its length: the rules that look for an end give up.
#[test]
#[allow(clippy::disallowed_methods, reason = "it is about time")]
fn long_lines() {
    for piece in PIECES {
        for start in STARTS {
            let mut message = start.as_bytes().to_vec();
            while message.len() < 65_536 {
                message.extend_from_slice(piece.as_bytes());
            }
            let begun = std::time::Instant::now();
            every_way(&message);
            let ms = begun.elapsed().as_millis();
            assert!(ms < 1000, "{start}{piece}: {ms} ms");
        }
    }
}
