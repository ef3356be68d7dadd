//! Writes a simulated log, and beside it what is true of it, for benchmarks and checks:
//!
//! ```text
//! cargo run --release --example simulate -- story LINES SEED LOG TRUTH
//! ```
//!
//! `story` is a busy server's log of mostly qmgr and smtpd, `mix` that of four hosts in good health,
//! `world` the demo's system: there LINES is how many hours it lives. TRUTH is a JSON object:
//! series, as in the exposition, and its value.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use maillog_exporter::simulate::{Truth, World, WorldOptions, mix, story};

/// 2026-11-22T23:00:00Z, for a world: like the rest, it is the same whenever it is made.
const WORLD_BEGINS_MS: u64 = 1_795_388_400_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, lines, seed, log, truth] = arguments.as_slice() else {
        bail!("expected: story|mix|world LINES SEED LOG TRUTH");
    };
    let lines = lines.parse().context("LINES")?;
    let seed = seed.parse().context("SEED")?;
    let mut out = BufWriter::new(File::create(log).context("LOG")?);
    let counted = match kind.as_str() {
        "story" => story(&mut out, lines, seed)?,
        "mix" => mix(&mut out, lines, seed)?,
        "world" => world(&mut out, lines, seed)?,
        other => bail!("{other:?} is none of story, mix, world"),
    };
    out.flush()?;
    serde_json::to_writer_pretty(File::create(truth).context("TRUTH")?, &counted)?;
    Ok(())
}

fn world(out: &mut dyn Write, hours: u64, seed: u64) -> std::io::Result<Truth> {
    let options = WorldOptions {
        hijack_after: Duration::from_secs(1_800),
        ..WorldOptions::default()
    };
    let mut world = World::new(seed, WORLD_BEGINS_MS, options);
    world.step(WORLD_BEGINS_MS + hours * 3_600_000, out)?;
    Ok(world.truth())
}
