//! The program as it is run: processes, signals, HTTP, exit codes.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use maillog_exporter::report::is_hidden;

const PROGRAM: &str = env!("CARGO_BIN_EXE_maillog_exporter");
const PATIENCE: Duration = Duration::from_secs(20);
/// An appended line is in the metrics after this time at most; a busy test machine may be late.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(2);

/// A running exporter; killed when dropped.
struct Running {
    child: Child,
    address: String,
    log: mpsc::Receiver<String>,
}

impl Running {
    fn new(arguments: &[&str]) -> Running {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .args(["--web.listen-address=127.0.0.1:0"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (send, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut running = Running {
            child,
            address: String::new(),
            log,
        };
        let line = running.logged("listening");
        running.address = word(&line, "address=").to_owned();
        running.until("/-/ready", |(status, _)| *status == 200);
        running
    }

    fn of_file(path: &Path, more: &[&str]) -> Running {
        let source = format!("--source=file:{}", path.display());
        let mut arguments = vec!["serve", &source, "--postfix.showq-path=none"];
        arguments.extend(more);
        Running::new(&arguments)
    }

    /// The next line of its log with this in it.
    fn logged(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self
                .log
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("it never said {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let answer = String::from_utf8(answer).expect("UTF-8");
        let status = answer.get(9..12).and_then(|code| code.parse().ok());
        (status.unwrap_or_else(|| panic!("{answer}")), answer)
    }

    /// Asks until the answer is as it should be; how long that took.
    fn until(&self, path: &str, wanted: impl Fn(&(u16, String)) -> bool) -> Duration {
        let start = Instant::now();
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "{path}: {}", answer.1);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until_value(&self, series: &str, value: &str) -> Duration {
        let line = format!("\n{series} {value}\n");
        self.until("/metrics", |(_, body)| body.contains(&line))
    }

    fn value(&self, series: &str) -> Option<String> {
        let (_, body) = self.get("/metrics");
        let line = body.lines().find_map(|line| line.strip_prefix(series))?;
        Some(line.trim_start().to_owned())
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(done.is_ok_and(|status| status.success()));
    }

    fn exit_code(mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it never ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn word<'a>(line: &'a str, before: &str) -> &'a str {
    let (_, after) = line.split_once(before).unwrap_or_else(|| panic!("{line}"));
    after.split(' ').next().unwrap_or(after)
}

struct Log {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Log {
    fn new(lines: &str) -> Log {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mail.log");
        fs::write(&path, lines).expect("a file");
        Log { directory, path }
    }

    fn append(&self, lines: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .expect("a file");
        file.write_all(lines.as_bytes()).expect("room on the disk");
    }
}

/// A mail of `user` to one recipient outside, at the wall clock's time.
fn mail(queue_id: &str, user: &str) -> String {
    let stamp = jiff::Timestamp::now();
    let mut lines = String::new();
    for text in [
        format!(
            "submission/smtpd[1]: {queue_id}: client=home.example.net[198.51.100.7], sasl_method=PLAIN, sasl_username={user}"
        ),
        format!("cleanup[2]: {queue_id}: message-id=<x@example.org>"),
        format!("qmgr[3]: {queue_id}: from=<{user}>, size=2000, nrcpt=1 (queue active)"),
        format!(
            "smtp[4]: {queue_id}: to=<bob@example.com>, relay=mx.example.com[192.0.2.25]:25, delay=0.5, delays=0.1/0/0.2/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
        ),
        format!("qmgr[3]: {queue_id}: removed"),
    ] {
        lines.push_str(&format!("{stamp} mx1 postfix/{text}\n"));
    }
    lines
}

/// The same, an hour old: history is shown at once.
fn old_mail(queue_id: &str, user: &str) -> String {
    let now = jiff::Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    let then = (now - hour).to_string();
    mail(queue_id, user)
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((_, rest)) => format!("{then} {rest}\n"),
            None => String::new(),
        })
        .collect()
}

const SUBMITTED: &str = "mail_messages_total{origin=\"authenticated\"}";

#[test]
fn a_file_is_served_and_followed() {
    let log = Log::new(&old_mail("4AAA01", "ann@example.org"));
    let running = Running::of_file(&log.path, &[]);
    assert_eq!(running.value(SUBMITTED).as_deref(), Some("1"));
    // The past of an account is not held.
    let ann = "mail_user_messages_total{user=\"ann@example.org\"}";
    assert_eq!(running.value(ann).as_deref(), Some("1"));
    log.append(&mail("4AAA02", "ann@example.org"));
    let took = running.until_value(SUBMITTED, "2");
    assert!(took < FOLLOWED_WITHIN, "{took:?}");
    let (status, body) = running.get("/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("\nmaillog_source_up{source=\"file:"));
    assert_eq!(running.get("/-/healthy").0, 200);
    assert_eq!(running.get("/").0, 200);
    assert_eq!(running.get("/nothing").0, 404);
}

#[test]
fn half_a_line_waits_for_its_end() {
    let log = Log::new("");
    let running = Running::of_file(&log.path, &[]);
    let lines = mail("4AAA01", "ann@example.org");
    let (head, tail) = lines.split_at(lines.len() - 9);
    log.append(head);
    running.until_value(SUBMITTED, "1");
    let removed = "mail_message_queue_time_seconds_count{outcome=\"sent\"}";
    assert_eq!(running.value(removed).as_deref(), Some("0"));
    log.append(tail);
    running.until_value(removed, "1");
}

#[test]
fn a_log_is_rotated_and_copied_away() {
    let log = Log::new(&mail("4AAA01", "ann@example.org"));
    let running = Running::of_file(&log.path, &[]);
    running.until_value(SUBMITTED, "1");
    fs::rename(&log.path, log.directory.path().join("mail.log.1")).expect("a rename");
    log.append(&mail("4AAA02", "ann@example.org"));
    running.until_value(SUBMITTED, "2");
    // copytruncate
    fs::copy(&log.path, log.directory.path().join("mail.log.2")).expect("a copy");
    File::options()
        .write(true)
        .truncate(true)
        .open(&log.path)
        .expect("a file");
    running.until("/metrics", |(_, body)| {
        body.lines()
            .any(|l| l.starts_with("maillog_source_truncations_total{") && l.ends_with(" 1"))
    });
    log.append(&mail("4AAA03", "ann@example.org"));
    running.until_value(SUBMITTED, "3");
    let (_, body) = running.get("/metrics");
    assert!(
        body.lines()
            .any(|l| l.starts_with("maillog_source_rotations_total{") && l.ends_with(" 1"))
    );
}

#[test]
fn a_missing_file_appears() {
    let log = Log::new("");
    fs::remove_file(&log.path).expect("it is there");
    let running = Running::of_file(&log.path, &[]);
    let up = format!(
        "maillog_source_up{{source=\"file:{}\"}}",
        log.path.display()
    );
    assert_eq!(running.value(&up).as_deref(), Some("0"));
    log.append(&mail("4AAA01", "ann@example.org"));
    running.until_value(&up, "1");
    running.until_value(SUBMITTED, "1");
}

#[test]
fn an_unreadable_file_is_said_and_served() {
    let log = Log::new("");
    fs::set_permissions(&log.path, fs::Permissions::from_mode(0o000)).expect("ours");
    if File::open(&log.path).is_ok() {
        // Root may read anything: a file in a file's place is as unreadable.
        return unreadable_for_root(&log);
    }
    let running = Running::of_file(&log.path, &[]);
    let up = format!(
        "maillog_source_up{{source=\"file:{}\"}}",
        log.path.display()
    );
    assert_eq!(running.value(&up).as_deref(), Some("0"));
    assert!(running.get("/").1.contains("permission denied"));
    fs::set_permissions(&log.path, fs::Permissions::from_mode(0o600)).expect("ours");
    running.until_value(&up, "1");
}

fn unreadable_for_root(log: &Log) {
    let below = log.path.join("below");
    let running = Running::of_file(&below, &[]);
    let up = format!("maillog_source_up{{source=\"file:{}\"}}", below.display());
    assert_eq!(running.value(&up).as_deref(), Some("0"));
    assert!(running.get("/").1.contains("cannot read"));
}

#[test]
fn a_newborn_series_is_shown_at_0_first() {
    let log = Log::new(&old_mail("4AAA01", "old@example.org"));
    let running = Running::of_file(&log.path, &["--web.birth-hold=1s"]);
    let of = |user: &str| format!("mail_user_messages_total{{user=\"{user}\"}}");
    assert_eq!(running.value(&of("old@example.org")).as_deref(), Some("1"));
    let burst: String = (10..30)
        .map(|n| mail(&format!("4AAA{n}"), "new@example.org"))
        .collect();
    log.append(&burst);
    let new = of("new@example.org");
    running.until("/metrics", |(_, body)| body.contains(&new));
    let start = Instant::now();
    assert_eq!(running.value(&new).as_deref(), Some("0"));
    running.until_value(&new, "20");
    assert!(start.elapsed() > Duration::from_millis(500), "not held");
    // What is known already is counted at once.
    log.append(&mail("4AAA40", "old@example.org"));
    running.until_value(&of("old@example.org"), "2");
}

/// The exporter's own log is logfmt: the same fields first in each line, values that are one word.
#[test]
fn its_own_log_can_be_read_by_machines() {
    let log = Log::new("");
    let of = |format: &str| {
        let source = format!("--source=file:{}", log.path.display());
        let mut child = Command::new(PROGRAM)
            .args(["serve", &source, "--web.listen-address=127.0.0.1:0"])
            .arg(format!("--log.format={format}"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let line = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains("caught up")));
        let _ = child.kill();
        let _ = child.wait();
        line.expect("it says so").expect("UTF-8")
    };
    let line = of("logfmt");
    assert!(line.starts_with("ts=20"), "{line}");
    assert!(
        line.ends_with(" level=info msg=\"caught up, serving metrics\" lines=0"),
        "{line}"
    );
    let line = of("json");
    serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
}

#[test]
fn the_path_of_the_metrics_is_the_users() {
    let log = Log::new("");
    let running = Running::of_file(&log.path, &["--web.telemetry-path=/mail"]);
    assert!(running.get("/mail").1.contains("mail_messages_total"));
    assert_eq!(running.get("/metrics").0, 404);
}

#[test]
fn it_ends_when_told() {
    for signal in ["-TERM", "-INT"] {
        let log = Log::new("");
        let running = Running::of_file(&log.path, &[]);
        running.signal(signal);
        assert_eq!(running.exit_code(), Some(0), "{signal}");
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    of(&Command::new(PROGRAM)
        .args(arguments)
        .output()
        .expect("it runs"))
}

fn of(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn what_cannot_be_served_is_said() {
    let log = Log::new("");
    let directory = log.directory.path().display().to_string();
    let source = format!("--source=file:{directory}");
    let (code, _, error) = run(&["serve", &source, "--web.listen-address=127.0.0.1:0"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(
        error.contains(&directory) && error.contains("is a directory\n  why: "),
        "{error}"
    );
    assert!(!error.contains("listening"), "{error}");
    let (code, _, error) = run(&["serve", "--source=file:/dev/null"]);
    assert!(code == Some(1) && error.contains("\n  fix: "), "{error}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let source = format!("--source=file:{}", log.path.display());
    let listen = format!("--web.listen-address={address}");
    let (code, _, error) = run(&["serve", &source, &listen]);
    assert_eq!(code, Some(1), "{error}");
    assert!(
        error.contains(&address) && error.contains("fix:"),
        "{error}"
    );

    for wrong in [
        &["serve", "--no-such-flag"][..],
        &["serve", "--web.birth-hold=tomorrow"],
        &["serve", "--web.listen-address=nowhere"],
        &["serve", "--source=journal"],
        &["serve", "--source=gopher:x"],
        &["report", "--since=1fortnight", "x"],
        &["report"],
        &[],
    ] {
        assert_eq!(run(wrong).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn reports() {
    let log =
        Log::new(&(old_mail("4AAA01", "ann@example.org") + &mail("4AAA02", "eve@example.org")));
    let path = log.path.display().to_string();
    let (code, text, error) = run(&["report", &path]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/postfix-3.7/rfc3339.log.gz");
    let (_, long, _) = run(&["report", "--top=1000", &real.display().to_string()]);
    for line in long.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.contains("ann@example.org"), "{text}");

    let (code, text, error) = run(&["report", "--max-per-user=0", &path]);
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("ann@example.org"), "{error}");
    assert!(!text.is_empty());
    assert_eq!(run(&["report", "--max-per-user=1", &path]).0, Some(0));

    // Only the last minutes: ann's mail is an hour old.
    let since = ["report", "--since=10m", "--max-per-user=0", &path];
    let (code, text, error) = run(&since);
    assert_eq!(code, Some(3));
    assert!(error.contains("eve@example.org"), "{error}");
    assert!(!error.contains("ann@example.org"), "{error}{text}");

    let missing = log.directory.path().join("missing").display().to_string();
    let (code, text, error) = run(&["report", &missing, &path]);
    assert_eq!(code, Some(1));
    assert!(error.contains(&missing), "{error}");
    assert!(text.contains("ann@example.org"), "the others count: {text}");
    let (code, text, error) = run(&["report", &missing]);
    assert_eq!((code, text.as_str()), (Some(1), ""));
    assert!(error.starts_with("error: cannot read "), "{error}");
    assert_eq!(error.lines().count(), 3, "{error}");

    // What stands for several accounts is no account.
    let both = ["report", "--limit.users=1", "--max-per-user=0", &path];
    let (code, _, error) = run(&both);
    assert_eq!(code, Some(3), "{error}");
    assert!(!error.contains("_other"), "{error}");

    let (code, text, _) = run(&["report", "--format=json", &path]);
    assert_eq!(code, Some(0));
    serde_json::from_str::<serde_json::Value>(&text).expect("JSON");

    let (code, text, _) = run(&["report", "--format=prometheus", &path]);
    assert_eq!(code, Some(0));
    assert!(text.contains(&format!("{SUBMITTED} 2\n")));
}

#[test]
fn reports_of_packed_files_and_of_standard_input() {
    let log = Log::new("");
    let lines = old_mail("4AAA01", "ann@example.org");
    let packed = log.directory.path().join("mail.log.2.gz");
    let mut gzip = flate2::write::GzEncoder::new(
        File::create(&packed).expect("a file"),
        flate2::Compression::fast(),
    );
    gzip.write_all(lines.as_bytes()).expect("room on the disk");
    gzip.finish().expect("room on the disk");
    let wanted = format!("{SUBMITTED} 1\n");
    let path = packed.display().to_string();
    let (code, text, error) = run(&["report", "--format=prometheus", &path]);
    assert!(code == Some(0) && text.contains(&wanted), "{error}");
    for more in [&[][..], &["--since=1d"]] {
        let mut child = Command::new(PROGRAM)
            .args(["report", "--format=prometheus", "-"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(lines.as_bytes()).expect("it reads");
        drop(stdin);
        let (code, text, error) = of(&child.wait_with_output().expect("it ends"));
        assert!(code == Some(0) && text.contains(&wanted), "{error}");
    }
}

/// What a report is about is said where it is said.
#[test]
fn titles_of_a_report_tell_what_is_below() {
    let mut lines = mail("4AAA01", "ann@example.org").replace(
        "to=<bob@example.com>, relay=mx.example.com[192.0.2.25]:25",
        "to=<bob@example.com>, relay=none",
    );
    let stamp = jiff::Timestamp::now();
    lines.push_str(&format!(
        "{stamp} mx1 postfix/smtpd[9]: connect from a.example[192.0.2.1]\n{stamp} mx1 dovecot: hello\n"
    ));
    let log = Log::new(&lines);
    let (code, text, error) = run(&["report", &log.path.display().to_string()]);
    assert_eq!(code, Some(0), "{error}");
    assert!(!text.contains("Next hops"), "{text}");
    assert!(
        text.contains("\nConnections\n-----------\n            1  in all\n"),
        "{text}"
    );
    assert!(
        text.contains("deliveries (counted as lines only)\n"),
        "{text}"
    );
    assert!(text.contains("hour before the last line\n"), "{text}");
}

/// What came from the network must not speak to a terminal.
#[test]
fn control_characters_stay_out_of_the_terminal() {
    let hostile = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}\u{200b}";
    let mut lines = old_mail("4AAA01", &format!("ann{hostile}@example.org"));
    lines.push_str(&old_mail("4AAA02", "eve@example.org").replace(
        "bob@example.com>, relay=mx.example.com",
        &format!("bob@exa{hostile}mple.com>, relay=m{hostile}x.example.com"),
    ));
    lines.push_str(&format!(
        "2026-11-24T10:00:00Z mx1 prog{hostile}ram[1]: hello\n"
    ));
    let log = Log::new(&lines);
    let path = log.path.display().to_string();
    for arguments in [
        &["report", "--max-per-user=0", &path][..],
        &["report", "--top=100", &path],
        &["report", "--format=json", &path],
    ] {
        let (_, text, error) = run(arguments);
        for character in (text + &error).chars() {
            assert!(
                character == '\n' || !is_hidden(character),
                "{character:?} in the output of {arguments:?}"
            );
        }
    }
    let name = format!("no{hostile}file");
    let (code, _, error) = run(&["report", &name]);
    assert_eq!(code, Some(1));
    assert!(!error.contains('\x1b'), "{error:?}");
}

#[test]
fn the_catalogue_in_three_formats() {
    for (format, part) in [
        ("text", "mail_messages_total"),
        ("json", "\"mail_messages_total\""),
        ("markdown", "\n## mail_messages_total\n"),
    ] {
        let (code, text, error) = run(&["metrics", "--format", format]);
        assert_eq!((code, error.as_str()), (Some(0), ""));
        assert!(text.contains(part), "{format}: {text}");
    }
}

#[test]
fn the_demos_hijacked_account_appears() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("demo.log");
    let path = format!("--log={}", log.display());
    let running = Running::new(&[
        "demo",
        "--speed=600",
        "--hijack-after=1m",
        "--days=0",
        "--web.birth-hold=0s",
        &path,
    ]);
    let line = running.logged("an account will be hijacked");
    let account = word(&line, "account=").trim_matches('"').to_owned();
    let series = format!("mail_user_recipients_total{{user=\"{account}\"}} ");
    running.until("/metrics", |(_, body)| {
        body.lines()
            .find_map(|line| line.strip_prefix(&series))
            .and_then(|value| value.parse().ok())
            .is_some_and(|recipients: u64| recipients > 100)
    });
    assert!(fs::metadata(&log).is_ok_and(|file| file.len() > 0));
}

#[test]
fn the_demo_overwrites_nothing() {
    let log = Log::new("a line\n");
    let flag = format!("--log={}", log.path.display());
    let (code, _, error) = run(&["demo", "--web.listen-address=127.0.0.1:0", &flag]);
    assert_eq!(code, Some(1), "{error}");
    for part in ["is not empty", "\n  why: ", "\n  fix: "] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(
        fs::read_to_string(&log.path).expect("it is there"),
        "a line\n"
    );
}

#[test]
fn the_demos_own_log_is_private_and_goes_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut child = Command::new(PROGRAM)
        .args(["demo", "--days=0", "--web.listen-address=127.0.0.1:0"])
        .env("TMPDIR", directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let ready = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains("caught up")));
    assert!(ready.is_some());
    let files = || fs::read_dir(directory.path()).expect("a directory");
    let modes: Vec<u32> = files()
        .map(|file| file.and_then(|f| f.metadata()).expect("a file"))
        .map(|file| file.permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, [0o600]);
    let told = Command::new("kill").arg(child.id().to_string()).status();
    assert!(told.is_ok_and(|status| status.success()));
    assert!(child.wait().is_ok_and(|status| status.success()));
    assert_eq!(files().count(), 0);
}

/// Whoever restarts services sees an end, not a process that answers 503 for ever.
#[test]
fn it_ends_when_its_engine_does() {
    use maillog_exporter::engine::EngineConfig;
    use maillog_exporter::serve::{self, Clock, ServeOptions};
    use maillog_exporter::source::From;
    use maillog_exporter::web::WebOptions;
    let log = Log::new(&mail("4AAA01", "ann@example.org"));
    let clock: Clock = std::sync::Arc::new(|| {
        assert_ne!(
            std::thread::current().name(),
            Some("engine"),
            "a fault, for this test"
        );
        0
    });
    let options = ServeOptions {
        sources: vec![log.path.display().to_string().parse().expect("a path")],
        from: From::Start,
        engine: EngineConfig::default(),
        web: WebOptions::default(),
        showq_paths: Vec::new(),
        clock,
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let result = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let running = serve::run(listener.expect("a port"), options, std::future::pending());
        tokio::time::timeout(PATIENCE, running).await
    });
    let error = result.expect("it ends").expect_err("it was no good end");
    assert!(
        error.to_string().starts_with("the engine stopped\n"),
        "{error}"
    );
}
