//! Which series are there at 0 before anything happened.
//!
//! Whatever a healthy or an ill mail system usually says must be there from the start, so that its
//! first increment is seen; but not every product of five labels. A combination that is missing here
//! is shown from its first increment on, at once, with what it has counted: only rows of a user, a
//! relay or a domain are held at 0 (see [`birth`](super::birth)). So a line that a new rule counts
//! wants its combination here.
//! In: nothing. Out: label values of the families whose labels are many.

use crate::parse::{AuthReason, FailureReason, RejectReason, Service, Stage};
use crate::track::{DeliveryStatus, Direction, Origin};

/// The services of Postfix that clients speak to.
pub const SERVICES: [Service; 3] = [Service::Smtp, Service::Submission, Service::Submissions];

/// The mechanisms that clients of Postfix use; empty where the line does not say.
pub const MECHANISMS: [&str; 8] = [
    "",
    "CRAM-MD5",
    "DIGEST-MD5",
    "LOGIN",
    "OAUTHBEARER",
    "PLAIN",
    "SCRAM-SHA-256",
    "XOAUTH2",
];

/// Why Postfix says that a login failed.
pub const AUTH_REASONS: [AuthReason; 8] = [
    AuthReason::BadCredentials,
    AuthReason::UnknownUser,
    AuthReason::Disabled,
    AuthReason::NoMechanism,
    AuthReason::Aborted,
    AuthReason::RateLimited,
    AuthReason::Backend,
    AuthReason::Other,
];

/// The commands that a disconnect line of Postfix counts.
/// Source: postfix smtpd/smtpd.c smtpd_cmd_table.
pub const COMMANDS: [&str; 16] = [
    "auth", "bdat", "data", "ehlo", "etrn", "helo", "mail", "noop", "quit", "rcpt", "rset",
    "starttls", "unknown", "vrfy", "xclient", "xforward",
];

/// Where a connection of a client is lost.
pub const LOST_STAGES: [Stage; 16] = [
    Stage::Connect,
    Stage::Helo,
    Stage::Ehlo,
    Stage::Starttls,
    Stage::Auth,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Bdat,
    Stage::EndOfMessage,
    Stage::Rset,
    Stage::Noop,
    Stage::Vrfy,
    Stage::Etrn,
    Stage::Quit,
    Stage::Unknown,
];

/// `origin, direction, transport, status, dsn_class` of deliveries.
pub fn deliveries() -> Vec<(
    Origin,
    Direction,
    &'static str,
    DeliveryStatus,
    &'static str,
)> {
    use DeliveryStatus::{
        Bounced, Deferred, Deliverable, Expired, Sent, Softbounce, Undeliverable,
    };
    const ATTEMPTS: &[(DeliveryStatus, &str)] = &[
        (Sent, "2"),
        (Deferred, "4"),
        (Bounced, "5"),
        (Expired, "4"),
        (Expired, "5"),
        (Softbounce, "4"),
        (Softbounce, "5"),
    ];
    const HOPS: &[(DeliveryStatus, &str)] = &[(Sent, "2"), (Deferred, "4"), (Bounced, "5")];
    const PROBES: &[(DeliveryStatus, &str)] = &[
        (Deliverable, "2"),
        (Undeliverable, "4"),
        (Undeliverable, "5"),
    ];
    type Part = (
        &'static [Origin],
        Direction,
        &'static [&'static str],
        &'static [(DeliveryStatus, &'static str)],
    );
    let parts: [Part; 9] = [
        (
            &Origin::ALL,
            Direction::Outbound,
            &["smtp", "relay"],
            ATTEMPTS,
        ),
        (
            &Origin::ALL,
            Direction::Outbound,
            &["error"],
            &[(Deferred, "4"), (Bounced, "5"), (Expired, "4")],
        ),
        (
            &Origin::ALL,
            Direction::Outbound,
            &["retry"],
            &[(Deferred, "4"), (Expired, "4")],
        ),
        (
            &[Origin::Unauthenticated, Origin::Unknown],
            Direction::Inbound,
            &["smtp", "relay"],
            ATTEMPTS,
        ),
        (
            &Origin::ALL,
            Direction::Local,
            &["local", "virtual", "pipe", "lmtp"],
            ATTEMPTS,
        ),
        (
            &Origin::ALL,
            Direction::Internal,
            &["smtp", "relay", "lmtp"],
            HOPS,
        ),
        // Local's `forwarded as`.
        (
            &Origin::ALL,
            Direction::Internal,
            &["local"],
            &[(Sent, "2")],
        ),
        (
            &Origin::ALL,
            Direction::Discard,
            &["discard", "smtp", "lmtp"],
            &[(Sent, "2")],
        ),
        (
            &[Origin::Generated, Origin::Local, Origin::Unknown],
            Direction::Probe,
            &["smtp", "relay", "lmtp", "local", "virtual", "error"],
            PROBES,
        ),
    ];
    let mut all = Vec::new();
    for (origins, direction, transports, results) in parts {
        for &origin in origins {
            for &transport in transports {
                for &(status, dsn_class) in results {
                    all.push((origin, direction, transport, status, dsn_class));
                }
            }
        }
    }
    all
}

/// `direction, status` of deliveries that finish a recipient.
pub fn delays() -> Vec<(Direction, DeliveryStatus)> {
    use DeliveryStatus::{Bounced, Expired, Sent};
    let mut all = Vec::new();
    for direction in [Direction::Outbound, Direction::Inbound, Direction::Local] {
        all.extend([Sent, Bounced, Expired].map(|status| (direction, status)));
    }
    all.extend([(Direction::Internal, Bounced), (Direction::Discard, Sent)]);
    all
}

/// `direction, status, reason` of deliveries that were no success.
pub fn failures() -> Vec<(Direction, DeliveryStatus, FailureReason)> {
    use DeliveryStatus::{Bounced, Deferred, Expired};
    let mut all = Vec::new();
    for direction in [
        Direction::Outbound,
        Direction::Inbound,
        Direction::Local,
        Direction::Internal,
    ] {
        for status in [Deferred, Bounced] {
            all.extend(FailureReason::ALL.map(|reason| (direction, status, reason)));
        }
        if direction != Direction::Internal {
            all.push((direction, Expired, FailureReason::Expired));
        }
    }
    all
}

/// `service, stage, code, reason` of rejects.
pub fn rejects() -> Vec<(Service, Stage, u16, RejectReason)> {
    use RejectReason::{
        Blocklist, ClientHostname, Content, Greylisted, Helo, Other, Policy, Protocol, RateLimit,
        RelayDenied, Resources, SenderDomain, Size, Spf, UnknownRecipient, UnknownSender,
    };
    use Stage::{Connect, Data, EndOfMessage, Mail, Rcpt, Starttls};
    /// Of strangers and of our own users.
    const ANY: &[(Stage, u16, RejectReason)] = &[
        (Connect, 421, RateLimit),
        (Mail, 450, RateLimit),
        (Mail, 452, Resources),
        (Mail, 552, Size),
        (Rcpt, 450, RateLimit),
        (Rcpt, 450, UnknownRecipient),
        (Rcpt, 550, UnknownRecipient),
        (Rcpt, 450, UnknownSender),
        (Rcpt, 550, UnknownSender),
        (Rcpt, 450, SenderDomain),
        (Rcpt, 550, SenderDomain),
        (Rcpt, 553, Policy),
        (Rcpt, 454, RelayDenied),
        (Rcpt, 554, RelayDenied),
        (Rcpt, 450, Helo),
        (Rcpt, 504, Helo),
        (Rcpt, 550, Helo),
        (Rcpt, 450, Policy),
        (Rcpt, 451, Policy),
        (Rcpt, 550, Policy),
        (Rcpt, 554, Policy),
        (Rcpt, 451, Resources),
        (Rcpt, 452, Resources),
        (Rcpt, 452, Other),
        (Rcpt, 501, Protocol),
        (Rcpt, 504, SenderDomain),
        (Rcpt, 504, UnknownRecipient),
        (Rcpt, 550, Other),
        (Rcpt, 554, Other),
        (Data, 503, Protocol),
        (Data, 550, Policy),
        (Data, 554, Protocol),
        (EndOfMessage, 451, Resources),
        (EndOfMessage, 550, Content),
        (EndOfMessage, 550, Policy),
        (EndOfMessage, 552, Size),
        (EndOfMessage, 554, Content),
        (EndOfMessage, 554, Policy),
        (Starttls, 454, Other),
    ];
    /// Of strangers.
    const SMTP: &[(Stage, u16, RejectReason)] = &[
        (Connect, 450, ClientHostname),
        (Connect, 550, ClientHostname),
        (Connect, 521, Policy),
        (Connect, 554, Blocklist),
        (Connect, 554, Policy),
        (Rcpt, 450, Blocklist),
        (Rcpt, 550, Blocklist),
        (Rcpt, 554, Blocklist),
        (Rcpt, 450, ClientHostname),
        (Rcpt, 550, ClientHostname),
        (Rcpt, 554, ClientHostname),
        (Rcpt, 450, Greylisted),
        (Rcpt, 451, Greylisted),
        (Rcpt, 550, Spf),
        (Rcpt, 451, Spf),
        (EndOfMessage, 550, Spf),
        (EndOfMessage, 451, Greylisted),
        (EndOfMessage, 550, RejectReason::Dkim),
        (EndOfMessage, 550, RejectReason::Dmarc),
        (EndOfMessage, 451, Policy),
    ];
    let mut all = Vec::new();
    for service in SERVICES {
        let more = match service {
            Service::Smtp => SMTP,
            _ => &[],
        };
        for &(stage, code, reason) in ANY.iter().chain(more) {
            all.push((service, stage, code, reason));
        }
    }
    // cleanup's header_checks and body_checks, whose lines have no code.
    all.extend([Stage::Header, Stage::Body].map(|stage| (Service::Smtp, stage, 0, Content)));
    all
}
