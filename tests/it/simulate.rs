//! The simulator keeps its promises: same seed, same bytes; logs in the shape of logs; a truth that
//! agrees with itself and with what can be counted in the log by searching for fixed text.

use std::collections::HashSet;

use maillog_exporter::simulate::{Truth, World, WorldOptions, mix, story};

const START_MS: u64 = 1_795_424_400_000;
const LINE_BYTES_MAX: usize = 2048;

fn world(seed: u64) -> World {
    let hijack_after = std::time::Duration::from_secs(1800);
    World::new(
        seed,
        START_MS,
        WorldOptions {
            hijack_after,
            ..WorldOptions::default()
        },
    )
}

fn lived(seed: u64, seconds: u64) -> (String, Truth) {
    let mut world = world(seed);
    let mut log = Vec::new();
    world
        .step(START_MS + seconds * 1000, &mut log)
        .expect("a Vec takes all");
    (
        String::from_utf8(log).expect("the simulator writes UTF-8"),
        world.truth(),
    )
}

/// The sum over all series of a family that carry these labels.
fn sum(truth: &Truth, name: &str, labels: &[&str]) -> u64 {
    let family = format!("{name}{{");
    let matches = |series: &str| {
        series.starts_with(&family) && labels.iter().all(|label| series.contains(label))
    };
    truth
        .iter()
        .filter(|(series, _)| matches(series))
        .map(|(_, value)| value)
        .sum()
}

fn occurrences(log: &str, text: &str) -> u64 {
    log.lines().filter(|line| line.contains(text)).count() as u64
}

/// What every log and its truth must satisfy. `old_queue`: mails may be older than the log.
fn check(log: &str, truth: &Truth, old_queue: bool) {
    assert!(log.ends_with('\n'));
    let mut accepted = HashSet::new();
    let mut active = HashSet::new();
    let mut cleaned = HashSet::new();
    for line in log.lines() {
        assert!(line.len() <= LINE_BYTES_MAX, "{} bytes: {line}", line.len());
        let Some((header, text)) = line.split_once("]: ") else {
            panic!("no tag: {line}");
        };
        let host = header.split(' ').rev().nth(1);
        let Some((queue_id, rest)) = text.split_once(": ") else {
            continue;
        };
        let key = (host, queue_id);
        if rest.starts_with("client=") || rest.starts_with("uid=") {
            assert!(accepted.insert(key), "twice: {line}");
        }
        if rest.ends_with("(queue active)") {
            active.insert(key);
        }
        if rest == "removed" {
            assert!(active.remove(&key), "removed, but never active: {line}");
            // The story's queue is older than its log; notices have no client.
            assert!(
                accepted.contains(&key) || cleaned.contains(&key) || old_queue,
                "{line}"
            );
        }
        if rest.starts_with("message-id=") {
            cleaned.insert(key);
        }
    }
    assert_eq!(occurrences(log, ""), sum(truth, "maillog_lines_total", &[]));
    assert_eq!(
        occurrences(log, "smtpd[") - occurrences(log, "]: disconnect from"),
        sum(truth, "maillog_lines_total", &["smtpd"]) - sum(truth, "mail_disconnects_total", &[])
    );
    assert_eq!(
        occurrences(log, "]: connect from"),
        sum(truth, "mail_connections_total", &[])
    );
    assert_eq!(
        occurrences(log, "NOQUEUE: reject:"),
        sum(truth, "mail_rejects_total", &[])
    );
    assert_eq!(
        occurrences(log, " authentication failed:"),
        sum(
            truth,
            "mail_auth_total",
            &["software=\"postfix\"", "result=\"failure\""]
        )
    );
    for status in ["sent", "deferred", "bounced"] {
        assert_eq!(
            occurrences(log, &format!(", status={status} (")),
            sum(
                truth,
                "mail_deliveries_total",
                &[&format!("status=\"{status}\"")]
            )
        );
    }
    let counted = sum(truth, "mail_deliveries_total", &[])
        - sum(truth, "mail_deliveries_total", &["direction=\"internal\""]);
    assert_eq!(counted, sum(truth, "mail_domain_deliveries_total", &[]));
    assert_eq!(counted, sum(truth, "mail_relay_deliveries_total", &[]));
    let of_users: u64 = ["authenticated", "trusted", "local"]
        .iter()
        .map(|origin| format!("origin=\"{origin}\""))
        .map(|origin| {
            assert_eq!(
                sum(truth, "mail_messages_total", &[&origin]),
                sum(truth, "mail_message_size_bytes_count", &[&origin])
            );
            sum(truth, "mail_deliveries_total", &[&origin])
                - sum(
                    truth,
                    "mail_deliveries_total",
                    &[&origin, "direction=\"internal\""],
                )
        })
        .sum();
    assert_eq!(of_users, sum(truth, "mail_user_deliveries_total", &[]));
    // A message that ended had a delivery, and an acceptance.
    let hops = occurrences(log, ": client=localhost[127.0.0.1]");
    assert!(sum(truth, "mail_deliveries_total", &[]) >= occurrences(log, ": removed"));
    assert!(sum(truth, "mail_messages_total", &[]) + hops >= occurrences(log, ": removed"));
}

#[test]
fn world_is_the_same_for_a_seed() {
    let (first, truth) = lived(3, 900);
    assert_eq!((first, truth), lived(3, 900));
    assert_ne!(lived(3, 60).0, lived(4, 60).0);
}

#[test]
fn world_does_not_depend_on_steps() {
    let (whole, truth) = lived(8, 3000);
    let mut world = world(8);
    let mut log = Vec::new();
    let mut now_ms = START_MS;
    for step_ms in [1, 0, 999, 10, 60_000, 3, 1500].into_iter().cycle() {
        now_ms = (now_ms + step_ms).min(START_MS + 3_000_000);
        world.step(now_ms, &mut log).expect("a Vec takes all");
        if now_ms == START_MS + 3_000_000 {
            break;
        }
    }
    assert_eq!(whole.as_bytes(), log);
    assert_eq!(truth, world.truth());
}

#[test]
fn world_is_consistent() {
    let (log, truth) = lived(1, 5400);
    check(&log, &truth, false);
    let per_second = log.lines().count() / 5400;
    assert!(
        (8..=40).contains(&per_second),
        "{per_second} lines a second"
    );
}

#[test]
fn world_is_hijacked_when_it_says() {
    let info = world(5).hijack();
    let (log, truth) = lived(5, 3600);
    assert!(info.starts_at_ms >= START_MS + 1_800_000);
    assert!(info.starts_at_ms <= START_MS + 2_250_000);
    let user = format!("user=\"{}\"", info.account);
    let refused = sum(&truth, "mail_user_refused_recipients_total", &[&user]);
    let recipients = sum(&truth, "mail_user_recipients_total", &[&user]);
    assert!(
        recipients > 500 && refused * 5 > recipients,
        "{refused} of {recipients} refused"
    );
    let submitted = format!("sasl_username={}", info.account);
    let networks: HashSet<&str> = log
        .lines()
        .filter(|line| line.contains(": client=") && line.ends_with(&submitted))
        .filter_map(|line| {
            line.split_once("client=")?
                .1
                .split_once(',')
                .map(|(client, _)| client)
        })
        .collect();
    assert!(networks.len() >= 24, "{} clients", networks.len());
}

#[test]
fn world_has_a_past() {
    let prehistory = std::time::Duration::from_secs(3 * 86_400);
    let mut world = World::new(
        2,
        START_MS,
        WorldOptions {
            prehistory,
            ..WorldOptions::default()
        },
    );
    let mut log = Vec::new();
    world.step(START_MS, &mut log).expect("a Vec takes all");
    assert!(log.starts_with(b"2026-11-20T"));
    assert_eq!(world.begins_at_ms(), START_MS - 3 * 86_400_000);
    let log = String::from_utf8(log).expect("the simulator writes UTF-8");
    check(&log, &world.truth(), false);
    assert!(sum(&world.truth(), "mail_user_messages_total", &[]) > 100);
}

type Generator = fn(&mut dyn std::io::Write, u64, u64) -> std::io::Result<Truth>;

fn generated(generator: Generator, lines: u64, seed: u64) -> (String, Truth) {
    let mut log = Vec::new();
    let truth = generator(&mut log, lines, seed).expect("a Vec takes all");
    (
        String::from_utf8(log).expect("the simulator writes UTF-8"),
        truth,
    )
}

#[test]
fn story_keeps_its_proportions() {
    let (log, truth) = generated(story, 100_000, 1);
    check(&log, &truth, true);
    assert_eq!(log.lines().count(), 100_000);
    let lines = |programs: &str| sum(&truth, "maillog_lines_total", &[programs]);
    assert_eq!(lines("postfix/qmgr\""), 71_546);
    assert_eq!(lines("smtpd\""), 26_670);
    assert_eq!(occurrences(&log, "]: login: "), 470);
    let per_line = log.len() / 100_000;
    assert!((190..=210).contains(&per_line), "{per_line} bytes a line");
}

#[test]
fn story_is_the_same_for_a_seed() {
    assert_eq!(generated(story, 20_000, 7), generated(story, 20_000, 7));
    assert_ne!(generated(story, 200, 7).0, generated(story, 200, 8).0);
}

#[test]
fn mix_is_consistent_and_the_same_for_a_seed() {
    let (log, truth) = generated(mix, 100_000, 1);
    check(&log, &truth, false);
    assert_eq!(log.lines().count(), 100_000);
    assert_eq!((log, truth), generated(mix, 100_000, 1));
}

#[test]
fn logs_of_any_length_can_be_had() {
    for lines in [0, 1, 2, 50, 999, 5000] {
        for generator in [story as Generator, mix] {
            let (log, truth) = generated(generator, lines, 3);
            assert_eq!(log.lines().count() as u64, lines);
            assert_eq!(sum(&truth, "maillog_lines_total", &[]), lines);
        }
    }
}
