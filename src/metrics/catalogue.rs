//! Every metric: what it is called, what it may carry, what moves it, what to do then.
//!
//! In: nothing. Out: [`CATALOGUE`], the one table that HELP, the `metrics` command, the docs and
//! the dashboards' check are made of. An entry is a promise: names and label values stay.
//! Never: a number that was counted.
//! A new metric is one entry here, in the place where it shall be printed, and one in [`Family`].

use crate::parse::{
    AuthReason, FailureReason, Provider, RejectReason, Service, Severity, Software, Stage,
};
use crate::track::{DeliveryStatus, Direction, Origin, Outcome, RefusalClass};

/// What a metric counts like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// What a cell holds. The exposition has base units, the cells have whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    None,
    /// Shown as seconds, kept as milliseconds.
    Seconds,
    Bytes,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        }
    }
}

/// A label whose values come out of the log, and are limited for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Users,
    Relays,
    Domains,
    Programs,
    /// The names of `master.cf`: few on a real host.
    Transports,
}

impl Limit {
    /// How many values the label takes unless told otherwise; the rest is counted together.
    pub fn default_values(self) -> usize {
        match self {
            Limit::Users => 5_000,
            Limit::Relays | Limit::Domains => 500,
            Limit::Programs => 200,
            Limit::Transports => super::labels::TRANSPORTS_MAX,
        }
    }

    /// The flag that says otherwise.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Limit::Users => Some("--limit.users"),
            Limit::Relays => Some("--limit.relays"),
            Limit::Domains => Some("--limit.domains"),
            Limit::Programs => Some("--limit.programs"),
            Limit::Transports => None,
        }
    }

    /// The value that stands for all that did not fit.
    pub fn rest(self) -> &'static str {
        match self {
            Limit::Users | Limit::Relays | Limit::Domains | Limit::Programs => super::labels::REST,
            Limit::Transports => "other",
        }
    }
}

/// What a label may say.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// One of these; the empty value is written where the line does not say.
    Closed(fn() -> Vec<&'static str>),
    Limited(Limit),
    /// Bounded by the configuration; the text says by what.
    Configured(&'static str),
}

/// One label of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
}

/// One entry of the catalogue.
#[derive(Debug)]
pub struct Metric {
    pub family: Family,
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [Label],
    /// Upper bounds of a histogram as the cells count: milliseconds, bytes, recipients.
    pub buckets: &'static [u64],
    pub help: &'static str,
    /// A line that moves it; empty where no line does.
    pub sample: &'static str,
    /// What to do when it moves.
    pub action: &'static str,
}

impl Metric {
    /// One of its labels has an `_other`.
    pub fn is_limited(&self) -> bool {
        self.labels.iter().any(|label| match label.values {
            Values::Limited(limit) => limit != Limit::Transports,
            Values::Closed(_) | Values::Configured(_) => false,
        })
    }
}

/// A metric by number: its place in [`CATALOGUE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    Messages,
    MessageSize,
    MessageRecipients,
    Deliveries,
    DeliveryDelay,
    DeliveryStageDelay,
    MessageQueueTime,
    DeliveryFailures,
    Blocklisted,
    RelayDeliveries,
    DomainDeliveries,
    UserMessages,
    UserRecipients,
    UserDeliveries,
    UserAuth,
    UserClientNetworks,
    UserNewNetworkMessages,
    UserNewRecipients,
    UserRefusedRecipients,
    UserNewNetworks,
    UserSuspiciousLogins,
    Auth,
    AuthFailingNetworks,
    Connections,
    Disconnects,
    ConnectionsLost,
    SmtpCommands,
    Rejects,
    QueueMessages,
    QueueOldestAge,
    Lines,
    LinesUnparsed,
    LogMessages,
    SourceBytesRead,
    SourceLag,
    SourceRotations,
    SourceTruncations,
    SourceErrors,
    SourceUp,
    SourceLastLine,
    TrackedMessages,
    MessagesForgotten,
    LabelsDropped,
    Series,
    BuildInfo,
}

impl Family {
    pub fn metric(self) -> &'static Metric {
        &CATALOGUE[self as usize]
    }
}

/// 100 ms to 5 days, in milliseconds: greylisting, retries and the end of patience have a bucket.
pub const DELAY_BUCKETS_MS: &[u64] = &[
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    30_000,
    60_000,
    300_000,
    900_000,
    1_800_000,
    3_600_000,
    14_400_000,
    43_200_000,
    86_400_000,
    172_800_000,
    432_000_000,
];

/// 1 kB to 100 MB.
pub const SIZE_BUCKETS_BYTES: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
];

/// One to a thousand.
pub const RECIPIENT_BUCKETS: &[u64] = &[1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000];

/// The `stage` label of `mail_delivery_stage_delay_seconds`, in the order of `delays=`.
pub const DELAY_STAGES: [&str; 4] = ["before_qmgr", "qmgr", "connection", "transmission"];

/// The queues that showq reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Queue {
    Maildrop,
    Incoming,
    Active,
    Deferred,
    Hold,
}

impl Queue {
    pub const ALL: [Queue; 5] = [
        Queue::Maildrop,
        Queue::Incoming,
        Queue::Active,
        Queue::Deferred,
        Queue::Hold,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Queue::Maildrop => "maildrop",
            Queue::Incoming => "incoming",
            Queue::Active => "active",
            Queue::Deferred => "deferred",
            Queue::Hold => "hold",
        }
    }
}

/// The words of an enumeration, as a function that a table of constants can hold.
macro_rules! words {
    ($kind:ty) => {
        Values::Closed(|| <$kind>::ALL.iter().map(|value| value.as_str()).collect())
    };
}

const fn label(name: &'static str, values: Values) -> Label {
    Label { name, values }
}

const ORIGIN: Label = label("origin", words!(Origin));
const DIRECTION: Label = label("direction", words!(Direction));
const STATUS: Label = label("status", words!(DeliveryStatus));
/// Statuses of deliveries that are no probes.
const MAIL_STATUS: Label = label(
    "status",
    Values::Closed(|| {
        DeliveryStatus::ALL[..super::rows::MAIL_STATUSES]
            .iter()
            .map(|status| status.as_str())
            .collect()
    }),
);
/// Directions of deliveries that are no probes.
const MAIL_DIRECTION: Label = label(
    "direction",
    Values::Closed(|| {
        Direction::ALL[..super::rows::MAIL_DIRECTIONS]
            .iter()
            .map(|direction| direction.as_str())
            .collect()
    }),
);
const SOFTWARE: Label = label("software", words!(Software));
const SERVICE: Label = label("service", words!(Service));
const RESULT: Label = label("result", Values::Closed(|| super::labels::RESULTS.to_vec()));
const USER: Label = label("user", Values::Limited(Limit::Users));
const PROGRAM: Label = label("program", Values::Limited(Limit::Programs));
const SOURCE: Label = label("source", Values::Configured("the --source flag as written"));

const fn counter(
    family: Family,
    name: &'static str,
    labels: &'static [Label],
    help: &'static str,
    sample: &'static str,
    action: &'static str,
) -> Metric {
    Metric {
        family,
        name,
        kind: Kind::Counter,
        unit: Unit::None,
        labels,
        buckets: &[],
        help,
        sample,
        action,
    }
}

const fn gauge(
    family: Family,
    name: &'static str,
    unit: Unit,
    labels: &'static [Label],
    help: &'static str,
    action: &'static str,
) -> Metric {
    Metric {
        family,
        name,
        kind: Kind::Gauge,
        unit,
        labels,
        buckets: &[],
        help,
        sample: "",
        action,
    }
}

const ACCEPTED_LINE: &str = "2026-11-24T00:16:31.120331+00:00 mx1 postfix/qmgr[812]: 4gF2Xk0Vj8z1: from=<anna@example.com>, size=2817, nrcpt=3 (queue active)";
const SENT_LINE: &str = "2026-11-24T00:16:32.480112+00:00 mx1 postfix/smtp[4250]: 4gF2Xk0Vj8z1: to=<bob@example.net>, relay=mx.example.net[192.0.2.25]:25, delay=1.4, delays=0.1/0.02/0.48/0.8, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9C1D2)";
const LISTED_LINE: &str = "2026-11-24T00:16:32.480112+00:00 mx1 postfix/smtp[4250]: 4gF2Xk0Vj8z1: to=<bob@example.net>, relay=mx.example.net[192.0.2.25]:25, delay=1.4, delays=0.1/0.02/0.48/0.8, dsn=5.7.1, status=bounced (host mx.example.net[192.0.2.25] said: 554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org (in reply to RCPT TO command))";
const REMOVED_LINE: &str =
    "2026-11-24T00:16:32.481009+00:00 mx1 postfix/qmgr[812]: 4gF2Xk0Vj8z1: removed";
const LOGIN_LINE: &str = "2026-11-24T00:16:31.020114+00:00 mx1 postfix/submission/smtpd[4242]: 4gF2Xk0Vj8z1: client=host.example.org[203.0.113.9], sasl_method=PLAIN, sasl_username=anna@example.com";
const AUTH_FAILED_LINE: &str = "2026-11-24T00:16:31.020114+00:00 mx1 postfix/submission/smtpd[4242]: warning: host.example.org[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=anna@example.com";
const CONNECT_LINE: &str = "2026-11-24T00:16:30.901553+00:00 mx1 postfix/smtpd[4242]: connect from host.example.org[203.0.113.9]";
const DISCONNECT_LINE: &str = "2026-11-24T00:16:33.120441+00:00 mx1 postfix/smtpd[4242]: disconnect from host.example.org[203.0.113.9] ehlo=1 auth=0/1 quit=1 commands=2/3";
const LOST_LINE: &str = "2026-11-24T00:16:33.120441+00:00 mx1 postfix/smtpd[4242]: lost connection after RCPT from host.example.org[203.0.113.9]";
const REJECT_LINE: &str = "2026-11-24T00:16:31.400921+00:00 mx1 postfix/smtpd[4242]: NOQUEUE: reject: RCPT from host.example.org[203.0.113.9]: 550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown in virtual mailbox table; from=<a@example.org> to=<nobody@example.com> proto=ESMTP helo=<host.example.org>";
const WARNING_LINE: &str = "2026-11-24T00:16:31.400921+00:00 mx1 postfix/smtpd[4242]: warning: hostname host.example.org does not resolve to address 203.0.113.9";

/// All metrics, in the order in which they are printed.
pub static CATALOGUE: [Metric; 45] = [
    counter(
        Family::Messages,
        "mail_messages_total",
        &[ORIGIN],
        "Messages accepted, each once however many queue ids it passes through.",
        ACCEPTED_LINE,
        "Compare origins: a jump of local is a script on this host, of authenticated an account.",
    ),
    Metric {
        family: Family::MessageSize,
        name: "mail_message_size_bytes",
        kind: Kind::Histogram,
        unit: Unit::Bytes,
        labels: &[ORIGIN],
        buckets: SIZE_BUCKETS_BYTES,
        help: "Size of the messages that were queued.",
        sample: ACCEPTED_LINE,
        action: "Nothing; it tells what the disks and the uplink carry.",
    },
    Metric {
        family: Family::MessageRecipients,
        name: "mail_message_recipients",
        kind: Kind::Histogram,
        unit: Unit::None,
        labels: &[ORIGIN],
        buckets: RECIPIENT_BUCKETS,
        help: "Recipients of a message at its first queue active, after aliases.",
        sample: ACCEPTED_LINE,
        action: "Many recipients a message where there were few: look at mail_user_recipients_total.",
    },
    counter(
        Family::Deliveries,
        "mail_deliveries_total",
        &[
            ORIGIN,
            DIRECTION,
            label("transport", Values::Limited(Limit::Transports)),
            STATUS,
            label(
                "dsn_class",
                Values::Closed(|| super::labels::DSN_CLASSES.to_vec()),
            ),
        ],
        "Delivery results: one recipient, one attempt. Sent by this server: direction outbound, status sent.",
        SENT_LINE,
        "Deferred or bounced rise: mail_delivery_failures_total says why, mail_relay_deliveries_total where.",
    ),
    Metric {
        family: Family::DeliveryDelay,
        name: "mail_delivery_delay_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[DIRECTION, STATUS],
        buckets: DELAY_BUCKETS_MS,
        help: "From arrival to the result that finishes a recipient.",
        sample: SENT_LINE,
        action: "Slow: mail_delivery_stage_delay_seconds tells which part of the way.",
    },
    Metric {
        family: Family::DeliveryStageDelay,
        name: "mail_delivery_stage_delay_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[label("stage", Values::Closed(|| DELAY_STAGES.to_vec()))],
        buckets: DELAY_BUCKETS_MS,
        help: "Parts of a delivery's delay: before_qmgr at the first attempt, the others at attempts that connected.",
        sample: SENT_LINE,
        action: "before_qmgr: a filter or milter is slow; qmgr: too few processes; connection: DNS or routes; transmission: the other side.",
    },
    Metric {
        family: Family::MessageQueueTime,
        name: "mail_message_queue_time_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[label("outcome", words!(Outcome))],
        buckets: DELAY_BUCKETS_MS,
        help: "From acceptance of a message to the removal of its last queue id.",
        sample: REMOVED_LINE,
        action: "Outcomes other than sent: read the bounces of that time.",
    },
    counter(
        Family::DeliveryFailures,
        "mail_delivery_failures_total",
        &[DIRECTION, STATUS, label("reason", words!(FailureReason))],
        "Delivery results that were no success, by the reason that the reply gives.",
        LISTED_LINE,
        "blocklisted or reputation: find the account that sends, then ask for delisting.",
    ),
    counter(
        Family::Blocklisted,
        "mail_blocklisted_total",
        &[label("provider", words!(Provider))],
        "Replies that say that our own address is listed or has a bad reputation.",
        LISTED_LINE,
        "Stop the account that caused it, then use the provider's delisting form.",
    ),
    counter(
        Family::RelayDeliveries,
        "mail_relay_deliveries_total",
        &[label("relay", Values::Limited(Limit::Relays)), MAIL_STATUS],
        "Delivery results by next hop: its registrable domain; none where no connection was made.",
        SENT_LINE,
        "One relay defers: its postmaster page tells what it wants of senders.",
    ),
    counter(
        Family::DomainDeliveries,
        "mail_domain_deliveries_total",
        &[
            label("domain", Values::Limited(Limit::Domains)),
            MAIL_STATUS,
        ],
        "Delivery results by the recipient's domain; none where the address has none.",
        SENT_LINE,
        "One domain bounces: look at its replies with explain.",
    ),
    counter(
        Family::UserMessages,
        "mail_user_messages_total",
        &[USER],
        "Messages that the account submitted.",
        ACCEPTED_LINE,
        "A sudden rise: ask the owner; lock the account if it was not them.",
    ),
    counter(
        Family::UserRecipients,
        "mail_user_recipients_total",
        &[USER],
        "Recipients of the messages that the account submitted.",
        ACCEPTED_LINE,
        "A sudden rise: ask the owner; lock the account if it was not them.",
    ),
    counter(
        Family::UserDeliveries,
        "mail_user_deliveries_total",
        &[USER, MAIL_DIRECTION, MAIL_STATUS],
        "What became of the account's mail, through every hop.",
        SENT_LINE,
        "Many bounced: a bought address list or an abused account.",
    ),
    counter(
        Family::UserAuth,
        "mail_user_auth_total",
        &[USER, RESULT],
        "Authentications of the account, at all services.",
        LOGIN_LINE,
        "Failures: a client with an old password, or somebody guesses.",
    ),
    gauge(
        Family::UserClientNetworks,
        "mail_user_client_networks",
        Unit::None,
        &[USER],
        "Distinct client networks of the account's successes in the last hour.",
        "More than a person can be in at once: the password is known to others.",
    ),
    counter(
        Family::UserNewNetworkMessages,
        "mail_user_new_network_messages_total",
        &[USER],
        "Messages from a client network that the account first used less than 7 days ago.",
        LOGIN_LINE,
        "With many recipients: the sign of a stolen password; look at the account.",
    ),
    counter(
        Family::UserNewRecipients,
        "mail_user_new_recipients_total",
        &[USER],
        "Recipients that the account never wrote to before.",
        SENT_LINE,
        "Hundreds in an hour are a newsletter or an abuse.",
    ),
    counter(
        Family::UserRefusedRecipients,
        "mail_user_refused_recipients_total",
        &[USER, label("class", words!(RefusalClass))],
        "The account's recipients that were refused, each once at its first refusal.",
        LISTED_LINE,
        "recipient: a bad list; content: spam was seen; listed: our address suffers already.",
    ),
    counter(
        Family::UserNewNetworks,
        "mail_user_new_networks_total",
        &[USER],
        "Successes from a network that the account has not used in 30 days.",
        LOGIN_LINE,
        "One is a journey; many in a day are not.",
    ),
    counter(
        Family::UserSuspiciousLogins,
        "mail_user_suspicious_logins_total",
        &[USER],
        "Successes from a network, new to the account, that had been guessing passwords.",
        LOGIN_LINE,
        "A guess worked: change the password now, then read what was sent.",
    ),
    counter(
        Family::Auth,
        "mail_auth_total",
        &[
            SOFTWARE,
            SERVICE,
            label(
                "mechanism",
                Values::Closed(|| super::labels::MECHANISMS.to_vec()),
            ),
            RESULT,
            label(
                "reason",
                Values::Closed(|| {
                    std::iter::once("")
                        .chain(AuthReason::ALL.iter().map(|reason| reason.as_str()))
                        .collect()
                }),
            ),
        ],
        "Authentications, each try once. reason is empty for a success.",
        AUTH_FAILED_LINE,
        "bad_credentials from many networks: passwords are being guessed; backend: the password service is ill.",
    ),
    gauge(
        Family::AuthFailingNetworks,
        "mail_auth_failing_networks",
        Unit::None,
        &[SERVICE],
        "Distinct client networks with failed authentications in the last hour.",
        "Hundreds: a distributed attack; check that rate limits and fail2ban do their work.",
    ),
    counter(
        Family::Connections,
        "mail_connections_total",
        &[SOFTWARE, SERVICE],
        "Connections from clients.",
        CONNECT_LINE,
        "None any more: is the service up, the port open?",
    ),
    counter(
        Family::Disconnects,
        "mail_disconnects_total",
        &[SOFTWARE, SERVICE],
        "Connections from clients that ended.",
        DISCONNECT_LINE,
        "Far behind mail_connections_total: sessions hang.",
    ),
    counter(
        Family::ConnectionsLost,
        "mail_connections_lost_total",
        &[SOFTWARE, SERVICE, label("stage", words!(Stage))],
        "Connections that ended without a word: lost, timed out, thrown out for errors.",
        LOST_LINE,
        "AUTH: guessing clients; DATA or END-OF-MESSAGE: MTU or a slow filter.",
    ),
    counter(
        Family::SmtpCommands,
        "mail_smtp_commands_total",
        &[
            SERVICE,
            label(
                "command",
                Values::Closed(|| super::labels::COMMANDS.to_vec()),
            ),
            RESULT,
        ],
        "SMTP commands of clients, from the statistics of the disconnect line.",
        DISCONNECT_LINE,
        "rcpt failures: address harvesting; auth failures: guessing.",
    ),
    counter(
        Family::Rejects,
        "mail_rejects_total",
        &[
            SOFTWARE,
            SERVICE,
            label("stage", words!(Stage)),
            label("code", Values::Closed(|| super::labels::CODES.to_vec())),
            label("reason", words!(RejectReason)),
        ],
        "Clients or mail turned away. code is empty where the line has none.",
        REJECT_LINE,
        "resources or other: read the lines; unknown_recipient of one's own users: a table is broken.",
    ),
    gauge(
        Family::QueueMessages,
        "mail_queue_messages",
        Unit::None,
        &[label("queue", words!(Queue))],
        "Messages in Postfix's queues, from its showq socket.",
        "deferred grows: see mail_delivery_failures_total; incoming grows: the disk or qmgr is slow.",
    ),
    gauge(
        Family::QueueOldestAge,
        "mail_queue_oldest_age_seconds",
        Unit::Seconds,
        &[label("queue", words!(Queue))],
        "Age of the oldest message in Postfix's queues, from its showq socket.",
        "active or incoming over minutes: mail does not move; hold: somebody forgot a message.",
    ),
    counter(
        Family::Lines,
        "maillog_lines_total",
        &[SOFTWARE, PROGRAM],
        "Lines read, by the tag as logged.",
        CONNECT_LINE,
        "None any more: does the log still arrive? See maillog_source_up.",
    ),
    counter(
        Family::LinesUnparsed,
        "maillog_lines_unparsed_total",
        &[SOFTWARE, PROGRAM],
        "Lines of a known program that no rule knows.",
        "",
        "report FILE says of which program; send such a line to this project.",
    ),
    counter(
        Family::LogMessages,
        "maillog_log_messages_total",
        &[SOFTWARE, PROGRAM, label("severity", words!(Severity))],
        "Lines that carry a severity word.",
        WARNING_LINE,
        "fatal or panic: the program does not do its work; read its last lines.",
    ),
    Metric {
        family: Family::SourceBytesRead,
        name: "maillog_source_bytes_read_total",
        kind: Kind::Counter,
        unit: Unit::Bytes,
        labels: &[SOURCE],
        buckets: &[],
        help: "Bytes read from the source.",
        sample: "",
        action: "None any more: see maillog_source_up and the logger.",
    },
    gauge(
        Family::SourceLag,
        "maillog_source_lag_bytes",
        Unit::Bytes,
        &[SOURCE],
        "Bytes that are there and not yet read.",
        "Grows for minutes: the machine is too busy for the exporter.",
    ),
    counter(
        Family::SourceRotations,
        "maillog_source_rotations_total",
        &[SOURCE],
        "Times that the file was replaced by a new one.",
        "",
        "Nothing; logrotate does it.",
    ),
    counter(
        Family::SourceTruncations,
        "maillog_source_truncations_total",
        &[SOURCE],
        "Times that the file got shorter in place.",
        "",
        "Lines between the copy and the cut are lost: prefer create to copytruncate.",
    ),
    counter(
        Family::SourceErrors,
        "maillog_source_errors_total",
        &[SOURCE],
        "Failed tries to open or read the source.",
        "",
        "The page at / and the exporter's own log say what is wrong, and what mends it.",
    ),
    gauge(
        Family::SourceUp,
        "maillog_source_up",
        Unit::None,
        &[SOURCE],
        "1 while the source can be read.",
        "0: the page at / says why; permissions and paths are the usual reasons.",
    ),
    gauge(
        Family::SourceLastLine,
        "maillog_source_last_line_timestamp_seconds",
        Unit::Seconds,
        &[SOURCE],
        "Stamp of the source's last line.",
        "Old on a busy host: the logger or the mail system stands still.",
    ),
    gauge(
        Family::TrackedMessages,
        "maillog_tracked_messages",
        Unit::None,
        &[],
        "Messages that are being followed.",
        "Grows with the queue; at its limit see maillog_messages_forgotten_total.",
    ),
    counter(
        Family::MessagesForgotten,
        "maillog_messages_forgotten_total",
        &[],
        "Messages that were let go unfinished because too many were being followed.",
        "",
        "The queue is larger than the exporter follows: later results of these messages have origin unknown.",
    ),
    counter(
        Family::LabelsDropped,
        "maillog_labels_dropped_total",
        &[label("metric", Values::Closed(limited_metrics))],
        "Increments that went to _other because a label had all its values.",
        SENT_LINE,
        "Raise the limit of the label if memory allows.",
    ),
    gauge(
        Family::Series,
        "maillog_series",
        Unit::None,
        &[],
        "Series of this exposition.",
        "Far above its usual: see which label grows; lower its limit.",
    ),
    gauge(
        Family::BuildInfo,
        "maillog_build_info",
        Unit::None,
        &[label(
            "version",
            Values::Configured("the version of this program"),
        )],
        "1; the version of the exporter.",
        "Nothing.",
    ),
];

/// The counters that a limited label may put under `_other`.
pub fn limited_metrics() -> Vec<&'static str> {
    CATALOGUE
        .iter()
        .filter(|metric| metric.kind == Kind::Counter && metric.is_limited())
        .map(|metric| metric.name)
        .collect()
}

/// Each entry stands in the place that its number says.
const _: () = {
    let mut place = 0;
    while place < CATALOGUE.len() {
        assert!(CATALOGUE[place].family as usize == place);
        place += 1;
    }
};
