"""What a monitor knows of executions, and since when: that is all it is scored by."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tmcwatch.domain.execution import ENDS, ExecutionId, Kind, Row

Run = tuple[str, str]
"""Kind and id of an execution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """When a monitor first knew that an execution began to run, and that it ended."""

    started: dict[Run, datetime]
    ended: dict[Run, datetime]


@dataclass(slots=True, kw_only=True)
class Memory:
    """What a baseline makes of the rows that it reads: believed at once, each fact once."""

    now: Callable[[], datetime]
    started: dict[Run, datetime] = field(default_factory=dict)
    ended: dict[Run, datetime] = field(default_factory=dict)
    open: dict[ExecutionId, Row] = field(default_factory=dict)
    """The newest row of each execution that was not seen to end."""

    def learn(self, row: Row) -> None:
        run = row.kind.value, row.id
        if run in self.ended:
            return
        if row.started_at is not None and run not in self.started:
            self.started[run] = self.now()
        if row.phase in ENDS:
            self.ended[run] = self.now()
            self.open.pop(row.id, None)
        else:
            self.open[row.id] = row

    def open_of(self, kind: Kind) -> tuple[ExecutionId, ...]:
        return tuple(id_ for id_, row in self.open.items() if row.kind is kind)

    def knowledge(self) -> Knowledge:
        return Knowledge(started=dict(self.started), ended=dict(self.ended))
