//! What is generated, and committed so that everybody can read it.
//! `ci` checks that it is what would be generated now; the snapshots are checked by their tests.

use std::fs;

use anyhow::{Context, ensure};

use crate::run;

/// Generated pages, each with the arguments that print it.
const PAGES: [(&str, &[&str]); 1] = [("docs/metrics.md", &["metrics", "--format", "markdown"])];
/// The table that opens that page stands in the README too, between these.
const TABLE_BEGINS: &str = "<!-- metrics:begin -->\n";
const TABLE_ENDS: &str = "<!-- metrics:end -->";
const DASHBOARDS: &str = "dashboards/src/build.py";

pub fn run() -> anyhow::Result<()> {
    for (path, text) in pages()? {
        if fs::read_to_string(run::root().join(&path)).ok().as_ref() != Some(&text) {
            println!("writing {path}");
            fs::write(run::root().join(&path), text)?;
        }
    }
    println!("writing dashboards/*.json");
    run::done(&mut run::line(DASHBOARDS))?;
    println!("writing snapshots");
    run::done(run::cargo("test --quiet --test it").env("INSTA_UPDATE", "always"))
}

pub fn check() -> anyhow::Result<()> {
    for (path, text) in pages()? {
        let written = fs::read_to_string(run::root().join(&path)).with_context(|| path.clone())?;
        ensure!(written == text, "{path} is stale\n  fix: cargo xtask bless");
    }
    run::done(&mut run::line(&format!("{DASHBOARDS} --check")))
}

/// Each generated page, and what it should say.
fn pages() -> anyhow::Result<Vec<(String, String)>> {
    let exporter = run::exporter()?;
    let print = |arguments: &[&str]| {
        let printed = run::output(&mut run::command(&exporter.to_string_lossy(), arguments))?;
        anyhow::Ok(String::from_utf8(printed)?)
    };
    let mut pages = Vec::new();
    for (path, arguments) in PAGES {
        pages.push((path.to_owned(), print(arguments)?));
    }
    let readme = fs::read_to_string(run::root().join("README.md")).context("README.md")?;
    let (before, rest) = readme
        .split_once(TABLE_BEGINS)
        .context("README.md has no metrics:begin")?;
    let (_, after) = rest
        .split_once(TABLE_ENDS)
        .context("README.md has no metrics:end")?;
    let markdown = print(&["metrics", "--format", "markdown"])?;
    let table = markdown.split("\n\n").next().unwrap_or_default();
    let table = table.replace("](#", "](docs/metrics.md#");
    pages.push((
        "README.md".to_owned(),
        format!(
            "{before}{TABLE_BEGINS}{}\n{TABLE_ENDS}{after}",
            table.trim_end()
        ),
    ));
    Ok(pages)
}
