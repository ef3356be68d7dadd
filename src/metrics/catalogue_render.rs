//! The catalogue for people and machines: what `metrics --format text|json|markdown` prints.
//!
//! In: [`CATALOGUE`]. Out: text. Never: anything that the table does not say.

use std::fmt::Write;

use serde::Serialize;

use super::catalogue::{CATALOGUE, Metric, Unit, Values};

/// How the catalogue is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogueFormat {
    Text,
    Json,
    Markdown,
}

/// The whole catalogue, ending in a newline.
pub fn render_catalogue(format: CatalogueFormat) -> String {
    match format {
        CatalogueFormat::Text => text(),
        CatalogueFormat::Json => json(),
        CatalogueFormat::Markdown => markdown(),
    }
}

#[derive(Serialize)]
struct JsonMetric {
    name: &'static str,
    r#type: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: Vec<JsonLabel>,
    buckets: Vec<serde_json::Number>,
    sample: &'static str,
    action: &'static str,
}

/// Either all values, or a limit with the value for the rest, or what bounds them.
#[derive(Serialize)]
struct JsonLabel {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
}

fn json() -> String {
    let metrics: Vec<JsonMetric> = CATALOGUE
        .iter()
        .map(|metric| JsonMetric {
            name: metric.name,
            r#type: metric.kind.as_str(),
            unit: metric.unit.as_str(),
            help: metric.help,
            labels: metric
                .labels
                .iter()
                .map(|label| {
                    let mut json = JsonLabel {
                        name: label.name,
                        values: None,
                        limit: None,
                        flag: None,
                        rest: None,
                        from: None,
                    };
                    match label.values {
                        Values::Closed(values) => json.values = Some(values()),
                        Values::Limited(limit) => {
                            json.limit = Some(limit.default_values());
                            json.flag = limit.flag();
                            json.rest = Some(limit.rest());
                        }
                        Values::Configured(from) => json.from = Some(from),
                    }
                    json
                })
                .collect(),
            buckets: metric
                .buckets
                .iter()
                .map(|&bound| match metric.unit {
                    Unit::Seconds if bound % 1_000 != 0 => {
                        serde_json::Number::from_f64(bound as f64 / 1_000.0)
                            .expect("a bound is a finite number")
                    }
                    Unit::Seconds => (bound / 1_000).into(),
                    Unit::None | Unit::Bytes => bound.into(),
                })
                .collect(),
            sample: metric.sample,
            action: metric.action,
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&metrics).expect("plain values can be written");
    text.push('\n');
    text
}

/// What a label may say, in words.
fn words(values: Values) -> String {
    match values {
        Values::Closed(values) => {
            let quoted = values().into_iter().map(|value| match value {
                "" => "\"\"",
                value => value,
            });
            quoted.collect::<Vec<_>>().join(", ")
        }
        Values::Limited(limit) => {
            let flag = limit
                .flag()
                .map_or(String::new(), |flag| format!(" ({flag})"));
            format!(
                "at most {}{flag}, the rest is {}",
                limit.default_values(),
                limit.rest()
            )
        }
        Values::Configured(from) => from.to_owned(),
    }
}

/// The bounds of a histogram, in the unit of the exposition.
fn buckets(metric: &Metric) -> String {
    let bounds = metric.buckets.iter().map(|&bound| match metric.unit {
        Unit::Seconds => (bound as f64 / 1_000.0).to_string(),
        Unit::None | Unit::Bytes => bound.to_string(),
    });
    bounds.collect::<Vec<_>>().join(" ")
}

/// `counter`, `histogram, seconds`.
fn kind(metric: &Metric) -> String {
    match metric.unit {
        Unit::None => metric.kind.as_str().to_owned(),
        Unit::Seconds | Unit::Bytes => {
            format!("{}, {}", metric.kind.as_str(), metric.unit.as_str())
        }
    }
}

fn text() -> String {
    let mut out = String::new();
    for metric in &CATALOGUE {
        let mut line = |text: std::fmt::Arguments<'_>| {
            out.write_fmt(text)
                .expect("writing to a string does not fail");
            out.push('\n');
        };
        line(format_args!("{} ({})", metric.name, kind(metric)));
        line(format_args!("  {}", metric.help));
        for label in metric.labels {
            line(format_args!("  {}: {}", label.name, words(label.values)));
        }
        if !metric.buckets.is_empty() {
            line(format_args!("  buckets: {}", buckets(metric)));
        }
        if !metric.sample.is_empty() {
            line(format_args!("  moved by: {}", metric.sample));
        }
        line(format_args!("  what to do: {}", metric.action));
        line(format_args!(""));
    }
    out.pop();
    out
}

fn markdown() -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text)
            .expect("writing to a string does not fail");
        out.push('\n');
    };
    line(format_args!("| metric | type | labels | |"));
    line(format_args!("| --- | --- | --- | --- |"));
    for metric in &CATALOGUE {
        let labels: Vec<_> = metric.labels.iter().map(|label| label.name).collect();
        let (name, labels) = (metric.name, labels.join(", "));
        line(format_args!(
            "| [{name}](#{name}) | {} | {labels} | {} |",
            kind(metric),
            metric.help
        ));
    }
    for metric in &CATALOGUE {
        line(format_args!("\n## {}\n", metric.name));
        line(format_args!("{}\n\nType: {}.\n", metric.help, kind(metric)));
        for label in metric.labels {
            line(format_args!("- `{}`: {}", label.name, words(label.values)));
        }
        if !metric.labels.is_empty() {
            line(format_args!(""));
        }
        if !metric.buckets.is_empty() {
            line(format_args!("Buckets: {}.\n", buckets(metric)));
        }
        if !metric.sample.is_empty() {
            line(format_args!("Moved by:\n\n```\n{}\n```\n", metric.sample));
        }
        line(format_args!("When it moves: {}", metric.action));
    }
    out
}
