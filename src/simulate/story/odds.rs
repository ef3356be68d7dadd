//! The one line in a hundred of everything else.

use super::super::host::Program;
use super::super::line::traditional;
use super::super::message::{Fate, Mail, Recipient};
use super::super::scene::{MS, SECOND};
use super::super::truth::{Origin, Series, Service};
use super::{DOMAIN, HOST, Story};

impl Story {
    pub(super) fn rest(&mut self) {
        match self.scene.random.below(100) {
            0..38 => self.spam(),
            38..50 => self.logged_attempt(false),
            50..54 => self.logged_attempt(true),
            54..60 => self.cron(),
            60..70 => self.mailbox(),
            70..78 => self.statistics(),
            78..84 => self.amavis(),
            84..88 => self.dovecot(),
            88..92 => self.proxied(),
            92..96 => self.spamd(),
            _ => self.cyrus_housekeeping(),
        }
    }

    fn cron(&mut self) {
        let root = format!("root@{DOMAIN}");
        let mut recipient = Recipient::new(root.clone(), 0, Fate::SENT);
        recipient.orig = Some("root".to_owned());
        let mail = Mail {
            origin: Origin::Local,
            user: Some(self.scene.log.name("uid:0")),
            sender: root,
            recipients: vec![recipient],
            size_bytes: self.scene.random.between(600, 4000),
            message_id: self.scene.message_id(DOMAIN),
        };
        let message = self.scene.pick_up(HOST, 0, "root", mail, self.now_us);
        self.scene.deliver(Box::new(message));
    }

    /// A wanted mail for a mailbox.
    fn mailbox(&mut self) {
        let client = self.scene.random.pick(&self.clients).clone();
        let site = 1;
        let number = self.scene.random.below(3000);
        let to = format!("s{number:05}@{}", self.scene.sites[site].domain);
        let mail = Mail {
            origin: Origin::Unauthenticated,
            user: None,
            sender: super::cast::person_at(&mut self.scene.random, "uni-north.example"),
            recipients: vec![Recipient::new(to, site, Fate::SENT)],
            size_bytes: self.scene.random.size_bytes(),
            message_id: self.scene.message_id("uni-north.example"),
        };
        let mut session = self.scene.connect(HOST, Service::Smtp, client, self.now_us);
        self.scene.greet(&mut session, false);
        let message = self.scene.submit(&mut session, None, mail);
        self.scene.quit(session);
        self.scene.deliver(Box::new(message));
    }

    /// anvil, one line.
    pub(super) fn statistics(&mut self) {
        let host = &mut self.scene.hosts[HOST];
        let mut line = self.scene.log.brief(host, Program::Anvil, self.now_us);
        line.s("statistics: max connection rate ")
            .n(self.scene.random.between(1, 60));
        line.s("/60s for (smtp:")
            .s(&self.scene.random.pick(&self.clients).address);
        line.s(") at ").s(&traditional(self.now_us / SECOND));
        self.scene.log.plan(self.now_us, line);
    }

    /// A verdict about a mail that was not kept for long.
    fn amavis(&mut self) {
        let random = &mut self.scene.random;
        let check_ms = random.between(90, 3000);
        let end_us = self.now_us + check_ms * MS;
        let pid = self.scene.hosts[HOST].pid(Program::Amavis, self.now_us, end_us);
        let mut line = self
            .scene
            .log
            .line(&self.scene.hosts[HOST], Program::Amavis, pid);
        let random = &mut self.scene.random;
        line.s("(")
            .n(u64::from(pid))
            .s("-")
            .n(random.between(10, 20))
            .s(") ");
        let spam = random.chance(300);
        let client = random.pick(&self.clients).clone();
        line.s(if spam {
            "Blocked SPAM {DiscardedInbound,Quarantined}, ["
        } else {
            "Passed CLEAN {RelayedInbound}, ["
        });
        line.s(&client.address)
            .s("]:")
            .n(random.between(1025, 65_000))
            .s(" [");
        line.s(&client.address)
            .s("] <")
            .s(&self.senders[random.index(self.senders.len())])
            .s("> -> <");
        line.s(&random.pick(&self.people).0)
            .s(">, Message-ID: <")
            .hex(random.next(), 16);
        line.s("@")
            .s(&client.helo)
            .s(">, mail_id: ")
            .hex(random.next(), 12)
            .s(", Hits: ");
        line.n(random.between(0, 4) + if spam { 8 } else { 0 })
            .s(".")
            .n(random.below(1000));
        line.s(", size: ")
            .n(random.size_bytes())
            .s(", ")
            .n(check_ms)
            .s(" ms");
        line.count(Series::Verdict(
            "amavis",
            if spam { "spam" } else { "clean" },
        ));
        self.scene.log.plan(end_us, line);
    }

    fn dovecot(&mut self) {
        let index = self.scene.random.index(self.people.len());
        let (user, name) = self.people[index].clone();
        let client = self.scene.random.pick(&self.clients).clone();
        self.scene
            .imap_session(HOST, &user, name, &client, self.now_us);
    }

    /// imapproxyd, whose client is the webmail program.
    fn proxied(&mut self) {
        let index = self.scene.random.index(self.people.len());
        let (user, name) = self.people[index].clone();
        let host = &mut self.scene.hosts[HOST];
        let mut line = self.scene.log.brief(host, Program::ImapProxy, self.now_us);
        line.s("LOGIN: '\"").s(&user).s("\"' (127.0.0.1:");
        line.n(self.scene.random.between(1025, 65_000))
            .s(") on existing sd [");
        line.n(self.scene.random.between(8, 60)).s("]");
        line.count(Series::Login("imapproxyd", "imap"))
            .count(Series::UserAuth(name));
        self.scene.log.plan(self.now_us, line);
    }

    fn spamd(&mut self) {
        let end_us = self.now_us + self.scene.random.between(200, 4000) * MS;
        let pid = self.scene.hosts[HOST].pid(Program::Spamd, self.now_us, end_us);
        let random = &mut self.scene.random;
        let (port, message_id) = (random.between(1025, 65_000), random.next());
        let tenths = random.between(0, 120);
        let (size, spam) = (random.size_bytes(), tenths >= 50);
        let tenths_s = (end_us - self.now_us) / (100 * MS);
        for part in 0..4 {
            let mut line = self
                .scene
                .log
                .line(&self.scene.hosts[HOST], Program::Spamd, pid);
            line.s("spamd: ");
            match part {
                0 => line
                    .s("connection from localhost [127.0.0.1]:")
                    .n(port)
                    .s(" to port 783, fd 5"),
                1 => line
                    .s("processing message <")
                    .hex(message_id, 16)
                    .s("@x> for nobody:65534"),
                2 => line
                    .s(if spam {
                        "identified spam ("
                    } else {
                        "clean message ("
                    })
                    .n(tenths / 10)
                    .s(".")
                    .n(tenths % 10)
                    .s("/5.0) for nobody:65534 in ")
                    .n(tenths_s / 10)
                    .s(".")
                    .n(tenths_s % 10)
                    .s(" seconds, ")
                    .n(size)
                    .s(" bytes."),
                _ => line
                    .s(if spam { "result: Y " } else { "result: . " })
                    .n(tenths / 10)
                    .s(" - BAYES_50,HTML_MESSAGE scantime=")
                    .n(tenths_s / 10)
                    .s(".")
                    .n(tenths_s % 10)
                    .s(",size=")
                    .n(size)
                    .s(",user=nobody,uid=65534,required_score=5.0,rhost=localhost")
                    .s(",raddr=127.0.0.1,rport=")
                    .n(port)
                    .s(",mid=<")
                    .hex(message_id, 16)
                    .s("@x>,autolearn=no autolearn_force=no")
                    .count(Series::Verdict(
                        "spamassassin",
                        if spam { "spam" } else { "clean" },
                    )),
            };
            let at_us = if part < 2 {
                self.now_us + part
            } else {
                end_us + part
            };
            self.scene.log.plan(at_us, line);
        }
    }

    fn cyrus_housekeeping(&mut self) {
        let (program, first, last) = match self.scene.random.below(10) {
            0..5 => (
                Program::CyrusCheckpoint,
                "checkpointing cyrus databases",
                "done checkpointing cyrus databases",
            ),
            5..7 => (
                Program::CyrusExpire,
                "Expunged 3 messages from user.s00017",
                "",
            ),
            7 => (
                Program::CyrusTlsPrune,
                "tls_prune: purged 12 out of 40 entries",
                "",
            ),
            _ => (Program::CyrusMaster, "ready for work", ""),
        };
        let end_us = self.now_us + self.scene.random.between(1, 20) * SECOND;
        let pid = self.scene.hosts[HOST].pid(program, self.now_us, end_us);
        for (at_us, text) in [(self.now_us, first), (end_us, last)] {
            if !text.is_empty() {
                let mut line = self.scene.log.line(&self.scene.hosts[HOST], program, pid);
                line.s(text);
                let runs = matches!(program, Program::CyrusCheckpoint | Program::CyrusTlsPrune);
                if at_us == self.now_us && runs {
                    line.count(Series::Maintenance(program));
                }
                self.scene.log.plan(at_us, line);
            }
        }
    }
}
