#!/usr/bin/env python3
"""Computes from the records of one run what every counter must be.

Usage: expect.py WORK_DIRECTORY. Reads records/*.jsonl and plan.py, never a log.
Writes into WORK_DIRECTORY
  expected.json       series with all their labels -> value, exactly
  expected-more.json  the flags to run with, sums over labels that nobody outside
                      the log can know, series that may be a little lower (a Bloom
                      filter), families that are complete (any further series of
                      them must be 0), what is left out of that and why, and
                      pflogsumm's numbers in our words
"""

import collections
import ipaddress
import json
import pathlib
import re
import sys

WORK = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import plan  # noqa: E402
from series import matches  # noqa: E402

Mail = collections.namedtuple("Mail", "id origin user port subject sender rcpts t bv")


def load(name):
    path = WORK / "records" / (name + ".jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


CLIENT, FILTER, REMOTE, BOXES, PIPE, ADMIN = map(load, ("client", "filter", "remote", "boxes", "pipe", "admin"))

series = collections.Counter()
sums = collections.Counter()


def key(family, labels):
    return family + "{" + ",".join('%s="%s"' % item for item in labels.items()) + "}"


def count(family, n=1, **labels):
    series[key(family, labels)] += n


def total(family, n=1, **labels):
    """A sum over the labels that are not named."""
    sums[key(family, labels)] += n


def account(login):
    login = login.lower()
    return login if "@" in login else login + "@" + plan.DEFAULT_DOMAIN


def domain(address):
    return address.rsplit("@", 1)[1].lower()


def part(address):
    return address.split("@")[0].split(".")[0]


# --- sessions: connections, commands, logins, refusals -------------------------


def sessions():
    """Of our clients and of the filter; returns what each session knows of its user."""
    known = {}
    for r in CLIENT + FILTER:
        ev = r["ev"]
        if ev == "connect":
            known[r["s"]] = {"service": r["service"], "source": r["source"], "port": r["port"], "address": r["address"], "user": None, "mechanism": None, "queued": False}
            count("mail_connections_total", software="postfix", service=r["service"])
        elif ev == "close":
            count("mail_disconnects_total", software="postfix", service=r["service"])
            # Postfix says nothing of a client that hangs up right after its mail was taken.
            if r["how"] != "quit" and r["where"] != "END-OF-MESSAGE":
                count("mail_connections_lost_total", software="postfix", service=r["service"], stage=r["where"])
            end_of_session(known[r["s"]])
        elif "too many errors" in (r.get("text") or ""):
            continue  # the server's farewell, read where an answer was awaited: the command was not heard
        elif ev == "reply":
            smtp_command(r["service"], r["verb"], r["code"])
            if r["verb"] == "RCPT" and r["code"] and r["code"] < 400:
                known[r["s"]]["queued"] = True  # smtpd has logged client= for it
            if r["who"] == "client" and r["code"] and r["code"] >= 400:
                refusal(r)
        elif ev == "tls":
            total("mail_tls_sessions_total", software="postfix", protocol=r["protocol"], cipher=r["cipher"])
        elif ev == "auth":
            smtp_command(r["service"], "AUTH", r["code"])
            login(r, known[r["s"]])
    return known


def smtp_command(service, verb, code):
    verb = verb.lower()
    if verb not in ("ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "rset", "noop", "vrfy", "quit", "xforward"):
        verb = "unknown"
    count("mail_smtp_commands_total", service=service, command=verb, result="success" if code and code < 400 else "failure")


def login(r, session):
    if r["code"] == 235:
        session["user"], session["mechanism"] = account(r["user"]), r["mechanism"]
        return
    labels = {"software": "postfix", "service": r["service"]}
    total("mail_auth_total", result="failure")
    if r["how"] == "star":
        count("mail_auth_total", **labels, mechanism=r["mechanism"], result="failure", reason="aborted")
        total("mail_auth_total", **labels, result="failure", reason="aborted")
        total("mail_auth_total", **labels, mechanism=r["mechanism"], result="failure")
    elif "too many AUTH" in (r.get("text") or ""):
        total("mail_auth_total", **labels, result="failure", reason="rate_limited")
    elif r["how"] == "drop":
        # Only the disconnect line tells of it: nobody knows the mechanism.
        total("mail_auth_total", **labels, result="failure", reason="aborted")
    else:
        total("mail_auth_total", **labels, mechanism=r["mechanism"], result="failure")
        failures[account(r["user"])] += 1


failures = collections.Counter()


def end_of_session(session):
    if session["user"] is None:
        return
    total("mail_auth_total", result="success")
    total("mail_auth_total", software="postfix", service=session["service"], result="success")
    if session["queued"]:  # else the log never says who it was, nor how
        total("mail_auth_total", software="postfix", service=session["service"], mechanism=session["mechanism"], result="success")
        count("mail_user_auth_total", user=session["user"], result="success")


REFUSALS = [
    ("User unknown in", None),
    ("Relay access denied", "relay_denied"),
    ("Greylisted", "greylisted"),
    ("nobody writes here", "policy"),
    ("blocked using", "blocklist"),
    ("cannot find your", "client_hostname"),
    ("client is on our own list", "policy"),
    ("sender domain is blocked", "policy"),
    ("Domain not found", "sender_domain"),
    ("Message size exceeds", "size"),
    ("you are not who you say", "helo"),
    ("unverified address: Address verification in progress", "greylisted"),
    ("unverified address", "unknown_recipient"),
    ("Recipient address rejected: Access denied", ""),  # `reject` at the submission port
    ("no such subjects here", "content"),
    ("Helo command rejected: Invalid name", "helo"),
    ("too much mail from", "rate_limit"),
]


def refusal(r):
    reasons = [reason for text, reason in REFUSALS if text in r["text"]]
    if not reasons:
        return  # bad sequence, unknown command, too many errors: no `reject:` line
    reason = reasons[0]
    if reason is None:
        reason = "unknown_sender" if "Sender address" in r["text"] else "unknown_recipient"
    if reason == "content" or reason == "rate_limit":
        # cleanup's line has neither service nor code; anvil's limit is a warning of smtpd, not a `reject:`
        total("mail_rejects_total", software="postfix", reason=reason)
        return
    labels = {"software": "postfix", "service": r["service"], "stage": r["verb"], "code": str(r["code"])}
    if reason:
        count("mail_rejects_total", **labels, reason=reason)
    else:
        total("mail_rejects_total", **labels)


# --- messages ------------------------------------------------------------------------


def trusted(source):
    return any(ipaddress.ip_address(source) in ipaddress.ip_network(network) for network in plan.TRUSTED)


def expand(rcpts):
    """After virtual aliases, each once: what qmgr counts."""
    out = []
    for rcpt in rcpts:
        for one in plan.VIRTUAL_ALIASES.get(rcpt, [rcpt]):
            if one not in out:
                out.append(one)
    return out


def messages(known):
    mails = {}
    for r in CLIENT:
        if r["ev"] == "accepted":
            session = known[r["s"]]
            if session["user"]:
                origin, user = "authenticated", session["user"]
            elif trusted(session["source"]):
                origin, user = "trusted", "ip:" + session["source"]
            else:
                origin, user = "unauthenticated", None
            port = {25: 10024, 587: 10026}.get(session["port"])
            if session["address"] == "127.0.0.1":
                port = None
            mail = Mail(r["mail"], origin, user, port, r["subject"], r["sender"], r["rcpts"], r["t"], False)
        elif r["ev"] == "sendmail":
            mail = Mail(r["mail"], "local", "uid:%d" % r["uid"], None, "", r["sender"], r["rcpts"], r["t"], r["bv"])
        else:
            continue
        assert mail.id not in mails, mail.id
        mails[mail.id] = mail
    return mails


def swallowed(mail):
    """Taken with a 250, and never seen by qmgr."""
    if mail.subject.startswith("hc-discard") or "discarded@example.test" in mail.rcpts:
        return True
    return any(a["ev"] == "delete" and a["mail"] == mail.id for a in ADMIN) and mail.subject.startswith("hc-hold")


# --- deliveries -------------------------------------------------------------------

# What a scripted answer means: local part -> (reason or None where it is a matter of taste, class of refusal or None)
MEANS = {
    "nosuch": ("user_unknown", "recipient"), "full": ("mailbox_full", "recipient"), "over": ("mailbox_full", "recipient"),
    "blocked": ("blocklisted", "listed"), "grey": ("greylisted", "greylist"), "spam": ("spam_content", "content"), "toobig": ("size", None),
    "temp": (None, None), "fail": ("user_unknown", "recipient"), "failing": ("user_unknown", "recipient"), "busy": (None, None),
    "gone": ("user_unknown", "recipient"), "nouser": ("user_unknown", "recipient"),
}
user_rcpts = collections.defaultdict(set)     # whom an account wrote to, as qmgr knows them
refused = {}                                  # (user, mail, rcpt) -> class of the first refusal
unclear = collections.defaultdict(set)        # family -> accounts whose number is a matter of taste


def delivery(mail, rcpt, direction, transport, status, dsn, reason="", refusal_class=None, relay=None):
    """One line of one delivery agent. `dsn` None: the class is not known from outside."""
    labels = {"origin": mail.origin, "direction": direction, "transport": transport, "status": status}
    if dsn is None:
        total("mail_deliveries_total", **{k: v for k, v in labels.items() if k != "transport"})
        inexact.add(status)
    else:
        count("mail_deliveries_total", **labels, dsn_class=dsn)
    if status != "sent":
        total("mail_delivery_failures_total", direction=direction, status=status)
        if reason:
            count("mail_delivery_failures_total", direction=direction, status=status, reason=reason)
        if reason == "blocklisted":
            total("mail_blocklisted_total")
    goes_on = direction == "internal" and status != "bounced"
    if goes_on:
        return
    # A copy for always_bcc is a delivery, but neither a recipient of the account's nor what became of its mail.
    if mail.user and rcpt != plan.BCC:
        count("mail_user_deliveries_total", user=mail.user, direction=direction, status=status)
        if status != "sent":
            if refusal_class is None and status != "expired":
                unclear["mail_user_refused_recipients_total"].add(mail.user)
            refused.setdefault((mail.user, mail.id, rcpt), refusal_class)
    count("mail_domain_deliveries_total", domain=domain(rcpt), status=status)
    if relay:
        count("mail_relay_deliveries_total", relay=relay, status=status)


inexact = set()


def from_reply(mail, rcpt, reply, direction, transport, relay, soft=False):
    text = reply or ""
    code = re.match(r"(\d)\d\d (?:(\d)\.\d)?", text)
    dsn = (code.group(2) or code.group(1)) if code else "4"
    status = {"2": "sent", "4": "deferred", "5": "softbounce" if soft else "bounced"}[dsn]
    reason, refusal_class = ("", None)
    if status != "sent":
        named = part(rcpt)
        # The answer to the end of the mail is everybody's: a mail with one bad recipient fails for all.
        for name, said in (("spam", "rejected as spam"), ("toobig", "size exceeds")):
            if said in text:
                named = name
        reason, refusal_class = MEANS.get(named, (None, None))
    # soft_bounce turns the class into 4 as well.
    delivery(mail, rcpt, direction, transport, status, "4" if status == "softbounce" else dsn, reason, refusal_class, relay)
    return status


class Generated:
    """The mail that the mail system writes itself, as its receivers saw it."""

    mail = Mail("notice", "generated", None, None, "", "", [], 0, False)


def deliver(mail, rcpt, forwarded=False):
    """All that became of one recipient behind the filter."""
    kind, transport, direction = plan.ROUTES[domain(rcpt)]
    if direction == "inbound" and mail.origin != "unauthenticated":
        direction = "outbound"
    if mail.user and not forwarded and rcpt != plan.BCC:
        user_rcpts[mail.user].add(rcpt)
    if rcpt in plan.LOCAL_ALIASES:
        delivery(mail, rcpt, "internal", "local", "sent", "2")
        if mail.user:
            unclear["mail_user_new_recipients_total"].add(mail.user)
        for one in plan.LOCAL_ALIASES[rcpt]:
            deliver(mail, one, forwarded=True)
        return
    last = None
    if kind == "mx":
        results = [r for r in REMOTE if r["ev"] == "result" and r["rcpt"] == rcpt and r.get("mail") in (mail.id, None) and r["sender"] == mail.sender]
        assert results, (mail.id, rcpt, "no remote host saw it")
        if domain(rcpt) == "bulk.test":
            delivery(mail, rcpt, "internal", "smtp", "sent", "2")
        for r in results:
            relay = plan.HOST_DOMAIN[r["host"]]
            if r["reply"] is None:
                delivery(mail, rcpt, direction, transport, "deferred", "4", {"drop": "lost_connection", "hang": None}[r["stage"]], "network", relay)
                last = "deferred"
            else:
                last = from_reply(mail, rcpt, r["reply"], direction, transport, relay, soft=domain(rcpt) == "softmail.test")
    elif kind == "box":
        boxes = [b for b in BOXES if b["mail"] == mail.id and b["rcpt"] == rcpt]
        pipes = [p for p in PIPE if p["mail"] == mail.id and p["rcpt"] == rcpt]
        # A requeued mail passes cleanup as if it were new, and gets a second copy for always_bcc.
        copies = 1 + sum(a["ev"] == "requeue" and a["mail"] == mail.id for a in ADMIN) if rcpt == plan.BCC else 1
        assert len(boxes) in (0, copies) and len(pipes) <= 1, (mail.id, rcpt, boxes, pipes)
        for _ in boxes:
            delivery(mail, rcpt, direction, transport, "sent", "2")
        if pipes:
            status = {0: "sent", 67: "bounced", 75: "deferred"}[pipes[0]["exit"]]
            reason, refusal_class = MEANS.get(part(rcpt), ("", None))
            delivery(mail, rcpt, direction, transport, status, {"sent": "2", "bounced": "5", "deferred": "4"}[status], reason, refusal_class)
        elif not boxes:
            assert part(rcpt) in ("gone", "nouser"), (mail.id, rcpt, "in no mailbox")
            delivery(mail, rcpt, direction, transport, "bounced", "5", *MEANS[part(rcpt)])
    else:
        assert not any(a["ev"] in ("flush", "requeue") and a["mail"] == mail.id for a in ADMIN), "tries of %s unknown" % rcpt
        status, dsn, reason, refusal_class, relay = plan.FIXED[domain(rcpt)]
        if domain(rcpt) == "dead.test" and mail.id != min(m.id for m in MAILS.values() if any("dead.test" in r for r in m.rcpts)):
            transport = "error"
        delivery(mail, rcpt, direction, transport, status, dsn, reason, refusal_class, relay)
    if last == "deferred" and expired(mail):
        delivery(mail, rcpt, direction, transport, "expired", None, "expired")


def expired(mail):
    """A try later than the queue's lifetime (50 s), or postsuper -e and a try after it."""
    tries = [a["t"] for a in ADMIN if a["ev"] == "flush" and a["mail"] == mail.id]
    forced = [a["t"] for a in ADMIN if a["ev"] == "expire" and a["mail"] == mail.id]
    return any(t > mail.t + 50 or any(f < t for f in forced) for t in tries)


def filtered(mail):
    """The hops to the filter; returns the recipients that came through."""
    through = []
    for verdict in FILTER:
        if verdict["ev"] != "verdict" or verdict["mail"] != mail.id:
            continue
        dsn = verdict["answer"][4]
        for rcpt in verdict["rcpts"]:
            if mail.user and rcpt != plan.BCC:
                user_rcpts[mail.user].add(rcpt)
            if verdict["action"] in ("discard", "bounce"):
                delivery(mail, rcpt, "discard", "smtp", "sent", dsn)
            elif verdict["action"] == "reject":
                delivery(mail, rcpt, "internal", "smtp", "bounced", dsn, None)
            elif verdict["action"] == "tempfail":
                delivery(mail, rcpt, "internal", "smtp", "deferred", dsn, None)
            else:
                delivery(mail, rcpt, "internal", "smtp", "sent", dsn)
                through.append(rcpt)
    assert through or any(v["ev"] == "verdict" and v["mail"] == mail.id for v in FILTER), (mail.id, "the filter never saw it")
    return through


def count_mail(mail):
    count("mail_messages_total", origin=mail.origin)
    if mail.user:
        count("mail_user_messages_total", user=mail.user)
    if swallowed(mail):
        if mail.user:
            unclear["mail_user_recipients_total"].add(mail.user)
            unclear["mail_user_new_recipients_total"].add(mail.user)
        return
    rcpts = expand(mail.rcpts)
    if mail.origin in ("trusted", "local"):  # of the others, some mails were swallowed
        total("mail_message_recipients_count", origin=mail.origin)
        total("mail_message_recipients_sum", len(rcpts), origin=mail.origin)
    if mail.user:
        count("mail_user_recipients_total", len(rcpts), user=mail.user)
        if rcpts != mail.rcpts:
            unclear["mail_user_new_recipients_total"].add(mail.user)
    if mail.bv:
        total("mail_deliveries_total", len(rcpts) + 1, direction="probe")  # the copy is looked at too
        for family in ("mail_user_new_recipients_total", "mail_user_refused_recipients_total", "mail_user_deliveries_total"):
            unclear[family].add(mail.user)
        return
    rcpts = rcpts + [plan.BCC]
    bulk = [r for r in rcpts if domain(r) == "bulk.test"]
    if mail.port:
        rcpts = filtered(mail)
        bulk = [r for r in bulk if r in rcpts]
    for rcpt in rcpts:
        deliver(mail, rcpt)
    if bulk:
        instance_session(len(bulk))


hand_overs = [0]


def instance_session(rcpts):
    """Our own smtp(8) speaks to a smtpd of ours: one connection, no pipelined surprises."""
    labels = {"software": "postfix", "service": "smtp"}
    hand_overs[0] += 1
    count("mail_connections_total", **labels)
    count("mail_disconnects_total", **labels)
    for verb in ["EHLO", "MAIL", *["RCPT"] * rcpts, "DATA", "QUIT"]:
        smtp_command("smtp", verb, 250)


def notices():
    """Bounce and delay notices, and the filter's own; each arrived somewhere or was refused."""
    mail = Generated.mail
    for box in BOXES:
        if not box["report"] and not (box["mail"] or "").endswith(".notice"):
            continue
        count("mail_messages_total", origin="generated")
        _, transport, direction = plan.ROUTES[domain(box["rcpt"])]
        if "@out.example.test" in box["from"]:
            delivery(mail, box["rcpt"], "internal", "smtp", "sent", "2")
            instance_session(1)
        delivery(mail, box["rcpt"], direction, transport, "sent", "2")
    for r in REMOTE:
        if r["ev"] == "result" and r["sender"] == "":
            status = from_reply(mail, r["rcpt"], r["reply"], "outbound", "smtp", plan.HOST_DOMAIN[r["host"]])
            assert status in ("sent", "bounced")
            count("mail_messages_total", origin="generated")


def saved():
    total("mail_mailbox_deliveries_total", sum(box["transport"] == "lmtp" for box in BOXES), software="dovecot", action="saved")


def probes():
    n = sum(r["ev"] == "probe" and r["rcpt"].endswith("@verify.test") and part_of_bv(r["rcpt"]) is None for r in REMOTE)
    total("mail_deliveries_total", n, direction="probe")


def second_opinion():
    """pflogsumm's numbers in our words: the series that must agree, and what it counts
    beside them (a number) or does not count (a selector of ours)."""
    begun = 0
    started = {}
    for r in CLIENT:
        if r["ev"] == "reply" and r["verb"] in ("MAIL", "RSET"):
            started[r["s"]] = False
        elif r["ev"] == "reply" and r["verb"] == "RCPT" and r["code"] and r["code"] < 400 and not started[r["s"]]:
            started[r["s"]] = True
            begun += 1
    whole = sum(r["ev"] == "accepted" for r in CLIENT)
    hops = sum(v for k, v in series.items() if matches('mail_deliveries_total{direction="internal",status="sent",transport="smtp"}', k))
    return {
        "received": ['mail_messages_total{origin=~"authenticated|trusted|local|unauthenticated"}', {
            "given back by the filter": sum(r["ev"] == "accepted" for r in FILTER),
            "handed over between the instances": hand_overs[0],
            "requeued by postsuper -r": sum(r["ev"] == "requeue" for r in ADMIN),
            "begun (RCPT taken) and never finished": begun - whole,
        }],
        "delivered": ['mail_deliveries_total{direction=~"outbound|inbound|local|discard",status="sent"}', {"hops to the filter and between the instances": hops}],
        "forwarded": ['mail_deliveries_total{direction="internal",transport="local",status="sent"}', {}],
        "deferrals": ['mail_deliveries_total{status="deferred"}', {}],
        "bounced": ['mail_deliveries_total{status="bounced"}', {}],
        "rejected": ['mail_rejects_total{software="postfix"}', {
            "refused by anvil's limit, which pflogsumm lists as a warning": 'mail_rejects_total{reason="rate_limit"}',
            "too large after the last dot, likewise": 'mail_rejects_total{reason="size",stage=~"DATA|END-OF-MESSAGE|UNKNOWN|unknown|other|"}',
        }],
    }


def part_of_bv(rcpt):
    return next((m for m in MAILS.values() if m.bv and rcpt in m.rcpts), None)


LEFT_OUT = [
    ('mail_deliveries_total{direction="probe"}', "origin, status and class of a probe are not defined; their sum is checked"),
    ('mail_deliveries_total{status="expired"}', "`status=expired` names no transport and no class; the sum over both is checked"),
    ('mail_delivery_failures_total{reason=~"other|policy|connection_timeout|rate_limited|reputation|auth_required|tls|loop"}', "answers whose reason is a matter of taste (451 try later, a filter's 554, error(8), a silent server); the sum by direction and status is checked"),
    ('mail_delivery_failures_total{direction="internal"}', "a filter's 554 or 451: spam, policy or other; the sum is checked"),
    ('mail_auth_total{result="success"}', "mechanism where no mail followed, and the value of reason; sums are checked"),
    ('mail_auth_total{result="failure"}', "Postfix says `(reason unavailable)`, only Dovecot's line knows bad_credentials from unknown_user; sums are checked"),
    ('mail_rejects_total{reason="content"}', "cleanup's line has no service, stage or code; the sum is checked"),
    ('mail_rejects_total{reason="rate_limit"}', "a warning without code and stage; the sum is checked"),
    ('mail_rejects_total{reason="size",stage=~"DATA|END-OF-MESSAGE|UNKNOWN|unknown|other|"}', "too large after the last dot: 552 for the client, only warnings (smtpd's and cleanup's) in the log"),
    ('mail_rejects_total{service="submission",stage="RCPT",code="554"}', "a `reject` at the submission port: policy, relay_denied or other; the sum is checked"),
    ('mail_relay_deliveries_total{relay=~"|none|other|_other|local|virtual|localhost|unknown|sinkpipe|127.0.0.1|127.0.0.2|example.test|mx.example.test"}', "no relay host at all, or the label of a unix socket or of a hop that ends a mail"),
    ('mail_relay_deliveries_total{status="expired"}', "the line names no relay"),
    ('mail_relay_deliveries_total{relay="corp.test"}', "whether probes count"),
    ('mail_domain_deliveries_total{domain="verify.test"}', "whether probes count"),
    ('mail_user_deliveries_total{direction="probe"}', "whether probes count"),
    ('mail_blocklisted_total', "the value of provider; the sum is checked"),
    ('mail_connections_total{software="dovecot"}', "Dovecot's LMTP server also logs connections; nobody counted them"),
    ('mail_disconnects_total{software="dovecot"}', "as above"),
    ('mail_connections_lost_total{software="dovecot"}', "as above"),
    ('mail_user_new_networks_total', "an account's first network counts, except on the exporter's first day: what is that for a report?"),
]


def main():
    global MAILS
    known = sessions()
    MAILS = messages(known)
    for mail in MAILS.values():
        count_mail(mail)
    notices()
    probes()
    saved()
    for (user, _, _), refusal_class in refused.items():
        if refusal_class:
            count("mail_user_refused_recipients_total", user=user, **{"class": refusal_class})
    for user, rcpts in user_rcpts.items():
        count("mail_user_new_recipients_total", len(rcpts), user=user)
    users = {m.user for m in MAILS.values() if m.user}
    for user in users:
        if failures[user]:
            count("mail_user_auth_total", failures[user], user=user, result="failure")
    left_out = list(LEFT_OUT)
    for family, names in unclear.items():
        left_out += [('%s{user="%s"}' % (family, user), "some of this account's mails leave the number to taste") for user in sorted(names)]
    families = sorted({k.split("{")[0] for k in (*series, *sums)})
    # A Bloom filter takes a new recipient for an old one now and then: a little less is right too.
    nearly = {k: v for k, v in sorted(series.items()) if k.startswith("mail_user_new_recipients_total")}
    nearly = {k: v for k, v in nearly.items() if not any(matches(selector, k) for selector, _ in left_out)}
    for name in [k for k in series if k.startswith("mail_user_new_recipients_total")]:
        del series[name]
    exact = {k: v for k, v in sorted(series.items()) if not any(matches(selector, k) for selector, _ in left_out)}
    (WORK / "expected.json").write_text(json.dumps(exact, indent=1, ensure_ascii=False) + "\n")
    more = {"flags": plan.FLAGS, "families": families, "sums": dict(sorted(sums.items())), "nearly": nearly, "left_out": [{"series": s, "why": w} for s, w in left_out], "pflogsumm": second_opinion()}
    (WORK / "expected-more.json").write_text(json.dumps(more, indent=1, ensure_ascii=False) + "\n")
    print("%d mails, %d series exactly, %d sums, %d nearly, of %d families" % (len(MAILS), len(exact), len(sums), len(nearly), len(families)))


if __name__ == "__main__":
    main()
