//! All checks, in order; a failed one does not keep the others from running.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::{bless, packages, run};

/// What the checks call, and the Debian package that has it.
const NEEDS: [packages::Need; 3] = [
    ("python3", "python3"),
    ("promtool", "prometheus"),
    ("amtool", "prometheus-alertmanager"),
];

const KEPT_LOG: &str = "tests/logs/postfix-3.7";
/// Of the demo's mail system: so long that an account has been hijacked in it.
const WORLD_HOURS: &str = "2";

#[derive(Default)]
pub struct Options {
    fast: bool,
    only: Option<String>,
}

impl Options {
    pub fn read(mut flags: &[&str]) -> anyhow::Result<Options> {
        let mut options = Options::default();
        loop {
            flags = match flags {
                [] => return Ok(options),
                ["--fast", rest @ ..] => {
                    options.fast = true;
                    rest
                }
                ["--only", word, rest @ ..] => {
                    options.only = Some((*word).to_owned());
                    rest
                }
                [flag, ..] => bail!("ci does not know {flag}"),
            };
        }
    }
}

struct Step {
    name: &'static str,
    /// Real daemons, for minutes: not with `--fast`.
    is_slow: bool,
    work: fn() -> anyhow::Result<()>,
}

impl Step {
    const fn fast(name: &'static str, work: fn() -> anyhow::Result<()>) -> Step {
        Step {
            name,
            is_slow: false,
            work,
        }
    }

    const fn slow(name: &'static str, work: fn() -> anyhow::Result<()>) -> Step {
        Step {
            name,
            is_slow: true,
            work,
        }
    }
}

const STEPS: [Step; 16] = [
    Step::fast("format", || cargo("fmt --all --check")),
    Step::fast("clippy", || {
        cargo("clippy --workspace --all-targets -- -D warnings")
    }),
    Step::fast("doc", doc),
    Step::fast("test", test),
    Step::fast("release build", || run::exporter().map(drop)),
    Step::fast("packages", || packages::install(&NEEDS)),
    Step::fast("generated files are fresh", bless::check),
    Step::fast("exposition of the kept log", exposition_of_kept_log),
    Step::fast("exposition of a simulated log", exposition_of_simulated_log),
    Step::fast("counts of the kept log", || {
        script(&format!("tests/system/run --on {KEPT_LOG}"))
    }),
    Step::fast("alerts", || {
        script(&format!(
            "alerts/check --catalogue {}",
            catalogue()?.display()
        ))
    }),
    Step::fast("dashboards", || {
        script(&format!(
            "dashboards/src/check_queries.py --catalogue {}",
            catalogue()?.display()
        ))
    }),
    Step::slow("system: mail", || script("tests/system/run")),
    Step::slow("system: births", || script("tests/system/prometheus/run")),
    Step::slow("system: dashboards", || {
        script("tests/system/dashboards/queries")
    }),
    Step::slow("system: page", || script("tests/system/alerts/page")),
];

pub fn run(options: &Options) -> anyhow::Result<bool> {
    let wanted = STEPS.iter().filter(|step| match &options.only {
        Some(word) => step.name.contains(word.as_str()),
        None => !(options.fast && step.is_slow),
    });
    let began = now();
    let mut results: Vec<(&str, Duration, Option<anyhow::Error>)> = Vec::new();
    for step in wanted {
        println!("\n=== {}", step.name);
        let began = now();
        let result = (step.work)();
        let took = began.elapsed();
        match &result {
            Ok(()) => println!("--- ok, {:.1} s", took.as_secs_f64()),
            Err(error) => println!("--- FAILED, {:.1} s: {error:#}", took.as_secs_f64()),
        }
        results.push((step.name, took, result.err()));
    }
    ensure!(!results.is_empty(), "no step has that word");
    println!("\n=== summary");
    for (name, took, error) in &results {
        let said = if error.is_some() { "FAILED" } else { "ok" };
        println!("{said:<7} {:>7.1} s  {name}", took.as_secs_f64());
    }
    let failed = results
        .iter()
        .filter(|(_, _, error)| error.is_some())
        .count();
    println!(
        "{} steps, {failed} failed, {:.0} s",
        results.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(failed == 0)
}

#[expect(clippy::disallowed_methods, reason = "how long a step took")]
fn now() -> Instant {
    Instant::now()
}

fn cargo(arguments: &str) -> anyhow::Result<()> {
    run::done(&mut run::cargo(arguments))
}

/// A program of the repository, from its root.
fn script(line: &str) -> anyhow::Result<()> {
    run::done(&mut run::line(line))
}

fn doc() -> anyhow::Result<()> {
    run::done(run::cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))
}

fn test() -> anyhow::Result<()> {
    // A snapshot that changed is a failure, also where an editor would be asked.
    run::done(run::cargo("test --workspace").env("INSTA_UPDATE", "no"))
}

fn folder() -> anyhow::Result<PathBuf> {
    let folder = run::target().join("ci");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// What `metrics --format json` says, in a file.
fn catalogue() -> anyhow::Result<PathBuf> {
    let exporter = run::exporter()?;
    let path = folder()?.join("catalogue.json");
    let catalogue = run::output(&mut run::command(
        &exporter.to_string_lossy(),
        ["metrics", "--format", "json"],
    ))?;
    fs::write(&path, catalogue)?;
    Ok(path)
}

fn exposition_of_kept_log() -> anyhow::Result<()> {
    for form in ["traditional", "rfc3339", "rfc5424"] {
        let log = run::root().join(KEPT_LOG).join(format!("{form}.log.gz"));
        check_exposition(&log)?;
    }
    Ok(())
}

fn exposition_of_simulated_log() -> anyhow::Result<()> {
    run::exporter()?;
    let folder = folder()?;
    let log = folder.join("world.log");
    let simulate = run::target().join("release/examples/simulate");
    let mut command = run::command(&simulate.to_string_lossy(), ["world", WORLD_HOURS, "1"]);
    run::done(command.arg(&log).arg(folder.join("world.truth.json")))?;
    check_exposition(&log)
}

/// promtool's opinion: it reads like a scrape does, and knows the customs of names.
fn check_exposition(log: &Path) -> anyhow::Result<()> {
    let exporter = run::exporter()?;
    let mut report = run::command(
        &exporter.to_string_lossy(),
        ["report", "--format", "prometheus"],
    );
    let text = run::output(report.arg(log))?;
    let path = folder()?.join("exposition.txt");
    fs::write(&path, text)?;
    let mut promtool = run::line("promtool check metrics");
    promtool.stdin(File::open(&path)?);
    run::done(&mut promtool).with_context(|| log.display().to_string())
}
