//! smtpd(8): who connects, what he does, how it ends.

use super::host::Program;
use super::line::Line;
use super::scene::{MS, Scene};
use super::truth::{Mechanism, Name, Reject, Series, Service};

#[derive(Clone, Debug)]
pub(super) struct Client {
    /// As in `name[address]`.
    pub name: String,
    pub address: String,
    pub helo: String,
}

impl Client {
    pub fn loopback() -> Self {
        Client {
            name: "localhost".to_owned(),
            address: "127.0.0.1".to_owned(),
            helo: "localhost".to_owned(),
        }
    }
}

/// An account and how it is written at login.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub written: String,
    pub user: Name,
    pub mechanism: Mechanism,
}

/// SMTP commands, in the order of the disconnect line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Ehlo,
    Xforward,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Rset,
    Quit,
}

const COMMANDS: [&str; 9] = [
    "ehlo", "xforward", "starttls", "auth", "mail", "rcpt", "data", "rset", "quit",
];

pub(super) struct Session {
    pub host: usize,
    pub service: Service,
    pub program: Program,
    pub pid: u32,
    pub client: Client,
    pub now_us: u64,
    authenticated: bool,
    tls: bool,
    commands: [(u64, u64); COMMANDS.len()],
}

impl Session {
    pub fn command(&mut self, command: Command, ok: u64, refused: u64) {
        self.commands[command as usize].0 += ok;
        self.commands[command as usize].1 += ok + refused;
    }
}

impl Scene {
    pub fn connect(
        &mut self,
        host: usize,
        service: Service,
        client: Client,
        at_us: u64,
    ) -> Session {
        let program = match service {
            Service::Smtp => Program::Smtpd,
            Service::Submission => Program::SubmissionSmtpd,
            Service::Submissions => Program::SmtpsSmtpd,
        };
        let pid = self.hosts[host].pid(program, at_us, u64::MAX);
        let mut session = Session {
            host,
            service,
            program,
            pid,
            client,
            now_us: at_us,
            authenticated: false,
            tls: false,
            commands: [(0, 0); COMMANDS.len()],
        };
        let mut line = self.session_line(&session);
        line.s("connect from ").count(Series::Connection(service));
        name_address(&mut line, &session.client);
        self.log.plan(at_us, line);
        session.now_us += self.random.between(20, 200) * MS;
        if service == Service::Submissions {
            self.tls(&mut session);
        }
        session
    }

    pub fn session_line(&mut self, session: &Session) -> Line {
        self.log
            .line(&self.hosts[session.host], session.program, session.pid)
    }

    /// EHLO and, where offered and not yet done, STARTTLS.
    pub fn greet(&mut self, session: &mut Session, starttls: bool) {
        session.command(Command::Ehlo, 1, 0);
        if starttls && !session.tls {
            session.command(Command::Starttls, 1, 0);
            self.tls(session);
            session.command(Command::Ehlo, 1, 0);
        }
    }

    fn tls(&mut self, session: &mut Session) {
        session.tls = true;
        let mut line = self.session_line(session);
        line.s("Anonymous TLS connection established from ");
        name_address(&mut line, &session.client);
        if self.random.chance(900) {
            line.s(": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)")
                .s(" key-exchange X25519 server-signature RSA-PSS (2048 bits)")
                .s(" server-digest SHA256")
                .count(Series::Tls("TLSv1.3"));
        } else {
            line.s(": TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)")
                .count(Series::Tls("TLSv1.2"));
        }
        self.log.plan(session.now_us, line);
        session.now_us += self.random.between(10, 90) * MS;
    }

    /// A password that is wrong.
    pub fn wrong_password(&mut self, session: &mut Session, mechanism: Mechanism, written: &str) {
        session.command(Command::Auth, 0, 1);
        session.now_us += self.random.between(200, 2500) * MS;
        let mut line = self.session_line(session);
        line.s("warning: ");
        name_address(&mut line, &session.client);
        line.s(": SASL ")
            .s(mechanism.word())
            .s(" authentication failed: ");
        if mechanism == Mechanism::Login {
            line.s("UGFzc3dvcmQ6");
        } else {
            line.s("authentication failure");
        }
        line.s(", sasl_username=").s(written);
        let service = session.service.word();
        line.count(Series::Warning(session.program))
            .count(Series::AuthFailure(
                "postfix",
                service,
                mechanism.word(),
                "bad_credentials",
            ));
        self.log.plan(session.now_us, line);
        session.now_us += self.random.between(50, 900) * MS;
    }

    /// The `sasl_` fields of the first line that shows a success count it.
    pub fn sasl(&mut self, session: &mut Session, line: &mut Line, login: &Login) {
        line.s(", sasl_method=").s(login.mechanism.word());
        line.s(", sasl_username=").s(&login.written);
        if !session.authenticated {
            session.authenticated = true;
            session.command(Command::Auth, 1, 0);
            line.count(Series::UserAuth(login.user));
            let service = session.service.word();
            line.count(Series::AuthSuccess(
                "postfix",
                service,
                login.mechanism.word(),
            ));
        }
    }

    /// A recipient, sender or client that is not wanted.
    pub fn reject(&mut self, session: &mut Session, reject: Reject, from: &str, to: &str) {
        if session.commands[Command::Mail as usize].0 == 0 {
            session.command(Command::Mail, 1, 0);
        }
        session.command(Command::Rcpt, 0, 1);
        let mut line = self.session_line(session);
        line.s("NOQUEUE: reject: RCPT from ");
        name_address(&mut line, &session.client);
        line.s(": ").s(reject.code()).s(" ");
        let client = &session.client;
        match reject {
            Reject::Blocklist => line
                .s("5.7.1 Service unavailable; Client host [")
                .s(&client.address)
                .s("] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/")
                .s(&client.address),
            Reject::UnknownRecipient => line
                .s("5.1.1 <")
                .s(to)
                .s(">: Recipient address rejected: User unknown in virtual mailbox table"),
            Reject::RelayDenied => line.s("5.7.1 <").s(to).s(">: Relay access denied"),
            Reject::Greylisted => line
                .s("4.2.0 <")
                .s(to)
                .s(">: Recipient address rejected: Greylisted, see ")
                .s("http://postgrey.schweikert.ch/help/example.org.html"),
            Reject::Helo => line
                .s("5.5.2 <")
                .s(&client.helo)
                .s(">: Helo command rejected: need fully-qualified hostname"),
            Reject::SenderDomain => line
                .s("4.1.8 <")
                .s(from)
                .s(">: Sender address rejected: Domain not found"),
            Reject::ClientHostname => line
                .s("4.7.25 Client host rejected: cannot find your hostname, [")
                .s(&client.address)
                .s("]"),
        };
        line.s("; from=<")
            .s(from)
            .s("> to=<")
            .s(to)
            .s("> proto=ESMTP helo=<")
            .s(&client.helo);
        line.s(">")
            .count(Series::Reject(session.service, "RCPT", reject));
        self.log.plan(session.now_us, line);
        session.now_us += self.random.between(30, 300) * MS;
    }

    /// The client says QUIT.
    pub fn quit(&mut self, mut session: Session) {
        session.command(Command::Quit, 1, 0);
        self.disconnect(session);
    }

    /// The client goes without a word.
    pub fn hang_up(&mut self, session: Session, stage: &'static str) {
        let mut line = self.session_line(&session);
        if self.modern {
            line.s("NOQUEUE: ");
        }
        line.s("lost connection after ").s(stage).s(" from ");
        name_address(&mut line, &session.client);
        line.count(Series::Lost(session.service, stage));
        self.log.plan(session.now_us, line);
        self.disconnect(session);
    }

    fn disconnect(&mut self, session: Session) {
        let mut line = self.session_line(&session);
        line.s("disconnect from ")
            .count(Series::Disconnect(session.service));
        name_address(&mut line, &session.client);
        let (mut ok, mut all) = (0, 0);
        for (name, (good, tried)) in COMMANDS.iter().zip(session.commands) {
            if tried > 0 {
                line.s(" ").s(name).s("=");
                fraction(&mut line, good, tried);
            }
            ok += good;
            all += tried;
        }
        line.s(" commands=");
        fraction(&mut line, ok, all);
        if all == 0 {
            line.s("/0");
        }
        self.log.plan(session.now_us, line);
        self.hosts[session.host].done(session.program, session.pid, session.now_us);
    }
}

fn fraction(line: &mut Line, good: u64, tried: u64) {
    line.n(good);
    if good < tried {
        line.s("/").n(tried);
    }
}

pub(super) fn name_address(line: &mut Line, client: &Client) {
    line.s(&client.name).s("[").s(&client.address).s("]");
}
