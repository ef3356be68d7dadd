//! Debian packages that a check needs: installed when missing, their services not started.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::run;

/// Asked by Debian's packages before they start a service; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Program, and the package that has it.
pub type Need = (&'static str, &'static str);

pub fn install(needs: &[Need]) -> anyhow::Result<()> {
    let missing = needs
        .iter()
        .filter(|(program, _)| !run::is_installed(program));
    let mut packages: Vec<&str> = missing.map(|&(_, package)| package).collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    println!("installing {}", packages.join(" "));
    let _guard = Guard::set()?;
    let apt = |arguments: &str| {
        let mut command = run::command("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=900"]);
        command
            .args(arguments.split(' '))
            .env("DEBIAN_FRONTEND", "noninteractive");
        run::done(&mut command)
    };
    let install = format!("install -y --no-install-recommends {}", packages.join(" "));
    // The lists may be there already; without them, or with old ones, they are fetched first.
    if apt(&install).is_err() {
        apt("update")?;
        apt(&install)?;
    }
    Ok(())
}

/// No service starts while it lives.
struct Guard {
    is_ours: bool,
}

impl Guard {
    fn set() -> anyhow::Result<Guard> {
        let is_ours = !Path::new(POLICY).exists();
        if is_ours {
            fs::write(POLICY, "#!/bin/sh\nexit 101\n")
                .and_then(|()| fs::set_permissions(POLICY, Permissions::from_mode(0o755)))
                .with_context(|| format!("{POLICY}: packages are installed as root"))?;
        }
        Ok(Guard { is_ours })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.is_ours {
            // Nothing can be done about it here, and the next run sees that it is there.
            let _ = fs::remove_file(POLICY);
        }
    }
}
