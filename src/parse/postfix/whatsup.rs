//! What smtpd and cleanup did to mail, with all that they know of it.
//!
//! ```text
//! ACTION: STAGE from CLIENT: TEXT; from=<a> to=<b> proto=P helo=<h>[ sasl_method=M sasl_username=U]
//! ```
//!
//! Source: postfix smtpd/smtpd_check.c log_whatsup; smtpd/smtpd.c check_milter_reply;
//! cleanup/cleanup_milter.c cleanup_milter_apply. Fields only where known; `sasl_*` since 3.10.
//! Hostile: all after the client. The client's own address, the action, the stage and the code stand
//! before that, and are read from the left.

use super::delivery::{quoted_length, read_dsn};
use super::reject;
use crate::parse::client::client;
use crate::parse::cursor::{Cursor, rsplit_once};
use crate::parse::event::{Acted, Action, Client, Dsn, RejectReason, Stage};

/// How many ends of a text, or of an address, are tried before they are given up.
const ENDS_MAX: usize = 8;

/// `rest` is what stands after `WORD: `.
pub(super) fn parse<'a>(
    queue_id: Option<&'a [u8]>,
    action: Action,
    word: &'a [u8],
    rest: &'a [u8],
) -> Option<Acted<'a>> {
    let mut cursor = Cursor::new(rest);
    let stage = stage(cursor.until(b" from ")?)?;
    let client = client(&mut cursor)?;
    if !cursor.eat(b": ") {
        return None;
    }
    let (text, fields) = split_text(cursor.rest());
    let (code, dsn, reason) = reject::read(action, text);
    Some(Acted {
        queue_id,
        action,
        word,
        stage,
        client,
        code,
        dsn,
        reason,
        text,
        sender: fields.sender,
        recipient: fields.recipient,
        protocol: fields.protocol,
        helo: fields.helo,
        user: fields.user,
    })
}

/// The last SMTP command (smtpd.h), or what followed it.
pub(super) fn stage(text: &[u8]) -> Option<Stage> {
    let word = match memchr::memchr(b' ', text) {
        Some(at) => {
            let (word, after) = text.split_at_checked(at)?;
            // `DATA content`, `DATA (123 bytes)`: nothing else has a space.
            if after != b" content" && !(after.starts_with(b" (") && after.ends_with(b" bytes)")) {
                return None;
            }
            word
        }
        None => text,
    };
    Some(match word {
        b"CONNECT" => Stage::Connect,
        b"HELO" => Stage::Helo,
        b"EHLO" => Stage::Ehlo,
        b"STARTTLS" => Stage::Starttls,
        b"AUTH" => Stage::Auth,
        b"MAIL" => Stage::Mail,
        b"RCPT" => Stage::Rcpt,
        b"DATA" => Stage::Data,
        b"BDAT" => Stage::Bdat,
        b"END-OF-MESSAGE" => Stage::EndOfMessage,
        b"RSET" => Stage::Rset,
        b"NOOP" => Stage::Noop,
        b"VRFY" => Stage::Vrfy,
        b"ETRN" => Stage::Etrn,
        b"QUIT" => Stage::Quit,
        b"UNKNOWN" => Stage::Unknown,
        // XCLIENT, XFORWARD, HELP.
        _ if !word.is_empty() && word.iter().all(|b| b.is_ascii_uppercase() || *b == b'-') => {
            Stage::Other
        }
        _ => return None,
    })
}

#[derive(Clone, Copy, Default)]
pub(super) struct Fields<'a> {
    pub(super) sender: Option<&'a [u8]>,
    pub(super) recipient: Option<&'a [u8]>,
    pub(super) protocol: Option<&'a [u8]>,
    pub(super) helo: Option<&'a [u8]>,
    pub(super) user: Option<&'a [u8]>,
    /// After `helo=<h>: `: cleanup's own text.
    pub(super) comment: Option<&'a [u8]>,
}

/// The text, and the fields after its `;`.
///
/// The first `;` that fields follow: a sender, a recipient and a HELO after it cannot move it. A
/// quoted local part that repeats the fields' shape inside the text can, and then makes its own
/// line's sender, recipient and HELO wrong, nothing else.
pub(super) fn split_text(text: &[u8]) -> (&[u8], Fields<'_>) {
    let begins_fields = |after: &[u8]| {
        after.is_empty()
            || after.starts_with(b" from=<")
            || after.starts_with(b" to=<")
            || after.starts_with(b" proto=")
            || after.starts_with(b" helo=<")
            || after.starts_with(b" sasl_method=")
    };
    memchr::memchr_iter(b';', text)
        .filter_map(|at| {
            let (before, after) = text.split_at_checked(at)?;
            let after = after.get(1..)?;
            begins_fields(after).then_some((before, after))
        })
        .take(ENDS_MAX)
        .find_map(|(before, after)| Some((before, read_fields(after)?)))
        .unwrap_or((text, Fields::default()))
}

/// ` from=<a> to=<b> proto=P helo=<h>...` to the end of the line, or nothing at all.
pub(super) fn read_fields(text: &[u8]) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    let mut cursor = Cursor::new(text);
    if cursor.eat(b" from=<") {
        fields.sender = Some(read_address(&mut cursor, |after| {
            after.starts_with(b" to=<") || follows_recipient(after)
        })?);
    }
    if cursor.eat(b" to=<") {
        fields.recipient = Some(read_address(&mut cursor, follows_recipient)?);
    }
    if cursor.eat(b" proto=") {
        let rest = cursor.rest();
        let end = memchr::memchr2(b' ', b':', rest).unwrap_or(rest.len());
        fields.protocol = cursor.take(end);
    }
    if cursor.eat(b" helo=<") {
        let rest = cursor.rest();
        if let Some((helo, comment)) = split_comment(rest) {
            fields.helo = Some(helo);
            fields.comment = Some(comment);
        } else if rest.ends_with(b">") {
            fields.helo = rest.get(..rest.len() - 1);
        } else {
            let (helo, user) = split_user(rest)?;
            fields.helo = helo.strip_suffix(b">");
            fields.user = Some(user);
        }
        return Some(fields);
    }
    if let Some(comment) = cursor.rest().strip_prefix(b": ") {
        fields.comment = Some(comment);
    } else if let Some((before, user)) = split_user(cursor.rest()) {
        if !before.is_empty() {
            return None;
        }
        fields.user = Some(user);
    } else if !cursor.is_empty() {
        return None;
    }
    Some(fields)
}

/// An HELO name never has a `>` of an honest client's, so the first ends it.
fn split_comment(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'>', text)?;
    let (helo, after) = text.split_at_checked(at)?;
    Some((helo, after.strip_prefix(b">: ")?))
}

/// `...[>] sasl_method=M sasl_username=U[ sasl_sender=S]`: what stands before, and U.
///
/// Since 3.10, last in the line. A HELO can hold the same words, but then the line ends in its `>`,
/// and does not come here. For the same reason the older `sasl_username=<U>` of milter replies is not
/// believed: a HELO can write exactly that.
fn split_user(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, user) = rsplit_once(text, b" sasl_username=")?;
    let (before, method) = rsplit_once(before, b" sasl_method=")?;
    if method.contains(&b' ') {
        return None;
    }
    let user = match rsplit_once(user, b" sasl_sender=") {
        Some((user, _)) => user,
        None => user,
    };
    Some((before, user))
}

/// A field behind the recipient, or the end of the line.
#[inline]
fn follows_recipient(after: &[u8]) -> bool {
    after.starts_with(b" proto=")
        || after.starts_with(b" helo=<")
        || after.starts_with(b": ")
        || after.is_empty()
        || after.starts_with(b" sasl_")
}

/// An address up to its `>`: quoted as RFC 5321 has it, else the first `>` that the next field or
/// the end of the line follows.
#[inline]
fn read_address<'a>(
    cursor: &mut Cursor<'a>,
    follows: impl Fn(&'a [u8]) -> bool,
) -> Option<&'a [u8]> {
    let text = cursor.rest();
    let skip = match text.strip_prefix(b"\"").and_then(quoted_length) {
        Some(length) => length + 1,
        None => 0,
    };
    for from in [skip, 0] {
        for at in memchr::memchr_iter(b'>', text.get(from..)?).take(64) {
            let end = from + at;
            if follows(text.get(end + 1..)?) {
                let address = cursor.take(end)?;
                cursor.eat(b">");
                return Some(address);
            }
        }
        if skip == 0 {
            break;
        }
    }
    None
}

/// What cleanup's checks and the daemons' milters call their action.
pub(super) fn action(word: &[u8]) -> Option<Action> {
    Some(match word {
        b"reject" => Action::Reject,
        b"hold" => Action::Hold,
        b"discard" => Action::Discard,
        b"milter-reject" => Action::MilterReject,
        b"milter-hold" => Action::MilterHold,
        b"milter-discard" => Action::MilterDiscard,
        b"reject_warning" | b"warn" | b"warning" | b"info" | b"filter" | b"redirect" | b"bcc"
        | b"delay" | b"permit" | b"hangup" | b"pass" | b"prepend" | b"replace" | b"strip" => {
            Action::Note
        }
        _ => return None,
    })
}

/// Code and enhanced status code at the start of a reply; the code is missing in cleanup's milter
/// lines, the enhanced code in old versions.
pub(super) fn read_codes(text: &[u8]) -> (Option<u16>, Option<Dsn>, &[u8]) {
    let mut cursor = Cursor::new(text);
    let mut code = None;
    let mut ahead = cursor;
    if let Some(number @ 200..=599) = ahead.number()
        && (ahead.eat(b" ") || ahead.eat(b"-"))
    {
        code = u16::try_from(number).ok();
        cursor = ahead;
    }
    let mut ahead = cursor;
    let mut dsn = None;
    if let Some(read) = read_dsn(&mut ahead)
        && (ahead.eat(b" ") || ahead.is_empty())
    {
        dsn = Some(read);
        cursor = ahead;
    }
    (code, dsn, cursor.rest())
}

/// An action of a daemon that names no client.
pub(super) fn without_client<'a>(
    queue_id: Option<&'a [u8]>,
    action: Action,
    word: &'a [u8],
    stage: Stage,
    text: &'a [u8],
) -> Acted<'a> {
    Acted {
        queue_id,
        action,
        word,
        stage,
        client: Client::default(),
        code: None,
        dsn: None,
        reason: RejectReason::Content,
        text,
        sender: None,
        recipient: None,
        protocol: None,
        helo: None,
        user: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages() {
        assert_eq!(stage(b"RCPT"), Some(Stage::Rcpt));
        assert_eq!(stage(b"DATA content"), Some(Stage::Data));
        assert_eq!(stage(b"DATA (1234 bytes)"), Some(Stage::Data));
        assert_eq!(stage(b"BDAT content"), Some(Stage::Bdat));
        assert_eq!(stage(b"END-OF-MESSAGE"), Some(Stage::EndOfMessage));
        assert_eq!(stage(b"XCLIENT"), Some(Stage::Other));
        assert_eq!(stage(b"header Subject"), None);
        assert_eq!(stage(b""), None);
    }

    #[test]
    fn fields() {
        let (text, f) = split_text(
            b"554 5.7.1 <b@y>: Relay access denied; from=<a@x> to=<b@y> proto=ESMTP helo=<h>",
        );
        assert_eq!(text, b"554 5.7.1 <b@y>: Relay access denied");
        assert_eq!(f.sender, Some(&b"a@x"[..]));
        assert_eq!(f.recipient, Some(&b"b@y"[..]));
        assert_eq!(f.protocol, Some(&b"ESMTP"[..]));
        assert_eq!(f.helo, Some(&b"h"[..]));
        assert_eq!(f.user, None);
        // Only what is known.
        let (text, f) = split_text(b"554 5.7.1 <h[1.2.3.4]>: Client host rejected: no; proto=SMTP");
        assert!(text.ends_with(b"rejected: no"));
        assert_eq!((f.sender, f.protocol), (None, Some(&b"SMTP"[..])));
        let (text, f) = split_text(b"a; b;");
        assert_eq!((text, f.sender), (&b"a; b"[..], None));
        let (text, _) = split_text(b"421 4.3.0 mx Server local data error");
        assert_eq!(text, b"421 4.3.0 mx Server local data error");
    }

    /// 3.10: the user; never one that a HELO names.
    #[test]
    fn user() {
        let user = |text: &'static str| split_text(text.as_bytes()).1.user;
        let bob = Some(&b"bob@example.com"[..]);
        assert_eq!(
            user(
                "x; from=<a@x> to=<b@y> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=bob@example.com"
            ),
            bob
        );
        assert_eq!(
            user(
                "x; from=<a@x> to=<b@y> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=bob@example.com sasl_sender=q"
            ),
            bob
        );
        assert_eq!(
            user("x; proto=ESMTP sasl_method=PLAIN sasl_username=bob@example.com"),
            bob
        );
        assert_eq!(
            user("x; from=<a@x> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=victim>"),
            None
        );
        assert_eq!(
            user("x; from=<a@x> proto=ESMTP helo=<h> sasl_username=<victim>"),
            None
        );
        assert_eq!(
            user(
                "x; from=<a@x> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=victim> sasl_method=LOGIN sasl_username=bob@example.com"
            ),
            bob
        );
    }

    #[test]
    fn hostile() {
        let (text, f) = split_text(b"554 5.7.1 <b@y>: Relay access denied; from=<\"x> to=<v@v> proto=SMTP helo=<\"@x> to=<b@y> proto=ESMTP helo=<h>; from=<f@f> to=<g@g> proto=SMTP helo=<k>");
        assert_eq!(text, b"554 5.7.1 <b@y>: Relay access denied");
        assert_eq!(f.sender, Some(&b"\"x> to=<v@v> proto=SMTP helo=<\"@x"[..]));
        assert_eq!(f.recipient, Some(&b"b@y"[..]));
        assert_eq!(
            f.helo,
            Some(&b"h>; from=<f@f> to=<g@g> proto=SMTP helo=<k"[..])
        );
    }
}
