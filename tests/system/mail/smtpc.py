"""An SMTP client that writes down what happened to it.

Every line of the record is what the other side answered, as it was seen from
here: no mail log is read. smtplib hides pipelining, half-closed sessions and
the 334 dialogue of AUTH, so the protocol is spoken by hand.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import threading
import time

_lock = threading.Lock()
_next = [0]


class Record:
    """One file of JSON lines, shared by threads."""

    def __init__(self, path, who):
        self.who = who
        self.file = open(path, "a", buffering=1, encoding="utf-8")

    def __call__(self, ev, **fields):
        with _lock:
            line = {"t": round(time.time(), 3), "who": self.who, "ev": ev, **fields}
            self.file.write(json.dumps(line, ensure_ascii=False) + "\n")


class Closed(Exception):
    """The server closed, reset or kept silent for too long."""


class Session:
    """One TCP connection to an smtpd of ours.

    `server` says which instance ("main" or "out"), `service` the port's
    protocol as a postmaster names it.
    """

    def __init__(self, record, address, port, source, service, tls=False, helo=True, server="main", name=None):
        with _lock:
            _next[0] += 1
            self.id = "%s%d" % (record.who[0], _next[0])
        self.record, self.service, self.source = record, service, source
        self.name = name or "client.test"
        self.sock = None
        self.file = None
        self.where = "CONNECT"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(30)
        if source:
            sock.bind((source, 0))
        sock.connect((address, port))
        record("connect", s=self.id, service=service, server=server, address=address, port=port, source=source or address)
        self.sock = sock
        if tls:
            self._wrap()
        self.file = self.sock.makefile("rb")
        self.greeting = self.read()
        if helo:
            self.ehlo()

    def _wrap(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname="mx.example.test")
        self.file = self.sock.makefile("rb")
        self.record("tls", s=self.id, service=self.service, protocol=self.sock.version(), cipher=self.sock.cipher()[0])

    def read(self):
        text = []
        while True:
            try:
                line = self.file.readline()
            except OSError as error:
                raise Closed(str(error))
            if not line:
                raise Closed("end of file")
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            text.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), " ".join(text)

    def send(self, line):
        data = line if isinstance(line, bytes) else (line + "\r\n").encode("utf-8")
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Closed(str(error))

    def reply(self, verb, code, text, **fields):
        self.record("reply", s=self.id, service=self.service, source=self.source, verb=verb, code=code, text=text, **fields)

    def cmd(self, line, **fields):
        """Sends one command, records the verb and the reply."""
        verb = line.split()[0].upper()
        self.where = verb
        self.send(line)
        code, text = self.read()
        self.reply(verb, code, text, **fields)
        return code, text

    def ehlo(self, name=None):
        return self.cmd("EHLO " + (name or self.name))

    def starttls(self):
        code, text = self.cmd("STARTTLS")
        if code == 220:
            self._wrap()
            self.ehlo()
        return code

    # AUTH: one `auth` line per attempt, whatever the number of 334s.
    def auth(self, mechanism, user, password, abort=None):
        """`abort`: None, "star" (the client sends *), "drop" (it hangs up)."""
        self.where = "AUTH"
        b64 = lambda text: base64.b64encode(text.encode()).decode()
        if mechanism == "PLAIN" and not abort:
            self.send("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))
        else:
            self.send("AUTH " + mechanism)
            code, text = self.read()
            if code == 334 and abort == "drop":
                self.record("auth", s=self.id, service=self.service, source=self.source, mechanism=mechanism, user=None, code=None, how="drop")
                return self.drop()
            if code == 334 and abort == "star":
                self.send("*")
            elif code == 334 and mechanism == "LOGIN":
                self.send(b64(user))
                code, text = self.read()
                if code == 334:
                    self.send(b64(password))
            elif code == 334 and mechanism == "CRAM-MD5":
                challenge = base64.b64decode(text)
                self.send(b64(user + " " + hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()))
            elif code == 334 and mechanism == "PLAIN":
                self.send(b64("\0%s\0%s" % (user, password)))
            else:
                self.record("auth", s=self.id, service=self.service, source=self.source, mechanism=mechanism, user=user, code=code, how="refused", text=text)
                return code
        code, text = self.read()
        self.record("auth", s=self.id, service=self.service, source=self.source, mechanism=mechanism, user=None if abort else user, code=code, how=abort or "answered", text=text)
        return code

    def mail(self, mail, sender, rcpts, data, params="", rcpt_params=""):
        """One transaction. Returns our queue id when the server took it."""
        code, text = self.cmd("MAIL FROM:<%s>%s" % (sender, params), mail=mail, sender=sender)
        if code >= 400:
            return None
        taken = []
        for rcpt in rcpts:
            code, text = self.cmd("RCPT TO:<%s>%s" % (rcpt, rcpt_params), mail=mail, rcpt=rcpt)
            if code < 400:
                taken.append(rcpt)
        if not taken:
            return None
        self.where = "DATA"
        self.send("DATA")
        code, text = self.read()
        if code != 354:
            self.reply("DATA", code, text, mail=mail)
            return None
        self.send(re.sub(rb"(?m)^\.", b"..", data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n") + b".\r\n")
        self.where = "END-OF-MESSAGE"
        code, text = self.read()
        found = re.search(r"queued as (\S+)", text)
        qid = found.group(1) if found else None
        self.reply("DATA", code, text, mail=mail, stage="END-OF-MESSAGE")
        if code == 250:
            self.record("accepted", s=self.id, service=self.service, source=self.source, mail=mail, sender=sender, rcpts=taken, queue_id=qid,
                        subject=re.search(rb"(?m)^Subject: (.*)", data).group(1).decode())
        return qid

    def quit(self):
        try:
            self.cmd("QUIT")
        except Closed:
            pass
        self._close("quit")

    def drop(self):
        """Hangs up without a word."""
        self._close("drop")

    def closed_by_server(self, how):
        """`timeout` or `errors`: the server has had enough."""
        self._close(how)

    def _close(self, how):
        if self.sock is None:
            return
        self.record("close", s=self.id, service=self.service, source=self.source, how=how, where=self.where)
        for thing in (self.file, self.sock):
            try:
                thing and thing.close()
            except OSError:
                pass
        self.sock = None


def message(mail, sender, subject="test", size=0, extra=()):
    """A small mail that carries its own name."""
    head = [
        "From: <%s>" % sender,
        "To: undisclosed-recipients:;",
        "Subject: %s" % subject,
        "Date: " + time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
        "Message-ID: <%s.%d@client.test>" % (mail, os.getpid()),
        "X-Mail-Id: %s" % mail,
        *extra,
    ]
    body = "Hello from %s.\n" % mail + ("x" * 70 + "\n") * (size // 71)
    return ("\n".join(head) + "\n\n" + body).encode()
