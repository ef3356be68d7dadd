//! Holds newborn series at 0 until Prometheus has seen them there.
//!
//! `increase()` cannot see the first value of a series: one that is born at 400 has risen by 0.
//! So a series of a user, a relay or a domain is shown at 0 first, for at least one scrape and
//! long enough that every scraper came by; what was counted meanwhile shows at once after that.
//! Others are there from the start (see [`zeros`](super::zeros)), or are not held.
//! History (lines that were old when they were read) is not held: nobody was there to watch.
//! In: births, the time. Out: which cells a scrape must show as 0.
//! Never: a lost increment; cells count on while they are held.

use super::cells::Cells;

/// Lines this much older than now when they are read are history.
pub const HISTORY_AGE_MS: i64 = 5 * 60 * 1_000;

/// What time it is, by the log and by the wall.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    /// The wall clock.
    pub now_ms: i64,
    /// The latest time that the log or, at its end, the wall has told. Never goes back.
    pub log_ms: i64,
    /// What is counted now is history.
    pub history: bool,
}

impl Clock {
    pub fn set(&mut self, line_time_ms: Option<i64>, now_ms: i64) {
        self.now_ms = now_ms;
        match line_time_ms {
            Some(line_ms) => {
                self.history = line_ms < now_ms.saturating_sub(HISTORY_AGE_MS);
                // A stamp far ahead of the wall never moves the clock.
                if line_ms <= now_ms.saturating_add(HISTORY_AGE_MS) {
                    self.log_ms = self.log_ms.max(line_ms);
                }
            }
            None => {
                self.history = false;
                self.log_ms = self.log_ms.max(now_ms);
            }
        }
    }
}

/// Some cells of one block, born together.
#[derive(Debug)]
struct Held {
    base: u32,
    /// Which cells of the block: bit 0 is `base`.
    mask: u64,
    born_ms: i64,
    /// A scrape has shown them at 0.
    shown: bool,
}

/// All that is held.
#[derive(Debug, Default)]
pub(super) struct Births {
    hold_ms: i64,
    held: Vec<Held>,
}

impl Births {
    pub fn new(hold_ms: u64) -> Self {
        Births {
            hold_ms: i64::try_from(hold_ms).unwrap_or(i64::MAX),
            held: Vec::new(),
        }
    }

    /// Cells of the block at `base` were born.
    pub fn born(&mut self, base: u32, mask: u64, clock: &Clock) {
        if self.hold_ms > 0 && !clock.history {
            self.held.push(Held {
                base,
                mask,
                born_ms: clock.now_ms,
                shown: false,
            });
        }
    }

    /// The block at `base` is no more.
    pub fn ended(&mut self, base: u32) {
        self.held.retain(|held| held.base != base);
    }

    /// A scrape at `now_ms`: lets go what was held long enough, blanks the rest in `shown`.
    pub fn scrape(&mut self, now_ms: i64, shown: &mut Cells) {
        let hold_ms = self.hold_ms;
        self.held.retain_mut(|held| {
            // A wall clock that was set back must not hold for years.
            held.born_ms = held.born_ms.min(now_ms);
            if held.shown && now_ms.saturating_sub(held.born_ms) >= hold_ms {
                return false;
            }
            held.shown = true;
            shown.blank(held.base, held.mask);
            true
        });
    }
}
