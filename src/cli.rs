//! Flags, environment and help.
//! In: the arguments. Out: [`Cli`], plain data, checked as far as the words alone can be.
//! Never: opens, resolves or reads anything; what a `--source` means is `source`'s to say.
//! Every flag also comes from the environment, by its name: see [`command`].
//! Start reading at [`parse`]; a new flag is a field with its doc comment, which is its help.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::tz::{Offset, TimeZone};

const ENV_PREFIX: &str = "MAILLOG_EXPORTER_";
/// No Prometheus has to store what a report counts, and nobody may hide among "_other".
const REPORT_LIMIT: &str = "1000000";

/// The arguments of this process. Ends it with 0 after `--help`, with 2 on bad usage.
pub fn parse() -> Cli {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// [`parse`] for arguments given; the environment counts too.
pub fn parse_from<I, T>(arguments: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = command().try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    if let Command::Report(report) = &cli.command {
        let users = report.understand.privacy.users;
        let is_nameless = matches!(users, PrivacyUsers::Domain | PrivacyUsers::Off);
        if report.max_per_user.is_some() && is_nameless {
            return Err(usage_error(
                "--max-per-user needs accounts told apart: --privacy.users=full or hash",
            ));
        }
    }
    Ok(cli)
}

/// What is wrong with the arguments though each word is right; ends the process with 2.
pub fn usage_error(message: impl fmt::Display) -> clap::Error {
    command().error(clap::error::ErrorKind::ValueValidation, message)
}

/// The whole command line. `--web.listen-address` is `MAILLOG_EXPORTER_WEB_LISTEN_ADDRESS` in the
/// environment; a flag that `serve` does not have carries its command's name:
/// `MAILLOG_EXPORTER_REPORT_FORMAT`.
pub fn command() -> clap::Command {
    let plain = Cli::command();
    let serve = plain.find_subcommand("serve").expect("it is in Command");
    let shared: BTreeSet<String> = plain
        .get_arguments()
        .chain(serve.get_arguments())
        .filter_map(|arg| arg.get_long().map(str::to_owned))
        .collect();
    let unlimited = |arg: clap::Arg| arg.default_value(REPORT_LIMIT);
    plain
        .mut_subcommand("report", |report| {
            let report = report.mut_arg("users_max", unlimited);
            report
                .mut_arg("relays_max", unlimited)
                .mut_arg("domains_max", unlimited)
        })
        .mut_args(|arg| with_env(arg, ""))
        .mut_subcommands(|sub| {
            let own = format!("{}_", sub.get_name().to_uppercase());
            sub.mut_args(|arg| {
                let is_shared = arg.get_long().is_some_and(|long| shared.contains(long));
                with_env(arg, if is_shared { "" } else { &own })
            })
        })
}

fn with_env(arg: clap::Arg, owner: &str) -> clap::Arg {
    let Some(long) = arg.get_long() else {
        return arg;
    };
    if matches!(long, "help" | "version") {
        return arg;
    }
    let name = long.replace(['.', '-'], "_").to_uppercase();
    arg.env(format!("{ENV_PREFIX}{owner}{name}"))
        .hide_env_values(true)
}

/// Reads a mail server's log and serves what it says to Prometheus
///
/// Reads the log of Postfix, follows every message through its queues and through content filters, and
/// says which account sends what to whom, and what became of it. Lines of Dovecot, Cyrus IMAP, filters
/// and other programs are counted, but not read yet.
#[derive(Parser, Debug)]
#[command(
    name = "maillog_exporter",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Every flag also comes from the environment: --web.listen-address is \
                  MAILLOG_EXPORTER_WEB_LISTEN_ADDRESS.\n\n\
                  Example: have a look on any machine, no mail server needed\n  \
                  maillog_exporter demo"
)]
pub struct Cli {
    #[command(flatten)]
    pub log: LogFlags,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Serve(Serve),
    Demo(Demo),
    Report(Report),
    Metrics(Metrics),
}

/// How the exporter's own log looks.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "The exporter's own log")]
pub struct LogFlags {
    /// The least severe lines to write
    #[arg(
        id = "log.level",
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    pub level: LogLevel,
    /// How a line is written
    #[arg(
        id = "log.format",
        long = "log.format",
        value_name = "FORMAT",
        default_value = "logfmt",
        global = true
    )]
    pub format: LogFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Logfmt,
    Json,
}

/// Follow the mail log and serve metrics
///
/// Follows the sources, through rotations, and serves what they say. Without --source it looks for the
/// usual places (/var/log/mail.log, /var/log/maillog, /var/log/mail/mail.log) and says which it took.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: Postfix's log, reachable for a Prometheus on another host\n  \
                        maillog_exporter serve --source=file:/var/log/mail.log \\\n    \
                        --web.listen-address=192.0.2.10:10925 --users.default-domain=example.org"
)]
pub struct Serve {
    #[command(flatten)]
    pub sources: SourceFlags,
    #[command(flatten)]
    pub web: WebFlags,
    #[command(flatten)]
    pub understand: UnderstandFlags,
    #[command(flatten)]
    pub queue: QueueFlags,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "What to read")]
pub struct SourceFlags {
    /// What to follow, as KIND:WHERE; several by comma or repeated [default: the usual places]
    ///
    /// file:PATH follows a file, which may contain * and ?.
    #[arg(long = "source", value_name = "SOURCE", value_delimiter = ',')]
    pub source: Vec<String>,
    /// Where to begin in a file never read before
    #[arg(long = "source.from", value_name = "WHERE", default_value = "start")]
    pub from: ReadFrom,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// At its start: accounts, networks and sums are known at once
    Start,
    /// At its end: only what is logged from now on
    End,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Web")]
pub struct WebFlags {
    /// Address and port to listen on; ":10925" is every interface
    ///
    /// Account names are personal data: whoever reaches this address can read them, see --privacy.users.
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10925", value_parser = listen_address)]
    pub listen_address: SocketAddr,
    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = telemetry_path)]
    pub telemetry_path: String,
    /// How long a new account, relay or domain is shown at 0 before its value
    ///
    /// Prometheus cannot see the first value of a series; longer than the longest scrape interval, no
    /// increase is lost.
    #[arg(long = "web.birth-hold", value_name = "DURATION", default_value = "65s", value_parser = duration)]
    pub birth_hold: Duration,
    /// Add OpenMetrics' _created samples
    #[arg(long = "web.created")]
    pub created: bool,
}

/// The flags that shape what a line means and how it is counted: the same for every command that reads.
#[derive(Args, Debug, Clone)]
pub struct UnderstandFlags {
    #[command(flatten)]
    pub tell: TellFlags,
    #[command(flatten)]
    pub labels: LabelFlags,
    #[command(flatten)]
    pub privacy: PrivacyFlags,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "What the log cannot tell")]
pub struct TellFlags {
    /// Clients that may send without a login
    ///
    /// Addresses, networks and the words loopback, private and none; several by comma or repeated.
    /// Webmail servers and proxies named here are never taken for the network that an account logs in from.
    #[arg(long = "trusted-networks", value_name = "NETWORKS", default_value = "loopback", value_delimiter = ',', value_parser = networks)]
    pub trusted_networks: Vec<Networks>,
    /// Content filters that hand mail back to Postfix
    #[arg(long = "filter-networks", value_name = "NETWORKS", default_value = "loopback", value_delimiter = ',', value_parser = networks)]
    pub filter_networks: Vec<Networks>,
    /// Hosts behind this one that take mail for our users, by name, address or network
    #[arg(long = "inbound-relays", value_name = "HOSTS", default_value = "private", value_delimiter = ',', value_parser = hosts)]
    pub inbound_relays: Vec<Hosts>,
    /// Other mail hosts of ours: handing over to them is not yet "sent"
    #[arg(long = "internal-hosts", value_name = "HOSTS", value_delimiter = ',', value_parser = hosts)]
    pub internal_hosts: Vec<Hosts>,
    /// Domain of the accounts that log in without one
    #[arg(long = "users.default-domain", value_name = "DOMAIN", value_parser = domain)]
    pub default_domain: Option<String>,
    /// Addresses that get a copy of everything (always_bcc): not counted as recipients
    #[arg(long = "bcc-address", value_name = "ADDRESS", value_delimiter = ',', value_parser = address)]
    pub bcc_address: Vec<String>,
    /// Time zone of stamps that name none: Europe/Rome, UTC, +02:00 [default: this host's]
    #[arg(long = "source.timezone", value_name = "ZONE", value_parser = timezone)]
    pub timezone: Option<TimeZone>,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Labels and their limits")]
pub struct LabelFlags {
    /// Accounts with series of their own; the busy ones keep theirs
    #[arg(long = "limit.users", value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub users_max: u32,
    /// Relays with series of their own
    #[arg(long = "limit.relays", value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub relays_max: u32,
    /// Recipients' domains with series of their own
    #[arg(long = "limit.domains", value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub domains_max: u32,
    /// Programs with series of their own
    #[arg(long = "limit.programs", value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub programs_max: u32,
    /// What names a relay
    #[arg(long = "label.relay", value_name = "WHAT", default_value = "domain")]
    pub relay: RelayLabel,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayLabel {
    /// The domain that somebody registered: google.com
    Domain,
    /// The host: gmail-smtp-in.l.google.com
    Host,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Privacy")]
pub struct PrivacyFlags {
    /// How an account is shown
    #[arg(
        long = "privacy.users",
        value_name = "HOW",
        default_value = "full",
        requires_if("hash", "key_file")
    )]
    pub users: PrivacyUsers,
    /// File with the key of --privacy.users=hash
    #[arg(long = "privacy.key-file", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivacyUsers {
    /// By its name
    Full,
    /// By its domain alone
    Domain,
    /// By a keyed hash: the same account is the same hash
    Hash,
    /// Not at all
    Off,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Postfix's queue")]
pub struct QueueFlags {
    /// Socket of Postfix's showq; one for each instance, by comma or repeated; none asks nobody
    #[arg(
        long = "postfix.showq-path",
        value_name = "PATH",
        default_value = "/var/spool/postfix/public/showq",
        value_delimiter = ','
    )]
    showq_path: Vec<PathBuf>,
}

impl QueueFlags {
    pub fn showq_paths(&self) -> Vec<PathBuf> {
        let is_path = |path: &&PathBuf| path.as_os_str() != "none";
        self.showq_path.iter().filter(is_path).cloned().collect()
    }
}

/// A simulated mail system with an account being hijacked, to look at
///
/// Writes a real log file of an invented mail system, faster than real time, and serves what it says:
/// the whole thing on any machine.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: ten minutes of mail a second, the break-in after an hour of it\n  \
                        maillog_exporter demo --speed 600 --hijack-after 1h"
)]
pub struct Demo {
    /// How many times faster than real time
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub speed: u32,
    /// Which of the possible mail systems; the same number is the same log
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where to write the log [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// When the account is broken into, in the simulated system's time
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub hijack_after: Duration,
    /// Days of ordinary mail before it begins
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=365))]
    pub days: u32,
    #[command(flatten)]
    pub web: WebFlags,
    #[command(flatten)]
    pub understand: UnderstandFlags,
}

/// Read log files once and print what happened
///
/// Reads plain files, .gz, .xz, .bz2 and .zst in the order given; - is standard input. Exit status 3
/// says that an account sent more than --max-per-user.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: by cron, without a Prometheus: mail me when an account sends much\n  \
                        maillog_exporter report --since 1h --max-per-user 300 /var/log/mail.log"
)]
pub struct Report {
    /// Log files, oldest first
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// text for people, json for programs, prometheus for the metrics' final state
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    pub format: ReportFormat,
    /// Only the last part of the log, counted back from its last line
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    /// Exit with status 3 when an account sent to more recipients than this
    #[arg(long, value_name = "N")]
    pub max_per_user: Option<u64>,
    /// Length of the top lists
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub top: u32,
    #[command(flatten)]
    pub understand: UnderstandFlags,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    Text,
    Json,
    Prometheus,
}

/// List every metric: what it counts, its labels, what to do when it moves
#[derive(Args, Debug)]
#[command(after_help = "Example: the metrics about accounts\n  \
                        maillog_exporter metrics | grep mail_user_")]
pub struct Metrics {
    /// text for people, json for programs, markdown for a manual
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    pub format: MetricsFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    Text,
    Json,
    Markdown,
}

/// What one word of a list of networks stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// A flag's whole list.
    pub fn all(words: &[Networks]) -> Vec<IpNet> {
        words
            .iter()
            .flat_map(|word| word.0.iter().copied())
            .collect()
    }
}

/// What one word of a list of hosts stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    Networks(Vec<IpNet>),
    /// In lower case, without a final dot.
    Name(String),
}

impl Hosts {
    /// A flag's whole list: networks, names.
    pub fn all(words: &[Hosts]) -> (Vec<IpNet>, Vec<String>) {
        let mut networks = Vec::new();
        let mut names = Vec::new();
        for word in words {
            match word {
                Hosts::Networks(nets) => networks.extend(nets),
                Hosts::Name(name) => names.push(name.clone()),
            }
        }
        (networks, names)
    }
}

/// What should have stood there.
#[derive(Debug, PartialEq, Eq)]
struct Expected(String);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for Expected {}

fn expected<T>(what: impl Into<String>) -> Result<T, Expected> {
    Err(Expected(what.into()))
}

fn network_words(word: &str) -> Option<Vec<IpNet>> {
    let v4 = |a, b, c, d, length| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    let v6 = |first, last, length| {
        IpNet::V6(Ipv6Net::new_assert(
            Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last),
            length,
        ))
    };
    match word {
        "loopback" => Some(vec![v4(127, 0, 0, 0, 8), v6(0, 1, 128)]),
        "private" => Some(vec![
            v4(10, 0, 0, 0, 8),
            v4(172, 16, 0, 0, 12),
            v4(192, 168, 0, 0, 16),
            v6(0xfc00, 0, 7),
        ]),
        "none" => Some(Vec::new()),
        _ => None,
    }
}

fn network(text: &str) -> Result<IpNet, Expected> {
    // Postfix writes IPv6 addresses in brackets, in main.cf as in its log.
    let bare = text.replace(['[', ']'], "");
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    match bare.parse::<IpNet>() {
        Ok(network) if network.addr() != network.network() => expected(format!(
            "{}: the address has bits that its length leaves out",
            network.trunc()
        )),
        Ok(network) => Ok(network),
        Err(_) => expected(
            "an address, a network such as 192.0.2.0/24 or 2001:db8::/32, or loopback, private, none",
        ),
    }
}

fn networks(text: &str) -> Result<Networks, Expected> {
    let word = text.trim();
    match network_words(word) {
        Some(networks) => Ok(Networks(networks)),
        None => network(word).map(|network| Networks(vec![network])),
    }
}

fn hosts(text: &str) -> Result<Hosts, Expected> {
    let word = text.trim();
    if let Some(networks) = network_words(word) {
        return Ok(Hosts::Networks(networks));
    }
    // "10.0.0.300" and "10.0.0.0/33" are mistyped numbers, not names.
    let is_number =
        word.contains(['/', ':']) || word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_number {
        return network(word).map(|network| Hosts::Networks(vec![network]));
    }
    match host_name(word) {
        Some(name) => Ok(Hosts::Name(name)),
        None => expected(
            "a host name, an address, a network such as 192.0.2.0/24, or loopback, private, none",
        ),
    }
}

fn host_name(text: &str) -> Option<String> {
    let name = text.trim_end_matches('.').to_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    (name.len() <= 253 && name.split('.').all(is_label)).then_some(name)
}

fn domain(text: &str) -> Result<String, Expected> {
    match host_name(text.trim().trim_start_matches('@')) {
        Some(name) => Ok(name),
        None => expected("a domain such as example.org"),
    }
}

fn address(text: &str) -> Result<String, Expected> {
    let address = text.trim().trim_start_matches('<').trim_end_matches('>');
    if address.is_empty() || address.contains(char::is_whitespace) {
        return expected("a mail address such as archive@example.org");
    }
    Ok(address.to_owned())
}

fn timezone(text: &str) -> Result<TimeZone, Expected> {
    let fixed = || {
        let (sign, rest) = text.split_at_checked(1)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let (hours, minutes) = match rest.split_once(':') {
            Some(parts) => parts,
            None => rest.split_at_checked(2)?,
        };
        let is_number = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(hours) || !is_number(minutes) {
            return None;
        }
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        if hours > 14 || minutes > 59 {
            return None;
        }
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
    };
    if let Some(offset) = fixed() {
        return Ok(TimeZone::fixed(offset));
    }
    match TimeZone::get(text) {
        Ok(zone) => Ok(zone),
        Err(_) => expected("a time zone such as Europe/Rome, UTC or +02:00"),
    }
}

/// `250ms`, `1s`, `1m`, `1h`, `1d`: a whole number and one unit.
fn duration(text: &str) -> Result<Duration, Expected> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return expected("a duration such as 250ms, 1s, 1m, 1h or 1d"),
    };
    match number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
    {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => expected("a duration such as 250ms, 1s, 1m, 1h or 1d"),
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, Expected> {
    let what = "an address and a port, such as 127.0.0.1:10925, [::1]:10925, or :10925 for every interface";
    let parsed = if let Some(port) = text.strip_prefix(':') {
        port.parse()
            .ok()
            .map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
    } else if let Some(port) = text.strip_prefix("localhost:") {
        port.parse()
            .ok()
            .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    } else {
        text.parse().ok()
    };
    match parsed {
        Some(address) => Ok(address),
        None => expected(what),
    }
}

fn telemetry_path(text: &str) -> Result<String, Expected> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    let is_free = text != "/" && text != "/-" && !text.starts_with("/-/");
    if text.starts_with('/') && is_free && text.chars().all(is_plain) && !text.contains("//") {
        return Ok(text.to_owned());
    }
    expected("a path such as /metrics, not / and not below /-/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_one_unit() {
        let ms = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("250ms"), Ok(250));
        assert_eq!(ms("1s"), Ok(1_000));
        assert_eq!(ms("1m"), Ok(60_000));
        assert_eq!(ms("1h"), Ok(3_600_000));
        assert_eq!(ms("1d"), Ok(86_400_000));
        assert_eq!(ms("0s"), Ok(0));
        for wrong in [
            "",
            "1",
            "s",
            "1.5s",
            "-1s",
            "+1s",
            "1h30m",
            "1 s",
            " 1s",
            "1S",
            "1w",
            "1y",
            "1us",
            "١s",
            "18446744073709551615d",
            "99999999999999999999s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn networks_are_addresses_networks_and_words() {
        let shown = |text: &str| -> Result<Vec<String>, Expected> {
            networks(text).map(|word| word.0.iter().map(IpNet::to_string).collect())
        };
        assert_eq!(shown("192.0.2.7").unwrap(), ["192.0.2.7/32"]);
        assert_eq!(shown(" 192.0.2.0/24 ").unwrap(), ["192.0.2.0/24"]);
        assert_eq!(shown("[2001:db8::]/32").unwrap(), ["2001:db8::/32"]);
        assert_eq!(shown("::1").unwrap(), ["::1/128"]);
        assert_eq!(shown("loopback").unwrap(), ["127.0.0.0/8", "::1/128"]);
        assert_eq!(
            shown("private").unwrap(),
            ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
        );
        assert!(shown("none").unwrap().is_empty());
        let host_bits = networks("192.0.2.7/24").unwrap_err();
        assert_eq!(
            host_bits.0,
            "192.0.2.0/24: the address has bits that its length leaves out"
        );
        for wrong in [
            "",
            "10.0.0.300",
            "10.0.0.0/33",
            "mx1.example",
            "Loopback",
            "10/8",
        ] {
            assert!(networks(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn hosts_are_names_too_but_no_mistyped_numbers() {
        assert_eq!(
            hosts("MX2.Example.org."),
            Ok(Hosts::Name("mx2.example.org".into()))
        );
        assert_eq!(
            hosts("10.0.0.1"),
            Ok(Hosts::Networks(vec!["10.0.0.1/32".parse().unwrap()]))
        );
        for wrong in [
            "",
            "10.0.0.300",
            "10.0.0.0/33",
            "2001:db8::zz",
            "a b",
            "a..b",
            "x@example.org",
        ] {
            assert!(hosts(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn listen_addresses() {
        let shown = |text| listen_address(text).map(|address| address.to_string());
        assert_eq!(shown("127.0.0.1:10925"), Ok("127.0.0.1:10925".into()));
        assert_eq!(shown("[::1]:0"), Ok("[::1]:0".into()));
        assert_eq!(shown(":10925"), Ok("[::]:10925".into()));
        assert_eq!(shown("localhost:9"), Ok("127.0.0.1:9".into()));
        for wrong in [
            "",
            "10925",
            "127.0.0.1",
            ":",
            ":99999",
            "mx1.example:10925",
            "::1:10925x",
        ] {
            assert!(listen_address(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn telemetry_paths_leave_our_own_pages_alone() {
        assert!(telemetry_path("/metrics").is_ok());
        assert!(telemetry_path("/mail/metrics.txt").is_ok());
        for wrong in [
            "", "metrics", "/", "/-/ready", "/-", "/{x}", "/a b", "/a?b", "//", "/*",
        ] {
            assert!(telemetry_path(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn time_zones_by_name_or_offset() {
        for right in ["UTC", "+02:00", "-0330", "+00:00"] {
            assert!(timezone(right).is_ok(), "{right:?}");
        }
        for wrong in [
            "",
            "Mars/Olympus",
            "+2",
            "+25:00",
            "+02:60",
            "+é:00",
            "02:00",
        ] {
            assert!(timezone(wrong).is_err(), "{wrong:?}");
        }
    }
}
