//! What a client can read: the exposition's format from `Accept`, gzip from `Accept-Encoding`.
//! In: request headers. Out: a [`Format`], a yes or no.
//! Never: 406. Who accepts neither format gets text, as from every exporter.
//! Source: RFC 9110 12.4.2 and 12.5; what Prometheus 3 sends stands in the tests.

use axum::http::{HeaderMap, HeaderName, header};

/// The two forms of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text004,
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

/// How much a client wants something: quality in thousandths, then how exactly it was named.
/// The place in the header breaks a tie between the two formats, the earlier first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    quality: u16,
    exactness: u8,
    earliness: usize,
}

pub(super) fn format(headers: &HeaderMap) -> Format {
    let accept = joined(headers, &header::ACCEPT);
    let open_metrics = wish(&accept, "application", "openmetrics-text", "1.0.0");
    let text = wish(&accept, "text", "plain", "0.0.4");
    match (open_metrics, text) {
        (Some(open_metrics), _) if open_metrics.exactness < 2 || open_metrics.quality == 0 => {
            Format::Text004
        }
        (Some(open_metrics), Some(text)) if open_metrics > text => Format::OpenMetrics1,
        (Some(_), None) => Format::OpenMetrics1,
        _ => Format::Text004,
    }
}

pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accept = joined(headers, &header::ACCEPT_ENCODING);
    let quality = |coding: &str| {
        elements(&accept)
            .find(|(name, _)| name.eq_ignore_ascii_case(coding))
            .map(|(_, parameters)| quality(parameters))
    };
    let gzip = quality("gzip")
        .or(quality("x-gzip"))
        .or(quality("*"))
        .unwrap_or(0);
    gzip > 0 && quality("identity").is_none_or(|identity| identity <= gzip)
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .collect::<Vec<_>>()
        .join(",")
}

/// The wish of the most exact range that matches; RFC 9110 12.5.1.
fn wish(accept: &str, kind: &str, subtype: &str, version: &str) -> Option<Wish> {
    let ranges = elements(accept).enumerate();
    let matching = ranges.filter_map(|(place, (range, parameters))| {
        let (a, b) = range.split_once('/')?;
        let asked = parameter(parameters, "version");
        let exactness = if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subtype) {
            match asked {
                Some(asked) if asked != version => return None,
                Some(_) => 3,
                None => 2,
            }
        } else if a.eq_ignore_ascii_case(kind) && b == "*" {
            1
        } else if a == "*" && b == "*" {
            0
        } else {
            return None;
        };
        Some(Wish {
            quality: quality(parameters),
            exactness,
            earliness: usize::MAX - place,
        })
    });
    matching.max_by_key(|wish| (wish.exactness, wish.earliness))
}

/// The elements of a header's list, each with its parameters.
fn elements(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(',').map(|element| {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        (name.trim(), parameters)
    })
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let is_it = key.trim().eq_ignore_ascii_case(name);
        is_it.then(|| value.trim().trim_matches('"'))
    })
}

/// In thousandths. What cannot be read counts as not wanted.
fn quality(parameters: &str) -> u16 {
    let Some(value) = parameter(parameters, "q") else {
        return 1000;
    };
    match value.parse::<f64>() {
        Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn header(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn formats() {
        let open = Format::OpenMetrics1;
        let text = Format::Text004;
        for (accept, expected) in [
            // Prometheus 3.x, 2.5x, with openmetrics off; VictoriaMetrics; a browser; curl.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                open,
            ),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                open,
            ),
            (
                "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.1",
                text,
            ),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", text),
            ("text/plain;version=0.0.4;q=1", text),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                text,
            ),
            ("*/*", text),
            ("", text),
            ("application/*", text),
            ("application/openmetrics-text", open),
            (
                "application/openmetrics-text; charset=utf-8; version=\"1.0.0\"",
                open,
            ),
            ("Application/OpenMetrics-Text;Version=1.0.0", open),
            ("application/openmetrics-text;version=0.0.1", text),
            (
                "application/openmetrics-text;version=2.0.0, text/plain",
                text,
            ),
            ("application/openmetrics-text;q=0", text),
            ("application/openmetrics-text;q=0.3,text/plain;q=0.2", open),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.3", text),
            ("application/openmetrics-text,text/plain", open),
            ("text/plain,application/openmetrics-text", text),
            ("application/openmetrics-text;q=7", text),
            ("image/png", text),
            (",;,/;q", text),
        ] {
            assert_eq!(
                format(&header(header::ACCEPT, accept)),
                expected,
                "{accept}"
            );
        }
        assert_eq!(format(&HeaderMap::new()), text);
    }

    #[test]
    fn gzip() {
        for (accept, expected) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("identity;q=1, gzip;q=0.5", false),
            ("identity;q=0.5, gzip;q=0.8", true),
            ("deflate", false),
            ("", false),
        ] {
            let headers = header(header::ACCEPT_ENCODING, accept);
            assert_eq!(accepts_gzip(&headers), expected, "{accept}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
