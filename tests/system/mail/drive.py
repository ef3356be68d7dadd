#!/usr/bin/env python3
"""Process 1 of the namespaces: builds the world, plays all parts, writes records.

Usage: drive.py WORK_DIRECTORY. Reads no log. What it waits for is seen in the
records of the other parts and in `postqueue -j`.
"""

import email
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

WORK = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(WORK / "bin"))
import plan  # noqa: E402
from smtpc import Closed, Record, Session, message  # noqa: E402

RECORDS = WORK / "records"
MAIN, OUT = "/etc/postfix", "/etc/postfix-out"
V4, V6 = "192.0.2.25", "2001:db8::25"
PORT = {"smtp": 25, "submission": 587, "submissions": 465}
client = admin = None
number = 0


def log(text):
    print("%s %s" % (time.strftime("%T"), text), flush=True)


def run(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise SystemExit("%s: exit %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done


def start(*command, ready=False):
    out = open(WORK / "daemons.out", "a")
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if ready else out, stderr=out, text=True)
    if ready and child.stdout.readline().strip() != "ready":
        raise SystemExit("%s did not come up, see daemons.out" % command[1])
    return child


def wait(what, condition, seconds=30):
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            raise SystemExit("waited %d s in vain: %s" % (seconds, what))
        time.sleep(0.1)


def records(name):
    path = RECORDS / (name + ".jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# --- the queue, as an administrator sees it --------------------------------


def queue(config=MAIN):
    lines = run("postqueue", "-c", config, "-j", check=False).stdout.splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def settle(seconds=40):
    """Until nothing is on its way: all that is left is deferred or on hold."""
    quiet = 0
    end = time.time() + seconds
    while quiet < 3:
        busy = [q for c in (MAIN, OUT) for q in queue(c) if q["queue_name"] not in ("deferred", "hold")]
        busy += list(pathlib.Path("/var/spool/postfix/maildrop").iterdir())
        quiet = 0 if busy else quiet + 1
        if time.time() > end:
            raise SystemExit("the queue does not settle: %s" % busy)
        time.sleep(0.15)


def find(part, config=MAIN, name=None):
    """The queue id of the mail that has a recipient containing `part`."""
    for entry in queue(config):
        if any(part in r["address"] for r in entry["recipients"]) and (name is None or entry["queue_name"] == name):
            return entry["queue_id"]
    return None


def command(ev, mail, config=MAIN):
    """An administrator's command on one mail: flush hold release requeue delete expire."""
    qid = find("." + mail + ".", config) or find(mail, config)
    if qid is None:
        raise SystemExit("%s: %s is not in the queue" % (ev, mail))
    if ev == "flush":
        run("postqueue", "-c", config, "-i", qid)
    else:
        run("postsuper", "-c", config, {"hold": "-h", "release": "-H", "requeue": "-r", "delete": "-d", "expire": "-e"}[ev], qid)
    admin(ev, mail=mail, queue_id=qid, instance=config)
    return qid


def again(mail, config=MAIN):
    """One more try for a deferred mail, done when it returns."""
    command("flush", mail, config)
    time.sleep(1.2)
    settle()


# --- senders ------------------------------------------------------------------


def new():
    global number
    number += 1
    return "m%03d" % number


def addresses(mail, rcpts):
    """`ok@bigmail.test` becomes an address of this mail alone; our own users stay."""
    known = set(plan.VIRTUAL + plan.LMTP + list(plan.VIRTUAL_ALIASES) + list(plan.LOCAL_ALIASES))
    out = []
    for i, rcpt in enumerate(rcpts, 1):
        part, domain = rcpt.split("@")
        if rcpt in known or domain in ("example.test", "lmtp.example.test", "mx.example.test", "localhost"):
            out.append(rcpt)
        else:
            name = "%s.%s.%d" % (part, mail, i)
            out.append(('"%s, relay=none, dsn=5.0.0, status=bounced (no"' % name if part == "quoted" else name) + "@" + domain)
    return out


def open_session(service, source="198.51.100.10", tls=None, **options):
    server = V6 if ":" in source else V4
    port = options.pop("port", PORT[service])
    session = Session(client, options.pop("address", server), port, source, service, tls=service == "submissions", **options)
    if tls:
        session.starttls()
    return session


def send(session, sender, rcpts, subject="test", size=0, wish=None, mail=None, **options):
    mail = mail or new()
    extra = ["X-Filter: " + wish] if wish else []
    qid = session.mail(mail, sender, addresses(mail, rcpts), message(mail, sender, subject, size, extra), **options)
    return mail, qid


def submit(user, rcpts, service="submission", source="198.51.100.10", mechanism="PLAIN", tls=True, sender=None, login=None, **options):
    """One session of an account with one mail."""
    session = open_session(service, source, tls=tls and service == "submission")
    session.auth(mechanism, login or user, plan.ACCOUNTS[user])
    mail, qid = send(session, sender or (user if "@" in user else user + "@example.test"), rcpts, **options)
    session.quit()
    return mail


def peer(rcpts, source="198.51.100.20", sender="peer", quit=True, address=None, port=25, **options):
    """One session of a stranger (or a trusted client) with one mail."""
    session = open_session("smtp", source, address=address or (V6 if ":" in source else V4), port=port)
    mail = options.pop("mail", None) or new()
    if "@" not in sender and sender:
        sender = "%s.%s@othermail.test" % (sender, mail)
    mail, qid = send(session, sender, rcpts, mail=mail, **options)
    session.quit() if quit else session.drop()
    return mail


def sendmail(uid, sender, rcpts, options=(), subject="test", bv=False):
    mail = new()
    rcpts = addresses(mail, rcpts)
    args = ["/usr/sbin/sendmail", "-i", "-f", sender, *(["-bv"] if bv else []), *options, *rcpts]
    done = subprocess.run(args, input=message(mail, sender, subject), user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True)
    client("sendmail", uid=uid, mail=mail, sender=sender, rcpts=rcpts, bv=bv, code=done.returncode)
    if done.returncode:
        raise SystemExit("sendmail: %s" % done.stderr)
    return mail


# --- the scenes -----------------------------------------------------------------


def ordinary():
    """Mail of every origin on its ordinary ways."""
    submit("alice@example.test", ["ok@bigmail.test"])
    submit("alice@example.test", ["ok@bigmail.test", "ok@othermail.test"], size=5000)
    submit("alice@example.test", ["bob@example.test"], service="submissions")
    submit("bob@example.test", ["ok@bigmail.test", "nosuch@bigmail.test", "alice@example.test"], source="198.51.100.11")
    submit("bob@example.test", ["lara@lmtp.example.test", "liam@lmtp.example.test"], source="2001:db8:1::10", mechanism="LOGIN")
    submit("erin@example.test", ["box@pipe.example.test", "fail@pipe.example.test", "busy@pipe.example.test"], mechanism="CRAM-MD5")
    submit("carol@example.test", ["ok@twomx.test"], service="submissions", mechanism="LOGIN")
    submit("webshop", ["ok@othermail.test", "spam@othermail.test"], source="198.51.100.12")
    submit("alice@example.test", ["ok@bigmail.test"], login="Alice@Example.TEST", source="192.0.2.110", tls=False)
    submit("dave@example.test", ["team@example.test", "out@example.test"], service="submissions")
    submit("dave@example.test", ["fwd@mx.example.test"], service="submissions")
    submit("dave@example.test", ["fwdtwo@mx.example.test", "lena@mx.example.test"])
    submit("dave@example.test", ["fwdbad@mx.example.test"], service="submissions")
    submit("dave@example.test", ["command@mx.example.test", "failing@mx.example.test"], service="submissions")
    submit("dave@example.test", ["gone@lmtp.example.test"], service="submissions")
    submit("heidi@example.test", ["ok@bulk.test"], service="submissions")
    submit("heidi@example.test", ["ok@bulk.test", "ok@bulk.test", "nosuch@bulk.test"])
    submit("erin@example.test", ["ok@disc.test", "ok@bigmail.test"])
    submit("carol@example.test", ["ok@inner.test"], service="submissions")
    # Several mails in one session, with a reset between and one that hangs up at the end.
    session = open_session("submission", "198.51.100.13", tls=True)
    session.auth("PLAIN", "judy@example.test", plan.ACCOUNTS["judy@example.test"])
    for i in range(12):
        send(session, "judy@example.test", ["ok@bigmail.test"] * (1 + i % 4))
        session.cmd("RSET") if i % 3 == 0 else None
    session.drop()
    # Strangers to our users: through the filter to mailboxes, inner host, refusals after acceptance.
    peer(["alice@example.test"])
    peer(["alice@example.test", "lara@lmtp.example.test", "box@pipe.example.test"])
    peer(["ok@inner.test"])
    peer(["ok@inner.test", "nosuch@inner.test", "temp@inner.test"])
    peer(["bob@example.test"], source="2001:db8:1::11")
    peer(["bob@example.test"], sender="")
    peer(["gone@lmtp.example.test"], port=2525)
    peer(["fwd@mx.example.test"], port=2525)
    peer(["lena@mx.example.test"], quit=False)
    # Trusted clients, and a program that speaks to port 25 by loopback.
    peer(["ok@bigmail.test", "bob@example.test"], source="198.51.100.70", sender="printer@othermail.test")
    peer(["ok@bigmail.test", "nosuch@bigmail.test"], source="198.51.100.71", sender="alice@example.test", port=2525)
    peer(["ok@othermail.test"], source="2001:db8:70::70", sender="carol@example.test")
    peer(["ok@bigmail.test"], source="127.0.0.1", address="127.0.0.1", sender="alice@example.test")
    # sendmail(1)
    sendmail(33, "web@example.test", ["ok@bigmail.test"])
    sendmail(33, "web@example.test", ["ok@bigmail.test", "nosuch@bigmail.test", "grace@example.test"])
    sendmail(33, "web@example.test", ["nouser@mx.example.test"])
    sendmail(38, "erin@example.test", ["ok@err.test", "ok@retry.test"])
    sendmail(0, "postmaster@example.test", ["lena@mx.example.test"])
    sendmail(0, "postmaster@example.test", ["ok@bulk.test"])


def remote_moods():
    """What other servers do to us."""
    submit("frank@example.test", ["blocked@bigmail.test"], service="submissions")
    submit("frank@example.test", ["blocked@othermail.test", "full@othermail.test", "over@othermail.test"])
    submit("erin@example.test", ["toobig@bigmail.test"], service="submissions")
    submit("frank@example.test", ["ok@listed.test"], service="submissions")
    submit("grace@example.test", ["ok@hangup.test"], service="submissions")
    submit("grace@example.test", ["ok@refused.test"])
    submit("grace@example.test", ["ok@timeout.test"], service="submissions")
    submit("grace@example.test", ["ok@unreachable.test"], service="submissions")
    submit("grace@example.test", ["ok@nodomain.test", "ok@bigmail.test"], service="submissions")
    submit("grace@example.test", ["ok@drop.test"])
    submit("grace@example.test", ["ok@hang.test"])
    submit("grace@example.test", ["nosuch@softmail.test", "ok@softmail.test"], service="submissions")
    submit("grace@example.test", ["ok@dead.test"], service="submissions")
    settle()
    submit("grace@example.test", ["ok@dead.test"], service="submissions")
    # A notice that cannot be delivered either: its sender's address does not exist.
    peer(["gone@lmtp.example.test"], sender="nosuch", port=2525)


def filter_moods():
    """What the content filter does."""
    submit("ivan@example.test", ["ok@bigmail.test", "ok@othermail.test"], wish="discard")
    submit("ivan@example.test", ["ok@bigmail.test"], wish="reject")
    submit("ivan@example.test", ["ok@bigmail.test", "alice@example.test"], wish="bounce")
    submit("ivan@example.test", ["ok@bigmail.test", "ok@othermail.test", "alice@example.test"], wish="split")
    submit("ivan@example.test", ["ok@bigmail.test"], wish="slow")
    peer(["alice@example.test"], wish="slow")
    peer(["alice@example.test"], wish="discard")
    peer(["bob@example.test", "ok@inner.test"], wish="reject")
    mail = submit("ivan@example.test", ["ok@bigmail.test", "ok@bigmail.test"], wish="tempfail")
    settle()
    again(mail)


def greylisting():
    """Deferred once, then taken: flushed, held and released, requeued."""
    first = submit("carol@example.test", ["grey@bigmail.test"])
    second = submit("carol@example.test", ["grey@bigmail.test", "ok@bigmail.test", "nosuch@bigmail.test"], service="submissions")
    third = submit("heidi@example.test", ["grey@bulk.test", "ok@bulk.test"])
    fourth = submit("bob@example.test", ["grey@othermail.test"], service="submissions")
    fifth = submit("bob@example.test", ["grey@othermail.test"], service="submissions")
    sixth = sendmail(33, "web@example.test", ["grey@bigmail.test"])
    settle()
    for mail in (first, second, sixth):
        again(mail)
    again(third, OUT)
    command("hold", fourth)
    command("requeue", fifth)
    sendmail(0, "postmaster@example.test", ["alice@example.test"])  # wakes pickup, which finds the requeued mail too
    wait("the requeued mail", lambda: find(fifth) is None)
    settle()
    command("release", fourth)
    again(fourth)


def checks_and_holds():
    """header_checks and access tables that swallow, hold, refuse; postsuper."""
    peer(["alice@example.test"], subject="hc-discard please")
    submit("erin@example.test", ["ok@bigmail.test"], subject="hc-discard mine", service="submissions")
    peer(["alice@example.test"], subject="hc-reject please")
    peer(["alice@example.test"], subject="hc-warn please")
    # smtpd's own DISCARD: before there is a queue id, beside a good recipient, and after one.
    peer(["discarded@example.test"])
    peer(["discarded@example.test", "alice@example.test"])
    peer(["alice@example.test", "discarded@example.test"], port=2525)
    held = peer(["carol@example.test"], subject="hc-hold please", mail="mheld1")
    gone = peer(["carol@example.test"], subject="hc-hold please", mail="mheld2")
    release_by_sender(held, "release")
    release_by_sender(gone, "delete")
    deferred = submit("erin@example.test", ["temp@bigmail.test"], service="submissions")
    settle()
    command("delete", deferred)


def release_by_sender(mail, ev):
    """Mails to our own users carry their name in the sender's address only."""
    wait("%s in the queue" % mail, lambda: any(mail in q["sender"] for q in queue()))
    qid = [q["queue_id"] for q in queue() if mail in q["sender"]][0]
    run("postsuper", {"release": "-H", "delete": "-d"}[ev], qid)
    admin(ev, mail=mail, queue_id=qid, instance=MAIN)
    if ev == "release":  # it lies in the deferred queue now
        run("postqueue", "-i", qid)
        admin("flush", mail=mail, queue_id=qid, instance=MAIN, first=True)


def own_queue_id():
    """A remote server answers with the id of a mail of ours that came in meanwhile by loopback."""
    own = WORK / "own-id"
    submit("frank@example.test", ["ownid@bigmail.test"], service="submissions")
    time.sleep(0.3)
    session = open_session("smtp", "127.0.0.1", address="127.0.0.1")
    mail, qid = send(session, "alice@example.test", ["ok@othermail.test"])
    session.quit()
    own.write_text(qid)
    settle()


def probes():
    """Address verification, and sendmail -bv."""
    for part in ("ok", "nosuch", "ok"):
        peer([part + "@verify.test"], port=2525)
    sendmail(9, "web@example.test", ["ok@verify.test", "nosuch@verify.test"], bv=True)
    # A success notice asked for by the sender.
    submit("heidi@example.test", ["alice@example.test"], service="submissions", rcpt_params=" NOTIFY=SUCCESS,FAILURE")


def logins():
    """Wrong passwords, unknown names, aborted dialogues, over IPv4 and IPv6."""
    good = plan.ACCOUNTS
    for service, source, mechanism, user, tries in [
        ("submission", "198.51.100.14", "PLAIN", "alice@example.test", 2),
        ("submission", "2001:db8:2::12", "LOGIN", "alice@example.test", 1),
        ("submissions", "198.51.100.15", "PLAIN", "bob@example.test", 1),
        ("submission", "198.51.100.16", "CRAM-MD5", "carol@example.test", 1),
        ("submission", "198.51.100.14", "PLAIN", "nobody@example.test", 3),
        ("submissions", "2001:db8:2::12", "LOGIN", "root", 2),
        ("submission", "198.51.100.17", "LOGIN", "admin@example.test", 1),
    ]:
        session = open_session(service, source)
        for _ in range(tries):
            session.auth(mechanism, user, "wrong")
        session.quit()
    # Wrong, then right, then a mail in the same session.
    session = open_session("submission", "198.51.100.18", tls=True)
    session.auth("PLAIN", "grace@example.test", "wrong")
    session.auth("PLAIN", "grace@example.test", good["grace@example.test"])
    send(session, "grace@example.test", ["ok@bigmail.test"])
    session.quit()
    # Right, and nothing else.
    session = open_session("submission", "198.51.100.19", tls=True)
    session.auth("PLAIN", "grace@example.test", good["grace@example.test"])
    session.quit()
    session = open_session("submissions", "198.51.100.19")
    session.auth("LOGIN", "heidi@example.test", good["heidi@example.test"])
    session.drop()
    # Aborted: by "*", and by hanging up within the dialogue.
    session = open_session("submission", "198.51.100.14")
    session.auth("LOGIN", "alice@example.test", "", abort="star")
    session.quit()
    session = open_session("submission", "2001:db8:2::12")
    session.auth("LOGIN", "alice@example.test", "", abort="drop")
    # A failure, then hanging up after AUTH.
    session = open_session("submissions", "198.51.100.17")
    session.auth("PLAIN", "admin@example.test", "wrong")
    session.drop()
    # Guessing until the server closes.
    session = open_session("submission", "198.51.100.17")
    try:
        for _ in range(20):
            session.auth("PLAIN", "guess@example.test", "wrong")
        session.quit()
    except Closed:
        session.closed_by_server("errors")


def refusals():
    """What smtpd says no to."""
    for rcpts, options in [
        (["unknown@example.test"], {}),
        (["unknown@example.test", "alice@example.test", "unknown2@example.test"], {}),
        (["unknown@mx.example.test"], {}),
        (["ok@bigmail.test"], {}),
        (["greylisted@example.test"], {}),
        (["forbidden@example.test"], {}),
        (["alice@example.test"], {"source": "198.51.100.6"}),
        (["alice@example.test"], {"source": "198.51.100.7"}),
        (["alice@example.test"], {"source": "192.0.2.166"}),
        (["alice@example.test"], {"sender": "x@blockedsender.test"}),
        (["alice@example.test"], {"sender": "x@nosuchdomain.test"}),
        (["alice@example.test"], {"sender": "nosuch@example.test"}),
        (["alice@example.test"], {"params": " SIZE=900000"}),
        (["unknown@example.test"], {"source": "2001:db8:1::11"}),
        (["ok@bigmail.test"], {"source": "2001:db8:1::11"}),
    ]:
        peer(rcpts, **options)
    session = open_session("smtp", "198.51.100.21", name="bad.helo.test")
    send(session, "peer.helo@othermail.test", ["alice@example.test"])
    session.quit()
    # A client that helps itself: not logged in at the submission port.
    session = open_session("submission", "198.51.100.22")
    send(session, "alice@example.test", ["ok@bigmail.test"])
    session.quit()
    # Larger than allowed, and not said before: refused after the last dot.
    peer(["alice@example.test"], size=250000)
    # Too many errors.
    session = open_session("smtp", "198.51.100.23")
    try:
        session.cmd("MAIL FROM:<peer.many@othermail.test>")
        for i in range(20):
            session.cmd("RCPT TO:<unknown%d@example.test>" % i, rcpt="unknown%d@example.test" % i)
    except Closed:
        session.closed_by_server("errors")
    # Odd but legal, and commands that do not exist.
    session = open_session("smtp", "198.51.100.24")
    session.cmd("NOOP")
    session.cmd("VRFY <alice@example.test>")
    session.cmd("BOGUS")
    session.cmd("RCPT TO:<alice@example.test>")
    session.quit()
    session = open_session("smtp", "198.51.100.24", helo=False)
    session.cmd("HELO client.test")
    session.quit()


def hostile():
    """Text of strangers where a careless reader would take it for Postfix's own."""
    submit("judy@example.test", ["ok@bigmail.test", "quoted@othermail.test"], service="submissions")
    session = open_session("submission", "198.51.100.17")
    session.auth("PLAIN", "evil, sasl_username=alice@example.test", "wrong")
    session.auth("PLAIN", "alice@example.test\n", "wrong")
    session.quit()
    session = open_session("smtp", "198.51.100.20", name="x>_status=sent,sasl_username=alice@example.test")
    send(session, "peer.helo@othermail.test", ["bob@example.test"])
    session.quit()
    session = open_session("smtp", "198.51.100.20")
    mail = new()
    sender = "peer.%s@othermail.test" % mail
    data = message(mail, sender, "hc-warn from=<> to=<x>: 250 2.0.0 Ok: queued as 4D5E6F, status=sent (ok)").replace(b"Message-ID: <", b"Message-ID: x, status=bounced (no) <")
    session.mail(mail, sender, ["bob@example.test"], data)
    session.quit()


def limits():
    """More than anvil(8) allows, in mails and in logins."""
    session = open_session("submission", "198.51.100.28", port=2526)
    session.auth("PLAIN", "judy@example.test", plan.ACCOUNTS["judy@example.test"])
    for _ in range(3):
        send(session, "judy@example.test", ["ok@bigmail.test"])
    session.quit()
    session = open_session("submission", "198.51.100.29", port=2526)
    for _ in range(4):
        session.auth("PLAIN", "guess@example.test", "wrong")
    session.quit()


def hang_ups():
    """Connections lost and timed out at every stage."""
    for service, source in (("smtp", "198.51.100.25"), ("submission", "2001:db8:2::12"), ("submissions", "198.51.100.26")):
        open_session(service, source, helo=False).drop()
        open_session(service, source).drop()
    session = open_session("smtp", "198.51.100.25")
    session.cmd("MAIL FROM:<peer.gone@othermail.test>")
    session.drop()
    session = open_session("smtp", "198.51.100.25")
    session.cmd("MAIL FROM:<peer.gone@othermail.test>")
    session.cmd("RCPT TO:<alice@example.test>")
    session.drop()
    session = open_session("smtp", "198.51.100.25")
    session.cmd("MAIL FROM:<peer.gone@othermail.test>")
    session.cmd("RCPT TO:<alice@example.test>")
    session.where = "DATA"
    session.send("DATA")
    session.read()
    session.send("Subject: half a mail\r\n\r\nhalf a l")
    session.reply("DATA", None, "dropped")
    session.drop()

    def silent(stage):
        session = open_session("smtp", "198.51.100.27")
        if stage in ("RCPT", "DATA"):
            session.cmd("MAIL FROM:<peer.gone@othermail.test>")
            session.cmd("RCPT TO:<alice@example.test>")
        if stage == "DATA":
            session.where = "DATA"
            session.send("DATA")
            session.read()
            session.send("Subject: half a mail\r\n")
            session.reply("DATA", None, "silent")
        try:
            session.read()
            session.read()
        except Closed:
            pass
        session.closed_by_server("timeout")

    threads = [threading.Thread(target=silent, args=(stage,)) for stage in ("EHLO", "RCPT", "DATA")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def many():
    """A few hundred ordinary mails, several senders at once."""

    def worker(user, source, count, service):
        session = open_session(service, source, tls=service == "submission")
        session.auth("PLAIN", user, plan.ACCOUNTS[user])
        for i in range(count):
            send(session, user, [["ok@bigmail.test"], ["ok@othermail.test", "nosuch@othermail.test"], ["alice@example.test", "ok@bulk.test"]][i % 3], size=1000 * (i % 5))
        session.quit()

    def stranger(source, count):
        session = open_session("smtp", source)
        for i in range(count):
            mail = new()
            send(session, "peer.%s@othermail.test" % mail, [["alice@example.test"], ["bob@example.test", "ok@inner.test"], ["unknown@example.test", "lara@lmtp.example.test"]][i % 3], mail=mail)
        session.quit()

    jobs = [("judy@example.test", "198.51.100.13", 60, "submission"), ("frank@example.test", "192.0.2.111", 48, "submissions"), ("heidi@example.test", "2001:db8:1::10", 36, "submission")]
    threads = [threading.Thread(target=worker, args=job) for job in jobs]
    threads += [threading.Thread(target=stranger, args=("198.51.100.%d" % (21 + i), 30)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- the run --------------------------------------------------------------------------


def survey():
    """Opens every mailbox and writes down what lies in it."""
    boxes = Record(RECORDS / "boxes.jsonl", "boxes")
    roots = [("virtual", "/var/vmail/virtual"), ("lmtp", "/var/vmail/lmtp"), ("local", "/var/home-lena/Maildir")]
    for transport, root in roots:
        for path in sorted(pathlib.Path(root).rglob("*")):
            if path.parent.name != "new" or not path.is_file():
                continue
            text = path.read_bytes()
            mail = email.message_from_bytes(text)
            # The folder says whose box it is: Dovecot links one file for several recipients.
            owner = "lena@mx.example.test" if transport == "local" else "%s@%s" % (path.parts[-3], path.parts[-4])
            boxes("box", transport=transport, mail=mail.get("X-Mail-Id"), rcpt=owner, orig=mail.get("X-Original-To"),
                  return_path=(mail.get("Return-Path") or "").strip("<>"), report=mail.get_content_type() == "multipart/report", **{"from": mail.get("From") or ""}, subject=mail.get("Subject"), message_id=mail.get("Message-ID"))
    sink = pathlib.Path("/var/vmail/sink/pipe.jsonl")
    shutil.copyfile(sink, RECORDS / "pipe.jsonl")
    left = Record(RECORDS / "queue.jsonl", "queue")
    for config in (MAIN, OUT):
        for entry in queue(config):
            left("left", instance=config, queue=entry["queue_name"], queue_id=entry["queue_id"], sender=entry["sender"], rcpts=[r["address"] for r in entry["recipients"]])


def main():
    global client, admin
    os.umask(0o022)
    RECORDS.mkdir()
    run("bash", str(WORK / "bin/world.sh"), str(WORK))
    start("dnsmasq", "-C", "/etc/dnsmasq-test.conf")
    start("rsyslogd", "-n", "-f", "/etc/rsyslog-test.conf", "-i", "/run/rsyslogd.pid")
    wait("/dev/log", lambda: pathlib.Path("/dev/log").exists())
    start("dovecot", "-F", "-c", "/etc/dovecot/test.conf")
    (WORK / "own-id").write_text("0000000000")
    python = sys.executable
    start(python, str(WORK / "bin/remote.py"), str(RECORDS / "remote.jsonl"), str(WORK / "own-id"), ready=True)
    start(python, str(WORK / "bin/filter.py"), str(RECORDS / "filter.jsonl"), ready=True)
    wait("Dovecot", lambda: pathlib.Path("/var/spool/postfix/private/auth").exists() and pathlib.Path("/var/spool/postfix/private/dovecot-lmtp").exists())
    run("postfix", "start")
    client, admin = Record(RECORDS / "client.jsonl", "client"), Record(RECORDS / "admin.jsonl", "admin")
    admin("start")
    # Before anything else: the mails that shall grow old.
    begin = time.time()
    old = submit("grace@example.test", ["temp@bigmail.test", "ok@bigmail.test"])
    forced = submit("grace@example.test", ["temp@othermail.test"], service="submissions")
    for scene in (ordinary, remote_moods, filter_moods, greylisting):
        log(scene.__name__)
        scene()
    settle()
    log("delay notice")
    time.sleep(max(0, begin + 28 - time.time()))
    if time.time() > begin + 48:
        raise SystemExit("too slow: the mails that shall be late would expire")
    again(old)
    command("expire", forced)
    again(forced)
    for scene in (checks_and_holds, own_queue_id, probes, logins, refusals, hostile, limits, hang_ups):
        log(scene.__name__)
        scene()
    settle()
    log("expiry")
    time.sleep(max(0, begin + 53 - time.time()))
    again(old)
    log("many")
    many()
    settle()
    # A second look: notices may beget deliveries.
    time.sleep(1)
    settle()
    survey()
    run("postfix", "stop", check=False)
    admin("stop")
    time.sleep(1)
    log("done, %d mails" % number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
