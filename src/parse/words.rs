//! Finds words in a reply or a policy's text, in one pass.
//!
//! A word of the list is found where one begins (after anything but a letter or a digit), whatever
//! its case; what follows it is free, so `greylist` finds `Greylisted`. A word that ends in `$` must
//! end there too. Addresses and what stands in `<...>` are passed over: they belong to senders and
//! recipients, who may be called `<spam@greylist.example>`.
//! Nothing is allocated; the cost is about that of reading the text.

/// A list of words, each with what it stands for.
pub(crate) struct Words<T: 'static> {
    /// In the order of their first byte.
    list: &'static [(&'static str, T)],
    /// Where in the list the words that begin with a byte start.
    starts: [u16; 129],
    /// For each first byte, which second ones there are: a bit for each, five bits wide.
    seconds: [u32; 128],
}

/// Only so much of a text is looked at.
const TEXT_MAX: usize = 2048;

impl<T: Copy + 'static> Words<T> {
    /// Does not compile with a list that is out of order, or has an upper-case word.
    #[expect(clippy::indexing_slicing, reason = "runs when it is compiled")]
    pub(crate) const fn new(list: &'static [(&'static str, T)]) -> Words<T> {
        let mut starts = [0u16; 129];
        let mut seconds = [0u32; 128];
        let mut byte = 0usize;
        let mut index = 0usize;
        while byte < 128 {
            starts[byte] = index as u16;
            while index < list.len() && list[index].0.as_bytes()[0] as usize == byte {
                assert!(list[index].0.len() > 1, "a word has two bytes at least");
                seconds[byte] |= 1 << (list[index].0.as_bytes()[1] & 31);
                index += 1;
            }
            byte += 1;
        }
        starts[128] = index as u16;
        assert!(
            index == list.len(),
            "words must be in the order of their first byte"
        );
        Words {
            list,
            starts,
            seconds,
        }
    }

    /// Calls `found` for each word in the text, in the order of the text, until it says `false`.
    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(T) -> bool) {
        let text = text.get(..TEXT_MAX).unwrap_or(text);
        let mut rest = text;
        let mut token_begins = true;
        // How much was left at the next `@`; more than is left means that it is not known.
        let mut at_sign_left = usize::MAX;
        while let Some((&byte, after)) = rest.split_first() {
            // Here a word begins, or no letter or digit stands.
            if token_begins {
                if at_sign_left > rest.len() {
                    at_sign_left = memchr::memchr(b'@', rest).map_or(0, |at| rest.len() - at);
                }
                if at_sign_left > 0 {
                    let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
                    if rest.len() - at_sign_left < end {
                        rest = rest.get(end..).unwrap_or_default();
                        token_begins = false;
                        continue;
                    }
                }
            }
            if byte == b'<'
                && let Some(end) = memchr::memchr(b'>', after)
            {
                rest = after.get(end + 1..).unwrap_or_default();
                token_begins = false;
                continue;
            }
            // Most words differ in the second byte; every word has two.
            let second = after.first().map_or(0, u8::to_ascii_lowercase);
            if self.may_begin(byte.to_ascii_lowercase(), second) {
                for (word, value) in self.beginning_with(byte.to_ascii_lowercase()) {
                    let word = word.as_bytes();
                    if word.get(1) == Some(&second) && stands_here(word, rest) && !found(*value) {
                        return;
                    }
                }
            }
            token_begins = byte == b' ';
            rest = after;
            if byte.is_ascii_alphanumeric() {
                while let Some((b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z', after)) =
                    rest.split_first()
                {
                    rest = after;
                }
                // What ends the word begins none.
                if let Some((end, after)) = rest.split_first()
                    && *end != b'<'
                {
                    token_begins = *end == b' ';
                    rest = after;
                }
            }
        }
    }

    #[inline]
    fn may_begin(&self, first: u8, second: u8) -> bool {
        self.seconds
            .get(usize::from(first))
            .is_some_and(|seconds| seconds >> (second & 31) & 1 != 0)
    }

    /// The first word in the text.
    pub(crate) fn first(&self, text: &[u8]) -> Option<T> {
        let mut first = None;
        self.find(text, |value| {
            first = Some(value);
            false
        });
        first
    }

    #[inline]
    fn beginning_with(&self, byte: u8) -> &'static [(&'static str, T)] {
        let at = |index: usize| self.starts.get(index).map(|&start| usize::from(start));
        match (at(usize::from(byte)), at(usize::from(byte) + 1)) {
            (Some(start), Some(end)) => self.list.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[inline]
fn stands_here(word: &[u8], text: &[u8]) -> bool {
    let (word, whole) = match word.strip_suffix(b"$") {
        Some(word) => (word, true),
        None => (word, false),
    };
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
        && !(whole && text.get(word.len()).is_some_and(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    static WORDS: Words<u8> =
        Words::new(&[("block list", 1), ("rbl$", 2), ("spam", 3), ("zen", 4)]);

    fn all(text: &str) -> Vec<u8> {
        let mut found = Vec::new();
        WORDS.find(text.as_bytes(), |value| {
            found.push(value);
            true
        });
        found
    }

    #[test]
    fn words() {
        assert_eq!(all("on our Block List (S3140)"), [1]);
        assert_eq!(all("blocked by zen.spamhaus.org"), [4, 3]);
        assert_eq!(all("RBL: listed; rbldns; xrbl"), [2]);
        assert_eq!(
            all("<spam@x>: zen@spam.example <a spam b> antispam"),
            Vec::<u8>::new()
        );
        assert_eq!(all("a < b spam"), [3]);
        assert_eq!(WORDS.first(b"x zen spam"), Some(4));
        assert_eq!(all("spa"), Vec::<u8>::new());
        assert_eq!(all(""), Vec::<u8>::new());
    }
}
