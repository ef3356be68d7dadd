//! What happens later: a heap of times, of equal times the one that was planned first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(super) struct Agenda<T> {
    times: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    planned: u64,
}

impl<T> Agenda<T> {
    pub fn new() -> Self {
        Agenda {
            times: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            planned: 0,
        }
    }

    pub fn plan(&mut self, at_us: u64, what: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(what);
                slot
            }
            None => {
                self.slots.push(Some(what));
                (self.slots.len() - 1) as u32
            }
        };
        self.times.push(Reverse((at_us, self.planned, slot)));
        self.planned += 1;
    }

    pub fn next_us(&self) -> Option<u64> {
        self.times.peek().map(|Reverse((at_us, ..))| *at_us)
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn take(&mut self) -> Option<(u64, T)> {
        let Reverse((at_us, _, slot)) = self.times.pop()?;
        self.free.push(slot);
        Some((at_us, self.slots[slot as usize].take()?))
    }
}
