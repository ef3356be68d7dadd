"""The accounts: which one is abused, and what did it do?"""

import accounts_queries as q
from panels import BLUE, GREEN, GREY, ORANGE, RED, Column, Dashboard, Panel, Row, common_variables, runbook, variable_labels

OPEN = "/d/maillog-accounts?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&var-user=${__value.raw:percentencode}"
HIJACK = [runbook("AccountHijackSuspected")]
# Red is what is bad, and the thresholds.
DELIVERY_COLORS = {"outbound sent": GREEN, "outbound deferred": ORANGE, "outbound bounced": RED, "outbound expired": "dark-red", "local sent": BLUE}
REFUSED_COLORS = {"recipient": ORANGE, "content": "purple", "listed": "yellow", "greylist": BLUE, "network": GREY}
LOGIN_COLORS = {"success": GREEN, "failure": ORANGE, "suspicious logins": RED}


def stat(title, description, query, **more):
    return Panel("stat", title, description, [query], width=4, height=4, **more)


def lines(title, description, *queries, **more):
    return Panel("timeseries", title, description, list(queries), **more)


NOW = Row("The last hour", [
    stat("Accounts suspected", "They look hijacked now (AccountHijackSuspected).", q.SUSPECTED_NOW,
         decimals=0, steps=[(None, GREEN), (1, RED)], links=HIJACK),
    stat("Suspicious logins", "Logins from a new network that had just failed 10 times on the account, or on 5 accounts.",
         q.SUSPICIOUS_ALL, decimals=0, steps=[(None, GREEN), (1, ORANGE)], links=[runbook("AccountPasswordGuessed")]),
    stat("Refused recipients", "Share of the recipients that were refused for whom the mail was to, or for what it said.",
         q.REFUSED_SHARE_ALL, unit="percentunit", decimals=1, steps=[(None, GREEN), (0.1, ORANGE), (0.25, RED)]),
    stat("Accounts that sent", "Accounts that submitted a message.", q.ACTIVE, decimals=0, steps=[(None, BLUE)]),
    stat("Recipients", "Recipients that all accounts wrote to.", q.RECIPIENTS_ALL, decimals=0, steps=[(None, BLUE)]),
    stat("New networks", "Logins from networks that their account had not used in 30 days.", q.NEW_NETWORKS_ALL,
         decimals=0, steps=[(None, BLUE)]),
    Panel("table", "Alerts about accounts", "What is firing. A user leads to his row below.", [q.ALERTS_FIRING], width=14, height=5,
          empty_text="nothing", links=HIJACK, columns=[
              Column("Alert", label="alertname"), Column("Severity", label="severity", width=90),
              Column("Account", label="user", link=OPEN), Column("Server", label="instance"),
          ]),
    Panel("table", "Signs of a hijack", "Which arms of AccountHijackSuspected are true; the runbook says what each means.",
          [q.ARMS], width=10, height=5, empty_text="none", links=HIJACK, columns=[
              Column("Account", label="user", link=OPEN), Column("Sign", label="arm"), Column("Server", label="instance"),
          ]),
])

TOP = Row("Top accounts (last hour)", [
    Panel("table", "Top accounts", "The busiest, the most refused and the most widely used accounts of the last hour. "
          "Click an account to see it below.",
          q.COLUMNS, width=24, height=11, sort_by="Recipients", columns=[
              Column("Account", label="user", link=OPEN), Column("Server", label="instance"),
              Column("Messages"), Column("Recipients"),
              Column("Refused", steps=((None, "text"), (8, ORANGE), (40, RED))),
              Column("Refused share", unit="percentunit", decimals=0),  # no colour: one of one is 100 %
              Column("Networks", steps=((None, "text"), (10, ORANGE), (40, RED))),
              Column("New networks", steps=((None, "text"), (3, ORANGE), (20, RED))),
              Column("Messages from new networks", steps=((None, "text"), (8, ORANGE))),
              Column("New recipients"), Column("Auth failures", steps=((None, "text"), (10, ORANGE))),
          ]),
    lines("Recipients in an hour", "The busiest accounts.", q.BUSIEST),
    lines("Refused recipients in an hour",
          "The most refused accounts: unknown, full or disabled recipients, and mail refused for what it says.",
          q.MOST_REFUSED, q.FLAGRANT_REFUSED, links=HIJACK),
    lines("Networks in an hour", "Accounts used from most client networks (/24, /48).",
          q.MOST_NETWORKS, q.FLAGRANT_NETWORKS, links=HIJACK),
])

USER = Row("$user", [
    lines("Sent in an hour", "A mail to three people is one message with three recipients.",
          q.USER_MESSAGES, q.USER_RECIPIENTS, q.USER_NEW_RECIPIENTS, q.USER_PAST, links=HIJACK),
    lines("Refused recipients in an hour",
          "recipient: unknown, full, disabled; content: spam, policy, complaints; listed: our address; greylist; network.",
          q.USER_REFUSED, q.USER_REFUSED_THRESHOLD, colors=REFUSED_COLORS, links=HIJACK),
    lines("Refused share", "Classes recipient and content, of the recipients of the same hour.",
          q.USER_SHARE, q.USER_SHARE_THRESHOLD, unit="percentunit", links=HIJACK),
    lines("Networks", "Client networks (/24, /48) of logins and submissions in the last hour.",
          q.USER_NETWORKS, q.USER_NEW_NETWORKS, q.USER_NEW_NETWORK_MESSAGES, q.USER_NETWORKS_PAST, links=HIJACK),
    lines("What became of its mail", "One per recipient and attempt.", q.USER_DELIVERIES, axis="per minute", stacked=True,
          colors=DELIVERY_COLORS),
    lines("Logins in an hour", "A suspicious login is a success after many failures.",
          q.USER_AUTH, q.USER_SUSPICIOUS, colors=LOGIN_COLORS, links=[runbook("AccountPasswordGuessed")]),
], repeat="user")

DASHBOARD = Dashboard(
    uid="maillog-accounts",
    title="Mail accounts",
    description="What each account does, from the mail log (maillog_exporter). Account names are personal data.",
    rows=[NOW, TOP, USER],
    variables=[
        *common_variables(),
        variable_labels("user", "Account", 'label_values(mail_user_messages_total{job=~"$job", instance=~"$instance"}, user)',
                        include_all=False),
    ],
    links=[{"title": "Mail overview", "type": "link", "url": "/d/maillog-overview", "keepTime": True, "includeVars": True,
            "icon": "external link", "targetBlank": False, "asDropdown": False, "tags": [], "tooltip": ""}],
)
