"""What the Overview asks. `S` selects the servers that were chosen.

Rates are per minute: a server of ten users sends less than one mail a second. Sums over the time that is
looked at use `$__range`, lines `$__rate_interval` (never shorter than four scrapes). Which lines a panel shows
is decided once, at the end of the range (`@ end()`, Prometheus 2.33): no line comes and goes.
"""

from panels import Query

S = 'job=~"$job", instance=~"$instance"'
NO_SHOWQ = "only where Postfix's showq socket can be reached"
QUIET = "nothing of the kind may have happened"
NO_RULES = "only with alerts/ loaded"
NO_PAST = "only with alerts/ loaded, and after a day"


def per_minute(metric, selector="", by="", legend="", **more):
    """`sum by (BY)` of a counter's rate, per minute."""
    inside = f"{S}, {selector}" if selector else S
    grouping = f" by ({by})" if by else ""
    return Query(f"60 * sum{grouping} (rate({metric}{{{inside}}}[$__rate_interval]))", legend, **more)


def happened(metric, selector="", by="", legend="", most=12, **more):
    """`per_minute`, of those that happened at all in the time that is looked at."""
    inside = f"{S}, {selector}" if selector else S
    return Query(
        f"60 * sum by ({by}) (rate({metric}{{{inside}}}[$__rate_interval]))\n"
        f"and on ({by}) topk({most}, sum by ({by}) (increase({metric}{{{inside}}}[$__range] @ end())) > 0)",
        legend, **more,
    )


def over_range(metric, selector="", **more):
    inside = f"{S}, {selector}" if selector else S
    return Query(f"sum (increase({metric}{{{inside}}}[$__range])) or vector(0)", **more)


SENT = 'direction="outbound", status="sent"'
OURS = 'origin=~"authenticated|trusted|local"'
ATTEMPTS = 'direction=~"outbound|inbound|local"'

# --- now ---
SENT_BY_SERVER_TOTAL = over_range("mail_deliveries_total", SENT)
SENT_BY_USERS_TOTAL = over_range("mail_deliveries_total", f"{SENT}, {OURS}")
SUBMITTED_TOTAL = over_range("mail_messages_total", OURS)
DEFERRED_SHARE = Query(
    f'(sum (increase(mail_deliveries_total{{{S}, {ATTEMPTS}, status="deferred"}}[$__range])) or vector(0))\n'
    f"/ clamp_min(sum (increase(mail_deliveries_total{{{S}, {ATTEMPTS}}}[$__range])) or vector(0), 1)"
)
FAILED_SHARE = Query(
    f'(sum (increase(mail_deliveries_total{{{S}, {ATTEMPTS}, status=~"bounced|expired"}}[$__range])) or vector(0))\n'
    f'/ clamp_min(sum (increase(mail_deliveries_total{{{S}, {ATTEMPTS}, status=~"sent|bounced|expired"}}[$__range])) or vector(0), 1)'
)
QUEUE_NOW = Query(f"sum (mail_queue_messages{{{S}}})", may_be_empty=NO_SHOWQ)
BLOCKLISTED_TOTAL = over_range("mail_blocklisted_total")
SUSPECTED_NOW = Query(
    f'count (ALERTS{{{S}, alertname="AccountHijackSuspected", alertstate="firing"}}) or vector(0)'
)
ALERTS_FIRING = Query(f'ALERTS{{{S}, alertstate="firing"}}', may_be_empty="no alert may be firing")

# --- what is sent ---
SENT_BY_SERVER = per_minute("mail_deliveries_total", SENT, legend="sent by this server")
SENT_BY_USERS = per_minute("mail_deliveries_total", f"{SENT}, {OURS}", legend="of these, by our users")
DELIVERED_LOCALLY = per_minute("mail_deliveries_total", 'direction="local", status="sent"', legend="into mailboxes")
SUBMITTED = per_minute("mail_messages_total", by="origin", legend="{{origin}}")
ATTEMPTS_BY_STATUS = per_minute("mail_deliveries_total", ATTEMPTS, by="status", legend="{{status}}")

# --- why mail fails ---
FAILURES = happened("mail_delivery_failures_total", by="reason", legend="{{reason}}", may_be_empty=QUIET)
BLOCKLISTED = per_minute("mail_blocklisted_total", by="provider", legend="{{provider}}")


def top(metric, label, status):
    return Query(
        f'sum by ({label}) (increase({metric}{{{S}, status=~"{status}"}}[$__range]))\n'
        f"and topk(15, sum by ({label}) (increase({metric}{{{S}}}[$__range])))"
    )


RELAYS = [top("mail_relay_deliveries_total", "relay", status) for status in ("sent", "deferred", "bounced|expired")]
DOMAINS = [top("mail_domain_deliveries_total", "domain", status) for status in ("sent", "deferred", "bounced|expired")]

# --- how long it takes ---
DELAYS = [
    Query(
        f"histogram_quantile({quantile}, sum by (le) (rate(mail_delivery_delay_seconds_bucket{{{S}}}[$__rate_interval])))",
        legend,
    )
    for quantile, legend in ((0.5, "half within"), (0.95, "95 % within"), (0.99, "99 % within"))
]
STAGES = Query(
    "histogram_quantile(0.95, sum by (le, stage) (\n"
    f"  rate(mail_delivery_stage_delay_seconds_bucket{{{S}}}[$__rate_interval])))",
    "{{stage}}",
)
DELAY_HEATMAP = Query(f"sum by (le) (increase(mail_delivery_delay_seconds_bucket{{{S}}}[$__rate_interval]))", "{{le}}")

# --- the queue ---
QUEUE = Query(f"sum by (queue) (mail_queue_messages{{{S}}})", "{{queue}}", may_be_empty=NO_SHOWQ)
QUEUE_PAST = Query(
    "scalar(maillog:threshold:queue_past_factor) * sum (maillog:queue_messages:past_max{" + S + "})",
    "ticket above", may_be_empty=NO_PAST, dashed=True,
)
QUEUE_AGE = Query(f"max by (queue) (mail_queue_oldest_age_seconds{{{S}}})", "{{queue}}", may_be_empty=NO_SHOWQ)
QUEUE_TIME = Query(
    "histogram_quantile(0.95, sum by (le, outcome) (\n"
    f"  rate(mail_message_queue_time_seconds_bucket{{{S}}}[$__rate_interval])))",
    "{{outcome}}",
)

# --- who tries to get in ---
AUTH_FAILURES_BY_SERVICE = per_minute(
    "mail_auth_total", 'result="failure", reason!="aborted"', by="service", legend="{{service}}")
AUTH_FAILURES_BY_REASON = per_minute("mail_auth_total", 'result="failure"', by="reason", legend="{{reason}}")
AUTH_NETWORKS = Query(f"max by (service) (mail_auth_failing_networks{{{S}}})", "{{service}}", may_be_empty=QUIET)
LOGINS = per_minute("mail_auth_total", 'result="success"', by="service", legend="{{service}}")
REJECTS = happened("mail_rejects_total", by="reason", legend="{{reason}}", may_be_empty=QUIET)
CONNECTIONS_LOST = happened("mail_connections_lost_total", by="service, stage", legend="{{service}} {{stage}}", most=10, may_be_empty=QUIET)

# --- the reading of the log ---
LAG = Query(f"sum by (instance, source) (maillog_source_lag_bytes{{{S}}})", "{{instance}} {{source}}")
LAST_LINE_AGE = Query(
    f"clamp_min(time() - (maillog_source_last_line_timestamp_seconds{{{S}}} > 0), 0)", "{{instance}} {{source}}"
)
LAST_LINE_THRESHOLD = Query(
    "maillog:threshold:silence_seconds", "page above, unless usual", may_be_empty=NO_RULES, dashed=True
)
LINES = per_minute("maillog_lines_total", by="software", legend="{{software}}")
UNPARSED_SHARE = Query(
    f"sum by (program) (rate(maillog_lines_unparsed_total{{{S}}}[$__rate_interval]))\n"
    f"/ (sum by (program) (rate(maillog_lines_total{{{S}}}[$__rate_interval])) > 0)\n"
    f"and on (program) topk(12, sum by (program) (increase(maillog_lines_unparsed_total{{{S}}}[$__range] @ end())) > 0)",
    "{{program}}", may_be_empty="every line may be understood",
)
SOURCE_ERRORS = per_minute("maillog_source_errors_total", by="source", legend="errors {{source}}")
LABELS_DROPPED = Query(
    f"sum by (metric) (increase(maillog_labels_dropped_total{{{S}}}[$__range])) > 0", "over the limit: {{metric}}",
    may_be_empty=QUIET,
)
TRACKED = Query(f"sum by (instance) (maillog_tracked_messages{{{S}}})", "{{instance}}")
LOG_MESSAGES = happened(
    "maillog_log_messages_total", by="program, severity", legend="{{program}} {{severity}}", most=8, may_be_empty=QUIET)
