//! Where the numbers are, and the series that stand for themselves.
//!
//! In: a family and its label values as small numbers. Out: the place of a cell.
//! Whole numbers only: milliseconds, bytes, pieces. A counter is one cell; a histogram is a block:
//! a cell for each bucket (not cumulated), one for what is above them, one for the sum.
//! Never: text on the path of a line; a series is named once, when it is born.
//! Series of limited labels live in [`rows`](super::rows).

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::birth::Clock;
use super::catalogue::{Family, Kind};
use super::labels::escape;

/// The numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells {
    values: Vec<u64>,
}

impl Cells {
    /// A new block of cells at 0.
    pub fn block(&mut self, len: usize) -> u32 {
        let base = u32::try_from(self.values.len()).expect("cells are bounded by the limits");
        self.values.resize(self.values.len() + len, 0);
        base
    }

    pub fn clear(&mut self, base: u32, len: usize) {
        self.values[base as usize..base as usize + len].fill(0);
    }

    /// Sets the cells of a block to 0 that `mask` names.
    pub fn blank(&mut self, base: u32, mut mask: u64) {
        while mask != 0 {
            self.values[(base + mask.trailing_zeros()) as usize] = 0;
            mask &= mask - 1;
        }
    }

    #[inline]
    pub fn add(&mut self, cell: u32, n: u64) {
        let value = &mut self.values[cell as usize];
        *value = value.saturating_add(n);
    }

    /// Counts `value` into the histogram at `base`.
    #[inline]
    pub fn observe(&mut self, base: u32, buckets: &[u64], value: u64) {
        let place = buckets.partition_point(|&bound| bound < value);
        self.add(base + place as u32, 1);
        self.add(base + buckets.len() as u32 + 1, value);
    }

    pub fn get(&self, cell: u32) -> u64 {
        self.values[cell as usize]
    }

    pub fn slice(&self, base: u32, len: usize) -> &[u64] {
        &self.values[base as usize..base as usize + len]
    }
}

/// The cells that a series of `family` has.
pub(super) fn cells_of(family: Family) -> usize {
    let metric = family.metric();
    match metric.kind {
        Kind::Counter | Kind::Gauge => 1,
        Kind::Histogram => metric.buckets.len() + 2,
    }
}

/// A series and its name.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub family: Family,
    /// `{origin="local",direction="local"`, without the closing brace; empty without labels.
    pub labels: Arc<str>,
    pub base: u32,
    pub born_ms: i64,
}

/// The numbers of a series' label values; unused ones are 0.
pub(super) type Ids = [u16; 5];

/// Eleven bits a label, eight for the family.
fn key(family: Family, ids: Ids) -> u64 {
    ids.iter().fold(family as u64, |key, &id| {
        debug_assert!(id < 1 << 11);
        key << 11 | u64::from(id)
    })
}

/// The series of families whose labels are all enumerations.
#[derive(Debug, Default)]
pub(super) struct SeriesStore {
    /// Our own numbers are no text of a foe: a fixed hash will do.
    by_key: HashMap<u64, u32, FixedState>,
    /// In the order of the exposition.
    sorted: Arc<Vec<Series>>,
}

impl SeriesStore {
    #[inline]
    pub fn find(&self, family: Family, ids: Ids) -> Option<u32> {
        self.by_key.get(&key(family, ids)).copied()
    }

    /// A new series; `clock` where it was not there from the start. It is not held at 0: what is
    /// usual is there from the start (see [`zeros`](super::zeros)), and the rest shows at once.
    pub fn create(
        &mut self,
        family: Family,
        ids: Ids,
        values: &[&str],
        cells: &mut Cells,
        clock: Option<&Clock>,
    ) -> u32 {
        let len = cells_of(family);
        let base = cells.block(len);
        let born_ms = clock.map_or(0, |clock| clock.now_ms);
        let series = Series {
            family,
            labels: render(family, values).into(),
            base,
            born_ms,
        };
        let sorted = Arc::make_mut(&mut self.sorted);
        let place = sorted.partition_point(|other| {
            (other.family, &other.labels) < (series.family, &series.labels)
        });
        sorted.insert(place, series);
        self.by_key.insert(key(family, ids), base);
        base
    }

    pub fn share(&self) -> Arc<Vec<Series>> {
        Arc::clone(&self.sorted)
    }
}

/// `{a="x",b="y"` of a family's labels.
pub(super) fn render(family: Family, values: &[&str]) -> String {
    let labels = family.metric().labels;
    debug_assert_eq!(labels.len(), values.len());
    let mut text = String::new();
    for (label, value) in labels.iter().zip(values) {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(label.name);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
    }
    text
}
