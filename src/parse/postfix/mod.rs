//! Postfix, 2.x to 3.12: a file for each daemon of the delivery path, and one for each thing that
//! several of them print.
//!
//! Never: a rule that looks for a word anywhere in text that others wrote.
//! Start reading at [`classify`], then [`parse`].

mod bare;
mod bounce;
mod cleanup;
mod delivery;
mod discard;
mod error;
mod local;
mod pickup;
mod pipe;
mod postsuper;
mod process;
mod qmgr;
mod queue_id;
mod reject;
mod smtp;
mod smtpd;
mod tls;
mod virtual_;
mod whatsup;

pub(crate) use delivery::read_dsn;
pub use process::severity;

use super::event::{Event, Kind, Program, Service, Software};

/// The last part of the tag: which rules read its lines.
const DAEMONS: &[(&[u8], Kind)] = &[
    (b"smtpd", Kind::Smtpd),
    (b"qmgr", Kind::Qmgr),
    (b"cleanup", Kind::Cleanup),
    (b"smtp", Kind::Smtp),
    (b"lmtp", Kind::Lmtp),
    (b"local", Kind::Local),
    (b"virtual", Kind::Virtual),
    (b"pipe", Kind::Pipe),
    (b"pickup", Kind::Pickup),
    (b"bounce", Kind::Bounce),
    (b"defer", Kind::Bounce),
    (b"trace", Kind::Bounce),
    (b"error", Kind::Error),
    (b"retry", Kind::Error),
    (b"discard", Kind::Discard),
    (b"oqmgr", Kind::Qmgr),
    (b"nqmgr", Kind::Qmgr),
    (b"postsuper", Kind::Postsuper),
];

/// Programs of Postfix whose lines no rule reads yet.
const OTHERS: &[&[u8]] = &[
    b"anvil",
    b"dnsblog",
    b"flush",
    b"master",
    b"post-install",
    b"postalias",
    b"postcat",
    b"postconf",
    b"postdrop",
    b"postfix",
    b"postfix-script",
    b"postfix-tls-script",
    b"postfix-wrapper",
    b"postkick",
    b"postlock",
    b"postlog",
    b"postlogd",
    b"postmap",
    b"postmulti",
    b"postmulti-script",
    b"postqueue",
    b"postscreen",
    b"posttls-finger",
    b"proxymap",
    b"proxywrite",
    b"qmqpd",
    b"rewrite",
    b"scache",
    b"sendmail",
    b"showq",
    b"spawn",
    b"tlsmgr",
    b"tlsproxy",
    b"trivial-rewrite",
    b"verify",
];

/// `postfix/smtpd`, `postfix-out/submission/smtpd`, `submission/smtpd`, `postfix`; `None` for tags
/// that are not Postfix's.
pub(super) fn classify(tag: &[u8]) -> Option<Program<'_>> {
    let Some(at) = memchr::memrchr(b'/', tag) else {
        return alone(tag);
    };
    let process = tag.get(at + 1..)?;
    let path = tag.get(..at)?;
    let (instance, service_name) = match memchr::memchr(b'/', path) {
        Some(at) => (path.get(..at)?, Some(path.get(at + 1..)?)),
        None => (path, None),
    };
    // Others that write their tags with a slash have daemons of the same names.
    if instance.starts_with(b"cyrus") || instance.starts_with(b"dovecot") {
        return None;
    }
    let ours = instance.starts_with(b"postfix");
    let daemon = DAEMONS.iter().find(|(name, _)| *name == process);
    let kind = match daemon {
        Some((_, kind)) => *kind,
        None if ours || OTHERS.contains(&process) => Kind::PostfixOther,
        None => return None,
    };
    Some(Program {
        software: Software::Postfix,
        process,
        instance,
        service_name,
        service: match kind {
            Kind::Smtpd => smtpd_service(path),
            Kind::Smtp => Service::Smtp,
            Kind::Lmtp => Service::Lmtp,
            _ => Service::Other,
        },
        kind,
    })
}

/// A tag without a slash. Daemons' names alone are not enough: OpenSMTPD's is `smtpd`.
fn alone(tag: &[u8]) -> Option<Program<'_>> {
    let (kind, process) = match tag {
        b"postfix" => (Kind::PostfixBare, &b""[..]),
        b"postfix-script" | b"postfix-wrapper" => (Kind::PostfixOther, tag),
        _ => return None,
    };
    Some(Program {
        software: Software::Postfix,
        process,
        instance: b"postfix",
        service_name: None,
        service: match kind {
            Kind::PostfixBare => Service::Smtp,
            _ => Service::Other,
        },
        kind,
    })
}

/// The service that its administrator has named in the tag, else port 25.
fn smtpd_service(path: &[u8]) -> Service {
    let has = |word: &[u8]| memchr::memmem::find(path, word).is_some();
    let is_part = |word: &[u8]| {
        path.split(|byte| !byte.is_ascii_alphanumeric())
            .any(|part| part == word)
    };
    if has(b"submissions") || has(b"smtps") || has(b"ssmtp") || is_part(b"465") {
        Service::Submissions
    } else if has(b"submission") || is_part(b"msa") || is_part(b"587") {
        Service::Submission
    } else {
        Service::Smtp
    }
}

#[inline]
pub(super) fn parse<'a>(kind: Kind, message: &'a [u8]) -> Event<'a> {
    match kind {
        Kind::Qmgr => qmgr::parse(message),
        Kind::Smtpd => smtpd::parse(message),
        Kind::Cleanup => cleanup::parse(message),
        Kind::Smtp | Kind::Lmtp => smtp::parse(kind, message),
        Kind::Local => local::parse(message),
        Kind::Virtual => virtual_::parse(message),
        Kind::Pipe => pipe::parse(message),
        Kind::Error => error::parse(message),
        Kind::Discard => discard::parse(message),
        Kind::Pickup => pickup::parse(message),
        Kind::Bounce => bounce::parse(message),
        Kind::Postsuper => postsuper::parse(message),
        Kind::PostfixBare => bare::parse(message),
        Kind::PostfixOther | Kind::Unknown => Event::Unparsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let of = |tag: &'static str| {
            classify(tag.as_bytes()).map(|p| {
                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                (
                    text(p.process),
                    text(p.instance),
                    p.service_name.map(text),
                    p.service,
                    p.kind,
                )
            })
        };
        use Service::*;
        for (tag, process, instance, name, service, kind) in [
            ("postfix/smtpd", "smtpd", "postfix", None, Smtp, Kind::Smtpd),
            (
                "postfix/submission/smtpd",
                "smtpd",
                "postfix",
                Some("submission"),
                Submission,
                Kind::Smtpd,
            ),
            (
                "postfix-out/submission/smtpd",
                "smtpd",
                "postfix-out",
                Some("submission"),
                Submission,
                Kind::Smtpd,
            ),
            (
                "submission/smtpd",
                "smtpd",
                "submission",
                None,
                Submission,
                Kind::Smtpd,
            ),
            (
                "postfix/smtps/smtpd",
                "smtpd",
                "postfix",
                Some("smtps"),
                Submissions,
                Kind::Smtpd,
            ),
            (
                "postfix/submissions/smtpd",
                "smtpd",
                "postfix",
                Some("submissions"),
                Submissions,
                Kind::Smtpd,
            ),
            (
                "postfix/587/smtpd",
                "smtpd",
                "postfix",
                Some("587"),
                Submission,
                Kind::Smtpd,
            ),
            (
                "postfix-msa/smtpd",
                "smtpd",
                "postfix-msa",
                None,
                Submission,
                Kind::Smtpd,
            ),
            (
                "postfix-samsa/smtpd",
                "smtpd",
                "postfix-samsa",
                None,
                Smtp,
                Kind::Smtpd,
            ),
            (
                "postfix/10025/smtpd",
                "smtpd",
                "postfix",
                Some("10025"),
                Smtp,
                Kind::Smtpd,
            ),
            (
                "postfix/amavisd/smtpd",
                "smtpd",
                "postfix",
                Some("amavisd"),
                Smtp,
                Kind::Smtpd,
            ),
            (
                "postfix-slow/smtp",
                "smtp",
                "postfix-slow",
                None,
                Smtp,
                Kind::Smtp,
            ),
            (
                "postfix/relay/smtp",
                "smtp",
                "postfix",
                Some("relay"),
                Smtp,
                Kind::Smtp,
            ),
            ("postfix/lmtp", "lmtp", "postfix", None, Lmtp, Kind::Lmtp),
            (
                "postfix/a/b/cleanup",
                "cleanup",
                "postfix",
                Some("a/b"),
                Other,
                Kind::Cleanup,
            ),
            ("postfix/oqmgr", "oqmgr", "postfix", None, Other, Kind::Qmgr),
            (
                "postfix/retry",
                "retry",
                "postfix",
                None,
                Other,
                Kind::Error,
            ),
            (
                "postfix/trace",
                "trace",
                "postfix",
                None,
                Other,
                Kind::Bounce,
            ),
            (
                "postfix/postscreen",
                "postscreen",
                "postfix",
                None,
                Other,
                Kind::PostfixOther,
            ),
            (
                "postfix/greylist",
                "greylist",
                "postfix",
                None,
                Other,
                Kind::PostfixOther,
            ),
            (
                "/postfix-script",
                "postfix-script",
                "",
                None,
                Other,
                Kind::PostfixOther,
            ),
            ("postfix", "", "postfix", None, Smtp, Kind::PostfixBare),
        ] {
            assert_eq!(
                of(tag),
                Some((process, instance, name, service, kind)),
                "{tag}"
            );
        }
        for tag in [
            "smtpd",
            "cyrus/master",
            "cyrus/lmtp",
            "dovecot",
            "systemd",
            "",
            "/",
            "a/b",
            "postfix-policyd-spf-perl",
        ] {
            assert_eq!(of(tag), None, "{tag}");
        }
    }
}
