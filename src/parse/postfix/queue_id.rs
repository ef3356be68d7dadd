//! The queue id that most lines begin with.
//!
//! Short: upper-case hexadecimal (microseconds, inode). Long (`enable_long_queue_ids`): digits and
//! letters in both cases, its first part the seconds, so that a digit is always in it. Words such as
//! `warning`, `NOQUEUE` and `TLSRPT` are neither. (Postfix leaves out the vowels; a log that somebody
//! has made unrecognisable may not, and nothing is gained by refusing it.)
//! Source: postfix global/mail_queue.h.

/// Longest id that is taken for one; Postfix's own are at most 20.
const LENGTH_MAX: usize = 32;
const LENGTH_MIN: usize = 5;

const HEX: u8 = 1;
const LONG: u8 = 2;
const DIGIT: u8 = 4;

#[expect(clippy::indexing_slicing, reason = "runs when it is compiled")]
const CLASS: [u8; 256] = {
    let mut class = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => HEX | LONG | DIGIT,
            b'A'..=b'F' => HEX | LONG,
            b'G'..=b'Z' | b'a'..=b'z' => LONG,
            _ => 0,
        };
        byte += 1;
    }
    class
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(0)
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Eight bytes at once: the high bit of each that is no letter or digit, and of each digit.
#[inline]
fn others_and_digits(word: u64) -> (u64, u64) {
    // Seven bits a byte, so that no sum runs over into the next.
    let low = word & !HIGHS;
    let digits = (low + ONES * (0x80 - 0x30)) & !(low + ONES * (0x80 - 0x3a)) & !word & HIGHS;
    let lower = low | (ONES * 0x20);
    let letters = (lower + ONES * (0x80 - 0x61)) & !(lower + ONES * (0x80 - 0x7b)) & !word & HIGHS;
    (HIGHS ^ (digits | letters), digits)
}

/// Whether the whole text is a queue id.
#[inline]
pub(crate) fn is_queue_id(text: &[u8]) -> bool {
    // Postfix's own, whose two halves may overlap.
    if text.len() <= 16
        && let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
    {
        let (others, digits) = others_and_digits(u64::from_le_bytes(*first));
        let (last_others, last_digits) = others_and_digits(u64::from_le_bytes(*last));
        if others | last_others != 0 {
            return false;
        }
        if digits | last_digits != 0 {
            return true;
        }
    }
    is_odd_queue_id(text)
}

fn is_odd_queue_id(text: &[u8]) -> bool {
    if text.len() < LENGTH_MIN || text.len() > LENGTH_MAX {
        return false;
    }
    let mut all = HEX | LONG;
    let mut any = 0;
    for &byte in text {
        let class = class(byte);
        all &= class;
        any |= class;
    }
    all & HEX != 0 || (all & LONG != 0 && any & DIGIT != 0)
}

/// `QID: rest`.
#[inline]
pub(crate) fn split(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match short_length(message) {
        Some(length) => length,
        None => odd_length(message)?,
    };
    let (id, rest) = message.split_at_checked(length)?;
    Some((id, rest.strip_prefix(b": ")?))
}

/// The length of an id of 8 to 15 bytes that has a digit.
#[inline]
fn short_length(message: &[u8]) -> Option<usize> {
    let (first, rest) = message.split_first_chunk::<8>()?;
    let (others, digits) = others_and_digits(u64::from_le_bytes(*first));
    let second = u64::from_le_bytes(*rest.first_chunk::<8>()?);
    let (ends, second_digits) = others_and_digits(second);
    let before_end = (ends & ends.wrapping_neg()).wrapping_sub(1);
    if others != 0 || ends == 0 || digits | second_digits & before_end == 0 {
        return None;
    }
    Some(8 + (ends.trailing_zeros() / 8) as usize)
}

fn odd_length(message: &[u8]) -> Option<usize> {
    let length = message
        .iter()
        .take(LENGTH_MAX + 1)
        .take_while(|&&byte| class(byte) != 0)
        .count();
    is_odd_queue_id(message.get(..length)?).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_queue_id() {
        for id in [
            "4C9E41A0B2",
            "ABCDEF",
            "3mPVKl0Mhjz7sXv",
            "4c9XYz12Abz3",
            "4dF1q06Yrkz5Hs",
        ] {
            assert!(is_queue_id(id.as_bytes()), "{id}");
            let line = format!("{id}: removed");
            assert_eq!(
                split(line.as_bytes()),
                Some((id.as_bytes(), &b"removed"[..]))
            );
        }
        for word in [
            "warning",
            "NOQUEUE",
            "TLSRPT",
            "statistics",
            "fatal",
            "error",
            "panic",
            "",
            "A1",
            "4c9XYz12Abz34c9XYz12Abz34c9XYz12Abz3",
            "4C9E41A0 B2",
            "smtp_x1",
        ] {
            assert!(!is_queue_id(word.as_bytes()), "{word}");
            assert_eq!(split(format!("{word}: removed").as_bytes()), None, "{word}");
        }
        assert_eq!(split(b"4C9E41A0B2"), None);
        assert_eq!(split(b"4C9E41A0B2:removed"), None);
    }
}
