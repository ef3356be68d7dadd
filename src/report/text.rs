//! The report for people: the story's questions on a screen and a half, 80 columns wide.
//!
//! Names come from the log and are hostile: control characters never reach the terminal.

use std::fmt::Display;
use std::io::{self, Write};

use super::Summary;
use super::summary::{AccountLine, Defined, DestinationLine, Ranked};

const WIDTH: usize = 80;
/// What stands behind a number.
const NAME_WIDTH: usize = WIDTH - 15;

pub fn write(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    head(summary, out)?;
    title(out, "Mail")?;
    for (label, number) in [
        ("sent by this server", &summary.sent_by_this_server),
        ("sent by your users", &summary.sent_by_users),
        ("submitted", &summary.submitted),
    ] {
        defined(out, label, number)?;
    }
    let origins: Vec<String> = summary
        .messages_by_origin
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(origin, count)| format!("{origin} {}", grouped(*count)))
        .collect();
    if !origins.is_empty() {
        wrapped(out, "accepted, by origin", &origins)?;
    }
    for (direction, statuses) in &summary.deliveries {
        let parts: Vec<String> = statuses
            .iter()
            .map(|(status, count)| format!("{status} {}", grouped(*count)))
            .collect();
        wrapped(out, &format!("{direction} deliveries"), &parts)?;
    }
    accounts(out, "Accounts by messages", &summary.accounts_by_messages)?;
    let differs = |a: &[AccountLine], b: &[AccountLine]| {
        a.iter()
            .map(|l| &l.account)
            .ne(b.iter().map(|l| &l.account))
    };
    if differs(
        &summary.accounts_by_messages,
        &summary.accounts_by_recipients,
    ) {
        accounts(
            out,
            "Accounts by recipients",
            &summary.accounts_by_recipients,
        )?;
    }
    if !summary.accounts_by_recipients.is_empty() {
        writeln!(
            out,
            "sent: to other hosts; refused: recipients that failed at first, each once;\n\
             new to: recipients it never wrote to before; networks: of its clients, in the\n\
             hour before the last line"
        )?;
    }
    destinations(out, "Next hops: hosts, filters, commands", &summary.relays)?;
    destinations(out, "Recipients' domains, ours included", &summary.domains)?;
    ranking(out, "Why mail fails", &summary.failure_reasons)?;
    ranking(
        out,
        "Who says that our address is listed",
        &summary.blocklisted_by,
    )?;
    title(out, "Logins")?;
    number(out, "succeeded", summary.logins_succeeded)?;
    number(out, "failed", summary.logins_failed)?;
    for line in &summary.login_failures {
        let name = format!("  {}", line.name);
        number(out, shortened(&name, NAME_WIDTH), line.count)?;
    }
    ranking(out, "Turned away", &summary.rejects)?;
    if summary.connections > 0 {
        title(out, "Connections")?;
        number(out, "in all", summary.connections)?;
        number(out, "lost in the middle", summary.connections_lost)?;
    }
    programs(summary, out)
}

fn head(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let files = match summary.files {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    writeln!(
        out,
        "{} lines of {files}, {} bytes",
        grouped(summary.lines),
        grouped(summary.bytes)
    )?;
    let stamp = |ms: i64| {
        jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "?".into(), |t| t.to_string())
    };
    if let Some(since_ms) = summary.since_ms {
        writeln!(out, "counted from {} on", stamp(since_ms))?;
    }
    match summary.last_line_ms {
        Some(last_ms) => writeln!(out, "last line of {}", stamp(last_ms))?,
        None => writeln!(out, "no line has a stamp: is this a log?")?,
    }
    if summary.lines_cut > 0 {
        writeln!(
            out,
            "{} lines were longer than 64 KiB and cut",
            summary.lines_cut
        )?;
    }
    Ok(())
}

fn programs(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    title(out, "What fills the log")?;
    for line in &summary.programs {
        let name = if line.program.is_empty() {
            "(no header)".to_owned()
        } else {
            shortened(&line.program, NAME_WIDTH)
        };
        writeln!(out, "{:>13}  {name}", grouped(line.lines))?;
        let note = if line.is_read {
            ""
        } else {
            " (counted as lines only)"
        };
        writeln!(out, "{:15}{}{note}", "", line.means)?;
        if line.is_read && line.unparsed > 0 {
            writeln!(
                out,
                "{:15}{} of them no rule knows yet",
                "",
                grouped(line.unparsed)
            )?;
        }
    }
    Ok(())
}

fn title(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}\n{}", "-".repeat(text.chars().count()))
}

fn number(out: &mut dyn Write, label: impl Display, value: u64) -> io::Result<()> {
    writeln!(out, "{:>13}  {label}", grouped(value))
}

fn defined(out: &mut dyn Write, label: &str, number: &Defined) -> io::Result<()> {
    writeln!(out, "{:>13}  {label}", grouped(number.value))?;
    writeln!(out, "{:15}{}", "", number.means)
}

/// Parts in a row, going on in the next where they do not fit.
fn wrapped(out: &mut dyn Write, label: &str, parts: &[String]) -> io::Result<()> {
    let mut line = format!("{:15}{label}:", "");
    for (at, part) in parts.iter().enumerate() {
        let comma = if at + 1 < parts.len() { "," } else { "" };
        if line.chars().count() + part.len() + 2 > WIDTH {
            writeln!(out, "{line}")?;
            line = format!("{:17}", "");
        } else {
            line.push(' ');
        }
        line.push_str(part);
        line.push_str(comma);
    }
    writeln!(out, "{line}")
}

fn accounts(out: &mut dyn Write, text: &str, lines: &[AccountLine]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    title(out, text)?;
    writeln!(
        out,
        "{:>9} {:>10} {:>8} {:>8} {:>7} {:>8}  account",
        "messages", "recipients", "sent", "refused", "new to", "networks"
    )?;
    for line in lines {
        writeln!(
            out,
            "{:>9} {:>10} {:>8} {:>8} {:>7} {:>8}  {}",
            grouped(line.messages),
            grouped(line.recipients),
            grouped(line.sent),
            grouped(line.refused_recipients),
            grouped(line.new_recipients),
            line.client_networks,
            shortened(&line.account, 23)
        )?;
    }
    Ok(())
}

fn destinations(out: &mut dyn Write, text: &str, lines: &[DestinationLine]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    title(out, text)?;
    writeln!(
        out,
        "{:>13} {:>11} {:>11}  name",
        "sent", "deferred", "bounced"
    )?;
    for line in lines {
        writeln!(
            out,
            "{:>13} {:>11} {:>11}  {}",
            grouped(line.sent),
            grouped(line.deferred),
            grouped(line.bounced),
            shortened(&line.name, 40)
        )?;
    }
    Ok(())
}

fn ranking(out: &mut dyn Write, text: &str, lines: &[Ranked]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    title(out, text)?;
    for line in lines {
        number(out, shortened(&line.name, NAME_WIDTH), line.count)?;
    }
    Ok(())
}

/// Digits in threes: 4,328,247.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a terminal obeys instead of showing it: controls, and what turns or hides the text around it.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) { '?' } else { c })
        .collect()
}

fn shortened(text: &str, max: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= max {
        return text;
    }
    let kept: String = text.chars().take(max - 3).collect();
    format!("{kept}...")
}
