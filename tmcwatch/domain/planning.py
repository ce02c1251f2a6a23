"""The plan of the request budget: what a watch of so much asks of TMC each minute."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, erf, exp, inf, sqrt

from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.following import ROOM
from tmcwatch.domain.window import OFFSET_LIMIT, PAGE_LIMIT, Reading

HOUR = 3600.0
MINUTE = 60.0

LESS_THAN_EVER = 1e-9
"""Runs a second: once in thirty years."""

Demand = Mapping[tuple[Family, Purpose], float]
"""Requests a minute."""
Asked = Iterator[tuple[tuple[Family, Purpose], float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRuns:
    """How many runs of a list are open at any time, and for how long they have been."""

    number: float = 0.0
    long: float = 0.0
    """How many of them were triggered over an hour ago."""
    ages: tuple[float, ...] = ()
    """Seconds since the trigger of some or all of them, as TMC showed; else they are assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLoad:
    """What goes on in one of TMC's lists of runs."""

    kind: Kind
    runs_per_hour: float
    bad_ends_per_hour: float
    open_runs: OpenRuns

    @property
    def per_second(self) -> float:
        return self.runs_per_hour / HOUR

    def shown(self, reading: Reading) -> float:
        """Answer with how many rows a window shows besides those triggered in it."""
        return self.open_runs.number if reading is Reading.OVERLAP else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLoad:
    """What goes on in one account, as far as it costs requests."""

    tasks: int
    plans: int
    lists: tuple[ListLoad, ...]
    """Those that are watched."""
    promotions: float = 0.0
    """Promotions that run at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What the watching code does by itself, whatever is configured. Spans are in seconds."""

    refresh_share: float
    """How much of what is granted while a look may last the open runs of all lists may take."""
    stretch: float
    """How many beats that is."""
    triggers_known: int
    details: Mapping[Kind, int]
    """Requests for what one bad end is about."""
    rows_wanted: int
    """In a window of a second pass, an audit or the history."""
    audited: tuple[tuple[float, float], ...]
    """How long a stretch is read again, and how often: the second pass, and each audit."""
    audit_log_every: float
    most_promotions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What the configuration says of how a budget is used. Spans are in seconds."""

    beat: float
    settle: float
    """How late a row may become visible, at the least."""
    names_every: float
    history: float = 0.0
    audit_log: bool = False
    judges_rows: bool = False
    """Whether the details of successful tasks are asked for too."""


def demand(
    loads: Iterable[AccountLoad], watching: Watching, reading: Reading, habits: Habits
) -> Demand:
    """Answer with what all accounts of a budget ask for, once their history is read."""
    found: dict[tuple[Family, Purpose], float] = {}
    for load in loads:
        for what, requests in _asked(load, watching, reading, habits):
            found[what] = found.get(what, 0.0) + requests
    return {what: requests for what, requests in found.items() if requests}


def _asked(load: AccountLoad, watching: Watching, reading: Reading, habits: Habits) -> Asked:
    """Give what one account asks for, bit by bit."""
    looks = MINUTE / watching.beat
    for one in load.lists:
        heads = looks * head_requests(one, watching, reading)
        ends = looks * refreshes(one, watching, reading, habits)
        details = _told_in_full(one, watching) / MINUTE * habits.details[one.kind]
        yield (Family.PROCESSING, Purpose.HEAD), heads
        yield (Family.PROCESSING, Purpose.ENDS), ends
        yield (Family.PROCESSING, Purpose.DETAIL), details
        yield (Family.PROCESSING, Purpose.AUDIT), _audits(one, reading, habits)
    promotions = looks * min(load.promotions, habits.most_promotions)
    yield (Family.PROCESSING, Purpose.ENDS), promotions
    names = names_requests(load) * MINUTE / watching.names_every
    yield (Family.ORCHESTRATION, Purpose.NAMES), names
    if watching.audit_log:
        yield (Family.SECURITY, Purpose.AUDIT), MINUTE / habits.audit_log_every


def _told_in_full(load: ListLoad, watching: Watching) -> float:
    """Answer with the ends an hour whose details are asked for."""
    every_task = watching.judges_rows and load.kind is Kind.TASK
    return load.runs_per_hour if every_task else load.bad_ends_per_hour


def head_requests(load: ListLoad, watching: Watching, reading: Reading) -> float:
    """Answer with the requests that one look at the head of a list takes on average.

    One page shows all of a usual beat. Where it does not, the stretch that has settled is read
    besides.
    """
    shown = load.shown(reading)
    newest = shown + load.per_second * (watching.beat + watching.settle)
    closed = shown + load.per_second * watching.beat
    return 1 + _is_over_a_page(newest) * pages(closed)


def refreshes(load: ListLoad, watching: Watching, reading: Reading, habits: Habits) -> float:
    """Answer with the requests that the open runs of a list take at each look, if all are read.

    A list that shows what runs costs none. Else one page shows what was triggered side by side,
    and what stands alone is read by its id. What ended since the look before is read as well: so
    it counts who was open then, the youngest of whom the head shows.
    """
    if reading is Reading.OVERLAP:
        return 0.0
    return _refreshes(load, watching.settle, habits.triggers_known)


def names_requests(load: AccountLoad) -> int:
    """Answer with the requests that reading all names takes."""
    promotions = workspaces = 1
    lists = sum(max(1, ceil(number / PAGE_LIMIT)) for number in (load.tasks, load.plans))
    return lists + promotions + workspaces


def history_requests(
    loads: Iterable[AccountLoad], watching: Watching, reading: Reading, habits: Habits
) -> float:
    """Answer with the requests that the history of all lists takes, once."""
    return sum(
        _reading(one, watching.history, reading, habits)
        for load in loads
        for one in load.lists
        if watching.history
    )


def pages(rows: float) -> float:
    """Answer with the pages that so many rows take, each sharing one with the page before.

    Beyond the reach of offsets a window is cut, which costs the pages that showed it.
    """
    beyond = 2 * (rows // (OFFSET_LIMIT + PAGE_LIMIT))
    return max(1, ceil((rows - 1) / (PAGE_LIMIT - 1))) + beyond if rows > PAGE_LIMIT else 1


def _audits(load: ListLoad, reading: Reading, habits: Habits) -> float:
    """Answer with the requests a minute of the second pass and of both audits."""
    return sum(
        _reading(load, span, reading, habits) * MINUTE / every for span, every in habits.audited
    )


def _reading(load: ListLoad, span: float, reading: Reading, habits: Habits) -> float:
    """Answer with the requests that a stretch of the past takes, in windows of many rows."""
    shown, rows = load.shown(reading), load.per_second * span
    room = max(habits.rows_wanted - shown, PAGE_LIMIT)
    windows = max(1, ceil(rows / room))
    return windows * pages(rows / windows + shown)


@lru_cache(maxsize=1_000)  # one plan is tried with hundreds of beats, and this stays the same
def _refreshes(load: ListLoad, settle: float, triggers_known: int) -> float:
    runs, rate = load.open_runs, load.per_second
    is_alive = rate > LESS_THAN_EVER
    page = ROOM / rate if is_alive else 0.0
    known = triggers_known / rate if is_alive else 0.0
    if not runs.ages:
        return _expected(runs, rate, (settle, page, known))
    ages = [age for age in runs.ages if age >= settle]
    paged = _covered(sorted((age for age in ages if age <= known), reverse=True), page)
    alone = sum(age > known for age in ages)
    weight = max(runs.number / len(runs.ages), 1.0)
    return min(paged * weight, max(known / page, paged) if page else 0.0) + alone * weight


def _covered(ages: list[float], page: float) -> int:
    """Count the pages that show runs of these ages, the oldest first."""
    requests, shown_from = 0, inf
    for age in ages:
        if age <= shown_from:
            requests += 1
            shown_from = age - page
    return requests


def _expected(runs: OpenRuns, rate: float, spans: tuple[float, float, float]) -> float:
    """Answer with the requests for open runs whose ages are not known.

    Most are short, and there are fewer the older they are; the long ones last for another hour on
    average. In a stretch that a page shows, runs that lie at random make the next page begin
    later the fewer they are.
    """
    begin, page, known = spans
    requests = 0.0
    while begin < known:
        end = min(begin + page, known)
        inside = _older(runs, rate, begin) - _older(runs, rate, end)
        requests += inside / (1 + inside * page / (end - begin)) if inside else 0.0
        begin = end
    return requests + _older(runs, rate, begin)


def _older(runs: OpenRuns, rate: float, age: float) -> float:
    """Answer with how many open runs are older than so many seconds."""
    long = min(runs.long, runs.number / 2)
    short = runs.number - 2 * long
    # As many have just begun as are triggered: so the number tells how long the short ones last.
    short_left = short * exp(-age * rate / short) if short else 0.0
    if age < HOUR:
        return short_left + long * (2 - age / HOUR)
    return short_left + long * exp(1 - age / HOUR)


def _is_over_a_page(rows: float) -> float:
    """Answer with how likely so many rows on average are more than one page holds."""
    if not rows:
        return 0.0
    return (1 - erf((PAGE_LIMIT + 0.5 - rows) / sqrt(2 * rows))) / 2
