//! What a child process cost.

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::run;

pub struct Cost {
    /// User and system.
    pub cpu_s: f64,
    pub rss_max_bytes: u64,
}

/// Runs it to its end, its output thrown away.
pub fn of(command: &mut Command) -> anyhow::Result<Cost> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| run::shown(command))?;
    let pid = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: all zeros is a rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals; nobody else waits for this child.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    ensure!(waited == pid, "wait4: {}", io::Error::last_os_error());
    ensure!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "{}: status {status:#x}",
        run::shown(command)
    );
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Cost {
        cpu_s: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        rss_max_bytes: u64::try_from(usage.ru_maxrss)? * 1_024,
    })
}
