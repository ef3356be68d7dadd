//! The dice: SplitMix64, a dozen lines, so that a seed gives the same log on every machine and in
//! every version of any crate. Not for secrets.

pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed ^ 0x6d61_696c_6c6f_675f)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `0..n`; 0 for an `n` of 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// `low..=high`
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// True `permille` times in a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// Small values often, large ones seldom: the index of something popular.
    pub fn popular(&mut self, n: usize) -> usize {
        let (a, b) = (self.index(n), self.index(n));
        a * b / n
    }

    /// A waiting time of about `mean`, as between events that know nothing of each other. In
    /// integers only, to be the same everywhere: a geometric number of half-lives, and an even part
    /// of one.
    pub fn wait(&mut self, mean: u64) -> u64 {
        let half_lives = u64::from(self.next().trailing_zeros().min(16));
        // ln 2, in 65,536ths.
        let half_life = mean.max(1) * 45_426 / 65_536;
        half_lives * half_life + self.below(half_life.max(1))
    }

    /// A mail's size: a few kilobytes mostly, some megabytes seldom.
    pub fn size_bytes(&mut self) -> u64 {
        let scale = 11 + self.below(6) + if self.chance(60) { self.below(7) } else { 0 };
        (1 << scale) + self.below(1 << scale)
    }
}
