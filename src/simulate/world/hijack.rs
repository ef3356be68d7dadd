//! How an account is lost: its password is guessed, a botnet logs in with it from everywhere and
//! sends spam, and then the lists take notice.

use super::super::cast;
use super::super::message::{Fate, Mail, Recipient};
use super::super::reply::Reply;
use super::super::scene::{HOUR, MS, SECOND};
use super::super::truth::{Origin, Service};
use super::{HOST, Own, World};

/// Of the botnet, so many clients took part in guessing the password.
const GUESSING_CLIENTS: usize = 3;
/// After so many temporary refusals a server says it for good.
const DEFERS: u8 = 60;

impl World {
    /// Wrong passwords for the one account, until one is right.
    pub(super) fn reconnaissance(&mut self, at_us: u64) {
        let client = self.networks[self.scene.random.index(GUESSING_CLIENTS)].clone();
        let name = self.accounts[self.victim].address.clone();
        let tries = self.scene.random.between(1, 3);
        self.scene
            .wrong_passwords(HOST, client, &name, tries, at_us);
        let next_us = at_us + self.scene.random.wait(35 * SECOND);
        if next_us + 30 * SECOND < self.hijack_us {
            self.plan(next_us, Own::Reconnaissance);
        }
    }

    /// One session of the botnet.
    pub(super) fn spam(&mut self, at_us: u64) {
        let since_us = at_us - self.hijack_us;
        let client = if since_us == 0 {
            self.networks[0].clone()
        } else {
            self.scene.random.pick(&self.networks).clone()
        };
        let login = self.accounts[self.victim].login.clone();
        let mut session = self.scene.connect(HOST, Service::Submission, client, at_us);
        self.scene.greet(&mut session, true);
        session.now_us += self.scene.random.between(200, 900) * MS;
        for _ in 0..self.scene.random.between(1, 4) {
            let mail = self.spam_mail(session.now_us);
            let message = self.scene.submit(&mut session, Some(&login), mail);
            self.scene.deliver(Box::new(message));
            session.now_us += self.scene.random.between(100, 1500) * MS;
        }
        self.scene.quit(session);

        // It starts carefully, then runs for some hours, then trickles.
        let mean_us = match since_us {
            0..600_000_000 => 14 * SECOND - since_us / 60,
            _ if since_us < 3 * HOUR => 4 * SECOND,
            _ => 40 * SECOND,
        };
        let wait_us = self.scene.random.wait(mean_us);
        self.plan(at_us + wait_us.max(MS), Own::Spam);
    }

    fn spam_mail(&mut self, at_us: u64) -> Mail {
        let mut recipients: Vec<Recipient> = Vec::new();
        for _ in 0..self.scene.random.between(1, 20) {
            let site = self.elsewhere.start + self.scene.random.popular(self.elsewhere.len());
            let number = self.scene.random.below(100_000);
            let random = &mut self.scene.random;
            let (first, last) = (random.pick(&cast::FIRST), random.pick(&cast::LAST));
            let address = format!("{last}{first}{number}@{}", self.scene.sites[site].domain);
            let fate = self.spam_fate(site, at_us);
            recipients.push(Recipient::new(address, site, fate));
        }
        recipients.sort_by(|a, b| (a.site, &a.address).cmp(&(b.site, &b.address)));
        recipients.dedup_by(|a, b| a.address == b.address);
        Mail {
            origin: Origin::Authenticated,
            user: Some(self.accounts[self.victim].login.user),
            sender: self.accounts[self.victim].address.clone(),
            recipients,
            size_bytes: self.scene.random.between(2200, 9000),
            message_id: self.scene.message_id("localhost.localdomain"),
        }
    }

    fn spam_fate(&mut self, site: usize, at_us: u64) -> Fate {
        if let Some(fate) = self.listed_fate(site, at_us) {
            return fate;
        }
        let random = &mut self.scene.random;
        match random.below(1000) {
            0..240 => Fate::at_once(Reply::UserUnknown),
            240..360 => Fate::at_once(Reply::SpamContent),
            360..440 => Fate {
                defers: 1,
                first: Reply::Greylisted,
                last: Reply::Sent,
            },
            440..480 => Fate {
                defers: DEFERS,
                first: Reply::Timeout,
                last: Reply::UserUnknown,
            },
            480..500 => Fate {
                defers: DEFERS,
                first: Reply::MailboxFull,
                last: Reply::UserUnknown,
            },
            _ => Fate::SENT,
        }
    }

    /// What a site answers once it knows our address from a list: to all mail, not only spam.
    pub(super) fn listed_fate(&self, site: usize, at_us: u64) -> Option<Fate> {
        let position = site.checked_sub(self.elsewhere.start)?;
        if at_us < *self.listed_us.get(position)? {
            return None;
        }
        Some(match position % 5 {
            _ if self.scene.sites[site].domain == cast::OFFICEMAIL => {
                Fate::at_once(Reply::Microsoft)
            }
            1 | 3 => Fate::at_once(Reply::Spamhaus),
            _ => Fate {
                defers: DEFERS,
                first: Reply::SpamhausTemporary,
                last: Reply::Spamhaus,
            },
        })
    }
}
