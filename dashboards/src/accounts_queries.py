"""What the Accounts dashboard asks. `S` selects the servers, `U` the account of a repeated row as well.

Numbers of accounts are those of one hour, as the alerts judge them, and work without alerts/ loaded; the
thresholds and an account's past are recorded by alerts/ and missing without.
"""

from overview_queries import NO_PAST, NO_RULES, QUIET, S
from panels import Query

# Grafana escapes a variable of several values as a regular expression, also where a repeated row has one.
U = f'{S}, user=~"$user"'
REFUSED = 'class=~"recipient|content"'


def hour(metric, selector=S):
    return f"sum by (instance, user) (increase({metric}{{{selector}}}[1h]))"


# --- all accounts ---
ACTIVE = Query(f"count ({hour('mail_user_messages_total')} > 0) or vector(0)")
RECIPIENTS_ALL = Query(f"sum (increase(mail_user_recipients_total{{{S}}}[1h])) or vector(0)")
REFUSED_SHARE_ALL = Query(
    f"(sum (increase(mail_user_refused_recipients_total{{{S}, {REFUSED}}}[1h])) or vector(0))\n"
    f"/ clamp_min(sum (increase(mail_user_recipients_total{{{S}}}[1h])) or vector(0), 1)"
)
NEW_NETWORKS_ALL = Query(f"sum (increase(mail_user_new_networks_total{{{S}}}[1h])) or vector(0)")
SUSPICIOUS_ALL = Query(f"sum (increase(mail_user_suspicious_logins_total{{{S}}}[1h])) or vector(0)")
SUSPECTED_NOW = Query(f'count (ALERTS{{{S}, alertname="AccountHijackSuspected", alertstate="firing"}}) or vector(0)')
ALERTS_FIRING = Query(f'ALERTS{{{S}, user!="", alertstate="firing"}}', may_be_empty="no alert may be firing")
ARMS = Query(
    f"sum by (instance, user, arm) (maillog:user_hijack:arm{{{S}}})", may_be_empty="no account may be suspected")

# The accounts of the table: the busiest, the most refused, those used from most networks.
TOP = (
    f"(topk(25, {hour('mail_user_recipients_total')})\n"
    f"   or topk(10, {hour('mail_user_refused_recipients_total', f'{S}, {REFUSED}')})\n"
    f"   or topk(10, sum by (instance, user) (mail_user_client_networks{{{S}}})))"
)


def column(expr):
    return Query(f"{expr}\nand on (instance, user) {TOP}")


MESSAGES = column(hour("mail_user_messages_total"))
RECIPIENTS = column(hour("mail_user_recipients_total"))
REFUSED_COUNT = column(hour("mail_user_refused_recipients_total", f"{S}, {REFUSED}"))
REFUSED_SHARE = column(
    f"{hour('mail_user_refused_recipients_total', f'{S}, {REFUSED}')}\n/ clamp_min({hour('mail_user_recipients_total')}, 1)")
NETWORKS = column(f"sum by (instance, user) (mail_user_client_networks{{{S}}})")
NEW_NETWORKS = column(hour("mail_user_new_networks_total"))
NEW_NETWORK_MESSAGES = column(hour("mail_user_new_network_messages_total"))
NEW_RECIPIENTS = column(hour("mail_user_new_recipients_total"))
AUTH_FAILURES = column(hour("mail_user_auth_total", f'{S}, result="failure"'))
COLUMNS = [MESSAGES, RECIPIENTS, REFUSED_COUNT, REFUSED_SHARE, NETWORKS, NEW_NETWORKS, NEW_NETWORK_MESSAGES,
           NEW_RECIPIENTS, AUTH_FAILURES]

def busiest(metric, selector=S):
    """The eight accounts with most of it in the time that is looked at, an hour at a time."""
    ranking = f"sum by (instance, user) (increase({metric}{{{selector}}}[$__range] @ end()))"
    return f"{hour(metric, selector)}\nand on (instance, user) topk(8, {ranking} > 0)"


BUSIEST = Query(busiest("mail_user_recipients_total"), "{{user}}")
MOST_REFUSED = Query(
    busiest("mail_user_refused_recipients_total", f"{S}, {REFUSED}"), "{{user}}", may_be_empty=QUIET)
MOST_NETWORKS = Query(
    f"sum by (instance, user) (mail_user_client_networks{{{S}}})\n"
    f"and on (instance, user) topk(8, sum by (instance, user) (max_over_time(mail_user_client_networks{{{S}}}[$__range] @ end())))",
    "{{user}}")


def threshold(name, legend):
    return Query(f"maillog:threshold:{name}", legend, may_be_empty=NO_RULES, dashed=True)


FLAGRANT_REFUSED = threshold("flagrant_refused_recipients", "page above, at a high share")
FLAGRANT_NETWORKS = threshold("flagrant_networks", "page above, if new to it")

# --- one account ---
USER_MESSAGES = Query(f"sum (increase(mail_user_messages_total{{{U}}}[1h]))", "messages")
USER_RECIPIENTS = Query(f"sum (increase(mail_user_recipients_total{{{U}}}[1h]))", "recipients")
USER_NEW_RECIPIENTS = Query(f"sum (increase(mail_user_new_recipients_total{{{U}}}[1h]))", "of these, never written to before")
USER_PAST = Query(
    f"scalar(maillog:threshold:hijack_past_factor) * sum (maillog:user_messages:past_max{{{U}}})",
    "messages: far above its past", may_be_empty=NO_PAST, dashed=True)
USER_REFUSED = Query(f"sum by (class) (increase(mail_user_refused_recipients_total{{{U}}}[1h]))", "{{class}}")
USER_REFUSED_THRESHOLD = threshold("hijack_refused_recipients", "suspicious above, if busier than its past")
USER_SHARE = Query(
    f"sum (increase(mail_user_refused_recipients_total{{{U}, {REFUSED}}}[1h]))\n"
    f"/ clamp_min(sum (increase(mail_user_recipients_total{{{U}}}[1h])), 1)", "refused share")
USER_SHARE_THRESHOLD = threshold("hijack_refused_share", "suspicious above, if many")
USER_NETWORKS = Query(f"sum (mail_user_client_networks{{{U}}})", "networks in the last hour")
USER_NEW_NETWORKS = Query(f"sum (increase(mail_user_new_networks_total{{{U}}}[1h]))", "networks new to it")
USER_NEW_NETWORK_MESSAGES = Query(
    f"sum (increase(mail_user_new_network_messages_total{{{U}}}[1h]))", "messages from new networks")
USER_NETWORKS_PAST = Query(
    f"scalar(maillog:threshold:hijack_networks_past_factor) * sum (maillog:user_client_networks:past_max{{{U}}})",
    "networks: far above its past", may_be_empty=NO_PAST, dashed=True)
USER_DELIVERIES = Query(
    f"60 * sum by (direction, status) (rate(mail_user_deliveries_total{{{U}}}[$__rate_interval]))\n"
    f"and on (direction, status) (sum by (direction, status) (increase(mail_user_deliveries_total{{{U}}}[$__range] @ end())) > 0)",
    "{{direction}} {{status}}", may_be_empty=QUIET)
USER_AUTH = Query(f"sum by (result) (increase(mail_user_auth_total{{{U}}}[1h]))", "{{result}}")
USER_SUSPICIOUS = Query(f"sum (increase(mail_user_suspicious_logins_total{{{U}}}[1h]))", "suspicious logins")
