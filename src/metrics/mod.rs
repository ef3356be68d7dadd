//! Counts facts into series, and writes them for Prometheus.
//!
//! In: [`Fact`]s, and the counts of lines that no fact tells of. Out: a [`Frozen`] copy at each
//! scrape, which is encoded while counting goes on.
//! [`catalogue`] says what there is; `cells` has the numbers and the series whose labels are
//! enumerations; `rows` has the series of limited labels, `watch` what is left out of them;
//! `birth` holds newborn series; `encode` writes.
//! Never: mail logic, a lock, the clock (the caller tells the time).
//! Start reading at [`Metrics::apply`].

mod birth;
pub mod catalogue;
mod catalogue_render;
mod cells;
mod encode;
mod labels;
mod rows;
mod watch;
mod zeros;

use std::sync::Arc;

pub use birth::HISTORY_AGE_MS;
pub use catalogue::{CATALOGUE, Family, Kind, Metric, Queue, Unit};
pub use catalogue_render::{CatalogueFormat, render_catalogue};
pub use encode::{Format, Frozen, Sample};
pub use labels::Privacy;
pub use rows::{BUSY_WEIGHT, IDLE_MS, VERY_BUSY_WEIGHT};

use birth::{Births, Clock};
use cells::{Cells, Ids, SeriesStore, cells_of};
use encode::Told;
use labels::Transports;
use rows::{Around, Columns, Place, Table, program, user};

use crate::parse::{Service, Severity, Software};
use crate::track::Outcome;
use crate::track::{Account, AuthResult, Delivered, DeliveryStatus, Direction, Fact, Origin};

/// The part of `limit.programs` that tags of unknown software leave to ours: foreign tags must not
/// hide a mail program that begins to log late.
const PROGRAMS_OURS_PART: usize = 4;
/// Accounts are found by their place in the tracker's table up to here, the others by name.
const ACCOUNT_SLOTS_MAX: usize = 1 << 17;
/// How much a new network weighs when a busy account is looked for; a message weighs 1.
const NEW_NETWORK_WEIGHT: u64 = 10;

/// What stands before the name of an account.
const USER_HEAD: &str = "{user=\"";

/// What a user may set.
#[derive(Debug, Clone)]
pub struct MetricsConfig {
    pub user_limit: usize,
    pub relay_limit: usize,
    pub domain_limit: usize,
    pub program_limit: usize,
    /// 0 holds nothing.
    pub birth_hold_ms: u64,
    /// `--label.relay=host`: the next hop's host, not its registrable domain.
    pub relay_by_host: bool,
    pub privacy: Privacy,
    /// OpenMetrics' `_created`.
    pub created: bool,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        use catalogue::Limit;
        MetricsConfig {
            user_limit: Limit::Users.default_values(),
            relay_limit: Limit::Relays.default_values(),
            domain_limit: Limit::Domains.default_values(),
            program_limit: Limit::Programs.default_values(),
            birth_hold_ms: 65_000,
            relay_by_host: false,
            privacy: Privacy::Full,
            created: false,
        }
    }
}

/// A program's row; the caller keeps it by tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramId(u32);

/// A source's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceId(usize);

/// What a source says of itself; counters are its own sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceSample {
    pub bytes_read: u64,
    pub lag_bytes: u64,
    pub rotations: u64,
    pub truncations: u64,
    pub errors: u64,
    pub up: bool,
    pub last_line_ms: Option<i64>,
}

/// A queue as showq reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueSample {
    pub messages: u64,
    pub oldest_age_ms: u64,
}

struct Source {
    /// `{source="file:/var/log/mail.log"`.
    labels: Arc<str>,
    sample: SourceSample,
}

/// Series of one family in a row, a number each.
#[derive(Debug, Clone, Copy)]
struct Dense {
    base: u32,
    stride: u32,
}

impl Dense {
    fn at(self, number: usize) -> u32 {
        self.base + self.stride * number as u32
    }
}

/// All series.
pub struct Metrics {
    config: MetricsConfig,
    clock: Clock,
    start_ms: i64,
    cells: Cells,
    births: Births,
    series: SeriesStore,
    transports: Transports,
    users: Table,
    relays: Table,
    domains: Table,
    programs: Table,
    relay_none: u32,
    domain_none: u32,
    /// By the account's slot: its generation, and where it is counted.
    accounts: Vec<Option<(u32, Place)>>,
    messages: Dense,
    message_size: Dense,
    message_recipients: Dense,
    stage_delay: Dense,
    queue_time: Dense,
    blocklisted: Dense,
    forgotten: Dense,
    sources: Vec<Source>,
    queues: [Option<QueueSample>; Queue::ALL.len()],
    failing_networks: [Option<u64>; Service::ALL.len()],
    tracked_messages: u64,
    /// Kept to write a value of the log without allocation.
    host: Vec<u8>,
    text: String,
}

/// The part of [`Metrics`] that a row or series touches when it is born.
macro_rules! around {
    ($metrics:expr) => {
        &mut Around {
            cells: &mut $metrics.cells,
            births: &mut $metrics.births,
            clock: &$metrics.clock,
        }
    };
}

/// A scrape is encoded on another thread than counts.
const _: () = {
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<Metrics>();
    crosses_threads::<Frozen>();
};

impl Metrics {
    /// Every label set that the catalogue can enumerate is there, at 0.
    pub fn new(config: MetricsConfig) -> Self {
        let mut cells = Cells::default();
        let mut series = SeriesStore::default();
        let mut dense = |family: Family, values: &[&str]| {
            let bases: Vec<u32> = if family.metric().labels.is_empty() {
                vec![series.create(family, Ids::default(), &[], &mut cells, None)]
            } else {
                let created = values.iter().enumerate().map(|(number, value)| {
                    let ids = [number as u16, 0, 0, 0, 0];
                    series.create(family, ids, &[value], &mut cells, None)
                });
                created.collect()
            };
            Dense {
                base: bases[0],
                stride: cells_of(family) as u32,
            }
        };
        let origins = Origin::ALL.map(Origin::as_str);
        let messages = dense(Family::Messages, &origins);
        let message_size = dense(Family::MessageSize, &origins);
        let message_recipients = dense(Family::MessageRecipients, &origins);
        let stage_delay = dense(Family::DeliveryStageDelay, &catalogue::DELAY_STAGES);
        let queue_time = dense(Family::MessageQueueTime, &Outcome::ALL.map(Outcome::as_str));
        let providers = crate::parse::Provider::ALL.map(crate::parse::Provider::as_str);
        let blocklisted = dense(Family::Blocklisted, &providers);
        let forgotten = dense(Family::MessagesForgotten, &[]);
        let limited = catalogue::limited_metrics();
        let dropped = dense(Family::LabelsDropped, &limited);

        let finish = |columns: Columns| {
            columns.finish(|family| {
                let place = limited
                    .iter()
                    .position(|name| *name == family.metric().name);
                dropped.at(place.expect("a column's metric is limited"))
            })
        };
        let mut users = Table::new(finish(rows::user_columns()), config.user_limit);
        let relay_columns = finish(rows::delivery_columns(Family::RelayDeliveries));
        let mut relays = Table::new(relay_columns, config.relay_limit);
        let domain_columns = finish(rows::delivery_columns(Family::DomainDeliveries));
        let mut domains = Table::new(domain_columns, config.domain_limit);
        let mut programs =
            Table::new(finish(rows::program_columns()), config.program_limit).unheld();
        if config.privacy != Privacy::Off {
            users.add_rest(labels::REST, &mut cells);
        }
        relays.add_rest(labels::REST, &mut cells);
        domains.add_rest(labels::REST, &mut cells);
        for software in Software::ALL {
            programs.add_rest(&program_text(software, labels::REST), &mut cells);
        }
        // Without a connection nothing is sent.
        let not_sent = !(1 << DeliveryStatus::Sent as u32);
        let relay_none = relays.add_own(labels::NONE, not_sent, &mut cells);
        let domain_none = domains.add_own(labels::NONE, u64::MAX, &mut cells);

        let mut metrics = Metrics {
            clock: Clock::default(),
            start_ms: 0,
            cells,
            births: Births::new(config.birth_hold_ms),
            series,
            transports: Transports::new(),
            users,
            relays,
            domains,
            programs,
            relay_none,
            domain_none,
            accounts: Vec::new(),
            messages,
            message_size,
            message_recipients,
            stage_delay,
            queue_time,
            blocklisted,
            forgotten,
            sources: Vec::new(),
            queues: Default::default(),
            failing_networks: Service::ALL
                .map(|service| zeros::SERVICES.contains(&service).then_some(0)),
            tracked_messages: 0,
            host: Vec::new(),
            text: String::new(),
            config,
        };
        metrics.create_zeros();
        metrics
    }

    fn create_zeros(&mut self) {
        let software = Software::Postfix;
        for (origin, direction, transport, status, dsn_class) in zeros::deliveries() {
            let transport = self.transports.id(transport.as_bytes());
            let dsn_class = dsn_class.parse().unwrap_or(0);
            self.deliveries_cell(origin, direction, transport, status, dsn_class);
        }
        for (direction, status) in zeros::delays() {
            self.delay_cell(direction, status);
        }
        for (direction, status, reason) in zeros::failures() {
            self.failures_cell(direction, status, reason);
        }
        for service in zeros::SERVICES {
            for mechanism in zeros::MECHANISMS {
                self.auth_cell(software, service, mechanism.as_bytes(), AuthResult::Success);
                for reason in zeros::AUTH_REASONS {
                    let result = AuthResult::Failure(reason);
                    self.auth_cell(software, service, mechanism.as_bytes(), result);
                }
            }
            self.connections_cell(Family::Connections, software, service);
            self.connections_cell(Family::Disconnects, software, service);
            for stage in zeros::LOST_STAGES {
                self.lost_cell(software, service, stage);
            }
            for command in zeros::COMMANDS {
                let command = labels::command_id(command.as_bytes()).expect("it is no sum");
                for result in 0..labels::RESULTS.len() as u16 {
                    self.commands_cell(service, command, result);
                }
            }
        }
        for (service, stage, code, reason) in zeros::rejects() {
            let code = (code != 0).then_some(code);
            self.rejects_cell(software, service, stage, code, reason);
        }
        // What was created so far was there from the start.
        self.births = Births::new(self.config.birth_hold_ms);
    }

    /// Tells the time: the stamp of the lines that are counted next, and the wall clock.
    /// `None` at the end of input, where the wall clock is the log's time too; a line without a
    /// stamp has that of the line before.
    pub fn set_time(&mut self, line_time_ms: Option<i64>, now_ms: i64) {
        if self.start_ms == 0 {
            self.start_ms = now_ms;
        }
        self.clock.set(line_time_ms, now_ms);
    }

    /// The row of a program, for [`Metrics::line`].
    pub fn program(&mut self, tag: &[u8], software: Software) -> ProgramId {
        let mut value = String::new();
        labels::write_value(tag, &[labels::REST], &mut value);
        let text = program_text(software, &value);
        let (rest, reserved) = match software {
            Software::Unknown => (1, self.config.program_limit / PROGRAMS_OURS_PART),
            Software::Postfix => (0, 0),
        };
        debug_assert_eq!(Software::ALL[rest as usize], software);
        let row = self
            .programs
            .resolve_for_good(&text, rest, reserved, around!(self));
        ProgramId(row)
    }

    /// Counts a line, or `count` alike.
    #[inline]
    pub fn line(
        &mut self,
        program: ProgramId,
        unparsed: bool,
        severity: Option<Severity>,
        count: u32,
    ) {
        let count = u64::from(count);
        let around = around!(self);
        self.programs.add(program.0, program::LINES, count, around);
        if unparsed {
            self.programs
                .add(program.0, program::UNPARSED, count, around);
        }
        if let Some(severity) = severity {
            self.programs
                .add(program.0, program::severity(severity), count, around);
        }
    }

    /// Counts what happened.
    pub fn apply(&mut self, fact: &Fact<'_>) {
        match *fact {
            Fact::AccountSeen(account) => {
                self.user_row(account, 0);
            }
            Fact::EarlierFailures { account, count } => {
                let count = u64::from(count);
                self.count_user(Some(account), user::AUTH_FAILURE, count, count);
            }
            Fact::Message { origin, account } => {
                self.cells.add(self.messages.at(origin as usize), 1);
                self.count_user(account, user::MESSAGES, 1, 1);
            }
            Fact::MessageQueued {
                origin,
                account,
                size_bytes,
                recipients,
            } => {
                let place = self.message_size.at(origin as usize);
                self.cells
                    .observe(place, catalogue::SIZE_BUCKETS_BYTES, size_bytes);
                let recipients = u64::from(recipients);
                let place = self.message_recipients.at(origin as usize);
                self.cells
                    .observe(place, catalogue::RECIPIENT_BUCKETS, recipients);
                self.count_user(account, user::RECIPIENTS, recipients, recipients);
            }
            Fact::MessageEnded {
                outcome,
                queue_time_ms,
            } => {
                let place = self.queue_time.at(outcome as usize);
                self.cells
                    .observe(place, catalogue::DELAY_BUCKETS_MS, queue_time_ms);
            }
            Fact::Delivered(ref delivered) => self.delivered(delivered),
            Fact::RecipientRefused { account, class } => {
                self.count_user(Some(account), user::refused(class), 1, 1);
            }
            Fact::NewRecipient(account) => {
                self.count_user(Some(account), user::NEW_RECIPIENTS, 1, 1);
            }
            Fact::NewNetworkMessage(account) => {
                self.count_user(Some(account), user::NEW_NETWORK_MESSAGES, 1, 1);
            }
            Fact::NewNetwork(account) => {
                self.count_user(Some(account), user::NEW_NETWORKS, 1, NEW_NETWORK_WEIGHT);
            }
            Fact::SuspiciousLogin(account) => {
                self.count_user(Some(account), user::SUSPICIOUS_LOGINS, 1, VERY_BUSY_WEIGHT);
            }
            Fact::Authentication {
                software,
                service,
                mechanism,
                result,
                account,
                count,
            } => {
                let count = u64::from(count);
                let cell = self.auth_cell(software, service, mechanism, result);
                self.cells.add(cell, count);
                match result {
                    AuthResult::Success => self.count_user(account, user::AUTH_SUCCESS, count, 1),
                    AuthResult::Failure(_) => {
                        self.count_user(account, user::AUTH_FAILURE, count, count);
                    }
                }
            }
            Fact::Connected {
                software,
                service,
                count,
            } => {
                let cell = self.connections_cell(Family::Connections, software, service);
                self.cells.add(cell, u64::from(count));
            }
            Fact::Disconnected {
                software,
                service,
                count,
            } => {
                let cell = self.connections_cell(Family::Disconnects, software, service);
                self.cells.add(cell, u64::from(count));
            }
            Fact::ConnectionLost {
                software,
                service,
                stage,
                count,
            } => {
                let cell = self.lost_cell(software, service, stage);
                self.cells.add(cell, u64::from(count));
            }
            Fact::Commands {
                service,
                command,
                ok,
                failed,
            } => {
                let Some(command) = labels::command_id(command) else {
                    return;
                };
                for (result, count) in (0..).zip([ok, failed]) {
                    if count > 0 {
                        let cell = self.commands_cell(service, command, result);
                        self.cells.add(cell, u64::from(count));
                    }
                }
            }
            Fact::Rejected {
                software,
                service,
                stage,
                code,
                reason,
                count,
            } => {
                let cell = self.rejects_cell(software, service, stage, code, reason);
                self.cells.add(cell, u64::from(count));
            }
            Fact::MessageForgotten => self.cells.add(self.forgotten.at(0), 1),
        }
    }

    fn delivered(&mut self, delivered: &Delivered<'_>) {
        let &Delivered {
            origin,
            direction,
            transport,
            status,
            dsn_class,
            account,
            goes_on,
            relay,
            domain,
            delay_ms,
            before_qmgr_ms,
            stages_ms,
            failure,
            blocklisted_by,
        } = delivered;
        let transport = self.transports.id(transport);
        let cell = self.deliveries_cell(origin, direction, transport, status, dsn_class);
        self.cells.add(cell, 1);
        if let Some(delay_ms) = delay_ms {
            let base = self.delay_cell(direction, status);
            self.cells
                .observe(base, catalogue::DELAY_BUCKETS_MS, delay_ms);
        }
        let stages = before_qmgr_ms.into_iter().map(|stage_ms| (0, stage_ms));
        let connected = stages_ms.into_iter().flatten().zip(1..);
        for (stage, stage_ms) in stages.chain(connected.map(|(stage_ms, stage)| (stage, stage_ms)))
        {
            let base = self.stage_delay.at(stage);
            self.cells
                .observe(base, catalogue::DELAY_BUCKETS_MS, stage_ms);
        }
        if let Some(reason) = failure {
            let cell = self.failures_cell(direction, status, reason);
            self.cells.add(cell, 1);
        }
        if let Some(provider) = blocklisted_by {
            self.cells.add(self.blocklisted.at(provider as usize), 1);
        }
        let of_mail = match status {
            DeliveryStatus::Sent
            | DeliveryStatus::Deferred
            | DeliveryStatus::Bounced
            | DeliveryStatus::Expired
            | DeliveryStatus::Softbounce => direction != Direction::Probe,
            DeliveryStatus::Deliverable | DeliveryStatus::Undeliverable => false,
        };
        if goes_on || !of_mail {
            return;
        }
        let row = match relay {
            Some(relay) => self.relay_row(relay),
            None => self.relay_none,
        };
        self.relays.add(row, status as u32, 1, around!(self));
        let row = match domain {
            [] => self.domain_none,
            domain => self.domain_row(domain),
        };
        self.domains.add(row, status as u32, 1, around!(self));
        self.count_user(account, user::deliveries(direction, status), 1, 1);
    }

    fn relay_row(&mut self, raw: &[u8]) -> u32 {
        if let Some(row) = self.relays.recall(raw, 1, &self.clock) {
            return row;
        }
        labels::lower_host(raw, &mut self.host);
        let value = match self.config.relay_by_host {
            true => &self.host[..],
            false => labels::registrable(&self.host),
        };
        self.text.clear();
        labels::write_value(value, &[labels::REST, labels::NONE], &mut self.text);
        let (row, place) = self.relays.resolve(&self.text, 1, around!(self));
        self.relays.remember(raw, place);
        row
    }

    fn domain_row(&mut self, raw: &[u8]) -> u32 {
        if let Some(row) = self.domains.recall(raw, 1, &self.clock) {
            return row;
        }
        labels::lower_host(raw, &mut self.host);
        self.text.clear();
        labels::write_value(&self.host, &[labels::REST, labels::NONE], &mut self.text);
        let (row, place) = self.domains.resolve(&self.text, 1, around!(self));
        self.domains.remember(raw, place);
        row
    }

    /// The row of an account, all of whose series are there from now on; `None` where accounts
    /// have no series.
    fn user_row(&mut self, account: Account<'_>, weight: u64) -> Option<u32> {
        if self.config.privacy == Privacy::Off {
            return None;
        }
        let slot = account.id.slot as usize;
        if let Some(Some((generation, place))) = self.accounts.get(slot)
            && *generation == account.id.generation
            && let Some(row) = self.users.row_of(*place, weight, &self.clock)
        {
            return Some(row);
        }
        let name = self.config.privacy.user(account.name);
        self.text.clear();
        labels::write_value(name.as_bytes(), &[labels::REST], &mut self.text);
        let (row, place) = self.users.resolve(&self.text, weight, around!(self));
        if slot < ACCOUNT_SLOTS_MAX {
            if slot >= self.accounts.len() {
                self.accounts.resize(slot + 1, None);
            }
            self.accounts[slot] = Some((account.id.generation, place));
        }
        Some(row)
    }

    #[inline]
    fn count_user(&mut self, account: Option<Account<'_>>, column: u32, n: u64, weight: u64) {
        if let Some(account) = account
            && let Some(row) = self.user_row(account, weight)
        {
            self.users.add(row, column, n, around!(self));
        }
    }

    // The cells of series with several labels: found, or born.

    fn deliveries_cell(
        &mut self,
        origin: Origin,
        direction: Direction,
        transport: u16,
        status: DeliveryStatus,
        dsn_class: u8,
    ) -> u32 {
        let class = match dsn_class {
            2 => 1,
            4 => 2,
            5 => 3,
            _ => 0,
        };
        let ids = [
            origin as u16,
            direction as u16,
            transport,
            status as u16,
            class,
        ];
        self.cell(Family::Deliveries, ids, |transports| {
            [
                origin.as_str(),
                direction.as_str(),
                transports.name(transport),
                status.as_str(),
                labels::DSN_CLASSES[usize::from(class)],
            ]
        })
    }

    fn delay_cell(&mut self, direction: Direction, status: DeliveryStatus) -> u32 {
        let ids = [direction as u16, status as u16, 0, 0, 0];
        self.cell(Family::DeliveryDelay, ids, |_| {
            [direction.as_str(), status.as_str()]
        })
    }

    fn failures_cell(
        &mut self,
        direction: Direction,
        status: DeliveryStatus,
        reason: crate::parse::FailureReason,
    ) -> u32 {
        let ids = [direction as u16, status as u16, reason as u16, 0, 0];
        self.cell(Family::DeliveryFailures, ids, |_| {
            [direction.as_str(), status.as_str(), reason.as_str()]
        })
    }

    fn auth_cell(
        &mut self,
        software: Software,
        service: Service,
        mechanism: &[u8],
        result: AuthResult,
    ) -> u32 {
        let mechanism = labels::mechanism_id(mechanism);
        let (result, reason, reason_text) = match result {
            AuthResult::Success => (0, 0, ""),
            AuthResult::Failure(reason) => (1, reason as u16, reason.as_str()),
        };
        let ids = [software as u16, service as u16, mechanism, result, reason];
        self.cell(Family::Auth, ids, |_| {
            [
                software.as_str(),
                service.as_str(),
                labels::MECHANISMS[usize::from(mechanism)],
                labels::RESULTS[usize::from(result)],
                reason_text,
            ]
        })
    }

    fn connections_cell(&mut self, family: Family, software: Software, service: Service) -> u32 {
        let ids = [software as u16, service as u16, 0, 0, 0];
        self.cell(family, ids, |_| [software.as_str(), service.as_str()])
    }

    fn lost_cell(
        &mut self,
        software: Software,
        service: Service,
        stage: crate::parse::Stage,
    ) -> u32 {
        let ids = [software as u16, service as u16, stage as u16, 0, 0];
        self.cell(Family::ConnectionsLost, ids, |_| {
            [software.as_str(), service.as_str(), stage.as_str()]
        })
    }

    fn commands_cell(&mut self, service: Service, command: u16, result: u16) -> u32 {
        let ids = [service as u16, command, result, 0, 0];
        self.cell(Family::SmtpCommands, ids, |_| {
            [
                service.as_str(),
                labels::COMMANDS[usize::from(command)],
                labels::RESULTS[usize::from(result)],
            ]
        })
    }

    fn rejects_cell(
        &mut self,
        software: Software,
        service: Service,
        stage: crate::parse::Stage,
        code: Option<u16>,
        reason: crate::parse::RejectReason,
    ) -> u32 {
        let code = labels::code_id(code);
        let ids = [
            software as u16,
            service as u16,
            stage as u16,
            code,
            reason as u16,
        ];
        self.cell(Family::Rejects, ids, |_| {
            [
                software.as_str(),
                service.as_str(),
                stage.as_str(),
                labels::CODES[usize::from(code)],
                reason.as_str(),
            ]
        })
    }

    /// The cell of a series; `values` are asked for where it is born.
    #[inline]
    fn cell<const N: usize>(
        &mut self,
        family: Family,
        ids: Ids,
        values: impl FnOnce(&Transports) -> [&str; N],
    ) -> u32 {
        if let Some(cell) = self.series.find(family, ids) {
            return cell;
        }
        let values = values(&self.transports);
        self.series
            .create(family, ids, &values, &mut self.cells, Some(&self.clock))
    }

    /// A source, by its flag as written.
    pub fn source(&mut self, name: &str) -> SourceId {
        let mut escaped = String::new();
        labels::write_value(name.as_bytes(), &[], &mut escaped);
        let labels = format!("{{source=\"{escaped}\"");
        if let Some(place) = self
            .sources
            .iter()
            .position(|known| *known.labels == *labels)
        {
            return SourceId(place);
        }
        self.sources.push(Source {
            sample: SourceSample::default(),
            labels: labels.into(),
        });
        SourceId(self.sources.len() - 1)
    }

    pub fn set_source(&mut self, source: SourceId, sample: SourceSample) {
        self.sources[source.0].sample = sample;
    }

    /// Fills in `mail_user_client_networks`; accounts that are not named have 0. `_other` has
    /// none: networks of several accounts do not add up.
    pub fn set_user_client_networks<'a>(
        &mut self,
        networks: impl IntoIterator<Item = (Account<'a>, u64)>,
    ) {
        self.users.clear_gauges();
        for (account, count) in networks {
            if let Some(Some((generation, place))) = self.accounts.get(account.id.slot as usize)
                && *generation == account.id.generation
            {
                self.users.raise_gauge(*place, count);
            }
        }
    }

    pub fn set_auth_failing_networks(&mut self, service: Service, networks: u64) {
        self.failing_networks[service as usize] = Some(networks);
    }

    /// `None` where showq cannot be reached: then the series end.
    pub fn set_queue(&mut self, queue: Queue, sample: Option<QueueSample>) {
        self.queues[queue as usize] = sample;
    }

    pub fn set_tracked_messages(&mut self, messages: u64) {
        self.tracked_messages = messages;
    }

    /// A copy for a scrape, taken between two lines. Releases the series that were held long
    /// enough.
    pub fn freeze(&mut self, now_ms: i64) -> Frozen {
        let mut cells = self.cells.clone();
        self.births.scrape(now_ms, &mut cells);
        let mut frozen = Frozen {
            cells,
            series: self.series.share(),
            tables: vec![
                ("{relay=\"", self.relays.freeze()),
                ("{domain=\"", self.domains.freeze()),
                ("{software=\"", self.programs.freeze()),
            ],
            told: self.told(),
            start_ms: self.start_ms,
            created: self.config.created,
        };
        if self.config.privacy != Privacy::Off {
            frozen.tables.push((USER_HEAD, self.users.freeze()));
        }
        let samples = frozen.samples();
        if let Some(told) = frozen
            .told
            .iter_mut()
            .find(|told| told.family == Family::Series)
        {
            told.value = samples as u64;
        }
        frozen
    }

    /// The values that the tables do not have.
    fn told(&self) -> Vec<Told> {
        let mut told = Vec::new();
        let mut tell = |family, labels: &Arc<str>, value| {
            told.push(Told {
                family,
                labels: Arc::clone(labels),
                value,
            });
        };
        let none: Arc<str> = "".into();
        for service in Service::ALL {
            if let Some(networks) = self.failing_networks[service as usize] {
                let labels = cells::render(Family::AuthFailingNetworks, &[service.as_str()]);
                tell(Family::AuthFailingNetworks, &labels.into(), networks);
            }
        }
        for queue in Queue::ALL {
            if let Some(sample) = self.queues[queue as usize] {
                let labels = cells::render(Family::QueueMessages, &[queue.as_str()]).into();
                tell(Family::QueueMessages, &labels, sample.messages);
                tell(Family::QueueOldestAge, &labels, sample.oldest_age_ms);
            }
        }
        for source in &self.sources {
            let sample = &source.sample;
            for (family, value) in [
                (Family::SourceBytesRead, sample.bytes_read),
                (Family::SourceLag, sample.lag_bytes),
                (Family::SourceRotations, sample.rotations),
                (Family::SourceTruncations, sample.truncations),
                (Family::SourceErrors, sample.errors),
                (Family::SourceUp, u64::from(sample.up)),
            ] {
                tell(family, &source.labels, value);
            }
            if let Some(last_ms) = sample.last_line_ms {
                let last_ms = u64::try_from(last_ms).unwrap_or(0);
                tell(Family::SourceLastLine, &source.labels, last_ms);
            }
        }
        tell(Family::TrackedMessages, &none, self.tracked_messages);
        tell(Family::Series, &none, 0);
        let version = cells::render(Family::BuildInfo, &[env!("CARGO_PKG_VERSION")]);
        tell(Family::BuildInfo, &version.into(), 1);
        told.sort_by(|a, b| (a.family, &a.labels).cmp(&(b.family, &b.labels)));
        told
    }
}

/// `postfix",program="postfix/smtpd`: what stands between the quotes of a program's row.
fn program_text(software: Software, program: &str) -> String {
    format!("{}\",program=\"{program}", software.as_str())
}
