"""Metrics of each task and plan: offered, and written only as far as there is room for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from tmcwatch.domain.execution import Kind
from tmcwatch.domain.snapshot import Place, Snapshot, SubjectState
from tmcwatch.domain.standing import Result
from tmcwatch.domain.usual import RunTimes
from tmcwatch.telemetry.exemplars import Exemplars
from tmcwatch.telemetry.families import Family, named
from tmcwatch.telemetry.lines import Form, head, label, labels, line, with_exemplar

_Labelled = Sequence[tuple[SubjectState, str]]
"""Each with its labels as they are written, once for all of its series."""

_RESULTS = (Result.SUCCEEDED, Result.FAILED, Result.OTHER)
_TIMES: Mapping[str, Callable[[RunTimes], timedelta | None]] = {
    "expected_duration_median_seconds": lambda times: times.usual,
    "expected_duration_p95_seconds": lambda times: times.longest_usual,
    "last_duration_seconds": lambda times: times.last,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A metric of each task or plan, which is written only where there is room for it."""

    family: Family
    size: int
    """How many series it would have."""
    lines: Callable[[], Iterable[str]]
    is_detail: bool = False
    """Whether it is left out as soon as any other one is."""


def written_subjects(
    snapshot: Snapshot, exemplars: Exemplars | None, *, form: Form, room: int
) -> Iterator[str]:
    """Give whole metrics while there is room, and then what was left out.

    They are written one by one as they are asked for: together, those of tens of thousands of
    tasks take more memory than all else.
    """
    dropped: dict[str, int] = {}
    offers = tuple(_offers(snapshot, exemplars))
    room -= len(offers)  # each has a series that says whether it was left out
    for offer in offers:
        is_kept = offer.size <= room and not (offer.is_detail and any(dropped.values()))
        room -= offer.size if is_kept else 0
        dropped[offer.family.name] = 0 if is_kept else offer.size
        if is_kept:
            yield head(offer.family, form)
            yield "".join(offer.lines())
    family = named("series_dropped")
    yield head(family, form)
    for name, number in dropped.items():
        yield line(family.name, label("metric", name), number)


def _offers(snapshot: Snapshot, exemplars: Exemplars | None) -> Iterator[_Offer]:
    """Offer the metrics of each task and plan, the most needed first.

    Of a very large tenant few fit: those that alert rules are about come before the others.
    """
    labelled = _labelled(snapshot.subjects)
    yield _Offer(
        family=named("executions_total"),
        size=len(_RESULTS) * len(labelled),
        lines=partial(_executions, labelled, exemplars),
    )
    yield _moments("last_success_timestamp_seconds", labelled, lambda one: one.last_success_at)
    failures = [(written, one.consecutive_failures) for one, written in labelled]
    yield _values("consecutive_failures", failures)
    yield _moments(
        "last_completion_timestamp_seconds", labelled, lambda one: one.last_completion_at
    )
    for kind in Kind:
        of_kind = [(one, written) for one, written in labelled if one.subject.kind is kind]
        family = named(f"{kind.value}_info")
        yield _Offer(family=family, size=len(of_kind), lines=partial(_infos, family.name, of_kind))
    yield from _detail(snapshot.run_times, labelled)


def _detail(run_times: Mapping[Place, RunTimes], labelled: _Labelled) -> Iterator[_Offer]:
    """Offer what only the tasks and plans that the config chooses have."""
    chosen = [
        (written, run_times[one.place]) for one, written in labelled if one.place in run_times
    ]
    for name, time_of in _TIMES.items():
        times = ((written, time_of(each)) for written, each in chosen)
        seconds = [(written, time.total_seconds()) for written, time in times if time is not None]
        yield _values(name, seconds, is_detail=True)


def _moments(
    name: str, labelled: _Labelled, moment_of: Callable[[SubjectState], datetime | None]
) -> _Offer:
    """Offer a moment in the life of each task and plan that had it."""
    moments = ((written, moment_of(one)) for one, written in labelled)
    return _values(name, [(written, at.timestamp()) for written, at in moments if at is not None])


def _values(name: str, values: Sequence[tuple[str, float]], *, is_detail: bool = False) -> _Offer:
    family = named(name)

    def lines() -> Iterator[str]:
        return (line(family.name, written, value) for written, value in values)

    return _Offer(family=family, size=len(values), lines=lines, is_detail=is_detail)


def _executions(labelled: _Labelled, exemplars: Exemplars | None) -> Iterator[str]:
    name = named("executions_total").name
    results = [(result, label("result", result.value)) for result in _RESULTS]
    for one, written in labelled:
        numbers = (one.succeeded, one.failed, one.other)
        for (result, its_label), number in zip(results, numbers, strict=True):
            series = line(name, f"{written},{its_label}", number)
            exemplar = exemplars.get((*one.place, result.value)) if exemplars else None
            yield with_exemplar(series, exemplar) if exemplar else series


def _infos(name: str, labelled: _Labelled) -> Iterator[str]:
    for one, written in labelled:
        yield line(name, f"{written},{label('name', one.subject.name)}", 1)


def _labelled(subjects: Sequence[SubjectState]) -> _Labelled:
    """Write the labels of each; those of a workspace once for all that are in it."""
    workspaces: dict[tuple[str, str, str, Kind], str] = {}
    found = []
    for one in subjects:
        subject = one.subject
        place = one.account, subject.environment, subject.workspace, subject.kind
        if (workspace := workspaces.get(place)) is None:
            names = ("account", "environment", "workspace", "kind")
            workspace = workspaces[place] = labels(dict(zip(names, place, strict=True)))
        found.append((one, f"{workspace},{label('id', subject.id)}"))
    return found
