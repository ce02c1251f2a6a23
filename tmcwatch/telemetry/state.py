"""Metrics of what is known, made anew from a snapshot at each scrape, so that the gone vanish."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from math import isinf

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from tmcwatch.domain.execution import OPEN, AccountName, Kind, ends_of
from tmcwatch.domain.misfire import MISFIRE_REASONS
from tmcwatch.domain.snapshot import ListState, Snapshot, SubjectState
from tmcwatch.telemetry.blank import blank_counter, blank_gauge, stem, writable
from tmcwatch.telemetry.families import Family, named

Labels = tuple[str, ...]
_Stored = defaultdict[str, defaultdict[Labels, dict[str, float]]]

SUM = "sum"
"""The label under which a stored histogram keeps its sum."""

_WITHOUT_LABEL = ("backfilled_executions_total", "rows_processed_total", "rows_rejected_total")
_HISTOGRAMS = ("execution_duration_seconds", "execution_start_delay_seconds")
_OF_LISTS = ("quarantined_rows_total", "late_rows_total", "audit_discrepancies_total")
_RESULTS = {kind.value: sorted(phase.value for phase in ends_of(kind)) for kind in Kind}
_OPEN_PHASES = sorted(OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What has series before anything happens to it."""

    lists: Collection[tuple[AccountName, Kind]] = ()
    receivers: Collection[str] = ()
    rules: Collection[tuple[str, str]] = ()
    """With their severities."""
    maintenance: Mapping[str, Callable[[datetime], bool]] = field(default_factory=dict)
    """Whether it is under way at a moment, by name."""


def metrics_of(snapshot: Snapshot, known: Known) -> Iterator[Metric]:
    """Give the metrics, but for those of each task and plan."""
    stored = _stored(snapshot)
    yield from _of_lists(snapshot.lists)
    yield from _of_found_rows(snapshot.lists, known, stored)
    yield from _of_workspaces(snapshot.subjects, stored)
    yield from _of_alert_path(snapshot, known)
    yield from _of_muting(snapshot, known)


def _of_lists(lists: Sequence[ListState]) -> Iterator[Metric]:
    watermark = blank_gauge("watermark_timestamp_seconds")
    head = blank_gauge("head_timestamp_seconds")
    remaining = blank_gauge("backfill_remaining_seconds")
    settle = blank_gauge("settle_lag_seconds")
    checked = blank_gauge("second_pass_timestamp_seconds")
    for one in lists:
        labels = (one.account, one.kind.value)
        watermark.add_metric(labels, one.watermark.timestamp())
        head.add_metric(labels, one.head_at.timestamp())
        remaining.add_metric(labels, _left_to_read(one).total_seconds())
        if one.settle is not None:
            settle.add_metric(labels, one.settle.total_seconds())
        if one.checked_to is not None:
            checked.add_metric(labels, one.checked_to.timestamp())
    yield from (watermark, head, remaining, settle, checked)
    yield from _of_open_executions(lists)


def _of_found_rows(lists: Sequence[ListState], known: Known, stored: _Stored) -> Iterator[Metric]:
    """Give what was odd about rows: counted of every list, also before it is read.

    Promotions have no list, but their rows are as odd.
    """
    read = {(one.account, one.kind.value) for one in lists}
    read.update((account, kind.value) for account, kind in known.lists)
    for name in _OF_LISTS:
        counter = blank_counter(name)
        found = {(account, kind) for account, _, _, kind in stored[name]}
        for labels in sorted(read | found):
            counter.add_metric(labels, _total(stored, name, labels))
        yield counter
    unrecognised = blank_counter("unrecognised_statuses_total")
    for (account, _, _, kind), by_status in stored["unrecognised_statuses_total"].items():
        for status, value in by_status.items():
            unrecognised.add_metric((account, kind, status), value)
    yield unrecognised


def _left_to_read(one: ListState) -> timedelta:
    """Answer with how much of an outage and of the history is still to be read."""
    left = timedelta()
    if one.history_from is not None and one.history_to is not None:
        left += one.history_to - one.history_from
    if one.away is not None:
        left += max(one.away.end - one.watermark, timedelta())
    return left


def _of_open_executions(lists: Sequence[ListState]) -> Iterator[Metric]:
    number = blank_gauge("executions_open")
    oldest = blank_gauge("oldest_open_start_timestamp_seconds")
    for one in lists:
        for phase in _OPEN_PHASES:
            labels = (one.account, one.kind.value, phase.value)
            number.add_metric(labels, one.open.get(phase, 0))
            if phase in one.oldest_open:
                oldest.add_metric(labels, one.oldest_open[phase].timestamp())
    yield from (number, oldest)


def _total(stored: _Stored, metric: str, labels: Labels) -> float:
    account, kind = labels
    return sum(stored[metric][account, "", "", kind].values())


def _stored(snapshot: Snapshot) -> _Stored:
    """Sort the stored counters by metric, then by workspace, then by their own label."""
    found: _Stored = defaultdict(lambda: defaultdict(dict))
    for one in snapshot.counters:
        workspace = (
            one.account,
            writable(one.environment),
            writable(one.workspace),
            one.kind.value,
        )
        found[one.metric][workspace][writable(one.label)] = one.value
    return found


def _of_workspaces(subjects: Sequence[SubjectState], stored: _Stored) -> Iterator[Metric]:
    executions = blank_counter("workspace_executions_total")
    misfires = blank_counter("misfires_total")
    workspaces = _workspaces(subjects, stored)
    for workspace in workspaces:
        results = (
            dict.fromkeys(_RESULTS[workspace[-1]], 0.0) | stored["executions_total"][workspace]
        )
        for result, value in results.items():
            executions.add_metric((*workspace, result), value)
        reasons = dict.fromkeys(MISFIRE_REASONS[Kind(workspace[-1])], 0.0)
        for reason, value in (reasons | stored["misfires_total"][workspace]).items():
            misfires.add_metric((*workspace, reason), value)
    yield from (executions, misfires)
    for name in _WITHOUT_LABEL:
        counter = blank_counter(name)
        for workspace in workspaces:
            counter.add_metric(workspace, sum(stored[name][workspace].values()))
        yield counter
    for name in _HISTOGRAMS:
        yield _histogram(named(name), {each: stored[name][each] for each in workspaces})


def _workspaces(subjects: Sequence[SubjectState], stored: _Stored) -> Sequence[Labels]:
    raw = {
        (one.account, one.subject.environment, one.subject.workspace, one.subject.kind.value)
        for one in subjects
    }
    found: set[Labels] = {tuple(map(writable, names)) for names in raw}
    for metric in ("executions_total", "misfires_total", *_WITHOUT_LABEL, *_HISTOGRAMS):
        found.update(stored[metric])
    return sorted(found)


def _histogram(family: Family, by_workspace: Mapping[Labels, Mapping[str, float]]) -> Metric:
    metric = HistogramMetricFamily(stem(family), family.help, labels=family.labels)
    bounds = [_bound(each) for each in (*family.buckets, float("inf"))]
    for workspace, stored in by_workspace.items():
        counts = [0.0] * len(bounds)
        for label, value in stored.items():
            if label != SUM:
                # A bound that another version used counts where it fits today.
                counts[bisect_left(family.buckets, float(label))] += value
        buckets = list(zip(bounds, accumulate(counts), strict=True))
        metric.add_metric(workspace, buckets, stored.get(SUM, 0.0))
    return metric


def _bound(number: float) -> str:
    return "+Inf" if isinf(number) else str(number)


def _of_alert_path(snapshot: Snapshot, known: Known) -> Iterator[Metric]:
    firing = blank_gauge("alerts_firing")
    for labels, number in (dict.fromkeys(known.rules, 0) | dict(snapshot.alerts_firing)).items():
        firing.add_metric(labels, number)
    pending = blank_gauge("outbox_pending")
    oldest = blank_gauge("outbox_oldest_timestamp_seconds")
    dead = blank_gauge("dead_letters")
    failing = blank_gauge("receiver_failing")
    parked = blank_gauge("receiver_parked_until_timestamp_seconds")
    for one in snapshot.outbox:
        pending.add_metric([one.receiver], one.pending)
        dead.add_metric([one.receiver], one.dead)
        failing.add_metric([one.receiver], one.is_failing)
        until = one.parked_until
        parked.add_metric([one.receiver], 0 if until is None else until.timestamp())
        if one.oldest_at is not None:
            oldest.add_metric([one.receiver], one.oldest_at.timestamp())
    for receiver in sorted(set(known.receivers) - {one.receiver for one in snapshot.outbox}):
        pending.add_metric([receiver], 0)
        dead.add_metric([receiver], 0)
        failing.add_metric([receiver], 0)
        parked.add_metric([receiver], 0)
    yield from (firing, pending, oldest, dead, failing, parked)


def _of_muting(snapshot: Snapshot, known: Known) -> Iterator[Metric]:
    silences = blank_gauge("silences")
    for state in ("active", "pending"):
        silences.add_metric([state], snapshot.silences.get(state, 0))
    maintenance = blank_gauge("maintenance_active")
    for name, is_active in known.maintenance.items():
        maintenance.add_metric([writable(name)], is_active(snapshot.at))
    yield from (silences, maintenance)
