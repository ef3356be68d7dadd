//! What a syslog daemon says in place of the same message again.
//! In: a message. Out: how many times it was said, and the message itself.

/// Source: rsyslog action.c, ` message repeated %d times: [%.800s]` around a message that begins
/// with its own blank. `$RepeatedMsgReduction on`, Ubuntu's default for long. The first message
/// was logged in full before, so N counts only the others; a text over 800 bytes comes cut.
///
/// Hostile: whoever writes to the log may write any N. What is no `u32`, or 0, counts once.
/// sysklogd's `last message repeated 3 times` does not say what was said: a plain message.
#[inline]
pub(super) fn cut(message: &[u8]) -> (u32, &[u8]) {
    // Nearly every line leaves here.
    if message.first() != Some(&b'm') {
        return (1, message);
    }
    unwrap(message).unwrap_or((1, message))
}

#[inline(never)]
fn unwrap(message: &[u8]) -> Option<(u32, &[u8])> {
    let rest = message.strip_prefix(b"message repeated ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let inner = rest.strip_prefix(b" times: [")?.strip_suffix(b"]")?;
    let inner = inner.strip_prefix(b" ").unwrap_or(inner);
    let mut times: u32 = 0;
    for digit in number {
        times = match times
            .checked_mul(10)
            .and_then(|times| times.checked_add(u32::from(digit - b'0')))
        {
            Some(times) => times,
            None => return Some((1, inner)),
        };
    }
    Some((times.max(1), inner))
}
