//! A log line without its header.
//!
//! In: one line, without its newline. Out: a [`Record`] borrowed from it.
//! Never: a word of mail. One file per header form.

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
