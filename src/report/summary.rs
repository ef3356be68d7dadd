//! What a report tells, from the series and nothing else: text and JSON print the same numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ReportOptions;
use super::programs;
use super::read::ReadAll;
use crate::metrics::{Frozen, Sample};

/// The software whose lines are read so far.
const READ: &str = "postfix";
/// What Postfix writes for a relay where there is no other host.
const NO_HOSTS: [&str; 3] = ["local", "virtual", "none"];
/// Stands for all that have no series of their own.
const OTHER: &str = "_other";

/// A number with what it means.
#[derive(Debug, Clone, Serialize)]
pub struct Defined {
    pub value: u64,
    pub means: &'static str,
}

/// One line of a top list.
#[derive(Debug, Clone, Serialize)]
pub struct Ranked {
    pub name: String,
    pub count: u64,
}

/// An account's line.
#[derive(Debug, Clone, Serialize)]
pub struct AccountLine {
    pub account: String,
    pub messages: u64,
    pub recipients: u64,
    pub sent: u64,
    pub refused_recipients: u64,
    pub new_recipients: u64,
    /// Distinct client networks in the hour before the last line.
    pub client_networks: u64,
    pub failed_logins: u64,
}

/// A next hop's or domain's line.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationLine {
    pub name: String,
    pub sent: u64,
    pub deferred: u64,
    pub bounced: u64,
}

/// A program's line.
#[derive(Debug, Clone, Serialize)]
pub struct ProgramLine {
    pub program: String,
    pub software: String,
    pub lines: u64,
    pub unparsed: u64,
    /// False: its lines are counted, and tell nothing else.
    pub is_read: bool,
    pub means: &'static str,
}

/// Everything that a report tells.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub files: usize,
    pub bytes: u64,
    pub lines: u64,
    pub lines_unparsed: u64,
    pub lines_cut: u64,
    /// Milliseconds since the epoch; `None` where no line had a stamp.
    pub last_line_ms: Option<i64>,
    /// Counted from here on, where `--since` was given.
    pub since_ms: Option<i64>,
    pub sent_by_this_server: Defined,
    pub sent_by_users: Defined,
    pub submitted: Defined,
    pub messages_by_origin: BTreeMap<String, u64>,
    /// By direction, then status.
    pub deliveries: BTreeMap<String, BTreeMap<String, u64>>,
    pub accounts_by_messages: Vec<AccountLine>,
    pub accounts_by_recipients: Vec<AccountLine>,
    pub relays: Vec<DestinationLine>,
    pub domains: Vec<DestinationLine>,
    pub failure_reasons: Vec<Ranked>,
    pub blocklisted_by: Vec<Ranked>,
    pub logins_succeeded: u64,
    pub logins_failed: u64,
    pub login_failures: Vec<Ranked>,
    pub rejects: Vec<Ranked>,
    pub connections: u64,
    pub connections_lost: u64,
    pub programs: Vec<ProgramLine>,
    #[serde(skip)]
    all_recipients: Vec<(String, u64)>,
}

impl Summary {
    pub fn new(
        frozen: &Frozen,
        baseline: Option<&Frozen>,
        read: &ReadAll,
        options: &ReportOptions,
    ) -> Summary {
        let values = Values::new(frozen, baseline);
        let accounts = accounts(&values);
        let by = |key: fn(&AccountLine) -> u64| {
            let mut lines: Vec<AccountLine> =
                accounts.iter().filter(|a| key(a) > 0).cloned().collect();
            lines.sort_by(|a, b| key(b).cmp(&key(a)).then_with(|| a.account.cmp(&b.account)));
            lines.truncate(options.top);
            lines
        };
        let ours = |origin: &str| matches!(origin, "authenticated" | "trusted" | "local");
        let sent = |wanted: &dyn Fn(&str) -> bool| {
            values.sum("mail_deliveries_total", |label| {
                label("direction") == "outbound"
                    && label("status") == "sent"
                    && wanted(label("origin"))
            })
        };
        let messages_by_origin = values.group("mail_messages_total", "origin");
        let mut deliveries: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        values.each("mail_deliveries_total", |label, value| {
            if value > 0 {
                *deliveries
                    .entry(label("direction").to_owned())
                    .or_default()
                    .entry(label("status").to_owned())
                    .or_default() += value;
            }
        });
        let logins = |result: &str| values.sum("mail_auth_total", |l| l("result") == result);
        let rank = |groups: BTreeMap<String, u64>| ranked(groups, options.top);
        Summary {
            files: read.files_read,
            bytes: read.bytes,
            lines: values.sum("maillog_lines_total", |_| true),
            lines_unparsed: values.sum("maillog_lines_unparsed_total", |_| true),
            lines_cut: read.long_lines_cut,
            last_line_ms: read.engine.last_ms(),
            since_ms: options
                .since_ms
                .and_then(|since| Some(read.engine.last_ms()? - since)),
            sent_by_this_server: Defined {
                value: sent(&|_| true),
                means: "what other hosts took over, one for each recipient",
            },
            sent_by_users: Defined {
                value: sent(&ours),
                means: "the same of mail that came by login, trusted client or sendmail",
            },
            submitted: Defined {
                value: messages_by_origin
                    .iter()
                    .filter(|(origin, _)| ours(origin))
                    .map(|(_, count)| count)
                    .sum(),
                means: "mails that users gave us, each once, however many recipients",
            },
            messages_by_origin,
            deliveries,
            accounts_by_messages: by(|a| a.messages),
            accounts_by_recipients: by(|a| a.recipients),
            relays: destinations(&values, "mail_relay_deliveries_total", "relay", options.top),
            domains: destinations(
                &values,
                "mail_domain_deliveries_total",
                "domain",
                options.top,
            ),
            failure_reasons: rank(values.group("mail_delivery_failures_total", "reason")),
            blocklisted_by: rank(values.group("mail_blocklisted_total", "provider")),
            logins_succeeded: logins("success"),
            logins_failed: logins("failure"),
            login_failures: rank(values.group_by("mail_auth_total", |label| {
                (label("result") == "failure")
                    .then(|| format!("{} {}", label("service"), label("reason")))
            })),
            rejects: rank(values.group_by("mail_rejects_total", |label| {
                Some(format!("{} at {}", label("reason"), label("stage")))
            })),
            connections: values.sum("mail_connections_total", |_| true),
            connections_lost: values.sum("mail_connections_lost_total", |_| true),
            programs: program_lines(&values),
            all_recipients: accounts
                .iter()
                .map(|a| (a.account.clone(), a.recipients))
                .collect(),
        }
    }

    /// Accounts that sent to more than `max` recipients, the worst first. What stands for several
    /// accounts is none.
    pub fn accounts_over(&self, max: u64) -> Vec<(String, u64)> {
        let mut over: Vec<(String, u64)> = self
            .all_recipients
            .iter()
            .filter(|(account, recipients)| *recipients > max && account != OTHER)
            .cloned()
            .collect();
        over.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        over
    }
}

fn accounts(values: &Values) -> Vec<AccountLine> {
    let mut accounts: BTreeMap<String, AccountLine> = BTreeMap::new();
    let mut add = |name: &str,
                   wanted: &dyn Fn(&Labels<'_>) -> bool,
                   field: fn(&mut AccountLine) -> &mut u64| {
        values.each(name, |label, value| {
            if !wanted(&Labels(label)) {
                return;
            }
            let account = label("user").to_owned();
            let line = accounts.entry(account.clone()).or_insert(AccountLine {
                account,
                messages: 0,
                recipients: 0,
                sent: 0,
                refused_recipients: 0,
                new_recipients: 0,
                client_networks: 0,
                failed_logins: 0,
            });
            *field(line) += value;
        });
    };
    let any = |_: &Labels<'_>| true;
    add("mail_user_messages_total", &any, |a| &mut a.messages);
    add("mail_user_recipients_total", &any, |a| &mut a.recipients);
    add(
        "mail_user_deliveries_total",
        &|l| l.get("direction") == "outbound" && l.get("status") == "sent",
        |a| &mut a.sent,
    );
    add("mail_user_refused_recipients_total", &any, |a| {
        &mut a.refused_recipients
    });
    add("mail_user_new_recipients_total", &any, |a| {
        &mut a.new_recipients
    });
    add("mail_user_client_networks", &any, |a| {
        &mut a.client_networks
    });
    add(
        "mail_user_auth_total",
        &|l| l.get("result") == "failure",
        |a| &mut a.failed_logins,
    );
    accounts.into_values().collect()
}

fn destinations(values: &Values, name: &str, label: &str, top: usize) -> Vec<DestinationLine> {
    let mut lines: BTreeMap<String, DestinationLine> = BTreeMap::new();
    values.each(name, |get, value| {
        let name = get(label).to_owned();
        if label == "relay" && NO_HOSTS.contains(&name.as_str()) {
            return;
        }
        let line = lines.entry(name.clone()).or_insert(DestinationLine {
            name,
            sent: 0,
            deferred: 0,
            bounced: 0,
        });
        match get("status") {
            "sent" => line.sent += value,
            "deferred" | "softbounce" => line.deferred += value,
            "bounced" | "expired" => line.bounced += value,
            _ => {}
        }
    });
    let all = |line: &DestinationLine| line.sent + line.deferred + line.bounced;
    let mut lines: Vec<DestinationLine> = lines.into_values().filter(|l| all(l) > 0).collect();
    lines.sort_by(|a, b| all(b).cmp(&all(a)).then_with(|| a.name.cmp(&b.name)));
    lines.truncate(top);
    lines
}

fn program_lines(values: &Values) -> Vec<ProgramLine> {
    let mut lines: BTreeMap<(String, String), ProgramLine> = BTreeMap::new();
    for (name, field) in [
        ("maillog_lines_total", 0),
        ("maillog_lines_unparsed_total", 1),
    ] {
        values.each(name, |label, value| {
            let software = label("software").to_owned();
            let program = label("program").to_owned();
            let line = lines
                .entry((program.clone(), software.clone()))
                .or_insert_with(|| ProgramLine {
                    means: programs::what_it_is(&program),
                    // "_other" and lines without a header are not one program.
                    is_read: software == READ || matches!(program.as_str(), OTHER | ""),
                    program,
                    software,
                    lines: 0,
                    unparsed: 0,
                });
            if field == 0 {
                line.lines += value;
            } else {
                line.unparsed += value;
            }
        });
    }
    let mut lines: Vec<ProgramLine> = lines.into_values().filter(|l| l.lines > 0).collect();
    lines.sort_by(|a, b| {
        b.lines
            .cmp(&a.lines)
            .then_with(|| a.program.cmp(&b.program))
    });
    lines
}

fn ranked(groups: BTreeMap<String, u64>, top: usize) -> Vec<Ranked> {
    let mut lines: Vec<Ranked> = groups
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| Ranked { name, count })
        .collect();
    lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    lines.truncate(top);
    lines
}

type GetLabel<'a> = &'a dyn Fn(&str) -> &'a str;

struct Labels<'a>(GetLabel<'a>);

impl<'a> Labels<'a> {
    fn get(&self, name: &str) -> &'a str {
        (self.0)(name)
    }
}

/// Labels, in the catalogue's order, and a value.
type Value = (Vec<(String, String)>, u64);

/// The samples by name, less what was there before the report begins.
struct Values {
    by_name: BTreeMap<String, Vec<Value>>,
}

impl Values {
    fn new(frozen: &Frozen, baseline: Option<&Frozen>) -> Values {
        let key = |sample: &Sample| (sample.name.clone(), sample.labels.clone());
        let before: BTreeMap<_, f64> = baseline
            .map(|frozen| frozen.iter().map(|s| (key(&s), s.value)).collect())
            .unwrap_or_default();
        let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for sample in frozen.iter() {
            // A window of the last hour has no before.
            let was = if sample.name == "mail_user_client_networks" {
                0.0
            } else {
                before.get(&key(&sample)).copied().unwrap_or(0.0)
            };
            let value = (sample.value - was).max(0.0) as u64;
            by_name
                .entry(sample.name)
                .or_default()
                .push((sample.labels, value));
        }
        Values { by_name }
    }

    fn each(&self, name: &str, mut work: impl FnMut(GetLabel<'_>, u64)) {
        for (labels, value) in self.by_name.get(name).into_iter().flatten() {
            let get = |wanted: &str| {
                labels
                    .iter()
                    .find(|(label, _)| label == wanted)
                    .map_or("", |(_, value)| value.as_str())
            };
            work(&get, *value);
        }
    }

    fn sum(&self, name: &str, wanted: impl Fn(GetLabel<'_>) -> bool) -> u64 {
        let mut sum = 0;
        self.each(name, |label, value| {
            if wanted(label) {
                sum += value;
            }
        });
        sum
    }

    fn group(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        self.group_by(name, |get| Some(get(label).to_owned()))
    }

    fn group_by(
        &self,
        name: &str,
        group: impl Fn(GetLabel<'_>) -> Option<String>,
    ) -> BTreeMap<String, u64> {
        let mut groups = BTreeMap::new();
        self.each(name, |label, value| {
            if let Some(group) = group(label) {
                *groups.entry(group).or_default() += value;
            }
        });
        groups
    }
}
