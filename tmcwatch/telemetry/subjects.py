"""Metrics of each task and plan: offered, and made only as far as there is room for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from prometheus_client.metrics_core import Metric

from tmcwatch.domain.execution import Kind
from tmcwatch.domain.snapshot import Snapshot, SubjectState
from tmcwatch.domain.standing import Result
from tmcwatch.domain.usual import RunTimes
from tmcwatch.telemetry.blank import blank_counter, blank_gauge, blank_info, writable
from tmcwatch.telemetry.exemplars import Exemplars
from tmcwatch.telemetry.families import named

Labels = tuple[str, ...]
_Labelled = Sequence[tuple[SubjectState, Labels]]

_COUNTED_AS = tuple(result.value for result in (Result.SUCCEEDED, Result.FAILED, Result.OTHER))
_TIMES: Mapping[str, Callable[[RunTimes], timedelta | None]] = {
    "expected_duration_median_seconds": lambda times: times.usual,
    "expected_duration_p95_seconds": lambda times: times.longest_usual,
    "last_duration_seconds": lambda times: times.last,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A metric of each task or plan, which is made only where there is room for it."""

    name: str
    size: int
    """How many samples it would have."""
    make: Callable[[], Metric]
    is_detail: bool = False
    """Whether it is left out as soon as any other one is."""


def metrics_of_subjects(
    snapshot: Snapshot, exemplars: Exemplars, *, room: int
) -> Iterator[Metric]:
    """Give whole metrics while there is room, and say what was left out.

    They are made one by one as they are asked for: together, those of tens of thousands of tasks
    take more memory than all else.
    """
    dropped = blank_gauge("series_dropped")
    offers = tuple(_offers(snapshot, exemplars))
    room -= len(offers)  # each has a series that says whether it was left out
    is_any_dropped = False
    for offer in offers:
        is_kept = offer.size <= room and not (offer.is_detail and is_any_dropped)
        is_any_dropped |= not is_kept
        room -= offer.size if is_kept else 0
        dropped.add_metric([offer.name], 0 if is_kept else offer.size)
        if is_kept:
            yield offer.make()
    yield dropped


def labels_of_subject(one: SubjectState) -> Labels:
    subject = one.subject
    environment, workspace = writable(subject.environment), writable(subject.workspace)
    return (one.account, environment, workspace, subject.kind.value, writable(subject.id))


def _offers(snapshot: Snapshot, exemplars: Exemplars) -> Iterator[_Offer]:
    """Offer the metrics of each task and plan, the most needed first.

    Of a very large tenant few fit: those that alert rules are about come before the others.
    """
    labelled = [(one, labels_of_subject(one)) for one in snapshot.subjects]
    executions = partial(_executions, labelled, exemplars)
    yield _offer("executions_total", len(_COUNTED_AS) * len(labelled), executions)
    yield _moments("last_success_timestamp_seconds", labelled, lambda one: one.last_success_at)
    yield _offer("consecutive_failures", len(labelled), partial(_failures, labelled))
    yield _moments(
        "last_completion_timestamp_seconds", labelled, lambda one: one.last_completion_at
    )
    for kind in Kind:
        size = sum(one.subject.kind is kind for one, _ in labelled)
        yield _offer(f"{kind.value}_info", size, partial(_info, kind, labelled))
    yield from _detail(snapshot, labelled)


def _detail(snapshot: Snapshot, labelled: _Labelled) -> Iterator[_Offer]:
    """Offer what only the tasks and plans that the config chooses have."""
    known = snapshot.run_times
    chosen = (
        [(known[one.place], labels) for one, labels in labelled if one.place in known]
        if known
        else []
    )
    for name, time_of in _TIMES.items():
        values = [(labels, time_of(times)) for times, labels in chosen]
        seconds = [
            (labels, value.total_seconds()) for labels, value in values if value is not None
        ]
        yield _offer(name, len(seconds), partial(_gauge, name, seconds), is_detail=True)


def _offer(name: str, size: int, make: Callable[[], Metric], *, is_detail: bool = False) -> _Offer:
    return _Offer(name=named(name).name, size=size, make=make, is_detail=is_detail)


def _executions(labelled: _Labelled, exemplars: Exemplars) -> Metric:
    metric = blank_counter("executions_total")
    for one, labels in labelled:
        counts = zip(_COUNTED_AS, (one.succeeded, one.failed, one.other), strict=True)
        for result, number in counts:
            exemplar = exemplars.get((*one.place, result))
            metric.add_metric((*labels, result), number, exemplar=exemplar)
    return metric


def _moments(
    name: str, labelled: _Labelled, moment_of: Callable[[SubjectState], datetime | None]
) -> _Offer:
    """Offer a moment in the life of each task and plan that had it."""

    def values() -> Iterator[tuple[Labels, float]]:
        for one, labels in labelled:
            if (moment := moment_of(one)) is not None:
                yield labels, moment.timestamp()

    size = sum(moment_of(one) is not None for one, _ in labelled)
    return _offer(name, size, lambda: _gauge(name, values()))


def _failures(labelled: _Labelled) -> Metric:
    values = ((labels, one.consecutive_failures) for one, labels in labelled)
    return _gauge("consecutive_failures", values)


def _gauge(name: str, values: Iterable[tuple[Labels, float]]) -> Metric:
    metric = blank_gauge(name)
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


def _info(kind: Kind, labelled: _Labelled) -> Metric:
    metric = blank_info(f"{kind.value}_info")
    for one, labels in labelled:
        if one.subject.kind is kind:
            metric.add_metric(labels, {"name": writable(one.subject.name)})
    return metric
