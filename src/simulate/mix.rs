//! A busy, healthy mail system of four hosts in one log, for benchmarks: two that take mail from
//! outside through a filter, one for submissions, one for mailboxes.

use std::io::{self, Write};

use super::cast::{self, Account};
use super::filter::Verdict;
use super::host::Program;
use super::line::Stamp;
use super::message::{Fate, Mail, Recipient};
use super::reply::Reply;
use super::scene::{Action, MS, Route, SECOND, Scene};
use super::session::Client;
use super::truth::{Origin, Reject, Series, Service, Truth};

/// The domain of logins that are written without one.
pub const MIX_DEFAULT_DOMAIN: &str = "example.org";

const START_US: u64 = 1_795_420_800 * SECOND;
const MX: [usize; 2] = [0, 1];
const SMTP: usize = 2;
const IMAP: usize = 3;
const ACCOUNTS: usize = 900;
/// No single doing plans more lines.
const DOING_LINES_MAX: u64 = 300;

/// What goes on, and how long on the mean until it happens again.
#[derive(Clone, Copy)]
enum Own {
    Inbound,
    Submission,
    Newsletter,
    Webmail,
    MailboxLogin,
    Unwanted,
    Guess,
    Cron,
    Statistics,
}

const OWN: [(Own, u64); 9] = [
    (Own::Inbound, 60 * MS),
    (Own::Submission, 350 * MS),
    (Own::Newsletter, 3 * SECOND),
    (Own::Webmail, 2 * SECOND),
    (Own::MailboxLogin, 60 * MS),
    (Own::Unwanted, 120 * MS),
    (Own::Guess, 500 * MS),
    (Own::Cron, 5 * SECOND),
    (Own::Statistics, 60 * SECOND),
];

struct Mix {
    scene: Scene,
    accounts: Vec<Account>,
    elsewhere: std::ops::Range<usize>,
    guessers: Vec<Client>,
    relayed: usize,
}

/// Writes a log of exactly `lines` lines; its truth. The user names in it are those of
/// [`MIX_DEFAULT_DOMAIN`].
pub fn mix(out: &mut dyn Write, lines: u64, seed: u64) -> io::Result<Truth> {
    let mut mix = Mix::new(seed);
    for (index, (_, mean_us)) in OWN.into_iter().enumerate() {
        let wait_us = mix.scene.random.wait(mean_us);
        mix.scene
            .agenda
            .plan(START_US + wait_us, Action::Own(index as u32));
    }
    let mut end_us = START_US;
    while let Some((at_us, action)) = mix.scene.agenda.take() {
        mix.scene.write_until(at_us, lines, out)?;
        if mix.scene.log.written == lines {
            break;
        }
        end_us = at_us;
        match action {
            Action::Retry(message) => mix.scene.retry(message, at_us),
            Action::Own(index) => {
                // What waits in the queue will write some lines yet.
                let retries = mix.scene.agenda.len() as u64;
                let reserved = (retries * 6).min(lines / 4) + DOING_LINES_MAX;
                if mix.scene.log.planned() + reserved < lines {
                    let (own, mean_us) = OWN[index as usize];
                    mix.happen(own, at_us);
                    let wait_us = mix.scene.random.wait(mean_us);
                    mix.scene
                        .agenda
                        .plan(at_us + wait_us.max(1), Action::Own(index));
                }
            }
        }
    }
    mix.scene.write_until(u64::MAX, lines, out)?;
    while mix.scene.log.written < lines {
        end_us += 100 * MS;
        mix.filler(end_us);
        mix.scene.write_until(u64::MAX, lines, out)?;
    }
    mix.scene.log.flush(out)?;
    Ok(mix.scene.log.truth())
}

impl Mix {
    fn new(seed: u64) -> Self {
        let mut scene = Scene::new(Stamp::Traditional, 0, seed);
        for (name, long_ids) in [
            ("mx1", true),
            ("mx2", false),
            ("smtp1", true),
            ("imap1", false),
        ] {
            scene.add_host(name, long_ids);
        }
        let imap = "imap1.example.org[10.0.0.21]";
        let org = scene.add_site("example.org", Route::Lmtp(IMAP), imap, ":24", "example.org");
        let net = scene.add_site("example.net", Route::Lmtp(IMAP), imap, ":24", "example.org");
        for host in ["mx1", "mx2", "smtp1", "imap1"] {
            let domain = format!("{host}.example.org");
            scene.add_site(&domain, Route::Local, "local", "", "local");
        }
        let exchange = "exchange.example.org[10.0.0.30]";
        let relayed = scene.add_site(
            "school.example.org",
            Route::Relay,
            exchange,
            ":25",
            "example.org",
        );
        let elsewhere = cast::add_elsewhere(&mut scene);
        let mut accounts = cast::accounts(&mut scene, ACCOUNTS, &[org, net], elsewhere.clone());
        for account in &mut accounts {
            // People write their name as they like.
            if scene.random.chance(150)
                && let Some((local, MIX_DEFAULT_DOMAIN)) = account.address.rsplit_once('@')
            {
                account.login.written = local.to_owned();
            }
            if scene.random.chance(100) {
                account.login.written[..1].make_ascii_uppercase();
            }
        }
        let guessers = (0..400)
            .map(|_| cast::stranger(&mut scene.random))
            .collect();
        Mix {
            scene,
            accounts,
            elsewhere,
            guessers,
            relayed,
        }
    }

    fn happen(&mut self, own: Own, at_us: u64) {
        let index = self.scene.random.popular(self.accounts.len());
        match own {
            Own::Inbound => self.inbound(at_us),
            Own::Submission => self.submission(index, at_us),
            Own::Newsletter => self.newsletter(at_us),
            Own::Webmail => self.webmail(index, at_us),
            Own::MailboxLogin => {
                let account = &self.accounts[index];
                let client = self.scene.random.pick(&account.homes);
                self.scene
                    .imap_session(IMAP, &account.address, account.login.user, client, at_us);
            }
            Own::Unwanted => {
                let host = *self.scene.random.pick(&MX);
                self.scene
                    .unwanted(host, &self.accounts[index].address, at_us);
            }
            Own::Guess => {
                let client = self.scene.random.pick(&self.guessers).clone();
                let name = if self.scene.random.chance(400) {
                    self.accounts[index].address.clone()
                } else {
                    cast::guess(&mut self.scene.random, "example.org")
                };
                let tries = self.scene.random.between(1, 3);
                self.scene
                    .wrong_passwords(SMTP, client, &name, tries, at_us);
            }
            Own::Cron => self.cron(at_us),
            Own::Statistics => {
                for host in [MX[0], MX[1], SMTP] {
                    let address = self.scene.random.pick(&self.guessers).address.clone();
                    self.scene.anvil_statistics(host, &address, at_us, at_us);
                }
            }
        }
    }

    fn inbound(&mut self, at_us: u64) {
        let host = *self.scene.random.pick(&MX);
        let site = self.elsewhere.start + self.scene.random.popular(self.elsewhere.len());
        let client = cast::server_client(&self.scene, site);
        let sender = cast::person_at(&mut self.scene.random, &self.scene.sites[site].domain);
        let mut recipients = Vec::new();
        if self.scene.random.chance(80) {
            let address = cast::person_at(&mut self.scene.random, "school.example.org");
            recipients.push(Recipient::new(address, self.relayed, Fate::SENT));
        } else {
            let first = self.scene.random.popular(self.accounts.len());
            let many = self.scene.random.chance(50);
            let count = if many {
                self.scene.random.between(2, 8) as usize
            } else {
                1
            };
            for index in first..(first + count).min(self.accounts.len()) {
                let address = self.accounts[index].address.clone();
                let site = self.scene.site_of(&address).unwrap_or(0);
                let fate = match self.scene.random.below(1000) {
                    0..6 => Fate {
                        defers: 2,
                        first: Reply::MailboxFull,
                        last: Reply::Sent,
                    },
                    6..9 => Fate::at_once(Reply::UserUnknown),
                    _ => Fate::SENT,
                };
                recipients.push(Recipient::new(address, site, fate));
            }
        }
        recipients.sort_by_key(|recipient| recipient.site);
        let mut now_us = at_us;
        if self.scene.random.chance(60) {
            let to = recipients[0].address.clone();
            self.scene
                .greylist(host, &client, &sender, &to, None, now_us + 90 * MS);
            let mut session = self
                .scene
                .connect(host, Service::Smtp, client.clone(), now_us);
            self.scene.greet(&mut session, true);
            self.scene
                .reject(&mut session, Reject::Greylisted, &sender, &to);
            self.scene.quit(session);
            let wait_s = self.scene.random.between(310, 600);
            now_us += wait_s * SECOND;
            self.scene
                .greylist(host, &client, &sender, &to, Some(wait_s), now_us + 60 * MS);
        }
        let mail = Mail {
            origin: Origin::Unauthenticated,
            user: None,
            sender,
            recipients,
            size_bytes: self.scene.random.size_bytes(),
            message_id: self.scene.message_id(&client.name),
        };
        let mut session = self
            .scene
            .connect(host, Service::Smtp, client.clone(), now_us);
        let starttls = self.scene.random.chance(850);
        self.scene.greet(&mut session, starttls);
        let message = self.scene.submit(&mut session, None, mail);
        self.scene.quit(session);
        let spam = self.scene.random.chance(40);
        let verdict = if spam { Verdict::Spam } else { Verdict::Clean };
        if let Some(back) = self.scene.filter(message, &client, verdict) {
            self.scene.deliver(back);
        }
    }

    fn submission(&mut self, index: usize, at_us: u64) {
        let client = self.scene.random.pick(&self.accounts[index].homes).clone();
        let login = self.accounts[index].login.clone();
        let tls_first = self.scene.random.chance(350);
        let service = if tls_first {
            Service::Submissions
        } else {
            Service::Submission
        };
        let mut session = self.scene.connect(SMTP, service, client.clone(), at_us);
        self.scene.greet(&mut session, true);
        if self.scene.random.chance(20) {
            self.scene
                .wrong_password(&mut session, login.mechanism, &login.written);
        }
        let mails = if self.scene.random.chance(120) { 3 } else { 1 };
        for _ in 0..mails {
            let count = if self.scene.random.chance(150) { 4 } else { 1 };
            let mail = self.mail(index, Origin::Authenticated, count);
            let message = self.scene.submit(&mut session, Some(&login), mail);
            // Half of it goes through the filter too.
            let filtered = self.scene.random.chance(500);
            let checked = if filtered {
                self.scene.filter(message, &client, Verdict::Clean)
            } else {
                Some(Box::new(message))
            };
            if let Some(message) = checked {
                self.scene.deliver(message);
            }
            session.now_us += self.scene.random.between(50, 2000) * MS;
        }
        self.scene.quit(session);
    }

    fn webmail(&mut self, index: usize, at_us: u64) {
        let mut session = self
            .scene
            .connect(SMTP, Service::Smtp, Client::loopback(), at_us);
        self.scene.greet(&mut session, false);
        let mail = self.mail(index, Origin::Trusted, 1);
        let message = self.scene.submit(&mut session, None, mail);
        self.scene.quit(session);
        self.scene.deliver(Box::new(message));
    }

    /// One mail of a newsletter, to forty who asked for it.
    fn newsletter(&mut self, at_us: u64) {
        let client = self.accounts[0].homes[0].clone();
        let login = self.accounts[0].login.clone();
        let mut session = self.scene.connect(SMTP, Service::Submission, client, at_us);
        self.scene.greet(&mut session, true);
        let mut mail = self.mail(0, Origin::Authenticated, 0);
        for _ in 0..40 {
            let site = self.elsewhere.start + self.scene.random.popular(self.elsewhere.len());
            let number = self.scene.random.below(20_000);
            let address = format!("reader{number}@{}", self.scene.sites[site].domain);
            let fate = Fate::honest(&mut self.scene.random);
            mail.recipients.push(Recipient::new(address, site, fate));
        }
        mail.recipients
            .sort_by(|a, b| (a.site, &a.address).cmp(&(b.site, &b.address)));
        mail.recipients.dedup_by(|a, b| a.address == b.address);
        let message = self.scene.submit(&mut session, Some(&login), mail);
        self.scene.quit(session);
        self.scene.deliver(Box::new(message));
    }

    fn mail(&mut self, index: usize, origin: Origin, count: usize) -> Mail {
        let account = &self.accounts[index];
        let mut recipients: Vec<Recipient> = Vec::new();
        for _ in 0..count {
            let (address, site) = self.scene.random.pick(&account.friends).clone();
            if recipients.iter().any(|known| known.address == address) {
                continue;
            }
            let fate = if self.elsewhere.contains(&site) {
                Fate::honest(&mut self.scene.random)
            } else {
                Fate::SENT
            };
            recipients.push(Recipient::new(address, site, fate));
        }
        recipients.sort_by_key(|recipient| recipient.site);
        let user = match origin {
            Origin::Trusted => self.scene.log.name("ip:127.0.0.1"),
            _ => account.login.user,
        };
        Mail {
            origin,
            user: Some(user),
            sender: account.address.clone(),
            recipients,
            size_bytes: self.scene.random.size_bytes(),
            message_id: self.scene.message_id("example.org"),
        }
    }

    fn cron(&mut self, at_us: u64) {
        let host = self.scene.random.index(self.scene.hosts.len());
        let root = format!("root@{}.example.org", self.scene.hosts[host].name);
        let site = self.scene.site_of(&root).unwrap_or(0);
        let mut recipient = Recipient::new(root.clone(), site, Fate::SENT);
        recipient.orig = Some("root".to_owned());
        let mail = Mail {
            origin: Origin::Local,
            user: Some(self.scene.log.name("uid:0")),
            sender: root,
            recipients: vec![recipient],
            size_bytes: self.scene.random.between(600, 4000),
            message_id: self.scene.message_id("example.org"),
        };
        let message = self.scene.pick_up(host, 0, "root", mail, at_us);
        self.scene.deliver(Box::new(message));
    }

    /// One line that belongs to nothing.
    fn filler(&mut self, at_us: u64) {
        let host = &mut self.scene.hosts[MX[0]];
        let mut line = self.scene.log.brief(host, Program::Smtpd, at_us);
        line.s("warning: hostname host")
            .n(self.scene.random.below(10_000));
        line.s(".spam.example does not resolve to address ");
        line.s(&self.scene.random.pick(&self.guessers).address);
        line.s(": Name or service not known")
            .count(Series::Warning(Program::Smtpd));
        self.scene.log.plan(at_us, line);
    }
}
