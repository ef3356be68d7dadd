//! `Nov 24 00:16:31`, the stamp that says neither year nor zone.
//! In: a line that begins with it. Out: milliseconds, and the line behind the stamp and its blank.
//! Start reading at [`Stamps::read`].
//!
//! Sources: rsyslog's RSYSLOG_TraditionalFileFormat and RSYSLOG_TraditionalForwardFormat;
//! sysklogd, syslog-ng's default; `journalctl -o short`. syslog(3) of glibc and musl writes the
//! same without a host to /dev/log. The day is padded with a blank there (`Nov  4`), and with a
//! zero in Postfix's own file (`maillog_file`: util/msg_logger.c, `%b %d %H:%M:%S `, then the
//! first label of myhostname, then `tag[pid]: `, since 3.4), which needs no file of its own here.

use super::rfc3339::two;
use super::time::{Clock, HOUR_MS, MINUTE_MS, SECOND_MS};

/// What the last stamp came to: a busy log writes the same second, or the same day, again.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps {
    /// `Nov 24 00:16:31 `
    stamp: u128,
    stamp_ms: i64,
    /// `Nov 24`
    day: [u8; 6],
    /// Its midnight, as if it were UTC.
    day_ms: i64,
}

impl Stamps {
    #[inline(always)]
    pub(super) fn read<'a>(
        &mut self,
        line: &'a [u8],
        clock: &mut Clock,
    ) -> Option<(i64, &'a [u8])> {
        let (stamp, rest) = line.split_first_chunk::<16>()?;
        let key = u128::from_le_bytes(*stamp);
        // Another form may have moved the clock since: then the year is asked for again.
        if key == self.stamp && clock.stands_at(self.stamp_ms) {
            return Some((self.stamp_ms, rest));
        }
        self.stamp_ms = self.new_stamp_ms(stamp, clock)?;
        self.stamp = key;
        clock.saw(self.stamp_ms);
        Some((self.stamp_ms, rest))
    }

    #[inline(never)]
    fn new_stamp_ms(&mut self, stamp: &[u8; 16], clock: &mut Clock) -> Option<i64> {
        let [
            m,
            o,
            n,
            b' ',
            d,
            a,
            b' ',
            h,
            u,
            b':',
            i,
            t,
            b':',
            s,
            e,
            b' ',
        ] = *stamp
        else {
            return None;
        };
        let (hour, minute) = (two(h, u)?, two(i, t)?);
        if hour > 23 || minute > 59 {
            return None;
        }
        let in_minute_ms = match two(s, e)? {
            second @ 0..=59 => second * SECOND_MS,
            60 => MINUTE_MS - 1,
            _ => return None,
        };
        let in_day_ms = hour * HOUR_MS + minute * MINUTE_MS + in_minute_ms;
        let day = [m, o, n, b' ', d, a];
        if self.day != day || !clock.is_near(self.day_ms + in_day_ms) {
            let month = month([m, o, n])?;
            let day_of_month = two(if d == b' ' { b'0' } else { d }, a)?;
            self.day_ms = clock.infer_midnight_ms(month, day_of_month, in_day_ms)?;
            self.day = day;
        }
        Some(clock.utc_ms(self.day_ms + in_day_ms))
    }
}

/// Always English: every writer of this form fixes the locale.
fn month(name: [u8; 3]) -> Option<i64> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}
