#!/usr/bin/env python3
"""Holds expected.json against plain counts of log lines, where a plain count can tell.

Usage: crosscheck.py WORK_DIRECTORY. It knows no queue ids and joins nothing: a
disagreement means that the bench misunderstands Postfix, not the exporter.
"""

import collections
import json
import pathlib
import re
import sys

from series import labels_of, matches

WORK = pathlib.Path(sys.argv[1])
LOG = (WORK / "logs/rfc3339.log").read_text(encoding="utf-8").splitlines()
EXPECTED = json.loads((WORK / "expected.json").read_text())
MORE = json.loads((WORK / "expected-more.json").read_text())
LINE = re.compile(r"^\S+ \S+ ([^\s\[:]+)(?:\[\d+\])?: (.*)$")
lines = [LINE.match(line).groups() for line in LOG]
bad = 0


def grep(pattern, tag="postfix"):
    return [m for t, text in lines if re.match(tag, t) for m in [re.search(pattern, text)] if m]


def expected(selector):
    return sum(v for k, v in EXPECTED.items() if matches(selector, k))


def sum_of(name):
    return MORE["sums"].get(name, 0)


def check(what, want, got):
    global bad
    if want != got:
        bad += 1
        print("DIFFERS %-70s expected.json %5d   log %5d" % (what, want, got))


def tally(what, family, by, counts):
    want = collections.Counter()
    for name, value in EXPECTED.items():
        if name.split("{")[0] == family:
            labels = labels_of(name)
            want[tuple(labels.get(b, "") for b in by)] += value
    for label in sorted(set(want) | set(counts)):
        check("%s %s" % (what, " ".join(label)), want[label], counts[label])
    return want


def service(tag):
    return {"submission": "submission", "smtps": "submissions"}.get(tag.split("/")[1], "smtp")


counts = collections.Counter((service(t),) for t, text in lines if t.endswith("/smtpd") and text.startswith("connect from"))
tally("connections", "mail_connections_total", ["service"], counts)
counts = collections.Counter((service(t),) for t, text in lines if t.endswith("/smtpd") and text.startswith("disconnect from"))
tally("disconnects", "mail_disconnects_total", ["service"], counts)

counts = collections.Counter()
for t, text in lines:
    m = re.match(r"(?:\w+: )?(?:lost connection|timeout|too many errors) after (\S+)(?: \(.*?\))? from", text)
    if t.endswith("/smtpd") and m:
        counts[service(t), m.group(1)] += 1
tally("lost", "mail_connections_lost_total", ["service", "stage"], counts)

counts = collections.Counter()
for t, text in lines:
    if t.endswith("/smtpd") and text.startswith("disconnect from"):
        for name, ok, _, every in re.findall(r" (\w+)=(\d+)(/(\d+))?", text):
            if name != "commands":
                counts[service(t), name, "success"] += int(ok)
                counts[service(t), name, "failure"] += int(every or ok) - int(ok)
counts = collections.Counter({k: v for k, v in counts.items() if v})
tally("commands", "mail_smtp_commands_total", ["service", "command", "result"], counts)

# Deliveries. What the filter keeps and what a hop is, the relay tells.
DELIVERY = r"^\w+: to=<([^>]*)>, (?:orig_to=<[^>]*>, )?relay=(\S+), (?:conn_use=\d+, )?delay=.*?, dsn=(\d)\.\d+\.\d+, status=(\w+) \((.*)\)$"
counts, domains, relays = collections.Counter(), collections.Counter(), collections.Counter()
internal, probes = collections.Counter(), 0
for t, text in lines:
    m = re.match(DELIVERY, text)
    if not m or not t.startswith("postfix"):
        continue
    rcpt, relay, dsn, status, reason = m.groups()
    parts = t.split("/")
    if status in ("deliverable", "undeliverable"):
        probes += 1
        continue
    status = status.lower()
    counts[parts[-2] if len(parts) > 2 else parts[-1], status, dsn] += 1
    hop = relay.startswith("127.0.0.") or reason.startswith("forwarded as")
    if hop and "discarded" not in reason and "BOUNCE" not in reason:
        internal[(status,)] += 1
        if status != "bounced":
            continue
    domains[rcpt.split("@")[-1].lower(), status] += 1
    if "[" in relay and not relay.startswith("127") and "private" not in relay:
        relays[".".join(relay.split("[")[0].split(".")[-2:]), status] += 1
for key in [k for k in domains if k[0] == "verify.test"]:
    del domains[key]
for key in [k for k in relays if k[0] == "corp.test"]:
    del relays[key]
wanted = collections.Counter()
for name, value in EXPECTED.items():
    if name.startswith("mail_deliveries_total"):
        labels = labels_of(name)
        if labels["status"] != "expired":
            wanted[labels["transport"], labels["status"], labels["dsn_class"]] += value
for key in sorted(set(wanted) | set(counts)):
    check("deliveries " + " ".join(key), wanted[key], counts[key])
want = collections.Counter()
for name, value in EXPECTED.items():
    labels = labels_of(name)
    if name.startswith("mail_deliveries_total") and labels["direction"] == "internal":
        want[(labels["status"],)] += value
for key in sorted(set(want) | set(internal)):
    check("hops " + key[0], want[key], internal[key])
check("probes", sum_of('mail_deliveries_total{direction="probe"}'), probes)
want = collections.Counter({(labels_of(k)["domain"], labels_of(k)["status"]): v for k, v in EXPECTED.items() if k.startswith("mail_domain_deliveries") and 'status="expired"' not in k})
for key in sorted(set(want) | set(domains)):
    check("domain " + " ".join(key), want[key], domains[key])
tally("relay", "mail_relay_deliveries_total", ["relay", "status"], relays)
check("expired lines", sum(v for k, v in MORE["sums"].items() if 'status="expired"' in k and k.startswith("mail_deliveries")), len(grep(r"status=(force-)?expired")))

# Messages: a mail keeps its Message-ID through every hop. Probes have one and are none; `<>` is what cleanup
# writes of a mail cut off within DATA; what smtpd or the Subject's check discards shows no Message-ID.
ids = {m.group(1) for m in grep(r"^\w+: message-id=(<.+>)$")}
rejected = len(grep(r"^\w+: reject: (header|body)"))
probe_ids = len(grep(r"from=<double-bounce@[^>]*>, size="))
discarded = len(grep(r"^\w+: discard: "))
check("messages (distinct Message-IDs)", expected("mail_messages_total"), len(ids) - probe_ids + discarded)
check("generated", EXPECTED['mail_messages_total{origin="generated"}'],
      len(grep(r"notification: \w+$")) + len({m.group(1) for m in grep(r"message-id=(<\S+\.notice\.\d+@)")}))
check("local", EXPECTED['mail_messages_total{origin="local"}'], len([m for m in grep(r"^\w+: uid=\d+ from=<[^>]*>$")]))
check("requeued by uid", 1, len(grep(r"uid=\d+ from=<.*> orig_id=")))

counts = collections.Counter()
for t, text in lines:
    m = re.match(r"\w+: reject: (\w+) from \S+: (\d{3}) ", text)
    if m and t.endswith("/smtpd"):
        counts[service(t), m.group(1), m.group(2)] += 1
left = sum_of('mail_rejects_total{software="postfix",service="submission",stage="RCPT",code="554"}')
counts["submission", "RCPT", "554"] -= left
counts = collections.Counter({k: v for k, v in counts.items() if v})
tally("rejects", "mail_rejects_total", ["service", "stage", "code"], counts)
check("rejects by content", sum_of('mail_rejects_total{software="postfix",reason="content"}'), rejected)

# Failures of AUTH: lines, and those that only the disconnect line tells of.
told = len(grep(r"SASL \S+ authentication (failed|aborted)"))
counted = sum(v for (s, c, r), v in collections.Counter({tuple(labels_of(k)[x] for x in ("service", "command", "result")): v for k, v in EXPECTED.items() if k.startswith("mail_smtp_commands_total")}).items() if c == "auth" and r == "failure")
check("AUTH failures", sum_of('mail_auth_total{result="failure"}'), counted)
print("AUTH failures: %d lines, %d by the disconnect lines" % (told, counted))
check("TLS sessions", sum(v for k, v in MORE["sums"].items() if k.startswith("mail_tls_sessions_total")), len(grep(r"TLS connection established from")))
check("saved by LMTP", sum_of('mail_mailbox_deliveries_total{software="dovecot",action="saved"}'), len(grep(r"saved mail to INBOX", tag="dovecot")))
print("%d disagreements" % bad)
sys.exit(1 if bad else 0)
