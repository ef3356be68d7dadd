//! Who is not welcome: guessers, scanners, senders that are refused; and greylisting.

use super::cast;
use super::host::Program;
use super::scene::Scene;
use super::session::{Client, Command, Session};
use super::truth::{Mechanism, Reject, Series, Service};

impl Scene {
    /// A session of nothing but wrong passwords.
    pub fn wrong_passwords(
        &mut self,
        host: usize,
        client: Client,
        name: &str,
        tries: u64,
        at_us: u64,
    ) {
        let submission = self.random.chance(600);
        let service = if submission {
            Service::Submission
        } else {
            Service::Smtp
        };
        let mut session = self.connect(host, service, client, at_us);
        self.greet(&mut session, submission);
        for _ in 0..tries {
            let plain = self.random.chance(300);
            let mechanism = if plain {
                Mechanism::Plain
            } else {
                Mechanism::Login
            };
            self.wrong_password(&mut session, mechanism, name);
        }
        if self.random.chance(500) {
            self.hang_up(session, "AUTH");
        } else {
            self.quit(session);
        }
    }

    /// Mail that is refused, or a scanner. `wanted`: an address that exists here.
    pub fn unwanted(&mut self, host: usize, wanted: &str, at_us: u64) {
        let client = cast::stranger(&mut self.random);
        let mut session = self.connect(host, Service::Smtp, client, at_us);
        match self.random.below(10) {
            0 => return self.hang_up(session, "CONNECT"),
            1 => {
                self.greet(&mut session, false);
                return self.hang_up(session, "EHLO");
            }
            _ => {}
        }
        self.greet(&mut session, false);
        let tries = self.random.between(1, 3);
        self.refusals(&mut session, wanted, tries);
        if self.random.chance(300) {
            self.hang_up(session, "RCPT");
        } else {
            session.command(Command::Rset, 1, 0);
            self.quit(session);
        }
    }

    /// So many recipients, refused for one reason.
    pub fn refusals(&mut self, session: &mut Session, wanted: &str, tries: u64) {
        let random = &mut self.random;
        let from = format!(
            "{}{}@spam.example",
            random.pick(&cast::LAST),
            random.below(1000)
        );
        let reject = match random.below(11) {
            0..4 => Reject::Blocklist,
            4..7 => Reject::UnknownRecipient,
            7 => Reject::Helo,
            8 => Reject::SenderDomain,
            9 => Reject::ClientHostname,
            _ => Reject::RelayDenied,
        };
        for _ in 0..tries {
            let random = &mut self.random;
            let to = match reject {
                Reject::RelayDenied => cast::person_at(random, "bigmail.example"),
                Reject::UnknownRecipient => cast::guess(random, "example.org"),
                _ => wanted.to_owned(),
            };
            self.reject(session, reject, &from, &to);
        }
    }

    /// postgrey's line; `waited_s` if this is the second try.
    pub fn greylist(
        &mut self,
        host: usize,
        client: &Client,
        from: &str,
        to: &str,
        waited_s: Option<u64>,
        at_us: u64,
    ) {
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Postgrey, at_us);
        match waited_s {
            None => line
                .s("action=greylist, reason=new")
                .count(Series::Greylist("new")),
            Some(seconds) => line
                .s("action=pass, reason=triplet found, delay=")
                .n(seconds)
                .count(Series::Greylist("pass")),
        };
        line.s(", client_name=")
            .s(&client.name)
            .s(", client_address=")
            .s(&client.address);
        line.s(", sender=").s(from).s(", recipient=").s(to);
        self.log.plan(at_us, line);
    }
}
