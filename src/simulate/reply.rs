//! What came of one attempt to deliver to one recipient, and the words in which the log says it.

use super::line::Line;
use super::truth::{Class, Failure, Provider, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Sent,
    UserUnknown,
    SpamContent,
    MailboxFull,
    Greylisted,
    /// Refused for good: our address is on a public list.
    Spamhaus,
    /// The same, by a server that says so with a temporary code.
    SpamhausTemporary,
    /// Refused for good: our network is on a provider's own list.
    Microsoft,
    Timeout,
    NoSuchHost,
    /// Not even tried: the destination failed a moment ago.
    Suspended,
}

impl Reply {
    pub fn status(self) -> Status {
        match self {
            Reply::Sent => Status::Sent,
            Reply::UserUnknown | Reply::SpamContent | Reply::Spamhaus | Reply::Microsoft => {
                Status::Bounced
            }
            Reply::MailboxFull
            | Reply::Greylisted
            | Reply::SpamhausTemporary
            | Reply::Timeout
            | Reply::NoSuchHost
            | Reply::Suspended => Status::Deferred,
        }
    }

    pub fn dsn(self) -> &'static str {
        match self {
            Reply::Sent => "2.0.0",
            Reply::UserUnknown => "5.1.1",
            Reply::SpamContent | Reply::Spamhaus | Reply::Microsoft => "5.7.1",
            Reply::MailboxFull => "4.2.2",
            Reply::Greylisted => "4.2.0",
            Reply::SpamhausTemporary => "4.7.1",
            Reply::Timeout | Reply::Suspended => "4.4.1",
            Reply::NoSuchHost => "4.4.3",
        }
    }

    /// Someone answered, so that there is a relay to name.
    pub fn connects(self) -> bool {
        !matches!(self, Reply::Timeout | Reply::NoSuchHost | Reply::Suspended)
    }

    pub fn class(self) -> Option<Class> {
        match self {
            Reply::Sent => None,
            Reply::UserUnknown | Reply::MailboxFull => Some(Class::Recipient),
            Reply::SpamContent => Some(Class::Content),
            Reply::Greylisted => Some(Class::Greylist),
            Reply::Spamhaus | Reply::SpamhausTemporary | Reply::Microsoft => Some(Class::Listed),
            Reply::Timeout | Reply::NoSuchHost | Reply::Suspended => Some(Class::Network),
        }
    }

    pub fn failure(self) -> Option<Failure> {
        match self {
            Reply::Sent => None,
            Reply::UserUnknown => Some(Failure::UserUnknown),
            Reply::MailboxFull => Some(Failure::MailboxFull),
            Reply::SpamContent => Some(Failure::SpamContent),
            Reply::Greylisted => Some(Failure::Greylisted),
            Reply::Spamhaus | Reply::SpamhausTemporary | Reply::Microsoft => {
                Some(Failure::Blocklisted)
            }
            Reply::Timeout | Reply::Suspended => Some(Failure::ConnectionTimeout),
            Reply::NoSuchHost => Some(Failure::Dns),
        }
    }

    pub fn provider(self) -> Option<Provider> {
        match self {
            Reply::Spamhaus | Reply::SpamhausTemporary => Some(Provider::Spamhaus),
            Reply::Microsoft => Some(Provider::Microsoft),
            _ => None,
        }
    }

    /// The text in the parentheses after `status=`, but for `Sent`, which each agent words itself.
    /// `server` is `name[address]`, `domain` the recipient's, `own` our address.
    pub fn text(self, line: &mut Line, server: &str, domain: &str, recipient: &str, own: &str) {
        if !matches!(
            self,
            Reply::Timeout | Reply::NoSuchHost | Reply::Suspended | Reply::Sent
        ) {
            line.s("host ").s(server).s(" said: ");
        }
        match self {
            Reply::Sent => line,
            Reply::UserUnknown => line
                .s("550 5.1.1 <")
                .s(recipient)
                .s(">: Recipient address rejected: User unknown in virtual mailbox table")
                .s(" (in reply to RCPT TO command)"),
            Reply::SpamContent => line
                .s("554 5.7.1 Message rejected as spam by content scanner")
                .s(" (in reply to end of DATA command)"),
            Reply::MailboxFull => line
                .s("452 4.2.2 <")
                .s(recipient)
                .s(">: The email account that you tried to reach is over quota")
                .s(" (in reply to RCPT TO command)"),
            Reply::Greylisted => line
                .s("450 4.2.0 <")
                .s(recipient)
                .s(">: Recipient address rejected: Greylisted, see ")
                .s("http://postgrey.schweikert.ch/help/")
                .s(domain)
                .s(".html (in reply to RCPT TO command)"),
            Reply::Spamhaus => line
                .s("554 5.7.1 Service unavailable; Client host [")
                .s(own)
                .s("] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/")
                .s(own)
                .s(" (in reply to RCPT TO command)"),
            Reply::SpamhausTemporary => line
                .s("450 4.7.1 Service unavailable; Client host [")
                .s(own)
                .s("] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/")
                .s(own)
                .s(" (in reply to RCPT TO command)"),
            Reply::Microsoft => line
                .s("550 5.7.1 Unfortunately, messages from [")
                .s(own)
                .s("] weren't sent. Please contact your Internet service provider since part of ")
                .s("their network is on our block list (S3150). You can also refer your provider ")
                .s("to http://mail.live.com/mail/troubleshooting.aspx#errors. ")
                .s("(in reply to MAIL FROM command)"),
            Reply::Timeout => line
                .s("connect to ")
                .s(server)
                .s(":25: Connection timed out"),
            Reply::NoSuchHost => line
                .s("Host or domain name not found. Name service error for name=")
                .s(domain)
                .s(" type=MX: Host not found, try again"),
            Reply::Suspended => line
                .s("delivery temporarily suspended: connect to ")
                .s(server)
                .s(":25: Connection timed out"),
        };
    }
}
