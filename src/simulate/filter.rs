//! The content filter: amavis takes the message by SMTP over loopback and hands it back, under a new
//! queue id.

use super::host::Program;
use super::line::Line;
use super::message::{Mail, Message, Recipient};
use super::scene::{MS, Scene};
use super::session::{Client, Command};
use super::truth::{Direction, Origin, Series, Service, Status, Transport};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Clean,
    /// Spam, and kept by the filter.
    Spam,
}

impl Scene {
    /// The way through the filter; what comes back, if it does, waits to be delivered.
    pub fn filter(
        &mut self,
        mut message: Message,
        client: &Client,
        verdict: Verdict,
    ) -> Option<Box<Message>> {
        let connect_ms = self.random.between(1, 12);
        let check_ms = self.random.between(90, 1800);
        let start_us = message.active_us + self.random.between(1, 10) * MS;
        let checked_us = start_us + (connect_ms + check_ms) * MS;
        let (back, end_us) = match verdict {
            Verdict::Clean => {
                let back = self.reinject(&mut message, checked_us);
                let end_us = back.active_us - self.random.between(0, 4) * MS;
                (Some(back), end_us)
            }
            Verdict::Spam => (None, checked_us),
        };
        let transmit_ms = (end_us - start_us) / MS - connect_ms;

        let host = message.host;
        let pid = self.hosts[host].pid(Program::Amavis, start_us, end_us);
        let amid = format!("{pid:05}-{:02}", self.random.between(1, 20));
        let mail_id = self.random.next();
        let mut line = self.log.line(&self.hosts[host], Program::Amavis, pid);
        let recipients = back
            .as_ref()
            .map_or(&message, |back| back)
            .mail
            .recipients
            .as_slice();
        self.verdict_text(&mut line, &message, recipients, client, &amid, verdict);
        line.s(", mail_id: ").hex(mail_id, 12).s(", Hits: ");
        let tenths = match verdict {
            Verdict::Clean => self.random.between(0, 39),
            Verdict::Spam => self.random.between(69, 240),
        };
        if verdict == Verdict::Clean && self.random.chance(700) {
            line.s("-");
        }
        line.n(tenths / 10)
            .s(".")
            .n(tenths % 10)
            .s(", size: ")
            .n(message.mail.size_bytes);
        if let Some(back) = &back {
            line.s(", queued_as: ").id(back.queue_id);
        }
        line.s(", ").n(transmit_ms).s(" ms");
        self.log.plan(end_us - MS, line);

        // The line of the hop comes before or after qmgr's line of what came back.
        let hop_us = end_us + self.random.between(0, 20) * MS;
        let stages = [
            (message.active_us - message.arrived_us) / MS,
            (start_us - message.active_us) / MS,
            connect_ms,
            transmit_ms,
        ];
        self.hop_lines(&message, back.as_deref(), &amid, stages, hop_us);
        let removed_us = hop_us + self.random.between(1, 9) * MS;
        self.removed(host, message.queue_id, removed_us);
        back
    }

    fn verdict_text(
        &mut self,
        line: &mut Line,
        message: &Message,
        recipients: &[Recipient],
        client: &Client,
        amid: &str,
        verdict: Verdict,
    ) {
        let mail = &message.mail;
        line.s("(").s(amid).s(") ");
        match verdict {
            Verdict::Clean => line
                .s(if mail.origin == Origin::Unauthenticated {
                    "Passed CLEAN {RelayedInbound}, ["
                } else {
                    "Passed CLEAN {RelayedOutbound}, ["
                })
                .count(Series::Verdict("amavis", "clean")),
            Verdict::Spam => line
                .s("Blocked SPAM {DiscardedInbound,Quarantined}, [")
                .count(Series::Verdict("amavis", "spam")),
        };
        line.s(&client.address)
            .s("]:")
            .n(self.random.between(1025, 65_000))
            .s(" [");
        line.s(&client.address).s("] <").s(&mail.sender).s("> -> ");
        for (position, recipient) in recipients.iter().enumerate() {
            if position > 0 {
                line.s(",");
            }
            line.s("<").s(&recipient.address).s(">");
        }
        line.s(", Queue-ID: ").id(message.queue_id);
        line.s(", Message-ID: <").s(&mail.message_id).s(">");
    }

    fn reinject(&mut self, message: &mut Message, at_us: u64) -> Box<Message> {
        let mut session = self.connect(message.host, Service::Smtp, Client::loopback(), at_us);
        session.now_us = at_us + self.random.between(1, 5) * MS;
        session.command(Command::Ehlo, 1, 0);
        session.command(Command::Xforward, 1, 0);
        session.command(Command::Mail, 1, 0);
        session.command(Command::Rcpt, message.mail.recipients.len() as u64, 0);
        session.command(Command::Data, 1, 0);
        let queue_id = self.hosts[message.host].ids.next(session.now_us);
        let mut line = self.session_line(&session);
        line.id(queue_id).s(": client=localhost[127.0.0.1]");
        self.log.plan(session.now_us, line);
        let mail = Mail {
            origin: message.mail.origin,
            user: message.mail.user,
            sender: message.mail.sender.clone(),
            recipients: std::mem::take(&mut message.mail.recipients),
            size_bytes: message.mail.size_bytes + 480,
            message_id: message.mail.message_id.clone(),
        };
        let arrived_us = session.now_us;
        let cleanup_us = arrived_us + self.random.between(1, 4) * MS;
        let back = self.enqueue(message.host, queue_id, mail, arrived_us, cleanup_us, false);
        session.now_us = back.active_us + self.random.between(0, 40) * MS;
        self.quit(session);
        Box::new(back)
    }

    fn hop_lines(
        &mut self,
        message: &Message,
        back: Option<&Message>,
        amid: &str,
        stages_ms: [u64; 4],
        at_us: u64,
    ) {
        let busy_us = (stages_ms[2] + stages_ms[3]) * MS;
        let host = &mut self.hosts[message.host];
        let pid = host.pid(Program::Smtp, at_us - busy_us, at_us);
        let recipients = &back.unwrap_or(message).mail.recipients;
        for (position, recipient) in recipients.iter().enumerate() {
            let mut line = self.log.line(&self.hosts[message.host], Program::Smtp, pid);
            line.id(message.queue_id).s(": to=<").s(&recipient.address);
            line.s(">, relay=127.0.0.1[127.0.0.1]:10024, delay=");
            line.delay(stages_ms.iter().sum())
                .s(", delays=")
                .delay(stages_ms[0]);
            for ms in &stages_ms[1..] {
                line.s("/").delay(*ms);
            }
            let origin = message.mail.origin;
            match back {
                Some(back) => {
                    line.s(", dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025)")
                        .s(": 250 2.0.0 Ok: queued as ")
                        .id(back.queue_id)
                        .s(")");
                    let direction = Direction::Internal;
                    line.count(Series::Delivery(
                        origin,
                        direction,
                        Transport::Smtp,
                        Status::Sent,
                    ));
                }
                None => {
                    line.s(", dsn=2.7.0, status=sent (250 2.7.0 Ok, discarded, id=")
                        .s(amid);
                    line.s(" - spam)");
                    let direction = Direction::Discard;
                    line.count(Series::Delivery(
                        origin,
                        direction,
                        Transport::Smtp,
                        Status::Sent,
                    ));
                    if let Some(user) = message.mail.user {
                        line.count(Series::UserDelivery(user, direction, Status::Sent));
                    }
                    let domain = self.sites[recipient.site].domain_name;
                    line.count(Series::Domain(domain, Status::Sent));
                    line.count(Series::Relay(self.filter_relay, Status::Sent));
                }
            }
            self.log.plan(at_us + position as u64 * 30, line);
        }
    }
}
