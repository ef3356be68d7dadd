//! Takes connections, and takes them back from clients that only hold them.
//! In: a listener and a router. Out: answers, until told to stop.
//! Never: a path or a header; nothing here knows what is asked.
//! hyper has one timer for a connection's rest and for a request's headers; a scraper may rest for
//! minutes, headers may not take them, so the clock is kept here ([`Activity`]).
//! Start reading at [`serve`].

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tower_service::Service;

use super::WebOptions;

/// How long to rest when no connection can be taken, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The same where one was dropped to make room: its descriptor is free when its task has ended.
const ROOM_PAUSE: Duration = Duration::from_millis(2);
const WARN_INTERVAL_MIN: Duration = Duration::from_secs(600);
/// For an answer to be made; the engine has a limit of its own below this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

struct Connection {
    activity: Arc<Activity>,
    task: AbortHandle,
}

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    options: &WebOptions,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, _) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    let mut tasks = JoinSet::new();
    let mut connections: Vec<Connection> = Vec::new();
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => {
                connections.retain(|connection| !connection.task.is_finished());
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.retain(|connection| !connection.task.is_finished());
                if connections.len() >= options.connections_max
                    && !drop_longest_idle(&mut connections)
                {
                    continue;
                }
                let activity = Arc::new(Activity::new(options));
                let attended = attend(
                    stream,
                    router.clone(),
                    Arc::clone(&activity),
                    options.header_bytes_max,
                    stop.subscribe(),
                );
                let task = tasks.spawn(attended);
                connections.push(Connection { activity, task });
            }
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                // While descriptors are short, takes and failures alternate: one line for all of it.
                if warned.is_none_or(|warned| warned.elapsed() > WARN_INTERVAL_MIN) {
                    warned = Some(Instant::now());
                    let open = connections.len();
                    tracing::warn!(%error, open, "connections cannot be accepted, dropping idle ones");
                }
                let pause = if drop_longest_idle(&mut connections) {
                    ROOM_PAUSE
                } else {
                    ACCEPT_PAUSE
                };
                tokio::select! {
                    biased;
                    () = &mut shutdown => break,
                    () = sleep(pause) => {}
                }
            }
        }
    }
    drop(listener);
    // An error says that no connection is left to hear it.
    let _ = stop.send(());
    let finished = timeout(options.shutdown_timeout, async {
        while tasks.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        tracing::warn!(open = tasks.len(), "connections cut at the end");
        tasks.shutdown().await;
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Makes room by the connection that has waited longest for its client. One whose request is being
/// answered is not idle: `false` where there is no other.
fn drop_longest_idle(connections: &mut Vec<Connection>) -> bool {
    let idle = connections
        .iter()
        .enumerate()
        .filter_map(|(index, connection)| {
            let idle_since = connection.activity.idle_since()?;
            Some((idle_since, index))
        });
    let Some((_, index)) = idle.min() else {
        return false;
    };
    connections.swap_remove(index).task.abort();
    true
}

/// Serves one connection until it ends, its time is up, or all is to stop.
async fn attend(
    stream: TcpStream,
    router: Router,
    activity: Arc<Activity>,
    header_bytes_max: usize,
    mut stop: watch::Receiver<()>,
) {
    // Answers are written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let watched = Watched {
        stream,
        activity: Arc::clone(&activity),
    };
    let service = service_fn(|request: Request<Incoming>| {
        activity.set(Phase::Answering);
        let answer = router.clone().call(request);
        let activity = &activity;
        async move {
            let response: Result<Response, Infallible> = answer.await;
            activity.has_answered();
            response
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(header_bytes_max)
        .max_buf_size(header_bytes_max.max(8192))
        .serve_connection(TokioIo::new(watched), service);
    let mut connection = pin!(connection);
    let mut alarm = pin!(sleep_until(activity.deadline()));
    let mut is_stopping = false;
    loop {
        let ended = poll_fn(|cx| {
            // An error is the client's: it went away, or sent what is not HTTP and was told so.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let deadline = activity.deadline();
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            alarm.as_mut().poll(cx)
        });
        tokio::select! {
            biased;
            () = ended => return,
            _ = stop.changed(), if !is_stopping => {
                if activity.is_asking() {
                    return;
                }
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// What a connection is doing, and since when.
struct Activity {
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    now: Mutex<(Phase, Instant)>,
    /// When the first answer was made that is not wholly written yet.
    unwritten_since: Mutex<Option<Instant>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its client is sending headers, or has just connected and should.
    Asking,
    Answering,
    /// The answer is made; the client reads it, or rests.
    Resting,
}

impl Activity {
    fn new(options: &WebOptions) -> Activity {
        Activity {
            header_timeout: options.header_timeout,
            idle_timeout: options.idle_timeout,
            write_timeout: options.write_timeout,
            now: Mutex::new((Phase::Asking, Instant::now())),
            unwritten_since: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.lock() = (phase, Instant::now());
    }

    fn unwritten_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unwritten_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn has_answered(&self) {
        self.set(Phase::Resting);
        self.unwritten_since().get_or_insert_with(Instant::now);
    }

    /// hyper flushes when it has nothing more to write.
    fn has_flushed(&self) {
        *self.unwritten_since() = None;
    }

    fn has_read(&self) {
        let mut now = self.lock();
        if now.0 == Phase::Resting {
            *now = (Phase::Asking, Instant::now());
        }
    }

    fn has_written(&self) {
        let mut now = self.lock();
        if now.0 == Phase::Resting {
            now.1 = Instant::now();
        }
    }

    fn is_asking(&self) -> bool {
        self.lock().0 == Phase::Asking
    }

    fn idle_since(&self) -> Option<Instant> {
        let (phase, since) = *self.lock();
        (phase != Phase::Answering).then_some(since)
    }

    fn deadline(&self) -> Instant {
        let (phase, since) = *self.lock();
        let of_phase = since
            + match phase {
                Phase::Asking => self.header_timeout,
                Phase::Answering => REQUEST_TIMEOUT,
                Phase::Resting => self.idle_timeout,
            };
        let unwritten_since = *self.unwritten_since();
        unwritten_since.map_or(of_phase, |since| of_phase.min(since + self.write_timeout))
    }
}

/// A stream that tells its [`Activity`] of every byte.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.activity.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.activity.has_written();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.activity.has_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.activity.has_written();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
