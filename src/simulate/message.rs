//! A message gets into a queue: smtpd or pickup, then cleanup, then qmgr. How it leaves is in
//! `delivery.rs`.

use super::host::Program;
use super::line::Line;
use super::queue_id::QueueId;
use super::random::Random;
use super::reply::Reply;
use super::scene::{MS, Scene};
use super::session::{Command, Login, Session, name_address};
use super::truth::{Name, Origin, Series};

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
    pub tries: u8,
    pub done: bool,
    /// Refused once, for good or for now.
    pub refused: bool,
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
}
