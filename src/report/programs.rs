//! What each program is, in a sentence: the answer to "what is this that fills my log?".

/// By the last part of the tag, then by the whole.
pub fn what_it_is(tag: &str) -> &'static str {
    let process = tag.rsplit('/').next().unwrap_or(tag);
    match process {
        "smtpd" => "Postfix's SMTP server: clients that connect, log in, give us mail",
        "smtp" => "Postfix's SMTP client: each recipient's delivery to another host",
        "lmtp" => "Postfix's LMTP client: deliveries to the mailbox server",
        "qmgr" | "oqmgr" | "nqmgr" => {
            "Postfix's queue: a mail is active at each attempt, then removed"
        }
        "cleanup" => "Postfix's intake: message ids, header and body checks",
        "pickup" => "mail given to sendmail(1) here: by cron, scripts, web sites",
        "local" => "deliveries to users of this host, aliases, commands",
        "virtual" => "deliveries to virtual mailboxes",
        "pipe" => "deliveries to a command",
        "error" | "retry" => "mail that Postfix does not even try now, or bounces by rule",
        "discard" => "mail swallowed by rule",
        "bounce" | "defer" | "trace" => "notices about mail that failed, or is late",
        "anvil" => "Postfix's count of connections by client: the highest rates",
        "scache" => "Postfix's cache of open connections",
        "postscreen" => "Postfix's doorkeeper before its SMTP server",
        "dnsblog" => "postscreen's questions to blocklists",
        "tlsproxy" | "tlsmgr" => "TLS for Postfix",
        "verify" => "Postfix's address probes",
        "trivial-rewrite" => "Postfix's routing of addresses",
        "proxymap" | "proxywrite" => "Postfix's table look-ups",
        "master" => "the parent of all daemons: starts, reloads, crashes",
        "postfix-script" => "postfix start, stop, reload by an admin",
        "postsuper" => "an admin's work on the queue: delete, hold, requeue",
        "postdrop" | "sendmail" | "postmap" | "postalias" | "postqueue" => {
            "a Postfix command's own words"
        }
        "postlogd" => "Postfix's own logger",
        "showq" | "flush" | "spawn" => "a helper of Postfix's",
        "imap" | "imaps" => "IMAP: mail clients read their mailboxes",
        "pop3" | "pop3s" => "POP3: mail clients fetch their mail",
        "lmtpunix" => "Cyrus takes mail for its mailboxes",
        "ctl_cyrusdb" => "Cyrus checkpoints its databases: routine",
        "cyr_expire" => "Cyrus deletes what is old enough: routine",
        "tls_prune" => "Cyrus drops old TLS sessions: routine",
        "dovecot" | "imap-login" | "pop3-login" => "Dovecot: logins, mailboxes, deliveries",
        "amavis" => "the content filter's verdicts",
        "spamd" => "SpamAssassin's verdicts",
        "imapproxyd" => "the IMAP proxy of a webmail",
        "" => "lines without a header",
        "_other" => "programs beyond --limit.programs",
        _ => "not known to this exporter",
    }
}
