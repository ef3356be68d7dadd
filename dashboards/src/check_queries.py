#!/usr/bin/env python3
"""Checks the queries of all dashboards.

    check_queries.py --catalogue FILE     each metric and label exists (maillog_exporter metrics --format json),
                                          each recorded series is recorded in alerts/*.yml
    check_queries.py --prometheus URL     each query runs, and answers with something, on a real Prometheus

A query may answer with nothing only where it says why (`may_be_empty`).
"""

import argparse
import json
import re
import sys
from pathlib import Path

from build import DASHBOARDS
from prometheus import Prometheus, QueryError, substitute

RULES = Path(__file__).resolve().parents[2] / "alerts"
# What Prometheus adds itself, and what is added by alerts/ or by --label.host.
PROMETHEUS_METRICS = {"up", "ALERTS"}
EVERYWHERE_LABELS = {"job", "instance", "le", "mail_host"}
SUFFIXES = ("_bucket", "_sum", "_count")


def queries():
    """(where it stands, panel, query)"""
    for name, dashboard in DASHBOARDS.items():
        for row in dashboard.rows:
            for panel in row.panels:
                for query in panel.queries:
                    yield f"{name}, {row.title} / {panel.title}", panel, query


def metric_of(name, catalogue):
    if name in catalogue:
        return name
    return next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s) and name.removesuffix(s) in catalogue), None)


def check_names(catalogue, recorded):
    for place, _, query in queries():
        without_strings = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query.expr)
        grouping = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", without_strings)
        code = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", without_strings)
        metrics = set(re.findall(r"\b(?:mail|maillog|process)_\w+", code)) - EVERYWHERE_LABELS
        for name in sorted(metrics):
            if metric_of(name, catalogue) is None:
                yield f"{place}: {name} is not in the catalogue"
        for name in sorted(set(re.findall(r"\bmaillog:[\w:]+", code)) - recorded):
            yield f"{place}: {name} is not recorded in alerts/"
        for name, labels in re.findall(r"\b([a-zA-Z_]\w+)\{([^}]*)\}", code):
            metric = metric_of(name, catalogue)
            if metric is None:
                continue
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels):
                if label not in catalogue[metric] | EVERYWHERE_LABELS:
                    yield f"{place}: {name} has no label {label}"
        known = set().union(*(catalogue[metric_of(name, catalogue)] for name in metrics if metric_of(name, catalogue)))
        if metrics and not re.search(r"\bALERTS\b|maillog:", code):
            for label in re.findall(r"\w+", " ".join(grouping)):
                if label not in known | EVERYWHERE_LABELS:
                    yield f"{place}: none of {', '.join(sorted(metrics))} has the label {label}"


def load_catalogue(path):
    catalogue = {}
    for metric in json.loads(Path(path).read_text()):
        labels = (label["name"] if isinstance(label, dict) else label for label in metric.get("labels", []))
        catalogue[metric["name"]] = set(labels)
    return catalogue


def recorded_names():
    text = "\n".join(path.read_text() for path in RULES.glob("*.yml"))
    return set(re.findall(r"record: (\S+)", text))


def check_answers(prometheus, user, seconds):
    for place, panel, query in queries():
        expr = substitute(query.expr, user=user, seconds=seconds)
        try:
            if panel.kind in ("stat", "table"):
                answer = [value for _, value in prometheus.instant(expr) if value == value]
            else:
                answer = prometheus.range(expr, seconds, step=60)
        except QueryError as error:
            yield f"{place}: {error}\n  query: {expr}"
            continue
        if not answer and not query.may_be_empty:
            yield f"{place}: the answer is empty\n  query: {expr}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", metavar="URL")
    parser.add_argument("--catalogue", metavar="FILE")
    parser.add_argument("--user", help="the account to look at; else the busiest")
    parser.add_argument("--seconds", type=int, default=3600, help="how far to look back (%(default)s)")
    args = parser.parse_args()
    if not (args.prometheus or args.catalogue):
        parser.error("nothing to check: give --prometheus or --catalogue")

    complaints, count = [], len(list(queries()))
    if args.catalogue:
        complaints += check_names(load_catalogue(args.catalogue), recorded_names())
    if args.prometheus:
        prometheus = Prometheus(args.prometheus)
        complaints += check_answers(prometheus, args.user or prometheus.busiest_user(), args.seconds)
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    print(f"{count} queries: {f'{len(complaints)} complaints' if complaints else 'ok'}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
