//! The queue ids that are followed, and which of them a line speaks of.
//!
//! A queue id comes back for another message, collides between hosts and between the instances of
//! one host, and its lines come in any order between processes. So the key is (host, queue id), all
//! that bear it are looked at, and what the line can be about decides.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::recipient_list::Chain;

/// Lines of one message are this far out of order at most, between sources.
pub const DISORDER_MS: i64 = 120_000;
/// A longer queue id is no queue id: Postfix's are under 20.
const QUEUE_ID_BYTES_MAX: usize = 22;

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
}

/// Names one entry even after its place was given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryRef {
    pub slot: u32,
    pub generation: u32,
}

/// A queue id as far as it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueId {
    len: u8,
    bytes: [u8; QUEUE_ID_BYTES_MAX],
}

impl QueueId {
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; QUEUE_ID_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(QueueId {
            len: text.len() as u8,
            bytes,
        })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// One queue id of one message.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    hash: u64,
    host: u64,
    queue_id: QueueId,
    generation: u32,
    pub instance: u16,
    pub flags: u16,
    pub message: u32,
    /// The first line's stamp.
    pub first_ms: i64,
    pub last_ms: i64,
    /// The stamp of `client=`.
    pub accepted_ms: i64,
    pub removed_ms: i64,
    /// nrcpt at the first `queue active`.
    pub recipients: u32,
    /// Recipients that are finished.
    pub finished: u32,
    pub deferred: Chain,
}

impl Entry {
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    pub fn set(&mut self, flags: u16) {
        self.flags |= flags;
    }

    /// Whether a recipient is neither finished nor deferred: a delivery may be going on.
    pub fn is_under_way(&self) -> bool {
        self.has(flag::ACTIVE)
            && !self.has(flag::REMOVED)
            && self.finished.saturating_add(self.deferred.len()) < self.recipients
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
        from_ms: i64,
        to_ms: i64,
    },
}

/// Who says it.
#[derive(Debug, Clone, Copy)]
pub struct Speaker {
    pub host: u64,
    pub instance: u16,
    /// cleanup, qmgr, pickup: their tag bears the queue's own instance.
    pub is_sure: bool,
    pub time_ms: i64,
}

/// All queue ids that are followed.
#[derive(Debug)]
pub struct Queue {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Each once, with when it was last touched as far as this queue knows.
    idle: VecDeque<(EntryRef, i64)>,
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
    pub fn locate(
        &self,
        hash: u64,
        queue_id: &QueueId,
        speaker: Speaker,
        about: About,
    ) -> Option<EntryRef> {
        let mut best: Option<(i64, u32)> = None;
        for &slot in self.table.iter_hash(hash) {
            let entry = &self.entries[slot as usize];
            if entry.hash != hash || entry.host != speaker.host || entry.queue_id != *queue_id {
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
    pub fn outlived(&self, hash: u64, queue_id: &QueueId, speaker: Speaker) -> Option<EntryRef> {
        self.table
            .iter_hash(hash)
            .copied()
            .find(|&slot| {
                let entry = &self.entries[slot as usize];
                entry.hash == hash
                    && entry.host == speaker.host
                    && entry.queue_id == *queue_id
                    && entry.instance == speaker.instance
                    && !entry.has(flag::REMOVED)
                    && speaker.time_ms - entry.last_ms > DISORDER_MS
            })
            .map(|slot| self.reference(slot))
    }

    pub fn insert(
        &mut self,
        hash: u64,
        queue_id: QueueId,
        speaker: Speaker,
        message: u32,
    ) -> EntryRef {
        let mut entry = Entry {
            hash,
            host: speaker.host,
            queue_id,
            generation: 0,
            instance: speaker.instance,
            flags: if speaker.is_sure {
                flag::INSTANCE_SURE
            } else {
                0
            },
            message,
            first_ms: speaker.time_ms,
            last_ms: speaker.time_ms,
            accepted_ms: 0,
            removed_ms: 0,
            recipients: 0,
            finished: 0,
            deferred: Chain::default(),
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
            .insert_unique(hash, slot, |&s| entries[s as usize].hash);
        let reference = self.reference(slot);
        self.idle.push_back((reference, speaker.time_ms));
        if self.idle.len() > 2 * self.max {
            let entries = &self.entries;
            self.idle
                .retain(|(e, _)| entries[e.slot as usize].generation == e.generation);
        }
        reference
    }

    /// The entry's place becomes free; its chain must have been cleared.
    pub fn remove(&mut self, entry: EntryRef) {
        let Some(hash) = self.get(entry).map(|e| e.hash) else {
            return;
        };
        if let Ok(found) = self.table.find_entry(hash, |&slot| slot == entry.slot) {
            found.remove();
        }
        let generation = &mut self.entries[entry.slot as usize].generation;
        *generation = generation.wrapping_add(1);
        self.free.push(entry.slot);
    }

    /// The entry that was idle longest; one touched since it was queued goes to the back.
    pub fn longest_idle(&mut self) -> Option<EntryRef> {
        for _ in 0..self.idle.len() {
            let (reference, noted_ms) = self.idle.pop_front()?;
            match self.get(reference).map(|e| e.last_ms) {
                Some(last_ms) if last_ms > noted_ms => self.idle.push_back((reference, last_ms)),
                Some(_) => return Some(reference),
                None => {}
            }
        }
        self.idle.pop_front().map(|(reference, _)| reference)
    }

    fn reference(&self, slot: u32) -> EntryRef {
        EntryRef {
            slot,
            generation: self.entries[slot as usize].generation,
        }
    }
}

/// How well an entry fits what a line is about; `None` where it cannot be.
fn fitness(entry: &Entry, speaker: Speaker, about: About) -> Option<i64> {
    let same_instance = entry.instance == speaker.instance;
    if !same_instance && speaker.is_sure && entry.has(flag::INSTANCE_SURE) {
        return None;
    }
    let accepted = entry.has(flag::ACCEPTED);
    let active = entry.has(flag::ACTIVE);
    let removed = entry.has(flag::REMOVED);
    let is_near = (speaker.time_ms - entry.first_ms).abs() <= DISORDER_MS;
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
            2 * i64::from(!removed) + i64::from(!entry.has(flag::CLEANUP))
        }
        About::Activation => {
            if removed && (active || !is_near) {
                return None;
            }
            2 * i64::from(!removed) + i64::from(active)
        }
        About::Delivery => {
            if removed && speaker.time_ms - entry.removed_ms > DISORDER_MS {
                return None;
            }
            4 * i64::from(active) + 2 * i64::from(!removed) + i64::from(accepted)
        }
        About::Removal => {
            if removed {
                return None;
            }
            2 * i64::from(active) + i64::from(!active && is_near)
        }
        About::Reinjection { from_ms, to_ms } => {
            let is_in_time = (from_ms..=to_ms).contains(&entry.accepted_ms);
            let fits = if accepted {
                entry.has(flag::FROM_FILTER) && is_in_time
            } else {
                is_near
            };
            if !fits {
                return None;
            }
            i64::from(accepted)
        }
    };
    // One that was only spoken of comes last, one of the same instance first; among equals the newer.
    let was_seen = !entry.has(flag::EXPECTED);
    let rank = i64::from(was_seen) * 32 + i64::from(same_instance) * 16 + rank;
    Some(rank << 44 | (entry.first_ms & ((1 << 44) - 1)))
}

impl std::fmt::Display for QueueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", bstr::BStr::new(self.as_bytes()))
    }
}
