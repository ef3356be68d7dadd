//! HTTP: the metrics, a page for people, two checks for machines.
//! In: an [`Exporter`], which is the engine's handle. Out: what [`serve`] answers until it is told to stop.
//! Never: TLS and passwords (yet), anything but GET and HEAD, text of the log unescaped.
//! Bounded: 256 connections, 16 KiB of headers, 10 s for them, 8 expositions in memory, 30 s to read one;
//! see [`WebOptions`].
//! Start reading at [`serve`].

mod connection;
mod landing;
mod listen;
mod negotiate;
mod own_metrics;

use std::{io, io::Write, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use own_metrics::OwnMetrics;

pub use landing::{OriginCount, Problem, QueueCount, QueueStatus, SourceStatus, Status};
pub use listen::{BindError, bind, exposure_warning};
pub use negotiate::Format;

/// How long the engine may take to answer before the client is told so.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(20);
/// Below this a thread costs more than compressing on the spot.
const GZIP_INLINE_BYTES_MAX: usize = 64 * 1024;

/// What is served. A handle: cheap to clone, each request has its own.
pub trait Exporter: Clone + Send + Sync + 'static {
    /// The exposition, encoded, with or without `# EOF`; `None` while the counters have not caught up
    /// (or the engine is gone).
    fn scrape(&self, format: Format) -> impl Future<Output = Option<Vec<u8>>> + Send;
    fn status(&self) -> impl Future<Output = Status> + Send;
}

/// Paths and limits. The limits' defaults are right; tests shorten them.
#[derive(Clone, Debug)]
pub struct WebOptions {
    pub telemetry_path: String,
    /// Where the landing page's "documentation" leads.
    pub docs_url: Option<String>,
    /// For a request's headers, from its first byte; for a new connection, from its start.
    pub header_timeout: Duration,
    /// How long a connection may rest between requests. Longer than scrapes lie apart: a scraper
    /// whose connection we closed meanwhile might count that as a failed scrape.
    pub idle_timeout: Duration,
    /// For an answer to be read by its client, however steadily it reads.
    pub write_timeout: Duration,
    /// How long requests that are being answered may take at the end.
    pub shutdown_timeout: Duration,
    pub connections_max: usize,
    /// Expositions in memory at a time, from the asking to the last byte read; the next ones wait.
    pub expositions_max: usize,
    pub header_bytes_max: usize,
}

impl Default for WebOptions {
    fn default() -> WebOptions {
        WebOptions {
            telemetry_path: "/metrics".into(),
            docs_url: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(180),
            write_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(5),
            connections_max: 256,
            expositions_max: 8,
            header_bytes_max: 16 * 1024,
        }
    }
}

/// Answers on `listener` until `shutdown` is done; then lets requests finish.
pub async fn serve<E: Exporter>(
    listener: TcpListener,
    exporter: E,
    options: WebOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let room = Room {
        exporter,
        own_metrics: Arc::new(OwnMetrics::new().map_err(io::Error::other)?),
        expositions: Arc::new(Semaphore::new(options.expositions_max)),
        options: Arc::new(options.clone()),
    };
    connection::serve(listener, router(room), &options, shutdown).await;
    Ok(())
}

#[derive(Clone)]
struct Room<E> {
    exporter: E,
    own_metrics: Arc<OwnMetrics>,
    expositions: Arc<Semaphore>,
    options: Arc<WebOptions>,
}

fn router<E: Exporter>(room: Room<E>) -> Router {
    Router::new()
        .route(&room.options.telemetry_path, get(metrics::<E>))
        .route("/", get(landing_page::<E>))
        .route(
            "/-/healthy",
            get(|| async { plain(StatusCode::OK, "healthy\n") }),
        )
        .route("/-/ready", get(ready::<E>))
        .fallback(|| async { plain(StatusCode::NOT_FOUND, "not found: / lists what there is\n") })
        .layer(middleware::from_fn_with_state(room.clone(), around::<E>))
        .with_state(room)
}

/// Around every request: its method, its count, the headers that keep a browser from being used.
async fn around<E: Exporter>(
    State(room): State<Room<E>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let handler = match request.uri().path() {
        "/" => "landing",
        "/-/healthy" => "healthy",
        "/-/ready" => "ready",
        path if path == room.options.telemetry_path => "metrics",
        _ => "other",
    };
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if is_reading {
        next.run(request).await
    } else {
        let allow = [(header::ALLOW, "GET, HEAD")];
        let text = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        (allow, text).into_response()
    };
    room.own_metrics
        .observe(handler, response.status().as_u16(), began.elapsed());
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ));
    response
}

async fn metrics<E: Exporter>(State(room): State<Room<E>>, headers: HeaderMap) -> Response {
    let format = negotiate::format(&headers);
    let waiting = Arc::clone(&room.expositions).acquire_owned();
    let Ok(Ok(permit)) = tokio::time::timeout(ENGINE_TIMEOUT, waiting).await else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, TOO_MANY_READERS);
    };
    let scrape = tokio::time::timeout(ENGINE_TIMEOUT, room.exporter.scrape(format)).await;
    let Ok(Some(mut body)) = scrape else {
        return not_ready(room.exporter).await;
    };
    room.own_metrics.append(format, &mut body);
    let mut response = Response::new(Body::empty());
    let answer = response.headers_mut();
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    answer.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Encoding"),
    );
    if negotiate::accepts_gzip(&headers) {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        body = if body.len() <= GZIP_INLINE_BYTES_MAX {
            gzip(&body)
        } else {
            match tokio::task::spawn_blocking(move || gzip(&body)).await {
                Ok(body) => body,
                Err(_) => return plain(StatusCode::INTERNAL_SERVER_ERROR, "compression failed\n"),
            }
        };
    }
    *response.body_mut() = Body::from(Bytes::from_owner(Exposition {
        body,
        _permit: permit,
    }));
    response
}

/// An encoded answer; whoever waits for its place gets it when the last byte is written, or the
/// connection is gone.
struct Exposition {
    body: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Exposition {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let room = Vec::with_capacity(bytes.len() / 4 + 64);
    let mut encoder = GzEncoder::new(room, Compression::new(1));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("a Vec takes every write")
}

async fn ready<E: Exporter>(State(room): State<Room<E>>) -> Response {
    match tokio::time::timeout(ENGINE_TIMEOUT, room.exporter.status()).await {
        Ok(status) if status.ready => plain(StatusCode::OK, "ready\n"),
        Ok(status) => plain(StatusCode::SERVICE_UNAVAILABLE, landing::how_far(&status)),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, ENGINE_SILENT),
    }
}

const TOO_MANY_READERS: &str = "too many clients are reading the metrics, and slowly\n";
const ENGINE_SILENT: &str = "not ready: the engine does not answer\n";

async fn not_ready<E: Exporter>(exporter: E) -> Response {
    match tokio::time::timeout(ENGINE_TIMEOUT, exporter.status()).await {
        Ok(status) => plain(StatusCode::SERVICE_UNAVAILABLE, landing::how_far(&status)),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, ENGINE_SILENT),
    }
}

async fn landing_page<E: Exporter>(State(room): State<Room<E>>) -> Response {
    let Ok(status) = tokio::time::timeout(ENGINE_TIMEOUT, room.exporter.status()).await else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, ENGINE_SILENT);
    };
    let page = landing::page(&status, &room.options);
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            landing::content_security_policy(),
        ),
    ];
    (headers, page).into_response()
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, headers, text.into()).into_response()
}
