//! A small mail system that lives through its days, for `demo`: two domains, some forty accounts,
//! newsletters, webmail, cron, a content filter, guessers. At a time that the seed decides, the
//! password of one account is guessed, and spam goes out in its name.
//!
//! Same seed and options, same bytes, whatever the steps.

mod everyday;
mod hijack;

use std::io::{self, Write};
use std::time::Duration;

use super::cast::{self, Account};
use super::line::Stamp;
use super::scene::{Action, HOUR, MINUTE, MS, Route, SECOND, Scene};
use super::truth::Truth;

/// How the world is to be.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// The account is hijacked so long after the start, or up to a quarter later.
    pub hijack_after: Duration,
    /// The log begins so long before the start, with fewer mails: the accounts have a past.
    pub prehistory: Duration,
    /// Of what a day brings otherwise, so much in a thousand happens before the start.
    pub prehistory_permille: u64,
    /// East of Greenwich; the stamps' zone and the world's day and night.
    pub utc_offset_minutes: i32,
    /// Mails, logins and tries in a thousand of the usual.
    pub volume_permille: u64,
}

impl Default for WorldOptions {
    fn default() -> Self {
        WorldOptions {
            hijack_after: Duration::from_secs(3600),
            prehistory: Duration::ZERO,
            prehistory_permille: 30,
            utc_offset_minutes: 60,
            volume_permille: 1000,
        }
    }
}

/// Who is hijacked, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HijackInfo {
    /// The account as the metrics name it.
    pub account: String,
    /// The password is found; the first spam follows within seconds.
    pub starts_at_ms: u64,
    /// The first of the server's replies that say its address is listed come after this.
    pub listed_from_ms: u64,
}

/// The world; [`World::step`] is its time passing.
pub struct World {
    scene: Scene,
    options: WorldOptions,
    accounts: Vec<Account>,
    elsewhere: std::ops::Range<usize>,
    /// Who reads the newsletter: address and site.
    subscribers: Vec<(String, usize)>,
    guessers: Vec<super::session::Client>,
    /// Where the spam is sent from.
    networks: Vec<super::session::Client>,
    victim: usize,
    start_us: u64,
    hijack_us: u64,
    /// From when on each site elsewhere knows our address from a list.
    listed_us: Vec<u64>,
}

pub(super) const HOST: usize = 0;

/// The kinds of things that happen by themselves, each planning its next time.
#[derive(Clone, Copy)]
enum Own {
    Inbound,
    Submission,
    Webmail,
    CronLocal,
    CronOutbound,
    Guess,
    Unwanted,
    MailboxLogin,
    Newsletter,
    Statistics,
    Reconnaissance,
    Spam,
}

const OWN: [Own; 12] = [
    Own::Inbound,
    Own::Submission,
    Own::Webmail,
    Own::CronLocal,
    Own::CronOutbound,
    Own::Guess,
    Own::Unwanted,
    Own::MailboxLogin,
    Own::Newsletter,
    Own::Statistics,
    Own::Reconnaissance,
    Own::Spam,
];

impl World {
    /// The world at `start_unix_ms`. With a prehistory, the first step writes that too.
    pub fn new(seed: u64, start_unix_ms: u64, options: WorldOptions) -> Self {
        let mut scene = Scene::new(Stamp::Rfc3339, options.utc_offset_minutes, seed);
        scene.modern = true;
        scene.add_host("mail", true);
        let socket = "mail.example.org[private/dovecot-lmtp]";
        let route = Route::Lmtp(HOST);
        let org = scene.add_site("example.org", route, socket, "", "example.org");
        let net = scene.add_site("example.net", route, socket, "", "example.org");
        scene.add_site("mail.example.org", Route::Local, "local", "", "local");
        let elsewhere = cast::add_elsewhere(&mut scene);
        let accounts = cast::accounts(&mut scene, 40, &[org, org, net], elsewhere.clone());
        let mut subscribers = Vec::new();
        for number in 0..600 {
            let site = elsewhere.start + scene.random.popular(elsewhere.len());
            let first = scene.random.pick(&cast::FIRST);
            subscribers.push((
                format!("{first}.{number}@{}", scene.sites[site].domain),
                site,
            ));
        }
        let random = &mut scene.random;
        let guessers = (0..60).map(|_| cast::stranger(random)).collect();
        let networks = (0..72).map(|_| cast::stranger(random)).collect();
        // The first account sends the newsletters.
        let victim = 1 + random.index(accounts.len() - 1);

        let start_us = start_unix_ms * MS;
        let after_us = options.hijack_after.as_micros() as u64;
        let hijack_us = start_us + after_us + random.below(after_us / 4 + 1);
        let first_us = hijack_us + random.between(8, 20) * MINUTE;
        let listed_us = (0..elsewhere.len())
            .map(|position| match position {
                0..2 => first_us + random.below(3 * MINUTE),
                // Some never look.
                _ if random.chance(200) => u64::MAX,
                _ => first_us + random.below(25 * MINUTE),
            })
            .collect();
        let mut world = World {
            scene,
            options,
            accounts,
            elsewhere,
            subscribers,
            guessers,
            networks,
            victim,
            start_us,
            hijack_us,
            listed_us,
        };
        world.plan_beginning();
        world
    }

    fn plan_beginning(&mut self) {
        let begin_us = self.begin_us();
        for own in OWN {
            match own {
                Own::Spam => self.plan(self.hijack_us, own),
                Own::Reconnaissance => {
                    let before_us = self.scene.random.between(20, 40) * MINUTE;
                    self.plan(
                        (self.hijack_us - before_us.min(self.hijack_us)).max(begin_us),
                        own,
                    );
                }
                Own::Newsletter => self.plan(self.next_newsletter_us(begin_us), own),
                _ => {
                    let wait_us = self.scene.random.below(5 * SECOND);
                    self.plan(begin_us + wait_us, own);
                }
            }
        }
    }

    /// Writes all lines with stamps up to `until_ms` that were not written yet. After an error of
    /// `out`, lines are missing in it that [`World::truth`] has counted.
    pub fn step(&mut self, until_ms: u64, out: &mut dyn Write) -> io::Result<()> {
        let until_us = until_ms * MS;
        loop {
            let action_us = self.scene.agenda.next_us().unwrap_or(u64::MAX);
            let line_us = self.scene.log.next_us().unwrap_or(u64::MAX);
            if action_us.min(line_us) > until_us {
                return self.scene.log.flush(out);
            }
            // What is done at a time may write at that time, so doing comes first.
            if action_us <= line_us {
                match self.scene.agenda.take() {
                    Some((at_us, Action::Retry(message))) => self.scene.retry(message, at_us),
                    Some((at_us, Action::Own(own))) => self.happen(OWN[own as usize], at_us),
                    None => {}
                }
            } else {
                self.scene.log.write_next(out)?;
            }
        }
    }

    /// Who is hijacked, and when: for a demonstration that wants to point at it.
    pub fn hijack(&self) -> HijackInfo {
        HijackInfo {
            account: self.accounts[self.victim].address.clone(),
            starts_at_ms: self.hijack_us / MS,
            listed_from_ms: self
                .listed_us
                .iter()
                .min()
                .map_or(u64::MAX, |at_us| at_us / MS),
        }
    }

    /// What the lines written so far say.
    pub fn truth(&self) -> Truth {
        self.scene.log.truth()
    }

    /// When the log begins, prehistory included.
    pub fn begins_at_ms(&self) -> u64 {
        self.begin_us() / MS
    }

    fn begin_us(&self) -> u64 {
        self.start_us
            .saturating_sub(self.options.prehistory.as_micros() as u64)
    }

    /// The time of the next line or event: a caller with a wall clock may sleep until then.
    pub fn next_ms(&self) -> u64 {
        let action_us = self.scene.agenda.next_us().unwrap_or(u64::MAX);
        action_us.min(self.scene.log.next_us().unwrap_or(u64::MAX)) / MS
    }

    fn plan(&mut self, at_us: u64, own: Own) {
        self.scene.agenda.plan(at_us, Action::Own(own as u32));
    }

    /// After a wait around `mean_us` by day; longer at night and before the start.
    fn plan_again(&mut self, own: Own, now_us: u64, mean_us: u64) {
        let permille = self.activity_permille(now_us).max(1);
        let wait_us = self.scene.random.wait(mean_us * 1000 / permille);
        self.plan(now_us + wait_us.max(MS), own);
    }

    /// How much goes on, in thousandths of a busy hour.
    fn activity_permille(&self, at_us: u64) -> u64 {
        // By the hour of the local day.
        const BY_HOUR: [u64; 24] = [
            180, 130, 110, 100, 110, 160, 300, 550, 850, 1000, 1050, 1000, 850, 900, 1000, 1000,
            950, 850, 700, 600, 550, 480, 380, 260,
        ];
        let minute = self.local_us(at_us) / MINUTE;
        let (hour, past) = ((minute / 60 % 24) as usize, minute % 60);
        let curve = (BY_HOUR[hour] * (60 - past) + BY_HOUR[(hour + 1) % 24] * past) / 60;
        let of_all = curve * self.options.volume_permille / 1000;
        if at_us < self.start_us {
            of_all * self.options.prehistory_permille / 1000
        } else {
            of_all
        }
    }

    fn local_us(&self, at_us: u64) -> u64 {
        at_us.saturating_add_signed(i64::from(self.options.utc_offset_minutes) * MINUTE as i64)
    }

    /// Twice a day, at nine and at five.
    fn next_newsletter_us(&self, after_us: u64) -> u64 {
        let local_us = self.local_us(after_us);
        let midnight_us = local_us / (24 * HOUR) * (24 * HOUR);
        let times = [9, 17, 33].map(|hour| midnight_us + hour * HOUR);
        let next = times
            .into_iter()
            .find(|&at_us| at_us > local_us)
            .unwrap_or(local_us + HOUR);
        after_us + (next - local_us)
    }
}
