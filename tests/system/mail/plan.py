"""What the servers are set up to do: accounts, aliases and the way to each domain.

`world.sh` builds the daemons so; `expect.py` reads it beside the records.
"""

DEFAULT_DOMAIN = "example.test"
TRUSTED = ["127.0.0.0/8", "::1/128", "198.51.100.64/28", "2001:db8:70::/64"]

# Gets a copy of every mail that comes in (always_bcc).
BCC = "archive@example.test"

# What `maillog_exporter report` is told of this host; the rest are its defaults.
FLAGS = {
    "--users.default-domain": DEFAULT_DOMAIN,
    "--trusted-networks": TRUSTED,
    "--filter-networks": ["127.0.0.0/8", "::1/128"],
    "--bcc-address": BCC,
    "--inbound-relays": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
}

# login as typed -> password. `web` has no domain; `Alice@...` is typed in mixed case.
ACCOUNTS = {
    name: "pw-" + name.split("@")[0]
    for name in [
        *(n + "@example.test" for n in "alice bob carol dave erin frank grace heidi ivan judy".split()),
        "webshop",
    ]
}
# Addresses of example.test that virtual(8) delivers.
VIRTUAL = [n + "@example.test" for n in "alice bob carol dave erin frank grace heidi ivan judy postmaster web archive".split()] + ["webshop@example.test"]
LMTP = [n + "@lmtp.example.test" for n in ("lara", "liam")]

VIRTUAL_ALIASES = {
    "team@example.test": ["alice@example.test", "bob@example.test", "carol@example.test"],
    "out@example.test": ["ok.alias@bigmail.test"],
    "root@mx.example.test": ["postmaster@example.test"],
    "postmaster@mx.example.test": ["postmaster@example.test"],
}
# aliases(5): resolved by local(8), which forwards under a new queue id.
LOCAL_ALIASES = {
    "fwd@mx.example.test": ["ok.fwd@bigmail.test"],
    "fwdtwo@mx.example.test": ["ok.fwd1@bigmail.test", "alice@example.test"],
    "fwdbad@mx.example.test": ["nosuch.fwd@bigmail.test"],
}

# domain -> (kind, transport label, direction). Kinds: "mx" a scripted host tells;
# "box" a mailbox survey tells; "fixed" nobody but our own configuration.
ROUTES = {
    "example.test": ("box", "virtual", "local"),
    "lmtp.example.test": ("box", "lmtp", "local"),
    "pipe.example.test": ("box", "pipe", "local"),
    "mx.example.test": ("box", "local", "local"),
    "bigmail.test": ("mx", "smtp", "outbound"),
    "othermail.test": ("mx", "smtp", "outbound"),
    "twomx.test": ("mx", "smtp", "outbound"),
    "drop.test": ("mx", "smtp", "outbound"),
    "hang.test": ("mx", "smtp", "outbound"),
    "softmail.test": ("mx", "smtp", "outbound"),
    "bulk.test": ("mx", "smtp", "outbound"),  # through the second instance
    "inner.test": ("mx", "relay", "inbound"),
    "verify.test": ("mx", "relay", "inbound"),
    "hangup.test": ("fixed", "smtp", "outbound"),
    "listed.test": ("fixed", "smtp", "outbound"),
    "refused.test": ("fixed", "smtp", "outbound"),
    "timeout.test": ("fixed", "smtp", "outbound"),
    "unreachable.test": ("fixed", "smtp", "outbound"),
    "nodomain.test": ("fixed", "smtp", "outbound"),
    "err.test": ("fixed", "error", "outbound"),
    "retry.test": ("fixed", "error", "outbound"),
    "disc.test": ("fixed", "discard", "discard"),
    "dead.test": ("fixed", "smtp", "outbound"),  # from the second mail on: error(8), "temporarily suspended"
}
# "fixed" domains: (status, dsn class, reason, refused class, relay label or None)
FIXED = {
    "hangup.test": ("deferred", "4", "lost_connection", "network", "hangup.test"),
    "listed.test": ("deferred", "4", "blocklisted", "listed", "listed.test"),
    "refused.test": ("deferred", "4", "connection_refused", "network", None),
    "timeout.test": ("deferred", "4", "connection_timeout", "network", None),
    "unreachable.test": ("deferred", "4", "host_unreachable", "network", None),
    "nodomain.test": ("bounced", "5", "dns", "network", None),
    "err.test": ("bounced", "5", None, None, None),
    "retry.test": ("deferred", "4", None, None, None),
    "disc.test": ("sent", "2", None, None, None),
    "dead.test": ("deferred", "4", "connection_refused", "network", None),
}
HOST_DOMAIN = {
    "mx1.bigmail.test": "bigmail.test", "mx.othermail.test": "othermail.test", "mx2.twomx.test": "twomx.test",
    "mx.drop.test": "drop.test", "mx.hang.test": "hang.test", "mx.softmail.test": "softmail.test", "inner.corp.test": "corp.test",
}
# entry -> the filter's port, or None
FILTERED = {"smtp": 10024, "submission": 10026, "submissions": None, "sendmail": None, "trusted": None}
