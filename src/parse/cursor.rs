//! Walks over bytes from the left.
//!
//! Nothing here panics, allocates or knows a daemon.

/// What is left of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: text }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Goes past `literal` if it stands here.
    #[inline]
    pub(crate) fn eat(&mut self, literal: &[u8]) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before the first `byte`; goes past it.
    #[inline]
    pub(crate) fn until_byte(&mut self, byte: u8) -> Option<&'a [u8]> {
        let at = memchr::memchr(byte, self.rest)?;
        let (before, after) = self.rest.split_at_checked(at)?;
        self.rest = after.get(1..)?;
        Some(before)
    }

    /// What stands before the first `literal`; goes past it.
    pub(crate) fn until(&mut self, literal: &[u8]) -> Option<&'a [u8]> {
        let (before, after) = split_once(self.rest, literal)?;
        self.rest = after;
        Some(before)
    }

    /// The next `length` bytes.
    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// A decimal number; saturates.
    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (value, digits) = digits(self.rest);
        if digits == 0 {
            return None;
        }
        self.take(digits)?;
        Some(value)
    }

    /// A decimal number of at most 32 bits; saturates.
    #[inline]
    pub(crate) fn number_u32(&mut self) -> Option<u32> {
        Some(u32::try_from(self.number()?).unwrap_or(u32::MAX))
    }

    /// Seconds with decimals (`0.02`, `1.6`, `2017`) in milliseconds.
    #[inline]
    pub(crate) fn seconds_ms(&mut self) -> Option<u64> {
        // As most are: under ten seconds, two decimals at most, and text behind them.
        let digit = |byte: u8| u64::from(byte.wrapping_sub(b'0'));
        if let [a @ b'0'..=b'9', b, c, d, e, ..] = *self.rest {
            if b != b'.' && !b.is_ascii_digit() {
                self.take(1)?;
                return Some(digit(a) * 1000);
            }
            if b == b'.' && c.is_ascii_digit() {
                if !d.is_ascii_digit() {
                    self.take(3)?;
                    return Some(digit(a) * 1000 + digit(c) * 100);
                }
                if !e.is_ascii_digit() {
                    self.take(4)?;
                    return Some(digit(a) * 1000 + digit(c) * 100 + digit(d) * 10);
                }
            }
        }
        self.any_seconds_ms()
    }

    fn any_seconds_ms(&mut self) -> Option<u64> {
        let ms = self.number()?.saturating_mul(1000);
        let Some(rest) = self.rest.strip_prefix(b".") else {
            return Some(ms);
        };
        let (value, length) = digits(rest);
        let ms_after = match length {
            0 => return Some(ms),
            1 => value * 100,
            2 => value * 10,
            3 => value,
            // More than the log ever has (`delay_logging_resolution_limit` is at most 6).
            4..=19 => value / 10u64.pow(length as u32 - 3),
            _ => 0,
        };
        self.take(length + 1)?;
        Some(ms.saturating_add(ms_after))
    }
}

/// The number at the start, and how many digits it has; saturates.
#[inline]
fn digits(text: &[u8]) -> (u64, usize) {
    let mut value: u64 = 0;
    let mut digits = 0usize;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        digits += 1;
    }
    // 19 digits always fit.
    (if digits > 19 { u64::MAX } else { value }, digits)
}

/// Where the first `literal` begins.
///
/// By its first byte: a searcher for the whole would be longer in the making than a log line is in
/// the reading.
#[inline]
pub(crate) fn find(text: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    memchr::memchr_iter(first, text)
        .find(|&at| text.get(at..).is_some_and(|rest| rest.starts_with(literal)))
}

/// Where the last `literal` begins.
#[inline]
pub(crate) fn rfind(text: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    memchr::memrchr_iter(first, text)
        .find(|&at| text.get(at..).is_some_and(|rest| rest.starts_with(literal)))
}

/// Before and after the first `literal`.
#[inline]
pub(crate) fn split_once<'a>(text: &'a [u8], literal: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, literal)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.get(literal.len()..)?))
}

/// Before and after the last `literal`.
#[inline]
pub(crate) fn rsplit_once<'a>(text: &'a [u8], literal: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = rfind(text, literal)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.get(literal.len()..)?))
}

/// A decimal number at the end: what stands before it, and the number; saturates.
#[inline]
pub(crate) fn rsplit_number(text: &[u8]) -> Option<(&[u8], u64)> {
    let mut value: u64 = 0;
    let mut unit: u64 = 1;
    let mut before = text;
    while let [rest @ .., byte] = before {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_add(unit.wrapping_mul(u64::from(digit)));
        unit = unit.wrapping_mul(10);
        before = rest;
    }
    match text.len() - before.len() {
        0 => None,
        // These always fit.
        1..=19 => Some((before, value)),
        _ => Some((before, saturating(text.get(before.len()..)?))),
    }
}

#[cold]
fn saturating(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value: u64, byte| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(byte.wrapping_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let ms = |text: &str| Cursor::new(text.as_bytes()).seconds_ms();
        assert_eq!(ms("0.02"), Some(20));
        assert_eq!(ms("1.6, "), Some(1600));
        assert_eq!(ms("2017"), Some(2_017_000));
        assert_eq!(ms("0"), Some(0));
        assert_eq!(ms("0.123456"), Some(123));
        assert_eq!(ms("99999999999999999999"), Some(u64::MAX));
        assert_eq!(ms("x"), None);
        assert_eq!(rsplit_number(b"nrcpt=17"), Some((&b"nrcpt="[..], 17)));
        assert_eq!(rsplit_number(b"nrcpt="), None);
        assert_eq!(
            rsplit_number(b"=99999999999999999999999").map(|n| n.1),
            Some(u64::MAX)
        );
    }
}
