#!/usr/bin/env python3
"""The outside world: scripted mail servers that write down what they answered.

The local part before the first dot says what happens to a recipient
(`grey.m012.1@bigmail.test` is greylisted at its first try), so that one host
plays all parts. One `result` line per recipient and attempt.
"""

import re
import socket
import socketserver
import sys
import threading
import time

from smtpc import Record

RECORD = Record(sys.argv[1], "remote")
OWN_ID = sys.argv[2]  # a file that holds one of our own queue ids

RCPT = {
    "nosuch": "550 5.1.1 The email account that you tried to reach does not exist",
    "full": "452 4.2.2 The recipient's inbox is out of storage space",
    "over": "552 5.2.2 Mailbox full, user is over quota",
    "blocked": "550 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.25",
    "temp": "451 4.3.0 Temporary system problem, try again later",
}
DATA = {
    "spam": "554 5.7.1 Message rejected as spam by content filtering [status=sent (250 ok); to=<x@y.test>, relay=none]",
    "toobig": "552 5.3.4 Message size exceeds fixed maximum message size",
}
GREY = "451 4.7.1 Greylisted, please try again in 300 seconds"
HOSTS = {
    "203.0.113.25": "mx1.bigmail.test",
    "203.0.113.26": "mx.othermail.test",
    "203.0.113.27": "mx1.twomx.test",
    "203.0.113.28": "mx2.twomx.test",
    "203.0.113.30": "mx.drop.test",
    "203.0.113.31": "mx.hangup.test",
    "203.0.113.32": "mx.hang.test",
    "203.0.113.33": "mx.listed.test",
    "203.0.113.34": "mx.softmail.test",
    "10.0.0.5": "inner.corp.test",
}
seen, seen_lock = set(), threading.Lock()


def first_time(rcpt):
    with seen_lock:
        new = rcpt not in seen
        seen.add(rcpt)
        return new


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def say(self, line):
        self.wfile.write((line + "\r\n").encode())
        self.wfile.flush()

    def result(self, rcpt, reply, stage, mail=None):
        RECORD("result", host=self.host, rcpt=rcpt, reply=reply, stage=stage, sender=self.sender, mail=mail)

    def handle(self):
        try:
            self.talk()
        except OSError:
            pass

    def talk(self):
        self.host = HOSTS[self.server.server_address[0]]
        self.sender = None
        if self.host == "mx.hangup.test":
            RECORD("greeting", host=self.host, reply="closed")
            return
        if self.host == "mx1.twomx.test":
            RECORD("greeting", host=self.host, reply="421")
            return self.say("421 4.3.2 mx1.twomx.test is too busy, try later")
        if self.host == "mx.listed.test":
            RECORD("greeting", host=self.host, reply="554")
            self.say("554 5.7.1 mx.listed.test: your address 192.0.2.25 is blocked using zen.spamhaus.org; see https://www.spamhaus.org/query/ip/192.0.2.25")
            self.rfile.readline()
            return
        self.say("220 %s ESMTP" % self.host)
        rcpts = []
        while True:
            line = self.rfile.readline().decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                return
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("250-%s\r\n250-PIPELINING\r\n250-SIZE 30000000\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 DSN" % self.host)
            elif verb == "MAIL":
                self.sender, rcpts = re.search(r"<(.*?)>", line).group(1), []
                self.say("250 2.1.0 Ok")
            elif verb == "RCPT":
                rcpt = re.search(r"<(.*?)>", line).group(1)
                part = rcpt.split("@")[0].split(".")[0]
                if self.host == "mx.hang.test":
                    self.result(rcpt, None, "hang")
                    time.sleep(8)
                    return
                reply = RCPT.get(part)
                if part == "grey" and first_time(rcpt):
                    reply = GREY
                # No mail: address verification, or `sendmail -bv` (which uses the sender's own address).
                probe = self.sender.startswith("double-bounce@") or (rcpt.endswith("@verify.test") and self.sender == "web@example.test")
                if reply:
                    self.result(rcpt, reply, "rcpt") if not probe else RECORD("probe", host=self.host, rcpt=rcpt, reply=reply)
                    self.say(reply)
                else:
                    if probe:
                        RECORD("probe", host=self.host, rcpt=rcpt, reply="250 2.1.5 Ok")
                    rcpts.append((rcpt, part))
                    self.say("250 2.1.5 Ok")
            elif verb == "DATA":
                if self.host == "mx1.bigmail.test" and any(part == "ownid" for _, part in rcpts):
                    time.sleep(0.8)  # meanwhile the driver sends the mail whose id we shall name
                if not rcpts:
                    self.say("554 5.5.1 Error: no valid recipients")
                    continue
                self.say("354 End data with <CR><LF>.<CR><LF>")
                if self.host == "mx.drop.test":
                    for rcpt, _ in rcpts:
                        self.result(rcpt, None, "drop")
                    self.rfile.readline()
                    return
                text = b""
                while True:
                    line = self.rfile.readline()
                    if not line:
                        return
                    if line == b".\r\n":
                        break
                    text += line
                found = re.findall(rb"(?m)^X-Mail-Id: (\S+)", text)
                mail = found[0].decode() if found else None
                message_id = re.search(rb"(?mi)^message-id:\s*(\S+)", text)
                bad = [DATA[part] for _, part in rcpts if part in DATA]
                reply = bad[0] if bad else "250 2.0.0 Ok: queued as 1A2B3C4D5E%02X" % (len(text) % 256)
                if any(part == "ownid" for _, part in rcpts):
                    reply = "250 2.0.0 Ok: queued as " + open(OWN_ID).read().strip()
                for rcpt, _ in rcpts:
                    RECORD("result", host=self.host, rcpt=rcpt, reply=reply, stage="data", sender=self.sender, mail=mail,
                           notice=message_id.group(1).decode() if message_id and self.sender == "" else None)
                self.say(reply)
                rcpts = []
            elif verb == "RSET":
                rcpts = []
                self.say("250 2.0.0 Ok")
            elif verb == "QUIT":
                return self.say("221 2.0.0 Bye")
            elif verb == "NOOP":
                self.say("250 2.0.0 Ok")
            else:
                self.say("502 5.5.2 Error: command not recognized")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


for address in HOSTS:
    threading.Thread(target=Server((address, 25), Handler).serve_forever, daemon=True).start()

# A host that never answers: its accept queue is full, further SYNs are dropped.
full = socket.socket()
full.bind(("203.0.113.98", 25))
full.listen(0)
held = []
for _ in range(3):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("203.0.113.98", 25))
    held.append(one)
print("ready", flush=True)
threading.Event().wait()
