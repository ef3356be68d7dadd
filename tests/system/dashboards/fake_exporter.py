#!/usr/bin/env python3
"""A stand-in for the exporter: the metrics that the dashboards and alerts use, of an invented mail system.

    fake_exporter.py --backfill FILE --hours 6     OpenMetrics of the last hours, for promtool
    fake_exporter.py --serve PORT --hours 6        the same history, then goes on living
    fake_exporter.py --catalogue FILE              what it knows, as `maillog_exporter metrics --format json`

Twelve accounts, one of them hijacked 25 minutes before now (or --hijack-in SECONDS after). Seeded: the same story
each time.
"""

import argparse
import json
import math
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP_SECONDS = 15
HIJACKED = "karin.vogel@example.org"
HIJACK_BEFORE_END_SECONDS = 25 * 60
USERS = [HIJACKED, "newsletter@example.org", "office@example.org", "uid:33", "ip:192.0.2.17"] + [
    f"{name}@example.org" for name in ("anna", "ben", "carla", "dieter", "emil", "frida", "gustav")
]
CLASSES = ("recipient", "content", "listed", "greylist", "network")
STATUSES = ("sent", "deferred", "bounced", "expired", "softbounce")
DIRECTIONS = ("outbound", "inbound", "local", "internal", "discard")
BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 432000)

# name: (type, labels); names of counters without `_total` are not used.
METRICS = {
    "maillog_build_info": ("gauge", ["version"]),
    "maillog_lines_total": ("counter", ["software", "program"]),
    "maillog_lines_unparsed_total": ("counter", ["software", "program"]),
    "maillog_log_messages_total": ("counter", ["software", "program", "severity"]),
    "maillog_source_bytes_read_total": ("counter", ["source"]),
    "maillog_source_lag_bytes": ("gauge", ["source"]),
    "maillog_source_up": ("gauge", ["source"]),
    "maillog_source_errors_total": ("counter", ["source"]),
    "maillog_source_last_line_timestamp_seconds": ("gauge", ["source"]),
    "maillog_labels_dropped_total": ("counter", ["metric"]),
    "maillog_tracked_messages": ("gauge", []),
    "mail_messages_total": ("counter", ["origin"]),
    "mail_deliveries_total": ("counter", ["origin", "direction", "transport", "status", "dsn_class"]),
    "mail_delivery_delay_seconds": ("histogram", ["direction", "status"]),
    "mail_delivery_stage_delay_seconds": ("histogram", ["stage"]),
    "mail_message_queue_time_seconds": ("histogram", ["outcome"]),
    "mail_delivery_failures_total": ("counter", ["direction", "status", "reason"]),
    "mail_blocklisted_total": ("counter", ["provider"]),
    "mail_relay_deliveries_total": ("counter", ["relay", "status"]),
    "mail_domain_deliveries_total": ("counter", ["domain", "status"]),
    "mail_user_messages_total": ("counter", ["user"]),
    "mail_user_recipients_total": ("counter", ["user"]),
    "mail_user_deliveries_total": ("counter", ["user", "direction", "status"]),
    "mail_user_auth_total": ("counter", ["user", "result"]),
    "mail_user_client_networks": ("gauge", ["user"]),
    "mail_user_new_network_messages_total": ("counter", ["user"]),
    "mail_user_new_recipients_total": ("counter", ["user"]),
    "mail_user_refused_recipients_total": ("counter", ["user", "class"]),
    "mail_user_new_networks_total": ("counter", ["user"]),
    "mail_user_suspicious_logins_total": ("counter", ["user"]),
    "mail_auth_total": ("counter", ["software", "service", "mechanism", "result", "reason"]),
    "mail_auth_failing_networks": ("gauge", ["service"]),
    "mail_rejects_total": ("counter", ["software", "service", "stage", "code", "reason"]),
    "mail_connections_lost_total": ("counter", ["software", "service", "stage"]),
    "mail_queue_messages": ("gauge", ["queue"]),
    "mail_queue_oldest_age_seconds": ("gauge", ["queue"]),
}


class World:
    """The invented mail system: `step` lets it live for some seconds."""

    def __init__(self, start, hijack_at):
        self.now, self.hijack_at = start, hijack_at
        self.random = random.Random(8412)
        self.values = {}
        self.queue = 4.0
        for name, (kind, _) in METRICS.items():
            self.values[name] = {}
        self._enumerate()

    def add(self, name, amount, *labels):
        series = self.values[name]
        series[labels] = series.get(labels, 0) + amount

    def put(self, name, value, *labels):
        self.values[name][labels] = value

    def observe(self, name, value, *labels):
        series = self.values[name].setdefault(labels, [[0] * (len(BUCKETS) + 1), 0.0])
        place = next((i for i, edge in enumerate(BUCKETS) if value <= edge), len(BUCKETS))
        series[0][place] += 1
        series[1] += value

    def often(self, per_minute):
        """How many times something of that rate happened in this step."""
        mean = per_minute * STEP_SECONDS / 60
        limit, count, product = math.exp(-mean), 0, self.random.random()
        while product > limit:
            count, product = count + 1, product * self.random.random()
        return count

    def _enumerate(self):
        for user in USERS:
            for name in ("messages", "recipients", "new_network_messages", "new_recipients", "new_networks", "suspicious_logins"):
                self.add(f"mail_user_{name}_total", 0, user)
            for kind in CLASSES:
                self.add("mail_user_refused_recipients_total", 0, user, kind)
            for direction in DIRECTIONS:
                for status in STATUSES:
                    self.add("mail_user_deliveries_total", 0, user, direction, status)
            for result in ("success", "failure"):
                self.add("mail_user_auth_total", 0, user, result)
            self.put("mail_user_client_networks", 0, user)
        for origin in ("authenticated", "trusted", "local", "unauthenticated", "generated", "unknown"):
            self.add("mail_messages_total", 0, origin)
        for provider in ("spamhaus", "microsoft", "google", "barracuda", "other"):
            self.add("mail_blocklisted_total", 0, provider)
        self.add("maillog_source_errors_total", 0, "file:/var/log/mail.log")
        self.put("maillog_build_info", 1, "0.1.0")

    def deliver(self, origin, user, relay, domain):
        self.add("mail_user_recipients_total", 1, user) if user else None
        hijack = user == HIJACKED and self.now >= self.hijack_at
        chance, direction, status, dsn, reason, kind = self.random.random(), "outbound", "sent", "2", None, None
        if chance < (0.45 if hijack else 0.02):
            status, dsn, reason, kind = "bounced", "5", *self.random.choice(
                [("user_unknown", "recipient"), ("user_unknown", "recipient"), ("spam_content", "content")])
        elif chance < (0.6 if hijack else 0.09):
            status, dsn, reason, kind = "deferred", "4", *self.random.choice(
                [("greylisted", "greylist"), ("connection_timeout", "network"), ("rate_limited", "content")])
        self.add("mail_deliveries_total", 1, origin, direction, "smtp", status, dsn)
        self.add("mail_relay_deliveries_total", 1, relay, status)
        self.add("mail_domain_deliveries_total", 1, domain, status)
        if user:
            self.add("mail_user_deliveries_total", 1, user, direction, status)
            if kind:
                self.add("mail_user_refused_recipients_total", 1, user, kind)
        if reason:
            self.add("mail_delivery_failures_total", 1, direction, status, reason)
        if hijack and self.now > self.hijack_at + 600 and self.random.random() < 0.1:
            self.add("mail_blocklisted_total", 1, self.random.choice(["spamhaus", "microsoft"]))
        delay = self.random.lognormvariate(0.3, 1.4)
        self.observe("mail_delivery_delay_seconds", delay, direction, status)
        for stage, part in (("before_qmgr", 0.2), ("qmgr", 0.05), ("connection", 0.35), ("transmission", 0.4)):
            self.observe("mail_delivery_stage_delay_seconds", delay * part, stage)
        self.observe("mail_message_queue_time_seconds", delay, "sent" if status == "sent" else "failed")
        if status == "deferred":
            self.queue += 1

    def submit(self, user, recipients=1, new_network=0.0):
        origin = {"uid:33": "local", "ip:192.0.2.17": "trusted"}.get(user, "authenticated")
        self.add("mail_messages_total", 1, origin)
        self.add("mail_user_messages_total", 1, user)
        if self.random.random() < new_network:
            self.add("mail_user_new_network_messages_total", 1, user)
        for _ in range(recipients):
            if self.random.random() < (0.95 if new_network else 0.1):
                self.add("mail_user_new_recipients_total", 1, user)
            relay, domain = self.random.choice([
                ("google.com", "gmail.com"), ("google.com", "gmail.com"), ("outlook.com", "outlook.com"), ("web.de", "web.de"),
                ("gmx.net", "gmx.de"), ("example.net", "example.net"), ("t-online.de", "t-online.de")])
            self.deliver(origin, user, relay, domain)

    def step(self):
        self.now += STEP_SECONDS
        hijack = self.now >= self.hijack_at
        day = 1 + 0.5 * math.sin(self.now / 4000)
        for number, user in enumerate(USERS):
            for _ in range(self.often(0.25 * day / (1 + number % 4))):
                self.submit(user, self.random.choice([1, 1, 1, 2, 4]))
            for _ in range(self.often(0.5)):
                self.add("mail_user_auth_total", 1, user, "success")
                self.add("mail_auth_total", 1, "dovecot", "imap", "plain", "success", "")
            self.put("mail_user_client_networks", (number * 7) % 4 + (0 if ":" in user else 1), user)
        if hijack:
            count = self.often(9)
            for _ in range(count):
                self.submit(HIJACKED, 1, 0.97)
            self.add("mail_user_new_networks_total", count, HIJACKED)
            self.add("mail_user_auth_total", count, HIJACKED, "success")
            self.put("mail_user_client_networks", min(7 * (self.now - self.hijack_at) // 60, 240), HIJACKED)
            if self.hijack_at <= self.now < self.hijack_at + STEP_SECONDS:
                self.add("mail_user_suspicious_logins_total", 1, HIJACKED)
        if int(self.now) % 7200 < STEP_SECONDS:
            self.submit("newsletter@example.org", 400)
        for _ in range(self.often(14 * day)):
            self.add("mail_messages_total", 1, "unauthenticated")
            self.add("mail_deliveries_total", 1, "unauthenticated", "local", "lmtp", "sent", "2")
            self.observe("mail_delivery_delay_seconds", self.random.lognormvariate(-1, 0.8), "local", "sent")
        for _ in range(self.often(1.5)):
            self.deliver("unauthenticated", None, "google.com", "gmail.com")  # forwarded
        for service, rate in (("submission", 2), ("imap", 1), ("smtp", 4), ("pop3", 0.3)):
            for _ in range(self.often(rate * day)):
                reason = self.random.choice(["bad_credentials", "bad_credentials", "unknown_user", "aborted"])
                self.add("mail_auth_total", 1, "postfix", service, "login", "failure", reason)
            self.put("mail_auth_failing_networks", round(rate * 8 * day), service)
        for reason, rate in (("blocklist", 8), ("unknown_recipient", 3), ("relay_denied", 1), ("greylisted", 2), ("helo", 0.4)):
            self.add("mail_rejects_total", self.often(rate * day), "postfix", "smtp", "RCPT", "554", reason)
        for stage, rate in (("auth", 2), ("connect", 1), ("data", 0.1)):
            self.add("mail_connections_lost_total", self.often(rate), "postfix", "smtp", stage)
        for software, program, rate in (("postfix", "postfix/smtpd", 90), ("postfix", "postfix/qmgr", 60), ("dovecot", "dovecot", 25), ("amavis", "amavis", 15)):
            self.add("maillog_lines_total", self.often(rate * day), software, program)
            self.add("maillog_lines_unparsed_total", self.often(0.02) if software == "amavis" else 0, software, program)
        self.add("maillog_log_messages_total", self.often(0.5), "postfix", "postfix/smtpd", "warning")
        self.add("maillog_log_messages_total", self.often(0.02), "dovecot", "dovecot", "error")
        self.queue = max(0.0, self.queue * 0.985)
        self.put("mail_queue_messages", round(self.queue), "deferred")
        self.put("mail_queue_messages", self.random.choice([0, 0, 1, 2]), "active")
        self.put("mail_queue_messages", 0, "incoming")
        self.put("mail_queue_messages", 0, "hold")
        self.put("mail_queue_oldest_age_seconds", self.now % 5400, "deferred")
        self.put("mail_queue_oldest_age_seconds", 2, "active")
        source = "file:/var/log/mail.log"
        self.add("maillog_source_bytes_read_total", 21000, source)
        self.put("maillog_source_lag_bytes", self.random.choice([0, 0, 0, 412]), source)
        self.put("maillog_source_up", 1, source)
        self.put("maillog_source_last_line_timestamp_seconds", self.now - self.random.random() * 5, source)
        self.put("maillog_tracked_messages", round(self.queue + 3))

    def samples(self):
        """(family, type, sample name, labels text, value)"""
        for name, (kind, label_names) in METRICS.items():
            for labels, value in self.values[name].items():
                pairs = [f'{key}="{text}"' for key, text in zip(label_names, labels, strict=True)]
                if kind != "histogram":
                    yield name, kind, name, ",".join(pairs), value
                    continue
                counts, total = value
                running = 0
                for edge, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                    running += count
                    edge = edge if edge == "+Inf" else float(edge)
                    yield name, kind, f"{name}_bucket", ",".join([*pairs, f'le="{edge}"']), running
                yield name, kind, f"{name}_sum", ",".join(pairs), total
                yield name, kind, f"{name}_count", ",".join(pairs), running


def exposition(world):
    lines, family = [], None
    for name, kind, sample, labels, value in world.samples():
        if name != family:
            lines.append(f"# TYPE {name} {kind}")
            family = name
        lines.append(f"{sample}{{{labels}}} {value}" if labels else f"{sample} {value}")
    return "\n".join(lines) + "\n"


def backfill(world, end, path):
    """OpenMetrics wants the samples of a series together, in order."""
    series, families = {}, {}
    while world.now < end:
        for _ in range(60 // STEP_SECONDS):
            world.step()
        for name, kind, sample, labels, value in world.samples():
            families[name] = kind
            full = ",".join(filter(None, [labels, 'job="maillog"', 'instance="mx1.example.org:10925"']))
            series.setdefault((name, f"{sample}{{{full}}}"), []).append(f"{value} {world.now}")
    with open(path, "w") as out:
        family = None
        for (name, sample), points in sorted(series.items(), key=lambda item: item[0][0]):
            if name != family:
                out.write(f"# TYPE {name.removesuffix('_total')} {families[name]}\n")
                family = name
            out.writelines(f"{sample} {point}\n" for point in points)
        out.write("# EOF\n")


def serve(world, port):
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with lock:
                while world.now + STEP_SECONDS <= time.time():
                    world.step()
                body = exposition(world).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=6)
    parser.add_argument("--hijack-in", metavar="SECONDS", type=int)
    parser.add_argument("--end", type=int, help="when now is, in seconds (default: the clock)")
    parser.add_argument("--backfill", metavar="FILE")
    parser.add_argument("--serve", metavar="PORT", type=int)
    parser.add_argument("--catalogue", metavar="FILE")
    args = parser.parse_args()
    end = args.end or int(time.time())
    hijack_at = end - HIJACK_BEFORE_END_SECONDS if args.hijack_in is None else end + args.hijack_in
    world = World(end - int(args.hours * 3600), hijack_at)
    if args.catalogue:
        with open(args.catalogue, "w") as out:
            json.dump([{"name": n, "type": t, "labels": labels} for n, (t, labels) in METRICS.items()], out, indent=1)
    if args.backfill:
        backfill(world, end, args.backfill)
    if args.serve:
        while world.now < end:
            world.step()
        if args.hijack_in is not None:
            threading.Timer(args.hijack_in, print, [f'the hijack begins account="{HIJACKED}"'], {"file": sys.stderr, "flush": True}).start()
        serve(world, args.serve)


if __name__ == "__main__":
    main()
