//! A simulated mail system, an account being hijacked in it, and the exporter that watches.
//!
//! The simulator writes a real log file; what serves follows that file like any other. Time passes
//! for both at `speed`, so a minute of the log is a minute of the metrics.
//! Start reading at [`run`].

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::engine::EngineConfig;
use crate::serve::{self, Clock, ServeOptions};
use crate::simulate::{World, WorldOptions};
use crate::source::{From, SourceSpec};
use crate::web::WebOptions;

/// The simulator sleeps so long at most: it must stop when it is told to.
const NAP_MAX: Duration = Duration::from_millis(200);

/// What to simulate, and how to serve it.
pub struct DemoOptions {
    /// How many times faster than real time.
    pub speed: u32,
    pub seed: u64,
    /// `None`: a temporary file, which goes with the demo.
    pub log: Option<PathBuf>,
    pub hijack_after: Duration,
    /// Days of ordinary mail before the demo begins.
    pub days: u32,
    pub engine: EngineConfig,
    pub web: WebOptions,
}

/// Simulates and serves on `listener` until `shutdown`.
pub async fn run(
    listener: tokio::net::TcpListener,
    mut options: DemoOptions,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (log, path, _temporary) = open_log(options.log.as_deref())?;
    let wall = serve::wall_clock();
    let start_ms = wall();
    let clock = sped_up(start_ms, options.speed);
    let mut world = World::new(
        options.seed,
        start_ms.max(0) as u64,
        WorldOptions {
            hijack_after: options.hijack_after,
            prehistory: Duration::from_secs(u64::from(options.days) * 86_400),
            utc_offset_minutes: 0,
            ..WorldOptions::default()
        },
    );
    let hijack = world.hijack();
    let stamp = |ms: u64| {
        i64::try_from(ms)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .map_or_else(String::new, |stamp| stamp.to_string())
    };
    let real_wait_s = hijack.starts_at_ms.saturating_sub(start_ms.max(0) as u64)
        / 1_000
        / u64::from(options.speed);
    tracing::info!(
        log = %path.display(),
        speed = options.speed,
        seed = options.seed,
        "simulating a mail system"
    );
    tracing::info!(
        account = hijack.account,
        at = stamp(hijack.starts_at_ms),
        in_seconds = real_wait_s,
        "an account will be hijacked"
    );
    // Prometheus lives in real time: so must what is held for it.
    options.engine.metrics.birth_hold_ms = options
        .engine
        .metrics
        .birth_hold_ms
        .saturating_mul(u64::from(options.speed));
    let spec: SourceSpec = format!("file:{}", path.display())
        .parse()
        .context("the demo's log")?;
    // The past is there before anybody looks.
    let mut out = BufWriter::with_capacity(1 << 16, log);
    world.step(start_ms.max(0) as u64, &mut out)?;
    out.flush()?;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = {
        let (clock, stop) = (Arc::clone(&clock), Arc::clone(&stop));
        let told = hijack.starts_at_ms;
        std::thread::Builder::new()
            .name("simulator".into())
            .spawn(move || write(world, out, &clock, &stop, options.speed, told))
            .context("cannot start the simulator's thread")?
    };
    let result = serve::run(
        listener,
        ServeOptions {
            sources: vec![spec],
            from: From::Start,
            engine: options.engine,
            web: options.web,
            showq_paths: Vec::new(),
            clock,
        },
        shutdown,
    )
    .await;
    stop.store(true, std::sync::atomic::Ordering::Release);
    let written = writer
        .join()
        .map_err(|_| anyhow::anyhow!("the simulator stopped for a fault of its own"))?;
    result.and(written)
}

/// The file, its path, and what removes it at the end where it is ours.
fn open_log(
    log: Option<&Path>,
) -> anyhow::Result<(File, PathBuf, Option<tempfile::NamedTempFile>)> {
    let Some(path) = log else {
        // Nobody knows its name before, and nobody else reads it.
        let temporary = tempfile::Builder::new()
            .prefix("maillog_exporter.demo.")
            .suffix(".log")
            .tempfile()
            .context("cannot write the demo's log")?;
        let path = temporary.path().to_owned();
        return Ok((temporary.as_file().try_clone()?, path, Some(temporary)));
    };
    let name = path.display();
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("cannot write the demo's log {name}"))?;
    anyhow::ensure!(
        file.metadata()?.len() == 0,
        "{name} is not empty\n  \
         why: the demo writes a log of its own from the start, and what is there may be wanted\n  \
         fix: name a new file with --log, or leave it out for a temporary one"
    );
    Ok((file, path.to_owned(), None))
}

/// Writes the log as its time passes.
fn write(
    mut world: World,
    mut out: BufWriter<File>,
    clock: &Clock,
    stop: &std::sync::atomic::AtomicBool,
    speed: u32,
    hijack_ms: u64,
) -> anyhow::Result<()> {
    let mut is_told = false;
    while !stop.load(std::sync::atomic::Ordering::Acquire) {
        let now_ms = clock().max(0) as u64;
        world
            .step(now_ms, &mut out)
            .and_then(|()| out.flush())
            .context("cannot write the demo's log")?;
        if !is_told && now_ms >= hijack_ms {
            is_told = true;
            tracing::warn!(account = world.hijack().account, "the hijack begins");
        }
        let ahead_ms = world.next_ms().saturating_sub(now_ms) / u64::from(speed);
        std::thread::sleep(Duration::from_millis(ahead_ms.max(1)).min(NAP_MAX));
    }
    Ok(())
}

/// A clock that runs `speed` times faster from `start_ms` on.
fn sped_up(start_ms: i64, speed: u32) -> Clock {
    #[expect(clippy::disallowed_methods, reason = "simulated time follows the real")]
    let began = Instant::now();
    Arc::new(move || {
        let passed = began.elapsed().saturating_mul(speed);
        start_ms.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
    })
}
