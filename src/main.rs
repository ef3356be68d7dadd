//! Starts what the arguments name, and turns what happens into an exit code.

use std::fmt;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::Context;
use maillog_exporter::cli::{self, Cli, Command};
use maillog_exporter::demo::{self, DemoOptions};
use maillog_exporter::metrics::{CatalogueFormat, render_catalogue};
use maillog_exporter::report::{self, ReportFormat, ReportOptions};
use maillog_exporter::serve::{self, ServeOptions, USUAL_PATHS};
use maillog_exporter::settings;
use maillog_exporter::source::{From, SourceSpec};
use maillog_exporter::web::{self, WebOptions};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A limit that was asked for was exceeded.
const EXIT_EXCEEDED: u8 = 3;

fn main() -> ExitCode {
    let cli = cli::parse();
    start_log(&cli.log);
    match run(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(flags) => run_serve(flags),
        Command::Report(flags) => run_report(flags),
        Command::Metrics(flags) => {
            let format = match flags.format {
                cli::MetricsFormat::Text => CatalogueFormat::Text,
                cli::MetricsFormat::Json => CatalogueFormat::Json,
                cli::MetricsFormat::Markdown => CatalogueFormat::Markdown,
            };
            io::Write::write_all(&mut io::stdout(), render_catalogue(format).as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(flags) => run_demo(flags),
    }
}

fn run_report(flags: cli::Report) -> anyhow::Result<ExitCode> {
    let config = settings::engine_config(&flags.understand, None)?;
    let options = ReportOptions {
        files: flags.files,
        format: match flags.format {
            cli::ReportFormat::Text => ReportFormat::Text,
            cli::ReportFormat::Json => ReportFormat::Json,
            cli::ReportFormat::Prometheus => ReportFormat::Prometheus,
        },
        since_ms: flags
            .since
            .map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 2)),
        max_per_user: flags.max_per_user,
        top: flags.top as usize,
        progress: io::stderr().is_terminal(),
        now_ms: serve::wall_clock()(),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = report::run(config, &options, &mut out)?;
    for (file, error) in &result.unreadable {
        eprintln!("{}", unreadable(&file.to_string_lossy(), error));
    }
    for (account, recipients) in &result.exceeded {
        eprintln!(
            "exceeded: {} wrote to {recipients} recipients",
            on_terminal(account)
        );
    }
    Ok(if !result.unreadable.is_empty() {
        ExitCode::FAILURE
    } else if !result.exceeded.is_empty() {
        ExitCode::from(EXIT_EXCEEDED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The three lines about a file that a report was to read.
fn unreadable(file: &str, error: &io::Error) -> String {
    let name = on_terminal(file);
    let (reason, why, fix) = match error.kind() {
        io::ErrorKind::NotFound => (
            "no such file".to_owned(),
            "it is elsewhere, or was rotated away meanwhile".to_owned(),
            format!(
                "see what is there: ls -l {}*",
                name.trim_end_matches(".log")
            ),
        ),
        io::ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            "its owner and group alone may read it".to_owned(),
            format!("sudo -g $(stat -c %G {name}) maillog_exporter report {name}"),
        ),
        io::ErrorKind::IsADirectory => (
            "it is a directory".to_owned(),
            "a report reads files, in the order given".to_owned(),
            format!("name them: maillog_exporter report {name}/*"),
        ),
        _ => (
            error.to_string(),
            "it is damaged, no log, or packed in a way not known here".to_owned(),
            "unpack it yourself, and give what comes out: ... | maillog_exporter report -"
                .to_owned(),
        ),
    };
    format!("error: cannot read {name}: {reason}\n  why: {why}\n  fix: {fix}")
}

/// Names are written by others: control characters never reach the terminal.
fn on_terminal(name: &str) -> String {
    let escaped = |c: char| {
        if report::is_hidden(c) {
            c.escape_unicode().to_string()
        } else {
            c.into()
        }
    };
    name.chars().map(escaped).collect()
}

fn run_serve(flags: cli::Serve) -> anyhow::Result<ExitCode> {
    let sources = if flags.sources.source.is_empty() {
        vec![usual_source()?]
    } else {
        let specs = flags.sources.source.iter();
        specs
            .map(|text| match text.parse::<SourceSpec>() {
                Ok(spec) => spec,
                Err(error) => cli::usage_error(format!("--source {text}: {error}")).exit(),
            })
            .collect()
    };
    for spec in &sources {
        followable(spec)?;
    }
    let options = ServeOptions {
        sources,
        from: match flags.sources.from {
            cli::ReadFrom::Start => From::Start,
            cli::ReadFrom::End => From::End,
        },
        engine: settings::engine_config(&flags.understand, Some(&flags.web))?,
        web: web_options(&flags.web),
        showq_paths: flags.queue.showq_paths(),
        clock: serve::wall_clock(),
    };
    for source in &options.sources {
        tracing::info!(source = source.as_str(), "following");
    }
    until_told(&flags.web, &flags.understand, |listener, told| {
        serve::run(listener, options, told)
    })
}

/// What is there must be a file; what is not there yet may become one.
fn followable(spec: &SourceSpec) -> anyhow::Result<()> {
    let name = spec.path().display();
    let Ok(metadata) = std::fs::metadata(spec.path()) else {
        return Ok(());
    };
    anyhow::ensure!(
        !metadata.is_dir(),
        "cannot follow {name}: it is a directory\n  \
         why: --source names a file, or files by a pattern\n  \
         fix: --source=file:{name}/*.log follows all logs in it"
    );
    anyhow::ensure!(
        metadata.is_file(),
        "cannot follow {name}: it is no regular file\n  \
         why: only a file can be read again after a restart\n  \
         fix: let the syslog daemon write a file, and name that with --source=file:PATH"
    );
    Ok(())
}

fn run_demo(flags: cli::Demo) -> anyhow::Result<ExitCode> {
    let options = DemoOptions {
        speed: flags.speed,
        seed: flags.seed,
        log: flags.log.clone(),
        hijack_after: flags.hijack_after,
        days: flags.days,
        engine: settings::engine_config(&flags.understand, Some(&flags.web))?,
        web: web_options(&flags.web),
    };
    until_told(&flags.web, &flags.understand, |listener, told| {
        demo::run(listener, options, told)
    })
}

fn web_options(flags: &cli::WebFlags) -> WebOptions {
    WebOptions {
        telemetry_path: flags.telemetry_path.clone(),
        ..WebOptions::default()
    }
}

/// Listens, and runs `work` until SIGTERM or SIGINT.
fn until_told<W: Future<Output = anyhow::Result<()>>>(
    web: &cli::WebFlags,
    understand: &cli::UnderstandFlags,
    work: impl FnOnce(tokio::net::TcpListener, Told) -> W,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let listener = match web::bind(web.listen_address).await {
            Ok(listener) => listener,
            Err(error) => anyhow::bail!("{error}\n  why: {}\n  fix: {}", error.why(), error.fix()),
        };
        let address = listener.local_addr()?;
        let shows_names = understand.privacy.users == cli::PrivacyUsers::Full;
        if let Some(warning) = web::exposure_warning(address, shows_names, false) {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            %address,
            page = format!("http://{address}/"),
            metrics = format!("http://{address}{}", web.telemetry_path),
            "listening"
        );
        work(listener, told()?).await
    });
    // A thread that reads a dead disk must not keep the process.
    runtime.shutdown_background();
    result.map(|()| {
        tracing::info!("stopped");
        ExitCode::SUCCESS
    })
}

/// The first of the usual places that is there.
fn usual_source() -> anyhow::Result<SourceSpec> {
    let found = USUAL_PATHS
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
    let path = found.with_context(|| {
        format!(
            "no mail log found\n  why: tried {}\n  fix: --source=file:PATH names it",
            USUAL_PATHS.join(", ")
        )
    })?;
    Ok(path.parse()?)
}

/// Done at SIGTERM or SIGINT.
type Told = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn told() -> anyhow::Result<Told> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn start_log(flags: &cli::LogFlags) {
    let level = match flags.level {
        cli::LogLevel::Error => tracing::Level::ERROR,
        cli::LogLevel::Warn => tracing::Level::WARN,
        cli::LogLevel::Info => tracing::Level::INFO,
        cli::LogLevel::Debug => tracing::Level::DEBUG,
        cli::LogLevel::Trace => tracing::Level::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(false);
    match flags.format {
        cli::LogFormat::Logfmt => builder.event_format(Logfmt).init(),
        cli::LogFormat::Json => builder.json().init(),
    }
}

/// `ts=... level=... msg="..." key=value`: a line for an event, whatever is in its values.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        out.write_str("ts=")?;
        SystemTime.format_time(&mut out)?;
        let level = event.metadata().level().as_str().to_lowercase();
        write!(out, " level={level} msg={}", value(&fields.message))?;
        writeln!(out, "{}", fields.others)
    }
}

/// An event's message, and its other fields as they are written.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            text.clone_into(&mut self.message);
        } else {
            self.others
                .push_str(&format!(" {}={}", field.name(), value(text)));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Quoted where it would not be one word; escaped where it would not be one line.
fn value(text: &str) -> String {
    let is_word =
        |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\') && !report::is_hidden(c);
    if !text.is_empty() && text.chars().all(is_word) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if report::is_hidden(c) => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_word_of_one_line() {
        for (text, written) in [
            ("127.0.0.1:10925", "127.0.0.1:10925"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a=b", "\"a=b\""),
            ("say \"x\\y\"", "\"say \\\"x\\\\y\\\"\""),
            ("a\nlevel=error\t\r", "\"a\\nlevel=error\\t\\r\""),
            ("\x1b[2J\u{9b}\u{202e}é", "\"\\u001b[2J\\u009b\\u202eé\""),
        ] {
            assert_eq!(value(text), written);
        }
    }
}
