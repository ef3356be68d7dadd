//! The walls between the rooms, and what else nobody should have to look after.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use maillog_exporter::cli;
use maillog_exporter::metrics::CATALOGUE;
use regex::Regex;

/// Who may know whom. A room knows those that come before it in a line's order, and nothing else;
/// of the views only those know another that are made of it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("record", &[]),
    ("state", &[]),
    ("showq", &[]),
    ("simulate", &[]),
    ("parse", &["record"]),
    ("rules", &["record"]),
    ("track", &["parse"]),
    // Labels are the words of events and facts.
    ("metrics", &["track", "parse"]),
    (
        "engine",
        &[
            "source", "record", "state", "parse", "rules", "track", "metrics",
        ],
    ),
    ("web", &["engine", "metrics", "source", "parse"]),
    (
        "report",
        &["engine", "metrics", "source", "parse", "record"],
    ),
    (
        "explain",
        &["engine", "metrics", "source", "parse", "record"],
    ),
    ("backfill", &["engine", "metrics", "source", "parse"]),
    ("cli", &[]),
    ("settings", &["cli", "engine", "metrics", "track"]),
    (
        "check",
        &[
            "engine", "metrics", "source", "parse", "settings", "showq", "state",
        ],
    ),
    (
        "serve",
        &[
            "engine", "metrics", "source", "parse", "showq", "state", "web",
        ],
    ),
    (
        "demo",
        &["engine", "metrics", "source", "serve", "simulate", "web"],
    ),
];

/// Of one file in the repository; what is larger belongs elsewhere.
const FILE_BYTES_MAX: u64 = 1_000_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the repository, without what was built from them.
fn files(under: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy();
            let is_built = matches!(&*name, "target" | "node_modules" | "__pycache__" | ".git");
            if path.is_dir() && !is_built {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|it| it == extension)
}

/// The text of all pages for people.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = ["docs", "alerts", "packaging", "dashboards"];
    let mut pages: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    pages.retain(|path| is(path, "md"));
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.push(root().join(name));
    }
    pages
        .into_iter()
        .filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text)))
        .collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// `src/parse/postfix/smtp.rs` is in the room `parse`, `src/cli.rs` is a room.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// What a file imports of ours: line number and room.
fn imports(text: &str, is_door: bool) -> Vec<(usize, String)> {
    let of_crate = Regex::new(r"\bcrate::([a-z_]+)\b").unwrap();
    let grouped = Regex::new(r"\bcrate::\{([^}]*)").unwrap();
    // In a room's own file, above is the crate.
    let above = Regex::new(r"^(?:pub )?use super::([a-z_]+)\b").unwrap();
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut add = |room: &str| found.push((at + 1, room.trim().to_owned()));
        of_crate.captures_iter(code).for_each(|it| add(&it[1]));
        for group in grouped.captures_iter(code) {
            group[1]
                .split(',')
                .filter_map(|it| it.split("::").next())
                .filter(|it| !it.trim().is_empty())
                .for_each(&mut add);
        }
        if is_door {
            above.captures_iter(code).for_each(|it| add(&it[1]));
        }
    }
    found
}

#[test]
fn imports_are_found() {
    let text = "use crate::parse::Event;\n// use crate::web::X;\n    input: crate::engine::Id,\n\
                use crate::{track::Fact, metrics};\nuse super::cli;\n    use super::*;\n";
    let found = |is_door| {
        let rooms = imports(text, is_door).into_iter();
        let rooms: Vec<String> = rooms.map(|(line, room)| format!("{line} {room}")).collect();
        rooms.join(", ")
    };
    assert_eq!(found(false), "1 parse, 3 engine, 4 track, 4 metrics");
    assert_eq!(found(true), "1 parse, 3 engine, 4 track, 4 metrics, 5 cli");
}

#[test]
fn rooms_know_only_whom_they_may() {
    let mut complaints = Vec::new();
    for path in files("src").iter().filter(|path| is(path, "rs")) {
        let room = room(path);
        if matches!(room.as_str(), "main" | "lib") {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
            complaints.push(format!(
                "{}: the room {room} has no line in MAY_IMPORT",
                shown(path)
            ));
            continue;
        };
        let is_door = *path == root().join(format!("src/{room}.rs"))
            || path.ends_with(format!("{room}/mod.rs"));
        for (line, imported) in imports(&fs::read_to_string(path).unwrap(), is_door) {
            if imported != room && !allowed.contains(&imported.as_str()) {
                let allowed = if allowed.is_empty() {
                    "nothing of ours".to_owned()
                } else {
                    allowed.join(", ")
                };
                complaints.push(format!(
                    "{}:{line}: {room} imports {imported}; it may import {allowed}",
                    shown(path)
                ));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_test_file_is_compiled() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let forgotten: Vec<String> = files("tests/it")
        .iter()
        .filter(|path| is(path, "rs") && path.parent() == Some(&root().join("tests/it")))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "main" && !main.contains(&format!("mod {name};")))
        .map(|name| format!("tests/it/{name}.rs is not in tests/it/main.rs"))
        .collect();
    assert_none(&forgotten);
}

#[test]
fn files_are_small_and_know_no_machine() {
    let here = root().to_string_lossy();
    let mut complaints = Vec::new();
    for path in files("") {
        let size_bytes = fs::metadata(&path).unwrap().len();
        if size_bytes > FILE_BYTES_MAX {
            complaints.push(format!("{}: {size_bytes} bytes", shown(&path)));
            continue;
        }
        // What is no text cannot say where it was made.
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            if line.contains(&*here) {
                complaints.push(format!("{}:{}: an absolute path", shown(&path), at + 1));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn pages_name_flags_that_exist() {
    let command = cli::command();
    let mut flags: BTreeSet<String> = ["help", "version"].map(str::to_owned).into();
    let mut variables = BTreeSet::new();
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        for argument in command.get_arguments() {
            flags.extend(argument.get_long().map(str::to_owned));
            variables.extend(
                argument
                    .get_env()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    let flag = Regex::new(r"(?:^|[\s`(\[|])--([a-z][a-z0-9.-]*[a-z0-9])").unwrap();
    let variable = Regex::new(r"\bMAILLOG_EXPORTER_[A-Z_]+\b").unwrap();
    let mut complaints = Vec::new();
    for (path, text) in pages() {
        for (at, line) in text.lines().enumerate() {
            let place = format!("{}:{}", shown(&path), at + 1);
            for found in flag.captures_iter(line).map(|it| it[1].to_owned()) {
                // A dot is our way of naming; other programs have flags without.
                let is_ours = line.contains("maillog_exporter ") || found.contains('.');
                let is_others = ["cargo ", "promtool ", "prometheus ", "docker "]
                    .iter()
                    .any(|program| line.contains(program))
                    || found.starts_with("storage.");
                if is_ours && !is_others && !flags.contains(&found) {
                    complaints.push(format!("{place}: there is no --{found}"));
                }
            }
            for found in variable.find_iter(line) {
                if !variables.contains(found.as_str()) {
                    complaints.push(format!("{place}: there is no {}", found.as_str()));
                }
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn pages_name_metrics_that_exist() {
    let word = Regex::new(r"\bmail(?:log)?_[a-z0-9_]+\b").unwrap();
    // Ours, but no metrics; Postfix's parameters; a job's name.
    let others = ["maillog_exporter", "mail_host", "maillog_file", "mail_log"];
    let exists = |name: &str| {
        let parts = ["", "_bucket", "_sum", "_count", "_created"];
        CATALOGUE.iter().any(|metric| {
            parts
                .iter()
                .any(|part| name.strip_suffix(part) == Some(metric.name))
        })
    };
    let mut complaints = Vec::new();
    for (path, text) in pages() {
        for (at, line) in text.lines().enumerate() {
            for found in word.find_iter(line) {
                // `mail_user_` and `mail_*` are families.
                let name = found.as_str();
                if !name.ends_with('_') && !others.contains(&name) && !exists(name) {
                    complaints.push(format!("{}:{}: there is no {name}", shown(&path), at + 1));
                }
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)").unwrap();
    let mut complaints = Vec::new();
    for (path, text) in pages() {
        for (at, line) in text.lines().enumerate() {
            for target in link.captures_iter(line).map(|it| it[1].to_owned()) {
                let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
                if !is_elsewhere && !path.parent().unwrap().join(&target).exists() {
                    complaints.push(format!(
                        "{}:{}: {target} is not there",
                        shown(&path),
                        at + 1
                    ));
                }
            }
        }
    }
    assert_none(&complaints);
}
