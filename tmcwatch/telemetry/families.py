"""The table of all metrics: the one place where a name, its labels and its help are written."""

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "tmcwatch_"

FORBIDDEN_LABELS = frozenset(
    {"job", "instance", "namespace", "pod", "container", "service", "endpoint", "quantile", "le"}
)
"""Labels that a scraper adds or that histograms own."""


class Type(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric, named as it is scraped but for a histogram's suffixes."""

    name: str
    type: Type
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, without the infinite one."""


def _family(
    name: str, kind: Type, labels: str, text: str, *, buckets: tuple[float, ...] = ()
) -> Family:
    return Family(
        name=PREFIX + name, type=kind, labels=tuple(labels.split()), help=text, buckets=buckets
    )


_COUNTER, _GAUGE, _HISTOGRAM, _INFO = Type.COUNTER, Type.GAUGE, Type.HISTOGRAM, Type.INFO

_REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
_WAIT_SECONDS = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
_TELL_SECONDS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)
_RUN_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_DELAY_SECONDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0)

_WORKSPACE = "account environment workspace kind"
_SUBJECT = f"{_WORKSPACE} id"

# Counted by this process, from 0 when it starts.
PROCESS = (
    _family(
        "build_info", _GAUGE, "version python", "What runs, as labels; the value is always 1."
    ),
    _family(
        "up", _GAUGE, "account", "Whether the last look at each of the account's lists succeeded."
    ),
    _family("store_up", _GAUGE, "", "Whether the store could be read and written last time."),
    _family(
        "api_requests_total",
        _COUNTER,
        "account family operation code",
        "Requests to TMC by their HTTP status, `error` where no answer came.",
    ),
    _family(
        "api_request_duration_seconds",
        _HISTOGRAM,
        "account family",
        "How long TMC took to answer a request.",
        buckets=_REQUEST_SECONDS,
    ),
    _family(
        "api_queue_wait_seconds",
        _HISTOGRAM,
        "account purpose",
        "How long a request waited for its turn in the budget.",
        buckets=_WAIT_SECONDS,
    ),
    _family(
        "api_deadline_misses_total",
        _COUNTER,
        "account purpose",
        "Requests whose turn came after the deadline of their purpose.",
    ),
    _family(
        "beat_seconds",
        _GAUGE,
        "account kind",
        "How long after the look before the last look at a list began; under pressure it is "
        "more than the configured beat.",
    ),
    _family(
        "api_throttled_total",
        _COUNTER,
        "account family",
        "Times TMC said that too much was asked.",
    ),
    _family(
        "api_throttled_until_timestamp_seconds",
        _GAUGE,
        "account family",
        "Until when no request is made because TMC asked for a pause, 0 without one.",
    ),
    _family(
        "api_rate_requests_per_second",
        _GAUGE,
        "account family",
        "The rate of requests that we allow ourselves.",
    ),
    _family(
        "api_ceiling_requests_per_second",
        _GAUGE,
        "account family",
        "The rate of requests that TMC allows the whole tenant.",
    ),
    _family(
        "window_rereads_total",
        _COUNTER,
        "account kind reason",
        "Windows read again because their rows did not prove to be complete.",
    ),
    _family(
        "window_bisections_total",
        _COUNTER,
        "account kind",
        "Windows cut in two because they held more rows than can be read at once.",
    ),
    _family("clock_skew_seconds", _GAUGE, "account", "How far TMC's clock is ahead of ours."),
    _family(
        "detection_delay_seconds",
        _HISTOGRAM,
        "",
        "Time from an end, by TMC's clock, until it was committed here, backfill left out.",
        buckets=_TELL_SECONDS,
    ),
    _family(
        "delivery_delay_seconds",
        _HISTOGRAM,
        "receiver",
        "Time from owing a message until the receiver accepted it.",
        buckets=_TELL_SECONDS,
    ),
    _family("notifications_total", _COUNTER, "receiver", "Messages that the receiver accepted."),
    _family(
        "notification_failures_total",
        _COUNTER,
        "receiver reason",
        "Attempts to send a message that failed; most are repeated later.",
    ),
    _family(
        "notifications_suppressed_total",
        _COUNTER,
        "reason",
        "Alerts that a receiver is not told of on their own: each begin of being muted, by what"
        " mutes it, and what only the summary of a storm speaks of.",
    ),
    _family(
        "audit_entries_unread_total",
        _COUNTER,
        "account",
        "Promotion runs in TMC's audit log whose execution could not be read out of their entry.",
    ),
    _family("restarts_total", _COUNTER, "loop", "Restarts of a part that crashed."),
    _family(
        "config_last_reload_successful",
        _GAUGE,
        "",
        "Whether the newest configuration is the one in use.",
    ),
    _family(
        "config_last_reload_success_timestamp_seconds",
        _GAUGE,
        "",
        "When the configuration in use was loaded.",
    ),
    _family("log_messages_total", _COUNTER, "level", "Messages logged, by level."),
)

# Of each task and plan: the first to go when there are too many series, from the last one up.
PER_SUBJECT = (
    _family(
        "executions_total",
        _COUNTER,
        f"{_SUBJECT} result",
        "Ended executions of a task or plan: succeeded, failed or other; backfill left out.",
    ),
    _family(
        "last_success_timestamp_seconds",
        _GAUGE,
        _SUBJECT,
        "When the task or plan last succeeded.",
    ),
    _family(
        "consecutive_failures",
        _GAUGE,
        _SUBJECT,
        "Failures in a row of the task or plan, 0 after a success.",
    ),
    _family(
        "last_completion_timestamp_seconds",
        _GAUGE,
        _SUBJECT,
        "When the task or plan last ended, however it ended.",
    ),
    _family("task_info", _INFO, f"{_SUBJECT} name", "The name of a task, to join by its id."),
    _family("plan_info", _INFO, f"{_SUBJECT} name", "The name of a plan, to join by its id."),
    _family(
        "promotion_info",
        _INFO,
        f"{_SUBJECT} name",
        "The name of a promotion, to join by its id.",
    ),
)

# Of the tasks and plans that `metrics.detail` chooses; left out before all others.
PER_CHOSEN = (
    _family(
        "expected_duration_median_seconds",
        _GAUGE,
        _SUBJECT,
        "The usual run time, as messages tell it: the median of the last 20 successes.",
    ),
    _family(
        "expected_duration_p95_seconds",
        _GAUGE,
        _SUBJECT,
        "The run time that 19 of the last 20 successes did not exceed.",
    ),
    _family(
        "last_duration_seconds",
        _GAUGE,
        _SUBJECT,
        "How long the newest run took that began and ended, however it ended.",
    ),
)

# Of each workspace, as stored with the transitions they count; never left out.
PER_WORKSPACE = (
    _family(
        "workspace_executions_total",
        _COUNTER,
        f"{_WORKSPACE} result",
        "Ended executions in a workspace by every result; backfill left out.",
    ),
    _family(
        "misfires_total",
        _COUNTER,
        f"{_WORKSPACE} reason",
        "Executions that TMC could not start, by the reason it gives.",
    ),
    _family(
        "backfilled_executions_total",
        _COUNTER,
        _WORKSPACE,
        "Ended executions that were seen more than ten minutes late, counted nowhere else.",
    ),
    _family("rows_processed_total", _COUNTER, _WORKSPACE, "Rows that executions processed."),
    _family("rows_rejected_total", _COUNTER, _WORKSPACE, "Rows that executions rejected."),
    _family(
        "execution_duration_seconds",
        _HISTOGRAM,
        _WORKSPACE,
        "How long executions ran.",
        buckets=_RUN_SECONDS,
    ),
    _family(
        "execution_start_delay_seconds",
        _HISTOGRAM,
        _WORKSPACE,
        "How long executions waited between their trigger and their start.",
        buckets=_DELAY_SECONDS,
    ),
)

# Of the lists that are read and of the messages that are owed; never left out.
WATCHING = (
    _family(
        "watermark_timestamp_seconds",
        _GAUGE,
        "account kind",
        "Up to when everything that ran is proven to have been read.",
    ),
    _family(
        "head_timestamp_seconds",
        _GAUGE,
        "account kind",
        "When the newest executions were last read.",
    ),
    _family(
        "backfill_remaining_seconds",
        _GAUGE,
        "account kind",
        "The stretches of history and of an outage that are still to be read.",
    ),
    _family(
        "settle_lag_seconds",
        _GAUGE,
        "account kind",
        "How long after its trigger an execution may still appear in TMC's list, as learned.",
    ),
    _family(
        "second_pass_timestamp_seconds",
        _GAUGE,
        "account kind",
        "Up to when everything that ran was proven a second time, an hour later.",
    ),
    _family(
        "executions_open", _GAUGE, "account kind phase", "Executions that have not ended yet."
    ),
    _family(
        "oldest_open_start_timestamp_seconds",
        _GAUGE,
        "account kind phase",
        "When the longest open execution was triggered.",
    ),
    _family(
        "unrecognised_statuses_total",
        _COUNTER,
        "account kind status",
        "Executions with a status that is not known, by TMC's word for it.",
    ),
    _family(
        "quarantined_rows_total",
        _COUNTER,
        "account kind",
        "Rows that could not be understood, kept for a person to look at.",
    ),
    _family(
        "late_rows_total",
        _COUNTER,
        "account kind",
        "Executions or ends that TMC showed too late for the first reading; found an hour later.",
    ),
    _family(
        "audit_discrepancies_total",
        _COUNTER,
        "account kind",
        "Executions or ends that an audit found missing; must stay 0.",
    ),
    _family("alerts_firing", _GAUGE, "rule severity", "Alerts that are open."),
    _family(
        "silences", _GAUGE, "state", "Silences that hold (active) or have not begun (pending)."
    ),
    _family(
        "maintenance_active", _GAUGE, "name", "Whether the maintenance of the config is under way."
    ),
    _family(
        "outbox_pending", _GAUGE, "receiver", "Messages owed to a receiver and not accepted yet."
    ),
    _family(
        "outbox_oldest_timestamp_seconds",
        _GAUGE,
        "receiver",
        "Since when the oldest message that is still owed has been owed.",
    ),
    _family(
        "dead_letters", _GAUGE, "receiver", "Messages given up, which a person may send again."
    ),
    _family(
        "receiver_failing",
        _GAUGE,
        "receiver",
        "Whether a receiver refuses messages for good, or has accepted none for 15 minutes.",
    ),
    _family(
        "receiver_parked_until_timestamp_seconds",
        _GAUGE,
        "receiver",
        "Until when a receiver is left alone, as it asked or as it refused the login, 0 if not.",
    ),
    _family(
        "series_dropped",
        _GAUGE,
        "metric",
        "Series of a metric left out of this answer because there would be too many.",
    ),
)

FAMILIES = (*PROCESS, *WATCHING, *PER_WORKSPACE, *PER_SUBJECT, *PER_CHOSEN)

BY_NAME = {family.name: family for family in FAMILIES}


def named(name: str) -> Family:
    """Answer with the metric of this name, given without the prefix."""
    return BY_NAME[PREFIX + name]


def documented() -> str:
    """Answer with all metrics as the table that stands in the README."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for family in FAMILIES:
        labels = ", ".join(family.labels)
        lines.append(f"| `{family.name}` | {family.type} | {labels} | {family.help} |")
    return "\n".join(lines) + "\n"
