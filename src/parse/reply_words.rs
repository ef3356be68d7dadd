//! The words by which mail servers say why they do not take a mail.
//!
//! A word gives kinds, and sometimes who says it; `reply` decides what counts among several. A new
//! one goes into `WORDS`, in the order of the first byte, with the reply in the tests of `reply`.

use super::event::Provider;
use super::words::Words;

/// What kinds of words a text has.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    kinds: u32,
    pub(super) provider: Option<Provider>,
}

pub(super) const GREYLIST: u32 = 1;
pub(super) const LISTED: u32 = 1 << 1;
pub(super) const REPUTATION: u32 = 1 << 2;
pub(super) const RATE: u32 = 1 << 3;
pub(super) const AUTH: u32 = 1 << 4;
pub(super) const FULL: u32 = 1 << 5;
pub(super) const SIZE: u32 = 1 << 6;
pub(super) const UNKNOWN: u32 = 1 << 7;
pub(super) const SPAM: u32 = 1 << 8;
pub(super) const POLICY: u32 = 1 << 9;
pub(super) const TLS: u32 = 1 << 10;
pub(super) const LOOP: u32 = 1 << 11;
/// It is the message, or a link in it, that is listed, not we.
pub(super) const NOT_US: u32 = 1 << 12;
pub(super) const AGAIN: u32 = 1 << 13;
pub(super) const DENIED: u32 = 1 << 14;
pub(super) const DOMAIN: u32 = 1 << 15;
/// A list that is known, or words that only a list of addresses has; [`LISTED`] alone says no more
/// than that something is listed, or blocked.
pub(super) const LIST: u32 = 1 << 16;
/// Words for our address, or an address; with them [`LISTED`] is about us.
pub(super) const OURS: u32 = 1 << 17;
/// Words that cannot mean anything but our address: stronger than [`NOT_US`] and [`THEIRS`].
pub(super) const CLIENT: u32 = 1 << 18;
/// `blocked using`, as Postfix says it of a DNS list.
pub(super) const USING: u32 = 1 << 19;
/// It is the sender's name or domain, the recipient, a filter of theirs.
pub(super) const THEIRS: u32 = 1 << 20;
/// The sender does not exist, they say.
pub(super) const SENDER: u32 = 1 << 21;
/// A provider's name alone.
const NAME: u32 = 0;

impl Found {
    pub(super) fn of(text: &[u8]) -> Found {
        let mut found = Found::default();
        WORDS.find(text, |(kinds, provider)| {
            found.kinds |= kinds;
            found.provider = found.provider.or(provider);
            true
        });
        if found.has(LISTED | LIST) && !found.has(CLIENT | OURS) && has_address(text) {
            found.kinds |= OURS;
        }
        found
    }

    pub(super) fn has(self, kinds: u32) -> bool {
        self.kinds & kinds != 0
    }

    /// Whether it says that our address is listed, or has a bad reputation. `of_recipient`: its
    /// enhanced code is one of recipients.
    pub(super) fn is_about_our_address(self, of_recipient: bool) -> bool {
        if self.has(CLIENT) && self.has(LISTED | LIST | REPUTATION)
            || self.has(USING) && self.has(OURS) && !self.has(THEIRS)
        {
            return true;
        }
        if self.has(NOT_US | THEIRS) {
            return false;
        }
        self.has(LIST | REPUTATION) || self.has(LISTED) && self.has(OURS) && !of_recipient
    }
}

/// Whether an IP address stands in a text.
fn has_address(text: &[u8]) -> bool {
    let text = text.get(..2048).unwrap_or(text);
    text.split(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'.' | b':'))
        .filter(|part| part.len() > 6)
        .filter_map(|part| std::str::from_utf8(part).ok())
        .any(|part| {
            part.trim_matches(['.', ':'])
                .parse::<std::net::IpAddr>()
                .is_ok()
        })
}

static WORDS: Words<(u32, Option<Provider>)> = Words::new(&[
    ("(bl)", (LIST, None)),
    ("(nowl)", (REPUTATION, None)),
    ("abusix", (LIST, Some(Provider::Abusix))),
    ("access denied", (DENIED, None)),
    ("account disabled", (UNKNOWN, None)),
    ("account has been disabled", (UNKNOWN, None)),
    ("account inactive", (UNKNOWN, None)),
    ("account is disabled", (UNKNOWN, None)),
    ("account is full", (FULL, None)),
    (
        "account that you tried to reach does not exist",
        (UNKNOWN, None),
    ),
    ("address unknown", (UNKNOWN, None)),
    ("address verification in progress", (GREYLIST, None)),
    ("attachment", (SPAM | NOT_US, None)),
    ("authenticate first", (AUTH, None)),
    ("authentication is required", (AUTH, None)),
    ("authentication required", (AUTH, None)),
    ("bad reputation", (REPUTATION, None)),
    ("banned sender[", (LIST | CLIENT, None)),
    ("banned sending ip", (LIST | CLIENT, None)),
    ("barracuda", (NAME, Some(Provider::Barracuda))),
    ("bl$", (LIST, None)),
    ("bl21", (LIST, None)),
    ("bl23", (LIST, None)),
    ("black list", (LISTED, None)),
    ("black-list", (LISTED, None)),
    ("blacklist", (LISTED, None)),
    ("block list", (LISTED, None)),
    ("block-list", (LISTED, None)),
    ("blocked - see", (LISTED, None)),
    ("blocked by", (LISTED, None)),
    ("blocked for abuse", (LIST, None)),
    ("blocked using", (LIST | USING, None)),
    ("blocklist", (LISTED, None)),
    ("body contains", (SPAM | NOT_US, None)),
    ("bulk", (SPAM, None)),
    ("by recipient", (THEIRS, None)),
    ("by the recipient", (THEIRS, None)),
    ("client host", (CLIENT, None)),
    ("client ip", (CLIENT, None)),
    ("client was not authenticated", (AUTH, None)),
    ("client.not authenticated", (AUTH, None)),
    ("cloudmark", (NAME, Some(Provider::Cloudmark))),
    ("come back later", (GREYLIST, None)),
    ("connecting ip", (CLIENT, None)),
    ("content filter", (SPAM | THEIRS, None)),
    ("content rejected", (SPAM, None)),
    ("csi.cloudmark", (LIST, Some(Provider::Cloudmark))),
    ("data size exceeds", (SIZE, None)),
    (
        "dbl.spamhaus",
        (LIST | NOT_US | THEIRS, Some(Provider::Spamhaus)),
    ),
    ("denied", (DENIED, None)),
    ("denylist", (LISTED, None)),
    ("disk quota", (FULL, None)),
    ("dkim", (POLICY, None)),
    ("dmarc", (POLICY, None)),
    ("dnsbl", (LIST, None)),
    ("does not exist", (UNKNOWN, None)),
    ("doesn't exist", (UNKNOWN, None)),
    ("domain not found", (DOMAIN, None)),
    ("domain reputation", (THEIRS, None)),
    ("exceeded the rate", (RATE, None)),
    ("exceeds size limit", (SIZE, None)),
    ("excessive", (RATE, None)),
    ("forbidden", (DENIED, None)),
    ("from address", (THEIRS, None)),
    ("from domain", (THEIRS, None)),
    ("from ip", (CLIENT, None)),
    ("full mailbox", (FULL, None)),
    ("gray list", (GREYLIST, None)),
    ("graylist", (GREYLIST, None)),
    ("grey list", (GREYLIST, None)),
    ("grey-list", (GREYLIST, None)),
    ("greylist", (GREYLIST, None)),
    ("helo command", (THEIRS, None)),
    ("hop count", (LOOP, None)),
    ("inbox is full", (FULL, None)),
    ("inbox is out of storage", (FULL, None)),
    ("infected", (SPAM | NOT_US, None)),
    ("insufficient disk space", (FULL, None)),
    ("invalid mailbox", (UNKNOWN, None)),
    ("invalid recipient", (UNKNOWN, None)),
    ("ip address", (CLIENT, None)),
    ("ip address is block listed", (LIST | CLIENT, None)),
    ("ipcheck.proofpoint", (LIST, Some(Provider::Proofpoint))),
    ("is listed", (LISTED, None)),
    ("isn't a valid", (UNKNOWN, None)),
    ("junk", (SPAM, None)),
    ("listed at", (LISTED, None)),
    ("listed by", (LISTED, None)),
    ("listed in", (LISTED, None)),
    ("listed on", (LISTED, None)),
    ("live.com", (NAME, Some(Provider::Microsoft))),
    ("local policy", (POLICY, None)),
    ("low reputation", (REPUTATION, None)),
    ("mail loop", (LOOP, None)),
    ("mailbox exceeded", (FULL, None)),
    ("mailbox full", (FULL, None)),
    ("mailbox is full", (FULL, None)),
    ("mailbox not found", (UNKNOWN, None)),
    ("mailbox size", (FULL, None)),
    ("mailbox unavailable", (UNKNOWN, None)),
    ("mailbox unknown", (UNKNOWN, None)),
    ("mails per ", (RATE, None)),
    ("malicious", (SPAM, None)),
    ("malware", (SPAM | NOT_US, None)),
    ("message content", (SPAM, None)),
    ("message size", (SIZE, None)),
    ("message too big", (SIZE, None)),
    ("message too large", (SIZE, None)),
    ("messages per ", (RATE, None)),
    ("must authenticate", (AUTH, None)),
    ("must issue a starttls", (TLS, None)),
    ("no longer", (UNKNOWN, None)),
    ("no mailbox", (UNKNOWN, None)),
    ("no such mailbox", (UNKNOWN, None)),
    ("no such recipient", (UNKNOWN, None)),
    ("no such user", (UNKNOWN, None)),
    ("not a valid", (UNKNOWN, None)),
    ("not accepting mail from", (POLICY, None)),
    ("not allowed", (DENIED, None)),
    ("not authorized", (POLICY, None)),
    ("not listed", (UNKNOWN | THEIRS, None)),
    ("not permitted", (DENIED, None)),
    ("on our block list", (LISTED, None)),
    ("out of storage", (FULL, None)),
    ("over quota", (FULL, None)),
    ("overquota", (FULL, None)),
    ("permanently deferred", (REPUTATION, None)),
    ("phish", (SPAM, None)),
    ("please try again", (AGAIN, None)),
    ("policy", (POLICY, None)),
    ("poor reputation", (REPUTATION, None)),
    ("postgrey", (GREYLIST, None)),
    ("prohibited", (DENIED, None)),
    ("proofpoint", (NAME, Some(Provider::Proofpoint))),
    ("ptr$", (POLICY, None)),
    ("quota exceeded", (FULL, None)),
    ("rate limit", (RATE, None)),
    ("rate-limit", (RATE, None)),
    ("ratelimit", (RATE, None)),
    ("rbl$", (LIST, None)),
    ("rbls", (LIST, None)),
    ("rdns", (POLICY, None)),
    ("receiving mail at a rate", (RATE, None)),
    ("recipient not found", (UNKNOWN, None)),
    ("recipient unknown", (UNKNOWN, None)),
    ("recipient's", (THEIRS, None)),
    ("refused csi", (LIST, Some(Provider::Cloudmark))),
    ("rejected by", (DENIED, None)),
    ("relay access denied", (POLICY, None)),
    ("relay not permitted", (POLICY, None)),
    ("relaying denied", (POLICY, None)),
    ("reputation", (REPUTATION, None)),
    ("reverse dns", (POLICY, None)),
    ("reverse hostname", (POLICY, None)),
    ("rhsbl", (THEIRS, None)),
    ("s3140", (LIST | CLIENT, Some(Provider::Microsoft))),
    ("s3150", (LIST | CLIENT, Some(Provider::Microsoft))),
    ("sender address", (THEIRS, None)),
    ("sender address rejected", (SENDER | THEIRS, None)),
    ("sender domain", (THEIRS, None)),
    ("sender ip", (CLIENT, None)),
    ("sender verify failed", (SENDER | THEIRS, None)),
    ("sender's", (THEIRS, None)),
    ("senderbase", (REPUTATION, Some(Provider::Cisco))),
    ("sending 421-4.7.0 domain", (THEIRS, None)),
    ("sending 550-5.7.1 domain", (THEIRS, None)),
    ("sending domain", (THEIRS, None)),
    ("sending host", (CLIENT, None)),
    ("sending ip", (CLIENT, None)),
    ("sending mta", (CLIENT, None)),
    ("sending server", (CLIENT, None)),
    ("server busy", (RATE, None)),
    ("size limit", (SIZE, None)),
    ("slow down", (RATE, None)),
    ("smtp auth", (AUTH, None)),
    ("sorbs", (LIST, Some(Provider::Sorbs))),
    ("source ip", (CLIENT, None)),
    ("spam", (SPAM, None)),
    ("spam filter", (SPAM | THEIRS, None)),
    ("spamassassin", (SPAM | NOT_US, None)),
    ("spamcop", (LIST, Some(Provider::Spamcop))),
    ("spamhaus", (LIST, Some(Provider::Spamhaus))),
    ("spf", (POLICY, None)),
    ("starttls", (TLS, None)),
    ("storage limit", (FULL, None)),
    ("surbl", (SPAM | NOT_US | THEIRS, None)),
    ("suspicious", (SPAM, None)),
    ("talosintelligence", (REPUTATION, Some(Provider::Cisco))),
    ("the ip ", (CLIENT, None)),
    ("their network", (CLIENT, None)),
    ("this ip", (CLIENT, None)),
    ("throttl", (RATE, None)),
    ("tls required", (TLS, None)),
    ("too big", (SIZE, None)),
    ("too fast", (RATE, None)),
    ("too large", (SIZE, None)),
    ("too many", (RATE, None)),
    ("too many hops", (LOOP, None)),
    ("too many received", (LOOP, None)),
    ("too much mail", (RATE, None)),
    ("traffic not accepted from this ip", (LIST | CLIENT, None)),
    ("trend micro", (NAME, Some(Provider::Trendmicro))),
    ("trendmicro", (NAME, Some(Provider::Trendmicro))),
    ("try again", (AGAIN, None)),
    ("uceprotect", (LIST, Some(Provider::Uceprotect))),
    ("unexpected volume", (RATE, None)),
    ("unknown address", (UNKNOWN, None)),
    ("unknown mailbox", (UNKNOWN, None)),
    ("unknown recipient", (UNKNOWN, None)),
    ("unknown user", (UNKNOWN, None)),
    ("unrouteable address", (UNKNOWN, None)),
    ("unsolicited", (SPAM, None)),
    ("unusual rate", (RATE, None)),
    ("uribl", (SPAM | NOT_US | THEIRS, None)),
    ("url", (SPAM | NOT_US, None)),
    ("user complaints", (RATE, None)),
    ("user not found", (UNKNOWN, None)),
    ("user unknown", (UNKNOWN, None)),
    ("virus", (SPAM | NOT_US, None)),
    ("yahoo.com", (NAME, Some(Provider::Yahoo))),
    ("you are not authorized to send", (POLICY, None)),
    ("your address", (OURS, None)),
    ("your domain", (THEIRS, None)),
    ("your host", (CLIENT, None)),
    ("your ip", (CLIENT, None)),
    ("your isp", (OURS, None)),
    ("your mail server", (CLIENT, None)),
    ("your mailserver", (CLIENT, None)),
    ("your network", (CLIENT, None)),
    ("your server", (CLIENT, None)),
    ("your system", (OURS, None)),
]);
