//! A message leaves its queue: the delivery agents, the retries, the bounce notice, the end.

use super::host::Program;
use super::line::Line;
use super::message::{Fate, Mail, Message, Recipient};
use super::reply::Reply;
use super::scene::{Action, MINUTE, MS, Route, SECOND, Scene, Site};
use super::truth::{Direction, Origin, Series, Status, Transport};

/// How long a queue lets a message wait before its next attempt, as Postfix: its age, within bounds.
const BACKOFF_MIN_US: u64 = 5 * MINUTE;
const BACKOFF_MAX_US: u64 = 4000 * SECOND;

impl Scene {
    /// The next attempt of a message that was put off.
    pub fn retry(&mut self, mut message: Box<Message>, at_us: u64) {
        message.active_us = at_us;
        let line = self.active_line(&message);
        self.log.plan(at_us, line);
        self.deliver(message);
    }

    /// One attempt, then the end, or a plan for the next.
    pub fn deliver(&mut self, message: Box<Message>) {
        let Some((message, end_us)) = self.attempt(message) else {
            return;
        };
        let age_us = end_us.saturating_sub(message.arrived_us);
        let earliest_us = end_us + age_us.clamp(BACKOFF_MIN_US, BACKOFF_MAX_US);
        // qmgr looks into the deferred queue every five minutes.
        let scan_us = earliest_us.next_multiple_of(BACKOFF_MIN_US);
        let at_us = scan_us + self.random.between(0, 4000) * MS;
        self.agenda.plan(at_us, Action::Retry(message));
    }

    /// One attempt for each recipient that waits; if some still do, the message and the time.
    pub fn attempt(&mut self, mut message: Box<Message>) -> Option<(Box<Message>, u64)> {
        let mut end_us = message.active_us;
        let mut bounced = false;
        let mut first = 0;
        while first < message.mail.recipients.len() {
            // Neighbours of one site share a connection.
            let site = message.mail.recipients[first].site;
            let count = message.mail.recipients[first..]
                .iter()
                .take_while(|recipient| recipient.site == site)
                .count();
            let end = self.deliver_to_site(&mut message, first..first + count, &mut bounced);
            end_us = end_us.max(end);
            first += count;
        }
        if bounced && !message.mail.sender.is_empty() {
            end_us += self.random.between(1, 20) * MS;
            end_us = self.bounce_notice(&message, end_us);
        }
        if message
            .mail
            .recipients
            .iter()
            .all(|recipient| recipient.done)
        {
            end_us += self.random.between(1, 9) * MS;
            self.removed(message.host, message.queue_id, end_us);
            return None;
        }
        Some((message, end_us))
    }

    fn deliver_to_site(
        &mut self,
        message: &mut Message,
        range: std::ops::Range<usize>,
        bounced: &mut bool,
    ) -> u64 {
        let site = message.mail.recipients[range.start].site;
        let route = self.sites[site].route;
        let before_ms = message.active_us.saturating_sub(message.arrived_us) / MS;
        let queue_ms = self.random.between(0, 30);
        let connect_ms = match route {
            Route::Local => 0,
            Route::Lmtp(_) | Route::Cyrus => self.random.between(0, 40),
            Route::Smtp | Route::Relay => self.random.between(40, 900),
        };
        let transmit_ms = self.random.between(10, 400) + message.mail.size_bytes / 20_000;
        let start_us = message.active_us + queue_ms * MS;
        let mut end_us = start_us;
        let mut process = None;
        for index in range {
            let recipient = &mut message.mail.recipients[index];
            if recipient.done {
                continue;
            }
            let waits = recipient.tries < recipient.fate.defers;
            let reply = if waits {
                recipient.fate.first
            } else {
                recipient.fate.last
            };
            recipient.tries += 1;
            let (connect_ms, transmit_ms) = match reply {
                Reply::Timeout => (30_000 + connect_ms, 0),
                Reply::NoSuchHost => (connect_ms, 0),
                Reply::Suspended => (0, 0),
                _ => (connect_ms, transmit_ms),
            };
            end_us = end_us.max(start_us + (connect_ms + transmit_ms) * MS) + 40;
            let stages = [before_ms, queue_ms, connect_ms, transmit_ms];
            self.result(message, index, reply, stages, &mut process, end_us);
            let recipient = &mut message.mail.recipients[index];
            recipient.done = reply.status() != Status::Deferred;
            *bounced |= reply.status() == Status::Bounced;
        }
        end_us
    }

    /// The line of a delivery agent.
    fn result(
        &mut self,
        message: &mut Message,
        index: usize,
        reply: Reply,
        stages_ms: [u64; 4],
        process: &mut Option<(Program, u32)>,
        at_us: u64,
    ) {
        let mail = &mut message.mail;
        let recipient = &mut mail.recipients[index];
        let site_index = recipient.site;
        let site = &self.sites[site_index];
        let (program, transport) = agent(site.route, reply);
        let direction = direction(site.route, mail.origin);
        let busy_us = (stages_ms[2] + stages_ms[3]) * MS;
        let host = &mut self.hosts[message.host];
        let pid = match *process {
            Some((same, pid)) if same == program => pid,
            _ => host.pid(program, at_us - busy_us.min(at_us), at_us),
        };
        *process = Some((program, pid));
        let mut line = self.log.line(host, program, pid);
        line.id(message.queue_id);
        line_until_status(&mut line, recipient, reply, site, stages_ms);
        if reply == Reply::Sent {
            let session = (at_us / SECOND, u64::from(pid), self.random.next());
            sent_text(&mut line, site.route, &recipient.address, session);
        } else {
            reply.text(
                &mut line,
                &site.server,
                &site.domain,
                &recipient.address,
                self.own,
            );
        }
        line.s(")");

        let status = reply.status();
        line.count(Series::Delivery(mail.origin, direction, transport, status));
        let relay = if reply.connects() {
            site.relay_name
        } else {
            self.no_relay
        };
        line.count(Series::Relay(relay, status));
        line.count(Series::Domain(site.domain_name, status));
        if let Some(reason) = reply.failure() {
            line.count(Series::Failure(direction, status, reason));
        }
        if let Some(provider) = reply.provider() {
            line.count(Series::Blocklisted(provider));
        }
        if let Some(user) = mail.user {
            line.count(Series::UserDelivery(user, direction, status));
            if let Some(class) = reply.class()
                && !recipient.refused
            {
                recipient.refused = true;
                line.count(Series::UserRefused(user, class));
            }
        }
        self.log.plan(at_us, line);
        match (reply, self.sites[site_index].route) {
            (Reply::Sent, Route::Lmtp(mailboxes)) => self.saved(mailboxes, message, index, at_us),
            (Reply::Sent, Route::Cyrus) => self.saved_by_cyrus(message, index, at_us),
            _ => {}
        }
    }

    /// Dovecot's side of a delivery by LMTP.
    fn saved(&mut self, host: usize, message: &Message, index: usize, at_us: u64) {
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Dovecot, at_us);
        line.s("lmtp(")
            .s(&message.mail.recipients[index].address)
            .s(")<");
        line.n(self.random.between(1000, 60_000))
            .s("><")
            .hex(self.random.next(), 16);
        line.s(">: msgid=<")
            .s(&message.mail.message_id)
            .s(">: saved mail to INBOX");
        line.count(Series::MailboxSaved("dovecot"));
        self.log
            .plan(at_us.saturating_sub(self.random.between(1, 5) * MS), line);
    }

    fn saved_by_cyrus(&mut self, message: &Message, index: usize, at_us: u64) {
        let host = &mut self.hosts[message.host];
        let mut line = self.log.brief(host, Program::CyrusLmtp, at_us);
        let address = message.mail.recipients[index].address.as_str();
        let mailbox = address.split_once('@').map_or(address, |(local, _)| local);
        line.s("Delivered: <")
            .s(&message.mail.message_id)
            .s("> to mailbox: user.")
            .s(mailbox);
        line.count(Series::MailboxSaved("cyrus"));
        self.log.plan(at_us, line);
    }

    /// Tells the sender; the notice is a message of its own.
    fn bounce_notice(&mut self, message: &Message, at_us: u64) -> u64 {
        let Some(site) = self.site_of(&message.mail.sender) else {
            return at_us;
        };
        let host = message.host;
        let notice_id = self.hosts[host].ids.next(at_us);
        let name = self.hosts[host].name.clone();
        let sender = message.mail.sender.clone();
        let mail = Mail {
            origin: Origin::Generated,
            user: None,
            sender: String::new(),
            recipients: vec![Recipient::new(sender, site, Fate::SENT)],
            size_bytes: message.mail.size_bytes.min(50_000) + 2400,
            message_id: self.message_id(&name),
        };
        let notice = self.enqueue(host, notice_id, mail, at_us, at_us + MS, true);
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Bounce, at_us + 2 * MS);
        line.id(message.queue_id)
            .s(": sender non-delivery notification: ")
            .id(notice_id);
        self.log.plan(at_us + 2 * MS, line);
        self.deliver(Box::new(notice));
        at_us + 3 * MS
    }
}

/// Who delivers, and as which transport it counts.
fn agent(route: Route, reply: Reply) -> (Program, Transport) {
    match route {
        _ if reply == Reply::Suspended => (Program::Error, Transport::Error),
        Route::Smtp => (Program::Smtp, Transport::Smtp),
        Route::Relay => (Program::RelaySmtp, Transport::Relay),
        Route::Lmtp(_) | Route::Cyrus => (Program::Lmtp, Transport::Lmtp),
        Route::Local => (Program::Local, Transport::Local),
    }
}

fn direction(route: Route, origin: Origin) -> Direction {
    match route {
        Route::Relay if origin == Origin::Unauthenticated => Direction::Inbound,
        Route::Smtp | Route::Relay => Direction::Outbound,
        Route::Lmtp(_) | Route::Cyrus | Route::Local => Direction::Local,
    }
}

/// The answer of whoever took the mail. `session`: second, pid and a number that is no other's.
fn sent_text(line: &mut Line, route: Route, recipient: &str, session: (u64, u64, u64)) {
    let (second, pid, number) = session;
    match route {
        Route::Local => line.s("delivered to mailbox"),
        Route::Lmtp(_) => line
            .s("250 2.0.0 <")
            .s(recipient)
            .s("> ")
            .hex(number, 16)
            .s(" Saved"),
        Route::Cyrus => line
            .s("250 2.1.5 Ok SESSIONID=<cyrus-")
            .n(second)
            .s("-")
            .n(pid)
            .s("-1-")
            .n(number)
            .s(">"),
        Route::Smtp | Route::Relay => line.s("250 2.0.0 Ok: queued as ").hex(number, 11),
    };
}

fn line_until_status(
    line: &mut Line,
    recipient: &Recipient,
    reply: Reply,
    site: &Site,
    stages_ms: [u64; 4],
) {
    line.s(": to=<").s(&recipient.address);
    if let Some(orig) = &recipient.orig {
        line.s(">, orig_to=<").s(orig);
    }
    line.s(">, relay=");
    if !reply.connects() {
        line.s("none");
    } else if site.route == Route::Local {
        line.s("local");
    } else {
        line.s(&site.server).s(site.port);
    }
    line.s(", delay=")
        .delay(stages_ms.iter().sum())
        .s(", delays=");
    for (position, ms) in stages_ms.into_iter().enumerate() {
        if position > 0 {
            line.s("/");
        }
        line.delay(ms);
    }
    let dsn = match (reply, site.route) {
        (Reply::Sent, Route::Cyrus) => "2.1.5",
        _ => reply.dsn(),
    };
    line.s(", dsn=")
        .s(dsn)
        .s(", status=")
        .s(reply.status().word())
        .s(" (");
}
