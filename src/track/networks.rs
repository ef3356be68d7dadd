//! Client networks: which an account uses, which are guessing.
//!
//! In: addresses and times. Out: whether a network is new, and how many there were in the last
//! hour. Never: an address; only keyed hashes of /24 and /48 networks are kept.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Networks remembered for each account.
pub const NETWORKS_MAX: usize = 256;
const HOUR_S: u32 = 3_600;
const DAY_S: u32 = 24 * HOUR_S;
/// A network that an account has not used for so long is new again.
const FORGOTTEN_AFTER_S: u32 = 30 * DAY_S;
/// A network is called new to an account for so long.
const NEW_FOR_S: u32 = 7 * DAY_S;
/// Distinct networks counted exactly; above, a HyperLogLog estimates.
const EXACT_MAX: usize = 4_096;

/// A keyed hash of a client network: IPv4 /24, IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkHash(u64);

/// Hashes networks under one key.
#[derive(Debug, Clone)]
pub struct NetworkHasher {
    state: FixedState,
}

impl NetworkHasher {
    pub fn new(key: u64) -> Self {
        NetworkHasher {
            state: FixedState::with_seed(key),
        }
    }

    pub fn hash(&self, address: IpAddr) -> NetworkHash {
        let mut hasher = self.state.build_hasher();
        match address.to_canonical() {
            IpAddr::V4(v4) => hasher.write_u32(v4.to_bits() >> 8),
            IpAddr::V6(v6) => hasher.write_u64((v6.to_bits() >> 80) as u64 | 1 << 63),
        }
        NetworkHash(hasher.finish())
    }
}

#[derive(Debug, Clone, Copy)]
struct Network {
    hash: NetworkHash,
    /// When it was first used; 0 where it counts as always known.
    first_s: u32,
    last_s: u32,
}

/// The networks of one account.
#[derive(Debug, Default)]
pub struct Networks {
    list: Vec<Network>,
    /// Only once `list` was full.
    crowd: Option<Box<WindowedCount>>,
}

impl Networks {
    /// Notes a use; true where the account has not used the network in 30 days.
    ///
    /// `all_known`: the exporter's first day, on which whatever is seen counts as known from then on.
    pub fn note(&mut self, hash: NetworkHash, now_s: u32, all_known: bool) -> bool {
        let first_s = if all_known { 0 } else { now_s.max(1) };
        if let Some(network) = self.list.iter_mut().find(|n| n.hash == hash) {
            let forgotten = now_s.saturating_sub(network.last_s) > FORGOTTEN_AFTER_S;
            if forgotten {
                network.first_s = first_s;
            }
            network.last_s = network.last_s.max(now_s);
            return forgotten;
        }
        let network = Network {
            hash,
            first_s,
            last_s: now_s,
        };
        if self.list.len() < NETWORKS_MAX {
            self.list.push(network);
        } else {
            let crowd = self.crowd.get_or_insert_with(|| {
                let mut crowd = Box::<WindowedCount>::default();
                for known in &self.list {
                    crowd.note(known.hash, known.last_s);
                }
                crowd
            });
            crowd.note(hash, now_s);
            if let Some(idle) = self.list.iter_mut().min_by_key(|n| n.last_s) {
                *idle = network;
            }
        }
        true
    }

    /// Whether the account first used the network less than 7 days ago.
    pub fn is_new(&self, hash: NetworkHash, now_s: u32) -> bool {
        self.list
            .iter()
            .find(|n| n.hash == hash)
            .is_some_and(|n| n.first_s != 0 && now_s.saturating_sub(n.first_s) < NEW_FOR_S)
    }

    /// Distinct networks used in the last hour.
    pub fn in_last_hour(&self, now_s: u32) -> u64 {
        let listed = self
            .list
            .iter()
            .filter(|n| n.last_s.saturating_add(HOUR_S) > now_s)
            .count() as u64;
        match &self.crowd {
            Some(crowd) if listed >= NETWORKS_MAX as u64 => listed.max(crowd.estimate(now_s)),
            _ => listed,
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Network>()
            + self
                .crowd
                .as_ref()
                .map_or(0, |_| size_of::<WindowedCount>())
    }
}

const WINDOWS: usize = 12;
const WINDOW_S: u32 = HOUR_S / WINDOWS as u32;
const REGISTERS: usize = 256;

/// How many distinct networks in the last hour: HyperLogLog in windows of five minutes.
#[derive(Debug)]
pub struct WindowedCount {
    registers: [[u8; REGISTERS]; WINDOWS],
    /// The five minutes that each window holds, counted from the epoch.
    window: [u32; WINDOWS],
}

impl Default for WindowedCount {
    fn default() -> Self {
        WindowedCount {
            registers: [[0; REGISTERS]; WINDOWS],
            window: [0; WINDOWS],
        }
    }
}

impl WindowedCount {
    fn note(&mut self, hash: NetworkHash, now_s: u32) {
        let window = now_s / WINDOW_S;
        let place = window as usize % WINDOWS;
        if self.window[place] > window {
            return;
        }
        if self.window[place] < window {
            self.window[place] = window;
            self.registers[place] = [0; REGISTERS];
        }
        let register = hash.0 as usize % REGISTERS;
        let rank = ((hash.0 >> 8) | 1 << 56).trailing_zeros() as u8 + 1;
        let cell = &mut self.registers[place][register];
        *cell = (*cell).max(rank);
    }

    fn estimate(&self, now_s: u32) -> u64 {
        let now = now_s / WINDOW_S;
        let mut sum = 0.0;
        let mut zeros = 0;
        for register in 0..REGISTERS {
            let rank = (0..WINDOWS)
                .filter(|&w| self.window[w] + WINDOWS as u32 > now)
                .map(|w| self.registers[w][register])
                .max()
                .unwrap_or(0);
            sum += 2f64.powi(-i32::from(rank));
            zeros += u32::from(rank == 0);
        }
        let m = REGISTERS as f64;
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let estimate = if raw <= 2.5 * m && zeros > 0 {
            m * (m / f64::from(zeros)).ln()
        } else {
            raw
        };
        estimate.round() as u64
    }
}

/// Distinct networks in the last hour, exact while there are few.
#[derive(Debug, Default)]
pub struct DistinctNetworks {
    seen: HashMap<NetworkHash, u32, FixedState>,
    crowd: Option<Box<WindowedCount>>,
}

impl DistinctNetworks {
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub fn note(&mut self, hash: NetworkHash, now_s: u32) {
        if let Some(last_s) = self.seen.get_mut(&hash) {
            *last_s = (*last_s).max(now_s);
        } else {
            if self.seen.len() >= EXACT_MAX {
                self.seen
                    .retain(|_, last_s| last_s.saturating_add(HOUR_S) > now_s);
            }
            if self.seen.len() < EXACT_MAX {
                self.seen.insert(hash, now_s);
            } else if self.crowd.is_none() {
                let mut crowd = Box::<WindowedCount>::default();
                // A maximum has no order.
                for (&hash, &last_s) in &self.seen {
                    crowd.note(hash, last_s);
                }
                self.crowd = Some(crowd);
            }
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.note(hash, now_s);
        }
    }

    pub fn in_last_hour(&self, now_s: u32) -> u64 {
        let exact = self
            .seen
            .values()
            .filter(|last_s| last_s.saturating_add(HOUR_S) > now_s)
            .count() as u64;
        match &self.crowd {
            Some(crowd) if exact >= EXACT_MAX as u64 => exact.max(crowd.estimate(now_s)),
            _ => exact,
        }
    }
}

/// Networks whose failures are remembered.
const GUESSERS_MAX: usize = 16_384;
/// Names remembered for each.
const NAMES_MAX: usize = 8;
const SLICES: usize = 6;
const SLICE_S: u32 = HOUR_S / SLICES as u32;
/// So many failures on one account make its login from there suspicious.
const SUSPICIOUS_FAILURES: u32 = 10;
/// So many accounts guessed from a network make any login from there suspicious.
const SUSPICIOUS_ACCOUNTS: usize = 5;

/// Failures of one name from one network, in slices of ten minutes.
#[derive(Debug, Clone, Copy)]
struct Guess {
    name: u64,
    slice: u32,
    failures: [u16; SLICES],
}

impl Guess {
    fn advance(&mut self, slice: u32) {
        let passed = slice.saturating_sub(self.slice) as usize;
        for step in 0..passed.min(SLICES) {
            self.failures[(self.slice as usize + step + 1) % SLICES] = 0;
        }
        self.slice = self.slice.max(slice);
    }

    fn in_last_hour(&self, slice: u32) -> u32 {
        if slice.saturating_sub(self.slice) as usize >= SLICES {
            return 0;
        }
        let passed = slice.saturating_sub(self.slice) as usize;
        // The oldest slices have left the hour; the newest stand at `self.slice`.
        (0..SLICES - passed)
            .map(|back| {
                let at = (self.slice as usize + SLICES - back) % SLICES;
                u32::from(self.failures[at])
            })
            .sum()
    }
}

#[derive(Debug, Default)]
struct Guesser {
    last_s: u32,
    guesses: Vec<Guess>,
}

/// Which networks guess passwords, and of whom: the past of a guess that works.
#[derive(Debug, Default)]
pub struct Guessers {
    networks: HashMap<NetworkHash, Guesser, FixedState>,
}

impl Guessers {
    /// A failure on the name with this hash.
    pub fn note(&mut self, network: NetworkHash, name: u64, now_s: u32, count: u32) {
        if self.networks.len() >= GUESSERS_MAX && !self.networks.contains_key(&network) {
            self.make_room(now_s);
        }
        let slice = now_s / SLICE_S;
        let guesser = self.networks.entry(network).or_default();
        guesser.last_s = guesser.last_s.max(now_s);
        let known = guesser.guesses.iter().position(|g| g.name == name);
        let place = known.unwrap_or_else(|| {
            let fresh = Guess {
                name,
                slice,
                failures: [0; SLICES],
            };
            if guesser.guesses.len() < NAMES_MAX {
                guesser.guesses.push(fresh);
                guesser.guesses.len() - 1
            } else {
                // The name that was tried longest ago makes room; more than enough others stay.
                let oldest = (0..NAMES_MAX)
                    .min_by_key(|&i| guesser.guesses[i].slice)
                    .unwrap_or(0);
                guesser.guesses[oldest] = fresh;
                oldest
            }
        });
        let guess = &mut guesser.guesses[place];
        guess.advance(slice);
        let cell = &mut guess.failures[guess.slice as usize % SLICES];
        *cell = cell.saturating_add(count.min(u32::from(u16::MAX)) as u16);
    }

    /// Whether a success of this name from there is suspicious.
    pub fn is_suspicious(&self, network: NetworkHash, name: u64, now_s: u32) -> bool {
        let Some(guesser) = self.networks.get(&network) else {
            return false;
        };
        let slice = now_s / SLICE_S;
        let accounts = guesser
            .guesses
            .iter()
            .filter(|g| g.in_last_hour(slice) > 0)
            .count();
        accounts >= SUSPICIOUS_ACCOUNTS
            || guesser
                .guesses
                .iter()
                .any(|g| g.name == name && g.in_last_hour(slice) >= SUSPICIOUS_FAILURES)
    }

    /// Drops what is older than an hour; where that is too little, the older half.
    fn make_room(&mut self, now_s: u32) {
        self.networks
            .retain(|_, g| g.last_s.saturating_add(HOUR_S) > now_s);
        if self.networks.len() < GUESSERS_MAX {
            return;
        }
        let mut times: Vec<u32> = self.networks.values().map(|g| g.last_s).collect();
        let (_, &mut middle, _) = times.select_nth_unstable(GUESSERS_MAX / 2);
        self.networks.retain(|_, g| g.last_s > middle);
        if self.networks.len() >= GUESSERS_MAX {
            self.networks.clear();
        }
    }
}
