//! Samples of an exposition, and how a test names them.

use std::collections::BTreeMap;

use maillog_exporter::metrics::Frozen;

/// A series, or the sum of those that have its labels and others.
pub struct Selector {
    pub name: String,
    labels: Vec<(String, String)>,
}

impl Selector {
    pub fn read(text: &str) -> Selector {
        let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
        let mut labels = Vec::new();
        let mut rest = rest.strip_suffix('}').expect("labels end in a brace");
        while let Some((label, after)) = rest.split_once("=\"") {
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().expect("a label ends in a quote") {
                    (at, '"') => break at,
                    (_, '\\') => value.push(chars.next().expect("an escaped character").1),
                    (_, other) => value.push(other),
                }
            };
            labels.push((label.trim_start_matches(',').to_owned(), value));
            rest = &after[end + 1..];
        }
        Selector {
            name: name.to_owned(),
            labels,
        }
    }

    pub fn label(&self, name: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(label, _)| label == name);
        label.map(|(_, value)| value.as_str())
    }

    pub fn takes(&self, name: &str, labels: &[(String, String)]) -> bool {
        self.name == name
            && self.labels.iter().all(|(label, value)| {
                let said = labels.iter().find(|(other, _)| other == label);
                said.map_or("", |(_, value)| value) == value
            })
    }
}

/// Labels are sorted, empty ones left out.
pub type Samples = BTreeMap<(String, Vec<(String, String)>), f64>;

/// All that is above 0, without what tells of the reading itself.
pub fn samples(frozen: &Frozen) -> Samples {
    frozen
        .iter()
        .filter(|sample| sample.value != 0.0 && sample.name != "maillog_tracked_messages")
        .map(|sample| {
            let mut labels = sample.labels;
            labels.sort();
            ((sample.name, labels), sample.value)
        })
        .collect()
}

pub fn spelled(name: &str, labels: &[(String, String)]) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
}
