//! The tracker: one line's event at a time, in the log's order.
//!
//! In: events, in any order between processes, up to two minutes apart. Out: [`Fact`]s, each once.
//! Never: labels, the clock. At most `messages_max` queue ids; the longest idle goes first, counted.
//! Start reading at [`Tracker::apply`].

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::account::{Accounts, Guessed};
use super::attempt::{self, Attempt, Place};
use super::config::{TrackConfig, contains};
use super::fact::{Account, AccountId, AuthResult, Delivered, DeliveryStatus, Fact, Origin};
use super::message::{HELD_BYTES_MAX, HOLDS_MAX, Holds, Messages, NONE, fate, state};
use super::networks::{DistinctNetworks, Guessers, NetworkHash, NetworkHasher};
use super::queue::{About, DISORDER_MS, DISORDER_S, Entry, EntryRef, Queue, Speaker, flag};
use super::recipient_list::{Chain, Deferred, Names, Pool};
use super::session::{Sessions, Submitter};
use crate::parse::{
    Acted, Action, AuthFailure, AuthReason, ClientAccepted, CommandCounts, Delivery, Event,
    FailureReason, Kind, PickedUp, Program, RemovedBy, Service, Stage, Status,
};

/// Where facts go.
pub type Sink<'s> = &'s mut dyn FnMut(Fact<'_>);

/// What an event stands in.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub host: &'a [u8],
    pub program: &'a Program<'a>,
    pub pid: Option<u32>,
    /// The stamp, or that of the line before where it has none. It moves no clock: see
    /// [`Tracker::advance`].
    pub time_ms: i64,
    /// How many times it was said.
    pub repeated: u32,
}

/// A queue id that another line spoke of before any of its own did.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// It is a part of this message, if its client is a filter's and it was accepted in this time.
    Hop { parent: u32, from_s: u32, to_s: u32 },
    /// It is a part of this message: our own local(8) says so.
    Part { parent: u32 },
    /// This is who stands before the before-queue filter.
    Submitter(Submitter),
}

const DAY_MS: i64 = 86_400_000;
/// An accepted mail that does not reach the queue in this time was given up by its client.
const UNFINISHED_MS: i64 = 3_600_000;
/// Stamps are of whole seconds, and delays are rounded to two digits.
const HOP_SLACK_MS: i64 = 2_000;
/// Recipients of an expired mail that no line named are believed up to here.
const UNSEEN_MAX: u32 = 10_000;
/// A mail that hops more often loops: Postfix stops at 50 `Received:` headers.
const HOPS_MAX: u8 = 50;
const INSTANCES_MAX: usize = 255;
/// A longer text is no queue id: Postfix's have less than 20 characters.
const QUEUE_ID_BYTES_MAX: usize = 32;
/// What is estimated is the same on every run.
const SKETCH_KEY: u64 = 0x6d61_696c_6c6f_6765;

/// Follows messages, sessions and accounts.
#[derive(Debug)]
pub struct Tracker {
    config: TrackConfig,
    /// Of tables whose keys others choose.
    state: FixedState,
    /// Of recipients: what a filter answers must not depend on chance.
    recipient_state: FixedState,
    network_hasher: NetworkHasher,
    queue: Queue,
    messages: Messages,
    holds: Holds,
    deferred: Pool,
    names: Names,
    sessions: Sessions,
    accounts: Accounts,
    guessed: Guessed,
    guessers: Guessers,
    failing: [DistinctNetworks; Service::ALL.len()],
    /// When to look at an entry again, and which. All wait equally long, so the first is due first.
    deadlines: VecDeque<(i64, EntryRef)>,
    /// The same for mails that their clients may have given up, which wait longer.
    unfinished: VecDeque<(i64, EntryRef)>,
    /// Entries whose messages wait for their origin, the oldest first.
    waiting: VecDeque<EntryRef>,
    expected: HashMap<EntryRef, Expected, FixedState>,
    instances: Vec<Box<[u8]>>,
    host: (Vec<u8>, u64),
    /// The newest stamp that [`Tracker::advance`] was told.
    clock_ms: i64,
    /// The first stamp: the exporter's first day begins.
    first_ms: Option<i64>,
    /// Let go for want of room, and not told yet.
    forgotten: u32,
}

impl Tracker {
    pub fn new(config: TrackConfig) -> Self {
        let seed = config.seed;
        Tracker {
            state: FixedState::with_seed(seed),
            recipient_state: FixedState::with_seed(SKETCH_KEY),
            network_hasher: NetworkHasher::new(SKETCH_KEY),
            queue: Queue::new(config.messages_max),
            messages: Messages::default(),
            holds: Holds::default(),
            deferred: Pool::default(),
            names: Names::new(seed),
            sessions: Sessions::default(),
            accounts: Accounts::new(config.default_domain.clone(), seed),
            guessed: Guessed::default(),
            guessers: Guessers::default(),
            failing: Default::default(),
            deadlines: VecDeque::new(),
            unfinished: VecDeque::new(),
            waiting: VecDeque::new(),
            expected: HashMap::default(),
            instances: Vec::new(),
            host: (Vec::new(), 0),
            clock_ms: i64::MIN,
            first_ms: None,
            forgotten: 0,
            config,
        }
    }

    /// Takes one line's event.
    pub fn apply(&mut self, line: &Line<'_>, event: &Event<'_>, sink: Sink<'_>) {
        match event {
            Event::Connect { client: _ } => {
                self.end_session(line);
                sink(Fact::Connected {
                    software: line.program.software,
                    service: line.program.service,
                    count: line.repeated,
                });
            }
            Event::Disconnect {
                client: _,
                commands,
            } => self.disconnect(line, commands, sink),
            Event::LostConnection { stage, .. } => {
                if *stage == Stage::Auth
                    && let Some(session) = self.session(line)
                {
                    session.lost_after_auth = true;
                }
                sink(Fact::ConnectionLost {
                    software: line.program.software,
                    service: line.program.service,
                    stage: *stage,
                    count: line.repeated,
                });
            }
            Event::AuthFailure(failure) => self.auth_failure(line, failure, sink),
            Event::ClientAccepted(accepted) => self.client_accepted(line, accepted, sink),
            Event::PickedUp(picked_up) => self.picked_up(line, picked_up, sink),
            Event::ProxyAccepted { queued_as, .. } => {
                if let Some(queued_as) = queued_as {
                    self.proxy_accepted(line, queued_as, sink);
                }
            }
            Event::MessageId { queue_id, .. } => {
                if let Some(entry) = self.entry(line, queue_id, About::Cleanup) {
                    self.spared(entry);
                    self.mark(entry, flag::CLEANUP);
                    self.meet_part(entry, sink);
                    self.act_ahead(entry, line, sink);
                }
            }
            Event::Acted(acted) => self.acted(line, acted, sink),
            Event::Queued {
                queue_id,
                sender,
                size_bytes,
                recipients,
            } => {
                if let Some(entry) = self.entry(line, queue_id, About::Activation) {
                    self.meet_part(entry, sink);
                    self.queued(entry, line, sender, *size_bytes, *recipients, sink);
                }
            }
            Event::Delivery(delivery) => self.delivery(line, delivery, sink),
            Event::BounceNotice {
                notice_queue_id, ..
            } => self.notice(line, notice_queue_id, sink),
            Event::Expired { queue_id, .. } => self.expired(line, queue_id, sink),
            Event::Removed { queue_id, by } => self.removed(line, queue_id, *by, sink),
            Event::Requeued { queue_id }
            | Event::Held { queue_id }
            | Event::Released { queue_id }
            | Event::ExpiryForced { queue_id } => {
                // A sign of life; what follows from it has lines of its own.
                let _ = self.find(line, queue_id, About::Delivery);
            }
            Event::Other { .. } | Event::Unparsed => {}
        }
        self.relieve(sink);
        while self.forgotten > 0 {
            self.forgotten -= 1;
            sink(Fact::MessageForgotten);
        }
    }

    /// Tells what has waited long enough. `now_ms`: the stamp of the line that was just taken, or
    /// later where the log is silent.
    pub fn advance(&mut self, now_ms: i64, sink: Sink<'_>) {
        if now_ms <= self.clock_ms {
            return;
        }
        self.first_ms.get_or_insert(now_ms);
        self.clock_ms = now_ms;
        while let Some(&(due_ms, entry)) = self.deadlines.front() {
            if due_ms > self.clock_ms {
                break;
            }
            self.deadlines.pop_front();
            self.due(entry, false, sink);
        }
        while let Some(&(due_ms, entry)) = self.unfinished.front() {
            if due_ms > self.clock_ms {
                break;
            }
            self.unfinished.pop_front();
            self.due(entry, false, sink);
        }
    }

    /// Where too much waits, the oldest is told without waiting longer.
    fn relieve(&mut self, sink: Sink<'_>) {
        while self.holds.bytes > HELD_BYTES_MAX || self.holds.in_use() > HOLDS_MAX {
            let Some(entry) = self.waiting.pop_front() else {
                return;
            };
            self.resolve(entry, true, sink);
        }
    }

    /// Looks at the entry again when no line that belongs to one of this time can come any more.
    fn look_again(&mut self, entry: EntryRef, time_ms: i64) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        if !e.has(flag::WAITING) {
            e.set(flag::WAITING);
            self.waiting.push_back(entry);
            if self.waiting.len() > 4 * HOLDS_MAX {
                self.forget_waiting();
            }
        }
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        if e.has(flag::SCHEDULED) {
            return;
        }
        e.set(flag::SCHEDULED);
        self.deadlines.push_back((time_ms + DISORDER_MS, entry));
        if self.deadlines.len() > 2 * self.config.messages_max {
            let queue = &self.queue;
            self.deadlines
                .retain(|&(_, entry)| queue.get(entry).is_some());
        }
    }

    /// Most that wait are known soon: they need not be looked through.
    fn forget_waiting(&mut self) {
        let (queue, messages) = (&mut self.queue, &self.messages);
        self.waiting.retain(|&entry| {
            let Some(e) = queue.get_mut(entry) else {
                return false;
            };
            let waits = messages.get(messages.root(e.message)).hold != NONE;
            if !waits {
                e.flags &= !flag::WAITING;
            }
            waits
        });
    }

    /// The input has been silent: tells what no line that is missing could change.
    ///
    /// A mail from a filter's address waits for the line that says that the filter re-injected it.
    /// Where nothing is on its way to a filter, no such line will come.
    pub fn settle(&mut self, sink: Sink<'_>) {
        if self.holds.in_use() == 0 || self.queue.iter().any(Entry::is_under_way) {
            return;
        }
        for at in 0..self.deadlines.len() {
            let (_, entry) = self.deadlines[at];
            self.resolve(entry, false, sink);
        }
    }

    /// No line will come any more: tells all that waits.
    pub fn finish(&mut self, sink: Sink<'_>) {
        while let Some((_, entry)) = self.deadlines.pop_front() {
            self.due(entry, true, sink);
        }
        while let Some((_, entry)) = self.unfinished.pop_front() {
            self.due(entry, true, sink);
        }
    }

    /// Queue ids that are followed.
    pub fn tracked_messages(&self) -> usize {
        self.queue.len()
    }

    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Each account with the distinct client networks of its last hour.
    pub fn client_networks(&self, now_ms: i64) -> impl Iterator<Item = (Account<'_>, u64)> {
        let now_s = seconds(now_ms);
        self.accounts
            .iter()
            .map(move |(account, state)| (account, state.networks.in_last_hour(now_s)))
    }

    /// Each service that ever saw a failure, with the distinct networks that failed to log in in
    /// the last hour.
    pub fn failing_networks(&self, now_ms: i64) -> impl Iterator<Item = (Service, u64)> + '_ {
        let now_s = seconds(now_ms);
        Service::ALL
            .into_iter()
            .filter(|&service| !self.failing[service as usize].is_empty())
            .map(move |service| (service, self.failing[service as usize].in_last_hour(now_s)))
    }

    // Sessions.

    fn session(&mut self, line: &Line<'_>) -> Option<&mut super::session::Session> {
        let host = self.host_hash(line.host);
        let pid = line.pid?;
        Some(self.sessions.get_mut(host, pid, line.time_ms))
    }

    fn end_session(&mut self, line: &Line<'_>) -> Option<super::session::Session> {
        let host = self.host_hash(line.host);
        self.sessions.end(host, line.pid?)
    }

    fn disconnect(&mut self, line: &Line<'_>, commands: &CommandCounts<'_>, sink: Sink<'_>) {
        let software = line.program.software;
        let service = line.program.service;
        let session = self.end_session(line).unwrap_or_default();
        sink(Fact::Disconnected {
            software,
            service,
            count: line.repeated,
        });
        let mut auth_ok = 0;
        let mut auth_failed = 0;
        // Before 3.0 nothing tells whether the mail was finished.
        let mut mails_ok = u32::from(commands.text.is_empty());
        for count in commands.iter() {
            if count.command == b"commands" {
                continue;
            }
            let failed = count.total.saturating_sub(count.ok);
            match count.command {
                b"auth" => (auth_ok, auth_failed) = (count.ok, failed),
                b"data" | b"bdat" => mails_ok = mails_ok.saturating_add(count.ok),
                _ => {}
            }
            sink(Fact::Commands {
                service,
                command: count.command,
                ok: count.ok.saturating_mul(line.repeated),
                failed: failed.saturating_mul(line.repeated),
            });
        }
        if let Some(entry) = session.discarding {
            if mails_ok > 0 {
                self.discarded(entry, line, sink);
            } else {
                self.abandon(entry);
            }
        }
        let mut tell = |result, count| {
            sink(Fact::Authentication {
                software,
                service,
                mechanism: b"",
                result,
                account: None,
                count,
            });
        };
        if auth_ok > 0 && !session.login_counted {
            tell(AuthResult::Success, 1);
        }
        let silent = auth_failed.saturating_sub(session.auth_failures);
        if session.lost_after_auth && silent > 0 {
            tell(AuthResult::Failure(AuthReason::Aborted), silent);
        }
    }

    fn auth_failure(&mut self, line: &Line<'_>, failure: &AuthFailure<'_>, sink: Sink<'_>) {
        let now_s = seconds(line.time_ms);
        let count = line.repeated;
        if let Some(session) = self.session(line) {
            session.auth_failures = session.auth_failures.saturating_add(count);
        }
        let network = self.client_network(failure.client.address);
        if let Some(network) = network {
            self.failing[line.program.service as usize].note(network, now_s);
        }
        let mut account = None;
        if let Some(user) = failure.user.filter(|user| !user.is_empty()) {
            account = self.accounts.existing(user);
            let name = self.accounts.login_hash(user);
            if account.is_none() {
                self.guessed.note(name, now_s, count);
            }
            if let Some(network) = network {
                self.guessers.note(network, name, now_s, count);
            }
        }
        sink(Fact::Authentication {
            software: line.program.software,
            service: line.program.service,
            mechanism: failure.mechanism,
            result: AuthResult::Failure(failure.reason),
            account: account.and_then(|id| self.accounts.get(id)),
            count,
        });
    }

    /// A login that succeeded: its account, and whether it came from a network that is new to it.
    fn login(
        &mut self,
        login: &[u8],
        address: Option<IpAddr>,
        time_ms: i64,
        sink: Sink<'_>,
    ) -> (AccountId, bool) {
        let now_s = seconds(time_ms);
        let (id, is_new) = self.accounts.login(login, now_s);
        self.account_seen(id, is_new, sink);
        let Some(network) = self.client_network(address) else {
            return (id, false);
        };
        let first_day = self.is_first_day(time_ms);
        let is_new_network = self
            .accounts
            .with(id, |state| state.networks.note(network, now_s, first_day))
            .unwrap_or(false);
        if is_new_network && let Some(account) = self.accounts.get(id) {
            if !first_day {
                sink(Fact::NewNetwork(account));
            }
            let name = self.accounts.hash_of(id);
            if self.guessers.is_suspicious(network, name, now_s) {
                sink(Fact::SuspiciousLogin(account));
            }
        }
        let is_new = self
            .accounts
            .with(id, |state| state.networks.is_new(network, now_s));
        (id, is_new == Some(true))
    }

    fn account_seen(&mut self, id: AccountId, is_new: bool, sink: Sink<'_>) {
        if !is_new {
            return;
        }
        let earlier = self.guessed.take(self.accounts.hash_of(id));
        if let Some(account) = self.accounts.get(id) {
            sink(Fact::AccountSeen(account));
            if earlier > 0 {
                sink(Fact::EarlierFailures {
                    account,
                    count: earlier,
                });
            }
        }
    }

    // Acceptance.

    fn client_accepted(&mut self, line: &Line<'_>, accepted: &ClientAccepted<'_>, sink: Sink<'_>) {
        let address = accepted.client.address;
        let is_filter = address.is_some_and(|a| contains(&self.config.filter_networks, a));
        let mut submitter = None;
        if let Some(login) = accepted.user.filter(|user| !user.is_empty()) {
            let (account, is_new_network) = self.login(login, address, line.time_ms, sink);
            submitter = Some(Submitter {
                origin: Origin::Authenticated,
                account: Some(account),
                is_new_network,
            });
            let is_first = self
                .session(line)
                .is_none_or(|session| !std::mem::replace(&mut session.login_counted, true));
            if is_first {
                sink(Fact::Authentication {
                    software: line.program.software,
                    service: line.program.service,
                    mechanism: accepted.mechanism.unwrap_or_default(),
                    result: AuthResult::Success,
                    account: self.accounts.get(account),
                    count: 1,
                });
            }
        } else if !is_filter {
            submitter = Some(match address {
                Some(address) if contains(&self.config.trusted_networks, address) => {
                    self.trusted(address, seconds(line.time_ms), sink)
                }
                _ => Submitter {
                    origin: Origin::Unauthenticated,
                    account: None,
                    is_new_network: false,
                },
            });
        }
        let Some(queue_id) = accepted.queue_id else {
            // A before-queue filter stands between: its re-injection gets this session's client.
            let submitter = match (submitter, address) {
                (Some(submitter), _) => submitter,
                (None, Some(address)) => self.trusted(address, seconds(line.time_ms), sink),
                (None, None) => return,
            };
            if let Some(session) = self.session(line) {
                session.submitter = Some(submitter);
            }
            return;
        };
        let (discard_next, hold_next, discarding) =
            self.session(line).map_or((false, false, None), |session| {
                (
                    std::mem::take(&mut session.discard_next),
                    std::mem::take(&mut session.hold_next),
                    session.discarding.take(),
                )
            });
        if let Some(before) = discarding {
            self.discarded(before, line, sink);
        }
        let Some(entry) = self.entry(line, queue_id, About::Acceptance) else {
            return;
        };
        if discard_next {
            self.mark(entry, flag::DISCARD_AHEAD);
            if let Some(session) = self.session(line) {
                session.discarding = Some(entry);
            }
        }
        if let Some(e) = self.queue.get_mut(entry) {
            e.set(flag::ACCEPTED);
            e.accepted_s = seconds(line.time_ms);
            if is_filter {
                e.set(flag::FROM_FILTER);
            }
            if hold_next {
                e.set(flag::HOLD_AHEAD);
            }
        }
        self.act_ahead(entry, line, sink);
        if let Some(submitter) = submitter {
            self.expect_no_more(entry, sink);
            self.determine(entry, submitter, sink);
            return;
        }
        // From a filter's address: perhaps a mail that went there.
        let root = self.root_of(entry);
        if let Some(root) = root
            && let Some(hold) = self.hold_of(root)
        {
            self.holds.get_mut(hold).client = address;
        }
        if let Some(orig) = accepted.orig_queue_id
            && let Some(origin) = self.find(line, orig, About::Delivery)
            && origin != entry
            && let Some(parent) = self.root_of(origin)
        {
            self.expect_no_more(entry, sink);
            self.join(entry, parent, sink);
            return;
        }
        if let Some(orig) = accepted.orig_queue_id
            && let Some(speaker) = self.speaker(line, orig)
            && let Some(hold) = root.and_then(|root| self.hold_of(root))
        {
            // Its lines may come later: looked for again before anything is told.
            self.holds.get_mut(hold).orig = Some(speaker.key);
        }
        self.meet_expectation(entry, sink);
    }

    fn trusted(&mut self, address: IpAddr, now_s: u32, sink: Sink<'_>) -> Submitter {
        let (account, is_new) = self.accounts.address(address, now_s);
        self.account_seen(account, is_new, sink);
        Submitter {
            origin: Origin::Trusted,
            account: Some(account),
            is_new_network: false,
        }
    }

    fn picked_up(&mut self, line: &Line<'_>, picked_up: &PickedUp<'_>, sink: Sink<'_>) {
        let Some(entry) = self.entry(line, picked_up.queue_id, About::Acceptance) else {
            return;
        };
        if let Some(e) = self.queue.get_mut(entry) {
            e.set(flag::ACCEPTED);
            e.accepted_s = seconds(line.time_ms);
        }
        if let Some(orig) = picked_up.orig_queue_id {
            // `postsuper -r`: the same message under another queue id.
            let before = self
                .find(line, orig, About::Delivery)
                .filter(|&b| b != entry);
            if let Some(before) = before
                && let Some(parent) = self.root_of(before)
            {
                self.refuse_once(entry, before);
                self.join(entry, parent, sink);
                let mut deferred = Chain::default();
                if let Some(e) = self.queue.get_mut(before) {
                    e.removed_s = seconds(line.time_ms);
                    e.set(flag::REMOVED);
                    deferred = std::mem::take(&mut e.deferred);
                }
                // Who was refused before is not refused anew.
                match self.queue.get_mut(entry) {
                    Some(e) if e.deferred.len() == 0 => e.deferred = deferred,
                    _ => self.deferred.clear(&mut deferred),
                }
                self.close(before, true, sink);
                self.look_again(before, line.time_ms);
            } else {
                let unknown = Submitter {
                    origin: Origin::Unknown,
                    account: None,
                    is_new_network: false,
                };
                self.determine(entry, unknown, sink);
            }
            return;
        }
        let (account, is_new) = self.accounts.uid(picked_up.uid, seconds(line.time_ms));
        self.account_seen(account, is_new, sink);
        let submitter = Submitter {
            origin: Origin::Local,
            account: Some(account),
            is_new_network: false,
        };
        self.determine(entry, submitter, sink);
    }

    /// Results of a requeued mail that came before its requeueing was known: whom its old queue id
    /// was refused for is not refused anew.
    fn refuse_once(&mut self, entry: EntryRef, before: EntryRef) {
        let Some(chain) = self.queue.get(before).map(|e| e.deferred) else {
            return;
        };
        let Some(root) = self.root_of(entry) else {
            return;
        };
        let hold = self.messages.get(root).hold;
        if hold != NONE {
            let deferred = &mut self.deferred;
            self.holds.get_mut(hold).forget_refusals(|recipient| {
                deferred
                    .find(chain, recipient)
                    .is_some_and(|before| before.refused)
            });
        }
    }

    fn proxy_accepted(&mut self, line: &Line<'_>, queued_as: &[u8], sink: Sink<'_>) {
        let Some(submitter) = self.session(line).and_then(|s| s.submitter) else {
            return;
        };
        let about = About::Reinjection {
            from_s: seconds(line.time_ms - DISORDER_MS),
            to_s: seconds(line.time_ms + HOP_SLACK_MS),
        };
        let Some(entry) = self.entry(line, queued_as, about) else {
            return;
        };
        let Some(e) = self.queue.get(entry) else {
            return;
        };
        if e.has(flag::CHILD) {
            // Another queue id went before: it knows better.
        } else if e.has(flag::ACCEPTED) {
            self.determine(entry, submitter, sink);
        } else {
            self.expect(entry, Expected::Submitter(submitter), line.time_ms);
        }
    }

    fn notice(&mut self, line: &Line<'_>, queue_id: &[u8], sink: Sink<'_>) {
        // Its own lines may have come before, all of them.
        let seen = self.find(line, queue_id, About::Delivery).filter(|&seen| {
            self.queue
                .get(seen)
                .is_some_and(|e| !e.has(flag::ACCEPTED) && !e.has(flag::CHILD))
        });
        let Some(entry) = seen.or_else(|| self.entry(line, queue_id, About::Activation)) else {
            return;
        };
        if self.queue.get(entry).is_none_or(|e| e.has(flag::ACCEPTED)) {
            return;
        }
        let submitter = Submitter {
            origin: Origin::Generated,
            account: None,
            is_new_network: false,
        };
        self.determine(entry, submitter, sink);
    }

    // The queue.

    fn queued(
        &mut self,
        entry: EntryRef,
        line: &Line<'_>,
        sender: &[u8],
        size_bytes: u64,
        recipients: u32,
        sink: Sink<'_>,
    ) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        if e.has(flag::ACTIVE) {
            e.begin_attempt();
            return;
        }
        e.set(flag::ACTIVE);
        e.flags &= !flag::DISCARD_AHEAD;
        e.recipients = recipients;
        e.begin_attempt();
        let is_child = e.has(flag::CHILD);
        if !is_child {
            let root = self.messages.root(e.message);
            let message = self.messages.get_mut(root);
            if message.accepted_ms == 0 {
                message.accepted_ms = line.time_ms;
            }
            if message.origin.is_some() {
                self.tell_queued(root, size_bytes, recipients, sink);
            } else if let Some(hold) = self.hold_of(root) {
                let hold = self.holds.get_mut(hold);
                hold.queued = Some((size_bytes, recipients));
                hold.is_notice = sender.is_empty();
                hold.is_double_bounce = sender.starts_with(b"double-bounce@");
                self.look_again(entry, line.time_ms);
            }
        }
        self.close(entry, false, sink);
    }

    fn acted(&mut self, line: &Line<'_>, acted: &Acted<'_>, sink: Sink<'_>) {
        let ahead = match acted.action {
            Action::Reject | Action::MilterReject | Action::ProxyReject => {
                sink(Fact::Rejected {
                    software: line.program.software,
                    service: line.program.service,
                    stage: acted.stage,
                    code: acted.code,
                    reason: acted.reason,
                    count: line.repeated,
                });
                let ends_mail = matches!(
                    acted.stage,
                    Stage::EndOfMessage | Stage::Header | Stage::Body
                );
                if ends_mail
                    && let Some(queue_id) = acted.queue_id
                    && let Some(entry) = self.find(line, queue_id, About::Cleanup)
                {
                    self.abandon(entry);
                }
                return;
            }
            Action::Discard | Action::MilterDiscard => flag::DISCARD_AHEAD,
            Action::Hold | Action::MilterHold => flag::HOLD_AHEAD,
            Action::Note => return,
        };
        if let Some(queue_id) = acted.queue_id {
            let Some(entry) = self.entry(line, queue_id, About::Cleanup) else {
                return;
            };
            if line.program.kind == Kind::Cleanup {
                self.mark(entry, flag::CLEANUP);
            } else if ahead == flag::DISCARD_AHEAD
                && let Some(session) = self.session(line)
            {
                session.discarding = Some(entry);
            }
            self.mark(entry, ahead);
            self.act_ahead(entry, line, sink);
        } else if let Some(session) = self.session(line) {
            session.discard_next |= ahead == flag::DISCARD_AHEAD;
            session.hold_next |= ahead == flag::HOLD_AHEAD;
        }
    }

    /// cleanup reads a mail that smtpd was to swallow: the client began anew, with RSET.
    fn spared(&mut self, entry: EntryRef) {
        if let Some(e) = self.queue.get_mut(entry)
            && !e.has(flag::CLEANUP)
        {
            e.flags &= !flag::DISCARD_AHEAD;
        }
    }

    /// smtpd swallowed a mail: cleanup, if it was asked at all, says nothing of it.
    fn discarded(&mut self, entry: EntryRef, line: &Line<'_>, sink: Sink<'_>) {
        if self
            .queue
            .get(entry)
            .is_none_or(|e| e.has(flag::REMOVED) || !e.has(flag::DISCARD_AHEAD))
        {
            return;
        }
        self.mark(entry, flag::DISCARD_AHEAD | flag::CLEANUP);
        self.act_ahead(entry, line, sink);
    }

    /// A mail that is to be swallowed or put aside is accepted once cleanup has it.
    fn act_ahead(&mut self, entry: EntryRef, line: &Line<'_>, sink: Sink<'_>) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        let discard = e.has(flag::DISCARD_AHEAD);
        if !e.has(flag::CLEANUP) || !(discard || e.has(flag::HOLD_AHEAD)) {
            return;
        }
        e.flags &= !(flag::DISCARD_AHEAD | flag::HOLD_AHEAD);
        let is_child = e.has(flag::CHILD);
        if discard {
            e.set(flag::REMOVED);
            e.removed_s = seconds(line.time_ms);
        }
        let root = self.messages.root(e.message);
        let message = self.messages.get_mut(root);
        if message.accepted_ms == 0 {
            message.accepted_ms = line.time_ms;
        }
        if discard {
            message.fate |= fate::DISCARDED;
            message.last_removed_ms = message.last_removed_ms.max(line.time_ms);
            self.look_again(entry, line.time_ms);
        }
        if !is_child {
            if self.messages.get(root).origin.is_some() {
                self.tell_accepted(root, sink);
            } else if let Some(hold) = self.hold_of(root) {
                self.holds.get_mut(hold).accepted = true;
            }
        }
        if discard {
            self.close(entry, true, sink);
        }
    }

    fn delivery(&mut self, line: &Line<'_>, delivery: &Delivery<'_>, sink: Sink<'_>) {
        let Some(entry) = self.entry(line, delivery.queue_id, About::Delivery) else {
            return;
        };
        let mut attempt =
            attempt::read(&self.config, &self.recipient_state, line.program, delivery);
        let Some(e) = self.queue.get(entry) else {
            return;
        };
        if e.has(flag::CHILD) {
            // Whom the account wrote to stands at its first queue id.
            attempt.written_to = None;
        }
        let root = self.messages.root(e.message);
        // A hop: the mail lives on under another queue id, which may have been seen already.
        if delivery.status == Status::Sent {
            if let Some(next) = delivery.forwarded_as {
                self.forwarded(line, root, next, sink);
            } else if let Some(next) = delivery.queued_as {
                let is_hop = match attempt.place {
                    Place::Internal => true,
                    Place::Local => line.program.kind == Kind::Lmtp && self.is_near_relay(delivery),
                    Place::Outside { .. } | Place::Discard | Place::Probe => false,
                };
                if is_hop {
                    attempt.place = Place::Internal;
                    attempt.goes_on = true;
                    self.reinjected(line, root, next, delivery, sink);
                }
            }
        }
        if attempt.goes_on
            && delivery.status == Status::Sent
            && delivery.queued_as.is_none()
            && delivery.forwarded_as.is_none()
        {
            // Where it goes on is not seen here.
            self.messages.get_mut(root).fate |= fate::HANDED_OVER;
        }
        self.note_recipient(entry, &mut attempt);
        self.note_fate(root, &attempt);
        if self.messages.get(root).origin.is_none() {
            if attempt.place == Place::Probe {
                self.messages.get_mut(root).set(state::PROBE);
            }
            self.look_again(entry, line.time_ms);
        }
        self.tell_or_hold(root, &attempt, sink);
        if delivery.orig_recipient.is_some() || line.program.kind == Kind::Local {
            // An alias has more results than the queue's line has recipients.
            self.messages.get_mut(root).set(state::EXPANDED);
        }
        self.close(entry, false, sink);
    }

    /// Whether a hop over LMTP is possible: the relay is on this host or a filter.
    fn is_near_relay(&self, delivery: &Delivery<'_>) -> bool {
        match delivery.relay {
            crate::parse::Relay::Host { address, .. } => {
                contains(&self.config.filter_networks, address)
            }
            crate::parse::Relay::Socket { .. } => true,
            crate::parse::Relay::None | crate::parse::Relay::Name(_) => false,
        }
    }

    /// Keeps the book of what is deferred, and with it what is this recipient's first.
    fn note_recipient(&mut self, entry: EntryRef, attempt: &mut Attempt<'_>) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        e.under_way = e.under_way.saturating_sub(1);
        if attempt.place == Place::Probe {
            e.finished = e.finished.saturating_add(1);
            return;
        }
        if attempt.is_final() {
            e.finished = e.finished.saturating_add(1);
            if e.deferred.len() == 0 {
                return;
            }
            if let Some(before) = self.deferred.remove(&mut e.deferred, attempt.recipient) {
                attempt.before_qmgr_ms = None;
                attempt.written_to = None;
                if before.refused {
                    attempt.refusal = None;
                }
            }
            return;
        }
        if let Some(before) = self.deferred.find(e.deferred, attempt.recipient) {
            attempt.before_qmgr_ms = None;
            attempt.written_to = None;
            if before.refused {
                attempt.refusal = None;
            }
            before.refused |= attempt.refusal.is_some();
            before.place = attempt.place;
            before.dsn_class = attempt.dsn_class;
            return;
        }
        let deferred = Deferred {
            hash: attempt.recipient,
            domain: self.names.intern(attempt.domain),
            transport: self.names.intern(attempt.transport),
            dsn_class: attempt.dsn_class,
            place: attempt.place,
            refused: attempt.refusal.is_some(),
        };
        self.deferred.push(&mut e.deferred, deferred);
    }

    fn note_fate(&mut self, root: u32, attempt: &Attempt<'_>) {
        let bits = match (attempt.status, attempt.place) {
            _ if attempt.goes_on => 0,
            (DeliveryStatus::Sent, Place::Discard) => fate::DISCARDED,
            (DeliveryStatus::Sent, _) => fate::SENT,
            (DeliveryStatus::Bounced, _) => fate::FAILED,
            (DeliveryStatus::Expired, _) => fate::EXPIRED,
            (
                DeliveryStatus::Deferred
                | DeliveryStatus::Softbounce
                | DeliveryStatus::Deliverable
                | DeliveryStatus::Undeliverable,
                _,
            ) => 0,
        };
        self.messages.get_mut(root).fate |= bits;
    }

    /// `status=expired` names nobody: one for each recipient that was deferred last.
    fn expired(&mut self, line: &Line<'_>, queue_id: &[u8], sink: Sink<'_>) {
        let Some(entry) = self.entry(line, queue_id, About::Delivery) else {
            return;
        };
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        let unfinished = e.recipients.saturating_sub(e.finished);
        let count = if e.deferred.is_complete() {
            e.deferred.len()
        } else {
            unfinished.min(UNSEEN_MAX).max(e.deferred.len()).max(1)
        };
        e.finished = e.finished.saturating_add(count);
        let root = self.messages.root(e.message);
        let accepted_ms = self.messages.get(root).accepted_ms;
        let mut last = Deferred {
            hash: 0,
            domain: self.names.intern(b""),
            transport: self.names.intern(b"smtp"),
            dsn_class: 4,
            place: Place::Outside {
                to_inbound_relay: false,
            },
            refused: false,
        };
        for _ in 0..count {
            let Some(e) = self.queue.get_mut(entry) else {
                return;
            };
            match self.deferred.pop(&mut e.deferred) {
                Some(deferred) => last = deferred,
                // Not remembered: like the others, its domain unknown.
                None => last.domain = self.names.intern(b""),
            }
            let domain = self.names.get(last.domain).to_vec();
            let transport = self.names.get(last.transport).to_vec();
            let attempt = Attempt {
                place: last.place,
                transport: &transport,
                status: DeliveryStatus::Expired,
                dsn_class: last.dsn_class,
                goes_on: false,
                relay: None,
                domain: &domain,
                delay_ms: line.time_ms.saturating_sub(accepted_ms).max(0) as u64,
                before_qmgr_ms: None,
                stages_ms: None,
                failure: Some(FailureReason::Expired),
                blocklisted_by: None,
                recipient: last.hash,
                written_to: None,
                refusal: None,
                is_copy: false,
            };
            self.note_fate(root, &attempt);
            self.tell_or_hold(root, &attempt, sink);
        }
        self.close(entry, false, sink);
    }

    fn removed(&mut self, line: &Line<'_>, queue_id: &[u8], by: RemovedBy, sink: Sink<'_>) {
        let Some(entry) = self.find(line, queue_id, About::Removal) else {
            return;
        };
        if by == RemovedBy::Canceled {
            self.abandon(entry);
            return;
        }
        if by == RemovedBy::Discarded {
            self.mark(entry, flag::DISCARD_AHEAD | flag::CLEANUP);
            self.act_ahead(entry, line, sink);
            return;
        }
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        e.set(flag::REMOVED);
        e.removed_s = seconds(line.time_ms);
        let root = self.messages.root(e.message);
        let message = self.messages.get_mut(root);
        message.last_removed_ms = message.last_removed_ms.max(line.time_ms);
        if by == RemovedBy::Postsuper {
            message.fate |= fate::DELETED;
        }
        self.look_again(entry, line.time_ms);
        self.close(entry, by == RemovedBy::Postsuper, sink);
    }

    // Hops.

    /// local(8) says that the mail goes on under this queue id.
    fn forwarded(&mut self, line: &Line<'_>, parent: u32, next: &[u8], sink: Sink<'_>) {
        let Some(entry) = self.entry(line, next, About::Activation) else {
            return;
        };
        let Some(e) = self.queue.get(entry) else {
            return;
        };
        if e.has(flag::ACCEPTED) || e.has(flag::CHILD) {
            return;
        }
        if e.has(flag::CLEANUP) || e.has(flag::ACTIVE) {
            self.join(entry, parent, sink);
        } else {
            self.await_part(parent);
            self.expect(entry, Expected::Part { parent }, line.time_ms);
        }
    }

    /// A filter says that it re-injected the mail under this queue id.
    fn reinjected(
        &mut self,
        line: &Line<'_>,
        parent: u32,
        next: &[u8],
        delivery: &Delivery<'_>,
        sink: Sink<'_>,
    ) {
        let took_ms = delivery
            .delay_stages_ms
            .map_or(delivery.delay_ms, |[_, _, connection, transmission]| {
                connection.saturating_add(transmission)
            });
        let took_ms = i64::try_from(took_ms).map_or(DAY_MS, |ms| ms.min(DAY_MS));
        let from_s = seconds(line.time_ms - took_ms - took_ms / 10 - HOP_SLACK_MS);
        let to_s = seconds(line.time_ms + HOP_SLACK_MS);
        let Some(entry) = self.entry(line, next, About::Reinjection { from_s, to_s }) else {
            return;
        };
        if self.queue.get(entry).is_some_and(|e| e.has(flag::ACCEPTED)) {
            self.join(entry, parent, sink);
        } else {
            self.await_part(parent);
            let hop = Expected::Hop {
                parent,
                from_s,
                to_s,
            };
            self.expect(entry, hop, line.time_ms);
        }
    }

    fn expect(&mut self, entry: EntryRef, expected: Expected, time_ms: i64) {
        if let Some(old) = self.expected.insert(entry, expected) {
            self.disappoint(old);
        }
        self.look_again(entry, time_ms);
    }

    fn await_part(&mut self, parent: u32) {
        let message = self.messages.get_mut(parent);
        message.awaited = message.awaited.saturating_add(1);
    }

    fn disappoint(&mut self, expected: Expected) -> Option<u32> {
        match expected {
            Expected::Hop { parent, .. } | Expected::Part { parent } => {
                let root = self.messages.root(parent);
                let message = self.messages.get_mut(root);
                message.awaited = message.awaited.saturating_sub(1);
                Some(root)
            }
            Expected::Submitter(_) => None,
        }
    }

    /// The entry is something else than what was said of it.
    fn expect_no_more(&mut self, entry: EntryRef, sink: Sink<'_>) {
        if let Some(expected) = self.expected.remove(&entry)
            && let Some(root) = self.disappoint(expected)
        {
            self.end(root, sink);
        }
    }

    /// A filter's mail came: was it spoken of before?
    fn meet_expectation(&mut self, entry: EntryRef, sink: Sink<'_>) {
        let Some(&expected) = self.expected.get(&entry) else {
            return;
        };
        let Some(e) = self.queue.get(entry) else {
            return;
        };
        let accepted_s = e.accepted_s;
        self.expected.remove(&entry);
        let root = self.disappoint(expected);
        match expected {
            Expected::Hop {
                parent,
                from_s,
                to_s,
            } => {
                if (from_s..=to_s).contains(&accepted_s) {
                    self.join(entry, parent, sink);
                }
            }
            Expected::Part { parent } => self.join(entry, parent, sink),
            Expected::Submitter(submitter) => self.determine(entry, submitter, sink),
        }
        if let Some(root) = root {
            self.end(root, sink);
        }
    }

    /// A copy that local(8) spoke of has no client: its first line is cleanup's or qmgr's.
    fn meet_part(&mut self, entry: EntryRef, sink: Sink<'_>) {
        if !self.expected.is_empty()
            && matches!(self.expected.get(&entry), Some(Expected::Part { .. }))
        {
            self.meet_expectation(entry, sink);
        }
    }

    /// The entry's message is a part of `parent`.
    fn join(&mut self, entry: EntryRef, parent: u32, sink: Sink<'_>) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        let root = self.messages.root(parent);
        let child = self.messages.root(e.message);
        let depth = self.messages.get(child).depth.saturating_add(1);
        if child == root || self.messages.get(child).origin.is_some() || depth > HOPS_MAX {
            return;
        }
        e.set(flag::CHILD);
        let part = self.messages.get(child).clone();
        self.messages.get_mut(child).joined = root;
        self.messages.get_mut(child).hold = NONE;
        let whole = self.messages.get_mut(root);
        whole.references += 1;
        whole.depth = whole.depth.max(depth);
        whole.open = whole.open.saturating_add(part.open);
        whole.awaited = whole.awaited.saturating_add(part.awaited);
        whole.fate |= part.fate;
        whole.last_removed_ms = whole.last_removed_ms.max(part.last_removed_ms);
        if part.hold != NONE {
            let hold = self.holds.lift(part.hold);
            for mut attempt in hold.attempts() {
                attempt.written_to = None;
                self.tell_or_hold(root, &attempt, sink);
            }
            self.holds.give_back(part.hold, hold);
        }
        self.end(root, sink);
    }

    // Telling.

    /// The origin of the entry's message is known.
    fn determine(&mut self, entry: EntryRef, submitter: Submitter, sink: Sink<'_>) {
        let Some(root) = self.root_of(entry) else {
            return;
        };
        let message = self.messages.get_mut(root);
        if message.origin.is_some() {
            return;
        }
        message.origin = Some(submitter.origin);
        if submitter.origin != Origin::Generated {
            // `sendmail -bv`: a message all the same.
            message.state &= !state::PROBE;
        }
        message.set_account(submitter.account);
        if submitter.is_new_network {
            message.set(state::NEW_NETWORK);
        }
        let hold = std::mem::replace(&mut message.hold, NONE);
        if hold != NONE {
            let held = self.holds.lift(hold);
            if held.accepted {
                self.tell_accepted(root, sink);
            }
            if let Some((size_bytes, recipients)) = held.queued {
                self.tell_queued(root, size_bytes, recipients, sink);
            }
            for attempt in held.attempts() {
                self.tell(root, &attempt, sink);
            }
            self.holds.give_back(hold, held);
        }
        self.end(root, sink);
    }

    /// Nothing more will be known of where the entry's message came from.
    fn resolve(&mut self, entry: EntryRef, at_once: bool, sink: Sink<'_>) {
        let Some(root) = self.root_of(entry) else {
            return;
        };
        let message = self.messages.get(root);
        if message.origin.is_some() || message.hold == NONE {
            return;
        }
        let is_probe = message.is(state::PROBE);
        let hold = self.holds.get_mut(message.hold);
        if hold.is_empty() {
            // Nothing to tell yet: the client may still be sending.
            return;
        }
        if hold.client.is_none() && hold.is_double_bounce && hold.has_no_result() && !at_once {
            // A probe or a notice to the postmaster: its first result tells.
            return;
        }
        let (client, is_notice, orig) = (hold.client, hold.is_notice, hold.orig);
        let is_made_here = is_notice || hold.is_double_bounce;
        let (cleaned, accepted_s) = self
            .queue
            .get(entry)
            .map_or((false, 0), |e| (e.has(flag::CLEANUP), e.accepted_s));
        if let Some(key) = orig
            && let Some(parent) = self.by_key(entry, key)
        {
            self.join(entry, parent, sink);
            return;
        }
        let plain = |origin| Submitter {
            origin,
            account: None,
            is_new_network: false,
        };
        let submitter = match client {
            Some(_) if is_notice => plain(Origin::Generated),
            Some(client) if contains(&self.config.trusted_networks, client) => {
                self.trusted(client, accepted_s, sink)
            }
            Some(_) => plain(Origin::Unauthenticated),
            None if is_probe || (is_made_here && cleaned) => plain(Origin::Generated),
            None => plain(Origin::Unknown),
        };
        self.determine(entry, submitter, sink);
    }

    /// The message of a queue id that an entry's line named before it was seen.
    fn by_key(&self, entry: EntryRef, key: u64) -> Option<u32> {
        let e = self.queue.get(entry)?;
        let speaker = Speaker {
            key,
            instance: e.instance,
            is_sure: false,
            time_s: e.accepted_s,
        };
        let named = self.queue.locate(speaker, About::Delivery)?;
        self.root_of(named)
    }

    fn tell_accepted(&mut self, root: u32, sink: Sink<'_>) {
        let message = self.messages.get_mut(root);
        let Some(origin) = message.origin else {
            return;
        };
        if message.is(state::PROBE) || !message.set(state::COUNTED) {
            return;
        }
        let is_new_network = message.is(state::NEW_NETWORK);
        let account = message.account().and_then(|id| self.accounts.get(id));
        sink(Fact::Message { origin, account });
        if let Some(account) = account.filter(|_| is_new_network) {
            sink(Fact::NewNetworkMessage(account));
        }
    }

    fn tell_queued(&mut self, root: u32, size_bytes: u64, recipients: u32, sink: Sink<'_>) {
        self.tell_accepted(root, sink);
        let message = self.messages.get_mut(root);
        let Some(origin) = message.origin else {
            return;
        };
        if message.is(state::PROBE) || !message.set(state::QUEUED) {
            return;
        }
        // Each mail bears the copies: they are no recipients that somebody wrote to.
        let copies = self.config.bcc_addresses.len().min(1) as u32;
        let recipients = if recipients > copies {
            recipients - copies
        } else {
            recipients
        };
        sink(Fact::MessageQueued {
            origin,
            account: message.account().and_then(|id| self.accounts.get(id)),
            size_bytes,
            recipients,
        });
    }

    fn tell_or_hold(&mut self, root: u32, attempt: &Attempt<'_>, sink: Sink<'_>) {
        if self.messages.get(root).origin.is_some() {
            self.tell(root, attempt, sink);
        } else if let Some(hold) = self.hold_of(root) {
            self.holds.push(hold, attempt);
        }
    }

    fn tell(&mut self, root: u32, attempt: &Attempt<'_>, sink: Sink<'_>) {
        let message = self.messages.get(root);
        let Some(origin) = message.origin else {
            return;
        };
        let account = message
            .account()
            .filter(|_| !attempt.is_copy && attempt.place != Place::Probe);
        if let Some(id) = account {
            let is_new = attempt.written_to.is_some_and(|address| {
                self.accounts
                    .with(id, |state| state.recipients.note(address))
                    == Some(true)
            });
            if let Some(account) = self.accounts.get(id) {
                if is_new {
                    sink(Fact::NewRecipient(account));
                }
                if let Some(class) = attempt.refusal {
                    sink(Fact::RecipientRefused { account, class });
                }
            }
        }
        let is_probe = attempt.place == Place::Probe;
        sink(Fact::Delivered(Delivered {
            origin,
            direction: attempt.place.direction(origin),
            transport: attempt.transport,
            status: attempt.status,
            dsn_class: attempt.dsn_class,
            account: account.and_then(|id| self.accounts.get(id)),
            goes_on: attempt.goes_on,
            relay: attempt.relay,
            domain: attempt.domain,
            delay_ms: (attempt.is_final() && !attempt.goes_on && origin_has_age(origin, attempt))
                .then_some(attempt.delay_ms),
            before_qmgr_ms: attempt
                .before_qmgr_ms
                .filter(|_| origin != Origin::Unknown && !is_probe),
            stages_ms: attempt.stages_ms.filter(|_| !is_probe),
            failure: attempt.failure.filter(|_| !is_probe),
            blocklisted_by: attempt.blocklisted_by,
        }));
    }

    /// Tells that the message ended, if it did.
    fn end(&mut self, root: u32, sink: Sink<'_>) {
        let message = self.messages.get_mut(root);
        if message.open > 0 || message.awaited > 0 || !message.is(state::COUNTED) {
            return;
        }
        if message.is(state::ENDED) || message.origin == Some(Origin::Unknown) {
            return;
        }
        // Without a result, a part of it may still be found.
        if let Some(outcome) = message.outcome() {
            message.set(state::ENDED);
            sink(Fact::MessageEnded {
                outcome,
                queue_time_ms: (message.last_removed_ms - message.accepted_ms).max(0) as u64,
            });
        }
    }

    // Entries.

    /// The entry that a line is about, if it is known.
    fn find(&mut self, line: &Line<'_>, queue_id: &[u8], about: About) -> Option<EntryRef> {
        let speaker = self.speaker(line, queue_id)?;
        let entry = self.queue.locate(speaker, about)?;
        self.touch(entry, speaker, about);
        Some(entry)
    }

    /// The entry that a line is about: a new one where it is not known.
    fn entry(&mut self, line: &Line<'_>, queue_id: &[u8], about: About) -> Option<EntryRef> {
        let speaker = self.speaker(line, queue_id)?;
        if let Some(entry) = self.queue.locate(speaker, about) {
            self.touch(entry, speaker, about);
            return Some(entry);
        }
        if about == About::Acceptance
            && let Some(outlived) = self.queue.outlived(speaker)
        {
            self.drop_entry(outlived);
        }
        if self.queue.is_full()
            && let Some(idle) = self.queue.longest_idle()
        {
            self.forgotten += 1;
            self.drop_entry(idle);
        }
        if let Some(oldest) = self.queue.crowded(speaker) {
            self.drop_entry(oldest);
        }
        let message = self.messages.insert();
        let m = self.messages.get_mut(message);
        m.references = 1;
        m.open = 1;
        let entry = self.queue.insert(speaker, message);
        if matches!(about, About::Reinjection { .. }) {
            self.mark(entry, flag::EXPECTED);
        }
        self.look_again(entry, line.time_ms);
        Some(entry)
    }

    /// Who speaks of which queue id; `None` where it is too long to be one.
    fn speaker(&mut self, line: &Line<'_>, queue_id: &[u8]) -> Option<Speaker> {
        if queue_id.len() > QUEUE_ID_BYTES_MAX {
            return None;
        }
        let host = self.host_hash(line.host);
        Some(Speaker {
            key: self.state.hash_one((host, queue_id)),
            instance: self.instance(line.program.instance),
            is_sure: matches!(
                line.program.kind,
                Kind::Cleanup | Kind::Qmgr | Kind::Pickup | Kind::Bounce | Kind::Postsuper
            ),
            time_s: seconds(line.time_ms),
        })
    }

    fn host_hash(&mut self, host: &[u8]) -> u64 {
        if self.host.0 != host {
            self.host.0.clear();
            self.host.0.extend_from_slice(host);
            self.host.1 = self.state.hash_one(host);
        }
        self.host.1
    }

    fn instance(&mut self, name: &[u8]) -> u8 {
        match self.instances.iter().position(|known| **known == *name) {
            Some(at) => at as u8,
            None if self.instances.len() < INSTANCES_MAX => {
                self.instances.push(name.into());
                self.instances.len() as u8 - 1
            }
            None => INSTANCES_MAX as u8,
        }
    }

    fn touch(&mut self, entry: EntryRef, speaker: Speaker, about: About) {
        if let Some(e) = self.queue.get_mut(entry) {
            e.last_s = e.last_s.max(speaker.time_s);
            if matches!(about, About::Reinjection { .. }) {
                return;
            }
            e.flags &= !flag::EXPECTED;
            if speaker.is_sure && !e.has(flag::INSTANCE_SURE) {
                e.instance = speaker.instance;
                e.set(flag::INSTANCE_SURE);
            }
        }
    }

    fn mark(&mut self, entry: EntryRef, flags: u16) {
        if let Some(e) = self.queue.get_mut(entry) {
            e.set(flags);
        }
    }

    fn root_of(&self, entry: EntryRef) -> Option<u32> {
        Some(self.messages.root(self.queue.get(entry)?.message))
    }

    /// The hold of a message whose origin is not known.
    fn hold_of(&mut self, root: u32) -> Option<u32> {
        let message = self.messages.get_mut(root);
        if message.origin.is_some() {
            return None;
        }
        if message.hold == NONE {
            message.hold = self.holds.take();
        }
        Some(message.hold)
    }

    /// The entry is no longer among its message's open ones, if it is removed and all of its
    /// recipients are accounted for, or `at_once`.
    fn close(&mut self, entry: EntryRef, at_once: bool, sink: Sink<'_>) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        let root = self.messages.root(e.message);
        let is_finished = e.has(flag::ACTIVE)
            && e.finished >= e.recipients
            && !self.messages.get(root).is(state::EXPANDED)
            && self.messages.get(root).fate & fate::HANDED_OVER == 0;
        if e.has(flag::CLOSED) || !e.has(flag::REMOVED) || !(is_finished || at_once) {
            return;
        }
        e.set(flag::CLOSED);
        self.deferred.clear(&mut e.deferred);
        let message = self.messages.get_mut(root);
        message.open = message.open.saturating_sub(1);
        self.end(root, sink);
    }

    /// A mail that was never accepted.
    fn abandon(&mut self, entry: EntryRef) {
        if self.queue.get(entry).is_some_and(|e| !e.has(flag::ACTIVE)) {
            self.drop_entry(entry);
        }
    }

    /// An entry's time has come.
    fn due(&mut self, entry: EntryRef, at_once: bool, sink: Sink<'_>) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        e.flags &= !flag::SCHEDULED;
        let now_s = seconds(self.clock_ms);
        let is_over = |since_s: u32| at_once || since_s.saturating_add(DISORDER_S) <= now_s;
        let (first_over, removed_over) = (is_over(e.first_s), is_over(e.removed_s));
        let is_removed = e.has(flag::REMOVED);
        let never_queued = !e.has(flag::ACTIVE) && !is_removed;
        let first_ms = i64::from(e.first_s) * 1_000;
        self.expect_no_more(entry, sink);
        if self.queue.get(entry).is_some_and(|e| e.has(flag::EXPECTED)) {
            self.drop_entry(entry);
            return;
        }
        if first_over {
            self.resolve(entry, at_once || is_removed, sink);
        }
        if is_removed && removed_over {
            self.close(entry, true, sink);
            self.drop_entry(entry);
        } else if is_removed || (first_over && self.is_waiting(entry)) {
            self.look_again(entry, self.clock_ms);
        } else if never_queued && first_over {
            let is_counted = self
                .root_of(entry)
                .is_some_and(|root| self.messages.get(root).is(state::COUNTED));
            if is_counted {
                // Put aside: it may stay for long.
            } else if at_once || first_ms + UNFINISHED_MS <= self.clock_ms {
                self.drop_entry(entry);
            } else {
                self.unfinished.push_back((first_ms + UNFINISHED_MS, entry));
                if self.unfinished.len() > 2 * self.config.messages_max {
                    let queue = &self.queue;
                    self.unfinished
                        .retain(|&(_, entry)| queue.get(entry).is_some());
                }
            }
        }
    }

    /// Whether facts of the entry's message wait for its origin.
    fn is_waiting(&self, entry: EntryRef) -> bool {
        self.root_of(entry).is_some_and(|root| {
            let message = self.messages.get(root);
            message.hold != NONE && !self.holds.get(message.hold).is_empty()
        })
    }

    /// Forgets an entry, and its message with the last one.
    fn drop_entry(&mut self, entry: EntryRef) {
        let Some(e) = self.queue.get_mut(entry) else {
            return;
        };
        self.deferred.clear(&mut e.deferred);
        let is_open = !e.has(flag::CLOSED);
        let message = e.message;
        if is_open {
            let root = self.messages.root(message);
            let m = self.messages.get_mut(root);
            m.open = m.open.saturating_sub(1);
        }
        if let Some(expected) = self.expected.remove(&entry) {
            self.disappoint(expected);
        }
        self.queue.remove(entry);
        if let Some(hold) = self.messages.release(message) {
            let held = self.holds.lift(hold);
            self.holds.give_back(hold, held);
        }
    }

    // Networks.

    /// The network of a client, where it is an account's own: not a webmail's or a proxy's.
    fn client_network(&self, address: Option<IpAddr>) -> Option<NetworkHash> {
        let address = address?;
        (!contains(&self.config.trusted_networks, address))
            .then(|| self.network_hasher.hash(address))
    }

    fn is_first_day(&self, time_ms: i64) -> bool {
        self.first_ms
            .is_none_or(|first_ms| time_ms < first_ms + DAY_MS)
    }
}

/// Whether the delay of a delivery is known: that of an expiry is reckoned from the acceptance.
fn origin_has_age(origin: Origin, attempt: &Attempt<'_>) -> bool {
    attempt.status != DeliveryStatus::Expired || origin != Origin::Unknown
}

fn seconds(time_ms: i64) -> u32 {
    u32::try_from(time_ms / 1_000).unwrap_or(0)
}
