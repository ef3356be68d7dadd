//! The page for people: what is followed, how far, what was seen, what would mend what is wrong.
//! In: a [`Status`]. Out: one HTML page without scripts, images or anything loaded.
//! Never: text of the log or of a file name unescaped; all of it is hostile.
//! Start reading at [`page`].

use std::{
    fmt::{self, Write},
    sync::LazyLock,
};

use sha2::{Digest, Sha256};

use super::WebOptions;

/// What the engine says of itself. Times are seconds since the epoch.
#[derive(Clone, Debug, Default)]
pub struct Status {
    pub version: String,
    /// The counters have caught up: the metrics are served.
    pub ready: bool,
    pub now_unix: i64,
    pub started_unix: i64,
    pub sources: Vec<SourceStatus>,
    pub lines_read: u64,
    pub lines_unparsed: u64,
    /// Messages being followed now.
    pub messages_tracked: u64,
    /// Messages accepted so far, in the order to show.
    pub messages: Vec<OriginCount>,
    pub accounts_seen: u64,
    pub queue: QueueStatus,
    /// What is wrong beside the sources.
    pub problems: Vec<Problem>,
}

/// One `--source`.
#[derive(Clone, Debug, Default)]
pub struct SourceStatus {
    /// The flag as written.
    pub source: String,
    pub files: Vec<String>,
    pub up: bool,
    pub read_bytes: u64,
    /// What there is to read, the part read included.
    pub total_bytes: u64,
    pub last_line_unix: Option<i64>,
    pub problem: Option<Problem>,
}

impl SourceStatus {
    pub fn lag_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.read_bytes)
    }
}

#[derive(Clone, Debug, Default)]
pub struct OriginCount {
    pub origin: String,
    pub messages: u64,
}

#[derive(Clone, Debug, Default)]
pub enum QueueStatus {
    /// Nobody is asked.
    #[default]
    Off,
    Unknown(Problem),
    Known(Vec<QueueCount>),
}

#[derive(Clone, Debug, Default)]
pub struct QueueCount {
    pub queue: String,
    pub messages: u64,
    pub oldest_unix: Option<i64>,
}

/// The three lines of every error: what, why, and the command that mends it.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    pub error: String,
    pub why: Option<String>,
    pub fix: Option<String>,
}

/// Why the metrics are not served yet, for a person at a terminal.
pub(super) fn how_far(status: &Status) -> String {
    let mut text = String::from("not ready: the counters have not caught up with the log\n");
    for source in &status.sources {
        let _ = writeln!(
            text,
            "{}: {} of {} read ({})",
            Printable(&source.source),
            Bytes(source.read_bytes),
            Bytes(source.total_bytes),
            percent(source.read_bytes, source.total_bytes),
        );
        if let Some(problem) = &source.problem {
            let _ = writeln!(text, "  {}", Printable(&problem.error));
        }
    }
    text
}

pub(super) fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = base64(&Sha256::digest(STYLE));
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
    });
    &POLICY
}

pub(super) fn page(status: &Status, options: &WebOptions) -> String {
    let mut out = String::with_capacity(16 * 1024);
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, status, options);
    out
}

const STYLE: &str = include_str!("landing.css");

fn write_page(out: &mut String, status: &Status, options: &WebOptions) -> fmt::Result {
    let (state, state_text) = state_of(status);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" href=\"data:,\">\
         <title>maillog_exporter: {state_text}</title><style>{STYLE}</style></head><body><main>\n\
         <header><div><h1>maillog_exporter</h1><p class=\"sub\">version {} &middot; running for {}</p></div>\
         <span class=\"state {state}\">{state_text}</span></header>\n",
        Escaped(&status.version),
        Age(status.now_unix - status.started_unix),
    )?;
    write!(
        out,
        "<nav><a class=\"first\" href=\"{}\">Metrics</a><a href=\"/-/healthy\">Health</a><a href=\"/-/ready\">Readiness</a>",
        Escaped(&options.telemetry_path)
    )?;
    if let Some(url) = &options.docs_url {
        write!(out, "<a href=\"{}\">Documentation</a>", Escaped(url))?;
    }
    out.push_str("</nav>\n");
    for problem in &status.problems {
        write_problem(out, problem)?;
    }
    write_sources(out, status)?;
    write_seen(out, status)?;
    write_messages(out, status)?;
    write_queue(out, status)?;
    out.push_str("</main></body></html>\n");
    Ok(())
}

fn state_of(status: &Status) -> (&'static str, String) {
    let has_problem = !status.problems.is_empty()
        || status
            .sources
            .iter()
            .any(|source| !source.up || source.problem.is_some());
    if !status.ready {
        let read = status.sources.iter().map(|source| source.read_bytes).sum();
        let total = status.sources.iter().map(|source| source.total_bytes).sum();
        ("busy", format!("catching up, {}", percent(read, total)))
    } else if status.sources.is_empty() {
        ("bad", "nothing to follow".into())
    } else if has_problem {
        ("bad", "needs attention".into())
    } else {
        ("good", "ready".into())
    }
}

fn write_sources(out: &mut String, status: &Status) -> fmt::Result {
    out.push_str("<section><h2>What it follows</h2>\n");
    if status.sources.is_empty() {
        out.push_str(
            "<p class=\"empty\">No source. Name one with <code>--source=file:PATH</code>.</p>\n",
        );
    }
    for source in &status.sources {
        let state = if source.up { "good" } else { "bad" };
        let word = if source.up { "up" } else { "down" };
        writeln!(
            out,
            "<article><h3><code>{}</code> <span class=\"dot {state}\">{word}</span></h3>",
            Escaped(&source.source)
        )?;
        if source.total_bytes > 0 {
            writeln!(
                out,
                "<progress max=\"{}\" value=\"{}\">{}</progress>",
                source.total_bytes,
                source.read_bytes.min(source.total_bytes),
                percent(source.read_bytes, source.total_bytes),
            )?;
        }
        if source.total_bytes > 0 || source.last_line_unix.is_some() {
            write_reading(out, source, status.now_unix)?;
        }
        if !source.files.is_empty() {
            out.push_str("<p class=\"files\">");
            for file in &source.files {
                write!(out, "<code>{}</code> ", Escaped(file))?;
            }
            out.push_str("</p>\n");
        }
        if let Some(problem) = &source.problem {
            write_problem(out, problem)?;
        }
        out.push_str("</article>\n");
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_reading(out: &mut String, source: &SourceStatus, now_unix: i64) -> fmt::Result {
    write!(
        out,
        "<dl><div><dt>Read</dt><dd>{} of {}</dd></div><div><dt>Behind</dt><dd>{}</dd></div>\
             <div><dt>Last line</dt><dd>",
        Bytes(source.read_bytes),
        Bytes(source.total_bytes),
        Bytes(source.lag_bytes()),
    )?;
    match source.last_line_unix {
        Some(stamp) => write_moment(out, stamp, now_unix)?,
        None => out.push_str("none yet"),
    }
    out.push_str("</dd></div></dl>\n");
    Ok(())
}

fn write_seen(out: &mut String, status: &Status) -> fmt::Result {
    let messages = status.messages.iter().map(|count| count.messages).sum();
    out.push_str("<section><h2>What it has seen</h2><div class=\"tiles\">\n");
    for (number, what) in [
        (status.lines_read, "lines of log"),
        (messages, "messages accepted"),
        (status.accounts_seen, "accounts"),
        (status.messages_tracked, "messages under way"),
        (status.lines_unparsed, "lines not understood"),
    ] {
        let warn = if what == "lines not understood" && number > 0 {
            " warn"
        } else {
            ""
        };
        writeln!(
            out,
            "<div class=\"tile{warn}\"><b>{}</b><span>{what}</span></div>",
            Grouped(number)
        )?;
    }
    out.push_str("</div></section>\n");
    Ok(())
}

fn write_messages(out: &mut String, status: &Status) -> fmt::Result {
    if status.messages.is_empty() {
        return Ok(());
    }
    let most = status
        .messages
        .iter()
        .map(|count| count.messages)
        .max()
        .unwrap_or(0)
        .max(1);
    out.push_str("<section><h2>Messages by origin</h2><table><tbody>\n");
    for OriginCount { origin, messages } in &status.messages {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"note\">{}</td><td class=\"bar\"><progress max=\"{most}\" value=\"{messages}\"></progress></td><td class=\"number\">{}</td></tr>",
            Escaped(origin),
            meaning_of(origin),
            Grouped(*messages),
        )?;
    }
    out.push_str("</tbody></table></section>\n");
    Ok(())
}

fn meaning_of(origin: &str) -> &'static str {
    match origin {
        "authenticated" => "sent by an account that logged in",
        "trusted" => "from a host that may send without a login",
        "local" => "submitted on this host",
        "unauthenticated" => "received from elsewhere",
        "generated" => "made by the mail system",
        "unknown" => "accepted before reading began",
        _ => "",
    }
}

fn write_queue(out: &mut String, status: &Status) -> fmt::Result {
    match &status.queue {
        QueueStatus::Off => Ok(()),
        QueueStatus::Unknown(problem) => {
            out.push_str("<section><h2>Postfix's queue</h2>\n");
            write_problem(out, problem)?;
            out.push_str("</section>\n");
            Ok(())
        }
        QueueStatus::Known(queues) => {
            out.push_str("<section><h2>Postfix's queue</h2>\n");
            if queues.iter().all(|queue| queue.messages == 0) {
                out.push_str("<p class=\"empty\">Empty.</p></section>\n");
                return Ok(());
            }
            out.push_str("<table><thead><tr><th>Queue</th><th class=\"number\">Messages</th><th class=\"number\">Oldest</th></tr></thead><tbody>\n");
            for queue in queues {
                write!(
                    out,
                    "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">",
                    Escaped(&queue.queue),
                    Grouped(queue.messages)
                )?;
                match queue.oldest_unix {
                    Some(oldest) if queue.messages > 0 => {
                        write!(out, "{}", Age(status.now_unix - oldest))?
                    }
                    _ => out.push_str("&ndash;"),
                }
                out.push_str("</td></tr>\n");
            }
            out.push_str("</tbody></table></section>\n");
            Ok(())
        }
    }
}

fn write_problem(out: &mut String, problem: &Problem) -> fmt::Result {
    write!(
        out,
        "<div class=\"problem\" role=\"alert\"><p><b>{}</b></p>",
        Escaped(&problem.error)
    )?;
    if let Some(why) = &problem.why {
        write!(out, "<p><span>why</span> {}</p>", Escaped(why))?;
    }
    if let Some(fix) = &problem.fix {
        write!(out, "<p><span>fix</span> <code>{}</code></p>", Escaped(fix))?;
    }
    out.push_str("</div>\n");
    Ok(())
}

/// A stamp and how long ago it was.
fn write_moment(out: &mut String, unix: i64, now_unix: i64) -> fmt::Result {
    match jiff::Timestamp::from_second(unix) {
        Ok(stamp) if unix <= now_unix => {
            write!(
                out,
                "<time datetime=\"{stamp}\" title=\"{stamp}\">{} ago</time>",
                Age(now_unix - unix)
            )
        }
        Ok(stamp) => write!(
            out,
            "<time datetime=\"{stamp}\">{stamp}</time>, ahead of this host's clock"
        ),
        Err(_) => write!(out, "{unix}"),
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part >= whole {
        return "100 %".into();
    }
    // Never 100 before it is.
    format!("{} %", u128::from(part) * 100 / u128::from(whole))
}

/// Text inside an element or a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_invisible(c) => write!(f, "\\u{{{:x}}}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Text for a terminal.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_invisible(c) {
                write!(f, "\\u{{{:x}}}", c as u32)?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Controls, and what turns or hides the text around it.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `1,234,567`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// `12.3 MB`.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut size = self.0 as f64;
        let mut unit = "bytes";
        for larger in ["kB", "MB", "GB", "TB"] {
            if size < 1000.0 {
                break;
            }
            size /= 1000.0;
            unit = larger;
        }
        if unit == "bytes" {
            write!(f, "{} bytes", self.0)
        } else {
            write!(f, "{size:.1} {unit}")
        }
    }
}

/// `3 s`, `5 min`, `2 h 10 min`, `4 days`.
struct Age(i64);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0);
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds} s"),
            (0, 0, _) => write!(f, "{minutes} min"),
            (0, _, _) => write!(f, "{hours} h {} min", minutes % 60),
            (1, _, _) => write!(f, "1 day {} h", hours % 24),
            _ => write!(f, "{days} days"),
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let padded = [
            0,
            group[0],
            *group.get(1).unwrap_or(&0),
            *group.get(2).unwrap_or(&0),
        ];
        let bits = u32::from_be_bytes(padded);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            text.push(if place <= group.len() {
                char::from(ALPHABET[six as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(Grouped(0).to_string(), "0");
        assert_eq!(Grouped(999).to_string(), "999");
        assert_eq!(Grouped(1_234_567).to_string(), "1,234,567");
        assert_eq!(Bytes(999).to_string(), "999 bytes");
        assert_eq!(Bytes(12_345_678).to_string(), "12.3 MB");
        assert_eq!(Age(-5).to_string(), "0 s");
        assert_eq!(Age(7_800).to_string(), "2 h 10 min");
        assert_eq!(Age(90_000).to_string(), "1 day 1 h");
        assert_eq!(percent(999, 1000), "99 %");
        assert_eq!(percent(0, 0), "100 %");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99 %");
    }
}
