//! What the log says, counted from what the simulator decided, by the names of the exporter's
//! metrics. A line brings what it adds, so the truth of a log is that of the lines written so far,
//! wherever it is cut.
//! All spelling of labels is in this file.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::host::Program;

/// Expected value by series, written as in the text exposition. Where labels are missing, the value
/// is the sum over all that they could be; series that are 0 are left out.
pub type Truth = BTreeMap<String, u64>;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum $name { $($variant,)* }

        impl $name {
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }
    };
}

words! {
    Origin {
        Authenticated "authenticated",
        Trusted "trusted",
        Local "local",
        Unauthenticated "unauthenticated",
        Generated "generated",
        Unknown "unknown",
    }
}

words! {
    Direction {
        Outbound "outbound",
        Inbound "inbound",
        Local "local",
        Internal "internal",
        Discard "discard",
    }
}

words! {
    Status {
        Sent "sent",
        Deferred "deferred",
        Bounced "bounced",
    }
}

impl Status {
    fn dsn_class(self) -> &'static str {
        match self {
            Status::Sent => "2",
            Status::Deferred => "4",
            Status::Bounced => "5",
        }
    }
}

words! {
    Transport {
        Smtp "smtp",
        Relay "relay",
        Lmtp "lmtp",
        Local "local",
        Error "error",
    }
}

words! {
    Service {
        Smtp "smtp",
        Submission "submission",
        Submissions "submissions",
    }
}

words! {
    Mechanism {
        Plain "PLAIN",
        Login "LOGIN",
    }
}

words! {
    /// Of a refused recipient.
    Class {
        Recipient "recipient",
        Content "content",
        Listed "listed",
        Greylist "greylist",
        Network "network",
    }
}

words! {
    /// Of a delivery that failed.
    Failure {
        Blocklisted "blocklisted",
        Greylisted "greylisted",
        UserUnknown "user_unknown",
        MailboxFull "mailbox_full",
        SpamContent "spam_content",
        Dns "dns",
        ConnectionTimeout "connection_timeout",
    }
}

words! {
    Provider {
        Spamhaus "spamhaus",
        Microsoft "microsoft",
    }
}

words! {
    /// Of a command that was refused; `stage`, `code` and `reason` are `Reject`'s methods.
    Reject {
        Blocklist "blocklist",
        UnknownRecipient "unknown_recipient",
        RelayDenied "relay_denied",
        Greylisted "greylisted",
        Helo "helo",
        SenderDomain "sender_domain",
        ClientHostname "client_hostname",
    }
}

impl Reject {
    pub fn code(self) -> &'static str {
        match self {
            Reject::Blocklist | Reject::RelayDenied => "554",
            Reject::UnknownRecipient => "550",
            Reject::Greylisted | Reject::SenderDomain | Reject::ClientHostname => "450",
            Reject::Helo => "504",
        }
    }
}

/// A user, a domain or a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Series {
    Warning(Program),
    Message(Origin),
    SizeSum(Origin),
    RecipientsSum(Origin),
    Delivery(Origin, Direction, Transport, Status),
    Failure(Direction, Status, Failure),
    Blocklisted(Provider),
    Relay(Name, Status),
    Domain(Name, Status),
    UserMessages(Name),
    UserRecipients(Name),
    UserDelivery(Name, Direction, Status),
    UserRefused(Name, Class),
    UserAuth(Name),
    AuthSuccess(&'static str, &'static str, &'static str),
    /// Software, service, mechanism, reason.
    AuthFailure(&'static str, &'static str, &'static str, &'static str),
    /// Service and how the mail got in.
    Reject(Service, &'static str, Reject),
    Connection(Service),
    Disconnect(Service),
    Lost(Service, &'static str),
    Tls(&'static str),
    Login(&'static str, &'static str),
    Logout(&'static str, &'static str),
    MailboxSaved(&'static str),
    Verdict(&'static str, &'static str),
    Greylist(&'static str),
    Maintenance(Program),
}

pub(super) struct Ledger {
    names: Vec<String>,
    by_name: HashMap<String, Name>,
    /// In the order of first use; the map only finds the place.
    values: Vec<(Series, u64)>,
    by_series: HashMap<Series, u32, foldhash::fast::FixedState>,
    lines: Vec<u64>,
}

impl Ledger {
    pub fn new() -> Self {
        Ledger {
            names: Vec::new(),
            by_name: HashMap::new(),
            values: Vec::new(),
            by_series: HashMap::default(),
            lines: vec![0; Program::ALL.len()],
        }
    }

    pub fn name(&mut self, name: &str) -> Name {
        if let Some(&known) = self.by_name.get(name) {
            return known;
        }
        let new = Name(self.names.len() as u32);
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), new);
        new
    }

    pub fn line(&mut self, program: Program) {
        self.lines[program as usize] += 1;
    }

    pub fn add(&mut self, series: Series, by: u64) {
        let next = self.values.len() as u32;
        let index = *self.by_series.entry(series).or_insert(next);
        if index == next {
            self.values.push((series, 0));
        }
        self.values[index as usize].1 += by;
    }

    pub fn lines_of(&self, program: Program) -> u64 {
        self.lines[program as usize]
    }

    pub fn truth(&self) -> Truth {
        let mut truth = Truth::new();
        for &program in Program::ALL {
            let labels = [("software", program.software()), ("program", program.tag())];
            put(
                &mut truth,
                "maillog_lines_total",
                &labels,
                self.lines_of(program),
            );
        }
        for &(series, value) in &self.values {
            self.spell(&mut truth, series, value);
        }
        truth
    }

    fn spell(&self, truth: &mut Truth, series: Series, value: u64) {
        let text = |Name(index): Name| self.names[index as usize].as_str();
        let mut put = |name: &str, labels: &[(&str, &str)]| put(truth, name, labels, value);
        match series {
            Series::Warning(program) => put(
                "maillog_log_messages_total",
                &[
                    ("software", program.software()),
                    ("program", program.tag()),
                    ("severity", "warning"),
                ],
            ),
            Series::Message(origin) => {
                let labels = [("origin", origin.word())];
                put("mail_messages_total", &labels);
                put("mail_message_size_bytes_count", &labels);
                put("mail_message_recipients_count", &labels);
            }
            Series::SizeSum(origin) => {
                put("mail_message_size_bytes_sum", &[("origin", origin.word())]);
            }
            Series::RecipientsSum(origin) => {
                put("mail_message_recipients_sum", &[("origin", origin.word())]);
            }
            Series::Delivery(origin, direction, transport, status) => put(
                "mail_deliveries_total",
                &[
                    ("origin", origin.word()),
                    ("direction", direction.word()),
                    ("transport", transport.word()),
                    ("status", status.word()),
                    ("dsn_class", status.dsn_class()),
                ],
            ),
            Series::Failure(direction, status, reason) => put(
                "mail_delivery_failures_total",
                &[
                    ("direction", direction.word()),
                    ("status", status.word()),
                    ("reason", reason.word()),
                ],
            ),
            Series::Blocklisted(provider) => {
                put("mail_blocklisted_total", &[("provider", provider.word())]);
            }
            Series::Relay(relay, status) => put(
                "mail_relay_deliveries_total",
                &[("relay", text(relay)), ("status", status.word())],
            ),
            Series::Domain(domain, status) => put(
                "mail_domain_deliveries_total",
                &[("domain", text(domain)), ("status", status.word())],
            ),
            Series::UserMessages(user) => put("mail_user_messages_total", &[("user", text(user))]),
            Series::UserRecipients(user) => {
                put("mail_user_recipients_total", &[("user", text(user))]);
            }
            Series::UserDelivery(user, direction, status) => put(
                "mail_user_deliveries_total",
                &[
                    ("user", text(user)),
                    ("direction", direction.word()),
                    ("status", status.word()),
                ],
            ),
            Series::UserRefused(user, class) => put(
                "mail_user_refused_recipients_total",
                &[("user", text(user)), ("class", class.word())],
            ),
            Series::UserAuth(user) => {
                put(
                    "mail_user_auth_total",
                    &[("user", text(user)), ("result", "success")],
                );
            }
            Series::AuthSuccess(software, service, mechanism) => put(
                "mail_auth_total",
                &[
                    ("software", software),
                    ("service", service),
                    ("mechanism", mechanism),
                    ("result", "success"),
                ],
            ),
            Series::AuthFailure(software, service, mechanism, reason) => put(
                "mail_auth_total",
                &[
                    ("software", software),
                    ("service", service),
                    ("mechanism", mechanism),
                    ("result", "failure"),
                    ("reason", reason),
                ],
            ),
            Series::Reject(service, stage, reject) => put(
                "mail_rejects_total",
                &[
                    ("software", "postfix"),
                    ("service", service.word()),
                    ("stage", stage),
                    ("code", reject.code()),
                    ("reason", reject.word()),
                ],
            ),
            Series::Connection(service) => put(
                "mail_connections_total",
                &[("software", "postfix"), ("service", service.word())],
            ),
            Series::Disconnect(service) => put(
                "mail_disconnects_total",
                &[("software", "postfix"), ("service", service.word())],
            ),
            Series::Lost(service, stage) => put(
                "mail_connections_lost_total",
                &[
                    ("software", "postfix"),
                    ("service", service.word()),
                    ("stage", stage),
                ],
            ),
            Series::Tls(protocol) => put(
                "mail_tls_sessions_total",
                &[("software", "postfix"), ("protocol", protocol)],
            ),
            Series::Login(software, service) => {
                put(
                    "mail_logins_total",
                    &[("software", software), ("service", service)],
                );
            }
            Series::Logout(software, service) => {
                put(
                    "mail_logouts_total",
                    &[("software", software), ("service", service)],
                );
            }
            Series::MailboxSaved(software) => put(
                "mail_mailbox_deliveries_total",
                &[("software", software), ("action", "saved")],
            ),
            Series::Verdict(software, verdict) => put(
                "mail_filter_verdicts_total",
                &[("software", software), ("verdict", verdict)],
            ),
            Series::Greylist(action) => put("mail_greylist_total", &[("action", action)]),
            Series::Maintenance(program) => put(
                "mail_maintenance_runs_total",
                &[("software", program.software()), ("program", program.tag())],
            ),
        }
    }
}

fn put(truth: &mut Truth, name: &str, labels: &[(&str, &str)], value: u64) {
    if value == 0 {
        return;
    }
    let mut series = format!("{name}{{");
    for (position, (label, text)) in labels.iter().enumerate() {
        let comma = if position > 0 { "," } else { "" };
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a String does not fail.
        let _ = write!(series, "{comma}{label}=\"{text}\"");
    }
    series.push('}');
    *truth.entry(series).or_insert(0) += value;
}
