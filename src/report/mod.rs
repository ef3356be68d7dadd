//! Reads log files once and says what happened.
//!
//! In: files, plain or packed, and an engine. Out: text for people, JSON for programs, or the
//! exposition of the final state.
//! Never: an opinion that the metrics do not bear out.
//! Start reading at [`run`].

mod json;
mod programs;
mod read;
mod summary;
mod text;

use std::io::{self, Write};
use std::path::PathBuf;

use crate::engine::EngineConfig;
use crate::metrics::Format;

pub use summary::Summary;
pub use text::is_hidden;

/// What to read, and how to tell it.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// `-` is standard input.
    pub files: Vec<PathBuf>,
    pub format: ReportFormat,
    /// Only what lies so far back from the last line at most.
    pub since_ms: Option<i64>,
    /// More recipients than this for one account are too many.
    pub max_per_user: Option<u64>,
    /// Length of the top lists.
    pub top: usize,
    /// Show how far reading is, on standard error.
    pub progress: bool,
    /// The wall clock.
    pub now_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    Text,
    Json,
    Prometheus,
}

/// How it ended, beside what was printed.
#[derive(Debug, Default)]
pub struct ReportResult {
    /// Files that could not be read, with why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
    /// Accounts over `max_per_user`, with their recipients.
    pub exceeded: Vec<(String, u64)>,
}

/// Reads and prints.
pub fn run(
    mut config: EngineConfig,
    options: &ReportOptions,
    out: &mut dyn Write,
) -> io::Result<ReportResult> {
    // Nobody watches series being born here.
    config.metrics.birth_hold_ms = 0;
    let mut read = read::read_all(config, options)?;
    read.engine.finish();
    let frozen = read.engine.freeze(options.now_ms);
    let mut result = ReportResult {
        unreadable: std::mem::take(&mut read.unreadable),
        exceeded: Vec::new(),
    };
    if !result.unreadable.is_empty() && read.files_read == 0 && read.engine.lines() == 0 {
        // An empty report would say that nothing happened.
        return Ok(result);
    }
    let baseline = match (options.since_ms, read.engine.baseline()) {
        (None, _) => None,
        // No line is that late: all is before.
        (Some(_), None) => Some(&frozen),
        (Some(_), Some(baseline)) => Some(baseline),
    };
    let summary = Summary::new(&frozen, baseline, &read, options);
    if let Some(max) = options.max_per_user {
        result.exceeded = summary.accounts_over(max);
    }
    match options.format {
        ReportFormat::Text => text::write(&summary, out)?,
        ReportFormat::Json => json::write(&summary, out)?,
        ReportFormat::Prometheus => {
            let mut exposition = Vec::new();
            frozen.encode(Format::Text004, &mut exposition);
            out.write_all(&exposition)?;
        }
    }
    out.flush()?;
    Ok(result)
}
