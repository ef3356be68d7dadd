#!/usr/bin/env python3
"""Writes the account and address tables that the daemons share with plan.py."""

import sys

sys.path.insert(0, sys.argv[1] + "/bin")
import plan  # noqa: E402

with open("/etc/dovecot/test-users", "w") as out:
    for user, password in plan.ACCOUNTS.items():
        out.write("%s:{PLAIN}%s:5000:5000::/var/vmail/home/%s::\n" % (user, password, user))
    for user in plan.LMTP:
        out.write("%s:{PLAIN}none-%s:5000:5000::/var/vmail/home/%s::\n" % (user, user, user))
with open("/etc/postfix/vmailbox", "w") as out:
    for user in plan.VIRTUAL:
        name, domain = user.split("@")
        out.write("%s %s/%s/\n" % (user, domain, name))
    for user in plan.LMTP + ["gone@lmtp.example.test"]:
        out.write("%s x\n" % user)
    out.write("@pipe.example.test x\n")
with open("/etc/postfix/valias", "w") as out:
    for alias, to in plan.VIRTUAL_ALIASES.items():
        out.write("%s %s\n" % (alias, ", ".join(to)))
