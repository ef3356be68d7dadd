#!/usr/bin/env python3
"""Draws the dashboards with real data into plain HTML, to look at them where there is no Grafana.

    preview.py --prometheus URL --out DIR

Not Grafana: layout, titles, data, colours and empty panels are as there, the rest is simpler.
"""

import argparse
import html
import math
import time
from pathlib import Path

import overview
import accounts
from panels import COLUMNS
from prometheus import Prometheus, QueryError, substitute

WIDTH, UNIT_HEIGHT, GAP = 1900, 38, 8
PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#ffa6b0", "#37872d", "#fade2a", "#447ebc", "#c15c17"]
COLORS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "dark-red": "#c4162a", "yellow": "#fade2a", "purple": "#b877d9", "text": "#d8d9da"}
STYLE = """
body{background:#111217;color:#d8d9da;font:13px 'DejaVu Sans',sans-serif;margin:10px;width:1900px}
.row{font-size:16px;margin:10px 0 6px}.line{display:flex;gap:8px;margin-bottom:8px}
.panel{background:#181b1f;border:1px solid #2c3235;border-radius:3px;padding:6px 8px;box-sizing:border-box;overflow:hidden}
.panel h3{font-size:13px;font-weight:600;margin:0 0 4px;white-space:nowrap;overflow:hidden}
.stat{font-size:34px;text-align:center;margin-top:22px;font-weight:600}.empty{color:#8e8e8e;text-align:center;margin-top:30px}
.legend{font-size:11px;line-height:15px;color:#b0b3b6;max-height:45px;overflow:hidden}.legend i{display:inline-block;width:12px;height:3px;margin:3px 4px 3px 8px}
table{border-collapse:collapse;width:100%;font-size:12px}td,th{text-align:left;padding:2px 8px;border-bottom:1px solid #2c3235;white-space:nowrap}th{color:#6e9fff}
"""


def number(value, unit, decimals=None):
    if value is None or math.isnan(value):
        return "-"
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1000:.3g} ms"
    if unit == "bytes":
        for size, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
            if value >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} B"
    if decimals == 0:
        return f"{value:,.0f}"
    return f"{value / 1000:.3g} K" if abs(value) >= 1000 else f"{value:.3g}"


def round_top(value, unit):
    """The next value whose quarters are readable."""
    if unit == "s" or value <= 0:
        return value or 1
    size = 10 ** math.floor(math.log10(value))
    return next(size * step for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if size * step >= value)


def color_of(steps, value):
    color = "text"
    for edge, name in steps:
        if edge is None or (value is not None and value >= edge):
            color = name
    return COLORS.get(color, color)


def legend_of(query, labels):
    if not query.legend:
        return ", ".join(f"{value}" for value in labels.values()) or "value"
    text = query.legend
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


class Preview:
    def __init__(self, prometheus, user, seconds, scrape_seconds):
        self.prometheus, self.user, self.seconds = prometheus, user, seconds
        self.step = max(15, seconds // 180)
        self.rate_interval = f"{max(4 * scrape_seconds, self.step + scrape_seconds)}s"  # as Grafana does

    def _fill(self, expr):
        return substitute(expr, user=self.user, seconds=self.seconds, rate_interval=self.rate_interval)

    def _range(self, query):
        return self.prometheus.range(self._fill(query.expr), self.seconds, self.step)

    def panel(self, panel):
        pixel_width = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS * panel.width + GAP * (panel.width - 1)
        height = panel.height * UNIT_HEIGHT - GAP
        try:
            inside = getattr(self, f"_{panel.kind}")(panel, pixel_width - 20, height - 32)
        except QueryError as error:
            inside = f'<div class="empty">{html.escape(str(error))}</div>'
        title = html.escape(panel.title.replace("$user", self.user))
        return f'<div class="panel" title="{html.escape(panel.description)}" style="width:{pixel_width:.0f}px;height:{height}px"><h3>{title}</h3>{inside}</div>'

    def _empty(self, panel):
        return f'<div class="empty">{html.escape(panel.empty_text or "0")}</div>'

    def _stat(self, panel, *_):
        values = [value for _, value in self.prometheus.instant(self._fill(panel.queries[0].expr))]
        if not values:
            return self._empty(panel)
        return f'<div class="stat" style="color:{color_of(panel.steps, values[0])}">{number(values[0], panel.unit, panel.decimals)}</div>'

    def _table(self, panel, *_):
        rows = {}
        for place, query in enumerate(panel.queries):
            for labels, value in self.prometheus.instant(self._fill(query.expr)):
                key = tuple(labels.get(column.label, "") for column in panel.columns if column.label)
                rows.setdefault(key, {})[place] = value
        if not rows:
            return self._empty(panel)
        values = [column for column in panel.columns if not column.label]
        place_of = {id(column): place for place, column in enumerate(values)}
        sort_by = next((place_of[id(column)] for column in values if column.title == panel.sort_by), None)
        order = sorted(rows.items(), key=lambda item: -item[1].get(sort_by, 0) if sort_by is not None else item[0])
        out = "<table><tr>" + "".join(f"<th>{html.escape(column.title)}</th>" for column in panel.columns) + "</tr>"
        for key, cells in order:
            labels = iter(key)
            out += "<tr>"
            for column in panel.columns:
                if column.label:
                    out += f"<td>{html.escape(next(labels))}</td>"
                else:
                    value = cells.get(place_of[id(column)])
                    out += f'<td style="color:{color_of(column.steps, value)}">{number(value, column.unit, column.decimals)}</td>'
            out += "</tr>"
        return out + "</table>"

    def _timeseries(self, panel, width, height):
        series = []
        for query in panel.queries:
            for labels, points in self._range(query):
                series.append((legend_of(query, labels), points, query.dashed))
        if not series:
            return self._empty(panel)
        plot_height, left = height - 50, 52
        stacked, top = {}, panel.maximum or 0
        drawn = []
        for legend, points, dashed in series:
            if panel.stacked and not dashed:
                below = [stacked.get(stamp, 0) for stamp, _ in points]
                points = [(stamp, value + base) for (stamp, value), base in zip(points, below, strict=True)]
                stacked |= dict(points)
            else:
                below = [0] * len(points)
            drawn.append((legend, points, dashed, below))
            top = max(top, max(value for _, value in points))
        top = round_top(top * 1.04, panel.unit)
        end = time.time() // self.step * self.step

        def x(stamp):
            return left + (width - left) * (1 - (end - stamp) / self.seconds)

        def y(value):
            return (plot_height - 6) * (1 - value / top) + 6

        out = f'<svg width="{width:.0f}" height="{plot_height + 18:.0f}" font-size="10" fill="#8e8e8e">'
        for part in range(5):
            value = top * part / 4
            out += f'<line x1="{left}" x2="{width:.0f}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#2c3235"/><text x="{left - 4}" y="{y(value) + 3:.1f}" text-anchor="end">{number(value, panel.unit)}</text>'
        for part in range(1, 6):
            stamp = end - self.seconds * (1 - part / 6)
            out += f'<text x="{x(stamp):.0f}" y="{plot_height + 15:.0f}" text-anchor="middle">{time.strftime("%H:%M", time.localtime(stamp))}</text>'
        legends = ""
        for place, (legend, points, dashed, below) in enumerate(drawn):
            base = dict(zip((stamp for stamp, _ in points), below, strict=True))
            named = COLORS.get(panel.colors.get(legend, ""), panel.colors.get(legend, ""))
            color = COLORS["red"] if dashed else named or PALETTE[place % len(PALETTE)]
            # A hole where two points are further apart than a step.
            pieces, piece = [], []
            for point in points:
                if piece and point[0] - piece[-1][0] > self.step * 1.5:
                    pieces, piece = [*pieces, piece], []
                piece.append(point)
            for piece in [*pieces, piece]:
                line = " ".join(f"{x(stamp):.1f},{y(value):.1f}" for stamp, value in piece)
                if panel.stacked and not dashed:
                    under = " ".join(f"{x(stamp):.1f},{y(base[stamp]):.1f}" for stamp, _ in reversed(piece))
                    out += f'<polygon points="{line} {under}" fill="{color}" fill-opacity="0.6"/>'
                dashes = "8,8" if dashed else "none"
                out += f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'
        for place, (legend, _, dashed, _) in enumerate(drawn):
            named = COLORS.get(panel.colors.get(legend, ""), panel.colors.get(legend, ""))
            color = COLORS["red"] if dashed else named or PALETTE[place % len(PALETTE)]
            legends += f'<i style="background:{color}"></i>{html.escape(legend)}'
        axis = f"<span>{html.escape(panel.axis)}</span>" if panel.axis else ""
        return out + f'</svg><div class="legend">{axis}{legends}</div>'

    def _heatmap(self, panel, width, height):
        series = sorted(((float(labels["le"]), dict(points)) for labels, points in self._range(panel.queries[0])), key=lambda item: item[0])
        if not series:
            return self._empty(panel)
        cells, below = [], {}
        for edge, points in series:
            cells.append((edge, {stamp: value - below.get(stamp, 0) for stamp, value in points.items()}))
            below = points
        most = max((value for _, points in cells for value in points.values()), default=1) or 1
        left, row = 60, (height - 16) / len(cells)
        end = time.time() // self.step * self.step
        cell = (width - left) * self.step / self.seconds
        out = f'<svg width="{width:.0f}" height="{height:.0f}" font-size="9" fill="#8e8e8e">'
        for place, (edge, points) in enumerate(cells):
            y = height - 16 - (place + 1) * row
            out += f'<text x="{left - 4}" y="{y + row - 3:.0f}" text-anchor="end">{"more" if math.isinf(edge) else number(edge, panel.unit)}</text>'
            for stamp, value in points.items():
                if value > 0.01:
                    x = left + (width - left) * (1 - (end - stamp) / self.seconds) - cell
                    out += f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{row - 1:.1f}" fill="#ff780a" fill-opacity="{0.15 + 0.85 * value / most:.2f}"/>'
        return out + "</svg>"

    def page(self, dashboard):
        out, height = "", 50
        for row in dashboard.rows:
            out += f'<div class="row">&#9662; {html.escape(row.title.replace("$user", self.user))}</div>'
            height += 40
            lines, x = [[]], 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    lines.append([])
                    x = 0
                lines[-1].append(panel)
                x += panel.width
            for line in lines:
                out += '<div class="line">' + "".join(self.panel(panel) for panel in line) + "</div>"
                height += max(panel.height for panel in line) * UNIT_HEIGHT
        return f'<!doctype html><meta charset="utf-8"><title>{dashboard.title}</title><style>{STYLE}</style><body data-height="{height}"><h2 style="margin:0">{dashboard.title}</h2>{out}</body>'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", metavar="URL", required=True)
    parser.add_argument("--out", metavar="DIR", required=True)
    parser.add_argument("--user", help="the account to look at; else the busiest")
    parser.add_argument("--seconds", type=int, default=6 * 3600, help="how far to look back (%(default)s)")
    parser.add_argument("--scrape-seconds", type=int, default=15, help="between two scrapes (%(default)s)")
    args = parser.parse_args()
    prometheus = Prometheus(args.prometheus)
    preview = Preview(prometheus, args.user or prometheus.busiest_user(), args.seconds, args.scrape_seconds)
    Path(args.out).mkdir(parents=True, exist_ok=True)
    for name, dashboard in (("overview", overview.DASHBOARD), ("accounts", accounts.DASHBOARD)):
        (Path(args.out) / f"{name}.html").write_text(preview.page(dashboard))


if __name__ == "__main__":
    main()
