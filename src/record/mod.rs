//! A log line without its header.
//!
//! In: one line, without its newline. Out: a [`Record`] borrowed from it.
//! Never: a word of mail, a clock, an allocation. One file per header form, told line by line.
//! Start reading at [`Headers::read`].
//!
//! | file | form |
//! | --- | --- |
//! | `priority.rs` | `<PRI>`, which may stand before any form |
//! | `traditional.rs` | `Nov 24 00:16:31 mx1 postfix/smtpd[4242]: text`, Postfix's `maillog_file` too |
//! | `rfc3339.rs` | `2026-11-24T00:16:31.123456+01:00 mx1 postfix/smtpd[4242]: text` |
//! | `rfc5424.rs` | `<22>1 2026-11-24T00:16:31Z mx1 postfix/smtpd 4242 - - text` |
//! | `tag.rs` | `mx1 postfix/smtpd[4242]: `, what the first two have behind their stamp |
//! | `repeated.rs` | `message repeated 3 times: [ text]` |
//! | `time.rs` | years and zones that a stamp does not say |
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

mod priority;
mod repeated;
mod rfc3339;
mod rfc5424;
mod tag;
mod time;
mod traditional;

/// A log line without its header. Everything borrows from the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The stamp, in milliseconds since the Unix epoch; `None` where the line has none.
    pub time_ms: Option<i64>,
    /// The host as logged; empty where the form carries none.
    pub host: &'a [u8],
    /// The tag as logged, without pid (`postfix/submission/smtpd`); empty without a header.
    pub program: &'a [u8],
    pub pid: Option<u32>,
    /// The severity of `<PRI>` (0 emergency .. 7 debug) where the form carries it.
    pub priority: Option<u8>,
    /// What the program said.
    pub message: &'a [u8],
    /// How many times it was said: `message repeated N times: [...]` is N, else 1.
    pub repeated: u32,
}

/// Reads headers; keeps what a form without year or zone needs from line to line.
///
/// The same lines in the same order give the same records, whatever they were read in:
/// all that it remembers comes from the lines themselves, and its caches only save work.
/// Lines of different writers want a `Headers` each.
///
/// ```
/// use jiff::tz::TimeZone;
/// use maillog_exporter::record::Headers;
///
/// let mut headers = Headers::new(TimeZone::UTC, 1_795_000_000_000);
/// let record = headers.read(b"Nov 24 00:16:31 mx1 postfix/smtpd[4242]: connect from unknown[192.0.2.1]");
/// assert_eq!(record.program, b"postfix/smtpd");
/// assert_eq!(record.message, b"connect from unknown[192.0.2.1]");
/// ```
#[derive(Debug, Clone)]
pub struct Headers {
    clock: time::Clock,
    traditional: traditional::Stamps,
    rfc3339: rfc3339::Stamps,
    tags: tag::Seen,
}

impl Headers {
    /// `zone`: for stamps without a zone. `now_ms`: the wall clock, only to infer the year of
    /// the first stamp that has none.
    pub fn new(zone: jiff::tz::TimeZone, now_ms: i64) -> Self {
        Headers {
            clock: time::Clock::new(zone, now_ms),
            traditional: traditional::Stamps::default(),
            rfc3339: rfc3339::Stamps::default(),
            tags: tag::Seen::default(),
        }
    }

    /// Reads one line, without its newline; a trailing `\r` is cut.
    ///
    /// A line without a header is all message. A stamp with no tag behind it (`Nov 24 00:16:31
    /// mx1 last message repeated 3 times`) is a header without a program.
    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Record<'a> {
        let line = match line {
            [line @ .., b'\r'] => line,
            _ => line,
        };
        let (priority, line) = priority::cut(line);
        let Some((time_ms, tagged)) = self.header(line) else {
            return Record {
                time_ms: None,
                host: b"",
                program: b"",
                pid: None,
                priority,
                message: line,
                repeated: 1,
            };
        };
        let (repeated, message) = repeated::cut(tagged.message);
        Record {
            time_ms,
            host: tagged.host,
            program: tagged.program,
            pid: tagged.pid,
            priority,
            message,
            repeated,
        }
    }

    /// The first byte tells which forms can be meant.
    #[inline(always)]
    fn header<'a>(&mut self, line: &'a [u8]) -> Option<(Option<i64>, tag::Tagged<'a>)> {
        match line.first()? {
            b'A'..=b'Z' => {
                let (time_ms, rest) = self.traditional.read(line, &mut self.clock)?;
                // A daemon's own file in this stamp (Dovecot's) would be told from syslog here.
                Some((Some(time_ms), tag::split(rest, &mut self.tags)))
            }
            b'1' if line.starts_with(b"1 ") => {
                rfc5424::read(line, &mut self.rfc3339, &mut self.clock)
            }
            b'0'..=b'9' => {
                let (time_ms, rest) = self.rfc3339.read(line, &mut self.clock)?;
                // Kubernetes CRI (`stdout F `) and a daemon's own file in this stamp (Dovecot's,
                // rspamd's) would be told from syslog here.
                Some((Some(time_ms), tag::split(rest, &mut self.tags)))
            }
            // Docker's json-file would be an arm of its own: b'{'.
            _ => None,
        }
    }
}
