#!/usr/bin/env python3
"""Runs the mail system bench once: real daemons in private namespaces, real clients.

Usage: harness.py [--keep DIRECTORY]
Needs root on Debian 12 (Postfix 3.7, Dovecot 2.3). Leaves logs, records, expected.json and
pflogsumm's reports in DIRECTORY (default: a new one under the temporary
directory), and prints its name as the last line.
"""

import argparse
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = {
    "postfix": "/usr/sbin/postfix",
    "dovecot-core": "/usr/sbin/dovecot",
    "dovecot-lmtpd": "/usr/lib/dovecot/lmtp",
    "rsyslog": "/usr/sbin/rsyslogd",
    "dnsmasq-base": "/usr/sbin/dnsmasq",
    "pflogsumm": "/usr/sbin/pflogsumm",
    "iproute2": "/sbin/ip",
    "openssl": "/usr/bin/openssl",
}
LIMIT_SECONDS = 300
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def install():
    """Installs what is missing; no service starts by it."""
    missing = [package for package, path in PACKAGES.items() if not os.path.exists(path)]
    if not missing:
        return
    print("installing " + " ".join(missing), flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        get = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=900"]
        command = get + ["install", "-y", "--no-install-recommends", *missing]
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
            subprocess.run(get + ["update"], env=environment, check=True)
            subprocess.run(command, env=environment, check=True)
    finally:
        if ours:
            policy.unlink()


def bench(work):
    """One run in namespaces of its own. Process 1 is drive.py: when it ends, or
    we do, the kernel ends all that it started and undoes the mounts."""
    shutil.copytree(HERE, work / "bin", ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    command = ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL", sys.executable, str(work / "bin/drive.py"), str(work)]
    die_with_us = lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, for a kill -9 of ours
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_us)
    try:
        code = child.wait(LIMIT_SECONDS)
    except BaseException:
        child.kill()
        child.wait()
        raise
    if code:
        raise SystemExit("the bench failed (exit %d); see %s" % (code, work))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", help="directory for the results (must not exist)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("harness.py needs root: it makes namespaces and runs mail servers in them")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begin = time.time()
    install()
    if arguments.keep:
        work = pathlib.Path(arguments.keep).resolve()
        work.mkdir(parents=True)
    else:
        work = pathlib.Path(tempfile.mkdtemp(prefix="mail-bench."))
    work.chmod(0o755)
    bench(work)
    if (HERE / "expect.py").exists():
        subprocess.run([sys.executable, str(HERE / "expect.py"), str(work)], check=True)
    logs = sorted((work / "logs").glob("*.log"))
    with open(work / "pflogsumm.txt", "w") as out:
        subprocess.run(["pflogsumm", "--syslog-name=postfix-out", str(work / "logs/traditional.log")], stdout=out, stderr=subprocess.STDOUT, check=False)
    print("%d s, %s lines" % (time.time() - begin, "/".join(str(len(log.read_bytes().splitlines())) for log in logs)))
    print(work)


if __name__ == "__main__":
    main()
