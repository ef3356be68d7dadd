//! `2026-11-24T00:16:31.123456+01:00`, the stamp that says all.
//! In: a line that begins with it. Out: milliseconds, and the line behind the stamp and its blank.
//! Start reading at [`Stamps::read`].

use super::time::{Clock, HOUR_MS, MINUTE_MS, SECOND_MS, midnight_ms};

/// What the last stamp came to: a busy log writes the same minute and zone again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps {
    /// `2026-11-24T00:16`
    minute: u128,
    minute_ms: i64,
    /// `+01:00 ` and a zero
    zone: u64,
    zone_ms: i64,
}

impl Stamps {
    /// Reads a stamp and tells the clock of it.
    #[inline]
    pub(super) fn read<'a>(
        &mut self,
        line: &'a [u8],
        clock: &mut Clock,
    ) -> Option<(i64, &'a [u8])> {
        let (time_ms, rest) = self.parse(line, clock)?;
        clock.saw(time_ms);
        Some((time_ms, rest))
    }

    /// Source: RFC 3339 5.6; rsyslog's RSYSLOG_FileFormat (Debian 12's default) and
    /// RSYSLOG_ForwardFormat; journalctl's short-iso, whose older versions write `+0100`.
    /// A blank for the `T` is tolerated, as is a missing zone: then it is the host's.
    /// A leap second is the last millisecond of its minute. Digits beyond milliseconds are cut.
    #[inline]
    pub(super) fn parse<'a>(
        &mut self,
        line: &'a [u8],
        clock: &mut Clock,
    ) -> Option<(i64, &'a [u8])> {
        let (minute, rest) = line.split_first_chunk::<16>()?;
        let key = u128::from_le_bytes(*minute);
        if key != self.minute {
            self.minute_ms = minute_ms(minute)?;
            self.minute = key;
        }
        let ([b':', tens, ones], rest) = rest.split_first_chunk::<3>()? else {
            return None;
        };
        let second = two(*tens, *ones)?;
        let (fraction_ms, rest) = fraction_ms(rest)?;
        let in_minute_ms = match second {
            0..=59 => second * SECOND_MS + fraction_ms,
            60 => MINUTE_MS - 1,
            _ => return None,
        };
        let local_ms = self.minute_ms + in_minute_ms;
        let (zone_ms, rest) = self.zone_ms(rest)?;
        let time_ms = match zone_ms {
            Some(zone_ms) => local_ms - zone_ms,
            None => clock.utc_ms(local_ms),
        };
        Some((time_ms, rest))
    }

    /// `Z `, `+01:00 `, `+0100 `, or ` ` alone: no zone.
    #[inline]
    fn zone_ms<'a>(&mut self, text: &'a [u8]) -> Option<(Option<i64>, &'a [u8])> {
        match text {
            [b'Z' | b'z', b' ', rest @ ..] => Some((Some(0), rest)),
            [b' ', rest @ ..] => Some((None, rest)),
            [sign @ (b'+' | b'-'), rest @ ..] => {
                let key = match text.first_chunk::<8>() {
                    Some(bytes) => u64::from_le_bytes(*bytes) & (u64::MAX >> 8),
                    None => 0,
                };
                if key != 0 && key == self.zone {
                    return Some((Some(self.zone_ms), text.get(7..)?));
                }
                let (hours, minutes, rest) = match rest {
                    [h, o, b':', m, n, b' ', rest @ ..] => (two(*h, *o)?, two(*m, *n)?, rest),
                    [h, o, m, n, b' ', rest @ ..] => (two(*h, *o)?, two(*m, *n)?, rest),
                    _ => return None,
                };
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let east_ms = hours * HOUR_MS + minutes * MINUTE_MS;
                let zone_ms = if *sign == b'-' { -east_ms } else { east_ms };
                if rest.len() + 7 == text.len() {
                    self.zone = key;
                    self.zone_ms = zone_ms;
                }
                Some((Some(zone_ms), rest))
            }
            _ => None,
        }
    }
}

/// `2026-11-24T00:16`, as if it were UTC.
fn minute_ms(text: &[u8; 16]) -> Option<i64> {
    let [
        y,
        e,
        a,
        r,
        b'-',
        m,
        o,
        b'-',
        d,
        t,
        b'T' | b't' | b' ',
        h,
        u,
        b':',
        i,
        n,
    ] = *text
    else {
        return None;
    };
    let year = two(y, e)? * 100 + two(a, r)?;
    let (hour, minute) = (two(h, u)?, two(i, n)?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let day_ms = midnight_ms(year, two(m, o)?, two(d, t)?)?;
    Some(day_ms + hour * HOUR_MS + minute * MINUTE_MS)
}

/// `.123456`, or nothing.
#[inline]
fn fraction_ms(text: &[u8]) -> Option<(i64, &[u8])> {
    match six_digits_ms(text) {
        Some(fraction) => Some(fraction),
        None => odd_fraction_ms(text),
    }
}

/// Six digits, as rsyslog and journalctl write, and something else: eight bytes at once.
#[inline]
fn six_digits_ms(text: &[u8]) -> Option<(i64, &[u8])> {
    const SIX_BYTES: u64 = u64::from_le_bytes([1, 1, 1, 1, 1, 1, 0, 0]);
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?);
    let digits = (word >> 8) ^ (SIX_BYTES * 0x30);
    let not_digits = (digits | digits.wrapping_add(SIX_BYTES * 6)) & (SIX_BYTES * 0xf0);
    if word as u8 != b'.' || not_digits != 0 || ((word >> 56) as u8).is_ascii_digit() {
        return None;
    }
    let digit = |at: u32| i64::from((digits >> (8 * at)) as u8);
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), text.get(7..)?))
}

fn odd_fraction_ms(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = digits.split_at_checked(length)?;
    let digit = |byte: &u8| i64::from(byte - b'0');
    let fraction_ms = match digits {
        [] => return None,
        [a] => digit(a) * 100,
        [a, b] => digit(a) * 100 + digit(b) * 10,
        [a, b, c, ..] => digit(a) * 100 + digit(b) * 10 + digit(c),
    };
    Some((fraction_ms, rest))
}

/// Two digits.
#[inline]
pub(super) fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}
