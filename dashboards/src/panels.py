"""The few kinds of panels that our dashboards have, as Grafana's classic JSON (schema 39).

A dashboard file (overview.py, accounts.py) lays panels out; its queries stand apart (overview_queries.py,
accounts_queries.py), so that they can be read, and run on a Prometheus, without the layout.
"""

from dataclasses import dataclass, field

SCHEMA_VERSION = 39
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "#8e8e8e"


@dataclass(frozen=True)
class Query:
    """A PromQL expression. `may_be_empty` is the reason why an empty answer is right, for the check."""

    expr: str
    legend: str = ""
    may_be_empty: str = ""
    dashed: bool = False  # a threshold: a dashed grey or red line


@dataclass
class Panel:
    """One panel: what the preview and the query check need, beside Grafana's JSON (`build`)."""

    kind: str
    title: str
    description: str
    queries: list
    unit: str = "short"
    width: int = 8
    height: int = 8
    decimals: int | None = None
    stacked: bool = False
    axis: str = ""
    steps: list = field(default_factory=lambda: [(None, GREEN)])
    columns: list = field(default_factory=list)  # of a table: Column
    links: list = field(default_factory=list)
    sort_by: str = ""
    empty_text: str = ""
    minimum: float | None = 0
    maximum: float | None = None
    colors: dict = field(default_factory=dict)  # legend -> color


@dataclass(frozen=True)
class Column:
    """A column of a table: a label, or the value of the query of the same place."""

    title: str
    label: str = ""
    unit: str = "short"
    decimals: int | None = 0
    steps: tuple = ()
    width: int | None = None
    link: str = ""


@dataclass
class Row:
    title: str
    panels: list
    collapsed: bool = False
    repeat: str = ""


@dataclass
class Dashboard:
    uid: str
    title: str
    description: str
    rows: list
    variables: list
    links: list
    time_from: str = "now-6h"


def runbook(alert):
    return {"title": f"What to do: {alert}", "url": f"${{runbooks}}/{alert}.md", "targetBlank": True}


def _thresholds(steps):
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def _targets(panel, *, instant=False, table=False):
    targets = []
    for number, query in enumerate(panel.queries):
        target = {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": query.expr, "editorMode": "code"}
        target |= {"instant": True, "range": False} if instant else {"range": True, "instant": False}
        target["format"] = "table" if table else "heatmap" if panel.kind == "heatmap" else "time_series"
        target["legendFormat"] = query.legend or "__auto"
        targets.append(target)
    return targets


def _defaults(panel, custom):
    defaults = {"unit": panel.unit, "custom": custom, "thresholds": _thresholds(panel.steps), "mappings": []}
    defaults["noValue"] = panel.empty_text or "0"
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.minimum is not None:
        defaults["min"] = panel.minimum
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    return defaults


def _timeseries(panel):
    custom = {
        "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 60 if panel.stacked else 8,
        "showPoints": "never", "spanNulls": False, "axisLabel": panel.axis,
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
    }
    if panel.unit == "short":
        custom["axisSoftMax"] = 1  # nothing at all is a line at the bottom
    overrides = []
    for query in panel.queries:
        if query.dashed:
            overrides.append({
                "matcher": {"id": "byName", "options": query.legend},
                "properties": [
                    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
                    {"id": "custom.fillOpacity", "value": 0},
                    {"id": "custom.stacking", "value": {"mode": "none", "group": "T"}},
                    {"id": "color", "value": {"mode": "fixed", "fixedColor": RED}},
                ],
            })
    for legend, color in panel.colors.items():
        overrides.append({
            "matcher": {"id": "byName", "options": legend},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        })
    return {
        "type": "timeseries",
        "fieldConfig": {"defaults": _defaults(panel, custom) | {"color": {"mode": "palette-classic"}}, "overrides": overrides},
        "options": {
            "legend": {"displayMode": "table" if panel.width >= 12 else "list", "placement": "right" if panel.width >= 12 else "bottom",
                       "calcs": ["lastNotNull", "max"] if panel.width >= 12 else [], "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": _targets(panel),
    }


def _stat(panel):
    return {
        "type": "stat",
        "fieldConfig": {"defaults": _defaults(panel, {}) | {"color": {"mode": "thresholds"}}, "overrides": []},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value",
            "graphMode": "none", "justifyMode": "center", "textMode": "value", "orientation": "auto",
        },
        "targets": _targets(panel, instant=True),
    }


def _heatmap(panel):
    return {
        "type": "heatmap",
        "fieldConfig": {"defaults": {"custom": {"scaleDistribution": {"type": "linear"}}}, "overrides": []},
        "options": {
            "calculate": False, "cellGap": 1, "cellValues": {"unit": "short"}, "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
            "yAxis": {"unit": panel.unit, "axisPlacement": "left"}, "rowsFrame": {"layout": "auto"}, "legend": {"show": True},
            "tooltip": {"mode": "single", "yHistogram": False}, "filterValues": {"le": 1e-9}, "showValue": "never",
        },
        "targets": _targets(panel),
    }


def _table(panel):
    """Queries in the order of the columns without a label; their rows are joined by the labels."""
    labels = [column for column in panel.columns if column.label]
    values = [column for column in panel.columns if not column.label]
    single = len(panel.queries) == 1
    rename, order, overrides = {}, {}, []
    value_number = 0
    for place, column in enumerate(panel.columns):
        if column.label:
            source = column.label
        else:
            source = "Value" if single else f"Value #{chr(ord('A') + value_number)}"
            value_number += 1
        rename[source], order[source] = column.title, place
        properties = [{"id": "unit", "value": column.unit}] if not column.label else []
        if column.decimals is not None and not column.label:
            properties.append({"id": "decimals", "value": column.decimals})
        if column.steps:
            properties.append({"id": "thresholds", "value": _thresholds(column.steps)})
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
        if column.width:
            properties.append({"id": "custom.width", "value": column.width})
        if column.link:
            properties.append({"id": "links", "value": [{"title": "Open", "url": column.link}]})
        if properties:
            overrides.append({"matcher": {"id": "byName", "options": column.title}, "properties": properties})
    keep = [column.label for column in labels] + [source for source in rename if source.startswith("Value")]
    assert value_number == (len(panel.queries) if values else 0), panel.title
    return {
        "type": "table",
        "fieldConfig": {"defaults": _defaults(panel, {"align": "auto", "filterable": True}), "overrides": overrides},
        "options": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False},
                    "sortBy": [{"displayName": panel.sort_by, "desc": True}] if panel.sort_by else []},
        "targets": _targets(panel, instant=True, table=True),
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": {"include": {"names": keep}}},
            {"id": "organize", "options": {"renameByName": rename, "indexByName": order, "excludeByName": {}}},
        ],
    }


_BUILDERS = {"timeseries": _timeseries, "stat": _stat, "heatmap": _heatmap, "table": _table}


def build_panel(panel, panel_id, x, y):
    return {
        "id": panel_id, "title": panel.title, "description": panel.description, "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}, "links": panel.links,
    } | _BUILDERS[panel.kind](panel)


def build(dashboard):
    """Grafana's JSON. Panels fill each row from left to right; ids are their places, so that diffs stay small."""
    panels, panel_id, y = [], 0, 0
    for row in dashboard.rows:
        panel_id += 1
        row_json = {"id": panel_id, "type": "row", "title": row.title, "collapsed": row.collapsed,
                    "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}, "panels": []}
        if row.repeat:
            row_json["repeat"] = row.repeat
        y += 1
        inside, x, line_height = [], 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, line_height = 0, y + line_height, 0
            panel_id += 1
            inside.append(build_panel(panel, panel_id, x, y))
            x, line_height = x + panel.width, max(line_height, panel.height)
        y += line_height
        if row.collapsed:
            row_json["panels"] = inside
            inside = []
        panels += [row_json, *inside]
    return {
        "uid": dashboard.uid, "title": dashboard.title, "description": dashboard.description, "tags": ["mail", "maillog_exporter"],
        "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "1m",
        "time": {"from": dashboard.time_from, "to": "now"}, "timezone": "browser", "weekStart": "",
        "templating": {"list": dashboard.variables}, "links": dashboard.links, "panels": panels,
        "annotations": {"list": [{
            "name": "Hijack suspected", "enable": True, "iconColor": RED, "datasource": DATASOURCE,
            "expr": 'ALERTS{alertname="AccountHijackSuspected", alertstate="firing", job=~"$job", instance=~"$instance"}',
            "titleFormat": "{{user}}", "step": "1m",
        }]},
    }


def variable_datasource():
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus", "hide": 0, "refresh": 1,
            "regex": "", "multi": False, "includeAll": False, "current": {}, "options": []}


def variable_labels(name, label, query, *, multi=True, include_all=True):
    variable = {"name": name, "type": "query", "label": label, "datasource": DATASOURCE, "hide": 0, "refresh": 2, "sort": 1,
                "query": {"query": query, "refId": name, "qryType": 1}, "definition": query, "regex": "", "multi": multi,
                "includeAll": include_all, "options": [], "current": {}}
    if include_all:
        variable |= {"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return variable


def variable_constant(name, label, value):
    return {"name": name, "type": "textbox", "label": label, "query": value, "hide": 2, "skipUrlSync": False,
            "current": {"text": value, "value": value}, "options": [{"text": value, "value": value, "selected": True}]}


def common_variables():
    return [
        variable_datasource(),
        variable_labels("job", "Job", "label_values(maillog_build_info, job)"),
        variable_labels("instance", "Server", 'label_values(maillog_build_info{job=~"$job"}, instance)'),
        variable_constant("runbooks", "Where the runbooks are", "/runbooks"),
    ]

