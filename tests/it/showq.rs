//! showq's listings: the bytes of a real Postfix, and what they say.

use std::{
    io::Write,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use maillog_exporter::showq::{
    Listing, Poller, Queue, QueueName, QueueSnapshot, ShowqError, ask, ask_within,
};

// Captured from showq of Debian's postfix 3.7.11: an empty queue; three deferred messages; the first
// of them on hold and the second forced to expire.
const EMPTY_3_7: &[u8] = b"protocol\0mail_queue_list_protocol\0\0\0";
const DEFERRED_3_7: &[u8] =
    b"protocol\0mail_queue_list_protocol\0\0queue_name\0deferred\0queue_id\x006707E9FC0EE\0\
    time\x001795509868\0size\x00256\0forced_expire\x000\0sender\0alice@example.org\0\
    recipient\0bob@example.net\0reason\0deferred transport\0recipient\0\
    carol@example.net\0reason\0deferred transport\0\0queue_name\0deferred\0queue_id\0\
    68CF79FC0EC\0time\x001795509868\0size\x00245\0forced_expire\x000\0sender\0MAILER-DAEMON\0\
    recipient\0dave@example.com\0reason\0deferred transport\0\0queue_name\0deferred\0\
    queue_id\x006AF709FC0F6\0time\x001795509869\0size\x00254\0forced_expire\x000\0sender\0\
    eve@example.org\0recipient\0mallory@example.com\0reason\0deferred transport\0\0\0";
const HOLD_3_7: &[u8] =
    b"protocol\0mail_queue_list_protocol\0\0queue_name\0deferred\0queue_id\x0068CF79FC0EC\0\
    time\x001795509868\0size\x00245\0forced_expire\x001\0sender\0MAILER-DAEMON\0recipient\0\
    dave@example.com\0reason\0deferred transport\0\0queue_name\0deferred\0queue_id\0\
    6AF709FC0F6\0time\x001795509869\0size\x00254\0forced_expire\x000\0sender\0\
    eve@example.org\0recipient\0mallory@example.com\0reason\0deferred transport\0\0\
    queue_name\0hold\0queue_id\x006707E9FC0EE\0time\x001795509868\0size\x00256\0\
    forced_expire\x000\0sender\0alice@example.org\0recipient\0bob@example.net\0reason\0\
    deferred transport\0recipient\0carol@example.net\0reason\0deferred transport\0\0\0";

// Printed by showq up to 3.0, from its format strings.
const TEXT_2_6: &str = "\
-Queue ID- --Size-- ----Arrival Time---- -Sender/Recipient-------
AB12CD34EF*     256 Tue Nov 24 08:44:28  alice@example.org
                                         bob@example.net

8B12CD3   *12345678 Tue Nov 24 08:40:00  alice@example.org
                                         bob@example.net

68CF79FC0EC     245 Mon Nov 23 08:44:28  MAILER-DAEMON
(host mx.example[192.0.2.1] said: 450 4.2.0 Mail queue is empty (in reply to RCPT TO command))
                                         dave@example.com

6AF709FC0F!     254 Sat Dec 27 23:59:59  eve@example.org
                                         -- 5 Kbytes in 1 Request.@example.com

7AF709FC0F      254 Tue Nov 24 08:44:29  (maildrop queue, sender UID 33)

-- 1 Kbytes in 5 Requests.
";
const TEXT_2_9_LONG_IDS: &str = "\
----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
3bLRPT6RzJz1jHFq*      256 Tue Nov 24 08:44:28 alice@example.org
                                               bob@example.net

3bLRPT6RzJz1jHFr       256 Tue Nov 24 08:44:20 alice@example.org
                                               bob@example.net

-- 0 Kbytes in 2 Requests.
";

fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

fn read(bytes: &[u8]) -> Result<QueueSnapshot, String> {
    read_in_pieces(bytes, bytes.len().max(1))
}

fn read_in_pieces(bytes: &[u8], length: usize) -> Result<QueueSnapshot, String> {
    let mut listing = Listing::new(now(), TimeZone::UTC);
    for piece in bytes.chunks(length) {
        listing.feed(piece)?;
    }
    listing.finish()
}

fn queue(name: QueueName, messages: u64, oldest: &str) -> Queue {
    let oldest: Timestamp = oldest.parse().unwrap();
    Queue {
        name,
        messages,
        oldest_unix: Some(oldest.as_second()),
    }
}

#[test]
fn real_listing_of_an_empty_queue() {
    assert_eq!(read(EMPTY_3_7).unwrap(), QueueSnapshot::default());
}

#[test]
fn real_listing_of_deferred_messages() {
    let expected = [queue(QueueName::Deferred, 3, "2026-11-24T08:44:28Z")];
    assert_eq!(read(DEFERRED_3_7).unwrap().queues, expected);
}

#[test]
fn real_listing_with_a_message_on_hold() {
    let expected = [
        queue(QueueName::Deferred, 2, "2026-11-24T08:44:28Z"),
        queue(QueueName::Hold, 1, "2026-11-24T08:44:28Z"),
    ];
    assert_eq!(read(HOLD_3_7).unwrap().queues, expected);
}

#[test]
fn listing_without_protocol_as_3_1_to_3_5_send_it() {
    let hello = b"protocol\0mail_queue_list_protocol\0\0".len();
    let expected = read(HOLD_3_7).unwrap();
    assert_eq!(read(&HOLD_3_7[hello..]).unwrap(), expected);
    assert_eq!(read(&EMPTY_3_7[hello..]).unwrap(), QueueSnapshot::default());
}

#[test]
fn listing_is_the_same_in_pieces_of_any_length() {
    let text_2_6 = TEXT_2_6.as_bytes();
    for bytes in [EMPTY_3_7, DEFERRED_3_7, HOLD_3_7, text_2_6] {
        let expected = read(bytes).unwrap();
        for length in 1..bytes.len() {
            assert_eq!(
                read_in_pieces(bytes, length).as_ref(),
                Ok(&expected),
                "pieces of {length}"
            );
        }
    }
}

#[test]
fn listing_cut_anywhere_is_an_error_never_fewer_messages() {
    for bytes in [DEFERRED_3_7, HOLD_3_7, EMPTY_3_7, TEXT_2_6.as_bytes()] {
        for length in 0..bytes.len() - 1 {
            assert!(read(&bytes[..length]).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn text_listing_tells_the_queues_by_their_marks() {
    let expected = [
        queue(QueueName::Maildrop, 1, "2026-11-24T08:44:29Z"),
        queue(QueueName::Active, 2, "2026-11-24T08:40:00Z"),
        queue(QueueName::Deferred, 1, "2026-11-23T08:44:28Z"),
        // No year is printed: December is last year's.
        queue(QueueName::Hold, 1, "2025-12-27T23:59:59Z"),
    ];
    assert_eq!(read(TEXT_2_6.as_bytes()).unwrap().queues, expected);
}

#[test]
fn text_listing_with_long_queue_ids() {
    let expected = [
        queue(QueueName::Active, 1, "2026-11-24T08:44:28Z"),
        queue(QueueName::Deferred, 1, "2026-11-24T08:44:20Z"),
    ];
    assert_eq!(read(TEXT_2_9_LONG_IDS.as_bytes()).unwrap().queues, expected);
}

#[test]
fn text_listing_of_an_empty_queue() {
    assert_eq!(
        read(b"Mail queue is empty\n").unwrap(),
        QueueSnapshot::default()
    );
}

#[test]
fn text_listing_without_an_arrival_time_counts() {
    let text = "-Queue ID- --Size--\nAB12CD34EF*     256                   ?? a@example.org\n\n-- 0 Kbytes in 1 Request.\n";
    let expected = [Queue {
        name: QueueName::Active,
        messages: 1,
        oldest_unix: None,
    }];
    assert_eq!(read(text.as_bytes()).unwrap().queues, expected);
}

#[test]
fn foreign_values_forge_no_queue() {
    let mut bytes =
        b"queue_name\0deferred\0time\x001795509868\0sender\0queue_name\0recipient\0".to_vec();
    bytes.extend([b'x'; 100_000]);
    bytes.extend(b"\0reason\0time\0queue_name\0hold\0time\x001\0\0\0");
    let expected = [queue(QueueName::Deferred, 1, "2026-11-24T08:44:28Z")];
    assert_eq!(read(&bytes).unwrap().queues, expected);
    for length in [1, 100, 4096, 65_536] {
        assert_eq!(read_in_pieces(&bytes, length).unwrap().queues, expected);
    }
}

#[test]
fn other_protocols_are_named() {
    assert_eq!(
        read(b"").unwrap_err(),
        "it closed the connection without a word"
    );
    assert_eq!(
        read(b"220 mx1 ESMTP\r\n").unwrap_err(),
        "it began with \"220 mx1 ESMTP\\r\\n\""
    );
    let flush = read(b"protocol\0flush_protocol\0\0").unwrap_err();
    assert_eq!(flush, "it speaks \"flush_protocol\"");
    assert!(read(b"queue_name\0hold\0\0\0more").is_err());
}

#[test]
fn instances_add_up_and_the_oldest_stays() {
    let expected = [
        queue(QueueName::Deferred, 5, "2026-11-24T08:44:28Z"),
        queue(QueueName::Hold, 1, "2026-11-24T08:44:28Z"),
    ];
    let merged = read(DEFERRED_3_7).unwrap().merged(read(HOLD_3_7).unwrap());
    assert_eq!(merged.queues, expected);
    assert_eq!(merged.messages(), 6);
}

/// A socket that answers each client by `answer`.
fn socket(
    directory: &Path,
    answer: impl Fn(&mut std::os::unix::net::UnixStream) + Send + 'static,
) -> PathBuf {
    let path = directory.join("showq");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            answer(&mut client);
        }
    });
    path
}

#[test]
fn a_hundred_thousand_messages_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket(directory.path(), |client| {
        let mut all = b"protocol\0mail_queue_list_protocol\0\0".to_vec();
        for n in 0..100_000 {
            all.extend(
                format!(
                    "queue_name\0deferred\0queue_id\0{n:X}\0time\0{}\0",
                    1_795_000_000 + n
                )
                .bytes(),
            );
            all.extend(format!("size\x00256\0forced_expire\x000\0sender\0a@example.org\0recipient\0b{n}@example.net\0").bytes());
            all.extend(
                b"reason\0connect to mx.example.net[192.0.2.1]:25: Connection timed out\0\0",
            );
        }
        all.push(0);
        client.write_all(&all).unwrap();
    });
    let snapshot = ask(&path, now()).unwrap();
    assert_eq!(
        snapshot.queues,
        [Queue {
            name: QueueName::Deferred,
            messages: 100_000,
            oldest_unix: Some(1_795_000_000),
        }]
    );
}

#[test]
fn a_listing_that_trickles_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket(directory.path(), |client| {
        while client.write_all(b"queue_name\0hold\0\0").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let began = Instant::now();
    let error = ask_within(&path, now(), Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, ShowqError::Timeout { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn errors_say_what_mends_them() {
    let directory = tempfile::tempdir().unwrap();
    let absent = ask(&directory.path().join("public/showq"), now()).unwrap_err();
    assert!(matches!(absent, ShowqError::Absent { .. }), "{absent}");
    assert!(absent.fix().contains("--postfix.showq-path"));

    let path = directory.path().join("showq");
    drop(UnixListener::bind(&path).unwrap());
    let refused = ask(&path, now()).unwrap_err();
    assert!(matches!(refused, ShowqError::Refused { .. }), "{refused}");

    std::fs::remove_file(&path).unwrap();
    let path = socket(directory.path(), |client| {
        client.write_all(b"* OK IMAP ready\r\n").unwrap()
    });
    let protocol = ask(&path, now()).unwrap_err();
    assert!(
        protocol
            .to_string()
            .ends_with("it began with \"* OK IMAP ready\\r\\n\""),
        "{protocol}"
    );
}

#[test]
fn poller_asks_once_an_interval() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let directory = tempfile::tempdir().unwrap();
    let path = socket(directory.path(), |client| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        client.write_all(DEFERRED_3_7).unwrap();
    });
    let poller = Poller::with_interval(vec![path], now, Duration::from_millis(300));
    assert!(poller.latest().is_empty());
    for _ in 0..10 {
        let answers = poller.fresh(Duration::from_secs(5));
        assert_eq!(answers[0].result.as_ref().unwrap().messages(), 3);
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    thread::sleep(Duration::from_millis(350));
    poller.fresh(Duration::from_secs(5));
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
}

#[test]
fn poller_does_not_wait_longer_than_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket(directory.path(), |client| {
        thread::sleep(Duration::from_millis(600));
        client.write_all(HOLD_3_7).unwrap();
    });
    let poller = Poller::new(vec![path], now);
    let began = Instant::now();
    assert!(poller.fresh(Duration::from_millis(20)).is_empty());
    assert!(began.elapsed() < Duration::from_millis(400));
    assert_eq!(
        poller.fresh(Duration::from_secs(5))[0]
            .result
            .as_ref()
            .unwrap()
            .messages(),
        3
    );
}
