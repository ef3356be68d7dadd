//! Each thing that may happen to a followed file, by its name in `docs/following.md`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::time::Duration;

use maillog_exporter::source::{FileFollower, From, LINE_BYTES_MAX, SourceError};

use crate::source_fixture::{Fixture, append, said, writer};

#[test]
fn growth() {
    let mut log = Fixture::with("1\n2\n");
    assert_eq!(log.read(), "1\n2\n");
    assert_eq!(log.read(), "");
    log.append("3\n");
    assert_eq!(log.read(), "3\n");
    assert_eq!(log.stats().bytes_read, 6);
    assert!(log.stats().up && log.follower().is_caught_up());
}

#[test]
fn a_fragment_waits_for_its_newline() {
    let mut log = Fixture::with("1\n2");
    assert_eq!(log.read(), "1\n");
    log.rest();
    assert_eq!(log.read(), "");
    assert!(log.follower().is_caught_up());
    assert_eq!(log.stats().lag_bytes, 1);
    log.append("2\n\n3");
    assert_eq!(log.read(), "22\n\n");
}

#[test]
fn from_the_end() {
    let mut log = Fixture::empty();
    log.append("1\n2");
    log.follow_from(From::End);
    assert_eq!(log.read(), "");
    log.append("2\n3\n");
    assert_eq!(log.read(), "22\n3\n");
    log.rename("mail.log", "mail.log.1");
    log.append("4\n");
    assert_eq!(log.read_on(), "4\n");
}

#[test]
fn from_the_end_amid_a_long_line() {
    let mut log = Fixture::empty();
    log.append(&"a".repeat(3 * LINE_BYTES_MAX));
    log.follow_from(From::End);
    log.append("b\n1\n");
    assert_eq!(log.read(), "b\n1\n");
}

#[test]
fn from_the_end_of_a_file_that_appears_later() {
    let mut log = Fixture::empty();
    log.follow_from(From::End);
    assert_eq!(log.read(), "");
    log.append("1\n");
    assert_eq!(log.read(), "1\n");
}

#[test]
fn rename_and_create() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.append("2\n");
    log.rename("mail.log", "mail.log.1");
    log.append("3\n");
    assert_eq!(log.read(), "2\n");
    assert!(!log.follower().is_caught_up());
    log.rest();
    assert_eq!(log.read(), "3\n");
    log.append("4\n");
    assert_eq!(log.read(), "4\n");
    assert_eq!((log.stats().rotations, log.stats().errors), (1, 0));
    assert!(log.follower().is_caught_up());
}

#[test]
fn renamed_and_created_later() {
    let mut log = Fixture::with("1\n");
    log.rename("mail.log", "mail.log.1");
    assert_eq!(log.read(), "1\n");
    assert!(log.stats().up, "a moment without a file is no condition");
    append(&log.beside("mail.log.1"), "2\n");
    assert_eq!(log.read(), "2\n");
    log.rest();
    log.rest();
    assert_eq!(log.read(), "");
    assert!(!log.stats().up);
    log.append("3\n");
    assert_eq!(log.read_on(), "3\n");
    assert!(log.stats().up);
    log.rename("mail.log", "mail.log.1");
    assert_eq!(log.read(), "");
    assert!(log.stats().up, "each moment is one of its own");
    assert_eq!((log.stats().rotations, log.stats().errors), (1, 1));
}

#[test]
fn a_writer_that_reopens_late() {
    let mut log = Fixture::with("1\n");
    let mut old = writer(&log.path);
    assert_eq!(log.read(), "1\n");
    log.rename("mail.log", "mail.log.1");
    log.append("");
    for line in ["2\n", "3\n", "4\n"] {
        log.rest();
        old.write_all(line.as_bytes()).unwrap();
        assert_eq!(log.read(), line, "the new file is empty");
    }
    log.rest();
    old.write_all(b"5\n").unwrap();
    log.append("6\n");
    assert_eq!(log.read(), "5\n", "the old file has not rested");
    log.now += Duration::from_millis(500);
    assert_eq!(log.read(), "");
    old.write_all(b"5b\n").unwrap();
    log.rest();
    assert_eq!(log.read(), "5b\n", "it has grown before we left");
    log.rest();
    assert_eq!(log.read(), "6\n");
    assert_eq!(log.stats().rotations, 1);
}

#[test]
fn a_fragment_of_a_file_that_never_grows_again() {
    let mut log = Fixture::with("1\n2");
    assert_eq!(log.read(), "1\n");
    log.rename("mail.log", "mail.log.1");
    log.append("3\n");
    assert_eq!(log.read(), "");
    log.rest();
    assert_eq!(log.read(), "2\n3\n");
}

#[test]
fn several_renames_between_two_looks() {
    let mut log = Fixture::empty();
    append(&log.beside("mail.log.1"), "old\n");
    log.append("1\n");
    log.follow();
    assert_eq!(log.read(), "1\n");
    for line in ["2\n", "3\n", "4\n"] {
        for at in (1..5).rev() {
            let _ = fs::rename(
                log.beside(&format!("mail.log.{at}")),
                log.beside(&format!("mail.log.{}", at + 1)),
            );
        }
        log.rename("mail.log", "mail.log.1");
        log.append(line);
    }
    let mut text = log.read_on();
    text += &log.read_on();
    assert_eq!(text, "2\n3\n4\n");
    assert_eq!(log.stats().rotations, 3);
}

#[test]
fn several_dated_renames_between_two_looks() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.rename("mail.log", "mail.log-20261122");
    log.append("2\n");
    log.rename("mail.log", "mail.log-20261123");
    fs::copy(log.beside("mail.log-20261122"), log.beside("mail.log-1")).unwrap();
    log.append("3\n");
    let mut text = log.read_on();
    text += &log.read_on();
    assert_eq!(text, "2\n3\n", "a copy is not read");
}

#[test]
fn copytruncate() {
    let mut log = Fixture::with("1\n2\n");
    assert_eq!(log.read(), "1\n2\n");
    fs::copy(&log.path, log.beside("mail.log.1")).unwrap();
    log.truncate();
    log.append("3\n");
    assert_eq!(log.read(), "3\n");
    assert_eq!((log.stats().truncations, log.stats().lost_bytes), (1, 0));
    log.rename("mail.log", "mail.log.2");
    log.append("4\n");
    assert_eq!(log.read_on(), "4\n", "the copy is not read");
    assert_eq!((log.stats().truncations, log.stats().rotations), (1, 1));
}

#[test]
fn copytruncate_under_a_writer_that_keeps_its_offset() {
    let log = Fixture::empty();
    let file = fs::File::create(&log.path).unwrap();
    file.write_all_at(b"1\n2\n", 0).unwrap();
    let mut log = log;
    log.follow();
    assert_eq!(log.read(), "1\n2\n");
    file.set_len(0).unwrap();
    file.write_all_at(b"3\n", 4).unwrap();
    assert_eq!(log.read(), "3\n");
    file.set_len(0).unwrap();
    file.write_all_at(b"4\n5", 3_000_000_000).unwrap();
    assert_eq!(log.read(), "4\n");
    file.write_all_at(b"5\n", 3_000_000_003).unwrap();
    assert_eq!(log.read(), "55\n");
    assert_eq!(log.stats().truncations, 2);
}

#[test]
fn truncation_grown_past_the_old_offset() {
    let mut log = Fixture::with("1 first\n");
    assert_eq!(log.read(), "1 first\n");
    log.truncate();
    log.append("2 second\n3 third\n");
    assert_eq!(log.read(), "2 second\n3 third\n");
    assert_eq!(log.stats().truncations, 1);
}

#[test]
fn truncation_of_unread_lines() {
    let mut log = Fixture::with("1\n2");
    assert_eq!(log.read(), "1\n");
    log.append("\n3\n");
    log.truncate();
    log.append("4\n");
    assert_eq!(log.read(), "4\n");
    assert_eq!((log.stats().truncations, log.stats().lost_bytes), (1, 1));
}

#[test]
fn a_fragment_taken_back() {
    let mut log = Fixture::with("1\n22");
    assert_eq!(log.read(), "1\n");
    let file = writer(&log.path);
    file.set_len(2).unwrap();
    assert_eq!(log.read(), "");
    log.append("2\n");
    assert_eq!(log.read(), "2\n", "what was read is not read again");
    assert_eq!((log.stats().truncations, log.stats().lost_bytes), (1, 2));
}

#[test]
fn deletion_and_creation() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.append("2\n3");
    fs::remove_file(&log.path).unwrap();
    log.append("4\n");
    assert_eq!(log.read_on(), "2\n3\n4\n");
    assert_eq!(log.stats().rotations, 1);
}

#[test]
fn a_deleted_file_is_given_back_in_the_end() {
    let mut log = Fixture::with("1\n2");
    assert_eq!(log.read(), "1\n");
    fs::remove_file(&log.path).unwrap();
    log.now += Duration::from_secs(300);
    assert_eq!(log.read(), "");
    log.now += Duration::from_secs(301);
    assert_eq!(log.read(), "2\n");
    assert_eq!(log.read(), "");
    assert_eq!(log.follower().positions().count(), 0);
    log.append("3\n");
    assert_eq!(log.read(), "3\n");
}

#[test]
fn moved_into_place() {
    let mut log = Fixture::with("1\n");
    log.read();
    append(&log.beside("new"), "2\n");
    log.rename("new", "mail.log");
    assert_eq!(log.read_on(), "2\n");
    append(&log.beside("new"), "3\n");
    log.rename("new", "mail.log");
    append(&log.beside("new"), "4\n");
    log.rename("new", "mail.log");
    // The file of line 3 was there and gone between two looks.
    assert_eq!(log.read_on(), "4\n");
}

#[test]
fn moved_away_and_back() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.rename("mail.log", "away");
    assert_eq!(log.read(), "");
    log.rename("away", "mail.log");
    log.append("2\n");
    assert_eq!(log.read(), "2\n");
    assert_eq!(log.stats().rotations, 0);

    log.rename("mail.log", "away");
    log.append("3\n");
    assert_eq!(log.read_on(), "3\n");
    log.rename("away", "mail.log");
    assert_eq!(log.read_on(), "");
    log.append("4\n");
    assert_eq!(log.read_on(), "4\n", "its first lines are not read twice");
}

#[test]
fn moved_back_before_it_was_left() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.rename("mail.log", "away");
    log.append("2\n");
    assert_eq!(log.read(), "");
    log.rename("away", "mail.log");
    log.append("3\n");
    let mut text = log.read_on();
    text += &log.read_on();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["2", "3"]);
}

#[test]
fn a_symlink_switched() {
    let mut log = Fixture::empty();
    append(&log.beside("a"), "1\n");
    append(&log.beside("b"), "3\n");
    symlink("a", &log.path).unwrap();
    log.follow();
    assert_eq!(log.read(), "1\n");
    append(&log.beside("a"), "2\n");
    symlink("b", log.beside("link")).unwrap();
    log.rename("link", "mail.log");
    assert_eq!(log.read_on(), "2\n3\n");
    fs::remove_file(&log.path).unwrap();
    symlink("a", &log.path).unwrap();
    assert_eq!(log.read_on(), "");
    append(&log.beside("a"), "4\n");
    assert_eq!(log.read_on(), "4\n");
}

#[test]
fn a_directory_that_appears_later() {
    let mut log = Fixture::empty();
    log.path = log.beside("mail/today/mail.log");
    let said = said(|| {
        log.follow();
        assert!(!log.stats().up);
        for _ in 0..5 {
            assert_eq!(log.read_on(), "");
        }
    });
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("file is missing"), "{said:?}");
    fs::create_dir_all(log.path.parent().unwrap()).unwrap();
    assert_eq!(log.read(), "");
    log.append("1\n");
    assert_eq!(log.read(), "1\n");
    assert!(log.stats().up);
    assert_eq!(log.stats().errors, 1);
}

#[test]
fn a_permission_lost_and_given_back() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.rename("mail.log", "mail.log.1");
    log.append("2\n");
    let path = log.path.clone();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(log.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    mode(0o600);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: changes who this thread is to the file system; the thread ends with it.
            unsafe { libc::setfsuid(65534) };
            if fs::File::open(&log.path).is_ok() {
                mode(0);
            }
            let said = said(|| {
                for _ in 0..3 {
                    assert_eq!(log.read_on(), "");
                    assert!(!log.stats().up);
                }
            });
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains("cannot open file"), "{said:?}");
            assert!(said[0].contains(path.to_str().unwrap()), "{said:?}");
        });
    });
    mode(0o644);
    assert_eq!(log.read_on(), "2\n");
    assert!(log.stats().up);
    assert_eq!((log.stats().errors, log.stats().rotations), (1, 1));
}

#[test]
fn replaced_by_a_directory() {
    let mut log = Fixture::with("1\n");
    assert_eq!(log.read(), "1\n");
    log.append("2\n");
    log.rename("mail.log", "mail.log.1");
    fs::create_dir(&log.path).unwrap();
    let said = said(|| {
        assert_eq!(log.read_on(), "2\n");
        assert_eq!(log.read_on(), "");
    });
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("found=\"a directory\""), "{said:?}");
    assert!(!log.stats().up);
    fs::remove_dir(&log.path).unwrap();
    log.append("3\n");
    assert_eq!(log.read_on(), "3\n");
    assert!(log.stats().up);
    assert_eq!(log.stats().errors, 1);
}

#[test]
fn replaced_by_a_fifo_does_not_block() {
    let mut log = Fixture::with("1\n");
    log.read();
    fs::remove_file(&log.path).unwrap();
    fifo(&log.path);
    assert_eq!(log.read_on(), "");
    assert!(!log.stats().up);
}

#[test]
fn each_rotation_is_said_once() {
    let mut log = Fixture::with("1\n");
    let said = said(|| {
        log.read();
        log.rename("mail.log", "mail.log.1");
        log.append("2\n");
        for _ in 0..5 {
            log.read();
        }
        log.rest();
        log.read();
        log.truncate();
        log.append("\n");
        for _ in 0..5 {
            log.read();
        }
    });
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("file rotated"), "{said:?}");
    assert!(said[1].contains("file truncated") && said[1].contains("lost_bytes=0"));
}

#[test]
fn not_a_file_from_the_start() {
    let log = Fixture::empty();
    let open = |path: &std::path::Path| {
        let spec = path.to_str().unwrap().parse().unwrap();
        FileFollower::open(spec, From::Start, log.now)
    };
    assert!(matches!(
        open(log.dir.path()),
        Err(SourceError::NotAFile {
            what: "a directory",
            ..
        })
    ));
    assert!(matches!(
        open("/dev/null".as_ref()),
        Err(SourceError::NotAFile {
            what: "a device",
            ..
        })
    ));
    fifo(&log.path);
    let error = open(&log.path).unwrap_err();
    assert!(error.to_string().contains("stdin"), "{error}");
    symlink("loop", log.beside("loop")).unwrap();
    assert!(matches!(
        open(&log.beside("loop")),
        Err(SourceError::SymlinkLoop { .. })
    ));
    symlink("nowhere", log.beside("dangling")).unwrap();
    assert!(open(&log.beside("dangling")).is_ok());
}

#[test]
fn long_lines_are_cut_and_counted() {
    let longest = "a".repeat(LINE_BYTES_MAX);
    let mut log = Fixture::with(&format!("1\n{longest}\n2\n{longest}b\n3\n"));
    let text = log.read();
    assert_eq!(text, format!("1\n{longest}\n2\n{longest}\n3\n"));
    assert_eq!(log.stats().long_lines_cut, 1);
    let size = fs::metadata(&log.path).unwrap().len();
    assert_eq!(log.stats().bytes_read, size);

    // Longer than any block, in pieces, and without its newline when it is rotated.
    for _ in 0..20 {
        log.append(&longest);
        assert_eq!(log.read(), "");
    }
    log.append("\n4\n");
    assert_eq!(log.read(), format!("{longest}\n4\n"));
    for _ in 0..9 {
        log.append(&longest);
    }
    log.rename("mail.log", "mail.log.1");
    log.append("5\n");
    assert_eq!(log.read_on(), format!("{longest}\n5\n"));
    assert_eq!(log.stats().long_lines_cut, 3);
    assert_eq!(log.stats().lag_bytes, 0);
    log.append(&format!("{longest}b"));
    log.rename("mail.log", "mail.log.1");
    log.append("6\n");
    assert_eq!(log.read_on(), format!("{longest}\n6\n"));
    assert_eq!(log.stats().long_lines_cut, 4);
}

#[test]
fn a_pattern_finds_new_files_and_reads_none_twice() {
    let mut log = Fixture::empty();
    log.follow_pattern("mail.*");
    assert!(!log.stats().up);
    assert_eq!((log.read(), log.stats().errors), (String::new(), 1));
    append(&log.beside("mail.err"), "1\n");
    append(&log.beside("other"), "no\n");
    append(&log.beside("mail.log.2.gz"), "no\n");
    log.rest();
    assert_eq!(log.read(), "1\n");
    assert!(log.stats().up);
    log.append("2\n");
    log.rest();
    assert_eq!(log.read(), "2\n");
    for round in 0..5 {
        // Both names match, and so does that of the rotated file.
        let _ = fs::rename(log.beside("mail.log.1"), log.beside("mail.log.2"));
        log.rename("mail.log", "mail.log.1");
        append(&log.beside("mail.log.1"), &format!("late {round}\n"));
        log.append(&format!("new {round}\n"));
        let mut text = log.read_on();
        text += &log.read_on();
        text += &log.read_on();
        assert_eq!(text, format!("late {round}\nnew {round}\n"));
    }
    assert_eq!(log.stats().errors, 1);
}

#[test]
fn a_pattern_lets_no_file_starve() {
    let mut log = Fixture::empty();
    append(&log.beside("mail.a"), &"a\n".repeat(1_000_000));
    append(&log.beside("mail.b"), "b\n");
    log.follow_pattern("mail.[ab]");
    let now = log.now;
    let blocks: Vec<_> = (0..2)
        .map(|_| log.follower().next_block(now).unwrap().lines.len())
        .collect();
    assert!(blocks.contains(&2), "{blocks:?}");
    let progress = log.follower().progress();
    assert_eq!(progress.total_bytes, 2_000_002);
    assert!(progress.read_bytes < 1_000_000);
}

#[test]
fn a_position_says_where_we_stand() {
    let mut log = Fixture::with("1\n2");
    let now = log.now;
    let block = log.follower().next_block(now).unwrap();
    assert_eq!(block.position.offset, 2);
    assert_eq!(block.position.fingerprint.bytes, 3);
    let text = serde_json::to_string(&block.position).unwrap();
    let again: maillog_exporter::source::Position = serde_json::from_str(&text).unwrap();
    assert_eq!(again, block.position);
}

fn fifo(path: &std::path::Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: a path that ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0);
}
