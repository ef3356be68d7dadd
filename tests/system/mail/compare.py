"""Compares an exposition with expected.json, and both with pflogsumm."""

import json
import pathlib
import re
import subprocess

from series import labels_of, matches

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def spell(family, labels):
    """One name for a series, whatever the order of its labels."""
    return family + "{" + ",".join('%s="%s"' % item for item in sorted(labels.items())) + "}"


def parse(text):
    """{series: value} of the text exposition."""
    got = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        m = SAMPLE.match(line)
        if m:
            labels = {k: re.sub(r"\\(.)", lambda e: "\n" if e.group(1) == "n" else e.group(1), v) for k, v in LABEL.findall(m.group(2) or "")}
            got[spell(m.group(1), labels)] = float(m.group(3))
    return got


def value_of(got, selector):
    return sum(v for k, v in got.items() if matches(selector, k))


def differences(got, work):
    """[(series, expected, got)], nothing when all is equal."""
    expected = json.loads((work / "expected.json").read_text())
    more = json.loads((work / "expected-more.json").read_text())
    wrong = []
    known = set()
    for name, want in expected.items():
        name = spell(name.split("{")[0], labels_of(name))
        known.add(name)
        if got.get(name, 0) != want:
            wrong.append((name, want, got.get(name, 0)))
    for name, want in more["nearly"].items():
        have = got.get(spell(name.split("{")[0], labels_of(name)), 0)
        if not want * 0.97 - 1 <= have <= want:
            wrong.append((name + " (a little less allowed)", want, have))
    served = {name.split("{")[0] for name in got}
    for name, want in more["sums"].items():
        if name.split("{")[0] not in served:
            print("  not served, so not compared: %s (expected %g)" % (name, want))
        elif value_of(got, name) != want:
            wrong.append(("sum of " + name, want, value_of(got, name)))
    left_out = [one["series"] for one in more["left_out"]]
    for name, value in sorted(got.items()):
        if value and name.split("{")[0] in more["families"] and name not in known:
            if any(name.split("{")[0] + "{" == s.split("{")[0] + "{" and matches(s, name) for s in left_out):
                continue
            # A family of which only sums are known is not complete.
            if any(name.split("{")[0] == s.split("{")[0] for s in expected):
                wrong.append((name, 0, value))
    return wrong


def pflogsumm(log):
    """pflogsumm's grand totals. It reads the second instance only when told its name."""
    text = subprocess.run(["pflogsumm", "--syslog-name=postfix-out", str(log)], capture_output=True, text=True).stdout
    found = {}
    for number, unit, word in re.findall(r"(?m)^ *(\d+)([km]?)  +(received|delivered|forwarded|deferred|bounced|rejected)\b", text):
        found[word] = int(number) * {"": 1, "k": 1000, "m": 1000000}[unit]
    deferrals = re.search(r"\((\d+) +deferrals\)", text)
    found["deferrals"] = int(deferrals.group(1)) if deferrals else 0
    found.pop("deferred", None)  # counts queue ids, not attempts
    return found


def second_opinion(got, work, log):
    """Prints where pflogsumm agrees and where it differs; returns what nobody can explain."""
    opinion = pflogsumm(log)
    wrong = []
    for word, (selector, beside) in json.loads((work / "expected-more.json").read_text())["pflogsumm"].items():
        ours = value_of(got, selector)
        theirs = opinion.get(word, 0)
        beside = {why: -value_of(got, n) if isinstance(n, str) else n for why, n in beside.items()}
        beside = {why: n for why, n in beside.items() if n}
        if ours + sum(beside.values()) != theirs:
            wrong.append(("pflogsumm " + word, ours + sum(beside.values()), theirs))
        print("  %-9s pflogsumm %5d  %s %d" % (word, theirs, selector, ours), end="")
        print("".join("  %+d %s" % (n, why) for why, n in beside.items()))
    return wrong


def read(path):
    return parse(pathlib.Path(path).read_text(encoding="utf-8"))
