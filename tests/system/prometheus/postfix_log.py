"""Writes lines as Postfix 3.7 writes them to rsyslog (tests/logs/postfix-3.7), and counts what they say.

The truth is counted here, from what was meant, never from the lines.
"""

import threading
from collections import Counter
from datetime import datetime, timedelta, timezone

HOST = "mx"
REPLIES = {
    "sent": ("2.0.0", "250 2.0.0 Ok: queued as 1A2B3C4D5EE4"),
    "deferred": ("4.3.0", "host {mx}[203.0.113.25] said: 451 4.3.0 Temporary system problem, try again later (in reply to RCPT TO command)"),
    "bounced": ("5.1.1", "host {mx}[203.0.113.25] said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown (in reply to RCPT TO command)"),
}


class PostfixLog:
    """An append-only log with the counts of what stands in it: (metric, labels) -> number."""

    def __init__(self, path):
        self.file = path.open("a", buffering=1 << 16)
        self.truth, self.messages, self.lock = Counter(), 0, threading.Lock()
        self.ago = timedelta(0)

    def log_in(self, user, client="198.51.100.10"):
        """A session of the account that hangs up before its first message is taken."""
        with self.lock:
            queue_id = self._queue_id()
            self._connect(client)
            self._line("submission/smtpd", f"{queue_id}: client=dyn.isp.test[{client}], sasl_method=PLAIN, sasl_username={user}")
            self._line("submission/smtpd", f"lost connection after DATA (0 bytes) from dyn.isp.test[{client}]")
            self._line("submission/smtpd", f"disconnect from dyn.isp.test[{client}] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=0/1 commands=6/7")
            self.file.flush()

    def send(self, user, recipients, client="198.51.100.10"):
        """One message of the account: RECIPIENTS are (address, status); its domain's server is the relay."""
        with self.lock:
            queue_id = self._queue_id()
            self._connect(client)
            self._line("submission/smtpd", f"{queue_id}: client=dyn.isp.test[{client}], sasl_method=PLAIN, sasl_username={user}")
            self._line("cleanup", f"{queue_id}: message-id=<m{self.messages}@client.test>")
            self._line("qmgr", f"{queue_id}: from=<{user}>, size=1340, nrcpt={len(recipients)} (queue active)")
            self._line("submission/smtpd", f"disconnect from dyn.isp.test[{client}] ehlo=2 starttls=1 auth=1 mail=1 rcpt={len(recipients)} "
                                           f"data=1 quit=1 commands={7 + len(recipients)}")
            self._count("mail_user_messages_total", user=user)
            for address, status in recipients:
                domain = address.partition("@")[2]
                relay = f"mx1.{domain}"
                dsn, reply = REPLIES[status]
                self._line("smtp", f"{queue_id}: to=<{address}>, relay={relay}[203.0.113.25]:25, delay=0.07, delays=0/0.01/0/0.05, "
                                   f"dsn={dsn}, status={status} ({reply.format(mx=relay, to=address)})")
                self._count("mail_user_recipients_total", user=user)
                self._count("mail_user_deliveries_total", user=user, direction="outbound", status=status)
                self._count("mail_relay_deliveries_total", relay=domain, status=status)
                self._count("mail_domain_deliveries_total", domain=domain, status=status)
            if all(status != "deferred" for _, status in recipients):
                self._line("qmgr", f"{queue_id}: removed")
            self.file.flush()

    def forget(self):
        """What was written so far is of no interest any more."""
        self.truth.clear()

    def append(self, text):
        with self.lock:
            self.file.write(text)
            self.file.flush()

    def total(self, metric):
        return sum(count for (name, _), count in self.truth.items() if name == metric)

    def of(self, metric):
        return {labels: count for (name, labels), count in self.truth.items() if name == metric}

    def _queue_id(self):
        self.messages += 1
        return f"{0x100000 + self.messages:X}"

    def _connect(self, client):
        self._line("submission/smtpd", f"connect from dyn.isp.test[{client}]")
        self._line("submission/smtpd", f"Anonymous TLS connection established from dyn.isp.test[{client}]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
                                       "(256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256")

    def _count(self, metric, **labels):
        self.truth[metric, frozenset(labels.items())] += 1

    def _line(self, process, text):
        stamp = (datetime.now(timezone.utc) - self.ago).isoformat(timespec="microseconds")
        self.file.write(f"{stamp} {HOST} postfix/{process}[{600 + len(process)}]: {text}\n")
