//! What happens every day.

use super::super::cast;
use super::super::filter::Verdict;
use super::super::message::{Fate, Mail, Message, Recipient};
use super::super::reply::Reply;
use super::super::scene::{MINUTE, MS, SECOND};
use super::super::session::Client;
use super::super::truth::{Origin, Reject, Service};
use super::{HOST, Own, World};

impl World {
    pub(super) fn happen(&mut self, own: Own, at_us: u64) {
        match own {
            Own::Inbound => {
                self.inbound(at_us);
                self.plan_again(own, at_us, 2 * SECOND);
            }
            Own::Submission => {
                self.submission(at_us);
                self.plan_again(own, at_us, 15 * SECOND);
            }
            Own::Webmail => {
                self.webmail(at_us);
                self.plan_again(own, at_us, 40 * SECOND);
            }
            Own::CronLocal => {
                self.cron(0, at_us);
                self.plan(at_us + 15 * MINUTE, own);
            }
            Own::CronOutbound => {
                self.cron(33, at_us);
                self.plan_again(own, at_us, 5 * MINUTE);
            }
            Own::Guess => {
                self.guess(at_us);
                // Guessers do not sleep.
                let past = at_us < self.start_us;
                let permille = if past {
                    self.options.prehistory_permille.max(1)
                } else {
                    1000
                };
                let wait_us = self.scene.random.wait(12 * SECOND * 1000 / permille);
                self.plan(at_us + wait_us, own);
            }
            Own::Unwanted => {
                let to = self.scene.random.pick(&self.accounts).address.clone();
                self.scene.unwanted(HOST, &to, at_us);
                self.plan_again(own, at_us, 3 * SECOND);
            }
            Own::MailboxLogin => {
                self.mailbox_login(at_us);
                self.plan_again(own, at_us, 1500 * MS);
            }
            Own::Newsletter => {
                self.newsletter(at_us);
                self.plan(self.next_newsletter_us(at_us), own);
            }
            Own::Statistics => {
                let address = self.scene.random.pick(&self.guessers).address.clone();
                let local_us = self.local_us(at_us);
                self.scene.anvil_statistics(HOST, &address, local_us, at_us);
                self.plan(at_us + 10 * MINUTE, own);
            }
            Own::Reconnaissance => self.reconnaissance(at_us),
            Own::Spam => self.spam(at_us),
        }
    }

    fn recipient(&mut self, address: String, site: usize, at_us: u64) -> Recipient {
        let fate = match self.listed_fate(site, at_us) {
            Some(fate) => fate,
            None if self.elsewhere.contains(&site) => Fate::honest(&mut self.scene.random),
            None => Fate::SENT,
        };
        Recipient::new(address, site, fate)
    }

    /// A mail from elsewhere: greylisted perhaps, filtered, delivered to mailboxes.
    fn inbound(&mut self, at_us: u64) {
        let site = self.elsewhere.start + self.scene.random.popular(self.elsewhere.len());
        let client = cast::server_client(&self.scene, site);
        let sender = cast::person_at(&mut self.scene.random, &self.scene.sites[site].domain);
        let count = if self.scene.random.chance(60) { 4 } else { 1 };
        let first = self.scene.random.popular(self.accounts.len());
        let mut recipients = Vec::new();
        for index in first..(first + count).min(self.accounts.len()) {
            let address = self.accounts[index].address.clone();
            let site = self.scene.site_of(&address).unwrap_or(0);
            let full = self.scene.random.chance(4);
            let fate = Fate {
                defers: if full { 3 } else { 0 },
                first: Reply::MailboxFull,
                last: Reply::Sent,
            };
            recipients.push(Recipient::new(address, site, fate));
        }
        let mut now_us = at_us;
        if self.scene.random.chance(100) {
            let to = recipients[0].address.clone();
            self.scene
                .greylist(HOST, &client, &sender, &to, None, now_us + 90 * MS);
            let mut session = self
                .scene
                .connect(HOST, Service::Smtp, client.clone(), now_us);
            self.scene.greet(&mut session, true);
            self.scene
                .reject(&mut session, Reject::Greylisted, &sender, &to);
            self.scene.quit(session);
            let wait_s = self.scene.random.between(310, 900);
            now_us += wait_s * SECOND;
            self.scene
                .greylist(HOST, &client, &sender, &to, Some(wait_s), now_us + 60 * MS);
        }
        let message_id = format!(
            "{:08x}.{}@{}",
            self.scene.random.next() as u32,
            self.scene.random.between(1_000_000, 9_999_999),
            client.name
        );
        let mail = Mail {
            origin: Origin::Unauthenticated,
            user: None,
            sender,
            recipients,
            size_bytes: self.scene.random.size_bytes(),
            message_id,
        };
        let mut session = self
            .scene
            .connect(HOST, Service::Smtp, client.clone(), now_us);
        let starttls = self.scene.random.chance(850);
        self.scene.greet(&mut session, starttls);
        let message = self.scene.submit(&mut session, None, mail);
        self.scene.quit(session);
        let spam = self.scene.random.chance(80);
        let verdict = if spam { Verdict::Spam } else { Verdict::Clean };
        if let Some(back) = self.scene.filter(message, &client, verdict) {
            self.scene.deliver(back);
        }
    }

    /// An account's own mail program sends one mail or some.
    fn submission(&mut self, at_us: u64) {
        let index = self.scene.random.popular(self.accounts.len());
        let client = self.scene.random.pick(&self.accounts[index].homes).clone();
        let login = self.accounts[index].login.clone();
        let tls_first = self.scene.random.chance(350);
        let service = if tls_first {
            Service::Submissions
        } else {
            Service::Submission
        };
        let mut session = self.scene.connect(HOST, service, client, at_us);
        self.scene.greet(&mut session, true);
        if self.scene.random.chance(20) {
            self.scene
                .wrong_password(&mut session, login.mechanism, &login.written);
        }
        let mails = if self.scene.random.chance(150) {
            self.scene.random.between(2, 5)
        } else {
            1
        };
        for _ in 0..mails {
            let mail = self.personal_mail(index, Origin::Authenticated, session.now_us);
            let message = self.scene.submit(&mut session, Some(&login), mail);
            self.scene.deliver(Box::new(message));
            session.now_us += self.scene.random.between(50, 3000) * MS;
        }
        self.scene.quit(session);
    }

    fn personal_mail(&mut self, account: usize, origin: Origin, at_us: u64) -> Mail {
        let sender = self.accounts[account].address.clone();
        let user = match origin {
            Origin::Trusted => self.scene.log.name("ip:127.0.0.1"),
            _ => self.accounts[account].login.user,
        };
        let count = if self.scene.random.chance(200) {
            self.scene.random.between(2, 5)
        } else {
            1
        };
        let mut recipients: Vec<Recipient> = Vec::new();
        for _ in 0..count {
            let (address, site) = if self.scene.random.chance(40) {
                let site = self.elsewhere.start + self.scene.random.popular(self.elsewhere.len());
                let domain = &self.scene.sites[site].domain;
                (cast::person_at(&mut self.scene.random, domain), site)
            } else {
                self.scene
                    .random
                    .pick(&self.accounts[account].friends)
                    .clone()
            };
            if !recipients.iter().any(|known| known.address == address) {
                let recipient = self.recipient(address, site, at_us);
                recipients.push(recipient);
            }
        }
        recipients.sort_by_key(|recipient| recipient.site);
        let domain = sender
            .rsplit_once('@')
            .map_or("example.org", |(_, domain)| domain);
        let message_id = self.scene.message_id(domain);
        let size_bytes = self.scene.random.size_bytes();
        Mail {
            origin,
            user: Some(user),
            sender,
            recipients,
            size_bytes,
            message_id,
        }
    }

    /// The webmail program hands over by SMTP from this host, without a password.
    fn webmail(&mut self, at_us: u64) {
        let index = self.scene.random.popular(self.accounts.len());
        self.imap_session(index, &Client::loopback(), at_us);
        let at_us = at_us + self.scene.random.between(300, 900) * MS;
        let mut session = self
            .scene
            .connect(HOST, Service::Smtp, Client::loopback(), at_us);
        self.scene.greet(&mut session, false);
        let mail = self.personal_mail(index, Origin::Trusted, session.now_us);
        let message = self.scene.submit(&mut session, None, mail);
        self.scene.deliver(Box::new(message));
        self.scene.quit(session);
    }

    /// Programs of this host: root's reports stay here, the web server's notes go out.
    fn cron(&mut self, uid: u64, at_us: u64) {
        let (sender, to, orig) = if uid == 0 {
            let root = "root@mail.example.org";
            (
                root.to_owned(),
                (root.to_owned(), 2),
                Some("root".to_owned()),
            )
        } else {
            let friends = &self.accounts[0].friends;
            let to = self.scene.random.pick(friends).clone();
            ("www-data@mail.example.org".to_owned(), to, None)
        };
        let mut recipient = self.recipient(to.0, to.1, at_us);
        recipient.orig = orig;
        let mail = Mail {
            origin: Origin::Local,
            user: Some(
                self.scene
                    .log
                    .name(if uid == 0 { "uid:0" } else { "uid:33" }),
            ),
            sender,
            recipients: vec![recipient],
            size_bytes: self.scene.random.between(600, 4000),
            message_id: self.scene.message_id("mail.example.org"),
        };
        let from = if uid == 0 { "root" } else { "www-data" };
        let message = self.scene.pick_up(HOST, uid, from, mail, at_us);
        self.scene.deliver(Box::new(message));
    }

    /// A stranger tries a password or two.
    fn guess(&mut self, at_us: u64) {
        let client = self.scene.random.pick(&self.guessers).clone();
        let known = self.scene.random.chance(400);
        let name = if known {
            self.scene.random.pick(&self.accounts).address.clone()
        } else {
            cast::guess(&mut self.scene.random, "example.org")
        };
        let tries = self.scene.random.between(1, 2);
        self.scene
            .wrong_passwords(HOST, client, &name, tries, at_us);
    }

    fn mailbox_login(&mut self, at_us: u64) {
        let index = self.scene.random.popular(self.accounts.len());
        let client = self.scene.random.pick(&self.accounts[index].homes).clone();
        self.imap_session(index, &client, at_us);
    }

    fn imap_session(&mut self, account: usize, client: &Client, at_us: u64) {
        let account = &self.accounts[account];
        self.scene
            .imap_session(HOST, &account.address, account.login.user, client, at_us);
    }

    /// The first account writes to all who subscribed, forty at a time.
    fn newsletter(&mut self, at_us: u64) {
        let client = self.accounts[0].homes[0].clone();
        let login = self.accounts[0].login.clone();
        let mut session = self.scene.connect(HOST, Service::Submission, client, at_us);
        self.scene.greet(&mut session, true);
        let subscribers = self.subscribers.clone();
        let size_bytes = self.scene.random.between(30_000, 60_000);
        for part in subscribers.chunks(40) {
            let mut recipients = Vec::new();
            for (address, site) in part {
                let recipient = self.recipient(address.clone(), *site, session.now_us);
                recipients.push(recipient);
            }
            recipients.sort_by_key(|recipient| recipient.site);
            let mail = Mail {
                origin: Origin::Authenticated,
                user: Some(login.user),
                sender: self.accounts[0].address.clone(),
                recipients,
                size_bytes,
                message_id: self.scene.message_id("example.org"),
            };
            let message: Message = self.scene.submit(&mut session, Some(&login), mail);
            self.scene.deliver(Box::new(message));
            session.now_us += self.scene.random.between(2, 20) * SECOND;
        }
        self.scene.quit(session);
    }
}
