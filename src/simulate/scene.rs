//! What all generators share: the hosts, the places that mail goes to, the log, and the plans.

use std::collections::HashMap;
use std::io::{self, Write};

use super::agenda::Agenda;
use super::host::Host;
use super::line::Stamp;
use super::log::Log;
use super::message::Message;
use super::random::Random;
use super::truth::Name;

pub(super) const MS: u64 = 1000;
pub(super) const SECOND: u64 = 1_000_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;

/// How mail for a domain leaves its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To a server of somebody else.
    Smtp,
    /// To a server behind us, by the service `relay`.
    Relay,
    /// To a mailbox that Dovecot keeps on this host, by LMTP.
    Lmtp(usize),
    /// The same, where Cyrus keeps the mailboxes.
    Cyrus,
    /// To a mailbox, by local(8).
    Local,
}

/// A domain and its server.
pub(super) struct Site {
    pub domain: String,
    pub domain_name: Name,
    pub route: Route,
    /// `name[address]`, or with a socket instead of the address.
    pub server: String,
    /// `:25`, or nothing after a socket.
    pub port: &'static str,
    pub relay_name: Name,
}

/// What was planned.
pub(super) enum Action {
    Retry(Box<Message>),
    /// A generator's own.
    Own(u32),
}

pub(super) struct Scene {
    pub log: Log,
    pub random: Random,
    pub hosts: Vec<Host>,
    pub agenda: Agenda<Action>,
    pub sites: Vec<Site>,
    site_of: HashMap<String, usize>,
    /// Our address, as others see it.
    pub own: &'static str,
    /// The relay label of `relay=none`, and of the filter's `127.0.0.1`.
    pub no_relay: Name,
    pub filter_relay: Name,
    /// Postfix 3.10 and later write `NOQUEUE: ` before `lost connection`.
    pub modern: bool,
}

impl Scene {
    pub fn new(stamp: Stamp, offset_minutes: i32, seed: u64) -> Self {
        let mut log = Log::new(stamp, offset_minutes);
        let no_relay = log.name("none");
        let filter_relay = log.name("127.0.0.1");
        Scene {
            log,
            random: Random::new(seed),
            hosts: Vec::new(),
            agenda: Agenda::new(),
            sites: Vec::new(),
            site_of: HashMap::new(),
            own: "203.0.113.25",
            no_relay,
            filter_relay,
            modern: false,
        }
    }

    pub fn add_host(&mut self, name: &str, long_ids: bool) -> usize {
        self.hosts.push(Host::new(name, long_ids, &mut self.random));
        self.hosts.len() - 1
    }

    /// `relay` is the registrable domain of the server's name.
    pub fn add_site(
        &mut self,
        domain: &str,
        route: Route,
        server: &str,
        port: &'static str,
        relay: &str,
    ) -> usize {
        let site = Site {
            domain: domain.to_owned(),
            domain_name: self.log.name(domain),
            route,
            server: server.to_owned(),
            port,
            relay_name: self.log.name(relay),
        };
        self.sites.push(site);
        self.site_of.insert(domain.to_owned(), self.sites.len() - 1);
        self.sites.len() - 1
    }

    /// Writes the lines before `until_us`, as long as there may be more: at most `lines_max` in all.
    pub fn write_until(
        &mut self,
        until_us: u64,
        lines_max: u64,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        while self.log.written < lines_max && self.log.next_us().is_some_and(|at| at < until_us) {
            self.log.write_next(out)?;
        }
        Ok(())
    }

    /// The site of an address, if its domain is one we know.
    pub fn site_of(&self, address: &str) -> Option<usize> {
        self.site_of.get(address.rsplit_once('@')?.1).copied()
    }
}
