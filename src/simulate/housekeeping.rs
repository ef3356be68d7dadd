//! What a mail host writes beside its mail: logins to mailboxes, statistics.

use super::host::Program;
use super::line::traditional;
use super::scene::{SECOND, Scene};
use super::session::Client;
use super::truth::{Name, Series};

impl Scene {
    /// Dovecot: somebody reads his mail.
    pub fn imap_session(
        &mut self,
        host: usize,
        user: &str,
        name: Name,
        client: &Client,
        at_us: u64,
    ) {
        let (session, pid) = (self.random.next(), self.random.between(1000, 60_000));
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Dovecot, at_us);
        line.s("imap-login: Login: user=<")
            .s(user)
            .s(">, method=PLAIN, rip=")
            .s(&client.address);
        let loopback = client.address == "127.0.0.1";
        let (own, secured) = if loopback {
            ("127.0.0.1", "secured")
        } else {
            (self.own, "TLS")
        };
        line.s(", lip=")
            .s(own)
            .s(", mpid=")
            .n(pid)
            .s(", ")
            .s(secured)
            .s(", session=<");
        line.hex(session, 16).s(">");
        line.count(Series::Login("dovecot", "imap"));
        line.count(Series::AuthSuccess("dovecot", "imap", "PLAIN"));
        line.count(Series::UserAuth(name));
        self.log.plan(at_us, line);

        let end_us = at_us + self.random.between(1, 600) * SECOND;
        let mut line = self
            .log
            .brief(&mut self.hosts[host], Program::Dovecot, end_us);
        line.s("imap(")
            .s(user)
            .s(")<")
            .n(pid)
            .s("><")
            .hex(session, 16);
        line.s(">: Disconnected: Logged out in=")
            .n(self.random.between(60, 900));
        line.s(" out=").n(self.random.between(500, 90_000));
        line.s(" deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0");
        line.count(Series::Logout("dovecot", "imap"));
        self.log.plan(end_us, line);
    }

    /// anvil(8), three lines about a busy client. `local_us`: the time as the host's clock shows it.
    pub fn anvil_statistics(&mut self, host: usize, address: &str, local_us: u64, at_us: u64) {
        let stamp = traditional((local_us / SECOND).saturating_sub(self.random.below(60)));
        let rate = self.random.between(1, 9);
        for (offset_us, kind, value) in [
            (0, "connection rate", rate),
            (50, "connection count", 1),
            (100, "cache size", rate),
        ] {
            let mut line = self.log.brief(&mut self.hosts[host], Program::Anvil, at_us);
            line.s("statistics: max ").s(kind).s(" ").n(value);
            if kind.ends_with("rate") {
                line.s("/60s");
            }
            if !kind.starts_with("cache") {
                line.s(" for (smtp:").s(address).s(")");
            }
            line.s(" at ").s(&stamp);
            self.log.plan(at_us + offset_us, line);
        }
    }
}
