//! smtpd(8), whatever its service is called: port 25, submission, a filter's way back in.
//!
//! Hostile: the client's name, HELO, all addresses, the SASL name of a failed login. A client is read
//! from the left, where only Postfix's own words precede it.

use super::{delivery, process, queue_id, tls, whatsup};
use crate::parse::client::client;
use crate::parse::cursor::{Cursor, find, split_once};
use crate::parse::event::{
    Acted, Action, AuthFailure, AuthReason, Client, ClientAccepted, CommandCount, CommandCounts,
    Dsn, Event, LossKind, RejectReason, Stage,
};

#[inline]
pub(super) fn parse(message: &[u8]) -> Event<'_> {
    match message.first() {
        Some(b'c') => connect(message),
        Some(b'd') => disconnect(message),
        Some(b'w') => warning(message),
        Some(b'l' | b't') => lost(None, message),
        Some(b'N') => message
            .strip_prefix(b"NOQUEUE: ")
            .map(|rest| of_session(None, rest)),
        Some(b'p') => proxy(None, message),
        _ => queue_id::split(message).map(|(queue_id, rest)| of_session(Some(queue_id), rest)),
    }
    .unwrap_or_else(|| known(message))
}

/// `connect from C`. Source: smtpd/smtpd.c.
#[inline]
fn connect(message: &[u8]) -> Option<Event<'_>> {
    let mut cursor = Cursor::new(message.strip_prefix(b"connect from ")?);
    let client = client(&mut cursor)?;
    cursor.is_empty().then_some(Event::Connect { client })
}

/// `disconnect from C ehlo=1 mail=1 quit=1 commands=3`; the statistics since 3.0.
/// Source: smtpd/smtpd.c smtpd_format_cmd_stats.
#[inline]
fn disconnect(message: &[u8]) -> Option<Event<'_>> {
    let mut cursor = Cursor::new(message.strip_prefix(b"disconnect from ")?);
    let client = client(&mut cursor)?;
    if !cursor.is_empty() && !cursor.eat(b" ") {
        return None;
    }
    Some(Event::Disconnect {
        client,
        commands: CommandCounts {
            text: cursor.rest(),
        },
    })
}

/// `lost connection after STAGE from C`; since 3.10 with `QID: ` or `NOQUEUE: ` before it.
/// Source: smtpd/smtpd.c smtpd_proto.
fn lost<'a>(queue_id: Option<&'a [u8]>, rest: &'a [u8]) -> Option<Event<'a>> {
    let (kind, rest) = if let Some(rest) = rest.strip_prefix(b"lost connection after ") {
        (LossKind::LostConnection, rest)
    } else if let Some(rest) = rest.strip_prefix(b"timeout after ") {
        (LossKind::Timeout, rest)
    } else {
        (
            LossKind::TooManyErrors,
            rest.strip_prefix(b"too many errors after ")?,
        )
    };
    let mut cursor = Cursor::new(rest);
    let stage = whatsup::stage(cursor.until(b" from ")?)?;
    let client = client(&mut cursor)?;
    cursor.is_empty().then_some(Event::LostConnection {
        queue_id,
        kind,
        stage,
        client,
    })
}

/// After `QID: ` or `NOQUEUE: `.
pub(super) fn of_session<'a>(queue_id: Option<&'a [u8]>, rest: &'a [u8]) -> Event<'a> {
    let event = match rest.first() {
        Some(b'c') => accepted(queue_id, rest).map(Event::ClientAccepted),
        Some(b'l' | b't') => lost(queue_id, rest),
        Some(b'p') => proxy(queue_id, rest),
        _ => None,
    };
    if let Some(event) = event {
        return event;
    }
    if let Some(acted) = acted(queue_id, rest) {
        return Event::Acted(acted);
    }
    // Source: smtpd/smtpd.c: `abort: TLS from C: why`; `replacing command "x" with "y"`.
    if rest.starts_with(b"abort: TLS from ") || rest.starts_with(b"replacing command ") {
        return Event::Other {
            queue_id,
            text: rest,
        };
    }
    Event::Unparsed
}

/// `client=C[, sasl_method=M][, sasl_username=U][, sasl_sender=S][, orig_queue_id=Q][, orig_client=C]`.
/// Source: smtpd/smtpd.c.
///
/// The login is one that the server has verified. `sasl_sender` is the client's own (`MAIL FROM ...
/// AUTH=`), so nothing after it is believed; `orig_*` comes from hosts that may use XFORWARD, and these
/// do not log in with a sender of their own.
#[inline]
fn accepted<'a>(queue_id: Option<&'a [u8]>, rest: &'a [u8]) -> Option<ClientAccepted<'a>> {
    let mut cursor = Cursor::new(rest.strip_prefix(b"client=")?);
    let mut accepted = ClientAccepted {
        queue_id,
        client: client(&mut cursor)?,
        mechanism: None,
        user: None,
        orig_queue_id: None,
        orig_client: None,
    };
    if cursor.is_empty() {
        return Some(accepted);
    }
    let mut rest = cursor.rest();
    if let Some(after) = rest.strip_prefix(b", sasl_method=") {
        let end = memchr::memchr(b',', after).unwrap_or(after.len());
        let (mechanism, after) = after.split_at_checked(end)?;
        accepted.mechanism = Some(mechanism);
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(b", sasl_username=") {
        let end = [
            &b", sasl_sender="[..],
            b", orig_queue_id=",
            b", orig_client=",
        ]
        .iter()
        .filter_map(|next| find(after, next))
        .min()
        .unwrap_or(after.len());
        let (user, after) = after.split_at_checked(end)?;
        accepted.user = Some(user);
        rest = after;
    }
    if rest.starts_with(b", sasl_sender=") {
        return Some(accepted);
    }
    if let Some(after) = rest.strip_prefix(b", orig_queue_id=") {
        let end = memchr::memchr(b',', after).unwrap_or(after.len());
        let (orig, after) = after.split_at_checked(end)?;
        accepted.orig_queue_id = queue_id::is_queue_id(orig).then_some(orig);
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(b", orig_client=") {
        let mut cursor = Cursor::new(after);
        accepted.orig_client = client_or_none(&mut cursor);
        return Some(accepted);
    }
    rest.is_empty().then_some(accepted)
}

fn client_or_none<'a>(cursor: &mut Cursor<'a>) -> Option<Client<'a>> {
    let client = client(cursor)?;
    cursor.is_empty().then_some(client)
}

/// `ACTION: STAGE from C: TEXT; ...`: see `whatsup`.
fn acted<'a>(queue_id: Option<&'a [u8]>, rest: &'a [u8]) -> Option<Acted<'a>> {
    let mut cursor = Cursor::new(rest);
    let word = cursor.until_byte(b':')?;
    let action = whatsup::action(word)?;
    if !cursor.eat(b" ") {
        return None;
    }
    whatsup::parse(queue_id, action, word, cursor.rest())
}

/// `proxy-accept: END-OF-MESSAGE: REPLY; from=<a> ...`: a before-queue filter has answered.
/// Source: smtpd/smtpd.c; older versions with `NOQUEUE: ` before it.
fn proxy<'a>(queue_id: Option<&'a [u8]>, rest: &'a [u8]) -> Option<Event<'a>> {
    let (word, action, rest) = if let Some(rest) = rest.strip_prefix(b"proxy-accept: ") {
        (&b"proxy-accept"[..], Action::Note, rest)
    } else {
        let rest = rest.strip_prefix(b"proxy-reject: ")?;
        (&b"proxy-reject"[..], Action::ProxyReject, rest)
    };
    let mut cursor = Cursor::new(rest);
    let stage = whatsup::stage(cursor.until_byte(b':')?)?;
    if !cursor.eat(b" ") {
        return None;
    }
    let (text, fields) = whatsup::split_text(cursor.rest());
    if action == Action::Note {
        return Some(Event::ProxyAccepted {
            queued_as: delivery::queued_as(text),
            text,
        });
    }
    let (code, dsn, reason) = super::reject::read(action, text);
    Some(Event::Acted(Acted {
        code,
        dsn,
        reason,
        sender: fields.sender,
        recipient: fields.recipient,
        protocol: fields.protocol,
        helo: fields.helo,
        user: fields.user,
        ..whatsup::without_client(queue_id, action, word, stage, text)
    }))
}

/// `warning: C: SASL M authentication failed: REASON[, sasl_username=U]`, `... aborted`.
/// Source: smtpd/smtpd_sasl_glue.c; the name since 3.9 and in the last patch levels of 3.5 to 3.8.
/// What libsasl says before it (`warning: SASL authentication failure: ...`) knows no client and is
/// the same try.
fn warning(message: &[u8]) -> Option<Event<'_>> {
    let rest = message.strip_prefix(b"warning: ")?;
    let mut cursor = Cursor::new(rest);
    if let Some(client) = client(&mut cursor) {
        if cursor.eat(b": SASL ") {
            return sasl(client, cursor).map(Event::AuthFailure);
        }
        return None;
    }
    limited(rest)
}

/// `WHAT limit exceeded: N from C for service S`: anvil(8) has counted too many.
///
/// Source: smtpd/smtpd.c smtpd_proto (421 at the connection), starttls_cmd (454), auth_cmd (450),
/// mail_cmd (450), rcpt_cmd (450). No `reject:` line tells of these.
fn limited(rest: &[u8]) -> Option<Event<'_>> {
    let (what, rest_of) = split_once(rest, b" limit exceeded: ")?;
    let (count, from) = split_once(rest_of, b" from ")?;
    let mut cursor = Cursor::new(from);
    let client = client(&mut cursor)?;
    if !count.iter().all(u8::is_ascii_digit) || !cursor.eat(b" for service ") {
        return None;
    }
    let (stage, code, dsn) = match what {
        b"AUTH command rate" => {
            return Some(Event::AuthFailure(AuthFailure {
                client,
                mechanism: b"",
                user: None,
                reason: AuthReason::RateLimited,
                text: rest,
            }));
        }
        b"Connection rate" | b"Connection concurrency" => (Stage::Connect, 421, (4, 7, 0)),
        b"New TLS session rate" => (Stage::Starttls, 454, (4, 7, 0)),
        b"Message delivery request rate" => (Stage::Mail, 450, (4, 7, 1)),
        b"Recipient address rate" => (Stage::Rcpt, 450, (4, 7, 1)),
        _ => return None,
    };
    let (class, subject, detail) = dsn;
    Some(Event::Acted(Acted {
        client,
        code: Some(code),
        dsn: Some(Dsn {
            class,
            subject,
            detail,
        }),
        reason: RejectReason::RateLimit,
        ..whatsup::without_client(None, Action::Reject, b"", stage, rest)
    }))
}

fn sasl<'a>(client: Client<'a>, mut cursor: Cursor<'a>) -> Option<AuthFailure<'a>> {
    let mechanism = cursor.until(b" authentication ")?;
    if cursor.rest() == b"aborted" {
        return Some(AuthFailure {
            client,
            mechanism,
            user: None,
            reason: AuthReason::Aborted,
            text: cursor.rest(),
        });
    }
    if !cursor.eat(b"failed:") {
        return None;
    }
    cursor.eat(b" ");
    let text = cursor.rest();
    // The name is what the client typed, and may hold the same words: the first are the server's.
    let (said, user) = match split_once(text, b", sasl_username=") {
        Some((said, b"" | b"(unavailable)")) => (said, None),
        Some((said, user)) => (said, Some(user)),
        None => (text, None),
    };
    Some(AuthFailure {
        client,
        mechanism,
        user,
        reason: auth_reason(said),
        text,
    })
}

/// Cyrus SASL's own words (lib/common.c sasl_errstring), Dovecot's, or the last challenge, which is
/// all that Postfix knew before it had `(reason unavailable)`.
fn auth_reason(said: &[u8]) -> AuthReason {
    let has = |word: &[u8]| find(said, word).is_some();
    match said {
        b"" | b"(reason unavailable)" | b"authentication failure" | b"authentication failed" => {
            AuthReason::BadCredentials
        }
        b"user not found" => AuthReason::UnknownUser,
        b"no mechanism available" | b"mechanism too weak for this user" => AuthReason::NoMechanism,
        b"encryption needed to use mechanism" => AuthReason::PlaintextRefused,
        b"authorization failure" => AuthReason::Policy,
        b"Invalid base64 data" | b"bad protocol / cancel" => AuthReason::Other,
        b"generic failure"
        | b"remote authentication server unavailable"
        | b"no memory available"
        | b"transient failure (e.g., weak key)"
        | b"user exists, but no verifier for user" => AuthReason::Backend,
        b"account disabled" | b"passphrase expired" | b"passphrase locked" => AuthReason::Disabled,
        _ if is_challenge(said) => AuthReason::BadCredentials,
        _ if has(b"Invalid authentication mechanism")
            || has(b"nsupported authentication mechanism") =>
        {
            AuthReason::NoMechanism
        }
        _ if has(b"Connection lost to authentication server")
            || has(b"emporary authentication failure")
            || has(b"uthentication server") =>
        {
            AuthReason::Backend
        }
        _ if has(b"laintext authentication") => AuthReason::PlaintextRefused,
        _ if has(b"isabled") || has(b"xpired") || has(b"locked") || has(b"inactive") => {
            AuthReason::Disabled
        }
        _ if has(b"nknown user") || has(b"ser unknown") => AuthReason::UnknownUser,
        _ if has(b"rate limit") || has(b"oo many") => AuthReason::RateLimited,
        _ if has(b"assword mismatch")
            || has(b"nvalid credentials")
            || has(b"uthentication failure")
            || has(b"uthentication failed") =>
        {
            AuthReason::BadCredentials
        }
        _ => AuthReason::Other,
    }
}

/// `UGFzc3dvcmQ6` ("Password:"), a CRAM-MD5 challenge: base64, without a space.
fn is_challenge(said: &[u8]) -> bool {
    said.len() >= 4
        && said.len().is_multiple_of(4)
        && said
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// Recognised, with nothing to count here.
fn known(message: &[u8]) -> Event<'_> {
    // Source: smtpd/smtpd.c.
    if message.starts_with(b"improper command pipelining after ")
        || message.starts_with(b"mapping DSN status ")
        || message.starts_with(b"skipping address family ")
        || tls::is_tls(message)
    {
        return process::other(message);
    }
    // Source: smtpd/smtpd_chat.c: `C: reply filter in: ...`.
    let mut cursor = Cursor::new(message);
    if client(&mut cursor).is_some()
        && (cursor.eat(b": reply filter ") || cursor.eat(b": replacing command "))
    {
        return process::other(message);
    }
    process::parse(message)
}

impl<'a> CommandCounts<'a> {
    /// Each command, as logged; `commands`, their sum, is the last.
    pub fn iter(&self) -> impl Iterator<Item = CommandCount<'a>> + use<'a> {
        self.text.split(|&byte| byte == b' ').filter_map(|word| {
            let mut cursor = Cursor::new(word);
            let command = cursor.until_byte(b'=')?;
            let ok = cursor.number_u32()?;
            let total = if cursor.eat(b"/") {
                cursor.number_u32()?
            } else {
                ok
            };
            cursor
                .is_empty()
                .then_some(CommandCount { command, ok, total })
        })
    }

    /// `None` where the client did not use the command.
    pub fn get(&self, command: &[u8]) -> Option<CommandCount<'a>> {
        self.iter().find(|count| count.command == command)
    }
}

/// Whether a line without a queue id is smtpd's by its text.
pub(super) fn is_own(message: &[u8]) -> bool {
    let starts = |word: &[u8]| message.starts_with(word);
    starts(b"connect from ")
        || starts(b"disconnect from ")
        || starts(b"lost connection after ")
        || starts(b"timeout after ")
        || starts(b"too many errors after ")
        || starts(b"proxy-accept: ")
        || starts(b"proxy-reject: ")
        || starts(b"NOQUEUE: ")
        || starts(b"warning: ")
        || starts(b"improper command pipelining ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const CLIENT: Client<'static> = Client {
        name: b"mail.example.com",
        address: Some(ADDRESS),
        port: None,
    };
    const ID: &[u8] = b"4C9E41A0B2";

    #[test]
    fn sessions() {
        let client = CLIENT;
        let with_port = Client {
            port: Some(4711),
            ..CLIENT
        };
        let unknown = Client {
            name: b"unknown",
            address: None,
            port: None,
        };
        let counts = |text: &'static str| CommandCounts {
            text: text.as_bytes(),
        };
        for (line, event) in [
            (
                "connect from mail.example.com[192.0.2.7]",
                Event::Connect { client },
            ),
            (
                "connect from mail.example.com[192.0.2.7]:4711",
                Event::Connect { client: with_port },
            ),
            (
                "connect from unknown[unknown]",
                Event::Connect { client: unknown },
            ),
            (
                "disconnect from mail.example.com[192.0.2.7]",
                Event::Disconnect {
                    client,
                    commands: counts(""),
                },
            ),
            (
                "disconnect from mail.example.com[192.0.2.7] ehlo=1 auth=0/1 quit=1 commands=2/3",
                Event::Disconnect {
                    client,
                    commands: counts("ehlo=1 auth=0/1 quit=1 commands=2/3"),
                },
            ),
            (
                "lost connection after AUTH from mail.example.com[192.0.2.7]",
                Event::LostConnection {
                    queue_id: None,
                    kind: LossKind::LostConnection,
                    stage: Stage::Auth,
                    client,
                },
            ),
            (
                "timeout after DATA (12345 bytes) from mail.example.com[192.0.2.7]",
                Event::LostConnection {
                    queue_id: None,
                    kind: LossKind::Timeout,
                    stage: Stage::Data,
                    client,
                },
            ),
            (
                "NOQUEUE: too many errors after RCPT from mail.example.com[192.0.2.7]",
                Event::LostConnection {
                    queue_id: None,
                    kind: LossKind::TooManyErrors,
                    stage: Stage::Rcpt,
                    client,
                },
            ),
            (
                "4C9E41A0B2: lost connection after BDAT (12 bytes) from mail.example.com[192.0.2.7]:4711",
                Event::LostConnection {
                    queue_id: Some(ID),
                    kind: LossKind::LostConnection,
                    stage: Stage::Bdat,
                    client: with_port,
                },
            ),
            ("connect from somewhere", Event::Unparsed),
            (
                "connect from mail.example.com[192.0.2.7] and more",
                Event::Unparsed,
            ),
            (
                "lost connection after x y from mail.example.com[192.0.2.7]",
                Event::Unparsed,
            ),
            ("", Event::Unparsed),
        ] {
            assert_eq!(parse(line.as_bytes()), event, "{line}");
        }
    }

    #[test]
    fn commands() {
        let counts = CommandCounts {
            text: b"ehlo=1 auth=0/12 mail=2 unknown=0/1 commands=3/16 x =1 y=z",
        };
        let all: Vec<_> = counts.iter().map(|c| (c.command, c.ok, c.total)).collect();
        assert_eq!(
            all,
            [
                (&b"ehlo"[..], 1, 1),
                (&b"auth"[..], 0, 12),
                (&b"mail"[..], 2, 2),
                (&b"unknown"[..], 0, 1),
                (&b"commands"[..], 3, 16),
                (&b""[..], 1, 1),
            ]
        );
        assert_eq!(
            counts.get(b"auth"),
            Some(CommandCount {
                command: b"auth",
                ok: 0,
                total: 12
            })
        );
        assert_eq!(counts.get(b"quit"), None);
    }

    #[test]
    fn accepted_clients() {
        let plain = ClientAccepted {
            queue_id: Some(ID),
            client: CLIENT,
            mechanism: None,
            user: None,
            orig_queue_id: None,
            orig_client: None,
        };
        let orig = Client {
            name: b"unknown",
            address: Some("2001:db8::7".parse().unwrap()),
            port: None,
        };
        let bob = ClientAccepted {
            mechanism: Some(b"PLAIN"),
            user: Some(b"bob"),
            ..plain
        };
        let of = |line: &'static str, accepted| {
            assert_eq!(
                parse(line.as_bytes()),
                Event::ClientAccepted(accepted),
                "{line}"
            );
        };
        of("4C9E41A0B2: client=mail.example.com[192.0.2.7]", plain);
        of(
            "NOQUEUE: client=mail.example.com[192.0.2.7]",
            ClientAccepted {
                queue_id: None,
                ..plain
            },
        );
        of(
            "4C9E41A0B2: client=mail.example.com[192.0.2.7], sasl_method=PLAIN, sasl_username=bob",
            bob,
        );
        of(
            "4C9E41A0B2: client=mail.example.com[192.0.2.7], sasl_method=PLAIN, sasl_username=bob, sasl_sender=x@y",
            bob,
        );
        of(
            "4C9E41A0B2: client=mail.example.com[192.0.2.7], orig_queue_id=9F3B1C02D7, orig_client=unknown[2001:db8::7]",
            ClientAccepted {
                orig_queue_id: Some(b"9F3B1C02D7"),
                orig_client: Some(orig),
                ..plain
            },
        );
        of(
            "4C9E41A0B2: client=mail.example.com[192.0.2.7], sasl_method=PLAIN, sasl_username=bob, orig_queue_id=9F3B1C02D7",
            ClientAccepted {
                orig_queue_id: Some(b"9F3B1C02D7"),
                ..bob
            },
        );
        // A client that is logged in writes its own `AUTH=`.
        of(
            "4C9E41A0B2: client=mail.example.com[192.0.2.7], sasl_method=PLAIN, sasl_username=bob, sasl_sender=x, orig_queue_id=9F3B1C02D7",
            bob,
        );
        assert_eq!(
            parse(b"4C9E41A0B2: client=mail.example.com[192.0.2.7], other=x"),
            Event::Unparsed
        );
    }

    #[test]
    fn rejects() {
        let line = "NOQUEUE: reject: RCPT from mail.example.com[192.0.2.7]: 554 5.7.1 <b@example.org>: Relay access denied; from=<a@example.com> to=<b@example.org> proto=ESMTP helo=<mail>";
        assert_eq!(
            parse(line.as_bytes()),
            Event::Acted(Acted {
                queue_id: None,
                action: Action::Reject,
                word: b"reject",
                stage: Stage::Rcpt,
                client: CLIENT,
                code: Some(554),
                dsn: Some(Dsn {
                    class: 5,
                    subject: 7,
                    detail: 1
                }),
                reason: RejectReason::RelayDenied,
                text: b"554 5.7.1 <b@example.org>: Relay access denied",
                sender: Some(b"a@example.com"),
                recipient: Some(b"b@example.org"),
                protocol: Some(b"ESMTP"),
                helo: Some(b"mail"),
                user: None,
            })
        );
        for (line, action, stage, reason) in [
            (
                "NOQUEUE: reject: CONNECT from mail.example.com[192.0.2.7]: 554 5.7.1 <mail.example.com[192.0.2.7]>: Client host rejected: Access denied; proto=SMTP",
                Action::Reject,
                Stage::Connect,
                RejectReason::Policy,
            ),
            (
                "4C9E41A0B2: reject: DATA content from mail.example.com[192.0.2.7]: bare <LF> received; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::Reject,
                Stage::Data,
                RejectReason::Protocol,
            ),
            (
                "NOQUEUE: reject_warning: RCPT from mail.example.com[192.0.2.7]: 450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::Note,
                Stage::Rcpt,
                RejectReason::ClientHostname,
            ),
            (
                "NOQUEUE: hold: RCPT from mail.example.com[192.0.2.7]: <c@d>: Recipient address triggers HOLD action; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::Hold,
                Stage::Rcpt,
                RejectReason::Other,
            ),
            (
                "NOQUEUE: discard: RCPT from mail.example.com[192.0.2.7]: <c@d>: Recipient address triggers DISCARD action; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::Discard,
                Stage::Rcpt,
                RejectReason::Other,
            ),
            (
                "4C9E41A0B2: milter-reject: END-OF-MESSAGE from mail.example.com[192.0.2.7]: 554 5.7.1 Spam message rejected; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::MilterReject,
                Stage::EndOfMessage,
                RejectReason::Content,
            ),
            (
                "NOQUEUE: milter-reject: RCPT from mail.example.com[192.0.2.7]: 451 4.7.1 Service unavailable - try again later; from=<a@b> to=<c@d> proto=ESMTP helo=<x> sasl_username=<bob>",
                Action::MilterReject,
                Stage::Rcpt,
                RejectReason::Resources,
            ),
            (
                "NOQUEUE: filter: RCPT from mail.example.com[192.0.2.7]: <c@d>: Recipient address triggers FILTER smtp:[127.0.0.1]:10024; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::Note,
                Stage::Rcpt,
                RejectReason::Other,
            ),
            (
                "4C9E41A0B2: permit: RCPT from mail.example.com[192.0.2.7]: action=permit_mynetworks for Client host=mail; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
                Action::Note,
                Stage::Rcpt,
                RejectReason::Other,
            ),
            (
                "4C9E41A0B2: reject: DATA from mail.example.com[192.0.2.7]: 421 4.3.0 mx Server local data error",
                Action::Reject,
                Stage::Data,
                RejectReason::Resources,
            ),
        ] {
            match parse(line.as_bytes()) {
                Event::Acted(acted) => {
                    assert_eq!(
                        (acted.action, acted.stage, acted.reason),
                        (action, stage, reason),
                        "{line}"
                    );
                    assert_eq!(acted.client, CLIENT, "{line}");
                    assert_eq!(acted.user, None, "{line}");
                }
                event => panic!("{line}: {event:?}"),
            }
        }
    }

    #[test]
    fn before_queue_filters() {
        let line = b"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 9F3B1C02D7; from=<a@b> to=<c@d> proto=ESMTP helo=<x>";
        let accepted = Event::ProxyAccepted {
            queued_as: Some(b"9F3B1C02D7"),
            text: b"250 2.0.0 Ok: queued as 9F3B1C02D7",
        };
        assert_eq!(parse(line), accepted);
        let line = b"NOQUEUE: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 9F3B1C02D7; from=<a@b> to=<c@d> proto=ESMTP helo=<; queued as AAAAAA>";
        assert_eq!(parse(line), accepted);
        let line = b"proxy-reject: END-OF-MESSAGE: 554 5.7.1 Rejected as spam; from=<a@b> to=<c@d> proto=ESMTP helo=<x>";
        match parse(line) {
            Event::Acted(acted) => {
                assert_eq!(acted.action, Action::ProxyReject);
                assert_eq!(
                    (acted.code, acted.reason),
                    (Some(554), RejectReason::Content)
                );
                assert_eq!(acted.recipient, Some(&b"c@d"[..]));
                assert_eq!(acted.client, Client::default());
            }
            event => panic!("{event:?}"),
        }
    }

    #[test]
    fn failed_logins() {
        let read = |line: &'static str| match parse(line.as_bytes()) {
            Event::AuthFailure(failure) => {
                assert_eq!(failure.client.address, Some(ADDRESS), "{line}");
                let text = |bytes: &'static [u8]| std::str::from_utf8(bytes).unwrap();
                Some((
                    text(failure.mechanism),
                    failure.user.map(text),
                    failure.reason,
                ))
            }
            _ => None,
        };
        use AuthReason::*;
        for (line, mechanism, user, reason) in [
            (
                "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
                "LOGIN",
                None,
                BadCredentials,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=bob@example.com",
                "LOGIN",
                Some("bob@example.com"),
                BadCredentials,
            ),
            (
                "warning: unknown[192.0.2.7]:4711: SASL PLAIN authentication failed: (reason unavailable), sasl_username=bob",
                "PLAIN",
                Some("bob"),
                BadCredentials,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: authentication failure, sasl_username=(unavailable)",
                "PLAIN",
                None,
                BadCredentials,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: ",
                "PLAIN",
                None,
                BadCredentials,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed:",
                "PLAIN",
                None,
                BadCredentials,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: generic failure",
                "PLAIN",
                None,
                Backend,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username=(unavailable)",
                "PLAIN",
                None,
                Backend,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: Temporary authentication failure",
                "PLAIN",
                None,
                Backend,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL XYZ authentication failed: no mechanism available",
                "XYZ",
                None,
                NoMechanism,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL XYZ authentication failed: Invalid authentication mechanism",
                "XYZ",
                None,
                NoMechanism,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL CRAM-MD5 authentication failed: user not found, sasl_username=bob",
                "CRAM-MD5",
                Some("bob"),
                UnknownUser,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: Invalid base64 data in continued response",
                "PLAIN",
                None,
                Other,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: account disabled",
                "PLAIN",
                None,
                Disabled,
            ),
            (
                "warning: unknown[192.0.2.7]: SASL LOGIN authentication aborted",
                "LOGIN",
                None,
                Aborted,
            ),
            (
                "warning: AUTH command rate limit exceeded: 13 from unknown[192.0.2.7] for service submission",
                "",
                None,
                RateLimited,
            ),
        ] {
            assert_eq!(read(line), Some((mechanism, user, reason)), "{line}");
        }
        for line in [
            "warning: SASL authentication failure: Password verification failed",
            "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused",
            "warning: Command rate limit exceeded: 61 from unknown[192.0.2.7] for service smtp",
            "warning: Connection rate limit exceeded: many from unknown[192.0.2.7] for service smtp",
            "warning: Connection rate limit exceeded: 61 from unknown[192.0.2.7]",
            "warning: hostname x.example.com does not resolve to address 192.0.2.7: Name or service not known",
            "warning: unknown[192.0.2.7]: request longer than 2048: x...",
            "warning: non-SMTP command from unknown[192.0.2.7]: GET / HTTP/1.1",
            "improper command pipelining after EHLO from unknown[192.0.2.7]: MAIL FROM:<x>\\r\\n",
            "Anonymous TLS connection established from unknown[192.0.2.7]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
            "SSL_accept error from unknown[192.0.2.7]: lost connection",
            "NOQUEUE: abort: TLS from unknown[192.0.2.7]: Client certificate not trusted",
            "table hash:/etc/postfix/virtual(0,lock|fold_fix) has changed -- restarting",
            "fatal: no SASL authentication mechanisms",
        ] {
            assert!(
                matches!(parse(line.as_bytes()), Event::Other { .. }),
                "{line}"
            );
        }
    }

    /// What is limited before it is heard.
    #[test]
    fn limits() {
        for (line, stage, code, dsn) in [
            (
                "warning: Connection concurrency limit exceeded: 51 from mail.example.com[192.0.2.7] for service smtp",
                Stage::Connect,
                421,
                (4, 7, 0),
            ),
            (
                "warning: Connection rate limit exceeded: 61 from mail.example.com[192.0.2.7] for service smtp",
                Stage::Connect,
                421,
                (4, 7, 0),
            ),
            (
                "warning: New TLS session rate limit exceeded: 11 from mail.example.com[192.0.2.7] for service submission",
                Stage::Starttls,
                454,
                (4, 7, 0),
            ),
            (
                "warning: Message delivery request rate limit exceeded: 101 from mail.example.com[192.0.2.7] for service smtp",
                Stage::Mail,
                450,
                (4, 7, 1),
            ),
            (
                "warning: Recipient address rate limit exceeded: 201 from mail.example.com[192.0.2.7] for service smtp",
                Stage::Rcpt,
                450,
                (4, 7, 1),
            ),
        ] {
            let (class, subject, detail) = dsn;
            assert_eq!(
                parse(line.as_bytes()),
                Event::Acted(Acted {
                    queue_id: None,
                    action: Action::Reject,
                    word: b"",
                    stage,
                    client: CLIENT,
                    code: Some(code),
                    dsn: Some(Dsn {
                        class,
                        subject,
                        detail,
                    }),
                    reason: RejectReason::RateLimit,
                    text: &line.as_bytes()["warning: ".len()..],
                    sender: None,
                    recipient: None,
                    protocol: None,
                    helo: None,
                    user: None,
                }),
                "{line}"
            );
        }
    }

    /// The name that a client types begins behind the server's reason, whatever it holds.
    #[test]
    fn typed_names() {
        for (said, user) in [
            ("UGFzc3dvcmQ6, sasl_username=bob", Some("bob")),
            (
                "UGFzc3dvcmQ6, sasl_username=x, sasl_username=alice@example.com",
                Some("x, sasl_username=alice@example.com"),
            ),
            (
                "UGFzc3dvcmQ6, sasl_username=x, sasl_username=(unavailable)",
                Some("x, sasl_username=(unavailable)"),
            ),
            ("UGFzc3dvcmQ6, sasl_username=(unavailable)", None),
            ("UGFzc3dvcmQ6, sasl_username=", None),
        ] {
            let line =
                format!("warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: {said}");
            match parse(line.as_bytes()) {
                Event::AuthFailure(failure) => {
                    assert_eq!(failure.user, user.map(str::as_bytes), "{line}");
                    assert_eq!(failure.reason, AuthReason::BadCredentials, "{line}");
                }
                event => panic!("{event:?}"),
            }
        }
    }

    /// A name, a HELO that carry another line's words.
    #[test]
    fn hostile() {
        let line = b"warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: UGFzc3dvcmQ6, sasl_username=account disabled from x[192.0.2.66], sasl_username=victim";
        match parse(line) {
            Event::AuthFailure(failure) => {
                assert_eq!(failure.client.address, Some(ADDRESS));
                assert_eq!(
                    failure.user,
                    Some(&b"account disabled from x[192.0.2.66], sasl_username=victim"[..])
                );
                assert_eq!(failure.reason, AuthReason::BadCredentials);
            }
            event => panic!("{event:?}"),
        }
        let line = b"NOQUEUE: reject: RCPT from mail.example.com[192.0.2.7]: 450 4.7.1 <x from evil[192.0.2.66]: 554 5.1.1>: Helo command rejected: Host not found; from=<a@b> to=<c@d> proto=ESMTP helo=<x from evil[192.0.2.66]: 554 5.1.1>";
        match parse(line) {
            Event::Acted(acted) => {
                assert_eq!(acted.client, CLIENT);
                assert_eq!((acted.code, acted.reason), (Some(450), RejectReason::Helo));
            }
            event => panic!("{event:?}"),
        }
    }
}
