//! What a scrape sees, and how it is written.
//!
//! In: a copy of the cells and the shared names of all series. Out: the text format 0.0.4 or
//! OpenMetrics 1.0, or single values.
//! Both formats come from one walk: families in the order of the catalogue, series in the order of
//! their labels, so that the same facts give the same bytes.
//! Never: a lock, a look at the clock, the running store.
//! Start reading at [`Frozen::encode`].

use std::sync::Arc;

use super::catalogue::{CATALOGUE, Family, Kind, Metric, Unit};
use super::cells::{Cells, Series, cells_of};
use super::labels::unescape;
use super::rows::FrozenTable;

/// The exposition formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Text004,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics1,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics1 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A series whose value a scrape was told.
#[derive(Debug)]
pub(super) struct Told {
    pub family: Family,
    pub labels: Arc<str>,
    pub value: u64,
}

/// All series at one moment.
#[derive(Debug)]
pub struct Frozen {
    pub(super) cells: Cells,
    pub(super) series: Arc<Vec<Series>>,
    /// The tables with what stands before a row's text: `{user="`.
    pub(super) tables: Vec<(&'static str, FrozenTable)>,
    /// Sorted by family and labels.
    pub(super) told: Vec<Told>,
    /// When counting began.
    pub(super) start_ms: i64,
    pub(super) created: bool,
}

/// One sample: a line of the exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub metric: &'static str,
    /// The metric's name with `_bucket`, `_sum` or `_count` behind it where it is a histogram.
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

/// What the walk meets.
enum Met<'a> {
    /// A family that has series; they follow.
    Family(&'static Metric),
    Value {
        metric: &'static Metric,
        /// Together `{a="x"} `, or a space.
        labels: [&'a str; 3],
        value: u64,
        born_ms: i64,
    },
    Histogram {
        metric: &'static Metric,
        /// `{a="x"`, or nothing.
        labels: &'a str,
        cells: &'a [u64],
        born_ms: i64,
    },
}

impl Frozen {
    /// Appends the exposition to `out`; OpenMetrics with its end mark.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        self.encode_families(format, out);
        if format == Format::OpenMetrics1 {
            out.extend_from_slice(b"# EOF\n");
        }
    }

    /// Appends the exposition to `out` without OpenMetrics' end mark: more may follow.
    pub fn encode_families(&self, format: Format, out: &mut Vec<u8>) {
        let created = self.created && format == Format::OpenMetrics1;
        let mut le = BucketTexts::default();
        self.walk(|met| match met {
            Met::Family(metric) => {
                write_head(metric, format, out);
                le.prepare(metric, format);
            }
            Met::Value {
                metric,
                labels,
                value,
                born_ms,
            } => {
                out.extend_from_slice(metric.name.as_bytes());
                push_labels(labels, out);
                push_number(value, metric.unit, out);
                out.push(b'\n');
                if created && metric.kind == Kind::Counter {
                    out.extend_from_slice(base_name(metric).as_bytes());
                    out.extend_from_slice(b"_created");
                    push_labels(labels, out);
                    push_created(born_ms, self.start_ms, out);
                }
            }
            Met::Histogram {
                metric,
                labels,
                cells,
                born_ms,
            } => {
                let close = if labels.is_empty() { " " } else { "} " };
                let mut count = 0_u64;
                for (le, in_bucket) in le.texts.iter().zip(cells) {
                    count = count.saturating_add(*in_bucket);
                    out.extend_from_slice(metric.name.as_bytes());
                    out.extend_from_slice(b"_bucket");
                    out.extend_from_slice(labels.as_bytes());
                    out.push(if labels.is_empty() { b'{' } else { b',' });
                    out.extend_from_slice(le.as_bytes());
                    push_integer(count, out);
                    out.push(b'\n');
                }
                for (part, unit, value) in [
                    ("_sum", metric.unit, *cells.last().unwrap_or(&0)),
                    ("_count", Unit::None, count),
                ] {
                    out.extend_from_slice(metric.name.as_bytes());
                    push_labels([part, labels, close], out);
                    push_number(value, unit, out);
                    out.push(b'\n');
                }
                if created {
                    out.extend_from_slice(metric.name.as_bytes());
                    push_labels(["_created", labels, close], out);
                    push_created(born_ms, self.start_ms, out);
                }
            }
        });
    }

    /// The families that have series, in the order of the exposition.
    pub fn families(&self) -> Vec<&'static Metric> {
        let mut families = Vec::new();
        self.walk(|met| {
            if let Met::Family(metric) = met {
                families.push(metric);
            }
        });
        families
    }

    /// Every sample, in the order of the exposition; buckets with the `le` of the text format.
    pub fn iter(&self) -> std::vec::IntoIter<Sample> {
        self.samples_of(|_| true).into_iter()
    }

    /// The samples of some metrics.
    fn samples_of(&self, wanted: impl Fn(&Metric) -> bool) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut le = BucketTexts::default();
        self.walk(|met| match met {
            Met::Family(metric) => le.prepare(metric, Format::Text004),
            Met::Value { metric, .. } | Met::Histogram { metric, .. } if !wanted(metric) => {}
            Met::Value {
                metric,
                labels,
                value,
                ..
            } => samples.push(Sample {
                metric: metric.name,
                name: metric.name.to_owned(),
                labels: read_labels(&labels.concat()),
                value: as_float(value, metric.unit),
            }),
            Met::Histogram {
                metric,
                labels,
                cells,
                ..
            } => {
                let mut sample = |part: &str, labels, value| {
                    samples.push(Sample {
                        metric: metric.name,
                        name: format!("{}{part}", metric.name),
                        labels,
                        value,
                    });
                };
                let labels = read_labels(labels);
                let mut count = 0_u64;
                for (le, in_bucket) in le.texts.iter().zip(cells) {
                    count = count.saturating_add(*in_bucket);
                    let mut labels = labels.clone();
                    labels.extend(read_labels(&format!("{{{le}")));
                    sample("_bucket", labels, count as f64);
                }
                let sum = *cells.last().unwrap_or(&0);
                sample("_sum", labels.clone(), as_float(sum, metric.unit));
                sample("_count", labels, count as f64);
            }
        });
        samples
    }

    /// The value of one sample; `labels` in any order, an empty value is as good as none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted = |sample: &Sample| {
            let said = |name: &str| {
                let label = sample.labels.iter().find(|(label, _)| label == name);
                label.map_or("", |(_, value)| value)
            };
            sample.name == name
                && labels.iter().all(|(label, value)| said(label) == *value)
                && sample.labels.iter().all(|(label, value)| {
                    value.is_empty() || labels.iter().any(|(wanted, _)| wanted == label)
                })
        };
        let of_name = self.samples_of(|metric| name.starts_with(metric.name));
        of_name
            .iter()
            .find(|sample| wanted(sample))
            .map(|sample| sample.value)
    }

    /// The samples of this exposition, `_created` not counted. (A scrape waits for it: no walk.)
    pub(super) fn samples(&self) -> usize {
        let of_series = self.series.iter().map(|series| {
            match series.family.metric().kind {
                Kind::Counter | Kind::Gauge => 1,
                // The sum's cell is a sample, the count is one more.
                Kind::Histogram => cells_of(series.family) + 1,
            }
        });
        let of_tables = self.tables.iter().map(|(head, table)| {
            let gauges = usize::from(*head == super::USER_HEAD);
            let of_rows = table.rows.iter().map(|row| {
                let gauges = if row.rest { 0 } else { gauges };
                row.present.count_ones() as usize + gauges
            });
            of_rows.sum::<usize>()
        });
        self.told.len() + of_series.sum::<usize>() + of_tables.sum::<usize>()
    }

    /// Calls `met` with each family and each of its series.
    fn walk<'a>(&'a self, mut met: impl FnMut(Met<'a>)) {
        let mut series = &self.series[..];
        let mut told = &self.told[..];
        for metric in &CATALOGUE {
            let family = metric.family;
            let mut first = true;
            let mut see = |seen: Met<'a>| {
                if first {
                    met(Met::Family(metric));
                    first = false;
                }
                met(seen);
            };
            let len = cells_of(family);
            let own = split_while(&mut series, |series| series.family == family);
            for Series {
                labels,
                base,
                born_ms,
                ..
            } in own
            {
                see(match metric.kind {
                    Kind::Counter | Kind::Gauge => Met::Value {
                        metric,
                        labels: [labels, "", close_of(labels)],
                        value: self.cells.get(*base),
                        born_ms: *born_ms,
                    },
                    Kind::Histogram => Met::Histogram {
                        metric,
                        labels,
                        cells: self.cells.slice(*base, len),
                        born_ms: *born_ms,
                    },
                });
            }
            for Told { labels, value, .. } in split_while(&mut told, |told| told.family == family) {
                see(Met::Value {
                    metric,
                    labels: [labels, "", close_of(labels)],
                    value: *value,
                    born_ms: 0,
                });
            }
            if !metric.is_limited() {
                continue;
            }
            for (head, table) in &self.tables {
                let gauge = family == Family::UserClientNetworks && *head == super::USER_HEAD;
                if gauge {
                    for row in table.rows.iter().filter(|row| !row.rest) {
                        see(Met::Value {
                            metric,
                            labels: [head, &row.text, "\"} "],
                            value: row.gauge,
                            born_ms: row.born_ms,
                        });
                    }
                }
                let columns: Vec<(u32, &str)> = table.columns.of(family).collect();
                if columns.is_empty() {
                    continue;
                }
                for row in &table.rows {
                    for (column, tail) in &columns {
                        if row.present & (1 << column) != 0 {
                            see(Met::Value {
                                metric,
                                labels: [head, &row.text, tail],
                                value: self.cells.get(row.base + column),
                                born_ms: row.born_ms,
                            });
                        }
                    }
                }
            }
        }
        debug_assert!(series.is_empty() && told.is_empty(), "series out of order");
    }
}

/// Takes the beginning of a slice for which `wanted` holds.
fn split_while<'a, T>(slice: &mut &'a [T], wanted: impl Fn(&T) -> bool) -> &'a [T] {
    let (begin, rest) = slice.split_at(slice.partition_point(wanted));
    *slice = rest;
    begin
}

fn close_of(labels: &str) -> &'static str {
    if labels.is_empty() { " " } else { "} " }
}

/// The `le="1"} ` of a histogram's buckets.
#[derive(Default)]
struct BucketTexts {
    texts: Vec<String>,
}

impl BucketTexts {
    fn prepare(&mut self, metric: &Metric, format: Format) {
        self.texts.clear();
        if metric.kind != Kind::Histogram {
            return;
        }
        for bound in metric.buckets {
            let mut number = Vec::new();
            push_number(*bound, metric.unit, &mut number);
            let number = String::from_utf8(number).expect("digits are text");
            // OpenMetrics wants every bound to be a float.
            let float = match format {
                Format::OpenMetrics1 if !number.contains('.') => ".0",
                Format::OpenMetrics1 | Format::Text004 => "",
            };
            self.texts.push(format!("le=\"{number}{float}\"}} "));
        }
        self.texts.push("le=\"+Inf\"} ".to_owned());
    }
}

/// The name of the family: in OpenMetrics a counter's has no `_total`.
fn base_name(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => metric.name.strip_suffix("_total").unwrap_or(metric.name),
        Kind::Gauge | Kind::Histogram => metric.name,
    }
}

fn write_head(metric: &Metric, format: Format, out: &mut Vec<u8>) {
    let name = match format {
        Format::Text004 => metric.name,
        Format::OpenMetrics1 => base_name(metric),
    };
    let unit = metric.unit.as_str();
    let mut line = |word: &str, text: &str| {
        for part in ["# ", word, " ", name, " ", text, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    };
    line("HELP", metric.help);
    line("TYPE", metric.kind.as_str());
    // A unit must be the end of the name.
    let ends = !unit.is_empty()
        && name
            .strip_suffix(unit)
            .is_some_and(|name| name.ends_with('_'));
    if format == Format::OpenMetrics1 && ends {
        line("UNIT", unit);
    }
}

#[inline]
fn push_labels(labels: [&str; 3], out: &mut Vec<u8>) {
    for part in labels {
        out.extend_from_slice(part.as_bytes());
    }
}

#[inline]
fn push_integer(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline]
fn push_number(value: u64, unit: Unit, out: &mut Vec<u8>) {
    match unit {
        Unit::None | Unit::Bytes => push_integer(value, out),
        Unit::Seconds => push_millis(value, out),
    }
}

/// Milliseconds as seconds, exactly, without zeros at the end.
fn push_millis(value_ms: u64, out: &mut Vec<u8>) {
    push_integer(value_ms / 1_000, out);
    let millis = value_ms % 1_000;
    if millis != 0 {
        out.push(b'.');
        let digits = [millis / 100, millis / 10 % 10, millis % 10].map(|digit| b'0' + digit as u8);
        let len = digits.iter().rposition(|digit| *digit != b'0').unwrap_or(0) + 1;
        out.extend_from_slice(&digits[..len]);
    }
}

fn push_created(born_ms: i64, start_ms: i64, out: &mut Vec<u8>) {
    // What was there from the start was born with it.
    let created_ms = if born_ms == 0 { start_ms } else { born_ms };
    push_millis(u64::try_from(created_ms).unwrap_or(0), out);
    out.push(b'\n');
}

fn as_float(value: u64, unit: Unit) -> f64 {
    match unit {
        Unit::None | Unit::Bytes => value as f64,
        Unit::Seconds => value as f64 / 1_000.0,
    }
}

/// Reads `{a="x",b="y"...` that this file wrote.
fn read_labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text.trim_start_matches('{');
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = after.bytes().position(|byte| {
            let end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            end
        });
        let Some(end) = end else { break };
        let name = name.trim_start_matches(',');
        labels.push((name.to_owned(), unescape(&after[..end])));
        rest = &after[end + 1..];
    }
    labels
}
