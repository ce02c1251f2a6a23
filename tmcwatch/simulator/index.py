"""Runs in the order of their triggers, found by window without looking at all of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Generic, Literal, NamedTuple, TypeVar

from tmcwatch.simulator.execution import PlanRun, TaskRun
from tmcwatch.simulator.view import View

Run = TypeVar("Run", bound=TaskRun | PlanRun)
Reading = Literal["overlap", "trigger", "started"]
Order = Literal["newest", "oldest", "id"]

# Runs longer than this are kept in a list of their own, so that the search for those which
# reach into a window from before it stays short.
LONG = 3_600_000


class Span(NamedTuple):
    """A window, both ends included, and how it is read.

    `overlap` looks at the whole run, from its trigger where it has no start (yet); `trigger` at
    the trigger time alone; `started` at the run from its start: without one it is in no window.
    """

    earliest: int
    latest: int
    reading: Reading


class Index(Generic[Run]):
    """Runs by trigger time."""

    __slots__ = ("_long", "_started", "_times", "runs", "widest")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        # The longest wait between a trigger and what a list shows of it: dispatch or lag.
        self.widest = 0
        self._times: list[int] = []
        self._long: list[Run] = []
        # What has a start, made when first needed: windows of starts are counted as fast.
        self._started: Index[Run] | None = None

    def __len__(self) -> int:
        return len(self.runs)

    def add(self, run: Run) -> None:
        if not self._times or run.triggered >= self._times[-1]:
            self._times.append(run.triggered)
            self.runs.append(run)
        else:
            position = bisect_right(self._times, run.triggered)
            self._times.insert(position, run.triggered)
            self.runs.insert(position, run)
        self._measure(run)
        if self._started is not None and run.started is not None:
            self._started.add(run)

    def replace(self, run: Run) -> None:
        """Put a run in the place of the one of its number, triggered at the same time."""
        position = bisect_left(self._times, run.triggered)
        while self.runs[position].number != run.number:
            position += 1
        self.runs[position] = run
        self._long = [each for each in self._long if each.number != run.number]
        self._measure(run)
        self._started = None

    def forget(self, before: int) -> None:
        """Drop what had finished before that time."""
        self.runs = [run for run in self.runs if run.finished >= before]
        self._times = [run.triggered for run in self.runs]
        self._long = [run for run in self._long if run.finished >= before]
        self._started = None

    def alive_since(self, moment: int) -> Iterator[Run]:
        """Yield the runs that had not finished before that time, in any order."""
        lowest = bisect_left(self._times, moment - LONG)
        yield from (run for run in self.runs[lowest:] if run.finished >= moment)
        yield from self._before(moment - LONG, moment)

    def select(
        self, span: Span, view: View, keep: Callable[[Run, int], bool] | None = None
    ) -> "Matches[Run]":
        """Find what a list shows of a window: newest first.

        Everything triggered well within the window fits and is only counted; the edges, and with
        a `keep` everything, are looked at one by one.
        """
        if span.reading == "started":
            return self._of_started()._select(span, view, keep)  # noqa: SLF001 - one of its own
        return self._select(span, view, keep)

    def _select(
        self, span: Span, view: View, keep: Callable[[Run, int], bool] | None
    ) -> "Matches[Run]":
        latest = min(span.latest, view.now)
        low = bisect_left(self._times, span.earliest)
        high = max(low, bisect_right(self._times, latest))
        margin = max(self.widest, view.late_by)
        # Twice: a run may start late, and its start be seen late.
        sure = low if keep else max(low, bisect_right(self._times, latest - 2 * margin))

        def fits(run: Run) -> bool:
            at = view.as_of(run)
            begin = _begin(run, at, span.reading)
            if at < run.triggered or begin is None or begin > latest:
                return False
            return keep is None or keep(run, at)

        head = [run for run in reversed(self.runs[sure:high]) if fits(run)]
        tail = [] if span.reading == "trigger" else self._reaching_in(span, view, low, margin)
        return Matches(self.runs, head, (low, sure), [run for run in tail if fits(run)])

    def _reaching_in(self, span: Span, view: View, low: int, margin: int) -> list[Run]:
        """Return the runs triggered before the window that had not ended when it began."""
        # For a window in the future, too, what ended within the margin may still seem to run.
        latest_end = min(span.earliest, view.now) - margin
        near = latest_end - LONG
        found = [
            run
            for run in self.runs[bisect_left(self._times, near) : low]
            if run.finished >= latest_end
        ]
        found += self._before(near, latest_end)

        def reaches(run: Run) -> bool:
            at = view.as_of(run)
            if run.finished > at:
                return True
            return run.shows_finish and run.finished >= span.earliest

        reaching = [run for run in found if reaches(run)]
        return sorted(reaching, key=lambda run: (run.triggered, run.number), reverse=True)

    def _of_started(self) -> "Index[Run]":
        if self._started is None:
            self._started = Index()
            for run in self.runs:
                if run.started is not None:
                    self._started.add(run)
        return self._started

    def _measure(self, run: Run) -> None:
        if run.started is not None:
            self.widest = max(self.widest, run.started - run.triggered)
        self.widest = max(self.widest, run.lag)
        if run.finished - run.triggered > LONG:
            self._long.append(run)

    def _before(self, triggered: int, finished: int) -> list[Run]:
        return [
            run for run in self._long if run.triggered < triggered and run.finished >= finished
        ]


class Matches(Generic[Run]):
    """What was found, newest first: rows looked at, rows only counted, rows from before."""

    def __init__(
        self, runs: list[Run], head: list[Run], middle: tuple[int, int], tail: list[Run]
    ) -> None:
        self._runs = runs
        self._head = head
        self._low, self._high = middle
        self._tail = tail

    def __len__(self) -> int:
        return len(self._head) + (self._high - self._low) + len(self._tail)

    def __getitem__(self, position: int) -> Run:
        if position < len(self._head):
            return self._head[position]
        position -= len(self._head)
        count = self._high - self._low
        if position < count:
            return self._runs[self._high - 1 - position]
        return self._tail[position - count]

    def page(self, offset: int, limit: int, order: Order = "newest") -> list[Run]:
        """Return a page; by `id` everything found is sorted, which takes its time."""
        count = len(self)
        if order == "id":
            everything = [self[position] for position in range(count)]
            everything.sort(key=lambda run: run.execution_id)
            return everything[offset : offset + limit]
        positions = range(offset, min(offset + limit, count))
        if order == "oldest":
            return [self[count - 1 - position] for position in positions]
        return [self[position] for position in positions]


def _begin(run: TaskRun | PlanRun, at: int, reading: Reading) -> int | None:
    """Where a run begins for a window, as far as is known at that time; None: nowhere."""
    if reading == "trigger":
        return run.triggered
    if reading == "overlap":
        return run.begin(at)
    return run.started if run.started is not None and run.started <= at else None
