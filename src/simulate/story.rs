//! The log that the exporter was asked for: one host, days long, in which a hijacked account's spam
//! sits in the queue. Nearly three lines of four are qmgr's, which takes the same mails up again and
//! again; most destinations are suspended, so that few attempts write anything else.
//!
//! Most of the queue was there before the log begins: these messages have origin `unknown`.

mod odds;

use std::io::{self, Write};

use super::cast;
use super::host::Program;
use super::line::{Line, Stamp};
use super::message::{Fate, Mail, Message, Recipient};
use super::queue_id::QueueId;
use super::random::Random;
use super::reply::Reply;
use super::scene::{MS, Route, SECOND, Scene};
use super::session::{Client, Command, Login};
use super::truth::{Mechanism, Name, Origin, Reject, Series, Service, Truth};

const START_US: u64 = 1_793_000_000 * SECOND;
const LINE_US: u64 = 200 * MS;
const HOST: usize = 0;
const HOST_NAME: &str = "mail.geography.university.example";
const DOMAIN: &str = "university.example";

/// Of 4,328,247 lines: qmgr's, smtpd's and the mailbox logins'; the rest is of many programs.
const LINES: u64 = 4_328_247;
const QMGR_LINES: u64 = 3_096_601;
const SMTPD_LINES: u64 = 1_154_379;
const LOGIN_LINES: u64 = 20_353;

/// What spam calls itself.
const WORDS: [&str; 8] = [
    "customer-service",
    "notification",
    "account-security",
    "billing-department",
    "delivery-status",
    "international-payments",
    "verification-team",
    "support-request",
];

/// Lines of a kind for which the kind's smallest doing is reserved at the end.
const RESERVED: u64 = 160;
const NRCPT_MAX: u64 = 12;

/// Kinds of lines whose shares are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Qmgr,
    Smtpd,
    Login,
    Rest,
}

const KINDS: [Kind; 4] = [Kind::Qmgr, Kind::Smtpd, Kind::Login, Kind::Rest];

/// A mail in the queue.
enum Waiting {
    /// From before the log: only what qmgr shows of it, and whether it showed it already.
    Old {
        queue_id: QueueId,
        sender: u32,
        size_bytes: u32,
        nrcpt: u8,
        seen: bool,
    },
    Known(Box<Message>),
}

struct Story {
    scene: Scene,
    queue: Vec<Waiting>,
    next: usize,
    senders: Vec<String>,
    clients: Vec<Client>,
    people: Vec<(String, Name)>,
    hijacked: Login,
    elsewhere: std::ops::Range<usize>,
    /// Lines still to be planned, by kind.
    quota: [u64; 4],
    now_us: u64,
}

/// Writes a log of exactly `lines` lines in the story's proportions; its truth. The full size is
/// 4,328,247 lines.
pub fn story(out: &mut dyn Write, lines: u64, seed: u64) -> io::Result<Truth> {
    let mut story = Story::new(lines, seed);
    let mut now_us = START_US;
    while story.scene.log.planned() < lines {
        story.now_us = now_us;
        let planned = story.scene.log.planned();
        story.happen();
        now_us += (story.scene.log.planned() - planned) * LINE_US;
        // What is planned later never begins before now.
        story.scene.write_until(now_us, lines, out)?;
    }
    story.scene.write_until(u64::MAX, lines, out)?;
    story.scene.log.flush(out)?;
    Ok(story.scene.log.truth())
}

impl Story {
    fn new(lines: u64, seed: u64) -> Self {
        let mut scene = Scene::new(Stamp::Traditional, 0, seed);
        scene.add_host(HOST_NAME, true);
        let socket = format!("{HOST_NAME}[/var/lib/cyrus/socket/lmtp]");
        scene.add_site(DOMAIN, Route::Local, "local", "", "local");
        scene.add_site(
            "students.university.example",
            Route::Cyrus,
            &socket,
            "",
            DOMAIN,
        );
        let elsewhere = cast::add_elsewhere(&mut scene);
        for (index, word) in WORDS.iter().enumerate() {
            let (domain, server) = (format!("{word}.example"), format!("mx.{word}.example"));
            let server = format!("{server}[192.0.2.{}]", 200 + index);
            scene.add_site(&domain, Route::Smtp, &server, ":25", &domain);
        }

        let random = &mut scene.random;
        let senders = (0..4000).map(|_| forged_sender(random)).collect();
        let clients = (0..6000).map(|_| long_named_client(random)).collect();
        let mut people = Vec::new();
        for index in 0..400 {
            let last = random.pick(&cast::LAST);
            let address = format!("{last}{index}@{DOMAIN}");
            people.push((address.clone(), scene.log.name(&address)));
        }
        let (written, user) = people[scene.random.index(people.len())].clone();
        let hijacked = Login {
            written,
            user,
            mechanism: Mechanism::Login,
        };
        let mut queue = Vec::new();
        for _ in 0..(lines / 12).max(1) {
            let before_us = START_US - scene.random.between(60, 4 * 86_400) * SECOND;
            let arrived_us = before_us + scene.random.below(SECOND);
            queue.push(Waiting::Old {
                queue_id: scene.hosts[HOST].ids.next(arrived_us),
                sender: scene.random.index(4000) as u32,
                size_bytes: scene.random.between(2500, 9000) as u32,
                nrcpt: scene.random.between(1, NRCPT_MAX) as u8,
                seen: false,
            });
        }
        let share = |of: u64| (u128::from(lines) * u128::from(of) / u128::from(LINES)) as u64;
        let (smtpd, login) = (share(SMTPD_LINES), share(LOGIN_LINES));
        let rest = share(LINES - QMGR_LINES - SMTPD_LINES - LOGIN_LINES);
        let quota = [lines - smtpd - login - rest, smtpd, login, rest];
        let now_us = START_US;
        Story {
            scene,
            queue,
            next: 0,
            senders,
            clients,
            people,
            hijacked,
            elsewhere,
            quota,
            now_us,
        }
    }

    fn planned(&self, kind: Kind) -> u64 {
        let of = |program| self.scene.log.planned_of(program);
        let login = || [Program::CyrusImap, Program::CyrusImaps, Program::CyrusPop3];
        match kind {
            Kind::Qmgr => of(Program::Qmgr),
            Kind::Smtpd => of(Program::Smtpd) + of(Program::SubmissionSmtpd),
            Kind::Login => login().into_iter().map(of).sum(),
            Kind::Rest => {
                self.scene.log.planned()
                    - self.planned(Kind::Qmgr)
                    - self.planned(Kind::Smtpd)
                    - self.planned(Kind::Login)
            }
        }
    }

    /// Something of the kinds that are behind most often.
    fn happen(&mut self) {
        let left = KINDS.map(|kind| self.quota[kind as usize].saturating_sub(self.planned(kind)));
        let mut dice = self.scene.random.below(left.iter().sum::<u64>().max(1));
        let mut chosen = Kind::Qmgr;
        for kind in KINDS {
            if dice < left[kind as usize] {
                chosen = kind;
                break;
            }
            dice -= left[kind as usize];
        }
        let plenty = [Kind::Qmgr, Kind::Smtpd, Kind::Rest]
            .iter()
            .all(|&kind| left[kind as usize] > RESERVED);
        match chosen {
            Kind::Qmgr => self.wave(left[Kind::Qmgr as usize]),
            Kind::Smtpd if left[Kind::Smtpd as usize] > RESERVED => self.visitor(),
            Kind::Smtpd => self.odd_client(),
            Kind::Login => self.login(),
            Kind::Rest if plenty => self.rest(),
            Kind::Rest => self.statistics(),
        }
    }

    /// qmgr takes up some mails, and puts them back.
    fn wave(&mut self, lines_max: u64) {
        let count = self.scene.random.between(1, 24).min(lines_max);
        for position in 0..count {
            let index = self.next % self.queue.len();
            self.next = index + 1;
            let at_us = self.now_us + position * 700;
            let line = self.active(index, at_us);
            self.scene.log.plan(at_us, line);
        }
    }

    fn active(&mut self, index: usize, at_us: u64) -> Line {
        match &mut self.queue[index] {
            Waiting::Known(message) => {
                message.active_us = at_us;
                self.scene.active_line(message)
            }
            Waiting::Old {
                queue_id,
                sender,
                size_bytes,
                nrcpt,
                seen,
            } => {
                let (size, recipients) = (u64::from(*size_bytes), u64::from(*nrcpt));
                let host = &mut self.scene.hosts[HOST];
                let mut line = self.scene.log.brief(host, Program::Qmgr, at_us);
                line.id(*queue_id)
                    .s(": from=<")
                    .s(&self.senders[*sender as usize])
                    .s(">, size=");
                line.n(size)
                    .s(", nrcpt=")
                    .n(recipients)
                    .s(" (queue active)");
                if !*seen {
                    *seen = true;
                    line.count(Series::Message(Origin::Unknown));
                    line.add(Series::SizeSum(Origin::Unknown), size);
                    line.add(Series::RecipientsSum(Origin::Unknown), recipients);
                }
                line
            }
        }
    }

    /// An attempt that is logged: the mail's recipients must have names from now on.
    fn logged_attempt(&mut self, ends: bool) {
        // Newcomers are at the end; every other time it is one of them.
        let from = if self.scene.random.chance(500) {
            self.queue.len() * 24 / 25
        } else {
            0
        };
        let index = from + self.scene.random.index(self.queue.len() - from);
        let line = self.active(index, self.now_us);
        self.scene.log.plan(self.now_us, line);
        let mut message = match self.queue.swap_remove(index) {
            Waiting::Known(message) => message,
            Waiting::Old {
                queue_id,
                sender,
                size_bytes,
                nrcpt,
                ..
            } => {
                let fates = if ends { Fate::SENT } else { suspended() };
                let recipients = self.victims(u64::from(nrcpt), fates);
                let sender = self.senders[sender as usize].clone();
                let mail = Mail {
                    origin: Origin::Unknown,
                    user: None,
                    sender,
                    recipients,
                    size_bytes: u64::from(size_bytes),
                    message_id: String::new(),
                };
                let arrived_us = self.now_us - self.scene.random.between(3600, 400_000) * SECOND;
                let active_us = self.now_us;
                Box::new(Message {
                    host: HOST,
                    queue_id,
                    mail,
                    arrived_us,
                    active_us,
                })
            }
        };
        message.active_us = self.now_us;
        if let Some((message, _)) = self.scene.attempt(message) {
            self.queue.push(Waiting::Known(message));
        }
    }

    /// Whom the spam is for.
    fn victims(&mut self, count: u64, fate: Fate) -> Vec<Recipient> {
        let mut recipients = Vec::new();
        let site = self.elsewhere.start + self.scene.random.popular(self.elsewhere.len());
        for _ in 0..count {
            let random = &mut self.scene.random;
            let number = random.below(1_000_000);
            let name = random.pick(&cast::FIRST);
            let address = format!("{name}{number}@{}", self.scene.sites[site].domain);
            if recipients
                .iter()
                .all(|known: &Recipient| known.address != address)
            {
                recipients.push(Recipient::new(address, site, fate));
            }
        }
        recipients
    }

    /// The botnet hands in more, with the password of one account.
    fn spam(&mut self) {
        let client = self.scene.random.pick(&self.clients).clone();
        let login = self.hijacked.clone();
        let service = Service::Submission;
        let mut session = self.scene.connect(HOST, service, client, self.now_us);
        self.scene.greet(&mut session, true);
        for _ in 0..self.scene.random.between(1, 4) {
            let count = self.scene.random.between(1, NRCPT_MAX);
            let fate = match self.scene.random.below(10) {
                0 => Fate::at_once(Reply::UserUnknown),
                1 => Fate {
                    defers: 3,
                    first: Reply::Greylisted,
                    last: Reply::Sent,
                },
                2..4 => Fate {
                    defers: 200,
                    first: Reply::SpamhausTemporary,
                    last: Reply::Spamhaus,
                },
                _ => suspended(),
            };
            let mail = Mail {
                origin: Origin::Authenticated,
                user: Some(login.user),
                sender: self.scene.random.pick(&self.senders).clone(),
                recipients: self.victims(count, fate),
                size_bytes: self.scene.random.between(2500, 9000),
                message_id: self.scene.message_id("localhost.localdomain"),
            };
            let message = self.scene.submit(&mut session, Some(&login), mail);
            self.queue.push(Waiting::Known(Box::new(message)));
        }
        self.scene.quit(session);
    }

    /// smtpd alone: a guesser, a sender that is refused, a scanner.
    fn visitor(&mut self) {
        let index = self.scene.random.popular(self.clients.len());
        let client = self.clients[index].clone();
        let mut session = self.scene.connect(HOST, Service::Smtp, client, self.now_us);
        match self.scene.random.below(100) {
            0..45 => {
                self.scene.greet(&mut session, false);
                let person = self.scene.random.index(self.people.len());
                for _ in 0..self.scene.random.between(1, 3) {
                    let name = self.people[person].0.clone();
                    self.scene
                        .wrong_password(&mut session, Mechanism::Login, &name);
                }
                self.scene.hang_up(session, "AUTH");
            }
            45..88 => {
                self.scene.greet(&mut session, false);
                let person = self.scene.random.index(self.people.len());
                let from = self.scene.random.pick(&self.senders).clone();
                let reject = match self.scene.random.below(5) {
                    0 => Reject::UnknownRecipient,
                    1 => Reject::ClientHostname,
                    2 => Reject::SenderDomain,
                    _ => Reject::Blocklist,
                };
                for _ in 0..self.scene.random.between(2, 6) {
                    let to = self.people[person].0.clone();
                    self.scene.reject(&mut session, reject, &from, &to);
                }
                session.command(Command::Rset, 1, 0);
                self.scene.quit(session);
            }
            88..96 => {
                self.scene.greet(&mut session, false);
                self.scene.hang_up(session, "EHLO");
            }
            _ => self.scene.hang_up(session, "CONNECT"),
        }
    }

    /// A single line of smtpd.
    fn odd_client(&mut self) {
        let host = &mut self.scene.hosts[HOST];
        let mut line = self.scene.log.brief(host, Program::Smtpd, self.now_us);
        let client = self.scene.random.pick(&self.clients);
        line.s("warning: hostname ")
            .s(&client.helo)
            .s(" does not resolve to address ");
        line.s(&client.address).s(": Name or service not known");
        line.count(Series::Warning(Program::Smtpd));
        self.scene.log.plan(self.now_us, line);
    }

    /// Somebody reads his mail.
    fn login(&mut self) {
        let (program, service, mechanism) = match self.scene.random.below(10) {
            0..5 => (Program::CyrusImaps, "imap", "PLAIN"),
            5..8 => (Program::CyrusImap, "imap", "plaintext+TLS"),
            _ => (Program::CyrusPop3, "pop3", "plaintext+TLS"),
        };
        let end_us = self.now_us + self.scene.random.between(1, 300) * SECOND;
        let pid = self.scene.hosts[HOST].pid(program, self.now_us, end_us);
        let mut line = self.scene.log.line(&self.scene.hosts[HOST], program, pid);
        let client = self.scene.random.pick(&self.clients);
        line.s("login: ")
            .s(&client.helo)
            .s(" [")
            .s(&client.address)
            .s("] ");
        let person = self.scene.random.index(self.people.len());
        line.s(&self.people[person].0)
            .s(" ")
            .s(mechanism)
            .s(" User logged in SESSIONID=<cyrus-");
        line.n(self.now_us / SECOND)
            .s("-")
            .n(u64::from(pid))
            .s("-1-");
        line.n(self.scene.random.next()).s(">");
        line.count(Series::Login("cyrus", service))
            .count(Series::UserAuth(self.people[person].1));
        let mechanism = mechanism.trim_end_matches("+TLS");
        line.count(Series::AuthSuccess("cyrus", service, mechanism));
        self.scene.log.plan(self.now_us, line);
    }
}

/// Most destinations do not answer, and are not asked again for a while.
fn suspended() -> Fate {
    Fate {
        defers: 200,
        first: Reply::Suspended,
        last: Reply::UserUnknown,
    }
}

/// Long names, as spam is sent with.
fn forged_sender(random: &mut Random) -> String {
    let (first, second) = (random.pick(&WORDS), random.pick(&WORDS));
    format!("{first}.{:06x}@{second}.example", random.below(1 << 24))
}

fn long_named_client(random: &mut Random) -> Client {
    let mut client = cast::stranger(random);
    if random.chance(600) {
        let dashed = client.address.replace('.', "-");
        client.name = format!("{dashed}.dynamic.customers.broadband-provider.example");
        client.helo.clone_from(&client.name);
    }
    client
}
