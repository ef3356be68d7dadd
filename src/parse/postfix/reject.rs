//! Why smtpd, or a milter, turned mail away.
//!
//! Postfix's own words are read at their place: `<what>: CLASS rejected: WHY`, what in `<...>`
//! being the client's. WHY may also be the admin's (access tables) or a policy server's, and the
//! text of a milter is the milter's; these are searched for the first word that tells.
//! Source: postfix smtpd/smtpd_check.c, smtpd/smtpd_dsn_fix.h.

use super::delivery::quoted_length;
use super::whatsup::read_codes;
use crate::parse::cursor::{Cursor, find};
use crate::parse::event::{Action, Dsn, RejectReason};
use crate::parse::words::Words;

/// Code, enhanced code and reason of a reply.
pub(super) fn read(action: Action, text: &[u8]) -> (Option<u16>, Option<Dsn>, RejectReason) {
    let (code, dsn, said) = read_codes(text);
    let reason = match action {
        Action::MilterReject | Action::ProxyReject => of_filter(dsn, said),
        Action::MilterHold | Action::MilterDiscard => RejectReason::Content,
        _ => of_smtpd(code, dsn, said),
    };
    (code, dsn, reason)
}

/// smtpd_dsn_fix.h: what was rejected.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Client,
    Helo,
    Sender,
    Recipient,
    Other,
}

const CLASSES: &[(&[u8], Class)] = &[
    (b"Recipient address", Class::Recipient),
    (b"Sender address", Class::Sender),
    (b"Client host", Class::Client),
    (b"Helo command", Class::Helo),
    (b"Unverified Client host", Class::Client),
    (b"Client certificate", Class::Client),
    (b"SASL login name", Class::Other),
    (b"Etrn command", Class::Other),
    (b"Data command", Class::Other),
    (b"End-of-data", Class::Other),
];

fn class(text: &[u8]) -> Option<(Class, &[u8])> {
    let first = text.first();
    CLASSES.iter().find_map(|&(name, class)| {
        if name.first() != first {
            return None;
        }
        let why = text.strip_prefix(name)?.strip_prefix(b" rejected: ")?;
        Some((class, why))
    })
}

/// Texts without a class, at the start or after `<what>: `.
#[inline]
fn without_class(text: &[u8]) -> Option<RejectReason> {
    match text.first() {
        Some(b'R' | b'T' | b'S' | b'I' | b'M' | b'b') => without_class_rare(text),
        _ => None,
    }
}

fn without_class_rare(text: &[u8]) -> Option<RejectReason> {
    let starts = |word: &[u8]| text.starts_with(word);
    Some(if starts(b"Relay access denied") {
        RejectReason::RelayDenied
    } else if starts(b"Temporary lookup failure")
        || starts(b"Temporary lookup error")
        || starts(b"Server configuration ")
        || starts(b"Insufficient system storage")
    {
        RejectReason::Resources
    } else if starts(b"Message size exceeds") || starts(b"Message file too big") {
        RejectReason::Size
    } else if starts(b"bare <LF> received") || starts(b"bare <CR>") {
        RejectReason::Protocol
    } else if starts(b"Session encryption is required") {
        RejectReason::Policy
    } else if let Some(rest) = text.strip_prefix(b"Service unavailable; ") {
        // The default of default_rbl_reply; rbl_reply_maps may say anything.
        if find(rest, b"blocked using ").is_some() {
            RejectReason::Blocklist
        } else {
            return None;
        }
    } else {
        return None;
    })
}

fn of_smtpd(code: Option<u16>, dsn: Option<Dsn>, text: &[u8]) -> RejectReason {
    if let Some(reason) = without_class(text) {
        return reason;
    }
    if let Some((class, why)) = class(text) {
        return of_class(class, code, dsn, why);
    }
    if let Some(what) = text.strip_prefix(b"<") {
        // The first `>: ` that Postfix's own words follow; none in a quoted local part.
        let quoted = what
            .strip_prefix(b"\"")
            .and_then(quoted_length)
            .map_or(0, |length| length + 1);
        let what = what.get(quoted..).unwrap_or_default();
        for at in memchr::memchr_iter(b'>', what) {
            let Some(rest) = what.get(at..).and_then(|text| text.strip_prefix(b">: ")) else {
                continue;
            };
            match without_class(rest) {
                // Of a DNS list's reply, what was rejected stands in `[...]`, behind these words.
                None | Some(RejectReason::Blocklist) => {}
                Some(reason) => return reason,
            }
            if let Some((class, why)) = class(rest) {
                return of_class(class, code, dsn, why);
            }
        }
    }
    if find(text, b" Server local data error").is_some() {
        return RejectReason::Resources;
    }
    match code {
        Some(_) => POLICY_WORDS.first(text).or(of_dsn(Class::Other, dsn)),
        None => None,
    }
    .unwrap_or(RejectReason::Other)
}

fn of_class(class: Class, code: Option<u16>, dsn: Option<Dsn>, why: &[u8]) -> RejectReason {
    let starts = |word: &[u8]| why.starts_with(word);
    let unknown = match class {
        Class::Sender => RejectReason::UnknownSender,
        _ => RejectReason::UnknownRecipient,
    };
    if let Some(reason) = without_class(why) {
        return reason;
    }
    if starts(b"Improper use of SMTP command pipelining") {
        return RejectReason::Protocol;
    }
    match class {
        Class::Recipient | Class::Sender => {
            // Whether the address exists is not known yet. The client comes back in minutes, and
            // then passes or is told: nearest to greylisting, and nothing to act on.
            if starts(b"unverified address: Address verification in progress") {
                return RejectReason::Greylisted;
            }
            if starts(b"User unknown")
                || starts(b"undeliverable address")
                || starts(b"unverified address")
                || starts(b"address verification problem")
            {
                return unknown;
            }
            if starts(b"Domain not found")
                || starts(b"need fully-qualified address")
                || starts(b"Malformed DNS server reply")
                || starts(b"Unable to look up mail exchanger")
                || starts(b"Unable to look up host")
                || starts(b"Unable to verify host")
                || starts(b"Domain ") && why.ends_with(b"does not accept mail (nullMX)")
            {
                return match class {
                    Class::Sender => RejectReason::SenderDomain,
                    _ => RejectReason::UnknownRecipient,
                };
            }
        }
        Class::Client if starts(b"cannot find your ") => return RejectReason::ClientHostname,
        Class::Helo => return RejectReason::Helo,
        _ => {}
    }
    // Not `unknown_sender`: the address may well exist, but is not this login's to use.
    if starts(b"not owned by user") || starts(b"not logged in") {
        return RejectReason::Policy;
    }
    // `reject`, `defer`, and access tables without a text of their own.
    if why == b"Access denied"
        || starts(b"Multi-recipient bounce")
        || starts(b"defer_if_")
        || why == b"Service unavailable"
    {
        return RejectReason::Policy;
    }
    if why == b"Try again later" && dsn.is_some_and(|dsn| dsn.subject == 3) {
        return RejectReason::Policy;
    }
    POLICY_WORDS
        .first(why)
        .or(of_dsn(class, dsn))
        .or(code.map(|_| RejectReason::Policy))
        .unwrap_or(RejectReason::Other)
}

/// What a policy server, an access table or a milter says: the first word that tells counts, as
/// what comes later may be a domain, a URL, an explanation.
static POLICY_WORDS: Words<RejectReason> = Words::new(&[
    ("blacklist", RejectReason::Blocklist),
    ("black list", RejectReason::Blocklist),
    ("block list", RejectReason::Blocklist),
    ("blocklist", RejectReason::Blocklist),
    ("blocked using", RejectReason::Blocklist),
    ("come back later", RejectReason::Greylisted),
    ("deferred by greylist", RejectReason::Greylisted),
    ("denylist", RejectReason::Blocklist),
    ("dkim", RejectReason::Dkim),
    ("dmarc", RejectReason::Dmarc),
    ("dnsbl", RejectReason::Blocklist),
    ("does not exist", RejectReason::UnknownRecipient),
    ("graylist", RejectReason::Greylisted),
    ("grey list", RejectReason::Greylisted),
    ("greylist", RejectReason::Greylisted),
    ("infected", RejectReason::Content),
    ("intentional policy rejection", RejectReason::Greylisted),
    ("listed by", RejectReason::Blocklist),
    ("listed in", RejectReason::Blocklist),
    ("mailbox full", RejectReason::Resources),
    ("mailbox is full", RejectReason::Resources),
    ("malware", RejectReason::Content),
    ("must issue a starttls", RejectReason::Policy),
    ("no such user", RejectReason::UnknownRecipient),
    ("please try again", RejectReason::Greylisted),
    ("quota exceeded (mailbox", RejectReason::Resources),
    ("quota exceeded", RejectReason::RateLimit),
    ("quota", RejectReason::RateLimit),
    ("rate limit", RejectReason::RateLimit),
    ("ratelimit", RejectReason::RateLimit),
    ("rbl$", RejectReason::Blocklist),
    ("recipient unknown", RejectReason::UnknownRecipient),
    ("sender policy framework", RejectReason::Spf),
    ("spam", RejectReason::Content),
    ("spf", RejectReason::Spf),
    ("temporarily unavailable", RejectReason::Resources),
    ("throttl", RejectReason::RateLimit),
    ("too fast", RejectReason::RateLimit),
    ("too many", RejectReason::RateLimit),
    ("too much mail", RejectReason::RateLimit),
    ("try again", RejectReason::Greylisted),
    ("unknown recipient", RejectReason::UnknownRecipient),
    ("unknown user", RejectReason::UnknownRecipient),
    ("user unknown", RejectReason::UnknownRecipient),
    ("virus", RejectReason::Content),
]);

/// Where words say nothing, the enhanced code may.
fn of_dsn(class: Class, dsn: Option<Dsn>) -> Option<RejectReason> {
    let dsn = dsn?;
    match (dsn.subject, dsn.detail) {
        (1, 0 | 1 | 2 | 3 | 6 | 10) if class != Class::Sender => {
            Some(RejectReason::UnknownRecipient)
        }
        (1, 0 | 1 | 7) => Some(RejectReason::UnknownSender),
        (1, 2 | 3 | 8 | 10) => Some(RejectReason::SenderDomain),
        (2, 1 | 2) => Some(RejectReason::Resources),
        (3, 4) => Some(RejectReason::Size),
        (3, _) => Some(RejectReason::Resources),
        (5, _) => Some(RejectReason::Protocol),
        (7, 20..=22) => Some(RejectReason::Dkim),
        (7, 23 | 24) => Some(RejectReason::Spf),
        (7, 25) => Some(RejectReason::ClientHostname),
        (7, 27) => Some(RejectReason::SenderDomain),
        _ => None,
    }
}

/// A milter, a before-queue filter: about the content unless it says otherwise.
fn of_filter(dsn: Option<Dsn>, text: &[u8]) -> RejectReason {
    // What milter_default_action=tempfail says when the milter cannot be reached.
    if text.starts_with(b"Service unavailable - try again later")
        || text.starts_with(b"Server configuration ")
        || text.starts_with(b"Server closing connection")
    {
        return RejectReason::Resources;
    }
    match POLICY_WORDS.first(text) {
        Some(reason) => reason,
        None => match of_dsn(Class::Recipient, dsn) {
            Some(reason) if dsn.is_some_and(|dsn| dsn.subject != 5) => reason,
            _ => RejectReason::Content,
        },
    }
}

/// Whether the words of an admin's check tell something else than that the content was it.
pub(super) fn of_content(text: &[u8]) -> RejectReason {
    let mut cursor = Cursor::new(text);
    let _ = super::delivery::read_dsn(&mut cursor);
    match POLICY_WORDS.first(cursor.rest()) {
        Some(reason @ (RejectReason::Spf | RejectReason::Dkim | RejectReason::Dmarc)) => reason,
        _ => RejectReason::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smtpd_reasons() {
        use RejectReason::*;
        for (text, reason) in [
            (
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7",
                Blocklist,
            ),
            (
                "554 Service unavailable; [192.0.2.7] blocked using relays.example.org",
                Blocklist,
            ),
            (
                "550 5.1.1 <no@example.com>: Recipient address rejected: User unknown in local recipient table",
                UnknownRecipient,
            ),
            (
                "550 5.1.1 <no@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
                UnknownRecipient,
            ),
            (
                "550 5.1.0 <no@example.com>: Sender address rejected: User unknown in relay recipient table",
                UnknownSender,
            ),
            (
                "450 4.1.1 <no@example.com>: Recipient address rejected: unverified address: Address verification in progress",
                Greylisted,
            ),
            (
                "450 4.1.1 <no@example.com>: Recipient address rejected: unverified address: connect to mx[192.0.2.1]:25: Connection refused",
                UnknownRecipient,
            ),
            ("450 4.7.1 Error: too much mail from 192.0.2.7", RateLimit),
            ("530 5.7.0 Must issue a STARTTLS command first", Policy),
            // What a client may call its recipient.
            (
                r#"554 5.7.1 <"a>: Service unavailable; blocked using x"@example.com>: Relay access denied"#,
                RelayDenied,
            ),
            (
                "554 5.7.1 <a>: Service unavailable; blocked using x@example.com>: Relay access denied",
                RelayDenied,
            ),
            (
                r#"550 5.1.1 <"a\">: Relay access denied; x"@example.com>: Recipient address rejected: User unknown in local recipient table"#,
                UnknownRecipient,
            ),
            (
                "550 5.1.1 <no@example.com>: Recipient address rejected: undeliverable address: host mx[192.0.2.1] said: 550 spam",
                UnknownRecipient,
            ),
            (
                "450 4.1.7 <no@example.com>: Sender address rejected: unverified address: connect to mx[192.0.2.1]:25: Connection refused",
                UnknownSender,
            ),
            (
                "554 5.7.1 <b@example.com>: Relay access denied",
                RelayDenied,
            ),
            (
                "554 5.7.1 <b@example.com>: Recipient address rejected: Relay access denied",
                RelayDenied,
            ),
            (
                "450 4.2.0 <b@example.com>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/spf.example.com.html",
                Greylisted,
            ),
            (
                "450 4.7.1 <b@example.com>: Recipient address rejected: Greylisting in action, please come back later",
                Greylisted,
            ),
            (
                "451 4.7.1 <b@example.com>: Recipient address rejected: Try again later",
                Greylisted,
            ),
            (
                "450 4.3.2 <b@example.com>: Recipient address rejected: Try again later",
                Policy,
            ),
            (
                "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]",
                ClientHostname,
            ),
            (
                "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.7]",
                ClientHostname,
            ),
            (
                "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
                Helo,
            ),
            (
                "450 4.7.1 <greylist.local>: Helo command rejected: Host not found",
                Helo,
            ),
            (
                "450 4.1.8 <a@nowhere.invalid>: Sender address rejected: Domain not found",
                SenderDomain,
            ),
            (
                "504 5.5.2 <a>: Sender address rejected: need fully-qualified address",
                SenderDomain,
            ),
            (
                "550 5.7.27 <a@example.com>: Sender address rejected: Domain example.com does not accept mail (nullMX)",
                SenderDomain,
            ),
            (
                "450 4.1.2 <a@nowhere.invalid>: Recipient address rejected: Domain not found",
                UnknownRecipient,
            ),
            (
                "553 5.7.1 <ceo@example.com>: Sender address rejected: not owned by user bob",
                Policy,
            ),
            (
                "553 5.7.1 <ceo@example.com>: Sender address rejected: not logged in",
                Policy,
            ),
            (
                "554 5.7.1 <h[192.0.2.7]>: Client host rejected: Access denied",
                Policy,
            ),
            (
                "554 5.7.1 <h[192.0.2.7]>: Client host rejected: You are a spammer",
                Content,
            ),
            ("552 5.3.4 Message size exceeds fixed limit", Size),
            ("452 4.3.1 Insufficient system storage", Resources),
            ("451 4.3.5 Server configuration error", Resources),
            (
                "451 4.3.0 <b@example.com>: Temporary lookup failure",
                Resources,
            ),
            ("451 4.3.0 Temporary lookup error", Resources),
            (
                "421 4.3.0 mx.example.com Server local data error",
                Resources,
            ),
            (
                "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining",
                Protocol,
            ),
            ("bare <LF> received", Protocol),
            (
                "550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce",
                Policy,
            ),
            (
                "550 5.7.23 <b@example.com>: Recipient address rejected: Message rejected due to: SPF fail - not authorized. Please see http://www.openspf.net/Why?s=mfrom;id=greylisted@example.org;ip=192.0.2.7",
                Spf,
            ),
            (
                "550 5.7.1 <b@example.com>: Recipient address rejected: Policy rejection; Message count quota exceeded",
                RateLimit,
            ),
            (
                "552 5.2.2 <b@example.com>: Recipient address rejected: Quota exceeded (mailbox for user is full)",
                Resources,
            ),
            ("530 5.7.0 Session encryption is required", Policy),
            (
                "554 5.7.1 <b@example.com>: Recipient address rejected: because",
                Policy,
            ),
            (
                "550 5.1.6 <b@example.com>: Recipient address rejected: has moved to c@example.com",
                UnknownRecipient,
            ),
        ] {
            assert_eq!(read(Action::Reject, text.as_bytes()).2, reason, "{text}");
        }
    }

    #[test]
    fn milter_reasons() {
        use RejectReason::*;
        for (text, reason) in [
            ("5.7.1 Spam message rejected", Content),
            ("554 5.7.1 Command rejected", Content),
            ("4.7.1 Service unavailable - try again later", Resources),
            ("451 4.7.1 Try again later", Greylisted),
            (
                "550 5.7.1 rejected by DMARC policy for greylist.example.com",
                Dmarc,
            ),
            ("5.7.0 bad DKIM signature data", Dkim),
            ("550 5.7.23 SPF fail", Spf),
            (
                "5.7.1 virus Eicar-Test-Signature detected by ClamAV",
                Content,
            ),
            ("4.7.1 Ratelimit \"user\" exceeded", RateLimit),
            ("milter triggers DISCARD action", Content),
        ] {
            assert_eq!(
                read(Action::MilterReject, text.as_bytes()).2,
                reason,
                "{text}"
            );
        }
    }

    /// What the client wrote never gives the reason, where Postfix says one of its own.
    #[test]
    fn hostile() {
        use RejectReason::*;
        for (text, reason) in [
            (
                "550 5.1.1 <greylisted@spam.spf>: Recipient address rejected: User unknown in local recipient table",
                UnknownRecipient,
            ),
            (
                "554 5.7.1 <blocked using x@example.com>: Relay access denied",
                RelayDenied,
            ),
            (
                "450 4.7.1 <Relay access denied>: Helo command rejected: Host not found",
                Helo,
            ),
            (
                "550 5.1.1 <a@b>: Recipient address rejected: undeliverable address: host mx[192.0.2.1] said: 550 <a@b>: Relay access denied",
                UnknownRecipient,
            ),
            (
                "450 4.1.8 <x@dkim.example>: Sender address rejected: Domain not found",
                SenderDomain,
            ),
        ] {
            assert_eq!(read(Action::Reject, text.as_bytes()).2, reason, "{text}");
        }
    }

    #[test]
    fn codes() {
        let dsn = |class, subject, detail| {
            Some(Dsn {
                class,
                subject,
                detail,
            })
        };
        assert_eq!(
            read_codes(b"450 4.7.25 Client"),
            (Some(450), dsn(4, 7, 25), &b"Client"[..])
        );
        assert_eq!(
            read_codes(b"554 Service"),
            (Some(554), None, &b"Service"[..])
        );
        assert_eq!(
            read_codes(b"5.7.1 Spam"),
            (None, dsn(5, 7, 1), &b"Spam"[..])
        );
        assert_eq!(
            read_codes(b"192.0.2.7 x"),
            (None, None, &b"192.0.2.7 x"[..])
        );
        assert_eq!(read_codes(b"bare <LF>"), (None, None, &b"bare <LF>"[..]));
    }
}
