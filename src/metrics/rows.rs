//! The series of limited labels: a row for each value, a column for each series that a value has.
//!
//! In: a value of the log. Out: its row, or the row of `_other`.
//! A table shows at most as many values as its limit says. Most of the places go to whoever comes
//! first; a sixteenth is kept for promotions. What finds no place is counted under `_other` and
//! watched; what becomes busy there is promoted: it takes the place of the value that is idle the
//! longest, if that is at least an hour; else a kept place; else, when it is very busy, the place
//! of the longest idle of all. `_other` neither falls nor absorbs: the promoted value starts at 0,
//! the evicted one's series end.
//! Never: a value without a bound; two values in one row, but where their labels are the same.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::birth::{Births, Clock};
use super::catalogue::Family;
use super::cells::Cells;
use super::watch::Watch;
use crate::parse::Severity;
use crate::track::{DeliveryStatus, Direction, RefusalClass};

/// A value that is idle this long, by the log's time, may be evicted for a busy one.
pub const IDLE_MS: i64 = 60 * 60 * 1_000;
/// A value weighs this much within ten minutes or so: it is busy.
pub const BUSY_WEIGHT: u64 = 20;
/// It weighs this much: it may take the place of a value that is not idle.
pub const VERY_BUSY_WEIGHT: u64 = 50;
/// The part of a limit that is kept for promotions.
pub const KEPT_PART: usize = 16;
/// Texts of the log whose row is remembered, for each table; then all are forgotten.
const REMEMBERED_MAX: usize = 4_096;
/// Longer texts are looked up the slow way each time.
const REMEMBERED_BYTES_MAX: usize = 255;

/// Statuses without those of probes: the first of [`DeliveryStatus::ALL`].
pub(super) const MAIL_STATUSES: usize = DeliveryStatus::Softbounce as usize + 1;
/// Directions without that of probes: the first of [`Direction::ALL`].
pub(super) const MAIL_DIRECTIONS: usize = Direction::Discard as usize + 1;

/// One series of every row.
#[derive(Debug)]
pub(super) struct Column {
    pub family: Family,
    /// What follows the row's text: `",status="sent"} `.
    pub tail: Box<str>,
    /// A row has it from its birth on; else from its first increment.
    initial: bool,
    /// The cell of `maillog_labels_dropped_total` for its metric.
    dropped: u32,
}

/// The columns of a table, in the order of its numbers.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    /// Those of a family, in the order of the exposition.
    printed: Vec<(Family, Vec<u32>)>,
}

impl Columns {
    fn push(&mut self, family: Family, labels: &[(&str, &str)], initial: bool) {
        let mut tail = String::from("\"");
        for (name, value) in labels {
            tail.extend([",", name, "=\"", value, "\""]);
        }
        tail.push_str("} ");
        self.columns.push(Column {
            family,
            tail: tail.into(),
            initial,
            dropped: 0,
        });
    }

    /// Gives each column the cell that counts what of it went to `_other`.
    pub fn finish(mut self, dropped: impl Fn(Family) -> u32) -> Self {
        assert!(self.columns.len() <= 64, "a row's columns fit into a mask");
        for column in &mut self.columns {
            column.dropped = dropped(column.family);
        }
        let mut places: Vec<u32> = (0..self.columns.len() as u32).collect();
        places.sort_by_key(|&place| {
            let column = &self.columns[place as usize];
            (column.family, column.tail.clone())
        });
        for place in places {
            let family = self.columns[place as usize].family;
            match self.printed.last_mut() {
                Some((last, places)) if *last == family => places.push(place),
                _ => self.printed.push((family, vec![place])),
            }
        }
        self
    }

    /// The columns of `family`: number and tail.
    pub fn of(&self, family: Family) -> impl Iterator<Item = (u32, &str)> {
        self.printed
            .iter()
            .find(|(other, _)| *other == family)
            .into_iter()
            .flat_map(|(_, places)| places)
            .map(|&place| (place, &*self.columns[place as usize].tail))
    }

    fn len(&self) -> usize {
        self.columns.len()
    }

    fn initial(&self) -> u64 {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.initial)
            .fold(0, |mask, (place, _)| mask | 1 << place)
    }
}

/// The numbers of the columns of an account's row.
pub(super) mod user {
    use super::{DeliveryStatus, Direction, MAIL_DIRECTIONS, MAIL_STATUSES, RefusalClass};

    pub const MESSAGES: u32 = 0;
    pub const RECIPIENTS: u32 = 1;
    pub const NEW_NETWORK_MESSAGES: u32 = 2;
    pub const NEW_RECIPIENTS: u32 = 3;
    pub const NEW_NETWORKS: u32 = 4;
    pub const SUSPICIOUS_LOGINS: u32 = 5;
    pub const AUTH_SUCCESS: u32 = 6;
    pub const AUTH_FAILURE: u32 = 7;
    const REFUSED: u32 = 8;
    const DELIVERIES: u32 = REFUSED + RefusalClass::ALL.len() as u32;
    pub const COUNT: u32 = DELIVERIES + (MAIL_DIRECTIONS * MAIL_STATUSES) as u32;

    pub fn refused(class: RefusalClass) -> u32 {
        REFUSED + class as u32
    }

    pub fn deliveries(direction: Direction, status: DeliveryStatus) -> u32 {
        DELIVERIES + direction as u32 * MAIL_STATUSES as u32 + status as u32
    }
}

/// The columns of an account's row, numbered as in [`user`].
pub(super) fn user_columns() -> Columns {
    let mut columns = Columns::default();
    columns.push(Family::UserMessages, &[], true);
    columns.push(Family::UserRecipients, &[], true);
    columns.push(Family::UserNewNetworkMessages, &[], true);
    columns.push(Family::UserNewRecipients, &[], true);
    columns.push(Family::UserNewNetworks, &[], true);
    columns.push(Family::UserSuspiciousLogins, &[], true);
    for result in super::labels::RESULTS {
        columns.push(Family::UserAuth, &[("result", result)], true);
    }
    for class in RefusalClass::ALL {
        let labels = [("class", class.as_str())];
        columns.push(Family::UserRefusedRecipients, &labels, true);
    }
    for direction in &Direction::ALL[..MAIL_DIRECTIONS] {
        for status in &DeliveryStatus::ALL[..MAIL_STATUSES] {
            use DeliveryStatus::{Bounced, Deferred, Expired, Sent, Softbounce};
            use Direction::{Discard, Inbound, Internal, Local, Outbound, Probe};
            let initial = match (direction, status) {
                (Outbound, Sent | Deferred | Bounced | Expired)
                | (Local, Sent | Deferred | Bounced)
                | (Internal, Bounced)
                | (Discard, Sent) => true,
                (Outbound | Local | Internal | Discard | Inbound | Probe, _) => {
                    debug_assert!(*direction != Inbound || *status <= Softbounce);
                    false
                }
            };
            let labels = [
                ("direction", direction.as_str()),
                ("status", status.as_str()),
            ];
            columns.push(Family::UserDeliveries, &labels, initial);
        }
    }
    debug_assert_eq!(columns.len(), user::COUNT as usize);
    columns
}

/// A column for each status of a delivery, numbered by it.
pub(super) fn delivery_columns(family: Family) -> Columns {
    let mut columns = Columns::default();
    for status in &DeliveryStatus::ALL[..MAIL_STATUSES] {
        let initial = *status <= DeliveryStatus::Bounced;
        columns.push(family, &[("status", status.as_str())], initial);
    }
    columns
}

/// The numbers of the columns of a program's row.
pub(super) mod program {
    use super::Severity;

    pub const LINES: u32 = 0;
    pub const UNPARSED: u32 = 1;

    pub fn severity(severity: Severity) -> u32 {
        2 + severity as u32
    }
}

/// The columns of a program's row, numbered as in [`program`].
pub(super) fn program_columns() -> Columns {
    let mut columns = Columns::default();
    columns.push(Family::Lines, &[], true);
    columns.push(Family::LinesUnparsed, &[], true);
    for severity in Severity::ALL {
        columns.push(
            Family::LogMessages,
            &[("severity", severity.as_str())],
            true,
        );
    }
    columns
}

/// What a row's life touches beside its table.
pub(super) struct Around<'a> {
    pub cells: &'a mut Cells,
    pub births: &'a mut Births,
    pub clock: &'a Clock,
}

#[derive(Debug)]
struct Row {
    /// As it stands between the quotes.
    text: Arc<str>,
    base: u32,
    /// The columns that exist.
    present: u64,
    /// Counts the values that this place has had.
    generation: u32,
    used_ms: i64,
    born_ms: i64,
    /// Of a gauge that a scrape fills in.
    gauge: u64,
}

/// Where a value is counted, as far as a cache can know.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Row {
        row: u32,
        generation: u32,
    },
    /// Under `_other`, as long as the table has not changed since.
    Rest {
        hash: u64,
        changes: u32,
    },
}

/// All values of one limited label.
#[derive(Debug)]
pub(super) struct Table {
    pub columns: Arc<Columns>,
    rows: Vec<Row>,
    /// Rows in the order of the exposition.
    sorted: Vec<u32>,
    free: Vec<u32>,
    by_text: HashMap<Arc<str>, u32, RandomState>,
    remembered: HashMap<Box<[u8]>, Place, RandomState>,
    limit: usize,
    /// The first rows are for all that has none, and for values of ours: they always stay.
    own: u32,
    rest: u32,
    watch: Watch,
    /// Counts births and ends of rows.
    changes: u32,
    /// Newborn rows are shown at 0 first.
    is_held: bool,
    /// No row that may be evicted was used before this.
    used_since_ms: i64,
}

impl Table {
    pub fn new(columns: Columns, limit: usize) -> Self {
        Table {
            columns: Arc::new(columns),
            rows: Vec::new(),
            sorted: Vec::new(),
            free: Vec::new(),
            by_text: HashMap::default(),
            remembered: HashMap::default(),
            limit,
            own: 0,
            rest: 0,
            watch: Watch::default(),
            changes: 0,
            is_held: true,
            used_since_ms: i64::MIN,
        }
    }

    /// Newborn rows are shown at their values at once: of programs, whose lines are told of only to
    /// say what fills the log.
    pub fn unheld(mut self) -> Self {
        self.is_held = false;
        self
    }

    /// A row from the start, in which what has none of its own is counted. All such rows come
    /// first.
    pub fn add_rest(&mut self, text: &str, cells: &mut Cells) -> u32 {
        debug_assert_eq!(self.own, self.rest);
        self.rest += 1;
        self.add_own(text, u64::MAX, cells)
    }

    /// A row from the start, with those of the columns that `mask` names.
    pub fn add_own(&mut self, text: &str, mask: u64, cells: &mut Cells) -> u32 {
        debug_assert_eq!(self.rows.len(), self.own as usize);
        self.own += 1;
        let base = cells.block(self.columns.len());
        self.rows.push(Row {
            text: text.into(),
            base,
            present: self.columns.initial() & mask,
            generation: 0,
            used_ms: 0,
            born_ms: 0,
            gauge: 0,
        });
        self.list(self.own - 1);
        self.own - 1
    }

    /// Counts in a row.
    #[inline]
    pub fn add(&mut self, row: u32, column: u32, n: u64, around: &mut Around<'_>) {
        let counted = &mut self.rows[row as usize];
        if counted.present & (1 << column) == 0 {
            // A row from the start has its rare columns born like anybody's.
            counted.present |= 1 << column;
            if self.is_held {
                around.births.born(counted.base, 1 << column, around.clock);
            }
        }
        counted.used_ms = around.clock.log_ms;
        around.cells.add(counted.base + column, n);
        if row < self.rest {
            let column = &self.columns.columns[column as usize];
            around.cells.add(column.dropped, 1);
        }
    }

    /// The row of a remembered place, unless it has to be looked up again.
    #[inline]
    pub fn row_of(&mut self, place: Place, weight: u64, clock: &Clock) -> Option<u32> {
        match place {
            Place::Row { row, generation } => {
                (self.rows[row as usize].generation == generation).then_some(row)
            }
            Place::Rest { hash, changes } => {
                let sure = self.watch.weight(hash, clock.log_ms).saturating_add(weight);
                if changes != self.changes || sure >= BUSY_WEIGHT {
                    return None;
                }
                self.watch.add(hash, weight, clock.log_ms);
                Some(0)
            }
        }
    }

    /// The row of a text of the log that was looked up before.
    #[inline]
    pub fn recall(&mut self, raw: &[u8], weight: u64, clock: &Clock) -> Option<u32> {
        let place = *self.remembered.get(raw)?;
        self.row_of(place, weight, clock)
    }

    /// Keeps the place of a text of the log.
    pub fn remember(&mut self, raw: &[u8], place: Place) {
        if raw.len() > REMEMBERED_BYTES_MAX {
            return;
        }
        if let Some(known) = self.remembered.get_mut(raw) {
            *known = place;
            return;
        }
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        self.remembered.insert(raw.into(), place);
    }

    /// The row of a value, which may be born or promoted by this.
    pub fn resolve(&mut self, text: &str, weight: u64, around: &mut Around<'_>) -> (u32, Place) {
        if let Some(&row) = self.by_text.get(text) {
            return (row, self.place(row));
        }
        if self.shown() < self.limit - self.kept() {
            let row = self.create(text, around);
            return (row, self.place(row));
        }
        let hash = self.by_text.hasher().hash_one(text);
        // To be mentioned is not to be busy.
        let sure = match weight {
            0 => 0,
            _ => self.watch.add(hash, weight, around.clock.log_ms),
        };
        if sure >= BUSY_WEIGHT && self.make_room(sure, around) {
            self.watch.remove(hash);
            let row = self.create(text, around);
            return (row, self.place(row));
        }
        let changes = self.changes;
        (0, Place::Rest { hash, changes })
    }

    /// The row of a value of a label that has no promotions; `reserved` places are left free.
    pub fn resolve_for_good(
        &mut self,
        text: &str,
        rest: u32,
        reserved: usize,
        around: &mut Around<'_>,
    ) -> u32 {
        match self.by_text.get(text) {
            Some(&row) => row,
            None if self.shown() < self.limit.saturating_sub(reserved) => self.create(text, around),
            None => rest,
        }
    }

    fn place(&self, row: u32) -> Place {
        Place::Row {
            row,
            generation: self.rows[row as usize].generation,
        }
    }

    /// Values that have a row, ours not counted.
    fn shown(&self) -> usize {
        self.sorted.len() - self.own as usize
    }

    fn kept(&self) -> usize {
        self.limit / KEPT_PART
    }

    #[cold]
    fn create(&mut self, text: &str, around: &mut Around<'_>) -> u32 {
        let row = match self.free.pop() {
            Some(row) => row,
            None => {
                self.rows.push(Row {
                    text: "".into(),
                    base: around.cells.block(self.columns.len()),
                    present: 0,
                    generation: 0,
                    used_ms: 0,
                    born_ms: 0,
                    gauge: 0,
                });
                self.rows.len() as u32 - 1
            }
        };
        let born = &mut self.rows[row as usize];
        born.text = text.into();
        born.present = self.columns.initial();
        born.used_ms = around.clock.log_ms;
        born.born_ms = around.clock.now_ms;
        born.gauge = 0;
        if self.is_held {
            around.births.born(born.base, born.present, around.clock);
        }
        self.used_since_ms = self.used_since_ms.min(born.used_ms);
        self.list(row);
        row
    }

    fn list(&mut self, row: u32) {
        let text = Arc::clone(&self.rows[row as usize].text);
        let place = self
            .sorted
            .partition_point(|&other| self.rows[other as usize].text < text);
        self.sorted.insert(place, row);
        self.by_text.insert(text, row);
        self.changes = self.changes.wrapping_add(1);
    }

    /// Finds a place for a busy value; `false` where there is none.
    fn make_room(&mut self, sure: u64, around: &mut Around<'_>) -> bool {
        let idle_since_ms = around.clock.log_ms.saturating_sub(IDLE_MS);
        if self.used_since_ms <= idle_since_ms {
            match self.longest_idle() {
                Some(row) if self.rows[row as usize].used_ms <= idle_since_ms => {
                    self.evict(row, around);
                    return true;
                }
                Some(row) => self.used_since_ms = self.rows[row as usize].used_ms,
                None => {}
            }
        }
        if self.shown() < self.limit {
            return true;
        }
        if sure < VERY_BUSY_WEIGHT {
            return false;
        }
        match self.longest_idle() {
            Some(row) => {
                self.evict(row, around);
                true
            }
            None => false,
        }
    }

    /// The longest idle value; of equals the first by name.
    fn longest_idle(&self) -> Option<u32> {
        self.sorted
            .iter()
            .copied()
            .filter(|&row| row >= self.own)
            .min_by_key(|&row| self.rows[row as usize].used_ms)
    }

    fn evict(&mut self, row: u32, around: &mut Around<'_>) {
        let ended = &mut self.rows[row as usize];
        ended.generation = ended.generation.wrapping_add(1);
        around.births.ended(ended.base);
        around.cells.clear(ended.base, self.columns.len());
        self.by_text.remove(&ended.text);
        self.sorted.retain(|&other| other != row);
        self.free.push(row);
        self.changes = self.changes.wrapping_add(1);
    }

    /// Takes back what the last scrape filled in.
    pub fn clear_gauges(&mut self) {
        for row in &mut self.rows {
            row.gauge = 0;
        }
    }

    /// Where several values share a row, the highest counts.
    pub fn raise_gauge(&mut self, place: Place, value: u64) {
        if let Place::Row { row, generation } = place {
            let row = &mut self.rows[row as usize];
            if row.generation == generation {
                row.gauge = row.gauge.max(value);
            }
        }
    }

    /// The rows as a scrape sees them.
    pub fn freeze(&self) -> FrozenTable {
        let rows = self.sorted.iter().map(|&number| {
            let row = &self.rows[number as usize];
            FrozenRow {
                text: Arc::clone(&row.text),
                base: row.base,
                rest: number < self.rest,
                present: row.present,
                born_ms: row.born_ms,
                gauge: row.gauge,
            }
        });
        FrozenTable {
            columns: Arc::clone(&self.columns),
            rows: rows.collect(),
        }
    }
}

#[derive(Debug)]
pub(super) struct FrozenRow {
    pub text: Arc<str>,
    pub base: u32,
    pub rest: bool,
    pub present: u64,
    pub born_ms: i64,
    pub gauge: u64,
}

#[derive(Debug)]
pub(super) struct FrozenTable {
    pub columns: Arc<Columns>,
    pub rows: Vec<FrozenRow>,
}
