//! A line being written, and the stamp in front of it. Formatted by hand: `format!` is too slow for
//! logs of millions of lines.

use super::host::Program;
use super::queue_id::QueueId;
use super::truth::Series;

/// A line without its stamp, and what it adds to the truth when it reaches the log.
pub(super) struct Line {
    pub bytes: Vec<u8>,
    pub program: Program,
    pub counts: Vec<(Series, u64)>,
}

impl Line {
    pub fn s(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    pub fn id(&mut self, id: QueueId) -> &mut Self {
        self.bytes.extend_from_slice(id.as_bytes());
        self
    }

    pub fn n(&mut self, n: u64) -> &mut Self {
        let mut digits = itoa::Buffer::new();
        self.bytes.extend_from_slice(digits.format(n).as_bytes());
        self
    }

    /// Lower-case hex of `width` digits: the stuff that session ids are made of.
    pub fn hex(&mut self, n: u64, width: u32) -> &mut Self {
        for digit in (0..width).rev() {
            self.bytes
                .push(b"0123456789abcdef"[(n >> (4 * digit) & 15) as usize]);
        }
        self
    }

    /// Postfix's delays: two significant digits, at most two decimals, no trailing zeros.
    pub fn delay(&mut self, ms: u64) -> &mut Self {
        let (whole, rest, width) = match ms {
            0..995 => ((ms + 5) / 1000, (ms + 5) / 10 % 100, 2),
            995..9950 => ((ms + 50) / 1000, (ms + 50) / 100 % 10, 1),
            _ => ((ms + 500) / 1000, 0, 0),
        };
        self.n(whole);
        if rest > 0 {
            self.bytes.push(b'.');
            if width == 2 {
                self.bytes.push(b'0' + (rest / 10) as u8);
            }
            if width == 1 || rest % 10 > 0 {
                self.bytes.push(b'0' + (rest % 10) as u8);
            }
        }
        self
    }

    pub fn count(&mut self, series: Series) -> &mut Self {
        self.add(series, 1)
    }

    pub fn add(&mut self, series: Series, by: u64) -> &mut Self {
        self.counts.push((series, by));
        self
    }
}

/// The form of a line's stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// `Nov 24 00:16:31`
    Traditional,
    /// `2026-11-24T00:16:31.123456+01:00`
    Rfc3339,
}

/// Writes stamps, and remembers the last second's: most lines share it with the line before.
pub(super) struct Clock {
    form: Stamp,
    offset_minutes: i32,
    second: u64,
    text: Vec<u8>,
    zone: Vec<u8>,
}

impl Clock {
    pub fn new(form: Stamp, offset_minutes: i32) -> Self {
        let minutes = offset_minutes.unsigned_abs();
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let zone = format!("{sign}{:02}:{:02} ", minutes / 60, minutes % 60).into_bytes();
        Clock {
            form,
            offset_minutes,
            second: u64::MAX,
            text: Vec::new(),
            zone,
        }
    }

    pub fn write(&mut self, at_us: u64, out: &mut Vec<u8>) {
        let second = at_us / 1_000_000;
        if second != self.second {
            self.second = second;
            self.second_text();
        }
        out.extend_from_slice(&self.text);
        if self.form == Stamp::Rfc3339 {
            let mut digits = *b".000000";
            let mut rest = at_us % 1_000_000;
            for digit in digits[1..].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            out.extend_from_slice(&digits);
            out.extend_from_slice(&self.zone);
        }
    }

    fn second_text(&mut self) {
        let local_s = self
            .second
            .saturating_add_signed(i64::from(self.offset_minutes) * 60);
        let text = match self.form {
            Stamp::Traditional => traditional(local_s) + " ",
            Stamp::Rfc3339 => {
                let (year, month, day) = date((local_s / 86_400) as i64);
                let (hour, minute, second) = (local_s / 3600 % 24, local_s / 60 % 60, local_s % 60);
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
            }
        };
        self.text.clear();
        self.text.extend_from_slice(text.as_bytes());
    }
}

/// The stamp of old, of a second as a local clock shows it.
pub(super) fn traditional(local_s: u64) -> String {
    let (_, month, day) = date((local_s / 86_400) as i64);
    let (hour, minute, second) = (local_s / 3600 % 24, local_s / 60 % 60, local_s % 60);
    let month = MONTHS[month as usize - 1];
    format!("{month} {day:>2} {hour:02}:{minute:02}:{second:02}")
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Year, month and day of a day since 1970: Howard Hinnant's `civil_from_days`.
fn date(day: i64) -> (i64, u32, u32) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ms: u64) -> String {
        let mut line = Line {
            bytes: Vec::new(),
            program: Program::Smtp,
            counts: Vec::new(),
        };
        line.delay(ms);
        String::from_utf8(line.bytes).unwrap_or_default()
    }

    #[test]
    fn delays_have_two_digits_that_count() {
        let cases = [
            (0, "0"),
            (4, "0"),
            (5, "0.01"),
            (20, "0.02"),
            (100, "0.1"),
            (164, "0.16"),
            (994, "0.99"),
            (995, "1"),
            (1600, "1.6"),
            (1949, "1.9"),
            (9949, "9.9"),
            (9950, "10"),
            (12_400, "12"),
            (2_017_000, "2017"),
        ];
        for (ms, expected) in cases {
            assert_eq!(text(ms), expected, "{ms} ms");
        }
    }

    #[test]
    fn stamps() {
        let at_us = 1_709_164_799_000_012;
        let mut out = Vec::new();
        Clock::new(Stamp::Rfc3339, 90).write(at_us, &mut out);
        Clock::new(Stamp::Traditional, 0).write(at_us + 86_400_000_000, &mut out);
        Clock::new(Stamp::Rfc3339, -210).write(at_us, &mut out);
        let expected = b"2024-02-29T01:29:59.000012+01:30 Feb 29 23:59:59 \
            2024-02-28T20:29:59.000012-03:30 ";
        assert_eq!(out, expected);
    }
}
