//! One recipient, one attempt, one result: the line of every delivery agent.
//!
//! Source: postfix global/log_adhoc.c; `delays=` and `dsn=` since 2.3, `tls=` since 3.11. Printed
//! by the agents themselves, by qmgr (a destination that is not tried now) and by cleanup.
//!
//! ```text
//! QID: to=<a>[, orig_to=<b>], relay=R[, conn_use=N], delay=D[, delays=A/B/C/D][, tls=F][, dsn=X.Y.Z], status=WORD (TEXT)
//! ```
//!
//! Hostile: both addresses, and all after `status=WORD (`.

use std::net::IpAddr;

use super::queue_id::is_queue_id;
use crate::parse::client::{self, address};
use crate::parse::cursor::{Cursor, rsplit_once};
use crate::parse::event::{Delivery, Dsn, Event, Kind, Relay, Status};

/// How many ends of an address are tried before the line is given up.
const ENDS_MAX: usize = 8;
/// How many `>, ` a line may have that says `sent`.
const OTHERS_MAX: usize = 64;

/// `rest` is what stands after `QID: `.
#[inline]
pub(crate) fn parse<'a>(kind: Kind, queue_id: &'a [u8], rest: &'a [u8]) -> Event<'a> {
    let Some(text) = rest.strip_prefix(b"to=<") else {
        return Event::Unparsed;
    };
    // Nearly all: nothing is quoted, and the first `>` ends the address.
    if !text.starts_with(b"\"")
        && let Some(end) = memchr::memchr(b'>', text)
        && let Some((recipient, after)) = text.split_at_checked(end)
        && let Some(after) = after.strip_prefix(b">, relay=")
        && let Some(tail) = read_tail(Cursor::new(after))
        && (tail.status != Status::Sent || memchr::memchr(b'>', tail.text).is_none())
    {
        return Event::Delivery(with_tail(kind, queue_id, recipient, None, tail));
    }
    odd(kind, queue_id, text).unwrap_or(Event::Unparsed)
}

/// `text` is what stands after `to=<`.
#[inline(never)]
fn odd<'a>(kind: Kind, queue_id: &'a [u8], text: &'a [u8]) -> Option<Event<'a>> {
    let read_rest = |after| {
        let mut cursor = Cursor::new(after);
        if cursor.eat(b", relay=") {
            return Some((None, read_odd_tail(cursor)?));
        }
        if !cursor.eat(b", orig_to=<") {
            return None;
        }
        let (orig, tail) = read_address(
            cursor.rest(),
            |after| {
                let mut cursor = Cursor::new(after);
                if cursor.eat(b", relay=") {
                    read_odd_tail(cursor)
                } else {
                    None
                }
            },
            |tail| tail.status == Status::Sent,
        )?;
        Some((Some(orig), tail))
    };
    let (recipient, (orig_recipient, tail)) =
        read_address(text, read_rest, |(_, tail)| tail.status == Status::Sent)?;
    Some(Event::Delivery(with_tail(
        kind,
        queue_id,
        recipient,
        orig_recipient,
        tail,
    )))
}

#[inline(always)]
fn with_tail<'a>(
    kind: Kind,
    queue_id: &'a [u8],
    recipient: &'a [u8],
    orig_recipient: Option<&'a [u8]>,
    tail: Tail<'a>,
) -> Delivery<'a> {
    let text = tail.text;
    Delivery {
        queue_id,
        recipient,
        orig_recipient,
        relay: tail.relay,
        connection_use: tail.connection_use,
        delay_ms: tail.delay_ms,
        delay_stages_ms: tail.delay_stages_ms,
        tls: tail.tls,
        dsn: tail.dsn,
        status: tail.status,
        text,
        queued_as: if tail.status == Status::Sent {
            queued_as(text)
        } else {
            None
        },
        forwarded_as: match kind {
            Kind::Local if tail.status == Status::Sent => text
                .strip_prefix(b"forwarded as ")
                .filter(|id| is_queue_id(id)),
            _ => None,
        },
        unreachable: match tail.relay {
            Relay::None => unreachable(text),
            _ => None,
        },
    }
}

/// Where does an address end, when whoever wrote it may have put `>, relay=...` into it?
///
/// Since 3.5 addresses are quoted as in RFC 5321 (`info_log_addr_form=external`): a local part
/// with anything odd in it begins with a quote, and its end is the quote that no backslash
/// precedes. So that is tried first. Before 3.5, or with `internal`, nothing is quoted, and no rule
/// can be sure: then the first `>` counts after which the rest of the line reads as Postfix writes
/// it. The first, not the last, as the text at the line's end is the other server's, and anyone may
/// run a server, while an address like that has to pass our own smtpd.
///
/// But a domain is not quoted, and sendmail(1) takes any: so nobody's word is taken for `sent`
/// where the line also reads as another result behind a later `>`.
fn read_address<'a, T>(
    text: &'a [u8],
    read_rest: impl Fn(&'a [u8]) -> Option<T>,
    is_sent: impl Fn(&T) -> bool,
) -> Option<(&'a [u8], T)> {
    let at = |end: usize| {
        let (address, after) = text.split_at_checked(end)?;
        Some((address, read_rest(after.get(1..)?)?))
    };
    let quoted = || {
        let quoted = text.strip_prefix(b"\"")?;
        let length = quoted_length(quoted)?;
        let end = 1 + length + memchr::memchr(b'>', quoted.get(length..)?)?;
        Some((end, at(end)?))
    };
    let (end, first) = quoted().or_else(|| {
        memchr::memchr_iter(b'>', text)
            .take(ENDS_MAX)
            .find_map(|end| Some((end, at(end)?)))
    })?;
    if !is_sent(&first.1) {
        return Some(first);
    }
    let behind = text.get(end + 1..)?;
    let mut others = memchr::memmem::find_iter(behind, b">, ");
    for other in others.by_ref().take(OTHERS_MAX) {
        if let Some(other) = at(end + 1 + other)
            && !is_sent(&other.1)
        {
            return Some(other);
        }
    }
    match others.next() {
        None => Some(first),
        Some(_) => None,
    }
}

/// The length of a quoted string with its closing quote, without its opening one.
pub(super) fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[derive(Clone, Copy)]
struct Tail<'a> {
    relay: Relay<'a>,
    connection_use: u32,
    delay_ms: u64,
    delay_stages_ms: Option<[u64; 4]>,
    tls: Option<&'a [u8]>,
    dsn: Option<Dsn>,
    status: Status,
    text: &'a [u8],
}

#[inline(never)]
fn read_odd_tail(cursor: Cursor<'_>) -> Option<Tail<'_>> {
    read_tail(cursor)
}

/// From after `relay=` to the end of the line.
#[inline(always)]
fn read_tail(mut cursor: Cursor<'_>) -> Option<Tail<'_>> {
    let relay = relay(cursor.until_byte(b',')?);
    let mut connection_use = 1;
    if cursor.eat(b" conn_use=") {
        connection_use = cursor.number_u32()?;
        if !cursor.eat(b",") {
            return None;
        }
    }
    if !cursor.eat(b" delay=") {
        return None;
    }
    let delay_ms = cursor.seconds_ms()?;
    let mut delay_stages_ms = None;
    if cursor.eat(b", delays=") {
        let before = cursor.seconds_ms()?;
        let mut next = || cursor.eat(b"/").then(|| cursor.seconds_ms())?;
        delay_stages_ms = Some([before, next()?, next()?, next()?]);
    }
    let mut tls = None;
    if cursor.eat(b", tls=") {
        let at = memchr::memchr(b',', cursor.rest())?;
        tls = Some(cursor.take(at)?);
    }
    let mut dsn = None;
    if cursor.eat(b", dsn=") {
        dsn = Some(read_dsn(&mut cursor)?);
    }
    if !cursor.eat(b", status=") {
        return None;
    }
    let status = if cursor.eat(b"sent (") {
        Status::Sent
    } else {
        let status = status(cursor.until_byte(b' ')?)?;
        if !cursor.eat(b"(") {
            return None;
        }
        status
    };
    // A line that some logger cut short has lost its parenthesis.
    let text = cursor.rest();
    let text = text.strip_suffix(b")").unwrap_or(text);
    Some(Tail {
        relay,
        connection_use,
        delay_ms,
        delay_stages_ms,
        tls,
        dsn,
        status,
        text,
    })
}

/// Capitals with `soft_bounce`; probes and `sendmail -bv` by verify.c and trace.c.
fn status(word: &[u8]) -> Option<Status> {
    Some(match word {
        b"sent" => Status::Sent,
        b"deferred" => Status::Deferred,
        b"bounced" => Status::Bounced,
        b"SOFTBOUNCE" => Status::Softbounce,
        b"deliverable" => Status::Deliverable,
        b"undeliverable" | b"undeliverable-but-not-cached" => Status::Undeliverable,
        _ => return None,
    })
}

/// `none`, `local`, `dovecot`, `host[address]:port`, `host[private/lmtp]`.
#[inline]
fn relay(text: &[u8]) -> Relay<'_> {
    let Some(at) = memchr::memchr(b'[', text) else {
        return match text {
            b"none" => Relay::None,
            _ => Relay::Name(text),
        };
    };
    if let Some((name, rest)) = text.split_at_checked(at)
        && let Some(rest) = rest.strip_prefix(b"[")
        && let Some((address, rest)) = client::address4(rest)
    {
        return Relay::Host {
            name,
            address: IpAddr::V4(address),
            port: port(rest),
        };
    }
    odd_relay(text).unwrap_or(Relay::Name(text))
}

fn odd_relay(text: &[u8]) -> Option<Relay<'_>> {
    let mut cursor = Cursor::new(text);
    let name = cursor.until_byte(b'[')?;
    let inside = cursor.until_byte(b']')?;
    match address(inside) {
        Some(address) => Some(Relay::Host {
            name,
            address,
            port: port(cursor.rest()),
        }),
        None if memchr::memchr(b'/', inside).is_some() => {
            Some(Relay::Socket { name, path: inside })
        }
        None => None,
    }
}

#[inline]
fn port(text: &[u8]) -> Option<u16> {
    let port = Cursor::new(text.strip_prefix(b":")?).number()?;
    u16::try_from(port).ok()
}

/// `X.Y.Z`; class 2, 4 or 5.
#[inline]
pub(crate) fn read_dsn(cursor: &mut Cursor<'_>) -> Option<Dsn> {
    if let [
        class @ (b'2' | b'4' | b'5'),
        b'.',
        subject @ b'0'..=b'9',
        b'.',
        detail @ b'0'..=b'9',
        rest @ ..,
    ] = cursor.rest()
        && !matches!(rest, [b'0'..=b'9', ..])
    {
        *cursor = Cursor::new(rest);
        return Some(Dsn {
            class: class - b'0',
            subject: u16::from(subject - b'0'),
            detail: u16::from(detail - b'0'),
        });
    }
    read_long_dsn(cursor)
}

fn read_long_dsn(cursor: &mut Cursor<'_>) -> Option<Dsn> {
    let mut ahead = *cursor;
    let class = ahead.number()?;
    if !matches!(class, 2 | 4 | 5) || !ahead.eat(b".") {
        return None;
    }
    let subject = ahead.number()?;
    if !ahead.eat(b".") {
        return None;
    }
    let detail = ahead.number()?;
    let dsn = Dsn {
        class: class as u8,
        subject: u16::try_from(subject).ok()?,
        detail: u16::try_from(detail).ok()?,
    };
    *cursor = ahead;
    Some(dsn)
}

/// `250 2.0.0 Ok: queued as Q` of a Postfix, the same behind amavis's `from MTA(...): `, which
/// may add what it did to other recipients: `..., but 1 DISCARD`.
pub(super) fn queued_as(text: &[u8]) -> Option<&[u8]> {
    if !text.starts_with(b"250 ") {
        return None;
    }
    let text =
        if text.ends_with(b"DISCARD") || text.ends_with(b"REJECT") || text.ends_with(b"BOUNCE") {
            rsplit_once(text, b", but ")?.0
        } else {
            text
        };
    // An id has no blank in it.
    let (before, id) = text.split_at_checked(memchr::memrchr(b' ', text)? + 1)?;
    (before.ends_with(b"queued as ") && is_queue_id(id)).then_some(id)
}

/// `H[IP]:25` in smtp(8)'s own words `connect to H[IP]:25: ...`, which qmgr repeats for the rest of
/// what waits for that host; a client's name has no blank in it.
fn next_hop(text: &[u8]) -> Option<Cursor<'_>> {
    let text = text
        .strip_prefix(b"delivery temporarily suspended: ")
        .unwrap_or(text);
    [
        &b"connect to "[..],
        b"lost connection with ",
        b"conversation with ",
        b"host ",
    ]
    .iter()
    .find_map(|&words| text.strip_prefix(words))
    .map(Cursor::new)
}

fn is_behind_next_hop(mut cursor: Cursor<'_>) -> bool {
    [
        &b": "[..],
        b" while ",
        b" timed out while ",
        b" refused to talk to me: ",
    ]
    .iter()
    .any(|words| cursor.eat(words))
}

fn unreachable(text: &[u8]) -> Option<IpAddr> {
    let mut cursor = next_hop(text)?;
    let address = client::client(&mut cursor)?.address;
    if is_behind_next_hop(cursor) {
        address
    } else {
        None
    }
}

impl<'a> Delivery<'a> {
    /// As logged, after the last `@`; empty where there is none.
    pub fn recipient_domain(&self) -> &'a [u8] {
        match memchr::memrchr(b'@', self.recipient) {
            Some(at) => self.recipient.get(at + 1..).unwrap_or_default(),
            None => b"",
        }
    }

    /// The socket (`private/dovecot-lmtp`, `/run/lmtp`) in Postfix's own words `connect to
    /// H[private/dovecot-lmtp]: ...` where `relay=none`: a mailbox's, or a filter's, of this host.
    pub fn unreachable_socket(&self) -> Option<&'a [u8]> {
        if self.relay != Relay::None {
            return None;
        }
        let mut cursor = next_hop(self.text)?;
        let name = cursor.until_byte(b'[')?;
        let path = cursor.until_byte(b']')?;
        let is_plain = |text: &[u8]| !text.contains(&b' ');
        (is_plain(name) && is_plain(path) && path.contains(&b'/') && is_behind_next_hop(cursor))
            .then_some(path)
    }

    /// A content filter's `250 2.7.0 Ok, discarded, id=... - spam` or `..., BOUNCE`: it keeps the
    /// mail, or answers for it itself. The text is the filter's: ask only where the relay is one.
    /// Source: amavis, its LMTP and SMTP replies.
    pub fn swallowed(&self) -> bool {
        if self.status != Status::Sent || self.queued_as.is_some() || self.reply_code() != Some(250)
        {
            return false;
        }
        let word = |needle: &[u8]| {
            memchr::memmem::find_iter(self.text, needle).any(|at| {
                let next = self.text.get(at + needle.len());
                !next.is_some_and(u8::is_ascii_alphanumeric)
            })
        };
        word(b" discarded") || word(b" DISCARD") || word(b" BOUNCE")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::postfix::queue_id;

    fn read(kind: Kind, line: &str) -> Option<Delivery<'_>> {
        let (id, rest) = queue_id::split(line.as_bytes())?;
        match parse(kind, id, rest) {
            Event::Delivery(delivery) => Some(delivery),
            _ => None,
        }
    }

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 25));

    #[test]
    fn all_versions() {
        // 3.11, over a kept connection.
        let line = "4C9E41A0B2: to=<bob@example.com>, orig_to=<info@example.org>, relay=mx.example.com[192.0.2.25]:25, conn_use=3, delay=1.6, delays=0.02/0/0.58/1, tls=may:none, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9F3B1C02D7)";
        let d = read(Kind::Smtp, line).unwrap();
        assert_eq!(
            d,
            Delivery {
                queue_id: b"4C9E41A0B2",
                recipient: b"bob@example.com",
                orig_recipient: Some(b"info@example.org"),
                relay: Relay::Host {
                    name: b"mx.example.com",
                    address: ADDRESS,
                    port: Some(25)
                },
                connection_use: 3,
                delay_ms: 1600,
                delay_stages_ms: Some([20, 0, 580, 1000]),
                tls: Some(b"may:none"),
                dsn: Some(Dsn {
                    class: 2,
                    subject: 0,
                    detail: 0
                }),
                status: Status::Sent,
                text: b"250 2.0.0 Ok: queued as 9F3B1C02D7",
                queued_as: Some(b"9F3B1C02D7"),
                forwarded_as: None,
                unreachable: None,
            }
        );
        assert_eq!(d.recipient_domain(), b"example.com");
        // 2.3 to 3.10.
        let line = "3mPVKl0Mhjz7sXv: to=<bob@example.com>, relay=mx.example.com[192.0.2.25]:25, delay=2017, delays=0.08/0/3.8/2013, dsn=4.4.2, status=deferred (lost connection with mx.example.com[192.0.2.25] while receiving the initial server greeting)";
        let d = read(Kind::Smtp, line).unwrap();
        assert_eq!((d.delay_ms, d.tls, d.connection_use), (2_017_000, None, 1));
        assert_eq!(d.status, Status::Deferred);
        assert!(d.text.ends_with(b"server greeting"));
        // Before 2.3.
        let line = "A1B2C3D4E5: to=<bob@example.com>, relay=none, delay=3, status=bounced (connect to mx.example.com[192.0.2.25]: Connection refused)";
        let d = read(Kind::Smtp, line).unwrap();
        assert_eq!((d.delay_stages_ms, d.dsn), (None, None));
        assert_eq!(d.status, Status::Bounced);
        assert_eq!(d.unreachable, Some(ADDRESS));
        // A logger cut it.
        let line = "A1B2C3D4E5: to=<bob@example.com>, relay=none, delay=3, delays=1/2/0/0, dsn=5.4.4, status=bounced (Host or domain name not fou";
        assert_eq!(
            read(Kind::Smtp, line).unwrap().text,
            b"Host or domain name not fou"
        );
    }

    #[test]
    fn statuses_and_relays() {
        let of = |relay: &str, status: &str| {
            let line = format!(
                "4C9E41A0B2: to=<a@b>, relay={relay}, delay=0, delays=0/0/0/0, dsn=2.0.0, status={status} (x)"
            );
            let line: &'static str = line.leak();
            read(Kind::Lmtp, line).map(|d| (d.relay, d.status))
        };
        let relay = |text| of(text, "sent").unwrap().0;
        assert_eq!(relay("none"), Relay::None);
        assert_eq!(relay("local"), Relay::Name(b"local"));
        assert_eq!(relay("dovecot"), Relay::Name(b"dovecot"));
        assert_eq!(
            relay("mail.example.com[private/dovecot-lmtp]"),
            Relay::Socket {
                name: b"mail.example.com",
                path: b"private/dovecot-lmtp"
            }
        );
        assert_eq!(
            relay("localhost[/run/cyrus/lmtp]"),
            Relay::Socket {
                name: b"localhost",
                path: b"/run/cyrus/lmtp"
            }
        );
        assert_eq!(
            relay("mx[2001:db8::25]:24"),
            Relay::Host {
                name: b"mx",
                address: "2001:db8::25".parse().unwrap(),
                port: Some(24)
            }
        );
        let status = |text| of("none", text).map(|d| d.1);
        assert_eq!(status("sent"), Some(Status::Sent));
        assert_eq!(status("deferred"), Some(Status::Deferred));
        assert_eq!(status("bounced"), Some(Status::Bounced));
        assert_eq!(status("SOFTBOUNCE"), Some(Status::Softbounce));
        assert_eq!(status("deliverable"), Some(Status::Deliverable));
        assert_eq!(status("undeliverable"), Some(Status::Undeliverable));
        assert_eq!(
            status("undeliverable-but-not-cached"),
            Some(Status::Undeliverable)
        );
        assert_eq!(status("lost"), None);
    }

    /// A reply, or an address, that carries another line's end changes nothing before it.
    #[test]
    fn hostile() {
        let forged = ", relay=evil[192.0.2.66]:25, delay=9, delays=9/9/9/9, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ABCDEF12)";
        let line = format!(
            "4C9E41A0B2: to=<bob@example.com>, relay=mx[192.0.2.25]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (host mx[192.0.2.25] said: 550 >{forged} (in reply to RCPT TO command))"
        );
        let d = read(Kind::Smtp, &line).unwrap();
        assert_eq!(
            (d.status, d.recipient, d.queued_as),
            (Status::Bounced, &b"bob@example.com"[..], None)
        );

        let line = format!(
            "4C9E41A0B2: to=<\"x>{forged} \\\" y\"@example.com>, orig_to=<\"z>{forged}\"@example.org>, relay=mx[192.0.2.25]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (no)"
        );
        let d = read(Kind::Smtp, &line).unwrap();
        assert_eq!(
            (d.status, d.text, d.queued_as),
            (Status::Bounced, &b"no"[..], None)
        );
        assert_eq!(d.recipient_domain(), b"example.com");
        assert!(d.orig_recipient.unwrap().ends_with(b"@example.org"));

        // Unquoted (`internal`): what only looks like the end is passed over.
        let line = "4C9E41A0B2: to=<user with >, relay=space@example.com>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)";
        let d = read(Kind::Local, line).unwrap();
        assert_eq!(d.recipient, b"user with >, relay=space@example.com");
        assert_eq!(d.relay, Relay::Name(b"local"));

        // A domain is not quoted. What the line ends with may be true; `sent` is not believed.
        let bounced =
            ", relay=none, delay=1, delays=1/0/0/0, dsn=5.1.3, status=bounced (bad address syntax)";
        let sent =
            ", relay=mx[192.0.2.25]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok";
        for line in [
            format!("4C9E41A0B2: to=<foo@bar>{sent}>{bounced}"),
            format!("4C9E41A0B2: to=<foo@bar>{sent} >>>>>>>>>>>>{bounced}"),
            format!("4C9E41A0B2: to=<\"f o\"@bar>{sent}>{bounced}"),
            format!("4C9E41A0B2: to=<foo@bar>{sent}>, orig_to=<x@bar>{bounced}"),
            format!("4C9E41A0B2: to=<foo@bar>, orig_to=<x@bar>{sent}>{bounced}"),
            format!("4C9E41A0B2: to=<foo@bar>{sent}>{sent}>{bounced}"),
        ] {
            let d = read(Kind::Smtp, &line).unwrap();
            assert_eq!(
                (d.status, d.text),
                (Status::Bounced, &b"bad address syntax"[..]),
                "{line}"
            );
        }
        let many = ">, ".repeat(70);
        let line = format!("4C9E41A0B2: to=<foo@bar>{sent}{many}>{bounced}");
        assert!(read(Kind::Smtp, &line).is_none());
        // A reply with an address in it is none.
        let line =
            format!("4C9E41A0B2: to=<foo@bar>{sent} <x@bar>, relay=none, queued as 9F3B1C02D7)");
        let d = read(Kind::Smtp, &line).unwrap();
        assert_eq!(
            (d.status, d.recipient, d.queued_as),
            (Status::Sent, &b"foo@bar"[..], Some(&b"9F3B1C02D7"[..]))
        );

        // Only at the end, only of a 250, only a queue id.
        for text in [
            "250 queued as 9F3B1C02D7 by me",
            "host x said: 450 queued as 9F3B1C02D7",
            "250 Ok: queued as warning",
            "250 Ok: not queued as9F3B1C02D7",
            "250 Ok: known as 9F3B1C02D7",
        ] {
            assert_eq!(queued_as(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn next_hops() {
        let socket = |path: &'static str| (None, Some(path.as_bytes()));
        for (text, expected) in [
            (
                "connect to mx[192.0.2.25]:25: Connection refused",
                (Some(ADDRESS), None),
            ),
            (
                "delivery temporarily suspended: connect to mx[192.0.2.25]:25: Connection timed out",
                (Some(ADDRESS), None),
            ),
            (
                "delivery temporarily suspended: lost connection with mx[192.0.2.25] while receiving the initial server greeting",
                (Some(ADDRESS), None),
            ),
            (
                "delivery temporarily suspended: conversation with mx[192.0.2.25] timed out while receiving the initial server greeting",
                (Some(ADDRESS), None),
            ),
            (
                "delivery temporarily suspended: host mx[192.0.2.25] refused to talk to me: 421 no",
                (Some(ADDRESS), None),
            ),
            (
                "delivery temporarily suspended: connect to mx1.example.org[private/dovecot-lmtp]: Connection refused",
                socket("private/dovecot-lmtp"),
            ),
            (
                "connect to mx1.example.org[/run/lmtp]: No such file or directory",
                socket("/run/lmtp"),
            ),
            (
                "delivery temporarily suspended: lost connection with mx1[private/lmtp] while sending RCPT TO",
                socket("private/lmtp"),
            ),
            // Not in Postfix's place, or another's words.
            (
                "delivery temporarily suspended: mail transport unavailable",
                (None, None),
            ),
            (
                "x connect to mx[192.0.2.25]:25: Connection refused",
                (None, None),
            ),
            ("connect to a mx[private/x]: no", (None, None)),
            ("connect to mx[192.0.2.25]", (None, None)),
            (
                "host mx said: 450 connect to mx[private/x]: no",
                (None, None),
            ),
        ] {
            let line = format!(
                "4C9E41A0B2: to=<a@b>, relay=none, delay=0, delays=0/0/0/0, dsn=4.4.1, status=deferred ({text})"
            );
            let d = read(Kind::Error, &line).unwrap();
            assert_eq!((d.unreachable, d.unreachable_socket()), expected, "{text}");
        }
        let line = "4C9E41A0B2: to=<a@b>, relay=mx[192.0.2.25]:25, delay=0, delays=0/0/0/0, dsn=4.4.1, status=deferred (connect to mx[private/x]: no)";
        let d = read(Kind::Smtp, line).unwrap();
        assert_eq!((d.unreachable, d.unreachable_socket()), (None, None));
    }

    #[test]
    fn hops() {
        let id = Some(&b"9F3B1C02D7"[..]);
        assert_eq!(
            queued_as(
                b"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9F3B1C02D7"
            ),
            id
        );
        assert_eq!(queued_as(b"250 2.6.0 Ok, id=03089-04, from MTA([127.0.0.1]:10025): 250 Ok: queued as 9F3B1C02D7"), id);
        assert_eq!(queued_as(b"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9F3B1C02D7, but 1 DISCARD"), id);
        let line = "4C9E41A0B2: to=<a@b>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (forwarded as 9F3B1C02D7)";
        assert_eq!(read(Kind::Local, line).unwrap().forwarded_as, id);
        assert_eq!(read(Kind::Smtp, line).unwrap().forwarded_as, None);
        let swallowed = |text: &str| {
            let line = format!(
                "4C9E41A0B2: to=<a@b>, relay=127.0.0.1[127.0.0.1]:10024, delay=0, delays=0/0/0/0, dsn=2.7.0, status=sent ({text})"
            );
            read(Kind::Smtp, &line).unwrap().swallowed()
        };
        assert!(swallowed("250 2.7.0 Ok, discarded, id=03089-04 - spam"));
        assert!(swallowed(
            "250 2.7.0 Ok, id=03089-04, DISCARD(bounce.suppressed)"
        ));
        assert!(swallowed("250 2.5.0 Ok, id=03089-04, BOUNCE"));
        assert!(!swallowed("250 2.0.0 Ok: queued as 9F3B1C02D7"));
        assert!(!swallowed(
            "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9F3B1C02D7, but 1 DISCARD"
        ));
        assert!(!swallowed("host x[192.0.2.1] said: 550 discarded"));
    }
}
