//! Reads the files, in the order given, into one engine.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ReportOptions;
use crate::engine::{Engine, EngineConfig};
use crate::source::{BlockReader, open_input};

/// A reading that takes no longer shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// What reading came to.
pub struct ReadAll {
    pub engine: Engine,
    pub bytes: u64,
    pub files_read: usize,
    pub long_lines_cut: u64,
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

pub fn read_all(config: EngineConfig, options: &ReportOptions) -> io::Result<ReadAll> {
    let zone = config.zone.clone();
    let mut read = ReadAll {
        engine: Engine::new(config),
        bytes: 0,
        files_read: 0,
        long_lines_cut: 0,
        unreadable: Vec::new(),
    };
    let mut spooled = None;
    if let Some(since_ms) = options.since_ms {
        // The last line tells where "since" begins, so it is looked for first.
        if options.files.iter().any(|file| is_stdin(file)) {
            spooled = Some(spool_stdin()?);
        }
        let mut last_ms = None;
        for file in &options.files {
            if let Ok(input) = open(file, spooled.as_mut()) {
                last_ms = last_ms.max(last_stamp(input, &zone, options.now_ms)?);
            }
        }
        if let Some(last_ms) = last_ms {
            read.engine.count_from(last_ms - since_ms);
        }
    }
    let bar = progress_bar(options);
    let input = read.engine.input(options.now_ms);
    for file in &options.files {
        if let Err(error) = read_file(&mut read, input, file, spooled.as_mut(), &bar, options) {
            read.unreadable.push((file.clone(), error));
        }
    }
    bar.finish_and_clear();
    Ok(read)
}

fn read_file(
    read: &mut ReadAll,
    input: crate::engine::InputId,
    file: &Path,
    spooled: Option<&mut File>,
    bar: &ProgressBar,
    options: &ReportOptions,
) -> io::Result<()> {
    let counted = Counted {
        input: open(file, spooled)?,
        bar: bar.clone(),
        is_shown: options.progress,
    };
    let mut blocks = BlockReader::new(counted);
    loop {
        let block = blocks.next_block();
        match block {
            Ok(Some(lines)) => read.engine.feed(input, lines, options.now_ms),
            Ok(None) => break,
            Err(error) => return Err(error),
        }
    }
    read.bytes += blocks.bytes_read();
    read.long_lines_cut += blocks.long_lines_cut();
    read.files_read += 1;
    Ok(())
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn open(file: &Path, spooled: Option<&mut File>) -> io::Result<Box<dyn Read + Send>> {
    match spooled {
        Some(spooled) if is_stdin(file) => {
            spooled.rewind()?;
            Ok(Box::new(spooled.try_clone()?))
        }
        _ => open_input(file),
    }
}

/// Standard input in a file without a name: it must be read twice.
fn spool_stdin() -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let mut input = open_input(Path::new("-"))?;
    io::copy(&mut input, &mut file)?;
    file.flush()?;
    Ok(file)
}

/// The stamp of the last line that has one.
fn last_stamp(
    input: Box<dyn Read + Send>,
    zone: &jiff::tz::TimeZone,
    now_ms: i64,
) -> io::Result<Option<i64>> {
    let mut headers = crate::record::Headers::new(zone.clone(), now_ms);
    let mut blocks = BlockReader::new(input);
    let mut last = None;
    // A damaged file's end is told when it is read for good.
    while let Ok(Some(lines)) = blocks.next_block() {
        last = lines
            .rsplit(|&byte| byte == b'\n')
            .find_map(|line| headers.read(line).time_ms)
            .or(last);
    }
    Ok(last)
}

fn progress_bar(options: &ReportOptions) -> ProgressBar {
    if !options.progress {
        return ProgressBar::hidden();
    }
    let sizes = options.files.iter().map(std::fs::metadata);
    let total = sizes.map(|size| size.map_or(0, |m| m.len())).sum();
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template(
        "reading {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// Moves the progress bar along.
struct Counted {
    input: Box<dyn Read + Send>,
    bar: ProgressBar,
    is_shown: bool,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if self.is_shown && self.bar.is_hidden() && self.bar.elapsed() > PROGRESS_AFTER {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
        self.bar.inc(read as u64);
        Ok(read)
    }
}
