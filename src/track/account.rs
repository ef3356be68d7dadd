//! The accounts that exist: who logged in or submitted with success.
//!
//! In: names as the daemons log them. Out: one [`Account`] for all spellings.
//! Never: a name that only failed; those are in [`Guessed`], a bounded sketch.
//! At most [`ACCOUNTS_MAX`]; the longest idle goes first.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::net::IpAddr;

use bstr::ByteSlice;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::fact::{Account, AccountId};
use super::networks::Networks;
use super::recipients::Recipients;

/// Accounts remembered.
pub const ACCOUNTS_MAX: usize = 65_536;
/// What all of them may take for networks and recipients.
const DETAIL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A longer login is cut: no server has one.
const NAME_BYTES_MAX: usize = 256;
/// Names that failed, and do not exist as far as is known.
const GUESSED_MAX: usize = 16_384;

/// What is remembered of one account.
#[derive(Debug)]
pub struct AccountState {
    name: String,
    hash: u64,
    generation: u32,
    last_s: u32,
    pub networks: Networks,
    pub recipients: Recipients,
}

/// The table of accounts.
#[derive(Debug)]
pub struct Accounts {
    state: FixedState,
    by_name: HashTable<u32>,
    slots: Vec<AccountState>,
    /// Slot and when it was last used as far as this queue knows: looked at again at the front.
    idle: VecDeque<(u32, u32)>,
    detail_bytes: usize,
    default_domain: Option<String>,
    scratch: String,
}

impl Accounts {
    pub fn new(default_domain: Option<String>, seed: u64) -> Self {
        Accounts {
            state: FixedState::with_seed(seed),
            by_name: HashTable::new(),
            slots: Vec::new(),
            idle: VecDeque::new(),
            detail_bytes: 0,
            default_domain: default_domain.map(|d| d.to_lowercase()),
            scratch: String::new(),
        }
    }

    /// The hash of a login's canonical form, for the sketches of failures.
    pub fn login_hash(&mut self, login: &[u8]) -> u64 {
        self.canonical_login(login);
        self.state.hash_one(self.scratch.as_str())
    }

    /// The account of a login that exists; `None` where it never succeeded.
    pub fn existing(&mut self, login: &[u8]) -> Option<AccountId> {
        self.canonical_login(login);
        let hash = self.state.hash_one(self.scratch.as_str());
        self.find(hash)
    }

    /// The account of a login that succeeded; true where it is new.
    pub fn login(&mut self, login: &[u8], now_s: u32) -> (AccountId, bool) {
        self.canonical_login(login);
        self.intern(now_s)
    }

    /// The account of who called sendmail(1).
    pub fn uid(&mut self, uid: u32, now_s: u32) -> (AccountId, bool) {
        self.scratch.clear();
        let _ = write!(self.scratch, "uid:{uid}");
        self.intern(now_s)
    }

    /// The account of a trusted client.
    pub fn address(&mut self, address: IpAddr, now_s: u32) -> (AccountId, bool) {
        self.scratch.clear();
        let _ = write!(self.scratch, "ip:{}", address.to_canonical());
        self.intern(now_s)
    }

    pub fn get(&self, id: AccountId) -> Option<Account<'_>> {
        let state = self.slots.get(id.slot as usize)?;
        (state.generation == id.generation).then_some(Account {
            id,
            name: &state.name,
        })
    }

    /// The hash under which the sketches know the account.
    pub fn hash_of(&self, id: AccountId) -> u64 {
        self.slots.get(id.slot as usize).map_or(0, |s| s.hash)
    }

    /// Works on what is remembered of an account, and keeps the books on its size.
    pub fn with<R>(
        &mut self,
        id: AccountId,
        work: impl FnOnce(&mut AccountState) -> R,
    ) -> Option<R> {
        let state = self.slots.get_mut(id.slot as usize)?;
        if state.generation != id.generation {
            return None;
        }
        let before = state.networks.heap_bytes() + state.recipients.heap_bytes();
        let result = work(state);
        let after = state.networks.heap_bytes() + state.recipients.heap_bytes();
        self.detail_bytes = (self.detail_bytes + after).saturating_sub(before);
        if self.detail_bytes > DETAIL_BYTES_MAX {
            self.forget_details(id.slot);
        }
        Some(result)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Account<'_>, &AccountState)> {
        self.slots.iter().enumerate().map(|(slot, state)| {
            let id = AccountId {
                slot: slot as u32,
                generation: state.generation,
            };
            let account = Account {
                id,
                name: &state.name,
            };
            (account, state)
        })
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Writes the canonical form to `scratch`: lower case, default domain, no master user.
    fn canonical_login(&mut self, login: &[u8]) {
        self.scratch.clear();
        let login = &login[..login.len().min(NAME_BYTES_MAX)];
        // Dovecot's `user*master`: mail is the user's.
        let login =
            login.split_once_str(b"*").map_or(
                login,
                |(user, _)| {
                    if user.is_empty() { login } else { user }
                },
            );
        for chunk in login.utf8_chunks() {
            let valid = chunk.valid();
            if valid.is_ascii() {
                self.scratch.push_str(valid);
                let from = self.scratch.len() - valid.len();
                if let Some(added) = self.scratch.get_mut(from..) {
                    added.make_ascii_lowercase();
                }
            } else {
                self.scratch
                    .extend(valid.chars().flat_map(char::to_lowercase));
            }
            if !chunk.invalid().is_empty() {
                self.scratch.push(char::REPLACEMENT_CHARACTER);
            }
        }
        if let Some(domain) = &self.default_domain
            && !self.scratch.contains('@')
        {
            self.scratch.push('@');
            self.scratch.push_str(domain);
        }
    }

    fn find(&self, hash: u64) -> Option<AccountId> {
        let slot = *self.by_name.find(hash, |&slot| {
            self.slots
                .get(slot as usize)
                .is_some_and(|s| s.hash == hash && s.name == self.scratch)
        })?;
        let generation = self.slots.get(slot as usize)?.generation;
        Some(AccountId { slot, generation })
    }

    fn intern(&mut self, now_s: u32) -> (AccountId, bool) {
        let hash = self.state.hash_one(self.scratch.as_str());
        if let Some(id) = self.find(hash) {
            if let Some(state) = self.slots.get_mut(id.slot as usize) {
                state.last_s = state.last_s.max(now_s);
            }
            return (id, false);
        }
        let fresh = AccountState {
            name: self.scratch.clone(),
            hash,
            generation: 0,
            last_s: now_s,
            networks: Networks::default(),
            recipients: Recipients::default(),
        };
        let id = if self.slots.len() < ACCOUNTS_MAX {
            self.slots.push(fresh);
            AccountId {
                slot: self.slots.len() as u32 - 1,
                generation: 0,
            }
        } else {
            let slot = self.longest_idle(None);
            let old = &mut self.slots[slot as usize];
            let generation = old.generation.wrapping_add(1);
            let old = std::mem::replace(
                old,
                AccountState {
                    generation,
                    ..fresh
                },
            );
            self.detail_bytes -= old.networks.heap_bytes() + old.recipients.heap_bytes();
            if let Ok(entry) = self.by_name.find_entry(old.hash, |&s| s == slot) {
                entry.remove();
            }
            AccountId { slot, generation }
        };
        let slots = &self.slots;
        self.by_name
            .insert_unique(hash, id.slot, |&slot| slots[slot as usize].hash);
        self.idle.push_back((id.slot, now_s));
        (id, true)
    }

    /// The account that was idle longest, taken off the queue. Those used since are put back.
    fn longest_idle(&mut self, except: Option<u32>) -> u32 {
        for _ in 0..=self.idle.len() {
            let Some((slot, noted_s)) = self.idle.pop_front() else {
                break;
            };
            let last_s = self.slots[slot as usize].last_s;
            if last_s > noted_s || Some(slot) == except {
                self.idle.push_back((slot, last_s));
            } else {
                return slot;
            }
        }
        // All were used since: the first will do.
        self.idle.pop_front().map_or(0, |(slot, _)| slot)
    }

    /// Lets the details of the longest idle accounts go until a tenth is free.
    fn forget_details(&mut self, except: u32) {
        for _ in 0..self.slots.len() {
            if self.detail_bytes <= DETAIL_BYTES_MAX / 10 * 9 {
                break;
            }
            let slot = self.longest_idle(Some(except));
            let state = &mut self.slots[slot as usize];
            self.detail_bytes -= state.networks.heap_bytes() + state.recipients.heap_bytes();
            state.networks = Networks::default();
            state.recipients = Recipients::default();
            self.idle.push_back((slot, state.last_s));
        }
    }
}

/// How often names failed that are not known to exist: for the day that a guess works.
#[derive(Debug, Default)]
pub struct Guessed {
    names: HashMap<u64, (u32, u32), FixedState>,
}

impl Guessed {
    pub fn note(&mut self, name: u64, now_s: u32, count: u32) {
        if self.names.len() >= GUESSED_MAX && !self.names.contains_key(&name) {
            let mut times: Vec<u32> = self.names.values().map(|n| n.1).collect();
            let (_, &mut middle, _) = times.select_nth_unstable(GUESSED_MAX / 2);
            self.names.retain(|_, n| n.1 > middle);
            if self.names.len() >= GUESSED_MAX {
                self.names.clear();
            }
        }
        let (failures, last_s) = self.names.entry(name).or_default();
        *failures = failures.saturating_add(count);
        *last_s = (*last_s).max(now_s);
    }

    /// The failures of a name that now exists; it leaves the sketch.
    pub fn take(&mut self, name: u64) -> u32 {
        self.names.remove(&name).map_or(0, |n| n.0)
    }
}
