"""How the world looks to one request: what is late, hidden, unknown or shifted in time."""

from dataclasses import dataclass, field

from tmcwatch.simulator.execution import PlanRun, TaskRun, falls_under


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The world at `now` (true time, milliseconds), seen through the faults in force.

    A late row is one whose state is shown as it was some time ago: not at all before its trigger
    has aged, still running after it has ended. `skew` is TMC's clock minus the true one.
    `hidden` are executions that lists leave out, `unseen` those that are not to be had at all.
    """

    now: int
    skew: int = 0
    late_by: int = 0
    late_share: float = 0.0
    lost: frozenset[str] = field(default_factory=frozenset)
    hidden: frozenset[str] = field(default_factory=frozenset)
    unseen: frozenset[str] = field(default_factory=frozenset)
    unknown_share: float = 0.0
    unknown_status: str = ""
    unknown_state: str = ""
    errors_in_lists: bool = False

    @property
    def hides_nothing(self) -> bool:
        """Whether lists show all there is, so that rows need not be looked at one by one."""
        return not (self.lost or self.hidden or self.unseen)

    def as_of(self, run: TaskRun | PlanRun) -> int:
        if self.unseen and run.execution_id in self.unseen:
            return run.triggered - 1
        lag = run.lag
        if self.late_by > lag and falls_under(run.number, self.late_share):
            lag = self.late_by
        return self.now - lag

    def shows(self, run: TaskRun | PlanRun) -> bool:
        return self.as_of(run) >= run.triggered and run.workspace_id not in self.lost

    def lists(self, run: TaskRun | PlanRun) -> bool:
        """Say whether a list may show a run; `as_of` says whether there is one to show."""
        hidden = self.hidden and run.execution_id in self.hidden
        return not hidden and run.workspace_id not in self.lost

    def hides_status(self, run: TaskRun | PlanRun, at: int) -> bool:
        running = at < run.finished
        return running and falls_under(run.number, self.unknown_share)
