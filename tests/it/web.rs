//! HTTP over real sockets: what is answered, and to whom it is not.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use maillog_exporter::web::{
    self, Exporter, Format, OriginCount, Problem, QueueCount, QueueStatus, SourceStatus, Status,
    WebOptions,
};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

const TEXT_BODY: &str =
    "# HELP mail_x_total Xs.\n# TYPE mail_x_total counter\nmail_x_total{user=\"a\"} 1\n";
const OPEN_BODY: &str =
    "# HELP mail_x Xs.\n# TYPE mail_x counter\nmail_x_total{user=\"a\"} 1.0\n# EOF\n";

#[derive(Clone, Default)]
struct Fake {
    catching_up: Arc<AtomicBool>,
    status: Arc<Mutex<Status>>,
    /// How long a scrape takes.
    delay: Duration,
    repeat: usize,
}

impl Exporter for Fake {
    async fn scrape(&self, format: Format) -> Option<Vec<u8>> {
        tokio::time::sleep(self.delay).await;
        if self.catching_up.load(Ordering::Relaxed) {
            return None;
        }
        Some(match format {
            Format::Text004 => TEXT_BODY.repeat(self.repeat.max(1)).into_bytes(),
            Format::OpenMetrics1 => OPEN_BODY.as_bytes().to_vec(),
        })
    }

    async fn status(&self) -> Status {
        self.status.lock().unwrap().clone()
    }
}

struct Server {
    address: SocketAddr,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<std::io::Result<()>>,
}

fn start(fake: Fake, options: WebOptions) -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(web::bind(SocketAddr::from(([127, 0, 0, 1], 0))))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = runtime.spawn(web::serve(listener, fake, options, async {
        let _ = stopped.await;
    }));
    Server {
        address,
        runtime,
        stop: Some(stop),
        served,
    }
}

fn default_server() -> Server {
    start(Fake::default(), WebOptions::default())
}

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    /// One request on a connection of its own.
    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = self.connect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
        )
        .unwrap();
        Answer::read(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    fn wait(self) {
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(10), self.served).await });
        ended.expect("serve ends").unwrap().unwrap();
    }
}

#[derive(Debug)]
struct Answer {
    code: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Answer {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let split = all
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head");
        let head = String::from_utf8(all[..split].to_vec()).unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            code,
            head,
            body: all[split + 4..].to_vec(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the other side has closed: nothing more to read, or the connection was reset.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    match stream.read(&mut [0; 1024]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn format_is_what_the_client_asks_for() {
    let server = default_server();
    let text = server.get("/metrics");
    assert_eq!(text.code, 200);
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(text.text().starts_with(TEXT_BODY));
    let open = server.ask("GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3\r\n");
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(
        open.text()
            .starts_with(OPEN_BODY.strip_suffix("# EOF\n").unwrap())
    );
    assert_eq!(open.header("vary"), Some("Accept, Accept-Encoding"));
}

#[test]
fn both_formats_end_as_they_should_and_name_counters_in_their_way() {
    let server = default_server();
    let text = server.get("/metrics");
    assert!(!text.text().contains("# EOF"));
    assert!(text.text().ends_with('\n'));
    assert!(
        text.text()
            .contains("# TYPE maillog_http_requests_total counter\n")
    );
    assert!(
        text.text()
            .contains("maillog_http_requests_total{code=\"200\",handler=\"metrics\"} 0\n")
    );
    assert!(text.text().contains("le=\"1\"} 0\n"));
    let open = server.ask(
        "GET",
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    assert_eq!(open.text().matches("# EOF").count(), 1);
    assert!(open.text().ends_with("\n# EOF\n"));
    assert!(
        open.text()
            .contains("# TYPE maillog_http_requests counter\n")
    );
    assert!(
        open.text()
            .contains("maillog_http_requests_total{code=\"200\",handler=\"metrics\"} 1\n")
    );
    assert!(open.text().contains("# TYPE process_cpu_seconds counter\n"));
    assert!(open.text().contains("le=\"1.0\"} 0\n"));
    assert!(open.text().contains(
        "maillog_http_request_duration_seconds_bucket{handler=\"metrics\",le=\"+Inf\"} 1\n"
    ));
    assert!(
        open.text()
            .contains("maillog_http_request_duration_seconds_count{handler=\"metrics\"} 1\n")
    );
}

#[test]
fn process_metrics_are_there() {
    let server = default_server();
    let text = server.get("/metrics");
    for name in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_threads",
    ] {
        let line = text
            .text()
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let value: f64 = line
            .unwrap_or_else(|| panic!("{name}"))
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        assert!(value >= 0.0);
    }
}

#[test]
fn every_family_is_described_once_and_stands_together() {
    let server = default_server();
    for accept in ["", "Accept: application/openmetrics-text\r\n"] {
        let answer = server.ask("GET", "/metrics", accept);
        let mut described: Vec<&str> = Vec::new();
        for line in answer.text().lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("#"), Some("HELP"), Some(name)) => {
                    assert!(!described.contains(&name), "{name} twice");
                    described.push(name);
                }
                (Some("#"), Some("TYPE"), Some(name)) => assert_eq!(described.last(), Some(&name)),
                (Some("#"), Some("EOF"), None) => {}
                (Some(sample), Some(value), None) => {
                    assert!(sample.starts_with(described.last().unwrap()), "{line}");
                    value.parse::<f64>().unwrap();
                }
                _ => panic!("{line}"),
            }
        }
        assert_eq!(described.len(), 10);
    }
}

#[test]
fn gzip_where_the_client_can() {
    for repeat in [1, 2000] {
        let server = start(
            Fake {
                repeat,
                ..Fake::default()
            },
            WebOptions::default(),
        );
        let packed = server.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n");
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        let mut text = String::new();
        GzDecoder::new(packed.body.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        assert!(text.starts_with(&TEXT_BODY.repeat(repeat)));
        assert!(text.contains("process_open_fds"));
        let plain = server.ask("GET", "/metrics", "Accept-Encoding: gzip;q=0, br\r\n");
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.text().starts_with(TEXT_BODY));
    }
}

#[test]
fn head_is_get_without_a_body() {
    let server = default_server();
    for path in ["/metrics", "/", "/-/healthy"] {
        let head = server.ask("HEAD", path, "");
        assert_eq!(head.code, 200, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert!(
            head.header("content-length")
                .unwrap()
                .parse::<usize>()
                .unwrap()
                > 0,
            "{path}"
        );
    }
}

#[test]
fn other_methods_are_refused_with_what_is_allowed() {
    let server = default_server();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        for path in ["/metrics", "/", "/nowhere"] {
            let answer = server.ask(method, path, "Content-Length: 0\r\n");
            assert_eq!(
                (answer.code, answer.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
        }
    }
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("maillog_http_requests_total{code=\"405\",handler=\"other\"} 6\n")
    );
}

#[test]
fn unknown_paths_are_not_found_and_name_no_series() {
    let server = default_server();
    for path in [
        "/metrics/",
        "/favicon.ico",
        "/-/",
        "/../etc/passwd",
        "/%3Cscript%3E",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.code, 404, "{path}");
        assert!(!answer.text().contains("script"));
    }
    let text = server.get("/metrics");
    assert!(
        text.text()
            .contains("maillog_http_requests_total{code=\"404\",handler=\"other\"} 5\n")
    );
    assert!(!text.text().contains("favicon"));
}

#[test]
fn telemetry_path_can_be_moved() {
    let options = WebOptions {
        telemetry_path: "/mail/metrics".into(),
        ..WebOptions::default()
    };
    let server = start(Fake::default(), options);
    assert_eq!(server.get("/mail/metrics").code, 200);
    assert_eq!(server.get("/metrics").code, 404);
    assert!(server.get("/").text().contains("href=\"/mail/metrics\""));
}

#[test]
fn while_catching_up_everything_says_how_far() {
    let fake = Fake::default();
    fake.catching_up.store(true, Ordering::Relaxed);
    fake.status.lock().unwrap().sources = vec![SourceStatus {
        source: "file:/var/log/mail.log\u{1b}[2J".into(),
        up: true,
        read_bytes: 12_345_678,
        total_bytes: 869_000_000,
        ..SourceStatus::default()
    }];
    let server = start(fake.clone(), WebOptions::default());
    for path in ["/metrics", "/-/ready"] {
        let answer = server.get(path);
        assert_eq!(answer.code, 503, "{path}");
        assert_eq!(
            answer.text(),
            "not ready: the counters have not caught up with the log\n\
             file:/var/log/mail.log\\u{1b}[2J: 12.3 MB of 869.0 MB read (1 %)\n"
        );
    }
    assert!(server.get("/").text().contains("catching up, 1 %"));
    assert_eq!(server.get("/-/healthy").text(), "healthy\n");
    fake.catching_up.store(false, Ordering::Relaxed);
    fake.status.lock().unwrap().ready = true;
    assert_eq!(server.get("/-/ready").text(), "ready\n");
    let text = server.get("/metrics");
    assert_eq!(text.code, 200);
    assert!(
        text.text()
            .contains("maillog_http_requests_total{code=\"503\",handler=\"metrics\"} 1\n")
    );
}

fn hostile_status() -> Status {
    let evil = "<script>alert('1')</script>\"&\u{202e}\u{1b}[31m".to_owned();
    let problem = Problem {
        error: evil.clone(),
        why: Some(evil.clone()),
        fix: Some(evil.clone()),
    };
    Status {
        version: evil.clone(),
        ready: true,
        now_unix: 1_795_509_868,
        started_unix: 1_795_500_000,
        sources: vec![SourceStatus {
            source: evil.clone(),
            files: vec![evil.clone()],
            last_line_unix: Some(i64::MAX),
            problem: Some(problem.clone()),
            ..SourceStatus::default()
        }],
        messages: vec![OriginCount {
            origin: evil.clone(),
            messages: u64::MAX,
        }],
        queue: QueueStatus::Known(vec![QueueCount {
            queue: evil,
            messages: 1,
            oldest_unix: Some(i64::MAX),
        }]),
        problems: vec![problem],
        ..Status::default()
    }
}

#[test]
fn landing_page_escapes_hostile_text() {
    let fake = Fake::default();
    let status = hostile_status();
    *fake.status.lock().unwrap() = status.clone();
    let server = start(fake.clone(), WebOptions::default());
    let page = server.get("/");
    assert_eq!(page.code, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let shown = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;\\u{202e}\\u{1b}[31m";
    assert_eq!(page.text().matches(shown).count(), 11);
    for raw in ["<script", "alert('", "\u{202e}", "\u{1b}"] {
        assert!(!page.text().contains(raw), "{raw:?}");
    }
    fake.status.lock().unwrap().queue = QueueStatus::Unknown(status.problems[0].clone());
    let page = server.get("/");
    assert_eq!(page.text().matches(shown).count(), 13);
    assert!(!page.text().contains("<script"));
}

#[test]
fn browsers_are_told_to_load_and_embed_nothing() {
    let server = default_server();
    for path in ["/", "/metrics", "/nowhere", "/-/ready"] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none';"),
            "{path}: {policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn client_slow_with_its_headers_is_cut() {
    let options = WebOptions {
        header_timeout: Duration::from_millis(250),
        ..WebOptions::default()
    };
    let server = start(Fake::default(), options);
    let began = Instant::now();
    let mut silent = server.connect();
    let mut dripping = server.connect();
    let mut resting = server.connect();
    resting
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    dripping.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut is_open = true;
    while is_open && began.elapsed() < Duration::from_secs(5) {
        is_open = dripping.write_all(b"X: y\r\n").is_ok() && !is_closed(&mut dripping);
    }
    assert!(!is_open, "every byte would prolong it");
    assert!(began.elapsed() >= Duration::from_millis(240));
    eventually("a connection without a request is cut", || {
        is_closed(&mut silent)
    });
    // Whoever has asked properly may rest longer than headers may take.
    thread::sleep(Duration::from_millis(300));
    resting
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut answer = [0; 1024];
    assert!(resting.read(&mut answer).unwrap() > 0);
    assert!(!is_closed(&mut resting));
    resting.write_all(b"GET /-/healthy HTTP/1.1\r\n").unwrap();
    let began = Instant::now();
    eventually("a second request has no more time", || {
        is_closed(&mut resting)
    });
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn rest_between_requests_is_limited() {
    let options = WebOptions {
        idle_timeout: Duration::from_millis(200),
        ..WebOptions::default()
    };
    let server = start(Fake::default(), options);
    let mut stream = server.connect();
    for _ in 0..2 {
        stream
            .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(!is_closed(&mut stream));
    eventually("an idle connection is closed", || is_closed(&mut stream));
}

#[test]
fn a_client_that_reads_slowly_is_cut_and_others_wait_for_its_place() {
    let options = WebOptions {
        write_timeout: Duration::from_millis(600),
        expositions_max: 1,
        ..WebOptions::default()
    };
    let fake = Fake {
        repeat: 400_000,
        ..Fake::default()
    };
    let server = start(fake, options);
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let began = Instant::now();
    // It has its place from here on; a byte now and then does not prolong it.
    assert_eq!(slow.read(&mut [0]).unwrap(), 1);
    let dripping = thread::spawn(move || {
        while began.elapsed() < Duration::from_millis(500) {
            let _ = slow.read(&mut [0; 1000]);
            thread::sleep(Duration::from_millis(20));
        }
        slow
    });
    let waited = server.get("/metrics");
    assert_eq!(waited.code, 200);
    assert!(began.elapsed() >= Duration::from_millis(500));
    let mut rest = Vec::new();
    // Reset, or at its end too early.
    let _ = dripping.join().unwrap().read_to_end(&mut rest);
    assert!(rest.len() < waited.body.len());
    // Written in time, a connection may rest.
    let mut resting = server.connect();
    resting
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert!(resting.read(&mut [0; 1024]).unwrap() > 0);
    thread::sleep(Duration::from_millis(800));
    assert!(!is_closed(&mut resting));
}

#[test]
fn headers_are_limited_in_size() {
    let server = default_server();
    let fits = format!("X-Long: {}\r\n", "x".repeat(15 * 1024));
    assert_eq!(server.ask("GET", "/-/healthy", &fits).code, 200);
    for header in [
        format!("X-Long: {}\r\n", "x".repeat(17 * 1024)),
        "X-Many: y\r\n".repeat(2000),
    ] {
        let mut stream = server.connect();
        // It may be cut off before it has said all of it.
        let request = format!("GET /-/healthy HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        let _ = stream.write_all(request.as_bytes());
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    assert_eq!(server.get("/-/healthy").code, 200);
}

#[test]
fn three_hundred_connections_cost_only_the_longest_idle() {
    let server = default_server();
    let mut scraper = server.connect();
    let ask = |stream: &mut TcpStream| {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream
            .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        stream.read(&mut [0; 2048]).unwrap_or(0) > 0
    };
    let mut held = Vec::new();
    for number in 0..300 {
        held.push(server.connect());
        if number % 50 == 0 {
            // Each request makes it the youngest.
            assert!(ask(&mut scraper), "after {number}");
        }
    }
    eventually("44 or 45 are dropped", || {
        let closed = held
            .iter_mut()
            .map(|stream| usize::from(is_closed(stream)))
            .sum::<usize>();
        closed == 300 + 1 - 256
    });
    assert!(is_closed(&mut held[0]) && is_closed(&mut held[44]));
    assert!(!is_closed(&mut held[45]) && !is_closed(&mut held[299]));
    assert!(ask(&mut scraper));
    assert_eq!(server.get("/metrics").code, 200);
}

#[test]
fn a_request_being_answered_is_not_idle() {
    let options = WebOptions {
        connections_max: 2,
        ..WebOptions::default()
    };
    let server = start(
        Fake {
            delay: Duration::from_millis(400),
            ..Fake::default()
        },
        options,
    );
    let mut asking = server.connect();
    asking
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    thread::sleep(Duration::from_millis(100));
    let held: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    assert_eq!(Answer::read(&mut asking).code, 200);
    drop(held);
}

#[test]
fn shutdown_lets_requests_finish_and_others_go() {
    let mut server = start(
        Fake {
            delay: Duration::from_millis(300),
            ..Fake::default()
        },
        WebOptions::default(),
    );
    let began = Instant::now();
    let mut resting = server.connect();
    resting
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert!(resting.read(&mut [0; 1024]).unwrap() > 0);
    let silent = server.connect();
    let mut half = server.connect();
    half.write_all(b"GET / HT").unwrap();
    let mut asking = server.connect();
    asking
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    thread::sleep(Duration::from_millis(100));
    server.stop();
    let answer = Answer::read(&mut asking);
    assert_eq!(answer.code, 200);
    assert!(answer.text().contains("process_open_fds"));
    let address = server.address;
    server.wait();
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert!(TcpStream::connect(address).is_err());
    drop((resting, silent, half));
}

#[test]
fn shutdown_does_not_wait_for_ever() {
    let options = WebOptions {
        shutdown_timeout: Duration::from_millis(200),
        ..WebOptions::default()
    };
    let mut server = start(
        Fake {
            delay: Duration::from_secs(15),
            ..Fake::default()
        },
        options,
    );
    let mut asking = server.connect();
    asking
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    server.stop();
    server.wait();
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_client_that_does_not_read_holds_nobody_else() {
    let server = start(
        Fake {
            repeat: 200_000,
            ..Fake::default()
        },
        WebOptions::default(),
    );
    let mut stuck = server.connect();
    stuck
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert_eq!(server.get("/-/healthy").code, 200);
    stuck.shutdown(Shutdown::Both).unwrap();
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let server = default_server();
    let mut stream = server.connect();
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let answer = Answer::read(&mut stream);
    assert_eq!(answer.code, 200);
    assert!(answer.text().contains("HTTP/1.1 503"));
}

#[test]
fn what_is_not_http_is_told_so() {
    let server = default_server();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"EHLO x\r\n\r\n",
        b"GET /\xff HTTP/9\r\n\r\n",
    ] {
        let mut stream = server.connect();
        let _ = stream.write_all(bytes);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        assert!(
            all.is_empty() || all.starts_with(b"HTTP/1.1 400"),
            "{}",
            all.escape_ascii()
        );
    }
    assert_eq!(server.get("/-/healthy").code, 200);
}

#[test]
fn a_used_port_is_said_in_three_lines() {
    let server = default_server();
    let error = server
        .runtime
        .block_on(web::bind(server.address))
        .unwrap_err();
    let port = server.address.port();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on 127.0.0.1:{port}: address in use")
    );
    assert_eq!(
        error.why(),
        format!("another process, maybe another exporter, has port {port}")
    );
    assert!(error.fix().contains("--web.listen-address"));
    let elsewhere = server
        .runtime
        .block_on(web::bind("192.0.2.1:0".parse().unwrap()))
        .unwrap_err();
    assert_eq!(
        elsewhere.why(),
        "no interface of this host has the address 192.0.2.1"
    );
}

/// The other process of the next test: a server that may open few files.
#[test]
#[ignore = "run by running_out_of_file_descriptors_is_survived"]
fn serves_with_few_file_descriptors() {
    let server = default_server();
    println!("\nport {}", server.address.port());
    let _ = std::io::stdin().read(&mut [0; 1]);
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let itself = std::env::current_exe().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" web::serves_with_few_file_descriptors --exact --ignored --nocapture"])
        .arg(itself)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = child.stdout.take().unwrap();
    let port = loop {
        let mut some = [0; 256];
        let length = stdout.read(&mut some).unwrap();
        assert!(length > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&some[..length]));
        let port = said
            .split("\nport ")
            .nth(1)
            .and_then(|rest| rest.split_once('\n'));
        if let Some(port) = port.and_then(|(port, _)| port.parse::<u16>().ok()) {
            break port;
        }
    };
    let held: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert_eq!(
        Answer::read(&mut stream).code,
        200,
        "though 100 others hold on"
    );
    drop(held);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
