"""Asks a Prometheus over its HTTP API, with the dashboards' variables filled in as Grafana would."""

import json
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request


class QueryError(Exception):
    pass


class Prometheus:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def _get(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(json.load(error).get("error", str(error))) from error

    def instant(self, expr):
        """A list of (labels, value)."""
        data = self._get("query", query=expr, time=time.time())
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def range(self, expr, seconds, step):
        """A list of (labels, [(time, value)]), values that are no number left out."""
        end = time.time() // step * step
        data = self._get("query_range", query=expr, start=end - seconds, end=end, step=step)
        answer = []
        for series in data["result"]:
            points = [(stamp, float(value)) for stamp, value in series["values"]]
            points = [(stamp, value) for stamp, value in points if not math.isnan(value)]
            if points:
                answer.append((series["metric"], points))
        return answer

    def busiest_user(self):
        best = self.instant("topk(1, sum by (user) (increase(mail_user_recipients_total[1h])))")
        return best[0][0].get("user", "") if best else ""


def escape_regex(text):
    """As Grafana does for a variable of several values, inside a PromQL string."""
    return re.sub(r"([\\^$.*+?()\[\]{}|])", r"\\\\\1", text)


def substitute(expr, *, user, seconds, rate_interval="1m"):
    values = {
        "__rate_interval": rate_interval, "__range": f"{int(seconds)}s", "__interval": rate_interval,
        "job": ".*", "instance": ".*", "user": escape_regex(user),
    }
    return re.sub(r"\$(\w+)", lambda match: values[match.group(1)], expr)
