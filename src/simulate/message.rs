//! A message from its acceptance to its end: cleanup, qmgr, the delivery agents, the retries, the
//! bounce notice.

use super::host::Program;
use super::line::Line;
use super::queue_id::QueueId;
use super::random::Random;
use super::reply::Reply;
use super::scene::{Action, MINUTE, MS, Route, SECOND, Scene};
use super::session::{Command, Login, Session, name_address};
use super::truth::{Direction, Name, Origin, Series, Status, Transport};

/// What will come of a recipient, decided before the first attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// So many attempts end in `first`, which defers; then comes `last`.
    pub defers: u8,
    pub first: Reply,
    pub last: Reply,
}

impl Fate {
    pub const SENT: Fate = Fate::at_once(Reply::Sent);

    pub const fn at_once(last: Reply) -> Self {
        Fate {
            defers: 0,
            first: Reply::Greylisted,
            last,
        }
    }

    /// What becomes of an honest mail to somebody else's server.
    pub fn honest(random: &mut Random) -> Self {
        match random.below(1000) {
            0..930 => Fate::SENT,
            930..960 => Fate {
                defers: 1,
                first: Reply::Greylisted,
                last: Reply::Sent,
            },
            960..975 => Fate {
                defers: 2,
                first: Reply::Timeout,
                last: Reply::Sent,
            },
            975..980 => Fate {
                defers: 3,
                first: Reply::NoSuchHost,
                last: Reply::Sent,
            },
            980..985 => Fate {
                defers: 4,
                first: Reply::MailboxFull,
                last: Reply::Sent,
            },
            _ => Fate::at_once(Reply::UserUnknown),
        }
    }
}

pub(super) struct Recipient {
    pub address: String,
    pub orig: Option<String>,
    pub site: usize,
    pub fate: Fate,
    tries: u8,
    done: bool,
    refused: bool,
}

impl Recipient {
    pub fn new(address: String, site: usize, fate: Fate) -> Self {
        Recipient {
            address,
            orig: None,
            site,
            fate,
            tries: 0,
            done: false,
            refused: false,
        }
    }
}

/// What a client, pickup or bounce hands over.
pub(super) struct Mail {
    pub origin: Origin,
    pub user: Option<Name>,
    pub sender: String,
    pub recipients: Vec<Recipient>,
    pub size_bytes: u64,
    /// What stands between the angle brackets.
    pub message_id: String,
}

/// A mail in a queue.
pub(super) struct Message {
    pub host: usize,
    pub queue_id: QueueId,
    pub mail: Mail,
    pub arrived_us: u64,
    /// qmgr has it since.
    pub active_us: u64,
}

/// How long a queue lets a message wait before its next attempt, as Postfix: its age, within bounds.
const BACKOFF_MIN_US: u64 = 5 * MINUTE;
const BACKOFF_MAX_US: u64 = 4000 * SECOND;

impl Scene {
    /// A message-id as our own software makes them.
    pub fn message_id(&mut self, domain: &str) -> String {
        format!(
            "{:016x}.{:08x}@{domain}",
            self.random.next(),
            self.random.next() as u32
        )
    }

    /// MAIL, RCPT, DATA: the mail is in the queue. `login`: who sends.
    pub fn submit(&mut self, session: &mut Session, login: Option<&Login>, mail: Mail) -> Message {
        let queue_id = self.hosts[session.host].ids.next(session.now_us);
        let mut line = self.session_line(session);
        line.id(queue_id).s(": client=");
        name_address(&mut line, &session.client);
        if let Some(login) = login {
            self.sasl(session, &mut line, login);
        }
        let arrived_us = session.now_us;
        self.log.plan(arrived_us, line);
        session.command(Command::Mail, 1, 0);
        session.command(Command::Rcpt, mail.recipients.len() as u64, 0);
        session.command(Command::Data, 1, 0);
        session.now_us += self.random.between(30, 150) * MS;
        let message = self.enqueue(
            session.host,
            queue_id,
            mail,
            arrived_us,
            session.now_us,
            true,
        );
        session.now_us = message.active_us + self.random.between(2, 60) * MS;
        message
    }

    /// sendmail(1) on the host itself.
    pub fn pick_up(
        &mut self,
        host: usize,
        uid: u64,
        from: &str,
        mail: Mail,
        at_us: u64,
    ) -> Message {
        let queue_id = self.hosts[host].ids.next(at_us);
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Pickup, at_us);
        line.id(queue_id)
            .s(": uid=")
            .n(uid)
            .s(" from=<")
            .s(from)
            .s(">");
        self.log.plan(at_us, line);
        self.enqueue(host, queue_id, mail, at_us, at_us + 20 * MS, true)
    }

    /// cleanup's line and qmgr's first. `counts`: a new message, not one that comes back.
    pub fn enqueue(
        &mut self,
        host: usize,
        queue_id: QueueId,
        mail: Mail,
        arrived_us: u64,
        at_us: u64,
        counts: bool,
    ) -> Message {
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Cleanup, at_us);
        line.id(queue_id)
            .s(": message-id=<")
            .s(&mail.message_id)
            .s(">");
        self.log.plan(at_us, line);
        let active_us = at_us + self.random.between(5, 300) * MS + mail.size_bytes / 20;
        let mut message = Message {
            host,
            queue_id,
            mail,
            arrived_us,
            active_us,
        };
        let mut line = self.active_line(&message);
        let mail = &mut message.mail;
        if counts {
            let recipients = mail.recipients.len() as u64;
            line.count(Series::Message(mail.origin));
            line.add(Series::SizeSum(mail.origin), mail.size_bytes);
            line.add(Series::RecipientsSum(mail.origin), recipients);
            if let Some(user) = mail.user {
                line.count(Series::UserMessages(user));
                line.add(Series::UserRecipients(user), recipients);
            }
        }
        self.log.plan(active_us, line);
        message
    }

    pub fn active_line(&mut self, message: &Message) -> Line {
        let host = &mut self.hosts[message.host];
        let mut line = self.log.brief(host, Program::Qmgr, message.active_us);
        let waiting = message
            .mail
            .recipients
            .iter()
            .filter(|recipient| !recipient.done)
            .count();
        line.id(message.queue_id)
            .s(": from=<")
            .s(&message.mail.sender)
            .s(">, size=");
        line.n(message.mail.size_bytes)
            .s(", nrcpt=")
            .n(waiting as u64)
            .s(" (queue active)");
        line
    }

    pub fn removed(&mut self, host: usize, queue_id: QueueId, at_us: u64) {
        let mut line = self.log.brief(&mut self.hosts[host], Program::Qmgr, at_us);
        line.id(queue_id).s(": removed");
        self.log.plan(at_us, line);
    }

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
            self.result(message, index, reply, stages, end_us);
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
        at_us: u64,
    ) {
        let recipient = &mut message.mail.recipients[index];
        let site_index = recipient.site;
        let site = &self.sites[site_index];
        let (program, transport) = match site.route {
            _ if reply == Reply::Suspended => (Program::Error, Transport::Error),
            Route::Smtp => (Program::Smtp, Transport::Smtp),
            Route::Relay => (Program::RelaySmtp, Transport::Relay),
            Route::Lmtp(_) | Route::Cyrus => (Program::Lmtp, Transport::Lmtp),
            Route::Local => (Program::Local, Transport::Local),
        };
        let direction = match site.route {
            Route::Relay if message.mail.origin == Origin::Unauthenticated => Direction::Inbound,
            Route::Smtp | Route::Relay => Direction::Outbound,
            Route::Lmtp(_) | Route::Cyrus | Route::Local => Direction::Local,
        };
        let busy_us = (stages_ms[2] + stages_ms[3]) * MS;
        let host = &mut self.hosts[message.host];
        let pid = host.pid(program, at_us - busy_us.min(at_us), at_us);
        let mut line = self.log.line(host, program, pid);
        line.id(message.queue_id);
        line_until_status(&mut line, recipient, reply, site, stages_ms);
        match (reply, site.route) {
            (Reply::Sent, Route::Local) => {
                line.s("delivered to mailbox");
            }
            (Reply::Sent, Route::Lmtp(_)) => {
                line.s("250 2.0.0 <").s(&recipient.address).s("> ");
                line.hex(self.random.next(), 16).s(" Saved");
            }
            (Reply::Sent, Route::Cyrus) => {
                line.s("250 2.1.5 Ok SESSIONID=<cyrus-")
                    .n(at_us / SECOND)
                    .s("-");
                line.n(u64::from(pid)).s("-1-").n(self.random.next()).s(">");
            }
            (Reply::Sent, _) => {
                let theirs = self.random.next();
                line.s("250 2.0.0 Ok: queued as ").hex(theirs, 11);
            }
            _ => reply.text(
                &mut line,
                &site.server,
                &site.domain,
                &recipient.address,
                self.own,
            ),
        }
        line.s(")");

        let status = reply.status();
        line.count(Series::Delivery(
            message.mail.origin,
            direction,
            transport,
            status,
        ));
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
        if let Some(user) = message.mail.user {
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

fn line_until_status(
    line: &mut Line,
    recipient: &Recipient,
    reply: Reply,
    site: &super::scene::Site,
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
