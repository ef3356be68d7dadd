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
/// It is the message, a link in it, a recipient that is listed, not we.
pub(super) const NOT_US: u32 = 1 << 12;
pub(super) const AGAIN: u32 = 1 << 13;
pub(super) const DENIED: u32 = 1 << 14;
pub(super) const DOMAIN: u32 = 1 << 15;
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
        found
    }

    pub(super) fn has(self, kinds: u32) -> bool {
        self.kinds & kinds != 0
    }

    pub(super) fn is_about_our_address(self) -> bool {
        self.has(LISTED | REPUTATION) && !self.has(NOT_US)
    }
}

static WORDS: Words<(u32, Option<Provider>)> = Words::new(&[
    ("(bl)", (LISTED, None)),
    ("(nowl)", (REPUTATION, None)),
    ("abusix", (LISTED, Some(Provider::Abusix))),
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
    ("attachment", (SPAM | NOT_US, None)),
    ("authenticate first", (AUTH, None)),
    ("authentication is required", (AUTH, None)),
    ("authentication required", (AUTH, None)),
    ("bad reputation", (REPUTATION, None)),
    ("banned sending ip", (LISTED, None)),
    ("barracuda", (NAME, Some(Provider::Barracuda))),
    ("bl$", (LISTED, None)),
    ("bl21", (LISTED, None)),
    ("bl23", (LISTED, None)),
    ("black list", (LISTED, None)),
    ("black-list", (LISTED, None)),
    ("blacklist", (LISTED, None)),
    ("block list", (LISTED, None)),
    ("block-list", (LISTED, None)),
    ("blocked - see", (LISTED, None)),
    ("blocked by", (LISTED, None)),
    ("blocked for abuse", (LISTED, None)),
    ("blocked using", (LISTED, None)),
    ("blocklist", (LISTED, None)),
    ("body contains", (SPAM | NOT_US, None)),
    ("bulk", (SPAM, None)),
    ("client was not authenticated", (AUTH, None)),
    ("client.not authenticated", (AUTH, None)),
    ("cloudmark", (NAME, Some(Provider::Cloudmark))),
    ("come back later", (GREYLIST, None)),
    ("content rejected", (SPAM, None)),
    ("csi.cloudmark", (LISTED, Some(Provider::Cloudmark))),
    ("data size exceeds", (SIZE, None)),
    ("dbl.spamhaus", (LISTED | NOT_US, Some(Provider::Spamhaus))),
    ("denied", (DENIED, None)),
    ("denylist", (LISTED, None)),
    ("disk quota", (FULL, None)),
    ("dkim", (POLICY, None)),
    ("dmarc", (POLICY, None)),
    ("dnsbl", (LISTED, None)),
    ("does not exist", (UNKNOWN, None)),
    ("doesn't exist", (UNKNOWN, None)),
    ("domain not found", (DOMAIN, None)),
    ("exceeded the rate", (RATE, None)),
    ("exceeds size limit", (SIZE, None)),
    ("excessive", (RATE, None)),
    ("forbidden", (DENIED, None)),
    ("full mailbox", (FULL, None)),
    ("gray list", (GREYLIST, None)),
    ("graylist", (GREYLIST, None)),
    ("grey list", (GREYLIST, None)),
    ("grey-list", (GREYLIST, None)),
    ("greylist", (GREYLIST, None)),
    ("hop count", (LOOP, None)),
    ("inbox is full", (FULL, None)),
    ("inbox is out of storage", (FULL, None)),
    ("infected", (SPAM | NOT_US, None)),
    ("insufficient disk space", (FULL, None)),
    ("invalid mailbox", (UNKNOWN, None)),
    ("invalid recipient", (UNKNOWN, None)),
    ("ip address is block listed", (LISTED, None)),
    ("ipcheck.proofpoint", (LISTED, Some(Provider::Proofpoint))),
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
    ("rbl$", (LISTED, None)),
    ("rbls", (LISTED, None)),
    ("rdns", (POLICY, None)),
    ("receiving mail at a rate", (RATE, None)),
    ("recipient not found", (UNKNOWN, None)),
    ("recipient unknown", (UNKNOWN, None)),
    ("refused csi", (LISTED, Some(Provider::Cloudmark))),
    ("rejected by", (DENIED, None)),
    ("relay access denied", (POLICY, None)),
    ("relay not permitted", (POLICY, None)),
    ("relaying denied", (POLICY, None)),
    ("reputation", (REPUTATION, None)),
    ("reverse dns", (POLICY, None)),
    ("reverse hostname", (POLICY, None)),
    ("senderbase", (REPUTATION, Some(Provider::Cisco))),
    ("server busy", (RATE, None)),
    ("size limit", (SIZE, None)),
    ("slow down", (RATE, None)),
    ("smtp auth", (AUTH, None)),
    ("sorbs", (LISTED, Some(Provider::Sorbs))),
    ("spamassassin", (SPAM | NOT_US, None)),
    ("spamcop", (LISTED, Some(Provider::Spamcop))),
    ("spamhaus", (LISTED, Some(Provider::Spamhaus))),
    ("spam", (SPAM, None)),
    ("spf", (POLICY, None)),
    ("starttls", (TLS, None)),
    ("storage limit", (FULL, None)),
    ("surbl", (SPAM | NOT_US, None)),
    ("suspicious", (SPAM, None)),
    ("talosintelligence", (REPUTATION, Some(Provider::Cisco))),
    ("throttl", (RATE, None)),
    ("tls required", (TLS, None)),
    ("too big", (SIZE, None)),
    ("too fast", (RATE, None)),
    ("too large", (SIZE, None)),
    ("too many hops", (LOOP, None)),
    ("too many received", (LOOP, None)),
    ("too many", (RATE, None)),
    ("too much mail", (RATE, None)),
    ("traffic not accepted from this ip", (LISTED, None)),
    ("trend micro", (NAME, Some(Provider::Trendmicro))),
    ("trendmicro", (NAME, Some(Provider::Trendmicro))),
    ("try again", (AGAIN, None)),
    ("uceprotect", (LISTED, Some(Provider::Uceprotect))),
    ("unexpected volume", (RATE, None)),
    ("unknown address", (UNKNOWN, None)),
    ("unknown mailbox", (UNKNOWN, None)),
    ("unknown recipient", (UNKNOWN, None)),
    ("unknown user", (UNKNOWN, None)),
    ("unrouteable address", (UNKNOWN, None)),
    ("unsolicited", (SPAM, None)),
    ("unusual rate", (RATE, None)),
    ("uribl", (SPAM | NOT_US, None)),
    ("url", (SPAM | NOT_US, None)),
    ("user complaints", (RATE, None)),
    ("user not found", (UNKNOWN, None)),
    ("user unknown", (UNKNOWN, None)),
    ("virus", (SPAM | NOT_US, None)),
    ("yahoo.com", (NAME, Some(Provider::Yahoo))),
    ("you are not authorized to send", (POLICY, None)),
]);
