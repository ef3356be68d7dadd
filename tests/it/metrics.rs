//! Facts in, exposition out.

use std::collections::{BTreeMap, BTreeSet};

use maillog_exporter::metrics::{
    BUSY_WEIGHT, CATALOGUE, CatalogueFormat, Format, Frozen, HISTORY_AGE_MS, IDLE_MS, Kind,
    Metrics, MetricsConfig, Privacy, Queue, QueueSample, SourceSample, Unit, VERY_BUSY_WEIGHT,
    render_catalogue,
};
use maillog_exporter::parse::{
    AuthReason, FailureReason, Provider, RejectReason, Service, Severity, Software, Stage,
};
use maillog_exporter::track::{
    Account, AccountId, AuthResult, Delivered, DeliveryStatus, Direction, Fact, Origin, Outcome,
    RefusalClass,
};
use proptest::prelude::*;

/// A moment in November 2026.
const NOW_MS: i64 = 1_795_500_000_000;

fn metrics(config: MetricsConfig) -> Metrics {
    let mut metrics = Metrics::new(config);
    metrics.set_time(Some(NOW_MS), NOW_MS);
    metrics
}

/// Series show at once.
fn unheld() -> MetricsConfig {
    MetricsConfig {
        birth_hold_ms: 0,
        ..MetricsConfig::default()
    }
}

fn account(slot: u32, name: &str) -> Account<'_> {
    Account {
        id: AccountId {
            slot,
            generation: 0,
        },
        name,
    }
}

fn delivered<'a>(domain: &'a str, relay: Option<&'a str>) -> Delivered<'a> {
    Delivered {
        origin: Origin::Authenticated,
        direction: Direction::Outbound,
        transport: b"smtp",
        status: DeliveryStatus::Sent,
        dsn_class: 2,
        account: None,
        goes_on: false,
        relay: relay.map(str::as_bytes),
        domain: domain.as_bytes(),
        delay_ms: None,
        before_qmgr_ms: None,
        stages_ms: None,
        failure: None,
        blocklisted_by: None,
    }
}

fn message(account: Account<'_>) -> Fact<'_> {
    Fact::Message {
        origin: Origin::Authenticated,
        account: Some(account),
    }
}

fn encode(frozen: &Frozen, format: Format) -> String {
    let mut out = Vec::new();
    frozen.encode(format, &mut out);
    String::from_utf8(out).expect("an exposition is UTF-8")
}

/// Sample name and sorted labels.
type Key = (String, BTreeMap<String, String>);

/// Reads an exposition with no mercy, and without a look at how it was written.
fn read(text: &str) -> BTreeMap<Key, f64> {
    let mut samples = BTreeMap::new();
    let mut heads = BTreeSet::new();
    let mut family = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if line == "# EOF" {
            continue;
        }
        if let Some(head) = line.strip_prefix("# ") {
            let mut words = head.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(words.next().is_some(), "{line}");
            assert!(["HELP", "TYPE", "UNIT"].contains(&word), "{line}");
            assert!(heads.insert((word.to_owned(), name.to_owned())), "{line}");
            name.clone_into(&mut family);
            continue;
        }
        let name_end = line
            .find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
            .expect("a value follows");
        let (name, mut rest) = line.split_at(name_end);
        assert!(name.starts_with(&family), "{line} under {family}");
        let mut labels = BTreeMap::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                let (label, value) = rest.split_once("=\"").expect("a label");
                assert!(
                    label
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                );
                let mut chars = value.char_indices();
                let mut text = String::new();
                let end = loop {
                    match chars.next().expect("a closed quote") {
                        (end, '"') => break end,
                        (_, '\\') => match chars.next().unwrap().1 {
                            'n' => text.push('\n'),
                            char @ ('"' | '\\') => text.push(char),
                            char => panic!("\\{char} in {line}"),
                        },
                        (_, char) => text.push(char),
                    }
                };
                assert!(labels.insert(label.to_owned(), text).is_none(), "{line}");
                rest = &value[end + 1..];
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => break,
                }
            }
            rest = rest.strip_prefix('}').expect("a closed brace");
        }
        let value = rest.strip_prefix(' ').expect("a space").parse().unwrap();
        let before = samples.insert((name.to_owned(), labels), value);
        assert!(before.is_none(), "twice: {line}");
    }
    samples
}

/// Only the series of limited labels.
fn read_limited(text: &str) -> BTreeMap<Key, f64> {
    let labels = ["{user=", "{relay=", "{domain="];
    let limited = text
        .lines()
        .filter(|line| line.starts_with('#') || labels.iter().any(|label| line.contains(label)));
    read(&limited.flat_map(|line| [line, "\n"]).collect::<String>())
}

fn scrape(metrics: &mut Metrics, now_ms: i64) -> BTreeMap<Key, f64> {
    read(&encode(&metrics.freeze(now_ms), Format::Text004))
}

/// The samples of one name, each with the value of one label.
fn by_label(samples: &BTreeMap<Key, f64>, name: &str, label: &str) -> BTreeMap<String, f64> {
    let of_name = samples.iter().filter(|((other, _), _)| other == name);
    let mut sums = BTreeMap::new();
    for ((_, labels), value) in of_name {
        *sums.entry(labels[label].clone()).or_default() += value;
    }
    sums
}

#[test]
fn what_is_there_from_the_start_is_at_zero() {
    let mut metrics = metrics(MetricsConfig::default());
    let frozen = metrics.freeze(NOW_MS);
    let samples = read(&encode(&frozen, Format::Text004));
    let told = ["maillog_series", "maillog_build_info"];
    for ((name, labels), value) in &samples {
        if !told.contains(&name.as_str()) {
            assert_eq!(*value, 0.0, "{name} {labels:?}");
        }
    }
    for (name, labels) in [
        ("mail_messages_total", &[("origin", "generated")][..]),
        (
            "mail_deliveries_total",
            &[
                ("origin", "authenticated"),
                ("direction", "outbound"),
                ("transport", "smtp"),
                ("status", "bounced"),
                ("dsn_class", "5"),
            ],
        ),
        ("mail_blocklisted_total", &[("provider", "spamhaus")]),
        (
            "mail_rejects_total",
            &[
                ("software", "postfix"),
                ("service", "smtp"),
                ("stage", "RCPT"),
                ("code", "550"),
                ("reason", "unknown_recipient"),
            ],
        ),
        (
            "mail_auth_total",
            &[
                ("software", "postfix"),
                ("service", "submission"),
                ("mechanism", "PLAIN"),
                ("result", "success"),
            ],
        ),
        ("mail_user_messages_total", &[("user", "_other")]),
        (
            "mail_relay_deliveries_total",
            &[("relay", "none"), ("status", "deferred")],
        ),
        (
            "mail_delivery_delay_seconds_bucket",
            &[
                ("direction", "outbound"),
                ("status", "sent"),
                ("le", "432000"),
            ],
        ),
        ("maillog_messages_forgotten_total", &[]),
        ("mail_auth_failing_networks", &[("service", "smtp")]),
    ] {
        assert_eq!(frozen.value(name, labels), Some(0.0), "{name} {labels:?}");
    }
    assert!(samples.len() < 3_500, "{}", samples.len());
    let series = frozen.value("maillog_series", &[]);
    assert_eq!(series, Some(samples.len() as f64));
}

#[test]
fn a_newborn_series_is_held() {
    struct Case {
        name: &'static str,
        /// How old the line is when it is read.
        age_ms: i64,
        hold_ms: u64,
        /// Scrapes after the birth, and what they shall see of the three messages.
        scrapes: &'static [(i64, f64)],
    }
    let cases = [
        Case {
            name: "shown at 0 until the hold is over",
            age_ms: 0,
            hold_ms: 65_000,
            scrapes: &[(0, 0.0), (15_000, 0.0), (64_999, 0.0), (65_000, 3.0)],
        },
        Case {
            name: "the hold is over, but no scrape has seen the 0",
            age_ms: 0,
            hold_ms: 65_000,
            scrapes: &[(500_000, 0.0), (500_001, 3.0)],
        },
        Case {
            name: "released is released",
            age_ms: 0,
            hold_ms: 65_000,
            scrapes: &[(1, 0.0), (70_000, 3.0), (70_001, 3.0)],
        },
        Case {
            name: "just not history",
            age_ms: HISTORY_AGE_MS,
            hold_ms: 65_000,
            scrapes: &[(1, 0.0), (70_000, 3.0)],
        },
        Case {
            name: "history",
            age_ms: HISTORY_AGE_MS + 1,
            hold_ms: 65_000,
            scrapes: &[(0, 3.0)],
        },
        Case {
            name: "ahead of the wall",
            age_ms: -3_600_000,
            hold_ms: 65_000,
            scrapes: &[(1, 0.0), (70_000, 3.0)],
        },
        Case {
            name: "no hold",
            age_ms: 0,
            hold_ms: 0,
            scrapes: &[(0, 3.0)],
        },
        Case {
            name: "the wall is set back",
            age_ms: 0,
            hold_ms: 65_000,
            scrapes: &[(-7_200_000, 0.0), (-7_135_000, 3.0)],
        },
    ];
    for case in cases {
        let mut metrics = Metrics::new(MetricsConfig {
            birth_hold_ms: case.hold_ms,
            ..MetricsConfig::default()
        });
        metrics.set_time(Some(NOW_MS - case.age_ms), NOW_MS);
        for _ in 0..3 {
            metrics.apply(&message(account(1, "anna@example.com")));
            // Each kind of series that may be born.
            let mut delivered = delivered("example.net", Some("mx.example.net"));
            metrics.apply(&Fact::Delivered(delivered));
            delivered.transport = b"slow";
            metrics.apply(&Fact::Delivered(delivered));
            let program = metrics.program(b"postfix/smtpd", Software::Postfix);
            metrics.line(program, false, None, 1);
        }
        for &(after_ms, expected) in case.scrapes {
            let frozen = metrics.freeze(NOW_MS + after_ms);
            let told = |name: &str, labels: &[(&str, &str)], expected: f64| {
                let value = frozen.value(name, labels);
                assert_eq!(value, Some(expected), "{}: {name} at {after_ms}", case.name);
            };
            told(
                "mail_user_messages_total",
                &[("user", "anna@example.com")],
                expected,
            );
            told(
                "mail_relay_deliveries_total",
                &[("relay", "example.net"), ("status", "sent")],
                2.0 * expected,
            );
            told(
                "mail_domain_deliveries_total",
                &[("domain", "example.net"), ("status", "sent")],
                2.0 * expected,
            );
            told(
                "maillog_lines_total",
                &[("software", "postfix"), ("program", "postfix/smtpd")],
                // Only users, relays and domains are held.
                3.0,
            );
            for (transport, expected) in [("slow", 3.0), ("smtp", 3.0)] {
                told(
                    "mail_deliveries_total",
                    &[
                        ("origin", "authenticated"),
                        ("direction", "outbound"),
                        ("transport", transport),
                        ("status", "sent"),
                        ("dsn_class", "2"),
                    ],
                    expected,
                );
            }
            // Was there from the start.
            told("mail_messages_total", &[("origin", "authenticated")], 3.0);
        }
    }
}

#[test]
fn an_account_seen_long_ago_is_not_held_when_it_sends() {
    let mut metrics = metrics(MetricsConfig::default());
    let anna = account(0, "anna@example.com");
    metrics.apply(&Fact::AccountSeen(anna));
    let sent = |frozen: &Frozen| {
        frozen.value(
            "mail_user_recipients_total",
            &[("user", "anna@example.com")],
        )
    };
    assert_eq!(sent(&metrics.freeze(NOW_MS + 1_000)), Some(0.0));
    // A login a minute ago does not let the burst be lost; a login long ago does not hide it.
    let burst = Fact::MessageQueued {
        origin: Origin::Authenticated,
        account: Some(anna),
        size_bytes: 1_000,
        recipients: 400,
    };
    metrics.set_time(Some(NOW_MS + 60_000), NOW_MS + 60_000);
    metrics.apply(&burst);
    assert_eq!(sent(&metrics.freeze(NOW_MS + 60_000)), Some(0.0));
    assert_eq!(sent(&metrics.freeze(NOW_MS + 65_000)), Some(400.0));
    metrics.apply(&burst);
    assert_eq!(sent(&metrics.freeze(NOW_MS + 65_001)), Some(800.0));
}

#[test]
fn a_rare_series_of_an_old_account_is_held_by_itself() {
    let mut metrics = metrics(MetricsConfig::default());
    let anna = account(0, "anna@example.com");
    metrics.apply(&Fact::AccountSeen(anna));
    metrics.freeze(NOW_MS);
    metrics.freeze(NOW_MS + 100_000);
    let mut soft = delivered("example.net", None);
    soft.account = Some(anna);
    soft.status = DeliveryStatus::Softbounce;
    metrics.set_time(Some(NOW_MS + 100_000), NOW_MS + 100_000);
    metrics.apply(&Fact::Delivered(soft));
    soft.status = DeliveryStatus::Sent;
    metrics.apply(&Fact::Delivered(soft));
    let value = |frozen: &Frozen, status: &str| {
        frozen.value(
            "mail_user_deliveries_total",
            &[
                ("user", "anna@example.com"),
                ("direction", "outbound"),
                ("status", status),
            ],
        )
    };
    let frozen = metrics.freeze(NOW_MS + 100_000);
    assert_eq!(value(&frozen, "sent"), Some(1.0));
    assert_eq!(value(&frozen, "softbounce"), Some(0.0));
    assert_eq!(
        value(&metrics.freeze(NOW_MS + 165_000), "softbounce"),
        Some(1.0)
    );
}

#[test]
fn all_series_of_an_account_are_there_when_it_is_seen() {
    let mut metrics = metrics(MetricsConfig::default());
    metrics.apply(&Fact::AccountSeen(account(3, "anna@example.com")));
    let samples = scrape(&mut metrics, NOW_MS);
    let names: BTreeSet<_> = samples
        .iter()
        .filter(|((_, labels), _)| labels.get("user").is_some_and(|user| user.contains("anna")))
        .map(|((name, _), value)| {
            assert_eq!(*value, 0.0);
            name.as_str()
        })
        .collect();
    let of_users: BTreeSet<_> = CATALOGUE
        .iter()
        .filter(|metric| metric.name.starts_with("mail_user_"))
        .map(|metric| metric.name)
        .collect();
    assert_eq!(names, of_users);
    assert_eq!(of_users.len(), 10);
}

/// Fills the places of a limit of `limit` users.
fn fill(metrics: &mut Metrics, limit: u32) {
    for slot in 0..limit {
        metrics.apply(&Fact::AccountSeen(account(
            slot,
            &format!("u{slot}@example.com"),
        )));
    }
}

fn users(samples: &BTreeMap<Key, f64>) -> BTreeMap<String, f64> {
    by_label(samples, "mail_user_messages_total", "user")
}

#[test]
fn what_does_not_fit_is_other() {
    let mut metrics = metrics(MetricsConfig {
        user_limit: 4,
        ..unheld()
    });
    for slot in 0..10 {
        metrics.apply(&message(account(slot, &format!("u{slot}@example.com"))));
    }
    let samples = scrape(&mut metrics, NOW_MS);
    let users = users(&samples);
    assert_eq!(users.len(), 5);
    assert_eq!(users["_other"], 6.0);
    let dropped = by_label(&samples, "maillog_labels_dropped_total", "metric");
    assert_eq!(dropped["mail_user_messages_total"], 6.0);
    assert_eq!(dropped["mail_user_recipients_total"], 0.0);
}

#[test]
fn a_busy_account_is_never_hidden() {
    struct Case {
        name: &'static str,
        limit: u32,
        /// When the others were last seen, before now.
        idle_ms: i64,
        messages: u64,
        /// `None`: it stays under `_other`.
        promoted_at: Option<u64>,
        evicts: bool,
    }
    let cases = [
        Case {
            name: "a kept place",
            limit: 16,
            idle_ms: 0,
            messages: 30,
            promoted_at: Some(BUSY_WEIGHT),
            evicts: false,
        },
        Case {
            name: "the place of somebody idle for an hour",
            limit: 4,
            idle_ms: IDLE_MS,
            messages: 30,
            promoted_at: Some(BUSY_WEIGHT),
            evicts: true,
        },
        Case {
            name: "nobody idle, not busy enough",
            limit: 4,
            idle_ms: IDLE_MS - 1,
            messages: 30,
            promoted_at: None,
            evicts: false,
        },
        Case {
            name: "nobody idle, very busy",
            limit: 4,
            idle_ms: 1_000,
            messages: 80,
            promoted_at: Some(VERY_BUSY_WEIGHT),
            evicts: true,
        },
        Case {
            name: "no place at all",
            limit: 0,
            idle_ms: 0,
            messages: 200,
            promoted_at: None,
            evicts: false,
        },
    ];
    for case in cases {
        let mut metrics = metrics(MetricsConfig {
            user_limit: case.limit as usize,
            ..unheld()
        });
        let others = case.limit - case.limit / 16;
        // u0 is idle longest.
        fill(&mut metrics, others);
        metrics.set_time(Some(NOW_MS + 10), NOW_MS + 10);
        for slot in 1..others {
            metrics.apply(&Fact::AccountSeen(account(
                slot,
                &format!("u{slot}@example.com"),
            )));
        }
        let later_ms = NOW_MS + case.idle_ms;
        metrics.set_time(Some(later_ms), later_ms);
        for _ in 0..case.messages {
            metrics.apply(&message(account(900, "mallory@example.com")));
        }
        let users = users(&scrape(&mut metrics, later_ms));
        // The message that makes it busy is the first that counts in its own series.
        let hidden = case.promoted_at.map_or(case.messages, |weight| weight - 1);
        assert_eq!(users["_other"], hidden as f64, "{}", case.name);
        let own = case.promoted_at.map(|_| (case.messages - hidden) as f64);
        assert_eq!(
            users.get("mallory@example.com").copied(),
            own,
            "{}",
            case.name
        );
        let evicted = others > 0 && !users.contains_key("u0@example.com");
        assert_eq!(evicted, case.evicts, "{}", case.name);
        let shown = others as usize + usize::from(case.promoted_at.is_some() && !case.evicts);
        assert_eq!(users.len() - 1, shown, "{}", case.name);
    }
}

#[test]
fn recipients_networks_and_failures_weigh_too() {
    let mallory = account(900, "mallory@example.com");
    let failure = Fact::Authentication {
        software: Software::Postfix,
        service: Service::Submission,
        mechanism: b"PLAIN",
        result: AuthResult::Failure(AuthReason::BadCredentials),
        account: Some(mallory),
        count: BUSY_WEIGHT as u32,
    };
    let cases = [
        (
            1,
            Fact::MessageQueued {
                origin: Origin::Authenticated,
                account: Some(mallory),
                size_bytes: 1,
                recipients: BUSY_WEIGHT as u32,
            },
        ),
        (2, Fact::NewNetwork(mallory)),
        (1, Fact::SuspiciousLogin(mallory)),
        (1, failure),
        (20, Fact::NewRecipient(mallory)),
        (
            20,
            Fact::RecipientRefused {
                account: mallory,
                class: RefusalClass::Content,
            },
        ),
        (20, Fact::NewNetworkMessage(mallory)),
    ];
    for (times, fact) in cases {
        let mut metrics = metrics(MetricsConfig {
            user_limit: 16,
            ..unheld()
        });
        fill(&mut metrics, 15);
        for time in 0..times {
            let users = users(&scrape(&mut metrics, NOW_MS));
            assert!(!users.contains_key(mallory.name), "{fact:?} {time}");
            metrics.apply(&fact);
        }
        let users = users(&scrape(&mut metrics, NOW_MS));
        assert!(users.contains_key(mallory.name), "{fact:?}");
    }
}

#[test]
fn an_evicted_account_starts_again() {
    let mut metrics = metrics(MetricsConfig {
        user_limit: 1,
        ..MetricsConfig::default()
    });
    let [anna, bob] = [account(0, "anna"), account(1, "bob")];
    let many = |metrics: &mut Metrics, account, n| {
        for _ in 0..n {
            metrics.apply(&message(account));
        }
    };
    many(&mut metrics, anna, 7);
    metrics.freeze(NOW_MS);
    assert_eq!(users(&scrape(&mut metrics, NOW_MS + 65_000))["anna"], 7.0);
    let later_ms = NOW_MS + 2 * IDLE_MS;
    metrics.set_time(Some(later_ms), later_ms);
    many(&mut metrics, bob, BUSY_WEIGHT);
    let seen = users(&scrape(&mut metrics, later_ms));
    assert_eq!(seen.get("anna"), None);
    // A promotion is a birth.
    assert_eq!(seen["bob"], 0.0);
    assert_eq!(users(&scrape(&mut metrics, later_ms + 65_000))["bob"], 1.0);
    let later_ms = later_ms + 2 * IDLE_MS;
    metrics.set_time(Some(later_ms), later_ms);
    many(&mut metrics, anna, BUSY_WEIGHT + 4);
    let seen = users(&scrape(&mut metrics, later_ms));
    assert_eq!((seen.get("anna"), seen.get("bob")), (Some(&0.0), None));
    let seen = users(&scrape(&mut metrics, later_ms + 65_000));
    assert_eq!(seen["anna"], 5.0);
    assert_eq!(seen["_other"], 2.0 * (BUSY_WEIGHT - 1) as f64);
}

#[test]
fn a_place_does_not_inherit_the_hold_of_who_was_there() {
    let mut metrics = metrics(MetricsConfig {
        user_limit: 1,
        ..MetricsConfig::default()
    });
    metrics.apply(&message(account(0, "anna")));
    // Bob's lines are history.
    metrics.set_time(Some(NOW_MS), NOW_MS + 2 * HISTORY_AGE_MS);
    for _ in 0..VERY_BUSY_WEIGHT {
        metrics.apply(&message(account(1, "bob")));
    }
    assert_eq!(users(&scrape(&mut metrics, NOW_MS))["bob"], 1.0);
}

#[test]
fn a_promotion_holds_for_all_who_share_the_value() {
    let mut metrics = metrics(MetricsConfig {
        user_limit: 16,
        privacy: Privacy::Domain,
        ..unheld()
    });
    for slot in 0..15 {
        metrics.apply(&message(account(slot, &format!("a@domain{slot}.example"))));
    }
    let [anna, bob] = [
        account(50, "anna@example.com"),
        account(51, "bob@example.com"),
    ];
    metrics.apply(&message(anna));
    for _ in 1..BUSY_WEIGHT {
        metrics.apply(&message(bob));
    }
    metrics.apply(&message(anna));
    let users = users(&scrape(&mut metrics, NOW_MS));
    assert_eq!((users["@example.com"], users["_other"]), (2.0, 19.0));
}

#[test]
fn another_generation_is_another_account_but_a_name_is_one_row() {
    let mut metrics = metrics(unheld());
    let with_generation = |generation, name| Account {
        id: AccountId {
            slot: 5,
            generation,
        },
        name,
    };
    metrics.apply(&message(with_generation(0, "anna")));
    metrics.apply(&message(with_generation(1, "bob")));
    metrics.apply(&message(with_generation(2, "anna")));
    metrics.apply(&message(account(6, "anna")));
    let users = users(&scrape(&mut metrics, NOW_MS));
    assert_eq!((users["anna"], users["bob"]), (3.0, 1.0));
}

#[test]
fn no_value_passes_for_another() {
    let long = "x".repeat(300);
    let longer = format!("{long}y");
    let hostile = [
        "a",
        "A.example",
        "a\",status=\"sent\"} 1\nmail_messages_total 7",
        "a\\",
        "a\\\"",
        "a\\n",
        "a\n",
        "_other",
        "__other",
        "none",
        "_none",
        &long,
        &longer,
        "\u{fffd}",
        "\u{0}\u{1}\t",
        " ",
    ];
    let mut metrics = metrics(MetricsConfig {
        relay_by_host: true,
        ..unheld()
    });
    for (number, value) in hostile.iter().enumerate() {
        for _ in 0..=number {
            metrics.apply(&Fact::Delivered(Delivered {
                account: Some(account(number as u32, value)),
                ..delivered(value, Some(value))
            }));
        }
        let program = metrics.program(value.as_bytes(), Software::Unknown);
        metrics.line(program, false, None, number as u32 + 1);
    }
    for format in [Format::Text004, Format::OpenMetrics1] {
        let samples = read(&encode(&metrics.freeze(NOW_MS), format));
        for (name, label) in [
            ("mail_relay_deliveries_total", "relay"),
            ("mail_domain_deliveries_total", "domain"),
            ("mail_user_deliveries_total", "user"),
            ("maillog_lines_total", "program"),
        ] {
            let mut counts: Vec<f64> = by_label(&samples, name, label)
                .into_values()
                .filter(|count| *count > 0.0)
                .collect();
            counts.sort_by(f64::total_cmp);
            let expected: Vec<f64> = (1..=hostile.len()).map(|count| count as f64).collect();
            assert_eq!(counts, expected, "{name}");
        }
        let users = by_label(&samples, "mail_user_deliveries_total", "user");
        assert_eq!(users["_other"], 0.0);
        assert_eq!(users["__other"], 8.0);
        assert_eq!(users[hostile[2]], 3.0);
        let relays = by_label(&samples, "mail_relay_deliveries_total", "relay");
        assert_eq!((relays["none"], relays["_none"]), (0.0, 10.0));
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let mut metrics = metrics(unheld());
    for domain in [&b"caf\xe9.example"[..], b"caf\xe8.example"] {
        metrics.apply(&Fact::Delivered(Delivered {
            domain,
            ..delivered("", None)
        }));
        metrics.apply(&Fact::Delivered(Delivered {
            transport: domain,
            ..delivered("example.org", None)
        }));
    }
    let samples = scrape(&mut metrics, NOW_MS);
    let domains = by_label(&samples, "mail_domain_deliveries_total", "domain");
    assert_eq!(domains["caf\u{fffd}.example"], 2.0);
    let transports = by_label(&samples, "mail_deliveries_total", "transport");
    assert_eq!(transports["caf\u{fffd}.example"], 2.0);
}

#[test]
fn relays_are_shown_by_registrable_domain() {
    for (by_host, expected) in [
        (false, ["google.com", "192.0.2.1", "example.co.uk"]),
        (
            true,
            [
                "alt1.gmail-smtp-in.l.google.com",
                "192.0.2.1",
                "mx.example.co.uk",
            ],
        ),
    ] {
        let mut metrics = metrics(MetricsConfig {
            relay_by_host: by_host,
            ..unheld()
        });
        for relay in [
            "alt1.Gmail-smtp-in.l.google.COM.",
            "192.0.2.1",
            "mx.example.co.uk",
        ] {
            for _ in 0..2 {
                metrics.apply(&Fact::Delivered(delivered("example.org", Some(relay))));
            }
        }
        let samples = scrape(&mut metrics, NOW_MS);
        let relays = by_label(&samples, "mail_relay_deliveries_total", "relay");
        for relay in expected {
            assert_eq!(relays.get(relay), Some(&2.0), "{relay}");
        }
    }
}

#[test]
fn foreign_tags_leave_room_for_mail_programs() {
    let mut metrics = metrics(MetricsConfig {
        program_limit: 8,
        ..unheld()
    });
    for number in 0..100 {
        let program = metrics.program(format!("junk{number}").as_bytes(), Software::Unknown);
        metrics.line(program, false, Some(Severity::Warning), 2);
    }
    let program = metrics.program(b"postfix/smtpd", Software::Postfix);
    metrics.line(program, true, None, 1);
    assert_eq!(
        program,
        metrics.program(b"postfix/smtpd", Software::Postfix)
    );
    let samples = scrape(&mut metrics, NOW_MS);
    let lines = by_label(&samples, "maillog_lines_total", "program");
    assert_eq!(lines["postfix/smtpd"], 1.0);
    assert_eq!(lines["_other"], 2.0 * 94.0);
    let unparsed = by_label(&samples, "maillog_lines_unparsed_total", "program");
    assert_eq!(unparsed["postfix/smtpd"], 1.0);
    let warnings = by_label(&samples, "maillog_log_messages_total", "severity");
    assert_eq!(warnings["warning"], 200.0);
}

#[test]
fn privacy() {
    for (privacy, expected) in [
        (
            Privacy::Full,
            &["anna@example.com", "bob@example.com", "uid:33"][..],
        ),
        (Privacy::Domain, &["@example.com", "uid"]),
        (Privacy::Hash(b"key".to_vec()), &[]),
        (Privacy::Off, &[]),
    ] {
        let mut metrics = metrics(MetricsConfig {
            privacy: privacy.clone(),
            ..unheld()
        });
        let accounts = ["anna@example.com", "bob@example.com", "uid:33"];
        for (slot, name) in accounts.into_iter().enumerate() {
            metrics.apply(&message(account(slot as u32, name)));
        }
        let networks = [4, 9, 2];
        metrics.set_user_client_networks(
            networks
                .into_iter()
                .enumerate()
                .map(|(slot, networks)| (account(slot as u32, accounts[slot]), networks)),
        );
        let text = encode(&metrics.freeze(NOW_MS), Format::Text004);
        let samples = read(&text);
        let mut users = users(&samples);
        users.remove("_other");
        let shown: Vec<&str> = users.keys().map(String::as_str).collect();
        let networks = by_label(&samples, "mail_user_client_networks", "user");
        match privacy {
            Privacy::Full => assert_eq!(networks["bob@example.com"], 9.0),
            // Not the sum: the busiest of the domain.
            Privacy::Domain => {
                assert_eq!(
                    (users["@example.com"], networks["@example.com"]),
                    (2.0, 9.0)
                );
            }
            Privacy::Hash(_) => {
                assert_eq!(users.len(), 3);
                assert!(shown.iter().all(|user| user.len() == 16));
                assert!(!text.contains("anna") && !text.contains("uid:33"));
                continue;
            }
            Privacy::Off => assert!(!text.contains("\nmail_user_") && !text.contains("anna")),
        }
        assert_eq!(shown, expected);
    }
}

#[test]
fn what_a_scrape_is_told() {
    let mut metrics = metrics(unheld());
    let anna = account(0, "anna@example.com");
    metrics.apply(&Fact::AccountSeen(anna));
    metrics.set_user_client_networks([(anna, 3), (account(77, "nobody"), 9)]);
    metrics.set_auth_failing_networks(Service::Imap, 12);
    metrics.set_tracked_messages(42);
    let source = metrics.source("file:/var/log/mail.log");
    assert_eq!(source, metrics.source("file:/var/log/mail.log"));
    metrics.source("stdin");
    metrics.set_source(
        source,
        SourceSample {
            bytes_read: 1_000,
            lag_bytes: 7,
            rotations: 1,
            truncations: 2,
            errors: 3,
            up: true,
            last_line_ms: Some(NOW_MS + 250),
        },
    );
    let sample = QueueSample {
        messages: 6,
        oldest_age_ms: 1_500,
    };
    metrics.set_queue(Queue::Deferred, Some(sample));
    let frozen = metrics.freeze(NOW_MS);
    let file = ("source", "file:/var/log/mail.log");
    for (name, labels, value) in [
        (
            "mail_user_client_networks",
            &[("user", "anna@example.com")][..],
            3.0,
        ),
        ("mail_auth_failing_networks", &[("service", "imap")], 12.0),
        ("maillog_tracked_messages", &[], 42.0),
        ("maillog_source_bytes_read_total", &[file], 1_000.0),
        ("maillog_source_lag_bytes", &[file], 7.0),
        ("maillog_source_rotations_total", &[file], 1.0),
        ("maillog_source_truncations_total", &[file], 2.0),
        ("maillog_source_errors_total", &[file], 3.0),
        ("maillog_source_up", &[file], 1.0),
        ("maillog_source_up", &[("source", "stdin")], 0.0),
        (
            "maillog_source_last_line_timestamp_seconds",
            &[file],
            NOW_MS as f64 / 1_000.0 + 0.25,
        ),
        ("mail_queue_messages", &[("queue", "deferred")], 6.0),
        (
            "mail_queue_oldest_age_seconds",
            &[("queue", "deferred")],
            1.5,
        ),
        (
            "maillog_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        ),
    ] {
        assert_eq!(frozen.value(name, labels), Some(value), "{name}");
    }
    // What is not known is not 0.
    assert_eq!(
        frozen.value("mail_queue_messages", &[("queue", "hold")]),
        None
    );
    let stdin = [("source", "stdin")];
    let stamp = frozen.value("maillog_source_last_line_timestamp_seconds", &stdin);
    assert_eq!(stamp, None);
    metrics.set_queue(Queue::Deferred, None);
    metrics.set_user_client_networks([]);
    let frozen = metrics.freeze(NOW_MS);
    assert!(
        frozen
            .families()
            .iter()
            .all(|metric| metric.name != "mail_queue_messages")
    );
    let networks = frozen.value("mail_user_client_networks", &[("user", "anna@example.com")]);
    assert_eq!(networks, Some(0.0));
}

#[test]
fn histograms() {
    let mut metrics = metrics(unheld());
    for (size_bytes, recipients) in [(999, 1), (1_000, 2), (1_001, 4), (u64::MAX, 5_000)] {
        metrics.apply(&Fact::MessageQueued {
            origin: Origin::Local,
            account: None,
            size_bytes,
            recipients,
        });
    }
    metrics.apply(&Fact::MessageEnded {
        outcome: Outcome::Partial,
        queue_time_ms: 1_050,
    });
    metrics.apply(&Fact::Delivered(Delivered {
        delay_ms: Some(86_400_007),
        before_qmgr_ms: Some(10),
        stages_ms: Some([20, 30, 400]),
        ..delivered("example.org", None)
    }));
    let text = encode(&metrics.freeze(NOW_MS), Format::Text004);
    for line in [
        "mail_message_size_bytes_bucket{origin=\"local\",le=\"1000\"} 2",
        "mail_message_size_bytes_bucket{origin=\"local\",le=\"2500\"} 3",
        "mail_message_size_bytes_bucket{origin=\"local\",le=\"100000000\"} 3",
        "mail_message_size_bytes_bucket{origin=\"local\",le=\"+Inf\"} 4",
        "mail_message_size_bytes_count{origin=\"local\"} 4",
        "mail_message_recipients_bucket{origin=\"local\",le=\"3\"} 2",
        "mail_message_recipients_sum{origin=\"local\"} 5007",
        "mail_message_queue_time_seconds_sum{outcome=\"partial\"} 1.05",
        "mail_message_queue_time_seconds_bucket{outcome=\"partial\",le=\"2.5\"} 1",
        "mail_delivery_delay_seconds_bucket{direction=\"outbound\",status=\"sent\",le=\"86400\"} 0",
        "mail_delivery_delay_seconds_bucket{direction=\"outbound\",status=\"sent\",le=\"172800\"} 1",
        "mail_delivery_delay_seconds_sum{direction=\"outbound\",status=\"sent\"} 86400.007",
        "mail_delivery_stage_delay_seconds_sum{stage=\"before_qmgr\"} 0.01",
        "mail_delivery_stage_delay_seconds_sum{stage=\"qmgr\"} 0.02",
        "mail_delivery_stage_delay_seconds_sum{stage=\"connection\"} 0.03",
        "mail_delivery_stage_delay_seconds_sum{stage=\"transmission\"} 0.4",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}");
    }
}

#[test]
fn deliveries_count_where_they_belong() {
    struct Case {
        name: &'static str,
        change: fn(&mut Delivered<'_>),
        /// relay, domain, user.
        expected: (Option<&'static str>, Option<&'static str>, bool),
    }
    let cases = [
        Case {
            name: "plain",
            change: |_| {},
            expected: (Some("example.net"), Some("example.org"), true),
        },
        Case {
            name: "deferred without a connection",
            change: |delivered| {
                delivered.relay = None;
                delivered.status = DeliveryStatus::Deferred;
            },
            expected: (Some("none"), Some("example.org"), true),
        },
        Case {
            name: "no domain",
            change: |delivered| delivered.domain = b"",
            expected: (Some("example.net"), Some("none"), true),
        },
        Case {
            name: "a hop that goes on",
            change: |delivered| {
                delivered.direction = Direction::Internal;
                delivered.goes_on = true;
            },
            expected: (None, None, false),
        },
        Case {
            name: "a hop where it ends",
            change: |delivered| {
                delivered.direction = Direction::Internal;
                delivered.status = DeliveryStatus::Bounced;
            },
            expected: (Some("example.net"), Some("example.org"), true),
        },
        Case {
            name: "a probe",
            change: |delivered| {
                delivered.direction = Direction::Probe;
                delivered.status = DeliveryStatus::Undeliverable;
            },
            expected: (None, None, false),
        },
    ];
    for case in cases {
        let mut metrics = metrics(unheld());
        let mut fact = delivered("example.org", Some("mx.example.net"));
        fact.account = Some(account(0, "anna"));
        fact.failure = Some(FailureReason::Reputation);
        fact.blocklisted_by = Some(Provider::Microsoft);
        (case.change)(&mut fact);
        metrics.apply(&Fact::Delivered(fact));
        let samples = scrape(&mut metrics, NOW_MS);
        let counted = |name: &str, label: &str| {
            let mut values = by_label(&samples, name, label).into_iter();
            values
                .find(|(_, count)| *count > 0.0)
                .map(|(value, _)| value)
        };
        let (relay, domain, user) = case.expected;
        let expected = (
            relay.map(str::to_owned),
            domain.map(str::to_owned),
            user.then(|| "anna".to_owned()),
        );
        let got = (
            counted("mail_relay_deliveries_total", "relay"),
            counted("mail_domain_deliveries_total", "domain"),
            counted("mail_user_deliveries_total", "user"),
        );
        assert_eq!(got, expected, "{}", case.name);
        let status = counted("mail_deliveries_total", "status");
        assert_eq!(
            status.as_deref(),
            Some(fact.status.as_str()),
            "{}",
            case.name
        );
        let reason = counted("mail_delivery_failures_total", "reason");
        assert_eq!(reason.as_deref(), Some("reputation"), "{}", case.name);
        let provider = counted("mail_blocklisted_total", "provider");
        assert_eq!(provider.as_deref(), Some("microsoft"), "{}", case.name);
    }
}

#[test]
fn words_of_clients_are_known_or_other() {
    let mut metrics = metrics(unheld());
    for mechanism in ["PLAIN", "plain", "x'; DROP", "", "SCRAM-SHA-512-PLUS"] {
        metrics.apply(&Fact::Authentication {
            software: Software::Postfix,
            service: Service::Smtp,
            mechanism: mechanism.as_bytes(),
            result: AuthResult::Success,
            account: None,
            count: 3,
        });
    }
    for command in ["ehlo", "auth", "auth", "gibberish", "commands"] {
        metrics.apply(&Fact::Commands {
            service: Service::Smtp,
            command: command.as_bytes(),
            ok: 2,
            failed: 1,
        });
    }
    for (code, count) in [(Some(550), 1), (Some(999), 2), (None, 4)] {
        metrics.apply(&Fact::Rejected {
            software: Software::Postfix,
            service: Service::Smtp,
            stage: Stage::Etrn,
            code,
            reason: RejectReason::Other,
            count,
        });
    }
    for number in 0..500 {
        let transport = format!("transport{number}");
        metrics.apply(&Fact::Delivered(Delivered {
            transport: transport.as_bytes(),
            ..delivered("example.org", None)
        }));
    }
    let samples = scrape(&mut metrics, NOW_MS);
    let positive = |name: &str, label: &str| {
        let mut values = by_label(&samples, name, label);
        values.retain(|_, count| *count > 0.0);
        values
    };
    let expected = [("", 3.0), ("PLAIN", 6.0), ("other", 6.0)];
    let mechanisms = positive("mail_auth_total", "mechanism");
    assert_eq!(
        mechanisms,
        expected
            .map(|(word, count)| (word.to_owned(), count))
            .into()
    );
    let expected = [("auth", 6.0), ("ehlo", 3.0), ("other", 3.0)];
    let commands = positive("mail_smtp_commands_total", "command");
    assert_eq!(
        commands,
        expected
            .map(|(word, count)| (word.to_owned(), count))
            .into()
    );
    let expected = [("", 4.0), ("550", 1.0), ("other", 2.0)];
    let codes = positive("mail_rejects_total", "code");
    assert_eq!(
        codes,
        expected
            .map(|(word, count)| (word.to_owned(), count))
            .into()
    );
    let transports = positive("mail_deliveries_total", "transport");
    assert_eq!(transports.len(), 56);
    assert_eq!(transports["other"], 445.0);
}

#[test]
fn openmetrics() {
    let mut metrics = Metrics::new(MetricsConfig {
        created: true,
        ..unheld()
    });
    metrics.set_time(Some(NOW_MS), NOW_MS);
    let later_ms = NOW_MS + 1_500;
    metrics.set_time(Some(later_ms), later_ms);
    metrics.apply(&message(account(0, "anna")));
    metrics.source("stdin");
    let frozen = metrics.freeze(later_ms);
    let text = encode(&frozen, Format::OpenMetrics1);
    assert!(text.ends_with("\n# EOF\n"));
    for line in [
        "# TYPE mail_messages counter",
        "mail_messages_total{origin=\"authenticated\"} 1",
        "mail_messages_created{origin=\"authenticated\"} 1795500000",
        "mail_user_messages_created{user=\"anna\"} 1795500001.5",
        "mail_message_recipients_created{origin=\"local\"} 1795500000",
        "# TYPE mail_message_size_bytes histogram",
        "# UNIT mail_message_size_bytes bytes",
        "# UNIT mail_delivery_delay_seconds seconds",
        "# UNIT maillog_source_lag_bytes bytes",
        "mail_message_recipients_bucket{origin=\"local\",le=\"1.0\"} 0",
        "mail_delivery_stage_delay_seconds_bucket{stage=\"qmgr\",le=\"0.25\"} 0",
        "maillog_messages_forgotten_total 0",
        "maillog_messages_forgotten_created 1795500000",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}");
    }
    // A unit that the name does not end with is an error for its readers.
    assert!(!text.contains("# UNIT maillog_source_bytes_read"));
    // Both formats say the same.
    let strip = |text: &str| -> BTreeMap<Key, f64> {
        let mut samples = read(text);
        samples.retain(|(name, _), _| !name.ends_with("_created"));
        let le = |bound: &mut String| {
            if let Some(whole) = bound.strip_suffix(".0") {
                *bound = whole.to_owned();
            }
        };
        let keys = samples.into_iter().map(|((name, mut labels), value)| {
            labels.get_mut("le").map(le);
            ((name, labels), value)
        });
        keys.collect()
    };
    let classic = encode(&frozen, Format::Text004);
    assert!(!classic.contains("_created"));
    assert_eq!(strip(&text), strip(&classic));
    // And so does what report reads.
    let iterated: BTreeMap<Key, f64> = frozen
        .iter()
        .map(|sample| {
            (
                (sample.name, sample.labels.into_iter().collect()),
                sample.value,
            )
        })
        .collect();
    assert_eq!(iterated, strip(&classic));
}

#[test]
fn the_catalogue_can_be_read() {
    let json: serde_json::Value =
        serde_json::from_str(&render_catalogue(CatalogueFormat::Json)).unwrap();
    let json = json.as_array().unwrap();
    assert_eq!(json.len(), CATALOGUE.len());
    let text = render_catalogue(CatalogueFormat::Text);
    let markdown = render_catalogue(CatalogueFormat::Markdown);
    for (metric, json) in CATALOGUE.iter().zip(json) {
        assert_eq!(json["name"], metric.name);
        assert_eq!(json["type"], metric.kind.as_str());
        assert_eq!(json["help"], metric.help);
        assert_eq!(
            json["labels"].as_array().unwrap().len(),
            metric.labels.len()
        );
        assert_eq!(
            json["buckets"].as_array().unwrap().len(),
            metric.buckets.len()
        );
        for label in json["labels"].as_array().unwrap() {
            let bounds = ["values", "limit", "from"];
            let given = bounds.iter().filter(|bound| label.get(bound).is_some());
            assert_eq!(given.count(), 1, "{label}");
        }
        assert!(text.contains(&format!("{} (", metric.name)));
        assert!(markdown.contains(&format!("\n## {}\n", metric.name)));
        // What every entry owes.
        assert_eq!(
            metric.name.ends_with("_total"),
            metric.kind == Kind::Counter
        );
        assert_eq!(metric.buckets.is_empty(), metric.kind != Kind::Histogram);
        assert!(metric.buckets.is_sorted());
        assert!(metric.help.ends_with('.') && !metric.action.is_empty());
        assert!(!metric.help.contains(['\\', '\n', '"']));
        if metric.name.ends_with("_seconds") {
            assert_eq!(metric.unit, Unit::Seconds, "{}", metric.name);
        }
    }
}

/// A fact by dice: words from short lists, so that they meet again.
#[derive(Debug, Clone)]
struct Dice {
    kind: usize,
    throws: [u32; 12],
}

fn dice() -> impl Strategy<Value = Dice> {
    (0..16_usize, prop::array::uniform12(0..1_000_u32))
        .prop_map(|(kind, throws)| Dice { kind, throws })
}

const NAMES: [&str; 12] = [
    "anna@example.com",
    "bob@example.com",
    "uid:33",
    "ip:192.0.2.7",
    "_other",
    "q\"uote@example.com",
    "back\\slash",
    "new\nline",
    "eve",
    "mallory",
    "trent",
    "peggy",
];
const HOSTS: [&str; 10] = [
    "mx.example.net",
    "mx2.example.net",
    "alt1.aspmx.l.google.com",
    "192.0.2.9",
    "mail.intern.lan",
    "MX.Example.ORG",
    "none",
    "a\"b.example",
    "_other",
    "x.y.z.co.uk",
];
const WORDS: [&str; 8] = [
    "smtp", "PLAIN", "rcpt", "slow", "LOGIN", "noop", "relay", "nonsense",
];

impl Dice {
    fn pick<T: Copy>(&self, throw: usize, from: &[T]) -> T {
        from[self.throws[throw] as usize % from.len()]
    }

    fn one_in(&self, of: u32, throw: usize) -> bool {
        self.throws[throw].is_multiple_of(of)
    }

    fn account(&self) -> Account<'static> {
        let slot = self.throws[11] % NAMES.len() as u32;
        account(slot, NAMES[slot as usize])
    }

    fn some_account(&self) -> Option<Account<'static>> {
        (!self.one_in(4, 10)).then(|| self.account())
    }

    fn number(&self, throw: usize) -> u64 {
        u64::from(self.throws[throw]).pow(1 + self.throws[throw] % 3)
    }

    fn fact(&self) -> Fact<'static> {
        let software = self.pick(0, &Software::ALL);
        let service = self.pick(1, &Service::ALL);
        let stage = self.pick(2, &Stage::ALL);
        let word = self.pick(3, &WORDS).as_bytes();
        let origin = self.pick(4, &Origin::ALL);
        let count = self.throws[9] % 5;
        match self.kind {
            0 => Fact::AccountSeen(self.account()),
            1 => Fact::Message {
                origin,
                account: self.some_account(),
            },
            2 => Fact::MessageQueued {
                origin,
                account: self.some_account(),
                size_bytes: self.number(5),
                recipients: self.throws[6],
            },
            3 => Fact::MessageEnded {
                outcome: self.pick(5, &Outcome::ALL),
                queue_time_ms: self.number(6),
            },
            4 => Fact::RecipientRefused {
                account: self.account(),
                class: self.pick(5, &RefusalClass::ALL),
            },
            5 => Fact::NewRecipient(self.account()),
            6 => Fact::NewNetworkMessage(self.account()),
            7 => Fact::NewNetwork(self.account()),
            8 => Fact::SuspiciousLogin(self.account()),
            9 => Fact::Authentication {
                software,
                service,
                mechanism: word,
                result: match self.throws[5] % 3 {
                    0 => AuthResult::Success,
                    _ => AuthResult::Failure(self.pick(6, &AuthReason::ALL)),
                },
                account: self.some_account(),
                count,
            },
            10 => Fact::Connected {
                software,
                service,
                count,
            },
            11 => Fact::ConnectionLost {
                software,
                service,
                stage,
                count,
            },
            12 => Fact::Commands {
                service,
                command: word,
                ok: count,
                failed: self.throws[5] % 2,
            },
            13 => Fact::Rejected {
                software,
                service,
                stage,
                code: (!self.one_in(7, 5)).then_some(self.pick(6, &[450, 550, 554, 777])),
                reason: self.pick(7, &RejectReason::ALL),
                count,
            },
            _ => Fact::Delivered(Delivered {
                origin,
                direction: self.pick(0, &Direction::ALL),
                transport: word,
                status: self.pick(1, &DeliveryStatus::ALL),
                dsn_class: self.pick(2, &[2, 4, 5, 0, 9]),
                account: self.some_account(),
                goes_on: self.one_in(3, 9),
                relay: (!self.one_in(3, 8)).then(|| self.pick(5, &HOSTS).as_bytes()),
                domain: self
                    .pick(6, &[HOSTS[0], HOSTS[5], HOSTS[7], HOSTS[8], ""])
                    .as_bytes(),
                delay_ms: self.one_in(2, 7).then(|| self.number(7)),
                before_qmgr_ms: self.one_in(3, 7).then(|| self.number(6)),
                stages_ms: self
                    .one_in(5, 7)
                    .then(|| [5, 6, 7].map(|it| self.number(it))),
                failure: self.one_in(2, 8).then(|| self.pick(3, &FailureReason::ALL)),
                blocklisted_by: self.one_in(5, 8).then(|| self.pick(2, &Provider::ALL)),
            }),
        }
    }
}

/// What the facts should come to, in the plainest words: a map of names to sums.
#[derive(Default)]
struct Model {
    counts: BTreeMap<Key, u64>,
    /// Sums in milliseconds, bytes, pieces; and all values.
    observed: BTreeMap<Key, Vec<u64>>,
}

fn key(name: &str, labels: &[(&str, &str)]) -> Key {
    let labels = labels
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
    (name.to_owned(), labels.collect())
}

impl Model {
    fn add(&mut self, name: &str, labels: &[(&str, &str)], n: u64) {
        *self.counts.entry(key(name, labels)).or_default() += n;
    }

    fn observe(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.observed
            .entry(key(name, labels))
            .or_default()
            .push(value);
    }

    fn user(&mut self, name: &str, account: Option<Account<'_>>, more: &[(&str, &str)], n: u64) {
        if let Some(account) = account {
            let user = if account.name == "_other" {
                "__other"
            } else {
                account.name
            };
            self.add(name, &[&[("user", user)], more].concat(), n);
        }
    }

    fn apply(&mut self, fact: &Fact<'_>) {
        match *fact {
            Fact::AccountSeen(_) => {}
            Fact::EarlierFailures { account, count } => {
                let result = [("result", "failure")];
                self.user("mail_user_auth_total", Some(account), &result, count.into());
            }
            Fact::Message { origin, account } => {
                self.add("mail_messages_total", &[("origin", origin.as_str())], 1);
                self.user("mail_user_messages_total", account, &[], 1);
            }
            Fact::MessageQueued {
                origin,
                account,
                size_bytes,
                recipients,
            } => {
                let origin = [("origin", origin.as_str())];
                self.observe("mail_message_size_bytes", &origin, size_bytes);
                self.observe("mail_message_recipients", &origin, recipients.into());
                self.user(
                    "mail_user_recipients_total",
                    account,
                    &[],
                    recipients.into(),
                );
            }
            Fact::MessageEnded {
                outcome,
                queue_time_ms,
            } => {
                let labels = [("outcome", outcome.as_str())];
                self.observe("mail_message_queue_time_seconds", &labels, queue_time_ms);
            }
            Fact::RecipientRefused { account, class } => self.user(
                "mail_user_refused_recipients_total",
                Some(account),
                &[("class", class.as_str())],
                1,
            ),
            Fact::NewRecipient(account) => {
                self.user("mail_user_new_recipients_total", Some(account), &[], 1);
            }
            Fact::NewNetworkMessage(account) => {
                self.user(
                    "mail_user_new_network_messages_total",
                    Some(account),
                    &[],
                    1,
                );
            }
            Fact::NewNetwork(account) => {
                self.user("mail_user_new_networks_total", Some(account), &[], 1);
            }
            Fact::SuspiciousLogin(account) => {
                self.user("mail_user_suspicious_logins_total", Some(account), &[], 1);
            }
            Fact::Authentication {
                software,
                service,
                mechanism,
                result,
                account,
                count,
            } => {
                let mechanism = match mechanism {
                    b"PLAIN" => "PLAIN",
                    b"LOGIN" => "LOGIN",
                    _ => "other",
                };
                let (result, reason) = match result {
                    AuthResult::Success => ("success", ""),
                    AuthResult::Failure(reason) => ("failure", reason.as_str()),
                };
                let labels = [
                    ("software", software.as_str()),
                    ("service", service.as_str()),
                    ("mechanism", mechanism),
                    ("result", result),
                    ("reason", reason),
                ];
                self.add("mail_auth_total", &labels, count.into());
                let result = [("result", result)];
                self.user("mail_user_auth_total", account, &result, count.into());
            }
            Fact::Connected {
                software,
                service,
                count,
            } => self.add(
                "mail_connections_total",
                &[
                    ("software", software.as_str()),
                    ("service", service.as_str()),
                ],
                count.into(),
            ),
            Fact::Disconnected {
                software,
                service,
                count,
            } => self.add(
                "mail_disconnects_total",
                &[
                    ("software", software.as_str()),
                    ("service", service.as_str()),
                ],
                count.into(),
            ),
            Fact::ConnectionLost {
                software,
                service,
                stage,
                count,
            } => self.add(
                "mail_connections_lost_total",
                &[
                    ("software", software.as_str()),
                    ("service", service.as_str()),
                    ("stage", stage.as_str()),
                ],
                count.into(),
            ),
            Fact::Commands {
                service,
                command,
                ok,
                failed,
            } => {
                let command = match command {
                    b"rcpt" => "rcpt",
                    b"noop" => "noop",
                    _ => "other",
                };
                for (result, count) in [("success", ok), ("failure", failed)] {
                    let labels = [
                        ("service", service.as_str()),
                        ("command", command),
                        ("result", result),
                    ];
                    self.add("mail_smtp_commands_total", &labels, count.into());
                }
            }
            Fact::Rejected {
                software,
                service,
                stage,
                code,
                reason,
                count,
            } => {
                let code = match code {
                    None => String::new(),
                    Some(777) => "other".to_owned(),
                    Some(code) => code.to_string(),
                };
                let labels = [
                    ("software", software.as_str()),
                    ("service", service.as_str()),
                    ("stage", stage.as_str()),
                    ("code", &code),
                    ("reason", reason.as_str()),
                ];
                self.add("mail_rejects_total", &labels, count.into());
            }
            Fact::MessageForgotten => self.add("maillog_messages_forgotten_total", &[], 1),
            Fact::Delivered(ref delivered) => self.delivered(delivered),
        }
    }

    fn delivered(&mut self, delivered: &Delivered<'_>) {
        let direction = ("direction", delivered.direction.as_str());
        let status = ("status", delivered.status.as_str());
        let labels = [
            ("origin", delivered.origin.as_str()),
            direction,
            (
                "transport",
                std::str::from_utf8(delivered.transport).unwrap(),
            ),
            status,
            (
                "dsn_class",
                match delivered.dsn_class {
                    2 => "2",
                    4 => "4",
                    5 => "5",
                    _ => "",
                },
            ),
        ];
        self.add("mail_deliveries_total", &labels, 1);
        if let Some(delay_ms) = delivered.delay_ms {
            self.observe(
                "mail_delivery_delay_seconds",
                &[direction, status],
                delay_ms,
            );
        }
        let stage_name = "mail_delivery_stage_delay_seconds";
        if let Some(stage_ms) = delivered.before_qmgr_ms {
            self.observe(stage_name, &[("stage", "before_qmgr")], stage_ms);
        }
        if let Some(stages) = delivered.stages_ms {
            for (stage, stage_ms) in ["qmgr", "connection", "transmission"].iter().zip(stages) {
                self.observe(stage_name, &[("stage", stage)], stage_ms);
            }
        }
        if let Some(reason) = delivered.failure {
            let labels = [direction, status, ("reason", reason.as_str())];
            self.add("mail_delivery_failures_total", &labels, 1);
        }
        if let Some(provider) = delivered.blocklisted_by {
            self.add(
                "mail_blocklisted_total",
                &[("provider", provider.as_str())],
                1,
            );
        }
        let probe = delivered.direction == Direction::Probe
            || ["deliverable", "undeliverable"].contains(&delivered.status.as_str());
        if delivered.goes_on || probe {
            return;
        }
        let relay = match delivered
            .relay
            .map(|relay| std::str::from_utf8(relay).unwrap())
        {
            None => "none",
            Some("mx.example.net" | "mx2.example.net") => "example.net",
            Some("alt1.aspmx.l.google.com") => "google.com",
            Some("192.0.2.9") => "192.0.2.9",
            Some("mail.intern.lan") => "intern.lan",
            Some("MX.Example.ORG") => "example.org",
            Some("none") => "_none",
            Some("a\"b.example") => "a\"b.example",
            Some("_other") => "__other",
            Some("x.y.z.co.uk") => "z.co.uk",
            Some(relay) => panic!("{relay}"),
        };
        self.add(
            "mail_relay_deliveries_total",
            &[("relay", relay), status],
            1,
        );
        let domain = match delivered.domain {
            b"" => "none".to_owned(),
            b"_other" => "__other".to_owned(),
            domain => String::from_utf8(domain.to_ascii_lowercase()).unwrap(),
        };
        self.add(
            "mail_domain_deliveries_total",
            &[("domain", &domain), status],
            1,
        );
        let more = [direction, status];
        self.user("mail_user_deliveries_total", delivered.account, &more, 1);
    }

    /// Compares with a scrape: what is in one must be in the other.
    fn check(&self, samples: &BTreeMap<Key, f64>) {
        let mut left = self.counts.clone();
        left.retain(|_, count| *count > 0);
        for ((name, labels), value) in samples {
            let mut labels = labels.clone();
            labels.retain(|_, value| !value.is_empty());
            let le = labels.remove("le");
            let (base, part) = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| name.strip_suffix(part).map(|base| (base, *part)))
                .unwrap_or((name, ""));
            let observed = self.observed.get(&(base.to_owned(), labels.clone()));
            let observed = observed.map_or(&[][..], Vec::as_slice);
            let scale = if base.ends_with("_seconds") {
                1_000.0
            } else {
                1.0
            };
            let expected = match part {
                "_count" => observed.len() as f64,
                "_sum" => observed.iter().sum::<u64>() as f64 / scale,
                "_bucket" => {
                    let le: f64 = le.unwrap().replace("+Inf", "inf").parse().unwrap();
                    let below = observed.iter().filter(|value| **value as f64 <= le * scale);
                    below.count() as f64
                }
                _ if ["maillog_series", "maillog_build_info"].contains(&name.as_str()) => continue,
                _ => left.remove(&(name.clone(), labels.clone())).unwrap_or(0) as f64,
            };
            assert_eq!(*value, expected, "{name} {labels:?} {part}");
        }
        assert!(left.is_empty(), "not shown: {left:?}");
        for (name, labels) in self.observed.keys() {
            assert!(samples.contains_key(&(format!("{name}_count"), labels.clone())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn facts_come_to_their_sums(dice in prop::collection::vec(dice(), 1..400)) {
        let mut metrics = metrics(unheld());
        let mut held = self::metrics(MetricsConfig::default());
        let mut model = Model::default();
        for dice in &dice {
            let fact = dice.fact();
            metrics.apply(&fact);
            held.apply(&fact);
            model.apply(&fact);
        }
        let frozen = metrics.freeze(NOW_MS);
        model.check(&read(&encode(&frozen, Format::Text004)));
        // The same after the hold.
        let first = encode(&held.freeze(NOW_MS), Format::Text004);
        let last = encode(&held.freeze(NOW_MS + 65_000), Format::Text004);
        prop_assert_eq!(&last, &encode(&frozen, Format::Text004));
        prop_assert_eq!(read(&first).len(), read(&last).len());
    }

    #[test]
    fn the_order_of_facts_does_not_show(
        (dice, shuffled) in prop::collection::vec(dice(), 1..200)
            .prop_flat_map(|dice| (Just(dice.clone()), Just(dice).prop_shuffle())),
    ) {
        let texts = [dice, shuffled].map(|dice| {
            // Each has hash seeds of its own.
            let mut metrics = metrics(unheld());
            for dice in dice {
                metrics.apply(&dice.fact());
            }
            [Format::Text004, Format::OpenMetrics1]
                .map(|format| encode(&metrics.freeze(NOW_MS), format))
        });
        prop_assert_eq!(&texts[0], &texts[1]);
    }
}

proptest! {
    // A scrape after each fact takes its time.
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// However values come, go and come again: what each series rose by adds up to what happened.
    #[test]
    fn no_increment_is_lost_at_the_limits(
        dice in prop::collection::vec((dice(), 0..8_u32, 0..1_200_000_i64), 1..50),
    ) {
        let config = || MetricsConfig {
            user_limit: 3,
            relay_limit: 2,
            domain_limit: 1,
            ..unheld()
        };
        let mut metrics = metrics(config());
        let mut twin = self::metrics(config());
        let mut model = Model::default();
        let mut before = read_limited(&encode(&metrics.freeze(NOW_MS), Format::Text004));
        let mut rises: BTreeMap<Key, f64> = BTreeMap::new();
        let mut now_ms = NOW_MS;
        for (dice, repeat, pause_ms) in dice {
            now_ms += pause_ms;
            let fact = dice.fact();
            for _ in 0..if repeat == 7 { 60 } else { 1 } {
                for metrics in [&mut metrics, &mut twin] {
                    metrics.set_time(Some(now_ms), now_ms);
                    metrics.apply(&fact);
                }
                model.apply(&fact);
                let frozen = metrics.freeze(now_ms);
                let text = encode(&frozen, Format::Text004);
                let after = read_limited(&text);
                let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
                for (key, value) in &after {
                    for label in ["user", "relay", "domain"] {
                        if let Some(value) = key.1.get(label) {
                            shown.entry(label).or_default().insert(value);
                        }
                    }
                    let rise = value - before.get(key).unwrap_or(&0.0);
                    prop_assert!(rise >= 0.0, "{:?} fell", key);
                    *rises.entry(key.clone()).or_default() += rise;
                }
                prop_assert!(shown["user"].len() <= 3 + 1);
                prop_assert!(shown["relay"].len() <= 2 + 2);
                prop_assert!(shown["domain"].len() <= 1 + 2);
                before = after;
                if repeat == 7 {
                    let twin = encode(&twin.freeze(now_ms), Format::Text004);
                    prop_assert_eq!(text, twin);
                }
            }
        }
        let without = |label: &str, sums: BTreeMap<Key, f64>| {
            let mut all: BTreeMap<Key, f64> = BTreeMap::new();
            for ((name, mut labels), value) in sums {
                if labels.remove(label).is_some() && value != 0.0 {
                    *all.entry((name, labels)).or_default() += value;
                }
            }
            all
        };
        for label in ["user", "relay", "domain"] {
            let expected = model.counts.iter().map(|(key, count)| (key.clone(), *count as f64));
            prop_assert_eq!(
                without(label, rises.clone()),
                without(label, expected.collect())
            );
        }
    }
}

/// What things cost: `cargo test --release --test it cost -- --ignored --nocapture`. With
/// `EXPOSITION_DIR` it leaves its exposition there, for promtool.
#[test]
#[ignore = "prints figures; run by name"]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn cost() {
    use std::time::Instant;

    let mut metrics = metrics(MetricsConfig::default());
    let names: Vec<String> = (0..330).map(|it| format!("user{it}@example.com")).collect();
    let domains: Vec<String> = (0..400).map(|it| format!("domain{it}.example")).collect();
    let hosts: Vec<String> = (0..1_000)
        .map(|it| format!("mx{}.domain{}.example", it % 3, it % 400))
        .collect();
    let mut time = |name: &str, fact: &dyn Fn(usize) -> Fact<'static>| {
        // Facts are made before, so that only counting is timed.
        let facts: Vec<Fact<'static>> = (0..10_000).map(fact).collect();
        let mut best = f64::MAX;
        for _ in 0..20 {
            let start = Instant::now();
            for fact in &facts {
                metrics.apply(fact);
            }
            best = best.min(start.elapsed().as_nanos() as f64 / facts.len() as f64);
        }
        println!("{name:<28} {best:6.1} ns");
    };
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let names: Vec<_> = names.iter().map(|text| leak(text)).collect();
    let domains: Vec<_> = domains.iter().map(|text| leak(text)).collect();
    let hosts: Vec<_> = hosts.iter().map(|text| leak(text)).collect();
    let of = |it: usize| account((it * 7 % 330) as u32, names[it * 7 % 330]);
    time("AccountSeen", &|it| Fact::AccountSeen(of(it)));
    time("Message", &|it| message(of(it)));
    time("MessageQueued", &|it| Fact::MessageQueued {
        origin: Origin::Authenticated,
        account: Some(of(it)),
        size_bytes: it as u64 * 31,
        recipients: it as u32 % 9,
    });
    time("MessageEnded", &|it| Fact::MessageEnded {
        outcome: Outcome::Sent,
        queue_time_ms: it as u64 * 17,
    });
    time("Delivered, outbound", &|it| {
        Fact::Delivered(Delivered {
            account: Some(of(it)),
            delay_ms: Some(it as u64),
            before_qmgr_ms: Some(it as u64 % 100),
            stages_ms: Some([1, it as u64 % 300, 500]),
            ..delivered(domains[it * 13 % 400], Some(hosts[it * 11 % 1_000]))
        })
    });
    time("Delivered, hop", &|it| {
        Fact::Delivered(Delivered {
            direction: Direction::Internal,
            goes_on: true,
            stages_ms: Some([1, it as u64 % 300, 500]),
            ..delivered(domains[it * 13 % 400], Some("localhost"))
        })
    });
    time("RecipientRefused", &|it| Fact::RecipientRefused {
        account: of(it),
        class: RefusalClass::Recipient,
    });
    time("Authentication", &|it| Fact::Authentication {
        software: Software::Postfix,
        service: Service::Submission,
        mechanism: b"PLAIN",
        result: AuthResult::Failure(AuthReason::BadCredentials),
        account: Some(of(it)),
        count: 1,
    });
    time("Connected", &|_| Fact::Connected {
        software: Software::Postfix,
        service: Service::Smtp,
        count: 1,
    });
    time("ConnectionLost", &|_| Fact::ConnectionLost {
        software: Software::Postfix,
        service: Service::Smtp,
        stage: Stage::Rcpt,
        count: 1,
    });
    time("Commands", &|_| Fact::Commands {
        service: Service::Smtp,
        command: b"rcpt",
        ok: 1,
        failed: 1,
    });
    time("Rejected", &|_| Fact::Rejected {
        software: Software::Postfix,
        service: Service::Smtp,
        stage: Stage::Rcpt,
        code: Some(550),
        reason: RejectReason::UnknownRecipient,
        count: 1,
    });
    let programs: Vec<_> = (0..12)
        .map(|it| metrics.program(format!("postfix/p{it}").as_bytes(), Software::Postfix))
        .collect();
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        for it in 0..10_000 {
            metrics.line(programs[it * 5 % 12], false, None, 1);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / 10_000.0);
    }
    println!("{:<28} {best:6.1} ns", "line");
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        for it in 0..10_000 {
            metrics.set_time(Some(NOW_MS + it), NOW_MS + it);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / 10_000.0);
    }
    println!("{:<28} {best:6.1} ns", "set_time");

    if let Ok(directory) = std::env::var("EXPOSITION_DIR") {
        let source = metrics.source("file:/var/log/mail.log");
        metrics.set_source(
            source,
            SourceSample {
                last_line_ms: Some(NOW_MS),
                ..Default::default()
            },
        );
        metrics.set_queue(Queue::Hold, Some(QueueSample::default()));
        let frozen = metrics.freeze(NOW_MS);
        let directory = std::path::Path::new(&directory);
        for (name, format) in [
            ("text", Format::Text004),
            ("openmetrics", Format::OpenMetrics1),
        ] {
            std::fs::write(directory.join(name), encode(&frozen, format)).unwrap();
        }
    }
    for held in [true, false] {
        let now_ms = NOW_MS + if held { 0 } else { 100_000 };
        let mut freezes = Vec::new();
        let mut encodes = Vec::new();
        let mut series = 0.0;
        for _ in 0..50 {
            let start = Instant::now();
            let frozen = metrics.freeze(now_ms);
            freezes.push(start.elapsed());
            series = frozen.value("maillog_series", &[]).unwrap();
            for format in [Format::Text004, Format::OpenMetrics1] {
                let mut out = Vec::with_capacity(2 << 20);
                let start = Instant::now();
                frozen.encode(format, &mut out);
                encodes.push(start.elapsed());
            }
        }
        freezes.sort();
        encodes.sort();
        println!("{series} series, held: {held}");
        println!("  freeze: median {:?}, most {:?}", freezes[25], freezes[49]);
        println!(
            "  encode: median {:?}, most {:?}, {:.1} ns/series",
            encodes[50],
            encodes[99],
            encodes[50].as_nanos() as f64 / series
        );
    }
}
