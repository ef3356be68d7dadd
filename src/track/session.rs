//! What is remembered of a client's session from line to line. A server process has one at a time,
//! so host and pid name it.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::fact::{AccountId, Origin};
use super::queue::EntryRef;

/// Sessions remembered: far more than a host runs processes.
const SESSIONS_MAX: usize = 16_384;
/// A session without a line for so long is over, its end unseen.
const IDLE_MS: i64 = 3_600_000;

/// Who stands before a before-queue filter.
#[derive(Debug, Clone, Copy)]
pub struct Submitter {
    pub origin: Origin,
    pub account: Option<AccountId>,
    /// From a network that is new to the account.
    pub is_new_network: bool,
}

/// A session in which something happened that later lines refer to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Session {
    last_ms: i64,
    pub login_counted: bool,
    pub auth_failures: u32,
    pub lost_after_auth: bool,
    pub submitter: Option<Submitter>,
    /// An access table said DISCARD or HOLD before the queue id was known.
    pub discard_next: bool,
    pub hold_next: bool,
    /// A mail that is swallowed if the client brings it to its end: nothing but the end of the
    /// session, or its next mail, tells.
    pub discarding: Option<EntryRef>,
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    by_process: HashMap<(u64, u32), Session, FixedState>,
}

impl Sessions {
    pub fn get_mut(&mut self, host: u64, pid: u32, now_ms: i64) -> &mut Session {
        if self.by_process.len() >= SESSIONS_MAX {
            self.by_process.retain(|_, s| s.last_ms + IDLE_MS > now_ms);
            if self.by_process.len() >= SESSIONS_MAX {
                self.by_process.clear();
            }
        }
        let session = self.by_process.entry((host, pid)).or_default();
        session.last_ms = now_ms;
        session
    }

    pub fn end(&mut self, host: u64, pid: u32) -> Option<Session> {
        self.by_process.remove(&(host, pid))
    }
}
