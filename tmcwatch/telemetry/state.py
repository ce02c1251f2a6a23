"""Metrics of what is known, made anew from a snapshot at each scrape, so that the gone vanish."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from math import isinf

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric

from tmcwatch.domain.execution import OPEN, AccountName, Kind, ends_of
from tmcwatch.domain.misfire import MISFIRE_REASONS
from tmcwatch.domain.snapshot import ListState, Snapshot, SubjectState
from tmcwatch.domain.standing import Result
from tmcwatch.telemetry.exemplars import Exemplars
from tmcwatch.telemetry.families import Family, named

Labels = tuple[str, ...]
_Labelled = tuple[SubjectState, Labels]
_Stored = defaultdict[str, defaultdict[Labels, dict[str, float]]]

SUM = "sum"
"""The label under which a stored histogram keeps its sum."""

_WITHOUT_LABEL = ("backfilled_executions_total", "rows_processed_total", "rows_rejected_total")
_HISTOGRAMS = ("execution_duration_seconds", "execution_start_delay_seconds")
_OF_LISTS = ("quarantined_rows_total", "late_rows_total", "audit_discrepancies_total")
_RESULTS = {kind.value: sorted(phase.value for phase in ends_of(kind)) for kind in Kind}
_OPEN_PHASES = sorted(OPEN)
_COUNTED_AS = tuple(result.value for result in (Result.SUCCEEDED, Result.FAILED, Result.OTHER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What has series before anything happens to it."""

    lists: Collection[tuple[AccountName, Kind]] = ()
    receivers: Collection[str] = ()
    rules: Collection[tuple[str, str]] = ()
    """With their severities."""
    maintenance: Mapping[str, Callable[[datetime], bool]] = field(default_factory=dict)
    """Whether it is under way at a moment, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A metric of each task or plan, which is made only where there is room for it."""

    name: str
    size: int
    """How many samples it would have."""
    make: Callable[[], Metric]


def metrics_of(
    snapshot: Snapshot, known: Known, exemplars: Exemplars, *, room: int
) -> Iterator[Metric]:
    """Give the metrics, those of each task or plan only as far as there is room.

    They are made one by one as they are asked for: together, those of tens of thousands of tasks
    take more memory than all else.
    """
    stored = _stored(snapshot)
    always = [
        *_of_lists(snapshot.lists),
        *_of_found_rows(snapshot.lists, known, stored),
        *_of_workspaces(snapshot.subjects, stored),
        *_of_alert_path(snapshot, known),
        *_of_muting(snapshot, known),
    ]
    room -= sum(len(metric.samples) for metric in always)
    yield from always
    yield from _within(_of_subjects(snapshot.subjects, exemplars), room)


def _within(offers: Iterable[_Offer], room: int) -> Iterator[Metric]:
    """Keep whole metrics while there is room, and say what was left out."""
    dropped = _gauge("series_dropped")
    for offer in offers:
        is_kept = offer.size <= room
        room -= offer.size if is_kept else 0
        dropped.add_metric([offer.name], 0 if is_kept else offer.size)
        if is_kept:
            yield offer.make()
    yield dropped


def _of_lists(lists: Sequence[ListState]) -> Iterator[Metric]:
    watermark = _gauge("watermark_timestamp_seconds")
    head = _gauge("head_timestamp_seconds")
    remaining = _gauge("backfill_remaining_seconds")
    settle = _gauge("settle_lag_seconds")
    checked = _gauge("second_pass_timestamp_seconds")
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
        counter = _counter(name)
        found = {(account, kind) for account, _, _, kind in stored[name]}
        for labels in sorted(read | found):
            counter.add_metric(labels, _total(stored, name, labels))
        yield counter
    unrecognised = _counter("unrecognised_statuses_total")
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
    number = _gauge("executions_open")
    oldest = _gauge("oldest_open_start_timestamp_seconds")
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
        workspace = (one.account, _safe(one.environment), _safe(one.workspace), one.kind.value)
        found[one.metric][workspace][_safe(one.label)] = one.value
    return found


def _of_workspaces(subjects: Sequence[SubjectState], stored: _Stored) -> Iterator[Metric]:
    executions = _counter("workspace_executions_total")
    misfires = _counter("misfires_total")
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
        counter = _counter(name)
        for workspace in workspaces:
            counter.add_metric(workspace, sum(stored[name][workspace].values()))
        yield counter
    for name in _HISTOGRAMS:
        yield _histogram(named(name), {each: stored[name][each] for each in workspaces})


def _workspaces(subjects: Sequence[SubjectState], stored: _Stored) -> Sequence[Labels]:
    found = {_labels(one)[:-1] for one in subjects}
    for metric in ("executions_total", "misfires_total", *_WITHOUT_LABEL, *_HISTOGRAMS):
        found.update(stored[metric])
    return sorted(found)


def _histogram(family: Family, by_workspace: Mapping[Labels, Mapping[str, float]]) -> Metric:
    metric = HistogramMetricFamily(_stem(family), family.help, labels=family.labels)
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
    firing = _gauge("alerts_firing")
    for labels, number in (dict.fromkeys(known.rules, 0) | dict(snapshot.alerts_firing)).items():
        firing.add_metric(labels, number)
    pending = _gauge("outbox_pending")
    oldest = _gauge("outbox_oldest_timestamp_seconds")
    dead = _gauge("dead_letters")
    failing = _gauge("receiver_failing")
    parked = _gauge("receiver_parked_until_timestamp_seconds")
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
    silences = _gauge("silences")
    for state in ("active", "pending"):
        silences.add_metric([state], snapshot.silences.get(state, 0))
    maintenance = _gauge("maintenance_active")
    for name, is_active in known.maintenance.items():
        maintenance.add_metric([_safe(name)], is_active(snapshot.at))
    yield from (silences, maintenance)


def _of_subjects(subjects: Sequence[SubjectState], exemplars: Exemplars) -> Iterator[_Offer]:
    """Offer the metrics of each task and plan, the most needed first.

    Of a very large tenant few fit: those that alert rules are about come before the others.
    """
    labelled = [(one, _labels(one)) for one in subjects]
    name = named("executions_total").name
    yield _Offer(name=name, size=3 * len(labelled), make=partial(_executions, labelled, exemplars))
    yield _moments("last_success_timestamp_seconds", labelled, lambda o: o.last_success_at)
    name = named("consecutive_failures").name
    yield _Offer(name=name, size=len(labelled), make=partial(_consecutive_failures, labelled))
    yield _moments("last_completion_timestamp_seconds", labelled, lambda o: o.last_completion_at)
    for kind in Kind:
        size = sum(one.subject.kind is kind for one, _ in labelled)
        name = named(f"{kind.value}_info").name
        yield _Offer(name=name, size=size, make=partial(_info, kind, labelled))


def _executions(labelled: Sequence[_Labelled], exemplars: Exemplars) -> Metric:
    metric = _counter("executions_total")
    for one, labels in labelled:
        counts = zip(_COUNTED_AS, (one.succeeded, one.failed, one.other), strict=True)
        place = one.account, one.subject.kind.value, one.subject.id
        for result, number in counts:
            exemplar = exemplars.get((*place, result))
            metric.add_metric((*labels, result), number, exemplar=exemplar)
    return metric


def _moments(
    name: str,
    labelled: Sequence[_Labelled],
    moment_of: Callable[[SubjectState], datetime | None],
) -> _Offer:
    """Offer a moment in the life of each task and plan that had it."""

    def make() -> Metric:
        metric = _gauge(name)
        for one, labels in labelled:
            if (moment := moment_of(one)) is not None:
                metric.add_metric(labels, moment.timestamp())
        return metric

    size = sum(moment_of(one) is not None for one, _ in labelled)
    return _Offer(name=named(name).name, size=size, make=make)


def _consecutive_failures(labelled: Sequence[_Labelled]) -> Metric:
    metric = _gauge("consecutive_failures")
    for one, labels in labelled:
        metric.add_metric(labels, one.consecutive_failures)
    return metric


def _info(kind: Kind, labelled: Sequence[_Labelled]) -> Metric:
    family = named(f"{kind.value}_info")
    metric = InfoMetricFamily(_stem(family), family.help, labels=family.labels[:-1])
    for one, labels in labelled:
        if one.subject.kind is kind:
            metric.add_metric(labels, {"name": _safe(one.subject.name)})
    return metric


def _labels(one: SubjectState) -> Labels:
    subject = one.subject
    environment, workspace = _safe(subject.environment), _safe(subject.workspace)
    return (one.account, environment, workspace, subject.kind.value, _safe(subject.id))


def _safe(text: str) -> str:
    # A lone half of a surrogate pair in one name must not cost the whole answer.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _stem(family: Family) -> str:
    return family.name.removesuffix("_total").removesuffix("_info")


def _gauge(name: str) -> GaugeMetricFamily:
    family = named(name)
    return GaugeMetricFamily(family.name, family.help, labels=family.labels)


def _counter(name: str) -> CounterMetricFamily:
    family = named(name)
    return CounterMetricFamily(_stem(family), family.help, labels=family.labels)
