//! Queue ids as Postfix makes them, short and long.

/// Fits every id: at most 6 + 4 + 1 + 11 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueId {
    bytes: [u8; 22],
    len: u8,
}

impl QueueId {
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.len)] = byte;
        self.len += 1;
    }

    fn number(&mut self, mut n: u64, digits: &[u8], width: usize) {
        let mut reversed = [0; 22];
        let mut len = 0;
        while n > 0 || len < width {
            reversed[len] = digits[(n % digits.len() as u64) as usize];
            n /= digits.len() as u64;
            len += 1;
        }
        for &digit in reversed[..len].iter().rev() {
            self.push(digit);
        }
    }
}

const HEX: &[u8] = b"0123456789ABCDEF";
/// Postfix's alphabet without vowels; an inode is written without the last, `z`, which separates.
const SAFE: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/// One queue's ids. Inodes are never used again, so an id is never that of another message.
pub(super) struct QueueIds {
    long: bool,
    inode: u64,
}

impl QueueIds {
    pub fn new(long: bool, first_inode: u64) -> Self {
        QueueIds {
            long,
            inode: first_inode,
        }
    }

    /// The id of a queue file made at `at_us` (microseconds since 1970).
    pub fn next(&mut self, at_us: u64) -> QueueId {
        self.inode += 1 + at_us % 3;
        let mut id = QueueId {
            bytes: [0; 22],
            len: 0,
        };
        if self.long {
            id.number(at_us / 1_000_000, SAFE, 6);
            id.number(at_us % 1_000_000, SAFE, 4);
            id.push(b'z');
            id.number(self.inode, &SAFE[..51], 1);
        } else {
            id.number(at_us % 1_000_000, HEX, 5);
            id.number(self.inode, HEX, 1);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shapes_of_postfix() {
        let mut long = QueueIds::new(true, 51 * 51);
        assert_eq!(long.next(0).as_bytes(), b"0000000000z101");
        let id = long.next(1_795_424_400_123_456);
        assert_eq!(id.as_bytes().len(), 14);
        assert!(id.as_bytes().iter().all(|byte| SAFE.contains(byte)));
        let mut short = QueueIds::new(false, 0xabcd);
        assert_eq!(short.next(1_000_000 * 7 + 15).as_bytes(), b"0000FABCF");
    }
}
