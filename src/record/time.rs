//! What a stamp does not say: its year, its zone.
//! In: local times, in the order of their lines. Out: milliseconds since the Unix epoch.
//! Never: the wall clock, but for the first stamp of a log. Start reading at [`Clock`].
//!
//! A time "as if it were UTC" (`local_ms`) is what the digits of a stamp come to before its zone
//! is taken off.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Nearer than this, no other year can be nearer, whatever the zone.
const NEAR_MS: i64 = 180 * DAY_MS;
/// A log's lines are not further apart than this, as a rule. A stamp that is says little: a device
/// has a wrong clock, or nobody wrote mail for a while.
const STEP_MAX_MS: i64 = 2 * DAY_MS;
/// So many of them in a row, none further from the one before it than this, are the log's time.
const RUN_LINES: u32 = 8;
const RUN_STEP_MAX_MS: i64 = 60 * DAY_MS;
/// A first stamp may be ahead of the wall clock by this: zones, and clocks that are wrong.
const AHEAD_MAX_MS: i64 = DAY_MS;
/// Processes write out of order; a stamp that is set back by more, in the hour that is had twice,
/// belongs to its second pass.
const DISORDER_MAX_MS: i64 = 2 * MINUTE_MS;
/// There is a Feb 29 at most this many years away (1896, 1904).
const LEAP_YEARS_APART_MAX: i64 = 8;

/// The log's time so far, and what follows from it for the next stamp.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    zone: TimeZone,
    now_ms: i64,
    /// The stamp that was read last.
    previous_ms: Option<i64>,
    /// The last one that was no odd jump: years are inferred from it.
    anchor_ms: Option<i64>,
    /// How many odd ones were read since.
    run: u32,
    /// A local hour that has one offset from its begin to its end.
    hour_ms: i64,
    hour_offset_ms: i64,
}

impl Clock {
    pub(super) fn new(zone: TimeZone, now_ms: i64) -> Self {
        Clock {
            zone,
            // Years 0 to 9999: all arithmetic below is far from any limit.
            now_ms: now_ms.clamp(-62_167_219_200_000, 253_402_300_799_999),
            previous_ms: None,
            anchor_ms: None,
            run: 0,
            hour_ms: i64::MIN,
            hour_offset_ms: 0,
        }
    }

    /// To be told of every stamp that a line had.
    #[inline]
    pub(super) fn saw(&mut self, time_ms: i64) {
        match self.anchor_ms {
            Some(anchor_ms) if !is_within(time_ms, anchor_ms, STEP_MAX_MS) => {
                self.saw_odd(time_ms);
            }
            _ => {
                self.anchor_ms = Some(time_ms);
                self.run = 0;
            }
        }
        self.previous_ms = Some(time_ms);
    }

    #[cold]
    fn saw_odd(&mut self, time_ms: i64) {
        let goes_on = self.run > 0
            && self
                .previous_ms
                .is_some_and(|previous_ms| is_within(time_ms, previous_ms, RUN_STEP_MAX_MS));
        self.run = if goes_on { self.run + 1 } else { 1 };
        if self.run >= RUN_LINES {
            self.anchor_ms = Some(time_ms);
            self.run = 0;
        }
    }

    /// Whether that is the stamp that was read last, and years are inferred from it.
    #[inline]
    pub(super) fn stands_at(&self, time_ms: i64) -> bool {
        self.previous_ms == Some(time_ms) && self.anchor_ms == Some(time_ms)
    }

    /// Whether a local time is so near to the log's that its year must be right.
    #[inline]
    pub(super) fn is_near(&self, local_ms: i64) -> bool {
        self.anchor_ms
            .is_some_and(|anchor_ms| (local_ms - anchor_ms).abs() < NEAR_MS)
    }

    /// The year that a stamp without one means: it is the one nearest to the log's time, so
    /// that a log runs on over New Year, and back over it where two lines are out of order. Stamps
    /// of a wrong clock do not move that time: else two of them would shift the year for good.
    /// The first stamp of a log has the latest year that is not in the future.
    /// Answers the day's midnight, as if it were UTC.
    pub(super) fn infer_midnight_ms(&self, month: i64, day: i64, in_day_ms: i64) -> Option<i64> {
        let span = match (month, day) {
            (2, 29) => LEAP_YEARS_APART_MAX,
            _ => 1,
        };
        let around = year_of(self.anchor_ms.unwrap_or(self.now_ms));
        let mut midnights = (around - span..=around + span)
            .rev()
            .filter_map(|year| midnight_ms(year, month, day));
        let time_ms = |midnight_ms: i64| {
            let local_ms = midnight_ms + in_day_ms;
            local_ms - self.offsets_ms(local_ms).0
        };
        match self.anchor_ms {
            Some(anchor_ms) => {
                midnights.min_by_key(|&midnight| time_ms(midnight).abs_diff(anchor_ms))
            }
            None => midnights.find(|&midnight| time_ms(midnight) <= self.now_ms + AHEAD_MAX_MS),
        }
    }

    /// Takes the zone off a local time. An hour that is had twice (the end of summer time) goes on
    /// from the stamp before it; one that never was is shifted by what the clock was put forward.
    #[inline]
    pub(super) fn utc_ms(&mut self, local_ms: i64) -> i64 {
        let in_hour_ms = local_ms.wrapping_sub(self.hour_ms) as u64;
        if in_hour_ms < HOUR_MS as u64 {
            return local_ms - self.hour_offset_ms;
        }
        self.utc_of_hour_ms(local_ms)
    }

    #[cold]
    fn utc_of_hour_ms(&mut self, local_ms: i64) -> i64 {
        let hour_ms = local_ms - local_ms.rem_euclid(HOUR_MS);
        let (first, last) = (
            self.offsets_ms(hour_ms),
            self.offsets_ms(hour_ms + HOUR_MS - 1),
        );
        // An offset that changes within the hour is another at its end.
        if first == last && first.0 == first.1 {
            self.hour_ms = hour_ms;
            self.hour_offset_ms = first.0;
            return local_ms - first.0;
        }
        let (earlier, later) = self.offsets_ms(local_ms);
        let before = [self.previous_ms, self.anchor_ms]
            .into_iter()
            .flatten()
            .find(|&before_ms| is_within(before_ms, local_ms - earlier, STEP_MAX_MS));
        match before {
            Some(previous_ms) if local_ms - earlier + DISORDER_MAX_MS < previous_ms => {
                local_ms - later
            }
            _ => local_ms - earlier,
        }
    }

    /// The offset of a local time, twice where it is had twice: first the one that makes it earlier.
    fn offsets_ms(&self, local_ms: i64) -> (i64, i64) {
        let Some(local) = civil(local_ms) else {
            return (0, 0);
        };
        let ms = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * SECOND_MS;
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => (ms(offset), ms(offset)),
            // The offset before the gap puts the time behind it.
            AmbiguousOffset::Gap { before, .. } => (ms(before), ms(before)),
            AmbiguousOffset::Fold { before, after } => (ms(before), ms(after)),
        }
    }
}

fn is_within(a_ms: i64, b_ms: i64, distance_ms: i64) -> bool {
    a_ms.abs_diff(b_ms) <= distance_ms.unsigned_abs()
}

/// For jiff, which knows years -9999 to 9999.
fn civil(local_ms: i64) -> Option<DateTime> {
    let (year, month, day) = date_of(local_ms);
    let seconds = local_ms.rem_euclid(DAY_MS) / SECOND_MS;
    DateTime::new(
        i16::try_from(year).ok()?,
        month as i8,
        day as i8,
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        0,
    )
    .ok()
}

/// Midnight of a day, as if it were UTC; `None` for a day that the year does not have.
///
/// The proleptic Gregorian calendar, by eras of 400 years that begin on March 1, so that the leap
/// day is a year's last.
pub(super) fn midnight_ms(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let march_year = year - i64::from(month <= 2);
    let (era, of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * DAY_MS)
}

/// [`midnight_ms`] backwards: year, month, day.
fn date_of(local_ms: i64) -> (i64, i64, i64) {
    let days = local_ms.div_euclid(DAY_MS) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

fn year_of(time_ms: i64) -> i64 {
    date_of(time_ms).0
}
