//! Why a delivery did not succeed, and who says that our address is listed.
//!
//! First Postfix's own words, at the start of the text (`connect to ...`, `host H said: ...`); then
//! the other server's reply: its enhanced code where that is plain, else its words. The reply is
//! another's, so it decides a reason, never a status, a sender or a join.
//! Sources: postfix smtp/smtp_{addr,connect,proto,trouble}.c, local/*.c, virtual/*.c,
//! global/pipe_command.c, sys_exits.c; replies of the large providers as their postmaster pages and
//! logs have them.

use super::cursor::{Cursor, split_once};
use super::event::{Delivery, Dsn, FailureReason, Provider, Relay};
use super::postfix::read_dsn;
use super::reply_words::{
    AGAIN, AUTH, DENIED, DOMAIN, FULL, Found, GREYLIST, LIST, LISTED, LOOP, POLICY, RATE,
    REPUTATION, SENDER, SIZE, SPAM, TLS, UNKNOWN,
};

impl<'a> Delivery<'a> {
    /// Why it did not succeed; to be asked only where the status is not `sent`.
    pub fn failure_reason(&self) -> FailureReason {
        reason(self.dsn, self.text)
    }

    /// Who says that *our* address is listed or has a bad reputation, if the text says so.
    pub fn blocklisted_by(&self) -> Option<Provider> {
        let Said::Reply(reply) = said(self.text) else {
            return None;
        };
        let found = Found::of(reply.text);
        if !found.is_about_our_address(is_of_recipient(reply.dsn.or(self.dsn))) {
            return None;
        }
        Some(
            found
                .provider
                .or_else(|| match self.relay {
                    Relay::Host { name, .. } => provider_of_host(name),
                    _ => None,
                })
                .unwrap_or(Provider::Other),
        )
    }

    /// The SMTP code of the last server's reply, also of a success; `None` where there was none.
    pub fn reply_code(&self) -> Option<u16> {
        match said(self.text) {
            Said::Reply(reply) | Said::Auth(reply) => reply.code,
            Said::Itself(_) => reply_of(self.text).code,
        }
    }
}

/// `550 5.7.1 text`.
#[derive(Clone, Copy)]
struct Reply<'a> {
    code: Option<u16>,
    dsn: Option<Dsn>,
    text: &'a [u8],
}

fn reply_of(text: &[u8]) -> Reply<'_> {
    let mut cursor = Cursor::new(text);
    let mut reply = Reply {
        code: None,
        dsn: None,
        text,
    };
    let Some(code @ 200..=599) = cursor.number() else {
        return reply;
    };
    if !cursor.eat(b" ") && !cursor.eat(b"-") && !cursor.is_empty() {
        return reply;
    }
    reply.code = u16::try_from(code).ok();
    reply.dsn = read_dsn(&mut cursor);
    reply.text = cursor.rest();
    reply
}

/// Who speaks in the text between the parentheses.
enum Said<'a> {
    /// The other server.
    Reply(Reply<'a>),
    /// The other server, of our own login there.
    Auth(Reply<'a>),
    /// Postfix.
    Itself(&'a [u8]),
}

fn said(text: &[u8]) -> Said<'_> {
    let text = text
        .strip_prefix(b"delivery temporarily suspended: ")
        .unwrap_or(text);
    if let Some(rest) = text.strip_prefix(b"SASL authentication failed") {
        let reply = split_once(rest, b" said: ").map_or(rest, |(_, reply)| reply);
        return Said::Auth(reply_of(reply));
    }
    if let Some(rest) = text.strip_prefix(b"host ") {
        // A host's name has no space, so these are Postfix's words.
        let mut cursor = Cursor::new(rest);
        if cursor.until_byte(b' ').is_some()
            && (cursor.eat(b"said: ") || cursor.eat(b"refused to talk to me: "))
        {
            return Said::Reply(reply_of(cursor.rest()));
        }
    }
    Said::Itself(text)
}

fn reason(dsn: Option<Dsn>, text: &[u8]) -> FailureReason {
    match said(text) {
        Said::Auth(_) => FailureReason::AuthRequired,
        Said::Reply(reply) => of_reply(reply.code, reply.dsn.or(dsn), reply.text),
        Said::Itself(text) => of_postfix(dsn, text),
    }
}

/// Postfix's own words.
fn of_postfix(dsn: Option<Dsn>, text: &[u8]) -> FailureReason {
    let starts = |word: &[u8]| text.starts_with(word);
    let ends = |word: &[u8]| text.ends_with(word);
    if starts(b"connect to ") {
        return if ends(b"Connection refused")
            || ends(b"No such file or directory")
            || ends(b"Permission denied")
        {
            FailureReason::ConnectionRefused
        } else if ends(b"timed out") {
            FailureReason::ConnectionTimeout
        } else if ends(b"Connection reset by peer") || ends(b"server dropped connection") {
            FailureReason::LostConnection
        } else {
            // No route to host, Network is unreachable, Host is down, ...
            FailureReason::HostUnreachable
        };
    }
    if starts(b"lost connection with ") {
        return FailureReason::LostConnection;
    }
    if starts(b"conversation with ") {
        return FailureReason::ConnectionTimeout;
    }
    if starts(b"Host or domain name not found")
        || starts(b"Host found but no data record")
        || starts(b"Name service error")
        || starts(b"unable to look up host")
        || starts(b"unable to find primary relay")
        || starts(b"DNS lookup error")
        || starts(b"Domain ") && memchr::memmem::find(text, b"(nullMX)").is_some()
    {
        return FailureReason::Dns;
    }
    if starts(b"mail for ") && ends(b"loops back to myself")
        || starts(b"mail forwarding loop for ")
        || starts(b"hopcount exceeded")
        || starts(b"too many hops")
    {
        return FailureReason::Loop;
    }
    if starts(b"message size ") || starts(b"message too large") || starts(b"message file too big") {
        return FailureReason::Size;
    }
    if starts(b"TLS is required")
        || starts(b"Cannot start TLS")
        || starts(b"Server certificate ")
        || starts(b"Sender requested REQUIRETLS")
        || starts(b"TLSA lookup error")
        || starts(b"non DNSSEC destination")
        || starts(b"no TLSA records")
    {
        return FailureReason::Tls;
    }
    if starts(b"unknown user")
        || starts(b"user unknown")
        || starts(b"User unknown")
        || starts(b"no such user")
    {
        return FailureReason::UserUnknown;
    }
    if memchr::memmem::find(text, b"Disk quota exceeded").is_some()
        || memchr::memmem::find(text, b"error writing message: File too large").is_some()
    {
        return FailureReason::MailboxFull;
    }
    // A pipe's output, an error transport's text, a maildir's trouble.
    match of_dsn(dsn) {
        Some(reason) => reason,
        None => of_words(None, dsn, Found::of(text)),
    }
}

/// Enhanced codes that leave no doubt.
fn of_dsn(dsn: Option<Dsn>) -> Option<FailureReason> {
    let dsn = dsn?;
    Some(match (dsn.subject, dsn.detail) {
        (1, 1 | 6) => FailureReason::UserUnknown,
        (2, 2) => FailureReason::MailboxFull,
        (2, 3) | (3, 4) => FailureReason::Size,
        (4, 6) => FailureReason::Loop,
        (4, 7) => FailureReason::Expired,
        _ => return None,
    })
}

/// Codes that are given for recipients.
fn is_of_recipient(dsn: Option<Dsn>) -> bool {
    dsn.is_some_and(|dsn| matches!((dsn.subject, dsn.detail), (1, 0 | 1 | 6 | 10) | (2, 1 | 2)))
}

fn of_reply(code: Option<u16>, dsn: Option<Dsn>, text: &[u8]) -> FailureReason {
    let found = Found::of(text);
    // Some give 5.1.1 to what is about us; these words are stronger.
    if found.has(GREYLIST) || found.is_about_our_address(is_of_recipient(dsn)) {
        return of_words(code, dsn, found);
    }
    let reason = match of_dsn(dsn) {
        Some(reason) => reason,
        None => of_words(code, dsn, found),
    };
    // The user that they do not know is our sender, whatever the code.
    if reason == FailureReason::UserUnknown && found.has(SENDER) {
        return FailureReason::Policy;
    }
    reason
}

fn of_words(code: Option<u16>, dsn: Option<Dsn>, found: Found) -> FailureReason {
    let has = |kinds| found.has(kinds);
    let is_dsn = |subject: u16, details: &[u16]| {
        dsn.is_some_and(|dsn| dsn.subject == subject && details.contains(&dsn.detail))
    };
    if has(LOOP) {
        FailureReason::Loop
    } else if has(GREYLIST) {
        FailureReason::Greylisted
    } else if found.is_about_our_address(is_of_recipient(dsn)) {
        if has(REPUTATION) {
            FailureReason::Reputation
        } else {
            FailureReason::Blocklisted
        }
    } else if has(RATE) {
        FailureReason::RateLimited
    } else if has(AUTH) || matches!(code, Some(530 | 534 | 535 | 538)) {
        FailureReason::AuthRequired
    } else if has(FULL) {
        FailureReason::MailboxFull
    } else if has(SIZE) || matches!(code, Some(552)) && !has(SPAM) {
        FailureReason::Size
    } else if has(SPAM) {
        FailureReason::SpamContent
    } else if has(UNKNOWN) || is_dsn(1, &[0, 1, 3, 6, 10]) || is_dsn(2, &[1]) {
        FailureReason::UserUnknown
    } else if is_dsn(4, &[1]) && has(DENIED) {
        // Exchange Online's word for a recipient that it does not have.
        FailureReason::UserUnknown
    } else if has(TLS) || is_dsn(7, &[10, 11]) {
        FailureReason::Tls
    } else if has(POLICY) {
        FailureReason::Policy
    } else if has(AGAIN) && is_dsn(7, &[1]) && matches!(code, Some(450 | 451)) {
        FailureReason::Greylisted
    } else if has(DENIED | LISTED | LIST | REPUTATION) || dsn.is_some_and(|dsn| dsn.subject == 7) {
        FailureReason::Policy
    } else if is_dsn(1, &[2]) || is_dsn(4, &[3, 4]) || has(DOMAIN) {
        FailureReason::Dns
    } else if is_dsn(4, &[1]) {
        FailureReason::HostUnreachable
    } else {
        FailureReason::Other
    }
}

/// A large provider, by the name of its server.
fn provider_of_host(name: &[u8]) -> Option<Provider> {
    const HOSTS: &[(&[u8], Provider)] = &[
        (b"google.com", Provider::Google),
        (b"googlemail.com", Provider::Google),
        (b"outlook.com", Provider::Microsoft),
        (b"hotmail.com", Provider::Microsoft),
        (b"office365.us", Provider::Microsoft),
        (b"mx.microsoft", Provider::Microsoft),
        (b"yahoodns.net", Provider::Yahoo),
        (b"yahoo.com", Provider::Yahoo),
        (b"icloud.com", Provider::Apple),
        (b"apple.com", Provider::Apple),
        (b"gmx.net", Provider::Gmx),
        (b"gmx.com", Provider::Gmx),
        (b"web.de", Provider::Gmx),
        (b"mail.com", Provider::Gmx),
        (b"kundenserver.de", Provider::Gmx),
        (b"t-online.de", Provider::Telekom),
        (b"telekom.de", Provider::Telekom),
        (b"pphosted.com", Provider::Proofpoint),
        (b"ppe-hosted.com", Provider::Proofpoint),
        (b"barracudanetworks.com", Provider::Barracuda),
        (b"iphmx.com", Provider::Cisco),
        (b"trendmicro.com", Provider::Trendmicro),
        (b"trendmicro.eu", Provider::Trendmicro),
        (b"cloudmark.com", Provider::Cloudmark),
    ];
    HOSTS.iter().find_map(|&(host, provider)| {
        let at = name.len().checked_sub(host.len())?;
        let (before, end) = name.split_at_checked(at)?;
        (end.eq_ignore_ascii_case(host) && (before.is_empty() || before.ends_with(b".")))
            .then_some(provider)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::event::Status;

    fn delivery(relay: &'static str, text: &'static str) -> Delivery<'static> {
        Delivery {
            queue_id: b"4C9E41A0B2",
            recipient: b"bob@example.com",
            orig_recipient: None,
            relay: Relay::Host {
                name: relay.as_bytes(),
                address: "192.0.2.25".parse().unwrap(),
                port: Some(25),
            },
            connection_use: 1,
            delay_ms: 0,
            delay_stages_ms: None,
            tls: None,
            dsn: None,
            status: Status::Deferred,
            text: text.as_bytes(),
            queued_as: None,
            forwarded_as: None,
            unreachable: None,
        }
    }

    #[test]
    fn postfix_words() {
        use FailureReason::*;
        for (text, reason) in [
            (
                "connect to mx[192.0.2.25]:25: Connection refused",
                ConnectionRefused,
            ),
            (
                "connect to mx[private/lmtp]: No such file or directory",
                ConnectionRefused,
            ),
            (
                "connect to mx[192.0.2.25]:25: Connection timed out",
                ConnectionTimeout,
            ),
            (
                "connect to mx[192.0.2.25]:25: No route to host",
                HostUnreachable,
            ),
            (
                "connect to mx[2001:db8::1]:25: Network is unreachable",
                HostUnreachable,
            ),
            (
                "delivery temporarily suspended: connect to mx[192.0.2.25]:25: Connection refused",
                ConnectionRefused,
            ),
            (
                "lost connection with mx[192.0.2.25] while receiving the initial server greeting",
                LostConnection,
            ),
            (
                "conversation with mx[192.0.2.25] timed out while sending end of data -- message may be sent more than once",
                ConnectionTimeout,
            ),
            (
                "Host or domain name not found. Name service error for name=example.com type=MX: Host not found, try again",
                Dns,
            ),
            ("Domain example.com does not accept mail (nullMX)", Dns),
            ("mail for example.com loops back to myself", Loop),
            ("mail forwarding loop for bob@example.com", Loop),
            (
                "message size 99 exceeds size limit 10 of server mx[192.0.2.25]",
                Size,
            ),
            (
                "TLS is required, but was not offered by host mx[192.0.2.25]",
                Tls,
            ),
            ("Cannot start TLS: handshake failure", Tls),
            ("Server certificate not trusted", Tls),
            (
                "SASL authentication failed; server mx[192.0.2.25] said: 535 5.7.8 Error: authentication failed: spamhaus",
                AuthRequired,
            ),
            (
                "SASL authentication failed; cannot authenticate to server mx[192.0.2.25]: no mechanism available",
                AuthRequired,
            ),
            ("unknown user: \"no\"", UserUnknown),
            ("User unknown in virtual alias table", UserUnknown),
            ("user unknown. Command output: x", UserUnknown),
            (
                "maildir delivery failed: error writing message: Disk quota exceeded",
                MailboxFull,
            ),
            (
                "cannot update mailbox /var/mail/bob for user bob. error writing message: File too large",
                MailboxFull,
            ),
            ("mail transport unavailable", Other),
        ] {
            assert_eq!(delivery("mx", text).failure_reason(), reason, "{text}");
        }
    }

    #[test]
    fn replies() {
        use FailureReason::*;
        for (reply, reason) in [
            (
                "450 4.2.0 <bob@example.com>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.com.html",
                Greylisted,
            ),
            (
                "451 4.7.1 Greylisting in action, please come back in 00:05:00",
                Greylisted,
            ),
            ("451 4.7.1 Please try again later", Greylisted),
            (
                "550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown in local recipient table",
                UserUnknown,
            ),
            (
                "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 https://support.google.com/mail/?p=NoSuchUser",
                UserUnknown,
            ),
            (
                "550 5.4.1 Recipient address rejected: Access denied. [AM5EUR03FT006.eop-EUR03.prod.protection.outlook.com]",
                UserUnknown,
            ),
            ("550 No such user here", UserUnknown),
            ("550 Unrouteable address", UserUnknown),
            (
                "452-4.2.2 The recipient's inbox is out of storage space. Please direct 452-4.2.2 the recipient to x",
                MailboxFull,
            ),
            (
                "552 5.2.2 <bob@example.com> Quota exceeded (mailbox for user is full)",
                MailboxFull,
            ),
            (
                "550-5.7.1 [192.0.2.7 12] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked.",
                SpamContent,
            ),
            ("554 5.7.1 Spam message rejected", SpamContent),
            (
                "552 5.7.0 This message was blocked because its content presents a potential security issue: attachment",
                SpamContent,
            ),
            ("554 5.7.1 URL in the body is listed in URIBL", SpamContent),
            (
                "421-4.7.0 [192.0.2.7 15] Our system has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users from spam, mail sent from your IP address has been temporarily rate limited.",
                RateLimited,
            ),
            (
                "451 4.7.500 Server busy. Please try again later from [192.0.2.7].",
                RateLimited,
            ),
            (
                "421 4.7.0 mx Error: too many connections from 192.0.2.7",
                RateLimited,
            ),
            ("530 5.7.1 Client was not authenticated", AuthRequired),
            (
                "530 5.7.0 Must issue a STARTTLS command first",
                AuthRequired,
            ),
            ("554 5.7.1 <bob@example.com>: Relay access denied", Policy),
            (
                "550 5.7.1 Email rejected per DMARC policy for example.org",
                Policy,
            ),
            (
                "550-5.7.25 [192.0.2.7] The IP address sending this message does not have a PTR record setup",
                Policy,
            ),
            (
                "554 5.7.1 <mx[192.0.2.7]>: Client host rejected: Access denied",
                Policy,
            ),
            ("521 5.3.2 not accepting mail from [192.0.2.7]", Policy),
            ("552 5.3.4 Message size exceeds fixed limit", Size),
            ("554 5.4.6 Too many hops", Loop),
            ("451 4.3.0 Temporary lookup failure", Other),
            // Something is listed or blocked, but not our address.
            (
                "550 bob@example.com... User not listed in public Name & Address Book",
                UserUnknown,
            ),
            (
                "550 5.1.1 bob@example.com not listed in Domino Directory",
                UserUnknown,
            ),
            (
                "550 5.1.1 <bob@example.com> User is not listed in our directory",
                UserUnknown,
            ),
            (
                "550 5.1.1 <bob@example.com>: Recipient address rejected: blocked by administrator",
                UserUnknown,
            ),
            (
                "554 5.7.1 Your message was blocked by our spam filter",
                SpamContent,
            ),
            ("554 5.7.1 Message blocked by content filter", SpamContent),
            ("550 5.7.1 Message blocked by recipient's rule", Policy),
            (
                "550 5.7.1 Mail from anna@example.org is blacklisted by the recipient",
                Policy,
            ),
            (
                "550 5.7.1 Sender address blocked by recipient's blacklist",
                Policy,
            ),
            (
                "554 5.7.1 Rejected: sender domain example.org is listed in our local blacklist",
                Policy,
            ),
            (
                "554 5.7.1 Service unavailable; Sender address [anna@example.org] blocked using dbl.spamhaus.org",
                SpamContent,
            ),
            (
                "550-5.7.1 [192.0.2.7 19] Our system has detected that this message is 550-5.7.1 likely suspicious due to the very low reputation of the sending 550-5.7.1 domain. To best protect our users from spam, the message has been blocked.",
                SpamContent,
            ),
            ("550 5.7.1 From address has bad reputation", Policy),
            // Not about the recipient.
            (
                "550 5.1.0 <anna@example.org>: Sender address rejected: User unknown in virtual mailbox table",
                Policy,
            ),
            // Comes back in minutes, and is then known or not: as greylisting does.
            (
                "450 4.1.1 <bob@example.com>: Recipient address rejected: unverified address: Address verification in progress",
                Greylisted,
            ),
            ("454 4.7.0 TLS not available due to local problem", Policy),
        ] {
            let text: &'static str = format!(
                "host mx.example.com[192.0.2.25] said: {reply} (in reply to RCPT TO command)"
            )
            .leak();
            let d = delivery("mx.example.com", text);
            assert_eq!(d.failure_reason(), reason, "{text}");
            assert_eq!(d.blocklisted_by(), None, "{text}");
            let code = reply.get(..3).and_then(|code| code.parse().ok());
            assert_eq!(d.reply_code(), code, "{text}");
        }
    }

    #[test]
    fn listed() {
        use FailureReason::{Blocklisted, Reputation};
        for (relay, reply, provider, reason) in [
            (
                "mx.example.com",
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "554 Service unavailable; Client host [mx] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?pr=1&ip=192.0.2.7",
                Provider::Barracuda,
                Reputation,
            ),
            (
                "mx.example.com",
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using b.barracudacentral.org",
                Provider::Barracuda,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.7",
                Provider::Spamcop,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using dnsbl.sorbs.net",
                Provider::Sorbs,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using dnsbl-1.uceprotect.net",
                Provider::Uceprotect,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 5.7.1 blocked by combined.mail.abusix.zone",
                Provider::Abusix,
                Blocklisted,
            ),
            (
                "mxa.pphosted.com",
                "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.7",
                Provider::Proofpoint,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "421 4.7.1 Mail from 192.0.2.7 refused. See http://csi.cloudmark.com/reset-request/?ip=192.0.2.7",
                Provider::Cloudmark,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 5.7.1 Mail from 192.0.2.7 blocked using Trend Micro RBL+. See http://www.mail-abuse.com",
                Provider::Trendmicro,
                Blocklisted,
            ),
            (
                "esa.iphmx.com",
                "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.",
                Provider::Cisco,
                Reputation,
            ),
            (
                "x.mail.protection.outlook.com",
                "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).",
                Provider::Microsoft,
                Blocklisted,
            ),
            (
                "x.mail.protection.outlook.com",
                "550 5.7.606 Access denied, banned sending IP [192.0.2.7]. To request removal from this list please visit https://sender.office.com/",
                Provider::Microsoft,
                Blocklisted,
            ),
            (
                "hotmail-com.olc.protection.outlook.com",
                "451 4.7.650 The mail server [192.0.2.7] has been temporarily rate limited due to IP reputation.",
                Provider::Microsoft,
                Reputation,
            ),
            (
                "gmail-smtp-in.l.google.com",
                "550-5.7.1 [192.0.2.7 19] Our system has detected that this message is 550-5.7.1 likely suspicious due to the very low reputation of the sending IP 550-5.7.1 address.",
                Provider::Google,
                Reputation,
            ),
            (
                "mta5.am0.yahoodns.net",
                "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.7, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mta5.am0.yahoodns.net",
                "553 5.7.2 [TSS09] All messages from 192.0.2.7 will be permanently deferred; Retrying will NOT succeed.",
                Provider::Yahoo,
                Reputation,
            ),
            (
                "mx01.mail.icloud.com",
                "550 5.7.1 Mail from IP 192.0.2.7 was rejected due to listing in Spamhaus PBL.",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mx01.mail.icloud.com",
                "554 5.7.1 your address is blocklisted",
                Provider::Apple,
                Blocklisted,
            ),
            (
                "mx00.gmx.net",
                "554-gmx.net (mxgmx117) Nemesis ESMTP Service not available 554-No SMTP service 554-IP address is block listed. 554 For explanation visit https://postmaster.gmx.net/en/error-messages?ip=192.0.2.7&c=bl",
                Provider::Gmx,
                Blocklisted,
            ),
            (
                "mx00.t-online.de",
                "554 IP=192.0.2.7 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)",
                Provider::Telekom,
                Blocklisted,
            ),
            (
                "mx00.t-online.de",
                "554 IP=192.0.2.7 - None/bad reputation. Ask your postmaster for help or to contact tosa@rx.t-online.de for reset. (NOWL)",
                Provider::Telekom,
                Reputation,
            ),
            (
                "mx.example.com",
                "550 your host is listed in our local blacklist",
                Provider::Other,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 5.7.1 Mail from [192.0.2.7] refused, listed in our database",
                Provider::Other,
                Blocklisted,
            ),
            // What a list says of us may be said of a message, too.
            (
                "mx.example.com",
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7; infected",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "554 Service unavailable; [192.0.2.7] blocked using zen.spamhaus.org; virus",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550-Your IP is in Spamhaus ZEN because of malware, see x",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 5.7.1 Your IP 192.0.2.7 is listed at zen.spamhaus.org, see https://check.spamhaus.org/query?url=x",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 5.1.1 <bob@example.com>: Client host [192.0.2.7] blocked using zen.spamhaus.org",
                Provider::Spamhaus,
                Blocklisted,
            ),
            (
                "x.mail.protection.outlook.com",
                "550 5.7.511 Access denied, banned sender[192.0.2.7]. To request removal from this list please forward this message to delist@messaging.microsoft.com",
                Provider::Microsoft,
                Blocklisted,
            ),
            (
                "mx.example.com",
                "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).",
                Provider::Microsoft,
                Blocklisted,
            ),
        ] {
            for words in ["said", "refused to talk to me"] {
                let words = if words == "said" {
                    "said:"
                } else {
                    "refused to talk to me:"
                };
                let text: &'static str = format!("host {relay}[192.0.2.25] {words} {reply}").leak();
                let d = delivery(relay, text);
                assert_eq!(d.failure_reason(), reason, "{text}");
                assert_eq!(d.blocklisted_by(), Some(provider), "{text}");
            }
        }
    }

    /// A recipient's name, a message's link, our own words: not about our address.
    #[test]
    fn not_listed() {
        for text in [
            "host mx[192.0.2.25] said: 550 5.1.1 <spamhaus@example.com>: Recipient address rejected: User unknown",
            "host mx[192.0.2.25] said: 550 5.1.1 blacklist@example.com no such user",
            "host mx[192.0.2.25] said: 554 5.7.1 a URL in this message is listed by Spamhaus",
            "connect to zen.spamhaus.org[192.0.2.25]:25: blocked using it",
            "250 2.0.0 Ok: blacklisted",
            "lost connection with blacklist.example[192.0.2.25] while sending RCPT TO",
        ] {
            assert_eq!(
                delivery("mx.example.com", text).blocklisted_by(),
                None,
                "{text}"
            );
        }
        assert_eq!(provider_of_host(b"google.com.evil.example"), None);
        assert_eq!(provider_of_host(b"notgoogle.com"), None);
        assert_eq!(
            provider_of_host(b"ALT1.aspmx.l.google.com"),
            Some(Provider::Google)
        );
    }
}
