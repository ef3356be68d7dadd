//! What happened, each once: what the metrics count.

use crate::parse::{AuthReason, FailureReason, Provider, RejectReason, Service, Software, Stage};

/// How a message came to us: the `origin` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Origin {
    /// By SASL.
    Authenticated,
    /// Without SASL from `--trusted-networks`.
    Trusted,
    /// sendmail(1) on the host.
    Local,
    /// By SMTP from anyone else.
    Unauthenticated,
    /// Made by the mail system: notices.
    Generated,
    /// Accepted before reading began.
    Unknown,
}

impl Origin {
    pub const ALL: [Origin; 6] = [
        Origin::Authenticated,
        Origin::Trusted,
        Origin::Local,
        Origin::Unauthenticated,
        Origin::Generated,
        Origin::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Authenticated => "authenticated",
            Origin::Trusted => "trusted",
            Origin::Local => "local",
            Origin::Unauthenticated => "unauthenticated",
            Origin::Generated => "generated",
            Origin::Unknown => "unknown",
        }
    }
}

/// Where a delivery went: the `direction` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Direction {
    Outbound,
    Inbound,
    Local,
    /// A hop inside the system, never counted as sent.
    Internal,
    Discard,
    /// An address probe: no message.
    Probe,
}

impl Direction {
    pub const ALL: [Direction; 6] = [
        Direction::Outbound,
        Direction::Inbound,
        Direction::Local,
        Direction::Internal,
        Direction::Discard,
        Direction::Probe,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
            Direction::Local => "local",
            Direction::Internal => "internal",
            Direction::Discard => "discard",
            Direction::Probe => "probe",
        }
    }
}

/// What became of a delivery: the `status` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DeliveryStatus {
    Sent,
    Deferred,
    Bounced,
    Expired,
    Softbounce,
    /// Of probes only.
    Deliverable,
    /// Of probes only.
    Undeliverable,
}

impl DeliveryStatus {
    pub const ALL: [DeliveryStatus; 7] = [
        DeliveryStatus::Sent,
        DeliveryStatus::Deferred,
        DeliveryStatus::Bounced,
        DeliveryStatus::Expired,
        DeliveryStatus::Softbounce,
        DeliveryStatus::Deliverable,
        DeliveryStatus::Undeliverable,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Sent => "sent",
            DeliveryStatus::Deferred => "deferred",
            DeliveryStatus::Bounced => "bounced",
            DeliveryStatus::Expired => "expired",
            DeliveryStatus::Softbounce => "softbounce",
            DeliveryStatus::Deliverable => "deliverable",
            DeliveryStatus::Undeliverable => "undeliverable",
        }
    }
}

/// What became of a message: the `outcome` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    Sent,
    /// Some recipients got it, some did not.
    Partial,
    Failed,
    Expired,
    Discarded,
    /// By an admin.
    Deleted,
}

impl Outcome {
    pub const ALL: [Outcome; 6] = [
        Outcome::Sent,
        Outcome::Partial,
        Outcome::Failed,
        Outcome::Expired,
        Outcome::Discarded,
        Outcome::Deleted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Partial => "partial",
            Outcome::Failed => "failed",
            Outcome::Expired => "expired",
            Outcome::Discarded => "discarded",
            Outcome::Deleted => "deleted",
        }
    }
}

/// Why a recipient was first refused: the `class` label of `mail_user_refused_recipients_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RefusalClass {
    /// Unknown, full, disabled.
    Recipient,
    /// Spam, policy, complaint, our rate.
    Content,
    /// Our address or its reputation.
    Listed,
    Greylist,
    /// DNS, connection, TLS.
    Network,
}

impl RefusalClass {
    pub const ALL: [RefusalClass; 5] = [
        RefusalClass::Recipient,
        RefusalClass::Content,
        RefusalClass::Listed,
        RefusalClass::Greylist,
        RefusalClass::Network,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RefusalClass::Recipient => "recipient",
            RefusalClass::Content => "content",
            RefusalClass::Listed => "listed",
            RefusalClass::Greylist => "greylist",
            RefusalClass::Network => "network",
        }
    }
}

/// `result` of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuthResult {
    Success,
    Failure(AuthReason),
}

/// An account's place in the tracker's table. A place that was given up and taken again has
/// another generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId {
    pub slot: u32,
    pub generation: u32,
}

/// An account: a SASL login, `uid:33`, `ip:192.0.2.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    pub id: AccountId,
    /// In its canonical form.
    pub name: &'a str,
}

/// One recipient, one attempt, one result, with what the message knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delivered<'a> {
    pub origin: Origin,
    pub direction: Direction,
    /// The master.cf service as far as the tag names it, else the daemon: `smtp`, `relay`.
    pub transport: &'a [u8],
    pub status: DeliveryStatus,
    /// 2, 4 or 5.
    pub dsn_class: u8,
    pub account: Option<Account<'a>>,
    /// A hop inside the system that goes on: nothing of accounts, relays and domains counts it.
    pub goes_on: bool,
    /// The next hop's host name as logged; `None` where no connection was made.
    pub relay: Option<&'a [u8]>,
    /// The recipient's domain as logged; empty where it has none.
    pub domain: &'a [u8],
    /// Arrival to now; `Some` when the recipient is finished by it.
    pub delay_ms: Option<u64>,
    /// Arrival to queue manager, at the first attempt.
    pub before_qmgr_ms: Option<u64>,
    /// In the queue manager, connection, transmission: at attempts that connected.
    pub stages_ms: Option<[u64; 3]>,
    /// Why it did not succeed; `None` where it did.
    pub failure: Option<FailureReason>,
    /// The reply says that our address is listed or has a bad reputation.
    pub blocklisted_by: Option<Provider>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact<'a> {
    /// An account that exists did something for the first time: its series begin at 0.
    AccountSeen(Account<'a>),
    /// How often the account's name had failed before it was known to exist.
    EarlierFailures {
        account: Account<'a>,
        count: u32,
    },
    /// A message was accepted.
    Message {
        origin: Origin,
        account: Option<Account<'a>>,
    },
    /// A message became active for the first time.
    MessageQueued {
        origin: Origin,
        account: Option<Account<'a>>,
        size_bytes: u64,
        recipients: u32,
    },
    /// The last leaf of a message left the queue.
    MessageEnded {
        outcome: Outcome,
        queue_time_ms: u64,
    },
    Delivered(Delivered<'a>),
    /// An account's recipient was refused for the first time by that message.
    RecipientRefused {
        account: Account<'a>,
        class: RefusalClass,
    },
    /// An account wrote to somebody it never wrote to before.
    NewRecipient(Account<'a>),
    /// A message from a client network that the account first used less than 7 days ago.
    NewNetworkMessage(Account<'a>),
    /// Success from a network that the account has not used in 30 days.
    NewNetwork(Account<'a>),
    /// Success from a network, new to the account, that had been guessing.
    SuspiciousLogin(Account<'a>),
    /// One try to log in, or `count` alike.
    Authentication {
        software: Software,
        service: Service,
        /// As logged; empty where unknown.
        mechanism: &'a [u8],
        result: AuthResult,
        /// Only of accounts that exist.
        account: Option<Account<'a>>,
        count: u32,
    },
    Connected {
        software: Software,
        service: Service,
        count: u32,
    },
    Disconnected {
        software: Software,
        service: Service,
        count: u32,
    },
    ConnectionLost {
        software: Software,
        service: Service,
        stage: Stage,
        count: u32,
    },
    /// From a disconnect's statistics.
    Commands {
        service: Service,
        command: &'a [u8],
        ok: u32,
        failed: u32,
    },
    Rejected {
        software: Software,
        service: Service,
        stage: Stage,
        code: Option<u16>,
        reason: RejectReason,
        count: u32,
    },
    /// The tracker is full: the message that was idle longest was let go unfinished.
    MessageForgotten,
}
