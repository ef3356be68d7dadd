//! Are the counts those that the simulator knows to be true?
//! A series of the truth names some labels; the value is the sum over all the others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use crate::run;

/// Differences of a family that are shown.
const SHOWN_MAX: usize = 8;
/// So that no value is hidden in `_other`.
const NO_LIMITS: [&str; 4] = [
    "--limit.users=1000000",
    "--limit.relays=1000000",
    "--limit.domains=1000000",
    "--limit.programs=1000000",
];

type Labels = BTreeMap<String, String>;

pub fn check(exporter: &Path, log: &Path, truth: &Path) -> anyhow::Result<()> {
    let truth: BTreeMap<String, f64> = serde_json::from_reader(BufReader::new(File::open(truth)?))?;
    let mut command = Command::new(exporter);
    command
        .args(["report", "--format", "prometheus"])
        .args(NO_LIMITS)
        .arg(log);
    let text = run::output(&mut command)?;
    let text = String::from_utf8_lossy(&text);
    let mut got: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((series, value)) = line.rsplit_once(' ') {
            let (name, labels) = split(series);
            got.entry(name).or_default().push((labels, value.parse()?));
        }
    }

    // All truths of a family that name the same labels are asked of one grouping of it.
    let mut wanted: BTreeMap<(String, Vec<String>), BTreeMap<Labels, f64>> = BTreeMap::new();
    for (series, value) in &truth {
        let (name, labels) = split(series);
        let names = labels.keys().cloned().collect();
        wanted
            .entry((name, names))
            .or_default()
            .insert(labels, *value);
    }
    let mut missing = Vec::new();
    let mut differences = Vec::new();
    let mut compared = 0;
    for ((name, labels), wanted) in &wanted {
        let Some(series) = got.get(name) else {
            missing.push(name.as_str());
            continue;
        };
        // Where the truth names all labels, it also says which series are 0.
        let is_whole = labels.len() == series.iter().map(|(l, _)| l.len()).max().unwrap_or(0);
        let mut sums: BTreeMap<Labels, f64> = BTreeMap::new();
        for (all, value) in series {
            let mut named = all.clone();
            named.retain(|label, _| labels.contains(label));
            *sums.entry(named).or_default() += value;
        }
        for (labels, value) in wanted {
            let sum = sums.remove(labels).unwrap_or(0.0);
            compared += 1;
            if sum != *value {
                differences.push(format!(
                    "{}  expected {value}, got {sum}",
                    join(name, labels)
                ));
            }
        }
        if is_whole {
            let is_wrong =
                |(named, sum): &(Labels, f64)| named.len() == labels.len() && *sum != 0.0;
            for (labels, sum) in sums.into_iter().filter(is_wrong) {
                differences.push(format!("{}  expected 0, got {sum}", join(name, &labels)));
            }
        }
    }
    missing.dedup();
    println!(
        "  truth: {compared} series compared, {} differ{}",
        differences.len(),
        if missing.is_empty() {
            String::new()
        } else {
            format!("; not exposed: {}", missing.join(" "))
        }
    );
    let mut by_family: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for difference in &differences {
        let family = difference.split('{').next().unwrap_or_default();
        by_family.entry(family).or_default().push(difference);
    }
    for (family, differences) in by_family {
        println!("    {family}: {}", differences.len());
        for difference in differences.iter().take(SHOWN_MAX) {
            println!("      {}", difference.trim_start_matches(family));
        }
    }
    Ok(())
}

/// `name{label="value",...}`.
fn split(series: &str) -> (String, Labels) {
    let Some((name, rest)) = series.split_once('{') else {
        return (series.to_owned(), Labels::new());
    };
    let mut labels = Labels::new();
    let mut rest = rest.trim_start_matches(',');
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                other => value.push(other),
            }
        }
        // An empty label is no label.
        if !value.is_empty() {
            labels.insert(label.to_owned(), value);
        }
        rest = after[end..].trim_start_matches(',');
    }
    (name.to_owned(), labels)
}

fn join(name: &str, labels: &Labels) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
}
