//! Facts in, exposition out.

use maillog_exporter::metrics::{Format, Frozen, Metrics, MetricsConfig};

fn text(frozen: &Frozen, format: Format) -> String {
    let mut out = Vec::new();
    frozen.encode(format, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn fresh() {
    let frozen = Metrics::new(MetricsConfig::default()).freeze(0);
    std::fs::write("/tmp/fresh.txt", text(&frozen, Format::Text004)).unwrap();
    std::fs::write("/tmp/fresh.om", text(&frozen, Format::OpenMetrics1)).unwrap();
}
