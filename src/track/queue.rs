//! The queue ids that are followed, and which of them a line speaks of.
//!
//! A queue id comes back for another message, collides between hosts and between the instances of
//! one host, and its lines come in any order between processes. So the key is (host, queue id), all
//! that bear it are looked at, and what the line can be about decides.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::recipient_list::Chain;

/// Lines of one message are this far out of order at most, between sources.
pub const DISORDER_MS: i64 = DISORDER_S as i64 * 1_000;
pub const DISORDER_S: u32 = 120;
/// Entries that bear one queue id at most.
const SAME_ID_MAX: usize = 8;
/// In a place that is free.
const NO_MESSAGE: u32 = u32::MAX;
/// Flags of an [`Entry`].
pub mod flag {
    /// `client=` or `uid=` was seen.
    pub const ACCEPTED: u16 = 1;
    /// cleanup's `message-id=` was seen.
    pub const CLEANUP: u16 = 1 << 1;
    /// qmgr's `from=` was seen.
    pub const ACTIVE: u16 = 1 << 2;
    /// `removed`, or its like, was seen.
    pub const REMOVED: u16 = 1 << 3;
    /// Another queue id of the same message went before.
    pub const CHILD: u16 = 1 << 4;
    /// The client is a content filter's.
    pub const FROM_FILTER: u16 = 1 << 5;
    /// The instance is the queue's own, not that of a service with its own `syslog_name`.
    pub const INSTANCE_SURE: u16 = 1 << 6;
    /// No longer among its message's open queue ids.
    pub const CLOSED: u16 = 1 << 7;
    /// Swallowed or put aside once it is complete.
    pub const DISCARD_AHEAD: u16 = 1 << 8;
    pub const HOLD_AHEAD: u16 = 1 << 9;
    /// Known from another line only: none of its own was seen.
    pub const EXPECTED: u16 = 1 << 10;
    /// Will be looked at again.
    pub const SCHEDULED: u16 = 1 << 11;
    /// Is among those whose origin may be waited for.
    pub const WAITING: u16 = 1 << 12;
}

/// Names one entry even after its place was given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryRef {
    pub slot: u32,
    pub generation: u32,
}

/// One queue id of one message. There may be hundreds of thousands: times are in whole seconds, and
/// the id itself is not kept, but a keyed hash of it and its host.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    key: u64,
    generation: u32,
    pub message: u32,
    /// The first line's stamp.
    pub first_s: u32,
    pub last_s: u32,
    /// The stamp of `client=`.
    pub accepted_s: u32,
    pub removed_s: u32,
    /// nrcpt at the first `queue active`.
    pub recipients: u32,
    /// Recipients that are finished.
    pub finished: u32,
    pub deferred: Chain,
    pub flags: u16,
    /// Results that the last activation has not had yet.
    pub under_way: u16,
    pub instance: u8,
}

impl Entry {
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    pub fn set(&mut self, flags: u16) {
        self.flags |= flags;
    }

    /// Whether a delivery may be going on.
    pub fn is_under_way(&self) -> bool {
        self.under_way > 0 && !self.has(flag::REMOVED)
    }

    /// qmgr made it active: a result for each recipient that is not finished will come.
    pub fn begin_attempt(&mut self) {
        let left = self.recipients.saturating_sub(self.finished);
        self.under_way = u16::try_from(left).unwrap_or(u16::MAX);
    }
}

/// What a line is about, as far as that tells which of several entries it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// `client=`, `uid=`: begins a message.
    Acceptance,
    /// Between the client and the queue: checks, message-id.
    Cleanup,
    /// qmgr's `from=`.
    Activation,
    /// A delivery, an expiry.
    Delivery,
    Removal,
    /// A filter said that it re-injected at some time within these bounds.
    Reinjection {
        from_s: u32,
        to_s: u32,
    },
}

/// Who says it.
#[derive(Debug, Clone, Copy)]
pub struct Speaker {
    /// Of host and queue id.
    pub key: u64,
    pub instance: u8,
    /// cleanup, qmgr, pickup: their tag bears the queue's own instance.
    pub is_sure: bool,
    pub time_s: u32,
}

/// All queue ids that are followed.
#[derive(Debug)]
pub struct Queue {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Each place once, with when its entry was last touched as far as this queue knows.
    idle: VecDeque<(u32, u32)>,
    max: usize,
}

impl Queue {
    pub fn new(max: usize) -> Self {
        Queue {
            table: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            idle: VecDeque::new(),
            max: max.max(16),
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.table
            .iter()
            .filter_map(|&slot| self.entries.get(slot as usize))
    }

    pub fn is_full(&self) -> bool {
        self.len() >= self.max
    }

    pub fn get(&self, entry: EntryRef) -> Option<&Entry> {
        self.entries
            .get(entry.slot as usize)
            .filter(|e| e.generation == entry.generation)
    }

    pub fn get_mut(&mut self, entry: EntryRef) -> Option<&mut Entry> {
        self.entries
            .get_mut(entry.slot as usize)
            .filter(|e| e.generation == entry.generation)
    }

    /// The entry that a line is about.
    pub fn locate(&self, speaker: Speaker, about: About) -> Option<EntryRef> {
        let mut best: Option<(u64, u32)> = None;
        for &slot in self.table.iter_hash(speaker.key) {
            let entry = &self.entries[slot as usize];
            if entry.key != speaker.key {
                continue;
            }
            if let Some(score) = fitness(entry, speaker, about)
                && best.is_none_or(|(other, _)| score > other)
            {
                best = Some((score, slot));
            }
        }
        best.map(|(_, slot)| self.reference(slot))
    }

    /// An entry of the same queue that cannot be there any more when its queue id is given to a new
    /// message, and whose removal is not just late.
    pub fn outlived(&self, speaker: Speaker) -> Option<EntryRef> {
        self.table
            .iter_hash(speaker.key)
            .copied()
            .find(|&slot| {
                let entry = &self.entries[slot as usize];
                entry.key == speaker.key
                    && entry.instance == speaker.instance
                    && !entry.has(flag::REMOVED)
                    && speaker.time_s.saturating_sub(entry.last_s) > DISORDER_S
            })
            .map(|slot| self.reference(slot))
    }

    /// The oldest entry of a queue id that so many bear already that looking through them is work:
    /// no mail system gives an id again so fast.
    pub fn crowded(&self, speaker: Speaker) -> Option<EntryRef> {
        let mut count = 0;
        let mut oldest: Option<u32> = None;
        for &slot in self.table.iter_hash(speaker.key) {
            let entry = &self.entries[slot as usize];
            if entry.key == speaker.key {
                count += 1;
                if oldest.is_none_or(|o| self.entries[o as usize].last_s > entry.last_s) {
                    oldest = Some(slot);
                }
            }
        }
        oldest
            .filter(|_| count >= SAME_ID_MAX)
            .map(|slot| self.reference(slot))
    }

    pub fn insert(&mut self, speaker: Speaker, message: u32) -> EntryRef {
        let mut entry = Entry {
            key: speaker.key,
            generation: 0,
            message,
            first_s: speaker.time_s,
            last_s: speaker.time_s,
            accepted_s: 0,
            removed_s: 0,
            recipients: 0,
            finished: 0,
            deferred: Chain::default(),
            flags: if speaker.is_sure {
                flag::INSTANCE_SURE
            } else {
                0
            },
            under_way: 0,
            instance: speaker.instance,
        };
        let slot = if let Some(slot) = self.free.pop() {
            entry.generation = self.entries[slot as usize].generation;
            self.entries[slot as usize] = entry;
            slot
        } else {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        };
        let entries = &self.entries;
        self.table
            .insert_unique(speaker.key, slot, |&s| entries[s as usize].key);
        self.idle.push_back((slot, speaker.time_s));
        if self.idle.len() > self.max + self.max / 4 {
            self.forget_stale();
        }
        self.reference(slot)
    }

    /// Drops what the queue of the idle knows of entries that are no more.
    fn forget_stale(&mut self) {
        let entries = &self.entries;
        let mut seen = vec![false; entries.len()];
        self.idle.retain(|&(slot, noted_s)| {
            let entry = &entries[slot as usize];
            let is_there = entry.message != NO_MESSAGE && entry.first_s <= noted_s;
            is_there && !std::mem::replace(&mut seen[slot as usize], true)
        });
    }

    /// The entry's place becomes free; its chain must have been cleared.
    pub fn remove(&mut self, entry: EntryRef) {
        let Some(key) = self.get(entry).map(|e| e.key) else {
            return;
        };
        if let Ok(found) = self.table.find_entry(key, |&slot| slot == entry.slot) {
            found.remove();
        }
        let place = &mut self.entries[entry.slot as usize];
        place.generation = place.generation.wrapping_add(1);
        place.message = NO_MESSAGE;
        self.free.push(entry.slot);
    }

    /// The entry that was idle longest; one touched since it was queued goes to the back.
    pub fn longest_idle(&mut self) -> Option<EntryRef> {
        let mut last = None;
        for _ in 0..self.idle.len() {
            let (slot, noted_s) = self.idle.pop_front()?;
            let entry = &self.entries[slot as usize];
            if entry.message == NO_MESSAGE || entry.first_s > noted_s {
                continue;
            }
            last = Some(slot);
            if entry.last_s <= noted_s {
                break;
            }
            self.idle.push_back((slot, entry.last_s));
        }
        last.map(|slot| self.reference(slot))
    }

    fn reference(&self, slot: u32) -> EntryRef {
        EntryRef {
            slot,
            generation: self.entries[slot as usize].generation,
        }
    }
}

/// How well an entry fits what a line is about; `None` where it cannot be.
fn fitness(entry: &Entry, speaker: Speaker, about: About) -> Option<u64> {
    let same_instance = entry.instance == speaker.instance;
    if !same_instance && speaker.is_sure && entry.has(flag::INSTANCE_SURE) {
        return None;
    }
    let accepted = entry.has(flag::ACCEPTED);
    let active = entry.has(flag::ACTIVE);
    let removed = entry.has(flag::REMOVED);
    let is_near = speaker.time_s.abs_diff(entry.first_s) <= DISORDER_S;
    let rank = match about {
        About::Acceptance => {
            if accepted || entry.has(flag::CHILD) || !is_near {
                return None;
            }
            1
        }
        About::Cleanup => {
            if removed && (entry.has(flag::CLEANUP) || !is_near) {
                return None;
            }
            2 * u64::from(!removed) + u64::from(!entry.has(flag::CLEANUP))
        }
        About::Activation => {
            if removed && (active || !is_near) {
                return None;
            }
            2 * u64::from(!removed) + u64::from(active)
        }
        About::Delivery => {
            if removed && speaker.time_s.saturating_sub(entry.removed_s) > DISORDER_S {
                return None;
            }
            4 * u64::from(active) + 2 * u64::from(!removed) + u64::from(accepted)
        }
        About::Removal => {
            if removed {
                return None;
            }
            2 * u64::from(active) + u64::from(!active && is_near)
        }
        About::Reinjection { from_s, to_s } => {
            let is_in_time = (from_s..=to_s).contains(&entry.accepted_s);
            let fits = if accepted {
                entry.has(flag::FROM_FILTER) && is_in_time
            } else {
                is_near
            };
            if !fits {
                return None;
            }
            u64::from(accepted)
        }
    };
    // One that was only spoken of comes last, one of the same instance first; among equals the newer.
    let was_seen = !entry.has(flag::EXPECTED);
    let rank = u64::from(was_seen) * 32 + u64::from(same_instance) * 16 + rank;
    Some(rank << 32 | u64::from(entry.first_s))
}
