//! Label values: what the log says, made fit to be a label.
//!
//! In: bytes of the log, hostile. Out: text that stands between quotes, or the number of a word.
//! Never: a value that two different texts share, but for bytes that are not UTF-8 (all U+FFFD);
//! never a value longer than [`VALUE_BYTES_MAX`] and a mark.

use std::borrow::Cow;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Stands for all values of a limited label that have no series of their own.
pub const REST: &str = "_other";
/// Stands for the relay of a delivery that made no connection, the domain of an address without.
pub const NONE: &str = "none";
/// Longer values are cut here and marked with a digest of the whole.
pub const VALUE_BYTES_MAX: usize = 200;

/// `result` of authentications and commands.
pub const RESULTS: [&str; 2] = ["success", "failure"];
/// `dsn_class` of deliveries; empty for anything else.
pub const DSN_CLASSES: [&str; 4] = ["", "2", "4", "5"];

/// The SASL mechanisms that have a name in the `mechanism` label; the text is a client's.
pub const MECHANISMS: [&str; 16] = [
    "",
    "ANONYMOUS",
    "CRAM-MD5",
    "DIGEST-MD5",
    "EXTERNAL",
    "GS2-KRB5",
    "GSSAPI",
    "LOGIN",
    "NTLM",
    "OAUTHBEARER",
    "PLAIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "XOAUTH2",
    "other",
];

/// The commands of a disconnect line. `commands=` is their sum and no command.
/// Source: postfix smtpd/smtpd.c smtpd_cmd_table.
pub const COMMANDS: [&str; 20] = [
    "auth", "bdat", "data", "ehlo", "etrn", "expn", "help", "helo", "lhlo", "mail", "noop", "quit",
    "rcpt", "rset", "starttls", "unknown", "vrfy", "xclient", "xforward", "other",
];

/// SMTP reply codes of a refusal; `other` for the rest, empty where the line has none.
pub const CODES: [&str; 29] = [
    "", "421", "450", "451", "452", "454", "455", "500", "501", "502", "503", "504", "521", "523",
    "530", "534", "535", "538", "541", "550", "551", "552", "553", "554", "555", "556", "557",
    "571", "other",
];

/// The place in [`CODES`] of each number of three digits.
const CODE_IDS: [u8; 1_000] = {
    let rest = CODES.len() as u8 - 1;
    let mut ids = [rest; 1_000];
    let mut place = 1;
    while place < CODES.len() - 1 {
        let digits = CODES[place].as_bytes();
        let number = (digits[0] - b'0') as usize * 100
            + (digits[1] - b'0') as usize * 10
            + (digits[2] - b'0') as usize;
        ids[number] = place as u8;
        place += 1;
    }
    ids
};

/// The place of `code` in [`CODES`].
pub fn code_id(code: Option<u16>) -> u16 {
    match code {
        Some(code) => CODE_IDS
            .get(usize::from(code))
            .map_or(CODES.len() as u16 - 1, |&id| u16::from(id)),
        None => 0,
    }
}

/// The place of `mechanism` in [`MECHANISMS`], whatever its case.
pub fn mechanism_id(mechanism: &[u8]) -> u16 {
    match mechanism {
        b"PLAIN" => MECHANISM_PLAIN,
        b"LOGIN" => MECHANISM_LOGIN,
        _ => word_id(&MECHANISMS, mechanism),
    }
}

const MECHANISM_LOGIN: u16 = 7;
const MECHANISM_PLAIN: u16 = 10;

/// The place of `command` in [`COMMANDS`]; `None` for the sum.
pub fn command_id(command: &[u8]) -> Option<u16> {
    // A disconnect line says half a dozen of them.
    Some(match command {
        b"auth" => 0,
        b"data" => 2,
        b"ehlo" => 3,
        b"mail" => 9,
        b"quit" => 11,
        b"rcpt" => 12,
        b"starttls" => 14,
        b"commands" => return None,
        _ => word_id(&COMMANDS, command),
    })
}

/// The place of a word in a short list whose last entry is for all others.
fn word_id(words: &[&str], word: &[u8]) -> u16 {
    words
        .iter()
        .position(|known| known.as_bytes().eq_ignore_ascii_case(word))
        .unwrap_or(words.len() - 1) as u16
}

/// How many transports have a name, `other` not counted.
pub const TRANSPORTS_MAX: usize = 64;

/// The services of `master.cf` that Postfix knows out of the box.
const TRANSPORTS_KNOWN: [&str; 9] = [
    "smtp", "relay", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard",
];

/// The transports, numbered in the order in which they came. Number 0 is `other`.
pub(super) struct Transports {
    by_text: HashMap<Box<[u8]>, u16, RandomState>,
    names: Vec<String>,
}

impl Transports {
    pub fn new() -> Self {
        let mut transports = Transports {
            by_text: HashMap::default(),
            names: vec!["other".to_owned()],
        };
        for name in TRANSPORTS_KNOWN {
            transports.add(name.as_bytes());
        }
        transports
    }

    /// The number of a transport; a new one as long as there is room.
    pub fn id(&mut self, text: &[u8]) -> u16 {
        match text {
            b"smtp" => return 1,
            b"relay" => return 2,
            b"lmtp" => return 3,
            _ => {}
        }
        if let Some(&id) = self.by_text.get(text) {
            return id;
        }
        self.add(text)
    }

    #[cold]
    fn add(&mut self, text: &[u8]) -> u16 {
        if self.names.len() > TRANSPORTS_MAX || text.len() > VALUE_BYTES_MAX || text == b"other" {
            return 0;
        }
        let name = String::from_utf8_lossy(text).into_owned();
        // Bytes that are not UTF-8 may give a name that is there already.
        let id = match self.names.iter().position(|known| *known == name) {
            Some(place) => place as u16,
            None => {
                self.names.push(name);
                self.names.len() as u16 - 1
            }
        };
        // The aliases are bounded by this too.
        if self.by_text.len() < 2 * TRANSPORTS_MAX {
            self.by_text.insert(text.into(), id);
        }
        id
    }

    pub fn name(&self, id: u16) -> &str {
        &self.names[usize::from(id)]
    }
}

/// How accounts are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Privacy {
    /// As they are.
    #[default]
    Full,
    /// `@example.com`; `uid` and `ip` for accounts without a name.
    Domain,
    /// The first 16 hex digits of an HMAC-SHA256 of the name with this key.
    Hash(Vec<u8>),
    /// No series of accounts at all.
    Off,
}

impl Privacy {
    /// The `user` label of an account.
    pub(super) fn user<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self {
            Privacy::Full | Privacy::Off => Cow::Borrowed(name),
            Privacy::Domain => Cow::Borrowed(match name.rfind('@') {
                Some(at) => &name[at..],
                None if name.starts_with("uid:") => "uid",
                None if name.starts_with("ip:") => "ip",
                None => "@",
            }),
            Privacy::Hash(key) => {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes keys of any length");
                mac.update(name.as_bytes());
                Cow::Owned(hex(&mac.finalize().into_bytes()[..8]))
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

/// Writes `value` into `out` as it stands between the quotes of a label: never as one of our own
/// words, cut at [`VALUE_BYTES_MAX`], escaped. `out` is not cleared.
pub(super) fn write_value(value: &[u8], reserved: &[&str], out: &mut String) {
    let mut text = String::from_utf8_lossy(value);
    if text.len() > VALUE_BYTES_MAX {
        let mut end = VALUE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // Two long values with one beginning stay two.
        let digest = Sha256::digest(value);
        text = Cow::Owned(format!("{}...{}", &text[..end], hex(&digest[..8])));
    }
    // `_other` in the log is `__other` here, `__other` is `___other`, and so on.
    let bare = text.trim_start_matches('_');
    if reserved
        .iter()
        .any(|word| word.trim_start_matches('_') == bare && text.len() >= word.len())
    {
        out.push('_');
    }
    escape(&text, out);
}

/// Escapes as both text formats want it: backslash, quote, newline.
pub(super) fn escape(text: &str, out: &mut String) {
    for part in text.split_inclusive(['\\', '"', '\n']) {
        match part.as_bytes().last() {
            Some(b'\\') => out.extend([&part[..part.len() - 1], "\\\\"]),
            Some(b'"') => out.extend([&part[..part.len() - 1], "\\\""]),
            Some(b'\n') => out.extend([&part[..part.len() - 1], "\\n"]),
            _ => out.push_str(part),
        }
    }
}

/// The reverse of [`escape`].
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            '\\' => match rest.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

/// Writes a host or domain of the log in lower case, without the root's dot.
pub(super) fn lower_host(raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(raw.strip_suffix(b".").unwrap_or(raw));
    out.make_ascii_lowercase();
}

/// The registrable domain of a host in lower case; an address or an unknown name is itself.
pub(super) fn registrable(host: &[u8]) -> &[u8] {
    let Ok(text) = std::str::from_utf8(host) else {
        return host;
    };
    if text.parse::<IpAddr>().is_ok() {
        return host;
    }
    match psl::domain_str(text) {
        // Labels without a letter are no name.
        Some(domain) if !domain.starts_with('.') => domain.as_bytes(),
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(raw: &[u8]) -> String {
        let mut out = String::new();
        write_value(raw, &[REST, NONE], &mut out);
        out
    }

    #[test]
    fn values() {
        for (raw, label) in [
            (&b"anna@example.com"[..], "anna@example.com"),
            (b"", ""),
            (b"a\"b\\c\nd", r#"a\"b\\c\nd"#),
            (b"\\n", r"\\n"),
            (b"caf\xe9", "caf\u{fffd}"),
            (b"tab\there", "tab\there"),
            (b"_other", "__other"),
            (b"__other", "___other"),
            (b"other", "other"),
            (b"none", "_none"),
            (b"_none", "__none"),
        ] {
            assert_eq!(value(raw), label, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn long_values_stay_apart() {
        let one = "é".repeat(150);
        let two = format!("{one}x");
        assert_ne!(value(one.as_bytes()), value(two.as_bytes()));
        assert!(value(one.as_bytes()).len() < VALUE_BYTES_MAX + 24);
    }

    #[test]
    fn escaping_turns_back() {
        for text in ["", "a", "\\", "\\n", "\n\"\\\\", "x\\\"y\nz"] {
            let mut out = String::new();
            escape(text, &mut out);
            assert!(!out.contains('\n'));
            assert_eq!(unescape(&out), text);
        }
    }

    #[test]
    fn codes() {
        assert_eq!(CODES[usize::from(code_id(Some(550)))], "550");
        assert_eq!(CODES[usize::from(code_id(Some(599)))], "other");
        assert_eq!(CODES[usize::from(code_id(Some(1550)))], "other");
        assert_eq!(CODES[usize::from(code_id(None))], "");
    }

    #[test]
    fn words() {
        for (place, command) in COMMANDS.iter().enumerate() {
            assert_eq!(command_id(command.as_bytes()), Some(place as u16));
        }
        for (place, mechanism) in MECHANISMS.iter().enumerate() {
            assert_eq!(mechanism_id(mechanism.as_bytes()), place as u16);
            let lower = mechanism.to_ascii_lowercase();
            assert_eq!(mechanism_id(lower.as_bytes()), place as u16);
        }
        for (place, code) in CODES.iter().enumerate().skip(1) {
            let code = code.parse().unwrap_or(999);
            assert_eq!(code_id(Some(code)), place as u16);
        }
        let mut transports = Transports::new();
        for name in TRANSPORTS_KNOWN.into_iter().chain(["slow", "other"]) {
            let id = transports.id(name.as_bytes());
            assert_eq!(transports.name(id), name);
        }
    }

    #[test]
    fn registrable_domains() {
        for (host, domain) in [
            (&b"gmail-smtp-in.l.google.com"[..], &b"google.com"[..]),
            (b"mx.example.co.uk", b"example.co.uk"),
            (b"co.uk", b"co.uk"),
            (b"localhost", b"localhost"),
            (b"192.0.2.25", b"192.0.2.25"),
            (b"2001:db8::1", b"2001:db8::1"),
            (b"mail.intern.lan", b"intern.lan"),
            (b"a..b", b"a..b"),
            (b"\xff.example.com", b"\xff.example.com"),
        ] {
            assert_eq!(
                registrable(host).escape_ascii().to_string(),
                domain.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn privacy() {
        let cases = [
            (Privacy::Full, "anna@example.com", "anna@example.com"),
            (Privacy::Domain, "anna@example.com", "@example.com"),
            (Privacy::Domain, "uid:33", "uid"),
            (Privacy::Domain, "ip:192.0.2.1", "ip"),
            (Privacy::Domain, "anna", "@"),
            // RFC 4231, test case 2: the key "Jefe".
            (
                Privacy::Hash(b"Jefe".to_vec()),
                "what do ya want for nothing?",
                "5bdcc146bf60754e",
            ),
        ];
        for (privacy, name, label) in cases {
            assert_eq!(privacy.user(name), label);
        }
    }
}
