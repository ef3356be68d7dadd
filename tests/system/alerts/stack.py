"""A real Prometheus and Alertmanager on free loopback ports, in a folder that goes away, all ended at the end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ALERTS = ROOT / "alerts"
RULES = [ALERTS / name for name in ("thresholds.yml", "rules.yml", "alerts.yml")]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Stack:
    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="maillog-system-"))
        self.processes = []
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, *command):
        """Starts a program with its output in NAME.log of the folder."""
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait_http(self, name, url, seconds=30):
        """Waits till URL answers 200, or says what the program printed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"error: {name} does not answer at {url}\n{self.log(name)[-3000:]}")

    def prometheus(self, target, *, alertmanager=None, interval="15s", labels=None):
        """Scrapes TARGET with our rules loaded; returns the URL."""
        port = free_port()
        config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in RULES],
            "scrape_configs": [{"job_name": "maillog", "static_configs": [{"targets": [target], "labels": labels or {}}]}],
        }
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]}
        path = self.folder / "prometheus.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        url = f"http://127.0.0.1:{port}"
        self.start("prometheus", "prometheus", f"--config.file={path}", f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}")
        self.wait_http("prometheus", f"{url}/-/ready")
        return url

    def alertmanager(self, webhook_url):
        """Our example configuration, its webhooks pointed at WEBHOOK_URL; returns the URL."""
        port = free_port()
        path = self.folder / "alertmanager.yml"
        path.write_text((ALERTS / "alertmanager.yml").read_text().replace("http://127.0.0.1:9095", webhook_url))
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or "prometheus-alertmanager"
        url = f"http://127.0.0.1:{port}"
        self.start("alertmanager", program, f"--config.file={path}", f"--storage.path={self.folder}/alertmanager",
                   f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
        self.wait_http("alertmanager", f"{url}/-/ready")
        return url


class Webhook:
    """Receives notifications: a list of (when it came, path, the JSON)."""

    def __init__(self):
        self.received, self.arrived = [], threading.Condition()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with webhook.arrived:
                    webhook.received.append((time.time(), self.path, body))
                    webhook.arrived.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self, alertname):
        """(when it came, the alert) for each firing alert of that name."""
        return [(when, alert) for when, _, body in self.received for alert in body["alerts"]
                if alert["labels"]["alertname"] == alertname and alert["status"] == "firing"]
