//! A host of the simulated system: its processes, each with the pid it keeps, and its queue.

use super::queue_id::QueueIds;
use super::random::Random;

macro_rules! programs {
    ($($name:ident $tag:literal $software:literal,)*) => {
        /// Who writes: the tag of a line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(super) enum Program { $($name,)* }

        impl Program {
            pub const ALL: &[Program] = &[$(Program::$name,)*];

            pub fn tag(self) -> &'static str {
                match self { $(Program::$name => $tag,)* }
            }

            pub fn software(self) -> &'static str {
                match self { $(Program::$name => $software,)* }
            }
        }
    };
}

programs! {
    Smtpd "postfix/smtpd" "postfix",
    SubmissionSmtpd "postfix/submission/smtpd" "postfix",
    SmtpsSmtpd "postfix/smtps/smtpd" "postfix",
    Cleanup "postfix/cleanup" "postfix",
    Qmgr "postfix/qmgr" "postfix",
    Smtp "postfix/smtp" "postfix",
    RelaySmtp "postfix/relay/smtp" "postfix",
    Lmtp "postfix/lmtp" "postfix",
    Local "postfix/local" "postfix",
    Error "postfix/error" "postfix",
    Bounce "postfix/bounce" "postfix",
    Pickup "postfix/pickup" "postfix",
    Anvil "postfix/anvil" "postfix",
    Scache "postfix/scache" "postfix",
    Amavis "amavis" "amavis",
    Spamd "spamd" "spamassassin",
    Postgrey "postgrey" "postgrey",
    ImapProxy "in.imapproxyd" "imapproxyd",
    Dovecot "dovecot" "dovecot",
    CyrusImap "cyrus/imap" "cyrus",
    CyrusImaps "cyrus/imaps" "cyrus",
    CyrusPop3 "cyrus/pop3" "cyrus",
    CyrusLmtp "cyrus/lmtpunix" "cyrus",
    CyrusMaster "cyrus/master" "cyrus",
    CyrusCheckpoint "cyrus/ctl_cyrusdb" "cyrus",
    CyrusExpire "cyrus/cyr_expire" "cyrus",
    CyrusTlsPrune "cyrus/tls_prune" "cyrus",
}

impl Program {
    /// Runs once, for ever, or does one short thing after the other: one pid for all it writes.
    fn is_single(self) -> bool {
        matches!(
            self,
            Program::Qmgr
                | Program::Pickup
                | Program::Anvil
                | Program::Scache
                | Program::Postgrey
                | Program::ImapProxy
                | Program::Dovecot
                | Program::CyrusMaster
        )
    }
}

struct Process {
    pid: u32,
    busy_until_us: u64,
    uses: u32,
}

/// Postfix's `max_use`.
const USES_MAX: u32 = 100;
const PROCESSES_MAX: usize = 200;

pub(super) struct Host {
    pub name: String,
    pub ids: QueueIds,
    processes: Vec<Vec<Process>>,
    last_pid: u32,
}

impl Host {
    pub fn new(name: &str, long_ids: bool, random: &mut Random) -> Self {
        Host {
            name: name.to_owned(),
            ids: QueueIds::new(long_ids, random.between(0x2_0000, 0xf_0000)),
            processes: Program::ALL.iter().map(|_| Vec::new()).collect(),
            last_pid: random.between(900, 20_000) as u32,
        }
    }

    /// A process that is idle at `from_us`; it is busy until `until_us`.
    pub fn pid(&mut self, program: Program, from_us: u64, until_us: u64) -> u32 {
        let crew = &mut self.processes[program as usize];
        if program.is_single()
            && let Some(process) = crew.first()
        {
            return process.pid;
        }
        crew.retain(|process| process.uses < USES_MAX || process.busy_until_us > from_us);
        let idle = crew
            .iter_mut()
            .find(|one| one.busy_until_us <= from_us && one.uses < USES_MAX);
        if let Some(process) = idle {
            process.busy_until_us = until_us;
            process.uses += 1;
            return process.pid;
        }
        self.last_pid += 1 + (from_us % 7) as u32;
        if self.last_pid > 4_000_000 {
            self.last_pid = 1000;
        }
        if crew.len() < PROCESSES_MAX {
            crew.push(Process {
                pid: self.last_pid,
                busy_until_us: until_us,
                uses: 1,
            });
        }
        self.last_pid
    }

    /// A session that was opened with an unknown end has ended.
    pub fn done(&mut self, program: Program, pid: u32, at_us: u64) {
        for process in &mut self.processes[program as usize] {
            if process.pid == pid {
                process.busy_until_us = at_us;
            }
        }
    }
}
