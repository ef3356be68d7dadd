//! What a line says: typed, borrowed from it, without state.
//!
//! Text that the other side of a connection controls is only ever in a field whose comment says
//! so; no other field is taken from it.

use std::net::IpAddr;

/// Whose line it is: the `software` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Software {
    Postfix,
    Unknown,
}

impl Software {
    pub const ALL: [Software; 2] = [Software::Postfix, Software::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Software::Postfix => "postfix",
            Software::Unknown => "unknown",
        }
    }
}

/// The protocol as a postmaster names it: the `service` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Service {
    Smtp,
    Submission,
    Submissions,
    Imap,
    Pop3,
    Sieve,
    Lmtp,
    Http,
    Other,
}

impl Service {
    pub const ALL: [Service; 9] = [
        Service::Smtp,
        Service::Submission,
        Service::Submissions,
        Service::Imap,
        Service::Pop3,
        Service::Sieve,
        Service::Lmtp,
        Service::Http,
        Service::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Service::Smtp => "smtp",
            Service::Submission => "submission",
            Service::Submissions => "submissions",
            Service::Imap => "imap",
            Service::Pop3 => "pop3",
            Service::Sieve => "sieve",
            Service::Lmtp => "lmtp",
            Service::Http => "http",
            Service::Other => "other",
        }
    }
}

/// What the tag says of its writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program<'a> {
    pub software: Software,
    /// The daemon, `smtpd`: the last part of the tag; empty where the tag names none.
    pub process: &'a [u8],
    /// Postfix's instance: the first part of the tag (`postfix`, `postfix-out`).
    pub instance: &'a [u8],
    /// The part between (`relay`, `submission`), where there is one.
    pub service_name: Option<&'a [u8]>,
    pub service: Service,
    /// Which daemon's rules read its lines.
    pub kind: Kind,
}

/// Which file's rules read the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Smtpd,
    Cleanup,
    /// qmgr and oqmgr.
    Qmgr,
    Pickup,
    /// smtp(8) and lmtp(8): one program.
    Smtp,
    Lmtp,
    Local,
    Virtual,
    Pipe,
    /// error(8), under its names `error` and `retry`.
    Error,
    Discard,
    /// bounce(8), under its names `bounce`, `defer`, `trace`.
    Bounce,
    Postsuper,
    /// A Postfix tag without a daemon (RFC 5424 senders cut it at the slash): told by the text.
    PostfixBare,
    /// A Postfix program that no rule is written for yet.
    PostfixOther,
    /// Not ours.
    Unknown,
}

/// A severity word in the text (`warning:`, `fatal:`), whatever the line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Severity {
    Warning,
    Error,
    Fatal,
    Panic,
}

impl Severity {
    pub const ALL: [Severity; 4] = [
        Severity::Warning,
        Severity::Error,
        Severity::Fatal,
        Severity::Panic,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Fatal => "fatal",
            Severity::Panic => "panic",
        }
    }
}

/// `name[address]:port` as Postfix prints it. The name comes from the client's DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Client<'a> {
    /// Hostile: whoever holds the reverse zone chose it.
    pub name: &'a [u8],
    /// `None` for `unknown[unknown]`.
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
}

/// Where in the dialogue something happened: the `stage` label, in Postfix's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    Connect,
    Helo,
    Ehlo,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    EndOfMessage,
    Rset,
    Noop,
    Vrfy,
    Etrn,
    Quit,
    Unknown,
    /// cleanup's header_checks.
    Header,
    /// cleanup's body_checks and MIME errors.
    Body,
    Other,
}

impl Stage {
    pub const ALL: [Stage; 19] = [
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
        Stage::Header,
        Stage::Body,
        Stage::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Connect => "CONNECT",
            Stage::Helo => "HELO",
            Stage::Ehlo => "EHLO",
            Stage::Starttls => "STARTTLS",
            Stage::Auth => "AUTH",
            Stage::Mail => "MAIL",
            Stage::Rcpt => "RCPT",
            Stage::Data => "DATA",
            Stage::Bdat => "BDAT",
            Stage::EndOfMessage => "END-OF-MESSAGE",
            Stage::Rset => "RSET",
            Stage::Noop => "NOOP",
            Stage::Vrfy => "VRFY",
            Stage::Etrn => "ETRN",
            Stage::Quit => "QUIT",
            Stage::Unknown => "UNKNOWN",
            Stage::Header => "header",
            Stage::Body => "body",
            Stage::Other => "other",
        }
    }
}

/// An enhanced status code, RFC 3463.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dsn {
    pub class: u8,
    pub subject: u16,
    pub detail: u16,
}

/// Why a client was turned away: the `reason` label of `mail_rejects_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RejectReason {
    Blocklist,
    UnknownRecipient,
    UnknownSender,
    RelayDenied,
    Greylisted,
    Helo,
    SenderDomain,
    ClientHostname,
    Policy,
    RateLimit,
    Size,
    Content,
    Spf,
    Dkim,
    Dmarc,
    Protocol,
    Resources,
    Other,
}

impl RejectReason {
    pub const ALL: [RejectReason; 18] = [
        RejectReason::Blocklist,
        RejectReason::UnknownRecipient,
        RejectReason::UnknownSender,
        RejectReason::RelayDenied,
        RejectReason::Greylisted,
        RejectReason::Helo,
        RejectReason::SenderDomain,
        RejectReason::ClientHostname,
        RejectReason::Policy,
        RejectReason::RateLimit,
        RejectReason::Size,
        RejectReason::Content,
        RejectReason::Spf,
        RejectReason::Dkim,
        RejectReason::Dmarc,
        RejectReason::Protocol,
        RejectReason::Resources,
        RejectReason::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RejectReason::Blocklist => "blocklist",
            RejectReason::UnknownRecipient => "unknown_recipient",
            RejectReason::UnknownSender => "unknown_sender",
            RejectReason::RelayDenied => "relay_denied",
            RejectReason::Greylisted => "greylisted",
            RejectReason::Helo => "helo",
            RejectReason::SenderDomain => "sender_domain",
            RejectReason::ClientHostname => "client_hostname",
            RejectReason::Policy => "policy",
            RejectReason::RateLimit => "rate_limit",
            RejectReason::Size => "size",
            RejectReason::Content => "content",
            RejectReason::Spf => "spf",
            RejectReason::Dkim => "dkim",
            RejectReason::Dmarc => "dmarc",
            RejectReason::Protocol => "protocol",
            RejectReason::Resources => "resources",
            RejectReason::Other => "other",
        }
    }
}

/// Why a delivery did not succeed: the `reason` label of `mail_delivery_failures_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FailureReason {
    Blocklisted,
    Reputation,
    RateLimited,
    Greylisted,
    UserUnknown,
    MailboxFull,
    SpamContent,
    Policy,
    AuthRequired,
    Tls,
    Dns,
    ConnectionRefused,
    ConnectionTimeout,
    LostConnection,
    HostUnreachable,
    Loop,
    Size,
    Expired,
    Other,
}

impl FailureReason {
    pub const ALL: [FailureReason; 19] = [
        FailureReason::Blocklisted,
        FailureReason::Reputation,
        FailureReason::RateLimited,
        FailureReason::Greylisted,
        FailureReason::UserUnknown,
        FailureReason::MailboxFull,
        FailureReason::SpamContent,
        FailureReason::Policy,
        FailureReason::AuthRequired,
        FailureReason::Tls,
        FailureReason::Dns,
        FailureReason::ConnectionRefused,
        FailureReason::ConnectionTimeout,
        FailureReason::LostConnection,
        FailureReason::HostUnreachable,
        FailureReason::Loop,
        FailureReason::Size,
        FailureReason::Expired,
        FailureReason::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::Blocklisted => "blocklisted",
            FailureReason::Reputation => "reputation",
            FailureReason::RateLimited => "rate_limited",
            FailureReason::Greylisted => "greylisted",
            FailureReason::UserUnknown => "user_unknown",
            FailureReason::MailboxFull => "mailbox_full",
            FailureReason::SpamContent => "spam_content",
            FailureReason::Policy => "policy",
            FailureReason::AuthRequired => "auth_required",
            FailureReason::Tls => "tls",
            FailureReason::Dns => "dns",
            FailureReason::ConnectionRefused => "connection_refused",
            FailureReason::ConnectionTimeout => "connection_timeout",
            FailureReason::LostConnection => "lost_connection",
            FailureReason::HostUnreachable => "host_unreachable",
            FailureReason::Loop => "loop",
            FailureReason::Size => "size",
            FailureReason::Expired => "expired",
            FailureReason::Other => "other",
        }
    }
}

/// Who lists us: the `provider` label of `mail_blocklisted_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Provider {
    Spamhaus,
    Spamcop,
    Barracuda,
    Sorbs,
    Uceprotect,
    Abusix,
    Proofpoint,
    Cloudmark,
    Trendmicro,
    Cisco,
    Microsoft,
    Google,
    Yahoo,
    Apple,
    Gmx,
    Telekom,
    Other,
}

impl Provider {
    pub const ALL: [Provider; 17] = [
        Provider::Spamhaus,
        Provider::Spamcop,
        Provider::Barracuda,
        Provider::Sorbs,
        Provider::Uceprotect,
        Provider::Abusix,
        Provider::Proofpoint,
        Provider::Cloudmark,
        Provider::Trendmicro,
        Provider::Cisco,
        Provider::Microsoft,
        Provider::Google,
        Provider::Yahoo,
        Provider::Apple,
        Provider::Gmx,
        Provider::Telekom,
        Provider::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Spamhaus => "spamhaus",
            Provider::Spamcop => "spamcop",
            Provider::Barracuda => "barracuda",
            Provider::Sorbs => "sorbs",
            Provider::Uceprotect => "uceprotect",
            Provider::Abusix => "abusix",
            Provider::Proofpoint => "proofpoint",
            Provider::Cloudmark => "cloudmark",
            Provider::Trendmicro => "trendmicro",
            Provider::Cisco => "cisco",
            Provider::Microsoft => "microsoft",
            Provider::Google => "google",
            Provider::Yahoo => "yahoo",
            Provider::Apple => "apple",
            Provider::Gmx => "gmx",
            Provider::Telekom => "telekom",
            Provider::Other => "other",
        }
    }
}

/// Why an authentication failed: the `reason` label of `mail_auth_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AuthReason {
    BadCredentials,
    UnknownUser,
    Disabled,
    NoMechanism,
    PlaintextRefused,
    Aborted,
    RateLimited,
    Policy,
    Backend,
    Other,
}

impl AuthReason {
    pub const ALL: [AuthReason; 10] = [
        AuthReason::BadCredentials,
        AuthReason::UnknownUser,
        AuthReason::Disabled,
        AuthReason::NoMechanism,
        AuthReason::PlaintextRefused,
        AuthReason::Aborted,
        AuthReason::RateLimited,
        AuthReason::Policy,
        AuthReason::Backend,
        AuthReason::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            AuthReason::BadCredentials => "bad_credentials",
            AuthReason::UnknownUser => "unknown_user",
            AuthReason::Disabled => "disabled",
            AuthReason::NoMechanism => "no_mechanism",
            AuthReason::PlaintextRefused => "plaintext_refused",
            AuthReason::Aborted => "aborted",
            AuthReason::RateLimited => "rate_limited",
            AuthReason::Policy => "policy",
            AuthReason::Backend => "backend",
            AuthReason::Other => "other",
        }
    }
}

/// One try of a client to log in that failed. (Postfix logs no line of its own for a success.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthFailure<'a> {
    pub client: Client<'a>,
    /// As logged, `LOGIN`; hostile in theory, the catalogue limits it. Empty where unknown.
    pub mechanism: &'a [u8],
    /// Hostile: what the client typed. `None` where the line has none.
    pub user: Option<&'a [u8]>,
    pub reason: AuthReason,
    /// Hostile: the server's words with the client's in them.
    pub text: &'a [u8],
}

/// `QID: client=...`, `NOQUEUE: client=...`: a client begins a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAccepted<'a> {
    /// `None` for `NOQUEUE`: a before-queue filter stands between.
    pub queue_id: Option<&'a [u8]>,
    pub client: Client<'a>,
    pub mechanism: Option<&'a [u8]>,
    /// The SASL login, verified by the server.
    pub user: Option<&'a [u8]>,
    /// From XFORWARD, so from a client that may use it.
    pub orig_queue_id: Option<&'a [u8]>,
    pub orig_client: Option<Client<'a>>,
}

/// `QID: uid=33 from=<www-data>`: a message from sendmail(1) on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PickedUp<'a> {
    pub queue_id: &'a [u8],
    pub uid: u32,
    pub sender: &'a [u8],
    /// The queue id before `postsuper -r`.
    pub orig_queue_id: Option<&'a [u8]>,
}

/// What smtpd's access tables, cleanup's checks or a milter did to mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Refused, so counted in `mail_rejects_total`.
    Reject,
    MilterReject,
    ProxyReject,
    /// Accepted and put aside.
    Hold,
    MilterHold,
    /// Accepted and swallowed.
    Discard,
    MilterDiscard,
    /// Only said: `reject_warning`, `warn`, `info`, `filter`, `redirect`, `permit`, ...
    Note,
}

/// `QID-or-NOQUEUE: ACTION: STAGE from CLIENT: TEXT; from=<> to=<> proto= helo=<>`, or smtpd's
/// `WHAT limit exceeded: N from CLIENT for service S`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acted<'a> {
    pub queue_id: Option<&'a [u8]>,
    pub action: Action,
    /// The action word as logged; empty where a limit was exceeded (`Connection rate limit
    /// exceeded: ...`), as no word tells of the refusal then.
    pub word: &'a [u8],
    pub stage: Stage,
    /// The default (no address) for mail from the host itself, `from local`.
    pub client: Client<'a>,
    pub code: Option<u16>,
    pub dsn: Option<Dsn>,
    pub reason: RejectReason,
    /// Hostile from here on: the rest of the line.
    pub text: &'a [u8],
    pub sender: Option<&'a [u8]>,
    pub recipient: Option<&'a [u8]>,
    pub protocol: Option<&'a [u8]>,
    pub helo: Option<&'a [u8]>,
    /// 3.10 and later.
    pub user: Option<&'a [u8]>,
}

/// Next hop of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay<'a> {
    /// `relay=none`: no connection was made.
    None,
    /// `relay=local`, `relay=dovecot`: the mailbox, the pipe.
    Name(&'a [u8]),
    /// `relay=host[address]:port`.
    Host {
        name: &'a [u8],
        address: IpAddr,
        port: Option<u16>,
    },
    /// `relay=host[/path/to/socket]`.
    Socket { name: &'a [u8], path: &'a [u8] },
}

/// The `status` of a delivery line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    Sent,
    Deferred,
    Bounced,
    /// Logged in capitals: `soft_bounce` made a bounce a deferral.
    Softbounce,
    /// Address probes; no message.
    Deliverable,
    Undeliverable,
}

/// One recipient, one attempt, one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery<'a> {
    pub queue_id: &'a [u8],
    pub recipient: &'a [u8],
    pub orig_recipient: Option<&'a [u8]>,
    pub relay: Relay<'a>,
    /// `conn_use`, 1 where the line has none.
    pub connection_use: u32,
    pub delay_ms: u64,
    /// before qmgr, in qmgr, connection, transmission; since 2.3.
    pub delay_stages_ms: Option<[u64; 4]>,
    /// Since 3.11, `may:none`.
    pub tls: Option<&'a [u8]>,
    /// Missing before 2.3.
    pub dsn: Option<Dsn>,
    pub status: Status,
    /// Hostile: what stands between the parentheses after the status.
    pub text: &'a [u8],
    /// `queued as Q` at the end of a 2xx reply: hostile, the tracker believes it only of a filter.
    pub queued_as: Option<&'a [u8]>,
    /// local(8)'s own words `forwarded as Q`: only of local(8).
    pub forwarded_as: Option<&'a [u8]>,
    /// Address in Postfix's own words `[delivery temporarily suspended: ]connect to H[IP]:25: ...`
    /// where `relay=none`; of a socket see `unreachable_socket`.
    pub unreachable: Option<IpAddr>,
}

/// Which notice bounce(8) sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    SenderNonDelivery,
    SenderDelay,
    /// `sender delivery status notification`: a success notice that was asked for.
    SenderStatus,
    PostmasterNonDelivery,
    PostmasterDelay,
}

/// Who removed a message from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemovedBy {
    /// It is finished.
    Qmgr,
    /// An admin deleted it.
    Postsuper,
    /// cleanup 3.10 and later: `removed (canceled)`: never accepted.
    Canceled,
    /// cleanup 3.10 and later: `removed (discarded)`.
    Discarded,
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossKind {
    LostConnection,
    Timeout,
    TooManyErrors,
}

/// `disconnect from C ehlo=1 auth=0/1 mail=1 quit=1 commands=3/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommandCounts<'a> {
    /// The statistics as logged; empty before 3.0.
    pub text: &'a [u8],
}

/// One command of the statistics: how often it was accepted, and tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandCount<'a> {
    pub command: &'a [u8],
    pub ok: u32,
    pub total: u32,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    Connect {
        client: Client<'a>,
    },
    Disconnect {
        client: Client<'a>,
        commands: CommandCounts<'a>,
    },
    LostConnection {
        queue_id: Option<&'a [u8]>,
        kind: LossKind,
        stage: Stage,
        client: Client<'a>,
    },
    AuthFailure(AuthFailure<'a>),
    ClientAccepted(ClientAccepted<'a>),
    PickedUp(PickedUp<'a>),
    /// smtpd's `proxy-accept: ... queued as Q`: Q gets this session's client and user.
    ProxyAccepted {
        queued_as: Option<&'a [u8]>,
        text: &'a [u8],
    },
    MessageId {
        queue_id: &'a [u8],
        /// Hostile: copied from the header.
        message_id: &'a [u8],
        resent: bool,
    },
    Acted(Acted<'a>),
    /// qmgr's `from=<>, size=, nrcpt= (queue active)`; at every attempt.
    Queued {
        queue_id: &'a [u8],
        /// Hostile: the envelope's sender.
        sender: &'a [u8],
        size_bytes: u64,
        recipients: u32,
    },
    Delivery(Delivery<'a>),
    BounceNotice {
        queue_id: &'a [u8],
        kind: NoticeKind,
        notice_queue_id: &'a [u8],
    },
    /// qmgr's `status=expired, returned to sender`, `force-expired`.
    Expired {
        queue_id: &'a [u8],
        sender: &'a [u8],
        forced: bool,
    },
    Removed {
        queue_id: &'a [u8],
        by: RemovedBy,
    },
    /// `postsuper -h`.
    Held {
        queue_id: &'a [u8],
    },
    /// `postsuper -H`.
    Released {
        queue_id: &'a [u8],
    },
    /// `postsuper -r`.
    Requeued {
        queue_id: &'a [u8],
    },
    /// `postsuper -e`: will expire at the next attempt.
    ExpiryForced {
        queue_id: &'a [u8],
    },
    /// Recognised, with nothing to count; `text` as logged.
    Other {
        queue_id: Option<&'a [u8]>,
        text: &'a [u8],
    },
    /// A program that we claim to know said something that no rule knows.
    Unparsed,
}
