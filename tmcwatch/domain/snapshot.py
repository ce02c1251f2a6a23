"""A snapshot of what is known, for metrics and for people who ask."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tmcwatch.domain.execution import AccountName, Kind, Phase, Subject, SubjectId
from tmcwatch.domain.usual import RunTimes
from tmcwatch.domain.window import Reading, Window

Place = tuple[AccountName, Kind, SubjectId]
"""Which task or plan of which account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """How far one list of one account was read."""

    account: AccountName
    kind: Kind
    watermark: datetime
    head_at: datetime
    history_from: datetime | None
    """Where the history still to be read begins, None once it is read."""
    history_to: datetime | None
    open: Mapping[Phase, int]
    oldest_open: Mapping[Phase, datetime]
    """Trigger time of the longest open execution by phase."""
    away: Window | None = None
    """The outage that is being caught up with."""
    settle: timedelta | None = None
    """The settle lag, None until one was learned."""
    reading: Reading | None = None
    """How TMC reads a window, None until that showed."""
    checked_to: datetime | None = None
    """Up to where everything was certified a second time."""
    skew: timedelta = timedelta()
    """How far TMC's clock was ahead of ours at the last look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectState:
    """A task or plan: its names, its last runs, its counters."""

    account: AccountName
    subject: Subject
    last_success_at: datetime | None
    last_completion_at: datetime | None
    last_phase: Phase | None
    failing_since: datetime | None
    consecutive_failures: int
    succeeded: int
    failed: int
    other: int

    @property
    def place(self) -> Place:
        return self.account, self.subject.kind, self.subject.id


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterState:
    """A stored counter per workspace; `label` is a result, a reason or a bucket's upper bound."""

    metric: str
    account: AccountName
    environment: str
    workspace: str
    kind: Kind
    label: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """What is owed to one receiver."""

    receiver: str
    pending: int
    oldest_at: datetime | None
    dead: int
    parked_until: datetime | None = None
    """Until when one of its targets is left alone, as it asked or because it refused the login."""
    is_failing: bool = False
    """Whether one of its targets fails for good, or for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    at: datetime
    lists: tuple[ListState, ...]
    subjects: tuple[SubjectState, ...]
    counters: tuple[CounterState, ...]
    alerts_firing: Mapping[tuple[str, str], int]
    """By rule and severity."""
    outbox: tuple[OutboxState, ...]
    silences: Mapping[str, int] = field(default_factory=dict)
    """Those that are not over, by state: active or pending."""
    run_times: Mapping[Place, RunTimes] = field(default_factory=dict)
    """Of the tasks and plans that the config chooses."""

    def of(self, lists: Collection[tuple[AccountName, Kind]]) -> "Snapshot":
        """Answer with what belongs to these lists, and promotions of their accounts.

        The store remembers what was watched before as well, but nothing changes it any more.
        """
        watched = {*lists, *((account, Kind.PROMOTION) for account, _ in lists)}
        return replace(
            self,
            lists=tuple(one for one in self.lists if (one.account, one.kind) in watched),
            subjects=tuple(
                one for one in self.subjects if (one.account, one.subject.kind) in watched
            ),
            counters=tuple(one for one in self.counters if (one.account, one.kind) in watched),
        )
