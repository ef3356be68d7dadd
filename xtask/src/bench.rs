//! How fast, how big, how right. Prints figures and asserts none: a machine is not a promise.
//!
//! CPU time (user and system), page cache warm, all in one run, repetitions interleaved, medians:
//! what disturbs one disturbs the others. Instructions cannot be disturbed at all.

mod cost;
mod truth;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{packages, run};

const REPETITIONS: usize = 5;
/// mtail and pflogsumm need a minute for the whole story: they get its first lines, and the figure
/// for all of it is taken to grow with the lines.
const SLOW_LINES: u64 = 500_000;
const CALLGRIND_LINES: u64 = 100_000;
const SEED: u64 = 1;

struct Log {
    name: &'static str,
    lines: u64,
    /// How many times as long as `wc -l` we want to be at most.
    goal: f64,
    wish: f64,
}

const LOGS: [Log; 2] = [
    Log {
        name: "story",
        lines: 4_328_247,
        goal: 6.5,
        wish: 5.0,
    },
    Log {
        name: "mix",
        lines: 2_000_000,
        goal: 8.0,
        wish: 6.5,
    },
];

pub struct Options {
    only: Option<String>,
    /// Neither mtail nor pflogsumm, nor the cost of a scrape.
    quick: bool,
}

impl Options {
    pub fn read(mut flags: &[&str]) -> anyhow::Result<Options> {
        let mut options = Options {
            only: None,
            quick: false,
        };
        loop {
            flags = match flags {
                [] => return Ok(options),
                ["--quick", rest @ ..] => {
                    options.quick = true;
                    rest
                }
                ["--only", name, rest @ ..] if LOGS.iter().any(|log| log.name == *name) => {
                    options.only = Some((*name).to_owned());
                    rest
                }
                [flag, ..] => bail!("bench does not know {flag}"),
            };
        }
    }
}

pub fn run(options: &Options) -> anyhow::Result<bool> {
    packages::install(&[("valgrind", "valgrind")])?;
    if !options.quick {
        packages::install(&[("mtail", "mtail"), ("pflogsumm", "pflogsumm")])?;
    }
    let exporter = run::exporter()?;
    let folder = run::target().join("bench");
    fs::create_dir_all(&folder)?;
    for log in &LOGS {
        if options.only.as_deref().is_none_or(|only| only == log.name) {
            log.measure(&exporter, &folder, options)?;
        }
    }
    if !options.quick {
        scrape()?;
    }
    Ok(true)
}

impl Log {
    fn measure(&self, exporter: &Path, folder: &Path, options: &Options) -> anyhow::Result<()> {
        let (log, truth) = self.generate(folder)?;
        let size_bytes = fs::metadata(&log)?.len();
        println!(
            "\n{}: {} lines, {:.0} MB",
            self.name,
            self.lines,
            size_bytes as f64 / 1e6
        );
        let slow = cut(&log, SLOW_LINES.min(self.lines))?;
        let scale = self.lines as f64 / SLOW_LINES.min(self.lines) as f64;

        let report = |log: &Path| {
            let mut command = Command::new(exporter);
            command.args(["report", "--format", "json"]).arg(log);
            command
        };
        let mut contenders = vec![
            Contender::new("wc -l", 1.0, || {
                let mut command = Command::new("wc");
                command.arg("-l").arg(&log);
                command
            }),
            Contender::new("maillog_exporter report", 1.0, || report(&log)),
        ];
        if !options.quick {
            contenders.push(Contender::new("mtail", scale, || {
                let mut command = Command::new("mtail");
                let program = run::root().join("xtask/src/bench/postfix.mtail");
                command.args(["--one_shot", "--logtostderr", "--progs"]);
                command.arg(program).arg("--logs").arg(&slow);
                command
            }));
            contenders.push(Contender::new("pflogsumm", scale, || {
                let mut command = Command::new("pflogsumm");
                command.arg(&slow);
                command
            }));
        }
        for contender in &mut contenders {
            // The page cache is warm before anything counts; the slow ones warm their own.
            if contender.scale <= 1.0 {
                contender.run()?;
                contender.costs.clear();
            }
        }
        for _ in 0..REPETITIONS {
            for contender in &mut contenders {
                contender.run()?;
            }
        }
        let wc_s = contenders[0].cpu_s();
        let ours_s = contenders[1].cpu_s();
        println!(
            "  {:<24} {:>8} {:>12} {:>8} {:>8} {:>9}",
            "", "CPU s", "lines/s", "x wc -l", "x ours", "RSS MB"
        );
        for contender in &contenders {
            let cpu_s = contender.cpu_s();
            println!(
                "  {:<24} {:>8.3} {:>12.0} {:>8.2} {:>8.1} {:>9.1}",
                contender.name,
                cpu_s,
                self.lines as f64 / cpu_s,
                cpu_s / wc_s,
                cpu_s / ours_s,
                contender.rss_max_bytes() as f64 / 1e6,
            );
        }
        println!(
            "  goals: ours <= {} x wc -l (wished {}), mtail >= 40 x ours, pflogsumm >= 20 x ours, \
             RSS < 64 MB",
            self.goal, self.wish
        );
        if !options.quick && scale > 1.0 {
            println!("  mtail and pflogsumm: over the first {SLOW_LINES} lines, times {scale:.2}");
        }
        self.instructions(&log, folder, &report)?;
        truth::check(exporter, &log, &truth)
    }

    /// The log and its truth, made once.
    fn generate(&self, folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
        let log = folder.join(format!("{}.log", self.name));
        let truth = folder.join(format!("{}.truth.json", self.name));
        let generator = run::target().join("release/examples/simulate");
        // Newer than what makes it: another simulator may write another log.
        let made = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
        if made(&truth).is_none() || made(&truth) < made(&generator) {
            let mut command = Command::new(&generator);
            command.args([self.name, &self.lines.to_string(), &SEED.to_string()]);
            run::done(command.arg(&log).arg(&truth))?;
        }
        Ok((log, truth))
    }

    /// Of a line in the long run: what 100,000 lines cost, less what 50,000 do.
    fn instructions(
        &self,
        log: &Path,
        folder: &Path,
        report: &dyn Fn(&Path) -> Command,
    ) -> anyhow::Result<()> {
        let mut counts = Vec::new();
        for lines in [CALLGRIND_LINES / 2, CALLGRIND_LINES] {
            let cut = cut(log, lines)?;
            let out = folder.join(format!("callgrind.{}.{lines}", self.name));
            let ours = report(&cut);
            let mut command = Command::new("valgrind");
            command
                .arg("--tool=callgrind")
                .arg(format!("--callgrind-out-file={}", out.display()))
                .arg(ours.get_program())
                .args(ours.get_args())
                .stdout(Stdio::null());
            let output = command.output().context("valgrind")?;
            let said = String::from_utf8_lossy(&output.stderr);
            let count = said
                .lines()
                .find_map(|line| {
                    line.split_once("Collected : ")?
                        .1
                        .trim()
                        .parse::<u64>()
                        .ok()
                })
                .with_context(|| format!("valgrind says no count: {said}"))?;
            counts.push(count as f64);
        }
        let [half, whole] = counts.as_slice() else {
            bail!("two runs, {} counts", counts.len());
        };
        let per_line = (whole - half) / (CALLGRIND_LINES / 2) as f64;
        println!(
            "  {per_line:.0} instructions a line; {:.1} M to start and to end",
            (2.0 * half - whole) / 1e6
        );
        Ok(())
    }
}

struct Contender<'a> {
    name: &'static str,
    /// Its log is so many times shorter than that of the others.
    scale: f64,
    command: Box<dyn Fn() -> Command + 'a>,
    costs: Vec<cost::Cost>,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, scale: f64, command: impl Fn() -> Command + 'a) -> Self {
        Contender {
            name,
            scale,
            command: Box::new(command),
            costs: Vec::new(),
        }
    }

    fn run(&mut self) -> anyhow::Result<()> {
        self.costs.push(cost::of(&mut (self.command)())?);
        Ok(())
    }

    fn cpu_s(&self) -> f64 {
        let mut all: Vec<f64> = self.costs.iter().map(|cost| cost.cpu_s).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN) * self.scale
    }

    fn rss_max_bytes(&self) -> u64 {
        self.costs
            .iter()
            .map(|cost| cost.rss_max_bytes)
            .max()
            .unwrap_or(0)
    }
}

/// The first lines of a log, in a file beside it.
fn cut(log: &Path, lines: u64) -> anyhow::Result<PathBuf> {
    let path = log.with_extension(format!("{lines}.log"));
    let made = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    if made(&path) > made(log) {
        return Ok(path);
    }
    let mut input = BufReader::with_capacity(1 << 18, File::open(log)?);
    let mut output = BufWriter::with_capacity(1 << 18, File::create(&path)?);
    let mut line = Vec::new();
    for _ in 0..lines {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        output.write_all(&line)?;
    }
    output.flush()?;
    Ok(path)
}

/// The test `cost` prints what a scrape of some 10,000 series costs.
fn scrape() -> anyhow::Result<()> {
    let mut command = run::cargo(
        "test --quiet --release --test it -- --ignored --exact --nocapture metrics::cost",
    );
    let printed = run::output(&mut command)?;
    println!("\nscrape (goal: 10,000 series under 2 ms, reading paused at most 1 ms)");
    for line in String::from_utf8_lossy(&printed).lines() {
        if ["series, held", "freeze:", "encode:"]
            .iter()
            .any(|word| line.contains(word))
        {
            println!("  {line}");
        }
    }
    Ok(())
}
