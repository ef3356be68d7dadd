//! Watches values that have no series of their own, to find those that become busy.
//!
//! A space-saving sketch: it holds [`WATCHED_MAX`] values; one more takes the place of the
//! lightest and inherits its weight as a doubt. What a value weighs for sure is its weight without
//! the doubt, so that noise from many names never looks like one busy name.
//! In: a value's hash and a weight. Out: what it weighs for sure.
//! Never: text, series.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Values that are watched at once, for each limited label.
pub const WATCHED_MAX: usize = 512;
/// Weights halve this often, by the log's time.
const HALF_LIFE_MS: i64 = 10 * 60 * 1_000;

#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The hashes are seeded where they are made.
    places: HashMap<u64, u32, FixedState>,
    hashes: Vec<u64>,
    weights: Vec<u64>,
    doubts: Vec<u64>,
    halved_ms: i64,
}

impl Watch {
    /// The value did something; how much it weighs for sure since it is watched.
    pub fn add(&mut self, hash: u64, weight: u64, now_ms: i64) -> u64 {
        self.halve(now_ms);
        let place = match self.places.get(&hash) {
            Some(&place) => place as usize,
            None if self.hashes.len() < WATCHED_MAX => {
                self.places.insert(hash, self.hashes.len() as u32);
                self.hashes.push(hash);
                self.weights.push(0);
                self.doubts.push(0);
                self.hashes.len() - 1
            }
            None => {
                let place = lightest(&self.weights);
                self.places.remove(&self.hashes[place]);
                self.places.insert(hash, place as u32);
                self.hashes[place] = hash;
                self.doubts[place] = self.weights[place];
                place
            }
        };
        self.weights[place] = self.weights[place].saturating_add(weight);
        self.weights[place] - self.doubts[place]
    }

    /// What the value weighs for sure.
    pub fn weight(&mut self, hash: u64, now_ms: i64) -> u64 {
        self.halve(now_ms);
        self.places.get(&hash).map_or(0, |&place| {
            self.weights[place as usize] - self.doubts[place as usize]
        })
    }

    /// The value has a series now.
    pub fn remove(&mut self, hash: u64) {
        let Some(place) = self.places.remove(&hash) else {
            return;
        };
        let place = place as usize;
        self.hashes.swap_remove(place);
        self.weights.swap_remove(place);
        self.doubts.swap_remove(place);
        if let Some(moved) = self.hashes.get(place) {
            self.places.insert(*moved, place as u32);
        }
    }

    fn halve(&mut self, now_ms: i64) {
        if now_ms - self.halved_ms < HALF_LIFE_MS {
            return;
        }
        let halvings = (now_ms - self.halved_ms) / HALF_LIFE_MS;
        self.halved_ms += halvings * HALF_LIFE_MS;
        let shift = u32::try_from(halvings).unwrap_or(u32::MAX);
        for (weight, doubt) in self.weights.iter_mut().zip(&mut self.doubts) {
            let sure = (*weight - *doubt).checked_shr(shift).unwrap_or(0);
            *doubt = doubt.checked_shr(shift).unwrap_or(0);
            *weight = *doubt + sure;
        }
    }
}

fn lightest(weights: &[u64]) -> usize {
    let mut place = 0;
    for (other, weight) in weights.iter().enumerate() {
        if *weight < weights[place] {
            place = other;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_value_is_found_among_noise() {
        let mut watch = Watch::default();
        let mut busy = 0;
        for round in 0..100_000_u64 {
            watch.add(1_000 + round, 1, 0);
            if round % 100 == 0 {
                busy = watch.add(7, 20, 0);
            }
        }
        assert!(busy > 10_000, "{busy}");
        // A name of the noise never weighs more than it did.
        assert_eq!(watch.add(999, 1, 0), 1);
    }

    #[test]
    fn weights_fade() {
        let mut watch = Watch::default();
        assert_eq!(watch.add(1, 100, 0), 100);
        assert_eq!(watch.add(1, 0, HALF_LIFE_MS), 50);
        assert_eq!(watch.add(1, 0, 3 * HALF_LIFE_MS), 12);
        assert_eq!(watch.add(1, 0, 300 * HALF_LIFE_MS), 0);
    }

    #[test]
    fn removed_values_start_again() {
        let mut watch = Watch::default();
        for hash in 0..10 {
            watch.add(hash, hash + 1, 0);
        }
        watch.remove(0);
        watch.remove(9);
        watch.remove(77);
        assert_eq!(watch.add(9, 1, 0), 1);
        for hash in 1..9 {
            assert_eq!(watch.add(hash, 0, 0), hash + 1);
        }
    }
}
