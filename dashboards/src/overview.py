"""The Overview: is mail flowing, where to, why not, and is the log read well?"""

import overview_queries as q
from panels import BLUE, GREEN, ORANGE, RED, Column, Dashboard, Panel, Row, common_variables, runbook

STATUS_COLORS = {"sent": GREEN, "deferred": ORANGE, "bounced": RED, "expired": "dark-red", "softbounce": "yellow"}
ACCOUNTS_LINK = "/d/maillog-accounts?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&var-user=${__value.raw:percentencode}"


def stat(title, description, query, **more):
    return Panel("stat", title, description, [query], width=3, height=4, **more)


def lines(title, description, *queries, **more):
    return Panel("timeseries", title, description, list(queries), **more)


def top_table(title, description, label, queries):
    columns = [
        Column(title.split()[-1].rstrip("s").capitalize(), label=label),
        Column("Sent", width=90),
        Column("Deferred", width=90, steps=((None, "text"), (1, ORANGE))),
        Column("Failed", width=90, steps=((None, "text"), (1, RED))),
    ]
    return Panel("table", title, description, queries, width=6, height=9, columns=columns, sort_by="Sent")


NOW = Row("Now", [
    stat("Mails sent by this server",
         "Deliveries to other hosts that ended as sent, in the time that is looked at: "
         'mail_deliveries_total{direction="outbound", status="sent"}. One per recipient; what we forward counts, '
         "hops to our own filters do not.",
         q.SENT_BY_SERVER_TOTAL, decimals=0, steps=[(None, BLUE)]),
    stat("of these, by our users",
         "The same for what was submitted with a login, by a trusted client or on the host itself "
         '(origin=~"authenticated|trusted|local").',
         q.SENT_BY_USERS_TOTAL, decimals=0, steps=[(None, BLUE)]),
    stat("Deferred", "The part of all delivery attempts that was put off, to be tried again.",
         q.DEFERRED_SHARE, unit="percentunit", decimals=1, steps=[(None, GREEN), (0.1, ORANGE), (0.3, RED)],
         links=[runbook("DeferredRateHigh")]),
    stat("Failed for good", "Of the recipients that are finished, the part that bounced or expired.",
         q.FAILED_SHARE, unit="percentunit", decimals=1, steps=[(None, GREEN), (0.05, ORANGE), (0.15, RED)]),
    stat("In the queue", "Messages in Postfix's queue now, held ones too.", q.QUEUE_NOW, decimals=0,
         empty_text="no showq", steps=[(None, GREEN), (100, ORANGE), (1000, RED)], links=[runbook("QueueGrowing")]),
    stat("Blocklist replies", "Replies that say that our address is listed or has a bad reputation.",
         q.BLOCKLISTED_TOTAL, decimals=0, steps=[(None, GREEN), (1, ORANGE), (20, RED)], links=[runbook("BlocklistedByRemote")]),
    stat("Accounts suspected", "Accounts that look hijacked now (AccountHijackSuspected).",
         q.SUSPECTED_NOW, decimals=0, steps=[(None, GREEN), (1, RED)], links=[runbook("AccountHijackSuspected")]),
    stat("Submitted by our users", "Messages accepted from logins, trusted clients and the host itself.",
         q.SUBMITTED_TOTAL, decimals=0, steps=[(None, BLUE)]),
])

ALERTS = Row("Firing", [
    Panel("table", "Alerts", "What is firing on these servers. A user leads to the account.", [q.ALERTS_FIRING], width=24, height=4,
          empty_text="nothing", columns=[
              Column("Alert", label="alertname"), Column("Severity", label="severity", width=90),
              Column("Account", label="user", link=ACCOUNTS_LINK), Column("Provider", label="provider"),
              Column("Service", label="service"), Column("Direction", label="direction"), Column("Source", label="source"),
              Column("Server", label="instance"),
          ]),
])

FLOW = Row("What is sent", [
    lines("Mails sent",
          "By this server: mail_deliveries_total{direction=\"outbound\", status=\"sent\"}; by our users: the same with "
          'origin=~"authenticated|trusted|local". The space between them is mail that we forward, and bounces.',
          q.SENT_BY_SERVER, q.SENT_BY_USERS, q.DELIVERED_LOCALLY, axis="per minute"),
    lines("Messages accepted, by origin",
          "Each message once, however many queue ids it passes through. authenticated: with a login; trusted: from "
          "--trusted-networks; local: made on the host (a web site); unauthenticated: from the world; generated: bounces.",
          q.SUBMITTED, axis="per minute", stacked=True),
    lines("Delivery attempts, by status",
          "One per recipient and attempt, to other hosts, to the hosts behind us and to mailboxes.",
          q.ATTEMPTS_BY_STATUS, axis="per minute", stacked=True, colors=STATUS_COLORS, links=[runbook("DeferredRateHigh")]),
])

FAILURES = Row("Why mail fails", [
    lines("Why mail fails", "Deferred and failed deliveries by the reason that the reply gives.",
          q.FAILURES, axis="per minute", stacked=True, height=9, width=7, links=[runbook("DeferredRateHigh")]),
    lines("Blocklist replies, by provider",
          "Replies that say that our address is listed or has a bad reputation. One line above 0 is worth a look.",
          q.BLOCKLISTED, axis="per minute", width=5, height=9, links=[runbook("BlocklistedByRemote")]),
    top_table("Top relays", "Next hops by registrable domain, in the time that is looked at.", "relay", q.RELAYS),
    top_table("Top recipient domains", "Recipients' domains, in the time that is looked at.", "domain", q.DOMAINS),
])

DELAYS = Row("How long it takes", [
    lines("From acceptance to delivery", "Of the recipients that were finished: half, 95 % and 99 % within.",
          *q.DELAYS, unit="s"),
    lines("Where the time goes (95 % within)",
          "before_qmgr: our filters; qmgr: waiting for a turn or a retry; connection: finding and greeting the other side; "
          "transmission: its answer to the mail.",
          q.STAGES, unit="s"),
    Panel("heatmap", "Delivery times", "How many recipients took how long.", [q.DELAY_HEATMAP], unit="s"),
])

QUEUE = Row("Queue", [
    lines("Messages in the queue", "By queue. The dashed line is where QueueGrowing makes a ticket.",
          q.QUEUE, q.QUEUE_PAST, links=[runbook("QueueGrowing")], empty_text="no showq socket"),
    lines("Oldest message", "Age of the oldest message in each queue.", q.QUEUE_AGE, unit="s", empty_text="no showq socket"),
    lines("Time in the queue, by outcome (95 % within)", "From acceptance to the end of a message.", q.QUEUE_TIME, unit="s"),
])

DOOR = Row("Who tries to get in", [
    lines("Authentication failures, by service", "Wrong tries, each once. Those given up half-way are left out.",
          q.AUTH_FAILURES_BY_SERVICE, axis="per minute", links=[runbook("AuthBruteForce")], width=6),
    lines("Authentication failures, by reason", "A failing backend looks like an attack: it stands here as `backend`.",
          q.AUTH_FAILURES_BY_REASON, axis="per minute", stacked=True, links=[runbook("AuthBruteForce")], width=6),
    lines("Networks with failures", "Distinct client networks that failed in the last hour.", q.AUTH_NETWORKS, width=6),
    lines("Logins that succeeded, by service", "A fall to nothing is an outage.", q.LOGINS, axis="per minute", width=6),
    lines("Refused in SMTP, by reason", "What smtpd, postscreen and milters turned away.",
          q.REJECTS, axis="per minute", stacked=True, width=12),
    lines("Connections lost, by stage", "Clients that went without a word: after AUTH they guess, at DATA the network is ill.",
          q.CONNECTIONS_LOST, axis="per minute", stacked=True, width=12),
])

READING = Row("Is the log read well?", [
    lines("Not yet read", "Bytes between the end of the log and where we read.", q.LAG, unit="bytes", width=6),
    lines("Age of the last line", "Grows when the mail system, or its logger, stands still.",
          q.LAST_LINE_AGE, q.LAST_LINE_THRESHOLD, unit="s", width=6, links=[runbook("LogSilent")]),
    lines("Lines read, by software", "All lines, whether counted further or not.", q.LINES, axis="per minute", width=6, stacked=True),
    lines("Lines that no rule knows", "Their share of a program's lines. maillog_exporter report FILE says of which program; please report such a line.",
          q.UNPARSED_SHARE, unit="percentunit", width=6, empty_text="none"),
    lines("Source errors", "Failed tries to open or read the log.",
          q.SOURCE_ERRORS, axis="per minute", width=6),
    lines("Warnings and errors in the log", "By the severity word of the text.", q.LOG_MESSAGES, axis="per minute", width=6),
    lines("Messages being followed", "Open messages in the exporter's memory.", q.TRACKED, width=6),
    lines("Over the limit", "Increments that went to _other because a label had all its values.",
          q.LABELS_DROPPED, width=6, empty_text="none"),
])

DASHBOARD = Dashboard(
    uid="maillog-overview",
    title="Mail overview",
    description="What the mail system does, from its log (maillog_exporter).",
    rows=[NOW, ALERTS, FLOW, FAILURES, DELAYS, QUEUE, DOOR, READING],
    variables=common_variables(),
    links=[{"title": "Mail accounts", "type": "link", "url": "/d/maillog-accounts", "keepTime": True, "includeVars": True,
            "icon": "external link", "targetBlank": False, "asDropdown": False, "tags": [], "tooltip": ""}],
)
