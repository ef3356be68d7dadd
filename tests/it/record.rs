//! Headers: each form's real shapes, what is none, and time.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maillog_exporter::record::{Headers, Record};
use proptest::prelude::*;

/// 2026-11-24T00:00:00Z
const NOW_MS: i64 = 1_795_478_400_000;

fn headers(zone: &str) -> Headers {
    Headers::new(TimeZone::get(zone).expect("a zone that jiff has"), NOW_MS)
}

fn ms(stamp: &str) -> i64 {
    stamp
        .parse::<Timestamp>()
        .expect("a stamp")
        .as_millisecond()
}

/// `TIME HOST PROGRAM PID PRIORITY xREPEATED MESSAGE`, `-` for what is not there.
fn show(record: &Record) -> String {
    let word = |bytes: &[u8]| match bytes {
        b"" => "-".to_owned(),
        _ => bytes.escape_ascii().to_string(),
    };
    format!(
        "{} {} {} {} {} x{} {}",
        record.time_ms.map_or("-".to_owned(), |ms| {
            Timestamp::from_millisecond(ms)
                .expect("a year that jiff has")
                .to_string()
        }),
        word(record.host),
        word(record.program),
        record.pid.map_or("-".to_owned(), |pid| pid.to_string()),
        record.priority.map_or("-".to_owned(), |p| p.to_string()),
        record.repeated,
        record.message.escape_ascii(),
    )
}

/// Reads every line on its own, twice, the host being in Berlin (UTC+1 in winter).
#[track_caller]
fn check(table: &[(&[u8], &str)]) {
    for (line, expected) in table {
        let mut headers = headers("Europe/Berlin");
        for time in ["first", "again"] {
            let record = headers.read(line);
            assert_eq!(show(&record), *expected, "{time}: {}", line.escape_ascii());
        }
    }
}

/// rsyslog's RSYSLOG_TraditionalFileFormat, sysklogd, `journalctl -o short`.
#[test]
fn traditional() {
    check(&[
        (
            b"Nov 24 00:16:31 mx1 postfix/smtpd[4242]: connect from unknown[192.0.2.1]",
            "2026-11-23T23:16:31Z mx1 postfix/smtpd 4242 - x1 connect from unknown[192.0.2.1]",
        ),
        (
            b"Nov  4 09:06:01 mx1.example.org dovecot: imap-login: Login: user=<bob>",
            "2026-11-04T08:06:01Z mx1.example.org dovecot - - x1 imap-login: Login: user=<bob>",
        ),
        (
            b"Jul 24 23:59:60 mx1 postfix/submission/smtpd[1]: x\r",
            "2026-07-24T21:59:59.999Z mx1 postfix/submission/smtpd 1 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 postfix/smtpd[4242]:no blank",
            "2026-11-23T23:16:31Z mx1 postfix/smtpd 4242 - x1 no blank",
        ),
        (
            b"Nov 24 00:16:31 mx1 postfix/smtpd[4242]:",
            "2026-11-23T23:16:31Z mx1 postfix/smtpd 4242 - x1 ",
        ),
        (
            b"Nov 24 00:16:31 mx1 sqlgrey:",
            "2026-11-23T23:16:31Z mx1 sqlgrey - - x1 ",
        ),
        (
            b"Nov 24 00:16:31 mx1 postfix/smtpd[4242]:   two blanks stay",
            "2026-11-23T23:16:31Z mx1 postfix/smtpd 4242 - x1   two blanks stay",
        ),
        (
            b"Nov 24 00:16:31 mx1 /usr/sbin/amavisd[3089]: (03089-01) Passed CLEAN",
            "2026-11-23T23:16:31Z mx1 /usr/sbin/amavisd 3089 - x1 (03089-01) Passed CLEAN",
        ),
        (
            b"Nov 24 00:16:31 mx1 /postfix-script[77]: stopping the Postfix mail system",
            "2026-11-23T23:16:31Z mx1 /postfix-script 77 - x1 stopping the Postfix mail system",
        ),
        (
            b"Nov 24 00:16:31 mx1 (sd-pam)[9]: x",
            "2026-11-23T23:16:31Z mx1 (sd-pam) 9 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 in.imapproxyd[9]: x",
            "2026-11-23T23:16:31Z mx1 in.imapproxyd 9 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 Net::Server[9]: x",
            "2026-11-23T23:16:31Z mx1 Net::Server 9 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 kernel: [ 12.5] x",
            "2026-11-23T23:16:31Z mx1 kernel - - x1 [ 12.5] x",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[child]: x",
            "2026-11-23T23:16:31Z mx1 spamd - - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[1?3]: x y z",
            "2026-11-23T23:16:31Z mx1 spamd - - x1 x y z",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[12345678]: x",
            "2026-11-23T23:16:31Z mx1 spamd 12345678 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[]: x",
            "2026-11-23T23:16:31Z mx1 spamd - - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[4294967295]: x",
            "2026-11-23T23:16:31Z mx1 spamd 4294967295 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[4294967296]: x",
            "2026-11-23T23:16:31Z mx1 spamd - - x1 x",
        ),
        (
            // 2^64 + 5: what wraps is no pid
            b"Nov 24 00:16:31 mx1 spamd[18446744073709551621]: x",
            "2026-11-23T23:16:31Z mx1 spamd - - x1 x",
        ),
    ]);
}

/// A host may be an address, `-`, or missing: then the first word is a tag.
#[test]
fn hosts() {
    check(&[
        (
            b"Nov 24 00:16:31 - postfix/smtpd[4242]: x",
            "2026-11-23T23:16:31Z - postfix/smtpd 4242 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 2001:db8::25 postfix/smtpd[4242]: x",
            "2026-11-23T23:16:31Z 2001:db8::25 postfix/smtpd 4242 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 2001:db8:: postfix/smtpd[4242]: x",
            "2026-11-23T23:16:31Z 2001:db8:: postfix/smtpd 4242 - x1 x",
        ),
        (
            b"Nov 24 00:16:31 [2001:db8::25] dovecot: x",
            "2026-11-23T23:16:31Z [2001:db8::25] dovecot - - x1 x",
        ),
        (
            b"Nov 24 00:16:31 postfix/smtpd[4242]: x y: z",
            "2026-11-23T23:16:31Z - postfix/smtpd 4242 - x1 x y: z",
        ),
        (
            b"Nov 24 00:16:31 imap-login: Info: Login: user=<bob>",
            "2026-11-23T23:16:31Z - imap-login - - x1 Info: Login: user=<bob>",
        ),
        (
            b"Nov 24 00:16:31 imap(bob)<12><s:1>: Info: x",
            "2026-11-23T23:16:31Z - imap(bob)<12><s:1> - - x1 Info: x",
        ),
        // Postfix's own file, util/msg_logger.c: a zero before the day, the host's first label
        (
            b"Nov 04 00:16:31 mx1 postfix/postfix-script[4242]: x",
            "2026-11-03T23:16:31Z mx1 postfix/postfix-script 4242 - x1 x",
        ),
        (
            b"Nov 04 00:16:31  postfix/master[1]: x",
            "2026-11-03T23:16:31Z - postfix/master 1 - x1 x",
        ),
    ]);
}

/// A stamp is believed though no tag follows.
#[test]
fn no_tag() {
    let long = [b"Nov 24 00:16:31 mx1 ".as_slice(), &[b'a'; 257], b"[1]: x"].concat();
    let expected = format!(
        "2026-11-23T23:16:31Z mx1 - - - x1 {}[1]: x",
        "a".repeat(257)
    );
    let longest = [b"Nov 24 00:16:31 mx1 ".as_slice(), &[b'a'; 256], b"[1]: x"].concat();
    let fits = format!("2026-11-23T23:16:31Z mx1 {} 1 - x1 x", "a".repeat(256));
    check(&[
        // sysklogd
        (
            b"Nov 24 00:16:31 mx1 last message repeated 3 times",
            "2026-11-23T23:16:31Z mx1 - - - x1 last message repeated 3 times",
        ),
        (
            b"Nov 24 00:16:31 mx1 see http://example.org/ now",
            "2026-11-23T23:16:31Z mx1 - - - x1 see http://example.org/ now",
        ),
        (
            b"Nov 24 00:16:31 mx1 http://example.org/ now",
            "2026-11-23T23:16:31Z mx1 - - - x1 http://example.org/ now",
        ),
        (
            b"Nov 24 00:16:31 mx1 post\x01fix[1]: x",
            r"2026-11-23T23:16:31Z mx1 - - - x1 post\x01fix[1]: x",
        ),
        (
            b"Nov 24 00:16:31 mx1 post\x7ffix[1]: x",
            r"2026-11-23T23:16:31Z mx1 - - - x1 post\x7ffix[1]: x",
        ),
        (
            b"Nov 24 00:16:31 mx1 smtpd[4 2]: x",
            "2026-11-23T23:16:31Z mx1 - - - x1 smtpd[4 2]: x",
        ),
        (
            b"Nov 24 00:16:31 mx1 spamd[12345678x: y",
            "2026-11-23T23:16:31Z mx1 - - - x1 spamd[12345678x: y",
        ),
        (
            b"Nov 24 00:16:31 [12]:x dovecot: y",
            "2026-11-23T23:16:31Z - - - - x1 [12]:x dovecot: y",
        ),
        (
            b"Nov 24 00:16:31 mx1 : x",
            "2026-11-23T23:16:31Z mx1 - - - x1 : x",
        ),
        (
            b"Nov 24 00:16:31 mx1 [12]: x",
            "2026-11-23T23:16:31Z mx1 - - - x1 [12]: x",
        ),
        (
            b"Nov 24 00:16:31 [12]: x",
            "2026-11-23T23:16:31Z - - - - x1 [12]: x",
        ),
        (
            b"Nov 24 00:16:31 word",
            "2026-11-23T23:16:31Z - - - - x1 word",
        ),
        (b"Nov 24 00:16:31 ", "2026-11-23T23:16:31Z - - - - x1 "),
        (&long, &expected),
        (&longest, &fits),
    ]);
}

/// rsyslog's RSYSLOG_FileFormat, Debian 12's default; `journalctl -o short-iso`.
#[test]
fn rfc3339() {
    check(&[
        (
            b"2026-11-24T00:16:31.123456+01:00 mx1 postfix/smtpd[4242]: connect from unknown[192.0.2.1]",
            "2026-11-23T23:16:31.123Z mx1 postfix/smtpd 4242 - x1 connect from unknown[192.0.2.1]",
        ),
        (
            b"2026-11-24T00:16:31Z mx1 dovecot: x",
            "2026-11-24T00:16:31Z mx1 dovecot - - x1 x",
        ),
        (
            b"2026-11-24 00:16:31.9-05:30 mx1 dovecot: x",
            "2026-11-24T05:46:31.9Z mx1 dovecot - - x1 x",
        ),
        (
            b"2026-11-24T00:16:31.98+0100 mx1 dovecot: x",
            "2026-11-23T23:16:31.98Z mx1 dovecot - - x1 x",
        ),
        (
            b"2026-11-24T00:16:31.123456789Z mx1 dovecot: x",
            "2026-11-24T00:16:31.123Z mx1 dovecot - - x1 x",
        ),
        (
            b"2026-11-24T00:16:31.1234567Z mx1 dovecot: x",
            "2026-11-24T00:16:31.123Z mx1 dovecot - - x1 x",
        ),
        // no zone: the host's
        (
            b"2026-11-24 00:16:31 imap-login: Info: x",
            "2026-11-23T23:16:31Z - imap-login - - x1 Info: x",
        ),
        (
            b"2016-12-31T23:59:60.5Z mx1 dovecot: x",
            "2016-12-31T23:59:59.999Z mx1 dovecot - - x1 x",
        ),
        (
            b"2024-02-29T00:00:00Z mx1 dovecot: x",
            "2024-02-29T00:00:00Z mx1 dovecot - - x1 x",
        ),
        (
            b"2000-02-29T00:00:00Z mx1 dovecot: x",
            "2000-02-29T00:00:00Z mx1 dovecot - - x1 x",
        ),
        (
            b"0000-01-01T00:00:00+23:59 mx1 dovecot: x",
            "-000001-12-31T00:01:00Z mx1 dovecot - - x1 x",
        ),
    ]);
}

/// RFC 5424 6.5, rsyslog's RSYSLOG_SyslogProtocol23Format (two blanks before the message).
#[test]
fn rfc5424() {
    check(&[
        (
            b"<22>1 2026-11-24T00:16:31Z mx1 postfix/smtpd 4242 - - connect from x",
            "2026-11-24T00:16:31Z mx1 postfix/smtpd 4242 6 x1 connect from x",
        ),
        (
            b"<20>1 2026-11-24T00:16:31.123456+01:00 mx1 postfix 4242 - -  two blanks",
            "2026-11-23T23:16:31.123Z mx1 postfix 4242 4 x1 two blanks",
        ),
        (
            b"1 2026-11-24T00:16:31Z mx1 dovecot - - - x",
            "2026-11-24T00:16:31Z mx1 dovecot - - x1 x",
        ),
        (
            b"<22>1 2026-11-24T00:16:31Z mx1 dovecot x7 ID47 [a@1 k=\"]\\]\\\"\\\\\" l=\"\"][b] \xef\xbb\xbftext",
            "2026-11-24T00:16:31Z mx1 dovecot - 6 x1 text",
        ),
        (b"<22>1 - - - - - -", "- - - - 6 x1 "),
        (b"<22>1 - - - - - - ", "- - - - 6 x1 "),
        (
            b"<22>1 2026-11-24T00:16:31Z mx1 dovecot 4294967296 - - x",
            "2026-11-24T00:16:31Z mx1 dovecot - 6 x1 x",
        ),
        (
            b"<22>1 2026-11-24T00:16:31Z mx1 dovecot 1 - [a@1 k=\"\\\"] x",
            r#"- - - - 6 x1 1 2026-11-24T00:16:31Z mx1 dovecot 1 - [a@1 k=\"\\\"] x"#,
        ),
        (
            b"<22>1 2026-11-24T00:16:31Z mx1 dovecot 1 - x",
            "- - - - 6 x1 1 2026-11-24T00:16:31Z mx1 dovecot 1 - x",
        ),
        (
b"<22>1 2026-11-24 00:16:31Z mx1 dovecot 1 - - x",
            "2026-11-24T00:16:31Z mx1 dovecot 1 6 x1 x",
        ),
        (
            b"<22>2 2026-11-24T00:16:31Z mx1 dovecot 1 - - x",
            "- - - - 6 x1 2 2026-11-24T00:16:31Z mx1 dovecot 1 - - x",
        ),
    ]);
}

/// RSYSLOG_TraditionalForwardFormat, RSYSLOG_ForwardFormat, glibc's syslog(3), sd-daemon(3).
#[test]
fn priority() {
    check(&[
        (
            b"<22>Nov 24 00:16:31 mx1 postfix/smtpd[4242]: x",
            "2026-11-23T23:16:31Z mx1 postfix/smtpd 4242 6 x1 x",
        ),
        (
            b"<19>2026-11-24T00:16:31Z mx1 postfix/smtpd[4242]: x",
            "2026-11-24T00:16:31Z mx1 postfix/smtpd 4242 3 x1 x",
        ),
        (
            b"<22>Nov 24 00:16:31 postfix/smtpd[4242]: x",
            "2026-11-23T23:16:31Z - postfix/smtpd 4242 6 x1 x",
        ),
        (b"<4>(03089-01) (!)x", "- - - - 4 x1 (03089-01) (!)x"),
        (b"<191>x", "- - - - 7 x1 x"),
        (b"<192>x", "- - - - - x1 <192>x"),
        (b"<0001>x", "- - - - - x1 <0001>x"),
        (b"<>x", "- - - - - x1 <>x"),
        (b"<22 x", "- - - - - x1 <22 x"),
        (b"<22", "- - - - - x1 <22"),
    ]);
}

#[test]
fn no_header() {
    for line in [
        "",
        "text",
        "-- Logs begin at Tue 2026-11-24 00:16:31 CET. --",
        "postfix/smtpd[4242]: x",
        "Nov 24 00:16:31",
        "nov 24 00:16:31 mx1 dovecot: x",
        "Nop 24 00:16:31 mx1 dovecot: x",
        "Nov 31 00:16:31 mx1 dovecot: x",
        "Nov 00 00:16:31 mx1 dovecot: x",
        "Nov 24 24:16:31 mx1 dovecot: x",
        "Nov 24 00:60:31 mx1 dovecot: x",
        "Nov 24 00:16:61 mx1 dovecot: x",
        "Nov 24 00:16:31.5 mx1 dovecot: x",
        "Nov 2\u{3a} 00:16:31 mx1 dovecot: x",
        "2026-11-24T00:16:31Z",
        "2026-02-29T00:16:31Z mx1 dovecot: x",
        "1900-02-29T00:16:31Z mx1 dovecot: x",
        "2026-13-24T00:16:31Z mx1 dovecot: x",
        "2026-00-24T00:16:31Z mx1 dovecot: x",
        "2026-04-31T00:16:31Z mx1 dovecot: x",
        "2026-11-24T24:16:31Z mx1 dovecot: x",
        "2026-11-24T00:60:31Z mx1 dovecot: x",
        "2026-11-24T00:16:61Z mx1 dovecot: x",
        "2026-11-24T00:16:31.Z mx1 dovecot: x",
        "2026-11-24T00:16:31.12345:Z mx1 dovecot: x",
        "2026-11-24T00:16:31+24:00 mx1 dovecot: x",
        "2026-11-24T00:16:31+01:60 mx1 dovecot: x",
        "2026-11-24T00:16:31+01 mx1 dovecot: x",
        "2026-11-24T00:16:31Zmx1 dovecot: x",
        "2026-11-24T00:16 mx1 dovecot: x",
    ] {
        let record = headers("UTC").read(line.as_bytes());
        assert_eq!(show(&record), format!("- - - - - x1 {line}"));
    }
}

/// rsyslog's `$RepeatedMsgReduction on`.
#[test]
fn repeated() {
    let read = |message: &str| {
        let line = format!("Nov 24 00:16:31 mx1 dovecot: {message}");
        show(&headers("UTC").read(line.as_bytes()))
            .strip_prefix("2026-11-24T00:16:31Z mx1 dovecot - - ")
            .expect("the header")
            .to_owned()
    };
    for (message, expected) in [
        ("message repeated 3 times: [ a]b]", "x3 a]b"),
        ("message repeated 3 times: [a]", "x3 a"),
        ("message repeated 4294967295 times: [ a]", "x4294967295 a"),
        ("message repeated 4294967296 times: [ a]", "x1 a"),
        (
            "message repeated 99999999999999999999999 times: [ a]",
            "x1 a",
        ),
        ("message repeated 0 times: [ a]", "x1 a"),
        ("message repeated  times: [ a]", "x1 a"),
        ("message repeated 2 times: [ ]", "x2 "),
        // not that shape: a plain message
        (
            "message repeated -3 times: [ a]",
            "x1 message repeated -3 times: [ a]",
        ),
        (
            "message repeated 3 times: [ a",
            "x1 message repeated 3 times: [ a",
        ),
        (
            "Message repeated 3 times: [ a]",
            "x1 Message repeated 3 times: [ a]",
        ),
        (
            "last message repeated 3 times",
            "x1 last message repeated 3 times",
        ),
    ] {
        assert_eq!(read(message), expected, "{message}");
    }
    let line = b"<22>1 2026-11-24T00:16:31Z mx1 dovecot 1 - -  message repeated 2 times: [ a]";
    assert_eq!(
        show(&headers("UTC").read(line)),
        "2026-11-24T00:16:31Z mx1 dovecot 1 6 x2 a"
    );
    // Without a header nobody says that it is rsyslog's.
    let line = b"message repeated 2 times: [ a]";
    assert_eq!(headers("UTC").read(line).message, line);
}

/// Reads the stamps one after the other; the rest of each line is the same.
#[track_caller]
fn check_times(mut headers: Headers, stamps: &[(&str, &str)]) {
    for (at, (stamp, expected)) in stamps.iter().enumerate() {
        let line = format!("{stamp} mx1 dovecot: x");
        let time_ms = headers.read(line.as_bytes()).time_ms.expect("a stamp");
        let time = Timestamp::from_millisecond(time_ms).expect("a year that jiff has");
        assert_eq!(time.to_string(), *expected, "line {at}: {stamp}");
    }
}

#[test]
fn first_year() {
    for (now, stamp, expected) in [
        (
            "2026-11-24T00:00:00Z",
            "Nov 24 00:16:31",
            "2026-11-24T00:16:31Z",
        ),
        (
            "2026-11-24T00:00:00Z",
            "Nov 25 00:00:00",
            "2026-11-25T00:00:00Z",
        ),
        (
            "2026-11-24T00:00:00Z",
            "Nov 25 00:00:01",
            "2025-11-25T00:00:01Z",
        ),
        (
            "2026-12-31T23:59:00Z",
            "Jan  1 00:00:01",
            "2027-01-01T00:00:01Z",
        ),
        (
            "2027-01-01T00:00:00Z",
            "Dec 31 23:59:59",
            "2026-12-31T23:59:59Z",
        ),
        (
            "2026-11-24T00:00:00Z",
            "Feb 29 12:00:00",
            "2024-02-29T12:00:00Z",
        ),
        (
            "2103-11-24T00:00:00Z",
            "Feb 29 12:00:00",
            "2096-02-29T12:00:00Z",
        ),
    ] {
        let headers = Headers::new(TimeZone::UTC, ms(now));
        check_times(headers, &[(stamp, expected)]);
    }
    // Any clock will do; it need not be right.
    for now_ms in [i64::MIN, i64::MAX, 0] {
        let record = Headers::new(TimeZone::UTC, now_ms)
            .read(b"Nov 24 00:16:31 mx1 dovecot: x")
            .time_ms;
        assert!(record.is_some());
    }
}

/// A stamp in a line that turns out to have no header counts for nothing.
#[test]
fn no_header_no_year() {
    let mut headers = headers("UTC");
    let broken = b"1 2019-01-01T00:00:00Z mx1 dovecot 1 - broken";
    assert_eq!(headers.read(broken).time_ms, None);
    check_times(headers, &[("Nov 24 00:16:31", "2026-11-24T00:16:31Z")]);
}

#[test]
fn years_run_on() {
    // After a silence, it takes some lines until the log is known to have gone on.
    let lines: Vec<_> = [
        ("Dec 31 23:59:58", "2025-12-31T23:59:58Z"),
        ("Jan  1 00:00:01", "2026-01-01T00:00:01Z"),
        // two lines out of order
        ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2026-01-01T00:00:01Z"),
        ("May  1 00:00:01", "2026-05-01T00:00:01Z"),
        ("Oct  1 00:00:01", "2026-10-01T00:00:01Z"),
        ("Jan  1 00:00:01", "2027-01-01T00:00:01Z"),
        ("Jun  1 00:00:01", "2027-06-01T00:00:01Z"),
        ("Nov  1 00:00:01", "2027-11-01T00:00:01Z"),
        ("Feb 29 12:00:00", "2028-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2028-02-29T12:00:00Z"),
        // a form that says its year moves the others along
        ("2019-01-01T00:00:00Z", "2019-01-01T00:00:00Z"),
        ("Dec 31 23:59:59", "2018-12-31T23:59:59Z"),
        ("2023-01-01T00:00:00Z", "2023-01-01T00:00:00Z"),
        ("Dec 31 23:59:59", "2022-12-31T23:59:59Z"),
    ]
    .into_iter()
    .flat_map(|line| [line; 8])
    .collect();
    check_times(headers("UTC"), &lines);
}

/// Stamps of a device that has a wrong clock, whatever they are, move nothing.
#[test]
fn wrong_clocks() {
    for wrong in [
        ["Apr 20 09:00:00", "Sep 15 09:00:00"],
        ["Jul  1 09:00:00", "Feb  1 09:00:00"],
        ["1970-01-01T00:00:00Z", "Jan  1 00:00:00"],
        ["2038-01-01T00:00:00Z", "May 25 00:00:00"],
    ] {
        let mut headers = headers("UTC");
        for (at, stamp) in ["Nov 24 09:00:00", wrong[0], wrong[1], "Nov 24 09:00:01"]
            .iter()
            .cycle()
            .take(400)
            .enumerate()
        {
            let line = format!("{stamp} mx1 dovecot: x");
            let time_ms = headers.read(line.as_bytes()).time_ms.expect("a stamp");
            if let 0 | 3 = at % 4 {
                let second = if at % 4 == 0 { 0 } else { 1_000 };
                assert_eq!(
                    time_ms,
                    ms("2026-11-24T09:00:00Z") + second,
                    "line {at}, {wrong:?}"
                );
            }
        }
    }
    // One line a week, for two years: the log has gone on.
    let mut headers = headers("UTC");
    for week in 0..104 {
        let time_ms = NOW_MS + week * 7 * 86_400_000;
        let time = Timestamp::from_millisecond(time_ms).expect("a year that jiff has");
        let line = format!("{} mx1 x: x", time.strftime("%b %e %T"));
        assert_eq!(headers.read(line.as_bytes()).time_ms, Some(time_ms));
    }
}

#[test]
fn summer_time_berlin() {
    check_times(
        headers("Europe/Berlin"),
        &[
            ("Mar 29 01:59:59", "2026-03-29T00:59:59Z"),
            // 02:00 to 03:00 is not had: shifted
            ("Mar 29 02:30:00", "2026-03-29T01:30:00Z"),
            ("Mar 29 03:00:00", "2026-03-29T01:00:00Z"),
            ("Mar 29 03:00:01", "2026-03-29T01:00:01Z"),
        ],
    );
    // 02:00 to 03:00 is had twice
    check_times(
        headers("Europe/Berlin"),
        &[
            ("Oct 25 01:59:59", "2026-10-24T23:59:59Z"),
            ("Oct 25 02:00:00", "2026-10-25T00:00:00Z"),
            ("Oct 25 02:59:59", "2026-10-25T00:59:59Z"),
            ("Oct 25 02:59:59", "2026-10-25T00:59:59Z"),
            ("Oct 25 02:00:00", "2026-10-25T01:00:00Z"),
            // out of order by seconds, over the turn and back
            ("Oct 25 02:59:58", "2026-10-25T00:59:58Z"),
            ("Oct 25 02:00:01", "2026-10-25T01:00:01Z"),
            ("Oct 25 02:00:00", "2026-10-25T01:00:00Z"),
            ("Oct 25 02:30:00", "2026-10-25T01:30:00Z"),
            ("Oct 25 02:29:59", "2026-10-25T01:29:59Z"),
            ("Oct 25 03:00:00", "2026-10-25T02:00:00Z"),
            ("Oct 25 02:59:59", "2026-10-25T01:59:59Z"),
        ],
    );
}

#[test]
fn summer_time_new_york() {
    check_times(
        headers("America/New_York"),
        &[
            ("Mar  8 01:59:59", "2026-03-08T06:59:59Z"),
            ("Mar  8 02:30:00", "2026-03-08T07:30:00Z"),
            ("Mar  8 03:00:00", "2026-03-08T07:00:00Z"),
        ],
    );
    check_times(
        headers("America/New_York"),
        &[
            ("Nov  1 00:59:59", "2026-11-01T04:59:59Z"),
            ("Nov  1 01:30:00", "2026-11-01T05:30:00Z"),
            ("Nov  1 01:00:00", "2026-11-01T06:00:00Z"),
            ("Nov  1 01:30:00", "2026-11-01T06:30:00Z"),
            ("2026-11-01 01:31:00", "2026-11-01T06:31:00Z"),
            ("Nov  1 02:00:00", "2026-11-01T07:00:00Z"),
        ],
    );
}

/// Half an hour, and so within one hour of the clock.
#[test]
fn summer_time_lord_howe() {
    check_times(
        headers("Australia/Lord_Howe"),
        &[
            ("Oct  4 02:00:00", "2026-10-03T15:30:00Z"),
            ("Oct  4 02:45:00", "2026-10-03T15:45:00Z"),
        ],
    );
}

/// One line of each form, to be damaged.
const LINES: [&[u8]; 8] = [
    b"Nov 24 00:16:31 mx1 postfix/smtpd[4242]: connect from unknown[192.0.2.1]",
    b"<22>Feb 29 00:16:31 dovecot: message repeated 3 times: [ imap: x]",
    b"2026-11-24T00:16:31.123456+01:00 mx1 postfix/smtpd[4242]: x",
    b"2026-11-24 00:16:31 2001:db8::25 in.imapproxyd[1]: x\r",
    b"<22>1 2026-11-24T00:16:31Z mx1 postfix/smtpd 4242 - [a@1 k=\"\\]\"] \xef\xbb\xbfx",
    b"<13>1 - - - - - - message repeated 7 times: [x]",
    b"Dec 31 23:59:60  postfix/master[1]: x",
    b"Mar 29 02:30:00 mx1 last message repeated 3 times",
];

fn damaged_line() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b" :[]<>-+.0123456789\"\\TZ\r\x7f\xff".as_slice()),
    ];
    let damage = prop::collection::vec((any::<prop::sample::Index>(), byte, 0..3_u8), 0..6);
    (prop::sample::select(LINES.as_slice()), damage).prop_map(|(line, damage)| {
        let mut line = line.to_vec();
        for (at, byte, how) in damage {
            let at = at.index(line.len() + 1);
            match how {
                0 => line.insert(at, byte),
                1 if at < line.len() => line[at] = byte,
                _ => line.truncate(at.max(line.len().saturating_sub(9))),
            }
        }
        line
    })
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        damaged_line(),
        damaged_line(),
    ]
}

/// Whether `part` lies in `line`; where it begins and ends.
fn place(line: &[u8], part: &[u8]) -> Option<(usize, usize)> {
    let start = (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    let end = start + part.len();
    (end <= line.len()).then_some((start, end))
}

/// A word as a host or a tag may be.
fn word(pattern: &'static str) -> impl Strategy<Value = String> {
    pattern.prop_map(|word: String| word)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Nothing panics, and all that is handed out lies in the line, in the header's order.
    #[test]
    fn any_bytes(lines in prop::collection::vec(any_line(), 1..6)) {
        let mut headers = headers("Europe/Berlin");
        for line in &lines {
            let record = headers.read(line);
            let (start, end) = place(line, record.message).expect("the message lies in its line");
            let cut = line.strip_suffix(b"\r").unwrap_or(line);
            match &cut[end..] {
                b"" => {}
                b"]" => prop_assert!(cut[..start].windows(8).any(|bytes| bytes == b" times: ")),
                rest => prop_assert!(false, "{} is lost", rest.escape_ascii()),
            }
            prop_assert!(record.repeated > 0);
            let mut before = 0;
            for part in [record.host, record.program] {
                if !part.is_empty() {
                    let (part_start, part_end) = place(line, part).expect("a part of its line");
                    prop_assert!(before <= part_start && part_end <= start);
                    prop_assert!(!part.iter().any(|&byte| byte <= b' ' || byte == 0x7f));
                    prop_assert!(part.len() <= 256);
                    before = part_end;
                }
            }
        }
    }

    /// What the caches hold changes no answer: each line again, by a reader that read only the
    /// times of the lines before it, which are all that a year or an hour is inferred from.
    #[test]
    fn caches_only_save_work(lines in prop::collection::vec(damaged_line(), 1..12)) {
        let mut headers = headers("America/New_York");
        let mut times = Vec::new();
        for line in &lines {
            let mut fresh = self::headers("America/New_York");
            for &time_ms in &times {
                let stamp = Timestamp::from_millisecond(time_ms).expect("a year that jiff has");
                if stamp < "0000-01-01T00:00:00Z".parse().expect("a stamp") {
                    fresh = headers.clone();
                    break;
                }
                let line = format!("{} mx1 x: x", stamp.strftime("%FT%T%.3fZ"));
                prop_assert_eq!(fresh.read(line.as_bytes()).time_ms, Some(time_ms));
            }
            let record = headers.read(line);
            prop_assert_eq!(fresh.read(line), record);
            times.extend(record.time_ms);
        }
    }

    /// A record that is printed in a form is read from it.
    #[test]
    fn printed_and_read(
        second in 0..4_102_444_800_i64,
        micros in prop_oneof![Just(0), 0..1_000_000_i64],
        host in word("[a-z0-9][a-z0-9.:-]{0,20}[a-z0-9]"),
        program in word("[a-zA-Z(/][a-zA-Z0-9/._()-]{0,80}"),
        pid in any::<Option<u32>>(),
        priority in prop::option::of(0..192_u8),
        message in "[^ \r\n\u{feff}m]([^\r\n]{0,60}[^\r\n])?",
        times in prop_oneof![Just(1), 2..u32::MAX],
    ) {
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone that jiff has");
        let now_ms = (second + 86_400) * 1000;
        let time = Timestamp::new(second, i32::try_from(micros * 1000).expect("below 1e9"))
            .expect("a year that jiff has");
        let local = time.to_zoned_datetime(zone.clone());
        let front = priority.map_or(String::new(), |priority| format!("<{priority}>"));
        let tag = match pid {
            Some(pid) => format!("{program}[{pid}]:"),
            None => format!("{program}:"),
        };
        let pid_field = pid.map_or("-".to_owned(), |pid| pid.to_string());
        let said = match times {
            1 => message.clone(),
            _ => format!("message repeated {times} times: [ {message}]"),
        };
        let full = time.as_microsecond().div_euclid(1000);
        let traditional = local.strftime("%b %e %T");
        let padded = local.strftime("%b %d %T");
        let iso = local.strftime("%FT%T%.6f%:z");
        let utc = time.strftime("%F %T%.fZ");
        let bare = local.strftime("%FT%T%.f");
        for (line, time_ms, host) in [
            (format!("{front}{traditional} {host} {tag} {said}"), second * 1000, host.as_str()),
            (format!("{front}{padded} {tag} {said}"), second * 1000, ""),
            (format!("{front}{iso} {host} {tag} {said}"), full, &host),
            (format!("{front}{utc} {host} {tag} {said}"), full, &host),
            (format!("{front}{bare} {tag} {said}"), full, ""),
            (format!("{front}1 {iso} {host} {program} {pid_field} - - {said}"), full, &host),
            (format!("{front}1 {iso} - {program} {pid_field} x [a b=\"]\"]  {said}"), full, ""),
        ] {
            let expected = Record {
                time_ms: Some(time_ms),
                host: host.as_bytes(),
                program: program.as_bytes(),
                pid,
                priority: priority.map(|priority| priority % 8),
                message: message.as_bytes(),
                repeated: times,
            };
            let mut headers = Headers::new(zone.clone(), now_ms);
            prop_assert_eq!(headers.read(line.as_bytes()), expected, "{}", line);
            prop_assert_eq!(headers.read(line.as_bytes()), expected, "{} again", line);
        }
    }

    /// A log that runs on, a minute of disorder in it, keeps its years and hours for decades.
    #[test]
    fn a_log_runs_on(
        zone in prop::sample::select(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"].as_slice()),
        start in 0..2_000_000_000_i64,
        steps in prop::collection::vec((prop_oneof![0..20_i64, 0..1_500_i64, 0..12_000_000_i64], 0..60_i64), 1..80),
    ) {
        let zone = TimeZone::get(zone).expect("a zone that jiff has");
        let noon = |second: i64| second - second.rem_euclid(86_400) + 43_200;
        let mut second = noon(start);
        let mut headers = Headers::new(zone.clone(), (second + 12_000_000) * 1000);
        for (step, late) in steps {
            // A silence that ends in the hour that is had twice cannot be told: it ends at noon.
            second = if step < 1_500 { second + step } else { noon(second + step) };
            let time = Timestamp::from_second(second).expect("a year that jiff has") - late.seconds();
            let line = format!("{} mx1 x: x", time.to_zoned_datetime(zone.clone()).strftime("%b %e %T"));
            // The first lines after a silence.
            for _ in 0..if step < 1_500 { 1 } else { 8 } {
                let read = headers.read(line.as_bytes()).time_ms;
                prop_assert_eq!(read, Some(time.as_millisecond()), "{} {}", time, line);
            }
        }
    }
}
