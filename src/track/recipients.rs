//! Whom an account wrote to before: a Bloom filter that grows as it fills, and ages.

/// What one account's filter may take.
pub const FILTER_BYTES_MAX: usize = 4_096;
const FIRST_LAYER_BYTES: usize = 64;
const LARGEST_LAYER_BYTES: usize = 2_048;
/// Bits for each address: with 6 probes, about 1 in 1,000 new ones passes for known in a full layer.
const BITS_PER_ADDRESS: usize = 14;
const PROBES: u32 = 6;

#[derive(Debug)]
struct Layer {
    words: Box<[u64]>,
    added: u32,
}

impl Layer {
    fn new(bytes: usize) -> Self {
        Layer {
            words: vec![0; bytes / 8].into_boxed_slice(),
            added: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.added as usize * BITS_PER_ADDRESS >= self.words.len() * 64
    }

    /// Word and bit of each probe: double hashing over a power of two.
    fn probes(&self, hash: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let mask = self.words.len() as u64 * 64 - 1;
        let step = (hash >> 32) | 1;
        (0..u64::from(PROBES)).map(move |i| {
            let bit = hash.wrapping_add(i.wrapping_mul(step)) & mask;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn contains(&self, hash: u64) -> bool {
        self.probes(hash)
            .all(|(word, bit)| self.words[word] & bit != 0)
    }

    fn insert(&mut self, hash: u64) {
        for (word, bit) in self.probes(hash) {
            self.words[word] |= bit;
        }
        self.added += 1;
    }
}

/// The recipients that an account wrote to.
#[derive(Debug, Default)]
pub struct Recipients {
    /// Oldest first.
    layers: Vec<Layer>,
}

impl Recipients {
    /// Notes an address by its hash; true where it was not known.
    pub fn note(&mut self, hash: u64) -> bool {
        if self.layers.iter().any(|layer| layer.contains(hash)) {
            return false;
        }
        if self.layers.last().is_none_or(Layer::is_full) {
            let bytes = self.layers.last().map_or(FIRST_LAYER_BYTES, |layer| {
                (layer.words.len() * 8 * 4).min(LARGEST_LAYER_BYTES)
            });
            self.layers.push(Layer::new(bytes));
            while self.heap_bytes() > FILTER_BYTES_MAX {
                self.layers.remove(0);
            }
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(hash);
        }
        true
    }

    /// Bytes of the filter.
    pub fn heap_bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.words.len() * 8).sum()
    }
}
