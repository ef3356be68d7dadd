"""The exporter and Prometheus servers that scrape it, ended with their stack; and what is asked of them."""

import http.client
import json
import re
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "alerts"))
from stack import ROOT, RULES, Stack, free_port  # noqa: E402  (the folder is not a package)

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)(?: \S+)?$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Exporter:
    """`serve` of one log."""

    def __init__(self, stack, name, binary, log, *flags):
        self.name, self.log, self.port = name, log, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = stack.start(name, binary, "serve", f"--source=file:{log}", f"--web.listen-address={self.address}",
                                   "--postfix.showq-path=none", *flags)
        stack.wait_http(name, f"http://{self.address}/-/ready", seconds=120)

    def scrape(self, accept=OPEN_METRICS):
        """(name, labels) -> value"""
        request = urllib.request.Request(f"http://{self.address}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = (SAMPLE.match(line) for line in answer.read().decode().splitlines() if not line.startswith("#"))
        return {(m.group(1), frozenset(LABEL.findall(m.group(2) or ""))): float(m.group(3)) for m in found}


class Spy:
    """Stands before an exporter and keeps what was asked and answered."""

    def __init__(self, address):
        self.asked, self.answered = [], []
        spy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                connection = http.client.HTTPConnection(address, timeout=30)
                connection.request("GET", self.path, headers=dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
                spy.asked.append(dict(self.headers))
                spy.answered.append((answer.status, dict(answer.getheaders()), len(body)))
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() != "connection":
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{server.server_port}"


class Prometheus:
    """One server; TARGETS are instance -> address."""

    def __init__(self, stack, name, interval_s, targets, *, rules=False):
        self.stack, self.name = stack, name
        port = free_port()
        config = {
            # Its own label makes its own offset within the interval.
            "global": {"scrape_interval": f"{interval_s}s", "evaluation_interval": f"{interval_s}s", "external_labels": {"server": name}},
            "rule_files": [str(path) for path in RULES] if rules else [],
            "scrape_configs": [{"job_name": "maillog", "static_configs": [
                {"targets": [address], "labels": {"instance": instance}} for instance, address in targets.items()]}],
        }
        path = stack.folder / f"{name}.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        self.url = f"http://127.0.0.1:{port}"
        stack.start(name, "prometheus", f"--config.file={path}", f"--storage.tsdb.path={stack.folder}/{name}.tsdb",
                    f"--web.listen-address=127.0.0.1:{port}")
        stack.wait_http(name, f"{self.url}/-/ready")

    def get(self, path, **parameters):
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
            return json.load(answer)["data"]

    def query(self, expr):
        """labels (without those of the target) -> value"""
        result = self.get("query", query=expr)["result"]
        return {frozenset((name, value) for name, value in sample["metric"].items() if name not in ("job", "instance", "__name__")):
                float(sample["value"][1]) for sample in result}

    def number(self, expr):
        return next(iter(self.query(expr).values()), None)

    def wait(self, expr, seconds):
        """Waits until EXPR has an answer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (value := self.number(expr)) is not None:
                return value
            time.sleep(0.5)
        raise SystemExit(f"error: {self.name} has no {expr} within {seconds} s\n{self.stack.log(self.name)[-3000:]}")

    def complaints(self):
        """What its log says about samples that it did not like, and targets that it could not read."""
        lines = [line for line in self.stack.log(self.name).splitlines() if re.search(r"level=(warn|error)", line)]
        targets = [f"{target['labels']['instance']}: {target['lastError']}" for target in self.get("targets")["activeTargets"] if target["lastError"]]
        return lines + targets
