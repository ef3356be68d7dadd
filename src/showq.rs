//! Asks Postfix's showq service, over its socket, how much mail waits in each queue and since when.
//! In: the path of the socket. Out: a [`QueueSnapshot`], or an error that says what would mend it.
//! Never: the queue files themselves, addresses, queue ids. Whatever the length of the queue, 64 KiB
//! of buffer and one attribute are held; a listing may take [`READ_TIMEOUT`] in all, and is asked
//! for at most once per [`INTERVAL_MIN`].
//! Missing: text listings (Postfix 3.0 and older) do not tell `incoming` from `deferred`; both
//! count as `deferred` there.
//! Start reading at [`Poller::fresh`]; [`Listing`] is the two protocols.
//!
//! The service speaks as soon as a client connects and wants nothing from it. What it says changed:
//!
//! | Postfix | listing |
//! | --- | --- |
//! | to 3.0 | text, as `mailq` prints it (showq/showq.c) |
//! | 3.1 | `name NUL value NUL` pairs, one list for each message, each ended by an empty name; an empty list ends all |
//! | 3.5 | `forced_expire` is among them |
//! | 3.6 | a list with `protocol` alone comes first ("server speaks first") |

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{Timestamp, civil, tz::TimeZone};

/// Where Postfix puts the socket unless `queue_directory` says otherwise.
pub const PATH_DEFAULT: &str = "/var/spool/postfix/public/showq";
/// How long one listing may take, however it trickles.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// showq opens every queue file for a listing: no scraper may ask for it more often.
pub const INTERVAL_MIN: Duration = Duration::from_secs(15);

const BUFFER_BYTES: usize = 64 * 1024;
/// What is kept of a name or a value: the longest that counts is `mail_queue_list_protocol`.
const TEXT_BYTES_MAX: usize = 64;
/// What is kept of a line of text: an id, a size, a date and the word `(maildrop`.
const LINE_BYTES_MAX: usize = 160;

/// Postfix's queue directories, as showq names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    Maildrop,
    Incoming,
    Active,
    Deferred,
    Hold,
    Corrupt,
    Other,
}

impl QueueName {
    /// Every name, for whoever shows a queue that is empty at 0.
    pub const ALL: [QueueName; 7] = [
        QueueName::Maildrop,
        QueueName::Incoming,
        QueueName::Active,
        QueueName::Deferred,
        QueueName::Hold,
        QueueName::Corrupt,
        QueueName::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            QueueName::Maildrop => "maildrop",
            QueueName::Incoming => "incoming",
            QueueName::Active => "active",
            QueueName::Deferred => "deferred",
            QueueName::Hold => "hold",
            QueueName::Corrupt => "corrupt",
            QueueName::Other => "other",
        }
    }

    fn from_bytes(name: &[u8]) -> QueueName {
        QueueName::ALL
            .into_iter()
            .find(|queue| queue.as_str().as_bytes() == name)
            .unwrap_or(QueueName::Other)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One queue that holds mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: QueueName,
    pub messages: u64,
    /// When the oldest of them arrived, where showq knew.
    pub oldest_unix: Option<i64>,
}

/// What one listing said. A queue that is not in it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSnapshot {
    pub queues: Vec<Queue>,
}

impl QueueSnapshot {
    pub fn messages(&self) -> u64 {
        self.queues.iter().map(|queue| queue.messages).sum()
    }

    /// Adds another instance's queues to this one's: counts add up, the oldest stays.
    #[must_use]
    pub fn merged(self, other: QueueSnapshot) -> QueueSnapshot {
        let mut queues = Counts::default();
        for queue in self.queues.into_iter().chain(other.queues) {
            queues.add(queue.name, queue.messages, queue.oldest_unix);
        }
        queues.snapshot()
    }
}

#[derive(Default)]
struct Counts(BTreeMap<QueueName, (u64, Option<i64>)>);

impl Counts {
    fn add(&mut self, name: QueueName, messages: u64, arrival_unix: Option<i64>) {
        let (count, oldest) = self.0.entry(name).or_default();
        *count += messages;
        *oldest = match (*oldest, arrival_unix) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn snapshot(self) -> QueueSnapshot {
        let queues = self.0.into_iter();
        QueueSnapshot {
            queues: queues
                .map(|(name, (messages, oldest_unix))| Queue {
                    name,
                    messages,
                    oldest_unix,
                })
                .collect(),
        }
    }
}

/// Why there is no listing. [`ShowqError::why`] and [`ShowqError::fix`] are the two lines below it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShowqError {
    #[error("no showq socket at {}", path.display())]
    Absent { path: PathBuf },
    #[error("nobody listens on {}", path.display())]
    Refused { path: PathBuf },
    #[error("cannot connect to {}: permission denied", path.display())]
    Permission {
        path: PathBuf,
        /// The directory or socket that keeps us out, with owner, group and mode.
        gate: String,
        /// The group that would let us in.
        group: Option<String>,
    },
    #[error("{} did not finish its listing within {}s", path.display(), READ_TIMEOUT.as_secs())]
    Timeout { path: PathBuf },
    #[error("{} does not speak showq's protocol: {problem}", path.display())]
    Protocol { path: PathBuf, problem: String },
    #[error("cannot read {}: {error}", path.display())]
    Io { path: PathBuf, error: String },
}

impl ShowqError {
    pub fn why(&self) -> String {
        match self {
            ShowqError::Absent { .. } => {
                "Postfix is not running, keeps its queue elsewhere, or is not on this host".into()
            }
            ShowqError::Refused { .. } => "the socket is there, but Postfix is not running".into(),
            ShowqError::Permission { gate, .. } => gate.clone(),
            ShowqError::Timeout { .. } => {
                "the queue is very long, the disk is busy, or all showq processes are taken".into()
            }
            ShowqError::Protocol { .. } => "the socket belongs to another service".into(),
            ShowqError::Io { .. } => "the connection broke".into(),
        }
    }

    pub fn fix(&self) -> String {
        match self {
            ShowqError::Absent { .. } => {
                "--postfix.showq-path=$(postconf -h queue_directory)/public/showq".into()
            }
            ShowqError::Refused { .. } => "postfix start".into(),
            ShowqError::Permission { group, .. } => format!(
                "usermod -aG {} maillog_exporter, then restart",
                group.as_deref().unwrap_or("postdrop")
            ),
            ShowqError::Timeout { .. } => "none needed: asked again at the next scrape".into(),
            ShowqError::Protocol { .. } => {
                "name Postfix's own: QUEUE_DIRECTORY/public/showq".into()
            }
            ShowqError::Io { .. } => "none needed: asked again at the next scrape".into(),
        }
    }
}

/// Asks once, on this thread.
pub fn ask(path: &Path, now: Timestamp) -> Result<QueueSnapshot, ShowqError> {
    ask_within(path, now, READ_TIMEOUT)
}

/// [`ask`] with a time limit of its own.
pub fn ask_within(
    path: &Path,
    now: Timestamp,
    timeout: Duration,
) -> Result<QueueSnapshot, ShowqError> {
    let deadline = monotonic_now() + timeout;
    let mut stream = UnixStream::connect(path).map_err(|error| not_connected(path, &error))?;
    let mut listing = Listing::new(now, TimeZone::system());
    let mut buffer = vec![0; BUFFER_BYTES];
    let timed_out = || ShowqError::Timeout { path: path.into() };
    let broken = |error: io::Error| ShowqError::Io {
        path: path.into(),
        error: error.to_string(),
    };
    let strange = |problem| ShowqError::Protocol {
        path: path.into(),
        problem,
    };
    loop {
        let left = deadline.saturating_duration_since(monotonic_now());
        if left.is_zero() {
            return Err(timed_out());
        }
        stream.set_read_timeout(Some(left)).map_err(broken)?;
        match stream.read(&mut buffer) {
            Ok(0) => return listing.finish().map_err(strange),
            Ok(length) => listing.feed(&buffer[..length]).map_err(strange)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(timed_out()),
            Err(error) => return Err(broken(error)),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn not_connected(path: &Path, error: &io::Error) -> ShowqError {
    let path = path.to_path_buf();
    match error.kind() {
        io::ErrorKind::NotFound => ShowqError::Absent { path },
        io::ErrorKind::ConnectionRefused => ShowqError::Refused { path },
        io::ErrorKind::PermissionDenied => {
            let (gate, group) = keeps_out(&path);
            ShowqError::Permission { path, gate, group }
        }
        _ => ShowqError::Io {
            path,
            error: error.to_string(),
        },
    }
}

/// The innermost file on the way to `path` that can be looked at: the one that keeps us out.
fn keeps_out(path: &Path) -> (String, Option<String>) {
    for part in path.ancestors() {
        let Ok(meta) = fs::metadata(part) else {
            continue;
        };
        let group = name_of("/etc/group", meta.gid());
        let user = name_of("/etc/passwd", meta.uid());
        let gate = format!(
            "{} is {}:{} {:04o}",
            part.display(),
            user.unwrap_or_else(|| meta.uid().to_string()),
            group.clone().unwrap_or_else(|| meta.gid().to_string()),
            meta.mode() & 0o7777,
        );
        return (gate, group);
    }
    (
        "no directory on the way to it may be looked at".into(),
        None,
    )
}

/// The name of a number in a `name:x:number:...` file; a group from a directory service shows as a number.
fn name_of(file: &str, id: u32) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// One listing, taken in pieces of any size.
pub struct Listing {
    form: Form,
    counts: Counts,
    clock: Clock,
}

enum Form {
    Unknown,
    Attributes(Attributes),
    Text(Text),
}

/// What turns a stamp without year and zone into a time.
struct Clock {
    now: Timestamp,
    zone: TimeZone,
}

impl Listing {
    /// `now` and `zone` are for the text form, which prints local time without a year.
    pub fn new(now: Timestamp, zone: TimeZone) -> Listing {
        Listing {
            form: Form::Unknown,
            counts: Counts::default(),
            clock: Clock { now, zone },
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        if let (Form::Unknown, Some(&first)) = (&self.form, bytes.first()) {
            self.form = match first {
                // "protocol", "queue_name", or the end of an empty queue.
                b'p' | b'q' | 0 => Form::Attributes(Attributes::default()),
                // "-Queue ID-", "----Queue ID-----", "Mail queue is empty".
                b'-' | b'M' => Form::Text(Text::default()),
                _ => {
                    return Err(format!(
                        "it began with \"{}\"",
                        bytes[..bytes.len().min(20)].escape_ascii()
                    ));
                }
            };
        }
        match &mut self.form {
            Form::Unknown => Ok(()),
            Form::Attributes(attributes) => attributes.feed(bytes, &mut self.counts),
            Form::Text(text) => {
                text.feed(bytes, &mut self.counts, &self.clock);
                Ok(())
            }
        }
    }

    pub fn finish(self) -> Result<QueueSnapshot, String> {
        let complete = match &self.form {
            Form::Unknown => return Err("it closed the connection without a word".into()),
            Form::Attributes(attributes) => attributes.ended,
            Form::Text(text) => text.ended,
        };
        if complete {
            Ok(self.counts.snapshot())
        } else {
            Err("the listing ended in the middle".into())
        }
    }
}

/// `name NUL value NUL` pairs in lists. Source: postfix util/attr_print0.c, showq/showq.c.
/// Hostile: `sender`, `recipient` and `reason`; they are values, which only their place tells from names.
#[derive(Default)]
struct Attributes {
    text: Vec<u8>,
    /// The name whose value comes next.
    name: Option<Vec<u8>>,
    queue: Option<QueueName>,
    arrival_unix: Option<i64>,
    list_has_pairs: bool,
    lists: u64,
    hello: bool,
    ended: bool,
}

impl Attributes {
    fn feed(&mut self, mut bytes: &[u8], counts: &mut Counts) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.ended {
                return Err("it went on after its end".into());
            }
            let end = memchr::memchr(0, bytes);
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            let room = TEXT_BYTES_MAX - self.text.len();
            self.text.extend_from_slice(&piece[..piece.len().min(room)]);
            let Some(end) = end else { break };
            bytes = &bytes[end + 1..];
            self.take_text(counts)?;
            self.text.clear();
        }
        Ok(())
    }

    fn take_text(&mut self, counts: &mut Counts) -> Result<(), String> {
        let Some(name) = self.name.take() else {
            if self.text.is_empty() {
                return self.end_list(counts);
            }
            self.list_has_pairs = true;
            self.name = Some(self.text.clone());
            return Ok(());
        };
        match name.as_slice() {
            b"protocol" if self.lists == 0 && self.queue.is_none() => {
                if self.text != b"mail_queue_list_protocol" {
                    return Err(format!("it speaks \"{}\"", self.text.escape_ascii()));
                }
                self.hello = true;
            }
            b"queue_name" if self.queue.is_none() => {
                self.queue = Some(QueueName::from_bytes(&self.text));
            }
            b"time" if self.arrival_unix.is_none() => {
                self.arrival_unix = str::from_utf8(&self.text)
                    .ok()
                    .and_then(|text| text.parse().ok());
            }
            _ => {}
        }
        Ok(())
    }

    fn end_list(&mut self, counts: &mut Counts) -> Result<(), String> {
        if !self.list_has_pairs {
            self.ended = true;
            return Ok(());
        }
        match self.queue.take() {
            Some(queue) => counts.add(queue, 1, self.arrival_unix.take()),
            None if self.hello && self.lists == 0 => {}
            None => return Err("a message without its queue_name".into()),
        }
        self.list_has_pairs = false;
        self.lists += 1;
        Ok(())
    }
}

/// What `mailq` prints. Source: postfix showq/showq.c up to 3.0: `DATA_FORMAT` `"%-10s%c%8ld %20.20s %s"`,
/// since 2.9 `"%-11s %7ld %20.20s %s"` and `"%-17s %8ld %19.19s %s"` with the mark after the id.
/// Hostile: reasons begin with `(`, recipients with a blank, a sender follows the date: none begins a line.
#[derive(Default)]
struct Text {
    line: Vec<u8>,
    ended: bool,
}

impl Text {
    fn feed(&mut self, bytes: &[u8], counts: &mut Counts, clock: &Clock) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, whole) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = LINE_BYTES_MAX - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if whole {
                self.take_line(counts, clock);
                self.line.clear();
            }
        }
    }

    fn take_line(&mut self, counts: &mut Counts, clock: &Clock) {
        let line = String::from_utf8_lossy(&self.line);
        if line == "Mail queue is empty" || line.starts_with("-- ") {
            self.ended = true;
        } else if line.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            let (queue, arrival_unix) = message_of_line(&line, clock);
            counts.add(queue, 1, arrival_unix);
        }
    }
}

fn message_of_line(line: &str, clock: &Clock) -> (QueueName, Option<i64>) {
    let id_length = line.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let after_id = line[id_length..].trim_start();
    let mut queue = match after_id.bytes().next() {
        Some(b'*') => QueueName::Active,
        Some(b'!') => QueueName::Hold,
        _ => QueueName::Deferred,
    };
    let after_size = after_id
        .trim_start_matches(['*', '!', '#', ' '])
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    // "Tue Nov 24 08:44:28", blanks, the sender; or "??" where the arrival is unknown.
    let (stamp, sender) = after_size
        .split_at_checked("Tue Nov 24 08:44:28".len())
        .unwrap_or((after_size, ""));
    if sender
        .trim_start()
        .starts_with("(maildrop queue, sender UID ")
    {
        queue = QueueName::Maildrop;
    }
    (queue, clock.unix_of(stamp))
}

impl Clock {
    /// The time of `Tue Nov 24 08:44:28`: the latest year in which it is not ahead of now by more than a day.
    fn unix_of(&self, stamp: &str) -> Option<i64> {
        let rest = stamp.get("Tue ".len()..)?;
        let newest = self.now.as_second() + 24 * 3600;
        let year = self.now.to_zoned_datetime(self.zone.clone()).year();
        // February 29 may lie up to 8 years back.
        (0..=8).find_map(|back| {
            let dated = format!("{} {rest}", year + 1 - back);
            let local = civil::DateTime::strptime("%Y %b %e %H:%M:%S", dated).ok()?;
            let unix = local
                .to_zoned_datetime(self.zone.clone())
                .ok()?
                .timestamp()
                .as_second();
            (unix <= newest).then_some(unix)
        })
    }
}

/// What is known of one socket.
#[derive(Clone, Debug)]
pub struct Answer {
    pub path: PathBuf,
    /// When it was asked.
    pub asked: Timestamp,
    pub result: Result<QueueSnapshot, ShowqError>,
}

/// Asks on a thread of its own, at most once per [`INTERVAL_MIN`], and only when somebody wants to know.
#[derive(Clone)]
pub struct Poller {
    shared: Arc<Shared>,
}

struct Shared {
    paths: Vec<PathBuf>,
    clock: fn() -> Timestamp,
    interval_min: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: Arc<Vec<Answer>>,
    asking_since: Option<Instant>,
    finished: Option<Instant>,
}

impl Poller {
    /// `clock` is the wall clock.
    pub fn new(paths: Vec<PathBuf>, clock: fn() -> Timestamp) -> Poller {
        Poller::with_interval(paths, clock, INTERVAL_MIN)
    }

    pub fn with_interval(
        paths: Vec<PathBuf>,
        clock: fn() -> Timestamp,
        interval_min: Duration,
    ) -> Poller {
        Poller {
            shared: Arc::new(Shared {
                paths,
                clock,
                interval_min,
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
        }
    }

    /// The last answers, without asking; empty before the first.
    pub fn latest(&self) -> Arc<Vec<Answer>> {
        self.shared.lock().answers.clone()
    }

    /// Asks anew where the last answers are older than the interval, and waits up to `wait` for it;
    /// a listing that takes longer is what the next caller gets. Blocks: from async code by `spawn_blocking`.
    pub fn fresh(&self, wait: Duration) -> Arc<Vec<Answer>> {
        let shared = &self.shared;
        let now = monotonic_now();
        let mut state = shared.lock();
        let is_old = state
            .finished
            .is_none_or(|finished| now - finished >= shared.interval_min);
        if state.asking_since.is_none() && is_old && !shared.paths.is_empty() {
            let worker = Arc::clone(shared);
            let spawned = std::thread::Builder::new()
                .name("showq".into())
                .spawn(move || worker.ask_all());
            if spawned.is_ok() {
                state.asking_since = Some(now);
            }
        }
        let (state, _) = shared
            .changed
            .wait_timeout_while(state, wait, |state| state.asking_since.is_some())
            .unwrap_or_else(PoisonError::into_inner);
        // A connect to a full backlog has no time limit: the thread may be gone for long.
        if state
            .asking_since
            .is_some_and(|since| monotonic_now() - since > READ_TIMEOUT * 2)
        {
            let asked = (shared.clock)();
            let late = |path: &PathBuf| Answer {
                path: path.clone(),
                asked,
                result: Err(ShowqError::Timeout { path: path.clone() }),
            };
            return Arc::new(shared.paths.iter().map(late).collect());
        }
        state.answers.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_all(&self) {
        let answers = self.paths.iter().map(|path| {
            let asked = (self.clock)();
            Answer {
                path: path.clone(),
                asked,
                result: ask(path, asked),
            }
        });
        let answers = Arc::new(answers.collect());
        let mut state = self.lock();
        state.answers = answers;
        state.asking_since = None;
        state.finished = Some(monotonic_now());
        drop(state);
        self.changed.notify_all();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "time limits of a foreign service; no count depends on it"
)]
fn monotonic_now() -> Instant {
    Instant::now()
}
