#!/usr/bin/env python3
"""A content filter behind the queue, as amavis is one: takes mail on 10024 (or
10026, where it offers XFORWARD), gives it back on 10025, and writes down both.

`X-Filter:` in the mail says what it does: pass (default), discard, bounce,
reject, tempfail (at the first try), split, slow.
"""

import re
import socketserver
import sys
import threading
import time

from smtpc import Record, Session, message

RECORD = Record(sys.argv[1], "filter")
tried, tried_lock = set(), threading.Lock()


def reinject(mail, sender, rcpts, text, forward, quit=True):
    """Gives a mail back; returns (queue id, the MTA's reply)."""
    session = Session(RECORD, "127.0.0.1", 10025, "127.0.0.1", "smtp", name="localhost")
    if forward:
        session.cmd("XFORWARD " + forward)
    qid = session.mail(mail, sender, rcpts, text)
    session.quit()
    return qid


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def say(self, line):
        self.wfile.write((line + "\r\n").encode())
        self.wfile.flush()

    def handle(self):
        try:
            self.talk()
        except OSError:
            pass

    def talk(self):
        port = self.server.server_address[1]
        self.say("220 [127.0.0.1] ESMTP filter ready")
        sender, rcpts, forward = "", [], ""
        while True:
            line = self.rfile.readline().decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                return
            verb = line.split()[0].upper()
            if verb == "EHLO":
                offers = ["[127.0.0.1]", "PIPELINING", "SIZE", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN"]
                if port == 10026:
                    offers.append("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
                self.say("\r\n".join("250%s%s" % ("-" if i < len(offers) - 1 else " ", o) for i, o in enumerate(offers)))
            elif verb == "XFORWARD":
                forward = (forward + " " + line[9:]).strip()
                self.say("250 2.5.0 Ok XFORWARD")
            elif verb == "MAIL":
                sender, rcpts = re.search(r"<(.*?)>", line).group(1), []
                self.say("250 2.1.0 Sender <%s> OK" % sender)
            elif verb == "RCPT":
                rcpts.append(re.search(r"<(.*?)>", line).group(1))
                self.say("250 2.1.5 Recipient <%s> OK" % rcpts[-1])
            elif verb == "DATA":
                self.say("354 End data with <CR><LF>.<CR><LF>")
                text = b""
                while True:
                    line = self.rfile.readline()
                    if line in (b".\r\n", b""):
                        break
                    text += line[1:] if line.startswith(b"..") else line
                self.say(self.judge(port, sender, rcpts, text, forward))
                forward = ""
            elif verb == "RSET":
                sender, rcpts = "", []
                self.say("250 2.0.0 Ok")
            elif verb == "QUIT":
                return self.say("221 2.0.0 [127.0.0.1] filter closing transmission channel")
            else:
                self.say("500 5.5.2 Error: bad syntax")

    def judge(self, port, sender, rcpts, text, forward):
        found = re.search(rb"(?m)^X-Mail-Id: (\S+?)\r?$", text)
        mail = found.group(1).decode() if found else "?"
        wish = re.search(rb"(?m)^X-Filter: (\S+?)\r?$", text)
        action = wish.group(1).decode() if wish else "pass"
        number = "%05d-%02d" % (port, len(tried) + 1)
        if action == "tempfail":
            with tried_lock:
                action = "pass" if mail in tried else "tempfail"
                tried.add(mail)
        if action == "discard":
            answer = "250 2.7.0 Ok, discarded, id=%s - INFECTED: Eicar-Signature" % number
        elif action == "bounce":
            notice = message(mail + ".notice", "postmaster@example.test", "Undeliverable (from the filter)")
            reinject(mail + ".notice", "", [sender], notice, "")
            answer = "250 2.5.0 Ok, id=%s, BOUNCE" % number
        elif action == "reject":
            answer = "554 5.7.0 Reject, id=%s - spam" % number
        elif action == "tempfail":
            answer = "451 4.5.0 Error in processing, id=%s, try again later" % number
        else:
            if action == "slow":
                time.sleep(1.5)
            parts = [rcpts[:1], rcpts[1:]] if action == "split" else [rcpts]
            ids = [reinject(mail, sender, part, text, forward) for part in parts]
            answer = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as %s" % ids[0]
            if action == "slow":
                # The MTA logs the re-injected mail's delivery long before the hop's own line.
                time.sleep(1.0)
        RECORD("verdict", port=port, mail=mail, sender=sender, rcpts=rcpts, action=action, answer=answer)
        return answer


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


for port in (10024, 10026):
    threading.Thread(target=Server(("127.0.0.1", port), Handler).serve_forever, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
