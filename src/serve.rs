//! Follows the sources and serves what they say.
//!
//! One thread owns the engine: it reads, and between two blocks it answers. Whoever asks gets a copy
//! of the series and encodes it on his own thread. File events only wake.
//! Start reading at [`run`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::sync::oneshot;

use crate::engine::{Engine, EngineConfig, InputId};
use crate::metrics::{self, Frozen, Queue, QueueSample, SourceSample};
use crate::showq::{self, QueueName, QueueSnapshot};
use crate::source::{FileFollower, From, SourceSpec, Watcher};
use crate::web::{
    self, Exporter, Format, OriginCount, Problem, QueueCount, QueueStatus, SourceStatus, Status,
    WebOptions,
};

/// Where the log usually is.
pub const USUAL_PATHS: [&str; 3] = [
    "/var/log/mail.log",
    "/var/log/maillog",
    "/var/log/mail/mail.log",
];
/// How long a scrape waits for showq: what comes later is for the next.
const SHOWQ_WAIT: Duration = Duration::from_secs(1);
/// A source gets so many blocks before the others have their turn.
const BLOCKS_IN_A_ROW: usize = 16;

/// Tells the time: the wall's, or a simulated one.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The wall clock, in milliseconds since the epoch.
pub fn wall_clock() -> Clock {
    Arc::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "a view tells the engine the time"
        )]
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    })
}

fn monotonic() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a view tells the source the time"
    )]
    Instant::now()
}

/// What to follow, and how to serve it.
pub struct ServeOptions {
    pub sources: Vec<SourceSpec>,
    pub from: From,
    pub engine: EngineConfig,
    pub web: WebOptions,
    pub showq_paths: Vec<PathBuf>,
    pub clock: Clock,
}

/// Serves on `listener` until `shutdown`.
pub async fn run(
    listener: tokio::net::TcpListener,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut followers = Vec::new();
    for spec in options.sources {
        let follower = FileFollower::open(spec, options.from, monotonic())?;
        followers.push(follower);
    }
    let paths: Vec<PathBuf> = followers
        .iter()
        .flat_map(|f| f.paths().map(Path::to_owned))
        .collect();
    let (requests, received) = mpsc::channel();
    let pulse = Pulse {
        requests: requests.clone(),
        is_pending: Arc::default(),
    };
    let now_ms = (options.clock)();
    let follow = Follow {
        engine: Engine::new(options.engine),
        followed: Vec::new(),
        received,
        is_pending: Arc::clone(&pulse.is_pending),
        clock: Arc::clone(&options.clock),
        is_ready: false,
        started_ms: now_ms,
    };
    // Dropped when the thread ends, however it does.
    let (alive, ended) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("engine".into())
        .spawn(move || {
            let _alive = alive;
            follow.run(followers);
        })
        .context("cannot start the engine's thread")?;
    let mut watcher = Watcher::new(paths);
    let waker = tokio::spawn(async move {
        loop {
            watcher.changed().await;
            pulse.beat();
        }
    });
    let handle = Handle {
        requests: requests.clone(),
        showq: showq::Poller::new(options.showq_paths.clone(), showq_clock),
        asks_showq: !options.showq_paths.is_empty(),
        clock: options.clock,
    };
    let mut is_over = false;
    let until = async {
        tokio::select! {
            () = shutdown => {}
            _ = ended => is_over = true,
        }
    };
    web::serve(listener, handle, options.web, until).await?;
    waker.abort();
    // Nobody listens any more where the engine is gone.
    let _ = requests.send(Request::Stop);
    if thread.join().is_err() || is_over {
        // To answer 503 for ever would keep whoever restarts us from doing so.
        anyhow::bail!(
            "the engine stopped\n  \
             why: a fault of its own; its last words stand above\n  \
             fix: start again, and report what stands above"
        );
    }
    Ok(())
}

fn showq_clock() -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(wall_clock()()).unwrap_or_default()
}

/// Wakes the engine's thread; at most one wake-up waits.
struct Pulse {
    requests: mpsc::Sender<Request>,
    is_pending: Arc<AtomicBool>,
}

impl Pulse {
    fn beat(&self) {
        if !self.is_pending.swap(true, Ordering::AcqRel) {
            let _ = self.requests.send(Request::Look);
        }
    }
}

enum Request {
    /// Something may have changed.
    Look,
    Freeze {
        queues: Vec<(Queue, Option<QueueSample>)>,
        answer: oneshot::Sender<Option<Frozen>>,
    },
    Status(oneshot::Sender<Status>),
    Stop,
}

/// One source with its input.
struct Followed {
    follower: FileFollower,
    input: InputId,
}

/// The engine's thread.
struct Follow {
    engine: Engine,
    followed: Vec<Followed>,
    received: mpsc::Receiver<Request>,
    is_pending: Arc<AtomicBool>,
    clock: Clock,
    is_ready: bool,
    started_ms: i64,
}

impl Follow {
    fn run(mut self, followers: Vec<FileFollower>) {
        let now_ms = (self.clock)();
        for follower in followers {
            let input = self.engine.source(follower.spec().as_str(), now_ms);
            self.followed.push(Followed { follower, input });
        }
        self.sample_sources();
        let mut silent_since_ms = now_ms;
        loop {
            let Some(has_read) = self.read() else {
                return;
            };
            self.sample_sources();
            if has_read {
                silent_since_ms = (self.clock)();
                continue;
            }
            let now_ms = (self.clock)();
            self.engine.idle(now_ms, now_ms - silent_since_ms);
            if !self.is_ready {
                self.is_ready = true;
                tracing::info!(lines = self.engine.lines(), "caught up, serving metrics");
            }
            let Ok(request) = self.received.recv() else {
                return;
            };
            if !self.answer(request) {
                return;
            }
        }
    }

    /// Reads what is there, a few blocks of each source. `None`: to stop.
    fn read(&mut self) -> Option<bool> {
        let mut has_read = false;
        for at in 0..self.followed.len() {
            for _ in 0..BLOCKS_IN_A_ROW {
                let now = monotonic();
                let followed = &mut self.followed[at];
                let Some(block) = followed.follower.next_block(now) else {
                    break;
                };
                has_read = true;
                self.engine
                    .feed(followed.input, block.lines, (self.clock)());
                while let Ok(request) = self.received.try_recv() {
                    if !self.answer(request) {
                        return None;
                    }
                }
            }
        }
        Some(has_read)
    }

    /// False: to stop.
    fn answer(&mut self, request: Request) -> bool {
        match request {
            Request::Look => self.is_pending.store(false, Ordering::Release),
            Request::Freeze { queues, answer } => {
                let frozen = self.is_ready.then(|| {
                    self.sample_sources();
                    for (queue, sample) in queues {
                        self.engine.set_queue(queue, sample);
                    }
                    self.engine.freeze((self.clock)())
                });
                // Whoever asked may be gone.
                let _ = answer.send(frozen);
            }
            Request::Status(answer) => {
                let status = self.status();
                let _ = answer.send(status);
            }
            Request::Stop => return false,
        }
        true
    }

    fn sample_sources(&mut self) {
        for followed in &self.followed {
            let stats = followed.follower.stats();
            self.engine.set_source(
                followed.input,
                SourceSample {
                    bytes_read: stats.bytes_read,
                    lag_bytes: stats.lag_bytes,
                    rotations: stats.rotations,
                    truncations: stats.truncations,
                    errors: stats.errors,
                    up: stats.up,
                    last_line_ms: None,
                },
            );
        }
    }

    fn status(&self) -> Status {
        let now_ms = (self.clock)();
        let sources = self
            .followed
            .iter()
            .map(|followed| {
                let follower = &followed.follower;
                let progress = follower.progress();
                SourceStatus {
                    source: follower.spec().as_str().to_owned(),
                    files: follower.paths().map(|p| p.display().to_string()).collect(),
                    up: follower.stats().up,
                    read_bytes: progress.read_bytes,
                    total_bytes: progress.total_bytes,
                    last_line_unix: self
                        .engine
                        .last_line_ms(followed.input)
                        .map(|ms| ms / 1_000),
                    problem: (!follower.stats().up).then(|| unreadable(follower)),
                }
            })
            .collect();
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            ready: self.is_ready,
            now_unix: now_ms / 1_000,
            started_unix: self.started_ms / 1_000,
            sources,
            lines_read: self.engine.lines(),
            lines_unparsed: self.engine.unparsed(),
            messages_tracked: self.engine.tracked_messages() as u64,
            messages: self
                .engine
                .messages()
                .map(|(origin, messages)| OriginCount {
                    origin: origin.as_str().into(),
                    messages,
                })
                .collect(),
            accounts_seen: self.engine.accounts() as u64,
            ..Status::default()
        }
    }
}

/// Why a source is down, and what mends it.
fn unreadable(follower: &FileFollower) -> Problem {
    let path = follower.spec().path();
    let name = path.display();
    let error = format!("cannot read {name}");
    match std::fs::File::open(path) {
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => Problem {
            error: format!("{error}: permission denied"),
            why: Some("its owner and group alone may read it".into()),
            fix: Some(format!(
                "usermod -aG $(stat -c %G {name}) maillog_exporter, then restart"
            )),
        },
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Problem {
            error: format!("{error}: no such file"),
            why: Some("nothing was logged yet, or the log is elsewhere".into()),
            fix: Some("--source=file:PATH names the log; it is looked for every second".into()),
        },
        Err(why) => Problem {
            error: format!("{error}: {why}"),
            why: Some("there is something, but no file that can be read".into()),
            fix: Some("--source=file:PATH names the log; it is looked for every second".into()),
        },
        Ok(_) => Problem {
            error,
            why: Some("it could not be read when it was last looked at".into()),
            fix: Some("none needed: it is looked for every second".into()),
        },
    }
}

/// The engine as the web sees it.
#[derive(Clone)]
struct Handle {
    requests: mpsc::Sender<Request>,
    showq: showq::Poller,
    asks_showq: bool,
    clock: Clock,
}

impl Handle {
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).ok()?;
        answered.await.ok()
    }

    async fn queue(&self) -> Arc<Vec<showq::Answer>> {
        let showq = self.showq.clone();
        if !self.asks_showq {
            return Arc::default();
        }
        tokio::task::spawn_blocking(move || showq.fresh(SHOWQ_WAIT))
            .await
            .unwrap_or_default()
    }
}

impl Exporter for Handle {
    async fn scrape(&self, format: Format) -> Option<Vec<u8>> {
        let answers = self.queue().await;
        let queues = queue_samples(&answers, (self.clock)() / 1_000);
        let frozen = self
            .ask(|answer| Request::Freeze { queues, answer })
            .await??;
        let format = match format {
            Format::Text004 => metrics::Format::Text004,
            Format::OpenMetrics1 => metrics::Format::OpenMetrics1,
        };
        tokio::task::spawn_blocking(move || {
            let mut body = Vec::new();
            frozen.encode(format, &mut body);
            body
        })
        .await
        .ok()
    }

    async fn status(&self) -> Status {
        let answers = self.queue().await;
        let mut status = self.ask(Request::Status).await.unwrap_or_default();
        status.queue = queue_status(&answers);
        status
    }
}

/// All instances together; `None` for the queues of a host whose showq does not answer.
fn merged(answers: &[showq::Answer]) -> Option<QueueSnapshot> {
    let snapshots = answers.iter().filter_map(|a| a.result.as_ref().ok());
    snapshots.cloned().reduce(QueueSnapshot::merged)
}

fn queue_samples(answers: &[showq::Answer], now_unix: i64) -> Vec<(Queue, Option<QueueSample>)> {
    const LABELS: [(QueueName, Queue); 5] = [
        (QueueName::Maildrop, Queue::Maildrop),
        (QueueName::Incoming, Queue::Incoming),
        (QueueName::Active, Queue::Active),
        (QueueName::Deferred, Queue::Deferred),
        (QueueName::Hold, Queue::Hold),
    ];
    let known = merged(answers);
    LABELS
        .into_iter()
        .map(|(name, label)| {
            let sample = known.as_ref().map(|snapshot| {
                let queue = snapshot.queues.iter().find(|queue| queue.name == name);
                queue.map_or_else(QueueSample::default, |queue| QueueSample {
                    messages: queue.messages,
                    oldest_age_ms: queue
                        .oldest_unix
                        .map_or(0, |oldest| (now_unix - oldest).max(0) as u64 * 1_000),
                })
            });
            (label, sample)
        })
        .collect()
}

fn queue_status(answers: &[showq::Answer]) -> QueueStatus {
    if let Some(snapshot) = merged(answers) {
        let counts = snapshot.queues.iter().map(|queue| QueueCount {
            queue: queue.name.as_str().into(),
            messages: queue.messages,
            oldest_unix: queue.oldest_unix,
        });
        return QueueStatus::Known(counts.collect());
    }
    match answers.first().map(|answer| &answer.result) {
        Some(Err(error)) => QueueStatus::Unknown(Problem {
            error: error.to_string(),
            why: Some(error.why()),
            fix: Some(error.fix()),
        }),
        Some(Ok(_)) | None => QueueStatus::Off,
    }
}
