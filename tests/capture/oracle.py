"""What must be known of a simulated tenant, worked out from its truth and from what befell it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tmcwatch.domain.execution import Phase
from tmcwatch.simulator import Simulator
from tmcwatch.simulator.execution import PlanRun, TaskRun
from tmcwatch.simulator.world import milliseconds

Run = TaskRun | PlanRun

TIMELY = 6_000
"""Milliseconds that a row may take to show and is still caught: the settle lag, less what the
client cannot know of TMC's clock and what the `late` fault adds."""

LAG = 3_000
"""Milliseconds by which the `late` fault lets everything be seen."""

SETTLED = 15_000
"""Milliseconds: the settle lag of the first look and what a clock told in seconds may hide."""

HISTORY = "history"
HIDDEN = "hidden before it was seen"

PHASES = {
    "EXECUTION_EVENT_RECEIVED": Phase.WAITING,
    "DISPATCHING_FLOW": Phase.WAITING,
    "STARTING_FLOW_EXECUTION": Phase.RUNNING,
    "STOPPING_FLOW_EXECUTION": Phase.STOPPING,
    "STARTED": Phase.RUNNING,
    "EXECUTION_SUCCESS": Phase.SUCCEEDED,
    "EXECUTION_REJECTED": Phase.REJECTED,
    "EXECUTION_FAILED": Phase.FAILED,
    "DEPLOY_FAILED": Phase.DEPLOY_FAILED,
    "EXECUTION_TERMINATED": Phase.TERMINATED,
    "EXECUTION_TERMINATED_TIMEOUT": Phase.TIMED_OUT,
    "EXECUTION_TERMINATED_SHUTDOWN": Phase.SHUT_DOWN,
    "EXECUTION_MISFIRED": Phase.MISFIRED,
}


@dataclass(slots=True, kw_only=True)
class Fate:
    """What befell one run besides its life."""

    delayed_until: int = 0
    hidden_until: int = 0
    excused: str = ""
    """Why no look has to find it: only a second pass, or an audit, does."""


@dataclass(slots=True, kw_only=True)
class Stretch:
    """A stretch of time that a look certified, in TMC's time, and when it looked, in true time."""

    start: int
    end: int
    began: int
    ended: int


@dataclass(kw_only=True)
class Oracle:
    """Says which runs must be known, and in which phases they may be believed to be."""

    simulator: Simulator
    clock: list[tuple[int, int]]
    """TMC's clock minus the true one, and since when in true time, oldest first."""
    fates: dict[str, Fate] = field(default_factory=dict)
    watched_from: int | None = None
    """True time: what came before is history."""

    @property
    def now(self) -> int:
        return milliseconds(self.simulator.time())

    @property
    def skew(self) -> int:
        """TMC's clock minus the true one."""
        return self.clock[-1][1]

    @property
    def behind(self) -> int:
        """How far TMC's clock stands behind what it has shown."""
        return max(self._highest(self.now) - (self.now + self.skew), 0)

    def clock_jumps(self, skew: int) -> None:
        self.clock.append((self.now, skew))

    def run(self, id_: str) -> Run | None:
        """Answer with a run, None before its trigger."""
        world = self.simulator.world
        return world.task_run(id_) or world.plan_run(id_)

    def runs(self) -> Iterator[tuple[str, Run]]:
        for id_ in self.fates:
            if (run := self.run(id_)) is not None:
                yield id_, run

    def hide(self, id_: str, until: int, *, is_known: bool) -> None:
        fate = self.fates[id_]
        fate.hidden_until = max(fate.hidden_until, until)
        if not is_known:
            fate.excused = HIDDEN

    def missing(self, known: Iterable[str], watermark: datetime) -> set[str]:
        """Answer with the runs that the watermark has passed, and that ought to be known."""
        known = set(known)
        mark = milliseconds(watermark)
        found = set()
        for id_, run in self.runs():
            fate, key = self.fates[id_], self._key(run)
            if id_ in known or fate.excused or key is None:
                continue
            fate.excused = self._excuse(fate, key)
            if not fate.excused and key + self.skew < mark:
                found.add(id_)
        return found

    def shown(self, stretch: Stretch) -> set[str]:
        """Answer with the runs that the lists showed all the while that a look took."""
        moments = (stretch.began - LAG, stretch.ended)
        return {
            id_
            for id_, run in self.runs()
            if max(self.fates[id_].hidden_until, self.fates[id_].delayed_until) <= moments[0]
            and all(self._belongs(run, stretch, at) for at in moments)
        }

    def phases(self, since: int) -> Mapping[str, list[Phase]]:
        """Answer with the phases that each run was in since then, in their order."""
        lives: dict[str, list[tuple[int, Phase]]] = {}
        for change in self.simulator.world.truth():
            if change["execution_id"] in self.fates:
                phase = PHASES[change["execution_status"]]
                if phase is Phase.DEPLOY_FAILED and change["reason"]:
                    phase = Phase.MISFIRED
                life = lives.setdefault(change["execution_id"], [])
                life.append((milliseconds(change["at"]), phase))
        return {id_: list(_since(life, since)) for id_, life in lives.items()}

    def _key(self, run: Run) -> int | None:
        """Answer with the time by which windows find a run, None while they do not."""
        if self.simulator.window == "trigger":
            return run.triggered
        # Where windows overlap, a run that starts is found at its start again.
        started = run.started if run.started is not None and run.started <= self.now else None
        if started is None and self.simulator.window == "overlap":
            return run.triggered
        return started

    def _excuse(self, fate: Fate, key: int) -> str:
        if self.watched_from is None or key < self.watched_from:
            return HISTORY
        if fate.delayed_until - key > TIMELY:
            return "seen later than the settle lag"
        if key + self.skew < self._highest(key):
            return "of a time that TMC's clock has shown twice"
        return ""

    def was_moved(self, since: int) -> bool:
        """Tell whether TMC's clock has jumped since then."""
        then = self._skew_at(since)
        return any(skew != then for at, skew in self.clock if at >= since)

    def is_dated_back(self, moment: int) -> bool:
        """Tell whether TMC's clock dates a moment before the watch began, as that clock stood."""
        if self.watched_from is None:
            return True
        began = self.watched_from + self._skew_at(self.watched_from)
        return moment + self.skew < began + SETTLED

    def _skew_at(self, moment: int) -> int:
        return ([skew for at, skew in self.clock if at <= moment] or [self.clock[0][1]])[-1]

    def _highest(self, before: int) -> int:
        """Answer with the latest time that TMC's clock showed up to a true time."""
        ends = [at for at, _ in self.clock[1:]] + [before]
        return max(
            min(end, before) + skew
            for (begin, skew), end in zip(self.clock, ends, strict=True)
            if begin <= before
        )

    def _belongs(self, run: Run, stretch: Stretch, at: int) -> bool:
        earliest, latest = stretch.start - self.skew, stretch.end - self.skew
        if run.triggered > at:
            return False
        match self.simulator.window:
            case "trigger":
                return earliest <= run.triggered <= latest
            case "started" if run.started is None or run.started > at:
                return False
            case _:
                ended = run.finished <= at and not (run.shows_finish and run.finished >= earliest)
                before = ended and run.triggered < earliest
                return run.begin(at) <= latest and not before


def _since(life: list[tuple[int, Phase]], since: int) -> Iterator[Phase]:
    for number, (_, phase) in enumerate(life):
        later = life[number + 1][0] if number + 1 < len(life) else None
        if later is None or later > since:
            yield phase
