#!/usr/bin/env python3
"""Writes dashboards/*.json from the files beside this one. --check: fails where a written file is stale."""

import argparse
import json
import sys
from pathlib import Path

import accounts
import overview
from panels import build

OUTPUT = Path(__file__).resolve().parent.parent
DASHBOARDS = {"overview.json": overview.DASHBOARD, "accounts.json": accounts.DASHBOARD}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    stale = []
    for name, dashboard in DASHBOARDS.items():
        path, text = OUTPUT / name, json.dumps(build(dashboard), indent=1, ensure_ascii=False) + "\n"
        if not args.check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    for name in stale:
        print(f"error: dashboards/{name} is stale\n  fix: dashboards/src/build.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
