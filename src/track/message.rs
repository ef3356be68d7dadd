//! A message through all its queue ids: what is known of it, and what waits to be known.
//!
//! A message whose origin is not known yet keeps its facts in a [`Hold`] until it is: a mail from a
//! content filter may be one that went there, and the line that says so may come later.

use super::attempt::{Attempt, Place};
use super::fact::{AccountId, DeliveryStatus, Origin, Outcome, RefusalClass};
use crate::parse::{FailureReason, Provider};

pub const NONE: u32 = u32::MAX;
/// What all holds together may keep: then the oldest is told without waiting longer.
pub const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// So many messages may wait at a time.
pub const HOLDS_MAX: usize = 30_000;

/// What became of a message's recipients so far, and of itself.
pub mod fate {
    pub const SENT: u8 = 1;
    pub const FAILED: u8 = 1 << 1;
    pub const EXPIRED: u8 = 1 << 2;
    pub const DISCARDED: u8 = 1 << 3;
    pub const DELETED: u8 = 1 << 4;
    /// To a host of ours whose answer names no queue id.
    pub const HANDED_OVER: u8 = 1 << 5;
}

/// What is known, or was told, of a message.
pub mod state {
    /// Was told as accepted.
    pub const COUNTED: u8 = 1;
    /// Was told as queued.
    pub const QUEUED: u8 = 1 << 1;
    /// Was told as ended.
    pub const ENDED: u8 = 1 << 2;
    /// An address probe: no message.
    pub const PROBE: u8 = 1 << 3;
    /// From a network that is new to its account.
    pub const NEW_NETWORK: u8 = 1 << 4;
    /// An alias was expanded: there may be more results than recipients.
    pub const EXPANDED: u8 = 1 << 5;
}

/// One mail, whatever number of queue ids it passes through. There may be hundreds of thousands.
#[derive(Debug, Clone)]
pub struct Message {
    /// The message that this one turned out to be a part of.
    pub joined: u32,
    pub hold: u32,
    account: AccountId,
    /// When it was accepted; 0 while it is not.
    pub accepted_ms: i64,
    pub last_removed_ms: i64,
    /// Entries, and messages joined to it: while there are any, its place is taken.
    pub references: u32,
    /// Its queue ids that are not finished.
    pub open: u16,
    /// Queue ids that a filter named and that were not seen yet.
    pub awaited: u16,
    pub fate: u8,
    pub state: u8,
    /// Hops below it.
    pub depth: u8,
    /// `None` while it is not known.
    pub origin: Option<Origin>,
}

const NO_ACCOUNT: AccountId = AccountId {
    slot: NONE,
    generation: 0,
};

impl Message {
    fn new() -> Self {
        Message {
            joined: NONE,
            hold: NONE,
            account: NO_ACCOUNT,
            accepted_ms: 0,
            last_removed_ms: 0,
            references: 0,
            open: 0,
            awaited: 0,
            fate: 0,
            state: 0,
            depth: 0,
            origin: None,
        }
    }

    pub fn account(&self) -> Option<AccountId> {
        (self.account != NO_ACCOUNT).then_some(self.account)
    }

    pub fn set_account(&mut self, account: Option<AccountId>) {
        self.account = account.unwrap_or(NO_ACCOUNT);
    }

    pub fn is(&self, state: u8) -> bool {
        self.state & state != 0
    }

    /// Sets a state; true where it was not set before.
    pub fn set(&mut self, state: u8) -> bool {
        let is_first = self.state & state == 0;
        self.state |= state;
        is_first
    }

    pub fn outcome(&self) -> Option<Outcome> {
        let has = |bits: u8| self.fate & bits != 0;
        if has(fate::DELETED) {
            Some(Outcome::Deleted)
        } else if has(fate::SENT | fate::HANDED_OVER) {
            Some(if has(fate::FAILED | fate::EXPIRED) {
                Outcome::Partial
            } else {
                Outcome::Sent
            })
        } else if has(fate::EXPIRED) {
            Some(Outcome::Expired)
        } else if has(fate::FAILED) {
            Some(Outcome::Failed)
        } else if has(fate::DISCARDED) {
            Some(Outcome::Discarded)
        } else {
            None
        }
    }
}

/// All messages.
#[derive(Debug, Default)]
pub struct Messages {
    places: Vec<Message>,
    free: Vec<u32>,
}

impl Messages {
    pub fn insert(&mut self) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.places[at as usize] = Message::new();
                at
            }
            None => {
                self.places.push(Message::new());
                self.places.len() as u32 - 1
            }
        }
    }

    /// The message that this one is, or is a part of.
    pub fn root(&self, mut at: u32) -> u32 {
        while self.places[at as usize].joined != NONE {
            at = self.places[at as usize].joined;
        }
        at
    }

    pub fn get(&self, at: u32) -> &Message {
        &self.places[at as usize]
    }

    pub fn get_mut(&mut self, at: u32) -> &mut Message {
        &mut self.places[at as usize]
    }

    /// One reference less; the last frees the place, and the reference to what it was joined to.
    pub fn release(&mut self, mut at: u32) -> Option<u32> {
        loop {
            let message = &mut self.places[at as usize];
            message.references = message.references.saturating_sub(1);
            if message.references > 0 {
                return None;
            }
            self.free.push(at);
            if message.joined == NONE {
                return (message.hold != NONE).then_some(message.hold);
            }
            at = message.joined;
        }
    }
}

/// An attempt that outlives its line: texts are ranges of the hold's.
#[derive(Debug, Clone, Copy)]
struct HeldAttempt {
    place: Place,
    transport: (u32, u32),
    status: DeliveryStatus,
    dsn_class: u8,
    goes_on: bool,
    relay: Option<(u32, u32)>,
    domain: (u32, u32),
    delay_ms: u64,
    before_qmgr_ms: Option<u64>,
    stages_ms: Option<[u64; 3]>,
    failure: Option<FailureReason>,
    blocklisted_by: Option<Provider>,
    recipient: u64,
    written_to: Option<u64>,
    refusal: Option<RefusalClass>,
    is_copy: bool,
}

/// Facts that wait for a message's origin.
#[derive(Debug, Default)]
pub struct Hold {
    attempts: Vec<HeldAttempt>,
    text: Vec<u8>,
    /// Of qmgr's first line.
    pub queued: Option<(u64, u32)>,
    /// Was accepted without qmgr: held, discarded.
    pub accepted: bool,
    /// The queue id, as its key, that the filter's client says went before.
    pub orig: Option<u64>,
    /// The filter's address, which may be a trusted client's.
    pub client: Option<std::net::IpAddr>,
    /// The sender is empty.
    pub is_notice: bool,
    /// The sender is `double-bounce@`: notices to the postmaster, and probes.
    pub is_double_bounce: bool,
}

impl Hold {
    pub fn bytes(&self) -> usize {
        self.attempts.len() * size_of::<HeldAttempt>() + self.text.len()
    }

    /// Nothing waits to be told.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.queued.is_none() && !self.accepted
    }

    /// The recipients that `is_known` names were refused before.
    pub fn forget_refusals(&mut self, mut is_known: impl FnMut(u64) -> bool) {
        for held in &mut self.attempts {
            if held.refusal.is_some() && is_known(held.recipient) {
                held.refusal = None;
            }
        }
    }

    pub fn has_no_result(&self) -> bool {
        self.attempts.is_empty()
    }

    fn keep(&mut self, text: &[u8]) -> (u32, u32) {
        let from = self.text.len() as u32;
        self.text.extend_from_slice(text);
        (from, self.text.len() as u32)
    }

    pub fn push(&mut self, attempt: &Attempt<'_>) {
        let held = HeldAttempt {
            place: attempt.place,
            transport: self.keep(attempt.transport),
            status: attempt.status,
            dsn_class: attempt.dsn_class,
            goes_on: attempt.goes_on,
            relay: attempt.relay.map(|relay| self.keep(relay)),
            domain: self.keep(attempt.domain),
            delay_ms: attempt.delay_ms,
            before_qmgr_ms: attempt.before_qmgr_ms,
            stages_ms: attempt.stages_ms,
            failure: attempt.failure,
            blocklisted_by: attempt.blocklisted_by,
            recipient: attempt.recipient,
            written_to: attempt.written_to,
            refusal: attempt.refusal,
            is_copy: attempt.is_copy,
        };
        self.attempts.push(held);
    }

    pub fn attempts(&self) -> impl Iterator<Item = Attempt<'_>> {
        let text = |(from, to): (u32, u32)| &self.text[from as usize..to as usize];
        self.attempts.iter().map(move |held| Attempt {
            place: held.place,
            transport: text(held.transport),
            status: held.status,
            dsn_class: held.dsn_class,
            goes_on: held.goes_on,
            relay: held.relay.map(text),
            domain: text(held.domain),
            delay_ms: held.delay_ms,
            before_qmgr_ms: held.before_qmgr_ms,
            stages_ms: held.stages_ms,
            failure: held.failure,
            blocklisted_by: held.blocklisted_by,
            recipient: held.recipient,
            written_to: held.written_to,
            refusal: held.refusal,
            is_copy: held.is_copy,
        })
    }
}

/// All holds; given back ones keep their memory for the next.
#[derive(Debug, Default)]
pub struct Holds {
    places: Vec<Hold>,
    free: Vec<u32>,
    pub bytes: usize,
}

impl Holds {
    pub fn in_use(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(Hold::default());
            self.places.len() as u32 - 1
        })
    }

    pub fn get(&self, at: u32) -> &Hold {
        &self.places[at as usize]
    }

    pub fn get_mut(&mut self, at: u32) -> &mut Hold {
        &mut self.places[at as usize]
    }

    pub fn push(&mut self, at: u32, attempt: &Attempt<'_>) {
        let hold = &mut self.places[at as usize];
        let before = hold.bytes();
        hold.push(attempt);
        self.bytes += hold.bytes() - before;
    }

    /// Takes the hold out, to be read and given back.
    pub fn lift(&mut self, at: u32) -> Hold {
        let hold = std::mem::take(&mut self.places[at as usize]);
        self.bytes -= hold.bytes();
        hold
    }

    pub fn give_back(&mut self, at: u32, mut hold: Hold) {
        /// A hold that grew larger gives its memory back.
        const KEPT_BYTES_MAX: usize = 4_096;
        if hold.bytes() > KEPT_BYTES_MAX {
            hold = Hold::default();
        } else {
            hold.attempts.clear();
            hold.text.clear();
            hold = Hold {
                attempts: hold.attempts,
                text: hold.text,
                ..Hold::default()
            };
        }
        self.places[at as usize] = hold;
        self.free.push(at);
    }
}
