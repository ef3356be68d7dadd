//! The exporter's own process and its HTTP requests, from the `prometheus` crate's registry.
//! In: requests as they end. Out: families appended to the engine's exposition, in its format.
//! Never: names from a request as labels: handler and code come from short lists.
//! Start reading at [`OwnMetrics::append`]. The crate writes only text 0.0.4, so both are written here.

use std::{fmt::Write, fs, time::Duration};

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
    process_collector::ProcessCollector,
    proto::{Counter, LabelPair, MetricFamily, MetricType},
};

use super::Format;

const END_OF_OPEN_METRICS: &[u8] = b"# EOF\n";
/// `USER_HZ`, in which /proc counts CPU time: 100 on every architecture that Rust runs on.
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct OwnMetrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
}

impl OwnMetrics {
    pub(super) fn new() -> prometheus::Result<OwnMetrics> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("maillog_http_requests_total", "HTTP requests answered."),
            &["code", "handler"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "maillog_http_request_duration_seconds",
                "Time until the answer to an HTTP request was ready.",
            )
            .buckets(vec![0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0]),
            &["handler"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        // At 0 from the start: an increase from nothing is invisible.
        for (code, handler) in [
            ("200", "metrics"),
            ("503", "metrics"),
            ("200", "landing"),
            ("200", "healthy"),
            ("200", "ready"),
            ("503", "ready"),
            ("404", "other"),
            ("405", "other"),
        ] {
            requests.with_label_values(&[code, handler]);
            duration.with_label_values(&[handler]);
        }
        Ok(OwnMetrics {
            registry,
            requests,
            duration,
        })
    }

    pub(super) fn observe(&self, handler: &'static str, code: u16, took: Duration) {
        let code = code.to_string();
        self.requests
            .with_label_values(&[code.as_str(), handler])
            .inc();
        self.duration
            .with_label_values(&[handler])
            .observe(took.as_secs_f64());
    }

    /// Appends to an exposition, before its `# EOF` where the format has one.
    pub(super) fn append(&self, format: Format, body: &mut Vec<u8>) {
        if body.ends_with(END_OF_OPEN_METRICS) {
            body.truncate(body.len() - END_OF_OPEN_METRICS.len());
        }
        if body.last().is_some_and(|&last| last != b'\n') {
            body.push(b'\n');
        }
        let mut families = self.registry.gather();
        refine_cpu_seconds(&mut families);
        body.extend_from_slice(encode(format, &families).as_bytes());
        if format == Format::OpenMetrics1 {
            body.extend_from_slice(END_OF_OPEN_METRICS);
        }
    }
}

/// The crate counts CPU time in whole seconds; an idle exporter's would stand still for minutes.
fn refine_cpu_seconds(families: &mut [MetricFamily]) {
    let Some(seconds) = fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| cpu_seconds(&stat))
    else {
        return;
    };
    let cpu = families
        .iter_mut()
        .find(|family| family.name() == "process_cpu_seconds_total");
    if let Some(metric) = cpu.and_then(|family| family.mut_metric().first_mut()) {
        let mut counter = Counter::default();
        counter.set_value(seconds);
        metric.set_counter(counter);
    }
}

/// utime + stime, the 14th and 15th field; the 2nd, the program's name, may hold blanks and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / CLOCK_TICKS_PER_SECOND)
}

fn encode(format: Format, families: &[MetricFamily]) -> String {
    let mut out = String::with_capacity(4096);
    for family in families {
        // Writing to a String cannot fail.
        let _ = encode_family(format, family, &mut out);
    }
    out
}

fn encode_family(format: Format, family: &MetricFamily, out: &mut String) -> std::fmt::Result {
    let name = family.name();
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        // None is registered here.
        MetricType::SUMMARY | MetricType::UNTYPED => return Ok(()),
    };
    let described = match format {
        Format::OpenMetrics1 if kind == "counter" => name.strip_suffix("_total").unwrap_or(name),
        Format::OpenMetrics1 | Format::Text004 => name,
    };
    let help = family.help().replace('\\', "\\\\").replace('\n', "\\n");
    let help = match format {
        Format::OpenMetrics1 => help.replace('"', "\\\""),
        Format::Text004 => help,
    };
    writeln!(out, "# HELP {described} {help}")?;
    writeln!(out, "# TYPE {described} {kind}")?;
    for metric in family.get_metric() {
        let labels = rendered(metric.get_label());
        match kind {
            "counter" => writeln!(
                out,
                "{name}{} {}",
                braced(&labels),
                metric.get_counter().get_value()
            )?,
            "gauge" => writeln!(
                out,
                "{name}{} {}",
                braced(&labels),
                metric.get_gauge().get_value()
            )?,
            _ => {
                let histogram = metric.get_histogram();
                let comma = if labels.is_empty() { "" } else { "," };
                for bucket in histogram.get_bucket() {
                    let bound = bucket.upper_bound();
                    let count = bucket.cumulative_count();
                    match format {
                        // OpenMetrics wants `le` to look like a float.
                        Format::OpenMetrics1 => writeln!(
                            out,
                            "{name}_bucket{{{labels}{comma}le=\"{bound:?}\"}} {count}"
                        )?,
                        Format::Text004 => writeln!(
                            out,
                            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
                        )?,
                    }
                }
                let count = histogram.get_sample_count();
                writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}")?;
                writeln!(
                    out,
                    "{name}_sum{} {}",
                    braced(&labels),
                    histogram.get_sample_sum()
                )?;
                writeln!(out, "{name}_count{} {count}", braced(&labels))?;
            }
        }
    }
    Ok(())
}

fn rendered(labels: &[LabelPair]) -> String {
    let escaped = |value: &str| {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let pairs = labels
        .iter()
        .map(|label| format!("{}=\"{}\"", label.name(), escaped(label.value())));
    pairs.collect::<Vec<_>>().join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_behind_a_hostile_program_name() {
        let stat = "7 (a) R 1) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (a)"), None);
    }
}
